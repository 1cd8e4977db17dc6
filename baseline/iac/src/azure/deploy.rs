//! Deployments: a template with its arguments, the resources it makes, and the deployments inside it.

use super::eval::{Scope, bounded, rounds};
use super::expr::{Expr, Kind, Prop};
use super::names::nested_type;
use super::template::{Decl, Template, What};
use crate::blend::brief;
use crate::notes;
use crate::resource::{Call, Code, Dialect, Key};
use crate::source::{Files, Problem, ProblemSeverity, SourceMap, Span, join};
use crate::value::{Data, Members, Val, WhyKind};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// At most this many resources are made from one root.
pub(super) const MAX_RESOURCES: usize = 50_000;
/// Evaluation steps for one root; a real template needs a few thousand.
const MAX_STEPS: usize = 4_000_000;

/// What one reading carries through all its templates.
pub(crate) struct Reader<'f> {
    pub files: &'f dyn Files,
    pub sources: SourceMap,
    pub problems: Vec<Problem>,
    pub out: Vec<Code>,
    pub nested: BTreeSet<String>,
    pub root: Arc<str>,
    pub steps: usize,
    pub depth: usize,
    pub(super) templates: HashMap<String, Option<Rc<Template>>>,
    pub(super) libraries: HashMap<String, Option<Rc<Deployment>>>,
    pub(super) addresses: HashMap<String, usize>,
    pub(super) modules: HashMap<String, Made>,
    /// Nested deployments made before their turn: where they are, and where their declaration starts.
    pub(super) early: BTreeSet<(String, u32)>,
    pub(super) full: bool,
}

/// The deployment around an outer-scope template, and the loop variables in force there.
pub(super) type Outer = (Rc<Deployment>, Vec<(Rc<str>, Val)>);

/// What a module gave.
#[derive(Clone)]
pub(super) enum Made {
    /// It is being made right now.
    Busy,
    /// Its template is not in the repository.
    Away,
    Done(Rc<HashMap<String, Val>>),
}

/// A name's value in the making.
pub(super) enum Slot {
    Busy,
    Done(Val),
}

/// The resources of a deployment as other expressions find them; the first of equal ones counts.
#[derive(Default)]
pub(super) struct Known {
    /// Addresses by type and name in lower case.
    pub(super) by_id: HashMap<(String, String), String>,
    /// Addresses by name in lower case.
    pub(super) by_name: HashMap<String, String>,
    /// Addresses by the symbolic names of a template in JSON, with the position in a loop: `accounts[0]`.
    pub(super) by_symbol: HashMap<String, String>,
    /// Where the declaration of a deployment starts, by address.
    pub(super) deployments: HashMap<String, u32>,
}

/// One instance of a template.
pub(crate) struct Deployment {
    pub template: Rc<Template>,
    pub(super) prefix: String,
    pub(super) calls: Arc<[Call]>,
    pub(super) args: HashMap<String, Val>,
    pub(super) is_root: bool,
    pub(super) depth: usize,
    pub(super) params: HashMap<String, usize>,
    pub(super) vars: HashMap<String, usize>,
    pub(super) symbols: HashMap<Rc<str>, Vec<usize>>,
    pub(super) slots: RefCell<HashMap<String, Slot>>,
    pub(super) imports: HashMap<Rc<str>, (Rc<Deployment>, Rc<str>)>,
    pub(super) libraries: HashMap<Rc<str>, Rc<Deployment>>,
    pub(super) absent: BTreeSet<Rc<str>>,
    pub(super) known: OnceCell<Known>,
    pub(super) knowing: Cell<bool>,
    /// The deployment whose parameters, variables and loops an outer-scope template sees.
    pub(super) outer: Option<Rc<Deployment>>,
    pub(super) captured: Vec<(Rc<str>, Val)>,
}

impl Deployment {
    pub(crate) fn span(&self, expr: &Expr) -> Span {
        Span { file: self.template.file, start: expr.start, end: expr.end }
    }

    pub(super) fn place(&self, start: u32, end: u32) -> Span {
        Span { file: self.template.file, start, end }
    }

