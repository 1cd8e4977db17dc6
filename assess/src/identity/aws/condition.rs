//! Condition operators, compiled once and evaluated in three values.

use super::{
    context::{Context, Looked},
    glob::{Pattern, Piece, pieces},
    tri::Tri,
};
use plumb_model::Time;
use std::net::IpAddr;

/// How a condition looks at a key with several values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// None: the key has one value.
    Single,
    /// `ForAllValues:` every value in the request; holds when there is none.
    All,
    /// `ForAnyValue:` some value in the request; fails when there is none.
    Any,
}

/// An order comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `…Equals`
    Equal,
    /// `…NotEquals`
    NotEqual,
    /// `…LessThan`
    Less,
    /// `…LessThanEquals`
    LessOrEqual,
    /// `…GreaterThan`
    Greater,
    /// `…GreaterThanEquals`
    GreaterOrEqual,
}

/// The operator families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `StringEquals` and its `IgnoreCase` form.
    StringEquals {
        /// Compare without case.
        fold: bool,
    },
    /// `StringLike`
    StringLike,
    /// `Numeric…`
    Numeric(Order),
    /// `Date…`
    Date(Order),
    /// `Bool`
    Bool,
    /// `BinaryEquals`
    Binary,
    /// `IpAddress`
    IpAddress,
    /// `ArnEquals`, `ArnLike`: the two mean the same.
    Arn,
    /// `Null`
    Null,
    /// Not an operator IAM knows; the condition never holds.
    Unsupported,
}

/// One `operator: { key: values }` entry.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The operator as written, with quantifier and `IfExists`.
    pub text: Box<str>,
    /// The key as written.
    pub key_text: Box<str>,
    /// The key in lower case.
    pub key: Box<str>,
    /// The operator family.
    pub operator: Operator,
    /// Whether it is the `Not` form.
    pub negated: bool,
    /// How several values are treated.
    pub quantifier: Quantifier,
    /// Whether an absent key satisfies it.
    pub if_exists: bool,
    /// The values as written.
    pub values: Box<[Box<str>]>,
    compiled: Box<[Value]>,
}

#[derive(Debug, Clone)]
enum Value {
    Text(Pattern),
    Arn(Box<[Pattern; 6]>),
    Number(f64),
    Date(Time),
    Truth(bool),
    Bytes(Box<[u8]>),
    Network(IpAddr, u8),
    /// Cannot be read as the operator's type; matches nothing.
    Unreadable,
}

impl Condition {
    /// Compiles one entry; `variables` is false for policies of version 2008-10-17.
    pub fn compile(operator_text: &str, key: &str, values: Vec<Box<str>>, variables: bool) -> Self {
        let mut name = operator_text.trim();
        let mut quantifier = Quantifier::Single;
        if let Some((prefix, rest)) = name.split_once(':') {
            if prefix.eq_ignore_ascii_case("ForAllValues") {
                (quantifier, name) = (Quantifier::All, rest);
            } else if prefix.eq_ignore_ascii_case("ForAnyValue") {
                (quantifier, name) = (Quantifier::Any, rest);
            }
        }
        let lower = name.to_ascii_lowercase();
        let (base, if_exists) = match lower.strip_suffix("ifexists") {
            Some(base) => (base, true),
            None => (lower.as_str(), false),
        };
        let (operator, negated) = operator(base);
        let compiled = values.iter().map(|v| Value::compile(operator, v, variables)).collect();
        Self {
            text: operator_text.into(),
            key_text: key.into(),
            key: key.trim().to_lowercase().into(),
            operator,
            negated,
            quantifier,
            if_exists: if_exists && operator != Operator::Null,
            values: values.into(),
            compiled,
        }
    }

