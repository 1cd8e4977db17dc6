//! The estate: every account on one list, with who knows it, what is missing and what contradicts.

use crate::{
    kinds::{AccountKey, Provider, SourceClass, SourceKind, named},
    sighting::{Activity, DataClass, Facts, Stated, Tier},
};
use plumb_model::Time;
use std::collections::{BTreeMap, BTreeSet};

/// The version of the JSON form this program writes.
pub const FORMAT: &str = "plumb.estate/1";

named! {
    /// Where an account stands on the record.
    State ("account state") {
        /// Seen by a source; not yet described.
        Candidate = "candidate",
        /// In use, but unknown to the provider's organisation (or, when that was not read, to the landing zone).
        Shadow = "shadow",
        /// Owner, purpose, tier and data classes are given.
        Governed = "governed",
        /// The cloud says it is suspended or waits for deletion.
        Suspended = "suspended",
        /// The cloud has confirmed it closed for 90 days.
        Closed = "closed",
    }

    /// What the sources contradict each other about, or what the record has let lapse.
    Conflict ("kind of contradiction") {
        /// Billed, but not in the organisation.
        BilledNotInOrganisation = "billed-not-in-organisation",
        /// Billed, but not on the landing-zone record.
        BilledNotInLandingZone = "billed-not-in-landing-zone",
        /// Used (signed in to, or reached by a role), but not in the organisation.
        UsedNotInOrganisation = "used-not-in-organisation",
        /// In the organisation, but not on the landing-zone record.
        NotInLandingZone = "not-in-landing-zone",
        /// On the record, but neither in the organisation nor billed.
        Ghost = "ghost",
        /// Closed, but still billed.
        ClosedButBilled = "closed-but-billed",
        /// Closed for one source, active for another.
        StatusDisagreement = "status-disagreement",
        /// Sources name different tiers.
        TierDisagreement = "tier-disagreement",
        /// The tier is lower than the data or the spending in it.
        MisTiered = "mis-tiered",
        /// The experimental tier has run out, or was given without an end.
        TierExpired = "tier-expired",
        /// Sources name different owners.
        OwnerDisagreement = "owner-disagreement",
        /// The owner has left.
        OwnershipLapsed = "ownership-lapsed",
        /// Costs in a region outside the account's scope.
        RegionOutOfScope = "region-out-of-scope",
        /// Said to be federated, but used with its own users.
        FederationDisagreement = "federation-disagreement",
        /// The root user signed in.
        RootSignIn = "root-sign-in",
        /// The review is due.
        ReviewOverdue = "review-overdue",
        /// A cloud vendor is paid or used, but no account is named.
        UnattributedUse = "unattributed-use",
        /// A source has not been read for too long.
        StaleSource = "stale-source",
    }

    /// What the long tail deserves.
    Triage ("triage") {
        /// Scan it against the full baseline of its tier.
        FullBaseline = "full-baseline",
        /// Keep a light inventory entry.
        LightEntry = "light-entry",
        /// Retire it.
        Retire = "retire",
    }
}

/// What one class of source knows of an account.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Known {
    /// The earliest the source itself dates it; none when it gives no dates.
    pub first_seen: Option<Time>,
    /// The latest.
    pub last_seen: Option<Time>,
    /// The run in which we first read it there.
    pub first_read: Time,
    /// The run in which we last read it there.
    pub last_read: Time,
    /// Since which run a complete reading of the source lacks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_since: Option<Time>,
    /// The readers.
    pub kinds: BTreeSet<SourceKind>,
    /// Where in the source.
    pub evidence: String,
    /// What it says.
    #[serde(default)]
    pub facts: Stated,
}

/// How long an account existed before it was on the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Appeared {
    /// Seconds from its beginning to the run that recorded it.
    pub seconds: i64,
    /// Whether its beginning is its creation, as stated; else it is the earliest activity any source dates, and the
    /// true time is at least this.
    pub from_creation: bool,
}

/// One account on the record.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Account {
    /// Whose cloud.
    pub provider: Provider,
    /// The provider's own id.
    pub native_id: String,
    /// Where it stands.
    pub state: State,
    /// The outside party it belongs to, when it is not ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub third_party: Option<String>,
    /// Its attributes, from the strongest source that states each.
    pub facts: Facts,
    /// Which sources know it.
    ///
    /// Boxed: a map has room for eleven in a row, and most accounts have two or three sources.
    pub sources: BTreeMap<SourceClass, Box<Known>>,
    /// Sources that list accounts of this provider and lack it.
    pub gaps: BTreeSet<SourceClass>,
    /// Who pays, signs in and reaches.
    #[serde(default)]
    pub activity: Activity,
    /// The run that put it on the record.
    pub first_recorded: Time,
    /// How long that took, when any source dates its beginning.
    pub time_to_appear: Option<Appeared>,
    /// Since which run it is suspended or closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_since: Option<Time>,
    /// What is missing before it counts as governed.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// What the long tail triage proposes, and why.
    pub triage: Triage,
    /// Why.
    pub triage_because: String,
}

