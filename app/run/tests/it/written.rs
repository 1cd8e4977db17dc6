//! What scans write is held against the log (decision 156).

use super::*;
use plumb_record::{CoverageRow, StoredResource, Unit, UnitState};

const ACCOUNT: &str = "111122223333";

fn bucket(name: &str) -> StoredResource {
    stored(name, "{\"public\":true}", "{\"Public\":true}")
}

/// A scan that reads these buckets and judges them; with `end`, to its end.
fn scan(r: &mut Record, at: Time, seen: &[(&str, Outcome)], end: bool) -> i64 {
    govern::log_scan_start(r, Some(&seal().key), "erin", &serde_json::json!({}), at).unwrap();
    let new = NewScan { started: at, judged_at: at, scope: serde_json::json!({}), rules_digest: String::new() };
    let scan: ScanId = r.begin_scan(&new).unwrap();
    let read: Vec<StoredResource> = seen.iter().map(|(name, _)| bucket(name)).collect();
    r.put_resources(scan, &read).unwrap();
    let (account, kind): (plumb_model::AccountId, plumb_model::KindId) = (ACCOUNT.into(), "aws.s3.bucket".into());
    let unit = Unit {
        account: account.clone(),
        region: "global".into(),
        kind: kind.clone(),
        state: UnitState::Complete,
        resources: seen.len(),
    };
    r.end_unit(scan, &unit).unwrap();
    let mut ingest = r.ingest(scan, at, &account, &kind).unwrap();
    for (name, outcome) in seen {
        ingest.verdict(&verdict(name, *outcome), Severity::High).unwrap();
    }
    ingest.finish(&BTreeSet::from([RULE.into()]), &BTreeSet::new()).unwrap();
    let n = |o: Outcome| i64::try_from(seen.iter().filter(|(_, s)| *s == o).count()).unwrap();
    let row = CoverageRow {
        account: ACCOUNT.into(),
        region: "global".into(),
        kind: "aws.s3.bucket".into(),
        rule: RULE.into(),
        pass: n(Outcome::Pass),
        fail: n(Outcome::Fail),
        unknown: 0,
        not_applicable: 0,
        reasons: Vec::new(),
    };
    r.put_coverage(scan, &[row]).unwrap();
    if end {
        r.end_scan(scan, "complete", Some(at), None, &serde_json::json!({})).unwrap();
        govern::log_scan_end(r, Some(&seal().key), scan.0, serde_json::json!({}), at).unwrap();
        govern::seal_scan(r, Some(&seal().key), scan.0, at).unwrap();
    }
    scan.0
}

fn day(n: i64) -> Time {
    now().plus_days(n)
}

/// Two scans: `logs` is fixed and comes back, `site` stays, `orders` is new.
fn scanned() -> Record {
    let (fail, pass) = (Outcome::Fail, Outcome::Pass);
    let mut r = Record::in_memory().unwrap();
    scan(&mut r, day(-3), &[("logs", fail), ("site", fail)], true);
    scan(&mut r, day(-2), &[("logs", pass), ("site", fail), ("orders", fail)], true);
    scan(&mut r, day(-1), &[("logs", fail), ("site", fail), ("orders", fail)], true);
    r
}

fn said(r: &Record) -> String {
    let held = govern::held(r).unwrap();
    assert!(govern::verify_log(r, &[]).unwrap().is_ok());
    held.astray.map(|a| a.what).unwrap_or_default()
}

