//! A finding's life: the store's rows as the govern layer knows them.
//!
//! What people do is kept as a document per finding; what scans do is kept by the store as rows. Both are folded here,
//! in order, so that the state follows from its steps or the difference is named.

use super::{
    GovernError, Surroundings,
    lanes::{Pace, Timing},
    work::state,
};
use plumb_catalog::Catalog;
use plumb_govern::{
    finding::{Event, EvidenceRef, Facts, Finding, Look, Pass, Transition, machine},
    log,
    people::Actor,
    policy::{Lane, Policy},
    sla::Terms,
};
use plumb_model::{Outcome, RuleId, Severity, Time};
use plumb_record::{FindingRow, LaneRow, Query, Record, TransitionRow};

/// The collection lives are kept in.
pub(super) const COLLECTION: &str = "life";

/// A finding with every step of it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Life {
    /// The finding.
    pub finding: Finding,
    /// Its steps, from the first.
    pub steps: Vec<Transition>,
    /// How many of the store's rows are in it.
    pub rows: usize,
    /// How many of the lanes its score had are in it.
    #[serde(default)]
    pub lanes: usize,
    /// What its clock goes by.
    #[serde(skip)]
    pub timing: Timing,
}

pub(super) fn time(text: &str) -> Result<Time, GovernError> {
    text.parse().map_err(|_| GovernError::Diverged(format!("`{text}` on record is no time")))
}

/// How soon a finding of this severity wants attention, where its score is not known.
pub(super) fn lane_of(severity: Severity) -> Lane {
    match severity {
        Severity::Critical => Lane::ActNow,
        Severity::High => Lane::Urgent,
        Severity::Medium => Lane::Planned,
        _ => Lane::Watch,
    }
}

/// A score is shown out of 100: in tenths, what counts of a finding's points at most.
pub(super) const MOST_POINTS: i64 = 1_000;

/// Points of a finding of this severity whose score is not known yet, in tenths.
pub(super) fn points(severity: Severity) -> i64 {
    plumb_score::score(&plumb_score::Signals::of(severity), &plumb_score::Policy::default()).points.into()
}

fn facts(around: &Surroundings<'_>, row: &FindingRow, kept: Option<&LaneRow>) -> Result<Facts, GovernError> {
    let severity: Severity = row.severity.parse().map_err(GovernError::Diverged)?;
    let rule: RuleId = row.rule.as_str().into();
    let why = row
        .because
        .iter()
        .map(|l| format!("{} is {}; wanted {}", l.path, l.observed.to_plain_json(), l.expected))
        .collect::<Vec<_>>()
        .join("; ");
    let profile = around.profile(&row.account);
    let tags = around.tags(row)?;
    let routed = around.route(row, &tags);
    let class = around.class(row)?;
    let pace = match kept {
        Some(kept) => Pace::of(kept),
        None => Pace::plain(lane(row, severity, class.as_deref())),
    };
    let terms = Terms {
        exploited: pace.exploited,
        exploited_due: pace.due,
        reachable: row.topic.starts_with("exposure.") || class.as_deref() == Some("internet"),
        regulated: profile.data.iter().any(|d| d.is_regulated()),
        ..Terms::new(pace.lane, profile.tier)
    };
    Ok(Facts {
        rule_version: 1,
        account: row.account.as_str().into(),
        region: row.region.as_str().into(),
        resource: row.resource.as_str().into(),
        name: row.name.clone(),
        title: row.title.clone(),
        why,
        severity,
        points: kept.map_or_else(|| points(severity), |kept| kept.points.min(MOST_POINTS)),
        terms,
        data: profile.data,
        team: routed.team,
        person: routed.person,
        value_digest: log::digest(&serde_json::to_value(&row.because)?),
        controls: around.of_rule(&rule).0,
        cause: super::inventory::cause(&tags),
        rule,
    })
}

/// Why a finding wants attention sooner than its severity alone says: what it is about was proven to be reachable by
/// everybody. Rules about reach itself have that in their severity. Nothing is ever put off because it seems out of reach.
pub(super) fn sooner(row: &FindingRow, class: Option<&str>) -> Option<&'static str> {
    let counts = matches!(row.severity.as_str(), "medium" | "high") && !row.topic.starts_with("exposure.");
    (counts && class == Some("internet")).then_some("everybody on the internet can reach it")
}

/// The lane of a finding whose score is not known: by its severity, one step sooner when [`sooner`] says so.
fn lane(row: &FindingRow, severity: Severity, class: Option<&str>) -> Lane {
    match (sooner(row, class), lane_of(severity)) {
        (Some(_), Lane::Urgent) => Lane::ActNow,
        (Some(_), Lane::Planned) => Lane::Urgent,
        (_, lane) => lane,
    }
}

