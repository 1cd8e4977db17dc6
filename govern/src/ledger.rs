//! The public exposure ledger: what the internet reaches, who allowed it, until when; and how it shrinks.

use crate::decision::{Approval, Selector, Target};
use crate::guard;
use crate::ids::{HumanId, TeamId, named};
use crate::people::{Act, Actor, Directory};
use crate::policy::{DataClass, Policy, Tier};
use crate::refusal::{Problem, Refusal};
use plumb_model::{AccountId, Outcome, Region, ResourceId, RuleId, Severity, Time};
use std::collections::{BTreeMap, BTreeSet};

/// How far the reach goes. Ordered from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Named other accounts.
    CrossAccount,
    /// Named address ranges.
    LimitedCidr,
    /// Everybody who can sign in.
    OpenAuthenticated,
    /// Everybody.
    OpenAnonymous,
}
named!(Reach, "reach", {
    CrossAccount => "cross-account", LimitedCidr => "limited-cidr", OpenAuthenticated => "open-authenticated",
    OpenAnonymous => "open-anonymous",
});

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExposureState {
    /// Seen; nobody decided.
    Detected,
    /// Allowed for a time.
    Approved,
    /// Refused: it has to go.
    NotApproved,
    /// Not reachable any more.
    Retired,
}
named!(ExposureState, "exposure state", {
    Detected => "detected", Approved => "approved", NotApproved => "not-approved", Retired => "retired",
});

/// One hop of the proof that something is reachable.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Hop {
    /// Route, gateway, firewall rule, policy statement.
    pub what: String,
    /// Where the evidence is.
    pub evidence: String,
}

/// One way from the internet to a resource, as a run sees it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Seen {
    /// The resource.
    pub resource: ResourceId,
    /// Its everyday name.
    pub name: String,
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// `bucket`, `database`, `load-balancer`, `gateway`, `function-url`, `vm-port`, `image-share`, `registry`, …
    pub kind: String,
    /// Host or address, port and protocol.
    pub endpoints: Vec<String>,
    /// How far it goes.
    pub reach: Reach,
    /// The hops; an entry without them is unproven.
    #[serde(default)]
    pub proof: Vec<Hop>,
    /// The data behind it.
    pub data: DataClass,
    /// The account's tier.
    pub tier: Tier,
    /// Web application firewall, kind of sign-in, rate limit, TLS.
    #[serde(default)]
    pub protections: Vec<String>,
    /// The owning team.
    #[serde(default)]
    pub team: Option<TeamId>,
    /// Tags, for pre-approvals.
    #[serde(default)]
    pub tags: Vec<(String, String)>,
}

impl Seen {
    /// The entry's name: resource and kind of path.
    pub fn id(&self) -> String {
        format!("{}#{}", self.resource, self.kind)
    }
}

/// Why something may be reachable, and until when.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Warrant {
    /// At least 30 characters.
    pub justification: String,
    /// What else carries the risk.
    #[serde(default)]
    pub compensation: Option<String>,
    /// Rules that prove it; each run asks them again.
    #[serde(default)]
    pub controls: Vec<RuleId>,
    /// Where it was discussed: a pull request, a ticket.
    #[serde(default)]
    pub reference: String,
    /// What makes one look again, besides the end.
    pub trigger: String,
    /// Its end.
    pub expires_at: Time,
    /// Who asked.
    pub requested_by: HumanId,
    /// When.
    pub requested_at: Time,
    /// Who agreed.
    #[serde(default)]
    pub approvals: Vec<Approval>,
}

