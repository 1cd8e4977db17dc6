//! The wire: signed calls to cloud APIs under a budget, and their replaying twin.
//!
//! A [`Call`] names an operation of a service, a [`Target`] says where. Whoever can answer is a [`Wire`]:
//!
//! - [`aws::Client`] asks AWS, interpreting the official service models for the five protocols;
//! - [`replay::Replay`] answers from a recording, [`replay::Recorder`] makes one around any other wire.
//!
//! What comes back is a stream of [`Answer`]s: pages, until the end or until something else than a page. There is no
//! error type beside it: a refusal, an outage or a lost page is an answer too, and a caller cannot mistake any of them
//! for an empty list.
//!
//! Before every exchange stands a [`Budgets`]: one token bucket per account × region × service, shared by all tasks,
//! with a back-off that all of them feel.

mod answer;
pub mod aws;
mod budget;
pub mod http;
pub mod replay;
mod wire;

pub use answer::Answer;
pub use budget::{Budgets, Counters, Quota, Scope, Share, Spent};
pub use wire::{Call, PageSource, Pages, Target, Wire};
