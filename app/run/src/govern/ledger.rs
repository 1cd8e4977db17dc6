//! The public exposure ledger on the record: what runs see, who allowed it, what ends it.

use super::{
    Change, GovernError, Session, commit, directory, guarded,
    inventory::{Surroundings, profiles},
    own::{Fault, Own, settle},
    picture::LEDGER,
    rule_outcomes,
};
use plumb_catalog::Catalog;
use plumb_govern::{
    Refusal,
    decision::Selector,
    ids::HumanId,
    ledger::{self, Exposure, ExposureState, Hop, LedgerChange, PreApproval, Reach, Seen, Warrant},
    log::{self, text::hex},
    policy::Policy,
};
use plumb_model::{AccountId, Outcome, RuleId, Time};
use plumb_record::{ExposureRow, Record, ScanId, UnitState};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// The collection of planned exposures.
pub(super) const PLANS: &str = "pre-approval";

/// The rule behind the findings the ledger opens.
const OWN: Own = Own {
    rule: "governance.exposure.approved",
    kind: "governance.exposure",
    title: "What can be reached from outside is approved by somebody, for a reason and a time",
    topic: "exposure.public-endpoint",
    expected: "approved, or not reachable",
};

/// A short name of an entry, for people: `X-3F9A2B7C10`.
pub fn short(id: &str) -> String {
    let digest = hex(&log::merkle::sha256(id.as_bytes()));
    format!("X-{}", digest.get(..10).unwrap_or_default().to_uppercase())
}

/// What the ledger calls a kind of resource.
fn word(kind: &str) -> &str {
    match kind {
        "aws.s3.bucket" => "bucket",
        "aws.rds.instance"
        | "aws.rds.cluster"
        | "aws.redshift.cluster"
        | "aws.docdb.cluster"
        | "aws.neptune.cluster" => "database",
        "aws.elb.load-balancer" | "aws.elbv2.load-balancer" => "load-balancer",
        "aws.apigateway.rest-api" | "aws.apigatewayv2.api" => "gateway",
        "aws.lambda.function" => "function-url",
        "aws.ec2.instance" => "vm-port",
        "aws.ec2.snapshot" | "aws.ec2.image" | "aws.rds.snapshot" | "aws.rds.cluster-snapshot" => "image-share",
        "aws.ecr.repository" | "aws.ecrpublic.repository" => "registry",
        "aws.iam.role" => "identity-trust",
        other => other,
    }
}

/// What one account's exposures mean for the ledger: what was seen, and which entries nothing can be told about.
struct Looked {
    seen: Vec<Seen>,
    untold: BTreeSet<String>,
    present: BTreeSet<String>,
}

/// What an account's resources are to the outside: what the scan kept about it, where it did, else computed again.
fn classes(
    record: &Record,
    catalog: &Catalog,
    scan: ScanId,
    account: &str,
) -> Result<Vec<(ExposureRow, bool)>, GovernError> {
    let mut assessed = false;
    let sql = format!("SELECT 1 FROM assessed WHERE account = ?1 AND scan = {}", scan.0);
    record.each_answer::<GovernError>(&sql, &[account], |_| {
        assessed = true;
        Ok(())
    })?;
    if assessed {
        return Ok(record.exposures(Some(account))?.into_iter().map(|e| (e.row, e.stale)).collect());
    }
    let computed = crate::exposed(record, catalog, scan, account)?;
    computed.into_iter().map(|e| Ok((serde_json::from_value(serde_json::to_value(&e)?)?, false))).collect()
}

