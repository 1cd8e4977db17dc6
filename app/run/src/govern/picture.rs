//! Everything the record knows, read once: what reports, bundles and alignments are made from.

use super::{GovernError, Judged, Life, Profile, Surroundings, each_life};
use plumb_catalog::{Catalog, Confidence};
use plumb_govern::{
    bundle::Limit,
    cadence::{self, Done, Due, Subject},
    decision::{Decision, Draft, Register, register},
    finding::machine::State,
    framework::{self, Alignment, Attestation, Control, Tally},
    ids::FindingId,
    ledger::Exposure,
    lens::{self, ScanState, View},
    policy::Tier,
    review::Campaign,
};
use plumb_model::{RuleId, Severity, Time};
use plumb_record::{AccountRow, FindingRow, Moment, Record};
use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

/// Collections of documents.
pub(super) const DECISIONS: &str = "decision";
pub(super) const DRAFTS: &str = "draft";
pub(super) const LEDGER: &str = "exposure";
pub(super) const CAMPAIGNS: &str = "campaign";
pub(super) const CADENCE: &str = "cadence";
pub(super) const ATTESTATIONS: &str = "attestation";

/// Reads a whole collection.
pub(super) fn collection<T: serde::de::DeserializeOwned>(record: &Record, name: &str) -> Result<Vec<T>, GovernError> {
    record.documents(name)?.into_iter().map(|(_, doc)| Ok(serde_json::from_value(doc)?)).collect()
}

/// Everything the record knows at one moment. Findings are not in it: there may be millions, so whoever wants something of
/// them goes over them once with [`Picture::each`] and keeps the answer.
pub struct Picture<'r> {
    /// The moment.
    pub now: Time,
    /// Policy, people, accounts' profiles and routes.
    pub around: Surroundings<'r>,
    /// The register.
    pub decisions: Vec<Decision>,
    /// Requests that are not complete yet.
    pub drafts: Vec<Draft>,
    /// The exposure ledger.
    pub ledger: BTreeMap<String, Exposure>,
    /// Access reviews.
    pub campaigns: Vec<Campaign>,
    /// Accounts.
    pub accounts: Vec<AccountRow>,
    /// What other sources know beside them.
    pub elsewhere: super::inventory::Elsewhere,
    /// What people attested.
    pub attestations: Vec<Attestation>,
    /// What was judged.
    pub judged: Judged,
    /// When the programme began: the first scan.
    pub begun: Time,
    /// When what was found first was all said: the first scan was over, and the programme had said what it thinks of it.
    pub(super) settled: Time,
    /// Where its promises stand.
    pub cadence: Vec<Due>,
    /// How many findings stand how: rule, state, severity, count.
    standing: Vec<(RuleId, State, Severity, i64)>,
    // Asked once a framework, the same for all of them.
    named: OnceCell<Named>,
    tallied: OnceCell<BTreeMap<RuleId, Tally>>,
    carried: OnceCell<Vec<Carried>>,
    // What is read later is of the same moment.
    _moment: Moment<'r>,
}

/// What is not closed of one cloud in one state.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) state: State,
    pub(super) cloud: String,
    pub(super) n: i64,
    pub(super) points: i64,
}

/// How long after a scan's end the programme may still say what it found about itself in it, in seconds.
const SETTLING: i64 = 3_600;

/// When the first scan of the record was over.
fn first_over(record: &Record) -> Result<Option<Time>, GovernError> {
    first_scan(record, "finished")
}

/// When the first scan looked; nothing before that was measured.
///
/// # Errors
/// The record fails.
pub fn first_look(record: &Record) -> Result<Option<Time>, GovernError> {
    first_scan(record, "judged_at")
}

fn first_scan(record: &Record, column: &str) -> Result<Option<Time>, GovernError> {
    let table = record.query(&format!("SELECT {column} FROM scan WHERE finished IS NOT NULL ORDER BY id LIMIT 1"))?;
    let at = table.rows.first().and_then(|row| row.first()?.as_str()?.parse().ok());
    Ok(at)
}

