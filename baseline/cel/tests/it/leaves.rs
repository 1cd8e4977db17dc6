//! Explanations name the leaves that decided, and nothing else.

use plumb_cel::{CelLeaf, Decision, Env, Frame, Functions, Limits, Type, Val, compile};
use plumb_model::{Reason, Time, Unknown, Value};

fn rule(cidr: &str, from: i64, to: i64) -> Value {
    Value::map([
        ("cidrs", Value::list([Value::str("10.0.0.0/8"), Value::str(cidr)])),
        ("from_port", Value::Int(from)),
        ("to_port", Value::Int(to)),
    ])
}

fn env() -> Env {
    let mut env = Env::new();
    let rule =
        Type::object("", [("cidrs", Type::list(Type::String)), ("from_port", Type::Int), ("to_port", Type::Int)]);
    env.field("ingress", Type::list(rule), 0);
    env.field("encrypted", Type::Bool, 1);
    env.field("days", Type::Int, 2);
    env.field("name", Type::String, 3);
    env.field("key", Type::String, 4);
    env.field("tags", Type::map(Type::String), 5);
    env.constant("params.min_days", Type::Int, Value::Int(90));
    env
}

fn fields() -> Vec<Value> {
    vec![
        Value::list([rule("192.168.0.0/16", 0, 65535), rule("0.0.0.0/0", 20, 25)]),
        Value::Bool(false),
        Value::Int(30),
        Value::str("public-data"),
        Value::unknown(Unknown::new(Reason::Denied, "kms:DescribeKey")),
        Value::map([("env", Value::str("prod"))]),
    ]
}

/// Leaves as `path=observed wants expected`, with `!` when it does not hold.
fn check(source: &str, decision: &str, wanted: &[&str]) {
    let fields = fields();
    let program = compile(source, &env(), &Functions::standard(), &Limits::default()).expect(source);
    let frame = Frame::rule(&fields, Time::from_seconds(0));
    let (got, leaves) = program.explain(&frame);
    let got = match got {
        Decision::True => "true",
        Decision::False => "false",
        Decision::Unknown(_) => "unknown",
        Decision::Error(_) => "error",
    };
    assert_eq!(got, decision, "{source}");
    let shown = |leaf: &CelLeaf| {
        assert!(leaf.field.is_some(), "{leaf:?}");
        let mark = if leaf.holds { "" } else { "!" };
        format!("{mark}{}={} wants {}", leaf.path, leaf.observed.to_plain_json(), leaf.expected)
    };
    assert_eq!(leaves.iter().map(shown).collect::<Vec<_>>(), wanted, "{source}");
}

#[test]
fn every_leaf_of_the_deciding_conjunct_is_named() {
    check(
        r#"!(ingress.exists(r, r.cidrs.exists(c, c == "0.0.0.0/0") && r.from_port <= 22 && r.to_port >= 22))"#,
        "false",
        &[
            r#"!ingress[1].cidrs[1]="0.0.0.0/0" wants != "0.0.0.0/0""#,
            "!ingress[1].from_port=20 wants > 22",
            "!ingress[1].to_port=25 wants < 22",
        ],
    );
    check(
        r#"ingress.all(r, r.from_port > 10 || !("0.0.0.0/0" in r.cidrs) && r.to_port < 100)"#,
        "false",
        &["!ingress[0].from_port=0 wants > 10", "!ingress[0].to_port=65535 wants < 100"],
    );
}

