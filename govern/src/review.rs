//! Access reviews: a frozen population, one reviewer an item, decisions that are carried out and verified.

use crate::guard;
use crate::ids::{HumanId, named};
use crate::log::digest;
use crate::people::{Act, Actor, Directory};
use crate::policy::Policy;
use crate::refusal::{Problem, Refusal};
use plumb_model::{AccountId, Time};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// What the identity provider or the personnel list says about somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Works here.
    Active,
    /// Has left.
    Leaver,
    /// Nobody said.
    Unknown,
}
named!(Standing, "standing", { Active => "active", Leaver => "leaver", Unknown => "unknown" });

/// One access of one principal, as the inventory has it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Access {
    /// The account.
    pub account: AccountId,
    /// The provider's id of the principal.
    pub principal: String,
    /// The name people know.
    pub name: String,
    /// `human`, `federated-human`, `guest`, `role`, `service-account`, `access-key`, …
    pub kind: String,
    /// The human behind it, if known.
    #[serde(default)]
    pub human: Option<HumanId>,
    /// Role or policy, and where.
    pub entitlement: String,
    /// What the identity provider says.
    pub standing: Standing,
    /// Last sign-in or use.
    #[serde(default)]
    pub last_used: Option<Time>,
    /// Whether it leads to administration.
    pub admin: bool,
    /// Who owns a machine identity.
    #[serde(default)]
    pub owner: Option<HumanId>,
}

impl Access {
    /// Its name in a campaign: account, principal and entitlement.
    pub fn id(&self) -> String {
        format!("{}|{}|{}", self.account, self.principal, self.entitlement)
    }

    /// Whether nobody used it for 90 days, or ever.
    pub fn is_dormant(&self, now: Time) -> bool {
        self.last_used.is_none_or(|at| now.days_since(at) >= 90)
    }
}

/// What a reviewer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Judgement {
    /// It stays.
    Keep,
    /// It becomes less.
    Change,
    /// It goes.
    Remove,
    /// Somebody else has to say.
    NotMine,
    /// The reviewer cannot say.
    Unknown,
}
named!(Judgement, "review decision", {
    Keep => "keep", Change => "change", Remove => "remove", NotMine => "not-mine", Unknown => "unknown",
});

/// Whether what was decided was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Nothing to do.
    None,
    /// To be seen in a later run.
    Pending,
    /// Seen.
    Verified,
    /// Still there after its due date: a finding.
    NotVerified,
}
named!(Outcome, "review outcome", {
    None => "none", Pending => "pending", Verified => "verified", NotVerified => "not-verified",
});

/// One access under review.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Item {
    /// The access, as it was when the population was frozen.
    pub access: Access,
    /// Who has to say; none is an item nobody could be named for.
    pub reviewer: Option<HumanId>,
    /// What was said.
    #[serde(default)]
    pub judgement: Option<Judgement>,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Who said it.
    #[serde(default)]
    pub decided_by: Option<HumanId>,
    /// When.
    #[serde(default)]
    pub decided_at: Option<Time>,
    /// The ticket or the request to the identity provider.
    #[serde(default)]
    pub action: Option<String>,
    /// When it has to be done.
    #[serde(default)]
    pub verify_by: Option<Time>,
    /// When a run saw it done.
    #[serde(default)]
    pub verified_at: Option<Time>,
    /// Whether it was done.
    pub outcome: Outcome,
    /// Passed on to an approver.
    #[serde(default)]
    pub escalated: bool,
}

/// Where a campaign stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CampaignState {
    /// Under way.
    Open,
    /// Done.
    Closed,
}
named!(CampaignState, "campaign state", { Open => "open", Closed => "closed" });

/// Who reviews.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewerRule {
    /// The owner of the account.
    AccountOwner,
    /// The manager the identity provider names; for machines, their owner.
    Manager,
    /// One named person.
    Named(HumanId),
}

