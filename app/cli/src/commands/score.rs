//! `plumb score`, `plumb feed`.

use super::{
    identity::{each_line, read_text},
    people::refused,
};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::{Args, Subcommand, ValueEnum};
use plumb_catalog::Catalog;
use plumb_discover::LabelKind;
use plumb_record::{Query, Record};
use plumb_run::{
    criticality::import_criticality,
    feeds::{FeedFile, feeds, import_feed},
    govern::GovernError,
    handover,
    scores::{self, Cvss},
    signals::{self, Stack, said},
};
use plumb_score::{Feeds, Policy, score_line, simulate, tenths};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, path::PathBuf};

/// `plumb score`
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// What to do
    #[command(subcommand)]
    pub command: Option<ScoreCommand>,
    /// Answer each line of this file (`-` for standard input): signal levels in, points and lane out
    #[arg(long, value_name = "FILE")]
    pub batch: Option<PathBuf>,
    /// The score policy (JSON); default the bundled one
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

/// What to do with scores.
#[derive(Debug, Subcommand)]
pub enum ScoreCommand {
    /// Explain the score of a finding: each signal, its level, its points, who said so
    Explain {
        /// The finding: its id or the beginning of it
        finding: String,
        /// The score policy (JSON); default the bundled one
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// List findings by score, most pressing first: lane, points, what weighs
    List(ListArgs),
    /// Say what another policy would make of the open findings
    Simulate {
        /// The policy to try (JSON)
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
        /// The policy now (JSON); default the bundled one
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// At most this many findings
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Print the score policy in force; propose, approve, list policies
    Policy {
        /// What to do; default print the one in force, to be changed and tried
        #[command(subcommand)]
        command: Option<super::score_policy::PolicyCommand>,
    },
    /// Say what thresholds fit what the team fixed in the last 12 weeks, and what they would have done to them
    Calibrate(super::score_policy::CalibrateArgs),
    /// Score accounts, each with its coverage
    Accounts(super::score_policy::StandingArgs),
    /// Score teams, each with its coverage
    Teams(super::score_policy::StandingArgs),
}

/// `plumb score list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The score policy (JSON); default the one in force
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Only of this account
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Only of these lanes: 0 act now, 1 urgent, 2 planned, 3 watch
    #[arg(long = "lane", value_name = "N", num_args = 1.., value_delimiter = ',', value_parser = clap::value_parser!(u8).range(0..=3))]
    pub lanes: Vec<u8>,
    /// At most this many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

/// `plumb feed`
#[derive(Debug, Args)]
pub struct FeedArgs {
    /// What to do
    #[command(subcommand)]
    pub command: FeedCommand,
}

/// What to do with feeds.
#[derive(Debug, Subcommand)]
pub enum FeedCommand {
    /// Put a feed's file on the record
    Import(FeedImport),
    /// Show every feed with its edition, age and digest
    Status,
    /// List resources with the version they run and when its support ends
    Support {
        /// Only what is out of standard support, or soon will be
        #[arg(long)]
        ended: bool,
    },
}

/// `plumb feed import`
#[derive(Debug, Args)]
pub struct FeedImport {
    /// Which feed
    #[arg(value_enum)]
    pub kind: FeedKind,
    /// The publisher's file
    pub file: PathBuf,
    /// For criticality: the process that judged, where the rows do not say
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// For criticality: when it judged, where the rows do not say
    #[arg(long, value_name = "DATE")]
    pub date: Option<String>,
}

/// The feeds that can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FeedKind {
    /// CISA's catalogue of known exploited vulnerabilities (JSON)
    Kev,
    /// FIRST's EPSS scores (CSV, plain or gzip)
    Epss,
    /// A vendor's advisory (CSAF 2.0 JSON)
    Csaf,
    /// Newer ends of support (endoflife.date JSON: `/api/amazon-eks.json`, named so, or `/api/v1/products/full`)
    Eol,
    /// How critical accounts are by an asset-criticality process: CSV or JSON with `account`, `criticality`, `source`, `date`
    Criticality,
    /// What a vulnerability scanner proved: CSV or JSON lines with `resource`, `cve` and, where there is one, `cvss`
    Vulnerabilities,
    /// Classes of data found by Amazon Macie (JSON)
    Macie,
    /// Classes of data found by another tool (OCSF Data Security Findings)
    Ocsf,
    /// Classes of data by resource (CSV)
    DataClasses,
    /// What names and tags of resources tell about data (JSON: tag_keys, patterns, data_classes)
    DataPatterns,
}

/// The policy of a file, else the one in force on the record.
pub(super) fn policy_on(record: &Record, path: Option<&PathBuf>) -> Result<Policy, Failure> {
    match path {
        Some(_) => policy(path),
        None => scores::policy_in_force(record).map_err(refused),
    }
}

pub(super) fn policy(path: Option<&PathBuf>) -> Result<Policy, Failure> {
    match path {
        None => Ok(Policy::default()),
        Some(path) => Policy::from_json(&read_text(path)?).map_err(|e| {
            let why = std::error::Error::source(&e).map(|s| format!(": {s}")).unwrap_or_default();
            let right = "; `plumb score policy` prints one to change";
            Failure::usage(format!("`{}`: {e}{why}{right}", path.display()))
        }),
    }
}

/// `plumb score`
pub fn run(globals: &Globals, args: ScoreArgs) -> Result<u8, Failure> {
    // Not left to clap, which would refuse `--format` before a command too.
    if args.command.is_some() && (args.batch.is_some() || args.policy.is_some()) {
        return Err(Failure::usage("--batch goes with no command, and --policy comes after one that takes it"));
    }
    match (&args.command, &args.batch) {
        (None, Some(batch)) => {
            let policy = policy(args.policy.as_ref())?;
            each_line(batch, |line| score_line(line, &policy))?;
        }
        (Some(ScoreCommand::Explain { finding, policy: file }), _) => explain_finding(globals, finding, file.as_ref())?,
        (Some(ScoreCommand::List(args)), _) => list(globals, args)?,
        (Some(ScoreCommand::Simulate { policy: file, from, limit }), _) => {
            let before = policy_on(&context::record_read_only(globals)?, from.as_ref())?;
            simulate_all(globals, &before, &policy(Some(file))?, *limit)?;
        }
        (Some(ScoreCommand::Policy { command }), _) => return super::score_policy::policy(globals, command.as_ref()),
        (Some(ScoreCommand::Calibrate(args)), _) => return super::score_policy::calibrate(globals, args),
        (Some(ScoreCommand::Accounts(args)), _) => return super::score_policy::standings(globals, args, false),
        (Some(ScoreCommand::Teams(args)), _) => return super::score_policy::standings(globals, args, true),
        (None, None) => {
            return Err(Failure::usage(
                "say --batch FILE, or explain, list, simulate, policy, calibrate, accounts or teams",
            ));
        }
    }
    Ok(0)
}

/// What the record knows that bears on scores.
pub(super) fn stack(record: &Record, catalog: &Catalog) -> Result<Stack, Failure> {
    Stack::of(record, catalog, context::now()).map_err(refused)
}

fn explain_finding(globals: &Globals, id: &str, file: Option<&PathBuf>) -> Result<(), Failure> {
    let record = context::record_read_only(globals)?;
    let policy = &policy_on(&record, file)?;
    let finding = record.finding(id).map_err(|e| Failure::usage(e.to_string()))?;
    let catalog = context::catalog(globals)?;
    let stack = stack(&record, &catalog)?;
    let stacked = stack.signals(&finding, &catalog, policy);
    let s = stacked.0;
    // Trying another policy is no move of the world.
    let before = match file {
        None => signals::previous(&record, &finding.id, &s, policy).map_err(refused)?,
        Some(_) => None,
    };
    let explanation = stack.explain(stacked, policy, context::now(), before.as_ref().map(|(s, p)| (*s, p)));
    let flaws = stack.vulnerabilities(&finding.resource);
    if out::format(globals) != Format::Text {
        let mut value = serde_json::to_value(&explanation)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("finding".into(), json!(finding.id));
            object.insert(
                "signals".into(),
                serde_json::to_value(
                    s.levels().map(|(signal, level, _)| (signal.key(), level)).into_iter().collect::<BTreeMap<_, _>>(),
                )?,
            );
            object.insert("hard".into(), json!(s.hard));
            object.insert("sentence".into(), json!(explanation.sentence()));
            let flaws: Vec<Json> = flaws.iter().map(|(cve, cvss)| json!({ "cve": cve, "cvss": cvss })).collect();
            object.insert("vulnerabilities".into(), json!(flaws));
        }
        out::line(if out::format(globals) == Format::Jsonl {
            value.to_string()
        } else {
            serde_json::to_string_pretty(&value)?
        });
        return Ok(());
    }
    out::line(format!("{} {}", finding.id, finding.title));
    out::line(format!("{} · {} · policy {}", explanation.sentence(), explanation.lane, explanation.policy));
    out::line("");
    let cells: Vec<Vec<String>> = explanation
        .contributions
        .iter()
        .map(|p| {
            let points = match p.percent {
                Some(percent) => format!("×{}.{:02} ({})", percent / 100, percent % 100, tenths(i64::from(p.points))),
                None => tenths(i64::from(p.points)),
            };
            // Why it is not known, where somebody looked.
            let source = match p.evidence.source.as_str() {
                "" if p.unknown => "not known".to_owned(),
                why if p.unknown => format!("not known: {why}"),
                source => source.to_owned(),
            };
            vec![p.signal.title().into(), p.level.clone(), points, source]
        })
        .collect();
    out::table(&["signal", "level", "points", "source"], &cells);
    for (cve, cvss) in flaws {
        out::line(format!("{cve}: {}", cvss.map_or_else(|| "no CVSS was given".into(), Cvss::words)));
    }
    if let Some(before) = &explanation.previous {
        out::line(format!("before: {} ({})", tenths(i64::from(before.points.min(1000))), before.lane));
        for c in &before.why {
            let learnt = if c.only_learnt { "; the world did not change, what is known did" } else { "" };
            let sign = if c.points > 0 { "+" } else { "" };
            // A factor that did not change weighs more points.
            let moved =
                if c.from == c.to { format!("{}, as before", c.to) } else { format!("{} → {}", c.from, c.to) };
            out::line(format!("  {} {moved}: {sign}{}{learnt}", c.signal.title(), tenths(i64::from(c.points))));
        }
    }
    for w in &explanation.what_if {
        out::line(format!("if {}: {} ({})", w.change, tenths(i64::from(w.points.min(1000))), w.lane));
    }
    explanation.warnings.iter().for_each(|w| out::line(format!("warning: {w}")));
    Ok(())
}

