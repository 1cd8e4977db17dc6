//! The judgement of one resource by one rule.

use crate::{
    CompiledRule, RuleSet, World,
    here::{Here, Kept},
    repeat::Recent,
    ruleset::Pass,
};
use plumb_cel::{CelLeaf, Decision, EvalError, Frame, Program, Val};
use plumb_model::{KindId, Leaf, Outcome, Reason, Region, Resource, Source, Time, Unknown, Value, Verdict};
use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

/// How much explanation is wanted. Explaining evaluates once more, recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explain {
    /// None: for counting.
    Nothing,
    /// What failed: for code, where nothing else is shown.
    Failing,
    /// What failed or is unknown: for a scan.
    NotPass,
    /// Everything: for `plumb verdicts`.
    Everything,
}

impl Explain {
    /// Whether such an outcome is explained.
    fn wants(self, outcome: Outcome) -> bool {
        match self {
            Self::Nothing => false,
            Self::Failing => outcome == Outcome::Fail,
            Self::NotPass => matches!(outcome, Outcome::Fail | Outcome::Unknown),
            Self::Everything => true,
        }
    }
}

/// What one rule says of a resource, or of one part of it.
#[derive(Debug)]
pub struct Judged<'a> {
    /// The rule.
    pub rule: &'a CompiledRule,
    /// The resource.
    pub resource: &'a Resource,
    /// Which part of the resource; else empty.
    pub sub_key: &'a str,
    /// The judgement.
    pub outcome: Outcome,
    /// What was missing; empty unless the outcome is unknown.
    pub needs: Vec<Arc<Unknown>>,
    /// The leaves that decided.
    pub because: Vec<Leaf>,
}

impl Judged<'_> {
    /// The same, standing alone.
    pub fn into_verdict(self) -> Verdict {
        let Judged { rule, resource, sub_key, outcome, needs, because } = self;
        Verdict {
            rule: rule.id.clone(),
            kind: resource.kind.clone(),
            account: resource.account.clone(),
            region: resource.region.clone(),
            resource: resource.id.clone(),
            name: Arc::clone(&resource.name),
            sub_key: if sub_key.is_empty() { Arc::default() } else { sub_key.into() },
            outcome,
            needs,
            because,
        }
    }
}

/// The judgement of many resources of one world at one instant. What is the same for all of them is found out once.
pub struct Judging<'w> {
    rules: &'w RuleSet,
    world: &'w World<'w>,
    now: Time,
    kept: Kept<'w>,
    /// By number of the rule.
    recent: Vec<RefCell<Recent>>,
    plain: bool,
    /// The rules of the kind last judged, and its name: resources mostly come kind by kind.
    last: Cell<(&'w str, &'w [CompiledRule])>,
}

impl<'w> Judging<'w> {
    /// Judges by these rules, in this world.
    pub fn new(rules: &'w RuleSet, world: &'w World<'w>, now: Time) -> Self {
        let recent = (0..rules.len()).map(|_| RefCell::default()).collect();
        Self { rules, world, now, kept: Kept::new(rules.shared().len()), recent, plain: false, last: Cell::default() }
    }

    /// The same, evaluating every condition as written: no lookups by index, nothing kept. Slow, and what the quick way
    /// is compared with.
    pub fn plain(self) -> Self {
        Self { plain: true, ..self }
    }

    /// Judges a resource by every rule of its kind, in rule order, and hands over the verdicts: at least one of each
    /// rule, several when the rule judges parts.
    pub fn judge(&self, resource: &Resource, explain: Explain, mut take: impl FnMut(Judged<'_>)) {
        let rules = self.rules_of(&resource.kind);
        let Some(first) = rules.first() else { return };
        let here = Here::new(self, resource, &first.kind);
        let vars = [
            Val::str(resource.id.as_str()),
            Val::str(&resource.name),
            Val::str(resource.region.as_str()),
            Val::str(resource.account.as_str()),
            Val::str(resource.id.as_str()),
            Val::Time(self.now),
            Val::Null,
        ];
        let frame = Frame { plain: self.plain, ..Frame::rule(&resource.fields, self.now) };
        let frame = frame.with_host(&here).with_vars(&vars);
        for rule in rules {
            let at = At { resource, judging: self, explain };
            rule.judge(&at, &frame, &mut take);
        }
    }

    fn rules_of(&self, kind: &KindId) -> &'w [CompiledRule] {
        let (known, rules) = self.last.get();
        if known == kind.as_str() {
            return rules;
        }
        let rules = self.rules.of_kind(kind);
        if let Some(first) = rules.first() {
            self.last.set((first.kind.id.as_str(), rules));
        }
        rules
    }

