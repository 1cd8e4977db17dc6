//! `plumb findings bulk|link|related|sla|patterns|burned|routing`: the work on many findings.

use super::{
    evidence,
    people::{refused, session},
};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::Args;
use plumb_govern::{
    finding::{CauseRow, Finding, ParetoTally, Queue, RiskTally, RoutingRule, TeamTally},
    ids::TeamId,
    table,
};
use plumb_model::Time;
use plumb_run::govern::{self, BulkStep, Picture};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, path::PathBuf};

/// `plumb findings bulk`
#[derive(Debug, Args)]
pub struct BulkArgs {
    /// CSV with the columns id and event; reason, and any of person, team, plan, kind, reference, into. `-` for standard input
    pub file: PathBuf,
}

/// `plumb findings link`
#[derive(Debug, Args)]
pub struct LinkArgs {
    /// The finding
    pub finding: String,
    /// duplicate-of, caused-by, same-root, attack-path
    pub relation: String,
    /// The other one
    pub other: String,
}

/// `plumb findings related`
#[derive(Debug, Args)]
pub struct RelatedArgs {
    /// The finding
    pub finding: String,
}

/// `plumb findings sla`
#[derive(Debug, Args)]
pub struct SlaArgs {
    /// Only of this team; `nobody` for what no team owns
    #[arg(long)]
    pub team: Option<String>,
    /// Only what is past its due date; exit 1 when there is any
    #[arg(long)]
    pub breached: bool,
    /// One line a team instead of one a finding
    #[arg(long)]
    pub by_team: bool,
    /// With --by-team: the period's first day; default 90 days ago
    #[arg(long, value_name = "DATE")]
    pub from: Option<String>,
    /// The reminders that fell due since this day: at half the time, at four fifths, at its end, then each week; for mail
    #[arg(long, value_name = "DATE", conflicts_with_all = ["by_team", "limit"])]
    pub notices: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

/// `plumb findings patterns`
#[derive(Debug, Args)]
pub struct PatternArgs {
    /// Only of this team
    #[arg(long)]
    pub team: Option<String>,
    /// At most this many rules and causes a team
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub top: usize,
}

/// `plumb findings burned`
#[derive(Debug, Args)]
pub struct BurnedArgs {
    /// The period's first day; default 90 days ago
    #[arg(long, value_name = "DATE")]
    pub from: Option<String>,
}

/// `plumb findings routing`
#[derive(Debug, Args)]
pub struct RoutingArgs {
    /// Replace the rules by those of this file: a JSON list of {name, select, team, person, team_from_tag}; admins only
    #[arg(long, value_name = "FILE")]
    pub set: Option<PathBuf>,
}

/// Periods end before their last instant; this one is in it.
fn just_after(now: Time) -> Time {
    Time::from_seconds(now.seconds() + 1)
}

/// `plumb findings bulk`
pub fn bulk(globals: &Globals, args: BulkArgs) -> Result<u8, Failure> {
    let text = super::file_or_stdin(&args.file)?;
    let rows = table::read_csv(&text).map_err(|e| Failure::usage(format!("`{}`: {e}", args.file.display())))?;
    if rows.is_empty() {
        let wanted = "a first line that names the columns (id, event, reason …) and a row for each finding are wanted";
        return Err(Failure::usage(format!("`{}` has no rows; {wanted}", args.file.display())));
    }
    let mut steps = Vec::with_capacity(rows.len());
    for (i, mut row) in rows.into_iter().enumerate() {
        let mut take = |names: &[&str]| names.iter().find_map(|n| row.remove(*n)).unwrap_or_default().trim().to_owned();
        let (id, event, reason) = (take(&["id", "finding"]), take(&["event", "action"]), take(&["reason", "note"]));
        if id.is_empty() || event.is_empty() {
            return Err(Failure::usage(format!("row {}: the columns id and event are needed", i + 1)));
        }
        row.retain(|_, v| !v.trim().is_empty());
        steps.push(BulkStep { id, event, reason, fields: row });
    }
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let catalog = context::catalog(globals)?;
    let said = govern::bulk(&mut record, &catalog, &session, &steps).map_err(refused)?;
    let bad = said.iter().filter(|s| !s.ok).count();
    match out::format(globals) {
        Format::Text => {
            for s in said.iter().filter(|s| !s.ok) {
                out::line(format!("{}  refused: {}", s.finding, s.refused.as_deref().unwrap_or_default()));
            }
            out::line(format!("{} moved, {bad} refused", said.len() - bad));
        }
        _ => out::rows(globals, &said, &["finding", "event", "ok", "from", "to", "refused"], |s| {
            vec![
                s.finding.clone(),
                s.event.clone(),
                s.ok.to_string(),
                s.from.unwrap_or_default().into(),
                s.to.unwrap_or_default().into(),
                s.refused.clone().unwrap_or_default(),
            ]
        })?,
    }
    Ok(u8::from(bad > 0))
}

/// `plumb findings link`
pub fn link(globals: &Globals, args: LinkArgs) -> Result<u8, Failure> {
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let catalog = context::catalog(globals)?;
    let life =
        govern::link(&mut record, &catalog, &session, &args.finding, &args.relation, &args.other).map_err(refused)?;
    out::line(json!({ "finding": args.finding, "links": life.finding.links }));
    Ok(0)
}

/// `plumb findings related`
pub fn related(globals: &Globals, args: RelatedArgs) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let catalog = context::catalog(globals)?;
    let picture = Picture::read(&record, &catalog, context::now()).map_err(refused)?;
    let row = record.finding(&args.finding)?;
    let (_, life) = govern::load_life(&record, &catalog, &row, &picture.around.policy).map_err(refused)?;
    let this = life.finding;
    let mut rows: Vec<(String, Finding)> = Vec::new();
    let mut related = |how: String, f: &Finding| rows.push((how, f.clone()));
    picture
        .each(|_, life| {
            let f = &life.finding;
            if f.id == this.id {
                return Ok(());
            }
            if let Some(l) = this.links.iter().find(|l| l.to == f.id) {
                related(l.kind.to_string(), f);
            } else if let Some(l) = f.links.iter().find(|l| l.to == this.id) {
                related(format!("is named by it as {}", l.kind), f);
            } else if f.state().is_final() {
                return Ok(());
            } else if f.facts.resource == this.facts.resource && f.facts.account == this.facts.account {
                related("same resource".into(), f);
            } else if !this.facts.cause.is_empty()
                && f.facts.cause == this.facts.cause
                && f.facts.rule == this.facts.rule
            {
                related(format!("same cause: {}", this.facts.cause), f);
            }
            Ok(())
        })
        .map_err(refused)?;
    let json: Vec<Json> = rows
        .iter()
        .map(|(how, f)| {
            json!({
                "finding": short_id(f), "how": how, "severity": f.facts.severity, "state": f.state(), "rule": f.facts.rule,
                "resource": f.facts.resource, "account": f.facts.account,
            })
        })
        .collect();
    let head = ["finding", "how", "severity", "state", "rule", "resource"];
    out::rows(globals, &json, &head, |v| {
        head.iter().map(|k| v.get(*k).and_then(Json::as_str).unwrap_or_default().to_owned()).collect()
    })?;
    Ok(0)
}

