//! A small company to test with.

use plumb_govern::decision::{
    Basis, Brief, Context, Decision, Draft, Kind, Rejected, Selector, Situation, Subject, Target, Watch, submit,
};
use plumb_govern::finding::{EvidenceRef, Facts, Finding, Look, Pass};
use plumb_govern::ids::{FindingId, HumanId};
use plumb_govern::people::{Actor, Credential, Directory, Grant, Person, Place, Role, Scope};
use plumb_govern::policy::{Lane, Policy, Tier};
use plumb_govern::sla::Terms;
use plumb_model::{FindingKey, Outcome, RuleId, Severity, Time};
use std::collections::BTreeSet;

pub const NOW: &str = "2026-11-21T10:00:00Z";

pub fn t(text: &str) -> Time {
    text.parse().unwrap()
}

pub fn now() -> Time {
    t(NOW)
}

pub fn policy() -> Policy {
    Policy::default()
}

pub fn person(id: &str) -> Person {
    Person {
        v: 1,
        id: id.into(),
        name: id.to_uppercase(),
        active: true,
        shared: false,
        teams: BTreeSet::new(),
        manager: None,
    }
}

/// erin engineers; adam, anna and otto approve; ada administers; vera views; ulla audits. Everybody has a token.
pub fn directory() -> Directory {
    let mut d = Directory::default();
    let roles = [
        ("erin", Role::Engineer),
        ("adam", Role::Approver),
        ("anna", Role::Approver),
        ("otto", Role::Approver),
        ("ada", Role::Admin),
        ("vera", Role::Viewer),
        ("ulla", Role::Auditor),
        ("eve", Role::Engineer),
    ];
    for (name, role) in roles {
        d.put(person(name)).unwrap();
        d.alias(&format!("{name}@example.com"), &name.into()).unwrap();
        d.alias(&format!("token-{name}"), &name.into()).unwrap();
        d.grant(Grant { human: name.into(), role, scope: Scope::Organization });
    }
    d.put(Person { shared: true, ..person("team-box") }).unwrap();
    d.put(Person { active: false, ..person("leo") }).unwrap();
    d
}

pub fn actor_at(login: &str, at: Time) -> Actor {
    let credential = Credential { login, token: login.starts_with("token-"), mfa_at: Some(at) };
    directory().actor(&credential, &Place::default()).unwrap()
}

pub fn actor(login: &str) -> Actor {
    actor_at(login, now())
}

pub fn system() -> Actor {
    Actor::system("scanner")
}

pub fn evidence() -> Vec<EvidenceRef> {
    vec![EvidenceRef {
        uri: "evidence/1.json".into(),
        sha256: "00".into(),
        captured_at: now(),
        collector: "scan".into(),
    }]
}

pub fn facts() -> Facts {
    Facts {
        rule: "aws.s3.bucket.public-access-blocked".into(),
        rule_version: 1,
        account: "111122223333".into(),
        region: "eu-west-1".into(),
        resource: "arn:aws:s3:::orders".into(),
        name: "orders".into(),
        title: "Buckets block public access".into(),
        why: "block_public_acls is false; wanted true".into(),
        severity: Severity::High,
        points: 640,
        terms: Terms::new(Lane::Urgent, Tier::Production),
        data: BTreeSet::new(),
        team: Some("shop".into()),
        person: Some("otto".into()),
        value_digest: "aa".into(),
        controls: vec!["iso27001-2022/A.8.20".into()],
        cause: "module.orders".into(),
    }
}

pub fn key(n: u32) -> FindingId {
    let name = format!("arn:aws:s3:::bucket-{n}");
    FindingId::from(&FindingKey::new(&"r".into(), &"111122223333".into(), &name.as_str().into(), ""))
}

pub fn finding() -> Finding {
    Finding::open(key(1), facts(), evidence(), &system(), &policy(), now()).unwrap().0
}

pub fn look(outcome: Outcome, complete: bool, at: Time) -> Look {
    Look { run: format!("run-{}", at.seconds()), started: at, finished: at, outcome, complete }
}

