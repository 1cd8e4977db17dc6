//! Thresholds against what the team can do: replay of the last weeks, proposals that a person approves, and
//! whether the ranking earns its trust.

use crate::{
    points::{Lane, Signals, lane, score},
    policy::{Policy, PolicyError, Terms},
    signal::{Criticality, DataClass, DriftLevel, Exploitation, Exposure, IdentityReach, Level, SeverityLevel},
};
use plumb_model::Time;

/// Weeks of history a calibration looks at.
pub const WEEKS: usize = 12;
/// Weeks in which the backlog above a threshold is to be cleared.
const CLEAR_WEEKS: f64 = 8.0;
/// Days between two changes of thresholds.
const DAYS_BETWEEN: i64 = 28;

/// A finding of the past: when it arrived, and its levels.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Past {
    /// Its key, in any form that is stable.
    pub key: String,
    /// The week it arrived, 0 the oldest; none for the backlog of before.
    pub week: Option<usize>,
    /// Its levels.
    pub signals: Signals,
    /// Whether it is still open.
    pub open: bool,
}

/// What a scope did in the past weeks.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct History {
    /// Findings that arrived, and the open ones from before.
    pub findings: Vec<Past>,
    /// Verified fixes per week, oldest first.
    pub verified_fixes: Vec<u32>,
}

/// A finding that would change lane.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LaneChange {
    /// Its key.
    pub key: String,
    /// Points and lane under the present policy.
    pub before: (u32, Lane),
    /// Points and lane under the other.
    pub after: (u32, Lane),
}

/// What a policy would have made of the past weeks.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Replay {
    /// Arrivals per week and lane under the present policy.
    pub arrivals_before: Vec<[u32; 4]>,
    /// The same under the other.
    pub arrivals_after: Vec<[u32; 4]>,
    /// Open findings by lane under the present policy.
    pub open_before: [u32; 4],
    /// The same under the other.
    pub open_after: [u32; 4],
    /// Findings that change lane, by key.
    pub changes: Vec<LaneChange>,
    /// Spearman's rank correlation of the two orders; 1 when nothing moves, none for fewer than two findings.
    pub rank_correlation: Option<f64>,
}

/// What `after` would have done to the last weeks that `before` ruled.
pub fn replay(history: &History, before: &Policy, after: &Policy) -> Replay {
    let weeks = history
        .verified_fixes
        .len()
        .max(history.findings.iter().filter_map(|f| f.week).map(|w| w + 1).max().unwrap_or(0));
    // A week number out of any range would only cost memory.
    let weeks = weeks.min(520);
    let mut out = Replay {
        arrivals_before: vec![[0; 4]; weeks],
        arrivals_after: vec![[0; 4]; weeks],
        open_before: [0; 4],
        open_after: [0; 4],
        changes: Vec::new(),
        rank_correlation: None,
    };
    let count = |lanes: &mut [u32; 4], lane: Lane| {
        if let Some(n) = lanes.get_mut(usize::from(lane.number())) {
            *n += 1;
        }
    };
    let (mut old_points, mut new_points) = (Vec::new(), Vec::new());
    for f in &history.findings {
        let (b, a) = (score(&f.signals, before), score(&f.signals, after));
        old_points.push(b.points);
        new_points.push(a.points);
        if let Some(week) = f.week {
            out.arrivals_before.get_mut(week).into_iter().for_each(|w| count(w, b.lane));
            out.arrivals_after.get_mut(week).into_iter().for_each(|w| count(w, a.lane));
        }
        if f.open {
            count(&mut out.open_before, b.lane);
            count(&mut out.open_after, a.lane);
        }
        if b.lane != a.lane {
            out.changes.push(LaneChange { key: f.key.clone(), before: (b.points, b.lane), after: (a.points, a.lane) });
        }
    }
    out.changes.sort_by(|a, b| a.key.cmp(&b.key));
    out.rank_correlation = spearman(&old_points, &new_points);
    out
}

