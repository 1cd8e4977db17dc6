//! Resources and module calls: how often each is there, and its attributes.

use super::ast::{Block, Body, Kind};
use super::config::{Declaration, Mode, Module, path_text};
use super::data::{LIVES, POLICIES, PROVIDERS};
use super::eval::{Env, Fault, Res};
use super::outlines;
use super::types;
use super::world::{Parent, Scope, Slot, World, repeat_fault};
use crate::resource::{Call, Code, Dialect, Key};
use crate::source::{Problem, ProblemSeverity, Span, join};
use crate::value::{Data, Members, Ref, Step, Val, WhyKind};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// How many instances one `count` or `for_each` may give.
const MAX_REPEAT: usize = 20_000;
/// How many instances one root may have beside what it declares itself.
pub(super) const MAX_INSTANCES: usize = 400_000;
/// How deep modules may call modules.
const MAX_MODULES: usize = 40;

/// What is said about a resource, not part of it.
const META: [&str; 7] = ["count", "for_each", "provider", "depends_on", "lifecycle", "provisioner", "connection"];

/// One instance of a resource block.
#[derive(Debug)]
pub(crate) struct Instance {
    pub env: Env,
    pub declaration: usize,
    pub key: Key,
    pub address: Arc<str>,
    attrs: HashMap<Arc<str>, Slot>,
}

/// The instances of a resource block or module call; numbers index the world's instances or scopes.
#[derive(Debug, Clone)]
pub(crate) enum Instances {
    Busy,
    Failed(Fault),
    One(usize),
    Count(Arc<Vec<usize>>),
    Keys(Arc<BTreeMap<Arc<str>, usize>>),
    Any(usize),
    /// A module that is not on disk, by its source.
    Missing(Arc<str>),
}

impl Instances {
    fn all(&self) -> Vec<usize> {
        match self {
            Self::One(i) | Self::Any(i) => vec![*i],
            Self::Count(all) => all.to_vec(),
            Self::Keys(all) => all.values().copied().collect(),
            Self::Busy | Self::Failed(_) | Self::Missing(_) => Vec::new(),
        }
    }
}

/// One instance to be: its key, and what `each` and `count` mean in it.
type Planned = (Key, Option<(Val, Val)>, Option<Val>);

