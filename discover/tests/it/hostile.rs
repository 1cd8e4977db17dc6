//! Malformed, truncated, huge and hostile files: every reader answers, none loses silently, none fills the memory.

use crate::{FILES, text};
use flate2::{Compression, write::GzEncoder};
use plumb_discover::*;
use proptest::prelude::*;
use std::io::{BufReader, Read, Write};

fn problems(reading: &Reading) -> String {
    reading.problems.iter().map(|p| format!("{}: {}\n", p.line, p.message)).collect()
}

#[test]
fn nonsense_is_a_problem_and_never_complete() {
    fn check(kind: SourceKind, bytes: &[u8], want: &str) {
        let reading = read(kind, &mut &*bytes, &Mapping::default());
        assert!(!reading.complete, "{kind}");
        assert!(problems(&reading).contains(want), "{kind}\n  got {}\n  want {want}", problems(&reading));
    }
    use SourceKind as K;
    for kind in K::ALL {
        check(*kind, b"", "");
        check(*kind, b"PAR1....", "Parquet");
        check(*kind, b"PK\x03\x04 and then nothing", "broken ZIP");
    }
    check(K::AwsCur, b"a,b\n1,2\n", "there is no column `line_item_usage_account_id`");
    check(K::AwsCur, b"SubAccountId,ProviderName\n1,2\n", "it looks like `focus`");
    check(K::Focus, b"SubscriptionId,Cost\n1,2\n", "no column `SubAccountId`; it looks like `azure-cost`");
    check(K::OktaLog, b"a,b\n1,2\n", "the file is not JSON");
    check(K::CloudTrail, b" \n", "");
    check(K::EntraSignIns, b"", "the file is empty");
    check(K::AwsCur, b"{}", "read as CSV");
    check(K::AwsCur, b"line_item_usage_account_id,x\n12345,1\n", "`12345` is not an aws account id");
    check(K::AwsCur, b"line_item_usage_account_id,x\n123456789012,1,2,3\n", "another number of columns");
    check(K::Focus, b"SubAccountId,ProviderName\n???,AWS\n", "not an aws account id");
    check(K::LandingZone, b"a,b\n1,2\n", "no column with account ids");
    check(K::LandingZone, b"account id\nbanana!\n", "`banana!` is no account id");
    check(K::AwsOrganizations, br#"[{"Id":"x"}]"#, "no account number");
    check(K::IacState, br#"{"version":3,"modules":[]}"#, "not a Terraform state of version 4");
    check(K::CrossAccountRoles, br#"[{"account":"123456789012","trust_policy":"{"}]"#, "policy is not JSON");
    check(K::Expense, b"a,b\n", "no column for the vendor");
}

/// Spreadsheets and shells of Windows begin files with a mark, or write UTF-16.
#[test]
fn every_encoding_of_every_sample_reads_the_same() {
    for (kind, name, bytes) in FILES {
        let Ok(text) = std::str::from_utf8(bytes) else { continue };
        let text = text.trim_start_matches('\u{feff}');
        let units = |mark: &[u8], of: fn(u16) -> [u8; 2]| {
            [mark, &text.encode_utf16().flat_map(of).collect::<Vec<_>>()].concat()
        };
        let want = read(*kind, &mut text.as_bytes(), &Mapping::default());
        for (how, bytes) in [
            ("a mark", ["\u{feff}", text].concat().into_bytes()),
            ("little end first", units(b"\xff\xfe", u16::to_le_bytes)),
            ("big end first", units(b"\xfe\xff", u16::to_be_bytes)),
        ] {
            let got = read(*kind, &mut &*bytes, &Mapping::default());
            assert_eq!((got.sightings, got.complete), (want.sightings.clone(), want.complete), "{kind} {name}: {how}");
        }
    }
    let lone = b"\xff\xfe[\0\x00\xd8]\0x";
    assert!(!read(SourceKind::OktaLog, &mut &lone[..], &Mapping::default()).complete);
}

/// A file that was cut off in a row is never complete, whatever columns are left of it.
#[test]
fn a_row_that_is_cut_off_is_a_problem() {
    fn check(kind: SourceKind, heading: &str, row: &str) {
        for end in 1..row.len() {
            let cut = row.get(..end).unwrap();
            if cut.matches(',').count() == row.matches(',').count() {
                continue;
            }
            let reading = read(kind, &mut format!("{heading}\n{row}\n{cut}").as_bytes(), &Mapping::default());
            assert!(
                !reading.complete && problems(&reading).contains("breaks off"),
                "{kind} `{cut}`: {}",
                problems(&reading)
            );
            // With a line's end it is a short row, as spreadsheets write them.
            let short = read(kind, &mut format!("{heading}\n{row}\n{row}\n").as_bytes(), &Mapping::default());
            assert!(short.complete, "{kind}");
        }
    }
    use SourceKind as K;
    check(
        K::AzureCost,
        "SubscriptionId,Date,CostInBillingCurrency,BillingCurrencyCode",
        "6f1c2d3e-0000-4000-8000-00000000000a,11/17/2026,40.5,EUR",
    );
    check(K::LandingZone, "Account ID,Environment,Owner", "100000000001,prod,ops@example.com");
    check(K::Expense, "date,vendor,amount,currency", "2026-10-01,Amazon Web Services,12.50,EUR");
    let other = br#"[{"Id":"100000000001","Name":"payer"}]"#;
    let reading = read(K::GcpBilling, &mut &other[..], &Mapping::default());
    assert!(!reading.complete && problems(&reading).contains("none of a billing export"), "{}", problems(&reading));
}

#[test]
fn every_truncation_of_every_sample_is_survived() {
    for (kind, _, bytes) in FILES {
        let step = (bytes.len() / 60).max(1);
        for end in (0..bytes.len()).step_by(step) {
            let reading = read(*kind, &mut bytes.get(..end).unwrap(), &Mapping::default());
            assert!(reading.sightings.len() <= 40);
        }
    }
}

/// A stream that costs no memory: `head` once, then `body` for ever, up to `bytes`.
struct Endless {
    head: Vec<u8>,
    body: Vec<u8>,
    at: u64,
    bytes: u64,
}

impl Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = buf.len().min((self.bytes - self.at) as usize);
        for slot in &mut buf[..n] {
            let at = self.at as usize;
            *slot = self.head.get(at).copied().unwrap_or_else(|| self.body[(at - self.head.len()) % self.body.len()]);
            self.at += 1;
        }
        Ok(n)
    }
}

fn endless(kind: SourceKind, head: &str, body: &str, mib: u64) -> Reading {
    let stream = Endless { head: head.into(), body: body.into(), at: 0, bytes: mib << 20 };
    read(kind, &mut BufReader::new(stream), &Mapping::default())
}

#[test]
fn rows_and_records_without_end_are_dropped() {
    let heading = "line_item_usage_account_id,line_item_usage_start_date\n";
    let reading = endless(SourceKind::AwsCur, &format!("{heading}\"123456789012"), "x", 12);
    assert!(problems(&reading).contains("larger than a row"), "{}", problems(&reading));
    let reading = endless(SourceKind::OktaLog, "{\"eventType\":\"a\"}\n{\"eventType\":\"", "x", 12);
    assert!(problems(&reading).contains("longer than"), "{}", problems(&reading));
    let small = Mapping { limits: Limits { record_bytes: 64 << 10, ..Limits::default() }, ..Mapping::default() };
    let head = b"{\"Records\":[{\"eventName\":\"a\"},{\"eventName\":\"".to_vec();
    let stream = Endless { head, body: b"x".to_vec(), at: 0, bytes: 4 << 20 };
    let reading = read(SourceKind::CloudTrail, &mut BufReader::new(stream), &small);
    assert!(problems(&reading).contains("one record is larger"), "{}", problems(&reading));
    assert_eq!(reading.rows, 1);
    let small = Mapping { limits: Limits { unpacked_bytes: 1 << 20, ..Limits::default() }, ..Mapping::default() };
    let stream = Endless { head: b"Date,Merchant\n".to_vec(), body: b"2026-01-01,x\n".to_vec(), at: 0, bytes: 8 << 20 };
    let reading = read(SourceKind::Expense, &mut BufReader::new(stream), &small);
    assert!(problems(&reading).contains("more than 1048576 bytes"), "{}", problems(&reading));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn gzip_is_read_and_bombs_are_not() {
    let plain = FILES.iter().find(|(_, n, _)| *n == "cur-2.0.csv").unwrap().2;
    let reading = read(SourceKind::AwsCur, &mut gzip(plain).as_slice(), &Mapping::default());
    assert_eq!(reading.sightings, read(SourceKind::AwsCur, &mut &*plain, &Mapping::default()).sightings);
    assert!(reading.complete);

    let mut heading = b"line_item_usage_account_id\n".to_vec();
    heading.resize(32 << 20, b'\n');
    let reading = read(SourceKind::AwsCur, &mut gzip(&heading).as_slice(), &Mapping::default());
    assert!(problems(&reading).contains("grows more than 300 times"), "{}", problems(&reading));
    let mut torn = gzip(plain);
    torn.truncate(torn.len() / 2);
    assert!(!read(SourceKind::AwsCur, &mut torn.as_slice(), &Mapping::default()).complete);
}

/// A ZIP archive with these members; `claim` is written as the size after unpacking.
fn zip(members: &[(&str, &[u8])], claim: Option<u32>) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), Compression::best());
        deflate.write_all(content).unwrap();
        let packed = deflate.finish().unwrap();
        let offset = out.len() as u32;
        let sizes = |v: &mut Vec<u8>| {
            v.extend(8u16.to_le_bytes());
            v.extend([0; 8]);
            v.extend((packed.len() as u32).to_le_bytes());
            v.extend(claim.unwrap_or(content.len() as u32).to_le_bytes());
            v.extend((name.len() as u16).to_le_bytes());
            v.extend([0, 0]);
        };
        out.extend(b"PK\x03\x04\x14\0\0\0");
        sizes(&mut out);
        out.extend(name.as_bytes());
        directory.extend(b"PK\x01\x02\x14\0\x14\0\0\0");
        sizes(&mut directory);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
        out.extend(&packed);
    }
    let at = out.len() as u32;
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend((members.len() as u16).to_le_bytes());
    out.extend((members.len() as u16).to_le_bytes());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0, 0]);
    out
}

