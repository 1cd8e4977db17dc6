//! Readings of this run and the estate of the last become the estate of now.
//!
//! An absence counts only when the source that should list the account was read completely in this run; what was not
//! looked at keeps what was known.

use crate::{
    config::Config,
    contradict,
    estate::{
        Account, Appeared, Conflict, Estate, FORMAT, Freshness, Gap, Known, Run, RunReading, Shadow, State, Triage,
    },
    kinds::{AccountKey, Provider, SourceClass, SourceKind},
    metrics,
    sighting::{Facts, Federation, Reach, Reading, Sighting, SignIn, Stated, Status, Tier, earlier},
    triage,
};
use plumb_model::Time;
use std::collections::{BTreeMap, BTreeSet};

/// Runs kept on the estate.
const MOST_RUNS: usize = 100;
/// Leads without an account kept on the estate.
const MOST_LEADS: usize = 1_000;

/// Who is believed first about an attribute.
const STRENGTH: [SourceClass; 9] = [
    SourceClass::Manual,
    SourceClass::LandingZone,
    SourceClass::OrgRoot,
    SourceClass::IacState,
    SourceClass::Import,
    SourceClass::Billing,
    SourceClass::IdpFederation,
    SourceClass::CrossAccountRole,
    SourceClass::Expense,
];

/// Reconciles. `readings` may be in any order; `now` is the instant of the run.
pub fn reconcile(readings: &[Reading], previous: Option<&Estate>, config: &Config, now: Time) -> Estate {
    reconcile_from(readings, previous.cloned(), config, now)
}

/// As [`reconcile`], from an estate that is not needed any more: no account is on the heap twice.
pub fn reconcile_from(readings: &[Reading], mut previous: Option<Estate>, config: &Config, now: Time) -> Estate {
    let mut accounts = previous.as_mut().map(|p| std::mem::take(&mut p.accounts)).unwrap_or_default();
    let previous = previous.as_ref();
    let mut leavers = previous.map(|p| p.leavers.clone()).unwrap_or_default();
    for person in readings.iter().flat_map(|r| &r.people) {
        leavers.insert(person.who.clone(), person.deactivated_at);
    }
    leavers.extend(config.leavers.iter().map(|who| (who.to_lowercase(), None)));

    let read = Scope::of(readings);
    let mut leads: Vec<Sighting> = Vec::new();
    let mut new_accounts = Vec::new();
    let mut federated: BTreeSet<String> = BTreeSet::new();
    for reading in readings {
        for sighting in &reading.sightings {
            let Some(key) = &sighting.account else {
                leads.push(sighting.clone());
                continue;
            };
            let account = accounts.entry(key.clone()).or_insert_with(|| {
                new_accounts.push(key.clone());
                Box::new(blank(key, now))
            });
            if previous.is_some() {
                for who in sighting.activity.signers.keys().filter(|w| !account.activity.signers.contains_key(*w)) {
                    federated.insert(format!("{who} at {key}"));
                }
            }
            see(account, sighting, now, config);
        }
    }
    leads.sort_by(|a, b| (a.provider, &a.evidence).cmp(&(b.provider, &b.evidence)));
    leads.truncate(MOST_LEADS);
    if !readings.iter().any(|r| r.sightings.iter().any(|s| s.account.is_none())) {
        leads = previous.map(|p| p.leads.clone()).unwrap_or_default();
    }

    let freshness = freshness(previous, &read, config, now);
    let speaks = Speaks::of(&freshness, &accounts);
    let mut gap_reasons = previous.map(|p| p.gap_reasons.clone()).unwrap_or_default();
    for reason in &config.gap_reasons {
        if !reason.reason.trim().is_empty() && !gap_reasons.contains(reason) {
            gap_reasons.push(reason.clone());
        }
    }

    let org_authority: BTreeSet<Provider> =
        Provider::ALL.iter().copied().filter(|p| speaks.about(SourceClass::OrgRoot, *p)).collect();
    for (key, account) in &mut accounts {
        absent(account, &read, config, now);
        merge(account, config, key);
        account.gaps = speaks.missing(account);
        account.time_to_appear = appeared(account);
        account.state = state(account, &org_authority, &speaks, config, now);
    }

    let first_run = previous.map_or(now, |p| p.first_run);
    let gaps = pairs(&accounts, &speaks, &gap_reasons);
    let shadow = accounts.values().filter(|a| a.state == State::Shadow).map(|a| shadow(a, &org_authority)).collect();
    let mut runs = previous.map(|p| p.runs.clone()).unwrap_or_default();
    runs.push(Run {
        at: now,
        readings: readings.iter().map(run_reading).collect(),
        new_accounts: if previous.is_some() { new_accounts } else { Vec::new() },
        newly_federated: federated.into_iter().take(1_000).collect(),
    });
    let surplus = runs.len().saturating_sub(MOST_RUNS);
    runs.drain(..surplus);

    let mut estate = Estate {
        format: FORMAT.into(),
        as_of: now,
        contradictions: Vec::new(),
        metrics: crate::estate::Metrics::default(),
        accounts,
        gaps,
        gap_reasons,
        shadow,
        leads,
        freshness,
        leavers,
        runs,
        first_run,
    };
    estate.contradictions = contradict::all(&estate, config, now);
    let ghosts = estate.contradictions.iter().filter(|c| c.kind == Conflict::Ghost);
    let ghosts: BTreeSet<&AccountKey> = ghosts.filter_map(|c| c.account.as_ref()).collect();
    for (key, account) in &mut estate.accounts {
        (account.triage, account.triage_because) = triage::triage(account, ghosts.contains(key), config, now);
    }
    estate.metrics = metrics::of(&estate);
    estate
}

