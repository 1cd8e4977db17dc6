//! The seven signals: each an ordered scale of named levels, best first, worst last.

use std::{fmt, str::FromStr};

/// One level of an ordered scale.
pub trait Level: Copy + Eq + Ord + fmt::Debug + 'static {
    /// The signal this scale belongs to.
    const SIGNAL: Signal;
    /// Every level, best first.
    const ALL: &'static [Self];
    /// The stable name used in policies and outputs.
    fn name(self) -> &'static str;
    /// What a person reads: `open to the internet without sign-in`.
    fn phrase(self) -> &'static str;
    /// The place on the scale, counted from 0.
    fn index(self) -> usize;
    /// The level with this name.
    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|level| level.name() == name)
    }
}

/// A text that names no level of its scale.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {scale} level `{text}`; one of {one_of}")]
pub struct LevelError {
    scale: &'static str,
    text: String,
    one_of: String,
}

/// What a contribution to the points comes from, in the fixed order of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// How bad the setting is by itself.
    Severity,
    /// Who can reach the resource over the network or by policy.
    Exposure,
    /// How far the identities on it reach.
    Identity,
    /// Whether it moved away from what was approved or declared.
    Drift,
    /// Whether such weaknesses are used in attacks now.
    Exploitation,
    /// What data it holds (a multiplier).
    Data,
    /// How much the account matters (a multiplier).
    Account,
    /// The lift to a floor: a hard-baseline failure or known exploitation.
    Floor,
}

impl Signal {
    /// In explanation order.
    pub const ALL: [Self; 8] = [
        Self::Severity,
        Self::Exposure,
        Self::Identity,
        Self::Drift,
        Self::Exploitation,
        Self::Data,
        Self::Account,
        Self::Floor,
    ];

    /// The short stable key: `sev`, `exp`, `idr`, `drf`, `kex`, `dat`, `acc`, `floor`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Severity => "sev",
            Self::Exposure => "exp",
            Self::Identity => "idr",
            Self::Drift => "drf",
            Self::Exploitation => "kex",
            Self::Data => "dat",
            Self::Account => "acc",
            Self::Floor => "floor",
        }
    }

    /// What a person reads: `severity`, `data class`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::Exposure => "exposure",
            Self::Identity => "identity reach",
            Self::Drift => "drift",
            Self::Exploitation => "exploitation",
            Self::Data => "data class",
            Self::Account => "account criticality",
            Self::Floor => "floor",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.key())
    }
}

impl serde::Serialize for Signal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

impl<'de> serde::Deserialize<'de> for Signal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::ALL
            .into_iter()
            .find(|s| s.key() == text)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown signal `{text}`")))
    }
}

