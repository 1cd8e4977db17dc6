//! `plumb export`

use super::{people::refused, verdicts::each_verdict};
use crate::{
    args::{ExportArgs, ExportFormat, FindingArgs, Format, Globals},
    context, out,
    out::Failure,
};
use plumb_catalog::Catalog;
use plumb_connect::{Exported, Report, asff, csv, html, markdown, ocsf};
use plumb_model::Outcome;
use plumb_record::{FindingRow, Query, Record};
use plumb_run::handover;
use std::{io::Write, path::PathBuf};

/// `plumb export FORMAT`
pub fn run(globals: &Globals, args: ExportArgs) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    if args.to == ExportFormat::Record {
        let to = args.output.ok_or_else(|| Failure::usage("say where to with --out FOLDER or --out FILE.zip"))?;
        let whole = plumb_run::govern::export_record(&record, &to).map_err(super::people::refused)?;
        let rows: usize = whole.rows.values().sum();
        match out::format(globals) {
            Format::Text => out::line(format!(
                "wrote {rows} rows and {} log entries to {}\ndigest {}",
                whole.log_entries,
                to.display(),
                whole.digest
            )),
            _ => out::line(serde_json::to_string(&whole)?),
        }
        return Ok(0);
    }
    let catalog = context::catalog(globals)?;
    let query = super::findings::query(
        globals,
        &FindingArgs { rules: args.rules.clone(), account: None, region: None, states: Vec::new(), limit: None },
    )?;
    if matches!(args.to, ExportFormat::Signals | ExportFormat::Ctem) {
        let lines = handed_over(&record, &catalog, &query, args.to)?;
        let text: String = lines.iter().map(|l| format!("{l}\n")).collect();
        return written(globals, args.output.as_ref(), &text, lines.len());
    }
    let scan = record.scan(None)?;
    let findings = record.findings(&query)?;
    let accounts = record.accounts()?;
    let exporter = plumb_run::Exporter::new(&catalog, &accounts);
    let mut rows: Vec<Exported> = findings.iter().map(|f| exporter.row(f, Outcome::Fail)).collect();
    if args.with_pass {
        each_verdict(globals, &record, &catalog, &scan, None, |v, severity| {
            if v.outcome != Outcome::Pass || !(query.rules.is_empty() || query.rules.contains(&v.rule)) {
                return Ok(());
            }
            let key = v.key();
            let row = FindingRow {
                id: key.short(),
                key: key.hex(),
                rule: v.rule.to_string(),
                title: catalog.rules.get(&v.rule).map(|r| r.title.clone()).unwrap_or_default(),
                severity: severity.name().into(),
                severity_open: severity.name().into(),
                severity_closed: None,
                state: "pass".into(),
                account: v.account.to_string(),
                region: v.region.to_string(),
                kind: v.kind.to_string(),
                resource: v.resource.to_string(),
                name: v.name.to_string(),
                sub_key: v.sub_key.to_string(),
                first_seen: scan.judged_at.clone(),
                last_seen: scan.judged_at.clone(),
                unknown_since: None,
                occurrences: 0,
                topic: catalog.rules.get(&v.rule).map(|r| r.topic.to_string()).unwrap_or_default(),
                because: v.because.clone(),
            };
            rows.push(exporter.row(&row, Outcome::Pass));
            Ok(())
        })?;
    }
    let coverage = record.coverage(None)?;
    let sum = |f: fn(&plumb_record::CoverageRow) -> i64| coverage.iter().map(f).sum::<i64>();
    let report = Report {
        judged_at: scan.judged_at.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        accounts: accounts.into_iter().map(|a| (a.id, a.name, a.state, a.reason)).collect(),
        resources: scan.stats.get("resources").and_then(serde_json::Value::as_u64).unwrap_or_default(),
        pass: sum(|c| c.pass),
        fail: sum(|c| c.fail),
        unknown: sum(|c| c.unknown),
        gaps: gaps(&coverage),
    };
    let text = match args.to {
        ExportFormat::Json => serde_json::to_string_pretty(&rows)? + "\n",
        ExportFormat::Jsonl => {
            rows.iter().map(|r| serde_json::to_string(r).map(|l| l + "\n")).collect::<Result<String, _>>()?
        }
        ExportFormat::Csv => csv(&rows),
        ExportFormat::Ocsf => serde_json::to_string_pretty(&ocsf(&rows, &report))? + "\n",
        ExportFormat::Asff => serde_json::to_string_pretty(&asff(&rows, &report))? + "\n",
        ExportFormat::Markdown => markdown(&rows, &report),
        ExportFormat::Html => html(&rows, &report),
        ExportFormat::Record | ExportFormat::Signals | ExportFormat::Ctem => String::new(),
    };
    written(globals, args.output.as_ref(), &text, rows.len())
}

/// Writes to a file, or to standard output where none is named.
fn written(globals: &Globals, output: Option<&PathBuf>, text: &str, rows: usize) -> Result<u8, Failure> {
    match output {
        Some(path) => {
            std::fs::write(path, text).map_err(|e| Failure::new(format!("cannot write `{}`: {e}", path.display())))?;
            out::note(globals, format!("wrote {rows} rows to {}", path.display()));
        }
        // A closed pipe is no failure.
        None => drop(std::io::stdout().lock().write_all(text.as_bytes())),
    }
    Ok(0)
}

/// The lines for the programmes beside this one, under the score policy in force.
fn handed_over(
    record: &Record,
    catalog: &Catalog,
    query: &Query,
    to: ExportFormat,
) -> Result<Vec<serde_json::Value>, Failure> {
    let now = context::now();
    let (stack, policy) = (super::score::stack(record, catalog)?, super::score::policy_on(record, None)?);
    let ranked = handover::ranked(record, &stack, catalog, &policy, query, now).map_err(refused)?;
    if to == ExportFormat::Ctem {
        handover::ctem(record, &stack, &ranked, now).map_err(refused)
    } else {
        handover::signals(record, &stack, &ranked).map_err(refused)
    }
}

fn gaps(coverage: &[plumb_record::CoverageRow]) -> Vec<(String, usize)> {
    let mut found: std::collections::BTreeMap<String, usize> = Default::default();
    for row in coverage.iter().filter(|r| r.unknown > 0) {
        for reason in &row.reasons {
            *found.entry(reason.describe()).or_default() += 1;
        }
    }
    let mut found: Vec<(String, usize)> = found.into_iter().collect();
    found.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    found
}