impl Warrant {
    /// What somebody asks for.
    ///
    /// # Errors
    /// Not somebody who may ask; too short a reason, no trigger, or an end too far ahead.
    pub fn ask(
        requester: &Actor,
        justification: &str,
        trigger: &str,
        expires_at: Time,
        most_days: u16,
        now: Time,
    ) -> Result<Self, Refusal> {
        guard::may(requester, Act::Request, "request an exposure approval")?;
        let human = guard::human(requester, "request an exposure approval")?.clone();
        let mut problems = Vec::new();
        if justification.trim().chars().count() < 30 {
            problems.push(Problem::new("justification", "at least 30 characters that say why it must be reachable"));
        }
        if trigger.trim().is_empty() {
            problems.push(Problem::new("trigger", "what makes one look again, besides the end"));
        }
        if expires_at <= now || expires_at > now.plus_days(most_days.into()) {
            problems.push(Problem::new("expires_at", format!("in the future, at most {most_days} days ahead")));
        }
        if !problems.is_empty() {
            return Err(Refusal::Incomplete { problems });
        }
        Ok(Self {
            justification: justification.trim().into(),
            compensation: None,
            controls: Vec::new(),
            reference: String::new(),
            trigger: trigger.trim().into(),
            expires_at,
            requested_by: human,
            requested_at: now,
            approvals: Vec::new(),
        })
    }

    fn approve(
        &mut self,
        approver: &Actor,
        owners: &BTreeSet<HumanId>,
        note: &str,
        policy: &Policy,
        now: Time,
    ) -> Result<(), Refusal> {
        let human = guard::decider(approver, &self.requested_by, owners, policy, now, "approve an exposure")?.clone();
        if self.approvals.iter().any(|a| a.human == human) {
            return Err(Refusal::SamePerson { human });
        }
        if self.expires_at <= now {
            return Err(Refusal::field("expires_at", "in the future; ask again"));
        }
        self.approvals.push(Approval { human, actor: approver.id.clone(), at: now, note: note.into() });
        Ok(())
    }
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Exposure {
    /// Format version; 1.
    pub v: u16,
    /// Resource and kind of path.
    pub id: String,
    /// What the last run saw.
    pub seen: Seen,
    /// Where it stands.
    pub state: ExposureState,
    /// What allows it.
    #[serde(default)]
    pub warrant: Option<Warrant>,
    /// What was asked for and waits for approvers; what holds goes on holding meanwhile.
    #[serde(default)]
    pub asked: Option<Warrant>,
    /// The pre-approval that let it in.
    #[serde(default)]
    pub pre_approval: Option<String>,
    /// First seen.
    pub first_seen: Time,
    /// Last seen.
    pub last_seen: Time,
    /// Since when it is in its state.
    pub since: Time,
    /// When somebody last said that it is still needed.
    #[serde(default)]
    pub confirmed_at: Option<Time>,
    /// When it went.
    #[serde(default)]
    pub retired_at: Option<Time>,
    /// Why it went, or was refused, or is back to detected.
    #[serde(default)]
    pub reason: String,
    /// Approved, and nothing that can be shown carries the risk meanwhile: why, as the last run found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncarried: Option<String>,
}

/// Who must agree, and for how long at most.
fn limits(seen: &Seen, policy: &Policy) -> (usize, u16) {
    if seen.reach == Reach::OpenAnonymous && seen.data.is_regulated() {
        (2, policy.exposure_regulated_days)
    } else {
        (1, policy.exposure_days)
    }
}

impl Exposure {
    fn new(seen: Seen, now: Time) -> Self {
        Self {
            v: 1,
            id: seen.id(),
            seen,
            state: ExposureState::Detected,
            warrant: None,
            asked: None,
            pre_approval: None,
            first_seen: now,
            last_seen: now,
            since: now,
            confirmed_at: None,
            retired_at: None,
            reason: String::new(),
            uncarried: None,
        }
    }

    /// Why nothing that can be shown carries the risk of what is approved: no compensating control was named, or one of
    /// those named did not pass. `controls` is what the last run said about rules.
    pub fn carried(&self, controls: &BTreeMap<RuleId, Outcome>) -> Option<String> {
        let warrant = self.warrant.as_ref().filter(|_| self.state == ExposureState::Approved)?;
        if warrant.controls.is_empty() {
            let words = warrant.compensation.as_deref().is_some_and(|c| !c.trim().is_empty());
            return (!words).then(|| "approved without a compensating control".to_owned());
        }
        let unproven = warrant.controls.iter().find(|c| controls.get(*c) != Some(&Outcome::Pass))?;
        Some(format!("its compensating control {unproven} was not seen to pass in the last run"))
    }

