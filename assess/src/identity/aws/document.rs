//! Policy documents: parsed from JSON, checked, and compiled for evaluation.

use super::{
    condition::Condition,
    context::Context,
    data,
    glob::{Pattern, ResourcePattern, ResourceText, glob},
    principal::Principals,
    tri::Tri,
};
use serde_json::Value as Json;
use std::{ops::Range, sync::Arc};

/// A policy document in a form that can be evaluated, linted and shown again.
///
/// Parsing never fails on content: a statement IAM would reject is left out and named in [`Document::problems`], so
/// it can neither allow nor deny. Only text that is not a JSON object is an error.
#[derive(Debug, Clone)]
pub struct Document {
    /// `2012-10-17`, `2008-10-17`, or empty when the document does not say.
    pub version: Box<str>,
    /// The statements that can take part in evaluation, in order.
    pub statements: Box<[Statement]>,
    /// What is wrong with the document.
    pub problems: Vec<Problem>,
}

/// A defect of a policy document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which statement, counted from 0; none for the document itself.
    pub statement: Option<usize>,
    /// What is wrong and what would be right.
    pub what: String,
    /// Whether the statement was left out although, as far as it can be read, it lets anyone in.
    pub may_be_open: bool,
}

/// The text is not a policy document at all.
#[derive(Debug, thiserror::Error)]
#[error("policy is not a JSON object with a `Statement`: {0}")]
pub struct DocumentError(String);

/// What a matching statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Grants.
    Allow,
    /// Forbids, whatever else grants.
    Deny,
}

/// One statement.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its place in the document, counted from 0.
    pub index: usize,
    /// Its `Sid`, when it has one.
    pub sid: Option<Arc<str>>,
    /// Whether it grants or forbids.
    pub effect: Effect,
    /// `Action` or `NotAction`.
    pub actions: Actions,
    /// `Resource` or `NotResource`; none in trust policies.
    pub resources: Option<Resources>,
    /// `Principal` or `NotPrincipal`; none in identity policies.
    pub principals: Option<Principals>,
    /// All of them must hold.
    pub conditions: Box<[Condition]>,
}

/// `Action` or `NotAction`.
#[derive(Debug, Clone)]
pub struct Actions {
    /// Whether it is `NotAction`.
    pub inverted: bool,
    /// The patterns as written.
    pub texts: Box<[Box<str>]>,
    compiled: Box<[ActionPattern]>,
    /// For long lists: the patterns of each service, by service; empty when a walk through all is as quick.
    by_service: ByService,
}

/// `Resource` or `NotResource`.
#[derive(Debug, Clone)]
pub struct Resources {
    /// Whether it is `NotResource`.
    pub inverted: bool,
    /// The patterns as written.
    pub texts: Box<[Box<str>]>,
    pub(crate) compiled: Box<[ResourcePattern]>,
}

/// A pattern over `service:Action`, in lower case.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ActionPattern {
    Any,
    Exact(Box<str>),
    Prefix(Box<str>),
    Glob(Box<str>),
    /// Can match no action: no service, or a wildcard in the service.
    Never,
}

impl ActionPattern {
    pub(crate) fn compile(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        let stars = |s: &str| !s.is_empty() && s.bytes().all(|b| b == b'*');
        if stars(&lower) {
            return Self::Any;
        }
        let Some((service, name)) = lower.split_once(':') else { return Self::Never };
        if stars(service) && stars(name) {
            return Self::Any;
        }
        if service.is_empty() || service.contains(['*', '?']) {
            return Self::Never;
        }
        match lower.find(['*', '?']) {
            None => Self::Exact(lower.into()),
            Some(at) if lower.get(at..).is_some_and(stars) => Self::Prefix(lower.get(..at).unwrap_or_default().into()),
            Some(_) => Self::Glob(lower.into()),
        }
    }

