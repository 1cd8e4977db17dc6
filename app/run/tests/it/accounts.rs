//! The estate, baselines, drift and score policies on a store (D12 D34 B42 B43 B55 O10–O14 S14 S20 S33 T14).

use super::{RULE, catalog, now, session, sql, verdict};
use plumb_clouds::{
    Answer,
    replay::{Entry, Replay},
};
use plumb_discover::{AccountKey, SourceClass, State, Triage};
use plumb_drift::{Baseline, BaselineRule, BaselineRun, Status, What};
use plumb_govern::{
    Refusal,
    people::{Actor, ActorKind, Role},
};
use plumb_model::{Outcome, Reason, Severity, Time, Unknown};
use plumb_record::{AccountRow, NewScan, Record, RuleRow, StoredResource, Unit, UnitState};
use plumb_run::{
    AccountTarget,
    accounts::{self, Manual},
    baselines::{self, Verb},
    drift::{self, Narrow, Since},
    govern::{self, GovernError, NewPerson, Seal, Session},
    scores,
};
use plumb_score::{Feeds, Policy, Terms, signal::DriftLevel};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

const ACCOUNT: &str = "111122223333";
const KIND: &str = "aws.s3.bucket";

fn people(record: &mut Record) {
    let key = Some(Seal::from_seed(&[7; 32]).key);
    let setup = Actor { id: "cli:setup".into(), kind: ActorKind::Person, ..Actor::system("setup") };
    let setup = Session { actor: setup, ..Session::system("setup", key, now()) };
    for (id, roles, active) in [
        ("root", vec![Role::Admin], true),
        ("erin", vec![Role::Engineer], true),
        ("anna", vec![Role::Approver], true),
        ("both", vec![Role::Admin, Role::Approver], true),
        ("gone", vec![Role::Engineer], false),
    ] {
        // Only the first is added by nobody in particular.
        let by = if id == "root" { setup.clone() } else { session(record, "root", now()) };
        let new = NewPerson {
            id: id.into(),
            name: String::new(),
            roles,
            teams: Vec::new(),
            logins: vec![format!("{id}@example.com")],
            code: false,
            active,
        };
        govern::add_person(record, &by, new).unwrap();
    }
}

fn record() -> Record {
    let mut record = Record::in_memory().unwrap();
    people(&mut record);
    record
}

fn key(id: &str) -> AccountKey {
    id.parse().unwrap()
}

/// A scan at `at` that read these buckets (name, versioning, outcome) of one account, completely or not.
fn scan(record: &mut Record, at: Time, tier: &str, whole: bool, buckets: &[(&str, bool, Outcome)]) -> i64 {
    let new = NewScan { started: at, judged_at: at, scope: json!({}), rules_digest: String::new() };
    let scan = record.begin_scan(&new).unwrap();
    let target = json!({ "joined": { "arn": format!("arn:aws:organizations::1:account/o-1/{ACCOUNT}"), "at": "2026-01-01T00:00:00Z" } });
    let account = AccountRow {
        id: ACCOUNT.into(),
        provider: "aws".into(),
        name: "shop".into(),
        state: "active".into(),
        reason: String::new(),
        doc: json!({ "tier": tier, "target": target }),
    };
    record.put_accounts(&[account]).unwrap();
    let stored = |(name, versioning, _): &(&str, bool, Outcome)| StoredResource {
        account: ACCOUNT.into(),
        kind: KIND.into(),
        id: format!("arn:aws:s3:::{name}"),
        unit: "global".into(),
        region: "eu-west-1".into(),
        name: (*name).into(),
        doc: json!({ "versioning": versioning, "tags": { "data-class": "pci" } }).to_string(),
        raw: "{}".into(),
    };
    record.put_resources(scan, &buckets.iter().map(stored).collect::<Vec<_>>()).unwrap();
    let state =
        if whole { UnitState::Complete } else { UnitState::Incomplete(Unknown::new(Reason::Denied, "s3:ListBuckets")) };
    let unit =
        Unit { account: ACCOUNT.into(), region: "global".into(), kind: KIND.into(), state, resources: buckets.len() };
    record.end_unit(scan, &unit).unwrap();
    let rule = RuleRow {
        id: RULE.into(),
        title: "Buckets block public access".into(),
        severity: Severity::High,
        topic: "exposure.storage-public".into(),
        kind: KIND.into(),
    };
    record.put_rules(&[rule]).unwrap();
    let mut ingest = record.ingest(scan, at, &ACCOUNT.into(), &KIND.into()).unwrap();
    for (name, _, outcome) in buckets {
        ingest.verdict(&verdict(name, *outcome), Severity::High).unwrap();
    }
    ingest.finish(&BTreeSet::from([RULE.into()]), &BTreeSet::new()).unwrap();
    record.end_scan(scan, "complete", Some(at), None, &json!({})).unwrap();
    scan.0
}

