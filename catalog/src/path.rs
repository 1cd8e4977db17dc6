//! Paths into documents: `Attributes.KmsMasterKeyId`, `IpPermissions[].IpRanges[].CidrIp`, `Tags[Key=Name].Value`.

use plumb_model::Value;
use std::{fmt, str::FromStr};

/// A path into a document. Parsed from text; see [`Path::find`] for how it is followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Path(Vec<Step>);

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Step {
    /// `.Name`: the member of a map.
    Member(Box<str>),
    /// `[0]`: one item of a list.
    Index(usize),
    /// `[]`: every item of a list; what follows is applied to each and the results are flattened into one list.
    Each,
    /// `[Key=Name]`: the first item whose member has this text.
    Where(Box<str>, Box<str>),
    /// `.*`: the values of a map, as a list; what follows is applied to each.
    Values,
}

/// The text is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a path: {why}")]
pub struct PathError {
    text: String,
    why: &'static str,
}

impl From<Vec<Step>> for Path {
    fn from(steps: Vec<Step>) -> Self {
        Self(steps)
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let wrong = |why| PathError { text: text.into(), why };
        let mut steps = Vec::new();
        let mut rest = text.trim();
        if rest == "@" {
            return Ok(Self(steps));
        }
        let mut first = true;
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let (inside, after) = inner.split_once(']').ok_or_else(|| wrong("a `[` is not closed"))?;
                steps.push(if inside.is_empty() {
                    Step::Each
                } else if let Some((key, want)) = inside.split_once('=') {
                    Step::Where(key.trim().into(), want.trim().into())
                } else {
                    Step::Index(
                        inside
                            .parse()
                            .map_err(|_| wrong("between brackets stands a number, `Key=Value` or nothing"))?,
                    )
                });
                rest = after;
            } else {
                let name =
                    if first { rest } else { rest.strip_prefix('.').ok_or_else(|| wrong("expected `.` or `[`"))? };
                let end = name.find(['.', '[']).unwrap_or(name.len());
                let (name, after) = name.split_at(end);
                if name.is_empty() {
                    return Err(wrong("a member name is empty"));
                }
                steps.push(if name == "*" { Step::Values } else { Step::Member(name.into()) });
                rest = after;
            }
            first = false;
        }
        if steps.is_empty() { Err(wrong("it is empty; `@` means the whole document")) } else { Ok(Self(steps)) }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("@");
        }
        for (i, step) in self.0.iter().enumerate() {
            let dot = if i > 0 { "." } else { "" };
            match step {
                Step::Member(name) => write!(f, "{dot}{name}")?,
                Step::Values => write!(f, "{dot}*")?,
                Step::Index(at) => write!(f, "[{at}]")?,
                Step::Each => f.write_str("[]")?,
                Step::Where(key, want) => write!(f, "[{key}={want}]")?,
            }
        }
        Ok(())
    }
}

impl Path {
    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The name of the first member, if the path starts with one.
    pub fn root(&self) -> Option<&str> {
        if let Some(Step::Member(name)) = self.0.first() { Some(name) } else { None }
    }

    /// Follows the path. Absent gives `Null`; an unknown on the way gives that unknown. With `[]` or `.*` the result
    /// is always a list (empty when the container is absent), in which nulls are left out.
    pub fn find(&self, document: &Value) -> Value {
        walk(document, &self.0)
    }
}

fn walk(value: &Value, steps: &[Step]) -> Value {
    let Some((step, rest)) = steps.split_first() else { return value.clone() };
    if let Value::Unknown(_) = value {
        return value.clone();
    }
    let many = |items: &mut dyn Iterator<Item = &Value>| {
        let nested = rest.iter().any(|s| matches!(s, Step::Each | Step::Values));
        let mut out = Vec::new();
        for item in items {
            match walk(item, rest) {
                Value::Null => {}
                Value::List(inner) if nested => out.extend(inner.into_vec()),
                other => out.push(other),
            }
        }
        Value::list(out)
    };
    match step {
        Step::Member(name) => match value.get(name) {
            Some(inner) => walk(inner, rest),
            None => absent(rest),
        },
        Step::Index(at) => match value.as_list().and_then(|items| items.get(*at)) {
            Some(inner) => walk(inner, rest),
            None => absent(rest),
        },
        Step::Where(key, want) => {
            let hit = value
                .as_list()
                .and_then(|items| items.iter().find(|item| matches!(item.get(key), Some(Value::Str(s)) if s == want)));
            match hit {
                Some(inner) => walk(inner, rest),
                None => match value.as_list().and_then(|items| items.iter().find(|i| matches!(i, Value::Unknown(_)))) {
                    Some(unknown) => unknown.clone(),
                    None => absent(rest),
                },
            }
        }
        Step::Each => match value {
            Value::List(items) => many(&mut items.iter()),
            Value::Null => Value::list([]),
            single => many(&mut std::iter::once(single)),
        },
        Step::Values => match value {
            Value::Map(map) => many(&mut map.iter().map(|(_, v)| v)),
            _ => Value::list([]),
        },
    }
}

/// What an absent container yields: an empty list if the rest of the path asks for all items, else null.
fn absent(rest: &[Step]) -> Value {
    if rest.iter().any(|s| matches!(s, Step::Each | Step::Values)) { Value::list([]) } else { Value::Null }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(path: &str, document: serde_json::Value, want: serde_json::Value) {
        let path: Path = path.parse().unwrap();
        assert_eq!(path.find(&Value::from_json(&document)).to_json(), want, "{path}");
    }

    #[test]
    fn paths_are_followed() {
        check("@", json!({"a": 1}), json!({"a": 1}));
        check("a.b", json!({"a": {"b": 2}}), json!(2));
        check("a.b", json!({"a": null}), json!(null));
        check("a[1]", json!({"a": [1, 2]}), json!(2));
        check("a[9]", json!({"a": [1, 2]}), json!(null));
        check("a[].b", json!({"a": [{"b": 1}, {}, {"b": 3}]}), json!([1, 3]));
        check("a[].b[].c", json!({"a": [{"b": [{"c": 1}, {"c": 2}]}, {"b": [{"c": 3}]}]}), json!([1, 2, 3]));
        check("a[]", json!({}), json!([]));
        check("x.a[].b", json!({}), json!([]));
        check("T[Key=Name].Value", json!({"T": [{"Key": "x", "Value": 1}, {"Key": "Name", "Value": "n"}]}), json!("n"));
        check("m.*.v", json!({"m": {"a": {"v": 1}, "b": {"v": 2}}}), json!([1, 2]));
        check("[0].a", json!([{"a": 1}]), json!(1));
        let unknown = json!({"$unknown": {"reason": "denied", "call": "c"}});
        check("a.b.c", json!({"a": unknown}), unknown.clone());
        check("a[].b", json!({"a": [{"b": 1}, unknown]}), json!([1, unknown]));
    }

    #[test]
    fn wrong_paths_are_refused() {
        for text in ["", "a..b", "a[", "a[x]", ".a", "a]b["] {
            assert!(text.parse::<Path>().is_err(), "{text}");
        }
        for text in ["a.b[].c", "@", "a[0]", "t[Key=Name].Value", "a.*"] {
            assert_eq!(text.parse::<Path>().unwrap().to_string(), text);
        }
    }
}
