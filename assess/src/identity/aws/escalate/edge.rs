//! Edges of the escalation graph and their evidence.

use super::super::decide::{Because, Decision, Outcome, Residual};
use std::sync::Arc;

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
#[derive(Debug, Clone, serde::Serialize)]
pub struct Evidence {
    /// The permission that is held, or `trust` for a role's trust policy, or `exists` for a resource.
    pub what: String,
    /// On which resource.
    pub on: String,
    /// The statements that say so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<Because>,
    /// What is not known and must be so for the permission to be held; empty when it certainly is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
}

impl Evidence {
    pub(crate) fn of(permission: &str, resource: &str, decision: Decision) -> Arc<Self> {
        debug_assert!(decision.outcome == Outcome::Allowed || !decision.residual.is_empty());
        let name = super::super::data::actions().find(permission).map_or(permission, |a| &a.name);
        let depends_on = decision.residual.iter().map(Residual::words).collect();
        Arc::new(Self { what: name.into(), on: resource.into(), statements: decision.because, depends_on })
    }

    pub(crate) fn fact(what: &str, on: &str) -> Arc<Self> {
        Arc::new(Self { what: what.into(), on: on.into(), statements: Vec::new(), depends_on: Vec::new() })
    }
}

fn plainly<S: serde::Serializer>(list: &[Arc<Evidence>], out: S) -> Result<S::Ok, S::Error> {
    out.collect_seq(list.iter().map(AsRef::as_ref))
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