    /// What to say of an approval that nothing carries: as the last run found, or as the entry itself shows.
    pub fn flag(&self) -> Option<&str> {
        let w = self.warrant.as_ref().filter(|_| self.state == ExposureState::Approved)?;
        let bare = w.controls.is_empty() && w.compensation.as_deref().is_none_or(|c| c.trim().is_empty());
        self.uncarried.as_deref().or(bare.then_some("approved without a compensating control"))
    }

    /// Whether the path is proven hop by hop.
    pub fn is_proven(&self) -> bool {
        !self.seen.proof.is_empty()
    }

    /// Asks that this exposure be allowed.
    ///
    /// # Errors
    /// Retired, or as [`Warrant::ask`].
    pub fn request(
        &self,
        requester: &Actor,
        justification: &str,
        trigger: &str,
        expires_at: Time,
        policy: &Policy,
        now: Time,
    ) -> Result<Self, Refusal> {
        self.not_retired()?;
        let warrant = Warrant::ask(requester, justification, trigger, expires_at, limits(&self.seen, policy).1, now)?;
        Ok(Self { asked: Some(warrant), ..self.clone() })
    }

    /// One person's yes; the exposure is approved with the last one needed.
    ///
    /// # Errors
    /// Nothing was asked; the requester, an owner or an earlier approver under any login; an old second factor.
    pub fn approve(
        &self,
        approver: &Actor,
        owners: &BTreeSet<HumanId>,
        note: &str,
        policy: &Policy,
        now: Time,
    ) -> Result<Self, Refusal> {
        self.not_retired()?;
        let mut next = self.clone();
        let (needed, most) = limits(&self.seen, policy);
        let Some(warrant) = &mut next.asked else {
            return Err(Refusal::field("warrant", "a request with a reason, a trigger and an end"));
        };
        if warrant.expires_at > now.plus_days(most.into()) {
            return Err(Refusal::field("expires_at", format!("at most {most} days ahead")));
        }
        warrant.approve(approver, owners, note, policy, now)?;
        if warrant.approvals.len() >= needed {
            (next.state, next.since, next.confirmed_at) = (ExposureState::Approved, now, Some(now));
            next.warrant = next.asked.take();
            next.reason.clear();
        }
        Ok(next)
    }

    /// An approver's no: the exposure has to go.
    ///
    /// # Errors
    /// No approver, an old second factor, or a note shorter than 20 characters.
    pub fn refuse(&self, approver: &Actor, note: &str, policy: &Policy, now: Time) -> Result<Self, Refusal> {
        self.not_retired()?;
        let nobody = HumanId::from("");
        let requester = self.asked.as_ref().map_or(&nobody, |w| &w.requested_by);
        guard::decider(approver, requester, &BTreeSet::new(), policy, now, "refuse an exposure")?;
        guard::note(note)?;
        Ok(Self {
            state: ExposureState::NotApproved,
            since: now,
            reason: note.into(),
            warrant: None,
            asked: None,
            ..self.clone()
        })
    }

    /// Somebody says that it is still needed; its end does not move.
    ///
    /// # Errors
    /// Not approved, or not somebody who may ask.
    pub fn confirm(&self, actor: &Actor, now: Time) -> Result<Self, Refusal> {
        guard::may(actor, Act::Request, "confirm an exposure")?;
        if self.state != ExposureState::Approved {
            return Err(Refusal::Status {
                what: self.id.clone(),
                is: self.state.to_string(),
                needs: "approved".into(),
            });
        }
        Ok(Self { confirmed_at: Some(now), ..self.clone() })
    }

