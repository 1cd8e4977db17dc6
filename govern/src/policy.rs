//! The tunable part of governance, versioned: every transition, clock and decision names the version it used.

use crate::ids::named;

/// How soon a finding wants attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Lane 0.
    ActNow,
    /// Lane 1.
    Urgent,
    /// Lane 2.
    Planned,
    /// Lane 3.
    Watch,
}
named!(Lane, "lane", { ActNow => "act-now", Urgent => "urgent", Planned => "planned", Watch => "watch" });

impl Lane {
    /// The lane with this number; 3 for any number above.
    pub fn from_number(n: u8) -> Self {
        match n {
            0 => Self::ActNow,
            1 => Self::Urgent,
            2 => Self::Planned,
            _ => Self::Watch,
        }
    }

    /// 0 for act-now to 3 for watch.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// How much an account matters. Ordered from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Short-lived trials.
    Experimental,
    /// Play.
    Sandbox,
    /// Before production.
    Staging,
    /// Nobody has said; treated as worse than staging.
    Unknown,
    /// Serves customers.
    Production,
    /// What the company cannot be without.
    Tier1,
}
named!(Tier, "tier", {
    Experimental => "experimental", Sandbox => "sandbox", Staging => "staging", Unknown => "unknown",
    Production => "production", Tier1 => "tier1",
});

/// What kind of data a resource or account holds. Ordered from least to most protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataClass {
    /// Published on purpose.
    Public,
    /// Everyday company data.
    Internal,
    /// Nobody has said.
    Unknown,
    /// Confidential or under contract.
    Confidential,
    /// About people.
    Personal,
    /// Under another regulation.
    RegulatedOther,
    /// Payment data.
    RegulatedPayment,
    /// Health data.
    RegulatedHealth,
}
named!(DataClass, "data class", {
    Public => "public", Internal => "internal", Unknown => "unknown", Confidential => "confidential",
    Personal => "personal", RegulatedOther => "regulated-other", RegulatedPayment => "regulated-payment",
    RegulatedHealth => "regulated-health",
});

impl DataClass {
    /// Whether a regulation speaks about it.
    pub fn is_regulated(self) -> bool {
        self >= Self::RegulatedOther
    }
}

/// Switches and limits of governance. A change is a new version, approved by two people; never an edit in place.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// `govern/1.0.0`.
    pub version: String,
    /// Days to due, by lane and then by column: tier1, production, staging and unknown, sandbox and experimental.
    pub sla_days: [[Option<u16>; 4]; 4],
    /// How many days a decision may last, by lane; tier1 halves it.
    pub decision_days: [u16; 4],
    /// A deferral ends after at most this many days.
    pub deferral_days: u16,
    /// A decision longer than this many days needs two approvers.
    pub second_approver_days: u16,
    /// A decision on what will match later lasts at most this many days.
    pub future_match_days: u16,
    /// An exposure is approved for at most this many days.
    pub exposure_days: u16,
    /// The same for anonymous reach of regulated data, which needs two approvers.
    pub exposure_regulated_days: u16,
    /// A planned exposure must be seen within this many days.
    pub pre_approval_days: u16,
    /// An exposure nobody decided on for this many days raises a finding.
    pub exposure_undecided_days: u16,
    /// Exposures are confirmed this often.
    pub exposure_confirm_days: u16,
    /// How old a second factor may be for decisions, in minutes.
    pub mfa_minutes: i64,
    /// Whether one person may be admin and approver; printed in every bundle.
    pub allow_admin_approver: bool,
    /// A waiting request stops the clock for at most this many working days.
    pub waiting_pause_working_days: u16,
    /// A rejected text may be sent again after this many days.
    pub rerequest_days: u16,
    /// A finding detected again this soon after closing is a regression.
    pub regression_days: u16,
    /// Two passes of an event-driven rule must lie this many minutes apart.
    pub event_pass_minutes: i64,
}

impl Default for Policy {
    fn default() -> Self {
        let row = |a, b, c, d| [Some(a), Some(b), Some(c), Some(d)];
        Self {
            version: "govern/1.0.0".into(),
            sla_days: [
                row(1, 2, 7, 14),
                row(7, 14, 30, 60),
                row(30, 45, 90, 120),
                [Some(90), Some(120), Some(180), None],
            ],
            decision_days: [30, 90, 180, 365],
            deferral_days: 90,
            second_approver_days: 180,
            future_match_days: 90,
            exposure_days: 180,
            exposure_regulated_days: 30,
            pre_approval_days: 14,
            exposure_undecided_days: 3,
            exposure_confirm_days: 90,
            mfa_minutes: 15,
            allow_admin_approver: false,
            waiting_pause_working_days: 5,
            rerequest_days: 7,
            regression_days: 90,
            event_pass_minutes: 15,
        }
    }
}

impl Policy {
    /// Days to due for a lane, tier and the data classes in play; none where the table promises nothing.
    /// Regulated data takes one column to the left.
    pub fn sla_days_for(&self, lane: Lane, tier: Tier, regulated: bool) -> Option<u16> {
        let column: usize = match tier {
            Tier::Tier1 => 0,
            Tier::Production => 1,
            Tier::Staging | Tier::Unknown => 2,
            Tier::Sandbox | Tier::Experimental => 3,
        };
        let column = if regulated { column.saturating_sub(1) } else { column };
        self.sla_days.get(usize::from(lane.number()))?.get(column).copied().flatten()
    }

    /// How many days a decision on a finding in `lane` and `tier` may last.
    pub fn decision_days_for(&self, lane: Lane, tier: Tier) -> i64 {
        let days = i64::from(self.decision_days.get(usize::from(lane.number())).copied().unwrap_or(0));
        if tier == Tier::Tier1 { days / 2 } else { days }
    }
}
