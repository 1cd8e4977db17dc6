//! `plumb findings ticket`, `plumb reviews removals`: what goes to those who do the work.

use super::people::refused;
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::Args;
use plumb_govern::review::{Campaign, Judgement, Outcome};
use plumb_run::govern::{self, Removal};
use serde_json::json;

/// `plumb findings ticket`
#[derive(Debug, Args)]
pub struct TicketArgs {
    /// The findings: ids or their beginnings
    #[arg(required = true)]
    pub findings: Vec<String>,
}

/// `plumb findings ticket`
pub fn ticket(globals: &Globals, args: TicketArgs) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let catalog = context::catalog(globals)?;
    let tickets = govern::Tickets::read(&record, &catalog).map_err(refused)?;
    for (i, id) in args.findings.iter().enumerate() {
        let row = record.finding(id)?;
        let ticket = tickets.of(&row, context::now()).map_err(refused)?;
        match out::format(globals) {
            Format::Text => {
                if i > 0 {
                    out::line("\n---\n");
                }
                out::line(ticket.markdown().trim_end());
            }
            _ => {
                let mut value = serde_json::to_value(&ticket)?;
                if let Some(object) = value.as_object_mut() {
                    object.insert("body".into(), json!(ticket.markdown()));
                }
                out::line(value);
            }
        }
    }
    Ok(0)
}

/// `plumb reviews removals`: what reviews decided to take away and what leavers still hold, each with how it goes. Exit 1
/// when there is any.
pub fn removals(globals: &Globals, review: Option<&str>) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let mut rows: Vec<(String, String, Removal)> = Vec::new();
    let campaigns: Vec<Campaign> = govern::campaigns(&record).map_err(refused)?;
    if let Some(id) = review
        && !campaigns.iter().any(|c| c.id == id)
    {
        let known: Vec<&str> = campaigns.iter().map(|c| c.id.as_str()).collect();
        return Err(Failure::usage(format!("there is no review `{id}`; there is {}", known.join(", "))));
    }
    for campaign in campaigns.iter().filter(|c| review.is_none_or(|id| c.id == id)) {
        for (id, item) in &campaign.items {
            let decided = matches!(item.judgement, Some(Judgement::Remove | Judgement::Change));
            if decided && matches!(item.outcome, Outcome::Pending | Outcome::NotVerified) {
                let due = item.verify_by.map(plumb_model::Time::date).unwrap_or_default();
                rows.push((
                    format!("{} {}", campaign.id, govern::item_code(id)),
                    due,
                    govern::removal_of(&item.access),
                ));
            }
        }
    }
    if review.is_none() {
        let mut all = super::reviews::accesses(&record)?;
        let gone = govern::mark(&record, &mut all).map_err(refused)?;
        let left = all.iter().filter(|a| gone.contains(&a.id()));
        rows.extend(left.map(|a| ("has left".to_owned(), "now".to_owned(), govern::removal_of(a))));
    }
    match out::format(globals) {
        Format::Text => {
            for (why, due, r) in &rows {
                out::line(format!("{why}  due {due}  {}", r.words));
                if let Some(scim) = &r.scim {
                    let text = |k: &str| scim.get(k).and_then(serde_json::Value::as_str).unwrap_or_default();
                    let body = scim.get("body").map(ToString::to_string).unwrap_or_default();
                    out::line(format!("    {}\n    {} {}\n    {body}", text("find"), text("method"), text("path")));
                }
                for command in &r.commands {
                    out::line(format!("    {command}"));
                }
            }
        }
        _ => {
            for (why, due, r) in &rows {
                let mut value = serde_json::to_value(r)?;
                if let Some(object) = value.as_object_mut() {
                    object.insert("why".into(), json!(why));
                    object.insert("due".into(), json!(due));
                }
                out::line(value);
            }
        }
    }
    Ok(u8::from(!rows.is_empty()))
}
