//! Drift on the record: what changed between two scans, what an approved baseline wanted otherwise, what code declares
//! otherwise; who changed it, where a log tells; and what of it bears on findings.

use crate::{baselines, govern::GovernError, stored::resources_of};
use plumb_catalog::{Catalog, Kind};
use plumb_discover::Tier;
use plumb_drift::{
    Against, Announcement, Approved, Baseline, Deviation, Drift, Field, Report, Shapes, Side, What, against_baseline,
    against_code, against_previous, approve_as_is,
};
use plumb_govern::decision::{Decision, Kind as DecisionKind, Status};
use plumb_iac::{Reading, map};
use plumb_model::{AccountId, KindId, Region, Resource, RuleId, Source, Time, Value};
use plumb_record::{FindingRow, Record, RecordError, ScanId, ScanRow, Unit, UnitState};
use plumb_score::signal::DriftLevel;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// Where drift from code is kept until the next comparison.
const FROM_CODE: &str = "drift-code";

/// Why a comparison stopped.
#[derive(Debug, thiserror::Error)]
pub enum DriftError {
    /// The record failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A stored resource is damaged.
    #[error(transparent)]
    Judge(#[from] crate::JudgeError),
    /// The baselines or decisions could not be read.
    #[error(transparent)]
    Govern(#[from] GovernError),
    /// There is nothing to compare with, or what was asked for makes no sense.
    #[error("{0}")]
    Input(String),
}

/// How the fields of every kind are compared.
pub fn shapes(catalog: &Catalog) -> Shapes {
    let field = |f: &plumb_catalog::Field| Field {
        name: f.name.as_str().into(),
        volatile: f.volatile,
        ordered: false,
        policy: matches!(f.ty, plumb_catalog::Type::Policy),
    };
    Shapes(catalog.kinds.iter().map(|(id, kind)| (id.clone(), kind.fields.iter().map(field).collect())).collect())
}

/// Which accounts and kinds are compared; empty means all.
#[derive(Debug, Clone, Default)]
pub struct Narrow {
    /// Only these accounts.
    pub accounts: BTreeSet<String>,
    /// Only these kinds.
    pub kinds: BTreeSet<String>,
}

impl Narrow {
    fn account(&self, id: &str) -> bool {
        self.accounts.is_empty() || self.accounts.contains(id)
    }

    fn kind(&self, id: &KindId) -> bool {
        self.kinds.is_empty() || self.kinds.contains(id.as_str())
    }
}

/// The resources of a kind in an account as `scan` saw them.
fn resources(record: &Record, kind: &Kind, account: &AccountId, scan: ScanId) -> Result<Vec<Resource>, DriftError> {
    Ok(resources_of(record, kind, account, scan, true, &|_| true)?)
}

/// Which places a scan read to their end.
struct Whole(BTreeMap<(KindId, AccountId, Region), bool>);

impl Whole {
    fn of(units: &[Unit]) -> Self {
        let place = |u: &Unit| ((u.kind.clone(), u.account.clone(), u.region.clone()), u.state == UnitState::Complete);
        Self(units.iter().map(place).collect())
    }

    fn read(&self, kind: &KindId, account: &AccountId, region: &Region) -> bool {
        let at = |region: Region| self.0.get(&(kind.clone(), account.clone(), region)).copied();
        // Things kept once an account are on a list of their own, wherever they lie.
        at(region.clone()).or_else(|| at(Region::global())).unwrap_or_else(|| {
            let mut own = self.0.iter().filter(|((k, a, _), _)| k == kind && a == account).peekable();
            own.peek().is_some() && own.all(|(_, whole)| *whole)
        })
    }

    fn kinds(&self, account: &AccountId) -> BTreeSet<KindId> {
        self.0.keys().filter(|(_, a, _)| a == account).map(|(k, ..)| k.clone()).collect()
    }
}

fn join(into: &mut Report, from: Report) {
    into.drifts.extend(from.drifts);
    into.undecided.extend(from.undecided);
    into.compared += from.compared;
}

/// Finished scans, oldest first.
///
/// # Errors
/// The record fails.
pub fn scans(record: &Record) -> Result<Vec<ScanRow>, RecordError> {
    let table = record.query("SELECT id FROM scan WHERE status IN ('complete', 'partial') ORDER BY id")?;
    table.rows.iter().filter_map(|r| r.first()?.as_i64()).map(|id| record.scan(Some(ScanId(id)))).collect()
}

/// The scan before `later` that read anything of an account.
fn before(
    record: &Record,
    scans: &[ScanRow],
    account: &AccountId,
    later: ScanId,
) -> Result<Option<ScanId>, RecordError> {
    for scan in scans.iter().rev().filter(|s| s.id < later) {
        if !record.kinds(account, scan.id)?.is_empty() {
            return Ok(Some(scan.id));
        }
    }
    Ok(None)
}

/// What the earlier side of a comparison between scans is.
#[derive(Debug, Clone)]
pub enum Since {
    /// The scan before.
    Previous,
    /// This scan.
    Scan(ScanId),
    /// The last scan judged at or before this instant.
    At(Time),
    /// For each account, the last scan at or before its last review, by the provider's number.
    Review(BTreeMap<String, Time>),
}

/// What changed between two scans, account by account.
#[derive(Debug, Clone, Default)]
pub struct Compared {
    /// What was found.
    pub report: Report,
    /// The scans compared, by account: earlier, later.
    pub scans: BTreeMap<String, (i64, i64)>,
    /// Accounts that could not be compared, and why.
    pub left_out: BTreeMap<String, String>,
}

/// What changed since an earlier scan. `later` is the last finished scan unless given.
///
/// # Errors
/// There is no scan, or the record fails.
pub fn since(
    record: &Record,
    catalog: &Catalog,
    from: &Since,
    later: Option<ScanId>,
    narrow: &Narrow,
    announced: &[Announcement],
) -> Result<Compared, DriftError> {
    let scans = scans(record)?;
    let none = || RecordError::Missing("there is no finished scan yet; run `plumb scan aws` first".into());
    let later = later.or_else(|| scans.last().map(|s| s.id)).ok_or_else(none)?;
    let judged = |id: ScanId| scans.iter().find(|s| s.id == id).and_then(|s| s.judged_at.parse::<Time>().ok());
    let until = |at: Time| {
        scans.iter().rev().find(|s| s.id < later && s.judged_at.parse::<Time>().is_ok_and(|t| t <= at)).map(|s| s.id)
    };
    record.scan(Some(later))?;
    let taken_at = judged(later).ok_or_else(|| DriftError::Input(format!("scan {} is not finished", later.0)))?;
    let shapes = shapes(catalog);
    let now = Whole::of(&record.units(later)?);
    let mut earlier_units: BTreeMap<ScanId, Whole> = BTreeMap::new();
    let mut out = Compared::default();
    for account in record.accounts()?.into_iter().filter(|a| narrow.account(&a.id)) {
        let id = AccountId::from(account.id.as_str());
        let found = match from {
            Since::Previous => before(record, &scans, &id, later)?,
            Since::Scan(scan) if *scan >= later => {
                let what = format!("scan {} is not before scan {}; an earlier one is right", scan.0, later.0);
                return Err(DriftError::Input(what));
            }
            Since::Scan(scan) => Some(*scan),
            Since::At(at) => until(*at),
            Since::Review(reviews) => match reviews.get(&account.id) {
                Some(at) => until(*at),
                None => {
                    out.left_out
                        .insert(account.id.clone(), "it was never reviewed; see `plumb accounts review`".into());
                    continue;
                }
            },
        };
        let Some(earlier) = found else {
            out.left_out.insert(account.id.clone(), "no earlier scan has read it".into());
            continue;
        };
        let then = match earlier_units.entry(earlier) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Whole::of(&record.units(earlier)?)),
        };
        // A kind that one of the scans was not asked about says nothing.
        let kinds: Vec<KindId> =
            then.kinds(&id).intersection(&now.kinds(&id)).filter(|k| narrow.kind(k)).cloned().collect();
        if kinds.is_empty() {
            out.left_out
                .insert(account.id.clone(), format!("scans {} and {} have no kind in common", earlier.0, later.0));
            continue;
        }
        out.scans.insert(account.id.clone(), (earlier.0, later.0));
        for kind in kinds.iter().filter_map(|k| catalog.kinds.get(k)) {
            let (old, new) = (resources(record, kind, &id, earlier)?, resources(record, kind, &id, later)?);
            let whole_then = |k: &KindId, a: &AccountId, r: &Region| then.read(k, a, r);
            let whole_now = |k: &KindId, a: &AccountId, r: &Region| now.read(k, a, r);
            let report = against_previous(
                Side { resources: &old, complete: &whole_then },
                Side { resources: &new, complete: &whole_now },
                &shapes,
                announced,
                taken_at,
            );
            join(&mut out.report, report);
        }
    }
    Ok(out)
}

