//! Retention and disposal: how long each class of row is kept, what holds it, and the certificate that remains.

use crate::guard;
use crate::ids::{HumanId, named};
use crate::log::digest;
use crate::people::{Act, Actor};
use crate::policy::Policy;
use crate::refusal::Refusal;
use plumb_model::Time;
use std::collections::{BTreeMap, BTreeSet};

/// What kind of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The activity log.
    Activity,
    /// Decisions.
    Decisions,
    /// Findings and their steps, from closure.
    Findings,
    /// Captured configuration.
    Evidence,
    /// Access reviews.
    Campaigns,
    /// Snapshots of the exposure ledger.
    Ledger,
    /// Raw inventory of scans.
    Scans,
}
named!(Class, "retention class", {
    Activity => "activity", Decisions => "decisions", Findings => "findings", Evidence => "evidence",
    Campaigns => "campaigns", Ledger => "ledger", Scans => "scans",
});

/// The least time a framework asks for, whatever the class says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Demand {
    /// The framework.
    pub framework: String,
    /// The classes it speaks about.
    pub classes: BTreeSet<Class>,
    /// Days.
    pub days: u32,
}

/// How long everything is kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Retention {
    /// Its version.
    pub version: String,
    /// Days by class.
    pub days: BTreeMap<Class, u32>,
    /// What frameworks in scope ask for.
    #[serde(default)]
    pub demands: Vec<Demand>,
}

impl Default for Retention {
    fn default() -> Self {
        let (seven_years, thirteen_months) = (2_557, 396);
        let days = [
            (Class::Activity, seven_years),
            (Class::Decisions, seven_years),
            (Class::Findings, seven_years),
            (Class::Evidence, thirteen_months),
            (Class::Campaigns, seven_years),
            (Class::Ledger, seven_years),
            (Class::Scans, thirteen_months),
        ];
        Self { version: "retention/1.0.0".into(), days: days.into(), demands: Vec::new() }
    }
}

impl Retention {
    /// How many days a class is kept; the longest of everything that applies. A class policy forgot is kept for ever.
    pub fn days_for(&self, class: Class) -> Option<u32> {
        let own = self.days.get(&class).copied()?;
        let asked = self.demands.iter().filter(|d| d.classes.contains(&class)).map(|d| d.days).max();
        Some(own.max(asked.unwrap_or(0)))
    }
}

/// A legal hold: nothing it names is disposed of. Placed and lifted by two people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Hold {
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: String,
    /// The classes it names; empty for all.
    #[serde(default)]
    pub classes: BTreeSet<Class>,
    /// The accounts it names; empty for all.
    #[serde(default)]
    pub accounts: BTreeSet<String>,
    /// Who proposed it.
    pub proposed_by: HumanId,
    /// When.
    pub proposed_at: Time,
    /// Who placed it. A proposed hold holds from its proposal: what is disposed of does not come back.
    #[serde(default)]
    pub placed_by: Option<HumanId>,
    /// Who lifted it, and when.
    #[serde(default)]
    pub lifted: Option<(HumanId, Time)>,
}

impl Hold {
    /// Whether it holds this row.
    pub fn holds(&self, class: Class, account: &str) -> bool {
        self.lifted.is_none()
            && (self.classes.is_empty() || self.classes.contains(&class))
            && (self.accounts.is_empty() || self.accounts.contains(account))
    }

    /// Places a proposed hold.
    ///
    /// # Errors
    /// No admin; the proposer; an old second factor.
    pub fn place(&self, actor: &Actor, policy: &Policy, now: Time) -> Result<Self, Refusal> {
        let human = second_person(actor, &self.proposed_by, "place a hold", policy, now)?;
        Ok(Self { placed_by: Some(human), ..self.clone() })
    }

    /// Lifts a hold.
    ///
    /// # Errors
    /// No admin; the proposer; an old second factor; a note shorter than 20 characters.
    pub fn lift(&self, actor: &Actor, note: &str, policy: &Policy, now: Time) -> Result<Self, Refusal> {
        guard::note(note)?;
        let human = second_person(actor, &self.proposed_by, "lift a hold", policy, now)?;
        Ok(Self { lifted: Some((human, now)), ..self.clone() })
    }
}

fn second_person(actor: &Actor, first: &HumanId, doing: &str, policy: &Policy, now: Time) -> Result<HumanId, Refusal> {
    guard::may(actor, Act::Hold, doing)?;
    guard::second_factor(actor, policy, now, doing)?;
    let human = guard::human(actor, doing)?;
    if human == first { Err(Refusal::SamePerson { human: human.clone() }) } else { Ok(human.clone()) }
}

