//! Drift between scans, from code and from approved values (B42 B43 B55 B56 O11–O14).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use plumb_drift::*;
use plumb_model::{Reason, Resource, Source, Sources, Time, Unknown, Value};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const KIND: &str = "aws.sqs.queue";

fn shapes() -> Shapes {
    let fields = vec![
        Field::plain("kms_key_id"),
        Field { policy: true, ..Field::plain("policy") },
        Field { volatile: true, ..Field::plain("backlog") },
        Field { ordered: true, ..Field::plain("order") },
        Field::plain("ingress"),
    ];
    Shapes([(KIND.into(), fields)].into())
}

fn queue(id: &str, fields: Json) -> Resource {
    let names = ["kms_key_id", "policy", "backlog", "order", "ingress"];
    Resource {
        kind: KIND.into(),
        account: "100000000001".into(),
        region: "eu-west-1".into(),
        id: id.into(),
        name: id.into(),
        fields: names.iter().map(|n| Value::from_json(&fields[n])).collect(),
        sources: Sources::default(),
    }
}

fn unknown() -> Json {
    Value::unknown(Unknown::new(Reason::Denied, "sqs:GetQueueAttributes")).to_json()
}

fn now() -> Time {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn side<'a>(resources: &'a [Resource]) -> Side<'a> {
    Side { resources, complete: &|_, _, _| true }
}

fn show(report: &Report) -> Vec<String> {
    report
        .drifts
        .iter()
        .map(|d| match &d.what {
            What::Appeared => format!("{} appeared", d.resource),
            What::Gone => format!("{} gone", d.resource),
            What::Changed(c) => {
                format!("{} {} {} → {}", d.resource, c.path, c.before.to_plain_json(), c.after.to_plain_json())
            }
        })
        .collect()
}

#[test]
fn two_values_drift_by_what_they_mean() {
    fn check(before: Json, after: Json, want: &[&str], undecided: usize) {
        let (a, b) = ([queue("q", before)], [queue("q", after)]);
        let report = against_previous(side(&a), side(&b), &shapes(), &[], now());
        assert_eq!(
            (show(&report), report.undecided.len()),
            (want.iter().map(|w| (*w).to_owned()).collect(), undecided)
        );
        assert_eq!(report.compared, 1);
    }
    check(json!({"kms_key_id": "a"}), json!({"kms_key_id": "a"}), &[], 0);
    check(json!({"kms_key_id": "a"}), json!({"kms_key_id": null}), &["q kms_key_id \"a\" → null"], 0);
    check(json!({"backlog": 1}), json!({"backlog": 900}), &[], 0);
    check(json!({"kms_key_id": "a"}), json!({"kms_key_id": unknown()}), &[], 1);
    check(json!({"ingress": [1, 2, 3]}), json!({"ingress": [3, 1, 2]}), &[], 0);
    check(json!({"ingress": [1, 2, 2]}), json!({"ingress": [2, 4]}), &["q ingress [1,2] → [4]"], 0);
    check(json!({"ingress": [1, unknown()]}), json!({"ingress": [1, 2]}), &[], 1);
    check(json!({"ingress": []}), json!({"ingress": null}), &[], 0);
    check(json!({"ingress": {"a": 1, "b": 2}}), json!({"ingress": {"a": 1, "b": 3}}), &["q ingress.b 2 → 3"], 0);
    check(json!({"ingress": {"a": 1}}), json!({"ingress": {"a": 1.0}}), &[], 0);
    check(json!({"order": [1, 2]}), json!({"order": [2, 1]}), &["q order[0] 1 → 2", "q order[1] 2 → 1"], 0);
    // The same policy as the console and as Terraform write it.
    check(
        json!({"policy": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": ["a", "b"], "Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}}}),
        json!({"policy": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": ["b", "a"], "Action": ["sqs:*"], "Condition": {"StringEquals": {"aws:SourceAccount": ["1"]}}}]}}),
        &[],
        0,
    );
    check(
        json!({"policy": {"Statement": [{"Effect": "Allow", "NotAction": "sqs:*"}]}}),
        json!({"policy": {"Statement": [{"Effect": "Allow", "NotAction": ["sqs:*"]}]}}),
        &[],
        0,
    );
    check(
        json!({"policy": {"Version": "2008-10-17"}}),
        json!({"policy": {"Version": "2012-10-17"}}),
        &["q policy.Version \"2008-10-17\" → \"2012-10-17\""],
        0,
    );
}

