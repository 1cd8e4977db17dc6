//! One file of a catalog, read by its place.

use crate::{Framework, Kind, Problem, Rule};
use plumb_model::TopicId;
use std::collections::BTreeMap;

/// One catalog file: its path below the root, with `/`, and its text.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// `aws/sqs/queue/kind.toml`
    pub path: &'a str,
    /// The file's text.
    pub text: &'a str,
}

/// One file, read.
pub(crate) enum Entry {
    Kind(Kind),
    Rule(Rule),
    Framework(Framework),
    Topics(BTreeMap<TopicId, String>),
    /// A file that is none of the catalog's, or begins with `_`.
    None,
}

impl Entry {
    /// Reads a file by its place.
    pub(crate) fn read(file: File<'_>) -> Result<Self, Vec<Problem>> {
        if file.path.split('/').any(|part| part.starts_with('_')) {
            return Ok(Self::None);
        }
        let name = file.path.rsplit('/').next().unwrap_or_default();
        Ok(if name == "kind.toml" {
            Self::Kind(Kind::parse(file.path, file.text)?)
        } else if file.path.starts_with("frameworks/") && name.ends_with(".toml") {
            Self::Framework(Framework::parse(file.path, file.text)?)
        } else if file.path == "topics.toml" {
            Self::Topics(toml::from_str(file.text).map_err(|error| {
                vec![Problem::new(file.path, 0, error.message(), "write \"topic.id\" = \"what it intends\"")]
            })?)
        } else if name.ends_with(".md") && name.chars().next().is_some_and(|c| c.is_ascii_lowercase()) {
            Self::Rule(Rule::parse(file.path, file.text)?)
        } else {
            Self::None
        })
    }
}
