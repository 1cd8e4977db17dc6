//! Judging one account's resources as they stand on the record.

use crate::{
    EndOfLife, Engine, exposure,
    exposure::Assessment,
    native,
    overland::Ways,
    stored::{self, resource_of, resources_of},
};
use plumb_assess::paths::Outside;
use plumb_evaluate::{AccountFacts, CompiledRule, Explain, Helpers, Judging, RuleSet, Table, World};
use plumb_model::{AccountId, KindId, Outcome, Region, Resource, ResourceId, RuleId, Severity, Time, Unknown, Verdict};
use plumb_record::{CoverageRow, Record, RecordError, ScanId, Unit, UnitState};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// Why judging stopped.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The record failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A stored document is damaged.
    #[error("the stored fields of {kind} `{id}` are damaged")]
    Damaged {
        /// The kind.
        kind: String,
        /// The resource.
        id: String,
    },
    /// The ends of support on record cannot be used.
    #[error("{0}")]
    Support(String),
}

/// Verdicts by outcome, with the reasons of the unknown ones; per place and rule.
#[derive(Debug, Default, Clone)]
struct Counts {
    pass: i64,
    fail: i64,
    unknown: i64,
    not_applicable: i64,
    reasons: Vec<Unknown>,
}

impl Counts {
    fn add(&mut self, verdict: &Verdict) {
        match verdict.outcome {
            Outcome::Pass => self.pass += 1,
            Outcome::Fail => self.fail += 1,
            Outcome::Unknown => self.unknown += 1,
            Outcome::NotApplicable => self.not_applicable += 1,
        }
        for need in &verdict.needs {
            if self.reasons.len() < 4 && !self.reasons.iter().any(|r| r == need.as_ref()) {
                self.reasons.push(need.as_ref().clone());
            }
        }
    }
}

/// Judges everything of an account that `scan` has read, kind by kind, and hands each verdict with its rule's severity
/// to `take`, ordered by kind and resource. Returns the coverage.
///
/// A kind that could not be read completely gives, beside the verdicts of what was read, one unknown verdict per rule
/// whose resource is the unread place itself. With `as_of`, resources changed by later scans are judged as they were.
///
/// # Errors
/// When the record fails, a stored document is damaged, or the first error of `take`.
#[allow(clippy::too_many_arguments)]
pub fn judge_account<E: From<JudgeError> + From<RecordError>>(
    record: &Record,
    rules: &RuleSet,
    scan: ScanId,
    facts: &AccountFacts,
    now: Time,
    explain: Explain,
    as_of: bool,
    begin: impl FnMut(&KindId) -> Result<(), E>,
    take: impl FnMut(&Verdict, Severity) -> Result<(), E>,
) -> Result<Vec<CoverageRow>, E> {
    let read = !record.units_of(scan, &facts.id)?.is_empty();
    let found = match read && rules.iter().any(|r| r.native().is_some()) {
        true => {
            let found = assess(record, rules, scan, facts, now, as_of, None).map_err(E::from)?;
            let ways = Ways::joined(record, rules, &found).map_err(E::from)?;
            Some((found, ways))
        }
        false => None,
    };
    let part = Part::All(found.as_ref().map(|(found, ways)| (found, ways)));
    judge_part(record, rules, scan, facts, now, explain, as_of, part, &mut Told { begin, take })
}

/// What takes verdicts, kind by kind.
pub(crate) trait Take<E> {
    /// The verdicts of a kind come next.
    fn begin(&mut self, kind: &KindId) -> Result<(), E>;
    /// A verdict, with its rule's severity.
    fn verdict(&mut self, verdict: &Verdict, severity: Severity) -> Result<(), E>;
    /// Whether a verdict about this that passes, or says that the rule does not apply, would close a finding, so that what
    /// showed it has to be told.
    fn closes(&self, rule: &RuleId, resource: &ResourceId, sub_key: &str) -> bool;
}

/// Takes verdicts that close nothing.
struct Told<B, T> {
    begin: B,
    take: T,
}

