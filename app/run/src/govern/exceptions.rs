//! Exceptions, deferrals and false positives: asked for, decided by others, ended.

use super::{
    Change, GovernError, Judged, Life, Picture, Session, Surroundings, commit, guarded,
    life::{lane_of, load_in},
    log_denied,
    picture::{DECISIONS, DRAFTS, collection},
    work::{sealed, step},
};
use plumb_catalog::Catalog;
use plumb_govern::{
    Refusal,
    decision::{
        Basis, Compensation, Context, Decision, Draft, Kind, Pattern, Rejected, Selector, Situation, Status, Subject,
        Trigger, Watch, submit,
    },
    finding::{Event, Finding, machine::State},
    framework::Tally,
    ids::{DecisionId, FindingId, HumanId},
    log,
    people::Directory,
    policy::{Lane, Tier},
    retention::Class,
};
use plumb_model::{Outcome, RuleId, Severity, Time};
use plumb_record::Record;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// What somebody asks for, as it is written on the command line or in a file.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ask {
    /// Findings: ids or beginnings of them.
    pub findings: Vec<String>,
    /// An imported draft to complete; findings or patterns that are named take the place of what it speaks about.
    pub draft: Option<String>,
    /// `exception` (default), `deferral`, `false-positive`, `baseline-deviation`.
    pub kind: Option<String>,
    /// Why it is reasonable, as one word.
    pub basis: Option<String>,
    /// The reasoning; at least 50 characters.
    pub justification: Option<String>,
    /// What may happen; at least 30 characters.
    pub risk: Option<String>,
    /// Who answers for it; the requester if not said.
    pub owner: Option<String>,
    /// The end: a date, an instant, or `30d`.
    pub expires: Option<String>,
    /// What ends it early: `value-changes`, `severity-rises`, …
    pub triggers: Vec<String>,
    /// Rules that prove compensating controls, as `rule=in words`.
    pub compensations: Vec<String>,
    /// For false positives: what shows that it is not true.
    pub counter_evidence: Vec<String>,
    /// The decision it prolongs.
    pub renews: Option<String>,
    /// The plan to fix it.
    pub plan: Option<String>,
    /// For deviations: what the baseline expects.
    pub expected_value: Option<serde_json::Value>,
    /// For deviations: the one other value that is allowed.
    pub allowed_value: Option<serde_json::Value>,
    /// Instead of findings, what they look like: rule ids or aliases, each text, `*` and `?`, or `re:` and an expression.
    #[serde(alias = "rule")]
    pub rules: Vec<String>,
    /// Accounts.
    #[serde(alias = "account")]
    pub accounts: Vec<String>,
    /// Regions.
    #[serde(alias = "region")]
    pub regions: Vec<String>,
    /// Resource ids or names.
    #[serde(alias = "resource")]
    pub resources: Vec<String>,
    /// Tags as `key=value`; one of them must match.
    #[serde(alias = "tag")]
    pub tags: Vec<String>,
    /// Teams.
    #[serde(alias = "team")]
    pub teams: Vec<String>,
    /// Whether what these patterns match later is covered too.
    #[serde(alias = "covers-future")]
    pub covers_future: bool,
}

impl Ask {
    /// The selector its patterns make; none where it names findings or a draft.
    fn selector(&self) -> Result<Option<Selector>, GovernError> {
        let lists = [&self.rules, &self.accounts, &self.regions, &self.resources, &self.tags, &self.teams];
        let named = !self.findings.is_empty();
        if lists.iter().all(|l| l.is_empty()) && (named || self.draft.is_some() || !self.covers_future) {
            if named && self.covers_future {
                return Err(GovernError::Input(
                    "findings that are named cover nothing later; say what later ones look like: --rule, --account, …"
                        .into(),
                ));
            }
            return Ok(None);
        }
        if named {
            return Err(GovernError::Input("name findings or patterns, not both of them".into()));
        }
        let patterns = |texts: &[String]| -> Result<Vec<Pattern>, GovernError> {
            texts.iter().map(|t| t.parse().map_err(GovernError::Input)).collect()
        };
        // A finding's id after a flag that takes several values is read as one more of them.
        let plain = [&self.rules, &self.accounts, &self.regions].into_iter().flatten();
        if let Some(id) = plain.into_iter().find(|t| t.starts_with("F-")) {
            return Err(GovernError::Input(format!(
                "`{id}` is a finding's id; name findings or patterns, not both of them"
            )));
        }
        if let Some(tag) = self.tags.iter().find(|t| !t.contains('=') && !t.starts_with("re:")) {
            return Err(GovernError::Input(format!("`{tag}` is no tag; write key=value, as in stage=test or stage=*")));
        }
        Ok(Some(Selector {
            rules: patterns(&self.rules)?,
            accounts: patterns(&self.accounts)?,
            regions: patterns(&self.regions)?,
            resources: patterns(&self.resources)?,
            tags: patterns(&self.tags)?,
            teams: patterns(&self.teams)?,
            ..Selector::default()
        }))
    }
}

