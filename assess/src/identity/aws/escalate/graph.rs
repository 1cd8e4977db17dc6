//! The graph of edges and who reaches administration in it.

use super::{
    super::{details::Details, workloads::Inventory},
    actor::{Admin, Organization},
    edge::{Edge, Link, Node},
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
    /// A way that takes for granted what nobody knows; only where there is none without.
    pub conditional: Option<Box<Conditional>>,
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

impl Step {
    fn of(link: &Link) -> Self {
        let Edge { method, to, kind, .. } = &link.edge;
        Self { method, target: to.clone(), kind }
    }
}

/// A way to administration that hangs on facts nobody knows beforehand: where the caller comes from, whether it shows a
/// second factor.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Conditional {
    /// The shortest.
    pub steps: Vec<Step>,
    /// What must be so, sorted.
    pub depends_on: Vec<String>,
}

/// The escalation graph of the accounts.
#[derive(Debug, Clone)]
pub struct Escalations {
    /// By position in [`Details::principals`].
    pub standings: Vec<Standing>,
    /// The edges from principals as they are, and from outside; by `from`, `method`, `to`.
    pub edges: Vec<Edge>,
    /// Edges that hold if facts nobody knows are in the caller's favour, in the same order; what they take for granted
    /// stands in [`Edge::assumes`], and [`Edge::leads_to_admin`] takes the others for granted as well.
    pub conditional: Vec<Edge>,
}

/// Draws the graph and finds everyone's way.
///
/// `inventory` is what exists in the accounts; without it, a role that trusts a service is taken to be in use there,
/// and the edge says so.
pub fn escalations(details: &Details, organization: &Organization, inventory: Option<&Inventory>) -> Escalations {
    let mut search = Search::new(details, organization, inventory);
    search.run();
    let Search { actors, admin, links, .. } = search;
    drop(actors);

    let certain = Ways::find(&links, &admin, |link| !link.conditional);
    let possible = links.iter().any(|l| l.conditional).then(|| Ways::find(&links, &admin, |_| true));

    let mut methods: Vec<BTreeSet<&'static str>> = vec![BTreeSet::new(); details.principals.len()];
    for link in links.iter().filter(|l| !l.conditional && certain.leads(l.node)) {
        if let Some(set) = methods.get_mut(link.from) {
            set.insert(link.edge.method);
        }
    }
    let standings = methods
        .into_iter()
        .enumerate()
        .map(|(at, methods)| {
            let can_become_admin = certain.reaches.get(at).copied().unwrap_or(false);
            let conditional = possible.as_ref().filter(|ways| !can_become_admin && ways.reaches.get(at) == Some(&true));
            Standing {
                admin: admin.get(at).copied().unwrap_or(Admin::No),
                can_become_admin,
                steps: certain.from(at, &links).map(Step::of).collect(),
                conditional: conditional.map(|ways| {
                    let depends = ways.from(at, &links).flat_map(|link| &link.edge.assumes).cloned();
                    let depends_on: BTreeSet<String> = depends.collect();
                    Box::new(Conditional {
                        steps: ways.from(at, &links).map(Step::of).collect(),
                        depends_on: depends_on.into_iter().collect(),
                    })
                }),
                methods: methods.into_iter().collect(),
            }
        })
        .collect();

    let real = details.principals.len();
    let mut sure = links;
    sure.retain(|l| l.from < real || l.from == usize::MAX);
    let mut conditional = Vec::new();
    if let Some(ways) = possible {
        let maybe: Vec<Link> = sure.extract_if(.., |link| link.conditional).collect();
        conditional = told(maybe, &ways);
    }
    let edges = told(sure, &certain);
    Escalations { standings, edges, conditional }
}

/// The edges worth telling, sorted.
fn told(links: Vec<Link>, ways: &Ways) -> Vec<Edge> {
    let mut edges: Vec<Edge> = links
        .into_iter()
        .filter(|l| ways.leads(l.node) || !l.only_if_useful)
        .map(|l| Edge { leads_to_admin: ways.leads(l.node), ..l.edge })
        .collect();
    edges.sort_by(|a, b| (&a.from, a.method, &a.to).cmp(&(&b.from, b.method, &b.to)));
    edges.dedup_by(|a, b| a.from == b.from && a.method == b.method && a.to == b.to);
    edges
}

/// Who reaches administration over some of the links, and by which first link of a shortest way.
struct Ways {
    reaches: Vec<bool>,
    next: Vec<Option<usize>>,
}

impl Ways {
    fn find(links: &[Link], admin: &[Admin], counts: impl Fn(&Link) -> bool) -> Self {
        let count = admin.len();
        // Breadth first, backwards from administration: `next` is the first link of a shortest way.
        let mut incoming: Vec<Vec<usize>> = vec![Vec::new(); count];
        let mut next: Vec<Option<usize>> = vec![None; count];
        let mut reaches: Vec<bool> = admin.iter().map(|a| *a != Admin::No).collect();
        let mut queue: VecDeque<usize> = reaches.iter().enumerate().filter(|(_, r)| **r).map(|(i, _)| i).collect();
        for (i, link) in links.iter().enumerate().filter(|(_, link)| counts(link)) {
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
        Self { reaches, next }
    }

    /// Whether a node is administration, or on a way there.
    fn leads(&self, node: Node) -> bool {
        match node {
            Node::Admin => true,
            Node::Actor(i) => self.reaches.get(i).copied().unwrap_or(false),
            Node::End => false,
        }
    }

    /// The links of an actor's way, in order.
    fn from<'l>(&self, at: usize, links: &'l [Link]) -> impl Iterator<Item = &'l Link> {
        let (mut here, mut left) = (Some(at), self.next.len() + 1);
        std::iter::from_fn(move || {
            let link = self.next.get(here?).copied().flatten().and_then(|i| links.get(i))?;
            left -= 1;
            here = match link.node {
                Node::Actor(to) if left > 0 => Some(to),
                _ => None,
            };
            Some(link)
        })
    }
}
