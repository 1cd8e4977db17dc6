//! The one expression tree of Azure templates: Bicep is parsed into it, ARM's `"[…]"` strings too.

use std::rc::Rc;

/// An expression and its bytes in the file it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// First byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
    /// What it says.
    pub kind: Kind,
}

/// What an expression says.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction: only JSON has them.
    Double(f64),
    /// Text without interpolation.
    Str(Rc<str>),
    /// `'a${b}c'`
    Interp(Vec<Expr>),
    /// `[a, ...b]`
    Array(Vec<Item>),
    /// `{ a: b, ...c }`
    Object(Vec<Prop>),
    /// A parameter, variable, resource, module, loop variable or namespace.
    Name(Rc<str>),
    /// `f(a, b)`
    Call(Rc<str>, Vec<Expr>),
    /// `x.f(a)`: a namespace's function or a resource's own.
    Method(Box<Expr>, Rc<str>, Vec<Expr>),
    /// `x.a`; safe for `x.?a`
    Member {
        /// What is looked into.
        of: Box<Expr>,
        /// The member's name.
        name: Rc<str>,
        /// Whether an absent member is null.
        safe: bool,
    },
    /// `x[i]`; safe for `x[?i]`
    Index {
        /// What is looked into.
        of: Box<Expr>,
        /// The position or key.
        index: Box<Expr>,
        /// Whether an absent element is null.
        safe: bool,
        /// `x[^1]`: counted from the end, the last one being 1.
        from_end: bool,
    },
    /// `parent::child`
    Nested(Box<Expr>, Rc<str>),
    /// `!x`, `-x`
    Unary(Unary, Box<Expr>),
    /// `a + b`
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `a ? b : c`
    Ternary(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `(a, b) => c`
    Lambda(Vec<Rc<str>>, Rc<Expr>),
    /// `[for …: body]`, or an ARM property copy.
    For(Box<Loop>),
    /// `if (a) {b}` as a body
    If(Box<Expr>, Box<Expr>),
}

/// A loop over a list, or over a count in ARM.
#[derive(Debug, Clone, PartialEq)]
pub struct Loop {
    /// The name of the item in Bicep.
    pub item: Option<Rc<str>>,
    /// The name of the position in Bicep.
    pub index: Option<Rc<str>>,
    /// The name `copyIndex` uses in ARM.
    pub copy: Option<Rc<str>>,
    /// The list in Bicep, the count in ARM.
    pub over: Expr,
    /// What is made for each item.
    pub body: Expr,
}

/// An element of an array.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// `...x`
    pub spread: bool,
    /// The element, or the list spread.
    pub value: Expr,
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Prop {
    /// `key: value`
    Pair(Expr, Expr),
    /// `...x`
    Spread(Expr),
}

/// An operator before its operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unary {
    /// `!`
    Not,
    /// `-`
    Minus,
}

/// An operator between its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// `??`
    Coalesce,
    /// `||`
    Or,
    /// `&&`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`: equal without regard to case
    EqualNoCase,
    /// `!~`
    NotEqualNoCase,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Rem,
}

impl Expr {
    /// An expression over these bytes.
    pub fn new(start: u32, end: u32, kind: Kind) -> Self {
        Self { start, end, kind }
    }

    /// The text of a literal without interpolation.
    pub fn literal(&self) -> Option<&Rc<str>> {
        if let Kind::Str(text) = &self.kind { Some(text) } else { None }
    }

    /// The value under a literal key of an object, without regard to case.
    pub fn prop(&self, key: &str) -> Option<&Expr> {
        self.pair(key).map(|(_, value)| value)
    }

    /// The key and value under a literal key of an object, without regard to case.
    pub fn pair(&self, key: &str) -> Option<(&Expr, &Expr)> {
        let Kind::Object(props) = &self.kind else { return None };
        props.iter().find_map(|p| match p {
            Prop::Pair(k, v) if k.literal().is_some_and(|k| k.eq_ignore_ascii_case(key)) => Some((k, v)),
            _ => None,
        })
    }
}
