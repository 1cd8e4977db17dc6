//! A resource: one thing a provider keeps or code would make, with its fields in the order of its kind's table.

use crate::{AccountId, KindId, Region, ResourceId, Value};
use std::sync::Arc;

/// One resource as the rules see it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Resource {
    /// What kind of thing it is.
    pub kind: KindId,
    /// The account that owns it; for code without a known account, `code`.
    pub account: AccountId,
    /// Where it is; [`Region::global`] for what exists once per account.
    pub region: Region,
    /// The provider's full name for it.
    pub id: ResourceId,
    /// The name people use; may repeat.
    pub name: Arc<str>,
    /// The kind's fields, in the kind's order. A field nobody could read is [`Value::Unknown`].
    pub fields: Vec<Value>,
    /// For code: where each field came from, parallel to `fields`. Empty for live resources, whose sources are the
    /// kind's calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
}

/// What said so: an API answer, a place in code, or a default nobody overrode.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// An API call: `sqs:GetQueueAttributes`.
    Api(Arc<str>),
    /// A place in code; lines and columns count from 1.
    Code {
        /// Path relative to the directory that was checked.
        file: Arc<str>,
        /// First line.
        line: u32,
        /// Last line.
        end_line: u32,
        /// First column; 0 when only the line is known.
        #[serde(default)]
        column: u32,
    },
    /// The provider's default for something left unset.
    Default,
    /// Computed by the rule from other values, or given as a parameter.
    Derived,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Api(call) => f.write_str(call),
            Self::Code { file, line, .. } => write!(f, "{file}:{line}"),
            Self::Default => f.write_str("default"),
            Self::Derived => f.write_str("derived"),
        }
    }
}
