//! `plumb reviews`: access reviews, from the inventory of principals to verified removal.

use super::{
    audit, known,
    people::{refused, session},
};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::{Args, Subcommand, ValueEnum};
use plumb_assess::identity::aws::{
    escalations,
    inventory::{Class, inventory},
};
use plumb_govern::{
    ids::HumanId,
    review::{Access, Campaign, CampaignState, Item, ReviewerRule, Standing, people_from_csv, people_from_scim},
    table,
};
use plumb_model::{AccountId, Time};
use plumb_record::{Record, ScanId, UnitState};
use plumb_run::govern::{self, NewReview, ReviewRow, Session};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// `plumb reviews`
#[derive(Debug, Args)]
pub struct ReviewsArgs {
    /// What to do; default list
    #[command(subcommand)]
    pub command: Option<ReviewsCommand>,
}

/// What to do with reviews.
#[derive(Debug, Subcommand)]
pub enum ReviewsCommand {
    /// List reviews and how far they are
    List,
    /// Freeze the accesses there are now and open a review over them
    Open(OpenArgs),
    /// Show a review item by item; as CSV it is the list that `decide --csv` takes back
    Show {
        /// The review: AR-2026-0001
        review: String,
        /// Only items nobody decided yet
        #[arg(long)]
        pending: bool,
        /// Only items of this reviewer
        #[arg(long, value_name = "LOGIN")]
        reviewer: Option<String>,
    },
    /// Decide about items: keep, change, remove, not-mine, unknown
    Decide(DecideArgs),
    /// Give an item to another reviewer
    Assign {
        /// The review
        review: String,
        /// The item: A-…
        item: String,
        /// The reviewer
        to: String,
    },
    /// Close a review; another person than who opened it
    Close {
        /// The review
        review: String,
    },
    /// Hold reviews against what the last scan found; every scan does this too
    Verify {
        /// As of this instant; the log says when the clock said it was done
        #[arg(long, value_name = "RFC3339")]
        now: Option<String>,
    },
    /// Import people from a SCIM list (JSON) or a personnel list (CSV); who is not active there has left
    People {
        /// The file, or `-`
        file: PathBuf,
        /// Where it comes from, for the record
        #[arg(long, default_value = "import")]
        source: String,
    },
    /// List accesses of people who have left
    Leavers,
    /// List what shall go and is still there, each as a request to the identity provider and as commands; exit 1 when any is
    Removals {
        /// Only of this review; without it, what leavers hold too
        review: Option<String>,
    },
}

/// Which accesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// Those that lead to administration
    Privileged,
    /// Keys, service accounts and workloads
    Keys,
    /// All others and these
    All,
    /// Those nobody used for 90 days
    Dormant,
    /// Those of people who have left
    Leavers,
    /// Those other accounts hold
    External,
}

/// `plumb reviews open`
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// Its name
    pub name: String,
    /// Which accesses
    #[arg(long, value_enum, default_value_t = Scope::Privileged)]
    pub scope: Scope,
    /// Only of these accounts
    #[arg(long = "account", value_name = "ID", value_delimiter = ',')]
    pub accounts: Vec<String>,
    /// Who reviews: account-owner, manager, or a login
    #[arg(long, default_value = "account-owner")]
    pub reviewer: String,
    /// Who reviews what nobody else can
    #[arg(long, value_name = "LOGIN")]
    pub fallback: Option<String>,
    /// When it is due: a date, an instant, or 30d; at most 30 days ahead
    #[arg(long, default_value = "30d")]
    pub due: String,
}

/// `plumb reviews decide`
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// The review
    pub review: String,
    /// The item: A-…
    #[arg(default_value = "", requires = "decision")]
    pub item: String,
    /// keep, change, remove, not-mine, unknown
    #[arg(default_value = "")]
    pub decision: String,
    /// Why
    #[arg(long, default_value = "")]
    pub reason: String,
    /// The ticket or the request to the identity provider that does it; change and remove need one
    #[arg(long, default_value = "")]
    pub action: String,
    /// Many at once: CSV with the columns item, decision, reason, action; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "item")]
    pub csv: Option<PathBuf>,
    /// The same as JSON lines
    #[arg(long, value_name = "FILE", conflicts_with_all = ["item", "csv"])]
    pub file: Option<PathBuf>,
}

