//! What of an expression need not be evaluated each time: parts that are the same for every resource of a world, and
//! parts of a loop's body that are the same for every element. A second form of the tree marks them; the first one
//! stays as written, for explanations.

use crate::{
    env::Varies,
    node::{MacroKind, Node, Op, Select},
};
use std::collections::BTreeSet;

/// A part of an expression that is the same for every resource.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// The part as written.
    pub node: Node,
    /// Whether it differs between places (regions).
    pub by_place: bool,
}

/// The second form.
pub(crate) struct Sharing {
    pub root: Node,
    pub shared: Vec<Shared>,
    /// Locals used, with those for values kept during one evaluation.
    pub locals: u32,
}

/// Marks what can be kept; none when there is nothing.
pub(crate) fn share(root: &Node, locals: u32, varies: &dyn Fn(u32) -> Varies) -> Option<Sharing> {
    // Most conditions have neither a loop nor a question about the world.
    if !worth_it(root) {
        return None;
    }
    let mut marker = Marker { varies, shared: Vec::new(), locals };
    let root = marker.mark(root, false);
    (!marker.shared.is_empty() || marker.locals > locals).then_some(Sharing {
        root,
        shared: marker.shared,
        locals: marker.locals,
    })
}

fn worth_it(node: &Node) -> bool {
    let mut found = matches!(&node.op, Op::Macro(_))
        || matches!(&node.op, Op::Host(call) if call.same_for_all && !call.args.iter().any(|a| matches!(a.op, Op::Field(_))));
    node.children(&mut |child| found = found || worth_it(child));
    found
}

/// What an expression depends on.
#[derive(Default)]
struct Reads {
    resource: bool,
    place: bool,
    /// Asks the host what is the same for all.
    world: bool,
    /// Locals bound outside.
    locals: BTreeSet<u32>,
    /// Does more than read and compare.
    costly: bool,
}

struct Marker<'v> {
    varies: &'v dyn Fn(u32) -> Varies,
    shared: Vec<Shared>,
    locals: u32,
}

