//! Providers, account keys, and the kinds of source an account can be known from.

use plumb_model::AccountId;
use std::{fmt, str::FromStr};

macro_rules! named {
    ($($(#[$doc:meta])* $ty:ident ($what:literal) { $($(#[$vdoc:meta])* $variant:ident = $name:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $ty { $($(#[$vdoc])* $variant,)+ }

        impl $ty {
            /// Every value, in the order of the record.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name used in every output.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
        impl ::std::fmt::Display for $ty {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.name())
            }
        }
        impl ::std::str::FromStr for $ty {
            type Err = $crate::kinds::NameError;
            fn from_str(text: &str) -> Result<Self, $crate::kinds::NameError> {
                Self::ALL.iter().copied().find(|v| v.name().eq_ignore_ascii_case(text.trim())).ok_or_else(|| $crate::kinds::NameError {
                    what: $what,
                    text: text.chars().take(80).collect(),
                    one_of: [$($name),+].join(", "),
                })
            }
        }
        impl serde::Serialize for $ty {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
        impl<'de> serde::Deserialize<'de> for $ty {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
pub(crate) use named;

/// A text that names nothing of its list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{text}`; one of {one_of}")]
pub struct NameError {
    pub(crate) what: &'static str,
    pub(crate) text: String,
    pub(crate) one_of: String,
}

named! {
    /// Whose cloud it is.
    Provider ("provider") {
        /// Amazon Web Services; accounts are 12 digits.
        Aws = "aws",
        /// Microsoft Azure; accounts are subscription GUIDs in lower case.
        Azure = "azure",
        /// Google Cloud; accounts are project ids.
        Gcp = "gcp",
        /// Any other vendor.
        Other = "other",
    }

    /// The kinds of file or answer that can be read, one reader each.
    SourceKind ("source kind") {
        /// AWS Organizations `ListAccounts` answers.
        AwsOrganizations = "aws-organizations",
        /// Azure subscriptions of a tenant (`GET /subscriptions`, `az account list`).
        AzureTenant = "azure-tenant",
        /// Google Cloud projects of an organisation (`projects.list`, `projects:search`).
        GcpOrganization = "gcp-organization",
        /// The landing-zone record: CSV, XLSX or JSON with a column mapping.
        LandingZone = "landing-zone",
        /// AWS Cost and Usage Report, legacy or 2.0, CSV.
        AwsCur = "aws-cur",
        /// FOCUS 1.0 to 1.2, CSV.
        Focus = "focus",
        /// Azure cost export, CSV.
        AzureCost = "azure-cost",
        /// Google Cloud billing export, CSV or JSON Lines.
        GcpBilling = "gcp-billing",
        /// Rows of an expense or card system, CSV.
        Expense = "expense",
        /// Okta System Log events.
        OktaLog = "okta-log",
        /// Microsoft Entra sign-ins.
        EntraSignIns = "entra-sign-ins",
        /// Microsoft Entra directory audits (service principals added).
        EntraAudit = "entra-audit",
        /// AWS CloudTrail console sign-ins and AssumeRole events.
        CloudTrail = "cloudtrail",
        /// Trust and resource policies, and assumed roles, seen in snapshots.
        CrossAccountRoles = "cross-account-roles",
        /// Terraform state.
        IacState = "iac-state",
        /// Entries made by hand: the same columns as the landing-zone record.
        Manual = "manual",
        /// Another tool's account list: the same columns as the landing-zone record.
        Import = "import",
    }

    /// The classes of source the record keeps per account.
    SourceClass ("source class") {
        /// The provider's own list.
        OrgRoot = "org-root",
        /// Who pays for it, by the provider's bill.
        Billing = "billing",
        /// Who pays for it, by expense rows.
        Expense = "expense",
        /// The central platform team's record.
        LandingZone = "landing-zone",
        /// Who signs in to it.
        IdpFederation = "idp-federation",
        /// Which roles cross into it or out of it.
        CrossAccountRole = "cross-account-role",
        /// Which code makes it.
        IacState = "iac-state",
        /// A person entered it.
        Manual = "manual",
        /// Another tool listed it.
        Import = "import",
    }
}

impl SourceKind {
    /// The class its sightings count for. CloudTrail sightings say themselves whether they are sign-ins or roles.
    pub fn class(self) -> SourceClass {
        match self {
            Self::AwsOrganizations | Self::AzureTenant | Self::GcpOrganization => SourceClass::OrgRoot,
            Self::LandingZone => SourceClass::LandingZone,
            Self::AwsCur | Self::Focus | Self::AzureCost | Self::GcpBilling => SourceClass::Billing,
            Self::Expense => SourceClass::Expense,
            Self::OktaLog | Self::EntraSignIns | Self::EntraAudit | Self::CloudTrail => SourceClass::IdpFederation,
            Self::CrossAccountRoles => SourceClass::CrossAccountRole,
            Self::IacState => SourceClass::IacState,
            Self::Manual => SourceClass::Manual,
            Self::Import => SourceClass::Import,
        }
    }
}

impl SourceKind {
    /// Whether it tells what happened rather than what is.
    pub fn is_log(self) -> bool {
        matches!(self, Self::OktaLog | Self::EntraSignIns | Self::EntraAudit | Self::CloudTrail | Self::Expense)
    }
}

impl SourceClass {
    /// Whether the source means to list every account, so that an absence from it says something.
    pub fn lists_all(self) -> bool {
        matches!(self, Self::OrgRoot | Self::Billing | Self::LandingZone)
    }

    /// Whether the source is a log of what happened: an account that did nothing lately is still known from it.
    pub fn is_log(self) -> bool {
        matches!(self, Self::IdpFederation | Self::CrossAccountRole | Self::Expense)
    }

    /// Days after which a reading of the source is stale, unless configured otherwise.
    pub fn stale_after_days(self) -> i64 {
        match self {
            Self::OrgRoot | Self::IdpFederation | Self::CrossAccountRole => 2,
            Self::IacState => 7,
            Self::LandingZone | Self::Billing | Self::Import => 35,
            Self::Expense => 45,
            Self::Manual => 180,
        }
    }
}

/// Provider and native id; shown and stored as `aws:123456789012`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey {
    /// Whose cloud.
    pub provider: Provider,
    /// The provider's own id in its canonical spelling.
    pub id: AccountId,
}

/// A text that is no account id of its provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an {provider} account id; expected {expected}")]
pub struct AccountKeyError {
    text: String,
    provider: Provider,
    expected: &'static str,
}

impl AccountKey {
    /// The account with this id, brought to its canonical spelling: GUIDs in lower case, `/subscriptions/…` and
    /// `projects/…` prefixes and dashes in AWS numbers removed, AWS numbers that lost leading zeros in a spreadsheet
    /// padded again (10 or 11 digits).
    pub fn new(provider: Provider, text: &str) -> Result<Self, AccountKeyError> {
        let wrong = |expected| AccountKeyError { text: text.chars().take(80).collect(), provider, expected };
        let text = text.trim().trim_start_matches('\'');
        let id = match provider {
            Provider::Aws => {
                let digits: String = text.chars().filter(|c| *c != '-').collect();
                if !(10..=12).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(wrong("12 digits"));
                }
                format!("{digits:0>12}")
            }
            Provider::Azure => {
                let lower = text.to_ascii_lowercase();
                let guid = lower.strip_prefix("/subscriptions/").unwrap_or(&lower);
                let guid = guid.split('/').next().unwrap_or_default();
                if !is_guid(guid) {
                    return Err(wrong("a subscription GUID"));
                }
                guid.to_owned()
            }
            Provider::Gcp => {
                let id = text.strip_prefix("projects/").unwrap_or(text);
                if !is_project(id) {
                    return Err(wrong("a project id of 6 to 30 lower-case letters, digits and dashes"));
                }
                id.to_owned()
            }
            Provider::Other => {
                if text.is_empty() || text.len() > 200 || text.chars().any(char::is_control) {
                    return Err(wrong("1 to 200 printable characters"));
                }
                text.to_owned()
            }
        };
        Ok(Self { provider, id: id.into() })
    }

    /// The provider an id without one must belong to, judged by its shape; `None` when two could be.
    pub fn guess(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        if digits == 12 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
            return Self::new(Provider::Aws, text).ok();
        }
        Self::new(Provider::Azure, text).or_else(|_| Self::new(Provider::Gcp, text)).ok()
    }
}

/// 8-4-4-4-12 hexadecimal digits.
pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// A Google Cloud project id: 6 to 30 characters, starts with a letter, does not end with a dash; old ids may carry
/// a domain prefix (`example.com:project`).
fn is_project(text: &str) -> bool {
    let id = text.rsplit(':').next().unwrap_or_default();
    (6..=30).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && !id.ends_with('-')
        && text.len() <= 100
}

impl fmt::Display for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.provider, self.id)
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AccountKey {
    type Err = String;
    /// Reads `aws:123456789012`; without a provider, judges by shape.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((provider, id)) if provider.parse::<Provider>().is_ok() => {
                let provider = provider.parse().map_err(|e: NameError| e.to_string())?;
                Self::new(provider, id).map_err(|e| e.to_string())
            }
            _ => Self::guess(text).ok_or_else(|| format!("`{text}` is no account id; write it like aws:123456789012")),
        }
    }
}