fn refused(error: GovernError) -> &'static str {
    match error {
        GovernError::Refused(refusal) => refusal.code(),
        other => panic!("{other}"),
    }
}

#[test]
fn an_organisation_is_surveyed_with_units_tags_and_sign_ins() {
    let entry = |account: &str, region: &str, service: &str, operation: &str, params: Json, page: Json| Entry {
        account: account.into(),
        region: region.into(),
        service: service.into(),
        operation: operation.into(),
        params,
        pages: vec![page],
        end: None,
    };
    let org = |operation: &str, params: Json, page: Json| {
        entry("100000000001", "global", "organizations", operation, params, page)
    };
    let account = |id: &str, name: &str| json!({ "Id": id, "Arn": format!("arn:aws:organizations::1:account/o-1/{id}"), "Name": name, "Email": "x@example.com", "Status": "ACTIVE", "JoinedTimestamp": "2026-01-01T00:00:00Z" });
    let login = json!({ "eventName": "ConsoleLogin", "eventTime": "2026-11-20T08:00:00Z", "recipientAccountId": ACCOUNT, "eventID": "e1",
        "userIdentity": { "type": "IAMUser", "userName": "ann", "accountId": ACCOUNT }, "responseElements": { "ConsoleLogin": "Success" } });
    let assume = json!({ "eventName": "AssumeRole", "eventTime": "2026-11-20T09:00:00Z", "eventID": "e2", "recipientAccountId": ACCOUNT,
        "userIdentity": { "type": "AWSAccount", "accountId": "555566667777", "arn": "arn:aws:iam::555566667777:user/x" },
        "requestParameters": { "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/deploy") } });
    let events = |name: &str, found: Vec<Json>| {
        let found: Vec<Json> =
            found.iter().map(|e| json!({ "EventName": name, "CloudTrailEvent": e.to_string() })).collect();
        let params = json!({ "LookupAttributes": [{ "AttributeKey": "EventName", "AttributeValue": name }] });
        entry(ACCOUNT, "us-east-1", "cloudtrail", "LookupEvents", params, json!({ "Events": found }))
    };
    let mut refused = events("AssumeRoleWithSAML", Vec::new());
    refused.pages.clear();
    refused.end = Some(Answer::Broken { code: "cut".into(), message: "the connection".into() });
    let replay = Replay::new([
        org(
            "ListAccounts",
            json!({}),
            json!({ "Accounts": [account("100000000001", "master"), account(ACCOUNT, "shop")] }),
        ),
        org("ListRoots", json!({}), json!({ "Roots": [{ "Id": "r-1", "Name": "Root" }] })),
        org("ListAccountsForParent", json!({ "ParentId": "r-1" }), json!({ "Accounts": [{ "Id": "100000000001" }] })),
        org(
            "ListOrganizationalUnitsForParent",
            json!({ "ParentId": "r-1" }),
            json!({ "OrganizationalUnits": [{ "Id": "ou-1", "Name": "Prod" }] }),
        ),
        org("ListAccountsForParent", json!({ "ParentId": "ou-1" }), json!({ "Accounts": [{ "Id": ACCOUNT }] })),
        org("ListOrganizationalUnitsForParent", json!({ "ParentId": "ou-1" }), json!({})),
        org("ListTagsForResource", json!({ "ResourceId": "100000000001" }), json!({})),
        org(
            "ListTagsForResource",
            json!({ "ResourceId": ACCOUNT }),
            json!({ "Tags": [{ "Key": "env", "Value": "prod" }, { "Key": "data-class", "Value": "pci" }] }),
        ),
        events("ConsoleLogin", vec![login]),
        events("AssumeRole", vec![assume]),
        refused,
    ]);
    let target: AccountTarget = serde_json::from_value(
        json!({ "id": ACCOUNT, "name": "shop", "state": "active", "reason": "", "management": false,
        "organization": "o-1", "regions": ["us-east-1"], "joined": null }),
    )
    .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let seen = runtime.block_on(plumb_run::survey(&replay, &"100000000001".into(), "us-east-1", &[target], true));
    assert_eq!(seen.gaps.len(), 1, "{:?}", seen.gaps);
    assert!(seen.gaps[0].starts_with("111122223333: "), "{:?}", seen.gaps);

    let mut record = record();
    accounts::keep_readings(&mut record, &seen.readings, now()).unwrap();
    let before = accounts::described(&record, now()).unwrap();
    assert_eq!(before[ACCOUNT].tier, "production");
    assert_eq!(before[ACCOUNT].data_classes, ["regulated-payment"]);
    let estate = accounts::reconcile_scan(&mut record, now()).unwrap();
    let shop = &estate.accounts[&key(ACCOUNT)];
    assert_eq!(shop.facts.native_parent.as_deref(), Some("Root/Prod"));
    assert_eq!(shop.facts.email, None);
    assert!(shop.activity.signers.contains_key("ann"));
    assert_eq!(estate.accounts[&key("555566667777")].state, State::Shadow);
    assert_eq!(estate.shadow.len(), 1);
    assert!(estate.shadow[0].roles[0].contains("role/deploy"), "{:?}", estate.shadow);
    // The contradiction is a finding like any other, and closes when it is settled.
    let at = scan(&mut record, now(), "", true, &[]);
    accounts::keep_contradictions(&mut record, plumb_record::ScanId(at), &estate, now()).unwrap();
    let rule = "aws.inventory.account.used-not-in-organisation";
    let open = record.findings(&Default::default()).unwrap();
    assert_eq!(
        open.iter().filter(|f| f.rule == rule).map(|f| f.account.as_str()).collect::<Vec<_>>(),
        ["555566667777"]
    );
    let mut settled = estate.clone();
    settled.contradictions.clear();
    accounts::keep_contradictions(&mut record, plumb_record::ScanId(at), &settled, now()).unwrap();
    assert!(!record.findings(&Default::default()).unwrap().iter().any(|f| f.rule == rule));
    // The same readings again change nothing: what was reconciled is not news.
    let again = accounts::current_estate(&record, None).unwrap();
    assert_eq!(again.accounts, estate.accounts);
}

