//! Skips that authors write into code, as requests on the record.

use super::{GovernError, Session, exceptions::keep_drafts};
use crate::CodeVerdict;
use plumb_govern::decision::{Draft, Pattern, Subject, import::inline_skip};
use plumb_record::Record;
use serde_json::json;
use std::collections::BTreeMap;

/// Keeps every applied skip as a draft that waits for a basis, an owner and an end: one for each rule and comment. A skip
/// that is kept already is not kept again. Nothing is decided by that. Returns the new drafts' ids.
///
/// # Errors
/// The record fails.
pub fn keep_skips(
    record: &mut Record,
    session: &Session,
    verdicts: &[CodeVerdict],
    relative: impl Fn(&str) -> String,
) -> Result<Vec<(String, Draft)>, GovernError> {
    let mut resources: BTreeMap<(String, String), (Vec<Pattern>, &CodeVerdict)> = BTreeMap::new();
    for v in verdicts {
        let Some(skip) = &v.skipped else { continue };
        let place = format!("{}:{}", skip.place.file, skip.place.line);
        let (names, _) = resources.entry((v.verdict.rule.to_string(), place)).or_insert_with(|| (Vec::new(), v));
        let name = Pattern::exact(v.verdict.resource.as_str());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut drafts = Vec::new();
    for ((rule, _), (resources, v)) in resources {
        let Some(skip) = &v.skipped else { continue };
        let mut draft = inline_skip(&rule, &relative(&v.at.place.file), skip.place.line, &skip.reason, "");
        if let Subject::Selector { selector, .. } = &mut draft.subject {
            selector.resources = resources;
        }
        drafts.push(draft);
    }
    if drafts.is_empty() {
        return Ok(Vec::new());
    }
    keep_drafts(record, session, "decision.inline-skip", drafts, &json!({ "from": "comments in code" }))
}
