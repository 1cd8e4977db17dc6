//! The search for edges: each method of the data, tried for one actor.

mod reachable;
mod services;

use super::{
    super::{
        action_sets::ActionSets,
        bits::Bits,
        context::{Context, Fact},
        data::{self, Method},
        decide::Residual,
        details::{Attachment, Details, Kind, Principal, Source},
        document::{Effect, Policy},
        principal::PrincipalEntry,
        workloads::{Inventory, RoleIndex, Workload},
    },
    actor::{
        Actor, Admin, AdminRule, Organization, TRUST, account_context, allow_everything, is_open, let_through,
        trust_everyone,
    },
    edge::{Edge, Evidence, Link, Node},
    witness::{joint, witnesses},
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    rc::Rc,
    sync::Arc,
};

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
/// Steps after which changed actors are not changed again.
const MOST_CHANGES: u8 = 2;
/// Changed actors in one search; beyond, an account lets nearly anyone do nearly anything.
const MOST_ACTORS: usize = 60_000;

/// A method with its permissions in lower case.
struct Plan {
    method: &'static Method,
    /// Without `iam:PassRole`.
    actions: Rc<[String]>,
    /// What an actor must be granted by its own policies, by position; assuming a role that names the caller takes no
    /// permission of its own.
    needed: Vec<usize>,
    /// The same for actions the catalogue has lost.
    unlisted: Vec<String>,
    /// Whether it ends in assuming a role.
    enters: bool,
}

/// Everything the search knows of the accounts.
pub(crate) struct Search<'a> {
    pub details: &'a Details,
    pub org: &'a Organization,
    pub inventory: Option<&'a Inventory>,
    pub sets: ActionSets,
    pub rule: AdminRule,
    pub actors: Vec<Rc<Actor>>,
    pub admin: Vec<Admin>,
    pub links: Vec<Link>,
    plans: Vec<Plan>,
    roles: RoleIndex<'a>,
    trusting: HashMap<String, Vec<usize>>,
    changed: HashMap<(usize, String), Node>,
    regions: Vec<String>,
    profiled: HashSet<String>,
    /// The policies of the inventory's resources, by place.
    own_policies: HashMap<usize, Arc<Policy>>,
    /// Roles by who may assume them at all: those naming an account or anyone, and those naming principals.
    by_account: HashMap<String, Vec<usize>>,
    by_anyone: Vec<usize>,
    /// Which principals are service-linked roles.
    linked: Bits,
    /// Which roles admit someone under a condition that may hang on facts nobody knows.
    hedged_trusts: Bits,
    /// Whether a resource's own policy has such a condition.
    hedged_resources: bool,
    by_name: HashMap<String, Vec<usize>>,
    /// Where each principal is.
    places: HashMap<&'a str, usize>,
}

/// What of an actor's rights hangs on facts nobody knows.
#[derive(Default)]
struct Hedged {
    /// The actions its own policies, its boundary and the organization speak of under such conditions.
    actions: Bits,
    any: bool,
    /// Whether a role that may admit it does so under one.
    roles: bool,
    /// Whether some resource's own policy has one.
    resources: bool,
}

impl Hedged {
    /// Whether a method's outcome may be another when all of it goes the actor's way.
    fn concerns(&self, plan: Option<&Plan>) -> bool {
        let Some(plan) = plan else { return false };
        let how = &plan.method.how;
        plan.needed.iter().any(|at| self.actions.contains(*at))
            || (self.any && (!plan.unlisted.is_empty() || plan.enters || how.profile || !how.controls.is_empty()))
            || (self.roles && plan.enters)
            || (self.resources && matches!(how.kind.as_str(), "resource" | "workload" | "poison"))
    }
}