    /// What a rule said of the values it met last, where looking for them again is of use.
    fn recent(&self, rule: &CompiledRule) -> Option<&RefCell<Recent>> {
        let recent = self.recent.get(rule.number).filter(|_| !self.plain)?;
        recent.borrow().is_of_use().then_some(recent)
    }

    pub(crate) fn world(&self) -> &'w World<'w> {
        self.world
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// The value of a part of a condition that is the same for every resource in a region, or in all.
    pub(crate) fn shared(&self, number: u32, region: &Region) -> Option<Val<'w>> {
        if self.plain {
            return None;
        }
        let (program, part) = self.rules.shared().get(number as usize)?;
        let by_place = program.shared_by_place(*part);
        let value = || {
            let place = if by_place { Val::string(region.as_str()) } else { Val::Null };
            let vars = vec![Val::Null, Val::Null, place, Val::Null, Val::Null, Val::Time(self.now), Val::Null];
            program.eval_shared(*part, &Frame::rule(&[], self.now).with_host(self.world), vars)
        };
        if by_place {
            return Some(self.kept.in_place(number, region.as_str(), value));
        }
        self.kept.anywhere(number, value)
    }
}

impl RuleSet {
    /// Judges one resource by every rule of its kind, in rule order. For many resources see [`Judging`].
    pub fn judge(
        &self,
        resource: &Resource,
        world: &World<'_>,
        now: Time,
        explain: Explain,
        mut take: impl FnMut(Verdict),
    ) {
        Judging::new(self, world, now).judge(resource, explain, |judged| take(judged.into_verdict()));
    }
}

/// What is judged, and how much is told about it.
struct At<'a, 'w> {
    resource: &'a Resource,
    judging: &'a Judging<'w>,
    explain: Explain,
}

/// What a condition came to, and which it was.
struct Told<'r> {
    outcome: Outcome,
    needs: Vec<Arc<Unknown>>,
    by: &'r Program,
}

impl<'r> Told<'r> {
    fn new(outcome: Outcome, by: &'r Program) -> Self {
        Self { outcome, needs: Vec::new(), by }
    }
}

