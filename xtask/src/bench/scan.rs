//! `cargo xtask bench scan`: a whole scan beside the reference scanner, on the same organisation, on this machine, now.
//!
//! ```text
//! cargo xtask bench scan [--bulk K] [--no-reference]     one account, two regions: our scan and Prowler's
//! cargo xtask bench scan --resources N [--accounts M]    our scan alone: what it holds in memory
//! ```
//!
//! `--plumb PATH` measures a program that is already built. The organisation is the messy one of `../shared/bench/aws`. Processor time and peak memory are the kernel's figures
//! for each process; calls are what the emulator has counted. `--resources` needs no emulator: an endpoint of this
//! program answers in pages as AWS does (`estate.rs`), so that signing, HTTP and the protocols' decoders are measured too.

mod estate;

use super::{Took, measure, megabytes, option, release_plumb};
use crate::{
    Done,
    emulator::{call, python, target},
    root,
};
use serde_json::{Value as Json, json};
use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The reference scanner, fixed so that figures can be compared over time.
const REFERENCE: &str = "prowler==5.46.0";
/// Processor time of a whole scan: at most this part of that of the reference's whole scan.
const CPU_PART: f64 = 1.0 / 50.0;
/// Calls for the same rules: at most this part of the reference's.
const CALL_PART: f64 = 0.5;
/// Peak memory whatever the size, in bytes.
const MEMORY: u64 = 150_000_000;
/// More accounts of the same size may take this much more memory: what is kept of each account is its name and counts.
const FLAT: f64 = 1.25;

/// Chooses what is measured.
pub fn run(args: &[String]) -> Done {
    match option(args, "--resources") {
        Some(count) => memory(number("--resources", &count)?, args),
        None => compare(args),
    }
}

/// The program to measure: built as shipped, unless one is named.
fn built(args: &[String]) -> Done<PathBuf> {
    option(args, "--plumb").map_or_else(release_plumb, |path| Ok(PathBuf::from(path)))
}

fn number(name: &str, text: &str) -> Done<usize> {
    text.parse().map_err(|e| format!("{name} {text}: {e}; a number such as 50000 is wanted"))
}

/// What a scan came to.
struct Scanned {
    took: Took,
    calls: u64,
    findings: u64,
    judged: u64,
}

impl Scanned {
    fn print(&self, name: &str) {
        println!(
            "{name:<28}{:>9.2} CPU-s {:>8.1} s wall {:>10} {:>7} calls {:>6} failing of {} judged",
            self.took.cpu.as_secs_f64(),
            self.took.wall.as_secs_f64(),
            megabytes(self.took.peak),
            self.calls,
            self.findings,
            self.judged,
        );
    }
}

