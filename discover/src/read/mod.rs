//! One reader per kind of source. Each takes bytes and gives a [`Reading`]; none opens a file, none fails: what
//! could not be read is a problem beside what could.

mod billing;
mod cloudtrail;
mod expense;
mod iac;
mod identity;
mod org;
mod record;
mod roles;

use crate::{
    kinds::{Provider, SourceKind},
    mapping::Mapping,
    sighting::{Gather, Reading},
    unpack,
};
use plumb_model::{AccountId, Time, Value};
use std::io::BufRead;

/// Reads one source. `input` may be gzipped, or a ZIP of CSV or JSON; a record of accounts may be an XLSX workbook.
///
/// Memory does not grow with the length of billing, expense and log files: they are aggregated per account while
/// being read.
pub fn read(kind: SourceKind, input: &mut dyn BufRead, mapping: &Mapping) -> Reading {
    let mut gather = Gather::new(kind);
    match kind {
        SourceKind::LandingZone | SourceKind::Manual | SourceKind::Import => record::read(input, mapping, &mut gather),
        _ => match unpack::open(input, &mapping.limits) {
            Err(problem) => gather.lost(0, format!("the file {problem}")),
            Ok(input) => match kind {
                SourceKind::AwsCur | SourceKind::Focus | SourceKind::AzureCost | SourceKind::GcpBilling => {
                    billing::read(input, mapping, &mut gather);
                }
                SourceKind::Expense => expense::read(input, mapping, &mut gather),
                SourceKind::AwsOrganizations => each(input, mapping, &mut gather, org::aws),
                SourceKind::AzureTenant => each(input, mapping, &mut gather, org::azure),
                SourceKind::GcpOrganization => each(input, mapping, &mut gather, org::gcp),
                SourceKind::OktaLog => each(input, mapping, &mut gather, identity::okta),
                SourceKind::EntraSignIns => each(input, mapping, &mut gather, identity::entra_sign_in),
                SourceKind::EntraAudit => each(input, mapping, &mut gather, identity::entra_audit),
                SourceKind::CloudTrail => each(input, mapping, &mut gather, cloudtrail::event),
                SourceKind::CrossAccountRoles => each(input, mapping, &mut gather, roles::row),
                SourceKind::IacState => iac::read(input, mapping, &mut gather),
                SourceKind::LandingZone | SourceKind::Manual | SourceKind::Import => {}
            },
        },
    }
    gather.finish()
}

/// A role or resource of a snapshot with the policy that says whom it trusts.
#[derive(Debug, Clone, Copy)]
pub struct PolicyRow<'a> {
    /// Whose cloud.
    pub provider: Provider,
    /// The account the role or resource is in.
    pub account: &'a AccountId,
    /// The role or resource.
    pub resource: &'a str,
    /// The policy: a document, its text, or unknown.
    pub policy: &'a Value,
}

/// Reads the trust and resource policies of a snapshot, like [`SourceKind::CrossAccountRoles`]. A policy that could not
/// be read makes the reading incomplete.
pub fn read_policies<'a>(rows: impl IntoIterator<Item = PolicyRow<'a>>, mapping: &Mapping) -> Reading {
    let mut reader = PolicyReader::new(mapping);
    rows.into_iter().for_each(|row| reader.take(row));
    reader.finish()
}

/// As [`read_policies`], for rows that come one at a time: none of them is held.
pub struct PolicyReader<'m> {
    gather: Gather,
    mapping: &'m Mapping,
}

impl<'m> PolicyReader<'m> {
    /// A reader that has read nothing yet.
    pub fn new(mapping: &'m Mapping) -> Self {
        Self { gather: Gather::new(SourceKind::CrossAccountRoles), mapping }
    }

    /// Reads one.
    pub fn take(&mut self, row: PolicyRow<'_>) {
        self.gather.rows += 1;
        let number = self.gather.rows;
        if let Some(why) = row.policy.first_unknown() {
            self.gather.lost(number, format!("policy not read: {}", why.describe()));
        }
        let json = serde_json::json!({
            "account": row.account.as_str(),
            "provider": row.provider.name(),
            "resource": row.resource,
            "policy": row.policy.to_json(),
        });
        roles::row(&json, number, self.mapping, &mut self.gather);
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.gather.rows == 0
    }

    /// What they say.
    pub fn finish(self) -> Reading {
        self.gather.finish()
    }
}