fn short_id(f: &Finding) -> String {
    let key: Vec<u8> = (0..f.id.as_str().len())
        .step_by(2)
        .filter_map(|i| u8::from_str_radix(f.id.as_str().get(i..i + 2)?, 16).ok())
        .collect();
    <[u8; 32]>::try_from(key).map_or_else(|_| f.id.to_string(), |b| plumb_model::FindingKey::from_bytes(b).short())
}

/// `plumb findings sla`
pub fn sla(globals: &Globals, args: SlaArgs) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let catalog = context::catalog(globals)?;
    let now = context::now();
    let picture = Picture::read(&record, &catalog, now).map_err(refused)?;
    let seen = std::cell::Cell::new(false);
    let of = |f: &Finding| {
        let mine = args.team.as_deref().is_none_or(|t| f.team().map_or("nobody", TeamId::as_str) == t);
        seen.set(seen.get() || mine);
        mine
    };
    let known = || match args.team.as_deref().filter(|_| !seen.get()) {
        Some(team) => picture.check_team(team).map_err(refused),
        None => Ok(()),
    };
    if args.by_team {
        let from = evidence::begin(args.from.as_deref(), now)?;
        let mut tally = TeamTally::new(from, just_after(now));
        picture
            .each(|_, life| {
                if of(&life.finding) {
                    tally.add(&life.finding);
                }
                Ok(())
            })
            .map_err(refused)?;
        known()?;
        let rows = tally.finish();
        let head = ["team", "open", "past due", "due in 7 d", "closed", "in time", "points", "burned"];
        out::rows(globals, &rows, &head, |t| {
            vec![
                t.team.clone(),
                t.open.to_string(),
                t.overdue.to_string(),
                t.due_soon.to_string(),
                t.closed.to_string(),
                t.in_time_percent().map_or_else(String::new, |p| format!("{p} %")),
                plumb_report::points(t.points),
                plumb_report::points(t.burned),
            ]
        })?;
        return Ok(u8::from(args.breached && rows.iter().any(|t| t.overdue > 0)));
    }
    if let Some(since) = &args.notices {
        let since = evidence::begin(Some(since), now).map_err(|_| {
            Failure::usage(format!(
                "--notices: `{since}` is no day like 2026-11-21, nor an instant like 2026-11-21T10:00:00Z"
            ))
        })?;
        let mut rows: Vec<Json> = Vec::new();
        picture
            .each(|_, life| {
                let (f, c) = (&life.finding, life.finding.clock());
                if f.state().is_open() && of(f) && (!args.breached || c.is_breached(now)) {
                    rows.extend(c.notices(since, now).into_iter().map(|n| {
                        json!({
                            "finding": short_id(f), "team": f.team(), "person": f.person(), "at": n.at, "percent": n.percent,
                            "weeks_late": n.weeks_late, "due": c.due(now), "lane": f.facts.lane(), "rule": f.facts.rule,
                        })
                    }));
                }
                Ok(())
            })
            .map_err(refused)?;
        known()?;
        let head = ["finding", "team", "person", "at", "percent", "weeks_late", "due", "lane", "rule"];
        out::rows(globals, &rows, &head, |v| {
            let cell = |k: &&str| match v.get(*k) {
                Some(Json::String(s)) if matches!(*k, "at" | "due") => s.chars().take(10).collect(),
                Some(Json::String(s)) => s.clone(),
                Some(Json::Number(n)) => n.to_string(),
                _ => String::new(),
            };
            head.iter().map(cell).collect()
        })?;
        return Ok(u8::from(args.breached && !rows.is_empty()));
    }
    let mut queue = Queue::new(args.limit.unwrap_or(usize::MAX), now);
    picture
        .each(|_, life| {
            if of(&life.finding) && (!args.breached || life.finding.clock().is_breached(now)) {
                queue.add(&life.finding);
            }
            Ok(())
        })
        .map_err(refused)?;
    known()?;
    let rows: Vec<Json> = queue
        .first()
        .map(|f| {
            let c = f.clock();
            let row = record.finding(f.id.as_str())?;
            let timing = govern::timing(&record, &row).map_err(refused)?;
            Ok(json!({
                "finding": short_id(f), "team": f.team(), "person": f.person(), "lane": f.facts.lane(),
                "tier": f.facts.terms.tier, "regulated": f.facts.terms.regulated, "started": c.started(), "due": c.due(now),
                "paused_seconds": c.paused_seconds(now), "paused": c.is_paused(now), "breached": c.is_breached(now),
                "late_days": c.due(now).filter(|d| *d < now).map(|d| now.days_since(d)), "breaches": c.breaches(),
                "rule": f.facts.rule, "resource": f.facts.resource, "state": f.state(), "lane_by": timing.by,
                "lane_changes": timing.changes,
            }))
        })
        .collect::<Result<_, Failure>>()?;
    let head = ["finding", "team", "lane", "tier", "regulated", "due", "late_days", "lane_by", "rule"];
    out::rows(globals, &rows, &head, |v| {
        head.iter()
            .map(|k| match v.get(*k) {
                Some(Json::String(s)) if *k == "due" => s.chars().take(10).collect(),
                Some(Json::String(s)) => s.clone(),
                Some(Json::Bool(b)) => (if *b { "yes" } else { "" }).into(),
                Some(Json::Number(n)) => n.to_string(),
                _ => String::new(),
            })
            .collect()
    })?;
    Ok(u8::from(args.breached && !rows.is_empty()))
}

