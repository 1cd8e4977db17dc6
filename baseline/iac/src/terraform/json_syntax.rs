//! The JSON form of the configuration language (`.tf.json`), read into the same tree.

use super::ast::{Attr, Block, Body, Expr, Kind};
use super::template::parse_template;
use crate::skips::skips_in;
use crate::source::{FileId, Span};
use crate::value::{Data, Members, Val};
use std::sync::Arc;

/// Reads a JSON configuration file.
///
/// Without provider schemas an object inside a resource may be an attribute or a block; it is read as an attribute,
/// and [`Val::at`] finds the same path in both.
pub(super) fn body_of(val: &Val, file: FileId) -> Body {
    let mut body = Body::default();
    let Some(root) = val.as_map() else { return body };
    for (type_, content) in root {
        match &**type_ {
            "resource" | "data" | "ephemeral" => {
                each_label(content, &mut |t, inner| {
                    each_label(inner, &mut |n, block| push(&mut body, type_, &[t, n], block, file));
                });
            }
            "variable" | "output" | "module" | "provider" | "check" => {
                each_label(content, &mut |n, block| push(&mut body, type_, &[n], block, file));
            }
            "locals" | "terraform" | "moved" | "import" | "removed" => push(&mut body, type_, &[], content, file),
            _ => {}
        }
    }
    body
}

fn each_label(val: &Val, each: &mut dyn FnMut(&Arc<str>, &Val)) {
    match &val.data {
        Data::Map(members) => members.iter().for_each(|(k, v)| each(k, v)),
        Data::List(items) => items.iter().for_each(|v| each_label(v, each)),
        _ => {}
    }
}

fn push(body: &mut Body, type_: &Arc<str>, labels: &[&Arc<str>], content: &Val, file: FileId) {
    match &content.data {
        Data::Map(members) => body.blocks.push(Block {
            type_: type_.clone(),
            labels: labels.iter().map(|l| (*l).clone()).collect(),
            header: Span { end: content.span.start.saturating_add(1), ..content.span },
            span: content.span,
            body: inner(members, file, &**type_ == "variable"),
            // JSON has no comments; Terraform passes over members of this name.
            skips: match members.get("//").map(|note| (&note.data, note.span)) {
                Some((Data::Str(text), span)) => skips_in(text, span),
                _ => Vec::new(),
            },
        }),
        Data::List(items) => items.iter().for_each(|item| push(body, type_, labels, item, file)),
        _ => {}
    }
}

/// What stands in a block. Only a variable's `type` is an expression; elsewhere it is an attribute as any other.
fn inner(members: &Members, file: FileId, variable: bool) -> Body {
    let mut body = Body::default();
    for (name, val) in members {
        match &**name {
            "//" => {}
            "dynamic" => each_label(val, &mut |label, block| {
                each_block(block, &mut |members, span| {
                    let mut dynamic = inner(members, file, false);
                    if let Some(content) = members.get("content") {
                        dynamic.attrs.retain(|a| &*a.name != "content");
                        each_block(content, &mut |members, span| {
                            dynamic.blocks.push(nested(
                                "content".into(),
                                Vec::new(),
                                inner(members, file, false),
                                span,
                            ));
                        });
                    }
                    body.blocks.push(nested("dynamic".into(), vec![label.clone()], dynamic, span));
                });
            }),
            "lifecycle" | "provisioner" | "connection" => {}
            "type" if !variable => body.attrs.push(Attr { name: name.clone(), expr: expr(val, file, "") }),
            _ => body.attrs.push(Attr { name: name.clone(), expr: expr(val, file, name) }),
        }
    }
    body
}

fn each_block(val: &Val, each: &mut dyn FnMut(&Members, Span)) {
    match &val.data {
        Data::Map(members) => each(members, val.span),
        Data::List(items) => items.iter().for_each(|v| each_block(v, each)),
        _ => {}
    }
}

fn nested(type_: Arc<str>, labels: Vec<Arc<str>>, body: Body, span: Span) -> Block {
    Block { type_, labels, header: span, span, body, skips: Vec::new() }
}

/// An expression: texts are templates. References in `depends_on`, `provider` and `providers` are bare texts.
pub(super) fn expr(val: &Val, file: FileId, name: &str) -> Expr {
    let kind = match &val.data {
        Data::Null => Kind::Null,
        Data::Bool(b) => Kind::Bool(*b),
        Data::Int(i) => Kind::Int(*i),
        Data::Num(f) => Kind::Num(*f),
        Data::Str(text) => return text_expr(text, val.span, file, name),
        Data::List(items) => Kind::Tuple(items.iter().map(|v| expr(v, file, name)).collect()),
        Data::Map(members) => Kind::Object(
            (members.iter())
                .map(|(k, v)| {
                    (text_expr(k, val.span, file, ""), expr(v, file, if name == "providers" { name } else { "" }))
                })
                .collect(),
        ),
        _ => Kind::Null,
    };
    Expr { kind, span: val.span }
}

fn text_expr(text: &Arc<str>, span: Span, file: FileId, name: &str) -> Expr {
    let bare = matches!(name, "depends_on" | "provider" | "providers" | "type");
    let parsed = if bare { super::parse::parse_expr(text, file).ok() } else { None };
    let parsed = parsed.or_else(|| if text.contains(['$', '%']) { parse_template(text, file).ok() } else { None });
    match parsed {
        Some(mut expr) => {
            place(&mut expr, span);
            // `"${x}"` alone keeps the type of x, as in the native syntax.
            expr
        }
        None => Expr { kind: Kind::Str(text.clone()), span },
    }
}

/// Gives every part of an expression that was read out of a JSON text the place of that text.
fn place(expr: &mut Expr, span: Span) {
    super::walk::each_expr_mut(expr, &mut |e| e.span = span);
}