fn word(class: Class) -> &'static str {
    match class {
        Class::Root => "root",
        Class::Human => "human",
        Class::ServiceUser => "service-account",
        Class::Federated => "federated-human",
        Class::Workload => "workload-identity",
        Class::InstanceProfile => "instance-profile",
        Class::ServiceLinked => "service-linked",
        Class::CrossAccount => "external-account",
        Class::ServiceRole | Class::Role => "role",
    }
}

/// Every access the last scans found: a principal and one policy, key, password or trust of it.
pub fn accesses(record: &Record) -> Result<Vec<Access>, Failure> {
    let known = known::identities(record, None)?;
    let now = known.as_of.unwrap_or_else(context::now);
    let details = &known.world.details;
    let found = escalations(details, &known.world.organization, None);
    let directory = govern::directory(record)?;
    let mut out = Vec::new();
    for entry in inventory(details, &found, &known.activity, now, 90) {
        if entry.class == Class::ServiceLinked {
            continue;
        }
        let principal = details.principal(&entry.arn);
        let name = principal.map_or_else(|| entry.arn.clone(), |p| p.name.clone());
        let tag = |keys: &[&str]| {
            let tags = principal.map(|p| p.tags.as_slice()).unwrap_or_default();
            let found = tags.iter().find(|(k, _)| keys.iter().any(|w| k.eq_ignore_ascii_case(w)));
            found.and_then(|(_, v)| directory.human(v)).cloned()
        };
        let person = matches!(entry.class, Class::Human | Class::Federated | Class::ServiceUser);
        let human: Option<HumanId> =
            if person { directory.human(&name).cloned().or_else(|| tag(&["email", "person"])) } else { None };
        let access = |kind: &str, entitlement: String, last_used: Option<Time>| Access {
            account: entry.account.as_str().into(),
            principal: entry.arn.clone(),
            name: name.clone(),
            kind: kind.into(),
            human: human.clone(),
            entitlement,
            standing: Standing::Unknown,
            last_used,
            admin: entry.can_become_admin,
            owner: tag(&["owner", "team-owner"]),
        };
        let kind = word(entry.class);
        let mut policies: BTreeSet<String> = BTreeSet::new();
        if let Some(p) = principal {
            policies.extend(p.attachments.iter().map(|a| format!("policy {}", a.policy.name)));
            policies.extend(p.unread.iter().map(|a| format!("policy {a}")));
        }
        out.extend(policies.into_iter().map(|p| access(kind, p, entry.last_active)));
        for key in entry.keys.iter().filter(|k| k.active) {
            let made = key.rotated.map_or_else(|| "of unknown age".to_owned(), |t| format!("of {}", t.date()));
            out.push(access("access-key", format!("access key {} {made}", key.slot), key.used));
        }
        if known.activity.credentials.get(&entry.arn).and_then(|c| c.password) == Some(true) {
            out.push(access(kind, "console password".into(), entry.last_active));
        }
        let outside = entry.external.iter().map(|g| format!("assumed by account {}", g.account));
        let outside: BTreeSet<String> =
            outside.chain(entry.providers.iter().map(|p| format!("assumed through {}", p.issuer))).collect();
        out.extend(outside.into_iter().map(|o| access("external-account", o, entry.last_active)));
    }
    out.sort_by_key(Access::id);
    out.dedup_by_key(|a| a.id());
    Ok(out)
}

/// The accounts whose identities a scan read to the end.
fn complete(record: &Record, scan: ScanId) -> Result<BTreeSet<AccountId>, Failure> {
    let kinds = ["aws.iam.user", "aws.iam.role", "aws.iam.group", "aws.iam.policy"];
    let mut read: BTreeMap<AccountId, bool> = BTreeMap::new();
    for unit in record.units(scan)?.into_iter().filter(|u| kinds.contains(&u.kind.as_str())) {
        *read.entry(unit.account).or_insert(true) &= unit.state == UnitState::Complete;
    }
    Ok(read.into_iter().filter(|(_, whole)| *whole).map(|(a, _)| a).collect())
}

