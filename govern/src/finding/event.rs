//! Events with the facts their guards ask for.

use super::machine::EventKind;
use crate::Refusal;
use crate::decision::Brief;
use crate::ids::{DecisionId, FindingId, HumanId, TeamId, named};
use plumb_model::{Outcome, Time};
use std::collections::BTreeMap;

/// A piece of evidence: where it is kept, what it hashes to, when and by whom it was captured.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EvidenceRef {
    /// Where it is kept.
    pub uri: String,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// When it was captured.
    pub captured_at: Time,
    /// By what.
    pub collector: String,
}

/// What one run saw of one finding.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Look {
    /// The run.
    pub run: String,
    /// When it started to look at this resource.
    pub started: Time,
    /// When it had looked.
    pub finished: Time,
    /// The verdict.
    pub outcome: Outcome,
    /// Whether every call the verdict rests on was answered in full.
    pub complete: bool,
}

impl Look {
    /// Whether this look is positive evidence that the problem is not there.
    pub fn proves_pass(&self) -> bool {
        self.outcome == Outcome::Pass && self.complete && self.started <= self.finished
    }
}

/// How something was fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RemedyKind {
    /// By hand.
    Manual,
    /// By a change in code.
    IacPatch,
    /// By an approved plan.
    Auto,
}
named!(RemedyKind, "remediation kind", { Manual => "manual", IacPatch => "iac-patch", Auto => "auto" });

/// A fix and where it can be read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Remedy {
    /// How.
    pub kind: RemedyKind,
    /// Commit, pull request, plan id or ticket.
    pub reference: String,
}

/// One complete or incomplete pass over an account, for resources that are gone.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Pass {
    /// The run.
    pub run: String,
    /// When it ended.
    pub at: Time,
    /// Whether the kind's listing was complete: nothing refused, throttled out or cut off.
    pub complete: bool,
}

/// What happened, with what its guard needs to know.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A run failed the rule. Evidence is stored first.
    Detect {
        /// Evidence already stored; at least one.
        evidence: Vec<EvidenceRef>,
    },
    /// Somebody looked.
    Triage {
        /// The owning team.
        team: Option<TeamId>,
        /// The owning person.
        person: Option<HumanId>,
    },
    /// Work starts.
    Start {
        /// Who works on it; the present owner if none.
        person: Option<HumanId>,
        /// Plan or ticket.
        plan: String,
    },
    /// Somebody says it is fixed.
    ClaimFixed {
        /// How.
        remedy: Remedy,
    },
    /// A retest was scheduled.
    ScheduleRetest {
        /// The job.
        job: String,
    },
    /// The retest passed.
    RetestPass {
        /// What it saw.
        look: Look,
        /// For event-driven rules: the pass before it.
        before: Option<Look>,
        /// Whether the rule is driven by events, so that one pass may be a moment between two changes.
        event_driven: bool,
    },
    /// The retest failed.
    RetestFail {
        /// What it saw.
        look: Look,
    },
    /// The retest could not tell.
    RetestUnknown {
        /// How many times in a row.
        in_a_row: u32,
        /// Why: `needs kms:GetKeyPolicy`.
        why: String,
    },
    /// A run passed though nobody claimed a fix, or while a decision was in force.
    ObservePass {
        /// What it saw.
        look: Look,
    },
    /// An exception (or deviation, or exposure approval) is asked for.
    RequestException {
        /// The request.
        decision: Brief,
    },
    /// A deferral is asked for.
    RequestDeferral {
        /// The request.
        decision: Brief,
    },
    /// Somebody says it is not true.
    RequestFp {
        /// The request.
        decision: Brief,
    },
    /// The decision is in force; caused by its last approver.
    Approve {
        /// The decision.
        decision: Brief,
    },
    /// An approver refused.
    Reject {
        /// The decision.
        decision: Brief,
        /// Why; at least 20 characters.
        note: String,
    },
    /// The requester took it back.
    Withdraw {
        /// The decision.
        decision: Brief,
        /// Why; at least 20 characters.
        note: String,
    },
    /// An approver agreed that it is not true.
    Confirm {
        /// The decision.
        decision: Brief,
        /// The rule's version it is bound to.
        rule_version: u32,
        /// The observed values it is bound to, as SHA-256.
        value_digest: String,
    },
    /// The decision's end came.
    Expire {
        /// The decision.
        decision: DecisionId,
        /// Its end.
        expired_at: Time,
    },
    /// One of its triggers fired.
    Trigger {
        /// The decision.
        decision: DecisionId,
        /// Which, with before and after.
        fired: String,
    },
    /// It came later and is covered by an exception (or deviation, or exposure approval) in force.
    CoverException {
        /// The decision, with how far it reaches.
        decision: Brief,
    },
    /// It came later and is covered by a deferral in force.
    CoverDeferral {
        /// The decision, with how far it reaches.
        decision: Brief,
    },
    /// It came later and is covered by what was confirmed not to be true.
    CoverFp {
        /// The decision, with how far it reaches.
        decision: Brief,
        /// The rule's version it is bound to.
        rule_version: u32,
        /// The observed values it is bound to, as SHA-256.
        value_digest: String,
    },
    /// An approver ended it.
    Revoke {
        /// The decision.
        decision: DecisionId,
        /// Why; at least 20 characters.
        note: String,
    },
    /// What a false positive was bound to changed.
    Change {
        /// `rule-version`, `observed-value` or `configuration`.
        what: String,
        /// Before.
        before: String,
        /// After.
        after: String,
    },
    /// Complete runs do not find the resource.
    ResourceGone {
        /// The runs; two complete ones are needed.
        passes: Vec<Pass>,
    },
    /// Another finding takes its place.
    Merge {
        /// That finding.
        into: FindingId,
        /// Whether it is on record.
        exists: bool,
        /// Whether it is in the same account.
        same_account: bool,
    },
}

