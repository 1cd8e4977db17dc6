//! OSCAL assessment results and plan of action and milestones (version 1.1.3 of the model; valid in 1.2 too).

use crate::decision::{Decision, Status};
use crate::finding::{Finding, machine::State};
use crate::framework::{Alignment, Standing};
use crate::log::text::hex;
use plumb_model::{RuleId, Time};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

const VERSION: &str = "1.1.3";
const NS: &str = "https://plumbline.dev/ns/oscal";

/// A name-based UUID that is the same in every export of the same thing. The model allows versions 4 and 5 only; this is
/// shaped as version 5, with SHA-256 in place of SHA-1.
pub fn uuid(kind: &str, name: &str) -> String {
    let mut hash: [u8; 32] = Sha256::new().chain_update(kind).chain_update([0]).chain_update(name).finalize().into();
    hash[6] = hash[6] & 0x0f | 0x50;
    hash[8] = hash[8] & 0x3f | 0x80;
    let h = hex(&hash);
    let part = |a: usize, b: usize| h.get(a..b).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

/// One line of text that OSCAL accepts as a string: not empty, no space at either end, no line breaks.
fn line(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.is_empty() { "not stated".into() } else { flat }
}

/// An OSCAL token: begins with a letter. Control numbers such as `1.2.3` get a leading `c`.
fn token(text: &str) -> String {
    let mut out: String =
        text.chars().map(|c| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' }).collect();
    if !out.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        out.insert(0, 'c');
    }
    out
}

fn metadata(title: &str, at: Time, version: &str) -> Json {
    json!({
        "title": line(title), "last-modified": at.to_string(), "version": line(version), "oscal-version": VERSION,
        "roles": [{ "id": "assessor", "title": "Automated assessor" }],
    })
}

fn prop(name: &str, value: &str) -> Json {
    json!({ "name": name, "ns": NS, "value": line(value) })
}

fn observation(f: &Finding) -> Json {
    let facts = &f.facts;
    let evidence: Vec<_> = f
        .evidence
        .iter()
        .map(|e| json!({ "href": e.uri.replace(' ', "%20"), "description": "Captured configuration", "props": [prop("sha256", &e.sha256)] }))
        .collect();
    json!({
        "uuid": uuid("observation", f.id.as_str()),
        "title": line(facts.rule.as_str()),
        "description": line(&facts.why),
        "methods": ["TEST-AUTOMATED"],
        "types": ["finding"],
        "collected": f.last_evaluated.to_string(),
        "subjects": [{
            "subject-uuid": uuid("resource", facts.resource.as_str()), "type": "inventory-item",
            "title": line(facts.resource.as_str()),
            "props": [prop("account", facts.account.as_str()), prop("region", facts.region.as_str())],
        }],
        "relevant-evidence": evidence,
    })
}

fn risk(f: &Finding, decisions: &BTreeMap<&str, &Decision>, now: Time) -> Json {
    let facts = &f.facts;
    let mut out = json!({
        "uuid": uuid("risk", f.id.as_str()),
        "title": line(&facts.title),
        "description": line(&format!("Not so: {}", facts.title)),
        "statement": line(&facts.why),
        "status": f.state().oscal(),
        "props": [prop("finding", f.id.as_str()), prop("state", f.state().name()), prop("lane", facts.lane().name())],
        "characterizations": [{
            "origin": { "actors": [{ "type": "tool", "actor-uuid": uuid("tool", "plumbline") }] },
            "facets": [
                { "name": "points", "system": format!("{NS}/score"), "value": format!("{}.{}", facts.points / 10, facts.points % 10) },
                { "name": "severity", "system": format!("{NS}/severity"), "value": facts.severity.name() },
            ],
        }],
        "related-observations": [{ "observation-uuid": uuid("observation", f.id.as_str()) }],
    });
    let decision = f.decision().and_then(|d| decisions.get(d.as_str()));
    let deadline =
        decision.filter(|d| d.status == Status::InForce).and_then(|d| d.expires_at()).or_else(|| f.clock().due(now));
    if let Some(at) = deadline {
        out["deadline"] = at.to_string().into();
    }
    if let Some(d) = decision {
        out["risk-log"] = json!({ "entries": [{
            "uuid": uuid("risk-log", &format!("{}/{}", f.id, d.number)),
            "title": line(&format!("{} {}", d.number, d.status)),
            "description": line(&d.draft.justification),
            "start": d.requested_at.to_string(),
            "status-change": f.state().oscal(),
        }]});
    }
    if let Some(plan) = f.plan() {
        out["remediations"] = json!([{
            "uuid": uuid("remediation", f.id.as_str()), "lifecycle": "planned", "title": line(plan), "description": line(plan),
        }]);
    }
    out
}

/// What is assessed: the findings and controls of one period.
#[derive(Debug, Clone, Copy)]
pub struct Assessed<'a> {
    /// What the documents are about.
    pub scope: &'a str,
    /// From.
    pub from: Time,
    /// To.
    pub to: Time,
    /// When the documents were made.
    pub now: Time,
    /// The product's version.
    pub product: &'a str,
    /// Findings that are not closed, and those closed in the period.
    pub findings: &'a [Finding],
    /// The register.
    pub decisions: &'a [Decision],
    /// The frameworks reported on.
    pub alignments: &'a [Alignment],
}