/// The present values of the resources of these kinds as approved ones; who approves is told when the baseline is.
///
/// # Errors
/// There is no such kind or scan, or the record fails.
pub fn as_it_is(
    record: &Record,
    catalog: &Catalog,
    kinds: &[String],
    accounts: &[String],
    now: Time,
) -> Result<Vec<Approved>, DriftError> {
    let scan = record.scan(None)?.id;
    let shapes = shapes(catalog);
    let mut out = Vec::new();
    for name in kinds {
        let kind = catalog
            .kinds
            .get(name.as_str())
            .ok_or_else(|| DriftError::Input(format!("there is no kind `{name}`; docs/kinds.md lists them")))?;
        for account in record.accounts()?.iter().filter(|a| accounts.is_empty() || accounts.contains(&a.id)) {
            let found = resources(record, kind, &AccountId::from(account.id.as_str()), scan)?;
            out.extend(approve_as_is(&found, &shapes, "", now));
        }
        if !out.iter().any(|v| v.kind == kind.id) {
            let of = if accounts.is_empty() { String::new() } else { format!(" in {}", accounts.join(", ")) };
            return Err(DriftError::Input(format!("the last scan saw no resource of kind `{name}`{of}")));
        }
    }
    Ok(out)
}

/// Deviations in force, as comparisons understand them: one for each value they allow.
///
/// # Errors
/// The record fails, or a decision is damaged.
pub fn deviations(record: &Record) -> Result<Vec<Deviation>, DriftError> {
    let mut out = Vec::new();
    for (_, doc) in record.documents("decision")? {
        let d: Decision = serde_json::from_value(doc).map_err(GovernError::from)?;
        if d.draft.kind != DecisionKind::BaselineDeviation || d.status != Status::InForce {
            continue;
        }
        let allowed: BTreeMap<String, Json> =
            d.draft.allowed_value.as_ref().and_then(|v| serde_json::from_value(v.clone()).ok()).unwrap_or_default();
        let expected =
            |path: &str| d.draft.expected_value.as_ref().and_then(|e| e.get(path)).cloned().unwrap_or_default();
        for finding in d.findings() {
            let row = record.finding(finding.as_str())?;
            for (path, value) in &allowed {
                out.push(Deviation {
                    account: row.account.as_str().into(),
                    rule: row.rule.as_str().into(),
                    resource: Some(row.resource.as_str().into()),
                    field: root_of(path).into(),
                    expected_value: Value::from_json(&expected(path)),
                    allowed_value: Value::from_json(value),
                    basis: d.draft.justification.clone(),
                    owner: d.draft.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
                    approved_by: d.approvals.iter().map(|a| a.human.to_string()).collect(),
                    expires_at: d.draft.expires_at.unwrap_or(Time::from_seconds(0)),
                    trigger: "value-changes".into(),
                });
            }
        }
    }
    Ok(out)
}

