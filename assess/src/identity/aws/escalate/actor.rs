//! Actors: principals as they are, or as they would be after a step.

use super::super::{
    action_sets::ActionSets,
    bits::Bits,
    condition::{Condition, Operator},
    context::{Context, Fact},
    data,
    decide::{Decision, Layer, Level, Policies, Request, Unread, allowed, hope},
    details::{Attachment, Kind, Principal},
    document::{Document, Effect, Policy, Statement},
    glob::ResourceText,
    principal::{Caller, CallerKind},
    tri::Tri,
};
use std::{cell::Cell, collections::BTreeMap, rc::Rc, sync::Arc};

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
    /// Actions some Allow statement names, whatever the resource and condition, and nothing denies outright.
    pub may: Rc<Bits>,
    /// What the organization lets through for some resource.
    pub through: Rc<Bits>,
    /// Steps from the principal as it is.
    pub depth: u8,
    /// Whether what hangs on facts nobody knows is taken to go its way.
    pub hopes: bool,
    /// The last request asked: the next one often differs in the resource alone.
    probe: Probe,
}

/// A request kept for the next question.
#[derive(Default)]
struct Probe(Cell<Option<Box<Asked>>>);

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Probe")
    }
}

struct Asked {
    request: Request,
    extra: Vec<(Box<str>, Fact)>,
}

