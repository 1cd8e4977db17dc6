//! Rows with headings, out of CSV or XLSX, one at a time and with bounded memory.

use crate::{
    mapping::{Limits, canonical},
    unpack::{self, Zip},
};
use csv_core::ReadRecordResult as R;
use quick_xml::events::Event;
use std::{collections::BTreeMap, io::BufRead};

/// A CSV reader that never holds more than one row, and never a row larger than its limit.
pub(crate) struct Rows<'a> {
    input: Box<dyn BufRead + 'a>,
    core: csv_core::Reader,
    output: Vec<u8>,
    ends: Vec<usize>,
    fields: usize,
    most: usize,
    done: bool,
    /// Whether the last row ended with the file, not with a line's end.
    last: bool,
    /// The line the last row began at, counted from 1.
    pub(crate) line: u64,
}

/// What [`Rows::next`] found.
pub(crate) enum Row {
    /// A row is ready in the reader.
    Ready,
    /// A row was larger than the limit and is dropped.
    TooLarge,
    /// The end.
    End,
    /// The input broke.
    Broken(String),
}

impl<'a> Rows<'a> {
    /// Reads CSV with this delimiter.
    pub(crate) fn new(input: Box<dyn BufRead + 'a>, delimiter: u8, limits: &Limits) -> Self {
        Self {
            input,
            core: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            output: vec![0; 16 << 10],
            ends: vec![0; 256],
            fields: 0,
            most: limits.record_bytes,
            done: false,
            last: false,
            line: 0,
        }
    }

    /// Reads CSV whose delimiter (comma, semicolon or tab) is judged by what comes first.
    pub(crate) fn sniffed(mut input: Box<dyn BufRead + 'a>, limits: &Limits) -> Self {
        let head = input.fill_buf().unwrap_or_default();
        let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
        let count = |d: u8| line.iter().filter(|b| **b == d).count();
        let delimiter = [b',', b';', b'\t'].into_iter().max_by_key(|d| (count(*d), *d == b',')).unwrap_or(b',');
        Self::new(input, delimiter, limits)
    }

    /// Moves to the next row.
    pub(crate) fn next(&mut self) -> Row {
        if self.done {
            return Row::End;
        }
        self.line = self.core.line();
        let (mut out, mut ends, mut too_large) = (0, 0, false);
        loop {
            let buf = match self.input.fill_buf() {
                Ok(buf) => buf,
                Err(e) => {
                    self.done = true;
                    return Row::Broken(e.to_string());
                }
            };
            let over = buf.is_empty();
            let (Some(space), Some(end_space)) = (self.output.get_mut(out..), self.ends.get_mut(ends..)) else {
                self.done = true;
                return Row::Broken("row buffer lost".into());
            };
            let (result, nin, nout, nend) = self.core.read_record(buf, space, end_space);
            self.input.consume(nin);
            out += nout;
            ends += nend;
            match result {
                R::InputEmpty => {}
                R::OutputFull if out >= self.most || too_large => {
                    // Forget what was read of this row and go on to its end.
                    too_large = true;
                    out = 0;
                    ends = 0;
                }
                R::OutputFull => self.output.resize((self.output.len() * 2).min(self.most.max(1024)), 0),
                R::OutputEndsFull if self.ends.len() >= 65_536 || too_large => {
                    too_large = true;
                    out = 0;
                    ends = 0;
                }
                R::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                R::Record if too_large => return Row::TooLarge,
                R::Record => {
                    self.fields = ends;
                    self.last = over;
                    return Row::Ready;
                }
                R::End => {
                    self.done = true;
                    return if too_large { Row::TooLarge } else { Row::End };
                }
            }
        }
    }

    /// Whether the file breaks off in this row: no line's end, and fewer fields than the heading has.
    pub(crate) fn cut_off(&self, width: usize) -> bool {
        self.last && self.fields < width
    }

    /// How many fields the row has.
    pub(crate) fn len(&self) -> usize {
        self.fields
    }

    /// A field of the row; empty if the row is shorter.
    pub(crate) fn get(&self, index: usize) -> &[u8] {
        if index >= self.fields {
            return &[];
        }
        let start = if index == 0 { 0 } else { self.ends.get(index - 1).copied().unwrap_or_default() };
        let end = self.ends.get(index).copied().unwrap_or_default();
        self.output.get(start..end).unwrap_or_default()
    }

