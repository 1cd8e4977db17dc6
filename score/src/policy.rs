//! The versioned policy: what each level is worth, where the lanes begin, and what may not be tuned away.

use crate::signal::{Criticality, DataClass, DriftLevel, Exploitation, Exposure, IdentityReach, Level, SeverityLevel};
use plumb_model::{RuleId, Time};
use std::{collections::BTreeMap, fmt, marker::PhantomData};

/// A value for every level of a scale; written as a map from level name to value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale<L, V = u32> {
    /// INVARIANT: as long as `L::ALL`.
    values: Vec<V>,
    level: PhantomData<L>,
}

impl<L: Level, V: Copy + Default> Scale<L, V> {
    /// A scale with one value per level, best level first; surplus values are dropped, missing ones are the default.
    pub fn new(values: &[V]) -> Self {
        let mut values = values.to_vec();
        values.resize(L::ALL.len(), V::default());
        Self { values, level: PhantomData }
    }

    /// What `level` is worth.
    pub fn get(&self, level: L) -> V {
        self.values.get(level.index()).copied().unwrap_or_default()
    }

    /// Changes what `level` is worth.
    pub fn set(&mut self, level: L, value: V) {
        if let Some(slot) = self.values.get_mut(level.index()) {
            *slot = value;
        }
    }

    /// Levels with their values, best first.
    pub fn iter(&self) -> impl Iterator<Item = (L, V)> + '_ {
        L::ALL.iter().map(|l| (*l, self.get(*l)))
    }
}

impl<L: Level, V: Copy + Default + serde::Serialize> serde::Serialize for Scale<L, V> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(level, value)| (level.name(), value)))
    }
}

impl<'de, L: Level, V: Copy + Default + serde::Deserialize<'de>> serde::Deserialize<'de> for Scale<L, V> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut given = BTreeMap::<String, V>::deserialize(deserializer)?;
        let mut values = Vec::new();
        for level in L::ALL {
            let value = given.remove(level.name()).ok_or_else(|| {
                serde::de::Error::custom(format!("{} lacks a value for level `{}`", L::SIGNAL.title(), level.name()))
            })?;
            values.push(value);
        }
        match given.keys().next() {
            None => Ok(Self { values, level: PhantomData }),
            Some(extra) => {
                let known: Vec<_> = L::ALL.iter().map(|l| l.name()).collect();
                Err(serde::de::Error::custom(format!(
                    "{} has no level `{extra}`; levels are {}",
                    L::SIGNAL.title(),
                    known.join(", ")
                )))
            }
        }
    }
}

/// What a level of exploitation adds, and the floors it sets. Tenths of a point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExploitWeight {
    /// Added to the core.
    pub bonus: u32,
    /// Least points when the resource is reachable from the internet.
    pub floor_reachable: u32,
    /// Least points otherwise.
    pub floor: u32,
}

/// Where the lanes begin, in tenths of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Lane 0 from here.
    pub act_now: u32,
    /// Lane 1 from here.
    pub urgent: u32,
    /// Lane 2 from here; below is lane 3.
    pub planned: u32,
}

/// A hard rule that is not hard in one tier, agreed by two people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotHard {
    /// The rule.
    pub rule: RuleId,
    /// The account level it is not hard in.
    pub tier: Criticality,
    /// Who agreed; at least two different people.
    pub approved_by: Vec<String>,
}