impl CompiledRule {
    /// Gives at least one verdict; several when the rule judges parts, none when the page is native.
    fn judge(&self, at: &At<'_, '_>, frame: &Frame<'_>, take: &mut impl FnMut(Judged<'_>)) {
        let Pass::Cel(pass) = &self.pass else { return };
        match &self.parts {
            None => match (&self.own, at.judging.recent(self)) {
                (Some(slots), Some(recent)) => self.judge_alike(at, pass, slots, recent, frame, take),
                _ => self.judge_whole(at, pass, frame, take),
            },
            Some((list, key)) => match self.applies(None, frame) {
                Ok(None) => self.judge_parts(at, pass, list, key, frame, take),
                Ok(Some(told)) => self.tell(at, told, "", frame, take),
                Err(error) => take(self.broken(at.resource, "", &error.to_string())),
            },
        }
    }

    fn judge_whole(&self, at: &At<'_, '_>, pass: &Program, frame: &Frame<'_>, take: &mut impl FnMut(Judged<'_>)) {
        match self.say(pass, frame) {
            Ok(told) => self.tell(at, told, "", frame, take),
            Err(error) => take(self.broken(at.resource, "", &error.to_string())),
        }
    }

    /// The same where the rule reads nothing but plain fields of the resource: what it said of the same values holds again.
    fn judge_alike(
        &self,
        at: &At<'_, '_>,
        pass: &Program,
        slots: &[u32],
        recent: &RefCell<Recent>,
        frame: &Frame<'_>,
        take: &mut impl FnMut(Judged<'_>),
    ) {
        let fields = &at.resource.fields;
        let mut kept = recent.borrow_mut();
        let known = match kept.find(slots, fields) {
            Some(said) => {
                let outcome = said.outcome;
                let because = if at.explain.wants(outcome) {
                    let leaves = said.leaves.get_or_insert_with(|| {
                        let by = if outcome == Outcome::NotApplicable { self.when.as_deref() } else { None };
                        reasons(by.unwrap_or(pass), frame).into()
                    });
                    leaves.iter().map(|leaf| self.leaf(at, leaf)).collect()
                } else {
                    Vec::new()
                };
                Some((outcome, because))
            }
            None => None,
        };
        drop(kept);
        if let Some((outcome, because)) = known {
            return take(self.said(at.resource, "", outcome, Vec::new(), because));
        }
        let told = match self.say(pass, frame) {
            Ok(told) => told,
            Err(error) => return take(self.broken(at.resource, "", &error.to_string())),
        };
        if told.outcome == Outcome::Unknown {
            return self.tell(at, told, "", frame, take);
        }
        let leaves: Option<Box<[CelLeaf]>> = at.explain.wants(told.outcome).then(|| reasons(told.by, frame).into());
        let because = leaves.iter().flatten().map(|leaf| self.leaf(at, leaf)).collect();
        recent.borrow_mut().put(slots, fields, told.outcome, leaves);
        take(self.said(at.resource, "", told.outcome, Vec::new(), because));
    }

    /// What the rule says of the whole resource.
    fn say<'r>(&'r self, pass: &'r Program, frame: &Frame<'_>) -> Result<Told<'r>, EvalError> {
        match self.applies(Some(pass), frame)? {
            Some(told) => Ok(told),
            None => decide(pass, frame),
        }
    }

    /// What there is to say without asking for the condition, when the rule does not speak about the resource or that is not known.
    fn applies<'r>(&'r self, pass: Option<&'r Program>, frame: &Frame<'_>) -> Result<Option<Told<'r>>, EvalError> {
        let Some(when) = &self.when else { return Ok(None) };
        let needs = match when.decide(frame) {
            Decision::True => return Ok(None),
            Decision::False => return Ok(Some(Told::new(Outcome::NotApplicable, when))),
            Decision::Unknown(needs) => needs,
            Decision::Error(error) => return Err(error),
        };
        // If the condition itself holds, it does not matter whether the rule applies.
        Ok(Some(match pass.filter(|pass| pass.decide(frame) == Decision::True) {
            Some(pass) => Told::new(Outcome::Pass, pass),
            None => Told { needs, ..Told::new(Outcome::Unknown, when) },
        }))
    }

    fn tell(
        &self,
        at: &At<'_, '_>,
        told: Told<'_>,
        sub_key: &str,
        frame: &Frame<'_>,
        take: &mut impl FnMut(Judged<'_>),
    ) {
        let because = self.leaves(at, told.by, frame, at.explain.wants(told.outcome));
        take(self.said(at.resource, sub_key, told.outcome, told.needs, because));
    }

    fn judge_parts(
        &self,
        at: &At<'_, '_>,
        pass: &Program,
        list: &Program,
        key: &Program,
        frame: &Frame<'_>,
        take: &mut impl FnMut(Judged<'_>),
    ) {
        let At { resource, explain, .. } = *at;
        let parts = match list.eval(frame) {
            Val::List(parts) => parts,
            Val::Null => {
                let because = self.no_parts(at, list, frame, Value::Null);
                return take(self.said(resource, "", Outcome::NotApplicable, Vec::new(), because));
            }
            Val::Unknown(unknowns) => {
                let because = self.leaves(at, list, frame, explain.wants(Outcome::Unknown));
                return take(self.said(resource, "", Outcome::Unknown, unknowns.list(), because));
            }
            Val::Error(error) => return take(self.broken(resource, "", &error.to_string())),
            other => {
                return take(self.broken(resource, "", &format!("the parts are {}, not a list", other.type_name())));
            }
        };
        if let Some(rest) = parts.rest() {
            take(self.said(resource, "", Outcome::Unknown, rest.list(), Vec::new()));
        } else if parts.is_empty() {
            let because = self.no_parts(at, list, frame, Value::List(Vec::new().into()));
            take(self.said(resource, "", Outcome::NotApplicable, Vec::new(), because));
        }
        let mut vars = frame.vars.to_vec();
        for part in parts.iter() {
            if let Val::Unknown(unknowns) = &part {
                take(self.said(resource, "", Outcome::Unknown, unknowns.list(), Vec::new()));
                continue;
            }
            if let Some(last) = vars.last_mut() {
                *last = part;
            }
            let frame = Frame { vars: &vars, ..*frame };
            let sub_key = match key.eval(&frame) {
                Val::Str(text) => text.to_string(),
                other => match other.to_value() {
                    Value::Str(text) => text.into(),
                    value => value.to_plain_json().to_string(),
                },
            };
            match decide(pass, &frame) {
                Ok(told) => self.tell(at, told, &sub_key, &frame, take),
                Err(error) => take(self.broken(resource, &sub_key, &error.to_string())),
            }
        }
    }

    fn leaves(&self, at: &At<'_, '_>, program: &Program, frame: &Frame<'_>, wanted: bool) -> Vec<Leaf> {
        if !wanted {
            return Vec::new();
        }
        reasons(program, frame).iter().map(|leaf| self.leaf(at, leaf)).collect()
    }

    /// That there is nothing to judge part by part.
    fn no_parts(&self, at: &At<'_, '_>, list: &Program, frame: &Frame<'_>, observed: Value) -> Vec<Leaf> {
        if at.explain != Explain::Everything {
            return Vec::new();
        }
        let read = list.leaves(frame).first().map(|leaf| self.leaf(at, leaf));
        let path = one_line(list).into();
        let source = read.map_or(Source::Derived, |leaf| leaf.source);
        vec![Leaf { path, observed, expected: "parts to judge".into(), source }]
    }

    fn leaf(&self, at: &At<'_, '_>, leaf: &CelLeaf) -> Leaf {
        let At { resource, judging, .. } = *at;
        let source = match (&leaf.field, &leaf.object) {
            (Some((slot, _)), _) => {
                let slot = *slot as usize;
                match (resource.sources.get(slot), self.kind.fields.get(slot)) {
                    (Some(source), _) => source.clone(),
                    (None, Some(field)) => Source::Api(self.kind.source_of(field).into()),
                    (None, None) => Source::Derived,
                }
            }
            (None, Some(object)) => {
                judging.world().source_of(object).unwrap_or_else(|| Source::Api(Arc::clone(object)))
            }
            // What a function made of a field stands, in code, where the field does: that is what has to change.
            (None, None) if resource.sources.is_empty() => Source::Derived,
            (None, None) => {
                let field = self.field_in(&leaf.path).and_then(|slot| resource.sources.get(slot));
                field.cloned().unwrap_or(Source::Derived)
            }
        };
        let (path, expected) = (Arc::clone(&leaf.path), Arc::clone(&leaf.expected));
        Leaf { path, observed: leaf.observed.clone(), expected, source }
    }

    /// The first field that a path such as `size(public_statements(policy))` names.
    fn field_in(&self, path: &str) -> Option<usize> {
        let mut before = None;
        let mut rest = path;
        while let Some(from) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
            let (passed, word) = rest.split_at(from);
            before = passed.chars().next_back().or(before);
            let (word, after) =
                word.split_at(word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(word.len()));
            let alone = !after.starts_with('(') && !matches!(before, Some('.' | '"' | '\''));
            if alone && let Some(slot) = self.kind.fields.iter().position(|field| field.name == word) {
                return Some(slot);
            }
            before = word.chars().next_back();
            rest = after;
        }
        None
    }

    fn broken<'a>(&'a self, resource: &'a Resource, sub_key: &'a str, message: &str) -> Judged<'a> {
        let mut unknown = Unknown::new(Reason::RuleError, self.id.as_str());
        unknown.detail = message.into();
        self.said(resource, sub_key, Outcome::Unknown, vec![Arc::new(unknown)], Vec::new())
    }

    fn said<'a>(
        &'a self,
        resource: &'a Resource,
        sub_key: &'a str,
        outcome: Outcome,
        mut needs: Vec<Arc<Unknown>>,
        because: Vec<Leaf>,
    ) -> Judged<'a> {
        for need in &mut needs {
            // What came from a decoder does not know which call it was; the kind does.
            if need.call.is_empty() {
                let mut named = need.as_ref().clone();
                named.call = self.kind.list.as_ref().map_or_else(String::new, |l| l.call.name());
                *need = Arc::new(named);
            }
        }
        Judged { rule: self, resource, sub_key, outcome, needs, because }
    }
}

