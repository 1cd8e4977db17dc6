//! One shape for what all languages write: where every value stands, and whether it is written out or computed.

use crate::azure::expr::{Expr as AzureExpr, Kind as AzureKind, Prop};
use crate::azure::template::Decl;
use crate::document::{self, Node};
use crate::source::FileId;
use crate::terraform::ast::{Block, Body, Expr, Kind};
use crate::{bicep, cloudformation, terraform};
use plumb_catalog::Step;
use serde_json::Value as Json;

/// A value in a file: its bytes and what stands there. Of a block, the bytes between its braces.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub start: usize,
    pub end: usize,
    pub what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    /// Written out: null, a truth value, a number or text.
    Plain(Json),
    /// Given by something else: a variable, a reference, a function.
    Computed,
    Map(Vec<Entry>, Form),
    List(Vec<Tree>, Form),
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: Box<str>,
    pub start: usize,
    pub end: usize,
    pub value: Tree,
    /// A nested block of Terraform, which may be there several times.
    pub block: bool,
}

/// How a container is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A block of Terraform.
    Body,
    /// An object or list value of Terraform.
    Hcl,
    /// YAML with one entry a line.
    Yaml,
    /// JSON, and YAML in braces.
    Json,
    /// Bicep.
    Bicep,
}

/// How far a path leads.
pub(super) enum Reach<'t> {
    At(&'t Tree),
    /// Blocks of one name in this body; the path wants each of them.
    Blocks(&'t Tree, &'t str),
    /// The container that lacks the first of the remaining steps, counted from the end.
    Missing(&'t Tree, usize),
    /// Something on the way is computed.
    Computed(&'t Tree),
    /// The way is not clear.
    Unclear(&'static str),
}

pub(super) fn reach<'t>(tree: &'t Tree, steps: &[Step], folded: bool) -> Reach<'t> {
    let Some((step, rest)) = steps.split_first() else {
        return if matches!(tree.what, What::Computed) { Reach::Computed(tree) } else { Reach::At(tree) };
    };
    match (step, &tree.what) {
        (_, What::Computed) => Reach::Computed(tree),
        (Step::Member(name), What::Map(entries, _)) => {
            let same = |key: &str| if folded { key.eq_ignore_ascii_case(name) } else { key == &**name };
            let hits: Vec<&Entry> = entries.iter().filter(|e| same(&e.key)).collect();
            let (Some(first), false) = (hits.first(), hits.is_empty()) else {
                return Reach::Missing(tree, steps.len());
            };
            if !first.block {
                return reach(&first.value, rest, folded);
            }
            if hits.iter().any(|e| matches!(e.value.what, What::Computed)) {
                return Reach::Computed(&first.value);
            }
            match rest.split_first() {
                Some((Step::Each, [])) => Reach::Blocks(tree, &first.key),
                Some((Step::Index(at), rest)) => match hits.get(*at) {
                    Some(hit) => reach(&hit.value, rest, folded),
                    None => Reach::Unclear("there are fewer blocks than the rule looks at"),
                },
                _ if hits.len() == 1 => reach(&first.value, rest, folded),
                _ => Reach::Unclear("there are several such blocks"),
            }
        }
        (Step::Index(at), What::List(items, _)) => match items.get(*at) {
            Some(item) => reach(item, rest, folded),
            None => Reach::Missing(tree, steps.len()),
        },
        (Step::Index(0), What::Map(..)) => reach(tree, rest, folded),
        (Step::Member(_), What::List(items, _)) => match items.as_slice() {
            [one] => reach(one, steps, folded),
            _ => Reach::Unclear("the list has several items"),
        },
        (Step::Each, What::List(..)) if rest.is_empty() => Reach::At(tree),
        _ => Reach::Unclear("the setting is one of many"),
    }
}

/// The blocks of one name in a body.
pub(super) fn blocks<'t>(tree: &'t Tree, key: &'t str) -> impl Iterator<Item = &'t Tree> {
    let entries = if let What::Map(entries, _) = &tree.what { entries.as_slice() } else { &[] };
    entries.iter().filter(move |e| e.block && *e.key == *key).map(|e| &e.value)
}

/// A value under a key of a map.
pub(super) fn member<'t>(tree: &'t Tree, key: &str) -> Option<&'t Entry> {
    if let What::Map(entries, _) = &tree.what { entries.iter().find(|e| &*e.key == key) } else { None }
}

pub(super) fn plain(tree: &Tree) -> Option<&Json> {
    if let What::Plain(json) = &tree.what { Some(json) } else { None }
}

/// The body of a Terraform block.
pub(super) fn of_block(block: &Block, text: &str) -> Tree {
    let from = block.header.end as usize;
    let open = text.get(from..).and_then(|t| t.find('{')).map_or(from, |at| from + at + 1);
    let end = (block.span.end as usize).saturating_sub(1).max(open);
    of_body(&block.body, open, end, text)
}

