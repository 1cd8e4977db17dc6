//! The decision: may this caller do this action on this resource, and by which statements.

use super::{
    arn::Arn,
    context::Context,
    document::{Effect, Policy},
    glob::ResourceText,
    principal::{Caller, CallerKind, PrincipalMatch},
    rcp,
    tri::Tri,
};
use std::sync::Arc;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// `service:Action`, in lower case.
    pub action: Box<str>,
    /// An ARN, or `*` for actions without resources.
    pub resource: Box<str>,
    /// The account that owns the resource.
    pub resource_account: Box<str>,
    /// Condition keys, the derived ones included.
    pub context: Context,
}

impl Request {
    /// A request with the context keys that follow from caller and resource filled in, where `context` leaves them
    /// open.
    ///
    /// Without `resource_account` the ARN's account counts; an ARN without one (S3) is the caller's own.
    pub fn new(
        mut caller: Caller,
        action: &str,
        resource: &str,
        resource_account: Option<&str>,
        mut context: Context,
    ) -> Self {
        let account = match resource_account.filter(|a| !a.is_empty()) {
            Some(account) => account,
            None => match Arn::parse(resource).map(|arn| arn.account()) {
                Some(account) if super::arn::is_account_id(account) => account,
                _ => caller.account.as_str(),
            },
        };
        let account: Box<str> = account.into();
        if let (CallerKind::Session, Ok(Some(arn))) = (caller.kind, context.single("aws:principalarn")) {
            // The session's ARN has lost the role's path; the key has it.
            let fits = Arn::parse(arn).zip(caller.role.as_deref().and_then(Arn::parse)).is_some_and(|(given, held)| {
                given.service() == "iam" && given.account() == held.account() && given.name() == held.name()
            });
            if fits {
                caller.role = Some(arn.to_owned());
            }
        }
        derive(&caller, &account, &mut context);
        // What two services say of the accounts under names of their own.
        if action.get(..4).is_some_and(|s| s.eq_ignore_ascii_case("kms:")) && caller.is_identity() {
            context.fill("kms:calleraccount", &caller.account);
        }
        if action.get(..3).is_some_and(|s| s.eq_ignore_ascii_case("s3:")) && !account.is_empty() {
            context.fill("s3:resourceaccount", &account);
        }
        Self {
            caller,
            action: action.to_ascii_lowercase().into(),
            resource: resource.into(),
            resource_account: account,
            context,
        }
    }
}

/// Fills the keys AWS itself puts into every request.
fn derive(caller: &Caller, resource_account: &str, context: &mut Context) {
    if caller.is_identity() {
        context.fill("aws:principalarn", caller.principal_arn());
        context.fill("aws:principalaccount", &caller.account);
        context.fill("aws:principaltype", caller.principal_type());
        context.fill("aws:principalisawsservice", "false");
        context.fill("aws:viaawsservice", "false");
        match caller.kind {
            CallerKind::User => context.fill("aws:username", caller.name()),
            CallerKind::Root => context.fill("aws:userid", &caller.account),
            CallerKind::FederatedUser => {
                let name = Arn::parse(&caller.arn).map_or("", |arn| arn.name());
                context.fill("aws:userid", &format!("{}:{name}", caller.account));
            }
            _ => {}
        }
    } else {
        match caller.kind {
            CallerKind::Service => {
                context.fill("aws:principalisawsservice", "true");
                context.fill("aws:principalservicename", &caller.arn);
                context.fill("aws:principaltype", caller.principal_type());
            }
            CallerKind::Provider => context.fill("aws:federatedprovider", &caller.arn),
            CallerKind::Anonymous => {
                context.fill("aws:principaltype", "Anonymous");
                context.fill("aws:principalaccount", "anonymous");
                context.fill("aws:principalisawsservice", "false");
            }
            _ => {}
        }
    }
    if !resource_account.is_empty() {
        context.fill("aws:resourceaccount", resource_account);
    }
}

/// A KMS grant.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Its name, or else its id; empty when neither is known.
    pub name: Box<str>,
    /// The ARN of the grantee.
    pub grantee: Box<str>,
    /// The granted operations without prefix: `Decrypt`.
    pub operations: Vec<Box<str>>,
    /// Pairs the encryption context must contain.
    pub context_subset: Vec<(Box<str>, Box<str>)>,
    /// Whether the encryption context must hold nothing else.
    pub context_exact: bool,
}

