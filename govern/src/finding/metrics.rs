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

/// Teams' standing over a period, made one finding at a time, so that it needs the memory of its answer and not that of
/// the findings.
#[derive(Debug, Clone)]
pub struct TeamTally {
    from: Time,
    to: Time,
    rows: BTreeMap<String, (TeamSla, Vec<i64>)>,
}

impl TeamTally {
    /// Over this period; its end is exclusive.
    pub fn new(from: Time, to: Time) -> Self {
        Self { from, to, rows: BTreeMap::new() }
    }

    /// Counts a finding.
    pub fn add(&mut self, f: &Finding) {
        let name = f.team().map_or("nobody", TeamId::as_str);
        if !self.rows.contains_key(name) {
            self.rows.insert(name.into(), (TeamSla { team: name.into(), ..TeamSla::default() }, Vec::new()));
        }
        let Some((row, times)) = self.rows.get_mut(name) else { return };
        let to = self.to;
        if f.state().is_open() {
            row.open += 1;
            row.points += f.facts.points;
            row.overdue += usize::from(f.clock().is_breached(to));
            let soon = f.clock().due(to).is_some_and(|d| d >= to && d <= to.plus_days(7));
            row.due_soon += usize::from(soon);
        }
        if let Some(c) = f.closure().filter(|c| c.at >= self.from && c.at < to) {
            row.closed += 1;
            row.closed_in_time += usize::from(!f.clock().is_breached(c.at));
            if c.reason == State::Fixed {
                row.burned += f.facts.points;
                times.push(c.at.seconds() - f.opened_at().seconds());
            }
        }
    }

    /// The teams, worst first: most overdue, then most points.
    pub fn finish(self) -> Vec<TeamSla> {
        let finish = |(mut row, times): (TeamSla, Vec<i64>)| {
            row.median_fix_seconds = middle(times, 50);
            row
        };
        let mut out: Vec<_> = self.rows.into_values().map(finish).collect();
        out.sort_by(|a, b| (b.overdue, b.points, &a.team).cmp(&(a.overdue, a.points, &b.team)));
        out
    }
}

