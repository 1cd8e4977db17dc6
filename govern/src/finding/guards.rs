//! Who may, and what must be proven, for each row of the table.

use super::Finding;
use super::event::Event;
use super::machine::{self, EventKind, Row, State, Who};
use crate::decision::{Brief, Kind, Status};
use crate::guard;
use crate::people::{Act, Actor, ActorKind};
use crate::policy::Policy;
use crate::refusal::{Problem, Refusal};
use plumb_model::{Outcome, Time};
use std::collections::BTreeSet;

/// The kinds of decision that accept a finding.
const EXCEPTIONS: &[Kind] = &[Kind::Exception, Kind::BaselineDeviation, Kind::ExposureApproval];

/// Finds the row and checks the actor and the guard.
pub(super) fn check(
    finding: Option<&Finding>,
    event: &Event,
    actor: &Actor,
    policy: &Policy,
    now: Time,
) -> Result<&'static Row, Refusal> {
    let kind = event.kind();
    let from = finding.map(|f| f.state);
    let row = machine::find(from, kind).ok_or_else(|| Refusal::NotInTable {
        from: from.map_or("nothing", State::name).into(),
        event: kind.name().into(),
        possible: machine::possible(from).map(EventKind::name).collect::<Vec<_>>().join(", "),
    })?;
    who(row, actor, kind)?;
    match finding {
        None => facts_of_birth(event)?,
        Some(f) => facts(f, event, actor, policy, now)?,
    }
    Ok(row)
}

fn who(row: &Row, actor: &Actor, kind: EventKind) -> Result<(), Refusal> {
    let doing = kind.name();
    match row.who {
        Who::System if actor.kind == ActorKind::System => Ok(()),
        Who::System => Err(guard::not_allowed(actor, doing, "the product itself")),
        Who::Observer if matches!(actor.kind, ActorKind::System | ActorKind::Import) => Ok(()),
        Who::Observer => Err(guard::not_allowed(actor, doing, "a run or an import")),
        Who::Engineer => guard::may(actor, Act::Work, doing),
        Who::Approver if kind == EventKind::Revoke => guard::may(actor, Act::Revoke, doing),
        Who::Approver => guard::may(actor, Act::Decide, doing),
        Who::Requester => guard::may(actor, Act::Request, doing),
    }
}

fn facts_of_birth(event: &Event) -> Result<(), Refusal> {
    match event {
        Event::Detect { evidence } if !evidence.is_empty() => Ok(()),
        _ => Err(Refusal::field("evidence", "stored before the finding is opened")),
    }
}

fn all(problems: Vec<Problem>) -> Result<(), Refusal> {
    if problems.is_empty() { Ok(()) } else { Err(Refusal::Incomplete { problems }) }
}

