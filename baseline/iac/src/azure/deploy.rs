//! Deployments: a template with its arguments, the resources it makes, and the deployments inside it.

use super::eval::{Scope, bounded, rounds};
use super::expr::{Expr, Kind, Prop};
use super::template::{Decl, Template, Type, What};
use crate::blend::{brief, local};
use crate::notes;
use crate::resource::{Call, Code, Dialect, Key};
use crate::source::{Files, Problem, ProblemSeverity, SourceMap, Span, join};
use crate::value::{Data, Members, Step, Val, WhyKind};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// At most this many resources are made from one root.
const MAX_RESOURCES: usize = 50_000;
/// Deployments nested deeper than this are not expanded.
const MAX_NESTING: usize = 10;
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
    templates: HashMap<String, Option<Rc<Template>>>,
    libraries: HashMap<String, Option<Rc<Deployment>>>,
    addresses: HashMap<String, usize>,
    modules: HashMap<String, Made>,
    full: bool,
}

/// What a module gave.
#[derive(Clone)]
enum Made {
    /// It is being made right now.
    Busy,
    /// Its template is not in the repository.
    Away,
    Done(Rc<HashMap<String, Val>>),
}

/// A name's value in the making.
enum Slot {
    Busy,
    Done(Val),
}

/// A resource as other expressions find it.
struct Known {
    type_: String,
    name: String,
    address: String,
}

/// One instance of a template.
pub(crate) struct Deployment {
    pub template: Rc<Template>,
    prefix: String,
    calls: Arc<[Call]>,
    args: HashMap<String, Val>,
    is_root: bool,
    depth: usize,
    params: HashMap<String, usize>,
    vars: HashMap<String, usize>,
    symbols: HashMap<Rc<str>, Vec<usize>>,
    slots: RefCell<HashMap<String, Slot>>,
    imports: HashMap<Rc<str>, (Rc<Deployment>, Rc<str>)>,
    libraries: HashMap<Rc<str>, Rc<Deployment>>,
    absent: BTreeSet<Rc<str>>,
    known: OnceCell<Vec<Known>>,
    knowing: Cell<bool>,
    /// The deployment whose parameters, variables and loops an outer-scope template sees.
    outer: Option<Rc<Deployment>>,
    captured: Vec<(Rc<str>, Val)>,
}

impl Deployment {
    pub(crate) fn span(&self, expr: &Expr) -> Span {
        Span { file: self.template.file, start: expr.start, end: expr.end }
    }

    fn place(&self, start: u32, end: u32) -> Span {
        Span { file: self.template.file, start, end }
    }

    pub(crate) fn captured(&self, name: &str) -> Option<Val> {
        self.captured.iter().rev().find(|(n, _)| **n == *name).map(|(_, v)| v.clone())
    }

