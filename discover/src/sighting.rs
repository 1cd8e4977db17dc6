//! What one source says about one account: when it saw it, what it knows of it, who pays, signs in and reaches it.

use crate::kinds::{AccountKey, Provider, SourceClass, SourceKind, named};
use plumb_model::Time;
use std::collections::{BTreeMap, BTreeSet};

named! {
    /// How much an account matters; unknown ranks above staging when scored.
    Tier ("tier") {
        /// Tier one.
        Tier1 = "tier1",
        /// Production.
        Production = "production",
        /// Staging.
        Staging = "staging",
        /// Sandbox.
        Sandbox = "sandbox",
        /// A short-lived experiment.
        Experimental = "experimental",
        /// Nobody said.
        Unknown = "unknown",
    }

    /// Classes of data an account or resource holds, worst first.
    DataClass ("data class") {
        /// Payment data under regulation.
        RegulatedPayment = "regulated-payment",
        /// Health data under regulation.
        RegulatedHealth = "regulated-health",
        /// Other regulated data.
        RegulatedOther = "regulated-other",
        /// Personal data.
        Personal = "personal",
        /// Confidential, or bound by contract.
        Confidential = "confidential",
        /// Nobody said; worse than internal.
        Unknown = "unknown",
        /// Internal.
        Internal = "internal",
        /// Public on purpose.
        Public = "public",
    }

    /// How people get in.
    Federation ("federation state") {
        /// Through the identity provider only.
        Federated = "federated",
        /// With users of its own only.
        LocalOnly = "local-only",
        /// Both.
        Mixed = "mixed",
        /// Not known.
        Unknown = "unknown",
    }

    /// Whether the central platform manages it.
    LandingZone ("landing-zone status") {
        /// Enrolled.
        Enrolled = "enrolled",
        /// Not enrolled.
        NotEnrolled = "not-enrolled",
        /// Not enrolled, by decision.
        Exempt = "exempt",
        /// Not known.
        Unknown = "unknown",
    }

    /// What a source says about its life.
    Status ("account status") {
        /// In use.
        Active = "active",
        /// Being made.
        Pending = "pending",
        /// Suspended, disabled, or waiting to be deleted.
        Suspended = "suspended",
        /// Closed or deleted.
        Closed = "closed",
    }

    /// How somebody signed in.
    SignIn ("kind of sign-in") {
        /// Through the identity provider.
        Federated = "federated",
        /// As a user of the account itself.
        Local = "local",
        /// As the account's root user.
        Root = "root",
    }

    /// Which way a role crosses.
    Reach ("direction of reach") {
        /// The role lies in the account on record and may be assumed from elsewhere.
        Into = "into",
        /// A role or policy elsewhere trusts the account on record.
        TrustedBy = "trusted-by",
        /// A principal of ours assumed a role in the account.
        Assumed = "assumed",
        /// A principal of the account assumed a role of ours.
        AssumedFrom = "assumed-from",
    }
}

/// Attributes of an account as one source states them; absent means the source is silent.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // The names are the record's own, one attribute each.
pub struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Organisational unit, management group or folder, as the provider states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_parent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_person: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_team: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_purpose: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier_expires: Option<Time>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub data_classes: BTreeSet<DataClass>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub regulatory_scope: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub region_scope: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub federation_state: Option<Federation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub landing_zone: Option<LandingZone>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_centre: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reviewed_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reviewed_by: Option<String>,
    /// People who depend on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<u64>,
    /// Google's project number, kept apart from the project id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_number: Option<String>,
    /// The Azure tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// Facts that take next to no room where a source states none, as most do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stated(Option<Box<Facts>>);

/// What a silent source states.
static SILENT: Facts = Facts {
    name: None,
    native_parent: None,
    email: None,
    status: None,
    created_at: None,
    closed_at: None,
    owner_person: None,
    owner_team: None,
    business_purpose: None,
    tier: None,
    tier_expires: None,
    data_classes: BTreeSet::new(),
    regulatory_scope: BTreeSet::new(),
    region_scope: BTreeSet::new(),
    federation_state: None,
    landing_zone: None,
    contract_ref: None,
    cost_centre: None,
    last_reviewed_at: None,
    last_reviewed_by: None,
    users: None,
    project_number: None,
    tenant: None,
};

