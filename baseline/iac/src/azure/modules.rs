//! Deployments inside deployments: modules, nested and linked templates, and what they give back.

use super::deploy::{Deployment, Made, Reader};
use super::eval::{Scope, bounded};
use super::expr::{Expr, Kind, Prop};
use super::template::{Decl, Template, What};
use crate::blend::{brief, local};
use crate::resource::{Call, Dialect};
use crate::source::{ProblemSeverity, Span, join};
use crate::value::{Data, Step, Val, WhyKind};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Deployments nested deeper than this are not expanded.
const MAX_NESTING: usize = 10;

impl Reader<'_> {
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
    pub(super) fn make_module(&mut self, d: &Rc<Deployment>, address: &str) {
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
            self.knows(d);
            let start = d.known.get().and_then(|k| k.deployments.get(address)).copied();
            let decl = template.decls.iter().find(|x| Some(x.start) == start);
            if let Some(decl) = decl {
                // Made anew in its turn it would be a second deployment of the same name.
                self.early.insert((d.prefix.clone(), decl.start));
                self.declare(d, decl, None, None);
            }
        }
    }

    pub(super) fn enter(&mut self, d: &Rc<Deployment>, address: &str, span: Span) -> bool {
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

    pub(super) fn module(&mut self, d: &Rc<Deployment>, decl: &Decl, path: &str, address: &str, env: Scope<'_>) {
        let span = d.place(decl.start, decl.end);
        let header = d.place(decl.start, decl.header_end);
        if !self.enter(d, address, header) {
            return;
        }
        let found =
            if path.starts_with("br") && path.contains(':') || path.starts_with("ts:") || path.starts_with("ts/") {
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
        calls.push(Call { address: address.into(), source: path.into(), span, skips: Arc::default() });
        let inner = self.deployment(template, format!("{address}."), calls.into(), args, false, d.depth + 1, None);
        self.finish(&inner, address);
    }

    pub(super) fn finish(&mut self, inner: &Rc<Deployment>, address: &str) {
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

    pub(super) fn inline(
        &mut self,
        d: &Rc<Deployment>,
        decl: &Decl,
        template: Rc<Template>,
        inner: bool,
        address: &str,
        env: Scope<'_>,
    ) {
        let span = d.place(decl.start, decl.end);
        if !self.enter(d, address, d.place(decl.start, decl.header_end)) {
            return;
        }
        let args = self.arm_args(d, decl, env);
        let mut calls = d.calls.to_vec();
        calls.push(Call { address: address.into(), source: "template".into(), span, skips: Arc::default() });
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
    pub(super) fn arm_args(&mut self, d: &Rc<Deployment>, decl: &Decl, env: Scope<'_>) -> HashMap<String, Val> {
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
                // The compiler writes `if(…, createObject('value', …), …)` where one of the two may be a secret.
                (None, None) => {
                    let given = self.eval(d, env, value);
                    match &given.data {
                        Data::Map(members) if !members.contains_key("value") => Val::null(d.span(value)),
                        _ => self.member(d, &given, "value", true, d.span(value)),
                    }
                }
            };
            args.insert(name.to_string(), val);
        }
        args
    }

    /// A linked template: a file of the repository by the tail of its address.
    pub(crate) fn linked(&mut self, d: &Rc<Deployment>, decl: &Decl, env: Scope<'_>) -> Option<Rc<Template>> {
        let link = decl.body.prop("properties")?.prop("templateLink")?;
        // A template spec is named by its id: it is kept in the subscription.
        let target = link.prop("relativePath").or_else(|| link.prop("uri")).or_else(|| link.prop("id"))?;
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
