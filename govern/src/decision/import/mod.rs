//! Other tools' mute lists, baselines and skip comments, read as requests.
//!
//! Nothing that was muted elsewhere is accepted here by that alone: each entry becomes a [`Draft`] that names where it
//! came from, and [`Draft::problems`] says what it lacks. Most lack an owner, an end and a trigger.

mod yaml;

use super::selector::{Pattern, Selector};
use super::{Draft, Kind, Origin, Subject};
use plumb_model::Time;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// A file that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{tool} file {problem}")]
pub struct ImportError {
    /// The tool.
    pub tool: &'static str,
    /// What is wrong, and what would be right.
    pub problem: String,
}

fn wrong(tool: &'static str, problem: impl Into<String>) -> ImportError {
    ImportError { tool, problem: problem.into() }
}

fn draft(tool: &str, place: String, selector: Selector, why: &str) -> Draft {
    let subject = Subject::Selector { selector, matched: BTreeSet::new(), covers_future: false };
    let mut draft = Draft::about(Kind::Exception, subject);
    draft.justification = why.trim().into();
    draft.origin = Origin::Import { tool: tool.into(), place };
    draft
}

/// A skip comment in code: `plumb:skip=<rule>: reason`, `checkov:skip=…`, `trivy:ignore:…`.
pub fn inline_skip(rule: &str, file: &str, line: u32, reason: &str, resource: &str) -> Draft {
    let selector = Selector {
        files: vec![Pattern::exact(file)],
        resources: if resource.is_empty() { vec![] } else { vec![Pattern::exact(resource)] },
        ..Selector::rule(rule)
    };
    let mut draft = draft("", String::new(), selector, reason);
    draft.origin = Origin::Inline { file: file.into(), line, text: reason.into() };
    draft
}

fn texts(value: Option<&Json>) -> Vec<String> {
    match value {
        Some(Json::String(s)) => vec![s.clone()],
        Some(Json::Array(items)) => {
            items.iter().map(|i| i.as_str().map_or_else(|| i.to_string(), Into::into)).collect()
        }
        _ => Vec::new(),
    }
}

/// Prowler's patterns: `*` alone is everything; resources and tags are searched as regular expressions.
fn searched(items: &[String]) -> Result<Vec<Pattern>, ImportError> {
    if items.iter().any(|i| i == "*" || i == ".*") {
        return Ok(Vec::new());
    }
    items.iter().map(|i| format!("re:{i}").parse().map_err(|e: String| wrong("prowler", e))).collect()
}

/// Accounts, regions and checks: text with `*`.
fn named(items: &[String]) -> Result<Vec<Pattern>, ImportError> {
    if items.iter().any(|i| i == "*") {
        return Ok(Vec::new());
    }
    items.iter().map(|i| i.parse().map_err(|e: String| wrong("prowler", e))).collect()
}

/// Reads a Prowler mute list (YAML): accounts → checks → regions, resources, tags, exceptions, description.
///
/// # Errors
/// It is not YAML of that shape, or a pattern is not a regular expression.
pub fn prowler_mutelist(text: &str) -> Result<Vec<Draft>, ImportError> {
    let document = yaml::parse(text).map_err(|e| wrong("prowler", e))?;
    let list = document.get("Mutelist").or_else(|| document.get("Allowlist"));
    let accounts = list.and_then(|m| m.get("Accounts")).and_then(Json::as_object);
    let accounts = accounts.ok_or_else(|| wrong("prowler", "has no `Mutelist: Accounts:`"))?;
    let mut out = Vec::new();
    for (account, body) in accounts {
        let checks = body.get("Checks").and_then(Json::as_object);
        let checks = checks.ok_or_else(|| wrong("prowler", format!("has no `Checks:` under account `{account}`")))?;
        for (check, m) in checks {
            let list = |key: &str| texts(m.get(key));
            let except = match m.get("Exceptions") {
                Some(e) if e.is_object() => {
                    let s = Selector {
                        accounts: named(&texts(e.get("Accounts")))?,
                        regions: named(&texts(e.get("Regions")))?,
                        resources: searched(&texts(e.get("Resources")))?,
                        tags: searched(&texts(e.get("Tags")))?,
                        ..Selector::default()
                    };
                    if s.is_everything() { vec![] } else { vec![s] }
                }
                _ => vec![],
            };
            let selector = Selector {
                rules: named(std::slice::from_ref(check))?,
                accounts: named(std::slice::from_ref(account))?,
                regions: named(&list("Regions"))?,
                resources: searched(&list("Resources"))?,
                tags: searched(&list("Tags"))?,
                except,
                ..Selector::default()
            };
            let why = m.get("Description").and_then(Json::as_str).unwrap_or_default();
            out.push(draft("prowler", format!("{account}/{check}"), selector, why));
        }
    }
    Ok(out)
}

