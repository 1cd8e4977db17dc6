//! `plumb exposure`: the ledger of what can be reached from outside.

use super::{
    audit, evidence,
    people::{refused, session},
};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::{Args, Subcommand};
use plumb_govern::ledger::{Exposure, ExposureState, PreApproval, net_change};
use plumb_run::govern::{self, ExposureAsk, ExposureAskFields, ExposureVerb, PlanAsk};
use serde_json::{Value as Json, json};
use std::path::PathBuf;

/// `plumb exposure`
#[derive(Debug, Args)]
pub struct ExposureArgs {
    /// What to do; default list
    #[command(subcommand)]
    pub command: Option<ExposureCommand>,
}

/// What to do with the ledger.
#[derive(Debug, Subcommand)]
pub enum ExposureCommand {
    /// List entries
    List {
        /// Only in these states: detected, approved, not-approved, retired; default all that are not retired
        #[arg(long = "state", value_name = "STATE", value_delimiter = ',')]
        states: Vec<String>,
        /// Only of this account
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Only approvals that end within this many days
        #[arg(long, value_name = "DAYS")]
        expiring: Option<i64>,
        /// Only approvals with no compensating control that holds; exit 1 when there is any
        #[arg(long)]
        uncarried: bool,
    },
    /// Show one entry with its proof, its approval and what happened to it
    Show {
        /// The entry: X-…, the resource, or the whole id
        entry: String,
    },
    /// Ask that an exposure be allowed, for a reason and a time
    Request(AskArgs),
    /// Agree; never to one's own request
    Approve(NoteArgs),
    /// Refuse, or end an approval, with a note of at least 20 characters
    Reject(NoteArgs),
    /// Ask for a later end; what was said before is kept where nothing new is said
    Renew(AskArgs),
    /// Say that it is still needed; its end does not move
    Confirm(NoteArgs),
    /// Give it up, with a note of at least 20 characters: its approval ends, and the next scan that does not reach it retires it
    Retire(NoteArgs),
    /// Register an exposure before it is deployed, from the review of its code; another person approves the plan
    Plan(PlanArgs),
    /// List planned exposures
    Plans,
    /// What changed in a period, and the net change
    Diff {
        /// The period's first day; default 90 days ago
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        /// Its last day; default now
        #[arg(long, value_name = "DATE")]
        to: Option<String>,
    },
    /// Take what the last scan saw into the ledger again; every scan does this too
    Observe {
        /// As of this instant; the log says when the clock said it was done
        #[arg(long, value_name = "RFC3339")]
        now: Option<String>,
    },
}

/// Asking.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// The entry: X-…, the resource, or the whole id
    #[arg(default_value = "")]
    pub entry: String,
    /// Read requests from a file, or `-`: one JSON object a line, with the names of these flags and `entry`
    #[arg(long, value_name = "FILE", conflicts_with = "entry")]
    pub file: Option<PathBuf>,
    /// Why it must be reachable; at least 30 characters
    #[arg(long)]
    pub justification: Option<String>,
    /// What makes one look again, besides the end
    #[arg(long)]
    pub trigger: Option<String>,
    /// The end: 2027-03-31, an RFC 3339 instant, or 60d
    #[arg(long, value_name = "END")]
    pub expires: Option<String>,
    /// What else carries the risk, in words
    #[arg(long)]
    pub compensation: Option<String>,
    /// Rules that prove it; each scan asks them again, and a failing one ends the approval
    #[arg(long = "control", value_name = "RULE", value_delimiter = ',')]
    pub controls: Vec<String>,
    /// A pull request or ticket
    #[arg(long, value_name = "URL")]
    pub reference: Option<String>,
}

/// Deciding.
#[derive(Debug, Args)]
pub struct NoteArgs {
    /// The entry, or the plan (PX-…)
    pub entry: String,
    /// In your words
    #[arg(long, visible_alias = "reason", default_value = "")]
    pub note: String,
}

/// Planning.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The account it will be in; `*` and `?` are patterns
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Its region
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Its id or name; `*` and `?` are patterns
    #[arg(long, value_name = "ID")]
    pub resource: Option<String>,
    /// How far it may reach: open-anonymous, open-authenticated, limited-cidr, cross-account
    #[arg(long, default_value = "open-anonymous")]
    pub reach: String,
    /// Days in which it must first be seen
    #[arg(long, value_name = "DAYS", default_value_t = 14)]
    pub window: i64,
    /// Why it must be reachable; at least 30 characters
    #[arg(long)]
    pub justification: String,
    /// What makes one look again, besides the end
    #[arg(long)]
    pub trigger: String,
    /// The end of the approval
    #[arg(long, value_name = "END", default_value = "90d")]
    pub expires: String,
    /// What else carries the risk, in words
    #[arg(long)]
    pub compensation: Option<String>,
    /// Rules that prove it
    #[arg(long = "control", value_name = "RULE", value_delimiter = ',')]
    pub controls: Vec<String>,
    /// The pull request in which the code was reviewed
    #[arg(long, value_name = "URL")]
    pub reference: Option<String>,
}

