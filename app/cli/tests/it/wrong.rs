//! What is asked in the wrong words is said to be wrong: an empty answer would say that there is nothing.

use crate::programme::{folder_of, lines, text};

#[test]
fn what_nobody_knows_is_wrong_usage_and_no_empty_list() {
    let dir = folder_of("wrong");
    text(&dir, &["demo", "--quiet"], 0);
    let no_account = "account `999999999999` is not on the record";
    let cases: &[(&[&str], &str)] = &[
        (&["findings", "--account", "999999999999"], no_account),
        (&["verdicts", "--account", "999999999999"], no_account),
        (&["coverage", "--account", "999999999999"], no_account),
        (&["principals", "--account", "999999999999"], no_account),
        (&["exposure", "list", "--account", "999999999999"], no_account),
        (&["score", "list", "--account", "999999999999"], no_account),
        (&["baseline", "runs", "--account", "999999999999"], no_account),
        (&["drift", "--account", "999999999999"], no_account),
        (&["findings", "--state", "closed"], "closed"),
        (&["principals", "--kind", "robot"], "no kind of principal `robot`"),
        (&["who-can", "GetObject", "*"], "`GetObject` is no action"),
        (&["who-can", "s3:GetObject", "bucket"], "`bucket` is no resource"),
        (&["can", "arn:aws:iam::100085771961:user/alice", "s3 GetObject", "*"], "is no action"),
        (&["why", "F-XXXXXXXX"], "there is no finding"),
        (&["why", "F-!"], "is not a finding id"),
        (&["verdicts", "--scan", "99"], "there is no scan 99"),
        (&["drift", "--scan", "99"], "there is no scan 99"),
        (&["report", "team", "--team", "nosuch"], "the team `nosuch`"),
        (&["report", "queue", "--team", "nosuch"], "the team `nosuch`"),
        (&["findings", "sla", "--team", "nosuch"], "the team `nosuch`"),
        (&["findings", "sla", "--by-team", "--team", "nosuch"], "the team `nosuch`"),
        (&["findings", "patterns", "--team", "nosuch"], "the team `nosuch`"),
        (&["report", "leadership", "--out", "read.docx"], "not made as `.docx`"),
    ];
    for (args, says) in cases {
        let said = text(&dir, args, 2);
        assert!(said.contains(says), "{args:?}: {said}");
    }
    // What is there is found, and a principal nobody knows is said to be unknown.
    assert!(!lines(&dir, &["findings", "--account", "555566667777"], 0).is_empty());
    assert!(text(&dir, &["who-can", "s3:GetObjct", "*"], 0).contains("not in the catalogue of actions"));
    let nobody = ["can", "arn:aws:iam::100085771961:user/nobody", "s3:GetObject", "arn:aws:s3:::b", "--format", "json"];
    assert!(text(&dir, &nobody, 1).contains("is not among the principals of its account"));
}

