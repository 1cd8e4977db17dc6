//! Configurations planned by Terraform with the real provider, beside what is read of them here.
//!
//! Counted are instance addresses (as sets), and of each instance the attributes and blocks that its configuration sets
//! and whose value the plan knows. One counts as the same when every part that is read here equals the plan's, after the
//! conversion the provider's schema makes (`"80"` to 80, a list to a set). It counts as different where it is unknown here
//! or missing, and where a part of a block that the configuration names is missing here. Parts that only the provider puts
//! in are not counted. Values marked sensitive are never shown by `plumb`: they are the same when the plan marks them too.
//! Policies that a data source writes are compared as JSON with their lists as sets, as the provider orders them anew.

use super::{Bench, Tally, copy, generate, sameness::Schema, short, text};
use crate::{Done, root};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// What stands for the settings that let the provider plan without an account.
const MARK: &str = "# without an account";
const OFFLINE: &str = "skip_credentials_validation = true\n  skip_requesting_account_id  = true\n  \
    skip_metadata_api_check     = true\n  skip_region_validation      = true\n  skip_get_ec2_platforms      = true";

/// What a root begins with that says nothing of its provider itself.
const PROVIDER: &str = "terraform {\n  required_providers {\n    aws = {\n      source = \"hashicorp/aws\"\n    }\n  }\n}\n\n\
    provider \"aws\" {\n  region = \"eu-west-1\"\n  # without an account\n}\n";

#[derive(Default)]
struct Counts {
    addresses: Tally,
    attributes: Tally,
    hidden: usize,
    roots: usize,
    instances: usize,
}

/// Puts the settings in wherever a provider asks for them.
fn offline(dir: &Path) -> Done {
    for entry in fs::read_dir(dir).map_err(|e| e.to_string())?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            offline(&path)?;
        } else if let Ok(old) = fs::read_to_string(&path)
            && old.contains(MARK)
        {
            super::write(&path, &old.replace(MARK, OFFLINE))?;
        }
    }
    Ok(())
}

