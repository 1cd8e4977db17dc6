//! The store: findings, resources, coverage and scans.
