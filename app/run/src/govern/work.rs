//! Changes: documents, moves and log entries, kept together.

use super::{GovernError, Life, Session, load_life, seal};
use plumb_catalog::Catalog;
use plumb_govern::{
    Refusal,
    finding::{Event, machine::State},
    log::{self, Log, SealKey},
    people::Actor,
};
use plumb_model::Time;
use plumb_record::{Record, RecordError, TransitionRow, append_activity, move_finding, put_document};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// What one state change writes.
#[derive(Debug, Default)]
pub struct Change {
    /// Documents: collection, id, the version that was read (0: new), content.
    pub documents: Vec<(String, String, i64, Json)>,
    /// Moves of findings: key and step.
    pub moves: Vec<(String, TransitionRow)>,
    /// What goes on the log.
    pub events: Vec<log::Event>,
}

impl Change {
    /// Adds a document.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn put<T: serde::Serialize>(
        &mut self,
        collection: &str,
        id: &str,
        version: i64,
        doc: &T,
    ) -> Result<(), GovernError> {
        self.documents.push((collection.into(), id.into(), version, serde_json::to_value(doc)?));
        Ok(())
    }
}

/// Keeps a change, its log entries and the log's new head in one transaction; signs the head when a key is at hand.
///
/// # Errors
/// The record fails, or something that was read has changed meanwhile: then nothing is kept.
pub fn commit(record: &mut Record, key: Option<&SealKey>, change: &Change, now: Time) -> Result<(), GovernError> {
    let mut tries = 0;
    loop {
        let (version, mut state) = seal::log_state(record)?;
        let mut log = Log::resume(&state.head)?;
        let mut lines = Vec::with_capacity(change.events.len());
        for event in &change.events {
            let sealed = log.append(event.clone());
            let line =
                String::from_utf8(sealed.line()).map_err(|_| GovernError::Input("an entry is not text".into()))?;
            lines.push((i64::try_from(sealed.seq).unwrap_or(i64::MAX), line));
        }
        let kept = key.filter(|_| log.wants_checkpoint(state.checkpoint.as_ref(), now));
        state.head = log.head();
        if let Some(key) = key {
            let point = log.checkpoint(&state.origin, &[key], now);
            if !state.keys.contains(&key.public()) {
                state.keys.push(key.public());
            }
            state.checkpoint = Some(point);
        }
        let done = record.atomically(|db| {
            for (key, step) in &change.moves {
                move_finding(db, key, step)?;
            }
            for (collection, id, version, doc) in &change.documents {
                put_document(db, collection, id, *version, doc)?;
            }
            append_activity(db, &lines)?;
            if let (Some(_), Some(point)) = (kept, &state.checkpoint) {
                let doc =
                    serde_json::to_value(point).map_err(|_| RecordError::Damaged { what: "checkpoint".into() })?;
                put_document(db, seal::CHECKPOINTS, &format!("{:012}", point.size), 0, &doc)?;
            }
            let doc = serde_json::to_value(&state).map_err(|_| RecordError::Damaged { what: "log head".into() })?;
            put_document(db, seal::HEAD.0, seal::HEAD.1, version, &doc)?;
            Ok(())
        });
        match done {
            Ok(()) => return Ok(()),
            // Only the log moved on: the same change may still be good, and is tried on the new head.
            Err(_) if tries < 8 && seal::log_state(record)?.0 != version => tries += 1,
            Err(e) => return Err(e.into()),
        }
    }
}

/// Puts a refused attempt on the log.
///
/// # Errors
/// The record fails.
pub fn log_denied(
    record: &mut Record,
    session: &Session,
    action: &str,
    object: (&str, &str),
    refusal: &Refusal,
) -> Result<(), GovernError> {
    let event = session.mark(log::Event::denied(&session.actor, action, object, refusal, session.now));
    commit(record, session.key.as_ref(), &Change { events: vec![event], ..Change::default() }, session.now)
}

/// Puts a scan's beginning on the log.
///
/// # Errors
/// The record fails.
pub fn log_scan_start(
    record: &mut Record,
    key: Option<&SealKey>,
    actor: &str,
    scope: &Json,
    now: Time,
) -> Result<(), GovernError> {
    let by = Actor::system("scanner");
    let event = log::Event::done(&by, "scan.start", ("scan", ""), json!({ "scope": scope, "asked_by": actor }), now);
    commit(record, key, &Change { events: vec![event], ..Change::default() }, now)
}

/// Puts a scan's end on the log, with what it came to.
///
/// # Errors
/// The record fails.
pub fn log_scan_end(
    record: &mut Record,
    key: Option<&SealKey>,
    scan: i64,
    summary: Json,
    now: Time,
) -> Result<(), GovernError> {
    let row = record.scan(Some(plumb_record::ScanId(scan)))?;
    let change = json!({
        "status": row.status, "judged_at": row.judged_at, "rules_digest": row.rules_digest,
        "summary": summary,
    });
    let event = log::Event::done(&Actor::system("scanner"), "scan.end", ("scan", &scan.to_string()), change, now);
    commit(record, key, &Change { events: vec![event], ..Change::default() }, now)
}

