//! Bills: AWS CUR (legacy and 2.0), FOCUS 1.0 to 1.2, Azure cost exports, Google Cloud billing exports.
//!
//! One pass, aggregated per account: a million lines cost a few seconds and the memory of the accounts in them.
//! Column names: AWS "Data Exports: CUR 2.0" and the legacy CUR dictionary; FOCUS 1.2 specification; Azure "Cost and
//! usage details file schema" (EA and MCA); Google "Structure of standard data export".

use crate::{
    json,
    kinds::{AccountKey, Provider, SourceKind},
    mapping::Mapping,
    read::instant,
    sighting::{Activity, Gather, MOST_NAMES, Sighting, Span},
    table::{Row, Rows, column, headings},
};
use std::{
    collections::{BTreeSet, HashMap},
    io::BufRead,
};

/// Where each thing is, by headings in the form of [`crate::mapping::canonical`]; alternatives in order.
struct Layout {
    account: &'static [&'static str],
    account_name: &'static [&'static str],
    payer: &'static [&'static str],
    payer_name: &'static [&'static str],
    start: &'static [&'static str],
    end: &'static [&'static str],
    cost: &'static [&'static str],
    currency: &'static [&'static str],
    region: &'static [&'static str],
    service: &'static [&'static str],
    provider: &'static [&'static str],
    number: &'static [&'static str],
}

const CUR: Layout = Layout {
    account: &["lineitemusageaccountid"],
    account_name: &["lineitemusageaccountname"],
    payer: &["billpayeraccountid"],
    payer_name: &["billpayeraccountname"],
    start: &["lineitemusagestartdate", "billbillingperiodstartdate", "billingperiod"],
    end: &["lineitemusageenddate"],
    cost: &["lineitemunblendedcost"],
    currency: &["lineitemcurrencycode"],
    region: &["productregioncode", "productregion"],
    service: &["lineitemproductcode"],
    provider: &[],
    number: &[],
};
const FOCUS: Layout = Layout {
    account: &["subaccountid"],
    account_name: &["subaccountname"],
    payer: &["billingaccountid"],
    payer_name: &["billingaccountname"],
    start: &["chargeperiodstart", "billingperiodstart"],
    end: &["chargeperiodend"],
    cost: &["billedcost", "effectivecost"],
    currency: &["billingcurrency"],
    region: &["regionid", "region"],
    service: &["servicename"],
    provider: &["providername", "publishername", "invoiceissuername", "serviceprovidername"],
    number: &[],
};
const AZURE: Layout = Layout {
    // Details of an enterprise enrollment number subscriptions in `SubscriptionId` and name them in `SubscriptionGuid`.
    account: &["subscriptionguid", "subscriptionid"],
    account_name: &["subscriptionname"],
    payer: &["billingaccountid", "billingaccountname"],
    payer_name: &["invoicesectionname", "billingaccountname", "departmentname"],
    start: &["date", "usagedatetime", "usagedate"],
    end: &[],
    cost: &["costinbillingcurrency", "cost", "pretaxcost", "extendedcost"],
    currency: &["billingcurrencycode", "billingcurrency", "currency"],
    region: &["resourcelocationnormalized", "resourcelocation", "resourcelocationname"],
    service: &["metercategory", "consumedservice", "servicename"],
    provider: &[],
    number: &[],
};
const GCP: Layout = Layout {
    account: &["projectid"],
    account_name: &["projectname"],
    payer: &["billingaccountid"],
    payer_name: &[],
    start: &["usagestarttime", "starttime"],
    end: &["usageendtime", "endtime"],
    cost: &["cost"],
    currency: &["currency"],
    region: &["locationregion", "locationlocation", "region"],
    service: &["servicedescription", "serviceid"],
    provider: &[],
    number: &["projectnumber"],
};

#[derive(Default, Clone, Copy)]
struct Places {
    account: Option<usize>,
    account_name: Option<usize>,
    payer: Option<usize>,
    payer_name: Option<usize>,
    start: Option<usize>,
    end: Option<usize>,
    cost: Option<usize>,
    currency: Option<usize>,
    region: Option<usize>,
    service: Option<usize>,
    provider: Option<usize>,
    number: Option<usize>,
}

