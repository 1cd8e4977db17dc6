//! Nanoseconds per evaluation of typical rules: `cargo bench -p plumb-cel`.

use plumb_cel::{Env, Frame, Functions, Limits, Program, Type, compile};
use plumb_model::{Time, Value};
use std::{hint::black_box, time::Instant};

const RULES: [(&str, &str); 8] = [
    ("flag", "encrypted"),
    ("comparison", "retention_days >= 90"),
    ("membership", r#"tls_policy in ["TLS-1-2-2021", "TLS-1-2-Ext-2018", "TLS13-1-2"]"#),
    ("nested member", r#"logging.target != null && logging.target.bucket != """#),
    (
        "open port",
        r#"!(ingress.exists(r, r.cidrs.exists(c, c == "0.0.0.0/0") && r.from_port <= 22 && r.to_port >= 22))"#,
    ),
    ("tags", r#"tags.exists(t, t.key == "owner" && t.value != "")"#),
    ("keys in use", r#"keys.filter(k, k.status == "Active").size() <= 1"#),
    (
        "age",
        r#"keys.all(k, k.status != "Active" || timestamp("2026-11-21T00:00:00Z") - k.created < duration("2160h"))"#,
    ),
];

fn main() {
    let mut env = Env::new();
    let strings =
        |names: &[&str]| Type::object("", names.iter().map(|n| (n.to_string(), Type::String)).collect::<Vec<_>>());
    let rule =
        Type::object("", [("cidrs", Type::list(Type::String)), ("from_port", Type::Int), ("to_port", Type::Int)]);
    let key = Type::object("", [("status", Type::String), ("created", Type::Timestamp)]);
    let fields = [
        ("encrypted", Type::Bool, Value::Bool(true)),
        ("retention_days", Type::Int, Value::Int(365)),
        ("tls_policy", Type::String, Value::str("TLS13-1-2")),
        ("logging", Type::map(Type::Dyn), Value::map([("target", Value::map([("bucket", Value::str("logs"))]))])),
        ("ingress", Type::list(rule), Value::list((0..3).map(ingress))),
        ("tags", Type::list(strings(&["key", "value"])), Value::list(["app", "env", "owner"].map(tag))),
        ("keys", Type::list(key), Value::list([access_key("Active"), access_key("Inactive")])),
    ];
    for (slot, (name, t, _)) in fields.iter().enumerate() {
        env.field(*name, t.clone(), slot as u32);
    }
    let document: Vec<Value> = fields.into_iter().map(|(_, _, value)| value).collect();
    let frame = Frame::rule(&document, Time::from_seconds(1_795_000_000));
    let functions = Functions::standard();
    let mut total = 0.0;
    for (name, source) in RULES {
        let program = match compile(source, &env, &functions, &Limits::default()) {
            Ok(program) => program,
            Err(error) => {
                println!("{name}: {error}");
                continue;
            }
        };
        let decided = nanoseconds(&program, &frame, |p, f| drop(black_box(p.decide(f))));
        let explained = nanoseconds(&program, &frame, |p, f| drop(black_box(p.explain(f))));
        total += decided;
        println!("{name:>14}: {decided:7.0} ns to decide, {explained:7.0} ns to explain; {:?}", program.decide(&frame));
    }
    println!("{:>14}: {:7.0} ns", "mean", total / RULES.len() as f64);
    let start = Instant::now();
    let rounds = 2_000;
    for _ in 0..rounds {
        black_box(compile(RULES[4].1, &env, &functions, &Limits::default()).is_ok());
    }
    println!("{:>14}: {:7.0} ns", "compile", start.elapsed().as_nanos() as f64 / f64::from(rounds));
}

/// The best of many short rounds, so that a busy machine disturbs little.
fn nanoseconds(program: &Program, frame: &Frame<'_>, run: fn(&Program, &Frame<'_>)) -> f64 {
    let rounds = 400;
    (0..300)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..rounds {
                run(black_box(program), frame);
            }
            start.elapsed().as_nanos() as f64 / f64::from(rounds)
        })
        .fold(f64::INFINITY, f64::min)
}

fn ingress(i: i64) -> Value {
    Value::map([
        ("cidrs", Value::list([Value::str("10.0.0.0/8"), Value::str("192.168.0.0/16")])),
        ("from_port", Value::Int(22 + i)),
        ("to_port", Value::Int(443)),
    ])
}

fn tag(key: &str) -> Value {
    Value::map([("key", Value::str(key)), ("value", Value::str("payments"))])
}

fn access_key(status: &str) -> Value {
    Value::map([("status", Value::str(status)), ("created", Value::Time(Time::from_seconds(1_794_000_000)))])
}