impl Account {
    /// Its key.
    pub fn key(&self) -> AccountKey {
        AccountKey { provider: self.provider, id: self.native_id.as_str().into() }
    }

    /// Its tier; unknown when nobody said.
    pub fn tier(&self) -> Tier {
        self.facts.tier.unwrap_or(Tier::Unknown)
    }

    /// Its data classes; never empty.
    pub fn data_classes(&self) -> BTreeSet<DataClass> {
        if self.facts.data_classes.is_empty() { [DataClass::Unknown].into() } else { self.facts.data_classes.clone() }
    }

    /// Whether it holds regulated or personal data.
    pub fn holds_sensitive_data(&self) -> bool {
        self.facts.data_classes.iter().any(|c| *c <= DataClass::Personal)
    }

    /// Whether `class` knows it now.
    pub fn known_to(&self, class: SourceClass) -> bool {
        self.sources.get(&class).is_some_and(|k| k.gone_since.is_none())
    }

    /// The last day with any cost, by any bill.
    pub fn last_billed(&self) -> Option<Time> {
        self.sources.get(&SourceClass::Billing)?.last_seen
    }
}

/// A shadow account: what gives it away.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Shadow {
    /// The account.
    pub account: AccountKey,
    /// Its name, if any source has one.
    pub name: Option<String>,
    /// The list it is missing from: `org-root`, or `landing-zone` where no organisation was read.
    pub missing_from: SourceClass,
    /// The sources that know it.
    pub seen_by: Vec<SourceClass>,
    /// The earliest any source dates it.
    pub since: Option<Time>,
    /// Who pays: payer id and name.
    pub who_pays: Vec<String>,
    /// Who signs in.
    pub who_signs_in: Vec<String>,
    /// Which roles reach it.
    pub roles: Vec<String>,
    /// Where that was seen.
    pub evidence: Vec<String>,
}

/// What one source has that another lacks.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Gap {
    /// The source that knows them.
    pub known_to: SourceClass,
    /// The source that lacks them, though it lists accounts of their provider.
    pub missing_in: SourceClass,
    /// The accounts, ordered.
    pub accounts: Vec<AccountKey>,
    /// Those of them whose gap has a reason on record.
    pub explained: Vec<AccountKey>,
}

/// A reason somebody gave for a gap; a gap with one counts as closed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GapReason {
    /// The account.
    pub account: AccountKey,
    /// The source that lacks it.
    pub missing_in: SourceClass,
    /// Why that is right.
    pub reason: String,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: Time,
}

/// A contradiction between sources, or between the record and a source: each is a finding.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Contradiction {
    /// What about.
    pub kind: Conflict,
    /// Which account; none for a source or an unattributed use.
    pub account: Option<AccountKey>,
    /// The sources concerned.
    pub sources: Vec<SourceClass>,
    /// What was observed.
    pub detail: String,
}

/// One run of the reconciliation.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Run {
    /// When.
    pub at: Time,
    /// What was read.
    pub readings: Vec<RunReading>,
    /// Accounts that came onto the record.
    pub new_accounts: Vec<AccountKey>,
    /// Accounts known to the identity provider for the first time, and people seen signing in for the first time.
    pub newly_federated: Vec<String>,
}

/// One source in one run.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RunReading {
    /// The reader.
    pub kind: SourceKind,
    /// Accounts it named.
    pub accounts: u64,
    /// Rows or records.
    pub rows: u64,
    /// Things that could not be read.
    pub problems: u64,
    /// Whether the whole source was read.
    pub complete: bool,
}

/// When a class of source was last read for a provider.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Freshness {
    /// The class.
    pub class: SourceClass,
    /// The provider it named accounts of.
    pub provider: Provider,
    /// The last run that read it completely.
    pub last_complete: Option<Time>,
    /// The last run that read it at all.
    pub last_read: Time,
    /// Whether that is too long ago.
    pub stale: bool,
}

