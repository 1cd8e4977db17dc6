//! Contradictions between sources, and what the record has let lapse. Each is a finding with what was observed.

use crate::{
    config::Config,
    estate::{Account, Conflict, Contradiction, Estate, State},
    kinds::{Provider, SourceClass},
    mapping::canonical,
    sighting::{Federation, Reach, SignIn, Status, Tier},
};
use plumb_model::Time;
use std::collections::{BTreeMap, BTreeSet};

/// All contradictions, ordered by account, then kind.
pub(crate) fn all(estate: &Estate, config: &Config, now: Time) -> Vec<Contradiction> {
    let mut out = Vec::new();
    let reads = |class: SourceClass, account: &Account| {
        estate.freshness.iter().any(|f| f.class == class && f.provider == account.provider)
    };
    let landing_zone_read = estate.freshness.iter().any(|f| f.class == SourceClass::LandingZone);
    for account in estate.accounts.values().filter(|a| a.third_party.is_none()) {
        let mut about = About { account, out: &mut out };
        about.membership(reads(SourceClass::OrgRoot, account), landing_zone_read, reads(SourceClass::Billing, account));
        about.life(now);
        about.tier(config, now);
        about.owner(estate, config);
        about.use_of(now, config);
    }
    for lead in &estate.leads {
        let (class, who) = (lead.class, lead.activity.signers.keys().chain(lead.activity.payers.keys()));
        let who: Vec<_> = who.take(5).cloned().collect();
        out.push(Contradiction {
            kind: Conflict::UnattributedUse,
            account: None,
            sources: vec![class],
            detail: format!(
                "{} names a use of {} but no account ({})",
                lead.evidence,
                vendor(lead.provider),
                who.join(", ")
            ),
        });
    }
    for f in estate.freshness.iter().filter(|f| f.stale) {
        out.push(Contradiction {
            kind: Conflict::StaleSource,
            account: None,
            sources: vec![f.class],
            detail: format!(
                "{} of {}: {}; due every {} days",
                f.class,
                f.provider,
                f.words(),
                config.stale_after(f.class)
            ),
        });
    }
    out.sort_by(|a, b| {
        (a.account.is_none(), &a.account, a.kind, &a.detail).cmp(&(b.account.is_none(), &b.account, b.kind, &b.detail))
    });
    out
}

/// A provider as a sentence names it.
fn vendor(provider: Provider) -> &'static str {
    match provider {
        Provider::Aws => "AWS",
        Provider::Azure => "Azure",
        Provider::Gcp => "Google Cloud",
        Provider::Other => "another vendor",
    }
}

struct About<'a> {
    account: &'a Account,
    out: &'a mut Vec<Contradiction>,
}

/// Days after its last cost within which an account counts as billed.
const BILLED_DAYS: i64 = 35;

