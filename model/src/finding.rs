//! The outward name of a finding: stable under everything that may change.

use crate::{AccountId, ResourceId, RuleId};
use sha2::{Digest, Sha256};
use std::fmt;

/// SHA-256 over `v1`, rule, account, resource and sub key.
///
/// INVARIANT: nothing that can change while the problem stays the same goes in: no title, value, time, severity,
/// region name or position in a list. The parts are separated by a NUL, which none of them may contain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingKey([u8; 32]);

/// Crockford's alphabet: no I, L, O or U, so that ids survive being read aloud.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const HEX: &[u8; 16] = b"0123456789abcdef";

impl FindingKey {
    /// The key of the finding of `rule` on `resource` in `account`; `sub_key` names a part of the resource, or is empty.
    pub fn new(rule: &RuleId, account: &AccountId, resource: &ResourceId, sub_key: &str) -> Self {
        let mut hash = Sha256::new();
        for part in ["v1", rule.as_str(), account.as_str(), resource.as_str(), sub_key] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        Self(hash.finalize().into())
    }

    /// The 32 bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What people type: `F-` and the first ten characters (50 bits) in Crockford's base 32.
    pub fn short(&self) -> String {
        let mut bits = self.0.iter().take(8).fold(0u64, |acc, b| acc << 8 | u64::from(*b));
        let mut out = String::with_capacity(12);
        out.push_str("F-");
        for _ in 0..10 {
            out.push(char::from(ALPHABET[(bits >> 59) as usize]));
            bits <<= 5;
        }
        out
    }

    /// The whole key in lower-case hexadecimal, 64 characters.
    pub fn hex(&self) -> String {
        let mut out = vec![0_u8; 64];
        for (pair, b) in out.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]);
        }
        String::from_utf8(out).unwrap_or_default()
    }
}

impl fmt::Display for FindingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl fmt::Debug for FindingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(rule: &str, account: &str, resource: &str, sub: &str) -> FindingKey {
        FindingKey::new(&rule.into(), &account.into(), &resource.into(), sub)
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(key("a", "b", "c", "d"), key("a", "bc", "", "d"));
        assert_ne!(key("a", "b", "c", ""), key("a", "b", "", "c"));
    }

    #[test]
    fn the_key_is_the_same_for_ever() {
        let k = key("aws.sqs.queue.encrypted-at-rest", "100000000001", "arn:aws:sqs:us-east-1:100000000001:orders", "");
        assert_eq!(k.short().len(), 12);
        assert_eq!(k.hex(), "249c1870ac23b85b6f17e47b4f678e82fff76d2ef7c303359f718057ce1b3026");
    }
}
