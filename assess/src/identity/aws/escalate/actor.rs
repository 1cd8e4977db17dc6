//! Actors: principals as they are, or as they would be after a step.

use super::super::{
    action_sets::ActionSets,
    bits::Bits,
    context::{Context, Fact},
    data,
    decide::{Decision, Layer, Level, Policies, Request, Unread, allowed, decide},
    details::{Attachment, Kind, Principal},
    document::{Document, Effect, Policy, Statement},
    glob::ResourceText,
    principal::{Caller, CallerKind},
    tri::Tri,
};
use std::{collections::BTreeMap, rc::Rc, sync::Arc};

/// What holds for every request in the account.
#[derive(Debug, Clone, Default)]
pub struct Organization {
    /// Service control policies by level, for every account without a chain of its own.
    pub scps: Vec<Level>,
    /// Resource control policies by level, likewise.
    pub rcps: Vec<Level>,
    /// Whether the account is the management account, which service control policies do not bind.
    pub management: bool,
    /// The organization's id, when known.
    pub id: Option<String>,
    /// Accounts whose place in the tree is known, by account id.
    pub accounts: BTreeMap<String, Chain>,
}

/// What binds one account: the policies from the root over its units down to itself.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    /// Service control policies by level, the root first.
    pub scps: Vec<Level>,
    /// Resource control policies by level, the root first.
    pub rcps: Vec<Level>,
    /// Whether it is the management account, which neither binds.
    pub management: bool,
    /// `o-…/r-…/ou-…/`, what `aws:PrincipalOrgPaths` says.
    pub path: Option<String>,
}

impl Organization {
    /// The service control policies that bind the principals of an account.
    pub fn scps_of(&self, account: &str) -> &[Level] {
        match self.accounts.get(account) {
            Some(chain) if chain.management => &[],
            Some(chain) => &chain.scps,
            None if self.management => &[],
            None => &self.scps,
        }
    }

    /// The resource control policies that bind the resources of an account.
    pub fn rcps_of(&self, account: &str) -> &[Level] {
        match self.accounts.get(account) {
            Some(chain) if chain.management => &[],
            Some(chain) => &chain.rcps,
            None if self.management => &[],
            None => &self.rcps,
        }
    }

    /// Whether an account is the management account.
    pub fn is_management(&self, account: &str) -> bool {
        self.accounts.get(account).map_or(self.management, |chain| chain.management)
    }
}

/// How much of an administrator a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Admin {
    /// It is none.
    No,
    /// It may do everything in IAM, so nothing stops it from the rest.
    Equivalent,
    /// It may do everything, or nearly.
    Full,
}

/// A principal in some state.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    /// The principal it is.
    pub principal: usize,
    pub kind: Kind,
    pub caller: Caller,
    pub attachments: Vec<Attachment>,
    pub identity: Vec<Arc<Policy>>,
    pub boundary: Option<Vec<Arc<Policy>>>,
    pub boundary_arn: Option<String>,
    pub unread: Unread,
    pub context: Context,
    /// Actions some Allow statement names, whatever the resource and condition.
    pub may: Rc<Bits>,
    /// Steps from the principal as it is.
    pub depth: u8,
}

