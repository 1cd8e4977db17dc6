//! One module per group of commands.

pub mod check;
pub mod check_actions;
pub mod check_formats;
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
pub mod excerpt;
pub mod identity;
pub mod known;
pub mod people;
pub mod report;
pub mod score;
pub mod transition;
pub mod watch;

use crate::{args::Cli, out, out::Failure};
use clap::CommandFactory;

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
