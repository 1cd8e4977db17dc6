//! AWS: how IAM decides.
//!
//! [`decide`] answers one request from compiled policies, in three values: what could not be known comes back as a
//! residual condition, never as a silent yes or no.

pub mod arn;
mod batch;
pub mod condition;
pub mod context;
pub mod decide;
pub mod document;
pub mod glob;
pub mod principal;
mod tri;

pub use batch::can_line;
pub use decide::{Decision, Grant, Level, Outcome, Policies, Request, Unread, decide};
pub use document::{Document, Policy};
pub use principal::{Caller, CallerKind};
pub use tri::Tri;
