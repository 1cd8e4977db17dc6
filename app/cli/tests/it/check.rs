//! `plumb check` and `plumb code show` from outside: exit codes, formats, what is new, skips, comments on requests.

use crate::{
    emulator::{python, root},
    machine::{folder, lines, plumb, write},
};
use serde_json::{Value as Json, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
    sync::{Arc, Mutex},
};

const BUCKET: &str = "resource \"aws_s3_bucket\" \"data\" {\n  bucket = \"nw-data\"\n}\n";
const KEEPS: &str = "\nresource \"aws_s3_bucket_versioning\" \"data\" {\n  bucket = aws_s3_bucket.data.id\n  versioning_configuration {\n    status = \"Enabled\"\n  }\n}\n";
const RULE: &str = "aws.s3.bucket.versioning";

fn text(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

#[track_caller]
fn exits(dir: &Path, args: &[&str], code: i32) -> Output {
    let out = plumb(dir, args);
    assert_eq!(out.status.code(), Some(code), "{args:?}\n{}\n{}", text(&out), said(&out));
    out
}

#[test]
fn exit_codes_tell_clean_findings_usage_and_partial() {
    let dir = folder("check-exit");
    write(&dir, "main.tf", BUCKET);
    exits(&dir, &["check", ".", "--check", RULE], 1);
    exits(&dir, &["check", ".", "--check", RULE, "--fail-on", "high"], 0);
    exits(&dir, &["check", ".", "--check", RULE, "--fail-on", "medium"], 1);
    write(&dir, "main.tf", &format!("{BUCKET}{KEEPS}"));
    exits(&dir, &["check", ".", "--check", RULE], 0);
    exits(&dir, &["check", "main.tf", "--check", RULE], 0);
    for wrong in [
        &["check", "nowhere"] as &[&str],
        &["check", ".", "--check", "no.such.rule"],
        &["check", ".", "--fail-on", "terrible"],
        &["check", ".", "--framework", "no-such"],
        &["check", ".", "--baseline", "absent.json"],
        &["check", ".", "--new-since", "main"],
        &["check", ".", "--format", "yaml"],
        &["check", "-", "--fix"],
    ] {
        exits(&dir, wrong, 2);
    }
    // A broken file: told with its place, everything else judged.
    write(&dir, "broken.tf", "resource \"aws_s3_bucket\" \"x\" {\n  bucket = \n");
    let out = exits(&dir, &["check", ".", "--check", RULE, "--all", "--format", "json"], 3);
    let json: Json = serde_json::from_str(&text(&out)).unwrap();
    assert!(json["verdicts"].as_array().unwrap().iter().any(|v| v["address"] == json!("aws_s3_bucket.data")));
    let problem = &json["problems"][0];
    assert_eq!((&problem["file"], &problem["partial"]), (&json!("broken.tf"), &json!(true)), "{json}");
    assert!(said(&out).contains("broken.tf:2"), "{}", said(&out));
    // What is known to be wrong outranks what is not known.
    write(&dir, "main.tf", BUCKET);
    exits(&dir, &["check", ".", "--check", RULE], 1);
    // A module that is not there is never silent.
    std::fs::remove_file(dir.join("broken.tf")).unwrap();
    write(&dir, "main.tf", "module \"net\" {\n  source = \"example/vpc/aws\"\n}\n");
    let out = exits(&dir, &["check", "."], 3);
    assert!(said(&out).contains("vpc/aws"), "{}", said(&out));
}

/// P05: whatever could not be read is told, in every format, and is no clean result.
#[test]
fn nothing_is_passed_over_in_silence() {
    let dir = folder("check-silence");
    let out = exits(&dir, &["check", "."], 0);
    assert!(said(&out).contains("nothing was judged"), "{}", said(&out));
    write(&dir, "main.tf", &format!("{BUCKET}{KEEPS}"));
    exits(&dir, &["check", ".", "--check", RULE], 0);
    // A file that is there and cannot be read (tests may run as one who may read everything).
    std::os::unix::fs::symlink("nowhere.tf", dir.join("gone.tf")).unwrap();
    let out = exits(&dir, &["check", ".", "--check", RULE], 3);
    assert!(said(&out).contains("gone.tf:1: it cannot be read: it is a link to nothing"), "{}", said(&out));
    std::fs::remove_file(dir.join("gone.tf")).unwrap();
    write(&dir, "broken.tf", "resource \"aws_s3_bucket\" \"x\" {\n  bucket = \n}\n");
    let shown = text(&exits(&dir, &["check", ".", "--check", RULE, "--format", "text"], 3));
    let frame = "not read: a value was expected\n  --> broken.tf:2:12\n    1 | resource \"aws_s3_bucket\" \"x\" {\n    2 |   bucket = \n      |            ^\n";
    assert!(shown.contains(frame), "{shown}");
    let junit = text(&exits(&dir, &["check", ".", "--check", RULE, "--format", "junit"], 3));
    let doc = roxmltree::Document::parse(&junit).unwrap();
    assert_eq!(doc.root_element().attribute("errors"), Some("1"), "{junit}");
    assert!(doc.descendants().any(|n| n.has_tag_name("error")), "{junit}");
    let github = text(&exits(&dir, &["check", ".", "--check", RULE, "--format", "github"], 3));
    assert!(github.contains("::error file=broken.tf,line=2,title=not read::"), "{github}");
    let gitlab = text(&exits(&dir, &["check", ".", "--check", RULE, "--format", "gitlab"], 3));
    assert!(gitlab.contains("plumb.not-read") && gitlab.contains("broken.tf"), "{gitlab}");
    exits(&dir, &["check", ".", "--check", RULE, "--create-baseline", "known.json"], 3);
    exits(&dir, &["check", ".", "--check", RULE, "--diff"], 3);
    // A declaration whose text has no end: what it seems to lack is not known to be absent.
    std::fs::remove_file(dir.join("broken.tf")).unwrap();
    write(
        &dir,
        "b.bicep",
        "resource sa 'Microsoft.Storage/storageAccounts@2023-01-01' = {\n  name: 'x\n  properties: {}\n}\n",
    );
    exits(&dir, &["check", "b.bicep"], 3);
    // A baseline of another make is refused.
    for wrong in [
        "{\"findings\": []}",
        "{\"plumb_baseline\": 2, \"findings\": []}",
        "{\"plumb_baseline\": 1, \"findings\": [1]}",
        "{\"plumb_baseline\": 1, \"findings\": [\"F-123\"]}",
        "{\"plumb_baseline\": 1}",
        "{",
        "",
    ] {
        write(&dir, "wrong.json", wrong);
        let out = exits(&dir, &["check", "main.tf", "--baseline", "wrong.json"], 2);
        assert!(said(&out).contains("--baseline"), "{wrong}: {}", said(&out));
    }
}

/// P01: without a git repository too, modules beside the folder are found from the working folder, and the rest is told.
#[test]
fn modules_beside_the_folder_are_found_without_a_repository() {
    let dir = folder("check-beside");
    std::fs::create_dir_all(dir.join("envs/prod")).unwrap();
    std::fs::create_dir_all(dir.join("modules/m")).unwrap();
    write(&dir, "envs/prod/main.tf", "module \"m\" {\n  source = \"../../modules/m\"\n}\n");
    write(&dir, "modules/m/main.tf", BUCKET);
    let rows = lines(&dir, &["check", "envs/prod", "--check", RULE, "--format", "jsonl"], 1);
    assert_eq!(rows[0]["address"], json!("module.m.aws_s3_bucket.data"));
    let out = exits(&dir.join("envs/prod"), &["check", ".", "--check", RULE], 3);
    assert!(said(&out).contains("it lies outside of what is read"), "{}", said(&out));
    write(&dir, "envs/prod/main.tf", "module \"m\" {\n  source = \"./nothing\"\n}\n");
    let out = exits(&dir, &["check", ".", "--check", RULE, "--fail-on", "critical"], 3);
    assert!(said(&out).contains("there is no configuration in that folder"), "{}", said(&out));
}

/// P06: what a function made of a setting is shown where the setting stands.
#[test]
fn findings_about_a_policy_stand_at_the_policy() {
    let dir = folder("check-frame");
    write(
        &dir,
        "main.tf",
        "resource \"aws_sqs_queue\" \"q\" {\n  name = \"q\"\n}\n\nresource \"aws_sqs_queue_policy\" \"q\" {\n  queue_url = aws_sqs_queue.q.id\n  policy = <<EOT\n{\"Statement\": [{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": \"*\", \"Resource\": \"*\"}]}\nEOT\n}\n",
    );
    let args = ["check", ".", "--check", "aws.sqs.queue.not-public", "--format"];
    let shown = text(&exits(&dir, &[&args[..], &["text"]].concat(), 1));
    assert!(shown.contains("--> main.tf:7:12\n") && shown.contains("7 |   policy = <<EOT\n"), "{shown}");
    let rows = lines(&dir, &[&args[..], &["jsonl"]].concat(), 1);
    assert_eq!(rows[0]["because"][0]["source"], json!("main.tf:7"), "{}", rows[0]);
    // Also where the whole block is one item of a list.
    write(
        &dir,
        "main.tf",
        "resource \"aws_iam_policy\" \"p\" {\n  name = \"p\"\n  policy = jsonencode({\n    Statement = [{ Effect = \"Allow\", Action = \"*\", Resource = \"*\" }]\n  })\n}\n",
    );
    let shown = text(&exits(&dir, &["check", ".", "--check", "aws.iam.policy.no-star-action", "--format", "text"], 1));
    assert!(shown.contains("--> main.tf:3:12\n"), "{shown}");
}

/// P05: `plumb check . | head` does not make findings go away.
#[test]
fn a_reader_that_goes_away_changes_no_exit_code() {
    let dir = folder("check-pipe");
    let many: String = (0..200).map(|n| BUCKET.replace("\"data\"", &format!("\"data{n}\""))).collect();
    write(&dir, "main.tf", &many);
    let mut child = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(["check", ".", "--format", "text"])
        .current_dir(&dir)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{first}");
}

#[test]
fn a_module_is_judged_as_the_code_above_it_calls_it() {
    let dir = folder("check-module-folder");
    git(&dir, &["init", "-q"]);
    for module in ["disk", "idle"] {
        std::fs::create_dir_all(dir.join(module)).unwrap();
    }
    let volume = "variable \"safe\" {\n  default = true\n}\nresource \"aws_ebs_volume\" \"v\" {\n  availability_zone = \"eu-west-1a\"\n  size = 1\n  encrypted = var.safe\n}\n";
    write(&dir, "disk/main.tf", volume);
    write(&dir, "idle/main.tf", volume);
    write(
        &dir,
        "main.tf",
        "module \"disk\" {\n  source = \"./disk\"\n  safe = false\n}\nmodule \"idle\" {\n  source = \"./idle\"\n  count = 0\n}\n",
    );
    let verdicts = |target: &str, code: i32| -> Vec<(String, String)> {
        let rule = "aws.ec2.ebs-volume.encrypted";
        let rows = lines(&dir, &["check", target, "--check", rule, "--all", "--format", "jsonl"], code);
        let text = |row: &Json, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        rows.iter().map(|row| (text(row, "address"), text(row, "outcome"))).collect()
    };
    let called = [("module.disk.aws_ebs_volume.v".to_owned(), "fail".to_owned())];
    assert_eq!(verdicts(".", 1), called);
    assert_eq!(verdicts("disk", 1), called);
    // One that is called for nothing is judged by itself.
    assert_eq!(verdicts("idle", 0), [("aws_ebs_volume.v".to_owned(), "pass".to_owned())]);
}

#[test]
fn every_verdict_has_the_members_of_the_contract() {
    let dir = folder("check-contract");
    write(&dir, "main.tf", "module \"m\" {\n  source = \"./m\"\n  for_each = toset([\"a\"])\n}\n");
    std::fs::create_dir(dir.join("m")).unwrap();
    write(&dir.join("m"), "b.tf", "resource \"aws_s3_bucket\" \"x\" {\n  count = 2\n}\n");
    let rows = lines(&dir, &["check", ".", "--all", "--format", "jsonl"], 1);
    let own: Vec<&Json> = rows.iter().filter(|r| r["rule"] == json!(RULE)).collect();
    let addresses: Vec<&str> = own.iter().map(|r| r["address"].as_str().unwrap()).collect();
    assert_eq!(addresses, ["module.m[\"a\"].aws_s3_bucket.x[0]", "module.m[\"a\"].aws_s3_bucket.x[1]"]);
    let row = own[0];
    assert_eq!((&row["file"], &row["line"], &row["end_line"]), (&json!("m/b.tf"), &json!(1), &json!(3)));
    assert_eq!(row["module"], json!([{ "address": "module.m[\"a\"]", "file": "main.tf", "line": 1 }]));
    assert_eq!((&row["kind"], &row["outcome"]), (&json!("aws.s3.bucket"), &json!("fail")));
    assert!(row["aliases"]["checkov"].as_array().unwrap().contains(&json!("CKV_AWS_21")), "{row}");
    assert!(row["because"][0]["path"] == json!("versioning") && row["needs"].is_array(), "{row}");
    let mut outcomes: Vec<&str> = rows.iter().map(|r| r["outcome"].as_str().unwrap()).collect();
    outcomes.sort_unstable();
    outcomes.dedup();
    assert!(outcomes.contains(&"pass") && outcomes.contains(&"fail"), "{outcomes:?}");
    let keys: std::collections::BTreeSet<&str> = rows.iter().map(|r| r["fingerprint"].as_str().unwrap()).collect();
    assert_eq!(keys.len(), rows.len(), "a fingerprint is one finding's");
}

#[test]
fn each_block_has_a_row_and_no_finding_of_its_own() {
    let dir = folder("check-blocks");
    let listener = |name: &str, policy: &str| {
        format!(
            "resource \"aws_lb_listener\" \"{name}\" {{\n  load_balancer_arn = aws_lb.l.arn\n  protocol          = \"HTTPS\"\n  ssl_policy        = \"{policy}\"\n}}\n"
        )
    };
    let text = format!(
        "resource \"aws_lb\" \"l\" {{}}\n{}{}",
        listener("good", "ELBSecurityPolicy-TLS13-1-2-2021-06"),
        listener("old", "ELBSecurityPolicy-2016-08")
    );
    write(&dir, "main.tf", &text);
    let rule = "aws.elbv2.listener.strong-tls-policy";
    let all = lines(&dir, &["check", ".", "--check", rule, "--all", "--format", "jsonl"], 1);
    let rows: Vec<(String, String, Json)> =
        all.iter().map(|r| (r["address"].to_string(), r["outcome"].to_string(), r["block_of"].clone())).collect();
    let row = |address: &str, outcome: &str, of: Json| (json!(address).to_string(), json!(outcome).to_string(), of);
    assert_eq!(
        rows,
        [
            row("aws_lb.l", "fail", Json::Null),
            row("aws_lb_listener.good", "pass", json!("aws_lb.l")),
            row("aws_lb_listener.old", "fail", json!("aws_lb.l")),
        ]
    );
    let findings = lines(&dir, &["check", ".", "--check", rule, "--format", "jsonl"], 1);
    assert_eq!(findings.len(), 1, "one mistake is one finding");
}

/// P06: what is written inside of another block is found under that block's name too.
#[test]
fn what_is_written_in_another_block_has_its_row_there() {
    let dir = folder("check-written");
    let api = "Resources:\n  Shop:\n    Type: AWS::Serverless::Api\n    Properties: {StageName: prod, TracingEnabled: true}\n";
    write(&dir, "t.yaml", api);
    let all =
        lines(&dir, &["check", ".", "--check", "aws.apigateway.stage.xray-tracing", "--all", "--format", "jsonl"], 0);
    let rows: Vec<_> =
        all.iter().map(|r| (r["address"].clone(), r["outcome"].clone(), r["block_of"].clone())).collect();
    assert_eq!(
        rows,
        [(json!("ShopprodStage"), json!("pass"), Json::Null), (json!("Shop"), json!("pass"), json!("ShopprodStage")),]
    );
}

#[test]
fn code_show_prints_values_gaps_and_places() {
    let dir = folder("check-code");
    let source = "variable \"name\" {}\n\nvariable \"secret\" {\n  sensitive = true\n  default   = \"hush\"\n}\n\nresource \"aws_sqs_queue\" \"q\" {\n  name       = \"q-${1 + 1}\"\n  kms_master_key_id = var.name\n  policy = var.secret\n}\n";
    write(&dir, "main.tf", source);
    let rows = lines(&dir, &["code", "show", ".", "--format", "jsonl"], 0);
    let row = &rows[0];
    assert_eq!((&row["address"], &row["type"]), (&json!("aws_sqs_queue.q"), &json!("aws_sqs_queue")));
    assert_eq!(row["values"]["name"], json!("q-2"));
    assert_eq!(row["values"]["policy"], json!("(sensitive)"));
    let gap = &row["unknown"][0];
    assert_eq!((&gap["path"], &gap["expression"]), (&json!("kms_master_key_id"), &json!("var.name")), "{row}");
    assert_eq!(
        (&row["at"]["file"], &row["at"]["line"], &row["at"]["end_line"]),
        (&json!("main.tf"), &json!(8), &json!(12))
    );
    let name = row["fields"].as_array().unwrap().iter().find(|f| f["path"] == json!("name")).unwrap();
    assert_eq!((&name["at"]["line"], &name["at"]["column"]), (&json!(9), &json!(16)));
    assert!(!text(&plumb(&dir, &["code", "show", "."])).contains("hush"));
    let template =
        "Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !Sub '${AWS::StackName}-q'\n";
    write(&dir, "stack.yaml", template);
    let rows = lines(&dir, &["code", "show", "stack.yaml", "--format", "jsonl"], 0);
    assert_eq!((&rows[0]["address"], &rows[0]["dialect"]), (&json!("Q"), &json!("cloudformation")));
    exits(&dir, &["code", "show", "nowhere"], 2);
}

#[test]
fn formats_for_other_tools() {
    let dir = folder("check-formats");
    write(&dir, "a b.tf", &format!("# plumb:skip=aws.s3.bucket.tls-required only a test\n{BUCKET}"));
    let sarif = text(&exits(&dir, &["check", ".", "--all", "--format", "sarif"], 1));
    write(&dir, "out.sarif", &sarif);
    let json: Json = serde_json::from_str(&sarif).unwrap();
    let results = json["runs"][0]["results"].as_array().unwrap();
    assert!(results.iter().any(|r| r["suppressions"][0]["justification"] == json!("only a test")));
    let uri = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(uri, &json!("a%20b.tf"));
    let schema = root().join("../shared/schemas/sarif/sarif-2.1.0.schema.json");
    match python().filter(|_| schema.exists()) {
        None => eprintln!("skipped: SARIF against its schema (no Python environment or no ../shared/schemas)"),
        Some(python) => {
            let script = "import json, sys, jsonschema\nv = jsonschema.validators.validator_for(json.load(open(sys.argv[1])))(json.load(open(sys.argv[1])))\nerrors = [e.message[:300] for e in v.iter_errors(json.load(open(sys.argv[2])))]\nprint(errors)\nsys.exit(len(errors) > 0)";
            let out =
                Command::new(python).args(["-c", script]).arg(&schema).arg(dir.join("out.sarif")).output().unwrap();
            assert!(out.status.success(), "{}{}", text(&out), said(&out));
        }
    }
    // The fingerprints stay when lines move.
    let prints = |sarif: &str| -> Vec<String> {
        let json: Json = serde_json::from_str(sarif).unwrap();
        let all = json["runs"][0]["results"].as_array().unwrap().clone();
        let mut all: Vec<String> = all.iter().map(|r| r["partialFingerprints"].to_string()).collect();
        all.sort();
        all
    };
    write(&dir, "a b.tf", &format!("\n\n\n# plumb:skip=aws.s3.bucket.tls-required only a test\n{BUCKET}"));
    assert_eq!(prints(&text(&exits(&dir, &["check", ".", "--all", "--format", "sarif"], 1))), prints(&sarif));

    let junit = text(&exits(&dir, &["check", ".", "--check", RULE, "--format", "junit"], 1));
    let doc = roxmltree::Document::parse(&junit).unwrap();
    assert_eq!(doc.root_element().attribute("failures"), Some("1"));
    let case = doc.descendants().find(|n| n.has_tag_name("testcase")).unwrap();
    assert_eq!((case.attribute("name"), case.attribute("file")), (Some(RULE), Some("a b.tf")));
    let github = text(&exits(&dir, &["check", ".", "--check", RULE, "--format", "github"], 1));
    assert!(github.starts_with("::warning file=a b.tf,line=5,endLine=7,title=aws.s3.bucket.versioning::"), "{github}");
    let gitlab: Json =
        serde_json::from_str(&text(&exits(&dir, &["check", ".", "--check", RULE, "--format", "gitlab"], 1))).unwrap();
    let one = &gitlab[0];
    assert_eq!((&one["check_name"], &one["severity"]), (&json!(RULE), &json!("major")));
    assert!(one["fingerprint"].as_str().unwrap().len() >= 32 && one["location"]["lines"]["begin"] == json!(5), "{one}");
    let markdown = text(&exits(&dir, &["check", ".", "--check", RULE, "--format", "markdown"], 1));
    assert!(markdown.contains("1 finding") && markdown.contains("`aws_s3_bucket.data`"), "{markdown}");
    let compact = text(&exits(&dir, &["check", ".", "--check", RULE, "--compact", "--format", "text"], 1));
    let first = compact.lines().next().unwrap();
    assert_eq!(first, "a b.tf:5: medium: aws_s3_bucket.data: Buckets keep versions [aws.s3.bucket.versioning]");
    let long = text(&exits(&dir, &["check", ".", "--check", RULE, "--format", "text"], 1));
    assert!(long.contains("5 | resource \"aws_s3_bucket\" \"data\" {") && long.contains("^^^^"), "{long}");
    assert!(long.contains("why: versioning is not set") || long.contains("why: versioning is false"), "{long}");
}

fn git(dir: &Path, args: &[&str]) {
    let out = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-C"])
        .arg(dir)
        .args(args)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", said(&out));
}

#[test]
fn only_what_a_change_introduces() {
    let dir = folder("check-new");
    git(&dir, &["init", "-q", "-b", "main"]);
    write(&dir, "main.tf", BUCKET);
    git(&dir, &["add", "-A"]);
    git(&dir, &["commit", "-qm", "one"]);
    exits(&dir, &["check", ".", "--check", RULE], 1);
    exits(&dir, &["check", ".", "--check", RULE, "--new-since", "main"], 0);
    // Moved down, and a second one beside it.
    write(&dir, "main.tf", &format!("# a comment\n{BUCKET}{}", BUCKET.replace("data", "logs")));
    let rows = lines(&dir, &["check", ".", "--check", RULE, "--new-since", "main", "--format", "jsonl"], 1);
    let new: Vec<&Json> = rows.iter().map(|r| &r["address"]).collect();
    assert_eq!(new, [&json!("aws_s3_bucket.logs")]);
    // A baseline says the same without git.
    exits(&dir, &["check", ".", "--check", RULE, "--create-baseline", "known.json"], 0);
    exits(&dir, &["check", ".", "--check", RULE, "--baseline", "known.json"], 0);
    write(&dir, "more.tf", &BUCKET.replace("data", "more"));
    let rows = lines(&dir, &["check", ".", "--check", RULE, "--baseline", "known.json", "--format", "jsonl"], 1);
    assert_eq!(rows.len(), 1);
    exits(&dir, &["check", ".", "--new-since", "no-such-branch"], 2);
}

/// P05, P06: on odd bases too: installed modules, ignored values, renames, submodules, skips that went, commits that are not there.
#[test]
fn odd_bases_make_nothing_new_and_hide_nothing() {
    const QUEUE: &str = "resource \"aws_sqs_queue\" \"q\" {\n  sqs_managed_sse_enabled = false\n}\n";
    const STACK: &str =
        "Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      SqsManagedSseEnabled: false\n";
    let sub = folder("check-odd-sub");
    git(&sub, &["init", "-q", "-b", "main"]);
    write(&sub, "s.tf", QUEUE);
    git(&sub, &["add", "-A"]);
    git(&sub, &["commit", "-qm", "sub"]);
    let dir = folder("check-odd");
    git(&dir, &["init", "-q", "-b", "main"]);
    write(&dir, ".gitignore", ".terraform/\n*.tfvars\n");
    std::fs::create_dir_all(dir.join("env/.terraform/modules/v")).unwrap();
    let call = |version: &str| {
        format!(
            "module \"v\" {{\n  source  = \"acme/thing/aws\"\n  version = \"{version}\"\n}}\nvariable \"sse\" {{}}\n"
        ) + &QUEUE.replace("false", "var.sse")
    };
    let installed = |at: &str, version: &str| {
        let modules = json!({ "Modules": [{ "Key": "v", "Source": "registry.terraform.io/acme/thing/aws", "Version": version,
                                            "Dir": ".terraform/modules/v" }] });
        write(&dir, &format!("{at}/.terraform/modules/modules.json"), &modules.to_string());
    };
    write(&dir, "env/main.tf", &call("1.0.0"));
    write(&dir, "stack.yaml", STACK);
    git(&dir, &["-c", "protocol.file.allow=always", "submodule", "add", "-q", &sub.display().to_string(), "sub"]);
    git(&dir, &["add", "-A"]);
    git(&dir, &["commit", "-qm", "one"]);
    // What `terraform init` installs, and what is ignored, is no part of a change.
    installed("env", "1.0.0");
    write(&dir, "env/.terraform/modules/v/m.tf", QUEUE);
    write(&dir, "env/terraform.tfvars", "sse = false\n");
    let rule: &[&str] = &["--check", "aws.sqs.queue.encrypted", "--format", "jsonl"];
    let all = |path: &str, code: i32| lines(&dir, &[&["check", path], rule].concat(), code).len();
    let new =
        |path: &str, code: i32| lines(&dir, &[&["check", path, "--new-since", "main"], rule].concat(), code).len();
    assert_eq!((all(".", 1), new(".", 0)), (4, 0));
    // Another version is: what it declares was not there.
    write(&dir, "env/main.tf", &call("2.0.0"));
    let out = exits(&dir, &["check", "env", "--fail-on", "critical"], 3);
    assert!(said(&out).contains("2.0.0 is not on disk"), "{}", said(&out));
    installed("env", "2.0.0");
    assert_eq!(new(".", 1), 1);
    write(&dir, "env/main.tf", &call("1.0.0"));
    installed("env", "1.0.0");
    // Renamed templates and folders keep their findings.
    git(&dir, &["mv", "stack.yaml", "other.yaml"]);
    git(&dir, &["mv", "env", "live"]);
    assert_eq!((new(".", 0), new("other.yaml", 0), new("live", 0)), (0, 0, 0));
    git(&dir, &["reset", "-q", "--hard"]);
    // A skip that went away leaves a finding that was not open before.
    write(&dir, "stack.yaml", &STACK.replace("  Q:", "  # plumb:skip=aws.sqs.queue.encrypted a test\n  Q:"));
    git(&dir, &["commit", "-qam", "skipped"]);
    write(&dir, "stack.yaml", STACK);
    assert_eq!(new("stack.yaml", 1), 1);
    let blind = [&["check", "stack.yaml", "--new-since", "main", "--ignore-inline"], rule].concat();
    assert!(lines(&dir, &blind, 0).is_empty());
    // No commit, or a tree.
    for wrong in ["origin/main", "main:env", "", "-x"] {
        let out = exits(&dir, &["check", ".", &format!("--new-since={wrong}")], 2);
        assert!(said(&out).contains("no commit is called so"), "{wrong}: {}", said(&out));
    }
}

/// P02: a document that only something unknown uses is judged by itself; otherwise as the policy of what uses it. What bounds
/// other policies gives nothing.
#[test]
fn documents_that_nothing_known_uses_are_judged_by_themselves() {
    let dir = folder("check-documents");
    let user = |type_: &str, name: &str, attribute: &str| {
        format!(
            "data \"aws_iam_policy_document\" \"{name}\" {{\n  statement {{\n    actions   = [\"*\"]\n    resources = [\"*\"]\n  }}\n}}\n\
             resource \"{type_}\" \"{name}\" {{\n  {attribute} = data.aws_iam_policy_document.{name}.json\n}}\n"
        )
    };
    let code = [
        user("aws_iam_policy", "known", "policy"),
        user("aws_iot_thing_policy", "unknown", "document"),
        user("aws_organizations_policy", "bound", "content"),
    ];
    write(&dir, "main.tf", &code.concat());
    // Another root has documents of the same name.
    std::fs::create_dir_all(dir.join("other")).unwrap();
    write(&dir, "other/main.tf", &user("aws_iam_policy", "unknown", "policy"));
    let rows = lines(&dir, &["check", ".", "--fail-on", "high", "--format", "jsonl"], 1);
    let about_all = |r: &&Json| {
        let ids = r["aliases"]["checkov"].as_array();
        ids.is_some_and(|ids| ids.contains(&json!("CKV_AWS_1")) || ids.contains(&json!("CKV_AWS_62")))
    };
    let rows: Vec<&Json> = rows.iter().filter(about_all).collect();
    let mut found: Vec<String> =
        rows.iter().map(|r| format!("{} {}", r["file"], r["address"]).replace('"', "")).collect();
    found.sort();
    found.dedup();
    let wanted = [
        "main.tf aws_iam_policy.known",
        "main.tf data.aws_iam_policy_document.unknown",
        "other/main.tf aws_iam_policy.unknown",
    ];
    assert_eq!(found, wanted);
}

/// P05: what code says it calls otherwise since is no new finding, beside a commit and beside a baseline; in a plan likewise.
#[test]
fn what_moved_is_not_new() {
    let rule: &[&str] = &["--check", "aws.sqs.queue.encrypted", "--format", "jsonl"];
    let queue = |name: &str, more: &str| {
        format!("resource \"aws_sqs_queue\" \"{name}\" {{\n  {more}sqs_managed_sse_enabled = false\n}}\n")
    };
    let call = |name: &str| format!("module \"{name}\" {{\n  source = \"./m\"\n}}\n");
    let moved = |from: &str, to: &str| format!("moved {{\n  from = {from}\n  to   = {to}\n}}\n");
    let dir = folder("check-moved");
    git(&dir, &["init", "-q", "-b", "main"]);
    std::fs::create_dir_all(dir.join("m")).unwrap();
    write(&dir, "main.tf", &(queue("a", "") + &queue("b", "count = 2\n  ") + &call("x")));
    write(&dir, "m/q.tf", &queue("inner", ""));
    git(&dir, &["add", "-A"]);
    git(&dir, &["commit", "-qm", "one"]);
    exits(&dir, &[&["check", ".", "--create-baseline", "known.json"], rule].concat(), 0);
    let code = queue("c", "") + &queue("b", "for_each = toset([\"p\", \"q\"])\n  ") + &call("y") + &queue("new", "");
    write(&dir, "m/q.tf", &queue("within", ""));
    write(&dir, "main.tf", &code);
    let new = |how: &[&str]| {
        let rows = lines(&dir, &[&["check", "."], how, rule].concat(), 1);
        rows.iter().map(|r| r["address"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let (commit, baseline) = (["--new-since", "main"], ["--baseline", "known.json"]);
    assert_eq!(new(&commit).len(), 5);
    let moves = moved("aws_sqs_queue.a", "aws_sqs_queue.between")
        + &moved("aws_sqs_queue.between", "aws_sqs_queue.c")
        + &moved("aws_sqs_queue.b[0]", "aws_sqs_queue.b[\"p\"]")
        + &moved("aws_sqs_queue.b[1]", "aws_sqs_queue.b[\"q\"]")
        + &moved("module.x", "module.y");
    write(&dir, "main.tf", &(code + &moves));
    write(&dir, "m/q.tf", &(queue("within", "") + &moved("aws_sqs_queue.inner", "aws_sqs_queue.within")));
    assert_eq!(new(&commit), ["aws_sqs_queue.new"]);
    assert_eq!(new(&baseline), ["aws_sqs_queue.new"]);
    // JSON says the same, and a plan tells what it found to have moved.
    std::fs::remove_file(dir.join("main.tf")).unwrap();
    std::fs::remove_dir_all(dir.join("m")).unwrap();
    let json = json!({ "resource": { "aws_sqs_queue": { "c": { "sqs_managed_sse_enabled": false }, "new": { "sqs_managed_sse_enabled": false } } },
                       "moved": [{ "from": "aws_sqs_queue.a", "to": "aws_sqs_queue.c" }] });
    write(&dir, "main.tf.json", &json.to_string());
    assert_eq!(new(&commit), ["aws_sqs_queue.new"]);
    std::fs::remove_file(dir.join("main.tf.json")).unwrap();
    let change = |name: &str, before: Option<&str>| {
        json!({ "address": format!("aws_sqs_queue.{name}"), "previous_address": before, "mode": "managed", "type": "aws_sqs_queue",
                "name": name, "provider_name": "registry.terraform.io/hashicorp/aws",
                "change": { "actions": ["no-op"], "after": { "sqs_managed_sse_enabled": false } } })
    };
    let plan =
        |changes: Json| json!({ "format_version": "1.2", "terraform_version": "1.11.0", "resource_changes": changes });
    write(&dir, "plan.json", &plan(json!([change("a", None)])).to_string());
    exits(&dir, &[&["check", "plan.json", "--create-baseline", "plan-known.json"], rule].concat(), 0);
    write(&dir, "plan.json", &plan(json!([change("c", Some("aws_sqs_queue.a")), change("new", None)])).to_string());
    let rows = lines(&dir, &[&["check", "plan.json", "--baseline", "plan-known.json"], rule].concat(), 1);
    assert_eq!(rows.iter().map(|r| &r["address"]).collect::<Vec<_>>(), [&json!("aws_sqs_queue.new")]);
}

#[test]
fn settings_come_from_a_file_and_frameworks_narrow() {
    let dir = folder("check-config");
    write(&dir, "main.tf", BUCKET);
    write(
        &dir,
        "plumb.toml",
        "[check]\nchecks = [\"aws.s3.bucket.versioning\"]\nfail_on = \"critical\"\ncompact = true\n",
    );
    let out = exits(&dir, &["check", ".", "--format", "text"], 0);
    assert!(text(&out).starts_with("main.tf:1: medium"), "{}", text(&out));
    exits(&dir, &["check", ".", "--fail-on", "low"], 1);
    write(&dir, "plumb.toml", "[check]\nfail_onn = \"low\"\n");
    let out = exits(&dir, &["check", "."], 2);
    assert!(said(&out).contains("line 2: unknown field `fail_onn`"), "{}", said(&out));
    for (params, want) in [
        ("[params.\"aws.sqs.queue.nope\"]\ndays = 1\n", "no rule is called so"),
        ("[params.\"aws.s3.bucket.versioning\"]\ndays = 1\n", "no parameter `days`; it has none"),
        ("[params.\"aws.iam.user.access-key-rotated\"]\nmax_age_days = \"x\"\n", "has to be like 90"),
    ] {
        write(&dir, "plumb.toml", params);
        let out = exits(&dir, &["check", "."], 2);
        assert!(said(&out).contains(want), "{params}: {}", said(&out));
    }
    std::fs::remove_file(dir.join("plumb.toml")).unwrap();
    let out = exits(&dir, &["check", ".", "--check", RULE, "--var", "nosuch=1"], 1);
    assert!(said(&out).contains("`nosuch` is of no use"), "{}", said(&out));
    let all = lines(&dir, &["check", ".", "--all", "--format", "jsonl"], 1).len();
    let some = lines(&dir, &["check", ".", "--all", "--framework", "cis_aws_6.0", "--format", "jsonl"], 1).len();
    assert!(0 < some && some < all, "{some} of {all}");
}

#[test]
fn a_plan_comes_through_standard_input() {
    let dir = folder("check-plan");
    let plan = json!({
        "format_version": "1.2", "terraform_version": "1.11.0",
        "planned_values": { "root_module": { "resources": [{
            "address": "aws_sqs_queue.q", "mode": "managed", "type": "aws_sqs_queue", "name": "q",
            "provider_name": "registry.terraform.io/hashicorp/aws", "values": { "name": "q", "sqs_managed_sse_enabled": false } }] } },
        "resource_changes": [{ "address": "aws_sqs_queue.q", "mode": "managed", "type": "aws_sqs_queue", "name": "q",
            "change": { "actions": ["create"], "before": null, "after": { "name": "q", "sqs_managed_sse_enabled": false },
                        "after_unknown": { "arn": true }, "after_sensitive": {} } }],
        "configuration": { "root_module": {} }
    });
    let run = |input: &str, code: i32| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_plumb"))
            .args(["check", "-", "--all", "--check", "aws.sqs.queue.encrypted", "--format", "jsonl"])
            .current_dir(&dir)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        assert_eq!(out.status.code(), Some(code), "{}{}", text(&out), said(&out));
        text(&out)
    };
    let row: Json = serde_json::from_str(run(&plan.to_string(), 1).trim()).unwrap();
    assert_eq!((&row["address"], &row["outcome"]), (&json!("aws_sqs_queue.q"), &json!("fail")));
    assert_eq!(run("not a plan", 2), "");
    // A plan that ended with an error lacks what came after it.
    run(&json!({ "format_version": "1.2", "errored": true, "planned_values": { "root_module": {} } }).to_string(), 3);
    // What `cdk synth` prints is read too.
    let queue = "Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties: {SqsManagedSseEnabled: false}\n";
    assert!(run(queue, 1).contains("\"address\":\"Q\""));
    // As is a pipe with a name: `plumb check <(terraform show -json p.bin)`.
    let pipe = dir.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let to = pipe.clone();
    let writer = std::thread::spawn(move || std::fs::write(to, plan.to_string()).unwrap());
    let rows = lines(&dir, &["check", "pipe", "--check", "aws.sqs.queue.encrypted", "--format", "jsonl"], 1);
    writer.join().unwrap();
    assert_eq!(rows[0]["address"], json!("aws_sqs_queue.q"));
}

#[test]
fn skips_need_a_reason_and_become_requests() {
    let dir = folder("check-skips");
    let skipped = |comment: &str| format!("{comment}\n{BUCKET}");
    write(&dir, "main.tf", &skipped("#checkov:skip=CKV_AWS_21:rebuilt from source every night"));
    let check: &[&str] = &["check", ".", "--check", RULE];
    exits(&dir, check, 0);
    exits(&dir, &[check, &["--ignore-inline"]].concat(), 1);
    exits(&dir, &[check, &["--ignore-inline", "--record"]].concat(), 2);
    let out = exits(&dir, &[check, &["--record"]].concat(), 0);
    assert!(said(&out).contains("1 new exception request"), "{}", said(&out));
    let drafts = lines(&dir, &["exceptions", "drafts", "--format", "jsonl"], 0);
    assert_eq!(drafts.len(), 1);
    let draft = &drafts[0]["draft"];
    assert_eq!(draft["justification"], json!("rebuilt from source every night"));
    assert!(draft.to_string().contains(RULE) && draft.to_string().contains("main.tf"), "{draft}");
    // The same skip again is the same request; the log can be verified.
    exits(&dir, &[check, &["--record"]].concat(), 0);
    assert_eq!(lines(&dir, &["exceptions", "drafts", "--format", "jsonl"], 0).len(), 1);
    exits(&dir, &["audit", "verify"], 0);
    for (comment, want) in [
        ("# plumb:skip=aws.s3.bucket.versioning", "gives no reason"),
        ("# trivy:ignore:AVD-AWS-0090", "gives no reason"),
        ("# kics-scan ignore-block", "gives no reason"),
        ("# kics-scan disable=568a4d22-3517-44a6-a7ad-6a7eed88722c", "gives no reason"),
    ] {
        write(&dir, "main.tf", &skipped(comment));
        let out = exits(&dir, check, 1);
        assert!(said(&out).contains(want), "{comment}: {}", said(&out));
    }
    for comment in [
        "# cortex:skip=CKV_AWS_21:rebuilt every night",
        "# trivy:ignore:AWS-0090 rebuilt every night",
        "# trivy:ignore:aws-s3-* rebuilt every night",
        "# tfsec:ignore:aws-s3-enable-versioning rebuilt every night",
    ] {
        write(&dir, "main.tf", &skipped(comment));
        exits(&dir, check, 0);
    }
    write(&dir, "main.tf", &skipped("# plumb:skip=aws.s3.bucket.mfa-delete not here"));
    let out = exits(&dir, check, 1);
    assert!(
        said(&out).contains("main.tf:1: the skip of aws.s3.bucket.mfa-delete matches no finding"),
        "{}",
        said(&out)
    );
    let whole: Json = serde_json::from_str(&text(&out)).unwrap();
    assert_eq!(whole["idle_skips"][0]["line"], json!(1), "{whole}");
}

/// R13, P04: skips are understood wherever they may stand, with their limits, and none is passed over.
#[test]
fn skips_hold_where_and_as_long_as_they_say() {
    const QUEUE: &str =
        "resource \"aws_sqs_queue\" \"q\" {\n  name = \"orders\"\n  sqs_managed_sse_enabled = false\n}\n";
    let dir = folder("check-skip-limits");
    std::fs::create_dir(dir.join("m")).unwrap();
    write(&dir, "m/m.tf", QUEUE);
    let check: &[&str] = &["check", ".", "--check", "aws.sqs.queue.encrypted", "--now", "2026-06-01T00:00:00Z"];
    let call = |inside: &str| format!("module \"m\" {{\n  {inside}\n  source = \"./m\"\n}}\n");
    for (text, code, want) in [
        // At the call of a module: about everything in it.
        (format!("# trivy:ignore:AVD-AWS-0096 a test\n{}", call("")), 0, ""),
        (call("# checkov:skip=CKV_AWS_27:a test"), 0, ""),
        (format!("# kics-scan ignore-block: a test\n{}", call("")), 0, ""),
        (call("# plumb:skip=aws.sqs.queue.encrypted"), 1, "gives no reason and is not applied"),
        // At nothing.
        (
            format!("# plumb:skip=aws.sqs.queue.encrypted a test\n\n{}", call("")),
            1,
            "main.tf:1: the skip of aws.sqs.queue.encrypted stands at no resource",
        ),
        (format!("# kics-scan ignore\n\n{}", call("")), 1, "main.tf:1: the skip of all rules stands at no resource"),
    ] {
        write(&dir, "main.tf", &text);
        let out = exits(&dir, check, code);
        assert!(said(&out).contains(want) && said(&out).is_empty() == want.is_empty(), "{text}: {}", said(&out));
    }
    std::fs::remove_dir_all(dir.join("m")).unwrap();
    for (comment, code, want) in [
        ("#tfsec:ignore:aws-sqs-enable-queue-encryption:exp:2026-06-02 a test", 0, ""),
        (
            "#tfsec:ignore:aws-sqs-enable-queue-encryption:exp:2026-06-01 a test",
            1,
            "ended on 2026-06-01 and is not applied",
        ),
        ("#trivy:ignore:AVD-AWS-0096:exp:soon a test", 1, "is no day"),
        ("#trivy:ignore:AVD-AWS-0096[name=orders] a test", 0, ""),
        ("#trivy:ignore:AVD-AWS-0096[name=others] a test", 1, "matches no finding"),
        ("#trivy:ignore:AVD-AWS-0096:ws:production a test", 1, "is limited to `ws:production`"),
        ("# plumb:skip=aws.sqs.queue.dlq, aws.sqs.queue.encrypted a test", 0, ""),
        ("# plumb:skip=aws.sqs.queue.encripted a test", 1, "no rule is called so"),
    ] {
        write(&dir, "main.tf", &format!("{comment}\n{QUEUE}"));
        let out = exits(&dir, check, code);
        assert!(said(&out).contains(want) && said(&out).is_empty() == want.is_empty(), "{comment}: {}", said(&out));
    }
    std::fs::remove_file(dir.join("main.tf")).unwrap();
    let json = json!({ "resource": { "aws_sqs_queue": { "q": {
        "//": "plumb:skip=aws.sqs.queue.encrypted a test", "sqs_managed_sse_enabled": false } } } });
    write(&dir, "main.tf.json", &json.to_string());
    exits(&dir, check, 0);
}

/// What a fake host of reviews holds, and what it was asked.
#[derive(Default)]
struct Held {
    comments: Vec<(u64, String)>,
    asked: Vec<(String, String, String)>,
    refuse: bool,
}

/// A fake of the comment endpoints of GitHub and GitLab. It pages, and answers only to the right token.
fn reviews(token: &'static str) -> (String, Arc<Mutex<Held>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let held = Arc::new(Mutex::new(Held::default()));
    let shared = Arc::clone(&held);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut first, mut length, mut allowed) = (String::new(), 0, false);
            reader.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let Some((name, value)) = line.trim().split_once(": ") else { break };
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.parse().unwrap(),
                    "authorization" => allowed |= value == format!("Bearer {token}"),
                    "private-token" => allowed |= value == token,
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let words: Vec<&str> = first.split(' ').collect();
            let (method, path) = (words[0], words[1]);
            let text = serde_json::from_slice::<Json>(&body).ok().and_then(|b| b["body"].as_str().map(str::to_owned));
            let mut held = shared.lock().unwrap();
            held.asked.push((method.to_owned(), path.to_owned(), text.clone().unwrap_or_default()));
            let (status, answer) = if !allowed || held.refuse {
                (403, json!({ "message": format!("token {token} may not write") }))
            } else if method == "GET" {
                let page: usize = path.rsplit("page=").next().unwrap().parse().unwrap();
                let rows = held.comments.iter().skip((page - 1) * 100).take(100);
                (200, rows.map(|(id, body)| json!({ "id": id, "body": body })).collect())
            } else if method == "POST" {
                let id = 1000 + held.comments.len() as u64;
                held.comments.push((id, text.unwrap()));
                (201, json!({ "id": id }))
            } else {
                let id: u64 = path.rsplit('/').next().unwrap().parse().unwrap();
                match held.comments.iter_mut().find(|(known, _)| *known == id) {
                    Some((_, body)) => {
                        *body = text.unwrap();
                        (200, json!({ "id": id }))
                    }
                    None => (404, json!({ "message": "Not Found" })),
                }
            };
            let answer = answer.to_string();
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                answer.len()
            );
            stream.write_all((head + &answer).as_bytes()).unwrap();
        }
    });
    (address, held)
}

