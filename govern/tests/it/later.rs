//! What the product may bring under a decision by itself, and nothing else.

use crate::world::*;
use plumb_govern::Refusal;
use plumb_govern::decision::{Decision, Kind, Later, Status, Subject};
use plumb_govern::finding::machine::State;
use plumb_govern::finding::{Event, Finding, Transition};
use plumb_govern::ids::HumanId;
use plumb_govern::policy::{Lane, Tier};
use plumb_model::{Severity, Time};
use proptest::prelude::*;

fn cover(d: &Decision, f: &Finding, at: Time) -> Result<Transition, Refusal> {
    f.transition(d.cover_event(brief_ahead(d, f), f), &system(), "", &policy(), at)
}

fn later() -> Later {
    Later { at: now(), points: 640, value_digest: "aa".into() }
}

#[test]
fn each_kind_has_its_step_and_the_clock_stands_still() {
    let check = |kind, to: State| {
        let (f, d) = (finding(), ahead(kind));
        let step = cover(&d, &f, now()).unwrap();
        let after = f.clone().apply(&step, &policy()).unwrap();
        assert_eq!((after.state(), after.decision()), (to, Some(&d.number)), "{kind}");
        assert_eq!(after.bound().is_some(), kind == Kind::FalsePositive);
        assert!(
            to == State::FalsePositive || after.clock().due(now().plus_days(20)) > f.clock().due(now().plus_days(20))
        );
        // The end of the decision is the end of what came under it.
        if to != State::FalsePositive {
            let end = Event::Expire { decision: d.number.clone(), expired_at: now() };
            let step = after.transition(end, &system(), "", &policy(), now().plus_days(31)).unwrap();
            assert!(after.apply(&step, &policy()).unwrap().state().is_open());
        }
    };
    check(Kind::Exception, State::Accepted);
    check(Kind::BaselineDeviation, State::Accepted);
    check(Kind::Deferral, State::Deferred);
    check(Kind::FalsePositive, State::FalsePositive);
}

#[test]
fn everything_that_was_true_of_the_approval_is_asked_of_what_comes_later() {
    type Spoil = fn(&mut Decision, &mut Finding);
    let cases: &[(&str, Spoil)] = &[
        ("requested", |d, _| d.status = Status::Requested),
        ("expired", |d, _| d.status = Status::Expired),
        ("revoked", |d, _| d.status = Status::Revoked),
        ("over", |d, _| d.draft.expires_at = Some(now())),
        ("no trigger", |d, _| d.draft.triggers.clear()),
        ("starts later", |d, _| d.draft.effective_from = Some(now().plus_days(1))),
        ("ids only", |d, _| d.draft.subject = Subject::Findings([key(1)].into())),
        ("one approver", |d, _| drop(d.approvals.pop())),
        ("approved by who asked", |d, _| d.approvals[1].human = "erin".into()),
        ("approved by the owner", |d, _| d.approvals[1].human = "otto".into()),
        ("named", |d, f| d.draft.subject = with(d, |_, matched, _| *matched = [f.id.clone()].into())),
        ("had before", |d, f| drop(d.later.insert(f.id.clone(), later()))),
        ("not for later", |d, _| d.draft.subject = with(d, |_, _, future| *future = false)),
        ("another rule", |_, f| f.facts.rule = "aws.sqs.queue.not-public".into()),
        ("everything", |d, _| d.draft.subject = with(d, |rules, _, _| *rules = vec!["*".parse().unwrap()])),
        ("severity", |_, f| f.facts.severity = Severity::Critical),
        ("no severity seen", |d, _| d.situation.severity = None),
        ("lane", |_, f| f.facts.terms.lane = Lane::ActNow),
        ("tier", |_, f| f.facts.terms.tier = Tier::Tier1),
        ("longer than 90 days", |d, _| d.draft.expires_at = Some(now().plus_days(91))),
    ];
    for (name, spoil) in cases {
        let (mut d, mut f) = (ahead(Kind::Exception), finding());
        assert!(cover(&d, &f, now()).is_ok());
        spoil(&mut d, &mut f);
        assert!(cover(&d, &f, now()).is_err(), "{name}");
    }
    // A deviation is for one value.
    let (d, f) = (ahead(Kind::BaselineDeviation), finding());
    let other = d.cover_event(brief_if(&d, &f, false), &f);
    assert!(f.transition(other, &system(), "", &policy(), now()).is_err());
    // The step is the one of the decision's kind, and a plain brief reaches nothing.
    let exception = ahead(Kind::Exception);
    for event in [
        Event::CoverDeferral { decision: brief_ahead(&exception, &f) },
        Event::CoverFp { decision: brief_ahead(&exception, &f), rule_version: 1, value_digest: "aa".into() },
        Event::CoverException { decision: exception.brief(&f.id, None, &policy()) },
    ] {
        assert!(f.transition(event, &system(), "", &policy(), now()).is_err());
    }
}

