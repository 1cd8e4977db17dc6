//! Framework alignment: what each control's evidence says, and how thin it is.

use crate::guard;
use crate::ids::{HumanId, named};
use crate::people::{Act, Actor};
use crate::policy::Policy;
use crate::refusal::{Problem, Refusal};
use plumb_model::{RuleId, Time};
use std::collections::{BTreeMap, BTreeSet};

/// A control of one framework version, with the rules that speak to it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Control {
    /// `iso27001-2022`.
    pub framework: String,
    /// `A.8.20`.
    pub id: String,
    /// In our words.
    pub title: String,
    /// Whether only a person can attest it.
    #[serde(default)]
    pub manual: bool,
    /// Rules mapped with at least the policy's confidence.
    pub rules: Vec<RuleId>,
    /// Rules that are only related: listed, never counted.
    #[serde(default)]
    pub related: Vec<RuleId>,
}

/// What one rule's verdicts say in scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    /// Positive evidence.
    pub pass: u64,
    /// Failing without a decision in force.
    pub fail: u64,
    /// Failing under a decision in force.
    pub decided: u64,
    /// Nobody could look.
    pub unknown: u64,
    /// Every place it speaks about was read completely, and there is nothing of the kind, or nothing it applies to.
    #[serde(default)]
    pub nothing: bool,
    /// No account of the rule's provider is on record.
    #[serde(default)]
    pub outside: bool,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.pass += other.pass;
        self.fail += other.fail;
        self.decided += other.decided;
        self.unknown += other.unknown;
    }
}

/// Where a control stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// A rule fails with no decision in force.
    NotSatisfied,
    /// No rule could be evaluated, or some evidence was out of reach: never shown as passed.
    NotAssessed,
    /// A person has to attest, and nobody has, or it ran out.
    NeedsAttestation,
    /// Everything that fails is under a decision in force.
    SatisfiedWithException,
    /// A person attested it, with evidence, and another agreed.
    Attested,
    /// Everything it speaks about was read completely, and there is nothing of it.
    NotApplicable,
    /// Every rule passes on everything it speaks about.
    Satisfied,
}
named!(Standing, "standing", {
    NotSatisfied => "not-satisfied", NotAssessed => "not-assessed", NeedsAttestation => "needs-attestation",
    SatisfiedWithException => "satisfied-with-exception", Attested => "attested",
    NotApplicable => "not-applicable", Satisfied => "satisfied",
});

impl Standing {
    /// The one word of a table: pass, fail, unknown, manual, attested, exception or not-applicable.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotSatisfied => "fail",
            Self::NotAssessed => "unknown",
            Self::NeedsAttestation => "manual",
            Self::Attested => "attested",
            Self::SatisfiedWithException => "exception",
            Self::NotApplicable => "not-applicable",
            Self::Satisfied => "pass",
        }
    }
}

/// A document somebody attached.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attachment {
    /// Its name or address.
    pub name: String,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// One person's word, with evidence, that a control holds; in force once another person agreed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attestation {
    /// Format version; 1.
    pub v: u16,
    /// The framework.
    pub framework: String,
    /// The control.
    pub control: String,
    /// What is attested.
    pub statement: String,
    /// Evidence; at least one.
    pub evidence: Vec<Attachment>,
    /// Who attests.
    pub attester: HumanId,
    /// When.
    pub attested_at: Time,
    /// Until when; at most 365 days.
    pub valid_until: Time,
    /// Who agreed; never the attester.
    #[serde(default)]
    pub agreed_by: Option<HumanId>,
}

impl Attestation {
    /// A person's word about a control.
    ///
    /// # Errors
    /// Not somebody who may ask for decisions; a short statement, no evidence, or an end more than 365 days ahead.
    pub fn attest(
        (framework, control): (&str, &str),
        statement: &str,
        evidence: Vec<Attachment>,
        valid_until: Time,
        attester: &Actor,
        now: Time,
    ) -> Result<Self, Refusal> {
        guard::may(attester, Act::Request, "attest")?;
        let human = guard::human(attester, "attest")?.clone();
        let mut problems = Vec::new();
        if statement.trim().chars().count() < 30 {
            problems.push(Problem::new("statement", "at least 30 characters that say what holds and how"));
        }
        if evidence.is_empty() {
            problems.push(Problem::new("evidence", "at least one attachment"));
        }
        if valid_until <= now || valid_until > now.plus_days(365) {
            problems.push(Problem::new("valid_until", "in the future, at most 365 days ahead"));
        }
        if !problems.is_empty() {
            return Err(Refusal::Incomplete { problems });
        }
        Ok(Self {
            v: 1,
            framework: framework.into(),
            control: control.into(),
            statement: statement.trim().into(),
            evidence,
            attester: human,
            attested_at: now,
            valid_until,
            agreed_by: None,
        })
    }

    /// Another person agrees.
    ///
    /// # Errors
    /// The attester, no approver, or an old second factor.
    pub fn agree(&self, approver: &Actor, policy: &Policy, now: Time) -> Result<Self, Refusal> {
        let human = guard::decider(approver, &self.attester, &BTreeSet::new(), policy, now, "agree")?;
        Ok(Self { agreed_by: Some(human.clone()), ..self.clone() })
    }

    /// Whether it counts at `now`.
    pub fn holds(&self, now: Time) -> bool {
        self.agreed_by.as_ref().is_some_and(|a| *a != self.attester)
            && self.attested_at <= now
            && now < self.valid_until
    }
}

