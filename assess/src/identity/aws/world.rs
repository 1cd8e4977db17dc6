//! A world of accounts held in memory: principals, resource policies and guardrails, to be asked who can do what.

use super::{
    arn::Arn,
    context::Context,
    data,
    decide::{Because, Decision, Grant, Layer, Outcome, Policies, Request, Residual, Unread, decide},
    details::{Details, Kind, Principal},
    document::{Document, Effect, Policy},
    escalate::{Organization, open_context},
    principal::{Caller, CallerKind, PrincipalEntry},
    tri::Tri,
    workloads::Inventory,
};
use serde_json::Value as Json;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Principals, resource policies and guardrails.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The accounts' principals.
    pub details: Details,
    /// The organization's policies.
    pub organization: Organization,
    resource_policies: HashMap<String, Arc<Policy>>,
    /// Resources whose policies could not be read, by ARN.
    unread: HashSet<String>,
    /// The account ids of `details` at the beginning, sorted.
    accounts: Vec<String>,
    /// Owners of resources whose ARN names no account, by ARN.
    owners: HashMap<String, String>,
    /// Grants on keys, by the key's ARN.
    grants: HashMap<String, Vec<Grant>>,
    /// How many keys there are whose grants were not read.
    pub unread_grants: usize,
    /// Policies that a file holds by themselves, which name nobody they are attached to.
    loose: Loose,
}

/// Policies of files that hold nothing else: whose they are, the question says.
#[derive(Debug, Clone, Default)]
struct Loose {
    /// Those without principals: of an identity that is asked about and not otherwise known.
    identity: Vec<Arc<Policy>>,
    /// The one with principals: of a resource that is asked about and has none of its own.
    resource: Option<Arc<Policy>>,
}

/// A file of a policy directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {why}")]
pub struct WorldError {
    /// The file's name.
    pub name: String,
    /// Why, and what would be right.
    pub why: String,
}

/// One principal that can do something.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Holder {
    /// Its ARN; `*` for anyone, a service's name, or an account outside.
    pub principal: String,
    /// `Allowed`, or `Conditional` when it depends on `residual`.
    pub access: &'static str,
    /// The statements that say so.
    pub because: Vec<Because>,
    /// What it depends on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub residual: Vec<Residual>,
}

impl World {
    /// A world from its parts; `inventory` contributes its resource policies.
    pub fn new(details: Details, organization: Organization, inventory: Option<&Inventory>) -> Self {
        let account = details.principals.first().map(|p| p.account.clone()).unwrap_or_default();
        let resource_policies = inventory.map(|i| i.policies(&account)).unwrap_or_default();
        let accounts = details.accounts().into_iter().map(str::to_owned).collect();
        let (unread, owners, grants, unread_grants, loose) = Default::default();
        Self { details, organization, resource_policies, unread, accounts, owners, grants, unread_grants, loose }
    }