#[test]
fn entries_by_hand_are_checked_sealed_and_outrank_others() {
    let mut record = record();
    let erin = session(&record, "erin", now());
    let said = |tier: &str, purpose: &str, ends: Option<&str>| Manual {
        tier: Some(tier.into()),
        business_purpose: Some(purpose.into()),
        tier_expires: ends.map(str::to_owned),
        owner_person: Some("gone".into()),
        data_classes: Some(vec!["pii".into()]),
        ..Manual::default()
    };
    fn check(problems: &[String], want: &str) {
        assert!(problems.iter().any(|p| p.contains(want)), "{problems:?}");
    }
    check(&said("gold", "takes the payments", None).problems(now()), "no tier `gold`");
    check(&said("sandbox", "short", None).problems(now()), "has 5 characters");
    check(&said("experimental", "tries the payments", None).problems(now()), "needs the end of its tier");
    check(&said("experimental", "tries the payments", Some("400d")).problems(now()), "within the next 180 days");
    assert!(said("experimental", "tries the payments", Some("90d")).problems(now()).is_empty());

    let refuse = accounts::describe(&mut record, &erin, vec![(key(ACCOUNT), said("gold", "x", None))]);
    assert!(refuse.unwrap_err().to_string().contains("aws:111122223333: there is no tier `gold`"));
    accounts::describe(&mut record, &erin, vec![(key(ACCOUNT), said("prod", "takes the payments", None))]).unwrap();
    let estate = accounts::current_estate(&record, Some(now())).unwrap();
    let shop = &estate.accounts[&key(ACCOUNT)];
    assert_eq!((shop.tier().name(), shop.state), ("production", State::Governed));
    // The owner has left: ownership has lapsed, and the review says so.
    let due = accounts::due(&estate, &[], &accounts::settings(&record).unwrap(), now());
    assert!(due[0].owner_left && due[0].overdue && due[0].proposed == Triage::FullBaseline);

    assert_eq!(
        refused(
            accounts::review(&mut record, &session(&record_ref(), "root", now()), &[], "looked at it").unwrap_err()
        ),
        "not-allowed"
    );
    let note = "takes cards, so everything";
    let short = accounts::review(&mut record, &erin, &[(key(ACCOUNT), Triage::FullBaseline)], "ok").unwrap_err();
    assert!(short.to_string().contains("at least 10 characters"));
    let done = accounts::review(&mut record, &erin, &[(key(ACCOUNT), Triage::FullBaseline)], note).unwrap();
    assert_eq!((done[0].by.as_str(), done[0].decision), ("erin", Triage::FullBaseline));
    accounts::review(&mut record, &erin, &[(key(ACCOUNT), Triage::LightEntry)], note).unwrap();
    let later = now().plus_days(1);
    let estate = accounts::current_estate(&record, Some(later)).unwrap();
    let due =
        accounts::due(&estate, &accounts::reviews(&record).unwrap(), &accounts::settings(&record).unwrap(), later);
    // Personal data deserve more than a light entry: the decision does not fit the world.
    assert!(due[0].contradicts && !due[0].overdue);
    // T14: nor is it followed. A decision for more than is proposed is.
    let reviews = accounts::reviews(&record).unwrap();
    assert!(accounts::decided(&estate, &reviews).is_empty());
    assert_eq!(accounts::decided(&estate, &reviews[..1])[&key(ACCOUNT)], Triage::FullBaseline);
    assert_eq!(due[0].last_reviewed, Some(now()));
    assert!(govern::verify_log(&record, &[]).unwrap().is_ok());
    assert!(
        record
            .query("SELECT entry FROM activity")
            .unwrap()
            .rows
            .iter()
            .any(|r| r[0].as_str().unwrap().contains("account.review"))
    );
}

