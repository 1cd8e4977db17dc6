//! Tests of the rule language through its public face.

mod conformance;
mod hosts;
mod leaves;
mod limits;
mod properties;
mod table;
mod textproto;
mod unknowns;
