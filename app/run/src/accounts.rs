//! The estate on the record: what scans, files and people say about accounts, reconciled into one list and kept.
//!
//! Every scan brings the list up to date, and `plumb discover --save` adds sources to it; both continue the estate of
//! the run before. What people enter by hand ([`Manual`]) and decide in reviews ([`Review`]) is kept apart, sealed, and
//! read as a source of its own.

use crate::govern::{Change, GovernError, Session, commit, directory, log_denied};
use plumb_discover::{
    AccountKey, Config, Conflict, DataClass, Estate, Federation, GapReason, LandingZone, Mapping, PolicyReader,
    PolicyRow, Provider, Reading, SourceKind, State, Tier, Triage, read, reconcile_from,
};
use plumb_govern::{
    Refusal, log,
    people::{Act, may},
};
use plumb_model::{
    AccountId, KindId, Leaf, Outcome, Region, ResourceId, RuleId, Severity, Source, Time, Value, Verdict,
};
use plumb_record::{Record, RecordError, RuleRow, ScanId, put_text};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const ESTATE: (&str, &str) = ("estate", "current");
const READINGS: (&str, &str) = ("reading", "scan");
pub(crate) const SETTINGS: (&str, &str) = ("discover", "settings");
const MAPPINGS: &str = "mapping";
pub(crate) const MANUAL: &str = "account-record";
const REVIEWS: &str = "account-review";

