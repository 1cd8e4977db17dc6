//! What of one account's graph matters to others: the doors others may come in by, and the steps its own principals can
//! take into other accounts.

use super::{
    Edge, Facts, Goal, MAX_DOORS, Report,
    door::{Door, FUNCTION, INTO_FUNCTION, INTO_ROLE, KEY, ROLE, Through},
    graph::{ACCOUNT, Graph, build, edge, is_source, reachable, residual},
    passages::Passages,
    search::report,
};
use crate::{
    exposure::Step,
    identity::aws::{
        Admin, Decision, Level, Organization, Tri,
        abroad::{Abroad, Manner, administrator, may_abroad},
        arn::Arn,
        details::{Kind, Principal},
        document::Effect,
        escalate::{invoke_everyone, trust_everyone},
        glob::glob,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// Accounts that were not read, taken together.
pub(super) const UNREAD: &str = "unread";

/// What stands around an account in its organization.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    doors: Vec<Door>,
    organization: Organization,
    unread: BTreeMap<String, String>,
    gaps: Gaps,
    by_account: BTreeMap<String, Vec<usize>>,
}

/// By account and kind, why there may be more doors than were found.
pub type Gaps = BTreeMap<String, BTreeMap<String, String>>;

impl Outside {
    /// From the doors of all accounts, what binds each account, and the members that could not be read with why: not at
    /// all, or not every kind completely (`gaps`).
    pub fn new(mut doors: Vec<Door>, organization: Organization, unread: BTreeMap<String, String>, gaps: Gaps) -> Self {
        doors.sort_by(|a, b| (&a.account, &a.kind, &a.node).cmp(&(&b.account, &b.kind, &b.node)));
        doors.dedup_by(|a, b| a.account == b.account && a.kind == b.kind && a.node == b.node);
        let mut by_account: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, door) in doors.iter().enumerate() {
            by_account.entry(door.account.clone()).or_default().push(at);
        }
        Self { doors, organization, unread, gaps, by_account }
    }

    fn of(&self, account: &str) -> impl Iterator<Item = &Door> {
        self.by_account.get(account).into_iter().flatten().filter_map(|i| self.doors.get(*i))
    }

    /// The doors of an account.
    pub fn own(&self, account: &str) -> Vec<Door> {
        self.of(account).cloned().collect()
    }

    /// By kind, why an account may have more doors.
    pub fn gaps(&self, account: &str) -> BTreeMap<String, String> {
        self.gaps.get(account).cloned().unwrap_or_default()
    }

    fn gap(&self, account: &str, kind: &str) -> Option<&String> {
        self.gaps.get(account).and_then(|kinds| kinds.get(kind))
    }

    /// The accounts that may have doors of a kind nobody saw, with why.
    fn unseen(&self, kind: &str) -> BTreeMap<&str, &str> {
        let partly = self.gaps.iter().filter_map(|(a, kinds)| Some((a.as_str(), kinds.get(kind)?.as_str())));
        self.unread.iter().map(|(a, why)| (a.as_str(), why.as_str())).chain(partly).collect()
    }

    /// The account's own doors that lead on.
    pub(crate) fn own_doors(&self, account: &str) -> BTreeSet<String> {
        self.of(account).filter(|d| d.leads_on()).map(|d| d.node.clone()).collect()
    }

    /// The doors of others that may let an account's principals in.
    pub(super) fn doors_for<'o>(&'o self, account: &'o str) -> impl Iterator<Item = &'o Door> + 'o {
        self.doors.iter().filter(move |d| d.account != account && (d.open || d.names.contains(account)))
    }

    fn key(&self, arn: &str) -> Option<&Door> {
        let account = Arn::parse(arn)?.account();
        self.of(account).find(|d| d.kind == KEY && d.node == arn)
    }

    /// What is known of a request over accounts: who belongs to the organization, and how the resource is tagged.
    fn context(&self, caller: &str, resource: &str, tags: &BTreeMap<String, String>) -> Vec<(String, Vec<String>)> {
        let mut out = Vec::new();
        for (account, id, paths) in [
            (caller, "aws:PrincipalOrgID", "aws:PrincipalOrgPaths"),
            (resource, "aws:ResourceOrgID", "aws:ResourceOrgPaths"),
        ] {
            let Some(chain) = self.organization.accounts.get(account) else { continue };
            out.extend(self.organization.id.clone().map(|o| (id.to_owned(), vec![o])));
            out.extend(chain.path.clone().map(|p| (paths.to_owned(), vec![p])));
        }
        for (key, value) in tags {
            for prefix in ["aws:ResourceTag", "iam:ResourceTag"] {
                out.push((format!("{prefix}/{key}"), vec![value.clone()]));
            }
        }
        out
    }
}

