//! Seven signals stacked into an explained, tunable score.
//!
//! A finding's [`Signals`] are seven levels on ordered scales and one flag. [`score`] stacks them under a [`Policy`]
//! in integers (tenths of a point; per cent; division rounds down), so that any language gives the same number:
//!
//! ```text
//! core   = severity + exposure + identity + drift + exploitation bonus
//! points = max(core × data % × account %, floor)      floor: known exploitation, hard-baseline failure
//! score  = min(1000, points)                          shown as 0.0 to 100.0
//! lane   = 0 act now · 1 urgent · 2 planned · 3 watch
//! ```
//!
//! Nothing is collapsed: every [`Score`] carries its contributions, which sum to its points.
//!
//! ```
//! use plumb_score::{Policy, Signals, score, signal::*};
//! let mut signals = Signals::of(plumb_model::Severity::High);
//! signals.exposure = Exposure::InternetOpen;
//! let s = score(&signals, &Policy::default());
//! assert_eq!(i64::from(s.points), s.contributions.iter().map(|c| i64::from(c.points)).sum::<i64>());
//! ```
//!
//! **Invariants.** No IO and no clock. A policy that could break monotonicity, or push a known-exploited reachable
//! or hard finding out of lane 0, cannot be built.

mod calibrate;
mod cvss;
mod explain;
mod feeds;
mod line;
mod points;
mod policy;
mod rollup;
pub mod signal;

pub use calibrate::{
    ApprovalError, Effect, Ended, Fit, Forecast, History, LaneChange, Pair, Past, Proposal, Replay, Settings, WEEKS,
    approve, effect, fit, lanes_of, propose, replay,
};
pub use cvss::{CvssError, base_score_tenths, severity_of};
pub use explain::{Change, Context, Evidence, Explanation, Part, Previous, Simulated, WhatIf, explain, simulate};
pub use feeds::{
    Exploited, FeedError, FeedInfo, FeedStatus, Feeds, KevEntry, STALE_AFTER_DAYS, Subject, Support, is_cve,
};
pub use line::score_line;
pub use points::{Contribution, Lane, Score, Signals, lane, order, score, tenths};
pub use policy::{Breach, ExploitWeight, NotHard, Policy, PolicyError, Scale, Terms, Thresholds};
pub use rollup::{Coverage, Open, Standing, hygiene_per_mille, movers, rollup, rollup_tenths};