/// Average ranks, so that equal points share one.
fn ranks(values: &[u32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    let value = |i: usize| values.get(i).copied().unwrap_or_default();
    order.sort_by_key(|i| value(*i));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    while from < order.len() {
        let first = order.get(from).map_or(0, |i| value(*i));
        let mut to = from;
        while order.get(to).is_some_and(|i| value(*i) == first) {
            to += 1;
        }
        let rank = (from + to - 1) as f64 / 2.0;
        for i in order.get(from..to).unwrap_or_default() {
            ranks.get_mut(*i).into_iter().for_each(|r| *r = rank);
        }
        from = to;
    }
    ranks
}

fn spearman(a: &[u32], b: &[u32]) -> Option<f64> {
    if a.len() < 2 {
        return None;
    }
    let (a, b) = (ranks(a), ranks(b));
    if a == b {
        return Some(1.0);
    }
    let mean = (a.len() - 1) as f64 / 2.0;
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(&b) {
        ab += (x - mean) * (y - mean);
        aa += (x - mean) * (x - mean);
        bb += (y - mean) * (y - mean);
    }
    // All equal on one side: there is no order to agree with.
    (aa > 0.0 && bb > 0.0).then(|| ab / (aa * bb).sqrt())
}

/// Expected backlog of one lane set, with a cautious and a hopeful course.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Forecast {
    /// Weeks ahead, from 1.
    pub week: u32,
    /// With the mean net arrivals.
    pub expected: f64,
    /// With the lower quartile of net arrivals.
    pub low: f64,
    /// With the upper quartile.
    pub high: f64,
}

/// Thresholds that fit what the team does, for a person to approve.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Proposal {
    /// The proposed policy text; the same thresholds when nothing is to change.
    pub terms: Terms,
    /// Fixes a week to count on: the 25th percentile of verified fixes times the utilisation.
    pub capacity: f64,
    /// Arrivals a week that are in lane 0 by a floor, whatever the thresholds.
    pub mandatory: f64,
    /// Whether anything would change.
    pub changes: bool,
    /// Why, or why not.
    pub because: Vec<String>,
    /// Fixes a week the urgent lane needs beyond capacity, when even the highest threshold does not fit.
    pub shortfall: Option<f64>,
    /// Lane sizes before and after, changes, rank correlation.
    pub replay: Replay,
    /// Backlog of lanes 0 and 1 for the next 12 weeks under the proposal.
    pub forecast: Vec<Forecast>,
}

/// How to calibrate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Share of the cautious capacity to plan with, per cent.
    pub utilisation_percent: u32,
    /// When the thresholds were last changed.
    pub last_change: Option<Time>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { utilisation_percent: 80, last_change: None }
    }
}

fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = q * sorted.len().saturating_sub(1) as f64;
    let (low, high) = (sorted.get(at.floor() as usize), sorted.get(at.ceil() as usize));
    match (low, high) {
        (Some(low), Some(high)) => low + (high - low) * at.fract(),
        _ => 0.0,
    }
}

