//! `plumb verdicts`: the machine contract.

use crate::{
    args::{Format, Globals, RuleFilter, VerdictArgs},
    context, out,
    out::Failure,
};
use plumb_catalog::Catalog;
use plumb_evaluate::{Explain, RuleSet};
use plumb_model::{Leaf, Severity, Time, Verdict};
use plumb_record::{Record, ScanId, ScanRow};
use plumb_run::facts_on_record;
use serde_json::{Value as Json, json};
use std::io::Write;

/// Leaves as they are printed.
pub fn leaves(because: &[Leaf]) -> Json {
    because
        .iter()
        .map(|l| json!({ "path": l.path, "observed": l.observed.to_plain_json(), "expected": l.expected, "source": l.source.to_string() }))
        .collect()
}

/// A verdict as the contract prints it.
pub fn row(catalog: &Catalog, v: &Verdict, severity: Severity) -> Json {
    let rule = catalog.rules.get(&v.rule);
    json!({
        "rule": v.rule,
        "aliases": rule.map(|r| r.aliases.clone()).unwrap_or_default(),
        "kind": v.kind,
        "account": v.account,
        "region": v.region,
        "resource": v.resource,
        "name": v.name,
        "sub_key": v.sub_key,
        "outcome": v.outcome.name(),
        "needs": v.needs.iter().map(|n| if n.permission.is_empty() { n.describe() } else { n.permission.clone() }).collect::<Vec<_>>(),
        "because": leaves(&v.because),
        "topic": rule.map(|r| r.topic.clone()),
        "severity": severity,
        "finding": v.key().short(),
    })
}

/// Judges what a scan read once more, and hands every verdict over with its explanation.
pub fn each_verdict(
    globals: &Globals,
    record: &Record,
    catalog: &Catalog,
    scan: &ScanRow,
    account: Option<&str>,
    mut take: impl FnMut(&Verdict, Severity) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let list = |name: &str| -> Vec<String> {
        let items = scan.scope.get(name).and_then(Json::as_array);
        items.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let filter = RuleFilter {
        checks: list("checks"),
        skip_checks: list("skip_checks"),
        services: list("services"),
        severity: scan.scope.get("severity").and_then(Json::as_str).map(str::to_owned),
        frameworks: list("frameworks"),
    };
    let rules: RuleSet = context::live_rules(globals, catalog, &filter, "aws")?;
    if rules.digest() != scan.rules_digest {
        out::note(
            globals,
            "plumb: rules or parameters have changed since this scan; these are the verdicts by today's",
        );
    }
    let judging = plumb_run::baselines::Judging::of_scan(record, catalog, &rules, ScanId(scan.id.0))?;
    let labels: std::collections::BTreeMap<String, String> = plumb_run::baselines::runs(record)?
        .into_iter()
        .filter(|r| r.scan == scan.id.0)
        .map(|r| (r.run.account.to_string(), r.run.baseline))
        .collect();
    let latest = record.scan(None)?.id == scan.id;
    let now: Time = scan.judged_at.parse()?;
    for row in record.accounts()? {
        if account.is_some_and(|wanted| wanted != row.id) {
            continue;
        }
        let facts = facts_on_record(&row);
        let label = labels.get(&row.id).map_or(plumb_run::baselines::CATALOG, String::as_str);
        plumb_run::judge_account::<Failure>(
            record,
            judging.labelled(label).rules,
            ScanId(scan.id.0),
            &facts,
            now,
            Explain::Everything,
            !latest,
            |_| Ok(()),
            &mut take,
        )?;
    }
    Ok(())
}

/// `plumb verdicts`
pub fn run(globals: &Globals, args: VerdictArgs) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let catalog = context::catalog(globals)?;
    let scan = record.scan(args.scan.map(ScanId))?;
    let account = args.account.as_deref();
    context::known_account(&record, account)?;
    match out::format(globals) {
        Format::Jsonl | Format::Json => {
            let whole = out::format(globals) == Format::Json;
            let mut sink = std::io::BufWriter::new(std::io::stdout().lock());
            let mut first = true;
            let mut put = |text: &str| {
                if let Err(error) = sink.write_all(text.as_bytes()) {
                    out::unwritten(&error);
                }
            };
            if whole {
                put("[");
            }
            let known: std::collections::BTreeMap<String, Json> = record
                .accounts()?
                .iter()
                .map(|a| {
                    let facts = facts_on_record(a);
                    (facts.id, json!({ "tier": facts.tier, "data_classes": facts.data_classes }))
                })
                .collect();
            each_verdict(globals, &record, &catalog, &scan, account, |v, severity| {
                if whole && !first {
                    put(",");
                }
                first = false;
                let mut line = row(&catalog, v, severity);
                if let (Some(object), Some(about)) = (line.as_object_mut(), known.get(v.account.as_str())) {
                    object.insert("account_facts".into(), about.clone());
                }
                put(&line.to_string());
                put("\n");
                Ok(())
            })?;
            if whole {
                put("]\n");
            }
            let _ = sink.flush();
        }
        _ => {
            let mut rows = Vec::new();
            each_verdict(globals, &record, &catalog, &scan, account, |v, severity| {
                let resource = super::scan::short(v.resource.as_str(), 58);
                rows.push(vec![
                    v.outcome.name().into(),
                    severity.to_string(),
                    v.rule.to_string(),
                    resource,
                    v.sub_key.to_string(),
                ]);
                Ok(())
            })?;
            out::table(&["outcome", "severity", "rule", "resource", "part"], &rows);
        }
    }
    Ok(0)
}