/// The policies that bear on a request.
///
/// A layer that is absent does not limit; a layer that could not be read is named in `unread`, and the decision says
/// what depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policies<'a> {
    /// Of the user or role, its groups' included.
    pub identity: &'a [Arc<Policy>],
    /// The permissions boundary.
    pub boundary: Option<&'a [Arc<Policy>]>,
    /// Session policies; each must allow.
    pub session: Option<&'a [Arc<Policy>]>,
    /// The resource's own policy: bucket policy, key policy, trust policy.
    pub resource: Option<&'a Policy>,
    /// Service control policies, one entry for each level from the root to the account; each level must allow.
    pub scps: &'a [Level],
    /// Resource control policies by level; each level implicitly allows everything.
    pub rcps: &'a [Level],
    /// VPC endpoint policies, when the request passes an endpoint.
    pub endpoint: Option<&'a [Arc<Policy>]>,
    /// Grants on the KMS key.
    pub grants: &'a [Grant],
    /// Layers that exist or may exist but could not be read.
    pub unread: Unread,
}

/// The policies attached at one level of an organization.
#[derive(Debug, Clone, Default)]
pub struct Level {
    /// The root, unit or account id.
    pub id: Box<str>,
    /// The policies.
    pub policies: Vec<Arc<Policy>>,
}

/// Layers that could not be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)]
pub struct Unread {
    /// Identity policies.
    pub identity: bool,
    /// The boundary.
    pub boundary: bool,
    /// Session policies.
    pub session: bool,
    /// The resource policy.
    pub resource: bool,
    /// Service control policies.
    pub scps: bool,
    /// Resource control policies.
    pub rcps: bool,
    /// Endpoint policies.
    pub endpoint: bool,
}

/// The kinds of policies a statement can stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    /// Identity or group policy.
    Identity,
    /// Permissions boundary.
    Boundary,
    /// Session policy.
    Session,
    /// Resource policy.
    Resource,
    /// Service control policy.
    Scp,
    /// Resource control policy.
    Rcp,
    /// VPC endpoint policy.
    Endpoint,
    /// A rule of the service itself.
    Service,
}

impl Layer {
    /// The name used in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Boundary => "boundary",
            Self::Session => "session",
            Self::Resource => "resource",
            Self::Scp => "scp",
            Self::Rcp => "rcp",
            Self::Endpoint => "endpoint",
            Self::Service => "service",
        }
    }
}

/// The three answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The request succeeds.
    Allowed,
    /// Nothing allows it.
    ImplicitlyDenied,
    /// A statement forbids it.
    ExplicitlyDenied,
}

impl Outcome {
    /// The name used in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "Allowed",
            Self::ImplicitlyDenied => "ImplicitlyDenied",
            Self::ExplicitlyDenied => "ExplicitlyDenied",
        }
    }
}

/// A statement or a gap that decided.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Because {
    /// Where it stands.
    pub layer: &'static str,
    /// The policy's name; for a missing grant, the level or layer that does not allow.
    pub policy: Arc<str>,
    /// The statement's Sid or place.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub statement: Arc<str>,
    /// `Allow`, `Deny`, or `NoAllow` for a layer without a matching allow.
    pub effect: &'static str,
}

/// A condition whose truth could not be established.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Residual {
    /// `Allow`: the condition must hold; `Deny`: it must not.
    pub effect: &'static str,
    /// Where the statement stands.
    pub layer: &'static str,
    /// The policy's name, or the layer that could not be read.
    pub policy: String,
    /// The statement's Sid or place; empty for an unread layer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub statement: String,
    /// The condition key; empty for an unread layer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The operator.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub operator: String,
    /// The values the condition compares with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl Residual {
    /// What must be so for the caller to succeed: `Deny X of identity policy P does not apply (aws:SourceIp NotIpAddress
    /// 192.0.2.0/24)`.
    pub fn words(&self) -> String {
        if self.operator.is_empty() {
            return format!("the {} policies, which could not be read, let it through", self.layer);
        }
        let must = if self.effect == "Deny" { "does not apply" } else { "applies" };
        let condition = [&*self.key, &*self.operator, &*self.values.join(", ")];
        let condition: Vec<&str> = condition.into_iter().filter(|text| !text.is_empty()).collect();
        format!(
            "{} {} of {} policy {} {must} ({})",
            self.effect,
            self.statement,
            self.layer,
            self.policy,
            condition.join(" ")
        )
    }
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The answer, unknown facts taken against the caller.
    pub outcome: Outcome,
    /// Whether the request is allowed: `Maybe` when it depends on [`Decision::residual`].
    pub allowed: Tri,
    /// What decided.
    pub because: Vec<Because>,
    /// What the answer depends on; empty when it is certain.
    pub residual: Vec<Residual>,
}