fn list(globals: &Globals, args: &ListArgs) -> Result<(), Failure> {
    let record = context::record_read_only(globals)?;
    let policy = policy_on(&record, args.policy.as_ref())?;
    let catalog = context::catalog(globals)?;
    let stack = stack(&record, &catalog)?;
    context::known_account(&record, args.account.as_deref())?;
    let query = Query { account: args.account.clone(), ..Query::default() };
    let mut ranked = handover::ranked(&record, &stack, &catalog, &policy, &query, context::now()).map_err(refused)?;
    ranked.retain(|r| args.lanes.is_empty() || args.lanes.contains(&r.score.lane.number()));
    ranked.truncate(args.limit.unwrap_or(usize::MAX));
    let rows = handover::signals(&record, &stack, &ranked).map_err(refused)?;
    let text = |v: &Json, name: &str| v.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    out::rows(globals, &rows, &["finding", "lane", "score", "account", "resource", "levels", "title"], |v| {
        let levels =
            v.get("signals").and_then(Json::as_array).into_iter().flatten().filter_map(|c| c.get("level")?.as_str());
        vec![
            text(v, "finding"),
            text(v, "lane_name"),
            tenths(v.get("score").and_then(Json::as_i64).unwrap_or_default()),
            text(v, "account"),
            super::scan::short(&text(v, "name"), 34),
            levels.collect::<Vec<_>>().join(" "),
            text(v, "title"),
        ]
    })
}