/// The field a path begins with: `policy` of `policy.Statement[0]`.
fn root_of(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or(path)
}

/// The tier of each account of the list, by the provider's number: as people say now, whatever it was when a scan read it.
fn tiers(record: &Record) -> Result<BTreeMap<String, Tier>, DriftError> {
    let estate =
        crate::accounts::current_estate(record, None).map_err(|e| DriftError::Input(format!("the accounts: {e}")))?;
    Ok(estate.accounts.values().map(|a| (a.native_id.clone(), a.tier())).collect())
}

/// Accounts that have no approved values to be held against, and why, by the provider's number.
///
/// # Errors
/// The record fails, or a document is damaged.
pub fn without_values(record: &Record, narrow: &Narrow) -> Result<BTreeMap<String, String>, DriftError> {
    let (held, tiers) = (baseline_of(record)?, tiers(record)?);
    let mut out = BTreeMap::new();
    for account in record.accounts()?.into_iter().filter(|a| narrow.account(&a.id)) {
        let tier = tiers.get(&account.id).map_or("unknown", |t| t.name());
        let why = match held.get(&account.id) {
            Some(b) if b.values.is_empty() => {
                format!("{} approves no values; `plumb baseline draft --value`", b.label())
            }
            Some(_) => continue,
            None => format!("no baseline is in force for tier {tier}"),
        };
        out.insert(account.id, why);
    }
    Ok(out)
}