impl serde::Serialize for AccountKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for AccountKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_brought_to_one_spelling() {
        fn check(provider: Provider, text: &str, want: Option<&str>) {
            let got = AccountKey::new(provider, text).ok().map(|k| k.id.to_string());
            assert_eq!(got.as_deref(), want, "{provider} {text}");
        }
        check(Provider::Aws, "123456789012", Some("123456789012"));
        check(Provider::Aws, "1234-5678-9012", Some("123456789012"));
        check(Provider::Aws, "12345678901", Some("012345678901"));
        check(Provider::Aws, "123", None);
        check(Provider::Aws, "12345678901a", None);
        let guid = "6f1c2d3e-0000-4000-8000-00000000000a";
        check(Provider::Azure, &format!("/subscriptions/{}/resourceGroups/x", guid.to_uppercase()), Some(guid));
        check(Provider::Azure, "not-a-guid", None);
        check(Provider::Gcp, "projects/pay-prod-1", Some("pay-prod-1"));
        check(Provider::Gcp, "Pay", None);
        check(Provider::Other, "", None);
    }

    #[test]
    fn every_name_leads_back() {
        for kind in SourceKind::ALL {
            assert_eq!(kind.name().parse::<SourceKind>().unwrap(), *kind);
        }
        let wrong = "aws-bill".parse::<SourceKind>().unwrap_err().to_string();
        assert!(wrong.contains("aws-cur"), "{wrong}");
        assert_eq!("aws:123456789012".parse::<AccountKey>().unwrap().to_string(), "aws:123456789012");
        assert_eq!("123456789012".parse::<AccountKey>().unwrap().provider, Provider::Aws);
    }
}
