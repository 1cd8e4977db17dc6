//! Compiled expressions and what they are evaluated against.

use crate::{
    CompileError, Env, EvalError, Functions, Host, Limits, Type, Val,
    check::Compiler,
    eval::Eval,
    explain::Explain,
    node::{Node, Op},
    parse,
    share::{Shared, share},
    types::Unifier,
};
use plumb_model::{Time, Unknown, Value};
use std::{collections::BTreeSet, sync::Arc};

/// A compiled expression: immutable, shared between threads, evaluated any number of times.
#[derive(Debug)]
pub struct Program {
    /// As written.
    pub(crate) root: Node,
    /// With what can be kept marked, where there is any.
    quick: Option<Node>,
    shared: Vec<Shared>,
    pub(crate) shared_base: u32,
    quick_locals: u32,
    pub(crate) source: Box<str>,
    pub(crate) locals: u32,
    pub(crate) references: References,
    pub(crate) variables: Vec<Variable>,
    limits: Limits,
    result: Type,
}

/// A declared variable, for explanations.
#[derive(Debug)]
pub(crate) struct Variable {
    pub index: u32,
    pub name: String,
    pub part_of: Option<(u32, Arc<str>)>,
}

/// What an expression reads from outside, for planning which calls a rule needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// The resource's own fields: slot and name.
    pub fields: BTreeSet<(u32, String)>,
    /// The variables, by index.
    pub variables: BTreeSet<u32>,
    /// Members read from objects with a named type: `("aws.logs.metric_filter", "pattern")`.
    pub members: BTreeSet<(String, String)>,
    /// Members read by name from values whose type is not known: such a value may be any object.
    pub loose: BTreeSet<String>,
    /// Whether an object may be read by names that are not written out.
    pub whole: bool,
    /// Host functions called, with the literal text they were given: `(id, "all", Some("aws.ec2.flow_log"))`.
    pub calls: BTreeSet<(u16, String, Option<String>)>,
    /// Lookups by equality the host may index: function id, literal argument, member.
    pub indexes: BTreeSet<(u16, Option<String>, String)>,
}

impl References {
    pub(crate) fn field(&mut self, slot: u32, name: &str) {
        self.fields.insert((slot, name.to_owned()));
    }

    pub(crate) fn member(&mut self, of: &str, name: &str) {
        if !of.is_empty() {
            self.members.insert((of.to_owned(), name.to_owned()));
        }
    }

    pub(crate) fn call(&mut self, id: u16, name: &str, literal: Option<String>) {
        self.calls.insert((id, name.trim_start_matches('.').to_owned(), literal));
    }

    pub(crate) fn index(&mut self, id: u16, argument: Option<&Node>, field: &str) {
        let literal = match argument.map(|n| &n.op) {
            Some(Op::Const(Val::Str(text))) => Some(text.to_string()),
            _ => None,
        };
        self.indexes.insert((id, literal, field.to_owned()));
    }
}

/// What an expression is evaluated against.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// The resource's fields by slot; a slot beyond the end is null.
    pub fields: &'a [Value],
    /// Values of the variables, in the order [`Env::var`] returned their indexes.
    pub vars: &'a [Val<'a>],
    /// Answers host functions; without one they are errors.
    pub host: Option<&'a dyn Host>,
    /// The instant to judge at.
    pub now: Time,
    /// Null and absent are one, and harmless: see the crate's documentation.
    pub absent_is_null: bool,
    /// Evaluate as written: no lookups, nothing kept. For comparing.
    pub plain: bool,
}

impl<'a> Frame<'a> {
    /// A resource's fields, judged as rules are: absent members are null.
    pub fn rule(fields: &'a [Value], now: Time) -> Self {
        Self { fields, vars: &[], host: None, now, absent_is_null: true, plain: false }
    }

    /// The same with a host.
    pub fn with_host(self, host: &'a dyn Host) -> Self {
        Self { host: Some(host), ..self }
    }

    /// The same with variables.
    pub fn with_vars(self, vars: &'a [Val<'a>]) -> Self {
        Self { vars, ..self }
    }
}

/// What a condition came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It depends on what is not known: everything that is missing and still matters, without repeats.
    Unknown(Vec<Arc<Unknown>>),
    /// It could not be evaluated.
    Error(EvalError),
}

/// One comparison that decided: where, what was there, what the condition wants.
#[derive(Debug, Clone, PartialEq)]
pub struct CelLeaf {
    /// The place, with macro variables replaced: `ingress[2].cidrs[0]`.
    pub path: Arc<str>,
    /// What was there.
    pub observed: Value,
    /// What would let the whole condition hold, as it would be written: `== 22`, `publicRange() is false`.
    pub expected: Arc<str>,
    /// Whether what was there is what is wanted.
    pub holds: bool,
    /// The resource's own field the path starts at: slot and name.
    pub field: Option<(u32, Arc<str>)>,
    /// The identity of the host's object the path starts at.
    pub object: Option<Arc<str>>,
}

