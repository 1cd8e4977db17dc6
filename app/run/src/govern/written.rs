//! What scans write, sealed: at a scan's end an entry of the log carries digests over it, and verification holds the record
//! against them (decision 156).

use super::{Change, GovernError, commit, kept};
use plumb_govern::{
    log::{Event, SealKey},
    people::Actor,
};
use plumb_model::Time;
use plumb_record::{AccountSeal, Record, ScanId, Written, is_of_paths};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// The action of the entries.
pub(super) const SEAL: &str = "scan.seal";
/// The action that says a scan begins.
pub(super) const START: &str = "scan.start";

/// What an entry says of one scan.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Seal {
    scan: i64,
    /// Digest of the scan's own row.
    row: String,
    /// What was written of findings since the entry before.
    written: Option<Written>,
    /// What was written of each account, part by part.
    accounts: BTreeMap<String, AccountSeal>,
    /// What is of no single account. Entries of earlier builds say nothing of it.
    common: AccountSeal,
    /// How many documents each collection has whose documents are all under entries of their own.
    documents: BTreeMap<String, i64>,
}

/// What the whole log says of what scans wrote.
#[derive(Debug, Default)]
pub(super) struct Seals {
    /// By scan: the entry that spoke last of its row.
    rows: BTreeMap<i64, (u64, String)>,
    /// Stretches of what was written of findings.
    written: Vec<(u64, Written)>,
    /// By account and part: the entry that spoke of it last, its scan, and the digest.
    accounts: BTreeMap<String, BTreeMap<String, (u64, i64, String)>>,
    /// What is of no single account.
    common: BTreeMap<String, (u64, String)>,
    /// Whether a scan began after the last of these entries.
    open: bool,
}

impl Seals {
    /// Takes an entry that says a scan begins.
    pub(super) fn begins(&mut self) {
        self.open = true;
    }

    /// Takes an entry of this action; gives back what it says of documents.
    pub(super) fn take(&mut self, seq: u64, seal: Seal) -> BTreeMap<String, i64> {
        self.open = false;
        self.rows.insert(seal.scan, (seq, seal.row));
        self.written.extend(seal.written.map(|w| (seq, w)));
        for (account, parts) in seal.accounts {
            let said = parts.into_iter().map(|(part, digest)| (part, (seq, seal.scan, digest)));
            self.accounts.entry(account).or_default().extend(said);
        }
        self.common.extend(seal.common.into_iter().map(|(part, digest)| (part, (seq, digest))));
        seal.documents
    }
}

/// Puts on the log digests over what a scan wrote: its own row, what changed of findings since the last such entry, and of
/// the accounts it read, or a scan before it that was cut off, coverage, resources and what the assessment found; also which
/// accounts there are, the scan's runs of baselines and the day's posture. Costs what changed and what was read, not what
/// stayed as it was.
///
/// # Errors
/// The record fails.
pub fn seal_scan(record: &mut Record, key: Option<&SealKey>, scan: i64, now: Time) -> Result<(), GovernError> {
    let id = ScanId(scan);
    let before = record.document(BEFORE.0, BEFORE.1)?;
    let (before_version, sealed) = before.map_or((0, scan - 1), |(v, doc)| (v, doc.as_i64().unwrap_or(scan - 1)));
    // Scans that were cut off have no entry: what they wrote comes under this one.
    let scans: BTreeSet<i64> = (sealed.saturating_add(1)..scan).chain([scan]).collect();
    let mut accounts: BTreeMap<String, AccountSeal> = BTreeMap::new();
    for scan in &scans {
        for account in record.written_accounts(ScanId(*scan))? {
            let said = record.account_seal(&account, id, |_| true)?;
            accounts.insert(account, said);
        }
    }
    for account in record.paths_unsealed()? {
        if let Entry::Vacant(place) = accounts.entry(account) {
            let said = record.account_seal(place.key(), id, is_of_paths)?;
            place.insert(said);
        }
    }
    let last = record.document(LAST.0, LAST.1)?;
    let (version, after) = last.map_or((0, 0), |(version, doc)| (version, doc.as_i64().unwrap_or_default()));
    let written = record.written(after, None)?;
    let mut change = Change::default();
    if let Some(written) = &written {
        change.put(LAST.0, LAST.1, version, &written.to)?;
    }
    change.put(BEFORE.0, BEFORE.1, before_version, &scan.max(sealed))?;
    let common = record.common_seal()?;
    let documents = kept::counts(record)?;
    let seal = Seal { scan, row: record.scan_seal(id)?, written, accounts, common, documents };
    let what = json!({ "seal": seal, "kept": kept::of_scans(record, &scans)? });
    change.events.push(Event::done(&Actor::system("scanner"), SEAL, ("scan", &scan.to_string()), what, now));
    commit(record, key, &change, now)?;
    Ok(record.paths_are_sealed()?)
}

/// Up to where what was written of findings is under an entry. Only for the next entry: verification believes the log.
const LAST: (&str, &str) = ("sealed", "scan_wrote");
/// The last scan that came to its entry. Only for the next one, too.
const BEFORE: (&str, &str) = ("sealed", "scan");

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
    let unsealed_paths = record.paths_unsealed()?;
    for (account, parts) in seals.accounts.iter().filter(|(account, _)| !under_way.contains(*account)) {
        // Parts are of the same entry unless a scan that did not read the account moved its paths.
        let scans: BTreeSet<i64> = parts.values().map(|(_, scan, _)| *scan).collect();
        for scan in scans {
            let of_it = |part: &str| {
                parts.get(part).is_some_and(|(_, of, _)| *of == scan)
                    && !(is_of_paths(part) && unsealed_paths.contains(account))
            };
            for (part, now) in record.account_seal(account, ScanId(scan), of_it)? {
                let Some((entry, _, said)) = parts.get(&part) else { continue };
                // What was read where goes by a disposal of its scan as a whole.
                if now != *said && !(part == "units" && gone(&scan.to_string())) {
                    let left = format!(
                        "{part} of account {account} changed outside the product: entry {entry} of the log left it otherwise"
                    );
                    astray(Some(*entry), left);
                    return Ok(out);
                }
            }
        }
        if let Some(resource) = record.stray_resource(account)? {
            let entry = parts.get("resources").map(|(entry, ..)| *entry);
            astray(entry, format!("{resource} was changed outside the product: it is not what was read"));
            return Ok(out);
        }
    }
    if running.is_none() {
        let now = record.common_seal()?;
        for (part, (entry, said)) in &seals.common {
            if now.get(part) != Some(said) {
                let left = format!("{part} changed outside the product: entry {entry} of the log left it otherwise");
                astray(Some(*entry), left);
                return Ok(out);
            }
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
