//! Doors: resources whose own policies let other accounts in, or may, because nobody could read them.

use super::{
    DataClasses,
    graph::{read_on, reading},
};
use crate::{
    exposure::{Estate, Item, serves_only_its_account},
    identity::aws::{
        Document, Policy,
        arn::Arn,
        condition::{Condition, Operator},
        document::Effect,
        principal::PrincipalEntry,
    },
};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The kinds doors are made of.
pub const DOORS: [&str; 8] = [
    ROLE,
    FUNCTION,
    "aws.s3.bucket",
    "aws.secretsmanager.secret",
    "aws.dynamodb.table",
    "aws.sqs.queue",
    "aws.sns.topic",
    KEY,
];
pub(crate) const ROLE: &str = "aws.iam.role";
pub(crate) const FUNCTION: &str = "aws.lambda.function";
pub(crate) const KEY: &str = "aws.kms.key";

/// Doors of one kind in one account that are tried although their policies could not be read.
pub const MAX_UNREAD_DOORS: usize = 50;

/// One way through a door: what it takes, what the step is called, and its cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Through {
    pub action: &'static str,
    pub kind: &'static str,
    pub cost: u32,
}

const fn through(action: &'static str, kind: &'static str, cost: u32) -> Through {
    Through { action, kind, cost }
}

/// Into a role.
pub(crate) const INTO_ROLE: [Through; 1] = [through("sts:AssumeRole", "CAN_BECOME", 1)];
/// Into a function: whoever may change its code, or lay a layer over it, runs as its role; who may only call it needs a
/// weakness in it.
pub(crate) const INTO_FUNCTION: [Through; 3] = [
    through("lambda:UpdateFunctionCode", "LATERAL_MOVE", 1),
    through("lambda:UpdateFunctionConfiguration", "LATERAL_MOVE", 1),
    through("lambda:InvokeFunction", "INVOKE", 5),
];

/// A resource whose own policy names other accounts, or could not be read.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(into = "Written", try_from = "Written")]
pub struct Door {
    /// The account that owns it.
    pub account: String,
    /// Its kind.
    pub kind: String,
    /// Its ARN.
    pub node: String,
    /// Its policy; a role's trust policy. One that could not be read stands open.
    pub policy: Arc<Policy>,
    /// Why the policy could not be read; empty when it was.
    pub unread: String,
    /// The key that encrypts it: empty for none, nothing when that is not known.
    pub key: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The accounts its policy names.
    pub names: BTreeSet<String>,
    /// Whether it names everyone, under conditions or not.
    pub open: bool,
    document: Json,
}

/// A door as it is kept.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Written {
    account: String,
    kind: String,
    node: String,
    #[serde(default, skip_serializing_if = "Json::is_null")]
    document: Json,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    unread: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
}

impl From<Door> for Written {
    fn from(door: Door) -> Self {
        let Door { account, kind, node, document, unread, key, tags, .. } = door;
        Self { account, kind, node, document, unread, key, tags }
    }
}

impl TryFrom<Written> for Door {
    type Error = String;
    fn try_from(w: Written) -> Result<Self, String> {
        let anyone = json!({"Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}});
        let told = if w.unread.is_empty() { &w.document } else { &anyone };
        let parsed = Document::parse(told).map_err(|e| format!("the policy of {}: {e}", w.node))?;
        let mut names = BTreeSet::new();
        let mut open = false;
        for statement in parsed.statements.iter().filter(|s| s.effect == Effect::Allow) {
            let Some(principals) = &statement.principals else { continue };
            open |= principals.is_open();
            let accounts = principals.entries.iter().filter_map(PrincipalEntry::account);
            names.extend(accounts.filter(|a| *a != w.account).map(str::to_owned));
        }
        let policy = Arc::new(Policy::new(w.node.as_str(), parsed));
        let Written { account, kind, node, document, unread, key, tags } = w;
        Ok(Self { account, kind, node, policy, unread, key, tags, names, open, document })
    }
}

impl Door {
    /// The ways through it; none for keys, which are asked for together with what they encrypt.
    pub(crate) fn ways(&self) -> Vec<Through> {
        match self.kind.as_str() {
            ROLE => INTO_ROLE.to_vec(),
            FUNCTION => INTO_FUNCTION.to_vec(),
            kind => reading(kind).map(|action| through(action, "DATA", 1)).into_iter().collect(),
        }
    }

    /// What its actions are asked on.
    pub(crate) fn target(&self) -> String {
        read_on(&self.kind, &self.node)
    }

    /// Whether it leads on, so that somebody who came through it has to be followed.
    pub(crate) fn leads_on(&self) -> bool {
        matches!(self.kind.as_str(), ROLE | FUNCTION)
    }

    pub(crate) fn field(&self) -> &'static str {
        field_of(&self.kind)
    }

    /// The principals of an account its Allow statements name by ARN.
    pub(crate) fn named<'d>(&'d self, account: &'d str) -> impl Iterator<Item = (&'d str, Arn<'d>)> {
        let allows = self.policy.document.statements.iter().filter(|s| s.effect == Effect::Allow);
        let listed = allows.filter_map(|s| s.principals.as_ref()).filter(|p| !p.inverted);
        let arns = listed.flat_map(|p| p.entries.iter()).filter_map(|e| match e {
            PrincipalEntry::Arn(text) => Some((&**text, Arn::parse(text)?)),
            _ => None,
        });
        arns.filter(move |(_, arn)| arn.account() == account)
    }

    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.policy.document.statements.iter().flat_map(|s| s.conditions.iter())
    }

    /// ARNs of an account that conditions on `aws:PrincipalArn` ask for, wildcards filled in.
    pub(crate) fn asked_for(&self, account: &str) -> BTreeSet<String> {
        let positive = |c: &&Condition| {
            let textual = matches!(c.operator, Operator::StringEquals { .. } | Operator::StringLike | Operator::Arn);
            c.key.as_ref() == "aws:principalarn" && !c.negated && textual
        };
        let values = self.conditions().filter(positive).flat_map(|c| c.values.iter());
        let filled = values.filter(|v| !v.contains("${")).filter_map(|v| {
            let mut parts: Vec<&str> = v.splitn(6, ':').collect();
            let owner = parts.get_mut(4)?;
            if *owner == account || owner.contains(['*', '?']) {
                *owner = account;
            }
            let one = parts.join(":").replace('*', "any").replace('?', "x");
            let arn = Arn::parse(&one)?;
            let somebody = arn.service() == "iam" && arn.account() == account;
            let kind = arn.resource().split('/').next().unwrap_or_default();
            (somebody && matches!(kind, "role" | "user")).then_some(one)
        });
        filled.collect()
    }

    /// The unique ids that conditions on `aws:userid` speak of, whether they ask for them or for any others, each with the
    /// name of the session where one follows; both may have wildcards.
    pub(crate) fn user_ids(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let values = self.conditions().filter(|c| c.key.as_ref() == "aws:userid").flat_map(|c| c.values.iter());
        let plain = values.map(|v| &**v).filter(|v| !v.contains("${"));
        plain.map(|v| v.split_once(':').map_or((v, None), |(id, name)| (id, Some(name))))
    }

    /// The tags of callers that conditions ask for, as condition keys.
    pub(crate) fn caller_tags(&self) -> BTreeSet<String> {
        let keys = self.conditions().map(|c| c.key.as_ref()).filter(|k| k.starts_with("aws:principaltag/"));
        keys.map(str::to_owned).collect()
    }
}

