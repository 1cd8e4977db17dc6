//! The pages of a bundle that people read first.

use super::{Counted, Input, Limit};
use crate::framework::Standing;
use crate::log::SealKey;

pub(super) fn readme(input: &Input<'_>, key: &SealKey) -> String {
    let fingerprint = key.public().fingerprint();
    format!(
        "Evidence of {scope}, {from} to {to}\n\
         Made on {at} by {product} under policy {policy}.\n\n\
         Read index.html first. Every list is there twice: as CSV for people and as JSON lines for programs. Two are\n\
         JSON lines only: what each finding rests on (evidence/), and findings as OCSF events (ocsf/).\n\
         limits.json says what this bundle does not know.\n\n\
         To verify, without network and without the product (Python 3.8 or newer, nothing to install):\n\n\
         \x20   python3 verify.py BUNDLE.zip {fingerprint}\n\n\
         or, with the product:\n\n\
         \x20   plumb verify BUNDLE.zip --expect {fingerprint}\n\n\
         Take verify.py from a place you trust, or read it: it is short. Take the fingerprint from the organization by\n\
         another way than this bundle, or the check shows only that the bundle was not changed since somebody signed it.\n\n\
         Exit code 0: all good. 1: content is broken. 2: a signature is broken. 3: something is missing.\n",
        scope = input.scope,
        from = input.from.date(),
        to = input.to.date(),
        at = input.made_at,
        product = input.product,
        policy = input.policy,
    )
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub(super) fn html(
    input: &Input<'_>,
    populations: &[Counted],
    limits: &[Limit],
    entries: usize,
    key: &SealKey,
) -> String {
    let e = escape;
    let mut lists = String::new();
    for p in populations {
        let (path, title, filter) = (e(&p.path), e(&p.title), e(&p.filter));
        let n = p.rows;
        let csv = if p.as_csv { format!("<a href=\"{path}.csv\">CSV</a> ") } else { String::new() };
        lists.push_str(&format!(
            "<tr><td>{title}</td><td class=n>{n}</td><td class=n>{}</td><td>{filter}</td>\
             <td>{csv}<a href=\"{path}.jsonl\">JSONL</a></td></tr>\n",
            p.in_system
        ));
    }
    let mut controls = String::new();
    for a in input.alignments {
        let n = |s: Standing| a.counts.get(&s).copied().unwrap_or(0);
        let hygiene = a.hygiene_percent.map_or_else(|| "nothing judged".into(), |p| format!("{p} %"));
        controls.push_str(&format!(
            "<tr><td><a href=\"controls/{0}.csv\">{0}</a></td><td class=n>{1}</td><td class=n>{2}</td><td class=n>{3}</td><td class=n>{4}</td><td class=n>{5}</td><td class=n>{6}</td><td class=n>{7}</td><td class=n>{hygiene}</td></tr>\n",
            e(&a.framework),
            n(Standing::Satisfied),
            n(Standing::SatisfiedWithException),
            n(Standing::Attested),
            n(Standing::NotSatisfied),
            n(Standing::NotApplicable),
            n(Standing::NotAssessed),
            n(Standing::NeedsAttestation),
        ));
    }
    let mut unknowns: String = limits
        .iter()
        .map(|l| format!("<li><b>{}</b> {}: {}</li>\n", e(&l.kind), e(&l.object), e(&l.meaning)))
        .collect();
    for h in &input.admin_approvers {
        unknowns.push_str(&format!(
            "<li><b>admin-approver</b> {}: one person runs the tool and accepts risk</li>\n",
            e(h.as_str())
        ));
    }
    if unknowns.is_empty() {
        unknowns.push_str("<li>Nothing was recorded as out of reach.</li>");
    }
    format!(
        "<!doctype html>\n<html lang=en><meta charset=utf-8><title>Evidence of {scope}</title>\n<style>\n\
         body{{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1b1f}}\n\
         table{{border-collapse:collapse;width:100%}}th,td{{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d8d8de;vertical-align:top}}\n\
         .n{{text-align:right;font-variant-numeric:tabular-nums}}code{{font-size:.85em;word-break:break-all}}h1{{font-size:1.5rem}}h2{{font-size:1.1rem;margin-top:2rem}}\n\
         </style>\n<h1>Evidence of {scope}</h1>\n<p>{from} to {to}. Made on {at} by {product} under policy {policy}.</p>\n\
         <p>Signed by the key with the fingerprint <code>{key}</code>. <a href=\"README.txt\">How to verify</a>.</p>\n\
         <h2>Lists</h2>\n<table><tr><th>List<th class=n>here<th class=n>on record<th>which<th>files</tr>\n{lists}</table>\n\
         <h2>Controls</h2>\n<table><tr><th>Framework<th class=n>pass<th class=n>exception<th class=n>attested<th class=n>fail<th class=n>not applicable<th class=n>unknown<th class=n>to attest<th class=n>hygiene</tr>\n{controls}</table>\n\
         <p>Hygiene is the share of passing checks. It is neither risk nor compliance. Unknown is never counted as passed.</p>\n\
         <h2>What this bundle does not know</h2>\n<ul>\n{unknowns}</ul>\n\
         <h2>Activity</h2>\n<p>{entries} entries in <a href=\"log/activity.jsonl\">log/activity.jsonl</a>, {points} signed checkpoints. \
         OSCAL: <a href=\"oscal/assessment-results.json\">assessment results</a>. Samples: draw rows in the order of \
         <a href=\"sampling/order.csv\">sampling/order.csv</a>, made from the seed <code>{seed}</code>.</p>\n</html>\n",
        scope = e(input.scope),
        from = input.from.date(),
        to = input.to.date(),
        at = input.made_at,
        product = e(input.product),
        policy = e(input.policy),
        key = key.public().fingerprint(),
        points = input.log.checkpoints.len(),
        seed = e(input.seed),
    )
}