impl Clone for Probe {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// The actions that every level of guardrails lets through for some resource and context.
pub(crate) fn let_through(levels: &[Level], sets: &mut ActionSets) -> Rc<Bits> {
    let mut through = Bits::full(data::actions().len());
    for level in levels {
        through.intersect(&mentioned(&level.policies, sets));
        denied_outright(&level.policies, sets, &mut through);
    }
    sets.share(through)
}

/// The actions some Allow statement names.
fn mentioned(policies: &[Arc<Policy>], sets: &mut ActionSets) -> Bits {
    let mut out = Bits::empty(data::actions().len());
    let statements = policies.iter().flat_map(|p| p.document.statements.iter());
    statements.filter(|s| s.effect == Effect::Allow).for_each(|s| out.union(&sets.of(&s.actions)));
    out
}

/// Takes out what a Deny without conditions forbids everywhere.
fn denied_outright(policies: &[Arc<Policy>], sets: &mut ActionSets, from: &mut Bits) {
    for statement in policies.iter().flat_map(|p| p.document.statements.iter()) {
        let everywhere = statement.resources.as_ref().is_none_or(|r| r.is_everything());
        if statement.effect == Effect::Deny
            && everywhere
            && statement.conditions.is_empty()
            && statement.principals.is_none()
        {
            from.subtract(&sets.of(&statement.actions));
        }
    }
}

/// What a key nobody set is, for a caller who tries everything: requests are its own to shape, the network it comes
/// from, the time and a second factor are not known.
pub(crate) fn open(lower: &str) -> Fact {
    const CHOSEN: &[&str] = &[
        "aws:tagkeys",
        "aws:requestedregion",
        "aws:useragent",
        "aws:referer",
        "sts:rolesessionname",
        "sts:sourceidentity",
        "sts:transitivetagkeys",
        "sts:durationseconds",
        "iam:awsservicename",
        "iam:associatedresourcearn",
    ];
    // What the called service, the resource or the way there fixes.
    const FIXED: &[&str] = &[
        "kms:viaservice",
        "kms:granteeprincipal",
        "lambda:functionurlauthtype",
        "lambda:invokedviafunctionurl",
        "lambda:sourcefunctionarn",
        "s3:accessgrantsinstancearn",
        "s3:accesspointnetworkorigin",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "ssm:sourceinstancearn",
        "ec2:sourceinstancearn",
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
    if FIXED.contains(&lower) {
        return Fact::Unknown;
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

/// Whether a condition hangs on what nobody knows beforehand: an address, a second factor, the time, a provider's token.
/// What is known of the principal and its organization decides for itself, and what a request chooses counts for the
/// caller.
pub fn is_open(condition: &Condition, organization: &Organization) -> bool {
    // What every request says of its caller and of what it asks for.
    const SAID: &[&str] = &[
        "aws:principalarn",
        "aws:principalaccount",
        "aws:principaltype",
        "aws:principalisawsservice",
        "aws:viaawsservice",
        "aws:securetransport",
        "aws:userid",
        "aws:username",
        "aws:resourceaccount",
        "s3:resourceaccount",
        "kms:calleraccount",
    ];
    let known = match &*condition.key {
        "aws:principalorgid" => organization.id.is_some(),
        "aws:principalorgpaths" => {
            !organization.accounts.is_empty() && organization.accounts.values().all(|c| c.path.is_some())
        }
        key => SAID.contains(&key) || open(key) != Fact::Unknown,
    };
    !known && condition.operator != Operator::Unsupported
}

/// Actions of services without regions.
fn is_global(action: &str) -> bool {
    action.starts_with("iam:") || action.starts_with("organizations:")
}

/// Whether a policy looks at what a session is given when it begins.
fn asks_for_tags(policy: &Policy) -> bool {
    let mut conditions = policy.document.statements.iter().flat_map(|s| s.conditions.iter());
    conditions.any(|c| is_session_tag(&c.key) || is_source_identity(&c.key))
}

fn is_session_tag(lower: &str) -> bool {
    lower.starts_with("aws:requesttag/") || matches!(lower, "aws:tagkeys" | "sts:transitivetagkeys")
}

fn is_source_identity(lower: &str) -> bool {
    lower == "sts:sourceidentity"
}

/// What the context of every request of an account's principals of one kind has in common.
pub(crate) fn account_context(account: &str, kind: Kind, organization: &Organization) -> Arc<Context> {
    let mut context = Context::with_rest(open);
    context.set("aws:principalaccount", [account]);
    context.set("kms:calleraccount", [account]);
    context.set("aws:principaltype", [if kind == Kind::User { "User" } else { "AssumedRole" }]);
    context.set("aws:principalisawsservice", ["false"]);
    context.set("aws:viaawsservice", ["false"]);
    context.set("aws:securetransport", ["true"]);
    if kind == Kind::Role {
        context.put("aws:username", Fact::Absent);
    }
    if let Some(id) = &organization.id {
        context.set("aws:principalorgid", [id.as_str()]);
    }
    if let Some(path) = organization.accounts.get(account).and_then(|c| c.path.as_deref()) {
        context.set("aws:principalorgpaths", [path]);
    }
    Arc::new(context)
}

/// The context of every request of a principal, over what it has in common with others.
fn own_context(principal: &Principal, common: &Arc<Context>) -> Context {
    let mut context = Context::over(common);
    context.set("aws:principalarn", [principal.arn.as_str()]);
    if principal.kind == Kind::Role {
        if !principal.id.is_empty() {
            // The session's name is the caller's choice.
            context.set("aws:userid", [format!("{}:session", principal.id)]);
        }
    } else {
        context.set("aws:username", [principal.name.as_str()]);
        if !principal.id.is_empty() {
            context.set("aws:userid", [principal.id.as_str()]);
        }
    }
    for (key, value) in &principal.tags {
        context.set(&format!("aws:PrincipalTag/{key}"), [value.as_str()]);
    }
    context
}

/// The context of every request of a principal.
pub(crate) fn base_context(principal: &Principal, organization: &Organization) -> Context {
    own_context(principal, &account_context(&principal.account, principal.kind, organization))
}

impl Actor {
    pub(crate) fn new(at: usize, principal: &Principal, organization: &Organization, sets: &mut ActionSets) -> Self {
        let through = let_through(organization.scps_of(&principal.account), sets);
        let common = account_context(&principal.account, principal.kind, organization);
        Self::bound(at, principal, &common, through, sets)
    }

    /// The same with what its account and the organization say of it already known.
    pub(crate) fn bound(
        at: usize,
        principal: &Principal,
        common: &Arc<Context>,
        through: Rc<Bits>,
        sets: &mut ActionSets,
    ) -> Self {
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
            context: own_context(principal, common),
            may: Rc::default(),
            through,
            depth: 0,
            hopes: false,
            probe: Probe::default(),
        };
        actor.settle(sets);
        actor
    }

    /// Brings what is derived from the attachments up to date.
    pub(crate) fn settle(&mut self, sets: &mut ActionSets) {
        self.identity = self.attachments.iter().map(|a| Arc::clone(&a.policy)).collect();
        let mut may = mentioned(&self.identity, sets);
        may.intersect(&self.through);
        denied_outright(&self.identity, sets, &mut may);
        if let Some(boundary) = &self.boundary {
            denied_outright(boundary, sets, &mut may);
            // Resource policies can grant past what a boundary leaves out, but IAM's own actions have none.
            let mut iam = Bits::empty(data::actions().len());
            iam.insert_range(data::actions().with_prefix("iam:"));
            iam.subtract(&mentioned(boundary, sets));
            may.subtract(&iam);
        }
        self.may = sets.share(may);
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
        context.asks(action);
        let mut request = Request {
            caller: self.caller.clone(),
            action: action.into(),
            resource: "".into(),
            resource_account: "".into(),
            context,
        };
        if is_global(action) {
            // Global services answer in one region of their partition.
            let home = match self.caller.partition() {
                "aws-cn" => "cn-north-1",
                "aws-us-gov" => "us-gov-west-1",
                _ => "us-east-1",
            };
            request.context.set("aws:requestedregion", [home]);
        }
        self.aim(&mut request, resource);
        request
    }

    /// Asks the same about another resource.
    fn aim(&self, request: &mut Request, resource: &str) {
        let arn = super::super::arn::Arn::parse(resource);
        let account = arn.map(|a| a.account()).filter(|a| !a.is_empty()).unwrap_or(&self.caller.account);
        if *request.resource_account != *account {
            request.context.set("aws:resourceaccount", [account]);
            request.context.set("s3:resourceaccount", [account]);
            request.resource_account = account.into();
        }
        if !is_global(&request.action) {
            match arn.map(|a| a.region()).filter(|r| !r.is_empty() && !r.contains('*')) {
                Some(region) => request.context.set("aws:requestedregion", [region]),
                None => request.context.put("aws:requestedregion", Fact::Chosen),
            }
        }
        request.resource = resource.into();
    }

    /// Lets `judge` look at the request; it is made anew only when more than the resource differs from the last.
    fn asking<T>(&self, action: &str, resource: &str, extra: &[(&str, Fact)], judge: impl FnOnce(&Request) -> T) -> T {
        let held = self.probe.0.take().filter(|asked| {
            *asked.request.action == *action
                && asked.extra.len() == extra.len()
                && asked.extra.iter().zip(extra).all(|((k, f), (key, fact))| **k == **key && f == fact)
        });
        let mut asked = match held {
            Some(asked) => asked,
            None => Box::new(Asked {
                request: self.request(action, resource, extra),
                extra: extra.iter().map(|(k, f)| ((*k).into(), f.clone())).collect(),
            }),
        };
        if *asked.request.resource != *resource {
            self.aim(&mut asked.request, resource);
        }
        let out = judge(&asked.request);
        self.probe.0.set(Some(asked));
        out
    }

    /// Lets the last request go: kept for each of thousands of actors they would be most of what a search holds.
    pub(crate) fn forget(&self) {
        self.probe.0.take();
    }

    /// The actions that its own policies, its boundary and the organization allow or deny under conditions nobody can
    /// judge beforehand.
    pub(crate) fn hedged(&self, org: &Organization, sets: &mut ActionSets) -> Bits {
        let mut out = Bits::empty(data::actions().len());
        if self.unread.boundary {
            return Bits::full(data::actions().len());
        }
        let account = &self.caller.account;
        let levels = org.scps_of(account).iter().chain(org.rcps_of(account)).flat_map(|level| &level.policies);
        let policies = self.identity.iter().chain(self.boundary.iter().flatten()).chain(levels);
        for statement in policies.flat_map(|p| p.document.statements.iter()) {
            let helps = statement.effect == Effect::Allow;
            let mut conditions = statement.conditions.iter();
            if conditions.any(|c| c.holds(&self.context, helps) == Tri::Maybe) || self.is_unclear(statement) {
                out.union(&sets.of(&statement.actions));
            }
        }
        out
    }

    /// Whether a statement's resources hang on a variable nobody knows the value of.
    fn is_unclear(&self, statement: &Statement) -> bool {
        use super::super::glob::{Piece, pieces};
        let unknown = |piece: &Piece| matches!(piece, Piece::Variable { key, .. } if self.context.single(key).is_err());
        let mut texts = statement.resources.iter().flat_map(|r| &r.texts).filter(|text| text.contains("${"));
        texts.any(|text| pieces(text).iter().any(unknown))
    }

    /// Whether an answer is what it asks for: a certain one, or one that may turn out so where it hopes.
    pub(crate) fn content(&self, answer: Tri) -> bool {
        answer.is_yes() || (self.hopes && !answer.is_no())
    }

    /// The same, who takes it that what hangs on facts nobody knows goes its way.
    pub(crate) fn hoping(&self) -> Self {
        Self { hopes: true, ..self.clone() }
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
        self.asking(action, resource, extra, |request| {
            self.content(allowed(request, &self.policies(org, &request.resource_account, policy)))
        })
    }

    /// Whether it certainly may assume a role with this trust policy.
    pub(crate) fn can_assume(&self, org: &Organization, role: &str, trust: &Policy) -> bool {
        if !self.can_with(org, "sts:assumerole", role, &[], Some(trust)) {
            return false;
        }
        let with = |rest: fn(&str) -> Fact| {
            let mut request = self.request("sts:assumerole", role, &[]);
            request.context.otherwise(rest);
            self.content(allowed(&request, &self.policies(org, &request.resource_account, Some(trust))))
        };
        if !asks_for_tags(trust) && !self.identity.iter().any(|p| asks_for_tags(p)) {
            return true;
        }
        // Session tags and a source identity take permissions of their own, which the trust policy must give too.
        let also = |action: &str| self.can_with(org, action, role, &[], Some(trust));
        with(|key| if is_session_tag(key) || is_source_identity(key) { Fact::Absent } else { open(key) })
            || (with(|key| if is_source_identity(key) { Fact::Absent } else { open(key) }) && also("sts:tagsession"))
            || (with(|key| if is_session_tag(key) { Fact::Absent } else { open(key) }) && also("sts:setsourceidentity"))
            || (also("sts:tagsession") && also("sts:setsourceidentity"))
    }

    /// The decision with its reasons: where it may turn out so, those that would allow it.
    pub(crate) fn why(
        &self,
        org: &Organization,
        action: &str,
        resource: &str,
        extra: &[(&str, Fact)],
        trust: Option<&Policy>,
    ) -> Decision {
        self.asking(action, resource, extra, |request| {
            hope(request, &self.policies(org, &request.resource_account, trust))
        })
    }

    /// Whether some Allow statement names the action, given in lower case, and nothing denies it outright.
    pub(crate) fn mentions(&self, action: &str) -> bool {
        match data::actions().position(action) {
            Some(at) => self.may.contains(at),
            None => self.is_given(action),
        }
    }

    /// Whether some Allow statement names the action, given in lower case, denied or not.
    pub(crate) fn is_given(&self, action: &str) -> bool {
        let mut statements = self.identity.iter().flat_map(|p| p.document.statements.iter());
        statements.any(|s| s.effect == Effect::Allow && s.actions.matches(action))
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

/// A policy of a function that lets anyone do anything with it.
pub(crate) fn invoke_everyone() -> Arc<Policy> {
    use std::sync::OnceLock;
    static POLICY: OnceLock<Arc<Policy>> = OnceLock::new();
    Arc::clone(POLICY.get_or_init(|| {
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"lambda:*","Resource":"*"}}"#;
        let empty = Document { version: "".into(), statements: Box::default(), problems: Vec::new() };
        Arc::new(Policy::new("unread policy", Document::parse(text).unwrap_or(empty)))
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
