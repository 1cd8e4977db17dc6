//! The embedded identity data: actions, resource types, condition keys, managed policies, escalation methods.
//!
//! Each table is unpacked on first use and kept. Sources and licences: `catalog/aws/_iam/PROVENANCE.md`.

use super::{bits::Bits, document::Document};
use serde::{Deserialize, de::IgnoredAny};
use std::{collections::HashMap, sync::OnceLock};

macro_rules! packed {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../catalog/aws/_iam/", $name))
    };
}

/// Access levels of the Service Authorization Reference, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Names and existence.
    List,
    /// Content and configuration.
    Read,
    /// Tags.
    Tagging,
    /// Changes.
    Write,
    /// Changes of who may do what.
    Permissions,
}

/// One action.
#[derive(Debug, Clone)]
pub struct Action {
    /// `iam:PassRole`
    pub name: &'static str,
    /// `iam:passrole`
    pub lower: &'static str,
    /// Its access level.
    pub level: Level,
    /// Its resource types and whether each is required; empty for actions that take `*` only.
    pub types: &'static [(&'static str, bool)],
    /// Condition keys it supports beyond the global ones.
    pub keys: &'static [&'static str],
    /// Actions it needs besides.
    pub dependent: &'static [&'static str],
}

/// Every action AWS documents, sorted by lower-case name; the position is its bit in an action set.
#[derive(Debug, Default)]
pub struct Actions {
    list: Vec<Action>,
}

#[derive(Deserialize)]
struct TypesRow<'t> {
    service: &'t str,
    #[serde(borrow)]
    types: Vec<(&'t str, &'t str, IgnoredAny)>,
}

#[derive(Deserialize)]
struct KeysRow<'t> {
    #[serde(borrow)]
    keys: HashMap<&'t str, &'t str>,
}

/// Of a row of managed policies, what it is found by.
#[derive(Deserialize)]
struct ManagedRow<'t> {
    arn: &'t str,
}

/// The whole of a row of managed policies.
#[derive(Deserialize)]
struct ManagedDocument {
    document: serde_json::Value,
}

/// The text of a packed table, kept for as long as the process lives: what is read of it points into it.
macro_rules! unpacked {
    ($name:literal) => {{
        static TEXT: OnceLock<String> = OnceLock::new();
        TEXT.get_or_init(|| {
            let bytes = zstd::decode_all(packed!($name).as_slice()).unwrap_or_default();
            String::from_utf8(bytes).unwrap_or_default()
        })
    }};
}

/// The rows of a table; a row that does not fit is left out (a test counts them).
fn rows<'t, T: Deserialize<'t>>(text: &'t str) -> impl Iterator<Item = T> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok())
}

/// The actions.
///
/// The table stands in the order it is searched in, and everything in it points into its text: reading it costs a
/// millisecond or two, which a command that asks one question would otherwise spend on this most of all.
pub fn actions() -> &'static Actions {
    static ACTIONS: OnceLock<Actions> = OnceLock::new();
    static LOWER: OnceLock<String> = OnceLock::new();
    static TYPES: OnceLock<Vec<(&str, bool)>> = OnceLock::new();
    static NAMES: OnceLock<Vec<&str>> = OnceLock::new();
    ACTIONS.get_or_init(|| {
        let text: &'static str = unpacked!("actions.tsv.zst");
        let lower = LOWER.get_or_init(|| text.to_ascii_lowercase());
        let (mut types, mut names) = (Vec::with_capacity(text.len() / 64), Vec::with_capacity(text.len() / 24));
        let mut read = Vec::with_capacity(21_000);
        let mut at = 0;
        while at < text.len() {
            let start = at;
            // The fields of a line, piece by piece; what ends a piece says where it belongs.
            let mut piece = || {
                let from = at;
                let bytes = text.as_bytes().get(from..).unwrap_or_default();
                let length = bytes.iter().position(|b| matches!(b, b'\t' | b',' | b'\n')).unwrap_or(bytes.len());
                at = from + length + 1;
                (text.get(from..from + length).unwrap_or_default(), bytes.get(length).copied().unwrap_or(b'\n'))
            };
            let (name, _) = piece();
            let (level, _) = piece();
            let type_from = types.len();
            loop {
                let (name, end) = piece();
                if !name.is_empty() {
                    types.push(name.strip_prefix('?').map_or((name, true), |name| (name, false)));
                }
                if end != b',' {
                    break;
                }
            }
            let mut list = || {
                let from = names.len();
                loop {
                    let (name, end) = piece();
                    if !name.is_empty() {
                        names.push(name);
                    }
                    if end != b',' {
                        return from..names.len();
                    }
                }
            };
            let (keys, dependent) = (list(), list());
            let lower = lower.get(start..start + name.len()).unwrap_or_default();
            read.push((name, lower, level, (type_from..types.len(), keys, dependent)));
        }
        let types: &'static [(&str, bool)] = TYPES.get_or_init(|| types);
        let names: &'static [&str] = NAMES.get_or_init(|| names);
        let action = |(name, lower, level, (held, keys, dependent)): (_, _, _, (Span, Span, Span))| Action {
            name,
            lower,
            level: match level {
                "L" => Level::List,
                "R" => Level::Read,
                "T" => Level::Tagging,
                "P" => Level::Permissions,
                _ => Level::Write,
            },
            types: types.get(held).unwrap_or_default(),
            keys: names.get(keys).unwrap_or_default(),
            dependent: names.get(dependent).unwrap_or_default(),
        };
        Actions { list: read.into_iter().map(action).collect() }
    })
}