    /// Whoever needed it says that it is not needed any more: what allowed it ends now, and the next run that does not
    /// reach it retires the entry. Nobody retires one by hand.
    ///
    /// # Errors
    /// Retired already; not somebody who may ask; a note shorter than 20 characters.
    pub fn give_up(&self, actor: &Actor, note: &str, now: Time) -> Result<Self, Refusal> {
        self.not_retired()?;
        guard::may(actor, Act::Request, "give an exposure up")?;
        guard::note(note)?;
        let human = guard::human(actor, "give an exposure up")?;
        Ok(Self {
            state: ExposureState::NotApproved,
            since: now,
            reason: format!("given up by {human}: {}", note.trim()),
            warrant: None,
            asked: None,
            ..self.clone()
        })
    }

    /// What is wrong with how the entry stands, as a finding of its own: how bad, and in words. What is open to everybody
    /// and that nobody approved is one at once, and a worse one when the days policy gives have passed; what is open to
    /// few is one only then. Refused and still there is one always.
    pub fn grievance(&self, policy: &Policy, now: Time) -> Option<(Severity, String)> {
        let late = now.seconds() - self.since.seconds() > i64::from(policy.exposure_undecided_days) * 86_400;
        let public = self.seen.reach >= Reach::OpenAuthenticated;
        let severity = match self.state {
            ExposureState::NotApproved if public => Severity::High,
            ExposureState::NotApproved => Severity::Medium,
            ExposureState::Detected if public && late => Severity::High,
            ExposureState::Detected if public => Severity::Medium,
            ExposureState::Detected if late => Severity::Low,
            _ => return None,
        };
        let since = if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) };
        Some((severity, format!("{} since {}{since}", self.state, self.since.date())))
    }

    fn not_retired(&self) -> Result<(), Refusal> {
        if self.state != ExposureState::Retired {
            return Ok(());
        }
        Err(Refusal::Status {
            what: self.id.clone(),
            is: "retired".into(),
            needs: "detected, approved or not-approved".into(),
        })
    }

    fn back_to_detected(&mut self, why: String, now: Time) {
        (self.state, self.since, self.reason, self.warrant) = (ExposureState::Detected, now, why, None);
    }
}

/// A planned exposure, registered before it is deployed, usually from the review of its code.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PreApproval {
    /// Format version; 1.
    pub v: u16,
    /// Its name.
    pub id: String,
    /// What will be exposed.
    pub select: Selector,
    /// How far it may reach at most.
    pub reach: Reach,
    /// The window in which it must first be seen.
    pub from: Time,
    /// Its end.
    pub to: Time,
    /// Why and until when.
    pub warrant: Warrant,
}

impl PreApproval {
    /// Registers a planned exposure; it counts once another person agreed ([`PreApproval::approve`]).
    ///
    /// # Errors
    /// The selector matches everything, the window is longer than policy allows, or as [`Warrant::ask`].
    pub fn plan(
        id: &str,
        select: Selector,
        reach: Reach,
        (from, to): (Time, Time),
        warrant: Warrant,
        policy: &Policy,
    ) -> Result<Self, Refusal> {
        if select.is_everything() {
            return Err(Refusal::field("select", "a selector that names at least an account or a resource"));
        }
        if to <= from || to > from.plus_days(policy.pre_approval_days.into()) {
            return Err(Refusal::field("window", format!("at most {} days", policy.pre_approval_days)));
        }
        Ok(Self { v: 1, id: id.into(), select, reach, from, to, warrant })
    }

    /// Another person agrees.
    ///
    /// # Errors
    /// As [`Exposure::approve`].
    pub fn approve(&self, approver: &Actor, note: &str, policy: &Policy, now: Time) -> Result<Self, Refusal> {
        let mut next = self.clone();
        next.warrant.approve(approver, &BTreeSet::new(), note, policy, now)?;
        Ok(next)
    }