#[derive(Clone, Copy)]
struct Hit<'a> {
    layer: Layer,
    policy: &'a Policy,
    statement: usize,
    applies: Tri,
    allow: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct SetResult {
    allow: Tri,
    deny: Tri,
}

#[derive(Debug, Clone, Copy, Default)]
struct ResourceResult {
    account: Tri,
    principal: Tri,
    session: Tri,
    wildcard: Tri,
    deny: Tri,
}

impl ResourceResult {
    fn any(&self) -> Tri {
        self.account.or(self.principal).or(self.session).or(self.wildcard)
    }
}

struct Evaluation<'a, 'r> {
    request: &'r Request,
    resource: ResourceText<'r>,
    bounded: bool,
    hits: Vec<Hit<'a>>,
    wanted: bool,
}

impl<'a, 'r> Evaluation<'a, 'r> {
    fn new(request: &'r Request, policies: &Policies<'a>, wanted: bool) -> Self {
        let (resource, bounded) = (ResourceText::from(request.resource.as_ref()), policies.boundary.is_some());
        Self { request, resource, bounded, hits: Vec::new(), wanted }
    }

    fn hit(&mut self, layer: Layer, policy: &'a Policy, statement: usize, applies: Tri, allow: bool) {
        if self.wanted {
            self.hits.push(Hit { layer, policy, statement, applies, allow });
        }
    }

    /// The statements of one policy; `deny_only` for resource control policies.
    fn policy(&mut self, layer: Layer, policy: &'a Policy, deny_only: bool, result: &mut SetResult) {
        let needs_principal = matches!(layer, Layer::Endpoint | Layer::Resource);
        for (at, statement) in policy.document.statements.iter().enumerate() {
            let deny = statement.effect == Effect::Deny;
            if deny_only && !deny {
                continue;
            }
            match &statement.principals {
                Some(principals)
                    if principals.names(&self.request.caller, deny, self.bounded) == PrincipalMatch::None =>
                {
                    continue;
                }
                None if needs_principal => continue,
                _ => {}
            }
            let applies = statement.applies(&self.request.action, &self.resource, &self.request.context);
            if applies.is_no() {
                continue;
            }
            self.hit(layer, policy, at, applies, !deny);
            if deny {
                result.deny = result.deny.or(applies);
            } else {
                result.allow = result.allow.or(applies);
            }
        }
    }

    fn set(&mut self, layer: Layer, policies: &'a [Arc<Policy>]) -> SetResult {
        let mut result = SetResult::default();
        for policy in policies {
            self.policy(layer, policy, false, &mut result);
        }
        result
    }

    fn resource_policy(&mut self, policy: &'a Policy) -> ResourceResult {
        let mut result = ResourceResult::default();
        for (at, statement) in policy.document.statements.iter().enumerate() {
            let deny = statement.effect == Effect::Deny;
            let Some(principals) = &statement.principals else { continue };
            let named = principals.names(&self.request.caller, deny, self.bounded);
            if named == PrincipalMatch::None {
                continue;
            }
            let applies = statement.applies(&self.request.action, &self.resource, &self.request.context);
            if applies.is_no() {
                continue;
            }
            self.hit(Layer::Resource, policy, at, applies, !deny);
            let slot = match named {
                _ if deny => &mut result.deny,
                PrincipalMatch::Account => &mut result.account,
                PrincipalMatch::Principal => &mut result.principal,
                PrincipalMatch::Session => &mut result.session,
                PrincipalMatch::Wildcard | PrincipalMatch::None => &mut result.wildcard,
            };
            *slot = slot.or(applies);
        }
        result
    }
}

