//! `plumb accounts pulls`: how often each tier is read, and which accounts are due.

use super::people::refused;
use crate::{args::Globals, context, out, out::Failure};
use clap::Args;
use plumb_discover::Tier;
use plumb_model::Time;
use plumb_record::Record;
use plumb_run::{
    AccountTarget, accounts,
    pulls::{self, NOT_DUE, Pull},
};
use std::collections::BTreeMap;

/// `plumb accounts pulls`
#[derive(Debug, Args)]
pub struct PullArgs {
    /// Only accounts that are due; exit 1 when there is any
    #[arg(long, conflicts_with_all = ["cadence", "set"])]
    pub due: bool,
    /// How often each tier is read, instead
    #[arg(long)]
    pub cadence: bool,
    /// Read a tier this often from now on: `production=12h`, `sandbox=7d`
    #[arg(long, value_name = "TIER=TIME", num_args = 1.., value_delimiter = ',')]
    pub set: Vec<String>,
    /// As of this instant
    #[arg(long, value_name = "RFC3339")]
    pub now: Option<String>,
}

/// Every account with its next pull.
pub fn all(record: &Record, now: Time) -> Result<Vec<Pull>, Failure> {
    let estate = accounts::current_estate(record, None)?;
    pulls::pulls(record, &estate, &accounts::settings(record)?, now).map_err(refused)
}

/// Leaves those accounts out of a scan that are not due yet; false when none is left. They stay members of the
/// organisation. An account nobody has seen before is due.
pub fn only_due(
    record: &Record,
    targets: &mut [AccountTarget],
    now: Time,
    note: impl Fn(String),
) -> Result<bool, Failure> {
    let later: BTreeMap<String, Pull> =
        all(record, now)?.into_iter().filter(|p| !p.due).map(|p| (p.account.id.to_string(), p)).collect();
    let mut due = 0;
    for target in targets.iter_mut().filter(|t| t.state == "active") {
        match later.get(&target.id) {
            Some(pull) => {
                target.state = NOT_DUE.into();
                target.reason = format!("not due before {}", pull.due_at);
            }
            None => due += 1,
        }
    }
    note(format!("{due} of {} accounts are due for a pull", targets.len()));
    Ok(due > 0)
}

fn cadence(text: &str) -> Result<(Tier, u32), Failure> {
    let wrong = || Failure::usage(format!("--set `{text}`: say TIER=TIME, like production=12h or sandbox=7d"));
    let (tier, time) = text.split_once('=').ok_or_else(wrong)?;
    let tier: Tier = tier.parse().map_err(|e| Failure::usage(format!("--set `{text}`: {e}")))?;
    let (number, unit) = time.split_at(time.len() - time.chars().next_back().map_or(0, char::len_utf8));
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let hours = match unit {
        "h" => Some(number),
        "d" => number.checked_mul(24),
        _ => None,
    };
    Ok((tier, hours.ok_or_else(wrong)?))
}

/// Hours as people say them: `6 h`, `7 d`.
fn every(hours: u32) -> String {
    if hours > 0 && hours.is_multiple_of(24) { format!("{} d", hours / 24) } else { format!("{hours} h") }
}

/// `plumb accounts pulls`
pub fn run(globals: &Globals, args: &PullArgs) -> Result<u8, Failure> {
    let now = context::instant(args.now.as_deref())?;
    if !args.set.is_empty() {
        let wanted = args.set.iter().map(|s| cadence(s)).collect::<Result<Vec<_>, _>>()?;
        let mut record = context::record(globals)?;
        let session = super::accounts::who(globals, &record)?;
        pulls::set_cadence(&mut record, &session, &wanted).map_err(refused)?;
    }
    let record = context::record_read_only(globals)?;
    let mut rows = all(&record, now)?;
    if args.cadence || !args.set.is_empty() {
        let rows = pulls::cadence(&rows, &accounts::settings(&record)?);
        out::rows(globals, &rows, &["tier", "every", "accounts", "due"], |c| {
            vec![c.tier.to_string(), every(c.every_hours), c.accounts.to_string(), c.due.to_string()]
        })?;
        return Ok(0);
    }
    if args.due {
        rows.retain(|p| p.due);
    }
    out::rows(globals, &rows, &["account", "name", "tier", "triage", "every", "last", "due", "late hours"], |p| {
        vec![
            p.account.to_string(),
            p.name.clone(),
            p.tier.to_string(),
            p.triage.to_string(),
            every(p.every_hours),
            p.last.map_or_else(|| "never".into(), |t| t.to_string()),
            if p.due { "now".into() } else { p.due_at.to_string() },
            p.late_hours.to_string(),
        ]
    })?;
    Ok(u8::from(args.due && !rows.is_empty()))
}
