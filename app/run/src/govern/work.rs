//! Changes: documents, moves and log entries, kept together.

use super::{GovernError, Life, Session, Surroundings, load_life, seal};
use plumb_catalog::Catalog;
use plumb_govern::{
    Refusal,
    finding::{Event, machine::State},
    log::{self, Log, SealKey},
    people::Actor,
};
use plumb_model::Time;
use plumb_record::{Connection, Record, TransitionRow, append_activity, move_finding, put_document};
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
    /// What scores say of findings' lanes from now on: keys and rows.
    pub lanes: Vec<(String, plumb_record::LaneRow)>,
    /// Rows that go for good; see [`super::approve_disposal`].
    pub disposals: Vec<plumb_record::Disposable>,
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
    sealed(record, key, now, |_, sealing| sealing.keep(change))
}

/// What writes changes part by part within one transaction.
pub(super) struct Sealing<'t> {
    db: &'t Connection,
    log: Log,
}

impl Sealing<'_> {
    /// Writes a part with its entries.
    pub(super) fn keep(&mut self, change: &Change) -> Result<(), GovernError> {
        let mut lines = Vec::with_capacity(change.events.len());
        let kept = super::kept::mark(change);
        for (at, event) in change.events.iter().enumerate() {
            let mut event = event.clone();
            if let Some((_, said)) = kept.as_ref().filter(|(marked, _)| *marked == at) {
                event.change = said.clone();
            }
            let sealed = self.log.append(event);
            let line =
                String::from_utf8(sealed.line()).map_err(|_| GovernError::Input("an entry is not text".into()))?;
            lines.push((i64::try_from(sealed.seq).unwrap_or(i64::MAX), line));
        }
        for (key, step) in &change.moves {
            move_finding(self.db, key, step)?;
        }
        for (collection, id, version, doc) in &change.documents {
            put_document(self.db, collection, id, *version, doc)?;
        }
        for (key, lane) in &change.lanes {
            plumb_record::put_lane(self.db, key, lane)?;
        }
        super::keep::carry_out(self.db, &change.disposals)?;
        append_activity(self.db, &lines)?;
        Ok(())
    }
}

