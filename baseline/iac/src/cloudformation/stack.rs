//! One instance of a template: its parameters, conditions, resources and outputs.

use super::text::{dynamic, known};
use super::{Doc, MAX_NESTING, MAX_RESOURCES, Reader, sam};
use crate::blend::local;
use crate::document::{Data as Tree, Member, Node};
use crate::notes;
use crate::resource::{Call, Code, Dialect, Key, Skip};
use crate::source::{ProblemSeverity, Span};
use crate::value::{Data, Members, Step, Val, WhyKind};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

/// A condition's answer.
#[derive(Debug, Clone)]
pub(super) enum Truth {
    True,
    False,
    /// Not known: what it hangs on.
    Unknown(Arc<str>),
}

impl From<bool> for Truth {
    fn from(b: bool) -> Self {
        if b { Self::True } else { Self::False }
    }
}

/// A resource of the template, after loops.
#[derive(Clone)]
struct Slot<'d> {
    logical: Arc<str>,
    member: &'d Member,
    bindings: Vec<Binding>,
    following: Option<u32>,
}

/// A loop variable of `Fn::ForEach`.
#[derive(Clone)]
pub(super) struct Binding {
    pub name: Arc<str>,
    pub val: Val,
}

/// Outputs of a nested stack, or that it is being made right now.
enum Nested {
    Busy,
    Done(Option<Rc<BTreeMap<String, Val>>>),
}

pub(super) struct Stack<'d> {
    pub doc: &'d Doc,
    prefix: String,
    calls: Arc<[Call]>,
    depth: usize,
    params: HashMap<&'d str, Val>,
    /// The values a parameter without a default may take.
    pub allowed: HashMap<&'d str, Vec<String>>,
    conditions: HashMap<&'d str, Option<Truth>>,
    slots: Vec<Slot<'d>>,
    by_name: HashMap<Arc<str>, usize>,
    nested: HashMap<Arc<str>, Nested>,
    pub bindings: Vec<Binding>,
}

/// Reads a root template.
pub(super) fn root(reader: &mut Reader<'_>, doc: &Doc) {
    run(reader, doc, &BTreeMap::new(), String::new(), Arc::from([]), 0);
}

/// Instantiates a template: emits its resources and gives its outputs.
fn run(
    reader: &mut Reader<'_>,
    doc: &Doc,
    given: &BTreeMap<String, Val>,
    prefix: String,
    calls: Arc<[Call]>,
    depth: usize,
) -> BTreeMap<String, Val> {
    let mut stack = Stack {
        doc,
        prefix,
        calls,
        depth,
        params: HashMap::new(),
        allowed: HashMap::new(),
        conditions: HashMap::new(),
        slots: Vec::new(),
        by_name: HashMap::new(),
        nested: HashMap::new(),
        bindings: Vec::new(),
    };
    stack.parameters(given);
    stack.enumerate(reader);
    let globals = sam::globals(&mut stack, reader);
    let mut made = Vec::new();
    for at in 0..stack.slots.len() {
        if let Some(code) = stack.resource(reader, at) {
            made.push(code);
        }
    }
    let names: HashSet<Arc<str>> = stack.by_name.keys().cloned().collect();
    for code in made {
        let expanded = sam::expand(code, &globals, &names);
        for code in expanded {
            // Functions share the API of events that name none.
            let shared = code.name.starts_with("Serverless") && !names.contains(&code.name);
            if !shared || reader.out.iter().rev().all(|c| c.address != code.address) {
                reader.out.push(code);
            }
        }
    }
    stack.outputs(reader)
}

impl<'d> Stack<'d> {
    pub(super) fn span(&self, node: &Node) -> Span {
        Span { file: self.doc.file, start: node.start, end: node.end }
    }

