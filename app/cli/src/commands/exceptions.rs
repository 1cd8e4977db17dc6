//! `plumb exceptions` and `plumb import`.

use super::{
    audit,
    people::{refused, session},
};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::{Args, Subcommand, ValueEnum};
use plumb_catalog::Catalog;
use plumb_govern::decision::{Decision, Draft, Origin, Pattern, Status, Subject};
use plumb_run::govern::{self, Ask, Covered, MuteFormat, Session, Shown, Verb};
use serde_json::Value as Json;
use std::{collections::BTreeSet, path::PathBuf};

/// `plumb exceptions`
#[derive(Debug, Args)]
pub struct ExceptionsArgs {
    /// What to do; `list` when not said
    #[command(subcommand)]
    pub command: Option<ExceptionsCommand>,
}

/// What to do with exceptions.
#[derive(Debug, Subcommand)]
pub enum ExceptionsCommand {
    /// Ask for one
    Request(Box<RequestArgs>),
    /// Agree; never to one's own request
    Approve(DecideArgs),
    /// Refuse, with a note of at least 20 characters
    Reject(DecideArgs),
    /// End one in force, with a note of at least 20 characters
    Revoke(DecideArgs),
    /// Take one's own request back, with a note of at least 20 characters
    Withdraw(DecideArgs),
    /// List decisions
    List {
        /// Only with this status: requested, in-force, rejected, withdrawn, expired, revoked, no-longer-needed
        #[arg(long, value_name = "STATUS", value_delimiter = ',')]
        status: Vec<String>,
        /// Only those that end within this many days
        #[arg(long, value_name = "DAYS")]
        expiring: Option<i64>,
    },
    /// Show one: its selector, the findings it names, what came under it later, what it leaves open
    Show {
        /// The decision's number: EX-2026-000001
        number: String,
    },
    /// List imported entries that wait to be completed
    Drafts,
    /// List decisions of every kind in force, and planned exposures, whose scope meets nothing; exit 1 when there is any
    Idle,
    /// End what has run out or whose triggers fired; every scan does this too
    Sweep {
        /// As of this instant; the log says when the clock said it was done
        #[arg(long, value_name = "RFC3339")]
        now: Option<String>,
    },
}

/// `plumb exceptions request`
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// Findings: ids or beginnings of them
    pub findings: Vec<String>,
    /// Read requests from a file, or `-`: one JSON object a line, with the names of these flags
    #[arg(long, value_name = "FILE", conflicts_with_all = ["findings", "rules", "accounts", "regions", "resources", "tags", "teams", "covers_future"])]
    pub file: Option<PathBuf>,
    /// Instead of findings, what they look like: rules, as text, with `*` and `?`, or `re:` and an expression
    #[arg(long = "rule", value_name = "PATTERN", num_args = 1.., value_delimiter = ',')]
    pub rules: Vec<String>,
    /// Accounts, as patterns
    #[arg(long = "account", value_name = "PATTERN", num_args = 1.., value_delimiter = ',')]
    pub accounts: Vec<String>,
    /// Regions, as patterns
    #[arg(long = "region", value_name = "PATTERN", num_args = 1.., value_delimiter = ',')]
    pub regions: Vec<String>,
    /// Resource ids or names, as patterns
    #[arg(long = "resource", value_name = "PATTERN", num_args = 1..)]
    pub resources: Vec<String>,
    /// Tags of the resource, as patterns of key=value; one must match
    #[arg(long = "tag", value_name = "KEY=VALUE", num_args = 1..)]
    pub tags: Vec<String>,
    /// Owning teams, as patterns
    #[arg(long = "team", value_name = "PATTERN", num_args = 1.., value_delimiter = ',')]
    pub teams: Vec<String>,
    /// Cover what the patterns match later too: two approvers, at most 90 days, nothing worse than what is there now
    #[arg(long)]
    pub covers_future: bool,
    /// Complete an imported draft; findings or patterns that are named take the place of what it speaks about
    #[arg(long, value_name = "ID")]
    pub draft: Option<String>,
    /// exception, deferral, false-positive, baseline-deviation
    #[arg(long)]
    pub kind: Option<String>,
    /// business-need, technical-limit, compensating-control, vendor-dependency, cost-disproportionate, planned-retirement, test
    #[arg(long)]
    pub basis: Option<String>,
    /// Why it is reasonable; at least 50 characters
    #[arg(long)]
    pub justification: Option<String>,
    /// What may happen; at least 30 characters
    #[arg(long)]
    pub risk: Option<String>,
    /// Who answers for it; default who asks
    #[arg(long)]
    pub owner: Option<String>,
    /// The end: 2027-03-31, an RFC 3339 instant, or 30d
    #[arg(long, value_name = "END")]
    pub expires: Option<String>,
    /// What ends it early: value-changes, severity-rises, lane-rises, control-fails, owner-leaves, …
    #[arg(long = "trigger", value_name = "TRIGGER", value_delimiter = ',')]
    pub triggers: Vec<String>,
    /// A control that carries the risk: RULE=in words
    #[arg(long = "compensation", value_name = "RULE=WORDS")]
    pub compensations: Vec<String>,
    /// For a false positive: what shows that it is not true
    #[arg(long = "counter-evidence", value_name = "TEXT")]
    pub counter_evidence: Vec<String>,
    /// The decision it prolongs
    #[arg(long, value_name = "NUMBER")]
    pub renews: Option<String>,
    /// The plan to fix it
    #[arg(long)]
    pub plan: Option<String>,
}

