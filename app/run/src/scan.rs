//! A scan: accounts are read, judged and put on the record, and can be taken up again where they stopped.

use crate::{
    AccountTarget, Event, Gathered, JudgeError, Progress,
    baselines::{Judged, Judging, Run, keep_run},
    collect::gather,
    exposure,
    judge::{Part, Take, assess, judge_part},
    native, overland,
    overland::Ways,
    stored::resources_of,
};
use futures_util::{StreamExt, stream};
use plumb_catalog::{Catalog, Kind};
use plumb_clouds::Wire;
use plumb_drift::BaselineRun;
use plumb_evaluate::{AccountFacts, Explain, Needs, RuleSet};
use plumb_model::{AccountId, KindId, Region, ResourceId, RuleId, Severity, Time, Verdict};
use plumb_record::{AccountRow, Change, Ingest, NewScan, Record, RecordError, RuleRow, ScanId, UnitState};
use serde_json::json;
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Instant,
};
use tokio::sync::mpsc;

/// How a scan is run.
pub struct ScanOptions {
    /// When it starts, for the record.
    pub started: Time,
    /// The instant ages are measured against.
    pub now: Time,
    /// Only these regions; empty means all that are enabled.
    pub regions: BTreeSet<String>,
    /// What was asked for, enough to take it up again.
    pub scope: serde_json::Value,
    /// Take up this scan again.
    pub resume: Option<ScanId>,
    /// Accounts read at once.
    pub accounts_at_once: usize,
    /// The home region.
    pub home: String,
    /// The partition.
    pub partition: String,
}

/// A failing verdict as it is put on the record.
pub struct Seen<'a> {
    /// The verdict, with its leaves.
    pub verdict: &'a Verdict,
    /// Its rule's severity.
    pub severity: Severity,
    /// Whether it is new, back, or was there before.
    pub change: Change,
}

/// What a scan came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Its number.
    pub scan: i64,
    /// Whether everything in scope was read.
    pub complete: bool,
    /// Whether it was stopped; then it can be resumed.
    pub interrupted: bool,
    /// Resources read.
    pub resources: usize,
    /// Verdicts by outcome: pass, fail, unknown, not applicable.
    pub verdicts: [u64; 4],
    /// What changed on the record.
    pub changes: BTreeMap<Change, usize>,
    /// Places that could not be read, by reason text.
    pub gaps: BTreeMap<String, usize>,
    /// Accounts, as they were entered.
    pub accounts: Vec<AccountTarget>,
    /// The baseline each account was judged by: name and version, or `catalog` where none is in force for its tier.
    pub baselines: BTreeMap<String, String>,
    /// Milliseconds spent judging and writing findings.
    pub judged_ms: u128,
    /// Milliseconds of the whole scan.
    pub total_ms: u128,
}

