//! Indexes, what is kept between resources, and tables with those fields alone that rules look at change no verdict and no
//! explanation: every rule of the catalog, over worlds made at random, judged quickly and as written. Things are unknown at any depth, tables are missing,
//! incomplete or narrowed, and now and then a value has a type nobody expects.

use plumb_catalog::{Catalog, Kind, Scope, Type};
use plumb_evaluate::{
    AccountFacts, EndOfSupport, Explain, Helpers, Judging, Policies, Policy, PolicyContext, RuleSet, Selection, Table,
    World,
};
use plumb_model::{KindId, Outcome, Reason, Resource, Source, Sources, Time, Unknown, Value, Verdict};
use proptest::prelude::*;
use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

/// Answers that depend on the document and the question, and on nothing else.
struct Told;

fn told(policy: &Value, what: &str) -> Vec<String> {
    let text = policy.to_plain_json().to_string();
    if text.len() % 3 == what.len() % 3 { vec![format!("{what} {}", text.len())] } else { Vec::new() }
}

impl Policies for Told {
    fn read(&self, policy: &Value) -> Box<dyn Policy> {
        Box::new(Document(policy.clone()))
    }
}

struct Document(Value);

impl Policy for Document {
    fn public_statements(&self, actions: Option<&[String]>) -> Vec<String> {
        told(&self.0, &actions.map_or_else(|| "any".to_owned(), |a| a.join(",")))
    }
    fn external_accounts(&self, _: PolicyContext<'_>) -> Vec<String> {
        told(&self.0, "external")
    }
    fn admin_statements(&self) -> Vec<String> {
        told(&self.0, "admin")
    }
    fn service_wildcards(&self) -> Vec<String> {
        told(&self.0, "services")
    }
    fn allows_action(&self, action: &str) -> bool {
        !told(&self.0, action).is_empty()
    }
    fn requires_tls(&self) -> bool {
        !told(&self.0, "tls").is_empty()
    }
    fn unbound_oidc(&self) -> Vec<String> {
        told(&self.0, "oidc")
    }
    fn unbound_services(&self) -> Vec<String> {
        told(&self.0, "unbound")
    }
    fn unrestricted(&self, what: &str) -> Vec<String> {
        told(&self.0, what)
    }
    fn escalations(&self) -> Vec<String> {
        told(&self.0, "ways")
    }
}

impl EndOfSupport for Told {
    fn end(&self, product: &str, version: &str) -> Option<Time> {
        (product.len() + version.len()).is_multiple_of(2).then(|| Time::from_seconds(1_600_000_000))
    }
}

const WORDS: [&str; 16] = [
    "",
    "x-1",
    "x-2",
    "x-3",
    "arn:aws:iam::111122223333:x/x-1",
    "arn:aws:iam::444455556666:x/x-2",
    "arn:aws:sns:eu-west-1:111122223333:x-1",
    "0.0.0.0/0",
    "10.0.0.0/8",
    "tcp",
    "ACTIVE",
    "available",
    "eu-west-1",
    "Enabled",
    "ALL",
    "igw-1",
];

/// How much goes wrong, in hundredths.
#[derive(Debug, Clone, Copy)]
struct Rates {
    unknown: u64,
    odd: u64,
    gap: u64,
}

struct Maker {
    state: u64,
    rates: Rates,
}

impl Maker {
    fn next(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below.max(1)
    }

    fn unknown(&mut self) -> Unknown {
        let which = self.next(3);
        Unknown::new(Reason::Denied, format!("synthetic:Read{which}"))
    }

    fn value(&mut self, ty: &Type) -> Value {
        if self.next(100) < self.rates.unknown {
            return Value::unknown(self.unknown());
        }
        if self.next(100) < self.rates.odd {
            return match self.next(5) {
                0 => Value::Int(7),
                1 => Value::Double(1.0),
                2 => Value::str("x-1"),
                3 => Value::map([("x", Value::list([Value::str("x-2")]))]),
                _ => Value::list([Value::str("x-1"), Value::Null]),
            };
        }
        match ty {
            Type::Bool => Value::Bool(self.next(2) == 0),
            Type::Int => Value::Int([0, 1, 22, 443, 3389, 400][self.next(6) as usize]),
            Type::Double => Value::Double(self.next(3) as f64),
            Type::String => Value::str(WORDS[self.next(WORDS.len() as u64) as usize]),
            Type::Time => Value::Time(Time::from_seconds(1_700_000_000 + self.next(90_000_000) as i64)),
            Type::Policy | Type::Any => match self.next(3) {
                0 => Value::Null,
                n => Value::map([(
                    "Statement",
                    Value::list([Value::map([("Sid", Value::str("s".repeat(n as usize)))])]),
                )]),
            },
            Type::List(item) => {
                let count = self.next(4);
                Value::list((0..count).map(|_| self.value(item)).collect::<Vec<_>>())
            }
            Type::Map(item) => Value::map([("k", self.value(item))]),
            Type::Object(members) => {
                Value::map(members.iter().map(|(n, t)| (n.as_str(), self.value(t))).collect::<Vec<_>>())
            }
        }
    }

