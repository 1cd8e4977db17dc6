//! The standing baselines on the record: written, approved by somebody else, put in force, retired; and the runs of
//! scans against them.
//!
//! A version is fixed once it is proposed: approval names its digest, and a change is a new version. At most one
//! baseline is in force for a tier of accounts at a provider.

use crate::{
    accounts::allowed,
    govern::{Change, GovernError, Session, commit, log_denied},
};
use plumb_catalog::Catalog;
use plumb_drift::{Baseline, BaselineRun, Status};
use plumb_evaluate::{RuleSet, Selection};
use plumb_govern::{Refusal, log, people::Act};
use plumb_model::{RuleId, Severity, Time, Value};
use plumb_record::{Record, ScanId};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const BASELINES: &str = "baseline";
pub(crate) const RUNS: &str = "baseline-run";
/// How the pages as they are called where no baseline is in force.
pub const CATALOG: &str = "catalog";

/// Where a version is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Being written.
    Draft,
    /// Fixed, waiting for somebody else to approve.
    Proposed,
    /// Approved, not in force yet.
    Approved,
    /// In force.
    Active,
    /// Replaced or withdrawn.
    Retired,
}

impl Stage {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }
}

/// A step on that way.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// Where it led.
    pub to: Stage,
    /// The human.
    pub by: String,
    /// When.
    pub at: Time,
    /// In their words.
    #[serde(default)]
    pub note: String,
}

/// A version of a baseline as it is kept.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    /// The baseline.
    pub baseline: Baseline,
    /// Where it is.
    pub stage: Stage,
    /// How it came there.
    pub steps: Vec<Step>,
    /// SHA-256 over what it says, from the proposal on; empty before.
    #[serde(default)]
    pub digest: String,
}

/// SHA-256 over what a baseline says, not over who wrote or approved it.
fn digest_of(b: &Baseline) -> Result<String, GovernError> {
    Ok(log::digest(&json!({
        "name": b.name, "version": b.version, "tiers": b.tiers, "providers": b.providers,
        "rules": serde_json::to_value(&b.rules)?, "only": b.only, "values": serde_json::to_value(&b.values)?,
    })))
}

/// Every version on record, by name and version.
///
/// # Errors
/// The record fails, or a document is damaged.
pub fn all(record: &Record) -> Result<Vec<Kept>, GovernError> {
    let mut out: Vec<Kept> = record
        .documents(BASELINES)?
        .into_iter()
        .map(|(_, doc)| serde_json::from_value(doc))
        .collect::<Result<_, _>>()?;
    out.sort_by_key(|k| (k.baseline.name.clone(), plumb_drift::version_of(&k.baseline.version)));
    Ok(out)
}

/// A version by `name@1.2.0`; by its name alone, the one in force, else the newest.
///
/// # Errors
/// There is none, or the record fails.
pub fn find(record: &Record, label: &str) -> Result<Kept, GovernError> {
    let all = all(record)?;
    let (name, version) = label.split_once('@').map_or((label, None), |(n, v)| (n, Some(v)));
    let mut own: Vec<&Kept> = all.iter().filter(|k| k.baseline.name == name).collect();
    own.retain(|k| version.is_none_or(|v| k.baseline.version == v));
    let found = own.iter().find(|k| k.stage == Stage::Active).or(own.last());
    found.map(|k| (*k).clone()).ok_or_else(|| {
        let names: BTreeSet<String> = all.iter().map(|k| k.baseline.label()).collect();
        let there = if names.is_empty() { "none yet".into() } else { names.into_iter().collect::<Vec<_>>().join(", ") };
        GovernError::Input(format!("there is no baseline `{label}`; there is {there}"))
    })
}

/// The baselines in force.
///
/// # Errors
/// The record fails, or a document is damaged.
pub fn in_force(record: &Record) -> Result<Vec<Baseline>, GovernError> {
    Ok(all(record)?.into_iter().filter(|k| k.stage == Stage::Active).map(|k| k.baseline).collect())
}