impl<'r> Picture<'r> {
    /// Reads the record.
    ///
    /// # Errors
    /// The record fails.
    pub fn read(record: &'r Record, catalog: &'r Catalog, now: Time) -> Result<Self, GovernError> {
        let moment = record.moment()?;
        let around = Surroundings::read(record, catalog, &plumb_govern::policy::Policy::default())?;
        let ledger: Vec<Exposure> = collection(record, LEDGER)?;
        let accounts = record.accounts()?;
        let elsewhere = super::inventory::elsewhere(record, &accounts.iter().map(|a| a.id.as_str()).collect())?;
        let (done, begun) = kept(record, now)?;
        let cadence = standing(&accounts, &around.profiles, &done, begun, now);
        let counted = |(rule, state, severity, n): (String, String, String, i64)| {
            let severity = severity.parse().map_err(GovernError::Diverged)?;
            Ok((RuleId::from(rule.as_str()), super::work::state(&state)?, severity, n))
        };
        Ok(Self {
            now,
            around,
            decisions: collection(record, DECISIONS)?,
            drafts: super::drafts(record)?.into_iter().map(|(_, d)| d).collect(),
            ledger: ledger.into_iter().map(|e| (e.id.clone(), e)).collect(),
            campaigns: collection(record, CAMPAIGNS)?,
            accounts,
            elsewhere,
            attestations: collection(record, ATTESTATIONS)?,
            judged: Judged::read(record)?,
            begun,
            settled: first_over(record)?.map_or(begun, |over| Time::from_seconds(over.seconds() + SETTLING)),
            cadence,
            standing: record.standing()?.into_iter().map(counted).collect::<Result<_, GovernError>>()?,
            named: OnceCell::new(),
            tallied: OnceCell::new(),
            carried: OnceCell::new(),
            _moment: moment,
        })
    }

    /// Refuses a team that nobody knows, neither accounts, people nor the rules that route findings: a list about it would
    /// say that it has nothing to do. Findings may know a team all the same; ask where none did.
    ///
    /// # Errors
    /// [`GovernError::Input`] with the name.
    pub fn check_team(&self, name: &str) -> Result<(), GovernError> {
        let known = name == "nobody"
            || self.around.profiles.values().any(|p| p.team.as_deref() == Some(name))
            || self.around.directory.people().any(|p| p.teams.iter().any(|t| t.as_str() == name))
            || self.around.routing.iter().any(|r| r.team.as_ref().is_some_and(|t| t.as_str() == name));
        let what = || {
            format!(
                "no finding, account, person or route has the team `{name}`; `plumb findings sla --by-team` lists teams"
            )
        };
        if known { Ok(()) } else { Err(GovernError::Input(what())) }
    }

    /// Goes over every finding once, closed ones too, with every step of it.
    ///
    /// # Errors
    /// The record fails, a finding's state does not follow from its steps, or the first error of `take`.
    pub fn each(&self, take: impl FnMut(&FindingRow, &Life) -> Result<(), GovernError>) -> Result<(), GovernError> {
        each_life(&self.around, take)
    }

