//! `plumb score`, `plumb feed`.

use super::identity::{each_line, read_text};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::{Args, Subcommand, ValueEnum};
use plumb_assess::identity::aws::{escalate::Admin, escalations};
use plumb_catalog::Catalog;
use plumb_discover::LabelKind;
use plumb_model::Severity;
use plumb_record::{FindingRow, Query, Record};
use plumb_run::scores::{self, Joins};
use plumb_score::{
    Context, Evidence, Feeds, Policy, Signals, Subject, Support, explain, score_line,
    signal::{AccountFacts, Criticality, DataClass, Exposure, IdentityReach, Signal},
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
    /// List resources with the version they run and when its support ends
    Support {
        /// Only what is out of standard support, or soon will be
        #[arg(long)]
        ended: bool,
    },
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
    /// What a vulnerability scanner proved: CSV with `resource` and `cve`, or JSON lines
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

/// Where feeds are kept on the record.
const FEEDS: &str = "feed";

/// The policy of a file, else the one in force on the record.
pub(super) fn policy_on(record: &Record, path: Option<&PathBuf>) -> Result<Policy, Failure> {
    match path {
        Some(_) => policy(path),
        None => scores::policy_in_force(record).map_err(super::people::refused),
    }
}

pub(super) fn policy(path: Option<&PathBuf>) -> Result<Policy, Failure> {
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
        (Some(ScoreCommand::Explain { finding, policy: file }), _) => explain_finding(globals, finding, file.as_ref())?,
        (Some(ScoreCommand::Simulate { policy: file, from, limit }), _) => {
            let before = policy_on(&context::record_read_only(globals)?, from.as_ref())?;
            simulate_all(globals, &before, &policy(Some(file))?, *limit)?;
        }
        (Some(ScoreCommand::Policy { command }), _) => return super::score_policy::policy(globals, command.as_ref()),
        (Some(ScoreCommand::Calibrate(args)), _) => return super::score_policy::calibrate(globals, args),
        (Some(ScoreCommand::Accounts(args)), _) => return super::score_policy::standings(globals, args, false),
        (Some(ScoreCommand::Teams(args)), _) => return super::score_policy::standings(globals, args, true),
        (None, None) => {
            return Err(Failure::usage("say --batch FILE, or explain, simulate, policy, calibrate, accounts or teams"));
        }
    }
    Ok(0)
}

/// What the record knows that bears on scores.
pub(super) struct Facts {
    /// The list of accounts.
    pub estate: plumb_discover::Estate,
    /// The feeds.
    pub feeds: Feeds,
    /// Drift, vulnerabilities, support, data, hard rules.
    joins: Joins,
    /// Of accounts: what makes them critical, and their data classes.
    accounts: BTreeMap<String, (AccountFacts, Vec<String>)>,
    /// Of resources: how far they are open, by which finding's rule.
    exposed: BTreeMap<String, (Exposure, String)>,
    /// Users and roles that are administrators or can become one.
    admins: BTreeMap<String, bool>,
}

impl Facts {
    pub(super) fn of(record: &Record, catalog: &Catalog) -> Result<Self, Failure> {
        let estate = plumb_run::accounts::current_estate(record, None)?;
        let feeds = feeds(record)?;
        let joins = Joins::on(record, catalog, &feeds, &estate, context::now()).map_err(super::people::refused)?;
        let accounts = estate.accounts.values().map(|a| {
            let facts = AccountFacts {
                tier: a.tier().to_string(),
                contractual: a.facts.contract_ref.is_some(),
                regulated: !a.facts.regulatory_scope.is_empty(),
                users: a.facts.users,
                external: None,
            };
            (a.native_id.clone(), (facts, a.data_classes().iter().map(ToString::to_string).collect()))
        });
        let accounts = accounts.collect();
        let mut exposed: BTreeMap<String, (Exposure, String)> = BTreeMap::new();
        for finding in record.findings(&Query::default())? {
            let Some(level) = proves(&finding) else { continue };
            let slot = exposed.entry(finding.resource).or_insert((level, finding.rule.clone()));
            if level > slot.0 {
                *slot = (level, finding.rule);
            }
        }
        let known = super::known::identities(record, None)?;
        let details = &known.world.details;
        let found = escalations(details, &known.world.organization, None);
        let admins = details.principals.iter().zip(&found.standings);
        let admins = admins.filter(|(_, s)| s.admin != Admin::No || s.can_become_admin);
        let admins = admins.map(|(p, s)| (p.arn.clone(), s.admin != Admin::No)).collect();
        Ok(Self { estate, feeds, joins, accounts, exposed, admins })
    }
}