/// A child that ends with this process's interest in it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn compare(args: &[String]) -> Done {
    let bench = root().join("../shared/bench/aws");
    if !bench.exists() {
        println!("left out: the organisation both scanners read is in ../shared/bench/aws, which is not here");
        return Ok(());
    }
    let bulk = number("--bulk", &option(args, "--bulk").unwrap_or_else(|| "0".into()))?;
    let plumb = built(args)?;
    let prowler = if args.iter().any(|a| a == "--no-reference") { None } else { Some(reference()?) };
    let python = python()?;
    let work = target().join("bench-scan");
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(&work).map_err(|e| format!("cannot make {}: {e}", work.display()))?;

    let port = free_port()?;
    let endpoint = format!("http://127.0.0.1:{port}");
    let mut server = Command::new(&python);
    server.arg(bench.join("bench_server.py")).args(["--auto-empty", "--page-size", "50", "--port", &port.to_string()]);
    let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let _server = Running(server.map_err(|e| format!("cannot start the emulator: {e}"))?);
    listening(port)?;
    let out = work.join("estate");
    let mut seed = Command::new(&python);
    seed.arg(bench.join("seed_public.py")).args(["--accounts", "1", "--regions", "us-east-1,eu-west-1", "--out"]);
    seed.arg(&out).args(["--endpoint", &endpoint, "--bulk", &bulk.to_string()]).stdout(Stdio::null());
    call(&mut seed)?;
    let keys = member(&python, &bench, &out, &endpoint)?;
    let environment = |command: &mut Command| {
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_") || name.starts_with("PLUMB_")) {
            command.env_remove(name);
        }
        command.envs(keys.iter().map(|(name, value)| (name, value))).env("AWS_REGION", "us-east-1");
        command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    };

    let ours = |name: &str, checks: &str| -> Done<Scanned> {
        let db = work.join(format!("{name}.db"));
        let summary = work.join(format!("{name}.json"));
        let mut command = Command::new(&plumb);
        command.args(["scan", "aws", "--region", "us-east-1,eu-west-1", "--format", "json", "--no-progress", "--db"]);
        command.arg(&db);
        if !checks.is_empty() {
            command.args(["--check", checks]);
        }
        environment(&mut command);
        let file = std::fs::File::create(&summary).map_err(|e| e.to_string())?;
        post(port, "/bench/stats/reset", &json!({}))?;
        let took = measure(command.stdout(file))?;
        if !matches!(took.status.code(), Some(0 | 3)) {
            return Err(format!("our scan ended with {}", took.status));
        }
        let summary = read_json(&summary)?;
        let count = |outcome: &str| summary["summary"]["verdicts"][outcome].as_u64().unwrap_or(0);
        println!("{name}: {} resources", summary["summary"]["resources"]);
        let judged = count("pass") + count("fail") + count("unknown");
        Ok(Scanned { took, calls: calls(port)?, findings: count("fail"), judged })
    };

    println!("one account, two regions, --bulk {bulk}; one run each, on this machine, one after the other");
    let all = ours("whole", "")?;
    let Some(prowler) = prowler else {
        all.print("plumb, whole scan");
        return Ok(());
    };
    let same = shared_checks(&plumb, &prowler, &environment)?;
    println!("{} checks of the reference have a rule here", same.len());
    let some = ours("same", &same.iter().map(String::as_str).collect::<Vec<_>>().join(","))?;
    let theirs = |name: &str, checks: Option<&BTreeSet<String>>| -> Done<Scanned> {
        let mut command = Command::new(&prowler);
        command.args(["aws", "-f", "us-east-1", "eu-west-1", "-M", "json-ocsf", "--ignore-exit-code-3", "-b", "-o"]);
        command.arg(work.join("reference")).args(["-F", name]);
        if let Some(checks) = checks {
            command.arg("--checks").args(checks);
        }
        environment(&mut command);
        let said = work.join(format!("{name}.log"));
        let log = std::fs::File::create(&said).map_err(|e| e.to_string())?;
        let also = log.try_clone().map_err(|e| e.to_string())?;
        post(port, "/bench/stats/reset", &json!({}))?;
        let took = measure(command.stdout(log).stderr(also))?;
        if !took.status.success() {
            return Err(format!("the reference ended with {}; see {}", took.status, said.display()));
        }
        let rows = read_json(&work.join(format!("reference/{name}.ocsf.json")))?;
        let rows = rows.as_array().cloned().unwrap_or_default();
        let fails = rows.iter().filter(|row| row["status_code"] == "FAIL").count();
        let size = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Ok(Scanned { took, calls: calls(port)?, findings: size(fails), judged: size(rows.len()) })
    };
    let their_some = theirs("same", Some(&same))?;
    let their_all = theirs("whole", None)?;
    their_all.print("reference, whole scan");
    all.print("plumb, whole scan");
    their_some.print("reference, same rules");
    some.print("plumb, same rules");

    let part = |a: f64, b: f64| if b > 0.0 { a / b } else { f64::INFINITY };
    let cpu = |ours: &Scanned, theirs: &Scanned| part(ours.took.cpu.as_secs_f64(), theirs.took.cpu.as_secs_f64());
    let (whole, alike) = (cpu(&all, &their_all), cpu(&some, &their_some));
    let calls = part(some.calls as f64, their_some.calls as f64);
    let memory = part(all.took.peak as f64, their_all.took.peak as f64);
    println!("processor  1/{:.0} of the reference's whole scan; limit 1/50", 1.0 / whole);
    println!("           1/{:.0} for the rules both have", 1.0 / alike);
    println!("calls      {calls:.2} of the reference's for the rules both have; limit {CALL_PART}");
    let of_whole = |ours: &Scanned| part(ours.calls as f64, their_all.calls as f64);
    println!("           {:.2} of its whole scan's for these rules, {:.2} for all", of_whole(&some), of_whole(&all));
    println!("memory     1/{:.0} of the reference's; limit {}", 1.0 / memory, megabytes(MEMORY));
    let missed: Vec<&str> = [
        (whole > CPU_PART, "processor time"),
        (calls > CALL_PART, "calls"),
        (all.took.peak.max(some.took.peak) > MEMORY, "memory"),
    ]
    .into_iter()
    .filter_map(|(missed, name)| missed.then_some(name))
    .collect();
    if missed.is_empty() { Ok(()) } else { Err(format!("over the limit: {}", missed.join(", "))) }
}

