//! Terraform and OpenTofu configuration, evaluated without a provider.
//!
//! [`read`] finds the root modules (folders that no other folder calls), evaluates each with its variables, locals,
//! modules, counts and loops, and gives every resource instance with the place of every field. What is known only
//! after apply stays a reference or an unknown with its reason.

pub(crate) mod ast;
mod config;
pub(crate) mod data;
mod decimal;
mod eval;
pub(crate) mod functions;
mod installed;
mod json_syntax;
mod outlines;
mod parse;
mod plan;
mod plan_refs;
mod resources;
mod template;
mod types;
mod unify;
mod walk;
mod world;
pub(crate) mod yaml;

use crate::json;
use crate::resource::{Move, Reading};
use crate::source::{FileId, Files, ProblemSeverity, Span, join};
use crate::value::{Data, Val};
use ast::Body;
use config::Module;
use eval::Env;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use world::World;

#[cfg(test)]
pub(crate) use data::AWS_POLICIES;
pub use outlines::outlines;
pub(crate) use parse::parse_file;
pub use plan::{is_plan_or_state, read_plan};

/// What the person who scans decides.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `-var name=value`.
    pub vars: Vec<(String, String)>,
    /// `-var-file path`, relative to the root of what is read; later ones win.
    pub var_files: Vec<String>,
    /// The workspace; not given, `terraform.workspace` is unknown.
    pub workspace: Option<String>,
    /// The folders of the root modules; empty to find them.
    pub roots: Vec<String>,
}

/// Reads all Terraform configuration.
pub fn read(files: &dyn Files, options: &Options) -> Reading {
    let mut world = World::new(files);
    world.workspace = options.workspace.as_deref().map(Arc::from);
    let roots = if options.roots.is_empty() { find_roots(&mut world) } else { options.roots.clone() };
    let (mut resources, mut moves) = (Vec::new(), Vec::new());
    let mut unheard: Vec<&str> = options.vars.iter().map(|(name, _)| name.as_str()).collect();
    for root in roots {
        read_root(&mut world, &root, options, HashMap::new(), &mut resources);
        world.tell_moves(&mut moves);
        let module = world.module(&root.as_str().into());
        unheard.retain(|name| !module.variables.contains_key(*name));
    }
    // A misspelt name would leave the default to be judged.
    let any = world.sources.files().len() > 0;
    for name in unheard.into_iter().filter(|_| any) {
        let message = format!("the value given for `{name}` is of no use: no root module declares such a variable");
        world.report(ProblemSeverity::Note, Span::default(), message);
    }
    Reading { resources, problems: world.problems, sources: world.sources, moves }
}

/// Evaluates one root module; `given` are values of variables that win over all others.
fn read_root(
    world: &mut World<'_>,
    root: &str,
    options: &Options,
    given: HashMap<Arc<str>, Val>,
    out: &mut Vec<crate::resource::Code>,
) {
    let installed = installed::installed(world.files, root);
    world.start(root.into(), HashMap::new(), installed);
    world.locked = locked(world.files, root);
    let mut values = inputs(world, root, options);
    values.extend(given);
    world.inputs = values;
    let from = out.len();
    world.evaluate(0, out);
    // A policy document is computed, not read: one that nothing of this code uses is judged by itself.
    let alone = world.unused_documents();
    for code in out.iter_mut().skip(from).filter(|c| c.existing && !alone.is_empty()) {
        let key = code.key.to_string();
        if code.address.strip_suffix(&*key).is_some_and(|address| alone.contains(address)) {
            code.existing = false;
        }
    }
    for code in out.iter_mut().skip(from).filter(|c| c.existing && data::JUDGED.contains(&&*c.type_)) {
        code.existing = false;
        code.type_ = format!("data.{}", code.type_).into();
    }
    world.judged_providers(out);
}