/// The version after the newest of this name: `1.0.0`, then `1.1.0`.
///
/// # Errors
/// The record fails.
pub fn next_version(record: &Record, name: &str) -> Result<String, GovernError> {
    let newest = all(record)?
        .iter()
        .filter(|k| k.baseline.name == name)
        .filter_map(|k| plumb_drift::version_of(&k.baseline.version))
        .max();
    Ok(newest.map_or_else(|| "1.0.0".into(), |[major, minor, _]| format!("{major}.{}.0", minor + 1)))
}

fn human(session: &Session) -> String {
    session.actor.human.as_ref().map_or_else(|| session.actor.id.clone(), ToString::to_string)
}

/// What is wrong with what a baseline says: rules and parameters nobody knows, tiers and providers there are none of.
pub fn problems(baseline: &Baseline, catalog: &Catalog) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let plain = |t: &str| {
        !t.is_empty() && t.len() <= 60 && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if !plain(&baseline.name) {
        out.push(format!("`{}` is no name; letters, digits, `-` and `_` are right", baseline.name));
    }
    if baseline.tiers.is_empty() || baseline.providers.is_empty() {
        out.push("a baseline stands for at least one tier at one provider".into());
    }
    for tier in baseline.tiers.iter().filter(|t| t.parse::<plumb_discover::Tier>().is_err()) {
        let names: Vec<&str> = plumb_discover::Tier::ALL.iter().map(|t| t.name()).collect();
        out.push(format!("there is no tier `{tier}`; there is {}", names.join(", ")));
    }
    for provider in baseline.providers.iter().filter(|p| p.parse::<plumb_discover::Provider>().is_err()) {
        out.push(format!("there is no provider `{provider}`; there is aws, azure, gcp, other"));
    }
    for r in &baseline.rules {
        let Some(rule) = catalog.rules.get(&r.rule) else {
            out.push(format!("there is no rule `{}`", r.rule));
            continue;
        };
        if !baseline.providers.iter().any(|p| **p == *r.rule.kind().provider()) {
            out.push(format!("rule `{}` is of no provider the baseline stands for", r.rule));
        }
        for name in r.parameters.keys().filter(|n| !rule.params.contains_key(*n)) {
            let known: Vec<&str> = rule.params.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            out.push(format!("rule `{}` has no parameter `{name}`; it has {known}", r.rule));
        }
    }
    for v in &baseline.values {
        match catalog.kinds.get(&v.kind) {
            None => out.push(format!("there is no kind `{}`", v.kind)),
            Some(kind) => match kind.fields.iter().find(|f| *f.name == *v.field) {
                None => out.push(format!("{} has no field `{}`", v.kind, v.field)),
                Some(field) if !fits(&v.value, &field.ty) => out.push(format!(
                    "{}.{} is {}, which {} is not",
                    v.kind,
                    v.field,
                    field.ty,
                    v.value.to_plain_json()
                )),
                Some(_) => {}
            },
        }
    }
    if baseline.rules.is_empty() && baseline.values.is_empty() {
        out.push("it names no rule and no value".into());
    }
    out.extend(plumb_drift::check(std::slice::from_ref(baseline)).iter().map(ToString::to_string));
    out
}

/// Whether a value can be one of a field; null stands for a field that is not set.
fn fits(value: &Value, ty: &plumb_catalog::Type) -> bool {
    use plumb_catalog::Type as T;
    match (value, ty) {
        (Value::Null | Value::Unknown(_), _) | (_, T::Any | T::Policy) => true,
        (Value::Bool(_), ty) => *ty == T::Bool,
        (Value::Int(_), ty) => matches!(ty, T::Int | T::Double),
        (Value::Double(_), ty) => *ty == T::Double,
        (Value::Str(_), ty) => !matches!(ty, T::Bool | T::Int | T::Double | T::List(_) | T::Map(_) | T::Object(_)),
        (Value::List(_), ty) => matches!(ty, T::List(_)),
        (Value::Map(_), ty) => matches!(ty, T::Map(_) | T::Object(_)),
        _ => true,
    }
}

