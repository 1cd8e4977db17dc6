//! `plumb discover`, `plumb accounts`.

use super::{
    identity::{open, read_text},
    known::{rows, text},
};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::{Args, Subcommand};
use plumb_discover::{
    Account, Config, Estate, Mapping, PolicyRow, Provider, Reading, SourceKind, account_line, accounts_csv,
    accounts_jsonl, read, read_policies, reconcile,
};
use plumb_model::{AccountId, Time, Value};
use plumb_record::Record;
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, io::BufReader, path::PathBuf};

/// `plumb discover`
#[derive(Debug, Args)]
pub struct DiscoverArgs {
    /// A source to read, with its kind: `aws-organizations=accounts.json`
    #[arg(long = "source", value_name = "KIND=FILE", required_unless_present = "with_scan")]
    pub sources: Vec<String>,
    /// How a kind of source words things (JSON): `landing-zone=mapping.json`
    #[arg(long = "mapping", value_name = "KIND=FILE")]
    pub mappings: Vec<String>,
    /// Settings of the reconciliation: grace, third parties, leavers, review days (JSON)
    #[arg(long = "settings", visible_alias = "discover-config", value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// The estate of the last run (JSON); default the one on the record, if any
    #[arg(long, value_name = "FILE")]
    pub previous: Option<PathBuf>,
    /// The instant of the run
    #[arg(long, value_name = "RFC3339")]
    pub now: Option<String>,
    /// With what the scans on the record saw: the organisation's list and the policies that trust other accounts
    #[arg(long)]
    pub with_scan: bool,
    /// Keep the estate on the record
    #[arg(long)]
    pub save: bool,
}

/// `plumb accounts`
#[derive(Debug, Args)]
pub struct AccountsArgs {
    /// What to do; default list them
    #[command(subcommand)]
    pub command: Option<AccountsCommand>,
}

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub enum AccountsCommand {
    /// Say what is known about an account by hand: owner, tier, purpose, data
    Set {
        /// The account: `123456789012`, `azure:…`, `gcp:…`
        account: String,
        /// Its everyday name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// The person who answers for it
        #[arg(long, value_name = "PERSON")]
        owner: Option<String>,
        /// The team that answers for it
        #[arg(long, value_name = "TEAM")]
        owner_team: Option<String>,
        /// tier1, production, staging, sandbox, experimental
        #[arg(long, value_name = "TIER")]
        tier: Option<String>,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        purpose: Option<String>,
        /// Classes of data in it
        #[arg(long = "data-class", value_name = "CLASS", num_args = 1.., value_delimiter = ',')]
        data_classes: Vec<String>,
    },
}

const ESTATE: (&str, &str) = ("estate", "current");
const MANUAL: &str = "account-record";

fn pairs(given: &[String], flag: &str) -> Result<Vec<(SourceKind, PathBuf)>, Failure> {
    given
        .iter()
        .map(|pair| {
            let (kind, file) =
                pair.split_once('=').ok_or_else(|| Failure::usage(format!("{flag} `{pair}`: say KIND=FILE")))?;
            let kind = kind.parse().map_err(|e| Failure::usage(format!("{flag} `{pair}`: {e}")))?;
            Ok((kind, PathBuf::from(file)))
        })
        .collect()
}

/// The estate kept on the record, with its version.
fn stored(record: &Record) -> Result<Option<(i64, Estate)>, Failure> {
    let Some((version, doc)) = record.document(ESTATE.0, ESTATE.1)? else { return Ok(None) };
    let estate =
        Estate::from_json(&doc.to_string()).map_err(|e| Failure::new(format!("the estate on the record: {e}")))?;
    Ok(Some((version, estate)))
}

