//! Declarations that carry fields of a resource the code does not declare: a policy for a queue of another stack.

use super::{Found, KindsByType, Language, Mapped, Mapper, carriers, fits};
use crate::resource::{Code, Reading};
use crate::value::Val;
use carriers::{Carriers, Pair};
use plumb_catalog::{Catalog, Column, Field, Kind, Take, Type};
use plumb_model::{Reason, Resource, Source, Unknown, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// A resource declared elsewhere, as far as one declaration here says something about it.
#[derive(Debug, Clone)]
pub struct StandIn {
    /// Its id is the address of the declaration; what that does not say is not known.
    pub mapped: Mapped,
    /// The fields it carries. Rules that read none of them have nothing to say.
    pub fields: BTreeSet<String>,
}

/// A type of a language, as types are compared there.
type OfType<'a> = (Language, Cow<'a, str>);

/// What declarations say about resources that are not in this code. `mapped` is what [`super::resources`] gave.
///
/// A declaration of a type that several kinds read means none of them for certain and is left out, unless these are resources of the
/// same types, which their rules tell apart: web and function apps are both sites.
pub fn elsewhere(catalog: &Catalog, reading: &Reading, mapped: &[Mapped]) -> Vec<StandIn> {
    let known: HashSet<usize> = mapped.iter().flat_map(|m| m.carriers.iter().copied().chain([m.code])).collect();
    let rest = reading.resources.iter().enumerate().filter(|(at, code)| !code.existing && !known.contains(at));
    let rest: Vec<(usize, &Code)> = rest.collect();
    // Mostly all code is resources and what belongs to them.
    if rest.is_empty() {
        return Vec::new();
    }
    let by_type = KindsByType::new(catalog);
    let mut lenders: BTreeMap<OfType<'_>, Vec<(&Kind, &str)>> = BTreeMap::new();
    for kind in catalog.kinds.values() {
        for language in [Language::Terraform, Language::CloudFormation, Language::Arm] {
            // What refers to something in between says nothing about the kind by itself.
            let takes = kind.fields.iter().flat_map(|f| &language.column(f).0).filter(|t| t.via.is_none());
            let ways: BTreeSet<Pair> = takes.filter_map(|t| Some((t.from.as_deref()?, t.by.as_deref()?))).collect();
            ways.into_iter().for_each(|(from, by)| {
                lenders.entry((language, language.type_key(from))).or_default().push((kind, by))
            });
        }
    }
    let none = Carriers::none();
    let mut out = Vec::new();
    for (at, code) in rest {
        let language = Language::of(code.dialect);
        let Some(ways) = lenders.get(&(language, language.type_key(&code.type_))) else { continue };
        let named: Vec<_> = ways.iter().filter(|(_, by)| code.attrs.at(by).is_some()).collect();
        let mut meant: Vec<&Kind> = match named.is_empty() {
            true => ways.iter().map(|(kind, _)| *kind).collect(),
            false => named.into_iter().map(|(kind, _)| *kind).collect(),
        };
        meant.dedup_by(|a, b| a.id == b.id);
        let alike = |kind: &&Kind| meant.first().is_some_and(|first| language.types(first) == language.types(kind));
        if !meant.iter().all(alike) || !by_type.of(code).is_empty() {
            continue;
        }
        for kind in meant {
            let mapper = Mapper { kind, code, language, reading, carriers: &none };
            let fields = kind.fields.iter().filter(|f| mapper.lends(f)).map(|f| f.name.clone()).collect();
            let mapped = mapper.map_with(at, |field| mapper.borrowed(field));
            out.push(StandIn { mapped: Mapped { carriers: vec![at], ..mapped }, fields });
        }
    }
    out
}