/// Writes a draft, or replaces one that is still a draft. The author is who acts.
///
/// # Errors
/// Something in it is wrong (everything is named), the version is fixed already, the person may not, or the record fails.
pub fn draft(
    record: &mut Record,
    catalog: &Catalog,
    session: &Session,
    mut baseline: Baseline,
) -> Result<Kept, GovernError> {
    let id = baseline.label();
    allowed(record, session, Act::ProposePolicy, "baseline.draft", ("baseline", &id))?;
    baseline.author = human(session);
    baseline.status = Status::Draft;
    baseline.approved_by.clear();
    baseline.effective_from = None;
    let wrong = problems(&baseline, catalog);
    if !wrong.is_empty() {
        return Err(GovernError::Input(wrong.join("; ")));
    }
    let (version, before) = match record.document(BASELINES, &id)? {
        None => (0, None),
        Some((version, doc)) => {
            let kept: Kept = serde_json::from_value(doc)?;
            if kept.stage != Stage::Draft {
                return refuse(
                    record,
                    session,
                    "baseline.draft",
                    &id,
                    status(&id, kept.stage, "draft; a change is a new version"),
                );
            }
            (version, Some(kept))
        }
    };
    let step = Step { to: Stage::Draft, by: human(session), at: session.now, note: String::new() };
    let mut steps = before.as_ref().map(|k| k.steps.clone()).unwrap_or_default();
    steps.push(step);
    let kept = Kept { baseline, stage: Stage::Draft, steps, digest: String::new() };
    keep(record, session, "baseline.draft", vec![(version, before, kept.clone())])?;
    Ok(kept)
}

fn status(id: &str, is: Stage, needs: &str) -> Refusal {
    Refusal::Status { what: id.into(), is: is.name().into(), needs: needs.into() }
}

fn refuse<T>(
    record: &mut Record,
    session: &Session,
    action: &str,
    id: &str,
    refusal: Refusal,
) -> Result<T, GovernError> {
    log_denied(record, session, action, ("baseline", id), &refusal)?;
    Err(refusal.into())
}

type Written = (i64, Option<Kept>, Kept);

fn keep(record: &mut Record, session: &Session, action: &str, written: Vec<Written>) -> Result<(), GovernError> {
    let mut change = Change::default();
    for (version, before, kept) in written {
        let id = kept.baseline.label();
        let before = before.map(serde_json::to_value).transpose()?;
        let after = serde_json::to_value(&kept)?;
        let said = json!({
            "to": kept.stage, "digest": kept.digest, "rules": kept.baseline.rules.len(), "values": kept.baseline.values.len(),
            "tiers": kept.baseline.tiers, "providers": kept.baseline.providers, "note": kept.steps.last().map(|s| s.note.clone()),
        });
        let event = log::Event::done(&session.actor, action, ("baseline", &id), said, session.now);
        change.events.push(session.mark(event.with_states(before.as_ref(), Some(&after))));
        change.documents.push((BASELINES.into(), id, version, after));
    }
    commit(record, session.key.as_ref(), &change, session.now)
}

/// What is done to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Fixes a draft and asks for approval.
    Propose,
    /// Agrees; never its author or who proposed it.
    Approve,
    /// Puts an approved version in force, in place of what stood for its accounts.
    Activate,
    /// Takes a version out of force, or withdraws it.
    Retire,
}

impl Verb {
    fn action(self) -> &'static str {
        match self {
            Self::Propose => "baseline.propose",
            Self::Approve => "baseline.approve",
            Self::Activate => "baseline.activate",
            Self::Retire => "baseline.retire",
        }
    }
}