impl Event {
    /// The event without its facts.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Detect { .. } => EventKind::Detect,
            Self::Triage { .. } => EventKind::Triage,
            Self::Start { .. } => EventKind::Start,
            Self::ClaimFixed { .. } => EventKind::ClaimFixed,
            Self::ScheduleRetest { .. } => EventKind::ScheduleRetest,
            Self::RetestPass { .. } => EventKind::RetestPass,
            Self::RetestFail { .. } => EventKind::RetestFail,
            Self::RetestUnknown { .. } => EventKind::RetestUnknown,
            Self::ObservePass { .. } => EventKind::ObservePass,
            Self::RequestException { .. } => EventKind::RequestException,
            Self::RequestDeferral { .. } => EventKind::RequestDeferral,
            Self::RequestFp { .. } => EventKind::RequestFp,
            Self::Approve { .. } => EventKind::Approve,
            Self::Reject { .. } => EventKind::Reject,
            Self::Withdraw { .. } => EventKind::Withdraw,
            Self::Confirm { .. } => EventKind::Confirm,
            Self::Expire { .. } => EventKind::Expire,
            Self::Trigger { .. } => EventKind::Trigger,
            Self::CoverException { .. } => EventKind::CoverException,
            Self::CoverDeferral { .. } => EventKind::CoverDeferral,
            Self::CoverFp { .. } => EventKind::CoverFp,
            Self::Revoke { .. } => EventKind::Revoke,
            Self::Change { .. } => EventKind::Change,
            Self::ResourceGone { .. } => EventKind::ResourceGone,
            Self::Merge { .. } => EventKind::Merge,
        }
    }

    /// Why people may not cause this event, where it is one that only runs cause: nobody closes a finding by hand.
    pub fn not_by_people(name: &str) -> Option<Refusal> {
        use EventKind as K;
        let kind: K = name.parse().ok()?;
        let people = matches!(
            kind,
            K::Triage
                | K::Start
                | K::ClaimFixed
                | K::Merge
                | K::RequestException
                | K::RequestDeferral
                | K::RequestFp
                | K::Approve
                | K::Reject
                | K::Withdraw
                | K::Confirm
                | K::Revoke
        );
        (!people).then(|| Refusal::NotByPeople { event: name.into() })
    }

    /// The event a person names on the command line or in a form, with its fields as text: `triage` (`team`, `person`),
    /// `start` (`person`, `plan`), `claim-fixed` (`kind`, `reference`).
    ///
    /// # Errors
    /// The name is no event, or one that people do not cause this way: requests and decisions go through the register,
    /// observations come from runs.
    pub fn by_hand(name: &str, fields: &BTreeMap<String, String>) -> Result<Self, String> {
        let kind: EventKind = name.parse().map_err(|_| {
            format!(
                "unknown event `{name}`; people say triage, start, claim-fixed or merge, and decide with `plumb exceptions …`"
            )
        })?;
        let text = |key: &str| fields.get(key).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        Ok(match kind {
            EventKind::Triage => {
                Self::Triage { team: text("team").map(TeamId::from), person: text("person").map(HumanId::from) }
            }
            EventKind::Start => Self::Start {
                person: text("person").map(HumanId::from),
                plan: text("plan").or_else(|| text("reason")).unwrap_or_default(),
            },
            EventKind::ClaimFixed => Self::ClaimFixed {
                remedy: Remedy {
                    kind: text("kind").as_deref().unwrap_or("manual").parse()?,
                    reference: text("reference").or_else(|| text("reason")).unwrap_or_default(),
                },
            },
            EventKind::RequestException
            | EventKind::RequestDeferral
            | EventKind::RequestFp
            | EventKind::Approve
            | EventKind::Reject
            | EventKind::Withdraw
            | EventKind::Confirm
            | EventKind::Revoke => return Err(format!("`{name}` goes through the register: `plumb exceptions …`")),
            EventKind::Merge => return Err("`merge` needs the other finding; name it with `--into`".into()),
            _ => return Err(format!("`{name}` comes from runs, not from people")),
        })
    }
}