type Span = std::ops::Range<usize>;

impl Actions {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them, by lower-case name.
    pub fn iter(&self) -> std::slice::Iter<'_, Action> {
        self.list.iter()
    }

    /// The position of an action given in lower case.
    pub fn position(&self, lower: &str) -> Option<usize> {
        self.list.binary_search_by(|a| a.lower.cmp(lower)).ok()
    }

    /// The action with a lower-case name.
    pub fn find(&self, lower: &str) -> Option<&Action> {
        self.list.get(self.position(lower)?)
    }

    /// The action at a position.
    pub fn get(&self, at: usize) -> Option<&Action> {
        self.list.get(at)
    }

    /// Whether any action of a service (`s3`) is known.
    pub fn has_service(&self, service: &str) -> bool {
        let prefix = format!("{}:", service.to_ascii_lowercase());
        let at = self.list.partition_point(|a| a.lower < prefix.as_str());
        self.list.get(at).is_some_and(|a| a.lower.starts_with(&prefix))
    }

    /// The positions whose names start with `prefix` (lower case).
    pub(crate) fn with_prefix(&self, prefix: &str) -> std::ops::Range<usize> {
        let from = self.list.partition_point(|a| a.lower < prefix);
        let tail = self.list.get(from..).unwrap_or_default();
        from..from + tail.partition_point(|a| a.lower.starts_with(prefix))
    }

    /// All actions as a set.
    pub fn all(&self) -> Bits {
        Bits::full(self.len())
    }
}

/// The ARN formats of a service's resource types: `(type, arn:${Partition}:…)`.
pub fn resource_types(service: &str) -> &'static [(&'static str, &'static str)] {
    type Types = HashMap<&'static str, Vec<(&'static str, &'static str)>>;
    static TYPES: OnceLock<Types> = OnceLock::new();
    let types = TYPES.get_or_init(|| {
        rows::<TypesRow<'_>>(unpacked!("resource_types.jsonl.zst"))
            .map(|row| (row.service, row.types.into_iter().map(|(name, arn, _)| (name, arn)).collect()))
            .collect()
    });
    types.get(service).map(Vec::as_slice).unwrap_or_default()
}

/// The type of a condition key (`String`, `ArrayOfString`, `ARN`, `Bool`, …), tag suffixes aside; none when no
/// service documents it.
pub fn condition_key_type(key: &str) -> Option<&'static str> {
    static KEYS: OnceLock<HashMap<String, &'static str>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let mut all = HashMap::new();
        for row in rows::<KeysRow<'_>>(unpacked!("condition_keys.jsonl.zst")) {
            for (key, kind) in row.keys {
                let mut key = key.to_lowercase();
                // `aws:RequestTag/${TagKey}` and `s3:ExistingObjectTag/<key>` stand for a family of keys.
                if let Some(at) = key.find(['$', '<']) {
                    key.truncate(at);
                }
                all.insert(key, kind);
            }
        }
        for (key, kind) in GLOBAL_KEYS {
            all.entry((*key).to_owned()).or_insert(*kind);
        }
        all
    });
    let lower = key.to_lowercase();
    if let Some(kind) = keys.get(&lower) {
        return Some(kind);
    }
    let at = lower.find('/').or_else(|| lower.rfind(':'))?;
    keys.get(lower.get(..=at)?).copied()
}

