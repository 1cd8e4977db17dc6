//! `plumb score policy|calibrate|accounts|teams`: whose weights count, whether they fit what the team can do, and where
//! accounts and teams stand.

use super::{
    people::{refused, session},
    score::{policy_on, stack},
};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::{Args, Subcommand};
use plumb_catalog::Catalog;
use plumb_discover::Account;
use plumb_model::Time;
use plumb_record::{FindingRow, Query, Record};
use plumb_run::{govern, scores, signals::Stack};
use plumb_score::{Coverage, History, Open, Policy, Standing, Terms, movers, score, tenths};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, path::PathBuf};

/// What to do with score policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// List every policy: version, stage, author, approval, review date
    List,
    /// Propose one; it must keep every constraint and have a version of its own
    Propose {
        /// The policy (JSON)
        file: PathBuf,
        /// Why
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Approve a proposed one, which is in force from then on; never its author
    Approve {
        /// Its version
        policy: String,
        /// When it must be looked at again: 2027-05-31 or 180d, within a year
        #[arg(long, value_name = "END")]
        review_by: String,
        /// In your words
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Reject a proposed one
    Reject {
        /// Its version
        policy: String,
        /// Why
        #[arg(long, default_value = "")]
        note: String,
    },
}

/// `plumb score calibrate`
#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// Only for the accounts of this team
    #[arg(long, value_name = "TEAM")]
    pub team: Option<String>,
    /// Share of the cautious capacity to plan with, in per cent
    #[arg(long, value_name = "PERCENT", default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub utilisation: u32,
    /// Try this policy (JSON) on the same weeks instead of looking for thresholds
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Fit the weights to these pairs instead, at least 50 that engineers ordered: JSON lines with `first`, the more
    /// pressing, and `second`, each a finding or its levels
    #[arg(long, value_name = "FILE", conflicts_with_all = ["policy", "team"])]
    pub pairs: Option<PathBuf>,
    /// As of this instant
    #[arg(long, value_name = "RFC3339")]
    pub now: Option<String>,
    /// Put the thresholds or weights found up for approval, as a policy of the next version
    #[arg(long, conflicts_with_all = ["team", "policy"])]
    pub propose: bool,
    /// With --propose: why
    #[arg(long, default_value = "calibrated against verified fixes", requires = "propose")]
    pub note: String,
}

/// `plumb score accounts|teams`
#[derive(Debug, Args)]
pub struct StandingArgs {
    /// The score policy (JSON); default the one in force
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Compare with this many days ago
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(i64).range(1..=3650))]
    pub since_days: i64,
}

fn history(
    record: &Record,
    catalog: &Catalog,
    policy: &Policy,
    team: Option<&str>,
    now: Time,
) -> Result<History, Failure> {
    let known = stack(record, catalog)?;
    let mine: Option<Vec<String>> = team.map(|t| {
        let own = known.estate.accounts.values().filter(|a| team_of(a) == t);
        own.map(|a| a.native_id.clone()).collect()
    });
    if mine.as_ref().is_some_and(Vec::is_empty) {
        let team = team.unwrap_or_default();
        return Err(Failure::usage(format!("team `{team}` owns no account; name owners with `plumb accounts set`")));
    }
    let of = |f: &FindingRow| mine.as_ref().is_none_or(|m| m.contains(&f.account));
    scores::history(record, now, &of, &|f| known.signals(f, catalog, policy).0).map_err(refused)
}

