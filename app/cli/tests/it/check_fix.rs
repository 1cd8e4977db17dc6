//! `plumb check --fix` and `--diff`: the smallest change, where it is safe, and nothing else.

use crate::machine::{folder, plumb, write};
use serde_json::json;
use std::{fs, path::Path, process::Command};

#[track_caller]
fn fixed(name: &str, file: &str, rules: &str, before: &str, after: &str) {
    let dir = folder(&format!("fix-{name}"));
    write(&dir, file, before);
    // First only shown: nothing is written, and the diff is what `git apply` takes.
    let shown = plumb(&dir, &["check", ".", "--check", rules, "--diff"]);
    assert_eq!(shown.status.code(), Some(1), "{}", String::from_utf8_lossy(&shown.stderr));
    assert_eq!(fs::read_to_string(dir.join(file)).unwrap(), before, "--diff wrote");
    let applied = dir.join("applied");
    fs::create_dir(&applied).unwrap();
    write(&applied, file, before);
    fs::write(applied.join("p.diff"), &shown.stdout).unwrap();
    let git = Command::new("git")
        .args(["apply", "--unsafe-paths", "p.diff"])
        .env("GIT_CEILING_DIRECTORIES", &dir)
        .current_dir(&applied)
        .output()
        .unwrap();
    assert!(
        git.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&git.stderr),
        String::from_utf8_lossy(&shown.stdout)
    );
    assert_eq!(fs::read_to_string(applied.join(file)).unwrap(), after, "{}", String::from_utf8_lossy(&shown.stdout));
    fs::remove_dir_all(&applied).unwrap();
    // Then written: what is left is judged.
    let out = plumb(&dir, &["check", ".", "--check", rules, "--fix"]);
    assert_eq!(fs::read_to_string(dir.join(file)).unwrap(), after, "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let again = plumb(&dir, &["check", ".", "--check", rules, "--diff"]);
    assert_eq!((again.status.code(), again.stdout.as_slice()), (Some(0), b"" as &[u8]));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing else is left behind");
}

#[test]
fn comments_and_alignment_stay() {
    fixed(
        "hcl",
        "main.tf",
        "aws.sqs.queue.encrypted",
        "# orders\nresource \"aws_sqs_queue\" \"orders\" {\n  name                    = \"orders\" # the name\n  sqs_managed_sse_enabled = false    # why?\n\n  tags = { team = \"shop\" }\n}\n",
        "# orders\nresource \"aws_sqs_queue\" \"orders\" {\n  name                    = \"orders\" # the name\n  sqs_managed_sse_enabled = true    # why?\n\n  tags = { team = \"shop\" }\n}\n",
    );
}

#[test]
fn a_setting_of_its_own_resource_is_added_beside_it() {
    fixed(
        "carrier",
        "main.tf",
        "aws.s3.bucket.versioning",
        "resource \"aws_s3_bucket\" \"data\" {\n  bucket = \"nw-data\"\n}\n",
        "resource \"aws_s3_bucket\" \"data\" {\n  bucket = \"nw-data\"\n}\n\nresource \"aws_s3_bucket_versioning\" \"data\" {\n  bucket = aws_s3_bucket.data.id\n\n  versioning_configuration {\n    status = \"Enabled\"\n  }\n}\n",
    );
}

#[test]
fn templates_keep_their_style() {
    fixed(
        "yaml",
        "stack.yaml",
        "aws.s3.bucket.versioning",
        "Resources:\n  # holds reports\n  Data:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: nw-data # named\n\n  Other:\n    Type: AWS::SNS::Topic\n",
        "Resources:\n  # holds reports\n  Data:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: nw-data # named\n      VersioningConfiguration:\n        Status: Enabled\n\n  Other:\n    Type: AWS::SNS::Topic\n",
    );
    fixed(
        "json",
        "stack.json",
        "aws.s3.bucket.versioning",
        "{\n  \"Resources\": {\n    \"Data\": {\n      \"Type\": \"AWS::S3::Bucket\",\n      \"Properties\": {\n        \"BucketName\": \"nw-data\"\n      }\n    }\n  }\n}\n",
        "{\n  \"Resources\": {\n    \"Data\": {\n      \"Type\": \"AWS::S3::Bucket\",\n      \"Properties\": {\n        \"BucketName\": \"nw-data\",\n        \"VersioningConfiguration\": {\n          \"Status\": \"Enabled\"\n        }\n      }\n    }\n  }\n}\n",
    );
    fixed(
        "bicep",
        "main.bicep",
        "azure.storage.account.https-only",
        "// the store\nresource s 'Microsoft.Storage/storageAccounts@2023-01-01' = {\n  name: 'nwdata'\n  location: 'westeurope'\n  kind: 'StorageV2'\n  sku: { name: 'Standard_LRS' }\n  properties: {\n    supportsHttpsTrafficOnly: false // old client\n  }\n}\n",
        "// the store\nresource s 'Microsoft.Storage/storageAccounts@2023-01-01' = {\n  name: 'nwdata'\n  location: 'westeurope'\n  kind: 'StorageV2'\n  sku: { name: 'Standard_LRS' }\n  properties: {\n    supportsHttpsTrafficOnly: true // old client\n  }\n}\n",
    );
}

