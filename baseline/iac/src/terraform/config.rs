//! A module: the declarations of all configuration files of one folder.

use super::ast::{Attr, Block, Body, Expr, Kind, Op};
use std::collections::HashMap;
use std::sync::Arc;

/// What the files of a folder declare.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// The folder, relative to what was read.
    pub dir: Arc<str>,
    pub variables: HashMap<Arc<str>, Block>,
    pub locals: HashMap<Arc<str>, Expr>,
    pub outputs: HashMap<Arc<str>, Block>,
    pub resources: Vec<Declaration>,
    pub resource_index: HashMap<(Mode, Arc<str>, Arc<str>), usize>,
    pub calls: Vec<Block>,
    pub call_index: HashMap<Arc<str>, usize>,
    pub providers: HashMap<(Arc<str>, Arc<str>), Block>,
    /// The versions of providers it asks for, by local name.
    pub required: HashMap<Arc<str>, Arc<str>>,
    /// What it calls otherwise than before: from, to.
    pub moves: Vec<(String, String)>,
}

/// A resource or data block.
#[derive(Debug)]
pub(crate) struct Declaration {
    pub mode: Mode,
    pub type_: Arc<str>,
    pub name: Arc<str>,
    pub block: Block,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    Managed,
    Data,
    Ephemeral,
}

impl Mode {
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Managed => "",
            Self::Data => "data.",
            Self::Ephemeral => "ephemeral.",
        }
    }
}

/// A declaration that cannot be used, with what would be right.
pub(crate) type Complaint = (crate::source::Span, String);

impl Module {
    /// Adds the declarations of one file.
    pub(crate) fn add(&mut self, body: Body, complaints: &mut Vec<Complaint>) {
        for block in body.blocks {
            let header = block.header;
            let label = |i: usize| block.labels.get(i).cloned();
            match (&*block.type_, label(0), label(1)) {
                ("resource", Some(t), Some(n)) => self.add_resource(Mode::Managed, t, n, block, complaints),
                ("data", Some(t), Some(n)) => self.add_resource(Mode::Data, t, n, block, complaints),
                ("ephemeral", Some(t), Some(n)) => self.add_resource(Mode::Ephemeral, t, n, block, complaints),
                ("check", Some(_), _) => {
                    for inner in block.body.blocks.into_iter().filter(|b| &*b.type_ == "data") {
                        if let (Some(t), Some(n)) = (inner.labels.first().cloned(), inner.labels.get(1).cloned()) {
                            self.add_resource(Mode::Data, t, n, inner, complaints);
                        }
                    }
                }
                ("variable", Some(n), _) => {
                    self.variables.insert(n, block);
                }
                ("output", Some(n), _) => {
                    self.outputs.insert(n, block);
                }
                ("locals", ..) => {
                    for Attr { name, expr, .. } in block.body.attrs {
                        self.locals.insert(name, expr);
                    }
                }
                ("module", Some(n), _) => {
                    if self.call_index.contains_key(&n) {
                        complaints.push((header, format!("module `{n}` is declared twice; the second is not read")));
                        continue;
                    }
                    self.call_index.insert(n, self.calls.len());
                    self.calls.push(block);
                }
                ("provider", Some(n), _) => {
                    let alias = match block.body.attr("alias").map(|e| &e.kind) {
                        Some(Kind::Str(alias)) => alias.clone(),
                        _ => "".into(),
                    };
                    self.providers.insert((n, alias), block);
                }
                ("resource" | "data" | "ephemeral", ..) => {
                    complaints
                        .push((header, format!("a {} block needs two labels: its type and its name", block.type_)));
                }
                ("variable" | "output" | "module" | "provider", ..) => {
                    complaints.push((header, format!("a {} block needs a label: its name", block.type_)));
                }
                ("terraform", ..) => self.require(&block.body),
                ("moved", ..) => {
                    let end = |name: &str| block.body.attr(name).and_then(path_text);
                    self.moves.extend(end("from").zip(end("to")));
                }
                // `import`, `removed`: nothing to evaluate.
                _ => {}
            }
        }
    }

