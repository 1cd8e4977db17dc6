//! Decisions that also cover what comes later: what came under them, what did not, and how anybody can see it.
//!
//! After every scan [`cover`] asks the findings that are in work, one at a time, which decision in force speaks about them. It
//! moves one only by the step the table has for this, and only where the guard of that step lets the product itself through:
//! within what the approvers saw. The rest stays open, and [`shown`] says why.

use super::{
    Change, GovernError, Life, Session, Surroundings, commit,
    exceptions::{decision, decisions, record_decision},
    life::load_in,
    work::step,
};
use plumb_catalog::Catalog;
use plumb_govern::{
    decision::{Decision, Later, Subject},
    finding::{Event, machine::State},
    ids::{DecisionId, FindingId},
    people::Actor,
};
use plumb_model::Time;
use plumb_record::{FindingRow, Query, Record};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// How many findings come under decisions in one transaction.
const AT_ONCE: usize = 500;

/// What came under a decision because it covers what comes later.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Came {
    /// The decision.
    pub decision: DecisionId,
    /// How many findings.
    pub findings: usize,
}

/// Findings in work, as a query.
fn in_work() -> Query {
    let states = [State::Open, State::Triaged, State::InRemediation].map(|s| s.name().to_owned());
    Query { states: states.into(), ..Query::default() }
}

/// Whether a finding shows the one value a deviation allows, path by path.
fn shows_allowed(decision: &Decision, row: &FindingRow) -> bool {
    let shown: serde_json::Map<String, Json> =
        row.because.iter().map(|leaf| (leaf.path.to_string(), leaf.observed.to_plain_json())).collect();
    !shown.is_empty() && decision.draft.allowed_value == Some(Json::Object(shown))
}

/// The step that would bring a finding under a decision; its guard has not been asked yet.
fn step_under(
    around: &Surroundings<'_>,
    decision: &Decision,
    row: &FindingRow,
    life: &Life,
) -> Result<Event, GovernError> {
    let tags = around.tags(row)?;
    let allowed = shows_allowed(decision, row);
    let brief = around
        .with_target(row, &tags, |target| decision.brief_ahead(&life.finding.id, target, allowed, &around.policy));
    Ok(decision.cover_event(brief, &life.finding))
}

/// Brings what came later under the decisions that cover it: open findings that a decision in force selects, was approved to
/// cover, and has not covered before. Idempotent; what is worse than what was approved stays open.
///
/// # Errors
/// The record fails.
pub fn cover(record: &mut Record, catalog: &Catalog, session: &Session) -> Result<Vec<Came>, GovernError> {
    let ahead: Vec<Decision> =
        decisions(record)?.into_iter().filter(|d| d.covers_future() && d.holds(session.now)).collect();
    if ahead.is_empty() {
        return Ok(Vec::new());
    }
    // Only the keys of what selectors newly meet are held; everything else is looked at one by one.
    let mut met: Vec<(String, Vec<DecisionId>)> = Vec::new();
    {
        let around = Surroundings::read(record, catalog, &session.policy)?;
        record.each_finding(&in_work(), |row| -> Result<(), GovernError> {
            let by = meeting(&around, &ahead, &row)?;
            if !by.is_empty() {
                met.push((row.key, by));
            }
            Ok(())
        })?;
    }
    drop(ahead);
    let mut came: BTreeMap<DecisionId, usize> = BTreeMap::new();
    for some in met.chunks(AT_ONCE) {
        for (number, count) in cover_some(record, catalog, session, some)? {
            *came.entry(number).or_default() += count;
        }
    }
    Ok(came.into_iter().map(|(decision, findings)| Came { decision, findings }).collect())
}

/// The decisions that select a finding and have not covered it before, in the order of their numbers.
fn meeting(around: &Surroundings<'_>, ahead: &[Decision], row: &FindingRow) -> Result<Vec<DecisionId>, GovernError> {
    let (tags, id) = (around.tags(row)?, FindingId::from(row.key.as_str()));
    Ok(around.with_target(row, &tags, |target| {
        let selects = |d: &&Decision| match &d.draft.subject {
            Subject::Selector { selector, matched, .. } => {
                !matched.contains(&id) && !d.later.contains_key(&id) && selector.matches(target)
            }
            Subject::Findings(_) => false,
        };
        ahead.iter().filter(selects).map(|d| d.number.clone()).collect()
    }))
}