fn evidence(row: &FindingRow, step: &TransitionRow, digest: &str, at: Time) -> EvidenceRef {
    EvidenceRef {
        uri: format!("record:{}/{}/{}", row.account, row.kind, row.resource),
        sha256: digest.into(),
        captured_at: at,
        collector: step.scan.map_or_else(|| "scan".into(), |n| format!("scan {n}")),
    }
}

/// A finding's life up to now, and the version of its document (0 when nobody has acted on it yet).
///
/// # Errors
/// The record fails, or the state on record is not where the steps lead.
pub fn load(record: &Record, catalog: &Catalog, row: &FindingRow, policy: &Policy) -> Result<(i64, Life), GovernError> {
    load_in(record, &Surroundings::read(record, catalog, policy)?, row)
}

/// As [`load`], with what many findings share read before.
pub(super) fn load_in(
    record: &Record,
    around: &Surroundings<'_>,
    row: &FindingRow,
) -> Result<(i64, Life), GovernError> {
    let (version, doc) = record.document(COLLECTION, &row.key)?.map_or((0, None), |(v, doc)| (v, Some(doc)));
    let (history, lanes) = (record.history(&row.key)?, record.lanes(&row.key)?);
    Ok((version, assemble(around, row, doc, &history, &lanes)?))
}

/// Folds what people did, what scans did and what the score said of its lane into one life.
fn assemble(
    around: &Surroundings<'_>,
    row: &FindingRow,
    doc: Option<serde_json::Value>,
    history: &[TransitionRow],
    lanes: &[LaneRow],
) -> Result<Life, GovernError> {
    let policy = &around.policy;
    let plain = facts(around, row, None)?;
    let scored = lanes.last().map_or(plain.points, |kept| kept.points.min(MOST_POINTS));
    let facts = Facts { terms: Pace::terms(lanes.last(), plain.terms), points: scored, ..plain.clone() };
    let wrong = |what: String| GovernError::Diverged(format!("{}: {what}", row.id));
    let mut life = match doc {
        Some(doc) => serde_json::from_value::<Life>(doc)?,
        None => {
            let first = history.first().ok_or_else(|| wrong("has no first step on record".into()))?;
            let at = time(&first.at)?;
            let found = vec![evidence(row, first, &facts.value_digest, at)];
            // What the scan that found it said at its end is where its clock began; what a later one says is a change.
            let at_first = lanes.first().filter(|l| l.scan.is_some() && l.scan == first.scan);
            let mut born = Facts { terms: Pace::terms(at_first, plain.terms), ..facts.clone() };
            born.severity = row.severity_open.parse().map_err(GovernError::Diverged)?;
            let (finding, step) =
                Finding::open(row.key.as_str().into(), born, found, &Actor::system("scanner"), policy, at)?;
            Life { finding, steps: vec![step], rows: 1, lanes: at_first.iter().len(), timing: Timing::default() }
        }
    };
    if history.len() < life.rows {
        return Err(wrong(format!("{} steps are on record, {} were taken", history.len(), life.rows)));
    }
    let mut steps = history.iter().skip(life.rows).peekable();
    let mut later = lanes.iter().skip(life.lanes).peekable();
    loop {
        let step_is_next = match (steps.peek(), later.peek()) {
            (None, None) => break,
            (Some(step), Some(lane)) => time(&step.at)? <= time(&lane.at)?,
            (next, _) => next.is_some(),
        };
        if step_is_next {
            let Some(step) = steps.next() else { break };
            life = replay(life, row, step, policy, &facts.value_digest)?;
        } else {
            let Some(lane) = later.next() else { break };
            let terms = Pace::terms(Some(lane), life.finding.facts.terms);
            life.finding.retime(terms, policy, time(&lane.at)?);
            life.lanes += 1;
        }
    }
    life.timing = Timing::of(row, lanes, history.first().and_then(|step| step.scan), plain.terms.lane);
    life.finding.observe(facts, policy, time(&row.last_seen)?);
    if life.finding.state() != state(&row.state)? {
        return Err(wrong(format!("says {} on record, but its steps lead to {}", row.state, life.finding.state())));
    }
    Ok(life)
}

