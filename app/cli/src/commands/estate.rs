//! `plumb discover`.

use super::identity::{open, read_text};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::Args;
use plumb_discover::{Config, Estate, Mapping, SourceKind, accounts_csv, accounts_jsonl, read, reconcile_from};
use plumb_run::accounts;
use std::{collections::BTreeMap, io::BufReader, path::PathBuf};

/// `plumb discover`
#[derive(Debug, Args)]
pub struct DiscoverArgs {
    /// A source to read, with its kind: `aws-organizations=accounts.json`; a folder is every file in it
    #[arg(long = "source", value_name = "KIND=FILE", required_unless_present = "with_scan")]
    pub sources: Vec<String>,
    /// How a kind of source words things (JSON): `landing-zone=mapping.json`
    #[arg(long = "mapping", value_name = "KIND=FILE")]
    pub mappings: Vec<String>,
    /// Settings of the reconciliation: grace, third parties, leavers, review days (JSON)
    #[arg(long = "settings", visible_alias = "discover-config", value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// The estate of the last run (JSON); default the one on the record, if any
    #[arg(long, value_name = "FILE")]
    pub previous: Option<PathBuf>,
    /// The instant of the run
    #[arg(long, value_name = "RFC3339")]
    pub now: Option<String>,
    /// With what the scans on the record saw: the organisation's list and the policies that trust other accounts
    #[arg(long)]
    pub with_scan: bool,
    /// Keep the estate on the record, with the mappings and settings given, which later runs then use
    #[arg(long)]
    pub save: bool,
}

/// What a file is not when it should map columns.
pub const MAPPING: &str = "no column mapping like {\"columns\":{\"native_id\":\"Konto\"}}";

fn pairs(given: &[String], flag: &str) -> Result<Vec<(SourceKind, PathBuf)>, Failure> {
    given
        .iter()
        .map(|pair| {
            let (kind, file) =
                pair.split_once('=').ok_or_else(|| Failure::usage(format!("{flag} `{pair}`: say KIND=FILE")))?;
            let kind = kind.parse().map_err(|e| Failure::usage(format!("{flag} `{pair}`: {e}")))?;
            Ok((kind, PathBuf::from(file)))
        })
        .collect()
}

/// Each file of the sources: a folder stands for what lies in it at any depth, by name, as logs and bills are delivered.
/// Digests, manifests and hidden files that are delivered beside them are none.
fn files_of(sources: Vec<(SourceKind, PathBuf)>) -> Result<Vec<(SourceKind, PathBuf)>, Failure> {
    let mut out = Vec::new();
    for (kind, given) in sources {
        if !given.is_dir() {
            out.push((kind, given));
            continue;
        }
        let mut found = Vec::new();
        let mut folders = vec![given.clone()];
        while let Some(folder) = folders.pop() {
            let cannot = |e| Failure::usage(format!("`{}` cannot be read: {e}", folder.display()));
            for entry in std::fs::read_dir(&folder).map_err(cannot)? {
                let entry = entry.map_err(cannot)?;
                let name = entry.file_name().to_string_lossy().to_lowercase();
                let beside = name.starts_with('.') || name == "cloudtrail-digest" || name.ends_with("manifest.json");
                // A link is not followed into a folder: it may lead back.
                match entry.file_type().map_err(cannot)? {
                    _ if beside => {}
                    kind if kind.is_dir() => folders.push(entry.path()),
                    _ if entry.path().is_dir() => {}
                    _ => found.push(entry.path()),
                }
            }
        }
        if found.is_empty() {
            return Err(Failure::usage(format!("there is no file in `{}`", given.display())));
        }
        found.sort();
        out.extend(found.into_iter().map(|file| (kind, file)));
    }
    Ok(out)
}

