//! An ARM document into a template.

use super::expr;
use crate::azure::expr::{Expr, Item, Kind, Loop, Prop};
use crate::azure::template::{Decl, Func, Over, Param, Template, Type, TypeDecl, Var, What};
use crate::cloudformation::metadata_skips;
use crate::document::{self, Data, Fault, Member, Node};
use crate::notes;
use crate::resource::{Dialect, Skip};
use crate::source::FileId;
use std::rc::Rc;
use std::sync::Arc;

/// Parses an ARM template; none when the text holds no document at all.
pub(crate) fn parse(text: &str, path: &str, file: FileId) -> (Option<Template>, Vec<Fault>) {
    let mut parsed = document::json::parse(text);
    let Some(root) = parsed.documents.pop() else { return (None, parsed.faults) };
    let mut reader = Reader { file, path: path.into(), faults: parsed.faults };
    let mut template = reader.template(&root);
    template.notes = notes::find(text, file, &["//"]);
    (Some(template), reader.faults)
}

struct Reader {
    file: FileId,
    path: Arc<str>,
    faults: Vec<Fault>,
}

impl Reader {
    fn template(&mut self, root: &Node) -> Template {
        let mut t = Template {
            file: self.file,
            path: self.path.clone(),
            folder: self.path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned(),
            dialect: Dialect::Arm,
            params: Vec::new(),
            vars: Vec::new(),
            decls: Vec::new(),
            outputs: Vec::new(),
            functions: Vec::new(),
            types: Vec::new(),
            imports: Vec::new(),
            using: None,
            notes: Vec::new(),
            scope: None,
        };
        let members = |key: &str| root.get_nocase(key).map(Node::members).unwrap_or_default();
        for member in members("definitions") {
            let (type_, secure) = kind_of(&member.value);
            t.types.push(TypeDecl { name: (*member.key).into(), type_, secure });
        }
        for member in members("parameters") {
            let (type_, secure) = kind_of(&member.value);
            let default = member.value.get_nocase("defaultValue").map(|n| self.expr(n));
            let allowed = member.value.get_nocase("allowedValues").map(|n| self.expr(n));
            let (start, end) = (member.start, member.value.end);
            t.params.push(Param { name: (*member.key).into(), start, end, type_, default, allowed, secure });
        }
        for member in members("variables") {
            if member.key.eq_ignore_ascii_case("copy") && !member.value.items().is_empty() {
                for (name, value) in self.copies(&member.value) {
                    t.vars.push(var(name, value));
                }
                continue;
            }
            let value = self.expr(&member.value);
            t.vars.push(var((*member.key).into(), value));
        }
        for space in root.get_nocase("functions").map(Node::items).unwrap_or_default() {
            let prefix = space.get_nocase("namespace").and_then(Node::as_str).unwrap_or_default();
            for member in space.get_nocase("members").map(Node::members).unwrap_or_default() {
                let params = member.value.get_nocase("parameters").map(Node::items).unwrap_or_default();
                let names = params.iter().filter_map(|p| p.get_nocase("name").and_then(Node::as_str));
                let body = member.value.get_nocase("output").and_then(|o| o.get_nocase("value"));
                let Some(body) = body else { continue };
                let body = self.expr(body);
                t.functions.push(Func {
                    name: format!("{prefix}.{}", member.key).into(),
                    params: names.map(|n| format!("param:{}", n.to_ascii_lowercase()).into()).collect(),
                    body,
                });
            }
        }
        for member in members("outputs") {
            let condition = member.value.get_nocase("condition").map(|n| self.expr(n));
            let value = match (member.value.get_nocase("value"), member.value.get_nocase("copy")) {
                (Some(value), _) => self.expr(value),
                (None, Some(copy)) => self.copy_loop(copy, copy.get_nocase("input")),
                _ => continue,
            };
            let (_, secure) = kind_of(&member.value);
            let mut out = var((*member.key).into(), value);
            (out.condition, out.secure) = (condition, secure);
            t.outputs.push(out);
        }
        if let Some(resources) = root.get_nocase("resources") {
            t.decls = self.resources(resources);
        }
        t
    }