fn run_reading(reading: &Reading) -> RunReading {
    RunReading {
        kind: reading.kind,
        accounts: reading.sightings.iter().filter(|s| s.account.is_some()).count() as u64,
        rows: reading.rows,
        problems: reading.problems.iter().map(|p| p.count).sum(),
        complete: reading.complete,
    }
}

/// Which classes were read for which provider in this run, and whether all of their readings were complete.
struct Scope(BTreeMap<(SourceClass, Provider), bool>);

impl Scope {
    fn of(readings: &[Reading]) -> Self {
        let mut out = BTreeMap::new();
        for reading in readings {
            for s in &reading.sightings {
                *out.entry((s.class, s.provider)).or_insert(true) &= reading.complete;
            }
        }
        // One broken file of a class makes every absence from that class doubtful.
        for reading in readings.iter().filter(|r| !r.complete) {
            for ((class, _), complete) in &mut out {
                *complete &= *class != reading.kind.class();
            }
        }
        Self(out)
    }

    fn complete(&self, class: SourceClass, provider: Provider) -> bool {
        self.0.get(&(class, provider)).copied().unwrap_or(false)
    }
}

/// Which classes list accounts of which provider.
struct Speaks(BTreeSet<(SourceClass, Provider)>);

impl Speaks {
    fn of(freshness: &[Freshness], accounts: &BTreeMap<AccountKey, Box<Account>>) -> Self {
        let mut out: BTreeSet<_> = freshness.iter().map(|f| (f.class, f.provider)).collect();
        // The landing zone is to list every account of every provider; silence about a whole cloud is a gap too.
        if out.iter().any(|(class, _)| *class == SourceClass::LandingZone) {
            out.extend(accounts.keys().map(|k| (SourceClass::LandingZone, k.provider)));
        }
        Self(out)
    }

    fn about(&self, class: SourceClass, provider: Provider) -> bool {
        self.0.contains(&(class, provider))
    }

    fn missing(&self, account: &Account) -> BTreeSet<SourceClass> {
        if account.third_party.is_some() {
            return BTreeSet::new();
        }
        let all = SourceClass::ALL.iter().copied();
        all.filter(|c| {
            (c.lists_all() || *c == SourceClass::IdpFederation)
                && self.about(*c, account.provider)
                && !account.known_to(*c)
        })
        .collect()
    }
}

fn blank(key: &AccountKey, now: Time) -> Account {
    Account {
        provider: key.provider,
        native_id: key.id.to_string(),
        state: State::Candidate,
        third_party: None,
        facts: Facts::default(),
        sources: BTreeMap::new(),
        gaps: BTreeSet::new(),
        activity: crate::sighting::Activity::default(),
        first_recorded: now,
        time_to_appear: None,
        suspended_since: None,
        lacks: Vec::new(),
        triage: Triage::LightEntry,
        triage_because: String::new(),
    }
}

/// Takes one sighting into an account.
fn see(account: &mut Account, sighting: &Sighting, now: Time, config: &Config) {
    let known = account.sources.entry(sighting.class).or_insert_with(|| {
        Box::new(Known {
            first_seen: None,
            last_seen: None,
            first_read: now,
            last_read: now,
            gone_since: None,
            kinds: BTreeSet::new(),
            evidence: String::new(),
            facts: Stated::default(),
        })
    });
    known.first_seen = earlier(known.first_seen, sighting.seen.first);
    known.last_seen = known.last_seen.max(sighting.seen.last);
    known.gone_since = None;
    known.kinds.insert(sighting.kind);
    known.evidence.clone_from(&sighting.evidence);
    // Within a run, statements of one class complete each other; over runs the newer one replaces the older.
    let mut facts = sighting.facts.clone();
    if known.last_read == now {
        facts.fill_from(&known.facts);
    }
    known.facts = facts.into();
    known.last_read = now;
    account.activity.join(&sighting.activity);
    // An old log read again does not make an account used again. A policy that stands is no log.
    if sighting.kind.is_log()
        && let Some(last) = known.last_seen
        && now.days_since(last) > config.log_window_days
    {
        known.gone_since = Some(now);
    }
}