/// Of one account's graph, what ways over accounts need.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Border {
    /// The account.
    pub account: String,
    /// Edges within it that lie between ways in, doors, steps out and goals.
    pub edges: Vec<Edge>,
    /// Steps into other accounts, and into this one from accounts that could not be read.
    pub steps: Vec<Edge>,
    /// What is at stake in it.
    pub goals: Vec<Goal>,
    /// The kinds of its ways in, by node.
    pub kinds: BTreeMap<String, String>,
    /// Who comes to administer other accounts.
    #[serde(default, skip_serializing_if = "Passages::is_empty")]
    pub passages: Passages,
    /// Bounds that were reached.
    pub limits: Vec<String>,
}

/// Finds the attack paths within an account, and its border when something stands around it.
pub fn survey(facts: &Facts<'_>) -> (Report, Border) {
    let mut graph = build(facts);
    let report = report(facts, &graph);
    let border = facts.outside.map(|outside| border(facts, &mut graph, outside)).unwrap_or_default();
    (report, border)
}

fn border(facts: &Facts<'_>, graph: &mut Graph, outside: &Outside) -> Border {
    let mut out = Border { account: facts.estate.account.clone(), ..Border::default() };
    let reach = reachable(facts, graph);
    let held = held(facts, graph, outside, &reach);
    let crossing = Crossing { facts, outside, reach, held };
    crossing.out(&mut out);
    crossing.unread_ahead(&mut out);
    crossing.unread_behind(&mut out);
    out.passages = crossing.passages();
    out.steps.sort_by(|a, b| (&a.from, &a.to, a.cost, a.kind).cmp(&(&b.from, &b.to, b.cost, b.kind)));
    out.steps.dedup_by(|a, b| a.same(b));
    prune(graph, &outside.own_doors(&out.account), &mut out);
    let kinds: BTreeMap<&str, &str> = facts.exposures.iter().map(|e| (e.resource.as_str(), e.kind.as_str())).collect();
    for entry in out.edges.iter().filter(|e| is_source(&e.from)) {
        if let Some(kind) = kinds.get(entry.to.as_str()) {
            out.kinds.insert(entry.to.clone(), (*kind).to_owned());
        }
    }
    out
}

