//! Ways over accounts: borders put together.

use super::{
    Border, Cut, DataClasses, Edge, Family, Goal, MAX_ENTRIES, MAX_WAYS,
    border::UNREAD,
    graph::{ACCOUNT, Graph, is_source},
    search::{Naming, cuts, families, from_entry},
};
use std::collections::{BTreeMap, BTreeSet};

/// The graph of all accounts, without evidence.
#[derive(Debug, Default)]
pub struct Join {
    graph: Graph,
    kinds: BTreeMap<String, String>,
    /// Steps over borders, by their ends.
    steps: BTreeSet<(String, String)>,
    limits: BTreeSet<String>,
}

/// What the ways over accounts that end in one account are.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Beyond {
    /// Families, worst first.
    pub families: Vec<Family>,
    /// Edges of their paths by how many ways over accounts die without them, in all accounts.
    pub cuts: Vec<Cut>,
    /// Bounds that were reached.
    pub limits: Vec<String>,
}

impl Beyond {
    /// The accounts whose borders hold the evidence of its steps.
    pub fn needs(&self) -> BTreeSet<String> {
        let steps = self.families.iter().flat_map(|f| &f.steps).flat_map(|e| [&e.from_account, &e.to_account]);
        steps.filter(|a| !a.is_empty()).cloned().collect()
    }

    /// Takes the evidence of the steps that a border holds.
    pub fn fill(&mut self, border: &Border) {
        let held: BTreeMap<(&str, &str, &str), &Edge> =
            border.edges.iter().chain(&border.steps).map(|e| ((e.from.as_str(), e.to.as_str(), e.kind), e)).collect();
        for step in self.families.iter_mut().flat_map(|f| &mut f.steps) {
            if let Some(full) = held.get(&(step.from.as_str(), step.to.as_str(), step.kind)) {
                step.because.clone_from(&full.because);
                step.depends_on.clone_from(&full.depends_on);
            }
        }
        for cut in &mut self.cuts {
            if let Some(full) = held.get(&(cut.from.as_str(), cut.to.as_str(), cut.kind)) {
                cut.because.clone_from(&full.because);
            }
        }
    }
}

impl Join {
    /// Adds an account's border; of its edges only what the search needs stays.
    pub fn add(&mut self, border: Border) {
        let Border { edges, steps, goals, kinds, limits, .. } = border;
        self.steps.extend(steps.iter().map(|e| (e.from.clone(), e.to.clone())));
        for mut edge in edges.into_iter().chain(steps) {
            edge.because = Vec::new();
            if !edge.depends_on.is_empty() {
                edge.depends_on = vec![String::new()];
            }
            self.graph.add(edge);
        }
        self.graph.goals.extend(goals.into_iter().map(|g| (g.node.clone(), g)));
        self.kinds.extend(kinds);
        self.limits.extend(limits);
    }

    /// Finds the ways that cross accounts, by the account in which they end.
    pub fn find(mut self, data: &DataClasses) -> BTreeMap<String, Beyond> {
        for edges in self.graph.edges.values_mut() {
            edges.sort_by(|a, b| (&a.to, a.cost, a.kind).cmp(&(&b.to, b.cost, b.kind)));
            edges.dedup_by(|a, b| a.same(b));
        }
        let Self { graph, kinds, steps, limits } = self;
        let mut limits: Vec<String> = limits.into_iter().collect();
        let crosses = |e: &Edge| steps.contains(&(e.from.clone(), e.to.clone()));
        let leading = leading(&graph, &crosses);
        let entries = graph.edges.iter().filter(|(node, _)| is_source(node)).flat_map(|(_, edges)| edges);
        let mut entries: Vec<&Edge> = entries.filter(|e| crosses(e) || leading.contains(e.to.as_str())).collect();
        if entries.len() > MAX_ENTRIES {
            limits
                .push(format!("only the first {MAX_ENTRIES} of {} ways in were followed over accounts", entries.len()));
            entries.truncate(MAX_ENTRIES);
        }
        let mut found: Vec<(Vec<&Edge>, &Goal)> = Vec::new();
        'entries: for entry in entries {
            for way in from_entry(&graph, entry) {
                let goal = way.last().and_then(|e| graph.goals.get(&e.to));
                // From members nobody read back into such members: of those nothing is known at either end.
                let goal = goal.filter(|g| !(crosses(entry) && is_of_unread(&g.node, &entry.from)));
                if let Some(goal) = goal.filter(|_| way.iter().any(|e| crosses(e))) {
                    if found.len() >= MAX_WAYS {
                        limits.push(format!("only the first {MAX_WAYS} ways over accounts were kept"));
                        break 'entries;
                    }
                    found.push((way, goal));
                }
            }
        }
        let cuts = cuts(&graph, &found);
        let mut out: BTreeMap<String, Beyond> = BTreeMap::new();
        for family in families(&Naming { kinds: &|n| kinds.get(n).map(String::as_str), data, account: None }, found) {
            out.entry(family.account.clone()).or_default().families.push(family);
        }
        for beyond in out.values_mut() {
            let on: BTreeSet<(&str, &str, &str)> = beyond
                .families
                .iter()
                .flat_map(|f| f.steps.iter().map(|e| (e.from.as_str(), e.to.as_str(), e.kind)))
                .collect();
            let own = cuts.iter().filter(|c| on.contains(&(c.from.as_str(), c.to.as_str(), c.kind)));
            beyond.cuts = own.take(50).cloned().collect();
            beyond.limits.clone_from(&limits);
        }
        out
    }
}

/// Whether a goal is administration of members that nobody read, or of the one a way comes from.
fn is_of_unread(goal: &str, source: &str) -> bool {
    goal.strip_prefix("admin:").is_some_and(|of| of == UNREAD || source.strip_prefix(ACCOUNT) == Some(of))
}

/// The nodes from which some step leads over a border.
fn leading<'g>(graph: &'g Graph, crosses: &dyn Fn(&Edge) -> bool) -> BTreeSet<&'g str> {
    let mut back: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut waiting: Vec<&str> = Vec::new();
    for edge in graph.edges.values().flatten() {
        back.entry(&edge.to).or_default().push(&edge.from);
        if crosses(edge) {
            waiting.push(&edge.from);
        }
    }
    let mut seen: BTreeSet<&str> = waiting.iter().copied().collect();
    while let Some(at) = waiting.pop() {
        for from in back.get(at).into_iter().flatten() {
            if seen.insert(from) {
                waiting.push(from);
            }
        }
    }
    seen
}
