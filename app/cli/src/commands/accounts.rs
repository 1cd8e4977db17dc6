//! `plumb accounts`: the one list of accounts, what people say about them, and their reviews.

use super::{
    estate,
    identity::open,
    people::{login, refused, session},
};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::{Args, Subcommand};
use plumb_discover::{
    Account, AccountKey, Estate, GapReason, Mapping, Provider, SourceClass, SourceKind, State, Tier, Triage,
    account_line, read,
};
use plumb_govern::people::{Actor, ActorKind, Role};
use plumb_record::Record;
use plumb_run::{
    accounts::{self, Due, Manual},
    govern::{self, Session},
};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::BufReader,
    path::{Path, PathBuf},
};

/// `plumb accounts`
#[derive(Debug, Args)]
pub struct AccountsArgs {
    /// What to do; default list them
    #[command(subcommand)]
    pub command: Option<AccountsCommand>,
    /// Only in this state: candidate, shadow, governed, suspended, closed
    #[arg(long, value_name = "STATE")]
    pub state: Option<State>,
    /// Only of this tier: tier1, production, staging, sandbox, experimental, unknown
    #[arg(long, value_name = "TIER")]
    pub tier: Option<Tier>,
    /// Only accounts that hold regulated data
    #[arg(long)]
    pub regulated: bool,
}

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub enum AccountsCommand {
    /// Say what is known about an account by hand: owner, tier, purpose, data
    Set(Box<SetArgs>),
    /// Say it for many accounts at once, from a CSV, XLSX or JSON file with the record's column names
    Import {
        /// The file; `plumb accounts --format csv` writes one to fill in
        file: PathBuf,
        /// How the file words things (JSON)
        #[arg(long, value_name = "FILE")]
        mapping: Option<PathBuf>,
    },
    /// List what a review would look at; with --decide, review: full baseline, light entry, or retire
    Review {
        /// The accounts; default all that are due
        accounts: Vec<String>,
        /// full-baseline, light-entry, retire, or `proposed` to follow the proposal
        #[arg(long, value_name = "DECISION")]
        decide: Option<String>,
        /// Why, in at least 10 characters
        #[arg(long, default_value = "", value_name = "TEXT", requires = "decide")]
        note: String,
        /// Every account, due or not
        #[arg(long, conflicts_with_all = ["accounts", "decide"])]
        all: bool,
        /// The decisions of past reviews instead
        #[arg(long, conflicts_with_all = ["accounts", "decide", "all"])]
        history: bool,
    },
    /// Give the reason why an account is missing from a source; that closes the gap
    Gap {
        /// The account
        account: String,
        /// The source that lacks it: org-root, billing, landing-zone
        #[arg(long, value_name = "SOURCE")]
        missing_in: String,
        /// Why that is right, in at least 10 characters
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Print numbers about the list: states, breadth of sources, time to appear, gaps, contradictions
    Summary,
    /// List when each account's configuration was read last and is due again; see and set how often, by tier
    Pulls(super::pulls::PullArgs),
    /// List accounts that hold personal or regulated data: who says so, and what proves it
    Regulated {
        /// Only what nothing proves, or no longer; exit 1 when there is any
        #[arg(long)]
        lacking: bool,
    },
    /// Put on record what proves that an account holds a class of data
    Evidence(super::data_evidence::EvidenceArgs),
}

/// `plumb accounts set`
#[derive(Debug, Args)]
pub struct SetArgs {
    /// The account: `123456789012`, `azure:…`, `gcp:…`
    pub account: String,
    /// Its everyday name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The person who answers for it
    #[arg(long, value_name = "PERSON")]
    pub owner: Option<String>,
    /// The team that answers for it
    #[arg(long, value_name = "TEAM")]
    pub owner_team: Option<String>,
    /// What it is for, in 10 to 2,000 characters
    #[arg(long, value_name = "TEXT")]
    pub purpose: Option<String>,
    /// tier1, production, staging, sandbox, experimental
    #[arg(long, value_name = "TIER")]
    pub tier: Option<String>,
    /// When an experimental tier ends: 2027-03-31 or 90d, at most 180 days ahead
    #[arg(long, value_name = "END")]
    pub tier_expires: Option<String>,
    /// Classes of data in it: personal, regulated-payment, regulated-health, confidential, internal, public …
    #[arg(long = "data-class", value_name = "CLASS", num_args = 1.., value_delimiter = ',')]
    pub data_classes: Vec<String>,
    /// Frameworks it is in scope of
    #[arg(long = "regulatory-scope", value_name = "FRAMEWORK", num_args = 1.., value_delimiter = ',')]
    pub regulatory_scope: Vec<String>,
    /// Regions it may use
    #[arg(long = "region-scope", value_name = "REGION", num_args = 1.., value_delimiter = ',')]
    pub region_scope: Vec<String>,
    /// federated, local-only, mixed
    #[arg(long, value_name = "STATE")]
    pub federation: Option<String>,
    /// enrolled, not-enrolled, exempt
    #[arg(long, value_name = "STATUS")]
    pub landing_zone: Option<String>,
    /// The contract or programme it serves
    #[arg(long, value_name = "REFERENCE")]
    pub contract: Option<String>,
    /// The cost centre that pays
    #[arg(long, value_name = "REFERENCE")]
    pub cost_centre: Option<String>,
    /// How many people depend on it
    #[arg(long, value_name = "NUMBER")]
    pub users: Option<u64>,
}

impl SetArgs {
    fn said(self) -> Manual {
        let list = |items: Vec<String>| (!items.is_empty()).then_some(items);
        Manual {
            name: self.name,
            owner_person: self.owner,
            owner_team: self.owner_team,
            business_purpose: self.purpose,
            tier: self.tier,
            tier_expires: self.tier_expires,
            data_classes: list(self.data_classes),
            regulatory_scope: list(self.regulatory_scope),
            region_scope: list(self.region_scope),
            federation_state: self.federation,
            landing_zone: self.landing_zone,
            contract_ref: self.contract,
            cost_centre: self.cost_centre,
            users: self.users,
        }
    }
}

/// The account a text names.
pub fn key_of(account: &str) -> Result<AccountKey, Failure> {
    if account.contains(':') {
        return account.parse().map_err(Failure::usage);
    }
    AccountKey::guess(account).ok_or_else(|| {
        Failure::usage(format!("`{account}` is no account: say 12 digits, `azure:GUID` or `gcp:project`"))
    })
}

/// Who acts; on a record without any people, whoever says so: an inventory must not wait for roles.
pub(super) fn who(globals: &Globals, record: &Record) -> Result<Session, Failure> {
    if govern::directory(record)?.people().next().is_some() {
        return session(globals, record);
    }
    let key = super::audit::key(globals)?;
    let id = login(globals).unwrap_or_else(|| "cli:setup".into());
    let actor = Actor { id, kind: ActorKind::Person, roles: [Role::Engineer].into(), ..Actor::system("setup") };
    Ok(Session { actor, session: "cli/setup".into(), ..Session::system("setup", Some(key), context::now()) })
}

/// `plumb accounts`
pub fn run(globals: &Globals, args: AccountsArgs) -> Result<u8, Failure> {
    // Not left to clap, which would refuse `--format` before a command too.
    if args.command.is_some() && (args.state.is_some() || args.tier.is_some() || args.regulated) {
        return Err(Failure::usage("--state, --tier and --regulated narrow the list; they go with no other command"));
    }
    match args.command {
        None => list(globals, &args),
        Some(AccountsCommand::Set(set)) => {
            let key = key_of(&set.account)?;
            // Almost any word could be a project; a misspelt one would become an account.
            if !set.account.contains(':') && key.provider == Provider::Gcp {
                let listed = context::db_path(globals)?.exists()
                    && accounts::current_estate(&context::record_read_only(globals)?, None)?
                        .accounts
                        .contains_key(&key);
                if !listed {
                    let word = &set.account;
                    let right = format!("say 12 digits, `azure:GUID`, or `gcp:{word}` if it is a project");
                    return Err(Failure::usage(format!("`{word}` is no account on the list: {right}")));
                }
            }
            let entry = set.said();
            if entry == Manual::default() {
                return Err(Failure::usage(
                    "say what is known about the account: --owner, --tier, --purpose, --data-class, …",
                ));
            }
            said(globals, vec![(key, entry)])
        }
        Some(AccountsCommand::Import { file, mapping }) => import(globals, &file, mapping.as_ref()),
        Some(AccountsCommand::Review { accounts, decide: Some(decision), note, .. }) => {
            decide(globals, &accounts, &decision, &note)
        }
        Some(AccountsCommand::Review { history: true, .. }) => history(globals),
        Some(AccountsCommand::Review { accounts, all, .. }) => due(globals, &accounts, all),
        Some(AccountsCommand::Gap { account, missing_in, reason }) => gap(globals, &account, &missing_in, &reason),
        Some(AccountsCommand::Pulls(args)) => super::pulls::run(globals, &args),
        Some(AccountsCommand::Regulated { lacking }) => super::data_evidence::list(globals, lacking),
        Some(AccountsCommand::Evidence(args)) => super::data_evidence::give(globals, &args),
        Some(AccountsCommand::Summary) => {
            let estate = accounts::current_estate(&context::record_read_only(globals)?, None)?;
            match out::format(globals) {
                Format::Text => estate::summary(&estate),
                _ => out::line(json!({
                    "as_of": estate.as_of, "metrics": estate.metrics, "gaps": estate.gaps, "shadow": estate.shadow,
                    "contradictions": estate.contradictions, "freshness": estate.freshness, "news": estate::news(&estate),
                })),
            }
            Ok(0)
        }
    }
}

fn cell(v: &Json, name: &str) -> String {
    v.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn texts(v: &Json, name: &str) -> Vec<String> {
    let items = v.get(name).and_then(Json::as_array).into_iter().flatten();
    items.filter_map(|g| g.as_str().map(str::to_owned)).collect()
}

fn list(globals: &Globals, args: &AccountsArgs) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let estate = accounts::current_estate(&record, None)?;
    let rows = rows(&record, &estate)?;
    let wanted = |v: &&Json| {
        let is = |name: &str, wanted: Option<&str>| wanted.is_none_or(|w| cell(v, name) == w);
        let regulated = !args.regulated || texts(v, "data_classes").iter().any(|c| c.starts_with("regulated"));
        is("state", args.state.map(State::name)) && is("tier", args.tier.map(Tier::name)) && regulated
    };
    let rows: Vec<Json> = rows.iter().filter(wanted).cloned().collect();
    if out::format(globals) == Format::Csv {
        // The columns `plumb accounts import` reads back.
        let mut shown = estate.clone();
        shown.accounts.retain(|key, _| rows.iter().any(|v| cell(v, "account") == key.to_string()));
        out::line(plumb_discover::accounts_csv(&shown).trim_end());
        return Ok(0);
    }
    let header = ["account", "state", "name", "owner", "tier", "data", "scan", "known to", "missing in", "roles"];
    out::rows(globals, &rows, &header, |v| {
        let sources: Vec<&String> =
            v.get("sources").and_then(Json::as_object).into_iter().flat_map(|o| o.keys()).collect();
        let sources = sources.into_iter().cloned().collect::<Vec<_>>().join(", ");
        let scan = v.get("scan").map(|s| cell(s, "state")).unwrap_or_default();
        let roles = texts(v, "roles");
        let more = if roles.len() > 1 { format!(" and {} more", roles.len() - 1) } else { String::new() };
        let first = roles.first().map(|r| format!("{r}{more}")).unwrap_or_default();
        vec![
            cell(v, "account"),
            // Somebody else's, whom we deal with.
            if cell(v, "third_party").is_empty() { cell(v, "state") } else { "third party".into() },
            Some(cell(v, "name")).filter(|n| !n.is_empty()).unwrap_or_else(|| cell(v, "third_party")),
            cell(v, "owner"),
            cell(v, "tier"),
            texts(v, "data_classes").join(" "),
            scan,
            sources,
            texts(v, "gaps").join(", "),
            first,
        ]
    })?;
    Ok(0)
}

/// Each account as the machine contract prints it.
fn rows(record: &Record, estate: &Estate) -> Result<Vec<Json>, Failure> {
    let scanned: BTreeMap<String, _> = record.accounts()?.into_iter().map(|a| (a.id.clone(), a)).collect();
    let line = |a: &Account| -> Result<Json, Failure> {
        let mut value: Json = serde_json::from_str(&account_line(a, estate))?;
        if let Some(object) = value.as_object_mut() {
            let roles: Vec<String> = a.activity.roles.iter().map(|r| format!("{} {}", r.reach, r.role)).collect();
            object.insert("roles".into(), json!(roles));
            object.insert("who_pays".into(), json!(a.activity.payers));
            object.insert("who_signs_in".into(), json!(a.activity.signers.keys().collect::<Vec<_>>()));
            let scan = scanned.get(&a.native_id);
            object.insert("scan".into(), scan.map_or(Json::Null, |s| json!({ "state": s.state, "reason": s.reason })));
        }
        Ok(value)
    };
    let mut rows: Vec<Json> = estate.accounts.values().map(|a| line(a)).collect::<Result<_, _>>()?;
    // An account that was scanned and that no source of the estate names.
    for (id, a) in scanned.iter().filter(|(id, _)| !estate.accounts.values().any(|e| e.native_id == **id)) {
        rows.push(json!({
            "account": format!("{}:{id}", a.provider), "provider": a.provider, "native_id": id, "state": "candidate", "name": a.name,
            "owner": null, "tier": "unknown", "data_classes": ["unknown"], "sources": {}, "gaps": [], "time_to_appear": null, "roles": [],
            "scan": { "state": a.state, "reason": a.reason },
        }));
    }
    Ok(rows)
}

fn said(globals: &Globals, entries: Vec<(AccountKey, Manual)>) -> Result<u8, Failure> {
    let mut record = context::record(globals)?;
    let session = who(globals, &record)?;
    let kept = accounts::describe(&mut record, &session, entries).map_err(refused)?;
    let rows: Vec<Json> = kept.into_iter().map(|(_, doc)| doc).collect();
    match (out::format(globals), rows.as_slice()) {
        (Format::Text, rows) => rows.iter().for_each(|doc| {
            out::line(format!("{}:{} is kept", cell(doc, "provider"), cell(doc, "native_id")));
        }),
        (_, [one]) => out::line(one),
        (_, rows) => rows.iter().for_each(out::line),
    }
    Ok(0)
}

/// The mapping of a kind of file: the one given, else the one that was saved with an earlier run.
fn mapping_of(record: &Record, kind: SourceKind, file: Option<&PathBuf>) -> Result<Mapping, Failure> {
    match file {
        Some(file) => super::json_file(file, estate::MAPPING),
        None => Ok(accounts::mappings(record)?.remove(&kind).unwrap_or_default()),
    }
}

fn import(globals: &Globals, file: &Path, mapping: Option<&PathBuf>) -> Result<u8, Failure> {
    let record = context::record(globals)?;
    let mapping = mapping_of(&record, SourceKind::Manual, mapping)?;
    drop(record);
    let reading = read(SourceKind::Manual, &mut BufReader::new(open(file)?), &mapping);
    if !reading.problems.is_empty() {
        let all: Vec<String> = reading.problems.iter().map(|p| format!("line {}: {}", p.line, p.message)).collect();
        return Err(Failure::usage(format!("`{}`: {}; nothing was kept", file.display(), all.join("; "))));
    }
    let list = |items: Vec<String>| (!items.is_empty()).then_some(items);
    let entries: Vec<(AccountKey, Manual)> = reading
        .sightings
        .into_iter()
        .filter_map(|s| {
            let f = s.facts;
            let named = |text: String| (text != "unknown").then_some(text);
            let said = Manual {
                name: f.name,
                owner_person: f.owner_person,
                owner_team: f.owner_team,
                business_purpose: f.business_purpose,
                tier: f.tier.and_then(|t| named(t.to_string())),
                tier_expires: f.tier_expires.map(|t| t.to_string()),
                data_classes: list(f.data_classes.iter().filter_map(|c| named(c.to_string())).collect()),
                regulatory_scope: list(f.regulatory_scope.into_iter().collect()),
                region_scope: list(f.region_scope.into_iter().collect()),
                federation_state: f.federation_state.and_then(|t| named(t.to_string())),
                landing_zone: f.landing_zone.and_then(|t| named(t.to_string())),
                contract_ref: f.contract_ref,
                cost_centre: f.cost_centre,
                users: f.users,
            };
            // A row that says nothing but the account's id changes nothing.
            (said != Manual::default()).then_some((s.account?, said))
        })
        .collect();
    if entries.is_empty() {
        return Err(Failure::usage(format!("`{}` says nothing about any account", file.display())));
    }
    said(globals, entries)
}

fn due(globals: &Globals, wanted: &[String], all: bool) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let keys: Vec<AccountKey> = wanted.iter().map(|a| key_of(a)).collect::<Result<_, _>>()?;
    let rows = due_rows(&record, &keys, all)?;
    out::rows(
        globals,
        &rows,
        &["account", "name", "state", "tier", "owner", "last review", "due", "decided", "proposed", "because", "lacks"],
        |d| {
            let owner = if d.owner_left { format!("{} (left)", d.owner) } else { d.owner.clone() };
            let decided = d.decided.map(|t| t.to_string()).unwrap_or_default();
            vec![
                d.account.to_string(),
                d.name.clone(),
                d.state.to_string(),
                d.tier.to_string(),
                owner,
                d.last_reviewed.map(|t| t.date()).unwrap_or_else(|| "never".into()),
                if d.overdue { "now".into() } else { d.due.date() },
                if d.contradicts { format!("{decided}, no longer fits") } else { decided },
                d.proposed.to_string(),
                d.because.clone(),
                d.lacks.join(", "),
            ]
        },
    )?;
    Ok(0)
}

