//! Type constraints of variables, and the conversions Terraform makes.

use super::ast::{Expr, Kind};
use super::unify::{unify, unify_members};
use crate::value::{Data, Members, Val};
use std::sync::Arc;

/// A type constraint.
#[derive(Debug, Clone)]
pub(crate) enum Type {
    Any,
    Bool,
    Number,
    String,
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<Type>),
    Tuple(Vec<Type>),
    Object(Vec<Field>),
}

/// An attribute of an object type.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub name: Arc<str>,
    pub type_: Type,
    pub optional: bool,
    pub default: Option<Expr>,
}

impl Type {
    /// Reads `list(object({ a = optional(string, "x") }))`. What is not a type is `any`: it constrains nothing.
    pub(crate) fn of(expr: &Expr) -> Type {
        match &expr.kind {
            Kind::Name(name) | Kind::Str(name) => Self::named(name),
            Kind::Call(call) => {
                let first = call.args.first();
                let inner = || Box::new(first.map_or(Type::Any, Type::of));
                match &*call.name {
                    "list" => Type::List(inner()),
                    "set" => Type::Set(inner()),
                    "map" => Type::Map(inner()),
                    "optional" => *inner(),
                    "tuple" => match first.map(|e| &e.kind) {
                        Some(Kind::Tuple(items)) => Type::Tuple(items.iter().map(Type::of).collect()),
                        _ => Type::Any,
                    },
                    "object" => match first.map(|e| &e.kind) {
                        Some(Kind::Object(items)) => {
                            Type::Object(items.iter().filter_map(|(k, v)| Field::of(k, v)).collect())
                        }
                        _ => Type::Any,
                    },
                    _ => Type::Any,
                }
            }
            _ => Type::Any,
        }
    }

    fn named(name: &str) -> Type {
        match name {
            "string" => Type::String,
            "number" => Type::Number,
            "bool" => Type::Bool,
            "list" => Type::List(Box::new(Type::Any)),
            "map" => Type::Map(Box::new(Type::Any)),
            "set" => Type::Set(Box::new(Type::Any)),
            _ => Type::Any,
        }
    }
}

impl Field {
    fn of(key: &Expr, value: &Expr) -> Option<Field> {
        let Kind::Str(name) = &key.kind else { return None };
        let (optional, default) = match &value.kind {
            Kind::Call(call) if &*call.name == "optional" => (true, call.args.get(1).cloned()),
            _ => (false, None),
        };
        Some(Field { name: name.clone(), type_: Type::of(value), optional, default })
    }
}

/// Converts a value to a type. Unknown values and unknown parts stay as they are. `default` evaluates the default of an
/// optional attribute.
///
/// # Errors
/// What was found and what the type wants.
pub(crate) fn convert(val: &Val, type_: &Type, default: &mut dyn FnMut(&Expr) -> Val) -> Result<Val, String> {
    if val.is_null() || (val.is_unknown() && !matches!(val.data, Data::Doc(_))) {
        return Ok(val.clone());
    }
    let with = |data: Data| Val { data, ..val.clone() };
    match type_ {
        Type::Any => Ok(val.clone()),
        Type::String => to_string(val).ok_or_else(|| wanted("a string", val)),
        Type::Number => to_number(val).ok_or_else(|| wanted("a number", val)),
        Type::Bool => to_bool(val).ok_or_else(|| wanted("true or false", val)),
        Type::List(inner) | Type::Set(inner) => {
            let Some(items) = val.as_list() else { return Err(wanted("a list", val)) };
            let mut items = items.iter().map(|v| convert(v, inner, default)).collect::<Result<Vec<_>, _>>()?;
            if matches!(**inner, Type::Any) {
                items = unify(items);
            }
            Ok(match type_ {
                Type::Set(_) => set_of(items, val),
                _ => Val { typed: true, ..with(Data::List(Arc::new(items))) },
            })
        }
        Type::Map(inner) => {
            let Some(members) = val.as_map() else { return Err(wanted("a map", val)) };
            let members: Result<Members, String> =
                members.iter().map(|(k, v)| Ok((k.clone(), convert(v, inner, default)?))).collect();
            let members = members?;
            let members = if matches!(**inner, Type::Any) { unify_members(members) } else { members };
            Ok(Val { typed: true, ..with(Data::Map(Arc::new(members))) })
        }
        Type::Tuple(types) => {
            let Some(items) = val.as_list() else { return Err(wanted("a tuple", val)) };
            if items.len() != types.len() {
                return Err(format!("a tuple of {} was expected, found {}", types.len(), items.len()));
            }
            let items: Result<Vec<Val>, String> =
                items.iter().zip(types).map(|(v, t)| convert(v, t, default)).collect();
            Ok(Val { typed: false, ..with(Data::List(Arc::new(items?))) })
        }
        Type::Object(fields) => {
            let Some(members) = val.as_map() else { return Err(wanted("an object", val)) };
            let mut out = Members::new();
            for field in fields {
                let value = match members.get(&field.name) {
                    Some(v) if !v.is_null() || field.default.is_none() => {
                        convert(v, &field.type_, default).map_err(|e| format!("attribute `{}`: {e}", field.name))?
                    }
                    _ if field.optional => match &field.default {
                        Some(expr) => convert(&default(expr), &field.type_, default)?,
                        None => Val::null(val.span),
                    },
                    Some(v) => v.clone(),
                    None => return Err(format!("attribute `{}` is missing", field.name)),
                };
                out.insert(field.name.clone(), value);
            }
            Ok(Val { typed: false, ..with(Data::Map(Arc::new(out))) })
        }
    }
}

