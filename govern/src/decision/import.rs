//! Import of other tools.
