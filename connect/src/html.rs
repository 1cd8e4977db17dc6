//! One self-contained HTML page: no script needed, nothing fetched, good on paper.

use crate::{Exported, Report};
use plumb_model::Severity;
use std::collections::BTreeMap;

/// Rows by rule title, the worst rules first and among equals those with most findings.
pub(crate) fn by_rule(rows: &[Exported]) -> Vec<(&str, Vec<&Exported>)> {
    let mut groups: BTreeMap<&str, Vec<&Exported>> = BTreeMap::new();
    for row in rows {
        groups.entry(&row.rule).or_default().push(row);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|g| (std::cmp::Reverse(g.first().map(|r| r.severity)), std::cmp::Reverse(g.len())));
    groups.into_iter().map(|g| (g.first().map_or("", |r| r.title.as_str()), g)).collect()
}

fn text(raw: &str) -> String {
    raw.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = "
:root{--ink:#1d2430;--soft:#5d6778;--line:#e3e7ee;--bg:#f6f8fb;--critical:#a4123f;--high:#d1491f;--medium:#b7860b;--low:#3a6ea5;--info:#6b7687}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}
main{max-width:1040px;margin:0 auto;padding:32px 24px 64px}header{border-bottom:3px solid var(--ink);padding-bottom:12px;margin-bottom:20px}
h1{font-size:28px;margin:0}h2{font-size:18px;margin:32px 0 8px}p{margin:6px 0}.soft{color:var(--soft)}
.cards{display:grid;grid-template-columns:repeat(5,1fr);gap:12px;margin:20px 0}.card{background:#fff;border:1px solid var(--line);border-radius:8px;padding:12px 14px;border-top:4px solid}
.card b{display:block;font-size:26px;line-height:1.2}.critical{border-color:var(--critical)}.high{border-color:var(--high)}.medium{border-color:var(--medium)}.low{border-color:var(--low)}.info{border-color:var(--info)}
.tag{display:inline-block;color:#fff;border-radius:4px;font-size:12px;padding:1px 8px;margin-right:8px;text-transform:uppercase;letter-spacing:.04em}
.tag.critical{background:var(--critical)}.tag.high{background:var(--high)}.tag.medium{background:var(--medium)}.tag.low{background:var(--low)}.tag.info{background:var(--info)}
details{background:#fff;border:1px solid var(--line);border-radius:8px;margin:8px 0}summary{padding:10px 14px;cursor:pointer;font-weight:600}summary span.n{float:right;color:var(--soft);font-weight:400}
.inner{padding:0 14px 14px;border-top:1px solid var(--line)}table{border-collapse:collapse;width:100%;font-size:13px;margin:8px 0}th{text-align:left;color:var(--soft);font-weight:600}
td,th{padding:5px 8px;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}pre{background:#f1f3f7;border-radius:6px;padding:10px;overflow:auto;font-size:12.5px;white-space:pre-wrap}
code{font-family:ui-monospace,SFMono-Regular,Menlo,monospace;font-size:12.5px}footer{margin-top:40px;color:var(--soft);font-size:13px}
@media print{body{background:#fff}main{max-width:none;padding:0}details{break-inside:avoid}}@media(max-width:700px){.cards{grid-template-columns:repeat(2,1fr)}}
";

/// The report. Every text that came from elsewhere is escaped.
pub fn html(rows: &[Exported], report: &Report) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>Posture report</title><style>{STYLE}</style></head><body><main><header><h1>Posture report</h1>\
         <p class=\"soft\">As of {} · {} accounts · {} resources · Plumbline {}</p></header>",
        text(&report.judged_at),
        report.accounts.len(),
        report.resources,
        text(&report.version)
    );
    out.push_str("<section class=\"cards\">");
    for severity in Severity::ALL.iter().rev() {
        let n = rows.iter().filter(|r| r.severity == *severity).count();
        out.push_str(&format!("<div class=\"card {severity}\"><b>{n}</b><span class=\"soft\">{severity}</span></div>"));
    }
    out.push_str("</section>");
    let judged = report.pass + report.fail + report.unknown;
    if judged > 0 {
        let share = |n: i64| n as f64 * 100.0 / judged as f64;
        let (pass, fail, unknown) = (share(report.pass), share(report.fail), share(report.unknown));
        out.push_str(&format!(
            "<svg viewBox=\"0 0 1000 26\" width=\"100%\" height=\"26\" role=\"img\" aria-label=\"{pass:.1} % pass, {fail:.1} % fail, {unknown:.1} % unknown\">\
             <rect x=\"0\" width=\"{:.1}\" height=\"26\" fill=\"#3c8d6b\"/><rect x=\"{:.1}\" width=\"{:.1}\" height=\"26\" fill=\"#d1491f\"/><rect x=\"{:.1}\" width=\"{:.1}\" height=\"26\" fill=\"#b9c1ce\"/></svg>\
             <p class=\"soft\">{} judgements pass ({pass:.1} %), {} fail ({fail:.1} %), {} are unknown ({unknown:.1} %): what could not be read is never counted as passed.</p>",
            pass * 10.0,
            pass * 10.0,
            fail * 10.0,
            (pass + fail) * 10.0,
            unknown * 10.0,
            report.pass,
            report.fail,
            report.unknown
        ));
    }
    if !report.gaps.is_empty() {
        out.push_str("<h2>What could not be judged</h2><table><tr><th>reason</th><th>rules × places</th></tr>");
        for (gap, n) in report.gaps.iter().take(12) {
            out.push_str(&format!("<tr><td>{}</td><td>{n}</td></tr>", text(gap)));
        }
        out.push_str("</table>");
    }
    out.push_str(
        "<h2>Accounts</h2><table><tr><th>account</th><th>name</th><th>state</th><th>open findings</th><th></th></tr>",
    );
    for (id, name, state, reason) in &report.accounts {
        let n = rows.iter().filter(|r| r.account == *id).count();
        out.push_str(&format!(
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{n}</td><td>{}</td></tr>",
            text(id),
            text(name),
            text(state),
            text(reason)
        ));
    }
    out.push_str("</table><h2>What is not so</h2>");
    for (title, group) in by_rule(rows) {
        let Some(first) = group.first() else { continue };
        out.push_str(&format!(
            "<details><summary><span class=\"tag {0}\">{0}</span>{1}<span class=\"n\">{2}</span></summary><div class=\"inner\"><p>{3}</p><p class=\"soft\"><code>{4}</code></p>",
            first.severity,
            text(title),
            group.len(),
            text(&first.why),
            text(&first.rule)
        ));
        out.push_str(
            "<table><tr><th>finding</th><th>account</th><th>region</th><th>resource</th><th>observed</th></tr>",
        );
        for r in group.iter().take(200) {
            let part = if r.sub_key.is_empty() { String::new() } else { format!(" [{}]", text(&r.sub_key)) };
            out.push_str(&format!(
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td title=\"{}\">{}{part}</td><td>{}</td></tr>",
                r.short,
                text(&r.account),
                text(&r.region),
                text(&r.resource),
                text(&r.name),
                text(&r.observed())
            ));
        }
        if group.len() > 200 {
            out.push_str(&format!(
                "<tr><td colspan=\"5\" class=\"soft\">and {} more; all of them: plumb findings --check {}</td></tr>",
                group.len() - 200,
                text(&first.rule)
            ));
        }
        out.push_str(&format!("</table><b>How to fix</b><pre>{}</pre></div></details>", text(&first.fix)));
    }
    out.push_str("<footer>A control-plane posture report: it says how things are configured, not what runs. Each row is explained by <code>plumb why FINDING</code>.</footer></main></body></html>\n");
    out
}
