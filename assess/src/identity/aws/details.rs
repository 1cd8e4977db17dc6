//! Accounts as `iam:GetAccountAuthorizationDetails` describes them.

use super::{
    arn::Arn,
    data,
    document::{Document, Policy},
};
use serde_json::Value as Json;
use std::{collections::HashMap, sync::Arc};

/// The authorization details cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DetailsError {
    /// Not JSON.
    #[error("authorization details are not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON of another shape.
    #[error("authorization details must hold UserDetailList, GroupDetailList, RoleDetailList or Policies; found {0}")]
    Shape(String),
}

/// The kinds of IAM principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An IAM user.
    User,
    /// An IAM role.
    Role,
}

/// How a policy came to a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An inline policy of the principal.
    Inline,
    /// A managed policy attached to the principal.
    Managed {
        /// Its ARN.
        arn: String,
    },
    /// An inline policy of a group.
    GroupInline {
        /// The group's ARN.
        group: String,
    },
    /// A managed policy attached to a group.
    GroupManaged {
        /// The group's ARN.
        group: String,
        /// The policy's ARN.
        arn: String,
    },
}

impl Source {
    /// The ARN of the managed policy, when it is one.
    pub fn managed_arn(&self) -> Option<&str> {
        match self {
            Self::Managed { arn } | Self::GroupManaged { arn, .. } => Some(arn),
            _ => None,
        }
    }

    /// The ARN of the group it comes through.
    pub fn group(&self) -> Option<&str> {
        match self {
            Self::GroupInline { group } | Self::GroupManaged { group, .. } => Some(group),
            _ => None,
        }
    }
}

/// A policy in force for a principal, and how it came there.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// The policy.
    pub policy: Arc<Policy>,
    /// How it came.
    pub source: Source,
}

/// A permissions boundary.
#[derive(Debug, Clone)]
pub struct Boundary {
    /// The policy's ARN.
    pub arn: String,
    /// The policy; none when its document is nowhere to be read.
    pub policy: Option<Arc<Policy>>,
}

/// A user or role.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Its ARN.
    pub arn: String,
    /// User or role.
    pub kind: Kind,
    /// Its unique id, `AIDA…` or `AROA…`; empty when not given.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its account.
    pub account: String,
    /// When it was created, RFC 3339; empty when not given.
    pub created: String,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// The ARNs of its groups.
    pub groups: Vec<String>,
    /// Its policies, its groups' included.
    pub attachments: Vec<Attachment>,
    /// Its permissions boundary.
    pub boundary: Option<Boundary>,
    /// A role's trust policy.
    pub trust: Option<Arc<Policy>>,
    /// A role's instance profiles; none when the document does not say.
    pub profiles: Option<Vec<String>>,
    /// When the role was last used, or the user's password; empty when never or not given.
    pub last_used: String,
    /// Attached managed policies whose documents could not be read.
    pub unread: Vec<String>,
}

impl Principal {
    /// Its policies for evaluation.
    pub fn policies(&self) -> Vec<Arc<Policy>> {
        self.attachments.iter().map(|a| Arc::clone(&a.policy)).collect()
    }

    /// Whether some statement of its policies allows an action, given in lower case, wherever.
    pub fn mentions(&self, action: &str) -> bool {
        let mut statements = self.attachments.iter().flat_map(|a| a.policy.document.statements.iter());
        statements.any(|s| s.effect == super::document::Effect::Allow && s.actions.matches(action))
    }

    /// Whether a service made it for itself.
    pub fn is_service_linked(&self) -> bool {
        self.arn.contains(":role/aws-service-role/")
    }
}

/// A group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its policies.
    pub attachments: Vec<Attachment>,
}

/// One version of a managed policy.
#[derive(Debug, Clone)]
pub struct PolicyVersion {
    /// `v1`
    pub id: String,
    /// Whether it is the one in force.
    pub default: bool,
    /// The policy.
    pub policy: Arc<Policy>,
}