/// Decides a request.
pub fn decide(request: &Request, policies: &Policies<'_>) -> Decision {
    evaluate(request, policies, true)
}

/// Decides a request as its caller hopes: what may be allowed is told by what would allow it, and by the
/// [`Decision::residual`] it hangs on.
pub(crate) fn hope(request: &Request, policies: &Policies<'_>) -> Decision {
    let mut run = Evaluation::new(request, policies, true);
    let mut decision = judge(&mut run, policies);
    if decision.allowed == Tri::Maybe {
        decision.because = run.hits.iter().filter(|h| h.allow).map(told).collect();
    }
    decision
}

/// Whether a request is allowed, without saying why: for callers that ask many times.
pub fn allowed(request: &Request, policies: &Policies<'_>) -> Tri {
    evaluate(request, policies, false).allowed
}

fn evaluate(request: &Request, policies: &Policies<'_>, wanted: bool) -> Decision {
    judge(&mut Evaluation::new(request, policies, wanted), policies)
}

fn judge<'a>(run: &mut Evaluation<'a, '_>, policies: &Policies<'a>) -> Decision {
    let request = run.request;
    let caller = &request.caller;
    let unread = policies.unread;
    let maybe = |flag: bool, result: SetResult| {
        if flag { SetResult { allow: result.allow.or(Tri::Maybe), deny: result.deny.or(Tri::Maybe) } } else { result }
    };
    let mut gaps: Vec<(Layer, String)> = Vec::new();

    let binds = caller.is_identity();
    let identity = if binds { run.set(Layer::Identity, policies.identity) } else { SetResult::default() };
    let identity = maybe(unread.identity && binds, identity);

    let mut deny = identity.deny;
    let mut limit = Tri::Yes;
    if let (Some(boundary), true) = (policies.boundary, binds) {
        let result = maybe(unread.boundary, run.set(Layer::Boundary, boundary));
        deny = deny.or(result.deny);
        if !result.allow.is_yes() {
            gaps.push((Layer::Boundary, "boundary".into()));
        }
        limit = limit.and(result.allow);
    } else if unread.boundary && binds {
        limit = limit.and(Tri::Maybe);
        deny = deny.or(Tri::Maybe);
    }
    if let (Some(sessions), true) = (policies.session, binds) {
        for session in sessions {
            let mut result = SetResult::default();
            run.policy(Layer::Session, session, false, &mut result);
            deny = deny.or(result.deny);
            if !result.allow.is_yes() {
                gaps.push((Layer::Session, session.name.to_string()));
            }
            limit = limit.and(result.allow);
        }
    }
    if unread.session && binds {
        limit = limit.and(Tri::Maybe);
        deny = deny.or(Tri::Maybe);
    }

    let mut gate = Tri::Yes;
    let guarded = !policies.scps.is_empty() || !policies.rcps.is_empty() || unread.scps || unread.rcps;
    // Which service it is tells its ARN: not taken apart where nothing depends on it.
    let linked = guarded && caller.is_service_linked();
    if binds && !linked {
        for level in policies.scps {
            let result = run.set(Layer::Scp, &level.policies);
            deny = deny.or(result.deny);
            if !result.allow.is_yes() {
                gaps.push((Layer::Scp, level.id.to_string()));
            }
            gate = gate.and(result.allow);
        }
        if unread.scps {
            gate = gate.and(Tri::Maybe);
            deny = deny.or(Tri::Maybe);
        }
    }
    let service = || request.action.split(':').next().unwrap_or_default();
    // Retiring a grant is the one action of these services the user guide exempts.
    let exempt = linked || request.action.as_ref() == "kms:retiregrant";
    if guarded && !exempt && rcp::binds(service()) {
        for level in policies.rcps {
            let mut result = SetResult::default();
            for policy in &level.policies {
                run.policy(Layer::Rcp, policy, true, &mut result);
            }
            deny = deny.or(result.deny);
        }
        if unread.rcps {
            deny = deny.or(Tri::Maybe);
        }
    }
    if let Some(endpoint) = policies.endpoint {
        let result = maybe(unread.endpoint, run.set(Layer::Endpoint, endpoint));
        deny = deny.or(result.deny);
        if !result.allow.is_yes() {
            gaps.push((Layer::Endpoint, "endpoint".into()));
        }
        gate = gate.and(result.allow);
    } else if unread.endpoint {
        gate = gate.and(Tri::Maybe);
        deny = deny.or(Tri::Maybe);
    }

    let mut resource = policies.resource.map(|policy| run.resource_policy(policy)).unwrap_or_default();
    if unread.resource {
        resource.principal = resource.principal.or(Tri::Maybe);
        resource.account = resource.account.or(Tri::Maybe);
        resource.deny = resource.deny.or(Tri::Maybe);
    }
    let grant = policies.grants.iter().find(|grant| granted(grant, request));
    if grant.is_some() {
        resource.principal = Tri::Yes;
    }
    if !keeps_its_bucket(request) {
        deny = deny.or(resource.deny);
    }

    let core = core(request, policies, identity.allow, limit, resource);
    let mut verdict = core.and(gate);
    let rule = service_rule(request);
    match rule {
        Some((Outcome::Allowed, _)) => {
            verdict = Tri::Yes;
            deny = Tri::No;
        }
        Some(_) => verdict = Tri::No,
        None => {}
    }

    let outcome = match (deny, verdict) {
        (Tri::Yes, _) => Outcome::ExplicitlyDenied,
        (Tri::Maybe, Tri::Yes | Tri::Maybe) => Outcome::ExplicitlyDenied,
        (Tri::No, Tri::Yes) => Outcome::Allowed,
        _ => Outcome::ImplicitlyDenied,
    };
    let allowed = verdict.and(deny.negate());
    if !run.wanted {
        return Decision { outcome, allowed, because: Vec::new(), residual: Vec::new() };
    }
    let mut decision = Decision { outcome, allowed, because: Vec::new(), residual: Vec::new() };
    run.explain(&mut decision, deny, gaps, rule.map(|(_, why)| why));
    if let (Some(grant), Outcome::Allowed) = (grant, outcome) {
        let policy = format!("grant {}", grant.name).trim_end().to_owned();
        decision.because.push(Because {
            layer: Layer::Resource.name(),
            policy: policy.into(),
            statement: Arc::default(),
            effect: "Allow",
        });
    }
    if allowed == Tri::Maybe {
        run.residual(&mut decision, unread);
    }
    decision
}

