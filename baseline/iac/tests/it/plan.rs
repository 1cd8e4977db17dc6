//! Plans and states.

use plumb_iac::terraform::{Options, is_plan_or_state, read_plan};
use plumb_iac::{Dialect, MemoryFiles, Reading, plain};
use serde_json::json;

const CONFIG: &str = "resource \"aws_s3_bucket\" \"b\" {\n  bucket_prefix = \"logs\"\n}\n\nmodule \"m\" {\n  source = \"./m\"\n  bucket = aws_s3_bucket.b.id\n}\n";
const INNER: &str = "variable \"bucket\" {}\n# checkov:skip=CKV_1:why\nresource \"aws_s3_bucket_policy\" \"p\" {\n  for_each = toset([\"a\"])\n  bucket = var.bucket\n  policy = jsonencode({ Statement = [{ Effect = \"Allow\", Resource = \"x\" }] })\n}\n";

fn plan() -> String {
    json!({
        "format_version": "1.2", "terraform_version": "1.11.4",
        "resource_changes": [
            { "address": "aws_s3_bucket.b", "mode": "managed", "type": "aws_s3_bucket", "name": "b",
              "provider_name": "registry.terraform.io/hashicorp/aws",
              "change": { "actions": ["create"], "before": null,
                "after": { "bucket_prefix": "logs", "force_destroy": false, "secret": "s", "rule": [{ "on": true }] },
                "after_unknown": { "id": true, "arn": true, "rule": [{ "ref": true }] },
                "after_sensitive": { "secret": true } } },
            { "address": "module.m.aws_s3_bucket_policy.p[\"a\"]", "module_address": "module.m", "mode": "managed",
              "type": "aws_s3_bucket_policy", "name": "p", "index": "a",
              "change": { "actions": ["create"], "after": { "policy": "{\"Statement\":[{\"Effect\":\"Allow\",\"Resource\":\"x\"}]}" },
                "after_unknown": { "bucket": true } } },
            { "address": "aws_s3_bucket.old", "mode": "managed", "type": "aws_s3_bucket", "name": "old",
              "change": { "actions": ["delete"], "before": {}, "after": null } }
        ],
        "configuration": { "root_module": {
            "resources": [{ "address": "aws_s3_bucket.b", "expressions": {} }],
            "module_calls": { "m": { "source": "./m", "expressions": { "bucket": { "references": ["aws_s3_bucket.b.id", "aws_s3_bucket.b"] } },
              "module": { "resources": [{ "address": "aws_s3_bucket_policy.p", "expressions": { "bucket": { "references": ["var.bucket"] } } }] } } } } }
    })
    .to_string()
}

fn read(files: &[(&str, &str)]) -> Reading {
    read_plan(&MemoryFiles::new(files.iter().copied()), "plan.json", &Options::default())
}

#[test]
fn a_plan_alone() {
    let plan = plan();
    assert!(is_plan_or_state(plan.as_bytes()));
    let reading = read(&[("plan.json", &plan)]);
    assert_eq!(reading.problems, []);
    assert_eq!(reading.resources.len(), 2);
    let (bucket, policy) = (&reading.resources[0], &reading.resources[1]);
    assert_eq!(bucket.dialect, Dialect::TerraformPlan);
    let at = |p: &str| plain(bucket.attrs.at(p).unwrap());
    assert_eq!(at("force_destroy"), json!(false));
    assert_eq!(at("secret"), json!("(sensitive)"));
    assert_eq!(at("rule.on"), json!(true));
    assert!(bucket.attrs.at("rule.ref").unwrap().is_unknown());
    assert!(bucket.attrs.get("id").unwrap().is_unknown());
    assert_eq!(policy.module[0].source.as_ref(), "./m");
    let edge = policy.attrs.get("bucket").unwrap().edge().unwrap();
    assert_eq!((&*edge.address, &*edge.path), ("aws_s3_bucket.b", "id"));
    assert_eq!(&*reading.sources.place(bucket.attrs.get("force_destroy").unwrap().span).file, "plan.json");
}