/// What an open finding proves about who can reach its resource. A missing block setting proves nothing: it only leaves
/// room.
fn proves(finding: &FindingRow) -> Option<Exposure> {
    let property = finding.rule.rsplit('.').next().unwrap_or_default();
    if finding.unknown_since.is_some() || finding.kind.ends_with(".account") && !finding.kind.contains("storage") {
        return None;
    }
    match finding.topic.as_str() {
        "exposure.public-endpoint" if property == "requires-auth" => Some(Exposure::InternetOpen),
        // Reachable over the network; whether it asks who calls is another question.
        "exposure.public-endpoint" | "exposure.public-database" => Some(Exposure::InternetAuth),
        topic if topic.starts_with("exposure.public-") => {
            let open = ["not-public", "no-public", "no-anonymous", "website-disabled"];
            open.iter().any(|o| property.contains(o)).then_some(Exposure::InternetOpen)
        }
        _ => None,
    }
}

/// People who make an account tier one by depending on it.
const MANY_USERS: u64 = 100_000;

/// The levels the record knows for a finding; everything else stays at its unknown level.
pub(super) fn signals(
    finding: &FindingRow,
    catalog: &Catalog,
    known: &Facts,
    policy: &Policy,
) -> (Signals, BTreeMap<Signal, Evidence>) {
    let severity: Severity = finding.severity.parse().unwrap_or(Severity::Medium);
    let mut s = Signals::of(severity);
    let joins = &known.joins;
    let mut evidence = BTreeMap::new();
    let mut say = |signal, source: String| {
        let observed_at = finding.last_seen.parse().ok();
        evidence.insert(signal, Evidence { reference: Some(finding.id.clone()), source, observed_at });
    };
    say(Signal::Severity, format!("rule {}", finding.rule));
    // How bad a version is, its dates say: past support high, near its end or in paid support medium.
    let supported = joins.support.get(&finding.resource).filter(|_| finding.topic == "vuln.supported-version");
    if let Some((found, level)) = supported.and_then(|f| Some((f, f.support.severity()?))) {
        s.severity = level;
        let edition = known.feeds.info().find(|i| i.name == "eol").map_or("", |i| i.version.as_str());
        say(
            Signal::Severity,
            format!("{} {}: {} (end-of-support data {edition})", found.product, found.version, said(&found.support)),
        );
    }
    if let Some((level, rule)) = known.exposed.get(&finding.resource) {
        s.exposure = *level;
        say(Signal::Exposure, format!("rule {rule} fails for it"));
    }
    if let Some(already) = known.admins.get(&finding.resource) {
        s.identity = IdentityReach::Admin;
        let how = if *already { "is an administrator" } else { "can become an administrator" };
        say(Signal::Identity, format!("{} {how}", finding.name));
    }
    match joins.drift.get(&finding.id) {
        Some(drifted) => {
            s.drift = drifted.level;
            say(Signal::Drift, drifted.because.clone());
        }
        None => say(Signal::Drift, "no drift on record: since the scan before, from approved values, from code".into()),
    }
    if let Some((facts, classes)) = known.accounts.get(&finding.account) {
        s.account = Criticality::of(facts, MANY_USERS);
        if s.account != Criticality::Unknown {
            say(Signal::Account, format!("account {} on the estate: tier {}", finding.account, facts.tier));
        }
        s.data = DataClass::worst_of(classes.iter().map(String::as_str));
        if s.data != DataClass::Unknown {
            say(Signal::Data, format!("default of account {} on the estate", finding.account));
        }
    }
    if let Some(found) = joins.data.get(&finding.resource)
        && let Some(first) = found.statements.first()
    {
        s.data = DataClass::worst_of([found.class.name()]);
        say(Signal::Data, format!("{}: {}", first.source, first.detail));
    }
    let cves = joins.cves_of(&finding.resource);
    let types = catalog.kinds.get(finding.kind.as_str()).map(|k| k.cloudformation.as_slice()).unwrap_or_default();
    let ports = ports(finding);
    let subject = Subject {
        cves: &cves,
        topic: &finding.topic,
        ports: &ports,
        resource_type: types.first().map_or("", String::as_str),
    };
    let exploited = known.feeds.exploitation(&subject, s.exposure);
    s.exploitation = exploited.level;
    let named = exploited.because.join("; ");
    say(Signal::Exploitation, if named.is_empty() { "no data set names it".into() } else { named });
    if let Some(rule) = catalog.rules.get(finding.rule.as_str()) {
        let by_baseline = joins.hard.get(&finding.account).filter(|(_, rules)| rules.contains(&rule.id));
        s.hard = policy.is_hard(&rule.id, rule.hard || by_baseline.is_some(), s.account);
        if s.hard {
            let by = by_baseline.map_or("the hard baseline", |(label, _)| label.as_str());
            say(Signal::Floor, format!("rule {} is hard in {by}", finding.rule));
        }
    }
    (s, evidence)
}

