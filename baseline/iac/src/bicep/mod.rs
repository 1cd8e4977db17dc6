//! Bicep files, parsed natively, and Bicep parameter files.
//!
//! A statement that cannot be read is told and skipped; the rest of the file is kept. Modules on disk are expanded
//! under the symbolic name of the module; those of registries are told as problems and give explained unknowns.

mod exprs;
mod lex;
mod parse;
#[cfg(test)]
mod tests;
mod types;

use crate::azure::deploy::Reader;
use crate::resource::Reading;
use crate::source::{FileId, Files, ProblemSeverity, SourceMap, Span, join};
use crate::value::Val;
use std::collections::{BTreeSet, HashMap};

pub(crate) use parse::parse;

/// Reads a `.bicep` file as the root of a deployment, or a `.bicepparam` file with the template it is for.
///
/// Nothing stops the reading: what is broken or missing is told in [`Reading::problems`], with its source frame.
pub fn read(files: &dyn Files, path: &str) -> Reading {
    let mut reading = Reading::default();
    read_into(files, path, &mut reading);
    reading
}

/// As [`read`], into a reading that may hold other roots already. Returns the paths of the files that were used as
/// modules, imports or the template of a parameter file, so that a caller can leave them out as roots.
pub fn read_into(files: &dyn Files, path: &str, reading: &mut Reading) -> BTreeSet<String> {
    if path.ends_with(".bicepparam") {
        return with_parameters(files, path, reading);
    }
    crate::arm::read_root(files, path, None, reading)
}

/// What is wrong with the grammar of a Bicep text, as `(byte, message)`; empty when every statement was read.
pub fn check(text: &str) -> Vec<(u32, String)> {
    let mut sources = SourceMap::default();
    let (file, text) = sources.add("", text.as_bytes());
    parse(&text, "", file).1.into_iter().map(|f| (f.at, f.message)).collect()
}

fn with_parameters(files: &dyn Files, path: &str, reading: &mut Reading) -> BTreeSet<String> {
    let mut reader = Reader::new(files, std::mem::take(&mut reading.sources), path);
    let mut args: HashMap<String, Val> = HashMap::new();
    let mut found = None;
    if let Some(template) = reader.template(path) {
        args = reader.arguments(&template);
        if let Some((using, start, end)) = &template.using {
            let span = Span { file: template.file, start: *start, end: *end };
            found = join(&template.folder, using).filter(|p| files.read(p).is_some());
            if found.is_none() {
                let message = format!("template `{using}` is not in the repository");
                reader.problem(ProblemSeverity::Note, message, span);
            }
        }
    } else {
        let (file, _): (FileId, _) = reader.sources.add(path, b"");
        let message = format!("cannot read parameter file `{path}`; check that it is there");
        reader.problem(ProblemSeverity::Error, message, Span::new(file, 0, 0));
    }
    reading.sources = reader.sources;
    reading.problems.append(&mut reader.problems);
    let mut used = reader.nested;
    if let Some(template) = found {
        let first = reading.resources.len();
        used.extend(crate::arm::read_root(files, &template, Some(args), reading));
        for code in reading.resources.iter_mut().skip(first) {
            code.root = path.into();
        }
        used.insert(template);
    }
    used
}