fn wanted(what: &str, val: &Val) -> String {
    format!("{what} was expected, found {}", type_name(val))
}

/// The name of a value's type, for messages.
pub(crate) fn type_name(val: &Val) -> &'static str {
    match &val.data {
        Data::Null => "null",
        Data::Bool(_) => "a truth value",
        Data::Int(_) | Data::Num(_) => "a number",
        Data::Str(_) | Data::Doc(_) | Data::Partial(_) => "a string",
        Data::List(_) => "a list",
        Data::Set(_) => "a set",
        Data::Map(_) => "an object",
        Data::Ref(_) => "a resource attribute",
        Data::Unknown(_) => "an unknown value",
    }
}

/// A number as Terraform writes it.
pub(crate) fn number_text(f: f64) -> String {
    if f.fract() == 0.0 {
        return if f.abs() < 1e21 { format!("{f:.0}") } else { format!("{f}") };
    }
    f.to_string()
}

/// The text of a primitive; documents and partial texts are texts already.
pub(crate) fn to_string(val: &Val) -> Option<Val> {
    let data = match &val.data {
        Data::Bool(b) => Data::Str(if *b { "true".into() } else { "false".into() }),
        Data::Int(i) => Data::Str(i.to_string().into()),
        Data::Num(f) => Data::Str(number_text(*f).into()),
        Data::List(_) | Data::Set(_) | Data::Map(_) => return None,
        _ => return Some(val.clone()),
    };
    Some(Val { data, ..val.clone() })
}

/// The number of a number or numeric text.
pub(crate) fn to_number(val: &Val) -> Option<Val> {
    match &val.data {
        Data::Int(_) | Data::Num(_) | Data::Null | Data::Unknown(_) | Data::Ref(_) => Some(val.clone()),
        Data::Str(s) => {
            let numeric = s.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
            let f: f64 = if numeric { s.parse().ok().filter(|f: &f64| f.is_finite())? } else { return None };
            let data = s.parse().map_or_else(|_| Val::num(f, val.span).data, Data::Int);
            Some(Val { data, ..val.clone() })
        }
        _ => None,
    }
}

/// The truth value of one, or of its text.
pub(crate) fn to_bool(val: &Val) -> Option<Val> {
    match &val.data {
        Data::Bool(_) | Data::Null | Data::Unknown(_) | Data::Ref(_) => Some(val.clone()),
        Data::Str(s) => {
            let b = match &**s {
                "true" | "1" => true,
                "false" | "0" => false,
                _ => return None,
            };
            Some(Val { data: Data::Bool(b), ..val.clone() })
        }
        _ => None,
    }
}

/// The order of values in a set: numbers, then texts by their bytes, then the rest by what they look like.
pub(crate) fn order(a: &Val, b: &Val) -> std::cmp::Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => return a.total_cmp(&b),
        (Some(_), None) => return std::cmp::Ordering::Less,
        (None, Some(_)) => return std::cmp::Ordering::Greater,
        _ => {}
    }
    match (a.as_str(), b.as_str()) {
        (Some(a), Some(b)) => a.cmp(b),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        _ => a.describe().cmp(&b.describe()),
    }
}

/// A set: sorted, equal values once. Unknown elements are kept apart, as they may turn out different.
pub(crate) fn set_of(mut items: Vec<Val>, like: &Val) -> Val {
    items.sort_by(order);
    items.dedup_by(|a, b| a == b);
    Val { data: Data::Set(Arc::new(items)), ..like.clone() }
}