impl<'a> Evaluation<'a, '_> {
    fn explain(&self, decision: &mut Decision, deny: Tri, gaps: Vec<(Layer, String)>, rule: Option<&'static str>) {
        if let Some(rule) = rule {
            decision.because.push(Because {
                layer: Layer::Service.name(),
                policy: rule.into(),
                statement: Arc::default(),
                effect: if decision.outcome == Outcome::Allowed { "Allow" } else { "Deny" },
            });
            return;
        }
        match decision.outcome {
            Outcome::ExplicitlyDenied => {
                decision.because.extend(self.hits.iter().filter(|h| !h.allow && h.applies == deny).map(told));
            }
            Outcome::Allowed => {
                decision.because.extend(self.hits.iter().filter(|h| h.allow && h.applies.is_yes()).map(told));
                if decision.because.is_empty() && self.request.caller.kind == CallerKind::Root {
                    decision.because.push(Because {
                        layer: Layer::Service.name(),
                        policy: "the root user may do everything in its account".into(),
                        statement: Arc::default(),
                        effect: "Allow",
                    });
                }
            }
            Outcome::ImplicitlyDenied => {
                for layer in [Layer::Identity, Layer::Resource] {
                    if !self.hits.iter().any(|h| h.layer == layer && h.allow && h.applies.is_yes()) {
                        decision.because.push(missing(layer, layer.name().into()));
                    }
                }
                decision.because.extend(gaps.into_iter().map(|(layer, id)| missing(layer, id)));
            }
        }
    }

    fn residual(&self, decision: &mut Decision, unread: Unread) {
        for hit in self.hits.iter().filter(|h| h.applies == Tri::Maybe) {
            let Some(statement) = hit.policy.document.statements.get(hit.statement) else { continue };
            let base = |key: &str, operator: &str, values: Vec<String>| Residual {
                effect: if hit.allow { "Allow" } else { "Deny" },
                layer: hit.layer.name(),
                policy: hit.policy.name.to_string(),
                statement: label(hit).to_string(),
                key: key.into(),
                operator: operator.into(),
                values,
            };
            let before = decision.residual.len();
            for condition in &statement.conditions {
                if condition.holds(&self.request.context, hit.allow) == Tri::Maybe {
                    let values = condition.values.iter().map(ToString::to_string).collect();
                    decision.residual.push(base(&condition.key_text, &condition.text, values));
                }
            }
            if decision.residual.len() == before {
                // Only the resource can be left: a policy variable without a known value.
                let texts = statement.resources.iter().flat_map(|r| r.texts.iter()).filter(|t| t.contains("${"));
                decision.residual.push(base("", "Resource", texts.map(ToString::to_string).collect()));
            }
        }
        let layers = [
            (unread.identity, Layer::Identity),
            (unread.boundary, Layer::Boundary),
            (unread.session, Layer::Session),
            (unread.resource, Layer::Resource),
            (unread.scps, Layer::Scp),
            (unread.rcps, Layer::Rcp),
            (unread.endpoint, Layer::Endpoint),
        ];
        for (_, layer) in layers.into_iter().filter(|(unread, _)| *unread) {
            decision.residual.push(Residual {
                effect: "Allow",
                layer: layer.name(),
                policy: format!("the {} policies could not be read", layer.name()),
                statement: String::new(),
                key: String::new(),
                operator: String::new(),
                values: Vec::new(),
            });
        }
    }
}

