//! The operating record's rules: lifecycle, decisions, ledger, reviews, cadence, evidence.
//!
//! Layer 5, as values and functions: nothing here reads a clock, a file or a database. The caller says who acts
//! ([`people::Actor`]), under which [`policy::Policy`] and when, and stores what comes back.
//!
//! - [`finding`]: fourteen states and twenty-three numbered steps; [`finding::Finding::transition`] is the only way from
//!   one to another, and closing needs positive evidence.
//! - [`decision`]: exceptions, deferrals, false positives, deviations; approved by others than the requester, with an
//!   end and a trigger, re-evaluated in every run.
//! - [`sla`]: clocks with pauses, restarts and breaches that nothing erases.
//! - [`ledger`]: what the internet reaches, who allowed it and until when; it shrinks and shows its net change.
//! - [`review`]: access reviews with frozen populations, whose removals are verified by a later run.
//! - [`cadence`]: what the programme promised and what is overdue.
//! - [`framework`], [`lens`]: controls against evidence, attestations, and what an auditor would flag.
//! - [`retention`]: classes, legal holds, disposal with certificates.
//! - [`bundle`], [`export`]: evidence that verifies offline, and the whole record out and in again.
//! - [`log`]: every change and every denied attempt, hash-chained, with signed Merkle checkpoints.
//! - [`people`]: humans behind logins, roles on scopes, the permission matrix; [`emergency`]: what holds for a few hours.
//!
//! Every refused attempt is a [`Refusal`] that says what would be right; the caller logs it with
//! [`log::Event::denied`].

pub mod bundle;
pub mod cadence;
pub mod decision;
pub mod emergency;
pub mod export;
pub mod finding;
pub mod framework;
mod guard;
pub mod ids;
pub mod ledger;
pub mod lens;
pub mod log;
pub mod people;
pub mod policy;
mod refusal;
pub mod retention;
pub mod review;
pub mod sla;
pub mod table;

pub use refusal::{Problem, Refusal};
