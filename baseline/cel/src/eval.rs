//! The evaluator: three-valued, errors as values, nothing copied from the documents.

use crate::{
    EvalError, Frame, Key, Limits, List, MapVal, Program, Type, Unknowns, Val,
    ast::BinaryOp,
    node::{Call, HostCall, Index, Node, Op, Select},
    ops,
    value::Str,
};
use plumb_model::{Time, Value};
use std::{collections::BTreeMap, sync::Arc};

/// What a function may know besides its arguments, and the budget it spends.
#[derive(Debug)]
pub struct Context {
    /// The instant to judge at.
    pub now: Time,
    /// Whether null and absent are one, and harmless.
    pub absent_is_null: bool,
    steps: u64,
    list_len: usize,
    spent: bool,
}

impl Context {
    /// For constants, at compilation: functions that neither ask for the instant nor cost much.
    pub(crate) fn for_constants() -> Self {
        Self { now: Time::from_seconds(0), absent_is_null: false, steps: 10_000, list_len: 1_000, spent: false }
    }

    /// Spends `steps` of the budget; false when it is used up, and then the result no longer matters.
    #[inline]
    pub fn charge(&mut self, steps: u64) -> bool {
        match self.steps.checked_sub(steps) {
            Some(left) => {
                self.steps = left;
                true
            }
            None => {
                self.steps = 0;
                self.spent = true;
                false
            }
        }
    }

    /// As [`Context::charge`] for work on so many bytes.
    pub fn charge_bytes(&mut self, bytes: usize) -> bool {
        self.charge(bytes as u64 / 32)
    }

    /// Whether a list of so many elements (or a text of 16 times as many bytes) may be made; charges for it.
    pub fn allow(&mut self, elements: usize) -> Result<(), EvalError> {
        if elements > self.list_len {
            return Err(EvalError::Limit("a list or text became too long"));
        }
        if self.charge(elements as u64) { Ok(()) } else { Err(EvalError::Limit("too many steps")) }
    }

    /// Whether a text may be so many bytes long; charges nothing.
    pub fn fits_text(&self, bytes: usize) -> Result<(), EvalError> {
        let fits = bytes <= self.list_len.saturating_mul(16);
        if fits { Ok(()) } else { Err(EvalError::Limit("a list or text became too long")) }
    }

    /// As [`Context::allow`] for a text of so many bytes.
    pub fn allow_text(&mut self, bytes: usize) -> Result<(), EvalError> {
        self.fits_text(bytes)?;
        if self.charge_bytes(bytes) { Ok(()) } else { Err(EvalError::Limit("too many steps")) }
    }
}

pub(crate) struct Eval<'a> {
    frame: Frame<'a>,
    pub cx: Context,
    locals: Locals<'a>,
    shared_base: u32,
    /// Variables in place of the frame's.
    vars: Vec<Val<'a>>,
}

/// The value of a local: mostly a place in a document, then nothing is copied.
#[derive(Debug, Clone)]
pub(crate) enum Local<'a> {
    Doc(&'a Value),
    Val(Val<'a>),
    /// Not evaluated yet.
    Empty,
}

static NULL: Value = Value::Null;

/// The first locals need no allocation; few rules nest deeper.
struct Locals<'a> {
    first: [Local<'a>; 4],
    more: Vec<Local<'a>>,
}

impl<'a> Locals<'a> {
    #[inline(always)]
    fn new(count: usize) -> Self {
        let first = [const { Local::Empty }; 4];
        let more = match count.checked_sub(first.len()) {
            Some(more) if more > 0 => vec![Local::Empty; more],
            _ => Vec::new(),
        };
        Self { first, more }
    }

    #[inline]
    fn get(&self, slot: usize) -> Option<&Local<'a>> {
        self.first.get(slot).or_else(|| self.more.get(slot - self.first.len()))
    }

    #[inline]
    fn set(&mut self, slot: usize, value: Local<'a>) {
        let place = match self.first.get_mut(slot) {
            Some(place) => Some(place),
            None => self.more.get_mut(slot - 4),
        };
        if let Some(place) = place {
            *place = value;
        }
    }
}