    pub(crate) fn captured(&self, name: &str) -> Option<Val> {
        self.captured.iter().rev().find(|(n, _)| **n == *name).map(|(_, v)| v.clone())
    }

    pub(super) fn key(&self, name: &str) -> String {
        if self.template.dialect == Dialect::Arm { name.to_ascii_lowercase() } else { name.to_owned() }
    }

    pub(crate) fn has_param(&self, name: &str) -> bool {
        self.params.contains_key(&self.key(name))
    }

    pub(crate) fn has_variable(&self, name: &str) -> bool {
        self.vars.contains_key(&self.key(name))
    }

    pub(crate) fn has_function(&self, name: &str) -> bool {
        self.template.functions.iter().any(|f| f.name.eq_ignore_ascii_case(name))
    }

    /// The address of the resource or module of this symbolic name.
    pub(crate) fn symbol(&self, name: &str) -> Option<String> {
        let path = self.symbols.get(name)?;
        let mut address = self.prefix.clone();
        let mut decls = &self.template.decls;
        for (i, at) in path.iter().enumerate() {
            let decl = decls.get(*at)?;
            if i > 0 {
                address.push_str("::");
            }
            address.push_str(decl.symbol.as_deref().unwrap_or_default());
            decls = &decl.children;
        }
        Some(address)
    }

    pub(crate) fn library(&self, alias: &str) -> Option<Rc<Deployment>> {
        self.libraries.get(alias).cloned()
    }

    pub(crate) fn imported(&self, name: &str) -> Option<(Rc<Deployment>, Rc<str>)> {
        self.imports.get(name).cloned()
    }

    pub(crate) fn missing_import(&self, name: &str) -> bool {
        self.absent.contains(name)
    }

    /// The declaration behind an address of this deployment, without its loop position.
    pub(super) fn declaration(&self, address: &str) -> Option<&Decl> {
        let own = address.strip_prefix(&self.prefix)?;
        let mut decls = &self.template.decls;
        let mut found = None;
        for step in own.split("::") {
            let symbol = step.split('[').next().unwrap_or(step);
            let decl = decls.iter().find(|d| d.symbol.as_deref() == Some(symbol))?;
            decls = &decl.children;
            found = Some(decl);
        }
        found
    }
}

impl<'f> Reader<'f> {
    pub(crate) fn new(files: &'f dyn Files, sources: SourceMap, root: &str) -> Self {
        Self {
            files,
            sources,
            problems: Vec::new(),
            out: Vec::new(),
            nested: BTreeSet::new(),
            root: root.into(),
            steps: MAX_STEPS,
            depth: 0,
            templates: HashMap::new(),
            libraries: HashMap::new(),
            addresses: HashMap::new(),
            modules: HashMap::new(),
            early: BTreeSet::new(),
            full: false,
        }
    }

    pub(crate) fn problem(&mut self, severity: ProblemSeverity, message: impl Into<String>, span: Span) {
        if self.problems.len() < 10_000 {
            let problem = self.sources.problem(severity, message, span);
            self.problems.push(problem);
        }
    }

    /// The parsed template at a path, Bicep or ARM; none when there is none. Problems are told once.
    pub(crate) fn template(&mut self, path: &str) -> Option<Rc<Template>> {
        if let Some(known) = self.templates.get(path) {
            return known.clone();
        }
        let template = self.files.read(path).and_then(|bytes| {
            let (file, text) = self.sources.add(path, &bytes);
            let (template, faults) = if path.ends_with(".bicep") || path.ends_with(".bicepparam") {
                let (template, faults) = crate::bicep::parse(&text, path, file);
                (Some(template), faults)
            } else {
                crate::arm::parse(&text, path, file)
            };
            for fault in faults {
                let span = Span::new(file, fault.at as usize, fault.at as usize + 1);
                self.problem(ProblemSeverity::Error, fault.message, span);
            }
            template.map(Rc::new)
        });
        self.templates.insert(path.to_owned(), template.clone());
        template
    }

