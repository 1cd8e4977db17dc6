//! Accounts, baselines, drift and scores, through the binary (D10 D33 B43 O11 O12 S20 S33 T02 T14).

use serde_json::Value as Json;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

pub fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("accounts-{name}"));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

pub fn plumb(dir: &Path, actor: &str, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(args)
        .env_remove("PLUMB_CONFIG")
        .env_remove("PLUMB_RULES")
        .env_remove("PLUMB_ACTOR")
        .env("PLUMB_DB", dir.join("record.db"))
        .env("XDG_CONFIG_HOME", dir.join("config"))
        .args(if actor.is_empty() { Vec::new() } else { vec!["--actor", actor] })
        .current_dir(dir)
        .output()
        .unwrap()
}

/// Runs, checks the exit code, and reads standard output as one JSON document.
pub fn json(dir: &Path, actor: &str, args: &[&str], code: i32) -> Json {
    let out = plumb(dir, actor, args);
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(code), "{args:?}\n{stdout}\n{stderr}");
    serde_json::from_str(&stdout).unwrap_or(Json::Null)
}

/// Runs what must be refused, and returns what was said.
pub fn refused(dir: &Path, actor: &str, args: &[&str], code: i32) -> String {
    let out = plumb(dir, actor, args);
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(code), "{args:?}\n{stderr}");
    stderr
}

pub fn people(dir: &Path) {
    json(dir, "", &["people", "add", "root", "--role", "admin"], 0);
    json(dir, "root", &["people", "add", "erin", "--role", "engineer"], 0);
    json(dir, "root", &["people", "add", "anna", "--role", "approver"], 0);
}

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../discover/tests/data");

