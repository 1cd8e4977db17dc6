//! Lists for people and programs: JSON lines that lose nothing, and CSV that no spreadsheet executes.

pub use plumb_model::csv_cell;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

fn flat(prefix: &str, value: &Json, out: &mut Map<String, Json>) {
    match value {
        Json::Object(members) => {
            for (k, v) in members {
                let name = if prefix.is_empty() { k.clone() } else { format!("{prefix}.{k}") };
                flat(&name, v, out);
            }
        }
        Json::Array(items) if items.iter().all(|i| i.is_string() || i.is_number()) => {
            let words: Vec<_> = items.iter().map(plain).collect();
            out.insert(prefix.into(), words.join(" ").into());
        }
        other => {
            out.insert(prefix.into(), other.clone());
        }
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// Reads CSV (RFC 4180) with a header: one map from column to cell a row, in order. Quoted cells may hold separators, quotes
/// and line ends; an apostrophe that guards a formula is taken off again. `;` separates where the header has more of them.
///
/// # Errors
/// There is no header, a quote is not closed, or a row has more cells than the header; the line is named.
pub fn read_csv(text: &str) -> Result<Vec<std::collections::BTreeMap<String, String>>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().next().unwrap_or_default();
    let sep = if first.matches(';').count() > first.matches(',').count() { ';' } else { ',' };
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut line, mut begun) = (false, 1, 1);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        line += usize::from(c == '\n');
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            c if quoted => cell.push(c),
            c if c == sep => row.push(std::mem::take(&mut cell)),
            '\r' => {}
            '\n' => {
                row.push(std::mem::take(&mut cell));
                rows.push((begun, std::mem::take(&mut row)));
                begun = line;
            }
            c => cell.push(c),
        }
    }
    if quoted {
        return Err(format!("line {begun}: a quote is not closed"));
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push((begun, row));
    }
    rows.retain(|(_, r)| r.iter().any(|c| !c.trim().is_empty()));
    let mut rows = rows.into_iter();
    let (_, header) = rows.next().ok_or("the list is empty; its first line names the columns")?;
    let names: Vec<String> = header.iter().map(|h| h.trim().to_lowercase().replace([' ', '-'], "_")).collect();
    rows.map(|(line, cells)| {
        if cells.len() > names.len() {
            return Err(format!("line {line}: {} cells, but the header names {}", cells.len(), names.len()));
        }
        let plain = |c: String| match c.strip_prefix('\'') {
            Some(rest) if rest.starts_with(['=', '+', '-', '@']) => rest.to_owned(),
            _ => c,
        };
        Ok(names.iter().cloned().zip(cells.into_iter().map(plain)).collect())
    })
    .collect()
}

/// Adds the columns a row has as CSV: nested members flattened to dotted names.
pub fn columns(row: &Json, to: &mut BTreeSet<String>) {
    let mut flats = Map::new();
    flat("", row, &mut flats);
    for name in flats.keys() {
        if !to.contains(name) {
            to.insert(name.clone());
        }
    }
}

/// The first line of CSV.
pub fn csv_head(columns: &BTreeSet<String>) -> String {
    columns.iter().map(|c| csv_cell(c)).collect::<Vec<_>>().join(",") + "\r\n"
}

/// A row as a line of CSV.
pub fn csv_row(columns: &BTreeSet<String>, row: &Json) -> String {
    let mut flats = Map::new();
    flat("", row, &mut flats);
    let cell = |c: &String| flats.get(c).map_or_else(String::new, |v| csv_cell(&plain(v)));
    columns.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n"
}

/// Rows as CSV (RFC 4180), nested members flattened to dotted columns in alphabetical order.
pub fn csv(rows: &[Json]) -> String {
    let mut names = BTreeSet::new();
    rows.iter().for_each(|row| columns(row, &mut names));
    let mut out = csv_head(&names);
    rows.iter().for_each(|row| out.push_str(&csv_row(&names, row)));
    out
}

/// Rows as JSON lines, canonical, so that equal rows are equal bytes.
pub fn jsonl(rows: &[Json]) -> Vec<u8> {
    let mut out = Vec::new();
    for row in rows {
        crate::log::canonical::write(row, &mut out);
        out.push(b'\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_rows_become_dotted_columns() {
        let rows =
            [serde_json::json!({"b": {"c": 1}, "a": ["x", "y"]}), serde_json::json!({"a": null, "d": [{"e": 1}]})];
        assert_eq!(csv(&rows), "a,b.c,d\r\nx y,1,\r\n,,\"[{\"\"e\"\":1}]\"\r\n");
        assert_eq!(jsonl(&rows[..1]), b"{\"a\":[\"x\",\"y\"],\"b\":{\"c\":1}}\n");
    }
}
