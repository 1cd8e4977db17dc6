//! Reads a generated flat repository and prints what it cost in processor time: `cargo run --release --example terraform_speed [count]`.

use plumb_iac::MemoryFiles;
use plumb_iac::terraform::{Options, read};
use std::fmt::Write as _;
use std::time::Instant;

/// Milliseconds this process has had of a processor; wall-clock time where the system does not tell.
fn cpu_ms(start: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/self/schedstat").ok();
    let nanos = told.and_then(|t| t.split_whitespace().next()?.parse::<f64>().ok());
    nanos.map_or_else(|| start.elapsed().as_secs_f64() * 1e3, |n| n / 1e6)
}

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(10_000);
    let mut files = Vec::new();
    let mut bytes = 0;
    for file in 0..count.div_ceil(500) {
        let mut text = String::new();
        for i in file * 500..count.min(file * 500 + 500) {
            let _ = write!(
                text,
                "resource \"aws_s3_bucket\" \"b{i}\" {{\n  bucket = \"${{var.prefix}}-{i}\"\n  tags = merge(local.tags, {{ Name = \"b{i}\" }})\n\n  versioning {{\n    enabled = {}\n  }}\n\n  dynamic \"lifecycle_rule\" {{\n    for_each = local.rules\n    content {{\n      id      = lifecycle_rule.value.id\n      enabled = lifecycle_rule.value.days > 30 ? true : false\n    }}\n  }}\n}}\n\n",
                i % 2 == 0
            );
        }
        bytes += text.len();
        files.push((format!("f{file}.tf"), text));
    }
    files.push((
        "vars.tf".to_owned(),
        "variable \"prefix\" { default = \"x\" }\nlocals {\n  tags = { team = \"a\" }\n  rules = [{ id = \"a\", days = 10 }, { id = \"b\", days = 90 }]\n}\n"
            .to_owned(),
    ));
    // The same text as outputs nobody asks for: it is parsed and not evaluated.
    let outputs = files.iter().map(|(n, t)| (n.clone(), t.replace("resource \"aws_s3_bucket\" \"b", "output \"b")));
    let outputs = MemoryFiles::new(outputs.collect::<Vec<_>>());
    let begin = Instant::now();
    let start = cpu_ms(begin);
    let parsed = read(&outputs, &Options::default());
    let ms = cpu_ms(begin) - start;
    println!("parsed only: {} files: {ms:.0} ms, {:.1} MB/s", parsed.sources.files().len(), bytes as f64 / 1e3 / ms);
    drop((parsed, outputs));
    let files = MemoryFiles::new(files);
    let start = cpu_ms(begin);
    let reading = read(&files, &Options::default());
    let ms = cpu_ms(begin) - start;
    println!(
        "{} resources, {} problems, {:.2} MB: {ms:.0} ms, {:.1} MB/s",
        reading.resources.len(),
        reading.problems.len(),
        bytes as f64 / 1e6,
        bytes as f64 / 1e3 / ms
    );
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        status.lines().filter(|l| l.starts_with("VmHWM")).for_each(|l| println!("{l}"));
    }
}
