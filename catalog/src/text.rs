//! Texts of the bundled pages that most runs never read: they stay where they are embedded, untouched until asked for.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, ops::Deref};

/// A text of a page: one of the user's own pages, or a part of the bundled texts.
///
/// Written down it is a place in those texts; only what [`Texts::keep`] returned can be.
#[derive(Clone)]
pub struct Text(Kept);

#[derive(Clone)]
enum Kept {
    Own(Box<str>),
    Bundled { at: u32, len: u32 },
}

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kept::Own(text) => text,
            Kept::Bundled { at, len } => {
                let at = *at as usize;
                let bytes = crate::bundled::TEXTS.get(at..at + *len as usize).unwrap_or_default();
                std::str::from_utf8(bytes).unwrap_or_default()
            }
        }
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Kept::Own(text.into()))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Kept::Bundled { at, len } => (at, len).serialize(serializer),
            Kept::Own(_) => Err(serde::ser::Error::custom("a text of one's own is not among the bundled ones")),
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (at, len) = Deserialize::deserialize(deserializer)?;
        Ok(Self(Kept::Bundled { at, len }))
    }
}

/// The bundled texts while they are gathered. A text that stands in the one kept before (an example in its page) is kept once.
#[derive(Debug, Default)]
#[allow(dead_code, reason = "the build script's half")]
pub(crate) struct Texts {
    all: String,
    page: usize,
}

#[allow(dead_code, reason = "the build script's half")]
impl Texts {
    /// Keeps a page.
    pub(crate) fn page(&mut self, text: &mut Text) {
        self.page = self.all.len();
        self.keep(text);
    }

    /// Keeps a text of the page that was kept last.
    pub(crate) fn keep(&mut self, text: &mut Text) {
        let own = text.as_str();
        let at = match self.all.get(self.page..).and_then(|page| page.find(own)) {
            Some(at) => self.page + at,
            None => {
                let at = self.all.len();
                self.all.push_str(own);
                at
            }
        };
        let place = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        *text = Text(Kept::Bundled { at: place(at), len: place(own.len()) });
    }

    /// The texts, to be embedded.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.all.into_bytes()
    }
}
