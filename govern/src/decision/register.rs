//! The register's views: what is in force, what ends soon, what matches nothing.

use super::{Decision, Kind, Status, Subject, triggers::orphaned};
use crate::ids::{DecisionId, FindingId, HumanId};
use crate::people::Directory;
use plumb_model::Time;
use std::collections::{BTreeMap, BTreeSet};

/// The register at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Register {
    /// How many are in force, by kind, lane, tier and owner.
    pub in_force: BTreeMap<String, usize>,
    /// Those that wait for an approver.
    pub waiting: Vec<DecisionId>,
    /// Those that end within 30 days.
    pub expiring: Vec<DecisionId>,
    /// Expired ones that nobody prolonged.
    pub expired_unrenewed: Vec<DecisionId>,
    /// Prolonged three times or more.
    pub renewed_often: Vec<DecisionId>,
    /// Owners who left.
    pub orphaned: Vec<(DecisionId, HumanId)>,
    /// Points under decision, of all open points, in thousandths.
    pub share_permille: u16,
}

/// The register's view at `now`; `open_points` are the points of all findings that are not closed.
pub fn register(decisions: &[Decision], directory: &Directory, open_points: i64, now: Time) -> Register {
    let holding: Vec<_> = decisions.iter().filter(|d| d.holds(now)).collect();
    let renewed: BTreeSet<_> = decisions.iter().filter_map(|d| d.draft.renews.as_ref()).collect();
    let numbers = |of: &dyn Fn(&Decision) -> bool| -> Vec<DecisionId> {
        decisions.iter().filter(|d| of(d)).map(|d| d.number.clone()).collect()
    };
    let mut in_force = BTreeMap::new();
    for d in &holding {
        let owner = d.draft.owner.as_ref().map_or("nobody", HumanId::as_str);
        for key in [
            format!("kind:{}", d.draft.kind),
            format!("lane:{}", d.lane),
            format!("tier:{}", d.tier),
            format!("owner:{owner}"),
        ] {
            *in_force.entry(key).or_insert(0) += 1;
        }
    }
    let covered: i64 = holding.iter().map(|d| d.points + d.later.values().map(|l| l.points).sum::<i64>()).sum();
    let share = if open_points > 0 { (covered * 1000 / open_points).clamp(0, 1000) } else { 0 };
    Register {
        in_force,
        waiting: numbers(&|d| d.status == Status::Requested),
        expiring: expiring(decisions, 30, now).map(|d| d.number.clone()).collect(),
        expired_unrenewed: numbers(&|d| d.status == Status::Expired && !renewed.contains(&d.number)),
        renewed_often: numbers(&|d| d.holds(now) && d.renewals >= 3),
        orphaned: orphaned(decisions, directory),
        share_permille: u16::try_from(share).unwrap_or(1000),
    }
}

/// Decisions in force that end within `days` of `now`.
pub fn expiring(decisions: &[Decision], days: i64, now: Time) -> impl Iterator<Item = &Decision> {
    let limit = now.plus_days(days);
    decisions.iter().filter(move |d| d.holds(now) && d.expires_at().is_some_and(|end| end <= limit))
}

/// A decision in force that covers nothing: the thing is gone, renamed or fixed, or the selector never matched.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unmatched {
    /// The decision.
    pub number: DecisionId,
    /// Its kind.
    pub kind: Kind,
    /// What to do about it.
    pub advice: String,
}

/// Decisions in force that cover no live finding; `live` are the findings that are not closed, and
/// `matches_now` says whether a selector finds anything among them.
pub fn unmatched(
    decisions: &[Decision],
    live: &BTreeSet<FindingId>,
    matches_now: &dyn Fn(&super::Selector) -> bool,
    now: Time,
) -> Vec<Unmatched> {
    let idle = |d: &&Decision| {
        let meets = match &d.draft.subject {
            Subject::Selector { selector, covers_future: true, .. } => matches_now(selector),
            _ => false,
        };
        !meets && !d.findings().any(|f| live.contains(f))
    };
    decisions
        .iter()
        .filter(|d| {
            d.holds(now)
                // An access that is kept is no finding's; its review says whether it is there.
                && d.draft.kind != Kind::AccessRetain
        })
        .filter(idle)
        .map(|d| Unmatched {
            number: d.number.clone(),
            kind: d.draft.kind,
            advice: format!("{} covers no live finding; revoke it or correct its scope", d.number),
        })
        .collect()
}
