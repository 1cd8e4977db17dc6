//! `terraform show -json`: a plan, a state, or a raw state file.
//!
//! A plan knows almost everything; the configuration beside it knows where things are written. Both are read and laid
//! over each other: values come from the plan, places, comments and references from the configuration.

use super::data::{JUDGED, PROVIDERS};
use super::plan_refs::References;
use super::world::World;
use super::{Options, read_root};
use crate::json;
use crate::resource::{Call, Code, Dialect, Key, Move, Provider, Reading};
use crate::source::{Files, ProblemSeverity, Span};
use crate::value::{Data, Doc, Members, Val, WhyKind};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Whether a JSON text looks like a plan, a state or a state file, told by its first bytes and top-level members.
pub fn is_plan_or_state(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    if !text.trim_start_matches('\u{FEFF}').trim_start().starts_with('{') {
        return false;
    }
    let has = |name: &str| text.contains(name);
    (has("\"terraform_version\"") || has("\"format_version\""))
        && (has("\"resource_changes\"") || has("\"planned_values\"") || has("\"values\"") || has("\"resources\""))
}

/// Reads a plan or state file. When configuration stands in the same folder, places, inline skips and references come
/// from there; else places are those in the JSON file.
pub fn read_plan(files: &dyn Files, path: &str, options: &Options) -> Reading {
    let mut world = World::new(files);
    world.workspace = options.workspace.as_deref().map(Arc::from);
    let bytes = files.read(path).unwrap_or_default();
    let (file, text) = world.sources.add(path, &bytes);
    let document = match json::parse(&text, file, json::Dialect { comments: false }) {
        Ok(document) => document,
        Err(error) => {
            let span = Span::new(file, error.offset, error.offset + 1);
            world.report(ProblemSeverity::Error, span, error.message);
            return Reading { problems: world.problems, sources: world.sources, ..Reading::default() };
        }
    };
    let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
    let mut written = Vec::new();
    let module = world.module(&dir.into());
    if !(module.resources.is_empty() && module.calls.is_empty()) {
        let variables = document.get("variables").and_then(Val::as_map);
        let given = variables.into_iter().flatten().filter_map(|(k, v)| Some((k.clone(), v.get("value")?.clone())));
        read_root(&mut world, dir, options, given.collect(), &mut written);
        // What the plan already answered is not a problem any more.
        world.problems.retain(|p| p.severity == ProblemSeverity::Error && p.place.file.as_ref() == path);
    }
    let written = Written::new(&written);
    let references = References { document: &document, addresses: addresses(&document) };
    let mut reader = Reader { document: &document, written, references, root: dir.into(), out: Vec::new() };
    reader.read();
    reader.providers();
    if reader.out.is_empty() && !reader.recognised() {
        let message =
            "this is neither a plan nor a state: `resource_changes`, `planned_values` or `values` was expected";
        world.report(ProblemSeverity::Error, Span { end: document.span.start + 1, ..document.span }, message);
    }
    let said = |name: &str| document.get(name).and_then(Val::as_bool);
    let top = Span { end: document.span.start + 1, ..document.span };
    if said("errored") == Some(true) {
        let message = "the plan ended with an error: what it would have planned after it is not in it";
        world.report(ProblemSeverity::Error, top, message);
    } else if said("complete") == Some(false) && said("applyable").is_some() {
        let message = "the plan is not complete: what it puts off to a later one, or was not targeted, is not in it";
        world.report(ProblemSeverity::Error, top, message);
    }
    let moves = renamed(&document, dir);
    Reading { resources: reader.out, problems: world.problems, sources: world.sources, moves }
}

/// What the plan says was called otherwise until now.
fn renamed(document: &Val, dir: &str) -> Vec<Move> {
    let changes = document.get("resource_changes").and_then(Val::as_list).unwrap_or_default();
    let text = |change: &Val, name: &str| Some(change.get(name)?.as_str()?.to_owned());
    let ends = changes.iter().filter_map(|change| text(change, "previous_address").zip(text(change, "address")));
    ends.map(|(from, to)| Move { root: dir.into(), from, to }).collect()
}

/// The configuration's resources, by address and by address without keys.
struct Written<'a> {
    exact: HashMap<&'a str, &'a Code>,
    loose: HashMap<String, &'a Code>,
}

