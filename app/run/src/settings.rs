//! Settings people write: parameters of rules.

use plumb_catalog::Catalog;
use plumb_model::{Resource, RuleId, Value};
use std::collections::BTreeMap;

/// Parameters of rules from a TOML text: `[params."aws.iam.user.access-key-rotated"] max_age_days = 60`.
///
/// # Errors
/// A message naming the line of what is wrong.
pub fn read_params(text: &str) -> Result<BTreeMap<RuleId, BTreeMap<String, Value>>, String> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        #[serde(default)]
        params: BTreeMap<RuleId, BTreeMap<String, serde_json::Value>>,
    }
    let settings: Settings = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |s| text.as_bytes().iter().take(s.start).filter(|b| **b == b'\n').count() + 1);
        format!("line {line}: {}", e.message())
    })?;
    let plain = |given: BTreeMap<String, serde_json::Value>| given.iter().map(|(n, v)| (n.clone(), Value::from_json(v))).collect();
    Ok(settings.params.into_iter().map(|(rule, given)| (rule, plain(given))).collect())
}

/// Reads a page's example in code into resources; none where the dialect has no reader in this build.
pub fn read_example(_catalog: &Catalog) -> impl Fn(plumb_catalog::Dialect, &str) -> Option<Result<Vec<Resource>, String>> {
    |_, _| None
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