    /// What is not closed, by state and the first word of its rule: how many, and the sum of their scores as they were last
    /// kept; where none was, of their severities.
    pub(super) fn carried(&self) -> Result<&[Carried], GovernError> {
        if let Some(known) = self.carried.get() {
            return Ok(known);
        }
        let unscored: String = Severity::ALL
            .iter()
            .map(|severity| format!(" WHEN '{}' THEN {}", severity.name(), super::life::points(*severity)))
            .collect();
        // In the order of an index, so that no row waits to be sorted: there may be millions.
        let sql = format!(
            "SELECT f.state, f.rule, count(*), sum(coalesce(
                    min((SELECT l.points FROM finding_lane l WHERE l.key = f.key ORDER BY l.n DESC LIMIT 1), {}),
                    CASE f.severity_now{unscored} ELSE 0 END))
             FROM finding f INDEXED BY finding_page
             WHERE f.state NOT IN ('fixed', 'resource-gone', 'superseded') GROUP BY f.state, f.rank, f.rule",
            super::life::MOST_POINTS
        );
        let mut sums: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
        self.around.record.each_answer::<GovernError>(&sql, &[], |row| {
            let text = |i: usize| row.get(i).and_then(|v| v.as_str()).unwrap_or_default();
            let number = |i: usize| row.get(i).and_then(serde_json::Value::as_i64).unwrap_or_default();
            let cloud = text(1).split('.').next().unwrap_or_default();
            let sum = sums.entry((text(0).to_owned(), cloud.to_owned())).or_default();
            *sum = (sum.0 + number(2), sum.1 + number(3));
            Ok(())
        })?;
        let carried = |((state, cloud), (n, points)): ((String, String), (i64, i64))| {
            Ok(Carried { state: super::work::state(&state)?, cloud, n, points })
        };
        let mut out = sums.into_iter().map(carried).collect::<Result<Vec<_>, GovernError>>()?;
        // A false positive is no risk either.
        out.retain(|c| !c.state.is_final());
        Ok(self.carried.get_or_init(|| out))
    }

    /// Points of what is open.
    ///
    /// # Errors
    /// The record fails.
    pub fn open_points(&self) -> Result<i64, GovernError> {
        Ok(self.carried()?.iter().map(|c| c.points).sum())
    }

    /// The register's view.
    ///
    /// # Errors
    /// The record fails.
    pub fn register(&self) -> Result<Register, GovernError> {
        Ok(register(&self.decisions, &self.around.directory, self.open_points()?, self.now))
    }

    /// What the rules say in scope: coverage, with failures under a decision apart.
    pub fn tallies(&self) -> BTreeMap<RuleId, Tally> {
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        let mut out = self.judged.rules.clone();
        let decided = [State::Accepted, State::Deferred, State::FalsePositive];
        for (rule, _, _, n) in self.standing.iter().filter(|(_, state, ..)| decided.contains(state)) {
            if let Some(tally) = out.get_mut(rule) {
                let n = count(*n).min(tally.fail);
                tally.fail -= n;
                tally.decided += n;
            }
        }
        self.nothing(&mut out);
        out
    }

    /// Tells rules that found nothing to judge from rules that could not look. Nothing is there only where every account of
    /// the provider was entered, all its regions were read, and the rule's kind was read completely in each.
    fn nothing(&self, tallies: &mut BTreeMap<RuleId, Tally>) {
        let provider = |rule: &RuleId| rule.as_str().split('.').next().unwrap_or_default().to_owned();
        let mut known: BTreeMap<&str, Vec<&AccountRow>> = BTreeMap::new();
        for a in self.accounts.iter().filter(|a| !matches!(a.state.as_str(), "closed" | "suspended")) {
            known.entry(a.provider.as_str()).or_default().push(a);
        }
        let whole = |a: &AccountRow| {
            let unread = a.doc.get("unread_regions").and_then(|r| r.as_array()).is_some_and(|r| !r.is_empty());
            a.state == "active" && !unread
        };
        let catalog = self.around.catalog;
        for rule in catalog.rules.values() {
            let Some(accounts) = known.get(provider(&rule.id).as_str()) else {
                tallies.insert(rule.id.clone(), Tally { outside: true, ..Tally::default() });
                continue;
            };
            let silent = tallies.get(&rule.id).is_some_and(|t| *t == Tally::default());
            let once = catalog.kinds.get(&rule.kind).is_some_and(|k| k.scope == plumb_catalog::Scope::Organization);
            let read = |a: &AccountRow| self.judged.silent_in(&rule.id, &a.id);
            if silent && accounts.iter().all(|a| whole(a) && (once || read(a))) {
                tallies.insert(rule.id.clone(), Tally { nothing: true, ..Tally::default() });
            }
        }
    }

    /// A framework's controls against the record and what people attested.
    pub fn align(&self, catalog: &Catalog, id: &str) -> Option<Alignment> {
        let named = self.named.get_or_init(|| Named::read(catalog));
        let controls = named.of(catalog, id)?;
        let tallies = self.tallied.get_or_init(|| self.tallies());
        Some(framework::align(id, &controls, tallies, &self.attestations, self.now))
    }

    /// What the record does not know, said aloud.
    pub fn limits(&self) -> Vec<Limit> {
        let limit = |kind: &str, object: String, meaning: String| Limit { kind: kind.into(), object, meaning };
        let mut out = Vec::new();
        for a in self.accounts.iter().filter(|a| a.state != "active") {
            let why = if a.reason.is_empty() { &a.state } else { &a.reason };
            out.push(limit(
                "unscanned-account",
                format!("{} {}", a.id, a.name),
                format!("nothing in it was judged: {why}"),
            ));
        }
        for a in &self.elsewhere.accounts {
            out.push(limit(
                "unscanned-account",
                format!("{} {}", a.id, a.name).trim_end().to_owned(),
                format!("nothing in it was judged: {}, and no scan has it on its list", a.state),
            ));
        }
        for (reason, count) in self.gaps() {
            out.push(limit(
                "unknown-results",
                reason,
                format!("{count} checks could not look; they count neither as pass nor as fail"),
            ));
        }
        out.push(limit(
            "second-factor",
            "command line".into(),
            "people without a code are taken at their word at the command line; their log entries say `cli/asserted`"
                .into(),
        ));
        out
    }

    /// Why checks could not look, with how many each cost, most first.
    pub fn gaps(&self) -> Vec<(String, u64)> {
        let mut out: Vec<_> = self.judged.gaps.clone().into_iter().collect();
        out.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        out
    }

    /// The three lenses audits read through.
    ///
    /// # Errors
    /// The record fails.
    pub fn lenses(&self, alignments: &[Alignment]) -> Result<Vec<View>, GovernError> {
        let of_org = |a: &AccountRow| {
            a.doc.pointer("/target/organization").and_then(|o| o.as_str()).is_some_and(|o| !o.is_empty())
        };
        let none = Profile::default();
        let profile = |id: &str| self.around.profiles.get(id).unwrap_or(&none);
        let person = |owner: &String| {
            self.around
                .directory
                .human(owner)
                .cloned()
                .unwrap_or_else(|| plumb_govern::ids::HumanId::from(owner.as_str()))
        };
        let row = |account: String, id: &str, name: &str, scan: ScanState| lens::AccountRow {
            account,
            name: name.to_owned(),
            sources: profile(id).sources.clone(),
            owner: profile(id).owner.as_ref().map(person),
            team: profile(id).team.as_deref().map(Into::into),
            purpose: profile(id).purpose.clone(),
            tier: profile(id).tier,
            data: profile(id).data.clone(),
            scan,
            reviewed_at: profile(id).reviewed_at,
            closed: false,
        };
        let scan = |a: &AccountRow| match a.state.as_str() {
            "active" if self.judged.accounts.get(&a.id).is_some_and(|sum| sum.unknown > 0) => ScanState::Partial,
            "active" => ScanState::Ok,
            "unreachable" => ScanState::Blocked,
            _ => ScanState::Never,
        };
        let listed = self.accounts.iter().map(|a| {
            let mut row = row(format!("{}:{}", a.provider, a.id), &a.id, &a.name, scan(a));
            if of_org(a) {
                row.sources.insert("org-root".into());
            }
            row.closed = matches!(a.state.as_str(), "closed" | "suspended");
            row
        });
        // What only bills, sign-ins, roles or people know is what this lens is for.
        let unlisted = self.elsewhere.accounts.iter().map(|a| row(a.key.clone(), &a.id, &a.name, ScanState::Never));
        let rows: Vec<lens::AccountRow> = listed.chain(unlisted).collect();
        let mut read: BTreeSet<String> =
            self.around.profiles.values().flat_map(|p| p.sources.iter().cloned()).collect();
        if self.accounts.iter().any(of_org) {
            read.insert("org-root".into());
        }
        let idle = self.idle()?;
        let decisions = lens::Decisions {
            register: &self.decisions,
            drafts: &self.drafts,
            ledger: &self.ledger,
            campaigns: &self.campaigns,
            unmatched: &idle,
            cadence: &self.cadence,
            emergencies: &super::emergencies(self.around.record)?,
        };
        Ok(vec![
            lens::coverage(&rows, &read, &self.elsewhere.explained, &self.around.directory, self.now),
            lens::durability(&decisions, &self.around.directory, &self.around.policy, self.now),
            lens::alignment(alignments),
        ])
    }

    /// Which of the findings that decisions name are not closed.
    pub(super) fn live(&self) -> Result<BTreeSet<FindingId>, GovernError> {
        let mut out = BTreeSet::new();
        for d in self.decisions.iter().filter(|d| d.holds(self.now)) {
            for id in d.findings() {
                let state = self.around.record.state(id.as_str())?;
                if state.as_deref().map(super::work::state).transpose()?.is_some_and(|s| !s.is_final()) {
                    out.insert(id.clone());
                }
            }
        }
        Ok(out)
    }
}