/// A condition's value.
pub(crate) enum Truth<'a> {
    True,
    False,
    Unknown(Unknowns<'a>),
    Error(Val<'a>),
}

impl Truth<'_> {
    /// Whether both are true, both false, both unknown, or both errors.
    pub fn is_like(&self, other: &Truth<'_>) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// Everything that kept a chain of conditions from being decided.
#[derive(Default)]
pub(crate) struct Undecided<'a> {
    unknown: Option<Unknowns<'a>>,
    error: Option<Val<'a>>,
}

impl<'a> Undecided<'a> {
    #[inline]
    pub fn add_unknown(&mut self, unknowns: Unknowns<'a>) {
        self.unknown = Some(match self.unknown.take() {
            Some(before) => before.merge(unknowns),
            None => unknowns.whole(),
        });
    }

    pub fn add_error(&mut self, error: Val<'a>) {
        self.error.get_or_insert(error);
    }

    /// Adds a value that is unknown or an error; gives back any other.
    #[inline]
    pub fn take(&mut self, value: Val<'a>) -> Option<Val<'a>> {
        match value {
            Val::Unknown(u) => self.add_unknown(u),
            error @ Val::Error(_) => self.add_error(error),
            other => return Some(other),
        }
        None
    }

    /// The unknowns if any, else the first error, else `decided`.
    #[inline]
    pub fn or(self, decided: Val<'a>) -> Val<'a> {
        match (self.unknown, self.error) {
            (Some(unknown), _) => Val::Unknown(unknown),
            (None, Some(error)) => error,
            (None, None) => decided,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.unknown.is_none() && self.error.is_none()
    }
}

impl<'a> Eval<'a> {
    // Made for every condition: in place.
    #[inline(always)]
    pub fn new(program: &'a Program, frame: &Frame<'a>, limits: &Limits, locals: u32) -> Self {
        let cx = Context {
            now: frame.now,
            absent_is_null: frame.absent_is_null,
            steps: limits.steps,
            list_len: limits.list_len,
            spent: false,
        };
        Self {
            frame: *frame,
            cx,
            locals: Locals::new(locals as usize),
            shared_base: program.shared_base,
            vars: Vec::new(),
        }
    }

    /// A result that ran out of budget is an error, whatever `&&` and `||` made of it.
    #[inline]
    pub fn finish(&self, value: Val<'a>) -> Val<'a> {
        if self.cx.spent { EvalError::Limit("too many steps").into() } else { value }
    }

    pub fn spent(&self) -> bool {
        self.cx.spent
    }

    pub fn is_plain(&self) -> bool {
        self.frame.plain
    }

    pub fn set_vars(&mut self, vars: Vec<Val<'a>>) {
        self.vars = vars;
    }

    pub fn set_local(&mut self, slot: u32, value: Val<'a>) {
        self.locals.set(slot as usize, Local::Val(value));
    }

    #[inline]
    pub fn set_local_doc(&mut self, slot: u32, value: &'a Value) {
        self.locals.set(slot as usize, Local::Doc(value));
    }

    /// The place in a document that a path of fields names, when it is one; spends no more than `eval` would.
    #[inline]
    fn place(&mut self, node: &'a Node) -> Option<&'a Value> {
        match &node.op {
            Op::Field(slot) => Some(self.frame.fields.get(*slot as usize).unwrap_or(&NULL)),
            Op::Local(slot) => match self.locals.get(*slot as usize) {
                Some(Local::Doc(value)) => Some(value),
                _ => None,
            },
            Op::Select(s) if !s.optional => {
                let base = self.place(&s.base)?;
                self.cx.charge(1);
                match base {
                    Value::Map(map) => match map.get(&s.name) {
                        None if self.cx.absent_is_null => Some(&NULL),
                        found => found,
                    },
                    Value::Null if self.cx.absent_is_null => Some(&NULL),
                    unknown @ Value::Unknown(_) => Some(unknown),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Comparisons of a place with a constant of its own type, in place.
    #[inline]
    fn compare_in_place(&mut self, op: BinaryOp, left: &'a Node, right: &'a Node) -> Option<Val<'a>> {
        use std::cmp::Ordering;
        let Op::Const(constant) = &right.op else { return None };
        let order = match (self.place(left)?, constant) {
            (Value::Str(a), Val::Str(b)) if self.cx.charge_bytes(b.len()) => match op {
                BinaryOp::Eq => return Some(Val::Bool(**a == **b)),
                BinaryOp::Ne => return Some(Val::Bool(**a != **b)),
                _ => (**a).cmp(&**b),
            },
            (Value::Int(a), Val::Int(b)) => a.cmp(b),
            (Value::Unknown(u), constant) => {
                let differs = u.text.as_ref().is_some_and(|ends| match constant {
                    Val::Str(text) => ends.differs(text),
                    constant => matches!(constant, Val::Null),
                });
                return Some(match op {
                    BinaryOp::Eq | BinaryOp::Ne if differs => Val::Bool(op == BinaryOp::Ne),
                    _ => Val::Unknown(Unknowns::One(u)),
                });
            }
            (Value::Null, Val::Null) => Ordering::Equal,
            _ => return None,
        };
        Some(Val::Bool(match op {
            BinaryOp::Eq => order.is_eq(),
            BinaryOp::Ne => order.is_ne(),
            _ if matches!(constant, Val::Null) => return None,
            BinaryOp::Lt => order.is_lt(),
            BinaryOp::Le => order.is_le(),
            BinaryOp::Gt => order.is_gt(),
            BinaryOp::Ge => order.is_ge(),
            _ => return None,
        }))
    }

    pub fn eval(&mut self, node: &'a Node) -> Val<'a> {
        if !self.cx.charge(1) {
            return EvalError::Limit("too many steps").into();
        }
        match &node.op {
            Op::Const(value) => constant(value),
            Op::Field(slot) => self.frame.fields.get(*slot as usize).map_or(Val::Null, Val::from),
            Op::Variable(index) => {
                let at = *index as usize;
                self.frame.vars.get(at).or_else(|| self.vars.get(at)).cloned().unwrap_or(Val::Null)
            }
            Op::Local(slot) => match self.locals.get(*slot as usize) {
                Some(Local::Doc(value)) => Val::from(*value),
                Some(Local::Val(value)) => value.clone(),
                Some(Local::Empty) | None => Val::Null,
            },
            Op::Select(s) => {
                if let Some(value) = self.place(node) {
                    return Val::from(value);
                }
                let base = self.eval(&s.base);
                self.select(base, s)
            }
            Op::Has(s) => {
                let base = self.eval(&s.base);
                self.has(base, &s.name)
            }
            Op::And(items) => self.chain(items, false),
            Op::Or(items) => self.chain(items, true),
            Op::Not(inner) => {
                let value = self.eval(inner);
                match self.truth(value) {
                    Truth::True => Val::Bool(false),
                    Truth::False => Val::Bool(true),
                    Truth::Unknown(u) => Val::Unknown(u),
                    Truth::Error(e) => e,
                }
            }
            Op::Cond(c) => {
                let [condition, yes, no] = &**c;
                let value = self.eval(condition);
                match self.truth(value) {
                    Truth::True => self.eval(yes),
                    Truth::False => self.eval(no),
                    Truth::Unknown(u) => Val::Unknown(u),
                    Truth::Error(e) => e,
                }
            }
            Op::Binary(op, sides) => {
                let [left, right] = &**sides;
                if let Some(done) = self.compare_in_place(*op, left, right) {
                    return done;
                }
                let left = self.eval(left);
                let right = self.eval(right);
                self.binary(*op, left, right)
            }
            Op::Macro(m) => self.comprehension(m),
            Op::Call(call) => self.call(call),
            Op::Host(call) => self.host(call),
            Op::Matches(m) => match self.eval(&m.0) {
                Val::Str(text) => {
                    self.cx.charge_bytes(text.len());
                    Val::Bool(m.1.is_match(&text))
                }
                other @ (Val::Unknown(_) | Val::Error(_)) => other.whole(),
                other => Val::no_overload("matches", &[other]),
            },
            Op::Index(index) => self.index(index),
            Op::List(items) => self.list(items),
            Op::Map(entries) => self.map(entries),
            Op::Neg(inner) => ops::negate(self.eval(inner)),
            Op::Bind(bind) => {
                for (at, value) in bind.values.iter().enumerate() {
                    let value = self.eval(value);
                    self.set_local(bind.slot + at as u32, value);
                }
                self.eval(&bind.body)
            }
            Op::OptMap(o) => match self.eval(&o.target) {
                Val::Optional(None) => Val::Optional(None),
                Val::Optional(Some(inner)) => {
                    self.set_local(o.slot, (*inner).clone());
                    match self.eval(&o.body) {
                        done @ (Val::Unknown(_) | Val::Error(_)) => done,
                        done if o.flat => done,
                        done => Val::some(done),
                    }
                }
                other @ (Val::Unknown(_) | Val::Error(_)) => other.whole(),
                other => Val::no_overload("optMap", &[other]),
            },
            Op::Shared(part) => match self.frame.host.and_then(|host| host.shared(self.shared_base + part.0)) {
                Some(value) => value,
                None => self.eval(&part.1),
            },
            Op::Once(part) => {
                if let Some(Local::Val(value)) = self.locals.get(part.0 as usize) {
                    return value.clone();
                }
                let value = self.eval(&part.1);
                self.set_local(part.0, value.clone());
                value
            }
            Op::Fail(error) => Val::Error(error.clone()),
        }
    }

    #[inline]
    pub fn truth(&self, value: Val<'a>) -> Truth<'a> {
        match value {
            Val::Bool(true) => Truth::True,
            Val::Bool(false) => Truth::False,
            Val::Unknown(u) => Truth::Unknown(u.whole()),
            Val::Null if self.cx.absent_is_null => Truth::False,
            error @ Val::Error(_) => Truth::Error(error),
            other => Truth::Error(Val::no_overload("condition", &[other])),
        }
    }

    /// `&&` (decided by a false) or `||` (decided by a true).
    fn chain(&mut self, items: &'a [Node], decisive: bool) -> Val<'a> {
        let mut undecided = Undecided::default();
        for item in items {
            let value = match self.eval(item) {
                Val::Bool(b) if b == decisive => return Val::Bool(decisive),
                Val::Bool(_) => continue,
                other => other,
            };
            match self.truth(value) {
                Truth::True if decisive => return Val::Bool(true),
                Truth::False if !decisive => return Val::Bool(false),
                Truth::True | Truth::False => {}
                Truth::Unknown(u) => undecided.add_unknown(u),
                Truth::Error(e) => undecided.add_error(e),
            }
        }
        undecided.or(Val::Bool(!decisive))
    }

    pub fn binary(&mut self, op: BinaryOp, left: Val<'a>, right: Val<'a>) -> Val<'a> {
        let undecided = |value: &Val<'_>| matches!(value, Val::Unknown(_) | Val::Error(_));
        if undecided(&left) || undecided(&right) {
            if let Some(decided) = ops::by_known_ends(op, &left, &right, &mut self.cx) {
                return decided;
            }
            let mut undecided = Undecided::default();
            undecided.take(left);
            undecided.take(right);
            return undecided.or(Val::Null);
        }
        match op {
            BinaryOp::Eq => ops::equal(&left, &right, &mut self.cx),
            BinaryOp::Ne => match ops::equal(&left, &right, &mut self.cx) {
                Val::Bool(equal) => Val::Bool(!equal),
                other => other,
            },
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                if let (Val::Str(a), Val::Str(b)) = (&left, &right) {
                    self.cx.charge_bytes(a.len().min(b.len()));
                }
                ops::compare(op, &left, &right)
            }
            BinaryOp::In => ops::contains(&left, &right, &mut self.cx),
            _ => ops::arithmetic(op, left, right, &mut self.cx),
        }
    }

    #[inline]
    fn select(&mut self, base: Val<'a>, s: &'a Select) -> Val<'a> {
        if let (Val::Object(object), Some(slot)) = (&base, s.slot)
            && !s.optional
        {
            return match object.at(slot, &s.name) {
                Some(value) => value,
                None if self.cx.absent_is_null => Val::Null,
                None => EvalError::NoSuchKey(s.name.to_string()).into(),
            };
        }
        self.member(base, &s.name, s.optional)
    }

    /// The member of a value under a name.
    pub fn member(&mut self, base: Val<'a>, name: &'a str, optional: bool) -> Val<'a> {
        let found = match base {
            Val::Map(MapVal::Doc(map)) => map.get(name).map(Val::from),
            Val::Map(map) => map.member(name),
            Val::Object(object) => object.get(name),
            Val::Null if self.cx.absent_is_null => None,
            Val::Optional(None) => return Val::Optional(None),
            Val::Optional(Some(inner)) => return self.member((*inner).clone(), name, true),
            other @ (Val::Unknown(_) | Val::Error(_)) => return other.whole(),
            other => {
                return EvalError::NoSuchOverload(format!("{} has no fields, so no `{name}`", other.type_name()))
                    .into();
            }
        };
        match found {
            Some(value @ (Val::Unknown(_) | Val::Error(_))) => value,
            Some(value) if optional => Val::some(value),
            Some(value) => value,
            None if optional => Val::Optional(None),
            None if self.cx.absent_is_null => Val::Null,
            None => EvalError::NoSuchKey(name.to_owned()).into(),
        }
    }

    fn has(&mut self, base: Val<'a>, name: &str) -> Val<'a> {
        let found = match base {
            Val::Map(map) => map.member(name),
            Val::Object(object) => object.get(name),
            Val::Null if self.cx.absent_is_null => None,
            Val::Optional(None) => None,
            Val::Optional(Some(inner)) => return self.has((*inner).clone(), name),
            other @ (Val::Unknown(_) | Val::Error(_)) => return other.whole(),
            other => return Val::no_overload("has", &[other]),
        };
        match found {
            // A text that is known in part is there.
            Some(Val::Unknown(u)) if u.ends().is_some() => Val::Bool(true),
            Some(Val::Unknown(u)) => Val::Unknown(u),
            Some(Val::Null) => Val::Bool(!self.cx.absent_is_null),
            found => Val::Bool(found.is_some()),
        }
    }

    fn index(&mut self, node: &'a Index) -> Val<'a> {
        let base = self.eval(&node.base);
        let index = self.eval(&node.index);
        let mut undecided = Undecided::default();
        let (base, index) = (undecided.take(base), undecided.take(index));
        let (Some(base), Some(index)) = (base, index) else { return undecided.or(Val::Null) };
        self.index_value(base, &index, node.optional)
    }

    pub fn index_value(&mut self, base: Val<'a>, index: &Val<'a>, optional: bool) -> Val<'a> {
        let missing: EvalError;
        let found = match base {
            Val::List(list) => {
                if let Some(rest) = list.rest() {
                    return Val::Unknown(rest.clone());
                }
                let at = match index {
                    Val::Int(i) => usize::try_from(*i).ok(),
                    Val::Uint(u) => usize::try_from(*u).ok(),
                    Val::Double(d) if d.fract() == 0.0 && *d >= 0.0 => Some(*d as usize),
                    _ => None,
                };
                missing = EvalError::Index { index: ops::show(index), len: list.len() };
                at.and_then(|at| list.get(at))
            }
            Val::Map(map) => {
                missing = EvalError::NoSuchKey(String::new());
                self.cx.charge_bytes(index.as_str().map_or(0, str::len));
                map.get(index)
            }
            Val::Object(object) => {
                missing = EvalError::NoSuchKey(String::new());
                index.as_str().and_then(|name| object.get(name))
            }
            Val::Optional(None) => return Val::Optional(None),
            Val::Optional(Some(inner)) => return self.index_value((*inner).clone(), index, true),
            Val::Null if self.cx.absent_is_null => return if optional { Val::Optional(None) } else { Val::Null },
            other => return Val::no_overload("_[_]", &[other, index.clone()]),
        };
        match (found, missing) {
            (Some(value @ (Val::Unknown(_) | Val::Error(_))), _) => value,
            (Some(value), _) if optional => Val::some(value),
            (Some(value), _) => value,
            (None, _) if optional => Val::Optional(None),
            (None, EvalError::NoSuchKey(_)) if self.cx.absent_is_null => Val::Null,
            (None, EvalError::NoSuchKey(_)) => EvalError::NoSuchKey(ops::show(index)).into(),
            (None, error) => error.into(),
        }
    }

    fn list(&mut self, items: &'a [(bool, Node)]) -> Val<'a> {
        let mut undecided = Undecided::default();
        let mut values = Vec::with_capacity(items.len());
        for (optional, item) in items {
            match self.eval(item) {
                error @ Val::Error(_) => undecided.add_error(error),
                Val::Optional(inner) if *optional => values.extend(inner.map(|v| (*v).clone())),
                Val::Unknown(u) if *optional => undecided.add_unknown(u),
                other if *optional => undecided.add_error(Val::no_overload("[?_]", &[other])),
                value => values.push(value),
            }
        }
        if undecided.is_empty() { Val::list(values) } else { undecided.or(Val::Null) }
    }

    fn map(&mut self, entries: &'a [(bool, Node, Node)]) -> Val<'a> {
        let mut undecided = Undecided::default();
        let mut built = BTreeMap::new();
        for (optional, key, value) in entries {
            let (key, value) = (self.eval(key), self.eval(value));
            let key = undecided.take(key);
            let value = match value {
                error @ Val::Error(_) => undecided.take(error),
                Val::Optional(inner) if *optional => match inner {
                    Some(inner) => Some((*inner).clone()),
                    None => continue,
                },
                other if *optional => match undecided.take(other) {
                    Some(other) => undecided.take(Val::no_overload("{?_: _}", &[other])),
                    None => None,
                },
                value => Some(value),
            };
            if let (Some(key), Some(value)) = (key, value)
                && let Err(error) = insert(&mut built, key, value)
            {
                undecided.add_error(error.into());
            }
        }
        undecided.or(Val::Map(MapVal::Built(Arc::new(built))))
    }

    fn call(&mut self, call: &'a Call) -> Val<'a> {
        // The commonest counts of arguments need no allocation.
        match &*call.args {
            [a] => {
                let a = self.eval(a);
                self.apply(call, [a])
            }
            [a, b] => {
                let a = self.eval(a);
                let b = self.eval(b);
                self.apply(call, [a, b])
            }
            [a, b, c] => {
                let a = self.eval(a);
                let b = self.eval(b);
                let c = self.eval(c);
                self.apply(call, [a, b, c])
            }
            args => {
                let values: Vec<Val<'a>> = args.iter().map(|a| self.eval(a)).collect();
                self.apply(call, values)
            }
        }
    }

    fn apply(&mut self, call: &'a Call, args: impl AsRef<[Val<'a>]>) -> Val<'a> {
        let args = args.as_ref();
        if let Some(bad) = undecided_argument(args) {
            return ops::call_of_ends(call, args).unwrap_or(bad);
        }
        let name = &*call.name;
        let code = match &*call.codes {
            [(_, only)] => Some(only),
            codes => codes.iter().find(|(types, _)| types.iter().zip(args).all(|(t, v)| accepts(t, v))).map(|(_, c)| c),
        };
        match code {
            Some(code) => match code(&mut self.cx, args) {
                // Functions do not know under which name they were called.
                Val::Error(error) if matches!(*error, EvalError::NoSuchOverload(_)) => Val::no_overload(name, args),
                value => value.whole(),
            },
            None => Val::no_overload(name, args),
        }
    }

    pub fn host(&mut self, call: &'a HostCall) -> Val<'a> {
        // As for other calls: the commonest counts of arguments need no allocation.
        match &*call.args {
            [] => self.ask(call, &[]),
            [a] => {
                let a = self.eval(a);
                self.ask(call, &[a])
            }
            [a, b] => {
                let a = self.eval(a);
                let b = self.eval(b);
                self.ask(call, &[a, b])
            }
            args => {
                let values: Vec<Val<'a>> = args.iter().map(|a| self.eval(a)).collect();
                self.ask(call, &values)
            }
        }
    }

    fn ask(&mut self, call: &'a HostCall, args: &[Val<'a>]) -> Val<'a> {
        if let Some(bad) = undecided_argument(args) {
            return bad;
        }
        match self.frame.host {
            Some(host) => host.call(call.id, args).whole(),
            None => EvalError::Undeclared(format!("`{}` needs a host", call.name)).into(),
        }
    }

    /// The candidates the host's indexes give for a comprehension over its list.
    pub fn lookup(&mut self, m: &'a crate::node::Macro) -> Option<List<'a>> {
        let (Op::Host(call), false) = (&m.range.op, m.indexes.is_empty()) else { return None };
        let host = self.frame.host?;
        let args = match &*call.args {
            // The name of the list, nearly always.
            [Node { op: Op::Const(value), .. }] => [constant(value)],
            [one] => [self.eval(one)],
            _ => return None,
        };
        if undecided_argument(&args).is_some() {
            return None;
        }
        m.indexes.iter().find_map(|way| match &**way {
            [one] => host.lookup(call.id, &args, &[(&one.path, self.key(&one.key)?)]),
            all => {
                let keys: Option<Vec<(&str, Val<'a>)>> =
                    all.iter().map(|on| Some((&*on.path, self.key(&on.key)?))).collect();
                host.lookup(call.id, &args, &keys?)
            }
        })
    }

    /// The key of a lookup. One that is unknown or an error decides nothing about any element: all are looked at.
    fn key(&mut self, key: &'a Node) -> Option<Val<'a>> {
        match self.eval(key) {
            Val::Unknown(_) | Val::Error(_) => None,
            value => Some(value),
        }
    }
}

/// The unknowns among the arguments, else the first error.
#[inline]
fn undecided_argument<'a>(args: &[Val<'a>]) -> Option<Val<'a>> {
    if !args.iter().any(|a| matches!(a, Val::Unknown(_) | Val::Error(_))) {
        return None;
    }
    Some(undecided_of(args))
}

#[cold]
fn undecided_of<'a>(args: &[Val<'a>]) -> Val<'a> {
    let mut undecided = Undecided::default();
    for arg in args {
        undecided.take(arg.clone());
    }
    undecided.or(Val::Null)
}

/// Constants are borrowed from the program.
#[inline]
fn constant<'a>(value: &'a Val<'static>) -> Val<'a> {
    match value {
        Val::Str(text) => Val::Str(Str::Borrowed(text)),
        Val::List(List::Vals(items)) => Val::List(List::Slice(items)),
        other => other.clone(),
    }
}

pub(crate) fn insert<'a>(
    map: &mut BTreeMap<Key, (Val<'a>, Val<'a>)>,
    key: Val<'a>,
    value: Val<'a>,
) -> Result<(), EvalError> {
    let Some(found) = key.to_key() else {
        return Err(EvalError::NoSuchOverload(format!("unsupported key type {}", key.type_name())));
    };
    if map.contains_key(&found) {
        return Err(EvalError::Invalid(format!("repeated key {}", ops::show(&key))));
    }
    map.insert(found, (key, value));
    Ok(())
}

/// Whether a value may be passed where a signature wants a type.
fn accepts(wanted: &Type, value: &Val<'_>) -> bool {
    matches!(
        (wanted, value),
        (Type::Dyn | Type::Param(_) | Type::Var(_) | Type::Abstract(..), _)
            | (Type::Null, Val::Null)
            | (Type::Bool, Val::Bool(_))
            | (Type::Int, Val::Int(_))
            | (Type::Uint, Val::Uint(_))
            | (Type::Double, Val::Double(_))
            | (Type::String, Val::Str(_))
            | (Type::Bytes, Val::Bytes(_))
            | (Type::Timestamp, Val::Time(_))
            | (Type::Duration, Val::Duration(_))
            | (Type::Ip, Val::Ip(_))
            | (Type::Cidr, Val::Cidr(_))
            | (Type::List(_), Val::List(_))
            | (Type::Map(..), Val::Map(_))
            | (Type::Object(_), Val::Object(_) | Val::Map(_))
            | (Type::Optional(_), Val::Optional(_))
            | (Type::Type(_), Val::Type(_))
    )
}