#[test]
fn sources_and_people_make_one_list() {
    let dir = folder("list");
    // Works before there is anybody, and before any scan.
    json(&dir, "", &["accounts", "set", "444455556666", "--owner", "ann", "--tier", "sandbox"], 0);
    assert!(refused(&dir, "", &["accounts", "set", "444455556666", "--tier", "gold"], 2).contains("no tier `gold`"));
    // Almost any word could be a project: one that is on no list is a slip unless it says so.
    let said = refused(&dir, "", &["accounts", "set", "sandboxes", "--tier", "sandbox"], 2);
    assert!(said.contains("`gcp:sandboxes` if it is a project"), "{said}");
    // A folder is every file in it; the digests beside the events are none.
    std::fs::create_dir_all(dir.join("trail/CloudTrail-Digest")).unwrap();
    let login = r#"{"eventName":"ConsoleLogin","recipientAccountId":"101010101010","userIdentity":{"type":"IAMUser","userName":"zoe"}}"#;
    std::fs::write(dir.join("trail/one.json"), format!("{{\"Records\":[{login}]}}")).unwrap();
    std::fs::write(dir.join("trail/two.json"), login.replace("1010", "2020")).unwrap();
    std::fs::write(dir.join("trail/CloudTrail-Digest/d.json"), "{\"digestS3Bucket\":\"b\"}").unwrap();
    let found = plumb(&dir, "", &["discover", "--source", "cloudtrail=trail", "--format", "jsonl"]);
    assert_eq!(
        (found.status.code(), String::from_utf8_lossy(&found.stdout).lines().count()),
        (Some(0), 2),
        "{found:?}"
    );
    std::fs::create_dir_all(dir.join("nothing")).unwrap();
    assert!(refused(&dir, "", &["discover", "--source", "cloudtrail=nothing"], 2).contains("there is no file in"));
    std::fs::write(dir.join("sheet.csv"), "Konto;Zweck;Stufe\n777788889999;reporting for finance;gold\n").unwrap();
    std::fs::write(
        dir.join("map.json"),
        r#"{"columns":{"native_id":"Konto","business_purpose":"Zweck","tier":"Stufe"},"tiers":{"gold":"tier1"}}"#,
    )
    .unwrap();
    let sources = |extra: &[&str]| -> Vec<String> {
        let mut args = vec!["discover".to_owned()];
        for (kind, file) in
            [("aws-organizations", "organizations.json"), ("aws-cur", "cur-2.0.csv"), ("okta-log", "okta.jsonl")]
        {
            args.extend(["--source".into(), format!("{kind}={DATA}/{file}")]);
        }
        args.extend(["--source".into(), "landing-zone=sheet.csv".into(), "--save".into()]);
        args.extend(extra.iter().map(|e| (*e).to_owned()));
        args
    };
    let run = |extra: &[&str]| {
        let args = sources(extra);
        json(&dir, "", &args.iter().map(String::as_str).collect::<Vec<_>>(), 0)
    };
    run(&["--mapping", "landing-zone=map.json", "--now", "2026-11-20T12:00:00Z"]);
    // The mapping was saved with the first run.
    let estate = run(&["--now", "2026-11-21T12:00:00Z"]);
    let sheet = &estate["accounts"]["aws:777788889999"];
    assert_eq!(sheet["facts"]["tier"], "tier1", "{sheet}");
    assert_eq!(estate["metrics"]["sources_read"], 4);
    assert!(estate["metrics"]["time_to_appear"]["p95_seconds"].is_i64());

    let rows = json(&dir, "", &["accounts"], 0);
    let row = |id: &str| rows.as_array().unwrap().iter().find(|r| r["native_id"] == id).unwrap().clone();
    assert_eq!(row("444455556666")["tier"], "sandbox");
    assert!(row("777788889999")["gaps"].as_array().unwrap().iter().any(|g| g == "org-root"));
    let summary = json(&dir, "", &["accounts", "summary"], 0);
    assert!(
        summary["contradictions"].as_array().unwrap().iter().any(|c| c["kind"] == "billed-not-in-landing-zone"),
        "{summary}"
    );

    // D36: an account and a sign-in that came between two runs are told of.
    std::fs::write(dir.join("later.json"), r#"{"Accounts":[{"Id":"121212121212","Name":"late","Status":"ACTIVE"}]}"#)
        .unwrap();
    std::fs::write(dir.join("login.json"), login.replace("1010", "1212")).unwrap();
    let more = ["--source", "aws-organizations=later.json", "--source", "cloudtrail=login.json"];
    run(&more);
    let news = json(&dir, "", &["accounts", "summary"], 0)["news"].clone();
    let told =
        |list: &str, what: &str| news[list].as_array().unwrap().iter().any(|n| n.as_str().unwrap().starts_with(what));
    assert!(told("accounts", "aws:121212121212 on "), "{news}");
    assert!(told("federated", "zoe at aws:121212121212 on "), "{news}");

    // The list as CSV, filled in, and read back for many accounts at once; one wrong row keeps everything out.
    let csv = String::from_utf8(plumb(&dir, "", &["accounts", "-F", "csv"]).stdout).unwrap();
    let heading = csv.lines().next().unwrap().to_owned();
    let column = |name: &str| heading.split(',').position(|c| c == name).unwrap();
    let filled = |tier: &str| {
        let mut cells: Vec<String> = vec![String::new(); heading.split(',').count()];
        for (name, value) in
            [("provider", "aws"), ("native_id", "777788889999"), ("tier", tier), ("owner_team", "=cmd|x")]
        {
            cells[column(name)] = value.into();
        }
        format!("{heading}\n{}\n", cells.join(","))
    };
    std::fs::write(dir.join("wrong.csv"), filled("platinum")).unwrap();
    assert!(refused(&dir, "", &["accounts", "import", "wrong.csv"], 2).contains("nothing was kept"));
    std::fs::write(dir.join("filled.csv"), filled("production")).unwrap();
    json(&dir, "", &["accounts", "import", "filled.csv"], 0);
    let csv = String::from_utf8(plumb(&dir, "", &["accounts", "-F", "csv", "--tier", "production"]).stdout).unwrap();
    assert!(csv.contains("777788889999") && csv.contains("'=cmd|x"), "{csv}");

    people(&dir);
    assert!(refused(&dir, "", &["accounts", "set", "444455556666", "--tier", "staging"], 2).contains("who acts"));
    let due = json(&dir, "erin", &["accounts", "review"], 0);
    assert!(due.as_array().unwrap().iter().any(|d| d["account"] == "aws:777788889999" && d["overdue"] == true));
    let review =
        ["accounts", "review", "777788889999", "--decide", "proposed", "--note", "one of ours, pays for itself"];
    assert!(refused(&dir, "root", &review, 1).contains("needs engineer or approver"));
    let done = json(&dir, "erin", &review, 0);
    assert_eq!(done[0]["by"], "erin");
    let left = json(&dir, "erin", &["accounts", "review"], 0);
    assert!(!left.as_array().unwrap().iter().any(|d| d["account"] == "aws:777788889999"));
    assert_eq!(json(&dir, "erin", &["accounts", "review", "--history"], 0)[0]["note"], "one of ours, pays for itself");
    assert_eq!(json(&dir, "", &["audit", "verify"], 0)["sound"], true);
}

#[test]
fn a_scan_judges_by_the_baseline_in_force_and_says_so() {
    let dir = folder("baseline");
    json(&dir, "", &["demo", "-q"], 0);
    // Day one: the first scan has put the organisation on the list.
    let rows = json(&dir, "", &["accounts"], 0);
    let (own, shadow): (Vec<&Json>, Vec<&Json>) =
        rows.as_array().unwrap().iter().partition(|r| r["sources"]["org-root"].is_object());
    // And the account that a role of the demo trusts, which nobody lists.
    assert_eq!((own.len(), shadow.len()), (3, 1));
    // Numbers are new with each recording; names are not.
    let named = |name: &str| {
        let row = own.iter().find(|r| r["facts"]["name"] == name).expect(name);
        row["account"].as_str().and_then(|a| a.strip_prefix("aws:")).expect("an AWS account").to_owned()
    };
    let (account, other) = (named("prod-web"), named("dev-sandbox"));
    let account = account.as_str();

    people(&dir);
    let set = [
        "accounts",
        "set",
        account,
        "--tier",
        "production",
        "--purpose",
        "runs the shop",
        "--owner-team",
        "shop",
        "--data-class",
        "personal",
    ];
    json(&dir, "erin", &set, 0);
    let rule = "aws.iam.user.access-key-rotated";
    let draft = ["baseline", "draft", "prod", "--tier", "production", "--check", rule, "aws.s3.bucket.*"];
    let param = format!("{rule}:max_age_days=100000");
    let severity = format!("{rule}=critical");
    assert!(refused(&dir, "anna", &draft, 1).contains("needs admin"));
    json(&dir, "root", &[&draft[..], &["--param", &param, "--set-severity", &severity]].concat(), 0);
    assert!(refused(&dir, "root", &["baseline", "approve", "prod"], 1).contains("needs approver"));
    json(&dir, "root", &["baseline", "propose", "prod"], 0);
    json(&dir, "anna", &["baseline", "approve", "prod"], 0);
    assert_eq!(json(&dir, "root", &["baseline", "activate", "prod"], 0)["stage"], "active");
    assert!(
        refused(&dir, "root", &["baseline", "draft", "prod", "--as-version", "1.0.0", "--from", "prod"], 1)
            .contains("new version")
    );

    let verdicts = |dir: &Path| -> Vec<Json> {
        let out = plumb(dir, "", &["verdicts", "-F", "jsonl", "--account", account]);
        let text = String::from_utf8(out.stdout).unwrap();
        text.lines().map(|l| serde_json::from_str::<Json>(l).unwrap()).filter(|v| v["rule"] == rule).collect()
    };
    let failing = |rows: &[Json]| rows.iter().filter(|v| v["outcome"] == "fail").count();
    let before = verdicts(&dir);
    let summary = json(&dir, "", &["demo"], 0);
    assert_eq!(summary["summary"]["baselines"][account], "prod@1.0.0");
    assert_eq!(summary["summary"]["baselines"][other.as_str()], "catalog");
    let after = verdicts(&dir);
    assert!(failing(&before) > 0, "the demo has an old key");
    assert_eq!(failing(&after), 0, "the baseline allows keys of any age");
    assert!(
        after.iter().all(|v| v["severity"] == "critical" && v["account_facts"]["tier"] == "production"),
        "{after:?}"
    );

    let runs = json(&dir, "", &["baseline", "runs", "--account", account], 0);
    let labels: Vec<&Json> = runs.as_array().unwrap().iter().map(|r| &r["baseline"]).collect();
    assert_eq!(labels, ["catalog", "prod@1.0.0"]);
    assert!(runs[1]["inputs_digest"].as_str().is_some_and(|d| d.len() == 64 && *d == runs[0]["inputs_digest"]));

    // Nothing changed between two reads of the same recording, and the code that says otherwise is a difference.
    assert_eq!(json(&dir, "", &["drift", "--fail"], 0), Json::Array(Vec::new()));
    let bucket = format!("nw-logs-{account}");
    std::fs::write(dir.join("main.tf"), format!("resource \"aws_s3_bucket\" \"logs\" {{ bucket = \"{bucket}\" }}\nresource \"aws_s3_bucket_versioning\" \"logs\" {{\n  bucket = aws_s3_bucket.logs.id\n  versioning_configuration {{ status = \"Enabled\" }}\n}}\n")).unwrap();
    let drift = json(&dir, "", &["drift", "--code", ".", "--save", "--fail", "--kind", "aws.s3.bucket"], 1);
    let row = drift.as_array().unwrap().iter().find(|d| d["path"] == "versioning").unwrap();
    assert_eq!((row["signal"].as_str(), row["resource"].as_str().unwrap().ends_with(&bucket)), (Some("iac"), true));

    // Every number has its coverage beside it; a team without a scan is not assessed.
    json(&dir, "erin", &["accounts", "set", "444455556666", "--owner-team", "lab"], 0);
    let teams = json(&dir, "", &["score", "teams"], 0);
    let team = |name: &str| teams.as_array().unwrap().iter().find(|t| t["team"] == name).unwrap().clone();
    assert_eq!((team("lab")["risk"].is_null(), team("lab")["coverage_percent"].as_u64()), (true, Some(0)));
    assert_eq!((team("shop")["risk"].is_u64(), team("shop")["coverage_percent"].as_u64()), (true, Some(100)));
    let accounts = json(&dir, "", &["score", "accounts"], 0);
    assert_eq!(accounts.as_array().unwrap().last().unwrap()["coverage"]["accounts_known"], 5);

    let finding = json(&dir, "", &["findings", "--account", account], 0);
    let finding = finding
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["resource"] == row["resource"] && f["rule"].as_str().unwrap().contains("version"));
    if let Some(finding) = finding {
        let said = json(&dir, "", &["score", "explain", finding["id"].as_str().unwrap()], 0);
        assert_eq!(said["signals"]["drf"], "iac", "{said}");
        assert!(said["warnings"].as_array().unwrap().iter().any(|w| w.as_str().unwrap().contains("days old")));
    }

    let proposal = json(&dir, "", &["score", "calibrate"], 0);
    assert_eq!(proposal["proposal"]["changes"], false, "no weeks of fixes are known yet");
    let mut policy = json(&dir, "", &["score", "policy"], 0);
    policy["version"] = "score/1.1.0".into();
    policy["thresholds"]["planned"] = 250.into();
    std::fs::write(dir.join("policy.json"), policy.to_string()).unwrap();
    json(&dir, "root", &["score", "policy", "propose", "policy.json", "--note", "more of the middle"], 0);
    assert!(
        refused(&dir, "root", &["score", "policy", "approve", "score/1.1.0", "--review-by", "180d"], 1)
            .contains("needs approver")
    );
    let kept = json(&dir, "anna", &["score", "policy", "approve", "score/1.1.0", "--review-by", "180d"], 0);
    assert_eq!(kept["stage"], "active");
    assert_eq!(json(&dir, "", &["score", "policy"], 0)["thresholds"]["planned"], 250);
    policy["thresholds"]["planned"] = 900.into();
    policy["version"] = "score/1.2.0".into();
    std::fs::write(dir.join("policy.json"), policy.to_string()).unwrap();
    assert!(refused(&dir, "root", &["score", "policy", "propose", "policy.json"], 2).contains("act_now > urgent"));

    std::fs::write(dir.join("cves.csv"), "resource,cve\narn:aws:s3:::x,CVE-2021-44228\n").unwrap();
    assert_eq!(json(&dir, "", &["feed", "import", "vulnerabilities", "cves.csv"], 0)["kept"], 1);
    let support = json(&dir, "", &["feed", "support"], 0);
    assert!(support.as_array().unwrap().iter().any(|s| s["product"] == "aws-lambda"));
}