impl From<Facts> for Stated {
    fn from(facts: Facts) -> Self {
        Self((facts != SILENT).then(|| Box::new(facts)))
    }
}

impl std::ops::Deref for Stated {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        self.0.as_deref().unwrap_or(&SILENT)
    }
}

impl serde::Serialize for Stated {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        serde::Serialize::serialize(&**self, to)
    }
}

impl<'de> serde::Deserialize<'de> for Stated {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Facts::deserialize(from).map(Self::from)
    }
}

impl Facts {
    /// Takes from `weaker` what this does not say; sets are united.
    pub fn fill_from(&mut self, weaker: &Facts) {
        macro_rules! fill {
            ($($field:ident),+) => {$(
                if self.$field.is_none() { self.$field.clone_from(&weaker.$field); }
            )+};
        }
        fill!(
            name,
            native_parent,
            email,
            status,
            created_at,
            closed_at,
            owner_person,
            owner_team,
            business_purpose,
            tier_expires,
            contract_ref,
            cost_centre,
            last_reviewed_at,
            last_reviewed_by,
            users,
            project_number,
            tenant
        );
        if self.tier.is_none_or(|t| t == Tier::Unknown) && weaker.tier.is_some() {
            self.tier = weaker.tier;
        }
        if self.federation_state.is_none_or(|f| f == Federation::Unknown) && weaker.federation_state.is_some() {
            self.federation_state = weaker.federation_state;
        }
        if self.landing_zone.is_none_or(|l| l == LandingZone::Unknown) && weaker.landing_zone.is_some() {
            self.landing_zone = weaker.landing_zone;
        }
        self.data_classes.extend(&weaker.data_classes);
        self.regulatory_scope.extend(weaker.regulatory_scope.iter().cloned());
        self.region_scope.extend(weaker.region_scope.iter().cloned());
    }
}

/// First and last time of something, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Span {
    /// Earliest, when the source dates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Time>,
    /// Latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Time>,
    /// How many observations.
    pub count: u64,
}

impl Span {
    /// One observation.
    pub fn at(at: Option<Time>) -> Self {
        Self { first: at, last: at, count: 1 }
    }

    /// Joins another span into this one.
    pub fn join(&mut self, other: &Span) {
        self.first = earlier(self.first, other.first);
        self.last = self.last.max(other.last);
        self.count = self.count.saturating_add(other.count);
    }
}

/// The earlier of two instants, where none is no statement.
pub(crate) fn earlier(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Somebody who signs in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Signer {
    /// When and how often.
    #[serde(flatten)]
    pub span: Span,
    /// How.
    pub how: SignIn,
    /// Through which application or role.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub through: String,
}

/// Costs of one month in millionths of the currency's unit.
pub type Months = BTreeMap<String, i64>;

/// What happens in an account, as one source sees it.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Activity {
    /// Who pays: payer or billing account (or expense claimant) and its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub payers: BTreeMap<String, String>,
    /// Cost by currency, then month `2026-08`, in millionths of the unit.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cost: BTreeMap<String, Months>,
    /// Regions with cost, each with the last date it had any.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub regions: BTreeSet<String>,
    /// Services with cost.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub services: BTreeSet<String>,
    /// Who signs in.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub signers: BTreeMap<String, Signer>,
    /// Which roles cross, by role or policy and other side.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<RoleReach>,
}

/// A role that crosses into or out of an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct RoleReach {
    /// Which way.
    pub reach: Reach,
    /// The role, or the resource whose policy trusts.
    pub role: String,
    /// The other side: principal or account.
    pub by: String,
}

/// Sets in an activity stop growing here; a hostile file cannot fill the memory with names.
pub(crate) const MOST_NAMES: usize = 500;