/// `plumb score policy`
pub fn policy(globals: &Globals, command: Option<&PolicyCommand>) -> Result<u8, Failure> {
    match command {
        None => {
            let path = context::db_path(globals)?;
            let policy =
                if path.exists() { policy_on(&context::record_read_only(globals)?, None)? } else { Policy::default() };
            let value: Json = serde_json::from_str(&policy.to_json())?;
            out::line(serde_json::to_string_pretty(&value)?);
        }
        Some(PolicyCommand::List) => {
            let record = context::record_read_only(globals)?;
            let rows = scores::policies(&record).map_err(refused)?;
            let now = context::now();
            let header = ["policy", "stage", "proposed by", "approved by", "in force from", "review by", "note"];
            out::rows(globals, &rows, &header, |p| {
                let date = |t: Option<Time>| t.map(|t| t.date()).unwrap_or_default();
                let overdue = p.stage == "active" && p.terms.review_by.is_some_and(|due| due < now);
                let late = if overdue { " (overdue)" } else { "" };
                vec![
                    p.terms.version.clone(),
                    p.stage.clone(),
                    p.proposed_by.clone(),
                    p.terms.approved_by.join(" "),
                    date(p.terms.effective_from),
                    format!("{}{late}", date(p.terms.review_by)),
                    p.notes.iter().rev().find(|n| !n.trim().is_empty()).cloned().unwrap_or_default(),
                ]
            })?;
        }
        Some(PolicyCommand::Propose { file, note }) => {
            let mut record = context::record(globals)?;
            let session = session(globals, &record)?;
            let wanted = super::score::policy(Some(file))?;
            let (catalog, present) = (context::catalog(globals)?, policy_on(&record, None)?);
            let weeks = history(&record, &catalog, &present, None, session.now)?;
            let effect = plumb_score::replay(&weeks, &present, &wanted);
            let terms: Terms = wanted.terms().clone();
            let kept = scores::propose_policy(&mut record, &session, terms, note, &effect).map_err(refused)?;
            say(globals, &kept)?;
        }
        Some(PolicyCommand::Approve { policy, review_by, note }) => {
            let mut record = context::record(globals)?;
            let session = session(globals, &record)?;
            let due = govern::end_of(review_by, session.now).map_err(refused)?;
            let kept = scores::decide_policy(&mut record, &session, policy, Some(due), note).map_err(refused)?;
            say(globals, &kept)?;
        }
        Some(PolicyCommand::Reject { policy, note }) => {
            let mut record = context::record(globals)?;
            let session = session(globals, &record)?;
            let kept = scores::decide_policy(&mut record, &session, policy, None, note).map_err(refused)?;
            say(globals, &kept)?;
        }
    }
    Ok(0)
}

fn say(globals: &Globals, kept: &scores::KeptPolicy) -> Result<(), Failure> {
    let next = if kept.stage == "proposed" {
        format!("; approve with: plumb score policy approve {} --review-by 180d", kept.terms.version)
    } else {
        String::new()
    };
    out::line(match out::format(globals) {
        Format::Text => format!("{} is {}{next}", kept.terms.version, kept.stage),
        _ => serde_json::to_string(kept)?,
    });
    Ok(())
}

/// `plumb score calibrate`
pub fn calibrate(globals: &Globals, args: &CalibrateArgs) -> Result<u8, Failure> {
    let mut record = if args.propose { context::record(globals)? } else { context::record_read_only(globals)? };
    let catalog = context::catalog(globals)?;
    let now = context::instant(args.now.as_deref())?;
    let present = policy_on(&record, None)?;
    let weeks = history(&record, &catalog, &present, args.team.as_deref(), now)?;
    if let Some(file) = &args.policy {
        let other = super::score::policy(Some(file))?;
        let replay = plumb_score::replay(&weeks, &present, &other);
        if out::format(globals) == Format::Text {
            out::line(format!(
                "{} instead of {} over {} weeks",
                other.version(),
                present.version(),
                weeks.verified_fixes.len()
            ));
            lanes(&replay);
        } else {
            out::line(serde_json::to_string_pretty(
                &json!({ "policy": other.version(), "against": present.version(), "weeks": weeks.verified_fixes.len(), "replay": replay }),
            )?);
        }
        return Ok(0);
    }
    if let Some(file) = &args.pairs {
        fit(globals, args, &mut record, &catalog, &weeks, file)?;
        return Ok(0);
    }
    let proposal = scores::calibrate(&record, &weeks, args.utilisation, now).map_err(refused)?;
    let text = out::format(globals) == Format::Text;
    if text {
        let t = proposal.terms.thresholds;
        out::line(format!(
            "thresholds: act now {}, urgent {}, planned {}{}",
            tenths(i64::from(t.act_now)),
            tenths(i64::from(t.urgent)),
            tenths(i64::from(t.planned)),
            if proposal.changes { "" } else { " (as they are)" }
        ));
        proposal.because.iter().for_each(|b| out::line(format!("  {b}")));
        if let Some(short) = proposal.shortfall {
            out::line(format!("  short of {short:.1} fixes a week"));
        }
        lanes(&proposal.replay);
        if let Some(last) = proposal.forecast.last() {
            out::line(format!(
                "backlog of lanes 0 and 1 in {} weeks: {:.0} ({:.0} to {:.0})",
                last.week, last.expected, last.low, last.high
            ));
        }
    }
    if args.propose && proposal.changes {
        let session = session(globals, &record)?;
        let mut terms = proposal.terms.clone();
        terms.version = scores::next_policy_version(&record).map_err(refused)?;
        let kept =
            scores::propose_policy(&mut record, &session, terms, &args.note, &proposal.replay).map_err(refused)?;
        say(globals, &kept)?;
    } else if args.propose {
        out::note(globals, "plumb: nothing is proposed: nothing would change");
    }
    if !(text || args.propose && proposal.changes) {
        out::line(serde_json::to_string_pretty(
            &json!({ "policy": present.version(), "team": args.team, "weeks": weeks.verified_fixes.len(),
            "verified_fixes": weeks.verified_fixes, "proposal": proposal }),
        )?);
    }
    Ok(0)
}

