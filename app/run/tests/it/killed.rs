//! A process that is killed at any point of an ingest or a transition loses nothing it acknowledged, and leaves a record
//! that opens and verifies. The children are this test binary again.

use super::{RULE, catalog, furnish, now, seal, verdict};
use plumb_model::{Outcome, Severity};
use plumb_record::{NewScan, Record, StoredResource, Unit, UnitState};
use plumb_run::govern::{self};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

const WORK: &str = "PLUMB_TEST_WORK";
const RECORD: &str = "PLUMB_TEST_RECORD";

/// What the child does, for ever; a line is written only after the record said that it is kept.
#[test]
fn child() {
    let (Ok(work), Ok(path)) = (std::env::var(WORK), std::env::var(RECORD)) else { return };
    let mut record = Record::open(Path::new(&path)).unwrap();
    let said = |line: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "kept {line}").unwrap();
        out.flush().unwrap();
    };
    match work.as_str() {
        "ingest" => ingest(&mut record, &said),
        _ => transitions(&mut record, &said),
    }
}

fn ingest(record: &mut Record, said: &dyn Fn(String)) {
    let begin = record.scan(None).unwrap().id.0;
    for round in begin.. {
        let at = now().plus_days(round);
        let new = NewScan { started: at, judged_at: at, scope: serde_json::json!({}), rules_digest: String::new() };
        let scan = record.begin_scan(&new).unwrap();
        let (account, kind) = ("111122223333".into(), "aws.s3.bucket".into());
        let resources: Vec<StoredResource> = (0..40)
            .map(|i| StoredResource {
                account: "111122223333".into(),
                kind: "aws.s3.bucket".into(),
                id: format!("arn:aws:s3:::b{i}"),
                unit: "global".into(),
                region: "eu-west-1".into(),
                name: format!("b{i}"),
                doc: format!("{{\"round\":{round}}}"),
                raw: "{}".into(),
            })
            .collect();
        record.put_resources(scan, &resources).unwrap();
        let unit = Unit {
            account: "111122223333".into(),
            region: "global".into(),
            kind: "aws.s3.bucket".into(),
            state: UnitState::Complete,
            resources: 40,
        };
        record.end_unit(scan, &unit).unwrap();
        let mut ingest = record.ingest(scan, at, &account, &kind).unwrap();
        for i in 0..40 {
            // Each round another half fails, so that every ingest opens, closes and reopens.
            let outcome = if (i + round) % 2 == 0 { Outcome::Fail } else { Outcome::Pass };
            ingest.verdict(&verdict(&format!("b{i}"), outcome), Severity::High).unwrap();
        }
        ingest.finish(&BTreeSet::from([RULE.into()]), &BTreeSet::new()).unwrap();
        record.end_scan(scan, "complete", Some(at), None, &serde_json::json!({})).unwrap();
        said(format!("{}", scan.0));
    }
}

fn transitions(record: &mut Record, said: &dyn Fn(String)) {
    let catalog = catalog();
    let rows = record.findings(&plumb_record::Query::default()).unwrap();
    for row in rows {
        let session = govern::identify(record, "erin", None, Some(seal().key), now()).unwrap();
        let fields = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let steps = [
            ("open", "triage", fields(&[("team", "shop")])),
            ("triaged", "start", fields(&[("person", "erin"), ("plan", "SEC-1")])),
            ("in-remediation", "claim-fixed", fields(&[("reference", "pull 7")])),
        ];
        for (from, event, fields) in steps {
            if record.finding(&row.key).unwrap().state != from {
                continue;
            }
            let life = govern::transition(record, &catalog, &session, &row.key, event, "", &fields).unwrap();
            said(format!("{} {}", row.key, life.finding.seq()));
        }
    }
}

