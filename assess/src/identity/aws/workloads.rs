//! The `--resources` inventory: what exists, in Terraform's types and attribute names.

use super::{
    arn::Arn,
    data,
    document::{Document, Policy},
};
use serde_json::{Map, Value as Json};
use std::{collections::HashMap, sync::Arc};

/// The resources document cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ResourcesError {
    /// Not JSON.
    #[error("resources are not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON of another shape.
    #[error("resources must be a list of {{type, name, attrs}}")]
    Shape,
}

/// One resource.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Terraform's type: `aws_lambda_function`.
    pub kind: String,
    /// Its name in the inventory.
    pub name: String,
    /// Its attributes.
    pub attrs: Map<String, Json>,
}

/// What exists in the accounts.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// The resources in the order given.
    pub items: Vec<Workload>,
}

impl Inventory {
    /// Reads a list of `{type, name, attrs}`, or an object with such a list under `resources`.
    pub fn parse(json: &str) -> Result<Self, ResourcesError> {
        let json: Json = serde_json::from_str(json)?;
        let list = match &json {
            Json::Array(list) => list,
            Json::Object(object) => object.get("resources").and_then(Json::as_array).ok_or(ResourcesError::Shape)?,
            _ => return Err(ResourcesError::Shape),
        };
        let mut items = Vec::with_capacity(list.len());
        for entry in list {
            let Json::Object(entry) = entry else { return Err(ResourcesError::Shape) };
            let text = |name: &str| entry.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
            let attrs = ["attrs", "attributes", "values"].iter().find_map(|n| entry.get(*n)).and_then(Json::as_object);
            items.push(Workload { kind: text("type"), name: text("name"), attrs: attrs.cloned().unwrap_or_default() });
        }
        Ok(Self { items })
    }

