//! Comments that ask to skip rules, in the syntaxes people already have in their code.

use crate::resource::Skip;
use crate::source::Span;
use std::sync::Arc;

/// Reads one comment (with or without its `#`, `//`, `/*` marks). A comment can hold several skips.
///
/// Known: `plumb:skip=RULE[,RULE] reason`, `checkov:skip=ID:reason` (also with `bridgecrew:` and `cortex:` before it),
/// `ts:skip=ID reason` of Terrascan, `tfsec:ignore:ID …`, `trivy:ignore:ID …`, `kics-scan disable=ID,ID`, `kics-scan ignore`,
/// `kics-scan ignore-line`, `kics-scan ignore-block`. `nosec`-style marks are not (they do not say what they skip).
pub fn skips_in(comment: &str, span: Span) -> Vec<Skip> {
    let mut out = Vec::new();
    if !["skip=", "ignore", "kics-scan"].iter().any(|m| comment.contains(m)) {
        return out;
    }
    for line in comment.lines() {
        let line = line.trim().trim_start_matches(['#', '/', '*']).trim_end_matches("*/").trim();
        for mark in ["checkov:skip=", "bridgecrew:skip=", "cortex:skip="] {
            if let Some((_, rest)) = line.split_once(mark) {
                let rest = rest.trim_start();
                let (ids, reason) = rest.split_once(':').unwrap_or_else(|| rest.split_once(' ').unwrap_or((rest, "")));
                out.push(skip("checkov", ids.split(','), reason, span));
            }
        }
        // Terrascan's mark is short: only where the comment begins with it.
        if let Some(rest) = line.strip_prefix("ts:skip=") {
            let (id, reason) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
            out.push(skip("terrascan", [id].into_iter(), reason, span));
        }
        if let Some((_, rest)) = line.split_once("plumb:skip=") {
            let (ids, reason) = ids_and_reason(rest, &[' ', ':']);
            out.push(skip("plumb", ids.split(','), reason, span));
        }
        for (mark, tool) in [("tfsec:ignore:", "tfsec"), ("trivy:ignore:", "trivy")] {
            let mut rest = line;
            let (mut ids, mut limited) = (Vec::new(), Vec::new());
            let mut reason = "";
            while let Some((_, after)) = rest.split_once(mark) {
                let end = after.find(char::is_whitespace).unwrap_or(after.len());
                let (whole, tail) = after.split_at(end);
                let (id, limits) = whole.split_at(whole.find([':', '[']).unwrap_or(whole.len()));
                match limits.is_empty() {
                    true => ids.push(id),
                    false => limited.push((id, limits)),
                }
                reason = tail;
                rest = tail;
            }
            let reason = reason.trim_start_matches(['#', '/', '-', ' ']);
            if !ids.is_empty() {
                out.push(skip(tool, ids.into_iter(), reason, span));
            }
            for (id, limits) in limited {
                let (until, only) = limits_in(limits);
                out.push(Skip { until, only, ..skip(tool, [id].into_iter(), reason, span) });
            }
        }
        if let Some(rest) = line.strip_prefix("kics-scan ") {
            let rest = rest.trim();
            // Their comments have no place for a reason; what follows is one.
            if let Some(rest) = rest.strip_prefix("disable=") {
                let (ids, reason) = ids_and_reason(rest, &[' ', ':']);
                out.push(skip("kics", ids.split(','), reason, span));
            } else if rest.starts_with("ignore") {
                let (_, reason) = rest.split_once([' ', ':']).unwrap_or((rest, ""));
                out.push(skip("kics", std::iter::empty(), reason, span));
            }
        }
    }
    out
}

/// A list of ids, and what follows it. Behind a comma another id follows, also after a blank.
fn ids_and_reason<'a>(text: &'a str, ends: &[char]) -> (&'a str, &'a str) {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(ends)).map(|at| from + at) {
        let (ids, rest) = text.split_at(at);
        if !ids.trim_end().ends_with(',') {
            return (ids, rest.get(1..).unwrap_or_default());
        }
        from = at + 1;
    }
    (text, "")
}

