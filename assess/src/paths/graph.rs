//! The edges of one account's graph.

use super::{Edge, Goal, MAX_GOALS, Outside};
use crate::{
    exposure::{Class, Estate, Exposure, Item, Need, Step, sent_on},
    identity::aws::{
        Details, Escalations, Organization, Tri, World,
        document::{Actions, Document, Policy},
        escalate::Admin,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// The node outside everything.
pub(crate) const INTERNET: &str = "internet";
/// What the nodes of accounts outside begin with.
pub(crate) const ACCOUNT: &str = "account:";

/// Which tags say that data matters.
#[derive(Debug, Clone)]
pub struct DataClasses {
    /// Tag keys, without regard to case.
    pub keys: Vec<String>,
    /// Values that say the data does not matter, in lower case.
    pub harmless: Vec<String>,
    /// Parts of values that say it matters most, in lower case: `pii` in `customer-pii`.
    pub crown: Vec<String>,
}

impl Default for DataClasses {
    fn default() -> Self {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        Self {
            keys: own(&[
                "data-class",
                "data_class",
                "dataclass",
                "data-classification",
                "dataclassification",
                "classification",
            ]),
            harmless: own(&["", "public", "none", "test", "synthetic"]),
            crown: own(&[
                "pii",
                "phi",
                "pci",
                "personal",
                "customer",
                "health",
                "card",
                "confidential",
                "restricted",
                "secret",
                "credential",
                "financ",
                "sensitive",
            ]),
        }
    }
}

impl DataClasses {
    /// The data class a resource's tags say, when it matters.
    pub fn of<'a>(&self, item: &Item<'a>) -> Option<&'a str> {
        let value = self.keys.iter().find_map(|key| item.tag(key))?;
        (!self.harmless.contains(&value.to_ascii_lowercase())).then_some(value)
    }

    /// Whether a data class is among those that matter most.
    pub fn is_crown(&self, class: &str) -> bool {
        let class = class.to_ascii_lowercase();
        self.crown.iter().any(|part| class.contains(part))
    }
}

/// What the paths of an account are found in.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Its resources.
    pub estate: &'a Estate,
    /// How they stand towards the outside.
    pub exposures: &'a [Exposure],
    /// Its principals and policies.
    pub world: &'a World,
    /// Who can become whom.
    pub escalations: &'a Escalations,
    /// Which data matters.
    pub data: &'a DataClasses,
    /// What is missing to tell whether the organization's policies forbid a step.
    pub guardrails: &'a [Need],
    /// What stands around the account; none when it is looked at alone.
    pub outside: Option<&'a Outside>,
}

/// A world of an account's principals with the policies of its buckets, secrets and keys.
pub fn world(estate: &Estate, details: Details, organization: Organization) -> World {
    let mut world = World::new(details, organization, None);
    let kinds = ["aws.s3.bucket", "aws.secretsmanager.secret", "aws.kms.key", "aws.dynamodb.table"];
    for kind in kinds.into_iter().chain(["aws.sqs.queue", "aws.sns.topic"]) {
        for item in estate.of(kind) {
            let grants = item.get("grants");
            if !grants.is_null() && grants.first_unknown().is_none() {
                world.add_grants(item.id(), &grants.to_plain_json());
            }
            let value = item.get("policy");
            if value.is_null() {
                continue;
            }
            let read = value.first_unknown().is_none().then(|| Document::parse(value.to_plain_json()));
            match read {
                Some(Ok(document)) => world.add_resource_policy(item.id(), Policy::new(item.id(), document)),
                _ => world.add_unread_policy(item.id()),
            }
        }
    }
    world
}

#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// By start; sorted.
    pub edges: BTreeMap<String, Vec<Edge>>,
    pub goals: BTreeMap<String, Goal>,
    pub limits: Vec<String>,
}

impl Graph {
    pub(crate) fn add(&mut self, edge: Edge) {
        self.edges.entry(edge.from.clone()).or_default().push(edge);
    }
}

pub(crate) fn edge(from: &str, to: &str, kind: &'static str, cost: u32, because: Vec<Step>) -> Edge {
    let (from, to) = (from.into(), to.into());
    let (from_account, to_account, depends_on) = (String::new(), String::new(), Vec::new());
    Edge { from, to, kind, from_account, to_account, cost, because, depends_on }
}

