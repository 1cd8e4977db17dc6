//! The whole command against an AWS on this machine: an organisation is planted, read over HTTP through the real
//! signing client, judged, and compared with what was planted.
//!
//! Needs the Python environment `cargo xtask venv` makes; without it the tests say that they are skipped.

use serde_json::Value as Json;
use std::{
    collections::BTreeMap,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The interpreter of the emulator's environment: `PLUMB_VENV`, else `venv` in the target folder.
pub fn python() -> Option<PathBuf> {
    let venv = std::env::var_os("PLUMB_VENV").map(PathBuf::from).unwrap_or_else(|| {
        // target/debug/plumb: two up is the target folder, wherever it was put.
        Path::new(env!("CARGO_BIN_EXE_plumb")).ancestors().nth(2).unwrap_or(Path::new("target")).join("venv")
    });
    Some(venv.join("bin/python")).filter(|path| path.exists())
}

/// A running emulator with an organisation in it; stopped when dropped.
pub struct Emulator {
    server: Child,
    pub endpoint: String,
    pub dir: PathBuf,
    pub id: String,
    pub secret: String,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Emulator {
    /// Starts `serve` on a free port and runs `seed` against it; `keys` reads the auditor's keys from what it wrote.
    fn start(name: &str, serve: &[&str], seed: &[&str], keys: fn(&Path) -> (String, String)) -> Option<Self> {
        let Some(python) = python() else {
            eprintln!("skipped: no emulator; make its environment with `cargo xtask venv`");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("address").port();
        let dir = std::env::temp_dir().join(format!("plumb-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder");
        let server = Command::new(&python)
            .args(serve)
            .args(["--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the emulator starts");
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut emulator = Self { server, endpoint, dir, id: String::new(), secret: String::new() };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(120), "the emulator did not listen within two minutes");
            assert!(emulator.server.try_wait().expect("status").is_none(), "the emulator ended");
            std::thread::sleep(Duration::from_millis(100));
        }
        let seeded = Command::new(&python)
            .args(seed)
            .args(["--endpoint", &emulator.endpoint, "--out"])
            .arg(&emulator.dir)
            .output()
            .expect("the seed runs");
        assert!(seeded.status.success(), "seed: {}", String::from_utf8_lossy(&seeded.stderr));
        (emulator.id, emulator.secret) = keys(&emulator.dir);
        Some(emulator)
    }

    /// `plumb` against the emulator with a record of its own, ready to run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plumb"));
        command
            .args(args)
            .arg("--db")
            .arg(self.dir.join("record.db"))
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| !name.starts_with("AWS_") && !name.starts_with("PLUMB_")))
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", &self.id)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        command
    }

    /// Runs it and returns exit code and output.
    fn plumb(&self, args: &[&str]) -> (i32, String) {
        let out = self.command(args).output().expect("plumb runs");
        let code = out.status.code().unwrap_or(-1);
        assert!(code == 0 || code == 3, "plumb {args:?} ended with {code}: {}", String::from_utf8_lossy(&out.stderr));
        (code, String::from_utf8(out.stdout).expect("text"))
    }

    fn scan(&self, more: &[&str]) -> Json {
        let (_, text) = self.plumb(&[&["scan", "aws", "--org", "--max-share", "0", "--format", "json"], more].concat());
        let whole: Json = serde_json::from_str(&text).expect("a JSON summary");
        whole["summary"].clone()
    }

    fn verdicts(&self) -> Vec<Json> {
        lines(&self.plumb(&["verdicts", "--format", "jsonl"]).1)
    }
}

fn lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

fn json(path: &Path) -> Json {
    serde_json::from_str(&std::fs::read_to_string(path).expect("the seed's file")).expect("JSON")
}

fn text<'a>(row: &'a Json, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

fn own_keys(dir: &Path) -> (String, String) {
    let keys = json(&dir.join("keys.json"));
    (text(&keys, "id").into(), text(&keys, "secret").into())
}