#[test]
fn a_request_gets_one_comment_that_is_updated() {
    const TOKEN: &str = "s3cr3t-t0ken-of-nobody";
    let dir = folder("check-comment");
    let event = write(&dir, "event.json", "{\"pull_request\": {\"number\": 7}}");
    for host in ["github", "gitlab"] {
        let (address, held) = reviews(TOKEN);
        // Others talk too: ours is on the second page.
        held.lock().unwrap().comments = (0..130).map(|n| (n, format!("comment {n}"))).collect();
        let run = |code: i32, token: &str| {
            let out = Command::new(env!("CARGO_BIN_EXE_plumb"))
                .args(["check", ".", "--check", RULE, "--pr-comment", host])
                .current_dir(&dir)
                .env_remove("GITHUB_REF")
                .env("GITHUB_API_URL", &address)
                .env("GITHUB_REPOSITORY", "northwind/infra")
                .env("GITHUB_EVENT_PATH", &event)
                .env("GITHUB_TOKEN", token)
                .env("CI_API_V4_URL", format!("{address}/api/v4"))
                .env("CI_PROJECT_ID", "42")
                .env("CI_MERGE_REQUEST_IID", "7")
                .env("GITLAB_TOKEN", token)
                .output()
                .unwrap();
            assert_eq!(out.status.code(), Some(code), "{}{}", text(&out), said(&out));
            assert!(!(text(&out) + &said(&out)).contains(TOKEN), "the token is shown: {}", said(&out));
            said(&out)
        };
        write(&dir, "main.tf", BUCKET);
        assert!(run(1, TOKEN).contains("commented on the request"));
        let posted = held.lock().unwrap().asked.last().cloned().unwrap();
        let want = match host {
            "github" => "/repos/northwind/infra/issues/7/comments",
            _ => "/api/v4/projects/42/merge_requests/7/notes",
        };
        assert_eq!((posted.0.as_str(), posted.1.as_str()), ("POST", want));
        assert!(posted.2.contains("Buckets keep versions") && posted.2.contains("main.tf:1"), "{}", posted.2);
        assert!(posted.2.contains("How to fix") && posted.2.contains("status = \"Enabled\""), "{}", posted.2);
        // P07: the lines are those of this very code, as `--fix` would write them.
        let lines = "`main.tf`:\n```diff\n+\n+resource \"aws_s3_bucket_versioning\" \"data\" {\n+  bucket = aws_s3_bucket.data.id\n";
        assert!(posted.2.contains(lines), "{}", posted.2);
        assert!(run(1, TOKEN).contains("says this already"));
        write(&dir, "main.tf", &format!("{BUCKET}{KEEPS}"));
        assert!(run(0, TOKEN).contains("updated the comment"));
        let changed = held.lock().unwrap().asked.last().cloned().unwrap();
        let (method, path) = if host == "github" {
            ("PATCH", "/repos/northwind/infra/issues/comments/1130")
        } else {
            ("PUT", "/api/v4/projects/42/merge_requests/7/notes/1130")
        };
        assert_eq!((changed.0.as_str(), changed.1.as_str()), (method, path));
        assert!(changed.2.contains("no findings"), "{}", changed.2);
        assert_eq!(held.lock().unwrap().comments.len(), 131, "one comment of ours");
        // A refusal is told with what would be right, and without the token even where the host echoes it.
        held.lock().unwrap().refuse = true;
        let refused = run(4, TOKEN);
        assert!(refused.contains("403") && refused.contains("the token needs"), "{refused}");
        write(&dir, "main.tf", BUCKET);
        run(1, TOKEN);
        assert!(run(1, "").contains("_TOKEN"), "an unset variable is named");
    }
}