impl<E, B: FnMut(&KindId) -> Result<(), E>, T: FnMut(&Verdict, Severity) -> Result<(), E>> Take<E> for Told<B, T> {
    fn begin(&mut self, kind: &KindId) -> Result<(), E> {
        (self.begin)(kind)
    }

    fn verdict(&mut self, verdict: &Verdict, severity: Severity) -> Result<(), E> {
        (self.take)(verdict, severity)
    }

    fn closes(&self, _: &RuleId, _: &ResourceId, _: &str) -> bool {
        false
    }
}

/// Counts verdicts on their way to whoever takes them. After the first error the rest is only counted.
struct Counting<'t, E, T> {
    take: &'t mut T,
    coverage: HashMap<(KindId, Region, RuleId), Counts>,
    failed: Option<E>,
}

impl<E, T: Take<E>> Counting<'_, E, T> {
    fn count(&mut self, verdict: &Verdict, severity: Severity) {
        let place = (verdict.kind.clone(), verdict.region.clone(), verdict.rule.clone());
        self.coverage.entry(place).or_default().add(verdict);
        if self.failed.is_none()
            && let Err(error) = self.take.verdict(verdict, severity)
        {
            self.failed = Some(error);
        }
    }

    /// One resource by its kind's rules. Verdicts that pass or do not apply are told without what decided, which would cost
    /// more than to decide; those that close a finding are decided once more, and told with it.
    fn resource(&mut self, judging: &Judging<'_>, resource: &Resource, explain: Explain) {
        let mut closing: Vec<(RuleId, String)> = Vec::new();
        judging.judge(resource, explain, |judged| {
            let (rule, sub_key) = (&judged.rule.id, judged.sub_key);
            if matches!(judged.outcome, Outcome::Pass | Outcome::NotApplicable)
                && explain != Explain::Everything
                && self.take.closes(rule, &resource.id, sub_key)
            {
                closing.push((rule.clone(), sub_key.to_owned()));
            } else {
                let severity = judged.rule.severity;
                self.count(&judged.into_verdict(), severity);
            }
        });
        if closing.is_empty() {
            return;
        }
        judging.judge(resource, Explain::Everything, |judged| {
            if closing.iter().any(|(rule, sub_key)| *rule == judged.rule.id && sub_key == judged.sub_key) {
                let severity = judged.rule.severity;
                self.count(&judged.into_verdict(), severity);
            }
        });
    }
}

/// Which rules are judged.
#[derive(Clone, Copy)]
pub(crate) enum Part<'a> {
    /// Those with conditions.
    Conditions,
    /// The native ones but for attack paths, by what the assessment found.
    Native(&'a Assessment),
    /// Those about attack paths.
    Paths(&'a Ways),
    /// All of them; the native ones only with an assessment.
    All(Option<(&'a Assessment, &'a Ways)>),
}

impl<'a> Part<'a> {
    pub(crate) fn holds(self, rule: &CompiledRule) -> bool {
        match self {
            Self::Conditions => rule.native().is_none(),
            Self::Native(_) => rule.native().is_some() && !native::is_of_paths(rule),
            Self::Paths(_) => native::is_of_paths(rule),
            Self::All(found) => rule.native().is_none() || found.is_some(),
        }
    }

    fn found(self) -> Option<&'a Assessment> {
        match self {
            Self::Conditions | Self::Paths(_) => None,
            Self::Native(found) => Some(found),
            Self::All(found) => found.map(|(found, _)| found),
        }
    }

    fn ways(self) -> Option<&'a Ways> {
        match self {
            Self::Conditions | Self::Native(_) => None,
            Self::Paths(ways) => Some(ways),
            Self::All(found) => found.map(|(_, ways)| ways),
        }
    }
}

/// Assesses an account as `scan` read it.
pub(crate) fn assess(
    record: &Record,
    rules: &RuleSet,
    scan: ScanId,
    facts: &AccountFacts,
    now: Time,
    as_of: bool,
    outside: Option<&Outside>,
) -> Result<Assessment, JudgeError> {
    let estate = exposure::estate(record, rules, scan, &facts.id, as_of)?;
    let mut found = Assessment::among(estate, now, outside);
    found.narrowed = (!facts.unread_regions.is_empty()).then(|| left_out(facts, "assess"));
    Ok(found)
}