/// An address without the keys of its instances.
fn block_address(address: &str) -> String {
    let (mut out, mut depth, mut quoted) = (String::new(), 0, false);
    for c in address.chars() {
        match c {
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth -= 1,
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

/// What each block of a configuration sets: the names of attributes and blocks, at any depth.
fn written(module: &Json, prefix: &str, out: &mut BTreeMap<String, BTreeSet<String>>) {
    fn names(expressions: &Json, out: &mut BTreeSet<String>) {
        match expressions {
            Json::Object(members) => {
                for (name, inner) in members {
                    if !matches!(&**name, "constant_value" | "references") {
                        out.insert(name.clone());
                        names(inner, out);
                    }
                }
            }
            Json::Array(items) => items.iter().for_each(|i| names(i, out)),
            _ => {}
        }
    }
    for resource in module.pointer("/resources").and_then(Json::as_array).into_iter().flatten() {
        let mut set = BTreeSet::new();
        names(resource.get("expressions").unwrap_or(&Json::Null), &mut set);
        out.insert(format!("{prefix}{}", text(resource, "/address")), set);
    }
    for (name, call) in module.pointer("/module_calls").and_then(Json::as_object).into_iter().flatten() {
        written(call.get("module").unwrap_or(&Json::Null), &format!("{prefix}module.{name}."), out);
    }
}

/// The instances a plan knows: those it makes, and the policy documents it computed.
fn planned(plan: &Json) -> BTreeMap<String, Json> {
    let mut out = BTreeMap::new();
    for change in plan.pointer("/resource_changes").and_then(Json::as_array).into_iter().flatten() {
        let gone = change.pointer("/change/after").is_none_or(Json::is_null);
        if text(change, "/mode") == "managed" && !gone {
            out.insert(text(change, "/address").to_owned(), change.clone());
        }
    }
    let mut modules: Vec<&Json> = plan.pointer("/prior_state/values/root_module").into_iter().collect();
    while let Some(module) = modules.pop() {
        modules.extend(module.pointer("/child_modules").and_then(Json::as_array).into_iter().flatten());
        for resource in module.pointer("/resources").and_then(Json::as_array).into_iter().flatten() {
            if text(resource, "/type") == "aws_iam_policy_document" {
                let after = json!({ "json": resource.pointer("/values/json") });
                let row = json!({ "type": "aws_iam_policy_document", "change": { "after": after } });
                out.insert(text(resource, "/address").to_owned(), row);
            }
        }
    }
    out
}

fn compare(bench: &Bench, name: &str, dir: &Path, schema: &mut Option<Schema>, counts: &mut Counts) -> Done {
    let (done, said) = bench.terraform(dir, &["init", "-input=false", "-no-color"])?;
    if !done {
        return Err(format!("terraform init of {name}: {}", String::from_utf8_lossy(&said)));
    }
    let plan = match bench.plan(dir)? {
        Ok(plan) => plan,
        Err(said) => {
            let rows: Vec<String> = said.iter().map(|r| short(r.get("diagnostic"))).collect();
            return Err(format!("terraform plan of {name}: {}", rows.join("\n")));
        }
    };
    if schema.is_none() {
        let (_, shown) = bench.terraform(dir, &["providers", "schema", "-json"])?;
        *schema = Some(Schema::read(&shown)?);
    }
    let Some(schema) = schema else { return Err("no schema".into()) };
    let theirs = planned(&plan);
    let mut blocks = BTreeMap::new();
    written(plan.pointer("/configuration/root_module").unwrap_or(&Json::Null), "", &mut blocks);
    let ours: BTreeMap<String, Json> =
        bench.ours(dir)?.into_iter().map(|r| (text(&r, "/address").to_owned(), r)).collect();
    let counted = |r: &Json| {
        let provider = text(r, "/type").starts_with("provider.");
        !provider && (r.get("existing") != Some(&json!(true)) || text(r, "/type") == "aws_iam_policy_document")
    };
    for (address, row) in ours.iter().filter(|(_, r)| counted(r)) {
        if !theirs.contains_key(address) && text(row, "/type") != "aws_iam_policy_document" {
            counts.addresses.add(false);
            println!("  {name}: {address} is not in the plan");
        }
    }
    counts.roots += 1;
    for (address, change) in &theirs {
        counts.instances += 1;
        counts.addresses.add(ours.contains_key(address));
        let Some(our) = ours.get(address) else {
            println!("  {name}: {address} is missing here");
            continue;
        };
        let empty = BTreeSet::new();
        let set = blocks.get(&block_address(address)).unwrap_or(&empty);
        let our = our.get("values").unwrap_or(&Json::Null);
        let after = change.pointer("/change/after").unwrap_or(&Json::Null);
        for (attribute, their) in after.as_object().into_iter().flatten() {
            let evaluated_to_null = our.get(attribute).is_some_and(Json::is_null);
            let our = our.get(attribute).unwrap_or(&Json::Null);
            let mark =
                |which: &str| change.pointer(&format!("/change/{which}/{attribute}")).cloned().unwrap_or_default();
            let document = text(change, "/type") == "aws_iam_policy_document";
            if !(set.contains(attribute) || !our.is_null() || document) || mark("after_unknown") == json!(true) {
                continue;
            }
            if our.is_null() && (evaluated_to_null || Schema::nothing(their)) {
                // Set to null, or a block that is not there: what then stands there is the provider's.
                if their.is_null() && evaluated_to_null {
                    counts.attributes.add(true);
                }
                continue;
            }
            let hidden = our == &json!("(sensitive)");
            let same = if hidden {
                counts.hidden += 1;
                mark("after_sensitive") == json!(true)
            } else {
                schema.same(text(change, "/type"), attribute, our, their, &mark("after_unknown"), set)
            };
            counts.attributes.add(same);
            if !same || bench.all && hidden {
                println!(
                    "  {name}: {address}.{attribute}\n      terraform {}\n      plumb     {}",
                    short(Some(their)),
                    short(Some(our))
                );
            }
        }
    }
    Ok(())
}

pub fn run(bench: &Bench, only: Option<&str>) -> Done {
    let base = bench.base.join("roots");
    let _ = fs::remove_dir_all(&base);
    let here = root().join("xtask/src/bench/terraform");
    copy(&here.join("roots"), &base)?;
    generate::roots(&here.join("pieces"), &base)?;
    let mut names: Vec<String> = fs::read_dir(&base)
        .map_err(|e| e.to_string())?
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| only.is_none_or(|o| o == n))
        .collect();
    names.sort();
    for name in &names {
        let dir = base.join(name);
        if !dir.join("provider.tf").exists() && !name.starts_with("made-") {
            super::write(&dir.join("provider.tf"), PROVIDER)?;
        }
    }
    offline(&base)?;
    let (mut counts, mut schema) = (Counts::default(), None);
    for name in &names {
        compare(bench, name, &base.join(name), &mut schema, &mut counts)?;
    }
    println!("  {} roots, {} instances, {} values hidden here", counts.roots, counts.instances, counts.hidden);
    let missed = [counts.addresses.show("instance addresses", 99.0), counts.attributes.show("known attributes", 98.0)];
    let missed: Vec<String> = missed.into_iter().filter_map(Result::err).collect();
    if missed.is_empty() { Ok(()) } else { Err(missed.join("; ")) }
}
