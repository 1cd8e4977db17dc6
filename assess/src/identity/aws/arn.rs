//! Amazon Resource Names, split the way IAM compares them.

/// The six parts of an ARN, borrowed: `arn:partition:service:region:account:resource`.
///
/// The resource part keeps every further colon and slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    /// The parts in order; the first is always `arn`.
    pub parts: [&'a str; 6],
}

impl<'a> Arn<'a> {
    /// Splits `text`; none when it has fewer than six parts or does not begin with `arn`.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = [""; 6];
        let mut pieces = text.splitn(6, ':');
        for part in &mut parts {
            *part = pieces.next()?;
        }
        (parts[0] == "arn").then_some(Self { parts })
    }

    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub fn partition(&self) -> &'a str {
        self.parts[1]
    }

    /// The service as the ARN spells it: `s3`, `iam`.
    pub fn service(&self) -> &'a str {
        self.parts[2]
    }

    /// The region, empty for global resources.
    pub fn region(&self) -> &'a str {
        self.parts[3]
    }

    /// The account id, empty where the ARN carries none (S3 buckets).
    pub fn account(&self) -> &'a str {
        self.parts[4]
    }

    /// Everything after the fifth colon.
    pub fn resource(&self) -> &'a str {
        self.parts[5]
    }

    /// The last segment of the resource, after any path: the name of a role or user.
    pub fn name(&self) -> &'a str {
        self.parts[5].rsplit('/').next().unwrap_or_default()
    }
}

/// Whether `text` is a twelve-digit account id.
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}
