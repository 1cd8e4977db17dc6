//! The activity log: hash-chained entries, Merkle checkpoints, Ed25519 signatures.
//!
//! One writer appends; every state change and every denied attempt is an [`Entry`]. The canonical bytes of an entry hold
//! the hash of the one before, so an edit, deletion or reordering breaks the chain at that entry; a signed checkpoint
//! over the tree shows when somebody rewrote the chain as a whole, and, kept elsewhere, when its end was cut off.

pub mod canonical;
mod check;
mod key;
pub mod merkle;
mod scan;
pub mod text;

pub use check::{Broken, Keys, Report, Why, verify};
pub use key::{KeyError, PublicKey, SealKey};

use crate::people::{Actor, ActorKind};
use crate::refusal::Refusal;
use merkle::{Frontier, Hash};
use plumb_model::Time;
use serde_json::Value as Json;
use std::io::Write as _;

/// The format version of an entry.
pub const LOG_VERSION: u16 = 1;

/// Whether an attempt changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It did.
    Done,
    /// It was refused.
    Denied,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// `object.verb`: `finding.approve`.
    pub action: String,
    /// Login, token or `system:<component>`.
    pub actor: String,
    /// Kind of actor.
    pub actor_kind: ActorKind,
    /// Digest of the object after; empty when nothing changed.
    pub after: String,
    /// When.
    pub at: Time,
    /// Digest of the object before; empty when there was none.
    pub before: String,
    /// What changed: a patch, or for a denied attempt the refusal. Secrets are redacted before they get here.
    pub change: Json,
    /// Where the request came from; empty for the product itself.
    pub client_ip: String,
    /// The emergency session, if one was open; else empty.
    pub emergency: String,
    /// The human behind the actor, by id; names are kept apart, so that erasing one breaks nothing here. Else empty.
    pub human: String,
    /// Which object.
    pub object_id: String,
    /// `finding`, `decision`, `exposure`, `review`, `account`, `policy`, `bundle`, …
    pub object_kind: String,
    /// Whether it happened.
    pub outcome: Outcome,
    /// The policy in force.
    pub policy: String,
    /// SHA-256 of the canonical bytes of the entry before; 64 zeros for the first.
    pub prev: String,
    /// The request it belongs to; one for all rows of a bulk action.
    pub request: String,
    /// Counts from 0 without gaps.
    pub seq: u64,
    /// The session.
    pub session: String,
    /// Format version; [`LOG_VERSION`].
    pub v: u16,
}

/// What a caller knows about something that happened; the log adds number, link and version.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// See [`Entry::action`].
    pub action: String,
    /// See [`Entry::actor`].
    pub actor: String,
    /// See [`Entry::actor_kind`].
    pub actor_kind: ActorKind,
    /// See [`Entry::human`].
    pub human: String,
    /// See [`Entry::emergency`].
    pub emergency: String,
    /// See [`Entry::at`].
    pub at: Time,
    /// See [`Entry::object_kind`].
    pub object_kind: String,
    /// See [`Entry::object_id`].
    pub object_id: String,
    /// See [`Entry::before`].
    pub before: String,
    /// See [`Entry::after`].
    pub after: String,
    /// See [`Entry::change`].
    pub change: Json,
    /// See [`Entry::outcome`].
    pub outcome: Outcome,
    /// See [`Entry::policy`].
    pub policy: String,
    /// See [`Entry::client_ip`].
    pub client_ip: String,
    /// See [`Entry::session`].
    pub session: String,
    /// See [`Entry::request`].
    pub request: String,
}

impl Event {
    /// `actor` did `action` (`finding.triage`) to an object.
    pub fn done(actor: &Actor, action: &str, object: (&str, &str), change: Json, at: Time) -> Self {
        Self {
            action: action.into(),
            actor: actor.id.clone(),
            actor_kind: actor.kind,
            human: actor.human.as_ref().map(ToString::to_string).unwrap_or_default(),
            emergency: actor.emergency.clone().unwrap_or_default(),
            at,
            object_kind: object.0.into(),
            object_id: object.1.into(),
            before: String::new(),
            after: String::new(),
            change,
            outcome: Outcome::Done,
            policy: String::new(),
            client_ip: String::new(),
            session: String::new(),
            request: String::new(),
        }
    }

