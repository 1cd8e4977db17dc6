//! The records of the configuration baseline: the standing baseline per tier, its runs, and approved deviations.

use crate::{drift::equal, shape::Field};
use plumb_model::{AccountId, Resource, ResourceId, RuleId, Severity, Time, Value};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Where a baseline stands. An active one is never changed: a change is a new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Being written.
    Draft,
    /// In force.
    Active,
    /// Replaced.
    Retired,
}

/// A rule of a baseline.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BaselineRule {
    /// The rule.
    pub rule: RuleId,
    /// Its parameters, where they differ from the page's.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
    /// Its severity, where it differs from the page's.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// Whether failing it is a hard-baseline failure.
    #[serde(default)]
    pub hard: bool,
}

/// The standing baseline of some tiers of account at some providers.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Baseline {
    /// `tier-one`.
    pub name: String,
    /// Three numbers with points.
    pub version: String,
    /// The tiers it stands for: `tier1`, `production` …
    pub tiers: BTreeSet<Arc<str>>,
    /// The providers: `aws`, `azure`, `gcp`.
    pub providers: BTreeSet<Arc<str>>,
    /// Its rules.
    pub rules: Vec<BaselineRule>,
    /// Whether rules it does not name are left out for its accounts; else they are judged as their pages say.
    #[serde(default)]
    pub only: bool,
    /// Values of fields that were approved with it; a resource that has another one has drifted.
    #[serde(default)]
    pub values: Vec<crate::Approved>,
    /// Where it stands.
    pub status: Status,
    /// Who wrote it.
    pub author: String,
    /// Who approved it; never its author.
    pub approved_by: Vec<String>,
    /// From when it is in force.
    pub effective_from: Option<Time>,
}

/// What is wrong with a set of baselines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// Active without another person's approval.
    #[error("baseline `{0}` is active but nobody other than its author approved it")]
    NotApproved(String),
    /// Two stand for the same accounts.
    #[error("baselines `{first}` and `{second}` are both active for {tier} accounts of {provider}; exactly one may be")]
    Two {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// The tier.
        tier: Arc<str>,
        /// The provider.
        provider: Arc<str>,
    },
    /// A rule twice.
    #[error("baseline `{name}` names rule `{rule}` twice")]
    Repeated {
        /// The baseline.
        name: String,
        /// The rule.
        rule: RuleId,
    },
    /// The version is not `1.2.3`.
    #[error("baseline `{name}` has version `{version}`; three numbers like 1.2.3 are right")]
    Version {
        /// The baseline.
        name: String,
        /// Its version.
        version: String,
    },
}

impl Baseline {
    /// Name and version: `tier-one@1.2.0`.
    pub fn label(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// What it says of a rule, if it names it.
    pub fn rule(&self, rule: &RuleId) -> Option<&BaselineRule> {
        self.rules.iter().find(|r| r.rule == *rule)
    }

    /// Whether another stands for some account this one stands for.
    pub fn meets(&self, other: &Baseline) -> bool {
        self.tiers.iter().any(|t| other.tiers.contains(t)) && self.providers.iter().any(|p| other.providers.contains(p))
    }

    /// Whether it stands for every account `other` stands for.
    pub fn covers(&self, other: &Baseline) -> bool {
        self.tiers.is_superset(&other.tiers) && self.providers.is_superset(&other.providers)
    }
}

/// Three numbers with points, as numbers that sort; none for anything else.
pub fn version_of(text: &str) -> Option<[u32; 3]> {
    let parts: Vec<u32> = text.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    parts.try_into().ok()
}

/// One way in which two versions of a baseline differ.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Edit {
    /// The rule, `values`, `tiers`, `providers` or `only`.
    pub place: String,
    /// What the one says; null when it is silent.
    pub before: serde_json::Value,
    /// What the other says.
    pub after: serde_json::Value,
}

/// What `after` says otherwise than `before`, by rule.
pub fn differences(before: &Baseline, after: &Baseline) -> Vec<Edit> {
    use serde_json::{Value as Json, json};
    let parts = |b: &Baseline| -> BTreeMap<String, Json> {
        let rules = b.rules.iter().map(|r| {
            let plain: BTreeMap<&String, Json> = r.parameters.iter().map(|(n, v)| (n, v.to_plain_json())).collect();
            (r.rule.to_string(), json!({ "parameters": plain, "severity": r.severity, "hard": r.hard }))
        });
        let values = b.values.iter().map(|v| {
            let of = v.resource.as_ref().map_or_else(|| "*".to_owned(), ToString::to_string);
            (format!("values.{} {of} {}", v.kind, v.field), v.value.to_plain_json())
        });
        let own = [
            ("tiers".to_owned(), json!(b.tiers)),
            ("providers".to_owned(), json!(b.providers)),
            ("only".to_owned(), json!(b.only)),
        ];
        rules.chain(values).chain(own).collect()
    };
    let (old, new) = (parts(before), parts(after));
    let places: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let edit = |place: &String| {
        let (a, b) = (old.get(place).unwrap_or(&Json::Null), new.get(place).unwrap_or(&Json::Null));
        (a != b).then(|| Edit { place: place.clone(), before: a.clone(), after: b.clone() })
    };
    places.into_iter().filter_map(edit).collect()
}

