//! Why the record says no. Every refusal is an activity entry too.

use crate::ids::HumanId;

/// One field that is missing or wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// The field: `justification`.
    pub field: String,
    /// What would be right: `at least 50 characters`.
    pub right: String,
}

impl Problem {
    /// A problem with `field`.
    pub fn new(field: impl Into<String>, right: impl Into<String>) -> Self {
        Self { field: field.into(), right: right.into() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.right)
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A refused attempt to change the record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Refusal {
    /// The state machine has no such step.
    #[error("`{event}` cannot follow `{from}`; possible there: {possible}")]
    NotInTable {
        /// The state.
        from: String,
        /// What was tried.
        event: String,
        /// What would be possible, as a list of names.
        possible: String,
    },
    /// The actor may not do this here.
    #[error("`{act}` needs {needs}; {actor} is {has} here")]
    NotAllowed {
        /// What was tried.
        act: String,
        /// Roles that may.
        needs: String,
        /// Who tried.
        actor: String,
        /// The roles the actor has here.
        has: String,
    },
    /// Only runs cause this: nobody closes a finding by hand.
    #[error("`{event}` comes from runs, not from people")]
    NotByPeople {
        /// What was tried.
        event: String,
    },
    /// Who acts is nobody who may act at all.
    #[error("{why}")]
    Unidentified {
        /// Why not.
        why: String,
    },
    /// The second factor is too old.
    #[error("`{act}` needs a second factor not older than {minutes} minutes; sign in again")]
    SecondFactor {
        /// What was tried.
        act: String,
        /// The limit.
        minutes: i64,
    },
    /// Nobody decides their own request, by whatever login.
    #[error("{human} has asked for this or taken part already; another person must decide")]
    SamePerson {
        /// The human.
        human: HumanId,
    },
    /// Nobody decides about a resource of their own.
    #[error("{human} owns the resource; another approver must decide")]
    OwnResource {
        /// The human.
        human: HumanId,
    },
    /// Holding admin and approver at once is not allowed by policy.
    #[error(
        "{human} is admin and approver at once; policy `allow_admin_approver` is off, so another approver must decide"
    )]
    AdminDecides {
        /// The human.
        human: HumanId,
    },
    /// Facts are missing or wrong.
    #[error("incomplete: {}", list(problems))]
    Incomplete {
        /// Each of them.
        problems: Vec<Problem>,
    },
    /// There is no positive evidence for what is claimed.
    #[error("not proven: {why}")]
    NotProven {
        /// What is missing.
        why: String,
    },
    /// Somebody else changed the row meanwhile.
    #[error("changed meanwhile: version {read} was read, version {found} is on record; read again")]
    Stale {
        /// The version the caller read.
        read: u64,
        /// The version on record.
        found: u64,
    },
    /// The object is not in a state that allows this.
    #[error("{what} is {is}, not {needs}")]
    Status {
        /// The object: `EX-2026-000001`.
        what: String,
        /// Its status.
        is: String,
        /// The status that is needed.
        needs: String,
    },
}

impl Refusal {
    /// One missing or wrong field.
    pub fn field(field: impl Into<String>, right: impl Into<String>) -> Self {
        Self::Incomplete { problems: vec![Problem::new(field, right)] }
    }

    /// No positive evidence.
    pub fn not_proven(why: impl Into<String>) -> Self {
        Self::NotProven { why: why.into() }
    }

    /// The stable code of the kind of refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotInTable { .. } => "not-in-table",
            Self::NotAllowed { .. } => "not-allowed",
            Self::NotByPeople { .. } => "not-by-people",
            Self::Unidentified { .. } => "unidentified",
            Self::SecondFactor { .. } => "second-factor",
            Self::SamePerson { .. } => "same-person",
            Self::OwnResource { .. } => "own-resource",
            Self::AdminDecides { .. } => "admin-decides",
            Self::Incomplete { .. } => "incomplete",
            Self::NotProven { .. } => "not-proven",
            Self::Stale { .. } => "stale",
            Self::Status { .. } => "status",
        }
    }
}
