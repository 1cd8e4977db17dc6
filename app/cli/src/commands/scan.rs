//! `plumb scan`

use crate::{
    args::{AwsArgs, Format, Globals, RuleFilter, ScanArgs},
    context, out,
    out::Failure,
};
use plumb_catalog::Catalog;
use plumb_clouds::{Wire, replay::Recorder};
use plumb_model::Severity;
use plumb_record::{Change, Record, ScanId};
use plumb_run::{AwsOptions, Outcome, Progress, ScanOptions, Seen};
use serde_json::{Value as Json, json};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    io::{IsTerminal, Write},
    sync::Arc,
    time::{Duration, Instant},
};

/// The options for reaching AWS that the command line gives.
pub fn aws_options(args: &AwsArgs) -> Result<AwsOptions, Failure> {
    if args.max_share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        return Err(Failure::usage("--max-share must be between 0 (no limit) and 1 (the whole quota)"));
    }
    Ok(AwsOptions {
        profile: args.profile.clone(),
        region: args.home_region.clone(),
        org: args.org,
        role: args.role.clone(),
        external_id: args.external_id.clone(),
        assume: args.assume_role.clone(),
        accounts: args.accounts.iter().cloned().collect(),
        endpoint_url: args.endpoint_url.clone(),
        fips: args.fips,
        max_share: args.max_share,
        service_deadline: Duration::from_secs(args.service_deadline),
    })
}

/// One thread is enough: the work is waiting for answers, and judging is done between them.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// `plumb scan`
pub fn run(globals: &Globals, args: ScanArgs) -> Result<u8, Failure> {
    let fail_on: Option<Severity> = args.fail_on.as_deref().map(str::parse).transpose().map_err(Failure::usage)?;
    let mut record = context::record(globals)?;
    let mut args = args;
    let mut resume = None;
    if args.resume {
        let Some(scan) = record.unfinished_scan()? else {
            return Err(Failure::usage("there is no interrupted scan to take up again"));
        };
        restore(&mut args, &scan.scope);
        args.now = args.now.or(Some(scan.judged_at));
        resume = Some(scan.id);
    }
    let now = context::instant(args.now.as_deref())?;
    let options = aws_options(&args.aws)?;
    let catalog = context::catalog(globals)?;
    let rules = context::live_rules(globals, &catalog, &args.rules, "aws")?;
    runtime()?.block_on(async {
        let connected = plumb_run::connect(&options).await?;
        let show = Show::new(globals, args.no_progress);
        show.note(format!("signed in as {} in {}, {} rules", connected.arn, connected.account, rules.len()));
        let recorder;
        let wire: &dyn Wire = if args.record_answers.is_some() {
            recorder = Some(Recorder::new(&connected.client));
            match &recorder {
                Some(recorder) => recorder,
                None => &connected.client,
            }
        } else {
            recorder = None;
            &connected.client
        };
        let mut targets =
            plumb_run::discover(wire, Some(&connected), &connected.account, &connected.home, &options, |t| {
                if !t.reason.is_empty() {
                    show.note(format!("account {} {}: {}", t.id, t.name, t.reason));
                }
            })
            .await?;
        if options.org {
            let seen = plumb_run::survey(wire, &connected.account, &connected.home, &targets, !args.no_sign_ins).await;
            for gap in &seen.gaps {
                show.note(format!("around the accounts: {gap}"));
            }
            plumb_run::accounts::keep_readings(&mut record, &seen.readings, now)?;
        }
        if args.due && !super::pulls::only_due(&record, &mut targets, now, |text| show.note(text))? {
            return Ok(0);
        }
        let mut scope = scope_of(&args.aws, &args.rules);
        if let Some(scope) = scope.as_object_mut().filter(|_| args.due) {
            scope.insert("due".into(), json!(true));
        }
        let scan_options = ScanOptions {
            started: context::now(),
            now,
            regions: args.aws.regions.iter().cloned().collect(),
            scope,
            resume,
            accounts_at_once: args.accounts_at_once,
            home: connected.home.clone(),
            partition: connected.partition.clone(),
        };
        let stats = || stats(&connected.client, &Done::new());
        let outcome =
            execute(&show, wire, &mut record, &catalog, &rules, targets, &scan_options, asked_to_stop(), &stats)
                .await?;
        if let (Some(path), Some(recorder)) = (&args.record_answers, &recorder) {
            std::fs::write(path, recorder.recording()?)?;
        }
        finish(globals, &show, &record, &outcome, args.top, fail_on)
    })
}

/// Waits for Ctrl-C, or for the end a service manager asks for. Where neither can be heard, for ever.
pub async fn asked_to_stop() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    if let Ok(mut ended) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            () = interrupted => {}
            _ = ended.recv() => {}
        }
        return;
    }
    interrupted.await;
}

