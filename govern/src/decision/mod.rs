//! Decisions: exceptions, deferrals, exposure approvals, false positives, baseline deviations, kept accesses.
//!
//! A [`Draft`] is what somebody (or another tool's mute list) asks for. [`submit`] makes a [`Decision`] of a complete
//! one; [`Decision::approve`] puts it in force once enough other people agreed. Nothing is in force without a basis,
//! an owner, an end and a trigger, whichever way it came in: [`Decision::flaws`] says so for stored and imported rows.

mod flow;
pub mod import;
mod later;
mod register;
mod selector;
mod triggers;

pub use flow::{Context, Rejected, submit};
pub use later::{Ahead, Later};
pub use register::{Register, Unmatched, expiring, register, unmatched};
pub use selector::{Declared, Pattern, Selector, Target};
pub use triggers::{Ended, Fired, Situation, Trigger, Watch, run_expiry};

use crate::ids::{DecisionId, FindingId, HumanId, named};
use crate::policy::{Lane, Policy, Tier};
use crate::refusal::Problem;
use plumb_model::{RuleId, Time};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// The format version of a stored decision.
pub const DECISION_VERSION: u16 = 1;

/// What a decision allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The finding is true and accepted for a time.
    Exception,
    /// The finding is true and will be looked at again on a date.
    Deferral,
    /// One named value may differ from the baseline.
    BaselineDeviation,
    /// A resource may be reached from the internet.
    ExposureApproval,
    /// The finding is not true.
    FalsePositive,
    /// A principal keeps an access a review questioned.
    AccessRetain,
}
named!(Kind, "decision kind", {
    Exception => "exception", Deferral => "deferral", BaselineDeviation => "baseline-deviation",
    ExposureApproval => "exposure-approval", FalsePositive => "false-positive", AccessRetain => "access-retain",
});

/// Why it is reasonable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// The business needs it as it is.
    BusinessNeed,
    /// It cannot be done otherwise.
    TechnicalLimit,
    /// Something else carries the risk; it is re-evaluated in every run.
    CompensatingControl,
    /// A vendor has to move first.
    VendorDependency,
    /// Fixing costs more than the risk.
    CostDisproportionate,
    /// The resource goes away.
    PlannedRetirement,
    /// It is a test.
    Test,
}
named!(Basis, "basis", {
    BusinessNeed => "business-need", TechnicalLimit => "technical-limit", CompensatingControl => "compensating-control",
    VendorDependency => "vendor-dependency", CostDisproportionate => "cost-disproportionate",
    PlannedRetirement => "planned-retirement", Test => "test",
});

/// Where a decision stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Waits for approvers.
    Requested,
    /// Holds.
    InForce,
    /// An approver said no.
    Rejected,
    /// The requester took it back.
    Withdrawn,
    /// Its end came.
    Expired,
    /// An approver or a trigger ended it.
    Revoked,
    /// What it allowed is fixed.
    NoLongerNeeded,
}
named!(Status, "status", {
    Requested => "requested", InForce => "in-force", Rejected => "rejected", Withdrawn => "withdrawn",
    Expired => "expired", Revoked => "revoked", NoLongerNeeded => "no-longer-needed",
});

/// What else carries the risk meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Compensation {
    /// In words.
    pub text: String,
    /// The rule that proves it; re-evaluated in every run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// Evidence for what no rule proves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// Where a request came from.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A person asked.
    #[default]
    Person,
    /// A skip comment in code.
    Inline {
        /// The file, relative to the checked directory.
        file: String,
        /// The line.
        line: u32,
        /// What the comment says.
        text: String,
    },
    /// Another tool's mute list or baseline.
    Import {
        /// The tool: `prowler`.
        tool: String,
        /// The file it came from, and where in it.
        place: String,
    },
}

