//! `plumb retention`: how long everything is kept, what holds it, and what goes.

use super::people::{refused, session};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::{Args, Subcommand};
use plumb_govern::retention::{Class, Hold};
use plumb_run::govern::{self, HoldVerb};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, path::PathBuf};

/// `plumb retention`
#[derive(Debug, Args)]
pub struct RetentionArgs {
    /// What to do; default show
    #[command(subcommand)]
    pub command: Option<RetentionCommand>,
}

/// What to do about retention.
#[derive(Debug, Subcommand)]
pub enum RetentionCommand {
    /// Show each class: how long it is kept, how many rows, how many are due to go, how many are held
    Show,
    /// Replace the policy by that of a file (JSON: version, days by class, demands of frameworks); admins only
    Set {
        /// The file, or `-`
        file: PathBuf,
    },
    /// Legal holds
    Hold {
        /// What to do
        #[command(subcommand)]
        command: HoldCommand,
    },
    /// Dry run: list what would go, and put it up for another person to approve; admins only
    Propose,
    /// Let go of exactly what was proposed; leaves a certificate; approvers only, never the proposer
    Approve {
        /// Its number: DS-0001
        number: String,
    },
    /// List proposed disposals and their certificates
    List,
}

/// What to do about holds.
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Propose one; it holds from now on
    Propose {
        /// Why; at least 20 characters
        #[arg(long)]
        reason: String,
        /// Only these classes; default all
        #[arg(long = "class", value_name = "CLASS", value_delimiter = ',')]
        classes: Vec<String>,
        /// Only these accounts; default all
        #[arg(long = "account", value_name = "ID", value_delimiter = ',')]
        accounts: Vec<String>,
    },
    /// Confirm one; another admin than who proposed it
    Place {
        /// Its number: LH-0001
        number: String,
    },
    /// Lift one, with a note of at least 20 characters; another admin than who proposed it
    Lift {
        /// Its number
        number: String,
        /// Why
        #[arg(long)]
        note: String,
    },
    /// List holds
    List,
}

fn print_holds(globals: &Globals, holds: &[Hold]) -> Result<(), Failure> {
    out::rows(globals, holds, &["hold", "standing", "classes", "accounts", "proposed by", "placed by", "why"], |h| {
        let classes: Vec<&str> = h.classes.iter().map(|c| c.name()).collect();
        let all = |words: String| if words.is_empty() { "all".to_owned() } else { words };
        vec![
            h.id.clone(),
            if h.lifted.is_some() { "lifted".into() } else { "holds".into() },
            all(classes.join(" ")),
            all(h.accounts.iter().cloned().collect::<Vec<_>>().join(" ")),
            h.proposed_by.to_string(),
            h.placed_by.as_ref().map(ToString::to_string).unwrap_or_default(),
            out::cut(globals, &h.reason, 60),
        ]
    })
}