impl World<'_> {
    fn plan(&mut self, scope: usize, body: &Body) -> Result<Vec<Planned>, Fault> {
        self.plan_in(&mut Env { scope, ..Env::default() }, body)
    }

    fn plan_in(&mut self, env: &mut Env, body: &Body) -> Result<Vec<Planned>, Fault> {
        if let Some(expr) = body.attr("count") {
            let val = self.eval(env, expr)?;
            if val.is_unknown() {
                let index =
                    Val::unknown(WhyKind::Repeat, "count.index", "the count is not known before apply", expr.span);
                return Ok(vec![(Key::Any, None, Some(index))]);
            }
            let number = types::to_number(&val).and_then(|n| n.as_int()).and_then(|n| usize::try_from(n).ok());
            let Some(number) = number else { return Err(repeat_fault(&val, expr.span, "count")) };
            if number > MAX_REPEAT {
                return Err(Fault::new(expr.span, format!("`count` is {number}; more than {MAX_REPEAT} are not read")));
            }
            return Ok((0..number)
                .map(|i| (Key::Index(i as u64), None, Some(Val::int(i as i64, expr.span))))
                .collect());
        }
        let Some(expr) = body.attr("for_each") else { return Ok(vec![(Key::None, None, None)]) };
        let val = self.eval(env, expr)?;
        let any = || {
            let why = |e: &str| Val::unknown(WhyKind::Repeat, e, "the keys are not known before apply", expr.span);
            vec![(Key::Any, Some((why("each.key"), why("each.value"))), None)]
        };
        let pairs: Vec<(Arc<str>, Val)> = match &val.data {
            Data::Unknown(_) | Data::Ref(_) => return Ok(any()),
            Data::Map(members) => members.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            Data::Set(items) => {
                if items.iter().any(|v| v.as_str().is_none() && v.is_unknown()) {
                    return Ok(any());
                }
                let texts = items.iter().map(|v| v.as_str().map(|s| (Arc::from(s), v.clone())));
                texts.collect::<Option<_>>().ok_or_else(|| repeat_fault(&val, expr.span, "for_each"))?
            }
            _ => return Err(repeat_fault(&val, expr.span, "for_each")),
        };
        if pairs.len() > MAX_REPEAT {
            return Err(Fault::new(expr.span, format!("more than {MAX_REPEAT} instances are not read")));
        }
        Ok(pairs.into_iter().map(|(k, v)| (Key::Name(k.clone()), Some((Val::str(k, expr.span), v)), None)).collect())
    }

    /// The instances of a resource block, made at the first question.
    pub(crate) fn resource_instances(
        &mut self,
        scope: usize,
        declaration: usize,
        span: Span,
    ) -> Result<Instances, Fault> {
        let module = self.scope_module(scope);
        let Some(decl) = module.resources.get(declaration) else { return Err(Fault::new(span, "no such resource")) };
        match self.scopes.get(scope).and_then(|s| s.resources.get(&declaration)) {
            Some(Instances::Busy) => {
                return Err(Fault::new(
                    span,
                    format!("the count or keys of `{}.{}` depend on themselves", decl.type_, decl.name),
                ));
            }
            Some(Instances::Failed(fault)) => return Err(fault.clone()),
            Some(known) => return Ok(known.clone()),
            None => {}
        }
        self.remember(scope, declaration, Instances::Busy, true);
        let planned = self.plan(scope, &decl.block.body);
        let made = match planned {
            Err(fault) => Instances::Failed(fault),
            Ok(planned) => {
                let prefix = self.scopes.get(scope).map(|s| s.prefix.clone()).unwrap_or_default();
                let made = planned.into_iter().map(|(key, each, count)| {
                    let address: Arc<str> =
                        format!("{prefix}{}{}.{}{key}", decl.mode.prefix(), decl.type_, decl.name).into();
                    let id = self.instances.len();
                    let env = Env { scope, each, count, ..Env::default() };
                    self.by_address.insert(address.clone(), id);
                    self.instances.push(Instance {
                        env,
                        declaration,
                        key: key.clone(),
                        address,
                        attrs: HashMap::new(),
                    });
                    (key, id)
                });
                group(made, decl.block.body.attr("count").is_some())
            }
        };
        if self.instances.len() > self.room {
            self.steps = 0;
        }
        self.remember(scope, declaration, made.clone(), true);
        if let Instances::Failed(fault) = made { Err(fault) } else { Ok(made) }
    }

    fn remember(&mut self, scope: usize, at: usize, instances: Instances, resource: bool) {
        if let Some(scope) = self.scopes.get_mut(scope) {
            let table = if resource { &mut scope.resources } else { &mut scope.calls };
            table.insert(at, instances);
        }
    }

    /// The instances of a module call, made at the first question.
    pub(crate) fn call_instances(&mut self, scope: usize, call: usize, span: Span) -> Result<Instances, Fault> {
        let module = self.scope_module(scope);
        let Some(block) = module.calls.get(call) else { return Err(Fault::new(span, "no such module call")) };
        match self.scopes.get(scope).and_then(|s| s.calls.get(&call)) {
            Some(Instances::Busy) => {
                return Err(Fault::new(span, "the count or keys of this module depend on themselves"));
            }
            Some(Instances::Failed(fault)) => return Err(fault.clone()),
            Some(known) => return Ok(known.clone()),
            None => {}
        }
        self.remember(scope, call, Instances::Busy, false);
        let made = match self.make_call(scope, call, block) {
            Ok(made) => made,
            Err(fault) => Instances::Failed(fault),
        };
        self.remember(scope, call, made.clone(), false);
        if let Instances::Failed(fault) = made { Err(fault) } else { Ok(made) }
    }

    fn make_call(&mut self, scope: usize, call: usize, block: &Block) -> Result<Instances, Fault> {
        let name = block.labels.first().cloned().unwrap_or_default();
        let (prefix, path, chain, dir) = match self.scopes.get(scope) {
            Some(s) => (s.prefix.clone(), s.path.clone(), s.chain.clone(), s.module.dir.clone()),
            None => return Err(Fault::new(block.header, "no such module")),
        };
        let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        let source = Module::source(block).unwrap_or_else(|| "?".into());
        let planned = self.plan(scope, &block.body)?;
        if planned.is_empty() {
            return Ok(Instances::Count(Arc::default()));
        }
        let version = Module::version(block);
        let target = match self.module_folder(&dir, &path, &source, version.as_deref()) {
            Some(target) => target,
            None => {
                let outline = outlines::folder(&source);
                let known = match outline {
                    Some(_) => "it is judged by what it is known to make of its inputs",
                    None => "what it declares is not known",
                };
                let other = self.installed.get(&path).and_then(|there| there.instead_of(&source, version.as_deref()));
                let other = other.map(|other| format!(" (`{other}` is)")).unwrap_or_default();
                let asked =
                    version.as_deref().filter(|_| !other.is_empty()).map(|v| format!(" {v}")).unwrap_or_default();
                let local = source.starts_with('.');
                let hint = match local.then(|| join(&dir, &source)) {
                    Some(None) => "it lies outside of what is read: check a folder that holds both, or its repository",
                    Some(Some(_)) => "there is no configuration in that folder",
                    None => "run `terraform init`",
                };
                let message = format!("the module `{source}`{asked} is not on disk{other}; {known} ({hint})");
                // What an outline calls is said with the call of the outline itself.
                if !dir.starts_with(outlines::FOLDER) {
                    let note = self.sources.problem(ProblemSeverity::Note, message, block.header);
                    // What a module with an outline declares is known, as far as kinds go.
                    self.report_problem(Problem { hides: outline.is_none(), ..note });
                }
                match outline {
                    Some(target) => target,
                    None => return Ok(Instances::Missing(source)),
                }
            }
        };
        if chain.len() >= MAX_MODULES {
            return Err(Fault::new(block.header, format!("modules call each other more than {MAX_MODULES} deep")));
        }
        if self.scopes.len() + planned.len() > MAX_INSTANCES / 4 {
            return Err(Fault::new(block.header, "too many module instances"));
        }
        let module = self.module(&target);
        let made: Vec<(Key, usize)> = (planned.into_iter())
            .map(|(key, each, count)| {
                let address: Arc<str> = format!("{prefix}module.{name}{key}").into();
                let skips = block.skips.as_slice().into();
                let here = Call { address: address.clone(), source: source.clone(), span: block.header, skips };
                let chain: Arc<[Call]> = chain.iter().cloned().chain([here]).collect();
                self.grant(&module);
                let parent = Parent { env: Env { scope, each, count, ..Env::default() }, call };
                let child = Scope::new(module.clone(), format!("{address}.").into(), path.clone(), chain, Some(parent));
                self.scopes.push(child);
                (key, self.scopes.len() - 1)
            })
            .collect();
        Ok(group(made.into_iter(), block.body.attr("count").is_some()))
    }

    fn module_folder(&mut self, dir: &str, path: &str, source: &str, version: Option<&str>) -> Option<Arc<str>> {
        let target = if source.starts_with("./") || source.starts_with("../") || source == "." || source == ".." {
            join(dir, source)?
        } else {
            // What `terraform init` left for another version is not what this call will get; Terraform refuses it as well.
            let installed = self.installed.get(path).filter(|there| there.instead_of(source, version).is_none())?;
            join(&self.root, &installed.dir)?
        };
        let target: Arc<str> = target.into();
        let module = self.module(&target);
        let empty = module.resources.is_empty()
            && module.calls.is_empty()
            && module.outputs.is_empty()
            && module.variables.is_empty()
            && module.locals.is_empty();
        if empty { None } else { Some(target) }
    }

    /// A resource (all its instances) as a value.
    pub(crate) fn resource_value(
        &mut self,
        scope: usize,
        mode: Mode,
        type_: &Arc<str>,
        name: &Arc<str>,
        span: Span,
    ) -> Res {
        let module = self.scope_module(scope);
        let Some(at) = module.resource_index.get(&(mode, type_.clone(), name.clone())).copied() else {
            // Its file may be the broken one, or this is an excerpt: what is meant is known all the same.
            let what = format!("{}{type_}.{name}", mode.prefix());
            let message = format!("`{what}` is not declared in this module");
            self.report(ProblemSeverity::Note, span, message);
            let prefix = self.scopes.get(scope).map(|s| s.prefix.clone()).unwrap_or_default();
            return Ok(Val::reference(format!("{prefix}{what}"), "", span));
        };
        if let Some(whole) = self.scopes.get(scope).and_then(|s| s.wholes.get(&at)) {
            return Ok(whole.clone());
        }
        let one = |world: &Self, id: usize| {
            let address = world.instances.get(id).map(|i| i.address.clone()).unwrap_or_default();
            Val::reference(address, "", span)
        };
        let whole = match self.resource_instances(scope, at, span)? {
            Instances::One(id) | Instances::Any(id) => one(self, id),
            Instances::Count(ids) => Val::list(ids.iter().map(|id| one(self, *id)).collect(), span),
            Instances::Keys(ids) => Val::map(ids.iter().map(|(k, id)| (k.clone(), one(self, *id))).collect(), span),
            Instances::Busy | Instances::Failed(_) | Instances::Missing(_) => self.repeat(span),
        };
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.wholes.insert(at, whole.clone());
        }
        Ok(whole)
    }

    /// An attribute of one resource instance: what configuration says, or a reference when the provider gives it.
    pub(crate) fn resource_attribute(&mut self, address: &Arc<str>, name: &str, span: Span) -> Res {
        let Some(id) = self.by_address.get(address).copied() else {
            return Ok(Val::reference(address.clone(), name, span));
        };
        let edge = Ref { address: address.clone(), path: name.into() };
        let val = self.attribute(id, name, span)?;
        Ok(match val {
            Some(val) if !val.is_null() => val.through(Step::Resource(edge), span),
            _ => Val::reference(address.clone(), name, span),
        })
    }

    /// Whether `name` is written as blocks in the resource at `address`.
    pub(crate) fn is_block(&self, address: &str, name: &str) -> bool {
        let instance = self.by_address.get(address).and_then(|id| self.instances.get(*id));
        instance.is_some_and(|i| {
            let module = self.scopes.get(i.env.scope).map(|s| &s.module);
            let body = module.and_then(|m| m.resources.get(i.declaration)).map(|d| &d.block.body);
            body.is_some_and(|b| b.attr(name).is_none() && has(b, name))
        })
    }

    /// An attribute as configuration or a computed data source says it; none when neither does.
    fn attribute(&mut self, id: usize, name: &str, span: Span) -> Result<Option<Val>, Fault> {
        let Some(instance) = self.instances.get(id) else { return Ok(None) };
        match instance.attrs.get(name) {
            Some(Slot::Done(result)) => return result.clone().map(Some),
            Some(Slot::Busy) => {
                return Err(Fault::new(span, format!("`{}.{name}` depends on itself", instance.address)));
            }
            None => {}
        }
        let module = self.scope_module(instance.env.scope);
        let Some(decl) = module.resources.get(instance.declaration) else { return Ok(None) };
        let written = has(&decl.block.body, name);
        let computed = !written && super::data::computes(decl.mode, &decl.type_, name);
        if META.contains(&name) || !(written || computed) {
            return Ok(None);
        }
        let name: Arc<str> = name.into();
        let mut env = instance.env.clone();
        self.set_slot(id, &name, Some(Slot::Busy));
        let result = if computed {
            self.compute_data(id, decl, &name)
        } else if let Some(expr) = decl.block.body.attr(&name) {
            self.eval(&mut env, expr)
        } else {
            Ok(self.eval_blocks(&mut env, &decl.block.body, &name, decl.block.header))
        };
        let result = result.and_then(|v| self.bounded(v, span));
        let slot = if self.too_deep { None } else { Some(Slot::Done(result.clone())) };
        self.set_slot(id, &name, slot);
        result.map(Some)
    }

    fn set_slot(&mut self, id: usize, name: &Arc<str>, slot: Option<Slot>) {
        if let Some(instance) = self.instances.get_mut(id) {
            match slot {
                Some(slot) => instance.attrs.insert(name.clone(), slot),
                None => instance.attrs.remove(name),
            };
        }
    }

    fn compute_data(&mut self, id: usize, decl: &Declaration, name: &str) -> Res {
        let members = self.written(id, decl);
        let scope = self.instances.get(id).map_or(0, |i| i.env.scope);
        let provider = if super::data::asks_provider(&decl.type_) { self.provider_of(scope, decl) } else { None };
        super::data::compute(&decl.type_, name, &members, provider.as_ref().map(|p| &p.config), decl.block.header)
    }

    /// All attributes and blocks that are written.
    fn written(&mut self, id: usize, decl: &Declaration) -> Members {
        let mut members = Members::new();
        for (name, span) in names(&decl.block.body) {
            if META.contains(&&*name) {
                continue;
            }
            let result = self.attribute(id, &name, span).map(|v| v.unwrap_or_else(|| Val::null(span)));
            members.insert(name, self.settle(result, span));
        }
        members
    }

    /// The attributes and blocks of a body; a wrong one is unknown and reported, the others stay.
    pub(crate) fn eval_body(&mut self, env: &mut Env, body: &Body, except: &[&str]) -> Members {
        let mut members = Members::new();
        for attr in &body.attrs {
            if !except.contains(&&*attr.name) {
                let result = self.eval(env, &attr.expr);
                members.insert(attr.name.clone(), self.settle(result, attr.expr.span));
            }
        }
        for (name, span) in names(body) {
            if !members.contains_key(&name) && body.attr(&name).is_none() && !except.contains(&&*name) {
                let val = self.eval_blocks(env, body, &name, span);
                members.insert(name, val);
            }
        }
        members
    }

    /// The blocks of one type, written and dynamic, as a list of objects.
    fn eval_blocks(&mut self, env: &mut Env, body: &Body, type_: &str, at: Span) -> Val {
        let mut items = Vec::new();
        let mut span = at;
        let mut first = true;
        let mut open = None;
        for block in &body.blocks {
            let dynamic = &*block.type_ == "dynamic" && block.labels.first().is_some_and(|l| &**l == type_);
            if &*block.type_ != type_ && !dynamic {
                continue;
            }
            if std::mem::take(&mut first) {
                span = block.span;
            }
            if !dynamic {
                let members = self.eval_body(env, &block.body, &[]);
                items.push(Val::map(members, block.span));
                continue;
            }
            match self.eval_dynamic(env, block, type_) {
                Ok(Some(more)) => items.extend(more),
                Ok(None) => open = Some(block),
                Err(fault) => items.push(self.settle(Err(fault), block.span)),
            }
        }
        if let Some(block) = open {
            let expr = block.body.attr("for_each").map_or(block.header, |e| e.span);
            let detail = "how many of these blocks there are is not known before apply";
            let unknown = Val::unknown(WhyKind::Repeat, self.source_text(expr), detail, block.span);
            if items.is_empty() {
                return unknown;
            }
            items.push(unknown);
        }
        Val::list(items, span)
    }

    fn eval_dynamic(&mut self, env: &mut Env, block: &Block, type_: &str) -> Result<Option<Vec<Val>>, Fault> {
        let Some(expr) = block.body.attr("for_each") else {
            return Err(Fault::new(block.header, "a dynamic block needs `for_each`"));
        };
        let Some(content) = block.body.blocks("content").next() else {
            return Err(Fault::new(block.header, "a dynamic block needs a `content` block"));
        };
        let iterator: Arc<str> = match block.body.attr("iterator").and_then(path_text) {
            Some(name) => name.into(),
            None => type_.into(),
        };
        let over = self.eval(env, expr)?;
        if over.is_null() {
            return Ok(Some(Vec::new()));
        }
        let Some(entries) = self.entries(&over, expr.span)? else { return Ok(None) };
        let mut items = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            self.spend(1, expr.span)?;
            let each: Members = [(Arc::from("key"), key), (Arc::from("value"), value)].into_iter().collect();
            env.names.push((iterator.clone(), Val::map(each, expr.span)));
            let members = self.eval_body(env, &content.body, &[]);
            env.names.pop();
            items.push(Val::map(members, content.span));
        }
        Ok(Some(items))
    }

    /// Evaluates everything a module instance declares, and the modules it calls.
    pub(crate) fn evaluate(&mut self, scope: usize, out: &mut Vec<Code>) {
        let module = self.scope_module(scope);
        for (at, decl) in module.resources.iter().enumerate() {
            match self.resource_instances(scope, at, decl.block.header) {
                Ok(instances) => {
                    for id in instances.all() {
                        self.depth = 0;
                        self.too_deep = false;
                        out.extend(self.code(id, decl));
                    }
                }
                Err(fault) => {
                    self.report(ProblemSeverity::Error, fault.span(), fault.message());
                    // It is declared, so it is shown: as one symbolic instance about which only the block is known.
                    out.extend(self.symbolic(scope, at, decl, &fault));
                }
            }
        }
        for call in 0..module.calls.len() {
            let span = module.calls.get(call).map(|b| b.header).unwrap_or_default();
            self.depth = 0;
            self.too_deep = false;
            match self.call_instances(scope, call, span) {
                Ok(instances) => instances.all().into_iter().for_each(|child| self.evaluate(child, out)),
                Err(fault) => self.report(ProblemSeverity::Error, fault.span(), fault.message()),
            }
        }
    }

    /// The addresses, without keys, of the policy documents that no expression asked for.
    pub(crate) fn unused_documents(&self) -> HashSet<String> {
        let mut found = HashSet::new();
        for scope in self.scopes.iter().filter(|s| s.module.outlined().is_none()) {
            for (at, decl) in scope.module.resources.iter().enumerate() {
                if decl.mode == Mode::Data && POLICIES.contains(&&*decl.type_) && !scope.wholes.contains_key(&at) {
                    found.insert(format!("{}{}{}.{}", scope.prefix, decl.mode.prefix(), decl.type_, decl.name));
                }
            }
        }
        found
    }

    /// The provider blocks that are judged, each as a resource.
    pub(crate) fn judged_providers(&mut self, out: &mut Vec<Code>) {
        for scope in 0..self.scopes.len() {
            let module = self.scope_module(scope);
            let mut blocks: Vec<_> = module.providers.iter().filter(|((n, _), _)| PROVIDERS.contains(&&**n)).collect();
            blocks.sort_by_key(|(name, _)| *name);
            for ((name, alias), block) in blocks {
                let Some(provider) = self.provider(scope, name, alias, 0) else { continue };
                let Some(here) = self.scopes.get(scope) else { continue };
                let dot = if alias.is_empty() { "" } else { "." };
                out.push(Code {
                    address: format!("{}provider.{name}{dot}{alias}", here.prefix).into(),
                    dialect: Dialect::Terraform,
                    existing: false,
                    written: None,
                    type_: format!("provider.{name}").into(),
                    name: if alias.is_empty() { name.clone() } else { alias.clone() },
                    key: Key::None,
                    module: here.chain.clone(),
                    root: self.root.clone(),
                    header: block.header,
                    span: block.span,
                    attrs: provider.config.clone(),
                    provider: None,
                    depends_on: Vec::new(),
                    skips: block.skips.clone(),
                });
            }
        }
    }

    /// What a resource's `lifecycle` says of making anew and of deletion.
    fn lifecycle(&mut self, id: usize, decl: &Declaration) -> Val {
        let env = self.instances.get(id).map(|i| i.env.clone()).unwrap_or_default();
        let mut members = Members::new();
        for name in ["create_before_destroy", "prevent_destroy"] {
            let written = decl.block.body.blocks("lifecycle").find_map(|b| b.body.attr(name));
            let val = match written {
                Some(expr) => {
                    let result = self.eval(&mut env.clone(), expr);
                    self.settle(result, expr.span)
                }
                None => Val::bool(false, decl.block.header),
            };
            members.insert(name.into(), val);
        }
        Val::list(vec![Val::map(members, decl.block.header)], decl.block.header)
    }

    /// The configuration of the provider that a block names, or that its type does.
    fn provider_of(&mut self, scope: usize, decl: &Declaration) -> Option<Arc<crate::resource::Provider>> {
        let (name, alias) = provider_name(decl);
        self.provider(scope, &name, &alias, 0)
    }

    fn symbolic(&mut self, scope: usize, declaration: usize, decl: &Declaration, fault: &Fault) -> Option<Code> {
        let prefix = self.scopes.get(scope)?.prefix.clone();
        let address: Arc<str> = format!("{prefix}{}{}.{}[*]", decl.mode.prefix(), decl.type_, decl.name).into();
        let why = |e: &str| Val::unknown(WhyKind::Error, e, fault.message(), fault.span());
        let env = Env {
            scope,
            each: Some((why("each.key"), why("each.value"))),
            count: Some(why("count.index")),
            ..Env::default()
        };
        let id = self.instances.len();
        self.instances.push(Instance { env, declaration, key: Key::Any, address, attrs: HashMap::new() });
        self.code(id, decl)
    }

    fn code(&mut self, id: usize, decl: &Declaration) -> Option<Code> {
        let instance = self.instances.get(id)?;
        let (address, key, scope) = (instance.address.clone(), instance.key.clone(), instance.env.scope);
        let mut members = self.written(id, decl);
        // A policy that is computed is judged as it stands; what a data source looks up is known where it is used.
        let computed =
            if POLICIES.contains(&&*decl.type_) { super::data::computed(decl.mode, &decl.type_) } else { &[] };
        for name in computed {
            let result =
                self.attribute(id, name, decl.block.header).map(|v| v.unwrap_or_else(|| Val::null(decl.block.header)));
            let val = self.settle(result, decl.block.header);
            if !val.is_null() {
                members.insert((*name).into(), val);
            }
        }
        if decl.mode == Mode::Managed && LIVES.contains(&&*decl.type_) {
            members.insert("lifecycle".into(), self.lifecycle(id, decl));
        }
        let body = &decl.block.body;
        let (name, alias) = provider_name(decl);
        let provider = self.provider(scope, &name, &alias, 0);
        let provider = provider.unwrap_or_else(|| {
            let config = Val::map(Members::new(), decl.block.header);
            let version = self.provider_version(scope, &name);
            Arc::new(crate::resource::Provider { name, alias, config, version })
        });
        super::data::default_tags(&decl.type_, &provider.config, &mut members, decl.block.header);
        let depends_on = match body.attr("depends_on").map(|e| &e.kind) {
            Some(Kind::Tuple(items)) => items.iter().filter_map(path_text).map(Arc::from).collect(),
            _ => Vec::new(),
        };
        let code = Code {
            address,
            dialect: Dialect::Terraform,
            existing: decl.mode != Mode::Managed,
            written: None,
            type_: decl.type_.clone(),
            name: decl.name.clone(),
            key,
            module: self.scopes.get(scope)?.chain.clone(),
            root: self.root.clone(),
            header: decl.block.header,
            span: decl.block.span,
            attrs: Val::map(members, decl.block.span),
            provider: Some(provider),
            depends_on,
            skips: decl.block.skips.clone(),
        };
        Some(self.in_sight(code, scope))
    }
}