/// A row that might be disposed of.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Row {
    /// Its class.
    pub class: Class,
    /// Its id.
    pub id: String,
    /// Its account; empty if none.
    pub account: String,
    /// From when its time counts: a finding's closure, else its writing. None while it is still in use.
    pub ended: Option<Time>,
}

/// A dry run: what would go, and what stays because of a hold.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Disposal {
    /// What would go, in the order of the ids.
    pub ids: Vec<(Class, String)>,
    /// SHA-256 over them.
    pub digest: String,
    /// What is old enough, but held.
    pub held: usize,
    /// The policy that says so.
    pub policy: String,
    /// Who proposes.
    pub proposed_by: HumanId,
    /// When.
    pub at: Time,
}

/// What remains of what is gone. The Merkle leaves stay too: content gone, place proven.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Certificate {
    /// Format version; 1.
    pub v: u16,
    /// How many rows, by class.
    pub counts: BTreeMap<Class, usize>,
    /// SHA-256 over their ids.
    pub digest: String,
    /// The policy that said so.
    pub policy: String,
    /// Who proposed.
    pub proposed_by: HumanId,
    /// Who agreed.
    pub approved_by: HumanId,
    /// When.
    pub at: Time,
}

/// What is due to go: older than its class, and under no hold.
///
/// # Errors
/// Not somebody who may propose.
pub fn propose(
    rows: &[Row],
    retention: &Retention,
    holds: &[Hold],
    proposer: &Actor,
    now: Time,
) -> Result<Disposal, Refusal> {
    guard::may(proposer, Act::ProposePolicy, "propose a disposal")?;
    let proposed_by = guard::human(proposer, "propose a disposal")?.clone();
    let old = |r: &&Row| {
        let days = retention.days_for(r.class);
        days.zip(r.ended).is_some_and(|(days, ended)| now.days_since(ended) > i64::from(days))
    };
    let (held, mut go): (Vec<_>, Vec<_>) =
        rows.iter().filter(old).partition(|r| holds.iter().any(|h| h.holds(r.class, &r.account)));
    go.sort_by(|a, b| (a.class, &a.id).cmp(&(b.class, &b.id)));
    let ids: Vec<_> = go.into_iter().map(|r| (r.class, r.id.clone())).collect();
    Ok(Disposal {
        digest: digest_of(&ids),
        ids,
        held: held.len(),
        policy: retention.version.clone(),
        proposed_by,
        at: now,
    })
}

fn digest_of(ids: &[(Class, String)]) -> String {
    let rows: Vec<_> = ids.iter().map(|(c, id)| serde_json::json!([c.name(), id])).collect();
    digest(&rows.into())
}

impl Disposal {
    /// Whether the list is the one its digest was made of.
    pub fn is_whole(&self) -> bool {
        digest_of(&self.ids) == self.digest
    }

    /// Another person agrees; the caller then deletes exactly these rows and stores the certificate. Holds are asked again:
    /// one may have been placed since the dry run.
    ///
    /// # Errors
    /// No approver; the proposer; an old second factor; a row that is held now, or a list that was changed.
    pub fn approve(
        &self,
        approver: &Actor,
        rows: &[Row],
        holds: &[Hold],
        policy: &Policy,
        now: Time,
    ) -> Result<Certificate, Refusal> {
        guard::may(approver, Act::ApprovePolicy, "approve a disposal")?;
        let human = guard::decider(approver, &self.proposed_by, &BTreeSet::new(), policy, now, "approve a disposal")?;
        if self.digest != digest_of(&self.ids) {
            return Err(Refusal::field("ids", "the list that was proposed"));
        }
        let go: BTreeSet<_> = self.ids.iter().map(|(c, id)| (*c, id.as_str())).collect();
        let held = rows
            .iter()
            .find(|r| go.contains(&(r.class, r.id.as_str())) && holds.iter().any(|h| h.holds(r.class, &r.account)));
        if let Some(r) = held {
            return Err(Refusal::not_proven(format!("{} {} is under a hold now; propose again", r.class, r.id)));
        }
        let mut counts = BTreeMap::new();
        self.ids.iter().for_each(|(c, _)| *counts.entry(*c).or_insert(0) += 1);
        Ok(Certificate {
            v: 1,
            counts,
            digest: self.digest.clone(),
            policy: self.policy.clone(),
            proposed_by: self.proposed_by.clone(),
            approved_by: human.clone(),
            at: now,
        })
    }
}
