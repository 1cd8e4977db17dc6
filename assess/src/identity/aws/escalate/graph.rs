//! The graph of edges and who reaches administration in it.

use super::{
    super::{details::Details, workloads::Inventory},
    actor::{Admin, Organization},
    edge::{Edge, Node},
    search::Search,
};
use std::collections::{BTreeSet, VecDeque};

/// Where a principal stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Whether it is an administrator already.
    pub admin: Admin,
    /// Whether it is one or can become one.
    pub can_become_admin: bool,
    /// The shortest way to administration; empty for an administrator and for those who have none.
    pub steps: Vec<Step>,
    /// Every method that begins a way to administration, sorted.
    pub methods: Vec<&'static str>,
}

/// One step of a way.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Step {
    /// The method's id.
    pub method: &'static str,
    /// What it is done to, or who is become.
    pub target: String,
    /// The kind of edge.
    pub kind: &'static str,
}

/// The escalation graph of the accounts.
#[derive(Debug, Clone)]
pub struct Escalations {
    /// By position in [`Details::principals`].
    pub standings: Vec<Standing>,
    /// The edges from principals as they are, and from outside; by `from`, `method`, `to`.
    pub edges: Vec<Edge>,
}

/// Draws the graph and finds everyone's way.
///
/// `inventory` is what exists in the accounts; without it, a role that trusts a service is taken to be in use there,
/// and the edge says so.
pub fn escalations(details: &Details, organization: &Organization, inventory: Option<&Inventory>) -> Escalations {
    let mut search = Search::new(details, organization, inventory);
    search.run();
    let Search { actors, admin, links, .. } = search;
    let count = actors.len();
    drop(actors);

    // Breadth first, backwards from administration: `next` is the first link of a shortest way.
    let mut incoming: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut next: Vec<Option<usize>> = vec![None; count];
    let mut reaches: Vec<bool> = admin.iter().map(|a| *a != Admin::No).collect();
    let mut queue: VecDeque<usize> = reaches.iter().enumerate().filter(|(_, r)| **r).map(|(i, _)| i).collect();
    for (i, link) in links.iter().enumerate() {
        match link.node {
            Node::Actor(to) => {
                if let Some(list) = incoming.get_mut(to) {
                    list.push(i);
                }
            }
            Node::Admin => {
                if let (Some(reached), Some(way)) = (reaches.get_mut(link.from), next.get_mut(link.from))
                    && !*reached
                {
                    *reached = true;
                    *way = Some(i);
                    queue.push_back(link.from);
                }
            }
            Node::End => {}
        }
    }
    // One step from administration is nearer than being there by way of another: administrators go first.
    while let Some(at) = queue.pop_front() {
        for i in incoming.get(at).cloned().unwrap_or_default() {
            let Some(from) = links.get(i).map(|l| l.from) else { continue };
            if let (Some(reached), Some(way)) = (reaches.get_mut(from), next.get_mut(from))
                && !*reached
            {
                *reached = true;
                *way = Some(i);
                queue.push_back(from);
            }
        }
    }
    let useful = |node: Node| match node {
        Node::Admin => true,
        Node::Actor(i) => reaches.get(i).copied().unwrap_or(false),
        Node::End => false,
    };

    let mut methods: Vec<BTreeSet<&'static str>> = vec![BTreeSet::new(); details.principals.len()];
    for link in links.iter().filter(|l| useful(l.node)) {
        if let Some(set) = methods.get_mut(link.from) {
            set.insert(link.edge.method);
        }
    }
    let standings = methods
        .into_iter()
        .enumerate()
        .map(|(at, methods)| {
            let mut steps = Vec::new();
            let mut here = at;
            while let Some(link) = next.get(here).copied().flatten().and_then(|i| links.get(i)) {
                let Edge { method, to, kind, .. } = &link.edge;
                steps.push(Step { method, target: to.clone(), kind });
                match link.node {
                    Node::Actor(to) if steps.len() <= count => here = to,
                    _ => break,
                }
            }
            Standing {
                admin: admin.get(at).copied().unwrap_or(Admin::No),
                can_become_admin: reaches.get(at).copied().unwrap_or(false),
                steps,
                methods: methods.into_iter().collect(),
            }
        })
        .collect();

    let real = details.principals.len();
    let mut edges: Vec<Edge> = links
        .into_iter()
        .filter(|l| l.from < real || l.from == usize::MAX)
        .filter(|l| useful(l.node) || !l.only_if_useful)
        .map(|l| {
            let leads_to_admin = useful(l.node);
            Edge { leads_to_admin, ..l.edge }
        })
        .collect();
    edges.sort_by(|a, b| (&a.from, a.method, &a.to).cmp(&(&b.from, b.method, &b.to)));
    edges.dedup_by(|a, b| a.from == b.from && a.method == b.method && a.to == b.to);
    Escalations { standings, edges }
}