#[test]
fn what_scans_wrote_is_named_when_it_is_changed() {
    let r = scanned();
    let held = govern::held(&r).unwrap();
    assert_eq!((held.astray, held.unsealed), (None, Vec::new()));
    let bytes = |name: &str| format!("x'{}'", id(name));
    let site = format!("UPDATE finding SET {{}} WHERE key = {}", bytes("site"));
    let step = |set: &str| format!("UPDATE transition SET {set} WHERE key = {} AND scan = 2", bytes("logs"));
    let facts = [
        "because = '[]  '",
        "severity_now = 'low'",
        "severity_open = 'low'",
        "first_seen = '2020-01-01T00:00:00Z'",
        "region = 'us-east-1'",
        "unknown_since = '2026-01-01T00:00:00Z'",
        "occurrences = 9",
        "opened_scan = 3",
    ];
    let mut cases: Vec<(String, &str)> =
        facts.iter().map(|f| (site.replace("{}", f), "is not what scan 1 left")).collect();
    cases.extend([
        (step("at = '2020-01-01T00:00:00Z'"), "has other steps than scan 2 gave it"),
        (step("reason = 'nothing to see'"), "has other steps than scan 2 gave it"),
        (step("scan = 3"), "has other steps than scan"),
        ("UPDATE coverage SET fail = 0, pass = 3".into(), "coverage of account 111122223333"),
        ("DELETE FROM coverage".into(), "coverage of account 111122223333"),
        (
            "UPDATE resource SET doc = '{\"public\":false}' WHERE name = 'site'".into(),
            "aws.s3.bucket `arn:aws:s3:::site`",
        ),
        ("UPDATE resource SET hash = x'00' WHERE name = 'site'".into(), "resources of account"),
        ("DELETE FROM resource WHERE name = 'site'".into(), "resources of account"),
        ("UPDATE resource SET misses = 2".into(), "resources of account"),
        ("UPDATE scan SET status = 'partial' WHERE id = 2".into(), "scan 2 was changed"),
        ("UPDATE scan SET judged_at = started, finished = NULL WHERE id = 1".into(), "scan 1 was changed"),
        ("UPDATE scan_wrote SET facts = zeroblob(32) WHERE id = 1".into(), "what scans wrote of findings"),
        ("DELETE FROM scan_wrote WHERE id = (SELECT max(id) FROM scan_wrote)".into(), "what scans wrote of findings"),
        ("DELETE FROM scan_wrote".into(), "what scans wrote of findings"),
    ]);
    for (statement, want) in cases {
        let mut r = scanned();
        sql(&mut r, &statement);
        assert!(said(&r).contains(want), "{statement}: {}", said(&r));
        assert!(govern::astray(&r).unwrap().is_some());
    }
    // A finding taken out with its steps, and one put in with a step, as if a scan had.
    let mut r = scanned();
    sql(&mut r, &format!("DELETE FROM transition WHERE key = {}", bytes("orders")));
    sql(&mut r, &format!("DELETE FROM finding WHERE key = {}", bytes("orders")));
    assert!(said(&r).contains("is gone, and nobody disposed of it"), "{}", said(&r));
    let mut r = scanned();
    let copied = "account, kind, 'arn:aws:s3:::other', rule, sub_key, x'ab', 'F-OTHER', region, name, state, severity_open,
                  severity_now, severity_closed, first_seen, last_seen, opened_scan, unknown_since, occurrences, because";
    let names =
        copied.replace("'arn:aws:s3:::other'", "resource").replace("x'ab'", "key").replace("'F-OTHER'", "short");
    let from = format!("FROM finding WHERE key = {}", bytes("site"));
    sql(&mut r, &format!("INSERT INTO finding ({names}) SELECT {copied} {from}"));
    sql(
        &mut r,
        "INSERT INTO transition (key, at, event, from_state, to_state, actor, reason, scan)
                 VALUES (x'ab', '2026-01-01T00:00:00Z', 'detect', 'none', 'open', 'system:scan', '', 1)",
    );
    assert!(said(&r).contains("ab is said to be of scan 1, which did not write it"), "{}", said(&r));
}

#[test]
fn records_of_earlier_builds_and_scans_cut_off_are_sound() {
    let fail = Outcome::Fail;
    // Nothing was ever sealed: said, and no fault.
    let mut r = Record::in_memory().unwrap();
    scan(&mut r, day(-9), &[("logs", fail), ("site", fail)], false);
    r.end_scan(ScanId(1), "complete", Some(day(-9)), None, &serde_json::json!({})).unwrap();
    sql(&mut r, "DELETE FROM scan_wrote");
    let held = govern::held(&r).unwrap();
    assert!(held.astray.is_none() && held.unsealed[0].contains("no scan has sealed"), "{held:?}");
    // The next scan seals what it wrote, and what was there before stays out of it.
    scan(&mut r, day(-8), &[("logs", fail), ("site", Outcome::Pass)], true);
    assert_eq!(govern::held(&r).unwrap(), govern::Held::default());
    sql(&mut r, "UPDATE finding SET first_seen = '2020-01-01T00:00:00Z' WHERE name = 'logs'");
    assert_eq!(said(&r), "");
    sql(&mut r, "UPDATE finding SET first_seen = '2020-01-01T00:00:00Z' WHERE name = 'site'");
    assert!(said(&r).contains("is not what scan 2 left"), "{}", said(&r));

    // A scan that was killed wrote some of it: said until the next one ends, and the rest is held all the same.
    let mut r = scanned();
    scan(&mut r, now(), &[("logs", fail), ("late", fail)], false);
    let held = govern::held(&r).unwrap();
    assert_eq!(held.astray, None);
    assert_eq!(held.unsealed.len(), 2, "{:?}", held.unsealed);
    assert!(held.unsealed[0].starts_with("1 changes") && held.unsealed[1].contains("accounts 111122223333"));
    sql(&mut r, "UPDATE finding SET severity_open = 'low' WHERE name = 'site'");
    assert!(said(&r).contains("is not what scan 1 left"));
    sql(&mut r, "UPDATE finding SET severity_open = 'high' WHERE name = 'site'");
    scan(&mut r, day(1), &[("logs", fail), ("late", fail)], true);
    assert_eq!(govern::held(&r).unwrap(), govern::Held::default());
}

/// What people do to findings is not what scans wrote, and an unchanged scan writes nothing of them.
#[test]
fn what_people_do_and_what_stays_needs_no_seal() {
    let mut r = furnish(scanned());
    step(&mut r, "erin", "orders", "triage", &[("team", "shop")]).unwrap();
    let before = r.count("scan_wrote").unwrap();
    let fail = Outcome::Fail;
    scan(&mut r, day(1), &[("logs", fail), ("site", fail), ("orders", fail)], true);
    assert_eq!(r.count("scan_wrote").unwrap(), before);
    let held = govern::held(&r).unwrap();
    assert_eq!(held, govern::Held::default());
    // All of it goes out and in again, and verifies there.
    let folder = std::env::temp_dir().join(format!("plumb-written-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    govern::export_record(&r, &folder.join("whole")).unwrap();
    govern::import_record(&folder.join("whole"), &folder.join("again.db"), &[]).unwrap();
    let again = Record::open(&folder.join("again.db")).unwrap();
    assert_eq!(govern::held(&again).unwrap(), govern::Held::default());
    drop(again);
    std::fs::remove_dir_all(folder).unwrap();
}
