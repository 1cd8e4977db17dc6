//! Unknown is never true or false, and only what matters is named.

use plumb_cel::{Decision, Env, Frame, Functions, Limits, Type, compile};
use plumb_model::{Reason, Time, Unknown, Value};

fn gap(call: &str) -> Value {
    Value::unknown(Unknown::new(Reason::Denied, call))
}

fn env() -> Env {
    let mut env = Env::new();
    env.field("u", Type::Bool, 0);
    env.field("v", Type::Bool, 1);
    env.field("n", Type::Int, 2);
    env.field("list", Type::list(Type::Int), 3);
    env.field("doc", Type::map(Type::Dyn), 4);
    env.field("nothing", Type::list(Type::String), 5);
    env.field("name", Type::String, 6);
    env
}

fn fields() -> Vec<Value> {
    vec![
        gap("a:U"),
        gap("b:V"),
        gap("c:N"),
        Value::list([Value::Int(1), gap("d:Item"), Value::Int(3)]),
        Value::map([("known", Value::Int(1)), ("secret", gap("e:Secret")), ("none", Value::Null)]),
        Value::Null,
        Value::str("x"),
    ]
}

/// `wanted`: `true`, `false`, `error`, or the calls that are missing.
fn check(source: &str, wanted: &str) {
    let fields = fields();
    let program = compile(source, &env(), &Functions::standard(), &Limits::default()).expect(source);
    let got = match program.decide(&Frame::rule(&fields, Time::from_seconds(0))) {
        Decision::True => "true".to_owned(),
        Decision::False => "false".to_owned(),
        Decision::Unknown(needs) => needs.iter().map(|u| u.call.as_str()).collect::<Vec<_>>().join(" "),
        Decision::Error(_) => "error".to_owned(),
    };
    assert_eq!(got, wanted, "{source}");
}

#[test]
fn logic() {
    check("u", "a:U");
    check("!u", "a:U");
    check("u && false", "false");
    check("false && u", "false");
    check("u || true", "true");
    check("u && true", "a:U");
    check("u && v", "a:U b:V");
    check("u && v && u", "a:U b:V");
    check("u || v", "a:U b:V");
    check("u && n / 0 == 1", "a:U c:N");
    check("u && 1 / 0 == 1", "a:U");
    check("1 / 0 == 1 || u", "a:U");
    check("u ? true : true", "a:U");
    check("true ? true : u", "true");
    check("n > 3 || n <= 3", "c:N");
    check("n + 1 == 2 && v", "c:N b:V");
}

#[test]
fn lists_and_documents() {
    check("1 in list", "true");
    check("2 in list", "d:Item");
    check("size(list) == 3", "true");
    check("list[0] == 1", "true");
    check("list[1] == 1", "d:Item");
    check("list.exists(x, x == 3)", "true");
    check("list.exists(x, x == 9)", "d:Item");
    check("list.all(x, x < 2)", "false");
    check("list.all(x, x < 9)", "d:Item");
    check("list.filter(x, x > 0).exists(x, x == 1)", "true");
    check("list.filter(x, x > 0).size() == 3", "d:Item");
    check("list.exists_one(x, x == 1)", "d:Item");
    check("list.map(x, x > 0).exists(x, x)", "true");
    check("list == [1, 2]", "false");
    check("list == [1, 2, 4]", "false");
    check("list == [1, 2, 3]", "d:Item");
    check("doc.known == 1", "true");
    check("doc.secret == 1", "e:Secret");
    check("has(doc.secret)", "e:Secret");
    check("has(doc.known) && !has(doc.none) && !has(doc.missing)", "true");
    check("sets.contains(list, [1, 3])", "true");
    check("sets.contains(list, [1, 5])", "d:Item");
    check("math.greatest(list) == 3", "d:Item");
    check("[1, n].exists(x, x == 1)", "true");
    check("{'a': n}.a == 1", "c:N");
}

#[test]
fn null_and_absent_are_harmless_in_rules() {
    check("nothing == null", "true");
    check("nothing.exists(x, x == 'a')", "false");
    check("nothing.all(x, x == 'a')", "true");
    check("size(nothing) == 0", "true");
    check("nothing.size() == 0", "true");
    check("'a' in nothing", "false");
    check("doc.missing == null && doc.missing.deeper == null", "true");
    check("doc.missing.deeper.exists(x, x == 1)", "false");
    check("!doc.missing && !doc.none", "true");
    check("doc.missing || true", "true");
    check("doc.missing ? false : true", "true");
    check("doc.missing > 3", "error");
    check("doc.missing != 3", "true");
    check("doc.missing.startsWith('x')", "error");
    check("doc['missing'] == null", "true");
    check("doc.?missing.hasValue()", "false");
    check("doc.missing", "false");
    check("name.size() == 1", "true");
}