impl Layout {
    fn of(kind: SourceKind) -> &'static Self {
        match kind {
            SourceKind::Focus => &FOCUS,
            SourceKind::AzureCost => &AZURE,
            SourceKind::GcpBilling => &GCP,
            _ => &CUR,
        }
    }

    fn places(&self, headings: &[String]) -> Places {
        let find = |names| column(headings, names);
        Places {
            account: find(self.account),
            account_name: find(self.account_name),
            payer: find(self.payer),
            payer_name: find(self.payer_name),
            start: find(self.start),
            end: find(self.end),
            cost: find(self.cost),
            currency: find(self.currency),
            region: find(self.region),
            service: find(self.service),
            provider: find(self.provider),
            number: find(self.number),
        }
    }
}

/// One row's cells, as bytes of the row.
#[derive(Default)]
struct Cells<'a> {
    account: &'a [u8],
    account_name: &'a [u8],
    payer: &'a [u8],
    payer_name: &'a [u8],
    start: &'a [u8],
    end: &'a [u8],
    cost: &'a [u8],
    currency: &'a [u8],
    region: &'a [u8],
    service: &'a [u8],
    provider: &'a [u8],
    number: &'a [u8],
    parent: &'a [u8],
}

/// What is kept per account (and spelling of it) while reading. Dates stay bytes; most rows repeat the one before.
#[derive(Default)]
struct Sum {
    provider: Box<[u8]>,
    name: Vec<u8>,
    number: Vec<u8>,
    parent: Vec<u8>,
    payers: Vec<(Box<[u8]>, Vec<u8>)>,
    first: Option<Day>,
    last: Option<Day>,
    cost: HashMap<(Box<[u8]>, Month), i128>,
    last_cost: Option<(Box<[u8]>, Month)>,
    pending: i128,
    regions: Seen,
    services: Seen,
    first_line: u64,
    last_line: u64,
    lines: u64,
}

type Day = [u8; 10];
type Month = [u8; 7];

/// A bounded set of names whose last member is checked first.
#[derive(Default)]
struct Seen {
    last: Vec<u8>,
    all: BTreeSet<Box<[u8]>>,
}

impl Seen {
    fn note(&mut self, name: &[u8]) {
        if name.is_empty() || self.last == name {
            return;
        }
        self.last.clear();
        self.last.extend_from_slice(name);
        if self.all.len() < MOST_NAMES && !self.all.contains(name) {
            self.all.insert(name.into());
        }
    }

    fn names(&self) -> BTreeSet<String> {
        self.all.iter().map(|n| String::from_utf8_lossy(n).chars().take(120).collect()).collect()
    }
}

/// The column of the account as each publisher writes it.
fn official(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Focus => "`SubAccountId`",
        SourceKind::AzureCost => "`SubscriptionId`",
        SourceKind::GcpBilling => "`project.id`",
        _ => "`line_item_usage_account_id` (`lineItem/UsageAccountId` in the legacy report)",
    }
}

/// What to say about a bill without the column of the account: which one is missing, and whose bill it looks like.
fn no_account(kind: SourceKind, headings: &[String]) -> String {
    let bills = [SourceKind::AwsCur, SourceKind::Focus, SourceKind::AzureCost, SourceKind::GcpBilling];
    let other =
        bills.into_iter().find(|other| *other != kind && column(headings, Layout::of(*other).account).is_some());
    let hint = other.map_or_else(
        || "; another name goes into the mapping: {\"columns\":{\"native_id\":\"…\"}}".to_owned(),
        |other| format!("; it looks like `{other}`"),
    );
    format!("there is no column {}{hint}", official(kind))
}

/// Accounts (with their spellings) summed per file.
const MOST_SUMS: usize = 500_000;

struct Bill<'m> {
    kind: SourceKind,
    mapping: &'m Mapping,
    sums: HashMap<Box<[u8]>, usize>,
    all: Vec<Sum>,
    ids: Vec<Box<[u8]>>,
    last: Option<usize>,
    day_text: Vec<u8>,
    day: Option<Day>,
}

pub(super) fn read(mut input: Box<dyn BufRead + '_>, mapping: &Mapping, gather: &mut Gather) {
    let kind = gather.kind();
    let mut bill = Bill {
        kind,
        mapping,
        sums: HashMap::new(),
        all: Vec::new(),
        ids: Vec::new(),
        last: None,
        day_text: Vec::new(),
        day: None,
    };
    let first = input.fill_buf().unwrap_or_default().iter().copied().find(|b| !b.is_ascii_whitespace());
    if matches!(first, Some(b'{' | b'[')) {
        if kind == SourceKind::GcpBilling {
            bill.read_gcp_json(input, gather);
        } else {
            gather.lost(0, "the file is JSON; this bill is read as CSV");
        }
    } else {
        bill.read_csv(input, gather);
    }
    bill.finish(gather);
}

