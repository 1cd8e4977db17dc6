//! Evaluation of the comprehensions.

use crate::{
    EvalError, List, MapVal, Val,
    eval::{Eval, Truth, Undecided, insert},
    node::{Macro, MacroKind, Node},
    ops,
};
use std::{collections::BTreeMap, sync::Arc};

/// What a comprehension goes over: pairs of the first and second variable.
pub(crate) enum Range<'a> {
    List(List<'a>),
    Entries(Vec<(Val<'a>, Val<'a>)>),
}

impl<'a> Range<'a> {
    pub fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Entries(entries) => entries.len(),
        }
    }

    /// The element at `at` as the one or two variables see it.
    #[inline]
    pub fn at(&self, at: usize, two: bool) -> (Val<'a>, Val<'a>) {
        match self {
            Self::List(list) => {
                let value = list.get(at).unwrap_or(Val::Null);
                if two { (Val::Int(at as i64), value) } else { (value, Val::Null) }
            }
            Self::Entries(entries) => entries.get(at).cloned().unwrap_or((Val::Null, Val::Null)),
        }
    }
}

impl<'a> Eval<'a> {
    /// The range of a comprehension, or the value that it comes to without one.
    fn range(&mut self, m: &'a Macro) -> Result<Range<'a>, Val<'a>> {
        let found = if self.is_plain() { None } else { self.lookup(m) };
        self.range_of(m, found)
    }

    /// The same when the elements were looked up.
    pub fn range_of(&mut self, m: &'a Macro, found: Option<List<'a>>) -> Result<Range<'a>, Val<'a>> {
        let value = match found {
            Some(candidates) => Val::List(candidates),
            None => self.eval(&m.range),
        };
        match value {
            Val::List(list) => Ok(Range::List(list)),
            Val::Map(map) => Ok(Range::Entries(map.entries())),
            Val::Null if self.cx.absent_is_null => Ok(Range::List(List::Slice(&[]))),
            other @ (Val::Unknown(_) | Val::Error(_)) => Err(other.whole()),
            other => Err(Val::no_overload(&m.name, &[other])),
        }
    }

    #[inline]
    pub fn set_variables(&mut self, m: &Macro, range: &Range<'a>, at: usize) {
        let two = m.names.len() == 2;
        if let (Range::List(List::Doc(items)), false) = (range, two)
            && let Some(item) = items.get(at)
        {
            self.set_local_doc(m.slot, item);
            return;
        }
        let (first, second) = range.at(at, two);
        self.set_local(m.slot, first);
        if two {
            self.set_local(m.slot + 1, second);
        }
    }

