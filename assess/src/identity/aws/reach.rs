//! Effective reach: who can read, write or administer which resource, for all principals at once.
//!
//! Resources are interned in sorted order, so a pattern selects a few runs of positions ([`Ranges`]). Principals that
//! hold the same policies, and that no resource policy tells apart, are computed once. Actions that match the same
//! statements are computed once. The result equals [`super::decide`] at every point.

use super::{
    action_sets::ActionSets,
    arn::Arn,
    bits::Bits,
    condition::Condition,
    context::Context,
    data::{self, Level as ActionLevel},
    decide::unchangeable,
    details::{Kind, Principal},
    document::{Effect, Policy, Statement},
    escalate::open_context,
    glob::{Pattern, ResourcePattern, ResourceText},
    principal::{Caller, CallerKind, PrincipalEntry, PrincipalMatch},
    ranges::Ranges,
    rcp,
    tri::Tri,
    world::World,
};
use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
    sync::Arc,
};

/// How much of a resource a principal reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Nothing, or no more than names.
    None,
    /// Content or configuration.
    Read,
    /// Changes.
    Write,
    /// Changes of who may use it.
    Admin,
}

/// What one principal reaches: the positions readable, writable, administrable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// By [`Access`]: read, write, admin. The sets are independent of each other.
    pub sets: [Ranges; 3],
}

impl Reached {
    /// The greatest access to the resource at a position.
    pub fn access(&self, at: u32) -> Access {
        let [read, write, admin] = &self.sets;
        if admin.contains(at) {
            Access::Admin
        } else if write.contains(at) {
            Access::Write
        } else if read.contains(at) {
            Access::Read
        } else {
            Access::None
        }
    }
}

/// The reach of every principal of a world.
#[derive(Debug, Clone)]
pub struct Reach {
    /// The resources, sorted; positions refer to it.
    pub resources: Vec<Box<str>>,
    /// By position in the world's principals.
    pub by_principal: Vec<Rc<Reached>>,
    /// How many different principals there were to compute.
    pub signatures: usize,
    /// How many of them were computed this time; the others were known from before.
    pub computed: usize,
}

impl Reach {
    /// What a principal can do with a resource.
    pub fn access(&self, principal: usize, resource: &str) -> Access {
        let Ok(at) = self.resources.binary_search_by(|r| r.as_ref().cmp(resource)) else { return Access::None };
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        self.by_principal.get(principal).map_or(Access::None, |r| r.access(at))
    }

    /// Everyone with at least `least` access to a resource, by position in the world's principals.
    pub fn who(&self, resource: &str, least: Access) -> Vec<(usize, Access)> {
        (0..self.by_principal.len())
            .map(|p| (p, self.access(p, resource)))
            .filter(|(_, access)| *access >= least && *access != Access::None)
            .collect()
    }
}

/// Resources of one type in one account, and the actions on them.
struct Class {
    account: Box<str>,
    members: Ranges,
    /// Key of the type that needs its own policy's consent: KMS keys.
    key: bool,
    service: Box<str>,
    actions: Vec<ClassAction>,
}

struct ClassAction {
    lower: Box<str>,
    position: usize,
    level: Option<usize>,
    /// What resource policies say about the action for everyone alike; an index into the evaluator's shared sets.
    shared: usize,
    kept_by_aws: bool,
}

/// What resource policies say about an action regardless of who asks within an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Shared {
    wild_allow: Ranges,
    wild_deny: Ranges,
    account_allow: Vec<(Box<str>, Ranges)>,
    account_deny: Vec<(Box<str>, Ranges)>,
}

/// A statement of a resource policy.
struct ResourceStatement {
    at: u32,
    policy: Arc<Policy>,
    index: usize,
}

impl ResourceStatement {
    fn statement(&self) -> Option<&Statement> {
        self.policy.document.statements.get(self.index)
    }
}