/// Why the estate could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The record failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// What is kept is not what this version writes.
    #[error("the record holds a damaged {what}: {why}")]
    Damaged {
        /// Which document.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

fn damaged(what: &'static str) -> impl Fn(serde_json::Error) -> AccountsError {
    move |e| AccountsError::Damaged { what, why: e.to_string() }
}

/// The estate of the last run that was kept, with its version; none before the first.
///
/// # Errors
/// The record fails, or the estate is damaged.
pub fn kept_estate(record: &Record) -> Result<Option<(i64, Estate)>, AccountsError> {
    let Some((version, text)) = record.document_text(ESTATE.0, ESTATE.1)? else { return Ok(None) };
    let estate = Estate::from_json(&text).map_err(|e| AccountsError::Damaged { what: "estate", why: e.to_string() })?;
    Ok(Some((version, estate)))
}

/// Keeps an estate in place of the one of this version (0: there is none yet).
///
/// # Errors
/// Another run was kept meanwhile, or the record fails.
pub fn keep_estate(record: &mut Record, version: i64, estate: &Estate) -> Result<(), AccountsError> {
    let text = serde_json::to_string(estate).map_err(damaged("estate"))?;
    record.atomically(|db| put_text(db, ESTATE.0, ESTATE.1, version, &text))?;
    Ok(())
}

/// Keeps a document whatever its version; for what one run replaces as a whole.
fn put(record: &mut Record, collection: &str, id: &str, doc: &Json) -> Result<(), RecordError> {
    let version = record.document(collection, id)?.map_or(0, |(version, _)| version);
    record.put_document(collection, id, version, doc).map(|_| ())
}

/// Keeps what a scan learnt about the organisation until the scan's end reconciles it.
///
/// # Errors
/// The record fails.
pub fn keep_readings(record: &mut Record, readings: &[Reading], at: Time) -> Result<(), AccountsError> {
    let doc = json!({ "at": at, "readings": readings, "reconciled": false });
    Ok(put(record, READINGS.0, READINGS.1, &doc)?)
}

/// The settings of the reconciliation that were kept, with the people who have left according to the record.
///
/// # Errors
/// The record fails, or the settings are damaged.
pub fn settings(record: &Record) -> Result<Config, AccountsError> {
    let mut config = kept_settings(record)?.1;
    for (_, person) in record.documents("people")? {
        let left = person.pointer("/person/active").and_then(Json::as_bool) == Some(false);
        let logins = person.get("logins").and_then(Json::as_array).into_iter().flatten();
        let names = logins.chain(person.pointer("/person/id")).filter_map(Json::as_str).map(str::to_lowercase);
        if left {
            config.leavers.extend(names);
        }
    }
    Ok(config)
}

/// The settings as they were kept, with their version; the default ones where none were.
///
/// # Errors
/// The record fails, or the settings are damaged.
pub(crate) fn kept_settings(record: &Record) -> Result<(i64, Config), AccountsError> {
    match record.document(SETTINGS.0, SETTINGS.1)? {
        Some((version, doc)) => Ok((version, serde_json::from_value(doc).map_err(damaged("settings of discovery"))?)),
        None => Ok((0, Config::default())),
    }
}

/// Keeps the settings of the reconciliation for the runs to come.
///
/// # Errors
/// The record fails.
pub fn keep_settings(record: &mut Record, config: &Config) -> Result<(), AccountsError> {
    let doc = serde_json::to_value(config).map_err(damaged("settings of discovery"))?;
    Ok(put(record, SETTINGS.0, SETTINGS.1, &doc)?)
}

/// The column mappings that were kept, by kind of source.
///
/// # Errors
/// The record fails, or a mapping is damaged.
pub fn mappings(record: &Record) -> Result<BTreeMap<SourceKind, Mapping>, AccountsError> {
    let each = |(kind, doc): (String, Json)| {
        let kind = kind.parse().map_err(|e: plumb_discover::NameError| AccountsError::Damaged {
            what: "column mapping",
            why: e.to_string(),
        })?;
        Ok((kind, serde_json::from_value(doc).map_err(damaged("column mapping"))?))
    };
    record.documents(MAPPINGS)?.into_iter().map(each).collect()
}

/// Keeps a column mapping for the runs to come.
///
/// # Errors
/// The record fails.
pub fn keep_mapping(record: &mut Record, kind: SourceKind, mapping: &Mapping) -> Result<(), AccountsError> {
    let doc = serde_json::to_value(mapping).map_err(damaged("column mapping"))?;
    Ok(put(record, MAPPINGS, kind.name(), &doc)?)
}

/// What the last scan learnt about the organisation; with `fresh`, only as long as no run has reconciled it.
fn surroundings(record: &Record, fresh: bool) -> Result<Vec<Reading>, AccountsError> {
    let Some((_, doc)) = record.document(READINGS.0, READINGS.1)? else { return Ok(Vec::new()) };
    if fresh && doc.get("reconciled").and_then(Json::as_bool) == Some(true) {
        return Ok(Vec::new());
    }
    let readings = doc.get("readings").cloned().unwrap_or_default();
    serde_json::from_value(readings).map_err(damaged("reading of the organisation"))
}

/// The trust and resource policies on the record, as a source.
fn policies(record: &Record) -> Result<Option<Reading>, AccountsError> {
    // In the order of the table's own index, so that nothing is sorted; most documents are told by their text to hold none,
    // and none that could not be read.
    let sql = "SELECT account, id, json_extract(doc, CASE kind WHEN 'aws.iam.role' THEN '$.trust' ELSE '$.policy' END) \
               FROM resource WHERE misses = 0 AND (kind = 'aws.iam.role' OR \
               (id LIKE 'arn:aws%' AND (instr(doc, '\"Statement\"') OR instr(doc, '\"$unknown\"')) \
               AND json_type(doc, '$.policy') = 'object')) \
               ORDER BY account, kind, id";
    let mapping = Mapping::named("scan");
    let mut reader = PolicyReader::new(&mapping);
    record.each_answer(sql, &[], |row| -> Result<(), AccountsError> {
        let [Json::String(account), Json::String(resource), policy] = row.as_slice() else { return Ok(()) };
        let policy = policy.as_str().and_then(|text| serde_json::from_str::<Json>(text).ok()).unwrap_or(Json::Null);
        let (account, policy) = (AccountId::from(account.as_str()), Value::from_json(&policy));
        reader.take(PolicyRow { provider: Provider::Aws, account: &account, resource, policy: &policy });
        Ok(())
    })?;
    Ok((!reader.is_empty()).then(|| reader.finish()))
}

/// The organisation's list as scans of older versions kept it: with the accounts themselves.
fn listed(record: &Record) -> Result<Option<Reading>, AccountsError> {
    let list: Vec<Json> = record
        .accounts()?
        .iter()
        .filter_map(|a| {
            let joined = a.doc.get("target")?.get("joined")?;
            let get = |name: &str| joined.get(name).cloned().unwrap_or(Json::Null);
            let arn = joined.get("arn")?.as_str().filter(|arn| !arn.is_empty())?;
            let status = if a.state == "unreachable" { "active" } else { a.state.as_str() };
            Some(json!({ "Id": a.id, "Arn": arn, "Name": a.name, "Status": status, "JoinedMethod": get("method"), "JoinedTimestamp": get("at") }))
        })
        .collect();
    let bytes = json!({ "Accounts": list }).to_string();
    let read = || read(SourceKind::AwsOrganizations, &mut bytes.as_bytes(), &Mapping::named("scan"));
    Ok((!list.is_empty()).then(read))
}

/// What people entered by hand, as a source.
fn by_hand(record: &Record) -> Result<Option<Reading>, AccountsError> {
    let manual: Vec<Json> = record.documents(MANUAL)?.into_iter().map(|(_, doc)| doc).collect();
    let bytes = Json::Array(manual.clone()).to_string();
    Ok((!manual.is_empty()).then(|| read(SourceKind::Manual, &mut bytes.as_bytes(), &Mapping::named("by hand"))))
}

/// Everything the record itself knows about accounts that is newer than `since`: the organisation as the last scan saw
/// it, trust and resource policies, entries made by hand.
///
/// # Errors
/// The record fails, or a document is damaged.
pub fn seen_by_scans(record: &Record, since: Option<Time>) -> Result<Vec<Reading>, AccountsError> {
    let mut out = surroundings(record, since.is_some())?;
    if !out.iter().any(|r| r.kind == SourceKind::AwsOrganizations) && record.document(READINGS.0, READINGS.1)?.is_none()
    {
        out.extend(listed(record)?);
    }
    let scanned: Option<Time> = record.scan(None).ok().and_then(|s| s.judged_at.parse().ok());
    if scanned.is_some_and(|at| since.is_none_or(|since| at > since)) {
        out.extend(policies(record)?);
    }
    out.extend(by_hand(record)?);
    Ok(out)
}

/// Whether the record has learnt something about accounts since this estate, and when it last did.
fn news(record: &Record, estate: Option<&Estate>) -> Result<(bool, Option<Time>), AccountsError> {
    let scanned: Option<Time> = record.scan(None).ok().and_then(|s| s.judged_at.parse().ok());
    let changed = |(_, doc): &(String, Json)| {
        ["changed_at", "last_reviewed_at"].iter().filter_map(|n| doc.get(n)?.as_str()?.parse::<Time>().ok()).max()
    };
    let by_hand = record.documents(MANUAL)?.iter().filter_map(changed).max();
    let is_news = estate.is_none_or(|e| scanned.is_some_and(|t| t > e.as_of) || by_hand.is_some_and(|t| t >= e.as_of));
    Ok((is_news, scanned.max(by_hand)))
}

/// The estate as the record knows it: the one kept, brought up to what scans saw and people entered since.
///
/// # Errors
/// The record fails, or a document is damaged.
pub fn current_estate(record: &Record, now: Option<Time>) -> Result<Estate, AccountsError> {
    let kept = kept_estate(record)?.map(|(_, estate)| estate);
    let since = kept.as_ref().map(|e| e.as_of);
    let (is_news, latest) = news(record, kept.as_ref())?;
    match kept {
        Some(estate) if !is_news => Ok(estate),
        kept => {
            let at = now.or(latest).max(since).unwrap_or(Time::from_seconds(0));
            Ok(reconcile_from(&seen_by_scans(record, since)?, kept, &settings(record)?, at))
        }
    }
}

/// Brings the kept estate up to the scan that has just ended, and keeps it.
///
/// # Errors
/// The record fails, or a document is damaged.
pub fn reconcile_scan(record: &mut Record, now: Time) -> Result<Estate, AccountsError> {
    let kept = kept_estate(record)?;
    let mut readings = surroundings(record, true)?;
    if !readings.iter().any(|r| r.kind == SourceKind::AwsOrganizations) && kept.is_none() {
        readings.extend(listed(record)?);
    }
    readings.extend(policies(record)?);
    readings.extend(by_hand(record)?);
    let (version, previous) = kept.map_or((0, None), |(version, estate)| (version, Some(estate)));
    // A scan may judge as of an earlier day; the list of accounts never goes back in time.
    let at = previous.as_ref().map_or(now, |p| now.max(p.as_of));
    let estate = reconcile_from(&readings, previous, &settings(record)?, at);
    keep_estate(record, version, &estate)?;
    if let Some((version, mut doc)) = record.document(READINGS.0, READINGS.1)?
        && let Some(object) = doc.as_object_mut()
    {
        object.insert("reconciled".into(), json!(true));
        record.put_document(READINGS.0, READINGS.1, version, &doc)?;
    }
    Ok(estate)
}

/// What is wrong when sources contradict each other about an account, as a good state, and how bad that is.
pub(crate) fn good_state(conflict: Conflict) -> (&'static str, Severity) {
    use Conflict as C;
    use Severity as S;
    match conflict {
        C::BilledNotInOrganisation => ("Accounts that are paid for are in the organisation", S::High),
        C::BilledNotInLandingZone => ("Accounts that are paid for are on the landing-zone record", S::Medium),
        C::UsedNotInOrganisation => ("Accounts that are signed in to or trusted are in the organisation", S::High),
        C::NotInLandingZone => ("Accounts of the organisation are on the landing-zone record", S::Medium),
        C::Ghost => ("Accounts on the record exist", S::Low),
        C::ClosedButBilled => ("Closed accounts cost nothing", S::Medium),
        C::StatusDisagreement => ("Sources agree whether an account is in use", S::Low),
        C::TierDisagreement => ("Sources agree on an account's tier", S::Low),
        C::MisTiered => ("An account's tier fits its data and its spending", S::Medium),
        C::TierExpired => ("Experimental tiers have an end that is ahead", S::Medium),
        C::OwnerDisagreement => ("Sources agree who owns an account", S::Low),
        C::OwnershipLapsed => ("Owners of accounts are still there", S::Medium),
        C::RegionOutOfScope => ("Accounts use only the regions in their scope", S::Medium),
        C::FederationDisagreement => ("Federated accounts are not used with users of their own", S::Medium),
        C::RootSignIn => ("Nobody signs in as root", S::High),
        C::ReviewOverdue => ("Entries of accounts are reviewed in time", S::Low),
        C::UnattributedUse => ("Paid or used cloud vendors are known by account", S::Low),
        C::StaleSource => ("Sources of accounts are read in time", S::Low),
    }
}

/// Opens a finding for each contradiction about an account of ours, and closes those that are settled: rules
/// `aws.inventory.account.*`, judged by what all sources say together.
///
/// # Errors
/// The record fails.
pub fn keep_contradictions(record: &mut Record, scan: ScanId, estate: &Estate, now: Time) -> Result<(), AccountsError> {
    let about_accounts =
        Conflict::ALL.iter().filter(|c| !matches!(c, Conflict::UnattributedUse | Conflict::StaleSource));
    for provider in [Provider::Aws, Provider::Azure, Provider::Gcp] {
        let kind = KindId::from(format!("{provider}.inventory.account"));
        let rule = |c: Conflict| RuleId::from(format!("{kind}.{c}"));
        let rules: Vec<RuleRow> = about_accounts
            .clone()
            .map(|c| {
                let (title, severity) = good_state(*c);
                let topic = crate::programme::ACCOUNT_TOPIC.into();
                RuleRow { id: rule(*c).to_string(), title: title.into(), severity, topic, kind: kind.to_string() }
            })
            .collect();
        let mut named = false;
        for account in estate.accounts.values().filter(|a| a.provider == provider && a.third_party.is_none()) {
            if !named {
                record.put_rules(&rules)?;
                named = true;
            }
            let key = account.key();
            let found = estate.about(&key);
            let mut ingest = record.ingest(scan, now, &key.id, &kind)?;
            for conflict in about_accounts.clone() {
                let because: Vec<Leaf> = found
                    .iter()
                    .filter(|c| c.kind == *conflict)
                    .map(|c| Leaf {
                        path: conflict.name().into(),
                        observed: Value::from(c.detail.as_str()),
                        expected: "sources agree".into(),
                        source: Source::Derived,
                    })
                    .collect();
                let verdict = Verdict {
                    rule: rule(*conflict),
                    kind: kind.clone(),
                    account: key.id.clone(),
                    region: Region::global(),
                    resource: ResourceId::from(key.to_string()),
                    name: account.facts.name.as_deref().unwrap_or(&account.native_id).into(),
                    sub_key: "".into(),
                    outcome: if because.is_empty() { Outcome::Pass } else { Outcome::Fail },
                    needs: Vec::new(),
                    because,
                };
                ingest.verdict(&verdict, good_state(*conflict).1)?;
            }
            ingest.finish(&rules.iter().map(|r| RuleId::from(r.id.as_str())).collect(), &BTreeSet::new())?;
        }
    }
    Ok(())
}

/// What rules, baselines and scores want to know of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// `production`, `sandbox` …; empty when nobody said.
    pub tier: String,
    /// Classes of data in it; empty when nobody said.
    pub data_classes: Vec<String>,
}

