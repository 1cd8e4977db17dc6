//! A rule is a page: front matter, prose, conditions and examples in one Markdown file.

use crate::{Problem, aliases::Aliases, kind::from_toml, problem::line_of, text::Text};
use plumb_model::{KindId, RuleId, Severity, TopicId, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{borrow::Cow, collections::BTreeMap};

/// A rule page, `catalog/aws/sqs/queue/encrypted-at-rest.md`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub struct Rule {
    /// `aws.sqs.queue.encrypted-at-rest`, from the file's path (without a leading `assess/`).
    pub id: RuleId,
    /// The kind it judges: the folder it is in, unless the front matter says otherwise.
    pub kind: KindId,
    /// The file, for messages.
    pub file: String,
    /// The good state in words: "Queues are encrypted at rest".
    pub title: String,
    /// How bad a failure is before context.
    pub severity: Severity,
    /// The provider-neutral intent it serves.
    pub topic: TopicId,
    /// Ids of the same check elsewhere.
    pub aliases: Aliases,
    /// Ids this rule had before; findings keep their identity through them.
    pub was: Vec<RuleId>,
    /// Named constants of the condition, settable by configuration.
    pub params: BTreeMap<String, Param>,
    /// A failure outranks everything whatever the context (root without MFA, a public bucket …).
    pub hard: bool,
    /// Field to the value that makes it pass, where the passing examples do not tell; see `plumb check --fix`.
    pub fix: BTreeMap<String, Value>,
    /// Since which version.
    pub since: String,
    /// Applies only where this holds (CEL); none means always.
    pub when: Option<Block>,
    /// Judges parts: a list expression, each element named `part`, with `key` its sub key.
    pub parts: Option<Block>,
    /// The sub key of a part (CEL, text).
    pub part_key: Option<Block>,
    /// The condition that must hold to pass (CEL), or the name of a native function.
    pub pass: Condition,
    /// The page's tests.
    pub examples: Vec<Example>,
    /// The Markdown after the front matter.
    pub body: Text,
    /// First line of the body in the file.
    pub body_line: usize,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
}

/// A condition: CEL text, or a native function of the assess layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub enum Condition {
    /// CEL that must be true.
    Cel(Block),
    /// The name of a native rule.
    Native(String),
}

/// A fenced block: its text and the line in the file where it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The text inside the fence.
    #[serde(borrow)]
    pub text: Cow<'static, str>,
    /// Line of its first line, from 1.
    pub line: usize,
}

/// A named constant of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Its value unless configured.
    pub default: Value,
    /// What it means, with its unit.
    pub doc: String,
}

/// What an example is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Dialect {
    /// The kind's fields as JSON.
    Json,
    /// Terraform.
    Hcl,
    /// CloudFormation (YAML or JSON).
    CloudFormation,
    /// An ARM template.
    Arm,
    /// Bicep.
    Bicep,
}

impl Dialect {
    /// Every dialect, with the word that marks its fenced blocks.
    pub const ALL: [(&'static str, Self); 5] = [
        ("json", Self::Json),
        ("hcl", Self::Hcl),
        ("cloudformation", Self::CloudFormation),
        ("arm", Self::Arm),
        ("bicep", Self::Bicep),
    ];
}

/// What an example must come out as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Expect {
    /// pass
    Pass,
    /// fail
    Fail,
    /// unknown
    Unknown,
    /// not applicable
    NotApplicable,
}

