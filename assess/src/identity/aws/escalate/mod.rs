//! Escalation: who can gain permissions, by which steps, on what evidence.
//!
//! Every principal is an actor; the methods of `privesc_methods.jsonl` draw edges between actors. An actor after a
//! step (its boundary gone, a group joined) is an actor too, so steps combine. An edge is drawn only when the
//! decision core allows every call it takes, so nothing a boundary, a guardrail, a condition or a deny forbids
//! appears. Where the core cannot tell, because a condition asks for what nobody knows beforehand, the edge stands apart
//! as a conditional one.

mod actor;
mod edge;
mod graph;
mod search;
mod witness;

pub use actor::{Admin, Chain, Organization, is_open};
pub(crate) use actor::{base_context as open_context, invoke_everyone, open as open_fact, trust_everyone};
pub use edge::{Edge, Evidence};
pub use graph::{Conditional, Escalations, Standing, Step, escalations};