/// The text of a policy. All of it can be tuned within the limits that [`Policy::new`] checks.
///
/// Values of the additive signals are tenths of a point; of the multipliers, per cent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// `score/1.0.0`: a name and a semantic version.
    pub version: String,
    /// Who wrote it.
    #[serde(default)]
    pub author: String,
    /// Who approved it; empty for the one the program ships.
    #[serde(default)]
    pub approved_by: Vec<String>,
    /// From when it applies.
    #[serde(default)]
    pub effective_from: Option<Time>,
    /// When the risk tolerance in it must have been looked at again.
    #[serde(default)]
    pub review_by: Option<Time>,
    /// Severity of the rule.
    pub severity: Scale<SeverityLevel>,
    /// Exposure of the resource.
    pub exposure: Scale<Exposure>,
    /// Reach of its identities.
    pub identity: Scale<IdentityReach>,
    /// Drift.
    pub drift: Scale<DriftLevel>,
    /// Known exploitation.
    pub exploitation: Scale<Exploitation, ExploitWeight>,
    /// Data class, per cent.
    pub data: Scale<DataClass>,
    /// Account criticality, per cent.
    pub account: Scale<Criticality>,
    /// Least points of a hard-baseline failure.
    pub hard_floor: u32,
    /// Where the lanes begin.
    pub thresholds: Thresholds,
    /// Hard rules that are not hard somewhere.
    #[serde(default)]
    pub not_hard: Vec<NotHard>,
}

impl Default for Terms {
    fn default() -> Self {
        let exploit = |bonus, floor_reachable, floor| ExploitWeight { bonus, floor_reachable, floor };
        Self {
            version: "score/1.0.0".into(),
            author: String::new(),
            approved_by: Vec::new(),
            effective_from: None,
            review_by: None,
            severity: Scale::new(&[0, 60, 160, 280, 400]),
            exposure: Scale::new(&[0, 40, 80, 100, 220, 300]),
            identity: Scale::new(&[0, 30, 40, 100, 140, 200]),
            drift: Scale::new(&[0, 40, 70, 100]),
            exploitation: Scale::new(&[
                exploit(0, 0, 0),
                exploit(80, 0, 0),
                exploit(80, 750, 600),
                exploit(80, 800, 700),
                exploit(100, 950, 850),
                exploit(120, 970, 870),
            ]),
            data: Scale::new(&[90, 100, 105, 115, 125, 135]),
            account: Scale::new(&[60, 75, 100, 110, 115, 125]),
            hard_floor: 850,
            thresholds: Thresholds { act_now: 850, urgent: 600, planned: 300 },
            not_hard: Vec::new(),
        }
    }
}

/// Why a policy was refused.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Not JSON of the right shape.
    #[error("score policy is not readable")]
    Shape(#[source] serde_json::Error),
    /// Readable, but it would break what every policy must keep.
    #[error("score policy `{version}` is refused: {}", .breaches.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Breaks {
        /// Its version.
        version: String,
        /// Everything wrong with it.
        breaches: Vec<Breach>,
    },
}

/// One broken constraint: the place in the policy, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// `exposure.limited`.
    pub place: String,
    /// `60 is below 80 of the level before it`.
    pub problem: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

/// A policy that keeps the guarantees: raising a signal never lowers points, known exploitation within reach and
/// hard-baseline failures stay in lane 0, silence is never cheaper than the truth.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Policy {
    terms: Terms,
}

impl Default for Policy {
    /// The policy the program ships; a test holds it against [`Policy::new`].
    fn default() -> Self {
        Self { terms: Terms::default() }
    }
}

/// No single value may be larger: keeps every sum far from overflow and the scales comparable.
const MOST: u32 = 1_000;
/// The least step between two severities, in tenths of a point.
const SEVERITY_STEP: u32 = 20;

impl Policy {
    /// Checks `terms` against every constraint and names all that are broken.
    pub fn new(terms: Terms) -> Result<Self, PolicyError> {
        let breaches = breaches(&terms);
        if breaches.is_empty() {
            Ok(Self { terms })
        } else {
            Err(PolicyError::Breaks { version: terms.version, breaches })
        }
    }

    /// Reads and checks the JSON form.
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        Self::new(serde_json::from_str(text).map_err(PolicyError::Shape)?)
    }

    /// The JSON form, indented, that [`Policy::from_json`] reads back.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(&self.terms).unwrap_or_default()
    }

    /// What it says.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.terms.version
    }

    /// Whether a rule flagged hard is hard in an account of this level.
    pub fn is_hard(&self, rule: &RuleId, flagged: bool, tier: Criticality) -> bool {
        flagged && !self.terms.not_hard.iter().any(|n| n.rule == *rule && n.tier == tier)
    }

    /// Whether the date for looking at it again has passed.
    pub fn review_overdue(&self, now: Time) -> bool {
        self.terms.review_by.is_some_and(|due| due < now)
    }

    /// What differs from `other`: place, value there, value here.
    pub fn diff(&self, other: &Policy) -> Vec<(String, String, String)> {
        let (Ok(here), Ok(there)) = (serde_json::to_value(&self.terms), serde_json::to_value(&other.terms)) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        diff_into("", &there, &here, &mut out);
        out
    }
}