/// What a client has done, by service.
pub type Done = BTreeMap<Arc<str>, plumb_clouds::Counters>;

/// What the client has done since it had done `before`: calls, bytes, milliseconds waited, and calls by service.
pub fn stats(client: &plumb_clouds::aws::Client, before: &Done) -> Json {
    let mut counters = client.budgets().counters();
    for (service, now) in &mut counters {
        *now = now.since(before.get(service).copied().unwrap_or_default());
    }
    counters.retain(|_, c| c.calls > 0);
    let total = |f: fn(&plumb_clouds::Counters) -> u64| counters.values().map(f).sum::<u64>();
    json!({
        "calls": total(|c| c.calls),
        "retries": total(|c| c.retries),
        "throttles": total(|c| c.throttles),
        "bytes": total(|c| c.bytes),
        "waited_ms": total(|c| c.waited_ms),
        "services": counters.iter().map(|(name, c)| (name.to_string(), json!(c.calls))).collect::<serde_json::Map<_, _>>(),
    })
}

/// Runs a scan and shows it as it goes.
#[allow(clippy::too_many_arguments)]
pub async fn execute(
    show: &Show<'_>,
    wire: &dyn Wire,
    record: &mut Record,
    catalog: &Catalog,
    rules: &plumb_evaluate::RuleSet,
    targets: Vec<plumb_run::AccountTarget>,
    options: &ScanOptions,
    stop: impl Future<Output = ()>,
    stats: &dyn Fn() -> Json,
) -> Result<Outcome, Failure> {
    let mut seen = |seen: &Seen<'_>| show.finding(catalog, seen);
    let progress = |account: &str, p: Progress| show.progress(account, p);
    let key = super::audit::key_if_any(show.globals);
    let asked_by = super::people::login(show.globals).unwrap_or_default();
    plumb_run::govern::log_scan_start(record, key.as_ref(), &asked_by, &options.scope, context::now())?;
    let outcome =
        plumb_run::run_scan(wire, record, catalog, rules, targets, options, stop, &progress, &mut seen, stats).await;
    show.clear();
    let outcome = outcome?;
    super::audit::scan_ended(record, catalog, key.as_ref(), &outcome)?;
    Ok(outcome)
}

/// Ends a scan for people: the worst findings and a summary. Returns the exit code.
pub fn finish(
    globals: &Globals,
    show: &Show<'_>,
    record: &Record,
    outcome: &Outcome,
    top: usize,
    fail_on: Option<Severity>,
) -> Result<u8, Failure> {
    let scan = record.scan(Some(ScanId(outcome.scan)))?;
    let open = record.open_by_severity()?;
    let summary = summary_json(outcome, &scan.stats, &open);
    match out::format(globals) {
        Format::Text => {
            if !globals.quiet {
                worst(record, top)?;
                text_summary(outcome, &scan.stats, &open);
                if let Some(path) = record.path() {
                    out::line(format!("record      {}", path.display()));
                }
            }
        }
        Format::Jsonl => out::line(json!({ "summary": summary })),
        _ => out::line(serde_json::to_string_pretty(&json!({ "summary": summary }))?),
    }
    if outcome.interrupted {
        show.note("interrupted; what was read is kept. Take it up again with: plumb scan --resume");
        return Ok(130);
    }
    let failing = fail_on.is_some_and(|at_least| {
        open.iter().any(|(severity, count)| *count > 0 && severity.parse::<Severity>().is_ok_and(|s| s >= at_least))
    });
    Ok(match (failing, outcome.complete) {
        (true, _) => 1,
        (false, true) => 0,
        (false, false) => 3,
    })
}

fn worst(record: &Record, top: usize) -> Result<(), Failure> {
    let query = plumb_record::Query { limit: Some(top), ..plumb_record::Query::default() };
    let rows = record.findings(&query)?;
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|f| {
            vec![
                f.id.clone(),
                f.severity.clone(),
                f.account.clone(),
                f.region.clone(),
                short(&f.name, 34),
                f.title.clone(),
            ]
        })
        .collect();
    if !cells.is_empty() {
        out::table(&["finding", "severity", "account", "region", "resource", "not so: "], &cells);
        out::line("");
    }
    Ok(())
}

/// A text cut in the middle to at most `most` characters.
pub fn short(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.into();
    }
    let head = most / 2;
    let tail = most - head - 1;
    let first: String = text.chars().take(head).collect();
    let last: String = text.chars().skip(count - tail).collect();
    format!("{first}…{last}")
}

