//! What the programme promised to do how often, and what is overdue.

use crate::policy::Tier;
use plumb_model::Time;
use std::collections::BTreeMap;

/// A promise to do something again and again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// Its name: `scan-tier1`.
    pub name: String,
    /// In words.
    pub title: String,
    /// How often, in days.
    pub every_days: u16,
    /// For promises about accounts: of these tiers. Empty for promises about the programme.
    #[serde(default)]
    pub tiers: Vec<Tier>,
}

/// What a programme promises unless its policy says otherwise.
pub fn default_promises() -> Vec<Promise> {
    let p = |name: &str, title: &str, every_days, tiers: &[Tier]| Promise {
        name: name.into(),
        title: title.into(),
        every_days,
        tiers: tiers.to_vec(),
    };
    vec![
        p("scan-tier1", "Configuration scan of tier-one accounts", 1, &[Tier::Tier1]),
        p("scan-production", "Configuration scan of production accounts", 7, &[Tier::Production]),
        p(
            "scan-long-tail",
            "Configuration scan of all other accounts",
            30,
            &[Tier::Staging, Tier::Unknown, Tier::Sandbox, Tier::Experimental],
        ),
        p("inventory", "Reconciliation of the account inventory", 30, &[]),
        p("exposure-ledger", "Observation of the public exposure ledger", 1, &[]),
        p("access-review-privileged", "Review of privileged accesses", 92, &[]),
        p("access-review-keys", "Review of keys and service accounts", 92, &[]),
        p("access-review", "Review of all other accesses", 183, &[]),
        p("exception-review", "Review of the exception register", 92, &[]),
        p("leadership-read", "Leadership read of the record", 92, &[]),
        p("framework-remapping", "Re-mapping of frameworks", 365, &[]),
        p("programme-review", "Review of the programme and its risk tolerances", 365, &[]),
    ]
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Done {
    /// The promise.
    pub promise: String,
    /// The account, or empty for the programme.
    pub subject: String,
    /// When.
    pub at: Time,
    /// By whom or what; its result in words.
    pub result: String,
    /// Whether it was done in full. A scan that was refused half of its calls does not keep a promise.
    pub complete: bool,
}

/// An account that promises speak about.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Subject {
    /// The account.
    pub account: String,
    /// Its tier.
    pub tier: Tier,
    /// Since when it is on record.
    pub since: Time,
}

/// Where one promise stands for one subject.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Due {
    /// The promise.
    pub promise: String,
    /// In words.
    pub title: String,
    /// The account, or empty for the programme.
    pub subject: String,
    /// When it was last kept in full.
    pub last: Option<Time>,
    /// The result of that.
    pub result: String,
    /// When it was last tried without being completed, if that is later.
    pub tried: Option<Time>,
    /// When it is due.
    pub due: Time,
    /// Whole days late; 0 while in time.
    pub late_days: i64,
    /// Whether it is late.
    pub overdue: bool,
}

/// Holds the promises against what was done. `begun` is when the programme began: a promise never kept is due one
/// interval after that, or after the account came on record.
pub fn standing(promises: &[Promise], done: &[Done], accounts: &[Subject], begun: Time, now: Time) -> Vec<Due> {
    // Per promise and subject: the last that was complete, the last that was not.
    type Last<'a> = (Option<&'a Done>, Option<&'a Done>);
    let mut last: BTreeMap<(&str, &str), Last<'_>> = BTreeMap::new();
    for d in done.iter().filter(|d| d.at <= now) {
        let slot = last.entry((&d.promise, &d.subject)).or_default();
        let slot = if d.complete { &mut slot.0 } else { &mut slot.1 };
        if slot.is_none_or(|old| old.at < d.at) {
            *slot = Some(d);
        }
    }
    let mut out = Vec::new();
    for p in promises {
        let one = |subject: &str, since: Time| {
            let (kept, tried) = last.get(&(p.name.as_str(), subject)).copied().unwrap_or_default();
            let due = kept.map_or(since, |d| d.at).plus_days(p.every_days.into());
            let late = now > due;
            Due {
                promise: p.name.clone(),
                title: p.title.clone(),
                subject: subject.into(),
                last: kept.map(|d| d.at),
                result: kept.map(|d| d.result.clone()).unwrap_or_default(),
                tried: tried.map(|d| d.at).filter(|t| kept.is_none_or(|k| k.at < *t)),
                due,
                late_days: if late { now.days_since(due) } else { 0 },
                overdue: late,
            }
        };
        if p.tiers.is_empty() {
            out.push(one("", begun));
        } else {
            out.extend(accounts.iter().filter(|a| p.tiers.contains(&a.tier)).map(|a| one(&a.account, a.since)));
        }
    }
    out.sort_by(|a, b| {
        (b.overdue, b.late_days, a.due, &a.promise, &a.subject).cmp(&(
            a.overdue,
            a.late_days,
            b.due,
            &b.promise,
            &b.subject,
        ))
    });
    out
}