/// What each of the blocks that belong to a resource says alone, for each of `mapped`: the resource as if of these there were this one
/// only, with its own id. The place is the block's.
pub fn alone(catalog: &Catalog, reading: &Reading, mapped: &[Mapped]) -> Vec<Vec<StandIn>> {
    let none = Carriers::none();
    let of = |one: &Mapped, at: usize| {
        let kind = catalog.kinds.get(&one.resource.kind)?;
        let code = reading.resources.get(at).filter(|_| at != one.code)?;
        let language = Language::of(code.dialect);
        let mapper = Mapper { kind, code, language, reading, carriers: &none };
        let itself = Mapper { code: reading.resources.get(one.code)?, ..mapper };
        let (mut resource, mut fields) = (Resource::clone(&one.resource), BTreeSet::new());
        for (slot, (field, value)) in kind.fields.iter().zip(&mut resource.fields).enumerate() {
            if !mapper.lends(field) {
                continue;
            }
            fields.insert(field.name.clone());
            match mapper.said(field) {
                Some(found) => {
                    *value = found.value;
                    resource.sources.set(slot, found.span.map_or(Source::Default, |span| mapper.source(span)));
                }
                // What other blocks say is not what this one says; what the resource itself says holds.
                None => *value = itself.top(field, &mut BTreeSet::new()).value,
            }
        }
        let place = reading.sources.place(code.span);
        Some(StandIn {
            mapped: Mapped { resource: Arc::new(resource), code: at, carriers: vec![at], place, ..one.clone() },
            fields,
        })
    };
    mapped.iter().map(|one| one.carriers.iter().filter_map(|at| of(one, *at)).collect()).collect()
}

impl<'a> Mapper<'a> {
    /// Whether this declaration says something of a field.
    fn lends(&self, field: &Field) -> bool {
        self.lent(field).any(|take| !holds_anyway(self.language.column(field), take))
    }

    /// The alternatives of a field that this declaration feeds.
    fn lent<'f>(&self, field: &'f Field) -> impl Iterator<Item = &'f Take> + use<'a, 'f> {
        let (code, language) = (self.code, self.language);
        let same = move |from: &str| language.type_key(from) == language.type_key(&code.type_);
        language.column(field).0.iter().filter(move |t| t.from.as_deref().is_some_and(same) && fits(language, t, code))
    }

    /// A field of a resource that is declared elsewhere: what is said here, the default where nobody else could say it
    /// in the resource itself, else not known.
    fn borrowed(&self, field: &Field) -> Found {
        if let Some(found) = self.said(field) {
            return found;
        }
        let column = &self.language.column(field).0;
        let value = match column.as_slice() {
            [] => self.not_written(field),
            // What holds of whatever stands in code holds of this one too.
            [take]
                if take.from.is_none()
                    && take.value.is_some()
                    && take.path.root().is_none()
                    && take.when.is_empty() =>
            {
                self.taken(field, take, &self.read(take, self.code))
            }
            takes if takes.iter().any(|take| take.from.is_none()) => not_here(self.code, field),
            _ => field.default.clone(),
        };
        Found { value, span: None, sensitive: false }
    }

    /// What this declaration itself says of a field.
    fn said(&self, field: &Field) -> Option<Found> {
        let mut items = Vec::new();
        let mut first = None;
        for take in self.lent(field) {
            let val = self.read(take, self.code);
            let value = self.taken(field, take, &val);
            let span = if take.path.steps().is_empty() { self.code.header } else { val.span };
            match value {
                Value::Null => {}
                Value::List(more) if matches!(field.ty, Type::List(_)) => {
                    items.extend(more.into_vec());
                    first.get_or_insert((span, val.sensitive));
                }
                value => return Some(Found { value, span: Some(span), sensitive: val.sensitive }),
            }
        }
        first.map(|(span, sensitive)| Found { value: Value::list(items), span: Some(span), sensitive })
    }

    /// What an alternative finds in a declaration.
    pub(super) fn read(&self, take: &Take, place: &Code) -> Val {
        match take.path.root() {
            Some("$type") => Val::str(place.type_.clone(), place.header),
            Some("$before") => super::before(place, &take.path),
            _ => super::find(&place.attrs, &take.path, self.language == Language::Arm),
        }
    }
}

/// Whether an alternative gives what the resource itself would give if it said nothing. Such a one tells what to take a resource that
/// is declared elsewhere for, and says nothing about it.
fn holds_anyway(column: &Column, take: &Take) -> bool {
    let constant = |t: &Take| t.value.is_some() && t.path.root().is_none();
    constant(take) && column.0.iter().any(|t| t.from.is_none() && constant(t) && t.value == take.value)
}

fn not_here(code: &Code, field: &Field) -> Value {
    let mut unknown = Unknown::new(Reason::NotComputed, format!("{}.{}", code.address, field.name));
    unknown.detail = "the resource itself is declared elsewhere".into();
    Value::unknown(unknown)
}
