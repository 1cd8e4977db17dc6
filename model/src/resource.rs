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
    #[serde(default, skip_serializing_if = "Sources::is_empty")]
    pub sources: Sources,
}

/// Where each field of a resource came from. Most fields say the same, a default or the block as a whole, so each place is kept once.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// By slot, the position in `places`.
    by_slot: Vec<u32>,
    places: Vec<Source>,
}

impl Sources {
    /// Where the field at a slot came from; nothing beyond the last one.
    pub fn get(&self, slot: usize) -> Option<&Source> {
        self.places.get(*self.by_slot.get(slot)? as usize)
    }

    /// The places, slot by slot.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.by_slot.iter().filter_map(|place| self.places.get(*place as usize))
    }

    /// Whether nothing is said of any field.
    pub fn is_empty(&self) -> bool {
        self.by_slot.is_empty()
    }

    /// Says where the next field came from.
    pub fn push(&mut self, source: Source) {
        let place = self.place(source);
        self.by_slot.push(place);
    }

    /// Says where a field came from of which something was said before.
    pub fn set(&mut self, slot: usize, source: Source) {
        let place = self.place(source);
        if let Some(known) = self.by_slot.get_mut(slot) {
            *known = place;
        }
    }

    /// Gives room that is not needed back.
    pub fn shrink_to_fit(&mut self) {
        self.by_slot.shrink_to_fit();
        self.places.shrink_to_fit();
    }

    fn place(&mut self, source: Source) -> u32 {
        // A handful, of which the first are the most frequent.
        let at = self.places.iter().position(|known| *known == source).unwrap_or_else(|| {
            self.places.push(source);
            self.places.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }
}

impl PartialEq for Sources {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl FromIterator<Source> for Sources {
    fn from_iter<T: IntoIterator<Item = Source>>(sources: T) -> Self {
        let mut all = Self::default();
        sources.into_iter().for_each(|source| all.push(source));
        all
    }
}

impl serde::Serialize for Sources {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> serde::Deserialize<'de> for Sources {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Source>::deserialize(deserializer)?.into_iter().collect())
    }
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

impl Source {
    /// What it is called; none for a place in code, which has a file and a line.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Api(call) => Some(call),
            Self::Code { .. } => None,
            Self::Default => Some("default"),
            Self::Derived => Some("derived"),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code { file, line, .. } => write!(f, "{file}:{line}"),
            other => f.write_str(other.name().unwrap_or_default()),
        }
    }
}
