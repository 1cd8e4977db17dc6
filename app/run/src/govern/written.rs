//! What scans write, sealed: at a scan's end an entry of the log carries digests over it, and verification holds the record
//! against them (decision 156).

use super::{Change, GovernError, commit};
use plumb_govern::{
    log::{Event, SealKey},
    people::Actor,
};
use plumb_model::Time;
use plumb_record::{AccountSeal, Record, ScanId, Written};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The action of the entries.
pub(super) const SEAL: &str = "scan.seal";
/// The action that says a scan begins.
pub(super) const START: &str = "scan.start";

/// What an entry says of one scan.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Seal {
    scan: i64,
    /// Digest of the scan's own row.
    row: String,
    /// What was written of findings since the entry before.
    written: Option<Written>,
    /// What was written of each account.
    accounts: BTreeMap<String, AccountSeal>,
}

/// What the whole log says of what scans wrote.
#[derive(Debug, Default)]
pub(super) struct Seals {
    /// By scan: the entry that spoke last of its row.
    rows: BTreeMap<i64, (u64, String)>,
    /// Stretches of what was written of findings.
    written: Vec<(u64, Written)>,
    /// By account: the entry that spoke of it last.
    accounts: BTreeMap<String, (u64, AccountSeal)>,
    /// Whether a scan began after the last of these entries.
    open: bool,
}

impl Seals {
    /// Takes an entry that says a scan begins.
    pub(super) fn begins(&mut self) {
        self.open = true;
    }

    /// Takes an entry of this action.
    pub(super) fn take(&mut self, seq: u64, seal: Seal) {
        self.open = false;
        self.rows.insert(seal.scan, (seq, seal.row));
        self.written.extend(seal.written.map(|w| (seq, w)));
        self.accounts.extend(seal.accounts.into_iter().map(|(id, said)| (id, (seq, said))));
    }
}

/// Puts on the log digests over what a scan wrote: its own row, what changed of findings since the last such entry, and
/// coverage and resources of the accounts it read. Costs what changed and what was read, not what stayed as it was.
///
/// # Errors
/// The record fails.
pub fn seal_scan(record: &mut Record, key: Option<&SealKey>, scan: i64, now: Time) -> Result<(), GovernError> {
    let id = ScanId(scan);
    let mut accounts = BTreeMap::new();
    for account in record.written_accounts(id)? {
        let said = record.account_seal(&account)?;
        accounts.insert(account, said);
    }
    let last = record.document(LAST.0, LAST.1)?;
    let (version, after) = last.map_or((0, 0), |(version, doc)| (version, doc.as_i64().unwrap_or_default()));
    let written = record.written(after, None)?;
    let mut change = Change::default();
    if let Some(written) = &written {
        change.put(LAST.0, LAST.1, version, &written.to)?;
    }
    let seal = Seal { scan, row: record.scan_seal(id)?, written, accounts };
    let what = json!({ "seal": seal });
    change.events.push(Event::done(&Actor::system("scanner"), SEAL, ("scan", &scan.to_string()), what, now));
    commit(record, key, &change, now)
}

/// Up to where what was written of findings is under an entry. Only for the next entry: verification believes the log.
const LAST: (&str, &str) = ("sealed", "scan_wrote");

/// What verification of what scans wrote came to.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// The first thing that does not agree, with its entry.
    pub(super) astray: Option<(Option<u64>, String)>,
    /// What is under no entry yet, in words.
    pub(super) unsealed: Vec<String>,
}

/// Holds what scans wrote against the log.
pub(super) fn look(record: &Record, seals: &Seals, gone: &dyn Fn(&str) -> bool) -> Result<Looked, GovernError> {
    let mut out = Looked::default();
    let last = record.scan(None).ok();
    if seals.rows.is_empty() {
        if last.is_some() {
            out.unsealed.push("what scans wrote: no scan has sealed it yet".into());
        }
        return Ok(out);
    }
    let mut astray = |entry: Option<u64>, what: String| {
        out.astray = Some((entry, what));
    };
    // A scan that began and did not come to its end may have written anything of what it was about.
    let (mut running, mut under_way) = (None, BTreeSet::new());
    if let (true, Some(scan)) = (seals.open, &last) {
        under_way = record.written_accounts(scan.id)?;
        running = Some(scan.id.0);
    }
    let mut after = 0;
    for (entry, said) in &seals.written {
        if said.from != after + 1 || record.written(after, Some(said.to))?.as_ref() != Some(said) {
            let what = format!("what scans wrote of findings is not what entry {entry} of the log says it was");
            astray(Some(*entry), what);
            return Ok(out);
        }
        after = said.to;
    }
    for (scan, (entry, said)) in seals.rows.iter().filter(|(scan, _)| running != Some(**scan)) {
        if record.scan_seal(ScanId(*scan))? != *said {
            astray(
                Some(*entry),
                format!(
                    "scan {scan} was changed or taken out outside the product: entry {entry} of the log left it otherwise"
                ),
            );
            return Ok(out);
        }
    }
    for (account, (entry, said)) in seals.accounts.iter().filter(|(account, _)| !under_way.contains(*account)) {
        let now = record.account_seal(account)?;
        for (what, same) in
            [("coverage", now.coverage == said.coverage), ("resources", now.resources == said.resources)]
        {
            if !same {
                let left = format!(
                    "{what} of account {account} changed outside the product: entry {entry} of the log left it otherwise"
                );
                astray(Some(*entry), left);
                return Ok(out);
            }
        }
        if let Some(resource) = record.stray_resource(account)? {
            astray(Some(*entry), format!("{resource} was changed outside the product: it is not what was read"));
            return Ok(out);
        }
    }
    if let Some(what) = record.stray_finding(gone)? {
        astray(None, what);
        return Ok(out);
    }
    if let Some(tail) = record.written(after, None)? {
        out.unsealed.push(format!("{} changes of findings since the last scan that came to its end", tail.rows));
    }
    if let Some(scan) = running {
        let accounts = under_way.into_iter().collect::<Vec<_>>().join(", ");
        out.unsealed.push(format!("scan {scan}, which began and did not come to its end: accounts {accounts}"));
    }
    Ok(out)
}
