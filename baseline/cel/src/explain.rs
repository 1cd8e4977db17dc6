//! Which leaves decided: a second walk over an evaluated expression, so that evaluation itself records nothing.

use crate::{
    CelLeaf, Frame, Limits, Program, Val,
    ast::BinaryOp,
    eval::{Eval, Truth},
    eval_macros::Range,
    node::{Macro, MacroKind, Node, Op},
    ops,
};
use plumb_model::Value;
use std::sync::Arc;

/// How many leaves an explanation names.
const MOST_LEAVES: usize = 32;
/// How many elements of a list are explained one by one when none of them alone decided.
const MOST_ELEMENTS: usize = 3;
/// How long a quoted piece of source or of a value may be, in characters.
const MOST_TEXT: usize = 120;

/// Where a local's value came from.
#[derive(Debug, Clone, Default)]
struct Origin {
    path: String,
    field: Option<(u32, Arc<str>)>,
    object: Option<Arc<str>>,
}

pub(crate) struct Explain<'a> {
    eval: Eval<'a>,
    program: &'a Program,
    origins: Vec<Origin>,
    leaves: Vec<CelLeaf>,
}

impl<'a> Explain<'a> {
    pub fn new(program: &'a Program, frame: &Frame<'a>, limits: &Limits) -> Self {
        let origins = vec![Origin::default(); program.locals as usize];
        Self { eval: Eval::new(program, frame, limits, program.locals), program, origins, leaves: Vec::new() }
    }

    pub fn run(mut self, root: &'a Node) -> Vec<CelLeaf> {
        self.walk(root, true);
        self.leaves
    }

    fn full(&self) -> bool {
        self.leaves.len() >= MOST_LEAVES || self.eval.spent()
    }

    /// Adds the leaves that made `node` what it is. `want` is the value that would help the whole condition hold.
    fn walk(&mut self, node: &'a Node, want: bool) {
        if self.full() {
            return;
        }
        match &node.op {
            Op::Not(inner) => self.walk(inner, !want),
            Op::And(items) | Op::Or(items) => self.chain(node, items, want),
            Op::Cond(c) => {
                let [condition, yes, no] = &**c;
                let value = self.eval.eval(condition);
                match self.eval.truth(value) {
                    Truth::True => {
                        self.walk(condition, true);
                        self.walk(yes, want);
                    }
                    Truth::False => {
                        self.walk(condition, false);
                        self.walk(no, want);
                    }
                    _ => self.walk(condition, true),
                }
            }
            Op::Macro(m) if matches!(m.kind, MacroKind::All | MacroKind::Exists) => self.quantifier(node, m, want),
            Op::Macro(m) if m.kind == MacroKind::ExistsOne => {
                let expected = if want { "exactly one with" } else { "not exactly one with" };
                self.summary(node, m, expected, want);
            }
            Op::Bind(bind) => {
                for (at, value) in bind.values.iter().enumerate() {
                    let origin = self.origin(value);
                    let value = self.eval.eval(value);
                    self.set(bind.slot + at as u32, value, origin);
                }
                self.walk(&bind.body, want);
            }
            Op::Binary(op, sides) => {
                let [left, right] = &**sides;
                self.comparison(node, *op, left, right, want);
            }
            Op::Has(select) => {
                let mut origin = self.origin(&select.base);
                let base = self.eval.eval(&select.base);
                if let Val::Object(object) = &base {
                    origin.object = Some(object.identity().into());
                }
                origin.path = format!("{}.{}", origin.path, select.name);
                let observed = match self.eval.member(base, &select.name, false) {
                    Val::Error(_) => Value::Null,
                    value => shown(&value),
                };
                let holds = self.holds(node, want);
                self.push(origin, observed, if want { "is present" } else { "is absent" }.into(), holds);
            }
            Op::Matches(m) => {
                let origin = self.origin(&m.0);
                let observed = shown(&self.eval.eval(&m.0));
                let pattern = clipped(format!("matches({:?})", m.1.as_str()));
                let holds = self.holds(node, want);
                self.push(origin, observed, falsely(pattern, want), holds);
            }
            Op::Call(call) => {
                // A question about a value: the leaf is the first argument that comes from the documents.
                let holds = self.holds(node, want);
                let about = call.args.iter().position(reads_data);
                let Some((about, subject)) = about.and_then(|at| call.args.get(at).map(|a| (at, a))) else { return };
                let mut rest = Vec::new();
                for (at, arg) in call.args.iter().enumerate().filter(|(at, _)| *at != about) {
                    rest.push(if call.method && at == 0 { String::new() } else { self.render(arg) });
                }
                let text = clipped(format!("{}({})", call.name, rest.join(", ")));
                let observed = shown(&self.eval.eval(subject));
                let origin = self.origin(subject);
                self.push(origin, observed, falsely(text, want), holds);
            }
            Op::Const(_) | Op::Fail(_) => {}
            _ => {
                let value = self.eval.eval(node);
                let holds = self.holds(node, want);
                let origin = self.origin(node);
                self.push(origin, shown(&value), format!("is {want}"), holds);
            }
        }
    }