/// Reads a Checkov baseline (`.checkov.baseline`), or the skipped checks of a Checkov result, both JSON.
///
/// # Errors
/// The document has neither `failed_checks` nor `results.skipped_checks`.
pub fn checkov(document: &Json) -> Result<Vec<Draft>, ImportError> {
    // A result over several frameworks is a list of results.
    if let Some(parts) = document.as_array() {
        let all: Result<Vec<_>, _> = parts.iter().map(checkov).collect();
        return all.map(|v| v.into_iter().flatten().collect());
    }
    let text = |v: &Json, key: &str| v.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let local = |file: String| file.trim_start_matches('/').to_owned();
    let pick = |check: &str, file: &str, resource: &str| Selector {
        files: vec![Pattern::exact(file)],
        resources: vec![Pattern::exact(resource)],
        ..Selector::rule(check)
    };
    if let Some(skipped) = document.pointer("/results/skipped_checks").and_then(Json::as_array) {
        let one = |s: &Json| {
            let (check, file, resource) = (text(s, "check_id"), local(text(s, "file_path")), text(s, "resource"));
            let line = s.pointer("/file_line_range/0").and_then(Json::as_u64).unwrap_or(0);
            let why = s.pointer("/check_result/suppress_comment").and_then(Json::as_str).unwrap_or_default();
            draft("checkov", format!("{file}:{line} {check}"), pick(&check, &file, &resource), why)
        };
        return Ok(skipped.iter().map(one).collect());
    }
    let failed = document.get("failed_checks").and_then(Json::as_array);
    let failed = failed.ok_or_else(|| wrong("checkov", "has neither `failed_checks` nor `results.skipped_checks`"))?;
    let mut out = Vec::new();
    for entry in failed {
        let file = local(text(entry, "file"));
        for found in entry.get("findings").and_then(Json::as_array).into_iter().flatten() {
            let resource = text(found, "resource");
            for check in texts(found.get("check_ids")) {
                out.push(draft("checkov", format!("{file} {resource} {check}"), pick(&check, &file, &resource), ""));
            }
        }
    }
    Ok(out)
}

/// Reads a `.trivyignore`: one id a line, an end as `exp:2027-01-31`, the comment above as the reason.
///
/// # Errors
/// An end is not a date, or a line is no id.
pub fn trivyignore(text: &str) -> Result<Vec<Draft>, ImportError> {
    let mut out = Vec::new();
    let mut comment = String::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(c) = line.strip_prefix('#') {
            comment = format!("{comment} {}", c.trim()).trim().to_owned();
            continue;
        }
        let (body, tail) = line.split_once(" #").unwrap_or((line, ""));
        let mut words = body.split_whitespace();
        let Some(id) = words.next() else {
            comment.clear();
            continue;
        };
        let place = format!(".trivyignore:{}", n + 1);
        if !id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:*/".contains(&b)) {
            return Err(wrong(
                "trivy",
                format!("{place}: `{id}` is no id; one a line is, and `exp:2027-01-31` behind it"),
            ));
        }
        let why = format!("{comment} {}", tail.trim());
        comment.clear();
        let mut d = draft("trivy", place.clone(), Selector::rule(id), &why);
        for word in words {
            if let Some(date) = word.strip_prefix("exp:") {
                let end: Time = date.parse().map_err(|e| wrong("trivy", format!("{place}: {e}")))?;
                d.expires_at = Some(end);
            } else if !word.contains(':') {
                return Err(wrong("trivy", format!("{place}: `{word}` is not `exp:` with a date; one id a line is")));
            }
        }
        out.push(d);
    }
    Ok(out)
}

