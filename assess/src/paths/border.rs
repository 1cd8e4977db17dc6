//! What of one account's graph matters to others: the doors others may come in by, and the steps its own principals can
//! take into other accounts.

use super::{
    DataClasses, Edge, Facts, Goal, MAX_DOORS, Report,
    graph::{ACCOUNT, Graph, build, edge, is_source, reachable, read_on, reading, residual},
    search::report,
};
use crate::{
    exposure::{Estate, Item, Step, serves_only_its_account},
    identity::aws::{
        Admin, Decision, Document, Level, Organization, Policy, Tri,
        abroad::{Abroad, administrator, may_abroad},
        arn::Arn,
        details::Principal,
        document::Effect,
        escalate::trust_everyone,
        principal::PrincipalEntry,
    },
};
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Accounts that were not read, taken together.
const UNREAD: &str = "unread";
/// The kinds doors are made of.
pub const DOORS: [&str; 8] = [
    "aws.iam.role",
    "aws.lambda.function",
    "aws.s3.bucket",
    "aws.secretsmanager.secret",
    "aws.dynamodb.table",
    "aws.sqs.queue",
    "aws.sns.topic",
    "aws.kms.key",
];

/// A resource whose own policy names other accounts.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(into = "Written", try_from = "Written")]
pub struct Door {
    /// The account that owns it.
    pub account: String,
    /// Its kind.
    pub kind: String,
    /// Its ARN.
    pub node: String,
    /// Its policy; a role's trust policy.
    pub policy: Arc<Policy>,
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
    document: Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
}

impl From<Door> for Written {
    fn from(door: Door) -> Self {
        let Door { account, kind, node, document, key, tags, .. } = door;
        Self { account, kind, node, document, key, tags }
    }
}

impl TryFrom<Written> for Door {
    type Error = String;
    fn try_from(w: Written) -> Result<Self, String> {
        let parsed = Document::parse(&w.document).map_err(|e| format!("the policy of {}: {e}", w.node))?;
        let mut names = BTreeSet::new();
        let mut open = false;
        for statement in parsed.statements.iter().filter(|s| s.effect == Effect::Allow) {
            let Some(principals) = &statement.principals else { continue };
            open |= principals.is_open();
            let accounts = principals.entries.iter().filter_map(PrincipalEntry::account);
            names.extend(accounts.filter(|a| *a != w.account).map(str::to_owned));
        }
        let policy = Arc::new(Policy::new(w.node.as_str(), parsed));
        let Written { account, kind, node, document, key, tags } = w;
        Ok(Self { account, kind, node, policy, key, tags, names, open, document })
    }
}

impl Door {
    /// What going through it takes; none for keys, which are asked for together with what they encrypt.
    fn action(&self) -> Option<&'static str> {
        match self.kind.as_str() {
            "aws.iam.role" => Some("sts:AssumeRole"),
            "aws.lambda.function" => Some("lambda:InvokeFunction"),
            kind => reading(kind),
        }
    }

    /// The step through it and its cost.
    fn step(&self) -> (&'static str, u32) {
        match self.kind.as_str() {
            "aws.iam.role" => ("CAN_BECOME", 1),
            "aws.lambda.function" => ("INVOKE", 5),
            _ => ("DATA", 1),
        }
    }

    /// Whether it leads on, so that somebody who came through it has to be followed.
    fn leads_on(&self) -> bool {
        matches!(self.kind.as_str(), "aws.iam.role" | "aws.lambda.function")
    }

    fn field(&self) -> &'static str {
        if self.kind == "aws.iam.role" { "trust" } else { "policy" }
    }
}

/// The doors of an account: what lets other accounts in by a policy of its own, of the kinds paths lead over or to.
pub fn doors(estate: &Estate, data: &DataClasses) -> Vec<Door> {
    let mut out = Vec::new();
    for item in DOORS.iter().flat_map(|kind| estate.of(kind)) {
        let kind = item.kind.id.as_str();
        let matters = match kind {
            "aws.iam.role" => !item.id().contains(":role/aws-service-role/"),
            "aws.lambda.function" | "aws.kms.key" | "aws.secretsmanager.secret" => true,
            _ => data.of(&item).is_some(),
        };
        if matters {
            out.extend(door(estate, &item));
        }
    }
    out
}

