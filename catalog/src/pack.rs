//! The bundled catalog as it is embedded: read and checked when the crate is built, so that a start has nothing to parse.

use crate::{Framework, Kind, Rule};
use plumb_model::TopicId;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// What the build writes and [`crate::Catalog::load`] reads.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub struct Pack {
    /// Kinds, in path order.
    pub kinds: Vec<Kind>,
    /// Rules, in path order.
    pub rules: Vec<Rule>,
    /// Topics with what each intends.
    pub topics: BTreeMap<TopicId, String>,
    /// Frameworks, in path order.
    pub frameworks: Vec<Framework>,
    /// Files that are wrong, path and text: they are reported where the catalog is read.
    pub wrong: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

impl Pack {
    /// The bytes to embed.
    ///
    /// # Errors
    /// When a part cannot be written; none of ours can.
    #[allow(dead_code, reason = "the build script's half")]
    pub fn write(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_allocvec(self)
    }

    /// Reads what the build wrote; texts stay where they are embedded.
    ///
    /// # Errors
    /// When the bytes are not a pack.
    #[allow(dead_code, reason = "the library's half")]
    pub fn read(bytes: &'static [u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }
}