#[test]
fn absence_counts_only_where_everything_was_listed() {
    let (a, b) =
        ([queue("old", json!({})), queue("same", json!({}))], [queue("new", json!({})), queue("same", json!({}))]);
    let report = against_previous(side(&a), side(&b), &shapes(), &[], now());
    assert_eq!(show(&report), ["new appeared", "old gone"]);
    assert_eq!(report.drifts[0].signal_level(), "new");
    let blind = |resources| Side { resources, complete: &|_, _, _| false };
    let report = against_previous(side(&a), blind(&b), &shapes(), &[], now());
    assert_eq!((show(&report), report.undecided.len()), (vec!["new appeared".to_owned()], 1));
    let report = against_previous(blind(&a), side(&b), &shapes(), &[], now());
    assert_eq!(show(&report), ["old gone"]);
}

#[test]
fn announced_changes_are_told_apart() {
    let (a, b) =
        ([queue("q", json!({"kms_key_id": "a"}))], [queue("q", json!({"kms_key_id": "b"})), queue("r", json!({}))]);
    let told = |at: &str| Announcement {
        reference: "CHG-42".into(),
        at: at.parse().unwrap(),
        resources: ["q".into(), "r".into()].into(),
    };
    let report = against_previous(side(&a), side(&b), &shapes(), &[told("2026-11-20")], now());
    assert_eq!(report.unannounced().count(), 0);
    assert_eq!(report.drifts[1].signal_level(), "none");
    let late = against_previous(side(&a), side(&b), &shapes(), &[told("2026-11-22")], now());
    assert_eq!(late.unannounced().count(), 2);
    assert_eq!(late.of_accounts(&["100000000001".into()].into()).count(), 2);
    assert_eq!(late.of_accounts(&["2".into()].into()).count(), 0);
}

#[test]
fn code_is_compared_in_what_it_states() {
    let place = Source::Code { file: "main.tf".into(), line: 3, end_line: 3, column: 0 };
    let mut code = queue("aws_sqs_queue.orders", json!({"kms_key_id": "alias/a"}));
    code.account = "code".into();
    code.name = "orders".into();
    code.sources =
        [place.clone(), Source::Default, Source::Default, Source::Default, Source::Default].into_iter().collect();
    let mut live = queue("arn:orders", json!({"kms_key_id": "alias/b", "policy": {"Statement": []}}));
    live.name = "orders".into();
    let stray = queue("arn:stray", json!({}));
    let report = against_code(side(&[live.clone(), stray]), std::slice::from_ref(&code), &shapes());
    assert_eq!(show(&report), ["arn:orders kms_key_id \"alias/a\" → \"alias/b\"", "arn:stray appeared"]);
    assert_eq!((report.drifts[0].source.clone(), report.drifts[0].signal_level()), (place, "iac"));
    // Two of that name: nobody knows which one is meant.
    let twin = Resource { id: "arn:twin".into(), ..live };
    let report = against_code(side(&[twin.clone(), Resource { id: "arn:other".into(), ..twin }]), &[code], &shapes());
    assert_eq!(show(&report), ["aws_sqs_queue.orders gone"]);
}

#[test]
fn approved_values_are_kept_until_lost() {
    let live = [queue("q", json!({"kms_key_id": "a", "backlog": 5, "ingress": [1, 2]}))];
    let approved = approve_as_is(&live, &shapes(), "ada", now());
    assert!(approved.iter().all(|a| &*a.field != "backlog"));
    assert!(show(&against_baseline(&live, &approved, &[], &shapes(), now())).is_empty());

    let drifted = [queue("q", json!({"kms_key_id": "b", "backlog": 9, "ingress": [2, 1]}))];
    let report = against_baseline(&drifted, &approved, &[], &shapes(), now());
    assert_eq!(show(&report), ["q kms_key_id \"a\" → \"b\""]);
    assert_eq!(report.drifts[0].signal_level(), "baseline");

    let deviation = |allowed: &str, expires: &str| Deviation {
        account: "100000000001".into(),
        rule: "aws.sqs.queue.encrypted-with-our-key".into(),
        resource: None,
        field: "kms_key_id".into(),
        expected_value: "a".into(),
        allowed_value: allowed.into(),
        basis: "vendor-dependency".into(),
        owner: "bob".into(),
        approved_by: vec!["ada".into()],
        expires_at: expires.parse().unwrap(),
        trigger: "the vendor's next release".into(),
    };
    let with = |d| show(&against_baseline(&drifted, &approved, &[d], &shapes(), now())).len();
    assert_eq!(with(deviation("b", "2026-12-01")), 0);
    assert_eq!(with(deviation("c", "2026-12-01")), 1);
    assert_eq!(with(deviation("b", "2026-11-01")), 1);

    let denied = [queue("q", json!({"kms_key_id": unknown()}))];
    let report = against_baseline(&denied, &approved[..1], &[], &shapes(), now());
    assert_eq!((report.drifts.len(), report.undecided.len()), (0, 1));
}