impl Activity {
    /// Joins another activity into this one.
    pub fn join(&mut self, other: &Activity) {
        for (payer, name) in &other.payers {
            let slot = self.payers.entry(payer.clone()).or_default();
            if slot.is_empty() {
                slot.clone_from(name);
            }
        }
        // The same export may be read again, so a month's cost is replaced by the larger statement, never added.
        for (currency, months) in &other.cost {
            let mine = self.cost.entry(currency.clone()).or_default();
            for (month, cost) in months {
                let slot = mine.entry(month.clone()).or_default();
                *slot = (*slot).max(*cost);
            }
        }
        for (set, more) in [(&mut self.regions, &other.regions), (&mut self.services, &other.services)] {
            for name in more {
                if set.len() < MOST_NAMES {
                    set.insert(name.clone());
                }
            }
        }
        for (who, signer) in &other.signers {
            if let Some(mine) = self.signers.get_mut(who) {
                mine.span.join(&signer.span);
                mine.how = mine.how.max(signer.how);
            } else if self.signers.len() < MOST_NAMES {
                self.signers.insert(who.clone(), signer.clone());
            }
        }
        for role in &other.roles {
            if self.roles.len() < MOST_NAMES {
                self.roles.insert(role.clone());
            }
        }
    }

    /// Adds a sign-in.
    pub(crate) fn sign_in(&mut self, who: &str, how: SignIn, through: &str, at: Option<Time>) {
        if let Some(signer) = self.signers.get_mut(who) {
            signer.span.join(&Span::at(at));
            signer.how = signer.how.max(how);
        } else if self.signers.len() < MOST_NAMES {
            self.signers.insert(who.into(), Signer { span: Span::at(at), how, through: through.into() });
        }
    }

    /// Cost of all currencies' last `months` months up to `month` (inclusive), in millionths, per currency.
    pub fn cost_since(&self, month: &str) -> BTreeMap<String, i64> {
        let since = |months: &Months| months.range(month.to_owned()..).fold(0i64, |acc, (_, c)| acc.saturating_add(*c));
        self.cost.iter().map(|(currency, months)| (currency.clone(), since(months))).collect()
    }
}

/// One source's statement about one account.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sighting {
    /// Which account; none when the source names a vendor but no account.
    pub account: Option<AccountKey>,
    /// Whose cloud, also when no account is named.
    pub provider: Provider,
    /// The reader.
    pub kind: SourceKind,
    /// The class it counts for.
    pub class: SourceClass,
    /// When the source saw it.
    pub seen: Span,
    /// Where in the source: `ListAccounts`, `cur.csv rows 2-913 (812 lines)`.
    pub evidence: String,
    /// What the source knows of it.
    #[serde(default)]
    pub facts: Facts,
    /// What happens in it.
    #[serde(default)]
    pub activity: Activity,
}

impl Sighting {
    /// A sighting that says no more than that the account exists.
    pub fn new(kind: SourceKind, account: AccountKey, at: Option<Time>, evidence: impl Into<String>) -> Self {
        Self {
            provider: account.provider,
            account: Some(account),
            kind,
            class: kind.class(),
            seen: Span::at(at),
            evidence: evidence.into(),
            facts: Facts::default(),
            activity: Activity::default(),
        }
    }

    /// Joins another sighting of the same account by the same source.
    pub(crate) fn join(&mut self, other: Sighting) {
        self.seen.join(&other.seen);
        self.facts.fill_from(&other.facts);
        self.activity.join(&other.activity);
    }
}

/// Something in a source that could not be read, counted rather than repeated.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// The first place: a line, row or record, counted from 1; 0 for the whole file.
    pub line: u64,
    /// What is wrong and what would be right.
    pub message: String,
    /// How many times.
    pub count: u64,
    /// Whether accounts may be missing from the reading because of it.
    pub incomplete: bool,
}

/// Somebody the source tells has left or is active.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PersonSeen {
    /// Sign-in name or mail address, lower case.
    pub who: String,
    /// When the account in the identity provider was deactivated.
    pub deactivated_at: Option<Time>,
}

