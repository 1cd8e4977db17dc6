//! One module per group of commands.

pub mod check;
pub mod check_actions;
pub mod check_formats;
pub mod check_rows;
pub mod check_text;
pub mod code;
pub mod demo;
pub mod export;
pub mod exposed;
pub mod findings;
pub mod listing;
pub mod plan;
pub mod rules;
pub mod scan;
pub mod verdicts;
pub mod why;

pub mod audit;
pub mod cadence;
pub mod estate;
pub mod evidence;
pub mod exceptions;
pub mod identity;
pub mod known;
pub mod people;
pub mod report;
pub mod score;
pub mod ticket;
pub mod transition;
pub mod watch;

pub mod accounts;
pub mod attest;
pub mod baseline;
pub mod data_evidence;
pub mod drift;
pub mod exposure;
pub mod pulls;
pub mod retention;
pub mod reviews;
pub mod score_policy;
pub mod work;

use crate::{args::Cli, out, out::Failure};
use clap::CommandFactory;

/// The JSON objects of a file of lines, or of standard input for `-`.
pub fn json_lines<T: serde::de::DeserializeOwned>(path: &std::path::Path) -> Result<Vec<T>, Failure> {
    let parse = |(i, l): (usize, &str)| {
        serde_json::from_str(l).map_err(|e| {
            // A line is parsed by itself: what serde calls line 1 is this one.
            let said = e.to_string().replace(" at line 1 column ", ", column ");
            Failure::usage(format!("line {}: {said}", i + 1))
        })
    };
    let text = file_or_stdin(path)?;
    let rows: Vec<T> =
        text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()).map(parse).collect::<Result<_, _>>()?;
    if rows.is_empty() {
        return Err(Failure::usage(format!("`{}` has no line; one JSON object a line is right", path.display())));
    }
    Ok(rows)
}

/// A JSON file; `what` says what it is not when it cannot be read as one: `no column mapping`.
pub fn json_file<T: serde::de::DeserializeOwned>(path: &std::path::Path, what: &str) -> Result<T, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", path.display())))?;
    serde_json::from_str(&text).map_err(|e| Failure::usage(format!("`{}` is {what} in JSON: {e}", path.display())))
}

/// The text of a file, or of standard input for `-`.
pub fn file_or_stdin(path: &std::path::Path) -> Result<String, Failure> {
    if path.as_os_str() == "-" {
        return Ok(std::io::read_to_string(std::io::stdin())?);
    }
    std::fs::read_to_string(path).map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", path.display())))
}

/// The same failure, naming the row it came from when there are several.
pub fn in_row(failure: Failure, many: bool, row: &str) -> Failure {
    if !many {
        return failure;
    }
    let mut named = Failure::new(format!("{row}: {failure}; the rows before it are kept"));
    named.code = failure.code;
    named
}

/// `plumb completions`
pub fn completions(shell: clap_complete::Shell) -> Result<u8, Failure> {
    clap_complete::generate(shell, &mut Cli::command(), "plumb", &mut std::io::stdout());
    Ok(0)
}

/// `plumb version`
pub fn version() -> Result<u8, Failure> {
    out::line(format!("plumb {}", env!("CARGO_PKG_VERSION")));
    out::line(format!("record format {}", plumb_record::FORMAT));
    out::line(format!("AWS models: botocore {}", plumb_clouds::aws::models_version()));
    Ok(0)
}