/// What is known about accounts before they are read, by the provider's number.
///
/// # Errors
/// The record fails, or a document is damaged.
pub fn described(record: &Record, now: Time) -> Result<BTreeMap<String, Described>, AccountsError> {
    let kept = kept_estate(record)?.map(|(_, estate)| estate);
    let mut readings = surroundings(record, true)?;
    readings.extend(by_hand(record)?);
    let estate = match kept {
        Some(estate) if readings.is_empty() => estate,
        kept => {
            let at = kept.as_ref().map_or(now, |k| now.max(k.as_of));
            reconcile_from(&readings, kept, &settings(record)?, at)
        }
    };
    let of = |a: &plumb_discover::Account| Described {
        tier: if a.tier() == Tier::Unknown { String::new() } else { a.tier().to_string() },
        data_classes: a
            .facts
            .data_classes
            .iter()
            .filter(|c| **c != DataClass::Unknown)
            .map(ToString::to_string)
            .collect(),
    };
    Ok(estate.accounts.values().map(|a| (a.native_id.clone(), of(a))).collect())
}

/// What a person says about an account. Every field is optional: what is not said stays as it is.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // The names are the record's own, one attribute each.
pub struct Manual {
    pub name: Option<String>,
    pub owner_person: Option<String>,
    pub owner_team: Option<String>,
    pub business_purpose: Option<String>,
    pub tier: Option<String>,
    pub tier_expires: Option<String>,
    pub data_classes: Option<Vec<String>>,
    pub regulatory_scope: Option<Vec<String>>,
    pub region_scope: Option<Vec<String>>,
    pub federation_state: Option<String>,
    pub landing_zone: Option<String>,
    pub contract_ref: Option<String>,
    pub cost_centre: Option<String>,
    pub users: Option<u64>,
}