    /// The resources of a type.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Workload> + 'a {
        // The Cloud Control provider and newer variants of a type carry the same words.
        let words = kind.strip_prefix("aws_").unwrap_or(kind);
        self.items
            .iter()
            .filter(move |w| w.kind == kind || w.kind.strip_prefix("awscc_").is_some_and(|k| k.starts_with(words)))
    }

    /// The roles a workload's attributes lead to, as ARNs of `roles`; `ignore` names attributes not to follow.
    ///
    /// An attribute can hold a role's ARN or name, an instance profile's ARN or name, or a Terraform reference
    /// (`aws_iam_role.app.arn`). `unclear` is set when a reference leads out of the inventory.
    pub fn roles(
        &self,
        workload: &Workload,
        ignore: &[String],
        roles: &RoleIndex<'_>,
        unclear: &mut bool,
    ) -> Vec<String> {
        let mut found = Vec::new();
        for (key, value) in &workload.attrs {
            if !ignore.iter().any(|i| i == key) {
                self.collect(key, value, ignore, roles, &mut found, unclear, 0);
            }
        }
        found.sort();
        found.dedup();
        found
    }

    #[allow(clippy::too_many_arguments, reason = "one walk, its borders and its findings")]
    fn collect(
        &self,
        key: &str,
        value: &Json,
        ignore: &[String],
        roles: &RoleIndex<'_>,
        found: &mut Vec<String>,
        unclear: &mut bool,
        hops: u8,
    ) {
        match value {
            Json::Array(list) => list.iter().for_each(|v| self.collect(key, v, ignore, roles, found, unclear, hops)),
            Json::Object(map) => {
                // `{name, value}` and `{key, string_value}` are settings: the value is about what the name says.
                let said = ["name", "key"].iter().find_map(|n| map.get(*n)).and_then(Json::as_str);
                for (inner, value) in map {
                    if !ignore.contains(inner) {
                        let key = match (inner.as_str(), said) {
                            ("value" | "string_value", Some(said)) => said,
                            ("name" | "arn" | "id", _) => key,
                            _ => inner,
                        };
                        self.collect(key, value, ignore, roles, found, unclear, hops);
                    }
                }
            }
            Json::String(text) => {
                let lower = key.to_ascii_lowercase();
                let about_roles = lower.contains("role") || lower.contains("profile");
                if let Some(role) = self.resolve(text, about_roles, roles) {
                    found.push(role);
                } else if about_roles && (text.contains("${") || text.contains("aws_iam_")) {
                    *unclear = true;
                } else if text.starts_with('{') && text.contains("arn:") {
                    // Embedded JSON (container properties of a batch job).
                    if let Ok(inner) = serde_json::from_str::<Json>(text) {
                        self.collect(key, &inner, ignore, roles, found, unclear, hops);
                    }
                } else if let Some(template) = self.template(&lower, text).filter(|_| hops < MOST_HOPS) {
                    for (inner, value) in &template.attrs {
                        if !ignore.contains(inner) && !TEMPLATES.iter().any(|(word, _)| inner.contains(word)) {
                            self.collect(inner, value, ignore, roles, found, unclear, hops + 1);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// The template an attribute `key` names: by a reference, an id, a name, an ARN, or `family:revision`.
    fn template(&self, key: &str, text: &str) -> Option<&Workload> {
        TEMPLATES.iter().find_map(|(word, kind)| {
            if let Some((_, address)) = text.split_once(&format!("{kind}.")) {
                return self.referenced(kind, address);
            }
            if !key.contains(word) {
                return None;
            }
            let plain = text.rsplit_once(':').map_or(text, |(family, _)| family);
            self.items.iter().find(|w| {
                w.kind == *kind
                    && ["id", "name", "arn", "family"].iter().any(|n| {
                        let held = w.attrs.get(*n).and_then(Json::as_str);
                        held == Some(text)
                            || held == Some(plain)
                            || held.is_some_and(|h| h == plain.rsplit('/').next().unwrap_or(plain))
                    })
            })
        })
    }

    fn referenced(&self, kind: &str, address: &str) -> Option<&Workload> {
        let name = address.split(['.', '[', '}', ' ']).next()?;
        self.items.iter().find(|w| w.kind == kind && w.name == name)
    }

    fn resolve(&self, text: &str, about_roles: bool, roles: &RoleIndex<'_>) -> Option<String> {
        if let Some(role) = roles.by_arn(text) {
            return Some(role);
        }
        if let Some((_, address)) = text.split_once("aws_iam_instance_profile.") {
            let profile = self.referenced("aws_iam_instance_profile", address)?;
            return self.profile_role(profile, roles);
        }
        if text.contains("aws_iam_role.") {
            return self.role_named(text, roles);
        }
        if !about_roles {
            return None;
        }
        if let Some(profile) = self.items.iter().find(|w| {
            w.kind == "aws_iam_instance_profile"
                && ["name", "arn", "id"].iter().any(|k| w.attrs.get(*k).and_then(Json::as_str) == Some(text))
        }) {
            return self.profile_role(profile, roles);
        }
        roles.by_name(text)
    }

    fn profile_role(&self, profile: &Workload, roles: &RoleIndex<'_>) -> Option<String> {
        let role = profile.attrs.get("role").or_else(|| profile.attrs.get("roles"))?;
        let role = role.as_str().or_else(|| role.get(0).and_then(Json::as_str))?;
        // A profile often bears its role's name: here only roles are meant.
        self.role_named(role, roles)
    }

    /// The role an ARN, a name or a reference names.
    fn role_named(&self, text: &str, roles: &RoleIndex<'_>) -> Option<String> {
        let Some((_, address)) = text.split_once("aws_iam_role.") else { return roles.by_name(text) };
        let role = self.referenced("aws_iam_role", address)?;
        let name = role.attrs.get("arn").or_else(|| role.attrs.get("name")).and_then(Json::as_str);
        roles.by_name(name.unwrap_or(&role.name))
    }

    /// The instance profile roles the inventory itself declares.
    pub fn profiled_roles(&self, roles: &RoleIndex<'_>) -> Vec<String> {
        self.of("aws_iam_instance_profile").filter_map(|p| self.profile_role(p, roles)).collect()
    }

    /// The policies resources carry themselves, by their place in [`Inventory::items`]: in their own attributes or by a
    /// resource that attaches one. A KMS key without one has the default, which delegates to its account.
    pub fn own_policies(&self, account: &str) -> HashMap<usize, Arc<Policy>> {
        let mut out = HashMap::new();
        let attached: Vec<&Workload> =
            self.items.iter().filter(|w| w.kind.contains("policy") && policy_of(w).is_some()).collect();
        let default = Document::parse(serde_json::json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow",
            "Principal": {"AWS": account}, "Action": "kms:*", "Resource": "*"}}));
        let default = default.ok().map(|d| Arc::new(Policy::new("the default key policy", d)));
        for (at, item) in self.items.iter().enumerate() {
            let holder = attached.iter().find(|w| w.kind.starts_with(&item.kind) && names(w, item));
            let holder = if policy_of(item).is_some() { Some(item) } else { holder.copied() };
            if let Some((holder, document)) = holder.and_then(|h| Some((h, policy_of(h)?))) {
                let place = format!("{} {}", holder.kind, holder.name);
                out.insert(at, Arc::new(Policy::new(place, document)));
            } else if let (Some(policy), "aws_kms_key") = (&default, item.kind.as_str()) {
                out.insert(at, Arc::clone(policy));
            }
        }
        out
    }

    /// The resource policies in the inventory by the ARN of the resource.
    pub fn policies(&self, account: &str) -> HashMap<String, Arc<Policy>> {
        let mut out = HashMap::new();
        for item in &self.items {
            let Some(document) = policy_of(item) else { continue };
            let owner =
                OWNERS.iter().filter_map(|name| item.attrs.get(*name).and_then(Json::as_str)).find(|t| !t.is_empty());
            let owner = match owner {
                Some(text) if text.contains("aws_") => self.follow(text).unwrap_or_else(|| text.to_owned()),
                Some(text) => text.to_owned(),
                None => item.name.clone(),
            };
            let place = format!("{} {}", item.kind, item.name);
            let policy = Arc::new(Policy::new(place, document));
            for arn in arns_for(&item.kind, &owner, account) {
                out.insert(arn, Arc::clone(&policy));
            }
        }
        out
    }

    /// Follows a Terraform reference to the identifying attribute of what it names.
    fn follow(&self, text: &str) -> Option<String> {
        let address = text.trim_start_matches("${");
        let (kind, rest) = address.split_once('.')?;
        let target = self.referenced(kind, rest)?;
        ["arn", "bucket", "name", "id"]
            .iter()
            .find_map(|name| target.attrs.get(*name).and_then(Json::as_str))
            .map(str::to_owned)
    }
}

/// Templates that name templates, followed this far.
const MOST_HOPS: u8 = 3;

/// Attributes that say which resource a policy belongs to.
const OWNERS: &[&str] = &[
    "bucket",
    "queue_url",
    "arn",
    "secret_arn",
    "key_id",
    "repository",
    "resource_arn",
    "domain_name",
    "function_name",
    "name",
    "id",
];

/// Attributes by whose name a resource refers to a template that names the role, and the template's type.
const TEMPLATES: &[(&str, &str)] = &[
    ("launch_template", "aws_launch_template"),
    ("launch_configuration", "aws_launch_configuration"),
    ("task_definition", "aws_ecs_task_definition"),
];

/// Whether a resource that attaches something says it attaches it to `item`.
fn names(attachment: &Workload, item: &Workload) -> bool {
    let address = format!("{}.{}", item.kind, item.name);
    let text = |w: &Workload, name: &str| w.attrs.get(name).and_then(Json::as_str).map(str::to_owned);
    OWNERS.iter().filter_map(|n| text(attachment, n)).any(|said| {
        let said = said.trim_start_matches("${");
        let refers = said.strip_prefix(address.as_str());
        refers.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '}', '[']))
            || OWNERS.iter().any(|n| text(item, n).as_deref() == Some(said))
    })
}

