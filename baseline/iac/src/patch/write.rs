//! Writing values in the style of the text around them.

use super::Edit;
use super::tree::{self, Entry, Form, Tree, What};
use serde_json::Value as Json;
use std::fmt::Write;

/// What is to be written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Lit {
    /// A value.
    Plain(Json),
    /// Source text of Terraform.
    Raw(String),
    List(Vec<Lit>),
    Map(Vec<(String, Lit)>),
    /// Nested blocks of Terraform.
    Blocks(Vec<Lit>),
}

/// Replaces a value that is written out.
pub(super) fn replace(tree: &Tree, form: Form, value: &Json) -> Edit {
    Edit { start: tree.start, end: tree.end, text: scalar(value, form), spot: format!("={}", tree.start) }
}

/// Adds `key` to a map. None when the map is written in a way that leaves no place.
pub(super) fn add(text: &str, map: &Tree, key: &str, lit: &Lit) -> Option<Edit> {
    let What::Map(entries, form) = &map.what else { return None };
    let mut edit = match form {
        Form::Body => add_to_body(text, map, entries, key, lit),
        Form::Yaml => {
            let first = entries.first()?;
            let pad = column(text, first.start);
            let last = entries.iter().map(|e| e.end).max()?;
            let at = end_of_line(text, text.get(..last)?.trim_end().len());
            Edit::insert(at, format!("\n{}{}", " ".repeat(pad), yaml_entry(key, lit, pad)))
        }
        Form::Json | Form::Bicep | Form::Hcl => add_to_braces(text, map, entries, *form, |indent| {
            let value = render(lit, *form, indent);
            match form {
                Form::Json => format!("{}: {value}", Json::from(key)),
                Form::Bicep if is_name(key) => format!("{key}: {value}"),
                Form::Bicep => format!("{}: {value}", scalar(&key.into(), Form::Bicep)),
                _ if is_name(key) => format!("{key} = {value}"),
                _ => format!("{} = {value}", scalar(&key.into(), Form::Hcl)),
            }
        }),
    };
    edit.spot = format!("{}+{key}", map.start);
    Some(edit)
}

/// Adds an item to a list.
pub(super) fn append(text: &str, list: &Tree, lit: &Lit) -> Option<Edit> {
    let What::List(items, form) = &list.what else { return None };
    let mut edit = if *form == Form::Yaml {
        let first = items.first()?;
        let line = line_start(text, first.start);
        let dash = text.get(line..first.start)?.rfind('-')?;
        let last = items.iter().map(|i| i.end).max()?;
        let at = end_of_line(text, text.get(..last)?.trim_end().len());
        Edit::insert(at, format!("\n{}- {}", " ".repeat(dash), yaml_item(lit, dash)))
    } else {
        let entries: Vec<Entry> = items
            .iter()
            .map(|i| Entry { key: "".into(), start: i.start, end: i.end, value: i.clone(), block: false })
            .collect();
        // Terraform separates items of a list with commas, its objects with line ends.
        let style = if *form == Form::Hcl { Form::Json } else { *form };
        add_to_braces(text, list, &entries, style, |indent| render(lit, *form, indent))
    };
    edit.spot = format!("{}+{lit:?}", list.start);
    Some(edit)
}

/// Adds one more block of a name to a body, after the last of them.
pub(super) fn append_block(text: &str, body: &Tree, key: &str, lit: &Lit) -> Option<Edit> {
    let What::Map(entries, _) = &body.what else { return None };
    let last = entries.iter().rfind(|e| e.block && &*e.key == key)?;
    let indent = indent_of(text, last.start);
    let at = end_of_line(text, last.end);
    let mut edit = Edit::insert(at, format!("\n\n{indent}{}", block(key, lit, indent)));
    edit.spot = format!("{}+{lit:?}", body.start);
    Some(edit)
}

/// A resource block of Terraform.
pub(super) fn resource(type_: &str, name: &str, lit: &Lit) -> String {
    block(&format!("resource \"{type_}\" \"{name}\""), lit, "")
}