/// What a campaign is opened with.
pub struct Opening<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Which accesses are in it, in words.
    pub scope: &'a str,
    /// Which cadence it fulfils.
    pub cadence: &'a str,
    /// The accesses, to be frozen.
    pub population: Vec<Access>,
    /// Who reviews.
    pub rule: &'a ReviewerRule,
    /// The owner of an account.
    pub account_owner: &'a dyn Fn(&AccountId) -> Option<HumanId>,
    /// Who reviews what nobody else can.
    pub fallback: Option<&'a HumanId>,
    /// When it is due; at most 30 days ahead.
    pub due_at: Time,
}

/// A campaign.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Campaign {
    /// Format version; 1.
    pub v: u16,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Which accesses are in it, in words.
    pub scope: String,
    /// Which cadence it fulfils: `access-review-privileged`.
    pub cadence: String,
    /// SHA-256 over the frozen population.
    pub population_digest: String,
    /// When it opened.
    pub opens_at: Time,
    /// When it is due; at most 30 days later.
    pub due_at: Time,
    /// Where it stands.
    pub state: CampaignState,
    /// Who opened it.
    pub opened_by: HumanId,
    /// Who closed it; another person.
    #[serde(default)]
    pub closed_by: Option<HumanId>,
    /// When.
    #[serde(default)]
    pub closed_at: Option<Time>,
    /// The items, by their name.
    pub items: BTreeMap<String, Item>,
    /// Accesses that came after the freeze; listed apart, not decided here.
    #[serde(default)]
    pub additions: Vec<Access>,
}

/// How far a campaign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Progress {
    /// Items.
    pub items: usize,
    /// Decided.
    pub decided: usize,
    /// Kept.
    pub kept: usize,
    /// Changed.
    pub changed: usize,
    /// Removed.
    pub removed: usize,
    /// Removals and changes seen done.
    pub verified: usize,
    /// Removals and changes not seen done in time.
    pub not_verified: usize,
    /// Without a reviewer.
    pub orphaned: usize,
}

impl Campaign {
    /// Freezes a population and names a reviewer for each item. Nobody reviews their own access: such an item goes to
    /// the fallback, and without one it has no reviewer and the progress says so.
    ///
    /// # Errors
    /// Not somebody who may open a campaign; an empty population; due later than 30 days.
    pub fn open(plan: Opening<'_>, directory: &Directory, opener: &Actor, now: Time) -> Result<Self, Refusal> {
        let Opening { id, name, scope, cadence, population, rule, account_owner, fallback, due_at } = plan;
        guard::may(opener, Act::RunCampaign, "open a campaign")?;
        let opened_by = guard::human(opener, "open a campaign")?.clone();
        let mut problems = Vec::new();
        if population.is_empty() {
            problems.push(Problem::new("population", "at least one access"));
        }
        if due_at <= now || due_at > now.plus_days(30) {
            problems.push(Problem::new("due_at", "within 30 days"));
        }
        if !problems.is_empty() {
            return Err(Refusal::Incomplete { problems });
        }
        let fit = |h: &HumanId, a: &Access| {
            a.human.as_ref() != Some(h) && directory.person(h).is_some_and(|p| p.active && !p.shared)
        };
        let mut items = BTreeMap::new();
        for access in population {
            let manager = || {
                access
                    .human
                    .as_ref()
                    .and_then(|h| directory.person(h)?.manager.clone())
                    .or_else(|| access.owner.clone())
            };
            let first = match rule {
                ReviewerRule::AccountOwner => account_owner(&access.account),
                ReviewerRule::Manager => manager(),
                ReviewerRule::Named(h) => Some(h.clone()),
            };
            let reviewer = first.into_iter().chain(fallback.cloned()).find(|h| fit(h, &access));
            let item = Item {
                reviewer,
                judgement: None,
                reason: String::new(),
                decided_by: None,
                decided_at: None,
                action: None,
                verify_by: None,
                verified_at: None,
                outcome: Outcome::None,
                escalated: false,
                access,
            };
            items.insert(item.access.id(), item);
        }
        let frozen: Vec<_> = items.values().map(|i| &i.access).collect();
        let frozen = serde_json::to_value(&frozen).unwrap_or(Json::Null);
        Ok(Self {
            v: 1,
            id: id.into(),
            name: name.into(),
            scope: scope.into(),
            cadence: cadence.into(),
            population_digest: digest(&frozen),
            opens_at: now,
            due_at,
            state: CampaignState::Open,
            opened_by,
            closed_by: None,
            closed_at: None,
            items,
            additions: Vec::new(),
        })
    }

