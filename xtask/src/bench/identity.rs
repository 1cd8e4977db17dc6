//! `cargo xtask bench identity`: the identity engine against its limits, and beside PMapper and Parliament.
//!
//! The peers are Python programs in environments of their own: `--pmapper` and `--parliament` name the Pythons that have
//! them (`pip install principalmapper`, `pip install parliament setuptools`). Without one, its comparison is left out.

use super::{Took, measure, megabytes, option};
use crate::{Done, emulator::call, root};
use std::{fs::File, path::Path, process::Command};

/// Builds the example of `plumb-assess` and runs what is asked for.
pub fn run(args: &[String]) -> Done {
    call(
        Command::new("cargo")
            .args(["build", "--quiet", "--release", "-p", "plumb-assess", "--example", "bench"])
            .current_dir(root()),
    )?;
    let ours = crate::emulator::target().join("release/examples/bench");
    let took = ended(measure(Command::new(&ours).args(["10000", "100000"]))?)?;
    println!("all of it: {} of 5 s of processor, at most {} of 1 GB\n", seconds(&took), megabytes(took.peak));

    let dir = std::env::temp_dir().join(format!("plumb-bench-identity-{}", std::process::id()));
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let limit = option(args, "--limit").unwrap_or_else(|| "600".into());
    if let Some(python) = option(args, "--pmapper") {
        let count = option(args, "--principals").unwrap_or_else(|| "1000".into());
        let account = dir.join("account.json");
        call(Command::new(&ours).arg("account").arg(&count).arg(&account))?;
        println!("{count} principals: who is an administrator, and who can become one");
        compare(&ours, "assess", &account, &python, "pmapper_bench.py", &limit)?;
    }
    if let Some(python) = option(args, "--parliament") {
        let corpus = dir.join("corpus");
        call(Command::new(&ours).arg("corpus").arg(&corpus))?;
        println!("lint of the AWS managed policies");
        compare(&ours, "lint", &corpus, &python, "parliament_bench.py", &limit)?;
    }
    std::fs::remove_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))
}

/// Ours and a peer's on the same input, and how many times less processor ours takes.
fn compare(ours: &Path, verb: &str, input: &Path, python: &str, script: &str, limit: &str) -> Done {
    let mine = ended(measure(Command::new(ours).arg(verb).arg(input))?)?;
    let script = root().join("xtask/src/bench").join(script);
    let said = File::create(input.with_extension("out")).map_err(|e| e.to_string())?;
    let theirs = measure(Command::new(python).arg(script).arg(input).arg(limit).stderr(said))?;
    let cut = if theirs.status.success() { "" } else { " (stopped at its limit: at least)" };
    println!(
        "  ours {}, {}; peer {}, {}{cut}: {:.0} times less processor\n",
        seconds(&mine),
        megabytes(mine.peak),
        seconds(&theirs),
        megabytes(theirs.peak),
        theirs.cpu.as_secs_f64() / mine.cpu.as_secs_f64().max(0.01)
    );
    Ok(())
}

fn ended(took: Took) -> Result<Took, String> {
    if took.status.success() { Ok(took) } else { Err(format!("the example ended with {}", took.status)) }
}

fn seconds(took: &Took) -> String {
    format!("{:.2} s", took.cpu.as_secs_f64())
}
