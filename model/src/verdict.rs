//! Verdicts: one run's judgement of one resource by one rule, with the leaves that decided it.

use crate::{AccountId, FindingKey, KindId, Region, ResourceId, RuleId, Source, Unknown, Value};
use std::{fmt, str::FromStr, sync::Arc};

/// The four honest outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Positive evidence from a complete read that the rule holds.
    Pass,
    /// Positive evidence that it does not.
    Fail,
    /// The facts that decide were out of reach; see [`Verdict::needs`].
    Unknown,
    /// The rule does not speak about this resource.
    NotApplicable,
}

impl Outcome {
    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::NotApplicable => "not_applicable",
        }
    }

    /// How much somebody has to do about it, most first: 3 for a failure, then unknown, pass, and 0 for not applicable.
    pub fn urgency(self) -> u8 {
        match self {
            Self::Fail => 3,
            Self::Unknown => 2,
            Self::Pass => 1,
            Self::NotApplicable => 0,
        }
    }
}

/// How bad a failure is before any context is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Hardening.
    Low,
    /// A weakness that needs another to hurt.
    Medium,
    /// A weakness that hurts by itself.
    High,
    /// Act today.
    Critical,
}

impl Severity {
    /// From least to most severe.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Severity {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|s| s.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("unknown severity `{text}`; one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// One comparison that decided a verdict: where we looked, what was there, what the rule wants, who said so.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Leaf {
    /// The place in the resource: `ingress[0].port_from`.
    pub path: Arc<str>,
    /// What was found there.
    pub observed: Value,
    /// What the rule wants, as it would be written in a rule: `<= 90`.
    pub expected: Arc<str>,
    /// The answer or the line of code that said so.
    pub source: Source,
}

/// One rule's judgement of one resource (or of one part of it) in one run.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Verdict {
    /// The rule.
    pub rule: RuleId,
    /// The kind of the resource.
    pub kind: KindId,
    /// The account the resource is in.
    pub account: AccountId,
    /// The region the resource is in.
    pub region: Region,
    /// The resource.
    pub resource: ResourceId,
    /// Its everyday name.
    pub name: Arc<str>,
    /// Which part of the resource, when a rule judges parts (an access key of a user); else empty.
    pub sub_key: Arc<str>,
    /// The judgement.
    pub outcome: Outcome,
    /// What was missing; empty unless the outcome is unknown.
    pub needs: Vec<Arc<Unknown>>,
    /// The leaves that decided.
    pub because: Vec<Leaf>,
}

impl Verdict {
    /// The outward name of the finding this verdict belongs to.
    pub fn key(&self) -> FindingKey {
        FindingKey::new(&self.rule, &self.account, &self.resource, &self.sub_key)
    }
}