/// An instant from a date (its last second), an instant, or a span such as `30d`.
///
/// # Errors
/// A message saying what would be right.
pub fn end_of(text: &str, now: Time) -> Result<Time, GovernError> {
    let wrong = || GovernError::Input(format!("`{text}` is no end; write 2027-03-31, an RFC 3339 instant, or 30d"));
    if let Some(days) = text.strip_suffix('d') {
        return Ok(now.plus_days(days.parse().map_err(|_| wrong())?));
    }
    let whole = if text.len() == 10 { format!("{text}T23:59:59Z") } else { text.to_owned() };
    whole.parse().map_err(|_| wrong())
}

pub(super) fn decisions(record: &Record) -> Result<Vec<Decision>, GovernError> {
    collection(record, DECISIONS)
}

/// One decision and its document's version.
///
/// # Errors
/// There is none with this number.
pub fn decision(record: &Record, number: &str) -> Result<(i64, Decision), GovernError> {
    match record.document(DECISIONS, number)? {
        Some((version, doc)) => Ok((version, serde_json::from_value(doc)?)),
        None => Err(GovernError::Input(format!("there is no decision `{number}`; see `plumb exceptions list`"))),
    }
}

fn outcome(t: &Tally) -> Option<Outcome> {
    match (t.pass, t.fail, t.unknown) {
        (_, f, _) if f > 0 => Some(Outcome::Fail),
        (p, _, 0) if p > 0 => Some(Outcome::Pass),
        _ => None,
    }
}

/// What rules say over everything they were last asked about: fail where it fails anywhere, pass where it passes
/// everywhere; nothing where somebody could not look.
pub(super) fn rule_outcomes(record: &Record) -> Result<BTreeMap<RuleId, Outcome>, GovernError> {
    Ok(Judged::read(record)?.rules.into_iter().filter_map(|(rule, t)| Some((rule, outcome(&t)?))).collect())
}

/// What is covered, folded one finding at a time: a decision names thousands of them.
#[derive(Default)]
struct Covering {
    ids: BTreeSet<FindingId>,
    digests: Vec<String>,
    severity: Option<Severity>,
    lane: Option<Lane>,
    tier: Option<Tier>,
    owners: BTreeSet<HumanId>,
    frameworks: BTreeSet<String>,
    points: i64,
}

impl Covering {
    fn add(&mut self, f: &Finding) {
        let facts = &f.facts;
        self.ids.insert(f.id.clone());
        self.digests.push(format!("{} {}", f.id, facts.value_digest));
        self.severity = self.severity.max(Some(facts.severity));
        self.lane = Some(self.lane.map_or(facts.lane(), |lane| lane.min(facts.lane())));
        self.tier = self.tier.max(Some(facts.terms.tier));
        if let Some(owner) = f.person().or(facts.person.as_ref()).filter(|o| !self.owners.contains(*o)) {
            self.owners.insert(owner.clone());
        }
        for control in &facts.controls {
            if !self.frameworks.contains(control) {
                self.frameworks.insert(control.clone());
            }
        }
        self.points += facts.points;
    }