impl<'a> Written<'a> {
    fn new(codes: &'a [Code]) -> Self {
        let exact = codes.iter().map(|c| (&*c.address, c)).collect();
        let mut loose = HashMap::new();
        for code in codes {
            loose.entry(without_keys(&code.address)).or_insert(code);
        }
        Self { exact, loose }
    }

    fn find(&self, address: &str) -> Option<&'a Code> {
        self.exact.get(address).or_else(|| self.loose.get(&without_keys(address))).copied()
    }
}

/// `module.a["k"].aws_x.y[0]` without `["k"]` and `[0]`.
fn without_keys(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    steps(address, &mut |step, _| {
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(step);
    });
    out
}

/// Splits an address at its dots; each step comes without its key, and with where it ends.
pub(super) fn steps(address: &str, each: &mut dyn FnMut(&str, usize)) {
    let bytes = address.as_bytes();
    let mut start = 0;
    let mut name_end = None;
    let mut quoted = false;
    let mut depth = 0;
    for (i, b) in bytes.iter().enumerate() {
        match b {
            b'"' if depth > 0 && bytes.get(i.wrapping_sub(1)) != Some(&b'\\') => quoted = !quoted,
            b'[' if !quoted => {
                depth += 1;
                name_end = name_end.or(Some(i));
            }
            b']' if !quoted && depth > 0 => depth -= 1,
            b'.' if depth == 0 => {
                each(address.get(start..name_end.unwrap_or(i)).unwrap_or(""), i);
                start = i + 1;
                name_end = None;
            }
            _ => {}
        }
    }
    each(address.get(start..name_end.unwrap_or(address.len())).unwrap_or(""), address.len());
}

/// The addresses of the module instances on the way to a resource, outermost first.
pub(super) fn modules(address: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut name_next = false;
    let mut over = false;
    steps(address, &mut |step, end| {
        if over {
            return;
        }
        if name_next {
            name_next = false;
            out.push(address.get(..end).unwrap_or(""));
        } else if step == "module" {
            name_next = true;
        } else {
            over = true;
        }
    });
    out
}

struct Reader<'a> {
    document: &'a Val,
    written: Written<'a>,
    references: References<'a>,
    root: Arc<str>,
    out: Vec<Code>,
}

/// One resource as the document has it.
struct Found<'a> {
    item: &'a Val,
    address: String,
    values: Option<&'a Val>,
    unknown: Option<&'a Val>,
    sensitive: Option<&'a Val>,
    dialect: Dialect,
}