/// `plumb discover`
pub fn discover(globals: &Globals, args: DiscoverArgs) -> Result<u8, Failure> {
    let now = context::instant(args.now.as_deref())?;
    let mut mappings: BTreeMap<SourceKind, Mapping> = BTreeMap::new();
    for (kind, file) in pairs(&args.mappings, "--mapping")? {
        let mapping = serde_json::from_str(&read_text(&file)?)
            .map_err(|e| Failure::usage(format!("`{}`: {e}", file.display())))?;
        mappings.insert(kind, mapping);
    }
    let config: Config = match &args.settings {
        Some(file) => {
            serde_json::from_str(&read_text(file)?).map_err(|e| Failure::usage(format!("`{}`: {e}", file.display())))?
        }
        None => Config::default(),
    };
    let path = context::db_path(globals)?;
    let record = if args.save {
        Some(context::record(globals)?)
    } else if path.exists() {
        Some(context::record_read_only(globals)?)
    } else {
        None
    };
    let kept = record.as_ref().map(stored).transpose()?.flatten();
    let previous = match &args.previous {
        Some(file) => Some(
            Estate::from_json(&read_text(file)?).map_err(|e| Failure::usage(format!("`{}`: {e}", file.display())))?,
        ),
        None => kept.as_ref().map(|(_, estate)| estate.clone()),
    };
    let mut readings = Vec::new();
    for (kind, file) in pairs(&args.sources, "--source")? {
        let mut mapping = mappings.get(&kind).cloned().unwrap_or_default();
        if mapping.label.is_empty() {
            mapping.label = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        }
        let reading = read(kind, &mut BufReader::with_capacity(1 << 18, open(&file)?), &mapping);
        for problem in reading.problems.iter().take(5) {
            out::note(
                globals,
                format!("plumb: {} line {}: {} (×{})", file.display(), problem.line, problem.message, problem.count),
            );
        }
        readings.push(reading);
    }
    if args.with_scan {
        match &record {
            Some(record) => readings.extend(seen_by_scans(record)?),
            None => return Err(Failure::usage("there is no record to take scans from")),
        }
    }
    let complete = readings.iter().all(|r| r.complete);
    let estate = reconcile(&readings, previous.as_ref(), &config, now);
    if let (true, Some(mut record)) = (args.save, record) {
        let doc: Json = serde_json::from_str(&estate.to_json())?;
        record.put_document(ESTATE.0, ESTATE.1, kept.map_or(0, |(version, _)| version), &doc)?;
    }
    match out::format(globals) {
        Format::Json => out::line(estate.to_json()),
        Format::Jsonl => accounts_jsonl(&estate).for_each(out::line),
        Format::Csv => out::line(accounts_csv(&estate).trim_end()),
        Format::Text => summary(&estate),
    }
    Ok(if complete { 0 } else { 3 })
}

fn summary(estate: &Estate) {
    let m = &estate.metrics;
    let states: Vec<String> = m.by_state.iter().map(|(state, n)| format!("{n} {state}")).collect();
    out::line(format!("{:<14}{} ({})", "accounts", m.accounts, states.join(", ")));
    let known: Vec<String> = m.known_by.iter().map(|(class, n)| format!("{class} {n}")).collect();
    out::line(format!("{:<14}{}", "known to", known.join(", ")));
    let hours = |s: Option<i64>| s.map_or_else(|| "-".into(), |s| format!("{} h", s / 3_600));
    let t = &m.time_to_appear;
    out::line(format!(
        "{:<14}p50 {}, p95 {} ({} accounts)",
        "to appear",
        hours(t.p50_seconds),
        hours(t.p95_seconds),
        t.accounts
    ));
    for s in &estate.shadow {
        out::line(format!("{:<14}{} {}", "shadow", s.account, s.name.as_deref().unwrap_or("")));
        let say = |what: &str, list: &[String]| {
            if !list.is_empty() {
                out::line(format!("{:<14}  {what} {}", "", list.join("; ")));
            }
        };
        say("paid by", &s.who_pays);
        say("signed in to by", &s.who_signs_in);
        say("reached by", &s.roles);
    }
    for gap in estate.gaps.iter().filter(|g| !g.accounts.is_empty()) {
        let names: Vec<String> = gap.accounts.iter().take(5).map(ToString::to_string).collect();
        let more = gap.accounts.len().saturating_sub(5);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        out::line(format!("{:<14}in {}, not in {}: {}{more}", "gap", gap.known_to, gap.missing_in, names.join(", ")));
    }
    for c in &estate.contradictions {
        let about = c.account.as_ref().map_or_else(String::new, |a| format!("{a}: "));
        out::line(format!("{:<14}{} {about}{}", "contradiction", c.kind, c.detail));
    }
}