/// A managed policy.
#[derive(Debug, Clone)]
pub struct ManagedPolicy {
    /// Its ARN.
    pub arn: String,
    /// Its versions as listed.
    pub versions: Vec<PolicyVersion>,
}

impl ManagedPolicy {
    /// The version in force.
    pub fn default(&self) -> Option<&Arc<Policy>> {
        self.versions.iter().find(|v| v.default).or(self.versions.first()).map(|v| &v.policy)
    }

    /// Whether the account can change it.
    pub fn is_customer(&self) -> bool {
        is_customer_policy(&self.arn)
    }
}

/// Whether a policy ARN is the account's own and not AWS's.
pub fn is_customer_policy(arn: &str) -> bool {
    Arn::parse(arn).is_some_and(|a| a.account() != "aws")
}

/// Users, groups, roles and policies of one or more accounts.
#[derive(Debug, Clone, Default)]
pub struct Details {
    /// Users and roles, sorted by ARN.
    pub principals: Vec<Principal>,
    /// Groups, sorted by ARN.
    pub groups: Vec<Group>,
    /// Managed policies by ARN.
    pub policies: HashMap<String, ManagedPolicy>,
    /// Documents that could not be read: where, and why.
    pub problems: Vec<String>,
}

fn text<'a>(json: &'a Json, name: &str) -> &'a str {
    json.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn list<'a>(json: &'a Json, name: &str) -> &'a [Json] {
    json.get(name).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

impl Details {
    /// Reads the answer of `GetAccountAuthorizationDetails`: one object, or a list of pages or accounts.
    ///
    /// Policy documents may be objects, JSON text or URL-encoded JSON text. Documents of AWS managed policies that
    /// the answer leaves out are taken from the embedded data.
    pub fn parse(json: &str) -> Result<Self, DetailsError> {
        Self::from_json(&serde_json::from_str(json)?)
    }

    /// Reads parsed JSON; see [`Details::parse`].
    pub fn from_json(json: &Json) -> Result<Self, DetailsError> {
        let pages: &[Json] = match json {
            Json::Array(pages) => pages,
            one => std::slice::from_ref(one),
        };
        if pages.is_empty() {
            return Err(DetailsError::Shape("[]".into()));
        }
        let lists = ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"];
        for page in pages {
            if !lists.iter().any(|name| page.get(name).is_some()) {
                let found: String = page.to_string().chars().take(60).collect();
                return Err(DetailsError::Shape(found));
            }
            // A list that is none would be an account without principals.
            if let Some(name) = lists.iter().find(|n| page.get(**n).is_some_and(|l| !l.is_array() && !l.is_null())) {
                return Err(DetailsError::Shape(format!("a `{name}` that is no list")));
            }
        }
        // Policies and groups first: users and roles refer to them, across pages too.
        let mut reader = DetailsReader::default();
        for page in pages {
            list(page, "Policies").iter().for_each(|p| reader.policy(p));
        }
        for page in pages {
            list(page, "GroupDetailList").iter().for_each(|g| reader.group(g));
        }
        for page in pages {
            list(page, "UserDetailList").iter().for_each(|u| reader.user(u));
            list(page, "RoleDetailList").iter().for_each(|r| reader.role(r));
        }
        Ok(reader.finish())
    }

    /// The principal with an ARN.
    pub fn principal(&self, arn: &str) -> Option<&Principal> {
        let at = self.principals.binary_search_by(|p| p.arn.as_str().cmp(arn)).ok()?;
        self.principals.get(at)
    }

    /// The group with an ARN.
    pub fn group(&self, arn: &str) -> Option<&Group> {
        let at = self.groups.binary_search_by(|g| g.arn.as_str().cmp(arn)).ok()?;
        self.groups.get(at)
    }

    /// The account ids, sorted.
    pub fn accounts(&self) -> Vec<&str> {
        let mut accounts: Vec<&str> = self.principals.iter().map(|p| p.account.as_str()).collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts
    }
}