fn missing(layer: Layer, policy: String) -> Because {
    Because { layer: layer.name(), policy: policy.into(), statement: Arc::default(), effect: "NoAllow" }
}

fn told(hit: &Hit<'_>) -> Because {
    Because {
        layer: hit.layer.name(),
        policy: Arc::clone(&hit.policy.name),
        statement: label(hit),
        effect: if hit.allow { "Allow" } else { "Deny" },
    }
}

fn label(hit: &Hit<'_>) -> Arc<str> {
    hit.policy.document.statements.get(hit.statement).map(super::document::Statement::shared_label).unwrap_or_default()
}

/// Whether identity, resource policy and limits together grant: the same-account and cross-account formulas.
fn core(request: &Request, policies: &Policies<'_>, identity: Tri, limit: Tri, resource: ResourceResult) -> Tri {
    let caller = &request.caller;
    let same = caller.account.as_str() == request.resource_account.as_ref();
    match caller.kind {
        CallerKind::Anonymous => {
            let unsigned = !request.action.starts_with("sts:")
                || matches!(request.action.as_ref(), "sts:assumerolewithwebidentity" | "sts:assumerolewithsaml");
            return if unsigned { resource.wildcard } else { Tri::No };
        }
        CallerKind::Service | CallerKind::Provider | CallerKind::Canonical => {
            return resource.principal.or(resource.wildcard);
        }
        _ => {}
    }
    if !super::arn::is_account_id(&caller.account) {
        // An identity AWS keeps in an account of its own (a CloudFront origin access identity) has no policies.
        return resource.principal.or(resource.session).or(resource.wildcard);
    }
    let identity = if caller.kind == CallerKind::Root { Tri::Yes } else { identity };
    let own = identity.and(limit);
    if !same {
        return resource.any().and(own);
    }
    let direct = match caller.kind {
        CallerKind::Role | CallerKind::Session => {
            resource.principal.and(limit).or(resource.session).or(resource.wildcard)
        }
        CallerKind::FederatedUser => resource.session.or(resource.wildcard),
        _ => resource.principal.or(resource.session).or(resource.wildcard),
    };
    if needs_resource_policy(request, policies) {
        return direct.or(own.and(resource.account));
    }
    own.or(direct)
}

/// Whether the resource's own policy must admit the account before identity policies count.
fn needs_resource_policy(request: &Request, policies: &Policies<'_>) -> bool {
    if request.action.starts_with("sts:assumerole")
        || matches!(request.action.as_ref(), "sts:tagsession" | "sts:setsourceidentity")
    {
        return true;
    }
    if !request.action.starts_with("kms:") {
        return false;
    }
    let key = Arn::parse(&request.resource).is_some_and(|arn| arn.resource().starts_with("key/"));
    key || policies.resource.is_some()
}