/// What scans saw of the estate: the organisation's list, the policies that name other accounts, entries made by hand.
fn seen_by_scans(record: &Record) -> Result<Vec<Reading>, Failure> {
    let mut out = Vec::new();
    let accounts = record.accounts()?;
    // Only a scan of an organisation says which accounts there are; one of a single account says only that it exists.
    let listed: Vec<Json> = accounts
        .iter()
        .filter_map(|a| {
            let joined = a.doc.get("target")?.get("joined")?;
            let get = |name: &str| joined.get(name).cloned().unwrap_or(Json::Null);
            let status = joined.get("status").and_then(Json::as_str).unwrap_or("ACTIVE");
            (!joined.get("arn")?.as_str()?.is_empty()).then(
                || json!({ "Id": a.id, "Arn": get("arn"), "Name": a.name, "Status": status, "JoinedMethod": get("method"), "JoinedTimestamp": get("at") }),
            )
        })
        .collect();
    if !listed.is_empty() {
        let bytes = json!({ "Accounts": listed }).to_string();
        out.push(read(SourceKind::AwsOrganizations, &mut bytes.as_bytes(), &Mapping::named("scan")));
    }
    let sql = "SELECT account, id, json_extract(doc, '$.trust') AS policy FROM resource WHERE kind = 'aws.iam.role' AND misses = 0 \
               UNION ALL SELECT account, id, json_extract(doc, '$.policy') FROM resource \
               WHERE id LIKE 'arn:aws%' AND misses = 0 AND json_type(doc, '$.policy') = 'object' ORDER BY 1, 2";
    let found: Vec<(AccountId, String, Value)> = rows(record, sql)?
        .iter()
        .map(|row| {
            let policy = serde_json::from_str::<Json>(text(row, "policy")).unwrap_or(Json::Null);
            (AccountId::from(text(row, "account").to_owned()), text(row, "id").to_owned(), Value::from_json(&policy))
        })
        .collect();
    if !found.is_empty() {
        let each = found.iter().map(|(account, resource, policy)| PolicyRow {
            provider: Provider::Aws,
            account,
            resource,
            policy,
        });
        out.push(read_policies(each, &Mapping::named("scan")));
    }
    let manual: Vec<Json> = record.documents(MANUAL)?.into_iter().map(|(_, doc)| doc).collect();
    if !manual.is_empty() {
        let bytes = Json::Array(manual).to_string();
        out.push(read(SourceKind::Manual, &mut bytes.as_bytes(), &Mapping::named("by hand")));
    }
    Ok(out)
}

/// The estate as the record knows it: the one kept by `plumb discover --save`, brought up to what scans saw since.
pub fn of_record(record: &Record, now: Option<Time>) -> Result<Estate, Failure> {
    let kept = stored(record)?.map(|(_, estate)| estate);
    let scanned: Option<Time> = record.scan(None).ok().and_then(|s| s.judged_at.parse().ok());
    let by_hand: Option<Time> =
        record.documents(MANUAL)?.iter().filter_map(|(_, d)| d.get("last_reviewed_at")?.as_str()?.parse().ok()).max();
    let latest = [scanned, by_hand].into_iter().flatten().max();
    match (kept, latest) {
        (Some(estate), latest) if latest.is_none_or(|t| t <= estate.as_of) => Ok(estate),
        (kept, latest) => {
            let at = now.or(latest).unwrap_or_else(context::now);
            Ok(reconcile(&seen_by_scans(record)?, kept.as_ref(), &Config::default(), at))
        }
    }
}