impl World<'_> {
    /// Adds the `moved` blocks of all module instances of the root, with whole addresses.
    fn tell_moves(&self, out: &mut Vec<Move>) {
        for scope in &self.scopes {
            let whole = |end: &String| format!("{}{end}", scope.prefix);
            let told = scope.module.moves.iter();
            out.extend(told.map(|(from, to)| Move { root: self.root.clone(), from: whole(from), to: whole(to) }));
        }
    }

    /// The module of a folder, read at the first question.
    pub(crate) fn module(&mut self, dir: &Arc<str>) -> Arc<Module> {
        if let Some(known) = self.modules.get(dir) {
            return known.clone();
        }
        let mut module = Module { dir: dir.clone(), ..Module::default() };
        if let Some((address, text)) = outlines::of_folder(dir) {
            let (file, text) = self.sources.add(&format!("outline of {address}"), text.as_bytes());
            self.outlined.insert(file);
            let body = self.parsed(&text, file);
            module.add(body, &mut Vec::new());
            let module = Arc::new(module);
            self.modules.insert(dir.clone(), module.clone());
            return module;
        }
        let names: Vec<String> =
            (self.files.list(dir).into_iter()).filter(|e| !e.folder && is_config(&e.name)).map(|e| e.name).collect();
        let overrides = |name: &str| {
            let stem = name.trim_end_matches(".json").trim_end_matches(".tf").trim_end_matches(".tofu");
            stem == "override" || stem.ends_with("_override")
        };
        let mut complaints = Vec::new();
        for name in names.iter().filter(|n| !overrides(n)) {
            let body = self.body(&path_in(dir, name));
            module.add(body, &mut complaints);
        }
        for name in names.iter().filter(|n| overrides(n)) {
            let body = self.body(&path_in(dir, name));
            module.merge(body);
        }
        for (span, message) in complaints {
            self.report(ProblemSeverity::Error, span, message);
        }
        let module = Arc::new(module);
        self.modules.insert(dir.clone(), module.clone());
        module
    }

    fn body(&mut self, path: &str) -> Body {
        let Some(bytes) = self.files.read(path) else { return Body::default() };
        let (file, text) = self.sources.add(path, &bytes);
        if path.ends_with(".json") {
            return match self.json_file(&text, file) {
                Some(val) => json_syntax::body_of(&val, file),
                None => Body::default(),
            };
        }
        self.parsed(&text, file)
    }

    fn parsed(&mut self, text: &str, file: FileId) -> Body {
        let (body, errors) = parse::parse_file(text, file);
        for error in errors {
            self.report(ProblemSeverity::Error, error.span, error.message);
        }
        body
    }

    fn json_file(&mut self, text: &str, file: FileId) -> Option<Val> {
        match json::parse(text, file, json::Dialect { comments: false }) {
            Ok(val) => Some(val),
            Err(error) => {
                let span = Span::new(file, error.offset, error.offset + 1);
                self.report(ProblemSeverity::Error, span, error.message);
                None
            }
        }
    }
}

fn is_config(name: &str) -> bool {
    !name.starts_with('.') && [".tf", ".tf.json", ".tofu", ".tofu.json"].iter().any(|ext| name.ends_with(ext))
}