/// Notes which sources, read completely in this run, lack the account.
fn absent(account: &mut Account, read: &Scope, config: &Config, now: Time) {
    for (class, known) in &mut account.sources {
        if known.last_read == now || known.gone_since.is_some() {
            continue;
        }
        let gone = if class.is_log() {
            let standing = known.kinds.iter().any(|k| !k.is_log());
            let last = known.last_seen.filter(|_| !standing).unwrap_or(known.last_read);
            now.days_since(last) > config.log_window_days
        } else {
            read.complete(*class, account.provider)
        };
        if gone {
            known.gone_since = Some(now);
        }
    }
}

/// The attributes of the account from all that sources say, the strongest first.
fn merge(account: &mut Account, config: &Config, key: &AccountKey) {
    let mut facts = Facts::default();
    for class in STRENGTH {
        if let Some(known) = account.sources.get(&class) {
            facts.fill_from(&known.facts);
        }
    }
    // The cloud knows best whether the account lives, and when it was made.
    if let Some(org) = account.sources.get(&SourceClass::OrgRoot) {
        facts.status = org.facts.status.or(facts.status);
        facts.created_at = org.facts.created_at.or(facts.created_at);
    }
    if facts.federation_state.is_none_or(|f| f == Federation::Unknown) {
        let how: BTreeSet<SignIn> = account.activity.signers.values().map(|s| s.how).collect();
        let local = how.contains(&SignIn::Local) || how.contains(&SignIn::Root);
        facts.federation_state = Some(match (how.contains(&SignIn::Federated), local) {
            (true, true) => Federation::Mixed,
            (true, false) => Federation::Federated,
            (false, true) => Federation::LocalOnly,
            (false, false) => Federation::Unknown,
        });
    }
    account.facts = facts;
    account.third_party = config.third_party(key).map(str::to_owned);
}

fn appeared(account: &Account) -> Option<Appeared> {
    let created = account.facts.created_at;
    let first = account.sources.values().filter_map(|k| k.first_seen).min();
    let (since, from_creation) = match (created, first) {
        (Some(created), _) => (created, true),
        (None, Some(first)) => (first, false),
        (None, None) => return None,
    };
    let seconds = account.first_recorded.seconds().saturating_sub(since.seconds()).max(0);
    Some(Appeared { seconds, from_creation })
}

fn state(account: &mut Account, org: &BTreeSet<Provider>, speaks: &Speaks, config: &Config, now: Time) -> State {
    let stopped = matches!(account.facts.status, Some(Status::Suspended | Status::Closed));
    if stopped {
        let since = *account.suspended_since.get_or_insert_with(|| account.facts.closed_at.unwrap_or(now).min(now));
        return if now.days_since(since) >= 90 { State::Closed } else { State::Suspended };
    }
    account.suspended_since = None;
    account.lacks = lacks(account);
    if account.third_party.is_some() {
        return State::Candidate;
    }
    // The list that decides: the organisation; where none was read, the landing zone.
    let authority = if org.contains(&account.provider) {
        SourceClass::OrgRoot
    } else if speaks.about(SourceClass::LandingZone, account.provider) {
        SourceClass::LandingZone
    } else {
        return if account.lacks.is_empty() { State::Governed } else { State::Candidate };
    };
    // That somebody looked at an account says nothing of it yet.
    let by_hand = account.sources.get(&SourceClass::Manual).is_some_and(|k| {
        let looked = Facts {
            last_reviewed_at: k.facts.last_reviewed_at,
            last_reviewed_by: k.facts.last_reviewed_by.clone(),
            ..Facts::default()
        };
        k.gone_since.is_none() && *k.facts != looked
    });
    if account.lacks.is_empty() && (account.known_to(authority) || by_hand) {
        return State::Governed;
    }
    if account.known_to(authority) {
        return State::Candidate;
    }
    // What gives a shadow away: somebody pays, signs in, or a role crosses. A list kept by people does not.
    let traces =
        [SourceClass::Billing, SourceClass::Expense, SourceClass::IdpFederation, SourceClass::CrossAccountRole];
    let traces: Vec<&Known> =
        traces.iter().filter_map(|c| Some(&**account.sources.get(c)?)).filter(|k| k.gone_since.is_none()).collect();
    // The organisation may list a new account a little later. Only a dated, young trace earns that grace.
    // A trust policy stands since nobody knows when, whatever was assumed through it today.
    let standing = account.activity.roles.iter().any(|r| r.reach == Reach::TrustedBy);
    let young = |k: &&&Known| {
        if standing && k.kinds.contains(&SourceKind::CrossAccountRoles) {
            return false;
        }
        let since = k.first_seen.map_or(k.first_read, |s| s.min(k.first_read));
        let dated = k.first_seen.is_some() || k.first_read < now;
        dated && now.seconds() - since.seconds() < config.grace_hours * 3_600
    };
    match traces.len() {
        0 => State::Candidate,
        // What was a shadow stays one until the list knows it: grace is for accounts seen for the first time.
        n if account.state != State::Shadow && traces.iter().filter(young).count() == n => State::Candidate,
        _ => State::Shadow,
    }
}

