//! The machine contracts, through the binary: files in, lines out (docs/machine-contracts.md).

use serde_json::{Value as Json, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A folder of one test, empty at its beginning.
pub fn folder(name: &str) -> PathBuf {
    // Not below the repository, whose own files would decide what is new and how paths are shown.
    let dir = std::env::temp_dir().join("plumb-tests").join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

pub fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

pub fn plumb(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(args)
        .env_remove("PLUMB_CONFIG")
        .env_remove("PLUMB_RULES")
        .env("PLUMB_DB", dir.join("record.db"))
        .current_dir(dir)
        .output()
        .unwrap()
}

/// Runs and reads the lines of standard output as JSON; checks the exit code.
pub fn lines(dir: &Path, args: &[&str], code: i32) -> Vec<Json> {
    let out = plumb(dir, args);
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(code), "{args:?}\n{stdout}\n{stderr}");
    stdout.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
}

fn allow(action: &str, resource: &str) -> Json {
    json!({ "Version": "2012-10-17", "Statement": [{ "Sid": "S", "Effect": "Allow", "Action": action, "Resource": resource }] })
}

#[test]
fn can_answers_each_line_of_a_batch() {
    let dir = folder("can");
    let ask = |id: &str, action: &str, identity: Json| {
        json!({
            "id": id,
            "request": { "principal": "arn:aws:iam::111122223333:user/ann", "action": action, "resource": "arn:aws:s3:::b/k",
                         "resource_account": "111122223333", "context": {} },
            "identity": identity, "resource_policy": null, "boundaries": null, "session": null, "scps": [], "rcps": [], "endpoint_policies": null
        })
        .to_string()
    };
    let deny = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*" }] });
    let text = [
        ask("yes", "s3:GetObject", json!([allow("s3:*", "*")])),
        ask("no", "s3:GetObject", json!([allow("sqs:*", "*")])),
        ask("never", "s3:DeleteObject", json!([allow("s3:*", "*"), deny])),
        "{broken".to_owned(),
    ]
    .join("\n");
    let file = write(&dir, "batch.jsonl", &text);
    let answers = lines(&dir, &["can", "--batch", &file], 0);
    let got: Vec<(&Json, &Json)> = answers.iter().map(|a| (&a["id"], &a["decision"])).collect();
    assert_eq!(
        got,
        [
            (&json!("yes"), &json!("Allowed")),
            (&json!("no"), &json!("ImplicitlyDenied")),
            (&json!("never"), &json!("ExplicitlyDenied")),
            (&Json::Null, &Json::Null),
        ]
    );
    assert!(answers[3]["error"].is_string());
}

/// One administrator, one user who can attach policies to himself, one reader.
fn details() -> Json {
    let user = |name: &str, policy: Json| {
        json!({ "UserName": name, "UserId": name, "Path": "/", "Arn": format!("arn:aws:iam::111122223333:user/{name}"),
                "CreateDate": "2026-01-01T00:00:00Z", "GroupList": [], "AttachedManagedPolicies": [],
                "UserPolicyList": [{ "PolicyName": "own", "PolicyDocument": policy }] })
    };
    json!({
        "UserDetailList": [
            user("root-like", allow("*", "*")),
            user("climber", allow("iam:AttachUserPolicy", "*")),
            user("reader", allow("s3:GetObject", "arn:aws:s3:::reports/*")),
        ],
        "RoleDetailList": [], "GroupDetailList": [], "Policies": []
    })
}

#[test]
fn assess_names_administrators_and_the_steps_to_become_one() {
    let dir = folder("assess");
    let file = write(&dir, "details.json", &details().to_string());
    let rows = lines(&dir, &["assess", "--authorization-details", &file, "--format", "jsonl"], 0);
    let of = |name: &str| rows.iter().find(|r| r["arn"].as_str().is_some_and(|a| a.ends_with(name))).unwrap();
    assert_eq!((&of("root-like")["admin"], &of("reader")["admin"]), (&json!(true), &json!(false)));
    assert_eq!((&of("climber")["admin"], &of("climber")["can_become_admin"]), (&json!(false), &json!(true)));
    assert_eq!(of("reader")["can_become_admin"], json!(false));
    assert!(of("climber")["steps"][0]["method"].is_string());
    let edges: Vec<&Json> = rows.iter().filter(|r| r.get("from").is_some()).collect();
    assert!(edges.iter().any(|e| e["from"].as_str().unwrap().ends_with("climber")), "{edges:?}");
    assert!(edges.iter().all(|e| !e["from"].as_str().unwrap().ends_with("reader")));
    let first_edge = rows.iter().position(|r| r.get("from").is_some()).unwrap();
    assert!(rows[first_edge..].iter().all(|r| r.get("arn").is_none()), "principals come first");
}

#[test]
fn can_and_who_can_answer_from_a_folder() {
    let dir = folder("who-can");
    let policies = dir.join("policies");
    std::fs::create_dir_all(&policies).unwrap();
    write(&policies, "details.json", &details().to_string());
    let folder = policies.display().to_string();
    let object = "arn:aws:s3:::reports/q1";
    let who = |who: &str| format!("arn:aws:iam::111122223333:user/{who}");
    let can = |name: &str, code: i32| {
        lines(&dir, &["can", &who(name), "s3:GetObject", object, "--policies", &folder, "-F", "jsonl"], code)
    };
    assert_eq!(can("reader", 0)[0]["decision"], json!("Allowed"));
    assert_eq!(can("climber", 1)[0]["decision"], json!("ImplicitlyDenied"));
    let holders = lines(&dir, &["who-can", "s3:GetObject", object, "--policies", &folder, "-F", "jsonl"], 0);
    let names: Vec<&str> = holders.iter().map(|h| h["principal"].as_str().unwrap()).collect();
    assert_eq!(names, [who("reader"), who("root-like")]);
    assert_eq!(plumb(&dir, &["can", "nobody", "s3:GetObject", object, "--policies", &folder]).status.code(), Some(2));
}

#[test]
fn score_answers_each_line_of_a_batch() {
    let dir = folder("score");
    let full = r#"{"id":7,"sev":"high","exp":"internet-open","idr":"broad","drf":"none","kex":"none","dat":"regulated","acc":"production","hard":false}"#;
    let file = write(&dir, "batch.jsonl", &format!("{full}\n{}\n", full.replace("\"high\"", "\"huge\"")));
    let answers = lines(&dir, &["score", "--batch", &file], 0);
    assert_eq!(
        (&answers[0]["points"], &answers[0]["score"], &answers[0]["lane"]),
        (&json!(1055), &json!(1000), &json!(0))
    );
    let sum: i64 = answers[0]["contributions"].as_array().unwrap().iter().map(|c| c["points"].as_i64().unwrap()).sum();
    assert_eq!(sum, 1055);
    assert!(answers[1]["error"].as_str().unwrap().contains("huge"));
}

#[test]
fn discover_finds_the_shadow_accounts_and_accounts_lists_them() {
    let dir = folder("discover");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../discover/tests/data");
    let source = |kind: &str, file: &str| format!("{kind}={}", data.join(file).display());
    let sources = [
        source("aws-organizations", "organizations.json"),
        source("landing-zone", "landing-zone.csv"),
        source("aws-cur", "cur-legacy.csv"),
        source("aws-cur", "cur-2.0.csv"),
        source("focus", "focus-1.0.csv"),
        source("focus", "focus-1.1.csv"),
        source("focus", "focus-1.2.csv"),
        source("expense", "expense.csv"),
        source("okta-log", "okta.jsonl"),
        source("cloudtrail", "cloudtrail.json"),
        source("cross-account-roles", "roles.jsonl"),
    ];
    let mut args = vec!["discover", "--now", "2026-11-21T12:00:00Z", "-F", "jsonl"];
    for s in &sources {
        args.extend(["--source", s]);
    }
    let shadows = |rows: &[Json]| -> Vec<String> {
        let found = rows.iter().filter(|r| r["state"] == json!("shadow"));
        found.map(|r| r["account"].as_str().unwrap().to_owned()).filter(|a| a.starts_with("aws:")).collect()
    };
    let rows = lines(&dir, &args, 0);
    let want = ["aws:200000000001", "aws:200000000002", "aws:200000000003", "aws:200000000004"];
    assert_eq!(shadows(&rows), want);
    // Kept on the record, the list is there again, and what a person says counts.
    args.push("--save");
    assert_eq!(lines(&dir, &args, 0), rows);
    let listed = lines(&dir, &["accounts", "--format", "jsonl"], 0);
    assert_eq!(shadows(&listed), want);
    let reached = listed.iter().find(|r| r["account"] == json!("aws:200000000003")).unwrap();
    assert!(reached["roles"][0].as_str().unwrap().contains("role/partner-deploy"), "{reached}");
    assert!(reached["sources"]["cross-account-role"]["first_seen"].is_string());
    lines(&dir, &["accounts", "set", "200000000003", "--owner-team", "partners", "--tier", "staging"], 0);
    let listed = lines(&dir, &["accounts", "--format", "jsonl"], 0);
    let said = listed.iter().find(|r| r["account"] == json!("aws:200000000003")).unwrap();
    assert_eq!((&said["owner"], &said["tier"]), (&json!("partners"), &json!("staging")));
    assert_eq!(plumb(&dir, &["discover", "--source", "nonsense=x"]).status.code(), Some(2));
}

#[test]
fn lint_remarks_on_an_unknown_action() {
    let dir = folder("lint");
    let file = write(&dir, "policy.json", &allow("s3:GetObjekt", "*").to_string());
    let rows = lines(&dir, &["lint", &file, "-F", "jsonl"], 1);
    assert!(rows.iter().any(|r| r["code"] == json!("unknown-action")), "{rows:?}");
}

#[test]
fn feeds_are_kept_with_their_digest() {
    let dir = folder("feed");
    let kev = json!({
        "title": "CISA Catalog of Known Exploited Vulnerabilities", "catalogVersion": "2026.11.20", "dateReleased": "2026-11-20T15:00:00.000Z",
        "count": 1, "vulnerabilities": [{ "cveID": "CVE-2021-44228", "vendorProject": "Apache", "product": "Log4j2",
            "vulnerabilityName": "n", "dateAdded": "2021-12-10", "shortDescription": "d", "requiredAction": "a", "dueDate": "2021-12-24",
            "knownRansomwareCampaignUse": "Known", "notes": "" }]
    });
    let file = write(&dir, "kev.json", &kev.to_string());
    let info = lines(&dir, &["feed", "import", "kev", &file], 0);
    assert_eq!((&info[0]["version"], &info[0]["entries"]), (&json!("2026.11.20"), &json!(1)));
    let status = lines(&dir, &["feed", "status", "-F", "jsonl"], 0);
    let row = status.iter().find(|r| r["name"] == json!("kev")).unwrap();
    assert_eq!((&row["version"], &row["sha256"]), (&json!("2026.11.20"), &info[0]["sha256"]));
    // The same again is the same; a file that is no feed is refused.
    lines(&dir, &["feed", "import", "kev", &file], 0);
    let wrong = write(&dir, "wrong.json", "{}");
    assert_eq!(plumb(&dir, &["feed", "import", "kev", &wrong]).status.code(), Some(2));
}

#[test]
fn a_record_answers_about_principals_accounts_and_scores() {
    let dir = folder("record");
    let demo = plumb(&dir, &["demo", "--quiet"]);
    assert!(matches!(demo.status.code(), Some(0 | 1 | 3)), "{}", String::from_utf8_lossy(&demo.stderr));
    let accounts = lines(&dir, &["accounts", "--format", "jsonl"], 0);
    assert!(accounts.len() > 1);
    // Those of the organisation; an outside account that a role trusts is on the list too.
    let ours: Vec<_> = accounts.iter().filter(|a| a["scan"].is_object()).collect();
    assert!(ours.len() == 3 && accounts.len() > ours.len(), "{accounts:?}");
    assert!(ours.iter().all(|a| a["sources"]["org-root"]["first_seen"].is_string()), "{accounts:?}");
    let principals = lines(&dir, &["principals", "--format", "jsonl"], 0);
    let mut kinds: Vec<&str> = principals.iter().filter_map(|p| p["type"].as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert!(kinds.contains(&"user") && kinds.contains(&"role"), "{kinds:?}");
    // Nobody of the recorded organisation administers another account; the accounts were read, so that it can be told.
    assert!(lines(&dir, &["principals", "--abroad", "-F", "jsonl"], 0).is_empty());
    let text = plumb(&dir, &["principals", "--abroad", "--format", "text"]);
    assert!(String::from_utf8_lossy(&text.stderr).contains("nobody in one account"), "{text:?}");
    let wrong = plumb(&dir, &["principals", "--abroad", "--account", "42"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("account `42` is not on the record"), "{wrong:?}");
    assert_eq!(plumb(&dir, &["principals", "--abroad", "--ocsf"]).status.code(), Some(2));
    // What the inventory calls an administrator can delete a bucket.
    let admin = principals.iter().find(|p| p["admin"] == json!(true) && p["type"] != json!("root")).unwrap();
    let ask = ["can", admin["arn"].as_str().unwrap(), "s3:DeleteBucket", "arn:aws:s3:::anything", "-F", "jsonl"];
    assert_eq!(lines(&dir, &ask, 0)[0]["decision"], json!("Allowed"));
    let finding = lines(&dir, &["findings", "--limit", "1", "-F", "jsonl"], 0).remove(0);
    let score = lines(&dir, &["score", "explain", finding["id"].as_str().unwrap(), "-F", "jsonl"], 0).remove(0);
    let sum: i64 = score["contributions"].as_array().unwrap().iter().map(|c| c["points"].as_i64().unwrap()).sum();
    assert_eq!(json!(sum), score["points"]);
    assert_eq!(score["signals"]["acc"], json!("unknown"), "nobody said what the account is for");
}