impl Bill<'_> {
    fn read_csv(&mut self, input: Box<dyn BufRead + '_>, gather: &mut Gather) {
        let mut rows = Rows::sniffed(input, &self.mapping.limits);
        let mut headed = Vec::new();
        let places = match rows.next() {
            Row::Ready => {
                let headings = headings(&rows.texts());
                headed.clone_from(&headings);
                let mut places = Layout::of(self.kind).places(&headings);
                if let Some(own) = self.mapping.columns.get("native_id") {
                    places.account = column(&headings, &[crate::mapping::canonical(own).as_str()]);
                }
                places
            }
            Row::End => return gather.lost(0, "the file is empty"),
            Row::TooLarge => return gather.lost(1, "the heading is larger than a row may be"),
            Row::Broken(e) => return gather.lost(0, format!("the file {e}")),
        };
        let Some(account) = places.account else { return gather.lost(1, no_account(self.kind, &headed)) };
        let width = rows.len();
        loop {
            match rows.next() {
                Row::End => return,
                Row::Broken(e) => return gather.lost(rows.line, format!("the file breaks off: {e}")),
                Row::TooLarge => gather.lost(rows.line, "row is larger than a row may be"),
                Row::Ready if rows.cut_off(width) => {
                    gather.rows += 1;
                    gather.lost(rows.line, "the file breaks off in this row");
                }
                Row::Ready if rows.len() <= account || rows.len() > width + 1 => {
                    gather.rows += 1;
                    gather.lost(rows.line, "row has another number of columns than the heading");
                }
                Row::Ready => {
                    gather.rows += 1;
                    let cell = |place: Option<usize>| place.map_or(&[] as &[u8], |i| rows.get(i).trim_ascii());
                    let cells = Cells {
                        account: rows.get(account).trim_ascii(),
                        account_name: cell(places.account_name),
                        payer: cell(places.payer),
                        payer_name: cell(places.payer_name),
                        start: cell(places.start),
                        end: cell(places.end),
                        cost: cell(places.cost),
                        currency: cell(places.currency),
                        region: cell(places.region),
                        service: cell(places.service),
                        provider: cell(places.provider),
                        number: cell(places.number),
                        // Columns write the numbers above a project and not what they are of.
                        parent: b"",
                    };
                    self.row(&cells, rows.line, gather);
                }
            }
        }
    }

    fn read_gcp_json(&mut self, input: Box<dyn BufRead + '_>, gather: &mut Gather) {
        let mut problems = Vec::new();
        // A file of something else has rows as well; one that has none of a bill's members says nothing about accounts.
        let mut foreign: Option<u64> = None;
        json::records(
            input,
            &self.mapping.limits,
            &mut |number, value| {
                gather.rows += 1;
                let known = ["project", "billing_account_id", "cost", "usage_start_time"];
                if !known.iter().any(|member| value.get(member).is_some()) {
                    foreign.get_or_insert(number);
                    return;
                }
                let text = |path: &str| json::text(&value, path).unwrap_or_default().as_bytes();
                let cost = json::at(&value, "cost").map(|c| c.as_str().map_or_else(|| c.to_string(), str::to_owned));
                let cost = cost.unwrap_or_default();
                let project = json::at(&value, "project.number").map(|n| n.to_string().replace('"', ""));
                let project = project.filter(|n| n != "null").unwrap_or_default();
                // From the project itself up to the organisation.
                let above = json::at(&value, "project.ancestors").and_then(serde_json::Value::as_array);
                let mut above = above.into_iter().flatten().filter_map(|a| json::text(a, "resource_name"));
                let parent = above.find(|name| !name.starts_with("projects/")).unwrap_or_default();
                let cells = Cells {
                    account: text("project.id"),
                    account_name: text("project.name"),
                    payer: text("billing_account_id"),
                    start: text("usage_start_time"),
                    end: text("usage_end_time"),
                    cost: cost.as_bytes(),
                    currency: text("currency"),
                    region: text("location.region"),
                    service: text("service.description"),
                    number: project.as_bytes(),
                    parent: parent.as_bytes(),
                    ..Cells::default()
                };
                self.row(&cells, number, gather);
            },
            &mut |number, problem| problems.push((number, problem)),
        );
        if let Some(number) = foreign {
            gather.lost(
                number,
                "row is none of a billing export: it has no `project.id`, `billing_account_id` or `cost`",
            );
        }
        for (number, problem) in problems {
            gather.lost(number, problem);
        }
    }

    fn row(&mut self, cells: &Cells<'_>, line: u64, gather: &mut Gather) {
        if cells.account.is_empty() {
            // Support, taxes and the like are billed to no account.
            return gather.odd(line, "row names no account (charges of the billing account itself)");
        }
        let at = match self.last.filter(|at| self.ids.get(*at).is_some_and(|id| **id == *cells.account)) {
            Some(at) => at,
            None => match self.sums.get(cells.account) {
                Some(at) => *at,
                None if self.all.len() >= MOST_SUMS => {
                    return gather.lost(line, format!("more than {MOST_SUMS} accounts; the rest is left out"));
                }
                None => {
                    let at = self.all.len();
                    self.sums.insert(cells.account.into(), at);
                    self.ids.push(cells.account.into());
                    self.all.push(Sum { provider: cells.provider.into(), first_line: line, ..Sum::default() });
                    at
                }
            },
        };
        self.last = Some(at);

        let day = self.day_of(cells.start);
        if day.is_none() && !cells.start.is_empty() {
            gather.odd(line, "date is not one of the forms bills use");
        }
        // The period's end is exclusive, so only the start dates a row; a row without start takes the end.
        let day = day.or_else(|| self.day_of(cells.end));
        let Some(sum) = self.all.get_mut(at) else { return };
        sum.lines += 1;
        sum.last_line = line;
        for (slot, cell) in
            [(&mut sum.name, cells.account_name), (&mut sum.number, cells.number), (&mut sum.parent, cells.parent)]
        {
            if slot.is_empty() && !cell.is_empty() {
                slot.extend_from_slice(cell);
            }
        }
        if !cells.payer.is_empty() && !sum.payers.iter().any(|(p, _)| **p == *cells.payer) && sum.payers.len() < 50 {
            sum.payers.push((cells.payer.into(), cells.payer_name.to_vec()));
        }
        sum.regions.note(cells.region);
        sum.services.note(cells.service);
        let Some(day) = day else { return };
        if sum.first.is_none_or(|f| day < f) {
            sum.first = Some(day);
        }
        if sum.last.is_none_or(|l| day > l) {
            sum.last = Some(day);
        }
        let mut month = [0; 7];
        month.copy_from_slice(day.get(..7).unwrap_or(b"0000-00"));
        match nanos(cells.cost) {
            Some(cost) => sum.charge(cells.currency, month, cost),
            None if cells.cost.is_empty() => {}
            None => gather.odd(line, "cost is not a number"),
        }
    }

    /// The day of a date cell; most rows repeat the cell of the row before.
    fn day_of(&mut self, cell: &[u8]) -> Option<Day> {
        if cell.is_empty() {
            return None;
        }
        if cell != self.day_text.as_slice() {
            self.day_text.clear();
            self.day_text.extend_from_slice(cell);
            let text = std::str::from_utf8(cell).ok();
            let date = text.and_then(|t| instant(t, self.mapping.day_first)).map(plumb_model::Time::date);
            self.day = date.and_then(|d| d.as_bytes().try_into().ok());
        }
        self.day
    }

    fn finish(mut self, gather: &mut Gather) {
        let label = if self.mapping.label.is_empty() { self.kind.name() } else { self.mapping.label.as_str() };
        for (id, sum) in self.ids.iter().zip(&mut self.all) {
            let mut sum = std::mem::take(sum);
            sum.flush();
            let text = String::from_utf8_lossy(id);
            let account = match provider_of(self.kind, self.mapping, &sum.provider) {
                Some(provider) => AccountKey::new(provider, &text).map_err(|e| e.to_string()),
                None => AccountKey::guess(&text).ok_or_else(|| {
                    format!("`{}` is no account id of a known provider", text.chars().take(60).collect::<String>())
                }),
            };
            match account {
                Ok(account) => gather.add(sum.sighting(self.kind, account, label)),
                Err(problem) => gather.lost(sum.first_line, problem),
            }
        }
    }
}