/// `[name=x]:exp:2030-01-31:ws:production`, what Trivy and tfsec write behind an id: the end, and what it is limited to.
fn limits_in(text: &str) -> (Option<Arc<str>>, Option<Arc<str>>) {
    let (mut until, mut only): (Option<Arc<str>>, Vec<String>) = (None, Vec::new());
    let mut rest = text;
    if let Some((inside, after)) = text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        only.push(inside.to_owned());
        rest = after;
    }
    let mut words = rest.split(':').filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        match word {
            "exp" => until = Some(words.next().unwrap_or_default().into()),
            // Also what nobody knows is a limit.
            other => only.push(format!("{other}:{}", words.next().unwrap_or_default())),
        }
    }
    (until, (!only.is_empty()).then(|| only.join(",").into()))
}

fn skip<'a>(tool: &'static str, ids: impl Iterator<Item = &'a str>, reason: &str, span: Span) -> Skip {
    let ids: Vec<Arc<str>> = ids.map(str::trim).filter(|i| !i.is_empty() && *i != "*").map(Arc::from).collect();
    Skip {
        tool,
        ids,
        reason: reason.trim().trim_start_matches([':', '-']).trim().into(),
        until: None,
        only: None,
        span,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(comment: &str, tool: &str, ids: &[&str], reason: &str) {
        let skips = skips_in(comment, Span::default());
        let [skip] = skips.as_slice() else { panic!("{comment}: {skips:?}") };
        let found: Vec<&str> = skip.ids.iter().map(|i| &**i).collect();
        assert_eq!((skip.tool, found.as_slice(), &*skip.reason), (tool, ids, reason), "{comment}");
    }

    #[test]
    fn every_known_syntax() {
        check("# plumb:skip=aws.s3.bucket.logging public site", "plumb", &["aws.s3.bucket.logging"], "public site");
        check("# plumb:skip=a.b,c.d", "plumb", &["a.b", "c.d"], "");
        check(
            "#checkov:skip=CKV_AWS_20:The bucket is a public host",
            "checkov",
            &["CKV_AWS_20"],
            "The bucket is a public host",
        );
        check("// checkov:skip=CKV_AWS_20", "checkov", &["CKV_AWS_20"], "");
        check(
            "#cortex:skip= CKV_AWS_20,CKV_AWS_21:public host",
            "checkov",
            &["CKV_AWS_20", "CKV_AWS_21"],
            "public host",
        );
        check("#ts:skip=AC_AWS_0214 rebuilt every night", "terrascan", &["AC_AWS_0214"], "rebuilt every night");
        check("#tfsec:ignore:aws-s3-x tfsec:ignore:aws-s3-y", "tfsec", &["aws-s3-x", "aws-s3-y"], "");
        check("# trivy:ignore:AVD-AWS-0089 -- by design", "trivy", &["AVD-AWS-0089"], "by design");
        check("/* tfsec:ignore:* */", "tfsec", &[], "");
        check("# kics-scan ignore-block", "kics", &[], "");
        check("# kics-scan ignore-line", "kics", &[], "");
        check("# kics-scan disable=abc,def", "kics", &["abc", "def"], "");
        check("# kics-scan ignore-block: a public site", "kics", &[], "a public site");
        check("# kics-scan disable=abc,def a public site", "kics", &["abc", "def"], "a public site");
        check("# plumb:skip=a.b, c.d: both", "plumb", &["a.b", "c.d"], "both");
        assert!(skips_in("# see parts:skip=x", Span::default()).is_empty());
        assert!(skips_in("# we ignore this", Span::default()).is_empty());
    }
    #[test]
    fn limits_stay_with_their_id() {
        let found = |comment: &str| -> Vec<(String, Option<String>, Option<String>)> {
            let text = |t: &Option<Arc<str>>| t.as_deref().map(str::to_owned);
            let skips = skips_in(comment, Span::default());
            skips.iter().map(|s| (s.ids.join("+"), text(&s.until), text(&s.only))).collect()
        };
        let row = |id: &str, until: Option<&str>, only: Option<&str>| {
            (id.to_owned(), until.map(str::to_owned), only.map(str::to_owned))
        };
        assert_eq!(found("#trivy:ignore:a:exp:2030-01-31 why"), [row("a", Some("2030-01-31"), None)]);
        assert_eq!(found("#trivy:ignore:a[name=x,b.c=d] why"), [row("a", None, Some("name=x,b.c=d"))]);
        assert_eq!(
            found("#tfsec:ignore:a:ws:prod:exp:2030-01-31 tfsec:ignore:b why"),
            [row("b", None, None), row("a", Some("2030-01-31"), Some("ws:prod"))]
        );
        assert_eq!(found("#tfsec:ignore:a:exp"), [row("a", Some(""), None)]);
    }
}