impl Reader<'_> {
    fn recognised(&self) -> bool {
        ["resource_changes", "planned_values", "values", "resources", "prior_state"]
            .iter()
            .any(|m| self.document.get(m).is_some())
    }

    fn read(&mut self) {
        let document = self.document;
        if let Some(changes) = document.get("resource_changes").and_then(Val::as_list) {
            for item in changes {
                self.change(item);
            }
            // Data sources that were read while planning are not changes; they stand in the state before.
            if let Some(root) = document.at("prior_state.values.root_module") {
                self.module(root, Dialect::TerraformPlan, true, 0);
            }
        } else if let Some(root) = document.at("planned_values.root_module") {
            self.module(root, Dialect::TerraformPlan, false, 0);
        } else if let Some(root) = document.at("values.root_module") {
            self.module(root, Dialect::TerraformState, false, 0);
        } else if let Some(resources) = document.get("resources").and_then(Val::as_list) {
            for item in resources {
                self.state_file(item);
            }
        }
    }

    fn change(&mut self, item: &Val) {
        let Some(change) = item.get("change") else { return };
        let actions = change.get("actions").and_then(Val::as_list).unwrap_or(&[]);
        let gone = |a: &Val| matches!(a.as_str(), Some("delete" | "forget"));
        if !actions.is_empty() && actions.iter().all(gone) {
            return;
        }
        let Some(address) = item.get("address").and_then(Val::as_str) else { return };
        self.push(&Found {
            item,
            address: address.to_owned(),
            values: change.get("after").filter(|v| !v.is_null()),
            unknown: change.get("after_unknown"),
            sensitive: change.get("after_sensitive"),
            dialect: Dialect::TerraformPlan,
        });
    }

    fn module(&mut self, module: &Val, dialect: Dialect, data_only: bool, depth: u32) {
        for item in module.get("resources").and_then(Val::as_list).unwrap_or(&[]) {
            if data_only && item.get("mode").and_then(Val::as_str) != Some("data") {
                continue;
            }
            let Some(address) = item.get("address").and_then(Val::as_str) else { continue };
            self.push(&Found {
                item,
                address: address.to_owned(),
                values: item.get("values"),
                unknown: None,
                sensitive: item.get("sensitive_values"),
                dialect,
            });
        }
        for child in module.get("child_modules").and_then(Val::as_list).unwrap_or(&[]) {
            if depth < 64 {
                self.module(child, dialect, data_only, depth + 1);
            }
        }
    }

    fn state_file(&mut self, item: &Val) {
        let text = |name: &str| item.get(name).and_then(Val::as_str).unwrap_or("");
        let module = text("module");
        let prefix = if module.is_empty() { String::new() } else { format!("{module}.") };
        let mode = if text("mode") == "data" { "data." } else { "" };
        for instance in item.get("instances").and_then(Val::as_list).unwrap_or(&[]) {
            let key = key_of(instance.get("index_key"));
            self.push(&Found {
                item,
                address: format!("{prefix}{mode}{}.{}{key}", text("type"), text("name")),
                values: instance.get("attributes"),
                unknown: None,
                sensitive: None,
                dialect: Dialect::TerraformState,
            });
        }
    }

    fn push(&mut self, found: &Found<'_>) {
        let text = |name: &str| found.item.get(name).and_then(Val::as_str).unwrap_or("");
        let (type_, name) = (text("type"), text("name"));
        if type_.is_empty() {
            return;
        }
        let code = self.written.find(&found.address);
        let span = code.map_or(found.item.span, |c| c.span);
        let header = code.map_or_else(|| Span { end: found.item.span.start + 1, ..found.item.span }, |c| c.header);
        let empty = Val::map(Members::new(), span);
        let key = key_in(&found.address, found.item.get("index"));
        let refers = match code {
            None => {
                self.references.written(&found.address, text("mode"), type_, name, &key.to_string(), found.item.span)
            }
            Some(_) => None,
        };
        let written = code.map(|c| &c.attrs);
        let mut attrs = overlay(found.values.unwrap_or(&empty), found.unknown, written, header, 0);
        if let Some(refers) = &refers {
            refer(&mut attrs, refers);
        }
        if let Some(sensitive) = found.sensitive {
            mark(&mut attrs, sensitive);
        }
        let module: Arc<[Call]> = match code {
            Some(code) if code.module.len() == modules(&found.address).len() => {
                let addresses = modules(&found.address);
                code.module.iter().zip(addresses).map(|(c, a)| Call { address: a.into(), ..c.clone() }).collect()
            }
            _ => self.calls(&found.address, header),
        };
        let provider_name = text("provider_name").rsplit('/').next().unwrap_or("");
        let provider_name =
            if provider_name.is_empty() { type_.split('_').next().unwrap_or("") } else { provider_name };
        let provider = code.and_then(|c| c.provider.clone()).unwrap_or_else(|| self.provider(provider_name, header));
        let depends = found.item.get("depends_on").and_then(Val::as_list).unwrap_or(&[]);
        let data = text("mode") == "data";
        let judged = data && JUDGED.contains(&type_);
        self.out.push(Code {
            address: found.address.as_str().into(),
            dialect: found.dialect,
            existing: data && !judged,
            written: None,
            type_: if judged { format!("data.{type_}").into() } else { type_.into() },
            name: name.into(),
            key,
            module,
            root: self.root.clone(),
            header,
            span,
            attrs,
            provider: Some(provider),
            depends_on: match code {
                Some(code) => code.depends_on.clone(),
                None => depends.iter().filter_map(Val::as_str).map(Arc::from).collect(),
            },
            skips: code.map(|c| c.skips.clone()).unwrap_or_default(),
        });
    }

    /// The module calls as the plan's own copy of the configuration names them.
    fn calls(&self, address: &str, span: Span) -> Arc<[Call]> {
        let mut here = self.document.at("configuration.root_module");
        let mut out = Vec::new();
        for module in modules(address) {
            let mut name = String::new();
            steps(module, &mut |step, _| name = step.to_owned());
            let call = here.and_then(|m| m.get("module_calls")).and_then(|c| c.get(&name));
            let source = call.and_then(|c| c.get("source")).and_then(Val::as_str).unwrap_or("");
            out.push(Call { address: module.into(), source: source.into(), span, skips: Arc::default() });
            here = call.and_then(|c| c.get("module"));
        }
        out.into()
    }

    /// The provider blocks that are judged: as the configuration beside the plan has them, else by the plan's own copy.
    fn providers(&mut self) {
        let blocks = self.document.at("configuration.provider_config").and_then(Val::as_map);
        for block in blocks.into_iter().flatten().map(|(_, block)| block) {
            let text = |name: &str| block.get(name).and_then(Val::as_str).unwrap_or("");
            let (name, alias, module) = (text("name"), text("alias"), text("module_address"));
            // Providers that nobody wrote are listed too, without expressions.
            let Some(settings) = block.get("expressions").and_then(Val::as_map) else { continue };
            if !PROVIDERS.contains(&name) {
                continue;
            }
            let parts = [module, "provider", name, alias];
            let address = parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(".");
            let code = self.written.find(&address);
            let span = code.map_or(block.span, |c| c.span);
            let header = code.map_or_else(|| Span { end: block.span.start + 1, ..block.span }, |c| c.header);
            let constant = |(key, val): (&Arc<str>, &Val)| match val.get("constant_value") {
                Some(constant) => (key.clone(), constant.clone()),
                None => (
                    key.clone(),
                    Val::unknown(WhyKind::Input, &**key, "the plan names only what it refers to", val.span),
                ),
            };
            let attrs =
                code.map_or_else(|| Val::map(settings.iter().map(constant).collect(), span), |c| c.attrs.clone());
            self.out.push(Code {
                module: self.calls(&address, header),
                address: address.into(),
                dialect: Dialect::TerraformPlan,
                existing: false,
                written: None,
                type_: format!("provider.{name}").into(),
                name: if alias.is_empty() { name.into() } else { alias.into() },
                key: Key::None,
                root: self.root.clone(),
                header,
                span,
                attrs,
                provider: None,
                depends_on: Vec::new(),
                skips: code.map(|c| c.skips.clone()).unwrap_or_default(),
            });
        }
    }

    /// The default provider's constant settings, from the plan's own copy of the configuration.
    fn provider(&self, name: &str, span: Span) -> Arc<Provider> {
        let mut config = Members::new();
        let block = self.document.at("configuration.provider_config").and_then(|p| p.get(name));
        for (key, val) in block.and_then(|b| b.get("expressions")).and_then(Val::as_map).into_iter().flatten() {
            if let Some(constant) = val.get("constant_value") {
                config.insert(key.clone(), constant.clone());
            }
        }
        Arc::new(Provider { name: name.into(), alias: "".into(), config: Val::map(config, span), version: "".into() })
    }
}