/// Takes a row that a scan wrote.
fn replay(
    mut life: Life,
    row: &FindingRow,
    step: &TransitionRow,
    policy: &Policy,
    digest: &str,
) -> Result<Life, GovernError> {
    let wrong = |what: String| GovernError::Diverged(format!("{}: {what}", row.id));
    if !step.actor.starts_with("system:") {
        return Err(wrong(format!("`{}` by {} is on record, but not in the finding's life", step.event, step.actor)));
    }
    let at = time(&step.at)?;
    let run = step.scan.map_or_else(|| "scan".into(), |n| format!("scan {n}"));
    let look = |outcome| Look { run: run.clone(), started: at, finished: at, outcome, complete: true };
    let here = life.finding.state();
    let retest = || Event::ScheduleRetest { job: run.clone() };
    let mut events = Vec::new();
    match step.event.as_str() {
        "detect" => events.push(Event::Detect { evidence: vec![evidence(row, step, digest, at)] }),
        // A claimed fix is put up for retest by the same run that then looks at it.
        "observe-pass" if here == machine::State::FixedClaimed => events.push(retest()),
        "observe-pass" => events.push(Event::ObservePass { look: look(Outcome::Pass) }),
        "retest-pass" | "retest-fail" => {
            if here == machine::State::FixedClaimed {
                events.push(retest());
            }
            events.push(if step.event == "retest-pass" {
                Event::RetestPass { look: look(Outcome::Pass), before: None, event_driven: false }
            } else {
                Event::RetestFail { look: look(Outcome::Fail) }
            });
        }
        // The store has counted two complete reads without the resource; the second is this one.
        "resource-gone" => {
            events.push(Event::ResourceGone { passes: vec![Pass { run: run.clone(), at, complete: true }] })
        }
        other => return Err(wrong(format!("a scan cannot cause `{other}`"))),
    }
    let actor = Actor::system("scanner");
    for event in events {
        let from = life.finding.state();
        let found = machine::find(Some(from), event.kind())
            .ok_or_else(|| wrong(format!("`{}` cannot follow {from}", event.kind())))?;
        let taken = Transition {
            v: plumb_govern::finding::FINDING_VERSION,
            finding: life.finding.id.clone(),
            seq: life.finding.seq().saturating_add(1),
            number: found.number,
            from: Some(from),
            to: found.to,
            at,
            actor: actor.id.clone(),
            actor_kind: actor.kind,
            human: None,
            mfa_at: None,
            emergency: None,
            reason: step.reason.clone(),
            inputs: event,
            policy_version: policy.version.clone(),
            request: None,
        };
        life.finding = life.finding.apply(&taken, policy).map_err(|e| wrong(e.to_string()))?;
        life.steps.push(taken);
    }
    life.rows += 1;
    Ok(life)
}

/// Hands every finding's life to `take`, closed ones too, one at a time and in the store's order: any number of them needs
/// the memory of one.
///
/// # Errors
/// As for [`load`], or the first error of `take`.
pub fn each_life(
    around: &Surroundings<'_>,
    mut take: impl FnMut(&FindingRow, &Life) -> Result<(), GovernError>,
) -> Result<(), GovernError> {
    let states = machine::State::ALL.iter().map(|s| s.name().to_owned()).collect();
    around.record.each_finding(&Query { states, ..Query::default() }, |row| {
        let (_, life) = load_in(around.record, around, &row)?;
        take(&row, &life)
    })
}

/// The first finding whose state on record is not where its last step leads, in words.
///
/// # Errors
/// The record fails.
pub(super) fn astray(record: &Record) -> Result<Option<String>, GovernError> {
    let orphan = record.query(
        "SELECT lower(hex(t.key)) FROM transition t WHERE NOT EXISTS (SELECT 1 FROM finding f WHERE f.key = t.key) LIMIT 1",
    )?;
    if let Some(key) = orphan.rows.first().and_then(|row| row.first()).and_then(|v| v.as_str()) {
        let key = super::lanes::bytes(key)
            .map_or_else(|_| key.to_owned(), |b| plumb_model::FindingKey::from_bytes(b).short());
        return Ok(Some(format!("finding {key} is gone, but its steps are there: nobody disposed of it")));
    }
    let table = record.query(
        "SELECT f.short, f.state, t.to_state FROM finding f JOIN transition t
         ON t.id = (SELECT max(id) FROM transition WHERE key = f.key) WHERE f.state <> t.to_state LIMIT 1",
    )?;
    let word =
        |row: &Vec<serde_json::Value>, i: usize| row.get(i).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    Ok(table.rows.first().map(|row| {
        format!("finding {} says {} on record, but its last step led to {}", word(row, 0), word(row, 1), word(row, 2))
    }))
}
