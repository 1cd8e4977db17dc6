//! Which texts an expression compares what with: so that they can be held against the values a field takes.

use crate::ast::{Ast, BinaryOp, Expr, Kind, Literal};

/// Where the value that is compared comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A name of the expression's own.
    Own,
    /// What a link of this name leads to.
    Link(String),
    /// Each of a kind: `all("aws.kms.key")`.
    All(String),
}

/// A value of the document and the texts it is compared with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Compared {
    /// Where it comes from.
    pub origin: Origin,
    /// Members from there on, lists gone through: `rules.protocol`.
    pub path: Vec<String>,
    /// The texts.
    pub with: Vec<String>,
    /// Small and capital letters do not matter.
    pub folded: bool,
}

#[derive(Debug, Clone)]
struct Way {
    origin: Origin,
    path: Vec<String>,
    folded: bool,
}

type Scope = Vec<(String, Vec<Way>)>;

impl Ast {
    /// Every comparison of a value with texts: `==`, `!=`, `in`. `parts` is the expression behind the name `part`.
    pub fn compared(&self, parts: Option<&Ast>) -> Vec<Compared> {
        let mut found = Vec::new();
        let mut scope = Vec::new();
        if let Some(parts) = parts {
            scope.push(("part".to_owned(), ways(&parts.root, &Vec::new())));
        }
        walk(&self.root, &mut scope, &mut found);
        found.sort();
        found.dedup();
        found
    }
}