/// Reads [`Details`] one entry of an answer at a time: policies and groups before those who refer to them.
#[derive(Default)]
pub struct DetailsReader {
    details: Details,
    borrowed: HashMap<String, Option<Arc<Policy>>>,
    /// Trust policies by their text: hundreds of roles trust the same service.
    trusts: HashMap<String, Arc<Policy>>,
}

impl DetailsReader {
    /// What was read.
    pub fn finish(self) -> Details {
        let mut details = self.details;
        details.principals.sort_by(|a, b| a.arn.cmp(&b.arn));
        details.principals.dedup_by(|a, b| a.arn == b.arn);
        details.groups.sort_by(|a, b| a.arn.cmp(&b.arn));
        details
    }

    /// An entry of `UserDetailList`.
    pub fn user(&mut self, json: &Json) {
        self.principal(json, Kind::User);
    }

    /// An entry of `RoleDetailList`.
    pub fn role(&mut self, json: &Json) {
        self.principal(json, Kind::Role);
    }

    fn trust(&mut self, role: &str, json: Option<&Json>) -> Option<Arc<Policy>> {
        let text = json.map(Json::to_string).unwrap_or_default();
        if let Some(known) = self.trusts.get(&text) {
            return Some(Arc::clone(known));
        }
        let problems = self.details.problems.len();
        let policy = self.document("trust policy", &format!("{role} trust policy"), json)?;
        // What is wrong with a policy is said of each role that has it.
        if self.details.problems.len() == problems {
            self.trusts.insert(text, Arc::clone(&policy));
        }
        Some(policy)
    }

    fn document(&mut self, name: &str, place: &str, json: Option<&Json>) -> Option<Arc<Policy>> {
        let parsed = match json {
            Some(json) if !json.is_null() => Document::parse(json).map_err(|e| e.to_string()),
            _ => Err("there is no document".into()),
        };
        match parsed {
            Ok(document) => {
                for problem in &document.problems {
                    self.details.problems.push(format!("{place}: {}", problem.what));
                }
                Some(Arc::new(Policy::new(name, document)))
            }
            Err(why) => {
                self.details.problems.push(format!("{place}: {why}"));
                None
            }
        }
    }

    /// An entry of `Policies`.
    pub fn policy(&mut self, json: &Json) {
        let arn = text(json, "Arn").to_owned();
        let default = text(json, "DefaultVersionId").to_owned();
        let mut versions = Vec::new();
        for version in list(json, "PolicyVersionList") {
            let id = text(version, "VersionId").to_owned();
            let place = format!("{arn} {id}");
            if let Some(policy) = self.document(&arn, &place, version.get("Document")) {
                let flag = version.get("IsDefaultVersion").and_then(Json::as_bool);
                let default = flag.unwrap_or(!default.is_empty() && id == default);
                versions.push(PolicyVersion { id, default, policy });
            }
        }
        if let Some(document) = json.get("Document").or_else(|| json.get("PolicyDocument"))
            && versions.is_empty()
            && let Some(policy) = self.document(&arn, &arn, Some(document))
        {
            versions.push(PolicyVersion { id: default, default: true, policy });
        }
        if !versions.is_empty() {
            self.details.policies.insert(arn.clone(), ManagedPolicy { arn, versions });
        }
    }

    /// A managed policy by ARN: from the answer, else from the embedded data.
    fn find(&mut self, arn: &str) -> Option<Arc<Policy>> {
        if let Some(policy) = self.details.policies.get(arn).and_then(ManagedPolicy::default) {
            return Some(Arc::clone(policy));
        }
        self.borrowed
            .entry(arn.to_owned())
            .or_insert_with(|| data::managed_policy(arn).map(|d| Arc::new(Policy::new(arn, d))))
            .clone()
    }

    fn inline(&mut self, owner: &str, json: &[Json], source: &Source) -> Vec<Attachment> {
        let mut out = Vec::new();
        for entry in json {
            let name = text(entry, "PolicyName");
            let place = format!("{owner} inline policy {name}");
            if let Some(policy) = self.document(name, &place, entry.get("PolicyDocument")) {
                out.push(Attachment { policy, source: source.clone() });
            }
        }
        out
    }

