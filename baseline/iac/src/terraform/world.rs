//! One root module being evaluated: its module instances, and what names mean in each.

use super::ast::{Block, Expr, Kind, Op};
use super::config::{Mode, Module, path_text};
use super::eval::{Env, Fault, Res};
use super::installed::Installed;
use super::outlines;
use super::resources::{Instance, Instances, MAX_INSTANCES};
use super::types::{Type, convert, type_name};
use crate::resource::{Call, Provider};
use crate::source::{FileId, Files, Problem, ProblemSeverity, SourceMap, Span};
use crate::value::{Data, Members, Ref, Step, Val, WhyKind};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How much work one root may cost, in evaluated expressions: this, and more for each declaration it has.
const STEPS: u64 = 3_000_000;
/// What each declaration of a module instance may cost.
const STEPS_EACH: u64 = 2_000;
/// How many members one stored value may have, counting shared parts each time.
const MAX_SIZE: usize = 2_000_000;

pub(crate) struct World<'f> {
    pub files: &'f dyn Files,
    pub sources: SourceMap,
    pub problems: Vec<Problem>,
    reported: HashSet<(Span, String)>,
    pub modules: HashMap<Arc<str>, Arc<Module>>,
    /// The texts of outlines.
    pub outlined: HashSet<FileId>,
    pub scopes: Vec<Scope>,
    pub instances: Vec<Instance>,
    pub by_address: HashMap<Arc<str>, usize>,
    pub root: Arc<str>,
    /// Module folders by call path, from `.terraform/modules/modules.json`.
    pub installed: HashMap<String, Installed>,
    /// Versions of providers, from `.terraform.lock.hcl`.
    pub locked: HashMap<Arc<str>, Arc<str>>,
    pub workspace: Option<Arc<str>>,
    pub inputs: HashMap<Arc<str>, Val>,
    pub templates: HashMap<Arc<str>, Result<Arc<Expr>, String>>,
    pub steps: u64,
    /// How many instances the root may have: what it declares itself, one by one, is no expansion.
    pub room: usize,
    pub depth: u32,
    pub too_deep: bool,
}

type Providers = HashMap<(Arc<str>, Arc<str>), Option<Arc<Provider>>>;

/// A module instance.
pub(crate) struct Scope {
    pub module: Arc<Module>,
    /// `module.a["k"].`, or empty for the root.
    pub prefix: Arc<str>,
    /// The names of the calls, `a.b`, as modules.json has them.
    pub path: String,
    pub chain: Arc<[Call]>,
    pub parent: Option<Parent>,
    variables: HashMap<Arc<str>, Slot>,
    locals: HashMap<Arc<str>, Slot>,
    outputs: HashMap<Arc<str>, Slot>,
    pub resources: HashMap<usize, Instances>,
    pub calls: HashMap<usize, Instances>,
    /// Resources as values, all instances together.
    pub wholes: HashMap<usize, Val>,
    /// Provider configurations by name and alias, as far as they were asked for.
    pub providers: Providers,
}

/// Who called a module instance.
pub(crate) struct Parent {
    /// What names mean at the call.
    pub env: Env,
    pub call: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum Slot {
    Busy,
    Done(Res),
}

enum Table {
    Variables,
    Locals,
    Outputs,
}

impl<'f> World<'f> {
    pub(crate) fn new(files: &'f dyn Files) -> Self {
        Self {
            files,
            sources: SourceMap::default(),
            problems: Vec::new(),
            reported: HashSet::new(),
            modules: HashMap::new(),
            outlined: HashSet::new(),
            scopes: Vec::new(),
            instances: Vec::new(),
            by_address: HashMap::new(),
            root: "".into(),
            installed: HashMap::new(),
            locked: HashMap::new(),
            workspace: None,
            inputs: HashMap::new(),
            templates: HashMap::new(),
            steps: STEPS,
            room: MAX_INSTANCES,
            depth: 0,
            too_deep: false,
        }
    }

    /// Forgets the last root and starts with another.
    pub(crate) fn start(
        &mut self,
        root: Arc<str>,
        inputs: HashMap<Arc<str>, Val>,
        installed: HashMap<String, Installed>,
    ) {
        self.scopes.clear();
        self.instances.clear();
        self.by_address.clear();
        self.steps = STEPS;
        self.depth = 0;
        self.root = root.clone();
        self.inputs = inputs;
        self.installed = installed;
        let module = self.module(&root);
        self.room = MAX_INSTANCES + module.resources.len();
        self.grant(&module);
        self.scopes.push(Scope::new(module, "".into(), String::new(), Arc::new([]), None));
    }

