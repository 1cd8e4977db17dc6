//! Code as the resources of kinds: the fields of a kind's table, computed from what the code says.
//!
//! One kind may be written as several resources: a bucket with its public access block, its versioning and its policy.
//! A column's `from` names such a carrier, and its `by` the attribute that refers to the resource. What is not known
//! before apply stays unknown in exactly the fields it decides.

mod carriers;
mod elsewhere;
mod find;
#[cfg(test)]
mod tests;
mod values;
pub(crate) use values::of_deployment;

use crate::resource::{Code, Dialect, Key, Reading};
use crate::source::{Place, Span};
use crate::terraform::data::POLICIES;
use crate::value::{Data, Val};
use carriers::Carriers;
use find::find;
use plumb_catalog::{Catalog, Column, Decode, Field, Kind, Step, Take, Type};
use plumb_model::{KindId, Reason, Region, Resource, Source, Sources, Unknown, Value};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use values::Reader;

pub use elsewhere::{StandIn, alone, elsewhere};

/// A resource of a kind, and the code it came from.
#[derive(Debug, Clone)]
pub struct Mapped {
    /// As rules see it; its id is the address.
    pub resource: Arc<Resource>,
    /// The position of the declaration in [`Reading::resources`].
    pub code: usize,
    /// Positions of the other declarations that carry fields of it.
    pub carriers: Vec<usize>,
    /// The root module or template it belongs to; addresses are unique within one.
    pub root: Arc<str>,
    /// The whole block.
    pub place: Place,
    /// Fields whose value the author marked sensitive: they may be judged, never shown.
    pub sensitive: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Language {
    Terraform,
    CloudFormation,
    Arm,
}

impl Language {
    fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Terraform | Dialect::TerraformPlan | Dialect::TerraformState => Self::Terraform,
            Dialect::CloudFormation => Self::CloudFormation,
            Dialect::Arm | Dialect::Bicep => Self::Arm,
        }
    }

    fn column(self, field: &Field) -> &Column {
        match self {
            Self::Terraform => &field.terraform,
            Self::CloudFormation => &field.cloudformation,
            Self::Arm => &field.arm,
        }
    }

    fn types(self, kind: &Kind) -> &[String] {
        match self {
            Self::Terraform => &kind.terraform,
            Self::CloudFormation => &kind.cloudformation,
            Self::Arm => &kind.arm,
        }
    }

    /// ARM compares names without regard to case; the others do not.
    fn type_key(self, type_: &str) -> Cow<'_, str> {
        if self == Self::Arm { type_.to_ascii_lowercase().into() } else { type_.into() }
    }
}

/// The kinds that a type of a language is.
struct KindsByType<'c>(HashMap<Language, HashMap<Cow<'c, str>, Vec<&'c Kind>>>);

impl<'c> KindsByType<'c> {
    fn new(catalog: &'c Catalog) -> Self {
        let mut all: HashMap<Language, HashMap<Cow<'c, str>, Vec<&Kind>>> = HashMap::new();
        for kind in catalog.kinds.values() {
            for language in [Language::Terraform, Language::CloudFormation, Language::Arm] {
                let of_language = all.entry(language).or_default();
                for type_ in language.types(kind) {
                    of_language.entry(language.type_key(type_)).or_default().push(kind);
                }
            }
        }
        Self(all)
    }

    fn of(&self, code: &Code) -> &[&'c Kind] {
        let language = Language::of(code.dialect);
        let kinds = self.0.get(&language).and_then(|types| types.get(&*language.type_key(&code.type_)));
        kinds.map_or(&[], Vec::as_slice)
    }
}