/// Longest purpose.
const MOST_PURPOSE: usize = 2_000;
/// Longest life of an experiment, in days.
const MOST_EXPERIMENT_DAYS: i64 = 180;

impl Manual {
    /// Everything wrong with it, in words that say what would be right.
    pub fn problems(&self, now: Time) -> Vec<String> {
        let mapping = Mapping::default();
        let mut out = Vec::new();
        let one_of = |names: Vec<&str>| names.join(", ");
        if let Some(tier) = self.tier.as_deref().filter(|t| mapping.tier(t).is_none()) {
            let names = one_of(Tier::ALL.iter().map(|t| t.name()).collect());
            out.push(format!("there is no tier `{tier}`; there is {names}"));
        }
        for class in self.data_classes.iter().flatten().filter(|c| mapping.data_class(c).is_none()) {
            let names = one_of(DataClass::ALL.iter().map(|c| c.name()).collect());
            out.push(format!("there is no data class `{class}`; there is {names}"));
        }
        if let Some(state) = self.federation_state.as_deref().filter(|s| s.parse::<Federation>().is_err()) {
            let names = one_of(Federation::ALL.iter().map(|s| s.name()).collect());
            out.push(format!("there is no federation state `{state}`; there is {names}"));
        }
        if let Some(state) = self.landing_zone.as_deref().filter(|s| s.parse::<LandingZone>().is_err()) {
            let names = one_of(LandingZone::ALL.iter().map(|s| s.name()).collect());
            out.push(format!("there is no landing-zone status `{state}`; there is {names}"));
        }
        if let Some(purpose) = &self.business_purpose {
            let length = purpose.trim().chars().count();
            if !(10..=MOST_PURPOSE).contains(&length) {
                out.push(format!(
                    "the purpose has {length} characters; 10 to {MOST_PURPOSE} say what the account is for"
                ));
            }
        }
        let experimental = self.tier.as_deref().and_then(|t| mapping.tier(t)) == Some(Tier::Experimental);
        match self.tier_expires.as_deref().map(|t| (t, crate::govern::end_of(t, now))) {
            Some((text, Err(_))) => {
                out.push(format!("`{text}` is no end; write 2027-03-31, an RFC 3339 instant, or 30d"))
            }
            Some((_, Ok(at))) if at <= now || at.days_since(now) > MOST_EXPERIMENT_DAYS => {
                out.push(format!(
                    "the tier ends on {}; an end within the next {MOST_EXPERIMENT_DAYS} days is right",
                    at.date()
                ));
            }
            None if experimental => {
                out.push(format!(
                    "an experimental account needs the end of its tier, within {MOST_EXPERIMENT_DAYS} days"
                ));
            }
            _ => {}
        }
        out
    }

