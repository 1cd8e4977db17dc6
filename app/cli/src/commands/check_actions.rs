//! What `plumb check` does with findings beside printing them: fixing, commenting, recording skips.

use crate::{
    args::{Format, ReviewHost},
    commands::{
        audit,
        check::{Job, Shown},
        check_formats as formats,
        scan::runtime,
    },
    context, out,
    out::Failure,
};
use plumb_model::Outcome;
use plumb_run::{
    CodeChecked, CodeVerdict, FixInput, Fixes, Host, Patch, Posted, Review, Twin, fixes, govern, twins, unified,
};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
};

/// Works out the changes; writes them with `--fix`, shows them with `--diff`. Gives whether what stands in the code now fails the run:
/// what was written does not.
pub fn fix(job: &Job<'_>) -> Result<bool, Failure> {
    let Some(root) = &job.source.root else {
        return Err(Failure::usage("--fix and --diff need files; what comes through a pipe has none"));
    };
    let found =
        fixes(&input(job, ALL_JUDGEMENTS), job.source.files.as_ref(), &|v| job.is_new(v)).map_err(Failure::usage)?;
    if job.args.fix {
        for (path, change) in &found.files {
            write_whole(&root.join(path), &change.after)?;
        }
    }
    report(job, &found)?;
    let fixed = found.fixed.iter().map(|(v, _)| v).filter(|_| !job.args.fix);
    let new = found.new.iter().filter(|v| job.args.fix && v.skipped.is_none());
    let mut open = fixed.chain(found.left.iter().map(|(v, _)| v)).chain(new);
    Ok(open.any(|v| v.severity >= job.threshold))
}

/// More than any change that helps takes.
const ALL_JUDGEMENTS: usize = 400;
/// How many resources may be judged once more for the patches that are shown with findings: about as long as reading them took.
const PATCH_WORK: usize = 2_000;
/// For how many findings, worst first.
const PATCHED: usize = 100;

fn input<'a>(job: &'a Job<'_>, judgements: usize) -> FixInput<'a> {
    FixInput {
        catalog: job.catalog,
        rules: job.rules,
        target: &job.source.target,
        is_file: job.source.is_file,
        options: &job.source.options,
        now: job.now,
        skips: !job.args.ignore_inline,
        judgements,
    }
}

/// By fingerprint, the lines that make a finding pass, proven by judging the changed code.
pub type Patches = BTreeMap<String, Vec<Patch>>;

/// Works out the patches of what is to be shown. None for code so large that proving them would take longer than reading it.
pub fn patches(job: &Job<'_>, checked: &CodeChecked) -> Patches {
    let judgements = PATCH_WORK / checked.resources.max(1);
    if job.args.no_patches || job.source.root.is_none() || judgements < 4 {
        return Patches::new();
    }
    let mut worst: Vec<&CodeVerdict> = checked.verdicts.iter().filter(|v| v.verdict.outcome == Outcome::Fail).collect();
    worst.sort_by_key(|v| (std::cmp::Reverse(v.severity), &v.at.place.file, v.at.place.line));
    let chosen: BTreeSet<String> = worst.into_iter().take(PATCHED).map(|v| v.fingerprint().hex()).collect();
    let wanted = |v: &CodeVerdict| chosen.contains(&v.fingerprint().hex());
    // What cannot be proven is not shown; why is what --diff tells.
    let found = fixes(&input(job, judgements), job.source.files.as_ref(), &wanted).unwrap_or_default();
    found.fixed.into_iter().map(|(v, setting)| (v.fingerprint().hex(), setting.patches)).collect()
}

