//! Selectors: which findings a decision speaks about when it names none.

use crate::ids::TeamId;
use plumb_model::{AccountId, Region, ResourceId, RuleId};
use std::{fmt, str::FromStr};

/// A text pattern: exact, with `*` and `?`, or `re:` and a regular expression that may match anywhere.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    /// None when plain equality decides.
    regex: Option<regex::Regex>,
}

impl Pattern {
    /// The pattern that matches exactly this text.
    pub fn exact(text: &str) -> Self {
        if text.contains(['*', '?']) || text.starts_with("re:") {
            // Quoted, so that a literal star stays one; quoting always yields a valid expression.
            let quoted = format!("re:^{}$", regex::escape(text));
            return quoted.parse().unwrap_or(Self { text: quoted, regex: None });
        }
        Self { text: text.into(), regex: None }
    }

    /// Whether the pattern matches `text`.
    pub fn matches(&self, text: &str) -> bool {
        self.regex.as_ref().map_or_else(|| self.text == text, |r| r.is_match(text))
    }

    /// Whether it matches anything at all.
    pub fn is_everything(&self) -> bool {
        // What matches texts that have nothing in common leaves nothing out: `*`, `?*`, `re:`, `re:.+`.
        !self.text.is_empty() && ["a", "0", "~~", "\u{e9} /:"].iter().all(|t| self.matches(t))
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let source = if let Some(expression) = text.strip_prefix("re:") {
            expression.to_owned()
        } else if text.contains(['*', '?']) {
            let mut source = String::from("(?s)^");
            for c in text.chars() {
                match c {
                    '*' => source.push_str(".*"),
                    '?' => source.push('.'),
                    c => source.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
                }
            }
            source + "$"
        } else {
            return Ok(Self { text: text.into(), regex: None });
        };
        let built = regex::RegexBuilder::new(&source).size_limit(1 << 20).build();
        let regex = built
            .map_err(|_| format!("`{text}` is not a pattern; write text, `*`, `?`, or `re:` and an expression"))?;
        Ok(Self { text: text.into(), regex: Some(regex) })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl Eq for Pattern {}
impl serde::Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.text)
    }
}
impl<'de> serde::Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where code declares what a finding is about, as a check of that code left it on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The file, relative to what was checked.
    pub file: String,
    /// The block: `aws_s3_bucket.logs`.
    pub address: String,
}

impl Declared {
    /// The path, and what of it follows each `/`: another tool may have been started further down.
    fn paths(&self) -> impl Iterator<Item = &str> {
        let tails = self.file.match_indices('/').filter_map(|(at, _)| self.file.get(at + 1..));
        std::iter::once(self.file.as_str()).chain(tails)
    }
}

/// What a selector is held against.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The rule.
    pub rule: &'a RuleId,
    /// Other names of the rule: ids of other scanners.
    pub aliases: &'a [String],
    /// The account.
    pub account: &'a AccountId,
    /// The region.
    pub region: &'a Region,
    /// The resource.
    pub resource: &'a ResourceId,
    /// Its everyday name.
    pub name: &'a str,
    /// The owning team, if known.
    pub team: Option<&'a TeamId>,
    /// Tags of the resource and its account.
    pub tags: &'a [(String, String)],
    /// For code: the file, relative to the checked directory.
    pub file: Option<&'a str>,
    /// For what is deployed: where code declares it. A skip or a baseline of code speaks about that place.
    pub code: &'a [Declared],
}

/// Patterns that must all match; an empty list does not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selector {
    /// Rule ids or aliases.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Pattern>,
    /// Accounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<Pattern>,
    /// Regions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Pattern>,
    /// Resource ids or names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Pattern>,
    /// Tags as `key=value`; one of them must match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Pattern>,
    /// Teams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<Pattern>,
    /// Files in code.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Pattern>,
    /// What is left out again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Selector>,
}

