//! `plumb score`, `plumb feed`.

use super::identity::{each_line, read_text};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::{Args, Subcommand, ValueEnum};
use plumb_catalog::Catalog;
use plumb_model::Severity;
use plumb_record::{FindingRow, Query, Record};
use plumb_score::{
    Context, Evidence, Feeds, Policy, Signals, Subject, explain, score_line,
    signal::{AccountFacts, Criticality, DataClass, Exposure, Signal},
    simulate, tenths,
};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, path::PathBuf};

/// `plumb score`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
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
    /// Print the score policy in force, to be changed and tried
    Policy,
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
    Import {
        /// Which feed
        #[arg(value_enum)]
        kind: FeedKind,
        /// The publisher's file
        file: PathBuf,
    },
    /// Show every feed with its edition, age and digest
    Status,
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
}

/// Where feeds are kept on the record.
const FEEDS: &str = "feed";

fn policy(path: Option<&PathBuf>) -> Result<Policy, Failure> {
    match path {
        None => Ok(Policy::default()),
        Some(path) => {
            Policy::from_json(&read_text(path)?).map_err(|e| Failure::usage(format!("`{}`: {e}", path.display())))
        }
    }
}

/// `plumb score`
pub fn run(globals: &Globals, args: ScoreArgs) -> Result<u8, Failure> {
    match (&args.command, &args.batch) {
        (None, Some(batch)) => {
            let policy = policy(args.policy.as_ref())?;
            each_line(batch, |line| score_line(line, &policy))?;
        }
        (Some(ScoreCommand::Explain { finding, policy: file }), _) => {
            explain_finding(globals, finding, &policy(file.as_ref())?)?
        }
        (Some(ScoreCommand::Simulate { policy: file, from, limit }), _) => {
            let (before, after) = (policy(from.as_ref())?, policy(Some(file))?);
            simulate_all(globals, &before, &after, *limit)?;
        }
        (Some(ScoreCommand::Policy), _) => {
            let value: Json = serde_json::from_str(&Policy::default().to_json())?;
            out::line(serde_json::to_string_pretty(&value)?);
        }
        (None, None) => return Err(Failure::usage("say --batch FILE, or explain, simulate or policy")),
    }
    Ok(0)
}

/// What the record knows about accounts that bears on scores.
struct Accounts(BTreeMap<String, (AccountFacts, Vec<String>)>);

impl Accounts {
    fn of(record: &Record) -> Result<Self, Failure> {
        let estate = super::estate::of_record(record, None)?;
        let facts = estate.accounts.values().map(|a| {
            let facts = AccountFacts {
                tier: a.tier().to_string(),
                contractual: a.facts.contract_ref.is_some(),
                regulated: !a.facts.regulatory_scope.is_empty(),
                users: a.facts.users,
                external: None,
            };
            (a.native_id.clone(), (facts, a.data_classes().iter().map(ToString::to_string).collect()))
        });
        Ok(Self(facts.collect()))
    }
}

/// People who make an account tier one by depending on it.
const MANY_USERS: u64 = 100_000;

/// The levels the record knows for a finding; everything else stays at its unknown level.
fn signals(
    finding: &FindingRow,
    catalog: &Catalog,
    accounts: &Accounts,
    feeds: &Feeds,
    policy: &Policy,
) -> (Signals, BTreeMap<Signal, Evidence>) {
    let severity: Severity = finding.severity.parse().unwrap_or(Severity::Medium);
    let mut s = Signals::of(severity);
    let mut evidence = BTreeMap::new();
    let mut say = |signal, source: String| {
        evidence.insert(
            signal,
            Evidence { reference: Some(finding.id.clone()), source, observed_at: finding.last_seen.parse().ok() },
        );
    };
    say(Signal::Severity, format!("rule {}", finding.rule));
    // A failing exposure rule is the proof that the resource can be reached; of anything else nothing is proven here.
    match finding.topic.as_str() {
        "exposure.public-endpoint" => {
            s.exposure = Exposure::InternetAuth;
            say(
                Signal::Exposure,
                format!("rule {} fails: reachable from the internet, sign-in not examined", finding.rule),
            );
        }
        topic if topic.starts_with("exposure.public-") => {
            s.exposure = Exposure::InternetOpen;
            say(Signal::Exposure, format!("rule {} fails", finding.rule));
        }
        _ => {}
    }
    if let Some((facts, classes)) = accounts.0.get(&finding.account) {
        s.account = Criticality::of(facts, MANY_USERS);
        if s.account != Criticality::Unknown {
            say(Signal::Account, format!("account {} on the estate: tier {}", finding.account, facts.tier));
        }
        s.data = DataClass::worst_of(classes.iter().map(String::as_str));
        if s.data != DataClass::Unknown {
            say(Signal::Data, format!("default of account {} on the estate", finding.account));
        }
    }
    let subject = Subject { cves: &[], topic: &finding.topic, ports: &[], resource_type: "" };
    let exploited = feeds.exploitation(&subject, s.exposure);
    s.exploitation = exploited.level;
    if !exploited.because.is_empty() {
        say(Signal::Exploitation, exploited.because.join("; "));
    }
    let rule = catalog.rules.get(finding.rule.as_str());
    if let Some(rule) = rule {
        s.hard = policy.is_hard(&rule.id, rule.hard, s.account);
    }
    (s, evidence)
}

