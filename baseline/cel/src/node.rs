//! The compiled form: names resolved to slots, constants folded in, functions to code.

use crate::{
    EvalError, Function, OfEnds, Type, Val,
    ast::{BinaryOp, Span},
    cover::IndexOn,
    env::EndsTo,
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
    /// The same for every resource: its number in the program, and the part as written.
    Shared(Box<(u32, Node)>),
    /// The same for every element of the loops around it: the local that keeps it, and the part.
    Once(Box<(u32, Node)>),
    /// What the static check would have refused, when it was skipped.
    Fail(Arc<EvalError>),
}

#[derive(Debug, Clone)]
pub(crate) struct Select {
    pub base: Node,
    pub name: Box<str>,
    pub optional: bool,
    /// The member's position, where the type of the object says it.
    pub slot: Option<u32>,
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
    /// What it tells of a text known in part.
    pub of_ends: Option<OfEnds>,
    /// What it makes of such a text.
    pub ends_to: Option<EndsTo>,
    pub args: Box<[Node]>,
}

#[derive(Debug, Clone)]
pub(crate) struct HostCall {
    pub name: Box<str>,
    pub method: bool,
    pub id: u16,
    /// Whether the answer does not depend on the resource.
    pub same_for_all: bool,
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
    /// Ways by which the host may look elements up; the first it has all indexes for is used.
    pub indexes: Box<[Box<[IndexOn]>]>,
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
            Op::Shared(s) | Op::Once(s) => visit(&s.1),
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

    /// Whether the expression reads local `slot` or one above it.
    pub fn mentions_from(&self, slot: u32) -> bool {
        let mut found = matches!(self.op, Op::Local(l) if l >= slot);
        self.children(&mut |child| found = found || child.mentions_from(slot));
        found
    }
}
