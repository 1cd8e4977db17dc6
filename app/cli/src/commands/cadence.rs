//! `plumb cadence`: what the programme promised, and what is overdue.

use super::people::{refused, session};
use crate::{args::Globals, context, out, out::Failure};
use clap::{Args, Subcommand};
use plumb_run::govern;

/// `plumb cadence`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct CadenceArgs {
    /// Only what is overdue; exit 1 when there is any
    #[arg(long)]
    pub overdue: bool,
    /// As of this instant
    #[arg(long, value_name = "RFC3339")]
    pub now: Option<String>,
    /// What to do; default list
    #[command(subcommand)]
    pub command: Option<CadenceCommand>,
}

/// What to do with promises.
#[derive(Debug, Subcommand)]
pub enum CadenceCommand {
    /// Note that a promise was kept
    Done {
        /// The promise: `exception-review`
        promise: String,
        /// What came of it
        #[arg(long)]
        result: String,
        /// The account, for promises about accounts
        #[arg(long, default_value = "")]
        account: String,
    },
}

/// `plumb cadence`
pub fn run(globals: &Globals, args: CadenceArgs) -> Result<u8, Failure> {
    if let Some(CadenceCommand::Done { promise, result, account }) = args.command {
        let mut record = context::record(globals)?;
        let session = session(globals, &record)?;
        let done = govern::note_done(&mut record, &session, &promise, &account, &result).map_err(refused)?;
        out::line(serde_json::to_string(&done)?);
        return Ok(0);
    }
    let record = context::record_read_only(globals)?;
    let mut rows = govern::cadences(&record, context::instant(args.now.as_deref())?).map_err(refused)?;
    if args.overdue {
        rows.retain(|r| r.overdue);
    }
    out::rows(globals, &rows, &["promise", "account", "last", "due", "late days", "what"], |r| {
        let last = r.last.map_or_else(|| "never".into(), |t| t.date());
        vec![r.promise.clone(), r.subject.clone(), last, r.due.date(), r.late_days.to_string(), r.title.clone()]
    })?;
    Ok(u8::from(args.overdue && !rows.is_empty()))
}
