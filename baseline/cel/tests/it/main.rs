//! Tests of the rule language through its public face.

mod conformance;
mod textproto;