/// An open port as people read it.
fn opening(port: &Json) -> String {
    let text = |key: &str| match port.get(key) {
        Some(Json::String(s)) => s.clone(),
        Some(Json::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let (from, to) = (text("from"), text("to"));
    let ports = if from == to || to.is_empty() { from } else { format!("{from}-{to}") };
    format!("{}/{ports} from {}", text("protocol"), text("source"))
}

fn look(
    record: &Record,
    catalog: &Catalog,
    scan: ScanId,
    account: &str,
    profile: &super::inventory::Profile,
) -> Result<Looked, GovernError> {
    let mut out = Looked { seen: Vec::new(), untold: BTreeSet::new(), present: BTreeSet::new() };
    // What stands behind a balancer is answered for with the balancer.
    let own = |e: &ExposureRow| e.kind != "aws.elbv2.target-group";
    for (e, stale) in classes(record, catalog, scan, account)?.into_iter().filter(|(e, _)| own(e)) {
        let reach = match e.class.as_str() {
            "internet" => Some(Reach::OpenAnonymous),
            "internet-authenticated" => Some(Reach::OpenAuthenticated),
            "limited" => Some(Reach::LimitedCidr),
            "cross-account" if !e.outside_accounts.is_empty() => Some(Reach::CrossAccount),
            _ => None,
        };
        let kind = word(&e.kind).to_owned();
        let id = format!("{}#{kind}", e.resource);
        out.present.insert(id.clone());
        let Some(reach) = reach.filter(|_| !stale) else {
            if stale || e.class == "unknown" {
                out.untold.insert(id);
            }
            continue;
        };
        let mut endpoints: Vec<String> = e.openings.iter().map(opening).collect();
        if endpoints.is_empty() {
            endpoints = e.actions.clone();
        }
        let hop = |s: &Json| {
            let text = |key: &str| s.get(key).and_then(Json::as_str).unwrap_or_default();
            Hop {
                what: format!("{}: {}", text("field"), text("says")),
                evidence: format!("record:{account}/{}/{}", e.kind, text("resource")),
            }
        };
        out.seen.push(Seen {
            resource: e.resource.as_str().into(),
            name: e.name.clone(),
            account: account.into(),
            region: e.region.as_str().into(),
            kind,
            endpoints,
            reach,
            proof: e.proof.iter().map(hop).collect(),
            data: profile.worst_data(),
            tier: profile.tier,
            protections: Vec::new(),
            team: profile.team.as_deref().map(Into::into),
            tags: record.tags(account, &e.kind, &e.resource)?,
        });
    }
    Ok(out)
}

type Book = BTreeMap<String, (i64, Exposure)>;

fn book(record: &Record) -> Result<Book, GovernError> {
    record
        .versioned(LEDGER)?
        .into_iter()
        .map(|(id, version, doc)| Ok((id, (version, serde_json::from_value(doc)?))))
        .collect()
}

/// Takes what `scan` saw into the ledger: new entries, grown ones, those that are gone; ends approvals that ran out or
/// whose control fails; opens and closes the findings that come of it.
///
/// # Errors
/// The record fails, or a stored resource is damaged.
pub fn observe(
    record: &mut Record,
    catalog: &Catalog,
    session: &Session,
    scan: ScanId,
) -> Result<LedgerChange, GovernError> {
    let accounts = crate::analysed_accounts(record, scan, None)?;
    let profiles = profiles(record)?;
    let before = book(record)?;
    let whole: BTreeSet<(String, String, String)> = record
        .units(scan)?
        .into_iter()
        .filter(|u| u.state == UnitState::Complete)
        .map(|u| (u.account.to_string(), word(u.kind.as_str()).to_owned(), u.region.to_string()))
        .collect();
    let mut seen = Vec::new();
    let mut untold = BTreeSet::new();
    let none = super::inventory::Profile::default();
    for account in &accounts {
        let looked = look(record, catalog, scan, account, profiles.get(account).unwrap_or(&none))?;
        // What is not on the list is gone only if the list was read to its end.
        for (id, (_, e)) in before.iter().filter(|(_, (_, e))| e.seen.account.as_str() == account) {
            let place = |region: &str| (account.clone(), e.seen.kind.clone(), region.to_owned());
            let read = whole.contains(&place(e.seen.region.as_str())) || whole.contains(&place("global"));
            if !looked.present.contains(id) && !read {
                untold.insert(id.clone());
            }
        }
        seen.extend(looked.seen);
        untold.extend(looked.untold);
    }
    let complete: BTreeSet<AccountId> = accounts.iter().map(|a| a.as_str().into()).collect();
    let plans: Vec<PreApproval> = super::inventory::all(record, PLANS)?;
    let now = session.now;
    let mut after: BTreeMap<String, Exposure> = before.iter().map(|(id, (_, e))| (id.clone(), e.clone())).collect();
    let said = ledger::observe(&mut after, seen, &complete, &untold, &plans, &session.policy, now);
    let outcomes = rule_outcomes(record)?;
    let lapsed = ledger::sweep(&mut after, &directory(record)?, &outcomes, &session.policy, now);
    let (flagged, settled) = ledger::weigh(&mut after, &outcomes);
    let mut change = Change::default();
    let verbs = [
        ("exposure.announced", &said.announced),
        ("exposure.detect", &said.unannounced),
        ("exposure.grow", &said.grown),
        ("exposure.retire", &said.retired),
        ("exposure.return", &said.returned),
        ("exposure.lapse", &lapsed),
        ("exposure.flag", &flagged),
        ("exposure.settle", &settled),
    ];
    for (verb, ids) in verbs {
        for id in ids {
            if let Some(e) = after.get(id) {
                let said = if verb == "exposure.flag" { e.uncarried.as_deref().unwrap_or_default() } else { "" };
                note(&mut change, session, verb, before.get(id).map(|(_, e)| e), e, said)?;
            }
        }
    }
    for (id, e) in &after {
        let old = before.get(id);
        if old.is_none_or(|(_, o)| o != e) {
            change.put(LEDGER, id, old.map_or(0, |(version, _)| *version), e)?;
        }
    }
    if !change.documents.is_empty() {
        commit(record, session.key.as_ref(), &change, now)?;
    }
    faults(record, scan, &after, &session.policy, now)?;
    Ok(said)
}

/// Opens and closes the findings of entries as they stand now.
fn faults(
    record: &mut Record,
    scan: ScanId,
    ledger: &BTreeMap<String, Exposure>,
    policy: &Policy,
    now: Time,
) -> Result<(), GovernError> {
    let accounts: BTreeSet<AccountId> = ledger.values().map(|e| e.seen.account.clone()).collect();
    let faults = ledger
        .values()
        .filter_map(|e| {
            let (severity, found) = e.grievance(policy, now)?;
            Some(Fault {
                account: e.seen.account.clone(),
                region: e.seen.region.clone(),
                resource: e.seen.resource.to_string(),
                name: e.seen.name.clone(),
                part: e.seen.kind.clone(),
                severity,
                found: format!("{} {found}", e.seen.reach),
            })
        })
        .collect();
    settle(record, scan, &OWN, faults, &accounts, now)
}

/// The same after somebody decided.
fn refresh(record: &mut Record, session: &Session) -> Result<(), GovernError> {
    let Ok(scan) = record.scan(None) else { return Ok(()) };
    let entries: BTreeMap<String, Exposure> = book(record)?.into_iter().map(|(id, (_, e))| (id, e)).collect();
    faults(record, scan.id, &entries, &session.policy, session.now)
}

fn note(
    change: &mut Change,
    session: &Session,
    verb: &str,
    before: Option<&Exposure>,
    after: &Exposure,
    said: &str,
) -> Result<(), GovernError> {
    let old = before.map(serde_json::to_value).transpose()?;
    let new = serde_json::to_value(after)?;
    let what = json!({
        "from": before.map(|b| b.state.name()), "to": after.state.name(), "reach": after.seen.reach.name(),
        "account": after.seen.account, "reason": after.reason, "note": said, "settled": super::bound::settled(&new),
    });
    let event = log::Event::done(&session.actor, verb, ("exposure", &after.id), what, session.now);
    change.events.push(session.mark(event.with_states(old.as_ref(), Some(&new))));
    Ok(())
}

/// What somebody asks for.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExposureAsk {
    /// The entry: its id, its short name, or the resource.
    pub entry: String,
    /// Why it must be reachable; at least 30 characters.
    pub justification: Option<String>,
    /// What makes one look again, besides the end.
    pub trigger: Option<String>,
    /// The end: a date, an instant, or `60d`.
    pub expires: Option<String>,
    /// What else carries the risk, in words.
    pub compensation: Option<String>,
    /// Rules that prove it.
    pub controls: Vec<String>,
    /// A pull request or ticket.
    pub reference: Option<String>,
}

/// The entry a person means, with its document's version.
///
/// # Errors
/// None, or several.
pub fn entry(record: &Record, text: &str) -> Result<(i64, Exposure), GovernError> {
    let mut found: Vec<(i64, Exposure)> = book(record)?
        .into_values()
        .filter(|(_, e)| {
            e.id == text
                || short(&e.id).eq_ignore_ascii_case(text)
                || e.seen.resource.as_str() == text
                || e.seen.name == text
        })
        .collect();
    match (found.len(), found.pop()) {
        (1, Some(one)) => Ok(one),
        (0, _) => Err(GovernError::Input(format!("there is no ledger entry `{text}`; see `plumb exposure list`"))),
        (n, _) => Err(GovernError::Input(format!("{n} ledger entries are called `{text}`; name one by its X-… id"))),
    }
}

fn controls(catalog: &Catalog, given: &[String]) -> Result<Vec<RuleId>, GovernError> {
    let mut out = BTreeSet::new();
    for word in given {
        out.extend(catalog.resolve(word).map_err(GovernError::Input)?);
    }
    Ok(out.into_iter().collect())
}

/// A control that does not pass everywhere cannot carry a risk.
fn proven(record: &Record, warrant: &Warrant) -> Result<(), GovernError> {
    let outcomes = rule_outcomes(record)?;
    match warrant.controls.iter().find(|c| outcomes.get(*c) != Some(&Outcome::Pass)) {
        Some(rule) => Err(Refusal::not_proven(format!(
            "the compensating control {rule} does not pass now; name one that does, or mend it first"
        ))
        .into()),
        None => Ok(()),
    }
}

/// Asks that an exposure be allowed; on an approved one, that it be allowed for longer.
///
/// # Errors
/// The rules refuse, a control is not known, or the record fails.
pub fn request_exposure(
    record: &mut Record,
    catalog: &Catalog,
    session: &Session,
    ask: &ExposureAsk,
    renew: bool,
) -> Result<Exposure, GovernError> {
    let verb = if renew { "exposure.renew" } else { "exposure.request" };
    guarded(record, session, verb, ("exposure", &ask.entry), |record| {
        let (version, before) = entry(record, &ask.entry)?;
        let held = before.warrant.as_ref();
        if renew && held.is_none() {
            return Err(GovernError::Input(format!("`{}` is not approved, so there is nothing to renew", ask.entry)));
        }
        let old = |of: fn(&Warrant) -> &String| held.filter(|_| renew).map(|w| of(w).clone());
        let justification = ask.justification.clone().or_else(|| old(|w| &w.justification)).unwrap_or_default();
        let trigger = ask.trigger.clone().or_else(|| old(|w| &w.trigger)).unwrap_or_default();
        let end = ask.expires.as_deref().unwrap_or_default();
        let end = if end.is_empty() { session.now } else { super::end_of(end, session.now)? };
        let mut after = before.request(&session.actor, &justification, &trigger, end, &session.policy, session.now)?;
        if let Some(asked) = &mut after.asked {
            asked.compensation =
                ask.compensation.clone().or_else(|| held.filter(|_| renew).and_then(|w| w.compensation.clone()));
            asked.controls = controls(catalog, &ask.controls)?;
            if asked.controls.is_empty() && renew {
                asked.controls = held.map(|w| w.controls.clone()).unwrap_or_default();
            }
            asked.reference = ask.reference.clone().unwrap_or_default();
            proven(record, asked)?;
        }
        keep(record, session, verb, version, Some(&before), after, &justification)
    })
}

fn keep(
    record: &mut Record,
    session: &Session,
    verb: &str,
    version: i64,
    before: Option<&Exposure>,
    mut after: Exposure,
    said: &str,
) -> Result<Exposure, GovernError> {
    let mut change = Change::default();
    after.uncarried = after.carried(&rule_outcomes(record)?);
    note(&mut change, session, verb, before, &after, said)?;
    if let Some(why) = after.uncarried.as_deref().filter(|_| before.is_none_or(|b| b.uncarried.is_none())) {
        note(&mut change, session, "exposure.flag", before, &after, why)?;
    }
    change.put(LEDGER, &after.id, version, &after)?;
    commit(record, session.key.as_ref(), &change, session.now)?;
    refresh(record, session)?;
    Ok(after)
}

/// What people do about an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExposureVerb {
    /// Yes.
    Approve,
    /// No, or not any more.
    Reject,
    /// It is still needed.
    Confirm,
    /// It is not needed any more.
    Retire,
}