fn by_number(decisions: &[Decision]) -> BTreeMap<&str, &Decision> {
    decisions.iter().map(|d| (d.number.as_str(), d)).collect()
}

/// The assessment results. Controls that nobody assessed are reviewed, but have no finding: nothing is claimed for them.
pub fn assessment_results(a: &Assessed<'_>) -> Json {
    let decisions = by_number(a.decisions);
    let live: Vec<_> = a.findings.iter().filter(|f| f.state() != State::Superseded).collect();
    let mut by_rule: BTreeMap<&RuleId, Vec<&Finding>> = BTreeMap::new();
    for f in live.iter().filter(|f| !f.state().is_final()) {
        by_rule.entry(&f.facts.rule).or_default().push(f);
    }
    let mut controls = BTreeSet::new();
    let mut findings = Vec::new();
    for row in a.alignments.iter().flat_map(|al| &al.rows) {
        let id = token(&row.control.id);
        controls.insert(id.clone());
        let state = match row.standing {
            Standing::NotAssessed | Standing::NeedsAttestation | Standing::NotApplicable => continue,
            Standing::NotSatisfied => "not-satisfied",
            _ => "satisfied",
        };
        let mine: Vec<_> = row.control.rules.iter().filter_map(|r| by_rule.get(r)).flatten().collect();
        let mut finding = json!({
            "uuid": uuid("finding", &format!("{}/{}", row.control.framework, row.control.id)),
            "title": line(&format!("{} {}", row.control.id, row.standing)),
            "description": line(&row.why),
            "props": [prop("framework", &row.control.framework), prop("control", &row.control.id), prop("standing", row.standing.name())],
            "target": {
                "type": "objective-id", "target-id": id,
                "status": { "state": state, "reason": if state == "satisfied" { "pass" } else { "fail" } },
            },
        });
        if !mine.is_empty() {
            finding["related-observations"] =
                mine.iter().map(|f| json!({ "observation-uuid": uuid("observation", f.id.as_str()) })).collect();
            finding["related-risks"] =
                mine.iter().map(|f| json!({ "risk-uuid": uuid("risk", f.id.as_str()) })).collect();
        }
        findings.push(finding);
    }
    let selection = if controls.is_empty() {
        json!({ "include-all": {} })
    } else {
        json!({ "include-controls": controls.iter().map(|c| json!({ "control-id": c })).collect::<Vec<_>>() })
    };
    let mut result = json!({
        "uuid": uuid("result", &format!("{}/{}/{}", a.scope, a.from, a.to)),
        "title": line(&format!("Cloud posture of {}", a.scope)),
        "description": "Configuration, identity and exposure as the providers' interfaces state them",
        "start": a.from.to_string(),
        "end": a.to.to_string(),
        "reviewed-controls": { "control-selections": [selection] },
    });
    if !live.is_empty() {
        result["observations"] = live.iter().map(|f| observation(f)).collect();
        result["risks"] = live.iter().map(|f| risk(f, &decisions, a.now)).collect();
    }
    if !findings.is_empty() {
        result["findings"] = findings.into();
    }
    json!({ "assessment-results": {
        "uuid": uuid("assessment-results", &format!("{}/{}/{}", a.scope, a.from, a.to)),
        "metadata": metadata(&format!("Assessment results: {}", a.scope), a.now, a.product),
        "import-ap": { "href": "#", "remarks": "Continuous assessment without a separate plan document" },
        "results": [result],
    }})
}

/// The plan of action and milestones; none when nothing is open, because the model has no empty plan.
pub fn poam(a: &Assessed<'_>) -> Option<Json> {
    let decisions = by_number(a.decisions);
    let open: Vec<_> = a.findings.iter().filter(|f| !f.state().is_final()).collect();
    if open.is_empty() {
        return None;
    }
    let item = |f: &&Finding| {
        json!({
            "uuid": uuid("poam-item", f.id.as_str()),
            "title": line(&f.facts.title),
            "description": line(&format!("{} in {}: {}", f.facts.name, f.facts.account, f.facts.why)),
            "props": [prop("finding", f.id.as_str()), prop("owner", f.team().map_or("nobody", |t| t.as_str()))],
            "related-observations": [{ "observation-uuid": uuid("observation", f.id.as_str()) }],
            "related-risks": [{ "risk-uuid": uuid("risk", f.id.as_str()) }],
        })
    };
    Some(json!({ "plan-of-action-and-milestones": {
        "uuid": uuid("poam", &format!("{}/{}", a.scope, a.to)),
        "metadata": metadata(&format!("Plan of action and milestones: {}", a.scope), a.now, a.product),
        "system-id": { "id": line(a.scope), "identifier-type": "https://ietf.org/rfc/rfc4122" },
        "observations": open.iter().map(|f| observation(f)).collect::<Vec<_>>(),
        "risks": open.iter().map(|f| risk(f, &decisions, a.now)).collect::<Vec<_>>(),
        "poam-items": open.iter().map(item).collect::<Vec<_>>(),
    }}))
}