    /// Notes `required_providers`: a block, or in JSON an object.
    fn require(&mut self, body: &Body) {
        let version = |expr: &Expr| match &expr.kind {
            Kind::Str(text) => Some(text.clone()),
            Kind::Object(items) => items.iter().find_map(|(k, v)| match (path_text(k).as_deref(), &v.kind) {
                (Some("version"), Kind::Str(text)) => Some(text.clone()),
                _ => None,
            }),
            _ => None,
        };
        for block in body.blocks("required_providers") {
            self.required.extend(block.body.attrs.iter().filter_map(|a| Some((a.name.clone(), version(&a.expr)?))));
        }
        if let Some(Kind::Object(items)) = body.attr("required_providers").map(|e| &e.kind) {
            self.required.extend(items.iter().filter_map(|(k, v)| Some((path_text(k)?.into(), version(v)?))));
        }
    }

    fn add_resource(&mut self, mode: Mode, type_: Arc<str>, name: Arc<str>, block: Block, bad: &mut Vec<Complaint>) {
        let key = (mode, type_.clone(), name.clone());
        if self.resource_index.contains_key(&key) {
            bad.push((block.header, format!("`{type_}.{name}` is declared twice; the second is not read")));
            return;
        }
        self.resource_index.insert(key, self.resources.len());
        self.resources.push(Declaration { mode, type_, name, block });
    }

    /// Adds an override file: its attributes and nested blocks replace those of the declaration they name.
    pub(crate) fn merge(&mut self, body: Body) {
        for block in body.blocks {
            let label = |i: usize| block.labels.get(i).cloned();
            let target = match (&*block.type_, label(0), label(1)) {
                ("resource", Some(t), Some(n)) => self.resource_mut(Mode::Managed, t, n),
                ("data", Some(t), Some(n)) => self.resource_mut(Mode::Data, t, n),
                ("variable", Some(n), _) => self.variables.get_mut(&n),
                ("output", Some(n), _) => self.outputs.get_mut(&n),
                ("module", Some(n), _) => self.call_index.get(&n).and_then(|i| self.calls.get_mut(*i)),
                ("locals", ..) => {
                    self.locals.extend(block.body.attrs.into_iter().map(|a| (a.name, a.expr)));
                    continue;
                }
                _ => continue,
            };
            let Some(target) = target else { continue };
            target.body.attrs.retain(|a| block.body.attr(&a.name).is_none());
            target.body.attrs.extend(block.body.attrs);
            let replaced =
                |b: &Block| {
                    block.body.blocks.iter().any(|new| {
                        new.type_ == b.type_ || (&*b.type_ == "dynamic" && b.labels.first() == Some(&new.type_))
                    })
                };
            target.body.blocks.retain(|b| !replaced(b));
            target.body.blocks.extend(block.body.blocks);
            target.skips.extend(block.skips);
        }
    }

    fn resource_mut(&mut self, mode: Mode, type_: Arc<str>, name: Arc<str>) -> Option<&mut Block> {
        let at = *self.resource_index.get(&(mode, type_, name))?;
        self.resources.get_mut(at).map(|d| &mut d.block)
    }

    /// The `source` of a call, when it is plain text.
    pub(crate) fn source(call: &Block) -> Option<Arc<str>> {
        literal(call, "source")
    }

    /// The version a call asks for.
    pub(crate) fn version(call: &Block) -> Option<Arc<str>> {
        literal(call, "version")
    }
}

fn literal(call: &Block, name: &str) -> Option<Arc<str>> {
    match &call.body.attr(name)?.kind {
        Kind::Str(text) => Some(text.clone()),
        _ => None,
    }
}

/// `aws_s3_bucket.logs`, `module.vpc`, `data.x.y`: a static traversal as text.
pub(crate) fn path_text(expr: &Expr) -> Option<String> {
    match &expr.kind {
        Kind::Name(name) => Some(name.to_string()),
        Kind::Str(text) => Some(text.to_string()),
        Kind::Traverse(base, ops) => {
            let mut out = path_text(base)?;
            for op in ops {
                match op {
                    Op::Attr(name) => {
                        out.push('.');
                        out.push_str(name);
                    }
                    Op::Index(Expr { kind: Kind::Int(i), .. }) => out.push_str(&format!("[{i}]")),
                    Op::Index(Expr { kind: Kind::Str(s), .. }) => out.push_str(&format!("[\"{s}\"]")),
                    _ => break,
                }
            }
            Some(out)
        }
        _ => None,
    }
}
