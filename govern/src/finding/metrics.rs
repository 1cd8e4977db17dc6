//! What the record says about the work: risk burned rather than counts closed, and the few rules that make most of it.

use super::machine::State;
use super::{Finding, Transition};
use crate::ids::{FindingId, TeamId};
use crate::policy::Lane;
use plumb_model::{RuleId, Time};
use std::collections::{BTreeMap, BTreeSet};

/// A team's standing against its due dates.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct TeamSla {
    /// The team; `nobody` for unrouted findings.
    pub team: String,
    /// Open, undecided findings.
    pub open: usize,
    /// Points they carry.
    pub points: i64,
    /// Of these, past their due date.
    pub overdue: usize,
    /// Due within seven days.
    pub due_soon: usize,
    /// Closed in the period.
    pub closed: usize,
    /// Closed in the period without a breach.
    pub closed_in_time: usize,
    /// Points of what was fixed in the period.
    pub burned: i64,
    /// Median seconds from opening to fix, of what was fixed in the period.
    pub median_fix_seconds: Option<i64>,
}

impl TeamSla {
    /// Share of findings closed in time, in per cent; none if nothing closed.
    pub fn in_time_percent(&self) -> Option<u8> {
        (self.closed > 0).then(|| u8::try_from(self.closed_in_time * 100 / self.closed).unwrap_or(100))
    }
}

fn middle(mut values: Vec<i64>, percent: usize) -> Option<i64> {
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    values.get((last * percent).div_ceil(100)).copied()
}

/// Standing by team over a period, worst first: most overdue, then most points.
pub fn sla_by_team(findings: &[Finding], from: Time, to: Time) -> Vec<TeamSla> {
    let mut rows: BTreeMap<String, (TeamSla, Vec<i64>)> = BTreeMap::new();
    for f in findings {
        let name = f.team().map_or("nobody", TeamId::as_str).to_owned();
        let (row, times) =
            rows.entry(name.clone()).or_insert_with(|| (TeamSla { team: name, ..TeamSla::default() }, Vec::new()));
        if f.state().is_open() {
            row.open += 1;
            row.points += f.facts.points;
            row.overdue += usize::from(f.clock().is_breached(to));
            let soon = f.clock().due(to).is_some_and(|d| d >= to && d <= to.plus_days(7));
            row.due_soon += usize::from(soon);
        }
        if let Some(c) = f.closure().filter(|c| c.at >= from && c.at < to) {
            row.closed += 1;
            row.closed_in_time += usize::from(!f.clock().is_breached(c.at));
            if c.reason == State::Fixed {
                row.burned += f.facts.points;
                times.push(c.at.seconds() - f.opened_at().seconds());
            }
        }
    }
    let finish = |(mut row, times): (TeamSla, Vec<i64>)| {
        row.median_fix_seconds = middle(times, 50);
        row
    };
    let mut out: Vec<_> = rows.into_values().map(finish).collect();
    out.sort_by(|a, b| (b.overdue, b.points, &a.team).cmp(&(a.overdue, a.points, &b.team)));
    out
}

/// One week of one team and lane.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Week {
    /// Its first day, a Monday.
    pub monday: String,
    /// The team; `nobody` for unrouted findings.
    pub team: String,
    /// The lane, as a number.
    pub lane: u8,
    /// Newly detected.
    pub opened: usize,
    /// Closed by evidence.
    pub closed: usize,
    /// Detected again, or back because a decision ended.
    pub reopened: usize,
    /// Due dates that passed.
    pub breaches: usize,
    /// Mean seconds to fix.
    pub mean_fix_seconds: Option<i64>,
    /// Median seconds to fix.
    pub median_fix_seconds: Option<i64>,
    /// Nine of ten were fixed faster, in seconds.
    pub p90_fix_seconds: Option<i64>,
}

fn monday(at: Time) -> Time {
    let day = at.seconds().div_euclid(86_400);
    Time::from_seconds((day - (day + 3).rem_euclid(7)) * 86_400)
}

