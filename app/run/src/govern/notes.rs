//! What people write beside the record: comments of those who work with findings, notes of auditors and what they ask
//! evidence for, with its answer. None of it moves anything.

use super::{Change, GovernError, Session, commit, inventory};
use plumb_govern::{log, people::Act};
use plumb_model::Time;
use plumb_record::Record;
use serde_json::json;

/// The collection notes are kept in.
pub(super) const NOTES: &str = "note";
/// The fewest characters of a note.
const LEAST: usize = 5;

/// What a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// Of somebody who works with findings.
    Comment,
    /// Of an auditor.
    AuditNote,
    /// An auditor asks for evidence; somebody answers.
    EvidenceRequest,
}

/// A note.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Note {
    /// `N-000001`.
    pub id: String,
    /// What it is.
    pub kind: NoteKind,
    /// What it is about: a finding, a decision, an exposure, a review, a control.
    pub about: String,
    /// In words.
    pub text: String,
    /// Who wrote it.
    pub by: String,
    /// When.
    pub at: Time,
    /// What a request for evidence was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// The answer to a request for evidence.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Answer {
    /// In words.
    pub text: String,
    /// Who answered.
    pub by: String,
    /// When.
    pub at: Time,
}

fn long_enough(text: &str) -> Result<String, GovernError> {
    let text = text.trim();
    if text.chars().count() < LEAST {
        return Err(GovernError::Input(format!("a note has at least {LEAST} characters")));
    }
    Ok(text.to_owned())
}

/// What a note is about, as it is called on record: a finding by its short id, a decision, entry or review that is there.
fn about(record: &Record, id: &str) -> Result<String, GovernError> {
    use super::picture::{ATTESTATIONS, CAMPAIGNS, DECISIONS, LEDGER};
    for collection in [DECISIONS, LEDGER, CAMPAIGNS, ATTESTATIONS] {
        if record.document(collection, id)?.is_some() {
            return Ok(id.to_owned());
        }
    }
    if id.starts_with("F-") || id.starts_with("f-") {
        return Ok(record.finding(id)?.id);
    }
    Err(GovernError::Input(format!(
        "there is no `{id}`; a note is about a finding (F-…), a decision (EX-…), an exposure (X-…), a review (AR-…) or an attestation (AT-…)"
    )))
}

fn keep(record: &mut Record, session: &Session, verb: &str, version: i64, note: &Note) -> Result<(), GovernError> {
    let after = serde_json::to_value(note)?;
    let event = log::Event::done(&session.actor, verb, ("note", &note.id), json!({ "about": note.about }), session.now);
    let mut change = Change { events: vec![session.mark(event.with_states(None, Some(&after)))], ..Change::default() };
    change.put(NOTES, &note.id, version, note)?;
    commit(record, session.key.as_ref(), &change, session.now)
}

fn writer(session: &Session) -> String {
    session.actor.human.as_ref().map_or_else(|| session.actor.id.clone(), ToString::to_string)
}

/// Writes a note.
///
/// # Errors
/// The person may not, there is nothing of that name, the text is too short, or the record fails.
pub fn write_note(
    record: &mut Record,
    session: &Session,
    kind: NoteKind,
    id: &str,
    text: &str,
) -> Result<Note, GovernError> {
    let (act, doing) = match kind {
        NoteKind::Comment => (Act::Comment, "comment"),
        NoteKind::AuditNote => (Act::AuditNote, "write a note as auditor"),
        NoteKind::EvidenceRequest => (Act::AuditNote, "ask for evidence"),
    };
    inventory::allowed(record, session, act, doing, ("note", id))?;
    let (about, text) = (about(record, id)?, long_enough(text)?);
    let id = format!("N-{:06}", record.documents(NOTES)?.len() + 1);
    let note = Note { id, kind, about, text, by: writer(session), at: session.now, answer: None };
    keep(record, session, "note.write", 0, &note)?;
    Ok(note)
}

/// Answers a request for evidence.
///
/// # Errors
/// The person may not, there is no such request or it is answered, the text is too short, or the record fails.
pub fn answer_note(record: &mut Record, session: &Session, id: &str, text: &str) -> Result<Note, GovernError> {
    inventory::allowed(record, session, Act::Comment, "answer a request for evidence", ("note", id))?;
    let wrong = |what: &str| GovernError::Input(format!("`{id}` {what}; `plumb audit notes` lists what is asked"));
    let Some((version, doc)) = record.document(NOTES, id)? else { return Err(wrong("is no note")) };
    let mut note: Note = serde_json::from_value(doc)?;
    if note.kind != NoteKind::EvidenceRequest {
        return Err(wrong("asks for nothing"));
    }
    if note.answer.is_some() {
        return Err(wrong("is answered"));
    }
    note.answer = Some(Answer { text: long_enough(text)?, by: writer(session), at: session.now });
    keep(record, session, "note.answer", version, &note)?;
    Ok(note)
}

/// Every note, oldest first.
///
/// # Errors
/// The record fails.
pub fn notes(record: &Record) -> Result<Vec<Note>, GovernError> {
    inventory::all(record, NOTES)
}
