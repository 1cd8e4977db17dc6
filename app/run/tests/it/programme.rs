//! The programme on a store: ledger, reviews, attestations, retention, the whole record; and the groups of the
//! specification that need one: 3 (no approval without end and trigger), 9 (auditors), 10 (two at once), 11, 12.

use super::{NOW, ask, catalog, id, now, scan, seal, session, sound, sql, state, world};
use plumb_govern::{
    decision::Status,
    ids::HumanId,
    ledger::{Exposure, ExposureState, Reach, Seen},
    policy::{DataClass, Tier},
    review::{Access, Outcome as Done, ReviewerRule, Standing, people_from_csv},
};
use plumb_model::{Outcome, Time};
use plumb_record::{Record, ScanId};
use plumb_run::govern::{
    self, ExposureAsk, ExposureVerb, GovernError, HoldVerb, NewAttestation, NewFile, NewReview, ReviewRow, Session,
    Verb,
};
use std::collections::BTreeSet;

fn seen(name: &str) -> Seen {
    Seen {
        resource: format!("arn:aws:s3:::{name}").as_str().into(),
        name: name.into(),
        account: "111122223333".into(),
        region: "eu-west-1".into(),
        kind: "bucket".into(),
        endpoints: Vec::new(),
        reach: Reach::OpenAnonymous,
        proof: Vec::new(),
        data: DataClass::Internal,
        tier: Tier::Production,
        protections: Vec::new(),
        team: None,
        tags: Vec::new(),
    }
}

/// A ledger with one entry nobody decided on, as a run would have written it.
fn with_entry(record: &mut Record) -> String {
    let mut book = Default::default();
    let complete = BTreeSet::from(["111122223333".into()]);
    let policy = plumb_govern::policy::Policy::default();
    plumb_govern::ledger::observe(&mut book, vec![seen("site")], &complete, &BTreeSet::new(), &[], &policy, now());
    let entry: Exposure = book.into_values().next().unwrap();
    let mut change = govern::Change::default();
    let (by, doc) = (plumb_govern::people::Actor::system("ledger"), serde_json::to_value(&entry).unwrap());
    let what = serde_json::json!({ "to": "detected" });
    let event = plumb_govern::log::Event::done(&by, "exposure.detect", ("exposure", &entry.id), what, now());
    change.events.push(event.with_states(None, Some(&doc)));
    change.put("exposure", &entry.id, 0, &entry).unwrap();
    govern::commit(record, Some(&seal().key), &change, now()).unwrap();
    entry.id
}

fn wish(entry: &str) -> ExposureAsk {
    ExposureAsk {
        entry: entry.into(),
        justification: Some("The shop's pictures are served to everybody from here.".into()),
        trigger: Some("the shop moves behind the CDN".into()),
        expires: Some("60d".into()),
        ..ExposureAsk::default()
    }
}

#[test]
fn an_exposure_is_approved_by_another_person_and_its_finding_follows() {
    let mut r = world();
    let entry = with_entry(&mut r);
    let of = |r: &Record, who: &str| session(r, who, now());
    let erin = of(&r, "erin");
    let ask = wish("site");
    govern::request_exposure(&mut r, &catalog(), &erin, &ask, false).unwrap();
    let finding = |r: &Record| {
        let query = plumb_record::Query {
            rules: BTreeSet::from(["governance.exposure.approved".into()]),
            ..plumb_record::Query::default()
        };
        r.findings(&query).unwrap().len()
    };
    assert_eq!(finding(&r), 1, "what nobody approved is a finding");
    for who in ["erin", "otto", "ada"] {
        let s = of(&r, who);
        let refused = govern::decide_exposure(&mut r, &catalog(), &s, &entry, ExposureVerb::Approve, "");
        assert!(matches!(refused, Err(GovernError::Refused(_))), "{who}");
    }
    let adam = of(&r, "adam");
    let e =
        govern::decide_exposure(&mut r, &catalog(), &adam, &govern::short(&entry), ExposureVerb::Approve, "").unwrap();
    assert_eq!((e.state, finding(&r)), (ExposureState::Approved, 0));
    // Nothing was named that carries the risk: that is flagged on the entry, in the log, and to whoever reads the lens.
    assert_eq!(e.flag(), Some("approved without a compensating control"));
    let flagged = |r: &Record| {
        let entries = govern::entries(r, 0).map(|e| String::from_utf8(e.unwrap().bytes).unwrap());
        entries.filter(|e| e.contains("exposure.flag")).count()
    };
    assert_eq!(flagged(&r), 1);
    {
        let catalog = catalog();
        let p = govern::Picture::read(&r, &catalog, now()).unwrap();
        let lens = &p.lenses(&[]).unwrap()[1];
        assert!(lens.flags.iter().any(|f| f.what == "no-compensating-control" && f.object == entry), "{lens:?}");
        let net = plumb_govern::ledger::net_change(&p.ledger, now().plus_days(-1), now().plus_days(1));
        assert_eq!(net.uncarried, 1);
    }
    let none = ExposureAsk { controls: vec!["aws.s3.bucket.public-access-blocked".into()], ..wish("site") };
    let refused = govern::request_exposure(&mut r, &catalog(), &erin, &none, true);
    assert!(matches!(refused, Err(GovernError::Refused(_))), "a control that does not pass carries nothing");
    let note = "the campaign is over, it comes down today";
    govern::decide_exposure(&mut r, &catalog(), &erin, &entry, ExposureVerb::Retire, note).unwrap();
    assert_eq!(finding(&r), 1);
    assert!(sound(&r).is_ok());
}

