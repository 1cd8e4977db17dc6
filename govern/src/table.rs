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

/// Rows as CSV (RFC 4180), nested members flattened to dotted columns in alphabetical order.
pub fn csv(rows: &[Json]) -> String {
    let flats: Vec<Map<String, Json>> = rows
        .iter()
        .map(|r| {
            let mut m = Map::new();
            flat("", r, &mut m);
            m
        })
        .collect();
    let columns: BTreeSet<&String> = flats.iter().flat_map(Map::keys).collect();
    let mut out = columns.iter().map(|c| csv_cell(c)).collect::<Vec<_>>().join(",");
    out.push_str("\r\n");
    for row in &flats {
        let cells: Vec<_> =
            columns.iter().map(|c| row.get(*c).map_or_else(String::new, |v| csv_cell(&plain(v)))).collect();
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
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
