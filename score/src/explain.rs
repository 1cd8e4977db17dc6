//! Why a finding ranks where it does: contributions with evidence, what would change it, and what nobody knows.

use crate::{
    feeds::FeedStatus,
    points::{Lane, Score, Signals, lane, score, tenths},
    policy::Policy,
    signal::{Level, Signal},
};
use plumb_model::Time;
use std::{collections::BTreeMap, fmt::Write};

/// Who said that a signal is at its level.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Evidence {
    /// Where to follow it: a stored answer, a file and line, a proof of reach.
    #[serde(default, rename = "evidence_ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What said so: `exposure analysis`, `tag data-class`, `CISA KEV`.
    #[serde(default)]
    pub source: String,
    /// When it was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Time>,
}

/// One contribution with who said so.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Part {
    /// The signal.
    pub signal: Signal,
    /// Its level; for the floor, what set it.
    pub level: String,
    /// Tenths of a point.
    pub points: i32,
    /// For a multiplier, its per cent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    /// Who said so.
    #[serde(flatten)]
    pub evidence: Evidence,
    /// Whether the level stands for "not known".
    pub unknown: bool,
}

/// What one change alone would make of the finding.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WhatIf {
    /// `exposure → none`.
    pub change: String,
    /// The signal changed.
    pub signal: Signal,
    /// The points then.
    pub points: u32,
    /// The lane then.
    pub lane: Lane,
}

/// What made the points of the last run different.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Change {
    /// The signal.
    pub signal: Signal,
    /// Its level then.
    pub from: String,
    /// Its level now.
    pub to: String,
    /// The difference of its contribution, in tenths of a point.
    pub points: i32,
    /// Only an unknown was cleared up: the world did not change, our knowledge did.
    pub only_learnt: bool,
}

/// The last run's points, lane, and the difference to now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Previous {
    /// Points then.
    pub points: u32,
    /// Lane then.
    pub lane: Lane,
    /// Why it differs, in signal order.
    pub why: Vec<Change>,
}

/// The whole answer to "why is this here", stored with the finding.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Explanation {
    /// Version of the policy.
    pub policy: String,
    /// The instant of the run.
    pub as_of: Time,
    /// Tenths of a point, not capped.
    pub points: u32,
    /// Capped at 1000.
    pub score: u32,
    /// Where it waits.
    pub lane: Lane,
    /// In the fixed order; they sum to `points`.
    pub contributions: Vec<Part>,
    /// The three changes that would lower it most.
    pub what_if: Vec<WhatIf>,
    /// Signals nobody knows the level of.
    pub unknowns: Vec<String>,
    /// Data sets the exploitation signal rests on, with their dates; `none` for those that are not there.
    pub data_sets: BTreeMap<String, String>,
    /// What to be careful about: stale feeds, an overdue policy review.
    pub warnings: Vec<String>,
    /// The last run, when it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
}

/// What is known besides the levels.
#[derive(Debug, Clone, Default)]
pub struct Context<'a> {
    /// Who said what, by signal.
    pub evidence: BTreeMap<Signal, Evidence>,
    /// The state of the feeds, from [`crate::Feeds::status`].
    pub feeds: &'a [FeedStatus],
    /// The levels of the last run and the policy then.
    pub previous: Option<(Signals, &'a Policy)>,
}

/// Explains the score of `signals` under `policy` at `now`.
pub fn explain(signals: &Signals, policy: &Policy, now: Time, context: &Context<'_>) -> Explanation {
    let s = score(signals, policy);
    let levels = signals.levels();
    let unknown = |signal| levels.iter().any(|(s, _, u)| *s == signal && *u);
    let contributions = s
        .contributions
        .iter()
        .map(|c| Part {
            signal: c.signal,
            level: c.level.into(),
            points: c.points,
            percent: match c.signal {
                Signal::Data => Some(policy.terms().data.get(signals.data)),
                Signal::Account => Some(policy.terms().account.get(signals.account)),
                _ => None,
            },
            evidence: context.evidence.get(&c.signal).cloned().unwrap_or_default(),
            unknown: unknown(c.signal),
        })
        .collect();

    let mut warnings = Vec::new();
    let mut data_sets = BTreeMap::new();
    for feed in context.feeds {
        data_sets.insert(feed.name.clone(), feed.version.clone().unwrap_or_else(|| "none".into()));
        warnings.extend(feed.warning());
    }
    if context.feeds.is_empty() {
        warnings.push("no exploitation data sets: known exploitation is not considered".into());
    }
    if let Some(due) = policy.terms().review_by.filter(|_| policy.review_overdue(now)) {
        warnings.push(format!("score policy {} was due for review on {}", policy.version(), due.date()));
    }

    Explanation {
        policy: policy.version().into(),
        as_of: now,
        points: s.points,
        score: s.score,
        lane: s.lane,
        contributions,
        what_if: what_if(signals, policy, &s),
        unknowns: levels.iter().filter(|(_, _, u)| *u).map(|(signal, _, _)| signal.title().to_owned()).collect(),
        data_sets,
        warnings,
        previous: context.previous.and_then(|(before, then)| previous(&before, then, signals, &s)),
    }
}

