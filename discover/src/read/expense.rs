//! Rows of an expense or card system that name a cloud vendor: accounts somebody pays for outside the bill.

use crate::{
    kinds::Provider,
    mapping::{Mapping, aws_account_in, canonical},
    read::instant,
    sighting::{Activity, Gather, Sighting, Span},
    table::{Row, Rows, column, headings},
};
use std::io::BufRead;

pub(super) fn read(input: Box<dyn BufRead + '_>, mapping: &Mapping, gather: &mut Gather) {
    let mut rows = Rows::sniffed(input, &mapping.limits);
    let headings = match rows.next() {
        Row::Ready => headings(&rows.texts()),
        Row::End => return gather.lost(0, "the file is empty"),
        Row::TooLarge => return gather.lost(1, "the heading is larger than a row may be"),
        Row::Broken(e) => return gather.lost(0, format!("the file {e}")),
    };
    let find = |name: &str, known: &[&str]| match mapping.columns.get(name) {
        Some(own) => column(&headings, &[canonical(own).as_str()]),
        None => column(&headings, known),
    };
    let vendor = find("vendor", &["vendor", "merchant", "merchantname", "supplier", "payee", "vendorname"]);
    let note = find("note", &["description", "memo", "note", "details", "purpose", "text"]);
    let date = find("date", &["date", "transactiondate", "expensedate", "postingdate", "posted"]);
    let amount = find("amount", &["amount", "total", "cost", "value", "transactionamount"]);
    let currency = find("currency", &["currency", "currencycode"]);
    let person = find("person", &["employee", "claimant", "cardholder", "person", "submittedby", "user", "email"]);
    let team = find("team", &["costcentre", "costcenter", "team", "department"]);
    if vendor.or(note).is_none() {
        return gather.lost(1, "no column for the vendor; looked for vendor, merchant, supplier, payee or description");
    }
    let label = if mapping.label.is_empty() { "expense rows" } else { mapping.label.as_str() };
    loop {
        match rows.next() {
            Row::End => return,
            Row::Broken(e) => return gather.lost(rows.line, format!("the file breaks off: {e}")),
            Row::TooLarge => gather.lost(rows.line, "row is larger than a row may be"),
            Row::Ready if rows.cut_off(headings.len()) => {
                gather.rows += 1;
                gather.lost(rows.line, "the file breaks off in this row");
            }
            Row::Ready => {
                gather.rows += 1;
                let text = |place: Option<usize>| -> String {
                    place.map(|i| rows.text(i).chars().take(300).collect()).unwrap_or_default()
                };
                let said = format!("{} {}", text(vendor), text(note));
                let Some(provider) = mapping.vendors(&said) else { continue };
                let at = instant(&text(date), mapping.day_first);
                let payer = text(person).to_lowercase();
                let account = if provider == Provider::Aws { aws_account_in(&said) } else { None };
                let who = if payer.is_empty() { "somebody".to_owned() } else { payer.clone() };
                let mut activity = Activity::default();
                activity.payers.insert(who.clone(), text(team));
                if let (Some(at), Some(cost)) = (at, millionths(&text(amount))) {
                    let month: String = at.date().chars().take(7).collect();
                    activity.cost.entry(text(currency)).or_default().insert(month, cost);
                }
                // Claims of one person to one vendor are one lead, not one lead a row.
                let evidence = match &account {
                    Some(_) => format!("{label} row {}", rows.line),
                    None => format!("{label}: {} paid by {who}", text(vendor.or(note))),
                };
                gather.add(Sighting {
                    account,
                    provider,
                    kind: gather.kind(),
                    class: gather.kind().class(),
                    seen: Span::at(at),
                    evidence,
                    facts: crate::sighting::Facts::default(),
                    activity,
                });
            }
        }
    }
}

/// An amount as people write it: `1,234.50`, `1.234,50`, `-12`, `$ 3`.
fn millionths(text: &str) -> Option<i64> {
    let kept: String = text.chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '-')).collect();
    let decimal = kept.rfind(['.', ',']).filter(|at| kept.len() - at <= 3);
    let (whole, part) = match decimal {
        Some(at) => (kept.get(..at)?, kept.get(at + 1..)?),
        None => (kept.as_str(), ""),
    };
    let whole: String = whole.chars().filter(|c| !matches!(c, '.' | ',')).collect();
    let negative = whole.starts_with('-');
    let units: i64 = whole.trim_start_matches('-').parse().ok()?;
    let part: i64 = format!("{part:0<6}").parse().ok()?;
    let value = units.checked_mul(1_000_000)?.checked_add(part)?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::millionths;

    #[test]
    fn amounts_as_people_write_them() {
        fn check(text: &str, want: Option<i64>) {
            assert_eq!(millionths(text), want, "{text}");
        }
        check("1,234.50", Some(1_234_500_000));
        check("1.234,50 €", Some(1_234_500_000));
        check("-12", Some(-12_000_000));
        check("$ 3", Some(3_000_000));
        check("free", None);
    }
}