/// See [`judge_account`]; only a part of the rules.
#[allow(clippy::too_many_arguments)]
pub(crate) fn judge_part<E: From<JudgeError> + From<RecordError>>(
    record: &Record,
    rules: &RuleSet,
    scan: ScanId,
    facts: &AccountFacts,
    now: Time,
    explain: Explain,
    as_of: bool,
    part: Part<'_>,
    take: &mut impl Take<E>,
) -> Result<Vec<CoverageRow>, E> {
    let account = AccountId::from(facts.id.as_str());
    let units: Vec<Unit> = record.units_of(scan, &facts.id)?;
    let life = EndOfLife::on(record).map_err(|e| JudgeError::Support(e.to_string()))?;
    let world = match part {
        Part::Native(_) | Part::Paths(_) => {
            World::new(facts.clone(), Helpers { policies: &Engine, end_of_support: &life })
        }
        _ => world_of::<E>(record, rules, scan, facts, &units, as_of, &life)?,
    };
    let judging = Judging::new(rules, &world, now);
    let mut counting = Counting { take, coverage: HashMap::new(), failed: None };
    for kind_id in &rules.needs().judged {
        let own: Vec<&Unit> = units.iter().filter(|u| u.kind == *kind_id).collect();
        if own.is_empty() {
            continue;
        }
        let Some(kind) = rules.kind(kind_id) else { continue };
        let own_rules: Vec<&CompiledRule> = rules.of_kind(kind_id).iter().filter(|r| part.holds(r)).collect();
        if own_rules.is_empty() {
            continue;
        }
        counting.take.begin(kind_id)?;
        let apart = matches!(part, Part::Native(_) | Part::Paths(_));
        let mut natives: BTreeMap<ResourceId, Vec<(Verdict, Severity)>> = BTreeMap::new();
        let resources = match own_rules.iter().any(|r| native::is_of_paths(r)) {
            true => resources_of(record, kind, &account, scan, as_of, &|_| true)?,
            false => Vec::new(),
        };
        for rule in own_rules.iter().filter(|r| r.native().is_some()) {
            let judged = match native::is_of_paths(rule) {
                true => part.ways().map(|ways| native::judge_paths(rule, facts, &resources, ways)),
                false => part.found().map(|found| native::judge(rule, found)),
            };
            for (mut verdict, severity) in judged.unwrap_or_default() {
                let wanted = match explain {
                    Explain::Nothing => false,
                    Explain::Failing => verdict.outcome == Outcome::Fail,
                    Explain::NotPass => verdict.outcome != Outcome::Pass,
                    Explain::Everything => true,
                };
                if !wanted && !counting.take.closes(&verdict.rule, &verdict.resource, &verdict.sub_key) {
                    verdict.because.clear();
                }
                // Alone they are told as they come; beside conditions each waits for its resource.
                if apart {
                    counting.count(&verdict, severity);
                } else {
                    natives.entry(verdict.resource.clone()).or_default().push((verdict, severity));
                }
            }
        }
        if !apart {
            stored::each(record, &account, kind_id, scan, as_of, |row| -> Result<(), E> {
                let resource = resource_of(kind, &account, row)?;
                counting.resource(&judging, &resource, explain);
                for (verdict, severity) in natives.remove(&resource.id).unwrap_or_default() {
                    counting.count(&verdict, severity);
                }
                counting.failed.take().map_or(Ok(()), Err)
            })?;
        }
        for unit in own {
            for rule in &own_rules {
                if let UnitState::Incomplete(unknown) = &unit.state {
                    let verdict = unread(unit, rule.id.clone(), unknown, &facts.name);
                    counting.count(&verdict, rule.severity);
                }
            }
        }
        if let Some(error) = counting.failed.take() {
            return Err(error);
        }
    }
    let mut coverage = counting.coverage;
    // A place that was read completely and holds nothing is covered too.
    for unit in units.iter().filter(|u| u.state == UnitState::Complete) {
        for rule in rules.of_kind(&unit.kind).iter().filter(|r| part.holds(r)) {
            coverage.entry((unit.kind.clone(), unit.region.clone(), rule.id.clone())).or_default();
        }
    }
    let mut coverage: Vec<_> = coverage.into_iter().collect();
    coverage.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(coverage
        .into_iter()
        .map(|((kind, region, rule), c)| CoverageRow {
            account: facts.id.clone(),
            region: region.to_string(),
            kind: kind.to_string(),
            rule: rule.to_string(),
            pass: c.pass,
            fail: c.fail,
            unknown: c.unknown,
            not_applicable: c.not_applicable,
            reasons: c.reasons,
        })
        .collect())
}

