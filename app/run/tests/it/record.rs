//! What people get from the record: selectors by team and tag, tickets, standing of controls, trends, reports in one pass.

use super::{RULE, ask, catalog, id, now, scan, seal, session, state, world};
use plumb_govern::{
    decision::{Draft, Kind, Selector, Subject},
    framework::Standing,
};
use plumb_model::{Outcome, Time};
use plumb_record::{AccountRow, CoverageRow, Record, ScanId};
use plumb_run::govern::{self, Ask, Picture, Report, Verb};
use std::collections::BTreeSet;

const ACCOUNT: &str = "111122223333";

fn bucket(record: &mut Record, name: &str, tags: &str) {
    let row = crate::stored(name, &format!("{{\"tags\":{tags}}}"), "{}");
    record.put_resources(ScanId(1), &[row]).unwrap();
}

fn account(record: &mut Record, doc: serde_json::Value) {
    let row = AccountRow {
        id: ACCOUNT.into(),
        provider: "aws".into(),
        name: "shop".into(),
        state: "active".into(),
        reason: String::new(),
        doc,
    };
    record.put_accounts(&[row]).unwrap();
    let said = serde_json::json!({ "provider": "aws", "native_id": ACCOUNT, "owner": "erin", "owner_team": "shop",
        "tier": "tier1", "purpose": "the shop's storage", "data_classes": "regulated-payment" });
    if record.document("account-record", "aws:111122223333").unwrap().is_none() {
        record.put_document("account-record", "aws:111122223333", 0, &said).unwrap();
    }
}

