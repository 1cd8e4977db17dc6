//! `cargo xtask test`: all that must hold before a change is merged, in the order that fails soonest.

use crate::{Done, docs, emulator, governance, root};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Instant,
};

/// Runs every check; `--no-emulator` leaves the end-to-end tests out (they then say so).
pub fn run(args: &[String]) -> Done {
    let began = Instant::now();
    step("format", || cargo(&["fmt", "--all", "--check"]))?;
    step("lints", || cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    if args.iter().any(|a| a == "--no-emulator") {
        println!("== emulator: left out");
    } else if let Err(problem) = step("emulator's environment", || emulator::python().map(|_| ())) {
        // On a person's machine without Python the rest is still worth running; where it counts it is an error.
        if std::env::var_os("CI").is_some() {
            return Err(problem);
        }
        println!("no emulator, its tests will be skipped: {problem}");
    }
    let (passed, ignored) = tests()?;
    step("rule pages", || {
        emulator::call(
            Command::new(emulator::target().join("debug/plumb"))
                .args(["rules", "check", "--format", "text"])
                .current_dir(root()),
        )
    })?;
    step("generated documents", || docs::run(&["--check".into()]))?;
    step("frameworks", || governance::run(&["--check".into()]))?;
    println!("\n{passed} tests passed, 0 failed, {ignored} ignored, in {} s", began.elapsed().as_secs());
    Ok(())
}

fn step(name: &str, work: impl FnOnce() -> Done) -> Done {
    println!("== {name}");
    let began = Instant::now();
    work()?;
    println!("== {name}: fine, {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}

fn cargo(args: &[&str]) -> Done {
    emulator::call(Command::new("cargo").args(args).current_dir(root()))
}

/// Runs the workspace's tests, shows them as cargo does, and counts.
fn tests() -> Result<(u64, u64), String> {
    println!("== tests");
    let mut child = Command::new("cargo")
        .args(["test", "--workspace", "--no-fail-fast"])
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot run cargo test: {e}"))?;
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        let line = line.map_err(|e| e.to_string())?;
        if line.starts_with("test result:") {
            let number = |word: &str| -> u64 {
                let part = line.split([';', '.']).find(|part| part.trim_end().ends_with(word));
                part.and_then(|part| part.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
            };
            passed += number(" passed");
            failed += number(" failed");
            ignored += number(" ignored");
        }
        println!("{line}");
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    println!("== tests: {passed} passed, {failed} failed, {ignored} ignored");
    if status.success() { Ok((passed, ignored)) } else { Err(format!("{failed} tests failed")) }
}
