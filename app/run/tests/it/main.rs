//! The operating record on a store: guarded, sealed, verified (G01, G05, G12, W01).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod killed;
mod lanes;
mod later;
mod lists;
mod models;
mod overland;
mod pipeline;
mod programme;
mod record;
mod written;

use plumb_catalog::{Catalog, File};
use plumb_govern::{
    bundle,
    people::{Actor, ActorKind, Role},
};
use plumb_model::{Outcome, Severity, Time, Verdict};
use plumb_record::{NewScan, Record, RecordError, RuleRow, ScanId, TransitionRow, move_finding};
use plumb_run::govern::{self, Ask, GovernError, NewPerson, Seal, Session, Verb};
use std::collections::BTreeSet;

const NOW: &str = "2026-11-21T10:00:00Z";
/// How many people are on record, each an entry of the log.
const PEOPLE: u64 = 6;
const RULE: &str = "aws.s3.bucket.public-access-blocked";

fn now() -> Time {
    NOW.parse().unwrap()
}

fn seal() -> Seal {
    Seal::from_seed(&[7; 32])
}

fn catalog() -> Catalog {
    Catalog::load(std::iter::empty::<File<'_>>()).0
}

fn verdict(name: &str, outcome: Outcome) -> Verdict {
    Verdict {
        rule: RULE.into(),
        kind: "aws.s3.bucket".into(),
        account: "111122223333".into(),
        region: "eu-west-1".into(),
        resource: format!("arn:aws:s3:::{name}").as_str().into(),
        name: name.into(),
        sub_key: "".into(),
        outcome,
        needs: Vec::new(),
        because: Vec::new(),
    }
}

/// A scan that saw these buckets so.
fn scan(record: &mut Record, at: Time, seen: &[(&str, Outcome)]) {
    let new = NewScan { started: at, judged_at: at, scope: serde_json::json!({}), rules_digest: String::new() };
    let scan: ScanId = record.begin_scan(&new).unwrap();
    let rule = RuleRow {
        id: RULE.into(),
        title: "Buckets block public access".into(),
        severity: Severity::High,
        topic: "exposure.storage-public".into(),
        kind: "aws.s3.bucket".into(),
    };
    record.put_rules(&[rule]).unwrap();
    let (account, kind) = ("111122223333".into(), "aws.s3.bucket".into());
    let mut ingest = record.ingest(scan, at, &account, &kind).unwrap();
    for (name, outcome) in seen {
        ingest.verdict(&verdict(name, *outcome), Severity::High).unwrap();
    }
    ingest.finish(&BTreeSet::from([RULE.into()]), &BTreeSet::new()).unwrap();
    record.end_scan(scan, "complete", Some(at), None, &serde_json::json!({})).unwrap();
}

fn session(record: &Record, login: &str, at: Time) -> Session {
    govern::identify(record, login, None, Some(seal().key), at).unwrap()
}

/// Three failing buckets; erin engineers, adam and anna approve, ada and ida are admins, otto audits.
fn world() -> Record {
    furnish(Record::in_memory().unwrap())
}

fn furnish(mut record: Record) -> Record {
    let fail = Outcome::Fail;
    scan(&mut record, now().plus_days(-1), &[("orders", fail), ("logs", fail), ("site", fail)]);
    let setup = Actor {
        id: "cli:setup".into(),
        kind: ActorKind::Person,
        roles: [Role::Admin].into(),
        ..Actor::system("setup")
    };
    let setup = Session { actor: setup, ..Session::system("setup", Some(seal().key), now()) };
    let people = [
        ("ada", Role::Admin),
        ("ida", Role::Admin),
        ("otto", Role::Auditor),
        ("erin", Role::Engineer),
        ("adam", Role::Approver),
        ("anna", Role::Approver),
    ];
    for (id, role) in people.into_iter().rev() {
        let new = NewPerson {
            id: id.into(),
            name: String::new(),
            roles: vec![role],
            teams: Vec::new(),
            logins: vec![format!("{id}@example.com")],
            code: false,
            active: true,
        };
        govern::add_person(&mut record, &setup, new).unwrap();
    }
    record
}

fn id(name: &str) -> String {
    verdict(name, Outcome::Fail).key().hex()
}

fn state(record: &Record, name: &str) -> String {
    record.finding(&id(name)).unwrap().state
}

fn sql(record: &mut Record, statement: &str) {
    record.atomically(|db| db.execute(statement, ()).map_err(|e| RecordError::Query(e.to_string()))).unwrap();
}

fn step(
    record: &mut Record,
    who: &str,
    name: &str,
    event: &str,
    fields: &[(&str, &str)],
) -> Result<String, GovernError> {
    let session = session(record, who, now());
    let fields = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let life = govern::transition(record, &catalog(), &session, &id(name), event, "", &fields)?;
    Ok(life.finding.state().to_string())
}

fn ask(name: &str) -> Ask {
    Ask {
        findings: vec![id(name)],
        basis: Some("business-need".into()),
        justification: Some(
            "The shop's public catalogue is served from this bucket until the new front is live.".into(),
        ),
        risk: Some("Anybody can read the catalogue and list its pictures.".into()),
        expires: Some("30d".into()),
        triggers: vec!["severity-rises".into()],
        ..Ask::default()
    }
}

fn sound(record: &Record) -> Result<u64, String> {
    match govern::verify_log(record, &[seal().key.public()]).unwrap() {
        Ok(v) => Ok(v.report.entries),
        Err(broken) => Err(broken.to_string()),
    }
}

#[test]
fn people_move_findings_by_the_rules_and_denied_attempts_are_logged() {
    let mut r = world();
    assert_eq!(step(&mut r, "erin", "orders", "triage", &[("team", "shop")]).unwrap(), "triaged");
    assert!(matches!(step(&mut r, "erin", "orders", "triage", &[("team", "shop")]), Err(GovernError::Refused(_))));
    assert_eq!(
        step(&mut r, "erin", "orders", "start", &[("person", "erin"), ("plan", "SEC-1")]).unwrap(),
        "in-remediation"
    );
    assert_eq!(step(&mut r, "erin", "orders", "claim-fixed", &[("reference", "pull 7")]).unwrap(), "fixed-claimed");
    assert!(matches!(step(&mut r, "erin", "orders", "retest-pass", &[]), Err(GovernError::Refused(_))));
    assert_eq!(state(&r, "orders"), "fixed-claimed");
    assert_eq!(sound(&r), Ok(PEOPLE + 5));
    let log = r.activity(0, 100).unwrap();
    assert_eq!(log.iter().filter(|(_, line)| line.contains("\"outcome\":\"denied\"")).count(), 2);
    // The next scan looks for itself; its steps continue the life people began.
    scan(&mut r, now().plus_days(1), &[("orders", Outcome::Pass), ("logs", Outcome::Fail), ("site", Outcome::Fail)]);
    assert_eq!(state(&r, "orders"), "fixed");
    let row = r.finding(&id("orders")).unwrap();
    let (_, life) = govern::load_life(&r, &catalog(), &row, &plumb_govern::policy::Policy::default()).unwrap();
    plumb_govern::finding::check_fold(&life.finding, &life.steps).unwrap();
}

#[test]
fn every_kind_of_tampering_is_named() {
    let cases: [(&str, &str, &str); 5] = [
        ("edit", "UPDATE activity SET entry = replace(entry, 'shop', 'blog') WHERE seq = 6", "entry 6 "),
        ("delete", "DELETE FROM activity WHERE seq = 1", "entry 1 "),
        ("truncate", "DELETE FROM activity WHERE seq = 7", "entry 7 "),
        (
            "reorder",
            "UPDATE activity SET entry = (SELECT b.entry FROM activity b WHERE b.seq = CASE activity.seq WHEN 6 THEN 7 ELSE 6 END)
             WHERE seq IN (6, 7)",
            "entry 6 ",
        ),
        (
            "head",
            "UPDATE document SET doc = replace(doc, '\"size\":8', '\"size\":7') WHERE collection = 'log'",
            "entry ",
        ),
    ];
    for (name, statement, says) in cases {
        let mut r = world();
        step(&mut r, "erin", "orders", "triage", &[("team", "shop")]).unwrap();
        step(&mut r, "erin", "logs", "triage", &[("team", "shop")]).unwrap();
        assert_eq!(sound(&r), Ok(PEOPLE + 2), "{name}");
        sql(&mut r, statement);
        let why = sound(&r).expect_err(name);
        assert!(why.starts_with(says), "{name}: {why}");
    }
    let mut r = world();
    assert_eq!(govern::astray(&r).unwrap(), None);
    sql(&mut r, "UPDATE finding SET state = 'accepted' WHERE resource LIKE '%orders'");
    assert!(govern::astray(&r).unwrap().unwrap().what.contains("says accepted"));
}

#[test]
fn a_false_positive_is_no_risk() {
    let mut r = world();
    let carried = |r: &Record| govern::Picture::read(r, &catalog(), now()).unwrap().open_points().unwrap();
    let all = carried(&r);
    sql(&mut r, "UPDATE finding SET state = 'accepted' WHERE resource LIKE '%logs'");
    assert_eq!(carried(&r), all, "what is accepted is carried");
    sql(&mut r, "UPDATE finding SET state = 'false-positive' WHERE resource LIKE '%orders'");
    assert_eq!(carried(&r) * 3, all * 2);
}

/// Group 7: rows changed by SQL outside the product are named, and the entry they contradict.
#[test]
fn what_was_changed_behind_the_log_is_named() {
    let world = || {
        let mut r = world();
        step(&mut r, "erin", "logs", "triage", &[("team", "shop")]).unwrap();
        let erin = session(&r, "erin", now());
        govern::request(&mut r, &catalog(), &erin, &ask("orders")).unwrap();
        let adam = session(&r, "adam", now());
        govern::decide(&mut r, &catalog(), &adam, "EX-2026-000001", govern::Verb::Approve, "fine for a month").unwrap();
        assert_eq!(govern::astray(&r).unwrap(), None);
        r
    };
    let cases = [
        (
            "UPDATE document SET doc = replace(doc, 'engineer', 'approver') WHERE collection = 'people' AND id = 'erin'",
            "person erin was changed",
            true,
        ),
        (
            "UPDATE document SET doc = replace(doc, 'business-need', 'technical-limit') WHERE collection = 'decision'",
            "decision EX-2026-000001 was changed",
            true,
        ),
        ("DELETE FROM document WHERE collection = 'decision'", "decision EX-2026-000001 is gone", true),
        (
            "INSERT INTO document SELECT collection, 'mallory', version, doc FROM document WHERE collection = 'people' AND id = 'adam'",
            "person mallory is on record",
            false,
        ),
        (
            "UPDATE document SET doc = replace(doc, '\"team\":\"shop\"', '\"team\":\"blog\"') WHERE collection = 'life'",
            "was changed outside",
            true,
        ),
        ("UPDATE transition SET actor = 'mallory' WHERE event = 'triage'", "by mallory", false),
        ("UPDATE transition SET at = '2020-01-01T00:00:00Z' WHERE event = 'approve'", "at 2020-01-01T00:00:00Z", false),
        ("DELETE FROM transition WHERE event = 'request-exception'", "lacks the step `request-exception`", true),
        ("DELETE FROM finding WHERE resource LIKE '%logs'", "its steps are there", false),
        (
            "DELETE FROM finding WHERE resource LIKE '%logs'; DELETE FROM transition WHERE key NOT IN (SELECT key FROM finding)",
            "lacks the step `triage`",
            true,
        ),
    ];
    for (statement, says, entry) in cases {
        let mut r = world();
        statement.split("; ").for_each(|s| sql(&mut r, s));
        assert!(sound(&r).is_ok(), "the log itself is whole: {statement}");
        let found = govern::astray(&r).unwrap().unwrap_or_else(|| panic!("not found: {statement}"));
        assert!(found.what.contains(says), "{statement}: {found}");
        assert_eq!(found.entry.is_some(), entry, "{statement}: {found}");
    }
}

#[test]
fn nobody_decides_their_own_request_by_any_login() {
    let mut r = world();
    let asked = session(&r, "adam", now());
    let d = govern::request(&mut r, &catalog(), &asked, &ask("orders")).unwrap();
    let number = d.number.to_string();
    assert_eq!(state(&r, "orders"), "exception-requested");
    for login in ["adam", "ADAM@example.com", "erin"] {
        let s = session(&r, login, now());
        let refused = govern::decide(&mut r, &catalog(), &s, &number, Verb::Approve, "fine");
        assert!(matches!(refused, Err(GovernError::Refused(_))), "{login}");
    }
    assert_eq!(state(&r, "orders"), "exception-requested");
    let anna = session(&r, "anna", now());
    govern::decide(&mut r, &catalog(), &anna, &number, Verb::Approve, "fine for a month").unwrap();
    assert_eq!(state(&r, "orders"), "accepted");
    // Nothing ends early; the end reopens what was covered, once.
    let sweep = |r: &mut Record, at: Time| {
        govern::sweep(r, &catalog(), &Session::system("expiry", Some(seal().key), at)).unwrap().len()
    };
    assert_eq!(sweep(&mut r, now().plus_days(29)), 0);
    assert_eq!(sweep(&mut r, now().plus_days(31)), 1);
    assert_eq!(sweep(&mut r, now().plus_days(31)), 0);
    assert_eq!(state(&r, "orders"), "open");
    assert!(sound(&r).is_ok());
    assert!(
        govern::request(&mut r, &catalog(), &asked, &Ask { findings: vec![id("logs")], ..Ask::default() }).is_err()
    );
    assert_eq!(state(&r, "logs"), "open");
}

/// Decisions about many findings are written part by part, and kept as a whole all the same.
#[test]
fn a_decision_about_many_is_kept_whole_or_not_at_all() {
    let mut r = world();
    let names: Vec<String> = (0..600).map(|n| format!("many-{n:03}")).collect();
    let seen: Vec<(&str, Outcome)> = names.iter().map(|n| (n.as_str(), Outcome::Fail)).collect();
    scan(&mut r, now(), &seen);
    let ids: Vec<String> = names.iter().map(|n| id(n)).collect();
    let erin = session(&r, "erin", now());
    let many = || Ask { findings: ids.clone(), ..ask("orders") };
    // The last of them moves behind the rules' back: neither request nor decision keeps anything.
    let worst = ids.iter().max().unwrap();
    let forge = |r: &mut Record, state: &str| {
        sql(r, &format!("UPDATE finding SET state = '{state}' WHERE lower(hex(key)) = '{worst}'"));
    };
    let (entries, before) = (sound(&r).unwrap(), r.query("SELECT key, state FROM finding ORDER BY key").unwrap());
    forge(&mut r, "triaged");
    assert!(matches!(govern::request(&mut r, &catalog(), &erin, &many()), Err(GovernError::Diverged(_))));
    forge(&mut r, "open");
    assert_eq!(r.query("SELECT key, state FROM finding ORDER BY key").unwrap(), before);
    let number = govern::request(&mut r, &catalog(), &erin, &many()).unwrap().number.to_string();
    assert_eq!(sound(&r).unwrap(), entries + 601);
    let states =
        |r: &Record| r.query("SELECT state, count(*) FROM finding GROUP BY state ORDER BY state").unwrap().rows;
    let waiting = states(&r);
    assert_eq!(waiting, [[serde_json::json!("exception-requested"), 600.into()], ["open".into(), 3.into()]]);
    // A step that cannot follow in the last part undoes the first ones.
    sql(
        &mut r,
        &format!(
            "CREATE TRIGGER broken BEFORE UPDATE OF state ON finding WHEN lower(hex(OLD.key)) = '{worst}'
                          BEGIN SELECT RAISE(ABORT, 'no room'); END"
        ),
    );
    let anna = session(&r, "anna", now());
    assert!(govern::decide(&mut r, &catalog(), &anna, &number, Verb::Approve, "fine for a month").is_err());
    assert_eq!((states(&r), sound(&r).unwrap()), (waiting, entries + 601));
    assert_eq!(govern::decision(&r, &number).unwrap().1.status.name(), "requested");
    sql(&mut r, "DROP TRIGGER broken");
    govern::decide(&mut r, &catalog(), &anna, &number, Verb::Approve, "fine for a month").unwrap();
    assert_eq!(states(&r)[0], [serde_json::json!("accepted"), 600.into()]);
    let late = Session::system("expiry", Some(seal().key), now().plus_days(31));
    assert_eq!(govern::sweep(&mut r, &catalog(), &late).unwrap().len(), 1);
    assert_eq!(states(&r), [[serde_json::json!("open"), 603.into()]]);
    assert_eq!(sound(&r).unwrap(), entries + 3 * 601);
    assert_eq!(govern::astray(&r).unwrap(), None);
}

#[test]
fn a_change_is_kept_whole_or_not_at_all() {
    let mut r = world();
    let entries = sound(&r).unwrap();
    let mut change = govern::Change::default();
    change.put("decision", "EX-1", 0, &1).unwrap();
    let row = |from: &str| TransitionRow {
        at: NOW.into(),
        event: "triage".into(),
        from: from.into(),
        to: "triaged".into(),
        actor: "erin".into(),
        reason: String::new(),
        scan: None,
    };
    change.moves.push((id("orders"), row("open")));
    change.moves.push((id("logs"), row("accepted")));
    assert!(govern::commit(&mut r, Some(&seal().key), &change, now()).is_err());
    assert_eq!((state(&r, "orders").as_str(), sound(&r)), ("open", Ok(entries)));
    assert!(r.document("decision", "EX-1").unwrap().is_none());
    // A move behind the rules' back is seen when the finding is next read.
    r.atomically(|db| move_finding(db, &id("orders"), &row("open"))).unwrap();
    let err = step(&mut r, "erin", "orders", "start", &[("person", "erin"), ("plan", "x")]).unwrap_err();
    assert!(matches!(err, GovernError::Diverged(_)), "{err}");
}

#[test]
fn a_bundle_verifies_alone_and_a_spoiled_byte_is_named() {
    let mut r = world();
    step(&mut r, "erin", "orders", "triage", &[("team", "shop")]).unwrap();
    let ask = govern::BundleAsk { organization: "Example".into(), ..govern::BundleAsk::default() };
    let spool = || Ok(Box::new(std::io::Cursor::new(Vec::new())) as Box<dyn bundle::Spool>);
    let to = || govern::BundleTo { file: Vec::new(), spool: &spool };
    let (from, until) = (now().plus_days(-90), now().plus_days(1));
    let (bytes, manifest) = govern::write_bundle(&r, &catalog(), &ask, from, until, &seal().key, to()).unwrap();
    let other = govern::BundleAsk { accounts: vec!["999988887777".into()], ..ask };
    let refused = govern::write_bundle(&r, &catalog(), &other, from, now(), &seal().key, to());
    assert!(matches!(refused, Err(GovernError::Input(w)) if w.contains("no account `999988887777`")));
    let report = bundle::verify(&bytes, &[&manifest.key]).unwrap();
    assert_eq!((report.folded, report.log.entries), (3, PEOPLE + 1));
    for at in [bytes.len() / 4, bytes.len() / 2, bytes.len() * 3 / 4] {
        let mut spoiled = bytes.clone();
        spoiled[at] ^= 1;
        assert!(bundle::verify(&spoiled, &[]).is_err(), "byte {at}");
    }
    assert!(bundle::verify(&bytes, &["00"]).is_err());
}

/// What a scan of one place is told.
fn options(now: &str, accounts_at_once: usize) -> plumb_run::ScanOptions {
    let now = now.parse().unwrap();
    plumb_run::ScanOptions {
        started: now,
        now,
        regions: BTreeSet::new(),
        scope: serde_json::json!({}),
        resume: None,
        accounts_at_once,
        home: "us-east-1".into(),
        partition: "aws".into(),
    }
}

/// A bucket as the record keeps it: its fields, and what the provider answered.
fn stored(name: &str, doc: &str, raw: &str) -> plumb_record::StoredResource {
    plumb_record::StoredResource {
        account: "111122223333".into(),
        kind: "aws.s3.bucket".into(),
        id: format!("arn:aws:s3:::{name}"),
        unit: "global".into(),
        region: "eu-west-1".into(),
        name: name.into(),
        doc: doc.into(),
        raw: raw.into(),
    }
}

/// What a bundle's file of this name holds, line by line.
fn bundled(record: &Record, accounts: &[&str], path: &str) -> (Vec<serde_json::Value>, Option<usize>) {
    let accounts = accounts.iter().map(|a| (*a).to_owned()).collect();
    let ask = govern::BundleAsk { organization: "Example".into(), accounts, ..govern::BundleAsk::default() };
    let spool = || Ok(Box::new(std::io::Cursor::new(Vec::new())) as Box<dyn bundle::Spool>);
    let to = govern::BundleTo { file: Vec::new(), spool: &spool };
    let (from, until) = (now().plus_days(-90), now().plus_days(1));
    let (bytes, manifest) = govern::write_bundle(record, &catalog(), &ask, from, until, &seal().key, to).unwrap();
    bundle::verify(&bytes, &[&manifest.key]).unwrap();
    assert!(!bytes.windows(PASSWORD.len()).any(|w| w == PASSWORD.as_bytes()));
    let files = bundle::zip::read(&bytes).unwrap();
    for (name, bytes) in &files {
        assert!(!String::from_utf8_lossy(bytes).contains(PASSWORD), "{name} holds a credential");
    }
    let file = files.iter().find(|f| f.0 == path).unwrap();
    let rows = std::str::from_utf8(&file.1).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    (rows, manifest.files.iter().find(|f| f.path == path).unwrap().in_system)
}

const PASSWORD: &str = "Sup3rS3cret!Pa55";

/// What findings rest on goes into bundles as the provider answered it, without credentials, as far as it still is what
/// was judged (W08).
#[test]
fn bundles_hold_what_findings_rest_on() {
    let mut r = Record::in_memory().unwrap();
    let leaf = plumb_model::Leaf {
        path: "block_public_acls".into(),
        observed: false.into(),
        expected: "is true".into(),
        source: plumb_model::Source::Api("s3:GetPublicAccessBlock".into()),
    };
    let raw = serde_json::json!({
        "PublicAccessBlockConfiguration": { "BlockPublicAcls": false, "IgnorePublicAcls": true },
        "Environment": { "Variables": { "DB_PASSWORD": PASSWORD, "FLAG": false } },
    });
    let new = NewScan { started: now(), judged_at: now(), scope: serde_json::json!({}), rules_digest: String::new() };
    let id = r.begin_scan(&new).unwrap();
    r.put_resources(id, &["orders", "logs"].map(|name| stored(name, "{}", &raw.to_string()))).unwrap();
    let judge = |r: &Record, seen: &[(&str, Outcome)]| {
        let mut ingest = r.ingest(id, now(), &"111122223333".into(), &"aws.s3.bucket".into()).unwrap();
        for (name, outcome) in seen {
            let verdict = Verdict { because: vec![leaf.clone()], ..verdict(name, *outcome) };
            ingest.verdict(&verdict, Severity::High).unwrap();
        }
        ingest.finish(&BTreeSet::from([RULE.into()]), &BTreeSet::new()).unwrap();
    };
    judge(&r, &[("orders", Outcome::Fail), ("logs", Outcome::Fail), ("code", Outcome::Fail)]);
    judge(&r, &[("logs", Outcome::Pass), ("orders", Outcome::Fail), ("code", Outcome::Fail)]);
    let active = |id: &str| plumb_record::AccountRow {
        id: id.into(),
        provider: "aws".into(),
        name: "shop".into(),
        state: "active".into(),
        reason: String::new(),
        doc: serde_json::json!({}),
    };
    r.put_accounts(&[active("111122223333"), active("444455556666")]).unwrap();
    let covered = |account: &str| plumb_record::CoverageRow {
        account: account.into(),
        region: "eu-west-1".into(),
        kind: "aws.s3.bucket".into(),
        rule: RULE.into(),
        pass: 1,
        fail: 2,
        unknown: 0,
        not_applicable: 0,
        reasons: Vec::new(),
    };
    r.put_coverage(id, &[covered("111122223333"), covered("444455556666")]).unwrap();
    let principal =
        |admin| serde_json::json!({ "class": "human", "admin": admin, "can_become_admin": admin, "keys": [] });
    let arns = ["arn:aws:iam::111122223333:user/ann", "arn:aws:iam::111122223333:user/bob"];
    r.put_principals(
        id,
        "111122223333",
        [(true, arns[0]), (false, arns[1])].map(|(a, arn)| Ok((arn.into(), principal(a)))),
    )
    .unwrap();

    let (rows, in_system) = bundled(&r, &[], "evidence/captured.jsonl");
    assert_eq!((rows.len(), in_system), (3, Some(3)));
    let of = |name: &str| {
        let id = crate::id(name);
        rows.iter().find(|row| row["finding"] == *id).unwrap()
    };
    let orders = of("orders");
    assert_eq!(orders["because"][0]["observed"], false);
    assert_eq!(orders["said_by"], serde_json::json!(["s3:GetPublicAccessBlock"]));
    assert_eq!(orders["excerpt"]["PublicAccessBlockConfiguration"]["BlockPublicAcls"], false);
    assert_eq!((&orders["read_at"], &orders["no_excerpt"]), (&NOW.into(), &"".into()));
    assert!(of("logs")["no_excerpt"].as_str().unwrap().contains("closed") && of("logs")["excerpt"].is_null());
    assert!(of("code")["no_excerpt"].as_str().unwrap().contains("no answer") && of("code")["read_at"].is_null());

    let (events, _) = bundled(&r, &[], "ocsf/compliance-findings.jsonl");
    let states: BTreeSet<_> = events.iter().map(|e| (e["class_uid"].as_u64(), e["status"].as_str())).collect();
    assert_eq!(states, [(Some(2003), Some("New")), (Some(2003), Some("Resolved"))].into());
    let (identities, in_system) = bundled(&r, &[], "ocsf/iam-analysis.jsonl");
    assert_eq!((identities.len(), in_system), (1, Some(2)));
    assert_eq!(identities[0]["resources"][0]["uid"], arns[0]);
    // Of one account, the lists say out of how many.
    let (coverage, in_system) = bundled(&r, &["444455556666"], "coverage/coverage.jsonl");
    assert_eq!((coverage.len(), in_system, &coverage[0]["account"]), (1, Some(2), &"444455556666".into()));
    assert_eq!(bundled(&r, &["444455556666"], "evidence/captured.jsonl").0.len(), 0);
}

#[test]
fn a_key_is_made_once_and_only_for_its_owner() {
    let folder = std::env::temp_dir().join(format!("plumb-seal-{}", std::process::id()));
    let path = folder.join("deep/seal.key");
    let first = Seal::read_or_make(&path).unwrap();
    let again = Seal::read_or_make(&path).unwrap();
    assert!(first.made && !again.made && first.key.public() == again.key.public());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    std::fs::write(&path, "not a key").unwrap();
    assert!(Seal::read(&path).is_err());
    std::fs::remove_dir_all(&folder).unwrap();
}