/// Standing by team over a period, worst first: most overdue, then most points.
pub fn sla_by_team(findings: &[Finding], from: Time, to: Time) -> Vec<TeamSla> {
    let mut tally = TeamTally::new(from, to);
    findings.iter().for_each(|f| tally.add(f));
    tally.finish()
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

fn count(rows: &mut BTreeMap<String, CauseRow>, name: &str, f: &Finding) {
    if name.is_empty() {
        return;
    }
    if !rows.contains_key(name) {
        rows.insert(name.into(), CauseRow { name: name.into(), findings: 0, points: 0, teams: BTreeSet::new() });
    }
    let Some(row) = rows.get_mut(name) else { return };
    row.findings += 1;
    row.points += f.facts.points;
    if let Some(team) = f.team().filter(|t| !row.teams.contains(t.as_str())) {
        row.teams.insert(team.to_string());
    }
}

fn most_first(rows: BTreeMap<String, CauseRow>) -> Vec<CauseRow> {
    let mut out: Vec<_> = rows.into_values().collect();
    out.sort_by(|a, b| (b.findings, b.points, &a.name).cmp(&(a.findings, a.points, &b.name)));
    out
}

/// What makes the open work, counted one finding at a time.
#[derive(Debug, Clone, Default)]
pub struct ParetoTally {
    rules: BTreeMap<String, CauseRow>,
    causes: BTreeMap<String, CauseRow>,
    open: usize,
}

impl ParetoTally {
    /// Counts a finding; one that is not open makes no work.
    pub fn add(&mut self, f: &Finding) {
        if f.state().is_open() {
            self.open += 1;
            count(&mut self.rules, f.facts.rule.as_str(), f);
            count(&mut self.causes, &f.facts.cause, f);
        }
    }

    /// The few rules and causes that make most of it.
    pub fn finish(self) -> Pareto {
        let (rules, causes, open) = (most_first(self.rules), most_first(self.causes), self.open);
        let top = rules.len().div_ceil(20);
        let in_top: usize = rules.iter().take(top).map(|r| r.findings).sum();
        let mut sum = 0;
        let enough = rules.iter().position(|r| {
            sum += r.findings;
            sum * 5 >= open * 4
        });
        Pareto {
            top_rules_percent: (in_top * 100).checked_div(open).map_or(0, |p| u8::try_from(p).unwrap_or(100)),
            rules_for_80_percent: enough.map_or(0, |i| i + 1),
            rules,
            causes,
        }
    }
}

/// Which rules and causes make the open work.
pub fn pareto(findings: &[Finding]) -> Pareto {
    let mut tally = ParetoTally::default();
    findings.iter().for_each(|f| tally.add(f));
    tally.finish()
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

/// The state a finding was in just before `at`, by its steps; none before it was detected.
pub fn state_before(steps: &[Transition], at: Time) -> Option<State> {
    steps.iter().take_while(|s| s.at < at).last().map(|s| s.to)
}

/// What moved the risk, told one finding at a time: each as it was at `from` against what it is at `to`, by its steps.
/// Points are today's: the truth about a problem does not change because somebody looked at it later.
#[derive(Debug, Clone)]
pub struct RiskTally {
    from: Time,
    /// What is detected before this was there at the start.
    settled: Time,
    to: Time,
    out: RiskMove,
    movers: BTreeMap<RuleId, i64>,
}

impl RiskTally {
    /// Between these moments.
    pub fn new(from: Time, to: Time) -> Self {
        Self { from, settled: from, to, out: RiskMove::default(), movers: BTreeMap::new() }
    }

    /// As [`Self::new`], from the first time anybody looked: what that look found until `settled` did not arrive, it was there.
    pub fn from_first_look(from: Time, settled: Time, to: Time) -> Self {
        Self { settled, ..Self::new(from, to) }
    }

    /// Counts a finding with its steps, from the first.
    pub fn add(&mut self, f: &Finding, steps: &[Transition]) {
        let first = || steps.first().filter(|s| s.at < self.settled).map(|s| s.to);
        let was = state_before(steps, self.from).or_else(first);
        let is = state_before(steps, self.to);
        let points = f.facts.points;
        let (open_was, open_is) = (was.is_some_and(State::is_open), is.is_some_and(State::is_open));
        self.out.before += if open_was { points } else { 0 };
        self.out.after += if open_is { points } else { 0 };
        if open_is == open_was {
            let between = steps.iter().any(|s| s.at >= self.from && s.at < self.to && s.to.is_open());
            // What came and was dealt with in between moved nothing on the whole, and is work that was done.
            if !open_is && between {
                self.out.arrived += points;
                self.left(is, points);
            }
            return;
        }
        *self.movers.entry(f.facts.rule.clone()).or_default() += if open_is { points } else { -points };
        match open_is {
            true => self.out.arrived += points,
            false => self.left(is, points),
        }
    }

    fn left(&mut self, is: Option<State>, points: i64) {
        match is {
            Some(State::Fixed) => self.out.burned += points,
            Some(State::Accepted | State::Deferred) => self.out.decided += points,
            _ => self.out.vanished += points,
        }
    }

    /// What moved, with the five rules that moved most.
    pub fn finish(mut self) -> RiskMove {
        let mut movers: Vec<_> = self.movers.into_iter().filter(|(_, p)| *p != 0).collect();
        movers.sort_by(|a, b| (b.1.abs(), &a.0).cmp(&(a.1.abs(), &b.0)));
        movers.truncate(5);
        self.out.movers = movers;
        self.out
    }
}

/// As [`RiskTally`], over lists.
pub fn risk_moves(findings: &[Finding], steps: &[Transition], from: Time, to: Time) -> RiskMove {
    let mut by_finding: BTreeMap<&FindingId, Vec<Transition>> = BTreeMap::new();
    for step in steps {
        by_finding.entry(&step.finding).or_default().push(step.clone());
    }
    let mut tally = RiskTally::new(from, to);
    for f in findings {
        let mut mine = by_finding.remove(&f.id).unwrap_or_default();
        mine.sort_by_key(|s| s.seq);
        tally.add(f, &mine);
    }
    tally.finish()
}

/// The place of a finding in a queue: lane, points, due date, first seen, key. Total and stable.
type Urgency = (Lane, i64, Time, Time, FindingId);

fn urgency(f: &Finding, now: Time) -> Urgency {
    let far = Time::from_seconds(i64::MAX);
    (f.facts.lane(), -f.facts.points, f.clock().due(now).unwrap_or(far), f.first_seen, f.id.clone())
}

/// What there is to do, most urgent first, as many as are wanted; all of it is counted.
#[derive(Debug, Clone)]
pub struct Queue {
    now: Time,
    most: usize,
    first: BTreeMap<Urgency, Finding>,
    /// How many findings are open.
    pub findings: usize,
    /// How many of them are past their due date.
    pub late: usize,
    /// Points they carry.
    pub points: i64,
}

impl Queue {
    /// An empty queue as of `now` that shows at most so many.
    pub fn new(most: usize, now: Time) -> Self {
        Self { now, most, first: BTreeMap::new(), findings: 0, late: 0, points: 0 }
    }

    /// Takes a finding; only open ones are work.
    pub fn add(&mut self, f: &Finding) {
        if !f.state().is_open() {
            return;
        }
        self.findings += 1;
        self.late += usize::from(f.clock().is_breached(self.now));
        self.points += f.facts.points;
        let place = urgency(f, self.now);
        let full = self.first.len() >= self.most;
        if full && self.first.last_key_value().is_none_or(|(last, _)| *last < place) {
            return;
        }
        self.first.insert(place, f.clone());
        if full {
            self.first.pop_last();
        }
    }

    /// The first of it, most urgent first.
    pub fn first(&self) -> impl Iterator<Item = &Finding> {
        self.first.values()
    }

    /// How many are shown.
    pub fn shown(&self) -> usize {
        self.first.len()
    }
}

/// Most urgent first, all of them.
pub fn queue<'a>(findings: &'a [Finding], team: Option<&TeamId>, now: Time) -> Vec<&'a Finding> {
    let mut out: Vec<_> =
        findings.iter().filter(|f| f.state().is_open() && team.is_none_or(|t| f.team() == Some(t))).collect();
    out.sort_by_cached_key(|f| urgency(f, now));
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

/// What an open finding may lead to, as business speaks of it; each finding is of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Impact {
    /// Something stands open to the outside: an incident waits for whoever comes by.
    DirectExposure,
    /// Data is not protected as laws, contracts and frameworks demand: an audit fails, or a regulator asks.
    ComplianceViolation,
    /// Rights, logs, networks and machines are looser than they should be: an incident that happens goes further and is
    /// seen later.
    OperationalGap,
}