    /// Writes what is said into the account's entry.
    fn into_doc(self, object: &mut serde_json::Map<String, Json>, now: Time) {
        let texts = [
            ("name", self.name),
            ("owner_person", self.owner_person.map(|o| o.to_lowercase())),
            ("owner_team", self.owner_team),
            ("business_purpose", self.business_purpose),
            ("tier", self.tier.and_then(|t| Mapping::default().tier(&t)).map(|t| t.to_string())),
            (
                "tier_expires",
                self.tier_expires.and_then(|t| crate::govern::end_of(&t, now).ok()).map(|t| t.to_string()),
            ),
            ("federation_state", self.federation_state),
            ("landing_zone", self.landing_zone),
            ("contract_ref", self.contract_ref),
            ("cost_centre", self.cost_centre),
            ("users", self.users.map(|u| u.to_string())),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                object.insert(name.into(), json!(value.trim()));
            }
        }
        let lists = [
            ("data_classes", self.data_classes),
            ("regulatory_scope", self.regulatory_scope),
            ("region_scope", self.region_scope),
        ];
        for (name, value) in lists {
            if let Some(value) = value {
                object.insert(name.into(), json!(value.join(";")));
            }
        }
    }
}

/// Refuses who may not `act`, and puts the attempt on the log.
pub(crate) fn allowed(
    record: &mut Record,
    session: &Session,
    act: Act,
    what: &str,
    object: (&str, &str),
) -> Result<(), GovernError> {
    if session.actor.may(act) {
        return Ok(());
    }
    use plumb_govern::people::Role;
    let roles = [Role::Viewer, Role::Engineer, Role::Approver, Role::Auditor, Role::Admin];
    let needs: Vec<&str> = roles.into_iter().filter(|r| may(*r, act)).map(Role::name).collect();
    let refusal = Refusal::NotAllowed {
        act: what.into(),
        needs: needs.join(" or "),
        actor: session.actor.id.clone(),
        has: session.actor.roles.iter().map(|r| r.name()).collect::<Vec<_>>().join(", "),
    };
    log_denied(record, session, what, object, &refusal)?;
    Err(refusal.into())
}

