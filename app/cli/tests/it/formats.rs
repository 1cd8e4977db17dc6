//! What leaves the process validates against the official schema of its format.
//!
//! The demo organisation is exported and `tests/aws/validate.py` holds the files against the schemas in `../shared` and
//! Security Hub's own service model. Without either, the test says that it is skipped.

use crate::emulator::{python, root};
use std::{path::Path, process::Command};

fn plumb(db: &Path, args: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_plumb")).arg("--db").arg(db).args(args).output().expect("plumb runs");
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("UTF-8")
}

#[test]
fn exports_validate_against_the_official_schemas() {
    let dir = std::env::temp_dir().join(format!("plumb-formats-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let db = dir.join("demo.db");
    plumb(&db, &["demo", "--quiet"]);
    for (format, file) in
        [("ocsf", "ocsf.json"), ("asff", "asff.json"), ("html", "report.html"), ("csv", "findings.csv")]
    {
        let path = dir.join(file);
        let mut args = vec!["--quiet", "export", format, "--output", path.to_str().expect("a path")];
        if format == "ocsf" {
            args.push("--with-pass");
        }
        plumb(&db, &args);
        assert!(std::fs::metadata(&path).expect("written").len() > 1000, "{format} is empty");
    }
    let identities = plumb(&db, &["--quiet", "principals", "--ocsf"]);
    assert!(identities.contains("\"class_uid\": 2008"), "{identities}");
    std::fs::write(dir.join("ocsf-iam.json"), identities).expect("written");
    // The lists in a bundle are the same rows.
    let bundle = dir.join("e.zip");
    plumb(&db, &["--quiet", "evidence", "bundle", "--out", bundle.to_str().expect("a path")]);
    let files = plumb_govern::bundle::zip::read(&std::fs::read(&bundle).expect("a bundle")).expect("an archive");
    let told = |name: &str| {
        let (_, bytes) = files.iter().find(|f| f.0 == name).expect("listed");
        let text = String::from_utf8(bytes.clone()).expect("UTF-8");
        text.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).expect("JSON")).collect::<Vec<_>>()
    };
    let (compliance, paths) = (told("ocsf/compliance-findings.jsonl"), told("ocsf/attack-paths.jsonl"));
    let exported: Vec<serde_json::Value> =
        serde_json::from_str(&std::fs::read_to_string(dir.join("ocsf.json")).expect("written")).expect("JSON");
    let failing = exported.iter().filter(|e| e["severity_id"] != 1 || e["compliance"]["status"] != "Pass");
    let key = |e: &&serde_json::Value| e["metadata"]["uid"].to_string();
    let both: std::collections::BTreeMap<_, _> = compliance.iter().chain(&paths).map(|e| (key(&e), e)).collect();
    assert_eq!(failing.map(|e| (key(&e), e)).collect::<std::collections::BTreeMap<_, _>>(), both);
    assert!(!paths.is_empty() && paths.iter().all(|e| e["finding_info"]["attack_graph"]["nodes"][0].is_object()));
    for name in ["compliance-findings", "attack-paths", "iam-analysis"] {
        let rows = serde_json::Value::from(told(&format!("ocsf/{name}.jsonl")));
        std::fs::write(dir.join(format!("ocsf-bundle-{name}.json")), rows.to_string()).expect("written");
    }
    let csv = std::fs::read_to_string(dir.join("findings.csv")).expect("CSV");
    assert!(csv.lines().skip(1).all(|l| !l.starts_with(['=', '+', '@'])), "a cell would run as a formula");
    match python() {
        None => eprintln!("skipped: no Python environment; make it with `cargo xtask venv`"),
        Some(python) => {
            let script = root().join("tests/aws/validate.py");
            let out = Command::new(python)
                .arg(script)
                .arg(&dir)
                .arg(root().join("../shared/schemas"))
                .output()
                .expect("python runs");
            let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success(), "{said}");
            eprintln!("{said}");
        }
    }
    let _ = std::fs::remove_dir_all(&dir);
}
