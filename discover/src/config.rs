//! What an organisation decides about the reconciliation.

use crate::{
    estate::GapReason,
    kinds::{AccountKey, Provider, SourceClass},
    sighting::Tier,
};
use std::collections::{BTreeMap, BTreeSet};

/// Settings; the default works with no set-up at all.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Hours an account may be seen elsewhere before the organisation must list it.
    pub grace_hours: i64,
    /// Days a log's sighting counts without another.
    pub log_window_days: i64,
    /// Days after which a source is stale, where it differs from the default.
    pub stale_after_days: BTreeMap<SourceClass, i64>,
    /// Accounts of outside parties that roles may name, with their names.
    pub third_parties: BTreeMap<AccountKey, String>,
    /// Sign-in names of people who have left.
    pub leavers: BTreeSet<String>,
    /// Sign-in names of everybody who is active, when the directory is at hand; an owner not among them has left.
    pub active_people: Option<BTreeSet<String>>,
    /// Days between reviews of an account's entry.
    pub review_days: i64,
    /// The same for tier one.
    pub review_days_tier1: i64,
    /// Monthly cost from which a sandbox or experiment is too big to be one, in millionths of its currency's unit.
    pub sandbox_monthly_limit: i64,
    /// Days without cost, sign-in and role use after which an account is idle.
    pub idle_days: i64,
    /// Reasons given for gaps, added to those already on the estate.
    pub gap_reasons: Vec<GapReason>,
    /// Hours between configuration pulls, by tier.
    pub pull_every_hours: BTreeMap<Tier, u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            grace_hours: 24,
            log_window_days: 90,
            stale_after_days: BTreeMap::new(),
            third_parties: BTreeMap::new(),
            leavers: BTreeSet::new(),
            active_people: None,
            review_days: 180,
            review_days_tier1: 90,
            sandbox_monthly_limit: 5_000_000_000,
            idle_days: 90,
            gap_reasons: Vec::new(),
            pull_every_hours: [
                (Tier::Tier1, 6),
                (Tier::Production, 24),
                (Tier::Unknown, 24),
                (Tier::Staging, 72),
                (Tier::Sandbox, 168),
                (Tier::Experimental, 168),
            ]
            .into(),
        }
    }
}

/// Accounts through which AWS itself writes load-balancer logs into buckets, by region; policies that trust them are
/// required. Source: "Enable access logs for your Classic/Application Load Balancer", AWS documentation.
const AWS_LOG_DELIVERY: &[&str] = &[
    "127311923021",
    "033677994240",
    "027434742980",
    "797873946194",
    "098369216593",
    "985666609251",
    "054676820928",
    "156460612806",
    "652711504416",
    "009996457667",
    "635631232127",
    "897822967062",
    "754344448648",
    "582318560864",
    "600734575887",
    "383597477331",
    "114774131450",
    "783225319266",
    "589379963580",
    "718504428378",
    "076674570225",
    "507241528517",
];

impl Config {
    /// The outside party an account belongs to, if it is not ours.
    pub fn third_party(&self, key: &AccountKey) -> Option<&str> {
        if let Some(name) = self.third_parties.get(key) {
            return Some(name);
        }
        (key.provider == Provider::Aws && AWS_LOG_DELIVERY.contains(&key.id.as_str())).then_some("AWS log delivery")
    }

    /// Days after which a class is stale.
    pub fn stale_after(&self, class: SourceClass) -> i64 {
        self.stale_after_days.get(&class).copied().unwrap_or_else(|| class.stale_after_days())
    }

    /// Hours between configuration pulls of a tier.
    pub fn pull_every(&self, tier: Tier) -> u32 {
        self.pull_every_hours.get(&tier).copied().unwrap_or(24).max(1)
    }
}
