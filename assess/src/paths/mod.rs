//! Attack paths: how someone outside gets, step by step, to data that matters or to administration.
//!
//! Nodes are the internet, accounts outside, workloads, principals, data, and "administration of the account", which
//! stands for everything in it. Edges come from [`crate::exposure`] (who can reach a workload, a role's trust or the
//! data itself), from instance profiles and execution roles, from the escalation graph, and from decisions on reading
//! data. Each edge names what says so and has a cost: 0 for free, 1 for an API call, 3 more when it hangs on something
//! that is not known, 5 for a weakness in what runs there.
//!
//! For every way in and every goal the cheapest path counts, equal costs by the names of the nodes, so that the same
//! facts give the same paths. Paths that share source, kind of way in, last principal and kind of goal are one [`Family`]. Bounds: [`MAX_ENTRIES`] ways in, [`MAX_GOALS`] data resources, [`MAX_LENGTH`] edges a path,
//! [`MAX_CUTS`] edges tried for cutting; reaching one is said in [`Report::limits`].

mod draw;
mod graph;
mod search;

pub use draw::{dot, svg};
pub use graph::{DataClasses, Facts, holds_data, is_entry, world};
pub use search::paths;

use crate::exposure::Step;

/// Ways in looked at.
pub const MAX_ENTRIES: usize = 2_000;
/// Data resources looked at.
pub const MAX_GOALS: usize = 2_000;
/// Edges of one path.
pub const MAX_LENGTH: usize = 12;
/// Edges tried for cutting.
pub const MAX_CUTS: usize = 500;

/// One step from node to node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Edge {
    /// Where it starts.
    pub from: String,
    /// Where it leads.
    pub to: String,
    /// `NETWORK_REACH`, `INVOKE`, `CODE_AS`, `CAN_BECOME`, `LATERAL_MOVE`, `READ_CREDENTIAL`, `SELF_GRANT`, `ADMIN` or `DATA`.
    pub kind: &'static str,
    /// What it costs to take.
    pub cost: u32,
    /// What says so.
    pub because: Vec<Step>,
    /// What it hangs on that is not known; empty when it is certain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
}

/// One path.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Path {
    /// The nodes: source, way in, …, goal.
    pub nodes: Vec<String>,
    /// The sum of its edges' costs.
    pub cost: u32,
}

/// Paths that are one problem.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Family {
    /// Stable name: source, kind of way in, last principal, kind of goal.
    pub id: String,
    /// The account.
    pub account: String,
    /// In a sentence.
    pub title: String,
    /// `critical`, `high` or `medium`.
    pub severity: &'static str,
    /// Whether every step is certain.
    pub certain: bool,
    /// The nodes of the path that stands for the family: to what matters most, certain, cheapest.
    pub path: Vec<String>,
    /// Its steps.
    pub steps: Vec<Edge>,
    /// What is at stake: data with its class, secrets, administration.
    pub goals: Vec<Goal>,
    /// Every path of the family.
    pub paths: Vec<Path>,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Goal {
    /// The node.
    pub node: String,
    /// `administration`, or the kind of the resource.
    pub kind: String,
    /// The data class its tags say; empty when they say none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub data_class: String,
}

/// An edge worth cutting.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Cut {
    /// Where it starts.
    pub from: String,
    /// Where it leads.
    pub to: String,
    /// Its kind.
    pub kind: &'static str,
    /// How many paths have no way left without it.
    pub kills: usize,
    /// Of how many.
    pub of: usize,
    /// What to change.
    pub because: Vec<Step>,
}

/// All paths of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Families, worst first.
    pub families: Vec<Family>,
    /// Edges by how many paths die without them.
    pub cuts: Vec<Cut>,
    /// Bounds that were reached; what lies beyond was not looked at.
    pub limits: Vec<String>,
}