type Extra = Vec<(&'static str, Fact)>;

fn value(text: &str) -> Fact {
    Fact::Values(vec![text.into()])
}

impl<'a> Search<'a> {
    pub(crate) fn new(details: &'a Details, org: &'a Organization, inventory: Option<&'a Inventory>) -> Self {
        let mut sets = ActionSets::default();
        let rule = AdminRule::new();
        let mut through: HashMap<&str, Rc<Bits>> = HashMap::new();
        for account in details.accounts() {
            through.insert(account, let_through(org.scps_of(account), &mut sets));
        }
        let mut common: HashMap<(&str, Kind), Arc<Context>> = HashMap::new();
        let actor = |(i, p): (usize, &'a Principal)| {
            let through = through.get(p.account.as_str()).cloned().unwrap_or_default();
            let account = p.account.as_str();
            let common = common.entry((account, p.kind)).or_insert_with(|| account_context(account, p.kind, org));
            Rc::new(Actor::bound(i, p, common, through, &mut sets))
        };
        let actors: Vec<Rc<Actor>> = details.principals.iter().enumerate().map(actor).collect();
        let judge = |actor: &Rc<Actor>| {
            let admin = rule.judge(actor, org, &mut sets);
            actor.forget();
            admin
        };
        let admin = actors.iter().map(judge).collect();
        let plans = data::methods()
            .iter()
            .map(|method| {
                let all: Vec<String> = method.requires.iter().map(|(p, _)| p.to_ascii_lowercase()).collect();
                let own = all.iter().filter(|a| a.as_str() != "sts:assumerole");
                let (listed, unlisted): (Vec<&String>, Vec<&String>) =
                    own.partition(|a| data::actions().position(a).is_some());
                let kind = method.how.kind.as_str();
                Plan {
                    method,
                    enters: all.iter().any(|a| a == "sts:assumerole")
                        || matches!(kind, "assume" | "unbind-role" | "take-role" | "new-role")
                        || (kind == "write-and-take" && matches!(method.how.take.as_str(), "assume" | "trust")),
                    needed: listed.into_iter().filter_map(|a| data::actions().position(a)).collect(),
                    unlisted: unlisted.into_iter().cloned().collect(),
                    actions: all.into_iter().filter(|a| a != "iam:passrole").collect(),
                }
            })
            .collect();
        let mut linked = Bits::empty(details.principals.len());
        let service_linked = details.principals.iter().enumerate().filter(|(_, p)| p.is_service_linked());
        service_linked.for_each(|(at, _)| linked.insert(at));
        let roles = RoleIndex::new(&details.principals);
        let profiled = inventory.map(|i| i.profiled_roles(&roles).into_iter().collect()).unwrap_or_default();
        let account = details.principals.first().map_or("", |p| p.account.as_str());
        let own_policies = inventory.map(|i| i.own_policies(account)).unwrap_or_default();
        let hedged = |policy: &Policy| {
            let mut conditions = policy.document.statements.iter().flat_map(|s| s.conditions.iter());
            conditions.any(|c| is_open(c, org))
        };
        let mut hedged_trusts = Bits::empty(details.principals.len());
        let trusts = details.principals.iter().enumerate().filter_map(|(at, p)| Some((at, p.trust.as_ref()?)));
        trusts.filter(|(_, trust)| hedged(trust)).for_each(|(at, _)| hedged_trusts.insert(at));
        let mut search = Self {
            hedged_resources: own_policies.values().any(|policy| hedged(policy)),
            hedged_trusts,
            details,
            org,
            inventory,
            sets,
            rule,
            actors,
            admin,
            links: Vec::new(),
            plans,
            roles,
            trusting: HashMap::new(),
            changed: HashMap::new(),
            regions: regions(details, org, inventory),
            profiled,
            own_policies,
            by_account: HashMap::new(),
            by_anyone: Vec::new(),
            linked,
            by_name: HashMap::new(),
            places: details.principals.iter().enumerate().map(|(at, p)| (p.arn.as_str(), at)).collect(),
        };
        search.index_trusts();
        search
    }

    fn index_trusts(&mut self) {
        for (at, role) in self.details.principals.iter().enumerate() {
            let Some(trust) = &role.trust else { continue };
            let mut anyone = false;
            for statement in trust.document.statements.iter().filter(|s| s.effect == Effect::Allow) {
                let Some(principals) = &statement.principals else { continue };
                anyone |= principals.inverted;
                for entry in &principals.entries {
                    match entry {
                        PrincipalEntry::Everyone => anyone = true,
                        PrincipalEntry::Account(id) => self.by_account.entry(id.to_string()).or_default().push(at),
                        PrincipalEntry::Arn(arn) => self.by_name.entry(arn.to_string()).or_default().push(at),
                        _ => {}
                    }
                }
            }
            if anyone {
                self.by_anyone.push(at);
            }
        }
    }

    /// Draws the edges of every actor, the changed ones that arise on the way included.
    pub(crate) fn run(&mut self) {
        let mut at = 0;
        while at < self.actors.len() {
            if self.admin.get(at).is_some_and(|a| *a != Admin::Full) {
                self.edges_of(at);
            }
            at += 1;
        }
        self.open_trusts();
    }

    /// The edges of an actor: those that certainly hold, then those that hang on what nobody knows.
    fn edges_of(&mut self, at: usize) {
        let Some(actor) = self.actors.get(at).cloned() else { return };
        let Some(principal) = self.details.principals.get(actor.principal) else { return };
        if self.linked.contains(actor.principal) {
            return;
        }
        let before = self.links.len();
        (0..self.plans.len()).for_each(|plan| self.attempt(at, &actor, principal, plan));
        actor.forget();
        let hedged = self.hedged(&actor);
        let again: Vec<usize> = (0..self.plans.len()).filter(|plan| hedged.concerns(self.plans.get(*plan))).collect();
        if again.is_empty() {
            return;
        }
        let certain = self.links.len();
        let hoping = actor.hoping();
        again.into_iter().for_each(|plan| self.attempt(at, &hoping, principal, plan));
        let maybe = self.links.split_off(certain);
        let known: HashSet<(&str, &str)> =
            self.links.iter().skip(before).map(|l| (l.edge.method, l.edge.to.as_str())).collect();
        let new = |l: &Link| !known.contains(&(l.edge.method, l.edge.to.as_str()));
        let mut maybe: Vec<Link> = maybe.into_iter().filter(new).collect();
        // An open step says that it is one, also where what it hangs on is none of the calls it names.
        for link in maybe.iter_mut().filter(|l| l.edge.assumes.is_empty()) {
            link.edge.assumes.push("a condition nobody can judge beforehand is met".into());
        }
        self.links.extend(maybe);
    }

    /// Tries one method for an actor.
    fn attempt(&mut self, at: usize, actor: &Actor, principal: &Principal, plan: usize) {
        let Some(plan) = self.plans.get(plan) else { return };
        if !plan.needed.iter().all(|at| actor.may.contains(*at)) || !plan.unlisted.iter().all(|a| actor.mentions(a)) {
            return;
        }
        let (method, actions) = (plan.method, Rc::clone(&plan.actions));
        let step = Step { at, actor, principal, method, actions: &actions };
        match method.how.kind.as_str() {
            "self-write" => self.self_write(&step),
            "older-version" => self.older_version(&step),
            "join-group" => self.join_group(&step),
            "self-unbound" => self.self_unbound(&step),
            "unbind-role" => self.unbind_role(&step),
            "edit-boundary" => self.edit_boundary(&step),
            "drop-deny" => self.drop_deny(&step),
            "tag-self" => self.tag_self(&step),
            "take-user" => self.take_user(&step),
            "take-role" => self.take_role(&step),
            "assume" => self.assume(&step),
            "write-and-take" => self.write_and_take(&step),
            "new-role" | "new-user" => self.new_principal(&step),
            "provider" => self.provider(&step),
            "guardrail" => self.guardrail(&step),
            "permission-set" => self.permission_set(&step),
            "pass" => self.pass(&step),
            "workload" => self.workload(&step),
            "resource" => self.resource(&step),
            "poison" => self.poison(&step),
            "member" => self.member(&step),
            _ => {}
        }
    }

    /// Where what an actor may hangs on facts nobody knows.
    fn hedged(&mut self, actor: &Actor) -> Hedged {
        let mut out = Hedged { actions: actor.hedged(self.org, &mut self.sets), ..Hedged::default() };
        out.any = !out.actions.is_empty();
        out.roles = !self.hedged_trusts.is_empty()
            && self.roles_in_reach(actor).into_iter().any(|role| self.hedged_trusts.contains(role));
        out.resources = self.hedged_resources;
        out
    }

    fn link(&mut self, step: &Step<'_>, to: &str, node: Node, because: Vec<Arc<Evidence>>, only_if_useful: bool) {
        let how = &step.method.how;
        let node = if how.limited || how.retired { Node::End } else { node };
        let mut assumes: Vec<String> = Vec::new();
        if !how.assumes.is_empty() {
            assumes.push(how.assumes.clone());
        }
        for what in because.iter().flat_map(|e| &e.depends_on) {
            if !assumes.contains(what) {
                assumes.push(what.clone());
            }
        }
        let edge = Edge {
            from: step.principal.arn.clone(),
            to: to.into(),
            method: &step.method.id,
            kind: &step.method.edge,
            because,
            assumes,
            leads_to_admin: false,
        };
        let conditional = step.actor.hopes;
        self.links.push(Link { from: step.at, node, edge, only_if_useful, conditional });
    }

    fn assume_last(&mut self, what: &str) {
        if let Some(link) = self.links.last_mut().filter(|l| !l.edge.assumes.iter().any(|known| known == what)) {
            link.edge.assumes.push(what.into());
        }
    }

    /// The actor after a change, made once; the node of administration when the change makes it one.
    fn after(&mut self, at: usize, key: String, change: impl FnOnce(&mut Actor)) -> Node {
        if let Some(node) = self.changed.get(&(at, key.clone())) {
            return *node;
        }
        let Some(actor) = self.actors.get(at) else { return Node::End };
        let next = actor.changed(&mut self.sets, change);
        let admin = self.rule.judge(&next, self.org, &mut self.sets);
        let node = if admin != Admin::No {
            Node::Admin
        } else if next.depth > MOST_CHANGES || self.actors.len() >= MOST_ACTORS {
            Node::End
        } else {
            self.actors.push(Rc::new(next));
            self.admin.push(admin);
            Node::Actor(self.actors.len() - 1)
        };
        self.changed.insert((at, key), node);
        node
    }

    /// The actor once it holds a policy it wrote itself.
    fn granted(&mut self, at: usize, policy: &Arc<Policy>) -> Node {
        let policy = Arc::clone(policy);
        self.after(at, format!("+{}", policy.name), |a| {
            a.attachments.push(Attachment { policy, source: Source::Inline });
        })
    }

    fn why(&self, actor: &Actor, permission: &str, on: &str, extra: &[(&str, Fact)]) -> Arc<Evidence> {
        Evidence::of(permission, on, actor.why(self.org, permission, on, extra, None))
    }

    fn target_context(&self, target: &Principal) -> Vec<(String, Fact)> {
        let mut out = Vec::new();
        if let Some(boundary) = &target.boundary {
            out.push(("iam:permissionsboundary".to_owned(), value(&boundary.arn)));
        }
        for (key, tag) in &target.tags {
            out.push((format!("iam:ResourceTag/{key}"), value(tag)));
            out.push((format!("aws:ResourceTag/{key}"), value(tag)));
        }
        out
    }

    /// Whether an actor may do an IAM action on a principal; the evidence if so.
    fn on_principal(
        &self,
        actor: &Actor,
        action: &str,
        target: &Principal,
        more: &[(&str, Fact)],
    ) -> Option<Arc<Evidence>> {
        let context = self.target_context(target);
        let mut extra: Vec<(&str, Fact)> = context.iter().map(|(k, f)| (k.as_str(), f.clone())).collect();
        extra.extend(more.iter().cloned());
        let decision = actor.why(self.org, action, &target.arn, &extra, None);
        actor.content(decision.allowed).then(|| Evidence::of(action, &target.arn, decision))
    }

    /// Whether an actor can write a policy for `target`: what it then holds, and why.
    fn write(&self, actor: &Actor, how: &str, target: &Principal) -> Option<(Arc<Policy>, String, Vec<Arc<Evidence>>)> {
        let everything = allow_everything();
        match how {
            "policy-version" => target.attachments.iter().find_map(|attachment| {
                let arn = attachment.source.managed_arn().filter(|a| super::super::details::is_customer_policy(a))?;
                if !actor.can(self.org, "iam:createpolicyversion", arn, &[]) {
                    return None;
                }
                let mut because = vec![self.why(actor, "iam:createpolicyversion", arn, &[])];
                if self.details.policies.get(arn).is_some_and(|p| p.versions.len() >= 5) {
                    if !actor.can(self.org, "iam:deletepolicyversion", arn, &[]) {
                        return None;
                    }
                    because.push(self.why(actor, "iam:deletepolicyversion", arn, &[]));
                }
                Some((everything.clone(), arn.to_owned(), because))
            }),
            "attach-user" | "attach-role" => {
                let (kind, action) = if how == "attach-user" {
                    (Kind::User, "iam:attachuserpolicy")
                } else {
                    (Kind::Role, "iam:attachrolepolicy")
                };
                if target.kind != kind {
                    return None;
                }
                self.attachable(|policy| self.on_principal(actor, action, target, &[("iam:policyarn", value(policy))]))
                    .map(|(policy, why)| (policy, target.arn.clone(), vec![why]))
            }
            "put-user" | "put-role" => {
                let (kind, action) = if how == "put-user" {
                    (Kind::User, "iam:putuserpolicy")
                } else {
                    (Kind::Role, "iam:putrolepolicy")
                };
                if target.kind != kind {
                    return None;
                }
                let why = self.on_principal(actor, action, target, &[])?;
                Some((everything, target.arn.clone(), vec![why]))
            }
            "attach-group" | "put-group" => target.groups.iter().find_map(|group| {
                if how == "put-group" {
                    let can = actor.can(self.org, "iam:putgrouppolicy", group, &[]);
                    return can.then(|| {
                        (everything.clone(), group.clone(), vec![self.why(actor, "iam:putgrouppolicy", group, &[])])
                    });
                }
                self.attachable(|policy| {
                    let extra = [("iam:policyarn", value(policy))];
                    let can = actor.can(self.org, "iam:attachgrouppolicy", group, &extra);
                    can.then(|| self.why(actor, "iam:attachgrouppolicy", group, &extra))
                })
                .map(|(policy, why)| (policy, group.clone(), vec![why]))
            }),
            _ => None,
        }
    }

    /// The first strong managed policy for which `may` holds.
    fn attachable(&self, may: impl Fn(&str) -> Option<Arc<Evidence>>) -> Option<(Arc<Policy>, Arc<Evidence>)> {
        if let Some(why) = may(ADMINISTRATOR) {
            return Some((allow_everything(), why));
        }
        const IAM_FULL: &str = "arn:aws:iam::aws:policy/IAMFullAccess";
        if let (Some(why), Some(document)) = (may(IAM_FULL), data::managed_policy(IAM_FULL)) {
            return Some((Arc::new(Policy::new(IAM_FULL, document)), why));
        }
        self.details.policies.values().find_map(|policy| {
            let document = policy.default()?;
            let strong = document.document.statements.iter().any(|s| {
                s.effect == Effect::Allow
                    && (s.actions.is_everything() || s.actions.matches("iam:putrolepolicy"))
                    && s.resources.as_ref().is_none_or(|r| r.is_everything())
            });
            if !strong {
                return None;
            }
            Some((Arc::clone(document), may(&policy.arn)?))
        })
    }

    fn self_write(&mut self, step: &Step<'_>) {
        let Some((policy, on, because)) = self.write(step.actor, &step.method.how.write, step.principal) else {
            return;
        };
        let node = self.granted(step.at, &policy);
        self.link(step, &on, node, because, true);
    }

    fn older_version(&mut self, step: &Step<'_>) {
        for attachment in &step.actor.attachments {
            let Some(policy) = attachment.source.managed_arn().and_then(|a| self.details.policies.get(a)) else {
                continue;
            };
            if !policy.is_customer() || !step.actor.can(self.org, "iam:setdefaultpolicyversion", &policy.arn, &[]) {
                continue;
            }
            for version in policy.versions.iter().filter(|v| !v.default) {
                let (arn, document) = (policy.arn.clone(), Arc::clone(&version.policy));
                let node = self.after(step.at, format!("{arn}@{}", version.id), |a| {
                    for held in &mut a.attachments {
                        if held.source.managed_arn() == Some(&arn) {
                            held.policy = Arc::clone(&document);
                        }
                    }
                });
                let because = vec![
                    self.why(step.actor, "iam:setdefaultpolicyversion", &policy.arn, &[]),
                    Evidence::fact("version", &version.id),
                ];
                self.link(step, &policy.arn, node, because, true);
            }
        }
    }

    fn join_group(&mut self, step: &Step<'_>) {
        if step.actor.kind != Kind::User {
            return;
        }
        let details = self.details;
        for group in details.groups.iter().filter(|g| !step.principal.groups.contains(&g.arn)) {
            if group.attachments.is_empty() || !step.actor.can(self.org, "iam:addusertogroup", &group.arn, &[]) {
                continue;
            }
            let added = group.attachments.clone();
            let node = self.after(step.at, format!("in {}", group.arn), |a| a.attachments.extend(added));
            let because = vec![self.why(step.actor, "iam:addusertogroup", &group.arn, &[])];
            self.link(step, &group.arn, node, because, true);
        }
    }

    fn boundary_context(step: &Step<'_>, target: &Principal) -> Extra {
        let arn = target.boundary.as_ref().map_or("", |b| b.arn.as_str());
        // Putting a boundary names the new one, deleting meets the old one.
        let put = step.actions.iter().any(|a| a.starts_with("iam:put"));
        vec![("iam:permissionsboundary", value(if put { ADMINISTRATOR } else { arn }))]
    }

    fn self_unbound(&mut self, step: &Step<'_>) {
        if step.actor.kind != Kind::User || step.actor.boundary_arn.is_none() {
            return;
        }
        let Some(action) = step.actions.first() else { return };
        let extra = Self::boundary_context(step, step.principal);
        if let Some(why) = self.on_principal(step.actor, action, step.principal, &extra) {
            let node = self.after(step.at, "unbound".into(), Actor::unbind);
            self.link(step, &step.principal.arn, node, vec![why], true);
        }
    }

    fn unbind_role(&mut self, step: &Step<'_>) {
        let Some(action) = step.actions.iter().find(|a| a.contains("boundary")) else { return };
        let details = self.details;
        for (at, target) in details.principals.iter().enumerate() {
            if target.kind != Kind::Role || target.boundary.is_none() {
                continue;
            }
            let own = at == step.actor.principal;
            let extra = Self::boundary_context(step, target);
            let Some(why) = self.on_principal(step.actor, action, target, &extra) else { continue };
            let mut because = vec![why];
            if !own {
                let Some(trust) = self.assumes(step.actor, target) else { continue };
                because.push(trust);
            }
            let base = if own { step.at } else { at };
            let node = self.after(base, "unbound".into(), Actor::unbind);
            self.link(step, &target.arn, node, because, true);
        }
    }

    fn edit_boundary(&mut self, step: &Step<'_>) {
        let Some(arn) = step.actor.boundary_arn.clone() else { return };
        if !super::super::details::is_customer_policy(&arn)
            || !step.actor.can(self.org, "iam:createpolicyversion", &arn, &[])
        {
            return;
        }
        let node = self.after(step.at, "unbound".into(), Actor::unbind);
        let because = vec![self.why(step.actor, "iam:createpolicyversion", &arn, &[])];
        self.link(step, &arn, node, because, true);
    }

    fn drop_deny(&mut self, step: &Step<'_>) {
        let denies = |a: &Attachment| a.policy.document.statements.iter().any(|s| s.effect == Effect::Deny);
        let source = step.method.how.source.as_str();
        if matches!(source, "user-inline" | "user-managed" | "group") != (step.actor.kind == Kind::User) {
            return;
        }
        let Some(action) = step.actions.first() else { return };
        let mut dropped: Vec<usize> = Vec::new();
        let mut because = Vec::new();
        for (i, attachment) in step.actor.attachments.iter().enumerate().filter(|(_, a)| denies(a)) {
            let why = match (source, &attachment.source) {
                ("user-inline" | "role-inline", Source::Inline) => {
                    self.on_principal(step.actor, action, step.principal, &[])
                }
                ("user-managed" | "role-managed", Source::Managed { arn }) => {
                    self.on_principal(step.actor, action, step.principal, &[("iam:policyarn", value(arn))])
                }
                ("group", Source::GroupInline { group } | Source::GroupManaged { group, .. }) => {
                    step.actor.can(self.org, action, group, &[]).then(|| self.why(step.actor, action, group, &[]))
                }
                _ => None,
            };
            if let Some(why) = why {
                dropped.push(i);
                because.push(why);
            }
        }
        if dropped.is_empty() {
            return;
        }
        let groups: HashSet<String> =
            dropped.iter().filter_map(|i| step.actor.attachments.get(*i)?.source.group().map(str::to_owned)).collect();
        let node = self.after(step.at, format!("without {source} {dropped:?}"), |a| {
            let mut i = 0;
            a.attachments.retain(|held| {
                let keep = !dropped.contains(&i) && held.source.group().is_none_or(|g| !groups.contains(g));
                i += 1;
                keep
            });
        });
        self.link(step, &step.principal.arn, node, because, true);
    }

    fn tag_self(&mut self, step: &Step<'_>) {
        let kind = if step.method.how.actor == "user" { Kind::User } else { Kind::Role };
        let Some(action) = step.actions.first().filter(|_| step.actor.kind == kind) else { return };
        let mut wanted: Vec<(String, String)> = Vec::new();
        let trusts = self.details.principals.iter().filter_map(|p| p.trust.as_ref());
        for policy in step.actor.identity.iter().chain(trusts) {
            for statement in policy.document.statements.iter().filter(|s| s.effect == Effect::Allow) {
                for condition in &statement.conditions {
                    let Some(tag) = condition.key.strip_prefix("aws:principaltag/") else { continue };
                    if let Some(text) = condition.values.first().filter(|_| !condition.negated) {
                        wanted.push((tag.to_owned(), text.replace('*', "any")));
                    }
                }
            }
        }
        wanted.sort();
        wanted.dedup();
        wanted.retain(|(k, v)| !step.principal.tags.iter().any(|(key, held)| key.eq_ignore_ascii_case(k) && held == v));
        if wanted.is_empty() || wanted.len() > 16 {
            return;
        }
        let Some(why) = self.on_principal(step.actor, action, step.principal, &[]) else { return };
        let node = self.after(step.at, "tagged".into(), |a| {
            for (key, tag) in &wanted {
                a.context.set(&format!("aws:principaltag/{key}"), [tag.as_str()]);
            }
        });
        self.link(step, &step.principal.arn, node, vec![why], true);
    }

    fn take_user(&mut self, step: &Step<'_>) {
        let details = self.details;
        let Some(first) = step.actions.first() else { return };
        for at in self.meant(step.actor, first, Kind::User) {
            let Some(target) = details.principals.get(at) else { continue };
            if target.kind != Kind::User || at == step.actor.principal || target.account != step.principal.account {
                continue;
            }
            let fits = match step.method.how.needs.as_str() {
                "free-key" => self.keys_of(target).is_none_or(|n| n < 2),
                "no-password" => self.has_password(target) != Some(true),
                "password" => self.has_password(target) != Some(false),
                "inactive-key" => self.has_inactive_key(target),
                _ => true,
            };
            if !fits {
                continue;
            }
            let mut because = Vec::new();
            for action in step.actions {
                match self.on_principal(step.actor, action, target, &[]) {
                    Some(why) => because.push(why),
                    None => break,
                }
            }
            if because.len() == step.actions.len() {
                self.link(step, &target.arn, Node::Actor(at), because, false);
            }
        }
    }

    /// The principals an actor's policies can mean when they allow an IAM action: those they name where they name each,
    /// all of a kind otherwise.
    fn meant(&self, actor: &Actor, action: &str, kind: Kind) -> Vec<usize> {
        let mut out = Vec::new();
        let statements = actor.identity.iter().flat_map(|p| p.document.statements.iter());
        for statement in statements.filter(|s| s.effect == Effect::Allow && s.actions.matches(action)) {
            let Some(resources) = statement.resources.as_ref().filter(|r| !r.inverted) else {
                return indexes(self.details, kind);
            };
            for text in &resources.texts {
                if text.contains(['*', '?', '$']) || !text.starts_with("arn:aws:iam::") {
                    return indexes(self.details, kind);
                }
                out.extend(self.places.get(text.as_ref()));
            }
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    /// How many access keys the inventory shows; none when it does not say.
    fn keys_of(&self, user: &Principal) -> Option<usize> {
        let count = self.inventory?.of("aws_iam_access_key").filter(|w| names(w, &user.name)).count();
        (count > 0).then_some(count)
    }

    /// Whether the inventory shows a key of the user that is switched off.
    fn has_inactive_key(&self, user: &Principal) -> bool {
        let status = |w: &Workload| w.attrs.get("status").and_then(serde_json::Value::as_str) == Some("Inactive");
        self.inventory.is_some_and(|i| i.of("aws_iam_access_key").any(|w| names(w, &user.name) && status(w)))
    }

    fn has_password(&self, user: &Principal) -> Option<bool> {
        let known = self.inventory?.of("aws_iam_user_login_profile").any(|w| names(w, &user.name));
        known.then_some(true)
    }

    /// Whether an actor can assume a role as it stands.
    fn assumes(&self, actor: &Actor, target: &Principal) -> Option<Arc<Evidence>> {
        let trust = target.trust.as_ref()?;
        if !actor.can_assume(self.org, &target.arn, trust) {
            return None;
        }
        let why = actor.why(self.org, "sts:assumerole", &target.arn, &[], Some(trust));
        Some(Evidence::of("sts:AssumeRole", &target.arn, why))
    }

    /// Whether an actor can rewrite a role's trust policy and then assume it.
    fn retrusts(&self, actor: &Actor, target: &Principal) -> Option<Arc<Evidence>> {
        let why = self.on_principal(actor, "iam:updateassumerolepolicy", target, &[])?;
        self.enters(actor, &target.arn, why)
    }

    /// Whether an actor may assume a role that trusts everyone, which it brought about by what `why` says.
    fn enters(&self, actor: &Actor, role: &str, why: Arc<Evidence>) -> Option<Arc<Evidence>> {
        let trust = trust_everyone();
        if !actor.can_assume(self.org, role, &trust) {
            return None;
        }
        if !actor.hopes {
            return Some(why);
        }
        let entering = actor.why(self.org, "sts:assumerole", role, &[], Some(&trust));
        Some(why.hanging_on(entering.residual.iter().map(Residual::words)))
    }

    fn roles_in_reach(&self, actor: &Actor) -> Vec<usize> {
        let mut out = self.by_anyone.clone();
        out.extend(self.by_name.get(&actor.caller.arn).into_iter().flatten());
        // An account delegates to those its own policies allow.
        if actor.mentions("sts:assumerole") {
            out.extend(self.by_account.get(&actor.caller.account).into_iter().flatten());
        }
        out.sort_unstable();
        out.dedup();
        out.retain(|i| *i != actor.principal);
        out
    }

    fn assume(&mut self, step: &Step<'_>) {
        let details = self.details;
        for at in self.roles_in_reach(step.actor) {
            let Some(target) = details.principals.get(at) else { continue };
            if let Some(why) = self.assumes(step.actor, target) {
                self.link(step, &target.arn, Node::Actor(at), vec![why], false);
            }
        }
    }

    fn take_role(&mut self, step: &Step<'_>) {
        // Providers to name in the trust policy, when the method makes one.
        let mut first = Vec::new();
        for action in step.actions.iter().filter(|a| *a != "iam:updateassumerolepolicy") {
            let found = witnesses(step.actor, action, &self.regions);
            let Some(on) = found.into_iter().find(|r| step.actor.can(self.org, action, r, &[])) else { return };
            first.push(self.why(step.actor, action, &on, &[]));
        }
        let details = self.details;
        for at in self.meant(step.actor, "iam:updateassumerolepolicy", Kind::Role) {
            let Some(target) = details.principals.get(at) else { continue };
            if target.kind != Kind::Role || at == step.actor.principal || self.linked.contains(at) {
                continue;
            }
            let found = if first.is_empty() {
                self.retrusts(step.actor, target)
            } else {
                self.on_principal(step.actor, "iam:updateassumerolepolicy", target, &[])
            };
            if let Some(why) = found {
                let mut because = first.clone();
                because.push(why);
                self.link(step, &target.arn, Node::Actor(at), because, false);
            }
        }
    }

    fn write_and_take(&mut self, step: &Step<'_>) {
        let how = &step.method.how;
        let details = self.details;
        let candidates: Vec<usize> = match how.take.as_str() {
            "assume" => self.roles_in_reach(step.actor),
            "trust" => indexes(details, Kind::Role),
            _ => indexes(details, Kind::User),
        };
        for at in candidates.into_iter().filter(|at| *at != step.actor.principal) {
            let Some(target) = details.principals.get(at) else { continue };
            if self.linked.contains(at) {
                continue;
            }
            let taken = match how.take.as_str() {
                "assume" => self.assumes(step.actor, target),
                "trust" => self.retrusts(step.actor, target),
                _ if self.keys_of(target).is_some_and(|n| n >= 2) => None,
                _ => self.on_principal(step.actor, "iam:createaccesskey", target, &[]),
            };
            let Some(taken) = taken else { continue };
            let Some((policy, _, mut because)) = self.write(step.actor, &how.write, target) else { continue };
            because.push(taken);
            let node = self.granted(at, &policy);
            self.link(step, &target.arn, node, because, true);
        }
    }

    fn new_principal(&mut self, step: &Step<'_>) {
        let actions: Vec<(&str, Extra)> = step
            .actions
            .iter()
            .map(|a| {
                let extra =
                    if a.contains("attach") { vec![("iam:policyarn", value(ADMINISTRATOR))] } else { Vec::new() };
                (a.as_str(), extra)
            })
            .collect();
        let Some(found) = joint(step.actor, self.org, &actions, &self.regions) else { return };
        let Some(arn) = found.first().map(|(_, arn)| arn.clone()) else { return };
        let role = step.method.how.kind == "new-role";
        let mut because = self.joint_evidence(step.actor, &found, &actions);
        if role {
            let Some(first) = because.first_mut() else { return };
            let Some(why) = self.enters(step.actor, &arn, Arc::clone(first)) else { return };
            *first = why;
        }
        // The new principal, bound by the organization alone.
        let mut fresh = step.principal.clone();
        fresh.arn.clone_from(&arn);
        fresh.kind = if role { Kind::Role } else { Kind::User };
        fresh.boundary = None;
        fresh.tags = Vec::new();
        fresh.attachments = vec![Attachment { policy: allow_everything(), source: Source::Inline }];
        let fresh = Actor::new(step.actor.principal, &fresh, self.org, &mut self.sets);
        let admin = self.rule.judge(&fresh, self.org, &mut self.sets) != Admin::No;
        self.link(step, &arn, if admin { Node::Admin } else { Node::End }, because, true);
    }

    fn joint_evidence(&self, actor: &Actor, found: &[(&str, String)], actions: &[(&str, Extra)]) -> Vec<Arc<Evidence>> {
        found
            .iter()
            .map(|(action, on)| {
                let extra = actions.iter().find(|(a, _)| a == action).map(|(_, e)| e.as_slice()).unwrap_or_default();
                self.why(actor, action, on, extra)
            })
            .collect()
    }

    fn provider(&mut self, step: &Step<'_>) {
        let Some(action) = step.actions.first() else { return };
        let details = self.details;
        for (at, role) in details.principals.iter().enumerate() {
            let Some(trust) = &role.trust else { continue };
            for statement in trust.document.statements.iter().filter(|s| s.effect == Effect::Allow) {
                if step.method.how.loose == "aud" && statement.conditions.iter().any(|c| c.key.ends_with(":aud")) {
                    continue;
                }
                let wanted = if action.contains("saml") { ":saml-provider/" } else { ":oidc-provider/" };
                for entry in statement.principals.iter().flat_map(|p| p.entries.iter()) {
                    let PrincipalEntry::Federated(provider) = entry else { continue };
                    if provider.contains(wanted) && step.actor.can(self.org, action, provider, &[]) {
                        let because =
                            vec![self.why(step.actor, action, provider, &[]), Evidence::fact("trust", &role.arn)];
                        self.link(step, &role.arn, Node::Actor(at), because, false);
                    }
                }
            }
        }
    }

    fn guardrail(&mut self, step: &Step<'_>) {
        if !self.org.is_management(&step.principal.account) {
            return;
        }
        let actions: Vec<(&str, Extra)> = step.actions.iter().map(|a| (a.as_str(), Vec::new())).collect();
        if let Some(found) = joint(step.actor, self.org, &actions, &self.regions) {
            let because = self.joint_evidence(step.actor, &found, &actions);
            self.link(step, "organization", Node::End, because, false);
        }
    }

    fn permission_set(&mut self, step: &Step<'_>) {
        let actions: Vec<(&str, Extra)> = step.actions.iter().map(|a| (a.as_str(), Vec::new())).collect();
        if let Some(found) = joint(step.actor, self.org, &actions, &self.regions) {
            let because = self.joint_evidence(step.actor, &found, &actions);
            self.link(step, "permission set", Node::Admin, because, false);
            self.assume_last(
                "the actor's person has an identity in IAM Identity Center that the permission set reaches",
            );
        }
    }

    /// Edges from outside: identity providers anyone can get a token of.
    fn open_trusts(&mut self) {
        let details = self.details;
        let find = |kind: &str| data::methods().iter().find(|m| m.how.kind == kind);
        let (Some(issuer), Some(pool)) = (find("open-issuer"), find("unauthenticated-pool")) else { return };
        for (at, role) in details.principals.iter().enumerate() {
            let Some(trust) = &role.trust else { continue };
            for (provider, statement, unauthenticated) in crate::policy::open_providers(&trust.document) {
                let method = if unauthenticated { pool } else { issuer };
                let edge = Edge {
                    from: provider,
                    to: role.arn.clone(),
                    method: &method.id,
                    kind: &method.edge,
                    because: vec![Arc::new(Evidence::new(
                        "trust",
                        &role.arn,
                        vec![super::super::decide::Because {
                            layer: TRUST.name(),
                            policy: "trust policy".into(),
                            statement: statement.into(),
                            effect: "Allow",
                        }],
                    ))],
                    assumes: Vec::new(),
                    leads_to_admin: false,
                };
                let node = Node::Actor(at);
                self.links.push(Link { from: usize::MAX, node, edge, only_if_useful: false, conditional: false });
            }
        }
    }
}

/// One method tried for one actor.
struct Step<'s> {
    at: usize,
    actor: &'s Actor,
    principal: &'s Principal,
    method: &'static Method,
    actions: &'s [String],
}

fn indexes(details: &Details, kind: Kind) -> Vec<usize> {
    details.principals.iter().enumerate().filter(|(_, p)| p.kind == kind).map(|(i, _)| i).collect()
}

fn names(item: &Workload, user: &str) -> bool {
    item.attrs.get("user").and_then(serde_json::Value::as_str) == Some(user)
}

/// The regions the documents speak of, with a usual one first, then those that conditions hold requests to.
fn regions(details: &Details, org: &Organization, inventory: Option<&Inventory>) -> Vec<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut held: BTreeSet<String> = BTreeSet::new();
    let mut note = |text: &str| {
        if let Some(region) =
            text.split(':').nth(3).filter(|r| text.starts_with("arn:") && !r.is_empty() && !r.contains(['*', '?', '$']))
        {
            found.insert(region.to_owned());
        }
    };
    let own = details.principals.iter().flat_map(|p| {
        let boundary = p.boundary.iter().filter_map(|b| b.policy.as_ref());
        p.attachments.iter().map(|a| &a.policy).chain(boundary)
    });
    let chains = org.accounts.values().flat_map(|c| &c.scps);
    let guardrails = org.scps.iter().chain(chains).flat_map(|l| &l.policies);
    for statement in own.chain(guardrails).flat_map(|p| p.document.statements.iter()) {
        for text in statement.resources.iter().flat_map(|r| r.texts.iter()) {
            note(text);
        }
        let regional = statement.conditions.iter().filter(|c| c.key.as_ref() == "aws:requestedregion");
        held.extend(
            regional.flat_map(|c| c.values.iter()).filter(|v| !v.contains(['*', '?', '$'])).map(ToString::to_string),
        );
    }
    for item in inventory.iter().flat_map(|i| i.items.iter()) {
        if let Some(arn) = item.attrs.get("arn").and_then(serde_json::Value::as_str) {
            note(arn);
        }
    }
    let others = found.iter().filter(|r| !held.contains(*r));
    let mut out: Vec<String> = held.iter().chain(others).filter(|r| *r != "us-east-1").cloned().collect();
    out.truncate(8);
    out.insert(0, "us-east-1".into());
    out
}