/// A resource in a Terraform file in JSON: with the others of its type, else behind all others.
pub(super) fn json_resource(text: &str, type_: &str, name: &str, lit: &Lit) -> Option<Edit> {
    let root = tree::terraform_json(text)?;
    let all = &tree::member(&root, "resource")?.value;
    let named = |lit: &Lit| Lit::Map(vec![(name.to_owned(), lit.clone())]);
    match (&all.what, tree::member(all, type_)) {
        (_, Some(same)) => add(text, &same.value, name, lit),
        (What::Map(..), None) => add(text, all, type_, &named(lit)),
        (What::List(..), None) => append(text, all, &Lit::Map(vec![(type_.to_owned(), named(lit))])),
        _ => None,
    }
}

fn add_to_body(text: &str, map: &Tree, entries: &[Entry], key: &str, lit: &Lit) -> Edit {
    let inner = text.get(map.start..map.end).unwrap_or_default();
    let outer = indent_of(text, map.start).to_owned();
    let step = entries.iter().find(|e| line_start(text, e.start) > map.start).map(|e| indent_of(text, e.start));
    let indent = step.map_or_else(|| format!("{outer}  "), str::to_owned);
    let item = |width: usize| match lit {
        Lit::Blocks(items) => {
            let blocks: Vec<String> = items.iter().map(|i| block(key, i, &indent)).collect();
            blocks.join(&format!("\n{indent}"))
        }
        _ => format!("{key:width$} = {}", render(lit, Form::Hcl, &indent)),
    };
    if !inner.contains('\n') {
        let before = if inner.trim().is_empty() { String::new() } else { format!("\n{indent}{}", inner.trim()) };
        let gap = if matches!(lit, Lit::Blocks(_)) && !before.is_empty() { "\n" } else { "" };
        let text = format!("{before}{gap}\n{indent}{}\n{outer}", item(0));
        return Edit { start: map.start, end: map.end, text, spot: String::new() };
    }
    if let Lit::Blocks(_) = lit {
        return match entries.iter().map(|e| e.end).max() {
            Some(last) => Edit::insert(end_of_line(text, back(text, last)), format!("\n\n{indent}{}", item(0))),
            None => Edit::insert(end_of_line(text, map.start), format!("\n{indent}{}", item(0))),
        };
    }
    let first_block = entries.iter().find(|e| e.block).map_or(usize::MAX, |e| e.start);
    let before_blocks = entries.iter().filter(|e| !e.block && e.start < first_block).max_by_key(|e| e.end);
    let Some(last) = before_blocks.or_else(|| entries.iter().filter(|e| !e.block).max_by_key(|e| e.end)) else {
        let gap = if first_block < usize::MAX { "\n" } else { "" };
        return Edit::insert(end_of_line(text, map.start), format!("\n{indent}{}{gap}", item(0)));
    };
    let at = end_of_line(text, back(text, last.end));
    // Equal signs of neighbouring lines stand below each other; where ours would move theirs, it stands apart.
    let line = text.get(line_start(text, last.start)..).unwrap_or_default();
    let one_line = !text.get(last.start..last.end).unwrap_or_default().trim().contains('\n');
    let width = line.find('=').map_or(0, |e| e.saturating_sub(indent.len() + 1));
    let addition = match one_line {
        true if key.len() <= width => format!("\n{indent}{}", item(width)),
        true => format!("\n\n{indent}{}", item(0)),
        false => format!("\n{indent}{}", item(0)),
    };
    Edit::insert(at, addition)
}