fn due_rows(record: &Record, keys: &[AccountKey], all: bool) -> Result<Vec<Due>, Failure> {
    let now = context::now();
    let estate = accounts::current_estate(record, Some(now))?;
    let reviews = accounts::reviews(record).map_err(refused)?;
    let mut rows = accounts::due(&estate, &reviews, &accounts::settings(record)?, now);
    if let Some(key) = keys.iter().find(|k| !rows.iter().any(|d| d.account == **k)) {
        let right = "`plumb accounts` lists those that are; what is closed or a third party's is not reviewed";
        return Err(Failure::usage(format!("`{key}` is no account to review; {right}")));
    }
    rows.retain(|d| {
        if keys.is_empty() { all || d.overdue || d.contradicts || d.owner_left } else { keys.contains(&d.account) }
    });
    Ok(rows)
}

fn decide(globals: &Globals, wanted: &[String], decision: &str, note: &str) -> Result<u8, Failure> {
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let keys: BTreeSet<AccountKey> = wanted.iter().map(|a| key_of(a)).collect::<Result<_, _>>()?;
    let keys: Vec<AccountKey> = keys.into_iter().collect();
    if keys.is_empty() {
        return Err(Failure::usage("say which accounts are decided about; `plumb accounts review` lists them"));
    }
    let decided: Vec<(AccountKey, Triage)> = if decision == "proposed" {
        due_rows(&record, &keys, true)?.into_iter().map(|d| (d.account, d.proposed)).collect()
    } else {
        let triage: Triage = decision.parse().map_err(|e: plumb_discover::NameError| Failure::usage(e.to_string()))?;
        keys.into_iter().map(|k| (k, triage)).collect()
    };
    let done = accounts::review(&mut record, &session, &decided, note).map_err(refused)?;
    print_reviews(globals, &done)
}