/// A fenced example, which is a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// What it is written in.
    pub dialect: Dialect,
    /// What must come out.
    pub expect: Expect,
    /// What it shows.
    pub title: Text,
    /// The example.
    pub text: Text,
    /// Line of its first line in the file, from 1.
    pub line: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Front {
    severity: String,
    topic: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    aliases: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    was: Vec<String>,
    #[serde(default)]
    params: BTreeMap<String, RawParam>,
    #[serde(default)]
    hard: bool,
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    fix: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawParam {
    default: toml::Value,
    #[serde(default)]
    doc: String,
}

/// The text of a page below a `##` heading, up to the next; empty when there is none.
pub fn section(body: &str, heading: &str) -> String {
    let mut out = String::new();
    let (mut inside, mut fenced) = (false, false);
    for line in body.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if !fenced && line.starts_with("## ") {
            inside = line.trim_start_matches('#').trim() == heading;
            continue;
        }
        if inside {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.trim().into()
}

impl Rule {
    /// Reads a page. `file` is its path below the catalog root.
    ///
    /// # Errors
    /// Every problem found: no front matter, wrong members, no title, no condition, no pass or fail example, a fence
    /// that is not closed or not understood.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let one = |line, message: &str, help: &str| vec![Problem::new(file, line, message, help)];
        let Some(rest) = text.strip_prefix("+++\n") else {
            return Err(one(1, "a rule page starts with its front matter", "put TOML between two lines of +++"));
        };
        let Some((front_text, body)) = rest.split_once("\n+++\n") else {
            return Err(one(1, "the front matter is not closed", "end it with a line of +++"));
        };
        let front: Front = match toml::from_str(front_text) {
            Ok(front) => front,
            Err(error) => {
                let line = error.span().map_or(1, |span| line_of(front_text, span.start) + 1);
                return Err(one(
                    line,
                    error.message(),
                    "the front matter holds severity, topic, aliases, params, was, hard, since, kind, fix",
                ));
            }
        };
        let body_line = front_text.lines().count() + 3;
        let mut problems = Vec::new();
        // Pages judged by what the assessment finds live in a folder of their own, which is not part of their id.
        let place = file.strip_prefix("assess/").unwrap_or(file);
        let id = RuleId::from(place.trim_end_matches(".md").replace('/', "."));
        let severity = front.severity.parse().unwrap_or_else(|message: String| {
            problems.push(Problem::new(file, 2, message, ""));
            Severity::Medium
        });
        let mut page = Fences::default();
        page.read(file, body, body_line, &mut problems);
        if page.title.is_empty() {
            problems.push(Problem::new(
                file,
                body_line,
                "the page has no title",
                "add `# What is true when all is well`",
            ));
        }
        let pass = match (page.pass, page.native) {
            (Some(block), None) => Condition::Cel(block),
            (None, Some(name)) => Condition::Native(name),
            (Some(_), Some(_)) => {
                problems.push(Problem::new(
                    file,
                    body_line,
                    "the page has a cel and a native condition",
                    "keep one of them",
                ));
                Condition::Native(String::new())
            }
            (None, None) => {
                problems.push(Problem::new(
                    file,
                    body_line,
                    "the page has no condition",
                    "add a fenced block marked `cel`",
                ));
                Condition::Native(String::new())
            }
        };
        // What a native function says hangs on many reads: its page shows what a missing one does.
        let wanted = [(Expect::Pass, "pass"), (Expect::Fail, "fail"), (Expect::Unknown, "unknown")];
        for (want, word) in wanted.into_iter().take(if matches!(pass, Condition::Native(_)) { 3 } else { 2 }) {
            if !page.examples.iter().any(|e| e.expect == want) {
                let help = format!("add a fenced block marked `json {word}: what it shows`");
                problems.push(Problem::new(file, body_line, format!("the page has no {word} example"), help));
            }
        }
        if page.parts.is_some() != page.part_key.is_some() {
            problems.push(Problem::new(
                file,
                body_line,
                "`cel parts` and `cel key` go together",
                "add the missing one",
            ));
        }
        for heading in ["Why it matters", "How to fix"] {
            if !body.lines().any(|l| l.trim_start_matches('#').trim() == heading && l.starts_with("##")) {
                problems.push(Problem::new(file, body_line, format!("the page has no section `{heading}`"), ""));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            kind: front.kind.map_or_else(|| id.kind(), KindId::from),
            id,
            file: file.into(),
            title: page.title,
            severity,
            topic: TopicId::from(front.topic),
            aliases: front.aliases.into(),
            was: front.was.into_iter().map(RuleId::from).collect(),
            params: front
                .params
                .into_iter()
                .map(|(name, p)| (name, Param { default: from_toml(&p.default), doc: p.doc }))
                .collect(),
            hard: front.hard,
            fix: front.fix.iter().map(|(field, value)| (field.clone(), from_toml(value))).collect(),
            since: front.since.unwrap_or_else(|| "0.1.0".into()),
            when: page.when,
            parts: page.parts,
            part_key: page.part_key,
            pass,
            examples: page.examples,
            digest: Sha256::digest(body.trim()).into(),
            body: body.trim().to_owned().into(),
            body_line,
        })
    }

    /// The text of a `## heading` section without its heading, trimmed; empty if there is none.
    pub fn section(&self, heading: &str) -> String {
        section(&self.body, heading)
    }

    /// The paragraph under the title.
    pub fn summary(&self) -> String {
        let after_title = self.body.lines().skip_while(|l| !l.starts_with("# ")).skip(1);
        after_title
            .skip_while(|l| l.trim().is_empty())
            .take_while(|l| !l.trim().is_empty() && !l.starts_with('#') && !l.starts_with("```"))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

#[derive(Default)]
struct Fences {
    title: String,
    when: Option<Block>,
    parts: Option<Block>,
    part_key: Option<Block>,
    pass: Option<Block>,
    native: Option<String>,
    examples: Vec<Example>,
}

impl Fences {
    fn read(&mut self, file: &str, body: &str, first_line: usize, problems: &mut Vec<Problem>) {
        let mut open: Option<(String, usize, String)> = None;
        for (at, line) in body.lines().enumerate() {
            let line_number = first_line + at;
            if let Some(info) = line.strip_prefix("```") {
                match open.take() {
                    Some((info, start, text)) => {
                        self.fence(file, &info, Block { text: text.into(), line: start + 1 }, problems)
                    }
                    None => open = Some((info.trim().to_owned(), line_number, String::new())),
                }
            } else if let Some((_, _, text)) = &mut open {
                text.push_str(line);
                text.push('\n');
            } else if let Some(title) = line.strip_prefix("# ")
                && self.title.is_empty()
            {
                self.title = title.trim().into();
            }
        }
        if let Some((_, start, _)) = open {
            problems.push(Problem::new(file, start, "the fenced block is not closed", "end it with ```"));
        }
    }

    fn fence(&mut self, file: &str, info: &str, block: Block, problems: &mut Vec<Problem>) {
        let (head, title) = info.split_once(':').map_or((info, ""), |(h, t)| (h, t.trim()));
        let words: Vec<&str> = head.split_whitespace().collect();
        let line = block.line.saturating_sub(1);
        match words.as_slice() {
            ["cel"] => self.pass = Some(block),
            ["cel", "when"] => self.when = Some(block),
            ["cel", "parts"] => self.parts = Some(block),
            ["cel", "key"] => self.part_key = Some(block),
            ["cel", other] => {
                let help = "one of `cel`, `cel when`, `cel parts`, `cel key`";
                problems.push(Problem::new(file, line, format!("`cel {other}` is not a block"), help));
            }
            ["native"] => self.native = Some(block.text.trim().into()),
            [dialect, expect] if Dialect::ALL.iter().any(|(name, _)| name == dialect) => {
                let dialect = Dialect::ALL.iter().find(|(name, _)| name == dialect).map_or(Dialect::Json, |(_, d)| *d);
                let expect = match *expect {
                    "pass" => Expect::Pass,
                    "fail" => Expect::Fail,
                    "unknown" => Expect::Unknown,
                    "na" => Expect::NotApplicable,
                    // A fix or any other code block of the prose.
                    "fix" => return,
                    other => {
                        let help = "one of pass, fail, unknown, na, fix";
                        problems.push(Problem::new(file, line, format!("an example cannot be `{other}`"), help));
                        return;
                    }
                };
                let (text, line) = (block.text.into_owned().into(), block.line);
                self.examples.push(Example { dialect, expect, title: title.to_owned().into(), text, line });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "+++\nseverity = \"medium\"\ntopic = \"data.encryption-at-rest\"\naliases = { fsbp = [\"SQS.1\"] }\n+++\n\n# Queues are encrypted\n\nThey hold data.\n\n```cel\nkms_key_id != \"\"\n```\n\n## Why it matters\n\nBecause.\n\n## How to fix\n\n```sh\naws x\n```\n\n## Examples\n\n```json pass: key\n{}\n```\n```json fail: none\n{}\n```\n";

    #[test]
    fn a_page_is_read() {
        let rule = Rule::parse("aws/sqs/queue/encrypted-at-rest.md", PAGE).unwrap();
        assert_eq!(rule.id.as_str(), "aws.sqs.queue.encrypted-at-rest");
        assert_eq!(rule.kind.as_str(), "aws.sqs.queue");
        assert_eq!(rule.title, "Queues are encrypted");
        assert_eq!(rule.summary(), "They hold data.");
        assert_eq!(rule.section("Why it matters"), "Because.");
        assert_eq!(rule.examples.len(), 2);
        let Condition::Cel(block) = rule.pass else { panic!("cel") };
        assert_eq!((&*block.text, block.line), ("kms_key_id != \"\"\n", 12));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        #[track_caller]
        fn check(from: &str, to: &str, want: &str) {
            let text = PAGE.replace(from, to);
            let problems = Rule::parse("a/b/c/d.md", &text).unwrap_err();
            let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert!(shown.iter().any(|p| p.contains(want)), "{shown:?}");
        }
        check("+++\nsev", "sev", "starts with its front matter");
        check("severity", "severitty", "a/b/c/d.md:2: unknown field `severitty`");
        check("\"medium\"", "\"middling\"", "unknown severity `middling`");
        check("```json fail: none\n{}\n```\n", "", "no fail example");
        check("```cel\n", "```cell\n", "no condition");
        check("```json pass", "```json passes", "an example cannot be `passes`");
        check("# Queues", "Queues", "no title");
        check("## Why it matters", "## Why", "no section `Why it matters`");
    }
}
