//! `cargo xtask bench eval [--resources 1000000]`: how fast rules judge, against the limit of 1 µs a verdict.

use super::{measure, megabytes, option};
use crate::{Done, emulator::call, root};
use std::process::Command;

/// Builds and runs the example of `plumb-run` that makes and judges the resources.
pub fn run(args: &[String]) -> Done {
    let count = option(args, "--resources").unwrap_or_else(|| "1000000".into());
    count.parse::<u64>().map_err(|e| format!("--resources {count}: {e}; a number such as 1000000 is wanted"))?;
    let cargo = |what: &str| {
        let mut command = Command::new("cargo");
        command.args([what, "--quiet", "--release", "-p", "plumb-run", "--example", "throughput"]);
        command.current_dir(root());
        command
    };
    call(&mut cargo("build"))?;
    let example = crate::emulator::target().join("release/examples/throughput");
    let took = measure(Command::new(example).arg(count))?;
    if !took.status.success() {
        return Err(format!("the example ended with {}", took.status));
    }
    println!(
        "in all    {:.1} s, {:.1} s of processor, at most {}",
        took.wall.as_secs_f64(),
        took.cpu.as_secs_f64(),
        megabytes(took.peak)
    );
    Ok(())
}
