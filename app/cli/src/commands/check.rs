//! `plumb check`: the rules, before anything is deployed.

use crate::{
    args::{CheckArgs, CheckForm, Format, Globals},
    commands::{
        check_actions as actions, check_formats as formats,
        check_rows::{Rows, Written, all_rows},
        check_text as text,
        code::Source,
    },
    context, out,
    out::Failure,
};
use plumb_catalog::{Catalog, Dialect, Expect};
use plumb_evaluate::{Explain, RuleSet};
use plumb_iac::{Reading, map::kinds};
use plumb_model::{FindingKey, Outcome, Severity, Time};
use plumb_run::{CodeChecked, CodeVerdict, GitFiles, Keep, check, is_partial, read_code};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeSet, HashMap},
    ffi::OsString,
    io::Write,
    sync::Arc,
};

/// `plumb check` knows more formats than other commands: `--format sarif` becomes `--as sarif`.
pub fn with_own_formats(args: Vec<OsString>) -> Vec<OsString> {
    if !args.iter().skip(1).any(|a| a == "check") {
        return args;
    }
    let own = |text: &str| ["sarif", "junit", "github", "gitlab", "markdown"].contains(&text);
    let mut out: Vec<OsString> = Vec::new();
    let mut form = None;
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy();
        let joined =
            text.strip_prefix("--format=").or_else(|| text.strip_prefix("-F=")).filter(|f| own(f)).map(str::to_owned);
        if let Some(found) = joined {
            form = Some(found);
        } else if (text == "--format" || text == "-F") && args.peek().is_some_and(|f| own(&f.to_string_lossy())) {
            form = args.next().map(|f| f.to_string_lossy().into_owned());
        } else {
            out.push(arg);
        }
    }
    out.extend(form.map(|f| OsString::from(format!("--as={f}"))));
    out
}

/// What the formats need to print a finding.
pub struct Shown<'a> {
    /// The catalog.
    pub catalog: &'a Catalog,
    /// Where the code is.
    pub source: &'a Source,
    /// What to print, worst first.
    pub rows: Vec<&'a CodeVerdict>,
    /// Everything that came out.
    pub checked: &'a CodeChecked,
    /// The same findings on the record.
    pub twins: &'a actions::Twins,
    /// Lines that make findings pass.
    pub patches: &'a actions::Patches,
}