/// Whether a text has the shape of an AWS region: `eu-west-1`, `us-gov-east-1`. A slip would put every resource out of scope.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.trim().split('-').collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    let words = |p: &&str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase());
    parts.len() >= 3
        && first.len() == 2
        && parts.iter().take(parts.len() - 1).all(words)
        && !last.is_empty()
        && last.bytes().all(|b| b.is_ascii_digit())
}

/// Says what a person knows about accounts: validated as a whole, kept and sealed in one step. Returns the entries.
///
/// # Errors
/// Something is wrong with an entry (everything is named at once), the person may not, or the record fails.
pub fn describe(
    record: &mut Record,
    session: &Session,
    entries: Vec<(AccountKey, Manual)>,
) -> Result<Vec<(AccountKey, Json)>, GovernError> {
    let first = entries.first().map(|(k, _)| k.to_string()).unwrap_or_default();
    allowed(record, session, Act::Comment, "account.set", ("account", &first))?;
    let problems: Vec<String> = entries
        .iter()
        .flat_map(|(key, m)| {
            let regions = m.region_scope.iter().flatten().filter(|r| key.provider == Provider::Aws && !is_region(r));
            let regions = regions.map(|r| format!("`{r}` is no region; they look like eu-west-1"));
            m.problems(session.now).into_iter().chain(regions).map(move |p| format!("{key}: {p}"))
        })
        .collect();
    if !problems.is_empty() {
        return Err(GovernError::Input(problems.join("; ")));
    }
    let (mut change, mut out) = (Change::default(), Vec::new());
    let mut merged: BTreeMap<AccountKey, Vec<Manual>> = BTreeMap::new();
    for (key, manual) in entries {
        merged.entry(key).or_default().push(manual);
    }
    for (key, said) in merged {
        let (version, before, mut doc) = entry(record, &key)?;
        for manual in said {
            manual.into_doc(&mut doc, session.now);
        }
        doc.insert("changed_at".into(), json!(session.now));
        doc.insert("changed_by".into(), json!(session.actor.id));
        let doc = Json::Object(doc);
        let id = key.to_string();
        let event = log::Event::done(&session.actor, "account.set", ("account", &id), doc.clone(), session.now);
        change.events.push(session.mark(event.with_states(before.as_ref(), Some(&doc))));
        change.documents.push((MANUAL.into(), id, version, doc.clone()));
        out.push((key, doc));
    }
    commit(record, session.key.as_ref(), &change, session.now)?;
    Ok(out)
}

type Entry = (i64, Option<Json>, serde_json::Map<String, Json>);

/// The entry by hand of an account: its version, as it was, and as an object to write into.
fn entry(record: &Record, key: &AccountKey) -> Result<Entry, GovernError> {
    let (version, before) = record.document(MANUAL, &key.to_string())?.map_or((0, None), |(v, d)| (v, Some(d)));
    let mut doc = before.as_ref().and_then(Json::as_object).cloned().unwrap_or_default();
    doc.insert("provider".into(), json!(key.provider.name()));
    doc.insert("native_id".into(), json!(key.id.as_str()));
    Ok((version, before, doc))
}

/// A decision of a review about an account.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Review {
    /// The account.
    pub account: AccountKey,
    /// What it deserves.
    pub decision: Triage,
    /// What was proposed, and why.
    pub proposed: Triage,
    /// Why the proposal.
    pub because: String,
    /// In the reviewer's words.
    pub note: String,
    /// Who reviewed.
    pub by: String,
    /// When.
    pub at: Time,
}

