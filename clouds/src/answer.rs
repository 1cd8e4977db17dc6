//! What a call comes back with.

use plumb_model::{Reason, Unknown};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One answer of a provider. Only [`Answer::Page`] carries data; every other one says why there is none.
///
/// Messages are the provider's own words, cut to a line, without credentials or encoded authorization details.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Answer {
    /// One page of the answer, in the member names of the provider's model.
    Page {
        /// The document.
        page: Value,
    },
    /// The thing asked for is not configured (a bucket without a policy). A fact, not a gap.
    Absent {
        /// The code the caller had declared to mean this.
        code: String,
    },
    /// The resource was deleted while the scan ran.
    Gone {
        /// The code the caller had declared to mean this.
        code: String,
    },
    /// There is no such service in the region: the provider's endpoint data does not have it there, and nobody answers. A
    /// fact, not a gap.
    NotOffered {
        /// What happened when it was tried all the same.
        message: String,
    },
    /// The provider refused.
    Denied {
        /// The action a policy would have to allow: `s3:GetBucketPolicyStatus`.
        permission: String,
        /// The provider's code.
        code: String,
        /// What it said.
        message: String,
    },
    /// The provider kept throttling, or the time for this service was used up, before there was an answer.
    ThrottledOut {
        /// What happened.
        message: String,
    },
    /// Pages are missing: earlier ones may have come, the rest did not.
    Truncated {
        /// What happened.
        message: String,
    },
    /// The region or the service is not enabled for the account, not offered there, or out of reach.
    Disabled {
        /// The provider's code, or `unreachable`.
        code: String,
        /// What it said.
        message: String,
    },
    /// The answer could not be understood, the request could not be made, or the provider failed.
    Broken {
        /// The provider's code, or what kind of failure: `malformed`, `timeout`, `not recorded`, `credentials` …
        code: String,
        /// What happened.
        message: String,
    },
}

impl Answer {
    /// A failure on this side of the wire.
    pub(crate) fn broken(code: &str, message: impl Into<String>) -> Self {
        Self::Broken { code: code.to_owned(), message: message.into() }
    }

    /// The stable name of the class: `page`, `absent`, `denied` …
    pub fn name(&self) -> &'static str {
        match self {
            Self::Page { .. } => "page",
            Self::Absent { .. } => "absent",
            Self::Gone { .. } => "gone",
            Self::NotOffered { .. } => "not_offered",
            Self::Denied { .. } => "denied",
            Self::ThrottledOut { .. } => "throttled_out",
            Self::Truncated { .. } => "truncated",
            Self::Disabled { .. } => "disabled",
            Self::Broken { .. } => "broken",
        }
    }

    /// The gap this answer leaves, for the fields the call would have fed; none for a page and for what is absent,
    /// gone or not offered, which are facts. `call` is written as in a kind: `kms:GetKeyRotationStatus`.
    pub fn unknown(&self, call: &str) -> Option<Unknown> {
        let (reason, permission, detail) = match self {
            Self::Page { .. } | Self::Absent { .. } | Self::Gone { .. } | Self::NotOffered { .. } => return None,
            Self::Denied { permission, message, .. } => (Reason::Denied, permission.clone(), message.clone()),
            Self::ThrottledOut { message } => (Reason::Throttled, String::new(), message.clone()),
            Self::Truncated { message } => (Reason::Truncated, String::new(), message.clone()),
            Self::Disabled { code, message } => (Reason::Disabled, String::new(), join(code, message)),
            Self::Broken { code, message } => (Reason::Broken, String::new(), join(code, message)),
        };
        Some(Unknown { reason, call: call.to_owned(), permission, detail, text: None })
    }
}

fn join(code: &str, message: &str) -> String {
    if message.is_empty() { code.to_owned() } else { format!("{code}: {message}") }
}