/// Sorts the edges, drops those said twice, and says which account they are in.
pub(crate) fn settle(account: &str, graph: &mut Graph) {
    for (from, edges) in &mut graph.edges {
        for edge in edges.iter_mut().filter(|e| e.to_account.is_empty()) {
            edge.from_account = match from.strip_prefix(ACCOUNT) {
                Some(outside) => outside.to_owned(),
                None if from == INTERNET => String::new(),
                None => account.to_owned(),
            };
            edge.to_account = account.to_owned();
        }
        edges.sort_by(|a, b| (&a.to, a.cost, a.kind).cmp(&(&b.to, b.cost, b.kind)));
        edges.dedup_by(|a, b| a.to == b.to && a.kind == b.kind);
    }
}

/// Draws the graph.
pub(crate) fn build(facts: &Facts<'_>) -> Graph {
    let mut graph = Graph::default();
    entries(facts, &mut graph);
    balancers(facts, &mut graph);
    workloads(facts, &mut graph);
    tasks(facts, &mut graph);
    privileges(facts, &mut graph);
    credentials(facts, &mut graph);
    data(facts, &mut graph);
    open_guardrails(facts, &mut graph);
    settle(&facts.estate.account, &mut graph);
    graph
}

/// What a principal does hangs on guardrails; those that were not read keep the step open.
fn open_guardrails(facts: &Facts<'_>, graph: &mut Graph) {
    if facts.guardrails.is_empty() {
        return;
    }
    let open: Vec<String> =
        facts.guardrails.iter().map(|n| format!("whether a guardrail forbids it: {}", n.describe())).collect();
    for (from, edges) in &mut graph.edges {
        if facts.world.details.principal(from).is_none() {
            continue;
        }
        for edge in edges {
            if edge.depends_on.is_empty() {
                edge.cost += 3;
            }
            edge.depends_on.extend(open.iter().cloned());
        }
    }
}

/// Whether resources of a kind are ways in.
pub fn is_entry(kind: &str) -> bool {
    way_in(kind).is_some()
}

/// Whether resources of a kind hold data paths lead to.
pub fn holds_data(kind: &str) -> bool {
    kind == "aws.rds.instance" || reading(kind).is_some()
}

/// The action that reads the data of a kind.
pub(crate) fn reading(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "aws.s3.bucket" => "s3:GetObject",
        "aws.dynamodb.table" => "dynamodb:GetItem",
        "aws.secretsmanager.secret" => "secretsmanager:GetSecretValue",
        "aws.sqs.queue" => "sqs:ReceiveMessage",
        "aws.sns.topic" => "sns:Subscribe",
        _ => return None,
    })
}

/// What that action is asked on: a bucket's objects, everything else itself.
pub(crate) fn read_on(kind: &str, id: &str) -> String {
    if kind == "aws.s3.bucket" { format!("{id}/*") } else { id.to_owned() }
}

/// What the first step into a kind is called and costs.
fn way_in(kind: &str) -> Option<(&'static str, u32)> {
    match kind {
        "aws.ec2.instance" => Some(("NETWORK_REACH", 5)),
        "aws.ecs.service" => Some(("NETWORK_REACH", 5)),
        // What stands behind it has the weakness, not the balancer.
        "aws.elbv2.load-balancer" => Some(("NETWORK_REACH", 0)),
        "aws.lambda.function" => Some(("INVOKE", 5)),
        "aws.iam.role" => Some(("CAN_BECOME", 1)),
        _ => None,
    }
}

/// Ways in from outside.
fn entries(facts: &Facts<'_>, graph: &mut Graph) {
    for e in facts.exposures {
        let Some((kind, cost)) = way_in(&e.kind) else { continue };
        let unsigned = e.class == Class::Internet;
        if unsigned || e.class == Class::InternetAuthenticated {
            graph.add(edge(INTERNET, &e.resource, kind, cost + u32::from(!unsigned), e.proof.clone()));
        }
        for account in &e.outside_accounts {
            let proof = e.proof.iter().filter(|s| s.says.contains(account.as_str())).cloned().collect();
            graph.add(edge(&format!("{ACCOUNT}{account}"), &e.resource, kind, cost, proof));
        }
    }
}