fn facts(f: &Finding, event: &Event, actor: &Actor, policy: &Policy, now: Time) -> Result<(), Refusal> {
    match event {
        Event::Detect { .. } => facts_of_birth(event),
        Event::Triage { team, person } => {
            if team.is_some() || person.is_some() || f.team.is_some() || f.person.is_some() {
                return Ok(());
            }
            Err(Refusal::field("owner", "a team or a person"))
        }
        Event::Start { person, plan } => {
            let mut p = Vec::new();
            if person.is_none() && f.person.is_none() {
                p.push(Problem::new("person", "the person who works on it"));
            }
            if plan.trim().is_empty() {
                p.push(Problem::new("plan", "a plan or a ticket"));
            }
            all(p)
        }
        Event::ClaimFixed { remedy } if remedy.reference.trim().is_empty() => {
            Err(Refusal::field("reference", "the commit, pull request, plan or ticket of the fix"))
        }
        Event::ScheduleRetest { job } if job.trim().is_empty() => Err(Refusal::field("job", "the retest's job id")),
        Event::RetestPass { look, before, event_driven } => {
            proven(look)?;
            if f.claimed_at.is_some_and(|claimed| look.started < claimed) {
                return Err(Refusal::not_proven("the run started before the fix was claimed"));
            }
            if *event_driven {
                let apart =
                    |b: &super::Look| look.started.seconds() - b.finished.seconds() >= policy.event_pass_minutes * 60;
                let steady = before.as_ref().is_some_and(|b| {
                    b.proves_pass() && f.claimed_at.is_none_or(|claimed| b.started >= claimed) && apart(b)
                });
                if !steady {
                    let minutes = policy.event_pass_minutes;
                    return Err(Refusal::not_proven(format!("two passes at least {minutes} minutes apart are needed")));
                }
            }
            Ok(())
        }
        Event::RetestFail { look } if look.outcome != Outcome::Fail => {
            Err(Refusal::not_proven(format!("the run says {}", look.outcome.name())))
        }
        Event::RetestUnknown { in_a_row, why } => {
            if *in_a_row < 3 {
                return Err(Refusal::not_proven(format!("{in_a_row} of 3 retests in a row could not tell; try again")));
            }
            if why.trim().is_empty() { Err(Refusal::field("why", "what was out of reach")) } else { Ok(()) }
        }
        Event::ObservePass { look } => {
            proven(look)?;
            if look.started < f.opened_at {
                return Err(Refusal::not_proven("the run started before the finding was opened"));
            }
            Ok(())
        }
        Event::RequestException { decision } => requested(decision, EXCEPTIONS, actor),
        Event::RequestDeferral { decision } => requested(decision, &[Kind::Deferral], actor),
        Event::RequestFp { decision } => requested(decision, &[Kind::FalsePositive], actor),
        Event::Approve { decision } => in_force(f, decision, actor, policy, now, "approve"),
        Event::Confirm { decision, value_digest, .. } => {
            in_force(f, decision, actor, policy, now, "confirm")?;
            if value_digest.is_empty() {
                return Err(Refusal::field("value_digest", "the digest of the observed values it is bound to"));
            }
            Ok(())
        }
        Event::CoverException { decision } => covered_later(f, decision, EXCEPTIONS, now),
        Event::CoverDeferral { decision } => covered_later(f, decision, &[Kind::Deferral], now),
        Event::CoverFp { decision, value_digest, .. } => {
            covered_later(f, decision, &[Kind::FalsePositive], now)?;
            if *value_digest != f.facts.value_digest {
                return Err(Refusal::field("value_digest", "the digest of the values the finding shows"));
            }
            Ok(())
        }
        Event::Reject { decision, note } => {
            same_decision(f, decision)?;
            guard::decider(actor, &decision.requested_by, &BTreeSet::new(), policy, now, "reject")?;
            guard::note(note)
        }
        Event::Withdraw { decision, note } => {
            same_decision(f, decision)?;
            if guard::human(actor, "withdraw")? != &decision.requested_by {
                return Err(guard::not_allowed(actor, "withdraw", "the requester"));
            }
            guard::note(note)
        }
        Event::Revoke { note, decision } => {
            in_hand(f, decision)?;
            guard::second_factor(actor, policy, now, "revoke")?;
            guard::note(note)
        }
        Event::Expire { decision, expired_at } => {
            in_hand(f, decision)?;
            if *expired_at > now {
                return Err(Refusal::not_proven(format!("{decision} ends on {expired_at}")));
            }
            Ok(())
        }
        Event::Trigger { decision, fired } => {
            in_hand(f, decision)?;
            if fired.trim().is_empty() {
                Err(Refusal::field("fired", "which trigger, before and after"))
            } else {
                Ok(())
            }
        }
        Event::Change { before, after, .. } if before == after => Err(Refusal::not_proven("nothing changed")),
        Event::ResourceGone { passes } => {
            let runs: BTreeSet<_> =
                passes.iter().filter(|p| p.complete && p.at > f.last_seen && p.at <= now).map(|p| &p.run).collect();
            if runs.len() < 2 {
                let n = runs.len();
                return Err(Refusal::not_proven(format!(
                    "{n} of 2 complete runs without the resource since it was last seen"
                )));
            }
            Ok(())
        }
        Event::Merge { into, exists, same_account } => {
            let mut p = Vec::new();
            if !exists {
                p.push(Problem::new("into", "a finding on record"));
            }
            if !same_account {
                p.push(Problem::new("into", "a finding in the same account"));
            }
            if *into == f.id {
                p.push(Problem::new("into", "another finding"));
            }
            all(p)
        }
        _ => Ok(()),
    }
}

fn proven(look: &super::Look) -> Result<(), Refusal> {
    if look.proves_pass() {
        return Ok(());
    }
    let why =
        if look.complete { format!("the run says {}", look.outcome.name()) } else { "the read was incomplete".into() };
    Err(Refusal::not_proven(why))
}

