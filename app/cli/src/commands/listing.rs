//! `plumb coverage`, `plumb query`.

use crate::{
    args::{CoverageArgs, Format, Globals, QueryArgs},
    context, out,
    out::Failure,
};
use plumb_model::AccountId;
use serde_json::{Value as Json, json};

/// `plumb coverage`
pub fn coverage(globals: &Globals, args: CoverageArgs) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    context::known_account(&record, args.account.as_deref())?;
    let account = args.account.map(AccountId::from);
    let mut rows = record.coverage(account.as_ref())?;
    if args.gaps {
        rows.retain(|r| r.unknown > 0);
    }
    let text = matches!(out::format(globals), Format::Text | Format::Csv);
    if !text {
        return out::rows(globals, &rows, &[], |_| Vec::new()).map(|()| 0);
    }
    // For people: one line per account, region and kind.
    let mut places: std::collections::BTreeMap<(String, String, String), ([i64; 4], String)> = Default::default();
    for row in &rows {
        let slot = places.entry((row.account.clone(), row.region.clone(), row.kind.clone())).or_default();
        for (sum, n) in slot.0.iter_mut().zip([row.pass, row.fail, row.unknown, row.not_applicable]) {
            *sum += n;
        }
        if let (true, Some(reason)) = (slot.1.is_empty(), row.reasons.first()) {
            slot.1 = reason.describe();
        }
    }
    let rows: Vec<Vec<String>> = places
        .into_iter()
        .map(|((account, region, kind), (n, reason))| {
            let [pass, fail, unknown, na] = n.map(|n| n.to_string());
            vec![account, region, kind, pass, fail, unknown, na, super::scan::short(&reason, 60)]
        })
        .collect();
    let header = ["account", "region", "kind", "pass", "fail", "unknown", "n/a", "not judged because"];
    out::rows(globals, &rows, &header, |r| r.clone())?;
    Ok(0)
}

/// `plumb query`
pub fn query(globals: &Globals, args: QueryArgs) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let table = record.query(&args.sql).map_err(|e| Failure::usage(e.to_string()))?;
    let rows: Vec<Json> = table
        .rows
        .iter()
        .map(|row| Json::Object(table.columns.iter().cloned().zip(row.iter().cloned()).collect()))
        .collect();
    let header: Vec<&str> = table.columns.iter().map(String::as_str).collect();
    let cell = |v: &Json| match v {
        Json::String(s) => s.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    };
    out::rows(globals, &rows, &header, |row| {
        header.iter().map(|h| cell(row.get(*h).unwrap_or(&json!(null)))).collect()
    })?;
    Ok(0)
}