/// Checks a set of baselines and names everything wrong.
pub fn check(baselines: &[Baseline]) -> Vec<BaselineError> {
    let mut out = Vec::new();
    let mut stands: BTreeMap<(&Arc<str>, &Arc<str>), &Baseline> = BTreeMap::new();
    for b in baselines {
        if version_of(&b.version).is_none() {
            out.push(BaselineError::Version { name: b.name.clone(), version: b.version.clone() });
        }
        let mut seen = BTreeSet::new();
        for r in b.rules.iter().filter(|r| !seen.insert(&r.rule)) {
            out.push(BaselineError::Repeated { name: b.name.clone(), rule: r.rule.clone() });
        }
        if b.status != Status::Active {
            continue;
        }
        if !b.approved_by.iter().any(|p| !p.trim().is_empty() && !p.trim().eq_ignore_ascii_case(b.author.trim())) {
            out.push(BaselineError::NotApproved(b.name.clone()));
        }
        for place in b.tiers.iter().flat_map(|t| b.providers.iter().map(move |p| (t, p))) {
            if let Some(other) = stands.insert(place, b) {
                let (tier, provider) = (place.0.clone(), place.1.clone());
                out.push(BaselineError::Two { first: other.name.clone(), second: b.name.clone(), tier, provider });
            }
        }
    }
    out
}

/// The baseline in force for accounts of a tier at a provider at `now`.
pub fn active<'a>(baselines: &'a [Baseline], tier: &str, provider: &str, now: Time) -> Option<&'a Baseline> {
    baselines.iter().find(|b| {
        b.status == Status::Active
            && b.tiers.iter().any(|t| &**t == tier)
            && b.providers.iter().any(|p| &**p == provider)
            && b.effective_from.is_none_or(|from| from <= now)
    })
}

/// The timestamped record of one scan against a baseline.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BaselineRun {
    /// Name and version of the baseline.
    pub baseline: String,
    /// The account.
    pub account: AccountId,
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Time,
    /// The version of the collector.
    pub collector: String,
    /// [`inputs_digest`] of what was captured.
    pub inputs_digest: String,
    /// Judgements by outcome: pass, fail, unknown, not applicable.
    pub counts: [u64; 4],
}

/// SHA-256 over the captured resources, in lower-case hexadecimal; their order does not matter.
pub fn inputs_digest(resources: &[Resource]) -> String {
    let mut lines: Vec<String> = resources.iter().map(|r| serde_json::to_string(r).unwrap_or_default()).collect();
    lines.sort_unstable();
    let mut hash = Sha256::new();
    for line in &lines {
        hash.update(line.as_bytes());
        hash.update(b"\n");
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// A difference from the baseline that was approved for one account or resource. It covers one value and no other.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Deviation {
    /// The account.
    pub account: AccountId,
    /// The rule it lifts.
    pub rule: RuleId,
    /// The resource; none for every resource the rule speaks about in the account.
    #[serde(default)]
    pub resource: Option<ResourceId>,
    /// The field that differs.
    pub field: Arc<str>,
    /// What the baseline wants.
    pub expected_value: Value,
    /// What is allowed instead.
    pub allowed_value: Value,
    /// Why.
    pub basis: String,
    /// Who answers for it.
    pub owner: String,
    /// Who approved it.
    pub approved_by: Vec<String>,
    /// Until when.
    pub expires_at: Time,
    /// What else ends it.
    pub trigger: String,
}

impl Deviation {
    /// Whether it allows `value` in `field` of this resource at `now`.
    pub fn allows(&self, resource: &Resource, field: &Field, value: &Value, now: Time) -> bool {
        self.account == resource.account
            && self.rule.kind() == resource.kind
            && self.resource.as_ref().is_none_or(|r| *r == resource.id)
            && self.field == field.name
            && now < self.expires_at
            && equal(&self.allowed_value, value, field)
    }
}
