//! Three-valued truth: what is known to hold, known not to hold, or not known.

/// A truth value that may be unknown because a fact was out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Tri {
    /// Known not to hold.
    #[default]
    No,
    /// Some fact it depends on is unknown.
    Maybe,
    /// Known to hold.
    Yes,
}

impl Tri {
    /// Holds when both hold; `No` wins over `Maybe`.
    #[must_use]
    pub fn and(self, other: Tri) -> Tri {
        self.min(other)
    }

    /// Holds when either holds; `Yes` wins over `Maybe`.
    #[must_use]
    pub fn or(self, other: Tri) -> Tri {
        self.max(other)
    }

    /// The opposite; `Maybe` stays.
    #[must_use]
    pub fn negate(self) -> Tri {
        match self {
            Tri::No => Tri::Yes,
            Tri::Maybe => Tri::Maybe,
            Tri::Yes => Tri::No,
        }
    }

    /// Whether it is known to hold.
    pub fn is_yes(self) -> bool {
        self == Tri::Yes
    }

    /// Whether it is known not to hold.
    pub fn is_no(self) -> bool {
        self == Tri::No
    }
}

impl From<bool> for Tri {
    fn from(value: bool) -> Self {
        if value { Tri::Yes } else { Tri::No }
    }
}