impl Marker<'_> {
    fn reads(&self, node: &Node) -> Reads {
        let mut all = Reads::default();
        match &node.op {
            Op::Field(_) => all.resource = true,
            Op::Variable(index) => match (self.varies)(*index) {
                Varies::ByResource => all.resource = true,
                Varies::ByPlace => all.place = true,
                Varies::Never => {}
            },
            Op::Local(slot) => drop(all.locals.insert(*slot)),
            Op::Host(call) => {
                all.costly = true;
                all.world = call.same_for_all;
                all.resource = !call.same_for_all;
            }
            Op::Call(_) | Op::Macro(_) | Op::Matches(_) | Op::List(_) | Op::Map(_) => all.costly = true,
            Op::Binary(op, _) => all.costly = !op.compares(),
            // Errors stay where they are: they name what is written.
            Op::Fail(_) => all.resource = true,
            _ => {}
        }
        node.children(&mut |child| {
            let part = self.reads(child);
            all.resource |= part.resource;
            all.place |= part.place;
            all.world |= part.world;
            all.costly |= part.costly;
            all.locals.extend(part.locals);
        });
        let bound = match &node.op {
            Op::Macro(m) => m.slot..m.slot + m.names.len() as u32,
            Op::Bind(b) => b.slot..b.slot + b.values.len() as u32,
            Op::OptMap(o) => o.slot..o.slot + 1,
            _ => 0..0,
        };
        // What stands outside a binding cannot name what it binds: a slot means one thing in each place.
        all.locals.retain(|slot| !bound.contains(slot));
        all
    }

    /// The second form of a node; `looped` when a comprehension evaluates it once per element.
    fn mark(&mut self, node: &Node, looped: bool) -> Node {
        let reads = self.reads(node);
        if !reads.resource && reads.locals.is_empty() && reads.world {
            let index = u32::try_from(self.shared.len()).unwrap_or(u32::MAX);
            self.shared.push(Shared { node: node.clone(), by_place: reads.place });
            return Node::new(Op::Shared(Box::new((index, node.clone()))), node.span);
        }
        if looped && reads.locals.is_empty() && reads.costly && !matches!(node.op, Op::Const(_)) {
            let slot = self.locals;
            self.locals += 1;
            let inner = self.inside(node, false);
            return Node::new(Op::Once(Box::new((slot, inner))), node.span);
        }
        self.inside(node, looped)
    }

    fn each(&mut self, nodes: &[Node], looped: bool) -> Vec<Node> {
        nodes.iter().map(|n| self.mark(n, looped)).collect()
    }

    fn boxed(&mut self, node: &Node, looped: bool) -> Box<Node> {
        Box::new(self.mark(node, looped))
    }

    fn select(&mut self, s: &Select, looped: bool) -> Box<Select> {
        Box::new(Select { base: self.mark(&s.base, looped), ..s.clone() })
    }

    fn inside(&mut self, node: &Node, looped: bool) -> Node {
        let op = match &node.op {
            Op::Const(_) | Op::Field(_) | Op::Variable(_) | Op::Local(_) | Op::Fail(_) => node.op.clone(),
            Op::Shared(_) | Op::Once(_) => node.op.clone(),
            Op::Select(s) => Op::Select(self.select(s, looped)),
            Op::Has(s) => Op::Has(self.select(s, looped)),
            Op::Index(i) => {
                let mut index = (**i).clone();
                index.base = self.mark(&i.base, looped);
                index.index = self.mark(&i.index, looped);
                Op::Index(Box::new(index))
            }
            Op::List(items) => Op::List(items.iter().map(|(o, n)| (*o, self.mark(n, looped))).collect()),
            Op::Map(entries) => {
                Op::Map(entries.iter().map(|(o, k, v)| (*o, self.mark(k, looped), self.mark(v, looped))).collect())
            }
            Op::Not(n) => Op::Not(self.boxed(n, looped)),
            Op::Neg(n) => Op::Neg(self.boxed(n, looped)),
            Op::And(items) => Op::And(self.each(items, looped).into()),
            Op::Or(items) => Op::Or(self.each(items, looped).into()),
            Op::Cond(c) => {
                let [a, b, c] = &**c;
                Op::Cond(Box::new([self.mark(a, looped), self.mark(b, looped), self.mark(c, looped)]))
            }
            Op::Binary(op, sides) => {
                let [left, right] = &**sides;
                Op::Binary(*op, Box::new([self.mark(left, looped), self.mark(right, looped)]))
            }
            Op::Matches(m) => Op::Matches(Box::new((self.mark(&m.0, looped), m.1.clone()))),
            Op::Call(call) => {
                let mut marked = (**call).clone();
                marked.args = self.each(&call.args, looped).into();
                Op::Call(Box::new(marked))
            }
            Op::Host(call) => {
                let mut marked = (**call).clone();
                marked.args = self.each(&call.args, looped).into();
                Op::Host(Box::new(marked))
            }
            Op::Macro(m) => {
                let mut marked = (**m).clone();
                // The host's list itself stays: elements are looked up in it.
                let listed = matches!(m.range.op, Op::Host(_)) && m.kind != MacroKind::SortBy;
                if !listed {
                    marked.range = self.mark(&m.range, looped);
                }
                marked.filter = m.filter.as_ref().map(|f| self.mark(f, true));
                marked.body = self.mark(&m.body, true);
                Op::Macro(Box::new(marked))
            }
            Op::Bind(b) => {
                let mut marked = (**b).clone();
                marked.values = self.each(&b.values, looped).into();
                marked.body = self.mark(&b.body, looped);
                Op::Bind(Box::new(marked))
            }
            Op::OptMap(o) => {
                let mut marked = (**o).clone();
                marked.target = self.mark(&o.target, looped);
                marked.body = self.mark(&o.body, looped);
                Op::OptMap(Box::new(marked))
            }
        };
        Node::new(op, node.span)
    }
}
