//! `plumb drift`: what changed, compared with what, by whom.

use super::{code::Source, identity::read_text};
use crate::{
    args::{CodeInput, Format, Globals},
    context, out,
    out::Failure,
};
use clap::{Args, ValueEnum};
use plumb_discover::Tier;
use plumb_drift::{Announcement, Drift, Report, What};
use plumb_model::Time;
use plumb_record::{Record, ScanId};
use plumb_run::{
    accounts,
    drift::{self, ChangedBy, Compared, Event, Narrow, Since},
    is_partial,
};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, path::PathBuf};

/// `plumb drift`
#[derive(Debug, Args)]
pub struct DriftArgs {
    /// Compare the last scan with what; --code says `code` by itself
    #[arg(long, value_enum, value_name = "WHAT")]
    pub against: Option<Other>,
    /// The code that declares it: a folder, a plan, or a state (`terraform show -json`)
    #[arg(long, value_name = "PATH")]
    pub code: Option<String>,
    /// A Terraform variable
    #[arg(long = "var", value_name = "NAME=VALUE", requires = "code")]
    pub vars: Vec<String>,
    /// A file of Terraform variables
    #[arg(long = "var-file", value_name = "FILE", requires = "code")]
    pub var_files: Vec<String>,
    /// Also what no code declares, of the kinds the code declares
    #[arg(long, requires = "code")]
    pub undeclared: bool,
    /// Keep the drift from code on the record, so that scores count it
    #[arg(long, requires = "code")]
    pub save: bool,
    /// The earlier scan: its number, a date or instant, or `review` for each account's last review
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// The later scan; default the last
    #[arg(long, value_name = "N")]
    pub scan: Option<i64>,
    /// Only these accounts
    #[arg(long = "account", value_name = "ID", num_args = 1.., value_delimiter = ',')]
    pub accounts: Vec<String>,
    /// Only accounts of these tiers: tier1, production, staging, sandbox, experimental, unknown
    #[arg(long = "tier", value_name = "TIER", num_args = 1.., value_delimiter = ',')]
    pub tiers: Vec<Tier>,
    /// Only these kinds
    #[arg(long = "kind", value_name = "KIND", num_args = 1.., value_delimiter = ',')]
    pub kinds: Vec<String>,
    /// Changes somebody announced (one JSON object a line: reference, at, resources)
    #[arg(long, value_name = "FILE")]
    pub announced: Option<PathBuf>,
    /// CloudTrail events that tell who changed what (records, LookupEvents, or one event a line)
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Only what nobody announced
    #[arg(long)]
    pub unannounced: bool,
    /// Exit 1 when anything drifted
    #[arg(long)]
    pub fail: bool,
}

/// What the last scan is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Other {
    /// The scan before
    Previous,
    /// The approved values of the baseline in force
    Baseline,
    /// The code that declares it
    Code,
}

fn narrow(record: &Record, args: &DriftArgs) -> Result<Narrow, Failure> {
    let mut out =
        Narrow { accounts: args.accounts.iter().cloned().collect(), kinds: args.kinds.iter().cloned().collect() };
    if args.tiers.is_empty() {
        return Ok(out);
    }
    let estate = accounts::current_estate(record, None)?;
    let of_tier = estate.accounts.values().filter(|a| args.tiers.contains(&a.tier()));
    let ids: Vec<String> = of_tier.map(|a| a.native_id.clone()).collect();
    if ids.is_empty() {
        let tiers: Vec<&str> = args.tiers.iter().map(|t| t.name()).collect();
        return Err(Failure::usage(format!("no account has tier {}; see `plumb accounts`", tiers.join(" or "))));
    }
    out.accounts = if out.accounts.is_empty() {
        ids.into_iter().collect()
    } else {
        ids.into_iter().filter(|i| out.accounts.contains(i)).collect()
    };
    Ok(out)
}