    /// The worst of it, as triggers compare it.
    fn situation(&mut self, tallies: &BTreeMap<RuleId, Tally>) -> Situation {
        self.digests.sort();
        Situation {
            severity: self.severity,
            lane: self.lane,
            tier: self.tier,
            value_digest: log::digest(&json!(self.digests)),
            controls: tallies.iter().filter_map(|(r, t)| Some((r.clone(), outcome(t)?))).collect(),
            ..Situation::default()
        }
    }
}

/// The same for a decision in force: observed values are compared with those that were approved, and those of what came
/// under it later with what they were then, so that something new is not taken for a change of something old.
fn situation_under(
    around: &Surroundings<'_>,
    decision: &Decision,
    tallies: &BTreeMap<RuleId, Tally>,
) -> Result<Situation, GovernError> {
    let (mut all, mut named, mut moved) = (Covering::default(), Covering::default(), false);
    each_under(around, decision, decision.findings(), |(_, life)| {
        let f = &life.finding;
        all.add(f);
        match decision.later.get(&f.id) {
            Some(then) => moved |= then.value_digest != f.facts.value_digest,
            None => named.add(f),
        }
        Ok(())
    })?;
    if all.ids.is_empty() {
        return Ok(decision.situation.clone());
    }
    let whole = all.situation(tallies);
    if all.ids.len() == named.ids.len() || moved {
        return Ok(whole);
    }
    Ok(Situation { value_digest: named.situation(tallies).value_digest, ..whole })
}

/// How bad what a selector may meet later can be, where it meets nothing yet: the worst severity of its rules, the most
/// critical tier of its accounts. That is what the approvers of such a decision agree to.
fn worst_of(around: &Surroundings<'_>, selector: &Selector) -> (Severity, Tier) {
    let any = |list: &[Pattern], of: &dyn Fn(&Pattern) -> bool| list.is_empty() || list.iter().any(of);
    let rules = around.catalog.rules.values().filter(|rule| {
        any(&selector.rules, &|p| p.matches(rule.id.as_str()) || rule.aliases.ids().any(|id| p.matches(id)))
    });
    let accounts = around.profiles.iter().filter(|(id, _)| any(&selector.accounts, &|p| p.matches(id)));
    (
        rules.map(|rule| rule.severity).max().unwrap_or(Severity::Critical),
        accounts.map(|(_, profile)| profile.tier).max().unwrap_or(Tier::Unknown),
    )
}

/// What the govern layer asks about the subject of a decision.
struct Known {
    directory: Directory,
    owners: BTreeSet<HumanId>,
    rejected: Vec<Rejected>,
    previous: Option<Decision>,
    passing: BTreeSet<RuleId>,
    situation: Situation,
    frameworks: Vec<String>,
    lane: Lane,
    points: i64,
}

impl Known {
    fn about(record: &Record, mut covered: Covering, renews: Option<&DecisionId>) -> Result<Self, GovernError> {
        let tallies = Judged::read(record)?.rules;
        let situation = covered.situation(&tallies);
        let passing = situation.controls.iter().filter(|(_, o)| **o == Outcome::Pass).map(|(r, _)| r.clone()).collect();
        let all = decisions(record)?;
        let same = |d: &&Decision| d.findings().any(|f| covered.ids.contains(f));
        let rejected = all
            .iter()
            .filter(|d| d.status == Status::Rejected)
            .filter(same)
            .filter_map(|d| Some(Rejected { justification: d.draft.justification.clone(), at: d.end.as_ref()?.at }))
            .collect();
        Ok(Self {
            directory: super::directory(record)?,
            previous: renews.and_then(|n| all.iter().find(|d| d.number == *n).cloned()),
            lane: situation.lane.unwrap_or(Lane::Watch),
            points: covered.points,
            owners: covered.owners,
            frameworks: covered.frameworks.into_iter().collect(),
            rejected,
            passing,
            situation,
        })
    }

    /// The same, where the subject is a selector that meets nothing yet.
    fn foreseen(mut self, around: &Surroundings<'_>, subject: &Subject) -> Self {
        if let Subject::Selector { selector, covers_future: true, .. } = subject
            && self.situation.severity.is_none()
        {
            let (severity, tier) = worst_of(around, selector);
            self.lane = lane_of(severity);
            self.situation.severity = Some(severity);
            self.situation.lane = Some(self.lane);
            self.situation.tier = Some(tier);
        }
        self
    }

