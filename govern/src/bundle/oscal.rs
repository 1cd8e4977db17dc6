//! OSCAL assessment results and plan of action and milestones (version 1.1.3 of the model; valid in 1.2 too).

use super::Input;
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

/// What every document of a bundle is about.
pub struct Frame<'a> {
    scope: &'a str,
    from: Time,
    to: Time,
    now: Time,
    product: &'a str,
    decisions: BTreeMap<&'a str, &'a Decision>,
    alignments: &'a [Alignment],
}

/// The findings of one document, as their pieces of it.
#[derive(Debug, Default)]
pub struct Part {
    /// The number of the part begun last; 0 while everything fits in one.
    number: usize,
    taken: usize,
    /// Observations and risks of what is not superseded, and whether it is open.
    observations: Vec<(String, bool)>,
    risks: Vec<(String, bool)>,
    items: Vec<String>,
    open_by_rule: BTreeMap<RuleId, Vec<String>>,
}

impl Part {
    /// How many findings it was given.
    pub(super) fn len(&self) -> usize {
        self.taken
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// This part is one of several.
    pub(super) fn begin(&mut self) {
        self.number += 1;
    }

    /// Empties it for the next.
    pub(super) fn clear(&mut self) {
        *self = Self { number: self.number, ..Self::default() };
    }

    /// Takes a finding.
    pub(super) fn add(&mut self, frame: &Frame<'_>, f: &Finding) {
        self.taken += 1;
        let open = !f.state().is_final();
        // What replaces a finding stands for it; an open one is planned for.
        if f.state() != State::Superseded {
            self.observations.push((observation(f).to_string(), open));
            self.risks.push((risk(f, &frame.decisions, frame.now).to_string(), open));
        }
        if open {
            self.items.push(item(f).to_string());
            self.open_by_rule.entry(f.facts.rule.clone()).or_default().push(f.id.to_string());
        }
    }
}

fn item(f: &Finding) -> Json {
    json!({
        "uuid": uuid("poam-item", f.id.as_str()),
        "title": line(&f.facts.title),
        "description": line(&format!("{} in {}: {}", f.facts.name, f.facts.account, f.facts.why)),
        "props": [prop("finding", f.id.as_str()), prop("owner", f.team().map_or("nobody", |t| t.as_str()))],
        "related-observations": [{ "observation-uuid": uuid("observation", f.id.as_str()) }],
        "related-risks": [{ "risk-uuid": uuid("risk", f.id.as_str()) }],
    })
}

/// A JSON object with more members, each a list of what is JSON already.
fn with_lists(object: &Json, lists: &[(&str, Vec<&str>)]) -> Result<String, serde_json::Error> {
    let mut out = serde_json::to_string(object)?;
    out.pop();
    for (name, pieces) in lists.iter().filter(|(_, pieces)| !pieces.is_empty()) {
        out += &format!(",\"{name}\":[\n{}\n]", pieces.join(",\n"));
    }
    out.push('}');
    Ok(out)
}

impl<'a> Frame<'a> {
    /// What a bundle says of itself.
    pub(super) fn new(input: &Input<'a>) -> Self {
        Self {
            scope: input.scope,
            from: input.from,
            to: input.to,
            now: input.made_at,
            product: input.product,
            decisions: input.decisions.iter().map(|d| (d.number.as_str(), d)).collect(),
            alignments: input.alignments,
        }
    }

    /// What tells one document from another: the scope and period, and the part where there are several.
    fn name(&self, number: usize) -> String {
        let part = if number == 0 { String::new() } else { format!("/part {number}") };
        format!("{}/{}/{}{part}", self.scope, self.from, self.to)
    }

