//! Formats and systems Plumbline speaks to.
//!
//! Each format is one pure function from [`Exported`] rows to text or JSON; what leaves the process validates against
//! the official schema of its format (tests hold it to that).

mod asff;
mod html;
pub mod iam;
mod ocsf;
mod ocsf_paths;
mod text;

pub use asff::asff;
pub use html::html;
pub use ocsf::{ocsf, ocsf_event};
pub use text::{csv, csv_cell, markdown};

use plumb_model::{Leaf, Outcome, Severity};

/// A finding (or a passing verdict) on its way out.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Exported {
    /// The whole key in hexadecimal.
    pub key: String,
    /// The short id.
    pub short: String,
    /// The rule.
    pub rule: String,
    /// The rule's title: the good state.
    pub title: String,
    /// What the setting is.
    pub summary: String,
    /// Why it matters.
    pub why: String,
    /// How to fix it.
    pub fix: String,
    /// The rule's severity; exported as informational when the outcome is pass.
    pub severity: Severity,
    /// Pass or fail.
    pub outcome: Outcome,
    /// The lifecycle's state.
    pub state: String,
    /// The account.
    pub account: String,
    /// Its name.
    pub account_name: String,
    /// The region.
    pub region: String,
    /// The kind.
    pub kind: String,
    /// The resource's canonical id.
    pub resource: String,
    /// Its everyday name.
    pub name: String,
    /// The part of the resource.
    pub sub_key: String,
    /// RFC 3339.
    pub first_seen: String,
    /// RFC 3339.
    pub last_seen: String,
    /// The intent.
    pub topic: String,
    /// What decided.
    pub because: Vec<Leaf>,
    /// Framework and control, without those merely related.
    pub controls: Vec<(String, String)>,
}

impl Exported {
    /// What decided, in one line: `kms_key_id is "" (wanted != "")`.
    pub fn observed(&self) -> String {
        let leaves = self
            .because
            .iter()
            .map(|l| format!("{} is {} (wanted {})", l.path, l.observed.to_plain_json(), l.expected));
        leaves.collect::<Vec<_>>().join("; ")
    }

    /// Milliseconds since the epoch of an RFC 3339 text; 0 when it is none.
    fn millis(text: &str) -> i64 {
        text.parse::<plumb_model::Time>().map_or(0, |t| t.seconds() * 1000)
    }
}

/// What a report says around its rows.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The instant of the last scan.
    pub judged_at: String,
    /// Our version.
    pub version: String,
    /// Number, name, state and reason of each account.
    pub accounts: Vec<(String, String, String, String)>,
    /// Resources read.
    pub resources: u64,
    /// Passing verdicts.
    pub pass: i64,
    /// Failing verdicts.
    pub fail: i64,
    /// Undecided verdicts.
    pub unknown: i64,
    /// What could not be judged and why, with how many rule × place pairs it costs; most first.
    pub gaps: Vec<(String, usize)>,
}
