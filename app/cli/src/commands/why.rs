//! `plumb why`: a finding explains itself.

use crate::{
    args::{Format, Globals, WhyArgs},
    context, out,
    out::Failure,
};
use plumb_catalog::Catalog;
use plumb_drift::What;
use plumb_govern::policy::Policy;
use plumb_model::{FindingKey, Source};
use plumb_record::{FindingRow, Record};
use plumb_run::govern::{self, GovernError};
use serde_json::{Value as Json, json};

/// `plumb why F-…`
pub fn run(globals: &Globals, args: WhyArgs) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let finding = record.finding(&args.finding)?;
    let history = record.history(&finding.key)?;
    let catalog = context::catalog(globals)?;
    let rule = catalog.rules.get(finding.rule.as_str());
    let raw: Option<Json> = record
        .raw(&finding.account, &finding.kind, &finding.resource)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok());
    // A rule the programme has about itself has a page too, outside of the catalog.
    let own = plumb_run::programme_pages_of(&finding.rule).into_iter().find(|p| p.id == finding.rule);
    let section = |heading: &str| {
        rule.map(|r| r.section(heading)).or_else(|| own.as_ref().map(|p| p.section(heading))).filter(|t| !t.is_empty())
    };
    let controls = match (rule, &own) {
        (Some(rule), _) => catalog.controls_of(rule),
        (None, Some(page)) => page.controls(&catalog),
        (None, None) => Vec::new(),
    };
    let changed = plumb_run::drift::of_finding(&record, &catalog, &finding)?;
    let runs = plumb_run::baselines::runs(&record)?;
    let judged_by = runs.iter().rfind(|r| r.run.account.as_str() == finding.account).map(|r| r.run.baseline.clone());
    let clock = clock(&record, &catalog, &finding)?;
    if matches!(globals.format, Some(Format::Json | Format::Jsonl)) {
        let mut value = super::findings::row(&finding);
        if let Some(object) = value.as_object_mut() {
            object.insert("history".into(), json!(history));
            object.insert("clock".into(), clock);
            object.insert("baseline".into(), json!(judged_by));
            object.insert("changed".into(), json!(changed));
            object.insert("controls".into(), json!(controls));
            object.insert("fix".into(), json!(section("How to fix")));
            object.insert("why_it_matters".into(), json!(section("Why it matters")));
            if args.raw {
                object.insert("raw".into(), json!(raw));
            }
        }
        out::line(serde_json::to_string_pretty(&value)?);
        return Ok(0);
    }
    let part = if finding.sub_key.is_empty() { String::new() } else { format!(" [{}]", finding.sub_key) };
    out::line(format!("{}  {}  {}", finding.id, finding.severity.to_uppercase(), finding.state));
    out::line(format!("Not so: {}", finding.title));
    out::line(format!("\n  resource  {}{part}", finding.resource));
    out::line(format!("  where     account {}, {}", finding.account, finding.region));
    out::line(format!("  rule      {}", finding.rule));
    out::line(format!(
        "  seen      first {}, last {}, opened {} time(s)",
        finding.first_seen, finding.last_seen, finding.occurrences
    ));
    match judged_by.as_deref() {
        None | Some(plumb_run::baselines::CATALOG) => {}
        Some(label) => out::line(format!("  baseline  {label}")),
    }
    for line in clock_lines(&clock) {
        out::line(line);
    }
    if let Some(since) = &finding.unknown_since {
        out::line(format!("  stale     not judged since {since}: the facts were out of reach"));
    }
    out::line("\nWhat decided");
    for leaf in &finding.because {
        out::line(format!("  {}", leaf.path));
        out::line(format!("    observed  {}", short_json(&leaf.observed.to_plain_json())));
        out::line(format!("    expected  {}", leaf.expected));
        if leaf.source != Source::Derived {
            out::line(format!("    said by   {}", leaf.source));
        }
    }
    if !changed.is_empty() {
        out::line("\nWhat changed before it opened");
    }
    for drift in &changed {
        out::line(match &drift.what {
            What::Appeared => "  the resource is new".to_owned(),
            What::Gone => "  the resource was not there".to_owned(),
            What::Changed(c) => format!(
                "  {}: {} → {}",
                c.path,
                short_json(&c.before.to_plain_json()),
                short_json(&c.after.to_plain_json())
            ),
        });
    }
    if let Some(raw) = &raw {
        let shown = if args.raw {
            serde_json::to_string_pretty(raw)?
        } else {
            let kind = catalog.kinds.get(finding.kind.as_str()).map(AsRef::as_ref);
            let part = plumb_run::excerpt(raw, kind, &finding.because);
            part.map(|part| serde_json::to_string_pretty(&part))
                .transpose()?
                .map_or_else(String::new, |text| first(&text))
        };
        if !shown.is_empty() {
            out::line(format!("\nFrom the provider's answer{}", if args.raw { "" } else { " (all of it: --raw)" }));
            out::line(shown.lines().map(|l| format!("  {l}")).collect::<Vec<_>>().join("\n"));
        }
    }
    for heading in ["Why it matters", "When this is fine", "How to fix"] {
        if let Some(text) = section(heading) {
            out::line(format!("\n{heading}"));
            out::line(text.lines().map(|l| format!("  {l}")).collect::<Vec<_>>().join("\n"));
        }
    }
    let named: Vec<String> = controls
        .iter()
        .filter(|c| c.confidence > plumb_catalog::Confidence::Low)
        .map(|c| format!("{} {}", c.framework, c.control))
        .collect();
    if !named.is_empty() {
        out::line("\nControls");
        out::line(format!("  {}", named.join(" · ")));
    }
    out::line("\nHistory");
    for step in &history {
        let reason = if step.reason.is_empty() { String::new() } else { format!(" ({})", step.reason) };
        out::line(format!("  {}  {} → {}  {} by {}{reason}", step.at, step.from, step.to, step.event, step.actor));
    }
    let key: Vec<u8> = (0..finding.key.len())
        .step_by(2)
        .filter_map(|i| u8::from_str_radix(finding.key.get(i..i + 2)?, 16).ok())
        .collect();
    if let Ok(bytes) = <[u8; 32]>::try_from(key) {
        out::line(format!("\nkey {}", FindingKey::from_bytes(bytes).hex()));
    }
    Ok(0)
}