/// `plumb check`
pub fn run(globals: &Globals, mut args: CheckArgs) -> Result<u8, Failure> {
    configured(globals, &mut args)?;
    let threshold: Severity = args.fail_on.as_deref().unwrap_or("low").parse().map_err(Failure::usage)?;
    let now = context::instant(args.now.as_deref())?;
    let source = Source::open(&args.input)?;
    let catalog = context::catalog(globals)?;
    let mut readings = source.read()?;
    let rules = context::rules_of(globals, &catalog, &args.rules, &kinds(&catalog, &readings))?;
    let mut known: BTreeSet<String> = BTreeSet::new();
    if let Some(path) = &args.baseline {
        known.extend(read_baseline(path)?);
    }
    if let Some(reference) = &args.new_since {
        known.extend(findings_of(globals, reference, &catalog, &rules, &source, now, !args.ignore_inline)?);
    }
    let job = Job { globals, args: &args, catalog: &catalog, rules: &rules, source: &source, now, threshold, known };
    if args.fix || args.diff {
        let open = actions::fix(&job)?;
        if args.diff {
            let partial = readings.iter().flat_map(|r| &r.problems).any(is_partial);
            return Ok(if open { 1 } else { u8::from(partial) * 3 });
        }
        readings = source.read()?;
    }
    let explain = if args.all { Explain::Everything } else { Explain::NotPass };
    // What passes is told by its number, unless somebody wants to see it or it goes on the record.
    let keep = if args.all || args.record || args.live { Keep::All } else { Keep::Failing };
    let mut checked = judge(&catalog, &rules, readings, now, explain, keep, !args.ignore_inline);
    if args.record {
        actions::record(&job, &checked)?;
    }
    checked.verdicts.retain(|v| v.verdict.outcome != Outcome::Fail || job.is_new(v));
    let open = |v: &&CodeVerdict| v.verdict.outcome == Outcome::Fail && v.skipped.is_none();
    if let Some(path) = &args.create_baseline {
        let keys: BTreeSet<String> = checked.verdicts.iter().filter(open).map(|v| v.fingerprint().hex()).collect();
        let text = serde_json::to_string_pretty(&json!({ "plumb_baseline": 1, "findings": keys }))?;
        std::fs::write(path, text + "\n")
            .map_err(|e| Failure::usage(format!("cannot write `{}`: {e}", path.display())))?;
        out::note(globals, format!("{} findings written to {}", keys.len(), path.display()));
        tell_problems(globals, &source, &checked);
        return Ok(if checked.partial() { 3 } else { 0 });
    }
    let failing = checked.verdicts.iter().filter(open).any(|v| v.severity >= threshold);
    let twins = actions::live(&job, &checked)?;
    let partial = checked.partial();
    let code = if failing { 1 } else { u8::from(partial) * 3 };
    out::ends_with(code);
    let read = args.form.is_none() && out::format(globals) == Format::Text && !args.compact;
    let commented = args.pr_comment.is_some() || args.form == Some(CheckForm::Markdown);
    let told = (read || commented) && failing_any(&checked);
    let patches = if told { actions::patches(&job, &checked) } else { actions::Patches::new() };
    print(globals, &args, &catalog, &source, &checked, &twins, &patches)?;
    for (place, message) in &checked.idle_skips {
        if !args.ignore_inline {
            out::note(globals, format!("{}:{}: {message}", source.printed_path(&place.file), place.line));
        }
    }
    let commented = match args.pr_comment {
        Some(host) => actions::comment(&job, host, &checked, &twins, &patches),
        None => Ok(()),
    };
    if checked.resources == 0 && checked.problems.is_empty() && checked.uncovered.is_empty() {
        out::note(globals, format!("no resource is declared in `{}`: nothing was judged", args.input.path));
    }
    // The program ends here: giving back a hundred thousand verdicts one by one would be for nothing.
    std::mem::forget(checked);
    match (failing, commented) {
        (true, Err(error)) => {
            out::failure(&error);
            Ok(code)
        }
        (false, Err(error)) => Err(error),
        (_, Ok(())) => Ok(code),
    }
}

fn failing_any(checked: &CodeChecked) -> bool {
    checked.verdicts.iter().any(|v| v.verdict.outcome == Outcome::Fail && v.skipped.is_none())
}

/// What a run works on.
pub struct Job<'a> {
    /// The flags every command has.
    pub globals: &'a Globals,
    /// The flags of this one.
    pub args: &'a CheckArgs,
    /// The catalog.
    pub catalog: &'a Catalog,
    /// The rules to judge by.
    pub rules: &'a RuleSet,
    /// The code.
    pub source: &'a Source,
    /// The instant to judge ages by.
    pub now: Time,
    /// What fails the run: findings of this severity or worse.
    pub threshold: Severity,
    /// Findings that were there before.
    pub known: BTreeSet<String>,
}

impl Job<'_> {
    /// Whether the finding is in no baseline and not in the commit compared with, whatever its resource was called there.
    pub fn is_new(&self, v: &CodeVerdict) -> bool {
        let known = |key: FindingKey| self.known.contains(&key.hex());
        self.known.is_empty() || !(known(v.fingerprint()) || v.former_fingerprints().into_iter().any(known))
    }
}

/// What the settings file says where the command line says nothing.
fn configured(globals: &Globals, args: &mut CheckArgs) -> Result<(), Failure> {
    let settings = context::check_settings(globals)?;
    args.fail_on = args.fail_on.take().or(settings.fail_on);
    args.rules.severity = args.rules.severity.take().or(settings.severity);
    let fill = |given: &mut Vec<String>, own: Vec<String>| {
        if given.is_empty() {
            *given = own;
        }
    };
    fill(&mut args.rules.frameworks, settings.frameworks);
    fill(&mut args.rules.checks, settings.checks);
    fill(&mut args.rules.skip_checks, settings.skip_checks);
    if args.create_baseline.is_none() {
        args.baseline = args.baseline.take().or(settings.baseline.map(Into::into));
    }
    args.compact |= settings.compact;
    Ok(())
}