/// The kinds whose resources [`resources`] and [`elsewhere`] may find in code or in what a patch makes of it, and perhaps a
/// few more: those that name a type it uses, and those of types that carry fields of these.
pub fn kinds(catalog: &Catalog, readings: &[Reading]) -> BTreeSet<KindId> {
    let alone: Vec<HashSet<usize>> = readings.iter().map(|reading| documents_alone(catalog, reading)).collect();
    let codes = readings.iter().zip(&alone).flat_map(|(reading, alone)| {
        let made = move |(at, code): &(usize, &Code)| !code.existing || alone.contains(at);
        reading.resources.iter().enumerate().filter(made).map(|(_, code)| code)
    });
    let used: HashSet<(Language, String)> = codes
        .map(|code| (Language::of(code.dialect), &code.type_))
        .collect::<HashSet<_>>()
        .into_iter()
        .map(|(language, type_)| (language, language.type_key(type_).into_owned()))
        .collect();
    let languages: HashSet<Language> = used.iter().map(|(language, _)| *language).collect();
    let names = |kind: &Kind, language: &Language| {
        let is_used = |type_: &str| used.contains(&(*language, language.type_key(type_).into_owned()));
        let lends = |f: &Field| language.column(f).0.iter().any(|t| t.from.as_deref().is_some_and(is_used));
        language.types(kind).iter().any(|t| is_used(t)) || kind.fields.iter().any(lends)
    };
    let mut found: BTreeSet<KindId> = BTreeSet::new();
    let mut carriers: HashSet<(Language, String)> = HashSet::new();
    for kind in catalog.kinds.values() {
        for language in languages.iter().filter(|language| names(kind, language)) {
            let takes = kind.fields.iter().flat_map(|f| &language.column(f).0);
            carriers
                .extend(takes.filter_map(|t| Some((*language, language.type_key(t.from.as_deref()?).into_owned()))));
            found.insert(kind.id.clone());
        }
    }
    let carries = |kind: &Kind, language: &Language| {
        language.types(kind).iter().any(|t| carriers.contains(&(*language, language.type_key(t).into_owned())))
    };
    let also = catalog.kinds.values().filter(|kind| languages.iter().any(|language| carries(kind, language)));
    found.extend(also.map(|kind| kind.id.clone()));
    found
}

/// The resources of all kinds that the code makes, in the order of the reading.
pub fn resources(catalog: &Catalog, reading: &Reading) -> Vec<Mapped> {
    let by_type = KindsByType::new(catalog);
    let alone = documents_alone(catalog, reading);
    let made = |(at, code): &(usize, &Code)| !code.existing || alone.contains(at);
    let mut pairs = HashSet::new();
    let mut seen = HashSet::new();
    for (_, code) in reading.resources.iter().enumerate().filter(made) {
        for kind in by_type.of(code) {
            if seen.insert((&kind.id, Language::of(code.dialect))) {
                let columns = kind.fields.iter().map(|f| Language::of(code.dialect).column(f));
                for take in columns.flat_map(|c| &c.0) {
                    pairs.extend(take.from.as_deref().zip(take.by.as_deref()));
                    pairs.extend(take.via.as_ref().map(|via| (&*via.from, &*via.by)));
                }
            }
        }
    }
    let carriers = Carriers::new(reading, &pairs);
    let mut out = Vec::new();
    for (at, code) in reading.resources.iter().enumerate().filter(made) {
        for kind in by_type.of(code).iter().filter(|k| meets(k, code)) {
            let mapper = Mapper { kind, code, language: Language::of(code.dialect), reading, carriers: &carriers };
            out.push(mapper.map(at));
        }
    }
    out
}

/// The policy documents that resources of the same code use. They are judged as the policies of what uses them; this is what they
/// say by themselves.
pub fn used_documents(catalog: &Catalog, reading: &Reading) -> Vec<Mapped> {
    let (by_type, carriers) = (KindsByType::new(catalog), Carriers::none());
    let alone = documents_alone(catalog, reading);
    let used = |(at, code): &(usize, &Code)| code.existing && &*code.type_ == DOCUMENT && !alone.contains(at);
    let mut out = Vec::new();
    for (at, code) in reading.resources.iter().enumerate().filter(used) {
        for kind in by_type.of(code) {
            let mapper = Mapper { kind, code, language: Language::of(code.dialect), reading, carriers: &carriers };
            out.push(mapper.map(at));
        }
    }
    out
}

const DOCUMENT: &str = "aws_iam_policy_document";

/// Types whose policies bound what others give, and give nothing: `Allow` of everything is how they begin.
const BOUNDS: [&str; 1] = ["aws_organizations_policy"];

