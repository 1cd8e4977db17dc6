//! Retention on the record: what is old enough, what is held, who agreed that it goes, and the certificate that stays.

use super::{
    Change, GovernError, Session, commit, guarded,
    inventory::allowed,
    picture::{CAMPAIGNS, DECISIONS, LEDGER},
};
use plumb_govern::{
    decision::{Decision, Status},
    ledger::{Exposure, ExposureState},
    log::{self, merkle::sha256, text::hex},
    people::Act,
    retention::{Certificate, Class, Disposal, Hold, Retention, Row, propose},
    review::{Campaign, CampaignState},
};
use plumb_model::Time;
use plumb_record::{Disposable, Record, RecordError, dispose};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const POLICY: (&str, &str) = ("policy", "retention");
pub(super) const HOLDS: &str = "hold";
pub(super) const DISPOSALS: &str = "disposal";
pub(super) const CERTIFICATES: &str = "certificate";

/// How long everything is kept: what the record says, else the defaults.
///
/// # Errors
/// The record fails.
pub fn retention(record: &Record) -> Result<Retention, GovernError> {
    match record.document(POLICY.0, POLICY.1)? {
        Some((_, doc)) => Ok(serde_json::from_value(doc)?),
        None => Ok(Retention::default()),
    }
}

/// Replaces the retention policy.
///
/// # Errors
/// The person may not set policy, a class is kept for no time at all, the version does not change, or the record fails.
pub fn set_retention(record: &mut Record, session: &Session, new: &Retention) -> Result<(), GovernError> {
    allowed(record, session, Act::ProposePolicy, "change the retention policy", ("policy", "retention"))?;
    if let Some((class, _)) = new.days.iter().find(|(_, days)| **days == 0) {
        return Err(GovernError::Input(format!("{class} would be kept for 0 days; say at least 1")));
    }
    let old = record.document(POLICY.0, POLICY.1)?;
    if retention(record)?.version == new.version {
        return Err(GovernError::Input(format!("`{}` is in force already; a change is a new version", new.version)));
    }
    let after = serde_json::to_value(new)?;
    let (version, before) = old.map_or((0, None), |(v, d)| (v, Some(d)));
    let object = ("policy", "retention");
    let event = log::Event::done(&session.actor, "policy.retention", object, after.clone(), session.now);
    let mut change =
        Change { events: vec![session.mark(event.with_states(before.as_ref(), Some(&after)))], ..Change::default() };
    change.put(POLICY.0, POLICY.1, version, &after)?;
    commit(record, session.key.as_ref(), &change, session.now)
}

/// Holds, lifted ones too.
///
/// # Errors
/// The record fails.
pub fn holds(record: &Record) -> Result<Vec<Hold>, GovernError> {
    super::inventory::all(record, HOLDS)
}

/// What somebody does about a legal hold.
#[derive(Debug, Clone)]
pub enum HoldVerb {
    /// Propose one: reason, classes and accounts (empty: all). It holds from now on.
    Propose(String, BTreeSet<Class>, BTreeSet<String>),
    /// Another admin confirms it.
    Place(String),
    /// Another admin lifts it, with a note.
    Lift(String, String),
}

/// Proposes, places or lifts a hold.
///
/// # Errors
/// The rules refuse, there is no such hold, or the record fails.
pub fn hold(record: &mut Record, session: &Session, verb: &HoldVerb) -> Result<Hold, GovernError> {
    let (action, object) = match verb {
        HoldVerb::Propose(..) => ("hold.propose", "new"),
        HoldVerb::Place(id) => ("hold.place", id.as_str()),
        HoldVerb::Lift(id, _) => ("hold.lift", id.as_str()),
    };
    guarded(record, session, action, ("hold", object), |record| {
        let find = |record: &Record, id: &str| -> Result<(i64, Hold), GovernError> {
            let (version, doc) = record.document(HOLDS, id)?.ok_or_else(|| {
                GovernError::Input(format!("there is no hold `{id}`; see `plumb retention hold list`"))
            })?;
            Ok((version, serde_json::from_value(doc)?))
        };
        let (version, before, after) = match verb {
            HoldVerb::Propose(reason, classes, accounts) => {
                let act = if session.actor.may(Act::Hold) { Act::Hold } else { Act::ProposeHold };
                allowed(record, session, act, "propose a hold", ("hold", "new"))?;
                if reason.trim().chars().count() < 20 {
                    return Err(GovernError::Input("a hold needs a reason of at least 20 characters".into()));
                }
                let human = session.actor.human.clone().ok_or_else(|| {
                    GovernError::Input("a hold is proposed by a person; say who with --actor LOGIN".into())
                })?;
                let id = format!("LH-{:04}", record.documents(HOLDS)?.len() + 1);
                let made = Hold {
                    id,
                    reason: reason.trim().into(),
                    classes: classes.clone(),
                    accounts: accounts.clone(),
                    proposed_by: human,
                    proposed_at: session.now,
                    placed_by: None,
                    lifted: None,
                };
                (0, None, made)
            }
            HoldVerb::Place(id) => {
                let (version, before) = find(record, id)?;
                let after = before.place(&session.actor, &session.policy, session.now)?;
                (version, Some(before), after)
            }
            HoldVerb::Lift(id, note) => {
                let (version, before) = find(record, id)?;
                let after = before.lift(&session.actor, note, &session.policy, session.now)?;
                (version, Some(before), after)
            }
        };
        let old = before.as_ref().map(serde_json::to_value).transpose()?;
        let new = serde_json::to_value(&after)?;
        let event = log::Event::done(&session.actor, action, ("hold", &after.id), new.clone(), session.now);
        let mut change =
            Change { events: vec![session.mark(event.with_states(old.as_ref(), Some(&new)))], ..Change::default() };
        change.put(HOLDS, &after.id, version, &after)?;
        commit(record, session.key.as_ref(), &change, session.now)?;
        Ok(after)
    })
}