impl ExposureVerb {
    fn name(self) -> &'static str {
        match self {
            Self::Approve => "exposure.approve",
            Self::Reject => "exposure.reject",
            Self::Confirm => "exposure.confirm",
            Self::Retire => "exposure.give-up",
        }
    }
}

/// Decides about an entry.
///
/// # Errors
/// The rules refuse (the requester and the owner cannot approve, whatever login they use), or the record fails.
pub fn decide_exposure(
    record: &mut Record,
    catalog: &Catalog,
    session: &Session,
    id: &str,
    verb: ExposureVerb,
    said: &str,
) -> Result<Exposure, GovernError> {
    guarded(record, session, verb.name(), ("exposure", id), |record| {
        let (version, before) = entry(record, id)?;
        let (actor, policy, now) = (&session.actor, &session.policy, session.now);
        let after = match verb {
            ExposureVerb::Approve => {
                if let Some(asked) = &before.asked {
                    proven(record, asked)?;
                }
                let around = Surroundings::read(record, catalog, policy)?;
                let owners = owners(&around, before.seen.account.as_str());
                before.approve(actor, &owners, said, policy, now)?
            }
            ExposureVerb::Reject => before.refuse(actor, said, policy, now)?,
            ExposureVerb::Confirm => before.confirm(actor, now)?,
            ExposureVerb::Retire => before.give_up(actor, said, now)?,
        };
        keep(record, session, verb.name(), version, Some(&before), after, said)
    })
}