/// The set evaluator: built once for a world and its resources, asked for reach or for single actions.
pub struct Evaluator<'w> {
    world: &'w World,
    resources: Vec<Box<str>>,
    classes: Vec<Class>,
    shared: Vec<Shared>,
    /// Statements of resource policies that name principals, by ARN.
    named: HashMap<Box<str>, Vec<ResourceStatement>>,
    /// Statements whose effect depends on the principal in other ways: conditions on it, `NotPrincipal`.
    personal: Vec<ResourceStatement>,
    sets: ActionSets,
    actions: HashMap<usize, Rc<Bits>>,
    patterns: HashMap<Box<str>, Rc<Ranges>>,
    memo: HashMap<Signature, Rc<Reached>>,
    computed: usize,
}

/// What tells principals apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Signature {
    account: Box<str>,
    role: bool,
    policies: Vec<usize>,
    boundary: usize,
    outcomes: Vec<u8>,
    alone: Option<usize>,
}

/// One layer's policies compiled for one principal: per statement its actions, resources and truth.
struct Piece {
    actions: Rc<Bits>,
    yes: Rc<Ranges>,
    /// For denials: where the statement may apply.
    may: Rc<Ranges>,
    deny: bool,
    layer: usize,
    /// Kept for `sts:AssumeRole` alone.
    assume_only: bool,
}

/// What actions with the same answer share: the statements they match, what resource policies say, and a place of
/// their own where that is not enough.
type Alike = (Vec<u64>, usize, usize);

/// A principal as conditions and principal elements see it.
struct Who {
    caller: Caller,
    bounded: bool,
    context: Context,
}

fn is_personal(condition: &Condition) -> bool {
    let key = condition.key.as_ref();
    matches!(
        key,
        "aws:principalarn"
            | "aws:userid"
            | "kms:calleraccount"
            | "aws:username"
            | "aws:principaltype"
            | "aws:principalaccount"
    ) || key.starts_with("aws:principaltag/")
        || condition.values.iter().any(|v| v.contains("${"))
}

fn owned_by(context: &mut Context, account: &str) {
    for key in ["aws:resourceaccount", "s3:resourceaccount"] {
        context.set(key, [account]);
    }
}

fn has_variables(statement: &Statement) -> bool {
    statement.resources.iter().flat_map(|r| r.texts.iter()).any(|t| t.contains("${"))
}

impl<'w> Evaluator<'w> {
    /// Prepares the resources; duplicates count once.
    pub fn new(world: &'w World, resources: impl IntoIterator<Item = String>) -> Self {
        let mut resources: Vec<Box<str>> = resources.into_iter().map(String::into_boxed_str).collect();
        resources.sort_unstable();
        resources.dedup();
        let mut this = Self {
            world,
            classes: Vec::new(),
            resources,
            shared: vec![Shared::default()],
            named: HashMap::new(),
            personal: Vec::new(),
            sets: ActionSets::default(),
            actions: HashMap::new(),
            patterns: HashMap::new(),
            memo: HashMap::new(),
            computed: 0,
        };
        this.classify();
        this.index_policies();
        this
    }

    /// The resources, sorted.
    pub fn resources(&self) -> &[Box<str>] {
        &self.resources
    }

