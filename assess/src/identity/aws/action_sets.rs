//! Action patterns as bit sets over the action catalogue.

use super::{
    bits::Bits,
    data,
    document::{ActionPattern, Actions},
};
use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

/// Turns patterns into sets, remembering each pattern's.
#[derive(Debug, Default)]
pub struct ActionSets {
    memo: HashMap<Box<str>, Rc<Bits>>,
    shared: HashSet<Rc<Bits>>,
}

impl ActionSets {
    /// The one copy of a set: a set takes kilobytes, and thousands of principals may do just the same.
    pub fn share(&mut self, set: Bits) -> Rc<Bits> {
        if let Some(known) = self.shared.get(&set) {
            return Rc::clone(known);
        }
        let set = Rc::new(set);
        self.shared.insert(Rc::clone(&set));
        set
    }

    /// The set of an `Action` or `NotAction` element.
    pub fn of(&mut self, actions: &Actions) -> Bits {
        let catalogue = data::actions();
        let mut set = Bits::empty(catalogue.len());
        for (text, pattern) in actions.texts.iter().zip(actions.patterns()) {
            match pattern {
                ActionPattern::Glob(_) => {
                    if !self.memo.contains_key(text) {
                        let bits = Rc::new(Self::glob(pattern));
                        self.memo.insert(text.clone(), bits);
                    }
                    if let Some(bits) = self.memo.get(text) {
                        set.union(bits);
                    }
                }
                exactly => set.insert_range(exactly.within(catalogue)),
            }
        }
        if actions.inverted { set.complement() } else { set }
    }

    fn glob(pattern: &ActionPattern) -> Bits {
        let catalogue = data::actions();
        let mut set = Bits::empty(catalogue.len());
        for at in pattern.within(catalogue) {
            if catalogue.get(at).is_some_and(|a| pattern.matches(a.lower)) {
                set.insert(at);
            }
        }
        set
    }
}
