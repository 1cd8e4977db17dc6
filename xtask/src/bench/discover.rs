//! Reading a bill of a million lines, against the limits promised: 5 CPU-seconds and 100 MB. Reconciling an organisation
//! of 30,000 accounts is measured beside it.

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
    let example = crate::emulator::target().join("release/examples/billing");
    let run = |what: &str| {
        let took = measure(Command::new(&example).arg(what))?;
        if took.status.success() { Ok(took) } else { Err(format!("the example ended with {}", took.status)) }
    };
    let took = run(&lines)?;
    let (cpu, peak) = (took.cpu.as_secs_f64(), took.peak as f64 / 1e6);
    println!(
        "{lines} billing lines: {cpu:.2} CPU-s ({:.2} of {CPU_SECONDS:.0}), {peak:.1} MB ({:.2} of {:.0})",
        cpu / CPU_SECONDS,
        took.peak as f64 / PEAK_BYTES as f64,
        PEAK_BYTES as f64 / 1e6,
    );
    let whole = run("reconcile")?;
    println!(
        "30,000 accounts reconciled twice and written: {:.2} CPU-s, {:.1} MB (no limit is promised)",
        whole.cpu.as_secs_f64(),
        whole.peak as f64 / 1e6
    );
    if cpu > CPU_SECONDS || took.peak > PEAK_BYTES {
        return Err("the limit is not kept".into());
    }
    Ok(())
}
