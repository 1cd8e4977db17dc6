//! Files, spans and problems: where things were written, and what could not be read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

/// A file of a [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileId(pub u32);

/// A range of bytes in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// Bytes `start..end` of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        Self { file, start: u32::try_from(start).unwrap_or(u32::MAX), end: u32::try_from(end).unwrap_or(u32::MAX) }
    }

    /// The smallest span that covers both (of the first's file).
    pub fn to(self, end: Span) -> Self {
        Self { file: self.file, start: self.start.min(end.start), end: self.end.max(end.end) }
    }
}

/// A place a person can go to. Lines and columns count from 1, columns in characters; the end is one past the last.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// The path, relative to the root of what was read, with `/`.
    pub file: Arc<str>,
    /// First line.
    pub line: u32,
    /// First column.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// One past the last column.
    pub end_column: u32,
}

/// One file that was read.
#[derive(Debug)]
pub struct SourceFile {
    /// The path, relative to the root of what was read, with `/`.
    pub path: Arc<str>,
    /// The text; bytes that are not UTF-8 are replaced.
    pub text: Arc<str>,
    lines: OnceLock<Vec<u32>>,
}

/// All files that were read. A clone shares them.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    files: Vec<Arc<SourceFile>>,
}

impl SourceMap {
    /// Adds a file. A byte order mark is removed.
    pub fn add(&mut self, path: &str, bytes: &[u8]) -> (FileId, Arc<str>) {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        // What is well-formed, which is almost everything, is found out many bytes at a time.
        let text: Arc<str> = match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => String::from_utf8_lossy(bytes).into(),
        };
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(Arc::new(SourceFile { path: path.into(), text: text.clone(), lines: OnceLock::new() }));
        (id, text)
    }

    /// The file.
    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize).map(|f| &**f)
    }

    /// The text of a span; empty when there is none.
    pub fn text(&self, span: Span) -> &str {
        self.file(span.file).and_then(|f| f.text.get(span.start as usize..span.end as usize)).unwrap_or("")
    }

    /// All files, in the order they were added.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &SourceFile> {
        self.files.iter().map(|f| &**f)
    }

    /// Where a span is, in lines and columns.
    pub fn place(&self, span: Span) -> Place {
        let Some(file) = self.file(span.file) else {
            return Place { file: "".into(), line: 0, column: 0, end_line: 0, end_column: 0 };
        };
        let (line, column) = file.position(span.start);
        let (end_line, end_column) = file.position(span.end.max(span.start));
        Place { file: file.path.clone(), line, column, end_line, end_column }
    }

    /// A problem at `span`, with its source frame.
    pub fn problem(&self, severity: ProblemSeverity, message: impl Into<String>, span: Span) -> Problem {
        let place = self.place(span);
        Problem { severity, message: message.into(), frame: self.frame(span), place, span, hides: true }
    }

    /// The lines around a span, numbered, with a caret line under the first.
    pub fn frame(&self, span: Span) -> String {
        let Some(file) = self.file(span.file) else { return String::new() };
        let place = self.place(span);
        let mut out = String::new();
        let _ = writeln!(out, "  --> {}:{}:{}", place.file, place.line, place.column);
        let first = place.line.saturating_sub(1).max(1);
        for n in first..=place.line.saturating_add(1) {
            let Some(line) = file.line(n) else { break };
            let line: String = line.chars().take(160).map(|c| if c == '\t' { ' ' } else { c }).collect();
            let _ = writeln!(out, "{n:>5} | {line}");
            if n == place.line {
                let width =
                    if place.end_line == place.line { place.end_column.saturating_sub(place.column) } else { 1 };
                let pad = " ".repeat((place.column.saturating_sub(1) as usize).min(160));
                let _ = writeln!(out, "      | {pad}{}", "^".repeat((width.max(1) as usize).min(80)));
            }
        }
        out
    }
}

impl SourceFile {
    /// Where a line starts, in bytes; lines count from 1. None beyond the end.
    pub fn offset(&self, line: u32) -> Option<usize> {
        let at = (line as usize).checked_sub(1)?;
        self.starts().get(at).map(|start| *start as usize)
    }