/// Keeps of the graph what leads from a way in to a step out, and from a door to a step out or a goal.
fn prune<'g>(graph: &'g Graph, doors: &'g BTreeSet<String>, out: &mut Border) {
    let mut back: BTreeMap<&'g str, Vec<&'g str>> = BTreeMap::new();
    for edge in graph.edges.values().flatten() {
        back.entry(&edge.to).or_default().push(&edge.from);
        back.entry(&edge.from).or_default();
    }
    let forward = |starts: Vec<&'g str>| {
        walk(starts, |node| graph.edges.get(node).into_iter().flatten().map(|e| e.to.as_str()).collect())
    };
    let backward = |ends: Vec<&'g str>| walk(ends, |node| back.get(node).cloned().unwrap_or_default());
    let from_outside = forward(graph.edges.keys().map(String::as_str).filter(|n| is_source(n)).collect());
    let from_doors = forward(doors.iter().map(String::as_str).collect());
    let starts = out.steps.iter().filter_map(|e| back.get_key_value(e.from.as_str())).map(|(node, _)| *node);
    let to_steps = backward(starts.collect());
    let to_goals = backward(graph.goals.keys().map(String::as_str).collect());
    let kept = |e: &&Edge| {
        let (from, to) = (e.from.as_str(), e.to.as_str());
        let after_door = from_doors.contains(from);
        (from_outside.contains(from) || after_door) && to_steps.contains(to) || after_door && to_goals.contains(to)
    };
    out.edges = graph.edges.values().flatten().filter(kept).cloned().collect();
    let ends: BTreeSet<&str> = out.edges.iter().map(|e| e.to.as_str()).collect();
    // Data that others read directly is at stake too, although nothing here leads to it.
    out.goals
        .extend(graph.goals.values().filter(|g| ends.contains(g.node.as_str()) || g.kind != "administration").cloned());
    out.goals.sort();
    out.goals.dedup();
    out.limits.extend(graph.limits.iter().cloned());
}

fn walk<'g>(starts: Vec<&'g str>, next: impl Fn(&'g str) -> Vec<&'g str>) -> BTreeSet<&'g str> {
    let mut seen: BTreeSet<&str> = starts.iter().copied().collect();
    let mut waiting = starts;
    while let Some(at) = waiting.pop() {
        for to in next(at) {
            if seen.insert(to) {
                waiting.push(to);
            }
        }
    }
    seen
}

/// How somebody who acts as a role came to do so, which says what its session is called.
#[derive(Debug, Default)]
struct Held<'a> {
    /// Whether whoever takes it may choose the name.
    chosen: bool,
    /// The names that workloads give their sessions; none for a workload whose sessions have names of no account.
    names: BTreeSet<Option<&'a str>>,
}

/// How the roles of an account are held by whoever may come from outside.
fn held<'a>(
    facts: &Facts<'a>,
    graph: &Graph,
    outside: &Outside,
    reach: &BTreeSet<String>,
) -> BTreeMap<String, Held<'a>> {
    let mut out: BTreeMap<String, Held<'a>> = BTreeMap::new();
    let mut workloads: BTreeMap<&'a str, &'a str> = BTreeMap::new();
    for (kind, field) in [("aws.ec2.instance", "instance_id"), (FUNCTION, "")] {
        let names = facts.estate.of(kind).map(|item| {
            let name = item.text(field).ok().filter(|n| !n.is_empty());
            let id = item.resource.id.as_str();
            (id, name.or_else(|| id.rsplit(['/', ':']).next()).unwrap_or(id))
        });
        workloads.extend(names);
    }
    let taken = |e: &&Edge| is_source(&e.from) || reach.contains(&e.from);
    for edge in graph.edges.values().flatten().filter(taken) {
        let role = out.entry(edge.to.clone()).or_default();
        match edge.kind {
            "CODE_AS" => _ = role.names.insert(workloads.get(edge.from.as_str()).copied()),
            _ => role.chosen = true,
        }
    }
    for door in outside.own_doors(&facts.estate.account) {
        out.entry(door).or_default().chosen = true;
    }
    out
}

/// A session that a door's policy names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Session {
    arn: String,
    /// What it hangs on that somebody acts in it.
    open: Option<String>,
}

/// Whom an administrator acts as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Guise {
    principal: String,
    session: Option<String>,
    /// Whether it has to be there already.
    existing: bool,
}

/// The steps over an account's border.
pub(super) struct Crossing<'a> {
    pub(super) facts: &'a Facts<'a>,
    pub(super) outside: &'a Outside,
    /// What the outside, or another account, leads to.
    reach: BTreeSet<String>,
    held: BTreeMap<String, Held<'a>>,
}

