//! Ends of support as endoflife.date publishes them: a product's list of cycles (`/api/PRODUCT.json`), an object of such
//! lists by product, or the answers of its second interface (`/api/v1/products/…`: `result.releases`, with the date they
//! were made).

use super::{Cycle, End, FeedError, Feeds, end, shape, unpacked};
use plumb_model::Time;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

type Products = BTreeMap<String, Vec<Cycle>>;

impl Feeds {
    /// Takes newer ends of support in place of those in use for the same products. `product` names the one whose list of
    /// cycles this is, where the file does not; `read_at` dates files that carry no date. Answers which products.
    ///
    /// # Errors
    /// It is none of the shapes, says nothing, or is older than what is in use.
    pub fn import_eol(&mut self, bytes: &[u8], product: &str, read_at: Time) -> Result<BTreeSet<String>, FeedError> {
        let text = unpacked("eol", bytes)?;
        let doc: Value = serde_json::from_slice(&text)
            .map_err(|e| shape("eol", format!("{e}; a JSON file of endoflife.date is needed")))?;
        let made =
            ["generated_at", "last_modified", "date"].iter().find_map(|n| doc.get(n)?.as_str()?.parse::<Time>().ok());
        let date = made.unwrap_or(read_at);
        self.not_older("eol", date)?;
        let mut found = Products::new();
        match (&doc, doc.get("result")) {
            (_, Some(Value::Array(products))) => {
                for p in products {
                    self.product(name(p)?, p.get("releases"), &mut found)?;
                }
            }
            (_, Some(one)) => self.product(name(one)?, one.get("releases"), &mut found)?,
            (Value::Array(_), None) => self.product(product, Some(&doc), &mut found)?,
            (Value::Object(all), None) => {
                for (name, cycles) in all.iter().filter(|(_, v)| v.is_array()) {
                    self.product(name, Some(cycles), &mut found)?;
                }
            }
            _ => {}
        }
        if found.values().all(Vec::is_empty) {
            let right = "a list of cycles (`cycle`, `eol`) or `result.releases` of endoflife.date is needed";
            return Err(shape("eol", right));
        }
        let mut had: BTreeSet<String> = self.cycles.iter().map(|c| c.product.clone()).collect();
        self.cycles.retain(|c| !found.contains_key(&c.product));
        let names: BTreeSet<String> = found.keys().cloned().collect();
        self.cycles.extend(found.into_values().flatten());
        // What was not brought is as old as before, and the data set as old as its oldest part.
        had.retain(|p| !names.contains(p));
        let (version, date) = match self.info.get("eol") {
            Some(before) if !had.is_empty() => {
                let rest = before.version.split(" for ").next().unwrap_or_default();
                let date = date.date();
                let dates = if rest.split(", ").any(|d| d == date) { rest.into() } else { format!("{rest}, {date}") };
                (format!("{dates} for {} of {} products", names.len(), names.len() + had.len()), before.date)
            }
            _ => (date.date(), date),
        };
        self.record("eol", &version, date, bytes, self.cycles.len(), false);
        Ok(names)
    }

    fn product(&self, product: &str, cycles: Option<&Value>, found: &mut Products) -> Result<(), FeedError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if product.is_empty() || !product.chars().all(plain) {
            let what = format!("`{product}` is no product; name the file after it: amazon-eks.json");
            return Err(shape("eol", what));
        }
        let target = self.cycles.iter().find(|c| c.product == product).map_or_else(String::new, |c| c.target.clone());
        let list = cycles.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let out = found.entry(product.to_owned()).or_default();
        for (n, one) in list.iter().enumerate() {
            let cycle = cycle(product, &target, one);
            out.push(cycle.ok_or_else(|| {
                shape(
                    "eol",
                    format!("{product}: cycle {} has no name or no end that is a date or a truth value", n + 1),
                )
            })?);
        }
        Ok(())
    }
}

fn name(product: &Value) -> Result<&str, FeedError> {
    product.get("name").and_then(Value::as_str).ok_or_else(|| shape("eol", "a product has no `name`"))
}

