//! The operating record: what people and the product do to findings and decisions, guarded, logged and sealed.
//!
//! The govern layer says what may happen; this module reads what it needs from the store and keeps what comes back.
//! Every change is one transaction: the documents, the findings' moves and the log's entries are kept together or not
//! at all. Refused attempts are logged too.

mod evidence;
mod exceptions;
mod life;
mod people;
mod picture;
mod seal;
mod skips;
mod work;

pub use evidence::{Report, report, write_bundle};
pub use exceptions::{Ask, MuteFormat, Verb, decide, decision, drafts, end_of, import, request, sweep};
pub use life::{Life, astray, lives, load as load_life};
pub use people::{Identity, NewPerson, Session, add_person, directory, identify};
pub use picture::{Picture, controls};
pub use seal::{LogState, Seal, SealError, Verified, checkpoints, entries, log_state, verify_log};
pub use skips::keep_skips;
pub use work::{Change, commit, log_denied, log_scan_end, log_scan_start, note_done, transition};

use plumb_govern::{Refusal, log::HeadError, people::PeopleError};
use plumb_record::RecordError;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum GovernError {
    /// The rules say no; the attempt is on the log.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The record failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The log cannot be continued.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// Who acts is not known.
    #[error("{0}; people are added with `plumb people add`")]
    People(#[from] PeopleError),
    /// The signing key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A finding's state does not follow from its steps.
    #[error("{0}")]
    Diverged(String),
    /// Wrong input.
    #[error("{0}")]
    Input(String),
    /// A stored document is not what this version writes.
    #[error("the record holds a damaged document: {0}")]
    Damaged(#[from] serde_json::Error),
}