    fn key(&self, name: &str) -> String {
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
    fn declaration(&self, address: &str) -> Option<&Decl> {
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
    fn deployment(
        &mut self,
        template: Rc<Template>,
        prefix: String,
        calls: Arc<[Call]>,
        args: HashMap<String, Val>,
        is_root: bool,
        depth: usize,
        outer: Option<(Rc<Deployment>, Vec<(Rc<str>, Val)>)>,
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
    fn library(&mut self, path: &str) -> Option<Rc<Deployment>> {
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

    /// The value of a parameter.
    pub(crate) fn parameter(&mut self, d: &Rc<Deployment>, name: &str, span: Span) -> Val {
        if let Some(outer) = &d.outer {
            let outer = outer.clone();
            return self.parameter(&outer, name, span);
        }
        let template = d.template.clone();
        let Some(param) = d.params.get(&d.key(name)).and_then(|at| template.params.get(*at)) else {
            return super::eval::wrong(name, format!("the template has no parameter `{name}`"), span);
        };
        let secure = param.secure || self.secure_type(d, &param.type_, 0);
        let mut val = self.memo(d, &format!("p:{}", d.key(name)), span, |r| {
            let place = d.place(param.start, param.end);
            if let Some(val) = d.args.get(&d.key(name)) {
                return val.clone();
            }
            if let Some(default) = &param.default {
                return r.eval(d, None, default);
            }
            if let Some(Expr { kind: Kind::Array(items), .. }) = &param.allowed
                && let [only] = items.as_slice()
            {
                return r.eval(d, None, &only.value);
            }
            match r.default_of(d, &param.type_, 0) {
                Some(val) => Val { span: place, ..val },
                None => {
                    let detail = if d.is_root {
                        format!("parameter {name} has no default; give it a value to know more")
                    } else {
                        format!("parameter {name} is not given by the module call")
                    };
                    Val::unknown(WhyKind::Input, format!("parameters.{name}"), detail, place)
                }
            }
        });
        val.sensitive |= secure;
        val.through(Step::Variable(name.into()), span)
    }

    fn secure_type(&mut self, d: &Rc<Deployment>, type_: &Type, depth: usize) -> bool {
        match type_ {
            Type::Name(name) if depth < 16 => {
                let lower = name.to_ascii_lowercase();
                if lower == "securestring" || lower == "secureobject" {
                    return true;
                }
                let found = d.template.types.iter().find(|t| t.name == *name);
                found.is_some_and(|t| t.secure || self.secure_type(d, &t.type_, depth + 1))
            }
            Type::Nullable(inner) if depth < 16 => self.secure_type(d, inner, depth + 1),
            _ => false,
        }
    }

    /// What a parameter of this type is when nobody gives it: null when it may be, the only value it can have.
    fn default_of(&mut self, d: &Rc<Deployment>, type_: &Type, depth: usize) -> Option<Val> {
        match type_ {
            Type::Nullable(_) => Some(Val::null(Span::default())),
            Type::Literal(expr) => Some(self.eval(d, None, expr)),
            Type::Name(name) if depth < 16 => {
                if let Some(found) = d.template.types.iter().find(|t| t.name == *name) {
                    return self.default_of(d, &found.type_, depth + 1);
                }
                let (library, theirs) = d.imported(name)?;
                self.default_of(&library, &Type::Name(theirs), depth + 1)
            }
            _ => None,
        }
    }

    /// The value of a variable.
    pub(crate) fn variable(&mut self, d: &Rc<Deployment>, name: &str, span: Span) -> Val {
        if let Some(outer) = &d.outer {
            let outer = outer.clone();
            return self.variable(&outer, name, span);
        }
        let template = d.template.clone();
        let Some(var) = d.vars.get(&d.key(name)).and_then(|at| template.vars.get(*at)) else {
            if let Some((library, theirs)) = d.imported(name) {
                return self.variable(&library, &theirs, span);
            }
            return super::eval::wrong(name, format!("the template has no variable `{name}`"), span);
        };
        let val = self.memo(d, &format!("v:{}", d.key(name)), span, |r| r.eval(d, None, &var.value));
        val.through(Step::Local(name.into()), span)
    }

    fn memo(&mut self, d: &Rc<Deployment>, key: &str, span: Span, make: impl FnOnce(&mut Self) -> Val) -> Val {
        match d.slots.borrow().get(key) {
            Some(Slot::Done(val)) => return val.clone(),
            Some(Slot::Busy) => return super::eval::wrong(key, "it depends on itself", span),
            None => {}
        }
        d.slots.borrow_mut().insert(key.to_owned(), Slot::Busy);
        let val = bounded(make(self), key);
        d.slots.borrow_mut().insert(key.to_owned(), Slot::Done(val.clone()));
        val
    }

    fn run(&mut self, d: &Rc<Deployment>) {
        let template = d.template.clone();
        for decl in &template.decls {
            self.declare(d, decl, None, None);
        }
    }

    /// Makes the instances of a declaration.
    fn declare(&mut self, d: &Rc<Deployment>, decl: &Decl, parent: Option<&Parent>, env: Scope<'_>) {
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
                self.problem(ProblemSeverity::Error, "the loop makes more resources than any deployment can have", span);
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

    fn instance(&mut self, d: &Rc<Deployment>, decl: &Decl, parent: Option<&Parent>, env: Scope<'_>, key: Key) {
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
            What::Resource { type_, .. } => match parent {
                // The types of nested resources are relative, in old templates full.
                Some(p) if !type_.contains('.') || !type_.contains('/') => format!("{}/{type_}", p.type_),
                _ => type_.to_string(),
            },
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
        let span = d.place(decl.start, decl.end);
        let mut skips = notes::about(&d.template.notes, decl.start, decl.end, decl.following);
        skips.extend(decl.skips.iter().cloned());
        let attrs = bounded(Val::map(attrs, d.span(&decl.body)), "resource");
        self.out.push(Code {
            address: address.as_str().into(),
            dialect: d.template.dialect,
            existing: decl.existing,
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
                                    let on = val.edge().map_or_else(|| val.describe().into(), |e| e.address.clone());
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

    /// The full name: with the names of the parents before it.
    fn name_of(&mut self, d: &Rc<Deployment>, decl: &Decl, parent: Option<&Parent>, env: Scope<'_>) -> Val {
        let span = d.place(decl.start, decl.header_end);
        let own = match decl.body.prop("name") {
            Some(name) => self.eval(d, env, name),
            None => match &decl.symbol {
                Some(symbol) if matches!(decl.what, What::Module { .. }) => Val::str(&**symbol, span),
                _ => Val::null(span),
            },
        };
        let above = match (parent, decl.body.prop("parent")) {
            (Some(parent), _) => Some(parent.name.clone()),
            (None, Some(parent)) if d.template.dialect == Dialect::Bicep => {
                let of = self.eval(d, env, parent);
                Some(match &of.data {
                    Data::Ref(r) if r.path.is_empty() => {
                        let address = r.address.clone();
                        self.identity(d, &address, "name", span).unwrap_or(of)
                    }
                    _ => of,
                })
            }
            _ => None,
        };
        match above {
            Some(above) => {
                // In old ARM templates nested names are written in full.
                let full = above.as_str().zip(own.as_str()).is_some_and(|(a, o)| o.starts_with(&format!("{a}/")));
                if full {
                    return own;
                }
                super::eval::joined(&[above, Val::str("/", span), own.clone()], own.span)
            }
            None => own,
        }
    }

    fn address(
        &mut self,
        d: &Rc<Deployment>,
        decl: &Decl,
        parent: Option<&Parent>,
        type_: &str,
        name: &Val,
        key: &Key,
    ) -> String {
        if d.template.dialect == Dialect::Bicep
            && let Some(symbol) = &decl.symbol
        {
            return match parent {
                Some(parent) => format!("{}::{symbol}{key}", parent.address),
                None => format!("{}{symbol}{key}", d.prefix),
            };
        }
        let described = name.describe();
        let mut address = match name.as_str() {
            Some(name) => format!("{}{type_}/{name}", d.prefix),
            None => format!("{}{type_}/[{described}]", d.prefix),
        };
        if *key == Key::Any {
            address.push_str("[*]");
        }
        let seen = self.addresses.entry(address.clone()).or_insert(0);
        *seen += 1;
        if *seen > 1 {
            address = format!("{address}#{seen}");
        }
        address
    }

    /// The name, type or API version of a resource by its address; the position in a loop is part of the address.
    pub(crate) fn identity(&mut self, d: &Rc<Deployment>, address: &str, what: &str, span: Span) -> Option<Val> {
        if d.template.dialect != Dialect::Bicep {
            return None;
        }
        let decl = d.declaration(address)?;
        match (&decl.what, what) {
            (What::Resource { type_, .. }, "type") => return Some(Val::str(&**type_, span)),
            (What::Resource { api, .. }, "apiVersion") => return Some(Val::str(&**api, span)),
            _ => {}
        }
        // Names inside a loop need its variables; the position must be known.
        let template = d.template.clone();
        let own = address.strip_prefix(&d.prefix)?;
        let mut above: Option<Val> = None;
        let mut decls = &template.decls;
        for step in own.split("::") {
            let (symbol, at) = step.split_once('[').map_or((step, None), |(s, at)| (s, Some(at.trim_end_matches(']'))));
            let decl = decls.iter().find(|d| d.symbol.as_deref() == Some(symbol))?;
            let parent = above.take().map(|name| Parent { type_: String::new(), name, address: String::new() });
            let name = match &decl.over {
                None => self.guarded_name(d, decl, parent.as_ref(), None, step, span),
                Some(over) => {
                    let at: usize = at?.parse().ok()?;
                    let list = self.eval(d, None, &over.list);
                    let item = list.as_list()?.get(at)?.clone();
                    let index = Val::int(i64::try_from(at).ok()?, span);
                    let names = (over.item.as_ref(), over.index.as_ref(), over.copy.as_ref());
                    self.with_loop(names, (&item, &index), None, |r, env| {
                        r.guarded_name(d, decl, parent.as_ref(), env, step, span)
                    })
                }
            };
            above = Some(name);
            decls = &decl.children;
        }
        above
    }

    fn guarded_name(
        &mut self,
        d: &Rc<Deployment>,
        decl: &Decl,
        parent: Option<&Parent>,
        env: Scope<'_>,
        step: &str,
        span: Span,
    ) -> Val {
        let above = parent.map_or(String::new(), |p| p.name.describe());
        self.memo(d, &format!("n:{above}::{step}"), span, |r| r.name_of(d, decl, parent, env))
    }

    // ---- finding resources by type and name, as ARM templates refer to them ----

    fn knows(&mut self, d: &Rc<Deployment>) {
        if d.known.get().is_some() || d.knowing.replace(true) {
            return;
        }
        let template = d.template.clone();
        let mut known = Vec::new();
        let before = std::mem::take(&mut self.addresses);
        self.know(d, &template.decls, None, None, &mut known);
        self.addresses = before;
        let _ = d.known.set(known);
        d.knowing.set(false);
    }

    fn know(&mut self, d: &Rc<Deployment>, decls: &[Decl], parent: Option<&Parent>, env: Scope<'_>, known: &mut Vec<Known>) {
        for decl in decls {
            let each = |r: &mut Self, env: Scope<'_>, key: &Key, known: &mut Vec<Known>| {
                let type_ = match (&decl.what, parent) {
                    (What::Resource { type_, .. }, Some(p)) if !type_.contains('/') || !type_.contains('.') => {
                        format!("{}/{type_}", p.type_)
                    }
                    (What::Resource { type_, .. }, _) => type_.to_string(),
                    _ => "Microsoft.Resources/deployments".to_owned(),
                };
                let name = r.name_of(d, decl, parent, env);
                let address = r.address(d, decl, parent, &type_, &name, key);
                known.push(Known {
                    type_: type_.to_ascii_lowercase(),
                    name: name.describe().to_ascii_lowercase(),
                    address: address.clone(),
                });
                let here = Parent { type_, name, address };
                r.know(d, &decl.children, Some(&here), env, known);
            };
            let Some(over) = &decl.over else {
                each(self, env, &Key::None, known);
                continue;
            };
            let list = self.eval(d, env, &over.list);
            let names = (over.item.as_ref(), over.index.as_ref(), over.copy.as_ref());
            match rounds(&list, over.copy.is_some()) {
                Ok(items) => {
                    for (i, item) in items.into_iter().enumerate() {
                        if known.len() >= MAX_RESOURCES {
                            return;
                        }
                        let at = Val::int(i64::try_from(i).unwrap_or(i64::MAX), item.span);
                        let key = Key::Index(u64::try_from(i).unwrap_or(u64::MAX));
                        self.with_loop(names, (&item, &at), env, |r, env| each(r, env, &key, known));
                    }
                }
                Err(_) => {
                    let item = Val::unknown(WhyKind::Repeat, "copyIndex()", "the loop's length is not known", list.span);
                    self.with_loop(names, (&item, &item), env, |r, env| each(r, env, &Key::Any, known));
                }
            }
        }
    }

    /// The address of a resource of this type and name in the deployment.
    pub(crate) fn find_resource(&mut self, d: &Rc<Deployment>, type_: &str, name: &str) -> Option<String> {
        self.knows(d);
        let (type_, name) = (type_.to_ascii_lowercase(), name.to_ascii_lowercase());
        let found = d.known.get()?.iter().find(|k| k.type_ == type_ && k.name == name).map(|k| k.address.clone());
        match (&d.outer, found) {
            (Some(outer), None) => {
                let outer = outer.clone();
                self.find_resource(&outer, &type_, &name)
            }
            (_, found) => found,
        }
    }

    /// The address of the resource of this symbolic name, name, or id, whatever its type.
    pub(crate) fn find_named(&mut self, d: &Rc<Deployment>, name: &str) -> Option<String> {
        self.knows(d);
        if let Some(path) = d.symbols.get(name)
            && let [at] = path.as_slice()
            && let Some(decl) = d.template.decls.get(*at)
            && d.template.dialect == Dialect::Arm
        {
            let type_ = match &decl.what {
                What::Resource { type_, .. } => type_.to_string(),
                _ => "Microsoft.Resources/deployments".to_owned(),
            };
            let name = self.name_of(d, decl, None, None).describe();
            return self.find_resource(d, &type_, &name);
        }
        let lower = name.to_ascii_lowercase();
        if let Some(found) = d.known.get()?.iter().find(|k| k.name == lower) {
            return Some(found.address.clone());
        }
        let (_, id) = lower.split_once("/providers/")?;
        let mut steps = id.split('/');
        let mut type_ = steps.next()?.to_owned();
        let mut names = Vec::new();
        while let Some(step) = steps.next() {
            type_ = format!("{type_}/{step}");
            names.extend(steps.next());
        }
        let name = names.join("/");
        d.known.get()?.iter().find(|k| k.type_ == type_ && k.name == name).map(|k| k.address.clone())
    }

    // ---- deployments inside deployments ----

    /// Whether the address is that of a module or nested deployment.
    pub(crate) fn is_module(&self, _d: &Rc<Deployment>, address: &str) -> bool {
        address.contains("Microsoft.Resources/deployments/") || self.modules.contains_key(address)
    }

    /// An output of a module: `name`, or `name.value` as ARM templates read it, perhaps with more behind.
    pub(crate) fn module_output(&mut self, d: &Rc<Deployment>, address: &str, rest: &str, span: Span) -> Option<Val> {
        let (name, tail) = rest.split_once('.').map_or((rest, ""), |(name, tail)| (name, tail));
        if d.template.dialect == Dialect::Arm && tail != "value" {
            return None;
        }
        if !self.modules.contains_key(address) {
            self.make_module(d, address);
        }
        let outputs = self.modules.get(address)?.clone();
        let step = Step::Output(format!("{address}.outputs.{name}").into());
        match outputs {
            Made::Done(outputs) => {
                let lower = name.to_ascii_lowercase();
                let val = outputs.get(name).or_else(|| outputs.get(&lower))?.clone();
                Some(val.through(step, span))
            }
            Made::Away => {
                let detail = format!("an output of {address}, whose template is not in the repository");
                Some(Val::unknown(WhyKind::Module, format!("{address}.outputs.{name}"), detail, span))
            }
            Made::Busy => None,
        }
    }

    /// Makes a module that is asked for before its turn.
    fn make_module(&mut self, d: &Rc<Deployment>, address: &str) {
        let template = d.template.clone();
        if d.template.dialect == Dialect::Bicep {
            let Some(own) = address.strip_prefix(&d.prefix) else { return };
            let symbol = own.split('[').next().unwrap_or(own);
            let decl = template.decls.iter().find(|x| x.symbol.as_deref() == Some(symbol));
            if let Some(decl) = decl
                && matches!(decl.what, What::Module { .. })
            {
                self.declare(d, decl, None, None);
            }
        } else {
            let decl = template.decls.iter().find(|x| {
                let made = !matches!(x.what, What::Resource { .. }) && x.over.is_none();
                made && {
                    let name = self.name_of(d, x, None, None);
                    let full = match name.as_str() {
                        Some(name) => format!("{}Microsoft.Resources/deployments/{name}", d.prefix),
                        None => format!("{}Microsoft.Resources/deployments/[{}]", d.prefix, name.describe()),
                    };
                    full == address
                }
            });
            if let Some(decl) = decl {
                self.declare(d, decl, None, None);
            }
        }
    }

    fn enter(&mut self, d: &Rc<Deployment>, address: &str, span: Span) -> bool {
        if self.modules.contains_key(address) {
            return false;
        }
        if d.depth >= MAX_NESTING {
            let message = format!("deployments nested deeper than {MAX_NESTING}, or one that includes itself");
            self.problem(ProblemSeverity::Error, message, span);
            return false;
        }
        self.modules.insert(address.to_owned(), Made::Busy);
        true
    }

    fn module(&mut self, d: &Rc<Deployment>, decl: &Decl, path: &str, address: &str, env: Scope<'_>) {
        let span = d.place(decl.start, decl.end);
        let header = d.place(decl.start, decl.header_end);
        if !self.enter(d, address, header) {
            return;
        }
        let found = if path.starts_with("br") && path.contains(':') || path.starts_with("ts:") || path.starts_with("ts/") {
            let message = format!("module `{path}` is in a registry; its resources are not read");
            self.problem(ProblemSeverity::Note, message, header);
            self.modules.insert(address.to_owned(), Made::Away);
            return;
        } else {
            join(&d.template.folder, path)
        };
        let template = found.and_then(|path| {
            let template = self.template(&path)?;
            self.nested.insert(path);
            Some(template)
        });
        let Some(template) = template else {
            self.problem(ProblemSeverity::Note, format!("module `{path}` is not in the repository"), header);
            self.modules.insert(address.to_owned(), Made::Away);
            return;
        };
        let mut args = HashMap::new();
        if let Some(params) = decl.body.prop("params") {
            let val = self.eval(d, env, params);
            if let Data::Map(members) = val.data {
                args.extend(members.iter().map(|(k, v)| (k.to_string(), v.clone())));
            }
        }
        let mut calls = d.calls.to_vec();
        calls.push(Call { address: address.into(), source: path.into(), span });
        let inner = self.deployment(template, format!("{address}."), calls.into(), args, false, d.depth + 1, None);
        self.finish(&inner, address);
    }

    fn finish(&mut self, inner: &Rc<Deployment>, address: &str) {
        self.run(inner);
        let template = inner.template.clone();
        let mut outputs = HashMap::new();
        for output in &template.outputs {
            if let Some(condition) = &output.condition
                && self.eval(inner, None, condition).as_bool() == Some(false)
            {
                continue;
            }
            let mut val = bounded(self.eval(inner, None, &output.value), &output.name);
            val.sensitive |= output.secure;
            outputs.insert(inner.key(&output.name), val);
        }
        self.modules.insert(address.to_owned(), Made::Done(Rc::new(outputs)));
    }

    fn inline(&mut self, d: &Rc<Deployment>, decl: &Decl, template: Rc<Template>, inner: bool, address: &str, env: Scope<'_>) {
        let span = d.place(decl.start, decl.end);
        if !self.enter(d, address, d.place(decl.start, decl.header_end)) {
            return;
        }
        let args = self.arm_args(d, decl, env);
        let mut calls = d.calls.to_vec();
        calls.push(Call { address: address.into(), source: "template".into(), span });
        let outer = (!inner).then(|| {
            let mut names = d.captured.clone();
            let mut scopes = Vec::new();
            let mut here = env;
            while let Some(e) = here {
                scopes.push(e.pairs);
                here = e.up;
            }
            names.extend(scopes.into_iter().rev().flatten().cloned());
            (d.clone(), names)
        });
        let inside = self.deployment(template, format!("{address}."), calls.into(), args, false, d.depth + 1, outer);
        self.finish(&inside, address);
    }

    /// The arguments of a nested deployment: `parameters: { x: { value: … } }`.
    fn arm_args(&mut self, d: &Rc<Deployment>, decl: &Decl, env: Scope<'_>) -> HashMap<String, Val> {
        let mut args = HashMap::new();
        let Some(properties) = decl.body.prop("properties") else { return args };
        let Some(Expr { kind: Kind::Object(props), .. }) = properties.prop("parameters") else { return args };
        for prop in props {
            let Prop::Pair(key, value) = prop else { continue };
            let Some(name) = key.literal() else { continue };
            let val = match (value.prop("value"), value.prop("reference")) {
                (Some(value), _) => self.eval(d, env, value),
                (None, Some(reference)) => {
                    let span = d.span(reference);
                    let detail = "read from a key vault at deployment; no value is stored in the template";
                    let mut val = Val::unknown(WhyKind::Lookup, format!("secret {name}"), detail, span);
                    val.sensitive = true;
                    val
                }
                (None, None) => self.eval(d, env, value).get("value").cloned().unwrap_or_else(|| Val::null(d.span(value))),
            };
            args.insert(name.to_string(), val);
        }
        args
    }

    /// A linked template: a file of the repository by the tail of its address.
    pub(crate) fn linked(&mut self, d: &Rc<Deployment>, decl: &Decl, env: Scope<'_>) -> Option<Rc<Template>> {
        let link = decl.body.prop("properties")?.prop("templateLink")?;
        let target = link.prop("relativePath").or_else(|| link.prop("uri"))?;
        let written = self.eval(d, env, target).describe();
        let header = d.place(decl.start, decl.header_end);
        let Some(path) = local(self.files, &d.template.folder, &written) else {
            let message = format!("linked template `{}` is not in the repository", brief(&written));
            self.problem(ProblemSeverity::Note, message, header);
            return None;
        };
        if path == *d.template.path {
            self.problem(ProblemSeverity::Error, "the template links to itself", header);
            return None;
        }
        let template = self.template(&path)?;
        self.nested.insert(path);
        Some(template)
    }
}

/// The resource a nested one belongs to.
struct Parent {
    type_: String,
    name: Val,
    address: String,
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