    /// Adds the work that the declarations of a module instance may cost. An ended budget stays ended.
    pub(crate) fn grant(&mut self, module: &Module) {
        if self.steps > 0 {
            let declarations = module.resources.len() + module.calls.len() + module.locals.len() + module.outputs.len();
            self.steps = self.steps.saturating_add(declarations as u64 * STEPS_EACH).min(STEPS * 1_000);
        }
    }

    pub(crate) fn report(&mut self, severity: ProblemSeverity, span: Span, message: impl Into<String>) {
        let problem = self.sources.problem(severity, message, span);
        self.report_problem(problem);
    }

    pub(crate) fn report_problem(&mut self, problem: Problem) {
        if self.problems.len() < 10_000 && self.reported.insert((problem.span, problem.message.clone())) {
            self.problems.push(problem);
        }
    }

    /// The value, or an unknown that tells the error, which is reported once.
    pub(crate) fn settle(&mut self, result: Res, span: Span) -> Val {
        match result {
            Ok(val) => val,
            Err(fault) => {
                let problem = self.sources.problem(ProblemSeverity::Error, fault.message(), fault.span());
                self.report_problem(Problem { hides: false, ..problem });
                let expr = self.source_text(span);
                Val::unknown(WhyKind::Error, expr, fault.message(), span)
            }
        }
    }

    pub(crate) fn scope_module(&self, scope: usize) -> Arc<Module> {
        self.scopes.get(scope).map(|s| s.module.clone()).unwrap_or_default()
    }

    fn table(&mut self, scope: usize, table: &Table) -> Option<&mut HashMap<Arc<str>, Slot>> {
        let scope = self.scopes.get_mut(scope)?;
        Some(match table {
            Table::Variables => &mut scope.variables,
            Table::Locals => &mut scope.locals,
            Table::Outputs => &mut scope.outputs,
        })
    }

    /// The stored value of a name, or what `compute` gives for it.
    fn stored(
        &mut self,
        scope: usize,
        table: Table,
        name: &Arc<str>,
        span: Span,
        compute: impl FnOnce(&mut Self) -> Res,
    ) -> Res {
        match self.table(scope, &table).and_then(|t| t.get(name)) {
            Some(Slot::Done(result)) => return result.clone(),
            Some(Slot::Busy) => return Err(Fault::new(span, format!("`{name}` depends on itself"))),
            None => {}
        }
        if let Some(t) = self.table(scope, &table) {
            t.insert(name.clone(), Slot::Busy);
        }
        let result = compute(self).and_then(|val| self.bounded(val, span));
        let keep = !self.too_deep;
        if let Some(t) = self.table(scope, &table) {
            if keep {
                t.insert(name.clone(), Slot::Done(result.clone()));
            } else {
                t.remove(name);
            }
        }
        result
    }

    /// Refuses values that would take for ever to walk (text and lists that double in every step).
    pub(crate) fn bounded(&self, val: Val, span: Span) -> Res {
        let mut left = MAX_SIZE;
        count(&val, &mut left);
        if left == 0 { Err(Fault::new(span, "the value is too large")) } else { Ok(val) }
    }

    /// Counts the work of looking at every part of a value.
    pub(crate) fn spend_on(&mut self, val: &Val, span: Span) -> Result<(), Fault> {
        let mut left = MAX_SIZE;
        count(val, &mut left);
        self.spend((MAX_SIZE - left) / 8, span)
    }