#[test]
fn zip_members_are_joined_and_bombs_refused() {
    let head = "line_item_usage_account_id,line_item_usage_start_date\n";
    let (a, b) = (format!("{head}123456789012,2026-01-01"), format!("{head}123456789013,2026-01-02\n"));
    let parts = zip(&[("a.csv", a.as_bytes()), ("manifest.txt", b"x"), ("b.csv", b.as_bytes())], None);
    let reading = read(SourceKind::AwsCur, &mut parts.as_slice(), &Mapping::default());
    assert!(reading.complete, "{}", problems(&reading));
    assert_eq!(reading.sightings.len(), 2);

    let bomb = zip(&[("a.csv", &vec![b'0'; 64 << 20])], Some(10));
    let reading = read(SourceKind::AwsCur, &mut bomb.as_slice(), &Mapping::default());
    assert!(problems(&reading).contains("grows more than 300 times"), "{}", problems(&reading));
}

fn workbook(sheet: &str) -> Vec<u8> {
    workbook_of(&[("A", sheet)])
}

fn workbook_of(sheets: &[(&str, &str)]) -> Vec<u8> {
    let named = |(at, (name, _)): (usize, &(&str, &str))| format!(r#"<sheet name="{name}" r:id="rId{}"/>"#, at + 1);
    let named: String = sheets.iter().enumerate().map(named).collect();
    let book = format!(r#"<workbook xmlns:r="r"><sheets>{named}</sheets></workbook>"#);
    let paths: Vec<String> = (1..=sheets.len()).map(|n| format!("xl/worksheets/sheet{n}.xml")).collect();
    let mut members = vec![("xl/workbook.xml", book.as_bytes())];
    members.extend(paths.iter().zip(sheets).map(|(path, (_, xml))| (path.as_str(), xml.as_bytes())));
    zip(&members, None)
}

/// A worksheet of these rows; an empty one is left out, as spreadsheets do.
fn worksheet(rows: &[&[&str]]) -> String {
    let cell = |text: &&str| format!(r#"<c t="inlineStr"><is><t>{text}</t></is></c>"#);
    let row = |(at, cells): (usize, &&[&str])| {
        let cells: String = cells.iter().map(cell).collect();
        if cells.is_empty() { cells } else { format!(r#"<row r="{}">{cells}</row>"#, at + 1) }
    };
    let rows: String = rows.iter().enumerate().map(row).collect();
    format!("<worksheet><sheetData>{rows}</sheetData></worksheet>")
}

/// D01, D10: a landing-zone record with a sheet for each cloud is read whole, and its evidence names the sheet.
#[test]
fn every_sheet_of_accounts_is_read() {
    const GUID: &str = "6f1c2d3e-0000-4000-8000-00000000000a";
    let sheets = [
        ("Read me", worksheet(&[&["How to fill this in"], &["Ask the cloud team"]])),
        ("AWS", worksheet(&[&["Account ID", "Owner"], &[], &["111122223333", "ann"]])),
        ("Azure", worksheet(&[&["Subscription ID", "Owner"], &[GUID, "gina"]])),
        ("Costs", worksheet(&[&["Team", "EUR"], &["web", "100"], &["shop", "50"]])),
        ("GCP", worksheet(&[&["Project ID", "Owner"], &["pay-prod-1", "ada"]])),
    ];
    let sheets: Vec<(&str, &str)> = sheets.iter().map(|(name, xml)| (*name, xml.as_str())).collect();
    let bytes = workbook_of(&sheets);
    let reading = read(SourceKind::LandingZone, &mut bytes.as_slice(), &Mapping::named("lz.xlsx"));
    let found: Vec<_> =
        reading.sightings.iter().map(|s| (s.account.as_ref().unwrap().to_string(), s.evidence.as_str())).collect();
    let azure = format!("azure:{GUID}");
    let want = [
        ("aws:111122223333".to_owned(), "lz.xlsx sheet AWS row 3"),
        (azure, "lz.xlsx sheet Azure row 2"),
        ("gcp:pay-prod-1".to_owned(), "lz.xlsx sheet GCP row 2"),
    ];
    assert_eq!(found, want, "{}", problems(&reading));
    // What may have been a table of accounts is told of; a page of words is not.
    assert!(reading.complete);
    assert_eq!(problems(&reading).matches("passed over").count(), 1, "{}", problems(&reading));
    assert!(problems(&reading).contains("sheet `Costs`"));
    let one = Mapping { sheet: Some("GCP".into()), ..Mapping::named("lz.xlsx") };
    let reading = read(SourceKind::LandingZone, &mut bytes.as_slice(), &one);
    assert_eq!((reading.sightings.len(), reading.complete), (1, true), "{}", problems(&reading));
}

#[test]
fn hostile_workbooks_are_refused() {
    fn check(bytes: &[u8], want: &str) {
        let reading = read(SourceKind::LandingZone, &mut &*bytes, &Mapping::default());
        assert!(!reading.complete && problems(&reading).contains(want), "{}\n want {want}", problems(&reading));
    }
    let laughs = r#"<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><worksheet><sheetData><row><c t="inlineStr"><is><t>&b;</t></is></c></row></sheetData></worksheet>"#;
    check(&workbook(laughs), "document type definition");
    check(&workbook("<worksheet><row><c r=\"XFD1\"><v>1</v></c></row></worksheet>"), "more cells");
    check(&workbook("<worksheet><row><"), "broken XML");
    check(&workbook("<worksheet/>"), "no column with account ids");
    let mapping = Mapping { sheet: Some("B".into()), ..Mapping::default() };
    let reading = read(SourceKind::LandingZone, &mut workbook("<worksheet/>").as_slice(), &mapping);
    assert!(problems(&reading).contains("no sheet `B`; the workbook has A"));
}

#[test]
fn spreadsheets_that_ate_zeros_are_understood_and_said() {
    let reading = text(SourceKind::LandingZone, "Account ID,Owner\n12345678901,a\n000000000001,b\n");
    let ids: Vec<_> = reading.sightings.iter().map(|s| s.account.as_ref().unwrap().id.to_string()).collect();
    assert_eq!(ids, ["000000000001", "012345678901"]);
    assert!(problems(&reading).contains("lost its leading zeros"));
}

#[test]
fn trust_policies_name_accounts_and_nothing_else_does() {
    fn check(statement: serde_json::Value, want: &[&str]) {
        let row = serde_json::json!({"account": "100000000001", "role_arn": "arn:aws:iam::100000000001:role/x", "trust_policy": {"Statement": statement}});
        let reading = text(SourceKind::CrossAccountRoles, &row.to_string());
        let got: Vec<_> = reading.sightings.iter().map(|s| s.account.as_ref().unwrap().id.to_string()).collect();
        let want: Vec<_> = std::iter::once("100000000001").chain(want.iter().copied()).collect();
        assert_eq!(got, want);
    }
    use serde_json::json;
    check(
        json!({"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::555566667777:root", "999988887777"]}}),
        &["555566667777", "999988887777"],
    );
    check(json!([{"Effect": "Deny", "Principal": {"AWS": "555566667777"}}]), &[]);
    check(json!({"Effect": "Allow", "Principal": "*"}), &[]);
    check(
        json!({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com", "AWS": "AROA555566667777AAAAA"}}),
        &[],
    );
    check(json!({"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::555566667777:saml-provider/x"}}), &[]);
    check(
        json!({"Effect": "Allow", "Principal": "*", "Condition": {"StringEquals": {"aws:SourceAccount": "555566667777"}}}),
        &["555566667777"],
    );
    check(
        json!({"Effect": "Allow", "Principal": "*", "Condition": {"StringNotEquals": {"aws:SourceAccount": "555566667777"}}}),
        &[],
    );
    check(json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::100000000001:role/user-555566667777"}}), &[]);
    let encoded = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22AWS%22%3A%22555566667777%22%7D%7D%5D%7D";
    let row = json!({"account": "100000000001", "role_arn": "r", "trust_policy": encoded});
    assert_eq!(text(SourceKind::CrossAccountRoles, &row.to_string()).sightings.len(), 2);
    let listed = json!({"RoleName": "x", "Arn": "arn:aws:iam::100000000001:role/x", "CreateDate": "2026-01-01T00:00:00Z", "AssumeRolePolicyDocument": encoded});
    assert_eq!(text(SourceKind::CrossAccountRoles, &listed.to_string()).sightings.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// No bytes make a reader panic, and a sample with flipped bytes is still answered.
    #[test]
    fn no_bytes_break_a_reader(which in 0..FILES.len(), noise in prop::collection::vec(any::<u8>(), 0..300), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20)) {
        let (kind, _, sample) = FILES[which];
        let _ = read(kind, &mut noise.as_slice(), &Mapping::default());
        let mut bytes = sample.to_vec();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(kind, &mut bytes.as_slice(), &Mapping::default());
    }
}

#[test]
fn policies_of_a_snapshot_are_read_and_refused_ones_are_said() {
    use plumb_model::{Reason, Unknown, Value};
    let trust =
        serde_json::json!({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::555566667777:root"}}]});
    let (document, as_text) = (Value::from_json(&trust), Value::from(trust.to_string()));
    let denied = Value::unknown(Unknown::new(Reason::Denied, "s3:GetBucketPolicy"));
    let account = "100000000001".into();
    fn row<'a>(account: &'a plumb_model::AccountId, policy: &'a Value) -> PolicyRow<'a> {
        PolicyRow { provider: Provider::Aws, account, resource: "arn:aws:s3:::b", policy }
    }
    for policy in [&document, &as_text] {
        let reading = read_policies([row(&account, policy)], &Mapping::default());
        assert_eq!((reading.sightings.len(), reading.complete), (2, true), "{}", problems(&reading));
    }
    let reading = read_policies([row(&account, &denied), row(&account, &Value::Null)], &Mapping::default());
    assert_eq!((reading.sightings.len(), reading.complete), (1, false));
    assert!(problems(&reading).contains("s3:GetBucketPolicy"));
}

#[test]
fn a_focus_export_of_any_vendor_is_read() {
    fn check(provider: &str, id: &str, want: &str) {
        let reading = text(SourceKind::Focus, &format!("SubAccountId,ProviderName\n{id},{provider}\n"));
        let got: Vec<_> =
            reading.sightings.iter().filter_map(|s| s.account.as_ref()).map(ToString::to_string).collect();
        assert_eq!(got, [want], "{}", problems(&reading));
    }
    check("AWS", "123456789012", "aws:123456789012");
    check("Amazon Web Services", "123456789012", "aws:123456789012");
    check("Google", "pay-prod-1", "gcp:pay-prod-1");
    check("Databricks", "workspace 7", "other:workspace 7");
    check("", "123456789012", "aws:123456789012");
}

#[test]
fn names_without_end_are_cut() {
    let long = "x".repeat(1 << 20);
    let event = serde_json::json!({"eventType": "user.authentication.sso", "outcome": {"result": "SUCCESS"}, "actor": {"alternateId": long},
        "target": [{"type": "AppInstance", "displayName": format!("AWS {long}"), "id": long}]});
    let expense = format!("Date,Employee,Merchant\n2026-01-01,{long},AWS {long}\n");
    for reading in [text(SourceKind::OktaLog, &event.to_string()), text(SourceKind::Expense, &expense)] {
        assert_eq!(reading.sightings.len(), 1);
        assert!(serde_json::to_string(&reading).unwrap().len() < 4_000);
    }
}
