//! Verification: edits, deletions, insertions, reordering, truncation; the first broken entry is named.

use super::merkle::{self, Frontier, Hash};
use super::{Checkpoint, Entry, Head, PublicKey, Sealed, text};
use std::collections::BTreeMap;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[serde(tag = "problem", rename_all = "kebab-case")]
pub enum Why {
    /// The line is no entry.
    #[error("is not an entry of this log")]
    NotAnEntry,
    /// Same content, other bytes.
    #[error("is not in canonical form")]
    NotCanonical,
    /// The content was edited.
    #[error("was altered: its content hashes to {found}, {stored} was recorded")]
    Altered {
        /// The hash that was recorded.
        stored: String,
        /// The hash of what is there.
        found: String,
    },
    /// Entries are missing, added or out of order.
    #[error("should be here, but entry {found} is: something was deleted, inserted or reordered")]
    OutOfOrder {
        /// The number found in its place.
        found: u64,
    },
    /// The next entry does not carry this one's hash.
    #[error("was altered or replaced: the entry after it recorded another hash")]
    ChainBroken,
    /// The first entry does not follow the one before the part that is checked.
    #[error("does not follow the entry before this part of the log")]
    StartBroken,
    /// Everything is consistent in itself, but not what was signed.
    #[error("or a later one up to entry {last} was rewritten: the tree is not the one that was signed")]
    Rewritten {
        /// The last entry the checkpoint covers.
        last: u64,
    },
    /// A checkpoint or the recorded head covers entries that are not there.
    #[error("and what follows is cut off: {size} entries are on record elsewhere")]
    Truncated {
        /// How many there should be.
        size: u64,
    },
    /// There are more entries than the head says.
    #[error("is one too many: the recorded head ends before it")]
    BeyondHead,
    /// A checkpoint's signature does not verify, or no trusted key signed it.
    #[error("is the end of a checkpoint that no trusted key has signed")]
    Unsigned,
    /// A checkpoint is malformed, of another log, or lies before the part that is checked.
    #[error("is the end of a checkpoint that is malformed or of another log")]
    BadCheckpoint,
}

/// The first entry that is broken, counted from 0, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("entry {index} {why}")]
pub struct Broken {
    /// Its number.
    pub index: u64,
    /// What is wrong with it.
    pub why: Why,
}

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Entries that were read, all sound.
    pub entries: u64,
    /// Checkpoints that were read, all sound.
    pub checkpoints: usize,
    /// Entries after the last checkpoint: chained, but not yet signed.
    pub unsigned_tail: u64,
    /// Where the log stands.
    pub head: Head,
    /// Fingerprints of the keys that signed.
    pub keys: Vec<String>,
}

/// The keys to check with.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    trusted: BTreeMap<String, PublicKey>,
    offered: BTreeMap<String, PublicKey>,
}

impl Keys {
    /// Keys one trusts because their fingerprints came by another way.
    pub fn trusted(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        let trusted = keys.into_iter().map(|k| (k.fingerprint(), k)).collect();
        Self { trusted, offered: BTreeMap::new() }
    }

    /// Adds keys that become trusted when one that already is signs a checkpoint together with them (rotation).
    #[must_use]
    pub fn offering(mut self, keys: impl IntoIterator<Item = PublicKey>) -> Self {
        self.offered.extend(keys.into_iter().map(|k| (k.fingerprint(), k)));
        self
    }

    /// Learns the keys before those one trusts: who signed together with a trusted key signed for everything up to there.
    #[must_use]
    pub fn vouching_back(mut self, checkpoints: &[Checkpoint]) -> Self {
        let mut points: Vec<&Checkpoint> = checkpoints.iter().filter(|c| c.signatures.len() > 1).collect();
        points.sort_by_key(|c| std::cmp::Reverse(c.size));
        for point in points {
            self.accept(point);
        }
        self
    }

    /// The trusted key with this fingerprint.
    pub fn get(&self, fingerprint: &str) -> Option<&PublicKey> {
        self.trusted.get(fingerprint)
    }

    /// Whether a trusted key signed; learns co-signing keys.
    fn accept(&mut self, point: &Checkpoint) -> bool {
        let note = point.note();
        let holds = |key: &PublicKey, sig: &str| text::unbase64(sig).is_some_and(|s| key.verifies(note.as_bytes(), &s));
        let mut good = false;
        for s in &point.signatures {
            if let Some(key) = self.trusted.get(&s.key) {
                if !holds(key, &s.sig) {
                    return false;
                }
                good = true;
            }
        }
        if good {
            for s in &point.signatures {
                if let Some(key) = self.offered.get(&s.key).filter(|k| holds(k, &s.sig)) {
                    self.trusted.insert(s.key.clone(), *key);
                }
            }
        }
        good
    }
}