/// The people who own an account: they do not approve what is theirs.
fn owners(around: &Surroundings<'_>, account: &str) -> BTreeSet<HumanId> {
    let owner = around.profile(account).owner;
    owner.and_then(|o| around.directory.human(&o).cloned()).into_iter().collect()
}

/// A planned exposure, as it is registered.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct PlanAsk {
    /// The account it will be in.
    pub account: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// Its id or name; `*` and `?` stand for what is not known yet.
    pub resource: Option<String>,
    /// How far it may reach: open-anonymous, open-authenticated, limited-cidr, cross-account.
    pub reach: Option<String>,
    /// Days in which it must first be seen; 14 if not said.
    pub window_days: Option<i64>,
    /// Why, until when, what carries the risk.
    #[serde(flatten)]
    pub ask: ExposureAskFields,
}

/// What a planned exposure shares with a request.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct ExposureAskFields {
    /// Why it must be reachable; at least 30 characters.
    pub justification: Option<String>,
    /// What makes one look again, besides the end.
    pub trigger: Option<String>,
    /// The end.
    pub expires: Option<String>,
    /// What else carries the risk, in words.
    pub compensation: Option<String>,
    /// Rules that prove it.
    pub controls: Vec<String>,
    /// The pull request in which the code was reviewed.
    pub reference: Option<String>,
}

