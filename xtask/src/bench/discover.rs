//! Reading a bill of a million lines and reconciling an organisation of 20,000 accounts, against the limits promised:
//! 5 CPU-seconds and 100 MB.

use super::{measure, option};
use crate::{Done, emulator::call, root};
use std::process::Command;

const CPU_SECONDS: f64 = 5.0;
const PEAK_BYTES: u64 = 100_000_000;

/// Builds the example of the discover layer as it is shipped and measures it.
pub fn run(args: &[String]) -> Done {
    let lines = option(args, "--lines").unwrap_or_else(|| "1000000".into());
    let build = ["build", "--quiet", "--release", "-p", "plumb-discover", "--example", "billing"];
    call(Command::new("cargo").args(build).current_dir(root()))?;
    let took = measure(Command::new(crate::emulator::target().join("release/examples/billing")).arg(&lines))?;
    if !took.status.success() {
        return Err(format!("the reader ended with {}", took.status));
    }
    let (cpu, peak) = (took.cpu.as_secs_f64(), took.peak as f64 / 1e6);
    println!(
        "{lines} billing lines and 40,000 reconciled entries: {cpu:.2} CPU-s ({:.2} of {CPU_SECONDS:.0}), {peak:.1} MB ({:.2} of {:.0})",
        cpu / CPU_SECONDS,
        took.peak as f64 / PEAK_BYTES as f64,
        PEAK_BYTES as f64 / 1e6,
    );
    if cpu > CPU_SECONDS || took.peak > PEAK_BYTES {
        return Err("the limit is not kept".into());
    }
    Ok(())
}