/// The addresses of all resources a plan names.
fn addresses(document: &Val) -> HashSet<String> {
    let changes = document.get("resource_changes").and_then(Val::as_list).unwrap_or(&[]);
    changes.iter().filter_map(|c| c.get("address").and_then(Val::as_str)).map(str::to_owned).collect()
}

/// Puts references where the plan itself only says that a value is not known.
fn refer(val: &mut Val, refers: &Val) {
    match (&mut val.data, &refers.data) {
        (Data::Unknown(_), Data::Ref(_) | Data::Unknown(_)) => *val = refers.clone(),
        (Data::Map(members), Data::Map(refers)) => {
            let members = Arc::make_mut(members);
            for (key, refers) in refers.iter() {
                if let Some(member) = members.get_mut(key) {
                    refer(member, refers);
                }
            }
        }
        (Data::List(items), Data::List(refers)) if items.len() == refers.len() => {
            for (item, refers) in Arc::make_mut(items).iter_mut().zip(refers.iter()) {
                refer(item, refers);
            }
        }
        _ => {}
    }
}

fn key_of(index: Option<&Val>) -> Key {
    match index.map(|v| &v.data) {
        Some(Data::Int(i)) => Key::Index(u64::try_from(*i).unwrap_or(0)),
        Some(Data::Str(s)) => Key::Name(s.clone()),
        _ => Key::None,
    }
}

