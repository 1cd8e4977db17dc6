//! Edges of the escalation graph and their evidence.

use super::super::decide::{Because, Decision, Outcome, Residual};
use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::{RawValue, to_raw_value};
use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

/// A step one principal can take towards more permissions.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Edge {
    /// The principal that takes it.
    pub from: String,
    /// What it becomes, writes or runs code as.
    pub to: String,
    /// The method's id in `privesc_methods.jsonl`.
    pub method: &'static str,
    /// The kind of edge: `SELF_GRANT`, `CAN_BECOME`, `CODE_AS`, …
    pub kind: &'static str,
    /// What makes it possible; edges of one actor share what they rest on alike.
    #[serde(serialize_with = "plainly")]
    pub because: Vec<Arc<Evidence>>,
    /// What is taken for granted, because no input says; an edge of [`super::Escalations::conditional`] names here what
    /// its permissions hang on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumes: Vec<String>,
    /// Whether taking it leads to administration, by itself or through more steps.
    pub leads_to_admin: bool,
}

/// A fact an edge rests on.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The permission that is held, or `trust` for a role's trust policy, or `exists` for a resource.
    pub what: Cow<'static, str>,
    /// On which resource.
    pub on: String,
    /// The statements that say so.
    pub statements: Box<[Because]>,
    /// What is not known and must be so for the permission to be held; empty when it certainly is.
    pub depends_on: Vec<String>,
    /// As it is written: what a hundred edges share is put into text once.
    text: OnceLock<Box<RawValue>>,
}

/// An evidence as it is written.
#[derive(Serialize)]
struct Plain<'e> {
    what: &'e str,
    on: &'e str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    statements: &'e [Because],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    depends_on: &'e [String],
}

impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let Self { what, on, statements, depends_on, .. } = self;
        Plain { what, on, statements, depends_on }.serialize(out)
    }
}

/// An evidence among others: put into text once where many edges share it.
struct Shared<'e>(&'e Arc<Evidence>);

impl Serialize for Shared<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let Self(evidence) = self;
        if let Some(text) = evidence.text.get() {
            return text.serialize(out);
        }
        if Arc::strong_count(evidence) < 2 {
            return evidence.serialize(out);
        }
        let written = to_raw_value(evidence.as_ref()).map_err(S::Error::custom)?;
        evidence.text.get_or_init(|| written).serialize(out)
    }
}

impl Evidence {
    /// What `statements` say.
    pub(crate) fn new(what: impl Into<Cow<'static, str>>, on: &str, statements: impl Into<Box<[Because]>>) -> Self {
        let (what, statements) = (what.into(), statements.into());
        Self { what, on: on.into(), statements, depends_on: Vec::new(), text: OnceLock::new() }
    }

    pub(crate) fn of(permission: &str, resource: &str, decision: Decision) -> Arc<Self> {
        debug_assert!(decision.outcome == Outcome::Allowed || !decision.residual.is_empty());
        let known = super::super::data::actions().find(permission);
        let name = known.map_or_else(|| Cow::Owned(permission.to_owned()), |action| Cow::Borrowed(action.name));
        let depends_on = decision.residual.iter().map(Residual::words).collect();
        Arc::new(Self { depends_on, ..Self::new(name, resource, decision.because) })
    }

    pub(crate) fn fact(what: &str, on: &str) -> Arc<Self> {
        Arc::new(Self::new(what.to_owned(), on, []))
    }

    /// The same, hanging on more.
    pub(crate) fn hanging_on(self: Arc<Self>, more: impl Iterator<Item = String>) -> Arc<Self> {
        let Self { what, on, statements, mut depends_on, .. } = Arc::unwrap_or_clone(self);
        depends_on.extend(more);
        Arc::new(Self { depends_on, ..Self::new(what, &on, statements) })
    }
}

fn plainly<S: Serializer>(list: &[Arc<Evidence>], out: S) -> Result<S::Ok, S::Error> {
    out.collect_seq(list.iter().map(Shared))
}

/// Where an edge leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// Administration of the account.
    Admin,
    /// An actor, real or changed.
    Actor(usize),
    /// Nowhere further.
    End,
}

#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub from: usize,
    pub node: Node,
    pub edge: Edge,
    /// Whether the edge is worth telling only when it leads to administration (a grant capped by a boundary).
    pub only_if_useful: bool,
    /// Whether it hangs on facts nobody knows.
    pub conditional: bool,
}
