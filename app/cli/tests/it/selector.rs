//! Exceptions by selector through the binary, on the bundled organisation: asked for, shown, agreed to by two, and what a later
//! scan brings under them (O15–O20).

use super::programme::{lines, text};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, path::Path};

const WHY: &str = "These buckets hold nothing but what the shop publishes until the new front is live";
const RISK: &str = "Anybody can read the published pictures and the price lists.";

fn word(row: &Json, key: &str) -> String {
    row[key].as_str().unwrap_or_default().to_owned()
}

#[test]
fn an_exception_by_selector_covers_what_comes_later() {
    let d = Path::new(env!("CARGO_TARGET_TMPDIR")).join("selector");
    let _ = std::fs::remove_dir_all(&d);
    std::fs::create_dir_all(&d).unwrap();
    let d = d.as_path();
    text(d, &["demo", "--top", "0", "-q"], 0);
    for (who, role) in [("ada", "admin"), ("erin", "engineer"), ("adam", "approver"), ("anna", "approver")] {
        text(d, &["people", "add", who, "--role", role, "--actor", "ada"], 0);
    }
    // A rule with several findings in one account; the one that wants attention last comes back later.
    let lanes = ["act-now", "urgent", "planned", "watch"];
    let mut groups: BTreeMap<(String, String), Vec<Json>> = BTreeMap::new();
    for f in lines(d, &["findings"], 0).into_iter().filter(|f| f["state"] == "open" && f["severity"] != "critical") {
        groups.entry((word(&f, "rule"), word(&f, "account"))).or_default().push(f);
    }
    let lane: BTreeMap<String, usize> = lines(d, &["findings", "sla"], 0)
        .iter()
        .map(|s| (word(s, "finding"), lanes.iter().position(|l| s["lane"] == **l).unwrap()))
        .collect();
    let ((rule, account), mut group) = groups.into_iter().find(|(_, group)| group.len() > 2).unwrap();
    let of = |f: &Json| lane.get(&word(f, "id")).or_else(|| lane.get(&word(f, "key"))).copied().unwrap();
    group.sort_by_key(of);
    let last = word(group.last().unwrap(), "id");
    let common = ["--basis", "business-need", "--justification", WHY, "--risk", RISK, "--expires", "14d"];
    let ask = |subject: &[&str], more: &[&str], code: i32| {
        let mut args = vec!["exceptions", "request"];
        args.extend(subject);
        args.extend(common);
        args.extend(["--trigger", "owner-leaves", "--actor", "erin"]);
        args.extend(more);
        text(d, &args, code)
    };
    // It waits for another decision while the selector is asked for, so the selector does not name it.
    ask(&[&last], &[], 0);
    let shown = ask(&["--rule", &rule, "--account", &account, "--covers-future"], &["-F", "text"], 0);
    let number = "EX-2026-000002".to_owned().replace("2026", &shown[shown.find("EX-").unwrap() + 3..][..4]);
    for words in [format!("{number} covers {} findings", group.len() - 1), "and what comes later".into(), rule.clone()]
    {
        assert!(shown.contains(&words), "{words}: {shown}");
    }
    assert!(!shown.contains(&last), "{shown}");
    let waits = lines(d, &["exceptions", "show", &number], 0).remove(0);
    assert_eq!(waits["decision"]["draft"]["subject"]["selector"]["selector"]["rules"], json!([rule]));
    assert_eq!(waits["decision"]["approvers_needed"], 2);
    assert_eq!(waits["matched"].as_array().unwrap().len(), group.len() - 1);
    assert!(waits["matched"].as_array().unwrap().iter().all(|f| f["state"] == "exception-requested"));
    assert_eq!((&waits["covers_future"], &waits["later"], &waits["left_open"]), (&json!(true), &json!([]), &json!([])));

    // The other request is refused, so the finding is open work again; the selector comes into force with the second yes.
    let first = number.replace("000002", "000001");
    let no = ["--note", "not for this bucket alone", "--actor", "adam"];
    text(d, &[&["exceptions", "reject", &first][..], &no].concat(), 0);
    let yes =
        |who: &str| text(d, &["exceptions", "approve", &number, "--note", "fine", "--actor", who, "-F", "text"], 0);
    assert!(yes("adam").contains("waits for 1 more"));
    assert!(yes("anna").contains(&format!("covers {} findings and what comes later", group.len() - 1)));
    let open = lines(d, &["exceptions", "show", &number], 0).remove(0);
    assert_eq!(open["left_open"][0]["id"], json!(last));
    assert!(word(&open["left_open"][0], "open_because").contains("next scan"));

    // The next scan brings it under the decision, once, with everything on the log.
    for _ in 0..2 {
        text(d, &["demo", "--top", "0", "-q"], 0);
        let after = lines(d, &["exceptions", "show", &number], 0).remove(0);
        assert_eq!(after["decision"]["draft"], open["decision"]["draft"], "what was approved stays as it was");
        assert_eq!(after["later"].as_array().unwrap().len(), 1, "{after}");
        assert_eq!((&after["later"][0]["id"], &after["later"][0]["state"]), (&json!(last), &json!("accepted")));
        assert_eq!(after["left_open"], json!([]));
    }
    assert!(text(d, &["why", &last, "-F", "text"], 0).contains(&number));
    assert_eq!(text(d, &["audit", "log", "-F", "text"], 0).matches("decision.cover").count(), 1);
    assert!(text(d, &["exceptions", "show", &number, "-F", "text"], 0).contains("1 came under it later"));
    assert!(text(d, &["exceptions", "show", &number, "-F", "csv"], 0).contains(&last));
    text(d, &["audit", "verify"], 0);
    text(d, &["exceptions", "revoke", &number, "--note", "the shop has moved to the CDN", "--actor", "adam"], 0);
    let after = lines(d, &["exceptions", "show", &number], 0).remove(0);
    assert_eq!(after["later"][0]["state"], "open");
    text(d, &["audit", "verify"], 0);

    // What is refused says what would be right: no pattern, everything, two subjects, nothing matched, no such decision.
    assert!(ask(&["--covers-future"], &[], 1).contains("a selector that names at least"));
    assert!(ask(&["--rule", "*"], &[], 1).contains("a selector that names at least"));
    assert!(ask(&[&last, "--rule", &rule], &[], 2).contains("not both of them"));
    assert!(ask(&["--rule", &rule, &last], &[], 2).contains("a finding's id"));
    assert!(ask(&["--rule", "aws.none.*"], &[], 1).contains("matches something now"));
    assert!(ask(&["--tag", "stage"], &[], 2).contains("key=value"));
    assert!(text(d, &["exceptions", "show", "EX-1999-000001"], 2).contains("exceptions list"));
    // The same as JSON lines; what nothing matches yet is allowed when it covers what comes.
    let request = json!({ "rules": ["aws.none.*"], "accounts": [account], "covers_future": true, "basis": "test",
        "justification": WHY, "risk": RISK, "expires": "10d", "triggers": ["severity-rises"] });
    std::fs::write(d.join("asks.jsonl"), format!("{request}\n")).unwrap();
    let made = lines(d, &["exceptions", "request", "--file", "asks.jsonl", "--actor", "erin"], 0).remove(0);
    assert_eq!(made["draft"]["subject"]["selector"]["matched"], json!([]));
    assert_eq!(made["draft"]["subject"]["selector"]["covers_future"], json!(true));

    // What runs out ends as of the instant one names, and the log tells that from the clock.
    let third = made["number"].as_str().unwrap().replace("000003", "000004");
    ask(&[&word(&group[0], "id")], &[], 0);
    text(d, &["exceptions", "approve", &third, "--note", "fine", "--actor", "anna"], 0);
    let day = |n: i64| made["requested_at"].as_str().unwrap().parse::<plumb_model::Time>().unwrap().plus_days(n);
    let sweep = |n: i64| lines(d, &["exceptions", "sweep", "--now", &day(n).to_string()], 0);
    assert_eq!(sweep(13), [] as [Json; 0]);
    let ended = sweep(16);
    assert_eq!((ended.len(), &ended[0]["number"], &ended[0]["status"]), (1, &json!(third), &json!("expired")));
    assert_eq!(sweep(16), [] as [Json; 0]);
    let log = lines(d, &["audit", "log"], 0);
    let entry = log.iter().find(|e| e["action"] == "decision.expire").unwrap();
    assert!(entry["at"] == day(16).to_string() && word(entry, "session").starts_with("system/clock 20"), "{entry}");
    text(d, &["audit", "verify"], 0);
    for command in [&["exceptions", "sweep"][..], &["exposure", "observe"], &["reviews", "verify"], &["cadence"]] {
        assert!(text(d, &[command, &["--now", "soon"]].concat(), 2).contains("--now"), "{command:?}");
        text(d, &[command, &["--now", &day(16).to_string()]].concat(), 0);
    }
}