/// The name and alias of the provider that a block names, or that its type does.
fn provider_name(decl: &Declaration) -> (Arc<str>, Arc<str>) {
    let wanted = decl.block.body.attr("provider").and_then(path_text);
    match wanted.as_deref().map(|w| w.split_once('.').unwrap_or((w, ""))) {
        Some((name, alias)) => (name.into(), alias.into()),
        None => (decl.type_.split('_').next().unwrap_or("").into(), "".into()),
    }
}

/// The names of attributes and blocks, each once, with the place of the first.
fn names(body: &Body) -> Vec<(Arc<str>, Span)> {
    let mut out: Vec<(Arc<str>, Span)> = body.attrs.iter().map(|a| (a.name.clone(), a.expr.span)).collect();
    for block in &body.blocks {
        let name = if &*block.type_ == "dynamic" { block.labels.first().unwrap_or(&block.type_) } else { &block.type_ };
        if !out.iter().any(|(n, _)| n == name) {
            out.push((name.clone(), block.span));
        }
    }
    out
}

fn has(body: &Body, name: &str) -> bool {
    body.attr(name).is_some()
        || body
            .blocks
            .iter()
            .any(|b| &*b.type_ == name || (&*b.type_ == "dynamic" && b.labels.first().is_some_and(|l| &**l == name)))
}

fn group(made: impl Iterator<Item = (Key, usize)>, counted: bool) -> Instances {
    let mut list = Vec::new();
    let mut keys = BTreeMap::new();
    for (key, id) in made {
        match key {
            Key::None => return Instances::One(id),
            Key::Any => return Instances::Any(id),
            Key::Index(_) => list.push(id),
            Key::Name(name) => {
                keys.insert(name, id);
            }
        }
    }
    if counted { Instances::Count(Arc::new(list)) } else { Instances::Keys(Arc::new(keys)) }
}
