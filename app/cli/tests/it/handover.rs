//! What comes in from programmes beside this one and what goes out to them, through the binary: CVSS, criticality, ends of
//! support, proof of data classes, cadence of pulls, the signal stack, exposure management, what moved a score
//! (S10 S19 S20 S29 S31 S32 A24 B47 N12 N13).

use crate::accounts::{folder, json, people, plumb, refused};
use serde_json::{Value as Json, json as js};
use std::path::Path;

/// The demo organisation with its web account described, and the number of that account.
fn demo(name: &str) -> (std::path::PathBuf, String) {
    let dir = folder(name);
    json(&dir, "", &["demo", "-q"], 0);
    let rows = json(&dir, "", &["accounts"], 0);
    let web = rows.as_array().unwrap().iter().find(|r| r["facts"]["name"] == "prod-web").unwrap();
    let account = web["native_id"].as_str().unwrap().to_owned();
    (dir, account)
}

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

fn lines(dir: &Path, args: &[&str]) -> Vec<Json> {
    let out = plumb(dir, "", args);
    assert!(out.status.success(), "{args:?} {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// A finding of a rule in an account, with its resource.
fn finding(dir: &Path, account: &str, rule: &str) -> (String, String) {
    let found = json(dir, "", &["findings", "--account", account, "--check", rule], 0);
    let one = found.as_array().unwrap().first().unwrap_or_else(|| panic!("no finding of {rule}"));
    (one["id"].as_str().unwrap().to_owned(), one["resource"].as_str().unwrap().to_owned())
}

fn level<'a>(said: &'a Json, signal: &str) -> (&'a str, &'a str) {
    let part = said["contributions"].as_array().unwrap().iter().find(|c| c["signal"] == signal).unwrap();
    (part["level"].as_str().unwrap(), part["source"].as_str().unwrap())
}

#[test]
fn programmes_beside_this_one_are_heard_and_told() {
    let (dir, account) = demo("handover");
    // Ends of support that are imported reach the rule at the next scan.
    write(&dir, "aws-lambda.json", r#"[{"cycle":"python3.12","support":"2020-01-01","eol":"2020-06-01"}]"#);
    assert_eq!(json(&dir, "", &["feed", "import", "eol", "aws-lambda.json"], 0)["bundled"], false);
    json(&dir, "", &["demo", "-q"], 0);
    let (id, resource) = finding(&dir, &account, "aws.lambda.function.supported-runtime");
    let explain = |dir: &Path| json(dir, "", &["score", "explain", &id], 0);

    let dated = explain(&dir);
    assert_eq!(level(&dated, "sev").0, "high");
    assert!(level(&dated, "sev").1.contains("support ended on 2020-01-01"), "{dated}");

    // A flaw is as bad as its CVSS says; a setting beside it keeps its severity and shows the flaw.
    let (setting, _) = finding(&dir, &account, "aws.ec2.instance.*");
    let said = json(&dir, "", &["score", "explain", &setting], 0);
    let instance =
        json(&dir, "", &["query", &format!("SELECT resource FROM findings WHERE id = '{setting}'"), "-F", "jsonl"], 0);
    let instance = instance["resource"].as_str().unwrap();
    let rows = format!(
        "Resource,CVE,CVSS,note\n{resource},CVE-2099-0001,CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H,\"a, b\"\n{instance},CVE-2021-44228,10.0,\n{instance},CVE-2099-0002,CVSS:4.0/AV:N/AC:L,\n"
    );
    write(&dir, "cves.csv", &rows);
    assert_eq!(json(&dir, "", &["feed", "import", "vulnerabilities", "cves.csv"], 0)["kept"], 3);
    let flaw = explain(&dir);
    assert_eq!(level(&flaw, "sev"), ("critical", "CVE-2099-0001: CVSS 3.1 base 9.8, critical"));
    let beside = json(&dir, "", &["score", "explain", &setting], 0);
    assert_eq!(level(&beside, "sev"), level(&said, "sev"));
    assert_eq!(level(&beside, "kex").0, "kev-ransomware");
    assert_eq!(beside["vulnerabilities"][0]["cvss"]["base_tenths"], 100);
    write(&dir, "bad.csv", "resource,cve,cvss\nr,CVE-2099-0001,CVSS:3.1/AV:X\n");
    let wrong = refused(&dir, "", &["feed", "import", "vulnerabilities", "bad.csv"], 2);
    assert!(wrong.contains("`bad.csv`: line 2") && wrong.contains("not a CVSS 3.1 base vector"), "{wrong}");

    // An outside process wins over the tier, with its name and date.
    json(&dir, "", &["accounts", "set", &account, "--tier", "sandbox"], 0);
    assert_eq!(level(&explain(&dir), "acc").0, "sandbox");
    write(&dir, "cmdb.csv", &format!("Asset ID;Business Criticality\n{account};Mission Critical\n"));
    let wrong = refused(&dir, "", &["feed", "import", "criticality", "cmdb.csv"], 2);
    assert!(wrong.contains("--source and --date"), "{wrong}");
    json(&dir, "", &["feed", "import", "criticality", "cmdb.csv", "--source", "CMDB", "--date", "2026-10-01"], 0);
    assert_eq!(level(&explain(&dir), "acc"), ("tier1", "Mission Critical (tier1) by CMDB of 2026-10-01"));
    write(&dir, "cmdb.csv", "account,criticality,source,date\n1,purple,CMDB,2026-10-01\n");
    assert!(
        refused(&dir, "", &["feed", "import", "criticality", "cmdb.csv"], 2).contains("`purple` is no criticality")
    );

    // What moved since the scan is said, and a second scan keeps what was before.
    let moved = explain(&dir);
    let why: Vec<&str> =
        moved["previous"]["why"].as_array().unwrap().iter().map(|c| c["signal"].as_str().unwrap()).collect();
    assert!(why.contains(&"sev") && why.contains(&"acc"), "{moved}");
    let sum: i64 = moved["previous"]["why"].as_array().unwrap().iter().map(|c| c["points"].as_i64().unwrap()).sum();
    assert_eq!(moved["points"].as_i64().unwrap() - moved["previous"]["points"].as_i64().unwrap(), sum);
    json(&dir, "", &["demo", "-q"], 0);
    let again = explain(&dir);
    assert_eq!(again["previous"]["points"], moved["previous"]["points"], "the scan before had other levels");

    // A newer edition says that it is supported: the finding goes at the next scan.
    write(&dir, "aws-lambda.json", r#"[{"cycle":"python3.12","support":"2099-01-01","eol":"2099-06-01"}]"#);
    json(&dir, "", &["feed", "import", "eol", "aws-lambda.json"], 0);
    let after = json(&dir, "", &["feed", "support"], 0);
    let own = after.as_array().unwrap().iter().find(|r| r["resource"] == js!(resource)).unwrap();
    assert_eq!(own["support"], "supported");
    json(&dir, "", &["demo", "-q"], 0);
    let state = json(&dir, "", &["query", &format!("SELECT state FROM findings WHERE id = '{id}'"), "-F", "jsonl"], 0);
    assert_ne!(state["state"], "open", "a supported runtime no longer fails");
    write(&dir, "empty.json", "[]");
    assert!(refused(&dir, "", &["feed", "import", "eol", "empty.json"], 2).contains("endoflife.date"));

    // Out: one line a finding, most pressing first, and everything for exposure management.
    let stack = lines(&dir, &["export", "signals"]);
    let order: Vec<(u64, std::cmp::Reverse<u64>)> =
        stack.iter().map(|l| (l["lane"].as_u64().unwrap(), std::cmp::Reverse(l["points"].as_u64().unwrap()))).collect();
    assert!(order.is_sorted() && order.len() > 100);
    for line in &stack {
        let sum: i64 = line["signals"].as_array().unwrap().iter().map(|s| s["points"].as_i64().unwrap()).sum();
        assert_eq!(sum, line["points"].as_i64().unwrap(), "{line}");
    }
    let flawed = stack.iter().find(|l| l["finding"] == js!(setting)).unwrap();
    let log4j = flawed["vulnerabilities"].as_array().unwrap().iter().find(|v| v["cve"] == "CVE-2021-44228").unwrap();
    assert_eq!((&log4j["cvss31_base"], &log4j["kev"]), (&js!(10.0), &js!(true)));
    let ctem = lines(&dir, &["export", "ctem"]);
    for (stage, kind) in [
        ("discovery", "asset"),
        ("discovery", "exposure"),
        ("discovery", "not-assessed"),
        ("prioritisation", "finding"),
        ("prioritisation", "path"),
    ] {
        assert!(ctem.iter().any(|l| l["stage"] == stage && l["type"] == kind), "{kind}");
    }
    let ids: std::collections::BTreeSet<String> =
        ctem.iter().map(|l| format!("{} {} {}", l["type"], l["account"], l["id"])).collect();
    assert_eq!(ids.len(), ctem.len(), "ids are unique within type and account");
    let listed = json(&dir, "", &["score", "list", "--lane", "0", "--limit", "3"], 0);
    assert!(listed.as_array().unwrap().iter().all(|l| l["lane"] == 0) && listed[0]["finding"] == stack[0]["finding"]);
}

#[test]
fn pulls_have_a_cadence_and_claims_a_proof() {
    let (dir, account) = demo("cadence");
    let now = "2030-01-01T00:00:00Z";
    let due = json(&dir, "", &["accounts", "pulls", "--due", "--now", now], 1);
    assert_eq!(due.as_array().unwrap().len(), 4, "{due}");
    json(
        &dir,
        "",
        &["accounts", "set", &account, "--tier", "tier1", "--data-class", "regulated-payment", "--owner", "ann"],
        0,
    );
    let all = json(&dir, "", &["accounts", "pulls", "--now", now], 0);
    let of = |rows: &Json| {
        rows.as_array().unwrap().iter().find(|p| p["account"] == js!(format!("aws:{account}"))).unwrap().clone()
    };
    assert_eq!((of(&all)["every_hours"].as_u64(), of(&all)["tier"].as_str()), (Some(6), Some("tier1")));
    let set = json(&dir, "", &["accounts", "pulls", "--set", "tier1=92d"], 0);
    assert!(set.as_array().unwrap().iter().any(|c| c["tier"] == "tier1" && c["every_hours"] == 92 * 24), "{set}");
    let soon = of(&all)["last"].as_str().unwrap().to_owned();
    let rows = json(&dir, "", &["accounts", "pulls", "--now", &soon], 0);
    assert_eq!(of(&rows)["due"], false);
    for wrong in ["tier1=0h", "tier1=93d", "gold=1d", "tier1", "tier1=6m"] {
        refused(&dir, "", &["accounts", "pulls", "--set", wrong], 2);
    }

    let claims = json(&dir, "", &["accounts", "regulated", "--lacking"], 1);
    assert_eq!((claims[0]["class"].as_str(), claims[0]["status"].as_str()), (Some("regulated-payment"), Some("said")));
    let (id, _) = finding(&dir, &account, "aws.s3.bucket.*");
    let source = |dir: &Path| level(&json(dir, "", &["score", "explain", &id], 0), "dat").1.to_owned();
    assert!(source(&dir).contains("said but not proven"), "{}", source(&dir));
    write(&dir, "scan.pdf", "cardholder data in the orders table");
    let give = [
        "accounts",
        "evidence",
        &account,
        "--class",
        "regulated-payment",
        "--file",
        "scan.pdf",
        "--note",
        "scan of the orders table",
    ];
    assert!(refused(&dir, "", &[&give[..], &["--valid", "900d"]].concat(), 2).contains("within the next 366 days"));
    let proof = json(&dir, "", &give, 0);
    assert_eq!(proof["sha256"].as_str().map(str::len), Some(64));
    assert!(source(&dir).contains("proven by scan.pdf"));
    assert_eq!(json(&dir, "", &["accounts", "regulated", "--lacking"], 0), js!([]));
    assert_eq!(json(&dir, "", &["accounts", "regulated"], 0)[0]["said_by"][0], "manual");
    assert_eq!(json(&dir, "", &["audit", "verify"], 0)["sound"], true);
}

#[test]
fn engineers_order_pairs_and_a_policy_is_proposed() {
    let dir = folder("pairs");
    json(&dir, "", &["demo", "-q"], 0);
    people(&dir);
    let side = |idr: &str, exp: &str| js!({ "sev": "medium", "exp": exp, "idr": idr, "drf": "none", "kex": "none", "dat": "internal", "acc": "production" });
    let pair = js!({ "first": side("admin", "none"), "second": side("none", "internet-auth") }).to_string();
    write(&dir, "few.jsonl", &format!("{pair}\n"));
    assert!(refused(&dir, "", &["score", "calibrate", "--pairs", "few.jsonl"], 2).contains("at least 50"));
    write(&dir, "pairs.jsonl", &format!("{pair}\n").repeat(50));
    let fit = json(&dir, "", &["score", "calibrate", "--pairs", "pairs.jsonl"], 0);
    assert_eq!((fit["fit"]["agreeing_before"].as_u64(), fit["fit"]["agreeing_after"].as_u64()), (Some(0), Some(50)));
    assert!(!fit["changes"].as_array().unwrap().is_empty());
    let kept = json(&dir, "root", &["score", "calibrate", "--pairs", "pairs.jsonl", "--propose"], 0);
    assert_eq!((kept["stage"].as_str(), kept["terms"]["version"].as_str()), (Some("proposed"), Some("score/1.1.0")));
    json(&dir, "anna", &["score", "policy", "approve", "score/1.1.0", "--review-by", "180d"], 0);
    write(&dir, "wrong.jsonl", "{\"first\":\"F-NOSUCH\",\"second\":1}\n");
    assert!(refused(&dir, "", &["score", "calibrate", "--pairs", "wrong.jsonl"], 2).contains("line 1"));
}

#[test]
fn wrong_input_is_told_what_would_be_right() {
    let dir = folder("wrong");
    json(&dir, "", &["accounts", "set", "111122223333", "--tier", "production"], 0);
    write(&dir, "cols.csv", "a,b\n1,2\n");
    write(&dir, "focus.csv", "SubAccountId,ProviderName\n111122223333,AWS\n");
    write(&dir, "empty", "");
    let check = |args: &[&str], want: &str| {
        let said = refused(&dir, "", args, 2);
        assert!(said.contains(want), "{args:?}\n{said}");
    };
    check(&["discover", "--source", "aws-cur=focus.csv"], "it looks like `focus`");
    check(&["discover", "--source", "focus=empty"], "the file is empty");
    check(&["discover", "--source", "okta-log=cols.csv"], "the file is not JSON");
    check(&["discover", "--source", "okta-log=cols.csv"], "nothing kept");
    check(&["discover", "--source", "focus=missing.csv"], "cannot read `missing.csv`");
    check(&["discover", "--source", "focus=focus.csv", "--mapping", "focus=cols.csv"], "is no column mapping like");
    check(&["accounts", "--state", "gone"], "one of candidate, shadow");
    check(&["score", "simulate", "--policy", "cols.csv"], "`plumb score policy` prints one");
    check(&["score", "calibrate", "--utilisation", "101"], "1..=100");
    check(&["feed", "import", "kev", "cols.csv"], "known_exploited_vulnerabilities.json is needed");
    check(&["feed", "import", "data-patterns", "cols.csv"], "tag_keys, patterns");
    check(&["feed", "import", "vulnerabilities", "cols.csv"], "columns `resource` and `cve`");
}