fn print_reviews(globals: &Globals, rows: &[accounts::Review]) -> Result<u8, Failure> {
    out::rows(globals, rows, &["account", "decision", "proposed", "by", "at", "note"], |r| {
        vec![
            r.account.to_string(),
            r.decision.to_string(),
            r.proposed.to_string(),
            r.by.clone(),
            r.at.to_string(),
            r.note.clone(),
        ]
    })?;
    Ok(0)
}

fn history(globals: &Globals) -> Result<u8, Failure> {
    let reviews = accounts::reviews(&context::record_read_only(globals)?).map_err(refused)?;
    print_reviews(globals, &reviews)
}

fn gap(globals: &Globals, account: &str, missing_in: &str, reason: &str) -> Result<u8, Failure> {
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let missing_in: SourceClass =
        missing_in.parse().map_err(|e: plumb_discover::NameError| Failure::usage(e.to_string()))?;
    let given = GapReason {
        account: key_of(account)?,
        missing_in,
        reason: reason.trim().into(),
        by: session.actor.human.as_ref().map_or_else(|| session.actor.id.clone(), ToString::to_string),
        at: session.now,
    };
    let kept = accounts::explain_gap(&mut record, &session, given).map_err(refused)?;
    out::line(serde_json::to_string(&kept)?);
    Ok(0)
}