    fn resources(&mut self, node: &Node) -> Vec<Decl> {
        let mut out: Vec<Decl> = Vec::new();
        for item in node.items() {
            out.extend(self.resource(item, None, item.start));
        }
        // Symbolic names: an object instead of a list.
        for member in node.members() {
            out.extend(self.resource(&member.value, Some((*member.key).into()), member.start));
        }
        let starts: Vec<u32> = out.iter().map(|d| d.start).collect();
        for (i, decl) in out.iter_mut().enumerate() {
            decl.following = starts.get(i + 1).copied();
        }
        out
    }

    fn resource(&mut self, node: &Node, symbol: Option<Rc<str>>, start: u32) -> Option<Decl> {
        let type_node = node.get_nocase("type");
        let Some(type_) = type_node.and_then(Node::as_str) else {
            if node.is_map() {
                let message = "a resource without a type; write what it is, such as Microsoft.Storage/storageAccounts";
                self.faults.push(Fault { at: node.start, message: message.into() });
            }
            return None;
        };
        // Types of extensible providers carry their version behind an `@`.
        let (type_, inline_api) = type_.split_once('@').unwrap_or((type_, ""));
        let api = node.get_nocase("apiVersion").and_then(Node::as_str).unwrap_or(inline_api);
        let properties = node.get_nocase("properties");
        let what = if type_.eq_ignore_ascii_case("Microsoft.Resources/deployments") {
            match (
                properties.and_then(|p| p.get_nocase("template")),
                properties.and_then(|p| p.get_nocase("templateLink")),
            ) {
                (Some(template), _) => {
                    let inner = properties
                        .and_then(|p| p.get_nocase("expressionEvaluationOptions"))
                        .and_then(|o| o.get_nocase("scope"))
                        .and_then(Node::as_str)
                        .is_some_and(|s| s.eq_ignore_ascii_case("inner"));
                    What::Inline { template: Rc::new(self.template(template)), inner }
                }
                (None, Some(_)) => What::Linked,
                _ => What::Resource { type_: type_.into(), api: api.into() },
            }
        } else {
            What::Resource { type_: type_.into(), api: api.into() }
        };
        let over = node.get_nocase("copy").filter(|c| c.is_map()).map(|copy| Over {
            item: None,
            index: None,
            copy: Some(copy.get_nocase("name").and_then(Node::as_str).unwrap_or_default().into()),
            list: copy.get_nocase("count").map_or(Expr::new(copy.start, copy.end, Kind::Int(0)), |n| self.expr(n)),
        });
        let condition = node.get_nocase("condition").map(|n| self.expr(n));
        let existing = node.get_nocase("existing").is_some_and(|n| n.data == Data::Bool(true));
        let body = self.body(node, !matches!(what, What::Resource { .. }));
        let mut skips: Vec<Skip> = Vec::new();
        if let Some(metadata) = node.get_nocase("metadata") {
            metadata_skips(metadata, self.file, &mut skips);
        }
        let children = node.get_nocase("resources").map(|n| self.resources(n)).unwrap_or_default();
        let header_end = type_node.map_or(node.end, |n| n.end);
        Some(Decl {
            symbol,
            what,
            existing,
            over,
            condition,
            body,
            children,
            start,
            end: node.end,
            header_end,
            following: None,
            skips,
        })
    }

    /// The resource's own members; a nested template is not evaluated as a value.
    fn body(&mut self, node: &Node, deployment: bool) -> Expr {
        let mut props = Vec::new();
        for member in node.members() {
            let lower = member.key.to_ascii_lowercase();
            if matches!(lower.as_str(), "resources" | "copy" | "condition" | "metadata" | "comments") {
                continue;
            }
            let value = if deployment && lower == "properties" {
                let kept: Vec<Prop> = member
                    .value
                    .members()
                    .iter()
                    .filter(|m| !m.key.eq_ignore_ascii_case("template"))
                    .map(|m| self.pair(m))
                    .collect();
                Expr::new(member.value.start, member.value.end, Kind::Object(kept))
            } else {
                self.expr(&member.value)
            };
            props.push(Prop::Pair(Expr::new(member.start, member.end, Kind::Str((*member.key).into())), value));
        }
        Expr::new(node.start, node.end, Kind::Object(props))
    }

