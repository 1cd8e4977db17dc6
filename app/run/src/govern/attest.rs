//! Attestations: what only a person can say about a control, with the papers that show it, for a time.

use super::{Change, GovernError, Session, commit, guarded, picture::ATTESTATIONS};
use plumb_catalog::Catalog;
use plumb_govern::{
    framework::{Attachment, Attestation},
    log::{self, merkle::sha256, text::hex},
};
use plumb_model::Time;
use plumb_record::Record;
use serde_json::json;

/// The collection attached files are kept in, by their digest.
pub(super) const FILES: &str = "attachment";
/// Files up to this size are kept on the record; larger ones by reference and digest.
pub const ATTACH_MOST: usize = 8 << 20;

/// A file to attach.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// Its name, or the address of what is kept elsewhere.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Keep only its digest and name; the file stays where it is.
    pub by_reference: bool,
}

/// What a person says about a control.
#[derive(Debug, Clone)]
pub struct NewAttestation {
    /// The framework.
    pub framework: String,
    /// The control.
    pub control: String,
    /// What holds and how; at least 30 characters.
    pub statement: String,
    /// Papers; at least one.
    pub files: Vec<NewFile>,
    /// Until when; at most 365 days.
    pub until: Time,
}

/// Attests a control; it counts once another person agreed. Returns its number.
///
/// # Errors
/// There is no such control, the rules refuse, or the record fails.
pub fn attest(
    record: &mut Record,
    catalog: &Catalog,
    session: &Session,
    new: NewAttestation,
) -> Result<(String, Attestation), GovernError> {
    guarded(record, session, "attestation.make", ("control", &format!("{} {}", new.framework, new.control)), |record| {
        let framework = catalog.frameworks().get(new.framework.as_str()).ok_or_else(|| {
            let known: Vec<&str> = catalog.frameworks().keys().map(String::as_str).collect();
            GovernError::Input(format!("there is no framework `{}`; there is {}", new.framework, known.join(", ")))
        })?;
        if !framework.controls.iter().any(|c| c.id == new.control) {
            let what = format!(
                "{} has no control `{}`; `plumb frameworks show {}` lists them",
                new.framework, new.control, new.framework
            );
            return Err(GovernError::Input(what));
        }
        let mut evidence = Vec::new();
        let mut change = Change::default();
        for file in &new.files {
            let digest = hex(&sha256(&file.bytes));
            if !file.by_reference {
                if file.bytes.len() > ATTACH_MOST {
                    return Err(GovernError::Input(format!(
                        "`{}` is larger than {} MiB; attach it with --reference, so that its digest is kept and the file stays where it is",
                        file.name,
                        ATTACH_MOST >> 20
                    )));
                }
                if record.document(FILES, &digest)?.is_none() {
                    let doc = json!({ "name": file.name, "size": file.bytes.len(), "base64": log::text::base64(&file.bytes) });
                    change.documents.push((FILES.into(), digest.clone(), 0, doc));
                }
            }
            evidence.push(Attachment { name: file.name.clone(), sha256: digest });
        }
        change.documents.dedup_by(|a, b| a.1 == b.1);
        let place = (new.framework.as_str(), new.control.as_str());
        let made = Attestation::attest(place, &new.statement, evidence, new.until, &session.actor, session.now)?;
        let id = format!("AT-{:06}", record.documents(ATTESTATIONS)?.len() + 1);
        keep(record, session, "attestation.make", change, &id, 0, None, &made)?;
        Ok((id, made))
    })
}

#[allow(clippy::too_many_arguments)]
fn keep(
    record: &mut Record,
    session: &Session,
    verb: &str,
    mut change: Change,
    id: &str,
    version: i64,
    before: Option<&Attestation>,
    after: &Attestation,
) -> Result<(), GovernError> {
    let old = before.map(serde_json::to_value).transpose()?;
    let new = serde_json::to_value(after)?;
    let event = log::Event::done(&session.actor, verb, ("attestation", id), new.clone(), session.now);
    change.events.push(session.mark(event.with_states(old.as_ref(), Some(&new))));
    change.put(ATTESTATIONS, id, version, after)?;
    commit(record, session.key.as_ref(), &change, session.now)
}

/// Another person agrees to an attestation.
///
/// # Errors
/// There is none with this number, the rules refuse, or the record fails.
pub fn agree(record: &mut Record, session: &Session, id: &str) -> Result<Attestation, GovernError> {
    guarded(record, session, "attestation.agree", ("attestation", id), |record| {
        let (version, doc) = record.document(ATTESTATIONS, id)?.ok_or_else(|| {
            GovernError::Input(format!("there is no attestation `{id}`; see `plumb frameworks attestations`"))
        })?;
        let before: Attestation = serde_json::from_value(doc)?;
        let after = before.agree(&session.actor, &session.policy, session.now)?;
        keep(record, session, "attestation.agree", Change::default(), id, version, Some(&before), &after)?;
        Ok(after)
    })
}

/// Attestations with their numbers.
///
/// # Errors
/// The record fails.
pub fn attestations(record: &Record) -> Result<Vec<(String, Attestation)>, GovernError> {
    record.documents(ATTESTATIONS)?.into_iter().map(|(id, doc)| Ok((id, serde_json::from_value(doc)?))).collect()
}

/// An attached file by its digest: name and content. None when only its digest is kept.
///
/// # Errors
/// The record fails, or the file is not what its digest says.
pub fn attachment(record: &Record, digest: &str) -> Result<Option<(String, Vec<u8>)>, GovernError> {
    let Some((_, doc)) = record.document(FILES, digest)? else { return Ok(None) };
    let text = |key: &str| doc.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
    let bytes = log::text::unbase64(text("base64"))
        .ok_or_else(|| GovernError::Diverged(format!("attachment {digest} is damaged")))?;
    if hex(&sha256(&bytes)) != digest {
        return Err(GovernError::Diverged(format!("attachment {digest} is not what its digest says")));
    }
    Ok(Some((text("name").to_owned(), bytes)))
}