    pub fn comprehension(&mut self, m: &'a Macro) -> Val<'a> {
        let range = match self.range(m) {
            Ok(range) => range,
            Err(done) => return done,
        };
        let rest = if let Range::List(list) = &range { list.rest().cloned() } else { None };
        match m.kind {
            MacroKind::All | MacroKind::Exists => {
                let decisive = m.kind == MacroKind::Exists;
                let mut undecided = Undecided::default();
                for at in 0..range.len() {
                    self.set_variables(m, &range, at);
                    let value = match self.eval(&m.body) {
                        Val::Bool(b) if b == decisive => return Val::Bool(decisive),
                        Val::Bool(_) if !self.spent() => continue,
                        other => other,
                    };
                    match self.truth(value) {
                        Truth::True if decisive => return Val::Bool(true),
                        Truth::False if !decisive => return Val::Bool(false),
                        Truth::True | Truth::False => {}
                        Truth::Unknown(u) => undecided.add_unknown(u),
                        Truth::Error(e) => undecided.add_error(e),
                    }
                    if self.spent() {
                        break;
                    }
                }
                if let Some(rest) = rest {
                    undecided.add_unknown(rest);
                }
                undecided.or(Val::Bool(!decisive))
            }
            MacroKind::ExistsOne => {
                let (mut count, mut undecided) = (0u32, Undecided::default());
                for at in 0..range.len() {
                    match self.passes(m, &m.body, &range, at) {
                        Truth::True => count += 1,
                        Truth::False => {}
                        Truth::Unknown(u) => undecided.add_unknown(u),
                        Truth::Error(e) => undecided.add_error(e),
                    }
                    if self.spent() {
                        break;
                    }
                }
                if let Some(rest) = rest {
                    undecided.add_unknown(rest);
                }
                undecided.or(Val::Bool(count == 1))
            }
            MacroKind::Filter | MacroKind::Map => self.collect(m, &range, rest),
            MacroKind::MapValues | MacroKind::MapEntries => {
                let value = self.build_map(m, &range);
                match (value, rest) {
                    (value @ Val::Error(_), _) | (value, None) => value,
                    (_, Some(rest)) => Val::Unknown(rest),
                }
            }
            MacroKind::SortBy => self.sort_by(m, &range, rest),
        }
    }

    fn passes(&mut self, m: &'a Macro, condition: &'a Node, range: &Range<'a>, at: usize) -> Truth<'a> {
        self.set_variables(m, range, at);
        let value = self.eval(condition);
        self.truth(value)
    }

    /// `filter` and `map`. An element that may or may not belong makes the result incomplete, not lost.
    fn collect(&mut self, m: &'a Macro, range: &Range<'a>, rest: Option<crate::Unknowns<'a>>) -> Val<'a> {
        let (mut kept, mut maybe, mut errors) = (Vec::new(), rest, Undecided::default());
        for at in 0..range.len() {
            if self.spent() {
                break;
            }
            let condition = if m.kind == MacroKind::Filter { Some(&m.body) } else { m.filter.as_ref() };
            self.set_variables(m, range, at);
            if let Some(condition) = condition {
                let value = self.eval(condition);
                match self.truth(value) {
                    Truth::True => {}
                    Truth::False => continue,
                    Truth::Unknown(u) => {
                        maybe = Some(maybe.map_or(u.clone(), |before| before.merge(u)));
                        continue;
                    }
                    Truth::Error(e) => {
                        errors.add_error(e);
                        continue;
                    }
                }
            }
            if m.kind == MacroKind::Filter {
                kept.push(range.at(at, false).0);
            } else {
                match self.eval(&m.body) {
                    error @ Val::Error(_) => errors.add_error(error),
                    value => kept.push(value),
                }
            }
        }
        if !errors.is_empty() {
            if let Some(u) = maybe {
                errors.add_unknown(u);
            }
            return errors.or(Val::Null);
        }
        if let Err(error) = self.cx.allow(kept.len()) {
            return error.into();
        }
        match maybe {
            Some(unknowns) => Val::List(List::incomplete(List::of(kept), unknowns)),
            None => Val::list(kept),
        }
    }

    fn build_map(&mut self, m: &'a Macro, range: &Range<'a>) -> Val<'a> {
        let (mut built, mut undecided) = (BTreeMap::new(), Undecided::default());
        for at in 0..range.len() {
            if self.spent() {
                break;
            }
            if let Some(filter) = &m.filter {
                match self.passes(m, filter, range, at) {
                    Truth::True => {}
                    Truth::False => continue,
                    Truth::Unknown(u) => {
                        undecided.add_unknown(u);
                        continue;
                    }
                    Truth::Error(e) => {
                        undecided.add_error(e);
                        continue;
                    }
                }
            }
            self.set_variables(m, range, at);
            let value = self.eval(&m.body);
            if m.kind == MacroKind::MapValues {
                let key = range.at(at, true).0;
                match value {
                    error @ Val::Error(_) => undecided.add_error(error),
                    value => {
                        if let Err(error) = insert(&mut built, key, value) {
                            undecided.add_error(error.into());
                        }
                    }
                }
                continue;
            }
            match undecided.take(value) {
                Some(Val::Map(map)) => {
                    for (key, value) in map.entries() {
                        if let Err(error) = insert(&mut built, key, value) {
                            undecided.add_error(error.into());
                        }
                    }
                }
                Some(other) => undecided.add_error(Val::no_overload(&m.name, &[other])),
                None => {}
            }
        }
        if let Err(error) = self.cx.allow(built.len()) {
            return error.into();
        }
        undecided.or(Val::Map(MapVal::Built(Arc::new(built))))
    }

    fn sort_by(&mut self, m: &'a Macro, range: &Range<'a>, rest: Option<crate::Unknowns<'a>>) -> Val<'a> {
        let mut undecided = Undecided::default();
        if let Some(rest) = rest {
            undecided.add_unknown(rest);
        }
        let mut keyed = Vec::with_capacity(range.len());
        for at in 0..range.len() {
            self.set_variables(m, range, at);
            let key = self.eval(&m.body);
            if let Some(key) = undecided.take(key) {
                keyed.push((key, range.at(at, false).0));
            }
        }
        if !undecided.is_empty() {
            return undecided.or(Val::Null);
        }
        if let Err(error) = self.cx.allow(keyed.len()) {
            return error.into();
        }
        match ops::sort(keyed) {
            Some(sorted) => Val::list(sorted),
            None => EvalError::NoSuchOverload("keys that cannot be ordered".into()).into(),
        }
    }
}
