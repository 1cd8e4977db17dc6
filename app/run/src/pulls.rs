//! The cadence of configuration pulls: how often each tier's accounts are to be read, when each was read last, and which
//! are due.

use crate::{
    accounts::{self, allowed},
    govern::{Change, GovernError, Session, commit},
};
use plumb_discover::{AccountKey, Config, Estate, Tier, Triage, due_pulls, pull_hours};
use plumb_govern::{log, people::Act};
use plumb_model::Time;
use plumb_record::Record;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// The state of an account that a scan leaves out because it is not due; it is not written to the record.
pub const NOT_DUE: &str = "not-due";

/// How often the accounts of a tier are read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Cadence {
    /// The tier.
    pub tier: Tier,
    /// Hours between pulls.
    pub every_hours: u32,
    /// How many accounts of it there are.
    pub accounts: usize,
    /// How many of them are due.
    pub due: usize,
}

/// An account with its next pull.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Pull {
    /// The account.
    pub account: AccountKey,
    /// Its name.
    pub name: String,
    /// Its tier.
    pub tier: Tier,
    /// What a review decided, else what the triage makes of it: a light entry is pulled at the slowest cadence.
    pub triage: Triage,
    /// Hours between pulls.
    pub every_hours: u32,
    /// When it was read last; none for never.
    pub last: Option<Time>,
    /// When it is to be read next.
    pub due_at: Time,
    /// Whether that is past.
    pub due: bool,
    /// Hours it is late.
    pub late_hours: i64,
}

/// When each account was last read, by scans that came to their end.
fn last_pulls(record: &Record) -> Result<BTreeMap<String, Time>, GovernError> {
    let sql = "SELECT u.account, max(s.judged_at) FROM unit u JOIN scan s ON s.id = u.scan \
               WHERE s.status IN ('complete', 'partial') AND u.state = 'complete' GROUP BY u.account";
    let one = |row: Vec<Json>| Some((row.first()?.as_str()?.to_owned(), row.get(1)?.as_str()?.parse().ok()?));
    Ok(record.query(sql)?.rows.into_iter().filter_map(one).collect())
}

/// Every account of ours with its next pull, those due longest first.
///
/// # Errors
/// The record fails.
pub fn pulls(record: &Record, estate: &Estate, config: &Config, now: Time) -> Result<Vec<Pull>, GovernError> {
    let read = last_pulls(record)?;
    let last: BTreeMap<AccountKey, Time> =
        estate.accounts.keys().filter_map(|key| Some((key.clone(), *read.get(key.id.as_str())?))).collect();
    let decided = accounts::decided(estate, &accounts::reviews(record)?);
    let rows = due_pulls(estate, &last, &decided, config).into_iter().filter_map(|(key, due_at)| {
        let a = estate.accounts.get(&key)?;
        let last = last.get(&key).copied();
        let due_at = if last.is_none() { due_at.min(now) } else { due_at };
        let triage = decided.get(&key).copied().unwrap_or(a.triage);
        Some(Pull {
            name: a.facts.name.clone().unwrap_or_default(),
            tier: a.tier(),
            triage,
            every_hours: pull_hours(a.tier(), triage, config),
            last,
            due_at,
            due: due_at <= now,
            late_hours: ((now.seconds() - due_at.seconds()) / 3_600).max(0),
            account: key,
        })
    });
    Ok(rows.collect())
}

/// The cadence of every tier.
pub fn cadence(pulls: &[Pull], config: &Config) -> Vec<Cadence> {
    let of = |tier: Tier| pulls.iter().filter(move |p| p.tier == tier);
    Tier::ALL
        .iter()
        .map(|tier| Cadence {
            tier: *tier,
            every_hours: config.pull_every(*tier),
            accounts: of(*tier).count(),
            due: of(*tier).filter(|p| p.due).count(),
        })
        .collect()
}

/// Longest time between two pulls: a quarter.
const MOST_HOURS: u32 = 24 * 92;

/// Sets how often tiers are pulled; kept and sealed in one step.
///
/// # Errors
/// A cadence is no time between an hour and 92 days, the person may not, or the record fails.
pub fn set_cadence(record: &mut Record, session: &Session, wanted: &[(Tier, u32)]) -> Result<(), GovernError> {
    allowed(record, session, Act::Scan, "pull-cadence.set", ("policy", "pull-cadence"))?;
    if let Some((tier, hours)) = wanted.iter().find(|(_, h)| !(1..=MOST_HOURS).contains(h)) {
        return Err(GovernError::Input(format!("{tier}: {hours} hours is not between an hour and 92 days")));
    }
    let said = |e: accounts::AccountsError| GovernError::Input(e.to_string());
    // Leavers come from the record's people and are not a setting.
    let (version, mut config) = accounts::kept_settings(record).map_err(said)?;
    let before = json!(config.pull_every_hours);
    config.pull_every_hours.extend(wanted.iter().copied());
    let after = json!(config.pull_every_hours);
    let event = log::Event::done(
        &session.actor,
        "pull-cadence.set",
        ("policy", "pull-cadence"),
        json!({ "to": after }),
        session.now,
    );
    let mut change =
        Change { events: vec![session.mark(event.with_states(Some(&before), Some(&after)))], ..Change::default() };
    let (collection, id) = accounts::SETTINGS;
    change.put(collection, id, version, &config)?;
    commit(record, session.key.as_ref(), &change, session.now)
}