/// Reads records of JSON with a function per record.
fn each(
    input: Box<dyn BufRead + '_>,
    mapping: &Mapping,
    gather: &mut Gather,
    one: fn(&serde_json::Value, u64, &Mapping, &mut Gather),
) {
    let mut problems = Vec::new();
    let lists =
        if gather.kind() == SourceKind::CrossAccountRoles { crate::json::ROLE_LISTS } else { crate::json::LISTS };
    crate::json::records_of(
        lists,
        input,
        &mapping.limits,
        &mut |number, value| {
            gather.rows += 1;
            one(&value, number, mapping, gather);
        },
        &mut |number, problem| problems.push((number, problem)),
    );
    for (number, problem) in problems {
        gather.lost(number, problem);
    }
}

/// An instant as sources write it: RFC 3339, `2026-08-01 10:00:00 UTC`, `2026-08-01T10:00:00.000`, a bare date,
/// `08/01/2026` (or day first), a month `2026-08`, epoch seconds with or without fraction, a spreadsheet's day number.
pub(crate) fn instant(text: &str, day_first: bool) -> Option<Time> {
    let text = text.trim();
    if !text.is_ascii() || text.len() > 40 {
        return None;
    }
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    if let Some((whole, _)) = text.split_once('.')
        && let Ok(seconds @ 100_000_000..=9_999_999_999) = whole.parse::<i64>()
    {
        return Some(Time::from_seconds(seconds));
    }
    // A spreadsheet's day with a clock: 46235.4166. A day of the month is written with two points (below).
    if let Some((days, clock)) = text.split_once('.')
        && clock.bytes().all(|b| b.is_ascii_digit())
        && days.parse::<i64>().is_ok_and(|days| (20_000..=80_000).contains(&days))
    {
        return text.parse().ok().map(|days: f64| Time::from_seconds(((days - 25_569.0) * 86_400.0).round() as i64));
    }
    match text.parse::<i64>() {
        Ok(seconds @ 100_000_000..=9_999_999_999) => return Some(Time::from_seconds(seconds)),
        // Days since 1899-12-30, which is 25,569 days before the epoch.
        Ok(days @ 20_000..=80_000) => return Some(Time::from_seconds((days - 25_569) * 86_400)),
        _ => {}
    }
    let iso = text.get(..10).filter(|d| d.as_bytes().get(4) == Some(&b'-') && d.as_bytes().get(7) == Some(&b'-'));
    if let Some(date) = iso {
        let clock = text.get(11..19).filter(|t| t.as_bytes().get(2) == Some(&b':'));
        return format!("{date}T{}Z", clock.unwrap_or("00:00:00")).parse().ok();
    }
    if text.len() == 7 && text.as_bytes().get(4) == Some(&b'-') {
        return format!("{text}-01").parse().ok();
    }
    let mut parts = text.split(' ').next()?.split(['/', '.']);
    let (a, b, year) = (parts.next()?, parts.next()?, parts.next()?);
    let (month, day) = if day_first || text.contains('.') { (b, a) } else { (a, b) };
    if year.len() != 4 {
        return None;
    }
    format!("{year}-{month:0>2}-{day:0>2}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_as_sources_write_them() {
        fn check(text: &str, want: Option<&str>) {
            assert_eq!(instant(text, false).map(|t| t.to_string()).as_deref(), want, "{text}");
        }
        check("2026-08-01T10:00:00Z", Some("2026-08-01T10:00:00Z"));
        check("2026-08-01 10:00:00 UTC", Some("2026-08-01T10:00:00Z"));
        check("2026-08-01T10:00:00.000", Some("2026-08-01T10:00:00Z"));
        check("2026-08-01", Some("2026-08-01T00:00:00Z"));
        check("2026-08", Some("2026-08-01T00:00:00Z"));
        check("08/13/2026", Some("2026-08-13T00:00:00Z"));
        check("13.8.2026", Some("2026-08-13T00:00:00Z"));
        check("1785500000.123", Some("2026-07-31T12:13:20Z"));
        check("46235", Some("2026-08-01T00:00:00Z"));
        check("46235.5", Some("2026-08-01T12:00:00Z"));
        check("46235.5.1", None);
        check("soon", None);
        check("", None);
        assert_eq!(instant("13/8/2026", true).unwrap().date(), "2026-08-13");
    }
}