fn summary_json(outcome: &Outcome, stats: &Json, open: &BTreeMap<String, i64>) -> Json {
    let [pass, fail, unknown, not_applicable] = outcome.verdicts;
    let change = |c: Change| outcome.changes.get(&c).copied().unwrap_or_default();
    json!({
        "scan": outcome.scan,
        "complete": outcome.complete,
        "interrupted": outcome.interrupted,
        "accounts": outcome.accounts.iter().map(|a| json!({ "id": a.id, "name": a.name, "state": a.state, "reason": a.reason, "regions": a.regions.len() })).collect::<Vec<_>>(),
        "resources": outcome.resources,
        "verdicts": { "pass": pass, "fail": fail, "unknown": unknown, "not_applicable": not_applicable },
        "findings": { "open": open, "new": change(Change::New), "reopened": change(Change::Reopened), "fixed": change(Change::Fixed), "gone": change(Change::Gone) },
        "baselines": outcome.baselines,
        "gaps": outcome.gaps,
        "stats": stats,
    })
}

fn text_summary(outcome: &Outcome, stats: &Json, open: &BTreeMap<String, i64>) {
    let number = |name: &str| stats.get(name).and_then(Json::as_u64).unwrap_or_default();
    let [pass, fail, unknown, not_applicable] = outcome.verdicts;
    let judged = pass + fail + unknown;
    let change = |c: Change| outcome.changes.get(&c).copied().unwrap_or_default();
    let read = outcome.accounts.iter().filter(|a| a.state == "active").count();
    let regions: BTreeSet<&String> = outcome.accounts.iter().flat_map(|a| &a.regions).collect();
    let by_severity: Vec<String> = Severity::ALL
        .iter()
        .rev()
        .filter_map(|s| open.get(s.name()).filter(|n| **n > 0).map(|n| format!("{n} {s}")))
        .collect();
    let covered = if judged == 0 { 100.0 } else { (pass + fail) as f64 * 100.0 / judged as f64 };
    let lines = [
        (
            "scan",
            format!(
                "{} in {:.1} s{}",
                outcome.scan,
                outcome.total_ms as f64 / 1000.0,
                if outcome.complete { "" } else { ", not complete" }
            ),
        ),
        ("accounts", format!("{read} read of {}, {} regions", outcome.accounts.len(), regions.len())),
        ("resources", outcome.resources.to_string()),
        ("calls", format!("{} ({} retried, {} throttled)", number("calls"), number("retries"), number("throttles"))),
        ("verdicts", format!("{pass} pass, {fail} fail, {unknown} unknown, {not_applicable} not applicable")),
        ("coverage", format!("{covered:.1} % of what applies could be judged")),
        ("baseline", baselines(outcome)),
        ("open", if by_severity.is_empty() { "none".into() } else { by_severity.join(", ") }),
        (
            "changed",
            format!(
                "{} new, {} back, {} fixed, {} gone",
                change(Change::New),
                change(Change::Reopened),
                change(Change::Fixed),
                change(Change::Gone)
            ),
        ),
    ];
    for (name, text) in lines {
        out::line(format!("{name:<12}{text}"));
    }
    let mut gaps: Vec<(&String, &usize)> = outcome.gaps.iter().collect();
    gaps.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    for (gap, count) in gaps.iter().take(3) {
        out::line(format!("{:<12}{} ({count} places)", "not read", short(gap, 90)));
    }
    if gaps.len() > 3 {
        out::line(format!("{:<12}{} more reasons: plumb coverage --gaps", "", gaps.len() - 3));
    }
}

