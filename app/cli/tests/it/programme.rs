//! The operating record through the binary, on the bundled organisation: ledger, reviews, attestations, bulk moves, reports,
//! retention, the whole record out and in (O21–O25, T09–T12, O35, G35).

use serde_json::Value as Json;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn folder() -> PathBuf {
    folder_of("programme")
}

/// A folder of one test, empty at its beginning.
pub fn folder_of(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

fn plumb(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(args)
        .env_remove("PLUMB_CONFIG")
        .env_remove("PLUMB_RULES")
        .env_remove("PLUMB_ACTOR")
        .env_remove("PLUMB_CODE")
        .env("PLUMB_DB", dir.join("record.db"))
        .env("PLUMB_KEY", dir.join("seal.key"))
        .current_dir(dir)
        .output()
        .unwrap()
}

#[track_caller]
pub fn text(dir: &Path, args: &[&str], code: i32) -> String {
    let out = plumb(dir, args);
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(code), "{args:?}\n{stdout}\n{stderr}");
    format!("{stdout}{stderr}")
}

#[track_caller]
pub fn lines(dir: &Path, args: &[&str], code: i32) -> Vec<Json> {
    let mut all = args.to_vec();
    all.extend(["-F", "jsonl"]);
    let out = plumb(dir, &all);
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(code), "{args:?}\n{stdout}\n{stderr}");
    stdout.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
}

const WHY: &str = "The shop's pictures are served to everybody from this bucket";

