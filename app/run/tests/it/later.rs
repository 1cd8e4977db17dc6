//! Decisions by selector, and what comes under them later: who asks, what a scan does about it, and what stays open.

use super::{RULE, ask, catalog, id, now, seal, session, sound, state, world};
use plumb_govern::decision::{Decision, Status, Subject};
use plumb_model::{Outcome, Severity, Time, Verdict};
use plumb_record::{NewScan, Record, ScanId};
use plumb_run::govern::{self, Ask, Came, GovernError, Picture, Session, Verb};
use std::collections::BTreeSet;

const FAIL: Outcome = Outcome::Fail;

/// A scan that looked at these buckets, in which what fails is of this severity.
fn scan(record: &mut Record, at: Time, severity: Severity, seen: &[(&str, Outcome)]) {
    let new = NewScan { started: at, judged_at: at, scope: serde_json::json!({}), rules_digest: String::new() };
    let scan: ScanId = record.begin_scan(&new).unwrap();
    let mut ingest = record.ingest(scan, at, &"111122223333".into(), &"aws.s3.bucket".into()).unwrap();
    for (name, outcome) in seen {
        let found: Verdict = super::verdict(name, *outcome);
        ingest.verdict(&found, severity).unwrap();
    }
    ingest.finish(&BTreeSet::from([RULE.into()]), &BTreeSet::new()).unwrap();
    record.end_scan(scan, "complete", Some(at), None, &serde_json::json!({})).unwrap();
}

fn by_name(pattern: &str, covers_future: bool) -> Ask {
    Ask {
        findings: Vec::new(),
        rules: vec![RULE.into()],
        resources: vec![pattern.into()],
        expires: Some("20d".into()),
        covers_future,
        ..ask("orders")
    }
}

fn asked(r: &mut Record, ask: &Ask) -> Result<Decision, GovernError> {
    let erin = session(r, "erin", now());
    govern::request(r, &catalog(), &erin, ask)
}

/// Asked for by erin, approved by adam and anna.
fn in_force(r: &mut Record, ask: &Ask) -> Decision {
    let mut d = asked(r, ask).unwrap();
    for who in ["adam", "anna"].into_iter().take(d.approvers_needed.into()) {
        let s = session(r, who, now());
        d = govern::decide(r, &catalog(), &s, d.number.as_str(), Verb::Approve, "fine for a while").unwrap();
    }
    assert_eq!(d.status, Status::InForce);
    d
}

fn system(at: Time) -> Session {
    Session::system("exceptions", Some(seal().key), at)
}

fn cover(r: &mut Record, at: Time) -> usize {
    govern::cover(r, &catalog(), &system(at)).unwrap().iter().map(|c: &Came| c.findings).sum()
}

fn refused(r: &mut Record, ask: &Ask) -> String {
    asked(r, ask).unwrap_err().to_string()
}

#[test]
fn a_request_by_selector_names_what_it_matches_now() {
    let mut r = world();
    let d = asked(&mut r, &by_name("*log*", false)).unwrap();
    assert_eq!(d.draft.subject.named().iter().map(|f| f.as_str().to_owned()).collect::<Vec<_>>(), [id("logs")]);
    assert_eq!(["logs", "orders", "site"].map(|n| state(&r, n)), ["exception-requested", "open", "open"]);
    assert_eq!(d.approvers_needed, 1);
    let shown = govern::shown(&r, &catalog(), &system(now()), d.number.as_str()).unwrap();
    assert_eq!((shown.matched.len(), shown.later.len(), shown.covers_future), (1, 0, false));
    assert_eq!(shown.matched[0].state, "exception-requested");
    // What waits already is not asked for twice.
    assert!(refused(&mut r, &by_name("*log*", false)).contains("matches something now"));
    // Two eyes more and 90 days at most for what comes later; nothing at all without a pattern.
    let ahead = asked(&mut r, &by_name("*site*", true)).unwrap();
    assert_eq!(ahead.approvers_needed, 2);
    assert!(refused(&mut r, &Ask { expires: Some("91d".into()), ..by_name("*orders*", true) }).contains("at most"));
    let bare = Ask { rules: Vec::new(), resources: Vec::new(), ..by_name("", true) };
    assert!(refused(&mut r, &bare).contains("selector"), "{}", refused(&mut r, &bare));
    let all = Ask { rules: vec!["*".into()], resources: vec!["?*".into()], ..bare.clone() };
    assert!(refused(&mut r, &all).contains("selector"));
    // One subject, and patterns that are patterns.
    assert!(
        refused(&mut r, &Ask { findings: vec![id("orders")], ..by_name("*orders*", true) })
            .contains("not both of them")
    );
    assert!(refused(&mut r, &Ask { findings: vec![id("orders")], ..bare.clone() }).contains("--rule"));
    assert!(refused(&mut r, &Ask { resources: vec!["re:(".into()], ..bare.clone() }).contains("not a pattern"));
    assert!(refused(&mut r, &Ask { tags: vec!["stage".into()], ..bare }).contains("key=value"));
    assert_eq!(state(&r, "orders"), "open");
    assert!(sound(&r).is_ok());
}

