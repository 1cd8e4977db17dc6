//! Truth from outside: a text that a rule or a kind compares a field with is one that the provider takes there.
//!
//! One that is not never matches, hence a verdict that is always the same. The tables that count values are those of
//! `baseline/iac/schemas/` (`README.md` there says from what); CloudFormation's schemas and Azure's libraries count them.

#[allow(dead_code, reason = "the tests of baseline/iac read more of the tables")]
#[path = "../../../../iac/tests/it/schemas/table.rs"]
mod table;

mod excepted;

use plumb_catalog::{Catalog, Column, Condition, Decode, Field, Kind, Take};
use plumb_cel::{Ast, Compared, Limits, Origin, parse};
use plumb_model::Value;
use std::collections::{BTreeMap, BTreeSet};
use table::{At, Schemas};

/// A language whose schemas count values.
struct Language {
    types: fn(&Kind) -> &[String],
    column: fn(&Field) -> &Column,
    schemas: Schemas,
}

fn languages() -> [Language; 2] {
    [
        Language {
            types: |kind| &kind.cloudformation,
            column: |field| &field.cloudformation,
            schemas: Schemas::read(&[include_str!("../../../../iac/schemas/cloudformation.txt")], false),
        },
        Language {
            types: |kind| &kind.arm,
            column: |field| &field.arm,
            schemas: Schemas::read(&[include_str!("../../../../iac/schemas/arm.txt")], true),
        },
    ]
}

/// What a field takes, as all that can stand there in code.
#[derive(Default)]
struct Takes {
    values: BTreeSet<&'static str>,
    /// Read in small letters.
    folded: bool,
}

/// What every field of a kind takes, by its path, and the texts its columns look for that nobody takes.
struct Known<'a> {
    language: &'a Language,
    fields: BTreeMap<String, Takes>,
    wrong: BTreeMap<String, String>,
}

impl<'a> Known<'a> {
    /// A field and its members; `ways` are the places it is read from, with the type each belongs to.
    fn field(&mut self, kind: &Kind, name: &str, field: &Field, ways: &[(Option<&'a str>, At<'a>)]) {
        let mut below = Vec::new();
        for take in &(self.language.column)(field).0 {
            for (owner, start) in self.starts(take, ways) {
                let Ok(at) = self.language.schemas.follow(start, &take.path) else { continue };
                below.push((owner, At { many: false, form: if at.form == '[' { '{' } else { at.form }, ..at }));
                self.take(kind, name, take, at);
            }
        }
        for member in &field.members {
            self.field(kind, &format!("{name}.{}", member.name), member, &below);
        }
    }

    fn starts(&self, take: &Take, ways: &[(Option<&'a str>, At<'a>)]) -> Vec<(Option<&'a str>, At<'a>)> {
        match &take.from {
            Some(from) => self.language.schemas.type_(from).map(|node| (None, At::root(node))).into_iter().collect(),
            None => {
                let of = take.when.get("$type");
                ways.iter().filter(|(owner, _)| of.is_none_or(|of| *owner == Some(of))).copied().collect()
            }
        }
    }

    fn take(&mut self, kind: &Kind, name: &str, take: &Take, at: At<'a>) {
        let values = &at.node.values;
        if values.is_empty() || take.path.steps().is_empty() || take.value.is_some() {
            return;
        }
        match &take.equals {
            Some(Value::Str(want)) if !values.iter().any(|v| v.eq_ignore_ascii_case(want)) => {
                self.wrong.insert(format!("{} {name} {}", kind.id, &**want), format!("it takes {values:?}"));
            }
            Some(_) => {}
            None if take.decode.is_none() || take.decode == Some(Decode::Lower) => {
                let takes = self.fields.entry(name.to_owned()).or_default();
                takes.values.extend(values);
                takes.folded |= take.decode.is_some();
            }
            None => {}
        }
    }
}

/// The rule's expressions, each with its comparisons.
fn compared(rule: &plumb_catalog::Rule) -> Vec<Compared> {
    let ast = |text: &str| parse(text, &Limits::default()).unwrap();
    let parts: Option<Ast> = rule.parts.as_ref().map(|block| ast(&block.text));
    let pass = match &rule.pass {
        Condition::Cel(block) => Some(block),
        _ => None,
    };
    let own = [pass, rule.when.as_ref()].into_iter().flatten();
    let mut found: Vec<Compared> = own.flat_map(|block| ast(&block.text).compared(parts.as_ref())).collect();
    found.extend(parts.iter().flat_map(|parts| parts.compared(None)));
    found
}

#[test]
fn rules_compare_with_values_that_the_provider_takes() {
    let (catalog, problems) = Catalog::load([]);
    assert!(problems.is_empty(), "{problems:?}");
    let languages = languages();
    let (mut takes, mut wrong) = (BTreeMap::new(), BTreeMap::new());
    for kind in catalog.kinds.values() {
        for language in &languages {
            let types = (language.types)(kind).iter();
            let ways: Vec<_> =
                types.filter_map(|t| Some((Some(t.as_str()), At::root(language.schemas.type_(t)?)))).collect();
            let mut known = Known { language, fields: BTreeMap::new(), wrong: BTreeMap::new() };
            for field in &kind.fields {
                known.field(kind, &field.name, field, &ways);
            }
            wrong.append(&mut known.wrong);
            for (name, own) in known.fields {
                let all: &mut Takes = takes.entry((kind.id.to_string(), name)).or_default();
                all.values.extend(own.values);
                all.folded |= own.folded;
            }
        }
    }
    let (mut held, mut fields) = (0, BTreeSet::new());
    for rule in catalog.rules.values() {
        for compared in compared(rule) {
            let kind = match &compared.origin {
                Origin::Own => rule.kind.to_string(),
                Origin::All(kind) => kind.clone(),
                Origin::Link(name) => match catalog.kinds.get(&rule.kind).and_then(|k| k.links.get(name.as_str())) {
                    Some(link) => link.kind.to_string(),
                    None => continue,
                },
            };
            let place = (kind, compared.path.join("."));
            let Some(takes) = takes.get(&place) else { continue };
            held += 1;
            let same = |value: &&str, text: &str| match compared.folded || takes.folded {
                true => value.eq_ignore_ascii_case(text),
                false => *value == text,
            };
            for text in compared.with.iter().filter(|text| !text.is_empty()) {
                if !takes.values.iter().any(|value| same(value, text)) {
                    let why = format!("{} compares with it; it takes {:?}", rule.id, takes.values);
                    wrong.insert(format!("{} {} {text}", place.0, place.1), why);
                }
            }
            fields.insert(place);
        }
    }
    let mut idle = BTreeSet::new();
    for (place, reason) in excepted::VALUES {
        assert!(!reason.is_empty(), "{place} is excepted without a reason");
        if wrong.remove(*place).is_none() {
            idle.insert(place);
        }
    }
    let wrong: Vec<String> = wrong.iter().map(|(place, why)| format!("{place}: {why}")).collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(idle.is_empty(), "exceptions that nothing needs: {idle:#?}");
    assert!(held > 200 && fields.len() > 100, "{held} comparisons of {} fields", fields.len());
}
