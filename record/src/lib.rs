//! The store: scans, resources, coverage and findings, kept in one SQLite file.
//!
//! Lifecycle rules hold here, not only in the surfaces: a finding opens on a failing verdict, and closes only on a
//! passing one from a complete read, or after two complete reads in which its resource was not there. A rescan writes
//! what changed and nothing else. Passing verdicts are counted in coverage; they can be printed again at any time
//! because the resources they judged are kept, with their versions.

mod assessed;
mod digest;
mod findings;
mod identities;
mod lanes;
mod open;
mod query;
mod resources;
mod scans;
mod whole;
mod wrote;

pub use assessed::{CutRow, ExposureChange, ExposureRow, PathRow, StoredExposure};
pub use findings::{Change, FindingRow, Ingest, Query, RuleRow, TransitionRow, move_finding};
pub use identities::AbroadRow;
pub use lanes::{LaneRow, put_lane};
pub use open::{FORMAT, Moment, Record, RecordError, append_activity, put_document, put_text};
pub use query::Table;
pub use resources::{ResourceRow, StoredResource};
pub use rusqlite::Connection;
pub use scans::{AccountRow, CoverageRow, NewScan, ScanId, ScanRow, Unit, UnitState};
pub use whole::{Disposable, TABLES, dispose, restore};
pub use wrote::{AccountSeal, Written, is_of_paths};