/// The resource policy in a resource's attributes.
fn policy_of(item: &Workload) -> Option<Document> {
    ["policy", "access_policy", "resource_policy", "policy_text"]
        .iter()
        .find_map(|name| item.attrs.get(*name))
        .and_then(|json| Document::parse(json).ok())
        .filter(|d| d.statements.iter().any(|s| s.principals.is_some()))
}

/// The ARNs a resource named `owner` can have.
fn arns_for(kind: &str, owner: &str, account: &str) -> Vec<String> {
    if owner.starts_with("arn:") {
        return vec![owner.to_owned()];
    }
    let name = owner.rsplit('/').next().unwrap_or(owner);
    if kind.starts_with("aws_s3_") {
        return vec![format!("arn:aws:s3:::{name}")];
    }
    let Some((service, kind)) = service_and_type(kind) else { return Vec::new() };
    let format = data::resource_types(service).iter().find(|(t, _)| *t == kind).map(|(_, arn)| *arn);
    format.map(|f| vec![fill(f, "aws", "*", account, name)]).unwrap_or_default()
}

/// The IAM service and resource type of a Terraform type, where a policy is looked up by name.
fn service_and_type(kind: &str) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        "aws_sqs_queue" | "aws_sqs_queue_policy" => ("sqs", "queue"),
        "aws_sns_topic" | "aws_sns_topic_policy" => ("sns", "topic"),
        "aws_kms_key" | "aws_kms_key_policy" => ("kms", "key"),
        "aws_secretsmanager_secret" | "aws_secretsmanager_secret_policy" => ("secretsmanager", "Secret"),
        "aws_ecr_repository_policy" => ("ecr", "repository"),
        _ => return None,
    })
}

