//! Each expression in a file of its own, so that one that Terraform refuses spoils no other, as the input of a
//! `terraform_data`: its value, its JSON text (numbers digit by digit, order, escapes), and whether it can be indexed
//! (a set cannot, a list can). What fails while it is evaluated is marked by `try`; what cannot even be read, or names what
//! is not there, is taken out by what Terraform says of its file.

use super::{Bench, Tally, copy, sameness::numbers, short, text, write};
use crate::{Done, root};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// What must be the same, in per cent. The list is made of what is odd; `docs/accuracy.md` says what still differs.
const LIMIT: f64 = 95.0;

/// How often refused expressions are taken out: syntax, then references, then what only evaluation sees.
const ROUNDS: usize = 8;

/// One expression a line; several lines between `<<<` and `>>>`; `##` begins a heading.
fn list(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut open: Option<Vec<&str>> = None;
    for line in text.lines() {
        match (line, &mut open) {
            ("<<<", None) => open = Some(Vec::new()),
            (">>>", Some(lines)) => {
                out.push(lines.join("\n"));
                open = None;
            }
            (_, Some(lines)) => lines.push(line),
            _ if line.is_empty() || line.starts_with("##") => {}
            _ => out.push(line.to_owned()),
        }
    }
    out
}

fn file(name: &str, expression: &str) -> String {
    format!(
        "locals {{\n  {name} = try({{ v = {expression}\n  }}, {{ error = true }})\n}}\n\
         resource \"terraform_data\" \"{name}\" {{\n  input = {{\n    value   = local.{name}\n    \
         text    = try(jsonencode(local.{name}.v), null)\n    indexed = can(local.{name}.v[0])\n  }}\n}}\n"
    )
}

/// What was answered, in a form that can be compared: `refused`, or value, text and whether it can be indexed.
fn answer(input: Option<&Json>) -> Json {
    let refused = json!("refused");
    let Some(input) = input else { return refused };
    // What cannot be read leaves nothing of the whole input.
    let nothing = |at: &str| input.pointer(at).is_some_and(|v| v.get("unknown").is_some() && v.get("v").is_none());
    if input.pointer("/value/error").is_some() || nothing("") || nothing("/value") {
        return refused;
    }
    let part = |name: &str| match input.pointer(name) {
        // Terraform leaves out what is not known yet.
        None => json!("unknown"),
        Some(part) if part.get("unknown").is_some() => json!("unknown"),
        // Digit by digit numbers are compared in the text.
        Some(part) => numbers(part),
    };
    json!({ "value": part("/value/v"), "text": part("/text"), "indexed": part("/indexed") })
}

fn inputs<'a>(resources: impl Iterator<Item = &'a Json>) -> BTreeMap<String, Json> {
    resources.filter_map(|r| Some((text(r, "/name").to_owned(), r.pointer("/values/input")?.clone()))).collect()
}

pub fn run(bench: &Bench) -> Done {
    let here = root().join("xtask/src/bench/terraform");
    let dir = bench.base.join("expressions");
    let _ = fs::remove_dir_all(&dir);
    copy(&here.join("beside"), &dir)?;
    let list = list(&fs::read_to_string(here.join("expressions.txt")).map_err(|e| e.to_string())?);
    let name = |i: usize| format!("e{i:04}");
    for (i, expression) in list.iter().enumerate() {
        write(&dir.join(name(i)).with_extension("tf"), &file(&name(i), expression))?;
    }
    let ours = inputs(bench.ours(&dir)?.iter());
    let mut refused = BTreeSet::new();
    let mut plan = None;
    for _ in 0..ROUNDS {
        let said = match bench.plan(&dir)? {
            Ok(json) => {
                plan = Some(json);
                break;
            }
            Err(said) => said,
        };
        let before = refused.len();
        for row in &said {
            // A value that cannot be planned (infinity) is told without a file.
            let named = text(row, "/@message").split_once("terraform_data.").map(|(_, rest)| rest);
            let name = match text(row, "/diagnostic/range/filename").strip_suffix(".tf") {
                Some(name) => name,
                None => named.and_then(|n| n.split(' ').next()).unwrap_or_default(),
            };
            if fs::remove_file(dir.join(name).with_extension("tf")).is_ok() {
                refused.insert(name.to_owned());
            }
        }
        if refused.len() == before {
            return Err(format!(
                "Terraform refuses the expressions: {}",
                said.first().map_or("", |r| text(r, "/@message"))
            ));
        }
    }
    let plan = plan.ok_or("Terraform refuses expressions in every round")?;
    let resources = plan.pointer("/planned_values/root_module/resources").and_then(Json::as_array);
    let theirs = inputs(resources.into_iter().flatten());
    let mut tally = Tally::default();
    let mut wrong = 0;
    for (i, expression) in list.iter().enumerate() {
        let (their, our) = (answer(theirs.get(&name(i))), answer(ours.get(&name(i))));
        wrong += usize::from(their == json!("refused"));
        tally.add(their == our);
        if their != our {
            println!(
                "  {} {expression}\n      terraform {}\n      plumb     {}",
                name(i),
                short(Some(&their)),
                short(Some(&our))
            );
        }
    }
    println!("  {} expressions, of which Terraform refuses {wrong} ({} before evaluation)", list.len(), refused.len());
    tally.show("expressions", LIMIT)
}
