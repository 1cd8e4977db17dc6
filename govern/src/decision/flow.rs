//! The life of a decision: asked for, approved by others, refused, taken back, ended.

use super::{Approval, Basis, DECISION_VERSION, Decision, Draft, End, Kind, Situation, Status, Subject};
use crate::guard;
use crate::ids::{DecisionId, HumanId};
use crate::people::{Act, Actor, Directory};
use crate::policy::{Lane, Policy, Tier};
use crate::refusal::{Problem, Refusal};
use plumb_model::{RuleId, Time};
use std::collections::BTreeSet;

/// A text that was refused, so that it is not simply sent again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rejected {
    /// The justification that was refused.
    pub justification: String,
    /// When.
    pub at: Time,
}

/// What the record knows about the subject of a request.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// Everybody.
    pub directory: &'a Directory,
    /// The worst lane among what is covered.
    pub lane: Lane,
    /// The highest tier among the accounts.
    pub tier: Tier,
    /// The people who own the resources; none of them may approve.
    pub owners: &'a BTreeSet<HumanId>,
    /// Points of what is covered.
    pub points: i64,
    /// Controls that are touched.
    pub frameworks: &'a [String],
    /// Earlier refusals about the same subject.
    pub rejected: &'a [Rejected],
    /// The decision that would be prolonged, if any.
    pub previous: Option<&'a Decision>,
    /// Rules that pass now, among those the compensating controls name.
    pub passing: &'a BTreeSet<RuleId>,
    /// What the world looks like now.
    pub situation: &'a Situation,
}

/// The longest a decision may last, in days.
pub(super) fn longest(draft: &Draft, lane: Lane, tier: Tier, policy: &Policy) -> i64 {
    let mut days = policy.decision_days_for(lane, tier);
    if draft.kind == Kind::Deferral {
        days = days.min(policy.deferral_days.into());
    }
    if draft.kind == Kind::ExposureApproval {
        days = days.min(policy.exposure_days.into());
    }
    if matches!(&draft.subject, Subject::Selector { covers_future: true, .. }) {
        days = days.min(policy.future_match_days.into());
    }
    days
}

/// How many different people must agree.
pub(super) fn approvers_needed(draft: &Draft, lane: Lane, days: i64, renewals: u16, policy: &Policy) -> u8 {
    let future = matches!(&draft.subject, Subject::Selector { covers_future: true, .. });
    let two = lane == Lane::ActNow || days > policy.second_approver_days.into() || renewals >= 3 || future;
    if two { 2 } else { 1 }
}

