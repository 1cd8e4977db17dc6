//! Patterns: `*` matches any run of characters, `?` exactly one; policy variables expand to literal text.

use super::{context::Context, tri::Tri};

/// Matches `value` against `pattern`, where byte `i` of the pattern is a wildcard only if `wild(i)`.
///
/// Linear for patterns with one star, quadratic at worst; never recursive.
fn match_by(pattern: &[u8], value: &[u8], wild: impl Fn(usize) -> bool) -> bool {
    let (mut p, mut v) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while v < value.len() {
        match pattern.get(p) {
            Some(b'*') if wild(p) => {
                retry = Some((p, v));
                p += 1;
                continue;
            }
            Some(b'?') if wild(p) => {
                p += 1;
                v += character_length(value, v);
                continue;
            }
            Some(byte) if value.get(v) == Some(byte) => {
                p += 1;
                v += 1;
                continue;
            }
            _ => {}
        }
        let Some((star, from)) = retry else { return false };
        retry = Some((star, from + 1));
        p = star + 1;
        v = from + 1;
    }
    pattern.iter().enumerate().skip(p).all(|(i, byte)| *byte == b'*' && wild(i))
}

/// Bytes of the UTF-8 character that starts at `at`.
fn character_length(value: &[u8], at: usize) -> usize {
    1 + value.iter().skip(at + 1).take_while(|byte| **byte & 0xC0 == 0x80).count()
}

/// Whether `value` matches `pattern` with every `*` and `?` active; case matters.
pub fn glob(pattern: &str, value: &str) -> bool {
    match_by(pattern.as_bytes(), value.as_bytes(), |_| true)
}

/// A compiled pattern over one string.
#[derive(Debug, Clone, PartialEq)]
pub enum Pattern {
    /// `*`
    Any,
    /// No wildcard.
    Exact(Box<str>),
    /// One star, at the end; holds the text before it.
    Prefix(Box<str>),
    /// Wildcards anywhere.
    Glob(Box<str>),
    /// Contains policy variables.
    Template(Box<[Piece]>),
}

/// A piece of a pattern with policy variables.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Text whose `*` and `?` are wildcards.
    Text(Box<str>),
    /// Text that stands for itself (`${*}`).
    Literal(Box<str>),
    /// `${key}` or `${key, 'default'}`; the key is in lower case.
    Variable {
        /// The context key.
        key: Box<str>,
        /// What stands in when the key is absent.
        default: Option<Box<str>>,
    },
}

/// Text after the expansion of variables: what it says, and which bytes are wildcards.
struct Expanded {
    text: Vec<u8>,
    wild: Vec<bool>,
}

impl Expanded {
    fn push(&mut self, text: &str, wild: bool) {
        self.text.extend_from_slice(text.as_bytes());
        self.wild.resize(self.text.len(), wild);
    }
}

/// What the expansion of a template came to.
enum Expansion {
    Text(Expanded),
    Missing,
    Unknown,
}

impl Pattern {
    /// Compiles plain text: variables are not looked for.
    pub fn plain(text: &str) -> Self {
        match text.find(['*', '?']) {
            None => Self::Exact(text.into()),
            Some(_) if text.bytes().all(|b| b == b'*') => Self::Any,
            Some(at) if at + 1 == text.len() && text.ends_with('*') => {
                Self::Prefix(text.get(..at).unwrap_or_default().into())
            }
            Some(_) => Self::Glob(text.into()),
        }
    }

    /// Compiles text in which wildcards are plain characters.
    pub fn literal(text: &str) -> Self {
        Self::Exact(text.into())
    }

    /// Compiles pieces; without variables it becomes a plain pattern where that says the same.
    pub fn from_pieces(pieces: Vec<Piece>) -> Self {
        match pieces.as_slice() {
            [] => Self::Exact("".into()),
            [Piece::Text(text)] => Self::plain(text),
            _ => Self::Template(pieces.into()),
        }
    }

