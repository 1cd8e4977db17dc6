//! `plumb findings`

use super::verdicts::leaves;
use crate::{
    args::{FindingArgs, Globals},
    context, out,
    out::Failure,
};
use plumb_govern::finding::machine::State;
use plumb_record::{FindingRow, Query};
use serde_json::json;

/// A finding as JSON: its row with leaves as they are printed everywhere.
pub fn row(f: &FindingRow) -> serde_json::Value {
    let mut value = serde_json::to_value(f).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.insert("because".into(), leaves(&f.because));
        object.insert("stale".into(), json!(f.unknown_since.is_some()));
    }
    value
}

/// The query that filters name.
pub fn query(globals: &Globals, args: &FindingArgs) -> Result<Query, Failure> {
    let severity = args.rules.severity.as_deref().map(str::parse).transpose().map_err(Failure::usage)?;
    for state in &args.states {
        state.parse::<State>().map_err(Failure::usage)?;
    }
    let named = !(args.rules.checks.is_empty()
        && args.rules.skip_checks.is_empty()
        && args.rules.services.is_empty()
        && args.rules.frameworks.is_empty());
    let rules = if named {
        let catalog = context::catalog(globals)?;
        context::select(&catalog, &args.rules)?.unwrap_or_default()
    } else {
        Default::default()
    };
    Ok(Query {
        states: args.states.clone(),
        account: args.account.clone(),
        at_least: severity,
        rules,
        region: args.region.clone(),
        limit: args.limit,
    })
}

/// `plumb findings`
pub fn run(globals: &Globals, args: FindingArgs) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    context::known_account(&record, args.account.as_deref())?;
    let rows = record.findings(&query(globals, &args)?)?;
    let json: Vec<serde_json::Value> = rows.iter().map(row).collect();
    let cell = |v: &serde_json::Value, name: &str| v.get(name).and_then(|c| c.as_str()).unwrap_or_default().to_owned();
    out::rows(globals, &json, &["finding", "severity", "state", "account", "region", "resource", "rule"], |v| {
        let name = out::cut(globals, &cell(v, "name"), 40);
        let part = cell(v, "sub_key");
        let resource = if part.is_empty() { name } else { format!("{name} [{part}]") };
        vec![
            cell(v, "id"),
            cell(v, "severity"),
            cell(v, "state"),
            cell(v, "account"),
            cell(v, "region"),
            resource,
            cell(v, "rule"),
        ]
    })?;
    Ok(0)
}