    /// The arguments a parameter file gives.
    pub(crate) fn arguments(&mut self, template: &Rc<Template>) -> HashMap<String, Val> {
        let mut out = HashMap::new();
        // What it extends comes first, so that its own values win.
        for import in template.imports.iter().filter(|i| i.all.is_none() && i.names.is_empty()) {
            let base = join(&template.folder, &import.path).filter(|p| *p != *template.path);
            if let Some(base) = base.and_then(|path| self.template(&path))
                && base.imports.is_empty()
            {
                out.extend(self.arguments(&base));
            }
        }
        let d = self.deployment(template.clone(), String::new(), Arc::from([]), HashMap::new(), true, 0, None);
        for param in &template.params {
            let span = Span { file: template.file, start: param.start, end: param.end };
            if param.default.is_some() {
                out.insert(param.name.to_string(), self.parameter(&d, &param.name, span));
            }
        }
        out
    }

    /// Makes a root deployment and everything in it.
    pub(crate) fn deploy_root(&mut self, template: Rc<Template>, args: HashMap<String, Val>) {
        let d = self.deployment(template, String::new(), Arc::from([]), args, true, 0, None);
        self.run(&d);
    }

    #[allow(clippy::too_many_arguments, reason = "one place that says what a deployment is made of")]
    pub(super) fn deployment(
        &mut self,
        template: Rc<Template>,
        prefix: String,
        calls: Arc<[Call]>,
        args: HashMap<String, Val>,
        is_root: bool,
        depth: usize,
        outer: Option<Outer>,
    ) -> Rc<Deployment> {
        let arm = template.dialect == Dialect::Arm;
        let key = |name: &str| if arm { name.to_ascii_lowercase() } else { name.to_owned() };
        let mut symbols = HashMap::new();
        index_symbols(&template.decls, &mut Vec::new(), &mut symbols);
        let (mut imports, mut libraries, mut absent) = (HashMap::new(), HashMap::new(), BTreeSet::new());
        for import in &template.imports {
            let found = join(&template.folder, &import.path).and_then(|path| self.library(&path));
            match found {
                Some(library) => {
                    if let Some(alias) = &import.all {
                        libraries.insert(alias.clone(), library.clone());
                    }
                    for (name, alias) in &import.names {
                        imports.insert(alias.clone(), (library.clone(), name.clone()));
                    }
                }
                None => {
                    absent.extend(import.all.iter().cloned());
                    absent.extend(import.names.iter().map(|(_, alias)| alias.clone()));
                    let span = Span { file: template.file, start: import.start, end: import.end };
                    let message = format!("import `{}` is not in the repository", import.path);
                    self.problem(ProblemSeverity::Note, message, span);
                }
            }
        }
        let (outer, captured) = outer.map_or((None, Vec::new()), |(d, names)| (Some(d), names));
        Rc::new(Deployment {
            params: template.params.iter().enumerate().map(|(i, p)| (key(&p.name), i)).collect(),
            vars: template.vars.iter().enumerate().map(|(i, v)| (key(&v.name), i)).collect(),
            symbols,
            args: args.into_iter().map(|(k, v)| (key(&k), v)).collect(),
            template,
            prefix,
            calls,
            is_root,
            depth,
            slots: RefCell::default(),
            imports,
            libraries,
            absent,
            known: OnceCell::new(),
            knowing: Cell::new(false),
            outer,
            captured,
        })
    }

    /// A file that others import from.
    pub(super) fn library(&mut self, path: &str) -> Option<Rc<Deployment>> {
        if let Some(known) = self.libraries.get(path) {
            return known.clone();
        }
        self.libraries.insert(path.to_owned(), None); // A file that imports itself finds nothing.
        let template = self.template(path)?;
        self.nested.insert(path.to_owned());
        let library = self.deployment(template, String::new(), Arc::from([]), HashMap::new(), true, 0, None);
        self.libraries.insert(path.to_owned(), Some(library.clone()));
        Some(library)
    }