fn add_to_braces(text: &str, map: &Tree, entries: &[Entry], form: Form, item: impl Fn(&str) -> String) -> Edit {
    let outer = indent_of(text, map.start).to_owned();
    let inner = text.get(map.start + 1..map.end.saturating_sub(1)).unwrap_or_default();
    let unit = if form == Form::Json { unit_of(text) } else { "  " };
    let item = |indent: &str| reindented(&item(indent), indent, unit);
    let Some(last) = entries.iter().max_by_key(|e| e.end) else {
        let indent = format!("{outer}{unit}");
        // YAML in braces stays on its line.
        let text = match form {
            Form::Json if !text.trim_start().starts_with('{') => item(&indent).replace('\n', " "),
            _ => format!("\n{indent}{}\n{outer}", item(&indent)),
        };
        let comments = if inner.trim().is_empty() { map.end.saturating_sub(1) } else { map.start + 1 };
        return Edit { start: map.start + 1, end: comments, text, spot: String::new() };
    };
    let several = text.get(map.start..last.start).is_some_and(|t| t.contains('\n'));
    if !several {
        let comma = format!(", {}", item(&outer).split('\n').map(str::trim).collect::<Vec<_>>().join(" "));
        return Edit::insert(last.end, comma);
    }
    let indent = indent_of(text, last.start);
    let comma = if form == Form::Json { "," } else { "" };
    // A comma of the last entry stays where it is.
    let followed = text.get(last.end..).is_some_and(|t| t.trim_start().starts_with(','));
    if followed && form != Form::Bicep {
        let at = last.end + text.get(last.end..).and_then(|t| t.find(',')).unwrap_or(0) + 1;
        let tail = if form == Form::Json && text.trim_start().starts_with('{') { "" } else { "," };
        return Edit::insert(end_of_line(text, at), format!("\n{indent}{}{tail}", item(indent)));
    }
    if form == Form::Json {
        return Edit::insert(last.end, format!("{comma}\n{indent}{}", item(indent)));
    }
    Edit::insert(end_of_line(text, last.end), format!("\n{indent}{}", item(indent)))
}

/// What one step of indentation is in this file: that of the first line that has any.
fn unit_of(text: &str) -> &str {
    let indents = text.lines().filter(|l| !l.trim().is_empty()).map(|l| indent_of(l, 0));
    indents.into_iter().find(|i| !i.is_empty()).filter(|i| i.len() <= 8).unwrap_or("  ")
}

/// Lines that were written with two spaces a step, with the steps of the file.
fn reindented(lines: &str, indent: &str, unit: &str) -> String {
    if unit == "  " {
        return lines.to_owned();
    }
    let mut out = String::with_capacity(lines.len());
    for (n, line) in lines.split('\n').enumerate() {
        match line.strip_prefix(indent).filter(|_| n > 0) {
            Some(rest) => {
                let own = rest.trim_start_matches(' ');
                let _ = write!(out, "\n{indent}{}{own}", unit.repeat((rest.len() - own.len()) / 2));
            }
            None if n > 0 => {
                let _ = write!(out, "\n{line}");
            }
            None => out.push_str(line),
        }
    }
    out
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn scalar(value: &Json, form: Form) -> String {
    let Some(text) = value.as_str() else { return value.to_string() };
    match form {
        Form::Body | Form::Hcl => Json::from(text).to_string().replace("${", "$${").replace("%{", "%%{"),
        Form::Json => Json::from(text).to_string(),
        Form::Bicep => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace("${", "\\${")),
        Form::Yaml => {
            let simple = text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
            let word = matches!(
                text.to_ascii_lowercase().as_str(),
                "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
            );
            if simple && !word { text.to_owned() } else { Json::from(text).to_string() }
        }
    }
}

fn render(lit: &Lit, form: Form, indent: &str) -> String {
    let deeper = format!("{indent}  ");
    match lit {
        Lit::Plain(value) => scalar(value, form),
        Lit::Raw(text) => text.clone(),
        Lit::List(items) | Lit::Blocks(items) => {
            let flat = items.iter().all(|i| matches!(i, Lit::Plain(_) | Lit::Raw(_)));
            match form {
                Form::Bicep | Form::Json if !flat || form == Form::Bicep => {
                    let comma = if form == Form::Json { "," } else { "" };
                    let rows: Vec<String> =
                        items.iter().map(|i| format!("\n{deeper}{}", render(i, form, &deeper))).collect();
                    format!("[{}\n{indent}]", rows.join(comma))
                }
                _ => {
                    let rows: Vec<String> = items.iter().map(|i| render(i, form, indent)).collect();
                    format!("[{}]", rows.join(", "))
                }
            }
        }
        Lit::Map(members) => {
            let width = members.iter().map(|(k, _)| k.len()).max().unwrap_or(0);
            let mut out = String::from("{");
            for (i, (key, value)) in members.iter().enumerate() {
                let comma = if form == Form::Json && i > 0 { "," } else { "" };
                let value = render(value, form, &deeper);
                let _ = match form {
                    Form::Json => write!(out, "{comma}\n{deeper}{}: {value}", Json::from(key.as_str())),
                    Form::Bicep => write!(out, "\n{deeper}{key}: {value}"),
                    _ => write!(out, "\n{deeper}{key:width$} = {value}"),
                };
            }
            let _ = write!(out, "\n{indent}}}");
            out
        }
    }
}