/// Takes a version one step on. Returns it, and what it took the place of.
///
/// # Errors
/// The version is not where the step begins, the person may not, has taken part already or gave no fresh second factor,
/// another baseline stands for some of its accounts, or the record fails.
pub fn step(
    record: &mut Record,
    catalog: &Catalog,
    session: &Session,
    label: &str,
    verb: Verb,
    note: &str,
) -> Result<(Kept, Vec<String>), GovernError> {
    let found = find_for(record, label, verb)?;
    let id = found.baseline.label();
    let action = verb.action();
    let act = if verb == Verb::Propose { Act::ProposePolicy } else { Act::ApprovePolicy };
    // Who may propose may also put in force or retire what somebody else approved.
    let may_anyway = matches!(verb, Verb::Activate | Verb::Retire) && session.actor.may(Act::ProposePolicy);
    if !may_anyway {
        allowed(record, session, act, action, ("baseline", &id))?;
    }
    let (version, doc) = record.document(BASELINES, &id)?.unwrap_or_default();
    let before: Kept = serde_json::from_value(doc)?;
    let mut kept = before.clone();
    let here = kept.stage;
    let fits = match verb {
        Verb::Propose => here == Stage::Draft,
        Verb::Approve => here == Stage::Proposed,
        Verb::Activate => here == Stage::Approved,
        Verb::Retire => here != Stage::Retired,
    };
    if !fits {
        let needs = match verb {
            Verb::Propose => "draft",
            Verb::Approve => "proposed",
            Verb::Activate => "approved",
            Verb::Retire => "anything but retired",
        };
        return refuse(record, session, action, &id, status(&id, here, needs));
    }
    let mut written = Vec::new();
    let mut replaced = Vec::new();
    match verb {
        Verb::Propose => {
            let wrong = problems(&kept.baseline, catalog);
            if !wrong.is_empty() {
                return Err(GovernError::Input(wrong.join("; ")));
            }
            kept.digest = digest_of(&kept.baseline)?;
            kept.stage = Stage::Proposed;
        }
        Verb::Approve => {
            let me = human(session);
            if kept.steps.iter().any(|s| s.by == me) || kept.baseline.author == me {
                return refuse(record, session, action, &id, Refusal::SamePerson { human: me.as_str().into() });
            }
            if let Some(refusal) = decides_as_admin(session) {
                return refuse(record, session, action, &id, refusal);
            }
            if !session.actor.mfa_fresh(session.now, session.policy.mfa_minutes) {
                let refusal = Refusal::SecondFactor { act: action.into(), minutes: session.policy.mfa_minutes };
                return refuse(record, session, action, &id, refusal);
            }
            if digest_of(&kept.baseline)? != kept.digest {
                return refuse(
                    record,
                    session,
                    action,
                    &id,
                    Refusal::not_proven("what was proposed has been changed since"),
                );
            }
            kept.baseline.approved_by.push(me);
            kept.stage = Stage::Approved;
        }
        Verb::Activate => {
            for other in
                all(record)?.into_iter().filter(|k| k.stage == Stage::Active && k.baseline.meets(&kept.baseline))
            {
                let other_id = other.baseline.label();
                if !kept.baseline.covers(&other.baseline) {
                    let refusal = Refusal::Status {
                        what: format!("baseline {other_id}"),
                        is: "active for some of the same accounts and for others".into(),
                        needs: format!("retired first, or {id} must stand for all of its tiers and providers"),
                    };
                    return refuse(record, session, action, &id, refusal);
                }
                let version = record.document(BASELINES, &other_id)?.map_or(0, |(v, _)| v);
                let mut after = other.clone();
                after.stage = Stage::Retired;
                after.baseline.status = Status::Retired;
                after.steps.push(Step {
                    to: Stage::Retired,
                    by: human(session),
                    at: session.now,
                    note: format!("replaced by {id}"),
                });
                written.push((version, Some(other), after));
                replaced.push(other_id);
            }
            kept.stage = Stage::Active;
            kept.baseline.status = Status::Active;
            kept.baseline.effective_from = Some(session.now);
        }
        Verb::Retire => {
            kept.stage = Stage::Retired;
            kept.baseline.status = Status::Retired;
        }
    }
    kept.steps.push(Step { to: kept.stage, by: human(session), at: session.now, note: note.into() });
    written.push((version, Some(before), kept.clone()));
    keep(record, session, action, written)?;
    Ok((kept, replaced))
}