    fn admits(&self, seen: &Seen, policy: &Policy, now: Time) -> bool {
        let rule = RuleId::from("exposure");
        let target = Target {
            rule: &rule,
            aliases: &[],
            account: &seen.account,
            region: &seen.region,
            resource: &seen.resource,
            name: &seen.name,
            team: seen.team.as_ref(),
            tags: &seen.tags,
            file: None,
            code: &[],
        };
        let (needed, most) = limits(seen, policy);
        let agreed = self.warrant.approvals.iter().filter(|a| a.human != self.warrant.requested_by).count();
        let in_time = self.from <= now && now <= self.to && now < self.warrant.expires_at;
        in_time
            && agreed >= needed
            && self.warrant.expires_at <= now.plus_days(most.into())
            && seen.reach <= self.reach
            && self.select.matches(&target)
    }
}

/// What a run changed in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct LedgerChange {
    /// New entries that a plan had announced.
    pub announced: Vec<String>,
    /// New entries nobody had announced: each is a finding.
    pub unannounced: Vec<String>,
    /// Entries whose reach or data grew, so that their approval ended.
    pub grown: Vec<String>,
    /// Entries that are not reachable any more.
    pub retired: Vec<String>,
    /// Entries that came back.
    pub returned: Vec<String>,
}

/// Takes what a run saw. `complete` names the accounts that were read, and `untold` the entries about which the run could
/// not tell: an entry retires only where somebody looked and could see, because what nobody looked at is not gone.
pub fn observe(
    ledger: &mut BTreeMap<String, Exposure>,
    seen: Vec<Seen>,
    complete: &BTreeSet<AccountId>,
    untold: &BTreeSet<String>,
    plans: &[PreApproval],
    policy: &Policy,
    now: Time,
) -> LedgerChange {
    let mut change = LedgerChange::default();
    let mut present = BTreeSet::new();
    for s in seen {
        let id = s.id();
        present.insert(id.clone());
        let Some(entry) = ledger.get_mut(&id) else {
            let mut entry = Exposure::new(s, now);
            match plans.iter().find(|p| p.admits(&entry.seen, policy, now)) {
                Some(plan) => {
                    entry.state = ExposureState::Approved;
                    entry.warrant = Some(plan.warrant.clone());
                    entry.pre_approval = Some(plan.id.clone());
                    entry.confirmed_at = Some(now);
                    change.announced.push(id.clone());
                }
                None => change.unannounced.push(id.clone()),
            }
            ledger.insert(id, entry);
            continue;
        };
        if entry.state == ExposureState::Retired {
            let first = entry.first_seen;
            *entry = Exposure { first_seen: first, reason: "reachable again".into(), ..Exposure::new(s, now) };
            change.returned.push(id);
            continue;
        }
        let wider = s.reach > entry.seen.reach || s.data > entry.seen.data || s.tier > entry.seen.tier;
        if entry.state == ExposureState::Approved && wider {
            let why = format!(
                "{} {} {} is now {} {} {}",
                entry.seen.reach, entry.seen.data, entry.seen.tier, s.reach, s.data, s.tier
            );
            entry.back_to_detected(why, now);
            change.grown.push(id);
        }
        (entry.seen, entry.last_seen) = (s, now);
    }
    for (id, entry) in ledger.iter_mut() {
        let gone = !present.contains(id) && !untold.contains(id) && complete.contains(&entry.seen.account);
        if gone && entry.state != ExposureState::Retired {
            (entry.state, entry.since, entry.retired_at) = (ExposureState::Retired, now, Some(now));
            entry.reason = "not reachable any more".into();
            change.retired.push(id.clone());
        }
    }
    change
}

