//! Groups 2, 3, 6, 9 and 10: four eyes, no approval without an end and a trigger, the expiry job, one winner.

use crate::world::*;
use plumb_govern::Refusal;
use plumb_govern::decision::{
    Basis, Compensation, Decision, Draft, Kind, Rejected, Selector, Situation, Status, Subject, Watch, run_expiry,
    submit, unmatched,
};
use plumb_govern::finding::{Event, Finding};
use plumb_govern::people::{Actor, Credential, Grant, Place, Role, Scope};
use plumb_govern::policy::{Lane, Policy, Tier};
use plumb_model::{Outcome, Time};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[track_caller]
fn check(got: Result<Decision, Refusal>, want: Result<Status, &str>) {
    assert_eq!(got.as_ref().map(|d| d.status).map_err(Refusal::code), want, "{got:?}");
}

fn ask(draft: Draft, known: &Known) -> Result<Decision, Refusal> {
    submit(draft, "EX-2026-000001".into(), &actor("erin"), &known.context(), &policy(), now())
}

fn approve(d: &Decision, who: &Actor) -> Result<Decision, Refusal> {
    d.approve(who, "", &Known::default().context(), &policy(), now())
}

/// Group 2.
#[test]
fn four_eyes_are_two_humans_whatever_their_logins() {
    let mut known = Known::default();
    // adam engineers too: he may ask, and then neither his mail address nor his token may approve.
    known.directory.grant(Grant { human: "adam".into(), role: Role::Engineer, scope: Scope::Organization });
    let adam = actor("adam");
    let d = submit(draft(Kind::Exception), "EX-2026-000001".into(), &adam, &known.context(), &policy(), now()).unwrap();
    for login in ["adam", "ADAM@example.com", "token-adam"] {
        check(approve(&d, &actor(login)), Err("same-person"));
    }
    check(approve(&d, &actor("otto")), Err("own-resource"));
    check(approve(&d, &actor("ada")), Err("not-allowed"));
    check(approve(&d, &actor("ulla")), Err("not-allowed"));
    check(approve(&d, &actor("anna")), Ok(Status::InForce));
    let stale = actor_at("anna", Time::from_seconds(now().seconds() - 901));
    check(approve(&d, &stale), Err("second-factor"));
    check(approve(&d, &Actor::system("helper")), Err("not-allowed"));
}

#[test]
fn an_alias_is_never_moved_to_somebody_else() {
    let mut d = directory();
    assert!(d.alias("Token-Adam ", &"erin".into()).is_err());
    assert!(d.alias("erin.work", &"erin".into()).is_ok());
    let who = d.actor(&Credential { login: "ERIN.work", token: false, mfa_at: None }, &Place::default()).unwrap();
    assert_eq!(who.human, Some("erin".into()));
    assert!(
        d.actor(&Credential { login: "leo", token: false, mfa_at: None }, &Place::default()).is_err(),
        "leavers are out"
    );
}

#[test]
fn admin_and_approver_in_one_is_refused_unless_policy_says_so() {
    let mut directory = directory();
    directory.grant(Grant { human: "anna".into(), role: Role::Admin, scope: Scope::Organization });
    let anna =
        directory.actor(&Credential { login: "anna", token: false, mfa_at: Some(now()) }, &Place::default()).unwrap();
    let d = requested(Kind::Exception);
    check(approve(&d, &anna), Err("admin-decides"));
    let lax = Policy { allow_admin_approver: true, ..policy() };
    check(d.approve(&anna, "", &Known::default().context(), &lax, now()), Ok(Status::InForce));
    assert_eq!(directory.admin_approvers(), ["anna".into()]);
}

#[test]
fn act_now_needs_two_different_approvers() {
    let known = Known { lane: Lane::ActNow, ..Known::default() };
    let d = ask(draft(Kind::Exception), &known).unwrap();
    assert_eq!(d.approvers_needed, 2);
    let one = approve(&d, &actor("adam")).unwrap();
    assert_eq!(one.status, Status::Requested, "one yes is not enough");
    check(approve(&one, &actor("token-adam")), Err("same-person"));
    check(approve(&one, &actor("anna")), Ok(Status::InForce));
    // A lane that rose between request and approval asks for the second approver too.
    let mild = requested(Kind::Exception);
    check(mild.approve(&actor("adam"), "", &known.context(), &policy(), now()), Ok(Status::Requested));
}