/// What follows a scan: removals that are gone are verified.
pub fn after_scan(record: &mut Record, session: &Session, scan: ScanId) -> Result<usize, Failure> {
    // Where nobody ever reviewed or left there is nothing to hold against the inventory, which takes a while to make.
    if record.documents("campaign")?.is_empty() && record.documents("standing")?.is_empty() {
        return Ok(0);
    }
    let present = accesses(record)?;
    let complete = complete(record, scan)?;
    Ok(govern::verify_reviews(record, session, scan, present, &complete)?)
}

fn summary(c: &Campaign) -> Json {
    let p = c.progress();
    json!({
        "review": c.id, "name": c.name, "state": c.state, "scope": c.scope, "cadence": c.cadence, "opened_by": c.opened_by,
        "opens_at": c.opens_at, "due_at": c.due_at, "closed_by": c.closed_by, "closed_at": c.closed_at,
        "population_digest": c.population_digest, "progress": p, "additions": c.additions.len(),
        "percent": (p.decided * 100).checked_div(p.items).unwrap_or(100),
    })
}

fn print(globals: &Globals, campaigns: &[Campaign]) -> Result<(), Failure> {
    let rows: Vec<Json> = campaigns.iter().map(summary).collect();
    let now = context::now();
    out::rows(
        globals,
        &rows,
        &[
            "review",
            "state",
            "due",
            "items",
            "decided",
            "kept",
            "changed",
            "removed",
            "verified",
            "not verified",
            "name",
        ],
        |v| {
            let n = |k: &str| v.pointer(&format!("/progress/{k}")).map(ToString::to_string).unwrap_or_default();
            let text = |k: &str| v.get(k).and_then(Json::as_str).unwrap_or_default().to_owned();
            let late = text("state") == "open" && text("due_at").parse::<Time>().is_ok_and(|t| t < now);
            vec![
                text("review"),
                if late { "overdue".into() } else { text("state") },
                text("due_at").chars().take(10).collect(),
                n("items"),
                n("decided"),
                n("kept"),
                n("changed"),
                n("removed"),
                n("verified"),
                n("not_verified"),
                text("name"),
            ]
        },
    )
}

fn item(id: &str, i: &Item) -> Json {
    let a = &i.access;
    json!({
        "item": govern::item_code(id), "account": a.account, "principal": a.principal, "name": a.name, "kind": a.kind,
        "entitlement": a.entitlement, "admin": a.admin, "standing": a.standing, "last_used": a.last_used, "owner": a.owner,
        "reviewer": i.reviewer, "decision": i.judgement, "reason": i.reason, "action": i.action, "decided_by": i.decided_by,
        "decided_at": i.decided_at, "verify_by": i.verify_by, "verified_at": i.verified_at, "outcome": i.outcome,
        "escalated": i.escalated,
    })
}

