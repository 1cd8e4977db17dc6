//! Endpoints, by evaluating each service's official endpoint rules for every known region.
//!
//! What comes out is a small template per partition (`sqs.{region}.amazonaws.com`) and the regions that deviate, so the
//! client needs no rule engine and a region unknown today still resolves by its partition's template.

use crate::Done;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What the client must know of each partition.
pub fn partitions(source: &Value) -> Value {
    let all = source["partitions"].as_array().into_iter().flatten();
    all.map(|partition| {
        let regions: Vec<&String> = real_regions(partition).collect();
        json!({
            "name": partition["id"],
            "suffix": partition["outputs"]["dnsSuffix"],
            "home": partition["outputs"]["implicitGlobalRegion"],
            "begins": beginnings(partition["regionRegex"].as_str().unwrap_or_default()),
            "regions": regions,
        })
    })
    .collect()
}

fn real_regions(partition: &Value) -> impl Iterator<Item = &String> {
    partition["regions"].as_object().into_iter().flat_map(|regions| regions.keys()).filter(|r| !r.ends_with("-global"))
}

/// `^(us|eu)\-\w+\-\d+$` → `us-`, `eu-`; `^us\-gov\-\w+\-\d+$` → `us-gov-`.
fn beginnings(regex: &str) -> Vec<String> {
    let plain = regex.trim_start_matches('^').replace("\\-", "-");
    let head = plain.split("-\\w").next().unwrap_or_default();
    match head.split_once('(').and_then(|(before, rest)| rest.split_once(')').map(|(any, after)| (before, any, after)))
    {
        Some((before, any, after)) => any.split('|').map(|one| format!("{before}{one}{after}-")).collect(),
        None => vec![format!("{head}-")],
    }
}

/// Services that answer in one region only, by their documentation, while their endpoint rules accept any.
const HOMES: &[(&str, &str)] = &[("globalaccelerator", "us-west-2"), ("api.ecr-public", "us-east-1")];