    /// A reviewer's decision about one item; `not-mine` and `unknown` pass it on.
    ///
    /// # Errors
    /// Closed; no such item; not its reviewer; their own access; `keep` for a leaver, or without a reason for a dormant or
    /// administrative access; a removal or change without a ticket or request.
    pub fn decide(
        &self,
        item: &str,
        judgement: Judgement,
        reason: &str,
        action: Option<&str>,
        reviewer: &Actor,
        now: Time,
    ) -> Result<Self, Refusal> {
        self.must_be_open()?;
        guard::may(reviewer, Act::Review, "review an access")?;
        let human = guard::human(reviewer, "review an access")?.clone();
        let mut next = self.clone();
        let found = next.items.get_mut(item).ok_or_else(|| Refusal::field("item", "an item of this campaign"))?;
        if found.access.human.as_ref() == Some(&human) {
            return Err(Refusal::OwnResource { human });
        }
        if found.reviewer.as_ref() != Some(&human) {
            let needs = match &found.reviewer {
                Some(named) => format!("its reviewer, {named}"),
                None => "a reviewer, and none is named yet; assign one first".to_owned(),
            };
            return Err(guard::not_allowed(reviewer, "review this access", &needs));
        }
        let a = &found.access;
        match judgement {
            Judgement::Keep if a.standing == Standing::Leaver => {
                return Err(Refusal::field("decision", "`remove`: the person has left, so the access cannot be kept"));
            }
            Judgement::Keep if (a.admin || a.is_dormant(now)) && reason.trim().chars().count() < 20 => {
                return Err(Refusal::field(
                    "reason",
                    "at least 20 characters; the access is dormant or administrative",
                ));
            }
            Judgement::Change | Judgement::Remove if action.is_none_or(|a| a.trim().is_empty()) => {
                return Err(Refusal::field(
                    "action",
                    "the ticket or the request to the identity provider that does it",
                ));
            }
            _ => {}
        }
        if matches!(judgement, Judgement::NotMine | Judgement::Unknown) {
            found.escalated = true;
        }
        let days = if a.standing == Standing::Leaver { 1 } else { 7 };
        let acts = matches!(judgement, Judgement::Change | Judgement::Remove);
        found.judgement = Some(judgement);
        found.reason = reason.trim().into();
        (found.decided_by, found.decided_at) = (Some(human), Some(now));
        found.action = action.map(Into::into);
        found.verify_by = acts.then(|| now.plus_days(days));
        found.verified_at = None;
        found.outcome = if acts { Outcome::Pending } else { Outcome::None };
        Ok(next)
    }

    /// Gives an item to another reviewer; how escalated items get settled.
    ///
    /// # Errors
    /// Closed; not somebody who may run campaigns; the subject of the item, a leaver or a shared login.
    pub fn assign(&self, item: &str, to: &HumanId, directory: &Directory, actor: &Actor) -> Result<Self, Refusal> {
        self.must_be_open()?;
        guard::may(actor, Act::RunCampaign, "assign a reviewer")?;
        let mut next = self.clone();
        let found = next.items.get_mut(item).ok_or_else(|| Refusal::field("item", "an item of this campaign"))?;
        let fit = directory.person(to).is_some_and(|p| p.active && !p.shared);
        if found.access.human.as_ref() == Some(to) || !fit {
            return Err(Refusal::field("reviewer", "an active person other than the subject"));
        }
        found.reviewer = Some(to.clone());
        if found.escalated {
            (found.escalated, found.judgement) = (false, None);
        }
        Ok(next)
    }

