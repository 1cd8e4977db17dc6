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
            let (ids, reason) = rest.split_once([' ', ':']).unwrap_or((rest, ""));
            out.push(skip("plumb", ids.split(','), reason, span));
        }
        for (mark, tool) in [("tfsec:ignore:", "tfsec"), ("trivy:ignore:", "trivy")] {
            let mut rest = line;
            let mut ids = Vec::new();
            let mut reason = "";
            while let Some((_, after)) = rest.split_once(mark) {
                let end = after.find(char::is_whitespace).unwrap_or(after.len());
                let (id, tail) = after.split_at(end);
                // `tfsec:ignore:ID:exp:2030-01-01` and `trivy:ignore:ID[name=x]` carry conditions after the id.
                ids.push(id.split([':', '[']).next().unwrap_or(id));
                reason = tail;
                rest = tail;
            }
            if !ids.is_empty() {
                out.push(skip(tool, ids.into_iter(), reason.trim_start_matches(['#', '/', '-', ' ']), span));
            }
        }
        if let Some(rest) = line.strip_prefix("kics-scan ") {
            let rest = rest.trim();
            if let Some(ids) = rest.strip_prefix("disable=") {
                out.push(skip("kics", ids.split(','), "", span));
            } else if rest.starts_with("ignore") {
                out.push(skip("kics", std::iter::empty(), "", span));
            }
        }
    }
    out
}

fn skip<'a>(tool: &'static str, ids: impl Iterator<Item = &'a str>, reason: &str, span: Span) -> Skip {
    let ids: Vec<Arc<str>> = ids.map(str::trim).filter(|i| !i.is_empty() && *i != "*").map(Arc::from).collect();
    Skip { tool, ids, reason: reason.trim().trim_start_matches([':', '-']).trim().into(), span }
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
        assert!(skips_in("# see parts:skip=x", Span::default()).is_empty());
        assert!(skips_in("# we ignore this", Span::default()).is_empty());
    }
}