/// Registers an exposure before it is deployed, from the review of its code; it counts once another person agreed.
///
/// # Errors
/// The rules refuse, or the record fails.
pub fn plan_exposure(
    record: &mut Record,
    catalog: &Catalog,
    session: &Session,
    plan: &PlanAsk,
) -> Result<PreApproval, GovernError> {
    guarded(record, session, "exposure.plan", ("pre-approval", "new"), |record| {
        let pattern = |text: &Option<String>| -> Result<Vec<_>, GovernError> {
            text.iter().map(|t| t.parse().map_err(GovernError::Input)).collect()
        };
        let select = Selector {
            accounts: pattern(&plan.account)?,
            regions: pattern(&plan.region)?,
            resources: pattern(&plan.resource)?,
            ..Selector::default()
        };
        let reach: Reach = plan.reach.as_deref().unwrap_or("open-anonymous").parse().map_err(GovernError::Input)?;
        let ask = &plan.ask;
        let end = super::end_of(ask.expires.as_deref().unwrap_or("90d"), session.now)?;
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        let most = session.policy.exposure_days;
        let mut warrant =
            Warrant::ask(&session.actor, &text(&ask.justification), &text(&ask.trigger), end, most, session.now)?;
        warrant.compensation.clone_from(&ask.compensation);
        warrant.controls = controls(catalog, &ask.controls)?;
        warrant.reference = text(&ask.reference);
        let number = record.documents(PLANS)?.len() + 1;
        let id = format!("PX-{number:06}");
        let to = session.now.plus_days(plan.window_days.unwrap_or(14));
        let made = PreApproval::plan(&id, select, reach, (session.now, to), warrant, &session.policy)?;
        keep_plan(record, session, "exposure.plan", 0, None, &made)?;
        Ok(made)
    })
}