/// A record with the same people, for sessions that must not borrow the one that is written.
fn record_ref() -> Record {
    record()
}

#[test]
fn an_owner_does_not_decide_alone_that_nobody_looks_and_gaps_close_with_a_reason() {
    let mut record = record();
    let erin = session(&record, "erin", now());
    let mine = Manual { owner_person: Some("erin@example.com".into()), ..Manual::default() };
    accounts::describe(&mut record, &erin, vec![(key(ACCOUNT), mine)]).unwrap();
    let decided = accounts::review(&mut record, &erin, &[(key(ACCOUNT), Triage::Retire)], "nobody needs it");
    assert_eq!(refused(decided.unwrap_err()), "own-resource");
    scan(&mut record, now().plus_days(1), "", true, &[]);
    let other = "aws:999988887777";
    accounts::describe(
        &mut record,
        &erin,
        vec![(key(other), Manual { name: Some("old".into()), ..Manual::default() })],
    )
    .unwrap();
    let later = session(&record, "erin", now().plus_days(2));
    let estate = accounts::reconcile_scan(&mut record, now().plus_days(2)).unwrap();
    assert!(estate.accounts[&key(other)].gaps.contains(&SourceClass::OrgRoot));
    let given = |missing_in| plumb_discover::GapReason {
        account: key(other),
        missing_in,
        reason: "bought last week, joins in January".into(),
        by: "erin".into(),
        at: now(),
    };
    let wrong = accounts::explain_gap(&mut record, &later, given(SourceClass::Billing)).unwrap_err();
    assert!(wrong.to_string().contains("it is missing in: org-root"), "{wrong}");
    let open = estate.metrics.open_gaps;
    accounts::explain_gap(&mut record, &later, given(SourceClass::OrgRoot)).unwrap();
    let after = accounts::reconcile_scan(&mut record, now().plus_days(3)).unwrap();
    assert_eq!(after.metrics.open_gaps, open - 1);
}

fn baseline(name: &str, version: &str, tiers: &[&str]) -> Baseline {
    let rule = BaselineRule {
        rule: RULE.into(),
        parameters: Default::default(),
        severity: Some(Severity::Critical),
        hard: true,
    };
    Baseline {
        name: name.into(),
        version: version.into(),
        tiers: tiers.iter().map(|t| (*t).into()).collect(),
        providers: ["aws".into()].into(),
        rules: vec![rule],
        only: false,
        values: Vec::new(),
        status: Status::Draft,
        author: "somebody else".into(),
        approved_by: vec!["nobody".into()],
        effective_from: None,
    }
}