#[test]
fn a_deviation_allows_the_value_that_is_there_and_no_other() {
    let dir = folder("deviation");
    json(&dir, "", &["demo", "-q"], 0);
    people(&dir);
    let findings = json(&dir, "", &["findings", "--check", "aws.s3.bucket.*"], 0);
    let finding =
        findings.as_array().unwrap().iter().find(|f| f["because"].as_array().is_some_and(|b| b.len() == 1)).unwrap();
    let id = finding["id"].as_str().unwrap();
    let why = "the bucket holds build logs that anybody may lose, and costs count here";
    let risk = "logs of builds can be lost for good";
    let ask = [
        "baseline",
        "deviate",
        id,
        "--basis",
        "cost-disproportionate",
        "--justification",
        why,
        "--risk",
        risk,
        "--expires",
        "30d",
    ];
    let wrong = refused(&dir, "erin", &[&ask[..], &["--allow", "\"something else\""]].concat(), 2);
    assert!(wrong.contains("a deviation allows what is there"), "{wrong}");
    let asked = json(&dir, "erin", &ask, 0);
    assert_eq!(
        (asked["draft"]["kind"].as_str(), asked["status"].as_str()),
        (Some("baseline-deviation"), Some("requested"))
    );
    assert!(asked["draft"]["allowed_value"].is_object());
    json(
        &dir,
        "anna",
        &["exceptions", "approve", asked["number"].as_str().unwrap(), "--note", "agreed for a month"],
        0,
    );
    let now = json(&dir, "", &["findings", "--state", "accepted"], 0);
    assert!(now.as_array().unwrap().iter().any(|f| f["id"] == id));
}