/// What the dates of a version say, in words.
pub(super) fn said(support: &Support) -> String {
    match support {
        Support::Supported => "supported".into(),
        Support::EndsSoon(at) => format!("support ends on {}", at.date()),
        Support::Extended(at) => format!("only in paid extended support, until {}", at.date()),
        Support::Ended(Some(at)) => format!("support ended on {}", at.date()),
        Support::Ended(None) => "support has ended".into(),
        Support::Unknown => "not in the data".into(),
    }
}

/// The ports a finding's observed values name.
fn ports(finding: &FindingRow) -> Vec<u16> {
    let leaves = finding.because.iter().filter(|l| l.path.contains("port"));
    leaves.filter_map(|l| u16::try_from(l.observed.as_int()?).ok()).collect()
}

fn explain_finding(globals: &Globals, id: &str, file: Option<&PathBuf>) -> Result<(), Failure> {
    let record = context::record_read_only(globals)?;
    let policy = &policy_on(&record, file)?;
    let finding = record.finding(id).map_err(|e| Failure::usage(e.to_string()))?;
    let catalog = context::catalog(globals)?;
    let known = Facts::of(&record, &catalog)?;
    let (s, evidence) = signals(&finding, &catalog, &known, policy);
    let now = context::now();
    let status = known.feeds.status(now);
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
    let catalog = context::catalog(globals)?;
    let known = Facts::of(&record, &catalog)?;
    let mut rows = Vec::new();
    for finding in record.findings(&Query { limit, ..Query::default() })? {
        let (s, _) = signals(&finding, &catalog, &known, after);
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
pub(super) fn feeds(record: &Record) -> Result<Feeds, Failure> {
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
                other => return import_facts(globals, other, &file, &bytes),
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
        FeedCommand::Support { ended } => {
            let record = context::record_read_only(globals)?;
            let mut rows =
                scores::supported(&record, &feeds(&record)?, context::now()).map_err(super::people::refused)?;
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

/// Takes what other tools found out about resources: vulnerabilities and classes of data.
fn import_facts(globals: &Globals, kind: FeedKind, file: &std::path::Path, bytes: &[u8]) -> Result<u8, Failure> {
    let mut record = context::record(globals)?;
    let now = context::now();
    let text =
        || String::from_utf8(bytes.to_vec()).map_err(|_| Failure::usage(format!("`{}` is not UTF-8", file.display())));
    let refused = super::people::refused;
    let (what, kept) = match kind {
        FeedKind::Vulnerabilities => {
            ("vulnerabilities", scores::import_vulnerabilities(&mut record, &text()?, now).map_err(refused)?)
        }
        FeedKind::DataPatterns => {
            let said: scores::Conventions =
                serde_json::from_str(&text()?).map_err(|e| Failure::usage(format!("`{}`: {e}", file.display())))?;
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
    Ok(0)
}