/// Deciding.
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// The decision's number: EX-2026-000001
    pub number: String,
    /// In your words
    #[arg(long, visible_alias = "reason", default_value = "")]
    pub note: String,
}

fn print(globals: &Globals, rows: &[Decision]) -> Result<(), Failure> {
    out::rows(globals, rows, &["decision", "kind", "status", "asked by", "approved by", "ends", "basis", "why"], |d| {
        let by: Vec<&str> = d.approvals.iter().map(|a| a.human.as_str()).collect();
        vec![
            d.number.to_string(),
            d.draft.kind.to_string(),
            d.status.to_string(),
            d.requested_by.to_string(),
            by.join(" "),
            d.draft.expires_at.map(|t| t.date()).unwrap_or_default(),
            d.draft.basis.map(|b| b.to_string()).unwrap_or_default(),
            out::cut(globals, &d.draft.justification, 60),
        ]
    })
}

/// `plumb exceptions`
pub fn run(globals: &Globals, args: ExceptionsArgs) -> Result<u8, Failure> {
    let decide = |args: DecideArgs, verb: Verb| -> Result<u8, Failure> {
        let mut record = context::record(globals)?;
        let session = session(globals, &record)?;
        let catalog = context::catalog(globals)?;
        let after = govern::decide(&mut record, &catalog, &session, &args.number, verb, &args.note).map_err(refused)?;
        match out::format(globals) {
            Format::Text => {
                let more = usize::from(after.approvers_needed).saturating_sub(after.approvals.len());
                let wait =
                    if after.status == Status::Requested { format!("; waits for {more} more") } else { String::new() };
                out::line(format!("{} is {}{wait}", after.number, after.status));
                if matches!(after.draft.subject, Subject::Selector { .. }) {
                    let shown = govern::shown(&record, &catalog, &session, &args.number).map_err(refused)?;
                    scope(globals, &shown)?;
                }
            }
            _ => out::line(serde_json::to_string(&after)?),
        }
        Ok(0)
    };
    match args.command.unwrap_or(ExceptionsCommand::List { status: Vec::new(), expiring: None }) {
        ExceptionsCommand::Request(args) => request(globals, *args),
        ExceptionsCommand::Approve(args) => decide(args, Verb::Approve),
        ExceptionsCommand::Reject(args) => decide(args, Verb::Reject),
        ExceptionsCommand::Revoke(args) => decide(args, Verb::Revoke),
        ExceptionsCommand::Withdraw(args) => decide(args, Verb::Withdraw),
        ExceptionsCommand::List { status, expiring } => {
            let record = context::record_read_only(globals)?;
            let wanted: Vec<Status> =
                status.iter().map(|s| s.parse()).collect::<Result<_, _>>().map_err(Failure::usage)?;
            let limit = expiring.map(|days| context::now().plus_days(days));
            let rows: Vec<Decision> = record
                .documents("decision")?
                .into_iter()
                .map(|(_, doc)| serde_json::from_value::<Decision>(doc))
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .filter(|d| wanted.is_empty() || wanted.contains(&d.status))
                .filter(|d| limit.is_none_or(|l| d.status == Status::InForce && d.expires_at().is_some_and(|e| e <= l)))
                .collect();
            print(globals, &rows)?;
            Ok(0)
        }
        ExceptionsCommand::Show { number } => show(globals, &number),
        ExceptionsCommand::Drafts => {
            let record = context::record_read_only(globals)?;
            let catalog = context::catalog(globals)?;
            let rows: Vec<Waiting> = govern::drafts(&record)
                .map_err(refused)?
                .into_iter()
                .map(|(id, d)| Waiting::new(id, d, &catalog))
                .collect();
            print_drafts(globals, &rows)?;
            Ok(0)
        }
        ExceptionsCommand::Idle => {
            let record = context::record_read_only(globals)?;
            let catalog = context::catalog(globals)?;
            let picture = govern::Picture::read(&record, &catalog, context::now()).map_err(refused)?;
            let rows = picture.idle().map_err(refused)?;
            out::rows(globals, &rows, &["decision", "kind", "what to do"], |u| {
                vec![u.number.to_string(), u.kind.to_string(), u.advice.clone()]
            })?;
            Ok(u8::from(!rows.is_empty()))
        }
        ExceptionsCommand::Sweep { now } => {
            let session = audit::system(globals, "expiry", now.as_deref())?;
            let mut record = context::record(globals)?;
            let catalog = context::catalog(globals)?;
            let ended = govern::sweep(&mut record, &catalog, &session).map_err(refused)?;
            print(globals, &ended)?;
            Ok(0)
        }
    }
}