/// Approvals whose end came, that nobody confirmed in time, whose requester left or whose compensating control fails, go
/// back to detected. `controls` is what the run says about rules. Idempotent.
pub fn sweep(
    ledger: &mut BTreeMap<String, Exposure>,
    directory: &Directory,
    controls: &BTreeMap<RuleId, Outcome>,
    policy: &Policy,
    now: Time,
) -> Vec<String> {
    let mut out = Vec::new();
    for entry in ledger.values_mut().filter(|e| e.state == ExposureState::Approved) {
        let left = |w: &Warrant| directory.person(&w.requested_by).is_none_or(|p| !p.active);
        let failing =
            |w: &Warrant| w.controls.iter().find(|c| controls.get(*c) == Some(&Outcome::Fail)).map(ToString::to_string);
        let why = match &entry.warrant {
            None => "no approval on record".to_owned(),
            Some(w) if w.expires_at <= now => "its approval ran out".to_owned(),
            Some(w) if left(w) => "whoever asked for it has left".to_owned(),
            Some(w) if failing(w).is_some() => {
                format!("its compensating control {} fails", failing(w).unwrap_or_default())
            }
            Some(_)
                if entry
                    .confirmed_at
                    .is_none_or(|at| now.days_since(at) >= i64::from(policy.exposure_confirm_days)) =>
            {
                "nobody confirmed it in time".to_owned()
            }
            Some(_) => continue,
        };
        entry.back_to_detected(why, now);
        out.push(entry.id.clone());
    }
    out
}

/// Asks again what carries the risk of every approved entry: which are flagged now and were not, and which are not any more.
/// `controls` is what the run says about rules. Idempotent.
pub fn weigh(
    ledger: &mut BTreeMap<String, Exposure>,
    controls: &BTreeMap<RuleId, Outcome>,
) -> (Vec<String>, Vec<String>) {
    let (mut flagged, mut settled) = (Vec::new(), Vec::new());
    for entry in ledger.values_mut() {
        let now = entry.carried(controls);
        match (&entry.uncarried, &now) {
            (None, Some(_)) => flagged.push(entry.id.clone()),
            (Some(_), None) => settled.push(entry.id.clone()),
            _ => {}
        }
        entry.uncarried = now;
    }
    (flagged, settled)
}

/// Entries nobody decided on for too long, or that were refused and are still there: each is a finding of its own.
pub fn undecided<'a>(ledger: &'a BTreeMap<String, Exposure>, policy: &Policy, now: Time) -> Vec<&'a Exposure> {
    let limit = i64::from(policy.exposure_undecided_days) * 86_400;
    ledger
        .values()
        .filter(|e| matches!(e.state, ExposureState::Detected | ExposureState::NotApproved))
        .filter(|e| now.seconds() - e.since.seconds() > limit)
        .collect()
}

/// How the ledger moved in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct NetChange {
    /// Entries at the start.
    pub before: usize,
    /// Came.
    pub added: usize,
    /// Went.
    pub retired: usize,
    /// Entries at the end.
    pub after: usize,
    /// Of these, approved.
    pub approved: usize,
    /// Of these, nobody decided on, or refused.
    pub open: usize,
    /// Of these, older than a year.
    pub older_than_a_year: usize,
    /// Of these, approved and carried by nothing that can be shown.
    #[serde(default)]
    pub uncarried: usize,
}

impl NetChange {
    /// Entries at the end less those at the start.
    pub fn net(&self) -> i64 {
        let n = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        n(self.after) - n(self.before)
    }
}

/// How the ledger moved between two moments.
pub fn net_change(ledger: &BTreeMap<String, Exposure>, from: Time, to: Time) -> NetChange {
    let there = |e: &Exposure, at: Time| e.first_seen < at && e.retired_at.is_none_or(|r| r >= at);
    let count = |of: &dyn Fn(&Exposure) -> bool| ledger.values().filter(|e| of(e)).count();
    NetChange {
        before: count(&|e| there(e, from)),
        added: count(&|e| e.first_seen >= from && e.first_seen < to),
        retired: count(&|e| e.retired_at.is_some_and(|r| r >= from && r < to)),
        after: count(&|e| there(e, to)),
        approved: count(&|e| there(e, to) && e.state == ExposureState::Approved),
        open: count(&|e| there(e, to) && matches!(e.state, ExposureState::Detected | ExposureState::NotApproved)),
        older_than_a_year: count(&|e| there(e, to) && to.days_since(e.first_seen) > 365),
        uncarried: count(&|e| there(e, to) && e.flag().is_some()),
    }
}