fn keep_plan(
    record: &mut Record,
    session: &Session,
    verb: &str,
    version: i64,
    before: Option<&PreApproval>,
    after: &PreApproval,
) -> Result<(), GovernError> {
    let old = before.map(serde_json::to_value).transpose()?;
    let new = serde_json::to_value(after)?;
    let event = log::Event::done(&session.actor, verb, ("pre-approval", &after.id), new.clone(), session.now);
    let mut change =
        Change { events: vec![session.mark(event.with_states(old.as_ref(), Some(&new)))], ..Change::default() };
    change.put(PLANS, &after.id, version, after)?;
    commit(record, session.key.as_ref(), &change, session.now)
}

/// Another person agrees to a planned exposure.
///
/// # Errors
/// There is no such plan, the rules refuse, or the record fails.
pub fn approve_plan(record: &mut Record, session: &Session, id: &str, said: &str) -> Result<PreApproval, GovernError> {
    guarded(record, session, "exposure.approve-plan", ("pre-approval", id), |record| {
        let (version, doc) = record.document(PLANS, id)?.ok_or_else(|| {
            GovernError::Input(format!("there is no planned exposure `{id}`; see `plumb exposure plans`"))
        })?;
        let before: PreApproval = serde_json::from_value(doc)?;
        let after = before.approve(&session.actor, said, &session.policy, session.now)?;
        keep_plan(record, session, "exposure.approve-plan", version, Some(&before), &after)?;
        Ok(after)
    })
}

/// The ledger, by entry.
///
/// # Errors
/// The record fails.
pub fn entries_of_ledger(record: &Record) -> Result<BTreeMap<String, Exposure>, GovernError> {
    Ok(book(record)?.into_iter().map(|(id, (_, e))| (id, e)).collect())
}

/// Planned exposures.
///
/// # Errors
/// The record fails.
pub fn plans(record: &Record) -> Result<Vec<PreApproval>, GovernError> {
    super::inventory::all(record, PLANS)
}

/// One line of what changed between two moments.
#[derive(Debug, Clone, serde::Serialize)]
pub struct LedgerStep {
    /// `added`, `approved`, `retired`, `detected`, `not-approved`.
    pub what: &'static str,
    /// When.
    pub at: Time,
    /// The entry.
    pub entry: String,
    /// Its short name.
    pub id: String,
    /// The account.
    pub account: String,
    /// How far it reaches.
    pub reach: Reach,
    /// Why.
    pub reason: String,
}

/// What changed in a period, oldest first.
pub fn ledger_steps(ledger: &BTreeMap<String, Exposure>, from: Time, to: Time) -> Vec<LedgerStep> {
    let mut out = Vec::new();
    for e in ledger.values() {
        let mut push = |what, at: Time, reason: &str| {
            if at >= from && at < to {
                out.push(LedgerStep {
                    what,
                    at,
                    entry: e.id.clone(),
                    id: short(&e.id),
                    account: e.seen.account.to_string(),
                    reach: e.seen.reach,
                    reason: reason.into(),
                });
            }
        };
        push("added", e.first_seen, &e.reason);
        match e.state {
            ExposureState::Retired => push("retired", e.retired_at.unwrap_or(e.since), &e.reason),
            ExposureState::Approved => {
                push("approved", e.since, e.warrant.as_ref().map_or("", |w| w.justification.as_str()));
            }
            ExposureState::NotApproved => push("not-approved", e.since, &e.reason),
            ExposureState::Detected if e.since != e.first_seen => push("detected", e.since, &e.reason),
            ExposureState::Detected => {}
        }
    }
    out.sort_by(|a, b| (a.at, &a.entry).cmp(&(b.at, &b.entry)));
    out
}
