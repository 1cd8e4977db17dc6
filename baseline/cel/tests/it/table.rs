//! Our own table of the language: complete without the official cases.

use plumb_cel::{Env, Frame, Functions, Limits, Val, compile_value};
use plumb_model::Time;

const CASES: &str = include_str!("cases.txt");

fn check(source: &str, wanted: &str) -> Result<(), String> {
    let (env, functions, limits) = (Env::new(), Functions::standard(), Limits::default());
    let frame =
        Frame { fields: &[], vars: &[], host: None, now: Time::from_seconds(0), absent_is_null: false, plain: false };
    let compiled = compile_value(source, &env, &functions, &limits);
    if let Some(part) = wanted.strip_prefix("refused: ") {
        return match compiled {
            Err(error) if error.to_string().contains(part) => Ok(()),
            Err(error) => Err(format!("is refused with: {error}")),
            Ok(_) => Err("compiles".into()),
        };
    }
    let program = compiled.map_err(|e| format!("is refused: {e}"))?;
    let value = program.eval(&frame);
    if let Some(part) = wanted.strip_prefix("error: ") {
        return match &value {
            Val::Error(error) if error.to_string().contains(part) => Ok(()),
            other => Err(format!("is {other:?}")),
        };
    }
    let wanted = compile_value(wanted, &env, &functions, &limits).map_err(|e| format!("wants what is refused: {e}"))?;
    let wanted = wanted.eval(&frame);
    let same = value.type_name() == wanted.type_name() && value.to_value() == wanted.to_value();
    if same && !matches!(value, Val::Error(_)) { Ok(()) } else { Err(format!("is {value:?}, not {wanted:?}")) }
}

#[test]
fn every_case_of_the_table_holds() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in CASES.lines().filter(|l| !l.trim().is_empty() && !l.starts_with("# ")) {
        let (source, wanted) = line.split_once(" ==> ").unwrap_or_else(|| panic!("`{line}` has an arrow"));
        count += 1;
        if let Err(why) = check(source, wanted) {
            wrong.push(format!("`{source}` {why}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 250, "{count} cases");
}

#[test]
fn every_signature_is_listed_once() {
    let all = Functions::standard().signatures();
    let mut unique = all.clone();
    unique.dedup();
    assert_eq!(all, unique);
    assert!(all.contains(&"string.startsWith(string) -> bool".to_owned()), "{all:?}");
    let readme = include_str!("../../README.md");
    for signature in &all {
        let name = signature.split('(').next().unwrap_or_default();
        let name =
            if signature.starts_with("list(") || signature.starts_with("map(") || signature.starts_with("optional(") {
                signature.split(").").nth(1).and_then(|s| s.split('(').next()).unwrap_or(name)
            } else {
                name.rsplit('.').next().unwrap_or(name)
            };
        assert!(readme.contains(name), "the reference does not mention `{name}` of `{signature}`");
    }
}