fn judge(
    catalog: &Catalog,
    rules: &RuleSet,
    readings: Vec<Reading>,
    now: Time,
    explain: Explain,
    keep: Keep,
    skips: bool,
) -> CodeChecked {
    let mut all = CodeChecked::default();
    for reading in readings {
        all.join(check(catalog, rules, &reading, now, explain, keep, skips));
    }
    all
}

fn read_baseline(path: &std::path::Path) -> Result<Vec<String>, Failure> {
    let wrong = |e: &dyn std::fmt::Display| Failure::usage(format!("--baseline `{}`: {e}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| wrong(&e))?;
    let json: Json = serde_json::from_str(&text).map_err(|e| wrong(&e))?;
    // Findings that a file of another make lists under other names would all be new, or worse: some of them.
    match json.get("plumb_baseline").map(|version| version.as_u64()) {
        Some(Some(1)) => {}
        Some(_) => {
            return Err(wrong(&"it is of a version that this program does not know; it writes and reads version 1"));
        }
        None => return Err(wrong(&"it is no file that --create-baseline wrote: `plumb_baseline` is missing")),
    }
    let findings = json.get("findings").and_then(Json::as_array).ok_or_else(|| wrong(&"it has no list `findings`"))?;
    let fingerprint =
        |f: &Json| f.as_str().filter(|f| f.len() == 64 && f.bytes().all(|b| b.is_ascii_hexdigit())).map(str::to_owned);
    let read: Option<Vec<String>> = findings.iter().map(fingerprint).collect();
    read.ok_or_else(|| wrong(&"an entry of `findings` is no fingerprint"))
}

/// Fingerprints of what fails in the commit that `reference` and the working tree share, under the names of now.
fn findings_of(
    globals: &Globals,
    reference: &str,
    catalog: &Catalog,
    rules: &RuleSet,
    source: &Source,
    now: Time,
    skips: bool,
) -> Result<Vec<String>, Failure> {
    let Some(root) = &source.root else { return Err(Failure::usage("--new-since needs a path in a git repository")) };
    let files = GitFiles::open(root, reference).map_err(|e| Failure::usage(format!("--new-since {reference}: {e}")))?;
    if !files.has_shared_base() {
        let message = "no commit is known that it shares with what is checked out: compared with it itself";
        out::note(globals, format!("--new-since {reference}: {message}"));
    }
    // A file or folder that was not there then has no findings to compare with, unless it was called otherwise.
    let then = files.former(&source.target).filter(|_| source.is_file).unwrap_or(&source.target);
    let moved = !source.is_file && !files.has_folder(then);
    let then = if moved { "" } else { then };
    let readings = read_code(&files, then, source.is_file, &source.options).unwrap_or_default();
    let before = judge(catalog, rules, readings, now, Explain::Nothing, Keep::Failing, skips);
    // What was skipped and is no longer is as new as any other finding.
    let failing = before.verdicts.iter().filter(|v| v.verdict.outcome == Outcome::Fail && v.skipped.is_none());
    let mut roots: HashMap<&str, Option<String>> = HashMap::new();
    Ok(failing
        .map(|v| match roots.entry(&v.at.root).or_insert_with(|| files.root_now(&v.at.root)) {
            Some(now) => v.fingerprint_in(now).hex(),
            None => v.fingerprint().hex(),
        })
        .collect())
}

fn print(
    globals: &Globals,
    args: &CheckArgs,
    catalog: &Catalog,
    source: &Source,
    checked: &CodeChecked,
    twins: &actions::Twins,
    patches: &actions::Patches,
) -> Result<(), Failure> {
    let wanted = |v: &&CodeVerdict| args.all || (v.verdict.outcome == Outcome::Fail && v.skipped.is_none());
    let rows: Vec<&CodeVerdict> = checked.verdicts.iter().filter(wanted).collect();
    // Texts are compared once for each place and rule that there is, not for each two rows.
    let places = ranked(&rows, |v| Arc::as_ptr(&v.at).addr(), |v| (&v.at.place.file, v.at.place.line));
    let rules = ranked(&rows, |v| v.verdict.rule.as_str().as_ptr().addr(), |v| &v.verdict.rule);
    let mut ordered: Vec<_> = rows
        .into_iter()
        .zip(places.into_iter().zip(rules))
        .map(|(v, (place, rule))| {
            let worst = u64::from(3 - v.verdict.outcome.urgency()) << 4
                | u64::from(v.skipped.is_some()) << 3
                | (7 - v.severity as u64);
            (worst, (place, rule), v)
        })
        .collect();
    // They come by place and rule as good as sorted, so that the first pass only looks; the second has a few values to tell apart.
    ordered.sort_by(|(_, a, v), (_, b, w)| a.cmp(b).then_with(|| v.verdict.resource.cmp(&w.verdict.resource)));
    ordered.sort_by_key(|(worst, ..)| *worst);
    let rows = ordered.into_iter().map(|(.., v)| v).collect();
    let shown = Shown { catalog, source, rows, checked, twins, patches };
    let format = out::format(globals);
    match args.form {
        Some(CheckForm::Sarif) => out::line(serde_json::to_string_pretty(&formats::sarif(&shown))?),
        Some(CheckForm::Junit) => out::line(formats::junit(&shown)),
        Some(CheckForm::Github) => out::line(formats::github(&shown).trim_end()),
        Some(CheckForm::Gitlab) => out::line(serde_json::to_string_pretty(&formats::gitlab(&shown))?),
        Some(CheckForm::Markdown) => out::line(formats::markdown(&shown).trim_end()),
        None if format == Format::Text => out::stream(|sink| text::print(&shown, args, sink)),
        None if format == Format::Json => {
            #[derive(serde::Serialize)]
            struct Whole<'a> {
                idle_skips: Vec<Json>,
                problems: Vec<Json>,
                summary: Json,
                verdicts: Rows<'a>,
            }
            let idle = checked.idle_skips.iter().filter(|_| !args.ignore_inline);
            let whole = Whole {
                idle_skips: idle
                    .map(|(place, message)| json!({ "file": source.relative(&place.file), "line": place.line, "message": message }))
                    .collect(),
                problems: checked.problems.iter().map(|p| problem(&shown, p)).collect(),
                summary: json!({ "resources": checked.resources, "uncovered_types": checked.uncovered, "outcomes": outcomes(checked) }),
                verdicts: Rows(&shown),
            };
            out::stream(|sink| {
                serde_json::to_writer_pretty(&mut *sink, &whole)?;
                sink.write_all(b"\n")
            });
        }
        None if format == Format::Jsonl => {
            let ids = Written::of(&shown);
            out::stream(|sink| {
                const FULL: usize = 1 << 16;
                let mut text = Vec::with_capacity(FULL + (1 << 12));
                for row in all_rows(&shown, Some(&ids)) {
                    row.write(&mut text)?;
                    text.push(b'\n');
                    if text.len() >= FULL {
                        sink.write_all(&text)?;
                        text.clear();
                    }
                }
                sink.write_all(&text)
            });
        }
        None => {
            let header = ["outcome", "severity", "rule", "address", "file", "line", "title"];
            let ids = Written::of(&shown);
            let rows = all_rows(&shown, Some(&ids));
            out::rows_of(globals, rows, &header, |r| {
                let title = r.title.unwrap_or_default();
                let line = r.line.to_string();
                [r.outcome, r.severity.name(), r.rule, r.address, &r.file, &line, title].map(str::to_owned).into()
            })?;
        }
    }
    if args.form.is_some() || format != Format::Text {
        tell_problems(globals, source, checked);
    }
    let _ = std::io::stdout().flush();
    Ok(())
}

/// A line on standard error for each thing that could not be read.
fn tell_problems(globals: &Globals, source: &Source, checked: &CodeChecked) {
    for problem in &checked.problems {
        let place = &problem.place;
        out::note(globals, format!("{}:{}: {}", source.printed_path(&place.file), place.line, problem.message));
    }
}

/// The place of each row's text among those of all rows. `key` is the same only for the same text; it is asked instead of the text.
fn ranked<'a, T: Ord>(
    rows: &[&'a CodeVerdict],
    key: impl Fn(&CodeVerdict) -> usize,
    text: impl Fn(&'a CodeVerdict) -> T,
) -> Vec<u64> {
    let mut known: HashMap<usize, usize> = HashMap::new();
    let mut texts: Vec<(T, usize)> = Vec::new();
    let mut last = (usize::MAX, 0);
    let of_row: Vec<usize> = rows
        .iter()
        .map(|v| {
            if last.0 != key(v) {
                let at = *known.entry(key(v)).or_insert_with(|| {
                    texts.push((text(v), texts.len()));
                    texts.len() - 1
                });
                last = (key(v), at);
            }
            last.1
        })
        .collect();
    texts.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut ranks = vec![0; texts.len()];
    let mut rank = 0;
    let mut before: Option<&T> = None;
    for (text, at) in &texts {
        rank += u64::from(before.is_some_and(|before| before != text));
        before = Some(text);
        if let Some(slot) = ranks.get_mut(*at) {
            *slot = rank;
        }
    }
    of_row.into_iter().map(|at| ranks.get(at).copied().unwrap_or_default()).collect()
}

fn outcomes(checked: &CodeChecked) -> Json {
    let passed_over = |o: Outcome| checked.passed_over.get(&o).copied().unwrap_or_default();
    let kept = |o: Outcome| checked.verdicts.iter().filter(|v| v.verdict.outcome == o).count();
    let count = |o: Outcome| kept(o) + passed_over(o);
    json!({
        "pass": count(Outcome::Pass),
        "fail": count(Outcome::Fail),
        "unknown": count(Outcome::Unknown),
        "not_applicable": count(Outcome::NotApplicable),
        "skipped": checked.verdicts.iter().filter(|v| v.skipped.is_some()).count(),
    })
}

fn problem(shown: &Shown<'_>, p: &plumb_iac::Problem) -> Json {
    json!({ "file": shown.source.relative(&p.place.file), "line": p.place.line, "severity": p.severity, "message": p.message, "partial": is_partial(p) })
}

/// The page's fix in the language of the code, else its passing example, else the fix's first lines.
pub fn fix_hint(shown: &Shown<'_>, v: &CodeVerdict) -> String {
    let Some(rule) = shown.catalog.rules.get(&v.verdict.rule) else { return String::new() };
    let azure = rule.kind.as_str().starts_with("azure.");
    let (fence, dialect) = match v.at.place.file.rsplit_once('.').map_or("", |(_, end)| end) {
        "tf" | "tofu" => ("```hcl", Dialect::Hcl),
        "bicep" => ("```bicep", Dialect::Bicep),
        "json" if azure => ("```bicep", Dialect::Bicep),
        _ => ("```cloudformation", Dialect::CloudFormation),
    };
    let section = rule.section("How to fix");
    if let Some((_, rest)) = section.split_once(fence) {
        return rest.lines().skip(1).take_while(|l| !l.starts_with("```")).collect::<Vec<_>>().join("\n");
    }
    if let Some(example) = rule.examples.iter().find(|e| e.dialect == dialect && e.expect == Expect::Pass) {
        return example.text.trim_end().to_owned();
    }
    let lines = section.lines().filter(|l| !l.starts_with("```") && !l.trim().is_empty());
    lines.take(3).collect::<Vec<_>>().join("\n")
}

/// Why, in a line: what was found and what is wanted.
pub fn reason(v: &CodeVerdict) -> String {
    let leaves = v.verdict.because.iter().take(3).map(|leaf| {
        let observed = match leaf.observed.to_plain_json() {
            Json::Null => "not set".to_owned(),
            other => shorten(&other.to_string()),
        };
        format!("{} is {observed}, wanted {}", leaf.path, shorten(&leaf.expected))
    });
    leaves.collect::<Vec<_>>().join("; ")
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 160 { text.to_owned() } else { text.chars().take(157).chain("...".chars()).collect() }
}
