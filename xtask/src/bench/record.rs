//! `cargo xtask bench record [--findings 2000000] [--resources 1000000] [--entries 1000000] [--keep FILE]`: the store against
//! its limits. With --keep the file stays, and is asked again instead of filled when it is there.

use super::{measure, megabytes, option};
use crate::{Done, emulator::call, root};
use std::process::Command;

/// Builds and runs the example of `plumb-record` that fills a record and asks it.
pub fn run(args: &[String]) -> Done {
    let mut given = Vec::new();
    for (name, default) in [("--findings", "2000000"), ("--resources", "1000000"), ("--entries", "1000000")] {
        let count = option(args, name).unwrap_or_else(|| default.into());
        count.parse::<u64>().map_err(|e| format!("{name} {count}: {e}; a number such as {default} is wanted"))?;
        given.push(count);
    }
    let mut build = Command::new("cargo");
    build.args(["build", "--quiet", "--release", "-p", "plumb-record", "--example", "limits"]).current_dir(root());
    call(&mut build)?;
    let target = crate::emulator::target();
    let example = target.join("release/examples/limits");
    let mut run = Command::new(&example);
    match option(args, "--keep").map(std::path::PathBuf::from) {
        Some(kept) if kept.exists() => run.args(&given).arg(kept).arg("reuse"),
        Some(kept) => run.args(&given).arg(kept).arg("keep"),
        None => run.args(&given).arg(target.join("bench-record.db")),
    };
    let took = measure(&mut run)?;
    if !took.status.success() {
        return Err(format!("a limit was missed, or the example failed: it ended with {}", took.status));
    }
    println!(
        "in all    {:.1} s, {:.1} s of processor, at most {}",
        took.wall.as_secs_f64(),
        took.cpu.as_secs_f64(),
        megabytes(took.peak)
    );
    Ok(())
}