    /// `action` must be in lower case.
    pub(crate) fn matches(&self, action: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(text) => text.as_ref() == action,
            Self::Prefix(text) => action.starts_with(text.as_ref()),
            Self::Glob(text) => glob(text, action),
            Self::Never => false,
        }
    }

    /// Where in the table all actions stand that it can match; all that stand there match unless it is a [`Self::Glob`].
    pub(crate) fn within(&self, table: &data::Actions) -> Range<usize> {
        match self {
            Self::Any => 0..table.len(),
            Self::Exact(name) => table.position(name).map_or(0..0, |at| at..at + 1),
            Self::Prefix(prefix) => table.with_prefix(prefix),
            Self::Glob(text) => table.with_prefix(text.split(['*', '?']).next().unwrap_or_default()),
            Self::Never => 0..0,
        }
    }
}

impl Actions {
    /// Compiles patterns.
    pub fn new(inverted: bool, texts: Vec<Box<str>>) -> Self {
        let compiled: Box<[ActionPattern]> = texts.iter().map(|t| ActionPattern::compile(t)).collect();
        let by_service = index(&compiled);
        Self { inverted, texts: texts.into(), compiled, by_service }
    }

    /// Whether the element covers an action given in lower case.
    pub fn matches(&self, lower: &str) -> bool {
        let covers = if self.by_service.is_empty() {
            self.compiled.iter().any(|p| p.matches(lower))
        } else {
            let service = lower.split(':').next().unwrap_or_default();
            let found = self.by_service.binary_search_by(|(s, _)| s.as_ref().cmp(service)).ok();
            let mut of_service =
                found.and_then(|at| self.by_service.get(at)).into_iter().flat_map(|(_, list)| list.iter());
            of_service.any(|i| self.compiled.get(*i as usize).is_some_and(|p| p.matches(lower)))
        };
        covers != self.inverted
    }

    /// Whether the element covers every action.
    pub fn is_everything(&self) -> bool {
        if self.inverted {
            self.compiled.iter().all(|p| matches!(p, ActionPattern::Never))
        } else {
            self.compiled.iter().any(|p| matches!(p, ActionPattern::Any))
        }
    }

    pub(crate) fn patterns(&self) -> &[ActionPattern] {
        &self.compiled
    }
}

/// Services, sorted, with the places of their patterns.
type ByService = Box<[(Box<str>, Box<[u32]>)]>;

/// Lists of patterns longer than this are looked up by service.
const SHORT: usize = 8;

/// The places of the patterns of each service; empty for short lists and for those with `*`.
fn index(compiled: &[ActionPattern]) -> ByService {
    if compiled.len() <= SHORT || compiled.contains(&ActionPattern::Any) {
        return Box::default();
    }
    let mut services: std::collections::BTreeMap<&str, Vec<u32>> = std::collections::BTreeMap::new();
    for (i, pattern) in compiled.iter().enumerate() {
        let (ActionPattern::Exact(text) | ActionPattern::Prefix(text) | ActionPattern::Glob(text)) = pattern else {
            continue;
        };
        // A pattern has no wildcard before its colon, so its service is plain text.
        if let (Some(service), Ok(i)) = (text.split(':').next(), u32::try_from(i)) {
            services.entry(service).or_default().push(i);
        }
    }
    services.into_iter().map(|(service, list)| (service.into(), list.into())).collect()
}

impl Resources {
    /// Compiles patterns; `variables` is false for policies of version 2008-10-17.
    pub fn new(inverted: bool, texts: Vec<Box<str>>, variables: bool) -> Self {
        let compiled = texts.iter().map(|t| ResourcePattern::compile(t, variables)).collect();
        Self { inverted, texts: texts.into(), compiled }
    }

    /// Whether the element covers a resource.
    pub fn matches(&self, resource: &ResourceText<'_>, context: &Context) -> Tri {
        let any = self.compiled.iter().fold(Tri::No, |any, p| match any {
            Tri::Yes => Tri::Yes,
            _ => any.or(p.matches(resource, context)),
        });
        if self.inverted { any.negate() } else { any }
    }

    /// Whether the element covers every resource.
    pub fn is_everything(&self) -> bool {
        let any = self.compiled.iter().any(|p| match p {
            ResourcePattern::Any => true,
            // What begins with a variable names something: `${aws_sqs_queue.a.arn}:*` of code that is not applied.
            ResourcePattern::Arn(parts) => {
                !parts.first().is_some_and(Pattern::has_variables) && parts.iter().skip(1).all(Pattern::is_any)
            }
            ResourcePattern::Other(_) => false,
        });
        if self.inverted { self.compiled.is_empty() } else { any }
    }
}