#[test]
fn the_programme_from_a_scan_to_a_restored_record() {
    let d = folder();
    let d = d.as_path();
    text(d, &["demo", "--top", "0", "-q"], 0);
    for (who, role) in
        [("ada", "admin"), ("otto", "auditor"), ("erin", "engineer"), ("adam", "approver"), ("anna", "approver")]
    {
        text(d, &["people", "add", who, "--role", role, "--actor", "ada"], 0);
    }

    // The scan filled the ledger, and what nobody approved is a finding.
    let entries = lines(d, &["exposure", "list", "--state", "detected"], 0);
    let open = |d: &Path| lines(d, &["findings", "--check", "governance.exposure.approved"], 0).len();
    let public = entries.iter().filter(|e| e["reach"].as_str().is_some_and(|r| r.starts_with("open-"))).count();
    assert!(public > 3 && open(d) == public, "{public} public of {} entries, {} findings", entries.len(), open(d));
    assert!(entries.iter().all(|e| e["proven"] == true && e["account"].is_string()));
    let first = entries.iter().find(|e| e["reach"] == "open-anonymous").unwrap();
    let id = first["id"].as_str().unwrap();
    let short = ["exposure", "request", id, "--justification", "because", "--actor", "erin"];
    assert!(text(d, &short, 1).contains("justification"));
    let ask = ["exposure", "request", id, "--justification", WHY, "--trigger", "moves to the CDN", "--expires", "30d"];
    text(d, &[&ask[..], &["--actor", "erin"]].concat(), 0);
    text(d, &["exposure", "approve", id, "--actor", "erin"], 1);
    let after = lines(d, &["exposure", "approve", id, "--note", "fine", "--actor", "adam"], 0);
    assert_eq!((after[0]["state"].as_str(), after[0]["approved_by"][0].as_str()), (Some("approved"), Some("adam")));
    assert_eq!(open(d), public - 1);
    text(d, &["exposure", "renew", id, "--expires", "60d", "--actor", "erin"], 0);
    text(d, &["exposure", "retire", id, "--note", "the shop has moved, it comes down", "--actor", "erin"], 0);
    assert_eq!(open(d), public);
    let plan =
        ["exposure", "plan", "--resource", "arn:aws:s3:::next-*", "--justification", WHY, "--trigger", "go-live"];
    text(d, &[&plan[..], &["--reference", "pull/7", "--actor", "erin"]].concat(), 0);
    text(d, &["exposure", "approve", "PX-000001", "--actor", "erin"], 1);
    text(d, &["exposure", "approve", "PX-000001", "--actor", "adam"], 0);
    let diff: Json = serde_json::from_str(&text(d, &["exposure", "diff", "-F", "json"], 0)).unwrap();
    assert_eq!(diff["change"]["after"].as_u64(), Some(entries.len() as u64));

    // What those who do the work are given, and what the programme says about its own rules.
    let own = lines(d, &["findings", "--check", "governance.exposure.approved", "--limit", "1"], 0);
    let ticket = lines(d, &["findings", "ticket", own[0]["id"].as_str().unwrap()], 0);
    assert!(ticket[0]["body"].as_str().unwrap().contains("plumb exposure request"), "{}", ticket[0]);
    assert!(ticket[0]["controls"].as_array().is_some_and(|c| !c.is_empty()));
    assert!(text(d, &["explain", "governance.access.*", "-F", "text"], 0).contains("Who has left holds no access"));
    text(d, &["explain", "governance.nothing"], 2);
    assert!(lines(d, &["reviews", "removals"], 0).is_empty());
    assert!(text(d, &["report", "trends"], 0).contains("## AWS"));
    assert!(text(d, &["report", "layers"], 0).contains("## Govern:"));

    // A review: opened, decided from the list it printed, closed by another, verified by nothing yet.
    text(d, &["reviews", "open", "Q4", "--reviewer", "anna", "--actor", "erin"], 1);
    let opened = lines(d, &["reviews", "open", "Q4", "--reviewer", "anna", "--due", "20d", "--actor", "adam"], 0);
    assert!(opened[0]["progress"]["items"].as_u64().unwrap() > 3);
    let csv = text(d, &["reviews", "show", "AR-2026-0001", "-F", "csv"], 0);
    let filled: String = csv
        .lines()
        .enumerate()
        .map(|(i, l)| {
            if i == 0 {
                format!("{l}\n")
            } else {
                l.replacen(",,,,", ",keep,the platform team needs it on call,,", 1) + "\n"
            }
        })
        .collect();
    std::fs::write(d.join("mine.csv"), filled).unwrap();
    assert!(
        text(d, &["reviews", "decide", "AR-2026-0001", "--csv", "mine.csv", "--actor", "erin"], 1).contains("refused")
    );
    let said = lines(d, &["reviews", "decide", "AR-2026-0001", "--csv", "mine.csv", "--actor", "anna"], 0);
    assert!(said.iter().all(|s| s["ok"] == true));
    text(d, &["reviews", "close", "AR-2026-0001", "--actor", "adam"], 1);
    let closed = lines(d, &["reviews", "close", "AR-2026-0001", "--actor", "anna"], 0);
    assert_eq!((closed[0]["state"].as_str(), closed[0]["percent"].as_u64()), (Some("closed"), Some(100)));
    let cadence = lines(d, &["cadence"], 0);
    assert!(cadence.iter().any(|c| c["promise"] == "access-review-privileged" && c["last"].is_string()));
    std::fs::write(d.join("hr.csv"), "email,status\nerin,active\nada,active\nalice,terminated\n").unwrap();
    text(d, &["reviews", "people", "hr.csv", "--source", "hr", "--actor", "adam"], 0);
    assert!(!lines(d, &["reviews", "leavers"], 1).is_empty());

    // Bulk moves, clocks, patterns.
    let found = lines(d, &["findings", "--severity", "high", "--limit", "3"], 0);
    let rows: String = found.iter().map(|f| format!("{},triage,seen,shop\n", f["id"].as_str().unwrap())).collect();
    std::fs::write(d.join("bulk.csv"), format!("id,event,reason,team\n{rows}{}", "F-NONE0000,triage,,\n")).unwrap();
    let said = lines(d, &["findings", "bulk", "bulk.csv", "--actor", "erin"], 1);
    assert_eq!(said.iter().map(|s| s["ok"] == true).collect::<Vec<_>>(), [true, true, true, false]);
    assert!(lines(d, &["findings", "sla", "--team", "shop"], 0).len() >= 3);
    // What was found today has no reminder yet.
    assert!(lines(d, &["findings", "sla", "--notices", "2026-01-01"], 0).is_empty());
    assert!(text(d, &["findings", "sla", "--notices", "soon"], 2).contains("--notices: `soon` is no day"));
    assert!(lines(d, &["findings", "patterns", "--top", "3"], 0).iter().any(|p| p["team"] == "shop"));
    text(d, &["findings", "burned"], 0);

    // An attestation turns a manual control; the lenses and reports are made in each form.
    let manual = lines(d, &["frameworks", "show", "aws_fsbp", "--only", "manual"], 0);
    let control = manual[0]["control"].as_str().unwrap();
    std::fs::write(d.join("minutes.txt"), "seen").unwrap();
    let attest =
        ["frameworks", "attest", "aws_fsbp", control, "--statement", WHY, "--attach", "minutes.txt", "--actor", "erin"];
    text(d, &attest, 0);
    text(d, &["frameworks", "agree", "AT-000001", "--actor", "adam"], 0);
    assert_eq!(lines(d, &["frameworks", "show", "aws_fsbp", "--only", "attested"], 0).len(), 1);
    for which in ["leadership", "audit-pack", "team", "queue", "coverage", "durability", "alignment"] {
        for (form, begins) in [("md", "#"), ("html", "<!"), ("pdf", "%PDF")] {
            let out = plumb(d, &["report", which, "--as", form, "--team", "shop", "-q"]);
            assert_eq!(out.status.code(), Some(0), "{which} {form} {}", String::from_utf8_lossy(&out.stderr));
            assert!(out.stdout.starts_with(begins.as_bytes()), "{which} as {form}");
        }
    }

    // Holds, evidence, and the whole record out and in.
    let reason = "a lawsuit is expected about this account";
    text(d, &["retention", "hold", "propose", "--reason", reason, "--actor", "otto"], 0);
    text(d, &["retention", "propose", "--actor", "otto"], 1);
    assert_eq!(lines(d, &["retention"], 0).len(), 7);
    text(d, &["evidence", "bundle", "--out", "evidence.zip"], 0);
    text(d, &["verify", "evidence.zip"], 0);
    let out = lines(d, &["export", "record", "--out", "whole"], 0);
    let back = lines(d, &["import", "record", "whole", "--db", "restored.db"], 0);
    assert_eq!(out[0]["digest"], back[0]["digest"]);
    text(d, &["audit", "verify", "--db", "restored.db"], 0);
    text(d, &["import", "record", "whole", "--db", "restored.db"], 2);
    text(d, &["export", "record", "--out", "whole"], 2);
    assert!(text(d, &["audit", "log", "--denied", "-F", "text"], 0).contains("exposure.approve"));
    text(d, &["audit", "verify"], 0);
}