    /// Takes the accesses a complete run of some accounts found: removals that are gone are verified, those that are
    /// still there after their date are not. Accounts outside `complete` prove nothing.
    pub fn verify(&mut self, present: &[Access], complete: &BTreeSet<AccountId>, now: Time) {
        let there: BTreeSet<_> = present.iter().map(Access::id).collect();
        for (id, item) in &mut self.items {
            if !matches!(item.outcome, Outcome::Pending | Outcome::NotVerified) {
                continue;
            }
            // A reduced access has another entitlement, so the old one is gone too.
            if complete.contains(&item.access.account)
                && !there.contains(id)
                && item.decided_at.is_some_and(|at| at < now)
            {
                (item.outcome, item.verified_at) = (Outcome::Verified, Some(now));
            } else if item.verify_by.is_some_and(|by| by < now) {
                item.outcome = Outcome::NotVerified;
            }
        }
        if self.state == CampaignState::Open {
            let known: BTreeSet<_> = self.additions.iter().map(Access::id).collect();
            self.additions.extend(
                present.iter().filter(|a| !self.items.contains_key(&a.id()) && !known.contains(&a.id())).cloned(),
            );
        }
    }

    /// Closes the campaign.
    ///
    /// # Errors
    /// Items that are neither decided nor escalated; the person who opened it; not somebody who may close.
    pub fn close(&self, actor: &Actor, policy: &Policy, now: Time) -> Result<Self, Refusal> {
        self.must_be_open()?;
        guard::may(actor, Act::RunCampaign, "close a campaign")?;
        guard::second_factor(actor, policy, now, "close a campaign")?;
        let human = guard::human(actor, "close a campaign")?.clone();
        if human == self.opened_by {
            return Err(Refusal::SamePerson { human });
        }
        let open = self.items.values().filter(|i| i.judgement.is_none() && !i.escalated).count();
        if open > 0 {
            return Err(Refusal::field("items", format!("all decided or escalated; {open} are not")));
        }
        Ok(Self { state: CampaignState::Closed, closed_by: Some(human), closed_at: Some(now), ..self.clone() })
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let count = |of: &dyn Fn(&Item) -> bool| self.items.values().filter(|i| of(i)).count();
        Progress {
            items: self.items.len(),
            decided: count(&|i| i.judgement.is_some()),
            kept: count(&|i| i.judgement == Some(Judgement::Keep)),
            changed: count(&|i| i.judgement == Some(Judgement::Change)),
            removed: count(&|i| i.judgement == Some(Judgement::Remove)),
            verified: count(&|i| i.outcome == Outcome::Verified),
            not_verified: count(&|i| i.outcome == Outcome::NotVerified),
            orphaned: count(&|i| i.reviewer.is_none()),
        }
    }

    fn must_be_open(&self) -> Result<(), Refusal> {
        if self.state == CampaignState::Open {
            return Ok(());
        }
        Err(Refusal::Status { what: self.id.clone(), is: "closed".into(), needs: "open".into() })
    }
}

/// One person of an identity provider's or personnel export.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PersonRow {
    /// Logins and mail addresses, lower case.
    pub logins: BTreeSet<String>,
    /// Whether they work here.
    pub active: bool,
}

/// Reads a SCIM 2.0 list response, or a list of users.
///
/// # Errors
/// The document is neither.
pub fn people_from_scim(document: &Json) -> Result<Vec<PersonRow>, String> {
    let users = document.get("Resources").unwrap_or(document).as_array();
    let users = users.ok_or("not a SCIM list: `Resources` with users is missing")?;
    let row = |u: &Json| {
        let text = |key: &str| u.get(key).and_then(Json::as_str).map(str::to_lowercase);
        let mails = u.get("emails").and_then(Json::as_array).into_iter().flatten();
        let mails = mails.filter_map(|m| m.get("value").and_then(Json::as_str).map(str::to_lowercase));
        let logins: BTreeSet<_> =
            text("userName").into_iter().chain(text("externalId")).chain(text("id")).chain(mails).collect();
        // SCIM leaves `active` to the provider; a user without it is listed, so is taken as active.
        PersonRow { logins, active: u.get("active").and_then(Json::as_bool).unwrap_or(true) }
    };
    Ok(users.iter().map(row).collect())
}