    /// `actor` tried `action` and was refused.
    pub fn denied(actor: &Actor, action: &str, object: (&str, &str), refusal: &Refusal, at: Time) -> Self {
        let change = serde_json::json!({ "code": refusal.code(), "refusal": refusal.to_string() });
        Self { outcome: Outcome::Denied, ..Self::done(actor, action, object, change, at) }
    }

    /// Adds digests of the object before and after, over their canonical JSON.
    #[must_use]
    pub fn with_states(mut self, before: Option<&Json>, after: Option<&Json>) -> Self {
        self.before = before.map(digest).unwrap_or_default();
        self.after = after.map(digest).unwrap_or_default();
        self
    }
}

/// SHA-256 over the canonical JSON of a value, hexadecimal.
pub fn digest(value: &Json) -> String {
    text::hex(&merkle::sha256(&canonical::bytes(value)))
}

impl Entry {
    /// Appends the canonical bytes (RFC 8785). Members are written in sorted order by hand: this is the hot path.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        let mut first = true;
        let mut text = |out: &mut Vec<u8>, key: &str, value: &str| {
            out.extend_from_slice(if first { b"{\"" } else { b",\"" });
            first = false;
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\":");
            canonical::string(value, out);
        };
        text(out, "action", &self.action);
        text(out, "actor", &self.actor);
        text(out, "actor_kind", self.actor_kind.name());
        text(out, "after", &self.after);
        text(out, "at", &self.at.to_string());
        text(out, "before", &self.before);
        out.extend_from_slice(b",\"change\":");
        canonical::write(&self.change, out);
        text(out, "client_ip", &self.client_ip);
        text(out, "emergency", &self.emergency);
        text(out, "human", &self.human);
        text(out, "object_id", &self.object_id);
        text(out, "object_kind", &self.object_kind);
        text(out, "outcome", if self.outcome == Outcome::Done { "done" } else { "denied" });
        text(out, "policy", &self.policy);
        text(out, "prev", &self.prev);
        text(out, "request", &self.request);
        // Writing to a vector cannot fail.
        let _ = write!(out, ",\"seq\":{}", self.seq);
        text(out, "session", &self.session);
        let _ = write!(out, ",\"v\":{}}}", self.v);
    }

    /// The canonical bytes.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(640);
        self.write_canonical(&mut out);
        out
    }
}

/// An entry as it is stored: its canonical bytes and their hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Its number.
    pub seq: u64,
    /// Canonical JSON.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes; the next entry carries it.
    pub hash: Hash,
}

impl Sealed {
    /// The line of `activity.jsonl`: `{"entry":…,"hash":"…"}`, canonical too.
    pub fn line(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 90);
        out.extend_from_slice(b"{\"entry\":");
        out.extend_from_slice(&self.bytes);
        out.extend_from_slice(b",\"hash\":\"");
        out.extend_from_slice(text::hex(&self.hash).as_bytes());
        out.extend_from_slice(b"\"}");
        out
    }
}

/// Where a log stands: enough to go on appending, or to check a later part of it alone.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Head {
    /// How many entries there are.
    pub size: u64,
    /// The hash of the last; 64 zeros if there is none.
    pub hash: String,
    /// Roots of the full Merkle subtrees, largest first, hexadecimal.
    pub peaks: Vec<String>,
}

impl Head {
    /// The head of an empty log.
    pub fn empty() -> Self {
        Self { size: 0, hash: text::hex(&[0; 32]), peaks: Vec::new() }
    }

    fn parts(&self) -> Option<(Frontier, Hash)> {
        let peaks = self.peaks.iter().map(|p| text::unhex(p)).collect::<Option<Vec<_>>>()?;
        Some((Frontier::from_parts(self.size, peaks)?, text::unhex(&self.hash)?))
    }
}