/// The state a stored name stands for.
pub(super) fn state(name: &str) -> Result<State, GovernError> {
    name.parse().map_err(GovernError::Diverged)
}

/// Takes a step: adds the move, the new life and the entry to `change`.
///
/// # Errors
/// The rules refuse it.
pub(super) fn step(
    change: &mut Change,
    session: &Session,
    life: (i64, Life),
    event: Event,
    reason: &str,
) -> Result<Life, GovernError> {
    let (version, life) = life;
    let name = event.kind().name();
    let policy = &session.policy;
    let step = life.finding.transition(event, &session.actor, reason, policy, session.now)?;
    let before = serde_json::to_value(&life.finding)?;
    let id = life.finding.id.to_string();
    let finding = life.finding.apply(&step, policy).map_err(|e| GovernError::Diverged(e.to_string()))?;
    let after = serde_json::to_value(&finding)?;
    let from = step.from.map_or("none", State::name).to_owned();
    let entry = log::Event::done(
        &session.actor,
        &format!("finding.{name}"),
        ("finding", &id),
        json!({ "from": from, "to": step.to.name(), "reason": reason, "inputs": step.inputs }),
        session.now,
    );
    change.events.push(session.mark(entry.with_states(Some(&before), Some(&after))));
    change.moves.push((
        id.clone(),
        TransitionRow {
            at: session.now.to_string(),
            event: name.into(),
            from,
            to: step.to.name().into(),
            actor: session.actor.id.clone(),
            reason: reason.into(),
            scan: None,
        },
    ));
    let mut steps = life.steps;
    steps.push(step);
    let life = Life { finding, steps, rows: life.rows + 1 };
    change.put(super::life::COLLECTION, &id, version, &life)?;
    Ok(life)
}

/// A person's step of one finding, guarded, logged and kept. A refused one is logged and returned as the error.
///
/// # Errors
/// There is no such finding or event, the rules refuse, or the record fails.
pub fn transition(
    record: &mut Record,
    catalog: &Catalog,
    session: &Session,
    id: &str,
    event: &str,
    reason: &str,
    fields: &BTreeMap<String, String>,
) -> Result<Life, GovernError> {
    let row = record.finding(id)?;
    let event = if event == "merge" {
        let into =
            fields.get("into").ok_or_else(|| GovernError::Input("`merge` needs `--field into=FINDING`".into()))?;
        let other = record.finding(into)?;
        Event::Merge { same_account: other.account == row.account, exists: true, into: other.key.into() }
    } else {
        let mut fields = fields.clone();
        if !reason.is_empty() {
            fields.entry("reason".into()).or_insert_with(|| reason.to_owned());
        }
        Event::by_hand(event, &fields).map_err(GovernError::Input)?
    };
    let life = load_life(record, catalog, &row, &session.policy)?;
    let name = format!("finding.{}", event.kind().name());
    let mut change = Change::default();
    match step(&mut change, session, life, event, reason) {
        Ok(life) => {
            commit(record, session.key.as_ref(), &change, session.now)?;
            Ok(life)
        }
        Err(GovernError::Refused(refusal)) => {
            log_denied(record, session, &name, ("finding", &row.key), &refusal)?;
            Err(refusal.into())
        }
        Err(other) => Err(other),
    }
}

/// Notes that a promise of the programme was kept, by a person who may write.
///
/// # Errors
/// There is no such promise, the person may not, or the record fails.
pub fn note_done(
    record: &mut Record,
    session: &Session,
    promise: &str,
    account: &str,
    result: &str,
) -> Result<plumb_govern::cadence::Done, GovernError> {
    use plumb_govern::people::{Act, may};
    let known = plumb_govern::cadence::default_promises();
    if !known.iter().any(|p| p.name == promise) {
        let names: Vec<_> = known.iter().map(|p| p.name.as_str()).collect();
        return Err(GovernError::Input(format!("there is no promise `{promise}`; there is {}", names.join(", "))));
    }
    if !session.actor.roles.iter().any(|r| may(*r, Act::RunCampaign)) {
        let has = session.actor.roles.iter().map(|r| r.name()).collect::<Vec<_>>().join(", ");
        let needs = "approver or admin".into();
        let refusal =
            Refusal::NotAllowed { act: "note a kept promise".into(), needs, actor: session.actor.id.clone(), has };
        log_denied(record, session, "cadence.done", ("cadence", promise), &refusal)?;
        return Err(refusal.into());
    }
    let done = plumb_govern::cadence::Done {
        promise: promise.into(),
        subject: account.into(),
        at: session.now,
        result: format!("{result} ({})", session.actor.id),
        complete: true,
    };
    let id = format!("{promise}/{account}/{}/{}", session.now, seal::log_state(record)?.1.head.size);
    let event =
        log::Event::done(&session.actor, "cadence.done", ("cadence", &id), serde_json::to_value(&done)?, session.now);
    let mut change = Change { events: vec![session.mark(event)], ..Change::default() };
    change.put(super::picture::CADENCE, &id, 0, &done)?;
    commit(record, session.key.as_ref(), &change, session.now)?;
    Ok(done)
}
