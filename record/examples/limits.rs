//! Fills a record and holds it against its limits; `cargo xtask bench record` runs it.
//!
//! Arguments: findings, resources, log entries, the record's file, and `keep` to keep the file, or `reuse` to ask one that
//! was kept. Times are processor time of the one thread, so that a busy machine says the same as a quiet one; the wall's are
//! shown beside them. Exit 1 when a limit is missed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use plumb_govern::{
    log::{self, Head, Keys, Log, SealKey, Sealed},
    people::Actor,
};
use plumb_model::{Leaf, Outcome, Severity, Source, Time, Value, Verdict};
use plumb_record::{LaneRow, NewScan, Query, Record, RuleRow, ScanId, StoredResource, Unit, UnitState, put_lane};
use std::{collections::BTreeSet, time::Instant};

/// Findings of one account and kind, as one ingest takes them.
const BATCH: usize = 2_000;
const KINDS: usize = 10;
const RULES: usize = 20;

fn now() -> Time {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

fn account(batch: usize) -> String {
    format!("{:012}", 100_000_000_000 + batch / KINDS)
}

fn kind(batch: usize) -> String {
    format!("aws.s{}.thing", batch % KINDS)
}

fn severity(n: usize) -> Severity {
    // Of a hundred: one critical, nine high, thirty medium, the rest low.
    match n % 100 {
        0 => Severity::Critical,
        1..=9 => Severity::High,
        10..=39 => Severity::Medium,
        _ => Severity::Low,
    }
}

fn verdicts(batch: usize, count: usize) -> impl Iterator<Item = (Verdict, Severity)> {
    let (account, kind) = (account(batch), kind(batch));
    (0..count).map(move |i| {
        let id = format!("arn:aws:s{}:eu-west-1:{account}:thing/{:08}", batch % KINDS, i / 2);
        let verdict = Verdict {
            rule: format!("{kind}.rule-{:02}", (i + batch) % RULES).as_str().into(),
            kind: kind.as_str().into(),
            account: account.as_str().into(),
            region: "eu-west-1".into(),
            resource: id.as_str().into(),
            name: format!("thing-{:08}", i / 2).as_str().into(),
            sub_key: if i % 2 == 0 { "".into() } else { "part".into() },
            outcome: Outcome::Fail,
            needs: Vec::new(),
            because: vec![Leaf {
                path: "settings.encrypted".into(),
                observed: Value::from(false),
                expected: "true".into(),
                source: Source::Api("service:GetThing".into()),
            }],
        };
        (verdict, severity(i + batch))
    })
}

fn begin(record: &mut Record) -> ScanId {
    let new = NewScan { started: now(), judged_at: now(), scope: serde_json::json!({}), rules_digest: String::new() };
    record.begin_scan(&new).unwrap()
}

/// Processor time and wall time since the beginning, in seconds.
#[derive(Clone, Copy)]
struct Clock(f64, Instant);

impl Clock {
    fn start() -> Self {
        Self(Self::processor(), Instant::now())
    }

    /// What the kernel counts for this thread, in nanoseconds; where it does not, the wall's time stands for it.
    fn processor() -> f64 {
        let counted = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
        counted.and_then(|t| t.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e9
    }

    fn spent(self) -> [f64; 2] {
        let wall = self.1.elapsed().as_secs_f64();
        let processor = Self::processor() - self.0;
        [if processor.is_nan() { wall } else { processor }, wall]
    }
}

/// One whole scan's findings; only the time inside the store is counted, not that of making verdicts up.
fn ingest(record: &mut Record, findings: usize) -> [f64; 2] {
    let scan = begin(record);
    let rules: BTreeSet<_> = (0..KINDS)
        .flat_map(|k| (0..RULES).map(move |r| format!("aws.s{k}.thing.rule-{r:02}").as_str().into()))
        .collect();
    let mut spent = [0.0; 2];
    let mut left = findings;
    for batch in 0.. {
        let count = left.min(BATCH);
        if count == 0 {
            break;
        }
        left -= count;
        let made: Vec<_> = verdicts(batch, count).collect();
        let start = Clock::start();
        let mut ingest =
            record.ingest(scan, now(), &account(batch).as_str().into(), &kind(batch).as_str().into()).unwrap();
        for (verdict, severity) in &made {
            ingest.verdict(verdict, *severity).unwrap();
        }
        ingest.finish(&rules, &BTreeSet::new()).unwrap();
        spent = add(spent, start.spent());
    }
    spent
}

fn resources(record: &mut Record, count: usize) -> [f64; 2] {
    let scan = begin(record);
    let mut spent = [0.0; 2];
    let mut left = count;
    for batch in 0.. {
        let n = left.min(BATCH);
        if n == 0 {
            break;
        }
        left -= n;
        let (account, kind) = (account(batch), kind(batch));
        let rows: Vec<StoredResource> = (0..n)
            .map(|i| StoredResource {
                account: account.clone(),
                kind: kind.clone(),
                id: format!("arn:aws:s{}:eu-west-1:{account}:thing/{i:08}", batch % KINDS),
                unit: "eu-west-1".into(),
                region: "eu-west-1".into(),
                name: format!("thing-{i:08}"),
                doc: format!("{{\"encrypted\":false,\"size\":{i},\"tags\":{{\"stack\":\"s{}\"}}}}", i % 50),
                raw: format!("{{\"Thing\":{{\"Encrypted\":false,\"Size\":{i},\"Owner\":\"{account}\"}}}}"),
            })
            .collect();
        let start = Clock::start();
        record.put_resources(scan, &rows).unwrap();
        let unit = Unit {
            account: account.as_str().into(),
            region: "eu-west-1".into(),
            kind: kind.as_str().into(),
            state: UnitState::Complete,
            resources: n,
        };
        record.end_unit(scan, &unit).unwrap();
        spent = add(spent, start.spent());
    }
    spent
}

/// What scores say at a scan's end, of every finding.
fn lanes(record: &mut Record, findings: usize) -> [f64; 2] {
    let scan = begin(record);
    let row = LaneRow {
        at: now().to_string(),
        lane: 2,
        exploited: false,
        due: None,
        points: 310,
        policy: "score/1.0.0".into(),
        scan: Some(scan.0),
    };
    let mut spent = [0.0; 2];
    for batch in 0..findings.div_ceil(BATCH) {
        let mut keys: Vec<String> =
            verdicts(batch, BATCH.min(findings - batch * BATCH)).map(|(v, _)| v.key().hex()).collect();
        keys.sort_unstable();
        let start = Clock::start();
        record.atomically(|db| keys.iter().try_for_each(|key| put_lane(db, key, &row))).unwrap();
        spent = add(spent, start.spent());
    }
    spent
}

/// The seals of every account, as a scan's end makes them and as verification makes them again; with `content`, each
/// resource is held against its digest, too, as verification does.
fn seals(record: &Record, resources: usize, content: bool) -> [f64; 2] {
    let scan = record.scan(None).unwrap().id;
    let start = Clock::start();
    for account in (0..resources.div_ceil(BATCH)).step_by(KINDS).map(account) {
        assert!(record.account_seal(&account, scan, |_| true).unwrap().contains_key("resources"));
        if content {
            assert_eq!(record.stray_resource(&account).unwrap(), None);
        }
    }
    start.spent()
}

fn add(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] + b[0], a[1] + b[1]]
}