pub fn passes(at: &[Time]) -> Vec<Pass> {
    at.iter().map(|at| Pass { run: format!("run-{at}"), at: *at, complete: true }).collect()
}

pub fn draft(kind: Kind) -> Draft {
    let mut d = Draft::new(kind, [key(1)]);
    d.basis = Some(Basis::BusinessNeed);
    d.justification = "The shop's public catalogue is served from this bucket until the new front is live.".into();
    d.risk = "Anybody can read the catalogue and list its pictures.".into();
    d.owner = Some("eve".into());
    d.expires_at = Some(now().plus_days(30));
    d.triggers = vec![Watch::LaneRises.into()];
    d.counter_evidence = vec!["ticket SEC-1".into()];
    d.expected_value = Some(serde_json::json!(true));
    d.allowed_value = Some(serde_json::json!(false));
    d
}

/// Everything a context borrows.
pub struct Known {
    pub directory: Directory,
    pub owners: BTreeSet<HumanId>,
    pub passing: BTreeSet<RuleId>,
    pub situation: Situation,
    pub frameworks: Vec<String>,
    pub rejected: Vec<Rejected>,
    pub lane: Lane,
    pub tier: Tier,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            directory: directory(),
            owners: ["otto".into()].into(),
            passing: BTreeSet::new(),
            situation: Situation { value_digest: "aa".into(), lane: Some(Lane::Urgent), ..Situation::default() },
            frameworks: vec!["iso27001-2022/A.8.20".into()],
            rejected: Vec::new(),
            lane: Lane::Urgent,
            tier: Tier::Production,
        }
    }
}

impl Known {
    pub fn context(&self) -> Context<'_> {
        Context {
            directory: &self.directory,
            lane: self.lane,
            tier: self.tier,
            owners: &self.owners,
            points: 640,
            frameworks: &self.frameworks,
            rejected: &self.rejected,
            previous: None,
            passing: &self.passing,
            situation: &self.situation,
        }
    }
}

pub fn requested(kind: Kind) -> Decision {
    let known = Known::default();
    submit(draft(kind), "EX-2026-000001".into(), &actor("erin"), &known.context(), &policy(), now()).unwrap()
}

pub fn approved(kind: Kind) -> Decision {
    requested(kind).approve(&actor("adam"), "fine for a month", &Known::default().context(), &policy(), now()).unwrap()
}

/// What approvers of [`ahead`] saw: a finding of high severity, urgent, in production.
pub fn seen() -> Known {
    let situation = Situation {
        severity: Some(Severity::High),
        tier: Some(Tier::Production),
        value_digest: "aa".into(),
        lane: Some(Lane::Urgent),
        ..Situation::default()
    };
    Known { situation, ..Known::default() }
}

/// A decision by selector in force, approved by adam and anna, that names `key(9)` and covers what comes later.
pub fn ahead(kind: Kind) -> Decision {
    let mut draft = draft(kind);
    let selector = Selector { rules: vec!["aws.s3.*".parse().unwrap()], ..Selector::default() };
    draft.subject = Subject::Selector { selector, matched: [key(9)].into(), covers_future: true };
    let known = seen();
    let asked = submit(draft, "EX-2026-000001".into(), &actor("erin"), &known.context(), &policy(), now()).unwrap();
    let one = asked.approve(&actor("adam"), "fine", &known.context(), &policy(), now()).unwrap();
    one.approve(&actor("anna"), "fine", &known.context(), &policy(), now()).unwrap()
}

/// The brief by which the product would bring `f` under `d`; a deviation's value is the allowed one.
pub fn brief_ahead(d: &Decision, f: &Finding) -> Brief {
    brief_if(d, f, true)
}

pub fn brief_if(d: &Decision, f: &Finding, allowed: bool) -> Brief {
    let facts = &f.facts;
    let target = Target {
        rule: &facts.rule,
        aliases: &[],
        account: &facts.account,
        region: &facts.region,
        resource: &facts.resource,
        name: &facts.name,
        team: facts.team.as_ref(),
        tags: &[],
        file: None,
        code: &[],
    };
    d.brief_ahead(&f.id, &target, allowed, &policy())
}
