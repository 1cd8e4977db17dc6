//! The rule language: CEL, three-valued, recording the leaves that decided.
//!
//! [CEL](https://cel.dev) is compiled by our own parser, checker and evaluator, so that a rule page
//!
//! - never handles missing data by hand: a [`plumb_model::Value::Unknown`] propagates by CEL's rules for errors
//!   (`false && unknown` is false), and the [`Decision`] carries every unknown that still matters;
//! - explains itself: [`Program::explain`] names the leaves that decided, with the path in the document, what was
//!   observed and what the rule wants;
//! - cannot hang or exhaust a scan: [`Limits`] bound depth, size and steps;
//! - is cheap: documents are read in place, names are resolved to slots, a typical rule takes well below 1 µs.
//!
//! The language is described for authors in the crate's `README.md`.
//!
//! ```
//! use plumb_cel::{compile, Decision, Env, Frame, Functions, Limits, Type};
//! use plumb_model::{Time, Value};
//!
//! let mut env = Env::new();
//! let rule = Type::object("", [("cidrs", Type::list(Type::String)), ("from_port", Type::Int), ("to_port", Type::Int)]);
//! env.field("ingress", Type::list(rule), 0);
//! let source = r#"!ingress.exists(r, r.cidrs.exists(c, c == "0.0.0.0/0") && r.from_port <= 22 && r.to_port >= 22)"#;
//! let program = compile(source, &env, &Functions::standard(), &Limits::default())?;
//!
//! let open = Value::map([
//!     ("cidrs", Value::list([Value::str("0.0.0.0/0")])),
//!     ("from_port", Value::Int(22)),
//!     ("to_port", Value::Int(22)),
//! ]);
//! let fields = [Value::list([open])];
//! let (decision, leaves) = program.explain(&Frame::rule(&fields, Time::from_seconds(0)));
//! assert_eq!(decision, Decision::False);
//! let told: Vec<String> = leaves.iter().map(|l| format!("{} {}", l.path, l.expected)).collect();
//! assert_eq!(told, [r#"ingress[0].cidrs[0] != "0.0.0.0/0""#, "ingress[0].from_port > 22", "ingress[0].to_port < 22"]);
//! # Ok::<(), plumb_cel::CompileError>(())
//! ```
//!
//! # Null and absent in rules
//!
//! With [`Frame::absent_is_null`] (rules, not CEL's conformance) an absent member of a map is null, a member of null
//! is null, comprehensions over null go over nothing, `size(null)` is 0, `x in null` is false, and null as a condition
//! is false. `==` and `!=` compare null as CEL does; ordering, arithmetic and other functions of null are errors.

mod ast;
mod check;
mod check_macros;
mod compared;
mod cover;
mod env;
mod error;
mod eval;
mod eval_macros;
mod explain;
mod functions;
mod lexer;
mod limits;
mod node;
mod ops;
mod parser;
mod program;
mod share;
mod types;
mod value;

pub use ast::Ast;
pub use compared::{Compared, Origin};
pub use env::{Env, Function, Functions, OfEnds, ResultOf, SignatureError, Varies};
pub use error::{CompileError, EvalError};
pub use eval::Context;
pub use limits::Limits;
pub use parser::parse;
pub use program::{CelLeaf, Decision, Frame, Program, References, compile, compile_unchecked, compile_value};
pub use types::{ObjectType, Type};
pub use value::{Cidr, Host, Key, List, MapVal, Object, Objects, Str, Unknowns, Val};
