//! The judgement of one resource by one rule.

use crate::{
    CompiledRule, RuleSet, World,
    here::{Here, Kept},
    ruleset::Pass,
};
use plumb_cel::{CelLeaf, Decision, Frame, Program, Val};
use plumb_model::{KindId, Leaf, Outcome, Reason, Region, Resource, Source, Time, Unknown, Value, Verdict};
use std::{cell::Cell, sync::Arc};

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
    /// Whether what is unknown is explained.
    fn unknown(self) -> bool {
        matches!(self, Self::NotPass | Self::Everything)
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
    plain: bool,
    /// The rules of the kind last judged, and its name: resources mostly come kind by kind.
    last: Cell<(&'w str, &'w [CompiledRule])>,
}

impl<'w> Judging<'w> {
    /// Judges by these rules, in this world.
    pub fn new(rules: &'w RuleSet, world: &'w World<'w>, now: Time) -> Self {
        Self { rules, world, now, kept: Kept::new(rules.shared().len()), plain: false, last: Cell::default() }
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
            let at = At { resource, world: self.world, explain };
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
struct At<'a> {
    resource: &'a Resource,
    world: &'a World<'a>,
    explain: Explain,
}

impl CompiledRule {
    /// Gives at least one verdict; several when the rule judges parts, none when the page is native.
    fn judge(&self, at: &At<'_>, frame: &Frame<'_>, take: &mut impl FnMut(Judged<'_>)) {
        let Pass::Cel(pass) = &self.pass else { return };
        let At { resource, explain, .. } = *at;
        if let Some(when) = &self.when {
            match when.decide(frame) {
                Decision::True => {}
                Decision::False => {
                    let because = self.leaves(at, when, frame, explain == Explain::Everything);
                    return take(self.said(resource, "", Outcome::NotApplicable, Vec::new(), because));
                }
                Decision::Unknown(needs) => {
                    // If the condition itself holds, it does not matter whether the rule applies.
                    if self.parts.is_none() && pass.decide(frame) == Decision::True {
                        let because = self.leaves(at, pass, frame, explain == Explain::Everything);
                        return take(self.said(resource, "", Outcome::Pass, Vec::new(), because));
                    }
                    let because = self.leaves(at, when, frame, explain.unknown());
                    return take(self.said(resource, "", Outcome::Unknown, needs, because));
                }
                Decision::Error(error) => return take(self.broken(resource, "", &error.to_string())),
            }
        }
        match &self.parts {
            None => self.decide(at, pass, "", frame, take),
            Some((list, key)) => self.judge_parts(at, pass, list, key, frame, take),
        }
    }

    fn judge_parts(
        &self,
        at: &At<'_>,
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
                let because = self.leaves(at, list, frame, explain.unknown());
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
            self.decide(at, pass, &sub_key, &frame, take);
        }
    }

    fn decide(&self, at: &At<'_>, pass: &Program, sub_key: &str, frame: &Frame<'_>, take: &mut impl FnMut(Judged<'_>)) {
        let At { resource, explain, .. } = *at;
        let (outcome, needs) = match pass.decide(frame) {
            Decision::True => (Outcome::Pass, Vec::new()),
            Decision::False => (Outcome::Fail, Vec::new()),
            Decision::Unknown(needs) => (Outcome::Unknown, needs),
            Decision::Error(error) => return take(self.broken(resource, sub_key, &error.to_string())),
        };
        let wanted = match explain {
            Explain::Nothing => false,
            Explain::Failing => outcome == Outcome::Fail,
            Explain::NotPass => outcome != Outcome::Pass,
            Explain::Everything => true,
        };
        let because = self.leaves(at, pass, frame, wanted);
        take(self.said(resource, sub_key, outcome, needs, because));
    }

    fn leaves(&self, at: &At<'_>, program: &Program, frame: &Frame<'_>, wanted: bool) -> Vec<Leaf> {
        if !wanted {
            return Vec::new();
        }
        let mut out: Vec<Leaf> = program.leaves(frame).into_iter().map(|leaf| self.leaf(at, leaf)).collect();
        if out.is_empty() {
            out.push(Leaf {
                path: "condition".into(),
                observed: match program.decide(frame) {
                    Decision::True => Value::Bool(true),
                    Decision::False => Value::Bool(false),
                    Decision::Unknown(needs) => needs.into_iter().next().map_or(Value::Null, Value::Unknown),
                    Decision::Error(error) => Value::from(error.to_string()),
                },
                expected: program.source().split_whitespace().collect::<Vec<_>>().join(" "),
                source: Source::Derived,
            });
        }
        out
    }

    /// That there is nothing to judge part by part.
    fn no_parts(&self, at: &At<'_>, list: &Program, frame: &Frame<'_>, observed: Value) -> Vec<Leaf> {
        if at.explain != Explain::Everything {
            return Vec::new();
        }
        let read = list.leaves(frame).into_iter().next().map(|leaf| self.leaf(at, leaf));
        let path = list.source().split_whitespace().collect::<Vec<_>>().join(" ");
        let source = read.map_or(Source::Derived, |leaf| leaf.source);
        vec![Leaf { path, observed, expected: "parts to judge".into(), source }]
    }

    fn leaf(&self, at: &At<'_>, leaf: CelLeaf) -> Leaf {
        let At { resource, world, .. } = *at;
        let source = match (&leaf.field, &leaf.object) {
            (Some((slot, _)), _) => {
                let slot = *slot as usize;
                match (resource.sources.get(slot), self.kind.fields.get(slot)) {
                    (Some(source), _) => source.clone(),
                    (None, Some(field)) => Source::Api(self.kind.source_of(field).into()),
                    (None, None) => Source::Derived,
                }
            }
            (None, Some(object)) => world.source_of(object).unwrap_or_else(|| Source::Api(Arc::clone(object))),
            // What a function made of a field stands, in code, where the field does: that is what has to change.
            (None, None) => match self.field_in(&leaf.path).and_then(|slot| resource.sources.get(slot)) {
                Some(source) => source.clone(),
                None => Source::Derived,
            },
        };
        Leaf { path: leaf.path, observed: leaf.observed, expected: leaf.expected, source }
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