fn of_body(body: &Body, start: usize, end: usize, text: &str) -> Tree {
    let mut entries: Vec<Entry> = Vec::new();
    for attr in &body.attrs {
        let at = attr.expr.span.start as usize;
        let line = text.get(..at).and_then(|t| t.rfind('\n')).map_or(0, |n| n + 1);
        entries.push(Entry {
            key: (*attr.name).into(),
            start: line.max(start),
            end: attr.expr.span.end as usize,
            value: of_expr(&attr.expr),
            block: false,
        });
    }
    for block in &body.blocks {
        let dynamic = &*block.type_ == "dynamic";
        let key = if dynamic { block.labels.first().map_or("", |l| &**l) } else { &*block.type_ };
        let mut value = of_block(block, text);
        if dynamic {
            value.what = What::Computed;
        }
        entries.push(Entry {
            key: key.into(),
            start: block.span.start as usize,
            end: block.span.end as usize,
            value,
            block: true,
        });
    }
    entries.sort_by_key(|e| e.start);
    Tree { start, end, what: What::Map(entries, Form::Body) }
}

fn of_expr(expr: &Expr) -> Tree {
    let what = match &expr.kind {
        Kind::Null => What::Plain(Json::Null),
        Kind::Bool(b) => What::Plain((*b).into()),
        Kind::Int(i) => What::Plain((*i).into()),
        Kind::Num(n) => What::Plain((*n).into()),
        Kind::Str(text) => What::Plain((&**text).into()),
        Kind::Tuple(items) => What::List(items.iter().map(of_expr).collect(), Form::Hcl),
        Kind::Object(members) => {
            let entry = |(k, v): &(Expr, Expr)| {
                let key = match &k.kind {
                    Kind::Str(name) | Kind::Name(name) => Some(name),
                    _ => None,
                };
                Some(Entry {
                    key: (**key?).into(),
                    start: k.span.start as usize,
                    end: v.span.end as usize,
                    value: of_expr(v),
                    block: false,
                })
            };
            match members.iter().map(entry).collect::<Option<Vec<_>>>() {
                Some(entries) => What::Map(entries, Form::Hcl),
                None => What::Computed,
            }
        }
        _ => What::Computed,
    };
    Tree { start: expr.span.start as usize, end: expr.span.end as usize, what }
}

/// Every `resource` block of a Terraform file: its type, name, first byte and body.
pub(super) fn terraform_blocks(text: &str) -> Vec<(Box<str>, Box<str>, usize, Tree)> {
    let (body, _) = terraform::parse_file(text, FileId(0));
    let of = |b: &Block| {
        let [type_, name] = b.labels.as_slice() else { return None };
        Some(((**type_).into(), (**name).into(), b.span.start as usize, of_block(b, text)))
    };
    body.blocks("resource").filter_map(of).collect()
}

/// A JSON or YAML node of a template. An intrinsic function is computed, and so is anything an alias brings from elsewhere.
fn of_node(node: &Node, text: &str) -> Tree {
    // ARM computes what stands in brackets.
    of_node_by(node, text, |t| t.starts_with('[') && !t.starts_with("[["))
}

fn of_node_by(node: &Node, text: &str, computes: fn(&str) -> bool) -> Tree {
    let (start, end) = (node.start as usize, node.end as usize);
    let form = if matches!(text.as_bytes().get(start), Some(b'{' | b'[')) { Form::Json } else { Form::Yaml };
    let inside = |n: &Node| n.start as usize >= start && n.end as usize <= end;
    let what = match &node.data {
        document::Data::Null => What::Plain(Json::Null),
        document::Data::Bool(b) => What::Plain((*b).into()),
        document::Data::Int(i) => What::Plain((*i).into()),
        document::Data::Double(f) => What::Plain((*f).into()),
        document::Data::Str(t) if computes(t) => What::Computed,
        document::Data::Str(t) => What::Plain((&**t).into()),
        document::Data::Seq(items) => {
            let outside = |n: &Node| if inside(n) { of_node_by(n, text, computes) } else { computed(start, end) };
            What::List(items.iter().map(outside).collect(), form)
        }
        document::Data::Map(members) => {
            let function = node.sole().is_some_and(|m| &*m.key == "Ref" || m.key.starts_with("Fn::"));
            if function || members.iter().any(|m| !inside(&m.value) || &*m.key == "Fn::Transform") {
                What::Computed
            } else {
                let entry = |m: &document::Member| Entry {
                    key: m.key.clone(),
                    start: m.start as usize,
                    end: m.value.end.max(m.end) as usize,
                    value: of_node_by(&m.value, text, computes),
                    block: false,
                };
                What::Map(members.iter().map(entry).collect(), form)
            }
        }
    };
    Tree { start, end, what }
}

fn computed(start: usize, end: usize) -> Tree {
    Tree { start, end, what: What::Computed }
}