/// S07: how far identities reach is known of stores too: by who holds a grant, by what lets anyone in, by proven paths.
#[test]
fn stores_are_scored_by_who_reaches_them() {
    let dir = folder("holders");
    json(&dir, "", &["demo", "-q", "--now", "2027-12-01T00:00:00Z"], 0);
    let out = plumb(&dir, "", &["score", "list", "-F", "jsonl"]);
    let rows: Vec<Json> =
        String::from_utf8(out.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let reach = |name: &str| {
        let row = rows.iter().find(|r| r["name"].as_str().is_some_and(|n| n.starts_with(name))).expect(name);
        let signal = row["signals"].as_array().unwrap().iter().find(|s| s["signal"] == "idr").unwrap();
        (signal["level"].as_str().unwrap().to_owned(), signal["source"].as_str().unwrap().to_owned())
    };
    assert_eq!(reach("nw-policy-public"), ("broad".into(), "anyone may use it".into()));
    assert_eq!(reach("vault-open-copy"), ("broad".into(), "anyone may use it".into()));
    let (level, why) = reach("nw-customers");
    assert!(level == "broad" && why.starts_with("attack path: The internet reaches nw-customers"), "{level} {why}");
    // Who has not signed in for a year still holds the grant.
    let (level, why) = reach("nw-hardened");
    assert!(level == "broad" && why.ends_with("user/plumb-auditor is dormant"), "{level} {why}");
}

/// D10 A02 T02 T14: what was said wrongly or about nothing is refused, a gap with a reason is closed in what people read too.
#[test]
fn the_list_tells_whose_an_account_is_and_which_gaps_are_closed() {
    let dir = folder("told");
    assert!(refused(&dir, "", &["accounts", "set", "444455556666"], 2).contains("say what is known"));
    let region = ["accounts", "set", "444455556666", "--region-scope", "eu-west-1,mars-1"];
    assert!(refused(&dir, "", &region, 2).contains("`mars-1` is no region"));
    let sources: Vec<String> = [
        ("aws-organizations", "organizations.json"),
        ("landing-zone", "landing-zone.csv"),
        ("aws-cur", "cur-2.0.csv"),
        ("okta-log", "okta.jsonl"),
        ("cross-account-roles", "roles.jsonl"),
    ]
    .iter()
    .flat_map(|(kind, file)| ["--source".to_owned(), format!("{kind}={DATA}/{file}")])
    .collect();
    let args: Vec<&str> = ["discover", "--save"].into_iter().chain(sources.iter().map(String::as_str)).collect();
    json(&dir, "", &args, 0);
    people(&dir);
    let gap = ["accounts", "gap", "100000000004", "--missing-in", "billing", "--reason", "free tier, no charge"];
    json(&dir, "erin", &gap, 0);
    let told = |args: &[&str]| {
        let out = plumb(&dir, "", &[args, &["-F", "text"]].concat());
        String::from_utf8(out.stdout).unwrap()
    };
    let summary = told(&["accounts", "summary"]);
    assert!(summary.contains("aws:100000000004 is not in billing: free tier, no charge (erin)"), "{summary}");
    assert!(!summary.contains("not in billing: aws:100000000004"), "{summary}");
    assert!(summary.contains("names a use of AWS but no account"), "{summary}");
    let list = told(&["accounts"]);
    let vendor = list.lines().find(|l| l.contains("127311923021")).unwrap();
    assert!(vendor.contains("third party") && vendor.contains("AWS log delivery"), "{vendor}");
    // What only a record kept by hand knows is to go.
    let review = json(&dir, "", &["accounts", "review", "--all"], 0);
    let ghost = review.as_array().unwrap().iter().find(|d| d["account"] == "aws:100000000007").unwrap();
    assert_eq!(ghost["proposed"], "retire", "{ghost}");
    // Options that would be passed over, and accounts that are not there, are refused.
    for wrong in [
        &["accounts", "--state", "shadow", "summary"][..],
        &["accounts", "review", "100000000007", "--history"],
        &["accounts", "review", "--note", "nobody knows of it"],
        &["accounts", "review", "400000000006"],
        &["score", "calibrate", "--policy", "p.json", "--propose"],
    ] {
        refused(&dir, "erin", wrong, 2);
    }
    refused(&dir, "", &["score", "--batch", "none.json", "list"], 2);
    json(&dir, "", &["score", "-F", "json", "list"], 0);
    // That somebody reviewed it makes it no account of the organisation; and it is pulled as rarely as decided.
    let twice = ["100000000007", "aws:100000000007"];
    let how = ["--decide", "proposed", "--note", "nobody knows of it"];
    let review = [&["accounts", "review"], &twice[..], &how].concat();
    json(&dir, "erin", &review, 0);
    let rows = json(&dir, "", &["accounts"], 0);
    let state = |id: &str| rows.as_array().unwrap().iter().find(|r| r["native_id"] == id).unwrap()["state"].clone();
    assert_eq!((state("100000000007"), state("100000000002")), ("candidate".into(), "governed".into()));
    let pulls = json(&dir, "", &["accounts", "pulls"], 0);
    let pull = pulls.as_array().unwrap().iter().find(|p| p["account"] == "aws:100000000007").unwrap();
    assert_eq!((pull["triage"].as_str(), pull["every_hours"].as_u64()), (Some("retire"), Some(168)), "{pull}");
    std::fs::write(dir.join("none.json"), "{}").unwrap();
    let said = refused(&dir, "", &["discover", "--source", &sources[1], "--previous", "none.json"], 2);
    assert!(said.contains("`none.json`") && said.contains("missing field"), "{said}");
}

/// B43 B55 B56 O14: what cannot be compared, or not with these options, is told and no empty answer.
#[test]
fn drift_and_baselines_say_what_they_cannot_compare() {
    let dir = folder("compare");
    json(&dir, "", &["demo", "-q"], 0);
    people(&dir);
    let rows = json(&dir, "", &["accounts"], 0);
    let named = |name: &str| {
        let row = rows.as_array().unwrap().iter().find(|r| r["name"] == name).expect(name);
        row["native_id"].as_str().unwrap().to_owned()
    };
    let (master, sandbox) = (named("master"), named("dev-sandbox"));
    let draft = ["baseline", "draft", "core", "--tier", "tier1", "--as-is", "aws.s3.bucket"];
    assert!(refused(&dir, "root", &draft, 2).contains("no scanned account has tier tier1"));
    assert!(refused(&dir, "root", &[&draft[..], &["--of", "999"]].concat(), 2).contains("`999` is not on the record"));
    json(&dir, "erin", &["accounts", "set", &master, "--tier", "tier1"], 0);
    let taken = json(&dir, "root", &draft, 0);
    let shown = json(&dir, "", &["baseline", "show", "core"], 0);
    let values = shown["baseline"]["values"].as_array().unwrap();
    assert_eq!(taken["values"].as_u64().unwrap(), values.len() as u64);
    // Of the accounts it stands for, and of no others.
    assert!(values.iter().all(|v| v["resource"].as_str().is_some_and(|r| r.ends_with(&master))), "{values:?}");

    // The tier counts from the moment it is said; the others are named with why they were left out.
    let value = ["baseline", "draft", "versions", "--tier", "tier1", "--value", "aws.s3.bucket.versioning=true"];
    json(&dir, "root", &value, 0);
    json(&dir, "root", &["baseline", "propose", "versions"], 0);
    json(&dir, "anna", &["baseline", "approve", "versions"], 0);
    json(&dir, "anna", &["baseline", "activate", "versions"], 0);
    let lost = json(&dir, "", &["drift", "--against", "baseline"], 0);
    assert!(lost.as_array().unwrap().iter().all(|d| d["account"] == master.as_str() && d["path"] == "versioning"));
    assert!(!lost.as_array().unwrap().is_empty());
    let out = plumb(&dir, "", &["drift", "--against", "baseline"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains(&format!("account {sandbox} was not compared: no baseline is in force")), "{said}");
    assert!(refused(&dir, "", &["baseline", "runs", "--scan", "99"], 2).contains("no scan 99"));

    let bucket = format!("nw-logs-{master}");
    let code = format!(
        "resource \"aws_s3_bucket\" \"logs\" {{ bucket = \"{bucket}\" }}\nresource \"aws_s3_bucket\" \"gone\" {{ bucket = \"nw-gone\" }}\n"
    );
    std::fs::write(dir.join("main.tf"), code).unwrap();
    let gone = |more: &[&str]| -> Vec<String> {
        let found = json(&dir, "", &[&["drift", "--code", "main.tf"][..], more].concat(), 0);
        let rows = found.as_array().unwrap().iter().filter(|d| d["what"] == "gone");
        rows.map(|d| d["name"].as_str().unwrap().to_owned()).collect()
    };
    // What another account has is not gone because only one account is asked about.
    assert_eq!(gone(&["--account", &sandbox]), gone(&[]));
    assert_eq!(gone(&[]), ["nw-gone"]);
    std::fs::write(dir.join("broken.tf"), "resource \"aws_s3_bucket\" {{").unwrap();
    assert!(refused(&dir, "", &["drift", "--code", "broken.tf"], 3).contains("broken.tf:1"));
    std::fs::create_dir_all(dir.join("nothing")).unwrap();
    assert!(refused(&dir, "", &["drift", "--code", "nothing"], 2).contains("declares no resource"));
    std::fs::write(dir.join("no-events.json"), "{\"foo\":1}").unwrap();
    assert!(refused(&dir, "", &["drift", "--events", "no-events.json"], 2).contains("no event of CloudTrail"));
    std::fs::write(dir.join("cut.json"), "{\"eventName\":\"PutBucketPol").unwrap();
    assert!(refused(&dir, "", &["drift", "--events", "cut.json"], 2).contains("`cut.json`: line 1"));
    assert!(refused(&dir, "", &["drift", "--code", "main.tf", "--since", "1"], 2).contains("--against previous"));
    assert!(refused(&dir, "", &["drift", "--since", "1", "--scan", "1"], 2).contains("not before scan 1"));
}

/// S15 S16 S19: of an advisory the latest revision counts; a CVE that is none is refused; why reach is unknown is said.
#[test]
fn advisories_are_revised_and_unknown_reach_says_why() {
    let dir = folder("feeds");
    json(&dir, "", &["demo", "-q"], 0);
    let advisory = |date: &str, details: &str| {
        let doc = serde_json::json!({"document": {"csaf_version": "2.0", "publisher": {"name": "Vendor", "namespace": "https://v.example"},
            "tracking": {"id": "V-1", "current_release_date": date}},
            "vulnerabilities": [{"cve": "CVE-2024-0001", "threats": [{"category": "exploit_status", "details": details}]}]});
        std::fs::write(dir.join("csaf.json"), doc.to_string()).unwrap();
    };
    let import = ["feed", "import", "csaf", "csaf.json"];
    advisory("2026-11-01T00:00:00Z", "Exploited:Yes");
    json(&dir, "", &import, 0);
    let finding = json(&dir, "", &["findings", "--check", "aws.lambda.*"], 0)[0].clone();
    let row = format!("resource,cve\n{},CVE-2024-0001\n", finding["resource"].as_str().unwrap());
    std::fs::write(dir.join("cves.csv"), &row).unwrap();
    json(&dir, "", &["feed", "import", "vulnerabilities", "cves.csv"], 0);
    let level = || json(&dir, "", &["score", "explain", finding["id"].as_str().unwrap()], 0)["signals"]["kex"].clone();
    assert_eq!(level(), "advisory");
    advisory("2026-11-10T00:00:00Z", "Exploited:No");
    json(&dir, "", &import, 0);
    assert_eq!(level(), "none", "the revision takes the place of what it revises");
    advisory("2026-11-05T00:00:00Z", "Exploited:Yes");
    assert!(
        refused(&dir, "", &import, 2).contains("V-1 of 2026-11-05 is older than its revision in use, of 2026-11-10")
    );
    // S11, S13: what makes an account critical stands in the explanation.
    let account = finding["account"].as_str().unwrap();
    let set = ["accounts", "set", account, "--tier", "staging", "--users", "200000", "--contract", "PRG-9"];
    json(&dir, "", &set, 0);
    let said = json(&dir, "", &["score", "explain", finding["id"].as_str().unwrap()], 0);
    let part = said["contributions"].as_array().unwrap().iter().find(|c| c["signal"] == "acc").unwrap();
    assert_eq!(part["level"], "tier1");
    let source = part["source"].as_str().unwrap();
    assert!(source.ends_with("tier staging, raised by a contract and 200000 users"), "{source}");
    std::fs::write(dir.join("cves.csv"), row.replace("CVE-2024-0001", "CVE-24-1")).unwrap();
    assert!(refused(&dir, "", &["feed", "import", "vulnerabilities", "cves.csv"], 2).contains("line 2"));

    let out = plumb(&dir, "", &["score", "list", "-F", "jsonl"]);
    let text = String::from_utf8(out.stdout).unwrap();
    let unread = text.lines().map(|l| serde_json::from_str::<Json>(l).unwrap()).find_map(|row| {
        let signals = row["signals"].as_array().unwrap();
        signals.iter().find(|s| s["source"].as_str().is_some_and(|w| w.contains("needs s3:GetBucketPolicy"))).cloned()
    });
    let unread = unread.expect("a bucket whose policy was refused");
    assert_eq!((unread["signal"].as_str(), unread["level"].as_str()), (Some("idr"), Some("unknown")));
}