    /// Whether the condition holds in `context`; `helps` says whether holding helps the caller (an Allow), which
    /// decides about keys whose value the caller chooses.
    pub fn holds(&self, context: &Context, helps: bool) -> Tri {
        if self.operator == Operator::Unsupported {
            return Tri::No;
        }
        let looked = context.look(&self.key);
        if self.operator == Operator::Null {
            let absent = match looked {
                Looked::Values(values) => values.is_empty(),
                Looked::Absent => true,
                Looked::Unknown => return Tri::Maybe,
                Looked::Chosen => return Tri::from(helps),
            };
            return Tri::from(self.compiled.iter().any(|v| matches!(v, Value::Truth(want) if *want == absent)));
        }
        let values = match looked {
            // Whoever is helped by it comes from some address of the whole internet. Whom it would stop can come by
            // IPv6, or through an endpoint where the request has no public address, so that it stays open there.
            Looked::Unknown if helps && !self.negated && self.spans_everything() => return Tri::Yes,
            Looked::Unknown => return Tri::Maybe,
            Looked::Chosen => return Tri::from(helps),
            Looked::Absent => &[][..],
            Looked::Values(values) => values,
        };
        if values.is_empty() {
            return Tri::from(match self.quantifier {
                Quantifier::All => true,
                Quantifier::Any => self.if_exists,
                Quantifier::Single => self.negated || self.if_exists,
            });
        }
        match (self.quantifier, values) {
            (Quantifier::Single, [one]) => self.one(one, context),
            // Several values without a quantifier: IAM defines no result, so nothing matches.
            (Quantifier::Single, _) => Tri::No,
            (Quantifier::All, _) => values.iter().fold(Tri::Yes, |all, v| all.and(self.one(v, context))),
            (Quantifier::Any, _) => values.iter().fold(Tri::No, |any, v| any.or(self.one(v, context))),
        }
    }

    /// The values that are none of the operator's type and match nothing, as written.
    pub fn unreadable(&self) -> impl Iterator<Item = &str> {
        let pairs = self.values.iter().zip(&self.compiled);
        pairs
            .filter(|(text, value)| matches!(value, Value::Unreadable) && !text.contains("${"))
            .map(|(text, _)| &**text)
    }

    /// Whether it names every IPv4 address, of which a caller can use one.
    fn spans_everything(&self) -> bool {
        self.operator == Operator::IpAddress
            && self.compiled.iter().any(|v| matches!(v, Value::Network(a, 0) if a.is_ipv4()))
    }

    /// The condition on one value of the request.
    fn one(&self, value: &str, context: &Context) -> Tri {
        let mut any = Tri::No;
        match self.operator {
            Operator::Numeric(order) => {
                let Some(number) = number(value) else { return Tri::No };
                return self.ordered(order, |v| match v {
                    Value::Number(n) => number.partial_cmp(n),
                    _ => None,
                });
            }
            Operator::Date(order) => {
                let Some(at) = date(value) else { return Tri::No };
                return self.ordered(order, |v| match v {
                    Value::Date(t) => Some(at.cmp(t)),
                    _ => None,
                });
            }
            _ => {}
        }
        let address = if self.operator == Operator::IpAddress { value.trim().parse::<IpAddr>().ok() } else { None };
        let arn = if self.operator == Operator::Arn { super::arn::Arn::parse(value) } else { None };
        let bytes = if self.operator == Operator::Binary { base64(value) } else { None };
        for wanted in &self.compiled {
            let matched = match (self.operator, wanted) {
                (Operator::StringEquals { fold }, Value::Text(p)) => p.equals(value, context, fold),
                (Operator::StringLike, Value::Text(p)) => p.matches(value, context),
                (Operator::Bool, Value::Truth(b)) => {
                    Tri::from(value.trim().eq_ignore_ascii_case(if *b { "true" } else { "false" }))
                }
                (Operator::Binary, Value::Bytes(b)) => Tri::from(bytes.as_deref() == Some(b)),
                (Operator::IpAddress, Value::Network(network, bits)) => {
                    Tri::from(address.is_some_and(|a| within(a, *network, *bits)))
                }
                (Operator::Arn, Value::Arn(patterns)) => match &arn {
                    None => Tri::No,
                    Some(arn) => patterns.iter().zip(arn.parts).fold(Tri::Yes, |all, (p, part)| {
                        if all.is_no() { all } else { all.and(p.matches(part, context)) }
                    }),
                },
                _ => Tri::No,
            };
            any = any.or(matched);
            if any.is_yes() {
                break;
            }
        }
        if self.negated { any.negate() } else { any }
    }

    /// An order comparison with any of the values; `NotEquals` needs all to differ.
    fn ordered(&self, order: Order, compare: impl Fn(&Value) -> Option<std::cmp::Ordering>) -> Tri {
        use std::cmp::Ordering::{Equal, Greater, Less};
        if order == Order::NotEqual {
            return Tri::from(self.compiled.iter().all(|v| matches!(compare(v), Some(Less | Greater))));
        }
        Tri::from(self.compiled.iter().filter_map(compare).any(|o| match order {
            Order::Equal | Order::NotEqual => o == Equal,
            Order::Less => o == Less,
            Order::LessOrEqual => o != Greater,
            Order::Greater => o == Greater,
            Order::GreaterOrEqual => o != Less,
        }))
    }
}

