//! The score against its reference, on the whole grid, and its promised properties.

mod grid;
mod properties;