/// Which rules speak to which controls, surely or only related, of every framework.
#[derive(Debug)]
struct Named(BTreeMap<(String, String), (Vec<RuleId>, Vec<RuleId>)>);

impl Named {
    fn read(catalog: &Catalog) -> Self {
        let mut named: BTreeMap<(String, String), (Vec<RuleId>, Vec<RuleId>)> = BTreeMap::new();
        for rule in catalog.rules.values() {
            for c in catalog.controls_of(rule) {
                let sure = c.confidence > Confidence::Low;
                let slot = named.entry((c.framework.to_string(), c.control.to_string())).or_default();
                if sure { slot.0.push(rule.id.clone()) } else { slot.1.push(rule.id.clone()) }
            }
        }
        Self(named)
    }

    fn of(&self, catalog: &Catalog, id: &str) -> Option<Vec<Control>> {
        let framework = catalog.frameworks().get(id)?;
        let control = |c: &plumb_catalog::Control| {
            let (rules, related) = self.0.get(&(id.to_owned(), c.id.to_string())).cloned().unwrap_or_default();
            Control {
                framework: id.into(),
                id: c.id.clone(),
                title: c.title.clone(),
                manual: c.assessment == "manual",
                rules,
                related,
            }
        };
        Some(framework.controls.iter().map(control).collect())
    }
}

