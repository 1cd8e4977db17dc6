//! Scans that meet trouble: whatever goes wrong between here and AWS, a verdict may become unknown and nothing else.

use crate::emulator::{Emulator, SCAN, lines, own, text};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    process::{Child, Output, Stdio},
    sync::OnceLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// What a verdict is about: account, rule, resource, part.
type About = (String, String, String, String);

/// The verdicts of a scan, by what they are about.
#[derive(PartialEq)]
pub struct Verdicts(BTreeMap<About, Json>);

impl Verdicts {
    /// Of the latest scan on a record.
    pub fn of(emulator: &Emulator, db: &str) -> Self {
        let about = |v: &Json| {
            let part = |name: &str| text(v, name).to_owned();
            (part("account"), part("rule"), part("resource"), part("sub_key"))
        };
        Self(emulator.verdicts(db).into_iter().map(|v| (about(&v), v)).collect())
    }

    fn outcomes(&self) -> BTreeMap<&About, &str> {
        self.0.iter().map(|(about, v)| (about, text(v, "outcome"))).collect()
    }

    /// How many are unknown.
    pub fn unknown(&self) -> usize {
        self.0.values().filter(|v| text(v, "outcome") == "unknown").count()
    }

    /// What this faulted scan says that it must not, given what a sound one said. Of accounts in `lost`
    /// the summary says that not everything could be entered.
    pub fn lies(&self, sound: &Self, lost: &BTreeSet<String>) -> Vec<String> {
        let mut lies = Vec::new();
        for (about, verdict) in &self.0 {
            let (now, then) = (text(verdict, "outcome"), sound.0.get(about).map(|v| text(v, "outcome")));
            let explained = verdict["needs"].as_array().is_some_and(|needs| !needs.is_empty());
            if now == "unknown" && !explained {
                lies.push(format!("{about:?} is unknown and does not say why"));
            } else if now != "unknown" && then != Some(now) {
                lies.push(format!("{about:?} was {then:?} and is {now}: {}", verdict["because"]));
            }
        }
        // Nothing disappears silently: the resource, or the place it is in, is said to be unknown.
        for (about @ (account, rule, resource, _), verdict) in &sound.0 {
            let whole = |resource: &str| {
                let about = (account.clone(), rule.clone(), resource.to_owned(), String::new());
                self.0.get(&about).is_some_and(|v| text(v, "outcome") == "unknown")
            };
            let place = |region: &str| whole(&format!("{account}:{region}:{}", text(verdict, "kind")));
            let said = self.0.contains_key(about)
                || whole(resource)
                || place(text(verdict, "region"))
                || place("global")
                || lost.contains(account);
            // A place that could be read this time has no verdict about the whole of it any more.
            if !said && text(verdict, "outcome") != "unknown" {
                lies.push(format!("{about:?} was {} and nobody speaks of it", verdict["outcome"]));
            }
        }
        lies
    }

    /// Accounts in which a verdict differs from a sound scan's, but for those about ways over accounts: what was not read in
    /// one account may lead into every account that admits it.
    fn touched(&self, sound: &Self) -> BTreeSet<String> {
        let sound = sound.outcomes();
        let over_accounts = |about: &About| about.1.starts_with("aws.iam.account.no-attack-path-to-");
        let differs = |(about, now): &(&About, &str)| sound.get(about) != Some(now) && !over_accounts(about);
        self.outcomes().into_iter().filter(differs).map(|(about, _)| about.0.clone()).collect()
    }

    /// What became unknown, and for what: so that a test that fails says which read was the trouble.
    fn newly_unknown(&self, sound: &Self) -> Vec<String> {
        let sound = sound.outcomes();
        let new =
            |(about, v): &(&About, &Json)| text(v, "outcome") == "unknown" && sound.get(about) != Some(&"unknown");
        self.0.iter().filter(new).take(12).map(|(about, v)| format!("{about:?}: {}", v["needs"])).collect()
    }

    /// Places that could not be read completely and could by a sound scan: account and region.
    fn unread(&self, sound: &Self) -> BTreeSet<(String, String)> {
        let new = self.0.iter().filter(|(about, _)| !sound.0.contains_key(about));
        let place = |(about, v): (&About, &Json)| {
            let region = text(v, "region");
            let whole = about.2 == format!("{}:{region}:{}", about.0, text(v, "kind"));
            whole.then(|| (about.0.clone(), region.to_owned()))
        };
        new.filter_map(place).collect()
    }
}

/// Every finding with its state, by its short id.
fn findings(emulator: &Emulator, db: &str) -> BTreeMap<String, (String, bool)> {
    let sql = "SELECT id, state, unknown_since IS NOT NULL AS unsure FROM findings";
    let rows = lines(&emulator.plumb(db, &["query", sql, "--format", "jsonl"]));
    rows.iter().map(|row| (text(row, "id").into(), (text(row, "state").into(), row["unsure"] == 1))).collect()
}