    fn holds(&mut self, node: &'a Node, want: bool) -> bool {
        let value = self.eval.eval(node);
        match self.eval.truth(value) {
            Truth::True => want,
            Truth::False => !want,
            _ => false,
        }
    }

    fn push(&mut self, origin: Origin, observed: Value, expected: String, holds: bool) {
        let Origin { path, field, object } = origin;
        let leaf = CelLeaf { path: path.into(), observed, expected: expected.into(), holds, field, object };
        if !self.full() && !self.leaves.contains(&leaf) {
            self.leaves.push(leaf);
        }
    }

    fn chain(&mut self, node: &'a Node, items: &'a [Node], want: bool) {
        let whole = self.eval.eval(node);
        let whole = self.eval.truth(whole);
        for item in items {
            let value = self.eval.eval(item);
            // What no side decided alone was decided by all of them, and then all are like the whole.
            if whole.is_like(&self.eval.truth(value)) {
                self.walk(item, want);
            }
        }
    }

    fn comparison(&mut self, node: &'a Node, op: BinaryOp, left: &'a Node, right: &'a Node, want: bool) {
        let holds = self.holds(node, want);
        let (left_value, right_value) = (self.eval.eval(left), self.eval.eval(right));
        let symbol = wanted_symbol(op, want);
        match (reads_data(left), reads_data(right)) {
            (true, false) => {
                let origin = self.origin(left);
                let expected = compared(symbol, &right_value);
                self.push(origin, shown(&left_value), expected, holds);
                if !holds {
                    self.counted(left);
                }
            }
            (false, true) => {
                let origin = self.origin(right);
                let expected = match (op, want) {
                    (BinaryOp::In, true) => format!("contains {}", clipped(ops::show(&left_value))),
                    (BinaryOp::In, false) => format!("without {}", clipped(ops::show(&left_value))),
                    _ => compared(mirrored(symbol), &left_value),
                };
                self.push(origin, shown(&right_value), expected, holds);
            }
            (true, true) => {
                let (l, r) = (self.origin(left), self.origin(right));
                let expected = format!("{symbol} {} ({})", r.path, clipped(ops::show(&right_value)));
                let mirror = match op {
                    BinaryOp::In => None,
                    _ => Some(format!("{} {} ({})", mirrored(symbol), l.path, clipped(ops::show(&left_value)))),
                };
                let elsewhere = r.field != l.field || r.object != l.object;
                self.push(l, shown(&left_value), expected, holds);
                if let Some(mirror) = mirror.filter(|_| elsewhere) {
                    self.push(r, shown(&right_value), mirror, holds);
                }
            }
            (false, false) => {}
        }
    }