/// The one region a service without a global endpoint lives in, if the endpoint data knows only one.
pub fn only_region(prefix: &str, legacy: &Value) -> Option<String> {
    if let Some((_, region)) = HOMES.iter().find(|(service, _)| *service == prefix) {
        return Some((*region).to_owned());
    }
    let aws = legacy["partitions"].as_array()?.iter().find(|p| p["partition"] == "aws")?;
    let endpoints = aws["services"][prefix]["endpoints"].as_object()?;
    let mut regions = endpoints.keys().filter(|name| aws["regions"].get(name.as_str()).is_some());
    match (regions.next(), regions.next()) {
        (Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

/// The regions of the commercial partition where the endpoint data, which lists the service in several, does not have it.
pub fn not_in(prefix: &str, legacy: &Value) -> Vec<String> {
    let aws = legacy["partitions"].as_array().into_iter().flatten().find(|p| p["partition"] == "aws");
    let Some(aws) = aws else { return Vec::new() };
    let service = &aws["services"][prefix];
    let endpoints = service["endpoints"].as_object().filter(|_| service["isRegionalized"] != false);
    let regions = || aws["regions"].as_object().into_iter().flatten().map(|(region, _)| region);
    match endpoints {
        Some(endpoints) if regions().filter(|region| endpoints.contains_key(*region)).count() > 1 => {
            regions().filter(|region| !endpoints.contains_key(*region)).cloned().collect()
        }
        _ => Vec::new(),
    }
}

/// `{partition: {h: host, r: signing region, f: FIPS host, x: {region: {…}}}}`, without what the default template says.
///
/// `fixed` are parameters the service's operations set for themselves (which half of a service they belong to).
pub fn derive(service: &str, prefix: &str, rules: &Value, fixed: &Map<String, Value>, source: &Value) -> Done<Value> {
    let mut out = Map::new();
    for partition in source["partitions"].as_array().into_iter().flatten() {
        let name = partition["id"].as_str().unwrap_or_default();
        let suffix = partition["outputs"]["dnsSuffix"].as_str().unwrap_or_default();
        let plain =
            [format!("{prefix}.{{region}}.{suffix}"), String::new(), format!("{prefix}-fips.{{region}}.{suffix}")];
        let mut raw = Vec::new();
        for region in real_regions(partition) {
            let Some((host, signing)) = evaluate(rules, fixed, region, partition, false) else { continue };
            let fips = evaluate(rules, fixed, region, partition, true).map(|(host, _)| host).unwrap_or_default();
            raw.push((region, host, signing, fips));
        }
        // One host for all regions is a global service, even where that host is named like one of the regions.
        let single = raw.iter().all(|(_, host, signing, _)| {
            raw.first().is_some_and(|first| first.1 == *host) && (raw.len() > 1 || signing.is_some())
        });
        let mut by_region = BTreeMap::new();
        let mut votes: BTreeMap<[String; 3], usize> = BTreeMap::new();
        for (region, host, signing, fips) in raw {
            let found = if single {
                [host, signing.unwrap_or_default(), fips]
            } else {
                let signing = signing.filter(|s| s != region).unwrap_or_default();
                [template(&host, region), signing, template(&fips, region)]
            };
            *votes.entry(found.clone()).or_default() += 1;
            by_region.insert(region, found);
        }
        let Some((usual, _)) = votes.into_iter().max_by_key(|(_, count)| *count) else { continue };
        let mut entry = describe(&usual, &plain);
        let odd: Map<String, Value> = by_region
            .into_iter()
            .filter(|(_, found)| *found != usual)
            .map(|(region, found)| (region.clone(), Value::Object(describe(&found, &usual))))
            .collect();
        if !odd.is_empty() {
            entry.insert("x".into(), Value::Object(odd));
        }
        if !entry.is_empty() {
            out.insert(name.to_owned(), Value::Object(entry));
        }
    }
    if rules["rules"].as_array().is_none_or(Vec::is_empty) {
        return Err(format!("{service}: its endpoint rules are empty"));
    }
    Ok(Value::Object(out))
}

fn template(host: &str, region: &str) -> String {
    host.replace(region, "{region}")
}

/// Only what differs from the base.
fn describe(found: &[String; 3], base: &[String; 3]) -> Map<String, Value> {
    let keys = ["h", "r", "f"];
    keys.iter()
        .zip(found.iter().zip(base))
        .filter(|(_, (found, base))| found != base)
        .map(|(key, (found, _))| ((*key).to_owned(), json!(found)))
        .collect()
}

/// The host and signing region the rules give for a region; none if they refuse it.
fn evaluate(rules: &Value, fixed: &Map<String, Value>, region: &str, partition: &Value, fips: bool) -> Endpoint {
    let mut scope = fixed.clone();
    for (name, parameter) in rules["parameters"].as_object()? {
        if !parameter["default"].is_null() {
            scope.insert(name.clone(), parameter["default"].clone());
        }
    }
    // The account is put before the host by the client, for the operations that ask for it.
    for (name, value) in [
        ("Region", json!(region)),
        ("UseFIPS", json!(fips)),
        ("UseDualStack", json!(false)),
        ("UseGlobalEndpoint", json!(false)),
    ] {
        scope.insert(name.to_owned(), value);
    }
    Rules { partition }.first(&rules["rules"], &scope)?
}

/// An evaluation of endpoint rules. `None` inside is "no rule matched"; the outer `Option` of [`Rules::first`] is
/// whether a rule decided, which may be an error rule (decided: no endpoint).
struct Rules<'a> {
    partition: &'a Value,
}

type Endpoint = Option<(String, Option<String>)>;

impl Rules<'_> {
    fn first(&self, rules: &Value, scope: &Map<String, Value>) -> Option<Endpoint> {
        for rule in rules.as_array()? {
            let mut scope = scope.clone();
            let holds = rule["conditions"].as_array().into_iter().flatten().all(|condition| {
                let value = self.call(condition, &scope);
                if let (Some(name), Some(value)) = (condition["assign"].as_str(), &value) {
                    scope.insert(name.to_owned(), value.clone());
                }
                value.is_some_and(|value| value != json!(false))
            });
            if !holds {
                continue;
            }
            match rule["type"].as_str()? {
                "tree" => match self.first(&rule["rules"], &scope) {
                    Some(decided) => return Some(decided),
                    None => continue,
                },
                "endpoint" => {
                    let url = self.value(&rule["endpoint"]["url"], &scope)?;
                    let host = url.as_str()?.trim_start_matches("https://").trim_end_matches('/').to_owned();
                    let signing = &rule["endpoint"]["properties"]["authSchemes"][0]["signingRegion"];
                    let signing = self.value(signing, &scope).and_then(|v| v.as_str().map(str::to_owned));
                    return Some(Some((host, signing)));
                }
                _ => return Some(None),
            }
        }
        None
    }

    /// A literal, a reference, a call, or a text with `{name}` and `{name#attribute}` in it.
    fn value(&self, expression: &Value, scope: &Map<String, Value>) -> Option<Value> {
        match expression {
            Value::Object(object) if object.contains_key("ref") => scope.get(expression["ref"].as_str()?).cloned(),
            Value::Object(object) if object.contains_key("fn") => self.call(expression, scope),
            Value::String(text) if text.contains('{') => {
                let mut out = String::new();
                let mut rest = text.as_str();
                while let Some((before, after)) = rest.split_once('{') {
                    let (name, tail) = after.split_once('}')?;
                    let value = match name.split_once('#') {
                        Some((name, attribute)) => scope.get(name)?.get(attribute)?.clone(),
                        None => scope.get(name)?.clone(),
                    };
                    out.push_str(before);
                    out.push_str(value.as_str()?);
                    rest = tail;
                }
                Some(Value::String(out + rest))
            }
            Value::Null => None,
            literal => Some(literal.clone()),
        }
    }

    /// The functions that decide a plain regional request; those about bucket names and ARNs never match here.
    fn call(&self, call: &Value, scope: &Map<String, Value>) -> Option<Value> {
        let argument = |at: usize| self.value(&call["argv"][at], scope);
        match call["fn"].as_str()? {
            "isSet" => Some(json!(argument(0).is_some())),
            "not" => Some(json!(argument(0).is_none_or(|value| value == json!(false)))),
            "booleanEquals" | "stringEquals" => Some(json!(argument(0)? == argument(1)?)),
            "getAttr" => {
                let path = call["argv"][1].as_str()?;
                path.split('.').try_fold(argument(0)?, |value, key| value.get(key).cloned())
            }
            "aws.partition" => Some(self.partition["outputs"].clone()),
            "isValidHostLabel" => {
                let text = argument(0)?;
                Some(json!(text.as_str()?.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_how_the_regions_of_a_partition_begin() {
        assert_eq!(beginnings(r"^(us|eu)\-\w+\-\d+$"), ["us-", "eu-"]);
        assert_eq!(beginnings(r"^us\-gov\-\w+\-\d+$"), ["us-gov-"]);
        assert_eq!(beginnings(r"^eusc\-(de)\-\w+\-\d+$"), ["eusc-de-"]);
    }

    #[test]
    fn a_rule_that_refuses_is_not_an_endpoint() {
        let rules = json!({ "parameters": {}, "rules": [
            { "type": "error", "conditions": [{ "fn": "booleanEquals", "argv": [{ "ref": "UseFIPS" }, true] }] },
            { "type": "endpoint", "conditions": [{ "fn": "aws.partition", "argv": [{ "ref": "Region" }], "assign": "P" }],
              "endpoint": { "url": "https://x.{Region}.{P#dnsSuffix}" } },
        ]});
        let partition = json!({ "outputs": { "dnsSuffix": "example" } });
        let none = Map::new();
        assert_eq!(evaluate(&rules, &none, "eu-1", &partition, false), Some(("x.eu-1.example".into(), None)));
        assert_eq!(evaluate(&rules, &none, "eu-1", &partition, true), None);
    }
}
