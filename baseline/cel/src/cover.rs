//! Which elements of a host's list can matter to a condition: found by equality instead of by looking at all.

use crate::{
    ast::BinaryOp,
    node::{Macro, MacroKind, Node, Op},
};

/// One lookup by equality. Elements that it does not find, and whose value at `path` is known, make the condition
/// false (or true, where that is what does not matter).
#[derive(Debug, Clone)]
pub(crate) struct IndexOn {
    /// Members from the element on, `[]` where a list's elements are meant: `vpc_id`, `group_ids[]`,
    /// `ingress[].groups[]`.
    pub path: Box<str>,
    /// What is looked for. Does not depend on the element.
    pub key: Node,
}

/// The element a condition is about, and where it stands.
struct Element<'p> {
    slot: u32,
    path: &'p str,
    /// Locals from here on are bound by the comprehension that is looked up or inside it.
    outermost: u32,
}

/// Ways to find the elements that matter to a comprehension over a host's list, best first. Each way is one or more
/// lookups that have to be made together.
pub(crate) fn find_indexes(
    kind: MacroKind,
    range: &Node,
    slot: u32,
    names: usize,
    condition: &Node,
) -> Box<[Box<[IndexOn]>]> {
    if !matches!(range.op, Op::Host(_)) || names != 1 || kind == MacroKind::SortBy {
        return Box::default();
    }
    // `exists`, `filter`: other elements make the condition false. `all`: other elements make it true.
    let element = Element { slot, path: "", outermost: slot };
    ways(condition, &element, kind == MacroKind::All).into_iter().map(Vec::into).collect()
}

/// Ways to find every element for which `node` may come out as anything but `other`.
fn ways(node: &Node, element: &Element<'_>, other: bool) -> Vec<Vec<IndexOn>> {
    match (&node.op, other) {
        (Op::And(items), false) | (Op::Or(items), true) => {
            items.iter().flat_map(|item| ways(item, element, other)).collect()
        }
        (Op::And(items), true) | (Op::Or(items), false) => {
            let each: Option<Vec<Vec<IndexOn>>> =
                items.iter().map(|item| ways(item, element, other).into_iter().next()).collect();
            each.map(|lookups| lookups.into_iter().flatten().collect()).into_iter().collect()
        }
        (Op::Not(inner), _) => ways(inner, element, !other),
        (Op::Binary(BinaryOp::Eq, sides), false) | (Op::Binary(BinaryOp::Ne, sides), true) => {
            let [left, right] = &**sides;
            let lookup = lookup(left, right, element, "").or_else(|| lookup(right, left, element, ""));
            lookup.map(|l| vec![l]).into_iter().collect()
        }
        (Op::Binary(BinaryOp::In, sides), false) => {
            let [key, list] = &**sides;
            lookup(list, key, element, "[]").map(|l| vec![l]).into_iter().collect()
        }
        (Op::Macro(m), _) => inside(m, element, other),
        _ => Vec::new(),
    }
}

/// `x.list.exists(y, …)` and `x.list.all(y, …)` about `y` alone: a list that is unknown is then met on the way.
fn inside(m: &Macro, element: &Element<'_>, other: bool) -> Vec<Vec<IndexOn>> {
    let fits = matches!((m.kind, other), (MacroKind::Exists, false) | (MacroKind::All, true)) && m.names.len() == 1;
    match path(&m.range, element).filter(|path| fits && !path.is_empty()) {
        Some(path) => {
            let path = format!("{path}[]");
            ways(&m.body, &Element { slot: m.slot, path: &path, outermost: element.outermost }, other)
        }
        None => Vec::new(),
    }
}

fn lookup(place: &Node, key: &Node, element: &Element<'_>, suffix: &str) -> Option<IndexOn> {
    let path = path(place, element)?;
    (!path.is_empty() && !key.mentions_from(element.outermost))
        .then(|| IndexOn { path: format!("{path}{suffix}").into(), key: key.clone() })
}

/// The place of a value as members from the outermost element on.
fn path(node: &Node, element: &Element<'_>) -> Option<String> {
    match &node.op {
        Op::Local(slot) if *slot == element.slot => Some(element.path.to_owned()),
        Op::Select(s) if !s.optional => {
            let base = path(&s.base, element)?;
            Some(if base.is_empty() { s.name.to_string() } else { format!("{base}.{}", s.name) })
        }
        _ => None,
    }
}
