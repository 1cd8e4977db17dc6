//! The same stack live, as CloudFormation and as Terraform: one finding, one verdict (P11).

use crate::emulator::{Emulator, own_keys, root};
use serde_json::Value as Json;
use std::collections::BTreeMap;

type Verdicts = BTreeMap<(String, String, String), String>;

fn verdicts(rows: &[Json]) -> Verdicts {
    let text = |r: &Json, name: &str| r[name].as_str().unwrap_or_default().to_owned();
    let key = |r: &Json| (text(r, "rule"), text(r, "name"), text(r, "sub_key"));
    rows.iter().filter(|r| text(r, "name").contains("nw-twin")).map(|r| (key(r), text(r, "outcome"))).collect()
}

#[test]
fn a_stack_and_its_code_have_the_same_verdicts_and_findings() {
    let tests = root().join("tests/aws");
    let (serve, seed) = (tests.join("serve.py"), tests.join("twin.py"));
    let (serve, seed) = (serve.to_string_lossy(), seed.to_string_lossy());
    let Some(emulator) = Emulator::start("twin", &[&serve], &[&seed], own_keys) else { return };
    emulator.plumb("twin.db", &["scan", "aws", "--max-share", "0", "--format", "json"]);
    let live = verdicts(&emulator.verdicts("twin.db"));
    assert!(live.len() > 50, "{} live verdicts", live.len());
    for code in ["stack.yaml", "main.tf"] {
        let path = tests.join("twin").join(code).display().to_string();
        let rows =
            emulator.plumb_rows("twin.db", &["check", &path, "--all", "--live", "--record", "--format", "jsonl"]);
        let written = verdicts(&rows);
        let (mut shared, mut differ) = (0, Vec::new());
        for (key, outcome) in &written {
            let Some(deployed) = live.get(key) else { continue };
            // What only the deployed resource can tell (its age, its use) is not known in code, or rules it out.
            let decided = |o: &str| ["pass", "fail"].contains(&o);
            if !(decided(outcome) && decided(deployed)) {
                continue;
            }
            shared += 1;
            if outcome != deployed {
                differ.push((key, outcome, deployed));
            }
        }
        println!("{code}: {shared} shared verdicts, {} differ: {differ:#?}", differ.len());
        assert!(shared > 50, "{code}: {shared} shared");
        assert!(differ.len() * 100 <= shared * 2, "{code}: {differ:#?}");
        // A failing verdict names the live finding, and it is the one on the record.
        let findings = emulator.plumb_rows("twin.db", &["findings", "--limit", "10000", "--format", "jsonl"]);
        let mut twins = 0;
        for row in rows.iter().filter(|r| r["outcome"] == "fail") {
            let key = (row["rule"].as_str(), row["name"].as_str(), row["sub_key"].as_str());
            let found =
                findings.iter().find(|f| (f["rule"].as_str(), f["name"].as_str(), f["sub_key"].as_str()) == key);
            let named = row["live"][0]["finding"].as_str();
            assert_eq!(named, found.and_then(|f| f["id"].as_str()), "{key:?}");
            twins += usize::from(named.is_some());
        }
        assert!(twins > 10, "{code}: {twins} twins");
        // With the check on the record, the ticket of the live finding names file and line.
        let one = rows.iter().find(|r| r["outcome"] == "fail" && r["live"][0]["finding"].is_string()).unwrap();
        let id = one["live"][0]["finding"].as_str().unwrap();
        let ticket = emulator.plumb_rows("twin.db", &["findings", "ticket", id, "--format", "jsonl"]);
        let named = ticket[0]["code"].to_string();
        assert!(named.contains(&format!("{code}:{}", one["line"])), "{named} for {one}");
        assert!(ticket[0]["body"].as_str().unwrap().contains("Where code declares it"));
    }
}
