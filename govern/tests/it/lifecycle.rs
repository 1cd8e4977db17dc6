//! Groups 1, 4 (the part that needs no database) and 5: the table, closing by evidence, clocks through a life.

use crate::world::*;
use plumb_govern::Refusal;
use plumb_govern::decision::Kind;
use plumb_govern::finding::machine::{self, EventKind, State};
use plumb_govern::finding::{
    BULK_LIMIT, Event, Finding, FoldError, Link, Relation, Remedy, RemedyKind, Transition, bulk, check_fold, link,
};
use plumb_govern::people::{Actor, Role};
use plumb_model::{Outcome, Time};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// The specification's table, written down again: number, from, event, to, who.
const SPEC: &str = "
 1 | - | detect | open | observer
 2 | open | triage | triaged | engineer
 3 | open triaged | start | in-remediation | engineer
 4 | in-remediation | claim-fixed | fixed-claimed | engineer
 5 | fixed-claimed | schedule-retest | retest-pending | system
 6 | retest-pending | retest-pass | fixed | system
 7 | retest-pending | retest-fail | in-remediation | system
 8 | retest-pending | retest-unknown | triaged | system
 9 | open triaged in-remediation | observe-pass | retest-pending | system
10 | open triaged in-remediation | request-exception | exception-requested | engineer
11 | exception-requested | approve | accepted | approver
11 | open triaged in-remediation | cover-exception | accepted | system
12 | exception-requested deferral-requested fp-requested | reject | triaged | approver
12 | exception-requested deferral-requested fp-requested | withdraw | triaged | requester
13 | accepted | expire | open | system
13 | accepted | trigger | open | system
13 | accepted | revoke | open | approver
14 | open triaged in-remediation | request-deferral | deferral-requested | engineer
15 | deferral-requested | approve | deferred | approver
15 | open triaged in-remediation | cover-deferral | deferred | system
16 | deferred | expire | triaged | system
16 | deferred | trigger | triaged | system
16 | deferred | revoke | triaged | approver
17 | open triaged in-remediation | request-fp | fp-requested | engineer
18 | fp-requested | confirm | false-positive | approver
18 | open triaged in-remediation | cover-fp | false-positive | system
19 | false-positive | change | open | system
20 | fixed resource-gone superseded | detect | open | observer
21 | open triaged in-remediation fixed-claimed retest-pending exception-requested accepted deferral-requested deferred fp-requested | resource-gone | resource-gone | system
22 | accepted deferred | observe-pass | fixed | system
23 | open triaged in-remediation fixed-claimed retest-pending fixed exception-requested accepted deferral-requested deferred fp-requested false-positive resource-gone | merge | superseded | engineer
";

fn spec() -> BTreeMap<(String, String), (u8, String, String)> {
    let mut out = BTreeMap::new();
    for line in SPEC.lines().filter(|l| !l.trim().is_empty()) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        for from in cells[1].split_whitespace() {
            let old = out.insert(
                (from.to_owned(), cells[2].to_owned()),
                (cells[0].parse().unwrap(), cells[3].to_owned(), cells[4].to_owned()),
            );
            assert!(old.is_none(), "two rows for {from} on {}", cells[2]);
        }
    }
    out
}

#[test]
fn fourteen_states_and_twenty_three_numbers() {
    assert_eq!(State::ALL.len(), 14);
    let numbers: BTreeSet<_> = machine::TABLE.iter().map(|r| r.number).collect();
    assert_eq!(numbers, (1..=23).collect());
    let spec = spec();
    for from in std::iter::once(None).chain(State::ALL.iter().copied().map(Some)) {
        for event in EventKind::ALL {
            let key = (from.map_or("-", State::name).to_owned(), event.name().to_owned());
            let ours = machine::find(from, *event).map(|r| (r.number, r.to.name().to_owned(), r.who.name().to_owned()));
            assert_eq!(ours.as_ref(), spec.get(&key), "{key:?}");
        }
    }
}

