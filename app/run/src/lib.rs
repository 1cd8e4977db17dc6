//! The pipeline that joins the layers: accounts are entered, kinds are read, resources are judged, and what comes out
//! goes on the record.
//!
//! Only this crate knows more than one layer. It holds no knowledge of services or rules: which calls are made and
//! what they mean is the catalog's.

mod aws;
mod check;
mod code_files;
mod code_policies;
mod collect;
mod exposure;
mod guardrails;
mod holders;
mod judge;
mod plan;
mod policies;
mod redact;
mod scan;
mod settings;
mod stored;
mod support;
mod watch;

pub use aws::{AccountTarget, AwsOptions, Connected, EnterError, connect, discover};
pub use collect::{Event, Gathered, Progress};
pub use guardrails::organization;
pub use judge::{JudgeError, judge_account};
pub use plan::{PermissionPolicy, Plan, PlanRow, permissions, plan};
pub use policies::Engine;
pub use redact::redact;
pub use scan::{Outcome, ScanError, ScanOptions, Seen, facts_of, facts_on_record, is_live, run_scan};
pub use settings::{CheckSettings, read_check_settings, read_example, read_params};
pub use support::EndOfLife;

pub mod govern;
pub use check::{Block, CodeChecked, CodeVerdict, Declared, Keep, Skipped, check, is_partial};
pub use code_files::{DiskFiles, GitFiles, PipedFile, read_code};
pub use code_policies::{CodePolicy, LATER, policies_in_code};
pub use exposure::{Assessment, Kinds, analysed_accounts, attack_paths, estate, exposed};
mod native;
mod overland;
pub use native::{NATIVE, check_native, example_verdicts};

pub mod accounts;
pub mod baselines;
mod organization;
pub use organization::{Surroundings, survey};

pub mod criticality;
pub mod data_evidence;
pub mod drift;
pub mod feeds;
pub mod handover;
pub mod pulls;
pub mod scores;
pub mod signals;
pub use watch::{Change, DELIVERY, Looked, SeenEvents, Touch, changes};

mod fix;
mod review;
pub use fix::{Changed, FixInput, Fixes, Patch, Setting, fixes, unified};
pub use review::{Host, Posted, Review, ReviewError};
mod twins;
pub use twins::{Twin, twins};
mod excerpt;
mod exported;
mod programme;
pub use excerpt::excerpt;
pub use exported::{Exporter, analysed};
pub use programme::{ProgrammePage, programme_pages, programme_pages_of};
