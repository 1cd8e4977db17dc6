//! How soon findings want attention, by their scores: kept at the end of each scan, so that clocks go by what was known
//! when, and a lane that changes moves a due date only from then on.

use super::{Change, GovernError, Session, commit, life};
use crate::{
    scores::policy_in_force,
    signals::{Gathered, Stack},
};
use plumb_catalog::Catalog;
use plumb_govern::{log, policy::Lane, sla::Terms};
use plumb_model::{FindingKey, Severity, Time};
use plumb_record::{FindingRow, LaneRow, Query, Record};
use plumb_score::signal::Exploitation;
use serde_json::json;
use std::collections::BTreeMap;

/// What sets a clock beside tier and data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) lane: Lane,
    pub(super) exploited: bool,
    /// When a catalogue of exploited weaknesses wants it fixed.
    pub(super) due: Option<Time>,
}

impl Pace {
    /// As a score said.
    pub(super) fn of(kept: &LaneRow) -> Self {
        let due = kept.due.as_deref().and_then(|d| d.parse().ok());
        Self { lane: Lane::from_number(kept.lane), exploited: kept.exploited, due }
    }

    /// Where no score is known.
    pub(super) fn plain(lane: Lane) -> Self {
        Self { lane, exploited: false, due: None }
    }

    /// `terms` at the pace a score said, if one did.
    pub(super) fn terms(kept: Option<&LaneRow>, terms: Terms) -> Terms {
        kept.map(Self::of).map_or(terms, |p| Terms {
            lane: p.lane,
            exploited: p.exploited,
            exploited_due: p.due,
            ..terms
        })
    }
}

/// What a finding's clock goes by, in words, and how that changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Timing {
    /// `score 58.9 under score/1.0.0 of 2026-10-01`, or that its score is not known and what counts instead.
    pub by: String,
    /// Whether a score said so.
    pub scored: bool,
    /// Every change of lane, oldest first.
    pub changes: Vec<LaneChange>,
}

/// A change of lane.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LaneChange {
    /// When it was said.
    pub at: Time,
    /// The lane before.
    pub from: Lane,
    /// The lane since.
    pub to: Lane,
    /// Why, in words.
    pub why: String,
}

fn words(kept: &LaneRow) -> String {
    let known = if kept.exploited { ", known to be exploited" } else { "" };
    let day = kept.at.get(..10).unwrap_or(&kept.at);
    let due =
        kept.due.as_deref().and_then(|d| d.get(..10)).map_or_else(String::new, |d| format!(", wanted fixed by {d}"));
    format!("score {} under {} of {day}{known}{due}", plumb_report::points(kept.points), kept.policy)
}

impl Timing {
    /// Told from the lanes a finding's score had, oldest first; `plain` is its lane without a score, `found_by` the scan
    /// that found it.
    pub(super) fn of(row: &FindingRow, lanes: &[LaneRow], found_by: Option<i64>, plain: Lane) -> Self {
        let Some(last) = lanes.last() else {
            let sooner = plain != row.severity.parse::<Severity>().map_or(plain, life::lane_of);
            let reach = if sooner { ", and everybody on the internet can reach it" } else { "" };
            let by =
                format!("severity {}{reach}: its score is not known before the end of the next scan", row.severity);
            return Self { by, scored: false, changes: Vec::new() };
        };
        let mut changes = Vec::new();
        // A finding that was there before its score was kept went by its severity.
        let mut before = (found_by.is_none() || lanes.first().and_then(|l| l.scan) != found_by).then_some(plain);
        for kept in lanes {
            let (to, at) = (Lane::from_number(kept.lane), life::time(&kept.at).ok());
            if let (Some(from), Some(at)) = (before.filter(|from| *from != to), at) {
                changes.push(LaneChange { at, from, to, why: words(kept) });
            }
            before = Some(to);
        }
        Self { by: words(last), scored: true, changes }
    }
}

/// What a finding's clock goes by.
///
/// # Errors
/// The record fails.
pub fn timing(record: &Record, row: &FindingRow) -> Result<Timing, GovernError> {
    let severity: Severity = row.severity.parse().map_err(GovernError::Diverged)?;
    let found_by = record.history(&row.key)?.first().and_then(|step| step.scan);
    Ok(Timing::of(row, &record.lanes(&row.key)?, found_by, life::lane_of(severity)))
}

/// What keeping lanes came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LanesKept {
    /// Findings looked at.
    pub looked: usize,
    /// Findings whose score was kept for the first time.
    pub first: usize,
    /// Findings whose lane changed.
    pub moved: usize,
}

/// How many rows are kept in one transaction.
const AT_ONCE: usize = 20_000;
/// How many findings one log entry names.
const NAMED: usize = 1_000;

/// A lane, whether the weakness is known to be exploited and by when it is wanted fixed, in words.
fn shown(pace: &Pace) -> String {
    let known = if pace.exploited { ", known to be exploited" } else { "" };
    let due = pace.due.map_or_else(String::new, |d| format!(", wanted fixed by {}", d.date()));
    format!("{}{known}{due}", pace.lane)
}