/// A draft that waits for a person.
#[derive(Debug, serde::Serialize)]
struct Waiting {
    id: String,
    /// What is still to be said.
    missing: Vec<plumb_govern::Problem>,
    /// What it names that is no rule's id here, nor another name of one: it meets nothing before somebody says which rule is meant.
    unknown_rules: Vec<String>,
    draft: Draft,
}

impl Waiting {
    fn new(id: String, draft: Draft, catalog: &Catalog) -> Self {
        let known = |p: &Pattern| {
            catalog.rules.values().any(|r| p.matches(r.id.as_str()) || r.aliases.ids().any(|alias| p.matches(alias)))
        };
        let unknown_rules = match &draft.subject {
            Subject::Selector { selector, .. } => {
                selector.rules.iter().filter(|p| !known(p)).map(ToString::to_string).collect()
            }
            Subject::Findings(_) => Vec::new(),
        };
        Self { id, missing: draft.lacks(), unknown_rules, draft }
    }

    fn origin(&self) -> String {
        match &self.draft.origin {
            Origin::Person => "person".into(),
            Origin::Inline { file, line, .. } => format!("{file}:{line}"),
            Origin::Import { tool, place } => format!("{tool} {place}"),
        }
    }
}

fn print_drafts(globals: &Globals, rows: &[Waiting]) -> Result<(), Failure> {
    out::rows(globals, rows, &["draft", "from", "about", "lacks", "why"], |w| {
        let about = match &w.draft.subject {
            Subject::Selector { selector, .. } => selector.to_string(),
            Subject::Findings(set) => format!("{} findings", set.len()),
        };
        let mut lacks: Vec<&str> = w.missing.iter().map(|p| p.field.as_str()).collect();
        if !w.unknown_rules.is_empty() {
            lacks.push("rule");
        }
        vec![
            w.id.clone(),
            out::cut(globals, &w.origin(), 32),
            out::cut(globals, &about, 72),
            lacks.join(" "),
            out::cut(globals, &w.draft.justification, 48),
        ]
    })
}

fn request(globals: &Globals, args: RequestArgs) -> Result<u8, Failure> {
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let catalog = context::catalog(globals)?;
    let asks: Vec<Ask> = match &args.file {
        Some(path) => super::json_lines(path)?,
        None => vec![Ask {
            findings: args.findings,
            draft: args.draft,
            kind: args.kind,
            basis: args.basis,
            justification: args.justification,
            risk: args.risk,
            owner: args.owner,
            expires: args.expires,
            triggers: args.triggers,
            compensations: args.compensations,
            counter_evidence: args.counter_evidence,
            renews: args.renews,
            plan: args.plan,
            rules: args.rules,
            accounts: args.accounts,
            regions: args.regions,
            resources: args.resources,
            tags: args.tags,
            teams: args.teams,
            covers_future: args.covers_future,
            ..Ask::default()
        }],
    };
    let mut made = Vec::new();
    for ask in &asks {
        made.push(govern::request(&mut record, &catalog, &session, ask).map_err(refused)?);
    }
    print(globals, &made)?;
    if out::format(globals) == Format::Text {
        for d in made.iter().filter(|d| matches!(d.draft.subject, Subject::Selector { .. })) {
            let shown = govern::shown(&record, &catalog, &session, d.number.as_str()).map_err(refused)?;
            out::line("");
            scope(globals, &shown)?;
        }
    }
    Ok(0)
}