/// What a decision speaks about.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Exactly these findings.
    Findings(BTreeSet<FindingId>),
    /// What a selector matches. Only what matched at approval is covered, unless `covers_future`.
    Selector {
        /// The selector.
        selector: Selector,
        /// What it matched when it was approved, as shown to the approver.
        matched: BTreeSet<FindingId>,
        /// Whether later matches are covered too; needs two approvers and a short life.
        covers_future: bool,
    },
}

impl Subject {
    /// The findings that are named: those asked for, or those a selector matched when it was approved.
    pub fn named(&self) -> &BTreeSet<FindingId> {
        let (Self::Findings(set) | Self::Selector { matched: set, .. }) = self;
        set
    }

    /// Whether `finding`, which looks like `target`, is covered.
    pub fn covers(&self, finding: &FindingId, target: Option<&Target<'_>>) -> bool {
        match self {
            Self::Findings(set) => set.contains(finding),
            Self::Selector { selector, matched, covers_future } => {
                matched.contains(finding) || (*covers_future && target.is_some_and(|t| selector.matches(t)))
            }
        }
    }
}

/// What somebody asks for; may still be incomplete.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Draft {
    /// What it would allow.
    pub kind: Kind,
    /// What it speaks about.
    pub subject: Subject,
    /// Why it is reasonable.
    #[serde(default)]
    pub basis: Option<Basis>,
    /// The reasoning; at least 50 characters.
    #[serde(default)]
    pub justification: String,
    /// What may happen; at least 30 characters.
    #[serde(default)]
    pub risk: String,
    /// What else carries the risk.
    #[serde(default)]
    pub compensations: Vec<Compensation>,
    /// Who answers for it.
    #[serde(default)]
    pub owner: Option<HumanId>,
    /// When it starts; the approval if not given.
    #[serde(default)]
    pub effective_from: Option<Time>,
    /// When it ends.
    #[serde(default)]
    pub expires_at: Option<Time>,
    /// How often it is reviewed meanwhile.
    #[serde(default)]
    pub review_every_days: Option<u16>,
    /// What ends it early; at least one.
    #[serde(default)]
    pub triggers: Vec<Trigger>,
    /// The decision it prolongs.
    #[serde(default)]
    pub renews: Option<DecisionId>,
    /// The plan to fix it; needed from the fifth renewal on.
    #[serde(default)]
    pub plan: Option<String>,
    /// For a deviation: what the baseline expects.
    #[serde(default)]
    pub expected_value: Option<Json>,
    /// For a deviation: the one other value that is allowed.
    #[serde(default)]
    pub allowed_value: Option<Json>,
    /// For a false positive: what shows that it is not true.
    #[serde(default)]
    pub counter_evidence: Vec<String>,
    /// References to attached documents.
    #[serde(default)]
    pub attachments: Vec<String>,
    /// Where the request came from.
    #[serde(default)]
    pub origin: Origin,
}

impl Draft {
    /// An empty draft of this kind about these findings.
    pub fn new(kind: Kind, findings: impl IntoIterator<Item = FindingId>) -> Self {
        Self::about(kind, Subject::Findings(findings.into_iter().collect()))
    }

    /// An empty draft of this kind about `subject`.
    pub fn about(kind: Kind, subject: Subject) -> Self {
        Self {
            kind,
            subject,
            basis: None,
            justification: String::new(),
            risk: String::new(),
            compensations: Vec::new(),
            owner: None,
            effective_from: None,
            expires_at: None,
            review_every_days: None,
            triggers: Vec::new(),
            renews: None,
            plan: None,
            expected_value: None,
            allowed_value: None,
            counter_evidence: Vec::new(),
            attachments: Vec::new(),
            origin: Origin::Person,
        }
    }

    /// What a person still has to say before it can be requested. What a selector meets is not theirs to say: it is looked
    /// up when they ask.
    pub fn lacks(&self) -> Vec<Problem> {
        let asks = matches!(&self.subject, Subject::Selector { selector, .. } if !selector.is_everything());
        self.problems().into_iter().filter(|p| !(asks && p.field == "subject")).collect()
    }