/// Group 3, at the API: every missing part is named.
#[test]
fn a_request_is_complete_or_refused() {
    type Case = (&'static str, fn(&mut Draft));
    let cases: [Case; 14] = [
        ("basis", |d| d.basis = None),
        ("justification", |d| d.justification = "needed".into()),
        ("risk", |d| d.risk = "   low                                 ".into()),
        ("owner", |d| d.owner = None),
        ("owner", |d| d.owner = Some("team-box".into())),
        ("owner", |d| d.owner = Some("leo".into())),
        ("expires_at", |d| d.expires_at = None),
        ("expires_at", |d| d.expires_at = Some(now())),
        ("expires_at", |d| d.expires_at = Some(Time::from_seconds(now().plus_days(90).seconds() + 1))),
        ("triggers", |d| d.triggers.clear()),
        ("compensations", |d| d.basis = Some(Basis::CompensatingControl)),
        ("subject", |d| d.subject = Subject::Findings(BTreeSet::new())),
        ("renews", |d| d.renews = Some("EX-2025-000009".into())),
        ("review_every_days", |d| d.review_every_days = Some(60)),
    ];
    for (field, spoil) in cases {
        let mut d = draft(Kind::Exception);
        spoil(&mut d);
        match ask(d, &Known::default()) {
            Err(Refusal::Incomplete { problems }) => {
                assert_eq!(problems.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), [field], "{problems:?}");
            }
            other => panic!("{field}: {other:?}"),
        }
    }
    let mut everything = draft(Kind::Exception);
    everything.subject = Subject::Selector {
        selector: Selector { rules: vec!["*".parse().unwrap()], ..Selector::default() },
        matched: [key(1)].into(),
        covers_future: false,
    };
    check(ask(everything, &Known::default()), Err("incomplete"));
    check(ask(draft(Kind::Exception), &Known { tier: Tier::Tier1, ..Known::default() }), Ok(Status::Requested));
    let mut long = draft(Kind::Exception);
    long.expires_at = Some(now().plus_days(46));
    check(ask(long, &Known { tier: Tier::Tier1, ..Known::default() }), Err("incomplete"));
    check(
        submit(draft(Kind::Exception), "EX-1".into(), &actor("vera"), &Known::default().context(), &policy(), now()),
        Err("not-allowed"),
    );
    check(
        submit(draft(Kind::Exception), "EX-1".into(), &actor("ulla"), &Known::default().context(), &policy(), now()),
        Err("not-allowed"),
    );
}

/// Group 3, at import and at the store: a row in force without an end or a trigger lets no finding be accepted.
#[test]
fn a_forged_row_in_force_is_useless() {
    let f = finding();
    let event = Event::RequestException { decision: requested(Kind::Exception).brief(&f.id, None, &policy()) };
    let step = f.transition(event, &actor("erin"), "", &policy(), now()).unwrap();
    let f = f.apply(&step, &policy()).unwrap();
    let forgeries: [fn(&mut Decision); 6] = [
        |d| d.draft.expires_at = None,
        |d| d.draft.triggers.clear(),
        |d| d.approvals[0].human = "erin".into(),
        |d| d.status = Status::Requested,
        |d| d.draft.expires_at = Some(now().plus_days(3650)),
        |d| d.draft.subject = Subject::Findings([key(9)].into()),
    ];
    let attempt = |d: &Decision, f: &Finding| {
        f.transition(Event::Approve { decision: d.brief(&f.id, None, &policy()) }, &actor("adam"), "", &policy(), now())
    };
    assert!(attempt(&approved(Kind::Exception), &f).is_ok());
    for forge in forgeries {
        let mut d = approved(Kind::Exception);
        forge(&mut d);
        assert!(attempt(&d, &f).is_err(), "{d:?}");
    }
}