/// `plumb findings patterns`
pub fn patterns(globals: &Globals, args: PatternArgs) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let catalog = context::catalog(globals)?;
    let picture = Picture::read(&record, &catalog, context::now()).map_err(refused)?;
    let mut teams: BTreeMap<String, (usize, ParetoTally)> = BTreeMap::new();
    picture
        .each(|_, life| {
            let f = &life.finding;
            if !f.state().is_open() {
                return Ok(());
            }
            let team = f.team().map_or("nobody", TeamId::as_str);
            let mut add = |name: &str| {
                let (open, tally) = teams.entry(name.to_owned()).or_default();
                *open += 1;
                tally.add(f);
            };
            if args.team.is_none() {
                add("everybody");
            }
            if args.team.as_deref().is_none_or(|t| t == team) {
                add(team);
            }
            Ok(())
        })
        .map_err(refused)?;
    if let Some(team) = args.team.as_deref().filter(|_| teams.is_empty()) {
        picture.check_team(team).map_err(refused)?;
    }
    let programme = plumb_run::programme_pages();
    let hint = |name: &str| -> String {
        let (fix, title) = match (catalog.rules.get(name), programme.iter().find(|page| page.id == name)) {
            (Some(rule), _) => (rule.section("How to fix"), rule.title.clone()),
            (None, Some(page)) => (page.section("How to fix"), page.title.to_owned()),
            (None, None) => return String::new(),
        };
        let mut code = false;
        let words = fix.lines().map(str::trim).find(|l| {
            code ^= l.starts_with("```");
            !(code || l.is_empty() || l.starts_with("```") || l.ends_with(':'))
        });
        words.map_or(title, str::to_owned)
    };
    let mut rows: Vec<Json> = Vec::new();
    for (team, (total, tally)) in teams {
        let p = tally.finish();
        let row = |what: &str, c: &CauseRow, reached: usize| {
            json!({
                "team": team, "what": what, "name": c.name, "findings": c.findings, "points": c.points, "teams": c.teams,
                "share_percent": c.findings * 100 / total.max(1), "reached_percent": reached * 100 / total.max(1),
                "rules_for_80_percent": p.rules_for_80_percent, "rules": p.rules.len(),
                "top_5_percent_of_rules_make_percent": p.top_rules_percent,
                "hint": if what == "rule" { hint(&c.name) } else { format!("mend {} once; it makes all of these", c.name) },
            })
        };
        let mut reached = 0;
        for c in p.rules.iter().take(args.top) {
            reached += c.findings;
            rows.push(row("rule", c, reached));
        }
        rows.extend(p.causes.iter().take(args.top).map(|c| row("cause", c, c.findings)));
    }
    let head = ["team", "what", "name", "findings", "share", "reached", "what to change"];
    out::rows(globals, &rows, &head, |v| {
        let text = |k: &str| v.get(k).and_then(Json::as_str).unwrap_or_default().to_owned();
        let n = |k: &str| v.get(k).map(ToString::to_string).unwrap_or_default();
        vec![
            text("team"),
            text("what"),
            text("name"),
            n("findings"),
            format!("{} %", n("share_percent")),
            format!("{} %", n("reached_percent")),
            out::cut(globals, &text("hint"), 70),
        ]
    })?;
    Ok(0)
}