fn simulate_all(globals: &Globals, before: &Policy, after: &Policy, limit: Option<usize>) -> Result<(), Failure> {
    let record = context::record_read_only(globals)?;
    let catalog = context::catalog(globals)?;
    let stack = stack(&record, &catalog)?;
    let mut rows = Vec::new();
    for finding in record.findings(&Query::default())? {
        let (s, _) = stack.signals(&finding, &catalog, after);
        let simulated = simulate(&s, before, after);
        if simulated.before != simulated.after {
            rows.push(json!({
                "finding": finding.id, "rule": finding.rule,
                "before": { "score": simulated.before.score, "lane": simulated.before.lane },
                "after": { "score": simulated.after.score, "lane": simulated.after.lane },
            }));
        }
    }
    rows.truncate(limit.unwrap_or(usize::MAX));
    let show = |v: &Json, when: &str| {
        let part = v.get(when);
        let number = |name: &str| part.and_then(|p| p.get(name)).and_then(Json::as_i64).unwrap_or_default();
        format!("{} lane {}", tenths(number("score")), number("lane"))
    };
    let text = |v: &Json, name: &str| v.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    out::rows(globals, &rows, &["finding", "before", "after", "rule"], |v| {
        vec![text(v, "finding"), show(v, "before"), show(v, "after"), text(v, "rule")]
    })
}

