//! Checking pages: every example is a test.

use crate::{AccountFacts, Explain, Helpers, RuleSet, Selection, Table, World};
use plumb_catalog::{Catalog, Condition, Dialect, Example, Expect, Field, Kind, Problem, Rule, Type};
use plumb_model::{KindId, Outcome, Reason, Region, Resource, Sources, Time, Unknown, Value, Verdict};
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Reads an example in code into the resources it would make; none when this dialect cannot be read here.
pub type ExampleReader<'a> = dyn Fn(Dialect, &str) -> Option<Result<Vec<Resource>, String>> + 'a;

/// What checking found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Rules read.
    pub rules: usize,
    /// Kinds read.
    pub kinds: usize,
    /// Examples that were run.
    pub run: usize,
    /// Examples in dialects that cannot be read yet.
    pub waiting: usize,
    /// Everything wrong.
    pub problems: Vec<Problem>,
}

/// Compiles every page and runs every example.
pub fn check_pages(
    catalog: &Catalog,
    mut problems: Vec<Problem>,
    helpers: Helpers<'_>,
    read: &ExampleReader<'_>,
) -> Checked {
    let (set, wrong) = RuleSet::compile(catalog, &Selection::default());
    problems.extend(wrong);
    let mut checked = Checked { rules: catalog.rules.len(), kinds: catalog.kinds.len(), ..Checked::default() };
    for rule in catalog.rules.values() {
        if !matches!(rule.pass, Condition::Cel(_)) || !set.of_kind(&rule.kind).iter().any(|r| r.id == rule.id) {
            continue;
        }
        for example in &rule.examples {
            match example_outcome(catalog, rule, example, helpers, read) {
                None => checked.waiting += 1,
                Some(Err(message)) => {
                    checked.run += 1;
                    problems.push(Problem::new(&rule.file, example.line, message, ""));
                }
                Some(Ok((got, verdicts))) => {
                    checked.run += 1;
                    if got != example.expect {
                        let why: Vec<String> = verdicts
                            .iter()
                            .flat_map(|v| {
                                let leaves = v.because.iter().map(|l| {
                                    format!("{} is {} (wanted {})", l.path, l.observed.to_plain_json(), l.expected)
                                });
                                leaves.chain(v.needs.iter().map(|n| n.describe())).collect::<Vec<_>>()
                            })
                            .collect();
                        let message = format!("the example says {} and comes out {}", word(example.expect), word(got));
                        problems.push(Problem::new(&rule.file, example.line, message, why.join("; ")));
                    }
                }
            }
        }
    }
    problems.sort();
    problems.dedup();
    checked.problems = problems;
    checked
}

fn word(expect: Expect) -> &'static str {
    match expect {
        Expect::Pass => "pass",
        Expect::Fail => "fail",
        Expect::Unknown => "unknown",
        Expect::NotApplicable => "na",
    }
}

/// What an example comes out as: the worst of its verdicts. None when its dialect cannot be read here.
pub fn example_outcome(
    catalog: &Catalog,
    rule: &Rule,
    example: &Example,
    helpers: Helpers<'_>,
    read: &ExampleReader<'_>,
) -> Option<Result<(Expect, Vec<Verdict>), String>> {
    let kind = catalog.kinds.get(&rule.kind)?;
    if example.dialect == Dialect::Json {
        return Some(json_outcome(catalog, rule, kind, &example.text, helpers));
    }
    let resources = match read(example.dialect, &example.text)? {
        Ok(resources) => resources,
        Err(message) => return Some(Err(message)),
    };
    let selection = Selection { rules: Some(BTreeSet::from([rule.id.clone()])), ..Selection::default() };
    let (set, _) = RuleSet::compile(catalog, &selection);
    let mut world = World::new(AccountFacts { id: "code".into(), ..AccountFacts::default() }, helpers);
    // What no language has types for is not there to be asked about.
    let written =
        |kind: &Kind| [&kind.terraform, &kind.cloudformation, &kind.arm].iter().any(|types| !types.is_empty());
    for (id, kind) in catalog.kinds.iter().filter(|(id, k)| set.needs().asked.contains(*id) && written(k)) {
        let own: Vec<Resource> = resources.iter().filter(|r| r.kind == *id).cloned().collect();
        let indexes: Vec<String> = set.needs().indexes.get(id).into_iter().flatten().cloned().collect();
        world.put(id.clone(), Table::new(Arc::clone(kind), own, None), &indexes);
    }
    let now: Time = "2026-01-01T00:00:00Z".parse().unwrap_or_else(|_| Time::from_seconds(0));
    let mut verdicts = Vec::new();
    for resource in resources.iter().filter(|r| r.kind == rule.kind) {
        set.judge(resource, &world, now, Explain::Everything, |v| verdicts.push(v));
    }
    if verdicts.is_empty() {
        return Some(Err(format!("the example makes no {}", rule.kind)));
    }
    Some(Ok((worst(&verdicts), verdicts)))
}