fn field_of(kind: &str) -> &'static str {
    if kind == ROLE { "trust" } else { "policy" }
}

/// The doors of an account: what lets other accounts in by a policy of its own, or may because that could not be read,
/// of the kinds paths lead over or to. Beside them, by kind, why there may be more.
pub fn doors(estate: &Estate, data: &DataClasses) -> (Vec<Door>, BTreeMap<String, String>) {
    let (mut out, mut gaps) = (Vec::new(), BTreeMap::new());
    for kind in DOORS {
        let mut unread = 0;
        for item in estate.of(kind) {
            let matters = match kind {
                ROLE => !item.id().contains(":role/aws-service-role/"),
                FUNCTION | KEY | "aws.secretsmanager.secret" => true,
                _ => data.of(&item).is_some(),
            };
            let Some(door) = matters.then(|| door(estate, &item)).flatten() else { continue };
            unread += usize::from(!door.unread.is_empty());
            if door.unread.is_empty() || unread <= MAX_UNREAD_DOORS {
                out.push(door);
            }
        }
        if !matches!(kind, ROLE | FUNCTION | KEY) {
            continue;
        }
        let gap = match estate.tables.get(kind) {
            Some(table) => table.gap.as_ref().map(|gap| gap.describe()),
            None => Some(format!("{kind} was not read")),
        };
        let more = unread > MAX_UNREAD_DOORS;
        let gap = gap.or_else(|| {
            more.then(|| format!("of {unread} whose policy could not be read the first {MAX_UNREAD_DOORS} were tried"))
        });
        gaps.extend(gap.map(|why| (kind.to_owned(), why)));
    }
    (out, gaps)
}

fn door(estate: &Estate, item: &Item<'_>) -> Option<Door> {
    let kind = item.kind.id.as_str();
    let value = item.get(field_of(kind));
    if value.is_null() || value.as_str().is_some_and(str::is_empty) {
        return None;
    }
    let mut unread = value.first_unknown().map(|gap| gap.describe()).unwrap_or_default();
    let mut document = Json::Null;
    if unread.is_empty() {
        document = match value.as_str() {
            Some(text) => serde_json::from_str(text).unwrap_or_default(),
            None => value.to_plain_json(),
        };
        unread = match Document::parse(&document) {
            Err(error) => error.to_string(),
            // A statement that was left out might say anything.
            Ok(parsed) => {
                let lost = parsed
                    .problems
                    .iter()
                    .find(|p| p.statement.is_none_or(|at| parsed.statements.iter().all(|s| s.index != at)));
                lost.map(|p| p.what.clone()).unwrap_or_default()
            }
        };
    }
    let tags = item.get("tags").as_map().into_iter().flat_map(|m| m.iter());
    let tags = tags.filter_map(|(k, v)| Some((k.to_owned(), v.as_str()?.to_owned()))).collect();
    let key =
        if item.has("kms_key_id") { item.text("kms_key_id").ok().map(str::to_owned) } else { Some(String::new()) };
    let (account, kind, node) = (estate.account.clone(), kind.to_owned(), item.id().to_owned());
    if !unread.is_empty() {
        document = Json::Null;
    }
    let door = Door::try_from(Written { account, kind, node, document, unread, key, tags }).ok()?;
    let lets_in = door.open || !door.names.is_empty();
    let cut_off = door.kind == "aws.s3.bucket"
        && door.unread.is_empty()
        && serves_only_its_account(estate, item, &door.policy.document);
    (lets_in && !cut_off).then_some(door)
}