/// Runs the child until it has acknowledged `acks` things and a little longer, and kills it. Returns what it said.
fn killed(work: &str, path: &Path, acks: usize, longer: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child", "--nocapture"])
        .env(WORK, work)
        .env(RECORD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    while said.len() < acks {
        let Some(line) = lines.next() else { break };
        // The test harness writes its own words before the first line.
        if let Some((_, kept)) = line.unwrap().split_once("kept ") {
            said.push(kept.to_owned());
        }
    }
    for _ in 0..longer {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it still said before it died was acknowledged too; a line cut off was not.
    said.extend(lines.map_while(Result::ok).filter_map(|l| l.split_once("kept ").map(|(_, k)| k.to_owned())));
    said
}

fn record_at(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder.join("record.db")
}

fn sound(record: &Record, round: usize) {
    let verified = govern::verify_log(record, &[seal().key.public()]).unwrap();
    assert!(verified.is_ok(), "round {round}: {}", verified.unwrap_err());
    assert_eq!(govern::astray(record).unwrap(), None, "round {round}");
    // The file itself is whole, and its indexes agree with its tables.
    let whole = record.query("SELECT group_concat(integrity_check) FROM pragma_integrity_check").unwrap();
    assert_eq!(whole.rows[0][0].as_str(), Some("ok"), "round {round}");
}

#[test]
fn a_scan_killed_at_any_point_loses_nothing_it_acknowledged() {
    let path = record_at("killed-ingest");
    drop(furnish(Record::open(&path).unwrap()));
    let mut rounds = 0;
    for round in 0..24 {
        let said = killed("ingest", &path, 1 + round % 3, round * 97);
        let record = Record::open(&path).unwrap();
        for scan in &said {
            let row = record.scan(Some(plumb_record::ScanId(scan.parse().unwrap()))).unwrap();
            assert_eq!(row.status, "complete", "round {round}, scan {scan}");
        }
        // What the last acknowledged scan saw is there, or what a later one saw; nothing older.
        if let Some(last) = said.last().and_then(|s| s.parse::<i64>().ok()) {
            let oldest = "SELECT min(seen_scan), count(*) FROM resource WHERE kind = 'aws.s3.bucket'";
            let rows = record.query(oldest).unwrap().rows;
            assert!(rows[0][0].as_i64().unwrap() >= last && rows[0][1] == 40, "round {round}: {rows:?} after {last}");
        }
        rounds += said.len();
        sound(&record, round);
        // An ingest is kept whole: half of the forty fail, never another number, and counts agree with rows.
        let fails = |sql: &str| record.query(sql).unwrap().rows[0][0].as_i64().unwrap();
        assert_eq!(
            fails("SELECT count(*) FROM finding WHERE state = 'open' AND resource LIKE '%:b%'"),
            20,
            "round {round}"
        );
        let of =
            |table: &str| fails(&format!("SELECT coalesce(sum({table}), 0) FROM finding_count WHERE state = 'open'"));
        assert_eq!(of("n"), fails("SELECT count(*) FROM finding WHERE state = 'open'"), "round {round}");
    }
    assert!(rounds >= 24, "{rounds} scans were acknowledged");
}

#[test]
fn a_transition_killed_at_any_point_loses_nothing_it_acknowledged() {
    let path = record_at("killed-transition");
    let mut record = furnish(Record::open(&path).unwrap());
    let many: Vec<(String, Outcome)> = (0..60).map(|i| (format!("t{i}"), Outcome::Fail)).collect();
    let many: Vec<(&str, Outcome)> = many.iter().map(|(n, o)| (n.as_str(), *o)).collect();
    super::scan(&mut record, now().plus_days(-1), &many);
    drop(record);
    let catalog = catalog();
    let policy = plumb_govern::policy::Policy::default();
    let mut kept: BTreeMap<String, u32> = BTreeMap::new();
    for round in 0..24 {
        let said = killed("transition", &path, 1 + round % 4, round * 61);
        for line in said {
            let (key, seq) = line.split_once(' ').unwrap();
            kept.insert(key.to_owned(), seq.parse().unwrap());
        }
        let record = Record::open(&path).unwrap();
        sound(&record, round);
        for (key, seq) in &kept {
            let row = record.finding(key).unwrap();
            let (_, life) = govern::load_life(&record, &catalog, &row, &policy).unwrap();
            assert!(life.finding.seq() >= *seq, "round {round}: {key} is at {}, {seq} was kept", life.finding.seq());
        }
    }
    assert!(kept.values().sum::<u32>() >= 48, "{kept:?}");
}