/// Other tools' lists become drafts through the binary, and mute nothing.
#[test]
fn other_tools_lists_become_drafts() {
    let d = Path::new(env!("CARGO_TARGET_TMPDIR")).join("drafts");
    let _ = std::fs::remove_dir_all(&d);
    std::fs::create_dir_all(&d).unwrap();
    let d = d.as_path();
    text(d, &["people", "add", "erin", "--role", "engineer"], 0);
    let checkov = r#"{"failed_checks":[{"file":"/main.tf","findings":[{"resource":"aws_s3_bucket.logs","check_ids":["CKV_AWS_18","CKV_AWS_21"]}]}]}"#;
    let mutelist = "Mutelist:\n  Accounts:\n    \"111122223333\":\n      Checks:\n        \"s3_bucket_public_access\":\n          Regions: [\"eu-west-1\"]\n          Resources: [\"logs\"]\n";
    let scout = r#"{"s3":{"s3-bucket-no-logging":["s3.buckets.id.logs"]}}"#;
    let cases = [
        ("mutelist", mutelist),
        ("checkov-baseline", checkov),
        ("trivyignore", "# why\nAVD-AWS-0086\nAVD-AWS-0087 exp:2027-01-01\n"),
        ("scoutsuite", scout),
    ];
    let mut all = 0;
    for (format, content) in cases {
        std::fs::write(d.join("list"), content).unwrap();
        let made = lines(d, &["import", format, "list", "--actor", "erin"], 0);
        assert!(
            !made.is_empty() && made.iter().all(|m| !m["missing"].as_array().unwrap().is_empty()),
            "{format}: {made:?}"
        );
        all += made.len();
        assert!(lines(d, &["import", format, "list", "--actor", "erin"], 0).is_empty(), "{format}: twice is once");
    }
    assert_eq!(lines(d, &["exceptions", "drafts"], 0).len(), all);
    assert!(lines(d, &["exceptions", "list"], 0).is_empty());
    std::fs::write(d.join("list"), "not json").unwrap();
    text(d, &["import", "scoutsuite", "list", "--actor", "erin"], 2);
}