    fn pair(&mut self, member: &Member) -> Prop {
        // Keys can be expressions too, and are escaped as texts are.
        let key = match &*member.key {
            key if key.starts_with('[') && key.ends_with(']') => self.text(key, member.start, member.end),
            key => Expr::new(member.start, member.end, Kind::Str(key.into())),
        };
        Prop::Pair(key, self.expr(&member.value))
    }

    fn expr(&mut self, node: &Node) -> Expr {
        let kind = match &node.data {
            Data::Null => Kind::Null,
            Data::Bool(b) => Kind::Bool(*b),
            Data::Int(i) => Kind::Int(*i),
            Data::Double(f) => Kind::Double(*f),
            Data::Str(text) => return self.text(text, node.start, node.end),
            Data::Seq(items) => {
                Kind::Array(items.iter().map(|n| Item { spread: false, value: self.expr(n) }).collect())
            }
            Data::Map(members) => {
                let mut props = Vec::with_capacity(members.len());
                for member in members {
                    let loops = member.value.items();
                    if member.key.eq_ignore_ascii_case("copy")
                        && !loops.is_empty()
                        && loops.iter().all(|l| l.get_nocase("name").is_some() && l.get_nocase("input").is_some())
                    {
                        for (name, value) in self.copies(&member.value) {
                            props.push(Prop::Pair(Expr::new(member.start, member.end, Kind::Str(name)), value));
                        }
                    } else {
                        props.push(self.pair(member));
                    }
                }
                Kind::Object(props)
            }
        };
        Expr::new(node.start, node.end, kind)
    }

    /// `"copy": [{ name, count, input }]`: each makes a list under its name.
    fn copies(&mut self, node: &Node) -> Vec<(Rc<str>, Expr)> {
        let mut out = Vec::new();
        for copy in node.items() {
            let name = copy.get_nocase("name").and_then(Node::as_str).unwrap_or_default();
            out.push((name.into(), self.copy_loop(copy, copy.get_nocase("input"))));
        }
        out
    }

    fn copy_loop(&mut self, copy: &Node, input: Option<&Node>) -> Expr {
        let name = copy.get_nocase("name").and_then(Node::as_str).unwrap_or_default();
        let null = Expr::new(copy.start, copy.end, Kind::Null);
        let over = copy.get_nocase("count").map_or(null.clone(), |n| self.expr(n));
        let body = input.map_or(null, |n| self.expr(n));
        let each = Loop { item: None, index: None, copy: Some(name.into()), over, body };
        Expr::new(copy.start, copy.end, Kind::For(Box::new(each)))
    }

    fn text(&mut self, text: &str, start: u32, end: u32) -> Expr {
        if let Some(rest) = text.strip_prefix("[[") {
            return Expr::new(start, end, Kind::Str(format!("[{rest}").into()));
        }
        if let Some(inside) = text.trim_end().strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            match expr::parse(inside, start + 2) {
                Ok(mut expr) => {
                    // Escapes make the text in the file longer than the text read; the string's end is certain.
                    (expr.start, expr.end) = (start, end);
                    return expr;
                }
                Err(mut fault) => {
                    fault.at = fault.at.min(end);
                    self.faults.push(fault);
                }
            }
        }
        Expr::new(start, end, Kind::Str(text.into()))
    }
}

fn var(name: Rc<str>, value: Expr) -> Var {
    Var { name, value, secure: false, condition: None }
}

/// A type's nullability and secrecy.
fn kind_of(node: &Node) -> (Type, bool) {
    let name = node.get_nocase("type").and_then(Node::as_str).unwrap_or_default().to_ascii_lowercase();
    let secure = name.starts_with("secure");
    let reference = node.get_nocase("$ref").and_then(Node::as_str).and_then(|r| r.rsplit('/').next());
    let type_ = match reference {
        Some(name) => Type::Name(name.into()),
        None => Type::Name(name.into()),
    };
    if node.get_nocase("nullable").is_some_and(|n| n.data == Data::Bool(true)) {
        return (Type::Nullable(Box::new(type_)), secure);
    }
    (type_, secure)
}