#[test]
fn what_is_said_about_a_resource_of_another_stack_is_judged() {
    let dir = folder("check-elsewhere");
    let policy = "resource \"aws_sqs_queue_policy\" \"p\" {\n  queue_url = var.queue\n  policy    = jsonencode({ Statement = [{ Effect = \"Allow\", Principal = \"*\", Action = \"sqs:*\", Resource = \"*\" }] })\n}\nvariable \"queue\" {}\n";
    write(&dir, "main.tf", policy);
    let found = lines(&dir, &["check", ".", "--all", "--format", "jsonl"], 1);
    let outcome =
        |rule: &str| found.iter().find(|v| v["rule"] == rule).map(|v| (v["address"].clone(), v["outcome"].clone()));
    assert_eq!(outcome("aws.sqs.queue.not-public"), Some((json!("aws_sqs_queue_policy.p"), json!("fail"))));
    assert_eq!(outcome("aws.sqs.queue.encrypted"), None, "a policy says nothing about encryption");
}

#[test]
fn rows_of_lines_are_those_of_the_list() {
    let dir = folder("check-rows");
    // Unknown values, escapes, a module, a skip with a reason, a policy of its own and blocks that say something about another.
    let module = "variable \"name\" {}\nresource \"aws_sqs_queue\" \"in\" {\n  name = var.name\n}\n";
    std::fs::create_dir_all(dir.join("queue")).unwrap();
    write(&dir, "queue/main.tf", module);
    let code = format!(
        "{BUCKET}{KEEPS}\nvariable \"key\" {{}}\nmodule \"queue\" {{\n  source = \"./queue\"\n  name   = \"a \\\"b\\\" – c\\\\d\"\n}}\n\
         resource \"aws_s3_bucket\" \"other\" {{\n  # plumb:skip=aws.s3.bucket.versioning kept \"elsewhere\"\n  bucket = var.key\n}}\n\
         resource \"aws_s3_bucket_policy\" \"data\" {{\n  bucket = aws_s3_bucket.data.id\n  policy = jsonencode({{ Version = \"2012-10-17\", Statement = [{{ Effect = \"Allow\", Principal = \"*\", Action = \"s3:GetObject\", Resource = \"*\" }}] }})\n}}\n\
         resource \"aws_security_group\" \"open\" {{\n  description = \"tab\\there\"\n  ingress {{\n    from_port = 22\n    to_port = 22\n    protocol = \"tcp\"\n    cidr_blocks = [\"0.0.0.0/0\"]\n  }}\n}}\n"
    );
    write(&dir, "main.tf", &code);
    for more in [&[][..], &["--all"], &["--framework", "cis_aws_6.0", "--all"]] {
        let with = |format: &'static str| [&["check", ".", "--format", format], more].concat();
        let list = text(&exits(&dir, &with("json"), 1));
        let list: Json = serde_json::from_str(&list).unwrap();
        let list: Vec<String> = list["verdicts"].as_array().unwrap().iter().map(Json::to_string).collect();
        let rows = text(&exits(&dir, &with("jsonl"), 1));
        assert!(!list.is_empty() && rows.lines().eq(list.iter().map(String::as_str)), "{more:?}");
    }
    // What passes is counted where it is not shown.
    let summary = |args: &[&str]| -> Json {
        serde_json::from_str::<Json>(&text(&exits(&dir, args, 1))).unwrap()["summary"]["outcomes"].clone()
    };
    let shown = summary(&["check", ".", "--format", "json"]);
    assert_eq!(shown, summary(&["check", ".", "--format", "json", "--all"]));
    assert!(shown["pass"].as_u64() > Some(0) && shown["skipped"] == 1, "{shown}");
}