#[test]
fn a_rejected_text_is_not_simply_sent_again() {
    let known = Known {
        rejected: vec![Rejected {
            justification: draft(Kind::Exception).justification.to_uppercase(),
            at: now().plus_days(-6),
        }],
        ..Known::default()
    };
    check(ask(draft(Kind::Exception), &known), Err("incomplete"));
    let mut other = draft(Kind::Exception);
    other.justification.push_str(" The new front is planned for March.");
    check(ask(other, &known), Ok(Status::Requested));
    let d = requested(Kind::Exception);
    check(d.reject(&actor("adam"), "no", &policy(), now()), Err("incomplete"));
    check(d.reject(&actor("adam"), "the bucket can be made private today", &policy(), now()), Ok(Status::Rejected));
    check(d.withdraw(&actor("token-erin"), "not needed, we fixed it instead", now()), Ok(Status::Withdrawn));
    check(d.withdraw(&actor("eve"), "not needed, we fixed it instead", now()), Err("not-allowed"));
}

#[test]
fn compensating_controls_pass_at_approval_and_in_every_run() {
    let mut d = draft(Kind::Exception);
    d.basis = Some(Basis::CompensatingControl);
    let rule = || "aws.s3.bucket.logging-enabled".into();
    d.compensations = vec![Compensation { text: "Access is logged".into(), rule: Some(rule()), evidence: None }];
    check(ask(d.clone(), &Known::default()), Err("incomplete"));
    let mut known = Known { passing: [rule()].into(), ..Known::default() };
    let asked = ask(d, &known).unwrap();
    check(approve(&asked, &actor("adam")), Err("not-proven"));
    let held = asked.approve(&actor("adam"), "", &known.context(), &policy(), now()).unwrap();
    known.situation.controls.insert(rule(), Outcome::Pass);
    assert_eq!(held.reevaluate(&known.situation, &known.directory, now()), None);
    known.situation.controls.insert(rule(), Outcome::Unknown);
    assert_eq!(held.reevaluate(&known.situation, &known.directory, now()), None);
    assert_eq!(held.unproven_controls(&known.situation), [rule()], "nobody could look: said, not passed over");
    known.situation.controls.insert(rule(), Outcome::Fail);
    let ended = held.reevaluate(&known.situation, &known.directory, now()).unwrap();
    assert_eq!((ended.decision.status, ended.fired[0].watch), (Status::Revoked, Watch::ControlFails));
}

#[test]
fn triggers_fire_on_change_and_say_what_changed() {
    let mut d = draft(Kind::Exception);
    d.triggers = Watch::ALL.iter().map(|w| (*w).into()).collect();
    d.review_every_days = Some(10);
    let mut known = Known::default();
    known.situation.frameworks.insert("iso27001".into(), "2022".into());
    let d = ask(d, &known).unwrap().approve(&actor("adam"), "", &known.context(), &policy(), now()).unwrap();
    let same = known.situation.clone();
    assert_eq!(d.fired(&same, &known.directory, now()), []);
    let worse = Situation {
        lane: Some(Lane::ActNow),
        exposure: 3,
        exploited: true,
        epss_permille: Some(120),
        value_digest: "bb".into(),
        frameworks: [("iso27001".to_owned(), "2025".to_owned())].into(),
        ..same
    };
    let mut gone = known.directory.clone();
    gone.put(plumb_govern::people::Person { active: false, ..person("eve") }).unwrap();
    let fired: BTreeSet<_> = d.fired(&worse, &gone, now().plus_days(11)).into_iter().map(|f| f.watch).collect();
    let want = [
        Watch::LaneRises,
        Watch::ExposureRises,
        Watch::KnownExploited,
        Watch::ExploitLikely,
        Watch::ValueChanges,
        Watch::OwnerLeaves,
        Watch::FrameworkChanges,
        Watch::Unreviewed,
    ];
    assert_eq!(fired, want.into());
}

