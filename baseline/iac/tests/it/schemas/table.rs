//! The tables of `baseline/iac/schemas/`, read. A table that is not as `README.md` there says ends the test.

#![allow(clippy::unwrap_used, clippy::panic)]

use plumb_catalog::{Path, Step};
use std::collections::{BTreeMap, BTreeSet};

/// One attribute, property or block; `schemas/README.md` says what the forms are.
#[derive(Debug)]
pub struct Node {
    pub form: char,
    pub read_only: bool,
    cut: bool,
    /// The versions that have it, a bit each.
    pub versions: u16,
    /// The values it takes; empty where nobody counts them.
    pub values: Vec<&'static str>,
    pub members: BTreeMap<&'static str, Node>,
}

/// Every type of one language.
pub struct Schemas {
    types: BTreeMap<String, Node>,
    /// Type → the bits of the newest version of its provider.
    newest: BTreeMap<String, u16>,
    folded: bool,
}

impl Schemas {
    /// Reads the tables of a language. `folded` compares names without regard to case.
    pub fn read(tables: &[&'static str], folded: bool) -> Self {
        let mut schemas = Self { types: BTreeMap::new(), newest: BTreeMap::new(), folded };
        for table in tables {
            let labels: Vec<&str> = table.lines().nth(1).unwrap().split(' ').skip(2).collect();
            let all = (1u16 << labels.len().max(1)) - 1;
            // What a beta adds is in the newest version, too.
            let newest = match labels.last() {
                Some(last) if last.ends_with("beta") => all & !(all >> 2),
                _ => all & !(all >> 1),
            };
            let mut lines = table.lines().skip(2).peekable();
            while lines.peek().is_some() {
                let (name, node) = node(&mut lines, 0, all, &labels);
                let name = if folded { name.to_ascii_lowercase() } else { name.to_owned() };
                schemas.newest.insert(name.clone(), newest);
                schemas.types.insert(name, node);
            }
        }
        schemas
    }

    /// A type, or the data source of that name.
    pub fn type_(&self, name: &str) -> Option<&Node> {
        let name = if self.folded { name.to_ascii_lowercase() } else { name.to_owned() };
        self.types.get(&name).or_else(|| self.types.get(&format!("data.{name}")))
    }

    /// The newest version's bits, of a type's provider.
    pub fn newest(&self, name: &str) -> u16 {
        let name = if self.folded { name.to_ascii_lowercase() } else { name.to_owned() };
        self.newest.get(&name).or_else(|| self.newest.get(&format!("data.{name}"))).copied().unwrap_or_default()
    }

    /// A member by its name.
    pub fn member<'a>(&self, of: &'a Node, name: &str) -> Option<&'a Node> {
        let folded = || of.members.iter().find(|(n, _)| self.folded && n.eq_ignore_ascii_case(name)).map(|(_, n)| n);
        of.members.get(name).or_else(folded)
    }

    /// Follows a path; the error says which name is not there, and what is.
    pub fn follow<'a>(&self, from: At<'a>, path: &Path) -> Result<At<'a>, String> {
        let mut at = from;
        for step in path.steps() {
            at = match step {
                Step::Each | Step::Index(_) | Step::Values => At {
                    form: match at.form {
                        '[' | '%' | '{' => '{',
                        '?' => '?',
                        _ => 's',
                    },
                    many: at.many || !matches!(step, Step::Index(_)),
                    ..at
                },
                Step::Where(key, _) => {
                    self.step(at, key)?;
                    At { form: '{', ..at }
                }
                Step::Member(name) => self.step(at, name)?,
            };
        }
        Ok(at)
    }

    fn step<'a>(&self, at: At<'a>, name: &str) -> Result<At<'a>, String> {
        // What is not further described, and the values of maps.
        if matches!(at.form, '?' | 'm') {
            return Ok(At { form: '?', ..at });
        }
        if at.form == '%' {
            return Ok(At { form: '{', ..at });
        }
        if let Some(node) = self.member(at.node, name) {
            // Where one version leaves open what another describes, all may have it.
            let open = at.open || at.node.cut;
            let versions = if open { at.versions } else { at.versions & node.versions };
            return Ok(At { node, form: node.form, versions, open, ..at });
        }
        if at.node.cut {
            return Err(format!("`{name}` lies below what the table keeps, or is not there"));
        }
        if at.node.members.is_empty() {
            return Err(format!("`{name}` stands below a plain value"));
        }
        let near = at.node.members.keys().map(|n| (distance(name, n), *n)).min();
        Err(format!("no `{name}`, the nearest is `{}`", near.map_or("", |(_, n)| n)))
    }
}

/// A place in a schema.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    pub node: &'a Node,
    pub form: char,
    /// The way led through lists, so that a list stands there.
    pub many: bool,
    /// The versions in which all of the way is there.
    pub versions: u16,
    /// A version left open what stands here.
    pub open: bool,
}

impl<'a> At<'a> {
    pub fn root(node: &'a Node) -> Self {
        Self { node, form: '{', many: false, versions: node.versions, open: false }
    }
}

fn node(
    lines: &mut std::iter::Peekable<impl Iterator<Item = &'static str>>,
    depth: usize,
    above: u16,
    labels: &[&str],
) -> (&'static str, Node) {
    let line = lines.next().unwrap();
    let (line, values) = line.split_once(" = ").unwrap_or((line, ""));
    let mut words = line.trim_start().split(' ');
    let (name, form) = (words.next().unwrap(), words.next().unwrap());
    let place = |label: &str| labels.iter().position(|l| *l == label).unwrap_or_else(|| panic!("{line}"));
    let bits = |run: &str| {
        let (from, to) = run.split_once('-').unwrap_or((run, run));
        (place(from)..=place(to)).fold(0, |bits, at| bits | 1 << at)
    };
    let versions = words.next().map_or(above, |runs| runs.split(',').map(bits).fold(0, |a, b| a | b));
    let mut node = Node {
        form: form.chars().next().unwrap(),
        read_only: form.contains('!'),
        cut: form.contains('~'),
        versions,
        values: values.split('|').filter(|value| !value.is_empty()).collect(),
        members: BTreeMap::new(),
    };
    while lines.peek().is_some_and(|l| l.len() - l.trim_start().len() > depth) {
        let (name, member) = self::node(lines, depth + 1, versions, labels);
        node.members.insert(name, member);
    }
    (name, node)
}

/// How many letters must change, words in another order counting as near.
fn distance(a: &str, b: &str) -> usize {
    let words = |text: &str| -> BTreeSet<String> { text.to_lowercase().split('_').map(str::to_owned).collect() };
    if words(a) == words(b) {
        return 0;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let cost = (diagonal + usize::from(x != *y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[b.len()]
}
