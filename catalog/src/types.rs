//! The types of fields, as kind files write them.

use std::{collections::BTreeMap, fmt, str::FromStr};

/// The type of a field. Written as `string`, `int`, `double`, `bool`, `time`, `policy`, `any`, `list(T)`, `map(T)`,
/// `{a: T, b: T}`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Type {
    /// Text.
    String,
    /// A whole number.
    Int,
    /// A number.
    Double,
    /// A truth value.
    Bool,
    /// An instant.
    Time,
    /// A policy document: a map whose `Statement` is a list.
    Policy,
    /// Anything; not checked.
    Any,
    /// A list of one type.
    List(Box<Type>),
    /// Text keys to one type.
    Map(Box<Type>),
    /// Named members.
    Object(BTreeMap<String, Type>),
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("string"),
            Self::Int => f.write_str("int"),
            Self::Double => f.write_str("double"),
            Self::Bool => f.write_str("bool"),
            Self::Time => f.write_str("time"),
            Self::Policy => f.write_str("policy"),
            Self::Any => f.write_str("any"),
            Self::List(t) => write!(f, "list({t})"),
            Self::Map(t) => write!(f, "map({t})"),
            Self::Object(members) => {
                f.write_str("{")?;
                for (i, (name, t)) in members.iter().enumerate() {
                    write!(f, "{}{name}: {t}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
        }
    }
}

impl FromStr for Type {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text.trim(), depth: 0 };
        let parsed = parser.parse()?;
        if parser.rest.trim().is_empty() { Ok(parsed) } else { Err(format!("unexpected `{}`", parser.rest.trim())) }
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn eat(&mut self, token: char) -> bool {
        let trimmed = self.rest.trim_start();
        if let Some(rest) = trimmed.strip_prefix(token) {
            self.rest = rest;
            true
        } else {
            false
        }
    }

    fn need(&mut self, token: char) -> Result<(), String> {
        if self.eat(token) { Ok(()) } else { Err(format!("expected `{token}` before `{}`", self.rest.trim())) }
    }

    fn word(&mut self) -> &str {
        let trimmed = self.rest.trim_start();
        let end = trimmed.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(trimmed.len());
        let (word, rest) = trimmed.split_at(end);
        self.rest = rest;
        word
    }

    fn parse(&mut self) -> Result<Type, String> {
        self.depth += 1;
        if self.depth > 16 {
            return Err("nested too deep; at most 16 levels".into());
        }
        let parsed = if self.eat('{') {
            let mut members = BTreeMap::new();
            while !self.eat('}') {
                let name = self.word().to_owned();
                if name.is_empty() {
                    return Err(format!("expected a member name before `{}`", self.rest.trim()));
                }
                self.need(':')?;
                members.insert(name, self.parse()?);
                if !self.eat(',') {
                    self.need('}')?;
                    break;
                }
            }
            Type::Object(members)
        } else {
            match self.word() {
                "string" => Type::String,
                "int" => Type::Int,
                "double" => Type::Double,
                "bool" => Type::Bool,
                "time" => Type::Time,
                "policy" => Type::Policy,
                "any" => Type::Any,
                "list" => {
                    self.need('(')?;
                    let item = self.parse()?;
                    self.need(')')?;
                    Type::List(Box::new(item))
                }
                "map" => {
                    self.need('(')?;
                    let item = self.parse()?;
                    self.need(')')?;
                    Type::Map(Box::new(item))
                }
                other => {
                    return Err(format!(
                        "`{other}` is not a type; one of string, int, double, bool, time, policy, any, list(T), map(T), {{name: T}}"
                    ));
                }
            }
        };
        self.depth -= 1;
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_round_trip() {
        for text in ["string", "list(int)", "map(list(bool))", "{a: string, b: list({c: time})}", "{}", "policy"] {
            assert_eq!(text.parse::<Type>().unwrap().to_string(), text);
        }
        for wrong in ["", "strin", "list(", "list(int", "{a}", "{a: }", "int int", "list()"] {
            assert!(wrong.parse::<Type>().is_err(), "{wrong}");
        }
        assert!("list(".repeat(40).parse::<Type>().is_err());
    }
}
