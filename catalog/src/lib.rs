//! Knowledge as data: kinds, rule pages, topics and frameworks, read, checked and packed.
//!
//! A *kind* (`catalog/aws/sqs/queue/kind.toml`) states how a resource is read and where each of its fields lives in
//! every dialect. A *rule* is a page beside it (`encrypted-at-rest.md`). Both are data: this crate turns their text
//! into values and names every mistake by file and line. It does not compile conditions (`plumb-evaluate` does), does
//! no IO (the caller passes files in), and embeds the bundled catalog as one constant.

mod aliases;
mod bundled;
mod entry;
mod framework;
mod kind;
mod load;
mod pack;
mod page;
mod path;
mod problem;
mod text;
mod types;

pub use aliases::Aliases;
pub use entry::File;
pub use framework::{Confidence, Control, ControlRef, Framework, TopicMap};
pub use kind::{
    BatchSpec, CallSpec, Column, Decode, EachSpec, Field, JoinSpec, Key, Kind, Link, ListSpec, Rest, Scope, Take,
};
pub use load::Catalog;
pub use page::{Block, Condition, Dialect, Example, Expect, Param, Rule, section};
pub use path::{Path, PathError, Step};
pub use problem::Problem;
pub use text::Text;
pub use types::Type;