    /// What is missing or wrong in the words themselves, whatever the subject; see [`submit`] for the rest.
    pub fn problems(&self) -> Vec<Problem> {
        let mut out = Vec::new();
        let mut need = |ok: bool, field: &str, right: &str| {
            if !ok {
                out.push(Problem::new(field, right));
            }
        };
        let long = |text: &str, n: usize| text.trim().chars().count() >= n;
        need(self.basis.is_some(), "basis", "one of the bases, such as `business-need`");
        need(long(&self.justification, 50), "justification", "at least 50 characters that say why this is reasonable");
        need(long(&self.risk, 30), "risk", "at least 30 characters that say what may happen");
        need(self.owner.is_some(), "owner", "one person who answers for it");
        need(self.expires_at.is_some(), "expires_at", "an end; nothing is allowed for ever");
        need(!self.triggers.is_empty(), "triggers", "at least one trigger besides the end date");
        if self.basis == Some(Basis::CompensatingControl) {
            need(!self.compensations.is_empty(), "compensations", "at least one control that carries the risk");
        }
        let proven = |c: &Compensation| !c.text.trim().is_empty() && (c.rule.is_some() || c.evidence.is_some());
        need(self.compensations.iter().all(proven), "compensations", "each with words and a rule or evidence");
        match self.kind {
            Kind::BaselineDeviation => {
                need(self.expected_value.is_some(), "expected_value", "what the baseline expects");
                need(self.allowed_value.is_some(), "allowed_value", "the one other value that is allowed");
            }
            Kind::FalsePositive => {
                need(!self.counter_evidence.is_empty(), "counter_evidence", "what shows that the finding is not true");
            }
            _ => {}
        }
        match &self.subject {
            Subject::Findings(set) => need(!set.is_empty(), "subject", "at least one finding"),
            Subject::Selector { selector, matched, covers_future } => {
                need(
                    !selector.is_everything(),
                    "subject",
                    "a selector that names at least a rule, account or resource",
                );
                need(
                    !matched.is_empty() || *covers_future,
                    "subject",
                    "a selector that matches something now; name findings or other patterns, or say that it covers what comes later",
                );
            }
        }
        out
    }
}

/// One approver's yes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Approval {
    /// The human.
    pub human: HumanId,
    /// The login or token they used.
    pub actor: String,
    /// When.
    pub at: Time,
    /// What they said.
    #[serde(default)]
    pub note: String,
}

/// How a decision ended, or was refused.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct End {
    /// When.
    pub at: Time,
    /// Who: a login or `system:<component>`.
    pub actor: String,
    /// Why: the note, or the trigger that fired.
    pub why: String,
}

/// One row of the register.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Decision {
    /// Format version; [`DECISION_VERSION`].
    pub v: u16,
    /// Its number; gapless per year.
    pub number: DecisionId,
    /// Grows by one with every change, for optimistic locking.
    pub row_version: u64,
    /// What was asked for.
    pub draft: Draft,
    /// The human who asked.
    pub requested_by: HumanId,
    /// The login or token they used.
    pub requested_as: String,
    /// When they asked.
    pub requested_at: Time,
    /// How many different people must agree.
    pub approvers_needed: u8,
    /// Who agreed.
    #[serde(default)]
    pub approvals: Vec<Approval>,
    /// Where it stands.
    pub status: Status,
    /// How it ended, or was refused.
    #[serde(default)]
    pub end: Option<End>,
    /// The worst lane among what it covers, when it was asked for.
    pub lane: Lane,
    /// The tier of the account.
    pub tier: Tier,
    /// What the world looked like when it came into force; triggers compare with it.
    #[serde(default)]
    pub situation: Situation,
    /// Points of what it covers, when it was asked for.
    pub points: i64,
    /// Controls it touches, as shown to the approver: `iso27001-2022/A.8.20`.
    #[serde(default)]
    pub frameworks: Vec<String>,
    /// How often it has been prolonged.
    #[serde(default)]
    pub renewals: u16,
    /// When somebody last looked at it again.
    #[serde(default)]
    pub reviewed_at: Option<Time>,
    /// The policy it was made under.
    pub policy_version: String,
    /// What came under it after it was approved, because it covers what comes later. What was approved stays in the draft.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub later: BTreeMap<FindingId, Later>,
}

