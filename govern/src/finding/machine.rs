//! The state machine: fourteen states, twenty-three numbered steps, and nothing else.

use crate::ids::named;

/// Where a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Detected; nobody has looked.
    Open,
    /// Somebody looked and it has an owner.
    Triaged,
    /// Somebody works on it.
    InRemediation,
    /// Somebody says it is fixed.
    FixedClaimed,
    /// A run will tell.
    RetestPending,
    /// A run has told. Final.
    Fixed,
    /// An exception was asked for.
    ExceptionRequested,
    /// An exception is in force.
    Accepted,
    /// A deferral was asked for.
    DeferralRequested,
    /// Deferred to a date, with a trigger.
    Deferred,
    /// Somebody says it is not true.
    FpRequested,
    /// An approver agreed that it is not true. Final until the rule, the value or the resource changes.
    FalsePositive,
    /// Two complete runs did not find the resource any more. Final.
    ResourceGone,
    /// Another finding took its place. Final.
    Superseded,
}
named!(State, "state", {
    Open => "open", Triaged => "triaged", InRemediation => "in-remediation", FixedClaimed => "fixed-claimed",
    RetestPending => "retest-pending", Fixed => "fixed", ExceptionRequested => "exception-requested",
    Accepted => "accepted", DeferralRequested => "deferral-requested", Deferred => "deferred",
    FpRequested => "fp-requested", FalsePositive => "false-positive", ResourceGone => "resource-gone",
    Superseded => "superseded",
});

impl State {
    /// Whether only a new detection (or, for a false positive, a change) leaves it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Fixed | Self::FalsePositive | Self::ResourceGone | Self::Superseded)
    }

    /// Whether a decision is being waited for.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::ExceptionRequested | Self::DeferralRequested | Self::FpRequested)
    }

    /// Whether the finding counts as open work, undecided.
    pub fn is_open(self) -> bool {
        !self.is_final() && !matches!(self, Self::Accepted | Self::Deferred)
    }

    /// The workflow status Security Hub knows.
    pub fn security_hub(self) -> &'static str {
        match self {
            Self::Open => "NEW",
            Self::Fixed | Self::ResourceGone | Self::Superseded => "RESOLVED",
            Self::Accepted | Self::Deferred | Self::FalsePositive => "SUPPRESSED",
            _ => "NOTIFIED",
        }
    }

    /// The OCSF `status_id`: 1 new, 2 in progress, 3 suppressed, 4 resolved.
    pub fn ocsf(self) -> u8 {
        match self.security_hub() {
            "NEW" => 1,
            "NOTIFIED" => 2,
            "SUPPRESSED" => 3,
            _ => 4,
        }
    }

    /// The OSCAL risk status.
    pub fn oscal(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Triaged => "investigating",
            Self::InRemediation | Self::FixedClaimed | Self::RetestPending => "remediating",
            Self::ExceptionRequested | Self::DeferralRequested | Self::FpRequested => "deviation-requested",
            Self::Accepted | Self::Deferred => "deviation-approved",
            Self::Fixed | Self::FalsePositive | Self::ResourceGone | Self::Superseded => "closed",
        }
    }
}

/// What can happen to a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A run failed the rule on the resource.
    Detect,
    /// Somebody looked and named an owner.
    Triage,
    /// Work starts.
    Start,
    /// Somebody says it is fixed.
    ClaimFixed,
    /// A retest was scheduled.
    ScheduleRetest,
    /// The retest passed.
    RetestPass,
    /// The retest failed.
    RetestFail,
    /// The retest could not tell, three times in a row.
    RetestUnknown,
    /// A run passed though nobody claimed a fix.
    ObservePass,
    /// An exception is asked for.
    RequestException,
    /// A deferral is asked for.
    RequestDeferral,
    /// Somebody says it is not true.
    RequestFp,
    /// The decision asked for is in force.
    Approve,
    /// An approver refused.
    Reject,
    /// The requester took the request back.
    Withdraw,
    /// An approver agreed that it is not true.
    Confirm,
    /// The decision's end came.
    Expire,
    /// One of the decision's triggers fired.
    Trigger,
    /// An exception in force covers what comes later, and this came later.
    CoverException,
    /// The same of a deferral.
    CoverDeferral,
    /// The same of what was confirmed not to be true.
    CoverFp,
    /// An approver ended the decision.
    Revoke,
    /// The rule's version, the observed value or the configuration changed.
    Change,
    /// Complete runs do not find the resource any more.
    ResourceGone,
    /// Another finding takes its place.
    Merge,
}
named!(EventKind, "event", {
    Detect => "detect", Triage => "triage", Start => "start", ClaimFixed => "claim-fixed",
    ScheduleRetest => "schedule-retest", RetestPass => "retest-pass", RetestFail => "retest-fail",
    RetestUnknown => "retest-unknown", ObservePass => "observe-pass", RequestException => "request-exception",
    RequestDeferral => "request-deferral", RequestFp => "request-fp", Approve => "approve", Reject => "reject",
    Withdraw => "withdraw", Confirm => "confirm", Expire => "expire", Trigger => "trigger",
    CoverException => "cover-exception", CoverDeferral => "cover-deferral", CoverFp => "cover-fp", Revoke => "revoke",
    Change => "change", ResourceGone => "resource-gone", Merge => "merge",
});