/// What an entry needs before it counts as governed.
fn lacks(account: &Account) -> Vec<String> {
    let f = &account.facts;
    let purpose = f.business_purpose.as_ref().is_some_and(|p| p.chars().count() >= 10);
    let classes =
        !f.data_classes.is_empty() && f.data_classes.iter().any(|c| *c != crate::sighting::DataClass::Unknown);
    [
        (f.owner_person.is_some() || f.owner_team.is_some(), "owner"),
        (purpose, "business purpose (at least 10 characters)"),
        (account.tier() != Tier::Unknown, "tier"),
        (classes, "data classes"),
    ]
    .into_iter()
    .filter(|(given, _)| !given)
    .map(|(_, what)| what.to_owned())
    .collect()
}

fn shadow(account: &Account, org: &BTreeSet<Provider>) -> Shadow {
    let with_name =
        |(id, name): (&String, &String)| if name.is_empty() { id.clone() } else { format!("{id} ({name})") };
    Shadow {
        account: account.key(),
        name: account.facts.name.clone(),
        missing_from: if org.contains(&account.provider) { SourceClass::OrgRoot } else { SourceClass::LandingZone },
        seen_by: account.sources.iter().filter(|(_, k)| k.gone_since.is_none()).map(|(c, _)| *c).collect(),
        since: account.sources.values().filter_map(|k| k.first_seen).min(),
        who_pays: account.activity.payers.iter().map(with_name).collect(),
        who_signs_in: account.activity.signers.keys().cloned().collect(),
        roles: account.activity.roles.iter().map(|r| format!("{} {} ({})", r.reach, r.role, r.by)).collect(),
        evidence: account.sources.values().map(|k| k.evidence.clone()).collect(),
    }
}

fn pairs(
    accounts: &BTreeMap<AccountKey, Box<Account>>,
    speaks: &Speaks,
    reasons: &[crate::estate::GapReason],
) -> Vec<Gap> {
    let explained: BTreeSet<(&AccountKey, SourceClass)> = reasons.iter().map(|r| (&r.account, r.missing_in)).collect();
    let mut out: BTreeMap<(SourceClass, SourceClass), Gap> = BTreeMap::new();
    for (key, account) in accounts.iter().filter(|(_, a)| a.third_party.is_none()) {
        for known_to in account.sources.keys().filter(|c| account.known_to(**c)) {
            for missing_in in speaks.missing(account) {
                let gap = out.entry((*known_to, missing_in)).or_insert_with(|| Gap {
                    known_to: *known_to,
                    missing_in,
                    accounts: Vec::new(),
                    explained: Vec::new(),
                });
                gap.accounts.push(key.clone());
                if explained.contains(&(key, missing_in)) {
                    gap.explained.push(key.clone());
                }
            }
        }
    }
    out.into_values().collect()
}

fn freshness(previous: Option<&Estate>, read: &Scope, config: &Config, now: Time) -> Vec<Freshness> {
    let mut all: BTreeMap<(SourceClass, Provider), Freshness> =
        previous.map(|p| p.freshness.iter().map(|f| ((f.class, f.provider), f.clone())).collect()).unwrap_or_default();
    for ((class, provider), complete) in &read.0 {
        let fresh = all.entry((*class, *provider)).or_insert_with(|| Freshness {
            class: *class,
            provider: *provider,
            last_complete: None,
            last_read: now,
            stale: false,
        });
        fresh.last_read = now;
        if *complete {
            fresh.last_complete = Some(now);
        }
    }
    for fresh in all.values_mut() {
        let age = fresh.last_complete.map_or(i64::MAX, |at| now.days_since(at));
        fresh.stale = age > config.stale_after(fresh.class);
    }
    all.into_values().collect()
}