/// Drafts by root, proposes, lets anna approve, and puts in force.
fn in_force(record: &mut Record, b: Baseline) -> Result<Vec<String>, GovernError> {
    let (root, anna, catalog) = (session(record, "root", now()), session(record, "anna", now()), catalog());
    let label = b.label();
    baselines::draft(record, &catalog, &root, b)?;
    baselines::step(record, &catalog, &root, &label, Verb::Propose, "")?;
    baselines::step(record, &catalog, &anna, &label, Verb::Approve, "")?;
    Ok(baselines::step(record, &catalog, &root, &label, Verb::Activate, "")?.1)
}

#[test]
fn a_baseline_is_approved_by_another_human_and_never_changed() {
    let mut record = record();
    let catalog = catalog();
    let (root, both, erin) =
        (session(&record, "root", now()), session(&record, "both", now()), session(&record, "erin", now()));
    let draft = |record: &mut Record, who: &Session, b: Baseline| baselines::draft(record, &catalog, who, b);
    assert_eq!(
        refused(draft(&mut record, &erin, baseline("prod", "1.0.0", &["production"])).unwrap_err()),
        "not-allowed"
    );
    let mut wrong = baseline("prod", "one", &["gold"]);
    wrong.rules[0].parameters = [("days".to_owned(), 3.into())]
        .into_iter()
        .map(|(k, v): (String, i64)| (k, plumb_model::Value::Int(v)))
        .collect();
    let said = draft(&mut record, &root, wrong).unwrap_err().to_string();
    for part in ["no tier `gold`", "no parameter `days`", "version `one`"] {
        assert!(said.contains(part), "{said}");
    }
    let kept = draft(&mut record, &root, baseline("prod", "1.0.0", &["production"])).unwrap();
    assert_eq!((kept.baseline.author.as_str(), kept.baseline.approved_by.len()), ("root", 0));
    let step =
        |record: &mut Record, who: &Session, verb| baselines::step(record, &catalog, who, "prod@1.0.0", verb, "");
    assert_eq!(refused(step(&mut record, &both, Verb::Approve).unwrap_err()), "status");
    step(&mut record, &root, Verb::Propose).unwrap();
    assert_eq!(refused(draft(&mut record, &root, baseline("prod", "1.0.0", &["production"])).unwrap_err()), "status");
    assert_eq!(refused(step(&mut record, &both, Verb::Approve).unwrap_err()), "admin-decides");
    assert_eq!(refused(step(&mut record, &root, Verb::Activate).unwrap_err()), "status");
    // Another login of the author is the author.
    let alias = session(&record, "ROOT@example.com", now());
    assert_eq!(refused(step(&mut record, &alias, Verb::Approve).unwrap_err()), "not-allowed");
    // What was proposed must be what is approved, also when somebody writes into the store.
    sql(
        &mut record,
        "UPDATE document SET doc = replace(doc, '\"hard\":true', '\"hard\":false') WHERE collection = 'baseline'",
    );
    let anna = session(&record, "anna", now());
    assert_eq!(refused(step(&mut record, &anna, Verb::Approve).unwrap_err()), "not-proven");
    sql(
        &mut record,
        "UPDATE document SET doc = replace(doc, '\"hard\":false', '\"hard\":true') WHERE collection = 'baseline'",
    );
    let stale = session(&record, "anna", now().plus_days(-1));
    let old = Session { now: now(), ..stale };
    assert_eq!(refused(step(&mut record, &old, Verb::Approve).unwrap_err()), "second-factor");
    step(&mut record, &anna, Verb::Approve).unwrap();
    step(&mut record, &root, Verb::Activate).unwrap();
    assert_eq!(baselines::next_version(&record, "prod").unwrap(), "1.1.0");
    // One for the same tier takes its place; one for a part of its accounts cannot.
    assert_eq!(in_force(&mut record, baseline("wide", "1.0.0", &["production", "tier1"])).unwrap(), ["prod@1.0.0"]);
    assert_eq!(refused(in_force(&mut record, baseline("prod", "1.1.0", &["production"])).unwrap_err()), "status");
    assert_eq!(baselines::in_force(&record).unwrap().len(), 1);
    let edits = plumb_drift::differences(
        &baseline("a", "1.0.0", &["production"]),
        &baseline("a", "1.1.0", &["production", "tier1"]),
    );
    assert_eq!(edits.iter().map(|e| e.place.as_str()).collect::<Vec<_>>(), ["tiers"]);
}