    fn resource(&mut self, kind: &Kind, at: u64) -> Resource {
        let region = if kind.scope == Scope::Region { ["eu-west-1", "us-east-1"][at as usize % 2] } else { "global" };
        Resource {
            kind: kind.id.clone(),
            account: "111122223333".into(),
            region: region.into(),
            id: format!("arn:aws:{}:{region}:111122223333:x-{at}", kind.id).into(),
            name: format!("x-{at}").as_str().into(),
            fields: kind.fields.iter().map(|f| self.value(&f.ty)).collect(),
            sources: Sources::default(),
        }
    }

    fn gap(&mut self) -> Option<Arc<Unknown>> {
        (self.next(100) < self.rates.gap).then(|| Arc::new(self.unknown()))
    }
}

static RULES: LazyLock<(Catalog, RuleSet)> = LazyLock::new(|| {
    let (catalog, problems) = Catalog::load([]);
    assert!(problems.is_empty());
    let (rules, problems) = RuleSet::compile(&catalog, &Selection::default());
    assert!(problems.is_empty(), "{problems:?}");
    (catalog, rules)
});

fn verdicts(judging: &Judging<'_>, resource: &Resource) -> Vec<Verdict> {
    let mut all = Vec::new();
    judging.judge(resource, Explain::Everything, |judged| all.push(judged.into_verdict()));
    all
}

/// Resources of a kind, of which some say in all, or in all but one field, what one before them says.
fn family(maker: &mut Maker, kind: &Kind) -> Vec<Resource> {
    let mut all: Vec<Resource> = (0..2).map(|at| maker.resource(kind, at)).collect();
    for at in 2..5 {
        let like = maker.next(2) as usize;
        let mut again = Resource { fields: all[like].fields.clone(), ..maker.resource(kind, at) };
        let slot = maker.next(2 * kind.fields.len() as u64) as usize;
        if let Some(field) = kind.fields.get(slot) {
            again.fields[slot] = maker.value(&field.ty);
        }
        all.push(again);
    }
    all
}

/// Judges some resources of each kind twice; says how many verdicts were compared.
fn compare(seed: u64, rates: Rates) -> usize {
    let (catalog, rules) = &*RULES;
    let mut maker = Maker { state: seed, rates };
    let facts = AccountFacts { id: "111122223333".into(), ..AccountFacts::default() };
    let helpers = Helpers { policies: &Told, end_of_support: &Told };
    let (mut world, mut looked) = (World::new(facts.clone(), helpers), World::new(facts, helpers));
    for id in &rules.needs().asked {
        let kind = rules.kind(id).unwrap();
        if maker.next(100) < rates.gap {
            continue;
        }
        let count = maker.next(7);
        let rows: Vec<Resource> = (0..count).map(|at| maker.resource(kind, at)).collect();
        let mut fewer = rows.clone();
        for (at, _) in kind.fields.iter().enumerate().filter(|(_, f)| !rules.needs().looks_at(id, &f.name)) {
            fewer.iter_mut().for_each(|row| row.fields[at] = Value::Null);
        }
        let (gap, narrowed) = (maker.gap(), maker.gap());
        let paths: Vec<String> = rules.needs().indexes.get(id).into_iter().flatten().cloned().collect();
        let table = |rows| Table::new(Arc::clone(kind), rows, gap.clone()).narrowed(narrowed.clone());
        world.put(id.clone(), table(rows), &paths);
        looked.put(id.clone(), table(fewer), &paths);
    }
    let now = Time::from_seconds(1_790_000_000);
    let (quick, plain) = (Judging::new(rules, &looked, now), Judging::new(rules, &world, now).plain());
    let mut compared = 0;
    for id in &rules.needs().judged {
        let kind = catalog.kinds.get(id).unwrap();
        for resource in family(&mut maker, kind) {
            let (got, wanted) = (verdicts(&quick, &resource), verdicts(&plain, &resource));
            assert_eq!(got.len(), wanted.len(), "{id}");
            for (got, wanted) in got.into_iter().zip(wanted) {
                assert_eq!(got, wanted, "{resource:#?}");
                compared += 1;
            }
        }
    }
    compared
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn judging_quickly_changes_nothing(seed in any::<u64>(), unknown in 0u64..12, odd in 0u64..4, gap in 0u64..25) {
        let compared = compare(seed, Rates { unknown, odd, gap });
        prop_assert!(compared > 1_000);
    }
}