    /// For `list.filter(x, …).size() > 1`: the elements that were counted.
    fn counted(&mut self, node: &'a Node) {
        let Op::Call(call) = &node.op else { return };
        let Some(Node { op: Op::Macro(m), .. }) = call.args.first() else { return };
        if &*call.name != "size" || m.kind != MacroKind::Filter {
            return;
        }
        let Ok(range) = self.range(m) else { return };
        let paths = self.paths(m, &range);
        let mut named = 0;
        for at in 0..range.len() {
            if self.full() || named >= MOST_ELEMENTS {
                return;
            }
            self.enter(m, &range, at, &paths);
            if self.holds(&m.body, true) {
                named += 1;
                self.walk(&m.body, true);
            }
        }
    }

    fn quantifier(&mut self, node: &'a Node, m: &'a Macro, want: bool) {
        let decisive = m.kind == MacroKind::Exists;
        let whole = self.eval.eval(node);
        let whole = self.eval.truth(whole);
        let Ok(range) = self.range(m) else {
            self.summary(node, m, "is known", want);
            return;
        };
        let paths = self.paths(m, &range);
        let decided = match whole {
            Truth::True => decisive,
            Truth::False => !decisive,
            _ => false,
        };
        let expected = match (decisive, want) {
            (true, true) => "some with",
            (true, false) => "none with",
            (false, true) => "all with",
            (false, false) => "some without",
        };
        if !decided {
            self.summary(node, m, expected, want);
        }
        let mut named = 0;
        for at in 0..range.len() {
            if self.full() || named >= MOST_ELEMENTS {
                return;
            }
            self.enter(m, &range, at, &paths);
            let value = self.eval.eval(&m.body);
            let matters = whole.is_like(&self.eval.truth(value));
            if !matters {
                continue;
            }
            if decided {
                self.walk(&m.body, want);
                return;
            }
            named += 1;
            let held = matches!((&whole, want), (Truth::True, true) | (Truth::False, false));
            if !held && (range.len() <= MOST_ELEMENTS || matches!(whole, Truth::Unknown(_) | Truth::Error(_))) {
                self.walk(&m.body, want);
            }
        }
    }

    /// One leaf for a whole list.
    fn summary(&mut self, node: &'a Node, m: &'a Macro, expected: &str, want: bool) {
        let origin = self.origin(&m.range);
        let value = self.eval.eval(&m.range);
        let observed = match &value {
            Val::List(list) => match list.rest() {
                Some(rest) => shown(&Val::Unknown(rest.clone())),
                None => shown(&value),
            },
            value => shown(value),
        };
        let expected = match expected {
            "is known" => expected.to_owned(),
            _ => format!("{expected} {}", clipped(self.source(&m.body))),
        };
        let holds = self.holds(node, want);
        self.push(origin, observed, expected, holds);
    }

    /// The range of a comprehension. Short lists are told whole, whatever could be looked up in them.
    fn range(&mut self, m: &'a Macro) -> Result<Range<'a>, Val<'a>> {
        let plain = m.indexes.iter().all(|way| matches!(&**way, [one] if !one.path.contains(['.', '['])));
        if !plain
            && let Val::List(list) = self.eval.eval(&m.range)
            && list.len() <= MOST_ELEMENTS
        {
            return Ok(Range::List(list));
        }
        let found = self.eval.lookup(m);
        self.eval.range_of(m, found)
    }

    fn set(&mut self, slot: u32, value: Val<'a>, origin: Origin) {
        self.eval.set_local(slot, value);
        if let Some(local) = self.origins.get_mut(slot as usize) {
            *local = origin;
        }
    }

    /// Puts a comprehension's variables at an element.
    fn enter(&mut self, m: &'a Macro, range: &Range<'a>, at: usize, paths: &[Origin]) {
        self.eval.set_variables(m, range, at);
        let mut origin = paths.get(at).cloned().unwrap_or_default();
        if m.names.len() == 2 {
            if let Some(second) = self.origins.get_mut(m.slot as usize + 1) {
                *second = origin.clone();
            }
            origin.path = format!("key of {}", origin.path);
        }
        if let Some(first) = self.origins.get_mut(m.slot as usize) {
            *first = origin;
        }
    }