#[test]
fn a_resource_outranks_its_kind_and_the_later_approval_the_earlier() {
    let approved = |resource: Option<&str>, value: &str, at: &str| Approved {
        kind: KIND.into(),
        resource: resource.map(Into::into),
        field: "kms_key_id".into(),
        value: value.into(),
        approved_by: "ada".into(),
        approved_at: at.parse().unwrap(),
    };
    let live = [queue("q", json!({"kms_key_id": "own"})), queue("r", json!({"kms_key_id": "all"}))];
    let list = [
        approved(None, "all", "2026-02-01"),
        approved(Some("q"), "own", "2026-01-01"),
        approved(None, "old", "2026-01-01"),
    ];
    assert!(show(&against_baseline(&live, &list, &[], &shapes(), now())).is_empty());
}

#[test]
fn one_baseline_stands_for_each_tier() {
    let baseline = |name: &str, tiers: &[&str], approved_by: &[&str]| Baseline {
        name: name.into(),
        version: "1.0.0".into(),
        tiers: tiers.iter().map(|t| (*t).into()).collect(),
        providers: ["aws".into()].into(),
        rules: vec![BaselineRule {
            rule: "aws.iam.root.mfa".into(),
            parameters: Default::default(),
            severity: None,
            hard: true,
        }],
        only: false,
        values: Vec::new(),
        status: Status::Active,
        author: "ada".into(),
        approved_by: approved_by.iter().map(|p| (*p).into()).collect(),
        effective_from: None,
    };
    fn said(list: &[Baseline]) -> Vec<String> {
        check(list).iter().map(ToString::to_string).collect()
    }
    let (one, two) = (baseline("one", &["tier1", "production"], &["bob"]), baseline("two", &["sandbox"], &["bob"]));
    assert!(said(&[one.clone(), two.clone()]).is_empty());
    assert_eq!(active(&[one.clone(), two], "sandbox", "aws", now()).map(|b| b.name.as_str()), Some("two"));
    assert!(active(std::slice::from_ref(&one), "sandbox", "aws", now()).is_none());
    assert!(
        said(&[one.clone(), baseline("three", &["production"], &["bob"])])[0].contains("both active for production")
    );
    assert!(said(&[baseline("own", &["x"], &["Ada"])])[0].contains("nobody other than its author"));
    let mut odd = one;
    odd.version = "1.0".into();
    odd.rules.push(odd.rules[0].clone());
    assert_eq!(said(&[odd]).len(), 2);
}

#[test]
fn the_digest_depends_on_content_alone() {
    let (a, b) = (queue("a", json!({"order": [1]})), queue("b", json!({})));
    assert_eq!(inputs_digest(&[a.clone(), b.clone()]), inputs_digest(&[b.clone(), a.clone()]));
    assert_ne!(inputs_digest(&[a.clone(), b]), inputs_digest(&[a]));
}

fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (0i64..4).prop_map(Json::from),
        "[a-c]".prop_map(Json::from),
        Just(unknown())
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map("[A-Ca-c]", inner, 0..4).prop_map(|m| Json::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_drifts_from_itself(policy in value(), ingress in value(), order in value()) {
        let q = [queue("q", json!({"policy": policy, "ingress": ingress, "order": order}))];
        prop_assert!(against_previous(side(&q), side(&q), &shapes(), &[], now()).drifts.is_empty());
        prop_assert!(against_baseline(&q, &approve_as_is(&q, &shapes(), "x", now()), &[], &shapes(), now()).drifts.is_empty());
    }

    #[test]
    fn drift_has_two_directions(a in value(), b in value()) {
        let (x, y) = ([queue("q", json!({"ingress": a}))], [queue("q", json!({"ingress": b}))]);
        let there = against_previous(side(&x), side(&y), &shapes(), &[], now());
        let back = against_previous(side(&y), side(&x), &shapes(), &[], now());
        prop_assert_eq!(there.drifts.len(), back.drifts.len());
        prop_assert_eq!(there.undecided.len(), back.undecided.len());
    }

    #[test]
    fn volatile_fields_never_drift(a in value(), b in value()) {
        let (x, y) = ([queue("q", json!({"backlog": a}))], [queue("q", json!({"backlog": b}))]);
        let report = against_previous(side(&x), side(&y), &shapes(), &[], now());
        prop_assert!(report.drifts.is_empty() && report.undecided.is_empty());
    }
}