    fn context(&self) -> Context<'_> {
        Context {
            directory: &self.directory,
            lane: self.lane,
            tier: self.situation.tier.unwrap_or(Tier::Unknown),
            owners: &self.owners,
            points: self.points,
            frameworks: &self.frameworks,
            rejected: &self.rejected,
            previous: self.previous.as_ref(),
            passing: &self.passing,
            situation: &self.situation,
        }
    }
}

fn compensation(text: &str) -> Compensation {
    match text.split_once('=') {
        Some((rule, words)) => Compensation { text: words.into(), rule: Some(rule.into()), evidence: None },
        None => Compensation { text: text.into(), rule: None, evidence: Some(text.into()) },
    }
}

/// Every finding that a draft's selector matches now and that a request can be about: in work, or decided already where
/// the request prolongs that. What waits for another decision or for a retest is not asked for a second time.
fn matched(around: &Surroundings<'_>, draft: &Draft) -> Result<BTreeSet<String>, GovernError> {
    let Subject::Selector { selector, .. } = &draft.subject else { return Ok(BTreeSet::new()) };
    let mut out = BTreeSet::new();
    let decided: &[State] = if draft.renews.is_some() { &[State::Accepted, State::Deferred] } else { &[] };
    let states = [State::Open, State::Triaged, State::InRemediation].iter().chain(decided);
    let query = plumb_record::Query { states: states.map(|s| s.name().into()).collect(), ..Default::default() };
    around.record.each_finding(&query, |row| -> Result<(), GovernError> {
        let tags = around.tags(&row)?;
        if around.with_target(&row, &tags, |target| selector.matches(target)) {
            out.insert(row.key);
        }
        Ok(())
    })?;
    Ok(out)
}

fn request_event(kind: Kind, brief: plumb_govern::decision::Brief) -> Event {
    match kind {
        Kind::Deferral => Event::RequestDeferral { decision: brief },
        Kind::FalsePositive => Event::RequestFp { decision: brief },
        _ => Event::RequestException { decision: brief },
    }
}

/// Drafts that became requests.
const DRAFTS_DONE: &str = "draft-done";

/// What a draft speaks about, with the patterns that were named in place of its own.
fn narrowed(subject: Subject, said: Selector) -> Subject {
    let Subject::Selector { selector, matched, covers_future } = subject else {
        return Subject::Selector { selector: said, matched: BTreeSet::new(), covers_future: false };
    };
    let or = |said: Vec<Pattern>, was: Vec<Pattern>| if said.is_empty() { was } else { said };
    let selector = Selector {
        // Files and addresses of code say where it was muted; who names resources says what is meant here.
        files: if said.resources.is_empty() { selector.files } else { Vec::new() },
        rules: or(said.rules, selector.rules),
        accounts: or(said.accounts, selector.accounts),
        regions: or(said.regions, selector.regions),
        resources: or(said.resources, selector.resources),
        tags: or(said.tags, selector.tags),
        teams: or(said.teams, selector.teams),
        except: selector.except,
    };
    Subject::Selector { selector, matched, covers_future }
}