/// `plumb accounts`
pub fn accounts(globals: &Globals, args: AccountsArgs) -> Result<u8, Failure> {
    if let Some(AccountsCommand::Set { account, name, owner, owner_team, tier, purpose, data_classes }) = args.command {
        return set(
            globals,
            &account,
            &[
                ("name", name),
                ("owner_person", owner),
                ("owner_team", owner_team),
                ("tier", tier),
                ("business_purpose", purpose),
            ],
            &data_classes,
        );
    }
    let record = context::record_read_only(globals)?;
    let estate = of_record(&record, None)?;
    let scanned: BTreeMap<String, _> = record.accounts()?.into_iter().map(|a| (a.id.clone(), a)).collect();
    let line = |a: &Account| -> Result<Json, Failure> {
        let mut value: Json = serde_json::from_str(&account_line(a, &estate))?;
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
    let mut rows: Vec<Json> = estate.accounts.values().map(line).collect::<Result<_, _>>()?;
    // An account that was scanned and that no source of the estate names.
    for (id, a) in scanned.iter().filter(|(id, _)| !estate.accounts.values().any(|e| e.native_id == **id)) {
        rows.push(json!({
            "account": format!("{}:{id}", a.provider), "provider": a.provider, "native_id": id, "state": "candidate", "name": a.name,
            "owner": null, "tier": "unknown", "data_classes": ["unknown"], "sources": {}, "gaps": [], "time_to_appear": null, "roles": [],
            "scan": { "state": a.state, "reason": a.reason },
        }));
    }
    let cell = |v: &Json, name: &str| v.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    out::rows(
        globals,
        &rows,
        &["account", "state", "name", "owner", "tier", "scan", "known to", "missing in", "roles"],
        |v| {
            let list = |name: &str| -> Vec<String> {
                v.get(name)
                    .and_then(Json::as_array)
                    .into_iter()
                    .flatten()
                    .filter_map(|g| g.as_str().map(str::to_owned))
                    .collect()
            };
            let sources: Vec<&String> =
                v.get("sources").and_then(Json::as_object).into_iter().flat_map(|o| o.keys()).collect();
            let sources = sources.into_iter().cloned().collect::<Vec<_>>().join(", ");
            let scan = v.get("scan").map(|s| cell(s, "state")).unwrap_or_default();
            let roles = list("roles");
            let more = if roles.len() > 1 { format!(" and {} more", roles.len() - 1) } else { String::new() };
            let first = roles.first().map(|r| format!("{r}{more}")).unwrap_or_default();
            vec![
                cell(v, "account"),
                cell(v, "state"),
                cell(v, "name"),
                cell(v, "owner"),
                cell(v, "tier"),
                scan,
                sources,
                list("gaps").join(", "),
                first,
            ]
        },
    )?;
    Ok(0)
}

fn set(
    globals: &Globals,
    account: &str,
    facts: &[(&str, Option<String>)],
    data_classes: &[String],
) -> Result<u8, Failure> {
    let key: plumb_discover::AccountKey = if account.contains(':') {
        account.parse().map_err(Failure::usage)?
    } else {
        plumb_discover::AccountKey::guess(account).ok_or_else(|| {
            Failure::usage(format!("`{account}` is no account: say 12 digits, `azure:GUID` or `gcp:project`"))
        })?
    };
    let mapping = Mapping::default();
    if let Some((_, Some(tier))) = facts.iter().find(|(name, _)| *name == "tier")
        && mapping.tier(tier).is_none()
    {
        return Err(Failure::usage(format!(
            "there is no tier `{tier}`; there is tier1, production, staging, sandbox, experimental"
        )));
    }
    if let Some(wrong) = data_classes.iter().find(|c| mapping.data_class(c).is_none()) {
        return Err(Failure::usage(format!(
            "there is no data class `{wrong}`; for example personal, regulated-payment, confidential, internal"
        )));
    }
    let mut record = context::record(globals)?;
    let id = key.to_string();
    let (version, mut doc) = record.document(MANUAL, &id)?.unwrap_or_else(|| (0, json!({})));
    if let Some(object) = doc.as_object_mut() {
        object.insert("provider".into(), json!(key.provider.name()));
        object.insert("native_id".into(), json!(key.id.as_str()));
        object.insert("last_reviewed_at".into(), json!(context::now()));
        for (name, value) in facts {
            if let Some(value) = value {
                object.insert((*name).into(), json!(value));
            }
        }
        if !data_classes.is_empty() {
            object.insert("data_classes".into(), json!(data_classes.join(";")));
        }
    }
    record.put_document(MANUAL, &id, version, &doc)?;
    out::line(if out::format(globals) == Format::Text { format!("{id} is kept") } else { doc.to_string() });
    Ok(0)
}