#[test]
fn sides_that_did_not_decide_are_left_out() {
    check("encrypted && days >= 10", "false", &["!encrypted=false wants is true"]);
    check("encrypted || days >= 10", "true", &["days=30 wants >= 10"]);
    check("encrypted || days >= params.min_days", "false", &["!encrypted=false wants is true", "!days=30 wants >= 90"]);
    check("!encrypted", "true", &["encrypted=false wants is false"]);
    check("days in [7, 30]", "true", &["days=30 wants in [7,30]"]);
    check("!(days in [7, 30])", "false", &["!days=30 wants not in [7,30]"]);
    check("90 > days", "true", &["days=30 wants < 90"]);
    check(r#"name.startsWith("public")"#, "true", &[r#"name="public-data" wants startsWith("public")"#]);
    check(r#"!name.contains("public")"#, "false", &[r#"!name="public-data" wants contains("public") is false"#]);
    check(r#"!name.matches("^pub")"#, "false", &[r#"!name="public-data" wants matches("^pub") is false"#]);
    check(r#"encrypted ? days > 1 : days > 60"#, "false", &["encrypted=false wants is false", "!days=30 wants > 60"]);
    check("size(ingress) <= 1", "false", &["!size(ingress)=2 wants <= 1"]);
    check(r#"has(tags.owner)"#, "false", &["!tags.owner=null wants is present"]);
    check(r#"tags.env == "prod""#, "true", &[r#"tags.env="prod" wants == "prod""#]);
    check(
        "ingress[0].to_port < days",
        "false",
        &["!ingress[0].to_port=65535 wants < days (30)", "!days=30 wants > ingress[0].to_port (65535)"],
    );
    check("cel.bind(d, days, d > 60)", "false", &["!days=30 wants > 60"]);
}

#[test]
fn lists_that_decide_as_a_whole_are_summed_up() {
    let fields = fields();
    let source = "!ingress.exists(r, r.from_port == 3389)";
    let program = compile(source, &env(), &Functions::standard(), &Limits::default()).unwrap();
    let (decision, leaves) = program.explain(&Frame::rule(&fields, Time::from_seconds(0)));
    assert_eq!(decision, Decision::True);
    assert_eq!(leaves.len(), 1);
    assert_eq!((&*leaves[0].path, &*leaves[0].expected), ("ingress", "none with r.from_port == 3389"));
    assert_eq!(leaves[0].observed, fields[0]);
    check(
        r#"ingress.map(r, r.to_port).exists(p, p == 22)"#,
        "false",
        &[
            "!ingress.map(r, r.to_port)=[65535,25] wants some with p == 22",
            "!ingress.map(r, r.to_port)[0]=65535 wants == 22",
            "!ingress.map(r, r.to_port)[1]=25 wants == 22",
        ],
    );
}

#[test]
fn elements_of_a_filtered_list_keep_their_place() {
    check(
        "!ingress.filter(r, r.from_port > 0).exists(r, r.to_port < 100)",
        "false",
        &["!ingress[1].to_port=25 wants >= 100"],
    );
}

#[test]
fn counted_elements_are_named() {
    check(
        "ingress.filter(r, r.from_port < 100).size() <= 1",
        "false",
        &[
            "!ingress.filter(r, r.from_port < 100).size()=2 wants <= 1",
            "ingress[0].from_port=0 wants < 100",
            "ingress[1].from_port=20 wants < 100",
        ],
    );
}

#[test]
fn what_is_unknown_is_a_leaf() {
    check(r#"key != "" && days > 1"#, "unknown", &[r#"!key={"unknown":"denied: kms:DescribeKey"} wants != """#]);
}

#[test]
fn a_part_of_a_resource_is_told_of_its_field() {
    let mut env = env();
    let part = Type::object("", [("to_port", Type::Int)]);
    assert_eq!(env.part("rule", part, 0, "ingress"), 0);
    let program = compile("rule.to_port < 100", &env, &Functions::standard(), &Limits::default()).unwrap();
    assert_eq!(program.references().fields.len(), 1);
    let fields = fields();
    let part = [Val::from(&fields[0].as_list().unwrap()[0])];
    let frame = Frame::rule(&fields, Time::from_seconds(0)).with_vars(&part);
    let (decision, leaves) = program.explain(&frame);
    assert_eq!(decision, Decision::False);
    assert_eq!((&*leaves[0].path, &leaves[0].observed), ("rule.to_port", &Value::Int(65535)));
    assert_eq!(leaves[0].field, Some((0, "ingress".into())));
}

#[test]
fn the_root_of_a_leaf_is_named() {
    let fields = fields();
    let source = "ingress.exists(r, r.to_port == 25)";
    let program = compile(source, &env(), &Functions::standard(), &Limits::default()).unwrap();
    let (_, leaves) = program.explain(&Frame::rule(&fields, Time::from_seconds(0)));
    assert_eq!(leaves[0].field, Some((0, "ingress".into())));
    let names: Vec<_> = program.references().fields.iter().cloned().collect();
    assert_eq!(names, [(0, "ingress".to_owned())]);
}