fn row(e: &Exposure) -> Json {
    let w = e.warrant.as_ref();
    let approvals = w.map(|w| w.approvals.as_slice()).unwrap_or_default();
    json!({
        "id": govern::short(&e.id), "entry": e.id, "state": e.state, "reach": e.seen.reach, "account": e.seen.account,
        "region": e.seen.region, "kind": e.seen.kind, "resource": e.seen.resource, "name": e.seen.name,
        "endpoints": e.seen.endpoints, "data": e.seen.data, "tier": e.seen.tier, "team": e.seen.team,
        "proven": e.is_proven(), "proof": e.seen.proof,
        "justification": w.map(|w| &w.justification), "requested_by": w.map(|w| &w.requested_by),
        "approved_by": approvals.iter().map(|a| &a.human).collect::<Vec<_>>(),
        "approved_at": approvals.last().map(|a| a.at), "expires_at": w.map(|w| w.expires_at),
        "trigger": w.map(|w| &w.trigger), "compensation": w.and_then(|w| w.compensation.as_ref()),
        "controls": w.map(|w| &w.controls), "reference": w.map(|w| &w.reference),
        "pre_approval": e.pre_approval, "asked": e.asked, "reason": e.reason,
        "first_seen": e.first_seen, "last_seen": e.last_seen, "since": e.since, "confirmed_at": e.confirmed_at,
        "retired_at": e.retired_at, "flag": e.flag(),
    })
}

fn print(globals: &Globals, entries: &[&Exposure]) -> Result<(), Failure> {
    let rows: Vec<Json> = entries.iter().map(|e| row(e)).collect();
    let cell = |v: &Json, k: &str| v.get(k).and_then(Json::as_str).unwrap_or_default().to_owned();
    let header = ["entry", "state", "reach", "account", "region", "kind", "name", "until", "approved by", "why"];
    out::rows(globals, &rows, &header, |v| {
        let by: Vec<&str> =
            v.get("approved_by").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
        let asked = v.get("asked").is_some_and(|a| !a.is_null());
        let why = match cell(v, "justification") {
            w if !w.is_empty() && !cell(v, "flag").is_empty() => format!("! {}: {w}", cell(v, "flag")),
            w if !w.is_empty() => w,
            _ if asked => "asked for, waits for an approver".into(),
            _ => cell(v, "reason"),
        };
        vec![
            cell(v, "id"),
            cell(v, "state"),
            cell(v, "reach"),
            cell(v, "account"),
            cell(v, "region"),
            cell(v, "kind"),
            out::cut(globals, &cell(v, "name"), 36),
            cell(v, "expires_at").chars().take(10).collect(),
            by.join(" "),
            out::cut(globals, &why, 80),
        ]
    })
}

fn one(globals: &Globals, e: &Exposure) -> Result<u8, Failure> {
    match out::format(globals) {
        Format::Text => {
            let wait = if e.asked.is_some() { "; a request waits for an approver" } else { "" };
            out::line(format!("{} is {}{wait}", govern::short(&e.id), e.state));
        }
        _ => out::line(row(e)),
    }
    Ok(0)
}

fn print_plans(globals: &Globals, plans: &[PreApproval]) -> Result<(), Failure> {
    out::rows(globals, plans, &["plan", "reach", "window ends", "asked by", "approved by", "until", "why"], |p| {
        let by: Vec<&str> = p.warrant.approvals.iter().map(|a| a.human.as_str()).collect();
        vec![
            p.id.clone(),
            p.reach.to_string(),
            p.to.date(),
            p.warrant.requested_by.to_string(),
            by.join(" "),
            p.warrant.expires_at.date(),
            out::cut(globals, &p.warrant.justification, 60),
        ]
    })
}