fn run_of(record: &mut Record, scan: i64, label: &str) {
    let run = BaselineRun {
        baseline: label.into(),
        account: ACCOUNT.into(),
        started_at: now(),
        ended_at: now(),
        collector: "test".into(),
        inputs_digest: record.account_digest(plumb_record::ScanId(scan), &ACCOUNT.into()).unwrap(),
        counts: [1, 0, 0, 0],
    };
    let run = baselines::Run { scan, tier: "production".into(), rules_digest: String::new(), run };
    baselines::keep_run(record, &run).unwrap();
}

#[test]
fn drift_is_told_with_who_changed_it_and_reaches_the_score() {
    let mut record = record();
    let catalog = catalog();
    in_force(&mut record, baseline("prod", "1.0.0", &["production"])).unwrap();
    let (pass, fail) = (Outcome::Pass, Outcome::Fail);
    let first =
        scan(&mut record, now().plus_days(-2), "production", true, &[("orders", true, pass), ("old", true, pass)]);
    run_of(&mut record, first, "prod@1.0.0");
    let second = scan(&mut record, now(), "production", true, &[("orders", false, fail), ("fresh", true, fail)]);
    run_of(&mut record, second, "prod@1.0.0");
    let digests: BTreeSet<String> =
        baselines::runs(&record).unwrap().iter().map(|r| r.run.inputs_digest.clone()).collect();
    assert_eq!(digests.len(), 2, "other inputs, other digest");

    let compared = drift::since(&record, &catalog, &Since::Previous, None, &Narrow::default(), &[]).unwrap();
    let told: Vec<(&str, &str)> = compared
        .report
        .drifts
        .iter()
        .map(|d| {
            let what = match &d.what {
                What::Appeared => "appeared",
                What::Gone => "gone",
                What::Changed(c) => c.path.as_str(),
            };
            (&*d.name, what)
        })
        .collect();
    assert_eq!(told, [("fresh", "appeared"), ("old", "gone"), ("orders", "versioning")]);
    assert_eq!(compared.scans[ACCOUNT], (first, second));
    // Since the last review, on the tier-one account: never reviewed means not compared, and it says so.
    let reviewed =
        drift::since(&record, &catalog, &Since::Review(Default::default()), None, &Narrow::default(), &[]).unwrap();
    assert!(reviewed.report.drifts.is_empty() && reviewed.left_out[ACCOUNT].contains("never reviewed"));
    let reviews = [(ACCOUNT.to_owned(), now().plus_days(-1))].into();
    let reviewed = drift::since(&record, &catalog, &Since::Review(reviews), None, &Narrow::default(), &[]).unwrap();
    assert_eq!(reviewed.report.drifts.len(), 3);

    let event = |name: &str, bucket: &str, at: Time, who: &str| {
        json!({ "eventName": name, "eventSource": "s3.amazonaws.com", "eventTime": at, "recipientAccountId": ACCOUNT,
        "userIdentity": { "arn": who }, "requestParameters": { "bucketName": bucket } })
    };
    let log = json!({ "Records": [
        event("PutBucketVersioning", "orders", now().plus_days(-3), "arn:early"),
        event("PutBucketVersioning", "orders", now().plus_days(-1), "arn:ann"),
        event("GetBucketVersioning", "orders", now().plus_days(-1), "arn:reader"),
        event("PutBucketVersioning", "other", now(), "arn:bob"),
    ] });
    let events = drift::events(&log.to_string()).unwrap();
    let orders = compared.report.drifts.iter().find(|d| &*d.name == "orders").unwrap();
    let by = drift::changed_by(&events, orders, now().plus_days(-2), now()).unwrap();
    assert_eq!((by.who.as_str(), by.call.as_str()), ("arn:ann", "s3:PutBucketVersioning"));

    let levels = drift::levels(&record, &catalog, now()).unwrap();
    let level = |name: &str| levels.get(&verdict(name, fail).key().short()).map(|d| d.level);
    assert_eq!(level("orders"), Some(DriftLevel::Baseline));
    assert_eq!(level("fresh"), Some(DriftLevel::New));

    // A place that was not read completely says neither gone nor appeared.
    scan(&mut record, now().plus_days(1), "production", false, &[("orders", false, fail)]);
    let unsure = drift::since(&record, &catalog, &Since::Previous, None, &Narrow::default(), &[]).unwrap();
    assert!(unsure.report.drifts.is_empty());
    assert_eq!(unsure.report.undecided.len(), 1);
}

