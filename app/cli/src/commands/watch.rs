//! `plumb watch`: scans that follow what changes.

use crate::{
    args::{Globals, WatchArgs},
    commands::scan::{Show, asked_to_stop, aws_options, execute, runtime, stats},
    context,
    out::{self, Failure},
};
use plumb_clouds::Wire;
use plumb_evaluate::{RuleSet, Selection};
use plumb_model::{RuleId, Time};
use plumb_record::Change;
use plumb_run::{AccountTarget, Outcome, ScanOptions, SeenEvents, Touch};
use serde_json::{Value as Json, json};
use std::{collections::BTreeSet, time::Duration};

/// `90s`, `5m`, `24h`, `7d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time; write 90s, 5m, 24h or 7d");
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count: u64 = text.strip_suffix(unit).and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
    match count.checked_mul(seconds) {
        Some(seconds) if (1..=366 * 86_400).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("`{text}` is out of range; from 1s to 366d")),
    }
}

/// One round, as it is told.
fn told(round: u64, kind: &str, changes: usize, gaps: &[Json], outcomes: &[Outcome]) -> Json {
    let change = |c: Change| outcomes.iter().filter_map(|o| o.changes.get(&c)).sum::<usize>();
    json!({
        "round": round,
        "at": context::now().to_string(),
        "kind": kind,
        "changes": changes,
        "scans": outcomes.iter().map(|o| o.scan).collect::<Vec<_>>(),
        "findings": { "new": change(Change::New), "reopened": change(Change::Reopened), "fixed": change(Change::Fixed), "gone": change(Change::Gone) },
        "not_read": gaps,
    })
}

fn print(globals: &Globals, row: &Json) {
    if out::format(globals) != crate::args::Format::Text {
        out::line(row);
        return;
    }
    let number = |at: &str| row.pointer(at).and_then(Json::as_u64).unwrap_or_default();
    let text = |at: &str| row.pointer(at).and_then(Json::as_str).unwrap_or_default().to_owned();
    let hidden = row.get("not_read").and_then(Json::as_array).map_or(0, Vec::len);
    out::line(format!(
        "{}  {:<8} {} changes · {} new, {} back, {} fixed, {} gone{}",
        text("/at"),
        text("/kind"),
        number("/changes"),
        number("/findings/new"),
        number("/findings/reopened"),
        number("/findings/fixed"),
        number("/findings/gone"),
        if hidden == 0 { String::new() } else { format!(" · {hidden} not read (see --format jsonl)") },
    ));
}

