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
        // Asked for every comparison: one walk over the bytes.
        let rest = text.strip_prefix("arn:")?;
        let mut parts = ["arn", "", "", "", "", ""];
        let mut from = 0;
        let mut next = 1;
        for (at, byte) in rest.bytes().enumerate() {
            if byte == b':' {
                *parts.get_mut(next)? = rest.get(from..at)?;
                (from, next) = (at + 1, next + 1);
                if next == 5 {
                    break;
                }
            }
        }
        if next < 5 {
            return None;
        }
        parts[5] = rest.get(from..)?;
        Some(Self { parts })
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

#[cfg(test)]
mod tests {
    use super::Arn;

    #[test]
    fn six_parts_and_whatever_follows() {
        let parts = |text| Arn::parse(text).map(|a| a.parts);
        assert_eq!(parts("arn:aws:s3:::b/k:v"), Some(["arn", "aws", "s3", "", "", "b/k:v"]));
        assert_eq!(parts("arn:aws:sqs:eu-west-1:1:"), Some(["arn", "aws", "sqs", "eu-west-1", "1", ""]));
        assert_eq!(parts("arn:aws:lambda:r:1:function:f:1"), Some(["arn", "aws", "lambda", "r", "1", "function:f:1"]));
        for text in ["", "arn", "arn:aws:s3::", "ARN:aws:s3:::b", "xarn:aws:s3:::b", "*"] {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