/// What is left to the author, with the reason; the file stays as it is.
#[track_caller]
fn left(name: &str, rule: &str, files: &[(&str, &str)], why: &str) {
    let dir = folder(&format!("left-{name}"));
    for (file, text) in files {
        let path = dir.join(file);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
        fs::write(path, text).unwrap();
    }
    let rows = plumb(&dir, &["check", ".", "--check", rule, "--fix", "--format", "json"]);
    let said = String::from_utf8_lossy(&rows.stderr).into_owned();
    assert_eq!(rows.status.code(), Some(1), "{said}");
    assert!(said.contains(why), "{said}");
    for (file, text) in files {
        assert_eq!(fs::read_to_string(dir.join(file)).unwrap(), *text, "{file}");
    }
}

#[test]
fn what_is_not_safe_or_local_is_left_and_says_why() {
    left(
        "variable",
        "aws.sqs.queue.encrypted",
        &[(
            "main.tf",
            "variable \"sse\" {\n  default = false\n}\nresource \"aws_sqs_queue\" \"q\" {\n  sqs_managed_sse_enabled = var.sse\n}\n",
        )],
        "is given by `var.sse`; change it there",
    );
    left(
        "installed",
        "aws.sqs.queue.encrypted",
        &[
            ("main.tf", "module \"q\" {\n  source = \"acme/q/aws\"\n}\n"),
            (
                ".terraform/modules/modules.json",
                "{\"Modules\":[{\"Key\":\"\",\"Source\":\"\",\"Dir\":\".\"},{\"Key\":\"q\",\"Source\":\"acme/q/aws\",\"Dir\":\".terraform/modules/q\"}]}",
            ),
            (
                ".terraform/modules/q/main.tf",
                "resource \"aws_sqs_queue\" \"q\" {\n  sqs_managed_sse_enabled = false\n}\n",
            ),
        ],
        "installed module",
    );
    left(
        "replaced",
        "aws.rds.instance.encrypted",
        &[("main.tf", "resource \"aws_db_instance\" \"d\" {\n  storage_encrypted = false\n}\n")],
        "replaces the resource",
    );
    left(
        "count",
        "aws.s3.bucket.versioning",
        &[("main.tf", "resource \"aws_s3_bucket\" \"b\" {\n  count = 2\n}\n")],
        "for each instance",
    );
}