#[test]
fn what_comes_later_comes_under_it_once_and_opens_with_its_end() {
    for ended_by in ["expiry", "revoked", "withdrawn"] {
        let mut r = world();
        let d = in_force(&mut r, &by_name("*log*", true));
        assert_eq!(cover(&mut r, now()), 0, "what it names is under it already");
        let day = now().plus_days(1);
        let all = [("orders", FAIL), ("logs", FAIL), ("site", FAIL), ("log-two", FAIL), ("other", FAIL)];
        scan(&mut r, day, Severity::High, &all);
        let before = ["orders", "site", "logs", "other"].map(|n| r.history(&id(n)).unwrap());
        assert_eq!(cover(&mut r, day), 1);
        assert_eq!(["log-two", "logs"].map(|n| state(&r, n)), ["accepted", "accepted"]);
        assert_eq!(["orders", "site", "logs", "other"].map(|n| r.history(&id(n)).unwrap()), before);
        let last = r.history(&id("log-two")).unwrap().pop().unwrap();
        assert_eq!((last.event.as_str(), last.actor.as_str()), ("cover-exception", "system:exceptions"));
        for word in [d.number.as_str(), "for what comes later", "adam, anna"] {
            assert!(last.reason.contains(word), "{}", last.reason);
        }
        // Again, after the same scan and after a narrow one: nothing repeats, nothing else moves.
        assert_eq!(cover(&mut r, day), 0);
        scan(&mut r, day.plus_days(1), Severity::High, &[("log-two", FAIL)]);
        assert_eq!(cover(&mut r, day.plus_days(1)), 0);
        assert_eq!(r.history(&id("log-two")).unwrap().len(), 2);
        assert_eq!(["orders", "site", "logs", "other"].map(|n| r.history(&id(n)).unwrap()), before);
        // The decision stands as it was approved, remembers what came, and nothing that came is a change of value.
        let (_, now_is) = govern::decision(&r, d.number.as_str()).unwrap();
        assert_eq!((&now_is.draft, &now_is.approvals), (&d.draft, &d.approvals));
        assert_eq!(now_is.later.keys().map(|f| f.as_str().to_owned()).collect::<Vec<_>>(), [id("log-two")]);
        let log = r.activity(0, 1000).unwrap();
        assert!(log.iter().any(|(_, line)| line.contains("decision.cover") && line.contains("came later")));
        assert!(sound(&r).is_ok() && govern::astray(&r).unwrap().is_none());

        let end = match ended_by {
            "expiry" => {
                let at = now().plus_days(21);
                assert_eq!(govern::sweep(&mut r, &catalog(), &system(at)).unwrap().len(), 1);
                at
            }
            other => {
                let (who, verb) = if other == "revoked" { ("adam", Verb::Revoke) } else { ("erin", Verb::Withdraw) };
                let s = session(&r, who, day.plus_days(2));
                let note = "the shop has moved to the CDN";
                govern::decide(&mut r, &catalog(), &s, d.number.as_str(), verb, note).unwrap();
                day.plus_days(2)
            }
        };
        assert_eq!(["log-two", "logs"].map(|n| state(&r, n)), ["open", "open"], "{ended_by}");
        scan(&mut r, end, Severity::High, &[("log-three", FAIL)]);
        assert_eq!(cover(&mut r, end), 0, "{ended_by}");
        assert_eq!(state(&r, "log-three"), "open");
        assert!(sound(&r).is_ok() && govern::astray(&r).unwrap().is_none(), "{ended_by}");
    }
}

