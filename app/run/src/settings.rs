//! Settings people write: parameters of rules.

use plumb_catalog::{Catalog, Dialect};
use plumb_iac::{ProblemSeverity, Reading, map};
use plumb_model::{Resource, RuleId, Value};
use std::collections::BTreeMap;

/// What a settings file may hold.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    params: BTreeMap<RuleId, BTreeMap<String, serde_json::Value>>,
    #[serde(default)]
    check: CheckSettings,
}

/// What `plumb check` does unless the command line says otherwise: the table `[check]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckSettings {
    /// Exit 1 only for findings of this severity or worse.
    pub fail_on: Option<String>,
    /// Only rules of this severity or worse.
    pub severity: Option<String>,
    /// Only rules that these frameworks name.
    pub frameworks: Vec<String>,
    /// Only these rules.
    pub checks: Vec<String>,
    /// All but these rules.
    pub skip_checks: Vec<String>,
    /// The file that lists known findings, relative to the settings file.
    pub baseline: Option<String>,
    /// One line a finding.
    pub compact: bool,
}

fn read(text: &str) -> Result<Settings, String> {
    toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |s| text.as_bytes().iter().take(s.start).filter(|b| **b == b'\n').count() + 1);
        format!("line {line}: {}", e.message())
    })
}

/// Parameters of rules from a TOML text: `[params."aws.iam.user.access-key-rotated"] max_age_days = 60`.
///
/// # Errors
/// A message naming the line of what is wrong.
pub fn read_params(text: &str) -> Result<BTreeMap<RuleId, BTreeMap<String, Value>>, String> {
    let plain = |given: BTreeMap<String, serde_json::Value>| {
        given.iter().map(|(n, v)| (n.clone(), Value::from_json(v))).collect()
    };
    Ok(read(text)?.params.into_iter().map(|(rule, given)| (rule, plain(given))).collect())
}

/// The table `[check]` of the same text.
///
/// # Errors
/// A message naming the line of what is wrong.
pub fn read_check_settings(text: &str) -> Result<CheckSettings, String> {
    read(text).map(|s| s.check)
}

/// Reads a page's example in code into resources.
pub fn read_example(catalog: &Catalog) -> impl Fn(Dialect, &str) -> Option<Result<Vec<Resource>, String>> {
    |dialect, text| Some(example_resources(catalog, &plumb_iac::read_example(dialect, text)?))
}

fn example_resources(catalog: &Catalog, reading: &Reading) -> Result<Vec<Resource>, String> {
    if let Some(problem) = reading.problems.iter().find(|p| p.severity == ProblemSeverity::Error) {
        return Err(format!("line {} of the example: {}", problem.place.line, problem.message));
    }
    Ok(map::resources(catalog, reading).into_iter().map(|m| std::sync::Arc::unwrap_or_clone(m.resource)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_mistakes_named() {
        let read = read_params("[params.\"aws.iam.user.access-key-rotated\"]\nmax_age_days = 60\n").unwrap();
        let rule = read.get("aws.iam.user.access-key-rotated").unwrap();
        assert_eq!(rule.get("max_age_days"), Some(&Value::Int(60)));
        assert!(read_params("\nparms = 1").unwrap_err().starts_with("line 2: unknown field `parms`"));
    }
}
