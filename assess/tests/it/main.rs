//! The crate's border, table by table.

mod decide;
mod escalate;
mod inventory;
mod properties;
mod world;