fn access(name: &str, entitlement: &str) -> Access {
    Access {
        account: "111122223333".into(),
        principal: format!("arn:aws:iam::111122223333:user/{name}"),
        name: name.into(),
        kind: "human".into(),
        human: None,
        entitlement: entitlement.into(),
        standing: Standing::Unknown,
        last_used: Some(now()),
        admin: true,
        owner: None,
    }
}

#[test]
fn a_review_is_decided_in_bulk_verified_by_a_scan_and_kept_as_a_promise() {
    let mut r = world();
    let people = [access("lea", "policy Admin"), access("kim", "policy Admin"), access("max", "access key 1")];
    let rows = people_from_csv("email,status\nlea,terminated\nerin@example.com,active\n", now()).unwrap();
    let adam = session(&r, "adam", now());
    assert_eq!(govern::import_people(&mut r, &adam, &rows, "hr").unwrap().leavers, 1);
    let mut population = people.to_vec();
    assert_eq!(govern::mark(&r, &mut population).unwrap().len(), 1);
    let new = NewReview {
        name: "Q4".into(),
        scope: "privileged".into(),
        cadence: "access-review-privileged".into(),
        population,
        rule: ReviewerRule::Named(HumanId::from("anna")),
        fallback: None,
        due_at: now().plus_days(20),
    };
    let c = govern::open_review(&mut r, &adam, new).unwrap();
    let row = |name: usize, decision: &str, action: &str| ReviewRow {
        item: govern::item_code(&people[name].id()),
        decision: decision.into(),
        reason: "still needed for the on-call rota".into(),
        action: action.into(),
    };
    let anna = session(&r, "anna", now());
    let all = [row(0, "keep", ""), row(1, "keep", ""), row(2, "remove", "JIRA-7"), row(1, "burn", "")];
    let (_, said) = govern::decide_review(&mut r, &anna, &c.id, &all).unwrap();
    let ok: Vec<bool> = said.iter().map(|s| s.ok).collect();
    assert_eq!(ok, [false, true, true, false], "nobody who has left keeps anything: {said:?}");
    let erin = session(&r, "erin", now());
    assert!(!govern::decide_review(&mut r, &erin, &c.id, &all[..1]).unwrap().1[0].ok, "only its reviewer decides");
    govern::decide_review(&mut r, &anna, &c.id, &[row(0, "remove", "IDP-9")]).unwrap();
    assert!(govern::close_review(&mut r, &adam, &c.id).is_err(), "not by who opened it");
    govern::close_review(&mut r, &anna, &c.id).unwrap();
    let due = govern::cadences(&r, now().plus_days(1)).unwrap();
    assert!(due.iter().any(|d| d.promise == "access-review-privileged" && d.last.is_some()));
    // The next scan sees max's key gone and lea still there; two days later that is late, and a finding.
    let complete = BTreeSet::from(["111122223333".into()]);
    let system = |at: Time| Session::system("reviews", Some(seal().key), at);
    let left = vec![people[0].clone(), people[1].clone()];
    let verify =
        |r: &mut Record, at: Time| govern::verify_reviews(r, &system(at), ScanId(1), left.clone(), &complete).unwrap();
    assert_eq!(verify(&mut r, now().plus_days(1)), 1);
    verify(&mut r, now().plus_days(3));
    let (_, after) = govern::campaign(&r, &c.id).unwrap();
    assert_eq!(after.items[&people[0].id()].outcome, Done::NotVerified);
    let open = |r: &Record, rule: &str| {
        let sql = format!("SELECT count(*) FROM finding WHERE rule = '{rule}' AND state = 'open'");
        r.query(&sql).unwrap().rows[0][0].as_i64().unwrap()
    };
    assert_eq!(open(&r, "governance.access.removal-verified"), 1);
    assert_eq!(open(&r, "governance.access.leaver-removed"), 1);
    govern::verify_reviews(&mut r, &system(now().plus_days(4)), ScanId(1), vec![people[1].clone()], &complete).unwrap();
    assert_eq!(open(&r, "governance.access.removal-verified") + open(&r, "governance.access.leaver-removed"), 0);
    assert!(sound(&r).is_ok());
}