/// Why a scan failed as a whole. What was read until then is on the record.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The record failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Judging failed.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// The estate on the record could not be used.
    #[error(transparent)]
    Accounts(#[from] crate::accounts::AccountsError),
    /// The baselines on the record could not be used.
    #[error(transparent)]
    Govern(#[from] crate::govern::GovernError),
}

/// Stands among the unread regions for those that could not be listed.
pub(crate) const UNLISTED: &str = "*";

/// What the record should know of an account for judging, and later judging again.
pub fn facts_of(target: &AccountTarget, all: &[AccountTarget], home: &str, regions: &BTreeSet<String>) -> AccountFacts {
    let wanted = |r: &&String| regions.is_empty() || regions.contains(*r);
    let members: Vec<String> =
        if target.organization.is_empty() { Vec::new() } else { all.iter().map(|t| t.id.clone()).collect() };
    let mut unread_regions: Vec<String> = target.regions.iter().filter(|r| !wanted(r)).cloned().collect();
    if target.more_regions {
        unread_regions.push(UNLISTED.into());
    }
    AccountFacts {
        id: target.id.clone(),
        name: target.name.clone(),
        tier: String::new(),
        data_classes: Vec::new(),
        state: target.state.clone(),
        management: target.management,
        organization_id: target.organization.clone(),
        organization_accounts: members,
        region_home: home.into(),
        regions: target.regions.iter().filter(wanted).cloned().collect(),
        unread_regions,
    }
}

/// The facts about an account as the scan wrote them down.
pub fn facts_on_record(account: &AccountRow) -> AccountFacts {
    let list = |name: &str| -> Vec<String> {
        let items = account.doc.get(name).and_then(serde_json::Value::as_array);
        items.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let target = account.doc.get("target");
    let text = |name: &str| {
        target.and_then(|t| t.get(name)).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    AccountFacts {
        id: account.id.clone(),
        name: account.name.clone(),
        tier: account.doc.get("tier").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned(),
        data_classes: list("data_classes"),
        state: account.state.clone(),
        management: target.and_then(|t| t.get("management")).and_then(serde_json::Value::as_bool),
        organization_id: text("organization"),
        organization_accounts: list("organization_accounts"),
        region_home: account.doc.get("home").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned(),
        regions: list("regions"),
        unread_regions: list("unread_regions"),
    }
}

/// Whether resources of a kind can be read from a provider's interface: one of its kinds, with calls to make.
pub fn is_live(catalog: &Catalog, kind: &KindId, provider: &str) -> bool {
    kind.provider() == provider && catalog.kinds.get(kind).is_some_and(|k| !k.calls().is_empty())
}

/// The kinds the rules need, with the kinds those are listed below.
pub(crate) fn kinds_for(catalog: &Catalog, rules: &RuleSet) -> Vec<Arc<Kind>> {
    kinds_of(catalog, rules, rules.needs())
}

/// The same for some of these rules.
pub(crate) fn kinds_of(catalog: &Catalog, rules: &RuleSet, needs: &Needs) -> Vec<Arc<Kind>> {
    let mut wanted: BTreeSet<KindId> = needs.judged.union(&needs.asked).chain(&needs.native).cloned().collect();
    let mut next: Vec<KindId> = wanted.iter().cloned().collect();
    while let Some(id) = next.pop() {
        if let Some(parent) = catalog.kinds.get(&id).and_then(|k| k.parent.clone())
            && wanted.insert(parent.clone())
        {
            next.push(parent);
        }
    }
    wanted.iter().filter_map(|id| rules.kind(id).cloned()).collect()
}

/// Runs a scan of these accounts over a wire and puts everything on the record.
///
/// `stop` ends it early, leaving it resumable. `progress` and `seen` are told what happens as it happens.
///
/// # Errors
/// When the record fails. That an account, region or service cannot be read is not an error but a gap, and is counted.
#[allow(clippy::too_many_arguments)]
pub async fn run_scan(
    wire: &dyn Wire,
    record: &mut Record,
    catalog: &Catalog,
    rules: &RuleSet,
    targets: Vec<AccountTarget>,
    options: &ScanOptions,
    stop: impl Future<Output = ()>,
    progress: &dyn Fn(&str, Progress),
    seen: &mut dyn FnMut(&Seen<'_>),
    stats: &dyn Fn() -> serde_json::Value,
) -> Result<Outcome, ScanError> {
    let begun = Instant::now();
    let scan = match options.resume {
        Some(scan) => scan,
        None => record.begin_scan(&NewScan {
            started: options.started,
            judged_at: options.now,
            scope: options.scope.clone(),
            rules_digest: rules.digest().to_owned(),
        })?,
    };
    let done = record.units(scan)?;
    record.put_rules(&rule_rows(catalog))?;
    let described = crate::accounts::described(record, options.now)?;
    let judging = Judging::on(record, catalog, rules)?;
    let facts: BTreeMap<String, AccountFacts> = targets
        .iter()
        .map(|t| {
            let mut facts = facts_of(t, &targets, &options.home, &options.regions);
            if let Some(known) = described.get(&t.id) {
                facts.tier.clone_from(&known.tier);
                facts.data_classes.clone_from(&known.data_classes);
            }
            (t.id.clone(), facts)
        })
        .collect();
    let entered = targets.iter().filter(|t| t.state != crate::pulls::NOT_DUE);
    record.put_accounts(&entered.map(|t| account_row(t, facts.get(&t.id))).collect::<Vec<_>>())?;

    let kinds = kinds_for(catalog, rules);
    let wanted: Vec<Gathered> = targets
        .iter()
        .filter(|t| t.state == "active")
        .map(|t| Gathered {
            account: t.id.as_str().into(),
            partition: options.partition.clone(),
            regions: facts
                .get(&t.id)
                .map(|f| f.regions.iter().map(|r| Region::from(r.as_str())).collect())
                .unwrap_or_default(),
            home: options.home.as_str().into(),
            organization: t.management == Some(true),
            kinds: kinds.clone(),
            done: done
                .iter()
                .filter(|u| u.account.as_str() == t.id && u.state == UnitState::Complete)
                .map(|u| (u.region.clone(), u.kind.clone()))
                .collect::<HashSet<_>>(),
        })
        .collect();

    let mut outcome = Outcome { scan: scan.0, accounts: targets, ..Outcome::default() };
    for unit in &done {
        outcome.resources += unit.resources;
    }
    // A few batches: what was read and is not written yet is held in memory.
    let (out, mut events) = mpsc::channel(4);
    let reading = async {
        let out = out;
        stream::iter(&wanted)
            .for_each_concurrent(options.accounts_at_once.max(1), |one| {
                let out = out.clone();
                async move {
                    gather(wire, one, out, &|p| progress(one.account.as_str(), p)).await;
                }
            })
            .await;
    };
    let stopped = Cell::new(false);
    // Accounts that were read to their end and judged by conditions.
    let mut runs: BTreeMap<String, Run> = BTreeMap::new();
    let keeping = async {
        tokio::pin!(stop);
        loop {
            let event = tokio::select! {
                biased;
                () = &mut stop => {
                    stopped.set(true);
                    events.close();
                    return Ok(());
                }
                event = events.recv() => event,
            };
            match event {
                None => return Ok(()),
                Some(Event::Resources(resources)) => {
                    outcome.resources += resources.len();
                    record.put_resources(scan, &resources)?;
                }
                Some(Event::Unit(unit)) => {
                    if let UnitState::Incomplete(unknown) = &unit.state {
                        *outcome.gaps.entry(unknown.describe()).or_default() += 1;
                    }
                    record.end_unit(scan, &unit)?;
                }
                Some(Event::End(account)) => {
                    let Some(facts) = facts.get(account.as_str()) else { continue };
                    let settling = Instant::now();
                    let by = judging.account(&facts.tier, "aws");
                    let counts = settle(record, &by, scan, facts, options.now, Part::Conditions, &mut outcome, seen)?;
                    let elapsed = i64::try_from(begun.elapsed().as_secs()).unwrap_or_default();
                    let run = BaselineRun {
                        baseline: by.label.to_owned(),
                        account: account.clone(),
                        started_at: options.started,
                        ended_at: Time::from_seconds(options.started.seconds() + elapsed),
                        collector: env!("CARGO_PKG_VERSION").into(),
                        inputs_digest: record.account_digest(scan, &account)?,
                        counts,
                    };
                    let run = Run {
                        scan: scan.0,
                        tier: if facts.tier.is_empty() { "unknown".into() } else { facts.tier.clone() },
                        rules_digest: by.rules.digest().to_owned(),
                        run,
                    };
                    outcome.baselines.insert(facts.id.clone(), run.run.baseline.clone());
                    runs.insert(facts.id.clone(), run);
                    outcome.judged_ms += settling.elapsed().as_millis();
                }
            }
        }
    };
    let kept: Result<(), ScanError> = {
        tokio::pin!(reading);
        tokio::pin!(keeping);
        let mut reading_ended = false;
        loop {
            tokio::select! {
                () = &mut reading, if !reading_ended => reading_ended = true,
                kept = &mut keeping => break kept,
            }
        }
    };
    kept?;
    outcome.interrupted = stopped.get();
    // What the organisation's policies forbid is known only now: reach and paths are found last, one account at a time.
    if !outcome.interrupted && rules.iter().any(|r| r.native().is_some()) {
        let begun = Instant::now();
        let read: BTreeSet<String> = runs.keys().cloned().collect();
        let outside = overland::outside(record, rules, scan, &read)?;
        let add = |run: &mut Run, counts: [u64; 4]| {
            run.run.counts.iter_mut().zip(counts).for_each(|(sum, more)| *sum += more);
        };
        let mut assessed: BTreeSet<String> = BTreeSet::new();
        for (account, run) in &mut runs {
            let Some(facts) = facts.get(account) else { continue };
            let by = judging.account(&facts.tier, "aws");
            match assess(record, by.rules, scan, facts, options.now, false, outside.as_ref()) {
                Ok(found) => {
                    let part = Part::Native(&found);
                    add(run, settle(record, &by, scan, facts, options.now, part, &mut outcome, seen)?);
                    exposure::keep(record, scan, &found)?;
                    overland::keep(record, scan, &found, outside.as_ref())?;
                    assessed.insert(account.clone());
                }
                Err(JudgeError::Record(error)) => return Err(error.into()),
                Err(error) => *outcome.gaps.entry(format!("{account}: {error}")).or_default() += 1,
            }
        }
        drop(outside);
        // Ways over accounts are found in their borders, and only then are paths judged.
        let moved = overland::join(record, scan, &assessed)?;
        for account in &assessed {
            let (Some(facts), Some(run)) = (facts.get(account), runs.get_mut(account)) else { continue };
            let by = judging.account(&facts.tier, "aws");
            let ways = Ways::kept(record, by.rules, account)?;
            add(run, settle(record, &by, scan, facts, options.now, Part::Paths(&ways), &mut outcome, seen)?);
            exposure::keep_paths(record, scan, scan, account, &ways)?;
        }
        // What was read may open or close ways that end in accounts this scan did not read.
        let rows: BTreeMap<String, AccountRow> = record.accounts()?.into_iter().map(|a| (a.id.clone(), a)).collect();
        for (account, read) in moved.into_iter().filter(|(account, _)| !assessed.contains(account)) {
            let Some(facts) = rows.get(&account).map(facts_on_record) else { continue };
            let by = judging.account(&facts.tier, "aws");
            let ways = Ways::kept(record, by.rules, &account)?;
            settle_elsewhere(record, &by, scan, read, &facts, options.now, &ways, &mut outcome, seen)?;
            exposure::keep_paths(record, scan, read, &account, &ways)?;
        }
        outcome.judged_ms += begun.elapsed().as_millis();
    }
    for run in runs.values() {
        keep_run(record, run)?;
    }
    let unreachable = outcome.accounts.iter().any(|t| t.state == "unreachable" || t.more_regions);
    outcome.complete = !outcome.interrupted && outcome.gaps.is_empty() && !unreachable;
    outcome.total_ms = begun.elapsed().as_millis();
    let status = match (outcome.interrupted, outcome.complete) {
        (true, _) => "interrupted",
        (false, true) => "complete",
        (false, false) => "partial",
    };
    let mut about = stats();
    if let Some(about) = about.as_object_mut() {
        about.insert("total_ms".into(), json!(u64::try_from(outcome.total_ms).unwrap_or(u64::MAX)));
        about.insert("judged_ms".into(), json!(u64::try_from(outcome.judged_ms).unwrap_or(u64::MAX)));
        about.insert("resources".into(), json!(outcome.resources));
    }
    let digest = if outcome.interrupted { None } else { Some(record.inputs_digest(scan)?) };
    let finished = (!outcome.interrupted).then(|| {
        Time::from_seconds(options.started.seconds() + i64::try_from(outcome.total_ms / 1000).unwrap_or_default())
    });
    record.end_scan(scan, status, finished, digest.as_deref(), &about)?;
    if !outcome.interrupted {
        let estate = crate::accounts::reconcile_scan(record, options.now)?;
        crate::accounts::keep_contradictions(record, scan, &estate, options.now)?;
    }
    Ok(outcome)
}

/// Puts the verdicts about one account on the record, kind by kind.
struct Settling<'a> {
    record: &'a Record,
    scan: ScanId,
    now: Time,
    account: AccountId,
    in_scope: BTreeSet<RuleId>,
    /// The regions of a kind that were not read completely.
    unread: BTreeMap<KindId, BTreeSet<String>>,
    /// How the ids of unread places begin.
    places: String,
    by: &'a Judged<'a>,
    current: Option<(KindId, Ingest<'a>)>,
    /// Verdicts of the rules the account's baseline names, by outcome.
    counts: [u64; 4],
    outcome: &'a mut Outcome,
    seen: &'a mut dyn FnMut(&Seen<'_>),
}

impl Settling<'_> {
    /// Writes what the kind's verdicts changed.
    fn finish(&mut self) -> Result<(), ScanError> {
        let Some((kind, ingest)) = self.current.take() else { return Ok(()) };
        let none = BTreeSet::new();
        for (change, count) in ingest.finish(&self.in_scope, self.unread.get(&kind).unwrap_or(&none))? {
            *self.outcome.changes.entry(change).or_default() += count;
        }
        Ok(())
    }
}

impl Take<ScanError> for Settling<'_> {
    fn begin(&mut self, kind: &KindId) -> Result<(), ScanError> {
        self.finish()?;
        let ingest = self.record.ingest_of(self.scan, self.now, &self.account, kind, &self.in_scope)?;
        self.current = Some((kind.clone(), ingest));
        Ok(())
    }

    fn verdict(&mut self, verdict: &Verdict, severity: Severity) -> Result<(), ScanError> {
        let named = self.by.named.as_ref().is_none_or(|named| named.contains(&verdict.rule));
        let at = verdict.outcome as usize;
        self.outcome.verdicts.get_mut(at).into_iter().for_each(|count| *count += 1);
        self.counts.get_mut(at).filter(|_| named).into_iter().for_each(|count| *count += 1);
        let whole_place = verdict.because.is_empty() && verdict.resource.as_str().starts_with(&self.places);
        if !whole_place
            && let Some((_, ingest)) = &mut self.current
            && let Some(change) = ingest.verdict(verdict, severity)?
        {
            (self.seen)(&Seen { verdict, severity, change });
        }
        Ok(())
    }

    fn closes(&self, rule: &RuleId, resource: &ResourceId, sub_key: &str) -> bool {
        self.current.as_ref().is_some_and(|(_, ingest)| ingest.closes(rule, resource, sub_key))
    }
}

/// Judges an account that was read to its end by a part of the rules, and puts what changed on the record. Returns the
/// verdicts of the rules its baseline names, by outcome.
#[allow(clippy::too_many_arguments)]
fn settle(
    record: &mut Record,
    by: &Judged<'_>,
    scan: ScanId,
    facts: &AccountFacts,
    now: Time,
    part: Part<'_>,
    outcome: &mut Outcome,
    seen: &mut dyn FnMut(&Seen<'_>),
) -> Result<[u64; 4], ScanError> {
    let rules = by.rules;
    let account = AccountId::from(facts.id.as_str());
    let in_scope: BTreeSet<RuleId> = rules.iter().filter(|r| part.holds(r)).map(|r| r.id.clone()).collect();
    let unread: BTreeMap<KindId, BTreeSet<String>> = record
        .units_of(scan, &facts.id)?
        .into_iter()
        .filter(|u| u.state != UnitState::Complete)
        .fold(BTreeMap::new(), |mut map, u| {
            map.entry(u.kind).or_insert_with(BTreeSet::new).insert(u.region.to_string());
            map
        });
    let places = format!("{}:", facts.id);
    let mut settling = Settling {
        record,
        scan,
        now,
        account,
        in_scope,
        unread,
        places,
        by,
        current: None,
        counts: [0; 4],
        outcome,
        seen,
    };
    let coverage = judge_part(record, rules, scan, facts, now, Explain::NotPass, false, part, &mut settling)?;
    settling.finish()?;
    let counts = settling.counts;
    drop(settling);
    record.put_coverage(scan, &coverage)?;
    Ok(counts)
}

/// Judges the attack paths of an account that this scan did not read, by what `read` read of it, and puts what changed on
/// the record.
#[allow(clippy::too_many_arguments)]
fn settle_elsewhere(
    record: &mut Record,
    by: &Judged<'_>,
    scan: ScanId,
    read: ScanId,
    facts: &AccountFacts,
    now: Time,
    ways: &Ways,
    outcome: &mut Outcome,
    seen: &mut dyn FnMut(&Seen<'_>),
) -> Result<(), ScanError> {
    let account = AccountId::from(facts.id.as_str());
    for kind_id in &by.rules.needs().judged {
        let rules: Vec<_> = by.rules.of_kind(kind_id).iter().filter(|r| native::is_of_paths(r)).collect();
        let Some(kind) = by.rules.kind(kind_id).filter(|_| !rules.is_empty()) else { continue };
        let resources = resources_of(record, kind, &account, read, true, &|_| true)?;
        let verdicts: Vec<(Verdict, Severity)> =
            rules.iter().flat_map(|rule| native::judge_paths(rule, facts, &resources, ways)).collect();
        let in_scope: BTreeSet<RuleId> = rules.iter().map(|r| r.id.clone()).collect();
        let mut ingest = record.ingest_of(scan, now, &account, kind_id, &in_scope)?;
        for (verdict, severity) in &verdicts {
            if let Some(change) = ingest.verdict(verdict, *severity)? {
                seen(&Seen { verdict, severity: *severity, change });
            }
        }
        for (change, count) in ingest.finish(&in_scope, &BTreeSet::new())? {
            *outcome.changes.entry(change).or_default() += count;
        }
    }
    Ok(())
}

fn rule_rows(catalog: &Catalog) -> Vec<RuleRow> {
    catalog
        .rules
        .values()
        .map(|r| RuleRow {
            id: r.id.to_string(),
            title: r.title.clone(),
            severity: r.severity,
            topic: r.topic.to_string(),
            kind: r.kind.to_string(),
        })
        .collect()
}

fn account_row(target: &AccountTarget, facts: Option<&AccountFacts>) -> AccountRow {
    AccountRow {
        id: target.id.clone(),
        provider: "aws".into(),
        name: target.name.clone(),
        state: target.state.clone(),
        reason: target.reason.clone(),
        doc: json!({
            "target": target,
            "regions": facts.map(|f| f.regions.clone()).unwrap_or_default(),
            "unread_regions": facts.map(|f| f.unread_regions.clone()).unwrap_or_default(),
            "home": facts.map(|f| f.region_home.clone()).unwrap_or_default(),
            "organization_accounts": facts.map(|f| f.organization_accounts.clone()).unwrap_or_default(),
            "tier": facts.map(|f| f.tier.clone()).unwrap_or_default(),
            "data_classes": facts.map(|f| f.data_classes.clone()).unwrap_or_default(),
        }),
    }
}
