//! Clocks go by the lane of the score, from when it was known (O05, G14, record specification 6.4).

use super::{catalog, furnish, id, now, seal, session, sound, step, world};
use plumb_govern::policy::{Lane, Policy};
use plumb_model::Time;
use plumb_record::{ExposureRow, Record, ScanId};
use plumb_run::govern::{self, LanesKept, Life, Session};
use std::collections::BTreeSet;

/// Puts on record how the bucket of orders stands towards the outside.
pub fn stands(r: &mut Record, class: &str) {
    let row = ExposureRow {
        account: "111122223333".into(),
        region: "eu-west-1".into(),
        kind: "aws.s3.bucket".into(),
        resource: "arn:aws:s3:::orders".into(),
        name: "orders".into(),
        class: class.into(),
        at_most: None,
        proof: Vec::new(),
        needs: Vec::new(),
        openings: Vec::new(),
        actions: Vec::new(),
        outside_accounts: Vec::new(),
    };
    r.put_exposures(ScanId(1), "111122223333", [Ok(row)], &BTreeSet::new()).unwrap();
}

fn keep(r: &mut Record, scan: i64, at: Time) -> (usize, usize) {
    let system = Session::system("score", Some(seal().key), at);
    let LanesKept { looked, first, moved } = govern::keep_scores(r, &catalog(), &system, Some(scan), false).unwrap();
    assert_eq!(looked, 3);
    (first, moved)
}

fn life(r: &Record) -> Life {
    govern::load_life(r, &catalog(), &r.finding(&id("orders")).unwrap(), &Policy::default()).unwrap().1
}

/// Lane, due date, and how often the date was missed as things stand at `at`.
#[track_caller]
fn check(r: &Record, at: Time, lane: Lane, due: Time, breached: bool) {
    let found = life(r).finding;
    let clock = found.clock();
    let start = now().plus_days(-1);
    assert_eq!((found.facts.lane(), clock.started(), clock.due(at)), (lane, start, Some(due)));
    assert_eq!(clock.is_breached(at), breached);
}

#[test]
fn a_clock_goes_by_the_lane_of_the_score_and_never_moves_into_the_past() {
    let mut r = world();
    let start = now().plus_days(-1);
    check(&r, now(), Lane::Urgent, start.plus_days(30), false);
    let timing = life(&r).timing;
    assert!(!timing.scored && timing.by.contains("severity high") && timing.by.contains("not known"), "{timing:?}");
    // The scan that found it says at its end that much is not known: planned, and so from the beginning.
    let before = govern::entries(&r, 0).count();
    assert_eq!(keep(&mut r, 1, now()), (3, 0));
    check(&r, now(), Lane::Planned, start.plus_days(90), false);
    let timing = life(&r).timing;
    assert!(timing.scored && timing.by.starts_with("score ") && timing.changes.is_empty(), "{timing:?}");
    assert_eq!(keep(&mut r, 1, now()), (0, 0));
    assert_eq!(govern::entries(&r, 0).count(), before + 1, "what says nothing new is not written");
    // After 50 days everybody can reach it. Thirty days from the start have passed: it is due at once, not before.
    stands(&mut r, "internet");
    let found = now().plus_days(50);
    assert_eq!(keep(&mut r, 2, found), (0, 1));
    check(&r, found, Lane::Urgent, found, false);
    check(&r, found.plus_days(1), Lane::Urgent, found, true);
    let change = life(&r).timing.changes.pop().unwrap();
    assert_eq!((change.at, change.from, change.to), (found, Lane::Planned, Lane::Urgent));
    let last = govern::entries(&r, 0).last().unwrap().unwrap();
    let entry: serde_json::Value = serde_json::from_slice(&last.bytes).unwrap();
    assert_eq!((&entry["action"], &entry["object_id"]), (&"finding.lane".into(), &"2".into()));
    assert_eq!(entry["change"]["findings"], serde_json::json!([id("orders")]));
    assert_eq!((&entry["change"]["from"], &entry["change"]["to"]), (&"planned".into(), &"urgent".into()));
    // Closed off again after its date: the lane falls, the missed date stays missed.
    stands(&mut r, "internal");
    let closed = now().plus_days(60);
    assert_eq!(keep(&mut r, 3, closed), (0, 1));
    check(&r, closed, Lane::Planned, found, true);
    assert_eq!(life(&r).finding.clock().breaches().len(), 1);
    assert!(sound(&r).is_ok());
}