/// `plumb discover`
pub fn discover(globals: &Globals, args: DiscoverArgs) -> Result<u8, Failure> {
    let now = context::instant(args.now.as_deref())?;
    let path = context::db_path(globals)?;
    let mut record = if args.save {
        Some(context::record(globals)?)
    } else if path.exists() {
        Some(context::record_read_only(globals)?)
    } else {
        None
    };
    // What was saved with an earlier run holds until something else is said.
    let mut mappings: BTreeMap<SourceKind, Mapping> = match &record {
        Some(record) => accounts::mappings(record)?,
        None => BTreeMap::new(),
    };
    let mut given = Vec::new();
    for (kind, file) in pairs(&args.mappings, "--mapping")? {
        let mapping: Mapping = super::json_file(&file, MAPPING)?;
        given.push((kind, mapping.clone()));
        mappings.insert(kind, mapping);
    }
    // The global --config is TOML; a JSON one can only be meant for this.
    let json_config = globals.config.as_ref().filter(|c| c.extension().is_some_and(|e| e == "json"));
    let said: Option<Config> = match args.settings.as_ref().or(json_config) {
        Some(file) => Some(super::json_file(file, "no settings of the reconciliation")?),
        None => None,
    };
    let config = match (&said, &record) {
        (Some(said), _) => said.clone(),
        (None, Some(record)) => accounts::settings(record)?,
        (None, None) => Config::default(),
    };
    let kept = record.as_ref().map(accounts::kept_estate).transpose()?.flatten();
    let version = kept.as_ref().map_or(0, |(version, _)| *version);
    let previous = match &args.previous {
        Some(file) => Some(Estate::from_json(&read_text(file)?).map_err(|e| {
            let why = std::error::Error::source(&e).map(|s| format!(": {s}")).unwrap_or_default();
            let right = "`plumb discover --format json` writes one";
            Failure::usage(format!("`{}`: {e}{why}; {right}", file.display()))
        })?),
        None => kept.map(|(_, estate)| estate),
    };
    let mut readings = Vec::new();
    for (kind, file) in files_of(pairs(&args.sources, "--source")?)? {
        let mut mapping = mappings.get(&kind).cloned().unwrap_or_default();
        if mapping.label.is_empty() {
            mapping.label = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        }
        let reading = read(kind, &mut BufReader::with_capacity(1 << 18, open(&file)?), &mapping);
        for problem in reading.problems.iter().take(5) {
            let at = if problem.line > 0 { format!(" line {}", problem.line) } else { String::new() };
            let times = if problem.count > 1 { format!(" (×{})", problem.count) } else { String::new() };
            out::note(globals, format!("plumb: `{}`{at}: {}{times}", file.display(), problem.message));
        }
        readings.push(reading);
    }
    if args.with_scan {
        match &record {
            Some(record) => readings.extend(accounts::seen_by_scans(record, None)?),
            None => return Err(Failure::usage("there is no record to take scans from")),
        }
    }
    if !readings.is_empty() && readings.iter().all(|r| !r.complete && r.sightings.is_empty()) {
        return Err(Failure::usage("none of the sources could be read; nothing was reconciled and nothing kept"));
    }
    let complete = readings.iter().all(|r| r.complete);
    let estate = reconcile_from(&readings, previous, &config, now);
    if let (true, Some(record)) = (args.save, &mut record) {
        accounts::keep_estate(record, version, &estate)?;
        for (kind, mapping) in &given {
            accounts::keep_mapping(record, *kind, mapping)?;
        }
        if let Some(said) = &said {
            accounts::keep_settings(record, said)?;
        }
    }
    match out::format(globals) {
        Format::Json => out::line(estate.to_json()),
        Format::Jsonl => accounts_jsonl(&estate).for_each(out::line),
        Format::Csv => out::line(accounts_csv(&estate).trim_end()),
        Format::Text => summary(&estate),
    }
    Ok(if complete { 0 } else { 3 })
}

/// Days for which what came onto the list counts as new.
const NEW_DAYS: i64 = 30;
/// Lines of news.
const MOST_NEWS: usize = 10;

/// What runs of the last weeks found that none before had.
#[derive(Debug, Default, serde::Serialize)]
pub struct News {
    /// Accounts, with when they came.
    pub accounts: Vec<String>,
    /// Who was seen to sign in where for the first time, with when.
    pub federated: Vec<String>,
}