#[test]
fn nothing_worse_than_what_was_approved_is_swallowed() {
    let mut r = world();
    let d = in_force(&mut r, &by_name("*log*", true));
    let day = now().plus_days(1);
    scan(&mut r, day, Severity::Critical, &[("log-worse", FAIL)]);
    scan(&mut r, day, Severity::Medium, &[("log-mild", FAIL)]);
    assert_eq!(cover(&mut r, day), 1);
    assert_eq!(["log-worse", "log-mild"].map(|n| state(&r, n)), ["open", "accepted"]);
    let shown = govern::shown(&r, &catalog(), &system(day), d.number.as_str()).unwrap();
    assert_eq!((shown.matched.len(), shown.later.len(), shown.left_open.len()), (1, 1, 1));
    let why = shown.left_open[0].open_because.clone().unwrap();
    assert!(why.contains("at most high") && why.contains("critical"), "{why}");
    // Nobody approved a refusal either: the log has no denied attempt for what stayed open.
    assert!(r.activity(0, 1000).unwrap().iter().all(|(_, line)| !line.contains("\"outcome\":\"denied\"")));
    // A covered one that becomes worse ends the decision by its trigger, as one that it names would.
    scan(&mut r, day.plus_days(1), Severity::Critical, &[("log-mild", FAIL)]);
    let ended = govern::sweep(&mut r, &catalog(), &system(day.plus_days(1))).unwrap();
    assert_eq!(ended.len(), 1);
    assert!(ended[0].end.as_ref().unwrap().why.contains("severity-rises: high → critical"));
    assert_eq!(["log-mild", "logs"].map(|n| state(&r, n)), ["open", "open"]);
    assert!(sound(&r).is_ok());
}

#[test]
fn without_such_a_decision_the_product_accepts_nothing() {
    let mut r = world();
    // Asked for and agreed by one of two; and one in force that covers only what it names.
    let waits = asked(&mut r, &by_name("*log*", true)).unwrap();
    let adam = session(&r, "adam", now());
    govern::decide(&mut r, &catalog(), &adam, waits.number.as_str(), Verb::Approve, "fine for a while").unwrap();
    in_force(&mut r, &by_name("*site*", false));
    let day = now().plus_days(1);
    scan(&mut r, day, Severity::High, &[("log-two", FAIL), ("site-two", FAIL)]);
    assert_eq!(cover(&mut r, day), 0);
    // Nor does a person by calling what the product calls.
    let anna = session(&r, "anna", now());
    govern::decide(&mut r, &catalog(), &anna, waits.number.as_str(), Verb::Approve, "fine for a while").unwrap();
    let adam = session(&r, "adam", day);
    assert!(govern::cover(&mut r, &catalog(), &adam).unwrap().is_empty());
    assert_eq!(["log-two", "site-two"].map(|n| state(&r, n)), ["open", "open"]);
    assert_eq!(cover(&mut r, day), 1);
    assert_eq!(["log-two", "site-two"].map(|n| state(&r, n)), ["accepted", "open"]);
}

#[test]
fn a_selector_that_meets_nothing_yet_needs_to_cover_what_comes() {
    let mut r = world();
    assert!(refused(&mut r, &by_name("*lake*", false)).contains("matches something now"));
    // Without a page that says how bad its rules are, the worst is assumed: that bounds how long it lasts.
    let unknown = Ask { rules: vec!["none.*".into()], expires: Some("31d".into()), ..by_name("*lake*", true) };
    assert!(refused(&mut r, &unknown).contains("act-now"), "{}", refused(&mut r, &unknown));
    let d = in_force(&mut r, &by_name("*lake*", true));
    assert_eq!(d.situation.severity, Some(Severity::High), "what the rule's page says");
    let idle = |r: &Record, at: Time| {
        let catalog = catalog();
        Picture::read(r, &catalog, at).unwrap().idle().unwrap().len()
    };
    assert_eq!(idle(&r, now()), 1);
    let day = now().plus_days(1);
    scan(&mut r, day, Severity::High, &[("lake", FAIL)]);
    scan(&mut r, day, Severity::Critical, &[("lake-worse", FAIL)]);
    assert_eq!((cover(&mut r, day), idle(&r, day)), (1, 0));
    assert_eq!(["lake", "lake-worse"].map(|n| state(&r, n)), ["accepted", "open"]);
    assert!(matches!(&d.draft.subject, Subject::Selector { matched, .. } if matched.is_empty()));
    // Mended: it is closed, and when it comes back people decide anew; the decision does not take it a second time.
    scan(&mut r, day.plus_days(1), Severity::High, &[("lake", Outcome::Pass)]);
    assert_eq!(state(&r, "lake"), "fixed");
    scan(&mut r, day.plus_days(2), Severity::High, &[("lake", FAIL)]);
    assert_eq!(cover(&mut r, day.plus_days(2)), 0);
    assert_eq!(state(&r, "lake"), "open");
    assert!(sound(&r).is_ok());
}