    /// Whether the pattern matches every string.
    pub fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }

    /// Whether the pattern depends on the request's context.
    pub fn has_variables(&self) -> bool {
        matches!(self, Self::Template(pieces) if pieces.iter().any(|p| matches!(p, Piece::Variable { .. })))
    }

    /// Matches a value; `Maybe` when a variable's value is unknown.
    pub fn matches(&self, value: &str, context: &Context) -> Tri {
        match self {
            Self::Any => Tri::Yes,
            Self::Exact(text) => Tri::from(text.as_ref() == value),
            Self::Prefix(text) => Tri::from(value.starts_with(text.as_ref())),
            Self::Glob(text) => Tri::from(glob(text, value)),
            Self::Template(pieces) => match expand(pieces, context, true) {
                Expansion::Missing => Tri::No,
                // Whatever the variable says, the text before it must agree.
                Expansion::Unknown => match pieces.first() {
                    Some(Piece::Text(text)) => {
                        let fixed = text.split(['*', '?']).next().unwrap_or_default();
                        if value.starts_with(fixed) { Tri::Maybe } else { Tri::No }
                    }
                    _ => Tri::Maybe,
                },
                Expansion::Text(e) => {
                    Tri::from(match_by(&e.text, value.as_bytes(), |i| e.wild.get(i).copied().unwrap_or(false)))
                }
            },
        }
    }

    /// Compares for equality, wildcards standing for themselves; `Maybe` when a variable's value is unknown.
    pub fn equals(&self, value: &str, context: &Context, fold: bool) -> Tri {
        let same = |text: &str| {
            if fold { text == value || text.to_lowercase() == value.to_lowercase() } else { text == value }
        };
        match self {
            Self::Exact(text) | Self::Glob(text) => Tri::from(same(text)),
            Self::Any => Tri::from(same("*")),
            Self::Prefix(text) => Tri::from(same(&format!("{text}*"))),
            Self::Template(pieces) => match expand(pieces, context, false) {
                Expansion::Missing => Tri::No,
                Expansion::Unknown => Tri::Maybe,
                Expansion::Text(e) => Tri::from(same(&String::from_utf8_lossy(&e.text))),
            },
        }
    }
}

/// Splits text into pieces at `${…}`; anything that is not a well-formed variable stays text.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once("${") {
        plain.push_str(before);
        let Some((inside, tail)) = after.split_once('}') else {
            plain.push_str("${");
            rest = after;
            continue;
        };
        if !plain.is_empty() {
            out.push(Piece::Text(std::mem::take(&mut plain).into()));
        }
        out.push(match inside {
            "*" | "?" | "$" => Piece::Literal(inside.into()),
            _ => {
                let (key, default) = match inside.split_once(',') {
                    Some((key, default)) => (key, Some(default.trim().trim_matches('\'').into())),
                    None => (inside, None),
                };
                Piece::Variable { key: key.trim().to_lowercase().into(), default }
            }
        });
        rest = tail;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        out.push(Piece::Text(plain.into()));
    }
    out
}

fn expand(pieces: &[Piece], context: &Context, wildcards: bool) -> Expansion {
    let mut out = Expanded { text: Vec::with_capacity(64), wild: Vec::new() };
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push(text, wildcards),
            Piece::Literal(text) => out.push(text, false),
            Piece::Variable { key, default } => match context.single(key) {
                Ok(Some(value)) => out.push(value, false),
                Ok(None) => match default {
                    // A default stands in for an absent key, not for one with several values.
                    Some(value) if !context.has_several(key) => out.push(value, false),
                    _ => return Expansion::Missing,
                },
                Err(()) => return Expansion::Unknown,
            },
        }
    }
    Expansion::Text(out)
}

/// A compiled `Resource` entry.
#[derive(Debug, Clone, PartialEq)]
pub enum ResourcePattern {
    /// `*`
    Any,
    /// Six parts, each matched by itself: wildcards do not cross the first five colons.
    Arn(Box<[Pattern; 6]>),
    /// Not an ARN: matched as one string.
    Other(Pattern),
}

impl ResourcePattern {
    /// Compiles one entry; `variables` is false for policies of version 2008-10-17.
    ///
    /// An ARN with fewer than six parts is completed with `*`, as IAM does.
    pub fn compile(text: &str, variables: bool) -> Self {
        if !text.is_empty() && text.bytes().all(|b| b == b'*') {
            return Self::Any;
        }
        let all = if variables { pieces(text) } else { vec![Piece::Text(text.into())] };
        let mut parts: Vec<Vec<Piece>> = vec![Vec::new()];
        for piece in all {
            let Piece::Text(text) = piece else {
                if let Some(last) = parts.last_mut() {
                    last.push(piece);
                }
                continue;
            };
            let mut rest: &str = &text;
            while parts.len() < 6 {
                let Some((before, after)) = rest.split_once(':') else { break };
                if let (false, Some(last)) = (before.is_empty(), parts.last_mut()) {
                    last.push(Piece::Text(before.into()));
                }
                parts.push(Vec::new());
                rest = after;
            }
            if let (false, Some(last)) = (rest.is_empty(), parts.last_mut()) {
                last.push(Piece::Text(rest.into()));
            }
        }
        if parts.len() == 1 {
            return Self::Other(Pattern::from_pieces(parts.pop().unwrap_or_default()));
        }
        let mut patterns = parts.into_iter().map(Pattern::from_pieces);
        let compiled: [Pattern; 6] = std::array::from_fn(|_| patterns.next().unwrap_or(Pattern::Any));
        Self::Arn(Box::new(compiled))
    }

