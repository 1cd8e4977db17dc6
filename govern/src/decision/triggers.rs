//! What ends a decision before somebody remembers it: dates, and changes of the world since it was made.

use super::{Compensation, Decision, Kind, Status};
use crate::ids::{DecisionId, HumanId, named};
use crate::people::Directory;
use crate::policy::{DataClass, Lane, Tier};
use plumb_model::{Outcome, RuleId, Severity, Time};
use std::collections::{BTreeMap, BTreeSet};

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watch {
    /// The severity rises.
    SeverityRises,
    /// The lane rises.
    LaneRises,
    /// The exposure rises.
    ExposureRises,
    /// The data becomes more protected.
    DataClassRises,
    /// The account becomes more critical.
    TierRises,
    /// The weakness becomes known to be exploited.
    KnownExploited,
    /// The chance of exploitation crosses the policy's threshold.
    ExploitLikely,
    /// A compensating control fails; re-evaluated in every run.
    ControlFails,
    /// The observed value is another than the one decided on.
    ValueChanges,
    /// The owner leaves.
    OwnerLeaves,
    /// A framework that is touched gets a new version.
    FrameworkChanges,
    /// The review interval passes without a review.
    Unreviewed,
    /// A named signal reaches a value; see [`Trigger::signal`].
    Signal,
}
named!(Watch, "trigger", {
    SeverityRises => "severity-rises", LaneRises => "lane-rises", ExposureRises => "exposure-rises",
    DataClassRises => "data-class-rises", TierRises => "tier-rises", KnownExploited => "known-exploited",
    ExploitLikely => "exploit-likely", ControlFails => "control-fails", ValueChanges => "value-changes",
    OwnerLeaves => "owner-leaves", FrameworkChanges => "framework-changes", Unreviewed => "unreviewed",
    Signal => "signal",
});

/// One trigger of a decision.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// What is watched.
    pub watch: Watch,
    /// For `signal`: its name and the value at which it fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<(String, i64)>,
}

impl From<Watch> for Trigger {
    fn from(watch: Watch) -> Self {
        Self { watch, signal: None }
    }
}

/// What the world looks like around a decision's subject: the worst of what it covers.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Situation {
    /// Severity.
    pub severity: Option<Severity>,
    /// Lane.
    pub lane: Option<Lane>,
    /// Exposure as a rank, 0 for none; any scale that grows with reach.
    pub exposure: u16,
    /// Data class.
    pub data: Option<DataClass>,
    /// Tier.
    pub tier: Option<Tier>,
    /// Known to be exploited.
    pub exploited: bool,
    /// Chance of exploitation in thousandths, when a weakness is linked.
    pub epss_permille: Option<u16>,
    /// The threshold policy sets for it.
    pub epss_threshold_permille: Option<u16>,
    /// SHA-256 over the observed values, hexadecimal.
    pub value_digest: String,
    /// Versions of the frameworks touched.
    pub frameworks: BTreeMap<String, String>,
    /// Outcomes of the rules that prove compensating controls; a rule that is absent was not evaluated.
    pub controls: BTreeMap<RuleId, Outcome>,
    /// Other named signals.
    pub signals: BTreeMap<String, i64>,
}

impl Situation {
    /// The same with the outcomes of these controls alone: a decision does not hold the outcomes of every rule there is.
    pub(super) fn resting_on(&self, compensations: &[Compensation]) -> Self {
        let named = |rule: &RuleId| compensations.iter().any(|c| c.rule.as_ref() == Some(rule));
        let controls = self.controls.iter().filter(|(rule, _)| named(rule)).map(|(r, o)| (r.clone(), *o)).collect();
        Self { controls, ..self.clone() }
    }
}

/// A trigger that fired: what was, what is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Fired {
    /// What was watched.
    pub watch: Watch,
    /// Before.
    pub before: String,
    /// After.
    pub after: String,
}

impl std::fmt::Display for Fired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} → {}", self.watch, self.before, self.after)
    }
}

/// A decision that ended by itself, with what the findings it covered are told.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ended {
    /// The row as it is now.
    pub decision: Decision,
    /// What fired; empty when the date came.
    pub fired: Vec<Fired>,
}

fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "not known".into(), |v| v.to_string())
}

/// A rise from something known to something worse; learning a first value counts when it is there after.
fn rose<T: PartialOrd + Copy>(before: Option<T>, after: Option<T>, worse: fn(T, T) -> bool) -> bool {
    match (before, after) {
        (Some(b), Some(a)) => worse(b, a),
        _ => false,
    }
}

