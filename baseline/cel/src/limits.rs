//! Bounds that keep a foreign expression from hanging or exhausting a scan.

/// The bounds of one expression and of one evaluation. The defaults suit rules written by people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep expressions may nest.
    pub depth: u32,
    /// How long the source may be, in bytes.
    pub source_bytes: usize,
    /// How many nodes the expression may have.
    pub nodes: u32,
    /// How many steps one evaluation may take; a node is a step, bulk work costs a step for every 32 bytes or
    /// every element.
    pub steps: u64,
    /// How long a list, map or text made by the expression may become (elements, or bytes / 16).
    pub list_len: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, source_bytes: 64 << 10, nodes: 20_000, steps: 2_000_000, list_len: 100_000 }
    }
}
