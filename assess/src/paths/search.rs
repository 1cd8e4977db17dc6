//! The cheapest paths, their families and the edges worth cutting.

use super::{
    Cut, DataClasses, Edge, Facts, Family, Goal, MAX_CUTS, MAX_ENTRIES, MAX_LENGTH, Path, Report,
    graph::{ACCOUNT, Graph, INTERNET, build, is_source},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

/// Finds the attack paths of an account; see the module's description for what counts and where it stops.
pub fn paths(facts: &Facts<'_>) -> Report {
    report(facts, &build(facts))
}

/// The paths in an account's graph.
pub(crate) fn report(facts: &Facts<'_>, graph: &Graph) -> Report {
    let mut report = Report { limits: graph.limits.clone(), ..Report::default() };
    let entries: Vec<&Edge> = graph
        .edges
        .iter()
        .filter(|(node, _)| is_source(node))
        .flat_map(|(_, edges)| edges)
        .take(MAX_ENTRIES + 1)
        .collect();
    if entries.len() > MAX_ENTRIES {
        report.limits.push(format!("only the first {MAX_ENTRIES} ways in were looked at"));
    }
    let mut found: Vec<(Vec<&Edge>, &Goal)> = Vec::new();
    for entry in entries.iter().take(MAX_ENTRIES) {
        found.extend(from_entry(graph, entry, None).into_iter().filter_map(|way| {
            let goal = graph.goals.get(&way.last()?.to)?;
            Some((way, goal))
        }));
    }
    report.cuts = cuts(graph, &found, &mut report.limits);
    let kinds: BTreeMap<&str, &str> = facts.exposures.iter().map(|e| (e.resource.as_str(), e.kind.as_str())).collect();
    let (kinds, account) = (|node: &str| kinds.get(node).copied(), Some(facts.estate.account.as_str()));
    report.families = families(&Naming { kinds: &kinds, data: facts.data, account }, found);
    report
}

/// The cheapest way from an entry's end to every goal, the entry included; without the edge `cut`.
pub(crate) fn from_entry<'g>(graph: &'g Graph, entry: &'g Edge, cut: Option<&Edge>) -> Vec<Vec<&'g Edge>> {
    let mut best: BTreeMap<&str, (u32, usize, Option<&'g Edge>)> = BTreeMap::new();
    let mut heap = BinaryHeap::new();
    best.insert(&entry.to, (0, 1, None));
    heap.push(Reverse((0u32, 1usize, entry.to.as_str())));
    while let Some(Reverse((cost, length, node))) = heap.pop() {
        if best.get(node).is_some_and(|b| (b.0, b.1) < (cost, length)) || length >= MAX_LENGTH {
            continue;
        }
        for edge in graph.edges.get(node).into_iter().flatten() {
            if cut.is_some_and(|c| c.same(edge)) {
                continue;
            }
            let next = (cost + edge.cost, length + 1);
            if best.get(edge.to.as_str()).is_none_or(|b| next < (b.0, b.1)) {
                best.insert(&edge.to, (next.0, next.1, Some(edge)));
                heap.push(Reverse((next.0, next.1, edge.to.as_str())));
            }
        }
    }
    let mut out = Vec::new();
    for goal in graph.goals.keys().filter(|g| best.contains_key(g.as_str())) {
        let mut way = Vec::new();
        let mut at = goal.as_str();
        while let Some((_, _, Some(edge))) = best.get(at) {
            way.push(*edge);
            at = &edge.from;
        }
        way.push(entry);
        way.reverse();
        out.push(way);
    }
    out
}

/// How many paths have no way left without each edge that some path takes.
pub(crate) fn cuts(graph: &Graph, found: &[(Vec<&Edge>, &Goal)], limits: &mut Vec<String>) -> Vec<Cut> {
    let mut candidates: BTreeMap<(&str, &str, &str), &Edge> = BTreeMap::new();
    for edge in found.iter().flat_map(|(way, _)| way) {
        candidates.insert((&edge.from, &edge.to, edge.kind), edge);
    }
    if candidates.len() > MAX_CUTS {
        limits.push(format!("only {MAX_CUTS} of {} edges were tried for cutting", candidates.len()));
    }
    let mut out = Vec::new();
    for edge in candidates.into_values().take(MAX_CUTS) {
        let mut kills = 0;
        // Goals of paths by their way in: those that do not use the edge live on.
        let mut entries: BTreeMap<(&str, &str, &str), (&Edge, Vec<&str>)> = BTreeMap::new();
        for (way, goal) in found.iter().filter(|(way, _)| way.iter().any(|e| e.same(edge))) {
            if let Some(first) = way.first() {
                entries.entry((&first.from, &first.to, first.kind)).or_insert((first, Vec::new())).1.push(&goal.node);
            }
        }
        for (entry, goals) in entries.into_values() {
            if entry.same(edge) {
                kills += goals.len();
                continue;
            }
            let left = from_entry(graph, entry, Some(edge));
            let left: BTreeSet<&str> = left.iter().filter_map(|way| way.last()).map(|e| e.to.as_str()).collect();
            kills += goals.iter().filter(|g| !left.contains(*g)).count();
        }
        if kills > 0 {
            out.push(Cut {
                from: edge.from.clone(),
                to: edge.to.clone(),
                kind: edge.kind,
                kills,
                of: found.len(),
                because: edge.because.clone(),
            });
        }
    }
    out.sort_by(|a, b| b.kills.cmp(&a.kills).then_with(|| (&a.from, &a.to, a.kind).cmp(&(&b.from, &b.to, b.kind))));
    out
}

/// What families are named by.
pub(crate) struct Naming<'a> {
    /// The kind of a way in.
    pub kinds: &'a dyn Fn(&str) -> Option<&'a str>,
    /// Which data matters.
    pub data: &'a DataClasses,
    /// The account all ways are in; none for ways over accounts.
    pub account: Option<&'a str>,
}

impl Naming<'_> {
    /// The account a way is told in: where it ends, or the last that was read before an unread one.
    fn told_in(&self, last: &Edge) -> String {
        let unread = last.to.starts_with("admin:") && last.kind == "CAN_BECOME" && last.crosses();
        let end = if unread { &last.from_account } else { &last.to_account };
        self.account.unwrap_or(end).to_owned()
    }
}

