//! The whole command against an AWS on this machine: an organisation is planted, read over HTTP through the real
//! signing client, judged, and compared with what was planted.
//!
//! Needs the Python environment `cargo xtask venv` makes; without it the tests say that they are skipped.

use serde_json::Value as Json;
use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
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

/// A running emulator with an organisation in it; stopped when dropped, or when this process ends.
pub struct Emulator {
    server: Option<Child>,
    pub endpoint: String,
    pub dir: PathBuf,
    pub id: String,
    pub secret: String,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

impl Emulator {
    /// Starts `serve` on a free port and runs `seed` against it; `keys` reads the auditor's keys from what it wrote.
    pub fn start(name: &str, serve: &[&str], seed: &[&str], keys: fn(&Path) -> (String, String)) -> Option<Self> {
        let Some(python) = python() else {
            eprintln!("skipped: no emulator; make its environment with `cargo xtask venv`");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("address").port();
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a folder");
        let server = Command::new(&python)
            .args(serve)
            .args(["--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the emulator starts");
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut emulator = Self { server: Some(server), endpoint, dir, id: String::new(), secret: String::new() };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(120), "the emulator did not listen within two minutes");
            let ended = emulator.server.as_mut().is_some_and(|server| server.try_wait().expect("status").is_some());
            assert!(!ended, "the emulator ended");
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

    /// `plumb` against the emulator, with a record named `db`.
    pub fn command(&self, db: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plumb"));
        command
            .args(args)
            .arg("--db")
            .arg(self.dir.join(db))
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

    /// Runs `plumb`, which must end well or in part, and returns what it printed.
    pub fn plumb(&self, db: &str, args: &[&str]) -> String {
        let out = self.command(db, args).output().expect("plumb runs");
        let code = out.status.code().unwrap_or(-1);
        // What `plumb check` finds is its exit code.
        let ended = code == 0 || code == 3 || (code == 1 && args.first() == Some(&"check"));
        assert!(ended, "plumb {args:?} ended with {code}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("text")
    }

    /// Scans the whole organisation and returns the summary.
    pub fn scan(&self, db: &str, more: &[&str]) -> Json {
        let text = self.plumb(db, &[&SCAN[..], more].concat());
        let whole: Json = serde_json::from_str(&text).expect("a JSON summary");
        whole["summary"].clone()
    }

    /// The rows that a command prints.
    pub fn plumb_rows(&self, db: &str, args: &[&str]) -> Vec<Json> {
        lines(&self.plumb(db, args))
    }

    /// Every verdict of the latest scan.
    pub fn verdicts(&self, db: &str) -> Vec<Json> {
        lines(&self.plumb(db, &["verdicts", "--format", "jsonl"]))
    }

    /// Tells the emulator something that is not AWS.
    pub fn tell(&self, path: &str, body: &Json) {
        let address = self.endpoint.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("the emulator listens");
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.lines().next().is_some_and(|line| line.contains(" 200")), "{path} {body}: {answer}");
    }
}

/// A scan of everything the keys reach.
pub const SCAN: [&str; 7] = ["scan", "aws", "--org", "--max-share", "0", "--format", "json"];

/// The repository's own emulator with its own organisation: started once, and used by one test at a time. Whoever works
/// on these tests can keep one running and name it: `PLUMB_EMULATOR=http://127.0.0.1:5900=FOLDER_OF_THE_SEED`.
pub fn own() -> Option<MutexGuard<'static, Emulator>> {
    static OWN: OnceLock<Option<Mutex<Emulator>>> = OnceLock::new();
    let started = OWN.get_or_init(|| {
        if let Ok(running) = std::env::var("PLUMB_EMULATOR") {
            let (endpoint, dir) = running.split_once('=').expect("PLUMB_EMULATOR is an address, `=`, a folder");
            let (id, secret) = own_keys(Path::new(dir));
            return Some(Mutex::new(Emulator { server: None, endpoint: endpoint.into(), dir: dir.into(), id, secret }));
        }
        let tests = root().join("tests/aws");
        let (serve, seed) = (tests.join("serve.py"), tests.join("seed.py"));
        let (serve, seed) = (serve.to_string_lossy(), seed.to_string_lossy());
        Some(Mutex::new(Emulator::start("own", &[&serve, "--with-parent"], &[&seed], own_keys)?))
    });
    let emulator = started.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
    // Whatever the test before left behind, this one begins with an emulator that is well.
    emulator.tell("/plumb/faults", &serde_json::json!({ "faults": [] }));
    emulator.tell("/plumb/freeze", &serde_json::json!({ "on": false }));
    Some(emulator)
}

pub fn lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

pub fn json(path: &Path) -> Json {
    serde_json::from_str(&std::fs::read_to_string(path).expect("the seed's file")).expect("JSON")
}

pub fn text<'a>(row: &'a Json, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

pub fn own_keys(dir: &Path) -> (String, String) {
    let keys = json(&dir.join("keys.json"));
    (text(&keys, "id").into(), text(&keys, "secret").into())
}

/// What was planted is what is said: a failure fails, what is fine passes, what is denied is unknown.
pub fn what_was_planted_is_said(emulator: &Emulator, db: &str) -> usize {
    let mut outcomes: BTreeMap<(String, String), Vec<Json>> = BTreeMap::new();
    for verdict in emulator.verdicts(db) {
        // Kinds that only code can declare are not judged on accounts, and nothing is made up to judge.
        assert!(text(&verdict, "kind").starts_with("aws."), "{verdict}");
        assert!(!text(&verdict, "resource").contains("unidentified"), "{verdict}");
        outcomes.entry((text(&verdict, "account").into(), text(&verdict, "rule").into())).or_default().push(verdict);
    }
    let truth = lines(&std::fs::read_to_string(emulator.dir.join("truth.jsonl")).expect("the truth"));
    let mut wrong = Vec::new();
    for row in &truth {
        let key = (text(row, "account").to_owned(), text(row, "rule").to_owned());
        let said: Vec<&str> = outcomes
            .get(&key)
            .into_iter()
            .flatten()
            .filter(|v| {
                text(v, "resource").ends_with(text(row, "resource")) || text(v, "name") == text(row, "resource")
            })
            .filter(|v| text(v, "outcome") != "not_applicable")
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
    truth.len()
}

#[test]
fn an_organisation_is_read_judged_and_kept() {
    let Some(emulator) = own() else { return };
    let db = "whole.db";
    let first = emulator.scan(db, &[]);
    assert_eq!(first["accounts"].as_array().map(Vec::len), Some(3), "{first}");

    let planted = what_was_planted_is_said(&emulator, db);
    assert!(planted > 150, "only {planted} planted");

    // The same again finds nothing new and closes nothing.
    let again = emulator.scan(db, &[]);
    for change in ["new", "reopened", "fixed", "gone"] {
        assert_eq!(again["findings"][change], 0, "{change} on an unchanged organisation: {}", again["findings"]);
    }
    assert_eq!(again["findings"]["open"], first["findings"]["open"]);

    // A narrow scan says nothing about what it did not look at.
    let narrow = emulator.scan(db, &["--service", "s3"]);
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

/// CloudTrail answers of one account: somebody of a shadow account came in, somebody of ours went into another.
fn sign_ins(own: &str) -> Json {
    // Three days ago: older than the grace a new account has, younger than what counts as gone.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs();
    let at = plumb_model::Time::from_seconds(i64::try_from(now).expect("a time") - 3 * 86_400).to_string();
    let event = |caller: &str, role: &str| {
        let told = serde_json::json!({
            "eventVersion": "1.08", "eventTime": at, "eventSource": "sts.amazonaws.com",
            "eventName": "AssumeRole", "recipientAccountId": own, "userIdentity": { "type": "AWSAccount", "accountId": caller },
            "requestParameters": { "roleArn": role, "roleSessionName": "s" },
        });
        serde_json::json!({ "EventName": "AssumeRole", "CloudTrailEvent": told.to_string() })
    };
    let events = [
        event("555566667777", &format!("arn:aws:iam::{own}:role/shadow-admin")),
        event(own, "arn:aws:iam::444433332222:role/deploy"),
    ];
    serde_json::json!({ "rules": [
        { "service": "cloudtrail", "operation": "LookupEvents", "account": own, "region": "us-east-1",
          "params": {}, "response": { "Events": events } },
    ] })
}

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
    let db = "public.db";
    let own = text(&json(&emulator.dir.join("estate.json"))["accounts"][1], "id").to_owned();
    emulator.tell("/bench/overlay", &sign_ins(&own));
    emulator.scan(db, &["--region", "us-east-1,eu-west-1", "--now", &crate::faults::soon()]);
    // Accounts nobody listed, through the policies that trust them and the events that tell of them.
    let listed = emulator.plumb_rows(db, &["accounts", "--state", "shadow", "--format", "jsonl"]);
    let shadow = |id: &str| listed.iter().find(|a| text(a, "native_id") == id).unwrap_or_else(|| panic!("{id}"));
    let reached = shadow("555566667777")["roles"].to_string();
    assert!(reached.contains("trusted-by") && reached.contains("role/shadow-admin"), "{reached}");
    assert!(reached.contains("assumed-from"), "{reached}");
    assert!(shadow("444433332222")["roles"].to_string().contains("assumed arn:aws:iam::444433332222:role/deploy"));
    let mut failing: BTreeMap<(String, String), Vec<Json>> = BTreeMap::new();
    for verdict in emulator.verdicts(db) {
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
    crate::faults::the_shared_organisation_in_trouble(&emulator, db);
}