fn cycle(product: &str, target: &str, one: &Value) -> Option<Cycle> {
    let name = one.get("cycle").or_else(|| one.get("name"))?;
    let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
    let eol = when(one, "eol").or_else(|| when_from(one, "isEol", "eolFrom"))?;
    let support = when(one, "support").or_else(|| when_from(one, "isEoas", "eoasFrom"));
    let extended = when(one, "extendedSupport").or_else(|| when_from(one, "isEoes", "eoesFrom"));
    let on = |e: Option<End>| match e {
        Some(End::On(at)) => Some(at),
        _ => None,
    };
    // For Lambda `eol` is the day updates are blocked; patches stop earlier.
    let ends = on(support).filter(|_| product == "aws-lambda").map_or(eol, End::On);
    Some(Cycle { product: product.into(), target: target.into(), cycle: name, ends, extended: on(extended) })
}

/// A date, or whether it has ended.
fn when(one: &Value, name: &str) -> Option<End> {
    match one.get(name)? {
        Value::Bool(true) => Some(End::Past),
        Value::Bool(false) => Some(End::Open),
        Value::String(date) => end(date),
        _ => None,
    }
}

fn when_from(one: &Value, is: &str, from: &str) -> Option<End> {
    one.get(from).and_then(Value::as_str).and_then(end).or_else(|| when(one, is))
}

#[cfg(test)]
mod tests {
    use super::super::Support;
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn every_published_shape_is_read() {
        let cycles = r#"[{"cycle":"1.99","releaseDate":"2026-11-01","eol":"2028-01-31","extendedSupport":"2029-01-31"},{"cycle":"1.34","eol":true,"extendedSupport":false}]"#;
        let releases = r#""releases":[{"name":"1.99","isEol":false,"eolFrom":"2028-01-31","isEoes":false,"eoesFrom":"2029-01-31"},{"name":"1.34","isEol":true,"eolFrom":null}]"#;
        fn check(text: &str, product: &str) {
            let mut feeds = Feeds::bundled();
            let names = feeds.import_eol(text.as_bytes(), product, at("2026-11-20")).unwrap();
            assert_eq!(names.into_iter().collect::<Vec<_>>(), ["amazon-eks"], "{text}");
            let support = |version, now| feeds.support("AWS::EKS::Cluster", version, at(now));
            assert_eq!(support("1.99", "2026-11-21"), Support::Supported);
            assert_eq!(support("1.99", "2028-02-01"), Support::Extended(at("2029-01-31")));
            assert_eq!(support("1.34", "2026-11-21"), Support::Ended(None));
            assert_eq!(
                feeds.support("aws-lambda", "nodejs20.x", at("2026-04-01")),
                Support::EndsSoon(at("2026-04-30"))
            );
            let info = feeds.info().find(|i| i.name == "eol").unwrap();
            assert!(!info.bundled && info.version.contains("2026-08-22, 2026-11-20 for 1 of "), "{}", info.version);
            assert_eq!(info.date.date(), "2026-08-22", "what was not brought is as old as before");
        }
        check(cycles, "amazon-eks");
        check(&format!(r#"{{"amazon-eks":{cycles}}}"#), "");
        check(
            &format!(r#"{{"generated_at":"2026-11-20T01:00:00Z","result":{{"name":"amazon-eks",{releases}}}}}"#),
            "x",
        );
        check(
            &format!(r#"{{"generated_at":"2026-11-20T01:00:00Z","result":[{{"name":"amazon-eks",{releases}}}]}}"#),
            "x",
        );
    }

    #[test]
    fn what_it_cannot_be_is_refused() {
        fn check(text: &str, product: &str, want: &str) {
            let said = Feeds::bundled().import_eol(text.as_bytes(), product, at("2026-11-20")).unwrap_err().to_string();
            assert!(said.contains(want), "{text}: {said}");
        }
        check("[]", "amazon-eks", "a list of cycles");
        check("{}", "", "a list of cycles");
        check("nonsense", "", "not readable");
        check(r#"[{"cycle":"1"}]"#, "amazon-eks", "cycle 1 has no name or no end");
        check(r#"[{"cycle":"1","eol":true}]"#, "My File", "name the file after it");
        check(r#"{"generated_at":"2020-01-01","result":[]}"#, "", "older than the one in use");
    }

    #[test]
    fn patches_of_functions_stop_before_updates_are_blocked() {
        let mut feeds = Feeds::none();
        let text = r#"{"aws-lambda":[{"cycle":"python3.99","support":"2027-01-01","eol":"2027-06-01"}]}"#;
        feeds.import_eol(text.as_bytes(), "", at("2026-11-20")).unwrap();
        assert_eq!(feeds.support("aws-lambda", "python3.99", at("2027-02-01")), Support::Ended(Some(at("2027-01-01"))));
        assert_eq!(feeds.info().next().unwrap().date.date(), "2026-11-20");
    }
}