/// Who may cause an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The product.
    System,
    /// The product or an import.
    Observer,
    /// A person who may work here.
    Engineer,
    /// A person who may decide here.
    Approver,
    /// The person who asked.
    Requester,
}
named!(Who, "who", {
    System => "system", Observer => "observer", Engineer => "engineer", Approver => "approver", Requester => "requester",
});

/// One way a finding may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// T1 to T23; several rows share a number when several events take the same step.
    pub number: u8,
    /// From these states; empty means the finding does not exist yet.
    pub from: &'static [State],
    /// On this event.
    pub event: EventKind,
    /// To this state.
    pub to: State,
    /// Caused by.
    pub who: Who,
}

use EventKind as E;
use State as S;

const WORK: &[S] = &[S::Open, S::Triaged, S::InRemediation];
const ASKED: &[S] = &[S::ExceptionRequested, S::DeferralRequested, S::FpRequested];
const NON_FINAL: &[S] = &[
    S::Open,
    S::Triaged,
    S::InRemediation,
    S::FixedClaimed,
    S::RetestPending,
    S::ExceptionRequested,
    S::Accepted,
    S::DeferralRequested,
    S::Deferred,
    S::FpRequested,
];
const ANY: &[S] = &[
    S::Open,
    S::Triaged,
    S::InRemediation,
    S::FixedClaimed,
    S::RetestPending,
    S::Fixed,
    S::ExceptionRequested,
    S::Accepted,
    S::DeferralRequested,
    S::Deferred,
    S::FpRequested,
    S::FalsePositive,
    S::ResourceGone,
];

const fn row(number: u8, from: &'static [S], event: E, to: S, who: Who) -> Row {
    Row { number, from, event, to, who }
}

/// Every step there is. What is not here is refused.
///
/// T12 speaks of all three kinds of request, and T16 of revoking too: else a refused or unwanted deferral would have
/// no way out. T11, T15 and T18 have a second way in: what a decision in force covers although it came later, which the
/// product brings under it without a request of its own. T23 does not merge a finding that was merged already.
pub const TABLE: &[Row] = &[
    row(1, &[], E::Detect, S::Open, Who::Observer),
    row(2, &[S::Open], E::Triage, S::Triaged, Who::Engineer),
    row(3, &[S::Open, S::Triaged], E::Start, S::InRemediation, Who::Engineer),
    row(4, &[S::InRemediation], E::ClaimFixed, S::FixedClaimed, Who::Engineer),
    row(5, &[S::FixedClaimed], E::ScheduleRetest, S::RetestPending, Who::System),
    row(6, &[S::RetestPending], E::RetestPass, S::Fixed, Who::System),
    row(7, &[S::RetestPending], E::RetestFail, S::InRemediation, Who::System),
    row(8, &[S::RetestPending], E::RetestUnknown, S::Triaged, Who::System),
    row(9, WORK, E::ObservePass, S::RetestPending, Who::System),
    row(10, WORK, E::RequestException, S::ExceptionRequested, Who::Engineer),
    row(11, &[S::ExceptionRequested], E::Approve, S::Accepted, Who::Approver),
    row(11, WORK, E::CoverException, S::Accepted, Who::System),
    row(12, ASKED, E::Reject, S::Triaged, Who::Approver),
    row(12, ASKED, E::Withdraw, S::Triaged, Who::Requester),
    row(13, &[S::Accepted], E::Expire, S::Open, Who::System),
    row(13, &[S::Accepted], E::Trigger, S::Open, Who::System),
    row(13, &[S::Accepted], E::Revoke, S::Open, Who::Approver),
    row(14, WORK, E::RequestDeferral, S::DeferralRequested, Who::Engineer),
    row(15, &[S::DeferralRequested], E::Approve, S::Deferred, Who::Approver),
    row(15, WORK, E::CoverDeferral, S::Deferred, Who::System),
    row(16, &[S::Deferred], E::Expire, S::Triaged, Who::System),
    row(16, &[S::Deferred], E::Trigger, S::Triaged, Who::System),
    row(16, &[S::Deferred], E::Revoke, S::Triaged, Who::Approver),
    row(17, WORK, E::RequestFp, S::FpRequested, Who::Engineer),
    row(18, &[S::FpRequested], E::Confirm, S::FalsePositive, Who::Approver),
    row(18, WORK, E::CoverFp, S::FalsePositive, Who::System),
    row(19, &[S::FalsePositive], E::Change, S::Open, Who::System),
    row(20, &[S::Fixed, S::ResourceGone, S::Superseded], E::Detect, S::Open, Who::Observer),
    row(21, NON_FINAL, E::ResourceGone, S::ResourceGone, Who::System),
    row(22, &[S::Accepted, S::Deferred], E::ObservePass, S::Fixed, Who::System),
    row(23, ANY, E::Merge, S::Superseded, Who::Engineer),
];

/// The row for an event in a state; `None` for a finding that does not exist yet.
pub fn find(from: Option<State>, event: EventKind) -> Option<&'static Row> {
    TABLE.iter().find(|r| r.event == event && from.map_or(r.from.is_empty(), |s| r.from.contains(&s)))
}

/// What may happen in a state.
pub fn possible(from: Option<State>) -> impl Iterator<Item = EventKind> {
    TABLE.iter().filter(move |r| from.map_or(r.from.is_empty(), |s| r.from.contains(&s))).map(|r| r.event)
}