    /// Matches a request's resource, an ARN or `*`.
    pub fn matches(&self, resource: &ResourceText<'_>, context: &Context) -> Tri {
        match self {
            Self::Any => Tri::Yes,
            Self::Other(pattern) => pattern.matches(resource.text, context),
            Self::Arn(patterns) => {
                let Some(parts) = &resource.parts else {
                    // A request for `*` (an action without resources) needs a pattern that covers everything.
                    let everything = patterns.iter().skip(1).all(Pattern::is_any);
                    return Tri::from(resource.text == "*" && everything);
                };
                let mut result = Tri::Yes;
                // The last part tells most patterns apart, so it goes first.
                for i in [5, 2, 4, 3, 1, 0] {
                    let (Some(pattern), Some(part)) = (patterns.get(i), parts.get(i)) else { return Tri::No };
                    let matched = match pattern {
                        Pattern::Exact(text) if i == 2 => Tri::from(text.eq_ignore_ascii_case(part)),
                        _ => pattern.matches(part, context),
                    };
                    result = result.and(matched);
                    if result.is_no() {
                        return Tri::No;
                    }
                }
                result
            }
        }
    }
}

/// A request's resource, split once for many comparisons.
#[derive(Debug, Clone, Copy)]
pub struct ResourceText<'a> {
    /// The whole text.
    pub text: &'a str,
    /// Its six parts when it is an ARN.
    pub parts: Option<[&'a str; 6]>,
}

impl<'a> From<&'a str> for ResourceText<'a> {
    fn from(text: &'a str) -> Self {
        Self { text, parts: super::arn::Arn::parse(text).map(|arn| arn.parts) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, value, want) in [
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a?c", "aéc", true),
            ("*ab*ab", "abxab", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(glob(pattern, value), want, "{pattern} ~ {value}");
        }
    }

    #[test]
    fn resources() {
        let context = Context::default();
        for (pattern, value, want) in [
            ("*", "arn:aws:s3:::b/k", true),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/k/l", true),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b", false),
            ("arn:aws:s3:::*", "arn:aws:s3:::b:c", true),
            ("arn:aws:sqs:*:1:q", "arn:aws:sqs:eu-west-1:1:q", true),
            ("arn:aws:*:1:q", "arn:aws:sqs:eu-west-1:1:q", false),
            ("arn:aws:sqs", "arn:aws:sqs:eu-west-1:1:q", true),
            ("arn:aws:SQS:*:*:q", "arn:aws:sqs:eu-west-1:1:q", true),
            ("arn:aws:sqs:*:*:Q", "arn:aws:sqs:eu-west-1:1:q", false),
            ("arn:aws:s3:*:*:b", "arn:aws:s3:::b", true),
            ("arn:aws:s3:::b", "arn:aws:s3:us-east-1::b", false),
            ("arn:aws:s3:::b", "*", false),
            ("arn:*:*:*:*:*", "*", true),
            ("arn:aws:s3:::a*z", "arn:aws:s3:::abc/xyz", true),
        ] {
            let compiled = ResourcePattern::compile(pattern, true);
            assert_eq!(compiled.matches(&value.into(), &context), Tri::from(want), "{pattern} ~ {value}");
        }
    }

    #[test]
    fn variables_expand_to_literal_text() {
        let mut context = Context::default();
        context.set("aws:username", ["a*"]);
        let pattern = ResourcePattern::compile("arn:aws:s3:::b/${aws:username}/*", true);
        assert_eq!(pattern.matches(&"arn:aws:s3:::b/a*/k".into(), &context), Tri::Yes);
        assert_eq!(pattern.matches(&"arn:aws:s3:::b/abc/k".into(), &context), Tri::No);
        let fallback = ResourcePattern::compile("arn:aws:s3:::b/${aws:PrincipalTag/team, 'none'}", true);
        assert_eq!(fallback.matches(&"arn:aws:s3:::b/none".into(), &context), Tri::Yes);
        context.set("aws:principaltag/team", ["a", "b"]);
        assert_eq!(fallback.matches(&"arn:aws:s3:::b/none".into(), &context), Tri::No, "several values are none");
        let literal = ResourcePattern::compile("arn:aws:s3:::b/${*}", true);
        assert_eq!(literal.matches(&"arn:aws:s3:::b/*".into(), &context), Tri::Yes);
        assert_eq!(literal.matches(&"arn:aws:s3:::b/x".into(), &context), Tri::No);
        let old = ResourcePattern::compile("arn:aws:s3:::b/${aws:username}", false);
        assert_eq!(old.matches(&"arn:aws:s3:::b/${aws:username}".into(), &context), Tri::Yes);
    }
}
