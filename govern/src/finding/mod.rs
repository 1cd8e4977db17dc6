//! Findings: a problem's life in the record.
//!
//! [`Finding::transition`] is the only way to change a state. It checks the table ([`machine::TABLE`]), the actor and
//! the guard, and returns a [`Transition`] row; [`Finding::apply`] folds rows into the finding, so the state is always
//! recomputable from its rows ([`check_fold`]).

mod bulk;
mod event;
mod guards;
pub mod machine;
mod metrics;
mod route;

pub use bulk::{BULK_LIMIT, BulkError, BulkRow, bulk};
pub use event::{Event, EvidenceRef, Look, Pass, Remedy, RemedyKind};
pub use metrics::{
    CauseRow, Impact, ImpactTally, Pareto, ParetoTally, Queue, RiskMove, RiskTally, TeamSla, TeamTally, Week, by_lane,
    pareto, queue, risk_moves, sla_by_team, state_before, weekly,
};
pub use route::{Route, Routed, RoutingRule, link, route};

use crate::ids::{DecisionId, FindingId, HumanId, TeamId, named};
use crate::people::{Actor, ActorKind};
use crate::policy::{DataClass, Lane, Policy};
use crate::refusal::Refusal;
use crate::sla::{Clock, Terms, plus_working_days};
use machine::{EventKind, State};
use plumb_model::{AccountId, Region, ResourceId, RuleId, Severity, Time};
use std::collections::BTreeSet;

/// The format version of a stored finding and transition.
pub const FINDING_VERSION: u16 = 1;

/// How two findings are related.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// The same work item seen by another tool.
    DuplicateOf,
    /// That one makes this one.
    CausedBy,
    /// Both come from one place, such as one module of code.
    SameRoot,
    /// A step of that attack path.
    AttackPath,
}
named!(Relation, "relation", {
    DuplicateOf => "duplicate-of", CausedBy => "caused-by", SameRoot => "same-root", AttackPath => "attack-path",
});

/// A link to another finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Link {
    /// How.
    pub kind: Relation,
    /// To which.
    pub to: FindingId,
}

/// A ticket in another system.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ticket {
    /// `jira`.
    pub system: String,
    /// `SEC-123`.
    pub key: String,
    /// Its address.
    #[serde(default)]
    pub url: String,
}

/// How a finding closed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Closure {
    /// The final state.
    pub reason: State,
    /// Who or what closed it.
    pub actor: String,
    /// When.
    pub at: Time,
    /// Its severity then.
    pub severity: Severity,
    /// The controls it counted for, frozen here.
    pub controls: Vec<String>,
}

/// What the record is told about a problem when it is first seen, and again when that changes.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Facts {
    /// The rule.
    pub rule: RuleId,
    /// The rule's version.
    pub rule_version: u32,
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// The resource.
    pub resource: ResourceId,
    /// Its everyday name.
    pub name: String,
    /// The good state, as the rule's title says it.
    pub title: String,
    /// Observed value, expected value and path; never free of the observed value.
    pub why: String,
    /// Severity.
    pub severity: Severity,
    /// Points.
    pub points: i64,
    /// What sets the clock.
    pub terms: Terms,
    /// Data classes of the resource or its account.
    pub data: BTreeSet<DataClass>,
    /// The owner of the resource, from the inventory or the routing rules.
    pub team: Option<TeamId>,
    /// The same, a person.
    pub person: Option<HumanId>,
    /// SHA-256 over the observed values, hexadecimal.
    pub value_digest: String,
    /// Controls it counts for: `iso27001-2022/A.8.20`.
    #[serde(default)]
    pub controls: Vec<String>,
    /// What makes it: a module of code, a template, a principal; findings with one cause are one piece of work.
    #[serde(default)]
    pub cause: String,
}

impl Facts {
    /// How soon it wants attention.
    pub fn lane(&self) -> Lane {
        self.terms.lane
    }
}

/// One finding as the record keeps it. Its lifecycle fields change only by [`Finding::apply`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Finding {
    /// Format version; [`FINDING_VERSION`].
    pub v: u16,
    /// Its key.
    pub id: FindingId,
    /// What is known about the problem now.
    pub facts: Facts,
    /// Severity when it was opened.
    pub severity_at_open: Severity,
    /// First detection.
    pub first_seen: Time,
    /// Last time a run saw it fail.
    pub last_seen: Time,
    /// Last time a run could judge it at all.
    pub last_evaluated: Time,
    /// Links to other findings.
    #[serde(default)]
    pub links: BTreeSet<Link>,
    /// Tickets.
    #[serde(default)]
    pub tickets: Vec<Ticket>,
    /// Evidence, newest last; at least one.
    pub evidence: Vec<EvidenceRef>,
    state: State,
    seq: u32,
    opened_at: Time,
    occurrences: u32,
    regressed: bool,
    clock: Clock,
    team: Option<TeamId>,
    person: Option<HumanId>,
    plan: Option<String>,
    remedy: Option<Remedy>,
    claimed_at: Option<Time>,
    retest_job: Option<String>,
    decision: Option<DecisionId>,
    bound: Option<(u32, String)>,
    closure: Option<Closure>,
}

