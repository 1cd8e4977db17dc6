//! Judging resources by rule pages.