/// Fits the weights to pairs that engineers ordered: offered with what they would have done, never applied.
fn fit(
    globals: &Globals,
    args: &CalibrateArgs,
    record: &mut Record,
    catalog: &Catalog,
    weeks: &History,
    file: &std::path::Path,
) -> Result<(), Failure> {
    let present = policy_on(record, None)?;
    let known = stack(record, catalog)?;
    let levels = |id: &str| Ok(known.signals(&record.finding(id)?, catalog, &present).0);
    let wrong = |e: govern::GovernError| match e {
        govern::GovernError::Input(what) => Failure::usage(format!("`{}`: {what}", file.display())),
        other => refused(other),
    };
    let pairs = scores::pairs(&super::identity::read_text(file)?, &levels).map_err(wrong)?;
    let fit = scores::fit(record, &pairs).map_err(wrong)?;
    let fitted = Policy::new(fit.terms.clone())?;
    let changes = fitted.diff(&present);
    let replay = plumb_score::replay(weeks, &present, &fitted);
    let text = out::format(globals) == Format::Text;
    if text {
        let (before, after, all) = (fit.agreeing_before, fit.agreeing_after, fit.pairs);
        out::line(format!("{all} pairs: the policy orders {before} as the engineers did, with these weights {after}"));
        changes.iter().for_each(|(place, from, to)| out::line(format!("  {place}: {from} → {to}")));
        lanes(&replay);
    }
    if args.propose && !changes.is_empty() {
        let session = session(globals, record)?;
        let mut terms = fit.terms;
        terms.version = scores::next_policy_version(record).map_err(refused)?;
        say(globals, &scores::propose_policy(record, &session, terms, &args.note, &replay).map_err(refused)?)?;
    } else if !text {
        let changes: Vec<Json> =
            changes.iter().map(|(place, from, to)| json!({ "place": place, "from": from, "to": to })).collect();
        out::line(serde_json::to_string_pretty(
            &json!({ "policy": present.version(), "fit": fit, "changes": changes, "replay": replay }),
        )?);
    }
    if args.propose && fitted == present {
        out::note(globals, "plumb: nothing is proposed: no weight would change");
    }
    Ok(())
}

fn lanes(replay: &plumb_score::Replay) {
    let row = |name: &str, n: [u32; 4]| [vec![name.to_owned()], n.iter().map(u32::to_string).collect()].concat();
    let sum = |weeks: &[[u32; 4]]| {
        weeks.iter().fold([0; 4], |mut all, w| {
            all.iter_mut().zip(w).for_each(|(a, n)| *a += n);
            all
        })
    };
    let cells = [
        row("open now", replay.open_before),
        row("open then", replay.open_after),
        row("arrived, as it was", sum(&replay.arrivals_before)),
        row("arrived, as it would be", sum(&replay.arrivals_after)),
    ];
    out::table(&["", "act now", "urgent", "planned", "watch"], &cells);
    let same = replay.rank_correlation.map_or_else(|| "-".into(), |c| format!("{c:.3}"));
    out::line(format!("{} findings change lane; rank correlation {same}", replay.changes.len()));
}

/// The team that answers for an account, else the person; `no owner` for nobody.
fn team_of(a: &Account) -> &str {
    a.facts.owner_team.as_deref().or(a.facts.owner_person.as_deref()).unwrap_or("no owner")
}

/// Scores and standing of one account, now and a while ago.
struct Own {
    standing: Standing,
    before: Option<u32>,
    now: Vec<(String, u32)>,
    then: Vec<(String, u32)>,
}

