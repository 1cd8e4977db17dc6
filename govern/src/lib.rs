//! The operating record's rules: lifecycle, decisions, ledger, reviews, cadence, evidence.