/// A bucket's owner can always mend the bucket policy as root, even one that denies it.
fn keeps_its_bucket(request: &Request) -> bool {
    request.caller.kind == CallerKind::Root
        && request.caller.account.as_str() == request.resource_account.as_ref()
        && matches!(request.action.as_ref(), "s3:getbucketpolicy" | "s3:putbucketpolicy" | "s3:deletebucketpolicy")
}

/// IAM actions that change a role.
const ROLE_CHANGES: &[&str] = &[
    "iam:attachrolepolicy",
    "iam:deleterole",
    "iam:deleterolepermissionsboundary",
    "iam:deleterolepolicy",
    "iam:detachrolepolicy",
    "iam:putrolepermissionsboundary",
    "iam:putrolepolicy",
    "iam:updateassumerolepolicy",
    "iam:updaterole",
];

/// Rules the services enforce whatever the policies say.
fn service_rule(request: &Request) -> Option<(Outcome, &'static str)> {
    let caller = &request.caller;
    let action = request.action.as_ref();
    if action == "sts:getcalleridentity" && caller.is_identity() {
        return Some((Outcome::Allowed, "sts:GetCallerIdentity needs no permission"));
    }
    if caller.kind == CallerKind::Root && action == "sts:assumerole" {
        return Some((Outcome::ImplicitlyDenied, "a root user cannot assume a role"));
    }
    fixed(action, &request.resource).map(|why| (Outcome::ImplicitlyDenied, why))
}

/// Whether AWS itself refuses an action (lower case) on a resource it keeps for itself.
pub(crate) fn unchangeable(action: &str, resource: &str) -> bool {
    fixed(action, resource).is_some()
}

fn fixed(action: &str, resource: &str) -> Option<&'static str> {
    let (service, _) = action.split_once(':')?;
    let arn = Arn::parse(resource)?;
    match service {
        "iam" => {
            let resource = arn.resource();
            if arn.account() == "aws" && resource.starts_with("policy/") {
                let changes = matches!(
                    action,
                    "iam:createpolicy"
                        | "iam:createpolicyversion"
                        | "iam:deletepolicy"
                        | "iam:deletepolicyversion"
                        | "iam:setdefaultpolicyversion"
                        | "iam:tagpolicy"
                        | "iam:untagpolicy"
                );
                return changes.then_some("AWS managed policies cannot be changed");
            }
            if resource.starts_with("role/aws-reserved/") {
                let changes = ROLE_CHANGES.contains(&action)
                    || matches!(action, "iam:tagrole" | "iam:untagrole" | "iam:updateroledescription");
                return changes.then_some("roles under aws-reserved cannot be changed");
            }
            if resource.starts_with("role/aws-service-role/") {
                let changes = ROLE_CHANGES.contains(&action);
                return changes.then_some("service-linked roles cannot be changed");
            }
            None
        }
        "kms" if arn.resource().starts_with("alias/aws/") => {
            let changes = matches!(action, "kms:createalias" | "kms:updatealias" | "kms:deletealias");
            changes.then_some("aliases of AWS managed keys cannot be changed")
        }
        _ => None,
    }
}

/// Whether a grant covers the request.
fn granted(grant: &Grant, request: &Request) -> bool {
    let Some(operation) = request.action.strip_prefix("kms:") else { return false };
    let caller = &request.caller;
    let named = *grant.grantee == *caller.arn || super::principal::same_role(&grant.grantee, caller);
    let exact = || {
        let given = request.context.keys().filter(|k| k.starts_with("kms:encryptioncontext:")).count();
        !grant.context_exact || given == grant.context_subset.len()
    };
    named
        && grant.operations.iter().any(|o| o.eq_ignore_ascii_case(operation))
        && exact()
        && grant.context_subset.iter().all(|(key, value)| {
            let key = format!("kms:encryptioncontext:{}", key.to_lowercase());
            matches!(request.context.single(&key), Ok(Some(found)) if found == &**value)
        })
}
