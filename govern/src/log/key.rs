//! Signing keys. Their bytes come from the caller: this crate has no source of randomness.

use super::{merkle, text};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};

/// A key that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an Ed25519 public key; 32 bytes in base 64 or hexadecimal")]
pub struct KeyError(String);

/// The installation's private key. Printing it shows only its fingerprint.
#[derive(Clone)]
pub struct SealKey(SigningKey);

impl SealKey {
    /// The key made from 32 bytes of the operating system's randomness, or of a key file.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// An Ed25519 signature.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealKey({})", self.public().fingerprint())
    }
}

/// A public key. Written as base 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// SHA-256 of the 32 bytes, hexadecimal; shown in the product and printed in each bundle.
    pub fn fingerprint(&self) -> String {
        text::hex(&merkle::sha256(self.0.as_bytes()))
    }

    /// Whether `sig` is this key's signature of `message`.
    pub fn verifies(&self, message: &[u8], sig: &[u8]) -> bool {
        let Ok(sig) = ed25519_dalek::Signature::from_slice(sig) else { return false };
        self.0.verify_strict(message, &sig).is_ok()
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&text::base64(self.0.as_bytes()))
    }
}

impl std::str::FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(given: &str) -> Result<Self, KeyError> {
        let given = given.trim();
        let wrong = || KeyError(given.into());
        let bytes = text::unhex::<32>(given).or_else(|| text::unbase64(given)?.try_into().ok()).ok_or_else(wrong)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| wrong())
    }
}

impl serde::Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> serde::Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}
