//! The syntax tree of the HashiCorp configuration language: bodies, blocks, expressions, each with its place.

use crate::resource::Skip;
use crate::source::Span;
use std::sync::Arc;

/// Attributes and blocks, in source order.
#[derive(Debug, Clone, Default)]
pub struct Body {
    /// `name = expression`.
    pub attrs: Vec<Attr>,
    /// `type "label" { … }`.
    pub blocks: Vec<Block>,
}

impl Body {
    /// The expression of an attribute.
    pub fn attr(&self, name: &str) -> Option<&Expr> {
        self.attrs.iter().find(|a| &*a.name == name).map(|a| &a.expr)
    }

    /// The blocks of a type.
    pub fn blocks<'a>(&'a self, type_: &'a str) -> impl Iterator<Item = &'a Block> + 'a {
        self.blocks.iter().filter(move |b| &*b.type_ == type_)
    }
}

/// An attribute.
#[derive(Debug, Clone)]
pub struct Attr {
    /// The name.
    pub name: Arc<str>,
    /// The value.
    pub expr: Expr,
}

/// A block.
#[derive(Debug, Clone)]
pub struct Block {
    /// The type, `resource`.
    pub type_: Arc<str>,
    /// The labels.
    pub labels: Vec<Arc<str>>,
    /// Type and labels.
    pub header: Span,
    /// All of it.
    pub span: Span,
    /// What it holds.
    pub body: Body,
    /// Skip comments above and inside (blocks of a file only, not nested blocks).
    pub skips: Vec<Skip>,
}

/// An expression.
#[derive(Debug, Clone)]
pub struct Expr {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Debug, Clone)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number.
    Num(f64),
    /// A whole number.
    Int(i64),
    /// Text without interpolation.
    Str(Arc<str>),
    /// Text with interpolations or directives.
    Template(Vec<Piece>),
    /// `[a, b]`
    Tuple(Vec<Expr>),
    /// `{ a = b }`
    Object(Vec<(Expr, Expr)>),
    /// A root name: `var`, `local`, `each`, `aws_s3_bucket`, a loop variable.
    Name(Arc<str>),
    /// `a.b[c].*.d`
    Traverse(Box<Expr>, Vec<Op>),
    /// `f(a, b...)`
    Call(Box<CallExpr>),
    /// `!a`
    Not(Box<Expr>),
    /// `-a`
    Neg(Box<Expr>),
    /// `a + b`
    Binary(Box<(Binary, Expr, Expr)>),
    /// `a ? b : c`
    Cond(Box<(Expr, Expr, Expr)>),
    /// `[for …]`, `{for …}`
    For(Box<ForExpr>),
}

/// A function call.
#[derive(Debug, Clone)]
pub struct CallExpr {
    /// The name, with `provider::x::` when it has one.
    pub name: Arc<str>,
    /// The arguments.
    pub args: Vec<Expr>,
    /// Whether the last argument is a list of arguments (`...`).
    pub spread: bool,
}

/// A for-expression.
#[derive(Debug, Clone)]
pub struct ForExpr {
    /// The name of the key or index, if any.
    pub key_name: Option<Arc<str>>,
    /// The name of the element.
    pub value_name: Arc<str>,
    /// What is looped over.
    pub over: Expr,
    /// The key of the result; present when the result is an object.
    pub key: Option<Expr>,
    /// The value.
    pub value: Expr,
    /// The filter.
    pub filter: Option<Expr>,
    /// Whether values of equal keys are collected (`...`).
    pub group: bool,
}

/// A step of a traversal.
#[derive(Debug, Clone)]
pub enum Op {
    /// `.name`
    Attr(Arc<str>),
    /// `[expr]`, `.0`
    Index(Expr),
    /// `.*`
    AttrSplat(usize),
    /// `[*]`
    FullSplat,
}

/// A piece of a template.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Literal text.
    Text(Arc<str>),
    /// `${expr}`
    Expr(Expr),
    /// `%{if a}…%{else}…%{endif}`
    If(Box<(Expr, Vec<Piece>, Vec<Piece>)>),
    /// `%{for k, v in a}…%{endfor}`
    For(Box<TemplateFor>),
}

/// A loop of a template.
#[derive(Debug, Clone)]
pub struct TemplateFor {
    /// The name of the key or index, if any.
    pub key_name: Option<Arc<str>>,
    /// The name of the element.
    pub value_name: Arc<str>,
    /// What is looped over.
    pub over: Expr,
    /// The pieces repeated.
    pub body: Vec<Piece>,
}

/// Binary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// `||`
    Or,
    /// `&&`
    And,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
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
