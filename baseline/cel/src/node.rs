//! The compiled form: names resolved to slots, constants folded in, functions to code.

use crate::{
    EvalError, Function, Type, Val,
    ast::{BinaryOp, Span},
};
use std::sync::Arc;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub op: Op,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Const(Val<'static>),
    Field(u32),
    Variable(u32),
    Local(u32),
    Select(Box<Select>),
    Has(Box<Select>),
    Index(Box<Index>),
    List(Box<[(bool, Node)]>),
    Map(Box<[(bool, Node, Node)]>),
    Not(Box<Node>),
    Neg(Box<Node>),
    And(Box<[Node]>),
    Or(Box<[Node]>),
    Cond(Box<[Node; 3]>),
    Binary(BinaryOp, Box<[Node; 2]>),
    Matches(Box<(Node, regex::Regex)>),
    Call(Box<Call>),
    Host(Box<HostCall>),
    Macro(Box<Macro>),
    Bind(Box<Bind>),
    OptMap(Box<OptMap>),
    /// What the static check would have refused, when it was skipped.
    Fail(Arc<EvalError>),
}

#[derive(Debug, Clone)]
pub(crate) struct Select {
    pub base: Node,
    pub name: Box<str>,
    pub optional: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Index {
    pub base: Node,
    pub index: Node,
    pub optional: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub name: Box<str>,
    pub method: bool,
    /// Code by argument types; when only one code fits, its types are empty and it is called without asking.
    pub codes: Box<[(Box<[Type]>, Function)]>,
    pub args: Box<[Node]>,
}

#[derive(Debug, Clone)]
pub(crate) struct HostCall {
    pub name: Box<str>,
    pub method: bool,
    pub id: u16,
    pub args: Box<[Node]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MacroKind {
    All,
    Exists,
    ExistsOne,
    Filter,
    /// `map`, `transformList`
    Map,
    /// `transformMap`
    MapValues,
    /// `transformMapEntry`
    MapEntries,
    SortBy,
}

#[derive(Debug, Clone)]
pub(crate) struct Macro {
    pub kind: MacroKind,
    pub name: Box<str>,
    pub range: Node,
    /// The first variable's local; a second variable is the next local.
    pub slot: u32,
    pub names: Box<[Box<str>]>,
    /// For transformations: only elements that satisfy this.
    pub filter: Option<Node>,
    pub body: Node,
    /// Equalities by which the host may look elements up; the first it has an index for is used.
    pub indexes: Box<[IndexOn]>,
}

/// The condition by which a host may look elements up instead of listing all.
#[derive(Debug, Clone)]
pub(crate) struct IndexOn {
    pub field: Box<str>,
    /// The condition inside the body's chain of `&&` (or `||`), or the body itself.
    pub at: Option<usize>,
    /// Whether the key is the left operand.
    pub key_is_left: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Bind {
    pub slot: u32,
    /// Evaluated in order into consecutive locals.
    pub values: Box<[Node]>,
    pub body: Node,
}

#[derive(Debug, Clone)]
pub(crate) struct OptMap {
    pub target: Node,
    pub slot: u32,
    pub body: Node,
    pub flat: bool,
}

impl Macro {
    /// The expression whose value is the key of the host's index.
    pub fn key(&self, index: &IndexOn) -> Option<&Node> {
        let body = match self.filter.as_ref().unwrap_or(&self.body) {
            Node { op: Op::And(items) | Op::Or(items), .. } => items.get(index.at?)?,
            other => other,
        };
        let Op::Binary(_, sides) = &body.op else { return None };
        let [left, right] = &**sides;
        Some(if index.key_is_left { left } else { right })
    }
}

impl Node {
    pub fn new(op: Op, span: Span) -> Self {
        Self { op, span }
    }

    /// The nodes directly inside.
    pub fn children<'n>(&'n self, visit: &mut dyn FnMut(&'n Node)) {
        match &self.op {
            Op::Const(_) | Op::Field(_) | Op::Variable(_) | Op::Local(_) | Op::Fail(_) => {}
            Op::Select(s) | Op::Has(s) => visit(&s.base),
            Op::Index(i) => {
                visit(&i.base);
                visit(&i.index);
            }
            Op::List(items) => items.iter().for_each(|(_, n)| visit(n)),
            Op::Map(entries) => entries.iter().for_each(|(_, k, v)| {
                visit(k);
                visit(v);
            }),
            Op::Not(n) | Op::Neg(n) => visit(n),
            Op::And(items) | Op::Or(items) => items.iter().for_each(visit),
            Op::Cond(c) => c.iter().for_each(visit),
            Op::Binary(_, c) => c.iter().for_each(visit),
            Op::Matches(m) => visit(&m.0),
            Op::Call(c) => c.args.iter().for_each(visit),
            Op::Host(c) => c.args.iter().for_each(visit),
            Op::Macro(m) => {
                visit(&m.range);
                m.filter.iter().for_each(&mut *visit);
                visit(&m.body);
            }
            Op::Bind(b) => {
                b.values.iter().for_each(&mut *visit);
                visit(&b.body);
            }
            Op::OptMap(o) => {
                visit(&o.target);
                visit(&o.body);
            }
        }
    }

    /// Whether the expression reads local `slot` (or a local above it that it does not bind itself).
    pub fn mentions(&self, slot: u32) -> bool {
        let mut found = matches!(self.op, Op::Local(l) if l == slot);
        self.children(&mut |child| found = found || child.mentions(slot));
        found
    }
}

/// Finds the equalities by which elements of a host's list can be looked up.
pub(crate) fn find_indexes(kind: MacroKind, range: &Node, slot: u32, names: usize, condition: &Node) -> Vec<IndexOn> {
    if !matches!(range.op, Op::Host(_)) || names != 1 {
        return Vec::new();
    }
    // `exists`, `filter`: other elements make the condition false. `all`: other elements make it true.
    let wanted = if kind == MacroKind::All { BinaryOp::Ne } else { BinaryOp::Eq };
    let on = |node: &Node, at: Option<usize>| {
        let Op::Binary(op, sides) = &node.op else { return None };
        let [left, right] = &**sides;
        if *op != wanted {
            return None;
        }
        let field = |node: &Node| match &node.op {
            Op::Select(s) if !s.optional && matches!(s.base.op, Op::Local(l) if l == slot) => Some(s.name.clone()),
            _ => None,
        };
        match (field(left), field(right)) {
            (Some(field), _) if !right.mentions(slot) => Some(IndexOn { field, at, key_is_left: false }),
            (_, Some(field)) if !left.mentions(slot) => Some(IndexOn { field, at, key_is_left: true }),
            _ => None,
        }
    };
    match (&condition.op, kind == MacroKind::All) {
        (Op::And(items), false) | (Op::Or(items), true) => {
            items.iter().enumerate().filter_map(|(i, n)| on(n, Some(i))).collect()
        }
        _ => on(condition, None).into_iter().collect(),
    }
}