#[test]
fn the_findings_of_a_diff_as_json() {
    let dir = folder("fix-report");
    write(
        &dir,
        "main.tf",
        "resource \"aws_sqs_queue\" \"q\" {\n  sqs_managed_sse_enabled = false\n}\nresource \"aws_db_instance\" \"d\" {\n  storage_encrypted = false\n}\n",
    );
    let rules = ["check", ".", "--check", "aws.sqs.queue.encrypted,aws.rds.instance.encrypted"];
    let out = plumb(&dir, &[&rules[..], &["--diff", "--format", "json"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let of = |address: &str| {
        json["findings"].as_array().unwrap().iter().find(|f| f["address"] == json!(address)).unwrap().clone()
    };
    assert_eq!(json["written"], json!(false));
    assert_eq!((&of("aws_sqs_queue.q")["fixed"], &of("aws_db_instance.d")["fixed"]), (&json!(true), &json!(false)));
    assert!(json["files"][0]["diff"].as_str().unwrap().contains("+  sqs_managed_sse_enabled = true"));
}

#[test]
fn terraform_in_json_keeps_its_style() {
    fixed(
        "tfjson-value",
        "main.tf.json",
        "aws.sqs.queue.encrypted",
        "{\n  \"resource\": {\n    \"aws_sqs_queue\": {\n      \"orders\": { \"name\": \"orders\", \"sqs_managed_sse_enabled\": false }\n    }\n  }\n}\n",
        "{\n  \"resource\": {\n    \"aws_sqs_queue\": {\n      \"orders\": { \"name\": \"orders\", \"sqs_managed_sse_enabled\": true }\n    }\n  }\n}\n",
    );
    // A nested block, with the file's steps of four; as an object, because nothing here is written as a list.
    fixed(
        "tfjson-block",
        "main.tf.json",
        "aws.dynamodb.table.pitr",
        "{\n    \"resource\": {\n        \"aws_dynamodb_table\": {\n            \"t\": {\n                \"name\": \"t\",\n                \"hash_key\": \"id\"\n            }\n        }\n    }\n}\n",
        "{\n    \"resource\": {\n        \"aws_dynamodb_table\": {\n            \"t\": {\n                \"name\": \"t\",\n                \"hash_key\": \"id\",\n                \"point_in_time_recovery\": {\n                    \"enabled\": true\n                }\n            }\n        }\n    }\n}\n",
    );
    // Where blocks are written as lists, ours is too.
    fixed(
        "tfjson-list",
        "main.tf.json",
        "aws.dynamodb.table.pitr",
        "{\n  \"resource\": {\n    \"aws_dynamodb_table\": {\n      \"t\": [\n        {\n          \"name\": \"t\",\n          \"hash_key\": \"id\",\n          \"attribute\": [\n            { \"name\": \"id\", \"type\": \"S\" }\n          ]\n        }\n      ]\n    }\n  }\n}\n",
        "{\n  \"resource\": {\n    \"aws_dynamodb_table\": {\n      \"t\": [\n        {\n          \"name\": \"t\",\n          \"hash_key\": \"id\",\n          \"attribute\": [\n            { \"name\": \"id\", \"type\": \"S\" }\n          ],\n          \"point_in_time_recovery\": [\n            {\n              \"enabled\": true\n            }\n          ]\n        }\n      ]\n    }\n  }\n}\n",
    );
    // A resource of its own, which refers to the bucket by an expression.
    fixed(
        "tfjson-carrier",
        "main.tf.json",
        "aws.s3.bucket.versioning",
        "{\n  \"resource\": {\n    \"aws_s3_bucket\": {\n      \"data\": {\n        \"bucket\": \"nw-data\"\n      }\n    }\n  }\n}\n",
        "{\n  \"resource\": {\n    \"aws_s3_bucket\": {\n      \"data\": {\n        \"bucket\": \"nw-data\"\n      }\n    },\n    \"aws_s3_bucket_versioning\": {\n      \"data\": {\n        \"bucket\": \"${aws_s3_bucket.data.id}\",\n        \"versioning_configuration\": {\n          \"status\": \"Enabled\"\n        }\n      }\n    }\n  }\n}\n",
    );
}

#[test]
fn what_an_expression_in_json_gives_is_left_alone() {
    let dir = folder("fix-tfjson-computed");
    let text = "{\"variable\": {\"on\": {\"default\": false}}, \"resource\": {\"aws_sqs_queue\": {\"q\": {\"name\": \"q\", \"sqs_managed_sse_enabled\": \"${var.on}\"}}}}\n";
    write(&dir, "main.tf.json", text);
    let out = plumb(&dir, &["check", ".", "--check", "aws.sqs.queue.encrypted", "--fix"]);
    assert_eq!(fs::read_to_string(dir.join("main.tf.json")).unwrap(), text);
    assert!(String::from_utf8_lossy(&out.stderr).contains("is given by"), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn findings_show_the_lines_that_were_judged_to_pass() {
    let dir = folder("fix-shown");
    let text = "resource \"aws_sqs_queue\" \"orders\" {\n  name                    = \"orders\"\n  sqs_managed_sse_enabled = false\n}\n";
    write(&dir, "main.tf", text);
    let args = ["check", ".", "--check", "aws.sqs.queue.encrypted", "--format", "text"];
    let shown = String::from_utf8(plumb(&dir, &args).stdout).unwrap();
    let patch = "      = patch, judged to pass (main.tf):\n          -  sqs_managed_sse_enabled = false\n          +  sqs_managed_sse_enabled = true\n";
    assert!(shown.contains(patch), "{shown}");
    assert!(!shown.contains("= fix:"), "{shown}");
    assert_eq!(fs::read_to_string(dir.join("main.tf")).unwrap(), text, "nothing is written");
    let without = [&args[..], &["--no-patches"]].concat();
    let plain = String::from_utf8(plumb(&dir, &without).stdout).unwrap();
    assert!(plain.contains("= fix:") && !plain.contains("judged to pass"), "{plain}");
}

/// P07: what deletes, or upgrades, is nobody's safe and local change; `--diff` goes by `--fail-on`, and after `--fix` by what is left.
#[test]
fn nothing_that_deletes_or_upgrades_is_written() {
    let dir = folder("fix-deletes");
    write(
        &dir,
        "main.tf",
        "resource \"aws_s3_bucket\" \"b\" {\n  bucket = \"b\"\n}\n\nresource \"aws_cloudwatch_log_group\" \"g\" {\n  name = \"g\"\n}\n\nresource \"google_sql_database_instance\" \"s\" {\n  name             = \"s\"\n  database_version = \"POSTGRES_15\"\n  settings {\n    tier = \"db\"\n  }\n}\n",
    );
    let shown = plumb(&dir, &["check", ".", "--diff"]);
    let diff = String::from_utf8_lossy(&shown.stdout);
    assert_eq!(shown.status.code(), Some(1));
    assert!(diff.contains("log_duration") && diff.contains("aws_s3_bucket_public_access_block"), "{diff}");
    for word in ["expiration", "retention_in_days", "POSTGRES_16"] {
        assert!(!diff.contains(word), "{word}: {diff}");
    }
    let versioning = ["check", "main.tf", "--check", "aws.s3.bucket.versioning", "--diff"];
    let high = plumb(&dir, &[&versioning[..], &["--fail-on", "high"]].concat());
    assert_eq!(high.status.code(), Some(0), "{}", String::from_utf8_lossy(&high.stderr));
    let written = plumb(&dir, &[&versioning[..], &["--fix"]].concat());
    assert_eq!(written.status.code(), Some(0), "{}", String::from_utf8_lossy(&written.stderr));
}