#[test]
fn an_attestation_counts_once_another_agreed_and_its_paper_is_kept() {
    let mut r = world();
    let catalog = catalog();
    let (framework, control) = catalog
        .frameworks()
        .values()
        .find_map(|f| Some((f.id.clone(), f.controls.iter().find(|c| c.assessment == "manual")?.id.clone())))
        .expect("a framework with a manual control");
    let new = || NewAttestation {
        framework: framework.to_string(),
        control: control.clone(),
        statement: "The board reviews this every quarter; the minutes are attached.".into(),
        files: vec![NewFile { name: "minutes.txt".into(), bytes: b"seen and agreed".to_vec(), by_reference: false }],
        until: now().plus_days(200),
    };
    let erin = session(&r, "erin", now());
    let (number, made) = govern::attest(&mut r, &catalog, &erin, new()).unwrap();
    let standing = |r: &Record, at: Time| {
        let p = govern::Picture::read(r, &catalog, at).unwrap();
        let a = p.align(&catalog, &framework).unwrap();
        a.rows.iter().find(|row| row.control.id == control).unwrap().standing.word()
    };
    assert_eq!(standing(&r, now()), "manual");
    assert!(matches!(govern::agree(&mut r, &erin, &number), Err(GovernError::Refused(_))));
    let adam = session(&r, "adam", now());
    govern::agree(&mut r, &adam, &number).unwrap();
    assert_eq!((standing(&r, now()), standing(&r, now().plus_days(201))), ("attested", "manual"));
    let (name, bytes) = govern::attachment(&r, &made.evidence[0].sha256).unwrap().unwrap();
    assert_eq!((name.as_str(), bytes.as_slice()), ("minutes.txt", b"seen and agreed".as_slice()));
    let long = NewAttestation { until: now().plus_days(400), ..new() };
    assert!(matches!(govern::attest(&mut r, &catalog, &erin, long), Err(GovernError::Refused(_))));
}

/// Group 11: what is held never goes; what goes leaves a certificate, and the log still verifies.
#[test]
fn disposal_takes_what_is_old_and_never_what_is_held() {
    let mut r = world();
    scan(&mut r, now(), &[("orders", Outcome::Pass), ("logs", Outcome::Fail), ("site", Outcome::Fail)]);
    let late = now().plus_days(3_000);
    let of = |r: &Record, who: &str| session(r, who, late);
    let (ada, ida, adam, erin) = (of(&r, "ada"), of(&r, "ida"), of(&r, "adam"), of(&r, "erin"));
    let why = "the regulator asked about these accounts in March";
    let accounts = BTreeSet::from(["111122223333".to_owned()]);
    let held = govern::hold(&mut r, &ada, &HoldVerb::Propose(why.into(), BTreeSet::new(), accounts)).unwrap();
    assert!(
        matches!(govern::propose_disposal(&mut r, &ada), Err(GovernError::Input(w)) if w.contains("1 rows are old enough and held"))
    );
    assert!(matches!(govern::hold(&mut r, &ada, &HoldVerb::Place(held.id.clone())), Err(GovernError::Refused(_))));
    let lift = HoldVerb::Lift(held.id, "the regulator has closed the case".into());
    govern::hold(&mut r, &ida, &lift).unwrap();
    assert!(matches!(govern::propose_disposal(&mut r, &erin), Err(GovernError::Refused(_))));
    let (number, plan) = govern::propose_disposal(&mut r, &ada).unwrap();
    assert_eq!(plan.ids.len(), 1, "{plan:?}");
    // A hold placed meanwhile is asked again.
    let again = govern::hold(&mut r, &ada, &HoldVerb::Propose(why.into(), BTreeSet::new(), BTreeSet::new())).unwrap();
    assert!(matches!(govern::approve_disposal(&mut r, &adam, &number), Err(GovernError::Refused(_))));
    govern::hold(&mut r, &ida, &HoldVerb::Lift(again.id, "placed by mistake, see the ticket".into())).unwrap();
    assert!(matches!(govern::approve_disposal(&mut r, &ada, &number), Err(GovernError::Refused(_))));
    let certificate = govern::approve_disposal(&mut r, &adam, &number).unwrap();
    assert_eq!((certificate.digest, certificate.counts.values().sum::<usize>()), (plan.digest, 1));
    assert!(r.finding(&id("orders")).is_err());
    assert_eq!((state(&r, "logs"), state(&r, "site")), ("open".into(), "open".into()));
    assert!(sound(&r).is_ok());
    assert_eq!(govern::astray(&r).unwrap(), None);
}