fn requested(d: &Brief, kinds: &[Kind], actor: &Actor) -> Result<(), Refusal> {
    let mut p = d.flaws.clone();
    if !kinds.contains(&d.kind) {
        p.push(Problem::new(
            "kind",
            format!("{}, not {}", kinds.iter().map(|k| k.name()).collect::<Vec<_>>().join(" or "), d.kind),
        ));
    }
    if d.status != Status::Requested {
        p.push(Problem::new("decision", format!("one that waits; {} is {}", d.number, d.status)));
    }
    if !d.covers {
        p.push(Problem::new("subject", format!("{} to cover this finding", d.number)));
    }
    if guard::human(actor, "request")? != &d.requested_by {
        p.push(Problem::new("requested_by", "the person who acts"));
    }
    all(p)
}

/// The finding waits for (or lives under) exactly this decision.
fn same_decision(f: &Finding, d: &Brief) -> Result<(), Refusal> {
    in_hand(f, &d.number)
}

fn in_hand(f: &Finding, number: &crate::ids::DecisionId) -> Result<(), Refusal> {
    if f.decision.as_ref() == Some(number) {
        return Ok(());
    }
    let has = f.decision.as_ref().map_or("none", |d| d.as_str());
    Err(Refusal::field("decision", format!("the one this finding waits for: {has}, not {number}")))
}

/// What the product may do by itself about a decision: bring under it what it was approved to cover later. Nobody acts
/// here, so everything that was true of the approvers when they agreed is asked again of this finding.
fn covered_later(f: &Finding, d: &Brief, kinds: &[Kind], now: Time) -> Result<(), Refusal> {
    let owners: BTreeSet<_> = f.person.iter().chain(&f.facts.person).collect();
    if let Some(both) = d.approvers.iter().find(|a| owners.contains(a)) {
        return Err(Refusal::OwnResource { human: both.clone() });
    }
    let mut p = d.flaws.clone();
    let mut need = |ok: bool, field: &str, right: &str| {
        if !ok {
            p.push(Problem::new(field, right));
        }
    };
    need(kinds.contains(&d.kind), "kind", "the kind of decision this step is of");
    need(d.status == Status::InForce, "decision", "in force: all approvers it needs have agreed");
    need(d.expires_at.is_some_and(|end| end > now), "expires_at", "an end in the future");
    need(d.triggers > 0, "triggers", "at least one");
    let different: BTreeSet<_> = d.approvers.iter().filter(|a| **a != d.requested_by).collect();
    need(different.len() >= usize::from(d.approvers_needed.max(2)), "approvals", "by two different people or more");
    match &d.ahead {
        Some(ahead) => p.extend(ahead.problems(f, now)),
        None => p.push(Problem::new("covers_future", "true; the decision covers only what it names")),
    }
    all(p)
}

/// Checked again here though [`Decision::approve`](crate::decision::Decision::approve) has: a row that came in by
/// import or by hand must not pass either.
fn in_force(f: &Finding, d: &Brief, actor: &Actor, policy: &Policy, now: Time, doing: &str) -> Result<(), Refusal> {
    same_decision(f, d)?;
    let owners: BTreeSet<_> = f.person.iter().chain(&f.facts.person).cloned().collect();
    let human = guard::decider(actor, &d.requested_by, &owners, policy, now, doing)?;
    if let Some(both) = d.approvers.iter().find(|a| **a == d.requested_by || owners.contains(*a)) {
        return Err(Refusal::SamePerson { human: both.clone() });
    }
    let mut p = d.flaws.clone();
    let mut need = |ok: bool, field: &str, right: &str| {
        if !ok {
            p.push(Problem::new(field, right));
        }
    };
    let kinds: &[Kind] = match f.state {
        State::ExceptionRequested => EXCEPTIONS,
        State::DeferralRequested => &[Kind::Deferral],
        _ => &[Kind::FalsePositive],
    };
    need(kinds.contains(&d.kind), "kind", "the kind of decision that was asked for");
    need(d.status == Status::InForce, "decision", "in force: all approvers it needs have agreed");
    need(d.expires_at.is_some_and(|end| end > now), "expires_at", "an end in the future");
    need(d.triggers > 0, "triggers", "at least one");
    need(d.covers, "subject", "to cover this finding");
    let different: BTreeSet<_> = d.approvers.iter().collect();
    need(different.len() >= usize::from(d.approvers_needed.max(1)), "approvals", "by enough different people");
    need(d.approvers.contains(human), "approvals", "by the person who acts");
    all(p)
}