/// Reads a personnel list: CSV with a header; a login or mail column, and a status, active or leaving-date column.
///
/// # Errors
/// The columns are not there; the message names those that would do.
pub fn people_from_csv(text: &str, now: Time) -> Result<Vec<PersonRow>, String> {
    const LOGINS: [&str; 7] = ["login", "user", "username", "email", "mail", "upn", "id"];
    const STATUS: [&str; 3] = ["status", "active", "state"];
    const LEFT: [&str; 4] = ["left", "leaving_date", "termination_date", "end_date"];
    const GONE: [&str; 8] = ["leaver", "left", "inactive", "terminated", "false", "no", "0", "disabled"];
    const HERE: [&str; 9] = ["active", "true", "yes", "1", "enabled", "employed", "current", "joiner", "mover"];
    let rows = crate::table::read_csv(text)?;
    let has = |wanted: &[&str]| rows.first().is_none_or(|r| wanted.iter().any(|name| r.contains_key(*name)));
    if !has(&LOGINS) {
        return Err("no column `login`, `username`, `email` or `upn`".into());
    }
    if !has(&STATUS) && !has(&LEFT) {
        return Err("no column `status`, `active` or `leaving_date`".into());
    }
    let row = |(n, row): (usize, &BTreeMap<String, String>)| {
        let cell = |name: &&str| row.get(*name).map(|c| c.trim().to_lowercase()).filter(|c| !c.is_empty());
        let status = STATUS.iter().find_map(cell);
        let gone = status.as_deref().is_some_and(|s| GONE.contains(&s));
        // Who is not known to be here is not taken to be.
        if let Some(word) = status.filter(|s| !gone && !HERE.contains(&s.as_str())) {
            let (here, gone) = (HERE.join(", "), GONE.join(", "));
            return Err(format!("row {}: `{word}` is no status; {here} are here, {gone} have left", n + 1));
        }
        let left = match LEFT.iter().find_map(cell) {
            None => false,
            Some(day) => {
                let at: Time = day
                    .to_uppercase()
                    .parse()
                    .or_else(|_| format!("{day}T00:00:00Z").parse())
                    .map_err(|_| format!("row {}: `{day}` is no date like 2026-12-31", n + 1))?;
                at <= now
            }
        };
        Ok(PersonRow { logins: LOGINS.iter().filter_map(cell).collect(), active: !(gone || left) })
    };
    rows.iter().enumerate().map(row).collect()
}

/// Marks accesses by what the list says; returns the leavers' accesses. Somebody who is not on the list is unknown, not
/// gone: a list is rarely complete.
pub fn mark_leavers(accesses: &mut [Access], people: &[PersonRow], directory: &Directory) -> Vec<String> {
    let mut by_human: BTreeMap<&HumanId, bool> = BTreeMap::new();
    let mut by_login: BTreeMap<&str, bool> = BTreeMap::new();
    for p in people {
        for login in &p.logins {
            by_login.insert(login, p.active);
            if let Some(h) = directory.human(login) {
                by_human.insert(h, p.active);
            }
        }
    }
    let mut out = Vec::new();
    for a in accesses {
        let name = a.name.to_lowercase();
        let said = a.human.as_ref().and_then(|h| by_human.get(h)).or_else(|| by_login.get(name.as_str())).copied();
        match said {
            Some(true) => a.standing = Standing::Active,
            Some(false) => {
                a.standing = Standing::Leaver;
                out.push(a.id());
            }
            None => {}
        }
    }
    out
}
