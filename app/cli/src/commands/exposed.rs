//! `plumb exposed`, `plumb paths`.

use crate::{
    args::{Drawing, ExposedArgs, Format, Globals, PathsArgs},
    context, out,
    out::Failure,
};
use plumb_assess::{
    exposure::{Class, Exposure, Step},
    paths::{self, Report},
};
use std::{collections::BTreeMap, ffi::OsString};

/// `plumb paths --format svg|dot` is `--draw svg|dot`: drawings are formats of this command alone.
pub fn with_drawings(args: Vec<OsString>) -> Vec<OsString> {
    if !args.iter().skip(1).any(|a| a == "paths") {
        return args;
    }
    let drawing = |text: &str| ["svg", "dot"].contains(&text);
    let mut out: Vec<OsString> = Vec::new();
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy().into_owned();
        let joined = text.strip_prefix("--format=").or_else(|| text.strip_prefix("-F="));
        if let Some(form) = joined.filter(|f| drawing(f)) {
            out.push(format!("--draw={form}").into());
        } else if (text == "--format" || text == "-F") && args.peek().is_some_and(|f| drawing(&f.to_string_lossy())) {
            out.push("--draw".into());
        } else {
            out.push(arg);
        }
    }
    out
}

/// `plumb exposed`
pub fn exposed(globals: &Globals, args: ExposedArgs) -> Result<u8, Failure> {
    let classes: Vec<Class> =
        args.classes.iter().map(|c| c.parse()).collect::<Result<_, String>>().map_err(Failure::usage)?;
    let record = context::record_read_only(globals)?;
    let catalog = context::catalog(globals)?;
    let scan = record.scan(None)?.id;
    let accounts = plumb_run::analysed_accounts(&record, scan, args.account.as_deref())?;
    known(args.account.as_deref(), &accounts)?;
    let mut rows: Vec<Exposure> = Vec::new();
    for account in &accounts {
        rows.extend(plumb_run::exposed(&record, &catalog, scan, account)?);
    }
    match classes.as_slice() {
        [] => rows.retain(|r| r.class != Class::Internal || args.all),
        wanted => rows.retain(|r| wanted.contains(&r.class)),
    }
    if let Some(resource) = &args.resource {
        rows.retain(|r| r.resource == *resource || r.name == *resource);
    }
    rows.sort_by(|a, b| {
        b.class.cmp(&a.class).then_with(|| (&a.account, &a.kind, &a.resource).cmp(&(&b.account, &b.kind, &b.resource)))
    });
    if args.explain && out::format(globals) == Format::Text {
        for row in &rows {
            out::line(format!("{}  {}  {}", row.class.name(), row.kind, row.resource));
            steps(&row.proof);
            for opening in &row.openings {
                out::line(format!("    open      {opening}"));
            }
            if let Some(most) = row.at_most {
                out::line(format!("    at most   {}", most.name()));
            }
            for need in &row.needs {
                out::line(format!("    needs     {need}"));
            }
        }
        return Ok(0);
    }
    let header = ["class", "account", "region", "kind", "name", "how"];
    out::rows(globals, &rows, &header, |r| {
        let openings: Vec<String> = r.openings.iter().map(ToString::to_string).collect();
        let how = match (openings.is_empty(), r.proof.first(), r.needs.first()) {
            (false, ..) => openings.join(", "),
            (_, Some(step), _) => format!("{}: {}", step.field, step.says),
            (_, _, Some(need)) => format!("needs {need}"),
            _ => String::new(),
        };
        vec![r.class.name().into(), r.account.clone(), r.region.clone(), r.kind.clone(), r.name.clone(), how]
    })?;
    Ok(0)
}

/// `plumb paths`
pub fn paths(globals: &Globals, args: PathsArgs) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let catalog = context::catalog(globals)?;
    let scan = record.scan(None)?.id;
    let accounts = plumb_run::analysed_accounts(&record, scan, args.account.as_deref())?;
    known(args.account.as_deref(), &accounts)?;
    let mut reports: BTreeMap<String, Report> = BTreeMap::new();
    for account in accounts {
        let report = plumb_run::attack_paths(&record, &catalog, scan, &account)?;
        reports.insert(account, report);
    }
    for note in reports.values().flat_map(|r| &r.limits) {
        out::note(globals, format!("plumb: {note}"));
    }
    if let Some(drawing) = args.draw {
        let mut all = Report::default();
        for report in reports.into_values() {
            all.families.extend(report.families);
        }
        let text = match drawing {
            Drawing::Dot => paths::dot(&all),
            Drawing::Svg => paths::svg(&all),
        };
        out::line(text.trim_end());
        return Ok(0);
    }
    match out::format(globals) {
        Format::Json => out::line(serde_json::to_string_pretty(&reports)?),
        Format::Text if args.explain => {
            for (account, report) in &reports {
                for family in &report.families {
                    out::line(format!("{}  {}  {}", family.severity, account, family.title));
                    for (i, edge) in family.steps.iter().enumerate() {
                        let place = if family.accounts.is_empty() {
                            String::new()
                        } else if edge.crosses() {
                            format!("  from account {} into {}", edge.from_account, edge.to_account)
                        } else {
                            format!("  in account {}", edge.to_account)
                        };
                        out::line(format!("  {}. {} → {}  {}{place}", i + 1, edge.from, edge.to, edge.kind));
                        steps(&edge.because);
                        for open in &edge.depends_on {
                            out::line(format!("    depends   {open}"));
                        }
                    }
                    for (account, at) in &family.earlier {
                        out::line(format!("    account {account} as it was read at {at}"));
                    }
                    if family.paths.len() > 1 {
                        out::line(format!("    and {} more like it", family.paths.len() - 1));
                    }
                }
                report.cuts.iter().take(5).for_each(cut);
            }
        }
        _ => {
            let (mut rows, mut cuts) = (Vec::new(), Vec::new());
            for report in reports.into_values() {
                rows.extend(report.families);
                cuts.extend(report.cuts.into_iter().take(2));
            }
            out::rows(globals, &rows, &["severity", "account", "certain", "paths", "what"], |f| {
                let certain = if f.certain { "yes" } else { "no" };
                vec![f.severity.into(), f.account.clone(), certain.into(), f.paths.len().to_string(), f.title.clone()]
            })?;
            if out::format(globals) == Format::Text {
                cuts.iter().for_each(cut);
            }
        }
    }
    Ok(0)
}

/// An edge worth cutting, in a sentence.
fn cut(cut: &paths::Cut) {
    let what = format!("{} → {} ({})", cut.from, cut.to, cut.kind);
    out::line(format!("  remove this one edge and {} of {} paths die: {what}", cut.kills, cut.of));
    if let Some(step) = cut.because.last() {
        out::line(format!("    {} {}: {}", step.resource, step.field, step.says));
    }
}

fn known(asked: Option<&str>, found: &[String]) -> Result<(), Failure> {
    match asked {
        Some(account) if found.is_empty() => Err(Failure::usage(format!(
            "the last scan read no AWS account `{account}`; `plumb accounts` lists those on the record"
        ))),
        _ => Ok(()),
    }
}

fn steps(steps: &[Step]) {
    for step in steps {
        out::line(format!("    {} {}: {}", step.resource, step.field, step.says));
    }
}
