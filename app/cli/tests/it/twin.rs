//! The same stack live, as CloudFormation and as Terraform: one finding, one verdict (P11).

use crate::emulator::{Emulator, lines, own_keys, root, text, what_was_planted_is_said};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What the provider names itself (`vol-…`) has no name to meet by; nor have stages, whose live name has the API's in it.
const NAMELESS: [&str; 13] = [
    "aws.apigateway.stage",
    "aws.apigatewayv2.api-stage",
    "aws.cloudfront.distribution",
    "aws.ec2.ebs-volume",
    "aws.ec2.elastic-ip",
    "aws.ec2.transit-gateway",
    "aws.efs.access-point",
    "aws.efs.file-system",
    "aws.fsx.file-system",
    "aws.transfer.server",
    "aws.vpc.endpoint",
    "aws.vpc.subnet",
    "aws.vpc.vpc",
];

/// What a row is about in every form of the stack: rule, resource as the template calls it, part.
type Key = (String, String, String);

/// A resource's name in the template, where code has another way to write it: `aws_sqs_queue.queue_good` is `QueueGood`.
fn logical(address: &str) -> String {
    let last = address.rsplit('.').next().unwrap_or(address);
    last.split('[').next().unwrap_or(last).replace('_', "").to_lowercase()
}

fn key(row: &Json, logical: &str) -> Key {
    (text(row, "rule").into(), logical.into(), text(row, "sub_key").into())
}

/// The live verdicts about what was made, by what the template calls it.
fn deployed(emulator: &Emulator, db: &str) -> BTreeMap<Key, Json> {
    let made = lines(&std::fs::read_to_string(emulator.dir.join("made.jsonl")).expect("what was made"));
    let mut found = BTreeMap::new();
    for row in emulator.verdicts(db) {
        for one in made.iter().filter(|one| !text(one, "id").is_empty()) {
            let id = text(one, "id");
            let ends = text(&row, "resource")
                .strip_suffix(id)
                .is_some_and(|rest| rest.ends_with(['/', ':']) || rest.is_empty());
            if ends || text(&row, "name") == id {
                found.insert(key(&row, &logical(text(one, "logical"))), row.clone());
            }
        }
    }
    found
}

#[test]
fn a_stack_and_its_code_have_the_same_verdicts_and_findings() {
    let tests = root().join("tests/aws");
    let (serve, seed) = (tests.join("serve.py"), tests.join("twin.py"));
    let (serve, seed) = (serve.to_string_lossy(), seed.to_string_lossy());
    let Some(emulator) = Emulator::start("twin", &[&serve], &[&seed], own_keys) else { return };
    emulator.plumb("twin.db", &["scan", "aws", "--region", "us-east-1", "--max-share", "0", "--format", "json"]);
    let planted = what_was_planted_is_said(&emulator, "twin.db");
    assert!(planted > 400, "only {planted} planted");
    let live = deployed(&emulator, "twin.db");
    for code in ["cloudformation", "terraform"] {
        let path = tests.join("twin").join(code).display().to_string();
        let rows =
            emulator.plumb_rows("twin.db", &["check", &path, "--all", "--live", "--record", "--format", "jsonl"]);
        let (mut shared, mut kinds, mut differ) = (0, BTreeMap::<&str, usize>::new(), Vec::new());
        for row in &rows {
            let Some(deployed) = live.get(&key(row, &logical(text(row, "address")))) else { continue };
            let outcomes = [text(row, "outcome"), text(deployed, "outcome")];
            // What only the deployed resource can tell (its age, its use) is not known in code, or rules it out.
            if text(row, "kind") != text(deployed, "kind") || !outcomes.iter().all(|o| ["pass", "fail"].contains(o)) {
                continue;
            }
            shared += 1;
            *kinds.entry(text(row, "kind")).or_default() += 1;
            if outcomes[0] != outcomes[1] {
                differ.push((text(row, "rule"), text(row, "address"), outcomes));
            }
        }
        println!("{code}: {shared} shared verdicts of {} kinds, {} differ: {differ:#?}", kinds.len(), differ.len());
        assert!(shared > 800 && kinds.len() > 80, "{code}: {shared} shared of {} kinds", kinds.len());
        assert!(differ.len() * 100 <= shared * 2, "{code}: {differ:#?}");
        // A failing verdict names the live finding, and it is the one on the record.
        let findings = emulator.plumb_rows("twin.db", &["findings", "--limit", "10000", "--format", "jsonl"]);
        let (mut twins, mut apart) = (0, Vec::new());
        for row in rows.iter().filter(|r| r["outcome"] == "fail") {
            let name = (row["rule"].as_str(), row["name"].as_str(), row["sub_key"].as_str());
            let found =
                findings.iter().find(|f| (f["rule"].as_str(), f["name"].as_str(), f["sub_key"].as_str()) == name);
            let named = row["live"][0]["finding"].as_str();
            assert_eq!(named, found.and_then(|f| f["id"].as_str()), "{name:?}");
            twins += usize::from(named.is_some());
            let deployed = live.get(&key(row, &logical(text(row, "address"))));
            if named.is_none()
                && deployed.is_some_and(|d| d["outcome"] == "fail")
                && !NAMELESS.contains(&text(row, "kind"))
            {
                apart.push(name);
            }
        }
        println!("{code}: {twins} twins");
        assert!(twins > 250, "{code}: {twins} twins");
        assert!(apart.is_empty(), "{code}: fail on both sides and do not meet: {apart:#?}");
        // With the check on the record, the ticket of the live finding names file and line.
        let one = rows.iter().find(|r| r["outcome"] == "fail" && r["live"][0]["finding"].is_string()).unwrap();
        let id = one["live"][0]["finding"].as_str().unwrap();
        let ticket = emulator.plumb_rows("twin.db", &["findings", "ticket", id, "--format", "jsonl"]);
        let named = ticket[0]["code"].to_string();
        assert!(named.contains(&format!("{}:{}", text(one, "file"), one["line"])), "{named} for {one}");
        assert!(ticket[0]["body"].as_str().unwrap().contains("Where code declares it"));
    }
}
