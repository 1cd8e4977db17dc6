//! Findings in code for people: the source lines, why, and what to change.

use crate::{
    args::CheckArgs,
    commands::check::{Shown, fix_hint, reason},
};
use plumb_iac::Place;
use plumb_model::Outcome;
use plumb_run::is_partial;
use std::io::Write;

/// Prints what was found, worst first, and a summary.
pub fn print(shown: &Shown<'_>, args: &CheckArgs, out: &mut dyn Write) -> std::io::Result<()> {
    for v in &shown.rows {
        let title = shown.catalog.rules.get(&v.verdict.rule).map_or("", |r| r.title.as_str());
        let file = shown.source.printed_path(&v.at.place.file);
        let what = match v.verdict.outcome {
            Outcome::Fail if v.skipped.is_some() => "skipped".to_owned(),
            Outcome::Fail => v.severity.to_string(),
            other => other.name().replace('_', " "),
        };
        let part = if v.verdict.sub_key.is_empty() { String::new() } else { format!(" ({})", v.verdict.sub_key) };
        if args.compact {
            writeln!(
                out,
                "{file}:{}: {what}: {}{part}: {title} [{}]",
                v.at.place.line, v.verdict.resource, v.verdict.rule
            )?;
            continue;
        }
        writeln!(out, "{what}: {title} [{}]", v.verdict.rule)?;
        let frame =
            if matches!(v.verdict.outcome, Outcome::Fail | Outcome::Unknown) { v.frame() } else { String::new() };
        let mut frame = frame.lines();
        match frame.next().and_then(|arrow| arrow.trim().strip_prefix("--> ")).and_then(|at| at.split_once(':')) {
            Some((path, at)) => writeln!(out, "  --> {}:{at}", shown.source.printed_path(path))?,
            None => writeln!(out, "  --> {file}:{}", v.at.place.line)?,
        }
        for line in frame {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "      = {}{part}", v.verdict.resource)?;
        for (address, at) in v.at.calls() {
            writeln!(out, "      = called as {address} at {}:{}", shown.source.printed_path(&at.file), at.line)?;
        }
        let why = reason(v);
        if !why.is_empty() {
            writeln!(out, "      = why: {why}")?;
        }
        for need in &v.verdict.needs {
            writeln!(out, "      = {}", need.describe())?;
        }
        for twin in shown.twins.get(&v.fingerprint().hex()).into_iter().flatten() {
            writeln!(out, "      = deployed: {} in {} {} ({})", twin.finding, twin.account, twin.region, twin.state)?;
        }
        if let Some(skip) = &v.skipped {
            writeln!(
                out,
                "      = skipped: {} ({}:{})",
                skip.reason,
                shown.source.printed_path(&skip.place.file),
                skip.place.line
            )?;
        }
        if v.verdict.outcome == Outcome::Fail && v.skipped.is_none() {
            let proven = shown.patches.get(&v.fingerprint().hex()).filter(|p| !p.is_empty());
            let fix = if proven.is_some() { String::new() } else { fix_hint(shown, v) };
            for patch in proven.into_iter().flatten() {
                writeln!(out, "      = patch, judged to pass ({}):", shown.source.printed_path(&patch.file))?;
                for line in patch.lines.lines() {
                    writeln!(out, "          {line}")?;
                }
            }
            if !fix.is_empty() {
                writeln!(out, "      = fix:")?;
                for line in fix.lines() {
                    writeln!(out, "          {line}")?;
                }
            }
        }
        writeln!(out)?;
    }
    for problem in &shown.checked.problems {
        let word = if is_partial(problem) { "not read" } else { "note" };
        // The frame's own first line has the path from the root of the repository.
        if let Some((_, frame)) = problem.frame.split_once('\n').filter(|_| !args.compact && is_partial(problem)) {
            let Place { file, line, column, .. } = &problem.place;
            writeln!(out, "{word}: {}", problem.message)?;
            writeln!(out, "  --> {}:{line}:{column}\n{frame}", shown.source.printed_path(file))?;
            continue;
        }
        writeln!(
            out,
            "{word}: {}:{}: {}",
            shown.source.printed_path(&problem.place.file),
            problem.place.line,
            problem.message
        )?;
    }
    let count = |o: Outcome| {
        let kept = shown.checked.verdicts.iter().filter(|v| v.verdict.outcome == o && v.skipped.is_none()).count();
        kept + shown.checked.passed_over.get(&o).copied().unwrap_or_default()
    };
    let skipped = shown.checked.verdicts.iter().filter(|v| v.skipped.is_some()).count();
    let uncovered: usize = shown.checked.uncovered.values().sum();
    writeln!(
        out,
        "{} resources: {} failed, {} passed, {} not known, {skipped} skipped; {uncovered} resources of {} types no rule speaks about{}",
        shown.checked.resources,
        count(Outcome::Fail),
        count(Outcome::Pass),
        count(Outcome::Unknown),
        shown.checked.uncovered.len(),
        if shown.checked.partial() { "; not everything could be read" } else { "" },
    )
}