/// What the condition itself says.
fn decide<'r>(pass: &'r Program, frame: &Frame<'_>) -> Result<Told<'r>, EvalError> {
    match pass.decide(frame) {
        Decision::True => Ok(Told::new(Outcome::Pass, pass)),
        Decision::False => Ok(Told::new(Outcome::Fail, pass)),
        Decision::Unknown(needs) => Ok(Told { needs, ..Told::new(Outcome::Unknown, pass) }),
        Decision::Error(error) => Err(error),
    }
}

/// The leaves that decided; where none can be told, the condition as it is written.
fn reasons(program: &Program, frame: &Frame<'_>) -> Vec<CelLeaf> {
    let mut leaves = program.leaves(frame);
    if leaves.is_empty() {
        let (observed, holds) = match program.decide(frame) {
            Decision::True => (Value::Bool(true), true),
            Decision::False => (Value::Bool(false), false),
            Decision::Unknown(needs) => (needs.into_iter().next().map_or(Value::Null, Value::Unknown), false),
            Decision::Error(error) => (Value::from(error.to_string()), false),
        };
        let expected = one_line(program).into();
        leaves.push(CelLeaf { path: "condition".into(), observed, expected, holds, field: None, object: None });
    }
    leaves
}

fn one_line(program: &Program) -> String {
    program.source().split_whitespace().collect::<Vec<_>>().join(" ")
}