/// What a finding's score says that is new; small, because the first scan of a large account says it of every finding.
struct Said {
    key: [u8; 32],
    before: Option<Pace>,
    now: Pace,
    points: u32,
}

/// Keeps one transaction's worth, with its entries on the log.
fn keep(
    record: &mut Record,
    session: &Session,
    scan: Option<i64>,
    policy: &str,
    said: &[Said],
) -> Result<(), GovernError> {
    if said.is_empty() {
        return Ok(());
    }
    let about = scan.map_or_else(String::new, |s| s.to_string());
    let mut change = Change::default();
    let mut moved: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for s in said {
        let key = FindingKey::from_bytes(s.key).hex();
        if let Some(before) = s.before.as_ref().filter(|before| **before != s.now) {
            moved.entry((shown(before), shown(&s.now))).or_default().push(key.clone());
        }
        let row = LaneRow {
            at: session.now.to_string(),
            lane: s.now.lane.number(),
            exploited: s.now.exploited,
            due: s.now.due.map(|d| d.to_string()),
            points: s.points.into(),
            policy: policy.into(),
            scan,
        };
        change.lanes.push((key, row));
    }
    let mut say = |what: serde_json::Value| {
        let event = log::Event::done(&session.actor, "finding.lane", ("scan", &about), what, session.now);
        change.events.push(session.mark(event));
    };
    let first = said.iter().filter(|s| s.before.is_none()).count();
    if first > 0 {
        say(json!({ "policy": policy, "first": first }));
    }
    for ((from, to), findings) in &moved {
        for some in findings.chunks(NAMED) {
            say(json!({ "policy": policy, "from": from, "to": to, "findings": some }));
        }
    }
    commit(record, session.key.as_ref(), &change, session.now)
}

pub(super) fn bytes(key: &str) -> Result<[u8; 32], GovernError> {
    let byte = |i: usize| key.get(i..i + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let all: Option<Vec<u8>> = (0..key.len()).step_by(2).map(byte).collect();
    all.and_then(|b| b.try_into().ok()).ok_or_else(|| GovernError::Diverged(format!("`{key}` is no finding's key")))
}

/// Scores every open finding: what the scores say of lanes is kept where that is new, with the changes on the log; and
/// where `levels` asks for it, what they are made of, so that the next scan can say what moved. One account's resources are
/// held at a time.
///
/// # Errors
/// The record fails; what was kept before stays kept.
pub fn keep_scores(
    record: &mut Record,
    catalog: &Catalog,
    session: &Session,
    scan: Option<i64>,
    levels: bool,
) -> Result<LanesKept, GovernError> {
    let (mut stack, policy) = (Stack::bare(record, catalog, session.now)?, policy_in_force(record)?);
    let mut gathered = if levels { Gathered::room(record)? } else { None };
    let version = policy.version().to_owned();
    let sql =
        "SELECT DISTINCT account FROM rollups WHERE state NOT IN ('fixed', 'resource-gone', 'superseded') ORDER BY 1";
    let accounts = record.query(sql)?.rows;
    let (mut done, mut said): (_, Vec<Said>) = (LanesKept::default(), Vec::new());
    for account in accounts.iter().filter_map(|row| row.first()?.as_str()) {
        stack.look(record, catalog, Some(account), session.now)?;
        let query = Query { account: Some(account.to_owned()), ..Query::default() };
        record.each_finding::<GovernError>(&query, |finding| {
            done.looked += 1;
            let (signals, _) = stack.signals(&finding, catalog, &policy);
            let scored = plumb_score::score(&signals, &policy);
            let exploited = signals.exploitation >= Exploitation::Kev;
            let due = if exploited { stack.wanted_by(&finding) } else { None };
            let now = Pace { lane: Lane::from_number(scored.lane.number()), exploited, due };
            let known = record.lane(&finding.key)?;
            let before = known.as_ref().map(Pace::of);
            // A score that moved within its lane is kept as well: sums of risk are made of these.
            if before != Some(now) || known.is_some_and(|known| known.points != i64::from(scored.points)) {
                if before != Some(now) {
                    *(if before.is_some() { &mut done.moved } else { &mut done.first }) += 1;
                }
                said.push(Said { key: bytes(&finding.key)?, before, now, points: scored.points });
            }
            if let Some(levels) = &mut gathered {
                levels.say(signals, finding.id);
            }
            Ok(())
        })?;
        // In the order of the table: what is written together lies together.
        said.sort_unstable_by_key(|s| s.key);
        while said.len() >= AT_ONCE {
            let rest = said.split_off(AT_ONCE);
            keep(record, session, scan, &version, &said)?;
            said = rest;
        }
    }
    keep(record, session, scan, &version, &said)?;
    if let (Some(levels), Some(scan)) = (gathered, scan) {
        levels.keep(record, &policy, scan, session.now)?;
    }
    Ok(done)
}