/// Metrics per week, team and lane, from the rows themselves. A finding counts for its present team and lane.
pub fn weekly(findings: &[Finding], steps: &[Transition]) -> Vec<Week> {
    let by_id: BTreeMap<&FindingId, &Finding> = findings.iter().map(|f| (&f.id, f)).collect();
    let mut rows: BTreeMap<(Time, String, u8), (Week, Vec<i64>)> = BTreeMap::new();
    let mut opened: BTreeMap<&FindingId, Time> = BTreeMap::new();
    let mut sorted: Vec<_> = steps.iter().collect();
    sorted.sort_by_key(|s| (&s.finding, s.seq));
    let key = |f: &Finding, at: Time| {
        (monday(at), f.team().map_or("nobody", TeamId::as_str).to_owned(), f.facts.lane().number())
    };
    for step in sorted {
        let Some(f) = by_id.get(&step.finding) else { continue };
        let k = key(f, step.at);
        let (week, times) = rows.entry(k.clone()).or_insert_with(|| (blank(&k), Vec::new()));
        match (step.from, step.to) {
            (None, _) => {
                week.opened += 1;
                opened.insert(&step.finding, step.at);
            }
            (_, State::Open) => {
                week.reopened += 1;
                opened.insert(&step.finding, step.at);
            }
            (_, to) if to.is_final() => {
                week.closed += 1;
                if let Some(start) = opened.get(&step.finding).filter(|_| to == State::Fixed) {
                    times.push(step.at.seconds() - start.seconds());
                }
            }
            _ => {}
        }
    }
    for f in findings {
        for b in f.clock().breaches() {
            let k = key(f, b.at);
            rows.entry(k.clone()).or_insert_with(|| (blank(&k), Vec::new())).0.breaches += 1;
        }
    }
    let finish = |(mut w, times): (Week, Vec<i64>)| {
        let n = i64::try_from(times.len()).unwrap_or(i64::MAX);
        w.mean_fix_seconds = (n > 0).then(|| times.iter().sum::<i64>() / n);
        w.p90_fix_seconds = middle(times.clone(), 90);
        w.median_fix_seconds = middle(times, 50);
        w
    };
    rows.into_values().map(finish).collect()
}

fn blank((at, team, lane): &(Time, String, u8)) -> Week {
    Week { monday: at.date(), team: team.clone(), lane: *lane, ..Week::default() }
}

/// One rule or cause and the work it makes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CauseRow {
    /// The rule, or the cause.
    pub name: String,
    /// Open findings.
    pub findings: usize,
    /// Points they carry.
    pub points: i64,
    /// Teams that have them.
    pub teams: BTreeSet<String>,
}

/// The few things that make most of the work.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Pareto {
    /// Rules, most findings first.
    pub rules: Vec<CauseRow>,
    /// Causes (a module of code, a template), most findings first; findings without a known cause are left out.
    pub causes: Vec<CauseRow>,
    /// Share of findings that the top five per cent of rules make, in per cent.
    pub top_rules_percent: u8,
    /// How few rules make 80 per cent of the findings.
    pub rules_for_80_percent: usize,
}

fn tally<'a>(findings: &[&'a Finding], name: impl Fn(&'a Finding) -> &'a str) -> Vec<CauseRow> {
    let mut rows: BTreeMap<&str, CauseRow> = BTreeMap::new();
    for f in findings {
        let n = name(f);
        if n.is_empty() {
            continue;
        }
        let blank = || CauseRow { name: n.into(), findings: 0, points: 0, teams: BTreeSet::new() };
        let row = rows.entry(n).or_insert_with(blank);
        row.findings += 1;
        row.points += f.facts.points;
        row.teams.extend(f.team().map(|t| t.to_string()));
    }
    let mut out: Vec<_> = rows.into_values().collect();
    out.sort_by(|a, b| (b.findings, b.points, &a.name).cmp(&(a.findings, a.points, &b.name)));
    out
}