macro_rules! scales {
    ($($(#[$doc:meta])* $scale:ident ($signal:ident) {
        $($(#[$ldoc:meta])* $level:ident = $name:literal, $phrase:literal;)+
    })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $scale { $($(#[$ldoc])* $level,)+ }

        impl Level for $scale {
            const SIGNAL: Signal = Signal::$signal;
            const ALL: &'static [Self] = &[$(Self::$level),+];
            fn name(self) -> &'static str {
                match self { $(Self::$level => $name,)+ }
            }
            fn phrase(self) -> &'static str {
                match self { $(Self::$level => $phrase,)+ }
            }
            fn index(self) -> usize {
                self as usize
            }
        }
        impl fmt::Display for $scale {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
        impl FromStr for $scale {
            type Err = LevelError;
            fn from_str(text: &str) -> Result<Self, LevelError> {
                Self::named(text).ok_or_else(|| LevelError {
                    scale: Self::SIGNAL.title(),
                    text: text.chars().take(80).collect(),
                    one_of: [$($name),+].join(", "),
                })
            }
        }
        impl serde::Serialize for $scale {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
        impl<'de> serde::Deserialize<'de> for $scale {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

scales! {
    /// Severity of the rule after calibration; may not be unknown.
    SeverityLevel (Severity) {
        /// Worth knowing.
        Informational = "informational", "informational";
        /// Hardening.
        Low = "low", "low severity";
        /// Needs another weakness to hurt.
        Medium = "medium", "medium severity";
        /// Hurts by itself.
        High = "high", "high severity";
        /// Act today.
        Critical = "critical", "critical severity";
    }
    /// Who can reach the resource. Unknown ranks above internal: it is not proven private.
    Exposure (Exposure) {
        /// Nobody outside its own account.
        None = "none", "not reachable from outside";
        /// Other accounts of the same organisation.
        Org = "org", "reachable inside the organisation";
        /// Not proven private.
        Unknown = "unknown", "reachability not known";
        /// A limited public address range.
        Limited = "limited", "open to a limited public range";
        /// The internet, after signing in.
        InternetAuth = "internet-auth", "open to the internet behind sign-in";
        /// The internet, without signing in.
        InternetOpen = "internet-open", "open to the internet without sign-in";
    }
    /// How far the principals that hold or use the resource reach.
    IdentityReach (Identity) {
        /// No identity is involved.
        None = "none", "no identity reach";
        /// Few and narrow permissions.
        Narrow = "narrow", "narrow reach";
        /// Not read.
        Unknown = "unknown", "identity reach not known";
        /// Broad, or stale: dormant principals, leavers, long-lived keys among the holders.
        Broad = "broad", "broad or stale reach";
        /// Privileged permissions.
        Privileged = "privileged", "privileged reach";
        /// An administrator-equivalent can be reached.
        Admin = "admin", "administrator reachable";
    }
    /// How the resource moved away from what was agreed.
    DriftLevel (Drift) {
        /// No drift.
        None = "none", "no drift";
        /// A new resource that fails from the start.
        New = "new", "new failing resource";
        /// Differs from its code.
        Iac = "iac", "differs from its code";
        /// An approved baseline value was lost.
        Baseline = "baseline", "approved baseline value lost";
    }
    /// Whether weaknesses of this sort are exploited.
    Exploitation (Exploitation) {
        /// No sign of it, or no data set.
        None = "none", "no known exploitation";
        /// EPSS of at least 0.10.
        Epss10 = "epss-10", "exploitation likely (EPSS 0.10 or more)";
        /// EPSS of at least 0.50.
        Epss50 = "epss-50", "exploitation probable (EPSS 0.50 or more)";
        /// A vendor advisory reports active use, or the exposed service family has such a history.
        Advisory = "advisory", "active use reported";
        /// In CISA's catalogue of known exploited vulnerabilities.
        Kev = "kev", "known exploited";
        /// In that catalogue, with use in ransomware campaigns.
        KevRansomware = "kev-ransomware", "known exploited by ransomware";
    }
    /// The most sensitive class of data on the resource.
    DataClass (Data) {
        /// Published on purpose.
        Public = "public", "public data";
        /// Internal.
        Internal = "internal", "internal data";
        /// Not classified.
        Unknown = "unknown", "data class not known";
        /// Confidential or bound by contract.
        Confidential = "confidential", "confidential or contractual data";
        /// Personal data.
        Personal = "personal", "personal data";
        /// Regulated: payment, health and the like.
        Regulated = "regulated", "regulated data";
    }
    /// How much the account matters. Unknown is never demoted: the unseen long tail must not sink.
    Criticality (Account) {
        /// Short-lived experiments.
        Experimental = "experimental", "experimental account";
        /// Sandbox.
        Sandbox = "sandbox", "sandbox account";
        /// Staging.
        Staging = "staging", "staging account";
        /// Not known.
        Unknown = "unknown", "account tier not known";
        /// Production.
        Production = "production", "production account";
        /// Tier one, or in the scope of a contract or regulation.
        Tier1 = "tier1", "tier-one account";
    }
}

impl Exposure {
    /// Whether the resource can be reached from the internet, which decides between the two floors of [`Exploitation`].
    pub fn reachable(self) -> bool {
        self >= Self::Limited
    }
}

impl From<plumb_model::Severity> for SeverityLevel {
    fn from(severity: plumb_model::Severity) -> Self {
        use plumb_model::Severity as S;
        match severity {
            S::Info => Self::Informational,
            S::Low => Self::Low,
            S::Medium => Self::Medium,
            S::High => Self::High,
            S::Critical => Self::Critical,
        }
    }
}

impl DataClass {
    /// The worst level among record data classes (`regulated-payment`, `personal`, `contractual` …). Names nobody
    /// knows count as unknown, and so does an empty set: silence is not `internal`.
    pub fn worst_of<'a>(classes: impl IntoIterator<Item = &'a str>) -> Self {
        let level = |name: &str| match name {
            "public" => Self::Public,
            "internal" => Self::Internal,
            "confidential" | "contractual" => Self::Confidential,
            "personal" => Self::Personal,
            name if name.starts_with("regulated") => Self::Regulated,
            _ => Self::Unknown,
        };
        classes.into_iter().map(level).max().unwrap_or(Self::Unknown)
    }
}

/// What makes an account critical besides its tier.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AccountFacts {
    /// The tier on record: `tier1`, `production`, `staging`, `sandbox`, `experimental`, `unknown`.
    pub tier: String,
    /// A contract or programme obliges us.
    #[serde(default)]
    pub contractual: bool,
    /// At least one regulatory framework is in scope.
    #[serde(default)]
    pub regulated: bool,
    /// People who depend on it, when known.
    #[serde(default)]
    pub users: Option<u64>,
    /// A level set by an outside asset-criticality process; wins over the tier.
    #[serde(default)]
    pub external: Option<Criticality>,
}

impl Criticality {
    /// The level of an account: the outside judgement if there is one, else the tier; an account in the scope of a
    /// contract or regulation, or with at least `many_users` users, counts as tier one unless it is a sandbox or an
    /// experiment.
    pub fn of(facts: &AccountFacts, many_users: u64) -> Self {
        if let Some(level) = facts.external {
            return level;
        }
        let tier = Self::named(&facts.tier).unwrap_or(Self::Unknown);
        let promoted = facts.contractual || facts.regulated || facts.users.is_some_and(|n| n >= many_users);
        if promoted && tier >= Self::Staging { Self::Tier1 } else { tier }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_levels() {
        fn check<L: Level>() {
            for (i, level) in L::ALL.iter().enumerate() {
                assert_eq!(level.index(), i);
                assert_eq!(L::named(level.name()), Some(*level));
            }
            assert_eq!(L::named("no such level"), None);
        }
        check::<SeverityLevel>();
        check::<Exposure>();
        check::<IdentityReach>();
        check::<DriftLevel>();
        check::<Exploitation>();
        check::<DataClass>();
        check::<Criticality>();
    }

    #[test]
    fn worst_data_class_wins_and_silence_is_unknown() {
        fn check(classes: &[&str], want: DataClass) {
            assert_eq!(DataClass::worst_of(classes.iter().copied()), want, "{classes:?}");
        }
        check(&[], DataClass::Unknown);
        check(&["internal"], DataClass::Internal);
        check(&["internal", "regulated-health"], DataClass::Regulated);
        check(&["contractual"], DataClass::Confidential);
        check(&["internal", "blue"], DataClass::Unknown);
    }

    #[test]
    fn contracts_promote_but_never_a_sandbox() {
        let facts = |tier: &str, contractual| AccountFacts { tier: tier.into(), contractual, ..Default::default() };
        assert_eq!(Criticality::of(&facts("production", true), 1000), Criticality::Tier1);
        assert_eq!(Criticality::of(&facts("unknown", true), 1000), Criticality::Tier1);
        assert_eq!(Criticality::of(&facts("sandbox", true), 1000), Criticality::Sandbox);
        assert_eq!(Criticality::of(&facts("prodlike", false), 1000), Criticality::Unknown);
        let outside = AccountFacts { external: Some(Criticality::Staging), ..facts("tier1", true) };
        assert_eq!(Criticality::of(&outside, 1000), Criticality::Staging);
    }
}