/// What an expression stands for, when that is something of the document.
fn ways(expr: &Expr, scope: &Scope) -> Vec<Way> {
    match &expr.kind {
        Kind::Ident { name, .. } => match scope.iter().rev().find(|(local, _)| local == name) {
            Some((_, ways)) => ways.clone(),
            None => vec![Way { origin: Origin::Own, path: vec![name.clone()], folded: false }],
        },
        Kind::Select { base, field, .. } => {
            let mut ways = ways(base, scope);
            ways.iter_mut().for_each(|way| way.path.push(field.clone()));
            ways
        }
        Kind::Index { base, .. } => ways(base, scope),
        Kind::List(items) => items.iter().flat_map(|item| ways(&item.value, scope)).collect(),
        Kind::Binary(BinaryOp::Add, left, right) => {
            [left, right].into_iter().flat_map(|side| ways(side, scope)).collect()
        }
        Kind::Cond(three) => [&three.1, &three.2].into_iter().flat_map(|side| ways(side, scope)).collect(),
        Kind::Call { target: None, name, args } => match (name.as_str(), args.as_slice()) {
            ("all" | "link", [Expr { kind: Kind::Literal(Literal::Str(of)), .. }]) => {
                let origin = if name == "all" { Origin::All(of.clone()) } else { Origin::Link(of.clone()) };
                vec![Way { origin, path: Vec::new(), folded: false }]
            }
            _ => Vec::new(),
        },
        Kind::Call { target: Some(target), name, .. } => match name.as_str() {
            "filter" | "trim" => ways(target, scope),
            "lowerAscii" | "upperAscii" => {
                let mut ways = ways(target, scope);
                ways.iter_mut().for_each(|way| way.folded = true);
                ways
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The texts an expression is, or lists.
fn texts(expr: &Expr) -> Option<Vec<String>> {
    match &expr.kind {
        Kind::Literal(Literal::Str(text)) => Some(vec![text.clone()]),
        Kind::List(items) => {
            let texts: Option<Vec<Vec<String>>> = items.iter().map(|item| texts(&item.value)).collect();
            texts.map(|texts| texts.into_iter().flatten().collect())
        }
        _ => None,
    }
}

fn walk(expr: &Expr, scope: &mut Scope, found: &mut Vec<Compared>) {
    match &expr.kind {
        Kind::Literal(_) | Kind::Ident { .. } | Kind::Message(_) => {}
        Kind::Select { base: inner, .. } | Kind::Not(inner) | Kind::Neg(inner) => walk(inner, scope, found),
        Kind::Index { base, index, .. } => {
            walk(base, scope, found);
            walk(index, scope, found);
        }
        Kind::List(items) => items.iter().for_each(|item| walk(&item.value, scope, found)),
        Kind::Map(entries) => {
            for entry in entries {
                walk(&entry.key, scope, found);
                walk(&entry.value, scope, found);
            }
        }
        Kind::And(items) | Kind::Or(items) => items.iter().for_each(|item| walk(item, scope, found)),
        Kind::Cond(three) => [&three.0, &three.1, &three.2].into_iter().for_each(|side| walk(side, scope, found)),
        Kind::Binary(op, left, right) => {
            if matches!(op, BinaryOp::Eq | BinaryOp::Ne | BinaryOp::In) {
                for (value, with) in [(left, right), (right, left)] {
                    let Some(with) = texts(with) else { continue };
                    found.extend(ways(value, scope).into_iter().map(|way| Compared {
                        origin: way.origin,
                        path: way.path,
                        with: with.clone(),
                        folded: way.folded,
                    }));
                }
            }
            walk(left, scope, found);
            walk(right, scope, found);
        }
        Kind::Call { target, name, args } => {
            if let Some(target) = target {
                walk(target, scope, found);
            }
            let height = scope.len();
            // Comprehensions name the elements of their target; `cel.bind` what follows the name.
            let named = match (target.as_deref(), args.as_slice()) {
                (Some(target), [Expr { kind: Kind::Ident { name: local, .. }, .. }, rest @ ..]) if !rest.is_empty() => {
                    let bound = if name == "bind" { rest.first().unwrap_or(target) } else { target };
                    scope.push((local.clone(), ways(bound, scope)));
                    rest
                }
                (_, args) => args,
            };
            named.iter().for_each(|arg| walk(arg, scope, found));
            scope.truncate(height);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Limits, parse};

    fn told(source: &str, parts: Option<&str>) -> Vec<String> {
        let parse = |source| parse(source, &Limits::default()).unwrap();
        let parts = parts.map(parse);
        let tell = |c: Compared| {
            let of = match c.origin {
                Origin::Own => String::new(),
                Origin::Link(name) => format!("{name}>"),
                Origin::All(kind) => format!("{kind}*"),
            };
            format!("{of}{}{} {}", c.path.join("."), if c.folded { "~" } else { "" }, c.with.join("|"))
        };
        parse(source).compared(parts.as_ref()).into_iter().map(tell).collect()
    }

    #[test]
    fn comparisons_with_texts_are_found() {
        for (source, parts, want) in [
            (r#"mode == "on" || "off" != mode"#, None, &["mode off", "mode on"][..]),
            (r#"tls.lowerAscii() in ["a", "b"]"#, None, &["tls~ a|b"]),
            (r#"rules.exists(r, r.ports.all(p, p.name != "x"))"#, None, &["rules.ports.name x"]),
            (r#"(a + [b]).exists(x, x == "1")"#, None, &["a 1", "b 1"]),
            (r#"cel.bind(v, c ? a : b, v == "1")"#, None, &["a 1", "b 1"]),
            (r#""FTP" in protocols"#, None, &["protocols FTP"]),
            (r#"link("key") != null && link("key").state == "Enabled""#, None, &["key>state Enabled"]),
            (r#"all("aws.s3.bucket").exists(b, b.acl == "private")"#, None, &["aws.s3.bucket*acl private"]),
            (r#"part.status == "Active""#, Some("keys.filter(k, k.old)"), &["keys.status Active"]),
            (r#"all("k").filter(x, x.a == name).exists(y, y.b == "1")"#, None, &["k*b 1"]),
            (r#"size(name) == 3 && other == params.x"#, None, &[]),
        ] {
            assert_eq!(told(source, parts), want, "{source}");
        }
    }
}
