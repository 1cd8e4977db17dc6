//! A finding in code as the machine contract prints it. Rows are written one by one: a repository of ten thousand resources has a
//! hundred thousand, and none is kept.

use crate::{
    commands::check::Shown,
    json::{Object, key, quoted},
};
use plumb_catalog::{Aliases, Rule};
use plumb_iac::Place;
use plumb_model::{Leaf, Plain, Severity, Source as From, Value};
use plumb_run::{CodeVerdict, Twin};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::HashMap};

/// One verdict. The members are in the order of their names, as in every other answer.
#[derive(Serialize)]
pub struct Row<'a> {
    /// The address.
    pub address: &'a str,
    aliases: Option<Ids<'a>>,
    because: Because<'a>,
    /// The resource this block speaks about, when the row is about a block; empty for a policy document that is judged with what
    /// uses it. Such rows are no findings of their own.
    block_of: Option<&'a str>,
    end_line: u32,
    /// The file, relative to what was named on the command line.
    pub file: Cow<'a, str>,
    finding: String,
    fingerprint: String,
    kind: &'a str,
    /// The first line of the block.
    pub line: u32,
    live: Option<&'a [Twin]>,
    module: Vec<Called<'a>>,
    name: &'a str,
    needs: Vec<String>,
    /// The outcome's stable name.
    pub outcome: &'static str,
    root: Cow<'a, str>,
    /// The rule's id.
    pub rule: &'a str,
    /// How bad a failure is.
    pub severity: Severity,
    skipped: Option<SkippedBy<'a>>,
    sub_key: &'a str,
    /// The rule's title.
    pub title: Option<&'a str>,
}

#[derive(Serialize)]
struct Called<'a> {
    address: &'a str,
    file: Cow<'a, str>,
    line: u32,
}

#[derive(Serialize)]
struct SkippedBy<'a> {
    by: &'static str,
    file: Cow<'a, str>,
    line: u32,
    reason: &'a str,
}

impl Row<'_> {
    /// Writes the row as it is serialized, in a fraction of the time; a test holds the two against each other.
    pub fn write(&self, text: &mut Vec<u8>) -> serde_json::Result<()> {
        let mut row = Object::new(text);
        row.text(key!("address"), self.address)?;
        match &self.aliases {
            Some(Ids::Written(json)) => row.raw(key!("aliases"), json.get()),
            other => row.value(key!("aliases"), other)?,
        };
        let Because(leaves, shown) = &self.because;
        row.list(key!("because"), *leaves, |text, leaf| shown_leaf(leaf, shown).write(text))?
            .value(key!("block_of"), &self.block_of)?
            .value(key!("end_line"), &self.end_line)?
            .text(key!("file"), &self.file)?
            .text(key!("finding"), &self.finding)?
            .text(key!("fingerprint"), &self.fingerprint)?
            .text(key!("kind"), self.kind)?
            .value(key!("line"), &self.line)?
            .value(key!("live"), &self.live)?
            .list(key!("module"), &self.module, |text, called| serde_json::to_writer(text, called))?
            .text(key!("name"), self.name)?
            .list(key!("needs"), &self.needs, |text, need| quoted(text, need))?
            .text(key!("outcome"), self.outcome)?
            .text(key!("root"), &self.root)?
            .text(key!("rule"), self.rule)?
            .text(key!("severity"), self.severity.name())?
            .value(key!("skipped"), &self.skipped)?
            .text(key!("sub_key"), self.sub_key)?;
        match self.title {
            Some(title) => row.text(key!("title"), title)?,
            None => row.raw(key!("title"), "null"),
        };
        row.end();
        Ok(())
    }
}

/// What others call the rule: written out for this row, or once for all rows of a rule.
#[derive(Serialize)]
#[serde(untagged)]
enum Ids<'a> {
    Each(&'a Aliases),
    Written(&'a RawValue),
}

/// The rules of all rows, with what others call them written out; by where their id lies in memory.
pub struct Written<'a>(HashMap<usize, (&'a Rule, Box<RawValue>)>);

impl<'a> Written<'a> {
    /// For the rules of these rows.
    pub fn of(shown: &Shown<'a>) -> Self {
        let mut all = HashMap::new();
        for v in shown.rows.iter().copied().chain(&shown.checked.documents) {
            let at = v.verdict.rule.as_str().as_ptr().addr();
            if !all.contains_key(&at)
                && let Some(rule) = shown.catalog.rules.get(&v.verdict.rule)
                && let Ok(text) = serde_json::value::to_raw_value(&rule.aliases)
            {
                all.insert(at, (rule, text));
            }
        }
        Self(all)
    }

    fn get(&self, v: &CodeVerdict) -> Option<(&'a Rule, &RawValue)> {
        self.0.get(&v.verdict.rule.as_str().as_ptr().addr()).map(|(rule, text)| (*rule, &**text))
    }
}

/// The leaves that decided, with paths as the row has them.
struct Because<'a>(&'a [Leaf], &'a Shown<'a>);