/// Each signal at its best level, alone; the three that lower the points most.
fn what_if(signals: &Signals, policy: &Policy, now: &Score) -> Vec<WhatIf> {
    let mut out: Vec<WhatIf> = Signal::ALL
        .into_iter()
        .filter(|signal| *signal != Signal::Floor)
        .filter_map(|signal| {
            let best = signals.with_best(signal);
            let to = best.levels().into_iter().find(|(s, _, _)| *s == signal)?.1;
            let then = score(&best, policy);
            let change = format!("{} → {to}", signal.title());
            (then.points < now.points).then_some(WhatIf { change, signal, points: then.points, lane: then.lane })
        })
        .collect();
    out.sort_by_key(|w| (w.points, w.signal));
    out.truncate(3);
    out
}

fn previous(before: &Signals, then: &Policy, signals: &Signals, now: &Score) -> Option<Previous> {
    let old = score(before, then);
    let part = |s: &Score, signal| s.contributions.iter().find(|c| c.signal == signal).map(|c| (c.level, c.points));
    let mut why = Vec::new();
    for signal in Signal::ALL {
        let (from, was) = part(&old, signal).unwrap_or(("none", 0));
        let (to, is) = part(now, signal).unwrap_or(("none", 0));
        if (from, was) != (to, is) {
            let only_learnt = from == "unknown" && to != "unknown";
            why.push(Change { signal, from: from.into(), to: to.into(), points: is - was, only_learnt });
        }
    }
    let same = why.is_empty() && before.hard == signals.hard;
    (!same).then_some(Previous { points: old.points, lane: old.lane, why })
}

impl Explanation {
    /// The answer as a sentence or two: `100.0 because: high severity 28.0, open to the internet without sign-in
    /// +30.0, … regulated data ×1.35 (+23.8). With exposure → none alone it would be 58.9, lane 2 (planned).`
    pub fn sentence(&self) -> String {
        let mut out = format!("{} because: ", tenths(i64::from(self.score)));
        let mut first = true;
        for part in self.contributions.iter().filter(|p| p.points != 0) {
            if !first {
                out.push_str(", ");
            }
            let shown = tenths(i64::from(part.points));
            let plus = if part.points > 0 { "+" } else { "" };
            let phrase = phrase(part.signal, &part.level);
            let _ = match (part.signal, part.percent) {
                (Signal::Floor, _) => write!(out, "raised by {shown} because {phrase}"),
                (_, Some(percent)) => write!(out, "{phrase} ×{}.{:02} ({plus}{shown})", percent / 100, percent % 100),
                _ if first => write!(out, "{phrase} {shown}"),
                _ => write!(out, "{phrase} {plus}{shown}"),
            };
            first = false;
        }
        if first {
            out.push_str("nothing about it weighs");
        }
        out.push('.');
        // What somebody can do about the resource; nobody fixes a finding by calling its account a sandbox.
        let can = |s: Signal| !matches!(s, Signal::Severity | Signal::Account | Signal::Floor);
        if let Some(best) = self.what_if.iter().find(|w| can(w.signal)) {
            let shown = tenths(i64::from(best.points.min(1000)));
            let _ = write!(out, " With {} alone it would be {shown}, {}.", best.change, best.lane);
        } else if self.what_if.is_empty() && self.contributions.iter().any(|p| p.signal == Signal::Floor) {
            out.push_str(" No single change but fixing it lowers it.");
        }
        out
    }
}

/// What a person reads for a level.
fn phrase(signal: Signal, level: &str) -> String {
    fn of<L: Level>(level: &str) -> Option<&'static str> {
        L::named(level).map(L::phrase)
    }
    use crate::signal as s;
    let text = match signal {
        Signal::Severity => of::<s::SeverityLevel>(level),
        Signal::Exposure => of::<s::Exposure>(level),
        Signal::Identity => of::<s::IdentityReach>(level),
        Signal::Drift => of::<s::DriftLevel>(level),
        Signal::Exploitation => of::<s::Exploitation>(level),
        Signal::Data => of::<s::DataClass>(level),
        Signal::Account => of::<s::Criticality>(level),
        Signal::Floor if level == "hard" => Some("it fails a hard baseline"),
        Signal::Floor => of::<s::Exploitation>(level),
    };
    text.map_or_else(
        || level.to_owned(),
        |t| if signal == Signal::Floor && level != "hard" { format!("of {t}") } else { t.to_owned() },
    )
}

/// A finding under two policies.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Simulated {
    /// Under the first.
    pub before: Score,
    /// Under the second.
    pub after: Score,
    /// Lane of the first points under the second thresholds: tells a change of weights from one of thresholds.
    pub lane_by_thresholds: Lane,
}

/// What a finding would score under another policy.
pub fn simulate(signals: &Signals, before: &Policy, after: &Policy) -> Simulated {
    let b = score(signals, before);
    Simulated { lane_by_thresholds: lane(b.points, after), after: score(signals, after), before: b }
}