#[test]
fn what_went_by_its_severity_changes_only_from_the_first_score_on_and_work_goes_on() {
    let mut r = world();
    step(&mut r, "erin", "orders", "triage", &[("team", "shop")]).unwrap();
    let start = now().plus_days(-1);
    check(&r, now(), Lane::Urgent, start.plus_days(30), false);
    // The scan that found it kept no score; a later one does, when the date has passed.
    let late = now().plus_days(40);
    assert_eq!(keep(&mut r, 2, late), (3, 0));
    check(&r, late, Lane::Planned, start.plus_days(30), true);
    assert_eq!(life(&r).timing.changes.len(), 1);
    // What somebody did is folded with it, and kept again.
    let erin = session(&r, "erin", late);
    let fields = [("person", "erin"), ("plan", "SEC-1")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    govern::transition(&mut r, &catalog(), &erin, &id("orders"), "start", "", &fields).unwrap();
    assert_eq!(life(&r).lanes, 1);
    check(&r, late, Lane::Planned, start.plus_days(30), true);
    assert!(sound(&r).is_ok());
}

/// G14: what CISA wants fixed by a day is due by that day, and says so.
#[test]
fn a_clock_keeps_the_date_of_the_catalogue_of_exploited_weaknesses() {
    let mut r = world();
    let start = now().plus_days(-1);
    let catalogue = |day: i64| {
        let due = now().plus_days(day).date();
        serde_json::json!({ "catalogVersion": format!("2026.12.{:02}", day + 1), "dateReleased": "2026-12-01T00:00:00Z",
            "vulnerabilities": [{ "cveID": "CVE-2026-0001", "vendorProject": "V", "product": "P", "dateAdded": "2026-01-01",
                "dueDate": due, "knownRansomwareCampaignUse": "Unknown" }] })
        .to_string()
    };
    let take = |r: &mut Record, day: i64| {
        let bytes = catalogue(day).into_bytes();
        plumb_run::feeds::import_feed(r, plumb_run::feeds::FeedFile::Kev, "kev.json", bytes, now()).unwrap();
    };
    let flaws = "resource,cve\narn:aws:s3:::orders,CVE-2026-0001\n";
    plumb_run::scores::import_vulnerabilities(&mut r, flaws.as_bytes(), now()).unwrap();
    // Everybody can reach it: without the date it would be due three days after it was found.
    take(&mut r, 1);
    assert_eq!(keep(&mut r, 1, now()), (3, 0));
    let wanted = now().plus_days(1).date();
    let found = life(&r);
    assert_eq!(found.finding.clock().due(now()).unwrap().date(), wanted);
    assert!(found.timing.by.contains(&format!("wanted fixed by {wanted}")), "{}", found.timing.by);
    assert_eq!(r.lane(&id("orders")).unwrap().unwrap().due.unwrap().get(..10), Some(wanted.as_str()));
    // Where a newer edition gives a later date, the limit stands.
    take(&mut r, 9);
    keep(&mut r, 2, now().plus_days(1));
    assert!(life(&r).finding.clock().due(now()).unwrap() <= start.plus_days(3));
    assert!(sound(&r).is_ok() && govern::astray(&r).unwrap().is_none());
}

#[test]
fn lanes_and_principals_leave_and_come_back_with_the_record() {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("lanes");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let mut r = furnish(Record::open(&dir.join("a.db")).unwrap());
    keep(&mut r, 1, now());
    let ann = ("arn:aws:iam::111122223333:user/ann".to_owned(), serde_json::json!({ "class": "human", "admin": true }));
    r.put_principals(ScanId(1), "111122223333", [Ok(ann)]).unwrap();
    let out = govern::export_record(&r, &dir.join("all")).unwrap();
    assert_eq!((out.rows["principal"], out.rows["finding-lane"]), (1, 3));
    let back = govern::import_record(&dir.join("all"), &dir.join("b.db"), &[]).unwrap();
    assert_eq!(back, out);
    let b = Record::open(&dir.join("b.db")).unwrap();
    let ask = "SELECT p.arn, p.admin, (SELECT count(*) FROM lanes) FROM principals p";
    assert_eq!(b.query(ask).unwrap(), r.query(ask).unwrap());
    assert_eq!(life(&b), life(&r));
    // An export of an earlier build has neither; what it has comes in.
    for name in ["principal", "finding-lane"] {
        for ending in ["jsonl", "csv"] {
            std::fs::remove_file(dir.join(format!("all/tables/{name}.{ending}"))).unwrap();
        }
    }
    let list = dir.join("all/export.json");
    let mut listing: serde_json::Value = serde_json::from_slice(&std::fs::read(&list).unwrap()).unwrap();
    listing["files"].as_object_mut().unwrap().retain(|name, _| !name.contains("principal") && !name.contains("lane"));
    std::fs::write(&list, listing.to_string()).unwrap();
    govern::import_record(&dir.join("all"), &dir.join("c.db"), &[]).unwrap();
    assert!(Record::open(&dir.join("c.db")).unwrap().lanes(&id("orders")).unwrap().is_empty());
}