/// Which rules and causes make the open work.
pub fn pareto(findings: &[Finding]) -> Pareto {
    let open: Vec<_> = findings.iter().filter(|f| f.state().is_open()).collect();
    let rules = tally(&open, |f| f.facts.rule.as_str());
    let causes = tally(&open, |f| f.facts.cause.as_str());
    let top = rules.len().div_ceil(20);
    let in_top: usize = rules.iter().take(top).map(|r| r.findings).sum();
    let mut sum = 0;
    let enough = rules.iter().position(|r| {
        sum += r.findings;
        sum * 5 >= open.len() * 4
    });
    Pareto {
        top_rules_percent: if open.is_empty() { 0 } else { u8::try_from(in_top * 100 / open.len()).unwrap_or(100) },
        rules_for_80_percent: enough.map_or(0, |i| i + 1),
        rules,
        causes,
    }
}

/// What moved the risk carried between two moments, in points.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct RiskMove {
    /// Points of what was open at the start.
    pub before: i64,
    /// Newly detected, or back.
    pub arrived: i64,
    /// Fixed with evidence: risk burned.
    pub burned: i64,
    /// Gone with its resource, merged or shown not to be true.
    pub vanished: i64,
    /// Accepted or deferred: still carried, under a decision.
    pub decided: i64,
    /// Points of what is open at the end.
    pub after: i64,
    /// The rules that moved most, with the points they moved; negative when they went down.
    pub movers: Vec<(RuleId, i64)>,
}

/// Compares the findings as they were at `from` with what they are at `to`, by their rows. Points are today's: the
/// truth about a problem does not change because somebody looked at it later.
pub fn risk_moves(findings: &[Finding], steps: &[Transition], from: Time, to: Time) -> RiskMove {
    let mut states: BTreeMap<&FindingId, (Option<State>, Option<State>)> = BTreeMap::new();
    let mut sorted: Vec<_> = steps.iter().filter(|s| s.at < to).collect();
    sorted.sort_by_key(|s| (&s.finding, s.seq));
    for s in sorted {
        let entry = states.entry(&s.finding).or_default();
        if s.at < from {
            entry.0 = Some(s.to);
        }
        entry.1 = Some(s.to);
    }
    let mut out = RiskMove::default();
    let mut movers: BTreeMap<&RuleId, i64> = BTreeMap::new();
    for f in findings {
        let Some((was, is)) = states.get(&f.id).copied() else { continue };
        let points = f.facts.points;
        let (open_was, open_is) = (was.is_some_and(State::is_open), is.is_some_and(State::is_open));
        out.before += if open_was { points } else { 0 };
        out.after += if open_is { points } else { 0 };
        if open_is && !open_was {
            out.arrived += points;
            *movers.entry(&f.facts.rule).or_default() += points;
        }
        if open_was && !open_is {
            *movers.entry(&f.facts.rule).or_default() -= points;
            match is {
                Some(State::Fixed) => out.burned += points,
                Some(State::Accepted | State::Deferred) => out.decided += points,
                _ => out.vanished += points,
            }
        }
    }
    let mut movers: Vec<_> = movers.into_iter().filter(|(_, p)| *p != 0).map(|(r, p)| (r.clone(), p)).collect();
    movers.sort_by(|a, b| (b.1.abs(), &a.0).cmp(&(a.1.abs(), &b.0)));
    movers.truncate(5);
    out.movers = movers;
    out
}

/// Most urgent first: lane, points, due date, first seen, key. Total and stable.
pub fn queue<'a>(findings: &'a [Finding], team: Option<&TeamId>, now: Time) -> Vec<&'a Finding> {
    let mut out: Vec<_> =
        findings.iter().filter(|f| f.state().is_open() && team.is_none_or(|t| f.team() == Some(t))).collect();
    let far = Time::from_seconds(i64::MAX);
    let key =
        |f: &&Finding| (f.facts.lane(), -f.facts.points, f.clock().due(now).unwrap_or(far), f.first_seen, f.id.clone());
    out.sort_by_cached_key(key);
    out
}

/// Open findings of a lane, for tables by lane.
pub fn by_lane(findings: &[Finding]) -> [usize; 4] {
    let mut out = [0; 4];
    for f in findings.iter().filter(|f| f.state().is_open()) {
        if let Some(n) = out.get_mut(usize::from(f.facts.lane().number())) {
            *n += 1;
        }
    }
    debug_assert!(Lane::ALL.len() == out.len());
    out
}