/// `plumb reviews`
pub fn run(globals: &Globals, args: ReviewsArgs) -> Result<u8, Failure> {
    match args.command.unwrap_or(ReviewsCommand::List) {
        ReviewsCommand::List => {
            let record = context::record_read_only(globals)?;
            print(globals, &govern::campaigns(&record).map_err(refused)?)?;
            Ok(0)
        }
        ReviewsCommand::Open(args) => open(globals, args),
        ReviewsCommand::Show { review, pending, reviewer } => {
            let record = context::record_read_only(globals)?;
            let (_, c) = govern::campaign(&record, &review).map_err(refused)?;
            let reviewer = match &reviewer {
                Some(login) => Some(govern::directory(&record)?.human(login).cloned().ok_or_else(|| {
                    Failure::usage(format!("`{login}` is nobody on record; `plumb people` lists everybody"))
                })?),
                None => None,
            };
            let rows: Vec<Json> = c
                .items
                .iter()
                .filter(|(_, i)| !pending || i.judgement.is_none())
                .filter(|(_, i)| reviewer.is_none() || i.reviewer == reviewer)
                .map(|(id, i)| item(id, i))
                .collect();
            let head = [
                "item",
                "decision",
                "reason",
                "action",
                "reviewer",
                "outcome",
                "admin",
                "standing",
                "last_used",
                "account",
                "name",
                "kind",
                "entitlement",
            ];
            out::rows(globals, &rows, &head, |v| {
                let cell = |k: &str| match v.get(k) {
                    Some(Json::String(s)) => s.clone(),
                    Some(Json::Bool(b)) => (if *b { "yes" } else { "no" }).into(),
                    _ => String::new(),
                };
                head.iter()
                    .map(|k| if *k == "last_used" { cell(k).chars().take(10).collect() } else { cell(k) })
                    .collect()
            })?;
            if out::format(globals) == Format::Text && !c.additions.is_empty() {
                out::note(globals, format!("{} accesses came after the population was frozen", c.additions.len()));
            }
            Ok(0)
        }
        ReviewsCommand::Decide(args) => decide(globals, args),
        ReviewsCommand::Assign { review, item, to } => {
            let mut record = context::record(globals)?;
            let session = session(globals, &record)?;
            let c = govern::assign_review(&mut record, &session, &review, &item, &to).map_err(refused)?;
            print(globals, &[c])?;
            Ok(0)
        }
        ReviewsCommand::Close { review } => {
            let mut record = context::record(globals)?;
            let session = session(globals, &record)?;
            let c = govern::close_review(&mut record, &session, &review).map_err(refused)?;
            print(globals, &[c])?;
            Ok(0)
        }
        ReviewsCommand::Verify { now } => {
            let session = audit::system(globals, "reviews", now.as_deref())?;
            let mut record = context::record(globals)?;
            let scan = record.scan(None)?.id;
            let verified = after_scan(&mut record, &session, scan)?;
            let open = govern::campaigns(&record).map_err(refused)?;
            let late: usize = open.iter().map(|c| c.progress().not_verified).sum();
            match out::format(globals) {
                Format::Text => out::line(format!("{verified} newly verified, {late} still there after their date")),
                _ => out::line(json!({ "verified": verified, "not_verified": late })),
            }
            Ok(u8::from(late > 0))
        }
        ReviewsCommand::People { file, source } => {
            let text = super::file_or_stdin(&file)?;
            let now = context::now();
            let rows = if text.trim_start().starts_with(['{', '[']) {
                people_from_scim(&serde_json::from_str(&text).map_err(|e| Failure::usage(format!("not JSON: {e}")))?)
            } else {
                people_from_csv(&text, now)
            }
            .map_err(|e| Failure::usage(format!("`{}`: {e}", file.display())))?;
            let mut record = context::record(globals)?;
            let session = session(globals, &record)?;
            let done = govern::import_people(&mut record, &session, &rows, &source).map_err(refused)?;
            match out::format(globals) {
                Format::Text => out::line(format!(
                    "{} people, {} of them have left; {} on record are no longer active",
                    done.people,
                    done.leavers,
                    done.left.len()
                )),
                _ => out::line(serde_json::to_string(&done)?),
            }
            Ok(0)
        }
        ReviewsCommand::Removals { review } => super::ticket::removals(globals, review.as_deref()),
        ReviewsCommand::Leavers => {
            let record = context::record_read_only(globals)?;
            let mut all = accesses(&record)?;
            let gone: BTreeSet<String> = govern::mark(&record, &mut all).map_err(refused)?.into_iter().collect();
            all.retain(|a| gone.contains(&a.id()));
            out::rows(globals, &all, &["account", "name", "kind", "admin", "last used", "access"], |a| {
                let last = a.last_used.map_or_else(|| "never".into(), |t| t.date());
                let admin = if a.admin { "yes" } else { "" };
                vec![a.account.to_string(), a.name.clone(), a.kind.clone(), admin.into(), last, a.entitlement.clone()]
            })?;
            Ok(u8::from(!all.is_empty()))
        }
    }
}