fn since(record: &Record, text: Option<&str>) -> Result<Since, Failure> {
    let Some(text) = text else { return Ok(Since::Previous) };
    if text == "review" {
        let estate = accounts::current_estate(record, None)?;
        let reviewed = estate.accounts.values().filter_map(|a| Some((a.native_id.clone(), a.facts.last_reviewed_at?)));
        return Ok(Since::Review(reviewed.collect()));
    }
    if let Ok(scan) = text.parse::<i64>() {
        record.scan(Some(ScanId(scan)))?;
        return Ok(Since::Scan(ScanId(scan)));
    }
    let wrong =
        || Failure::usage(format!("--since `{text}`: a scan's number, a date, an instant or `review` is right"));
    Ok(Since::At(text.parse::<Time>().map_err(|_| wrong())?))
}

fn announcements(file: Option<&PathBuf>) -> Result<Vec<Announcement>, Failure> {
    let Some(file) = file else { return Ok(Vec::new()) };
    let text = read_text(file)?;
    let one = |(n, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| Failure::usage(format!("`{}` line {}: {e}", file.display(), n + 1)))
    };
    text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()).map(one).collect()
}

/// `plumb drift`
pub fn run(globals: &Globals, args: DriftArgs) -> Result<u8, Failure> {
    let against = match (args.against, &args.code) {
        (Some(Other::Code) | None, Some(_)) => Other::Code,
        (Some(Other::Code), None) => return Err(Failure::usage("say where the code is with --code PATH")),
        (Some(_), Some(_)) => return Err(Failure::usage("--code goes with --against code")),
        (Some(what), None) => what,
        (None, None) => Other::Previous,
    };
    if against != Other::Previous {
        let given = [
            ("--since", args.since.is_some()),
            ("--scan", args.scan.is_some()),
            ("--announced", args.announced.is_some()),
            ("--unannounced", args.unannounced),
        ];
        if let Some((flag, _)) = given.iter().find(|(_, given)| *given) {
            return Err(Failure::usage(format!("{flag} goes with --against previous, which compares scans")));
        }
    }
    let mut record = if args.save { context::record(globals)? } else { context::record_read_only(globals)? };
    let catalog = context::catalog(globals)?;
    if let Some(kind) = args.kinds.iter().find(|k| !catalog.kinds.contains_key(k.as_str())) {
        return Err(Failure::usage(format!(
            "there is no kind `{kind}`; they look like aws.s3.bucket, see docs/kinds.md"
        )));
    }
    for account in &args.accounts {
        context::known_account(&record, Some(account))?;
    }
    let narrow = narrow(&record, &args)?;
    let (now, mut partial) = (context::now(), false);
    let mut compared = match against {
        Other::Previous => {
            let announced = announcements(args.announced.as_ref())?;
            let later = args.scan.map(ScanId);
            drift::since(&record, &catalog, &since(&record, args.since.as_deref())?, later, &narrow, &announced)?
        }
        Other::Baseline => {
            let left_out = drift::without_values(&record, &narrow)?;
            Compared { report: drift::from_baseline(&record, &catalog, &narrow, now)?, left_out, ..Compared::default() }
        }
        Other::Code => {
            let input = CodeInput {
                path: args.code.clone().unwrap_or_default(),
                vars: args.vars.clone(),
                var_files: args.var_files.clone(),
            };
            let readings = Source::open(&input)?.read()?;
            for problem in readings.iter().flat_map(|r| &r.problems) {
                partial |= is_partial(problem);
                out::note(globals, problem);
            }
            if readings.iter().all(|r| r.resources.is_empty()) && !partial {
                return Err(Failure::usage(format!("`{}` declares no resource to compare with", input.path)));
            }
            let report = drift::from_code(&record, &catalog, &readings, &narrow, args.undeclared)?;
            if args.save {
                drift::keep_from_code(&mut record, &input.path, &report, now)?;
            }
            Compared { report, ..Compared::default() }
        }
    };
    if args.unannounced {
        compared.report.drifts.retain(|d| d.announced.is_none());
    }
    let events = match &args.events {
        Some(file) => {
            drift::events(&read_text(file)?).map_err(|e| Failure::usage(format!("`{}`: {e}", file.display())))?
        }
        None => Vec::new(),
    };
    print(globals, &record, &compared, &events)?;
    let (report, text) = (&compared.report, out::format(globals) == Format::Text);
    if text {
        out::line(format!(
            "{} drifted places in {} resources compared, {} places where nobody can tell",
            report.drifts.len(),
            report.compared,
            report.undecided.len()
        ));
    }
    for (account, why) in &compared.left_out {
        out::note(globals, format!("plumb: account {account} was not compared: {why}"));
    }
    Ok(match args.fail && !report.drifts.is_empty() {
        true => 1,
        false if partial => 3,
        false => 0,
    })
}

