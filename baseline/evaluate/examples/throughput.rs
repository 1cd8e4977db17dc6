//! How fast rules judge: a million synthetic resources by the rules of their kinds, made one at a time so that memory
//! does not grow. `cargo run --release -p plumb-evaluate --example throughput [COUNT]`

use plumb_catalog::{Catalog, Type};
use plumb_evaluate::{
    AccountFacts, Explain, Helpers, NoHelpers, Policies, PolicyContext, RuleSet, Selection, Table, World,
};
use plumb_model::{KindId, Outcome, Region, Resource, Time, Value};
use std::{sync::Arc, time::Instant};

/// Policy questions are answered elsewhere; here they cost nothing, and policies are left empty.
struct NoPolicies;

impl Policies for NoPolicies {
    fn public_statements(&self, _: &Value, _: Option<&[String]>) -> Vec<String> {
        Vec::new()
    }
    fn external_accounts(&self, _: &Value, _: PolicyContext<'_>) -> Vec<String> {
        Vec::new()
    }
    fn admin_statements(&self, _: &Value) -> Vec<String> {
        Vec::new()
    }
    fn service_wildcards(&self, _: &Value) -> Vec<String> {
        Vec::new()
    }
    fn allows_action(&self, _: &Value, _: &str) -> bool {
        false
    }
    fn requires_tls(&self, _: &Value) -> bool {
        true
    }
    fn unbound_oidc(&self, _: &Value) -> Vec<String> {
        Vec::new()
    }
    fn unbound_services(&self, _: &Value) -> Vec<String> {
        Vec::new()
    }
    fn escalations(&self, _: &Value) -> Vec<String> {
        Vec::new()
    }
}

/// A value of a type that differs with `seed`.
fn made(ty: &Type, seed: u64) -> Value {
    let pick = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    match ty {
        Type::Bool => Value::Bool(pick.is_multiple_of(3)),
        Type::Int => Value::Int((pick % 65_536) as i64),
        Type::Double => Value::Double(pick as f64 / 7.0),
        Type::String => Value::from(
            ["tcp", "arn:aws:kms:eu-west-1:111122223333:key/k", "Enabled", "0.0.0.0/0", ""][(pick % 5) as usize],
        ),
        Type::Time => Value::Time(Time::from_seconds(1_700_000_000 + (pick % 90_000_000) as i64)),
        Type::Policy | Type::Any => Value::Null,
        Type::List(item) => Value::list((0..pick % 4).map(|i| made(item, seed ^ (i + 1).wrapping_mul(77)))),
        Type::Map(item) => Value::map((0..pick % 3).map(|i| (format!("k{i}"), made(item, seed + i)))),
        Type::Object(members) => {
            Value::map(members.iter().enumerate().map(|(i, (n, t))| (n.as_str(), made(t, seed + 31 * i as u64))))
        }
    }
}

fn main() {
    let count: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let (catalog, _) = Catalog::load([]);
    let (rules, _) = RuleSet::compile(&catalog, &Selection::default());
    let mut world = World::new(AccountFacts::default(), Helpers { policies: &NoPolicies, end_of_support: &NoHelpers });
    for id in &rules.needs().asked {
        let Some(kind) = rules.kind(id) else { continue };
        let fields: Vec<String> = rules.needs().indexes.get(id).into_iter().flatten().cloned().collect();
        let rows = (0..50).map(|i| resource(&catalog, id, i)).collect();
        world.put(id.clone(), Table::new(Arc::clone(kind), rows, None), &fields);
    }
    // Kinds of which there is one per account or region are left out: their number does not grow with an estate, and
    // what they ask about (`all(…)`) is judged once.
    let single = |id: &&KindId| {
        catalog.kinds.get(*id).is_some_and(|k| k.list.as_ref().is_some_and(|l| l.items.is_some() || l.decode.is_some()))
    };
    let kinds: Vec<KindId> = rules.needs().judged.iter().filter(single).cloned().collect();
    let now = Time::from_seconds(1_790_000_000);
    let (mut verdicts, mut tally) = (0u64, [0u64; 4]);
    let mut slowest = std::collections::HashMap::new();
    let (mut judging, began) = (std::time::Duration::ZERO, Instant::now());
    for at in 0..count {
        let resource = resource(&catalog, &kinds[(at % kinds.len() as u64) as usize], at);
        for rule in rules.of_kind(&resource.kind) {
            let start = Instant::now();
            rule.judge(&resource, &world, now, Explain::Nothing, &mut |v: plumb_model::Verdict| {
                verdicts += 1;
                tally[v.outcome as usize] += 1;
            });
            let took = start.elapsed();
            judging += took;
            let slot = slowest.entry(rule.id.to_string()).or_insert((std::time::Duration::ZERO, 0u64));
            slot.0 += took;
            slot.1 += 1;
        }
    }
    let mut slowest: Vec<_> = slowest.into_iter().map(|(id, (t, n))| (t.as_nanos() as u64 / n, id)).collect();
    slowest.sort_by(|a, b| b.cmp(a));
    for (ns, id) in slowest.iter().take(8) {
        println!("{ns:>9} ns  {id}");
    }
    let peak = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = peak.lines().find(|l| l.starts_with("VmHWM")).unwrap_or("VmHWM: unknown").to_owned();
    println!("{count} resources of {} kinds, {} rules: {verdicts} verdicts", kinds.len(), rules.len());
    println!(
        "judging   {:.2} s: {:.0} ns a verdict (limit 1000), {:.0} resources/s",
        judging.as_secs_f64(),
        judging.as_nanos() as f64 / verdicts as f64,
        count as f64 / judging.as_secs_f64()
    );
    println!("with making the resources {:.2} s; {peak}", began.elapsed().as_secs_f64());
    let names = [Outcome::Pass, Outcome::Fail, Outcome::Unknown, Outcome::NotApplicable].map(Outcome::name);
    println!("{}", names.iter().zip(tally).map(|(n, t)| format!("{t} {n}")).collect::<Vec<_>>().join(", "));
}

fn resource(catalog: &Catalog, id: &KindId, seed: u64) -> Resource {
    let fields = catalog.kinds.get(id).map(|k| k.fields.as_slice()).unwrap_or_default();
    Resource {
        kind: id.clone(),
        account: "111122223333".into(),
        region: Region::from("eu-west-1"),
        id: format!("arn:aws:synthetic:eu-west-1:111122223333:{seed}").into(),
        name: "synthetic".into(),
        fields: fields.iter().enumerate().map(|(i, f)| made(&f.ty, seed.wrapping_mul(131) + i as u64)).collect(),
        sources: Vec::new(),
    }
}