impl About<'_> {
    fn say(&mut self, kind: Conflict, sources: &[SourceClass], detail: String) {
        self.out.push(Contradiction { kind, account: Some(self.account.key()), sources: sources.to_vec(), detail });
    }

    fn membership(&mut self, org_read: bool, landing_zone_read: bool, billing_read: bool) {
        use SourceClass as S;
        let a = self.account;
        let (org, lz) = (a.known_to(S::OrgRoot), a.known_to(S::LandingZone));
        // An account the organisation may simply not list yet is no contradiction.
        let waits = org_read && !org && a.state == State::Candidate;
        let stopped = matches!(a.state, State::Suspended | State::Closed);
        let billed = a.known_to(S::Billing) || a.known_to(S::Expense);
        let payers = || a.activity.payers.keys().cloned().collect::<Vec<_>>().join(", ");
        if billed && org_read && !org && !waits {
            self.say(
                Conflict::BilledNotInOrganisation,
                &[S::Billing, S::OrgRoot],
                format!("paid by {} and not in the organisation", payers()),
            );
        }
        if billed && landing_zone_read && !lz && !waits {
            self.say(
                Conflict::BilledNotInLandingZone,
                &[S::Billing, S::LandingZone],
                format!("paid by {} and not on the landing-zone record", payers()),
            );
        }
        let used = a.known_to(S::IdpFederation)
            || (a.known_to(S::CrossAccountRole) && a.activity.roles.iter().any(|r| r.reach != Reach::Into));
        if used && org_read && !org && !waits {
            let people: Vec<_> = a.activity.signers.keys().take(5).cloned().collect();
            let roles: Vec<_> = a.activity.roles.iter().take(5).map(|r| r.role.clone()).collect();
            self.say(Conflict::UsedNotInOrganisation, &[S::IdpFederation, S::CrossAccountRole, S::OrgRoot], {
                let said = |what: &str, who: &[String]| (!who.is_empty()).then(|| format!("{what} {}", who.join(", ")));
                let ways = [said("signed in to by", &people), said("reached by", &roles)];
                format!("{}; not in the organisation", ways.into_iter().flatten().collect::<Vec<_>>().join("; "))
            });
        }
        if org && landing_zone_read && !lz && !stopped {
            self.say(
                Conflict::NotInLandingZone,
                &[S::OrgRoot, S::LandingZone],
                "in the organisation and not on the landing-zone record".into(),
            );
        }
        let kept = lz || a.known_to(S::Manual) || a.known_to(S::Import);
        let closed_on_record = [S::LandingZone, S::Manual, S::Import]
            .iter()
            .any(|c| a.sources.get(c).is_some_and(|k| k.facts.status == Some(Status::Closed)));
        let traced =
            billed || a.known_to(S::IdpFederation) || a.known_to(S::CrossAccountRole) || a.known_to(S::IacState);
        if kept && (org_read || billing_read) && !org && !traced && !closed_on_record {
            self.say(
                Conflict::Ghost,
                &[S::LandingZone, S::OrgRoot, S::Billing],
                "on the record, but neither in the organisation nor billed nor used".into(),
            );
        }
    }

    fn life(&mut self, now: Time) {
        use SourceClass as S;
        let a = self.account;
        let said = |class: S| a.sources.get(&class).and_then(|k| k.facts.status);
        let ended = |s: Option<Status>| matches!(s, Some(Status::Closed | Status::Suspended));
        let record = said(S::Manual).or(said(S::LandingZone)).or(said(S::Import));
        let cloud = said(S::OrgRoot);
        if ended(cloud) || ended(record) {
            // With a date of closing, any later cost; without, a cost lately.
            let since = a.facts.closed_at;
            let billed = a.last_billed().filter(|last| match since {
                Some(closed) => *last > closed,
                None => now.days_since(*last) <= BILLED_DAYS,
            });
            if let Some(last) = billed {
                let who = if ended(cloud) { S::OrgRoot } else { S::LandingZone };
                let closed = since.map_or("closed".to_owned(), |c| format!("closed on {}", c.date()));
                self.say(
                    Conflict::ClosedButBilled,
                    &[who, S::Billing],
                    format!("{closed}, but billed until {}", last.date()),
                );
            }
        }
        if let (Some(cloud), Some(record)) = (cloud, record)
            && ended(Some(cloud)) != ended(Some(record))
        {
            self.say(
                Conflict::StatusDisagreement,
                &[S::OrgRoot, S::LandingZone],
                format!("{cloud} for the organisation, {record} on the record"),
            );
        }
    }

    fn tier(&mut self, config: &Config, now: Time) {
        let a = self.account;
        let said: BTreeMap<SourceClass, Tier> = a
            .sources
            .iter()
            .filter_map(|(class, k)| Some((*class, k.facts.tier?)))
            .filter(|(_, t)| *t != Tier::Unknown)
            .collect();
        if said.values().collect::<BTreeSet<_>>().len() > 1 {
            let who: Vec<_> = said.keys().copied().collect();
            let detail: Vec<_> = said.iter().map(|(c, t)| format!("{t} for {c}")).collect();
            self.say(Conflict::TierDisagreement, &who, detail.join(", "));
        }
        if matches!(a.tier(), Tier::Sandbox | Tier::Experimental) {
            if a.holds_sensitive_data() {
                let classes: Vec<_> = a.facts.data_classes.iter().map(|c| c.name()).collect();
                self.say(
                    Conflict::MisTiered,
                    &said.keys().copied().collect::<Vec<_>>(),
                    format!("{} with {} data", a.tier(), classes.join(", ")),
                );
            }
            for (currency, months) in &a.activity.cost {
                if let Some((month, cost)) = months.iter().max_by_key(|(_, c)| **c)
                    && *cost > config.sandbox_monthly_limit
                {
                    let detail = format!("{} that cost {} {currency} in {month}", a.tier(), cost / 1_000_000);
                    self.say(Conflict::MisTiered, &[SourceClass::Billing], detail);
                }
            }
        }
        if a.tier() == Tier::Experimental {
            match a.facts.tier_expires {
                None => self.say(
                    Conflict::TierExpired,
                    &[],
                    "experimental without an end; at most 180 days ahead is right".into(),
                ),
                Some(end) if end < now => self.say(
                    Conflict::TierExpired,
                    &[],
                    format!("experimental until {}; counts as unknown since", end.date()),
                ),
                Some(end) if end.days_since(now) > 180 => {
                    self.say(
                        Conflict::TierExpired,
                        &[],
                        format!("experimental until {}; at most 180 days ahead is right", end.date()),
                    );
                }
                Some(_) => {}
            }
        }
    }

    fn owner(&mut self, estate: &Estate, config: &Config) {
        let a = self.account;
        let said: BTreeMap<SourceClass, &str> =
            a.sources.iter().filter_map(|(class, k)| Some((*class, k.facts.owner_person.as_deref()?))).collect();
        if said.values().collect::<BTreeSet<_>>().len() > 1 {
            let who: Vec<_> = said.keys().copied().collect();
            let detail: Vec<_> = said.iter().map(|(c, o)| format!("{o} for {c}")).collect();
            self.say(Conflict::OwnerDisagreement, &who, detail.join(", "));
        }
        if let Some(owner) = &a.facts.owner_person {
            let left = estate.leavers.contains_key(owner)
                || config.active_people.as_ref().is_some_and(|p| !p.iter().any(|x| x.eq_ignore_ascii_case(owner)));
            if left {
                self.say(Conflict::OwnershipLapsed, &[], format!("owner {owner} has left"));
            }
        }
    }

    fn use_of(&mut self, now: Time, config: &Config) {
        let a = self.account;
        let scope = &a.facts.region_scope;
        if !scope.is_empty() {
            // `global` and empty regions hold what has no place.
            let outside: Vec<_> = a
                .activity
                .regions
                .iter()
                .filter(|r| !matches!(r.to_lowercase().as_str(), "global" | "any" | "unassigned" | "us" | "eu"))
                // `West Europe` and `westeurope` are one place.
                .filter(|r| !scope.iter().any(|s| canonical(s) == canonical(r)))
                .cloned()
                .collect();
            if !outside.is_empty() {
                let allowed: Vec<_> = scope.iter().cloned().collect();
                self.say(
                    Conflict::RegionOutOfScope,
                    &[SourceClass::Billing],
                    format!("costs in {}; scope is {}", outside.join(", "), allowed.join(", ")),
                );
            }
        }
        let with = |how: SignIn| a.activity.signers.iter().filter(move |(_, s)| s.how == how).map(|(w, _)| w.clone());
        let local: Vec<_> = with(SignIn::Local).take(5).collect();
        if a.facts.federation_state == Some(Federation::Federated) && !local.is_empty() {
            self.say(
                Conflict::FederationDisagreement,
                &[SourceClass::IdpFederation],
                format!("said to be federated; own users sign in: {}", local.join(", ")),
            );
        }
        if with(SignIn::Root).next().is_some() {
            let last = a.activity.signers.values().filter(|s| s.how == SignIn::Root).filter_map(|s| s.span.last).max();
            let last = last.map_or(String::new(), |l| format!(", last on {}", l.date()));
            self.say(Conflict::RootSignIn, &[SourceClass::IdpFederation], format!("the root user signed in{last}"));
        }
        if a.state == State::Governed {
            let days = if a.tier() == Tier::Tier1 { config.review_days_tier1 } else { config.review_days };
            match a.facts.last_reviewed_at {
                None => self.say(Conflict::ReviewOverdue, &[], format!("never reviewed; due every {days} days")),
                Some(at) if now.days_since(at) > days => {
                    self.say(
                        Conflict::ReviewOverdue,
                        &[],
                        format!("last reviewed {}; due every {days} days", at.date()),
                    );
                }
                Some(_) => {}
            }
        }
    }
}
