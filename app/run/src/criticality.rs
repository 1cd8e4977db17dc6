//! How critical accounts are by a process outside: its list is imported with its name and date, and where it speaks it
//! wins over the tier.

use crate::govern::GovernError;
use plumb_discover::{Limits, named_rows};
use plumb_model::Time;
use plumb_record::Record;
use plumb_score::signal::{Criticality, Level};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

const COLLECTION: &str = "asset-criticality";

/// What an outside process says about one account.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Judged {
    /// The level it means to the score.
    pub level: Criticality,
    /// In the process's own words.
    pub said: String,
    /// Which process.
    pub source: String,
    /// When it judged.
    pub date: Time,
}

/// Words of asset-criticality processes for the five levels; compared in lower-case letters and digits only.
const WORDS: &[(Criticality, &[&str])] = &[
    (
        Criticality::Tier1,
        &[
            "tier0",
            "tier1",
            "critical",
            "missioncritical",
            "businesscritical",
            "crownjewel",
            "veryhigh",
            "1",
            "1mostcritical",
            "p1",
        ],
    ),
    (Criticality::Production, &["production", "prod", "high", "important", "tier2", "2", "2somewhatcritical", "p2"]),
    (Criticality::Staging, &["staging", "stage", "medium", "moderate", "tier3", "3", "3lesscritical", "p3"]),
    (Criticality::Sandbox, &["sandbox", "low", "tier4", "4", "4notcritical", "p4", "notcritical"]),
    (Criticality::Experimental, &["experimental", "negligible", "tier5", "5", "p5"]),
];

fn level(word: &str) -> Option<Criticality> {
    let plain: String = word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    WORDS.iter().find(|(_, words)| words.contains(&plain.as_str())).map(|(level, _)| *level)
}

/// Takes a process's list: CSV or JSON with `account` and `criticality`, and `source` and `date` unless they are given for
/// the whole file. It replaces what the same source said before. Returns how many accounts it speaks about.
///
/// # Errors
/// Rows that say no account, level, source or date (all are named); or the record fails. Nothing is kept then.
pub fn import_criticality(
    record: &mut Record,
    bytes: &[u8],
    source: Option<&str>,
    date: Option<Time>,
) -> Result<usize, GovernError> {
    let rows = named_rows(&mut &*bytes, &Limits::default()).map_err(GovernError::Input)?;
    let mut found: BTreeMap<String, BTreeMap<String, Judged>> = BTreeMap::new();
    let mut problems = Vec::new();
    for (line, row) in &rows {
        let get = |names: &[&str]| names.iter().find_map(|n| row.get(*n)).map(String::as_str);
        let account =
            get(&["account", "accountid", "nativeid", "subscriptionid", "projectid", "asset", "assetid", "id"]);
        let said = get(&["criticality", "assetcriticality", "businesscriticality", "level", "tier"]);
        let (Some(account), Some(said)) = (account, said) else {
            problems.push(format!(
                "line {line}: an account and its criticality are needed: columns `account` and `criticality`"
            ));
            continue;
        };
        let Some(level) = level(said) else {
            let words: Vec<&str> = WORDS.iter().filter_map(|(_, w)| w.get(1).or(w.first()).copied()).collect();
            problems.push(format!(
                "line {line}: `{said}` is no criticality known here; {} and their like are",
                words.join(", ")
            ));
            continue;
        };
        let source = get(&["source", "process"]).or(source);
        let when = get(&["date", "assessedat", "asof", "updated"]).map(str::parse::<Time>);
        match (source, when.map_or(Ok(date), |d| d.map(Some))) {
            (Some(source), Ok(Some(date))) => {
                let native = account.split_once(':').map_or(account, |(_, id)| id).to_owned();
                let one = Judged { level, said: said.into(), source: source.into(), date };
                found.entry(source.to_owned()).or_default().insert(native, one);
            }
            (_, Err(e)) => problems.push(format!("line {line}: {e}")),
            _ => problems.push(format!(
                "line {line}: who said so and when is needed: columns `source` and `date`, or --source and --date"
            )),
        }
    }
    if rows.is_empty() {
        problems.push("it has no rows".into());
    }
    if !problems.is_empty() {
        let more = problems.len().saturating_sub(5);
        problems.truncate(5);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        return Err(GovernError::Input(format!("{}{more}; nothing was kept", problems.join("; "))));
    }
    let count = found.values().map(BTreeMap::len).sum();
    for (source, accounts) in found {
        let version = record.document(COLLECTION, &source)?.map_or(0, |(v, _)| v);
        record.put_document(COLLECTION, &source, version, &json!({ "accounts": accounts }))?;
    }
    Ok(count)
}

/// What outside processes say, by the provider's own id of the account; of two sources the one that judged last counts.
///
/// # Errors
/// The record fails, or a list on it is damaged.
pub fn criticality(record: &Record) -> Result<BTreeMap<String, Judged>, GovernError> {
    let mut out: BTreeMap<String, Judged> = BTreeMap::new();
    for (_, doc) in record.documents(COLLECTION)? {
        let accounts: BTreeMap<String, Judged> =
            serde_json::from_value(doc.get("accounts").cloned().unwrap_or(Json::Null))?;
        for (account, judged) in accounts {
            match out.get(&account) {
                Some(known) if known.date >= judged.date => {}
                _ => drop(out.insert(account, judged)),
            }
        }
    }
    Ok(out)
}

impl Judged {
    /// In words: `critical (tier1) by CMDB of 2026-10-01`.
    pub fn words(&self) -> String {
        format!("{} ({}) by {} of {}", self.said, self.level.name(), self.source, self.date.date())
    }
}
