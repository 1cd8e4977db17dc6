//! The type that values have in common, as conditionals, `tolist` and `coalesce` give it to them: beside a text a number
//! becomes text, tuples become lists, objects become maps, at any depth.

use super::types::{set_of, to_string};
use crate::value::{Data, Members, Val};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The type of a value, as far as its parts are known.
#[derive(Debug, Clone, PartialEq)]
enum Shape {
    /// Null, or not known: it takes any type.
    Any,
    Bool,
    Number,
    String,
    List(Box<Shape>),
    Set(Box<Shape>),
    Map(Box<Shape>),
    Tuple(Vec<Shape>),
    Object(BTreeMap<Arc<str>, Shape>),
}

/// How deep types are compared; what lies deeper stays as it is.
const MAX_DEPTH: u32 = 32;

/// The values with the type they have in common; none when they have none.
pub(crate) fn unified(values: &[Val]) -> Option<Vec<Val>> {
    let shapes: Vec<Shape> = values.iter().map(|v| shape(v, 0)).collect();
    let common = join(shapes.iter().collect())?;
    Some(values.iter().map(|v| give(v, &common)).collect())
}

/// The same; what has no type in common stays as it is.
pub(crate) fn unify(values: Vec<Val>) -> Vec<Val> {
    unified(&values).unwrap_or(values)
}

/// The same for the members of a map.
pub(crate) fn unify_members(members: Members) -> Members {
    let (keys, values): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    keys.into_iter().zip(unify(values)).collect()
}

/// `taken` with the type it has in common with `other`; none when they have none.
pub(crate) fn beside(taken: &Val, other: &Val) -> Option<Val> {
    let common = join(vec![&shape(taken, 0), &shape(other, 0)])?;
    Some(give(taken, &common))
}

/// Whether a value of this kind can become another by standing beside one.
pub(crate) fn open_to_change(val: &Val) -> bool {
    matches!(val.data, Data::Bool(_) | Data::Int(_) | Data::Num(_) | Data::List(_) | Data::Set(_) | Data::Map(_))
}

/// Whether both are lists of any kind, or both maps or objects.
pub(crate) fn kin(a: &Val, b: &Val) -> bool {
    a.as_list().is_some() && b.as_list().is_some() || a.as_map().is_some() && b.as_map().is_some()
}

fn shape(val: &Val, depth: u32) -> Shape {
    if depth > MAX_DEPTH {
        return Shape::Any;
    }
    let inner = |v: &Val| shape(v, depth + 1);
    let one = |items: &[Val]| {
        let shapes: Vec<Shape> = items.iter().map(inner).collect();
        Box::new(join(shapes.iter().collect()).unwrap_or(Shape::Any))
    };
    match &val.data {
        Data::Null | Data::Unknown(_) | Data::Ref(_) => Shape::Any,
        Data::Bool(_) => Shape::Bool,
        Data::Int(_) | Data::Num(_) => Shape::Number,
        Data::Str(_) | Data::Doc(_) | Data::Partial(_) => Shape::String,
        Data::Set(items) => Shape::Set(one(items)),
        Data::List(items) if val.typed => Shape::List(one(items)),
        Data::List(items) => Shape::Tuple(items.iter().map(inner).collect()),
        Data::Map(members) if val.typed => {
            let shapes: Vec<Shape> = members.values().map(inner).collect();
            Shape::Map(Box::new(join(shapes.iter().collect()).unwrap_or(Shape::Any)))
        }
        Data::Map(members) => Shape::Object(members.iter().map(|(k, v)| (k.clone(), inner(v))).collect()),
    }
}

fn join(shapes: Vec<&Shape>) -> Option<Shape> {
    use Shape::{Any, Bool, List, Map, Number, Object, Set, String, Tuple};
    let known: Vec<&Shape> = shapes.into_iter().filter(|s| **s != Any).collect();
    let Some(first) = known.first() else { return Some(Any) };
    if known.iter().all(|s| s == first) {
        return Some((*first).clone());
    }
    if known.iter().all(|s| matches!(s, Bool | Number | String)) {
        return known.contains(&&String).then_some(String);
    }
    if let Tuple(items) = first
        && known.iter().all(|s| matches!(s, Tuple(other) if other.len() == items.len()))
    {
        let at = |i: usize| join(known.iter().filter_map(|s| if let Tuple(t) = s { t.get(i) } else { None }).collect());
        if let Some(items) = (0..items.len()).map(at).collect() {
            return Some(Tuple(items));
        }
    }
    if let Object(members) = first
        && known.iter().all(|s| matches!(s, Object(other) if other.keys().eq(members.keys())))
    {
        let at = |key: &Arc<str>| {
            let found = known.iter().filter_map(|s| if let Object(o) = s { o.get(key) } else { None });
            Some((key.clone(), join(found.collect())?))
        };
        if let Some(members) = members.keys().map(at).collect() {
            return Some(Object(members));
        }
    }
    let mut inner = Vec::new();
    let mut collection = None;
    for shape in &known {
        match shape {
            Tuple(items) => inner.extend(items.iter()),
            List(item) | Set(item) => {
                collection.get_or_insert(matches!(shape, Set(_)));
                inner.push(&**item);
            }
            Object(members) => inner.extend(members.values()),
            Map(item) => inner.push(&**item),
            Any | Bool | Number | String => return None,
        }
    }
    if known.iter().all(|s| matches!(s, Tuple(_) | List(_) | Set(_))) {
        let item = Box::new(join(inner)?);
        return Some(if collection == Some(true) { Set(item) } else { List(item) });
    }
    if known.iter().all(|s| matches!(s, Object(_) | Map(_))) {
        return Some(Map(Box::new(join(inner)?)));
    }
    None
}

fn give(val: &Val, shape: &Shape) -> Val {
    let all = |items: &[Val], item: &Shape| items.iter().map(|v| give(v, item)).collect::<Vec<Val>>();
    match (shape, &val.data) {
        (Shape::String, _) => to_string(val).unwrap_or_else(|| val.clone()),
        (Shape::List(item), Data::List(items) | Data::Set(items)) => {
            Val { data: Data::List(Arc::new(all(items, item))), typed: true, ..val.clone() }
        }
        (Shape::Set(item), Data::List(items) | Data::Set(items)) => set_of(all(items, item), val),
        (Shape::Tuple(shapes), Data::List(items)) => {
            let items = items.iter().zip(shapes).map(|(v, s)| give(v, s)).collect();
            Val { data: Data::List(Arc::new(items)), ..val.clone() }
        }
        (Shape::Map(item), Data::Map(members)) => {
            let members = members.iter().map(|(k, v)| (k.clone(), give(v, item))).collect();
            Val { data: Data::Map(Arc::new(members)), typed: true, ..val.clone() }
        }
        (Shape::Object(shapes), Data::Map(members)) => {
            let with = |(k, v): (&Arc<str>, &Val)| (k.clone(), shapes.get(k).map_or_else(|| v.clone(), |s| give(v, s)));
            Val { data: Data::Map(Arc::new(members.iter().map(with).collect())), ..val.clone() }
        }
        _ => val.clone(),
    }
}