/// `plumb feed`
pub fn feed(globals: &Globals, args: FeedArgs) -> Result<u8, Failure> {
    match args.command {
        FeedCommand::Import(args) => import(globals, &args)?,
        FeedCommand::Status => {
            let feeds = match context::record_read_only(globals) {
                Ok(record) => feeds(&record).map_err(refused)?,
                Err(_) => Feeds::bundled(),
            };
            let info: BTreeMap<String, _> = feeds.info().map(|i| (i.name.clone(), i.clone())).collect();
            let rows: Vec<Json> = feeds
                .status(context::now())
                .into_iter()
                .map(|s| {
                    let from = info.get(&s.name);
                    json!({
                        "name": s.name, "version": s.version, "date": from.map(|i| i.date), "age_days": s.age_days,
                        "stale": s.stale(), "entries": s.entries, "bundled": from.map(|i| i.bundled), "sha256": s.sha256, "warning": s.warning(),
                    })
                })
                .collect();
            out::rows(globals, &rows, &["feed", "edition", "age (days)", "entries", "warning"], |v| {
                let text = |name: &str| match v.get(name) {
                    Some(Json::String(s)) => s.clone(),
                    Some(Json::Null) | None => "-".into(),
                    Some(other) => other.to_string(),
                };
                let warning = match v.get("version") {
                    Some(Json::Null) => "none imported".to_owned(),
                    _ => text("warning"),
                };
                vec![text("name"), text("version"), text("age_days"), text("entries"), warning]
            })?;
        }
        FeedCommand::Support { ended } => {
            let record = context::record_read_only(globals)?;
            let mut rows =
                scores::supported(&record, &feeds(&record).map_err(refused)?, context::now()).map_err(refused)?;
            rows.retain(|r| !ended || r.support.severity().is_some());
            out::rows(globals, &rows, &["account", "kind", "resource", "product", "version", "support"], |r| {
                vec![
                    r.account.clone(),
                    r.kind.clone(),
                    super::scan::short(&r.name, 40),
                    r.product.into(),
                    r.version.clone(),
                    said(&r.support),
                ]
            })?;
        }
    }
    Ok(0)
}