#[test]
fn an_organisation_is_read_judged_and_kept() {
    let tests = root().join("tests/aws");
    let (serve, seed) = (tests.join("serve.py"), tests.join("seed.py"));
    let (serve, seed) = (serve.to_string_lossy(), seed.to_string_lossy());
    let Some(emulator) = Emulator::start("own", &[&serve], &[&seed], own_keys) else {
        return;
    };
    let first = emulator.scan(&[]);
    assert_eq!(first["accounts"].as_array().map(Vec::len), Some(3), "{first}");

    // What was planted is what is said: a failure fails, what is fine passes, what is denied is unknown.
    let mut outcomes: BTreeMap<(String, String), Vec<Json>> = BTreeMap::new();
    for verdict in emulator.verdicts() {
        // Kinds that only code can declare are not judged on accounts, and nothing is made up to judge.
        assert!(text(&verdict, "kind").starts_with("aws."), "{verdict}");
        assert!(!text(&verdict, "resource").contains("unidentified"), "{verdict}");
        outcomes.entry((text(&verdict, "account").into(), text(&verdict, "rule").into())).or_default().push(verdict);
    }
    let truth = lines(&std::fs::read_to_string(emulator.dir.join("truth.jsonl")).expect("the truth"));
    assert!(truth.len() > 150, "only {} planted", truth.len());
    let mut wrong = Vec::new();
    for row in &truth {
        let key = (text(row, "account").to_owned(), text(row, "rule").to_owned());
        let said: Vec<&str> = outcomes
            .get(&key)
            .into_iter()
            .flatten()
            .filter(|v| text(v, "resource").ends_with(text(row, "resource")) && text(v, "outcome") != "not_applicable")
            .map(|v| text(v, "outcome"))
            .collect();
        let right = match text(row, "expect") {
            "FAIL" => said.contains(&"fail"),
            "PASS" => !said.is_empty() && said.iter().all(|o| *o == "pass"),
            _ => !said.is_empty() && said.iter().all(|o| *o == "unknown"),
        };
        if !right {
            wrong.push(format!("{row} but said {said:?}"));
        }
    }
    println!("planted {}, told otherwise {}", truth.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // The same again finds nothing new and closes nothing.
    let again = emulator.scan(&[]);
    for change in ["new", "reopened", "fixed", "gone"] {
        assert_eq!(again["findings"][change], 0, "{change} on an unchanged organisation: {}", again["findings"]);
    }
    assert_eq!(again["findings"]["open"], first["findings"]["open"]);

    // A narrow scan says nothing about what it did not look at.
    let narrow = emulator.scan(&["--service", "s3"]);
    for change in ["new", "fixed", "gone"] {
        assert_eq!(narrow["findings"][change], 0, "{change} by a narrow scan: {}", narrow["findings"]);
    }
    assert_eq!(narrow["findings"]["open"], first["findings"]["open"]);

    crate::watch::a_change_is_judged_in_the_next_round(&emulator);
}

fn public_keys(dir: &Path) -> (String, String) {
    let estate = json(&dir.join("estate.json"));
    (text(&estate["auditor_key"], "id").into(), text(&estate["auditor_key"], "secret").into())
}

/// What the public organisation calls a kind, and our kinds that may say so; kinds we do not read are not here.
const KINDS: &[(&str, &[&str])] = &[
    ("ami", &["aws.ec2.image"]),
    ("access_key", &["aws.iam.user"]),
    ("cloudtrail", &["aws.cloudtrail.trail", "aws.cloudtrail.account"]),
    ("ebs_snapshot", &["aws.ec2.ebs-snapshot"]),
    ("ebs_volume", &["aws.ec2.ebs-volume"]),
    ("ecr_repository", &["aws.ecr.repository"]),
    ("iam_password_policy", &["aws.iam.account", "aws.iam.password-policy"]),
    ("iam_role", &["aws.iam.role"]),
    ("iam_user", &["aws.iam.user"]),
    ("kms_key", &["aws.kms.key"]),
    ("lambda_function", &["aws.lambda.function"]),
    ("root", &["aws.iam.account"]),
    ("s3_bucket", &["aws.s3.bucket"]),
    ("secret", &["aws.secretsmanager.secret"]),
    ("security_group", &["aws.ec2.security-group"]),
    ("sns_topic", &["aws.sns.topic"]),
    ("sqs_queue", &["aws.sqs.queue"]),
];

#[test]
fn the_shared_organisation_agrees_with_what_was_planted() {
    let bench = root().join("../shared/bench/aws");
    if !bench.exists() {
        eprintln!("skipped: ../shared/bench/aws is not here");
        return;
    }
    let (serve, seed) = (bench.join("bench_server.py"), bench.join("seed_public.py"));
    let (serve, seed) = (serve.to_string_lossy(), seed.to_string_lossy());
    let serve = [&*serve, "--auto-empty", "--page-size", "50"];
    let seed = [&*seed, "--accounts", "2", "--regions", "us-east-1,eu-west-1"];
    let Some(emulator) = Emulator::start("public", &serve, &seed, public_keys) else {
        return;
    };
    emulator.scan(&["--region", "us-east-1,eu-west-1"]);
    let mut failing: BTreeMap<(String, String), Vec<Json>> = BTreeMap::new();
    for verdict in emulator.verdicts() {
        if text(&verdict, "outcome") == "fail" {
            failing.entry((text(&verdict, "account").into(), text(&verdict, "kind").into())).or_default().push(verdict);
        }
    }
    let (mut planted, mut found, mut missed) = (0, 0, Vec::new());
    for row in lines(&std::fs::read_to_string(emulator.dir.join("planted.jsonl")).expect("the truth")) {
        let Some((_, kinds)) = KINDS.iter().find(|(name, _)| *name == text(&row, "kind")) else {
            continue;
        };
        if text(&row, "expect") != "FAIL" {
            continue;
        }
        planted += 1;
        let about = |v: &Json| match text(&row, "kind") {
            // About the account as a whole, or the account's only one.
            "root" | "iam_password_policy" | "cloudtrail" => true,
            "access_key" => text(v, "name") == text(&row, "resource").split('/').next().unwrap_or_default(),
            _ => {
                let wanted = text(&row, "resource").rsplit('/').next().unwrap_or_default();
                text(v, "name") == text(&row, "resource") || text(v, "resource").contains(wanted)
            }
        };
        let here = |kind: &&str| failing.get(&(text(&row, "account").to_owned(), (*kind).to_owned()));
        if kinds.iter().filter_map(here).flatten().any(about) {
            found += 1;
        } else {
            missed.push(row.to_string());
        }
    }
    println!("planted failures of kinds we read: {planted}, found: {found}");
    assert!(planted > 100, "only {planted} planted");
    assert!(found * 100 >= planted * 98, "missed:\n{}", missed.join("\n"));
}
