//! What was said of the same values before. Most of what many resources say is what the others of their kind say: a default, a choice
//! made once for all of them. A rule that reads nothing but fields of the resource itself says the same of the same values.

use plumb_cel::CelLeaf;
use plumb_model::{Outcome, Value};

/// How many different values of a rule are remembered.
const KEPT: usize = 4;
/// How often nothing alike may be found before a rule's values count as ever new: names, sizes.
const TRIES: u32 = 32;

/// What a rule said of the values it met last.
#[derive(Default)]
pub(crate) struct Recent {
    said: Vec<Said>,
    /// Which is the next to make room.
    oldest: usize,
    found: u32,
    missed: u32,
}

/// What was said of some values.
pub(crate) struct Said {
    /// The values, by the rule's own slots.
    values: Box<[Value]>,
    pub outcome: Outcome,
    /// The leaves that decided, once somebody wanted to know.
    pub leaves: Option<Box<[CelLeaf]>>,
}

impl Recent {
    /// Whether looking is worth the time.
    pub fn is_of_use(&self) -> bool {
        self.missed < TRIES || self.found.saturating_mul(4) >= self.missed
    }

    /// What was said of these values.
    pub fn find(&mut self, slots: &[u32], fields: &[Value]) -> Option<&mut Said> {
        let found = self.said.iter_mut().find(|said| {
            let pairs = said.values.iter().zip(slots);
            pairs.into_iter().all(|(was, slot)| value_at(fields, *slot).is_some_and(|is| was == is))
        });
        match &found {
            Some(_) => self.found = self.found.saturating_add(1),
            None => self.missed = self.missed.saturating_add(1),
        }
        found
    }

    /// Remembers what was said, unless the values are such that comparing them takes long or that equal ones may look different.
    pub fn put(&mut self, slots: &[u32], fields: &[Value], outcome: Outcome, leaves: Option<Box<[CelLeaf]>>) {
        let plain = |value: &&Value| match value {
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Str(_) | Value::Time(_) => true,
            Value::List(items) => items.is_empty(),
            Value::Double(_) | Value::Map(_) | Value::Unknown(_) => false,
        };
        let values = slots.iter().map(|slot| value_at(fields, *slot).filter(plain).cloned());
        let Some(values) = values.collect() else { return };
        let said = Said { values, outcome, leaves };
        if self.said.len() < KEPT {
            self.said.push(said);
        } else if let Some(place) = self.said.get_mut(self.oldest) {
            *place = said;
            self.oldest = (self.oldest + 1) % KEPT;
        }
    }
}

fn value_at(fields: &[Value], slot: u32) -> Option<&Value> {
    fields.get(slot as usize)
}
