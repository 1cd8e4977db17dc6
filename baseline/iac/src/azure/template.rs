//! What a Bicep file and an ARM template both are: parameters, variables, declarations, outputs.

use super::expr::Expr;
use crate::notes::Note;
use crate::resource::Dialect;
use crate::source::FileId;
use std::rc::Rc;
use std::sync::Arc;

/// A parsed template.
#[derive(Debug)]
pub(crate) struct Template {
    /// Its file.
    pub file: FileId,
    /// The path of the file.
    pub path: Arc<str>,
    /// The folder of the file.
    pub folder: String,
    /// Which language it was written in.
    pub dialect: Dialect,
    pub params: Vec<Param>,
    pub vars: Vec<Var>,
    pub decls: Vec<Decl>,
    pub outputs: Vec<Var>,
    pub functions: Vec<Func>,
    pub types: Vec<TypeDecl>,
    pub imports: Vec<Import>,
    /// `using`/`extends` of a parameter file.
    pub using: Option<(Rc<str>, u32, u32)>,
    /// Comments that ask to skip rules.
    pub notes: Vec<Note>,
    /// `targetScope`, or what the schema says; empty for a resource group.
    pub scope: Option<Rc<str>>,
}

/// A parameter, and in a parameter file an argument.
#[derive(Debug)]
pub(crate) struct Param {
    pub name: Rc<str>,
    pub start: u32,
    pub end: u32,
    pub type_: Type,
    pub default: Option<Expr>,
    pub allowed: Option<Expr>,
    pub secure: bool,
}

/// A named expression: a variable or an output.
#[derive(Debug)]
pub(crate) struct Var {
    pub name: Rc<str>,
    pub value: Expr,
    pub secure: bool,
    /// Whether the output is made at all.
    pub condition: Option<Expr>,
}

/// A user-defined function.
#[derive(Debug)]
pub(crate) struct Func {
    /// `namespace.name` in ARM.
    pub name: Rc<str>,
    pub params: Vec<Rc<str>>,
    pub body: Expr,
}

/// A user-defined type.
#[derive(Debug)]
pub(crate) struct TypeDecl {
    pub name: Rc<str>,
    pub type_: Type,
    pub secure: bool,
}

/// As much of a type as decides values.
#[derive(Debug, Clone)]
pub(crate) enum Type {
    /// A named type, `string` or a user's.
    Name(Rc<str>),
    /// One literal value: the parameter cannot have another.
    Literal(Expr),
    /// `T?`
    Nullable(Box<Type>),
    /// Anything else.
    Other,
}

/// What a file takes from another one.
#[derive(Debug)]
pub(crate) struct Import {
    pub path: Rc<str>,
    pub start: u32,
    pub end: u32,
    /// `*` as this name.
    pub all: Option<Rc<str>>,
    /// `name as alias`
    pub names: Vec<(Rc<str>, Rc<str>)>,
}

/// A resource or module declaration.
#[derive(Debug)]
pub(crate) struct Decl {
    /// The symbolic name, where it has one.
    pub symbol: Option<Rc<str>>,
    pub what: What,
    pub existing: bool,
    pub over: Option<Over>,
    pub condition: Option<Expr>,
    /// The object.
    pub body: Expr,
    pub children: Vec<Decl>,
    pub start: u32,
    pub end: u32,
    pub header_end: u32,
    pub following: Option<u32>,
    /// Skips in the metadata.
    pub skips: Vec<crate::resource::Skip>,
}

/// What a declaration makes.
#[derive(Debug)]
pub(crate) enum What {
    /// A resource of this type and API version.
    Resource { type_: Rc<str>, api: Rc<str> },
    /// A module at this path.
    Module { path: Rc<str> },
    /// A deployment whose template is another file.
    Linked,
    /// A deployment with its template inside: in its own scope, or in the scope around it.
    Inline { template: Rc<Template>, inner: bool },
}

/// The loop of a declaration.
#[derive(Debug)]
pub(crate) struct Over {
    pub item: Option<Rc<str>>,
    pub index: Option<Rc<str>>,
    pub copy: Option<Rc<str>>,
    pub list: Expr,
}