    /// A field as text, trimmed; bytes that are no UTF-8 are replaced.
    pub(crate) fn text(&self, index: usize) -> String {
        String::from_utf8_lossy(self.get(index)).trim().to_owned()
    }

    /// All fields as text.
    pub(crate) fn texts(&self) -> Vec<String> {
        (0..self.fields).map(|i| self.text(i)).collect()
    }
}

/// The place of each wanted column among headings; the first alternative that is there wins.
pub(crate) fn column(headings: &[String], names: &[&str]) -> Option<usize> {
    names.iter().find_map(|name| headings.iter().position(|h| h == name))
}

/// Headings in the form they are compared by.
pub(crate) fn headings(texts: &[String]) -> Vec<String> {
    texts.iter().map(|t| canonical(t)).collect()
}

/// A row's texts by heading, in lower-case letters and digits only (`Asset ID` is `assetid`), with its number.
pub type NamedRow = (u64, BTreeMap<String, String>);

/// Reads a list that a person or another tool hands over: CSV with a heading (comma, semicolon or tab), or JSON records,
/// plain or packed, within the limits of every reader here. Lists in JSON become texts with `;` between.
///
/// # Errors
/// The file as a whole cannot be read, or a row is broken; says where.
pub fn named_rows(input: &mut dyn BufRead, limits: &Limits) -> Result<Vec<NamedRow>, String> {
    let mut input = unpack::open(input, limits).map_err(|problem| format!("the file {problem}"))?;
    let first = input.fill_buf().unwrap_or_default().iter().copied().find(|b| !b.is_ascii_whitespace());
    let mut out: Vec<NamedRow> = Vec::new();
    if matches!(first, Some(b'{' | b'[')) {
        let mut broken = None;
        let mut each = |number, value: serde_json::Value| {
            let Some(object) = value.as_object() else { return };
            let row = object.iter().map(|(name, value)| (canonical(name), plain(value)));
            out.push((number, row.filter(|(_, text)| !text.is_empty()).collect()));
        };
        crate::json::records(input, limits, &mut each, &mut |number, problem| {
            broken.get_or_insert(format!("record {number}: {problem}"));
        });
        return broken.map_or(Ok(out), Err);
    }
    let mut rows = Rows::sniffed(input, limits);
    let mut names: Option<Vec<String>> = None;
    loop {
        match (rows.next(), &names) {
            (Row::End, Some(_)) => return Ok(out),
            (Row::End, None) => return Err("the file is empty; a heading and rows are needed".into()),
            (Row::Broken(e), _) => return Err(format!("line {}: the file breaks off: {e}", rows.line)),
            (Row::TooLarge, _) => return Err(format!("line {}: row is larger than a row may be", rows.line)),
            (Row::Ready, None) => names = Some(headings(&rows.texts())),
            (Row::Ready, Some(names)) => {
                let row = names.iter().enumerate().map(|(i, name)| (name.clone(), rows.text(i)));
                out.push((rows.line, row.filter(|(_, text)| !text.is_empty()).collect()));
            }
        }
    }
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.trim().to_owned(),
        serde_json::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(";"),
        other => other.to_string(),
    }
}

/// Cells of a worksheet that are read.
const MOST_CELLS: usize = 5_000_000;

/// Rows a worksheet can have.
const MOST_ROWS: usize = 1 << 20;

/// A worksheet: its name and its rows.
pub(crate) type Sheet = (String, Vec<Vec<String>>);

/// The sheets of a workbook as rows of texts, in workbook order with their names.
pub(crate) fn xlsx(bytes: Vec<u8>, limits: &Limits) -> Result<Vec<Sheet>, String> {
    let zip = Zip::read(bytes)?;
    let part = |name: &str| -> Result<Option<String>, String> {
        let Some(entry) = zip.find(name) else { return Ok(None) };
        let bytes = zip.unpack(entry, limits)?;
        String::from_utf8(bytes).map(Some).map_err(|_| format!("member `{name}` is not UTF-8"))
    };
    let workbook = part("xl/workbook.xml")?.ok_or("holds no xl/workbook.xml: not an XLSX workbook")?;
    let relations = part("xl/_rels/workbook.xml.rels")?.unwrap_or_default();
    let shared = part("xl/sharedStrings.xml")?.map_or(Ok(Vec::new()), |xml| shared_strings(&xml))?;

    let mut targets = std::collections::BTreeMap::new();
    elements(&relations, "Relationship", |attr| {
        targets.insert(attr("Id"), attr("Target"));
    })?;
    let mut sheets = Vec::new();
    elements(&workbook, "sheet", |attr| sheets.push((attr("name"), attr("r:id"))))?;
    let mut out = Vec::new();
    for (at, (name, id)) in sheets.into_iter().enumerate().take(100) {
        let target = targets.get(&id).cloned().unwrap_or_else(|| format!("worksheets/sheet{}.xml", at + 1));
        let path = target.strip_prefix('/').map_or_else(|| format!("xl/{target}"), str::to_owned);
        if let Some(xml) = part(&path)? {
            out.push((name, sheet(&xml, &shared)?));
        }
    }
    if out.is_empty() {
        return Err("holds no worksheet".into());
    }
    Ok(out)
}