impl Impact {
    /// What a finding may lead to. What everybody reaches comes first; then what protects data, and all that is wrong where
    /// regulated data is.
    pub fn of(topic: &str, facts: &super::Facts) -> Self {
        const PROTECTS: [&str; 4] = ["data.", "crypto.", "secrets.", "governance."];
        if topic.starts_with("exposure.") || facts.terms.reachable {
            Self::DirectExposure
        } else if facts.terms.regulated || PROTECTS.iter().any(|p| topic.starts_with(p)) {
            Self::ComplianceViolation
        } else {
            Self::OperationalGap
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::DirectExposure => "Direct exposure incidents",
            Self::ComplianceViolation => "Compliance violations",
            Self::OperationalGap => "Operational security gaps",
        }
    }

    /// All of them, the most direct first.
    pub const ALL: [Self; 3] = [Self::DirectExposure, Self::ComplianceViolation, Self::OperationalGap];
}

/// Open work by what it may lead to, told one finding at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImpactTally(BTreeMap<Impact, (usize, i64)>);

impl ImpactTally {
    /// Counts a finding of this topic, where it is open.
    pub fn add(&mut self, topic: &str, f: &Finding) {
        if f.state().is_open() {
            let sum = self.0.entry(Impact::of(topic, &f.facts)).or_default();
            *sum = (sum.0 + 1, sum.1 + f.facts.points);
        }
    }

    /// How many open findings of a kind, and what they carry.
    pub fn of(&self, impact: Impact) -> (usize, i64) {
        self.0.get(&impact).copied().unwrap_or_default()
    }
}
