//! Ids of the operating record.

use plumb_model::FindingKey;

plumb_model::ids! {
    /// One human being, whatever logins and tokens they use.
    HumanId,
    /// A team that owns accounts and findings.
    TeamId,
    /// A finding: its key in lower-case hexadecimal (64 characters).
    FindingId,
    /// A decision's number in the register: `EX-2026-000123`.
    DecisionId,
}

impl From<&FindingKey> for FindingId {
    fn from(key: &FindingKey) -> Self {
        Self::from(key.hex())
    }
}

/// Gives an enum its stable names: `ALL`, `name()`, `Display` and a `FromStr` that says what would be right.
macro_rules! named {
    ($type:ident, $what:literal, { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name used in every output.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
        impl std::str::FromStr for $type {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|v| v.name() == text).ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|v| v.name()).collect();
                    format!(concat!("unknown ", $what, " `{}`; one of {}"), text, names.join(", "))
                })
            }
        }
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.name())
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use named;