fn print(globals: &Globals, record: &Record, compared: &Compared, events: &[Event]) -> Result<(), Failure> {
    let mut judged: BTreeMap<i64, Time> = BTreeMap::new();
    for scan in drift::scans(record)? {
        judged.insert(scan.id.0, scan.judged_at.parse()?);
    }
    let by = |d: &Drift| -> Option<&ChangedBy> {
        let (from, to) = match compared.scans.get(d.account.as_str()) {
            Some((from, to)) => (judged.get(from).copied()?, judged.get(to).copied()?),
            None => (Time::from_seconds(0), judged.values().next_back().copied()?),
        };
        drift::changed_by(events, d, from, to)
    };
    let Report { drifts, .. } = &compared.report;
    let rows: Vec<Json> = drifts
        .iter()
        .map(|d| {
            let (what, path, before, after) = match &d.what {
                What::Appeared => ("appeared", "", Json::Null, Json::Null),
                What::Gone => ("gone", "", Json::Null, Json::Null),
                What::Changed(c) => ("changed", c.path.as_str(), c.before.to_plain_json(), c.after.to_plain_json()),
            };
            let scans = compared.scans.get(d.account.as_str()).map(|(a, b)| json!([a, b]));
            json!({
                "against": drift::against(d), "signal": d.signal_level(), "account": d.account, "region": d.region, "kind": d.kind,
                "resource": d.resource, "name": d.name, "what": what, "path": path, "before": before, "after": after,
                "declared_at": d.source.to_string(), "announced": d.announced, "scans": scans, "changed_by": by(d),
            })
        })
        .collect();
    let cell = |v: &Json, name: &str| v.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let said = |v: &Json, name: &str| v.get(name).filter(|x| !x.is_null()).map(ToString::to_string).unwrap_or_default();
    let header = ["account", "kind", "resource", "what", "path", "before", "after", "by"];
    out::rows(globals, &rows, &header, |v| {
        let [before, after] = apart(&said(v, "before"), &said(v, "after"));
        let by = v.get("changed_by").filter(|b| !b.is_null());
        let by = by.map(|b| format!("{} {} {}", cell(b, "who"), cell(b, "call"), cell(b, "at")));
        let by = by.or_else(|| v.get("announced")?.as_str().map(|a| format!("announced in {a}")));
        vec![
            cell(v, "account"),
            cell(v, "kind"),
            super::scan::short(&cell(v, "name"), 32),
            cell(v, "what"),
            cell(v, "path"),
            before,
            after,
            by.unwrap_or_default(),
        ]
    })
}

/// Two values short enough for a table; long ones that would look alike from where they differ.
fn apart(before: &str, after: &str) -> [String; 2] {
    const WIDTH: usize = 36;
    const LEAD: usize = 8;
    let cells = [before, after].map(|t| super::scan::short(t, WIDTH));
    if before == after || cells.first() != cells.last() {
        return cells;
    }
    let same = before.chars().zip(after.chars()).take_while(|(a, b)| a == b).count();
    [before, after].map(|t| {
        let rest: String = t.chars().skip(same.saturating_sub(LEAD)).collect();
        let cut: String = rest.chars().take(WIDTH - 2).collect();
        format!("…{cut}{}", if cut.len() < rest.len() { "…" } else { "" })
    })
}

#[cfg(test)]
mod tests {
    use super::apart;

    #[test]
    fn values_that_differ_look_different() {
        assert_eq!(apart("true", "false"), ["true", "false"]);
        let list = |inner: &str| format!("[{}\"x-{inner}\"{}]", "\"first\",".repeat(9), ",\"last\"".repeat(9));
        let [before, after] = apart(&list("old"), &list("new"));
        assert!(before.contains("x-old") && after.contains("x-new"), "{before} {after}");
        assert!(before.chars().count() <= 36 && after.chars().count() <= 36);
    }
}
