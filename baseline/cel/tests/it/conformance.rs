//! The official CEL conformance cases, when they are next to the repository.

use crate::textproto::{Field, Message, parse};
use plumb_cel::{
    Env, Frame, Functions, Key, Limits, List, MapVal, Program, Type, Val, compile_unchecked, compile_value,
};
use plumb_model::{Time, Value};
use std::{collections::BTreeMap, path::Path, sync::Arc};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/bench/cel");
const EXCEPTIONS: &str = include_str!("conformance_exceptions.txt");

/// Files whose every case is about protobuf messages.
const MESSAGE_FILES: [&str; 4] = ["proto2.textproto", "proto2_ext.textproto", "proto3.textproto", "enums.textproto"];

enum Outcome {
    Pass,
    Skip(&'static str),
    Fail(String),
}

#[test]
fn official_cases_pass_or_are_listed() {
    let mut files: Vec<_> = match std::fs::read_dir(CASES) {
        Ok(dir) => dir
            .filter_map(|e| e.ok())
            .map(|e| e.path())
            .filter(|p| p.extension().is_some_and(|x| x == "textproto"))
            .collect(),
        Err(_) => {
            println!("skipped: no conformance cases at {CASES}");
            return;
        }
    };
    files.sort();
    let mut listed: BTreeMap<&str, &str> = BTreeMap::new();
    for line in EXCEPTIONS.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')) {
        let (name, reason) = line.split_once(": ").expect("name: reason");
        assert!(listed.insert(name, reason).is_none(), "{name} is listed twice");
    }
    let (mut wrong, mut seen, mut passed, mut total) = (Vec::new(), Vec::new(), 0, 0);
    let mut skipped: BTreeMap<&str, usize> = BTreeMap::new();
    for path in &files {
        let (mut ok, mut skip, mut excepted) = (0, 0, 0);
        for (name, outcome) in run_file(path) {
            total += 1;
            let exception = listed.get_key_value(name.as_str());
            if let Some((known, _)) = exception {
                seen.push(*known);
            }
            match (outcome, exception) {
                (Outcome::Pass, None) => ok += 1,
                (Outcome::Pass, Some(_)) => wrong.push(format!("{name} passes but is listed")),
                (Outcome::Skip(reason), _) => {
                    skip += 1;
                    *skipped.entry(reason).or_default() += 1;
                }
                (Outcome::Fail(_), Some(_)) => excepted += 1,
                (Outcome::Fail(why), None) => wrong.push(format!("{name}: {why}")),
            }
        }
        passed += ok;
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        println!("{file}: {ok} pass, {excepted} listed, {skip} do not apply");
    }
    println!("{passed} of {total} pass; do not apply: {skipped:?}");
    let stale: Vec<_> = listed.keys().filter(|name| !seen.contains(name)).collect();
    assert!(stale.is_empty(), "listed but not there: {stale:?}");
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(passed > 1_300, "only {passed} cases were run");
}

fn run_file(path: &Path) -> Vec<(String, Outcome)> {
    let text = std::fs::read_to_string(path).expect("a readable file");
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let all = parse(&text);
    let mut out = Vec::new();
    for section in all.all("section").filter_map(Field::message) {
        let name = section.text("name").unwrap_or_default();
        for test in section.all("test").filter_map(Field::message) {
            let base =
                format!("{}/{name}/{}", file.trim_end_matches(".textproto"), test.text("name").unwrap_or_default());
            let repeats = out
                .iter()
                .filter(|(n, _): &&(String, Outcome)| *n == base || n.starts_with(&format!("{base}#")))
                .count();
            let name = if repeats == 0 { base } else { format!("{base}#{}", repeats + 1) };
            let outcome =
                if MESSAGE_FILES.contains(&file.as_str()) { Outcome::Skip("protobuf messages") } else { run(test) };
            out.push((name, outcome));
        }
    }
    out
}

/// Whether a case speaks about protobuf messages, enums or wrappers, which documents do not have.
fn is_about_messages(test: &Message) -> bool {
    let expr = test.text("expr").unwrap_or_default();
    let words = [
        "TestAllTypes",
        "NestedTestAllTypes",
        "Value{",
        "Struct{",
        "Any{",
        "Timestamp{",
        "Duration{",
        "NullValue",
        "proto.",
        "cel.expr.conformance",
        "GlobalEnum",
    ];
    words.iter().any(|w| expr.contains(w)) || mentions_message(test)
}

fn mentions_message(message: &Message) -> bool {
    message.0.iter().any(|(name, field)| match field {
        Field::Message(inner) => {
            (name.starts_with("[type.googleapis.com")
                && !name.contains("google.protobuf.Duration")
                && !name.contains("google.protobuf.Timestamp"))
                || mentions_message(inner)
        }
        Field::Word(_) => matches!(name.as_str(), "wrapper"),
        Field::Text(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            matches!(name.as_str(), "message_type" | "enum_value")
                && !matches!(&*text, "google.protobuf.Duration" | "google.protobuf.Timestamp")
        }
    })
}

