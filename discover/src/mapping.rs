//! How the columns, values and applications of a source map to the record's words. Saved once per source.

use crate::{
    kinds::{AccountKey, Provider, SourceKind, is_guid},
    sighting::{DataClass, Tier},
};
use std::collections::BTreeMap;

/// The columns a record of accounts can have, with the headings they are recognised by.
/// Headings are compared without case, spaces and punctuation.
pub(crate) const COLUMNS: &[(&str, &[&str])] = &[
    ("provider", &["cloud", "cloudprovider", "csp", "platform"]),
    (
        "native_id",
        &[
            "accountid",
            "account",
            "awsaccountid",
            "subscriptionid",
            "projectid",
            "id",
            "accountnumber",
            "subscription",
            "cloudaccountid",
            "nativeid",
            "accountidentifier",
        ],
    ),
    ("name", &["accountname", "subscriptionname", "projectname", "displayname", "alias"]),
    ("native_parent", &["parent", "ou", "organizationalunit", "organisationalunit", "folder", "managementgroup"]),
    ("email", &["accountemail", "rootemail", "emailaddress"]),
    ("status", &["state", "accountstatus", "lifecycle"]),
    ("created_at", &["created", "createdon", "creationdate", "createddate", "joined", "joinedtimestamp"]),
    ("closed_at", &["closed", "closedon", "decommissioned", "closuredate", "closedate"]),
    ("owner_person", &["owner", "accountowner", "technicalowner", "owneremail", "contact", "responsible"]),
    ("owner_team", &["team", "squad", "department", "businessunit", "owningteam"]),
    ("business_purpose", &["purpose", "description", "usage", "workload", "application"]),
    ("tier", &["environment", "env", "criticality", "stage", "accounttier"]),
    ("tier_expires", &["tierexpires", "expires", "expiry", "expirydate"]),
    ("data_classes", &["dataclass", "dataclasses", "dataclassification", "classification", "data"]),
    ("regulatory_scope", &["regulatoryscope", "compliance", "frameworks", "regulation", "regulations"]),
    ("region_scope", &["regionscope", "regions", "region", "allowedregions"]),
    ("federation_state", &["federationstate", "federation", "sso"]),
    ("landing_zone", &["landingzone", "landingzonestatus", "enrolled", "controltower", "enrollment"]),
    ("contract_ref", &["contractref", "contract", "programme", "program", "contractreference"]),
    ("cost_centre", &["costcentre", "costcenter"]),
    ("last_reviewed_at", &["lastreviewed", "lastreview", "reviewed", "lastreviewedat", "reviewdate"]),
    ("last_reviewed_by", &["reviewer", "reviewedby", "lastreviewedby"]),
    ("users", &["uservolume", "usercount"]),
];

/// How one source's words map to ours. Everything is optional: without it, headings are recognised.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mapping {
    /// What the source is called in evidence: usually the file name.
    pub label: String,
    /// The record's column name (`native_id`, `owner_person`, …) to the source's heading.
    pub columns: BTreeMap<String, String>,
    /// The provider of rows that do not say.
    pub provider: Option<Provider>,
    /// The XLSX sheet; by default every one with an account column.
    pub sheet: Option<String>,
    /// Further spellings of tiers: `gold` → `tier1`.
    pub tiers: BTreeMap<String, Tier>,
    /// Further spellings of data classes: `PCI` → `regulated-payment`.
    pub data_classes: BTreeMap<String, DataClass>,
    /// The identity provider's applications: label or id to account.
    pub apps: BTreeMap<String, AccountKey>,
    /// Words that make an expense row one of a cloud vendor; see [`Mapping::vendors`].
    pub vendor_patterns: BTreeMap<String, Provider>,
    /// Day before month in dates with slashes; else month first.
    pub day_first: bool,
    /// Limits while reading.
    pub limits: Limits,
}

/// Bounds that a hostile file meets instead of the machine's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes after decompression, of one source.
    pub unpacked_bytes: u64,
    /// Times a compressed file may grow, once it has grown beyond a mebibyte.
    pub ratio: u64,
    /// Bytes of one row or one JSON record.
    pub record_bytes: usize,
    /// Bytes of a file that must be held whole: XLSX, ZIP, Terraform state.
    pub whole_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked_bytes: 64 << 30, ratio: 300, record_bytes: 4 << 20, whole_bytes: 128 << 20 }
    }
}

