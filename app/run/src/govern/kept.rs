//! Documents that belong to no object of the log, under its entries all the same: the entry of the change that wrote them
//! names each with its digest (decision 175).

use super::{GovernError, work::Change};
use plumb_govern::log::{Outcome, digest};
use plumb_record::Record;
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Collections every document of which is written with an entry: what was promised and kept, reviews of accounts, papers,
/// proofs of data, who has left, drafts, certificates of disposal, the posture of each day.
const COLLECTIONS: [&str; 9] = [
    super::attest::FILES,
    super::keep::CERTIFICATES,
    super::picture::CADENCE,
    super::picture::DRAFTS,
    super::reviews::STANDING,
    super::trend::TRENDS,
    "account-review",
    crate::data_evidence::COLLECTION,
    "draft-done",
];
/// What a scan says of its runs of baselines is under the scan's own entry.
const RUNS: &str = crate::baselines::RUNS;

/// The member of an entry's change that names documents.
const KEPT: &str = "kept";

fn name(collection: &str, id: &str) -> String {
    format!("{collection}/{id}")
}

/// Puts on the last entry of a change what it writes of these collections.
pub(super) fn mark(change: &Change) -> Option<(usize, Json)> {
    let mut named = Map::new();
    for (collection, id, _, doc) in change.documents.iter().filter(|(c, ..)| COLLECTIONS.contains(&c.as_str())) {
        named.insert(name(collection, id), digest(doc).into());
    }
    let (at, event) = change.events.iter().enumerate().rev().find(|(_, e)| e.outcome == Outcome::Done)?;
    if named.is_empty() {
        return None;
    }
    let mut said = event.change.as_object().cloned().unwrap_or_default();
    said.insert(KEPT.into(), Json::Object(named));
    Some((at, Json::Object(said)))
}

/// How many documents each of the collections has.
pub(super) fn counts(record: &Record) -> Result<BTreeMap<String, i64>, GovernError> {
    let mut out = BTreeMap::new();
    for collection in COLLECTIONS {
        let sql = "SELECT count(*) FROM document WHERE collection = ?1";
        record.each_answer::<GovernError>(sql, &[collection], |row| {
            let n = row.first().and_then(Json::as_i64).unwrap_or_default();
            if n > 0 {
                out.insert(collection.to_owned(), n);
            }
            Ok(())
        })?;
    }
    Ok(out)
}

/// What these scans say of their runs of baselines, by name and digest.
pub(super) fn of_scans(record: &Record, scans: &BTreeSet<i64>) -> Result<BTreeMap<String, String>, GovernError> {
    let mut out = BTreeMap::new();
    for scan in scans {
        // Between the slash and the sign after it is everything that begins with it.
        let (from, to) = (format!("{scan:08}/"), format!("{scan:08}0"));
        let sql = "SELECT id, doc FROM document WHERE collection = ?1 AND id >= ?2 AND id < ?3";
        record.each_answer::<GovernError>(sql, &[RUNS, &from, &to], |row| {
            let text = |i: usize| row.get(i).and_then(Json::as_str).unwrap_or_default();
            out.insert(name(RUNS, text(0)), digest(&serde_json::from_str(text(1))?));
            Ok(())
        })?;
    }
    Ok(out)
}

/// What the whole log says of such documents.
#[derive(Default)]
pub(super) struct Named {
    /// By name: the entry that spoke of it last, and the digest.
    said: HashMap<String, (u64, String)>,
    /// How many of each collection it names.
    known: BTreeMap<String, i64>,
    /// How many of each collection no entry named when one first counted them: those of earlier builds.
    before: BTreeMap<String, i64>,
}

impl Named {
    /// Takes what an entry names.
    pub(super) fn take(&mut self, seq: u64, named: BTreeMap<String, String>) {
        for (name, digest) in named {
            let collection = name.split('/').next().unwrap_or_default().to_owned();
            if self.said.insert(name, (seq, digest)).is_none() {
                *self.known.entry(collection).or_default() += 1;
            }
        }
    }

    /// Takes how many documents the collections had, as an entry says.
    pub(super) fn count(&mut self, counts: &BTreeMap<String, i64>) {
        for collection in COLLECTIONS {
            let (all, known) = (counts.get(collection), self.known.get(collection));
            let strange = all.copied().unwrap_or_default() - known.copied().unwrap_or_default();
            self.before.entry(collection.to_owned()).or_insert(strange);
        }
    }

    /// The first document that is not what the log left, in words.
    pub(super) fn astray(&self, record: &Record) -> Result<Option<(Option<u64>, String)>, GovernError> {
        let mut first: Option<(u64, String)> = None;
        for (name, (seq, said)) in &self.said {
            let (collection, id) = name.split_once('/').unwrap_or((name, ""));
            let what = match record.document(collection, id)? {
                None => format!("{name} is gone; entry {seq} of the log left it there"),
                Some((_, doc)) if digest(&doc) != *said => {
                    format!("{name} was changed outside the product: entry {seq} of the log left it otherwise")
                }
                Some(_) => continue,
            };
            if first.as_ref().is_none_or(|(entry, _)| entry > seq) {
                first = Some((*seq, what));
            }
        }
        if let Some((seq, what)) = first {
            return Ok(Some((Some(seq), what)));
        }
        for (collection, all) in counts(record)? {
            let strange = all - self.known.get(&collection).copied().unwrap_or_default();
            if self.before.get(&collection).is_some_and(|before| strange > *before) {
                let what =
                    format!("`{collection}` holds {all} documents, of which {strange} are of no entry of the log");
                return Ok(Some((None, what)));
            }
        }
        Ok(None)
    }
}