/// G07, G35: a number stands on the log for ever; what is asked for after a disposal gets the next one, not one again.
#[test]
fn what_was_disposed_of_keeps_its_number() {
    let mut r = world();
    let request = |r: &mut Record, who: &Session, name: &str| govern::request(r, &catalog(), who, &ask(name));
    let erin = session(&r, "erin", now());
    for (name, number) in [("orders", "EX-2026-000001"), ("logs", "EX-2026-000002")] {
        assert_eq!(request(&mut r, &erin, name).unwrap().number.as_str(), number);
    }
    let over = "it is taken out of service next week instead";
    govern::decide(&mut r, &catalog(), &erin, "EX-2026-000001", govern::Verb::Withdraw, over).unwrap();
    let short = r#"{"version":"retention/1.1.0","days":{"decisions":1},"demands":[]}"#;
    let later = now().plus_days(10);
    let (ada, adam, erin) = (session(&r, "ada", later), session(&r, "adam", later), session(&r, "erin", later));
    govern::set_retention(&mut r, &ada, &serde_json::from_str(short).unwrap()).unwrap();
    let (number, plan) = govern::propose_disposal(&mut r, &ada).unwrap();
    assert_eq!(plan.ids.len(), 1, "{plan:?}");
    govern::approve_disposal(&mut r, &adam, &number).unwrap();
    assert_eq!(request(&mut r, &erin, "orders").unwrap().number.as_str(), "EX-2026-000003");
    assert!(sound(&r).is_ok());
}

/// R1, G32: an admin runs the tool and gives roles to others; nobody gives themselves one, by any login.
#[test]
fn nobody_gives_themselves_a_role() {
    let mut r = world();
    let new = |id: &str, roles: Vec<plumb_govern::people::Role>| govern::NewPerson {
        id: id.into(),
        name: "Ada".into(),
        roles,
        teams: Vec::new(),
        logins: Vec::new(),
        code: false,
        active: true,
    };
    let ada = session(&r, "ada@example.com", now());
    for id in ["ada", "Ada", "ada@example.com"] {
        let said = govern::add_person(&mut r, &ada, new(id, vec![plumb_govern::people::Role::Approver]));
        assert!(matches!(said, Err(GovernError::Refused(_))), "{id}");
    }
    govern::add_person(&mut r, &ada, new("ada", Vec::new())).unwrap();
    let ida = session(&r, "ida", now());
    govern::add_person(&mut r, &ida, new("ada", vec![plumb_govern::people::Role::Approver])).unwrap();
}

