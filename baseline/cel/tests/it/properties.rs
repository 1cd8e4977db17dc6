//! What holds for all expressions and documents.

use plumb_cel::{Decision, Env, Frame, Functions, Limits, Program, Type, compile, compile_unchecked, parse};
use plumb_model::{Reason, TextEnds, Time, Unknown, Value};
use proptest::prelude::*;

fn env() -> Env {
    let mut env = Env::new();
    env.field("b", Type::Bool, 0);
    env.field("n", Type::Int, 1);
    env.field("s", Type::String, 2);
    env.field("ns", Type::list(Type::Int), 3);
    env.field("d", Type::map(Type::Dyn), 4);
    env.field("ds", Type::list(Type::object("", [("n", Type::Int), ("ss", Type::list(Type::String))])), 5);
    env
}

fn document() -> impl Strategy<Value = Vec<Value>> {
    let int = || prop_oneof![3 => (-2i64..3).prop_map(Value::Int), 1 => Just(Value::Null)];
    let text = || prop_oneof![Just("a"), Just("b"), Just(""), Just("ab"), Just("abba")].prop_map(Value::str);
    let item = (int(), prop::collection::vec(text(), 0..3))
        .prop_map(|(n, ss)| Value::map([("n", n), ("ss", Value::list(ss))]));
    (
        any::<bool>().prop_map(Value::Bool),
        int(),
        text(),
        prop::collection::vec(int(), 0..4).prop_map(Value::list),
        prop::option::of(int()).prop_map(|x| Value::map(x.map(|x| ("x", x)))),
        prop::collection::vec(item, 0..3).prop_map(Value::list),
    )
        .prop_map(|(b, n, s, ns, d, ds)| vec![b, n, s, ns, d, ds])
}

fn ints() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("n".to_owned()),
        Just("ns[0]".to_owned()),
        Just("size(ns)".to_owned()),
        Just("d.x".to_owned()),
        (-2i64..3).prop_map(|i| format!("({i})")),
    ];
    leaf.prop_recursive(2, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), prop_oneof![Just("+"), Just("-"), Just("*"), Just("/"), Just("%")], inner.clone())
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (bools_flat(), inner.clone(), inner.clone()).prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
            inner.prop_map(|a| format!("math.greatest({a}, 1)")),
            Just("ns.filter(x, x > 0).size()".to_owned()),
            Just("ds.map(y, y.n).sort()[0]".to_owned()),
        ]
    })
}

fn bools_flat() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("b".to_owned()),
        Just("s == 'a'".to_owned()),
        Just("s.startsWith('a')".to_owned()),
        texts(),
        Just("has(d.x)".to_owned()),
        Just("n in ns".to_owned()),
        Just("ns == [1, 2]".to_owned()),
        Just("sets.contains(ns, [n])".to_owned()),
        Just("ds.exists(y, y.ss.exists(t, t == s))".to_owned()),
        Just("d.?x.orValue(1) == 1".to_owned()),
        Just("ns.distinct().size() == ns.size()".to_owned()),
    ]
}

/// Conditions about texts: what is known of a part of them must decide nothing that the rest could turn.
fn texts() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        4 => Just("s"),
        1 => Just("s.lowerAscii()"),
        1 => Just("(s + 'a')"),
        1 => Just("(b ? s : 'ab')"),
        1 => Just("[s, 'b'][0]"),
        1 => Just("d.?x.orValue(s)"),
        1 => Just("s.replace('a', 'b')"),
    ];
    let literal = || prop_oneof![Just(""), Just("a"), Just("b"), Just("ab"), Just("ba"), Just("abba"), Just("abab")];
    prop_oneof![
        (
            text,
            prop_oneof![
                Just("{} == '@'"),
                Just("'@' != {}"),
                Just("{} in ['x', '@']"),
                Just("{}.startsWith('@')"),
                Just("{}.endsWith('@')"),
                Just("{}.contains('@')"),
                Just("{}.matches('^@')"),
                Just("{} < '@'"),
                Just("[{}] == ['@']"),
                Just("{}.size() > 1"),
                Just("({} == '@' ? 'p' : 'q') == 'p'"),
                Just("{} != null"),
            ],
            literal()
        )
            .prop_map(|(text, form, literal)| form.replace("{}", text).replace('@', literal)),
        Just("ds.exists(y, 'a' in y.ss)".to_owned()),
        Just("ds.all(y, y.ss.all(t, t != 'ab'))".to_owned()),
        Just("ds.exists(y, y.ss.exists(t, t.startsWith(s)))".to_owned()),
        Just("ds.map(y, y.ss).exists(l, l == ['a'])".to_owned()),
    ]
}