/// The reference scanner's command, installed once in an environment of its own.
fn reference() -> Done<PathBuf> {
    let venv = target().join("bench-venv");
    let (command, mark) = (venv.join("bin/prowler"), venv.join("ready"));
    if !std::fs::read_to_string(&mark).is_ok_and(|had| had == REFERENCE) {
        eprintln!("making {} for the reference scanner", venv.display());
        call(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        let mut pip = Command::new(venv.join("bin/python"));
        call(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", REFERENCE]))?;
        std::fs::write(&mark, REFERENCE).map_err(|e| format!("cannot write {}: {e}", mark.display()))?;
    }
    Ok(command)
}

/// The checks of the reference that a rule here names as its alias, and that the installed version has.
fn shared_checks(plumb: &Path, prowler: &Path, environment: &dyn Fn(&mut Command)) -> Done<BTreeSet<String>> {
    let output = |command: &mut Command| -> Done<String> {
        let out = command.output().map_err(|e| format!("cannot run {command:?}: {e}"))?;
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    };
    let rules = output(Command::new(plumb).args(["rules", "list", "--format", "jsonl"]))?;
    let mut named = BTreeSet::new();
    for rule in rules.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok()) {
        let live = rule["dialects"].as_array().is_some_and(|dialects| dialects.iter().any(|d| d == "live"));
        let aliases = rule["aliases"]["prowler"].as_array().cloned().unwrap_or_default();
        named.extend(aliases.iter().filter(|_| live).filter_map(|alias| alias.as_str().map(str::to_owned)));
    }
    let mut list = Command::new(prowler);
    list.args(["aws", "--list-checks-json"]);
    environment(&mut list);
    let listed = output(&mut list)?;
    let listed: Json = serde_json::from_str(listed.get(listed.find('{').unwrap_or(0)..).unwrap_or_default())
        .map_err(|e| format!("the reference's list of checks: {e}"))?;
    let known: BTreeSet<String> =
        listed["aws"].as_array().into_iter().flatten().filter_map(|c| c.as_str().map(str::to_owned)).collect();
    Ok(named.intersection(&known).cloned().collect())
}

/// Role credentials of the organisation's only member.
fn member(python: &Path, bench: &Path, estate: &Path, endpoint: &str) -> Done<Vec<(String, String)>> {
    let about = read_json(&estate.join("estate.json"))?;
    let accounts = about["accounts"].as_array().cloned().unwrap_or_default();
    let id = |account: &Json| account.as_str().or_else(|| account["id"].as_str()).map(str::to_owned);
    let account = accounts.iter().filter_map(id).next_back().ok_or("the seed's estate.json names no account")?;
    let out = Command::new(python).arg(bench.join("creds.py")).arg(estate).args([endpoint, &account]).output();
    let out = out.map_err(|e| format!("cannot run creds.py: {e}"))?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let pairs = text.split_whitespace().filter_map(|word| word.split_once('='));
    let keys: Vec<(String, String)> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if keys.len() < 4 { Err(format!("creds.py said: {text}")) } else { Ok(keys) }
}

/// Our scan of `count` resources, in few and in more accounts.
fn memory(count: usize, args: &[String]) -> Done {
    let accounts = number("--accounts", &option(args, "--accounts").unwrap_or_else(|| "10".into()))?.max(1);
    let plumb = built(args)?;
    let work = target().join("bench-memory");
    std::fs::create_dir_all(&work).map_err(|e| format!("cannot make {}: {e}", work.display()))?;
    let port = free_port()?;
    estate::serve(port).map_err(|e| format!("cannot serve on {port}: {e}"))?;
    let scan = |accounts: usize, each: usize| -> Done<Took> {
        estate::set(accounts, each);
        let db = work.join("memory.db");
        for name in ["memory.db", "memory.db-wal", "memory.db-shm"] {
            let _ = std::fs::remove_file(work.join(name));
        }
        let mut command = Command::new(&plumb);
        command.args(["scan", "aws", "--org", "--format", "json", "--no-progress", "--endpoint-url"]);
        command.arg(format!("http://127.0.0.1:{port}")).arg("--db").arg(&db);
        command
            .env("AWS_ACCESS_KEY_ID", estate::KEY)
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "us-east-1");
        command.env_remove("AWS_SESSION_TOKEN").env_remove("AWS_PROFILE");
        let summary = work.join("memory.json");
        let took = measure(command.stdout(std::fs::File::create(&summary).map_err(|e| e.to_string())?))?;
        if !matches!(took.status.code(), Some(0 | 3)) {
            return Err(format!("the scan ended with {}", took.status));
        }
        let said = read_json(&summary)?;
        println!(
            "{accounts:>4} accounts x {each:>6}: {} resources, {} calls, {} failing, {:.1} CPU-s, {:.1} s, at most {}",
            said["summary"]["resources"],
            said["summary"]["stats"]["calls"],
            said["summary"]["verdicts"]["fail"],
            took.cpu.as_secs_f64(),
            took.wall.as_secs_f64(),
            megabytes(took.peak)
        );
        Ok(took)
    };
    println!("answers come from this program's endpoint over HTTP, in pages");
    let one = scan(1, count)?;
    let each = (count / accounts).max(1);
    let few = scan(accounts, each)?;
    let many = scan(accounts * 4, each)?;
    let grown = many.peak as f64 / few.peak as f64;
    println!("{} x the accounts: {grown:.2} x the memory; limit {FLAT}", 4);
    println!("most memory {}; limit {}", megabytes(one.peak.max(few.peak).max(many.peak)), megabytes(MEMORY));
    let over = one.peak.max(few.peak).max(many.peak) > MEMORY;
    if over || grown > FLAT { Err("over the limit: memory".into()) } else { Ok(()) }
}

fn read_json(path: &Path) -> Done<Json> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

fn free_port() -> Done<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    listener.map(|address| address.port()).map_err(|e| format!("no free port: {e}"))
}

fn listening(port: u16) -> Done {
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if began.elapsed() > Duration::from_secs(120) {
            return Err("the emulator did not listen within two minutes".into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Calls the emulator has answered since its counts were reset.
fn calls(port: u16) -> Done<u64> {
    let stats = exchange(port, "GET", "/bench/stats", "")?;
    stats["total"].as_u64().ok_or(format!("the emulator's counts: {stats}"))
}

fn post(port: u16, path: &str, body: &Json) -> Done {
    exchange(port, "POST", path, &body.to_string()).map(|_| ())
}

fn exchange(port: u16, method: &str, path: &str, body: &str) -> Done<Json> {
    let mut answer = String::new();
    let asked = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.read_to_string(&mut answer)
    });
    asked.map_err(|e| format!("the emulator did not answer {path}: {e}"))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).map_err(|e| format!("the emulator's answer to {path}: {e}"))
}
