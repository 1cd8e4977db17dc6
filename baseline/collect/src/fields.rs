//! From a raw document to a kind's fields, converted to the types the kind declares.

use crate::decode;
use plumb_catalog::{Column, Field, Kind, Take, Type};
use plumb_model::{Reason, Time, Unknown, Value};
use std::sync::Arc;

/// The fields of a live document, in the kind's order.
pub fn live_fields(kind: &Kind, raw: &Value) -> Vec<Value> {
    kind.fields.iter().map(|field| field_value(field, &|f| &f.live, raw, None, &|_| true)).collect()
}

/// One field of a document in the dialect that `column` picks.
///
/// Alternatives are tried in order and the first that is neither null nor an empty list wins; an unknown wins where it
/// stands, because what comes after it may not be the truth. Then the default applies. `missing` says that part of the
/// document itself was not read: what is not there then is unknown, not default. `usable` leaves out alternatives that
/// do not apply here.
pub fn field_value(
    field: &Field,
    column: &dyn Fn(&Field) -> &Column,
    raw: &Value,
    missing: Option<&Arc<Unknown>>,
    usable: &dyn Fn(&Take) -> bool,
) -> Value {
    let mut found = Value::Null;
    for take in column(field).0.iter().filter(|take| usable(take)) {
        let value = taken(take, raw);
        let nothing = value.is_null() || matches!(&value, Value::List(l) if l.is_empty());
        if !nothing {
            found = value;
            break;
        }
        if found.is_null() {
            found = value;
        }
    }
    if found.is_null()
        && let Some(unknown) = missing
        && !column(field).0.is_empty()
    {
        return Value::Unknown(Arc::clone(unknown));
    }
    if !field.members.is_empty() {
        found = objects(field, column, found, usable);
    }
    let converted = convert(found, &field.ty);
    if converted.is_null() { field.default.clone() } else { converted }
}

fn taken(take: &Take, raw: &Value) -> Value {
    let mut value = take.path.find(raw);
    if let Some(constant) = &take.value {
        // A constant without a path always holds; with one, the mere presence of the path says so.
        return match value {
            Value::Unknown(_) | Value::Null => value,
            _ => unsaid(constant).unwrap_or_else(|| constant.clone()),
        };
    }
    if let Some(how) = take.decode {
        value = decode(how, value, "");
    }
    match (&take.equals, &value) {
        (Some(_), Value::Null | Value::Unknown(_)) | (None, _) => value,
        (Some(want), got) => Value::Bool(
            got == want || matches!((got, want), (Value::Str(a), Value::Str(b)) if a.eq_ignore_ascii_case(b)),
        ),
    }
}

/// `{ "$unknown" = "why" }` as a constant: what an answer leaves out although the provider always decides it. The default
/// would be a guess.
fn unsaid(constant: &Value) -> Option<Value> {
    let mut unknown = Unknown::new(Reason::Truncated, "");
    unknown.detail = constant.get("$unknown")?.as_str()?.to_owned();
    Some(Value::unknown(unknown))
}

fn objects(field: &Field, column: &dyn Fn(&Field) -> &Column, found: Value, usable: &dyn Fn(&Take) -> bool) -> Value {
    let object = |item: &Value| match item {
        Value::Unknown(_) => item.clone(),
        item => Value::map(field.members.iter().map(|m| (m.name.as_str(), field_value(m, column, item, None, usable)))),
    };
    match (&field.ty, found) {
        (Type::List(_), Value::List(items)) => Value::list(items.iter().map(object)),
        (Type::List(_), single @ Value::Map(_)) => Value::list([object(&single)]),
        (_, Value::List(items)) => items.first().map(object).unwrap_or_default(),
        (_, Value::Map(map)) => object(&Value::Map(map)),
        (_, other) => other,
    }
}