/// Says a figure beside its limit; whether it holds.
fn held(what: &str, figure: f64, unit: &str, limit: f64, at_least: bool) -> bool {
    let holds = if at_least { figure >= limit } else { figure <= limit };
    let ratio = if at_least { figure / limit } else { limit / figure };
    let (sign, word) = (if at_least { "≥" } else { "≤" }, if holds { "holds" } else { "MISSED" });
    println!("{what:<34} {figure:>12.1} {unit:<12} {sign} {limit:.0}  {ratio:>6.1}x  {word}");
    holds
}

/// The slowest of ten, in milliseconds, after one to warm up: a page that is asked once is read from the disk.
fn slowest(mut ask: impl FnMut()) -> [f64; 2] {
    ask();
    let times = (0..10).map(|_| {
        let start = Clock::start();
        ask();
        start.spent().map(|s| s * 1e3)
    });
    times.fold([0.0; 2], |worst, t| [worst[0].max(t[0]), worst[1].max(t[1])])
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let count = |i: usize| args.get(i).and_then(|a| a.parse::<usize>().ok()).expect("three numbers and a file");
    let (findings, many, entries) = (count(0), count(1), count(2));
    let path = std::path::PathBuf::from(args.get(3).expect("three numbers and a file"));
    let reuse = args.get(4).is_some_and(|a| a == "reuse");
    let clear = || {
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", path.display()));
        }
    };
    if !reuse {
        clear();
    }
    let opening = Clock::start();
    let mut record = Record::open(&path).unwrap();
    if reuse {
        let held = record.count("finding").unwrap();
        assert_eq!(usize::try_from(held).unwrap(), findings, "the file holds another number of findings");
        println!("opened, {findings} findings in it       {:>10.1} s", opening.spent()[0]);
    }
    let rules: Vec<RuleRow> = (0..KINDS)
        .flat_map(|k| {
            (0..RULES).map(move |r| RuleRow {
                id: format!("aws.s{k}.thing.rule-{r:02}"),
                title: format!("Things of service {k} hold to rule {r}"),
                severity: Severity::Medium,
                topic: "data.encryption-at-rest".into(),
                kind: format!("aws.s{k}.thing"),
            })
        })
        .collect();
    record.put_rules(&rules).unwrap();
    let per = |n: usize, seconds: [f64; 2]| seconds.map(|s| n as f64 / s);
    let say = |what: String, [processor, wall]: [f64; 2]| println!("{what:<34} {processor:>12.0} /s  (wall {wall:.0})");
    if !reuse {
        say(format!("{many} resources, new"), per(many, resources(&mut record, many)));
        say(format!("{many} resources, unchanged"), per(many, resources(&mut record, many)));
        say(format!("{findings} findings, new"), per(findings, ingest(&mut record, findings)));
        say(format!("{findings} lanes, new"), per(findings, lanes(&mut record, findings)));
    }
    let mut all = true;
    let unchanged = per(findings, ingest(&mut record, findings));
    say(format!("{findings} findings, unchanged"), unchanged);
    all &= held("findings upserted, unchanged", unchanged[0], "/s", 50_000.0, true);

    let page = |record: &Record, query: Query| {
        let query = Query { limit: Some(50), ..query };
        slowest(|| assert_eq!(record.findings(&query).unwrap().len(), 50))
    };
    let mut worst: f64 = 0.0;
    let pages = [
        ("everything", Query::default()),
        ("one account", Query { account: Some(account(0)), ..Query::default() }),
        ("critical", Query { at_least: Some(Severity::Critical), ..Query::default() }),
        ("one rule", Query { rules: BTreeSet::from(["aws.s3.thing.rule-07".into()]), ..Query::default() }),
        ("one rule of one account", {
            let rules = BTreeSet::from(["aws.s3.thing.rule-07".into()]);
            Query { account: Some(account(3)), rules, ..Query::default() }
        }),
        ("one state", Query { states: vec!["open".into()], ..Query::default() }),
        ("one region", Query { region: Some("eu-west-1".into()), ..Query::default() }),
    ];
    for (name, query) in pages {
        let [ms, wall] = page(&record, query);
        println!("  page of {name:<24} {ms:>12.1} ms  (wall {wall:.1})");
        worst = worst.max(ms);
    }
    all &= held("queue page of 50, slowest", worst, "ms", 50.0, false);
    let rollups = [
        "SELECT severity, sum(findings) FROM rollups WHERE state NOT IN ('fixed', 'resource-gone', 'superseded') GROUP BY 1",
        "SELECT account, sum(findings) FROM rollups GROUP BY 1 ORDER BY 2 DESC",
        "SELECT rule, severity, sum(findings) FROM rollups WHERE state = 'open' GROUP BY 1, 2 ORDER BY 3 DESC",
    ];
    let rolled = slowest(|| {
        record.open_by_severity().unwrap();
        for sql in rollups {
            record.query(sql).unwrap();
        }
    });
    all &= held("roll-ups, four of them", rolled[0], "ms", 500.0, false);

    let key = SealKey::from_seed(&[7; 32]);
    let actor = Actor::system("bench");
    let mut log = Log::default();
    let mut lines = Vec::with_capacity(10_000);
    let mut points = Vec::new();
    // A file that was filled before has its log too; it is made again here only to know its checkpoints.
    let fresh = record.last_activity().unwrap().is_none();
    for i in 0..entries {
        let change = serde_json::json!({ "from": "open", "to": "triaged", "reason": "looked at in the weekly round" });
        let object = format!("{i:064x}");
        let sealed = log.append(log::Event::done(&actor, "finding.triage", ("finding", &object), change, now()));
        lines.push((i64::try_from(sealed.seq).unwrap(), String::from_utf8(sealed.line()).unwrap()));
        if lines.len() == 10_000 || i + 1 == entries {
            if fresh {
                record.append_activity(&lines).unwrap();
            }
            lines.clear();
        }
        if i % 1_000 == 999 {
            points.push(log.checkpoint("plumbline/bench", &[&key], now()));
        }
    }
    let start = Clock::start();
    let mut next = 0;
    let stored = std::iter::from_fn(|| {
        let page = record.activity(next, 4096).unwrap();
        next = page.last()?.0 + 1;
        Some(page)
    })
    .flatten()
    .map(|(seq, line)| Sealed::from_line(u64::try_from(seq).unwrap(), line.as_bytes()));
    let report =
        log::verify(&Head::empty(), stored, &points, Keys::trusted([key.public()]), Some(&log.head())).unwrap();
    assert_eq!(report.entries, entries as u64);
    all &= held("log entries verified", per(entries, start.spent())[0], "/s", 200_000.0, true);
    // No limit is promised for these: what a scan's end pays, and what `plumb audit verify` does beside the log.
    say(format!("{many} resources sealed"), per(many, seals(&record, many, false)));
    say(format!("{many} resources verified"), per(many, seals(&record, many, true)));
    let start = Clock::start();
    assert_eq!(record.stray_finding(&|_| false).unwrap(), None);
    say(format!("{findings} findings verified"), per(findings, start.spent()));
    let start = Clock::start();
    let stretch = record.written(0, None).unwrap();
    let rows = stretch.map_or(0, |s| usize::try_from(s.rows).unwrap());
    say(format!("{rows} rows written, verified"), per(rows, start.spent()));
    let bytes = std::fs::metadata(&path).map_or(0, |m| m.len());
    println!("the record's file                  {:>12.1} MB", bytes as f64 / 1e6);
    drop(record);
    if args.len() <= 4 {
        clear();
    }
    std::process::exit(i32::from(!all));
}