/// A stored head does not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the stored head of the activity log is damaged: {size} entries cannot have these subtrees; verify the log and rebuild it"
)]
pub struct HeadError {
    /// The size it names.
    pub size: u64,
}

/// The one writer of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    frontier: Frontier,
    prev: Hash,
}

impl Log {
    /// Goes on where a stored head stands.
    ///
    /// # Errors
    /// The head does not fit together.
    pub fn resume(head: &Head) -> Result<Self, HeadError> {
        let (frontier, prev) = head.parts().ok_or(HeadError { size: head.size })?;
        Ok(Self { frontier, prev })
    }

    /// Appends; the caller stores the result and the new [`Log::head`] in the transaction of the change itself.
    pub fn append(&mut self, event: Event) -> Sealed {
        let seq = self.frontier.size();
        let entry = Entry {
            v: LOG_VERSION,
            seq,
            prev: text::hex(&self.prev),
            action: event.action,
            actor: event.actor,
            actor_kind: event.actor_kind,
            human: event.human,
            emergency: event.emergency,
            at: event.at,
            object_kind: event.object_kind,
            object_id: event.object_id,
            before: event.before,
            after: event.after,
            change: event.change,
            outcome: event.outcome,
            policy: event.policy,
            client_ip: event.client_ip,
            session: event.session,
            request: event.request,
        };
        let bytes = entry.canonical();
        let hash = merkle::sha256(&bytes);
        self.frontier.push(merkle::leaf(&bytes));
        self.prev = hash;
        Sealed { seq, bytes, hash }
    }

    /// How many entries there are.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Where it stands.
    pub fn head(&self) -> Head {
        Head {
            size: self.frontier.size(),
            hash: text::hex(&self.prev),
            peaks: self.frontier.peaks().iter().map(|p| text::hex(p)).collect(),
        }
    }

    /// A checkpoint over everything so far, signed by `keys`; two while a key is being replaced.
    pub fn checkpoint(&self, origin: &str, keys: &[&SealKey], at: Time) -> Checkpoint {
        let mut point = Checkpoint {
            v: LOG_VERSION,
            origin: origin.into(),
            size: self.frontier.size(),
            root: text::base64(&self.frontier.root()),
            at,
            signatures: Vec::new(),
        };
        let note = point.note();
        for key in keys {
            point
                .signatures
                .push(Signature { key: key.public().fingerprint(), sig: text::base64(&key.sign(note.as_bytes())) });
        }
        point
    }

    /// Whether a checkpoint is due: every 1,000 entries or five minutes, whichever comes first.
    pub fn wants_checkpoint(&self, last: Option<&Checkpoint>, now: Time) -> bool {
        let (size, at) = last.map_or((0, None), |c| (c.size, Some(c.at)));
        let new = self.size().saturating_sub(size);
        new >= 1_000 || (new > 0 && at.is_none_or(|at| now.seconds() - at.seconds() >= 300))
    }
}

/// A signature over a note.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Signature {
    /// The key's fingerprint: SHA-256 of the 32 public bytes, hexadecimal.
    pub key: String,
    /// Ed25519, base 64.
    pub sig: String,
}

/// What the log looked like at one moment, signed. Kept in at least one place that the database's keeper cannot reach.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checkpoint {
    /// Format version; [`LOG_VERSION`].
    pub v: u16,
    /// Which log: `plumbline/<installation>`.
    pub origin: String,
    /// How many entries it covers.
    pub size: u64,
    /// The Merkle root over them, base 64.
    pub root: String,
    /// When it was made; for reading only, not under the signature.
    pub at: Time,
    /// Signatures over [`Checkpoint::note`].
    pub signatures: Vec<Signature>,
}

impl Checkpoint {
    /// The signed text: origin, size and root, one a line.
    pub fn note(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// The text to hand outside (a mail to the auditor, a git remote): the note and its signatures.
    pub fn signed_note(&self) -> String {
        let lines: String = self.signatures.iter().map(|s| format!("— {} {}\n", s.key, s.sig)).collect();
        format!("{}\n{lines}", self.note())
    }
}
