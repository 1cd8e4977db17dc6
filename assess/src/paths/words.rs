//! The fixed words of edges and families, read back from JSON.

use serde::{Deserialize, Deserializer, de::Error};

const KINDS: [&str; 9] = [
    "NETWORK_REACH",
    "INVOKE",
    "CODE_AS",
    "CAN_BECOME",
    "LATERAL_MOVE",
    "READ_CREDENTIAL",
    "SELF_GRANT",
    "ADMIN",
    "DATA",
];
const SEVERITIES: [&str; 3] = ["critical", "high", "medium"];

fn one_of<'de, D: Deserializer<'de>>(input: D, words: &[&'static str]) -> Result<&'static str, D::Error> {
    let text = String::deserialize(input)?;
    let found = words.iter().find(|w| **w == text).copied();
    found.ok_or_else(|| D::Error::custom(format!("there is no `{text}`; there is {}", words.join(", "))))
}

/// The kind of an edge.
pub(crate) fn kind<'de, D: Deserializer<'de>>(input: D) -> Result<&'static str, D::Error> {
    one_of(input, &KINDS)
}

/// The severity of a family.
pub(crate) fn severity<'de, D: Deserializer<'de>>(input: D) -> Result<&'static str, D::Error> {
    one_of(input, &SEVERITIES)
}