/// G37, R24: a skip in code, and another tool's list, become requests about what is deployed; who decides sees all of it.
#[test]
fn what_was_muted_elsewhere_is_asked_for_here() {
    let d = folder_of("muted");
    let d = d.as_path();
    text(d, &["demo", "--top", "0", "-q"], 0);
    text(d, &["people", "add", "ada", "--role", "admin"], 0);
    for (who, role) in [("erin", "engineer"), ("adam", "approver")] {
        text(d, &["people", "add", who, "--role", role, "--actor", "ada"], 0);
    }
    std::fs::create_dir_all(d.join("code")).unwrap();
    let code = "resource \"aws_s3_bucket\" \"acl\" {\n  # checkov:skip=CKV_AWS_21:rebuilt from source every night\n  bucket = \"nw-acl-public-100085771961\"\n}\n";
    std::fs::write(d.join("code/main.tf"), code).unwrap();
    // What is missing is told with the flag that says it.
    let some =
        lines(d, &["findings", "--check", "aws.iam.account.support-role"], 0)[0]["id"].as_str().unwrap().to_owned();
    let said = text(d, &["findings", "transition", &some, "triage", "--actor", "erin"], 1);
    assert!(said.contains("--field team="), "{said}");
    text(d, &["check", "code", "--check", "CKV_AWS_21", "--record"], 0);
    // The comment has moved; it is the same skip.
    std::fs::write(d.join("code/main.tf"), format!("# a shop\n{code}")).unwrap();
    text(d, &["check", "code", "--check", "CKV_AWS_21", "--record"], 0);
    let drafts = lines(d, &["exceptions", "drafts"], 0);
    assert_eq!(drafts.len(), 1, "{drafts:?}");
    // Inside of a repository, too, files are named as the places of findings are.
    assert_eq!(drafts[0]["draft"]["origin"]["inline"]["file"], "main.tf", "{drafts:?}");
    let missing: Vec<&str> =
        drafts[0]["missing"].as_array().unwrap().iter().filter_map(|m| m["field"].as_str()).collect();
    assert_eq!(missing, ["basis", "justification", "risk", "owner", "expires_at", "triggers"]);
    let risk = "Somebody could overwrite what is in there by mistake";
    let rest = [
        "--basis",
        "test",
        "--justification",
        WHY,
        "--risk",
        risk,
        "--expires",
        "30d",
        "--trigger",
        "value-changes",
        "--actor",
        "erin",
    ];
    let complete = |draft: &str, more: &[&str], code| {
        text(d, &[&["exceptions", "request", "--draft", draft], more, &rest].concat(), code)
    };
    complete("D-000001", &[], 0);
    assert!(
        complete("D-000001", &[], 2).contains("EX-2026-000001") || complete("D-000001", &[], 2).contains("already")
    );
    let made = &lines(d, &["exceptions"], 0)[0];
    assert_eq!(made["draft"]["subject"]["selector"]["matched"].as_array().unwrap().len(), 1, "{made}");
    // A list that names no rule of ours, and places nobody has here, is completed by saying what is meant.
    std::fs::write(d.join("list"), "AVD-AWS-9999\n").unwrap();
    let listed = lines(d, &["import", "trivyignore", "list", "--actor", "erin"], 0);
    assert_eq!(listed[0]["unknown_rules"][0], "AVD-AWS-9999", "{listed:?}");
    assert!(complete("D-000002", &[], 1).contains("name findings or other patterns"));
    complete("D-000002", &["--rule", "aws.s3.bucket.mfa-delete", "--account", "533886960523"], 0);
    let number = made["number"].as_str().unwrap();
    let said = text(d, &["exceptions", "show", number, "-F", "text"], 0);
    for part in
        [WHY, risk, "earlier: value-changes", "iso27001_2022/8.13", "1 more approver", "resource aws_s3_bucket.acl"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    std::fs::write(d.join("asks"), "\n").unwrap();
    assert!(text(d, &["exceptions", "request", "--file", "asks", "--actor", "erin"], 2).contains("has no line"));
    std::fs::write(d.join("asks"), "\n{\"bogus\":1}\n").unwrap();
    let said = text(d, &["exceptions", "request", "--file", "asks", "--actor", "erin"], 2);
    assert!(said.contains("line 2: unknown field `bogus`") && !said.contains("line 1"), "{said}");
    assert!(text(d, &["exceptions", "list", "-F", "csv"], 0).contains(WHY), "what programs read is whole");
}

/// A07, G26: who names no framework gets all of them on a page, in the audit pack too; words nobody knows are refused.
#[test]
fn frameworks_are_summed_up_where_none_is_named() {
    let d = folder_of("summed-up");
    let d = d.as_path();
    text(d, &["demo", "--top", "0", "-q"], 0);
    let all = text(d, &["report", "alignment"], 0);
    assert!(all.lines().count() < 60 && all.contains("(iso27001_2022)") && all.contains("Not assessed"), "{all}");
    assert!(text(d, &["report", "audit-pack"], 0).contains("(soc2_tsc)"));
    let one = text(d, &["report", "alignment", "--framework", "soc2_tsc"], 0);
    assert!(one.contains("soc2_tsc CC6.1") && !one.contains("iso27001"), "{one}");
    assert!(text(d, &["frameworks", "show", "soc2_tsc", "--only", "fine"], 2).contains("manual"));
    // T06: how much of each domain was looked at. W05, W06, W07: what the open work may lead to.
    let coverage = text(d, &["report", "coverage"], 0);
    for domain in ["identity", "network", "data", "logging", "crypto", "compute"] {
        assert!(coverage.contains(&format!("| {domain} |")), "{domain}: {coverage}");
    }
    let read = text(d, &["report", "leadership"], 0);
    for kind in ["Direct exposure incidents: ", "Compliance violations: ", "Operational security gaps: "] {
        assert!(read.contains(kind), "{kind}: {read}");
    }
    assert!(lines(d, &["baseline"], 0).is_empty());
    let said = text(d, &["exposure", "diff", "--from", "2020-01-01", "-F", "text"], 0);
    assert!(said.contains("nobody looked before") && !said.contains("0 before"), "{said}");
    assert!(text(d, &["exposure", "diff", "--to", "soon"], 2).contains("`soon` is no day"));
}
