//! What goes to programmes beside this one, one JSON object a line: the signal stack of every open finding for a
//! vulnerability-prioritisation policy (`plumb.signals/1`), and what continuous threat exposure management takes in its
//! Discovery and Prioritisation stages (`plumb.ctem/1`). The documentation of both is `docs/handover.md`, and a JSON schema
//! stands beside it; members may be added, none is renamed within a version.

use crate::{govern::GovernError, govern::profiles, signals::Stack};
use plumb_catalog::Catalog;
use plumb_model::Time;
use plumb_record::{FindingRow, Query, Record};
use plumb_score::{Explanation, Policy, Score, order, score};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// The version of the signal stack's line.
pub const SIGNALS: &str = "plumb.signals/1";
/// The version of the lines for exposure management.
pub const CTEM: &str = "plumb.ctem/1";

/// An open finding with its explained score.
pub struct Ranked {
    /// The finding.
    pub finding: FindingRow,
    /// Its score.
    pub score: Score,
    /// Why.
    pub explained: Explanation,
    /// Whether its rule is a hard one here.
    pub hard: bool,
}

/// Every open finding the query names, most pressing first.
///
/// # Errors
/// The record fails.
pub fn ranked(
    record: &Record,
    stack: &Stack,
    catalog: &Catalog,
    policy: &Policy,
    query: &Query,
    now: Time,
) -> Result<Vec<Ranked>, GovernError> {
    let one = |finding: FindingRow| {
        let stacked = stack.signals(&finding, catalog, policy);
        let (score, hard) = (score(&stacked.0, policy), stacked.0.hard);
        Ranked { explained: stack.explain(stacked, policy, now, None), finding, score, hard }
    };
    let mut out: Vec<Ranked> = record.findings(query)?.into_iter().map(one).collect();
    let seen = |r: &Ranked| r.finding.first_seen.parse::<Time>().ok();
    out.sort_by(|a, b| order((&a.score, None, seen(a), &a.finding.key), (&b.score, None, seen(b), &b.finding.key)));
    Ok(out)
}

/// The lines of the signal stack.
///
/// # Errors
/// The record fails.
pub fn signals(record: &Record, stack: &Stack, ranked: &[Ranked]) -> Result<Vec<Json>, GovernError> {
    let owners = profiles(record)?;
    Ok(ranked.iter().map(|r| Json::Object(signal_line(stack, r, &owners))).collect())
}