fn bools() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        2 => bools_flat(),
        3 => (ints(), prop_oneof![Just("=="), Just("!="), Just("<"), Just("<="), Just(">")], ints())
            .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
    ];
    leaf.prop_recursive(3, 24, 3, |inner| {
        let binder = prop_oneof![
            Just("ns.exists(x, (x > n) && "),
            Just("ns.all(x, (x < 2) || "),
            Just("ns.exists_one(x, (x == n) && ")
        ];
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
            (binder, inner.clone()).prop_map(|(open, a)| format!("{open}{a})")),
            inner.clone().prop_map(|a| format!("ds.filter(y, y.n == n).exists(y, {a})")),
            inner.prop_map(|a| format!("cel.bind(z, {a}, z || b)")),
        ]
    })
}

fn program(source: &str) -> Program {
    match compile(source, &env(), &Functions::standard(), &Limits::default()) {
        Ok(program) => program,
        Err(error) => panic!("{source}: {error}"),
    }
}

fn gap() -> Value {
    Value::unknown(Unknown::new(Reason::Denied, "x:Y"))
}

/// Every document that differs from this one by one value that is unknown.
fn with_gaps(value: &Value) -> Vec<Value> {
    let mut all = vec![gap()];
    match value {
        Value::List(items) => {
            for at in 0..items.len() {
                for inner in with_gaps(&items[at]) {
                    let mut items = items.to_vec();
                    items[at] = inner;
                    all.push(Value::list(items));
                }
            }
        }
        Value::Map(map) => {
            for (key, inner) in map.iter() {
                for inner in with_gaps(inner) {
                    let changed = map.iter().map(|(k, v)| (k, if k == key { inner.clone() } else { v.clone() }));
                    all.push(Value::map(changed));
                }
            }
        }
        // Texts of which both ends are known, wherever the middle begins and ends.
        Value::Str(text) => {
            for from in 0..=text.len() {
                for to in from..=text.len() {
                    let ends = TextEnds { start: text[..from].into(), end: text[to..].into() };
                    let text = Some(Box::new(ends));
                    all.push(Value::unknown(Unknown { text, ..Unknown::new(Reason::NotComputed, "x:Y") }));
                }
            }
        }
        _ => {}
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn not_knowing_never_flips_a_decision(source in bools(), fields in document()) {
        let program = program(&source);
        let now = Time::from_seconds(0);
        let known = program.decide(&Frame::rule(&fields, now));
        prop_assert!(!matches!(known, Decision::Unknown(_)), "nothing is unknown yet: {source}");
        for slot in 0..fields.len() {
            for changed in with_gaps(&fields[slot]) {
                let mut fields = fields.clone();
                fields[slot] = changed;
                let got = program.decide(&Frame::rule(&fields, now));
                let fits = matches!(got, Decision::Unknown(_)) || got == known
                    || (matches!(known, Decision::Error(_)) && matches!(got, Decision::Error(_)));
                prop_assert!(fits, "{source}: {known:?} became {got:?} with {fields:?}");
            }
        }
    }

    #[test]
    fn evaluation_is_deterministic_and_explanations_agree(source in bools(), fields in document()) {
        let program = program(&source);
        let frame = Frame::rule(&fields, Time::from_seconds(0));
        let (decision, leaves) = program.explain(&frame);
        prop_assert_eq!(&decision, &program.decide(&frame));
        let again = program.explain(&frame);
        prop_assert_eq!(&leaves, &again.1);
        prop_assert!(leaves.len() <= 32);
        if decision == Decision::False {
            prop_assert!(leaves.is_empty() || leaves.iter().any(|l| !l.holds), "{}: {:?}", source, leaves);
        }
        if decision == Decision::True {
            prop_assert!(leaves.iter().all(|l| l.holds), "{}: {:?}", source, leaves);
        }
    }

    #[test]
    fn any_text_is_an_expression_or_an_error(source in ".{0,80}") {
        if let Err(error) = parse(&source, &Limits::default()) {
            prop_assert!(error.line >= 1 && error.column >= 1 && error.offset <= source.len());
        }
    }

    #[test]
    fn any_tokens_compile_or_are_an_error(words in prop::collection::vec(prop_oneof![
        Just("b"), Just("n"), Just("ns"), Just("ds"), Just("."), Just("("), Just(")"), Just("["), Just("]"), Just("{"), Just("}"),
        Just("exists"), Just("x"), Just(","), Just("=="), Just("&&"), Just("?"), Just(":"), Just("-"), Just("1"), Just("'a'"),
        Just("has"), Just("size"), Just("in"), Just("cel"), Just("bind"), Just("!"), Just("optMap"), Just("null"),
    ], 0..24)) {
        let source = words.join(" ");
        let fields = vec![Value::Null; 6];
        for compiled in [
            compile(&source, &env(), &Functions::standard(), &Limits::default()),
            compile_unchecked(&source, &env(), &Functions::standard(), &Limits::default()),
        ] {
            match compiled {
                Ok(program) => drop(program.explain(&Frame::rule(&fields, Time::from_seconds(0)))),
                Err(error) => prop_assert!(error.offset <= source.len()),
            }
        }
    }
}