/// Global condition keys, from the IAM user guide ("AWS global condition context keys").
const GLOBAL_KEYS: &[(&str, &str)] = &[
    ("aws:assumedroot", "Bool"),
    ("aws:calledvia", "ArrayOfString"),
    ("aws:calledviafirst", "String"),
    ("aws:calledvialast", "String"),
    ("aws:chatbotsourcearn", "ARN"),
    ("aws:currenttime", "Date"),
    ("aws:ec2instancesourceprivateipv4", "IPAddress"),
    ("aws:ec2instancesourcevpc", "String"),
    ("aws:epochtime", "Date"),
    ("aws:federatedprovider", "String"),
    ("aws:ismcpserviceaction", "Bool"),
    ("aws:multifactorauthage", "Numeric"),
    ("aws:multifactorauthpresent", "Bool"),
    ("aws:principalaccount", "String"),
    ("aws:principalarn", "ARN"),
    ("aws:principalisawsservice", "Bool"),
    ("aws:principalorgid", "String"),
    ("aws:principalorgpaths", "ArrayOfString"),
    ("aws:principalservicename", "String"),
    ("aws:principalservicenameslist", "ArrayOfString"),
    ("aws:principaltag/", "String"),
    ("aws:principaltype", "String"),
    ("aws:referer", "String"),
    ("aws:requestedregion", "String"),
    ("aws:requesttag/", "String"),
    ("aws:resourceaccount", "String"),
    ("aws:resourceorgid", "String"),
    ("aws:resourceorgpaths", "ArrayOfString"),
    ("aws:resourcetag/", "String"),
    ("aws:securetransport", "Bool"),
    ("aws:signinsessionarn", "ARN"),
    ("aws:sourceaccount", "String"),
    ("aws:sourcearn", "ARN"),
    ("aws:sourceidentity", "String"),
    ("aws:sourceip", "IPAddress"),
    ("aws:sourceorgid", "String"),
    ("aws:sourceorgpaths", "ArrayOfString"),
    ("aws:sourceowner", "String"),
    ("aws:sourcevpc", "String"),
    ("aws:sourcevpcarn", "ARN"),
    ("aws:sourcevpce", "String"),
    ("aws:tagkeys", "ArrayOfString"),
    ("aws:tokenissuetime", "Date"),
    ("aws:useragent", "String"),
    ("aws:userid", "String"),
    ("aws:username", "String"),
    ("aws:viaawsmcpservice", "Bool"),
    ("aws:viaawsservice", "Bool"),
    ("aws:vpceaccount", "String"),
    ("aws:vpceorgid", "String"),
    ("aws:vpceorgpaths", "ArrayOfString"),
    ("aws:vpcsourceip", "IPAddress"),
];

/// The newest document of an AWS managed policy by its ARN.
pub fn managed_policy(arn: &str) -> Option<Document> {
    Document::parse(&managed_document(arn)?).ok()
}

/// The same as JSON text.
pub fn managed_policy_text(arn: &str) -> Option<String> {
    managed_document(arn).map(|document| document.to_string())
}

fn managed_document(arn: &str) -> Option<serde_json::Value> {
    serde_json::from_str::<ManagedDocument>(managed().get(arn)?).ok().map(|row| row.document)
}