/// Compiles a condition: the result must be a bool (or `dyn`).
pub fn compile(source: &str, env: &Env, functions: &Functions, limits: &Limits) -> Result<Program, CompileError> {
    let program = compile_value(source, env, functions, limits)?;
    if !matches!(program.result, Type::Bool | Type::Dyn) {
        let message = format!("a condition must be a bool; this is {}", program.result);
        return Err(CompileError::new(source, program.root.span, message, None));
    }
    Ok(program)
}

/// Compiles an expression of any type.
pub fn compile_value(source: &str, env: &Env, functions: &Functions, limits: &Limits) -> Result<Program, CompileError> {
    build(source, env, functions, limits, true)
}

/// Compiles without the static check: what it would refuse becomes an error at evaluation.
pub fn compile_unchecked(
    source: &str,
    env: &Env,
    functions: &Functions,
    limits: &Limits,
) -> Result<Program, CompileError> {
    build(source, env, functions, limits, false)
}

fn build(
    source: &str,
    env: &Env,
    functions: &Functions,
    limits: &Limits,
    strict: bool,
) -> Result<Program, CompileError> {
    let ast = parse(source, limits)?;
    let mut compiler = Compiler {
        source,
        env,
        functions,
        strict,
        types: Unifier::default(),
        scope: Vec::new(),
        locals: 0,
        references: References::default(),
    };
    let (root, result) = compiler.expr(&ast.root)?;
    let result = compiler.settled(&result);
    let variables = env.names.iter().filter_map(|(name, declared)| match &declared.place {
        crate::env::Place::Variable { index, part_of } => {
            Some(Variable { index: *index, name: name.clone(), part_of: part_of.clone() })
        }
        _ => None,
    });
    let sharing = share(&root, compiler.locals, &|index| env.variation(index));
    let quick_locals = sharing.as_ref().map_or(compiler.locals, |s| s.locals);
    let (quick, shared) = sharing.map_or((None, Vec::new()), |s| (Some(s.root), s.shared));
    Ok(Program {
        root,
        quick,
        shared,
        shared_base: 0,
        quick_locals,
        source: source.into(),
        locals: compiler.locals,
        references: compiler.references,
        variables: variables.collect(),
        limits: *limits,
        result,
    })
}

impl Program {
    /// The source it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The static type of its result.
    pub fn result_type(&self) -> &Type {
        &self.result
    }

    /// What it reads from outside.
    pub fn references(&self) -> &References {
        &self.references
    }

    /// The value; errors and unknowns are values too.
    pub fn eval<'a>(&'a self, frame: &Frame<'a>) -> Val<'a> {
        let (root, locals) = match &self.quick {
            Some(quick) if !frame.plain => (quick, self.quick_locals),
            _ => (&self.root, self.locals),
        };
        let mut eval = Eval::new(self, frame, &self.limits, locals);
        let value = eval.eval(root);
        eval.finish(value)
    }

    /// How many parts are the same for every resource; [`crate::Host::shared`] may keep their values.
    pub fn shared(&self) -> u32 {
        u32::try_from(self.shared.len()).unwrap_or(u32::MAX)
    }

    /// Gives those parts numbers from `base` on.
    pub fn number_shared(&mut self, base: u32) {
        self.shared_base = base;
    }

    /// Whether such a part differs between places.
    pub fn shared_by_place(&self, part: u32) -> bool {
        self.shared.get(part as usize).is_some_and(|s| s.by_place)
    }

    /// The value of such a part; the frame needs neither fields nor variables, only `vars` that do not vary by resource
    /// count.
    pub fn eval_shared<'a>(&'a self, part: u32, frame: &Frame<'a>, vars: Vec<Val<'a>>) -> Val<'a> {
        let Some(part) = self.shared.get(part as usize) else { return Val::Null };
        let mut eval = Eval::new(self, frame, &self.limits, self.locals);
        eval.set_vars(vars);
        let value = eval.eval(&part.node);
        eval.finish(value)
    }

    /// The value as a condition's.
    pub fn decide(&self, frame: &Frame<'_>) -> Decision {
        self.decision(self.eval(frame), frame.absent_is_null)
    }

    fn decision(&self, value: Val<'_>, absent_is_null: bool) -> Decision {
        match value {
            Val::Bool(true) => Decision::True,
            Val::Bool(false) => Decision::False,
            Val::Null if absent_is_null => Decision::False,
            Val::Unknown(unknowns) => Decision::Unknown(unknowns.list()),
            Val::Error(error) => Decision::Error((*error).clone()),
            other => Decision::Error(EvalError::NoSuchOverload(format!("condition({})", other.type_name()))),
        }
    }

    /// The decision and the leaves that decided it, at most 32. Costs several evaluations: call it for findings,
    /// not for every resource.
    pub fn explain(&self, frame: &Frame<'_>) -> (Decision, Vec<CelLeaf>) {
        let value = self.eval(frame);
        (self.decision(value, frame.absent_is_null), self.leaves(frame))
    }

    /// What made the condition what it is, for who knows its decision.
    pub fn leaves(&self, frame: &Frame<'_>) -> Vec<CelLeaf> {
        Explain::new(self, frame, &self.limits).run(&self.root)
    }
}
