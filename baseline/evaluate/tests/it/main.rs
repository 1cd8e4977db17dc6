//! The quick way of judging against the plain one, and what rules compare with against what the provider takes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod quick;
mod values;