fn with(
    d: &Decision,
    change: impl FnOnce(
        &mut Vec<plumb_govern::decision::Pattern>,
        &mut std::collections::BTreeSet<plumb_govern::ids::FindingId>,
        &mut bool,
    ),
) -> Subject {
    let mut subject = d.draft.subject.clone();
    if let Subject::Selector { selector, matched, covers_future } = &mut subject {
        change(&mut selector.rules, matched, covers_future);
    }
    subject
}

#[test]
fn the_product_accepts_nothing_else_and_people_do_not_do_its_step() {
    let (f, d) = (finding(), ahead(Kind::Exception));
    let brief = || brief_ahead(&d, &f);
    let request = Event::RequestException { decision: brief() };
    assert_eq!(f.transition(request, &system(), "", &policy(), now()).unwrap_err().code(), "not-allowed");
    let asked = Event::RequestException { decision: requested(Kind::Exception).brief(&f.id, None, &policy()) };
    let step = f.transition(asked, &actor("erin"), "", &policy(), now()).unwrap();
    let waiting = f.clone().apply(&step, &policy()).unwrap();
    for event in [
        Event::Approve { decision: brief() },
        Event::Revoke { decision: d.number.clone(), note: "because it is reasonable enough".into() },
        Event::CoverException { decision: brief() },
    ] {
        assert!(waiting.transition(event, &system(), "", &policy(), now()).is_err());
    }
    for login in ["erin", "adam", "ada", "vera", "ulla"] {
        let event = Event::CoverException { decision: brief() };
        assert_eq!(f.transition(event, &actor(login), "", &policy(), now()).unwrap_err().code(), "not-allowed");
    }
}

#[test]
fn what_was_approved_stays_as_it_was() {
    let d = ahead(Kind::Exception);
    let after = d.extended([(key(1), later()), (key(2), later())]).unwrap();
    assert_eq!((&after.draft, &after.approvals, after.row_version), (&d.draft, &d.approvals, d.row_version + 1));
    assert_eq!(after.findings().cloned().collect::<Vec<_>>().len(), 3);
    assert_eq!(after.flaws(&policy()), []);
    // What it has is not taken in again, nor is anything once it is over or where it does not cover what comes later.
    assert_eq!(after.extended([(key(1), Later { points: 1, ..later() })]).unwrap().later, after.later);
    let over = Decision { status: Status::Revoked, ..d.clone() };
    assert!(over.extended([(key(1), later())]).is_err());
    let plain = approved(Kind::Exception);
    assert!(plain.extended([(key(1), later())]).is_err());
    let forged = Decision { later: after.later.clone(), ..plain };
    assert!(forged.flaws(&policy()).iter().any(|p| p.field == "later"));
    // A decision without later findings reads and writes as it did before there were any.
    let text = serde_json::to_value(&d).unwrap();
    assert!(text.get("later").is_none());
    assert_eq!(serde_json::from_value::<Decision>(text).unwrap(), d);
}

#[test]
fn patterns_that_leave_nothing_out_are_no_selector() {
    for (pattern, all) in [
        ("*", true),
        ("**", true),
        ("?*", true),
        ("re:.*", true),
        ("re:.+", true),
        ("re:", true),
        ("re:^", true),
        ("aws.*", false),
        ("re:^aws", false),
        ("111122223333", false),
        ("", false),
        ("*-test", false),
    ] {
        let parsed: plumb_govern::decision::Pattern = pattern.parse().unwrap();
        assert_eq!(parsed.is_everything(), all, "{pattern}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever is found later: it comes under the decision exactly when it is no worse than what the approvers saw, the
    /// decision holds, the rule is one it selects, and nobody who approved owns it.
    #[test]
    fn nothing_worse_than_what_was_approved_comes_under_it(
        severity in 0usize..Severity::ALL.len(),
        lane in 0usize..Lane::ALL.len(),
        tier in 0usize..Tier::ALL.len(),
        day in 0i64..40,
        other in any::<bool>(),
        owner in prop::sample::select(vec!["adam", "anna", "otto", "erin"]),
    ) {
        let (d, mut f) = (ahead(Kind::Exception), finding());
        f.facts.severity = Severity::ALL[severity];
        f.facts.terms.lane = Lane::ALL[lane];
        f.facts.terms.tier = Tier::ALL[tier];
        f.facts.person = Some(HumanId::from(owner));
        if other {
            f.facts.rule = "aws.ec2.instance.metadata-v2".into();
        }
        let right = f.facts.severity <= Severity::High
            && f.facts.terms.lane >= Lane::Urgent
            && f.facts.terms.tier <= Tier::Production
            && day < 30
            && !other
            && !matches!(owner, "adam" | "anna");
        // finding() is owned by otto by birth; its routing may name an approver, and then it is theirs too.
        prop_assert_eq!(cover(&d, &f, now().plus_days(day)).is_ok(), right);
    }
}
