//! Every account on one list: sources reconciled into an estate.
//!
//! ```text
//! organisation · landing zone · bills · expenses · sign-ins · roles · code · people
//!         └── read(kind, bytes, mapping) ──► Reading ──┐
//!                          estate of the last run ─────┴─ reconcile ──► Estate
//! ```
//!
//! - [`read`] turns one source into [`Sighting`]s: who says what about which account, since when, with evidence.
//!   It never fails: what cannot be read becomes a [`Problem`] beside what can, and a reading with losses is marked
//!   incomplete. Long files are aggregated while being read; hostile ones meet [`Limits`].
//! - [`reconcile`] compares the sources as sets and keeps the answer per run: which sources know an account, the
//!   pairwise [`Gap`]s, [`Shadow`] accounts with who pays, signs in and reaches them, [`Contradiction`]s as findings,
//!   the time to appear, and what the long tail deserves.
//!
//! It works with any subset of sources, and before any baseline exists. **Invariants.** No IO and no clock: bytes and
//! instants are passed in. An absence counts only when the source was read completely; what was not looked at keeps
//! what was known.

mod config;
mod contradict;
mod dataclass;
mod estate;
mod export;
mod json;
mod kinds;
mod mapping;
mod metrics;
mod read;
mod reconcile;
mod sighting;
mod table;
mod triage;
mod unpack;

pub use config::Config;
pub use dataclass::{
    Classified, Classifier, Label, LabelError, LabelKind, NamePattern, Statement, StatementSource, read_labels,
};
pub use estate::{
    Account, Appeared, Appearing, Conflict, Contradiction, Estate, EstateError, FORMAT, Freshness, Gap, GapReason,
    Known, Metrics, Run, RunReading, Shadow, State, Triage,
};
pub use export::{account_line, accounts_csv, accounts_jsonl};
pub use kinds::{AccountKey, AccountKeyError, NameError, Provider, SourceClass, SourceKind};
pub use mapping::{Limits, Mapping};
pub use plumb_model::csv_cell;
pub use read::{PolicyReader, PolicyRow, read, read_policies};
pub use reconcile::{reconcile, reconcile_from};
pub use sighting::{
    Activity, DataClass, Facts, Federation, LandingZone, Months, PersonSeen, Problem, Reach, Reading, RoleReach,
    Sighting, SignIn, Signer, Span, Stated, Status, Tier,
};
pub use table::{NamedRow, named_rows};
pub use triage::{due_pulls, pull_hours};