/// `plumb findings burned`
pub fn burned(globals: &Globals, args: BurnedArgs) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let catalog = context::catalog(globals)?;
    let now = context::now();
    let from = evidence::begin(args.from.as_deref(), now)?;
    let picture = Picture::read(&record, &catalog, now).map_err(refused)?;
    let mut tally = RiskTally::new(from, just_after(now));
    picture
        .each(|_, life| {
            tally.add(&life.finding, &life.steps);
            Ok(())
        })
        .map_err(refused)?;
    let r = tally.finish();
    match out::format(globals) {
        Format::Text => {
            let p = plumb_report::points;
            // What was carried before the first scan was not measured.
            match picture.begun.date() > from.date() {
                true => out::line(format!(
                    "carried on {}: not measured; the first scan was on {}",
                    from.date(),
                    picture.begun.date()
                )),
                false => out::line(format!("carried on {}: {}", from.date(), p(r.before))),
            }
            for (what, n) in
                [("arrived", r.arrived), ("burned", -r.burned), ("gone", -r.vanished), ("decided", -r.decided)]
            {
                out::line(format!("  {what:<9} {}", p(n)));
            }
            out::line(format!("carried now: {}", p(r.after)));
            for (rule, n) in &r.movers {
                out::line(format!("  {:>8}  {rule}", p(*n)));
            }
        }
        _ => out::line(serde_json::to_string(&r)?),
    }
    Ok(0)
}

/// `plumb findings routing`
pub fn routing(globals: &Globals, args: RoutingArgs) -> Result<u8, Failure> {
    if let Some(path) = &args.set {
        let text = super::file_or_stdin(path)?;
        let rules: Vec<RoutingRule> =
            serde_json::from_str(&text).map_err(|e| Failure::usage(format!("`{}`: {e}", path.display())))?;
        let mut record = context::record(globals)?;
        let session = session(globals, &record)?;
        govern::set_routing(&mut record, &session, &rules).map_err(refused)?;
    }
    let record = context::record_read_only(globals)?;
    let rules = govern::routing(&record).map_err(refused)?;
    out::rows(globals, &rows_of(&rules)?, &["rule", "team", "person", "tag", "matches"], |v| {
        let text = |k: &str| v.get(k).and_then(Json::as_str).unwrap_or_default().to_owned();
        let select = v.get("select").map(ToString::to_string).unwrap_or_default();
        vec![text("name"), text("team"), text("person"), text("team_from_tag"), out::cut(globals, &select, 90)]
    })?;
    Ok(0)
}

fn rows_of<T: serde::Serialize>(rows: &[T]) -> Result<Vec<Json>, Failure> {
    Ok(rows.iter().map(serde_json::to_value).collect::<Result<_, _>>()?)
}