/// When it is due and what its clock goes by; a problem in its place when its steps do not lead to its state.
fn clock(record: &Record, catalog: &Catalog, finding: &FindingRow) -> Result<Json, Failure> {
    let (now, policy) = (context::now(), Policy::default());
    let life = match govern::load_life(record, catalog, finding, &policy) {
        Ok((_, life)) => life,
        Err(GovernError::Diverged(problem)) => return Ok(json!({ "problem": problem })),
        Err(other) => return Err(super::people::refused(other)),
    };
    let (clock, terms) = (life.finding.clock(), life.finding.facts.terms);
    Ok(json!({
        "lane": terms.lane, "tier": terms.tier, "regulated": terms.regulated, "exploited": terms.exploited,
        "by": life.timing.by, "scored": life.timing.scored, "started": clock.started(), "due": clock.due(now),
        "paused": clock.is_paused(now), "breached": clock.is_breached(now), "lane_changes": life.timing.changes,
    }))
}

fn clock_lines(clock: &Json) -> Vec<String> {
    let text = |v: &Json, key: &str| v.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let is = |key: &str| clock.get(key).and_then(Json::as_bool).unwrap_or_default();
    let problem = text(clock, "problem");
    if !problem.is_empty() {
        return vec![format!("  due       not told: {problem}")];
    }
    let due = match text(clock, "due") {
        due if due.is_empty() => "no due date".to_owned(),
        due => {
            let late = if is("breached") { ", which has passed" } else { "" };
            let still = if is("paused") { ", its clock stands still" } else { "" };
            format!("{}{late}{still}", due.get(..10).unwrap_or(&due))
        }
    };
    let data = if is("regulated") { ", regulated data" } else { "" };
    let mut out = vec![
        format!(
            "  due       {due}: {}, tier {}{data}, since {}",
            text(clock, "lane"),
            text(clock, "tier"),
            text(clock, "started")
        ),
        format!("  lane      by its {}", text(clock, "by")),
    ];
    for c in clock.get("lane_changes").and_then(Json::as_array).into_iter().flatten() {
        out.push(format!(
            "            {}  {} → {} ({})",
            text(c, "at"),
            text(c, "from"),
            text(c, "to"),
            text(c, "why")
        ));
    }
    out
}

/// Most lines of an answer that are shown.
const LINES: usize = 40;

fn first(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.get(..LINES).map_or_else(|| text.to_owned(), |first| format!("{}\n…", first.join("\n")))
}

fn short_json(value: &Json) -> String {
    super::scan::short(&value.to_string(), 160)
}
