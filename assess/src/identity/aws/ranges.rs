//! Sets of positions as sorted, disjoint ranges: what patterns select from a sorted list is nearly always a few runs.

/// A set of positions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    /// One run `from..to`; empty when `to <= from`.
    pub fn run(from: u32, to: u32) -> Self {
        if from < to { Self(vec![(from, to)]) } else { Self::default() }
    }

    /// Adds a position not before the last one added.
    pub fn push(&mut self, at: u32) {
        match self.0.last_mut() {
            Some((_, end)) if *end == at => *end = at + 1,
            Some((_, end)) if *end > at => {}
            _ => self.0.push((at, at + 1)),
        }
    }

    /// From positions in any order.
    pub fn collect(mut positions: Vec<u32>) -> Self {
        positions.sort_unstable();
        let mut out = Self::default();
        for at in positions {
            out.push(at);
        }
        out
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many positions are in the set.
    pub fn count(&self) -> usize {
        self.0.iter().map(|(a, b)| (b - a) as usize).sum()
    }

    /// Whether a position is in the set.
    pub fn contains(&self, at: u32) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= at);
        after.checked_sub(1).and_then(|i| self.0.get(i)).is_some_and(|(_, to)| at < *to)
    }

    /// The positions in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|(from, to)| *from..*to)
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if self.is_empty() {
            return other.clone();
        }
        if other.is_empty() {
            return self.clone();
        }
        let mut all: Vec<(u32, u32)> = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        loop {
            let next = match (a.peek(), b.peek()) {
                (Some(x), Some(y)) if x.0 <= y.0 => a.next(),
                (_, Some(_)) => b.next(),
                (Some(_), None) => a.next(),
                (None, None) => break,
            };
            let Some((from, to)) = next.copied() else { break };
            match all.last_mut() {
                Some((_, end)) if *end >= from => *end = (*end).max(to),
                _ => all.push((from, to)),
            }
        }
        Self(all)
    }

    /// What is in both.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let mut out = Vec::new();
        let (mut i, mut j) = (0, 0);
        while let (Some((a, b)), Some((c, d))) = (self.0.get(i), other.0.get(j)) {
            let (from, to) = (*a.max(c), *b.min(d));
            if from < to {
                out.push((from, to));
            }
            if b < d { i += 1 } else { j += 1 }
        }
        Self(out)
    }

    /// What is here and not in `other`.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        if self.is_empty() || other.is_empty() {
            return self.clone();
        }
        let mut out = Vec::new();
        let mut j = 0;
        for (from, to) in &self.0 {
            let mut at = *from;
            while other.0.get(j).is_some_and(|(_, d)| *d <= at) {
                j += 1;
            }
            let mut k = j;
            while let Some((c, d)) = other.0.get(k).filter(|(c, _)| c < to) {
                if at < *c {
                    out.push((at, *c));
                }
                at = at.max(*d);
                k += 1;
            }
            if at < *to {
                out.push((at, *to));
            }
        }
        Self(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn ranges_are_sets(a in prop::collection::btree_set(0_u32..40, 0..20), b in prop::collection::btree_set(0_u32..40, 0..20)) {
            let of = |s: &BTreeSet<u32>| Ranges::collect(s.iter().copied().collect());
            let back = |r: Ranges| r.iter().collect::<BTreeSet<u32>>();
            let (x, y) = (of(&a), of(&b));
            prop_assert_eq!(back(x.union(&y)), a.union(&b).copied().collect::<BTreeSet<u32>>());
            prop_assert_eq!(back(x.intersect(&y)), a.intersection(&b).copied().collect::<BTreeSet<u32>>());
            prop_assert_eq!(back(x.subtract(&y)), a.difference(&b).copied().collect::<BTreeSet<u32>>());
            prop_assert_eq!(x.count(), a.len());
            for at in 0..40 { prop_assert_eq!(x.contains(at), a.contains(&at)); }
        }
    }
}