    pub(super) fn run(&mut self, d: &Rc<Deployment>) {
        let template = d.template.clone();
        for decl in &template.decls {
            if !self.early.remove(&(d.prefix.clone(), decl.start)) {
                self.declare(d, decl, None, None);
            }
        }
    }

    /// Makes the instances of a declaration.
    pub(super) fn declare(&mut self, d: &Rc<Deployment>, decl: &Decl, parent: Option<&Parent>, env: Scope<'_>) {
        let Some(over) = &decl.over else {
            self.instance(d, decl, parent, env, Key::None);
            return;
        };
        let list = self.eval(d, env, &over.list);
        let names = (over.item.as_ref(), over.index.as_ref(), over.copy.as_ref());
        let span = d.place(decl.start, decl.header_end);
        match rounds(&list, over.copy.is_some()) {
            Ok(items) => {
                for (i, item) in items.into_iter().enumerate() {
                    if self.full {
                        return;
                    }
                    let at = Val::int(i64::try_from(i).unwrap_or(i64::MAX), item.span);
                    let key = Key::Index(u64::try_from(i).unwrap_or(u64::MAX));
                    self.with_loop(names, (&item, &at), env, |r, env| r.instance(d, decl, parent, env, key));
                }
            }
            Err(true) => {
                self.problem(
                    ProblemSeverity::Error,
                    "the loop makes more resources than any deployment can have",
                    span,
                );
            }
            Err(false) => {
                let name = over.item.as_deref().unwrap_or("copyIndex()");
                let detail = format!("the loop runs over {}, which is not known", brief(&list.describe()));
                let mut item = Val::unknown(WhyKind::Repeat, name, &*detail, d.span(&over.list));
                item.sensitive = list.sensitive;
                let at = Val::unknown(WhyKind::Repeat, "index", &*detail, d.span(&over.list));
                self.with_loop(names, (&item, &at), env, |r, env| r.instance(d, decl, parent, env, Key::Any));
            }
        }
    }

    pub(super) fn instance(
        &mut self,
        d: &Rc<Deployment>,
        decl: &Decl,
        parent: Option<&Parent>,
        env: Scope<'_>,
        key: Key,
    ) {
        if let Some(condition) = &decl.condition
            && self.eval(d, env, condition).as_bool() == Some(false)
        {
            return;
        }
        if self.out.len() >= MAX_RESOURCES {
            if !self.full {
                self.full = true;
                let message = format!("more than {MAX_RESOURCES} resources in one deployment; the rest is not read");
                self.problem(ProblemSeverity::Error, message, d.place(decl.start, decl.header_end));
            }
            return;
        }
        let name = self.name_of(d, decl, parent, env);
        let type_ = match &decl.what {
            What::Resource { type_, .. } => nested_type(parent.map_or("", |p| &p.type_), type_),
            What::Module { .. } | What::Inline { .. } | What::Linked => "Microsoft.Resources/deployments".to_owned(),
        };
        let address = self.address(d, decl, parent, &type_, &name, &key);
        match &decl.what {
            What::Module { path } => {
                self.module(d, decl, path, &address, env);
                return;
            }
            What::Inline { template, inner } => {
                self.inline(d, decl, template.clone(), *inner, &address, env);
                return;
            }
            What::Linked => {
                match self.linked(d, decl, env) {
                    Some(template) => self.inline(d, decl, template, true, &address, env),
                    None => {
                        self.modules.insert(address, Made::Away);
                    }
                }
                return;
            }
            What::Resource { .. } => {}
        }
        let mut attrs = Members::new();
        attrs.insert("name".into(), name.clone());
        let mut depends_on = Vec::new();
        self.fill(d, decl, parent, env, &mut attrs, &mut depends_on);
        if let What::Resource { api, .. } = &decl.what
            && !api.is_empty()
        {
            attrs.insert("apiVersion".into(), Val::str(&**api, d.place(decl.start, decl.header_end)));
        }
        // By its name `parent/child`, else by the only resource of the parent's type it waits for.
        let waits_for = |type_: &str| {
            let (above, _) = type_.rsplit_once('/').filter(|(above, _)| above.contains('/'))?;
            let of_type = |on: &&Arc<str>| on.rsplit_once('/').is_some_and(|(t, _)| t.eq_ignore_ascii_case(above));
            let mut found = depends_on.iter().filter(of_type);
            found.next().filter(|_| found.next().is_none()).map(|on| on.to_string())
        };
        if !attrs.contains_key("parent")
            && let Some(parent) = self.parent_of(d, &type_, &name).or_else(|| waits_for(&type_))
        {
            attrs.insert("parent".into(), Val::reference(parent, "", d.place(decl.start, decl.header_end)));
        }
        let span = d.place(decl.start, decl.end);
        let mut skips = notes::about(&d.template.notes, decl.start, decl.end, decl.following);
        // What is said inside or right above a nested resource is about that one alone.
        for child in &decl.children {
            let theirs = notes::about(&d.template.notes, child.start, child.end, None);
            skips.retain(|skip| theirs.iter().all(|their| their.span != skip.span));
        }
        skips.extend(decl.skips.iter().cloned());
        let attrs = bounded(Val::map(attrs, d.span(&decl.body)), "resource");
        self.out.push(Code {
            address: address.as_str().into(),
            dialect: d.template.dialect,
            existing: decl.existing,
            written: parent.map(|p| Arc::from(&*p.address)),
            type_: type_.as_str().into(),
            name: decl.symbol.as_deref().map_or_else(|| name.describe().into(), Arc::from),
            key,
            module: d.calls.clone(),
            root: self.root.clone(),
            header: d.place(decl.start, decl.header_end),
            span,
            attrs,
            provider: None,
            depends_on,
            skips,
        });
        let parent = Parent { type_, name, address };
        for child in &decl.children {
            self.declare(d, child, Some(&parent), env);
        }
    }

