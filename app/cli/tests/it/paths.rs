//! Exposure and attack paths of the demo organisation, as commands, views and findings.

use serde_json::Value as Json;
use std::{path::Path, process::Command};

fn plumb(db: &Path, args: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_plumb")).arg("--db").arg(db).args(args).output().expect("plumb runs");
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("UTF-8")
}

fn rows(db: &Path, sql: &str) -> Vec<Json> {
    serde_json::from_str(&plumb(db, &["query", sql, "--format", "json"])).expect("rows")
}

#[test]
fn the_demo_shows_a_way_to_customers_data() {
    let dir = std::env::temp_dir().join(format!("plumb-paths-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let db = dir.join("demo.db");
    plumb(&db, &["demo", "--quiet"]);

    let reports: Json = serde_json::from_str(&plumb(&db, &["paths", "--format", "json"])).expect("JSON");
    let families: Vec<&Json> = reports
        .as_object()
        .expect("by account")
        .values()
        .flat_map(|r| r["families"].as_array().expect("a list"))
        .collect();
    let data = families
        .iter()
        .find(|f| f["title"].as_str().is_some_and(|t| t.contains("customer-pii")))
        .expect("a path to data");
    assert_eq!((data["severity"].as_str(), data["certain"].as_bool()), (Some("critical"), Some(true)));
    assert!(
        data["steps"].as_array().expect("steps").iter().all(|s| !s["because"].as_array().expect("evidence").is_empty())
    );
    assert!(plumb(&db, &["paths", "--format", "svg"]).starts_with("<svg"));
    assert!(plumb(&db, &["paths", "--format=dot"]).starts_with("digraph"));
    let text = plumb(&db, &["paths", "--explain", "--format", "text"]);
    assert!(text.contains("NETWORK_REACH") && text.contains("remove this one edge and"), "{text}");

    // The stored paths, the findings and what the command says are the same.
    let stored = rows(&db, "SELECT account, family FROM paths WHERE gone IS NULL AND certain");
    let certain = families.iter().filter(|f| f["certain"] == Json::Bool(true)).count();
    assert_eq!(stored.len(), certain);
    let found = rows(
        &db,
        "SELECT id, sub_key, severity FROM findings WHERE rule LIKE 'aws.iam.account.no-attack-path-%' AND state = 'open'",
    );
    assert_eq!(found.len(), certain);
    let id = found[0]["id"].as_str().expect("an id");
    let why = plumb(&db, &["why", id, "--format", "text"]);
    assert!(why.contains("step 1: ") && why.contains("cheapest cut") && why.contains("crown jewel"), "{why}");

    let exposed: Json = serde_json::from_str(&plumb(&db, &["exposed", "--format", "json"])).expect("JSON");
    let outside = exposed.as_array().expect("rows").iter().filter(|r| r["class"] == "internet").count();
    let kept = rows(&db, "SELECT resource, proof FROM exposures WHERE class = 'internet'");
    assert!(outside > 0 && outside == kept.len());
    let steps: Json = serde_json::from_str(kept[0]["proof"].as_str().expect("a proof")).expect("JSON");
    assert!(!steps.as_array().expect("steps").is_empty());

    // Read again, nothing is new and nothing has changed.
    let changes = rows(&db, "SELECT * FROM exposure_changes").len();
    plumb(&db, &["demo", "--quiet"]);
    assert_eq!(rows(&db, "SELECT * FROM exposure_changes").len(), changes);
    assert_eq!(
        rows(
            &db,
            "SELECT id, sub_key, severity FROM findings WHERE rule LIKE 'aws.iam.account.no-attack-path-%' AND state = 'open'"
        ),
        found
    );
    let _ = std::fs::remove_dir_all(&dir);
}