fn provider_of(kind: SourceKind, mapping: &Mapping, cell: &[u8]) -> Option<Provider> {
    match kind {
        SourceKind::AwsCur => Some(Provider::Aws),
        SourceKind::AzureCost => Some(Provider::Azure),
        SourceKind::GcpBilling => Some(Provider::Gcp),
        _ => {
            let text = String::from_utf8_lossy(cell).to_lowercase();
            // What a FOCUS export calls the three; anybody else who writes one is another vendor.
            match text.as_str() {
                "" => mapping.provider,
                text if text.contains("microsoft") => Some(Provider::Azure),
                text if text.contains("google") => Some(Provider::Gcp),
                text => mapping.vendors(text).or(Some(Provider::Other)),
            }
        }
    }
}

impl Sum {
    fn charge(&mut self, currency: &[u8], month: Month, nanos: i128) {
        if self.last_cost.as_ref().is_none_or(|(c, m)| **c != *currency || *m != month) {
            self.flush();
            self.last_cost = Some((currency.into(), month));
        }
        self.pending = self.pending.saturating_add(nanos);
    }

    fn flush(&mut self) {
        // Months of one account in one file; a hostile file could invent thousands of currencies.
        if let Some(key) = self.last_cost.take()
            && (self.cost.len() < 2_000 || self.cost.contains_key(&key))
        {
            let slot = self.cost.entry(key).or_default();
            *slot = slot.saturating_add(self.pending);
        }
        self.pending = 0;
    }