/// The baseline in force for each account of the record, by the provider's number.
pub(crate) fn baseline_of(record: &Record) -> Result<BTreeMap<String, Baseline>, DriftError> {
    let in_force = baselines::in_force(record)?;
    if in_force.is_empty() {
        return Ok(BTreeMap::new());
    }
    let tiers = tiers(record)?;
    let of = |a: &plumb_record::AccountRow| {
        // Where nobody says, the one it was judged by.
        let judged = || a.doc.get("tier").and_then(Json::as_str).filter(|t| !t.is_empty());
        let said = tiers.get(a.id.as_str()).filter(|t| **t != Tier::Unknown);
        let tier = said.map(|t| t.name()).or_else(judged).unwrap_or("unknown");
        let fits =
            |b: &&Baseline| b.tiers.iter().any(|t| **t == *tier) && b.providers.iter().any(|p| **p == *a.provider);
        Some((a.id.clone(), in_force.iter().find(fits)?.clone()))
    };
    Ok(record.accounts()?.iter().filter_map(of).collect())
}

/// Which approved values of the baselines in force were lost, by the last scan.
///
/// # Errors
/// There is no scan, or the record fails.
pub fn from_baseline(record: &Record, catalog: &Catalog, narrow: &Narrow, now: Time) -> Result<Report, DriftError> {
    let scan = record.scan(None)?.id;
    let (shapes, deviations) = (shapes(catalog), deviations(record)?);
    let mut out = Report::default();
    for (account, baseline) in baseline_of(record)?.into_iter().filter(|(a, _)| narrow.account(a)) {
        let id = AccountId::from(account.as_str());
        let approved: Vec<Approved> = baseline
            .values
            .iter()
            .cloned()
            .map(|mut v| {
                v.approved_by = baseline.approved_by.join(", ");
                v.approved_at = baseline.effective_from.unwrap_or(v.approved_at);
                v
            })
            .collect();
        let kinds: BTreeSet<&KindId> = approved.iter().map(|v| &v.kind).filter(|k| narrow.kind(k)).collect();
        for kind in kinds.into_iter().filter_map(|k| catalog.kinds.get(k)) {
            let live = resources(record, kind, &id, scan)?;
            join(&mut out, against_baseline(&live, &approved, &deviations, &shapes, now));
        }
    }
    Ok(out)
}

