//! Records of accounts that people or other tools keep: landing-zone sheet, manual entries, imports.
//! CSV, XLSX, or JSON with the record's own column names.

use crate::{
    kinds::{AccountKey, Provider, SourceKind},
    mapping::{COLUMNS, Mapping, canonical},
    read::instant,
    sighting::{Federation, Gather, LandingZone, Sighting, Status, Tier},
    table::{Row, Rows, column, headings, xlsx},
    unpack::{self, Shape, Zip},
};
use std::{collections::BTreeMap, io::BufRead};

pub(super) fn read(input: &mut dyn BufRead, mapping: &Mapping, gather: &mut Gather) {
    if matches!(unpack::shape(input), Ok(Shape::Zip)) {
        let bytes = match unpack::whole(input, &mapping.limits) {
            Ok(bytes) => bytes,
            Err(problem) => return gather.lost(0, format!("the file {problem}")),
        };
        match Zip::read(bytes.clone()).map(|zip| zip.find("xl/workbook.xml").is_some()) {
            Ok(true) => read_xlsx(bytes, mapping, gather),
            Ok(false) => read_text(&mut bytes.as_slice(), mapping, gather),
            Err(problem) => gather.lost(0, format!("the file {problem}")),
        }
        return;
    }
    read_text(input, mapping, gather);
}

fn read_text(input: &mut dyn BufRead, mapping: &Mapping, gather: &mut Gather) {
    let mut input = match unpack::open(input, &mapping.limits) {
        Ok(input) => input,
        Err(problem) => return gather.lost(0, format!("the file {problem}")),
    };
    let first = input.fill_buf().unwrap_or_default().iter().copied().find(|b| !b.is_ascii_whitespace());
    if matches!(first, Some(b'{' | b'[')) {
        return super::each(input, mapping, gather, json_record);
    }
    let mut rows = Rows::sniffed(input, &mapping.limits);
    let label = mapping.label_of(gather.kind()).to_owned();
    let (mut places, mut width) = (None, 0);
    loop {
        match rows.next() {
            Row::End => break,
            Row::Broken(e) => return gather.lost(rows.line, format!("the file breaks off: {e}")),
            Row::TooLarge => gather.lost(rows.line, "row is larger than a row may be"),
            Row::Ready => match &places {
                None => match find_columns(&rows.texts(), mapping) {
                    Some(found) => (places, width) = (Some(found), rows.len()),
                    // Titles above the heading are common in sheets made by people.
                    None if rows.line < 20 => {}
                    None => break,
                },
                Some(_) if rows.cut_off(width) => {
                    gather.rows += 1;
                    gather.lost(rows.line, "the file breaks off in this row");
                }
                Some(places) => {
                    gather.rows += 1;
                    let row = cells(places, |i| rows.text(i));
                    one(&row, rows.line, &label, mapping, gather);
                }
            },
        }
    }
    if places.is_none() {
        no_columns(gather);
    }
}

fn read_xlsx(bytes: Vec<u8>, mapping: &Mapping, gather: &mut Gather) {
    let sheets = match xlsx(bytes, &mapping.limits) {
        Ok(sheets) => sheets,
        Err(problem) => return gather.lost(0, format!("the workbook {problem}")),
    };
    let label = mapping.label_of(gather.kind()).to_owned();
    let (mut read, mut passed) = (0, Vec::new());
    for (name, rows) in &sheets {
        if mapping.sheet.as_ref().is_some_and(|s| s != name) {
            continue;
        }
        let heading = rows.iter().take(20).enumerate().find_map(|(i, row)| Some((i, find_columns(row, mapping)?)));
        let Some((at, places)) = heading else {
            // A page of words is none of a record's; a table may be.
            if rows.iter().filter(|r| r.iter().filter(|c| !c.is_empty()).count() > 1).count() > 1 {
                passed.push(name.as_str());
            }
            continue;
        };
        read += 1;
        // Of several sheets the evidence says which.
        let label = if sheets.len() > 1 { format!("{label} sheet {name}") } else { label.clone() };
        for (i, row) in rows.iter().enumerate().skip(at + 1).filter(|(_, r)| r.iter().any(|c| !c.is_empty())) {
            gather.rows += 1;
            let row = cells(&places, |c| row.get(c).cloned().unwrap_or_default());
            one(&row, i as u64 + 1, &label, mapping, gather);
        }
    }
    match &mapping.sheet {
        Some(sheet) if !sheets.iter().any(|(name, _)| name == sheet) => {
            let names: Vec<_> = sheets.iter().map(|(n, _)| n.as_str()).collect();
            gather.lost(0, format!("no sheet `{sheet}`; the workbook has {}", names.join(", ")));
        }
        _ if read == 0 => no_columns(gather),
        _ => {
            for name in passed {
                gather.odd(0, format!("sheet `{name}` has no column with account ids and was passed over"));
            }
        }
    }
}

