//! The function itself: seven levels and a flag in, points with their contributions out. Integers only.

use crate::{
    policy::Policy,
    signal::{Criticality, DataClass, DriftLevel, Exploitation, Exposure, IdentityReach, Level, SeverityLevel, Signal},
};
use std::fmt;

/// The seven levels of one finding, and whether its rule is hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Signals {
    /// Severity of the rule.
    #[serde(rename = "sev")]
    pub severity: SeverityLevel,
    /// Exposure of the resource.
    #[serde(rename = "exp")]
    pub exposure: Exposure,
    /// Reach of its identities.
    #[serde(rename = "idr")]
    pub identity: IdentityReach,
    /// Drift.
    #[serde(rename = "drf")]
    pub drift: DriftLevel,
    /// Known exploitation.
    #[serde(rename = "kex")]
    pub exploitation: Exploitation,
    /// Data class.
    #[serde(rename = "dat")]
    pub data: DataClass,
    /// Account criticality.
    #[serde(rename = "acc")]
    pub account: Criticality,
    /// Fails a hard baseline; see [`Policy::is_hard`].
    #[serde(default)]
    pub hard: bool,
}

impl Signals {
    /// A rule's severity with nothing else known yet: every other signal at its unknown (or, where there is none, its
    /// lowest) level.
    pub fn of(severity: impl Into<SeverityLevel>) -> Self {
        Self {
            severity: severity.into(),
            exposure: Exposure::Unknown,
            identity: IdentityReach::Unknown,
            drift: DriftLevel::None,
            exploitation: Exploitation::None,
            data: DataClass::Unknown,
            account: Criticality::Unknown,
            hard: false,
        }
    }

    /// The level names in explanation order, with whether each stands for "not known".
    pub fn levels(&self) -> [(Signal, &'static str, bool); 7] {
        fn of<L: Level>(level: L) -> (Signal, &'static str, bool) {
            (L::SIGNAL, level.name(), level.name() == "unknown")
        }
        [
            of(self.severity),
            of(self.exposure),
            of(self.identity),
            of(self.drift),
            of(self.exploitation),
            of(self.data),
            of(self.account),
        ]
    }

    /// The same with one signal at its best level; [`Signal::Floor`] clears the hard flag.
    pub fn with_best(mut self, signal: Signal) -> Self {
        match signal {
            Signal::Severity => self.severity = SeverityLevel::Informational,
            Signal::Exposure => self.exposure = Exposure::None,
            Signal::Identity => self.identity = IdentityReach::None,
            Signal::Drift => self.drift = DriftLevel::None,
            Signal::Exploitation => self.exploitation = Exploitation::None,
            Signal::Data => self.data = DataClass::Public,
            Signal::Account => self.account = Criticality::Experimental,
            Signal::Floor => self.hard = false,
        }
        self
    }
}

/// Where a finding waits: the four answers to "when".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Lane {
    /// 0: act now.
    ActNow,
    /// 1: urgent.
    Urgent,
    /// 2: planned.
    Planned,
    /// 3: watch.
    Watch,
}

impl Lane {
    /// Lane 0 to lane 3.
    pub const ALL: [Self; 4] = [Self::ActNow, Self::Urgent, Self::Planned, Self::Watch];

    /// 0 to 3.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// `act now`, `urgent`, `planned`, `watch`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ActNow => "act now",
            Self::Urgent => "urgent",
            Self::Planned => "planned",
            Self::Watch => "watch",
        }
    }
}

impl From<Lane> for u8 {
    fn from(lane: Lane) -> u8 {
        lane.number()
    }
}

impl TryFrom<u8> for Lane {
    type Error = String;
    fn try_from(number: u8) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|l| l.number() == number)
            .ok_or_else(|| format!("no lane {number}; lanes are 0 to 3"))
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lane {} ({})", self.number(), self.name())
    }
}

/// What one signal at one level did to the points. Tenths of a point; negative when a multiplier below 100 % lowers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Contribution {
    /// The signal.
    pub signal: Signal,
    /// Its level; for the floor, what set it.
    pub level: &'static str,
    /// Tenths of a point.
    pub points: i32,
}

/// The result of the function.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Score {
    /// Tenths of a point, not capped, so that the order stays strict above 100.0.
    pub points: u32,
    /// The points capped at 1000: 100.0.
    pub score: u32,
    /// Where it waits.
    pub lane: Lane,
    /// In the fixed order; they sum to `points`.
    pub contributions: Vec<Contribution>,
}

/// Stacks the signals under the policy.
pub fn score(signals: &Signals, policy: &Policy) -> Score {
    let terms = policy.terms();
    let exploit = terms.exploitation.get(signals.exploitation);
    let mut contributions = Vec::with_capacity(8);
    let mut x: u32 = 0;
    let mut add = |signal, level, points: u32| {
        contributions.push(Contribution { signal, level, points: points as i32 });
        x += points;
    };
    add(Signal::Severity, signals.severity.name(), terms.severity.get(signals.severity));
    add(Signal::Exposure, signals.exposure.name(), terms.exposure.get(signals.exposure));
    add(Signal::Identity, signals.identity.name(), terms.identity.get(signals.identity));
    add(Signal::Drift, signals.drift.name(), terms.drift.get(signals.drift));
    add(Signal::Exploitation, signals.exploitation.name(), exploit.bonus);

    let mut multiply = |signal, level, percent: u32| {
        let y = x * percent / 100;
        contributions.push(Contribution { signal, level, points: y as i32 - x as i32 });
        x = y;
    };
    multiply(Signal::Data, signals.data.name(), terms.data.get(signals.data));
    multiply(Signal::Account, signals.account.name(), terms.account.get(signals.account));

    let by_exploit = if signals.exposure.reachable() { exploit.floor_reachable } else { exploit.floor };
    let by_hard = if signals.hard { terms.hard_floor } else { 0 };
    let floor = by_exploit.max(by_hard);
    if floor > x {
        let level = if signals.hard && by_hard == floor { "hard" } else { signals.exploitation.name() };
        contributions.push(Contribution { signal: Signal::Floor, level, points: (floor - x) as i32 });
        x = floor;
    }
    Score { points: x, score: x.min(1000), lane: lane(x, policy), contributions }
}

/// The lane of `points` tenths of a point.
pub fn lane(points: u32, policy: &Policy) -> Lane {
    let t = policy.terms().thresholds;
    match points {
        p if p >= t.act_now => Lane::ActNow,
        p if p >= t.urgent => Lane::Urgent,
        p if p >= t.planned => Lane::Planned,
        _ => Lane::Watch,
    }
}

/// Tenths as people read them: `105.5`, `-1.2`, `58`.
pub fn tenths(points: i64) -> String {
    let sign = if points < 0 { "-" } else { "" };
    format!("{sign}{}.{}", points.abs() / 10, points.abs() % 10)
}

/// The total and stable order of a queue: lane, then points downwards, then due date, first seen and key upwards.
/// `None` for a date sorts last.
pub fn order<K: Ord>(
    a: (&Score, Option<plumb_model::Time>, Option<plumb_model::Time>, K),
    b: (&Score, Option<plumb_model::Time>, Option<plumb_model::Time>, K),
) -> std::cmp::Ordering {
    let date = |t: Option<plumb_model::Time>| (t.is_none(), t);
    (a.0.lane, std::cmp::Reverse(a.0.points), date(a.1), date(a.2), a.3).cmp(&(
        b.0.lane,
        std::cmp::Reverse(b.0.points),
        date(b.1),
        date(b.2),
        b.3,
    ))
}