/// Proposes thresholds for `present` from what the last [`WEEKS`] weeks brought and what was fixed in them.
///
/// Nothing is applied: the proposal becomes a policy version when somebody approves it.
pub fn propose(history: &History, present: &Policy, settings: Settings, now: Time) -> Proposal {
    let fixes: Vec<f64> = history.verified_fixes.iter().rev().take(WEEKS).map(|n| f64::from(*n)).collect();
    let weeks = history.verified_fixes.len();
    let from = weeks.saturating_sub(WEEKS);
    let counted = (weeks - from).max(1) as f64;
    let capacity = quantile(&fixes, 0.25) * f64::from(settings.utilisation_percent) / 100.0;

    let terms = present.terms();
    let points: Vec<(u32, &Past, bool)> = history
        .findings
        .iter()
        .map(|f| {
            let s = score(&f.signals, present);
            let by_floor = f.signals.hard || f.signals.exploitation >= Exploitation::Kev;
            (s.points, f, by_floor)
        })
        .collect();
    let recent = |f: &Past| f.week.is_some_and(|w| w >= from && w < weeks);
    let mandatory =
        points.iter().filter(|(p, f, by_floor)| *by_floor && recent(f) && *p >= terms.thresholds.act_now).count()
            as f64
            / counted;
    let load = |t: u32| {
        let arrivals = points.iter().filter(|(p, f, _)| *p >= t && recent(f)).count() as f64 / counted;
        let backlog = points.iter().filter(|(p, f, _)| *p >= t && f.open).count() as f64 / CLEAR_WEEKS;
        arrivals + backlog
    };
    // Steps of one point: finer thresholds would only chase noise.
    let smallest = |low: u32, high: u32, capacity: f64| (low..=high).step_by(10).find(|t| load(*t) <= capacity);

    let mut because = vec![format!(
        "capacity {capacity:.1} fixes a week: lower quartile of {weeks} weeks × {} %",
        settings.utilisation_percent
    )];
    let mut proposed = terms.clone();
    let mut shortfall = None;
    match smallest(450, 750, capacity) {
        Some(t) => proposed.thresholds.urgent = t,
        None => {
            proposed.thresholds.urgent = 750;
            let needs = load(750);
            shortfall = Some(needs - capacity);
            because.push(format!(
                "needs {needs:.0} fixes a week, team does {capacity:.0}; backlog grows by {:.0} a week",
                needs - capacity
            ));
        }
    }
    proposed.thresholds.planned =
        smallest(200, 450, 3.0 * capacity).unwrap_or(450).min(proposed.thresholds.urgent - 10);
    if mandatory < 0.3 * capacity {
        let most = terms.hard_floor.min(900);
        if let Some(t) = smallest(800, most, (capacity - mandatory).max(0.0)) {
            proposed.thresholds.act_now = t;
        }
    } else {
        because.push(format!("lane 0 keeps its threshold: {mandatory:.1} findings a week are in it by a floor"));
    }
    proposed.thresholds.act_now = proposed.thresholds.act_now.max(proposed.thresholds.urgent + 10);

    let mut changes = proposed.thresholds != terms.thresholds;
    if weeks < WEEKS {
        changes = false;
        because.push(format!("only {weeks} of {WEEKS} weeks of verified fixes are known"));
    }
    if let Some(last) = settings.last_change.filter(|last| now.days_since(*last) < DAYS_BETWEEN) {
        changes = false;
        because.push(format!("the thresholds changed on {}; at most once in 4 weeks", last.date()));
    }
    let after = match Policy::new(proposed.clone()) {
        Ok(policy) if changes => policy,
        Ok(_) => present.clone(),
        Err(e) => {
            changes = false;
            because.push(e.to_string());
            present.clone()
        }
    };
    let mut result = replay(history, present, &after);
    if changes {
        let lane1 = |lanes: &[[u32; 4]]| lanes.iter().map(|w| f64::from(w[1])).sum::<f64>();
        let (was, is) = (lane1(&result.arrivals_before), lane1(&result.arrivals_after));
        if (was - is).abs() < 0.1 * was {
            changes = false;
            because.push("the effect on lane 1 is below 10 %".into());
            result = replay(history, present, present);
        }
    }
    let after = if changes { &after } else { present };
    let urgent = |f: &Past| score(&f.signals, after).lane <= Lane::Urgent;
    let backlog = history.findings.iter().filter(|f| f.open && urgent(f)).count() as f64;
    let net: Vec<f64> = (from..weeks)
        .map(|w| {
            let arrived = history.findings.iter().filter(|f| f.week == Some(w) && urgent(f)).count() as f64;
            arrived - f64::from(history.verified_fixes.get(w).copied().unwrap_or_default())
        })
        .collect();
    let mean = if net.is_empty() { 0.0 } else { net.iter().sum::<f64>() / net.len() as f64 };
    let course = |week: u32, step: f64| (backlog + f64::from(week) * step).max(0.0);
    let forecast = (1..=WEEKS as u32)
        .map(|week| Forecast {
            week,
            expected: course(week, mean),
            low: course(week, quantile(&net, 0.25)),
            high: course(week, quantile(&net, 0.75)),
        })
        .collect();
    let terms = if changes { proposed } else { terms.clone() };
    Proposal { terms, capacity, mandatory, changes, because, shortfall, replay: result, forecast }
}