/// How the live state of the last scan differs from what code declares. With `undeclared`, also what nothing declares.
///
/// # Errors
/// There is no scan, or the record fails.
pub fn from_code(
    record: &Record,
    catalog: &Catalog,
    readings: &[Reading],
    narrow: &Narrow,
    undeclared: bool,
) -> Result<Report, DriftError> {
    let scan = record.scan(None)?.id;
    let whole = Whole::of(&record.units(scan)?);
    let shapes = shapes(catalog);
    let mut declared: BTreeMap<KindId, Vec<Resource>> = BTreeMap::new();
    for reading in readings {
        for mapped in map::resources(catalog, reading) {
            let mut r = std::sync::Arc::unwrap_or_clone(mapped.resource);
            if !narrow.kind(&r.kind) {
                continue;
            }
            for (slot, value) in r.fields.iter().enumerate() {
                // What the code leaves out is the provider's to choose.
                if value.is_null() || value.as_list().is_some_and(<[Value]>::is_empty) {
                    r.sources.set(slot, Source::Default);
                }
            }
            // A state knows the provider's own id.
            let attrs = reading.resources.get(mapped.code).map(|c| &c.attrs);
            let own = ["arn", "id", "self_link"].iter().find_map(|n| attrs?.get(n)?.as_str()).filter(|id| id.len() > 3);
            if let Some(own) = own {
                r.id = own.into();
            }
            declared.entry(r.kind.clone()).or_default().push(r);
        }
    }
    let mut out = Report::default();
    for (kind, code) in &declared {
        let Some(kind) = catalog.kinds.get(kind) else { continue };
        // All accounts, however few are asked about: code does not say which one it is applied to.
        let mut live = Vec::new();
        for account in &record.accounts()? {
            live.extend(resources(record, kind, &AccountId::from(account.id.as_str()), scan)?);
        }
        let own: BTreeSet<AccountId> = live.iter().map(|r| r.account.clone()).collect();
        // Code does not say which account it is applied to: it is gone where every account was read.
        let complete = |k: &KindId, a: &AccountId, r: &Region| {
            if a.as_str() == "code" {
                !own.is_empty() && own.iter().all(|a| whole.read(k, a, &Region::global()))
            } else {
                whole.read(k, a, r)
            }
        };
        let mut report = against_code(Side { resources: &live, complete: &complete }, code, &shapes);
        if !narrow.accounts.is_empty() {
            let asked = |account: &AccountId| account.as_str() == "code" || narrow.account(account.as_str());
            report.drifts.retain(|d| asked(&d.account));
            let others = live.iter().filter(|r| !asked(&r.account)).map(|r| r.id.clone());
            let others: BTreeSet<plumb_model::ResourceId> = others.collect();
            report.undecided.retain(|u| !others.contains(&u.resource));
            live.retain(|r| narrow.account(r.account.as_str()));
            report.compared = against_code(Side { resources: &live, complete: &complete }, code, &shapes).compared;
        }
        join(&mut out, report);
    }
    if !undeclared {
        out.drifts.retain(|d| d.what != What::Appeared);
    }
    Ok(out)
}

/// Keeps drift from code, so that the next scores count it; what was kept under this label before is replaced.
///
/// # Errors
/// The record fails.
pub fn keep_from_code(record: &mut Record, label: &str, report: &Report, at: Time) -> Result<(), DriftError> {
    let version = record.document(FROM_CODE, label)?.map_or(0, |(v, _)| v);
    let doc = json!({ "at": at, "drifts": report.drifts });
    record.put_document(FROM_CODE, label, version, &doc)?;
    Ok(())
}

/// Who made a change, as an audit log tells it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ChangedBy {
    /// Who.
    pub who: String,
    /// The call: `s3:PutBucketPolicy`.
    pub call: String,
    /// When.
    pub at: Time,
    /// From where.
    pub from: String,
}

/// One event of an audit log, as far as it can explain a change.
#[derive(Debug, Clone)]
pub struct Event {
    account: String,
    names: BTreeSet<String>,
    by: ChangedBy,
}

/// Names an event may mention before the rest is left out.
const MOST_NAMES: usize = 64;