    /// Reads the files of a directory, `(name, text)` each, recognising each by its shape: authorization details, an
    /// organization document (`scps`, `rcps`), a resource inventory, or resource policies as an object from ARN to
    /// document (or `{arn, policy}`, or a list of such), or grants as `kms:ListGrants` answers. A policy document by itself is the policy of the identity that is
    /// asked about, or, when it names principals, of the resource. Whatever is recognised as none of these is an error.
    pub fn from_files<'f>(files: impl IntoIterator<Item = (&'f str, &'f str)>) -> Result<Self, WorldError> {
        let mut pages = Vec::new();
        let mut organization = Organization::default();
        let mut inventories = Vec::new();
        let mut policies: Vec<(String, Policy)> = Vec::new();
        let mut loose = Loose::default();
        let mut grants: HashMap<String, Vec<Grant>> = HashMap::new();
        for (name, text) in files {
            let wrong = |why: String| WorldError { name: name.into(), why };
            let json: Json = serde_json::from_str(text).map_err(|e| wrong(format!("not JSON: {e}")))?;
            let first = match &json {
                Json::Array(list) => list.first(),
                other => Some(other),
            };
            let has = |member: &str| first.is_some_and(|f| f.get(member).is_some());
            if ["UserDetailList", "RoleDetailList", "GroupDetailList", "Policies"].iter().any(|m| has(m)) {
                match json {
                    Json::Array(list) => pages.extend(list),
                    one => pages.push(one),
                }
            } else if has("scps") || has("rcps") || has("serviceControlPolicies") || has("management_account") {
                organization = Organization::parse(text).map_err(|e| wrong(e.to_string()))?;
            } else if has("type") && (has("attrs") || has("attributes") || has("values")) || has("resources") {
                inventories.push(Inventory::parse(text).map_err(|e| wrong(e.to_string()))?);
            } else if has("Grants") {
                let pages = json.as_array().map_or(std::slice::from_ref(&json), Vec::as_slice);
                let listed = pages.iter().filter_map(|page| page.get("Grants")?.as_array()).flatten();
                for grant in listed {
                    let key = grant.get("KeyId").and_then(Json::as_str).filter(|key| key.starts_with("arn:"));
                    let key = key.ok_or_else(|| wrong("a grant has no `KeyId` with the ARN of its key".into()))?;
                    let listed = super::batch::grants(Some(&Json::Array(vec![grant.clone()])));
                    grants.entry(key.to_owned()).or_default().extend(listed);
                }
            } else if json.get("Statement").is_some() {
                let document = Document::parse(&json).map_err(|e| wrong(e.to_string()))?;
                let named = document.statements.iter().any(|s| s.principals.is_some());
                let policy = Arc::new(Policy::new(name, document));
                if !named {
                    loose.identity.push(policy);
                } else if let Some(other) = loose.resource.replace(policy) {
                    let right = "say whose each is: {\"arn:aws:s3:::bucket\": {the policy}, …}";
                    return Err(wrong(format!("names principals, as {} does; {right}", other.name)));
                }
            } else {
                let found = resource_policies(&json).ok_or_else(|| {
                    wrong(
                        "neither authorization details, organization policies, resources, resource policies, grants nor a policy"
                            .into(),
                    )
                })?;
                for (arn, document) in found {
                    let document = Document::parse(document).map_err(|e| wrong(format!("{arn}: {e}")))?;
                    policies.push((arn.clone(), Policy::new(arn, document)));
                }
            }
        }
        let details = if pages.is_empty() {
            Details::default()
        } else {
            Details::from_json(&Json::Array(pages))
                .map_err(|e| WorldError { name: "authorization details".into(), why: e.to_string() })?
        };
        let mut world = Self::new(details, organization, None);
        world.loose = loose;
        world.grants = grants;
        for inventory in &inventories {
            for account in &world.accounts {
                world.resource_policies.extend(inventory.policies(account));
            }
        }
        for (arn, policy) in policies {
            world.add_resource_policy(&arn, policy);
        }
        Ok(world)
    }

    /// Adds the policy of a resource; the name is its ARN.
    pub fn add_resource_policy(&mut self, arn: &str, policy: Policy) {
        self.resource_policies.insert(arn.to_owned(), Arc::new(policy));
    }

    /// Says that a resource's policy could not be read: it may let anyone in, or keep anyone out.
    pub fn add_unread_policy(&mut self, arn: &str) {
        self.unread.insert(arn.to_owned());
    }

    /// Adds the grants on a key, as `kms:ListGrants` answers them or as the kind of keys has them.
    pub fn add_grants(&mut self, key: &str, listed: &Json) {
        let grants = super::batch::grants(Some(listed));
        if !grants.is_empty() {
            self.grants.entry(key.to_owned()).or_default().extend(grants);
        }
    }

    fn grants_of(&self, key: &str) -> &[Grant] {
        self.grants.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    fn is_unread(&self, arn: &str) -> bool {
        // Objects are their bucket's.
        !self.unread.is_empty()
            && (self.unread.contains(arn) || arn.split('/').next().is_some_and(|b| self.unread.contains(b)))
    }

    /// Says whose a resource is whose ARN names no account: a bucket.
    pub fn add_owner(&mut self, arn: &str, account: &str) {
        self.owners.insert(arn.to_owned(), account.to_owned());
    }

    /// The policy of a resource: a role's trust policy, a bucket's policy for its objects too.
    pub fn resource_policy(&self, arn: &str) -> Option<&Arc<Policy>> {
        if let Some(policy) = self.resource_policies.get(arn) {
            return Some(policy);
        }
        let parts = Arn::parse(arn)?;
        match parts.service() {
            "s3" => {
                let bucket = parts.resource().split('/').next()?;
                self.resource_policies.get(&format!("arn:{}:s3:::{bucket}", parts.partition()))
            }
            "iam" => self.details.principal(arn)?.trust.as_ref(),
            service => {
                let anywhere =
                    format!("arn:{}:{service}:*:{}:{}", parts.partition(), parts.account(), parts.resource());
                self.resource_policies.get(&anywhere)
            }
        }
    }

    /// The account that owns a resource: the ARN's, that of a known bucket, or that of a world with one account.
    pub fn owner_of(&self, resource: &str) -> Option<String> {
        let account = Arn::parse(resource).map(|a| a.account()).unwrap_or_default();
        if !account.is_empty() {
            return Some(account.to_owned());
        }
        // Objects are their bucket's.
        let named = resource.split('/').next().unwrap_or(resource);
        if let Some(owner) = self.owners.get(named) {
            return Some(owner.clone());
        }
        match self.accounts.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        }
    }

    /// Decides one request.
    ///
    /// `principal` is the ARN of a user, role, session or root, an account id, a service name, or `*`. Keys in
    /// `context` are known with their values; of the others, what the caller shapes itself (regions, request tags,
    /// request parameters) is taken to its advantage, and what it cannot shape (address, second factor, time) is
    /// unknown. An identity outside the world has unknown identity policies. A bucket nobody knows is taken to be the
    /// principal's own.
    pub fn can(
        &self,
        principal: &str,
        action: &str,
        resource: &str,
        context: &[(String, Vec<String>)],
    ) -> Option<Decision> {
        let caller = Caller::parse(principal)?;
        let known = self.known(&caller);
        Some(self.decide(caller, known, action, resource, context, false))
    }

    /// The principal a caller is, or whose session it is.
    fn known(&self, caller: &Caller) -> Option<&Principal> {
        match caller.kind {
            CallerKind::User | CallerKind::Role => self.details.principal(&caller.arn),
            CallerKind::Session => self
                .details
                .principals
                .iter()
                .find(|p| p.kind == Kind::Role && p.account == caller.account && p.name == caller.name()),
            _ => None,
        }
    }

    /// Whether this is a user, a role or a session of an account of which nothing was read.
    pub fn outside(&self, principal: &str) -> bool {
        self.loose.identity.is_empty()
            && Caller::parse(principal).is_some_and(|caller| {
                matches!(caller.kind, CallerKind::User | CallerKind::Role | CallerKind::Session)
                    && !self.accounts.contains(&caller.account)
            })
    }

    /// Whether this is a user, a role or a session of an account that was read, and not among its principals.
    pub fn lacks(&self, principal: &str) -> bool {
        Caller::parse(principal).is_some_and(|caller| {
            matches!(caller.kind, CallerKind::User | CallerKind::Role | CallerKind::Session)
                && self.accounts.contains(&caller.account)
                && self.known(&caller).is_none()
        })
    }

    /// With `certain`, a resource of which nobody says whose it is gives nothing for certain.
    fn decide(
        &self,
        mut caller: Caller,
        known: Option<&Principal>,
        action: &str,
        resource: &str,
        context: &[(String, Vec<String>)],
        certain: bool,
    ) -> Decision {
        let mut keys = match known {
            Some(principal) => open_context(principal, &self.organization),
            None => Context::with_rest(super::escalate::open_fact),
        };
        keys.set("aws:securetransport", ["true"]);
        if let (Some(target), Some(arn)) = (self.details.principal(resource), Arn::parse(resource))
            && arn.service() == "iam"
        {
            for (key, value) in &target.tags {
                keys.set(&format!("iam:ResourceTag/{key}"), [value.as_str()]);
                keys.set(&format!("aws:ResourceTag/{key}"), [value.as_str()]);
            }
        }
        for (key, values) in context {
            keys.set(key, values.iter().map(String::as_str));
        }
        if let Some(principal) = known
            && caller.kind == CallerKind::Session
        {
            caller.role = Some(principal.arn.clone());
        }
        let owner = self.owner_of(resource);
        // Of everybody who could, nobody is said to hold them.
        let given = !certain && known.is_none() && !self.loose.identity.is_empty() && caller.is_identity();
        let identity = match known {
            Some(principal) => principal.policies(),
            None if given => self.loose.identity.clone(),
            None => Vec::new(),
        };
        let boundary = known.and_then(|p| p.boundary.as_ref());
        let bound = boundary.and_then(|b| b.policy.clone()).map(|p| vec![p]);
        let outside = known.is_none() && !given && caller.is_identity() && caller.kind != CallerKind::Root;
        let unread = Unread {
            identity: outside || known.is_some_and(|p| !p.unread.is_empty()),
            boundary: boundary.is_some_and(|b| b.policy.is_none()),
            ..Unread::default()
        };
        // An action without resources is asked about `*` whatever the question says.
        let lower = action.to_ascii_lowercase();
        let plain = data::actions().find(&lower).is_some_and(|a| a.types.is_empty());
        let resource_policy =
            if plain { None } else { self.resource_policy(resource).or(self.loose.resource.as_ref()) };
        let asked = if plain { "*" } else { resource };
        let mut request = Request::new(caller, action, asked, owner.as_deref().filter(|_| !plain), keys);
        let ownerless = !plain && owner.is_none() && Arn::parse(resource).is_some_and(|a| a.account().is_empty());
        let nobodys = certain && ownerless && self.accounts.len() > 1;
        // A policy nobody read may allow anybody and keep anybody out; of all who could, those are told who may anyway.
        let told = !certain || known.is_none_or(|p| p.mentions(&lower));
        let lost = !plain && told && self.is_unread(resource);
        let unread = Unread { resource: nobodys || lost, ..unread };
        if nobodys {
            // Whose it is decides whether identity policies alone suffice; nobody said.
            request.resource_account = "".into();
            for key in ["aws:resourceaccount", "s3:resourceaccount"] {
                request.context.put(key, super::context::Fact::Unknown);
            }
        }
        let member = known.is_some();
        decide(
            &request,
            &Policies {
                identity: &identity,
                boundary: bound.as_deref(),
                session: None,
                resource: resource_policy.map(AsRef::as_ref),
                scps: if member || self.organization.accounts.contains_key(&request.caller.account) {
                    self.organization.scps_of(&request.caller.account)
                } else {
                    &[]
                },
                rcps: self.organization.rcps_of(&request.resource_account),
                endpoint: None,
                grants: self.grants_of(resource),
                unread,
            },
        )
    }

    /// Everyone who can do `action` on `resource`, by ARN.
    ///
    /// Principals of the world first; then whom grants on the key and the resource's policy name besides: anyone (`*`),
    /// services, and identities of accounts outside, these `Conditional` because their own policies are not known.
    pub fn who_can(&self, action: &str, resource: &str) -> Vec<Holder> {
        let mut out = Vec::new();
        for principal in &self.details.principals {
            let caller = Caller {
                kind: if principal.kind == Kind::User { CallerKind::User } else { CallerKind::Role },
                arn: principal.arn.clone(),
                account: principal.account.clone(),
                role: (principal.kind == Kind::Role).then(|| principal.arn.clone()),
            };
            let decision = self.decide(caller, Some(principal), action, resource, &[], true);
            out.extend(holder(&principal.arn, decision));
        }
        let known = |arn: &str| self.details.principal(arn).is_some();
        let mut grantees: Vec<&str> =
            self.grants_of(resource).iter().map(|g| &*g.grantee).filter(|arn| !known(arn)).collect();
        grantees.sort_unstable();
        grantees.dedup();
        for grantee in grantees {
            let Some(caller) =
                Caller::parse(grantee).filter(|c| !c.is_identity() || !self.accounts.contains(&c.account))
            else {
                continue;
            };
            let decision = self.decide(caller, None, action, resource, &[], true);
            out.extend(holder(grantee, decision));
        }
        let policy = self.resource_policy(resource).or(self.loose.resource.as_ref());
        let Some(policy) = policy else { return out };
        let mut named: Vec<&PrincipalEntry> = policy
            .document
            .statements
            .iter()
            .filter(|s| s.effect == Effect::Allow)
            .flat_map(|s| s.principals.iter())
            .flat_map(|p| p.entries.iter())
            .collect();
        named.sort_by_key(|e| e.text());
        named.dedup();
        for entry in named {
            let caller = match entry {
                PrincipalEntry::Everyone => Some(Caller::anonymous()),
                PrincipalEntry::Service(name) => Some(Caller::service(name)),
                PrincipalEntry::Account(id) if !self.accounts.iter().any(|a| **a == **id) => {
                    // Someone of that account, whoever it is.
                    Caller::parse(&format!("arn:aws:iam::{id}:user/any")).map(|c| Caller { arn: entry_arn(id), ..c })
                }
                PrincipalEntry::Arn(arn) if self.details.principal(arn).is_none() => Caller::parse(arn),
                PrincipalEntry::Federated(name) => Some(Caller { kind: CallerKind::Provider, ..Caller::service(name) }),
                _ => None,
            };
            let Some(caller) = caller.filter(|c| {
                // A principal of a known account that the world does not hold no longer exists.
                !c.is_identity() || c.kind == CallerKind::Session || !self.accounts.contains(&c.account)
            }) else {
                continue;
            };
            if out.iter().any(|h| h.principal == entry.text()) {
                continue;
            }
            let decision = self.decide(caller, None, action, resource, &[], true);
            out.extend(holder(entry.text(), decision));
        }
        out
    }
}

