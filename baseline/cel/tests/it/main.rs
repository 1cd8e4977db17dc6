//! Tests of the rule language through its public face.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod conformance;
mod hosts;
mod leaves;
mod limits;
mod properties;
mod table;
mod textproto;
mod unknowns;
