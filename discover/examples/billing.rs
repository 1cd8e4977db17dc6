//! Measures the billing reader: writes nothing, makes a million lines of a Cost and Usage Report while reading them.
//!
//! `cargo run --release -p plumb-discover --example billing -- 1000000`

use plumb_discover::{Mapping, SourceKind, read};
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
    let lines = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
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
