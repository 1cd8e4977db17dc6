//! The long tail: which accounts deserve the full baseline, which a light entry, which should go. And when each is due.

use crate::{
    config::Config,
    estate::{Account, Estate, State, Triage},
    kinds::{AccountKey, SourceClass},
    sighting::{Status, Tier},
};
use plumb_model::Time;
use std::collections::BTreeMap;

/// The proposal for one account, with its reason. An account nobody described and that is in use gets the full
/// baseline: the unseen must not sink.
pub(crate) fn triage(account: &Account, ghost: bool, config: &Config, now: Time) -> (Triage, String) {
    if let Some(party) = &account.third_party {
        return (Triage::LightEntry, format!("belongs to {party}"));
    }
    if matches!(account.state, State::Closed) || account.facts.status == Some(Status::Closed) {
        return (Triage::Retire, "closed".into());
    }
    if account.holds_sensitive_data() {
        return (Triage::FullBaseline, "holds personal or regulated data".into());
    }
    if account.state == State::Shadow {
        return (Triage::FullBaseline, "shadow account: see what is in it before anything else".into());
    }
    if ghost {
        return (Triage::Retire, "on the record, but neither in the organisation nor billed nor used".into());
    }
    if matches!(account.tier(), Tier::Tier1 | Tier::Production) {
        return (Triage::FullBaseline, format!("{} account", account.tier()));
    }
    let traces =
        [SourceClass::Billing, SourceClass::Expense, SourceClass::IdpFederation, SourceClass::CrossAccountRole];
    let used = traces.iter().filter_map(|c| account.sources.get(c)).filter_map(|k| k.last_seen).max();
    let looked = traces.iter().any(|c| account.sources.contains_key(c)) || account.gaps.contains(&SourceClass::Billing);
    let young = account.facts.created_at.is_some_and(|c| now.days_since(c) <= config.idle_days);
    match used {
        Some(last) if now.days_since(last) > config.idle_days => {
            (Triage::Retire, format!("no cost, sign-in or role use since {}", last.date()))
        }
        None if looked && !young && !account.known_to(SourceClass::IacState) => {
            (Triage::Retire, "no cost, sign-in or role use on record".into())
        }
        _ => match account.tier() {
            Tier::Staging => (Triage::FullBaseline, "staging account in use".into()),
            Tier::Unknown => (Triage::FullBaseline, "in use and nobody said what it is".into()),
            tier => (Triage::LightEntry, format!("{tier} account in use")),
        },
    }
}

/// Hours between two pulls of an account's configuration.
pub fn pull_hours(tier: Tier, triage: Triage, config: &Config) -> u32 {
    match triage {
        Triage::FullBaseline => config.pull_every(tier),
        Triage::LightEntry | Triage::Retire => config.pull_every(Tier::Experimental).max(config.pull_every(tier)),
    }
}

/// When each account's configuration is to be pulled next, given when it was last; accounts with a light entry or
/// up for retirement, as a review `decided` or else the triage proposes, are pulled at the slowest cadence, third
/// parties never.
pub fn due_pulls(
    estate: &Estate,
    last: &BTreeMap<AccountKey, Time>,
    decided: &BTreeMap<AccountKey, Triage>,
    config: &Config,
) -> Vec<(AccountKey, Time)> {
    let mut out: Vec<(AccountKey, Time)> = estate
        .accounts
        .iter()
        .filter(|(_, a)| a.third_party.is_none() && a.state != State::Closed)
        .map(|(key, a)| {
            let hours = pull_hours(a.tier(), decided.get(key).copied().unwrap_or(a.triage), config);
            let due =
                last.get(key).map_or(estate.as_of, |at| Time::from_seconds(at.seconds() + i64::from(hours) * 3_600));
            (key.clone(), due)
        })
        .collect();
    out.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    out
}