/// One step of one finding; append-only.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Transition {
    /// Format version; [`FINDING_VERSION`].
    pub v: u16,
    /// The finding.
    pub finding: FindingId,
    /// Counts from 1 without gaps per finding.
    pub seq: u32,
    /// The row of the table: 6 for T6.
    pub number: u8,
    /// From; none for the first.
    pub from: Option<State>,
    /// To.
    pub to: State,
    /// When.
    pub at: Time,
    /// Login, token or `system:<component>`.
    pub actor: String,
    /// Kind of actor.
    pub actor_kind: ActorKind,
    /// The human behind it.
    #[serde(default)]
    pub human: Option<HumanId>,
    /// When the second factor was last given.
    #[serde(default)]
    pub mfa_at: Option<Time>,
    /// The emergency session, when one was open.
    #[serde(default)]
    pub emergency: Option<String>,
    /// In the actor's words.
    #[serde(default)]
    pub reason: String,
    /// The event with the facts its guard was given.
    pub inputs: Event,
    /// The policy it was checked under.
    pub policy_version: String,
    /// Which request of a bulk action it belongs to.
    #[serde(default)]
    pub request: Option<String>,
}

/// The row does not continue the finding it is applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("transition {seq} of {finding} {problem}")]
pub struct FoldError {
    /// The finding.
    pub finding: FindingId,
    /// The row.
    pub seq: u32,
    /// What does not fit.
    pub problem: String,
}

impl Finding {
    /// Opens a finding at its first detection (T1).
    ///
    /// # Errors
    /// The actor is neither the product nor an import, or no evidence was stored first.
    pub fn open(
        id: FindingId,
        facts: Facts,
        evidence: Vec<EvidenceRef>,
        actor: &Actor,
        policy: &Policy,
        now: Time,
    ) -> Result<(Self, Transition), Refusal> {
        let event = Event::Detect { evidence: evidence.clone() };
        let row = guards::check(None, &event, actor, policy, now)?;
        let step = Transition {
            v: FINDING_VERSION,
            finding: id.clone(),
            seq: 1,
            number: row.number,
            from: None,
            to: row.to,
            at: now,
            actor: actor.id.clone(),
            actor_kind: actor.kind,
            human: actor.human.clone(),
            mfa_at: actor.mfa_at,
            emergency: actor.emergency.clone(),
            reason: String::new(),
            inputs: event,
            policy_version: policy.version.clone(),
            request: None,
        };
        let finding = Self {
            v: FINDING_VERSION,
            id,
            severity_at_open: facts.severity,
            first_seen: now,
            last_seen: now,
            last_evaluated: now,
            links: BTreeSet::new(),
            tickets: Vec::new(),
            evidence,
            state: State::Open,
            seq: 1,
            opened_at: now,
            occurrences: 1,
            regressed: false,
            clock: Clock::start(now, facts.terms, false, policy),
            team: facts.team.clone(),
            person: facts.person.clone(),
            plan: None,
            remedy: None,
            claimed_at: None,
            retest_job: None,
            decision: None,
            bound: None,
            closure: None,
            facts,
        };
        Ok((finding, step))
    }

    /// The only way to a new state: checks table, actor and guard, and returns the row to store and to apply.
    ///
    /// # Errors
    /// A [`Refusal`] that says what would be right. The caller logs it: denied attempts are activity too.
    pub fn transition(
        &self,
        event: Event,
        actor: &Actor,
        reason: &str,
        policy: &Policy,
        now: Time,
    ) -> Result<Transition, Refusal> {
        let row = guards::check(Some(self), &event, actor, policy, now)?;
        Ok(Transition {
            v: FINDING_VERSION,
            finding: self.id.clone(),
            seq: self.seq.saturating_add(1),
            number: row.number,
            from: Some(self.state),
            to: row.to,
            at: now,
            actor: actor.id.clone(),
            actor_kind: actor.kind,
            human: actor.human.clone(),
            mfa_at: actor.mfa_at,
            emergency: actor.emergency.clone(),
            reason: reason.into(),
            inputs: event,
            policy_version: policy.version.clone(),
            request: None,
        })
    }