fn door(estate: &Estate, item: &Item<'_>) -> Option<Door> {
    let kind = item.kind.id.as_str();
    let value = item.get(if kind == "aws.iam.role" { "trust" } else { "policy" });
    if value.is_null() || value.first_unknown().is_some() {
        return None;
    }
    let document = match value.as_str() {
        Some(text) => serde_json::from_str(text).ok()?,
        None => value.to_plain_json(),
    };
    let tags = item.get("tags").as_map().into_iter().flat_map(|m| m.iter());
    let tags = tags.filter_map(|(k, v)| Some((k.to_owned(), v.as_str()?.to_owned()))).collect();
    let key =
        if item.has("kms_key_id") { item.text("kms_key_id").ok().map(str::to_owned) } else { Some(String::new()) };
    let (account, kind, node) = (estate.account.clone(), kind.to_owned(), item.id().to_owned());
    let door = Door::try_from(Written { account, kind, node, document, key, tags }).ok()?;
    let lets_in = door.open || !door.names.is_empty();
    let cut_off = door.kind == "aws.s3.bucket" && serves_only_its_account(estate, item, &door.policy.document);
    (lets_in && !cut_off).then_some(door)
}

/// What stands around an account in its organization.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    doors: Vec<Door>,
    organization: Organization,
    unread: BTreeMap<String, String>,
    partly: BTreeMap<String, String>,
    by_account: BTreeMap<String, Vec<usize>>,
}

impl Outside {
    /// From the doors of all accounts, what binds each account, and the members that could not be read with why: not at
    /// all, or their roles not completely (`partly`).
    pub fn new(
        mut doors: Vec<Door>,
        organization: Organization,
        unread: BTreeMap<String, String>,
        partly: BTreeMap<String, String>,
    ) -> Self {
        doors.sort_by(|a, b| (&a.account, &a.kind, &a.node).cmp(&(&b.account, &b.kind, &b.node)));
        doors.dedup_by(|a, b| a.account == b.account && a.kind == b.kind && a.node == b.node);
        let mut by_account: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, door) in doors.iter().enumerate() {
            by_account.entry(door.account.clone()).or_default().push(at);
        }
        Self { doors, organization, unread, partly, by_account }
    }

    fn of(&self, account: &str) -> impl Iterator<Item = &Door> {
        self.by_account.get(account).into_iter().flatten().filter_map(|i| self.doors.get(*i))
    }

    /// The doors of an account.
    pub fn own(&self, account: &str) -> Vec<Door> {
        self.of(account).cloned().collect()
    }

    /// Why an account may have more doors.
    pub fn partly(&self, account: &str) -> Option<&str> {
        self.partly.get(account).map(String::as_str)
    }

    /// The account's own doors that lead on.
    pub(crate) fn own_doors(&self, account: &str) -> BTreeSet<String> {
        self.of(account).filter(|d| d.leads_on()).map(|d| d.node.clone()).collect()
    }

    /// The doors of others that may let an account's principals in.
    fn doors_for<'o>(&'o self, account: &'o str) -> impl Iterator<Item = &'o Door> + 'o {
        self.doors.iter().filter(move |d| d.account != account && (d.open || d.names.contains(account)))
    }

    fn key(&self, arn: &str) -> Option<&Door> {
        let account = Arn::parse(arn)?.account();
        self.of(account).find(|d| d.kind == "aws.kms.key" && d.node == arn)
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
    let crossing = Crossing { facts, outside, reach: reachable(facts, graph) };
    crossing.out(&mut out);
    crossing.unread_ahead(&mut out);
    crossing.unread_behind(&mut out);
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

/// The steps over an account's border.
struct Crossing<'a> {
    facts: &'a Facts<'a>,
    outside: &'a Outside,
    /// What the outside, or another account, leads to.
    reach: BTreeSet<String>,
}

