//! Everything the record knows, read once: what reports, bundles and alignments are made from.

use super::{GovernError, Profile, directory, lives, profiles};
use plumb_catalog::{Catalog, Confidence};
use plumb_govern::{
    bundle::Limit,
    cadence::{self, Done, Due, Subject},
    decision::{Decision, Draft, Register, register, unmatched},
    finding::{Finding, Transition, machine::State},
    framework::{self, Alignment, Attestation, Control, Tally},
    ids::FindingId,
    ledger::Exposure,
    lens::{self, ScanState, View},
    people::Directory,
    policy::{Policy, Tier},
    review::Campaign,
};
use plumb_model::{RuleId, Time};
use plumb_record::{AccountRow, CoverageRow, Record};
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

/// Everything the record knows at one moment.
#[derive(Debug)]
pub struct Picture {
    /// The moment.
    pub now: Time,
    /// The policy.
    pub policy: Policy,
    /// Everybody.
    pub directory: Directory,
    /// Every finding, closed ones too.
    pub findings: Vec<Finding>,
    /// Every step of them.
    pub steps: Vec<Transition>,
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
    /// What is known about them beside that.
    pub profiles: BTreeMap<String, Profile>,
    /// What people attested.
    pub attestations: Vec<Attestation>,
    /// What was judged.
    pub coverage: Vec<CoverageRow>,
    /// When the programme began: the first scan.
    pub begun: Time,
    /// Where its promises stand.
    pub cadence: Vec<Due>,
    // Asked once a framework, the same for all of them.
    named: OnceCell<Named>,
    tallied: OnceCell<BTreeMap<RuleId, Tally>>,
}

impl Picture {
    /// Reads the record.
    ///
    /// # Errors
    /// The record fails, or a finding's state does not follow from its steps.
    pub fn read(record: &Record, catalog: &Catalog, now: Time) -> Result<Self, GovernError> {
        let policy = Policy::default();
        let (mut findings, mut steps) = (Vec::new(), Vec::new());
        for (_, life) in lives(record, catalog, &policy)? {
            findings.push(life.finding);
            steps.extend(life.steps);
        }
        let ledger: Vec<Exposure> = collection(record, LEDGER)?;
        let accounts = record.accounts()?;
        let (done, begun) = kept(record, now)?;
        let profiles = profiles(record)?;
        let cadence = standing(&accounts, &profiles, &done, begun, now);
        Ok(Self {
            now,
            policy,
            directory: directory(record)?,
            findings,
            steps,
            decisions: collection(record, DECISIONS)?,
            drafts: super::drafts(record)?.into_iter().map(|(_, d)| d).collect(),
            ledger: ledger.into_iter().map(|e| (e.id.clone(), e)).collect(),
            campaigns: collection(record, CAMPAIGNS)?,
            accounts,
            profiles,
            attestations: collection(record, ATTESTATIONS)?,
            coverage: record.coverage(None)?,
            begun,
            cadence,
            named: OnceCell::new(),
            tallied: OnceCell::new(),
        })
    }

    /// Points of what is open.
    pub fn open_points(&self) -> i64 {
        self.findings.iter().filter(|f| !f.state().is_final()).map(|f| f.facts.points).sum()
    }

    /// The register's view.
    pub fn register(&self) -> Register {
        register(&self.decisions, &self.directory, self.open_points(), self.now)
    }

    /// What the rules say in scope: coverage, with failures under a decision apart.
    pub fn tallies(&self) -> BTreeMap<RuleId, Tally> {
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        let mut out: BTreeMap<RuleId, Tally> = BTreeMap::new();
        for row in &self.coverage {
            let tally = out.entry(row.rule.as_str().into()).or_default();
            tally.pass += count(row.pass);
            tally.fail += count(row.fail);
            tally.unknown += count(row.unknown);
        }
        let decided = [State::Accepted, State::Deferred, State::FalsePositive];
        for f in self.findings.iter().filter(|f| decided.contains(&f.state())) {
            if let Some(tally) = out.get_mut(&f.facts.rule).filter(|t| t.fail > 0) {
                tally.fail -= 1;
                tally.decided += 1;
            }
        }
        out
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
        let mut out: BTreeMap<String, u64> = BTreeMap::new();
        for row in self.coverage.iter().filter(|r| r.unknown > 0) {
            let why = row.reasons.first().map_or_else(|| "not said".to_owned(), |r| r.describe());
            *out.entry(why).or_default() += u64::try_from(row.unknown).unwrap_or(0);
        }
        let mut out: Vec<_> = out.into_iter().collect();
        out.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        out
    }

    /// The three lenses audits read through.
    pub fn lenses(&self, alignments: &[Alignment]) -> Vec<View> {
        let of_org = |a: &AccountRow| {
            a.doc.pointer("/target/organization").and_then(|o| o.as_str()).is_some_and(|o| !o.is_empty())
        };
        let none = Profile::default();
        let profile = |a: &AccountRow| self.profiles.get(&a.id).unwrap_or(&none);
        let person = |owner: &String| {
            self.directory.human(owner).cloned().unwrap_or_else(|| plumb_govern::ids::HumanId::from(owner.as_str()))
        };
        let rows: Vec<lens::AccountRow> = self
            .accounts
            .iter()
            .map(|a| lens::AccountRow {
                account: format!("{}:{}", a.provider, a.id),
                name: a.name.clone(),
                sources: {
                    let mut known = profile(a).sources.clone();
                    if of_org(a) {
                        known.insert("org-root".into());
                    }
                    known
                },
                owner: profile(a).owner.as_ref().map(person),
                team: profile(a).team.as_deref().map(Into::into),
                purpose: profile(a).purpose.clone(),
                tier: profile(a).tier,
                data: profile(a).data.clone(),
                scan: match a.state.as_str() {
                    "active" if self.coverage.iter().any(|c| c.account == a.id && c.unknown > 0) => ScanState::Partial,
                    "active" => ScanState::Ok,
                    "unreachable" => ScanState::Blocked,
                    _ => ScanState::Never,
                },
                reviewed_at: profile(a).reviewed_at,
                closed: matches!(a.state.as_str(), "closed" | "suspended"),
            })
            .collect();
        let mut read: BTreeSet<String> = self.profiles.values().flat_map(|p| p.sources.iter().cloned()).collect();
        if self.accounts.iter().any(of_org) {
            read.insert("org-root".into());
        }
        let live: BTreeSet<FindingId> =
            self.findings.iter().filter(|f| !f.state().is_final()).map(|f| f.id.clone()).collect();
        let idle = unmatched(&self.decisions, &live, &|_| false, self.now);
        let decisions = lens::Decisions {
            register: &self.decisions,
            drafts: &self.drafts,
            ledger: &self.ledger,
            campaigns: &self.campaigns,
            unmatched: &idle,
            cadence: &self.cadence,
        };
        vec![
            lens::coverage(&rows, &read, &BTreeMap::new(), &self.directory, self.now),
            lens::durability(&decisions, &self.directory, &self.policy, self.now),
            lens::alignment(alignments),
        ]
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
        let framework = catalog.frameworks.get(id)?;
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
    Ok(standing(&record.accounts()?, &profiles(record)?, &done, begun, now))
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