/// What a transition needs to know of a decision; made only by [`Decision::brief`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Brief {
    pub(crate) number: DecisionId,
    pub(crate) kind: Kind,
    pub(crate) status: Status,
    pub(crate) requested_by: HumanId,
    pub(crate) approvers: Vec<HumanId>,
    pub(crate) approvers_needed: u8,
    pub(crate) expires_at: Option<Time>,
    pub(crate) triggers: usize,
    pub(crate) covers: bool,
    pub(crate) flaws: Vec<Problem>,
    /// What the product needs to know to bring a later finding under it; see [`Decision::brief_ahead`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ahead: Option<Ahead>,
}

impl Brief {
    /// The decision's number.
    pub fn number(&self) -> &DecisionId {
        &self.number
    }
}

impl Decision {
    /// What a transition of `finding` needs to know.
    pub fn brief(&self, finding: &FindingId, target: Option<&Target<'_>>, policy: &Policy) -> Brief {
        Brief {
            number: self.number.clone(),
            kind: self.draft.kind,
            status: self.status,
            requested_by: self.requested_by.clone(),
            approvers: self.approvals.iter().map(|a| a.human.clone()).collect(),
            approvers_needed: self.approvers_needed,
            expires_at: self.draft.expires_at,
            triggers: self.draft.triggers.len(),
            covers: self.draft.subject.covers(finding, target),
            flaws: self.flaws(policy),
            ahead: None,
        }
    }

    /// When it ends.
    pub fn expires_at(&self) -> Option<Time> {
        self.draft.expires_at
    }

    /// Whether it holds at `now`. A row whose end has passed does not hold, whether or not the expiry job has run.
    pub fn holds(&self, now: Time) -> bool {
        self.status == Status::InForce
            && self.draft.effective_from.is_none_or(|from| from <= now)
            && self.draft.expires_at.is_some_and(|end| now < end)
    }

    /// What is wrong with a stored or imported row; empty for a sound one. No row with flaws lets a finding be accepted.
    pub fn flaws(&self, policy: &Policy) -> Vec<Problem> {
        let mut out = self.draft.problems();
        let mut need = |ok: bool, field: &str, right: String| {
            if !ok {
                out.push(Problem::new(field, right));
            }
        };
        let humans: BTreeSet<_> = self.approvals.iter().map(|a| &a.human).collect();
        need(humans.len() == self.approvals.len(), "approvals", "each by a different human".into());
        need(!humans.contains(&self.requested_by), "approvals", "by others than the requester".into());
        let start = self.draft.effective_from.unwrap_or(self.requested_at);
        let days = self.draft.expires_at.map_or(0, |end| end.days_since(start));
        let most = flow::longest(&self.draft, self.lane, self.tier, policy);
        need(days <= most, "expires_at", format!("at most {most} days after it starts"));
        let wanted = flow::approvers_needed(&self.draft, self.lane, days, self.renewals, policy);
        need(self.approvers_needed >= wanted, "approvers_needed", format!("{wanted}"));
        let future = matches!(self.draft.subject, Subject::Selector { covers_future: true, .. });
        need(self.later.is_empty() || future, "later", "empty; it does not cover what comes later".into());
        if self.status == Status::InForce {
            need(humans.len() >= usize::from(wanted), "approvals", format!("{wanted} different humans"));
        }
        out
    }
}