impl Decision {
    /// Which triggers fire when the world looks like `now_is`. Compares with the situation it was approved in.
    pub fn fired(&self, now_is: &Situation, directory: &Directory, now: Time) -> Vec<Fired> {
        let was = &self.situation;
        let mut out = Vec::new();
        let mut fire = |watch, before: String, after: String| out.push(Fired { watch, before, after });
        // A decision rests on its compensating controls and its owner whether or not it names these triggers.
        let mut watched: Vec<Trigger> = self.draft.triggers.clone();
        for always in [Watch::ControlFails, Watch::OwnerLeaves, Watch::Unreviewed] {
            if !watched.iter().any(|t| t.watch == always) {
                watched.push(always.into());
            }
        }
        if matches!(self.draft.kind, Kind::BaselineDeviation | Kind::FalsePositive)
            && !watched.iter().any(|t| t.watch == Watch::ValueChanges)
        {
            watched.push(Watch::ValueChanges.into());
        }
        for trigger in &watched {
            let w = trigger.watch;
            match w {
                Watch::SeverityRises if rose(was.severity, now_is.severity, |b, a| a > b) => {
                    fire(w, shown(was.severity), shown(now_is.severity));
                }
                Watch::LaneRises if rose(was.lane, now_is.lane, |b, a| a < b) => {
                    fire(w, shown(was.lane), shown(now_is.lane));
                }
                Watch::ExposureRises if now_is.exposure > was.exposure => {
                    fire(w, was.exposure.to_string(), now_is.exposure.to_string());
                }
                Watch::DataClassRises if rose(was.data, now_is.data, |b, a| a > b) => {
                    fire(w, shown(was.data), shown(now_is.data));
                }
                Watch::TierRises if rose(was.tier, now_is.tier, |b, a| a > b) => {
                    fire(w, shown(was.tier), shown(now_is.tier));
                }
                Watch::KnownExploited if now_is.exploited && !was.exploited => fire(w, "no".into(), "yes".into()),
                Watch::ExploitLikely => {
                    let limit = now_is.epss_threshold_permille.unwrap_or(100);
                    if now_is.epss_permille.is_some_and(|e| e >= limit) && was.epss_permille.is_none_or(|e| e < limit) {
                        fire(w, shown(was.epss_permille), shown(now_is.epss_permille));
                    }
                }
                Watch::ControlFails => {
                    for rule in self.draft.compensations.iter().filter_map(|c| c.rule.as_ref()) {
                        if now_is.controls.get(rule) == Some(&Outcome::Fail) {
                            fire(w, format!("{rule} pass"), format!("{rule} fail"));
                        }
                    }
                }
                Watch::ValueChanges if now_is.value_digest != was.value_digest && !now_is.value_digest.is_empty() => {
                    fire(w, was.value_digest.clone(), now_is.value_digest.clone());
                }
                Watch::OwnerLeaves => {
                    let owner = self.draft.owner.as_ref();
                    if let Some(o) = owner.filter(|o| directory.person(o).is_none_or(|p| !p.active)) {
                        fire(w, format!("{o} active"), format!("{o} left"));
                    }
                }
                Watch::FrameworkChanges => {
                    for (name, version) in &now_is.frameworks {
                        if let Some(old) = was.frameworks.get(name).filter(|old| *old != version) {
                            fire(w, format!("{name} {old}"), format!("{name} {version}"));
                        }
                    }
                }
                Watch::Unreviewed => {
                    let since = self.reviewed_at.or(self.draft.effective_from).unwrap_or(self.requested_at);
                    let late = |days: u16| now.days_since(since) > i64::from(days);
                    if self.draft.review_every_days.is_some_and(late) {
                        fire(w, format!("reviewed {}", since.date()), "review overdue".into());
                    }
                }
                Watch::Signal => {
                    if let Some((name, limit)) = &trigger.signal {
                        let before = was.signals.get(name).copied();
                        let after = now_is.signals.get(name).copied();
                        if after.is_some_and(|a| a >= *limit) && before.is_none_or(|b| b < *limit) {
                            fire(w, shown(before), shown(after));
                        }
                    }
                }
                _ => {}
            }
        }
        out
    }

    /// Rules of compensating controls that nobody could evaluate now: the decision stands, and the report says so.
    pub fn unproven_controls(&self, now_is: &Situation) -> Vec<RuleId> {
        let rules: BTreeSet<_> = self.draft.compensations.iter().filter_map(|c| c.rule.clone()).collect();
        rules.into_iter().filter(|r| !matches!(now_is.controls.get(r), Some(Outcome::Pass | Outcome::Fail))).collect()
    }

    /// The row as it is after the date came or triggers fired; none when it stands.
    pub fn reevaluate(&self, now_is: &Situation, directory: &Directory, now: Time) -> Option<Ended> {
        if self.status != Status::InForce {
            return None;
        }
        if self.draft.expires_at.is_none_or(|end| end <= now) {
            return Some(Ended {
                decision: self.ended(Status::Expired, "system:expiry", "its end came", now),
                fired: vec![],
            });
        }
        let fired = self.fired(now_is, directory, now);
        if fired.is_empty() {
            return None;
        }
        let why = fired.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Some(Ended { decision: self.ended(Status::Revoked, "system:triggers", &why, now), fired })
    }
}

/// The expiry job: every decision whose end has come. Idempotent, and after a downtime it catches up in one run,
/// because it asks what is past and not what happened since the last run.
pub fn run_expiry<'a>(decisions: impl IntoIterator<Item = &'a Decision>, now: Time) -> Vec<Ended> {
    decisions
        .into_iter()
        .filter(|d| match d.status {
            Status::InForce => d.draft.expires_at.is_none_or(|end| end <= now),
            Status::Requested => d.draft.expires_at.is_some_and(|end| end <= now),
            _ => false,
        })
        .map(|d| Ended { decision: d.ended(Status::Expired, "system:expiry", "its end came", now), fired: vec![] })
        .collect()
}

/// The numbers of decisions whose owner is not active any more.
pub(super) fn orphaned(decisions: &[Decision], directory: &Directory) -> Vec<(DecisionId, HumanId)> {
    let in_force = decisions.iter().filter(|d| d.status == Status::InForce);
    in_force
        .filter_map(|d| d.draft.owner.as_ref().map(|o| (d, o)))
        .filter(|(_, o)| directory.person(o).is_none_or(|p| !p.active))
        .map(|(d, o)| (d.number.clone(), o.clone()))
        .collect()
}