/// Waits for a child, but not for ever: a scan that does not end is a failure of this test, not of whoever runs it.
fn end(mut child: Child, about: &str) -> Output {
    let began = Instant::now();
    let reader = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
            bytes
        })
    };
    let out = reader(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let err = reader(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let status = loop {
        if let Some(status) = child.try_wait().expect("status") {
            break status;
        }
        if began.elapsed() > Duration::from_secs(300) {
            let _ = child.kill();
            panic!("{about}: the scan did not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    Output { status, stdout: out.join().expect("read"), stderr: err.join().expect("read") }
}

/// A scan that may end in any way: its exit code, its summary if it has one, and what it said to people.
pub fn scan(emulator: &Emulator, db: &str, more: &[&str]) -> (i32, Json, String) {
    let mut command = emulator.command(db, &[&SCAN[..], more].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("plumb starts");
    let out = end(child, &format!("{more:?}"));
    let whole: Json = serde_json::from_slice(&out.stdout).unwrap_or_default();
    (out.status.code().unwrap_or(-1), whole["summary"].clone(), String::from_utf8_lossy(&out.stderr).into())
}

/// Accounts of a summary of which it says that they, or some of their regions, could not be entered.
pub fn lost(summary: &Json) -> BTreeSet<String> {
    let accounts = summary["accounts"].as_array().into_iter().flatten();
    accounts.filter(|a| !text(a, "reason").is_empty()).map(|a| text(a, "id").to_owned()).collect()
}

/// What must hold of a scan that met trouble, whatever the trouble was.
pub fn sound_in_trouble(name: &str, summary: &Json, verdicts: &Verdicts, clean: &Verdicts) {
    for change in ["new", "reopened", "fixed", "gone"] {
        assert_eq!(summary["findings"][change], 0, "{name}: {change} in {}", summary["findings"]);
    }
    let lies = verdicts.lies(clean, &lost(summary));
    let shown: Vec<&String> = lies.iter().take(12).collect();
    assert!(lies.is_empty(), "{name}: {} verdicts moved otherwise than to unknown: {shown:#?}", lies.len());
}

const AWAY: &str = "eu-west-1";

#[test]
fn trouble_makes_verdicts_unknown_and_nothing_else() {
    let Some(emulator) = own() else { return };
    let db = "faults.db";
    let now = ["--now", "2026-01-01T00:00:00Z"];
    emulator.tell("/plumb/freeze", &json!({ "on": true }));
    let (code, first, said) = scan(&emulator, db, &now);
    assert!(code == 0 || code == 3, "the sound scan ended with {code}: {said}");
    let clean = Verdicts::of(&emulator, db);
    let open = findings(&emulator, db);
    let ids: Vec<&str> = first["accounts"].as_array().expect("accounts").iter().map(|a| text(a, "id")).collect();
    let keys = crate::emulator::json(&emulator.dir.join("keys.json"));
    let members: Vec<&str> = ids.iter().copied().filter(|id| *id != text(&keys, "management")).collect();
    let [one, other] = members[..] else { panic!("two members are planted, not {members:?}") };

    // Name, faults, further arguments, the places that may not be read: any account or region when empty.
    let every = |kind: &str, account: &str, region: &str| json!({ "kind": kind, "account": account, "region": region });
    let service =
        |kind: &str, account: &str, service: &str| json!({ "kind": kind, "account": account, "service": service });
    // What is wrong, as the emulator is told; further arguments; the places it touches.
    type Case<'c> = (&'c str, Json, Vec<&'c str>, Vec<(&'c str, &'c str)>);
    let cases: Vec<Case<'_>> = vec![
        (
            "denied",
            json!([service("denied", one, "s3"), service("denied", one, "iam"), every("denied", other, AWAY)]),
            vec![],
            vec![(one, ""), (other, AWAY), (other, "global")],
        ),
        (
            "denied the list of regions",
            json!([{ "kind": "denied", "account": one, "service": "ec2", "operation": "DescribeRegions" }]),
            vec![],
            vec![(one, "")],
        ),
        ("throttled now and then", json!([{ "kind": "throttled", "every": 7 }]), vec![], vec![]),
        (
            "throttled without end",
            json!([
                service("throttled", one, "lambda"),
                service("throttled", one, "sqs"),
                service("throttled", other, "kms")
            ]),
            vec!["--service-deadline", "30"],
            vec![(one, ""), (other, "")],
        ),
        ("pages cut off", json!([every("truncated", one, "*")]), vec![], vec![(one, "")]),
        (
            "slow",
            json!([{ "kind": "slow", "account": one, "region": AWAY, "seconds": 60 }]),
            vec!["--service-deadline", "30"],
            vec![(one, AWAY), (one, "global")],
        ),
        ("a region out of reach", json!([every("dropped", "*", AWAY)]), vec![], vec![("", AWAY), ("", "global")]),
        (
            "malformed answers",
            json!([every("malformed", one, AWAY), every("page", other, AWAY)]),
            vec![],
            vec![(one, AWAY), (one, "global"), (other, AWAY), (other, "global")],
        ),
        ("credentials that expire in the middle", json!([{ "kind": "expired", "after": 150 }]), vec![], vec![("", "")]),
    ];
    for (name, faults, more, places) in &cases {
        emulator.tell("/plumb/faults", &json!({ "faults": faults }));
        let began = Instant::now();
        let (code, summary, said) = scan(&emulator, db, &[&now[..], more.as_slice()].concat());
        assert_eq!(code, 3, "{name}: {said}");
        let verdicts = Verdicts::of(&emulator, db);
        println!(
            "{name}: {} of {} unknown, {} calls, {} throttles, {:.1} s",
            verdicts.unknown(),
            verdicts.0.len(),
            summary["stats"]["calls"],
            summary["stats"]["throttles"],
            began.elapsed().as_secs_f64()
        );
        sound_in_trouble(name, &summary, &verdicts, &clean);
        let meant = |(account, region): &(String, String)| {
            places.iter().any(|(a, r)| (a.is_empty() || a == account) && (r.is_empty() || r == region))
        };
        let beyond: Vec<_> = verdicts.unread(&clean).into_iter().filter(|place| !meant(place)).collect();
        assert!(beyond.is_empty(), "{name}: other places were not read: {beyond:?}");
        let own = |account: &String| places.iter().any(|(a, _)| a.is_empty() || a == account);
        let beyond: Vec<_> = verdicts.touched(&clean).into_iter().filter(|account| !own(account)).collect();
        assert!(beyond.is_empty(), "{name}: verdicts in other accounts changed: {beyond:?}");
        if places.is_empty() {
            assert!(verdicts.outcomes() == clean.outcomes(), "{name}: verdicts changed");
        } else if lost(&summary).is_empty() {
            assert!(verdicts.unknown() > clean.unknown(), "{name}: nothing became unknown");
        }
        let ids: BTreeSet<_> = findings(&emulator, db).into_keys().collect();
        assert_eq!(ids, open.keys().cloned().collect(), "{name}: findings have other ids");
    }

    // What fails before there is anything to read is told as such.
    emulator.tell("/plumb/faults", &json!({ "faults": [{ "kind": "expired" }] }));
    let (code, _, said) = scan(&emulator, db, &now);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("expired") && said.contains("sign in"), "{said}");

    // When the trouble is over everything is as it was.
    emulator.tell("/plumb/faults", &json!({ "faults": [] }));
    let (_, last, _) = scan(&emulator, db, &now);
    sound_in_trouble("sound again", &last, &Verdicts::of(&emulator, db), &clean);
    assert!(Verdicts::of(&emulator, db).outcomes() == clean.outcomes(), "the verdicts did not come back");
    assert_eq!(findings(&emulator, db), open, "the findings did not come back");
}

/// An instant a while from now, the same for all scans of a test: the shared organisation's root users were last used a whole
/// number of days before they are asked about, and which side of that number a scan stands on must not hang on a second.
pub fn soon() -> String {
    static SOON: OnceLock<String> = OnceLock::new();
    let later = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()) + 1_800;
    let time = || plumb_model::Time::from_seconds(i64::try_from(later()).unwrap_or(i64::MAX)).to_string();
    SOON.get_or_init(time).clone()
}

/// The messy organisation that others planted, read once before this: first every seventh call is throttled, which heals and
/// changes nothing; then reads of every class of trouble at once, each in a service of its own.
pub fn the_shared_organisation_in_trouble(emulator: &Emulator, db: &str) {
    let clean = Verdicts::of(emulator, db);
    let open = findings(emulator, db);
    let now = soon();
    let regions = ["--region", "us-east-1,eu-west-1", "--now", &now];
    emulator.tell("/bench/fault", &json!({ "throttle_every": 7 }));
    let (code, summary, said) = scan(emulator, db, &regions);
    let verdicts = Verdicts::of(emulator, db);
    let why = || verdicts.newly_unknown(&clean);
    assert_eq!(code, 0, "what healed left nothing unread: {said}\n{summary:#}\n{:#?}", why());
    println!(
        "throttled now and then: {} calls, {} throttles",
        summary["stats"]["calls"], summary["stats"]["throttles"]
    );
    sound_in_trouble("throttled now and then", &summary, &verdicts, &clean);
    assert!(verdicts.outcomes() == clean.outcomes(), "throttling that healed changed verdicts");
    emulator.tell("/bench/fault", &json!({ "throttle_every": 0 }));

    let error = |service: &str, operation: &str, region: &str, code: &str, status: u16| json!({ "service": service, "operation": operation, "region": region, "error": { "code": code, "status": status } });
    let rules = json!([
        error("s3", "GetBucketPolicy", "*", "AccessDenied", 403),
        error("iam", "GetAccountAuthorizationDetails", "*", "AccessDenied", 403),
        error("kms", "DescribeKey", "us-east-1", "AccessDeniedException", 400),
        error("ec2", "*", "eu-west-1", "AuthFailure", 401),
        error("sqs", "GetQueueAttributes", "*", "ThrottlingException", 400),
        error("lambda", "*", "eu-west-1", "ExpiredTokenException", 403),
        error("rds", "DescribeDBInstances", "*", "InternalFailure", 500),
        error("sns", "ListTopics", "us-east-1", "OptInRequired", 403),
    ]);
    emulator.tell("/bench/overlay", &json!({ "rules": rules }));
    let (code, summary, said) = scan(emulator, db, &[&regions[..], &["--service-deadline", "20"]].concat());
    assert_eq!(code, 3, "{said}");
    let verdicts = Verdicts::of(emulator, db);
    println!("the shared organisation in trouble: {} of {} unknown", verdicts.unknown(), verdicts.0.len());
    let closed = "SELECT rule, resource, sub_key, state FROM findings WHERE state IN ('fixed', 'resource-gone')";
    println!("closed: {:?}", lines(&emulator.plumb(db, &["query", closed, "--format", "jsonl"])));
    sound_in_trouble("all kinds of trouble", &summary, &verdicts, &clean);
    assert!(verdicts.unknown() > clean.unknown() + 100, "little became unknown: {}", verdicts.unknown());
    let ids: BTreeSet<_> = findings(emulator, db).into_keys().collect();
    assert_eq!(ids, open.into_keys().collect(), "findings have other ids");
}

#[test]
fn a_scan_that_was_stopped_or_killed_is_taken_up_again() {
    let Some(emulator) = own() else { return };
    emulator.tell("/plumb/freeze", &json!({ "on": true }));
    let now = ["--now", "2026-01-01T00:00:00Z"];
    let (_, whole, _) = scan(&emulator, "uninterrupted.db", &now);
    let clean = Verdicts::of(&emulator, "uninterrupted.db");
    let clean_findings = findings(&emulator, "uninterrupted.db");
    for (signal, db) in [("-INT", "stopped.db"), ("-KILL", "killed.db")] {
        // One region keeps it waiting, so that the signal comes in the middle however fast the rest is.
        let slow = json!([{ "kind": "slow", "region": AWAY, "seconds": 60 }]);
        emulator.tell("/plumb/faults", &json!({ "faults": slow }));
        let mut command = emulator.command(db, &[&SCAN[..], &now, &["--accounts-at-once", "1"]].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("plumb starts");
        let counted = || {
            let mut query =
                emulator.command(db, &["query", "SELECT count(*) AS n FROM resources", "--format", "jsonl"]);
            let out = query.output().expect("plumb runs").stdout;
            lines(&String::from_utf8_lossy(&out)).first().and_then(|row| row["n"].as_i64()).unwrap_or(0)
        };
        let began = Instant::now();
        while counted() < 20 {
            if child.try_wait().expect("a child").is_some() {
                let out = end(child, signal);
                panic!("{signal}: it ended by itself, {}: {}", out.status, String::from_utf8_lossy(&out.stderr));
            }
            assert!(began.elapsed() < Duration::from_secs(300), "{signal}: nothing was read");
            std::thread::sleep(Duration::from_millis(200));
        }
        let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill");
        assert!(sent.success());
        let out = end(child, signal);
        if signal == "-INT" {
            assert_eq!(out.status.code(), Some(130), "{}", String::from_utf8_lossy(&out.stderr));
        }
        let so_far = counted();
        assert!(so_far < whole["resources"].as_i64().unwrap_or(0), "{signal}: it was over before the signal");

        emulator.tell("/plumb/faults", &json!({ "faults": [] }));
        let resumed = emulator.command(db, &["scan", "--resume", "--max-share", "0", "--format", "json"]).output();
        let resumed = resumed.expect("plumb runs");
        assert_eq!(resumed.status.code(), Some(3), "{}", String::from_utf8_lossy(&resumed.stderr));
        assert!(Verdicts::of(&emulator, db).outcomes() == clean.outcomes(), "{signal}: other verdicts than in one go");
        assert_eq!(findings(&emulator, db), clean_findings, "{signal}: other findings than in one go");
        let scans = lines(&emulator.plumb(db, &["query", "SELECT id FROM scans", "--format", "jsonl"]));
        assert_eq!(scans.len(), 1, "{signal}: it was taken up again, not begun anew");
    }
}
