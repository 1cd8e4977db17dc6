//! The emulator's private Python environment, and the demo organisation recorded from it.

use crate::{Done, root};
use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

/// What the environment holds; fixed, because recorded ids and planted truth follow from it.
const PACKAGES: &[&str] = &["moto[all,server]==5.2.5", "boto3"];

/// Where things are built.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Runs a program to its end.
pub fn call(command: &mut Command) -> Done {
    let shown = format!("{command:?}");
    let status = command.status().map_err(|e| format!("cannot run {shown}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown} ended with {status}")) }
}

/// `cargo xtask venv`: makes the environment once; returns quickly when it stands.
pub fn venv(_: &[String]) -> Done {
    python().map(|_| ())
}

/// The environment's interpreter, made when it is missing.
pub fn python() -> Result<PathBuf, String> {
    let venv = std::env::var_os("PLUMB_VENV").map_or_else(|| target().join("venv"), PathBuf::from);
    let (python, mark) = (venv.join("bin/python"), venv.join("ready"));
    let wanted = PACKAGES.join("\n");
    if std::env::var_os("PLUMB_VENV").is_some() && python.exists() {
        return Ok(python);
    }
    if std::fs::read_to_string(&mark).is_ok_and(|had| had == wanted) {
        return Ok(python);
    }
    eprintln!("making {} for the emulator", venv.display());
    call(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    call(
        Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES),
    )?;
    std::fs::write(&mark, wanted).map_err(|e| format!("cannot write {}: {e}", mark.display()))?;
    Ok(python)
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `cargo xtask demo`: plants the organisation of `tests/aws`, scans it, and keeps the answers for `plumb demo`.
pub fn demo(_: &[String]) -> Done {
    let python = python()?;
    let tests = root().join("tests/aws");
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).map_err(|e| format!("no free port: {e}"))?.port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let child = Command::new(&python).arg(tests.join("serve.py")).args(["--port", &port.to_string()]).spawn();
    let _server = Server(child.map_err(|e| format!("cannot start the emulator: {e}"))?);
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if began.elapsed() > Duration::from_secs(120) {
            return Err("the emulator did not listen within two minutes".into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let out = target().join("demo");
    std::fs::create_dir_all(&out).map_err(|e| e.to_string())?;
    call(Command::new(&python).arg(tests.join("seed.py")).args(["--endpoint", &endpoint, "--out"]).arg(&out))?;
    let keys = std::fs::read_to_string(out.join("keys.json")).map_err(|e| e.to_string())?;
    let keys: serde_json::Value = serde_json::from_str(&keys).map_err(|e| e.to_string())?;
    let key = |name: &str| {
        keys.get(name).and_then(|v| v.as_str()).map(str::to_owned).ok_or(format!("keys.json has no {name}"))
    };
    let demo = root().join("app/cli/demo");
    let db = out.join("record.db");
    let _ = std::fs::remove_file(&db);
    call(Command::new("cargo").args(["build", "--quiet", "-p", "plumb"]).current_dir(root()))?;
    let scan = Command::new(target().join("debug/plumb"))
        .args(["scan", "aws", "--org", "--max-share", "0", "--quiet", "--format", "json", "--db"])
        .arg(&db)
        .arg("--record-answers")
        .arg(demo.join("northwind.jsonl.zst"))
        .env("AWS_ENDPOINT_URL", &endpoint)
        .env("AWS_ACCESS_KEY_ID", key("id")?)
        .env("AWS_SECRET_ACCESS_KEY", key("secret")?)
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_PROFILE")
        .env("AWS_REGION", "us-east-1")
        .status()
        .map_err(|e| format!("cannot run plumb: {e}"))?;
    // 3: in part, as a scan with refused reads is.
    if !matches!(scan.code(), Some(0 | 3)) {
        return Err(format!("the scan ended with {scan}"));
    }
    write(&demo.join("management.txt"), &format!("{}\n", key("management")?))?;
    let date = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]).output().map_err(|e| e.to_string())?;
    write(&demo.join("now.txt"), &String::from_utf8_lossy(&date.stdout))
}

/// Writes a file, naming it when that fails.
pub fn write(path: &Path, text: &str) -> Done {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    }
    std::fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// Writes generated files, or with `--check` says which differ from what would be written.
pub fn put(files: &[(PathBuf, String)], check: bool, chore: &str) -> Done {
    let mut stale = Vec::new();
    for (path, text) in files {
        if std::fs::read_to_string(path).is_ok_and(|had| had == *text) {
            continue;
        }
        if check {
            stale.push(path.strip_prefix(root()).unwrap_or(path).display().to_string());
        } else {
            write(path, text)?;
            println!("wrote {}", path.display());
        }
    }
    if stale.is_empty() { Ok(()) } else { Err(format!("not what `cargo xtask {chore}` writes: {}", stale.join(", "))) }
}