/// R7, G34: an admin decides in an emergency only, never their own request; everything in it is tagged, and another approver
/// looks at it afterwards.
#[test]
fn an_emergency_is_short_tagged_and_looked_at() {
    use govern::{EmergencyVerb, Verb};
    let mut r = world();
    let (c, why) = (catalog(), "the approvers are on a plane and the site is down");
    let at = |r: &Record, who: &str, hours: i64| session(r, who, Time::from_seconds(now().seconds() + hours * 3_600));
    let open = |r: &mut Record, who: &str, why: &str, hours: u8| {
        let session = at(r, who, 0);
        govern::emergency(r, &session, &EmergencyVerb::Open(why.into(), hours))
    };
    let refused = |said: Result<plumb_govern::emergency::Emergency, GovernError>| match said {
        Err(GovernError::Refused(refusal)) => refusal.to_string(),
        other => panic!("{other:?}"),
    };
    let erin = at(&r, "erin", 0);
    let number = govern::request(&mut r, &c, &erin, &ask("orders")).unwrap().number;
    let decide = |r: &mut Record, who: &str, hours: i64, number: &str| {
        let session = at(r, who, hours);
        govern::decide(r, &c, &session, number, Verb::Approve, "until the plane lands")
    };
    assert!(matches!(decide(&mut r, "ada", 0, number.as_str()), Err(GovernError::Refused(_))));
    for (who, why, hours, says) in [
        ("erin", why, 1, "needs admin"),
        ("ada", "short", 1, "20 characters"),
        ("ada", why, 5, "1 to 4"),
        ("ada", why, 0, "1 to 4"),
    ] {
        assert!(refused(open(&mut r, who, why, hours)).contains(says));
    }
    let id = open(&mut r, "ada", why, 2).unwrap().id;
    assert!(refused(open(&mut r, "ada", why, 2)).contains("open already"));
    // What they ask for themselves, somebody else decides.
    let ada = at(&r, "ada", 1);
    let own = govern::request(&mut r, &c, &ada, &ask("logs")).unwrap().number;
    assert!(matches!(decide(&mut r, "ada", 1, own.as_str()), Err(GovernError::Refused(_))));
    let done = decide(&mut r, "ada", 1, number.as_str()).unwrap();
    assert_eq!(done.approvals.len(), 1);
    let tag = format!("\"emergency\":\"{id}\"");
    let tagged =
        govern::entries(&r, 0).filter(|e| String::from_utf8_lossy(&e.as_ref().unwrap().bytes).contains(&tag)).count();
    assert!(tagged >= 4, "{tagged}");
    // It runs out by itself, and another approver looks at it; whoever acted in it does not, nor anybody in their own.
    let review = |r: &mut Record, who: &str, hours: i64| {
        let session = at(r, who, hours);
        govern::emergency(
            r,
            &session,
            &EmergencyVerb::Review(id.clone(), "each of these was asked for by the site's team".into()),
        )
    };
    assert!(refused(review(&mut r, "adam", 1)).contains("not over"));
    assert!(matches!(decide(&mut r, "ada", 3, own.as_str()), Err(GovernError::Refused(_))));
    assert!(refused(review(&mut r, "ada", 3)).contains("needs approver"));
    let flags = |r: &Record, days: i64| {
        let p = govern::Picture::read(r, &c, now().plus_days(days)).unwrap();
        let views = p.lenses(&[]).unwrap();
        views
            .into_iter()
            .flat_map(|v| v.flags)
            .map(|f| f.what)
            .filter(|w| w.starts_with("emergency"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (flags(&r, 1), flags(&r, 9)),
        (vec!["emergency-not-reviewed".to_owned()], vec!["emergency-review-overdue".to_owned()])
    );
    assert_eq!(review(&mut r, "adam", 3).unwrap().review.unwrap().by.as_str(), "adam");
    assert!(refused(review(&mut r, "anna", 3)).contains("reviewed already"));
    assert!(flags(&r, 9).is_empty() && sound(&r).is_ok());
    assert_eq!(govern::astray(&r).unwrap(), None);
}

/// Group 12: out, in elsewhere, out again: equal digests, and what was restored verifies.
#[test]
fn a_record_restored_elsewhere_is_the_same_and_verifies() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("whole");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let mut r = world();
    super::step(&mut r, "erin", "orders", "triage", &[("team", "shop")]).unwrap();
    let erin = session(&r, "erin", now());
    govern::request(&mut r, &catalog(), &erin, &ask("logs")).unwrap();
    with_entry(&mut r);
    let (dir, zip, again) = (folder.join("out"), folder.join("out.zip"), folder.join("again"));
    let first = govern::export_record(&r, &dir).unwrap();
    assert_eq!(govern::export_record(&r, &zip).unwrap(), first);
    assert!(govern::export_record(&r, &dir).is_err(), "a folder with something in it is left alone");
    for (from, to) in [(&dir, folder.join("one.db")), (&zip, folder.join("two/record.db"))] {
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        assert_eq!(govern::import_record(from, &to, &[seal().key.public()]).unwrap(), first);
        let restored = Record::open(&to).unwrap();
        assert_eq!(sound(&restored), sound(&r));
        assert_eq!(state(&restored, "logs"), "exception-requested");
        let _ = std::fs::remove_dir_all(&again);
        assert_eq!(govern::export_record(&restored, &again).unwrap().digest, first.digest);
        assert!(govern::import_record(from, &to, &[]).is_err(), "a record that is there is not overwritten");
    }
    // What was changed on the way is not restored: a file against its digest, a forged list against the log.
    let lines = dir.join("log/activity.jsonl");
    let text = std::fs::read_to_string(&lines).unwrap();
    std::fs::write(&lines, text.replace("shop", "blog")).unwrap();
    let to = folder.join("three.db");
    assert!(govern::import_record(&dir, &to, &[]).is_err_and(|e| e.to_string().contains("log/activity.jsonl")));
    let listing = std::fs::read_to_string(dir.join("export.json")).unwrap();
    let digest = |bytes: &[u8]| plumb_govern::log::text::hex(&plumb_govern::log::merkle::sha256(bytes));
    let forged = listing.replace(&digest(text.as_bytes()), &digest(text.replace("shop", "blog").as_bytes()));
    std::fs::write(dir.join("export.json"), forged).unwrap();
    assert!(govern::import_record(&dir, &to, &[]).is_err_and(|e| e.to_string().contains("does not verify")));
    assert!(!to.exists());
}

/// Group 9: an auditor reads everything and writes nothing but the proposal of a hold.
#[test]
fn an_auditor_writes_nothing() {
    let mut r = world();
    let entry = with_entry(&mut r);
    let before: Vec<String> = ["finding", "document"].map(|t| all(&r, t)).into();
    let otto = session(&r, "otto", now());
    let c = catalog();
    let mut refused = 0;
    let mut check = |what: &str, done: Result<(), GovernError>| {
        assert!(matches!(done, Err(GovernError::Refused(_))), "{what}: {done:?}");
        refused += 1;
    };
    let fields = [("team".to_owned(), "x".to_owned())].into();
    check("transition", govern::transition(&mut r, &c, &otto, &id("orders"), "triage", "", &fields).map(drop));
    check("link", govern::link(&mut r, &c, &otto, &id("orders"), "same-root", &id("logs")).map(drop));
    check("request", govern::request(&mut r, &c, &otto, &ask("orders")).map(drop));
    check("exposure", govern::request_exposure(&mut r, &c, &otto, &wish(&entry), false).map(drop));
    check(
        "approve",
        govern::decide_exposure(&mut r, &c, &otto, &entry, ExposureVerb::Reject, &"no ".repeat(9)).map(drop),
    );
    check("routing", govern::set_routing(&mut r, &otto, &[]).map(drop));
    check("people", govern::import_people(&mut r, &otto, &[], "hr").map(drop));
    check("disposal", govern::propose_disposal(&mut r, &otto).map(drop));
    check("retention", govern::set_retention(&mut r, &otto, &Default::default()).map(drop));
    check("cadence", govern::note_done(&mut r, &otto, "exception-review", "", "looked").map(drop));
    let new = NewReview {
        name: "x".into(),
        scope: "x".into(),
        cadence: String::new(),
        population: vec![access("a", "b")],
        rule: ReviewerRule::AccountOwner,
        fallback: None,
        due_at: now().plus_days(2),
    };
    check("review", govern::open_review(&mut r, &otto, new).map(drop));
    let after: Vec<String> = ["finding", "document"].map(|t| all(&r, t)).into();
    assert_eq!(before, after, "nothing but the log has changed");
    let denied = r.activity(0, 1_000).unwrap().iter().filter(|(_, l)| l.contains("\"outcome\":\"denied\"")).count();
    assert_eq!(denied, refused, "each attempt is on the log");
    assert!(sound(&r).is_ok());
}

/// A table's rows as text, but for the log's own head and checkpoints.
fn all(record: &Record, table: &str) -> String {
    let mut out = String::new();
    record
        .each_row::<plumb_record::RecordError>(table, |row| {
            let own = ["log", "checkpoint"].contains(&row["collection"].as_str().unwrap_or_default());
            if !own {
                out += &row.to_string();
            }
            Ok(())
        })
        .unwrap();
    out
}

/// Group 10: of two who decide at once, each with a connection of their own, exactly one wins.
#[test]
fn of_two_who_decide_at_once_exactly_one_wins() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("at-once");
    let _ = std::fs::remove_dir_all(&folder);
    let path = folder.join("record.db");
    let mut r = super::furnish(Record::open(&path).unwrap());
    for name in ["orders", "logs", "site"] {
        let erin = session(&r, "erin", now());
        let number = govern::request(&mut r, &catalog(), &erin, &ask(name)).unwrap().number.to_string();
        let gate = std::sync::Barrier::new(2);
        let decide = |who: &str, verb: Verb| {
            let mut own = Record::open(&path).unwrap();
            let s = session(&own, who, now());
            gate.wait();
            govern::decide(&mut own, &catalog(), &s, &number, verb, "decided at the same moment as another").is_ok()
        };
        let (yes, no) = std::thread::scope(|threads| {
            let one = threads.spawn(|| decide("adam", Verb::Approve));
            let two = threads.spawn(|| decide("anna", Verb::Reject));
            (one.join().unwrap(), two.join().unwrap())
        });
        assert!(yes ^ no, "{name}: approved {yes}, rejected {no}");
        let (_, d) = govern::decision(&r, &number).unwrap();
        assert_eq!(d.status, if yes { Status::InForce } else { Status::Rejected });
        assert!(sound(&r).is_ok());
        assert_eq!(govern::astray(&r).unwrap(), None);
    }
}