/// What came onto the list in the last weeks, the latest first.
pub fn news(estate: &Estate) -> News {
    let mut out = News::default();
    for run in estate.runs.iter().rev().filter(|r| estate.as_of.days_since(r.at) <= NEW_DAYS) {
        let day = run.at.date();
        out.accounts.extend(run.new_accounts.iter().map(|a| format!("{a} on {day}")));
        out.federated.extend(run.newly_federated.iter().map(|f| format!("{f} on {day}")));
    }
    out
}

/// Prints an estate for people: numbers, shadow accounts, gaps, contradictions.
pub fn summary(estate: &Estate) {
    let m = &estate.metrics;
    let states: Vec<String> = m.by_state.iter().map(|(state, n)| format!("{n} {state}")).collect();
    out::line(format!("{:<14}{} ({})", "accounts", m.accounts, states.join(", ")));
    let known: Vec<String> = m.known_by.iter().map(|(class, n)| format!("{class} {n}")).collect();
    out::line(format!("{:<14}{}", "known to", known.join(", ")));
    let breadth: Vec<String> = m.breadth.iter().map(|(n, accounts)| format!("{accounts} by {n}")).collect();
    out::line(format!("{:<14}{} of {} sources", "breadth", breadth.join(", "), m.sources_read));
    for stale in estate.freshness.iter().filter(|f| f.stale) {
        out::line(format!("{:<14}{} of {}: {}", "stale", stale.class, stale.provider, stale.words()));
    }
    let hours = |s: Option<i64>| s.map_or_else(|| "-".into(), |s| format!("{} h", s / 3_600));
    let t = &m.time_to_appear;
    out::line(format!(
        "{:<14}p50 {}, p95 {} ({} accounts)",
        "to appear",
        hours(t.p50_seconds),
        hours(t.p95_seconds),
        t.accounts
    ));
    // Accounts older than the record took as long as the record did to come.
    let new = &m.time_to_appear_new;
    let words = match new.accounts {
        0 => "none yet".to_owned(),
        n => format!("p50 {}, p95 {} ({n} accounts)", hours(new.p50_seconds), hours(new.p95_seconds)),
    };
    out::line(format!("{:<14}of accounts made since the first run: {words}", ""));
    let news = news(estate);
    for (what, list) in [("new", &news.accounts), ("first sign-in", &news.federated)] {
        for one in list.iter().take(MOST_NEWS) {
            out::line(format!("{what:<14}{one}"));
        }
        if list.len() > MOST_NEWS {
            out::line(format!("{:<14}and {} more", "", list.len() - MOST_NEWS));
        }
    }
    for s in &estate.shadow {
        out::line(format!("{:<14}{} {}", "shadow", s.account, s.name.as_deref().unwrap_or("")));
        let say = |what: &str, list: &[String]| {
            if !list.is_empty() {
                out::line(format!("{:<14}  {what} {}", "", list.join("; ")));
            }
        };
        say("paid by", &s.who_pays);
        say("signed in to by", &s.who_signs_in);
        say("reached by", &s.roles);
    }
    for gap in &estate.gaps {
        let open: Vec<_> = gap.accounts.iter().filter(|a| !gap.explained.contains(a)).collect();
        if open.is_empty() {
            continue;
        }
        let names: Vec<String> = open.iter().take(5).map(ToString::to_string).collect();
        let more = open.len().saturating_sub(5);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        out::line(format!("{:<14}in {}, not in {}: {}{more}", "gap", gap.known_to, gap.missing_in, names.join(", ")));
    }
    let still = |r: &&plumb_discover::GapReason| {
        estate.accounts.get(&r.account).is_some_and(|a| a.gaps.contains(&r.missing_in))
    };
    for r in estate.gap_reasons.iter().filter(still) {
        out::line(format!("{:<14}{} is not in {}: {} ({})", "explained", r.account, r.missing_in, r.reason, r.by));
    }
    for c in &estate.contradictions {
        let about = c.account.as_ref().map_or_else(String::new, |a| format!("{a}: "));
        out::line(format!("{:<14}{} {about}{}", "contradiction", c.kind, c.detail));
    }
}
