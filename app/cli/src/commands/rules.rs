//! `plumb rules`, `plumb explain`.

use crate::{
    args::{Format, Globals, RulesArgs, RulesCommand},
    context, out,
    out::Failure,
};
use plumb_catalog::{Aliases, Catalog, ControlRef, File, Param, Rule};
use plumb_evaluate::{Helpers, check_pages};
use plumb_model::{KindId, RuleId, Severity, TopicId};
use plumb_run::{EndOfLife, Engine};
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, fs, path::Path};

/// `plumb rules …`
pub fn run(globals: &Globals, args: RulesArgs) -> Result<u8, Failure> {
    match args.command {
        RulesCommand::List { rules } => {
            let catalog = context::catalog(globals)?;
            let wanted = context::select(&catalog, &rules)?;
            let rows = catalog.rules.values().filter(|r| wanted.as_ref().is_none_or(|w| w.contains(&r.id)));
            let rows = rows.map(|r| Row::of(&catalog, r));
            out::rows_of(globals, rows, &["rule", "severity", "title"], |r| {
                vec![r.id.to_string(), r.severity.to_string(), r.title.to_owned()]
            })?;
            Ok(0)
        }
        RulesCommand::Show { rule } => explain(globals, &rule),
        RulesCommand::Check { dir } => check(globals, dir.as_deref()),
        RulesCommand::New { id, dir } => new(globals, &id, &dir),
    }
}

/// A rule as the machine contract prints it.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    aliases: &'a Aliases,
    controls: Vec<&'a ControlRef>,
    dialects: Vec<&'static str>,
    hard: bool,
    id: &'a RuleId,
    kind: &'a KindId,
    params: BTreeMap<&'a str, Json>,
    severity: Severity,
    since: &'a str,
    title: &'a str,
    topic: &'a TopicId,
}

impl<'a> Row<'a> {
    /// Of a rule of the catalog.
    pub fn of(catalog: &'a Catalog, rule: &'a Rule) -> Self {
        let param = |p: &Param| json!({ "default": p.default.to_plain_json(), "doc": p.doc });
        Row {
            aliases: &rule.aliases,
            controls: catalog.controls_of(rule),
            dialects: dialects(catalog, rule),
            hard: rule.hard,
            id: &rule.id,
            kind: &rule.kind,
            params: rule.params.iter().map(|(name, p)| (name.as_str(), param(p))).collect(),
            severity: rule.severity,
            since: &rule.since,
            title: &rule.title,
            topic: &rule.topic,
        }
    }
}

/// In what a rule can be judged: live, and in code where its kind has types there.
fn dialects(catalog: &Catalog, rule: &Rule) -> Vec<&'static str> {
    let Some(kind) = catalog.kinds.get(&rule.kind) else { return vec!["live"] };
    let mut all = Vec::new();
    if kind.list.is_some() || !kind.each.is_empty() || kind.terraform.is_empty() {
        all.push("live");
    }
    for (name, types) in [("terraform", &kind.terraform), ("cloudformation", &kind.cloudformation), ("arm", &kind.arm)]
    {
        if !types.is_empty() {
            all.push(name);
        }
    }
    if !kind.arm.is_empty() {
        all.push("bicep");
    }
    all
}

fn controls_text(controls: &[&ControlRef]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for control in controls {
        let related = if control.confidence == plumb_catalog::Confidence::Low { " (related)" } else { "" };
        match lines.last_mut() {
            Some(last) if last.starts_with(&format!("{} ", control.framework)) => {
                *last += &format!(", {}{related}", control.control)
            }
            _ => lines.push(format!("{} {}{related}", control.framework, control.control)),
        }
    }
    lines.into_iter().map(|l| format!("  {l}\n")).collect()
}

