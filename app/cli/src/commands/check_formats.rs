//! Findings in code, in the formats other tools read.

use crate::commands::check::{Shown, fix_hint, reason};
use plumb_iac::Problem;
use plumb_model::{FindingKey, Outcome, ResourceId, Severity};
use plumb_run::CodeVerdict;
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, fmt::Write};

fn title<'a>(shown: &'a Shown<'_>, v: &CodeVerdict) -> &'a str {
    shown.catalog.rules.get(&v.verdict.rule).map_or("", |r| r.title.as_str())
}

/// What could not be read, so that what is shown is not all there is to know.
fn unread<'a>(shown: &'a Shown<'_>) -> impl Iterator<Item = &'a Problem> {
    shown.checked.problems.iter().filter(|p| plumb_run::is_partial(p))
}

fn message(shown: &Shown<'_>, v: &CodeVerdict) -> String {
    let why = reason(v);
    let needs = v.verdict.needs.iter().map(|n| n.describe()).collect::<Vec<_>>().join("; ");
    let detail = if why.is_empty() { needs } else { why };
    let dash = if detail.is_empty() { "" } else { ": " };
    format!("{} ({}){dash}{detail}", title(shown, v), v.verdict.resource)
}

/// Path parts percent-encoded as RFC 3986 asks.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// SARIF 2.1.0.
pub fn sarif(shown: &Shown<'_>) -> Json {
    let mut positions: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rules = Vec::new();
    for v in &shown.rows {
        let id = v.verdict.rule.as_str();
        if positions.contains_key(id) {
            continue;
        }
        positions.insert(id, rules.len());
        let Some(rule) = shown.catalog.rules.get(&v.verdict.rule) else { continue };
        let (level, score) = match rule.severity {
            Severity::Critical => ("error", "9.5"),
            Severity::High => ("error", "8.0"),
            Severity::Medium => ("warning", "5.5"),
            Severity::Low => ("note", "3.0"),
            Severity::Info => ("note", "0.0"),
        };
        let some = |text: String, or: &str| if text.trim().is_empty() { or.to_owned() } else { text };
        rules.push(json!({
            "id": id,
            "shortDescription": { "text": rule.title },
            "fullDescription": { "text": some(rule.summary(), &rule.title) },
            "help": { "text": some(rule.section("How to fix"), &rule.title), "markdown": some(rule.section("How to fix"), &rule.title) },
            "defaultConfiguration": { "level": level },
            "properties": { "security-severity": score, "tags": ["security", rule.topic.as_str()] },
        }));
    }
    let results: Vec<Json> = shown
        .rows
        .iter()
        .map(|v| {
            let (kind, level) = match (v.verdict.outcome, v.severity) {
                (Outcome::Fail, Severity::Critical | Severity::High) => ("fail", "error"),
                (Outcome::Fail, Severity::Medium) => ("fail", "warning"),
                (Outcome::Fail, _) => ("fail", "note"),
                (Outcome::Pass, _) => ("pass", "none"),
                (Outcome::Unknown, _) => ("open", "none"),
                (Outcome::NotApplicable, _) => ("notApplicable", "none"),
            };
            let mut result = json!({
                "ruleId": v.verdict.rule,
                "ruleIndex": positions.get(v.verdict.rule.as_str()),
                "kind": kind,
                "level": level,
                "message": { "text": message(shown, v) },
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": { "uri": uri(&v.at.place.file), "uriBaseId": "%SRCROOT%" },
                        "region": { "startLine": v.at.place.line.max(1), "endLine": v.at.place.end_line.max(v.at.place.line).max(1) },
                    },
                    "logicalLocations": [{ "fullyQualifiedName": v.verdict.resource, "kind": "resource" }],
                }],
                "partialFingerprints": { "plumb/v1": v.fingerprint().hex() },
            });
            if let (Some(skip), Some(members)) = (&v.skipped, result.as_object_mut()) {
                members.insert("suppressions".into(), json!([{ "kind": "inSource", "justification": &*skip.reason }]));
            }
            result
        })
        .collect();
    let notes: Vec<Json> = shown
        .checked
        .problems
        .iter()
        .map(|p| {
            json!({
                "level": if plumb_run::is_partial(p) { "error" } else { "note" },
                "message": { "text": p.message },
                "locations": [{ "physicalLocation": {
                    "artifactLocation": { "uri": uri(&p.place.file), "uriBaseId": "%SRCROOT%" },
                    "region": { "startLine": p.place.line.max(1) },
                } }],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "plumb", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "invocations": [{ "executionSuccessful": !shown.checked.partial(), "toolExecutionNotifications": notes }],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn xml(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// JUnit XML: a suite a file, a case a verdict.
pub fn junit(shown: &Shown<'_>) -> String {
    let mut by_file: BTreeMap<&str, Vec<&CodeVerdict>> = BTreeMap::new();
    for v in &shown.rows {
        by_file.entry(&v.at.place.file).or_default().push(v);
    }
    let counts = |rows: &[&CodeVerdict]| {
        let failed = rows.iter().filter(|v| v.verdict.outcome == Outcome::Fail && v.skipped.is_none()).count();
        let passed = rows.iter().filter(|v| v.verdict.outcome == Outcome::Pass).count();
        (rows.len(), failed, rows.len() - failed - passed)
    };
    let (tests, failures, skipped) = counts(&shown.rows);
    let unread: Vec<_> = unread(shown).collect();
    let (tests, errors) = (tests + unread.len(), unread.len());
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"plumb\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\">\n"
    );
    for (file, rows) in by_file {
        let (tests, failures, skipped) = counts(&rows);
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" skipped=\"{skipped}\">",
            xml(file)
        );
        for v in rows {
            let name = format!("{} {}", v.verdict.rule, v.verdict.sub_key);
            let _ = write!(
                out,
                "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\"",
                xml(v.verdict.resource.as_str()),
                xml(name.trim()),
                xml(file),
                v.at.place.line
            );
            let text = xml(&message(shown, v));
            let _ = match (v.verdict.outcome, &v.skipped) {
                (Outcome::Pass, _) => writeln!(out, "/>"),
                (Outcome::Fail, None) => {
                    writeln!(out, "><failure type=\"{}\" message=\"{text}\"/></testcase>", v.severity)
                }
                (_, Some(skip)) => writeln!(out, "><skipped message=\"{}\"/></testcase>", xml(&skip.reason)),
                _ => writeln!(out, "><skipped message=\"{text}\"/></testcase>"),
            };
        }
        out.push_str("  </testsuite>\n");
    }
    if errors > 0 {
        let _ = writeln!(
            out,
            "  <testsuite name=\"not read\" tests=\"{errors}\" failures=\"0\" errors=\"{errors}\" skipped=\"0\">"
        );
        for p in unread {
            let (file, line) = (xml(&p.place.file), p.place.line);
            let _ = writeln!(
                out,
                "    <testcase classname=\"{file}\" name=\"read line {line}\" file=\"{file}\" line=\"{line}\"><error type=\"not-read\" message=\"{}\"/></testcase>",
                xml(&p.message)
            );
        }
        out.push_str("  </testsuite>\n");
    }
    out + "</testsuites>"
}

/// GitHub workflow commands: an annotation a finding.
pub fn github(shown: &Shown<'_>) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let mut out = String::new();
    for v in shown.rows.iter().filter(|v| v.verdict.outcome == Outcome::Fail && v.skipped.is_none()) {
        let command = match v.severity {
            Severity::Critical | Severity::High => "error",
            Severity::Medium => "warning",
            _ => "notice",
        };
        let _ = writeln!(
            out,
            "::{command} file={},line={},endLine={},title={}::{}",
            property(&v.at.place.file),
            v.at.place.line,
            v.at.place.end_line,
            property(v.verdict.rule.as_str()),
            data(&message(shown, v))
        );
    }
    for p in unread(shown) {
        let _ = writeln!(
            out,
            "::error file={},line={},title=not read::{}",
            property(&p.place.file),
            p.place.line,
            data(&p.message)
        );
    }
    out
}

/// GitLab code quality.
pub fn gitlab(shown: &Shown<'_>) -> Json {
    let open = shown.rows.iter().filter(|v| v.verdict.outcome == Outcome::Fail && v.skipped.is_none());
    // An entry needs a name of its own that stays while the line moves.
    let gap = |p: &Problem| {
        let place = ResourceId::from(&*p.place.file);
        let key = FindingKey::new(&"plumb.not-read".into(), &"code".into(), &place, &p.message.replace('\0', " "));
        json!({
            "type": "issue",
            "check_name": "plumb.not-read",
            "description": format!("Not read: {}", p.message),
            "categories": ["Security"],
            "severity": "major",
            "fingerprint": key.hex(),
            "location": { "path": &*p.place.file, "lines": { "begin": p.place.line } },
        })
    };
    let found = open.map(|v| {
        let severity = match v.severity {
            Severity::Critical => "blocker",
            Severity::High => "critical",
            Severity::Medium => "major",
            Severity::Low => "minor",
            Severity::Info => "info",
        };
        json!({
            "type": "issue",
            "check_name": v.verdict.rule,
            "description": message(shown, v),
            "categories": ["Security"],
            "severity": severity,
            "fingerprint": v.fingerprint().hex(),
            "location": { "path": &*v.at.place.file, "lines": { "begin": v.at.place.line, "end": v.at.place.end_line } },
        })
    });
    found.chain(unread(shown).map(gap)).collect()
}

/// Markdown, for a comment on a change.
pub fn markdown(shown: &Shown<'_>) -> String {
    let cell = |text: &str| text.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " ").replace('<', "&lt;");
    let open: Vec<&&CodeVerdict> =
        shown.rows.iter().filter(|v| v.verdict.outcome == Outcome::Fail && v.skipped.is_none()).collect();
    let mut out = format!(
        "### plumb check: {}\n\n",
        if open.is_empty() { "no findings".into() } else { format!("{} findings", open.len()) }
    );
    if !open.is_empty() {
        out.push_str("| Severity | Where | Resource | Finding |\n|---|---|---|---|\n");
    }
    for v in open.iter().take(100) {
        let at = format!("`{}:{}`", cell(&v.at.place.file), v.at.place.line);
        let _ = writeln!(
            out,
            "| {} | {at} | `{}` | **{}** {} |",
            v.severity,
            cell(v.verdict.resource.as_str()),
            cell(title(shown, v)),
            cell(&reason(v))
        );
    }
    if open.len() > 100 {
        let _ = writeln!(out, "\n{} more are not shown.", open.len() - 100);
    }
    // What to do, once for each rule: the lines that were judged to pass, else the page's own words and code.
    let mut told = std::collections::BTreeSet::new();
    for v in open.iter().filter(|v| told.insert(&v.verdict.rule)).take(15) {
        let page = shown.catalog.rules.get(&v.verdict.rule).map_or(String::new(), |r| r.summary());
        let _ = writeln!(
            out,
            "\n<details><summary>How to fix: {}</summary>\n\n{}\n",
            cell(title(shown, v)),
            page.replace('<', "&lt;")
        );
        let same = open.iter().filter(|other| other.verdict.rule == v.verdict.rule);
        let proven: Vec<_> = same
            .filter_map(|other| shown.patches.get(&other.fingerprint().hex()).filter(|lines| !lines.is_empty()))
            .flatten()
            .collect();
        let mut shown_already = std::collections::BTreeSet::new();
        for patch in proven.iter().filter(|p| shown_already.insert((&p.file, &p.lines))).take(5) {
            let fence = if patch.lines.contains("```") { "````" } else { "```" };
            let _ = writeln!(out, "`{}`:\n{fence}diff\n{}\n{fence}", cell(&patch.file), patch.lines.trim_end());
        }
        if proven.is_empty() {
            let fix = fix_hint(shown, v);
            let fence = if fix.contains("```") { "````" } else { "```" };
            let _ = writeln!(out, "{fence}\n{fix}\n{fence}");
        }
        let _ = writeln!(out, "`{}`\n</details>", v.verdict.rule);
    }
    if shown.checked.partial() {
        out.push_str("\nNot everything could be read, so this is not the whole picture:\n\n");
        for p in unread(shown).take(20) {
            let _ = writeln!(out, "- `{}:{}` {}", cell(&p.place.file), p.place.line, cell(&p.message));
        }
    }
    out
}