    /// The value of a name and the traversal after it.
    pub(crate) fn eval_name_at(&mut self, env: &mut Env, base: &Expr, ops: &[Op], span: Span) -> Res {
        let Kind::Name(name) = &base.kind else { return Err(Fault::new(span, "a name was expected")) };
        if let Some((_, val)) = env.names.iter().rev().find(|(n, _)| n == name) {
            let val = val.clone();
            let val = self.apply(env, val, ops, span)?;
            return Ok(if ops.is_empty() { val } else { val.through(Step::Each(name.clone()), span) });
        }
        if env.closed {
            return Err(Fault::new(span, format!("the template has no variable `{name}`")));
        }
        let first = match ops.first() {
            Some(Op::Attr(first)) => first,
            _ => return Err(Fault::new(span, unclear(name))),
        };
        let rest = ops.get(1..).unwrap_or(&[]);
        match &**name {
            "var" => {
                let val = self.variable(env.scope, first, span)?;
                Ok(self.apply(env, val, rest, span)?.through(Step::Variable(first.clone()), span))
            }
            "local" => {
                let val = self.local(env.scope, first, span)?;
                Ok(self.apply(env, val, rest, span)?.through(Step::Local(first.clone()), span))
            }
            "each" => {
                let Some((key, value)) = env.each.clone() else {
                    return Err(Fault::new(span, "`each` is known only where `for_each` is set"));
                };
                let val = if &**first == "key" { key } else { value };
                Ok(self.apply(env, val, rest, span)?.through(Step::Each(format!("each.{first}").into()), span))
            }
            "count" => match &env.count {
                Some(index) => Ok(Val { span, ..index.clone() }),
                None => Err(Fault::new(span, "`count.index` is known only where `count` is set")),
            },
            "self" => match env.this.clone() {
                Some(this) => self.apply(env, this, ops, span),
                None => Ok(Val::unknown(WhyKind::Apply, self.source_text(span), "known when the block runs", span)),
            },
            "path" => self.path(env.scope, first, span),
            "terraform" => Ok(match &self.workspace {
                Some(workspace) if matches!(&**first, "workspace" | "env") => Val::str(workspace.clone(), span),
                _ => Val::unknown(WhyKind::Input, "terraform.workspace", "the workspace is not given", span),
            }),
            "module" => self.module_value(env, first, rest, span),
            "data" | "ephemeral" => {
                let mode = if &**name == "data" { Mode::Data } else { Mode::Ephemeral };
                let Some(Op::Attr(second)) = rest.first() else { return Err(Fault::new(span, unclear(name))) };
                let whole = self.resource_value(env.scope, mode, first, second, span)?;
                self.resource_traversal(env, whole, rest.get(1..).unwrap_or(&[]), span)
            }
            // `resource.aws_s3_bucket.logs` is the long way of writing `aws_s3_bucket.logs`.
            "resource" if matches!(rest.first(), Some(Op::Attr(_))) => {
                let Some(Op::Attr(second)) = rest.first() else { return Err(Fault::new(span, unclear(name))) };
                let whole = self.resource_value(env.scope, Mode::Managed, first, second, span)?;
                self.resource_traversal(env, whole, rest.get(1..).unwrap_or(&[]), span)
            }
            _ if !name.contains('_') && !self.scope_module(env.scope).resources.iter().any(|d| d.type_ == *name) => {
                Err(Fault::new(span, unclear(name)))
            }
            _ => {
                let whole = self.resource_value(env.scope, Mode::Managed, name, first, span)?;
                self.resource_traversal(env, whole, rest, span)
            }
        }
    }

    /// A name that stands alone.
    pub(crate) fn eval_name(&mut self, env: &mut Env, expr: &Expr, ops: &[Op]) -> Res {
        self.eval_name_at(env, expr, ops, expr.span)
    }

    fn resource_traversal(&mut self, env: &mut Env, whole: Val, ops: &[Op], span: Span) -> Res {
        let address = if let Data::Ref(r) = &whole.data { Some(r.address.clone()) } else { None };
        let val = self.apply(env, whole, ops, span)?;
        if val.edge().is_some() {
            return Ok(Val { span, ..val });
        }
        let Some(address) = address else { return Ok(val) };
        let path: Vec<&str> = ops.iter().map_while(|o| if let Op::Attr(a) = o { Some(&**a) } else { None }).collect();
        let path = path.join(".").into();
        Ok(val.through(Step::Resource(Ref { address, path }), span))
    }

    fn path(&mut self, scope: usize, name: &str, span: Span) -> Res {
        Ok(match name {
            "module" => {
                let dir = self.scope_module(scope).dir.clone();
                Val::str(relative(&self.root, &dir), span)
            }
            "root" => Val::str(".", span),
            // An absolute path of the machine that runs it; file functions know it as the root's folder.
            "cwd" => Val::unknown(WhyKind::Apply, "path.cwd", "the folder Terraform runs in", span),
            _ => return Err(Fault::new(span, "`path` has module, root and cwd")),
        })
    }

