//! Formats and systems Plumbline speaks to.
