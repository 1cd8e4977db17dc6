//! What is printed and where; failures with their causes.

use crate::args::{Format, Globals};
use serde::Serialize;
use std::{
    error::Error,
    fmt,
    io::{IsTerminal, Write},
    sync::atomic::{AtomicU8, Ordering},
};

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    message: String,
    cause: Option<Box<dyn Error>>,
}

impl Failure {
    /// Wrong usage: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into(), cause: None }
    }

    /// It failed: exit code 4.
    pub fn new(message: impl Into<String>) -> Self {
        Self { code: 4, message: message.into(), cause: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut cause = self.cause.as_ref().and_then(|c| c.source());
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let code = if misnamed(&error) { 2 } else { 4 };
        Self { code, message: error.to_string(), cause: Some(Box::new(error)) }
    }
}

/// Whether something was asked for that nothing on the record is called, or in words that are no such thing: wrong usage.
pub fn misnamed(error: &(dyn Error + 'static)) -> bool {
    use plumb_record::RecordError;
    use plumb_run::{drift::DriftError, govern::GovernError};
    match (error.downcast_ref(), error.downcast_ref(), error.downcast_ref()) {
        (Some(DriftError::Record(e)), ..) | (_, Some(GovernError::Record(e)), _) | (.., Some(e)) => {
            matches!(e, RecordError::Unknown(_))
        }
        (Some(DriftError::Govern(e)), ..) => misnamed(e),
        (Some(DriftError::Input(_)), ..) | (_, Some(GovernError::Input(_)), _) => true,
        _ => false,
    }
}

/// Prints a failure to standard error.
pub fn failure(error: &Failure) {
    let _ = writeln!(std::io::stderr(), "plumb: {error}");
}

/// Prints a line to standard output; a closed pipe ends the program quietly, as it should.
pub fn line(text: impl fmt::Display) {
    if let Err(error) = writeln!(std::io::stdout().lock(), "{text}") {
        unwritten(&error);
    }
}

/// Prints a line to standard error, for people; not with `--quiet`.
pub fn note(globals: &Globals, text: impl fmt::Display) {
    if !globals.quiet {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

/// The format asked for, or what suits where standard output goes.
pub fn format(globals: &Globals) -> Format {
    globals.format.unwrap_or(if std::io::stdout().is_terminal() { Format::Text } else { Format::Json })
}

/// Prints much to standard output without holding it.
pub fn stream(print: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) {
    let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    if let Err(error) = print(&mut out).and_then(|()| out.flush()) {
        unwritten(&error);
    }
}

/// What the program ends with when the reader of its output goes away; see [`ends_with`].
static VERDICT: AtomicU8 = AtomicU8::new(0);

/// Says what the exit code will be before anything is printed: `plumb check . | head` is no clean result because of `head`.
pub fn ends_with(code: u8) {
    VERDICT.store(code, Ordering::Relaxed);
}

/// Ends the program where standard output takes no more: quietly when its reader has gone, and as a failure when what was
/// asked for could not be written.
pub fn unwritten(error: &std::io::Error) -> ! {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        std::process::exit(VERDICT.load(Ordering::Relaxed).into());
    }
    let _ = writeln!(std::io::stderr(), "plumb: cannot write to standard output: {error}");
    std::process::exit(4)
}

/// Prints rows in the format asked for. `header` and `cells` are for text and CSV.
pub fn rows<T: Serialize>(
    globals: &Globals,
    rows: &[T],
    header: &[&str],
    cells: impl Fn(&T) -> Vec<String>,
) -> Result<(), Failure> {
    rows_of(globals, rows.iter(), header, |row| cells(row))
}

/// A text as it stands in a cell: shortened for a terminal only, so that what a program reads is whole.
pub fn cut(globals: &Globals, text: &str, most: usize) -> String {
    match format(globals) {
        Format::Text => crate::commands::scan::short(text, most),
        _ => text.to_owned(),
    }
}

/// The same for rows that are made while they are printed.
pub fn rows_of<T: Serialize>(
    globals: &Globals,
    rows: impl Iterator<Item = T>,
    header: &[&str],
    cells: impl Fn(&T) -> Vec<String>,
) -> Result<(), Failure> {
    match format(globals) {
        // A list with a row a line: half the size of one spread out, and still read by people.
        Format::Json => stream(|out| {
            let mut text = b"[\n".to_vec();
            let mut any = false;
            for row in rows {
                if any {
                    text.extend_from_slice(b",\n");
                }
                any = true;
                written(&mut text, &row, out)?;
            }
            out.write_all(if any { b"\n]\n" } else { b"[]\n" })
        }),
        Format::Jsonl => stream(|out| {
            let mut text = Vec::new();
            for row in rows {
                written(&mut text, &row, out)?;
                text.push(b'\n');
            }
            out.write_all(&text)
        }),
        Format::Csv => stream(|out| {
            writeln!(out, "{}", header.join(","))?;
            for row in rows {
                let cells: Vec<String> = cells(&row).iter().map(|c| plumb_connect::csv_cell(c)).collect();
                writeln!(out, "{}", cells.join(","))?;
            }
            Ok(())
        }),
        Format::Text => table(header, &rows.map(|row| cells(&row)).collect::<Vec<_>>()),
    }
    Ok(())
}

/// Writes what `text` holds and a row: a row is put together in memory, where its many small parts cost least.
fn written(text: &mut Vec<u8>, row: &impl Serialize, out: &mut dyn Write) -> std::io::Result<()> {
    serde_json::to_writer(&mut *text, row)?;
    out.write_all(text)?;
    text.clear();
    Ok(())
}

/// Columns padded to their widest cell; the last is left as it is.
pub fn table(header: &[&str], rows: &[Vec<String>]) {
    let width = |i: usize| {
        let widest = rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count()).max().unwrap_or(0);
        widest.max(header.get(i).map_or(0, |h| h.len())).min(60)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let show = |cells: &[String]| {
        let mut text = String::new();
        for (i, cell) in cells.iter().enumerate() {
            let last = i + 1 == cells.len();
            let w = widths.get(i).copied().unwrap_or(0);
            if last {
                text.push_str(cell);
            } else {
                text.push_str(&format!("{cell:<w$}  "));
            }
        }
        line(text.trim_end());
    };
    show(&header.iter().map(|h| h.to_uppercase()).collect::<Vec<_>>());
    for row in rows {
        show(row);
    }
}