/// What a review of an account would look at.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Due {
    /// The account.
    pub account: AccountKey,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: State,
    /// Its tier.
    pub tier: Tier,
    /// Who answers for it; empty when nobody.
    pub owner: String,
    /// Whether its owner has left.
    pub owner_left: bool,
    /// What it still lacks before it counts as governed.
    pub lacks: Vec<String>,
    /// What the triage proposes.
    pub proposed: Triage,
    /// Why.
    pub because: String,
    /// What the last review decided.
    pub decided: Option<Triage>,
    /// When it was reviewed last.
    pub last_reviewed: Option<Time>,
    /// When the next review is due; now where there was none.
    pub due: Time,
    /// Whether that is past.
    pub overdue: bool,
    /// Whether the world speaks against the last decision: a light entry that now deserves the full baseline, a retired
    /// account that is in use.
    pub contradicts: bool,
}

/// Decisions of reviews, newest last.
///
/// # Errors
/// The record fails, or one is damaged.
pub fn reviews(record: &Record) -> Result<Vec<Review>, GovernError> {
    let mut out: Vec<Review> =
        record.documents(REVIEWS)?.into_iter().map(|(_, doc)| serde_json::from_value(doc)).collect::<Result<_, _>>()?;
    out.sort_by(|a, b| (a.at, &a.account).cmp(&(b.at, &b.account)));
    Ok(out)
}

/// Whether the world speaks against a decision that was less than the full baseline.
fn no_longer_fits(review: &Review, account: &plumb_discover::Account) -> bool {
    match review.decision {
        Triage::LightEntry => account.triage == Triage::FullBaseline,
        Triage::Retire => account.triage != Triage::Retire,
        Triage::FullBaseline => false,
    }
}

/// What the last review decided about each account, where it still fits.
pub fn decided(estate: &Estate, reviews: &[Review]) -> BTreeMap<AccountKey, Triage> {
    let last: BTreeMap<&AccountKey, &Review> = reviews.iter().map(|r| (&r.account, r)).collect();
    let fits = last.into_iter().filter(|(key, r)| estate.accounts.get(*key).is_some_and(|a| !no_longer_fits(r, a)));
    fits.map(|(key, r)| (key.clone(), r.decision)).collect()
}

/// Every account of ours with what a review would look at; those that wait longest first.
pub fn due(estate: &Estate, reviews: &[Review], config: &Config, now: Time) -> Vec<Due> {
    let last: BTreeMap<&AccountKey, &Review> = reviews.iter().map(|r| (&r.account, r)).collect();
    let left: BTreeSet<&AccountKey> = estate
        .contradictions
        .iter()
        .filter(|c| c.kind == Conflict::OwnershipLapsed)
        .filter_map(|c| c.account.as_ref())
        .collect();
    let mut out: Vec<Due> = estate
        .accounts
        .iter()
        .filter(|(_, a)| a.third_party.is_none() && a.state != State::Closed)
        .map(|(key, a)| {
            let decided = last.get(key).map(|r| r.decision);
            let last_reviewed = a.facts.last_reviewed_at.max(last.get(key).map(|r| r.at));
            let days = if a.tier() == Tier::Tier1 { config.review_days_tier1 } else { config.review_days };
            let due = last_reviewed.map_or(now, |at| at.plus_days(days));
            let contradicts = last.get(key).is_some_and(|r| no_longer_fits(r, a));
            Due {
                account: key.clone(),
                name: a.facts.name.clone().unwrap_or_default(),
                state: a.state,
                tier: a.tier(),
                owner: a.facts.owner_person.clone().or_else(|| a.facts.owner_team.clone()).unwrap_or_default(),
                owner_left: left.contains(key),
                lacks: a.lacks.clone(),
                proposed: a.triage,
                because: a.triage_because.clone(),
                decided,
                last_reviewed,
                due,
                overdue: due <= now,
                contradicts,
            }
        })
        .collect();
    out.sort_by(|a, b| {
        let rank = |d: &Due| (!d.contradicts, !d.owner_left, d.last_reviewed, d.account.clone());
        rank(a).cmp(&rank(b))
    });
    out
}

/// Shortest note of a review, in characters.
const LEAST_NOTE: usize = 10;