#[test]
fn a_plan_beside_its_configuration() {
    let plan = plan();
    let reading = read(&[("plan.json", &plan), ("main.tf", CONFIG), ("m/main.tf", INNER)]);
    assert_eq!(reading.problems, []);
    let policy = &reading.resources[1];
    let place = reading.sources.place(policy.attrs.get("policy").unwrap().span);
    assert_eq!((&*place.file, place.line), ("m/main.tf", 6));
    assert_eq!(plain(policy.attrs.at("policy.Statement[0].Effect").unwrap()), json!("Allow"));
    assert_eq!(&*policy.skips[0].ids[0], "CKV_1");
    let edge = policy.attrs.get("bucket").unwrap().edge().unwrap();
    assert_eq!((&*edge.address, &*edge.path), ("aws_s3_bucket.b", "id"));
}

#[test]
fn states_in_both_forms() {
    let shown = json!({ "format_version": "1.0", "terraform_version": "1.11.4", "values": { "root_module": {
        "resources": [{ "address": "aws_x.y[0]", "mode": "managed", "type": "aws_x", "name": "y", "index": 0, "values": { "a": 1 }, "sensitive_values": {} }],
        "child_modules": [{ "address": "module.m", "resources": [{ "address": "module.m.data.aws_z.d", "mode": "data", "type": "aws_z", "name": "d", "values": {} }] }] } } });
    let raw = json!({ "version": 4, "terraform_version": "1.11.4", "resources": [
        { "mode": "managed", "type": "aws_x", "name": "y", "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]", "instances": [{ "index_key": 0, "attributes": { "a": 1 } }] },
        { "module": "module.m", "mode": "data", "type": "aws_z", "name": "d", "instances": [{ "attributes": {} }] }] });
    for state in [shown.to_string(), raw.to_string()] {
        assert!(is_plan_or_state(state.as_bytes()));
        let reading = read(&[("plan.json", &state)]);
        let found: Vec<(&str, bool)> = reading.resources.iter().map(|r| (&*r.address, r.existing)).collect();
        assert_eq!(found, [("aws_x.y[0]", false), ("module.m.data.aws_z.d", true)]);
        assert_eq!(plain(reading.resources[0].attrs.get("a").unwrap()), json!(1));
    }
}

#[test]
fn what_is_no_plan_is_told() {
    for text in ["{}", "[", "{\"resource_changes\": 3}", "{\"format_version\": \"1\"}"] {
        let reading = read(&[("plan.json", text)]);
        assert!(reading.resources.is_empty());
    }
    assert_eq!(read(&[("plan.json", "{}")]).problems.len(), 1);
}

#[test]
fn a_plan_shows_providers_and_searches() {
    let plan = json!({
        "format_version": "1.2", "terraform_version": "1.9.0", "resource_changes": [],
        "prior_state": { "values": { "root_module": { "resources": [
            { "address": "data.aws_ami.a", "mode": "data", "type": "aws_ami", "name": "a", "values": { "owners": null } },
            { "address": "data.aws_vpc.v", "mode": "data", "type": "aws_vpc", "name": "v", "values": {} },
        ] } } },
        "configuration": { "provider_config": {
            "aws.west": { "name": "aws", "alias": "west", "expressions": {
                "access_key": { "constant_value": "k" }, "secret_key": { "references": ["var.s"] },
            } },
            "google": { "name": "google", "expressions": { "project": { "constant_value": "p" } } },
        } },
    });
    let reading = read(&[("plan.json", &plan.to_string())]);
    assert_eq!(reading.problems, []);
    let judged: Vec<(&str, &str)> =
        reading.resources.iter().filter(|c| !c.existing).map(|c| (&*c.address, &*c.type_)).collect();
    assert_eq!(judged, [("data.aws_ami.a", "data.aws_ami"), ("provider.aws.west", "provider.aws")]);
    let provider = &reading.resources[2];
    assert_eq!(plain(provider.attrs.at("access_key").unwrap()), json!("k"));
    assert!(provider.attrs.at("secret_key").unwrap().is_unknown());
}