/// What a decision speaks about, for people: the selector, what it names, whether later findings are covered.
fn scope(globals: &Globals, shown: &Shown) -> Result<(), Failure> {
    let d = &shown.decision;
    if let Subject::Selector { selector, .. } = &d.draft.subject {
        out::line(format!("{} selects {selector}", d.number));
    }
    let ahead = if shown.covers_future { "and what comes later, no worse than that" } else { "and nothing later" };
    let n = shown.matched.len();
    out::line(format!("{} covers {n} finding{} {ahead}", d.number, if n == 1 { "" } else { "s" }));
    list(globals, &shown.matched)
}

/// How many findings a decision shows on a terminal.
const SHOWN: usize = 100;

fn list(globals: &Globals, rows: &[Covered]) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    if let (Format::Text, Some((rows, rest))) = (out::format(globals), rows.split_at_checked(SHOWN))
        && !rest.is_empty()
    {
        list(globals, rows)?;
        out::line(format!("… and {} more; `plumb exceptions show NUMBER --format csv` lists all", rest.len()));
        return Ok(());
    }
    out::rows(globals, rows, &["finding", "state", "severity", "rule", "account", "resource", "note"], |c| {
        let since = c.since.map(|t| format!("since {}", t.date()));
        vec![
            c.id.clone(),
            c.state.clone(),
            c.severity.clone(),
            c.rule.clone(),
            c.account.clone(),
            c.name.clone(),
            c.open_because.clone().or(since).unwrap_or_default(),
        ]
    })
}

/// All an approver has to know of a decision before deciding: who asks, why, what may happen, what carries it, what ends it,
/// what is allowed, and which controls it touches.
fn whole(d: &Decision) {
    let draft = &d.draft;
    let line = |name: &str, said: String| {
        if !said.is_empty() {
            out::line(format!("  {name:<12} {said}"));
        }
    };
    let dated = |t: Option<plumb_model::Time>| t.map(|t| t.date()).unwrap_or_default();
    out::line(format!("{}  {}  {}", d.number, draft.kind, d.status));
    let owner = draft.owner.as_ref().map(|o| format!("; {o} answers for it")).unwrap_or_default();
    line("asked by", format!("{} on {}{owner}", d.requested_by, d.requested_at.date()));
    line("basis", draft.basis.map(|b| b.to_string()).unwrap_or_default());
    line("why", draft.justification.clone());
    line("may happen", draft.risk.clone());
    for c in &draft.compensations {
        let rule = c.rule.as_ref().map(|r| {
            let stands = d.situation.controls.get(r).map_or("not judged", |o| o.name());
            format!(" ({r}: {stands} when asked)")
        });
        line("carried by", format!("{}{}", c.text, rule.unwrap_or_default()));
    }
    for text in &draft.counter_evidence {
        line("shown by", text.clone());
    }
    if let Some(Json::Object(allowed)) = &draft.allowed_value {
        for (path, value) in allowed {
            let wanted = draft.expected_value.as_ref().and_then(|e| e.get(path)).and_then(Json::as_str);
            line("allows", format!("{path} = {value}; wanted {}", wanted.unwrap_or("otherwise")));
        }
    }
    line("plan", draft.plan.clone().unwrap_or_default());
    line("prolongs", draft.renews.as_ref().map(ToString::to_string).unwrap_or_default());
    let triggers: Vec<String> = draft.triggers.iter().map(|t| t.watch.to_string()).collect();
    line("ends", format!("{}; earlier: {}", dated(draft.expires_at), triggers.join(", ")));
    line("carries", format!("{} points, lane {}, tier {}", plumb_report::points(d.points), d.lane, d.tier));
    line("counts for", d.frameworks.join(", "));
    for a in &d.approvals {
        let note = if a.note.is_empty() { String::new() } else { format!(": {}", a.note) };
        line("approved by", format!("{} on {}{note}", a.human, a.at.date()));
    }
    let more = usize::from(d.approvers_needed).saturating_sub(d.approvals.len());
    if d.status == Status::Requested {
        line("waits for", format!("{more} more approver{}", if more == 1 { "" } else { "s" }));
    }
    if let Some(end) = &d.end {
        line("ended", format!("{} on {}: {}", d.status, end.at.date(), end.why));
    }
}