/// Reads ScoutSuite exceptions: service → rule → paths of items.
///
/// # Errors
/// The document is of another shape.
pub fn scoutsuite(document: &Json) -> Result<Vec<Draft>, ImportError> {
    let shape = || wrong("scoutsuite", "is not `{\"service\": {\"rule\": [\"path\"]}}`");
    let mut out = Vec::new();
    for (service, rules) in document.as_object().ok_or_else(shape)? {
        for (rule, items) in rules.as_object().ok_or_else(shape)? {
            for path in texts(Some(items)) {
                // A path such as `ec2.regions.eu-west-1.vpcs.vpc-1.security_groups.sg-1` says of what kind, and which, in turn.
                let mut selector = Selector::rule(rule);
                let mut parts = path.split('.').skip(1).filter(|p| *p != "id");
                while let (Some(kind), Some(name)) = (parts.next(), parts.next()) {
                    let list = if kind == "regions" { &mut selector.regions } else { &mut selector.resources };
                    list.push(Pattern::exact(name));
                }
                out.push(draft("scoutsuite", format!("{service}/{rule}/{path}"), selector, ""));
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::*;

    fn matches(d: &Draft, rule: &str, alias: &str, account: &str, region: &str, resource: &str, file: &str) -> bool {
        let Subject::Selector { selector, .. } = &d.subject else { return false };
        let (rule, account, region, id) = (rule.into(), account.into(), region.into(), resource.into());
        let aliases = [alias.to_owned()];
        let tags = [("env".to_owned(), "test".to_owned())];
        selector.matches(&Target {
            rule: &rule,
            aliases: &aliases,
            account: &account,
            region: &region,
            resource: &id,
            name: resource,
            team: None,
            tags: &tags,
            file: Some(file),
            code: &[],
        })
    }

    #[test]
    fn a_prowler_mutelist() {
        let text = r#"
Mutelist:
  # everywhere
  Accounts:
    "*":
      Checks:
        "ecs_*":
          Regions: ["*"]
          Resources:
            - "*"
          Tags:
            - "env=test"   # by tag
          Exceptions:
            Accounts: ["999999999999"]
    "111122223333":
      Checks:
        iam_user_hardware_mfa_enabled:
          Regions:
          - us-east-1
          Resources: ['user-1', "^admin-.*$"]
          Description: "Break-glass users: kept in the safe"
"#;
        let drafts = prowler_mutelist(text).unwrap();
        assert_eq!(drafts.len(), 2);
        let by = |place: &str| {
            drafts.iter().find(|d| d.origin == Origin::Import { tool: "prowler".into(), place: place.into() }).unwrap()
        };
        let wide = by("*/ecs_*");
        assert!(matches(wide, "x", "ecs_task", "1", "eu-west-1", "r", ""));
        assert!(!matches(wide, "x", "ecs_task", "999999999999", "eu-west-1", "r", ""));
        let narrow = by("111122223333/iam_user_hardware_mfa_enabled");
        assert_eq!(narrow.justification, "Break-glass users: kept in the safe");
        assert!(matches(narrow, "x", "iam_user_hardware_mfa_enabled", "111122223333", "us-east-1", "admin-7", ""));
        assert!(!matches(narrow, "x", "iam_user_hardware_mfa_enabled", "111122223333", "eu-west-1", "admin-7", ""));
        assert!(!matches(narrow, "x", "iam_user_hardware_mfa_enabled", "111122223333", "us-east-1", "guest", ""));
        assert!(narrow.problems().iter().any(|p| p.field == "expires_at"), "no end: flagged");
        assert!(prowler_mutelist("Mutelist: {}").unwrap_err().to_string().contains("Accounts"));
    }

    #[test]
    fn checkov_baselines_and_skips() {
        let base = serde_json::json!({ "failed_checks": [{ "file": "/main.tf", "findings": [{ "resource": "aws_s3_bucket.a", "check_ids": ["CKV_AWS_18", "CKV_AWS_21"] }] }] });
        let drafts = checkov(&base).unwrap();
        assert_eq!(drafts.len(), 2);
        assert!(matches(&drafts[0], "x", "CKV_AWS_18", "code", "global", "aws_s3_bucket.a", "main.tf"));
        assert!(!matches(&drafts[0], "x", "CKV_AWS_18", "code", "global", "aws_s3_bucket.b", "main.tf"));
        let skips = serde_json::json!([{ "results": { "skipped_checks": [{ "check_id": "CKV_AWS_18", "file_path": "/a.tf", "resource": "r", "file_line_range": [3, 9], "check_result": { "suppress_comment": "log bucket" } }] } }]);
        assert_eq!(checkov(&skips).unwrap()[0].justification, "log bucket");
        assert!(checkov(&serde_json::json!({})).is_err());
    }

    #[test]
    fn trivyignore_with_ends_and_reasons() {
        let drafts =
            trivyignore("# vendor fixes in March\nAVD-AWS-0089 exp:2027-03-31\n\nCVE-2024-1 # later\n").unwrap();
        assert_eq!(drafts[0].expires_at, Some("2027-03-31".parse().unwrap()));
        assert_eq!(drafts[0].justification, "vendor fixes in March");
        assert_eq!((drafts[1].expires_at, drafts[1].justification.as_str()), (None, "later"));
        for wrong in ["X exp:soon", "some words", "{\"x\": 1}", "\u{1}\u{2}"] {
            assert!(trivyignore(wrong).unwrap_err().to_string().contains(".trivyignore:1"), "{wrong}");
        }
    }

    #[test]
    fn scoutsuite_exceptions() {
        let drafts =
            scoutsuite(&serde_json::json!({ "s3": { "s3-bucket-no-logging": ["s3.buckets.orders"] } })).unwrap();
        let group = serde_json::json!({ "ec2": { "open": ["ec2.regions.eu-west-1.vpcs.vpc-1.security_groups.sg-1"] } });
        let group = &scoutsuite(&group).unwrap()[0];
        assert!(matches(group, "x", "open", "1", "eu-west-1", "sg-1", ""));
        assert!(!matches(group, "x", "open", "1", "us-east-1", "sg-1", ""));
        assert!(!matches(group, "x", "open", "1", "eu-west-1", "security_groups", ""));
        assert!(matches(&drafts[0], "x", "s3-bucket-no-logging", "1", "global", "orders", ""));
        assert!(!matches(&drafts[0], "x", "s3-bucket-no-logging", "1", "global", "other", ""));
        assert!(scoutsuite(&serde_json::json!([])).is_err());
    }

    #[test]
    fn an_inline_skip_is_a_request() {
        let d = inline_skip("aws.s3.bucket.versioned", "main.tf", 7, "logs only", "aws_s3_bucket.logs");
        assert_eq!(d.origin, Origin::Inline { file: "main.tf".into(), line: 7, text: "logs only".into() });
        assert!(d.problems().len() >= 5);
    }
}