#[test]
fn the_same_values_are_explained_whenever_somebody_wants_to_know() {
    let (catalog, rules) = &*RULES;
    let kind = &catalog.kinds[&KindId::from("aws.ec2.ebs-volume")];
    let world = World::new(AccountFacts::default(), Helpers { policies: &Told, end_of_support: &Told });
    let judging = Judging::new(rules, &world, Time::from_seconds(1_790_000_000));
    let mut maker = Maker { state: 7, rates: Rates { unknown: 0, odd: 0, gap: 0 } };
    let mut first = maker.resource(kind, 0);
    first.fields[kind.slot("encrypted").unwrap()] = Value::Bool(false);
    let explained = |resource: &Resource, explain: Explain| {
        let mut all = Vec::new();
        judging.judge(resource, explain, |judged| {
            all.push((judged.rule.id.to_string(), judged.outcome, judged.because));
        });
        all
    };
    let counted = explained(&first, Explain::Nothing);
    assert!(counted.iter().all(|(_, _, because)| because.is_empty()));
    let told = explained(&Resource { id: "x-2".into(), ..first.clone() }, Explain::Failing);
    assert!(told.iter().any(|(_, outcome, _)| *outcome == Outcome::Fail));
    for (rule, outcome, because) in &told {
        assert_eq!(because.is_empty(), *outcome != Outcome::Fail, "{rule}");
    }
    // What was said of one says where the other's value stands.
    let places = (0..kind.fields.len()).map(|at| Source::Code {
        file: "x.tf".into(),
        line: u32::try_from(at).unwrap() + 1,
        end_line: 99,
        column: 1,
    });
    let written = Resource { id: "x-3".into(), sources: places.collect(), ..first };
    let line = kind.slot("encrypted").unwrap() as u32 + 1;
    let told = explained(&written, Explain::Failing);
    assert!(
        told.iter().flat_map(|(_, _, because)| because).any(
            |leaf| &*leaf.path == "encrypted" && matches!(leaf.source, Source::Code { line: at, .. } if at == line)
        )
    );
}

#[test]
fn most_lookups_have_an_index() {
    // A rule that looks at all resources of another kind for each of its own would be slow on a large account.
    let indexed = &RULES.1.needs().indexes;
    let has = |kind: &str, path: &str| indexed.get(kind).is_some_and(|paths| paths.contains(path));
    assert!(has("aws.ec2.network-interface", "group_ids[]"));
    assert!(has("aws.ec2.security-group", "ingress[].groups[]"));
    assert!(has("aws.ec2.security-group", "egress[].groups[]"));
    assert!(has("aws.vpc.route-table", "subnet_ids[]"));
    assert!(has("aws.vpc.route-table", "routes[].peering_id"));
    assert!(has("aws.iam.user", "groups[]"));
}

#[test]
fn more_documents_than_are_kept_are_judged_as_written_too() {
    let (catalog, rules) = &*RULES;
    let kind = &catalog.kinds[&KindId::from("aws.sqs.queue")];
    let world = World::new(AccountFacts::default(), Helpers { policies: &Told, end_of_support: &Told });
    let now = Time::from_seconds(1_790_000_000);
    let (quick, plain) = (Judging::new(rules, &world, now), Judging::new(rules, &world, now).plain());
    let mut maker = Maker { state: 7, rates: Rates { unknown: 0, odd: 0, gap: 0 } };
    let mut said = BTreeSet::new();
    for at in (0..1_200).chain(0..60) {
        // Each is gone before the next one comes, which may stand where it stood.
        let mut queue = maker.resource(kind, at);
        let statement =
            Value::map([("Sid", Value::str("s".repeat((at % 97) as usize))), ("Id", Value::Int(at as i64))]);
        queue.fields[kind.slot("policy").unwrap()] = Value::map([("Statement", Value::list([statement]))]);
        let verdicts = verdicts(&quick, &queue);
        said.extend(verdicts.iter().filter(|v| v.rule.as_str().ends_with("not-public")).map(|v| v.outcome));
        assert_eq!(verdicts, self::verdicts(&plain, &queue), "{at}");
    }
    assert_eq!(said, BTreeSet::from([Outcome::Pass, Outcome::Fail]));
}
