//! Answers lines of signal levels from standard input: the contract of `plumb score --batch`, and its speed.
//!
//! `cargo run --release -p plumb-score --example batch < levels.jsonl > scores.jsonl`

use plumb_score::{Policy, score_line};
use std::io::{self, BufRead, Write};

fn main() -> io::Result<()> {
    let policy = Policy::default();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let started = std::time::Instant::now();
    let mut lines = 0;
    for line in io::stdin().lock().lines() {
        writeln!(out, "{}", score_line(&line?, &policy))?;
        lines += 1;
    }
    out.flush()?;
    eprintln!("{lines} lines in {:.2} s", started.elapsed().as_secs_f64());
    Ok(())
}