    fn parameters(&mut self, given: &BTreeMap<String, Val>) {
        let doc = self.doc;
        for member in doc.root.get("Parameters").map(Node::members).unwrap_or_default() {
            let name: &'d str = &member.key;
            let span = Span { file: doc.file, start: member.start, end: member.value.end.max(member.end) };
            let type_ = member.value.get("Type").and_then(Node::as_str).unwrap_or("String");
            let secret =
                member.value.get("NoEcho").and_then(scalar_text).is_some_and(|t| t.eq_ignore_ascii_case("true"));
            let allowed: Vec<String> = member
                .value
                .get("AllowedValues")
                .map(|n| n.items().iter().filter_map(scalar_text).collect())
                .unwrap_or_default();
            let default = member.value.get("Default");
            let mut val = match (given.get(name), default) {
                (Some(val), _) => typed(val.clone(), type_),
                (None, Some(node)) if type_.starts_with("AWS::SSM::Parameter::Value") => Val::unknown(
                    WhyKind::Lookup,
                    name,
                    format!(
                        "parameter {name} is read from Systems Manager parameter {} at deployment",
                        scalar_text(node).unwrap_or_default()
                    ),
                    span,
                ),
                (None, Some(node)) => {
                    let text = scalar_text(node).unwrap_or_default();
                    typed(dynamic(Val::str(text, self.span(node))), type_)
                }
                (None, None) => match allowed.as_slice() {
                    [only] => typed(Val::str(only.as_str(), span), type_),
                    _ => Val::unknown(
                        WhyKind::Input,
                        name,
                        format!("parameter {name} has no default; give it a value to know more"),
                        span,
                    ),
                },
            };
            val.sensitive |= secret;
            if val.is_unknown() && !allowed.is_empty() {
                self.allowed.insert(name, allowed);
            }
            self.params.insert(name, val);
        }
    }

    pub(super) fn param(&self, name: &str) -> Option<&Val> {
        self.params.get(name)
    }

    /// The full address of a resource of this template, if there is one of that name.
    pub(super) fn address(&self, logical: &str) -> Option<String> {
        self.by_name.contains_key(logical).then(|| format!("{}{logical}", self.prefix))
    }

    /// The address that a resource made by a transform would have.
    pub(super) fn made_address(&self, logical: &str) -> String {
        format!("{}{logical}", self.prefix)
    }

    fn enumerate(&mut self, reader: &mut Reader<'_>) {
        let doc = self.doc;
        if let Some(node) = doc.root.get("Transform") {
            let listed = node.items();
            for one in if listed.is_empty() { std::slice::from_ref(node) } else { listed } {
                let name = one.as_str().or_else(|| one.get("Name").and_then(Node::as_str)).unwrap_or_default();
                // Those of the provider leave what is written as it is, or are expanded here.
                if !name.is_empty() && !name.starts_with("AWS::") {
                    let message =
                        format!("the changes that the macro {name} makes are not read: it runs in the account");
                    reader.problem(ProblemSeverity::Note, message, self.span(one));
                }
            }
        }
        let Some(resources) = doc.root.get("Resources") else { return };
        self.collect(reader, resources.members(), resources.end);
        for (at, slot) in self.slots.iter().enumerate() {
            self.by_name.insert(slot.logical.clone(), at);
        }
    }

    fn collect(&mut self, reader: &mut Reader<'_>, members: &'d [Member], _end: u32) {
        for (i, member) in members.iter().enumerate() {
            if self.slots.len() + reader.out.len() >= MAX_RESOURCES {
                if !reader.full {
                    reader.full = true;
                    let span = Span { file: self.doc.file, start: member.start, end: member.end };
                    let message =
                        format!("more than {MAX_RESOURCES} resources in one deployment; the rest is not read");
                    reader.problem(ProblemSeverity::Error, message, span);
                }
                return;
            }
            let following = members.get(i + 1).map(|m| m.start);
            if member.key.starts_with("Fn::ForEach::") {
                self.each(reader, member, &mut |stack, reader, members| stack.collect(reader, members, member.end));
            } else if member.key.starts_with("Fn::Transform") {
                let span = Span { file: self.doc.file, start: member.start, end: member.end };
                let message = "resources added by a macro or include are not read: it runs in the account".to_owned();
                reader.problem(ProblemSeverity::Note, message, span);
            } else {
                let logical: Arc<str> = self.substitute(&member.key).into();
                self.slots.push(Slot { logical, member, bindings: self.bindings.clone(), following });
            }
        }
    }

