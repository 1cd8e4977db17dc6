//! AWS: how IAM decides.
//!
//! [`decide`] answers one request from compiled policies, in three values: what could not be known comes back as a
//! residual condition, never as a silent yes or no.

pub mod abroad;
pub mod action_sets;
pub mod arn;
mod assess;
mod batch;
pub mod bits;
pub mod condition;
pub mod context;
pub mod data;
pub mod decide;
pub mod details;
pub mod document;
pub mod escalate;
pub mod glob;
pub mod inventory;
pub mod lint;
pub mod prefixes;
pub mod principal;
pub mod ranges;
pub mod rcp;
pub mod reach;
pub mod tri;
pub mod workloads;
pub mod world;

pub use assess::{AssessError, Assessed, PrincipalRow, Row, assess};
pub use batch::can_line;
pub use decide::{Decision, Grant, Level, Outcome, Policies, Request, Unread, decide};
pub use details::Details;
pub use document::{Document, Policy};
pub use escalate::{Admin, Chain, Escalations, Organization, escalations};
pub use principal::{Caller, CallerKind};
pub use tri::Tri;
pub use workloads::Inventory;
pub use world::World;