fn explain_finding(globals: &Globals, id: &str, policy: &Policy) -> Result<(), Failure> {
    let record = context::record_read_only(globals)?;
    let finding = record.finding(id).map_err(|e| Failure::usage(e.to_string()))?;
    let (catalog, feeds, accounts) = (context::catalog(globals)?, feeds(&record)?, Accounts::of(&record)?);
    let (s, evidence) = signals(&finding, &catalog, &accounts, &feeds, policy);
    let now = context::now();
    let status = feeds.status(now);
    let explanation = explain(&s, policy, now, &Context { evidence, feeds: &status, previous: None });
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
            let source = if p.unknown { "not known".to_owned() } else { p.evidence.source.clone() };
            vec![p.signal.title().into(), p.level.clone(), points, source]
        })
        .collect();
    out::table(&["signal", "level", "points", "source"], &cells);
    for w in &explanation.what_if {
        out::line(format!("if {}: {} ({})", w.change, tenths(i64::from(w.points.min(1000))), w.lane));
    }
    explanation.warnings.iter().for_each(|w| out::line(format!("warning: {w}")));
    Ok(())
}

fn simulate_all(globals: &Globals, before: &Policy, after: &Policy, limit: Option<usize>) -> Result<(), Failure> {
    let record = context::record_read_only(globals)?;
    let (catalog, feeds, accounts) = (context::catalog(globals)?, feeds(&record)?, Accounts::of(&record)?);
    let mut rows = Vec::new();
    for finding in record.findings(&Query { limit, ..Query::default() })? {
        let (s, _) = signals(&finding, &catalog, &accounts, &feeds, after);
        let simulated = simulate(&s, before, after);
        if simulated.before != simulated.after {
            rows.push(json!({
                "finding": finding.id, "rule": finding.rule,
                "before": { "score": simulated.before.score, "lane": simulated.before.lane },
                "after": { "score": simulated.after.score, "lane": simulated.after.lane },
            }));
        }
    }
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

/// The bundled feeds with what was imported.
fn feeds(record: &Record) -> Result<Feeds, Failure> {
    let mut feeds = Feeds::bundled();
    for (id, doc) in record.documents(FEEDS)? {
        let bytes = match (doc.get("text").and_then(Json::as_str), doc.get("hex").and_then(Json::as_str)) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, Some(hex)) => from_hex(hex),
            _ => continue,
        };
        load(&mut feeds, &id, &bytes)?;
    }
    Ok(feeds)
}

/// Loads a feed; returns the name it has among the data sets.
fn load(feeds: &mut Feeds, id: &str, bytes: &[u8]) -> Result<&'static str, Failure> {
    let wrong = |e: plumb_score::FeedError| Failure::usage(format!("feed {id}: {e}"));
    match id {
        "kev" => feeds.import_kev(bytes).map_err(wrong).map(|()| "kev"),
        "epss" => feeds.import_epss(bytes).map_err(wrong).map(|()| "epss"),
        _ => feeds.import_csaf(bytes).map_err(wrong).map(|_| "advisories"),
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok()).unwrap_or_default();
    text.as_bytes().chunks(2).map(|pair| pair.iter().fold(0, |n, c| (n << 4) | digit(*c))).collect()
}

/// `plumb feed`
pub fn feed(globals: &Globals, args: FeedArgs) -> Result<u8, Failure> {
    match args.command {
        FeedCommand::Import { kind, file } => {
            let bytes =
                std::fs::read(&file).map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", file.display())))?;
            let mut feeds = Feeds::none();
            let short = match kind {
                FeedKind::Kev => "kev",
                FeedKind::Epss => "epss",
                FeedKind::Csaf => "csaf",
            };
            let name = load(&mut feeds, short, &bytes)?;
            let Some(info) = feeds.info().find(|i| i.name == name).cloned() else {
                return Err(Failure::usage(format!("`{}` says nothing that counts", file.display())));
            };
            let id = if kind == FeedKind::Csaf { format!("csaf:{}", info.sha256) } else { short.to_owned() };
            let mut doc = json!({ "info": info, "file": file.display().to_string(), "imported_at": context::now() });
            if let Some(object) = doc.as_object_mut() {
                match String::from_utf8(bytes) {
                    Ok(text) => object.insert("text".into(), json!(text)),
                    Err(e) => object.insert(
                        "hex".into(),
                        json!(e.as_bytes().iter().map(|b| format!("{b:02x}")).collect::<String>()),
                    ),
                };
            }
            let mut record = context::record(globals)?;
            let version = record.document(FEEDS, &id)?.map_or(0, |(version, _)| version);
            record.put_document(FEEDS, &id, version, &doc)?;
            if out::format(globals) == Format::Text {
                out::line(format!(
                    "{name} {} of {}, {} entries, sha256 {}",
                    info.version,
                    info.date.date(),
                    info.entries,
                    info.sha256
                ));
            } else {
                out::line(serde_json::to_string(&info)?);
            }
        }
        FeedCommand::Status => {
            let feeds = match context::record_read_only(globals) {
                Ok(record) => feeds(&record)?,
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
                vec![text("name"), text("version"), text("age_days"), text("entries"), text("warning")]
            })?;
        }
    }
    Ok(0)
}