/// What a key nobody set is, for a caller who tries everything: requests are its own to shape, the network it comes
/// from, the time and a second factor are not known.
pub(crate) fn open(lower: &str) -> Fact {
    const CHOSEN: &[&str] = &[
        "aws:tagkeys",
        "aws:requestedregion",
        "aws:useragent",
        "aws:referer",
        "aws:sourceidentity",
        "sts:rolesessionname",
        "sts:sourceidentity",
        "sts:transitivetagkeys",
        "sts:durationseconds",
        "iam:awsservicename",
        "iam:associatedresourcearn",
    ];
    const ABSENT: &[&str] = &[
        "aws:calledvia",
        "aws:calledviafirst",
        "aws:calledvialast",
        "aws:sourcearn",
        "aws:sourceaccount",
        "aws:principalservicename",
        "aws:principalservicenameslist",
        "iam:permissionsboundary",
        "iam:passedtoservice",
        "iam:policyarn",
    ];
    if CHOSEN.contains(&lower) || lower.starts_with("aws:requesttag/") {
        return Fact::Chosen;
    }
    if ABSENT.contains(&lower)
        || lower.starts_with("aws:principaltag/")
        || lower.contains("resourcetag/")
        || lower.starts_with("s3:existingobjecttag/")
    {
        return Fact::Absent;
    }
    if lower.starts_with("aws:") || lower.starts_with("sts:") || lower.starts_with("saml:") || lower.starts_with("iam:")
    {
        return Fact::Unknown;
    }
    let service = lower.split(':').next().unwrap_or_default();
    if service.contains(['.', '/']) {
        // Keys of an identity provider's token.
        return Fact::Unknown;
    }
    Fact::Chosen
}

/// The context of every request of a principal.
pub(crate) fn base_context(principal: &Principal, organization: &Organization) -> Context {
    let mut context = Context::with_rest(open);
    context.set("aws:principalarn", [principal.arn.as_str()]);
    context.set("aws:principalaccount", [principal.account.as_str()]);
    context.set("aws:principaltype", [if principal.kind == Kind::User { "User" } else { "AssumedRole" }]);
    context.set("aws:principalisawsservice", ["false"]);
    context.set("aws:viaawsservice", ["false"]);
    context.set("aws:securetransport", ["true"]);
    if principal.kind == Kind::Role {
        context.put("aws:username", Fact::Absent);
    } else {
        context.set("aws:username", [principal.name.as_str()]);
        if !principal.id.is_empty() {
            context.set("aws:userid", [principal.id.as_str()]);
        }
    }
    for (key, value) in &principal.tags {
        context.set(&format!("aws:PrincipalTag/{key}"), [value.as_str()]);
    }
    if let Some(id) = &organization.id {
        context.set("aws:principalorgid", [id.as_str()]);
    }
    if let Some(path) = organization.accounts.get(&principal.account).and_then(|c| c.path.as_deref()) {
        context.set("aws:principalorgpaths", [path]);
    }
    context
}

impl Actor {
    pub(crate) fn new(at: usize, principal: &Principal, organization: &Organization, sets: &mut ActionSets) -> Self {
        let caller = Caller {
            kind: if principal.kind == Kind::User { CallerKind::User } else { CallerKind::Role },
            arn: principal.arn.clone(),
            account: principal.account.clone(),
            role: (principal.kind == Kind::Role).then(|| principal.arn.clone()),
        };
        let boundary = principal.boundary.as_ref();
        let mut actor = Self {
            principal: at,
            kind: principal.kind,
            caller,
            attachments: principal.attachments.clone(),
            identity: Vec::new(),
            boundary: boundary.and_then(|b| b.policy.clone()).map(|p| vec![p]),
            boundary_arn: boundary.map(|b| b.arn.clone()),
            unread: Unread { boundary: boundary.is_some_and(|b| b.policy.is_none()), ..Unread::default() },
            context: base_context(principal, organization),
            may: Rc::default(),
            depth: 0,
        };
        actor.settle(sets);
        actor
    }

    /// Brings what is derived from the attachments up to date.
    pub(crate) fn settle(&mut self, sets: &mut ActionSets) {
        self.identity = self.attachments.iter().map(|a| Arc::clone(&a.policy)).collect();
        let mut may = Bits::empty(data::actions().len());
        for policy in &self.identity {
            for statement in policy.document.statements.iter().filter(|s| s.effect == Effect::Allow) {
                may.union(&sets.of(&statement.actions));
            }
        }
        self.may = Rc::new(may);
    }

    /// The same principal one step on.
    pub(crate) fn changed(&self, sets: &mut ActionSets, change: impl FnOnce(&mut Self)) -> Self {
        let mut next = self.clone();
        next.depth += 1;
        change(&mut next);
        next.settle(sets);
        next
    }

