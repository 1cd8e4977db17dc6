//! What changed: against the previous scan, an approved baseline, or the code.