/// An event of this kind whose facts satisfy every guard, for a finding in `state` at `at`.
fn sound(kind: EventKind, f: &Finding, at: Time) -> Event {
    let pass = look(Outcome::Pass, true, at);
    let d = |kind| match f.state() {
        s if s.is_waiting() => approved(kind).brief(&f.id, None, &policy()),
        _ => requested(kind).brief(&f.id, None, &policy()),
    };
    let kind_of = match f.state() {
        State::DeferralRequested | State::Deferred => Kind::Deferral,
        State::FpRequested => Kind::FalsePositive,
        _ => Kind::Exception,
    };
    let number = || "EX-2026-000001".into();
    let note = || "because it is reasonable enough".to_owned();
    match kind {
        EventKind::Detect => Event::Detect { evidence: evidence() },
        EventKind::Triage => Event::Triage { team: Some("shop".into()), person: None },
        EventKind::Start => Event::Start { person: Some("erin".into()), plan: "SEC-1".into() },
        EventKind::ClaimFixed => {
            Event::ClaimFixed { remedy: Remedy { kind: RemedyKind::IacPatch, reference: "abc123".into() } }
        }
        EventKind::ScheduleRetest => Event::ScheduleRetest { job: "job-1".into() },
        EventKind::RetestPass => Event::RetestPass { look: pass, before: None, event_driven: false },
        EventKind::RetestFail => Event::RetestFail { look: look(Outcome::Fail, true, at) },
        EventKind::RetestUnknown => Event::RetestUnknown { in_a_row: 3, why: "needs s3:GetBucketAcl".into() },
        EventKind::ObservePass => Event::ObservePass { look: pass },
        EventKind::RequestException => Event::RequestException { decision: d(Kind::Exception) },
        EventKind::RequestDeferral => Event::RequestDeferral { decision: d(Kind::Deferral) },
        EventKind::RequestFp => Event::RequestFp { decision: d(Kind::FalsePositive) },
        EventKind::Approve => Event::Approve { decision: d(kind_of) },
        EventKind::Confirm => Event::Confirm { decision: d(kind_of), rule_version: 1, value_digest: "aa".into() },
        EventKind::Reject => Event::Reject { decision: d(kind_of), note: note() },
        EventKind::Withdraw => Event::Withdraw { decision: d(kind_of), note: note() },
        EventKind::Expire => Event::Expire { decision: number(), expired_at: at },
        EventKind::Trigger => Event::Trigger { decision: number(), fired: "lane-rises: urgent → act-now".into() },
        EventKind::CoverException => Event::CoverException { decision: brief_ahead(&ahead(Kind::Exception), f) },
        EventKind::CoverDeferral => Event::CoverDeferral { decision: brief_ahead(&ahead(Kind::Deferral), f) },
        EventKind::CoverFp => Event::CoverFp {
            decision: brief_ahead(&ahead(Kind::FalsePositive), f),
            rule_version: 1,
            value_digest: "aa".into(),
        },
        EventKind::Revoke => Event::Revoke { decision: number(), note: note() },
        EventKind::Change => Event::Change { what: "observed-value".into(), before: "aa".into(), after: "bb".into() },
        EventKind::ResourceGone => Event::ResourceGone {
            passes: passes(&[at.plus_days(-1).max(Time::from_seconds(f.last_seen.seconds() + 1)), at]),
        },
        EventKind::Merge => Event::Merge { into: key(2), exists: true, same_account: true },
    }
}

/// Who causes a row, by the roles a test may hold.
fn doer(who: machine::Who, at: Time) -> Actor {
    match who {
        machine::Who::System | machine::Who::Observer => system(),
        machine::Who::Engineer | machine::Who::Requester => actor_at("erin", at),
        machine::Who::Approver => actor_at("adam", at),
    }
}

/// Walks the given kinds of event from a fresh finding, a minute apart, all by the right people.
fn walk(kinds: &[EventKind]) -> (Finding, Vec<Transition>, Time) {
    let (mut f, first) = Finding::open(key(1), facts(), evidence(), &system(), &policy(), now()).unwrap();
    let mut steps = vec![first];
    let mut at = now();
    for kind in kinds {
        at = Time::from_seconds(at.seconds() + 120);
        let row = machine::find(Some(f.state()), *kind).unwrap_or_else(|| panic!("{kind} from {}", f.state()));
        let step = f.transition(sound(*kind, &f, at), &doer(row.who, at), "test", &policy(), at).unwrap();
        f = f.apply(&step, &policy()).unwrap();
        steps.push(step);
    }
    (f, steps, Time::from_seconds(at.seconds() + 120))
}