/// A block with aligned attributes first and nested blocks after them.
fn block(header: &str, lit: &Lit, indent: &str) -> String {
    let Lit::Map(members) = lit else { return format!("{header} {{}}") };
    if members.is_empty() {
        return format!("{header} {{}}");
    }
    let deeper = format!("{indent}  ");
    let mut out = format!("{header} {{");
    let attrs: Vec<&(String, Lit)> = members.iter().filter(|(_, v)| !matches!(v, Lit::Blocks(_))).collect();
    let width = attrs.iter().map(|(k, _)| k.len()).max().unwrap_or(0);
    for (key, value) in &attrs {
        let _ = write!(out, "\n{deeper}{key:width$} = {}", render(value, Form::Hcl, &deeper));
    }
    let mut gap = if attrs.is_empty() { "" } else { "\n" };
    for (key, value) in members {
        let Lit::Blocks(items) = value else { continue };
        for item in items {
            let _ = write!(out, "{gap}\n{deeper}{}", block(key, item, &deeper));
            gap = "\n";
        }
    }
    let _ = write!(out, "\n{indent}}}");
    out
}

fn yaml_entry(key: &str, lit: &Lit, pad: usize) -> String {
    match lit {
        Lit::Plain(value) => format!("{key}: {}", scalar(value, Form::Yaml)),
        Lit::Raw(text) => format!("{key}: {text}"),
        Lit::Map(members) if members.is_empty() => format!("{key}: {{}}"),
        Lit::Map(members) => {
            let mut out = format!("{key}:");
            for (name, value) in members {
                let _ = write!(out, "\n{}{}", " ".repeat(pad + 2), yaml_entry(name, value, pad + 2));
            }
            out
        }
        Lit::List(items) | Lit::Blocks(items) => {
            let mut out = format!("{key}:");
            for item in items {
                let _ = write!(out, "\n{}- {}", " ".repeat(pad + 2), yaml_item(item, pad + 2));
            }
            out
        }
    }
}

/// An item behind its dash, which stands at `pad`.
fn yaml_item(lit: &Lit, pad: usize) -> String {
    match lit {
        Lit::Map(members) if !members.is_empty() => {
            let rows: Vec<String> = members.iter().map(|(k, v)| yaml_entry(k, v, pad + 2)).collect();
            rows.join(&format!("\n{}", " ".repeat(pad + 2)))
        }
        Lit::Plain(value) => scalar(value, Form::Yaml),
        other => render(other, Form::Json, ""),
    }
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|t| t.rfind('\n')).map_or(0, |n| n + 1)
}

/// Before the line break at or behind `at`.
pub(super) fn end_of_line(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let line = rest.split('\n').next().unwrap_or_default();
    at + line.trim_end_matches('\r').len()
}

/// A heredoc ends behind its line break.
fn back(text: &str, at: usize) -> usize {
    text.get(..at).map_or(at, |t| t.trim_end_matches(['\n', '\r']).len())
}

fn column(text: &str, at: usize) -> usize {
    at - line_start(text, at)
}

fn indent_of(text: &str, at: usize) -> &str {
    let line = text.get(line_start(text, at)..).unwrap_or_default();
    let width = line.len() - line.trim_start_matches([' ', '\t']).len();
    line.get(..width).unwrap_or_default()
}