fn path_in(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

/// The folders with configuration that no other one calls. Folders that only call each other in a circle are added,
/// so that nothing is passed over in silence.
fn find_roots(world: &mut World<'_>) -> Vec<String> {
    let mut folders = Vec::new();
    let mut open = vec![(String::new(), 0)];
    while let Some((dir, depth)) = open.pop() {
        let mut here = false;
        for entry in world.files.list(&dir) {
            if entry.folder {
                let skip = entry.name.starts_with('.') || entry.name == "node_modules";
                if !skip && depth < 40 && folders.len() + open.len() < 200_000 {
                    open.push((path_in(&dir, &entry.name), depth + 1));
                }
            } else {
                here |= is_config(&entry.name);
            }
        }
        if here {
            folders.push(dir);
        }
    }
    folders.sort();
    let mut calls: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for dir in &folders {
        let module = world.module(&dir.as_str().into());
        let sources = module.calls.iter().filter_map(Module::source);
        let local = sources.filter(|s| s.starts_with('.')).filter_map(|s| join(dir, &s));
        calls.insert(dir.clone(), local.collect());
    }
    let called: HashSet<&String> = calls.iter().flat_map(|(from, to)| to.iter().filter(move |t| *t != from)).collect();
    let mut roots: Vec<String> = folders.iter().filter(|d| !called.contains(d)).cloned().collect();
    let mut reached = BTreeSet::new();
    roots.iter().for_each(|root| reach(root, &calls, &mut reached));
    for dir in &folders {
        if !reached.contains(dir) {
            roots.push(dir.clone());
            reach(dir, &calls, &mut reached);
        }
    }
    roots
}

fn reach(from: &str, calls: &BTreeMap<String, Vec<String>>, reached: &mut BTreeSet<String>) {
    let mut open = vec![from.to_owned()];
    while let Some(dir) = open.pop() {
        if reached.insert(dir.clone()) {
            open.extend(calls.get(&dir).into_iter().flatten().cloned());
        }
    }
}

/// The versions of providers that `terraform init` locked, by the last part of their source.
fn locked(files: &dyn Files, root: &str) -> HashMap<Arc<str>, Arc<str>> {
    let Some(bytes) = files.read(&path_in(root, ".terraform.lock.hcl")) else { return HashMap::new() };
    let (body, _) = parse::parse_file(&String::from_utf8_lossy(&bytes), FileId::default());
    let of = |block: &ast::Block| {
        let name = block.labels.first()?.rsplit('/').next()?;
        match &block.body.attr("version")?.kind {
            ast::Kind::Str(version) => Some((Arc::from(name), version.clone())),
            _ => None,
        }
    };
    body.blocks("provider").filter_map(of).collect()
}

/// The values of the root's variables: `terraform.tfvars`, `*.auto.tfvars`, then files and values that were given.
fn inputs(world: &mut World<'_>, root: &str, options: &Options) -> HashMap<Arc<str>, Val> {
    let names: Vec<String> = world.files.list(root).into_iter().filter(|e| !e.folder).map(|e| e.name).collect();
    let mut paths: Vec<String> = Vec::new();
    for name in ["terraform.tfvars", "terraform.tfvars.json"] {
        if names.iter().any(|n| n == name) {
            paths.push(path_in(root, name));
        }
    }
    let auto = names.iter().filter(|n| n.ends_with(".auto.tfvars") || n.ends_with(".auto.tfvars.json"));
    paths.extend(auto.map(|n| path_in(root, n)));
    paths.extend(options.var_files.iter().cloned());
    let mut values = HashMap::new();
    for path in paths {
        let Some(bytes) = world.files.read(&path) else {
            let (file, _) = world.sources.add(&path, b"");
            world.report(ProblemSeverity::Error, Span::new(file, 0, 0), "the variables file cannot be read");
            continue;
        };
        let (file, text) = world.sources.add(&path, &bytes);
        if path.ends_with(".json") {
            if let Some(Val { data: Data::Map(members), .. }) = world.json_file(&text, file) {
                values.extend(members.iter().map(|(k, v)| (k.clone(), v.clone())));
            }
            continue;
        }
        let (body, errors) = parse::parse_values(&text, file);
        for error in errors {
            world.report(ProblemSeverity::Error, error.span, error.message);
        }
        for attr in body.attrs {
            let result = world.eval(&mut Env { closed: true, ..Env::default() }, &attr.expr);
            values.insert(attr.name, world.settle(result, attr.expr.span));
        }
    }
    for (name, text) in &options.vars {
        let name: Arc<str> = name.as_str().into();
        let (file, source) = world.sources.add(&format!("-var {name}"), text.as_bytes());
        let span = Span::new(file, 0, text.len());
        let module = world.scope_module(0);
        let type_ = module.variables.get(&name).and_then(|b| b.body.attr("type")).map(types::Type::of);
        let plain = matches!(
            type_,
            None | Some(types::Type::Any | types::Type::String | types::Type::Number | types::Type::Bool)
        );
        let val = match parse::parse_expr(&source, file) {
            Ok(expr) if !plain => {
                let result = world.eval(&mut Env { closed: true, ..Env::default() }, &expr);
                world.settle(result, span)
            }
            _ => Val::str(text.as_str(), span),
        };
        values.insert(name, val);
    }
    values
}