fn signal_line(stack: &Stack, r: &Ranked, owners: &BTreeMap<String, crate::govern::Profile>) -> Map<String, Json> {
    let (f, e) = (&r.finding, &r.explained);
    let flaws: Vec<Json> = stack
        .vulnerabilities(&f.resource)
        .into_iter()
        .map(|(cve, cvss)| {
            let kev = stack.feeds.known_exploited(cve);
            json!({
                "cve": cve,
                "cvss31_base": cvss.and_then(|c| c.base_tenths).map(|t| f64::from(t) / 10.0),
                "cvss_vector": cvss.map(|c| c.vector.as_str()).filter(|v| !v.is_empty()),
                "cvss31_severity": cvss.and_then(crate::scores::Cvss::severity),
                "epss": stack.feeds.epss_millionths(cve).map(|m| f64::from(m) / 1e6),
                "kev": kev.is_some(),
                "kev_ransomware": kev.is_some_and(|k| k.ransomware),
                "kev_due": kev.and_then(|k| k.due).map(|t| t.date()),
            })
        })
        .collect();
    let owner = owners.get(&f.account).and_then(|p| p.team.clone().or_else(|| p.owner.clone()));
    let line = json!({
        "schema": SIGNALS,
        "finding": f.id, "key": f.key, "rule": f.rule, "title": f.title, "topic": f.topic,
        "account": f.account, "region": f.region, "kind": f.kind, "resource": f.resource, "name": f.name, "part": f.sub_key,
        "state": f.state, "first_seen": f.first_seen, "last_seen": f.last_seen, "owner": owner,
        "signals": e.contributions, "hard": r.hard, "vulnerabilities": flaws,
        "points": e.points, "score": e.score, "lane": e.lane, "lane_name": e.lane.name(), "policy": e.policy, "as_of": e.as_of,
        "what_if": e.what_if, "unknowns": e.unknowns, "data_sets": e.data_sets, "warnings": e.warnings,
        "sentence": e.sentence(),
    });
    match line {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

/// The lines for exposure management: what there is and what is open (`discovery`), then what matters and which ways in
/// (`prioritisation`). What was not looked at is a line of its own.
///
/// # Errors
/// The record fails.
pub fn ctem(record: &Record, stack: &Stack, ranked: &[Ranked], now: Time) -> Result<Vec<Json>, GovernError> {
    let mut out = Vec::new();
    let mut line = |stage: &str, kind: &str, mut body: Json| {
        if let Some(object) = body.as_object_mut() {
            object.insert("schema".into(), json!(CTEM));
            object.insert("stage".into(), json!(stage));
            object.insert("type".into(), json!(kind));
            object.insert("as_of".into(), json!(now));
        }
        out.push(body);
    };
    let scanned: BTreeMap<String, _> = record.accounts()?.into_iter().map(|a| (a.id.clone(), a)).collect();
    for (key, a) in &stack.estate.accounts {
        let scan = scanned.get(&a.native_id);
        line(
            "discovery",
            "asset",
            json!({
                "id": key.to_string(), "account": a.native_id, "provider": a.provider, "name": a.facts.name, "state": a.state,
                "owner": a.facts.owner_team.clone().or_else(|| a.facts.owner_person.clone()), "tier": a.tier(),
                "data_classes": a.data_classes(), "known_to": a.sources.keys().collect::<Vec<_>>(), "missing_in": a.gaps,
                "third_party": a.third_party, "scan": scan.map(|s| json!({ "state": s.state, "reason": s.reason })),
                "assessed": scan.is_some_and(|s| s.state == "active"),
            }),
        );
    }
    for e in record.exposures(None)?.into_iter().filter(|e| e.row.class != "internal" && e.row.class != "gone") {
        line(
            "discovery",
            "exposure",
            json!({
                "id": e.row.resource, "account": e.row.account, "region": e.row.region, "kind": e.row.kind, "name": e.row.name,
                "class": e.row.class, "at_most": e.row.at_most, "since": e.since, "first_seen": e.first_seen,
                "last_seen": e.last_seen, "stale": e.stale, "needs": e.row.needs, "proof_steps": e.row.proof.len(),
            }),
        );
    }
    record.each_coverage(None, |row| -> Result<(), GovernError> {
        if row.unknown == 0 {
            return Ok(());
        }
        let reasons: Vec<String> = row.reasons.iter().map(plumb_model::Unknown::describe).collect();
        line(
            "discovery",
            "not-assessed",
            json!({ "id": format!("{}/{}/{}/{}", row.account, row.region, row.kind, row.rule), "account": row.account,
                "region": row.region, "kind": row.kind, "rule": row.rule, "places": row.unknown, "because": reasons }),
        );
        Ok(())
    })?;
    let owners = profiles(record)?;
    for r in ranked {
        let mut body = signal_line(stack, r, &owners);
        body.insert("id".into(), json!(r.finding.id));
        line("prioritisation", "finding", Json::Object(body));
    }
    let paths = "SELECT account, family, title, severity, certain, first_seen, last_seen, paths, goals FROM paths WHERE gone IS NULL ORDER BY 1, 2";
    let found = record.query(paths)?;
    for row in found.rows {
        let body: Map<String, Json> = found.columns.iter().cloned().zip(row).collect();
        let text = |name: &str| body.get(name).cloned().unwrap_or_default();
        let goals = text("goals").as_str().and_then(|g| serde_json::from_str::<Json>(g).ok()).unwrap_or_default();
        line(
            "prioritisation",
            "path",
            json!({
                "id": text("family"), "account": text("account"), "title": text("title"), "severity": text("severity"),
                "certain": text("certain").as_i64() == Some(1) || text("certain") == Json::Bool(true),
                "first_seen": text("first_seen"), "last_seen": text("last_seen"), "ways": text("paths"), "goals": goals,
            }),
        );
    }
    Ok(out)
}