    /// Controls with what is said of each. Controls that nobody assessed are reviewed, but have no finding: nothing is claimed
    /// for them.
    fn controls(&self, linked: Option<&Part>) -> (BTreeSet<String>, Vec<Json>) {
        let mut controls = BTreeSet::new();
        let mut findings = Vec::new();
        for row in self.alignments.iter().flat_map(|al| &al.rows) {
            let id = token(&row.control.id);
            controls.insert(id.clone());
            let state = match row.standing {
                Standing::NotAssessed | Standing::NeedsAttestation | Standing::NotApplicable => continue,
                Standing::NotSatisfied => "not-satisfied",
                _ => "satisfied",
            };
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
            let rules = row.control.rules.iter();
            let mine: Vec<&String> = linked
                .into_iter()
                .flat_map(|p| rules.clone().filter_map(|r| p.open_by_rule.get(r)).flatten())
                .collect();
            if !mine.is_empty() {
                finding["related-observations"] =
                    mine.iter().map(|f| json!({ "observation-uuid": uuid("observation", f) })).collect();
                finding["related-risks"] = mine.iter().map(|f| json!({ "risk-uuid": uuid("risk", f) })).collect();
            }
            findings.push(finding);
        }
        (controls, findings)
    }

    /// The assessment results of a part; `controls` for the document that says how these stand.
    pub(super) fn assessment_results(&self, part: &Part, controls: bool) -> Result<Vec<u8>, serde_json::Error> {
        // The document with the controls of several parts is apart from all of them.
        let number = if controls { 0 } else { part.number };
        let (ids, findings) = self.controls(Some(part).filter(|p| p.number == 0));
        let selection = if ids.is_empty() {
            json!({ "include-all": {} })
        } else {
            json!({ "include-controls": ids.iter().map(|c| json!({ "control-id": c })).collect::<Vec<_>>() })
        };
        let which = if number == 0 { String::new() } else { format!(", part {number}") };
        let result = json!({
            "uuid": uuid("result", &self.name(number)),
            "title": line(&format!("Cloud posture of {}{which}", self.scope)),
            "description": "Configuration, identity and exposure as the providers' interfaces state them",
            "start": self.from.to_string(),
            "end": self.to.to_string(),
            "reviewed-controls": { "control-selections": [selection] },
        });
        let findings: Vec<String> = findings.iter().filter(|_| controls).map(Json::to_string).collect();
        let result = with_lists(
            &result,
            &[
                ("observations", part.observations.iter().map(|(text, _)| text.as_str()).collect()),
                ("risks", part.risks.iter().map(|(text, _)| text.as_str()).collect()),
                ("findings", findings.iter().map(String::as_str).collect()),
            ],
        )?;
        let whole = json!({
            "uuid": uuid("assessment-results", &self.name(number)),
            "metadata": metadata(&format!("Assessment results: {}{which}", self.scope), self.now, self.product),
            "import-ap": { "href": "#", "remarks": "Continuous assessment without a separate plan document" },
        });
        let whole = with_lists(&whole, &[("results", vec![result.as_str()])])?;
        Ok(format!("{{\"assessment-results\":{whole}}}\n").into_bytes())
    }

    /// The plan of action and milestones of a part; none when nothing in it is open, because the model has no empty plan.
    pub(super) fn poam(&self, part: &Part) -> Result<Option<Vec<u8>>, serde_json::Error> {
        if part.items.is_empty() {
            return Ok(None);
        }
        let which = if part.number == 0 { String::new() } else { format!(", part {}", part.number) };
        let about = if part.number == 0 { String::new() } else { format!("/part {}", part.number) };
        let open = |pieces: &'_ [(String, bool)]| -> Vec<String> {
            pieces.iter().filter(|(_, open)| *open).map(|(text, _)| text.clone()).collect()
        };
        let (observations, risks) = (open(&part.observations), open(&part.risks));
        let plan = json!({
            "uuid": uuid("poam", &format!("{}/{}{about}", self.scope, self.to)),
            "metadata": metadata(&format!("Plan of action and milestones: {}{which}", self.scope), self.now, self.product),
            "system-id": { "id": line(self.scope), "identifier-type": "https://ietf.org/rfc/rfc4122" },
        });
        let plan = with_lists(
            &plan,
            &[
                ("observations", observations.iter().map(String::as_str).collect()),
                ("risks", risks.iter().map(String::as_str).collect()),
                ("poam-items", part.items.iter().map(String::as_str).collect()),
            ],
        )?;
        Ok(Some(format!("{{\"plan-of-action-and-milestones\":{plan}}}\n").into_bytes()))
    }
}
