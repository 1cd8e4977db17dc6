//! What changed: against the previous scan, an approved baseline, or the code.
//!
//! Three pure comparisons over [`plumb_model::Resource`]s, each giving a [`Report`]:
//! [`against_previous`], [`against_code`], [`against_baseline`]. Fields are compared by their [`Field`]: volatile ones
//! never drift, lists are bags unless their order means something, policies are compared by meaning of their lists.
//!
//! **Invariants.** What is unknown on either side is neither drift nor its absence ([`Undecided`]). A resource that is
//! not there is gone only when its kind was listed completely. Equal inputs give equal reports, whatever their order.

mod baseline;
mod compare;
mod drift;
mod shape;

pub use baseline::{
    Baseline, BaselineError, BaselineRule, BaselineRun, Deviation, Edit, Status, active, check, differences,
    inputs_digest, version_of,
};
pub use compare::Difference;
pub use drift::{
    Against, Announcement, Approved, Drift, Report, Side, Undecided, What, against_baseline, against_code,
    against_previous, approve_as_is,
};
pub use shape::{Field, Shapes};