fn worst(verdicts: &[Verdict]) -> Expect {
    let has = |o: Outcome| verdicts.iter().any(|v| v.outcome == o);
    if has(Outcome::Fail) {
        Expect::Fail
    } else if has(Outcome::Unknown) {
        Expect::Unknown
    } else if has(Outcome::Pass) {
        Expect::Pass
    } else {
        Expect::NotApplicable
    }
}

fn json_outcome(
    catalog: &Catalog,
    rule: &Rule,
    kind: &Kind,
    text: &str,
    helpers: Helpers<'_>,
) -> Result<(Expect, Vec<Verdict>), String> {
    let here = world_of_example(catalog, kind, text)?;
    let mut selection = Selection { rules: Some(BTreeSet::from([rule.id.clone()])), ..Selection::default() };
    selection.params.insert(rule.id.clone(), here.params);
    let (set, problems) = RuleSet::compile(catalog, &selection);
    if let Some(problem) = problems.first() {
        return Err(problem.to_string());
    }
    let mut world = World::new(here.facts, helpers);
    let mut tables = here.tables;
    for (id, other) in catalog.kinds.iter().filter(|(id, _)| set.needs().asked.contains(*id)) {
        let (resources, gap) = tables.remove(id).unwrap_or_default();
        let indexes: Vec<String> = set.needs().indexes.get(id).into_iter().flatten().cloned().collect();
        world.put(id.clone(), Table::new(Arc::clone(other), resources, gap.map(Arc::new)), &indexes);
    }
    let mut verdicts = Vec::new();
    set.judge(&here.resource, &world, here.now, Explain::Everything, |v| verdicts.push(v));
    Ok((worst(&verdicts), verdicts))
}

/// Everything a JSON example says.
#[derive(Debug, Clone)]
pub struct ExampleWorld {
    /// The account it is in.
    pub facts: AccountFacts,
    /// The instant it is judged at.
    pub now: Time,
    /// Parameters it sets.
    pub params: BTreeMap<String, Value>,
    /// The resource that is judged.
    pub resource: Resource,
    /// Other resources by kind, and why there may be more.
    pub tables: BTreeMap<KindId, (Vec<Resource>, Option<Unknown>)>,
}

/// Reads a JSON example of a rule.
///
/// # Errors
/// What is wrong with it: no JSON, a field the kind does not have, a value of another type, an unknown kind.
pub fn example_world(catalog: &Catalog, rule: &Rule, example: &Example) -> Result<ExampleWorld, String> {
    let kind = catalog.kinds.get(&rule.kind).ok_or_else(|| format!("there is no kind `{}`", rule.kind))?;
    if example.dialect != Dialect::Json {
        return Err("the example of a native page is written in json".into());
    }
    world_of_example(catalog, kind, &example.text)
}

/// The outcome an example shows: the worst of its verdicts.
pub fn outcome_of(verdicts: &[Verdict]) -> Expect {
    worst(verdicts)
}

fn world_of_example(catalog: &Catalog, kind: &Kind, text: &str) -> Result<ExampleWorld, String> {
    let json: Json = serde_json::from_str(text).map_err(|e| format!("the example is not JSON: {e}"))?;
    let Json::Object(members) = &json else { return Err("the example is not an object of fields".into()) };
    let special = |name: &str| members.get(name);
    let text_of = |name: &str, default: &str| special(name).and_then(Json::as_str).unwrap_or(default).to_owned();
    let now: Time = text_of("$now", "2026-01-01T00:00:00Z").parse().map_err(|e| format!("$now: {e}"))?;
    let params = match special("$params") {
        Some(Json::Object(params)) => params.iter().map(|(k, v)| (k.clone(), Value::from_json(v))).collect(),
        _ => BTreeMap::new(),
    };
    let account_id = text_of("$account_id", "111122223333");
    let mut facts = AccountFacts { id: account_id.clone(), ..AccountFacts::default() };
    if let Some(account) = special("$account") {
        let text = |name: &str| account.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        facts.name = text("name");
        facts.tier = text("tier");
        facts.state = text("state");
        facts.organization_id = text("organization_id");
        facts.region_home = text("region_home");
        facts.management = account.get("management").and_then(Json::as_bool);
        let list = |name: &str| -> Vec<String> {
            let items = account.get(name).and_then(Json::as_array);
            items.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
        };
        facts.organization_accounts = list("organization_accounts");
        facts.organization_accounts.sort();
        facts.regions = list("regions");
    }
    let mut tables = BTreeMap::new();
    for (id, given) in special("$with").and_then(Json::as_object).into_iter().flatten() {
        let Some(other) = catalog.kinds.get(id.as_str()) else {
            return Err(format!("$with: there is no kind `{id}`"));
        };
        let (items, gap): (Vec<&Json>, _) = match given {
            Json::Array(items) => {
                let gap = items.iter().find_map(unknown_marker);
                (items.iter().filter(|i| unknown_marker(i).is_none()).collect(), gap)
            }
            marker => match unknown_marker(marker) {
                Some(unknown) => (Vec::new(), Some(unknown)),
                None => return Err(format!("$with: `{id}` must be a list or an unknown")),
            },
        };
        let resources = items.into_iter().map(|item| resource(other, item, &account_id)).collect::<Result<_, _>>()?;
        tables.insert(other.id.clone(), (resources, gap));
    }
    Ok(ExampleWorld { facts, now, params, resource: resource(kind, &json, &account_id)?, tables })
}