fn bad_xml(e: impl std::fmt::Display) -> String {
    format!("holds broken XML: {e}")
}

/// A document type could define entities that multiply; no workbook has one.
fn refuse_doctype(event: &Event<'_>) -> Result<(), String> {
    if matches!(event, Event::DocType(_)) {
        Err("holds a document type definition, which is refused".into())
    } else {
        Ok(())
    }
}

fn attribute(start: &quick_xml::events::BytesStart<'_>, name: &str) -> String {
    start.attributes().flatten().find(|a| a.key.as_ref() == name).map(|a| entities(&a.value)).unwrap_or_default()
}

/// The five predefined entities and character references; anything else stays as it is written.
fn entities(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(rest.get(..at).unwrap_or_default());
        rest = rest.get(at..).unwrap_or_default();
        let end = rest.find(';').filter(|e| *e <= 12);
        match end.and_then(|e| Some((entity(rest.get(1..e)?)?, e))) {
            Some((c, e)) => {
                out.push(c);
                rest = rest.get(e + 1..).unwrap_or_default();
            }
            None => {
                out.push('&');
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

fn elements(xml: &str, name: &str, mut each: impl FnMut(&dyn Fn(&str) -> String)) -> Result<(), String> {
    let mut reader = quick_xml::Reader::from_str(xml);
    loop {
        let event = reader.read_event().map_err(bad_xml)?;
        refuse_doctype(&event)?;
        match event {
            Event::Start(start) | Event::Empty(start) if start.local_name().as_ref() == name => {
                each(&|attr| attribute(&start, attr));
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// The text of an event inside an element, with references resolved.
fn text_of(event: &Event<'_>) -> Option<String> {
    match event {
        Event::Text(t) => Some(entities(t)),
        Event::CData(t) => Some(t.to_string()),
        Event::GeneralRef(r) => {
            let name: &str = r;
            Some(entity(name).map_or_else(|| format!("&{name};"), String::from))
        }
        _ => None,
    }
}

fn shared_strings(xml: &str) -> Result<Vec<String>, String> {
    let mut reader = quick_xml::Reader::from_str(xml);
    let (mut out, mut current, mut in_text) = (Vec::new(), String::new(), false);
    loop {
        let event = reader.read_event().map_err(bad_xml)?;
        refuse_doctype(&event)?;
        match &event {
            Event::Start(s) if s.local_name().as_ref() == "si" => current.clear(),
            Event::Start(s) if s.local_name().as_ref() == "t" => in_text = true,
            Event::End(s) if s.local_name().as_ref() == "t" => in_text = false,
            Event::End(s) if s.local_name().as_ref() == "si" => {
                if out.len() >= MOST_CELLS {
                    return Err(format!("holds more than {MOST_CELLS} strings"));
                }
                out.push(std::mem::take(&mut current));
            }
            Event::Empty(s) if s.local_name().as_ref() == "si" => out.push(String::new()),
            Event::Eof => return Ok(out),
            other if in_text => current.push_str(&text_of(other).unwrap_or_default()),
            _ => {}
        }
    }
}

fn sheet(xml: &str, shared: &[String]) -> Result<Vec<Vec<String>>, String> {
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut rows: Vec<Vec<String>> = Vec::new();
    let (mut kind, mut column, mut value, mut in_value) = (String::new(), 0usize, String::new(), false);
    let mut cells = 0usize;
    loop {
        let event = reader.read_event().map_err(bad_xml)?;
        refuse_doctype(&event)?;
        match &event {
            Event::Start(s) if s.local_name().as_ref() == "row" => {
                // Empty rows may be left out; a place that is told is the one a person sees.
                let at: usize = attribute(s, "r").parse().unwrap_or(0);
                rows.resize(rows.len().max(at.min(MOST_ROWS).saturating_sub(1)), Vec::new());
                rows.push(Vec::new());
            }
            Event::Start(s) | Event::Empty(s) if s.local_name().as_ref() == "c" => {
                kind = attribute(s, "t");
                let next = rows.last().map_or(0, Vec::len);
                column = column_number(&attribute(s, "r")).unwrap_or(next);
                value.clear();
            }
            Event::Start(s) if matches!(s.local_name().as_ref(), "v" | "t") => in_value = true,
            Event::End(s) if matches!(s.local_name().as_ref(), "v" | "t") => in_value = false,
            Event::End(s) if s.local_name().as_ref() == "c" => {
                cells += 1;
                // A hostile reference could name column XFD in every row; 1,024 columns are plenty for accounts.
                if cells > MOST_CELLS || column > 1024 {
                    return Err("holds more cells than any record of accounts".into());
                }
                let text = match kind.as_str() {
                    "s" => value.trim().parse().ok().and_then(|i: usize| shared.get(i).cloned()).unwrap_or_default(),
                    "" | "n" => whole_number(&value),
                    _ => std::mem::take(&mut value),
                };
                if let Some(row) = rows.last_mut() {
                    if row.len() <= column {
                        row.resize(column + 1, String::new());
                    }
                    if let Some(slot) = row.get_mut(column) {
                        *slot = text.trim().to_owned();
                    }
                }
            }
            Event::Eof => return Ok(rows),
            other if in_value => value.push_str(&text_of(other).unwrap_or_default()),
            _ => {}
        }
    }
}

/// `BC7` → 54: letters before the digits, counted from 0.
fn column_number(reference: &str) -> Option<usize> {
    let letters = reference.bytes().take_while(u8::is_ascii_alphabetic).take(4);
    let n = letters.fold(0usize, |acc, b| acc * 26 + usize::from(b.to_ascii_uppercase() - b'A') + 1);
    n.checked_sub(1)
}

/// A spreadsheet's number as its digits: `1.23456789012E11` → `123456789012`.
fn whole_number(text: &str) -> String {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(n) if n.fract() == 0.0 && n.abs() < 9.0e15 => format!("{n:.0}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, limits: &Limits) -> Vec<Vec<String>> {
        let mut rows = Rows::sniffed(Box::new(text.as_bytes()), limits);
        let mut out = Vec::new();
        loop {
            match rows.next() {
                Row::Ready => out.push(rows.texts()),
                Row::TooLarge => out.push(vec!["too large".into()]),
                Row::End => return out,
                Row::Broken(e) => panic!("{e}"),
            }
        }
    }

    #[test]
    fn rows_keep_quotes_and_lines_and_survive_giants() {
        fn check(text: &str, want: &[&[&str]]) {
            let limits = Limits { record_bytes: 32 << 10, ..Limits::default() };
            let got = rows(text, &limits);
            let want: Vec<Vec<String>> = want.iter().map(|r| r.iter().map(|s| (*s).to_owned()).collect()).collect();
            assert_eq!(got, want);
        }
        check("a,b\n1,\"x\n,y\"\n", &[&["a", "b"], &["1", "x\n,y"]]);
        check("\u{feff}a;b\n1;2,5\n", &[&["a", "b"], &["1", "2,5"]]);
        check("a\tb\n1\n", &[&["a", "b"], &["1"]]);
        check("", &[]);
        check(&format!("a,b\n{},1\nc,d\n", "x".repeat(100_000)), &[&["a", "b"], &["too large"], &["c", "d"]]);
        check(&format!("a,b\n\"{}", "y,\n".repeat(100_000)), &[&["a", "b"], &["too large"]]);
        check(&format!("a,b\n{}\nc,d\n", ",".repeat(100_000)), &[&["a", "b"], &["too large"], &["c", "d"]]);
    }

    #[test]
    fn numbers_and_references_of_spreadsheets() {
        assert_eq!(whole_number("1.23456789012E11"), "123456789012");
        assert_eq!(whole_number("2.5"), "2.5");
        assert_eq!(column_number("A1"), Some(0));
        assert_eq!(column_number("BC7"), Some(54));
        assert_eq!(column_number("7"), None);
        assert_eq!(entities("a &amp; b &#65; &lol9; &"), "a & b A &lol9; &");
    }
}
