//! The crate's border, table by table.

// Helpers of tests may fail loudly, as tests may.
#![allow(clippy::expect_used, clippy::panic)]

mod conditional;
mod decide;
mod escalate;
mod exposure;
mod inventory;
mod limits;
mod machine;
mod overland;
mod path_laws;
mod paths;
mod properties;
mod services;
mod traps;
mod world;