    fn fill(
        &mut self,
        d: &Rc<Deployment>,
        decl: &Decl,
        parent: Option<&Parent>,
        env: Scope<'_>,
        attrs: &mut Members,
        depends_on: &mut Vec<Arc<str>>,
    ) {
        if let Some(parent) = parent {
            attrs.insert("parent".into(), Val::reference(&*parent.address, "", d.place(decl.start, decl.header_end)));
        }
        let Kind::Object(props) = &decl.body.kind else { return };
        for prop in props {
            match prop {
                Prop::Pair(key, value) => {
                    let Some(key) = key.literal() else { continue };
                    match key.to_ascii_lowercase().as_str() {
                        "name" | "resources" | "copy" | "condition" | "comments" | "type" | "apiversion" => {}
                        "dependson" => {
                            if let Kind::Array(items) = &value.kind {
                                for item in items {
                                    let val = self.eval(d, env, &item.value);
                                    let on = match val.edge() {
                                        Some(edge) => edge.address.clone(),
                                        None => {
                                            let on = val.describe();
                                            self.find_symbol(d, &on).unwrap_or(on).into()
                                        }
                                    };
                                    depends_on.push(on);
                                }
                            }
                        }
                        _ => {
                            attrs.insert((&**key).into(), self.eval(d, env, value));
                        }
                    }
                }
                Prop::Spread(value) => {
                    let val = self.eval(d, env, value);
                    if let Data::Map(members) = &val.data {
                        attrs.extend(members.iter().map(|(k, v)| (k.clone(), v.clone())));
                    }
                }
            }
        }
    }
}

/// The resource a nested one belongs to.
pub(super) struct Parent {
    pub(super) type_: String,
    pub(super) name: Val,
    pub(super) address: String,
}

fn index_symbols(decls: &[Decl], path: &mut Vec<usize>, out: &mut HashMap<Rc<str>, Vec<usize>>) {
    for (i, decl) in decls.iter().enumerate() {
        path.push(i);
        if let Some(symbol) = &decl.symbol {
            // A nested symbol never hides one of the file.
            if path.len() == 1 || !out.contains_key(symbol) {
                out.insert(symbol.clone(), path.clone());
            }
        }
        index_symbols(&decl.children, path, out);
        path.pop();
    }
}
