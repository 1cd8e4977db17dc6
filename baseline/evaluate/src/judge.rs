//! The judgement of one resource by one rule.

use crate::{CompiledRule, RuleSet, World, ruleset::Pass, world::Here};
use plumb_cel::{CelLeaf, Decision, Frame, Program, Val};
use plumb_model::{Leaf, Outcome, Reason, Resource, Source, Time, Unknown, Value, Verdict};
use std::sync::Arc;

/// How much explanation is wanted. Explaining evaluates once more, recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explain {
    /// None: for counting.
    Nothing,
    /// What failed or is unknown: for a scan.
    NotPass,
    /// Everything: for `plumb verdicts`.
    Everything,
}

impl RuleSet {
    /// Judges a resource by every rule of its kind, in rule order, and hands over the verdicts.
    pub fn judge(
        &self,
        resource: &Resource,
        world: &World<'_>,
        now: Time,
        explain: Explain,
        mut take: impl FnMut(Verdict),
    ) {
        for rule in self.of_kind(&resource.kind) {
            rule.judge(resource, world, now, explain, &mut take);
        }
    }
}

impl CompiledRule {
    /// Judges a resource of the rule's kind. Gives at least one verdict; several when the rule judges parts, none when
    /// the page is native.
    pub fn judge(
        &self,
        resource: &Resource,
        world: &World<'_>,
        now: Time,
        explain: Explain,
        take: &mut impl FnMut(Verdict),
    ) {
        let Pass::Cel(pass) = &self.pass else { return };
        let here = world.around(resource, &self.kind);
        let vars = [
            Val::str(resource.id.as_str()),
            Val::str(&resource.name),
            Val::str(resource.region.as_str()),
            Val::str(resource.account.as_str()),
            Val::str(resource.id.as_str()),
            Val::Time(now),
            Val::Null,
        ];
        let frame = Frame::rule(&resource.fields, now).with_host(&here).with_vars(&vars);
        if let Some(when) = &self.when {
            match when.decide(&frame) {
                Decision::True => {}
                Decision::False => {
                    return take(self.verdict(resource, "", Outcome::NotApplicable, Vec::new(), Vec::new()));
                }
                Decision::Unknown(needs) => {
                    // If the condition itself holds, it does not matter whether the rule applies.
                    if self.parts.is_none() && pass.decide(&frame) == Decision::True {
                        let because = self.leaves(resource, world, pass, &frame, explain == Explain::Everything);
                        return take(self.verdict(resource, "", Outcome::Pass, Vec::new(), because));
                    }
                    let because = self.leaves(resource, world, when, &frame, explain != Explain::Nothing);
                    return take(self.verdict(resource, "", Outcome::Unknown, needs, because));
                }
                Decision::Error(error) => return take(self.broken(resource, "", &error.to_string())),
            }
        }
        match &self.parts {
            None => self.decide(resource, world, pass, "", &frame, explain, take),
            Some((list, key)) => self.judge_parts(resource, world, pass, list, key, &here, &vars, now, explain, take),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn judge_parts(
        &self,
        resource: &Resource,
        world: &World<'_>,
        pass: &Program,
        list: &Program,
        key: &Program,
        here: &Here<'_>,
        vars: &[Val<'_>; 7],
        now: Time,
        explain: Explain,
        take: &mut impl FnMut(Verdict),
    ) {
        let frame = Frame::rule(&resource.fields, now).with_host(here).with_vars(vars);
        let parts = match list.eval(&frame) {
            Val::List(parts) => parts,
            Val::Null => return take(self.verdict(resource, "", Outcome::NotApplicable, Vec::new(), Vec::new())),
            Val::Unknown(unknowns) => {
                let because = self.leaves(resource, world, list, &frame, explain != Explain::Nothing);
                return take(self.verdict(resource, "", Outcome::Unknown, unknowns.list(), because));
            }
            Val::Error(error) => return take(self.broken(resource, "", &error.to_string())),
            other => {
                return take(self.broken(resource, "", &format!("the parts are {}, not a list", other.type_name())));
            }
        };
        if let Some(rest) = parts.rest() {
            take(self.verdict(resource, "", Outcome::Unknown, rest.list(), Vec::new()));
        } else if parts.is_empty() {
            take(self.verdict(resource, "", Outcome::NotApplicable, Vec::new(), Vec::new()));
        }
        for part in parts.iter() {
            if let Val::Unknown(unknowns) = &part {
                take(self.verdict(resource, "", Outcome::Unknown, unknowns.list(), Vec::new()));
                continue;
            }
            let mut vars = vars.clone();
            if let Some(last) = vars.last_mut() {
                *last = part;
            }
            let frame = Frame { vars: &vars, ..frame };
            let sub_key = match key.eval(&frame) {
                Val::Str(text) => text.to_string(),
                other => match other.to_value() {
                    Value::Str(text) => text.into(),
                    value => value.to_plain_json().to_string(),
                },
            };
            self.decide(resource, world, pass, &sub_key, &frame, explain, take);
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn decide(
        &self,
        resource: &Resource,
        world: &World<'_>,
        pass: &Program,
        sub_key: &str,
        frame: &Frame<'_>,
        explain: Explain,
        take: &mut impl FnMut(Verdict),
    ) {
        let (outcome, needs) = match pass.decide(frame) {
            Decision::True => (Outcome::Pass, Vec::new()),
            Decision::False => (Outcome::Fail, Vec::new()),
            Decision::Unknown(needs) => (Outcome::Unknown, needs),
            Decision::Error(error) => return take(self.broken(resource, sub_key, &error.to_string())),
        };
        let wanted = match explain {
            Explain::Nothing => false,
            Explain::NotPass => outcome != Outcome::Pass,
            Explain::Everything => true,
        };
        let because = self.leaves(resource, world, pass, frame, wanted);
        take(self.verdict(resource, sub_key, outcome, needs, because));
    }

    fn leaves(
        &self,
        resource: &Resource,
        world: &World<'_>,
        program: &Program,
        frame: &Frame<'_>,
        wanted: bool,
    ) -> Vec<Leaf> {
        if !wanted {
            return Vec::new();
        }
        let (decision, leaves) = program.explain(frame);
        let mut out: Vec<Leaf> = leaves.into_iter().map(|leaf| self.leaf(resource, world, leaf)).collect();
        if out.is_empty() {
            out.push(Leaf {
                path: "condition".into(),
                observed: match decision {
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

    fn leaf(&self, resource: &Resource, world: &World<'_>, leaf: CelLeaf) -> Leaf {
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
            (None, None) => Source::Derived,
        };
        Leaf { path: leaf.path, observed: leaf.observed, expected: leaf.expected, source }
    }

    fn broken(&self, resource: &Resource, sub_key: &str, message: &str) -> Verdict {
        let mut unknown = Unknown::new(Reason::RuleError, self.id.as_str());
        unknown.detail = message.into();
        self.verdict(resource, sub_key, Outcome::Unknown, vec![Arc::new(unknown)], Vec::new())
    }

    fn verdict(
        &self,
        resource: &Resource,
        sub_key: &str,
        outcome: Outcome,
        mut needs: Vec<Arc<Unknown>>,
        because: Vec<Leaf>,
    ) -> Verdict {
        for need in &mut needs {
            // What came from a decoder does not know which call it was; the kind does.
            if need.call.is_empty() {
                let mut named = need.as_ref().clone();
                named.call = self.kind.list.as_ref().map_or_else(String::new, |l| l.call.name());
                *need = Arc::new(named);
            }
        }
        Verdict {
            rule: self.id.clone(),
            kind: resource.kind.clone(),
            account: resource.account.clone(),
            region: resource.region.clone(),
            resource: resource.id.clone(),
            name: Arc::clone(&resource.name),
            sub_key: sub_key.into(),
            outcome,
            needs,
            because,
        }
    }
}
