//! The nouns of Plumbline: ids, values, resources, verdicts and finding keys.
//!
//! Everything here is a plain value: no IO, no clock, no async. Each layer takes and returns these, so any of
//! them can be printed, written to a file, compared, or made by hand in a test.

mod cell;
mod finding;
mod ids;
mod resource;
mod time;
mod value;
mod verdict;

pub use cell::csv_cell;
pub use finding::FindingKey;
pub use ids::{AccountId, KindId, Region, ResourceId, RuleId, TopicId};
pub use resource::{Resource, Source, Sources};
pub use time::{Time, TimeError};
pub use value::{Map, Plain, Reason, TextEnds, Unknown, Value};
pub use verdict::{Leaf, Outcome, Severity, Verdict};
