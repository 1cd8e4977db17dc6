//! CSV and Markdown.

use crate::{Exported, Report};
use plumb_model::Severity;
pub use plumb_model::csv_cell;

/// One row a finding, RFC 4180.
pub fn csv(rows: &[Exported]) -> String {
    let header = "finding,key,rule,title,severity,outcome,state,account,account_name,region,kind,resource,name,part,first_seen,last_seen,topic,observed,controls\n";
    let mut out = String::from(header);
    for r in rows {
        let controls = r.controls.iter().map(|(f, c)| format!("{f}:{c}")).collect::<Vec<_>>().join(" ");
        let cells = [
            &r.short,
            &r.key,
            &r.rule,
            &r.title,
            r.severity.name(),
            r.outcome.name(),
            &r.state,
            &r.account,
            &r.account_name,
            &r.region,
            &r.kind,
            &r.resource,
            &r.name,
            &r.sub_key,
            &r.first_seen,
            &r.last_seen,
            &r.topic,
            &r.observed(),
            &controls,
        ]
        .map(csv_cell);
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

/// A report in Markdown: summary, gaps, then findings by rule, worst first.
pub fn markdown(rows: &[Exported], report: &Report) -> String {
    let mut out = format!("# Posture report\n\nAs of {}, by Plumbline {}.\n\n", report.judged_at, report.version);
    let count = |s: Severity| rows.iter().filter(|r| r.severity == s).count();
    out.push_str("| severity | open findings |\n|---|---|\n");
    for severity in Severity::ALL.iter().rev() {
        out.push_str(&format!("| {severity} | {} |\n", count(*severity)));
    }
    let judged = (report.pass + report.fail + report.unknown).max(1);
    out.push_str(&format!(
        "\n{} accounts, {} resources. {:.1} % of the judgements that apply could be made; the rest is unknown, never passed.\n",
        report.accounts.len(),
        report.resources,
        (report.pass + report.fail) as f64 * 100.0 / judged as f64
    ));
    if !report.gaps.is_empty() {
        out.push_str("\n## What could not be judged\n\n");
        for (gap, n) in report.gaps.iter().take(20) {
            out.push_str(&format!("- {} ({n})\n", escape(gap)));
        }
    }
    for (title, group) in crate::html::by_rule(rows) {
        let Some(first) = group.first() else { continue };
        out.push_str(&format!(
            "\n## {} — {title}\n\n{}\n\n`{}`, {} findings\n\n",
            first.severity,
            first.summary,
            first.rule,
            group.len()
        ));
        out.push_str("| finding | account | region | resource | observed |\n|---|---|---|---|---|\n");
        for r in group {
            out.push_str(&format!(
                "| {} | {} | {} | {} | {} |\n",
                r.short,
                r.account,
                r.region,
                escape(&r.name),
                escape(&r.observed())
            ));
        }
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ").replace('<', "&lt;")
}