/// Group 3: neither the API, nor an import, nor SQL behind the service makes an approval without an end and a trigger.
#[test]
fn no_approval_without_an_end_and_a_trigger_by_any_way() {
    let mut r = world();
    let erin = session(&r, "erin", now());
    for (name, ask) in [
        ("end", govern::Ask { expires: None, ..ask("orders") }),
        ("trigger", govern::Ask { triggers: Vec::new(), ..ask("orders") }),
    ] {
        let refused = govern::request(&mut r, &catalog(), &erin, &ask);
        assert!(matches!(refused, Err(GovernError::Refused(_))), "{name}");
    }
    let text = "Mutelist:\n  Accounts:\n    \"*\":\n      Checks:\n        \"s3_bucket_public_access\":\n          Regions: [\"*\"]\n          Resources: [\"*\"]\n";
    let made = govern::import(&mut r, &erin, govern::MuteFormat::Mutelist, text).unwrap();
    assert_eq!((made.len(), state(&r, "orders").as_str()), (1, "open"), "an import mutes nothing");
    assert!(!made[0].1.problems().is_empty());
    // Forged in the database: the finding says accepted, no step led there.
    sql(&mut r, "UPDATE finding SET state = 'accepted' WHERE resource LIKE '%orders'");
    assert!(govern::astray(&r).unwrap().is_some());
    let row = r.finding(&id("orders")).unwrap();
    assert!(govern::load_life(&r, &catalog(), &row, &plumb_govern::policy::Policy::default()).is_err());
    assert!(NOW.starts_with("2026"));
}