/// The roles that workloads run as.
fn workloads(facts: &Facts<'_>, graph: &mut Graph) {
    let details = &facts.world.details;
    for item in facts.estate.of("aws.ec2.instance") {
        let Ok(profile) = item.text("instance_profile") else { continue };
        if profile.is_empty() {
            continue;
        }
        let names = |p: &String| p == profile || (!profile.contains(':') && p.rsplit('/').next() == Some(profile));
        for role in details.principals.iter().filter(|p| p.profiles.iter().flatten().any(names)) {
            let mut because = vec![
                Step::new(item.id(), "instance_profile", format!("carries the profile {profile}")),
                Step::new(&role.arn, "instance_profiles", format!("is the role of {profile}")),
            ];
            if item.text("http_tokens").is_ok_and(|t| t == "optional") {
                because.push(Step::new(item.id(), "http_tokens", "metadata gives credentials without a session token"));
            }
            graph.add(edge(item.id(), &role.arn, "CODE_AS", 0, because));
        }
    }
    for item in facts.estate.of("aws.lambda.function") {
        let Ok(role) = item.text("role_arn") else { continue };
        if details.principal(role).is_some() {
            let because = vec![Step::new(item.id(), "role_arn", format!("runs as {role}"))];
            graph.add(edge(item.id(), role, "CODE_AS", 0, because));
        }
    }
}

/// The task roles of container services.
fn tasks(facts: &Facts<'_>, graph: &mut Graph) {
    for item in facts.estate.of("aws.ecs.service") {
        let Ok(definition) = item.text("task_definition") else { continue };
        let Some(task) = facts.estate.of("aws.ecs.task-definition").find(|t| t.id() == definition) else { continue };
        let Ok(role) = task.text("task_role_arn") else { continue };
        if facts.world.details.principal(role).is_some() {
            let because = vec![
                Step::new(item.id(), "task_definition", format!("runs {definition}")),
                Step::new(task.id(), "task_role_arn", format!("runs as {role}")),
            ];
            graph.add(edge(item.id(), role, "CODE_AS", 0, because));
        }
    }
}

/// Instances that carry a role, which whoever may command them moves on to.
fn carriers<'g>(graph: &'g Graph, facts: &'g Facts<'_>, role: &str) -> Vec<Item<'g>> {
    let carries =
        |i: &Item<'_>| graph.edges.get(i.id()).is_some_and(|e| e.iter().any(|e| e.kind == "CODE_AS" && e.to == role));
    facts.estate.of("aws.ec2.instance").filter(|i| carries(i)).collect()
}

/// Commands, sessions and start scripts that turn a right over instances into one over the instances' role: the move
/// goes to each instance that runs, and what is known of its agent settles what the method would assume.
fn lateral(found: &crate::identity::aws::escalate::Edge, facts: &Facts<'_>, graph: &Graph) -> Vec<Edge> {
    let by_agent = found.method.starts_with("aws.ssm.");
    if !(by_agent || found.method.starts_with("aws.ec2.instance-connect") || found.method == "aws.ec2.modify-user-data")
    {
        return Vec::new();
    }
    let mut out = Vec::new();
    for item in carriers(graph, facts, &found.to) {
        if item.text("state").is_ok_and(|s| matches!(s, "terminated" | "shutting-down")) {
            continue;
        }
        let mut moved = escalation(found, item.id());
        moved.kind = "LATERAL_MOVE";
        // The instance itself is what runs as the role.
        moved.depends_on.retain(|what| !what.contains("no inventory of resources"));
        if by_agent {
            match item.text("ssm_ping") {
                Ok("Online") => {
                    moved.depends_on.retain(|what| !what.contains("agent"));
                    moved.because.push(Step::new(item.id(), "ssm_ping", "its agent takes commands"));
                }
                // An agent that does not report takes no commands.
                Ok(_) => continue,
                Err(_) => {}
            }
        }
        moved.cost = 1 + 3 * u32::from(!moved.depends_on.is_empty());
        out.push(moved);
    }
    out
}