/// Converts to a declared type what providers spell in several ways. What cannot be converted is unknown (`broken`):
/// a rule must not judge a value that is not what it thinks.
pub fn convert(value: Value, ty: &Type) -> Value {
    match (ty, value) {
        (_, v @ (Value::Null | Value::Unknown(_))) | (Type::Any, v) => v,
        (Type::String, v @ Value::Str(_)) => v,
        (Type::String, Value::Int(i)) => Value::from(i.to_string()),
        (Type::String, Value::Bool(b)) => Value::from(b.to_string()),
        (Type::String, Value::Double(d)) => Value::from(d.to_string()),
        (Type::String, Value::Time(t)) => Value::from(t.to_string()),
        (Type::Int, v @ Value::Int(_)) => v,
        (Type::Int, Value::Double(d)) if d.fract() == 0.0 => Value::Int(d as i64),
        (Type::Int, Value::Str(s)) => s.trim().parse().map_or_else(|_| mismatch(ty, "text"), Value::Int),
        (Type::Double, v @ Value::Double(_)) => v,
        (Type::Double, Value::Int(i)) => Value::Double(i as f64),
        (Type::Double, Value::Str(s)) => s.trim().parse().map_or_else(|_| mismatch(ty, "text"), Value::Double),
        (Type::Bool, v @ Value::Bool(_)) => v,
        (Type::Bool, Value::Str(s)) => match s.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "enabled" | "on" | "active" => Value::Bool(true),
            "false" | "0" | "no" | "disabled" | "off" | "inactive" | "" => Value::Bool(false),
            _ => mismatch(ty, "text"),
        },
        (Type::Bool, Value::Int(i @ (0 | 1))) => Value::Bool(i == 1),
        (Type::Time, v @ Value::Time(_)) => v,
        (Type::Time, Value::Int(i)) => Value::Time(Time::from_seconds(if i > 100_000_000_000 { i / 1000 } else { i })),
        (Type::Time, Value::Double(d)) => Value::Time(Time::from_seconds(d as i64)),
        (Type::Time, Value::Str(s)) => instant(&s).map_or_else(|| mismatch(ty, "text"), Value::Time),
        (Type::Policy, v @ Value::Map(_)) => policy(v),
        (Type::List(item), Value::List(items)) => Value::list(items.into_vec().into_iter().map(|v| convert(v, item))),
        (Type::List(item), single) => Value::list([convert(single, item)]),
        (Type::Map(item), Value::Map(map)) => Value::map(map.iter().map(|(k, v)| (k, convert(v.clone(), item)))),
        (Type::Object(_), v @ Value::Map(_)) => v,
        (ty, v) => mismatch(ty, kind_of(&v)),
    }
}

/// A policy whose statements are a list: one alone may be written without.
pub fn policy(value: Value) -> Value {
    match &value {
        Value::Map(map) if matches!(map.get("Statement"), Some(Value::Map(_))) => {
            Value::map(map.iter().map(|(k, v)| match k {
                "Statement" => (k, Value::list([v.clone()])),
                _ => (k, v.clone()),
            }))
        }
        _ => value,
    }
}

/// RFC 3339, or RFC 3339 without an offset, which providers mean as UTC, or `2026-01-02 03:04:05`.
fn instant(text: &str) -> Option<Time> {
    let text = text.trim();
    text.parse().ok().or_else(|| format!("{}Z", text.replacen(' ', "T", 1)).parse().ok())
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Int(_) | Value::Double(_) => "a number",
        Value::Str(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Time(_) => "an instant",
        Value::Unknown(_) => "unknown",
    }
}

fn mismatch(ty: &Type, got: &str) -> Value {
    let mut unknown = Unknown::new(Reason::Broken, "");
    unknown.detail = format!("expected {ty}, found {got}");
    Value::unknown(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page_items;
    use serde_json::json;

    const KIND: &str = r#"
title = "Cluster"
scope = "region"
id = "{Name}"
[read]
list = { call = "rds:DescribeGlobalClusters", items = "C[]", only = { Engine = "aurora*", Live = true }, unless = { Name = ["default.*", "own"] } }
[fields.tls]
type = "bool"
default = true
live = ["Tls", { value = { "$unknown" = "the answer does not say" } }]
[fields.open]
type = "bool"
default = false
live = ["Auth.Open", { path = "Auth.Iam", value = false }, { value = { "$unknown" = "who may come in" } }]
"#;

    fn kind() -> Kind {
        Kind::parse("aws/x/cluster/kind.toml", KIND).unwrap()
    }

    #[track_caller]
    fn check(raw: serde_json::Value, tls: serde_json::Value, open: serde_json::Value) {
        let said = live_fields(&kind(), &Value::from_json(&raw)).into_iter().map(|value| match value {
            Value::Unknown(unknown) => json!(unknown.detail),
            known => known.to_json(),
        });
        // Fields stand in the order of their names.
        assert_eq!(said.collect::<Vec<_>>(), [open, tls], "{raw}");
    }

    #[test]
    fn what_is_left_out_is_not_guessed_where_the_kind_says_so() {
        check(json!({"Tls": false, "Auth": {"Open": true}}), json!(false), json!(true));
        check(json!({"Tls": true, "Auth": {"Iam": {}}}), json!(true), json!(false));
        check(json!({"Tls": null, "Auth": {}}), json!("the answer does not say"), json!("who may come in"));
        check(json!({}), json!("the answer does not say"), json!("who may come in"));
    }

    #[test]
    fn only_what_meets_every_condition_is_taken() {
        let row = |name: &str, engine: &str, live: bool| json!({"Name": name, "Engine": engine, "Live": live});
        let page = Value::from_json(&json!({"C": [
            row("a", "aurora-mysql", true), row("b", "docdb", true), row("c", "aurora-mysql", false),
            row("default.d", "aurora", true), row("own", "aurora", true), row("e", "aurora", true), {"Name": "f", "Live": true},
        ]}));
        let taken = page_items(kind().list.as_ref().unwrap(), &page);
        let names: Vec<_> = taken.iter().filter_map(|item| item.get("Name")?.as_str()).collect();
        assert_eq!(names, ["a", "e"]);
    }
}