fn import(globals: &Globals, args: &FeedImport) -> Result<(), Failure> {
    let file = &args.file;
    if (args.source.is_some() || args.date.is_some()) && args.kind != FeedKind::Criticality {
        return Err(Failure::usage("--source and --date belong to `feed import criticality`"));
    }
    let bytes = std::fs::read(file).map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", file.display())))?;
    let product = file.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let feed = match args.kind {
        FeedKind::Kev => FeedFile::Kev,
        FeedKind::Epss => FeedFile::Epss,
        FeedKind::Csaf => FeedFile::Csaf,
        FeedKind::Eol => FeedFile::Eol(&product),
        _ => return import_facts(globals, args, &bytes),
    };
    let mut record = context::record(globals)?;
    let path = file.display().to_string();
    let info = import_feed(&mut record, feed, &path, bytes, context::now()).map_err(|e| in_file(file, e))?;
    let Some(info) = info else {
        return Err(Failure::usage(format!("`{path}` says nothing that counts")));
    };
    out::line(if out::format(globals) == Format::Text {
        let (date, entries) = (info.date.date(), info.entries);
        format!("{} {} of {date}, {entries} entries, sha256 {}", info.name, info.version, info.sha256)
    } else {
        serde_json::to_string(&info)?
    });
    Ok(())
}

/// What is wrong with a file, with its name.
fn in_file(file: &std::path::Path, error: GovernError) -> Failure {
    match error {
        GovernError::Input(what) => Failure::usage(format!("`{}`: {what}", file.display())),
        other => refused(other),
    }
}

/// Takes what other tools and processes found out: vulnerabilities, classes of data, how critical accounts are.
fn import_facts(globals: &Globals, args: &FeedImport, bytes: &[u8]) -> Result<(), Failure> {
    let (kind, file) = (args.kind, &args.file);
    let mut record = context::record(globals)?;
    let now = context::now();
    let (what, kept) = match kind {
        FeedKind::Vulnerabilities => {
            let kept = scores::import_vulnerabilities(&mut record, bytes, now).map_err(|e| in_file(file, e))?;
            ("vulnerabilities", kept)
        }
        FeedKind::Criticality => {
            let date = args.date.as_deref().map(|d| d.parse().map_err(|e| Failure::usage(format!("--date: {e}"))));
            let source = args.source.as_deref();
            let kept =
                import_criticality(&mut record, bytes, source, date.transpose()?).map_err(|e| in_file(file, e))?;
            ("criticality", kept)
        }
        FeedKind::DataPatterns => {
            let said: scores::Conventions =
                super::json_file(file, "no list of conventions (tag_keys, patterns, data_classes)")?;
            scores::keep_conventions(&mut record, &said).map_err(refused)?;
            ("data-patterns", said.patterns.len() + said.tag_keys.len() + said.data_classes.len())
        }
        _ => {
            let label = match kind {
                FeedKind::Macie => LabelKind::Macie,
                FeedKind::Ocsf => LabelKind::Ocsf,
                _ => LabelKind::Csv,
            };
            let mut input = bytes;
            let (labels, problems) =
                plumb_discover::read_labels(label, &mut input, &plumb_discover::Mapping::default());
            for (problem, count) in &problems {
                out::note(globals, format!("plumb: {}: {problem} (×{count})", file.display()));
            }
            if labels.is_empty() {
                return Err(Failure::usage(format!("`{}` names no class of any resource", file.display())));
            }
            scores::keep_labels(&mut record, label.name(), &labels, now).map_err(refused)?;
            ("data-classes", labels.len())
        }
    };
    out::line(if out::format(globals) == Format::Text {
        format!("{what}: {kept} kept")
    } else {
        json!({ "kind": what, "kept": kept }).to_string()
    });
    Ok(())
}