#[test]
fn what_came_later_is_in_the_evidence_and_verifies() {
    let mut r = world();
    let d = in_force(&mut r, &by_name("*log*", true));
    let day = now().plus_days(1);
    // More than one transaction takes.
    let names: Vec<String> = (0..620).map(|n| format!("log-{n}")).collect();
    let seen: Vec<(&str, Outcome)> = names.iter().map(|n| (n.as_str(), FAIL)).collect();
    scan(&mut r, day, Severity::High, &seen);
    assert_eq!((cover(&mut r, day), cover(&mut r, day)), (620, 0));
    assert_eq!(govern::decision(&r, d.number.as_str()).unwrap().1.later.len(), 620);
    assert!(govern::sweep(&mut r, &catalog(), &system(day)).unwrap().is_empty());
    let catalog = catalog();
    let p = Picture::read(&r, &catalog, day).unwrap();
    assert!(p.decision(d.number.as_str()).unwrap().findings().count() == 621);
    drop(p);
    let ask = govern::BundleAsk { organization: "Example".into(), ..govern::BundleAsk::default() };
    let spool = || Ok(Box::new(std::io::Cursor::new(Vec::new())) as Box<dyn plumb_govern::bundle::Spool>);
    let to = govern::BundleTo { file: Vec::new(), spool: &spool };
    let (from, until) = (now().plus_days(-90), day.plus_days(1));
    let (bytes, manifest) = govern::write_bundle(&r, &catalog, &ask, from, until, &seal().key, to).unwrap();
    assert_eq!(plumb_govern::bundle::verify(&bytes, &[&manifest.key]).unwrap().folded, 623);
    assert!(sound(&r).is_ok());
}

#[test]
fn deferrals_false_positives_and_deviations_cover_what_comes_later_each_in_its_way() {
    let leaf = |observed: bool| plumb_model::Leaf {
        path: "block_public_acls".into(),
        observed: observed.into(),
        expected: "true".into(),
        source: plumb_model::Source::Derived,
    };
    let check = |kind: &str, allowed: Option<bool>, want: &str| {
        let mut r = world();
        let asked = Ask {
            kind: Some(kind.into()),
            counter_evidence: vec!["ticket SEC-1".into()],
            expected_value: Some(serde_json::json!({ "block_public_acls": "true" })),
            allowed_value: allowed.map(|v| serde_json::json!({ "block_public_acls": v })),
            ..by_name("*log*", true)
        };
        in_force(&mut r, &asked);
        let day = now().plus_days(1);
        let new = NewScan { started: day, judged_at: day, scope: serde_json::json!({}), rules_digest: String::new() };
        let scan: ScanId = r.begin_scan(&new).unwrap();
        let mut ingest = r.ingest(scan, day, &"111122223333".into(), &"aws.s3.bucket".into()).unwrap();
        let found = Verdict { because: vec![leaf(false)], ..super::verdict("log-two", FAIL) };
        ingest.verdict(&found, Severity::High).unwrap();
        ingest.finish(&BTreeSet::from([RULE.into()]), &BTreeSet::new()).unwrap();
        r.end_scan(scan, "complete", Some(day), None, &serde_json::json!({})).unwrap();
        cover(&mut r, day);
        assert_eq!(state(&r, "log-two"), want, "{kind} {allowed:?}");
        // Something new is not a changed value: nothing ends.
        assert!(govern::sweep(&mut r, &catalog(), &system(day)).unwrap().is_empty(), "{kind}");
        assert!(sound(&r).is_ok() && govern::astray(&r).unwrap().is_none(), "{kind}");
    };
    check("exception", None, "accepted");
    check("deferral", None, "deferred");
    check("false-positive", None, "false-positive");
    check("baseline-deviation", Some(false), "accepted");
    check("baseline-deviation", Some(true), "open");
}