    fn attached(&mut self, json: &Json, unread: &mut Vec<String>, make: impl Fn(String) -> Source) -> Vec<Attachment> {
        let mut out = Vec::new();
        for entry in list(json, "AttachedManagedPolicies") {
            let arn = match entry {
                Json::String(arn) => arn.clone(),
                other => text(other, "PolicyArn").to_owned(),
            };
            match self.find(&arn) {
                Some(policy) => out.push(Attachment { policy, source: make(arn) }),
                None => unread.push(arn),
            }
        }
        out
    }

    /// An entry of `GroupDetailList`.
    pub fn group(&mut self, json: &Json) {
        let (arn, name) = (text(json, "Arn").to_owned(), text(json, "GroupName").to_owned());
        let mut attachments =
            self.inline(&arn, list(json, "GroupPolicyList"), &Source::GroupInline { group: arn.clone() });
        let mut unread = Vec::new();
        attachments.extend(
            self.attached(json, &mut unread, |policy| Source::GroupManaged { group: arn.clone(), arn: policy }),
        );
        self.details.problems.extend(unread.into_iter().map(|p| format!("{arn}: the document of {p} is missing")));
        self.details.groups.push(Group { arn, name, attachments });
    }

    fn principal(&mut self, json: &Json, kind: Kind) {
        let arn = text(json, "Arn").to_owned();
        let Some(account) = Arn::parse(&arn).map(|a| a.account().to_owned()) else {
            self.details.problems.push(format!("`{arn}` is not the ARN of a principal"));
            return;
        };
        let (name, id, inline) = match kind {
            Kind::User => ("UserName", "UserId", "UserPolicyList"),
            Kind::Role => ("RoleName", "RoleId", "RolePolicyList"),
        };
        let mut unread = Vec::new();
        let mut attachments = self.inline(&arn, list(json, inline), &Source::Inline);
        attachments.extend(self.attached(json, &mut unread, |arn| Source::Managed { arn }));
        let mut groups = Vec::new();
        for member in list(json, "GroupList") {
            let name = member.as_str().unwrap_or_else(|| text(member, "GroupName"));
            let found = self.details.groups.iter().find(|g| {
                (g.name == name || g.arn == name) && Arn::parse(&g.arn).is_none_or(|a| a.account() == account)
            });
            if let Some(group) = found {
                groups.push(group.arn.clone());
                attachments.extend(group.attachments.iter().cloned());
            } else {
                unread.push(format!("group {name}"));
            }
        }
        let boundary = json.get("PermissionsBoundary").filter(|b| !b.is_null()).map(|b| {
            let arn = b.as_str().unwrap_or_else(|| text(b, "PermissionsBoundaryArn")).to_owned();
            let policy = self.find(&arn);
            Boundary { arn, policy }
        });
        let trust = match kind {
            Kind::Role => self.trust(&arn, json.get("AssumeRolePolicyDocument")),
            Kind::User => None,
        };
        let profiles = json
            .get("InstanceProfileList")
            .and_then(Json::as_array)
            .map(|profiles| profiles.iter().map(|p| p.as_str().unwrap_or_else(|| text(p, "Arn")).to_owned()).collect());
        let tags =
            list(json, "Tags").iter().map(|t| (text(t, "Key").to_owned(), text(t, "Value").to_owned())).collect();
        let used = json.get("RoleLastUsed").map(|used| text(used, "LastUsedDate")).unwrap_or_default();
        let last_used = if used.is_empty() { text(json, "PasswordLastUsed") } else { used };
        self.details.principals.push(Principal {
            kind,
            id: text(json, id).to_owned(),
            name: text(json, name).to_owned(),
            account,
            created: text(json, "CreateDate").to_owned(),
            tags,
            groups,
            attachments,
            boundary,
            trust,
            profiles,
            last_used: last_used.to_owned(),
            unread,
            arn,
        });
    }
}