/// Asks for a decision: the request is numbered, the findings wait for it, all in one transaction.
///
/// # Errors
/// Something is missing (everything is named at once), the person may not ask, or the record fails.
pub fn request(record: &mut Record, catalog: &Catalog, session: &Session, ask: &Ask) -> Result<Decision, GovernError> {
    guarded(record, session, "decision.request", ("decision", ask.draft.as_deref().unwrap_or("new")), |record| {
        let kind: Option<Kind> = ask.kind.as_deref().map(str::parse).transpose().map_err(GovernError::Input)?;
        let mut keys: BTreeSet<String> = BTreeSet::new();
        for id in &ask.findings {
            keys.insert(record.finding(id)?.key);
        }
        let mut draft = match (&ask.draft, ask.selector()?) {
            (Some(id), said) => {
                let (_, doc) = record.document(DRAFTS, id)?.ok_or_else(|| {
                    GovernError::Input(format!("there is no draft `{id}`; see `plumb exceptions drafts`"))
                })?;
                if let Some((_, done)) = record.document(DRAFTS_DONE, id)? {
                    let number = done["requested_as"].as_str().unwrap_or_default();
                    return Err(GovernError::Input(format!("draft `{id}` was requested as {number} already")));
                }
                let mut draft = serde_json::from_value::<Draft>(doc)?;
                if !keys.is_empty() {
                    draft.subject = Subject::Findings(keys.iter().map(|k| FindingId::from(k.as_str())).collect());
                } else if let Some(said) = said {
                    draft.subject = narrowed(draft.subject, said);
                }
                draft
            }
            (None, Some(selector)) => Draft::about(
                Kind::Exception,
                Subject::Selector { selector, matched: BTreeSet::new(), covers_future: ask.covers_future },
            ),
            (None, None) => Draft::new(Kind::Exception, keys.iter().map(|k| FindingId::from(k.as_str()))),
        };
        draft.renews = ask.renews.as_deref().map(DecisionId::from).or(draft.renews);
        let around = Surroundings::read(record, catalog, &session.policy)?;
        if let Subject::Selector { selector, .. } = &draft.subject
            && !selector.is_everything()
        {
            keys.extend(matched(&around, &draft)?);
        }
        if let Subject::Selector { matched, covers_future, .. } = &mut draft.subject {
            *matched = keys.iter().map(|k| FindingId::from(k.as_str())).collect();
            *covers_future |= ask.covers_future;
        }
        draft.kind = kind.unwrap_or(draft.kind);
        if let Some(basis) = &ask.basis {
            draft.basis = Some(basis.parse::<Basis>().map_err(GovernError::Input)?);
        }
        if let Some(text) = &ask.justification {
            draft.justification.clone_from(text);
        }
        if let Some(text) = &ask.risk {
            draft.risk.clone_from(text);
        }
        draft.owner = ask.owner.as_deref().map(HumanId::from).or(draft.owner).or_else(|| session.actor.human.clone());
        if let Some(text) = &ask.expires {
            draft.expires_at = Some(end_of(text, session.now)?);
        }
        for word in &ask.triggers {
            draft.triggers.push(Trigger::from(word.parse::<Watch>().map_err(GovernError::Input)?));
        }
        draft.compensations.extend(ask.compensations.iter().map(|c| compensation(c)));
        draft.counter_evidence.extend(ask.counter_evidence.iter().cloned());
        draft.plan = ask.plan.clone().or(draft.plan);
        draft.expected_value = ask.expected_value.clone().or(draft.expected_value);
        draft.allowed_value = ask.allowed_value.clone().or(draft.allowed_value);

        let mut covered = Covering::default();
        for key in &keys {
            covered.add(&load_in(record, &around, &record.finding(key)?)?.1.finding);
        }
        let known = Known::about(record, covered, draft.renews.as_ref())?.foreseen(&around, &draft.subject);
        drop(around);
        let year: String = session.now.to_string().chars().take(4).collect();
        let prefix = format!("EX-{year}-");
        let number = format!("{prefix}{:06}", super::keep::next_number(record, DECISIONS, Class::Decisions, &prefix)?);
        let decision =
            submit(draft, number.as_str().into(), &session.actor, &known.context(), &session.policy, session.now)?;
        let mut change = Change::default();
        let after = serde_json::to_value(&decision)?;
        let entry =
            log::Event::done(&session.actor, "decision.request", ("decision", &number), after.clone(), session.now);
        change.events.push(session.mark(entry.with_states(None, Some(&after))));
        change.put(DECISIONS, &number, 0, &decision)?;
        if let Some(id) = &ask.draft {
            let mut done = serde_json::to_value(&decision.draft)?;
            if let Some(map) = done.as_object_mut() {
                map.insert("requested_as".into(), json!(number));
            }
            change.documents.push((DRAFTS_DONE.into(), id.clone(), 0, done));
        }
        let why = &decision.draft.justification;
        sealed(record, session.key.as_ref(), session.now, |record, sealing| {
            sealing.keep(&change)?;
            let around = Surroundings::read(record, catalog, &session.policy)?;
            let ids: Vec<&String> = keys.iter().collect();
            for some in ids.chunks(AT_ONCE) {
                let mut change = Change::default();
                for key in some {
                    let life = load_in(record, &around, &record.finding(key)?)?;
                    // A decision that is prolonged covers findings that are decided already; they stay where they are.
                    if matches!(life.1.finding.state(), State::Accepted | State::Deferred | State::FalsePositive)
                        && decision.draft.renews.is_some()
                    {
                        continue;
                    }
                    let brief = decision.brief(&life.1.finding.id, None, &session.policy);
                    step(&mut change, session, life, request_event(decision.draft.kind, brief), why)?;
                }
                sealing.keep(&change)?;
            }
            Ok(())
        })?;
        Ok(decision)
    })
}

