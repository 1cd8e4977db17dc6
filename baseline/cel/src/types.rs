//! Static types and their unification, as CEL's checker defines it.

use std::{fmt, sync::Arc};

/// A static type.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// Decided at evaluation; accepted anywhere.
    Dyn,
    /// The type of `null`.
    Null,
    /// Truth values.
    Bool,
    /// Signed whole numbers.
    Int,
    /// Unsigned whole numbers.
    Uint,
    /// Numbers with a fraction.
    Double,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// Instants.
    Timestamp,
    /// Spans of time.
    Duration,
    /// IP addresses.
    Ip,
    /// Address ranges.
    Cidr,
    /// Lists of one element type.
    List(Arc<Type>),
    /// Maps from keys to values.
    Map(Arc<Type>, Arc<Type>),
    /// Values with known members: a resource, or a nested document.
    Object(Arc<ObjectType>),
    /// Values that may be there.
    Optional(Arc<Type>),
    /// Types of values.
    Type(Arc<Type>),
    /// A named type of the caller's, with parameters.
    Abstract(Arc<str>, Arc<[Type]>),
    /// A type parameter of a signature: `T`.
    Param(char),
    /// An inference variable.
    #[doc(hidden)]
    Var(u32),
}

/// The members of an object.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ObjectType {
    /// Its name in messages and references: `aws.s3.bucket`; empty for a nested document.
    pub name: String,
    /// Members by name, sorted by [`ObjectType::new`].
    members: Vec<(String, Type)>,
    /// Positions of the members, in the same order; empty when the object is asked by name only.
    slots: Vec<u32>,
}

impl ObjectType {
    /// An object with exactly these members.
    pub fn new<N: Into<String>>(name: impl Into<String>, members: impl IntoIterator<Item = (N, Type)>) -> Self {
        let mut members: Vec<_> = members.into_iter().map(|(n, t)| (n.into(), t)).collect();
        members.sort_by(|a: &(String, Type), b| a.0.cmp(&b.0));
        Self { name: name.into(), members, slots: Vec::new() }
    }

    /// The same for objects that also answer by position ([`crate::Object::at`]). Of equal names the first counts.
    pub fn with_slots<N: Into<String>>(
        name: impl Into<String>,
        members: impl IntoIterator<Item = (N, Type, u32)>,
    ) -> Self {
        let mut members: Vec<_> = members.into_iter().map(|(n, t, slot)| (n.into(), t, slot)).collect();
        members.sort_by(|a: &(String, Type, u32), b| a.0.cmp(&b.0));
        members.dedup_by(|later, kept| later.0 == kept.0);
        let slots = members.iter().map(|(.., slot)| *slot).collect();
        Self { name: name.into(), members: members.into_iter().map(|(n, t, _)| (n, t)).collect(), slots }
    }

    /// The position of a member, where positions are known.
    pub fn slot(&self, name: &str) -> Option<u32> {
        let at = self.members.binary_search_by(|(n, _)| n.as_str().cmp(name)).ok()?;
        self.slots.get(at).copied()
    }

    /// The type of a member.
    pub fn member(&self, name: &str) -> Option<&Type> {
        let at = self.members.binary_search_by(|(n, _)| n.as_str().cmp(name)).ok()?;
        self.members.get(at).map(|(_, t)| t)
    }

    /// The names of all members, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(n, _)| n.as_str())
    }
}

impl Type {
    /// `list(element)`
    pub fn list(element: Type) -> Self {
        Self::List(Arc::new(element))
    }

    /// `map(string, value)`: documents have text keys.
    pub fn map(value: Type) -> Self {
        Self::Map(Arc::new(Type::String), Arc::new(value))
    }

    /// A nested document with known members.
    pub fn object<N: Into<String>>(name: &str, members: impl IntoIterator<Item = (N, Type)>) -> Self {
        Self::Object(Arc::new(ObjectType::new(name, members)))
    }

    /// Whether values of the type are, or hold, objects of a named type.
    pub(crate) fn holds_resources(&self) -> bool {
        match self {
            Self::Object(object) => !object.name.is_empty(),
            Self::List(inner) | Self::Map(_, inner) | Self::Optional(inner) => inner.holds_resources(),
            _ => false,
        }
    }

    pub(crate) fn is_numeric(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }

    /// Parses CEL's notation: `list(string)`, `map(string, int)`, `optional(T)`, `type(T)`; single capitals are
    /// parameters, other names are types of the caller's.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, args) = match text.split_once('(') {
            Some((name, rest)) => (name, split(rest.strip_suffix(')')?)),
            None => (text, Vec::new()),
        };
        let args: Vec<Type> = args.into_iter().map(Type::parse).collect::<Option<_>>()?;
        Some(match (name, args.as_slice()) {
            ("dyn", []) => Self::Dyn,
            ("null_type", []) => Self::Null,
            ("bool", []) => Self::Bool,
            ("int", []) => Self::Int,
            ("uint", []) => Self::Uint,
            ("double", []) => Self::Double,
            ("string", []) => Self::String,
            ("bytes", []) => Self::Bytes,
            ("timestamp", []) => Self::Timestamp,
            ("duration", []) => Self::Duration,
            ("net.IP", []) => Self::Ip,
            ("net.CIDR", []) => Self::Cidr,
            ("list", [t]) => Self::list(t.clone()),
            ("map", [k, v]) => Self::Map(Arc::new(k.clone()), Arc::new(v.clone())),
            ("optional", [t]) => Self::Optional(Arc::new(t.clone())),
            ("type", [t]) => Self::Type(Arc::new(t.clone())),
            (name, args) => match (name.chars().next(), name.len(), args) {
                (Some(c), 1, []) if c.is_ascii_uppercase() => Self::Param(c),
                (Some(c), _, args) if c.is_ascii_alphabetic() => Self::Abstract(name.into(), args.into()),
                _ => return None,
            },
        })
    }
}

/// Splits at commas outside parentheses; an empty text has no parts.
pub(crate) fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = text.get(start..).unwrap_or_default();
    if !last.trim().is_empty() || !parts.is_empty() {
        parts.push(last);
    }
    parts
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dyn | Self::Var(_) => f.write_str("dyn"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Uint => f.write_str("uint"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Duration => f.write_str("duration"),
            Self::Ip => f.write_str("net.IP"),
            Self::Cidr => f.write_str("net.CIDR"),
            Self::List(t) => write!(f, "list({t})"),
            Self::Map(k, v) => write!(f, "map({k}, {v})"),
            Self::Object(o) if o.name.is_empty() => f.write_str("object"),
            Self::Object(o) => f.write_str(&o.name),
            Self::Optional(t) => write!(f, "optional({t})"),
            Self::Type(t) => write!(f, "type({t})"),
            Self::Abstract(name, args) if args.is_empty() => f.write_str(name),
            Self::Abstract(name, args) => {
                let args: Vec<_> = args.iter().map(ToString::to_string).collect();
                write!(f, "{name}({})", args.join(", "))
            }
            Self::Param(c) => write!(f, "{c}"),
        }
    }
}

/// The bindings of inference variables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unifier {
    bound: Vec<Option<Type>>,
}

impl Unifier {
    pub fn fresh(&mut self) -> Type {
        self.bound.push(None);
        Type::Var(self.bound.len() as u32 - 1)
    }

    fn bind(&mut self, var: u32, to: Type) {
        if let Some(slot) = self.bound.get_mut(var as usize) {
            *slot = Some(to);
        }
    }

    fn find(&self, var: u32) -> Option<&Type> {
        self.bound.get(var as usize)?.as_ref()
    }

    /// Replaces a signature's parameters by fresh variables, the same one for the same letter.
    pub fn instantiate(&mut self, t: &Type, names: &mut Vec<(char, Type)>) -> Type {
        match t {
            Type::Param(c) => {
                if let Some((_, var)) = names.iter().find(|(n, _)| n == c) {
                    return var.clone();
                }
                let var = self.fresh();
                names.push((*c, var.clone()));
                var
            }
            _ => map_inner(t, &mut |inner| self.instantiate(inner, names)),
        }
    }

    /// The type with bound variables replaced; with `settle`, unbound ones become `dyn`.
    pub fn resolve(&self, t: &Type, settle: bool) -> Type {
        match t {
            Type::Var(v) => match self.find(*v) {
                Some(bound) => self.resolve(bound, settle),
                None if settle => Type::Dyn,
                None => t.clone(),
            },
            _ => map_inner(t, &mut |inner| self.resolve(inner, settle)),
        }
    }

    /// Whether values of `from` may be used where `to` is wanted; binds variables only when they may.
    pub fn assign(&mut self, from: &Type, to: &Type) -> bool {
        let saved = self.bound.clone();
        let fits = self.fits(from, to);
        if !fits {
            self.bound = saved;
        }
        fits
    }

