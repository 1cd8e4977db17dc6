//! The crate's border, table by table.

mod decide;
mod escalate;
mod properties;
mod world;