#[test]
fn code_is_compared_with_what_lives() {
    let mut record = record();
    let catalog = catalog();
    scan(&mut record, now(), "", true, &[("orders", false, Outcome::Fail), ("loose", true, Outcome::Pass)]);
    let text = r#"
resource "aws_s3_bucket" "orders" { bucket = "orders" }
resource "aws_s3_bucket_versioning" "orders" {
  bucket = aws_s3_bucket.orders.id
  versioning_configuration { status = "Enabled" }
}
resource "aws_s3_bucket" "missing" { bucket = "missing" }
"#;
    let files = plumb_iac::MemoryFiles::new([("main.tf", text)]);
    let readings = plumb_run::read_code(&files, "main.tf", true, &Default::default()).unwrap();
    let compare = |undeclared| drift::from_code(&record, &catalog, &readings, &Narrow::default(), undeclared).unwrap();
    let report = compare(false);
    let versioning = report.drifts.iter().find(|d| matches!(&d.what, What::Changed(c) if c.path == "versioning"));
    let source = versioning.map(|d| d.source.to_string());
    assert!(source.as_deref().is_some_and(|s| s.starts_with("main.tf:")), "{report:?}");
    assert!(report.drifts.iter().any(|d| d.what == What::Gone && &*d.name == "missing"), "{report:?}");
    assert!(!report.drifts.iter().any(|d| &*d.name == "loose"));
    assert!(compare(true).drifts.iter().any(|d| d.what == What::Appeared && &*d.name == "loose"));
}

#[test]
fn a_score_policy_is_approved_by_another_human_with_a_review_date() {
    let mut record = record();
    let none = plumb_score::replay(&Default::default(), &Policy::default(), &Policy::default());
    let (root, anna) = (session(&record, "root", now()), session(&record, "anna", now()));
    let terms = |version: &str, urgent| {
        let mut terms = Terms { version: version.into(), ..Terms::default() };
        terms.thresholds.urgent = urgent;
        terms
    };
    let wrong = scores::propose_policy(&mut record, &root, terms("score/1.1.0", 900), "", &none).unwrap_err();
    assert!(wrong.to_string().contains("thresholds: must be act_now > urgent"), "{wrong}");
    assert!(scores::propose_policy(&mut record, &root, terms("score/1.0.0", 650), "", &none).is_err());
    assert_eq!(scores::next_policy_version(&record).unwrap(), "score/1.1.0");
    scores::propose_policy(&mut record, &root, terms("score/1.1.0", 650), "too much", &none).unwrap();
    assert_eq!(scores::policy_in_force(&record).unwrap(), Policy::default());
    let due = Some(now().plus_days(180));
    let decide =
        |record: &mut Record, who: &Session, due| scores::decide_policy(record, who, "score/1.1.0", due, "fine");
    assert_eq!(refused(decide(&mut record, &root, due).unwrap_err()), "not-allowed");
    assert!(
        decide(&mut record, &anna, Some(now().plus_days(900)))
            .unwrap_err()
            .to_string()
            .contains("within the next 366 days")
    );
    let kept = decide(&mut record, &anna, due).unwrap();
    assert_eq!((kept.terms.author.as_str(), kept.terms.approved_by.as_slice()), ("root", &["anna".to_owned()][..]));
    assert_eq!(scores::policy_in_force(&record).unwrap().version(), "score/1.1.0");
    scores::propose_policy(&mut record, &root, terms("score/1.2.0", 640), "", &none).unwrap();
    scores::decide_policy(&mut record, &anna, "score/1.2.0", None, "not now").unwrap();
    let stages: Vec<String> = scores::policies(&record).unwrap().into_iter().map(|p| p.stage).collect();
    assert_eq!(stages, ["active", "rejected"]);
    assert_eq!(scores::last_change(&record).unwrap(), Some(now()));
    let denied = matches!(decide(&mut record, &anna, due), Err(GovernError::Refused(Refusal::Status { .. })));
    assert!(denied);
}