/// Running the tool and accepting its rules are apart, unless the policy lets one person do both.
pub(crate) fn decides_as_admin(session: &Session) -> Option<Refusal> {
    use plumb_govern::people::Role;
    let human = session.actor.human.clone()?;
    let both = session.actor.is(Role::Admin) && session.actor.is(Role::Approver);
    (both && !session.policy.allow_admin_approver).then_some(Refusal::AdminDecides { human })
}

/// With a name alone, the version that waits for this step.
fn find_for(record: &Record, label: &str, verb: Verb) -> Result<Kept, GovernError> {
    let wanted = match verb {
        Verb::Propose => Stage::Draft,
        Verb::Approve => Stage::Proposed,
        Verb::Activate => Stage::Approved,
        Verb::Retire => Stage::Active,
    };
    let waiting = all(record)?.into_iter().rfind(|k| k.baseline.name == label && k.stage == wanted);
    waiting.map_or_else(|| find(record, label), Ok)
}

/// What a scan of one account is judged by.
pub struct Judged<'r> {
    /// The rules.
    pub rules: &'r RuleSet,
    /// `tier-one@1.2.0`, or [`CATALOG`].
    pub label: &'r str,
    /// The rules the baseline names; none where there is no baseline: then all count.
    pub named: Option<BTreeSet<RuleId>>,
}

/// The rules of a scan, with those of every baseline in force.
pub struct Judging<'r> {
    plain: &'r RuleSet,
    baselines: Vec<Compiled>,
}

struct Compiled {
    label: String,
    baseline: Baseline,
    rules: RuleSet,
}

/// The rules of a selection as a baseline wants them: its parameters outrank settings, its severities the pages'.
pub fn under(catalog: &Catalog, selection: &Selection, baseline: &Baseline) -> RuleSet {
    let mut selection = selection.clone();
    if baseline.only {
        let named: BTreeSet<RuleId> = baseline.rules.iter().map(|r| r.rule.clone()).collect();
        selection.rules = Some(match selection.rules {
            Some(wanted) => wanted.intersection(&named).cloned().collect(),
            None => named,
        });
    }
    for r in baseline.rules.iter().filter(|r| !r.parameters.is_empty()) {
        let own: &mut BTreeMap<String, Value> = selection.params.entry(r.rule.clone()).or_default();
        own.extend(r.parameters.iter().map(|(n, v)| (n.clone(), v.clone())));
    }
    // What does not compile was named when the plain rules were compiled.
    let (mut rules, _) = RuleSet::compile(catalog, &selection);
    let severities: BTreeMap<RuleId, Severity> =
        baseline.rules.iter().filter_map(|r| Some((r.rule.clone(), r.severity?))).collect();
    rules.set_severities(&severities);
    rules
}

impl<'r> Judging<'r> {
    /// The rules of a scan on this record, with the baselines in force.
    ///
    /// # Errors
    /// The record fails, or a document is damaged.
    pub fn on(record: &Record, catalog: &Catalog, plain: &'r RuleSet) -> Result<Self, GovernError> {
        Ok(Self::by(in_force(record)?, catalog, plain))
    }

    fn by(baselines: Vec<Baseline>, catalog: &Catalog, plain: &'r RuleSet) -> Self {
        let compiled = |baseline: Baseline| Compiled {
            label: baseline.label(),
            rules: under(catalog, plain.selection(), &baseline),
            baseline,
        };
        Self { plain, baselines: baselines.into_iter().map(compiled).collect() }
    }

    /// The rules with the baselines that `scan` was judged by, in force or not.
    ///
    /// # Errors
    /// The record fails, or a document is damaged.
    pub fn of_scan(record: &Record, catalog: &Catalog, plain: &'r RuleSet, scan: ScanId) -> Result<Self, GovernError> {
        let used: BTreeSet<String> =
            runs(record)?.into_iter().filter(|r| r.scan == scan.0).map(|r| r.run.baseline).collect();
        let baselines = all(record)?.into_iter().map(|k| k.baseline).filter(|b| used.contains(&b.label())).collect();
        Ok(Self::by(baselines, catalog, plain))
    }