/// Reads changes out of CloudTrail: records, answers of `LookupEvents`, or one event a line. Reads are passed over.
///
/// # Errors
/// It is not JSON, or none of these.
pub fn events(text: &str) -> Result<Vec<Event>, DriftError> {
    let mut waiting: Vec<Json> = match serde_json::from_str::<Json>(text) {
        Ok(doc) => vec![doc],
        Err(_) => {
            let lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
            let one = |(n, l): (usize, &str)| {
                serde_json::from_str(l).map_err(|e| DriftError::Input(format!("line {}: {e}", n + 1)))
            };
            lines.map(one).collect::<Result<_, _>>()?
        }
    };
    let (mut out, mut known) = (Vec::new(), false);
    while let Some(value) = waiting.pop() {
        if let Json::Array(items) = value {
            waiting.extend(items);
            continue;
        }
        if let Some(list) = ["Records", "Events"].iter().find_map(|n| value.get(n)?.as_array()) {
            known = true;
            waiting.extend(list.iter().cloned());
            continue;
        }
        if let Some(inner) = value.get("CloudTrailEvent").and_then(Json::as_str) {
            waiting.extend(serde_json::from_str::<Json>(inner).ok().filter(|v| v.get("CloudTrailEvent").is_none()));
            continue;
        }
        known |= value.get("eventName").is_some();
        out.extend(event(&value));
    }
    if !known {
        let right = "`Records`, an answer of LookupEvents, or one event a line is";
        return Err(DriftError::Input(format!("no event of CloudTrail is in it; {right} right")));
    }
    out.sort_by_key(|e| e.by.at);
    Ok(out)
}

fn event(value: &Json) -> Option<Event> {
    let text = |path: &str| value.pointer(path).and_then(Json::as_str).unwrap_or_default().to_owned();
    let name = value.get("eventName")?.as_str()?;
    let reads = value
        .get("readOnly")
        .and_then(Json::as_bool)
        .unwrap_or_else(|| ["Get", "List", "Describe", "Head", "Lookup"].iter().any(|p| name.starts_with(p)));
    if reads || value.get("errorCode").is_some() {
        return None;
    }
    let at: Time = value.get("eventTime")?.as_str()?.parse().ok()?;
    let mut names = BTreeSet::new();
    for part in ["/resources", "/requestParameters", "/responseElements"] {
        value.pointer(part).into_iter().for_each(|v| texts(v, 0, &mut names));
    }
    let service = text("/eventSource");
    let service = service.split('.').next().unwrap_or_default();
    let who = [text("/userIdentity/arn"), text("/userIdentity/userName"), text("/userIdentity/invokedBy")];
    Some(Event {
        account: text("/recipientAccountId"),
        names,
        by: ChangedBy {
            who: who.into_iter().find(|w| !w.is_empty()).unwrap_or_else(|| "not told".into()),
            call: format!("{service}:{name}"),
            at,
            from: text("/sourceIPAddress"),
        },
    })
}

fn texts(value: &Json, depth: u8, out: &mut BTreeSet<String>) {
    match value {
        Json::String(s) if s.len() <= 300 && out.len() < MOST_NAMES => {
            out.insert(s.clone());
        }
        Json::Array(items) if depth < 6 => items.iter().for_each(|v| texts(v, depth + 1, out)),
        Json::Object(members) if depth < 6 => members.values().for_each(|v| texts(v, depth + 1, out)),
        _ => {}
    }
}

/// The last change of a resource between two instants, if the log tells of one.
pub fn changed_by<'e>(events: &'e [Event], drift: &Drift, from: Time, to: Time) -> Option<&'e ChangedBy> {
    let own = |e: &&Event| {
        let account = e.account.is_empty() || e.account == drift.account.as_str();
        let named =
            e.names.contains(drift.resource.as_str()) || (!drift.name.is_empty() && e.names.contains(&*drift.name));
        account && named && e.by.at > from && e.by.at <= to
    };
    events.iter().rev().find(own).map(|e| &e.by)
}

/// What changed on a finding's resource between the scan that opened it and the one before: that it appeared, or the
/// fields the finding rests on, before and after.
///
/// # Errors
/// The record fails, or a stored resource is damaged.
pub fn of_finding(record: &Record, catalog: &Catalog, finding: &FindingRow) -> Result<Vec<Drift>, DriftError> {
    let opened = record.history(&finding.key)?.iter().rev().find(|s| s.event == "detect").and_then(|s| s.scan);
    let Some(opened) = opened else { return Ok(Vec::new()) };
    let narrow = Narrow { accounts: [finding.account.clone()].into(), kinds: [finding.kind.clone()].into() };
    // A scan that is still running has no earlier side to be compared with yet.
    let compared = match since(record, catalog, &Since::Previous, Some(ScanId(opened)), &narrow, &[]) {
        Err(DriftError::Input(_)) => return Ok(Vec::new()),
        other => other?,
    };
    let rests: BTreeSet<&str> = finding.because.iter().map(|l| root_of(&l.path)).collect();
    let mut drifts = compared.report.drifts;
    drifts.retain(|d| {
        d.resource.as_str() == finding.resource
            && match &d.what {
                What::Changed(change) => rests.contains(root_of(&change.path)),
                _ => true,
            }
    });
    Ok(drifts)
}