/// `plumb exposure`
pub fn run(globals: &Globals, args: ExposureArgs) -> Result<u8, Failure> {
    let default = ExposureCommand::List { states: Vec::new(), account: None, expiring: None, uncarried: false };
    match args.command.unwrap_or(default) {
        ExposureCommand::List { states, account, expiring, uncarried } => {
            let wanted: Vec<ExposureState> =
                states.iter().map(|s| s.parse()).collect::<Result<_, _>>().map_err(Failure::usage)?;
            let record = context::record_read_only(globals)?;
            context::known_account(&record, account.as_deref())?;
            let ledger = govern::entries_of_ledger(&record).map_err(refused)?;
            let limit = expiring.map(|d| context::now().plus_days(d));
            let mut rows: Vec<&Exposure> =
                ledger
                    .values()
                    .filter(|e| {
                        if wanted.is_empty() { e.state != ExposureState::Retired } else { wanted.contains(&e.state) }
                    })
                    .filter(|e| !uncarried || e.flag().is_some())
                    .filter(|e| account.as_deref().is_none_or(|a| e.seen.account.as_str() == a))
                    .filter(|e| limit.is_none_or(|l| e.warrant.as_ref().is_some_and(|w| w.expires_at <= l)))
                    .collect();
            rows.sort_by(|a, b| {
                (b.seen.reach, a.state, &a.seen.account, &a.id).cmp(&(a.seen.reach, b.state, &b.seen.account, &b.id))
            });
            print(globals, &rows)?;
            Ok(u8::from(uncarried && !rows.is_empty()))
        }
        ExposureCommand::Show { entry } => {
            let record = context::record_read_only(globals)?;
            let (_, e) = govern::entry(&record, &entry).map_err(refused)?;
            if out::format(globals) != Format::Text {
                out::line(serde_json::to_string_pretty(&row(&e))?);
                return Ok(0);
            }
            out::line(format!("{}  {}  {}", govern::short(&e.id), e.state, e.seen.reach));
            out::line(format!("  resource  {}", e.seen.resource));
            out::line(format!(
                "  where     account {}, {}; tier {}, data {}",
                e.seen.account, e.seen.region, e.seen.tier, e.seen.data
            ));
            out::line(format!("  seen      first {}, last {}", e.first_seen, e.last_seen));
            for endpoint in &e.seen.endpoints {
                out::line(format!("  open      {endpoint}"));
            }
            out::line("\nHow it is reached");
            for hop in &e.seen.proof {
                out::line(format!("  {}\n    {}", hop.what, hop.evidence));
            }
            for (title, w) in [("Approval", &e.warrant), ("Asked for", &e.asked)] {
                if let Some(w) = w {
                    out::line(format!("\n{title}"));
                    out::line(format!("  {}", w.justification));
                    out::line(format!("  asked by {} at {}, ends {}", w.requested_by, w.requested_at, w.expires_at));
                    for a in &w.approvals {
                        out::line(format!("  approved by {} at {} {}", a.human, a.at, a.note));
                    }
                    out::line(format!("  looked at again when: {}", w.trigger));
                    if let Some(c) = &w.compensation {
                        out::line(format!("  carried by: {c}"));
                    }
                    for c in &w.controls {
                        out::line(format!("  proven by rule {c}, asked in every scan"));
                    }
                }
            }
            if let Some(flag) = e.flag() {
                out::line(format!("\nFlagged: {flag}"));
            }
            if !e.reason.is_empty() {
                out::line(format!("\n{}", e.reason));
            }
            Ok(0)
        }
        ExposureCommand::Request(args) => ask(globals, args, false),
        ExposureCommand::Renew(args) => ask(globals, args, true),
        ExposureCommand::Approve(args) if args.entry.starts_with("PX-") => {
            let mut record = context::record(globals)?;
            let session = session(globals, &record)?;
            let plan = govern::approve_plan(&mut record, &session, &args.entry, &args.note).map_err(refused)?;
            print_plans(globals, &[plan])?;
            Ok(0)
        }
        ExposureCommand::Approve(args) => decide(globals, &args, ExposureVerb::Approve),
        ExposureCommand::Reject(args) => decide(globals, &args, ExposureVerb::Reject),
        ExposureCommand::Confirm(args) => decide(globals, &args, ExposureVerb::Confirm),
        ExposureCommand::Retire(args) => decide(globals, &args, ExposureVerb::Retire),
        ExposureCommand::Plan(args) => {
            let mut record = context::record(globals)?;
            let session = session(globals, &record)?;
            let catalog = context::catalog(globals)?;
            let plan = PlanAsk {
                account: args.account,
                region: args.region,
                resource: args.resource,
                reach: Some(args.reach),
                window_days: Some(args.window),
                ask: ExposureAskFields {
                    justification: Some(args.justification),
                    trigger: Some(args.trigger),
                    expires: Some(args.expires),
                    compensation: args.compensation,
                    controls: args.controls,
                    reference: args.reference,
                },
            };
            let made = govern::plan_exposure(&mut record, &catalog, &session, &plan).map_err(refused)?;
            print_plans(globals, &[made])?;
            Ok(0)
        }
        ExposureCommand::Plans => {
            let record = context::record_read_only(globals)?;
            print_plans(globals, &govern::plans(&record).map_err(refused)?)?;
            Ok(0)
        }
        ExposureCommand::Diff { from, to } => diff(globals, from.as_deref(), to.as_deref()),
        ExposureCommand::Observe { now } => {
            let session = audit::system(globals, "ledger", now.as_deref())?;
            let mut record = context::record(globals)?;
            let catalog = context::catalog(globals)?;
            let scan = record.scan(None)?.id;
            let said = govern::observe(&mut record, &catalog, &session, scan).map_err(refused)?;
            match out::format(globals) {
                Format::Text => out::line(format!(
                    "{} announced, {} not announced, {} grown, {} gone, {} back",
                    said.announced.len(),
                    said.unannounced.len(),
                    said.grown.len(),
                    said.retired.len(),
                    said.returned.len()
                )),
                _ => out::line(serde_json::to_string(&said)?),
            }
            Ok(0)
        }
    }
}

