//! `cargo xtask bench NAME`: what is promised about speed and size, measured. Each bench is one file with a `run`, and
//! prints its figures beside a limit or a peer measured in the same run. `docs/performance.md` keeps the figures.

mod check;
mod discover;
mod eval;
mod identity;
mod record;
mod scan;
mod terraform;

use crate::{Done, emulator::call, root};
use serde_json::Value as Json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// One bench.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Done,
}

/// Every bench, one line each.
const BENCHES: &[Bench] = &[
    Bench {
        name: "eval", about: "judging synthetic resources against 1 µs a verdict [--resources N]", run: eval::run
    },
    Bench {
        name: "scan",
        about: "a whole scan beside the reference scanner [--bulk K] [--no-reference], or its memory --resources N [--accounts M]; [--plumb PATH]",
        run: scan::run,
    },
    Bench {
        name: "check",
        about: "planted Terraform beside Checkov and Trivy [--resources N] [--peer-resources N] [--alone] [--plumb PATH]",
        run: check::run,
    },
    Bench {
        name: "terraform",
        about: "evaluation beside Terraform: expressions and plans [--only expressions|plans] [--root NAME] [--all] [--plumb PATH]",
        run: terraform::run,
    },
    Bench {
        name: "discover",
        about: "reading a bill of a million lines against 5 CPU-s and 100 MB [--lines N]",
        run: discover::run,
    },
    Bench {
        name: "record",
        about: "the store against its limits: upsert, page, roll-ups, log [--findings N] [--resources N] [--entries N] [--keep FILE]",
        run: record::run,
    },
    Bench {
        name: "identity",
        about: "reach of 10,000 principals; escalation beside PMapper, lint beside Parliament [--pmapper PYTHON] [--parliament PYTHON] [--principals N] [--limit SECONDS]",
        run: identity::run,
    },
];

/// Chooses the bench.
pub fn run(args: &[String]) -> Done {
    let name = args.first().map_or("", String::as_str);
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == name) else {
        let list: String = BENCHES.iter().map(|Bench { name, about, .. }| format!("\n  {name:<10} {about}")).collect();
        return Err(format!("`{name}` is not a bench; there is{list}"));
    };
    let rest = args.get(1..).unwrap_or_default();
    // A bench takes long: a misspelt option is told before it, not after.
    let known: Vec<&str> = bench.about.split([' ', '[', ']', ',']).filter(|word| word.starts_with("--")).collect();
    match rest.iter().find(|a| a.starts_with("--") && !known.contains(&a.as_str())) {
        Some(_) if rest.iter().any(|a| a == "--help") => {
            println!("{name}: {}", bench.about);
            Ok(())
        }
        Some(wrong) => Err(format!("the bench `{name}` takes no `{wrong}`; {}", bench.about)),
        None => (bench.run)(rest),
    }
}

/// The value behind `--name`, when it was given.
pub fn option(args: &[String], name: &str) -> Option<String> {
    args.iter().position(|a| a == name).and_then(|at| args.get(at + 1)).cloned()
}

/// An environment of Python with packages, each `name` or `name==version`, made where it is not there yet.
pub fn environment(venv: &Path, packages: &[&str]) -> Done {
    let pip = venv.join("bin/pip");
    if !pip.exists() {
        call(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    }
    for package in packages {
        let name = package.split('=').next().unwrap_or(package);
        let there = Command::new(&pip).args(["show", "--quiet", name]).stderr(Stdio::null()).status();
        if !there.is_ok_and(|s| s.success()) {
            call(Command::new(&pip).args(["install", "--quiet", package]))?;
        }
    }
    Ok(())
}

/// Writes a file, and the folders it needs.
pub fn write(path: &Path, text: &str) -> Done {
    fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(|e| e.to_string())?;
    fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// The text at a pointer into a document; empty where there is none.
pub fn text<'a>(json: &'a Json, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

/// Builds `plumb` as it is shipped and says where it is.
pub fn release_plumb() -> Result<PathBuf, String> {
    call(Command::new("cargo").args(["build", "--quiet", "--release", "-p", "plumb"]).current_dir(root()))?;
    Ok(crate::emulator::target().join("release/plumb"))
}

/// What a program took.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    /// How it ended.
    pub status: ExitStatus,
    /// From start to end.
    pub wall: Duration,
    /// Processor time, user and system, its children included; in steps of 10 ms.
    pub cpu: Duration,
    /// The most memory it held (VmHWM), in bytes; its children not included.
    pub peak: u64,
}

/// Runs a program and measures it, with what the kernel counts. Only one at a time: processor time is what this
/// process's ended children took in all, before and after.
pub fn measure(command: &mut Command) -> Result<Took, String> {
    let shown = format!("{command:?}");
    let before = children_cpu();
    let began = Instant::now();
    let mut child = command.spawn().map_err(|e| format!("cannot run {shown}: {e}"))?;
    let status_file = format!("/proc/{}/status", child.id());
    let (mut peak, mut pause) = (0, Duration::from_micros(500));
    let status = loop {
        // The high-water mark only grows, so the last look before the end is the answer but for the last moments.
        peak = peak.max(peak_of(&status_file));
        if let Some(status) = child.try_wait().map_err(|e| format!("cannot wait for {shown}: {e}"))? {
            break status;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    };
    Ok(Took { status, wall: began.elapsed(), cpu: children_cpu().saturating_sub(before), peak })
}

/// VmHWM of a `/proc/…/status`, in bytes; zero once the process is gone.
pub fn peak_of(status_file: &str) -> u64 {
    let text = std::fs::read_to_string(status_file).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap_or(0) * 1024
}

/// Processor time of this process's ended children; the kernel counts in hundredths of a second.
fn children_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The command's name, in parentheses, may hold spaces; what follows it does not.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after.split_whitespace().skip(13).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// `bytes` in the unit people read.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
