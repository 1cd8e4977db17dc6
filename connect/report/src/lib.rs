//! Reports people read.
