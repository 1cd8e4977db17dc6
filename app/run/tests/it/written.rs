//! What scans write is held against the log (decision 156).

use super::*;
use plumb_record::{AbroadRow, CoverageRow, CutRow, ExposureRow, LaneRow, PathRow, StoredResource, Unit, UnitState};

const ACCOUNT: &str = "111122223333";
/// An account that scans do not read, and in which ways may end all the same.
const BEYOND: &str = "444455556666";

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
    assessed(r, scan, at);
    if end {
        r.end_scan(scan, "complete", Some(at), None, &serde_json::json!({})).unwrap();
        govern::log_scan_end(r, Some(&seal().key), scan.0, serde_json::json!({}), at).unwrap();
        govern::seal_scan(r, Some(&seal().key), scan.0, at).unwrap();
    }
    scan.0
}

/// What a scan's end finds out beside verdicts: exposures, principals, paths, lanes, the accounts themselves.
fn assessed(r: &mut Record, scan: ScanId, at: Time) {
    let exposure = ExposureRow {
        account: ACCOUNT.into(),
        region: "global".into(),
        kind: "aws.s3.bucket".into(),
        resource: "arn:aws:s3:::site".into(),
        name: "site".into(),
        class: "internet".into(),
        at_most: None,
        proof: Vec::new(),
        needs: Vec::new(),
        openings: Vec::new(),
        actions: Vec::new(),
        outside_accounts: Vec::new(),
    };
    r.put_exposures(scan, ACCOUNT, [Ok(exposure)], &BTreeSet::new()).unwrap();
    let ann = serde_json::json!({"class": "human", "admin": true});
    r.put_principals(scan, ACCOUNT, [Ok(("arn:aws:iam::111122223333:user/ann".to_owned(), ann))]).unwrap();
    let family = |account: &str| PathRow {
        account: account.into(),
        family: "internet > bucket".into(),
        title: "The internet reaches site".into(),
        severity: "critical".into(),
        certain: true,
        accounts: Vec::new(),
        earlier: std::collections::BTreeMap::new(),
        path: vec!["internet".into(), "site".into()],
        steps: Vec::new(),
        goals: Vec::new(),
        paths: Vec::new(),
    };
    let cut = CutRow {
        from: "internet".into(),
        to: "site".into(),
        kind: "policy".into(),
        kills: 1,
        total: 1,
        because: Vec::new(),
    };
    r.put_paths(scan, scan, ACCOUNT, &[family(ACCOUNT)], &[cut], true, &[]).unwrap();
    r.put_paths(scan, ScanId(1), BEYOND, &[family(BEYOND)], &[], true, &[format!("as scan {} said", scan.0)]).unwrap();
    let abroad = AbroadRow {
        account: ACCOUNT.into(),
        arn: "arn:aws:iam::111122223333:user/ann".into(),
        into_account: BEYOND.into(),
        state: "yes".into(),
        steps: Vec::new(),
        reason: String::new(),
    };
    r.put_abroad(scan, &[abroad]).unwrap();
    let account = |id: &str, state: &str| plumb_record::AccountRow {
        id: id.into(),
        provider: "aws".into(),
        name: id.into(),
        state: state.into(),
        reason: String::new(),
        doc: serde_json::json!({}),
    };
    r.put_accounts(&[account(ACCOUNT, "active"), account(BEYOND, "unreachable")]).unwrap();
    let points = i64::from(u8::try_from(scan.0).unwrap()) * 10;
    let lane = LaneRow {
        at: at.to_string(),
        lane: 1,
        exploited: false,
        due: None,
        points,
        policy: "score/1".into(),
        scan: Some(scan.0),
    };
    r.atomically(|db| plumb_record::put_lane(db, &id("site"), &lane)).unwrap();
    let run = serde_json::json!({"account": ACCOUNT, "inputs_digest": "ab", "counts": [1, 2, 0, 0]});
    r.put_document("baseline-run", &format!("{:08}/{ACCOUNT}", scan.0), 0, &run).unwrap();
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
        // What the assessment found, and what it rests on.
        ("UPDATE unit SET state = 'incomplete' WHERE scan = 3".into(), "units of account 111122223333"),
        ("DELETE FROM unit WHERE scan = 3".into(), "units of account 111122223333"),
        ("UPDATE exposure SET class = 'internal'".into(), "exposures of account 111122223333"),
        ("UPDATE exposure_change SET to_class = 'internal'".into(), "changes of exposures of account 111122223333"),
        ("UPDATE principal SET doc = '{}'".into(), "principals of account 111122223333"),
        ("DELETE FROM principal".into(), "principals of account 111122223333"),
        ("UPDATE path SET severity = 'medium' WHERE account = '111122223333'".into(), "paths of account 111122223333"),
        ("UPDATE path SET gone_scan = 2 WHERE account = '444455556666'".into(), "paths of account 444455556666"),
        ("DELETE FROM path_cut".into(), "cuts of paths of account 111122223333"),
        ("UPDATE assessed SET limits = '[]'".into(), "limits of the assessment of account 444455556666"),
        ("DELETE FROM admin_abroad".into(), "who administers other accounts changed"),
        ("UPDATE account SET state = 'active'".into(), "the accounts changed"),
        ("DELETE FROM account WHERE state <> 'active'".into(), "the accounts changed"),
        ("UPDATE finding_lane SET lane = 3 WHERE n = 2".into(), "has a lane that no score gave it"),
        ("UPDATE finding_lane SET at = '2026-12-01T00:00:00Z' WHERE n = 1".into(), "has a lane that no score gave it"),
        ("DELETE FROM finding_lane WHERE n = 3".into(), "lacks a lane that its score gave it"),
        ("DELETE FROM finding_lane".into(), "lacks a lane that its score gave it"),
        (
            "INSERT INTO finding_lane SELECT key, 4, at, 3, 0, 0, policy, NULL, NULL FROM finding_lane WHERE n = 3"
                .into(),
            "has a lane that no score gave it",
        ),
        (
            "UPDATE document SET doc = '{}' WHERE collection = 'baseline-run'".into(),
            "baseline-run/00000001/111122223333 was",
        ),
        ("DELETE FROM document WHERE collection = 'baseline-run'".into(), "baseline-run/00000001/111122223333 is gone"),
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

/// What people keep beside objects of the log: promises, papers, who has left.
#[test]
fn documents_of_no_object_are_named_when_they_are_changed() {
    let kept = || {
        let mut r = furnish(scanned());
        let adam = session(&r, "adam", now());
        govern::note_done(&mut r, &adam, "exception-review", "", "12 decisions looked at").unwrap();
        let left = plumb_govern::review::PersonRow { logins: ["zoe".to_owned()].into(), active: false };
        govern::import_people(&mut r, &adam, &[left], "hr").unwrap();
        scan(&mut r, now(), &[("site", Outcome::Fail)], true);
        r
    };
    let held = govern::held(&kept()).unwrap();
    assert_eq!(held, govern::Held::default());
    let forged = "INSERT INTO document SELECT collection, 'programme-review//forged', 1, doc FROM document
                  WHERE collection = 'cadence'";
    for (statement, want) in [
        ("UPDATE document SET doc = replace(doc, '12', '40') WHERE collection = 'cadence'", "was changed outside"),
        ("DELETE FROM document WHERE collection = 'cadence'", "is gone"),
        ("UPDATE document SET doc = replace(doc, 'false', 'true') WHERE collection = 'standing'", "standing/zoe"),
        (forged, "`cadence` holds 2 documents, of which 1 are of no entry of the log"),
    ] {
        let mut r = kept();
        sql(&mut r, statement);
        assert!(said(&r).contains(want), "{statement}: {}", said(&r));
    }
}

/// A scan of one account that was cut off, then one of another: nobody touched the first, and nobody says so.
#[test]
fn what_a_scan_wrote_that_was_cut_off_comes_under_the_next_entry() {
    let mut r = scanned();
    scan(&mut r, now(), &[("logs", Outcome::Fail), ("late", Outcome::Fail)], false);
    let at = day(1);
    govern::log_scan_start(&mut r, Some(&seal().key), "erin", &serde_json::json!({}), at).unwrap();
    let new = NewScan { started: at, judged_at: at, scope: serde_json::json!({}), rules_digest: String::new() };
    let other: ScanId = r.begin_scan(&new).unwrap();
    let unit = Unit {
        account: BEYOND.into(),
        region: "global".into(),
        kind: "aws.s3.bucket".into(),
        state: UnitState::Complete,
        resources: 0,
    };
    r.end_unit(other, &unit).unwrap();
    r.end_scan(other, "complete", Some(at), None, &serde_json::json!({})).unwrap();
    govern::log_scan_end(&mut r, Some(&seal().key), other.0, serde_json::json!({}), at).unwrap();
    govern::seal_scan(&mut r, Some(&seal().key), other.0, at).unwrap();
    assert_eq!(govern::held(&r).unwrap(), govern::Held::default());
    sql(&mut r, "UPDATE resource SET misses = 2 WHERE name = 'late'");
    assert!(said(&r).contains("resources of account 111122223333"), "{}", said(&r));
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
    assert!(held.unsealed[0].starts_with("2 changes") && held.unsealed[1].contains("accounts 111122223333"));
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
    // Of what stays nothing is written; the lane that its score moved is.
    assert_eq!(r.count("scan_wrote").unwrap(), before + 1);
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
