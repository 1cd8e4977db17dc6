//! What the build made of the catalog's files.

/// Kinds, rules and topics.
pub(crate) static CATALOG: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/catalog.pack"));

/// Frameworks.
pub(crate) static FRAMEWORKS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/frameworks.pack"));

/// The pages' texts.
pub(crate) static TEXTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/texts"));