    /// As [`Unifier::assign`], for all pairs at once.
    pub fn assign_all(&mut self, from: &[Type], to: &[Type]) -> bool {
        let saved = self.bound.clone();
        let fits = from.len() == to.len() && from.iter().zip(to).all(|(f, t)| self.fits(f, t));
        if !fits {
            self.bound = saved;
        }
        fits
    }

    fn fits(&mut self, from: &Type, to: &Type) -> bool {
        if let Type::Var(v) = to {
            if from == to {
                return true;
            }
            match self.substitute(from, *v) {
                (true, _) => return true,
                (false, true) => return false,
                (false, false) => {}
            }
        }
        if let Type::Var(v) = from {
            let (valid, _) = self.substitute(to, *v);
            return valid;
        }
        match (from, to) {
            (Type::Dyn, _) | (_, Type::Dyn) => true,
            (
                Type::Null,
                Type::Timestamp | Type::Duration | Type::Object(_) | Type::Optional(_) | Type::Abstract(..),
            ) => true,
            (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => self.fits(a, b),
            (Type::Type(_), Type::Type(_)) => true,
            (Type::Map(ka, va), Type::Map(kb, vb)) => self.fits(ka, kb) && self.fits(va, vb),
            (Type::Object(a), Type::Object(b)) => Arc::ptr_eq(a, b) || a == b,
            // A document with known members is a map of texts to values, too.
            (Type::Object(_), Type::Map(k, v)) => self.fits(&Type::String, k) && self.fits(&Type::Dyn, v),
            (Type::Abstract(a, args), Type::Abstract(b, brgs)) => {
                a == b && args.len() == brgs.len() && args.iter().zip(brgs.iter()).all(|(x, y)| self.fits(x, y))
            }
            (a, b) => a == b,
        }
    }

    /// Tries to let variable `var` stand for `t`: (whether it can, whether it already stood for something).
    fn substitute(&mut self, t: &Type, var: u32) -> (bool, bool) {
        if let Some(bound) = self.find(var).cloned() {
            if &bound == t {
                return (true, true);
            }
            if self.fits(t, &bound) {
                let wider = if wider_or_equal(t, &bound) { t.clone() } else { bound };
                if !self.mentions(&wider, var) {
                    self.bind(var, wider);
                }
                return (true, true);
            }
            return (false, true);
        }
        if self.mentions(t, var) {
            return (false, false);
        }
        self.bind(var, t.clone());
        (true, false)
    }

    fn mentions(&self, t: &Type, var: u32) -> bool {
        match t {
            Type::Var(v) if *v == var => true,
            Type::Var(v) => self.find(*v).is_some_and(|bound| self.mentions(bound, var)),
            Type::List(a) | Type::Optional(a) | Type::Type(a) => self.mentions(a, var),
            Type::Map(k, v) => self.mentions(k, var) || self.mentions(v, var),
            Type::Abstract(_, args) => args.iter().any(|a| self.mentions(a, var)),
            _ => false,
        }
    }

    /// The type of a list whose elements have these two types.
    pub fn join(&mut self, a: &Type, b: &Type) -> Type {
        if self.assign(a, b) || self.assign(b, a) {
            return if wider_or_equal(a, b) { a.clone() } else { b.clone() };
        }
        Type::Dyn
    }
}

fn map_inner(t: &Type, change: &mut dyn FnMut(&Type) -> Type) -> Type {
    match t {
        Type::List(a) => Type::List(Arc::new(change(a))),
        Type::Optional(a) => Type::Optional(Arc::new(change(a))),
        Type::Type(a) => Type::Type(Arc::new(change(a))),
        Type::Map(k, v) => {
            let k = change(k);
            Type::Map(Arc::new(k), Arc::new(change(v)))
        }
        Type::Abstract(name, args) => Type::Abstract(name.clone(), args.iter().map(change).collect()),
        _ => t.clone(),
    }
}

fn wider_or_equal(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Dyn | Type::Var(_) | Type::Param(_), _) => true,
        (_, Type::Dyn | Type::Var(_) | Type::Param(_)) => false,
        (_, Type::Null) => true,
        (Type::List(x), Type::List(y)) | (Type::Optional(x), Type::Optional(y)) => wider_or_equal(x, y),
        (Type::Map(ka, va), Type::Map(kb, vb)) => wider_or_equal(ka, kb) && wider_or_equal(va, vb),
        (Type::Abstract(x, xs), Type::Abstract(y, ys)) => {
            x == y && xs.iter().zip(ys.iter()).all(|(p, q)| wider_or_equal(p, q))
        }
        (a, b) => a == b,
    }
}
