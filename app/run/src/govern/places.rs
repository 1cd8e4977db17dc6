//! Where code declares what is deployed: kept by a check that goes on the record, named by tickets of the live findings.

use super::GovernError;
use crate::CodeVerdict;
use plumb_govern::decision::Declared;
use plumb_model::{Outcome, Time};
use plumb_record::{FindingRow, Record};
use serde_json::json;
use std::collections::HashMap;

const COLLECTION: &str = "code-check";

/// A failing verdict about code.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Place {
    rule: String,
    part: String,
    name: String,
    address: String,
    file: String,
    line: u64,
}

/// Keeps where a check found what fails, in place of what the last check of the same code found; how many there are.
/// `relative` gives a file's path as people know it.
///
/// # Errors
/// The record fails.
pub fn keep_places(
    record: &mut Record,
    code: &str,
    verdicts: &[CodeVerdict],
    relative: impl Fn(&str) -> String,
    at: Time,
) -> Result<usize, GovernError> {
    let failing = verdicts.iter().filter(|v| v.verdict.outcome == Outcome::Fail);
    let places: Vec<Place> = failing
        .map(|v| Place {
            rule: v.verdict.rule.to_string(),
            part: v.verdict.sub_key.to_string(),
            name: v.verdict.name.to_string(),
            address: v.verdict.resource.to_string(),
            file: relative(&v.at.place.file),
            line: u64::from(v.at.place.line),
        })
        .collect();
    let version = record.document(COLLECTION, code)?.map_or(0, |(v, _)| v);
    record.put_document(COLLECTION, code, version, &json!({ "at": at, "places": places }))?;
    Ok(places.len())
}

/// A place a check on record found, and when.
#[derive(Debug)]
struct Found {
    place: Declared,
    words: String,
}

/// What the checks on record say, by rule, part and name.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<(String, String, String), Vec<Found>>);

impl Places {
    /// Reads them.
    ///
    /// # Errors
    /// The record fails, or a check on it is damaged.
    pub(super) fn read(record: &Record) -> Result<Self, GovernError> {
        let mut out = Self::default();
        for (code, doc) in record.documents(COLLECTION)? {
            let day: String = doc["at"].as_str().unwrap_or_default().chars().take(10).collect();
            let places: Vec<Place> = serde_json::from_value(doc["places"].clone())?;
            for p in places {
                let words = format!("{}:{} ({}), by the check of {code} on {day}", p.file, p.line, p.address);
                let place = Declared { file: p.file, address: p.address };
                out.0.entry((p.rule, p.part, p.name)).or_default().push(Found { place, words });
            }
        }
        Ok(out)
    }

    fn found(&self, row: &FindingRow) -> impl Iterator<Item = &Found> {
        let key = |name: &str| (row.rule.clone(), row.sub_key.clone(), name.to_owned());
        let names = [Some(&row.name), Some(&row.resource).filter(|r| **r != row.name)];
        let names = names.into_iter().flatten().filter(|_| !self.0.is_empty());
        names.flat_map(move |name| self.0.get(&key(name)).into_iter().flatten())
    }

    /// Where code declares a finding's resource: the same rule and part, about that name or id.
    pub(super) fn of(&self, row: &FindingRow) -> Vec<String> {
        self.found(row).map(|f| f.words.clone()).collect()
    }

    /// The same, as selectors ask about it.
    pub(super) fn declared(&self, row: &FindingRow) -> Vec<Declared> {
        self.found(row).map(|f| f.place.clone()).collect()
    }
}
