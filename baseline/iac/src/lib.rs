//! Infrastructure as code, read into the same kinds as live resources.
//!
//! The reader is pure: files come through [`Files`], a [`Reading`] comes back. What cannot be known before apply is a
//! value of its own ([`Data::Unknown`], [`Data::Ref`], [`Data::Partial`]) that says why; one broken file is a
//! [`Problem`] with a source frame and never stops the rest.

pub mod arm;
mod azure;
pub mod bicep;
mod blend;
pub mod cloudformation;
pub mod document;
mod example;
pub mod json;
pub mod map;
mod notes;
pub mod patch;
mod resource;
mod skips;
mod source;
pub mod templates;
pub mod terraform;
mod value;

pub use example::read_example;
pub use notes::skip_comments;
pub use resource::{Call, Code, Dialect, Key, Move, Provider, Reading, Skip, plain, show};
pub use skips::skips_in;
pub use source::{
    Entry, FileId, Files, MemoryFiles, Place, Problem, ProblemSeverity, SourceFile, SourceMap, Span, join,
};
pub use value::{Data, Doc, Members, Part, Prov, Ref, Step, Val, Why, WhyKind};