/// Positions of policy documents that something uses, but nothing that any kind reads: nobody else would judge them.
fn documents_alone(catalog: &Catalog, reading: &Reading) -> HashSet<usize> {
    let documents = reading.resources.iter().enumerate().filter(|(_, c)| c.existing && POLICIES.contains(&&*c.type_));
    let name = |code: &Code, address: &Arc<str>| (Arc::clone(&code.root), Arc::clone(address));
    let mut alone: HashMap<_, usize> = documents.map(|(at, code)| (name(code, &code.address), at)).collect();
    if alone.is_empty() {
        return HashSet::new();
    }
    let kinds = catalog.kinds.values();
    let takes = kinds.clone().flat_map(|k| &k.fields).flat_map(|f| &f.terraform.0);
    let own = kinds.flat_map(|k| &k.terraform).map(String::as_str);
    let heard: HashSet<&str> = own.chain(takes.filter_map(|t| t.from.as_deref())).collect();
    for code in &reading.resources {
        let document = POLICIES.contains(&&*code.type_);
        if document || BOUNDS.contains(&&*code.type_) || (!code.existing && heard.contains(&*code.type_)) {
            code.attrs.edges(&mut |_, edge, _| {
                if *edge.address != *code.address {
                    alone.remove(&name(code, &edge.address));
                }
            });
        }
    }
    alone.into_values().collect()
}

/// Whether the code meets the kind's conditions. A value that is not known meets them: better judged than passed over.
fn meets(kind: &Kind, code: &Code) -> bool {
    kind.code_when.iter().all(|(path, want)| {
        let Ok(path) = path.parse() else { return false };
        let found = find(&code.attrs, &path, Language::of(code.dialect) == Language::Arm);
        match found.as_str() {
            Some(text) => {
                text.eq_ignore_ascii_case(want) || text.split(',').any(|part| part.trim().eq_ignore_ascii_case(want))
            }
            None => found.is_unknown(),
        }
    })
}

/// Whether what a column reads from meets its `when`: attribute values, the type as written (`$type`), or whether the
/// provider may be older (`$before[5]`).
fn fits(language: Language, take: &Take, other: &Code) -> bool {
    let arm = language == Language::Arm;
    take.when.iter().all(|(path, want)| {
        let Ok(path) = path.parse::<plumb_catalog::Path>() else { return false };
        if path.root() == Some("$type") {
            return language.type_key(&other.type_) == language.type_key(want);
        }
        let found = match path.root() {
            Some("$before") => before(other, &path),
            _ => find(&other.attrs, &path, arm),
        };
        match (found.as_str(), found.as_bool()) {
            // A child's name in ARM may carry its parents' before it.
            (Some(text), _) if arm => text.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(want)),
            (Some(text), _) => text == want,
            (None, Some(b)) => b.to_string() == *want,
            _ => found.is_unknown(),
        }
    })
}

#[derive(Clone, Copy)]
struct Mapper<'a> {
    kind: &'a Kind,
    code: &'a Code,
    language: Language,
    reading: &'a Reading,
    carriers: &'a Carriers<'a>,
}

/// A field's value and where it stands; no span when nothing was written.
struct Found {
    value: Value,
    span: Option<Span>,
    sensitive: bool,
}

