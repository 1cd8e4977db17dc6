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
        found.extend(from_entry(graph, entry).into_iter().filter_map(|way| {
            let goal = graph.goals.get(&way.last()?.to)?;
            Some((way, goal))
        }));
    }
    report.cuts = cuts(graph, &found);
    let kinds: BTreeMap<&str, &str> = facts.exposures.iter().map(|e| (e.resource.as_str(), e.kind.as_str())).collect();
    let (kinds, account) = (|node: &str| kinds.get(node).copied(), Some(facts.estate.account.as_str()));
    report.families = families(&Naming { kinds: &kinds, data: facts.data, account }, found);
    report
}

/// The cheapest way from an entry's end to every goal, the entry included.
pub(crate) fn from_entry<'g>(graph: &'g Graph, entry: &'g Edge) -> Vec<Vec<&'g Edge>> {
    let mut best: BTreeMap<&str, (u32, usize, Option<&'g Edge>)> = BTreeMap::new();
    let mut heap = BinaryHeap::new();
    best.insert(&entry.to, (0, 1, None));
    heap.push(Reverse((0u32, 1usize, entry.to.as_str())));
    while let Some(Reverse((cost, length, node))) = heap.pop() {
        if best.get(node).is_some_and(|b| (b.0, b.1) < (cost, length)) || length >= MAX_LENGTH {
            continue;
        }
        for edge in graph.edges.get(node).into_iter().flatten() {
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

/// How many paths have no way left without each edge: those it lies on in whatever way one goes.
pub(crate) fn cuts(graph: &Graph, found: &[(Vec<&Edge>, &Goal)]) -> Vec<Cut> {
    type Key<'k> = (&'k str, &'k str, &'k str);
    fn key(edge: &Edge) -> Key<'_> {
        (&edge.from, &edge.to, edge.kind)
    }
    let mut entries: BTreeMap<Key<'_>, (&Edge, Vec<&str>)> = BTreeMap::new();
    for (way, goal) in found {
        if let Some(first) = way.first() {
            entries.entry(key(first)).or_insert((first, Vec::new())).1.push(&goal.node);
        }
    }
    let mut kills: BTreeMap<Key<'_>, (&Edge, usize)> = BTreeMap::new();
    for (entry, goals) in entries.into_values() {
        kills.entry(key(entry)).or_insert((entry, 0)).1 += goals.len();
        let dominators = Dominators::of(graph, &entry.to);
        for edge in goals.iter().flat_map(|goal| dominators.before(goal)) {
            kills.entry(key(edge)).or_insert((edge, 0)).1 += 1;
        }
    }
    let cut = |(edge, kills): (&Edge, usize)| Cut {
        from: edge.from.clone(),
        to: edge.to.clone(),
        kind: edge.kind,
        kills,
        of: found.len(),
        because: edge.because.clone(),
    };
    let mut out: Vec<Cut> = kills.into_values().map(cut).collect();
    out.sort_by(|a, b| b.kills.cmp(&a.kills).then_with(|| (&a.from, &a.to, a.kind).cmp(&(&b.from, &b.to, b.kind))));
    out.truncate(MAX_CUTS);
    out
}

/// What every way from a start to a node passes, after Cooper, Harvey and Kennedy. Edges are vertices too, so that they
/// can be passed.
struct Dominators<'g> {
    ids: BTreeMap<&'g str, usize>,
    edges: Vec<Option<&'g Edge>>,
    /// The last vertex every way to a vertex passes; the start's is itself.
    last: Vec<usize>,
}

impl<'g> Dominators<'g> {
    fn of(graph: &'g Graph, start: &'g str) -> Self {
        let mut ids: BTreeMap<&'g str, usize> = BTreeMap::from([(start, 0)]);
        let (mut edges, mut next): (Vec<Option<&'g Edge>>, Vec<Vec<usize>>) = (vec![None], vec![Vec::new()]);
        let mut nodes: Vec<(usize, &'g str)> = vec![(0, start)];
        while let Some((at, node)) = nodes.pop() {
            for edge in graph.edges.get(node).into_iter().flatten() {
                let to = *ids.entry(&edge.to).or_insert_with(|| {
                    edges.push(None);
                    next.push(Vec::new());
                    nodes.push((edges.len() - 1, &edge.to));
                    edges.len() - 1
                });
                edges.push(Some(edge));
                next.push(vec![to]);
                let own = edges.len() - 1;
                if let Some(list) = next.get_mut(at) {
                    list.push(own);
                }
            }
        }
        let (order, rank) = backwards(&next);
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
        for (from, list) in next.iter().enumerate() {
            for to in list {
                if let Some(list) = before.get_mut(*to) {
                    list.push(from);
                }
            }
        }
        let at = |list: &[usize], i: usize| list.get(i).copied().unwrap_or(usize::MAX);
        let mut last = vec![usize::MAX; edges.len()];
        if let Some(first) = last.first_mut() {
            *first = 0;
        }
        let mut changed = true;
        while changed {
            changed = false;
            for vertex in order.iter().copied().filter(|v| *v != 0) {
                let mut met = usize::MAX;
                let known = before.get(vertex).into_iter().flatten().copied().filter(|p| at(&last, *p) != usize::MAX);
                for mut other in known {
                    if met == usize::MAX {
                        met = other;
                    }
                    while met != other {
                        // Whoever is further from the start goes back.
                        if at(&rank, met) > at(&rank, other) {
                            met = at(&last, met);
                        } else {
                            other = at(&last, other);
                        }
                    }
                }
                if at(&last, vertex) != met
                    && let Some(slot) = last.get_mut(vertex)
                {
                    *slot = met;
                    changed = true;
                }
            }
        }
        Self { ids, edges, last }
    }

    /// The edges every way to a node takes.
    fn before(&self, node: &str) -> Vec<&'g Edge> {
        let mut out = Vec::new();
        let mut at = self.ids.get(node).copied().unwrap_or(0);
        while at != 0 {
            out.extend(self.edges.get(at).copied().flatten());
            at = self.last.get(at).copied().filter(|next| *next != usize::MAX).unwrap_or(0);
        }
        out
    }
}

/// The vertices so that each comes before those only it leads to, and each one's place in that order.
fn backwards(next: &[Vec<usize>]) -> (Vec<usize>, Vec<usize>) {
    let mut seen = vec![false; next.len()];
    let mut order = Vec::with_capacity(next.len());
    let mut waiting: Vec<(usize, usize)> = vec![(0, 0)];
    while let Some((vertex, child)) = waiting.pop() {
        if let Some(flag) = seen.get_mut(vertex) {
            *flag = true;
        }
        match next.get(vertex).and_then(|list| list.get(child)) {
            None => order.push(vertex),
            Some(to) => {
                waiting.push((vertex, child + 1));
                if seen.get(*to) == Some(&false) {
                    waiting.push((*to, 0));
                }
            }
        }
    }
    order.reverse();
    let mut rank = vec![usize::MAX; next.len()];
    for (place, vertex) in order.iter().enumerate() {
        if let Some(slot) = rank.get_mut(*vertex) {
            *slot = place;
        }
    }
    (order, rank)
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
                earlier: BTreeMap::new(),
                kept: String::new(),
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::paths::graph::edge;
    use proptest::prelude::*;

    const NODES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

    fn reaches(graph: &Graph, without: Option<&Edge>, goal: &str) -> bool {
        let (mut seen, mut waiting) = (BTreeSet::from(["a"]), vec!["a"]);
        while let Some(at) = waiting.pop() {
            for e in graph.edges.get(at).into_iter().flatten().filter(|e| without.is_none_or(|w| !w.same(e))) {
                if seen.insert(&e.to) {
                    waiting.push(&e.to);
                }
            }
        }
        seen.contains(goal)
    }

    proptest! {
        #[test]
        fn edges_every_way_takes_are_those_without_which_there_is_none(
            drawn in prop::collection::vec((0usize..7, 0usize..7, any::<bool>()), 0..16)
        ) {
            let mut graph = Graph::default();
            for (from, to, kind) in drawn {
                graph.add(edge(NODES[from], NODES[to], if kind { "DATA" } else { "CAN_BECOME" }, 1, Vec::new()));
            }
            crate::paths::graph::settle("1", &mut graph);
            let dominators = Dominators::of(&graph, "a");
            for goal in NODES.iter().filter(|n| **n != "a" && reaches(&graph, None, n)) {
                let told: BTreeSet<&Edge> = dominators.before(goal).into_iter().collect();
                let needed = graph.edges.values().flatten().filter(|e| !reaches(&graph, Some(*e), goal));
                prop_assert_eq!(told, needed.collect::<BTreeSet<&Edge>>());
            }
        }
    }
}
