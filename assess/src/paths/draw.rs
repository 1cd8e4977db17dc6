//! Drawings of paths.

use super::{Edge, Report};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// The edges of the families' cheapest paths, each once.
fn edges(report: &Report) -> Vec<&Edge> {
    let mut seen = BTreeSet::new();
    report.families.iter().flat_map(|f| &f.steps).filter(|e| seen.insert((&e.from, &e.to, e.kind))).collect()
}

/// The account of each node, when the drawing shows several.
fn accounts<'r>(edges: &[&'r Edge]) -> BTreeMap<&'r str, &'r str> {
    let ends =
        edges.iter().flat_map(|e| [(e.from.as_str(), e.from_account.as_str()), (e.to.as_str(), e.to_account.as_str())]);
    let of: BTreeMap<&str, &str> = ends.filter(|(_, account)| !account.is_empty()).collect();
    let several = of.values().collect::<BTreeSet<_>>().len() > 1;
    if several { of } else { BTreeMap::new() }
}

/// What a node is called in a drawing: the last part of an ARN, but with its kind.
fn short(node: &str) -> String {
    let text = if node.starts_with("arn:") { node.splitn(6, ':').last().unwrap_or(node) } else { node };
    if text.chars().count() > 40 {
        format!("{}…", text.chars().take(39).collect::<String>())
    } else {
        text.to_owned()
    }
}

/// The cheapest path of each family in Graphviz's language.
pub fn dot(report: &Report) -> String {
    let quote = |s: &str| format!("\"{}\"", s.replace('\\', "\\\\").replace('"', "\\\""));
    let mut out = String::from("digraph paths {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n");
    let edges = edges(report);
    let nodes: BTreeSet<&str> = edges.iter().flat_map(|e| [e.from.as_str(), e.to.as_str()]).collect();
    let accounts = accounts(&edges);
    for node in nodes {
        let label = quote(&short(node));
        let label = match accounts.get(node) {
            Some(account) => format!("{}\\n{account}\"", label.trim_end_matches('"')),
            None => label,
        };
        let _ = writeln!(out, "  {} [label={label}];", quote(node));
    }
    for e in &edges {
        let style = if e.depends_on.is_empty() { "solid" } else { "dashed" };
        let _ = writeln!(out, "  {} -> {} [label={}, style={style}];", quote(&e.from), quote(&e.to), quote(e.kind));
    }
    out.push_str("}\n");
    out
}

/// The cheapest path of each family as a drawing: a column per step from outside, dashed where a step is uncertain.
pub fn svg(report: &Report) -> String {
    const WIDTH: usize = 280;
    const HEIGHT: usize = 56;
    let edges = edges(report);
    let mut column: BTreeMap<&str, usize> = BTreeMap::new();
    for family in &report.families {
        for (i, node) in family.path.iter().enumerate() {
            let c = column.entry(node).or_default();
            *c = (*c).max(i);
        }
    }
    let mut filled: BTreeMap<usize, usize> = BTreeMap::new();
    let mut place: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (node, c) in &column {
        let row = filled.entry(*c).or_default();
        place.insert(node, (20 + c * WIDTH, 20 + *row * HEIGHT));
        *row += 1;
    }
    let columns = column.values().max().map_or(1, |c| c + 1);
    let rows = filled.values().max().copied().unwrap_or(1);
    let escape = |s: &str| s.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"11\">\n<title>Attack paths</title>\n",
        columns * WIDTH + 20,
        rows * HEIGHT + 20
    );
    for e in &edges {
        let (Some((x1, y1)), Some((x2, y2))) = (place.get(e.from.as_str()), place.get(e.to.as_str())) else { continue };
        let (x1, y1, y2) = (x1 + 200, y1 + 16, y2 + 16);
        let dash = if e.depends_on.is_empty() { "" } else { " stroke-dasharray=\"4 3\"" };
        let _ = writeln!(out, "<path d=\"M{x1} {y1} L{x2} {y2}\" stroke=\"#b33\" fill=\"none\"{dash}/>");
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" fill=\"#666\" text-anchor=\"middle\" font-size=\"8\">{}</text>",
            (x1 + x2) / 2,
            (y1 + y2) / 2 - 3,
            e.kind
        );
    }
    let accounts = accounts(&edges);
    for (node, (x, y)) in place {
        let (line, below) = match accounts.get(node) {
            Some(account) => {
                let at = format!("x=\"{}\" y=\"{}\"", x + 8, y + 27);
                (y + 15, format!("<text {at} fill=\"#666\" font-size=\"9\">account {}</text>", escape(account)))
            }
            None => (y + 20, String::new()),
        };
        let _ = writeln!(
            out,
            "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"200\" height=\"32\" rx=\"4\" fill=\"#fff\" stroke=\"#333\"/><text x=\"{}\" y=\"{line}\">{}</text>{below}</g>",
            escape(node),
            x + 8,
            escape(&short(node).chars().take(32).collect::<String>())
        );
    }
    out.push_str("</svg>\n");
    out
}