fn run(test: &Message) -> Outcome {
    if is_about_messages(test) {
        return Outcome::Skip("protobuf messages");
    }
    let source = test.text("expr").unwrap_or_default();
    let (mut env, mut functions) = (Env::new(), Functions::standard());
    if let Some(container) = test.text("container") {
        env.container(&container);
    }
    let bindings: Vec<(String, Val<'static>)> = test.all("bindings").filter_map(Field::message).map(binding).collect();
    let mut types: BTreeMap<String, Type> = BTreeMap::new();
    for declared in test.all("type_env").filter_map(Field::message) {
        let name = declared.text("name").unwrap_or_default();
        if let Some(ident) = declared.message("ident") {
            types.insert(name, ident.message("type").map_or(Type::Dyn, read_type));
        } else if let Some(function) = declared.message("function") {
            for overload in function.all("overloads").filter_map(Field::message) {
                let params: Vec<String> =
                    overload.all("params").filter_map(Field::message).map(|p| written(&read_type(p))).collect();
                let result = overload.message("result_type").map_or(Type::Dyn, read_type);
                let signature = format!("{name}({}) -> {}", params.join(", "), written(&result));
                functions.pure(&signature, |_, _| Val::Null).expect("a signature");
            }
        }
    }
    for (name, _) in &bindings {
        types.entry(name.clone()).or_insert(Type::Dyn);
    }
    let mut vars = Vec::new();
    for (name, t) in types {
        let index = env.var(name.clone(), t);
        assert_eq!(index, vars.len());
        vars.push(bindings.iter().find(|(n, _)| *n == name).map_or(Val::Null, |(_, v)| v.clone()));
    }
    let unchecked = test.word("disable_check") == Some("true");
    let compiled = if unchecked {
        compile_unchecked(&source, &env, &functions, &Limits::default())
    } else {
        compile_value(&source, &env, &functions, &Limits::default())
    };
    let wants_error = test.get("eval_error").is_some() || test.get("any_eval_errors").is_some();
    let program = match compiled {
        Ok(program) => program,
        Err(_) if wants_error => return Outcome::Pass,
        Err(error) => return Outcome::Fail(format!("`{source}` does not compile: {error}")),
    };
    let typed = test.message("typed_result");
    if let Some(wanted) = typed.and_then(|t| t.message("deduced_type")) {
        let wanted = read_type(wanted);
        if *program.result_type() != wanted {
            return Outcome::Fail(format!("`{source}` has type {}, not {wanted}", program.result_type()));
        }
    }
    if test.word("check_only") == Some("true") {
        return Outcome::Pass;
    }
    judge(test, &source, &program, &vars, wants_error)
}

fn judge(test: &Message, source: &str, program: &Program, vars: &[Val<'static>], wants_error: bool) -> Outcome {
    let now = Time::from_seconds(0);
    let frame = Frame { fields: &[], vars, host: None, now, absent_is_null: false, plain: false };
    let value = program.eval(&frame);
    if wants_error {
        return match value {
            Val::Error(_) => Outcome::Pass,
            other => Outcome::Fail(format!("`{source}` is {other:?}, not an error")),
        };
    }
    let wanted = test.message("value").or(test.message("typed_result").and_then(|t| t.message("result")));
    let wanted = wanted.map_or(Val::Bool(true), read_value);
    if same(&value, &wanted) {
        Outcome::Pass
    } else {
        Outcome::Fail(format!("`{source}` is {value:?}, not {wanted:?}"))
    }
}

fn binding(message: &Message) -> (String, Val<'static>) {
    let value = message.message("value").and_then(|v| v.message("value")).map_or(Val::Null, read_value);
    (message.text("key").unwrap_or_default(), value)
}

fn number<T: std::str::FromStr>(field: &Field) -> T {
    match field {
        Field::Word(word) => match word.parse() {
            Ok(number) => number,
            Err(_) => panic!("{word} is a number"),
        },
        other => panic!("{other:?} is a number"),
    }
}

fn read_value(message: &Message) -> Val<'static> {
    let Some((name, field)) = message.0.first() else { return Val::Null };
    let text = || match field {
        Field::Text(bytes) => bytes.clone(),
        other => panic!("{other:?} is a text"),
    };
    match name.as_str() {
        "null_value" => Val::Null,
        "bool_value" => Val::Bool(number(field)),
        "int64_value" => Val::Int(number(field)),
        "uint64_value" => Val::Uint(number(field)),
        "double_value" => Val::Double(match field {
            Field::Word(word) if word.eq_ignore_ascii_case("infinity") => f64::INFINITY,
            Field::Word(word) if word.eq_ignore_ascii_case("-infinity") => f64::NEG_INFINITY,
            field => number(field),
        }),
        "string_value" => Val::string(String::from_utf8(text()).expect("utf-8")),
        "bytes_value" => Val::Bytes(text().into()),
        "type_value" => Val::Type(plumb_cel::Str::Owned(String::from_utf8(text()).expect("utf-8").into())),
        "list_value" => {
            let list = field.message().expect("a list");
            Val::list(list.all("values").filter_map(Field::message).map(read_value).collect())
        }
        "map_value" => {
            let map = field.message().expect("a map");
            let mut entries = BTreeMap::new();
            for entry in map.all("entries").filter_map(Field::message) {
                let key = entry.message("key").map_or(Val::Null, read_value);
                let value = entry.message("value").map_or(Val::Null, read_value);
                let found = match &key {
                    Val::Bool(b) => Key::Bool(*b),
                    Val::Int(i) => Key::Num((*i).into()),
                    Val::Uint(u) => Key::Num((*u).into()),
                    Val::Str(s) => Key::Str((&**s).into()),
                    other => panic!("{other:?} is a key"),
                };
                entries.insert(found, (key, value));
            }
            Val::Map(MapVal::Built(Arc::new(entries)))
        }
        "object_value" => {
            let (kind, inner) = field.message().and_then(|m| m.0.first()).expect("a message");
            let part = |name: &str| inner.message().and_then(|m| m.get(name)).map_or(0i64, number);
            let (seconds, nanos) = (part("seconds"), part("nanos"));
            if kind.contains("Duration") {
                Val::Duration(seconds * 1_000_000_000 + nanos)
            } else {
                Val::Time(Time::from_seconds(seconds))
            }
        }
        other => panic!("a value of {other}"),
    }
}

fn read_type(message: &Message) -> Type {
    let Some((name, field)) = message.0.first() else { return Type::Dyn };
    let inner = |name: &str| field.message().and_then(|m| m.message(name)).map_or(Type::Dyn, read_type);
    let word = match field {
        Field::Word(word) => word.clone(),
        Field::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Field::Message(_) => String::new(),
    };
    match (name.as_str(), word.as_str()) {
        ("primitive", "BOOL") => Type::Bool,
        ("primitive", "INT64") => Type::Int,
        ("primitive", "UINT64") => Type::Uint,
        ("primitive", "DOUBLE") => Type::Double,
        ("primitive", "STRING") => Type::String,
        ("primitive", "BYTES") => Type::Bytes,
        ("well_known", "TIMESTAMP") | ("message_type", "google.protobuf.Timestamp") => Type::Timestamp,
        ("well_known", "DURATION") | ("message_type", "google.protobuf.Duration") => Type::Duration,
        ("null", _) => Type::Null,
        ("list_type", _) => Type::list(inner("elem_type")),
        ("map_type", _) => Type::Map(Arc::new(inner("key_type")), Arc::new(inner("value_type"))),
        ("type_param", letter) => Type::Param(letter.chars().next().unwrap_or('T')),
        ("abstract_type", _) => {
            let inner = field.message().expect("a type");
            let args: Vec<Type> = inner.all("parameter_types").filter_map(Field::message).map(read_type).collect();
            match (inner.text("name").as_deref(), args.as_slice()) {
                (Some("optional_type"), [t]) => Type::Optional(Arc::new(t.clone())),
                (name, _) => Type::Abstract(name.unwrap_or_default().into(), args.into()),
            }
        }
        ("type", _) => Type::Type(Arc::new(Type::Dyn)),
        _ => Type::Dyn,
    }
}

fn written(t: &Type) -> String {
    t.to_string()
}

/// Equality of type and value; NaN equals NaN.
fn same(a: &Val<'_>, b: &Val<'_>) -> bool {
    match (a, b) {
        (Val::Null, Val::Null) => true,
        (Val::Bool(a), Val::Bool(b)) => a == b,
        (Val::Int(a), Val::Int(b)) => a == b,
        (Val::Uint(a), Val::Uint(b)) => a == b,
        (Val::Double(a), Val::Double(b)) => a == b || (a.is_nan() && b.is_nan()),
        (Val::Str(a), Val::Str(b)) | (Val::Type(a), Val::Type(b)) => **a == **b,
        (Val::Bytes(a), Val::Bytes(b)) => a == b,
        (Val::Time(a), Val::Time(b)) => a == b,
        (Val::Duration(a), Val::Duration(b)) => a == b,
        (Val::List(a), Val::List(b)) => a.len() == b.len() && lists(a).iter().zip(lists(b)).all(|(a, b)| same(a, &b)),
        (Val::Map(a), Val::Map(b)) => {
            let (a, b) = (a.entries(), b.entries());
            a.len() == b.len() && a.iter().all(|(k, v)| b.iter().any(|(l, w)| same(k, l) && same(v, w)))
        }
        _ => false,
    }
}

fn lists<'a>(list: &List<'a>) -> Vec<Val<'a>> {
    list.iter().collect()
}

#[test]
fn every_exception_has_a_reason() {
    for line in EXCEPTIONS.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')) {
        let (name, reason) = line.split_once(": ").expect("name: reason");
        assert!(name.split('/').count() >= 3 && reason.len() > 10, "{line}");
    }
    let _ = Value::Null;
}