    /// Runs `body` once for every item of a `Fn::ForEach`, with the loop variable bound.
    pub(super) fn each(
        &mut self,
        reader: &mut Reader<'_>,
        member: &'d Member,
        body: &mut dyn FnMut(&mut Self, &mut Reader<'_>, &'d [Member]),
    ) {
        let span = Span { file: self.doc.file, start: member.start, end: member.end };
        let [name, over, output] = member.value.items() else {
            reader.problem(
                ProblemSeverity::Error,
                "Fn::ForEach needs a list of three: the variable, the collection, and a map",
                span,
            );
            return;
        };
        if self.bindings.len() >= 8 {
            reader.problem(ProblemSeverity::Error, "Fn::ForEach nested deeper than 8", span);
            return;
        }
        let name: Arc<str> = scalar_text(name).unwrap_or_default().into();
        let over = self.eval(reader, over);
        let items = match over.as_ref().map(|v| &v.data) {
            Some(Data::List(items)) => items.to_vec(),
            Some(Data::Str(text)) => text.split(',').map(|t| Val::str(t.trim(), span)).collect(),
            Some(_) => {
                let expr = format!("each {name}");
                let why = "the collection of Fn::ForEach is not known; one instance stands for all";
                vec![Val::unknown(WhyKind::Repeat, expr, why, span)]
            }
            None => Vec::new(),
        };
        for val in items.into_iter().take(MAX_RESOURCES) {
            self.bindings.push(Binding { name: name.clone(), val: val.through(Step::Each(name.clone()), span) });
            body(self, reader, output.members());
            self.bindings.pop();
            if reader.full {
                break;
            }
        }
    }