/// Fills an ARN format: partition, region and account, and `name` for the last of the other variables.
///
/// The variables before the last, which nothing here knows, become `*`.
pub fn fill(format: &str, partition: &str, region: &str, account: &str, name: &str) -> String {
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((variable, tail)) = after.split_once('}') else {
            out.push_str("${");
            rest = after;
            continue;
        };
        out.push_str(match variable {
            "Partition" => partition,
            "Region" => region,
            "Account" => account,
            _ if !tail.contains("${") => name,
            _ => "*",
        });
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Roles by ARN and by name.
#[derive(Debug, Default)]
pub struct RoleIndex<'a> {
    arns: HashMap<&'a str, &'a str>,
    names: HashMap<&'a str, &'a str>,
    profiles: HashMap<&'a str, &'a str>,
}

impl<'a> RoleIndex<'a> {
    /// Indexes roles and their instance profiles.
    pub fn new(principals: &'a [super::details::Principal]) -> Self {
        let mut index = Self::default();
        for role in principals.iter().filter(|p| p.kind == super::details::Kind::Role) {
            index.arns.insert(&role.arn, &role.arn);
            index.names.insert(&role.name, &role.arn);
            for profile in role.profiles.iter().flatten() {
                index.profiles.insert(profile, &role.arn);
                if let Some(arn) = Arn::parse(profile) {
                    index.profiles.insert(arn.name(), &role.arn);
                }
            }
        }
        index
    }

    fn by_arn(&self, text: &str) -> Option<String> {
        let text = text.trim();
        self.arns
            .get(text)
            .or_else(|| self.profiles.get(text).filter(|_| text.starts_with("arn:")))
            .map(|a| (*a).to_owned())
    }

    fn by_name(&self, text: &str) -> Option<String> {
        let name = text.rsplit('/').next().unwrap_or(text);
        self.by_arn(text)
            .or_else(|| self.profiles.get(name).map(|a| (*a).to_owned()))
            .or_else(|| self.names.get(name).map(|a| (*a).to_owned()))
    }
}
