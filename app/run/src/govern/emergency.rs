//! Emergency sessions on the record: opened, ended, looked at by somebody else.

use super::{Change, GovernError, Session, commit, guarded, inventory};
use plumb_govern::{emergency::Emergency, log, people::Actor};
use plumb_model::Time;
use plumb_record::Record;

/// The collection they are kept in.
pub(super) const COLLECTION: &str = "emergency";

/// Every emergency session, oldest first.
///
/// # Errors
/// The record fails.
pub fn emergencies(record: &Record) -> Result<Vec<Emergency>, GovernError> {
    inventory::all(record, COLLECTION)
}

/// The actor as they may act now: with what their open emergency session gives them, tagged with it.
pub(super) fn in_emergency(record: &Record, actor: Actor, now: Time) -> Result<Actor, GovernError> {
    let own = |e: &Emergency| actor.human.as_ref() == Some(&e.human) && e.is_open(now);
    Ok(match emergencies(record)?.into_iter().find(own) {
        Some(open) => open.extend(actor),
        None => actor,
    })
}

/// What somebody does about an emergency session.
#[derive(Debug, Clone)]
pub enum EmergencyVerb {
    /// Open one: reason and hours.
    Open(String, u8),
    /// End it.
    Close(String),
    /// Another approver has looked at it: what they found.
    Review(String, String),
}

/// Opens, ends or reviews an emergency session.
///
/// # Errors
/// The rules refuse, there is no such session, or the record fails.
pub fn emergency(record: &mut Record, session: &Session, verb: &EmergencyVerb) -> Result<Emergency, GovernError> {
    let (action, object) = match verb {
        EmergencyVerb::Open(..) => ("emergency.open", "new"),
        EmergencyVerb::Close(id) => ("emergency.close", id.as_str()),
        EmergencyVerb::Review(id, _) => ("emergency.review", id.as_str()),
    };
    guarded(record, session, action, ("emergency", object), |record| {
        let (actor, policy, now) = (&session.actor, &session.policy, session.now);
        let find = |id: &str| -> Result<(i64, Emergency), GovernError> {
            let (version, doc) = record.document(COLLECTION, id)?.ok_or_else(|| {
                GovernError::Input(format!("there is no emergency session `{id}`; see `plumb people emergency`"))
            })?;
            Ok((version, serde_json::from_value(doc)?))
        };
        let (version, before, after) = match verb {
            EmergencyVerb::Open(reason, hours) => {
                let id = format!("BG-{:04}", record.documents(COLLECTION)?.len() + 1);
                (0, None, Emergency::open(&id, actor, reason, *hours, policy, now)?)
            }
            EmergencyVerb::Close(id) => {
                let (version, before) = find(id)?;
                let after = before.close(actor, now)?;
                (version, Some(before), after)
            }
            EmergencyVerb::Review(id, note) => {
                let (version, before) = find(id)?;
                let after = before.reviewed(actor, note, policy, now)?;
                (version, Some(before), after)
            }
        };
        let old = before.as_ref().map(serde_json::to_value).transpose()?;
        let new = serde_json::to_value(&after)?;
        let event = log::Event::done(actor, action, (COLLECTION, &after.id), new.clone(), now);
        let mut change =
            Change { events: vec![session.mark(event.with_states(old.as_ref(), Some(&new)))], ..Change::default() };
        change.put(COLLECTION, &after.id, version, &after)?;
        commit(record, session.key.as_ref(), &change, now)?;
        Ok(after)
    })
}