/// The resource of a CloudFormation template whose entry starts at a byte (none: the first of a type).
pub(super) fn cloudformation_resource(text: &str, at: Option<usize>, type_: &str) -> Option<Tree> {
    let parsed = cloudformation::parse_text(text);
    let root = parsed.documents.first()?;
    let is = |m: &&document::Member| {
        let same = m.value.get("Type").and_then(Node::as_str) == Some(type_);
        same && at.is_none_or(|at| m.start as usize == at)
    };
    let member = root.get("Resources")?.members().iter().find(is)?;
    Some(of_node(&member.value, text))
}

/// The object that starts at a byte, or whose name does.
fn object_at(node: &Node, at: u32) -> Option<&Node> {
    if node.is_map() && node.start == at {
        return Some(node);
    }
    let inside = |n: &&Node| n.start <= at && at < n.end;
    let within = node.items().iter().filter(inside).find_map(|n| object_at(n, at));
    within.or_else(|| {
        let symbol = node.members().iter().find(|m| m.start == at && m.value.is_map());
        let below = || node.members().iter().map(|m| &m.value).filter(inside).find_map(|n| object_at(n, at));
        symbol.map(|m| &m.value).or_else(below)
    })
}

/// The resource object of an ARM template that starts at a byte.
pub(super) fn arm_resource(text: &str, at: usize) -> Option<Tree> {
    let parsed = document::json::parse(text);
    let node = object_at(parsed.documents.first()?, u32::try_from(at).ok()?)?;
    node.get_nocase("copy").is_none().then(|| of_node(node, text))
}

fn interpolated(text: &str) -> bool {
    text.contains("${") || text.contains("%{")
}

/// The resource object of a Terraform file in JSON that starts at a byte. What a dynamic block gives is computed.
pub(super) fn terraform_json_resource(text: &str, at: usize) -> Option<Tree> {
    let parsed = document::json::parse(text);
    let node = object_at(parsed.documents.first()?, u32::try_from(at).ok()?)?;
    let mut tree = of_node_by(node, text, interpolated);
    if let What::Map(entries, _) = &mut tree.what {
        let dynamic = entries.iter().filter(|e| &*e.key == "dynamic");
        let made: Vec<Entry> = dynamic
            .flat_map(|d| match &d.value.what {
                What::Map(labels, _) => labels.iter().map(|l| l.key.clone()).collect(),
                _ => Vec::new(),
            })
            .map(|key| Entry { key, start: node.start as usize, end: 0, value: computed(0, 0), block: false })
            .collect();
        entries.extend(made);
    }
    Some(tree)
}

/// The whole of a Terraform file in JSON.
pub(super) fn terraform_json(text: &str) -> Option<Tree> {
    let parsed = document::json::parse(text);
    Some(of_node_by(parsed.documents.first()?, text, interpolated))
}

/// The object of a Bicep declaration that starts at a byte (none: the first of a type).
pub(super) fn bicep_resource(text: &str, at: Option<usize>, type_: &str) -> Option<Tree> {
    fn find<'d>(decls: &'d [Decl], at: Option<usize>, type_: &str) -> Option<&'d Decl> {
        decls.iter().find_map(|d| {
            let is = match at {
                Some(at) => d.start as usize == at,
                None => {
                    matches!(&d.what, crate::azure::template::What::Resource { type_: t, .. } if t.eq_ignore_ascii_case(type_))
                }
            };
            if is { Some(d) } else { find(&d.children, at, type_) }
        })
    }
    let (template, _) = bicep::parse(text, "", FileId(0));
    let decl = find(&template.decls, at, type_)?;
    let mut body = &decl.body;
    while let AzureKind::If(_, inner) = &body.kind {
        body = inner;
    }
    Some(of_azure(body))
}

fn of_azure(expr: &AzureExpr) -> Tree {
    let what = match &expr.kind {
        AzureKind::Null => What::Plain(Json::Null),
        AzureKind::Bool(b) => What::Plain((*b).into()),
        AzureKind::Int(i) => What::Plain((*i).into()),
        AzureKind::Double(f) => What::Plain((*f).into()),
        AzureKind::Str(t) => What::Plain((&**t).into()),
        AzureKind::Array(items) if items.iter().all(|i| !i.spread) => {
            What::List(items.iter().map(|i| of_azure(&i.value)).collect(), Form::Bicep)
        }
        AzureKind::Object(props) => {
            let entry = |p: &Prop| match p {
                Prop::Pair(k, v) => Some(Entry {
                    key: (&**k.literal()?).into(),
                    start: k.start as usize,
                    end: v.end as usize,
                    value: of_azure(v),
                    block: false,
                }),
                Prop::Spread(_) => None,
            };
            match props.iter().map(entry).collect::<Option<Vec<_>>>() {
                Some(entries) => What::Map(entries, Form::Bicep),
                None => What::Computed,
            }
        }
        _ => What::Computed,
    };
    Tree { start: expr.start as usize, end: expr.end as usize, what }
}