/// What drift means for one finding's score.
#[derive(Debug, Clone, PartialEq)]
pub struct Drifted {
    /// The level.
    pub level: DriftLevel,
    /// Why, in words.
    pub because: String,
}

/// What drift means for the open findings, by short id: an approved value lost outranks a difference from code, which
/// outranks a resource that is new and fails. Findings that are not there have not drifted as far as anybody looked.
///
/// # Errors
/// The record fails, or a document is damaged.
pub fn levels(record: &Record, catalog: &Catalog, now: Time) -> Result<BTreeMap<String, Drifted>, DriftError> {
    Ground::read(record, catalog, now)?.levels(record, None)
}

/// What drift is told from, whichever findings it is told of.
#[derive(Debug, Default)]
pub(crate) struct Ground {
    /// The baseline in force, by account.
    pub(crate) in_force: BTreeMap<String, Baseline>,
    /// Runs under an approved baseline, by account: scan and label.
    judged: BTreeMap<String, Vec<(i64, String)>>,
    /// What code declared otherwise, by the label of the code.
    code: Vec<(String, Vec<Drift>)>,
    /// Approved values that were lost.
    lost: Vec<Drift>,
}

impl Ground {
    /// Reads it.
    ///
    /// # Errors
    /// The record fails, or a document is damaged.
    pub(crate) fn read(record: &Record, catalog: &Catalog, now: Time) -> Result<Self, DriftError> {
        let in_force = baseline_of(record)?;
        let mut judged: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
        baselines::approved_runs(record, |account, scan, label| {
            judged.entry(account).or_default().push((scan, label));
        })?;
        let drifts =
            |doc: &Json| serde_json::from_value(doc.get("drifts").cloned().unwrap_or_default()).unwrap_or_default();
        let code = record.documents(FROM_CODE)?.into_iter().map(|(label, doc)| (label, drifts(&doc))).collect();
        let lost = if in_force.values().any(|b| !b.values.is_empty()) {
            from_baseline(record, catalog, &Narrow::default(), now)?.drifts
        } else {
            Vec::new()
        };
        Ok(Self { in_force, judged, code, lost })
    }