pub(crate) fn families(naming: &Naming<'_>, found: Vec<(Vec<&Edge>, &Goal)>) -> Vec<Family> {
    let mut groups: BTreeMap<[String; 5], Vec<(Vec<&Edge>, &Goal)>> = BTreeMap::new();
    for (way, goal) in found {
        let (Some(first), Some(last)) = (way.first(), way.last()) else { continue };
        let entry = (naming.kinds)(&first.to).unwrap_or("principal");
        let holder = if way.len() == 1 { String::new() } else { last.from.clone() };
        let account = naming.told_in(last);
        let what = match goal.node.strip_prefix("admin:") {
            // An account that could not be read is not the one the finding is about.
            Some(other) if other != account => format!("administration of account {other}"),
            _ => goal.kind.clone(),
        };
        let key = [first.from.clone(), entry.to_owned(), holder, what, account];
        groups.entry(key).or_default().push((way, goal));
    }
    let cost = |way: &[&Edge]| way.iter().map(|e| e.cost).sum::<u32>();
    let mut out: Vec<Family> = groups
        .into_iter()
        .filter_map(|([source, entry, holder, goal, account], mut ways)| {
            let nodes = |way: &[&Edge]| -> Vec<String> {
                way.first().map(|e| e.from.clone()).into_iter().chain(way.iter().map(|e| e.to.clone())).collect()
            };
            // The way to what matters most stands for the family, certain ways first, then the cheapest.
            let plain = |goal: &Goal| !(goal.kind == "administration" || naming.data.is_crown(&goal.data_class));
            let open = |way: &[&Edge]| way.iter().any(|e| !e.depends_on.is_empty());
            ways.sort_by_key(|(way, goal)| (plain(goal), open(way), cost(way), way.len(), nodes(way)));
            let (best, jewel) = ways.first()?;
            let goals: BTreeSet<Goal> = ways.iter().map(|(_, g)| (*g).clone()).collect();
            let certain = best.iter().all(|e| e.depends_on.is_empty());
            let severity = match (!plain(jewel), certain) {
                (true, true) => "critical",
                (true, false) | (false, true) => "high",
                (false, false) => "medium",
            };
            let over = if naming.account.is_none() { "over accounts" } else { "" };
            let id = [source.as_str(), &entry, over, &holder, &goal]
                .iter()
                .filter(|p| !p.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join(" > ");
            let mut title = title(&source, &entry, &holder, jewel, goals.len());
            let mut accounts = BTreeSet::new();
            if naming.account.is_none() {
                let steps = ways.iter().flat_map(|(way, _)| way.iter());
                accounts.extend(steps.flat_map(|e| [e.from_account.clone(), e.to_account.clone()]));
                accounts.remove("");
                let first: BTreeSet<&str> =
                    ways.iter().filter_map(|(w, _)| Some(w.first()?.to_account.as_str())).collect();
                title.push_str(&match first.iter().collect::<Vec<_>>().as_slice() {
                    [one] if **one != account => format!(", beginning in account {one}"),
                    [_] => ", over another account".to_owned(),
                    many => format!(", beginning in {} accounts", many.len()),
                });
            }
            Some(Family {
                id,
                account,
                accounts: accounts.into_iter().collect(),
                title,
                severity,
                certain,
                path: nodes(best),
                steps: best.iter().map(|e| (*e).clone()).collect(),
                goals: goals.into_iter().collect(),
                paths: ways.iter().map(|(way, _)| Path { nodes: nodes(way), cost: cost(way) }).collect(),
            })
        })
        .collect();
    let rank = |f: &Family| {
        (["critical", "high", "medium"].iter().position(|s| *s == f.severity), f.paths.first().map(|p| p.cost))
    };
    out.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.id.cmp(&b.id)));
    out
}

fn title(source: &str, entry: &str, holder: &str, jewel: &Goal, goals: usize) -> String {
    let who = match source.strip_prefix(ACCOUNT) {
        Some("unread") => "An account that could not be read".to_owned(),
        Some(account) => format!("Account {account}"),
        None if source == INTERNET => "The internet".into(),
        None => source.to_owned(),
    };
    let what = if jewel.kind == "administration" {
        match jewel.node.strip_prefix("admin:") {
            Some("unread") => "administration of an account that could not be read".to_owned(),
            _ => "administration of the account".to_owned(),
        }
    } else {
        let class = if jewel.data_class.is_empty() { String::new() } else { format!(" ({})", jewel.data_class) };
        let name = jewel.node.rsplit(':').next().unwrap_or(&jewel.node);
        let more = if goals > 1 { format!(" and {} more", goals - 1) } else { String::new() };
        format!("{name}{class}{more}")
    };
    if holder.is_empty() {
        return format!("{who} reaches {what} directly");
    }
    let entry = match entry {
        "aws.ec2.instance" => "an instance",
        "aws.lambda.function" => "a function",
        "aws.ecs.service" => "a container service",
        "aws.iam.role" => "a role's trust",
        other => other,
    };
    let holder = holder.rsplit('/').next().unwrap_or(holder);
    format!("{who} reaches {what} through {entry} and {holder}")
}
