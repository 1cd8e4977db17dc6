//! The store: an older format is read, pages and counts agree with rows, and partial runs close nothing (group 4).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use plumb_model::{Outcome, Severity, Time, Verdict};
use plumb_record::{
    Change, Disposable, FORMAT, NewScan, Query, Record, RecordError, ScanId, StoredResource, TABLES, TransitionRow,
    Unit, UnitState, dispose, restore,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

const ACCOUNT: &str = "111122223333";
const KIND: &str = "aws.s3.bucket";
const RULES: [&str; 2] = ["aws.s3.bucket.public-access-blocked", "aws.s3.bucket.versioned"];

fn at(day: i64) -> Time {
    "2026-11-01T00:00:00Z".parse::<Time>().unwrap().plus_days(day)
}

fn verdict(rule: &str, name: &str, outcome: Outcome) -> Verdict {
    Verdict {
        rule: rule.into(),
        kind: KIND.into(),
        account: ACCOUNT.into(),
        region: "eu-west-1".into(),
        resource: format!("arn:aws:s3:::{name}").as_str().into(),
        name: name.into(),
        sub_key: "".into(),
        outcome,
        needs: Vec::new(),
        because: Vec::new(),
    }
}

/// A scan of buckets; `unread` says that the region's list was cut off.
fn scan(
    record: &mut Record,
    day: i64,
    present: &[&str],
    unread: bool,
    seen: &[(&str, &str, Outcome, Severity)],
) -> BTreeMap<Change, usize> {
    let new =
        NewScan { started: at(day), judged_at: at(day), scope: serde_json::json!({}), rules_digest: String::new() };
    let scan: ScanId = record.begin_scan(&new).unwrap();
    let resources: Vec<StoredResource> = present
        .iter()
        .map(|name| StoredResource {
            account: ACCOUNT.into(),
            kind: KIND.into(),
            id: format!("arn:aws:s3:::{name}"),
            unit: "eu-west-1".into(),
            region: "eu-west-1".into(),
            name: (*name).into(),
            doc: format!("{{\"tags\":{{\"stack\":\"{name}\"}},\"day\":{day}}}"),
            raw: "{}".into(),
        })
        .collect();
    record.put_resources(scan, &resources).unwrap();
    let gap = plumb_model::Unknown::new(plumb_model::Reason::NotAsked, "s3:ListBuckets");
    let unit = Unit {
        account: ACCOUNT.into(),
        region: "eu-west-1".into(),
        kind: KIND.into(),
        state: if unread { UnitState::Incomplete(gap) } else { UnitState::Complete },
        resources: present.len(),
    };
    record.end_unit(scan, &unit).unwrap();
    let mut ingest = record.ingest(scan, at(day), &ACCOUNT.into(), &KIND.into()).unwrap();
    for (rule, name, outcome, severity) in seen {
        ingest.verdict(&verdict(rule, name, *outcome), *severity).unwrap();
    }
    let unread = if unread { BTreeSet::from(["eu-west-1".to_owned()]) } else { BTreeSet::new() };
    let out = ingest.finish(&RULES.map(Into::into).into(), &unread).unwrap();
    record.end_scan(scan, "complete", Some(at(day)), None, &serde_json::json!({})).unwrap();
    out
}

fn folder(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

fn number(record: &Record, sql: &str) -> i64 {
    record.query(sql).unwrap().rows[0][0].as_i64().unwrap()
}

const LANES: &str = include_str!("../../src/lanes.sql");

#[test]
fn several_may_begin_one_record_at_once() {
    for round in 0..20 {
        let path = folder(&format!("at-once-{round}")).join("record.db");
        let start = std::sync::Barrier::new(6);
        std::thread::scope(|threads| {
            let open: Vec<_> = (0..6)
                .map(|n| {
                    let (path, start) = (&path, &start);
                    threads.spawn(move || {
                        start.wait();
                        // Two of the six only read, as commands do that wait for a scan to begin.
                        if n < 4 { Record::open(path) } else { Record::open_read_only(path) }
                    })
                })
                .collect();
            for (n, one) in open.into_iter().enumerate() {
                match one.join().unwrap() {
                    Ok(record) => assert!(record.is_empty().unwrap(), "{round}.{n}"),
                    Err(error) => assert!(n >= 4 && matches!(error, RecordError::Missing(_)), "{round}.{n}: {error:?}"),
                }
            }
        });
        assert!(Record::open_read_only(&path).unwrap().is_empty().unwrap());
    }
}

#[test]
fn reading_makes_no_record_of_an_empty_file() {
    let path = folder("empty-file").join("record.db");
    std::fs::write(&path, "").unwrap();
    assert!(matches!(Record::open_read_only(&path), Err(RecordError::Missing(_))));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    assert!(Record::open(&path).is_ok());
}

#[test]
fn a_record_of_format_1_is_migrated_and_reads_the_same() {
    let path = folder("format-1").join("record.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(include_str!("format-1.sql")).unwrap();
    // What later builds made beside its tables; their views speak of tables that the migration makes anew.
    for beside in [include_str!("../../src/assessed.sql"), include_str!("../../src/identities.sql"), LANES] {
        old.execute_batch(beside).unwrap();
    }
    // The builds that made its lanes knew no due dates.
    old.execute_batch("ALTER TABLE finding_lane DROP COLUMN due").unwrap();
    let lane = "INSERT INTO finding_lane SELECT key, 1, '2026-01-01T00:00:00Z', 2, 0, 100, 'p', 1 FROM finding";
    let laned = old.execute(lane, []).unwrap();
    let states: BTreeMap<String, i64> = {
        let mut s = old.prepare("SELECT state, count(*) FROM finding GROUP BY 1").unwrap();
        s.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let resources = "SELECT count(*) || ' ' || sum(first_scan + changed_scan + seen_scan + misses) || ' ' || \
                     group_concat(id || region || name || doc || hex(raw) || hex(hash)) \
                     FROM (SELECT * FROM resource ORDER BY account, kind, id)";
    let kept: String = old.query_row(resources, [], |r| r.get(0)).unwrap();
    drop(old);
    // Opened for reading by several at once, as commands do.
    let others: Vec<Record> = (0..3).map(|_| Record::open_read_only(&path).unwrap()).collect();
    let record = Record::open(&path).unwrap();
    assert_eq!(number(&record, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'format'"), FORMAT);
    assert!(states.contains_key("exception-requested") && states.contains_key("in-remediation"), "{states:?}");
    for (state, n) in &states {
        let query = Query { states: vec![state.clone()], ..Query::default() };
        assert_eq!(i64::try_from(record.findings(&query).unwrap().len()).unwrap(), *n, "{state}");
        let counted = format!("SELECT coalesce(sum(findings), 0) FROM rollups WHERE state = '{state}'");
        assert_eq!(number(&record, &counted), *n, "{state}");
    }
    assert_eq!(record.query(resources).unwrap().rows[0][0].as_str(), Some(kept.as_str()));
    let laned = i64::try_from(laned).unwrap();
    assert_eq!(number(&record, "SELECT count(*) FROM lanes WHERE finding IS NOT NULL"), laned, "lanes lost findings");
    assert_eq!(
        number(&record, "SELECT count(*) FROM exposures") + number(&record, "SELECT count(*) FROM principals"),
        0
    );
    let row = &record.findings(&Query::default()).unwrap()[0];
    assert!(!record.history(&row.key).unwrap().is_empty());
    assert_eq!(others[0].findings(&Query::default()).unwrap().len(), record.findings(&Query::default()).unwrap().len());
    assert_eq!(record.activity(0, 100).unwrap().len(), 10);
    // A record of a format still to come is refused with words.
    drop((others, record));
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.execute("UPDATE meta SET value = '99' WHERE key = 'format'", []).unwrap();
    drop(newer);
    assert!(matches!(Record::open(&path), Err(RecordError::Format { why, .. }) if why.contains("use a newer plumb")));
}

/// Group 4: a finding is one by rule, account, resource and part; and what was not looked at completely closes nothing.
#[test]
fn a_changed_severity_is_the_same_finding_and_a_partial_run_closes_nothing() {
    use Outcome::{Fail, Pass, Unknown};
    let mut r = Record::in_memory().unwrap();
    let rule = RULES[0];
    let high = |name: &'static str, o| (rule, name, o, Severity::High);
    scan(&mut r, 0, &["a", "b"], false, &[high("a", Fail), high("b", Fail)]);
    let changes = scan(&mut r, 1, &["a", "b"], false, &[(rule, "a", Fail, Severity::Critical), high("b", Fail)]);
    assert_eq!(changes, BTreeMap::from([(Change::Same, 2)]));
    let rows = r.findings(&Query::default()).unwrap();
    let severities: Vec<(&str, &str)> = rows.iter().map(|f| (f.severity.as_str(), f.severity_open.as_str())).collect();
    assert_eq!(severities, [("critical", "high"), ("high", "high")]);
    // b is not on a list that was cut off, and a cannot be judged: both stay open, as stale.
    for day in 2..5 {
        scan(&mut r, day, &["a"], true, &[high("a", Unknown)]);
    }
    let rows = r.findings(&Query::default()).unwrap();
    assert_eq!(
        rows.iter().map(|f| (f.state.as_str(), f.unknown_since.is_some())).collect::<Vec<_>>(),
        [("open", true); 2]
    );
    // One complete read without b is not enough, two are; a passes.
    scan(&mut r, 5, &["a"], false, &[high("a", Pass)]);
    assert_eq!(r.findings(&Query::default()).unwrap().len(), 1);
    let changes = scan(&mut r, 6, &["a"], false, &[high("a", Pass)]);
    assert_eq!(changes, BTreeMap::from([(Change::Gone, 1)]));
    let changes = scan(&mut r, 7, &["a", "b"], false, &[high("a", Pass), high("b", Fail)]);
    assert_eq!(changes, BTreeMap::from([(Change::Reopened, 1)]));
    assert_eq!(r.findings(&Query::default()).unwrap()[0].occurrences, 2);
    assert_eq!(number(&r, "SELECT coalesce(sum(n), 0) FROM finding_count WHERE state = 'open'"), 1);
}

#[test]
fn a_page_holds_the_worst_in_order_whatever_the_states_and_filters() {
    let mut r = Record::in_memory().unwrap();
    let names: Vec<String> = (0..30).map(|i| format!("n{i:02}")).collect();
    let present: Vec<&str> = names.iter().map(String::as_str).collect();
    let all = [Severity::Low, Severity::Critical, Severity::Medium, Severity::High, Severity::Info];
    let seen: Vec<_> =
        present.iter().enumerate().map(|(i, n)| (RULES[i % 2], *n, Outcome::Fail, all[i % all.len()])).collect();
    scan(&mut r, 0, &present, false, &seen);
    let keys: Vec<String> = r.findings(&Query::default()).unwrap().into_iter().map(|f| f.key).collect();
    for (i, key) in keys.iter().enumerate().filter(|(i, _)| i % 3 == 0) {
        let step = TransitionRow {
            at: at(1).to_string(),
            event: "triage".into(),
            from: "open".into(),
            to: "triaged".into(),
            actor: "erin".into(),
            reason: i.to_string(),
            scan: None,
        };
        r.move_finding(key, &step).unwrap();
        assert!(r.move_finding(key, &step).is_err(), "it is not open any more");
        assert_eq!(r.history(key).unwrap().len(), 2);
    }
    let whole = r.findings(&Query::default()).unwrap();
    let order: Vec<(usize, &str, &str)> = whole
        .iter()
        .map(|f| {
            let rank = ["critical", "high", "medium", "low", "info"].iter().position(|s| *s == f.severity).unwrap();
            (rank, f.rule.as_str(), f.resource.as_str())
        })
        .collect();
    assert!(order.is_sorted(), "{order:?}");
    for n in [1, 7, 30, 99] {
        let page = r.findings(&Query { limit: Some(n), ..Query::default() }).unwrap();
        assert_eq!(page, whole[..n.min(30)], "a page is the beginning of the whole");
        let mine = r.findings(&Query { limit: Some(n), account: Some(ACCOUNT.into()), ..Query::default() }).unwrap();
        assert_eq!(mine, page);
    }
    let some = Query {
        states: vec!["triaged".into()],
        at_least: Some(Severity::High),
        rules: BTreeSet::from([RULES[1].into()]),
        region: Some("eu-west-1".into()),
        ..Query::default()
    };
    let want: Vec<_> = whole
        .iter()
        .filter(|f| f.state == "triaged" && ["critical", "high"].contains(&f.severity.as_str()) && f.rule == RULES[1])
        .cloned()
        .collect();
    assert_eq!(r.findings(&some).unwrap(), want);
    assert!(r.findings(&Query { states: vec!["nonsense".into()], ..Query::default() }).unwrap().is_empty());
    let by_severity: i64 = r.open_by_severity().unwrap().values().sum();
    assert_eq!(by_severity, 30);
    assert_eq!(r.finding(&whole[0].id).unwrap(), whole[0]);
    assert_eq!(r.finding(&whole[0].key).unwrap(), whole[0]);
    assert_eq!(r.tags(ACCOUNT, KIND, "arn:aws:s3:::n03").unwrap(), [("stack".to_owned(), "n03".to_owned())]);
}

#[test]
fn rows_go_out_and_in_and_what_is_open_is_not_disposed_of() {
    let mut r = Record::in_memory().unwrap();
    let of = |name: &'static str, o| (RULES[0], name, o, Severity::High);
    scan(&mut r, 0, &["a", "b"], false, &[of("a", Outcome::Fail), of("b", Outcome::Fail)]);
    scan(&mut r, 1, &["a", "b"], false, &[of("a", Outcome::Pass), of("b", Outcome::Fail)]);
    let rows = |r: &Record, table: &str| {
        let mut out = Vec::new();
        r.each_row::<RecordError>(table, |row| {
            out.push(row);
            Ok(())
        })
        .unwrap();
        out
    };
    let mut other = Record::in_memory().unwrap();
    for table in TABLES {
        let taken = rows(&r, table);
        assert_eq!(i64::try_from(taken.len()).unwrap(), r.count(table).unwrap(), "{table}");
        other.atomically(|db| restore(db, table, taken.clone().into_iter().map(Ok))).unwrap();
        assert_eq!(rows(&other, table), taken, "{table}");
    }
    assert_eq!(other.open_by_severity().unwrap(), r.open_by_severity().unwrap());
    let wrong = serde_json::json!({ "id": "x" });
    assert!(other.atomically(|db| restore(db, "rule", std::iter::once(Ok(wrong)))).is_err());
    assert!(r.each_row::<RecordError>("sqlite_master", |_| Ok(())).is_err());
    let key = |name| verdict(RULES[0], name, Outcome::Fail).key().hex();
    let go = |r: &mut Record, what: Disposable| r.atomically(|db| dispose(db, &what));
    assert!(go(&mut r, Disposable::Finding(key("b"))).is_err(), "it is open");
    assert!(go(&mut r, Disposable::Finding(key("a"))).unwrap());
    assert!(!go(&mut r, Disposable::Finding(key("a"))).unwrap());
    assert_eq!(number(&r, "SELECT coalesce(sum(n), 0) FROM finding_count"), 1);
    let version = Disposable::Version(ACCOUNT.into(), KIND.into(), "arn:aws:s3:::a".into(), 1);
    assert!(go(&mut r, version).unwrap());
}