    /// Where each element of a comprehension's range came from.
    fn paths(&mut self, m: &'a Macro, range: &Range<'a>) -> Vec<Origin> {
        // Elements of a filtered list keep their places in the list that was filtered.
        if let Op::Macro(inner) = &m.range.op
            && inner.kind == MacroKind::Filter
            && let Ok(inner_range @ Range::List(_)) = self.range(inner)
        {
            let all = self.paths(inner, &inner_range);
            let mut kept = Vec::new();
            for at in 0..inner_range.len() {
                self.enter(inner, &inner_range, at, &all);
                let value = self.eval.eval(&inner.body);
                if matches!(self.eval.truth(value), Truth::True) {
                    kept.extend(all.get(at).cloned());
                }
            }
            return kept;
        }
        let base = self.origin(&m.range);
        let element = |at: usize| match range {
            Range::List(list) => match list.get(at) {
                Some(Val::Object(object)) => {
                    let path = format!("{}[{:?}]", base.path, object.identity());
                    Origin { path, field: None, object: Some(object.identity().into()) }
                }
                _ => Origin { path: format!("{}[{at}]", base.path), ..base.clone() },
            },
            Range::Entries(entries) => {
                let key = entries.get(at).map(|(k, _)| ops::show(k)).unwrap_or_default();
                Origin { path: format!("{}[{key}]", base.path), ..base.clone() }
            }
        };
        (0..range.len()).map(element).collect()
    }

    /// The path of an expression, and the field or object it starts at.
    fn origin(&mut self, node: &'a Node) -> Origin {
        let mut origin = self.root(node).unwrap_or_default();
        origin.path = clipped(self.render(node));
        origin
    }

    fn root(&mut self, node: &'a Node) -> Option<Origin> {
        match &node.op {
            Op::Field(slot) => {
                let name: Arc<str> = self.field_name(*slot).into();
                Some(Origin { path: String::new(), field: Some((*slot, name)), object: None })
            }
            Op::Variable(index) => {
                let part_of = self.program.variables.iter().find(|v| v.index == *index)?.part_of.clone()?;
                Some(Origin { path: String::new(), field: Some(part_of), object: None })
            }
            Op::Local(slot) => {
                let origin = self.origins.get(*slot as usize)?;
                (origin.field.is_some() || origin.object.is_some()).then(|| origin.clone())
            }
            Op::Host(_) => match self.eval.eval(node) {
                Val::Object(object) => {
                    Some(Origin { path: String::new(), field: None, object: Some(object.identity().into()) })
                }
                _ => None,
            },
            Op::Select(select) => match self.eval.eval(&select.base) {
                Val::Object(object) => {
                    Some(Origin { path: String::new(), field: None, object: Some(object.identity().into()) })
                }
                _ => self.root(&select.base),
            },
            _ => {
                let mut children = Vec::new();
                node.children(&mut |child| children.push(child));
                children.into_iter().find_map(|child| self.root(child))
            }
        }
    }