    /// The levels of the open findings of one account, or of all.
    ///
    /// # Errors
    /// The record fails.
    pub(crate) fn levels(
        &self,
        record: &Record,
        account: Option<&str>,
    ) -> Result<BTreeMap<String, Drifted>, DriftError> {
        let mut out: BTreeMap<String, Drifted> = BTreeMap::new();
        let mut raise = |id: &str, level: DriftLevel, because: String| {
            let slot = out.entry(id.to_owned()).or_insert_with(|| Drifted { level, because: because.clone() });
            if level > slot.level {
                *slot = Drifted { level, because };
            }
        };
        let text = |v: &Json| v.as_str().unwrap_or_default().to_owned();
        let only = |column: &str| if account.is_some() { format!(" AND {column} = ?1") } else { String::new() };
        let named: Vec<&str> = account.into_iter().collect();
        let mut first_read: BTreeMap<(String, String), i64> = BTreeMap::new();
        let sql = format!(
            "SELECT account, kind, min(scan) FROM unit WHERE state = 'complete'{} GROUP BY account, kind",
            only("account")
        );
        record.each_answer::<DriftError>(&sql, &named, |row| {
            let [account, kind, scan] = row.as_slice() else { return Ok(()) };
            first_read.insert((text(account), text(kind)), scan.as_i64().unwrap_or(i64::MAX));
            Ok(())
        })?;
        // Which resources anything is said of: only what their findings rest on has to be held.
        let said: BTreeSet<(&str, &str)> = self
            .code
            .iter()
            .flat_map(|(_, drifts)| drifts)
            .chain(&self.lost)
            .map(|d| (d.account.as_str(), d.resource.as_str()))
            .collect();
        // Where no baseline is in force and nothing is said of anything, only what is new on record can have drifted.
        let ruled = account.map_or(!self.in_force.is_empty(), |a| self.in_force.contains_key(a));
        let whole = ruled || !said.is_empty();
        let (index, since) = match first_read.values().min() {
            Some(first) if !whole => ("INDEXED BY resource_first ", format!(" AND r.first_scan > {first}")),
            _ => ("", String::new()),
        };
        let sql = format!(
            "SELECT f.short, f.account, f.kind, f.resource, f.rule, f.because, r.first_scan, \
               coalesce((SELECT max(t.scan) FROM transition t WHERE t.key = f.key AND t.event = 'detect'), f.opened_scan) AS opened \
             FROM resource r {index}CROSS JOIN finding f ON r.account = f.account AND r.kind = f.kind AND r.id = f.resource \
             WHERE f.state NOT IN ('fixed', 'resource-gone', 'superseded'){}{since}",
            only("r.account")
        );
        // By resource and field: which findings rest on it.
        type Rests = Vec<(String, BTreeSet<String>)>;
        let mut rests: BTreeMap<(String, String), Rests> = BTreeMap::new();
        record.each_answer::<DriftError>(&sql, &named, |row| {
            let [short, account, kind, resource, rule, because, first, opened] = row.as_slice() else { return Ok(()) };
            let (short, account, kind, rule) = (text(short), text(account), text(kind), text(rule));
            let (first, opened) = (first.as_i64().unwrap_or_default(), opened.as_i64().unwrap_or_default());
            let resource = text(resource);
            if said.contains(&(account.as_str(), resource.as_str())) {
                let leaves: Vec<plumb_model::Leaf> = serde_json::from_str(&text(because)).unwrap_or_default();
                let fields = leaves.iter().map(|l| root_of(&l.path).to_owned()).collect();
                rests.entry((account.clone(), resource)).or_default().push((short.clone(), fields));
            }
            let read_before = first_read.get(&(account.clone(), kind)).is_some_and(|scan| *scan < first);
            if first == opened && read_before {
                raise(&short, DriftLevel::New, format!("the resource is new since scan {first}, and fails"));
            }
            if let Some(b) = self.in_force.get(&account).filter(|b| b.rule(&RuleId::from(rule.as_str())).is_some()) {
                let mut passed = self.judged.get(&account).into_iter().flatten();
                let before = passed
                    .rfind(|(scan, label)| (first..opened).contains(scan) && label.split('@').next() == Some(&b.name));
                if let Some((scan, label)) = before {
                    raise(
                        &short,
                        DriftLevel::Baseline,
                        format!("it passed under {label} in scan {scan} and fails since scan {opened}"),
                    );
                }
            }
            Ok(())
        })?;
        let mut differs = |report: &[Drift], level: DriftLevel, what: &dyn Fn(&Drift, &str) -> String| {
            for d in report {
                let What::Changed(change) = &d.what else { continue };
                let field = root_of(&change.path).to_owned();
                for (short, fields) in rests.get(&(d.account.to_string(), d.resource.to_string())).into_iter().flatten()
                {
                    if fields.contains(&field) {
                        raise(short, level, what(d, &change.path));
                    }
                }
            }
        };
        for (label, drifts) in &self.code {
            differs(drifts, DriftLevel::Iac, &|d, path| format!("{path} differs from {} in {label}", d.source));
        }
        differs(&self.lost, DriftLevel::Baseline, &|_, path| format!("{path} has lost its approved value"));
        Ok(out)
    }
}

/// The word for what a comparison was against.
pub fn against(drift: &Drift) -> &'static str {
    match drift.against {
        Against::Previous => "previous",
        Against::Iac => "code",
        Against::Baseline => "baseline",
    }
}