#[test]
fn what_other_tools_know_is_joined_to_resources() {
    let mut record = record();
    scan(&mut record, now(), "", true, &[("orders", true, Outcome::Fail)]);
    for broken in ["resource;cve\n", "resource,cve\narn:x,GHSA-1\n", "{\"resource\":\"arn:x\"}\n"] {
        assert!(scores::import_vulnerabilities(&mut record, broken.as_bytes(), now()).is_err(), "{broken}");
    }
    let kept =
        scores::import_vulnerabilities(&mut record, b"resource,cve\narn:aws:s3:::orders,cve-2021-44228\n", now())
            .unwrap();
    assert_eq!(kept, 1);
    let version = json!({ "runtime": "nodejs18.x" }).to_string();
    let function = StoredResource {
        account: ACCOUNT.into(),
        kind: "aws.lambda.function".into(),
        id: "arn:fn".into(),
        unit: "eu-west-1".into(),
        region: "eu-west-1".into(),
        name: "fn".into(),
        doc: version,
        raw: "{}".into(),
    };
    record.put_resources(record.scan(None).unwrap().id, &[function]).unwrap();
    let feeds = Feeds::bundled();
    let found = scores::supported(&record, &feeds, now()).unwrap();
    assert_eq!((found[0].product, found[0].version.as_str()), ("aws-lambda", "nodejs18.x"));
    assert!(matches!(found[0].support, plumb_score::Support::Ended(Some(_))));
    let estate = accounts::current_estate(&record, Some(now())).unwrap();
    let joins = scores::Joins::on(&record, &catalog(), &feeds, &estate, now()).unwrap();
    assert_eq!(joins.cves_of("arn:aws:s3:::orders"), ["CVE-2021-44228"]);
    let data = &joins.data["arn:aws:s3:::orders"];
    assert_eq!(data.class.name(), "regulated-payment");
    assert!(data.statements[0].detail.contains("data-class=pci"));

    fn check(name: &str, want: Option<(&str, &str)>) {
        let got = scores::product_of("aws.ec2.image", &json!({ "name": name }));
        assert_eq!(got.as_ref().map(|(p, v)| (*p, v.as_str())), want, "{name}");
    }
    check("ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20240101", Some(("ubuntu", "22.04")));
    check("amzn2-ami-hvm-2.0.20240101-x86_64-gp2", Some(("amazon-linux", "2")));
    check("al2023-ami-2023.4.20240528.0-kernel-6.1-x86_64", Some(("amazon-linux", "2023")));
    check("Windows_Server-2012-R2_RTM-English-64Bit-Base", Some(("windows-server", "2012")));
    check("debian-12-amd64-20240211-1654", Some(("debian", "12")));
    check("golden-image-7", None);
}

#[test]
fn policies_on_record_are_read_and_one_that_could_not_be_is_said() {
    let mut record = record();
    let policy =
        |who: &str| json!({ "Statement": [{ "Effect": "Allow", "Principal": { "AWS": who }, "Action": "*" }] });
    let denied = Unknown::new(Reason::Denied, "s3:GetBucketPolicy");
    let docs = [
        ("aws.iam.role", "arn:aws:iam::1:role/r", json!({ "trust": policy("555566667777") })),
        ("aws.s3.bucket", "arn:aws:s3:::known", json!({ "policy": policy("arn:aws:iam::444455556666:root") })),
        ("aws.s3.bucket", "arn:aws:s3:::none", json!({ "policy": null, "tags": { "Statement": "x" } })),
    ];
    let unread = ("aws.s3.bucket", "arn:aws:s3:::unread", json!({ "policy": { "$unknown": denied } }));
    let stored = |(kind, id, doc): &(&str, &str, Json)| StoredResource {
        account: ACCOUNT.into(),
        kind: (*kind).into(),
        id: (*id).into(),
        unit: "global".into(),
        region: "global".into(),
        name: "x".into(),
        doc: doc.to_string(),
        raw: "{}".into(),
    };
    let scan = scan(&mut record, now(), "", true, &[]);
    for (rows, whole) in [(&docs[..], true), (&[unread][..], false)] {
        record.put_resources(plumb_record::ScanId(scan), &rows.iter().map(stored).collect::<Vec<_>>()).unwrap();
        let readings = accounts::seen_by_scans(&record, None).unwrap();
        let trusts = readings.iter().find(|r| r.kind == plumb_discover::SourceKind::CrossAccountRoles).unwrap();
        assert_eq!(trusts.complete, whole, "{:?}", trusts.problems);
        for account in ["aws:555566667777", "aws:444455556666"] {
            assert!(trusts.sightings.iter().any(|s| s.account == Some(key(account))), "{account}");
        }
    }
}