/// The verdict about a place that could not be read.
fn unread(unit: &Unit, rule: RuleId, unknown: &Unknown, name: &str) -> Verdict {
    let id = format!("{}:{}:{}", unit.account, unit.region, unit.kind);
    Verdict {
        rule,
        kind: unit.kind.clone(),
        account: unit.account.clone(),
        region: unit.region.clone(),
        resource: ResourceId::from(id),
        name: if name.is_empty() { "*".into() } else { format!("{name} *").into() },
        sub_key: "".into(),
        outcome: Outcome::Unknown,
        needs: vec![Arc::new(unknown.clone())],
        because: Vec::new(),
    }
}

/// Why something may stand where nobody looked: in a region that was not in scope, or that nobody could list.
fn left_out(facts: &AccountFacts, call: &str) -> Arc<Unknown> {
    let mut unknown = Unknown::new(plumb_model::Reason::NotAsked, call);
    unknown.detail = "not every region is in the scope of this scan".into();
    if facts.unread_regions.iter().any(|r| r == crate::scan::UNLISTED) {
        unknown = Unknown::new(plumb_model::Reason::Denied, "ec2:DescribeRegions");
        unknown.permission = "ec2:DescribeRegions".into();
        unknown.detail = "there may be regions that could not be listed".into();
    }
    Arc::new(unknown)
}

fn world_of<'l, E: From<JudgeError> + From<RecordError>>(
    record: &Record,
    rules: &RuleSet,
    scan: ScanId,
    facts: &AccountFacts,
    units: &[Unit],
    as_of: bool,
    life: &'l EndOfLife,
) -> Result<World<'l>, E> {
    static ENGINE: Engine = Engine;
    let account = AccountId::from(facts.id.as_str());
    let mut world = World::new(facts.clone(), Helpers { policies: &ENGINE, end_of_support: life });
    for kind_id in &rules.needs().asked {
        let Some(kind) = rules.kind(kind_id) else { continue };
        let own: Vec<&Unit> = units.iter().filter(|u| u.kind == *kind_id).collect();
        if own.is_empty() {
            continue;
        }
        // Other kinds' rules read a few of its fields; the whole of it is read when it is judged itself.
        let looked: Vec<bool> = kind.fields.iter().map(|f| rules.needs().looks_at(kind_id, &f.name)).collect();
        let looked = |at: usize| looked.get(at).is_some_and(|l| *l);
        let resources = resources_of(record, kind, &account, scan, as_of, &looked)?;
        let gap = own.iter().find_map(|u| match &u.state {
            UnitState::Incomplete(unknown) => Some(Arc::new(unknown.clone())),
            UnitState::Complete => None,
        });
        let narrowed = kind.scope == plumb_catalog::Scope::Region && !facts.unread_regions.is_empty();
        let call = || kind.list.as_ref().map_or_else(|| kind_id.to_string(), |l| l.call.name());
        let left_out = narrowed.then(|| left_out(facts, &call()));
        let indexes: BTreeSet<String> = rules.needs().indexes.get(kind_id).cloned().unwrap_or_default();
        let indexes: Vec<String> = indexes.into_iter().collect();
        world.put(kind_id.clone(), Table::new(Arc::clone(kind), resources, gap).narrowed(left_out), &indexes);
    }
    Ok(world)
}