/// How many findings are held at once.
const AT_ONCE: usize = 256;

/// Hands over, one at a time, those of these findings that wait for a decision or live under it.
fn each_under<'i>(
    around: &Surroundings<'_>,
    decision: &Decision,
    ids: impl Iterator<Item = &'i FindingId>,
    mut take: impl FnMut((i64, Life)) -> Result<(), GovernError>,
) -> Result<(), GovernError> {
    for id in ids {
        let row = around.record.finding(id.as_str())?;
        let life = load_in(around.record, around, &row)?;
        if life.1.finding.decision() == Some(&decision.number) {
            take(life)?;
        }
    }
    Ok(())
}

/// Keeps a change of a decision and then, [`AT_ONCE`] at a time, what it means for what it covers: all in one transaction.
fn kept_with(
    record: &mut Record,
    catalog: &Catalog,
    session: &Session,
    (before, change): (&Decision, &Change),
    mut take: impl FnMut(&mut Change, (i64, Life)) -> Result<(), GovernError>,
) -> Result<(), GovernError> {
    sealed(record, session.key.as_ref(), session.now, |record, sealing| {
        sealing.keep(change)?;
        let around = Surroundings::read(record, catalog, &session.policy)?;
        let ids: Vec<&FindingId> = before.findings().collect();
        for some in ids.chunks(AT_ONCE) {
            let mut change = Change::default();
            each_under(&around, before, some.iter().copied(), |life| take(&mut change, life))?;
            sealing.keep(&change)?;
        }
        Ok(())
    })
}

/// What people do about a request or a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Yes.
    Approve,
    /// No.
    Reject,
    /// End it early.
    Revoke,
    /// The requester takes it back.
    Withdraw,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Approve => "decision.approve",
            Self::Reject => "decision.reject",
            Self::Revoke => "decision.revoke",
            Self::Withdraw => "decision.withdraw",
        }
    }
}

/// Decides: the decision first, then every finding it covers, in one transaction.
///
/// # Errors
/// The rules refuse (the requester cannot decide, whatever login they use), or the record fails.
pub fn decide(
    record: &mut Record,
    catalog: &Catalog,
    session: &Session,
    number: &str,
    verb: Verb,
    note: &str,
) -> Result<Decision, GovernError> {
    guarded(record, session, verb.name(), ("decision", number), |record| {
        let (version, before) = decision(record, number)?;
        let (policy, now) = (&session.policy, session.now);
        let after = match verb {
            Verb::Approve => {
                let around = Surroundings::read(record, catalog, policy)?;
                let mut covered = Covering::default();
                each_under(&around, &before, before.findings(), |(_, life)| {
                    covered.add(&life.finding);
                    Ok(())
                })?;
                let known = Known::about(record, covered, before.draft.renews.as_ref())?
                    .foreseen(&around, &before.draft.subject);
                before.approve(&session.actor, note, &known.context(), policy, now)?
            }
            Verb::Reject => before.reject(&session.actor, note, policy, now)?,
            Verb::Revoke => before.revoke(&session.actor, note, policy, now)?,
            Verb::Withdraw => before.withdraw(&session.actor, note, now)?,
        };
        let mut change = Change::default();
        record_decision(&mut change, session, verb.name(), version, &before, &after, note)?;
        kept_with(record, catalog, session, (&before, &change), |change, life| {
            let f = &life.1.finding;
            let brief = after.brief(&f.id, None, policy);
            let event = match verb {
                Verb::Approve if after.status != Status::InForce => return Ok(()),
                Verb::Approve if f.state() == State::FpRequested => Event::Confirm {
                    decision: brief,
                    rule_version: f.facts.rule_version,
                    value_digest: f.facts.value_digest.clone(),
                },
                Verb::Approve => Event::Approve { decision: brief },
                Verb::Reject => Event::Reject { decision: brief, note: note.into() },
                Verb::Withdraw if f.state().is_waiting() => Event::Withdraw { decision: brief, note: note.into() },
                Verb::Revoke | Verb::Withdraw if f.state() == State::FalsePositive => {
                    let system = Session { actor: plumb_govern::people::Actor::system("lifecycle"), ..session.clone() };
                    let event = Event::Change {
                        what: "decision".into(),
                        before: "in-force".into(),
                        after: after.status.to_string(),
                    };
                    return step(change, &system, life, event, note).map(drop);
                }
                Verb::Revoke => Event::Revoke { decision: after.number.clone(), note: note.into() },
                Verb::Withdraw => {
                    let system = Session { actor: plumb_govern::people::Actor::system("lifecycle"), ..session.clone() };
                    let event = Event::Trigger { decision: after.number.clone(), fired: format!("withdrawn: {note}") };
                    return step(change, &system, life, event, note).map(drop);
                }
            };
            step(change, session, life, event, note).map(drop)
        })?;
        Ok(after)
    })
}

