//! What comes under a decision after it was approved.
//!
//! A decision whose selector also covers what comes later was approved by people who saw how bad things were then. That is
//! how far it reaches: a finding that is worse (more severe, more urgent, in a more critical account) stays open for people
//! to decide. What the approvers saw, the draft with its match list, never changes; what came later is kept beside it.

use super::{Brief, Decision, Kind, Status, Subject, Target};
use crate::finding::{Event, Finding};
use crate::ids::FindingId;
use crate::policy::{Lane, Policy, Tier};
use crate::refusal::{Problem, Refusal};
use plumb_model::{Severity, Time};

/// A finding that came under a decision later, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Later {
    /// When.
    pub at: Time,
    /// Its points then.
    pub points: i64,
    /// SHA-256 over its observed values then, hexadecimal; `value-changes` compares with it.
    pub value_digest: String,
}

/// How far a decision in force reaches beyond what it names, and whether that is as far as one finding.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ahead {
    /// Its selector matches the finding.
    selects: bool,
    /// It names the finding, or had it before: what left it is not taken in a second time.
    had: bool,
    /// For a deviation: the finding shows the one value that is allowed. True for all other kinds.
    allowed: bool,
    /// From when on it holds.
    from: Option<Time>,
    /// The worst severity its approvers saw.
    severity: Option<Severity>,
    /// The most urgent lane they saw.
    lane: Lane,
    /// The most critical tier they saw.
    tier: Tier,
}

impl Ahead {
    /// What stands between `finding` and the decision; empty when it may come under it.
    pub(crate) fn problems(&self, finding: &Finding, now: Time) -> Vec<Problem> {
        let mut out = Vec::new();
        let mut need = |ok: bool, field: &str, right: String| {
            if !ok {
                out.push(Problem::new(field, right));
            }
        };
        let (facts, lane, tier) = (&finding.facts, self.lane, self.tier);
        need(self.selects, "subject", "a selector that matches this finding".into());
        need(!self.had, "subject", "a finding it has not covered before; what came back is decided anew".into());
        need(self.allowed, "allowed_value", "the value the finding shows".into());
        need(self.from.is_none_or(|from| from <= now), "effective_from", "not after now".into());
        let most = self.severity.map_or("nothing", Severity::name);
        let within = self.severity.is_some_and(|s| facts.severity <= s);
        need(within, "severity", format!("at most {most}, as its approvers saw; this is {}", facts.severity));
        let here = facts.lane();
        need(here >= lane, "lane", format!("no sooner than {lane}, as its approvers saw; this is {here}"));
        let here = facts.terms.tier;
        need(here <= tier, "tier", format!("at most {tier}, as its approvers saw; this is {here}"));
        out
    }
}

impl Decision {
    /// Whether it also covers what comes later.
    pub fn covers_future(&self) -> bool {
        matches!(self.draft.subject, Subject::Selector { covers_future: true, .. })
    }

    /// Every finding it covers or covered: those it names, and those that came under it later.
    pub fn findings(&self) -> impl Iterator<Item = &FindingId> {
        self.draft.subject.named().iter().chain(self.later.keys())
    }

    /// As [`Decision::brief`], for the product to bring `finding` under it. `allowed` says whether the finding shows the
    /// value a deviation allows; it is not asked of other kinds.
    pub fn brief_ahead(&self, finding: &FindingId, target: &Target<'_>, allowed: bool, policy: &Policy) -> Brief {
        let ahead = match &self.draft.subject {
            Subject::Selector { selector, matched, covers_future: true } => Some(Ahead {
                selects: selector.matches(target) && !selector.is_everything(),
                had: matched.contains(finding) || self.later.contains_key(finding),
                allowed: allowed || self.draft.kind != Kind::BaselineDeviation,
                from: self.draft.effective_from,
                severity: self.situation.severity,
                lane: self.situation.lane.unwrap_or(self.lane),
                tier: self.situation.tier.unwrap_or(self.tier),
            }),
            _ => None,
        };
        Brief { ahead, ..self.brief(finding, Some(target), policy) }
    }

    /// The step by which the product brings a finding under it.
    pub fn cover_event(&self, brief: Brief, finding: &Finding) -> Event {
        match self.draft.kind {
            Kind::Deferral => Event::CoverDeferral { decision: brief },
            Kind::FalsePositive => Event::CoverFp {
                decision: brief,
                rule_version: finding.facts.rule_version,
                value_digest: finding.facts.value_digest.clone(),
            },
            _ => Event::CoverException { decision: brief },
        }
    }

    /// The row with what came under it; each finding has been moved by its own guarded step.
    ///
    /// # Errors
    /// Not in force, or it does not cover what comes later.
    pub fn extended(&self, came: impl IntoIterator<Item = (FindingId, Later)>) -> Result<Self, Refusal> {
        if self.status != Status::InForce {
            let (what, is) = (self.number.to_string(), self.status.to_string());
            return Err(Refusal::Status { what, is, needs: Status::InForce.to_string() });
        }
        if !self.covers_future() {
            return Err(Refusal::field("covers_future", "true, as approved by two people"));
        }
        let mut next = Self { row_version: self.row_version + 1, ..self.clone() };
        for (finding, then) in came {
            next.later.entry(finding).or_insert(then);
        }
        Ok(next)
    }
}
