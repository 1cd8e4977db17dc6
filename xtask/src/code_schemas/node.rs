//! What a provider's schema says of one attribute, and how that is written.
//!
//! A table holds one type after the other, each a tree by indentation, a name a line:
//!
//! ```text
//! aws_sqs_queue { 3-6.69
//!  arn s!
//!  policy s
//! ```
//!
//! After the name stands the form: `s` text, `n` number, `b` yes or no, `l` list and `m` map of these, `?` anything,
//! `{` a block or object, `[` a list and `%` a map of objects; then `!` when only the provider sets it, and `~` when what
//! lies below is not kept. Versions stand where not all of the parent's have it. After ` = ` stand the values it takes
//! when it can be set and the provider counts them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// Levels below a type that are kept.
pub const DEPTH: usize = 7;

/// More values than these are names of machines and versions, which change every month.
const MOST_VALUES: usize = 32;

/// One attribute, property or block.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// Its form, as in the table.
    pub form: char,
    /// Only the provider sets it.
    pub read_only: bool,
    /// What lies below is not kept: it is its own ancestor, or too deep.
    pub cut: bool,
    /// The values it takes; empty where nobody counts them.
    pub values: BTreeSet<String>,
    /// What lies below.
    pub members: BTreeMap<String, Node>,
}

impl Node {
    /// A node without anything below.
    pub fn leaf(form: char) -> Self {
        Self { form, ..Self::default() }
    }

    /// An object with members.
    pub fn object(members: BTreeMap<String, Node>) -> Self {
        Self { form: '{', members, ..Self::default() }
    }

    /// A list of what `self` is.
    pub fn list(self) -> Self {
        let form = if self.has_inside() { '[' } else { 'l' };
        Self { form, ..self }
    }

    /// A map to what `self` is.
    pub fn map(self) -> Self {
        let form = if self.has_inside() { '%' } else { 'm' };
        Self { form, ..self }
    }

    fn has_inside(&self) -> bool {
        self.cut || !self.members.is_empty()
    }

    /// Takes in what another model of the same type says.
    pub fn absorb(&mut self, other: Node) {
        if !other.members.is_empty() && (self.members.is_empty() || other.form == '{') {
            self.form = other.form;
        }
        self.read_only &= other.read_only;
        self.cut |= other.cut;
        self.values.extend(other.values);
        for (name, node) in other.members {
            match self.members.get_mut(&name) {
                Some(own) => own.absorb(node),
                None => {
                    self.members.insert(name, node);
                }
            }
        }
    }
}

/// Writes a type as all versions have it, oldest first.
pub fn write(out: &mut String, name: &str, versions: &[(String, Option<&Node>)]) {
    let labels: Vec<&str> = versions.iter().map(|(label, _)| label.as_str()).collect();
    let nodes: Vec<(usize, &Node)> = versions.iter().enumerate().filter_map(|(at, (_, n))| Some((at, (*n)?))).collect();
    line(out, 0, name, &nodes, &labels, &[]);
}

fn line(out: &mut String, depth: usize, name: &str, nodes: &[(usize, &Node)], labels: &[&str], of: &[usize]) {
    let Some((_, newest)) = nodes.last() else { return };
    let form = nodes.iter().rev().find(|(_, n)| !n.members.is_empty()).map_or(newest.form, |(_, n)| n.form);
    // One version may leave open what another describes.
    let open = form != '?' && nodes.iter().any(|(_, n)| n.form == '?') && nodes.iter().any(|(_, n)| n.has_inside());
    let cut = open || nodes.iter().any(|(_, n)| n.cut);
    let read_only = nodes.iter().all(|(_, n)| n.read_only);
    let _ = write!(out, "{:depth$}{name} {form}", "");
    out.push_str(if read_only { "!" } else { "" });
    out.push_str(if cut { "~" } else { "" });
    let at: Vec<usize> = nodes.iter().map(|(at, _)| *at).collect();
    if at != of && labels.len() > 1 {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for at in &at {
            match runs.last_mut() {
                Some((_, end)) if *end + 1 == *at => *end = *at,
                _ => runs.push((*at, *at)),
            }
        }
        let label = |at: usize| labels.get(at).copied().unwrap_or_default();
        let run = |(from, to): &(usize, usize)| match from == to {
            true => label(*from).to_owned(),
            false => format!("{}-{}", label(*from), label(*to)),
        };
        let _ = write!(out, " {}", runs.iter().map(run).collect::<Vec<_>>().join(","));
    }
    let values: BTreeSet<&str> = nodes.iter().flat_map(|(_, n)| &n.values).map(String::as_str).collect();
    if !read_only && (1..=MOST_VALUES).contains(&values.len()) {
        let _ = write!(out, " = {}", values.into_iter().collect::<Vec<_>>().join("|"));
    }
    out.push('\n');
    let names: BTreeSet<&String> = nodes.iter().flat_map(|(_, n)| n.members.keys()).collect();
    for name in names {
        let inner: Vec<_> = nodes.iter().filter_map(|(at, n)| Some((*at, n.members.get(name)?))).collect();
        line(out, depth + 1, name, &inner, labels, &at);
    }
}