    /// `var.name`
    pub(crate) fn variable(&mut self, scope: usize, name: &Arc<str>, span: Span) -> Res {
        let module = self.scope_module(scope);
        let Some(block) = module.variables.get(name) else {
            return Err(Fault::new(span, format!("there is no variable `{name}` in this module")));
        };
        self.stored(scope, Table::Variables, name, span, |world| world.compute_variable(scope, name, block))
    }

    /// What a module gives that its outline does not say.
    fn beyond_outline(&self, module: &Module, span: Span) -> Val {
        let address = module.outlined().unwrap_or_default();
        let detail = format!(
            "the module `{address}` is not on disk and its outline does not say this; run `terraform init` before the scan"
        );
        Val::unknown(WhyKind::Module, format!("module `{address}`"), detail, span)
    }

    fn compute_variable(&mut self, scope: usize, name: &Arc<str>, block: &Block) -> Res {
        let module = self.scope_module(scope);
        let mut own = Env { scope, ..Env::default() };
        let flag = |attr: &str| matches!(block.body.attr(attr).map(|e| &e.kind), Some(Kind::Bool(true)));
        let nullable = !matches!(block.body.attr("nullable").map(|e| &e.kind), Some(Kind::Bool(false)));
        let call = self.scopes.get(scope).and_then(|s| s.parent.as_ref()).map(|p| (p.env.clone(), p.call));
        let given = match call {
            Some(_) if &**name == "part" && module.outlined().is_some() => {
                Some(Val::str(module.outlined_part(), block.header))
            }
            Some((env, call)) if &**name == "version" && module.outlined().is_some() => {
                let caller = self.scope_module(env.scope);
                let says = caller.calls.get(call).is_some_and(|b| b.body.attr("version").is_some());
                if caller.outlined().is_some() && !says {
                    // A module and its parts are of one version.
                    return self.variable(env.scope, name, block.header);
                }
                let text = |attr| match caller.calls.get(call).and_then(|b| b.body.attr(attr)).map(|e| &e.kind) {
                    Some(Kind::Str(text)) => Some(text.clone()),
                    _ => None,
                };
                let newest = outlines::newest(text("version").as_deref(), &text("source").unwrap_or_default());
                Some(Val::int(newest, block.header))
            }
            Some((mut env, call)) => {
                let caller = self.scope_module(env.scope);
                match caller.calls.get(call).and_then(|b| b.body.attr(name)) {
                    Some(expr) => Some(self.eval(&mut env, expr)?),
                    None => None,
                }
            }
            None => self.inputs.get(name).cloned(),
        };
        let given = given.filter(|v| nullable || !v.is_null());
        let val = match (given, block.body.attr("default")) {
            (Some(val), _) => val,
            (None, Some(default)) => self.eval(&mut own, default)?,
            (None, None) if module.outlined().is_some() => self.beyond_outline(&module, block.header),
            (None, None) => {
                let detail = format!("variable `{name}` has no default and no value was given");
                Val::unknown(WhyKind::Input, format!("var.{name}"), detail, block.header)
            }
        };
        let type_ = block.body.attr("type").map_or(Type::Any, Type::of);
        let mut val = self.convert(&mut own, &val, &type_).map_err(|message| {
            Fault::new(val.span, format!("the value of variable `{name}` does not fit its type: {message}"))
        })?;
        val.sensitive |= flag("sensitive");
        Ok(val)
    }

    pub(crate) fn convert(&mut self, env: &mut Env, val: &Val, type_: &Type) -> Result<Val, String> {
        convert(val, type_, &mut |expr| {
            let result = self.eval(env, expr);
            self.settle(result, expr.span)
        })
    }

    fn local(&mut self, scope: usize, name: &Arc<str>, span: Span) -> Res {
        let module = self.scope_module(scope);
        let Some(expr) = module.locals.get(name) else {
            return Err(Fault::new(span, format!("there is no local `{name}` in this module")));
        };
        self.stored(scope, Table::Locals, name, span, |world| world.eval(&mut Env { scope, ..Env::default() }, expr))
    }

    /// An output of a module instance.
    pub(crate) fn output(&mut self, scope: usize, name: &Arc<str>, span: Span) -> Res {
        let module = self.scope_module(scope);
        let Some(block) = module.outputs.get(name) else {
            if module.outlined().is_some() {
                return Ok(self.beyond_outline(&module, span));
            }
            return Err(Fault::new(span, format!("the module has no output `{name}`")));
        };
        self.stored(scope, Table::Outputs, name, span, |world| {
            let Some(expr) = block.body.attr("value") else { return Ok(Val::null(block.header)) };
            let mut val = world.eval(&mut Env { scope, ..Env::default() }, expr)?;
            val.sensitive |= matches!(block.body.attr("sensitive").map(|e| &e.kind), Some(Kind::Bool(true)));
            Ok(val)
        })
    }