/// What came out of one source.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Reading {
    /// The reader.
    pub kind: SourceKind,
    /// One per account, ordered by account; sightings without an account come last.
    pub sightings: Vec<Sighting>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// Leavers the source names.
    #[serde(default)]
    pub people: Vec<PersonSeen>,
    /// Rows or records read.
    pub rows: u64,
    /// Whether the whole source was read: else an absence from it says nothing.
    pub complete: bool,
}

/// Collects sightings and problems of one reader with bounded memory.
pub(crate) struct Gather {
    kind: SourceKind,
    sightings: BTreeMap<(Option<AccountKey>, SourceClass, String), Box<Sighting>>,
    problems: Vec<Problem>,
    people: Vec<PersonSeen>,
    pub(crate) rows: u64,
}

/// Evidence is a pointer, not a copy of a hostile name.
fn shorten(text: &mut String) {
    if let Some((at, _)) = text.char_indices().nth(300) {
        text.truncate(at);
    }
}

/// Distinct problems kept per source.
const MOST_PROBLEMS: usize = 100;
/// Accounts kept per source.
const MOST_ACCOUNTS: usize = 500_000;

impl Gather {
    pub(crate) fn new(kind: SourceKind) -> Self {
        Self { kind, sightings: BTreeMap::new(), problems: Vec::new(), people: Vec::new(), rows: 0 }
    }

    pub(crate) fn kind(&self) -> SourceKind {
        self.kind
    }

    /// Adds a sighting; those without an account are told apart by `evidence`.
    pub(crate) fn add(&mut self, mut sighting: Sighting) {
        shorten(&mut sighting.evidence);
        let hint = if sighting.account.is_some() { String::new() } else { sighting.evidence.clone() };
        let key = (sighting.account.clone(), sighting.class, hint);
        if let Some(mine) = self.sightings.get_mut(&key) {
            mine.join(sighting);
        } else if self.sightings.len() < MOST_ACCOUNTS {
            self.sightings.insert(key, Box::new(sighting));
        } else {
            self.lost(self.rows, format!("more than {MOST_ACCOUNTS} accounts; the rest is left out"));
        }
    }

    /// Notes something wrong that loses no account.
    pub(crate) fn odd(&mut self, line: u64, message: impl Into<String>) {
        self.problem(line, message.into(), false);
    }

    /// Notes something wrong that may lose accounts.
    pub(crate) fn lost(&mut self, line: u64, message: impl Into<String>) {
        self.problem(line, message.into(), true);
    }

    fn problem(&mut self, line: u64, message: String, incomplete: bool) {
        let message: String = message.chars().filter(|c| !c.is_control()).take(300).collect();
        if let Some(known) = self.problems.iter_mut().find(|p| p.message == message) {
            known.count += 1;
            known.incomplete |= incomplete;
        } else if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(Problem { line, message, count: 1, incomplete });
        } else if let Some(last) = self.problems.last_mut() {
            last.message = "further problems of other kinds".into();
            last.count += 1;
            last.incomplete |= incomplete;
        }
    }

    /// Notes somebody who has left.
    pub(crate) fn left(&mut self, who: &str, deactivated_at: Option<Time>) {
        if self.people.len() < MOST_ACCOUNTS {
            let who = who.trim().to_lowercase().chars().take(200).collect();
            self.people.push(PersonSeen { who, deactivated_at });
        }
    }

    pub(crate) fn finish(self) -> Reading {
        let mut sightings: Vec<Sighting> = self.sightings.into_values().map(|s| *s).collect();
        sightings.sort_by(|a, b| {
            (a.account.is_none(), &a.account, a.class, &a.evidence).cmp(&(
                b.account.is_none(),
                &b.account,
                b.class,
                &b.evidence,
            ))
        });
        Reading {
            kind: self.kind,
            sightings,
            complete: !self.problems.iter().any(|p| p.incomplete),
            problems: self.problems,
            people: self.people,
            rows: self.rows,
        }
    }
}