/// Credentials that stand in start scripts and environments, and the databases they may open from there.
fn credentials(facts: &Facts<'_>, graph: &mut Graph) {
    const MARK: &str = "[redacted: ";
    let found = |value: &plumb_model::Value| -> Option<String> {
        let text = value.to_plain_json().to_string();
        let (_, rest) = text.split_once(MARK)?;
        Some(rest.split(']').next().unwrap_or_default().to_owned())
    };
    let mut holders: Vec<(Item<'_>, &str, String, Vec<String>, String)> = Vec::new();
    for (kind, field, groups) in
        [("aws.ec2.instance", "user_data", "group_ids"), ("aws.lambda.function", "env", "security_group_ids")]
    {
        for item in facts.estate.of(kind) {
            if let Some(what) = found(item.get(field)) {
                let groups = item.texts(groups).unwrap_or_default().into_iter().map(str::to_owned).collect();
                holders.push((item, field, what, groups, item.text("vpc_id").unwrap_or_default().to_owned()));
            }
        }
    }
    for (item, field, what, groups, vpc) in holders {
        for db in facts.estate.of("aws.rds.instance") {
            let Some(mut because) = admitted(facts, &db, &groups, &vpc) else { continue };
            because.insert(0, Step::new(item.id(), field, format!("holds a credential ({what})")));
            let mut read = edge(item.id(), db.id(), "READ_CREDENTIAL", 4, because);
            read.depends_on.push(format!("whether the {what} in {field} opens {}", db.resource.name));
            let class = facts.data.of(&db).unwrap_or_default().to_owned();
            let goal = Goal { node: db.id().into(), kind: db.kind.id.to_string(), data_class: class };
            graph.goals.insert(goal.node.clone(), goal);
            graph.add(read);
        }
    }
}

/// Why a database answers members of these groups in its own VPC; none when nothing admits them.
fn admitted(facts: &Facts<'_>, db: &Item<'_>, groups: &[String], vpc: &str) -> Option<Vec<Step>> {
    if vpc.is_empty() || db.text("vpc_id").ok()? != vpc {
        return None;
    }
    let step = lets_in(facts, &db.texts("security_group_ids").ok()?, groups, db.get("port").as_int(), "the database");
    Some(vec![step?])
}

/// The rule of one of the groups `own` that admits members of `groups`, or some range, to a port.
fn lets_in(facts: &Facts<'_>, own: &[&str], groups: &[String], port: Option<i64>, to: &str) -> Option<Step> {
    for own in own {
        let Ok(group) = facts.estate.find("aws.ec2.security-group", "group_id", own) else { continue };
        for (i, rule) in group.list("ingress").ok()?.iter().enumerate() {
            let number = |name: &str| rule.get(name).and_then(plumb_model::Value::as_int);
            let covers = match (number("from_port"), number("to_port"), port) {
                (Some(from), Some(to), Some(port)) if from >= 0 => (from..=to).contains(&port),
                _ => true,
            };
            let texts = |name: &str| -> Vec<&str> {
                let list = rule.get(name).and_then(plumb_model::Value::as_list).unwrap_or_default();
                list.iter().filter_map(plumb_model::Value::as_str).collect()
            };
            let by_group = texts("groups").iter().any(|g| groups.iter().any(|own| own == g));
            if covers && (by_group || !texts("cidrs").is_empty()) {
                let who = if by_group { groups.join(", ") } else { texts("cidrs").join(", ") };
                return Some(Step::new(group.id(), format!("ingress[{i}]"), format!("admits {who} to {to}")));
            }
        }
    }
    None
}

/// What load balancers send requests on to: instances, functions, container services, balancers behind balancers.
fn balancers(facts: &Facts<'_>, graph: &mut Graph) {
    let estate = facts.estate;
    let exposed: BTreeMap<&str, &Exposure> = facts.exposures.iter().map(|e| (e.resource.as_str(), e)).collect();
    for group in estate.of("aws.elbv2.target-group") {
        let Ok(balancers) = group.texts("load_balancer_arns") else { continue };
        // What is registered: the resource, its security groups, and the port it is asked on.
        let mut behind: Vec<(Item<'_>, Vec<&str>, Option<i64>, Step)> = Vec::new();
        for (i, target) in group.list("targets").unwrap_or_default().iter().enumerate() {
            let text = |name: &str| target.get(name).and_then(plumb_model::Value::as_str).unwrap_or_default();
            let id = text("target");
            if id.is_empty() || matches!(text("state"), "draining" | "unused") {
                continue;
            }
            let port = target.get("port").and_then(plumb_model::Value::as_int);
            let step = Step::new(group.id(), format!("targets[{i}]"), format!("sends requests on to {id}"));
            for kind in ["aws.ec2.instance", "aws.lambda.function", "aws.elbv2.load-balancer"] {
                let is = |item: &Item<'_>| match kind {
                    "aws.ec2.instance" => {
                        item.text("instance_id").is_ok_and(|t| t == id) || has_address(estate, item, id)
                    }
                    _ => item.id() == id || id.strip_prefix(item.id()).is_some_and(|rest| rest.starts_with(':')),
                };
                if let Some(found) = estate.of(kind).find(is) {
                    let field = if kind == "aws.ec2.instance" { "group_ids" } else { "security_group_ids" };
                    let own = found.texts(field).unwrap_or_default();
                    let own = if kind == "aws.lambda.function" { Vec::new() } else { own };
                    behind.push((found, own, port, step.clone()));
                }
            }
        }
        for service in estate.of("aws.ecs.service") {
            if service.texts("target_group_arns").is_ok_and(|arns| arns.contains(&group.id())) {
                let says = format!("its tasks answer what {} sends on", group.resource.name);
                let step = Step::new(service.id(), "target_group_arns", says);
                let own = service.texts("security_group_ids").unwrap_or_default();
                behind.push((service, own, None, step));
            }
        }
        for balancer in estate.of("aws.elbv2.load-balancer").filter(|b| balancers.contains(&b.id())) {
            let groups: Vec<String> =
                balancer.texts("security_group_ids").unwrap_or_default().into_iter().map(str::to_owned).collect();
            // The listeners and rules that send to this group count, not those of the balancer's other groups.
            let sent = sent_on(estate, &balancer, group.id());
            if sent.possible < Class::InternetAuthenticated {
                continue;
            }
            let class = if sent.certain < Class::InternetAuthenticated { sent.possible } else { sent.certain };
            let whole = exposed.get(balancer.id()).is_some_and(|e| e.class == Class::Internet);
            let asks = u32::from(whole && class == Class::InternetAuthenticated);
            let by_rule = |s: &&Step| s.field.starts_with("listeners[") || s.field.starts_with("rules[");
            let rules: Vec<Step> = sent.proof.iter().filter(by_rule).cloned().collect();
            let unsure = sent.certain < Class::InternetAuthenticated;
            let unsure: Vec<String> = sent.needs.iter().filter(|_| unsure).map(|n| n.describe()).collect();
            for (target, own, port, step) in &behind {
                let mut because = rules.clone();
                because.extend([
                    Step::new(
                        group.id(),
                        "load_balancer_arns",
                        format!("takes requests from {}", balancer.resource.name),
                    ),
                    step.clone(),
                ]);
                let mut open = unsure.clone();
                if !own.is_empty() {
                    match lets_in(facts, own, &groups, *port, &target.resource.name) {
                        Some(step) => because.push(step),
                        // Groups that were read and admit nobody keep the balancer out.
                        None if own.iter().all(|g| estate.find("aws.ec2.security-group", "group_id", g).is_ok()) => {
                            continue;
                        }
                        None => open.push(format!("whether {} admits the balancer", own.join(", "))),
                    }
                }
                let (kind, cost) = match target.kind.id.as_str() {
                    "aws.elbv2.load-balancer" => ("NETWORK_REACH", 0),
                    "aws.lambda.function" => ("INVOKE", 5),
                    _ => ("NETWORK_REACH", 5),
                };
                let cost = cost + asks + 3 * u32::from(!open.is_empty());
                let on = edge(balancer.id(), target.id(), kind, cost, because);
                graph.add(Edge { depends_on: open, ..on });
            }
        }
    }
}

/// Whether one of an instance's interfaces has a private address.
fn has_address(estate: &Estate, instance: &Item<'_>, address: &str) -> bool {
    let Ok(id) = instance.text("instance_id") else { return false };
    let own = |i: &Item<'_>| i.text("instance_id").is_ok_and(|t| !t.is_empty() && t == id);
    address.parse::<std::net::IpAddr>().is_ok()
        && estate.of("aws.ec2.network-interface").filter(own).any(|i| i.text("private_ip").is_ok_and(|a| a == address))
}

/// What principals can become.
fn privileges(facts: &Facts<'_>, graph: &mut Graph) {
    let details = &facts.world.details;
    let admin = format!("admin:{}", facts.estate.account);
    graph
        .goals
        .insert(admin.clone(), Goal { node: admin.clone(), kind: "administration".into(), data_class: String::new() });
    for found in facts.escalations.edges.iter().chain(&facts.escalations.conditional) {
        if found.from == found.to || details.principal(&found.from).is_none() || details.principal(&found.to).is_none()
        {
            continue;
        }
        let moves = lateral(found, facts, graph);
        if moves.is_empty() {
            graph.add(escalation(found, &found.to));
        }
        moves.into_iter().for_each(|e| graph.add(e));
    }
    for (principal, standing) in details.principals.iter().zip(&facts.escalations.standings) {
        if standing.admin != Admin::No {
            let policies: Vec<&str> = principal.attachments.iter().map(|a| a.policy.name.as_ref()).collect();
            let says = format!("gives administration: {}", policies.join(", "));
            graph.add(edge(&principal.arn, &admin, "ADMIN", 0, vec![Step::new(&principal.arn, "policies", says)]));
            continue;
        }
        // Steps that change the principal itself or a policy it holds, and lead to administration.
        let all = facts.escalations.edges.iter().chain(&facts.escalations.conditional);
        for found in all.filter(|e| e.from == principal.arn && e.leads_to_admin) {
            if found.from == found.to || details.principal(&found.to).is_none() {
                graph.add(escalation(found, &admin));
            }
        }
    }
}

fn escalation(found: &crate::identity::aws::escalate::Edge, to: &str) -> Edge {
    let because = found
        .because
        .iter()
        .map(|e| {
            let statements: Vec<String> = e
                .statements
                .iter()
                .map(|b| format!("{} {} {}", b.effect, b.policy, b.statement).trim_end().to_owned())
                .collect();
            let by = if statements.is_empty() { String::new() } else { format!(" by {}", statements.join(", ")) };
            Step::new(&found.from, found.method, format!("{} on {}{by}", e.what, e.on))
        })
        .collect();
    let kind = if found.kind == "SELF_GRANT" { "SELF_GRANT" } else { "CAN_BECOME" };
    let cost = 1 + if found.assumes.is_empty() { 0 } else { 3 };
    Edge { depends_on: found.assumes.clone(), ..edge(&found.from, to, kind, cost, because) }
}

/// Who reads what matters.
fn data(facts: &Facts<'_>, graph: &mut Graph) {
    let reachable = reachable(facts, graph);
    let admin: BTreeSet<&str> = (facts.world.details.principals.iter().zip(&facts.escalations.standings))
        .filter(|(_, s)| s.admin != Admin::No)
        .map(|(p, _)| p.arn.as_str())
        .collect();
    let exposed: BTreeMap<&str, &Exposure> = facts.exposures.iter().map(|e| (e.resource.as_str(), e)).collect();
    let buckets = facts.estate.of("aws.s3.bucket").filter_map(|i| Some((i, facts.data.of(&i)?)));
    let secrets = facts.estate.of("aws.secretsmanager.secret").map(|i| (i, facts.data.of(&i).unwrap_or_default()));
    let others = ["aws.dynamodb.table", "aws.sqs.queue", "aws.sns.topic"].into_iter().flat_map(|k| facts.estate.of(k));
    let others = others.filter_map(|i| Some((i, facts.data.of(&i)?)));
    for (n, (item, class)) in buckets.chain(secrets).chain(others).enumerate() {
        let Some(action) = reading(item.kind.id.as_str()) else { continue };
        if n >= MAX_GOALS {
            graph.limits.push(format!("only the first {MAX_GOALS} resources with data were looked at"));
            break;
        }
        let goal = Goal { node: item.id().into(), kind: item.kind.id.to_string(), data_class: class.to_owned() };
        graph.goals.insert(goal.node.clone(), goal);
        if let Some(e) = exposed.get(item.id()) {
            let read = action.to_ascii_lowercase();
            let named: Vec<Box<str>> =
                e.actions.iter().filter(|a| !a.starts_with('!')).map(|a| a.as_str().into()).collect();
            let wide = e.actions.iter().any(|a| a.starts_with('!'));
            let mut open = Vec::new();
            if !wide && !Actions::new(false, named).matches(&read) {
                open.push(match e.actions.iter().any(|a| a.starts_with("acl:")) {
                    true => "whether the objects' own ACLs let anyone read them".to_owned(),
                    false => format!("whether {} lead to the data", e.actions.join(", ")),
                });
            }
            let cost = 3 * u32::from(!open.is_empty());
            if e.class >= Class::InternetAuthenticated {
                let cost = cost + u32::from(e.class != Class::Internet);
                let direct = edge(INTERNET, item.id(), "DATA", cost, e.proof.clone());
                graph.add(Edge { depends_on: open.clone(), ..direct });
            }
            for account in &e.outside_accounts {
                let proof = e.proof.iter().filter(|s| s.says.contains(account.as_str())).cloned().collect();
                let direct = edge(&format!("{ACCOUNT}{account}"), item.id(), "DATA", cost + 1, proof);
                graph.add(Edge { depends_on: open.clone(), ..direct });
            }
        }
        let target = read_on(item.kind.id.as_str(), item.id());
        let key = item.text("kms_key_id").unwrap_or_default();
        // Administrators reach everything; their own node says so.
        for principal in reachable.iter().filter(|p| !admin.contains(p.as_str())) {
            if facts.world.details.principal(principal).is_some()
                && let Some(edge) = reads(facts, principal, action, &target, key, &item)
            {
                graph.add(edge);
            }
        }
    }
}

fn reads(facts: &Facts<'_>, principal: &str, action: &str, target: &str, key: &str, item: &Item<'_>) -> Option<Edge> {
    // That a policy nobody read may let in whoever has no permission is said of the account, not of each principal.
    let lower = action.to_ascii_lowercase();
    let told = item.get("policy").first_unknown().is_none();
    if !told && !facts.world.details.principal(principal).is_some_and(|p| p.mentions(&lower)) {
        return None;
    }
    let mut out = edge(principal, item.id(), "DATA", 1, Vec::new());
    let mut ask = |action: &str, target: &str| -> Option<()> {
        let decision = facts.world.can(principal, action, target, &[])?;
        if decision.allowed == Tri::No {
            return None;
        }
        for b in decision.because.iter().filter(|b| b.effect == "Allow") {
            out.because.push(Step::new(
                principal,
                format!("{} {}", b.policy, b.statement).trim_end(),
                format!("allows {action} on {target}"),
            ));
        }
        out.depends_on.extend(decision.residual.iter().map(residual));
        Some(())
    };
    ask(action, target)?;
    if key.starts_with("arn:") && !key.contains(":alias/") {
        if facts.estate.of("aws.kms.key").any(|k| k.id() == key) {
            ask("kms:Decrypt", key)?;
        } else {
            out.depends_on.push(format!("kms:Decrypt on {key}, whose policy is not on the record"));
        }
    }
    if !out.depends_on.is_empty() {
        out.cost += 3;
    }
    out.depends_on.dedup();
    Some(out)
}

/// What a decision hangs on, in words.
pub(crate) fn residual(r: &crate::identity::aws::decide::Residual) -> String {
    format!("{} {} {} {} in {}", r.effect, r.key, r.operator, r.values.join("|"), r.policy)
}

/// Everything the outside leads to, and what other accounts lead to through the account's doors.
pub(crate) fn reachable(facts: &Facts<'_>, graph: &Graph) -> BTreeSet<String> {
    let mut seen: BTreeSet<String> = facts.outside.map(|o| o.own_doors(&facts.estate.account)).unwrap_or_default();
    let mut waiting: Vec<String> = graph.edges.keys().filter(|n| is_source(n)).chain(&seen).cloned().collect();
    while let Some(at) = waiting.pop() {
        for e in graph.edges.get(&at).into_iter().flatten() {
            if seen.insert(e.to.clone()) {
                waiting.push(e.to.clone());
            }
        }
    }
    seen
}

/// Whether a node is outside.
pub(crate) fn is_source(node: &str) -> bool {
    node == INTERNET || node.starts_with(ACCOUNT)
}