fn ask(globals: &Globals, args: AskArgs, renew: bool) -> Result<u8, Failure> {
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let catalog = context::catalog(globals)?;
    let asks: Vec<ExposureAsk> = match &args.file {
        Some(path) => super::json_lines(path)?,
        None if args.entry.is_empty() => return Err(Failure::usage("say which entry, or --file FILE")),
        None => vec![ExposureAsk {
            entry: args.entry,
            justification: args.justification,
            trigger: args.trigger,
            expires: args.expires,
            compensation: args.compensation,
            controls: args.controls,
            reference: args.reference,
        }],
    };
    let many = asks.len() > 1;
    let mut made = Vec::new();
    for one in &asks {
        let done = govern::request_exposure(&mut record, &catalog, &session, one, renew);
        made.push(done.map_err(|e| super::in_row(refused(e), many, &one.entry))?);
    }
    if let ([only], false) = (made.as_slice(), many) {
        return self::one(globals, only);
    }
    print(globals, &made.iter().collect::<Vec<_>>())?;
    Ok(0)
}

fn decide(globals: &Globals, args: &NoteArgs, verb: ExposureVerb) -> Result<u8, Failure> {
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let catalog = context::catalog(globals)?;
    let after =
        govern::decide_exposure(&mut record, &catalog, &session, &args.entry, verb, &args.note).map_err(refused)?;
    one(globals, &after)
}

fn diff(globals: &Globals, from: Option<&str>, to: Option<&str>) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let now = context::now();
    let from = evidence::begin(from, now)?;
    let to = match to {
        None => now.plus_days(1),
        Some(text) => evidence::begin(Some(text), now)?.plus_days(1),
    };
    let ledger = govern::entries_of_ledger(&record).map_err(refused)?;
    let net = net_change(&ledger, from, to);
    // Before the first scan nobody looked: a zero would be a claim.
    let measured_from = govern::first_look(&record).map_err(refused)?;
    let unmeasured = net.before == 0 && measured_from.is_none_or(|first| first >= from);
    let steps = govern::ledger_steps(&ledger, from, to);
    match out::format(globals) {
        Format::Text => {
            let (before, moved) = match (unmeasured, measured_from) {
                (false, _) => (format!("{} before", net.before), format!(" (net {:+})", net.net())),
                (true, None) => ("no scan has looked yet".to_owned(), String::new()),
                (true, Some(first)) => {
                    (format!("nobody looked before {}, when the first scan did", first.date()), String::new())
                }
            };
            out::line(format!(
                "{} to {}: {before}; {} came, {} went, {} after{moved}; {} approved, {} open, {} older than a year\n",
                from.date(),
                to.min(now).date(),
                net.added,
                net.retired,
                net.after,
                net.approved,
                net.open,
                net.older_than_a_year
            ));
            let rows: Vec<Vec<String>> = steps
                .iter()
                .map(|s| {
                    vec![
                        s.at.date(),
                        s.what.into(),
                        s.id.clone(),
                        s.reach.to_string(),
                        s.entry.clone(),
                        s.reason.clone(),
                    ]
                })
                .collect();
            out::table(&["on", "what", "entry", "reach", "resource", "why"], &rows);
        }
        Format::Json => out::line(serde_json::to_string_pretty(
            &json!({ "from": from, "to": to, "net": net.net(), "change": net, "measured_from": measured_from, "steps": steps }),
        )?),
        _ => out::rows(globals, &steps, &["at", "what", "id", "reach", "entry", "reason"], |s| {
            vec![s.at.to_string(), s.what.into(), s.id.clone(), s.reach.to_string(), s.entry.clone(), s.reason.clone()]
        })?,
    }
    Ok(0)
}