/// A shortest way to each state.
fn way(state: State) -> Vec<EventKind> {
    use EventKind as E;
    match state {
        State::Open => vec![],
        State::Triaged => vec![E::Triage],
        State::InRemediation => vec![E::Start],
        State::FixedClaimed => vec![E::Start, E::ClaimFixed],
        State::RetestPending => vec![E::Start, E::ClaimFixed, E::ScheduleRetest],
        State::Fixed => vec![E::Start, E::ClaimFixed, E::ScheduleRetest, E::RetestPass],
        State::ExceptionRequested => vec![E::RequestException],
        State::Accepted => vec![E::RequestException, E::Approve],
        State::DeferralRequested => vec![E::RequestDeferral],
        State::Deferred => vec![E::RequestDeferral, E::Approve],
        State::FpRequested => vec![E::RequestFp],
        State::FalsePositive => vec![E::RequestFp, E::Confirm],
        State::ResourceGone => vec![E::ResourceGone],
        State::Superseded => vec![E::Merge],
    }
}

/// Group 1: state × event × role; group 9: the auditor's column is empty.
#[test]
fn every_state_event_and_role_outside_the_table_is_refused() {
    let spec = spec();
    let actors = |at| {
        let people = ["erin", "adam", "ada", "vera", "ulla"].map(|l| (actor_at(l, at), Some(l)));
        people.into_iter().chain([(system(), None), (Actor::import("prowler"), None)]).collect::<Vec<_>>()
    };
    let mut tried = 0;
    for state in State::ALL {
        let (f, _, at) = walk(&way(*state));
        assert_eq!(f.state(), *state);
        for event in EventKind::ALL {
            let row = spec.get(&(state.name().to_owned(), event.name().to_owned()));
            for (who, login) in actors(at) {
                tried += 1;
                let got = f.transition(sound(*event, &f, at), &who, "", &policy(), at);
                let allowed = row.is_some_and(|(_, _, needs)| match needs.as_str() {
                    "system" => login.is_none() && who.id.starts_with("system:"),
                    "observer" => login.is_none(),
                    "engineer" if event.name().starts_with("request-") => login == Some("erin"), // the requester acts
                    "engineer" => matches!(login, Some("erin" | "adam")),
                    "approver" if *event == EventKind::Revoke => matches!(login, Some("adam" | "ada")),
                    "approver" => login == Some("adam"),
                    _ => login == Some("erin"),
                });
                let shown = format!("{state} on {event} by {}", who.id);
                match got {
                    Ok(step) => {
                        assert!(allowed, "{shown} was let through");
                        let (number, to, _) = row.unwrap();
                        assert_eq!((step.number, step.to.name()), (*number, to.as_str()), "{shown}");
                        assert!(!who.is(Role::Auditor));
                    }
                    Err(refusal) => {
                        assert!(!allowed, "{shown}: {refusal}");
                        assert_eq!(refusal.code() == "not-in-table", row.is_none(), "{shown}: {refusal}");
                    }
                }
            }
        }
    }
    assert_eq!(tried, 14 * 25 * 7);
}

#[test]
fn nobody_moves_a_finding_to_fixed_by_hand() {
    for login in ["erin", "adam", "ada", "vera", "ulla"] {
        let (f, _, at) = walk(&way(State::RetestPending));
        let got = f.transition(sound(EventKind::RetestPass, &f, at), &actor_at(login, at), "", &policy(), at);
        assert_eq!(got.unwrap_err().code(), "not-allowed");
    }
}

#[track_caller]
fn refused(f: &Finding, event: Event, who: &Actor, at: Time, code: &str) {
    let got = f.transition(event, who, "", &policy(), at);
    assert_eq!(got.as_ref().map_err(Refusal::code).unwrap_err(), code, "{got:?}");
}

#[test]
fn closing_needs_positive_evidence() {
    let (f, _, at) = walk(&way(State::RetestPending));
    let pass = |look, before, event_driven| Event::RetestPass { look, before, event_driven };
    let early = look(Outcome::Pass, true, now());
    refused(&f, pass(look(Outcome::Pass, false, at), None, false), &system(), at, "not-proven");
    refused(&f, pass(look(Outcome::Unknown, true, at), None, false), &system(), at, "not-proven");
    refused(&f, pass(look(Outcome::NotApplicable, true, at), None, false), &system(), at, "not-proven");
    refused(&f, pass(early.clone(), None, false), &system(), at, "not-proven");
    let later = Time::from_seconds(at.seconds() + 900);
    let good = look(Outcome::Pass, true, later);
    refused(&f, pass(good.clone(), None, true), &system(), later, "not-proven");
    refused(&f, pass(good.clone(), Some(early), true), &system(), later, "not-proven");
    let before = look(Outcome::Pass, true, at);
    let step = f.transition(pass(good, Some(before), true), &system(), "", &policy(), later).unwrap();
    assert_eq!(f.apply(&step, &policy()).unwrap().closure().unwrap().controls, ["iso27001-2022/A.8.20"]);
}