/// One control with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ControlRow {
    /// The control.
    pub control: Control,
    /// Where it stands.
    pub standing: Standing,
    /// Why, in one sentence.
    pub why: String,
    /// Verdicts of all its rules together.
    pub tally: Tally,
    /// Rules that gave verdicts.
    pub evaluated: Vec<RuleId>,
    /// Rules whose places were read completely and hold nothing they apply to.
    #[serde(default)]
    pub empty: Vec<RuleId>,
    /// Rules that gave none: not asked, or what they speak about was not read everywhere.
    pub silent: Vec<RuleId>,
    /// The attestation that counts, if any.
    #[serde(default)]
    pub attestation: Option<Attestation>,
}

/// One framework against the record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Alignment {
    /// The framework and version.
    pub framework: String,
    /// Its controls, in the order given.
    pub rows: Vec<ControlRow>,
    /// How many controls stand where.
    pub counts: BTreeMap<Standing, usize>,
    /// Passing checks of all that passed or failed, in per cent. Hygiene, not risk and not compliance: one fatal failure
    /// among a thousand passes shows as 99.
    pub hygiene_percent: Option<u8>,
}

/// Holds a framework's controls against what the rules say in scope.
pub fn align(
    framework: &str,
    controls: &[Control],
    tallies: &BTreeMap<RuleId, Tally>,
    attestations: &[Attestation],
    now: Time,
) -> Alignment {
    let mut counts = BTreeMap::new();
    let mut all = BTreeMap::new();
    let mut rows = Vec::new();
    for control in controls.iter().filter(|c| c.framework == framework) {
        let mut tally = Tally::default();
        let (mut evaluated, mut empty, mut silent) = (Vec::new(), Vec::new(), Vec::new());
        let mut outside = 0;
        for rule in &control.rules {
            match tallies.get(rule).filter(|t| **t != Tally::default()) {
                Some(t) if t.nothing => empty.push(rule.clone()),
                Some(t) if t.outside => {
                    outside += 1;
                    silent.push(rule.clone());
                }
                Some(t) => {
                    tally.add(*t);
                    all.insert(rule, *t);
                    evaluated.push(rule.clone());
                }
                None => silent.push(rule.clone()),
            }
        }
        let mine = attestations.iter().filter(|a| a.framework == framework && a.control == control.id);
        let attestation = mine.clone().filter(|a| a.holds(now)).max_by_key(|a| a.valid_until).cloned();
        let lapsed = mine.max_by_key(|a| a.valid_until);
        let nothing = match (empty.len(), silent.len() - outside) {
            (0, 0) if outside > 0 => Nothing::Outside,
            (1.., 0) => Nothing::There,
            _ => Nothing::Unknown,
        };
        let (standing, why) = judge(control, tally, &evaluated, nothing, attestation.as_ref(), lapsed);
        *counts.entry(standing).or_insert(0) += 1;
        rows.push(ControlRow { control: control.clone(), standing, why, tally, evaluated, empty, silent, attestation });
    }
    // A rule that serves several controls counts once.
    let (pass, fail) = all.values().fold((0, 0), |(p, f), t| (p + t.pass, f + t.fail + t.decided));
    let hygiene_percent = (pass + fail > 0).then(|| u8::try_from(pass * 100 / (pass + fail)).unwrap_or(100));
    Alignment { framework: framework.into(), rows, counts, hygiene_percent }
}

/// What it means that none of a control's rules gave a verdict.
#[derive(Clone, Copy)]
enum Nothing {
    /// Every place was read, and there is nothing.
    There,
    /// The estate has no account of the provider.
    Outside,
    /// Nobody knows.
    Unknown,
}

fn judge(
    control: &Control,
    t: Tally,
    evaluated: &[RuleId],
    nothing: Nothing,
    attestation: Option<&Attestation>,
    lapsed: Option<&Attestation>,
) -> (Standing, String) {
    if t.fail > 0 {
        return (
            Standing::NotSatisfied,
            format!("{} of {} checks fail without a decision", t.fail, t.pass + t.fail + t.decided),
        );
    }
    if t.unknown > 0 {
        return (Standing::NotAssessed, format!("{} checks could not look", t.unknown));
    }
    if evaluated.is_empty() || control.manual {
        if let Some(a) = attestation {
            return (Standing::Attested, format!("attested by {} until {}", a.attester, a.valid_until.date()));
        }
        if control.manual || control.rules.is_empty() {
            let why = match lapsed {
                Some(a) if a.agreed_by.is_none() => "an attestation waits for a second person".to_owned(),
                Some(a) => format!("the attestation ran out on {}", a.valid_until.date()),
                None => "only a person can attest it, and nobody has".to_owned(),
            };
            return (Standing::NeedsAttestation, why);
        }
        return match nothing {
            Nothing::There => {
                (Standing::NotApplicable, "all places were read completely, and hold nothing it speaks about".into())
            }
            Nothing::Outside => (Standing::NotAssessed, "no account of its provider is on record".into()),
            Nothing::Unknown => (Standing::NotAssessed, "none of its rules met anything to judge".into()),
        };
    }
    if t.decided > 0 {
        return (Standing::SatisfiedWithException, format!("{} checks fail under a decision in force", t.decided));
    }
    (Standing::Satisfied, format!("{} checks pass", t.pass))
}

/// Groups rows by standing, for tables.
pub fn by_standing(alignment: &Alignment, standing: Standing) -> impl Iterator<Item = &ControlRow> {
    alignment.rows.iter().filter(move |r| r.standing == standing)
}
