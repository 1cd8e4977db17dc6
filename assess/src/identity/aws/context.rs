//! The request context: condition keys and their values, with room for what is not known.

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
    rest: fn(&str) -> Fact,
}

impl Default for Context {
    fn default() -> Self {
        Self { entries: Vec::new(), rest: |_| Fact::Absent }
    }
}

impl Context {
    /// A context in which a key nobody set is whatever `rest` says of its lower-case name.
    pub fn with_rest(rest: fn(&str) -> Fact) -> Self {
        Self { entries: Vec::new(), rest }
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
        let at = self.entries.binary_search_by(|(k, _)| k.as_ref().cmp(lower)).ok()?;
        self.entries.get(at).map(|(_, fact)| fact)
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

    /// The keys that were set, in order of their lower-case names.
    pub fn keys(&self) -> impl Iterator<Item = &str> + '_ {
        self.entries.iter().map(|(key, _)| key.as_ref())
    }
}

/// A borrowed [`Fact`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Looked<'a> {
    Values(&'a [Box<str>]),
    Absent,
    Unknown,
    Chosen,
}
