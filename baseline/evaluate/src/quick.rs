//! A quick hash, for tables that nobody outside can fill at will.

use std::hash::{BuildHasherDefault, Hasher};

/// Makes [`Quick`] hashers.
pub(crate) type Quickly = BuildHasherDefault<Quick>;

/// A hash for what is compared anyway before it counts as the same: what collides on purpose is answered anew, no more.
#[derive(Default)]
pub(crate) struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            self.write_u64(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_u64(&mut self, word: u64) {
        // The multiplier of Knuth's linear congruential generator, as PCG uses it.
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(6_364_136_223_846_793_005);
    }

    fn finish(&self) -> u64 {
        // The lowest bits of a product know little of what is multiplied.
        self.0 ^ self.0 >> 32
    }
}