/// Why a proposal did not become a policy.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// The author approves his own.
    #[error("`{0}` wrote the proposal and cannot approve it")]
    Own(String),
    /// The version is the present one.
    #[error("version `{0}` is in use; a changed policy needs a new one")]
    SameVersion(String),
    /// No review date, or one that has passed or lies more than a year ahead.
    #[error("a review date within the next 366 days is needed")]
    Review,
    /// The text is refused.
    #[error("the proposal is refused")]
    Policy(#[source] PolicyError),
}

/// Makes a policy of proposed terms: a new version, by somebody else than its author, with a date to review it.
pub fn approve(
    mut terms: Terms,
    version: &str,
    author: &str,
    approver: &str,
    review_by: Time,
    now: Time,
    present: &Policy,
) -> Result<Policy, ApprovalError> {
    if author.trim().eq_ignore_ascii_case(approver.trim()) || approver.trim().is_empty() {
        return Err(ApprovalError::Own(approver.trim().to_owned()));
    }
    if version.trim() == present.version() {
        return Err(ApprovalError::SameVersion(version.trim().to_owned()));
    }
    if review_by <= now || review_by.days_since(now) > 366 {
        return Err(ApprovalError::Review);
    }
    terms.version = version.trim().into();
    terms.author = author.trim().into();
    terms.approved_by = vec![approver.trim().into()];
    terms.effective_from = Some(now);
    terms.review_by = Some(review_by);
    Policy::new(terms).map_err(ApprovalError::Policy)
}

/// Two findings that an engineer ordered: the first deserves attention before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Pair {
    /// The more pressing.
    pub first: Signals,
    /// The less pressing.
    pub second: Signals,
}

/// Weights that agree better with people; offered, never applied.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fit {
    /// Pairs the present policy orders as the people did.
    pub agreeing_before: usize,
    /// Pairs the fitted one does.
    pub agreeing_after: usize,
    /// All pairs.
    pub pairs: usize,
    /// The fitted terms; they keep every constraint.
    pub terms: Terms,
}

/// Fits the weights to at least 50 ordered pairs by moving one weight at a time while that makes more pairs agree and
/// the policy keeps its constraints. None for fewer pairs.
pub fn fit(pairs: &[Pair], present: &Policy) -> Option<Fit> {
    if pairs.len() < 50 {
        return None;
    }
    let agreeing = |p: &Policy| pairs.iter().filter(|x| score(&x.first, p).points > score(&x.second, p).points).count();
    let before = agreeing(present);
    let (mut best, mut agree) = (present.clone(), before);
    for step in [40i64, 20, 10, 5] {
        let mut improved = true;
        while improved {
            improved = false;
            for knob in knobs() {
                for change in [step, -step] {
                    let mut terms = best.terms().clone();
                    if !knob(&mut terms, change) {
                        continue;
                    }
                    let Ok(candidate) = Policy::new(terms) else { continue };
                    let now = agreeing(&candidate);
                    if now > agree {
                        (best, agree, improved) = (candidate, now, true);
                    }
                }
            }
        }
    }
    Some(Fit { agreeing_before: before, agreeing_after: agree, pairs: pairs.len(), terms: best.terms().clone() })
}

type Knob = Box<dyn Fn(&mut Terms, i64) -> bool>;

/// One function per weight: moves it, or says that it cannot be moved so far.
fn knobs() -> Vec<Knob> {
    fn of<L: Level>(field: fn(&mut Terms) -> &mut crate::policy::Scale<L>, divide: i64) -> Vec<Knob> {
        L::ALL
            .iter()
            .map(|level| -> Knob {
                let level = *level;
                Box::new(move |terms, change| {
                    let scale = field(terms);
                    // Multipliers move in smaller steps than points.
                    let moved = i64::from(scale.get(level)) + (change / divide).clamp(-1000, 1000);
                    u32::try_from(moved).map(|v| scale.set(level, v)).is_ok()
                })
            })
            .collect()
    }
    let mut out = of::<SeverityLevel>(|t| &mut t.severity, 1);
    out.extend(of::<Exposure>(|t| &mut t.exposure, 1));
    out.extend(of::<IdentityReach>(|t| &mut t.identity, 1));
    out.extend(of::<DriftLevel>(|t| &mut t.drift, 1));
    out.extend(of::<DataClass>(|t| &mut t.data, 5));
    out.extend(of::<Criticality>(|t| &mut t.account, 5));
    out
}