    fn starts(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let mut starts = vec![0];
            let ends = self.text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
            starts.extend(ends.map(|(i, _)| u32::try_from(i + 1).unwrap_or(u32::MAX)));
            starts
        })
    }

    /// The line and column (from 1) of a byte.
    pub fn position(&self, offset: u32) -> (u32, u32) {
        let starts = self.starts();
        let line = starts.partition_point(|s| *s <= offset).max(1);
        let start = starts.get(line - 1).copied().unwrap_or(0) as usize;
        let end = (offset as usize).min(self.text.len());
        let column = match self.text.get(start..end) {
            Some(before) => before.chars().count(),
            None => end.saturating_sub(start),
        };
        (line as u32, column as u32 + 1)
    }

    /// Line `n` (from 1) without its end.
    pub fn line(&self, n: u32) -> Option<&str> {
        let starts = self.starts();
        let at = (n as usize).checked_sub(1)?;
        let start = *starts.get(at)? as usize;
        let end = starts.get(at + 1).map_or(self.text.len(), |e| *e as usize);
        self.text.get(start..end).map(|l| l.trim_end_matches(['\n', '\r']))
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemSeverity {
    /// Something was read with less than full knowledge (a module that is not on disk).
    Note,
    /// Something could not be read: the resources it would have given are missing or partly unknown.
    Error,
}

/// Something that could not be read. It never stops the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// How bad it is.
    pub severity: ProblemSeverity,
    /// What is wrong, and what would be right.
    pub message: String,
    /// Where.
    pub place: Place,
    /// The same as a span.
    pub span: Span,
    /// The source lines with a caret.
    pub frame: String,
    /// Resources may be missing for it. Where only a value could not be computed, the value is unknown and nothing else.
    pub hides: bool,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}", self.message, self.frame)
    }
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name, without the folder.
    pub name: String,
    /// Whether it is a folder.
    pub folder: bool,
}

/// The files of one repository. Paths are relative to its root, use `/`, and never leave it: an implementation answers
/// none for a path (or a link) that would.
pub trait Files {
    /// The bytes of a file; none when there is none or it cannot be read.
    fn read(&self, path: &str) -> Option<Arc<[u8]>>;
    /// The entries of a folder (`""` is the root), sorted by name; empty when there is none.
    fn list(&self, folder: &str) -> Vec<Entry>;
    /// What was asked for, is there and could not be read: path and reason.
    fn unread(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// Files held in memory, for tests and archives.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles(BTreeMap<String, Arc<[u8]>>);

impl MemoryFiles {
    /// Files from `(path, content)` pairs.
    pub fn new<P: Into<String>, C: AsRef<[u8]>>(files: impl IntoIterator<Item = (P, C)>) -> Self {
        Self(files.into_iter().map(|(p, c)| (p.into(), Arc::from(c.as_ref()))).collect())
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &str) -> Option<Arc<[u8]>> {
        self.0.get(path).cloned()
    }

    fn list(&self, folder: &str) -> Vec<Entry> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut out: Vec<Entry> = Vec::new();
        for path in self.0.range(prefix.clone()..).map(|(p, _)| p) {
            let Some(rest) = path.strip_prefix(&prefix) else { break };
            let (name, folder) = rest.split_once('/').map_or((rest, false), |(name, _)| (name, true));
            let entry = Entry { name: name.to_owned(), folder };
            if !name.is_empty() && out.last() != Some(&entry) {
                out.push(entry);
            }
        }
        out.sort();
        out.dedup();
        out
    }
}

/// Joins a folder and a relative path and resolves `.` and `..`; none when it would leave the root.
pub fn join(folder: &str, path: &str) -> Option<String> {
    let mut out: Vec<&str> = if path.starts_with('/') { return None } else { folder.split('/').collect() };
    out.retain(|s| !s.is_empty() && *s != ".");
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                out.pop()?;
            }
            name => out.push(name),
        }
    }
    Some(out.join("/"))
}