    fn field_name(&self, slot: u32) -> &'a str {
        let fields = &self.program.references.fields;
        fields.iter().find(|(s, _)| *s == slot).map_or("", |(_, name)| name)
    }

    fn source(&self, node: &Node) -> &'a str {
        let program = self.program;
        program.source.get(node.span.start as usize..node.span.end as usize).unwrap_or_default()
    }

    /// The expression as written, with the variables of comprehensions replaced by where they stand.
    fn render(&mut self, node: &'a Node) -> String {
        match &node.op {
            Op::Const(value) => ops::show(value),
            Op::Field(slot) => self.field_name(*slot).to_owned(),
            Op::Variable(index) => {
                let named = self.program.variables.iter().find(|v| v.index == *index);
                named.map(|v| v.name.clone()).unwrap_or_default()
            }
            Op::Local(slot) => match self.origins.get(*slot as usize) {
                Some(origin) if !origin.path.is_empty() => origin.path.clone(),
                _ => self.source(node).to_owned(),
            },
            Op::Select(select) => {
                let base = self.render(&select.base);
                format!("{base}.{}{}", if select.optional { "?" } else { "" }, select.name)
            }
            Op::Index(index) => {
                let base = self.render(&index.base);
                let at = self.eval.eval(&index.index);
                format!("{base}[{}]", ops::show(&at))
            }
            Op::Call(call) => self.render_call(&call.name, call.method, &call.args),
            Op::Host(call) => self.render_call(&call.name, call.method, &call.args),
            Op::Binary(op, sides) => {
                let [left, right] = &**sides;
                let left = self.render(left);
                format!("{left} {} {}", op.symbol(), self.render(right))
            }
            _ => self.source(node).to_owned(),
        }
    }

    fn render_call(&mut self, name: &str, method: bool, args: &'a [Node]) -> String {
        let mut texts: Vec<String> = args.iter().map(|a| self.render(a)).collect();
        if method && !texts.is_empty() {
            let receiver = texts.remove(0);
            return format!("{receiver}.{name}({})", texts.join(", "));
        }
        format!("{name}({})", texts.join(", "))
    }
}

/// Whether the expression reads anything but constants.
fn reads_data(node: &Node) -> bool {
    let mut found = matches!(node.op, Op::Field(_) | Op::Variable(_) | Op::Local(_) | Op::Host(_));
    node.children(&mut |child| found = found || reads_data(child));
    found
}

fn falsely(text: String, want: bool) -> String {
    if want { text } else { format!("{text} is false") }
}

fn wanted_symbol(op: BinaryOp, want: bool) -> &'static str {
    match (op, want) {
        (op, true) => op.symbol(),
        (BinaryOp::Eq, false) => "!=",
        (BinaryOp::Ne, false) => "==",
        (BinaryOp::Lt, false) => ">=",
        (BinaryOp::Le, false) => ">",
        (BinaryOp::Gt, false) => "<=",
        (BinaryOp::Ge, false) => "<",
        (BinaryOp::In, false) => "not in",
        (op, false) => op.symbol(),
    }
}

fn mirrored(symbol: &str) -> &str {
    match symbol {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        same => same,
    }
}

fn clipped(text: impl Into<String>) -> String {
    let mut text = text.into();
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        text = text.trim().to_owned();
    }
    if text.len() > MOST_TEXT
        && let Some((end, _)) = text.char_indices().nth(MOST_TEXT)
    {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// An operator and what it compares with.
fn compared(symbol: &str, with: &Val<'_>) -> String {
    let with = clipped(ops::show(with));
    let mut text = String::with_capacity(symbol.len() + 1 + with.len());
    text.push_str(symbol);
    text.push(' ');
    text.push_str(&with);
    text
}

/// The value as evidence: what is long or deep is told by its size.
fn shown(value: &Val<'_>) -> Value {
    const MOST_PARTS: usize = 48;
    let size = match value {
        Val::List(list) => Some(("list", list.len())),
        Val::Map(map) => Some(("map", map.len())),
        _ => None,
    };
    let found = match size {
        Some((_, size)) if size > MOST_PARTS => None,
        _ => Some(value.to_value()).filter(|v| parts(v) <= MOST_PARTS),
    };
    match (found, size) {
        (Some(found), _) => found,
        (None, Some((kind, size))) => Value::from(format!("{kind} of {size}")),
        (None, None) => value.to_value(),
    }
}

fn parts(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(parts).sum::<usize>(),
        Value::Map(map) => 1 + map.iter().map(|(_, v)| parts(v)).sum::<usize>(),
        _ => 1,
    }
}