/// In words: `rule aws.s3.*; account 1111*, 2222*`.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [
            ("rule", &self.rules),
            ("account", &self.accounts),
            ("region", &self.regions),
            ("resource", &self.resources),
            ("tag", &self.tags),
            ("team", &self.teams),
            ("file", &self.files),
        ];
        let mut parts: Vec<String> = Vec::new();
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            let words: Vec<String> = list.iter().map(ToString::to_string).collect();
            parts.push(format!("{name} {}", words.join(", ")));
        }
        parts.extend(self.except.iter().map(|e| format!("except ({e})")));
        f.write_str(if parts.is_empty() { "everything" } else { "" })?;
        f.write_str(&parts.join("; "))
    }
}

impl Selector {
    /// The selector of one rule.
    pub fn rule(rule: &str) -> Self {
        Self { rules: vec![Pattern::exact(rule)], ..Self::default() }
    }

    /// Whether it would match everything.
    pub fn is_everything(&self) -> bool {
        let open = |list: &[Pattern]| list.is_empty() || list.iter().any(Pattern::is_everything);
        [&self.rules, &self.accounts, &self.regions, &self.resources, &self.tags, &self.teams, &self.files]
            .iter()
            .all(|l| open(l))
    }

    /// Whether resources and files match together, here or where code declares it.
    fn places(&self, target: &Target<'_>) -> bool {
        let any = |list: &[Pattern], of: &dyn Fn(&Pattern) -> bool| list.is_empty() || list.iter().any(of);
        let live = |p: &Pattern| p.matches(target.resource.as_str()) || p.matches(target.name);
        let here = any(&self.resources, &live) && any(&self.files, &|p| target.file.is_some_and(|f| p.matches(f)));
        here || target.code.iter().any(|d| {
            any(&self.resources, &|p| live(p) || p.matches(&d.address))
                && any(&self.files, &|p| d.paths().any(|f| p.matches(f)))
        })
    }

    /// Whether `target` is selected.
    pub fn matches(&self, target: &Target<'_>) -> bool {
        let any = |list: &[Pattern], of: &dyn Fn(&Pattern) -> bool| list.is_empty() || list.iter().any(of);
        any(&self.rules, &|p| p.matches(target.rule.as_str()) || target.aliases.iter().any(|a| p.matches(a)))
            && any(&self.accounts, &|p| p.matches(target.account.as_str()))
            && any(&self.regions, &|p| p.matches(target.region.as_str()))
            && any(&self.tags, &|p| target.tags.iter().any(|(k, v)| p.matches(&format!("{k}={v}"))))
            && any(&self.teams, &|p| target.team.is_some_and(|t| p.matches(t.as_str())))
            && self.places(target)
            && !self.except.iter().any(|e| !e.is_everything() && e.matches(target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G37: what was skipped in code speaks about what that code deployed.
    #[test]
    fn a_place_in_code_selects_what_it_declares() {
        let code = [Declared { file: "shop/main.tf".into(), address: "aws_s3_bucket.logs".into() }];
        let (rule, account, region, resource) =
            ("r".into(), "1".into(), "eu-west-1".into(), "arn:aws:s3:::logs".into());
        let target = Target {
            rule: &rule,
            aliases: &[],
            account: &account,
            region: &region,
            resource: &resource,
            name: "logs",
            team: None,
            tags: &[],
            file: None,
            code: &code,
        };
        let list = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect::<Vec<Pattern>>();
        for (resources, files, met) in [
            (&["aws_s3_bucket.logs"] as &[_], &["shop/main.tf"] as &[_], true),
            (&["aws_s3_bucket.logs"], &["main.tf"], true),
            (&["logs"], &["main.tf"], true),
            (&["aws_s3_bucket.logs"], &[], true),
            (&["aws_s3_bucket.logs"], &["ain.tf"], false),
            (&["aws_s3_bucket.other"], &["main.tf"], false),
            (&["logs"], &["other.tf"], false),
        ] {
            let selector = Selector { resources: list(resources), files: list(files), ..Selector::rule("r") };
            assert_eq!(selector.matches(&target), met, "{selector}");
            assert!(!selector.matches(&Target { code: &[], ..target }) || files.is_empty(), "{selector}");
        }
        let words = Selector { accounts: list(&["1*", "2"]), ..Selector::rule("aws.s3.bucket.versioning") };
        assert_eq!(words.to_string(), "rule aws.s3.bucket.versioning; account 1*, 2");
        assert_eq!(Selector::default().to_string(), "everything");
    }
}