impl Mapper<'_> {
    fn map(&self, at: usize) -> Mapped {
        let mut carried = BTreeSet::new();
        let mapped = self.map_with(at, |field| self.top(field, &mut carried));
        Mapped { carriers: carried.into_iter().collect(), ..mapped }
    }

    /// The resource with each field as `find` finds it.
    fn map_with(&self, at: usize, mut find: impl FnMut(&Field) -> Found) -> Mapped {
        let mut sensitive = BTreeSet::new();
        let mut fields = Vec::with_capacity(self.kind.fields.len());
        let mut sources = Sources::default();
        let block = self.source(self.code.header);
        for field in &self.kind.fields {
            let found = find(field);
            if found.sensitive {
                sensitive.insert(field.name.clone());
            }
            sources.push(match found.span {
                Some(span) => self.source(span),
                None if !field.default.is_null() => Source::Default,
                None => block.clone(),
            });
            fields.push(found.value);
        }
        sources.shrink_to_fit();
        Mapped {
            resource: Arc::new(Resource {
                kind: self.kind.id.clone(),
                account: "code".into(),
                region: self.region(),
                id: (&*self.code.address).into(),
                name: carriers::name_of(self.kind, self.code),
                fields,
                sources,
            }),
            code: at,
            carriers: Vec::new(),
            root: self.code.root.clone(),
            place: self.reading.sources.place(self.code.span),
            sensitive,
        }
    }

    /// The region code of AWS names for it, itself or by its provider: another one than that of a resource beside it.
    fn region(&self) -> Region {
        let code = self.code;
        let named = match self.language {
            Language::Terraform if self.kind.id.as_str().starts_with("aws.") => {
                let provider = code.provider.as_ref().and_then(|p| p.config.at("region"));
                code.attrs.at("region").filter(|v| v.as_str().is_some()).or(provider)
            }
            _ => None,
        };
        Region::from(named.and_then(Val::as_str).filter(|r| !r.is_empty()).unwrap_or("code"))
    }

    fn source(&self, span: Span) -> Source {
        let place = self.reading.sources.place(span);
        Source::Code { file: place.file, line: place.line, end_line: place.end_line, column: place.column }
    }

    /// A field of the resource: inline, then from carriers.
    fn top(&self, field: &Field, carried: &mut BTreeSet<usize>) -> Found {
        let column = self.language.column(field);
        if column.0.is_empty() {
            return Found { value: self.not_written(field), span: None, sensitive: false };
        }
        let list = matches!(field.ty, Type::List(_));
        let mut items: Vec<Value> = Vec::new();
        let mut first: Option<Found> = None;
        for take in &column.0 {
            let whole = take.path.steps().is_empty();
            let mut places: Vec<(&Code, bool)> = Vec::new();
            match (&take.from, &take.by) {
                (Some(from), Some(by)) => {
                    let Self { code, carriers, reading, .. } = self;
                    let found = match &take.via {
                        None => carriers.of(code, from, by),
                        Some(via) => {
                            let between = carriers.of(code, &via.from, &via.by);
                            let between = between.into_iter().filter_map(|at| reading.resources.get(at));
                            between.flat_map(|b| carriers.of(b, from, by)).collect()
                        }
                    };
                    for at in found {
                        let Some(other) = reading.resources.get(at) else { continue };
                        if fits(self.language, take, other) {
                            carried.insert(at);
                            places.push((other, other.key == Key::Any && code.key != Key::Any));
                        }
                    }
                }
                _ if list && !items.is_empty() => continue,
                _ if !fits(self.language, take, self.code) => {}
                _ => places.push((self.code, false)),
            }
            for (place, doubtful) in places {
                let val = self.read(take, place);
                let mut value = self.taken(field, take, &val);
                if doubtful && !value.is_null() {
                    value = doubt(place);
                }
                let nothing = value.is_null() || matches!(&value, Value::List(l) if l.is_empty());
                let block = take.path.steps().iter().all(|step| *step == Step::Each);
                let said = block.then(|| self.policy_in(field, place)).flatten();
                let span = said.unwrap_or(if whole { place.header } else { val.span });
                if nothing {
                    if first.is_none() && !value.is_null() {
                        first = Some(Found { value, span: Some(span), sensitive: val.sensitive });
                    }
                    continue;
                }
                if !list {
                    let own = take.value.is_none() && take.path.root() != Some("$before");
                    let written = own || take.from.is_some();
                    return Found { value, span: written.then_some(span), sensitive: val.sensitive };
                }
                match value {
                    Value::List(more) => items.extend(more.into_vec()),
                    other => items.push(other),
                }
                if first.as_ref().is_none_or(|f| matches!(&f.value, Value::List(l) if l.is_empty())) {
                    first = Some(Found { value: Value::Bool(true), span: Some(span), sensitive: val.sensitive });
                }
            }
        }
        match first {
            Some(found) if !items.is_empty() => match items.as_slice() {
                // Nothing but one gap: the whole list is not known. A text known in part is one element, whatever it is.
                [Value::Unknown(unknown)] if unknown.text.is_none() => Found { value: items.swap_remove(0), ..found },
                _ => Found { value: Value::list(items), ..found },
            },
            Some(found) if field.default.is_null() => found,
            _ => Found { value: self.tagged(field, field.default.clone()), span: None, sensitive: false },
        }
        .with(|value| self.tagged(field, value))
    }

    /// Where a block that is taken whole says its policy: what rules about such a list are after.
    fn policy_in(&self, field: &Field, place: &Code) -> Option<Span> {
        let policies = field.members.iter().filter(|member| member.ty == Type::Policy);
        let takes = policies.flat_map(|member| &self.language.column(member).0).filter(|take| take.from.is_none());
        takes.map(|take| find(&place.attrs, &take.path, false)).find(|val| !val.is_null()).map(|val| val.span)
    }

    /// Tags with those the provider's configuration adds to every resource.
    fn tagged(&self, field: &Field, value: Value) -> Value {
        if field.name != "tags" {
            return value;
        }
        let config = self.code.provider.as_ref().map(|p| &p.config);
        let Some(defaults) = config.and_then(|c| c.at("default_tags.tags")) else { return value };
        let defaults = Reader { sources: &self.reading.sources, holes: false, ends: true }.value(defaults, &field.ty);
        match (&defaults, &value) {
            (Value::Map(base), Value::Map(own)) => {
                let owned = |(k, v): (&str, &Value)| (Box::<str>::from(k), v.clone());
                Value::Map(base.iter().map(owned).chain(own.iter().map(owned)).collect())
            }
            (Value::Unknown(_), Value::Map(_)) => defaults,
            _ => value,
        }
    }

    /// A field this language has no word for: the resource's own id, the default, or not known before it is deployed.
    fn not_written(&self, field: &Field) -> Value {
        if field.ty == Type::String {
            let live = field.live.0.first().map(|t| t.path.to_string()).unwrap_or_default();
            if !live.is_empty() && self.kind.id_template == format!("{{{live}}}") {
                return Value::str(&*self.code.address);
            }
        }
        // Histories, lists and policies that code gives otherwise are empty; anything else is not known.
        if !field.default.is_null() || matches!(field.ty, Type::Time | Type::List(_) | Type::Map(_) | Type::Policy) {
            return field.default.clone();
        }
        let mut unknown = Unknown::new(Reason::NotComputed, format!("{}.{}", self.code.address, field.name));
        unknown.detail = "only the deployed resource tells".into();
        Value::unknown(unknown)
    }

    /// A member of an object.
    fn member(&self, field: &Field, item: &Val) -> Value {
        let mut found = Value::Null;
        for take in self.language.column(field).0.iter().filter(|t| t.from.is_none()) {
            let val = find(item, &take.path, self.language == Language::Arm);
            let value = self.taken(field, take, &val);
            let nothing = value.is_null() || matches!(&value, Value::List(l) if l.is_empty());
            if !nothing {
                return value;
            }
            if found.is_null() {
                found = value;
            }
        }
        if found.is_null() { field.default.clone() } else { found }
    }

    /// What one alternative gives, converted to the field's type.
    fn taken(&self, field: &Field, take: &Take, val: &Val) -> Value {
        if let Some(constant) = &take.value {
            return match &val.data {
                Data::Null => Value::Null,
                // What a template reads from a secret store is written, whatever it says.
                Data::Unknown(why) if !why.expr.starts_with("{{resolve:") => {
                    values::unknown(val, &self.reading.sources)
                }
                _ => match hole(constant) {
                    Some(why) => {
                        let mut unknown =
                            Unknown::new(Reason::NotComputed, format!("{}.{}", self.code.address, field.name));
                        unknown.detail = why.into();
                        Value::unknown(unknown)
                    }
                    None => constant.clone(),
                },
            };
        }
        if val.is_null() && !matches!(take.decode, Some(Decode::Exists | Decode::Count)) {
            return Value::Null;
        }
        if !field.members.is_empty() {
            return self.objects(field, take, val);
        }
        // A block that is written is there, be it empty: all of it left to its defaults.
        if take.decode == Some(Decode::Exists)
            && self.language == Language::Terraform
            && matches!(val.data, Data::Map(_))
        {
            return Value::Bool(true);
        }
        let linked = self.kind.links.values().any(|l| l.from.split('.').any(|part| part == field.name));
        let set = matches!(take.decode, Some(Decode::Exists | Decode::Count));
        let reader = Reader { sources: &self.reading.sources, holes: linked || set, ends: take.decode.is_none() };
        if field.ty == Type::Policy {
            return reader.value(val, &field.ty);
        }
        if let Some(want) = &take.equals {
            let value = val_known(val).unwrap_or_else(|| values::unknown(val, &self.reading.sources));
            return match value {
                Value::Null | Value::Unknown(_) => value,
                got => Value::Bool(same(&got, want)),
            };
        }
        let Some(how) = take.decode else {
            return plumb_collect::convert(reader.value(val, &field.ty), &field.ty);
        };
        let raw = match how {
            Decode::Json | Decode::UrlJson => match val.decode_json().or_else(|| yaml(val)) {
                Some(decoded) => reader.value(&decoded, &field.ty),
                None => plumb_collect::decode(how, reader.value(val, &Type::Any), ""),
            },
            Decode::ArnAccount if val.is_unknown() => values::unknown(val, &self.reading.sources),
            _ => plumb_collect::decode(how, reader.value(val, &Type::Any), ""),
        };
        plumb_collect::convert(raw, &field.ty)
    }

    fn objects(&self, field: &Field, take: &Take, val: &Val) -> Value {
        let decoded;
        let val = match take.decode {
            None => val,
            Some(_) if val.is_unknown() && val.decode_json().is_none() => val,
            Some(Decode::Json | Decode::UrlJson) => match val.decode_json() {
                Some(inner) => {
                    decoded = inner;
                    &decoded
                }
                None => val,
            },
            // As what is decoded below, with what is not known and the places kept.
            Some(Decode::Entries) if let Data::Map(members) = &val.data => {
                let entry = |(key, val): (&Arc<str>, &Val)| {
                    let key = ("key".into(), Val::str(key.clone(), val.span));
                    Val::map([key, ("value".into(), val.clone())].into(), val.span)
                };
                decoded = Val::list(members.iter().map(entry).collect(), val.span);
                &decoded
            }
            Some(how) => {
                let value = plumb_collect::decode(how, val.to_value(), "");
                decoded = Val::from_json(&value.to_json(), val.span);
                &decoded
            }
        };
        let object = |item: &Val| match &item.data {
            Data::Unknown(_) | Data::Ref(_) | Data::Partial(_) => values::unknown(item, &self.reading.sources),
            _ => Value::map(field.members.iter().map(|m| (m.name.as_str(), self.member(m, item)))),
        };
        match (&field.ty, &val.data) {
            (_, Data::Doc(doc)) => self.objects(field, &Take { decode: None, ..take.clone() }, &doc.value),
            (Type::List(_), Data::List(items) | Data::Set(items)) => Value::list(items.iter().map(object)),
            (Type::List(_), Data::Map(_)) => Value::list([object(val)]),
            (_, Data::List(items) | Data::Set(items)) => items.first().map(object).unwrap_or_default(),
            (_, Data::Null) => Value::Null,
            (_, Data::Map(_) | Data::Unknown(_) | Data::Ref(_) | Data::Partial(_)) => object(val),
            // `true` where an empty block would be: the object is there, its members are not.
            (_, _) => Value::map(field.members.iter().map(|m| (m.name.as_str(), self.member(m, val)))),
        }
    }
}