fn show(globals: &Globals, number: &str) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let catalog = context::catalog(globals)?;
    let session = Session::system("exceptions", None, context::now());
    let shown = govern::shown(&record, &catalog, &session, number).map_err(refused)?;
    match out::format(globals) {
        Format::Text => {
            whole(&shown.decision);
            out::line("");
            scope(globals, &shown)?;
            if !shown.later.is_empty() {
                out::line(format!("\n{} came under it later", shown.later.len()));
                list(globals, &shown.later)?;
            }
            if !shown.left_open.is_empty() {
                out::line(format!("\n{} match and are left open", shown.left_open.len()));
                list(globals, &shown.left_open)?;
            }
        }
        Format::Csv => {
            let all: Vec<Covered> = [shown.matched, shown.later, shown.left_open].concat();
            list(globals, &all)?;
        }
        Format::Jsonl => out::line(serde_json::to_string(&shown)?),
        _ => out::line(serde_json::to_string_pretty(&shown)?),
    }
    Ok(0)
}

/// `plumb import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// What it is
    #[arg(value_enum)]
    pub from: ImportFrom,
    /// The file, or a record's folder
    pub file: PathBuf,
}

/// Lists that can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImportFrom {
    /// Prowler's mute list
    Mutelist,
    /// Checkov's baseline, or its results with skips
    CheckovBaseline,
    /// .trivyignore
    Trivyignore,
    /// ScoutSuite's exceptions
    Scoutsuite,
    /// A whole record that `plumb export record` wrote: a folder or a .zip, into a record that does not exist yet
    Record,
}

/// Restores a whole record.
fn import_record(globals: &Globals, from: &std::path::Path) -> Result<u8, Failure> {
    let to = context::db_path(globals)?;
    if let Some(folder) = to.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let whole = govern::import_record(from, &to, &[]).map_err(refused)?;
    let rows: usize = whole.rows.values().sum();
    match out::format(globals) {
        Format::Text => out::line(format!(
            "restored {rows} rows and {} log entries to {}; everything verifies\ndigest {}",
            whole.log_entries,
            to.display(),
            whole.digest
        )),
        _ => out::line(serde_json::to_string(&whole)?),
    }
    Ok(0)
}

/// `plumb import`
pub fn import(globals: &Globals, args: ImportArgs) -> Result<u8, Failure> {
    if args.from == ImportFrom::Record {
        return import_record(globals, &args.file);
    }
    let text = std::fs::read_to_string(&args.file)
        .map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", args.file.display())))?;
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let format = match args.from {
        ImportFrom::Mutelist => MuteFormat::Mutelist,
        ImportFrom::CheckovBaseline => MuteFormat::CheckovBaseline,
        ImportFrom::Trivyignore => MuteFormat::Trivyignore,
        ImportFrom::Scoutsuite | ImportFrom::Record => MuteFormat::Scoutsuite,
    };
    let made = govern::import(&mut record, &session, format, &text).map_err(refused)?;
    let catalog = context::catalog(globals)?;
    let rows: Vec<Waiting> = made.into_iter().map(|(id, d)| Waiting::new(id, d, &catalog)).collect();
    print_drafts(globals, &rows)?;
    out::note(
        globals,
        format!(
            "{} new drafts; nothing is muted. Complete one with: plumb exceptions request --draft ID …",
            rows.len()
        ),
    );
    let unknown: BTreeSet<&str> = rows.iter().flat_map(|r| &r.unknown_rules).map(String::as_str).collect();
    if !unknown.is_empty() {
        let named: Vec<&str> = unknown.into_iter().take(10).collect();
        out::note(
            globals,
            format!("no rule here goes by {}; name the one that is meant with --rule", named.join(", ")),
        );
    }
    Ok(0)
}