/// Runs `work` in one transaction, which it writes part by part, and seals the log over all of them at its end: a decision
/// about many findings is never held as a whole, and is kept as a whole or not at all.
///
/// # Errors
/// Those of `work`; the record fails, or something that was read has changed meanwhile: then nothing is kept.
pub(super) fn sealed<T>(
    record: &mut Record,
    key: Option<&SealKey>,
    now: Time,
    work: impl FnOnce(&Record, &mut Sealing<'_>) -> Result<T, GovernError>,
) -> Result<T, GovernError> {
    let keys: Vec<&SealKey> = key.into_iter().collect();
    sealed_by(record, &keys, now, work)
}

/// As [`sealed`], by every one of these keys; a head that several sign stays.
pub(super) fn sealed_by<T>(
    record: &mut Record,
    keys: &[&SealKey],
    now: Time,
    work: impl FnOnce(&Record, &mut Sealing<'_>) -> Result<T, GovernError>,
) -> Result<T, GovernError> {
    record.durably_in_parts(|record, db| {
        // Nobody else writes from here on: the log stands where this says.
        let (version, mut state) = seal::log_state(record)?;
        let mut sealing = Sealing { db, log: Log::resume(&state.head)? };
        let out = work(record, &mut sealing)?;
        let log = sealing.log;
        let kept = keys.len() > 1 || log.wants_checkpoint(state.checkpoint.as_ref(), now);
        state.head = log.head();
        if !keys.is_empty() {
            let point = log.checkpoint(&state.origin, keys, now);
            for key in keys {
                if !state.keys.contains(&key.public()) {
                    state.keys.push(key.public());
                }
            }
            if kept {
                let doc = serde_json::to_value(&point)?;
                put_document(db, seal::CHECKPOINTS, &format!("{:012}", point.size), 0, &doc)?;
            }
            state.checkpoint = Some(point);
        }
        put_document(db, seal::HEAD.0, seal::HEAD.1, version, &serde_json::to_value(&state)?)?;
        Ok(out)
    })
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

/// Does the work; a refusal is put on the log before it is returned.
pub(super) fn guarded<T>(
    record: &mut Record,
    session: &Session,
    action: &str,
    object: (&str, &str),
    work: impl FnOnce(&mut Record) -> Result<T, GovernError>,
) -> Result<T, GovernError> {
    match work(record) {
        Err(GovernError::Refused(refusal)) => {
            log_denied(record, session, action, object, &refusal)?;
            Err(refusal.into())
        }
        other => other,
    }
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
    let mut step = life.finding.transition(event, &session.actor, reason, policy, session.now)?;
    step.request = Some(session.request.clone()).filter(|r| !r.is_empty());
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
    let life = Life { finding, steps, rows: life.rows + 1, lanes: life.lanes, timing: life.timing };
    change.put(super::life::COLLECTION, &id, version, &life)?;
    Ok(life)
}

/// The event somebody names, with what its guard asks for.
fn event_by_hand(
    record: &Record,
    row: &plumb_record::FindingRow,
    event: &str,
    reason: &str,
    fields: &BTreeMap<String, String>,
) -> Result<Event, GovernError> {
    if event == "merge" {
        let into =
            fields.get("into").ok_or_else(|| GovernError::Input("`merge` needs `--field into=FINDING`".into()))?;
        let other = record.finding(into)?;
        return Ok(Event::Merge { same_account: other.account == row.account, exists: true, into: other.key.into() });
    }
    let mut fields = fields.clone();
    if !reason.is_empty() {
        fields.entry("reason".into()).or_insert_with(|| reason.to_owned());
    }
    Event::by_hand(event, &fields).map_err(GovernError::Input)
}

/// One row of a bulk action.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BulkStep {
    /// The finding.
    pub id: String,
    /// The event.
    pub event: String,
    /// In the actor's words.
    #[serde(default)]
    pub reason: String,
    /// What the step asks for.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

/// What became of one row of a bulk action.
#[derive(Debug, Clone, serde::Serialize)]
pub struct BulkSaid {
    /// The finding, as it was named.
    pub finding: String,
    /// The event.
    pub event: String,
    /// Whether it was done.
    pub ok: bool,
    /// From.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<&'static str>,
    /// To.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<&'static str>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The request all rows belong to.
    pub request: String,
}

/// Many steps as one request: each is guarded by itself, those that are allowed are kept together in one transaction, the
/// refused ones are logged in it.
///
/// # Errors
/// More rows than one request may have, or the record fails; then nothing is kept.
pub fn bulk(
    record: &mut Record,
    catalog: &Catalog,
    session: &Session,
    rows: &[BulkStep],
) -> Result<Vec<BulkSaid>, GovernError> {
    use plumb_govern::finding::{BULK_LIMIT, BulkError};
    if rows.len() > BULK_LIMIT {
        return Err(GovernError::Input(BulkError { asked: rows.len() }.to_string()));
    }
    let request = format!("bulk-{}-{}", session.now, seal::log_state(record)?.1.head.size);
    let session = Session { request: request.clone(), ..session.clone() };
    let mut change = Change::default();
    let mut said = Vec::with_capacity(rows.len());
    {
        let around = Surroundings::read(record, catalog, &session.policy)?;
        let mut named = std::collections::BTreeSet::new();
        for row in rows {
            let one = |change: &mut Change, named: &mut std::collections::BTreeSet<String>| {
                let found = record.finding(&row.id)?;
                let event = event_by_hand(record, &found, &row.event, &row.reason, &row.fields)?;
                if !named.insert(found.key.clone()) {
                    return Err(GovernError::Input("the finding is named twice in one request".into()));
                }
                let life = super::life::load_in(record, &around, &found)?;
                let name = format!("finding.{}", event.kind().name());
                let from = life.1.finding.state();
                match step(change, &session, life, event, &row.reason) {
                    Err(GovernError::Refused(refusal)) => {
                        let object = ("finding", found.key.as_str());
                        let event = log::Event::denied(&session.actor, &name, object, &refusal, session.now);
                        change.events.push(session.mark(event));
                        Err(refusal.into())
                    }
                    other => Ok((from, other?.finding.state())),
                }
            };
            let done = one(&mut change, &mut named);
            let blank = BulkSaid {
                finding: row.id.clone(),
                event: row.event.clone(),
                ok: done.is_ok(),
                from: None,
                to: None,
                refused: None,
                request: request.clone(),
            };
            said.push(match done {
                Ok((from, to)) => BulkSaid { from: Some(from.name()), to: Some(to.name()), ..blank },
                Err(error) => BulkSaid { refused: Some(error.to_string()), ..blank },
            });
        }
    }
    if !change.events.is_empty() {
        commit(record, session.key.as_ref(), &change, session.now)?;
    }
    Ok(said)
}

/// Says how one finding is related to another. The link is part of its life, and logged.
///
/// # Errors
/// There is no such finding, the person may not, the link would close a circle, or the record fails.
pub fn link(
    record: &mut Record,
    catalog: &Catalog,
    session: &Session,
    id: &str,
    relation: &str,
    to: &str,
) -> Result<Life, GovernError> {
    use plumb_govern::{
        finding::{Finding, Link},
        ids::FindingId,
        people::Act,
    };
    super::inventory::allowed(record, session, Act::Work, "relate findings", ("finding", id))?;
    let kind = relation.parse().map_err(GovernError::Input)?;
    let (version, mut life, other, all) = {
        let around = Surroundings::read(record, catalog, &session.policy)?;
        let row = record.finding(id)?;
        let (version, life) = super::life::load_in(record, &around, &row)?;
        let other = record.finding(to)?;
        // Only what can be reached from the other end can close a circle.
        let mut all: BTreeMap<FindingId, Finding> = BTreeMap::new();
        let mut next = vec![other.key.clone()];
        while let Some(key) = next.pop() {
            if all.contains_key(&FindingId::from(key.as_str())) {
                continue;
            }
            let (_, found) = super::life::load_in(record, &around, &record.finding(&key)?)?;
            next.extend(found.finding.links.iter().map(|l| l.to.to_string()));
            all.insert(found.finding.id.clone(), found.finding);
        }
        (version, life, other, all)
    };
    let before = serde_json::to_value(&life.finding)?;
    let new = Link { kind, to: other.key.as_str().into() };
    // People know findings by their short ids.
    let (long, short) = (life.finding.id.to_string(), super::bound::named(life.finding.id.as_str()));
    let linked = plumb_govern::finding::link(&mut life.finding, new, &all);
    linked.map_err(|what| GovernError::Input(what.replace(&other.key, &other.id).replace(&long, &short)))?;
    let after = serde_json::to_value(&life.finding)?;
    let key = life.finding.id.to_string();
    let what = json!({ "relation": relation, "with": other.key });
    let event = log::Event::done(&session.actor, "finding.link", ("finding", &key), what, session.now);
    let mut change =
        Change { events: vec![session.mark(event.with_states(Some(&before), Some(&after)))], ..Change::default() };
    change.put(super::life::COLLECTION, &key, version, &life)?;
    commit(record, session.key.as_ref(), &change, session.now)?;
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
    if let Some(refusal) = plumb_govern::finding::Event::not_by_people(event) {
        log_denied(record, session, &format!("finding.{event}"), ("finding", &row.key), &refusal)?;
        return Err(refusal.into());
    }
    let event = event_by_hand(record, &row, event, reason, fields)?;
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
