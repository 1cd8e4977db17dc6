//! Foreign expressions cannot hang or exhaust a scan.

use plumb_cel::{Decision, Env, EvalError, Frame, Functions, Limits, Type, compile, compile_value};
use plumb_model::{Time, Value};

fn decide(source: &str, limits: &Limits) -> Decision {
    let mut env = Env::new();
    env.field("xs", Type::list(Type::Int), 0);
    let fields = [Value::list((0..100).map(Value::Int))];
    let program = compile(source, &env, &Functions::standard(), limits).expect(source);
    let frame = Frame::rule(&fields, Time::from_seconds(0));
    let (decision, leaves) = program.explain(&frame);
    assert!(leaves.len() <= 32);
    assert_eq!(decision, program.decide(&frame));
    decision
}

#[test]
fn steps_are_bounded_and_not_absorbed() {
    let limits = Limits { steps: 50_000, ..Limits::default() };
    let stopped = Decision::Error(EvalError::Limit("too many steps"));
    let nested = "xs.exists(a, xs.exists(b, xs.exists(c, a + b + c < 0)))";
    assert_eq!(decide(nested, &limits), stopped);
    assert_eq!(decide(&format!("{nested} || true"), &limits), stopped);
    assert_eq!(decide(&format!("!({nested} && false)"), &limits), stopped);
    assert_eq!(decide("xs.map(a, xs.map(b, xs.map(c, a + b + c))).size() > 0", &limits), stopped);
    assert_eq!(decide("xs.all(a, a >= 0)", &limits), Decision::True);
}

#[test]
fn texts_and_lists_cannot_grow_without_end() {
    let mut source = "s.size() > 0".to_owned();
    for _ in 0..40 {
        source = format!("cel.bind(s, s + s, {source})");
    }
    let source = format!("cel.bind(s, 'xxxxxxxx', {source})");
    assert!(matches!(decide(&source, &Limits::default()), Decision::Error(EvalError::Limit(_))));
    let lists = source.replace("'xxxxxxxx'", "[1, 2, 3, 4, 5]");
    assert!(matches!(decide(&lists, &Limits::default()), Decision::Error(EvalError::Limit(_))));
    let replaced = "'aaaaaaaaaa'.replace('', 'bbbbbbbbbb').replace('', 'cccccccccc').replace('', 'cccccccccc')\
                    .replace('', 'cccccccccc').replace('', 'cccccccccc').replace('', 'cccccccccc') == ''";
    assert!(matches!(decide(replaced, &Limits::default()), Decision::Error(EvalError::Limit(_))));
    let long = "cel.bind(s, 'x'.replace('x', 'yyyyyyyyyyyyyyyy').replace('y', 'zzzzzzzzzzzzzzzz').replace('z', 'aaaaaaaaaaaaaaaa'), \
                cel.bind(t, s.replace('a', 'bbbbbbbbbbbbbbbb'), ";
    for rest in ["'%s'.format([lists.range(9000).map(i, t)]) == '')", "lists.range(9000).map(i, t).join() == '')"] {
        assert!(
            matches!(decide(&format!("{long}{rest})"), &Limits::default()), Decision::Error(EvalError::Limit(_))),
            "{rest}"
        );
    }
    // Comparing long texts and compiling patterns costs what it costs.
    let compared = "lists.range(90000).all(i, lists.range(90000).all(j, t == t + '')))";
    assert!(matches!(decide(&format!("{long}{compared})"), &Limits::default()), Decision::Error(EvalError::Limit(_))));
    let patterns = "xs.all(a, xs.all(b, 'a'.matches('^a|(b{20}){20}' + string(a))))";
    assert!(matches!(decide(patterns, &Limits::default()), Decision::Error(EvalError::Limit(_))));
    assert_eq!(
        decide("lists.range(9000).map(i, 'abcdefghij').join(',').size() == 98999", &Limits::default()),
        Decision::True
    );
}

#[test]
fn the_deepest_allowed_expression_is_evaluated_on_a_small_stack() {
    let run = || {
        let depth = 60;
        let nests = [
            ("!", "true", ""),
            ("(", "true", ")"),
            ("true ? (", "true", ") : false"),
            ("[true].exists(x, ", "x", ")"),
            ("(false || ", "true", ")"),
            ("[", "1", "]"),
            ("{1: ", "1", "}"),
            ("cel.bind(x, 1, ", "x == 1", ")"),
            ("size([", "1", "])"),
        ];
        for (open, inner, close) in nests {
            let levels = if open.contains("[t") || open.contains("size") { depth / 2 } else { depth };
            let source = format!("{}{inner}{}", open.repeat(levels), close.repeat(levels));
            let program =
                compile_value(&source, &Env::new(), &Functions::standard(), &Limits::default()).expect(&source);
            let frame = Frame::rule(&[], Time::from_seconds(0));
            let _ = program.explain(&frame);
        }
    };
    // What a worker thread has by default.
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
fn sizes_are_bounded_at_compilation() {
    let refuse = |source: &str, limits: Limits, part: &str| {
        let error = compile_value(source, &Env::new(), &Functions::standard(), &limits).unwrap_err();
        assert!(error.message.contains(part), "{error}");
    };
    refuse("1 + 1 + 1 + 1", Limits { source_bytes: 5, ..Limits::default() }, "more than the limit of 5");
    refuse("[1, 2, 3, 4]", Limits { nodes: 3, ..Limits::default() }, "more than 3 parts");
    refuse(&format!("{}1{}", "(".repeat(90), ")".repeat(90)), Limits::default(), "nests deeper");
    refuse(&format!("'a'.matches('{}')", "(a{99}){99}".repeat(9)), Limits::default(), "is not a pattern");
}