/// Writes beside the file and moves it there, so that a file is either the old or the new one.
fn write_whole(path: &std::path::Path, text: &str) -> Result<(), Failure> {
    let wrong = |e: std::io::Error| Failure::new(format!("cannot write `{}`: {e}", path.display()));
    let about = std::fs::metadata(path).map_err(wrong)?;
    if about.permissions().readonly() {
        return Err(Failure::new(format!("cannot write `{}`: it is read-only", path.display())));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.plumb-{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(about.permissions())?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|e| {
        let _ = std::fs::remove_file(&beside);
        wrong(e)
    })
}

fn report(job: &Job<'_>, found: &Fixes) -> Result<(), Failure> {
    let (args, source) = (job.args, job.source);
    let place = |v: &CodeVerdict| format!("{}:{}", source.printed_path(&v.at.place.file), v.at.place.line);
    let word = if args.fix { "fixed" } else { "would be fixed" };
    if args.diff && out::format(job.globals) != Format::Text && job.globals.format.is_some() {
        let row = |v: &CodeVerdict, fixed: bool, what: Json| {
            json!({
                "rule": v.verdict.rule, "address": v.verdict.resource, "file": source.relative(&v.at.place.file),
                "line": v.at.place.line, "severity": v.severity, "finding": v.fingerprint().short(), "fixed": fixed, "what": what,
            })
        };
        let mut rows: Vec<Json> = found.fixed.iter().map(|(v, what)| row(v, true, json!(what.what))).collect();
        rows.extend(found.left.iter().map(|(v, why)| row(v, false, json!(why))));
        let files = found.files.iter().map(|(p, c)| json!({ "file": source.relative(p), "diff": unified(p, c) }));
        let whole = json!({
            "written": args.fix, "findings": rows, "files": files.collect::<Vec<_>>(),
            "new": found.new.iter().map(|v| json!({ "rule": v.verdict.rule, "address": v.verdict.resource })).collect::<Vec<_>>(),
        });
        out::line(serde_json::to_string_pretty(&whole)?);
        return Ok(());
    }
    if args.diff {
        for (path, change) in &found.files {
            let _ = write!(std::io::stdout().lock(), "{}", unified(path, change));
        }
    }
    for (v, what) in &found.fixed {
        let message = format!("{}: {word}: {} [{}]", place(v), what.what.join(", "), v.verdict.rule);
        out::note(job.globals, message);
    }
    for (v, why) in &found.left {
        out::note(job.globals, format!("{}: not fixed: {} [{}]: {why}", place(v), v.verdict.resource, v.verdict.rule));
    }
    for v in &found.new {
        let message = format!("{}: now also fails: {} [{}]", place(v), v.verdict.resource, v.verdict.rule);
        out::note(job.globals, message);
    }
    let summary = format!(
        "{} findings {word} in {} files, {} left to you",
        found.fixed.len(),
        found.files.len(),
        found.left.len()
    );
    out::note(job.globals, summary);
    Ok(())
}

/// By fingerprint, the findings of the record that are the same thing, deployed.
pub type Twins = BTreeMap<String, Vec<Twin>>;

/// Looks the failing verdicts up on the record.
pub fn live(job: &Job<'_>, checked: &CodeChecked) -> Result<Twins, Failure> {
    if !job.args.live {
        return Ok(Twins::new());
    }
    let rows = context::record_read_only(job.globals)?.findings(&plumb_record::Query::default())?;
    Ok(twins(&rows, &checked.verdicts))
}

/// Posts or updates the comment.
pub fn comment(
    job: &Job<'_>,
    host: ReviewHost,
    checked: &CodeChecked,
    twins: &Twins,
    patches: &Patches,
) -> Result<(), Failure> {
    let host = match host {
        ReviewHost::Github => Host::Github,
        ReviewHost::Gitlab => Host::Gitlab,
    };
    let variable = |name: &str| std::env::var(name).ok();
    let review = Review::find(host, &variable, &|path| std::fs::read_to_string(path).ok())
        .map_err(|e| Failure::usage(e.to_string()))?;
    let mut rows: Vec<&CodeVerdict> = checked.verdicts.iter().filter(|v| v.verdict.outcome == Outcome::Fail).collect();
    rows.sort_by(|a, b| {
        let place = |v: &CodeVerdict| (v.at.place.file.clone(), v.at.place.line);
        (std::cmp::Reverse(a.severity), place(a), &a.verdict.rule).cmp(&(
            std::cmp::Reverse(b.severity),
            place(b),
            &b.verdict.rule,
        ))
    });
    let shown = Shown { catalog: job.catalog, source: job.source, rows, checked, twins, patches };
    let markdown = formats::markdown(&shown);
    let part = if job.source.target.is_empty() { "." } else { &job.source.target };
    let posted = runtime()?.block_on(review.comment(part, &markdown))?;
    let said = match posted {
        Posted::Created => "commented on the request",
        Posted::Updated => "updated the comment on the request",
        Posted::Unchanged => "the comment on the request says this already",
    };
    out::note(job.globals, said);
    Ok(())
}

/// What a check's places are kept under: the folder it read, by its name, and what of it.
fn label(source: &super::code::Source) -> String {
    let name = source.root.as_deref().and_then(std::path::Path::file_name).map(|n| n.to_string_lossy().into_owned());
    let parts = [name.unwrap_or_default(), source.target.clone()];
    let said: Vec<&str> = parts.iter().map(String::as_str).filter(|p| !p.is_empty()).collect();
    if said.is_empty() { "code".into() } else { said.join("/") }
}

/// Puts applied skips on the record, and where what fails is declared.
pub fn record(job: &Job<'_>, checked: &CodeChecked) -> Result<(), Failure> {
    if job.args.ignore_inline {
        return Err(Failure::usage("--record keeps the skips that --ignore-inline does not apply; choose one"));
    }
    let mut record = context::record(job.globals)?;
    let session = govern::Session::system("check", audit::key_if_any(job.globals), context::now());
    let relative = |file: &str| job.source.relative(file).into_owned();
    let made = govern::keep_skips(&mut record, &session, &checked.verdicts, relative)?;
    let places = govern::keep_places(&mut record, &label(job.source), &checked.verdicts, relative, job.now)?;
    let skipped = checked.verdicts.iter().filter(|v| v.skipped.is_some());
    let rules: BTreeSet<&str> = skipped.map(|v| v.verdict.rule.as_str()).collect();
    let message = format!(
        "{} new exception requests on the record for skips of {} rules; complete one with: plumb exceptions request --draft ID …; {places} places of findings kept for tickets",
        made.len(),
        rules.len()
    );
    out::note(job.globals, message);
    Ok(())
}
