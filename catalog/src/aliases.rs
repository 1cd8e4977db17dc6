//! Other scanners' ids for the same check, kept as one text: every start reads them all, and few runs look at them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, collections::BTreeMap};

/// Other scanners' ids for the same check: scanner name (`prowler`, `fsbp`, `checkov`, `trivy`, …) to ids.
///
/// A line a scanner, its name and its ids apart by tabs. Written down for people it is a map of lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aliases(Cow<'static, str>);

impl Aliases {
    /// Every scanner with its ids, by the scanner's name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
        self.0.lines().map(|line| {
            let mut words = line.split('\t');
            (words.next().unwrap_or_default(), words.filter(|id| !id.is_empty()))
        })
    }

    /// Every id.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.iter().flat_map(|(_, ids)| ids)
    }
}

impl From<BTreeMap<String, Vec<String>>> for Aliases {
    fn from(map: BTreeMap<String, Vec<String>>) -> Self {
        let lines = map.into_iter().map(|(scanner, ids)| format!("{scanner}\t{}\n", ids.join("\t")));
        Self(lines.collect::<String>().into())
    }
}

impl Serialize for Aliases {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_map(self.iter().map(|(scanner, ids)| (scanner, ids.collect::<Vec<_>>()))),
            false => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de: 'static> Deserialize<'de> for Aliases {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'static str>::deserialize(deserializer).map(|text| Self(text.into()))
    }
}
