//! `plumb findings transition`: people move findings, by the rules.

use super::people::{refused, session};
use crate::{
    args::{FindingArgs, Format, Globals},
    context, out,
    out::Failure,
};
use clap::{Args, Subcommand};
use plumb_govern::finding::machine;
use plumb_run::govern::{self, GovernError};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// `plumb findings`: lists, unless told to do something.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct FindingsArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub list: FindingArgs,
    /// What to do with findings; default list
    #[command(subcommand)]
    pub action: Option<FindingsAction>,
}

/// What to do with findings.
#[derive(Debug, Subcommand)]
pub enum FindingsAction {
    /// Move a finding: triage, start, claim-fixed, merge
    Transition(TransitionArgs),
    /// Move many findings from a CSV file: id, event, reason, and a column for each field
    Bulk(super::work::BulkArgs),
    /// Say that a finding is a duplicate of another, caused by it, of the same root, or a step of its path
    Link(super::work::LinkArgs),
    /// What is related to a finding: links, the same resource, the same cause
    Related(super::work::RelatedArgs),
    /// Clocks: due dates, pauses, breaches, by team, lane, tier and data
    Sla(super::work::SlaArgs),
    /// Which few rules and causes make most of the work, for everybody or per team
    Patterns(super::work::PatternArgs),
    /// What moved the risk carried in a period: arrived, burned, decided, gone
    Burned(super::work::BurnedArgs),
    /// Show or set who gets which findings
    Routing(super::work::RoutingArgs),
    /// Write the text of a ticket: what it means for the business, what to do, by when, what closes it
    Ticket(super::ticket::TicketArgs),
}

/// `plumb findings transition`
#[derive(Debug, Args)]
pub struct TransitionArgs {
    /// The finding: its id or the beginning of it; `-` reads JSON lines of {id, event, reason, fields}
    pub finding: String,
    /// What happens to it
    #[arg(default_value = "")]
    pub event: String,
    /// In your words
    #[arg(long, default_value = "")]
    pub reason: String,
    /// What the step asks for: person=…, team=…, plan=…, kind=manual|iac-patch|auto, reference=…, into=FINDING
    #[arg(long = "field", value_name = "KEY=VALUE")]
    pub fields: Vec<String>,
    /// Say what may happen to it now, and change nothing
    #[arg(long)]
    pub possible: bool,
}

/// `plumb findings`
pub fn findings(globals: &Globals, args: FindingsArgs) -> Result<u8, Failure> {
    match args.action {
        None => super::findings::run(globals, args.list),
        Some(FindingsAction::Transition(args)) => transition(globals, args),
        Some(FindingsAction::Bulk(args)) => super::work::bulk(globals, args),
        Some(FindingsAction::Link(args)) => super::work::link(globals, args),
        Some(FindingsAction::Related(args)) => super::work::related(globals, args),
        Some(FindingsAction::Sla(args)) => super::work::sla(globals, args),
        Some(FindingsAction::Patterns(args)) => super::work::patterns(globals, args),
        Some(FindingsAction::Burned(args)) => super::work::burned(globals, args),
        Some(FindingsAction::Routing(args)) => super::work::routing(globals, args),
        Some(FindingsAction::Ticket(args)) => super::ticket::ticket(globals, args),
    }
}

/// `KEY=VALUE` pairs.
pub fn pairs(given: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    given
        .iter()
        .map(|f| match f.split_once('=') {
            Some((k, v)) if !k.is_empty() => Ok((k.to_owned(), v.to_owned())),
            _ => Err(Failure::usage(format!("--field {f}: write KEY=VALUE"))),
        })
        .collect()
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    event: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    fields: BTreeMap<String, String>,
}

/// A refusal with how to say what is missing.
fn hinted(error: GovernError) -> Failure {
    use plumb_govern::Refusal;
    let how = match &error {
        GovernError::Refused(Refusal::Incomplete { problems }) => {
            let one = |p: &plumb_govern::Problem| match p.field.as_str() {
                "owner" => "--field team=… or --field person=…".to_owned(),
                "plan" => "--reason TICKET or --field plan=…".to_owned(),
                field => format!("--field {field}=…"),
            };
            problems.iter().map(one).collect::<Vec<_>>().join(" ")
        }
        _ => return refused(error),
    };
    let mut failure = Failure::new(format!("{error}; say it with {how}"));
    failure.code = 1;
    failure
}

fn transition(globals: &Globals, args: TransitionArgs) -> Result<u8, Failure> {
    if args.possible {
        let record = context::record_read_only(globals)?;
        let row = record.finding(&args.finding)?;
        let state: machine::State = row.state.parse().map_err(Failure::new)?;
        let events: Vec<&str> = machine::possible(Some(state)).map(machine::EventKind::name).collect();
        match out::format(globals) {
            Format::Text => out::line(format!("{} is {}; possible: {}", row.id, row.state, events.join(", "))),
            _ => out::line(json!({ "finding": row.id, "state": row.state, "possible": events })),
        }
        return Ok(0);
    }
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let catalog = context::catalog(globals)?;
    let rows = if args.finding == "-" {
        let text = std::io::read_to_string(std::io::stdin())?;
        let parse =
            |(i, l): (usize, &str)| serde_json::from_str(l).map_err(|e| Failure::usage(format!("line {}: {e}", i + 1)));
        text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()).map(parse).collect::<Result<Vec<Row>, _>>()?
    } else if args.event.is_empty() {
        let said = format!(
            "what happens to {0}? name an event: triage, start, claim-fixed, merge …; `plumb findings transition {0} --possible` lists them",
            args.finding
        );
        return Err(Failure::usage(said));
    } else {
        vec![Row { id: args.finding, event: args.event, reason: args.reason, fields: pairs(&args.fields)? }]
    };
    let many = rows.len() != 1;
    let mut said: Vec<Json> = Vec::new();
    let mut code = 0;
    for row in rows {
        let done = govern::transition(&mut record, &catalog, &session, &row.id, &row.event, &row.reason, &row.fields);
        match done {
            Ok(life) => {
                let step = life.steps.last();
                said.push(json!({
                    "finding": row.id, "event": row.event, "from": step.and_then(|s| s.from).map(|s| s.name()),
                    "to": life.finding.state().name(), "actor": session.actor.id, "step": life.finding.seq(),
                    "due": life.finding.clock().due(session.now), "ok": true,
                }));
            }
            Err(error) if many => {
                code = 1;
                said.push(json!({ "finding": row.id, "event": row.event, "ok": false, "refused": error.to_string() }));
            }
            Err(error) => return Err(hinted(error)),
        }
    }
    match out::format(globals) {
        Format::Text => {
            for s in &said {
                let word = |k: &str| s.get(k).and_then(Json::as_str).unwrap_or_default();
                match s.get("refused") {
                    Some(why) => {
                        out::line(format!("{}  refused: {}", word("finding"), why.as_str().unwrap_or_default()))
                    }
                    None => out::line(format!("{}  {} -> {}", word("finding"), word("from"), word("to"))),
                }
            }
        }
        _ => said.iter().for_each(out::line),
    }
    Ok(code)
}