    /// Puts loop variables into a text: `${Name}` and `&{Name}` (which drops what is not alphanumeric).
    pub(super) fn substitute(&self, text: &str) -> String {
        if self.bindings.is_empty() || !text.contains('{') {
            return text.to_owned();
        }
        let mut out = text.to_owned();
        for binding in &self.bindings {
            let value = known(&binding.val).unwrap_or_else(|| "*".to_owned());
            let plain: String = value.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '*').collect();
            out = out
                .replace(&format!("${{{}}}", binding.name), &value)
                .replace(&format!("&{{{}}}", binding.name), &plain);
        }
        out
    }

    /// The answer of the named condition.
    pub(super) fn condition(&mut self, reader: &mut Reader<'_>, name: &str) -> Truth {
        let doc = self.doc;
        match self.conditions.get(name) {
            Some(Some(answer)) => return answer.clone(),
            Some(None) => return Truth::Unknown(format!("condition {name}, which depends on itself").into()),
            None => {}
        }
        let Some(member) = doc.root.get("Conditions").and_then(|c| c.member(name)) else {
            return Truth::Unknown(format!("condition {name}, which is not defined").into());
        };
        self.conditions.insert(&member.key, None);
        let answer = match self.truth(reader, &member.value) {
            Truth::Unknown(on) if on.starts_with("condition ") => Truth::Unknown(on),
            Truth::Unknown(on) => Truth::Unknown(format!("condition {name}, which depends on {on}").into()),
            known => known,
        };
        self.conditions.insert(&member.key, Some(answer.clone()));
        answer
    }

    /// Whether a resource is certainly absent.
    pub(super) fn absent(&mut self, reader: &mut Reader<'_>, logical: &str) -> bool {
        let Some(slot) = self.by_name.get(logical).and_then(|at| self.slots.get(*at)) else { return false };
        let Some(name) = slot.member.value.get("Condition").and_then(Node::as_str) else { return false };
        let name = self.substitute(name);
        matches!(self.condition(reader, &name), Truth::False)
    }

    fn resource(&mut self, reader: &mut Reader<'_>, at: usize) -> Option<Code> {
        let slot = self.slots.get(at)?.clone();
        let doc = self.doc;
        let node = &slot.member.value;
        let header = Span { file: doc.file, start: slot.member.start, end: slot.member.end };
        let span = Span { file: doc.file, start: slot.member.start, end: node.end.max(slot.member.end) };
        self.bindings.clone_from(&slot.bindings);
        if self.absent(reader, &slot.logical) {
            return None;
        }
        let Some(type_) = node.get("Type").and_then(Node::as_str) else {
            let message = format!("resource {} has no Type; write what it is, such as AWS::S3::Bucket", slot.logical);
            reader.problem(ProblemSeverity::Error, message, header);
            return None;
        };
        let attrs = match node.get("Properties") {
            Some(properties) => self.eval(reader, properties).unwrap_or_else(|| Val::map(Members::new(), header)),
            None => Val::map(Members::new(), header),
        };
        let depends_on = match node.get("DependsOn").map(|n| &n.data) {
            Some(Tree::Str(one)) => vec![self.full_name(one)],
            Some(Tree::Seq(many)) => many.iter().filter_map(Node::as_str).map(|n| self.full_name(n)).collect(),
            _ => Vec::new(),
        };
        let end = slot.following.unwrap_or_else(|| span.end.saturating_add(200).max(span.end));
        let mut skips = notes::about(&doc.notes, span.start, end, slot.following);
        if let Some(metadata) = node.get("Metadata") {
            metadata_skips(metadata, doc.file, &mut skips);
        }
        let key = match slot.bindings.last() {
            Some(binding) => known(&binding.val).map_or(Key::Any, |name| Key::Name(name.into())),
            None => Key::None,
        };
        let code = Code {
            address: self.full_name(&slot.logical),
            dialect: Dialect::CloudFormation,
            existing: false,
            written: None,
            type_: type_.into(),
            name: slot.logical.clone(),
            key,
            module: self.calls.clone(),
            root: reader.root.clone(),
            header,
            span,
            attrs,
            provider: None,
            depends_on,
            skips,
        };
        if matches!(type_, "AWS::CloudFormation::Stack" | "AWS::Serverless::Application") {
            self.expand(reader, &slot.logical, &code.attrs, span);
        } else if type_.ends_with("::MODULE") {
            let message = format!("the module `{type_}` is not in the repository: it is registered in the account");
            reader.problem(ProblemSeverity::Note, message, header);
        }
        Some(code)
    }

    fn full_name(&self, logical: &str) -> Arc<str> {
        format!("{}{}", self.prefix, self.substitute(logical)).into()
    }

    fn outputs(&mut self, reader: &mut Reader<'_>) -> BTreeMap<String, Val> {
        let doc = self.doc;
        self.bindings.clear();
        let mut out = BTreeMap::new();
        for member in doc.root.get("Outputs").map(Node::members).unwrap_or_default() {
            if let Some(name) = member.value.get("Condition").and_then(Node::as_str)
                && matches!(self.condition(reader, name), Truth::False)
            {
                continue;
            }
            if let Some(node) = member.value.get("Value")
                && let Some(val) = self.eval(reader, node)
            {
                out.insert(member.key.to_string(), val);
            }
        }
        out
    }

    /// An output of a nested stack: known when its template is on disk.
    pub(super) fn nested_output(
        &mut self,
        reader: &mut Reader<'_>,
        logical: &str,
        output: &str,
        span: Span,
    ) -> Option<Val> {
        let at = *self.by_name.get(logical)?;
        let member = self.slots.get(at)?.member;
        let type_ = member.value.get("Type").and_then(Node::as_str)?;
        if !matches!(type_, "AWS::CloudFormation::Stack" | "AWS::Serverless::Application") {
            return None;
        }
        if !self.nested.contains_key(logical) {
            let attrs = member.value.get("Properties").and_then(|p| self.eval(reader, p));
            let whole = Span { file: self.doc.file, start: member.start, end: member.value.end };
            self.expand(reader, &logical.into(), &attrs.unwrap_or_else(|| Val::null(whole)), whole);
        }
        match self.nested.get(logical) {
            Some(Nested::Done(Some(outputs))) => {
                let val = outputs.get(output)?.clone();
                Some(val.through(Step::Output(format!("{}{logical}.Outputs.{output}", self.prefix).into()), span))
            }
            Some(Nested::Done(None)) => Some(Val::unknown(
                WhyKind::Module,
                format!("{logical}.Outputs.{output}"),
                format!("the template of nested stack {logical} is not in the repository"),
                span,
            )),
            Some(Nested::Busy) | None => None,
        }
    }

    fn expand(&mut self, reader: &mut Reader<'_>, logical: &Arc<str>, attrs: &Val, span: Span) {
        if self.nested.contains_key(logical) {
            return;
        }
        self.nested.insert(logical.clone(), Nested::Busy);
        let outputs = self.instantiate(reader, logical, attrs, span);
        self.nested.insert(logical.clone(), Nested::Done(outputs.map(Rc::new)));
    }

    fn instantiate(
        &mut self,
        reader: &mut Reader<'_>,
        logical: &str,
        attrs: &Val,
        span: Span,
    ) -> Option<BTreeMap<String, Val>> {
        let source = attrs.get("TemplateURL").or_else(|| attrs.get("Location"));
        let source = source?;
        if source.as_map().is_some() {
            let message =
                format!("application {logical} of the Serverless Application Repository is not in the repository");
            reader.problem(ProblemSeverity::Note, message, span);
            return None;
        }
        let written = source.describe();
        // The CDK writes an address in the account, and beside it the file it will upload there.
        let node = self.doc.root.get("Resources").and_then(|r| r.get(logical));
        let asset = node.and_then(|n| n.get("Metadata")).and_then(|m| m.get("aws:asset:path")).and_then(Node::as_str);
        let found = local(reader.files, &self.doc.folder, &written);
        let beside = |asset: &str| local(reader.files, &self.doc.folder, asset);
        let Some(path) = found.or_else(|| asset.and_then(beside)) else {
            let message = format!("nested stack {logical}: template `{written}` is not in the repository");
            reader.problem(ProblemSeverity::Note, message, source.span);
            return None;
        };
        let address: Arc<str> = format!("{}{logical}", self.prefix).into();
        let own = self.doc.path == path.as_str().into();
        if self.depth >= MAX_NESTING || own {
            let message = format!("nested stack {logical} includes itself or is nested deeper than {MAX_NESTING}");
            reader.problem(ProblemSeverity::Error, message, span);
            return None;
        }
        let doc = reader.load(&path)?;
        reader.nested.insert(path);
        let given: BTreeMap<String, Val> = attrs
            .get("Parameters")
            .and_then(Val::as_map)
            .map(|m| m.iter().map(|(k, v)| (k.to_string(), v.clone())).collect())
            .unwrap_or_default();
        let mut calls = self.calls.to_vec();
        calls.push(Call { address: address.clone(), source: written.into(), span, skips: Arc::default() });
        Some(run(reader, &doc, &given, format!("{address}/"), calls.into(), self.depth + 1))
    }
}

