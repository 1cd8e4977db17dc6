//! Judging resources by rule pages.
//!
//! [`RuleSet::compile`] turns pages into programs checked against their kinds' fields. A [`World`] holds what rules may
//! ask about besides the resource at hand: the account, and other kinds' resources with indexes for the equalities
//! rules look them up by. [`RuleSet::judge`] gives the verdicts of one resource. Nothing here does IO or reads a clock;
//! the same input gives the same verdicts, byte for byte.

mod asked;
mod check;
mod functions;
mod here;
mod judge;
mod policies;
mod quick;
mod repeat;
mod ruleset;
mod secrets;
mod table;
mod world;

pub use check::{Checked, ExampleReader, ExampleWorld, check_pages, example_outcome, example_world, outcome_of};
pub use functions::{EndOfSupport, Helpers, NoHelpers};
pub use judge::{Explain, Judged, Judging};
pub use policies::{Policies, Policy, PolicyContext};
pub use ruleset::{CompiledRule, Native, NativeFunction, Needs, RuleSet, Selection};
pub use secrets::{redacted, secrets_in};
pub use table::Table;
pub use world::{AccountFacts, World};