/// One transaction's worth: each finding goes under the first decision whose guard lets it.
fn cover_some(
    record: &mut Record,
    catalog: &Catalog,
    session: &Session,
    some: &[(String, Vec<DecisionId>)],
) -> Result<BTreeMap<DecisionId, usize>, GovernError> {
    let mut read: BTreeMap<DecisionId, (i64, Decision)> = BTreeMap::new();
    for number in some.iter().flat_map(|(_, by)| by) {
        if !read.contains_key(number) {
            read.insert(number.clone(), decision(record, number.as_str())?);
        }
    }
    let mut change = Change::default();
    let mut came: BTreeMap<DecisionId, Vec<(FindingId, Later)>> = BTreeMap::new();
    {
        let around = Surroundings::read(record, catalog, &session.policy)?;
        for (key, by) in some {
            let row = record.finding(key)?;
            let (version, life) = load_in(record, &around, &row)?;
            for (number, (_, d)) in by.iter().filter_map(|n| read.get_key_value(n)) {
                let event = step_under(&around, d, &row, &life)?;
                let who = d.approvals.iter().map(|a| a.human.as_str()).collect::<Vec<_>>().join(", ");
                let why = format!("covered by {number} for what comes later; approved by {who}");
                if life.finding.transition(event.clone(), &session.actor, &why, &session.policy, session.now).is_err() {
                    continue;
                }
                let facts = &life.finding.facts;
                let then = Later { at: session.now, points: facts.points, value_digest: facts.value_digest.clone() };
                came.entry(number.clone()).or_default().push((life.finding.id.clone(), then));
                step(&mut change, session, (version, life), event, &why)?;
                break;
            }
        }
    }
    let counts = came.iter().map(|(number, list)| (number.clone(), list.len())).collect();
    for (number, list) in came {
        let Some((version, before)) = read.get(&number) else { continue };
        let after = before.extended(list)?;
        let n = after.later.len().saturating_sub(before.later.len());
        let note = format!("{n} findings that came later are covered as approved");
        record_decision(&mut change, session, "decision.cover", *version, before, &after, &note)?;
    }
    if !change.moves.is_empty() {
        commit(record, session.key.as_ref(), &change, session.now)?;
    }
    Ok(counts)
}

/// A finding as somebody who decides wants to see it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Covered {
    /// Its short id.
    pub id: String,
    /// Where it stands.
    pub state: String,
    /// Its severity.
    pub severity: String,
    /// The rule.
    pub rule: String,
    /// The account.
    pub account: String,
    /// The resource's everyday name.
    pub name: String,
    /// When it came under the decision, if it was not named when that was approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// What keeps it out although the selector matches it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_because: Option<String>,
}

impl Covered {
    fn of(row: &FindingRow) -> Self {
        Self {
            id: row.id.clone(),
            state: row.state.clone(),
            severity: row.severity.clone(),
            rule: row.rule.clone(),
            account: row.account.clone(),
            name: row.name.clone(),
            since: None,
            open_because: None,
        }
    }
}

/// A decision with what it speaks about.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Shown {
    /// The decision.
    pub decision: Decision,
    /// Whether it also covers what comes later.
    pub covers_future: bool,
    /// What it names: the match list its approvers saw.
    pub matched: Vec<Covered>,
    /// What came under it later.
    pub later: Vec<Covered>,
    /// While it is in force and covers what comes later: what its selector matches and it does not cover, with the reason.
    pub left_open: Vec<Covered>,
}

/// A decision and every finding it covers, with what it leaves open.
///
/// # Errors
/// There is no decision with this number, or the record fails.
pub fn shown(record: &Record, catalog: &Catalog, session: &Session, number: &str) -> Result<Shown, GovernError> {
    let (_, d) = decision(record, number)?;
    let around = Surroundings::read(record, catalog, &session.policy)?;
    // What retention has let go is on the log and in its certificate, not here.
    let row = |id: &FindingId| match record.state(id.as_str())? {
        Some(_) => record.finding(id.as_str()).map(Some),
        None => Ok(None),
    };
    let mut matched = Vec::new();
    for id in d.draft.subject.named() {
        matched.extend(row(id)?.as_ref().map(Covered::of));
    }
    let mut later = Vec::new();
    for (id, then) in &d.later {
        later.extend(row(id)?.map(|row| Covered { since: Some(then.at), ..Covered::of(&row) }));
    }
    let mut left_open = Vec::new();
    if d.covers_future() && d.holds(session.now) {
        let one = std::slice::from_ref(&d);
        let system = Actor::system("expiry");
        record.each_finding(&in_work(), |row| -> Result<(), GovernError> {
            if meeting(&around, one, &row)?.is_empty() {
                return Ok(());
            }
            let (_, life) = load_in(record, &around, &row)?;
            let event = step_under(&around, &d, &row, &life)?;
            let tried = life.finding.transition(event, &system, "", &session.policy, session.now);
            let why = match tried {
                Ok(_) => "the next scan brings it under the decision".to_owned(),
                Err(refusal) => refusal.to_string(),
            };
            left_open.push(Covered { open_because: Some(why), ..Covered::of(&row) });
            Ok(())
        })?;
    }
    Ok(Shown { covers_future: d.covers_future(), decision: d, matched, later, left_open })
}
