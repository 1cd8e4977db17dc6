//! CloudFormation and SAM templates, YAML and JSON.
//!
//! A parameter with a default has that value; without one it is unknown, and so is everything the provider decides
//! (`AWS::Region`, availability zones, exports). A reference to a resource of the template is a
//! [`Data::Ref`](crate::value::Data::Ref), so resources link by edge. A resource whose condition is known to be false
//! is absent. Nested stacks whose template is on disk are expanded under the address `Stack/Logical`.

mod intrinsics;
mod sam;
mod sam_events;
mod sam_policies;
mod stack;
#[cfg(test)]
mod tests;
mod text;

use crate::document::{self, Node, Parsed};
use crate::notes::{self, Note};
use crate::resource::{Code, Reading};
use crate::source::{FileId, Files, Problem, ProblemSeverity, SourceMap, Span};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// At most this many resources are made from one root template; loops and nested stacks stop there with a problem.
pub const MAX_RESOURCES: usize = 50_000;

/// Nested stacks deeper than this are not expanded.
const MAX_NESTING: usize = 8;

/// Whether the document is a CloudFormation template: it says so, or has resources of AWS types.
pub fn is_template(root: &Node) -> bool {
    if root.get("AWSTemplateFormatVersion").is_some() {
        return true;
    }
    let typed = |n: &Node| {
        n.get("Type").and_then(Node::as_str).is_some_and(|t| {
            ["AWS::", "Alexa::", "Custom::"].iter().any(|prefix| t.starts_with(prefix)) || t.ends_with("::MODULE")
        })
    };
    root.get("Resources").is_some_and(|resources| {
        resources.members().iter().any(|m| {
            typed(&m.value) || m.key.starts_with("Fn::ForEach::") || m.value.items().iter().any(|i| i.is_map())
        }) && (root.get("Transform").is_some() || resources.members().iter().any(|m| typed(&m.value)))
    })
}

/// Reads the template at `path` as the root of a deployment.
///
/// Nothing stops the reading: what is broken or missing is told in [`Reading::problems`], with its source frame.
pub fn read(files: &dyn Files, path: &str) -> Reading {
    let mut reading = Reading::default();
    read_into(files, path, &mut reading);
    reading
}

/// As [`read`], into a reading that may hold other roots already. Returns the paths of the templates that were
/// expanded as nested stacks, so that a caller can leave them out as roots.
pub fn read_into(files: &dyn Files, path: &str, reading: &mut Reading) -> BTreeSet<String> {
    let mut reader = Reader {
        files,
        sources: std::mem::take(&mut reading.sources),
        docs: HashMap::new(),
        problems: Vec::new(),
        out: Vec::new(),
        nested: BTreeSet::new(),
        root: path.into(),
        full: false,
    };
    if let Some(doc) = reader.load(path) {
        stack::root(&mut reader, &doc);
    } else {
        let (file, _) = reader.sources.add(path, b"");
        let span = Span::new(file, 0, 0);
        reader.problem(ProblemSeverity::Error, format!("cannot read template `{path}`; check that it is there"), span);
    }
    reading.sources = reader.sources;
    reading.resources.append(&mut reader.out);
    reading.problems.append(&mut reader.problems);
    reader.nested
}

pub(crate) use intrinsics::plain_value;
pub(crate) use stack::metadata_skips;

/// A template's text, parsed once per reading.
struct Doc {
    path: Arc<str>,
    folder: String,
    file: FileId,
    root: Node,
    notes: Vec<Note>,
}

/// What one reading carries through all its templates.
struct Reader<'f> {
    files: &'f dyn Files,
    sources: SourceMap,
    docs: HashMap<String, Option<Rc<Doc>>>,
    problems: Vec<Problem>,
    out: Vec<Code>,
    nested: BTreeSet<String>,
    root: Arc<str>,
    full: bool,
}

impl Reader<'_> {
    fn problem(&mut self, severity: ProblemSeverity, message: impl Into<String>, span: Span) {
        if self.problems.len() < 10_000 {
            let problem = self.sources.problem(severity, message, span);
            self.problems.push(problem);
        }
    }

    /// The parsed template, or none when there is no such file. A broken one gives what was whole, and problems.
    fn load(&mut self, path: &str) -> Option<Rc<Doc>> {
        if let Some(known) = self.docs.get(path) {
            return known.clone();
        }
        let doc = self.parse(path).map(Rc::new);
        self.docs.insert(path.to_owned(), doc.clone());
        doc
    }

    fn parse(&mut self, path: &str) -> Option<Doc> {
        let bytes = self.files.read(path)?;
        let (file, text) = self.sources.add(path, &bytes);
        let Parsed { mut documents, faults } = parse_text(&text);
        for fault in faults {
            let span = Span::new(file, fault.at as usize, fault.at as usize + 1);
            // A repeated key is legal in practice and common; everything else means that something was lost.
            let severity =
                if fault.message.ends_with("counts") { ProblemSeverity::Note } else { ProblemSeverity::Error };
            self.problem(severity, fault.message, span);
        }
        let at = documents.iter().position(is_template).unwrap_or(0);
        if at >= documents.len() {
            return None;
        }
        let root = documents.swap_remove(at);
        let notes = notes::find(&text, file, &["#", "//"]);
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        Some(Doc { path: path.into(), folder, file, root, notes })
    }
}

/// Parses JSON when the text starts like it, else YAML (which also reads JSON, but keeps less of a broken file).
pub(crate) fn parse_text(text: &str) -> Parsed {
    if text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']) {
        let parsed = document::json::parse(text);
        if parsed.faults.is_empty() {
            return parsed;
        }
        let yaml = document::yaml::parse(text);
        return if yaml.faults.is_empty() { yaml } else { parsed };
    }
    document::yaml::parse(text)
}