impl<'a> Crossing<'a> {
    fn account(&self) -> &'a str {
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
        let mut may: BTreeMap<&str, Vec<&Principal>> = BTreeMap::new();
        for (n, door) in self.outside.doors_for(self.account()).enumerate() {
            if n >= MAX_DOORS {
                out.limits.push(format!(
                    "only the first {MAX_DOORS} doors of other accounts were tried from {}",
                    self.account()
                ));
                break;
            }
            let Some(action) = door.action() else { continue };
            let able = may
                .entry(action)
                .or_insert_with(|| actors.iter().copied().filter(|p| allows_somewhere(p, action)).collect());
            for principal in able.iter() {
                let step = self.through(door, action, &principal.arn, principal, &self.facts.world.organization);
                out.steps.extend(step.map(|e| self.under_guardrails(e)));
            }
            if administered {
                let step = self.as_anyone(door, action, self.account(), &partition, &self.facts.world.organization);
                if let Some(mut step) = step {
                    step.from.clone_from(&admin);
                    out.steps.push(self.under_guardrails(step));
                }
            }
        }
    }

    fn partition(&self) -> String {
        let first = self.facts.world.details.principals.first();
        first.and_then(|p| Arn::parse(&p.arn)).map_or_else(|| "aws".to_owned(), |a| a.partition().to_owned())
    }

    /// What an administrator of `account` can do about a door by acting as any of its principals.
    fn as_anyone(
        &self,
        door: &Door,
        action: &'static str,
        account: &str,
        partition: &str,
        own: &Organization,
    ) -> Option<Edge> {
        let mut callers = BTreeSet::from([format!("arn:{partition}:iam::{account}:role/any")]);
        for statement in &door.policy.document.statements {
            let entries = statement.principals.iter().flat_map(|p| p.entries.iter());
            callers.extend(entries.filter(|e| e.account() == Some(account)).filter_map(|e| match e {
                PrincipalEntry::Arn(arn) if arn.contains(":iam:") => Some(arn.to_string()),
                _ => None,
            }));
        }
        // Of an account that was read it is known who exists; nobody else can be acted as.
        let known = account == self.account();
        let exists =
            |arn: &String| !known || arn.ends_with(":role/any") || self.facts.world.details.principal(arn).is_some();
        let steps = callers.iter().filter(|arn| exists(arn)).filter_map(|arn| {
            let caller = administrator(arn)?;
            let mut step = self.through(door, action, arn, &caller, own)?;
            step.because.retain(|s| s.resource != *arn);
            let who = if arn.ends_with(":role/any") { "any of its principals".to_owned() } else { arn.clone() };
            let says = format!("whoever administers account {account} acts as {who}");
            step.because.insert(0, Step::new(format!("admin:{account}"), "administration", says));
            Some(step)
        });
        steps.min_by_key(|s| (s.cost, s.because.clone()))
    }

    /// The step of a principal through a door, when the policies of both sides may allow it.
    fn through(
        &self,
        door: &Door,
        action: &'static str,
        from: &str,
        principal: &Principal,
        own: &Organization,
    ) -> Option<Edge> {
        let (kind, cost) = door.step();
        let mut out = edge(from, &door.node, kind, cost, Vec::new());
        out.from_account.clone_from(&principal.account);
        out.to_account.clone_from(&door.account);
        let on = read_on(&door.kind, &door.node);
        self.ask(door, action, &on, principal, own, &mut out)?;
        if !door.leads_on() {
            match door.key.as_deref() {
                None => out.depends_on.push(format!("which key encrypts {}", door.node)),
                // What AWS's own key for secrets encrypts cannot be read from another account.
                Some("") if door.kind == "aws.secretsmanager.secret" => return None,
                Some("") => {}
                Some(key) if key.contains("alias/aws/") => return None,
                Some(key) => match self.outside.key(key) {
                    Some(door) => self.ask(door, "kms:Decrypt", key, principal, own, &mut out)?,
                    // Without a policy that names other accounts only its own account uses a key that was read.
                    None if key.starts_with("arn:") && !self.outside.unread.contains_key(&door.account) => return None,
                    None => out.depends_on.push(format!("kms:Decrypt on {key}, whose policy is not on the record")),
                },
            }
        }
        out.cost += 3 * u32::from(!out.depends_on.is_empty());
        out.depends_on.sort();
        out.depends_on.dedup();
        Some(out)
    }

    fn ask(
        &self,
        door: &Door,
        action: &str,
        on: &str,
        principal: &Principal,
        own: &Organization,
        out: &mut Edge,
    ) -> Option<()> {
        let rcps: &[Level] = self.outside.organization.rcps_of(&door.account);
        let resource = Abroad { arn: on, account: &door.account, policy: &door.policy, rcps };
        let context = self.outside.context(&principal.account, &door.account, &door.tags);
        let decision = may_abroad(principal, own, action, &resource, &context);
        if decision.allowed == Tri::No {
            return None;
        }
        out.because.extend(evidence(&decision, door, principal, action, on));
        out.depends_on.extend(decision.residual.iter().map(residual));
        Some(())
    }

    /// Steps into members that could not be read, which the policies on this side name.
    fn unread_ahead(&self, out: &mut Border) {
        let action = "sts:assumerole";
        let closed: BTreeMap<&String, &String> = self.outside.unread.iter().chain(&self.outside.partly).collect();
        if closed.is_empty() {
            return;
        }
        for principal in self.actors() {
            let policies = principal.policies();
            let allows = policies.iter().flat_map(|p| p.document.statements.iter().map(move |s| (p, s)));
            for (policy, statement) in allows.filter(|(_, s)| s.effect == Effect::Allow && s.actions.matches(action)) {
                let Some(resources) = statement.resources.as_ref().filter(|r| !r.inverted) else { continue };
                for text in &resources.texts {
                    let named = Arn::parse(text).map(|a| a.account()).unwrap_or("*");
                    let (to, accounts): (&str, Vec<&String>) = match closed.keys().find(|a| a.as_str() == named) {
                        Some(account) => (account, vec![*account]),
                        None if named.contains('*') => (UNREAD, closed.keys().copied().collect()),
                        None => continue,
                    };
                    let open = accounts.into_iter().filter(|account| {
                        let arn = match Arn::parse(text) {
                            Some(arn) => format!("arn:{}:iam::{account}:{}", arn.partition(), arn.resource()),
                            None => format!("arn:{}:iam::{account}:role/any", self.partition()),
                        };
                        let rcps = self.outside.organization.rcps_of(account);
                        let trust = trust_everyone();
                        let resource = Abroad { arn: &arn, account, policy: &trust, rcps };
                        let context = self.outside.context(self.account(), account, &BTreeMap::new());
                        let own = &self.facts.world.organization;
                        let other = *account != self.account();
                        other && may_abroad(principal, own, action, &resource, &context).allowed != Tri::No
                    });
                    let Some(first) = open.min() else { continue };
                    let why = closed.get(first).map_or("", |why| why.as_str());
                    let label = format!("{} {}", policy.name, statement.label());
                    let says = format!("allows sts:AssumeRole on {text}");
                    let mut step = edge(
                        &principal.arn,
                        &format!("admin:{to}"),
                        "CAN_BECOME",
                        4,
                        vec![Step::new(&principal.arn, label.trim_end(), says)],
                    );
                    step.from_account = self.account().to_owned();
                    step.to_account = to.to_owned();
                    step.depends_on.push(format!("whether a role of account {first} lets it in: {why}"));
                    let node = step.to.clone();
                    out.goals.push(Goal { node, kind: "administration".into(), data_class: String::new() });
                    out.steps.push(self.under_guardrails(step));
                }
            }
        }
    }

    /// Steps through the account's own doors from members that could not be read: whether somebody outside reaches
    /// their principals is not known.
    fn unread_behind(&self, out: &mut Border) {
        let partition = self.partition();
        for door in self.outside.of(self.account()) {
            let Some(action) = door.action() else { continue };
            for (account, why) in &self.outside.unread {
                let named = door.names.contains(account);
                if account == self.account() || !(named || door.open) {
                    continue;
                }
                let Some(mut step) = self.as_anyone(door, action, account, &partition, &self.outside.organization)
                else {
                    continue;
                };
                let from = if named { account.as_str() } else { UNREAD };
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

    fn under_guardrails(&self, mut step: Edge) -> Edge {
        if !self.facts.guardrails.is_empty() {
            step.cost += 3 * u32::from(step.depends_on.is_empty());
            let open = self.facts.guardrails.iter();
            step.depends_on.extend(open.map(|n| format!("whether a guardrail forbids it: {}", n.describe())));
        }
        step
    }
}

/// Whether some statement allows an action, wherever.
fn allows_somewhere(principal: &Principal, action: &str) -> bool {
    let lower = action.to_ascii_lowercase();
    !principal.is_service_linked()
        && principal
            .attachments
            .iter()
            .flat_map(|a| a.policy.document.statements.iter())
            .any(|s| s.effect == Effect::Allow && s.actions.matches(&lower))
}

/// The statements of both sides that allow a step.
fn evidence(decision: &Decision, door: &Door, principal: &Principal, action: &str, on: &str) -> Vec<Step> {
    let there = |statement: &str| {
        let place =
            if statement.is_empty() { door.field().to_owned() } else { format!("{}.{statement}", door.field()) };
        Step::new(&door.node, place, format!("admits {} of account {} to {action}", principal.arn, principal.account))
    };
    let mut out: Vec<Step> = Vec::new();
    // Guardrails that let something through are no reason for it.
    for b in decision.because.iter().filter(|b| b.effect == "Allow" && b.layer != "scp") {
        out.push(match b.layer {
            "resource" => there(&b.statement),
            _ => {
                let place = format!("{} {}", b.policy, b.statement);
                Step::new(&principal.arn, place.trim_end(), format!("allows {action} on {on}"))
            }
        });
    }
    if !out.iter().any(|s| s.resource == door.node) {
        out.push(there(""));
    }
    out
}
