//! RFC 6962 Merkle trees over SHA-256: roots as they grow, inclusion and consistency proofs.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// The hash of a leaf: SHA-256 over a zero byte and the content.
pub fn leaf(content: &[u8]) -> Hash {
    let mut h = Sha256::new();
    h.update([0]);
    h.update(content);
    h.finalize().into()
}

/// The hash of two subtrees: SHA-256 over a one byte and both.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut h = Sha256::new();
    h.update([1]);
    h.update(left);
    h.update(right);
    h.finalize().into()
}

/// A growing tree: the roots of its full subtrees, largest first. Takes one hash per set bit of the size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of `size` leaves with these subtree roots, as kept elsewhere.
    /// None if the number of roots does not fit the size.
    pub fn from_parts(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the full subtrees, largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut new = leaf;
        // Each trailing one bit of the size is a full subtree as large as the one in hand.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                new = node(&left, &new);
            }
        }
        self.peaks.push(new);
        self.size += 1;
    }

    /// The root; of no leaves, the hash of nothing.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev().copied();
        let Some(last) = peaks.next() else { return sha256(b"") };
        peaks.fold(last, |right, left| node(&left, &right))
    }
}

/// The root over these leaves.
pub fn root(leaves: &[Hash]) -> Hash {
    let mut f = Frontier::default();
    leaves.iter().for_each(|l| f.push(*l));
    f.root()
}

/// The largest power of two below `n` (n > 1).
fn split(n: usize) -> usize {
    1 << (usize::BITS - 1 - (n - 1).leading_zeros())
}

/// The proof that leaf `index` is in the tree over `leaves`, nearest sibling first; none if there is no such leaf.
pub fn inclusion(index: usize, leaves: &[Hash]) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let mut proof = Vec::new();
    let (mut at, mut part) = (index, leaves);
    while part.len() > 1 {
        let (left, right) = part.split_at(split(part.len()));
        if at < left.len() {
            proof.push(root(right));
            part = left;
        } else {
            proof.push(root(left));
            at -= left.len();
            part = right;
        }
    }
    proof.reverse();
    Some(proof)
}

/// Whether `proof` shows that `leaf` is number `index` of the tree with `size` leaves and this root (RFC 9162, 2.1.3.2).
pub fn check_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut fine, mut side) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if side == 0 {
            return false;
        }
        if fine & 1 == 1 || fine == side {
            hash = node(sibling, &hash);
            while fine & 1 == 0 && fine != 0 {
                fine >>= 1;
                side >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        fine >>= 1;
        side >>= 1;
    }
    side == 0 && hash == *root
}

/// The proof that the tree over the first `old` of `leaves` is a beginning of the whole; none unless 0 < old ≤ length.
pub fn consistency(old: usize, leaves: &[Hash]) -> Option<Vec<Hash>> {
    if old == 0 || old > leaves.len() {
        return None;
    }
    let mut proof = Vec::new();
    let (mut m, mut part, mut whole) = (old, leaves, true);
    while m < part.len() {
        let (left, right) = part.split_at(split(part.len()));
        if m <= left.len() {
            proof.push(root(right));
            part = left;
        } else {
            proof.push(root(left));
            m -= left.len();
            part = right;
            whole = false;
        }
    }
    if !whole {
        proof.push(root(part));
    }
    proof.reverse();
    Some(proof)
}

/// Whether `proof` shows that the tree of `old` leaves is a beginning of the one of `new` leaves (RFC 9162, 2.1.4.2).
pub fn check_consistency(old: u64, new: u64, old_root: &Hash, new_root: &Hash, proof: &[Hash]) -> bool {
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old == 0 || old > new {
        return false;
    }
    let mut path: Vec<Hash> = Vec::with_capacity(proof.len() + 1);
    if old.is_power_of_two() {
        path.push(*old_root);
    }
    path.extend_from_slice(proof);
    let mut rest = path.iter();
    let Some(first) = rest.next() else { return false };
    let (mut fine, mut side) = (old - 1, new - 1);
    while fine & 1 == 1 {
        fine >>= 1;
        side >>= 1;
    }
    let (mut a, mut b) = (*first, *first);
    for c in rest {
        if side == 0 {
            return false;
        }
        if fine & 1 == 1 || fine == side {
            a = node(c, &a);
            b = node(c, &b);
            while fine & 1 == 0 && fine != 0 {
                fine >>= 1;
                side >>= 1;
            }
        } else {
            b = node(&b, c);
        }
        fine >>= 1;
        side >>= 1;
    }
    side == 0 && a == *old_root && b == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_proof_in_small_trees_holds_and_no_other() {
        let leaves: Vec<_> = (0u8..33).map(|i| leaf(&[i])).collect();
        for n in 1..=leaves.len() {
            let part = &leaves[..n];
            let top = root(part);
            for (i, l) in part.iter().enumerate() {
                let proof = inclusion(i, part).unwrap();
                assert!(check_inclusion(l, i as u64, n as u64, &proof, &top), "{i} of {n}");
                assert!(!check_inclusion(&leaf(b"other"), i as u64, n as u64, &proof, &top));
                assert!(!check_inclusion(l, i as u64 + 1, n as u64, &proof, &top));
            }
            for m in 1..=n {
                let proof = consistency(m, part).unwrap();
                let old = root(&leaves[..m]);
                assert!(check_consistency(m as u64, n as u64, &old, &top, &proof), "{m} to {n}");
                if m < n {
                    assert!(!check_consistency(m as u64, n as u64, &leaf(b"x"), &top, &proof));
                    assert!(!check_consistency(m as u64, n as u64, &old, &leaf(b"x"), &proof));
                }
            }
        }
    }

    #[test]
    fn the_empty_tree_is_the_hash_of_nothing() {
        let hex: String = root(&[]).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
