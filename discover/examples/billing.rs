//! Measures the billing reader: makes a million lines of a Cost and Usage Report while reading them. With `reconcile`
//! instead of a number, the reconciliation: an organisation of 20,000 accounts and a bill of 20,000, twice.
//!
//! `cargo run --release -p plumb-discover --example billing -- 1000000`

use plumb_discover::{Config, Mapping, SourceKind, accounts_jsonl, read, reconcile_from};
use std::io::{BufReader, Read};

/// Lines of a report made as they are asked for; about 330 bytes each, 500 accounts, 30 days.
struct Report {
    lines: u64,
    at: u64,
    line: Vec<u8>,
    from: usize,
}

impl Read for Report {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.from >= self.line.len() {
            if self.at >= self.lines {
                return Ok(0);
            }
            let (n, account) = (self.at, self.at * 7 % 500);
            self.line.clear();
            self.from = 0;
            use std::io::Write;
            writeln!(
                self.line,
                "k2x7{n:012},2026-10-01T00:00:00Z/2026-10-01T01:00:00Z,100000000001,payer,2026-10-01 00:00:00.000,{:012},\
                 account {account},Usage,2026-10-{:02} 05:00:00.000,2026-10-{:02} 06:00:00.000,AmazonEC2,\
                 EUW1-BoxUsage:m7g.large,RunInstances,eu-west-1a,i-0123456789abcdef0,1.0,hrs,USD,0.08{:05},\"$0.0865 per \
                 On Demand Linux m7g.large Instance Hour\",eu-west-1",
                200_000_000_000 + account,
                n % 30 + 1,
                n % 30 + 1,
                n % 99_999,
            )?;
            self.at += 1;
        }
        let n = buf.len().min(self.line.len() - self.from);
        buf[..n].copy_from_slice(&self.line[self.from..self.from + n]);
        self.from += n;
        Ok(n)
    }
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("reconcile") => reconcile_twice(),
        lines => read_bill(lines.and_then(|n| n.parse().ok()).unwrap_or(1_000_000)),
    }
}

fn read_bill(lines: u64) {
    let heading = "identity_line_item_id,identity_time_interval,bill_payer_account_id,bill_payer_account_name,\
        bill_billing_period_start_date,line_item_usage_account_id,line_item_usage_account_name,line_item_line_item_type,\
        line_item_usage_start_date,line_item_usage_end_date,line_item_product_code,line_item_usage_type,\
        line_item_operation,line_item_availability_zone,line_item_resource_id,line_item_usage_amount,pricing_unit,\
        line_item_currency_code,line_item_unblended_cost,line_item_line_item_description,product_region_code\n";
    let report = Report { lines, at: 0, line: heading.into(), from: 0 };
    let started = std::time::Instant::now();
    let reading = read(SourceKind::AwsCur, &mut BufReader::with_capacity(1 << 16, report), &Mapping::named("made"));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or("VmHWM: not known here");
    println!(
        "{} lines, {} accounts, {} problems, {:.2} s with making them; {peak}",
        reading.rows,
        reading.sightings.len(),
        reading.problems.len(),
        started.elapsed().as_secs_f64(),
    );
}

fn reconcile_twice() {
    let text = |kind, text: String| read(kind, &mut text.as_bytes(), &Mapping::named("made"));
    let list: String =
        (0..20_000).map(|n| format!("{{\"Id\":\"{:012}\",\"Status\":\"ACTIVE\"}}\n", 200_000_000_000u64 + n)).collect();
    let bill: String = (0..20_000).map(|n| format!("{:012},2026-11-01,1.5\n", 200_000_010_000u64 + n)).collect();
    let bill = format!("line_item_usage_account_id,line_item_usage_start_date,line_item_unblended_cost\n{bill}");
    let readings = [text(SourceKind::AwsOrganizations, list), text(SourceKind::AwsCur, bill)];
    let now = plumb_model::Time::from_seconds(1_795_000_000);
    let started = std::time::Instant::now();
    let estate = reconcile_from(&readings, None, &Config::default(), now);
    let again = reconcile_from(&readings, Some(estate), &Config::default(), now.plus_days(1));
    let lines: usize = accounts_jsonl(&again).map(|l| l.len()).sum();
    println!(
        "{} accounts, {} shadow, reconciled twice and written ({lines} bytes) in {:.2} s",
        again.accounts.len(),
        again.shadow.len(),
        started.elapsed().as_secs_f64()
    );
}
