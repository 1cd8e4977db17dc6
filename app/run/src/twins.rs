//! A finding in code and the open finding of what that code deployed are one finding.

use crate::CodeVerdict;
use plumb_model::Outcome;
use plumb_record::FindingRow;
use std::collections::{BTreeMap, HashMap};

/// The finding on the record that says the same about the deployed resource.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Twin {
    /// Its id, `F-…`.
    pub finding: String,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The deployed resource.
    pub resource: String,
    /// The state of the lifecycle.
    pub state: String,
}

/// For each failing verdict (by fingerprint) the findings of the record with the same rule and part about the resource of
/// that name or id. One module deployed several times has several.
pub fn twins(rows: &[FindingRow], verdicts: &[CodeVerdict]) -> BTreeMap<String, Vec<Twin>> {
    let mut by_name: HashMap<(&str, &str, &str), Vec<&FindingRow>> = HashMap::new();
    for row in rows {
        by_name.entry((&row.rule, &row.sub_key, &row.name)).or_default().push(row);
        if row.resource != row.name {
            by_name.entry((&row.rule, &row.sub_key, &row.resource)).or_default().push(row);
        }
    }
    let mut out = BTreeMap::new();
    for v in verdicts.iter().filter(|v| v.verdict.outcome == Outcome::Fail) {
        // Without a known name it is called by its address, which nothing deployed is.
        let key = (v.verdict.rule.as_str(), &*v.verdict.sub_key, &*v.verdict.name);
        let Some(found) = by_name.get(&key) else { continue };
        let twin = |row: &&FindingRow| Twin {
            finding: row.id.clone(),
            account: row.account.clone(),
            region: row.region.clone(),
            resource: row.resource.clone(),
            state: row.state.clone(),
        };
        out.insert(v.fingerprint().hex(), found.iter().map(twin).collect());
    }
    out
}
