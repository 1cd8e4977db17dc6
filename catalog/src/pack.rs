//! The bundled catalog as it is embedded: read and checked when the crate is built, so that a start has nothing to parse.

use crate::{Framework, Kind, Rule, text::Texts};
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
    /// Files that are wrong, path and text: they are reported where the catalog is read.
    pub wrong: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

#[allow(dead_code, reason = "the build script writes, the library reads")]
impl Pack {
    /// The bytes to embed: the catalog, and the texts of its pages.
    ///
    /// # Errors
    /// When a part cannot be written; none of ours can.
    pub fn write(&mut self) -> Result<(Vec<u8>, Vec<u8>), postcard::Error> {
        let mut texts = Texts::default();
        for rule in &mut self.rules {
            texts.page(&mut rule.body);
            for example in &mut rule.examples {
                texts.keep(&mut example.title);
                texts.keep(&mut example.text);
            }
        }
        Ok((postcard::to_allocvec(self)?, texts.into_bytes()))
    }

    /// Reads what the build wrote; texts stay where they are embedded.
    ///
    /// # Errors
    /// When the bytes are not a pack.
    pub fn read(bytes: &'static [u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }
}

/// The bytes of frameworks to embed.
///
/// # Errors
/// When one cannot be written; none of ours can.
#[allow(dead_code, reason = "the build script writes")]
pub fn write_frameworks(frameworks: &[Framework]) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_allocvec(frameworks)
}

/// Reads what the build wrote.
///
/// # Errors
/// When the bytes are not frameworks.
#[allow(dead_code, reason = "the library reads")]
pub fn read_frameworks(bytes: &[u8]) -> Result<Vec<Framework>, postcard::Error> {
    postcard::from_bytes(bytes)
}