impl Freshness {
    /// When it was read, in words; tells a source that nobody read from one that was read with gaps.
    pub fn words(&self) -> String {
        match self.last_complete {
            Some(at) if at >= self.last_read => format!("last read {}", at.date()),
            Some(at) => format!(
                "read on {} but not completely, the last time completely on {}",
                self.last_read.date(),
                at.date()
            ),
            None => format!("read on {} but not completely, and never completely before", self.last_read.date()),
        }
    }
}

/// p50 and p95 of the time to appear, in seconds (nearest rank).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Appearing {
    /// How many accounts.
    pub accounts: u64,
    /// Median.
    pub p50_seconds: Option<i64>,
    /// 95th percentile.
    pub p95_seconds: Option<i64>,
}

/// Numbers about the estate.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Metrics {
    /// Accounts that are ours (third parties are not counted).
    pub accounts: u64,
    /// By state.
    pub by_state: BTreeMap<State, u64>,
    /// By provider.
    pub by_provider: BTreeMap<Provider, u64>,
    /// How many accounts each class of source knows.
    pub known_by: BTreeMap<SourceClass, u64>,
    /// How many accounts are known by exactly so many sources.
    pub breadth: BTreeMap<u64, u64>,
    /// Classes of source that were ever read.
    pub sources_read: u64,
    /// Over all accounts whose beginning is dated.
    pub time_to_appear: Appearing,
    /// Over those that began after the first run: what the recurring cadence achieves.
    pub time_to_appear_new: Appearing,
    /// Gaps without a reason.
    pub open_gaps: u64,
}

/// Every account on one list.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Estate {
    /// [`FORMAT`].
    pub format: String,
    /// The run that made it.
    pub as_of: Time,
    /// By key.
    pub accounts: BTreeMap<AccountKey, Box<Account>>,
    /// Pairwise: what one source has and another lacks.
    pub gaps: Vec<Gap>,
    /// Reasons given for gaps.
    #[serde(default)]
    pub gap_reasons: Vec<GapReason>,
    /// Shadow accounts with what gives them away.
    pub shadow: Vec<Shadow>,
    /// Contradictions, ordered by account and kind.
    pub contradictions: Vec<Contradiction>,
    /// Uses of a cloud vendor that name no account.
    pub leads: Vec<crate::Sighting>,
    /// Which sources are fresh.
    pub freshness: Vec<Freshness>,
    /// People known to have left, with when.
    #[serde(default)]
    pub leavers: BTreeMap<String, Option<Time>>,
    /// Numbers.
    pub metrics: Metrics,
    /// The last runs, newest last.
    pub runs: Vec<Run>,
    /// The first run of all.
    pub first_run: Time,
}

/// Why a saved estate could not be read.
#[derive(Debug, thiserror::Error)]
pub enum EstateError {
    /// Not JSON of the right shape.
    #[error("estate is not readable")]
    Shape(#[source] serde_json::Error),
    /// Written by another version.
    #[error("estate has format `{0}`; this program reads `{FORMAT}`")]
    Format(String),
}

impl Estate {
    /// Reads the JSON form.
    pub fn from_json(text: &str) -> Result<Self, EstateError> {
        #[derive(serde::Deserialize)]
        struct Head {
            format: String,
        }
        let head: Head = serde_json::from_str(text).map_err(EstateError::Shape)?;
        if head.format != FORMAT {
            return Err(EstateError::Format(head.format));
        }
        serde_json::from_str(text).map_err(EstateError::Shape)
    }

    /// The JSON form; equal estates give equal text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Accounts that hold regulated data, each with the sources that say so.
    pub fn regulated(&self) -> Vec<(&Account, Vec<SourceClass>)> {
        let regulated = |facts: &Facts| facts.data_classes.iter().any(|c| *c <= DataClass::RegulatedOther);
        self.accounts
            .values()
            .filter(|a| regulated(&a.facts))
            .map(|a| (&**a, a.sources.iter().filter(|(_, k)| regulated(&k.facts)).map(|(c, _)| *c).collect()))
            .collect()
    }

    /// The contradictions of one account.
    pub fn about(&self, key: &AccountKey) -> &[Contradiction] {
        // INVARIANT: ordered by account, those without one last.
        let place = |c: &Contradiction| c.account.as_ref().map_or(std::cmp::Ordering::Greater, |a| a.cmp(key));
        let from = self.contradictions.partition_point(|c| place(c).is_lt());
        let to = self.contradictions.partition_point(|c| place(c).is_le());
        self.contradictions.get(from..to).unwrap_or_default()
    }
}