/// The number after the highest that was ever given in a collection under a prefix. What retention let go had one too, and
/// a number that stands on the log names one thing for ever.
pub(super) fn next_number(record: &Record, collection: &str, class: Class, prefix: &str) -> Result<u64, GovernError> {
    let number = |id: &str| id.strip_prefix(prefix)?.parse::<u64>().ok();
    let mut last = record.documents(collection)?.iter().filter_map(|(id, _)| number(id)).max().unwrap_or(0);
    for (_, doc) in record.documents(DISPOSALS)? {
        let plan: Disposal = serde_json::from_value(doc)?;
        let gone = plan.ids.iter().filter(|(of, _)| *of == class);
        last = gone.filter_map(|(_, id)| number(id)).fold(last, u64::max);
    }
    Ok(last + 1)
}

fn text(row: &[Json], i: usize) -> String {
    match row.get(i) {
        Some(Json::String(s)) => s.clone(),
        Some(Json::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

fn instant(text: &str) -> Option<Time> {
    text.parse().ok()
}

/// The quarter of an instant: of each, one capture stays as its representative.
fn quarter(at: Time) -> String {
    let date = at.date();
    let month: u32 = date.get(5..7).and_then(|m| m.parse().ok()).unwrap_or(1);
    format!("{}-Q{}", date.get(..4).unwrap_or_default(), month.div_ceil(3))
}

/// Every row retention may speak about, with what it is in the store. The activity log is not among them: its entries are
/// the proof of everything else, and are never disposed of.
///
/// # Errors
/// The record fails.
pub fn disposable(record: &Record) -> Result<Vec<(Row, Disposable)>, GovernError> {
    let mut out = Vec::new();
    let closed = record.query(
        "SELECT lower(hex(f.key)), f.account, max(t.at) FROM finding f JOIN transition t ON t.key = f.key
         WHERE f.state IN ('fixed', 'resource-gone', 'superseded') GROUP BY f.key",
    )?;
    for row in &closed.rows {
        let key = text(row, 0);
        out.push((
            Row { class: Class::Findings, id: key.clone(), account: text(row, 1), ended: instant(&text(row, 2)) },
            Disposable::Finding(key),
        ));
    }
    // Captured configuration: what a resource was before it changed. The last capture of each quarter stays.
    let versions = record.query(
        "SELECT v.account, v.kind, v.id, v.from_scan, s.judged_at, hex(v.doc) FROM resource_version v JOIN scan s ON s.id = v.until_scan
         ORDER BY v.account, v.kind, v.id, v.from_scan DESC",
    )?;
    let mut kept: BTreeSet<(String, String, String, String)> = BTreeSet::new();
    for row in &versions.rows {
        let (account, kind, id) = (text(row, 0), text(row, 1), text(row, 2));
        let from = row.get(3).and_then(Json::as_i64).unwrap_or_default();
        let Some(at) = instant(&text(row, 4)) else { continue };
        if kept.insert((account.clone(), kind.clone(), id.clone(), quarter(at))) {
            continue;
        }
        let digest = hex(&sha256(text(row, 5).as_bytes()));
        out.push((
            Row {
                class: Class::Evidence,
                id: format!("{account}|{kind}|{id}|{from}|sha256:{digest}"),
                account: account.clone(),
                ended: Some(at),
            },
            Disposable::Version(account, kind, id, from),
        ));
    }
    // What was read where; not of scans that what is known now still rests on.
    let scans = record.query(
        "SELECT id, finished FROM scan WHERE finished IS NOT NULL AND id IN (SELECT scan FROM unit)
         AND id NOT IN (SELECT DISTINCT scan FROM coverage) AND id <> (SELECT max(id) FROM scan)",
    )?;
    for row in &scans.rows {
        let id = row.first().and_then(Json::as_i64).unwrap_or_default();
        out.push((
            Row { class: Class::Scans, id: id.to_string(), account: String::new(), ended: instant(&text(row, 1)) },
            Disposable::Units(id),
        ));
    }
    let mut document = |class, collection: &str, id: String, account: String, ended: Option<Time>| {
        out.push((Row { class, id: id.clone(), account, ended }, Disposable::Document(collection.into(), id)));
    };
    for (id, doc) in record.documents(DECISIONS)? {
        let d: Decision = serde_json::from_value(doc)?;
        if !matches!(d.status, Status::Requested | Status::InForce) {
            document(Class::Decisions, DECISIONS, id, String::new(), d.end.as_ref().map(|e| e.at));
        }
    }
    for (id, doc) in record.documents(CAMPAIGNS)? {
        let c: Campaign = serde_json::from_value(doc)?;
        if c.state == CampaignState::Closed {
            document(Class::Campaigns, CAMPAIGNS, id, String::new(), c.closed_at);
        }
    }
    for (id, doc) in record.documents(LEDGER)? {
        let e: Exposure = serde_json::from_value(doc)?;
        if e.state == ExposureState::Retired {
            document(Class::Ledger, LEDGER, id, e.seen.account.to_string(), e.retired_at);
        }
    }
    Ok(out)
}

/// The dry run of a disposal, kept until another person agrees; with its number.
///
/// # Errors
/// The person may not, nothing is due, or the record fails.
pub fn propose_disposal(record: &mut Record, session: &Session) -> Result<(String, Disposal), GovernError> {
    guarded(record, session, "disposal.propose", ("disposal", "new"), |record| {
        let rows: Vec<Row> = disposable(record)?.into_iter().map(|(r, _)| r).collect();
        let plan = propose(&rows, &retention(record)?, &holds(record)?, &session.actor, session.now)?;
        if plan.ids.is_empty() {
            return Err(GovernError::Input(format!(
                "nothing is due to go; {} rows are old enough and held",
                plan.held
            )));
        }
        let id = format!("DS-{:04}", record.documents(DISPOSALS)?.len() + 1);
        let what = json!({ "rows": plan.ids.len(), "digest": plan.digest, "held": plan.held, "policy": plan.policy });
        let event = log::Event::done(&session.actor, "disposal.propose", ("disposal", &id), what, session.now);
        let mut change = Change { events: vec![session.mark(event)], ..Change::default() };
        change.put(DISPOSALS, &id, 0, &plan)?;
        commit(record, session.key.as_ref(), &change, session.now)?;
        Ok((id, plan))
    })
}

/// Another person agrees: exactly the rows of the dry run go, in one transaction with the certificate and its log entry.
///
/// # Errors
/// The rules refuse, a row is held or in use again, or the record fails; then nothing goes.
pub fn approve_disposal(record: &mut Record, session: &Session, id: &str) -> Result<Certificate, GovernError> {
    guarded(record, session, "disposal.approve", ("disposal", id), |record| {
        let (_, doc) = record
            .document(DISPOSALS, id)?
            .ok_or_else(|| GovernError::Input(format!("there is no disposal `{id}`; see `plumb retention list`")))?;
        if record.document(CERTIFICATES, id)?.is_some() {
            return Err(GovernError::Input(format!("disposal `{id}` was carried out already")));
        }
        let plan: Disposal = serde_json::from_value(doc)?;
        let there = disposable(record)?;
        let rows: Vec<Row> = there.iter().map(|(r, _)| r.clone()).collect();
        let certificate = plan.approve(&session.actor, &rows, &holds(record)?, &session.policy, session.now)?;
        let by_id: BTreeMap<(Class, &str), &Disposable> =
            there.iter().map(|(r, d)| ((r.class, r.id.as_str()), d)).collect();
        let mut go = Vec::with_capacity(plan.ids.len());
        for (class, row) in &plan.ids {
            let found = by_id.get(&(*class, row.as_str())).ok_or_else(|| {
                GovernError::Input(format!("{class} {row} is not disposable any more; propose again"))
            })?;
            go.push((*found).clone());
        }
        let what = serde_json::to_value(&certificate)?;
        let event = log::Event::done(&session.actor, "disposal.approve", ("disposal", id), what, session.now);
        let mut change = Change { events: vec![session.mark(event)], disposals: go, ..Change::default() };
        change.put(CERTIFICATES, id, 0, &certificate)?;
        commit(record, session.key.as_ref(), &change, session.now)?;
        Ok(certificate)
    })
}

/// Proposed disposals, each with its certificate once it was carried out.
///
/// # Errors
/// The record fails.
pub fn disposals(record: &Record) -> Result<Vec<(String, Disposal, Option<Certificate>)>, GovernError> {
    let mut done: BTreeMap<String, Json> = record.documents(CERTIFICATES)?.into_iter().collect();
    record
        .documents(DISPOSALS)?
        .into_iter()
        .map(|(id, doc)| {
            let certificate = done.remove(&id).map(serde_json::from_value).transpose()?;
            Ok((id, serde_json::from_value(doc)?, certificate))
        })
        .collect()
}

/// Deletes what a change disposes of; inside its transaction.
pub(super) fn carry_out(db: &plumb_record::Connection, rows: &[Disposable]) -> Result<(), RecordError> {
    for row in rows {
        if !dispose(db, row)? {
            return Err(RecordError::Missing(format!("{row:?} is not on the record any more; propose again")));
        }
    }
    Ok(())
}
