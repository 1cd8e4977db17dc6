//! Checks that several tables share: roles, second factors, four eyes.

use crate::ids::HumanId;
use crate::people::{Act, Actor, Role, may as role_may};
use crate::policy::Policy;
use crate::refusal::Refusal;
use plumb_model::Time;
use std::collections::BTreeSet;

pub(crate) fn not_allowed(actor: &Actor, act: &str, needs: &str) -> Refusal {
    let roles: Vec<_> = actor.roles.iter().map(|r| r.name()).collect();
    let has = if actor.is_human() && !roles.is_empty() { roles.join(", ") } else { actor.kind.name().to_owned() };
    Refusal::NotAllowed { act: act.into(), needs: needs.into(), actor: actor.id.clone(), has }
}

/// The actor is human and one of their roles here holds `act`.
pub(crate) fn may(actor: &Actor, act: Act, doing: &str) -> Result<(), Refusal> {
    if actor.may(act) {
        return Ok(());
    }
    let needs: Vec<_> = Role::ALL.iter().filter(|r| role_may(**r, act)).map(|r| r.name()).collect();
    Err(not_allowed(actor, doing, &needs.join(" or ")))
}

/// The human behind the actor; tokens resolve to their owner.
pub(crate) fn human<'a>(actor: &'a Actor, doing: &str) -> Result<&'a HumanId, Refusal> {
    actor.human.as_ref().filter(|_| actor.is_human()).ok_or_else(|| not_allowed(actor, doing, "a person"))
}

pub(crate) fn second_factor(actor: &Actor, policy: &Policy, now: Time, doing: &str) -> Result<(), Refusal> {
    if actor.mfa_fresh(now, policy.mfa_minutes) {
        return Ok(());
    }
    Err(Refusal::SecondFactor { act: doing.into(), minutes: policy.mfa_minutes })
}

pub(crate) fn note(text: &str) -> Result<(), Refusal> {
    if text.trim().chars().count() >= 20 { Ok(()) } else { Err(Refusal::field("note", "at least 20 characters")) }
}

/// The person who decides what `requester` asked for: approver by role, not the requester, not an owner of the
/// resource, not also admin unless policy allows it, with a fresh second factor.
pub(crate) fn decider<'a>(
    actor: &'a Actor,
    requester: &HumanId,
    owners: &BTreeSet<HumanId>,
    policy: &Policy,
    now: Time,
    doing: &str,
) -> Result<&'a HumanId, Refusal> {
    may(actor, Act::Decide, doing)?;
    let who = human(actor, doing)?;
    if who == requester {
        return Err(Refusal::SamePerson { human: who.clone() });
    }
    if owners.contains(who) {
        return Err(Refusal::OwnResource { human: who.clone() });
    }
    if actor.is(Role::Admin) && !policy.allow_admin_approver && actor.emergency.is_none() {
        return Err(Refusal::AdminDecides { human: who.clone() });
    }
    second_factor(actor, policy, now, doing)?;
    Ok(who)
}