pub(super) fn record_decision(
    change: &mut Change,
    session: &Session,
    action: &str,
    version: i64,
    before: &Decision,
    after: &Decision,
    note: &str,
) -> Result<(), GovernError> {
    let (old, new) = (serde_json::to_value(before)?, serde_json::to_value(after)?);
    let what =
        json!({ "from": before.status.name(), "to": after.status.name(), "note": note, "approvals": after.approvals });
    let entry = log::Event::done(&session.actor, action, ("decision", after.number.as_str()), what, session.now);
    change.events.push(session.mark(entry.with_states(Some(&old), Some(&new))));
    change.put(DECISIONS, after.number.as_str(), version, after)
}

/// Ends what has run out or whose triggers fired, and reopens what it covered. Idempotent: it asks what is past.
///
/// # Errors
/// The record fails.
pub fn sweep(record: &mut Record, catalog: &Catalog, session: &Session) -> Result<Vec<Decision>, GovernError> {
    let mut ended = Vec::new();
    let tallies = Judged::read(record)?.rules;
    let directory = super::directory(record)?;
    let numbers: Vec<DecisionId> =
        decisions(record)?.iter().filter(|d| d.status == Status::InForce).map(|d| d.number.clone()).collect();
    // What others are read with is read once; what ends is read again before it is written.
    let mut ends = Vec::new();
    {
        let around = Surroundings::read(record, catalog, &session.policy)?;
        for number in numbers {
            let (_, before) = decision(record, number.as_str())?;
            let here = situation_under(&around, &before, &tallies)?;
            ends.extend(before.reevaluate(&here, &directory, session.now).map(|end| (number, end)));
        }
    }
    for (number, end) in ends {
        let (version, before) = decision(record, number.as_str())?;
        let why = end.fired.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let said = if why.is_empty() { "its end came" } else { &why };
        let mut change = Change::default();
        let action = if end.fired.is_empty() { "decision.expire" } else { "decision.trigger" };
        record_decision(&mut change, session, action, version, &before, &end.decision, said)?;
        kept_with(record, catalog, session, (&before, &change), |change, life| {
            let event = match life.1.finding.state() {
                State::FalsePositive => Event::Change {
                    what: "decision".into(),
                    before: "in-force".into(),
                    after: end.decision.status.to_string(),
                },
                State::Accepted | State::Deferred if end.fired.is_empty() => {
                    Event::Expire { decision: number.clone(), expired_at: before.expires_at().unwrap_or(session.now) }
                }
                State::Accepted | State::Deferred => {
                    Event::Trigger { decision: number.clone(), fired: said.to_owned() }
                }
                _ => return Ok(()),
            };
            step(change, session, life, event, said).map(drop)
        })?;
        ended.push(end.decision);
    }
    Ok(ended)
}