/// What was asked for and could not be written is a failure; a device or a folder is no place for an archive.
#[test]
#[cfg(target_os = "linux")]
fn what_cannot_be_written_is_said() {
    let dir = folder_of("unwritable");
    text(&dir, &["demo", "--quiet"], 0);
    for args in [&["report", "leadership"][..], &["findings"], &["report", "leadership", "--as", "pdf"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_plumb"));
        let done = command.args(args).env("PLUMB_DB", dir.join("record.db")).stdout(full).output().unwrap();
        assert_eq!(done.status.code(), Some(4), "{args:?}");
        assert!(String::from_utf8_lossy(&done.stderr).contains("cannot write to standard output"), "{args:?}");
    }
    std::fs::create_dir(dir.join("folder")).unwrap();
    assert!(text(&dir, &["evidence", "bundle", "--out", "folder"], 2).contains("is no file"));
    assert!(text(&dir, &["evidence", "bundle", "--out", "nowhere/e.zip"], 4).contains("cannot write"));
}

/// Before anything was looked at nothing is said to be there or not.
#[test]
fn an_empty_record_says_that_nothing_was_looked_at() {
    let dir = folder_of("empty");
    text(&dir, &["people", "add", "ada", "--role", "admin"], 0);
    for args in
        [&["principals"][..], &["paths"], &["exposed"], &["drift"], &["verdicts"], &["who-can", "s3:GetObject", "*"]]
    {
        let said = text(&dir, args, 4);
        assert!(said.contains("there is no") || said.contains("there are no"), "{args:?}: {said}");
    }
    let read = text(&dir, &["report", "leadership"], 0);
    assert!(read.contains("0 of 0 known accounts") && read.contains("not measured"), "{read}");
    assert!(!read.contains("first measured") && !read.contains("first looked at"), "{read}");
}

/// What is passed over in authorization details is said, and a list that is none is refused.
#[test]
fn what_is_passed_over_in_details_is_said() {
    let dir = folder_of("details");
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    write(
        "odd.json",
        r#"{"UserDetailList":[{"UserName":"no-arn"},{"UserName":"ann","Arn":"arn:aws:iam::111122223333:user/ann",
        "UserPolicyList":[{"PolicyName":"p","PolicyDocument":{"Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}}]}]}"#,
    );
    let said = text(&dir, &["assess", "--authorization-details", "odd.json"], 0);
    assert!(
        said.contains("`` is not the ARN of a principal") && said.contains("must be \"Allow\" or \"Deny\""),
        "{said}"
    );
    write("none.json", r#"{"UserDetailList":{},"RoleDetailList":[]}"#);
    assert!(
        text(&dir, &["assess", "--authorization-details", "none.json"], 2)
            .contains("a `UserDetailList` that is no list")
    );
    write("org.json", r#"{"scp":[]}"#);
    let said = text(&dir, &["assess", "--authorization-details", "odd.json", "--org", "org.json"], 2);
    assert!(said.contains("found `scp`"), "{said}");
    // The same of lines: what was passed over stands beside the decision, and a refused line has its id; a mark is no text.
    let ask = r#"{"id":7,"request":{"principal":"arn:aws:iam::111122223333:user/ann","action":"s3:GetObject","resource":"arn:aws:s3:::b/k"},
        "identity":[{"Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}]}"#;
    write("lines.jsonl", &format!("\u{feff}{}\n", ask.replace('\n', " ")));
    let answer = &lines(&dir, &["can", "--batch", "lines.jsonl"], 0)[0];
    assert_eq!((&answer["id"], &answer["decision"]), (&7.into(), &"ImplicitlyDenied".into()));
    assert!(answer["notes"][0].as_str().unwrap().contains("identity[0] statement 0"), "{answer}");
    write("scores.jsonl", "\u{feff}{\"id\":9,\"sev\":\"worst\"}\n");
    let answer = &lines(&dir, &["score", "--batch", "scores.jsonl"], 0)[0];
    assert_eq!(answer["id"], 9);
    assert!(answer["error"].as_str().unwrap().contains("unknown severity level `worst`"), "{answer}");
}

/// R6: every refused attempt is an entry of the log, also of those who may not act at all.
#[test]
fn attempts_of_strangers_and_by_hand_are_logged() {
    let dir = folder_of("strangers");
    text(&dir, &["demo", "--quiet"], 0);
    text(&dir, &["people", "add", "ada", "--role", "admin"], 0);
    text(&dir, &["people", "add", "erin", "--role", "engineer", "--actor", "ada"], 0);
    text(&dir, &["people", "add", "gone", "--role", "approver", "--left", "--actor", "ada"], 0);
    let id = lines(&dir, &["findings", "--limit", "1"], 0)[0]["id"].as_str().unwrap().to_owned();
    let cases = [
        ("nobody", "triage", "belongs to nobody"),
        ("gone", "triage", "not active"),
        ("erin", "retest-pass", "comes from runs"),
    ];
    for (who, event, says) in cases {
        let said = text(&dir, &["findings", "transition", &id, event, "--actor", who], 1);
        assert!(said.contains(says), "{said}");
    }
    let denied = lines(&dir, &["audit", "log", "--denied"], 0);
    let who: Vec<_> = denied.iter().map(|e| (e["actor"].as_str().unwrap(), e["action"].as_str().unwrap())).collect();
    assert_eq!(who, [("nobody", "session.begin"), ("gone", "session.begin"), ("erin", "finding.retest-pass")]);
    text(&dir, &["audit", "verify"], 0);
}

/// W01: what reports sum up is what scores say, finding by finding.
#[test]
fn the_risk_of_reports_is_the_sum_of_scores() {
    let dir = folder_of("risk");
    text(&dir, &["demo", "--quiet"], 0);
    let scores: Vec<i64> = lines(&dir, &["score", "list"], 0).iter().map(|l| l["score"].as_i64().unwrap()).collect();
    let lanes = lines(&dir, &["query", "SELECT count(*) AS n, sum(min(points, 1000)) AS points FROM lanes"], 0);
    let (open, sum) = (lanes[0]["n"].as_i64().unwrap(), lanes[0]["points"].as_i64().unwrap());
    assert!(open > 1_000 && (open, sum) == (i64::try_from(scores.len()).unwrap(), scores.iter().sum()), "{lanes:?}");
    let teams = lines(&dir, &["findings", "sla", "--by-team"], 0);
    assert_eq!(teams.iter().map(|t| t["points"].as_i64().unwrap()).sum::<i64>(), sum);
    let patterns = lines(&dir, &["findings", "burned"], 0);
    assert_eq!(patterns[0]["after"].as_i64(), Some(sum));
    // The first of the queue has the score that explains it.
    let first = &lines(&dir, &["score", "list", "--limit", "1"], 0)[0];
    let shown = format!("{:.1}", first["score"].as_f64().unwrap() / 10.0);
    let queue = text(&dir, &["report", "queue"], 0);
    assert!(queue.lines().any(|l| l.contains(&shown) && l.contains("act-now")), "{shown}\n{}", &queue[..600]);
}

/// The account that only a role names is on every page that speaks of all accounts.
#[test]
fn accounts_no_scan_lists_are_in_reports_and_bundles() {
    let dir = folder_of("unlisted");
    text(&dir, &["demo", "--quiet"], 0);
    let read = text(&dir, &["report", "leadership"], 0);
    assert!(read.contains("1 account not scanned") && read.contains("of 4 known accounts"), "{read}");
    assert!(read.contains("555566667777: shadow, never scanned, known by cross-account-role"), "{read}");
    let lens = text(&dir, &["report", "coverage"], 0);
    assert!(lens.contains("not in organization") && lens.contains("aws:555566667777"), "{lens}");
    text(&dir, &["evidence", "bundle", "--out", "e.zip"], 0);
    text(&dir, &["verify", "e.zip"], 0);
    // What every account was held against is in the bundle too (O11, O14).
    let archive = std::fs::read(dir.join("e.zip")).unwrap();
    let files: std::collections::BTreeMap<_, _> =
        plumb_govern::bundle::zip::read(&archive).unwrap().into_iter().collect();
    let runs = String::from_utf8_lossy(&files["baseline/runs.jsonl"]);
    assert_eq!(runs.lines().count(), 3, "{runs}");
    assert!(runs.lines().all(|l| l.contains("\"inputs_digest\":\"")), "{runs}");
    assert!(files.contains_key("baseline/baselines.csv"));
}
