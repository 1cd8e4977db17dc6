//! Settings people write: parameters of rules.

use plumb_catalog::{Catalog, Dialect};
use plumb_iac::{MemoryFiles, ProblemSeverity, map, templates, templates::Template, terraform};
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
    let plain = |given: BTreeMap<String, serde_json::Value>| {
        given.iter().map(|(n, v)| (n.clone(), Value::from_json(v))).collect()
    };
    Ok(settings.params.into_iter().map(|(rule, given)| (rule, plain(given))).collect())
}

/// Reads a page's example in code into resources.
pub fn read_example(catalog: &Catalog) -> impl Fn(Dialect, &str) -> Option<Result<Vec<Resource>, String>> {
    |dialect, text| {
        let name = match dialect {
            Dialect::Json => return None,
            Dialect::Hcl => "main.tf",
            Dialect::CloudFormation if text.trim_start().starts_with('{') => "template.json",
            Dialect::CloudFormation => "template.yaml",
            Dialect::Arm => "template.json",
            Dialect::Bicep => "main.bicep",
        };
        Some(example_resources(catalog, dialect, name, text))
    }
}

fn example_resources(catalog: &Catalog, dialect: Dialect, name: &str, text: &str) -> Result<Vec<Resource>, String> {
    let files = MemoryFiles::new([(name, text)]);
    let reading = match dialect {
        Dialect::Hcl => terraform::read(&files, &terraform::Options::default()),
        Dialect::Json | Dialect::CloudFormation | Dialect::Arm | Dialect::Bicep => {
            let template = match dialect {
                Dialect::Bicep => Template::Bicep,
                Dialect::Arm => Template::Arm,
                _ => Template::CloudFormation,
            };
            templates::read_these(&files, &BTreeMap::from([(name.to_owned(), template)]))
        }
    };
    if let Some(problem) = reading.problems.iter().find(|p| p.severity == ProblemSeverity::Error) {
        return Err(format!("line {} of the example: {}", problem.place.line, problem.message));
    }
    Ok(map::resources(catalog, &reading).into_iter().map(|m| m.resource).collect())
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
