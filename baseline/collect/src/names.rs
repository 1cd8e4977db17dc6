//! Placeholders: what `$Path` in arguments and `{Path}` in templates stand for.

use crate::decode;
use plumb_catalog::{Decode, Path};
use plumb_model::{AccountId, Region, Value};
use serde_json::Value as Json;

/// Where a call is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The account that is asked.
    pub account: AccountId,
    /// The region that is asked; `global` for global services.
    pub region: Region,
    /// `aws`, `aws-us-gov`, `aws-cn`; empty for other providers.
    pub partition: String,
}

/// The names that placeholders may use.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// Account, region and partition.
    pub scope: &'a Scope,
    /// The raw item.
    pub item: &'a Value,
    /// The parent's raw item.
    pub parent: Option<&'a Value>,
    /// The element of `over` a call is made for.
    pub each: Option<&'a Value>,
}

impl Names<'_> {
    /// What a name stands for; null when it is not there.
    pub fn find(&self, name: &str) -> Value {
        match name {
            "account" => return Value::from(self.scope.account.as_str()),
            "region" => return Value::from(self.scope.region.as_str()),
            "partition" => return Value::from(self.scope.partition.as_str()),
            _ => {}
        }
        let below = |root: Option<&Value>, rest: &str| match (root, rest) {
            (None, _) => Value::Null,
            (Some(value), "") => value.clone(),
            (Some(value), path) => path.parse::<Path>().map_or(Value::Null, |p| p.find(value)),
        };
        for (word, root) in [("parent", self.parent), ("each", self.each), ("item", Some(self.item))] {
            if name == word {
                return below(root, "");
            }
            if let Some(rest) = name.strip_prefix(word).and_then(|r| r.strip_prefix('.')) {
                return below(root, rest);
            }
        }
        below(Some(self.item), name)
    }

    /// The text of a template such as `arn:{partition}:sqs:{region}:{account}:{QueueUrl|last-part}`; none when a name
    /// is null or unknown.
    pub fn text(&self, template: &str) -> Option<String> {
        let mut out = String::with_capacity(template.len() + 32);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let (inside, tail) = after.split_once('}')?;
            let (name, filter) = inside.split_once('|').map_or((inside, None), |(n, f)| (n, Some(f)));
            let mut value = self.find(name.trim());
            if let Some(how) = filter.and_then(|f| f.trim().parse::<Decode>().ok()) {
                value = decode(how, value, "");
            }
            match value {
                Value::Str(s) => out.push_str(&s),
                Value::Int(i) => out.push_str(&i.to_string()),
                Value::Bool(b) => out.push_str(if b { "true" } else { "false" }),
                _ => return None,
            }
            rest = tail;
        }
        out.push_str(rest);
        Some(out)
    }

    /// Arguments with their placeholders filled in; a placeholder that stands for null leaves its argument out.
    ///
    /// # Errors
    /// The name of the first placeholder that is unknown: the call cannot be made.
    pub fn args(&self, template: &Json) -> Result<Json, String> {
        Ok(match template {
            Json::String(text) if text.starts_with('$') => {
                let value = self.find(text.trim_start_matches('$'));
                if value.first_unknown().is_some() {
                    return Err(text.clone());
                }
                value.to_plain_json()
            }
            Json::String(text) if text.contains('{') => match self.text(text) {
                Some(filled) => Json::String(filled),
                None => return Err(text.clone()),
            },
            Json::Array(items) => Json::Array(items.iter().map(|i| self.args(i)).collect::<Result<_, _>>()?),
            Json::Object(members) => {
                let mut out = serde_json::Map::new();
                for (name, value) in members {
                    let filled = self.args(value)?;
                    if !filled.is_null() {
                        out.insert(name.clone(), filled);
                    }
                }
                Json::Object(out)
            }
            other => other.clone(),
        })
    }
}
