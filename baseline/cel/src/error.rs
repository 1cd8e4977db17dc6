//! What can be wrong with an expression, when it is read and when it is evaluated.

use crate::ast::Span;

/// An expression that cannot be compiled: what, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}{}", .help.as_deref().map(|h| format!("; {h}")).unwrap_or_default())]
pub struct CompileError {
    /// What is wrong, lower case.
    pub message: String,
    /// Byte offset into the source.
    pub offset: usize,
    /// Bytes from the offset that are meant; at least 1 unless the source ended.
    pub length: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What would be right, when we can tell.
    pub help: Option<String>,
}

impl CompileError {
    pub(crate) fn new(source: &str, span: Span, message: impl Into<String>, help: Option<String>) -> Self {
        let mut offset = (span.start as usize).min(source.len());
        while !source.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = source.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            message: message.into(),
            offset,
            length: (span.end as usize).min(source.len()).saturating_sub(offset),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            help,
        }
    }
}

/// An error met while evaluating. In CEL errors are values: `true || error` is true.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A map has no such key.
    #[error("no such key: {0}")]
    NoSuchKey(String),
    /// A list index is out of range or not a whole number.
    #[error("invalid index {index} for a list of {len}")]
    Index {
        /// The index as written.
        index: String,
        /// How long the list is.
        len: usize,
    },
    /// A function or operator does not take values of these types.
    #[error("no such overload: {0}")]
    NoSuchOverload(String),
    /// Whole-number division or remainder by zero.
    #[error("divide by zero")]
    DivideByZero,
    /// The result does not fit.
    #[error("overflow: {0}")]
    Overflow(&'static str),
    /// A value is outside what its type can hold.
    #[error("out of range: {0}")]
    Range(String),
    /// A text is not what it was converted to.
    #[error("{0}")]
    Invalid(String),
    /// A name nobody declared (only when the static check was skipped).
    #[error("undeclared: {0}")]
    Undeclared(String),
    /// A limit was exceeded.
    #[error("limit exceeded: {0}")]
    Limit(&'static str),
}

/// The candidate nearest to `name`, when it is near enough to be meant.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let longest = (name.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .filter(|c| *c != name)
        .map(|c| (distance(name, c), c))
        .filter(|(d, _)| *d <= longest)
        .min()
        .map(|(_, c)| c)
}

/// Optimal-string-alignment distance, case-insensitive: a swap of neighbours counts once.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().map(|c| c.to_ascii_lowercase()).collect();
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    if a.len().abs_diff(b.len()) > 8 {
        return usize::MAX;
    }
    let width = b.len() + 1;
    let mut cells = vec![0usize; (a.len() + 1) * width];
    let at = |i: usize, j: usize| i * width + j;
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            let best = if i == 0 || j == 0 {
                i + j
            } else {
                let mut best = (cells[at(i - 1, j)] + 1)
                    .min(cells[at(i, j - 1)] + 1)
                    .min(cells[at(i - 1, j - 1)] + usize::from(a[i - 1] != b[j - 1]));
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(cells[at(i - 2, j - 2)] + 1);
                }
                best
            };
            cells[at(i, j)] = best;
        }
    }
    cells.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_near_or_absent() {
        let names = ["encrypted", "ingress", "from_port", "kms_key"];
        assert_eq!(nearest("encypted", names), Some("encrypted"));
        assert_eq!(nearest("fromPort", names), Some("from_port"));
        assert_eq!(nearest("ingres", names), Some("ingress"));
        assert_eq!(nearest("banana", names), None);
    }

    #[test]
    fn positions_count_characters_not_bytes() {
        let error = CompileError::new("a\nü + b", Span { start: 7, end: 8 }, "x", None);
        assert_eq!((error.line, error.column, error.offset), (2, 5, 7));
    }
}