/// `plumb explain RULE`
pub fn explain(globals: &Globals, word: &str) -> Result<u8, Failure> {
    let catalog = context::catalog(globals)?;
    let own = plumb_run::programme_pages_of(word);
    for page in &own {
        let controls = page.controls(&catalog);
        if matches!(globals.format, Some(Format::Json | Format::Jsonl)) {
            out::line(json!({
                "id": page.id, "title": page.title, "severity": page.severity, "topic": page.topic, "judged_by": "the programme",
                "controls": controls, "body": page.body,
            }));
            continue;
        }
        out::line(format!("{}  (at most {}, {})\n", page.id, page.severity, page.topic));
        out::line(page.body);
        let controls = controls_text(&controls);
        if !controls.is_empty() {
            out::line(format!("Controls\n{controls}"));
        }
    }
    if !own.is_empty() {
        return Ok(0);
    }
    let found = catalog.resolve(word).map_err(Failure::usage)?;
    for id in found {
        let Some(rule) = catalog.rules.get(&id) else { continue };
        if matches!(globals.format, Some(Format::Json | Format::Jsonl)) {
            out::line(serde_json::to_string(&Row::of(&catalog, rule))?);
            continue;
        }
        out::line(format!("{}  ({}, {})\n", rule.id, rule.severity, rule.topic));
        out::line(&rule.body);
        let aliases: Vec<String> = rule
            .aliases
            .iter()
            .map(|(scanner, ids)| format!("{scanner}: {}", ids.collect::<Vec<_>>().join(", ")))
            .collect();
        if !aliases.is_empty() {
            out::line(format!("\nAlso known as\n  {}", aliases.join("\n  ")));
        }
        let controls = controls_text(&catalog.controls_of(rule));
        if !controls.is_empty() {
            out::line(format!("\nControls\n{controls}"));
        }
    }
    Ok(0)
}

fn check(globals: &Globals, dir: Option<&Path>) -> Result<u8, Failure> {
    let own = match dir.or(globals.rules_dir.as_deref()) {
        Some(dir) => context::files_below(dir)?,
        None => Vec::new(),
    };
    let files = own.iter().map(|(path, text)| File { path, text });
    // A folder that brings its own topics is a whole catalog; anything else is read on top of the bundled one.
    let whole = own.iter().any(|(path, _)| path == "topics.toml");
    let (catalog, problems) = if whole { Catalog::from_files(files) } else { Catalog::load(files) };
    let helpers = Helpers { policies: &Engine, end_of_support: &EndOfLife::BUNDLED };
    let mut checked = check_pages(&catalog, problems, helpers, &plumb_run::read_example(&catalog));
    plumb_run::check_native(&catalog, &mut checked);
    for problem in &checked.problems {
        out::line(problem);
    }
    out::note(
        globals,
        format!(
            "{} rules, {} kinds: {} examples run, {} waiting for their reader, {} problems",
            checked.rules,
            checked.kinds,
            checked.run,
            checked.waiting,
            checked.problems.len()
        ),
    );
    Ok(u8::from(!checked.problems.is_empty()))
}

fn new(globals: &Globals, id: &str, dir: &Path) -> Result<u8, Failure> {
    let catalog = context::catalog(globals)?;
    let rule = plumb_model::RuleId::from(id);
    let Some(kind) = catalog.kinds.get(&rule.kind()) else {
        return Err(Failure::usage(format!(
            "there is no kind `{}`; `plumb rules list` shows rules with their kinds",
            rule.kind()
        )));
    };
    let path = dir.join(format!("{}.md", id.replace('.', "/")));
    if path.exists() {
        return Err(Failure::usage(format!("`{}` is there already", path.display())));
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let fields: Vec<String> =
        kind.fields.iter().map(|f| format!("<!-- {}: {} — {} -->", f.name, f.ty, f.doc)).collect();
    let text = format!(
        "+++\nseverity = \"medium\"\ntopic = \"governance.tagging\"\n+++\n\n# What is true when all is well\n\nWhat the setting is, in a sentence.\n\n{}\n\n```cel\ntags[\"owner\"] != null\n```\n\n## Why it matters\n\nWhat goes wrong otherwise.\n\n## How to fix\n\n```sh\naws …\n```\n\n## Examples\n\n```json pass: it holds\n{{ \"tags\": {{ \"owner\": \"web\" }} }}\n```\n```json fail: it does not\n{{ \"tags\": {{}} }}\n```\n",
        fields.join("\n")
    );
    fs::write(&path, text)?;
    out::note(globals, format!("wrote {}; edit it, then `plumb rules check {}`", path.display(), dir.display()));
    Ok(0)
}