impl<'de> serde::Deserialize<'de> for Policy {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Terms::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

fn diff_into(place: &str, a: &serde_json::Value, b: &serde_json::Value, out: &mut Vec<(String, String, String)>) {
    use serde_json::Value as J;
    if let (J::Object(a), J::Object(b)) = (a, b) {
        let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
        for key in keys {
            let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            diff_into(&place, a.get(key).unwrap_or(&J::Null), b.get(key).unwrap_or(&J::Null), out);
        }
    } else if a != b {
        out.push((place.to_owned(), a.to_string(), b.to_string()));
    }
}

fn breaches(terms: &Terms) -> Vec<Breach> {
    let mut out = Vec::new();
    let mut breach = |place: String, problem: String| out.push(Breach { place, problem });

    if terms.version.trim().is_empty() || terms.version.len() > 80 {
        breach("version".into(), "a name like `score/1.0.0` of at most 80 characters is needed".into());
    }
    rising(&terms.severity, SEVERITY_STEP, &mut breach);
    rising(&terms.exposure, 0, &mut breach);
    rising(&terms.identity, 0, &mut breach);
    rising(&terms.drift, 0, &mut breach);
    rising(&terms.data, 0, &mut breach);
    rising(&terms.account, 0, &mut breach);
    percents(&terms.data, &mut breach);
    percents(&terms.account, &mut breach);

    // Silence must cost more than a claim of the level below it.
    if terms.exposure.get(Exposure::Unknown) <= terms.exposure.get(Exposure::Org) {
        breach("exposure.unknown".into(), "must be above `org`: not proven private".into());
    }
    if terms.account.get(Criticality::Unknown) <= terms.account.get(Criticality::Staging) {
        breach("account.unknown".into(), "must be above `staging`: the unseen must not sink".into());
    }

    let t = terms.thresholds;
    if !(t.act_now > t.urgent && t.urgent > t.planned && t.planned > 0) {
        breach("thresholds".into(), "must be act_now > urgent > planned > 0".into());
    }
    if t.act_now > MOST {
        breach("thresholds.act_now".into(), format!("{} is above {MOST}: no score could reach it", t.act_now));
    }
    if terms.hard_floor < t.act_now || terms.hard_floor > MOST {
        breach("hard_floor".into(), format!("{} is not between act_now ({}) and {MOST}", terms.hard_floor, t.act_now));
    }

    let mut before = ExploitWeight::default();
    for (level, w) in terms.exploitation.iter() {
        let place = format!("exploitation.{}", level.name());
        if [w.bonus, w.floor, w.floor_reachable].iter().any(|v| *v > MOST) {
            breach(place.clone(), format!("a value is above {MOST}"));
        }
        if w.bonus < before.bonus || w.floor < before.floor || w.floor_reachable < before.floor_reachable {
            breach(place.clone(), "a value is below that of the level before it".into());
        }
        if w.floor_reachable < w.floor {
            breach(place.clone(), "the floor within reach is below the floor out of reach".into());
        }
        if level >= Exploitation::Kev && w.floor_reachable < t.act_now {
            breach(place, format!("floor_reachable {} is below act_now ({})", w.floor_reachable, t.act_now));
        }
        before = w;
    }

    for (i, n) in terms.not_hard.iter().enumerate() {
        let mut people: Vec<_> = n.approved_by.iter().map(|p| p.trim().to_lowercase()).collect();
        people.retain(|p| !p.is_empty());
        people.sort();
        people.dedup();
        if people.len() < 2 {
            breach(format!("not_hard[{i}].approved_by"), "two different approvers are needed".into());
        }
    }
    out
}

fn rising<L: Level>(scale: &Scale<L>, step: u32, breach: &mut impl FnMut(String, String)) {
    let mut before: Option<u32> = None;
    for (level, value) in scale.iter() {
        let place = || format!("{}.{}", scale_field::<L>(), level.name());
        if value > MOST {
            breach(place(), format!("{value} is above {MOST}"));
        }
        if let Some(before) = before
            && value < before.saturating_add(step)
        {
            let least = before.saturating_add(step);
            breach(place(), format!("{value} is below {least}, the least after {before} of the level before it"));
        }
        before = Some(value);
    }
}

fn percents<L: Level>(scale: &Scale<L>, breach: &mut impl FnMut(String, String)) {
    for (level, value) in scale.iter().filter(|(_, v)| !(50..=200).contains(v)) {
        breach(
            format!("{}.{}", scale_field::<L>(), level.name()),
            format!("{value} is not between 50 and 200 per cent"),
        );
    }
}

/// The field of [`Terms`] that holds this scale.
fn scale_field<L: Level>() -> &'static str {
    use crate::signal::Signal as S;
    match L::SIGNAL {
        S::Severity => "severity",
        S::Exposure => "exposure",
        S::Identity => "identity",
        S::Drift => "drift",
        S::Exploitation => "exploitation",
        S::Data => "data",
        S::Account => "account",
        S::Floor => "floor",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_policy_keeps_its_own_rules() {
        let policy = Policy::new(Terms::default()).unwrap();
        assert_eq!(policy, Policy::default());
        assert_eq!(Policy::from_json(&policy.to_json()).unwrap(), policy);
    }

    #[test]
    fn what_breaks_a_guarantee_is_refused_with_its_place() {
        fn check(change: impl FnOnce(&mut Terms), place: &str) {
            let mut terms = Terms::default();
            change(&mut terms);
            let refused = Policy::new(terms).expect_err(place).to_string();
            assert!(refused.contains(place), "{refused}");
        }
        check(|t| t.exposure.set(Exposure::Limited, 60), "exposure.limited");
        check(|t| t.exposure.set(Exposure::Unknown, 40), "exposure.unknown");
        check(|t| t.severity.set(SeverityLevel::High, 170), "severity.high");
        check(|t| t.data.set(DataClass::Regulated, 201), "data.regulated");
        check(|t| t.account.set(Criticality::Experimental, 49), "account.experimental");
        check(|t| t.account.set(Criticality::Unknown, 100), "account.unknown");
        check(|t| t.hard_floor = 849, "hard_floor");
        check(|t| t.thresholds.urgent = 850, "thresholds");
        check(|t| t.thresholds.planned = 0, "thresholds");
        check(|t| t.thresholds.act_now = 960, "exploitation.kev");
        check(|t| t.identity.set(IdentityReach::Admin, 5_000), "identity.admin");
        check(|t| t.version = " ".into(), "version");
        let alone = NotHard {
            rule: "aws.iam.root.mfa".into(),
            tier: Criticality::Sandbox,
            approved_by: vec!["ada".into(), "Ada ".into()],
        };
        check(|t| t.not_hard.push(alone), "not_hard[0]");
    }

    #[test]
    fn levels_must_be_all_there_and_known() {
        let mut json: serde_json::Value = serde_json::from_str(&Policy::default().to_json()).unwrap();
        json["drift"].as_object_mut().unwrap().remove("iac");
        assert!(format!("{:?}", Policy::from_json(&json.to_string())).contains("lacks a value for level `iac`"));
        json["drift"]["iac"] = 70.into();
        json["drift"]["code"] = 70.into();
        assert!(format!("{:?}", Policy::from_json(&json.to_string())).contains("no level `code`"));
    }

    #[test]
    fn differences_are_named() {
        let mut terms = Terms::default();
        terms.exposure.set(Exposure::Limited, 120);
        let changed = Policy::new(terms).unwrap();
        assert_eq!(changed.diff(&Policy::default()), [("exposure.limited".into(), "100".into(), "120".into())]);
    }
}