fn key_in(address: &str, index: Option<&Val>) -> Key {
    if index.is_some() {
        return key_of(index);
    }
    let Some((_, key)) = address.strip_suffix(']').and_then(|a| a.rsplit_once('[')) else { return Key::None };
    match key.parse() {
        Ok(number) => Key::Index(number),
        Err(_) => {
            Key::Name(serde_json::from_str::<String>(key).unwrap_or_else(|_| key.trim_matches('"').into()).into())
        }
    }
}

/// The plan's value with the configuration's places; where the plan does not know, what the configuration says.
fn overlay(planned: &Val, unknown: Option<&Val>, written: Option<&Val>, at: Span, depth: u32) -> Val {
    let span = written.map_or(if depth == 0 { planned.span } else { at }, |w| w.span);
    let prov = written.and_then(|w| w.prov.clone());
    let open = |name: &str| Val::unknown(WhyKind::Apply, name, "known after apply", span);
    if unknown.and_then(Val::as_bool) == Some(true) {
        return match written {
            Some(w) if !w.is_known() => w.clone(),
            _ => open("(known after apply)"),
        };
    }
    if depth > 64 {
        return planned.clone();
    }
    // Without configuration the place is the plan's own.
    let at = if written.is_none() && depth == 0 { planned.span } else { at };
    let data = match &planned.data {
        Data::Map(members) => {
            let mut out = Members::new();
            for (key, val) in members.iter() {
                let w = written.and_then(|w| w.at_member(key));
                out.insert(key.clone(), overlay(val, unknown.and_then(|u| u.get(key)), w, at, depth + 1));
            }
            for (key, flag) in unknown.and_then(Val::as_map).into_iter().flatten() {
                if out.contains_key(key) || !holds_true(flag) {
                    continue;
                }
                let w = written.and_then(|w| w.at_member(key));
                let val = match w {
                    Some(w) if !w.is_known() => w.clone(),
                    _ => open(key),
                };
                out.insert(key.clone(), val);
            }
            Data::Map(Arc::new(out))
        }
        Data::List(items) => {
            let flags = unknown.and_then(Val::as_list).unwrap_or(&[]);
            let theirs = written.and_then(Val::as_list).filter(|l| l.len() == items.len()).unwrap_or(&[]);
            let items = items.iter().enumerate();
            Data::List(Arc::new(items.map(|(i, v)| overlay(v, flags.get(i), theirs.get(i), at, depth + 1)).collect()))
        }
        Data::Str(text) => match written.map(|w| &w.data) {
            Some(Data::Doc(doc)) if doc.text.is_none() || doc.text.as_ref() == Some(text) => {
                Data::Doc(Arc::new(Doc { text: Some(text.clone()), value: known_parts(text, doc, span) }))
            }
            _ => Data::Str(text.clone()),
        },
        data => data.clone(),
    };
    let span = if written.is_none() && planned.span.file == at.file { planned.span } else { span };
    Val { data, span, sensitive: planned.sensitive || written.is_some_and(|w| w.sensitive), typed: false, prov }
}

/// The decoded text with the places of the document it was written as.
fn known_parts(text: &Arc<str>, doc: &Doc, span: Span) -> Val {
    match json::parse_text(text, span) {
        Some(parsed) => overlay(&parsed, None, Some(&doc.value), span, 1),
        None => doc.value.clone(),
    }
}

fn holds_true(val: &Val) -> bool {
    let mut found = false;
    val.walk("", 0, &mut |_, v| found |= v.as_bool() == Some(true));
    found
}

/// Marks as sensitive what the plan marks.
fn mark(val: &mut Val, flags: &Val) {
    match &flags.data {
        Data::Bool(true) => val.sensitive = true,
        Data::Map(flags) => {
            if let Data::Map(members) = &mut val.data {
                let members = Arc::make_mut(members);
                for (key, flag) in flags.iter() {
                    if let Some(member) = members.get_mut(key) {
                        mark(member, flag);
                    }
                }
            }
        }
        Data::List(flags) => {
            if let Data::List(items) = &mut val.data {
                for (item, flag) in Arc::make_mut(items).iter_mut().zip(flags.iter()) {
                    mark(item, flag);
                }
            }
        }
        _ => {}
    }
}

impl Val {
    /// A member, looking through a list of one (blocks are lists).
    fn at_member(&self, key: &str) -> Option<&Val> {
        match &self.data {
            Data::List(items) => match items.as_slice() {
                [one] => one.get(key),
                _ => None,
            },
            _ => self.get(key),
        }
    }
}
