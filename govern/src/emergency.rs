//! Emergency sessions (R7): an admin may for a few hours do what engineers and approvers may, with a reason; everything done
//! in one is tagged with it, and another approver looks at it afterwards. Four eyes hold in an emergency too: nobody decides
//! what they have asked for.

use crate::guard;
use crate::ids::HumanId;
use crate::people::{Act, Actor, Role};
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::sla::plus_working_days;
use plumb_model::Time;
use std::collections::BTreeSet;

/// The most hours one lasts.
pub const MOST_HOURS: u8 = 4;
/// Working days within which somebody else has looked at what was done in it.
pub const REVIEW_WORKING_DAYS: u16 = 3;

/// One emergency session, with the review it asks for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Emergency {
    /// Format version of this row; 1.
    pub v: u16,
    /// `BG-0001`.
    pub id: String,
    /// Who opened it, and acts in it.
    pub human: HumanId,
    /// Why; at least 20 characters.
    pub reason: String,
    /// When.
    pub opened_at: Time,
    /// When it runs out.
    pub until: Time,
    /// When it was closed before that.
    #[serde(default)]
    pub closed_at: Option<Time>,
    /// What another approver said about it afterwards; its review is open until then.
    #[serde(default)]
    pub review: Option<Review>,
}

/// What somebody else said about an emergency.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Review {
    /// Who.
    pub by: HumanId,
    /// When.
    pub at: Time,
    /// What they found; at least 20 characters.
    pub note: String,
}

impl Emergency {
    /// Opens one.
    ///
    /// # Errors
    /// No admin, an old second factor, one that is open already, no reason, or more hours than allowed.
    pub fn open(id: &str, actor: &Actor, reason: &str, hours: u8, policy: &Policy, now: Time) -> Result<Self, Refusal> {
        guard::may(actor, Act::Grant, "open an emergency session")?;
        guard::second_factor(actor, policy, now, "open an emergency session")?;
        let human = guard::human(actor, "open an emergency session")?.clone();
        if let Some(open) = &actor.emergency {
            let (is, needs) = ("open already".to_owned(), "closed".to_owned());
            return Err(Refusal::Status { what: open.clone(), is, needs });
        }
        let reason = reason.trim();
        if reason.chars().count() < 20 {
            return Err(Refusal::field("reason", "at least 20 characters"));
        }
        if !(1..=MOST_HOURS).contains(&hours) {
            return Err(Refusal::field("hours", format!("1 to {MOST_HOURS}")));
        }
        let until = Time::from_seconds(now.seconds() + i64::from(hours) * 3_600);
        Ok(Self {
            v: 1,
            id: id.into(),
            human,
            reason: reason.into(),
            opened_at: now,
            until,
            closed_at: None,
            review: None,
        })
    }

    /// When it ended, or will.
    pub fn ends(&self) -> Time {
        self.closed_at.unwrap_or(self.until)
    }

    /// Whether it is open at `now`.
    pub fn is_open(&self, now: Time) -> bool {
        self.opened_at <= now && now < self.ends()
    }

    /// When its review is due.
    pub fn review_due(&self) -> Time {
        plus_working_days(self.ends(), REVIEW_WORKING_DAYS)
    }

    /// Whether nobody has looked at it in time.
    pub fn is_overdue(&self, now: Time) -> bool {
        self.review.is_none() && self.review_due() < now
    }

    /// The actor as they may act while it is open: with what engineers and approvers may, and tagged.
    pub fn extend(&self, actor: Actor) -> Actor {
        let roles: BTreeSet<Role> = actor.roles.iter().copied().chain([Role::Engineer, Role::Approver]).collect();
        Actor { roles, emergency: Some(self.id.clone()), ..actor }
    }

    /// Ends it before its time.
    ///
    /// # Errors
    /// It is over; neither who opened it nor an admin.
    pub fn close(&self, actor: &Actor, now: Time) -> Result<Self, Refusal> {
        let human = guard::human(actor, "close an emergency session")?;
        if *human != self.human {
            guard::may(actor, Act::Grant, "close an emergency session")?;
        }
        if !self.is_open(now) {
            let (is, needs) = ("over".to_owned(), "open".to_owned());
            return Err(Refusal::Status { what: self.id.clone(), is, needs });
        }
        Ok(Self { closed_at: Some(now), ..self.clone() })
    }

    /// Another approver has looked at what was done in it.
    ///
    /// # Errors
    /// It is open still, or reviewed; no approver; whoever acted in it; an old second factor; a short note.
    pub fn reviewed(&self, actor: &Actor, note: &str, policy: &Policy, now: Time) -> Result<Self, Refusal> {
        let status =
            |is: &str, needs: &str| Refusal::Status { what: self.id.clone(), is: is.into(), needs: needs.into() };
        if self.is_open(now) {
            return Err(status("open", "over"));
        }
        if self.review.is_some() {
            return Err(status("reviewed already", "waiting for a review"));
        }
        // Who acts in an emergency of their own is no approver by that.
        if actor.emergency.is_some() {
            return Err(guard::not_allowed(actor, "review an emergency session", "an approver outside an emergency"));
        }
        let by = guard::decider(actor, &self.human, &BTreeSet::new(), policy, now, "review an emergency session")?;
        guard::note(note)?;
        Ok(Self { review: Some(Review { by: by.clone(), at: now, note: note.trim().into() }), ..self.clone() })
    }
}