#[derive(Serialize)]
struct ShownLeaf<'a> {
    expected: &'a str,
    observed: Plain<'a>,
    path: &'a str,
    source: Said<'a>,
}

/// What said so: what it is called, or the file and the line.
enum Said<'a> {
    By(&'a str),
    At(Cow<'a, str>, u32),
}

impl Serialize for Said<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::By(name) => serializer.serialize_str(name),
            Self::At(file, line) => serializer.collect_str(&format_args!("{file}:{line}")),
        }
    }
}

impl Serialize for Because<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(leaves, shown) = self;
        serializer.collect_seq(leaves.iter().map(|leaf| shown_leaf(leaf, shown)))
    }
}

fn shown_leaf<'a>(leaf: &'a Leaf, shown: &Shown<'_>) -> ShownLeaf<'a> {
    let source = match &leaf.source {
        From::Code { file, line, .. } => Said::At(shown.source.relative(file), *line),
        other => Said::By(other.name().unwrap_or_default()),
    };
    ShownLeaf { expected: &leaf.expected, observed: Plain(&leaf.observed), path: &leaf.path, source }
}

impl ShownLeaf<'_> {
    fn write(&self, text: &mut Vec<u8>) -> serde_json::Result<()> {
        let mut leaf = Object::new(text);
        leaf.text(key!("expected"), self.expected)?;
        match self.observed.0 {
            Value::Str(observed) => leaf.text(key!("observed"), observed)?,
            _ => leaf.value(key!("observed"), &self.observed)?,
        };
        leaf.text(key!("path"), self.path)?;
        match &self.source {
            Said::By(name) => leaf.text(key!("source"), name)?,
            Said::At(file, line) => leaf.place(key!("source"), file, *line)?,
        };
        leaf.end();
        Ok(())
    }
}

/// All rows, as one list.
pub struct Rows<'a>(pub &'a Shown<'a>);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(all_rows(self.0, None))
    }
}

/// All rows in their order, then what used policy documents say by themselves.
pub fn all_rows<'a>(shown: &'a Shown<'_>, ids: Option<&'a Written<'_>>) -> impl Iterator<Item = Row<'a>> {
    let documents = shown.checked.documents.iter().map(move |v| Row { block_of: Some(""), ..row(shown, ids, v) });
    shown.rows.iter().flat_map(move |v| rows_of(shown, ids, v)).chain(documents)
}

/// The row of a verdict, and one for each block of its own that says something about what was asked: code is written, and compared,
/// by block. They have the finding of their resource.
fn rows_of<'a>(
    shown: &'a Shown<'_>,
    ids: Option<&'a Written<'_>>,
    v: &'a CodeVerdict,
) -> impl Iterator<Item = Row<'a>> {
    let blocks = v.blocks.iter().map(move |block| Row {
        address: &block.address,
        because: Because(&[], shown),
        block_of: Some(v.verdict.resource.as_str()),
        end_line: block.place.end_line,
        file: shown.source.relative(&block.place.file),
        line: block.place.line,
        outcome: block.outcome.name(),
        ..row(shown, ids, v)
    });
    std::iter::once(row(shown, ids, v)).chain(blocks)
}

/// The row of a verdict.
fn row<'a>(shown: &'a Shown<'_>, ids: Option<&'a Written<'_>>, v: &'a CodeVerdict) -> Row<'a> {
    let written = ids.and_then(|ids| ids.get(v));
    let rule = written.map(|(rule, _)| rule).or_else(|| shown.catalog.rules.get(&v.verdict.rule));
    let relative = |place: &'a Place| shown.source.relative(&place.file);
    let key = v.fingerprint();
    let fingerprint = key.hex();
    Row {
        address: v.verdict.resource.as_str(),
        aliases: written.map(|(_, text)| Ids::Written(text)).or(rule.map(|r| Ids::Each(&r.aliases))),
        because: Because(&v.verdict.because, shown),
        block_of: None,
        end_line: v.at.place.end_line,
        file: relative(&v.at.place),
        finding: key.short(),
        kind: v.verdict.kind.as_str(),
        line: v.at.place.line,
        live: if shown.twins.is_empty() { None } else { shown.twins.get(&fingerprint).map(Vec::as_slice) },
        fingerprint,
        module: v
            .at
            .calls()
            .map(|(address, at)| Called {
                address,
                file: Cow::Owned(shown.source.relative(&at.file).into_owned()),
                line: at.line,
            })
            .collect(),
        name: &v.verdict.name,
        needs: v.verdict.needs.iter().map(|n| n.describe()).collect(),
        outcome: v.verdict.outcome.name(),
        root: shown.source.relative(&v.at.root),
        rule: v.verdict.rule.as_str(),
        severity: v.severity,
        skipped: v.skipped.as_ref().map(|s| SkippedBy {
            by: s.tool,
            file: relative(&s.place),
            line: s.place.line,
            reason: &s.reason,
        }),
        sub_key: &v.verdict.sub_key,
        title: rule.map(|r| r.title.as_str()),
    }
}