#[test]
fn many_findings_move_as_one_request_each_guarded_by_itself() {
    let mut r = world();
    let erin = session(&r, "erin", now());
    let step = |name: &str, event: &str, fields: &[(&str, &str)]| govern::BulkStep {
        id: id(name),
        event: event.into(),
        reason: String::new(),
        fields: fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    };
    let rows = [
        step("orders", "triage", &[("team", "shop")]),
        step("logs", "triage", &[]),
        step("site", "retest-pass", &[]),
        step("orders", "start", &[("person", "erin"), ("plan", "SEC-1")]),
    ];
    let said = govern::bulk(&mut r, &catalog(), &erin, &rows).unwrap();
    assert_eq!(said.iter().map(|s| s.ok).collect::<Vec<_>>(), [true, false, false, false], "{said:?}");
    assert!(said.iter().all(|s| s.request == said[0].request));
    assert_eq!((state(&r, "orders"), state(&r, "logs")), ("triaged".into(), "open".into()));
    let row = r.finding(&id("orders")).unwrap();
    let (_, life) = govern::load_life(&r, &catalog(), &row, &plumb_govern::policy::Policy::default()).unwrap();
    assert_eq!(life.steps.last().unwrap().request.as_deref(), Some(said[0].request.as_str()));
    govern::link(&mut r, &catalog(), &erin, &id("orders"), "same-root", &id("logs")).unwrap();
    let back = govern::link(&mut r, &catalog(), &erin, &id("logs"), "same-root", &id("orders"));
    assert!(matches!(back, Err(GovernError::Input(w)) if w.contains("circle")));
    assert!(sound(&r).is_ok());
}