    /// The rules for accounts of a tier (empty: not known) at a provider.
    pub fn account(&self, tier: &str, provider: &str) -> Judged<'_> {
        let tier = if tier.is_empty() { "unknown" } else { tier };
        let fits = |b: &Baseline| b.tiers.iter().any(|t| **t == *tier) && b.providers.iter().any(|p| **p == *provider);
        self.judged(self.baselines.iter().find(|c| fits(&c.baseline)))
    }

    /// The rules of the baseline with this label; the pages as they are for any other.
    pub fn labelled(&self, label: &str) -> Judged<'_> {
        self.judged(self.baselines.iter().find(|c| c.label == label))
    }

    fn judged<'s>(&'s self, found: Option<&'s Compiled>) -> Judged<'s> {
        match found {
            Some(c) => Judged {
                rules: &c.rules,
                label: &c.label,
                named: Some(c.baseline.rules.iter().map(|r| r.rule.clone()).collect()),
            },
            None => Judged { rules: self.plain, label: CATALOG, named: None },
        }
    }
}

/// The record of one account's scan against a baseline.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Run {
    /// The scan.
    pub scan: i64,
    /// The tier the account had.
    pub tier: String,
    /// SHA-256 over the rules and parameters used.
    pub rules_digest: String,
    /// The run.
    #[serde(flatten)]
    pub run: BaselineRun,
}

/// Every run, by scan and account.
///
/// # Errors
/// The record fails, or a document is damaged.
pub fn runs(record: &Record) -> Result<Vec<Run>, GovernError> {
    Ok(record.documents(RUNS)?.into_iter().map(|(_, doc)| serde_json::from_value(doc)).collect::<Result<_, _>>()?)
}

/// Hands every run under an approved baseline to `take`: account, scan, label; by scan.
///
/// # Errors
/// The record fails.
pub(crate) fn approved_runs(
    record: &Record,
    mut take: impl FnMut(String, i64, String),
) -> Result<(), plumb_record::RecordError> {
    let sql = "SELECT doc ->> 'account', doc ->> 'scan', doc ->> 'baseline' FROM document \
               WHERE collection = ?1 AND doc ->> 'baseline' <> ?2 ORDER BY id";
    record.each_answer::<plumb_record::RecordError>(sql, &[RUNS, CATALOG], |row| {
        if let [serde_json::Value::String(account), scan, serde_json::Value::String(label)] = row.as_slice() {
            take(account.clone(), scan.as_i64().unwrap_or_default(), label.clone());
        }
        Ok(())
    })?;
    Ok(())
}

/// Keeps a run; one of the same scan and account is replaced, as after an interruption.
///
/// # Errors
/// The record fails.
pub fn keep_run(record: &mut Record, run: &Run) -> Result<(), plumb_record::RecordError> {
    let id = format!("{:08}/{}", run.scan, run.run.account);
    let version = record.document(RUNS, &id)?.map_or(0, |(v, _)| v);
    let doc =
        serde_json::to_value(run).map_err(|_| plumb_record::RecordError::Damaged { what: "baseline run".into() })?;
    record.put_document(RUNS, &id, version, &doc).map(|_| ())
}

/// What a scan could be approved as: the rules that were judged, as their pages and settings say.
pub fn from_rules(rules: &RuleSet, catalog: &Catalog) -> Vec<plumb_drift::BaselineRule> {
    let params = &rules.selection().params;
    rules
        .iter()
        .map(|r| plumb_drift::BaselineRule {
            rule: r.id.clone(),
            parameters: params.get(&r.id).cloned().unwrap_or_default(),
            severity: None,
            hard: catalog.rules.get(&r.id).is_some_and(|page| page.hard),
        })
        .collect()
}