/// The rows of the AWS managed policies by ARN, each still as it is written: few of them are asked for.
fn managed() -> &'static HashMap<&'static str, &'static str> {
    static POLICIES: OnceLock<HashMap<&'static str, &'static str>> = OnceLock::new();
    POLICIES.get_or_init(|| {
        let lines = unpacked!("managed_policies.jsonl.zst").lines();
        lines.filter_map(|line| Some((serde_json::from_str::<ManagedRow<'_>>(line).ok()?.arn, line))).collect()
    })
}

/// Whether the data knows an AWS managed policy.
pub fn is_managed_policy(arn: &str) -> bool {
    managed().contains_key(arn)
}

/// The ARNs of the AWS managed policies the data knows, sorted.
pub fn managed_policy_arns() -> Vec<&'static str> {
    let mut arns: Vec<&str> = managed().keys().copied().collect();
    arns.sort_unstable();
    arns
}

/// A way to gain permissions.
#[derive(Debug, Clone, Deserialize)]
pub struct Method {
    /// `aws.iam.create-policy-version`
    pub id: String,
    /// `self`, `principal`, `passrole-new`, `passrole-existing`, `resource-policy`, `credential`, …
    pub category: String,
    /// The kind of edge it makes: `SELF_GRANT`, `CAN_BECOME`, `CODE_AS`, …
    pub edge: String,
    /// The permissions it takes, and on what.
    pub requires: Vec<(String, String)>,
    /// What must be so besides.
    pub preconditions: Vec<String>,
    /// What it gains.
    pub summary: String,
    /// Where it was published.
    #[serde(rename = "ref")]
    pub reference: String,
    /// How the engine looks for it.
    pub how: How,
}

/// How the engine looks for a method.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct How {
    /// The search: `self-write`, `assume`, `pass`, `workload`, …; `manual` is never searched.
    pub kind: String,
    /// What is written: `policy-version`, `attach-user`, `put-role`, …
    pub write: String,
    /// How the written principal is taken over: `assume`, `trust`, `key`.
    pub take: String,
    /// What must be true of a user to be taken over: `free-key`, `no-password`, `password`.
    pub needs: String,
    /// Where the effective deny stands: `user-inline`, `group`, …
    pub source: String,
    /// `user` or `role` when only one kind of actor can use it.
    pub actor: String,
    /// The services that run under the passed role.
    pub services: Vec<String>,
    /// Whether the role needs an instance profile.
    pub profile: bool,
    /// A Terraform type of which the actor must control one.
    pub controls: String,
    /// The Terraform types of existing workloads.
    pub types: Vec<String>,
    /// Attributes of a workload whose roles its code cannot use.
    pub ignore: Vec<String>,
    /// What is taken for granted.
    pub assumes: String,
    /// Whether what is gained is limited to one service.
    pub limited: bool,
    /// Whether the service no longer exists.
    pub retired: bool,
    /// What the trust policy must lack: `aud`.
    pub loose: String,
}

/// The escalation methods of AWS, in the order of the data.
pub fn methods() -> &'static [Method] {
    static METHODS: OnceLock<Vec<Method>> = OnceLock::new();
    METHODS.get_or_init(|| {
        packed!("privesc_methods.jsonl")
            .split(|b| *b == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_unpack_completely() {
        assert_eq!(actions().len(), 20_455);
        assert_eq!(methods().len(), 184);
        assert_eq!(managed_policy_arns().len(), 1_594);
        assert!(resource_types("s3").iter().any(|(t, _)| *t == "bucket"));
        assert_eq!(condition_key_type("aws:PrincipalTag/Team"), Some("String"));
        assert_eq!(condition_key_type("iam:PassedToService"), Some("String"));
        assert_eq!(condition_key_type("aws:NoSuchKey"), None);
        let pass = actions().find("iam:passrole").expect("the data knows iam:PassRole");
        assert_eq!(pass.types, [("role", true)]);
        assert!(managed_policy("arn:aws:iam::aws:policy/AdministratorAccess").is_some());
    }

    #[test]
    fn every_permission_of_a_method_is_an_action() {
        // Retired services and one wildcard have left the reference.
        let gone = ["codestar:", "gamelift:", "iam:resetservicespecificcredential"];
        for method in methods() {
            for (permission, _) in &method.requires {
                let lower = permission.to_ascii_lowercase();
                let known = actions().find(&lower).is_some() || gone.iter().any(|g| lower.starts_with(g));
                assert!(known, "{}: {permission}", method.id);
            }
        }
    }
}