/// Group 4: a run that was refused something, or saw the resource once more, closes nothing.
#[test]
fn a_resource_is_gone_after_two_complete_runs_only() {
    let f = finding();
    let later = [now().plus_days(1), now().plus_days(2)];
    let at = now().plus_days(2);
    let gone = |passes| Event::ResourceGone { passes };
    refused(&f, gone(passes(&later[..1])), &system(), at, "not-proven");
    refused(&f, gone(passes(&[later[0], later[0]])), &system(), at, "not-proven");
    refused(&f, gone(passes(&[now(), later[0]])), &system(), at, "not-proven");
    let mut partial = passes(&later);
    partial[1].complete = false;
    refused(&f, gone(partial), &system(), at, "not-proven");
    assert!(f.transition(gone(passes(&later)), &system(), "", &policy(), at).is_ok());
    for state in State::ALL {
        let (f, _, at) = walk(&way(*state));
        for outcome in [Outcome::Unknown, Outcome::NotApplicable] {
            let event = f.event_for(&look(outcome, true, at), None, false, 1);
            assert!(event.is_none_or(|e| e.kind() == EventKind::ScheduleRetest), "{state}");
        }
        let event = f.event_for(&look(Outcome::Pass, false, at), None, false, 1);
        assert!(event.is_none_or(|e| e.kind() == EventKind::ScheduleRetest), "{state}");
    }
}

/// Group 4: the name of a finding rests on nothing that changes.
#[test]
fn a_new_title_severity_or_value_is_the_same_finding() {
    let mut f = finding();
    let mut seen = facts();
    seen.title = "Other words".into();
    seen.severity = plumb_model::Severity::Low;
    seen.value_digest = "bb".into();
    f.observe(seen, &policy(), now().plus_days(1));
    assert_eq!((f.state(), f.id), (State::Open, key(1)));
}

#[test]
fn a_fixed_finding_that_comes_back_counts_and_has_half_the_time() {
    let (f, _, at) = walk(&way(State::Fixed));
    let step = f.transition(sound(EventKind::Detect, &f, at), &system(), "", &policy(), at).unwrap();
    let f = f.apply(&step, &policy()).unwrap();
    assert_eq!((f.occurrences(), f.regressed(), f.state()), (2, true, State::Open));
    assert_eq!(f.clock().due(at), Some(at.plus_days(7)), "half of fourteen days");
    let (f, _, _) = walk(&way(State::Fixed));
    let much_later = now().plus_days(200);
    let step = f.transition(sound(EventKind::Detect, &f, much_later), &system(), "", &policy(), much_later).unwrap();
    let f = f.apply(&step, &policy()).unwrap();
    assert_eq!((f.occurrences(), f.regressed()), (2, false));
    assert_eq!(f.clock().due(much_later), Some(much_later.plus_days(14)));
}

/// Group 5: the clock through a life.
#[test]
fn an_exception_stops_the_clock_and_its_end_starts_a_shorter_one() {
    let (f, _, _) = walk(&[EventKind::RequestException, EventKind::Approve]);
    let end = now().plus_days(30);
    assert!(!f.clock().is_breached(end));
    let event = Event::Expire { decision: "EX-2026-000001".into(), expired_at: end };
    refused(&f, event.clone(), &system(), now(), "not-proven");
    let step = f.transition(event, &system(), "", &policy(), end).unwrap();
    let f = f.apply(&step, &policy()).unwrap();
    assert_eq!((f.state(), f.clock().due(end)), (State::Open, Some(end.plus_days(7))));

    let (f, _, _) = walk(&[EventKind::RequestDeferral, EventKind::Approve]);
    let step = f.transition(sound(EventKind::Trigger, &f, end), &system(), "", &policy(), end).unwrap();
    let f = f.apply(&step, &policy()).unwrap();
    assert_eq!(f.state(), State::Triaged);
    let due = f.clock().due(end).unwrap();
    assert_eq!(due.days_since(end), 13, "a deferral resumes what was left: nearly fourteen days");
}