/// `plumb watch`
pub fn run(globals: &Globals, args: WatchArgs) -> Result<u8, Failure> {
    let every = duration(&args.every).map_err(|e| Failure::usage(format!("--every: {e}")))?;
    let full_every = duration(&args.full_every).map_err(|e| Failure::usage(format!("--full-every: {e}")))?;
    let options = aws_options(&args.aws)?;
    let catalog = context::catalog(globals)?;
    let rules = context::live_rules(globals, &catalog, &args.rules, "aws")?;
    let params = context::params(globals)?;
    let touch = Touch::new(&catalog, &rules);
    let mut record = context::record(globals)?;
    runtime()?.block_on(async {
        let mut connected = plumb_run::connect(&options).await?;
        let show = Show::new(globals, args.no_progress);
        let regions: BTreeSet<String> = args.aws.regions.iter().cloned().collect();
        let mut seen = SeenEvents::default();
        let mut full_at: Option<Time> = None;
        let mut targets: Vec<AccountTarget> = Vec::new();
        let mut since = context::now();
        let mut round = 0;
        loop {
            round += 1;
            let now = context::now();
            // What did not answer in one round, or used up its time, is tried again in the next.
            connected.client = connected.client.next_scan();
            let wire: &dyn Wire = &connected.client;
            // Accounts and regions are asked for each time: new ones are part of what changes.
            let found =
                plumb_run::discover(wire, Some(&connected), &connected.account, &connected.home, &options, |_| {})
                    .await;
            // One answer missed does not end a watch: the list as last known is used, and said to be.
            let (mut changes, mut gaps) = (0, Vec::new());
            match found {
                Ok(found) => targets = found,
                Err(error) if round == 1 => return Err(error.into()),
                Err(error) => gaps.push(
                    json!({ "account": connected.account, "region": connected.home, "why": format!("{error:#}") }),
                ),
            }
            let due = full_at.is_none_or(|at| now.seconds() - at.seconds() >= seconds(full_every));
            // Whose accounts, by which rules; none for all that were asked for.
            let mut jobs: Vec<(Vec<AccountTarget>, Option<BTreeSet<RuleId>>)> = Vec::new();
            if due {
                jobs.push((targets.clone(), None));
            } else {
                let back = Time::from_seconds(since.seconds() - plumb_run::DELIVERY);
                let looked =
                    plumb_run::changes(wire, &targets, &regions, &connected.partition, back, now, &mut seen).await;
                seen.forget_before(back);
                changes = looked.changes.len();
                for (account, region, unknown) in &looked.gaps {
                    gaps.push(json!({ "account": account, "region": region, "why": unknown.describe() }));
                }
                for (account, wanted) in touch.rules(&looked.changes) {
                    let of: Vec<AccountTarget> = targets.iter().filter(|t| t.id == account).cloned().collect();
                    jobs.push((of, Some(wanted)));
                }
            }
            let kind = if due { "full" } else { "changes" };
            let mut outcomes = Vec::new();
            for (of, some) in jobs {
                let scan_options = ScanOptions {
                    started: now,
                    now,
                    regions: regions.clone(),
                    scope: scope(&args, kind, &of, some.as_ref()),
                    resume: None,
                    accounts_at_once: args.accounts_at_once,
                    home: connected.home.clone(),
                    partition: connected.partition.clone(),
                };
                let some = some.map(|wanted| {
                    RuleSet::compile(
                        &catalog,
                        &Selection { rules: Some(wanted), params: params.clone(), natives: plumb_run::NATIVE },
                    )
                    .0
                });
                let rules = some.as_ref().unwrap_or(&rules);
                let before = connected.client.budgets().counters();
                let outcome =
                    execute(&show, wire, &mut record, &catalog, rules, of, &scan_options, asked_to_stop(), &|| {
                        stats(&connected.client, &before)
                    })
                    .await?;
                let stopped = outcome.interrupted;
                outcomes.push(outcome);
                if stopped {
                    print(globals, &told(round, kind, changes, &gaps, &outcomes));
                    return Ok(130);
                }
            }
            if due {
                full_at = Some(now);
            }
            // A log that could not be read is asked about the same time again; a full scan has seen what it would tell.
            if due || gaps.is_empty() {
                since = now;
            }
            print(
                globals,
                &told(round, if due || !outcomes.is_empty() { kind } else { "quiet" }, changes, &gaps, &outcomes),
            );
            if args.rounds.is_some_and(|most| round >= most) {
                return Ok(if gaps.is_empty() && outcomes.iter().all(|o| o.complete) { 0 } else { 3 });
            }
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = asked_to_stop() => return Ok(0),
            }
        }
    })
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// What a round looked at, so that its verdicts can be asked for again.
fn scope(args: &WatchArgs, kind: &str, of: &[AccountTarget], some: Option<&BTreeSet<RuleId>>) -> Json {
    let mut scope = crate::commands::scan::scope_of(&args.aws, &args.rules);
    if let Some(scope) = scope.as_object_mut() {
        scope.insert("watch".into(), json!(kind));
        if let Some(some) = some {
            scope.insert("checks".into(), json!(some));
            scope.insert("accounts".into(), json!(of.iter().map(|t| &t.id).collect::<Vec<_>>()));
        }
    }
    scope
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn times_are_read_and_wrong_ones_named() {
        assert_eq!(duration("5m").unwrap().as_secs(), 300);
        assert_eq!(duration("2d").unwrap().as_secs(), 172_800);
        for wrong in ["", "5", "m", "5w", "-1m", "0s", "999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
