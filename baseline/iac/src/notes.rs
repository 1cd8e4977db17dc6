//! Finding the comments of a template that ask to skip rules, and the resource each one speaks about.

use crate::resource::Skip;
use crate::skips::skips_in;
use crate::source::{FileId, SourceFile, Span};

/// A comment with skips.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Note {
    /// Where the comment starts.
    at: u32,
    /// Where the first code after it starts, when the comment stands on a line of its own.
    next: Option<u32>,
    skips: Vec<Skip>,
}

/// The comments of a text that hold skips; `marks` are what starts a comment to the end of its line.
pub(crate) fn find(text: &str, file: FileId, marks: &[&str]) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    if !["skip=", "ignore", "kics-scan"].iter().any(|word| text.contains(word)) {
        return notes;
    }
    let mut waiting = 0; // Notes from here on still look for the code that follows them.
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let opening = |at: usize| {
            let before = line.get(..at).and_then(|b| b.chars().next_back());
            let starts = marks.iter().any(|m| line.get(at..).is_some_and(|rest| rest.starts_with(m)));
            starts && before.is_none_or(char::is_whitespace)
        };
        let alone = !code.is_empty() && (opening(indent) || code.starts_with("/*") || code.starts_with('*'));
        let comment = if alone { Some(indent) } else { (0..line.len()).find(|&at| opening(at)) };
        if !alone && !code.is_empty() {
            for note in notes.iter_mut().skip(waiting) {
                note.next = note.next.or(Some(clamp(start + indent)));
            }
            waiting = notes.len();
        }
        if let Some(at) = comment {
            let text = line.get(at..).unwrap_or_default().trim_end();
            let span = Span::new(file, start + at, start + at + text.len());
            let skips = skips_in(text, span);
            if !skips.is_empty() {
                notes.push(Note { at: clamp(start + at), next: None, skips });
                if !alone {
                    waiting = notes.len();
                }
            }
        }
        start += line.len();
    }
    notes
}

/// Every comment of a file that asks to skip something, whatever it stands at. JSON has no comments.
pub fn skip_comments(file: &SourceFile, id: FileId) -> Vec<Skip> {
    let marks: &[&str] = match file.path.rsplit_once('.').map_or("", |(_, end)| end) {
        "tf" | "tofu" => &["#", "//"],
        "bicep" | "bicepparam" => &["//"],
        "yaml" | "yml" | "template" | "cfn" => &["#"],
        _ => return Vec::new(),
    };
    find(&file.text, id, marks).into_iter().flat_map(|note| note.skips).collect()
}

/// The skips about the code at `start..end`: comments inside it, at the end of its last line, or right above it.
/// `following` is where the next resource starts: a comment right above that one is not ours.
pub(crate) fn about(notes: &[Note], start: u32, end: u32, following: Option<u32>) -> Vec<Skip> {
    let ours = |note: &&Note| {
        note.next == Some(start)
            || (note.at >= start && note.at < end && (note.next.is_none() || note.next != following))
    };
    notes.iter().filter(ours).flat_map(|n| n.skips.iter().cloned()).collect()
}

fn clamp(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