#[test]
fn bulk_checks_each_row_and_reports_each() {
    let (done, _, _) = walk(&way(State::Triaged));
    let fresh = finding();
    let event = |_: &Finding| Event::Triage { team: Some("shop".into()), person: None };
    let rows = bulk("req-1", &[&fresh, &done], &|_| actor("erin"), &event, "sweep", &policy(), now()).unwrap();
    assert_eq!(rows[0].result.as_ref().unwrap().request.as_deref(), Some("req-1"));
    assert_eq!(rows[1].result.as_ref().unwrap_err().code(), "not-in-table");
    let many = vec![&fresh; BULK_LIMIT + 1];
    let got = bulk("req-2", &many, &|_| actor("erin"), &event, "", &policy(), now());
    assert_eq!(got.unwrap_err().to_string(), "5001 findings in one request; at most 5000, so send several requests");
}

#[test]
fn links_never_run_in_a_circle() {
    let mut all: BTreeMap<_, _> = (1..=3)
        .map(|n| (key(n), Finding::open(key(n), facts(), evidence(), &system(), &policy(), now()).unwrap().0))
        .collect();
    let mut join = |a: u32, b: u32| {
        let mut f = all.remove(&key(a)).unwrap();
        let got = link(&mut f, Link { kind: Relation::CausedBy, to: key(b) }, &all);
        all.insert(key(a), f);
        got
    };
    join(1, 2).unwrap();
    join(2, 3).unwrap();
    assert!(join(3, 1).unwrap_err().contains("circle"));
    assert!(join(3, 3).is_err());
}

/// Group 7, the part without a database: a state changed behind the service's back differs from its rows.
#[test]
fn a_state_that_was_not_reached_by_its_rows_is_found() {
    let (f, steps, _) = walk(&way(State::InRemediation));
    assert_eq!(check_fold(&f, &steps), Ok(()));
    let mut forged: serde_json::Value = serde_json::to_value(&f).unwrap();
    forged["state"] = "fixed".into();
    let forged: Finding = serde_json::from_value(forged).unwrap();
    let error: FoldError = check_fold(&forged, &steps).unwrap_err();
    assert!(error.problem.contains("says fixed on record, but the rows lead to in-remediation"), "{error}");
    assert!(check_fold(&f, &steps[1..]).is_err());
}

#[test]
fn rows_read_back_as_they_were_written() {
    let (f, steps, _) = walk(&way(State::Accepted));
    let text = serde_json::to_string(&(&f, &steps)).unwrap();
    let back: (Finding, Vec<Transition>) = serde_json::from_str(&text).unwrap();
    assert_eq!(back, (f, steps));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever happens, by whomever: the state is one the table leads to, closing had its evidence, and the rows
    /// fold to the finding.
    #[test]
    fn no_sequence_of_events_leaves_the_table(moves in proptest::collection::vec((0usize..25, 0usize..7, any::<bool>()), 1..40)) {
        let (mut f, first) = Finding::open(key(1), facts(), evidence(), &system(), &policy(), now()).unwrap();
        let mut steps = vec![first];
        let spec = spec();
        let mut at = now();
        for (event, who, complete) in moves {
            at = Time::from_seconds(at.seconds() + 600);
            let who = match who {
                5 => system(),
                6 => Actor::import("prowler"),
                n => actor_at(["erin", "adam", "ada", "vera", "ulla"][n], at),
            };
            let mut event = sound(EventKind::ALL[event], &f, at);
            if let Event::RetestPass { look, .. } | Event::ObservePass { look } = &mut event {
                look.complete = complete;
            }
            let proven = !matches!(&event, Event::RetestPass { look, .. } | Event::ObservePass { look } if !look.complete);
            let from = f.state();
            if let Ok(step) = f.transition(event, &who, "", &policy(), at) {
                let (number, to, _) = &spec[&(from.name().to_owned(), step.inputs.kind().name().to_owned())];
                prop_assert_eq!((step.number, step.to.name()), (*number, to.as_str()));
                if step.to == State::Fixed {
                    prop_assert!(proven && who.id.starts_with("system:"));
                }
                f = f.apply(&step, &policy()).unwrap();
                steps.push(step);
            }
            prop_assert_eq!(f.closure().is_some(), f.state().is_final());
        }
        prop_assert_eq!(check_fold(&f, &steps), Ok(()));
    }
}