impl Mapping {
    /// A mapping that only names the source.
    pub fn named(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// What the source is called in evidence.
    pub(crate) fn label_of(&self, kind: SourceKind) -> &str {
        if self.label.is_empty() { kind.name() } else { &self.label }
    }

    /// The tier a text means, if any.
    pub fn tier(&self, text: &str) -> Option<Tier> {
        let text = text.trim();
        if let Some((_, tier)) = self.tiers.iter().find(|(k, _)| k.eq_ignore_ascii_case(text)) {
            return Some(*tier);
        }
        if let Ok(tier) = text.parse() {
            return Some(tier);
        }
        Some(match canonical(text).as_str() {
            "tier1" | "t1" | "tierone" | "critical" | "missioncritical" => Tier::Tier1,
            "prod" | "prd" | "live" | "production" => Tier::Production,
            // Development counts with staging: a sandbox is demoted in scoring, and nobody said it is one.
            "stage" | "stg" | "preprod" | "uat" | "test" | "qa" | "nonprod" | "dev" | "development"
            | "nonproduction" => Tier::Staging,
            "sbx" | "sandpit" | "playground" => Tier::Sandbox,
            "poc" | "experiment" | "hackathon" | "lab" => Tier::Experimental,
            _ => return None,
        })
    }

    /// The data class a text means, if any.
    pub fn data_class(&self, text: &str) -> Option<DataClass> {
        let text = text.trim();
        if let Some((_, class)) = self.data_classes.iter().find(|(k, _)| k.eq_ignore_ascii_case(text)) {
            return Some(*class);
        }
        if let Ok(class) = text.parse() {
            return Some(class);
        }
        Some(match canonical(text).as_str() {
            "pci" | "payment" | "cardholder" | "cardholderdata" | "pan" => DataClass::RegulatedPayment,
            "phi" | "hipaa" | "health" | "ephi" => DataClass::RegulatedHealth,
            "regulated" | "restricted" => DataClass::RegulatedOther,
            "pii" | "gdpr" | "personaldata" | "customer" | "customerdata" | "employee" | "employeedata" => {
                DataClass::Personal
            }
            "contractual" | "secret" | "sensitive" => DataClass::Confidential,
            "none" | "internaluse" | "internalonly" => DataClass::Internal,
            _ => return None,
        })
    }

    /// The account of an identity provider's application: by mapping, else by an account id or ARN inside the texts.
    pub fn app_account(&self, texts: &[&str]) -> Option<AccountKey> {
        for text in texts {
            if let Some((_, key)) = self.apps.iter().find(|(k, _)| k.eq_ignore_ascii_case(text)) {
                return Some(key.clone());
            }
        }
        texts.iter().find_map(|t| aws_account_in(t))
    }

    /// The cloud vendor a text names, if any: configured patterns first, then the vendors' everyday names.
    pub fn vendors(&self, text: &str) -> Option<Provider> {
        let lower = text.to_lowercase();
        if let Some((_, p)) = self.vendor_patterns.iter().find(|(k, _)| lower.contains(&k.to_lowercase())) {
            return Some(*p);
        }
        const NAMES: &[(&str, Provider)] = &[
            ("amazon web services", Provider::Aws),
            ("aws.amazon", Provider::Aws),
            ("amazonaws", Provider::Aws),
            ("aws emea", Provider::Aws),
            ("microsoft azure", Provider::Azure),
            ("msft azure", Provider::Azure),
            ("msft * azure", Provider::Azure),
            ("google cloud", Provider::Gcp),
            ("google *cloud", Provider::Gcp),
            ("google*cloud", Provider::Gcp),
            ("digitalocean", Provider::Other),
            ("hetzner", Provider::Other),
            ("ovhcloud", Provider::Other),
            ("linode", Provider::Other),
            ("oracle cloud", Provider::Other),
            ("alibaba cloud", Provider::Other),
            ("vultr", Provider::Other),
            ("scaleway", Provider::Other),
        ];
        if let Some((_, p)) = NAMES.iter().find(|(n, _)| lower.contains(n)) {
            return Some(*p);
        }
        let mut words = lower.split(|c: char| !c.is_alphanumeric());
        words.find_map(|w| match w {
            "aws" => Some(Provider::Aws),
            "azure" => Some(Provider::Azure),
            "gcp" => Some(Provider::Gcp),
            _ => None,
        })
    }
}

/// Lower case letters and digits only: `Account ID`, `account_id` and `lineItem/UsageAccountId` compare by it.
pub(crate) fn canonical(text: &str) -> String {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|b| char::from(b.to_ascii_lowercase())).collect()
}

/// The first run of exactly 12 digits inside a text, or the account part of an ARN. The end of a GUID is none: those of
/// Microsoft's own applications end in twelve zeros.
pub(crate) fn aws_account_in(text: &str) -> Option<AccountKey> {
    let mut at = 0;
    for run in text.split(|c: char| !c.is_ascii_digit()) {
        let end = at + run.len();
        let guid = || end.checked_sub(36).and_then(|from| text.get(from..end)).is_some_and(is_guid);
        if run.len() == 12 && !guid() {
            return AccountKey::new(Provider::Aws, run).ok();
        }
        // What is no digit may be longer than a byte.
        at = end + text.get(end..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_inside_texts() {
        fn check(text: &str, want: Option<&str>) {
            assert_eq!(aws_account_in(text).map(|k| k.id.to_string()).as_deref(), want, "{text}");
        }
        check("AWS prod (111122223333)", Some("111122223333"));
        check("arn:aws:iam::111122223333:role/x", Some("111122223333"));
        check("aws_é_111122223333-admin", Some("111122223333"));
        check("1111222233334", None);
        check("00000003-0000-0000-c000-000000000000", None);
        check("00000003-0000-0000-c000-000000000000 for 111122223333", Some("111122223333"));
        check("x-0000-c000-000000000012", Some("000000000012"));
        check("", None);
    }
}