/// Group 6.
#[test]
fn the_expiry_job_is_idempotent_and_catches_up() {
    let d = approved(Kind::Exception);
    assert!(d.holds(now()));
    assert!(!d.holds(now().plus_days(30)), "the end counts even before the job has run");
    assert_eq!(run_expiry([&d], now().plus_days(29)), []);
    let ended = run_expiry([&d], now().plus_days(300));
    assert_eq!(ended[0].decision.status, Status::Expired);
    assert_eq!(run_expiry([&ended[0].decision], now().plus_days(301)), []);
}

/// Group 10, the part without a database: two decide at once on the same version; the second is told.
#[test]
fn of_two_who_decide_at_once_one_wins() {
    let d = requested(Kind::Exception);
    let read = d.row_version;
    let stored = approve(d.at_version(read).unwrap(), &actor("adam")).unwrap();
    assert_eq!(stored.at_version(read).unwrap_err(), Refusal::Stale { read: 1, found: 2 });
    check(stored.reject(&actor("anna"), "this one came a moment later", &policy(), now()), Err("status"));
}

#[test]
fn a_decision_that_covers_nothing_is_reported() {
    let d = approved(Kind::Exception);
    let none = |_: &Selector| false;
    assert_eq!(unmatched(std::slice::from_ref(&d), &[key(1)].into(), &none, now()), []);
    let idle = unmatched(&[d], &[key(2)].into(), &none, now());
    assert_eq!(idle[0].advice, "EX-2026-000001 covers no live finding; revoke it or correct its scope");
}

#[test]
fn decisions_read_back_as_they_were_written() {
    let d = approved(Kind::BaselineDeviation);
    let text = serde_json::to_string(&d).unwrap();
    assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), d);
}

proptest! {
    /// Whoever tries in whatever order: in force means enough humans, none of them the requester or an owner.
    #[test]
    fn nobody_approves_their_own(asker in 0usize..6, tries in proptest::collection::vec(0usize..18, 0..12), lane in 0u8..4) {
        let humans = ["erin", "adam", "anna", "otto", "ada", "eve"];
        let mut known = Known { lane: Lane::from_number(lane), ..Known::default() };
        for h in humans {
            for role in [Role::Engineer, Role::Approver] {
                known.directory.grant(Grant { human: h.into(), role, scope: Scope::Organization });
            }
        }
        let who = |login: &str| {
            let c = Credential { login, token: false, mfa_at: Some(now()) };
            known.directory.actor(&c, &Place::default()).unwrap()
        };
        let mut d = submit(draft(Kind::Exception), "EX-1".into(), &who(humans[asker]), &known.context(), &policy(), now()).unwrap();
        for n in tries {
            let login = match n / 6 { 0 => humans[n].to_owned(), 1 => format!("{}@example.com", humans[n % 6]), _ => format!("token-{}", humans[n % 6]) };
            if let Ok(next) = d.approve(&who(&login), "", &known.context(), &policy(), now()) {
                d = next;
            }
        }
        let said: BTreeSet<_> = d.approvals.iter().map(|a| a.human.clone()).collect();
        prop_assert_eq!(said.len(), d.approvals.len());
        prop_assert!(!said.contains(&d.requested_by) && !said.contains("otto"));
        prop_assert_eq!(d.status == Status::InForce, said.len() >= if lane == 0 { 2 } else { 1 });
        prop_assert_eq!(d.flaws(&policy()), vec![]);
    }
}

#[test]
fn by_hand_events_say_where_others_go() {
    let fields: BTreeMap<_, _> = [("plan".to_owned(), "SEC-1".to_owned())].into();
    assert!(matches!(Event::by_hand("start", &fields), Ok(Event::Start { plan, .. }) if plan == "SEC-1"));
    assert!(Event::by_hand("approve", &fields).unwrap_err().contains("plumb exceptions"));
    assert!(Event::by_hand("retest-pass", &fields).unwrap_err().contains("comes from runs"));
    assert!(Event::by_hand("fixed", &fields).unwrap_err().contains("triage, start, claim-fixed or merge"));
}