    /// `module.name…`
    fn module_value(&mut self, env: &mut Env, name: &Arc<str>, ops: &[Op], span: Span) -> Res {
        let module = self.scope_module(env.scope);
        let Some(call) = module.call_index.get(name) else {
            return Err(Fault::new(span, format!("there is no module call `{name}` in this module")));
        };
        let instances = self.call_instances(env.scope, *call, span)?;
        let mut rest = ops;
        let picked = match (&instances, ops.first()) {
            (Instances::Missing(source), _) => {
                let detail = format!("the module `{source}` is not on disk; run `terraform init` before the scan");
                return Ok(Val::unknown(WhyKind::Module, self.source_text(span), detail, span));
            }
            (Instances::One(child), _) => Some(*child),
            (Instances::Any(child), Some(Op::Index(_) | Op::FullSplat | Op::AttrSplat(_))) => {
                rest = ops.get(1..).unwrap_or(&[]);
                if !matches!(ops.first(), Some(Op::Index(_))) {
                    let val = self.pick_output(env, *child, rest, name, span)?;
                    return Ok(if val.is_known() { self.unknown_of(&[self.repeat(span)], span) } else { val });
                }
                Some(*child)
            }
            (Instances::Any(child), _) => Some(*child),
            (Instances::Count(children), Some(Op::Index(index))) => {
                let index = self.eval(env, index)?;
                rest = ops.get(1..).unwrap_or(&[]);
                let number = index.as_int().and_then(|i| usize::try_from(i).ok());
                match (number, index.is_unknown()) {
                    (_, true) => return Ok(self.unknown_of(&[index], span)),
                    (Some(i), _) if i < children.len() => children.get(i).copied(),
                    _ => return Err(Fault::new(span, format!("module `{name}` has {} instances", children.len()))),
                }
            }
            (Instances::Keys(children), Some(Op::Index(index))) => {
                let index = self.eval(env, index)?;
                rest = ops.get(1..).unwrap_or(&[]);
                if index.is_unknown() {
                    return Ok(self.unknown_of(&[index], span));
                }
                let found = index.as_str().and_then(|k| children.get(k)).copied();
                match found {
                    Some(child) => Some(child),
                    None => {
                        return Err(Fault::new(span, format!("module `{name}` has no instance {}", index.describe())));
                    }
                }
            }
            _ => None,
        };
        if let Some(child) = picked {
            return self.pick_output(env, child, rest, name, span);
        }
        let whole = match instances {
            Instances::Count(children) => {
                let all = children.iter().map(|c| self.all_outputs(*c, span)).collect::<Result<Vec<_>, _>>()?;
                Val::list(all, span)
            }
            Instances::Keys(children) => {
                let mut members = Members::new();
                for (key, child) in children.iter() {
                    members.insert(key.clone(), self.all_outputs(*child, span)?);
                }
                Val::map(members, span)
            }
            _ => return Err(Fault::new(span, format!("module `{name}` cannot be evaluated"))),
        };
        self.apply(env, whole, rest, span)
    }

    fn pick_output(&mut self, env: &mut Env, child: usize, ops: &[Op], call: &str, span: Span) -> Res {
        let Some((Op::Attr(output), rest)) = ops.split_first() else {
            let all = self.all_outputs(child, span)?;
            return self.apply(env, all, ops, span);
        };
        let val = self.output(child, output, span)?;
        let step = Step::Output(format!("module.{call}.{output}").into());
        Ok(self.apply(env, val, rest, span)?.through(step, span))
    }

    fn all_outputs(&mut self, scope: usize, span: Span) -> Res {
        let module = self.scope_module(scope);
        let mut members = Members::new();
        for name in module.outputs.keys() {
            let val = self.output(scope, name, span);
            let val = self.settle(val, span);
            members.insert(name.clone(), val.through(Step::Output(name.clone()), span));
        }
        Ok(Val::map(members, span))
    }

    /// The unknown that stands for a number of instances.
    pub(crate) fn repeat(&self, span: Span) -> Val {
        Val::unknown(WhyKind::Repeat, self.source_text(span), "the number of instances is not known before apply", span)
    }