/// What was looked at in an account.
fn coverages(record: &Record) -> Result<BTreeMap<String, Coverage>, Failure> {
    let mut out: BTreeMap<String, Coverage> = BTreeMap::new();
    let mut refused: BTreeMap<String, std::collections::BTreeSet<String>> = BTreeMap::new();
    record.each_coverage(None, |row| -> Result<(), Failure> {
        let c = out.entry(row.account.clone()).or_insert_with(|| Coverage { accounts_known: 1, ..Coverage::default() });
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        c.accounts_scanned = 1;
        c.evaluated += count(row.pass + row.fail);
        c.unknown += count(row.unknown);
        let denied = row.reasons.iter().filter(|r| r.reason == plumb_model::Reason::Denied);
        refused.entry(row.account).or_default().extend(denied.map(|r| r.call.to_string()));
        Ok(())
    })?;
    for (account, calls) in refused {
        if let Some(c) = out.get_mut(&account) {
            c.calls_refused = calls.len() as u64;
        }
    }
    Ok(out)
}

fn owns(
    record: &Record,
    catalog: &Catalog,
    known: &Stack,
    policy: &Policy,
    days: i64,
) -> Result<BTreeMap<String, Own>, Failure> {
    let coverage = coverages(record)?;
    let then = context::now().plus_days(-days);
    let mut rows: BTreeMap<String, Vec<FindingRow>> = BTreeMap::new();
    for f in record.findings(&Query { states: every_state(), ..Query::default() })? {
        rows.entry(f.account.clone()).or_default().push(f);
    }
    let closed = closings(record)?;
    let scanned = coverage.keys().cloned();
    let listed = known.estate.accounts.values().filter(|a| a.third_party.is_none()).map(|a| a.native_id.clone());
    let ids: std::collections::BTreeSet<String> = scanned.chain(listed).collect();
    let own = |id: String| {
        let covered = coverage.get(&id).copied().unwrap_or(Coverage { accounts_known: 1, ..Coverage::default() });
        let (mut open, mut now, mut before) = (Vec::new(), Vec::new(), Vec::new());
        for f in rows.get(&id).into_iter().flatten() {
            let s = score(&known.signals(f, catalog, policy).0, policy);
            let decided = matches!(f.state.as_str(), "accepted" | "deferred");
            let is_closed = CLOSED.contains(&f.state.as_str());
            if !is_closed {
                open.push(Open { score: s.score, lane: s.lane, decided });
            }
            if !is_closed && !decided {
                now.push((f.id.clone(), s.score));
            }
            let was_there = f.first_seen.parse::<Time>().is_ok_and(|t| t <= then);
            let was_open = !is_closed || closed.get(&f.key).is_some_and(|at| *at > then);
            if was_there && was_open && !decided {
                before.push((f.id.clone(), s.score));
            }
        }
        let figure =
            |list: &[(String, u32)]| plumb_score::rollup_tenths(&list.iter().map(|(_, s)| *s).collect::<Vec<_>>());
        let was_read = record_begun(record).is_some_and(|at| at <= then);
        let before_figure = (covered.assessed() && was_read).then(|| figure(&before));
        (id, Own { standing: Standing::of(open, covered), before: before_figure, now, then: before })
    };
    Ok(ids.into_iter().map(own).collect())
}

const CLOSED: [&str; 4] = ["fixed", "resource-gone", "superseded", "false-positive"];

fn every_state() -> Vec<String> {
    plumb_govern::finding::machine::State::ALL.iter().map(|s| s.name().to_owned()).collect()
}

/// When the record's first scan judged.
fn record_begun(record: &Record) -> Option<Time> {
    let table = record.query("SELECT min(judged_at) FROM scans WHERE status IN ('complete', 'partial')").ok()?;
    table.rows.first()?.first()?.as_str()?.parse().ok()
}

/// When each closed finding was closed last.
fn closings(record: &Record) -> Result<BTreeMap<String, Time>, Failure> {
    let sql = "SELECT lower(hex(key)), max(at) FROM transition WHERE to_state IN ('fixed', 'resource-gone', 'superseded', 'false-positive') GROUP BY key";
    let rows = record.query(sql)?.rows;
    let one = |row: &Vec<Json>| Some((row.first()?.as_str()?.to_owned(), row.get(1)?.as_str()?.parse().ok()?));
    Ok(rows.iter().filter_map(one).collect())
}