fn entry_arn(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

fn holder(principal: &str, decision: Decision) -> Option<Holder> {
    let access = match decision.allowed {
        Tri::Yes => "Allowed",
        Tri::Maybe => "Conditional",
        Tri::No => return None,
    };
    let mut because = decision.because;
    if decision.outcome != Outcome::Allowed {
        because.retain(|b| b.layer != Layer::Service.name());
    }
    Some(Holder { principal: principal.into(), access, because, residual: decision.residual })
}

/// Resource policies in one of the accepted shapes.
fn resource_policies(json: &Json) -> Option<Vec<(String, &Json)>> {
    fn one(json: &Json) -> Option<(String, &Json)> {
        let names = ["arn", "resource", "resource_arn", "Arn"];
        let arn = names.iter().find_map(|n| json.get(*n)).and_then(Json::as_str)?;
        let policy = ["policy", "document", "Policy"].iter().find_map(|n| json.get(*n))?;
        Some((arn.to_owned(), policy))
    }
    match json {
        Json::Array(list) => list.iter().map(one).collect(),
        Json::Object(map) => {
            if let Some(single) = one(json) {
                return Some(vec![single]);
            }
            map.iter().map(|(arn, policy)| arn.starts_with("arn:").then(|| (arn.clone(), policy))).collect()
        }
        _ => None,
    }
}