/// The text of a scalar node as CloudFormation reads parameters; a list is joined with commas.
pub(super) fn scalar_text(node: &Node) -> Option<String> {
    match &node.data {
        Tree::Str(s) => Some(s.to_string()),
        Tree::Bool(b) => Some(b.to_string()),
        Tree::Int(i) => Some(i.to_string()),
        Tree::Double(d) => Some(d.to_string()),
        Tree::Seq(items) => Some(items.iter().filter_map(scalar_text).collect::<Vec<_>>().join(",")),
        Tree::Null | Tree::Map(_) => None,
    }
}

/// A parameter's value by its declared type: lists are split at commas, numbers are numbers.
fn typed(val: Val, type_: &str) -> Val {
    let span = val.span;
    let list = type_.starts_with("List<") || type_ == "CommaDelimitedList";
    let mut out = match &val.data {
        Data::Str(text) if list => {
            let items = text.split(',').map(|t| Val::str(t.trim(), span)).collect();
            Val::list(if text.is_empty() { Vec::new() } else { items }, span)
        }
        Data::Str(text) if type_ == "Number" => match text.parse::<f64>() {
            Ok(number) => Val::num(number, span),
            Err(_) => val.clone(),
        },
        _ => val.clone(),
    };
    out.sensitive |= val.sensitive;
    if out.prov.is_none() {
        out.prov = val.prov;
    }
    out
}

/// Skips written in a resource's metadata, as checkov, cfn_nag, cfn-lint, cfn-guard and we read them.
pub(crate) fn metadata_skips(metadata: &Node, file: crate::source::FileId, skips: &mut Vec<Skip>) {
    let text = |node: Option<&Node>| node.and_then(scalar_text).unwrap_or_default();
    let mut lists: Vec<(&'static str, &Node)> = Vec::new();
    for (tool, key, list) in [
        ("checkov", "checkov", "skip"),
        ("checkov", "bridgecrew", "skip"),
        ("plumb", "plumb", "skip"),
        ("cfn-nag", "cfn_nag", "rules_to_suppress"),
        ("cfn-guard", "guard", "SuppressedRules"),
    ] {
        if let Some(list) = metadata.get_nocase(key).and_then(|n| n.get_nocase(list)) {
            lists.push((tool, list));
        }
    }
    if let Some(list) = metadata.get("cfn-lint").and_then(|n| n.get("config")).and_then(|n| n.get("ignore_checks")) {
        lists.push(("cfn-lint", list));
    }
    for (tool, list) in lists {
        for item in list.items() {
            let id = if item.is_map() { text(item.get("id").or_else(|| item.get("rule"))) } else { text(Some(item)) };
            if id.is_empty() {
                continue;
            }
            let reason = text(item.get("comment").or_else(|| item.get("reason")));
            let span = Span { file, start: item.start, end: item.end };
            skips.push(Skip { tool, ids: vec![id.into()], reason: reason.into(), until: None, only: None, span });
        }
    }
}