    /// The finding after `step`.
    ///
    /// # Errors
    /// The row is not the next one of this finding, or no row of the table leads where it says.
    pub fn apply(mut self, step: &Transition, policy: &Policy) -> Result<Self, FoldError> {
        let wrong = |problem: String| FoldError { finding: step.finding.clone(), seq: step.seq, problem };
        if step.finding != self.id {
            return Err(wrong(format!("belongs to another finding than {}", self.id)));
        }
        if step.seq != self.seq.saturating_add(1) {
            return Err(wrong(format!("does not follow step {}", self.seq)));
        }
        if step.from != Some(self.state) {
            let from = step.from.map_or("nothing", State::name);
            return Err(wrong(format!("starts from {from}, but the finding is {}", self.state)));
        }
        let row = machine::find(Some(self.state), step.inputs.kind());
        if row.is_none_or(|r| r.to != step.to || r.number != step.number) {
            return Err(wrong(format!(
                "is no step of the table: {} on {} to {}",
                self.state,
                step.inputs.kind(),
                step.to
            )));
        }
        let now = step.at;
        self.seq = step.seq;
        self.take(step, policy);
        let from = std::mem::replace(&mut self.state, step.to);
        if from.is_waiting() || from == State::Deferred {
            self.clock.resume(now);
        }
        match step.to {
            s if s.is_waiting() => {
                let limit = plus_working_days(now, policy.waiting_pause_working_days);
                self.clock.pause(now, Some(limit));
            }
            State::Accepted | State::Deferred => self.clock.pause(now, None),
            s if s.is_final() => {
                self.clock.stop(now);
                self.closure = Some(Closure {
                    reason: s,
                    actor: step.actor.clone(),
                    at: now,
                    severity: self.facts.severity,
                    controls: self.facts.controls.clone(),
                });
            }
            _ => {}
        }
        if step.to == State::Open {
            // Reopened: a fresh clock, at half the span when a decision ended or the problem came back soon.
            let again = from.is_final() && from != State::FalsePositive;
            self.regressed = again
                && self.closure.as_ref().is_some_and(|c| now.days_since(c.at) <= i64::from(policy.regression_days));
            if again {
                self.occurrences = self.occurrences.saturating_add(1);
                self.remedy = None;
                self.plan = None;
            }
            self.clock = self.clock.restart(now, self.facts.terms, from == State::Accepted || self.regressed, policy);
            self.opened_at = now;
            self.closure = None;
            self.claimed_at = None;
            self.retest_job = None;
            self.bound = None;
            self.decision = None;
        }
        Ok(self)
    }

    /// Takes the facts a step carries.
    fn take(&mut self, step: &Transition, _policy: &Policy) {
        match &step.inputs {
            Event::Detect { evidence } => self.evidence.extend(evidence.iter().cloned()),
            Event::Triage { team, person } => {
                self.team = team.clone().or_else(|| self.team.take());
                self.person = person.clone().or_else(|| self.person.take());
            }
            Event::Start { person, plan } => {
                self.person = person.clone().or_else(|| self.person.take());
                self.plan = Some(plan.clone());
            }
            Event::ClaimFixed { remedy } => {
                self.remedy = Some(remedy.clone());
                self.claimed_at = Some(step.at);
            }
            Event::ScheduleRetest { job } => self.retest_job = Some(job.clone()),
            Event::ObservePass { look } => {
                self.claimed_at = self.claimed_at.or(Some(look.started));
                self.retest_job = Some(look.run.clone());
            }
            Event::RequestException { decision }
            | Event::RequestDeferral { decision }
            | Event::RequestFp { decision }
            | Event::Approve { decision }
            | Event::CoverException { decision }
            | Event::CoverDeferral { decision } => self.decision = Some(decision.number.clone()),
            Event::Confirm { decision, rule_version, value_digest }
            | Event::CoverFp { decision, rule_version, value_digest } => {
                self.decision = Some(decision.number.clone());
                self.bound = Some((*rule_version, value_digest.clone()));
            }
            Event::Reject { .. } | Event::Withdraw { .. } => self.decision = None,
            Event::RetestFail { .. } | Event::RetestUnknown { .. } => self.claimed_at = None,
            Event::Merge { into, .. } => {
                self.links.insert(Link { kind: Relation::DuplicateOf, to: into.clone() });
            }
            _ => {}
        }
    }

    /// Takes what a run says now: a new score, severity, lane, owner. Never a new state.
    pub fn observe(&mut self, facts: Facts, policy: &Policy, now: Time) {
        if facts.terms != self.facts.terms && !self.state.is_final() {
            self.clock.retime(facts.terms, policy, now);
        }
        if self.state == State::Open {
            self.team = facts.team.clone().or_else(|| self.team.take());
            self.person = facts.person.clone().or_else(|| self.person.take());
        }
        self.facts = facts;
        self.last_seen = self.last_seen.max(now);
        self.last_evaluated = self.last_evaluated.max(now);
    }

    /// Takes new terms for its clock, as when its lane changed; see [`Clock::retime`].
    pub fn retime(&mut self, terms: Terms, policy: &Policy, now: Time) {
        if terms != self.facts.terms && !self.state.is_final() {
            self.clock.retime(terms, policy, now);
        }
        self.facts.terms = terms;
    }