/// How a finding of lane 0 or 1 ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ended {
    /// Its lane.
    pub lane: Lane,
    /// Closed as a false positive.
    pub false_positive: bool,
    /// Came back after it was fixed.
    pub reopened: bool,
    /// Days it was open.
    pub age_days: u32,
}

/// Whether the ranking earns its trust.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Effect {
    /// Share of lane 0 and 1 findings that were accepted as valid, per mille.
    pub hit_rate_per_mille: Option<u64>,
    /// Share of all that came back, per mille.
    pub reopened_per_mille: Option<u64>,
    /// Median age by lane, days.
    pub median_age_days: [Option<u32>; 4],
    /// More than a fifth of lane 0 closed as false positives: the rules in it need a look.
    pub review_rules: bool,
}

/// Measures the ranking by how its findings ended.
pub fn effect(ended: &[Ended]) -> Effect {
    let share = |part: usize, of: usize| (part as u64 * 1000).checked_div(of as u64);
    let top: Vec<_> = ended.iter().filter(|e| e.lane <= Lane::Urgent).collect();
    let zero: Vec<_> = ended.iter().filter(|e| e.lane == Lane::ActNow).collect();
    let false_zero = zero.iter().filter(|e| e.false_positive).count();
    let median = |lane: Lane| {
        let mut ages: Vec<u32> = ended.iter().filter(|e| e.lane == lane).map(|e| e.age_days).collect();
        ages.sort_unstable();
        ages.get(ages.len().saturating_sub(1) / 2).copied()
    };
    Effect {
        hit_rate_per_mille: share(top.iter().filter(|e| !e.false_positive).count(), top.len()),
        reopened_per_mille: share(ended.iter().filter(|e| e.reopened).count(), ended.len()),
        median_age_days: Lane::ALL.map(median),
        review_rules: false_zero * 5 > zero.len(),
    }
}