/// Another tool's mute lists and baselines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MuteFormat {
    /// Prowler's mute list (YAML).
    Mutelist,
    /// Checkov's baseline or results with skips (JSON).
    CheckovBaseline,
    /// `.trivyignore`.
    Trivyignore,
    /// ScoutSuite's exceptions (JSON).
    Scoutsuite,
}

/// Imports another tool's list: each entry becomes a draft that waits for a basis, an owner and an end. Nothing is
/// muted by that. Returns the drafts' ids.
///
/// # Errors
/// The file is not of this format, the person may not ask, or the record fails.
pub fn import(
    record: &mut Record,
    session: &Session,
    format: MuteFormat,
    text: &str,
) -> Result<Vec<(String, Draft)>, GovernError> {
    use plumb_govern::{
        decision::import,
        people::{Act, may},
    };
    if !session.actor.roles.iter().any(|r| may(*r, Act::Request)) {
        let has = session.actor.roles.iter().map(|r| r.name()).collect::<Vec<_>>().join(", ");
        let needs = "engineer or approver".into();
        let refusal =
            Refusal::NotAllowed { act: "import requests".into(), needs, actor: session.actor.id.clone(), has };
        log_denied(record, session, "decision.import", ("decision", "import"), &refusal)?;
        return Err(refusal.into());
    }
    let json = || serde_json::from_str(text).map_err(|e| GovernError::Input(format!("not JSON: {e}")));
    let drafts = match format {
        MuteFormat::Mutelist => import::prowler_mutelist(text),
        MuteFormat::CheckovBaseline => import::checkov(&json()?),
        MuteFormat::Trivyignore => import::trivyignore(text),
        MuteFormat::Scoutsuite => import::scoutsuite(&json()?),
    }
    .map_err(|e| GovernError::Input(e.to_string()))?;
    keep_drafts(record, session, "decision.import", drafts, &json!({}))
}

/// Keeps drafts that are not kept yet, with an entry on the log.
pub(super) fn keep_drafts(
    record: &mut Record,
    session: &Session,
    action: &str,
    drafts: Vec<Draft>,
    about: &serde_json::Value,
) -> Result<Vec<(String, Draft)>, GovernError> {
    let have: Vec<(String, serde_json::Value)> = record.documents(DRAFTS)?;
    // The line of a comment moves with what stands above it; it is the same skip.
    let told = |d: &Draft| serde_json::to_string(&(&d.kind, &d.subject, &d.justification, d.expires_at));
    let mut known = BTreeSet::new();
    for (_, doc) in &have {
        known.insert(told(&serde_json::from_value(doc.clone())?)?);
    }
    let mut change = Change::default();
    let mut out = Vec::new();
    for draft in drafts {
        let value = serde_json::to_value(&draft)?;
        if !known.insert(told(&draft)?) {
            continue;
        }
        let id = format!("D-{:06}", have.len() + out.len() + 1);
        change.documents.push((DRAFTS.into(), id.clone(), 0, value));
        out.push((id, draft));
    }
    if out.is_empty() {
        return Ok(out);
    }
    let ids: Vec<&str> = out.iter().map(|(id, _)| id.as_str()).collect();
    let mut what = about.clone();
    if let Some(members) = what.as_object_mut() {
        members.insert("drafts".into(), json!(ids));
    }
    let event = log::Event::done(&session.actor, action, ("decision", "import"), what, session.now);
    change.events.push(session.mark(event));
    commit(record, session.key.as_ref(), &change, session.now)?;
    Ok(out)
}

/// Drafts that nobody has completed yet, with their ids.
///
/// # Errors
/// The record fails.
pub fn drafts(record: &Record) -> Result<Vec<(String, Draft)>, GovernError> {
    let done: BTreeSet<String> = record.documents(DRAFTS_DONE)?.into_iter().map(|(id, _)| id).collect();
    record
        .documents(DRAFTS)?
        .into_iter()
        .filter(|(id, _)| !done.contains(id))
        .map(|(id, doc)| Ok((id, serde_json::from_value(doc)?)))
        .collect()
}

impl Picture<'_> {
    /// The decision with this number.
    pub fn decision(&self, number: &str) -> Option<&Decision> {
        self.decisions.iter().find(|d| d.number.as_str() == number)
    }
}