/// Asks for and approves what a selector matches; says which of the three buckets are accepted then.
fn covered(selector: serde_json::Value) -> BTreeSet<&'static str> {
    let mut r = world();
    account(&mut r, serde_json::json!({}));
    bucket(&mut r, "orders", r#"{"stage":"test","stack":"shop"}"#);
    bucket(&mut r, "logs", r#"[{"Key":"stage","Value":"live"}]"#);
    let mut draft = Draft::new(Kind::Exception, []);
    let selector: Selector = serde_json::from_value(selector).unwrap();
    draft.subject = Subject::Selector { selector, matched: BTreeSet::new(), covers_future: false };
    r.put_document("draft", "D-1", 0, &serde_json::to_value(&draft).unwrap()).unwrap();
    let asked = Ask { findings: Vec::new(), draft: Some("D-1".into()), expires: Some("20d".into()), ..ask("orders") };
    let erin = session(&r, "erin", now());
    let Ok(decision) = govern::request(&mut r, &catalog(), &erin, &asked) else { return BTreeSet::new() };
    let anna = session(&r, "anna", now());
    govern::decide(&mut r, &catalog(), &anna, decision.number.as_str(), Verb::Approve, "fine for a while").unwrap();
    ["orders", "logs", "site"].into_iter().filter(|n| state(&r, n) == "accepted").collect()
}

#[test]
fn selectors_match_by_team_and_by_tag() {
    let check = |selector: serde_json::Value, want: &[&'static str]| {
        assert_eq!(covered(selector.clone()), want.iter().copied().collect(), "{selector}");
    };
    check(serde_json::json!({ "rules": [RULE], "tags": ["stage=test"] }), &["orders"]);
    check(serde_json::json!({ "rules": [RULE], "tags": ["stage=*"] }), &["logs", "orders"]);
    check(serde_json::json!({ "rules": [RULE], "teams": ["shop"] }), &["logs", "orders", "site"]);
    check(
        serde_json::json!({ "rules": [RULE], "teams": ["shop"], "except": [{ "tags": ["stage=live"] }] }),
        &["orders", "site"],
    );
    check(serde_json::json!({ "rules": [RULE], "teams": ["blog"] }), &[]);
    check(serde_json::json!({ "rules": [RULE], "tags": ["stage=none"] }), &[]);
}

#[test]
fn a_ticket_says_what_it_means_and_how_the_access_goes() {
    let mut r = world();
    account(&mut r, serde_json::json!({}));
    bucket(&mut r, "orders", r#"{"stack":"shop"}"#);
    let row = r.finding(&id("orders")).unwrap();
    let catalog = catalog();
    let ticket = govern::ticket(&r, &catalog, &row, now()).unwrap();
    let text = ticket.markdown();
    for words in
        ["the shop's storage", "tier1", "regulated-payment", "shop, erin", "stack shop", "due on", "What to do"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(ticket.removal.is_none() && ticket.recalibrated.is_empty());
    assert!(!ticket.steps.is_empty() && !ticket.controls.is_empty());
    // A rule that is not about reach wants attention sooner once everybody can reach its resource, never later.
    crate::lanes::stands(&mut r, "internet");
    let policy = plumb_govern::policy::Policy::default();
    let mut lane = |topic: &str| {
        let rule = plumb_record::RuleRow {
            id: RULE.into(),
            title: "Buckets block public access".into(),
            severity: plumb_model::Severity::High,
            topic: topic.into(),
            kind: "aws.s3.bucket".into(),
        };
        r.put_rules(&[rule]).unwrap();
        let row = r.finding(&id("orders")).unwrap();
        let life = govern::load_life(&r, &catalog, &row, &policy).unwrap().1;
        (life.finding.facts.lane().to_string(), govern::ticket(&r, &catalog, &row, now()).unwrap().recalibrated)
    };
    assert_eq!(lane("exposure.public-storage").0, "urgent");
    let (sooner, why) = lane("data.encryption-at-rest");
    assert_eq!(sooner, "act-now");
    assert!(why.contains("everybody on the internet"), "{why}");
}

#[test]
fn a_control_is_not_applicable_only_where_everything_was_read_and_nothing_is_there() {
    let catalog = catalog();
    // A control all of whose rules are AWS's, and none of which is about the organisation.
    let (framework, control) = catalog
        .frameworks()
        .keys()
        .flat_map(|f| govern::controls(&catalog, f).unwrap().into_iter().map(move |c| (f.clone(), c)))
        .find(|(_, c)| !c.manual && !c.rules.is_empty() && c.rules.iter().all(|r| r.as_str().starts_with("aws.sqs.")))
        .expect("a control about queues alone");
    let standing = |r: &Record| {
        let p = Picture::read(r, &catalog, now()).unwrap();
        let a = p.align(&catalog, &framework).unwrap();
        a.rows.iter().find(|row| row.control.id == control.id).unwrap().standing
    };
    let mut r = world();
    account(&mut r, serde_json::json!({}));
    assert_eq!(standing(&r), Standing::NotAssessed, "nobody looked");
    let nothing: Vec<CoverageRow> = control
        .rules
        .iter()
        .map(|rule| CoverageRow {
            account: ACCOUNT.into(),
            region: "eu-west-1".into(),
            kind: "aws.sqs.queue".into(),
            rule: rule.to_string(),
            pass: 0,
            fail: 0,
            unknown: 0,
            not_applicable: 0,
            reasons: Vec::new(),
        })
        .collect();
    r.put_coverage(ScanId(1), &nothing).unwrap();
    assert_eq!(standing(&r), Standing::NotApplicable, "read to the end, and no queue is there");
    account(&mut r, serde_json::json!({ "unread_regions": ["us-east-1"] }));
    assert_eq!(standing(&r), Standing::NotAssessed, "a region was not read");
    account(&mut r, serde_json::json!({ "unread_regions": [] }));
    assert_eq!(standing(&r), Standing::NotApplicable);
    let other = AccountRow {
        id: "444455556666".into(),
        provider: "aws".into(),
        name: "lab".into(),
        state: "unreachable".into(),
        reason: "no role".into(),
        doc: serde_json::json!({}),
    };
    r.put_accounts(&[other]).unwrap();
    assert_eq!(standing(&r), Standing::NotAssessed, "an account was not entered");
}

#[test]
fn reports_go_over_the_findings_once_and_agree_with_the_record() {
    let mut r = world();
    account(&mut r, serde_json::json!({}));
    scan(&mut r, now().plus_days(-1), &[("orders", Outcome::Pass), ("logs", Outcome::Fail), ("site", Outcome::Fail)]);
    let catalog = catalog();
    govern::keep_trend(&mut r, &catalog, now().plus_days(-1)).unwrap();
    let from: Time = now().plus_days(-90);
    let p = Picture::read(&r, &catalog, now()).unwrap();
    let text = |which: &Report| {
        plumb_report::markdown(&govern::report(&p, &catalog, which, "Example", from, "", &[]).unwrap())
    };
    let lead = text(&Report::Leadership);
    assert!(lead.contains("of 2 open findings"), "{lead}");
    assert!(text(&Report::Queue(Some("shop".into()))).contains("2 findings"));
    assert!(text(&Report::Team("shop".into())).contains("**Closed**: 1"), "{}", text(&Report::Team("shop".into())));
    let trends = text(&Report::Trends);
    assert!(trends.contains("## AWS") && trends.contains("Risk carried"), "{trends}");
    let layers = text(&Report::Layers);
    for layer in ["Discover", "Baseline", "Identity and exposure", "Score", "Govern"] {
        assert!(layers.contains(&format!("## {layer}:")), "{layers}");
    }
    // Nothing can be written while a moment is held, and a moment is one.
    assert!(r.moment().is_err());
    drop(p);
    assert!(r.moment().is_ok());
    let verified = govern::verify_log(&r, &[seal().key.public()]).unwrap();
    assert!(verified.is_ok());
}

#[test]
fn what_covers_nothing_is_reported_whatever_its_kind() {
    let mut r = world();
    let erin = session(&r, "erin", now());
    for (name, kind) in [("orders", "exception"), ("logs", "deferral")] {
        let asked = Ask { kind: Some(kind.into()), expires: Some("20d".into()), ..ask(name) };
        let decision = govern::request(&mut r, &catalog(), &erin, &asked).unwrap();
        let adam = session(&r, "adam", now());
        govern::decide(&mut r, &catalog(), &adam, decision.number.as_str(), Verb::Approve, "fine for a while").unwrap();
    }
    let idle = |r: &Record| {
        let catalog = catalog();
        let p = Picture::read(r, &catalog, now().plus_days(2)).unwrap();
        let found: Vec<_> = p.idle().unwrap().into_iter().map(|u| (u.number.to_string(), u.kind)).collect();
        let flags = p.lenses(&[]).unwrap().remove(1).flags;
        assert_eq!(flags.iter().filter(|f| f.what == "covers-nothing").count(), found.len());
        found
    };
    assert_eq!(idle(&r), []);
    // What it was about is gone, or mended: the decision is still there.
    let mut change = govern::Change::default();
    let documents = r.documents("decision").unwrap();
    for (id, mut doc) in documents {
        let kind = if doc["draft"]["kind"] == "deferral" { "exposure-approval" } else { "baseline-deviation" };
        doc["draft"]["kind"] = kind.into();
        let gone = serde_json::json!(["00".repeat(32)]);
        doc["draft"]["subject"] = serde_json::json!({ "findings": gone });
        let (version, _) = r.document("decision", &id).unwrap().unwrap();
        change.put("decision", &id, version, &doc).unwrap();
    }
    govern::commit(&mut r, Some(&seal().key), &change, now()).unwrap();
    let kinds: Vec<_> = idle(&r).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [Kind::BaselineDeviation, Kind::ExposureApproval]);
    // A decision that also covers what comes later is not idle while its selector meets something.
    let mut change = govern::Change::default();
    for (i, (id, mut doc)) in r.documents("decision").unwrap().into_iter().enumerate() {
        let selector = serde_json::json!({ "rules": [if i == 0 { RULE } else { "aws.none.*" }] });
        doc["draft"]["subject"] =
            serde_json::json!({ "selector": { "selector": selector, "matched": [], "covers_future": true } });
        let (version, _) = r.document("decision", &id).unwrap().unwrap();
        change.put("decision", &id, version, &doc).unwrap();
    }
    govern::commit(&mut r, Some(&seal().key), &change, now()).unwrap();
    assert_eq!(idle(&r).len(), 1);
}