fn unknown_marker(json: &Json) -> Option<Unknown> {
    match json.as_object()?.get("$unknown")? {
        Json::String(permission) => {
            let mut unknown = Unknown::new(Reason::Denied, permission.as_str());
            unknown.permission = permission.clone();
            Some(unknown)
        }
        other => serde_json::from_value(other.clone()).ok(),
    }
}

fn resource(kind: &Kind, json: &Json, account: &str) -> Result<Resource, String> {
    let Json::Object(members) = json else { return Err(format!("a {} must be an object of fields", kind.id)) };
    for name in members.keys().filter(|n| !n.starts_with('$')) {
        if kind.slot(name).is_none() && !["id", "name", "region", "account_id"].contains(&name.as_str()) {
            let known: Vec<&str> = kind.fields.iter().map(|f| f.name.as_str()).collect();
            return Err(format!("{} has no field `{name}`; it has {}", kind.id, known.join(", ")));
        }
    }
    let text = |name: &str, default: &str| {
        let own = members.get(&format!("${name}")).or_else(|| members.get(name));
        own.and_then(Json::as_str).unwrap_or(default).to_owned()
    };
    Ok(Resource {
        kind: kind.id.clone(),
        account: text("account_id", account).into(),
        region: Region::from(text("region", "us-east-1")),
        id: text("id", "example").into(),
        name: text("name", "example").into(),
        fields: kind.fields.iter().map(|f| field(f, members.get(&f.name))).collect::<Result<_, _>>()?,
        sources: Sources::default(),
    })
}

/// A field of an example: what is written, converted as its type says; left out, its default.
fn field(field: &Field, json: Option<&Json>) -> Result<Value, String> {
    let Some(json) = json else { return Ok(default_of(field)) };
    typed(json, &field.ty, &field.members).map_err(|e| format!("field `{}`: {e}", field.name))
}

fn default_of(field: &Field) -> Value {
    match (&field.default, &field.ty) {
        (Value::Null, Type::List(_)) => Value::list([]),
        (default, _) => default.clone(),
    }
}

fn typed(json: &Json, ty: &Type, members: &[Field]) -> Result<Value, String> {
    if let Some(unknown) = unknown_marker(json) {
        return Ok(Value::unknown(unknown));
    }
    let wrong = || Err(format!("expected {ty}, found {json}"));
    Ok(match (ty, json) {
        (_, Json::Null) => Value::Null,
        (Type::Any | Type::Policy, other) => Value::from_json(other),
        (Type::String, Json::String(s)) => Value::str(s.as_str()),
        (Type::Int, Json::Number(n)) => {
            n.as_i64().map_or_else(|| Err(format!("expected int, found {json}")), |i| Ok(Value::Int(i)))?
        }
        (Type::Double, Json::Number(n)) => Value::Double(n.as_f64().unwrap_or_default()),
        (Type::Bool, Json::Bool(b)) => Value::Bool(*b),
        (Type::Time, Json::String(s)) => Value::Time(s.parse().map_err(|e| format!("{e}"))?),
        (Type::List(item), Json::Array(items)) => {
            Value::list(items.iter().map(|i| typed(i, item, members)).collect::<Result<Vec<_>, _>>()?)
        }
        (Type::Map(item), Json::Object(map)) => {
            let entries: Result<Vec<_>, String> =
                map.iter().map(|(k, v)| Ok((k.as_str(), typed(v, item, &[])?))).collect();
            Value::map(entries?)
        }
        (Type::Object(types), Json::Object(map)) => {
            if let Some(name) = map.keys().find(|k| !types.contains_key(*k)) {
                return Err(format!(
                    "there is no member `{name}`; there is {}",
                    types.keys().cloned().collect::<Vec<_>>().join(", ")
                ));
            }
            if members.is_empty() {
                let entries: Result<Vec<_>, String> = types
                    .iter()
                    .map(|(n, t)| Ok((n.as_str(), map.get(n).map_or(Ok(Value::Null), |v| typed(v, t, &[]))?)))
                    .collect();
                Value::map(entries?)
            } else {
                let entries: Result<Vec<_>, String> =
                    members.iter().map(|m| Ok((m.name.as_str(), field(m, map.get(&m.name))?))).collect();
                Value::map(entries?)
            }
        }
        _ => return wrong(),
    })
}
