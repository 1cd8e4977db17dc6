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
//! reaching one is said in [`Report::limits`]. Of the edges worth cutting the best [`MAX_CUTS`] are told.
//!
//! Ways over several accounts are found without holding more than one account at a time. First each account gives its
//! [`Door`]s: roles and data whose policies name other accounts. With them [`survey`] looks at one account again and
//! gives its [`Border`]: steps out of it, decided by the policies of both sides, and of the account's own graph only
//! what lies between ways in, doors, steps out and goals. [`Join`] puts the borders together, without evidence, and
//! finds the ways that cross accounts; the evidence of the steps that are shown is taken from the borders again.

mod border;
mod door;
mod draw;
mod graph;
mod join;
mod passages;
mod search;
mod words;

pub use border::{Border, Gaps, Outside, survey};
pub use door::{DOORS, Door, MAX_UNREAD_DOORS, doors};
pub use draw::{dot, svg};
pub use graph::{DataClasses, Facts, holds_data, is_entry, world};
pub use join::{Beyond, Join};
pub use passages::{AdminAbroad, MAX_ABROAD, Passage, Passages, administrators_abroad};
pub use search::paths;

use crate::exposure::Step;
use std::collections::BTreeMap;

/// One of a few fixed words.
pub type Word = &'static str;

/// Ways in looked at.
pub const MAX_ENTRIES: usize = 2_000;
/// Data resources looked at.
pub const MAX_GOALS: usize = 2_000;
/// Edges of one path.
pub const MAX_LENGTH: usize = 12;
/// Edges worth cutting that are told.
pub const MAX_CUTS: usize = 500;
/// Doors of other accounts an account's principals are tried on.
pub const MAX_DOORS: usize = 5_000;
/// Ways over accounts that are kept.
pub const MAX_WAYS: usize = 20_000;

/// One step from node to node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Edge {
    /// Where it starts.
    pub from: String,
    /// Where it leads.
    pub to: String,
    /// `NETWORK_REACH`, `INVOKE`, `CODE_AS`, `CAN_BECOME`, `LATERAL_MOVE`, `READ_CREDENTIAL`, `SELF_GRANT`, `ADMIN` or `DATA`.
    #[serde(deserialize_with = "words::kind")]
    pub kind: Word,
    /// The account it starts in; empty for the internet.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from_account: String,
    /// The account it leads to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub to_account: String,
    /// What it costs to take.
    pub cost: u32,
    /// What says so.
    pub because: Vec<Step>,
    /// What it hangs on that is not known; empty when it is certain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
}

impl Edge {
    /// Whether it leads from one account into another.
    pub fn crosses(&self) -> bool {
        !self.from_account.is_empty() && !self.to_account.is_empty() && self.from_account != self.to_account
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        self.from == other.from && self.to == other.to && self.kind == other.kind
    }
}

/// One path.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Path {
    /// The nodes: source, way in, …, goal.
    pub nodes: Vec<String>,
    /// The sum of its edges' costs.
    pub cost: u32,
}

/// Paths that are one problem.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Family {
    /// Stable name: source, kind of way in, last principal, kind of goal.
    pub id: String,
    /// The account of what is at stake; for a goal in an account that could not be read, the last one before it.
    pub account: String,
    /// The accounts its paths lead through, in order of their numbers; empty when they stay in `account`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Of these accounts, those that were read before the scan it is told by, with the instant they are of.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub earlier: BTreeMap<String, String>,
    /// Why it is told although it was not found again; empty when it was found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kept: String,
    /// In a sentence.
    pub title: String,
    /// `critical`, `high` or `medium`.
    #[serde(deserialize_with = "words::severity")]
    pub severity: Word,
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

impl Family {
    /// The family as it is told although it was not found again: nothing of it is certain.
    #[must_use]
    pub fn kept_because(mut self, why: &str) -> Self {
        if let Some(last) = self.steps.last_mut() {
            last.depends_on.retain(|what| *what != self.kept);
            last.depends_on.push(why.to_owned());
        }
        self.kept = why.to_owned();
        if self.certain {
            self.severity = if self.severity == "critical" { "high" } else { "medium" };
        }
        self.certain = false;
        self
    }
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Goal {
    /// The node.
    pub node: String,
    /// `administration`, or the kind of the resource.
    pub kind: String,
    /// The data class its tags say; empty when they say none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub data_class: String,
}

/// An edge worth cutting.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cut {
    /// Where it starts.
    pub from: String,
    /// Where it leads.
    pub to: String,
    /// Its kind.
    #[serde(deserialize_with = "words::kind")]
    pub kind: Word,
    /// How many paths have no way left without it.
    pub kills: usize,
    /// Of how many.
    pub of: usize,
    /// What to change.
    pub because: Vec<Step>,
}

/// All paths of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    /// Families, worst first.
    pub families: Vec<Family>,
    /// Edges by how many paths die without them.
    pub cuts: Vec<Cut>,
    /// Bounds that were reached; what lies beyond was not looked at.
    pub limits: Vec<String>,
}