/// Makes a numbered request of a complete draft.
///
/// # Errors
/// The requester may not ask here, or something is missing or wrong; every problem is named at once.
pub fn submit(
    draft: Draft,
    number: DecisionId,
    requester: &Actor,
    context: &Context<'_>,
    policy: &Policy,
    now: Time,
) -> Result<Decision, Refusal> {
    guard::may(requester, Act::Request, "request a decision")?;
    let human = guard::human(requester, "request a decision")?.clone();
    let mut problems = draft.problems();
    let mut need = |ok: bool, field: &str, right: String| {
        if !ok {
            problems.push(Problem::new(field, right));
        }
    };
    if let Some(owner) = &draft.owner {
        let fit = context.directory.person(owner).is_some_and(|p| p.active && !p.shared);
        need(fit, "owner", "an active person, not a group mailbox".into());
    }
    let start = draft.effective_from.unwrap_or(now).max(now);
    let days = draft.expires_at.map_or(0, |end| {
        // A span of 90 days and one second is longer than 90 days.
        (end.seconds() - start.seconds()).div_euclid(86_400) + i64::from((end.seconds() - start.seconds()) % 86_400 > 0)
    });
    if let Some(end) = draft.expires_at {
        need(end > start, "expires_at", "after it starts".into());
        let most = longest(&draft, context.lane, context.tier, policy);
        let (lane, tier) = (context.lane, context.tier);
        need(days <= most, "expires_at", format!("at most {most} days ahead for {lane} on {tier}"));
        if let Some(every) = draft.review_every_days {
            need(every > 0 && i64::from(every) <= days, "review_every_days", "between 1 and the span".into());
        }
    }
    if draft.basis == Some(Basis::CompensatingControl) {
        for rule in draft.compensations.iter().filter_map(|c| c.rule.as_ref()) {
            need(context.passing.contains(rule), "compensations", format!("`{rule}` must exist and pass now"));
        }
    }
    let text = squeeze(&draft.justification);
    for r in
        context.rejected.iter().filter(|r| now.seconds() - r.at.seconds() < i64::from(policy.rerequest_days) * 86_400)
    {
        need(
            squeeze(&r.justification) != text,
            "justification",
            format!("other than what was rejected on {}", r.at.date()),
        );
    }
    let renewals = match (&draft.renews, context.previous) {
        (None, _) => 0,
        (Some(n), Some(p)) if p.number == *n => {
            need(p.draft.kind == draft.kind, "renews", format!("a decision of the same kind; {n} is {}", p.draft.kind));
            p.renewals.saturating_add(1)
        }
        (Some(n), _) => {
            need(false, "renews", format!("a decision on record; {n} was not found"));
            0
        }
    };
    need(renewals < 5 || draft.plan.is_some(), "plan", "a plan to fix it; this is the fifth renewal or later".into());
    if !problems.is_empty() {
        return Err(Refusal::Incomplete { problems });
    }
    Ok(Decision {
        v: DECISION_VERSION,
        number,
        row_version: 1,
        approvers_needed: approvers_needed(&draft, context.lane, days, renewals, policy),
        requested_by: human,
        requested_as: requester.id.clone(),
        requested_at: now,
        approvals: Vec::new(),
        status: Status::Requested,
        end: None,
        lane: context.lane,
        tier: context.tier,
        situation: context.situation.resting_on(&draft.compensations),
        points: context.points,
        frameworks: context.frameworks.to_vec(),
        renewals,
        reviewed_at: None,
        policy_version: policy.version.clone(),
        later: std::collections::BTreeMap::new(),
        draft,
    })
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

impl Decision {
    fn must_be(&self, needs: Status) -> Result<(), Refusal> {
        if self.status == needs {
            return Ok(());
        }
        Err(Refusal::Status { what: self.number.to_string(), is: self.status.to_string(), needs: needs.to_string() })
    }

    fn changed(&self) -> Self {
        Self { row_version: self.row_version + 1, ..self.clone() }
    }

    /// Refuses when the caller read another version than the one on record.
    ///
    /// # Errors
    /// `read` is not this row's version.
    pub fn at_version(&self, read: u64) -> Result<&Self, Refusal> {
        if read == self.row_version { Ok(self) } else { Err(Refusal::Stale { read, found: self.row_version }) }
    }

    /// One person's yes. The decision comes into force with the last one needed; until then it stays requested.
    ///
    /// # Errors
    /// Not requested any more; no approver here; second factor too old; the requester, an earlier approver or an owner
    /// of the resource under any login; past its own end; a compensating control fails now.
    pub fn approve(
        &self,
        approver: &Actor,
        note: &str,
        context: &Context<'_>,
        policy: &Policy,
        now: Time,
    ) -> Result<Self, Refusal> {
        self.must_be(Status::Requested)?;
        let human = guard::decider(approver, &self.requested_by, context.owners, policy, now, "approve")?.clone();
        if self.approvals.iter().any(|a| a.human == human) {
            return Err(Refusal::SamePerson { human });
        }
        if self.draft.expires_at.is_none_or(|end| end <= now) {
            return Err(Refusal::field("expires_at", "in the future; ask again with a later end"));
        }
        let flaws: Vec<_> = self.flaws(policy);
        if !flaws.is_empty() {
            return Err(Refusal::Incomplete { problems: flaws });
        }
        if self.draft.basis == Some(Basis::CompensatingControl)
            && let Some(rule) =
                self.draft.compensations.iter().filter_map(|c| c.rule.as_ref()).find(|r| !context.passing.contains(*r))
        {
            return Err(Refusal::not_proven(format!("compensating control `{rule}` does not pass now")));
        }
        let mut next = self.changed();
        // A worse situation than the requester saw may ask for more approvers, never for fewer.
        let days = next.draft.expires_at.map_or(0, |end| end.days_since(next.draft.effective_from.unwrap_or(now)));
        next.lane = next.lane.min(context.lane);
        next.approvers_needed =
            next.approvers_needed.max(approvers_needed(&next.draft, next.lane, days, next.renewals, policy));
        next.approvals.push(Approval { human, actor: approver.id.clone(), at: now, note: note.into() });
        if next.approvals.len() >= usize::from(next.approvers_needed) {
            next.status = Status::InForce;
            next.draft.effective_from = Some(next.draft.effective_from.unwrap_or(now).max(now));
            next.situation = context.situation.resting_on(&next.draft.compensations);
            next.reviewed_at = Some(now);
        }
        Ok(next)
    }

    /// An approver's no.
    ///
    /// # Errors
    /// Not requested any more; no approver; second factor; the note is shorter than 20 characters.
    pub fn reject(&self, approver: &Actor, note: &str, policy: &Policy, now: Time) -> Result<Self, Refusal> {
        self.must_be(Status::Requested)?;
        guard::decider(approver, &self.requested_by, &BTreeSet::new(), policy, now, "reject")?;
        guard::note(note)?;
        Ok(self.ended(Status::Rejected, &approver.id, note, now))
    }

    /// The requester takes the request back, or a decision in force.
    ///
    /// # Errors
    /// Somebody else than the requester; already ended; the note is shorter than 20 characters.
    pub fn withdraw(&self, requester: &Actor, note: &str, now: Time) -> Result<Self, Refusal> {
        if self.status != Status::InForce {
            self.must_be(Status::Requested)?;
        }
        if guard::human(requester, "withdraw")? != &self.requested_by || requester.is(crate::people::Role::Auditor) {
            return Err(guard::not_allowed(requester, "withdraw", "the requester"));
        }
        guard::note(note)?;
        Ok(self.ended(Status::Withdrawn, &requester.id, note, now))
    }

    /// Ends a decision in force early.
    ///
    /// # Errors
    /// Not in force; neither approver nor admin; second factor; the note is shorter than 20 characters.
    pub fn revoke(&self, actor: &Actor, note: &str, policy: &Policy, now: Time) -> Result<Self, Refusal> {
        self.must_be(Status::InForce)?;
        guard::may(actor, Act::Revoke, "revoke")?;
        guard::second_factor(actor, policy, now, "revoke")?;
        guard::note(note)?;
        Ok(self.ended(Status::Revoked, &actor.id, note, now))
    }

    /// Somebody looked at it again and it stands; the end does not move.
    ///
    /// # Errors
    /// Not in force, or the reviewer is no approver or is the requester.
    pub fn review(&self, reviewer: &Actor, policy: &Policy, now: Time) -> Result<Self, Refusal> {
        self.must_be(Status::InForce)?;
        guard::decider(reviewer, &self.requested_by, &BTreeSet::new(), policy, now, "review")?;
        Ok(Self { reviewed_at: Some(now), ..self.changed() })
    }

    /// What it allowed is fixed.
    ///
    /// # Errors
    /// Not in force.
    pub fn no_longer_needed(&self, now: Time) -> Result<Self, Refusal> {
        self.must_be(Status::InForce)?;
        Ok(self.ended(Status::NoLongerNeeded, "system:lifecycle", "observed as fixed", now))
    }

    pub(super) fn ended(&self, status: Status, actor: &str, why: &str, now: Time) -> Self {
        Self { status, end: Some(End { at: now, actor: actor.into(), why: why.into() }), ..self.changed() }
    }
}
