//! Bulk actions: one request, one row per finding, each guard checked singly.

use super::{Event, Finding, Transition};
use crate::ids::FindingId;
use crate::people::Actor;
use crate::policy::Policy;
use crate::refusal::Refusal;
use plumb_model::Time;

/// How many findings one request may name.
pub const BULK_LIMIT: usize = 5_000;

/// The request is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{asked} findings in one request; at most {BULK_LIMIT}, so send several requests")]
pub struct BulkError {
    /// How many were named.
    pub asked: usize,
}

/// What became of one finding of a bulk action.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BulkRow {
    /// The finding.
    pub finding: FindingId,
    /// The row to store, or why not.
    pub result: Result<Transition, Refusal>,
}

/// Causes an event on each finding. `actor_at` gives the actor with the roles held at that finding's place, and
/// `event` the event for it. Some may succeed while others are refused.
///
/// # Errors
/// More than [`BULK_LIMIT`] findings.
pub fn bulk<'a>(
    request: &str,
    findings: &[&'a Finding],
    actor_at: &dyn Fn(&'a Finding) -> Actor,
    event: &dyn Fn(&'a Finding) -> Event,
    reason: &str,
    policy: &Policy,
    now: Time,
) -> Result<Vec<BulkRow>, BulkError> {
    if findings.len() > BULK_LIMIT {
        return Err(BulkError { asked: findings.len() });
    }
    let one = |f: &&'a Finding| {
        let step = f.transition(event(f), &actor_at(f), reason, policy, now);
        BulkRow { finding: f.id.clone(), result: step.map(|t| Transition { request: Some(request.into()), ..t }) }
    };
    Ok(findings.iter().map(one).collect())
}