fn open(globals: &Globals, args: OpenArgs) -> Result<u8, Failure> {
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let now = context::now();
    let as_of = record.scan(None)?.judged_at.parse::<Time>().unwrap_or(now);
    let mut population = accesses(&record)?;
    govern::mark(&record, &mut population).map_err(refused)?;
    population.retain(|a| args.accounts.is_empty() || args.accounts.iter().any(|w| *w == a.account.as_str()));
    population.retain(|a| match args.scope {
        Scope::Privileged => a.admin,
        Scope::Keys => matches!(a.kind.as_str(), "access-key" | "service-account" | "workload-identity"),
        Scope::All => true,
        Scope::Dormant => a.is_dormant(as_of),
        Scope::Leavers => a.standing == Standing::Leaver,
        Scope::External => a.kind == "external-account",
    });
    if population.is_empty() {
        return Err(Failure::usage("no access is in this scope; `plumb principals` lists what the last scan found"));
    }
    let cadence = match args.scope {
        Scope::Privileged => "access-review-privileged",
        Scope::Keys => "access-review-keys",
        Scope::All => "access-review",
        Scope::Dormant | Scope::Leavers | Scope::External => "",
    };
    // A review of some accounts does not keep a promise about all of them.
    let cadence = if args.accounts.is_empty() { cadence } else { "" };
    let scope = format!(
        "{} accesses of {}, as scan {} found them",
        args.scope.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default(),
        if args.accounts.is_empty() { "every account".into() } else { args.accounts.join(", ") },
        record.scan(None)?.id.0
    );
    let rule = match args.reviewer.as_str() {
        "account-owner" => ReviewerRule::AccountOwner,
        "manager" => ReviewerRule::Manager,
        login => ReviewerRule::Named(login.into()),
    };
    let due_at = govern::end_of(&args.due, now).map_err(refused)?;
    let new = NewReview {
        name: args.name,
        scope,
        cadence: cadence.into(),
        population,
        rule,
        fallback: args.fallback,
        due_at,
    };
    let made = govern::open_review(&mut record, &session, new).map_err(refused)?;
    let orphaned = made.progress().orphaned;
    print(globals, &[made])?;
    if orphaned > 0 {
        out::note(
            globals,
            format!("{orphaned} items have nobody to review them; name somebody with --fallback, or assign them"),
        );
    }
    Ok(0)
}

fn decide(globals: &Globals, args: DecideArgs) -> Result<u8, Failure> {
    let rows: Vec<ReviewRow> = match (&args.csv, &args.file) {
        (Some(path), _) => {
            let text = super::file_or_stdin(path)?;
            let rows = table::read_csv(&text).map_err(|e| Failure::usage(format!("`{}`: {e}", path.display())))?;
            if let Some(first) = rows.first()
                && !(first.contains_key("item") && first.contains_key("decision"))
            {
                let what =
                    format!("`{}`: the columns item and decision are needed; reason and action help", path.display());
                return Err(Failure::usage(what));
            }
            let get = |r: &BTreeMap<String, String>, k: &str| r.get(k).cloned().unwrap_or_default();
            // The list that `show` prints holds items nobody has decided yet; they stay so.
            rows.iter()
                .filter(|r| !get(r, "decision").trim().is_empty())
                .map(|r| ReviewRow {
                    item: get(r, "item"),
                    decision: get(r, "decision"),
                    reason: get(r, "reason"),
                    action: get(r, "action"),
                })
                .collect()
        }
        (None, Some(path)) => super::json_lines(path)?,
        (None, None) if args.item.is_empty() => {
            return Err(Failure::usage("say which item and what, or --csv FILE"));
        }
        (None, None) => {
            vec![ReviewRow { item: args.item, decision: args.decision, reason: args.reason, action: args.action }]
        }
    };
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let (after, said) = govern::decide_review(&mut record, &session, &args.review, &rows).map_err(refused)?;
    let refused = said.iter().filter(|s| !s.ok).count();
    match out::format(globals) {
        Format::Text => {
            for s in said.iter().filter(|s| !s.ok) {
                out::line(format!("{}  refused: {}", s.item, s.refused.as_deref().unwrap_or_default()));
            }
            let p = after.progress();
            out::line(format!(
                "{} taken, {refused} refused; {} of {} decided{}",
                said.len() - refused,
                p.decided,
                p.items,
                if after.state == CampaignState::Open && p.decided == p.items { "; it can be closed" } else { "" }
            ));
        }
        _ => {
            for s in &said {
                out::line(serde_json::to_string(s)?);
            }
        }
    }
    Ok(u8::from(refused > 0))
}