/// Checks a log, or the part of it that begins at `start`: every entry's form, hash and link, every checkpoint's tree
/// and signature, and, if the caller knows where the log ends (from the store, or from a copy elsewhere), its end.
///
/// Reads each entry once and keeps only the frontier of the tree: memory does not grow with the log.
///
/// # Errors
/// The first [`Broken`] entry.
pub fn verify(
    start: &Head,
    entries: impl IntoIterator<Item = Sealed>,
    checkpoints: &[Checkpoint],
    mut keys: Keys,
    end: Option<&Head>,
) -> Result<Report, Broken> {
    let broken = |index: u64, why: Why| Broken { index, why };
    let (mut tree, mut prev) = start.parts().ok_or_else(|| broken(start.size, Why::BadCheckpoint))?;
    let mut points: Vec<&Checkpoint> = checkpoints.iter().collect();
    points.sort_by_key(|c| c.size);
    let origin = points.first().map(|c| c.origin.clone());
    let mut signed = start.size;
    let mut rest = points.iter().peekable();
    let mut signers: Vec<String> = Vec::new();
    let mut at_point = |tree: &Frontier, signed: &mut u64| -> Result<(), Broken> {
        while let Some(point) = rest.next_if(|c| c.size <= tree.size()) {
            let last = point.size.saturating_sub(1);
            if point.size < tree.size() || Some(&point.origin) != origin.as_ref() || point.origin.contains('\n') {
                return Err(broken(last, Why::BadCheckpoint));
            }
            if !keys.accept(point) {
                return Err(broken(last, Why::Unsigned));
            }
            if text::unbase64(&point.root).as_deref() != Some(&tree.root()) {
                return Err(broken(*signed, Why::Rewritten { last }));
            }
            signers.extend(point.signatures.iter().map(|s| s.key.clone()));
            *signed = point.size;
        }
        Ok(())
    };
    at_point(&tree, &mut signed)?;
    let mut buffer = Vec::with_capacity(1024);
    let mut count = 0u64;
    let mut rewritten: Option<Broken> = None;
    for sealed in entries {
        let index = tree.size();
        let link = step(&sealed, index, &prev, start.size, &mut buffer);
        if let Some(vague) = rewritten {
            // The tree was wrong at the entry before; if the chain breaks there too, it names the very entry.
            return Err(link.err().filter(|b| b.why == Why::ChainBroken).unwrap_or(vague));
        }
        link?;
        prev = sealed.hash;
        tree.push(merkle::leaf(&sealed.bytes));
        count += 1;
        match at_point(&tree, &mut signed) {
            Err(b) if matches!(b.why, Why::Rewritten { .. }) => rewritten = Some(b),
            other => other?,
        }
    }
    if let Some(vague) = rewritten {
        return Err(vague);
    }
    let size = tree.size();
    if let Some(point) = points.iter().find(|c| c.size > size) {
        return Err(broken(size, Why::Truncated { size: point.size }));
    }
    let head = Head { size, hash: text::hex(&prev), peaks: tree.peaks().iter().map(|p| text::hex(p)).collect() };
    if let Some(end) = end.filter(|e| **e != head) {
        return Err(match end.size.cmp(&size) {
            std::cmp::Ordering::Greater => broken(size, Why::Truncated { size: end.size }),
            std::cmp::Ordering::Less => broken(end.size, Why::BeyondHead),
            std::cmp::Ordering::Equal => broken(signed, Why::Rewritten { last: size.saturating_sub(1) }),
        });
    }
    signers.sort();
    signers.dedup();
    Ok(Report { entries: count, checkpoints: points.len(), unsigned_tail: size - signed, head, keys: signers })
}

fn step(sealed: &Sealed, index: u64, prev: &Hash, first: u64, buffer: &mut Vec<u8>) -> Result<(), Broken> {
    let broken = |index: u64, why: Why| Err(Broken { index, why });
    let found = merkle::sha256(&sealed.bytes);
    if found != sealed.hash {
        return broken(index, Why::Altered { stored: text::hex(&sealed.hash), found: text::hex(&found) });
    }
    // Nearly every entry is canonical, and read in place; only one that is not is parsed, to say what is wrong with it.
    let (seq, before) = match super::scan::scan(&sealed.bytes, buffer) {
        Some(read) => read,
        None => match serde_json::from_slice::<Entry>(&sealed.bytes) {
            Ok(e) if e.seq != index => return broken(index, Why::OutOfOrder { found: e.seq }),
            Ok(_) => return broken(index, Why::NotCanonical),
            Err(_) => return broken(index, Why::NotAnEntry),
        },
    };
    if seq != index || sealed.seq != index {
        return broken(index, Why::OutOfOrder { found: seq });
    }
    if text::unhex::<32>(before).as_ref() != Some(prev) {
        // This entry hashes to what was recorded for it, so it is the one before that is not what it was.
        return if index == first { broken(index, Why::StartBroken) } else { broken(index - 1, Why::ChainBroken) };
    }
    Ok(())
}

impl Sealed {
    /// Reads a line of `activity.jsonl`; `seq` is the place of the line. A line that is no entry is given a hash that
    /// cannot be right, so that [`verify`] names it.
    pub fn from_line(seq: u64, line: &[u8]) -> Self {
        let parts = || {
            let inner = line.strip_prefix(b"{\"entry\":")?.strip_suffix(b"\"}")?;
            let cut = inner.len().checked_sub(64 + 9)?;
            let (bytes, tail) = inner.split_at_checked(cut)?;
            let hash = std::str::from_utf8(tail.strip_prefix(b",\"hash\":\"")?).ok()?;
            Some(Self { seq, bytes: bytes.to_vec(), hash: text::unhex(hash)? })
        };
        parts().unwrap_or_else(|| Self { seq, bytes: line.to_vec(), hash: [0; 32] })
    }
}