    /// Takes the boundary off.
    pub(crate) fn unbind(&mut self) {
        self.boundary = None;
        self.boundary_arn = None;
        self.unread.boundary = false;
    }

    /// The policies that bear on a request about something in account `owner`.
    pub(crate) fn policies<'a>(
        &'a self,
        organization: &'a Organization,
        owner: &str,
        resource: Option<&'a Policy>,
    ) -> Policies<'a> {
        Policies {
            identity: &self.identity,
            boundary: self.boundary.as_deref(),
            session: None,
            resource,
            scps: organization.scps_of(&self.caller.account),
            rcps: organization.rcps_of(owner),
            endpoint: None,
            grants: &[],
            unread: self.unread,
        }
    }

    fn request(&self, action: &str, resource: &str, extra: &[(&str, Fact)]) -> Request {
        let mut context = self.context.clone();
        for (key, fact) in extra {
            context.put(key, fact.clone());
        }
        let account = super::super::arn::Arn::parse(resource).map(|a| a.account()).filter(|a| !a.is_empty());
        let account = account.unwrap_or(&self.caller.account);
        context.set("aws:resourceaccount", [account]);
        Request {
            caller: self.caller.clone(),
            action: action.into(),
            resource: resource.into(),
            resource_account: account.into(),
            context,
        }
    }

    /// Whether it certainly may; `action` in lower case.
    pub(crate) fn can(&self, org: &Organization, action: &str, resource: &str, extra: &[(&str, Fact)]) -> bool {
        self.can_with(org, action, resource, extra, None)
    }

    /// Whether it certainly may, given the resource's own policy.
    pub(crate) fn can_with(
        &self,
        org: &Organization,
        action: &str,
        resource: &str,
        extra: &[(&str, Fact)],
        policy: Option<&Policy>,
    ) -> bool {
        let request = self.request(action, resource, extra);
        allowed(&request, &self.policies(org, &request.resource_account, policy)).is_yes()
    }

    /// Whether it certainly may assume a role with this trust policy.
    pub(crate) fn can_assume(&self, org: &Organization, role: &str, trust: &Policy) -> bool {
        self.can_with(org, "sts:assumerole", role, &[], Some(trust))
    }

    /// The decision with its reasons.
    pub(crate) fn why(
        &self,
        org: &Organization,
        action: &str,
        resource: &str,
        extra: &[(&str, Fact)],
        trust: Option<&Policy>,
    ) -> Decision {
        let request = self.request(action, resource, extra);
        decide(&request, &self.policies(org, &request.resource_account, trust))
    }

    /// Whether some Allow statement names the action, given in lower case.
    pub(crate) fn mentions(&self, action: &str) -> bool {
        match data::actions().position(action) {
            Some(at) => self.may.contains(at),
            // An action the catalogue has lost: read the statements themselves.
            None => self
                .identity
                .iter()
                .any(|p| p.document.statements.iter().any(|s| s.effect == Effect::Allow && s.actions.matches(action))),
        }
    }
}

/// The policy that allows everything.
pub(crate) fn allow_everything() -> Arc<Policy> {
    use std::sync::OnceLock;
    static POLICY: OnceLock<Arc<Policy>> = OnceLock::new();
    Arc::clone(POLICY.get_or_init(|| {
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        let empty = Document { version: "".into(), statements: Box::default(), problems: Vec::new() };
        Arc::new(Policy::new("everything", Document::parse(text).unwrap_or(empty)))
    }))
}

/// A trust policy that admits anyone, as an actor who may rewrite it would.
pub(crate) fn trust_everyone() -> Arc<Policy> {
    use std::sync::OnceLock;
    static POLICY: OnceLock<Arc<Policy>> = OnceLock::new();
    Arc::clone(POLICY.get_or_init(|| {
        let text =
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}"#;
        let empty = Document { version: "".into(), statements: Box::default(), problems: Vec::new() };
        Arc::new(Policy::new("rewritten trust policy", Document::parse(text).unwrap_or(empty)))
    }))
}