/// The family of an operator name in lower case without quantifier and `ifexists`, and whether it is negated.
fn operator(base: &str) -> (Operator, bool) {
    if let Some(order) = base.strip_prefix("numeric").and_then(order) {
        return (Operator::Numeric(order), order == Order::NotEqual);
    }
    if let Some(order) = base.strip_prefix("date").and_then(order) {
        return (Operator::Date(order), order == Order::NotEqual);
    }
    match base {
        "stringequals" => (Operator::StringEquals { fold: false }, false),
        "stringnotequals" => (Operator::StringEquals { fold: false }, true),
        "stringequalsignorecase" => (Operator::StringEquals { fold: true }, false),
        "stringnotequalsignorecase" => (Operator::StringEquals { fold: true }, true),
        "stringlike" => (Operator::StringLike, false),
        "stringnotlike" => (Operator::StringLike, true),
        "bool" => (Operator::Bool, false),
        "binaryequals" => (Operator::Binary, false),
        "ipaddress" => (Operator::IpAddress, false),
        "notipaddress" => (Operator::IpAddress, true),
        "arnequals" | "arnlike" => (Operator::Arn, false),
        "arnnotequals" | "arnnotlike" => (Operator::Arn, true),
        "null" => (Operator::Null, false),
        _ => (Operator::Unsupported, false),
    }
}

fn order(name: &str) -> Option<Order> {
    Some(match name {
        "equals" => Order::Equal,
        "notequals" => Order::NotEqual,
        "lessthan" => Order::Less,
        "lessthanequals" => Order::LessOrEqual,
        "greaterthan" => Order::Greater,
        "greaterthanequals" => Order::GreaterOrEqual,
        _ => return None,
    })
}

impl Value {
    fn compile(operator: Operator, text: &str, variables: bool) -> Self {
        let all = || if variables { pieces(text) } else { vec![Piece::Text(text.into())] };
        match operator {
            Operator::StringEquals { .. } => {
                if variables && text.contains("${") {
                    Value::Text(Pattern::from_pieces(all()))
                } else {
                    Value::Text(Pattern::literal(text))
                }
            }
            Operator::StringLike => Value::Text(Pattern::from_pieces(all())),
            Operator::Numeric(_) => number(text).map_or(Value::Unreadable, Value::Number),
            Operator::Date(_) => date(text).map_or(Value::Unreadable, Value::Date),
            Operator::Bool | Operator::Null => match text.trim().to_ascii_lowercase().as_str() {
                "true" => Value::Truth(true),
                "false" => Value::Truth(false),
                _ => Value::Unreadable,
            },
            Operator::Binary => base64(text).map_or(Value::Unreadable, Value::Bytes),
            Operator::IpAddress => network(text).map_or(Value::Unreadable, |(a, bits)| Value::Network(a, bits)),
            Operator::Arn => match super::glob::ResourcePattern::compile(text, variables) {
                super::glob::ResourcePattern::Arn(patterns) if colons(text) >= 5 => Value::Arn(patterns),
                _ => Value::Unreadable,
            },
            Operator::Unsupported => Value::Unreadable,
        }
    }
}

/// Colons of a pattern outside its variables.
fn colons(text: &str) -> usize {
    let mut depth = 0_usize;
    text.chars()
        .filter(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && *c == ':'
        })
        .count()
}

/// A decimal number; `inf` and `nan` are none.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|n: &f64| n.is_finite())
}

/// An ISO 8601 instant, a bare date, or epoch seconds.
fn date(text: &str) -> Option<Time> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(Time::from_seconds(seconds));
    }
    text.parse().ok().or_else(|| format!("{text}Z").parse().ok())
}

/// A CIDR block or a single address.
pub(crate) fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.trim().split_once('/') {
        Some((address, bits)) => (address.parse::<IpAddr>().ok()?, Some(bits.parse::<u8>().ok()?)),
        None => (text.trim().parse::<IpAddr>().ok()?, None),
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(most);
    (bits <= most).then_some((address, bits))
}

/// Whether `address` lies in `network/bits`; addresses of different families never do.
pub(crate) fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            a.to_bits() & mask == n.to_bits() & mask
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            a.to_bits() & mask == n.to_bits() & mask
        }
        _ => false,
    }
}

/// Decodes standard base64; padding is optional.
fn base64(text: &str) -> Option<Box<[u8]>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for byte in text.trim().trim_end_matches('=').bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        buffer = (buffer << 6 | u32::from(six)) & 0x00FF_FFFF;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((buffer >> bits & 0xFF) as u8);
        }
    }
    Some(out.into())
}
