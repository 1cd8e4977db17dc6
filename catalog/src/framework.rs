//! Frameworks: what standards demand, and which topics and rules answer them.

use crate::{Problem, problem::line_of};
use plumb_model::{RuleId, TopicId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One version of a framework, `catalog/frameworks/cis_aws_7.0.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Framework {
    /// `cis_aws_7.0`, from the file's name.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// The edition.
    pub version: String,
    /// Its controls, in the framework's order.
    pub controls: Vec<Control>,
}

/// One control of a framework.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// The framework's own number.
    pub id: String,
    /// What it asks, in our words (or public domain text).
    #[serde(default)]
    pub title: String,
    /// `automated` or `manual`, as the framework says; empty where it does not say.
    #[serde(default)]
    pub assessment: String,
    /// The framework's profile or level; may be empty.
    #[serde(default)]
    pub profile: String,
    /// Rules it names directly.
    #[serde(default)]
    pub rules: Vec<RuleId>,
    /// Topics that serve it, with how sure the mapping is.
    #[serde(default)]
    pub topics: Vec<TopicMap>,
}

/// A topic's part in a control.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicMap {
    /// The topic.
    pub topic: TopicId,
    /// How sure the mapping is.
    pub confidence: Confidence,
}

/// How sure a mapping is. `Low` is shown as "related" and never counted as evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Related only.
    Low,
    /// Supports the control.
    Medium,
    /// Answers the control.
    High,
    /// The framework names this very check.
    Exact,
}

/// A control a rule answers.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ControlRef {
    /// The framework's id.
    pub framework: String,
    /// The control's number.
    pub control: String,
    /// How sure the mapping is.
    pub confidence: Confidence,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFramework {
    title: String,
    version: String,
    #[serde(default)]
    control: Vec<Control>,
}

impl Framework {
    /// Reads a framework file.
    ///
    /// # Errors
    /// Wrong TOML or members, or a control number used twice.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let raw: RawFramework = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| line_of(text, span.start));
            vec![Problem::new(file, line, error.message(), "a framework holds title, version and [[control]] tables")]
        })?;
        let mut seen = BTreeMap::new();
        for control in &raw.control {
            if seen.insert(control.id.as_str(), ()).is_some() {
                return Err(vec![Problem::new(file, 0, format!("control `{}` stands twice", control.id), "")]);
            }
        }
        let name = file.rsplit('/').next().unwrap_or(file);
        let id = name.trim_end_matches(".toml").to_owned();
        Ok(Self { id, title: raw.title, version: raw.version, controls: raw.control })
    }
}