/// `plumb retention`
pub fn run(globals: &Globals, args: RetentionArgs) -> Result<u8, Failure> {
    match args.command.unwrap_or(RetentionCommand::Show) {
        RetentionCommand::Show => show(globals),
        RetentionCommand::Set { file } => {
            let text = super::file_or_stdin(&file)?;
            let new = serde_json::from_str(&text).map_err(|e| Failure::usage(format!("`{}`: {e}", file.display())))?;
            let mut record = context::record(globals)?;
            let session = session(globals, &record)?;
            govern::set_retention(&mut record, &session, &new).map_err(refused)?;
            show(globals)
        }
        RetentionCommand::Hold { command: HoldCommand::List } => {
            let record = context::record_read_only(globals)?;
            print_holds(globals, &govern::holds(&record).map_err(refused)?)?;
            Ok(0)
        }
        RetentionCommand::Hold { command } => {
            let verb = match command {
                HoldCommand::Propose { reason, classes, accounts } => {
                    let classes = classes.iter().map(|c| c.parse::<Class>()).collect::<Result<_, _>>();
                    HoldVerb::Propose(reason, classes.map_err(Failure::usage)?, accounts.into_iter().collect())
                }
                HoldCommand::Place { number } => HoldVerb::Place(number),
                HoldCommand::Lift { number, note } => HoldVerb::Lift(number, note),
                HoldCommand::List => return Ok(0),
            };
            let mut record = context::record(globals)?;
            let session = session(globals, &record)?;
            let hold = govern::hold(&mut record, &session, &verb).map_err(refused)?;
            print_holds(globals, &[hold])?;
            Ok(0)
        }
        RetentionCommand::Propose => {
            let mut record = context::record(globals)?;
            let session = session(globals, &record)?;
            let (number, plan) = govern::propose_disposal(&mut record, &session).map_err(refused)?;
            match out::format(globals) {
                Format::Text => {
                    for (class, id) in &plan.ids {
                        out::line(format!("{class}  {id}"));
                    }
                    out::line(format!(
                        "{number}: {} rows would go, {} are held; digest {}\nanother person lets them go with: plumb retention approve {number}",
                        plan.ids.len(),
                        plan.held,
                        plan.digest
                    ));
                }
                _ => out::line(json!({ "number": number, "disposal": plan })),
            }
            Ok(0)
        }
        RetentionCommand::Approve { number } => {
            let mut record = context::record(globals)?;
            let session = session(globals, &record)?;
            let certificate = govern::approve_disposal(&mut record, &session, &number).map_err(refused)?;
            match out::format(globals) {
                Format::Text => {
                    let counts: Vec<String> = certificate.counts.iter().map(|(c, n)| format!("{n} of {c}")).collect();
                    out::line(format!(
                        "{number}: gone are {}; certificate digest {}",
                        counts.join(", "),
                        certificate.digest
                    ));
                }
                _ => out::line(json!({ "number": number, "certificate": certificate })),
            }
            Ok(0)
        }
        RetentionCommand::List => {
            let record = context::record_read_only(globals)?;
            let rows: Vec<Json> = govern::disposals(&record)
                .map_err(refused)?
                .into_iter()
                .map(|(number, d, c)| {
                    json!({ "number": number, "rows": d.ids.len(), "held": d.held, "digest": d.digest, "policy": d.policy,
                            "proposed_by": d.proposed_by, "at": d.at, "certificate": c })
                })
                .collect();
            out::rows(globals, &rows, &["disposal", "rows", "proposed by", "approved by", "on", "digest"], |v| {
                let text = |p: &str| {
                    v.pointer(p).map(|x| x.as_str().map_or_else(|| x.to_string(), str::to_owned)).unwrap_or_default()
                };
                vec![
                    text("/number"),
                    text("/rows"),
                    text("/proposed_by"),
                    text("/certificate/approved_by"),
                    text("/certificate/at").chars().take(10).collect(),
                    out::cut(globals, &text("/digest"), 24),
                ]
            })?;
            Ok(0)
        }
    }
}

fn show(globals: &Globals) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let policy = govern::retention(&record).map_err(refused)?;
    let holds = govern::holds(&record).map_err(refused)?;
    let now = context::now();
    let mut counts: BTreeMap<Class, [usize; 3]> = BTreeMap::new();
    for (row, _) in govern::disposable(&record).map_err(refused)? {
        let slot = counts.entry(row.class).or_default();
        let due = policy.days_for(row.class).zip(row.ended).is_some_and(|(d, e)| now.days_since(e) > i64::from(d));
        let held = holds.iter().any(|h| h.holds(row.class, &row.account));
        let [all, going, kept] = slot;
        *all += 1;
        *going += usize::from(due && !held);
        *kept += usize::from(due && held);
    }
    let rows: Vec<Json> = Class::ALL
        .iter()
        .map(|c| {
            let [all, due, held] = counts.get(c).copied().unwrap_or_default();
            let days = if *c == Class::Activity { None } else { policy.days_for(*c) };
            json!({ "class": c, "days": days, "ended": all, "due": due, "held": held, "policy": policy.version })
        })
        .collect();
    out::rows(globals, &rows, &["class", "kept for", "ended rows", "due to go", "held"], |v| {
        let n = |k: &str| v.get(k).map(ToString::to_string).unwrap_or_default();
        let days = v.get("days").and_then(Json::as_u64).map_or_else(|| "ever".into(), |d| format!("{d} days"));
        let class = v.get("class").and_then(Json::as_str).unwrap_or_default().to_owned();
        vec![class, days, n("ended"), n("due"), n("held")]
    })?;
    Ok(0)
}