    fn classify(&mut self) {
        let mut members: HashMap<(String, String, String), Vec<u32>> = HashMap::new();
        let mut formats: HashMap<&str, Vec<(&'static str, ResourcePattern)>> = HashMap::new();
        let plain = Context::default();
        let accounts = self.world.details.accounts();
        let only = if let [one] = accounts.as_slice() { *one } else { "" };
        for (at, text) in self.resources.iter().enumerate() {
            let Some(arn) = Arn::parse(text) else { continue };
            let service = arn.service();
            let known = formats.entry(service).or_insert_with(|| {
                let mut list: Vec<(&'static str, String)> = data::resource_types(service)
                    .iter()
                    .map(|(t, f)| (*t, super::workloads::fill(f, "*", "*", "*", "*")))
                    .filter(|(_, f)| f.split(':').nth(2) == Some(service))
                    .collect();
                // The most specific format first: more separators, then more fixed text.
                list.sort_by_key(|(_, f)| std::cmp::Reverse((f.matches('/').count(), f.len())));
                list.into_iter().map(|(t, f)| (t, ResourcePattern::compile(&f, false))).collect::<Vec<_>>()
            });
            let resource = ResourceText::from(text.as_ref());
            let found = known.iter().find(|(_, pattern)| pattern.matches(&resource, &plain).is_yes());
            let kind = found.map_or("", |(t, _)| *t);
            let account = if arn.account().is_empty() { only } else { arn.account() }.to_owned();
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            members.entry((service.to_owned(), kind.to_owned(), account)).or_default().push(at);
        }
        let mut classes: Vec<((String, String, String), Vec<u32>)> = members.into_iter().collect();
        classes.sort();
        for ((service, kind, account), members) in classes {
            let mut actions = Vec::new();
            let range = data::actions().with_prefix(&format!("{service}:"));
            for position in range {
                let Some(action) = data::actions().get(position) else { continue };
                if action.types.iter().any(|(t, _)| **t == *kind) {
                    actions.push(Self::class_action(position, action.lower, action.level));
                }
            }
            if service == "iam" && kind == "role" {
                // Becoming a role is having all it has.
                if let Some(position) = data::actions().position("sts:assumerole") {
                    actions.push(Self::class_action(position, "sts:assumerole", ActionLevel::Write));
                }
            }
            self.classes.push(Class {
                account: account.into(),
                members: Ranges::collect(members),
                key: service == "kms" && kind == "key",
                service: service.into(),
                actions,
            });
        }
    }

    fn class_action(position: usize, lower: &str, level: ActionLevel) -> ClassAction {
        let level = match level {
            ActionLevel::List => None,
            ActionLevel::Read => Some(0),
            ActionLevel::Tagging | ActionLevel::Write => Some(1),
            ActionLevel::Permissions => Some(2),
        };
        let kept_by_aws = lower.starts_with("iam:") || lower.ends_with("alias");
        ClassAction { lower: lower.into(), position, level, shared: 0, kept_by_aws }
    }

    /// Sorts the statements of resource policies by whom they tell apart.
    fn index_policies(&mut self) {
        let mut context = Context::with_rest(super::escalate::open_fact);
        context.set("aws:securetransport", ["true"]);
        context.set("aws:principalisawsservice", ["false"]);
        context.set("aws:viaawsservice", ["false"]);
        if let Some(id) = &self.world.organization.id {
            context.set("aws:principalorgid", [id.as_str()]);
        }
        let mut common: Vec<(ResourceStatement, Tri)> = Vec::new();
        for at in 0..self.resources.len() {
            let Some(text) = self.resources.get(at) else { continue };
            let Some(policy) = self.world.resource_policy(text).cloned() else { continue };
            let owner = self.world.owner_of(text).unwrap_or_default();
            owned_by(&mut context, &owner);
            let resource = ResourceText::from(text.as_ref());
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            for (index, statement) in policy.document.statements.iter().enumerate() {
                let Some(principals) = &statement.principals else { continue };
                let make = || ResourceStatement { at, policy: Arc::clone(&policy), index };
                if principals.inverted || statement.conditions.iter().any(is_personal) || has_variables(statement) {
                    self.personal.push(make());
                    continue;
                }
                let mut holds = statement.resources.as_ref().map_or(Tri::Yes, |r| r.matches(&resource, &context));
                for condition in &statement.conditions {
                    holds = holds.and(condition.holds(&context, statement.effect == Effect::Allow));
                }
                let useless = match statement.effect {
                    Effect::Allow => !holds.is_yes(),
                    Effect::Deny => holds.is_no(),
                };
                if useless {
                    continue;
                }
                for entry in &principals.entries {
                    match entry {
                        PrincipalEntry::Everyone | PrincipalEntry::Account(_) => {}
                        PrincipalEntry::Arn(arn) => self.named.entry(arn.clone()).or_default().push(make()),
                        _ => {}
                    }
                }
                common.push((make(), holds));
            }
        }
        self.share(common);
    }

    /// Gathers what common statements say into one set for each class and action.
    fn share(&mut self, common: Vec<(ResourceStatement, Tri)>) {
        let mut seen: HashMap<Shared, usize> = HashMap::from([(Shared::default(), 0)]);
        let mut by_at: HashMap<u32, Vec<usize>> = HashMap::new();
        for (i, (statement, _)) in common.iter().enumerate() {
            by_at.entry(statement.at).or_default().push(i);
        }
        for class in &mut self.classes {
            let relevant: Vec<usize> =
                class.members.iter().filter_map(|at| by_at.get(&at)).flatten().copied().collect();
            if relevant.is_empty() {
                continue;
            }
            for action in &mut class.actions {
                let (mut wild_allow, mut wild_deny) = (Vec::new(), Vec::new());
                let mut accounts: HashMap<Box<str>, [Vec<u32>; 2]> = HashMap::new();
                for (statement, _) in relevant.iter().filter_map(|i| common.get(*i)) {
                    let Some(s) = statement.statement().filter(|s| s.actions.matches(&action.lower)) else { continue };
                    let deny = s.effect == Effect::Deny;
                    for entry in s.principals.iter().flat_map(|p| p.entries.iter()) {
                        match entry {
                            PrincipalEntry::Everyone if deny => wild_deny.push(statement.at),
                            PrincipalEntry::Everyone => wild_allow.push(statement.at),
                            PrincipalEntry::Account(id) => {
                                if let Some(list) = accounts.entry(id.clone()).or_default().get_mut(usize::from(deny)) {
                                    list.push(statement.at);
                                }
                            }
                            _ => {}
                        }
                    }
                }
                let mut shared = Shared {
                    wild_allow: Ranges::collect(wild_allow),
                    wild_deny: Ranges::collect(wild_deny),
                    ..Shared::default()
                };
                let mut accounts: Vec<_> = accounts.into_iter().collect();
                accounts.sort();
                for (id, [allow, deny]) in accounts {
                    shared.account_allow.push((id.clone(), Ranges::collect(allow)));
                    shared.account_deny.push((id, Ranges::collect(deny)));
                }
                action.shared = match seen.get(&shared) {
                    Some(at) => *at,
                    None => {
                        self.shared.push(shared.clone());
                        seen.insert(shared, self.shared.len() - 1);
                        self.shared.len() - 1
                    }
                };
            }
        }
    }

    /// Computes everyone's reach.
    pub fn reach(&mut self) -> Reach {
        let world = self.world;
        self.computed = 0;
        let by_principal = world.details.principals.iter().enumerate().map(|(i, p)| self.reached(i, p)).collect();
        Reach { resources: self.resources.clone(), by_principal, signatures: self.memo.len(), computed: self.computed }
    }

    /// Forgets what depended on policies that changed, so that the next [`Evaluator::reach`] computes only that.
    ///
    /// `world` is the world after the change; a policy not held by the same [`Arc`] as before counts as changed.
    /// Resource policies and resources must be the same; otherwise build a new evaluator.
    pub fn refresh(&mut self, world: &'w World) {
        self.world = world;
        let mut alive: HashSet<usize> = HashSet::new();
        for principal in &world.details.principals {
            alive.extend(principal.attachments.iter().map(|a| address(&a.policy)));
            alive.extend(principal.boundary.iter().filter_map(|b| b.policy.as_ref()).map(address));
        }
        self.memo.retain(|signature, _| {
            signature.alone.is_none()
                && signature.policies.iter().all(|p| alive.contains(p))
                && (signature.boundary == 0 || alive.contains(&signature.boundary))
        });
        self.actions.clear();
    }

    fn signature(&self, at: usize, principal: &Principal) -> Signature {
        let boundary = principal.boundary.as_ref().and_then(|b| b.policy.as_ref());
        let mut policies: Vec<usize> = principal.attachments.iter().map(|a| address(&a.policy)).collect();
        policies.sort_unstable();
        policies.dedup();
        let own = principal.attachments.iter().map(|a| &a.policy).chain(boundary);
        let organization = &self.world.organization;
        let levels = organization.scps_of(&principal.account).iter().chain(&organization.rcps);
        let levels = levels.chain(organization.accounts.values().flat_map(|c| &c.rcps));
        let organization = levels.flat_map(|l| l.policies.iter());
        let apart = |policy: &Arc<Policy>| {
            policy.document.statements.iter().any(|s| {
                s.conditions.iter().any(is_personal)
                    || has_variables(s)
                    || s.principals.as_ref().is_some_and(|p| p.inverted || !p.is_open())
            })
        };
        let alone = self.named.contains_key(principal.arn.as_str()) || own.chain(organization).any(apart);
        let outcomes = if self.personal.is_empty() {
            Vec::new()
        } else {
            let caller = caller(principal);
            let context = self.context(principal);
            let bounded = principal.boundary.is_some();
            self.personal.iter().map(|s| self.personal_outcome(s, &caller, &context, bounded)).collect()
        };
        Signature {
            account: principal.account.as_str().into(),
            role: principal.kind == Kind::Role,
            policies,
            boundary: boundary.map_or(0, address),
            outcomes,
            alone: alone.then_some(at),
        }
    }

    fn context(&self, principal: &Principal) -> Context {
        open_context(principal, &self.world.organization)
    }

    /// How a personal statement bears on a principal: truth and kind of naming, packed.
    fn personal_outcome(&self, s: &ResourceStatement, caller: &Caller, context: &Context, bounded: bool) -> u8 {
        let Some(statement) = s.statement() else { return 0 };
        let deny = statement.effect == Effect::Deny;
        let named = statement.principals.as_ref().map_or(PrincipalMatch::None, |p| p.names(caller, deny, bounded));
        if named == PrincipalMatch::None {
            return 0;
        }
        let Some(text) = self.resources.get(s.at as usize) else { return 0 };
        let mut context = context.clone();
        owned_by(&mut context, &self.world.owner_of(text).unwrap_or_default());
        let resource = ResourceText::from(text.as_ref());
        let mut holds = statement.resources.as_ref().map_or(Tri::Yes, |r| r.matches(&resource, &context));
        for condition in &statement.conditions {
            holds = holds.and(condition.holds(&context, !deny));
        }
        if holds.is_no() { 0 } else { (holds as u8) * 8 + named as u8 }
    }

    fn reached(&mut self, at: usize, principal: &Principal) -> Rc<Reached> {
        if !principal.unread.is_empty() || principal.boundary.as_ref().is_some_and(|b| b.policy.is_none()) {
            return Rc::default();
        }
        let signature = self.signature(at, principal);
        if let Some(known) = self.memo.get(&signature) {
            return Rc::clone(known);
        }
        self.computed += 1;
        let mut reached = Reached::default();
        for class in 0..self.classes.len() {
            self.class_reach(class, principal, &signature, &mut reached);
        }
        let reached = Rc::new(reached);
        self.memo.insert(signature, Rc::clone(&reached));
        reached
    }

    /// The positions on which a principal certainly may do an action, given in any case.
    pub fn allowed(&mut self, principal: usize, action: &str) -> Ranges {
        let world = self.world;
        let lower = action.to_ascii_lowercase();
        let Some(held) = world.details.principals.get(principal) else { return Ranges::default() };
        if !held.unread.is_empty() || held.boundary.as_ref().is_some_and(|b| b.policy.is_none()) {
            return Ranges::default();
        }
        let signature = self.signature(principal, held);
        let mut out = Ranges::default();
        for class in 0..self.classes.len() {
            let Some(at) = self.classes.get(class).and_then(|c| c.actions.iter().position(|a| *a.lower == *lower))
            else {
                continue;
            };
            let pieces = self.pieces(class, held);
            out = out.union(&self.yes(class, at, held, &signature, &pieces));
        }
        out
    }

    fn class_reach(&mut self, class: usize, principal: &Principal, signature: &Signature, out: &mut Reached) {
        let pieces = self.pieces(class, principal);
        let Some(count) = self.classes.get(class).map(|c| c.actions.len()) else { return };
        // Actions that match the same statements have the same answer.
        let mut groups: HashMap<Alike, (usize, [bool; 3])> = HashMap::new();
        for at in 0..count {
            let Some(action) = self.classes.get(class).and_then(|c| c.actions.get(at)) else { continue };
            let Some(level) = action.level else { continue };
            let mut key = vec![0_u64; pieces.len().div_ceil(64)];
            for (i, piece) in pieces.iter().enumerate() {
                if piece.matches(action)
                    && let Some(word) = key.get_mut(i / 64)
                {
                    *word |= 1 << (i % 64);
                }
            }
            // IAM's own rules and statements about named principals look at the action itself.
            let single = action.kept_by_aws || signature.alone.is_some() || signature.outcomes.iter().any(|o| *o != 0);
            let apart = if single || action.lower.starts_with("sts:") { at + 1 } else { 0 };
            let group = groups.entry((key, action.shared, apart)).or_insert((at, [false; 3]));
            if let Some(flag) = group.1.get_mut(level) {
                *flag = true;
            }
        }
        for (at, levels) in groups.into_values() {
            let set = self.yes(class, at, principal, signature, &pieces);
            if set.is_empty() {
                continue;
            }
            for (level, wanted) in levels.iter().enumerate() {
                if let (true, Some(slot)) = (*wanted, out.sets.get_mut(level)) {
                    *slot = slot.union(&set);
                }
            }
        }
    }

    /// The statements of a principal's own layers that can touch a class, in order: identity, boundary, SCP levels, RCPs.
    fn pieces(&mut self, class: usize, principal: &Principal) -> Vec<Piece> {
        let world = self.world;
        let Some((members, account, service)) =
            self.classes.get(class).map(|c| (c.members.clone(), c.account.clone(), c.service.clone()))
        else {
            return Vec::new();
        };
        let mut context = self.context(principal);
        owned_by(&mut context, &account);
        let who = Who { caller: caller(principal), bounded: principal.boundary.is_some(), context };
        let mut out = Vec::new();
        let identity: Vec<&Arc<Policy>> = principal.attachments.iter().map(|a| &a.policy).collect();
        let boundary = principal.boundary.as_ref().and_then(|b| b.policy.as_ref());
        self.layer(0, identity, &members, &who, &service, &mut out);
        self.layer(1, boundary.into_iter().collect(), &members, &who, &service, &mut out);
        if !principal.is_service_linked() {
            for (i, level) in world.organization.scps_of(&principal.account).iter().enumerate() {
                self.layer(3 + i, level.policies.iter().collect(), &members, &who, &service, &mut out);
            }
            for level in world.organization.rcps_of(&account) {
                self.layer(2, level.policies.iter().collect(), &members, &who, &service, &mut out);
            }
        }
        out
    }

    fn layer(
        &mut self,
        layer: usize,
        policies: Vec<&Arc<Policy>>,
        members: &Ranges,
        who: &Who,
        service: &str,
        out: &mut Vec<Piece>,
    ) {
        for policy in policies {
            for statement in &policy.document.statements {
                let deny = statement.effect == Effect::Deny;
                if layer == 2 && !deny {
                    continue;
                }
                let named = statement.principals.as_ref().map(|p| p.names(&who.caller, deny, who.bounded));
                if named == Some(PrincipalMatch::None) {
                    continue;
                }
                let actions = self.actions_of(statement);
                let assume_only = !actions_touch(&actions, service);
                if assume_only && !(service == "iam" && statement.actions.matches("sts:assumerole")) {
                    continue;
                }
                let holds = statement.conditions.iter().fold(Tri::Yes, |all, c| all.and(c.holds(&who.context, !deny)));
                if holds.is_no() || (!deny && !holds.is_yes()) {
                    continue;
                }
                let (yes, may) = self.resources_of(statement, &who.context);
                let (yes, may) = (yes.intersect(members), may.intersect(members));
                if may.is_empty() {
                    continue;
                }
                out.push(Piece { actions, yes: Rc::new(yes), may: Rc::new(may), deny, layer, assume_only });
            }
        }
    }

    fn actions_of(&mut self, statement: &Statement) -> Rc<Bits> {
        let key = std::ptr::from_ref(statement) as usize;
        if let Some(known) = self.actions.get(&key) {
            return Rc::clone(known);
        }
        let bits = Rc::new(self.sets.of(&statement.actions));
        self.actions.insert(key, Rc::clone(&bits));
        bits
    }

    /// Where a statement's resource element certainly matches, and where it may.
    fn resources_of(&mut self, statement: &Statement, context: &Context) -> (Ranges, Ranges) {
        let all = Ranges::run(0, u32::try_from(self.resources.len()).unwrap_or(u32::MAX));
        let Some(resources) = &statement.resources else { return (all.clone(), all) };
        let (mut yes, mut may) = (Ranges::default(), Ranges::default());
        for (text, pattern) in resources.texts.iter().zip(&resources.compiled) {
            if matches!(pattern, ResourcePattern::Any) {
                (yes, may) = (all.clone(), all.clone());
                break;
            }
            let (y, m) = self.pattern(text, pattern, context);
            yes = yes.union(&y);
            may = may.union(&m);
        }
        if resources.inverted { (all.subtract(&may), all.subtract(&yes)) } else { (yes, may) }
    }

    fn pattern(&mut self, text: &str, pattern: &ResourcePattern, context: &Context) -> (Rc<Ranges>, Rc<Ranges>) {
        let variable = matches!(pattern, ResourcePattern::Arn(parts) if parts.iter().any(Pattern::has_variables))
            || matches!(pattern, ResourcePattern::Other(p) if p.has_variables());
        if let (false, Some(known)) = (variable, self.patterns.get(text)) {
            return (Rc::clone(known), Rc::clone(known));
        }
        let fixed = text.split(['*', '?', '$']).next().unwrap_or_default();
        // A service name compares without case; only the exact spelling can use the sorted order.
        let fixed = if text.split(':').nth(2).is_some_and(|s| s.bytes().any(|b| b.is_ascii_uppercase())) {
            fixed.get(..fixed.find(':').unwrap_or(0)).unwrap_or_default()
        } else {
            fixed
        };
        let from = self.resources.partition_point(|r| r.as_ref() < fixed);
        let tail = self.resources.get(from..).unwrap_or_default();
        let (mut yes, mut may) = (Ranges::default(), Ranges::default());
        for (i, resource) in tail.iter().take_while(|r| r.starts_with(fixed)).enumerate() {
            let at = u32::try_from(from + i).unwrap_or(u32::MAX);
            match pattern.matches(&ResourceText::from(resource.as_ref()), context) {
                Tri::Yes => {
                    yes.push(at);
                    may.push(at);
                }
                Tri::Maybe => may.push(at),
                Tri::No => {}
            }
        }
        let (yes, may) = (Rc::new(yes), Rc::new(may));
        if !variable {
            self.patterns.insert(text.into(), Rc::clone(&yes));
        }
        (yes, may)
    }

    /// The core's formula on sets: where the principal certainly may do the class's action at a position.
    fn yes(&self, class: usize, at: usize, principal: &Principal, signature: &Signature, pieces: &[Piece]) -> Ranges {
        let Some(class) = self.classes.get(class) else { return Ranges::default() };
        let Some(action) = class.actions.get(at) else { return Ranges::default() };
        let levels =
            if principal.is_service_linked() { 0 } else { self.world.organization.scps_of(&principal.account).len() };
        let mut allows: Vec<Ranges> = vec![Ranges::default(); 3 + levels];
        let mut denied = Ranges::default();
        let service = action.lower.split(':').next().unwrap_or_default();
        for piece in pieces.iter().filter(|p| p.matches(action)) {
            if piece.layer == 2 && !(rcp::binds(service) && &*action.lower != "kms:retiregrant") {
                continue;
            }
            if piece.deny {
                denied = denied.union(&piece.may);
            } else if let Some(set) = allows.get_mut(piece.layer) {
                *set = set.union(&piece.yes);
            }
        }
        let empty = Ranges::default();
        let identity = allows.first().unwrap_or(&empty);
        let all = class.members.clone();
        let limit = if principal.boundary.is_some() { allows.get(1).unwrap_or(&empty) } else { &all };
        let own = identity.intersect(limit);

        let nothing = Shared::default();
        let shared = self.shared.get(action.shared).unwrap_or(&nothing);
        let of = |list: &[(Box<str>, Ranges)]| {
            list.iter().find(|(id, _)| **id == *principal.account).map(|(_, r)| r.clone()).unwrap_or_default()
        };
        let mut wildcard = shared.wild_allow.clone();
        let mut account = of(&shared.account_allow);
        denied = denied.union(&shared.wild_deny).union(&of(&shared.account_deny));
        let mut direct: Vec<u32> = Vec::new();
        let mut against: Vec<u32> = Vec::new();
        for s in self.named.get(principal.arn.as_str()).into_iter().flatten() {
            let Some(statement) = s.statement() else { continue };
            if class.members.contains(s.at) && statement.actions.matches(&action.lower) {
                if statement.effect == Effect::Deny { against.push(s.at) } else { direct.push(s.at) }
            }
        }
        let (mut wild, mut accounts) = (Vec::new(), Vec::new());
        for (s, outcome) in self.personal.iter().zip(&signature.outcomes).filter(|(_, o)| **o != 0) {
            let Some(statement) = s.statement() else { continue };
            if !class.members.contains(s.at) || !statement.actions.matches(&action.lower) {
                continue;
            }
            let (holds, named) = (outcome / 8, outcome % 8);
            if statement.effect == Effect::Deny {
                against.push(s.at);
            } else if holds == Tri::Yes as u8 {
                match named {
                    n if n == PrincipalMatch::Account as u8 => accounts.push(s.at),
                    n if n == PrincipalMatch::Wildcard as u8 => wild.push(s.at),
                    _ => direct.push(s.at),
                }
            }
        }
        wildcard = wildcard.union(&Ranges::collect(wild)).intersect(&all);
        account = account.union(&Ranges::collect(accounts)).intersect(&all);
        denied = denied.union(&Ranges::collect(against));
        let direct = Ranges::collect(direct);

        let mut granted = if *class.account == *principal.account {
            let direct = if principal.kind == Kind::Role { direct.intersect(limit) } else { direct };
            let direct = direct.union(&wildcard);
            if class.key || action.lower.starts_with("sts:assumerole") {
                direct.union(&own.intersect(&account))
            } else {
                own.union(&direct)
            }
        } else {
            direct.union(&wildcard).union(&account).intersect(&own)
        };
        for level in allows.iter().skip(3) {
            granted = granted.intersect(level);
        }
        granted = granted.subtract(&denied).intersect(&all);
        if action.kept_by_aws {
            let fixed: Vec<u32> = granted
                .iter()
                .filter(|at| self.resources.get(*at as usize).is_some_and(|r| unchangeable(&action.lower, r)))
                .collect();
            granted = granted.subtract(&Ranges::collect(fixed));
        }
        granted
    }
}

impl Piece {
    fn matches(&self, action: &ClassAction) -> bool {
        if self.assume_only {
            return &*action.lower == "sts:assumerole" && self.actions.contains(action.position);
        }
        self.actions.contains(action.position)
    }
}

fn actions_touch(actions: &Bits, service: &str) -> bool {
    let range = data::actions().with_prefix(&format!("{service}:"));
    range.into_iter().any(|i| actions.contains(i))
}

fn address(policy: &Arc<Policy>) -> usize {
    Arc::as_ptr(policy) as usize
}

fn caller(principal: &Principal) -> Caller {
    Caller {
        kind: if principal.kind == Kind::User { CallerKind::User } else { CallerKind::Role },
        arn: principal.arn.clone(),
        account: principal.account.clone(),
        role: (principal.kind == Kind::Role).then(|| principal.arn.clone()),
    }
}