fn no_columns(gather: &mut Gather) {
    gather.lost(1, "no column with account ids; name it in the mapping: {\"columns\":{\"native_id\":\"…\"}}");
}

type Places = Vec<(&'static str, usize)>;

/// Where the record's columns are in a heading row; none when it has no account column.
fn find_columns(row: &[String], mapping: &Mapping) -> Option<Places> {
    let headings = headings(row);
    let mut places = Places::new();
    for (name, known) in COLUMNS {
        let at = match mapping.columns.get(*name) {
            Some(own) => column(&headings, &[canonical(own).as_str()]),
            None => column(&headings, &[canonical(name).as_str()]).or_else(|| column(&headings, known)),
        };
        // One source column feeds one of ours: `Account` is not both id and name.
        if let Some(at) = at.filter(|at| !places.iter().any(|(_, used)| used == at)) {
            places.push((name, at));
        }
    }
    places.iter().any(|(name, _)| *name == "native_id").then_some(places)
}

type Cells = BTreeMap<&'static str, String>;

fn cells(places: &Places, cell: impl Fn(usize) -> String) -> Cells {
    places.iter().map(|(name, at)| (*name, cell(*at))).filter(|(_, text)| !text.is_empty()).collect()
}

fn json_record(value: &serde_json::Value, number: u64, mapping: &Mapping, gather: &mut Gather) {
    let Some(object) = value.as_object() else {
        return gather.lost(number, "record is not an object");
    };
    let names: Vec<String> = object.keys().cloned().collect();
    let Some(places) = find_columns(&names, mapping) else {
        return gather.lost(number, "record names no account; expected a member like native_id or accountId");
    };
    let text = |i: usize| match names.get(i).and_then(|n| object.get(n)) {
        Some(serde_json::Value::String(s)) => s.trim().to_owned(),
        Some(serde_json::Value::Array(items)) => items.iter().filter_map(|i| i.as_str()).collect::<Vec<_>>().join(";"),
        Some(serde_json::Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let label = mapping.label_of(gather.kind()).to_owned();
    one(&cells(&places, text), number, &label, mapping, gather);
}

fn one(row: &Cells, line: u64, label: &str, mapping: &Mapping, gather: &mut Gather) {
    let text = |name: &str| row.get(name).map(String::as_str);
    let Some(id) = text("native_id") else {
        if !row.is_empty() {
            gather.odd(line, "row names no account");
        }
        return;
    };
    let provider = match text("provider") {
        None => mapping.provider,
        Some(text) => mapping.vendors(text).or_else(|| text.parse().ok()).or(mapping.provider),
    };
    let account = match provider {
        Some(provider) => AccountKey::new(provider, id).map_err(|e| e.to_string()),
        None => AccountKey::guess(id)
            // A sheet that turned ids into numbers drops leading zeros.
            .or_else(|| AccountKey::new(Provider::Aws, id).ok())
            .ok_or_else(|| {
                // 1.23457E+11: the last digits are gone from the file.
                let shortened = id.contains(['E', 'e']) && id.parse::<f64>().is_ok();
                let hint = if shortened { ": a spreadsheet rounded it; write the column as text" } else { "" };
                format!("`{}` is no account id{hint}", id.chars().take(60).collect::<String>())
            }),
    };
    let account = match account {
        Ok(account) => account,
        Err(problem) => return gather.lost(line, problem),
    };
    if account.provider == Provider::Aws && id.trim().len() < 12 {
        gather.odd(line, format!("account id lost its leading zeros; read as {}", account.id));
    }

    let mut sighting = Sighting::new(gather.kind(), account, None, format!("{label} row {line}"));
    let f = &mut sighting.facts;
    let own = |name: &str| text(name).map(|t| t.chars().take(2_000).collect::<String>());
    f.name = own("name");
    f.native_parent = own("native_parent");
    f.email = own("email").map(|e| e.to_lowercase());
    f.owner_person = own("owner_person").map(|o| o.to_lowercase());
    f.owner_team = own("owner_team");
    f.business_purpose = own("business_purpose");
    f.contract_ref = own("contract_ref");
    f.cost_centre = own("cost_centre");
    f.last_reviewed_by = own("last_reviewed_by");
    f.users = text("users").and_then(|u| u.replace([',', ' '], "").parse().ok());
    let mut date = |name: &str| {
        let text = text(name)?;
        let time = instant(text, mapping.day_first);
        if time.is_none() {
            gather.odd(line, format!("{name} is not a date; write it like 2026-11-21"));
        }
        time
    };
    f.created_at = date("created_at");
    f.closed_at = date("closed_at");
    f.tier_expires = date("tier_expires");
    f.last_reviewed_at = date("last_reviewed_at");

    f.tier = text("tier").and_then(|t| mapping.tier(t));
    if let (Some(text), None) = (text("tier"), f.tier) {
        f.tier = Some(Tier::Unknown);
        gather.odd(
            line,
            format!("tier `{}` is not known; map it to one of {}", short(text), names(Tier::ALL, Tier::name)),
        );
    }
    for part in split(text("data_classes")) {
        match mapping.data_class(part) {
            Some(class) => f.data_classes.extend([class]),
            None => gather.odd(line, format!("data class `{}` is not known; map it in the mapping", short(part))),
        }
    }
    f.regulatory_scope = split(text("regulatory_scope")).map(str::to_owned).collect();
    f.region_scope = split(text("region_scope")).map(str::to_lowercase).collect();
    f.federation_state = text("federation_state").map(|t| match canonical(t).as_str() {
        "federated" | "yes" | "true" | "sso" | "y" => Federation::Federated,
        "localonly" | "local" | "no" | "false" | "n" => Federation::LocalOnly,
        "mixed" | "both" => Federation::Mixed,
        _ => Federation::Unknown,
    });
    f.landing_zone = match text("landing_zone").map(canonical).as_deref() {
        Some("enrolled" | "yes" | "true" | "y" | "managed" | "controltower") => Some(LandingZone::Enrolled),
        Some("notenrolled" | "no" | "false" | "n" | "unmanaged") => Some(LandingZone::NotEnrolled),
        Some("exempt" | "exception") => Some(LandingZone::Exempt),
        Some(_) => Some(LandingZone::Unknown),
        // Being on the landing-zone record is the statement.
        None if gather.kind() == SourceKind::LandingZone => Some(LandingZone::Enrolled),
        None => None,
    };
    f.status = text("status").and_then(status);
    if f.closed_at.is_some() && f.status.is_none() {
        f.status = Some(Status::Closed);
    }
    gather.add(sighting);
}

/// A status in anybody's words.
pub(super) fn status(text: &str) -> Option<Status> {
    Some(match canonical(text).as_str() {
        "active" | "enabled" | "live" | "inuse" | "open" | "warned" | "pastdue" => Status::Active,
        "pending" | "pendingactivation" | "creating" | "requested" => Status::Pending,
        "suspended" | "disabled" | "pendingclosure" | "deleterequested" | "frozen" | "closing" => Status::Suspended,
        "closed" | "deleted" | "terminated" | "decommissioned" | "retired" | "expired" => Status::Closed,
        _ => return None,
    })
}

fn split(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or_default().split([',', ';', '|', '\n', '/']).map(str::trim).filter(|t| !t.is_empty()).take(100)
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

fn names<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> String {
    all.iter().map(|t| name(*t)).collect::<Vec<_>>().join(", ")
}
