//! The request context: condition keys and their values, with room for what is not known.

use super::data::{self, Action};
use std::sync::Arc;

/// What is known of one condition key in a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// The key is in the request with these values.
    Values(Vec<Box<str>>),
    /// The key is not in the request.
    Absent,
    /// It is not known whether the key is there, or with which value.
    Unknown,
    /// The caller chooses the value (a tag in the request, a region): whatever helps the caller is assumed.
    Chosen,
}

/// Condition keys by name; names compare without case, tag suffixes too.
#[derive(Debug, Clone)]
pub struct Context {
    entries: Vec<(Box<str>, Fact)>,
    /// What many contexts have in common; what is set here comes before it.
    shared: Option<Arc<Context>>,
    rest: fn(&str) -> Fact,
    /// The action asked about: what its request cannot carry, the caller cannot choose.
    action: Option<&'static Action>,
}

impl Default for Context {
    fn default() -> Self {
        Self::with_rest(|_| Fact::Absent)
    }
}

impl Context {
    /// A context in which a key nobody set is whatever `rest` says of its lower-case name.
    pub fn with_rest(rest: fn(&str) -> Fact) -> Self {
        Self { entries: Vec::new(), shared: None, rest, action: None }
    }

    /// A context that has everything another has, held once for all that are over it.
    pub(crate) fn over(shared: &Arc<Self>) -> Self {
        Self { shared: Some(Arc::clone(shared)), ..Self::with_rest(shared.rest) }
    }

    /// Changes what a key nobody set is.
    pub(crate) fn otherwise(&mut self, rest: fn(&str) -> Fact) {
        self.rest = rest;
    }

    /// Says which action is asked about (lower case): keys its request does not carry are absent then instead of the
    /// caller's choice.
    pub(crate) fn asks(&mut self, lower: &str) {
        self.action = data::actions().find(lower);
    }

    /// Sets a key to values, replacing what was there.
    pub fn set<V: Into<Box<str>>>(&mut self, key: &str, values: impl IntoIterator<Item = V>) {
        self.put(key, Fact::Values(values.into_iter().map(Into::into).collect()));
    }

    /// Sets a key to a fact, replacing what was there.
    pub fn put(&mut self, key: &str, fact: Fact) {
        let key: Box<str> = if key.bytes().any(|b| b.is_ascii_uppercase() || !b.is_ascii()) {
            key.to_lowercase().into()
        } else {
            key.into()
        };
        match self.entries.binary_search_by(|(k, _)| k.as_ref().cmp(&key)) {
            Ok(at) => {
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.1 = fact;
                }
            }
            Err(at) => self.entries.insert(at, (key, fact)),
        }
    }

    /// Sets a key unless it is set.
    pub fn fill(&mut self, key: &str, value: &str) {
        if self.find(&key.to_lowercase()).is_none() {
            self.set(key, [value]);
        }
    }

    fn find(&self, lower: &str) -> Option<&Fact> {
        match self.entries.binary_search_by(|(k, _)| k.as_ref().cmp(lower)) {
            Ok(at) => self.entries.get(at).map(|(_, fact)| fact),
            Err(_) => self.shared.as_ref()?.find(lower),
        }
    }

    /// What is known of a key given in lower case; `None` stands for the rule about unset keys.
    pub(crate) fn look(&self, lower: &str) -> Looked<'_> {
        match self.find(lower) {
            Some(Fact::Values(values)) => Looked::Values(values),
            Some(Fact::Absent) => Looked::Absent,
            Some(Fact::Unknown) => Looked::Unknown,
            Some(Fact::Chosen) => Looked::Chosen,
            None => match (self.rest)(lower) {
                Fact::Values(_) | Fact::Absent => Looked::Absent,
                Fact::Unknown => Looked::Unknown,
                Fact::Chosen if self.action.is_some_and(|action| !carries(action, lower)) => Looked::Absent,
                Fact::Chosen => Looked::Chosen,
            },
        }
    }

    /// The single value of a key (lower case) for a policy variable.
    ///
    /// `Ok(None)` when it is absent or has several values, which cannot be used as a variable; `Err` when unknown.
    pub(crate) fn single(&self, lower: &str) -> Result<Option<&str>, ()> {
        match self.look(lower) {
            Looked::Values([one]) => Ok(Some(one)),
            Looked::Values(_) | Looked::Absent => Ok(None),
            Looked::Unknown | Looked::Chosen => Err(()),
        }
    }

    /// Whether a key (lower case) has more than one value, so that it cannot stand in a policy variable.
    pub(crate) fn has_several(&self, lower: &str) -> bool {
        matches!(self.look(lower), Looked::Values([_, _, ..]))
    }

    /// The keys that were set, by their lower-case names.
    pub fn keys(&self) -> impl Iterator<Item = &str> + '_ {
        let shared = self.shared.iter().flat_map(|s| &s.entries).map(|(key, _)| key.as_ref());
        let own = |key: &str| self.entries.binary_search_by(|(k, _)| k.as_ref().cmp(key)).is_ok();
        self.entries.iter().map(|(key, _)| key.as_ref()).chain(shared.filter(move |key| !own(key)))
    }
}

/// Whether requests for an action carry a key (lower case), as far as the Service Authorization Reference says.
fn carries(action: &Action, lower: &str) -> bool {
    // Global keys are in every request, but for those of tags the request brings along.
    if lower.starts_with("aws:") && !lower.starts_with("aws:requesttag/") && lower != "aws:tagkeys" {
        return true;
    }
    let service = action.lower.split(':').next().unwrap_or_default();
    // The reference lists keys of access points and of objects in other places than where requests carry them.
    if service == "s3" && lower.starts_with("s3:") {
        return true;
    }
    let names = |listed: &str| match listed.split_once(['$', '<']) {
        Some((family, _)) => lower.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family)),
        None => listed.eq_ignore_ascii_case(lower),
    };
    action.keys.iter().any(|k| names(k))
}

/// A borrowed [`Fact`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Looked<'a> {
    Values(&'a [Box<str>]),
    Absent,
    Unknown,
    Chosen,
}