/// `tier-one@1.2.0 (3 accounts), catalog (2 accounts)`.
fn baselines(outcome: &Outcome) -> String {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    outcome.baselines.values().for_each(|label| *count.entry(label).or_default() += 1);
    let each = count.iter().map(|(label, n)| match (*label, *n) {
        (plumb_run::baselines::CATALOG, n) => format!("none in force for {n} accounts: rules as their pages say"),
        (label, 1) => format!("{label} (1 account)"),
        (label, n) => format!("{label} ({n} accounts)"),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// What is asked for, as the record keeps it.
pub fn scope_of(aws: &AwsArgs, rules: &RuleFilter) -> Json {
    json!({
        "provider": "aws",
        "org": aws.org, "role": aws.role, "external_id": aws.external_id, "assume_role": aws.assume_role,
        "profile": aws.profile, "accounts": aws.accounts, "regions": aws.regions,
        "home_region": aws.home_region, "endpoint_url": aws.endpoint_url, "fips": aws.fips,
        "checks": rules.checks, "skip_checks": rules.skip_checks, "services": rules.services,
        "severity": rules.severity, "frameworks": rules.frameworks,
    })
}

/// What an interrupted scan was asked for; what the command line says now about reaching AWS comes first.
fn restore(args: &mut ScanArgs, scope: &Json) {
    let text = |name: &str| scope.get(name).and_then(Json::as_str).map(str::to_owned);
    let list = |name: &str| -> Vec<String> {
        let items = scope.get(name).and_then(Json::as_array);
        items.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let flag = |name: &str| scope.get(name).and_then(Json::as_bool).unwrap_or_default();
    args.aws.org = flag("org");
    args.due = flag("due");
    args.aws.fips |= flag("fips");
    args.aws.role = text("role").unwrap_or_else(|| args.aws.role.clone());
    args.aws.external_id = args.aws.external_id.take().or_else(|| text("external_id"));
    args.aws.assume_role = args.aws.assume_role.take().or_else(|| text("assume_role"));
    args.aws.profile = args.aws.profile.take().or_else(|| text("profile"));
    args.aws.home_region = args.aws.home_region.take().or_else(|| text("home_region"));
    args.aws.endpoint_url = args.aws.endpoint_url.take().or_else(|| text("endpoint_url"));
    args.aws.accounts = list("accounts");
    args.aws.regions = list("regions");
    args.rules.checks = list("checks");
    args.rules.skip_checks = list("skip_checks");
    args.rules.services = list("services");
    args.rules.severity = text("severity");
    args.rules.frameworks = list("frameworks");
}

/// What is shown while a scan runs: a progress line on a terminal, findings as lines with `--format jsonl`.
pub struct Show<'g> {
    globals: &'g Globals,
    live: bool,
    lines: bool,
    began: Instant,
    accounts: RefCell<BTreeMap<String, Progress>>,
    last: RefCell<Option<Instant>>,
    findings: RefCell<usize>,
}

impl<'g> Show<'g> {
    /// Progress only on a terminal, and not with `--quiet` or `--no-progress`.
    pub fn new(globals: &'g Globals, no_progress: bool) -> Self {
        Self {
            globals,
            live: !no_progress && !globals.quiet && std::io::stderr().is_terminal(),
            lines: globals.format == Some(Format::Jsonl),
            began: Instant::now(),
            accounts: RefCell::default(),
            last: RefCell::default(),
            findings: RefCell::default(),
        }
    }

    /// A line for people, over the progress line.
    pub fn note(&self, text: impl std::fmt::Display) {
        self.clear();
        if std::io::stderr().is_terminal() {
            out::note(self.globals, text);
        }
    }

    fn clear(&self) {
        if self.live {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }

    fn finding(&self, catalog: &Catalog, seen: &Seen<'_>) {
        *self.findings.borrow_mut() += 1;
        if self.lines {
            let v = seen.verdict;
            out::line(json!({
                "finding": v.key().short(), "key": v.key().hex(), "rule": v.rule, "severity": seen.severity,
                "title": catalog.rules.get(&v.rule).map(|r| r.title.clone()), "account": v.account, "region": v.region, "kind": v.kind,
                "resource": v.resource, "name": v.name, "sub_key": v.sub_key, "new": seen.change == Change::New,
                "because": super::verdicts::leaves(&v.because),
            }));
        } else if self.live && seen.change != Change::Same && seen.severity >= Severity::High {
            self.clear();
            let title = catalog.rules.get(&seen.verdict.rule).map_or(seen.verdict.rule.as_str(), |r| r.title.as_str());
            let line = format!(
                "{} {:<8} {} · {}",
                seen.verdict.key().short(),
                seen.severity,
                short(&seen.verdict.name, 40),
                title
            );
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    fn progress(&self, account: &str, p: Progress) {
        if !self.live {
            return;
        }
        self.accounts.borrow_mut().insert(account.to_owned(), p);
        let due = self.last.borrow().is_none_or(|t| t.elapsed() > Duration::from_millis(120));
        if !due {
            return;
        }
        *self.last.borrow_mut() = Some(Instant::now());
        let all = self.accounts.borrow();
        let sum = |f: fn(&Progress) -> usize| all.values().map(f).sum::<usize>();
        let (done, units) = (sum(|p| p.done), sum(|p| p.units).max(1));
        let elapsed = self.began.elapsed().as_secs_f64();
        let left = elapsed * (units - done) as f64 / done.max(1) as f64;
        let _ = write!(
            std::io::stderr(),
            "\r\x1b[2K{} accounts · {done}/{units} lists · {} resources · {} findings · {elapsed:.0} s, about {left:.0} s left",
            all.len(),
            sum(|p| p.resources),
            self.findings.borrow(),
        );
        let _ = std::io::stderr().flush();
    }
}