impl<'a> Crossing<'a> {
    pub(super) fn account(&self) -> &'a str {
        &self.facts.estate.account
    }

    /// The principals somebody may come to that are no administrators: those act through administration.
    fn actors(&self) -> Vec<&'a Principal> {
        let details = &self.facts.world.details;
        let all = details.principals.iter().zip(&self.facts.escalations.standings);
        all.filter(|(p, s)| s.admin == Admin::No && self.reach.contains(&p.arn)).map(|(p, _)| p).collect()
    }

    /// Steps into other accounts that were read.
    fn out(&self, out: &mut Border) {
        let actors = self.actors();
        let admin = format!("admin:{}", self.account());
        let administered = self.reach.contains(&admin);
        let partition = self.partition();
        let own = &self.facts.world.organization;
        let mut may: BTreeMap<&str, Vec<&Principal>> = BTreeMap::new();
        for (n, door) in self.outside.doors_for(self.account()).enumerate() {
            if n >= MAX_DOORS {
                out.limits.push(format!(
                    "only the first {MAX_DOORS} doors of other accounts were tried from {}",
                    self.account()
                ));
                break;
            }
            for way in door.ways() {
                let able = may
                    .entry(way.action)
                    .or_insert_with(|| actors.iter().copied().filter(|p| allows_somewhere(p, way.action)).collect());
                for principal in able.iter() {
                    let step = self.through(door, way, principal, own);
                    out.steps.extend(step.map(|e| self.under_guardrails(e)));
                }
                if administered {
                    let step = self.as_anyone(door, way, self.account(), &partition, own);
                    if let Some(mut step) = step {
                        step.from.clone_from(&admin);
                        out.steps.push(self.under_guardrails(step));
                    }
                }
            }
        }
    }

    pub(super) fn partition(&self) -> String {
        let first = self.facts.world.details.principals.first();
        first.and_then(|p| Arn::parse(&p.arn)).map_or_else(|| "aws".to_owned(), |a| a.partition().to_owned())
    }

    /// What an administrator of `account` can do about a door by acting as any of its principals, or one made for it.
    pub(super) fn as_anyone(
        &self,
        door: &Door,
        way: Through,
        account: &str,
        partition: &str,
        own: &Organization,
    ) -> Option<Edge> {
        let any = format!("arn:{partition}:iam::{account}:role/any");
        let guise = |principal: String, session: Option<&str>, existing: bool| Guise {
            principal,
            session: session.map(str::to_owned),
            existing,
        };
        let mut guises = BTreeSet::from([guise(any.clone(), None, false)]);
        guises.extend(door.asked_for(account).into_iter().map(|arn| guise(arn, None, false)));
        for (text, arn) in door.named(account) {
            let mut parts = arn.resource().split('/');
            match (arn.service(), parts.next()) {
                ("iam", _) => _ = guises.insert(guise(text.to_owned(), None, true)),
                ("sts", Some("assumed-role")) => {
                    let name = parts.next().unwrap_or_default();
                    let role = format!("arn:{partition}:iam::{account}:role/{name}");
                    guises.insert(guise(role, Some(text), true));
                }
                ("sts", Some("federated-user")) if federates(way) => {
                    guises.insert(guise(any.clone(), Some(text), false));
                }
                _ => {}
            }
        }
        // Of an account that was read it is known who exists; nobody else that a policy names can be acted as.
        let known = account == self.account();
        let details = &self.facts.world.details;
        for (id, name) in door.user_ids().filter(|_| known) {
            for p in details.principals.iter().filter(|p| !p.id.is_empty() && glob(id, &p.id)) {
                let session = name.filter(|n| p.kind == Kind::Role && *n != "*").map(|n| session_of(p, &filled(n)));
                guises.insert(guise(p.arn.clone(), session.as_deref(), true));
            }
        }
        let there = |g: &Guise| -> Option<String> {
            if !known || !g.existing {
                return Some(g.principal.clone());
            }
            let wanted = Arn::parse(&g.principal)?;
            let named = |p: &&Principal| p.kind == Kind::Role && p.name == wanted.name();
            match &g.session {
                Some(_) => details.principals.iter().find(named).map(|p| p.arn.clone()),
                None => details.principal(&g.principal).map(|p| p.arn.clone()),
            }
        };
        let tags = door.caller_tags();
        let steps = guises.iter().filter_map(|g| {
            let arn = there(g)?;
            let mut caller = administrator(&arn)?;
            if known {
                // Whoever is made has an id that no policy names yet.
                caller.id = details.principal(&arn).map_or_else(|| MADE.to_owned(), |p| p.id.clone());
            }
            let session = g.session.as_ref().map(|arn| Session { arn: arn.clone(), open: None });
            let mut step = self.attempt(door, way, &caller, own, session.as_ref(), &tags)?;
            step.because.retain(|s| s.resource != arn);
            let who = match &g.session {
                Some(session) => session.clone(),
                None if arn == any => "any of its principals".to_owned(),
                None if known && details.principal(&arn).is_none() => format!("{arn}, which can be made"),
                None => arn,
            };
            let says = format!("whoever administers account {account} acts as {who}");
            step.because.insert(0, Step::new(format!("admin:{account}"), "administration", says));
            Some(step)
        });
        steps.min_by_key(|s| (s.cost, s.because.clone()))
    }

    /// The sessions a principal may act in that a door's policy names.
    fn sessions(&self, door: &Door, way: Through, principal: &Principal) -> Vec<Session> {
        let mut out = Vec::new();
        for (text, arn) in door.named(&principal.account).filter(|(_, arn)| arn.service() == "sts") {
            let parts: Vec<&str> = arn.resource().splitn(3, '/').collect();
            match (parts.as_slice(), principal.kind) {
                (["assumed-role", role, name], Kind::Role) if *role == principal.name => {
                    let arn = text.to_owned();
                    out.extend(self.acts_in(principal, name).map(|open| Session { arn, open }));
                }
                (["federated-user", _], Kind::User) if federates(way) => {
                    let asked = self.facts.world.can(&principal.arn, "sts:GetFederationToken", text, &[]);
                    match asked.map(|d| d.allowed) {
                        Some(Tri::Yes) => out.push(Session { arn: text.to_owned(), open: None }),
                        Some(Tri::Maybe) => {
                            let open = Some(format!("whether {} may take the session {text}", principal.arn));
                            out.push(Session { arn: text.to_owned(), open });
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        // Conditions on the unique id name sessions, too.
        let mine = |id: &str| principal.kind == Kind::Role && !principal.id.is_empty() && glob(id, &principal.id);
        for pattern in door.user_ids().filter(|(id, _)| mine(id)).filter_map(|(_, name)| name).filter(|n| *n != "*") {
            let held = self.held.get(&principal.arn).into_iter().flat_map(|h| h.names.iter().flatten());
            let mut names: BTreeSet<String> = held.filter(|n| glob(pattern, n)).map(|n| (*n).to_owned()).collect();
            names.insert(filled(pattern));
            for name in names {
                let arn = session_of(principal, &name);
                out.extend(self.acts_in(principal, &name).map(|open| Session { arn, open }));
            }
        }
        out
    }

    /// Whether whoever holds a role may act in its session of this name, and what that hangs on; none when nobody does.
    fn acts_in(&self, principal: &Principal, name: &str) -> Option<Option<String>> {
        match self.held.get(&principal.arn) {
            Some(held) if held.chosen || held.names.iter().all(|n| *n == Some(name)) => Some(None),
            // What runs as the role names its sessions after itself.
            Some(held) if !held.names.contains(&None) && !held.names.contains(&Some(name)) => None,
            _ => Some(Some(format!("whether somebody acts in the session {name} of {}", principal.arn))),
        }
    }

    /// The step of a principal through a door, when the policies of both sides may allow it.
    pub(super) fn through(&self, door: &Door, way: Through, principal: &Principal, own: &Organization) -> Option<Edge> {
        let none = BTreeSet::new();
        let plain = self.attempt(door, way, principal, own, None, &none);
        let sessions = self.sessions(door, way, principal);
        let sessions = sessions.iter().filter_map(|s| self.attempt(door, way, principal, own, Some(s), &none));
        plain.into_iter().chain(sessions).min_by_key(|step| step.cost)
    }

    /// The same in one session; `tags` are those the caller may choose.
    fn attempt(
        &self,
        door: &Door,
        way: Through,
        principal: &Principal,
        own: &Organization,
        session: Option<&Session>,
        tags: &BTreeSet<String>,
    ) -> Option<Edge> {
        let mut out = edge(&principal.arn, &door.node, way.kind, way.cost, Vec::new());
        out.from_account.clone_from(&principal.account);
        out.to_account.clone_from(&door.account);
        if let Some(session) = session {
            let says = format!("acts in the session {}", session.arn);
            out.because.push(Step::new(&principal.arn, "session", says));
            out.depends_on.extend(session.open.clone());
        }
        let asks = Asks { crossing: self, principal, own, session: session.map(|s| s.arn.as_str()), tags };
        asks.of(door, way.action, &door.target(), &mut out)?;
        if !door.leads_on() {
            match door.key.as_deref() {
                None => out.depends_on.push(format!("which key encrypts {}", door.node)),
                // What AWS's own key for secrets encrypts cannot be read from another account.
                Some("") if door.kind == "aws.secretsmanager.secret" => return None,
                Some("") => {}
                Some(key) if key.contains("alias/aws/") => return None,
                Some(key) => match self.outside.key(key) {
                    Some(door) => asks.of(door, "kms:Decrypt", key, &mut out)?,
                    // Without a policy that names other accounts only its own account uses a key that was read.
                    None if key.starts_with("arn:") && self.is_seen(&door.account, KEY) => return None,
                    None => out.depends_on.push(format!("kms:Decrypt on {key}, whose policy is not on the record")),
                },
            }
        }
        out.cost += 3 * u32::from(!out.depends_on.is_empty());
        out.depends_on.sort();
        out.depends_on.dedup();
        Some(out)
    }

    /// Whether all doors of a kind in an account are known.
    fn is_seen(&self, account: &str, kind: &str) -> bool {
        !self.outside.unread.contains_key(account) && self.outside.gap(account, kind).is_none()
    }

    /// Steps into members that could not be read, which the policies on this side name: through roles, and through
    /// functions, which run as roles.
    fn unread_ahead(&self, out: &mut Border) {
        for (kind, what, ways) in [(ROLE, "a role", &INTO_ROLE[..]), (FUNCTION, "a function", &INTO_FUNCTION[..])] {
            let others = self.unseen(kind);
            if others.is_empty() {
                continue;
            }
            for principal in self.actors() {
                for way in ways {
                    self.unread_by(principal, kind, what, *way, &others, out);
                }
            }
            // Whoever administers this account may ask as any of its principals.
            let admin = format!("admin:{}", self.account());
            let any = format!("arn:{}:iam::{}:role/any", self.partition(), self.account());
            let Some(anyone) = administrator(&any).filter(|_| self.reach.contains(&admin)) else { continue };
            let before = out.steps.len();
            for way in ways {
                self.unread_by(&anyone, kind, what, *way, &others, out);
            }
            for step in out.steps.iter_mut().skip(before) {
                step.from.clone_from(&admin);
                let says = format!("whoever administers account {} acts as any of its principals", self.account());
                step.because = vec![Step::new(&admin, "administration", says)];
            }
        }
    }

    /// The other accounts that may have doors of a kind nobody saw, with why.
    pub(super) fn unseen(&self, kind: &str) -> BTreeMap<&str, &str> {
        let mut out = self.outside.unseen(kind);
        out.remove(self.account());
        out
    }

    pub(super) fn unread_by(
        &self,
        principal: &Principal,
        kind: &str,
        what: &str,
        way: Through,
        others: &BTreeMap<&str, &str>,
        out: &mut Border,
    ) {
        let lower = way.action.to_ascii_lowercase();
        let policies = principal.policies();
        let allows = policies.iter().flat_map(|p| p.document.statements.iter().map(move |s| (p, s)));
        for (policy, statement) in allows.filter(|(_, s)| s.effect == Effect::Allow && s.actions.matches(&lower)) {
            let Some(resources) = statement.resources.as_ref().filter(|r| !r.inverted) else { continue };
            for text in &resources.texts {
                let named = Arn::parse(text).map(|a| a.account()).unwrap_or("*");
                let (to, accounts): (&str, Vec<&str>) = match others.get_key_value(named) {
                    Some((account, _)) => (account, vec![*account]),
                    None if named.contains('*') => (UNREAD, others.keys().copied().collect()),
                    None => continue,
                };
                let open = accounts.into_iter().find(|account| {
                    let on = match Arn::parse(text) {
                        Some(arn) => [arn.partition(), arn.service(), arn.region(), account, arn.resource()].join(":"),
                        None if kind == ROLE => format!("{}:iam::{account}:role/any", self.partition()),
                        None => format!("{}:lambda:*:{account}:function:any", self.partition()),
                    };
                    let rcps = self.outside.organization.rcps_of(account);
                    let anyone = if kind == ROLE { trust_everyone() } else { invoke_everyone() };
                    let resource = Abroad { arn: &format!("arn:{on}"), account, policy: &anyone, rcps };
                    let context = self.outside.context(self.account(), account, &BTreeMap::new());
                    let own = &self.facts.world.organization;
                    let manner = Manner { context: &context, ..Manner::default() };
                    may_abroad(principal, own, way.action, &resource, &manner).allowed != Tri::No
                });
                let Some(first) = open else { continue };
                let why = others.get(first).copied().unwrap_or_default();
                let label = format!("{} {}", policy.name, statement.label());
                let says = format!("allows {} on {text}", way.action);
                let mut step = edge(
                    &principal.arn,
                    &format!("admin:{to}"),
                    "CAN_BECOME",
                    way.cost + 3,
                    vec![Step::new(&principal.arn, label.trim_end(), says)],
                );
                step.from_account = self.account().to_owned();
                step.to_account = to.to_owned();
                step.depends_on.push(format!("whether {what} of account {first} lets it in: {why}"));
                let node = step.to.clone();
                out.goals.push(Goal { node, kind: "administration".into(), data_class: String::new() });
                out.steps.push(self.under_guardrails(step));
            }
        }
    }

    /// Steps through the account's own doors from members that could not be read: whether somebody outside reaches
    /// their principals is not known.
    fn unread_behind(&self, out: &mut Border) {
        let partition = self.partition();
        for door in self.outside.of(self.account()) {
            for (account, why) in &self.outside.unread {
                let named = door.names.contains(account);
                if account == self.account() || !(named || door.open) {
                    continue;
                }
                let from = if named { account.as_str() } else { UNREAD };
                for way in door.ways() {
                    let step = self.as_anyone(door, way, account, &partition, &self.outside.organization);
                    let Some(mut step) = step else { continue };
                    step.from = format!("{ACCOUNT}{from}");
                    step.from_account = from.to_owned();
                    if step.depends_on.is_empty() {
                        step.cost += 3;
                    }
                    step.depends_on
                        .push(format!("whether somebody outside reaches a principal of account {account}: {why}"));
                    out.kinds.insert(door.node.clone(), door.kind.clone());
                    out.steps.push(step);
                }
            }
        }
    }

    fn under_guardrails(&self, mut step: Edge) -> Edge {
        if !self.facts.guardrails.is_empty() {
            step.cost += 3 * u32::from(step.depends_on.is_empty());
            let open = self.facts.guardrails.iter();
            step.depends_on.extend(open.map(|n| format!("whether a guardrail forbids it: {}", n.describe())));
        }
        step
    }
}

/// Who asks the policies of both sides, and in which session.
struct Asks<'a> {
    crossing: &'a Crossing<'a>,
    principal: &'a Principal,
    own: &'a Organization,
    session: Option<&'a str>,
    tags: &'a BTreeSet<String>,
}

impl Asks<'_> {
    /// Asks for an action on a door or what is in it; adds what says so and what it hangs on.
    fn of(&self, door: &Door, action: &str, on: &str, out: &mut Edge) -> Option<()> {
        let outside = self.crossing.outside;
        let rcps: &[Level] = outside.organization.rcps_of(&door.account);
        let resource = Abroad { arn: on, account: &door.account, policy: &door.policy, rcps };
        let context = outside.context(&self.principal.account, &door.account, &door.tags);
        let manner = Manner { session: self.session, context: &context, chosen: Some(self.tags) };
        let decision = may_abroad(self.principal, self.own, action, &resource, &manner);
        if decision.allowed == Tri::No {
            return None;
        }
        out.because.extend(evidence(&decision, door, self.principal, action, on));
        out.depends_on.extend(decision.residual.iter().map(residual));
        if !door.unread.is_empty() {
            out.depends_on.push(format!("whether the {} of {} lets it in: {}", door.field(), door.node, door.unread));
        }
        Some(())
    }
}

/// The unique id of a role that is made for the purpose: nothing names it.
const MADE: &str = "AROAMADEFORTHISPURPOSE";

/// A name that a pattern covers.
fn filled(pattern: &str) -> String {
    pattern.replace('*', "any").replace('?', "x")
}

/// The ARN of a role's session.
fn session_of(role: &Principal, name: &str) -> String {
    let partition = Arn::parse(&role.arn).map_or("aws", |arn| arn.partition()).to_owned();
    format!("arn:{partition}:sts::{}:assumed-role/{}/{name}", role.account, role.name)
}

/// Whether a session of `sts:GetFederationToken` can do it: such sessions may not call STS.
fn federates(way: Through) -> bool {
    !way.action.starts_with("sts:")
}

/// Whether some statement allows an action, wherever.
pub(super) fn allows_somewhere(principal: &Principal, action: &str) -> bool {
    !principal.is_service_linked() && principal.mentions(&action.to_ascii_lowercase())
}

/// The statements of both sides that allow a step.
fn evidence(decision: &Decision, door: &Door, principal: &Principal, action: &str, on: &str) -> Vec<Step> {
    let there = |statement: &str| {
        let place =
            if statement.is_empty() { door.field().to_owned() } else { format!("{}.{statement}", door.field()) };
        Step::new(&door.node, place, format!("admits {} of account {} to {action}", principal.arn, principal.account))
    };
    let mut out: Vec<Step> = Vec::new();
    let unread = !door.unread.is_empty();
    // Guardrails that let something through are no reason for it.
    for b in decision.because.iter().filter(|b| b.effect == "Allow" && b.layer != "scp") {
        out.push(match b.layer {
            "resource" if unread => continue,
            "resource" => there(&b.statement),
            _ => {
                let place = format!("{} {}", b.policy, b.statement);
                Step::new(&principal.arn, place.trim_end(), format!("allows {action} on {on}"))
            }
        });
    }
    if unread {
        out.push(Step::new(&door.node, door.field(), format!("could not be read: {}", door.unread)));
    } else if !out.iter().any(|s| s.resource == door.node) {
        out.push(there(""));
    }
    out
}