    /// Records a breach when the due date has passed; see [`Clock::tick`].
    pub fn tick(&mut self, now: Time) -> Option<crate::sla::Breach> {
        if self.state.is_final() { None } else { self.clock.tick(now) }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }
    /// How many steps it has taken.
    pub fn seq(&self) -> u32 {
        self.seq
    }
    /// When it was opened last.
    pub fn opened_at(&self) -> Time {
        self.opened_at
    }
    /// How often it was opened.
    pub fn occurrences(&self) -> u32 {
        self.occurrences
    }
    /// Whether it came back soon after it was closed.
    pub fn regressed(&self) -> bool {
        self.regressed
    }
    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
    /// The owning team.
    pub fn team(&self) -> Option<&TeamId> {
        self.team.as_ref()
    }
    /// The owning person.
    pub fn person(&self) -> Option<&HumanId> {
        self.person.as_ref()
    }
    /// The plan or ticket of the work.
    pub fn plan(&self) -> Option<&str> {
        self.plan.as_deref()
    }
    /// How it was fixed, as claimed.
    pub fn remedy(&self) -> Option<&Remedy> {
        self.remedy.as_ref()
    }
    /// When the fix was claimed, or first seen.
    pub fn claimed_at(&self) -> Option<Time> {
        self.claimed_at
    }
    /// The decision asked for or in force.
    pub fn decision(&self) -> Option<&DecisionId> {
        self.decision.as_ref()
    }
    /// How it closed.
    pub fn closure(&self) -> Option<&Closure> {
        self.closure.as_ref()
    }
    /// What a false positive is bound to: rule version and value digest.
    pub fn bound(&self) -> Option<(u32, &str)> {
        self.bound.as_ref().map(|(v, d)| (*v, d.as_str()))
    }

    /// What a run's look means for this finding: the event the product should cause, if any.
    /// Ask again after applying it, until there is none or it is refused: a claimed fix is first put up for retest.
    /// An incomplete look, or one that could not tell, never closes anything.
    pub fn event_for(
        &self,
        look: &Look,
        before: Option<&Look>,
        event_driven: bool,
        unknowns_in_a_row: u32,
    ) -> Option<Event> {
        use plumb_model::Outcome::{Fail, Unknown};
        if self.state == State::FixedClaimed && self.claimed_at.is_none_or(|claimed| look.started >= claimed) {
            return Some(Event::ScheduleRetest { job: look.run.clone() });
        }
        if look.proves_pass() {
            return match self.state {
                State::RetestPending => {
                    Some(Event::RetestPass { look: look.clone(), before: before.cloned(), event_driven })
                }
                State::Open | State::Triaged | State::InRemediation | State::Accepted | State::Deferred => {
                    Some(Event::ObservePass { look: look.clone() })
                }
                _ => None,
            };
        }
        match (look.outcome, self.state) {
            (Fail, State::RetestPending) => Some(Event::RetestFail { look: look.clone() }),
            (Unknown, State::RetestPending) if unknowns_in_a_row >= 3 => Some(Event::RetestUnknown {
                in_a_row: unknowns_in_a_row,
                why: format!("run {} could not tell", look.run),
            }),
            _ => None,
        }
    }
}

/// Recomputes a finding's state from its rows and compares.
///
/// # Errors
/// A row is missing, added or does not follow, or the stored state is another than the rows say: somebody changed the
/// database behind the service's back.
pub fn check_fold(finding: &Finding, steps: &[Transition]) -> Result<(), FoldError> {
    let wrong = |seq: u32, problem: String| FoldError { finding: finding.id.clone(), seq, problem };
    let mut state: Option<State> = None;
    let mut expected = 1u32;
    for step in steps {
        if step.finding != finding.id || step.seq != expected || step.from != state {
            return Err(wrong(
                step.seq,
                format!("is not step {expected} from {}", state.map_or("nothing", State::name)),
            ));
        }
        let row = machine::find(state, step.inputs.kind());
        if row.is_none_or(|r| r.to != step.to || r.number != step.number) {
            return Err(wrong(step.seq, "is no step of the table".into()));
        }
        state = Some(step.to);
        expected = expected.saturating_add(1);
    }
    if state != Some(finding.state) || expected.saturating_sub(1) != finding.seq {
        let folded = state.map_or("nothing", State::name);
        return Err(wrong(finding.seq, format!("says {} on record, but the rows lead to {folded}", finding.state)));
    }
    Ok(())
}

impl EventKind {
    /// Whether people cause it.
    pub fn by_people(self) -> bool {
        machine::TABLE.iter().any(|r| {
            r.event == self
                && matches!(r.who, machine::Who::Engineer | machine::Who::Approver | machine::Who::Requester)
        })
    }
}