/// Decides about accounts in a review: what each deserves, by whom, when and why; kept and sealed in one step.
///
/// # Errors
/// An account is not on the estate, the note is too short, the person may not or owns it alone, or the record fails.
pub fn review(
    record: &mut Record,
    session: &Session,
    accounts: &[(AccountKey, Triage)],
    note: &str,
) -> Result<Vec<Review>, GovernError> {
    let first = accounts.first().map(|(k, _)| k.to_string()).unwrap_or_default();
    allowed(record, session, Act::Review, "account.review", ("account", &first))?;
    if note.trim().chars().count() < LEAST_NOTE {
        return Err(GovernError::Input(format!("a review says why in at least {LEAST_NOTE} characters: --note")));
    }
    let estate = current_estate(record, Some(session.now)).map_err(|e| GovernError::Input(e.to_string()))?;
    let people = directory(record)?;
    let before_now = reviews(record)?;
    let (mut change, mut out) = (Change::default(), Vec::new());
    for (key, decision) in accounts {
        let id = key.to_string();
        let account = estate.accounts.get(key).ok_or_else(|| {
            GovernError::Input(format!(
                "`{id}` is not on the estate; `plumb accounts` lists what is, `plumb accounts set` adds"
            ))
        })?;
        // Who answers for an account does not alone decide that nobody looks at it.
        let owner = account.facts.owner_person.as_deref().and_then(|o| people.human(o)).cloned();
        if let Some(human) =
            owner.filter(|o| Some(o) == session.actor.human.as_ref() && *decision != Triage::FullBaseline)
        {
            let refusal = Refusal::OwnResource { human };
            log_denied(record, session, "account.review", ("account", &id), &refusal)?;
            return Err(refusal.into());
        }
        if *decision == Triage::FullBaseline
            && !account.lacks.is_empty()
            && account.facts.owner_person.is_none()
            && account.facts.owner_team.is_none()
        {
            return Err(GovernError::Input(format!(
                "{id} has no owner; name one with `plumb accounts set {id} --owner …` before it gets the full baseline"
            )));
        }
        let done = Review {
            account: key.clone(),
            decision: *decision,
            proposed: account.triage,
            because: account.triage_because.clone(),
            note: note.trim().into(),
            by: session.actor.human.as_ref().map_or_else(|| session.actor.id.clone(), ToString::to_string),
            at: session.now,
        };
        let (version, before, mut doc) = entry(record, key)?;
        doc.insert("last_reviewed_at".into(), json!(done.at));
        doc.insert("last_reviewed_by".into(), json!(done.by));
        doc.insert("triage".into(), json!(done.decision));
        let doc = Json::Object(doc);
        let said = serde_json::to_value(&done)?;
        let event = log::Event::done(&session.actor, "account.review", ("account", &id), said.clone(), session.now);
        change.events.push(session.mark(event.with_states(before.as_ref(), Some(&doc))));
        change.documents.push((MANUAL.into(), id.clone(), version, doc));
        let number = before_now.iter().chain(&out).filter(|r| r.account == *key).count() + 1;
        change.documents.push((REVIEWS.into(), format!("{id}/{number:04}"), 0, said));
        out.push(done);
    }
    commit(record, session.key.as_ref(), &change, session.now)?;
    Ok(out)
}

/// Gives the reason for a gap; the gap counts as closed from the next look on.
///
/// # Errors
/// The account has no such gap, the reason is too short, the person may not, or the record fails.
pub fn explain_gap(record: &mut Record, session: &Session, given: GapReason) -> Result<GapReason, GovernError> {
    let id = given.account.to_string();
    allowed(record, session, Act::Review, "account.gap", ("account", &id))?;
    if given.reason.chars().count() < LEAST_NOTE {
        return Err(GovernError::Input(format!("a reason has at least {LEAST_NOTE} characters")));
    }
    let estate = current_estate(record, Some(session.now)).map_err(|e| GovernError::Input(e.to_string()))?;
    let gaps = estate.accounts.get(&given.account).map(|a| &a.gaps);
    if !gaps.is_some_and(|g| g.contains(&given.missing_in)) {
        let there: Vec<&str> = gaps.into_iter().flatten().map(|c| c.name()).collect();
        let there = if there.is_empty() { "nowhere".into() } else { there.join(", ") };
        return Err(GovernError::Input(format!(
            "{id} is not missing in {}; it is missing in: {there}",
            given.missing_in
        )));
    }
    let version = kept_estate(record).map_err(|e| GovernError::Input(e.to_string()))?.map_or(0, |(v, _)| v);
    let mut next = estate;
    next.gap_reasons.retain(|r| (&r.account, r.missing_in) != (&given.account, given.missing_in));
    next.gap_reasons.push(given.clone());
    for gap in next.gaps.iter_mut().filter(|g| g.missing_in == given.missing_in && g.accounts.contains(&given.account))
    {
        if !gap.explained.contains(&given.account) {
            gap.explained.push(given.account.clone());
        }
    }
    let mut change = Change::default();
    let event =
        log::Event::done(&session.actor, "account.gap", ("account", &id), serde_json::to_value(&given)?, session.now);
    change.events.push(session.mark(event));
    change.put(ESTATE.0, ESTATE.1, version, &next)?;
    commit(record, session.key.as_ref(), &change, session.now)?;
    Ok(given)
}