/// `plumb score accounts`, `plumb score teams`
pub fn standings(globals: &Globals, args: &StandingArgs, by_team: bool) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let catalog = context::catalog(globals)?;
    let known = stack(&record, &catalog)?;
    let policy = policy_on(&record, args.policy.as_ref())?;
    let own = owns(&record, &catalog, &known, &policy, args.since_days)?;
    let about: BTreeMap<&str, &Account> =
        known.estate.accounts.values().map(|a| (a.native_id.as_str(), &**a)).collect();
    let team = |id: &str| about.get(id).map_or("no owner", |a| team_of(a)).to_owned();
    let mut scopes: BTreeMap<String, Vec<(&String, &Own)>> = BTreeMap::new();
    for (id, one) in &own {
        scopes.entry(if by_team { team(id) } else { id.clone() }).or_default().push((id, one));
    }
    let whole: Vec<(&String, &Own)> = own.iter().collect();
    let row = |scope: &str, kind: &str, parts: &[(&String, &Own)]| {
        let standing = match parts {
            [(_, one)] if kind == "account" => one.standing.clone(),
            parts => Standing::whole(parts.iter().map(|(_, o)| &o.standing)),
        };
        let figures: Vec<u32> = parts.iter().filter_map(|(_, o)| o.before).collect();
        let before = (!figures.is_empty()).then(|| plumb_score::rollup_tenths(&figures));
        let list = |f: fn(&Own) -> &Vec<(String, u32)>| -> Vec<(String, u32)> {
            parts.iter().flat_map(|(_, o)| f(o).iter().cloned()).collect()
        };
        let moved: Vec<Json> = if before.is_some() {
            let moved = movers(&list(|o| &o.then), &list(|o| &o.now), 5);
            moved.into_iter().map(|(finding, change)| json!({ "finding": finding, "change": change })).collect()
        } else {
            Vec::new()
        };
        let account = about.get(scope).filter(|_| kind == "account");
        json!({
            kind: scope, "name": account.and_then(|a| a.facts.name.clone()), "tier": account.map(|a| a.tier()),
            "owner": account.map(|a| team_of(a)), "accounts": parts.len(), "policy": policy.version(),
            "risk": standing.risk, "risk_with_accepted": standing.risk_with_accepted, "lanes": standing.lanes, "decided": standing.decided,
            "coverage": standing.coverage, "coverage_percent": standing.coverage.percent(), "assessed": standing.coverage.assessed(),
            "before": before, "before_days": args.since_days, "moved": moved,
        })
    };
    let kind = if by_team { "team" } else { "account" };
    let mut rows: Vec<Json> = scopes.iter().map(|(scope, parts)| row(scope, kind, parts)).collect();
    rows.sort_by_key(|r| std::cmp::Reverse(r.get("risk").and_then(Json::as_u64)));
    rows.push(row("all", "organization", &whole));
    let number = |v: &Json, name: &str| v.get(name).and_then(Json::as_u64);
    let text = |v: &Json, name: &str| v.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let shown = |n: Option<u64>| n.and_then(|n| i64::try_from(n).ok()).map_or_else(|| "not assessed".into(), tenths);
    let header = [kind, "name", "tier", "risk", "coverage", "unknown", "act now", "urgent", "planned", "watch", "was"];
    out::rows(globals, &rows, &header, |v| {
        let scope = [kind, "organization"].iter().find_map(|k| v.get(*k)?.as_str()).unwrap_or_default();
        let covered = v.get("coverage");
        let part = |name: &str| covered.and_then(|c| c.get(name)).and_then(Json::as_u64).unwrap_or_default();
        let lanes: Vec<u64> =
            v.get("lanes").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_u64).collect();
        let lane = |i: usize| lanes.get(i).copied().unwrap_or_default().to_string();
        let refused = match part("calls_refused") {
            0 => String::new(),
            1 => ", 1 call refused".into(),
            n => format!(", {n} calls refused"),
        };
        vec![
            scope.to_owned(),
            text(v, "name"),
            text(v, "tier"),
            shown(number(v, "risk")),
            format!(
                "{} % ({} of {} accounts{refused})",
                number(v, "coverage_percent").unwrap_or_default(),
                part("accounts_scanned"),
                part("accounts_known")
            ),
            part("unknown").to_string(),
            lane(0),
            lane(1),
            lane(2),
            lane(3),
            number(v, "before").map_or_else(|| "-".into(), |n| tenths(i64::try_from(n).unwrap_or_default())),
        ]
    })?;
    if out::format(globals) == Format::Text {
        for warning in known.feeds.status(context::now()).iter().filter_map(plumb_score::FeedStatus::warning) {
            out::line(format!("warning: {warning}"));
        }
    }
    Ok(0)
}