    /// The version of a provider: the locked one, else what the root asks for, else what the module does.
    pub(crate) fn provider_version(&self, scope: usize, name: &str) -> Arc<str> {
        let asked = |scope: usize| self.scopes.get(scope).and_then(|s| s.module.required.get(name));
        self.locked.get(name).or_else(|| asked(0)).or_else(|| asked(scope)).cloned().unwrap_or_default()
    }

    /// The provider configuration a resource uses.
    pub(crate) fn provider(
        &mut self,
        scope: usize,
        name: &Arc<str>,
        alias: &Arc<str>,
        depth: u32,
    ) -> Option<Arc<Provider>> {
        let key = (name.clone(), alias.clone());
        if let Some(found) = self.scopes.get(scope)?.providers.get(&key) {
            return found.clone();
        }
        let module = self.scope_module(scope);
        let found = if let Some(block) = module.providers.get(&key) {
            let mut env = Env { scope, ..Env::default() };
            let members = self.eval_body(&mut env, &block.body, &["alias", "version"]);
            let config = Val::map(members, block.span);
            let version = self.provider_version(scope, name);
            Some(Arc::new(Provider { name: name.clone(), alias: alias.clone(), config, version }))
        } else if depth < 64 {
            let parent = self.scopes.get(scope)?.parent.as_ref().map(|p| (p.env.scope, p.call));
            parent.and_then(|(caller, call)| {
                let caller_module = self.scope_module(caller);
                let passed = caller_module.calls.get(call).and_then(|b| b.body.attr("providers"));
                let wanted = if alias.is_empty() { name.to_string() } else { format!("{name}.{alias}") };
                let mapped = match passed.map(|e| &e.kind) {
                    Some(Kind::Object(items)) => items
                        .iter()
                        .find_map(|(k, v)| if path_text(k).as_deref() == Some(&wanted) { path_text(v) } else { None }),
                    _ => None,
                };
                match mapped {
                    Some(text) => {
                        let (name, alias) = text.split_once('.').unwrap_or((&text, ""));
                        self.provider(caller, &name.into(), &alias.into(), depth + 1)
                    }
                    None if alias.is_empty() => self.provider(caller, name, alias, depth + 1),
                    None => None,
                }
            })
        } else {
            None
        };
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.providers.insert(key, found.clone());
        }
        found
    }
}

impl Scope {
    pub(crate) fn new(
        module: Arc<Module>,
        prefix: Arc<str>,
        path: String,
        chain: Arc<[Call]>,
        parent: Option<Parent>,
    ) -> Self {
        Self {
            module,
            prefix,
            path,
            chain,
            parent,
            variables: HashMap::new(),
            locals: HashMap::new(),
            outputs: HashMap::new(),
            resources: HashMap::new(),
            calls: HashMap::new(),
            wholes: HashMap::new(),
            providers: HashMap::new(),
        }
    }
}

fn unclear(name: &str) -> String {
    match name {
        "var" | "local" | "module" | "data" | "path" | "each" | "count" => format!("`{name}` needs a name after a dot"),
        _ => format!("there is nothing called `{name}` here; text is written in double quotes"),
    }
}

fn count(val: &Val, left: &mut usize) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    match &val.data {
        Data::List(items) | Data::Set(items) => items.iter().for_each(|v| count(v, left)),
        Data::Map(members) => members.values().for_each(|v| count(v, left)),
        Data::Doc(doc) => count(&doc.value, left),
        Data::Str(text) => *left = left.saturating_sub(text.len() / 64),
        _ => {}
    }
}

/// The way from one folder to another, as Terraform writes `path.module`.
fn relative(from: &str, to: &str) -> String {
    if from == to {
        return ".".to_owned();
    }
    let from: Vec<&str> = from.split('/').filter(|s| !s.is_empty()).collect();
    let to: Vec<&str> = to.split('/').filter(|s| !s.is_empty()).collect();
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut steps = vec![".."; from.len() - common];
    steps.extend(to.iter().skip(common));
    steps.join("/")
}

/// What a repeat needs to be: see [`type_name`] for what was found.
pub(crate) fn repeat_fault(val: &Val, span: Span, attr: &str) -> Fault {
    let wanted = if attr == "count" { "a whole number" } else { "a map or a set of texts" };
    Fault::new(span, format!("`{attr}` needs {wanted}, found {}", type_name(val)))
}