#[test]
fn what_people_say_about_accounts_sets_clocks_and_owners() {
    let mut r = world();
    let said = serde_json::json!({ "provider": "aws", "native_id": "111122223333", "owner": "erin", "owner_team": "shop",
        "tier": "tier1", "purpose": "the shop's storage", "data_classes": "regulated-payment;personal" });
    r.put_document("account-record", "aws:111122223333", 0, &said).unwrap();
    let row = r.finding(&id("orders")).unwrap();
    let policy = plumb_govern::policy::Policy::default();
    let life = |r: &Record| govern::load_life(r, &catalog(), &row, &policy).unwrap().1.finding;
    let f = life(&r);
    assert_eq!((f.facts.terms.tier, f.facts.terms.regulated), (Tier::Tier1, true));
    assert_eq!((f.team().unwrap().as_str(), f.person().unwrap().as_str()), ("shop", "erin"));
    let rules = serde_json::json!([{ "name": "storage", "select": { "rules": ["aws.s3.*"] }, "team": "platform" }]);
    let rules: Vec<plumb_govern::finding::RoutingRule> = serde_json::from_value(rules).unwrap();
    let ada = session(&r, "ada", now());
    govern::set_routing(&mut r, &ada, &rules).unwrap();
    assert_eq!(life(&r).team().unwrap().as_str(), "platform");
    let catalog = catalog();
    let p = govern::Picture::read(&r, &catalog, now()).unwrap();
    assert!(p.around.profiles["111122223333"].is_governed());
}

/// The log goes over to another key: who trusts either trusts all of it, and a stranger's key vouches for nothing.
#[test]
fn a_log_is_handed_over_to_another_key() {
    let mut r = world();
    let next = govern::Seal::from_seed(&[8; 32]);
    let ada = session(&r, "ada", now());
    let erin = session(&r, "erin", now());
    assert!(govern::rotate_key(&mut r, &erin, &next.key).unwrap_err().to_string().contains("hand the log over"));
    assert!(govern::rotate_key(&mut r, &ada, &seal().key).unwrap_err().to_string().contains("signs now"));
    let stranger = govern::Session { key: Some(next.key.clone()), ..session(&r, "ada", now()) };
    let third = govern::Seal::from_seed(&[9; 32]);
    assert!(govern::rotate_key(&mut r, &stranger, &third.key).is_err(), "only the key that signed hands it over");
    govern::rotate_key(&mut r, &ada, &next.key).unwrap();
    let after = govern::Session { key: Some(next.key.clone()), ..session(&r, "ada", now().plus_days(1)) };
    govern::note_done(&mut r, &after, "exception-review", "", "looked at").unwrap();
    for (key, sound) in [(&seal().key, true), (&next.key, true), (&third.key, false)] {
        let said = govern::verify_log(&r, &[key.public()]).unwrap();
        assert_eq!(said.is_ok(), sound, "{said:?}");
    }
    assert_eq!(govern::held(&r).unwrap().astray, None);
}

/// Auditors write notes and ask for evidence, and nothing else; those who work with findings comment and answer (G32).
#[test]
fn auditors_write_notes_and_ask_for_evidence() {
    use govern::NoteKind::{AuditNote, Comment, EvidenceRequest};
    let mut r = world();
    let (otto, erin) = (session(&r, "otto", now()), session(&r, "erin", now()));
    let site = r.finding(&id("site")).unwrap().id;
    let asked = govern::write_note(&mut r, &otto, EvidenceRequest, &site, "who approved this?").unwrap();
    govern::write_note(&mut r, &otto, AuditNote, &site, "seen on the tour").unwrap();
    govern::write_note(&mut r, &erin, Comment, &site, "the shop needs it until May").unwrap();
    for (who, kind, about, want) in [
        (&erin, AuditNote, site.as_str(), "needs auditor"),
        (&otto, Comment, site.as_str(), "`comment` needs"),
        (&otto, AuditNote, "EX-2026-000009", "there is no `EX-2026-000009`"),
    ] {
        let said = govern::write_note(&mut r, who, kind, about, "some words").unwrap_err().to_string();
        assert!(said.contains(want), "{said}");
    }
    assert!(govern::answer_note(&mut r, &otto, &asked.id, "look there").is_err());
    let answered = govern::answer_note(&mut r, &erin, &asked.id, "EX-2026-000001, by adam").unwrap();
    assert_eq!(answered.answer.unwrap().by, "erin");
    assert!(
        govern::answer_note(&mut r, &erin, &asked.id, "once more").unwrap_err().to_string().contains("is answered")
    );
    assert_eq!(govern::notes(&r).unwrap().len(), 3);
    assert_eq!(govern::held(&r).unwrap().astray, None);
    sql(&mut r, "UPDATE document SET doc = replace(doc, 'by adam', 'by anna') WHERE collection = 'note'");
    assert!(govern::held(&r).unwrap().astray.unwrap().what.contains("note N-000001 was changed"));
}