    fn sighting(self, kind: SourceKind, account: AccountKey, label: &str) -> Sighting {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(200).collect::<String>();
        let day = |d: Option<Day>| d.and_then(|d| std::str::from_utf8(&d).ok()?.parse().ok());
        let evidence = format!("{label} rows {}-{} ({} lines)", self.first_line, self.last_line, self.lines);
        let mut sighting = Sighting::new(kind, account, None, evidence);
        sighting.seen = Span { first: day(self.first), last: day(self.last), count: self.lines };
        sighting.facts.name = Some(lossy(&self.name)).filter(|n| !n.is_empty());
        sighting.facts.project_number = Some(lossy(&self.number)).filter(|n| !n.is_empty());
        sighting.facts.native_parent = Some(lossy(&self.parent)).filter(|n| !n.is_empty());
        let mut activity =
            Activity { regions: self.regions.names(), services: self.services.names(), ..Activity::default() };
        for (payer, name) in &self.payers {
            activity.payers.insert(lossy(payer), lossy(name));
        }
        for ((currency, month), nanos) in self.cost {
            let millionths = i64::try_from(nanos / 1_000).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX });
            activity.cost.entry(lossy(&currency)).or_default().insert(lossy(&month), millionths);
        }
        sighting.activity = activity;
        sighting
    }
}

/// A decimal cost in thousand-millionths; digits beyond the ninth are dropped.
fn nanos(cell: &[u8]) -> Option<i128> {
    let (negative, digits) = match cell {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    if digits.is_empty() || digits.len() > 40 {
        return None;
    }
    let (mut whole, mut decimals, mut point) = (0i128, 0u32, false);
    for b in digits {
        match b {
            b'0'..=b'9' if !point => whole = whole.checked_mul(10)?.checked_add(i128::from(b - b'0'))?,
            b'0'..=b'9' if decimals < 9 => {
                whole = whole.checked_mul(10)?.checked_add(i128::from(b - b'0'))?;
                decimals += 1;
            }
            b'0'..=b'9' => {}
            b'.' if !point => point = true,
            b'e' | b'E' => {
                let n: f64 = std::str::from_utf8(cell).ok()?.parse().ok()?;
                return (n.abs() < 1e20).then(|| (n * 1e9).round() as i128);
            }
            _ => return None,
        }
    }
    let scaled = whole.checked_mul(10i128.checked_pow(9 - decimals)?)?;
    Some(if negative { -scaled } else { scaled })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_whole_numbers_of_nano_units() {
        fn check(text: &str, want: Option<i128>) {
            assert_eq!(nanos(text.as_bytes()), want, "{text}");
        }
        check("0.0000012345", Some(1_234));
        check("12", Some(12_000_000_000));
        check("-3.5", Some(-3_500_000_000));
        check("1.2E-7", Some(120));
        check("1,200", None);
        check("", None);
        check("1.2.3", None);
        check("NaN", None);
        check(&"9".repeat(41), None);
    }
}