/// Sets that recur in the judgement of administrators.
pub(crate) struct AdminRule {
    iam: Bits,
    critical: Bits,
    universe: usize,
}

impl AdminRule {
    pub(crate) fn new() -> Self {
        let catalogue = data::actions();
        let mut iam = Bits::empty(catalogue.len());
        iam.insert_range(catalogue.with_prefix("iam:"));
        let mut critical = Bits::empty(catalogue.len());
        for name in [
            "iam:attachrolepolicy",
            "iam:createpolicyversion",
            "iam:createrole",
            "iam:passrole",
            "iam:putrolepolicy",
            "iam:updateassumerolepolicy",
        ] {
            if let Some(at) = catalogue.position(name) {
                critical.insert(at);
            }
        }
        Self { iam, critical, universe: catalogue.len() }
    }

    /// Judges an actor: IAM in full through its policies, and neither boundary nor organization in the way.
    pub(crate) fn judge(&self, actor: &Actor, org: &Organization, sets: &mut ActionSets) -> Admin {
        if actor.unread.boundary || !self.critical.is_subset(&actor.may) {
            return Admin::No;
        }
        let own = self.effective(&actor.identity, actor, sets);
        let full = own.count() * 5 >= self.universe * 4;
        let iam = own.count_common(&self.iam) * 20 >= self.iam.count() * 19;
        if !self.critical.is_subset(&own) || !(full || iam) {
            return Admin::No;
        }
        let limits = actor.boundary.iter().map(Vec::as_slice);
        let levels = org.scps_of(&actor.caller.account).iter().map(|l| l.policies.as_slice());
        for policies in limits.chain(levels) {
            let set = self.effective(policies, actor, sets);
            if !self.critical.is_subset(&set) || set.count() * 5 < self.universe * 4 {
                return Admin::No;
            }
        }
        if full { Admin::Full } else { Admin::Equivalent }
    }

    /// What a set of policies allows on everything.
    fn effective(&self, policies: &[Arc<Policy>], actor: &Actor, sets: &mut ActionSets) -> Bits {
        let mut allow = Bits::empty(self.universe);
        let mut deny = Bits::empty(self.universe);
        for policy in policies {
            for statement in &policy.document.statements {
                let holds = statement
                    .conditions
                    .iter()
                    .fold(Tri::Yes, |all, c| all.and(c.holds(&actor.context, statement.effect == Effect::Allow)));
                if !holds.is_yes() {
                    continue;
                }
                let everything = statement.resources.as_ref().is_none_or(|r| r.is_everything());
                match statement.effect {
                    Effect::Allow if everything => allow.union(&sets.of(&statement.actions)),
                    Effect::Allow if covers_iam(statement, actor) => {
                        let mut set = sets.of(&statement.actions);
                        set.intersect(&self.iam);
                        allow.union(&set);
                    }
                    Effect::Deny if everything || statement.resources.as_ref().is_some_and(|r| r.inverted) => {
                        deny.union(&sets.of(&statement.actions));
                    }
                    _ => {}
                }
            }
        }
        allow.subtract(&deny);
        allow
    }
}

/// Whether a statement covers every kind of IAM resource of the account.
fn covers_iam(statement: &Statement, actor: &Actor) -> bool {
    let Some(resources) = &statement.resources else { return true };
    let account = &actor.caller.account;
    let partition = actor.caller.partition();
    ["user", "role", "policy", "group", "instance-profile"].iter().all(|kind| {
        let arn = format!("arn:{partition}:iam::{account}:{kind}/any/Thing");
        resources.matches(&ResourceText::from(arn.as_str()), &actor.context).is_yes()
    })
}

/// The name of the layer in evidence about trust policies.
pub(crate) const TRUST: Layer = Layer::Resource;
