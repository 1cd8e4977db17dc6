//! Azure Resource Manager templates (JSON).
//!
//! The document becomes the same tree as a Bicep file and is evaluated by the same functions. A nested deployment
//! whose template is inside, or a file of the repository, is expanded under the address of the deployment.

mod expr;
mod parse;
#[cfg(test)]
mod tests;

use crate::azure::deploy::Reader;
use crate::document::{self, Fault, Node};
use crate::resource::Reading;
use crate::source::{FileId, Files, ProblemSeverity, Span};
use crate::value::{Val, WhyKind};
use std::collections::{BTreeSet, HashMap};

pub(crate) use parse::parse;

/// Whether the document is an ARM template.
pub fn is_template(root: &Node) -> bool {
    let schema = root.get_nocase("$schema").and_then(Node::as_str).unwrap_or_default().to_ascii_lowercase();
    if schema.contains("deploymenttemplate.json") {
        return true;
    }
    let typed = |n: &Node| n.get_nocase("type").and_then(Node::as_str).is_some_and(|t| t.contains('/'));
    let versioned = root.get_nocase("contentVersion").is_some();
    versioned
        && !schema.contains("deploymentparameters")
        && root.get_nocase("resources").is_some_and(|r| {
            r.items().iter().any(typed)
                || r.members().iter().any(|m| typed(&m.value))
                || root.get_nocase("$schema").is_some()
        })
}

/// Whether the document is a file of parameter values.
pub fn is_parameters(root: &Node) -> bool {
    let schema = root.get_nocase("$schema").and_then(Node::as_str).unwrap_or_default();
    schema.to_ascii_lowercase().contains("deploymentparameters")
}

/// Reads the template at `path` as the root of a deployment. A parameter file beside it, `X.parameters.json` for
/// `X.json`, gives its parameters their values.
///
/// Nothing stops the reading: what is broken or missing is told in [`Reading::problems`], with its source frame.
pub fn read(files: &dyn Files, path: &str) -> Reading {
    let mut reading = Reading::default();
    read_into(files, path, &mut reading);
    reading
}

/// As [`read`], into a reading that may hold other roots already. Returns the paths of the files that were expanded
/// as nested templates, so that a caller can leave them out as roots.
pub fn read_into(files: &dyn Files, path: &str, reading: &mut Reading) -> BTreeSet<String> {
    read_root(files, path, None, reading)
}

/// Reads a root of either Azure language, with arguments from a parameter file when there is one.
pub(crate) fn read_root(
    files: &dyn Files,
    path: &str,
    args: Option<HashMap<String, Val>>,
    reading: &mut Reading,
) -> BTreeSet<String> {
    let mut reader = Reader::new(files, std::mem::take(&mut reading.sources), path);
    match reader.template(path) {
        Some(template) => {
            let args = args.unwrap_or_else(|| beside(&mut reader, path));
            reader.deploy_root(template, args);
        }
        None => {
            if files.read(path).is_none() {
                let (file, _) = reader.sources.add(path, b"");
                let message = format!("cannot read template `{path}`; check that it is there");
                reader.problem(ProblemSeverity::Error, message, Span::new(file, 0, 0));
            }
        }
    }
    reading.sources = reader.sources;
    reading.resources.append(&mut reader.out);
    reading.problems.append(&mut reader.problems);
    reader.nested
}

/// The values of the parameter file beside a template.
fn beside(reader: &mut Reader<'_>, path: &str) -> HashMap<String, Val> {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let beside = format!("{stem}.parameters.json");
    let Some(bytes) = reader.files.read(&beside) else { return HashMap::new() };
    let (file, text) = reader.sources.add(&beside, &bytes);
    let parsed = document::json::parse(&text);
    for Fault { at, message } in parsed.faults {
        reader.problem(ProblemSeverity::Error, message, Span::new(file, at as usize, at as usize + 1));
    }
    parsed.documents.first().map(|root| values(root, file)).unwrap_or_default()
}

/// The values a parameter file gives.
pub(crate) fn values(root: &Node, file: FileId) -> HashMap<String, Val> {
    let mut out = HashMap::new();
    for member in root.get_nocase("parameters").map(Node::members).unwrap_or_default() {
        let span = Span { file, start: member.value.start, end: member.value.end };
        let val = match (member.value.get_nocase("value"), member.value.get_nocase("reference")) {
            // What a pipeline fills in is no value: `GEN-PASSWORD`, `#{token}#`, `__token__`.
            (Some(node), _) if node.as_str().is_some_and(placeholder) => {
                let detail = "a placeholder that is filled in before deployment";
                Val::unknown(WhyKind::Input, node.as_str().unwrap_or_default(), detail, span)
            }
            (Some(node), _) => crate::cloudformation::plain_value(node, file),
            (None, Some(_)) => {
                let detail = "read from a key vault at deployment; no value is stored here";
                let mut val = Val::unknown(WhyKind::Lookup, format!("secret {}", member.key), detail, span);
                val.sensitive = true;
                val
            }
            (None, None) => continue,
        };
        out.insert(member.key.to_string(), val);
    }
    out
}

fn placeholder(text: &str) -> bool {
    text.starts_with("GEN-")
        || text.starts_with("GET-")
        || text.contains("#{")
        || text.contains("$(")
        || text.starts_with("__") && text.ends_with("__")
}
