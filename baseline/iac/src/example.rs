//! Examples of rule pages, read as the files they would be.

use crate::{MemoryFiles, Reading, templates, templates::Template, terraform};
use plumb_catalog::Dialect;
use std::collections::BTreeMap;

/// Reads an example of a page as a repository of one file; none when it is not code.
pub fn read_example(dialect: Dialect, text: &str) -> Option<Reading> {
    let (name, template) = match dialect {
        Dialect::Json => return None,
        Dialect::Hcl => {
            let files = MemoryFiles::new([("main.tf", text)]);
            return Some(terraform::read(&files, &terraform::Options::default()));
        }
        Dialect::CloudFormation if text.trim_start().starts_with('{') => ("template.json", Template::CloudFormation),
        Dialect::CloudFormation => ("template.yaml", Template::CloudFormation),
        Dialect::Arm => ("template.json", Template::Arm),
        Dialect::Bicep => ("main.bicep", Template::Bicep),
    };
    let files = MemoryFiles::new([(name, text)]);
    Some(templates::read_these(&files, &BTreeMap::from([(name.to_owned(), template)])))
}