/// A framework's controls with the rules that speak to them.
pub fn controls(catalog: &Catalog, id: &str) -> Option<Vec<Control>> {
    Named::read(catalog).of(catalog, id)
}

fn standing(
    accounts: &[AccountRow],
    profiles: &BTreeMap<String, Profile>,
    done: &[Done],
    begun: Time,
    now: Time,
) -> Vec<Due> {
    let tier = |a: &AccountRow| profiles.get(&a.id).map_or(Tier::Unknown, |p| p.tier);
    let subjects: Vec<Subject> = accounts
        .iter()
        .filter(|a| a.state != "closed" && a.state != "suspended")
        .map(|a| Subject { account: a.id.clone(), tier: tier(a), since: begun })
        .collect();
    cadence::standing(&cadence::default_promises(), done, &subjects, begun, now)
}

/// Where the programme's promises stand; without reading a single finding.
///
/// # Errors
/// The record fails.
pub fn cadences(record: &Record, now: Time) -> Result<Vec<Due>, GovernError> {
    let (done, begun) = kept(record, now)?;
    Ok(standing(&record.accounts()?, &super::profiles(record)?, &done, begun, now))
}

/// What the programme did: scans from the record, everything else as people noted it. And when it began.
fn kept(record: &Record, now: Time) -> Result<(Vec<Done>, Time), GovernError> {
    let mut done: Vec<Done> = collection(record, CADENCE)?;
    let mut begun = now;
    let table = record.query(
        "SELECT s.id, s.judged_at, s.status, u.account, min(u.state) = 'complete' AND max(u.state) = 'complete'
         FROM scan s JOIN unit u ON u.scan = s.id GROUP BY s.id, u.account",
    )?;
    let mut scans: BTreeMap<i64, (Time, bool)> = BTreeMap::new();
    for row in &table.rows {
        let [id, at, status, account, whole] = row.as_slice() else { continue };
        let Some(at) = at.as_str().and_then(|t| t.parse::<Time>().ok()) else { continue };
        begun = begun.min(at);
        let id = id.as_i64().unwrap_or_default();
        let finished = matches!(status.as_str(), Some("complete" | "partial"));
        let complete = finished && whole.as_i64() == Some(1);
        scans.insert(id, (at, finished));
        for promise in ["scan-tier1", "scan-production", "scan-long-tail"] {
            done.push(Done {
                promise: promise.into(),
                subject: account.as_str().unwrap_or_default().into(),
                at,
                result: format!("scan {id} was {}", status.as_str().unwrap_or_default()),
                complete,
            });
        }
    }
    for (id, (at, finished)) in scans {
        for promise in ["inventory", "exposure-ledger"] {
            let result = format!("scan {id}");
            done.push(Done { promise: promise.into(), subject: String::new(), at, result, complete: finished });
        }
    }
    Ok((done, begun))
}
