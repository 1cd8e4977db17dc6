//! The operating record: what people and the product do to findings and decisions, guarded, logged and sealed.
//!
//! The govern layer says what may happen; this module reads what it needs from the store and keeps what comes back.
//! Every change is one transaction: the documents, the findings' moves and the log's entries are kept together or not
//! at all. Refused attempts are logged too.

mod attest;
mod bound;
mod bundled;
mod emergency;
mod evidence;
mod exceptions;
mod idle;
mod inventory;
mod judged;
mod keep;
mod kept;
mod lanes;
mod later;
mod ledger;
mod life;
mod notes;
mod own;
mod people;
mod picture;
mod places;
mod removal;
mod removal_others;
mod reviews;
mod seal;
mod skips;
mod ticket;
mod trend;
mod whole;
mod work;
mod written;

pub use attest::{ATTACH_MOST, NewAttestation, NewFile, agree, attachment, attest, attestations};
pub use bound::{Astray, Held, astray, held};
pub use emergency::{EmergencyVerb, emergencies, emergency};
pub use evidence::{BundleAsk, BundleTo, OSCAL_MOST, Report, report, worst_paths, write_bundle};
pub use exceptions::{Ask, MuteFormat, Verb, decide, decision, drafts, end_of, import, request, sweep};
pub use inventory::{Profile, Surroundings, profiles, route_words, routing, set_routing};
pub use judged::{Judged, Sum};
pub use keep::{
    HoldVerb, approve_disposal, disposable, disposals, hold, holds, propose_disposal, retention, set_retention,
};
pub use lanes::{LanesKept, Timing, keep_scores, timing};
pub use later::{Came, Covered, Shown, cover, shown};
pub use ledger::{
    ExposureAsk, ExposureAskFields, ExposureVerb, LedgerStep, PlanAsk, approve_plan, decide_exposure,
    entries_of_ledger, entry, ledger_steps, observe, plan_exposure, plans, request_exposure, short,
};
pub use life::{Life, each_life, load as load_life};
pub use notes::{Answer, Note, NoteKind, answer_note, notes, write_note};
pub use people::{Identity, NewPerson, Session, add_person, directory, identify, log_unidentified};
pub use picture::{Picture, cadences, controls, first_look};
pub use places::keep_places;
pub use removal::{Removal, removal, removal_of};
pub use reviews::{
    NewReview, PeopleImported, ReviewRow, ReviewSaid, assign_review, campaign, campaigns, close_review, decide_review,
    import_people, item_code, mark, open_review, verify_reviews,
};
pub use seal::{LogState, Seal, SealError, Verified, checkpoints, entries, log_state, rotate_key, verify_log};
pub use skips::keep_skips;
pub use ticket::{Ticket, Tickets, ticket};
pub use trend::{keep_trend, layers, trends};
pub use whole::{Whole, export_record, import_record};
pub use work::{
    BulkSaid, BulkStep, Change, bulk, commit, link, log_denied, log_scan_end, log_scan_start, note_done, transition,
};
pub use written::seal_scan;

use exceptions::rule_outcomes;
use work::guarded;

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
    /// What the ledger is fed from cannot be computed.
    #[error(transparent)]
    Analysis(#[from] crate::JudgeError),
    /// Wrong input.
    #[error("{0}")]
    Input(String),
    /// A stored document is not what this version writes.
    #[error("the record holds a damaged document: {0}")]
    Damaged(#[from] serde_json::Error),
}