impl Found {
    fn with(mut self, change: impl FnOnce(Value) -> Value) -> Self {
        self.value = change(self.value);
        self
    }
}

/// `$before[5]`: whether the provider may be older than version 5, so that a changed default can be told. In ARM and Bicep
/// `$before[2019]`: whether the version of the interface is older than that year.
fn before(code: &Code, path: &plumb_catalog::Path) -> Val {
    let major = path.steps().iter().find_map(|s| if let Step::Index(major) = s { Some(*major as u64) } else { None });
    let older = if Language::of(code.dialect) == Language::Arm {
        let year = code.attrs.get("apiVersion").and_then(Val::as_str).and_then(|v| v.get(..4)?.parse::<u64>().ok());
        year.is_some_and(|year| year < major.unwrap_or(0))
    } else {
        code.provider.as_ref().is_none_or(|p| p.may_be_before(major.unwrap_or(0)))
    };
    Val::bool(older, code.header)
}

/// `{ "$unknown" = "why" }` as a constant: what is left out is decided by something that code does not show.
fn hole(constant: &Value) -> Option<&str> {
    constant.get("$unknown")?.as_str()
}

/// A document as YAML, where a service takes either.
fn yaml(val: &Val) -> Option<Val> {
    let text = val.as_str()?;
    crate::terraform::yaml::decode(text, val.span).ok().filter(|v| matches!(v.data, Data::Map(_)))
}

fn doubt(place: &Code) -> Value {
    let mut unknown = Unknown::new(Reason::NotComputed, &*place.address);
    unknown.detail = "whether there is one depends on values that are not known".into();
    Value::unknown(unknown)
}

fn val_known(val: &Val) -> Option<Value> {
    match &val.data {
        Data::Ref(_) | Data::Unknown(_) | Data::Partial(_) => None,
        _ => Some(val.to_value()),
    }
}

fn same(got: &Value, want: &Value) -> bool {
    match (got, want) {
        (Value::Str(a), Value::Str(b)) => a.eq_ignore_ascii_case(b),
        (Value::Str(a), Value::Bool(b)) | (Value::Bool(b), Value::Str(a)) => a.eq_ignore_ascii_case(&b.to_string()),
        (Value::Str(a), Value::Int(i)) | (Value::Int(i), Value::Str(a)) => **a == *i.to_string(),
        (Value::List(items), want) if items.len() == 1 => items.iter().all(|i| same(i, want)),
        _ => got == want,
    }
}