/// The lane of points under a policy; kept here so that callers that replay stored points need no signals.
pub fn lanes_of(points: &[u32], policy: &Policy) -> [u32; 4] {
    let mut out = [0; 4];
    for p in points {
        out.get_mut(usize::from(lane(*p, policy).number())).into_iter().for_each(|n| *n += 1);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_model::Severity;

    fn finding(key: usize, week: Option<usize>, exposure: Exposure, hard: bool) -> Past {
        let signals = Signals { exposure, hard, account: Criticality::Tier1, ..Signals::of(Severity::High) };
        Past { key: format!("f{key:03}"), week, signals, open: true }
    }

    fn now() -> Time {
        "2026-11-21".parse().unwrap()
    }

    fn history(per_week: usize, fixes: u32) -> History {
        let exposures = [Exposure::Org, Exposure::Limited, Exposure::InternetAuth, Exposure::InternetOpen];
        let findings = (0..WEEKS * per_week)
            .map(|i| finding(i, Some(i / per_week), exposures[i % 4], false))
            .map(|f| Past { open: f.week == Some(WEEKS - 1), ..f })
            .collect();
        History { findings, verified_fixes: vec![fixes; WEEKS] }
    }

    #[test]
    fn capacity_sets_the_urgent_lane_and_the_gap_stays_in_view() {
        let present = Policy::default();
        let ample = propose(&history(8, 100), &present, Settings::default(), now());
        assert_eq!(ample.terms.thresholds.urgent, 450);
        assert!(ample.shortfall.is_none() && ample.changes);
        let short = propose(&history(40, 5), &present, Settings::default(), now());
        assert_eq!(short.capacity, 4.0);
        assert_eq!(short.terms.thresholds.urgent, 750);
        assert!(short.shortfall.is_some_and(|s| s > 0.0), "{:?}", short.because);
        assert!(short.because.iter().any(|b| b.contains("backlog grows")));
        assert_eq!(short.forecast.len(), 12);
        assert!(short.forecast[11].high >= short.forecast[11].expected);
    }

    #[test]
    fn thresholds_rest_between_changes_and_need_history() {
        let recently = Settings { last_change: Some(now().plus_days(-27)), ..Settings::default() };
        assert!(!propose(&history(8, 100), &Policy::default(), recently, now()).changes);
        let month_ago = Settings { last_change: Some(now().plus_days(-28)), ..Settings::default() };
        assert!(propose(&history(8, 100), &Policy::default(), month_ago, now()).changes);
        let young = History { verified_fixes: vec![9; 3], ..history(8, 0) };
        assert!(!propose(&young, &Policy::default(), Settings::default(), now()).changes);
        assert!(!propose(&History::default(), &Policy::default(), Settings::default(), now()).changes);
    }

    #[test]
    fn mandatory_work_stays_in_lane_0() {
        let mut h = history(4, 4);
        h.findings.extend((0..WEEKS * 3).map(|i| finding(900 + i, Some(i / 3), Exposure::None, true)));
        let p = propose(&h, &Policy::default(), Settings::default(), now());
        assert_eq!(p.mandatory, 3.0);
        assert_eq!(p.terms.thresholds.act_now, 850);
        let policy = Policy::new(p.terms).unwrap();
        assert!(h.findings.iter().filter(|f| f.signals.hard).all(|f| score(&f.signals, &policy).lane == Lane::ActNow));
    }

    #[test]
    fn replay_counts_weeks_lanes_and_moves() {
        let mut terms = Terms::default();
        terms.thresholds.urgent = 500;
        let other = Policy::new(terms).unwrap();
        let r = replay(&history(4, 1), &Policy::default(), &other);
        assert_eq!(r.arrivals_before.len(), WEEKS);
        assert_eq!(r.arrivals_before[0].iter().sum::<u32>(), 4);
        assert_eq!(r.rank_correlation, Some(1.0));
        assert!(!r.changes.is_empty() && r.changes.iter().all(|c| c.after.1 == Lane::Urgent));
        assert!(replay(&history(4, 1), &other, &other).changes.is_empty());
    }

    #[test]
    fn approval_needs_another_person_a_new_version_and_a_review_date() {
        let (present, soon) = (Policy::default(), now().plus_days(180));
        let go = |version, author, approver, review| {
            approve(Terms::default(), version, author, approver, review, now(), &present)
        };
        assert!(matches!(go("score/1.1.0", "ada", "Ada ", soon), Err(ApprovalError::Own(_))));
        assert!(matches!(go("score/1.0.0", "ada", "bob", soon), Err(ApprovalError::SameVersion(_))));
        assert!(matches!(go("score/1.1.0", "ada", "bob", now()), Err(ApprovalError::Review)));
        let policy = go("score/1.1.0", "ada", "bob", soon).unwrap();
        assert!(!policy.review_overdue(now()) && policy.review_overdue(soon.plus_days(1)));
    }

    #[test]
    fn people_can_teach_the_weights_within_the_constraints() {
        // People hold that administrators within reach matter more than an open port.
        let admin =
            Signals { identity: IdentityReach::Admin, exposure: Exposure::None, ..Signals::of(Severity::Medium) };
        let open = Signals {
            identity: IdentityReach::None,
            exposure: Exposure::InternetAuth,
            ..Signals::of(Severity::Medium)
        };
        let pairs = vec![Pair { first: admin, second: open }; 50];
        assert!(fit(&pairs[..49], &Policy::default()).is_none());
        let fit = fit(&pairs, &Policy::default()).unwrap();
        assert_eq!((fit.agreeing_before, fit.agreeing_after, fit.pairs), (0, 50, 50));
        assert!(Policy::new(fit.terms).is_ok());
    }

    #[test]
    fn effects_are_measured() {
        let e = |lane, false_positive| Ended { lane, false_positive, reopened: false, age_days: 3 };
        let few = effect(&[
            e(Lane::ActNow, true),
            e(Lane::ActNow, false),
            e(Lane::ActNow, false),
            e(Lane::ActNow, false),
            e(Lane::ActNow, false),
        ]);
        assert_eq!((few.hit_rate_per_mille, few.review_rules), (Some(800), false));
        assert!(effect(&[e(Lane::ActNow, true), e(Lane::ActNow, false)]).review_rules);
        assert_eq!(effect(&[]).hit_rate_per_mille, None);
        assert_eq!(lanes_of(&[850, 849, 599, 0], &Policy::default()), [1, 1, 1, 1]);
    }
}