impl Statement {
    /// Whether action, resource and conditions apply; the principal is the caller's business.
    ///
    /// A statement without `Resource` (a trust policy's) covers the resource it is attached to.
    pub fn applies(&self, lower_action: &str, resource: &ResourceText<'_>, context: &Context) -> Tri {
        if !self.actions.matches(lower_action) {
            return Tri::No;
        }
        let mut result = match &self.resources {
            Some(resources) => resources.matches(resource, context),
            None => Tri::Yes,
        };
        for condition in &self.conditions {
            if result.is_no() {
                break;
            }
            result = result.and(condition.holds(context, self.effect == Effect::Allow));
        }
        result
    }

    /// The `Sid`, or the place in the document: `#0`.
    pub fn label(&self) -> String {
        self.shared_label().to_string()
    }

    /// The same, its text shared with the statement where it has a `Sid`.
    pub(crate) fn shared_label(&self) -> Arc<str> {
        match &self.sid {
            Some(sid) if !sid.is_empty() => Arc::clone(sid),
            _ => format!("#{}", self.index).into(),
        }
    }
}

/// Anything a policy document can be read from.
pub trait PolicySource {
    /// The document as JSON.
    fn json(&self) -> Result<std::borrow::Cow<'_, Json>, DocumentError>;
}

impl PolicySource for Json {
    fn json(&self) -> Result<std::borrow::Cow<'_, Json>, DocumentError> {
        match self {
            Json::String(text) => text.as_str().json().map(|j| std::borrow::Cow::Owned(j.into_owned())),
            other => Ok(std::borrow::Cow::Borrowed(other)),
        }
    }
}

impl PolicySource for str {
    /// JSON text; URL-encoded JSON, as the IAM API answers, is decoded first.
    fn json(&self) -> Result<std::borrow::Cow<'_, Json>, DocumentError> {
        let text = self.trim();
        let decoded;
        let text = if text.starts_with('%') {
            decoded = percent_decode(text);
            decoded.as_str()
        } else {
            text
        };
        serde_json::from_str(text).map(std::borrow::Cow::Owned).map_err(|e| DocumentError(e.to_string()))
    }
}

impl<T: PolicySource + ?Sized> PolicySource for &T {
    fn json(&self) -> Result<std::borrow::Cow<'_, Json>, DocumentError> {
        (**self).json()
    }
}

impl PolicySource for String {
    fn json(&self) -> Result<std::borrow::Cow<'_, Json>, DocumentError> {
        self.as_str().json()
    }
}

fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut ahead = bytes.clone();
        let digits: Option<u8> = (|| {
            let high = (ahead.next()? as char).to_digit(16)?;
            let low = (ahead.next()? as char).to_digit(16)?;
            u8::try_from(high * 16 + low).ok()
        })();
        match digits {
            Some(decoded) => {
                out.push(decoded);
                bytes = ahead;
            }
            None => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Document {
    /// Reads a document from JSON, JSON text or URL-encoded JSON text.
    pub fn parse(source: impl PolicySource) -> Result<Self, DocumentError> {
        let json = source.json()?;
        let Json::Object(top) = json.as_ref() else {
            return Err(DocumentError(format!("found {}", kind(&json))));
        };
        let member = |name: &str| top.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v);
        let version: Box<str> = member("version").and_then(Json::as_str).unwrap_or_default().into();
        let variables = version.as_ref() == "2012-10-17";
        let mut problems = Vec::new();
        let raw: &[Json] = match member("statement") {
            Some(Json::Array(list)) => list,
            Some(one @ Json::Object(_)) => std::slice::from_ref(one),
            Some(other) => return Err(DocumentError(format!("`Statement` is {}", kind(other)))),
            None => &[],
        };
        let mut statements = Vec::with_capacity(raw.len());
        for (index, json) in raw.iter().enumerate() {
            match statement(index, json, variables, &mut problems) {
                Ok(statement) => statements.push(statement),
                Err(what) => {
                    let may_be_open = seems_open(json);
                    problems.push(Problem { statement: Some(index), what, may_be_open });
                }
            }
        }
        Ok(Self { version, statements: statements.into(), problems })
    }

    /// Whether the document contains nothing that can take part in evaluation.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

/// Whether a statement that cannot be read for certain says Allow and anyone.
fn seems_open(json: &Json) -> bool {
    let member = |name: &str| {
        let found = json.as_object()?.iter().find(|(k, _)| k.eq_ignore_ascii_case(name));
        found.map(|(_, v)| v)
    };
    let allows = member("effect").and_then(Json::as_str).is_some_and(|e| e.eq_ignore_ascii_case("allow"));
    let names = |inverted: bool, json: &Json| Principals::parse(inverted, json).is_ok_and(|p| p.is_open());
    let anyone = member("principal").is_some_and(|p| names(false, p)) || member("notprincipal").is_some();
    allows && anyone
}

/// A string or a list of strings; numbers and booleans are taken as their text.
pub(crate) fn strings(json: &Json) -> Vec<Box<str>> {
    fn one(json: &Json) -> Option<Box<str>> {
        match json {
            Json::String(text) => Some(text.as_str().into()),
            Json::Bool(b) => Some(if *b { "true" } else { "false" }.into()),
            Json::Number(n) => Some(n.to_string().into()),
            _ => None,
        }
    }
    match json {
        Json::Array(list) => list.iter().filter_map(one).collect(),
        other => one(other).into_iter().collect(),
    }
}

fn statement(index: usize, json: &Json, variables: bool, problems: &mut Vec<Problem>) -> Result<Statement, String> {
    let Json::Object(members) = json else { return Err(format!("statement is {}, not an object", kind(json))) };
    let (mut sid, mut effect, mut actions, mut resources, mut principals) = (None, None, None, None, None);
    let mut conditions = Vec::new();
    for (name, value) in members {
        match name.to_ascii_lowercase().as_str() {
            "sid" => sid = value.as_str().map(Into::into),
            "effect" => {
                effect = Some(match value.as_str() {
                    Some("Allow") => Effect::Allow,
                    Some("Deny") => Effect::Deny,
                    _ => return Err(format!("`Effect` is {value}; it must be \"Allow\" or \"Deny\"")),
                });
            }
            "action" => actions = Some(Actions::new(false, strings(value))),
            "notaction" => actions = Some(Actions::new(true, strings(value))),
            "resource" => resources = Some(Resources::new(false, strings(value), variables)),
            "notresource" => resources = Some(Resources::new(true, strings(value), variables)),
            "principal" => principals = Some(Principals::parse(false, value)?),
            "notprincipal" => principals = Some(Principals::parse(true, value)?),
            "condition" => {
                let Json::Object(blocks) = value else {
                    if value.is_null() {
                        continue;
                    }
                    return Err(format!("`Condition` is {}, not an object", kind(value)));
                };
                for (operator, keys) in blocks {
                    let Json::Object(keys) = keys else {
                        return Err(format!("condition `{operator}` is {}, not an object", kind(keys)));
                    };
                    for (key, values) in keys {
                        let condition = Condition::compile(operator, key, strings(values), variables);
                        if condition.operator == super::condition::Operator::Unsupported {
                            let what = format!("`{operator}` is not a condition operator; the statement never applies");
                            problems.push(Problem { statement: Some(index), what, may_be_open: false });
                        }
                        conditions.push(condition);
                    }
                }
            }
            _ => return Err(format!("`{name}` is not an element of a policy statement")),
        }
    }
    let effect = effect.ok_or("statement has no `Effect`")?;
    let actions = actions.ok_or("statement has neither `Action` nor `NotAction`")?;
    Ok(Statement { index, sid, effect, actions, resources, principals, conditions: conditions.into() })
}

/// A named document: what a decision cites.
#[derive(Debug, Clone)]
pub struct Policy {
    /// A managed policy's ARN or name, an inline policy's name, or where the document was found.
    pub name: Arc<str>,
    /// The document.
    pub document: Document,
}

impl Policy {
    /// Names a document.
    pub fn new(name: impl Into<Arc<str>>, document: Document) -> Self {
        Self { name: name.into(), document }
    }
}
