//! Group 8: a bundle verifies where no product is, and one flipped byte in each file is found.

use crate::world::*;
use plumb_govern::bundle::{
    self, BundleError, Captured, FaultKind, File, Flow, Input, Limit, LogPart, Population, Source, TakeFinding,
    TakeRow, Taken, zip,
};
use plumb_govern::decision::{Decision, Kind};
use plumb_govern::finding::{Event, Facts, Finding, Transition};
use plumb_govern::framework::{Attachment, Attestation, Control, Tally, align};
use plumb_govern::ids::FindingId;
use plumb_govern::log::{Event as Happened, Head, Log, SealKey, Sealed};
use plumb_model::{RuleId, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

fn key() -> SealKey {
    SealKey::from_seed(&[9; 32])
}

struct Made {
    findings: Vec<Finding>,
    steps: Vec<Transition>,
    decisions: Vec<Decision>,
    log: LogPart,
    entries: Vec<Sealed>,
    /// The finding that is an attack path.
    path: FindingId,
}

/// What was observed, with what is written unlike in other languages.
fn leaves() -> serde_json::Value {
    serde_json::json!([{ "path": "tags[\"größe\"]", "observed": [0.5, 1e21, "\u{1f511}\n", null], "expected": "true",
                        "source": { "api": "s3:GetPublicAccessBlock" } }])
}

impl Source for Made {
    fn findings(&mut self, take: TakeFinding<'_>) -> Result<usize, BundleError> {
        let (mut steps, mut at) = (self.steps.iter().peekable(), 0);
        for f in &self.findings {
            let mut mine = Vec::new();
            while let Some(step) = steps.next_if(|s| s.finding == f.id) {
                mine.push(step.clone());
            }
            at += mine.len();
            let captured = Captured {
                because: leaves(),
                excerpt: serde_json::json!({ "BlockPublicAcls": false }),
                finding: f.id.clone(),
                no_excerpt: String::new(),
                read_at: Some(now().to_string()),
                said_by: vec!["s3:GetPublicAccessBlock".into()],
            };
            let class = if f.id == self.path { 2004 } else { 2003 };
            let ocsf = serde_json::json!({ "class_uid": class, "finding_info": { "uid": f.id } });
            take(Taken { finding: f, steps: &mine, captured: &captured, ocsf: &ocsf })?;
        }
        assert_eq!(at, self.steps.len());
        Ok(40)
    }

    fn rows(&mut self, flow: &Flow, take: TakeRow<'_>) -> Result<usize, BundleError> {
        assert_eq!(flow.path, "coverage/coverage");
        (0..3).try_for_each(|n| take(&serde_json::json!({ "rule": format!("r{n}"), "pass": n })))?;
        Ok(9)
    }

    fn entries(&mut self) -> Box<dyn Iterator<Item = Result<Sealed, BundleError>> + '_> {
        Box::new(self.entries.iter().cloned().map(Ok))
    }
}

fn made() -> Made {
    let mut log = Log::default();
    let (mut findings, mut steps, mut entries, mut checkpoints) = (vec![], vec![], vec![], vec![]);
    let mut start = Head::empty();
    for n in 1..=8 {
        let (mut f, first) = Finding::open(key_of(n), resting(), evidence(), &system(), &policy(), now()).unwrap();
        let mut mine = vec![first];
        if n == 1 {
            for (event, who) in [
                (
                    Event::RequestException { decision: requested(Kind::Exception).brief(&f.id, None, &policy()) },
                    "erin",
                ),
                (Event::Approve { decision: approved(Kind::Exception).brief(&f.id, None, &policy()) }, "adam"),
            ] {
                let step = f.transition(event, &actor(who), "", &policy(), now()).unwrap();
                f = f.apply(&step, &policy()).unwrap();
                mine.push(step);
            }
        }
        for s in &mine {
            let change = serde_json::to_value(s).unwrap();
            let sealed = log.append(Happened::done(
                &system(),
                "finding.transition",
                ("finding", s.finding.as_str()),
                change,
                now(),
            ));
            if sealed.seq >= 3 {
                entries.push(sealed);
            }
            if log.size() == 3 {
                start = log.head();
            }
            if log.size() == 8 {
                checkpoints.push(log.checkpoint("plumbline/test", &[&key()], now()));
            }
        }
        findings.push(f);
        steps.extend(mine);
    }
    let log = LogPart { start, checkpoints, keys: vec![key().public()] };
    Made { path: findings[4].id.clone(), findings, steps, decisions: vec![approved(Kind::Exception)], log, entries }
}

fn resting() -> Facts {
    Facts { value_digest: plumb_govern::log::digest(&leaves()), ..facts() }
}

fn key_of(n: u32) -> FindingId {
    crate::world::key(n)
}

fn write(made: Made) -> Result<Vec<u8>, BundleError> {
    write_in_parts(made, 100)
}

fn write_in_parts(mut made: Made, oscal_most: usize) -> Result<Vec<u8>, BundleError> {
    let decisions = made.decisions.clone();
    let rule: RuleId = facts().rule;
    let control = |id: &str, manual| Control {
        framework: "iso27001-2022".into(),
        id: id.into(),
        title: "Networks are secured".into(),
        manual,
        rules: if manual { vec![] } else { vec![rule.clone()] },
        related: vec![],
    };
    let controls = [control("A.8.20", false), control("A.5.15", true), control("1.2.1", true)];
    let tallies: BTreeMap<_, _> =
        [(rule.clone(), Tally { pass: 5, fail: 7, decided: 1, unknown: 0, ..Tally::default() })].into();
    let proof = vec![Attachment { name: "policy.pdf".into(), sha256: "00".into() }];
    let words = "Access is granted by role and reviewed every quarter.";
    let word =
        Attestation::attest(("iso27001-2022", "A.5.15"), words, proof, now().plus_days(300), &actor("erin"), now())
            .unwrap();
    let word = word.agree(&actor("adam"), &policy(), now()).unwrap();
    let alignments = [align("iso27001-2022", &controls, &tallies, &[word], now())];
    let ledger = [serde_json::json!({ "resource": "=cmd()", "state": "approved" })];
    let input = Input {
        scope: "organization",
        from: t("2026-07-01"),
        to: now().plus_days(1),
        made_at: now().plus_days(1),
        product: "plumb 0.1.0",
        policy: "govern/1.0.0",
        findings_filter: "not closed, or closed in the period",
        oscal_most,
        decisions: &decisions,
        alignments: &alignments,
        populations: vec![Population::all("exposure/ledger", "Public exposure", &ledger).unwrap()],
        flows: vec![Flow {
            path: "coverage/coverage".into(),
            title: "What was judged".into(),
            filter: "three of them".into(),
            for_programs: false,
        }],
        files: vec![File {
            path: "evidence/aws/1/s3/orders.json".into(),
            media: "application/json".into(),
            bytes: b"{}".to_vec(),
        }],
        limits: vec![Limit {
            kind: "refused-api".into(),
            object: "kms:GetKeyPolicy".into(),
            meaning: "3 rules are unknown".into(),
        }],
        admin_approvers: vec!["ada".into()],
        seed: "2026-Q3",
        log: made.log.clone(),
    };
    let spool = || Ok(Box::new(std::io::Cursor::new(Vec::new())) as Box<dyn bundle::Spool>);
    bundle::write(&input, &mut made, &spool, Vec::new(), &key()).map(|(bytes, _)| bytes)
}

fn repack(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut w = zip::Writer::new(Vec::new());
    files.iter().for_each(|(n, b)| drop(w.add(n, b).unwrap()));
    w.finish().unwrap()
}

#[test]
fn a_bundle_verifies_and_is_the_same_each_time() {
    let archive = write(made()).unwrap();
    assert_eq!(archive, write(made()).unwrap());
    let mark = key().public().fingerprint();
    let report = bundle::verify(&archive, &[&mark]).unwrap();
    assert!(report.key_expected);
    assert_eq!((report.folded, report.log.entries, report.log.checkpoints), (8, 7, 1));
    assert!(!bundle::verify(&archive, &[]).unwrap().key_expected);
    assert_eq!(bundle::verify(&archive, &["00"]).unwrap_err().kind, FaultKind::Signature);
    let files: BTreeMap<_, _> = zip::read(&archive).unwrap().into_iter().collect();
    let text = |p: &str| String::from_utf8(files[p].clone()).unwrap();
    assert!(text("exposure/ledger.csv").contains("\"'=cmd()\""), "no spreadsheet runs a cell");
    assert!(text("index.html").contains("kms:GetKeyPolicy"));
    assert!(text("README.txt").contains(&mark));
    assert!(
        report
            .manifest
            .files
            .iter()
            .any(|f| f.path == "findings/findings.csv" && f.in_system == Some(40) && f.records == Some(8))
    );
    assert_eq!(text("coverage/coverage.csv"), "pass,rule\r\n0,r0\r\n1,r1\r\n2,r2\r\n");
    let listed = |p: &str| report.manifest.files.iter().find(|f| f.path == p).map(|f| (f.records, f.in_system));
    assert_eq!(listed("coverage/coverage.jsonl"), Some((Some(3), Some(9))));
    for (path, rows) in
        [("evidence/captured.jsonl", 8), ("ocsf/compliance-findings.jsonl", 7), ("ocsf/attack-paths.jsonl", 1)]
    {
        assert_eq!(listed(path), Some((Some(rows), Some(40))), "{path}");
        assert!(text("index.html").contains(&format!("href=\"{path}\"")), "{path}");
        assert!(!files.contains_key(&path.replace("jsonl", "csv")), "{path}");
        assert!(!text("sampling/order.csv").contains(path.trim_end_matches(".jsonl")), "{path}");
    }
}

#[test]
fn one_flipped_byte_in_each_file_is_found() {
    let archive = write(made()).unwrap();
    let files = zip::read(&archive).unwrap();
    let mark = key().public().fingerprint();
    for (i, (name, bytes)) in files.iter().enumerate() {
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut bad = files.clone();
            bad[i].1[at] ^= 1;
            if name == "manifest.sig" && at == bytes.len() - 1 {
                continue; // the line break at the end of the signature is not signed content
            }
            let got = bundle::verify(&repack(&bad), &[&mark]);
            assert!(got.is_err(), "{name} at {at}");
        }
        let mut less = files.clone();
        less.remove(i);
        assert_eq!(bundle::verify(&repack(&less), &[&mark]).unwrap_err().kind, FaultKind::Incomplete, "{name}");
    }
    let mut more = files.clone();
    more.push(("evidence/late.json".into(), b"{}".to_vec()));
    let fault = bundle::verify(&repack(&more), &[&mark]).unwrap_err();
    assert_eq!(fault.to_string(), "`evidence/late.json` is not in the manifest");
}

/// The first broken entry is named although the manifest alone shows that the file was changed.
#[test]
fn a_log_changed_in_a_bundle_is_named_by_its_entry() {
    let mut files = zip::read(&write(made()).unwrap()).unwrap();
    let log = files.iter_mut().find(|(name, _)| name == "log/activity.jsonl").unwrap();
    let second = log.1.iter().position(|b| *b == b'\n').unwrap() + 1;
    let actor = log.1[second..].windows(9).position(|w| w == b"\"actor\":\"").unwrap() + second + 9;
    log.1[actor] ^= 1;
    let fault = bundle::verify(&repack(&files), &[]).unwrap_err();
    assert_eq!((fault.kind, fault.file.as_str()), (FaultKind::Content, "log/activity.jsonl"));
    let first: u64 = serde_json::from_slice::<serde_json::Value>(log_start(&files)).unwrap()["size"].as_u64().unwrap();
    assert_eq!(fault.broken.unwrap().index, first + 1);
}

fn log_start(files: &[(String, Vec<u8>)]) -> &[u8] {
    &files.iter().find(|(name, _)| name == "log/start.json").unwrap().1
}

#[test]
fn a_record_that_does_not_verify_is_not_bundled() {
    let mut m = made();
    m.entries.remove(2);
    let error = write(m).unwrap_err().to_string();
    assert!(error.contains("entry 5 should be here, but entry 6 is"), "{error}");
}

#[test]
fn a_state_set_in_the_database_is_found_in_the_bundle() {
    let mut m = made();
    let mut forged = serde_json::to_value(&m.findings[2]).unwrap();
    forged["state"] = "fixed".into();
    m.findings[2] = serde_json::from_value(forged).unwrap();
    let fault = bundle::verify(&write(m).unwrap(), &[]).unwrap_err();
    assert!(fault.to_string().contains("says fixed on record, but the rows lead to open"), "{fault}");
}

/// The bundle again with one of its lists changed, signed anew: as somebody with the key could make it.
fn resigned(path: &str, change: impl Fn(&str) -> String) -> Vec<u8> {
    let mut files = zip::read(&write(made()).unwrap()).unwrap();
    let file = files.iter_mut().find(|f| f.0 == path).unwrap();
    file.1 = change(std::str::from_utf8(&file.1).unwrap()).into_bytes();
    let (size, sha256, rows) =
        (file.1.len(), hex(&plumb_govern::log::merkle::sha256(&file.1)), file.1.split(|b| *b == b'\n').count() - 1);
    let manifest = files.iter_mut().find(|f| f.0 == "manifest.json").unwrap();
    let mut said: serde_json::Value = serde_json::from_slice(&manifest.1).unwrap();
    for listed in said["files"].as_array_mut().unwrap().iter_mut().filter(|f| f["path"] == path) {
        (listed["size"], listed["sha256"], listed["records"]) = (size.into(), sha256.clone().into(), rows.into());
    }
    manifest.1 = plumb_govern::log::canonical::bytes(&said);
    let signature = plumb_govern::log::text::base64(&key().sign(&manifest.1));
    files.iter_mut().find(|f| f.0 == "manifest.sig").unwrap().1 = signature.into_bytes();
    repack(&files)
}

fn hex(bytes: &[u8]) -> String {
    plumb_govern::log::text::hex(bytes)
}

#[test]
fn evidence_and_events_are_those_of_the_findings() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let without_first = |text: &str| lines(text)[1..].join("\n") + "\n";
    let twice = |text: &str| text.to_owned() + &lines(text)[0] + "\n";
    let other = |text: &str| text.replacen("[0.5,", "[0.25,", 1);
    let (evidence, events, paths) =
        ("evidence/captured.jsonl", "ocsf/compliance-findings.jsonl", "ocsf/attack-paths.jsonl");
    type Edit<'e> = &'e dyn Fn(&str) -> String;
    let cases: [(&str, Edit<'_>, &str); 6] = [
        (evidence, &other, "rests on"),
        (evidence, &without_first, "rests on"),
        (evidence, &twice, "not in the findings list"),
        (events, &without_first, "no event of finding"),
        (events, &twice, "not in the findings list"),
        (paths, &twice, "not in the findings list"),
    ];
    for (path, edit, want) in cases {
        let archive = resigned(path, edit);
        let fault = bundle::verify(&archive, &[]).unwrap_err();
        assert!(fault.kind == FaultKind::Content && fault.to_string().contains(want), "{path}: {fault}");
        let place = std::env::temp_dir().join(format!("plumb-resigned-{}.zip", std::process::id()));
        std::fs::write(&place, &archive).unwrap();
        if let Some((code, text)) = python(&["-c", bundle::VERIFIER, &place.to_string_lossy()], b"") {
            assert!(code == 1 && text.contains("BROKEN"), "{path}: {text}");
        }
        std::fs::remove_file(place).unwrap();
    }
    assert!(bundle::verify(&resigned(evidence, |text| text.to_owned()), &[]).is_ok());
}

/// Runs a Python program; none when there is no Python here.
fn python(args: &[&str], input: &[u8]) -> Option<(i32, String)> {
    let mut child = Command::new("python3")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(input).ok()?;
    let out = child.wait_with_output().ok()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    Some((out.status.code()?, text))
}

#[test]
fn the_verifier_inside_agrees_without_the_product() {
    let folder = std::env::temp_dir().join(format!("plumb-bundle-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let archive = write(made()).unwrap();
    let mark = key().public().fingerprint();
    let run = |name: &str, bytes: &[u8], mark: &str| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        python(&["-c", bundle::VERIFIER, &path.to_string_lossy(), mark], b"")
    };
    let Some((code, text)) = run("good.zip", &archive, &mark) else {
        println!("skipped: there is no python3 here");
        return;
    };
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("7 log entries, 1 signed checkpoints, 8 findings"), "{text}");
    let files = zip::read(&archive).unwrap();
    let spoil = |name: &str| {
        let mut bad = files.clone();
        let file = bad.iter_mut().find(|f| f.0 == name).unwrap();
        let at = file.1.len() / 2;
        file.1[at] ^= 1;
        repack(&bad)
    };
    for (name, want) in
        [("log/activity.jsonl", 1), ("findings/findings.csv", 1), ("manifest.json", 2), ("manifest.sig", 2)]
    {
        let (code, text) = run("bad.zip", &spoil(name), &mark).unwrap();
        assert_eq!(code, want, "{name}: {text}");
    }
    assert_eq!(run("other.zip", &archive, "00").unwrap().0, 2);
    let less: Vec<_> = files.iter().filter(|f| f.0 != "decisions/register.csv").cloned().collect();
    assert_eq!(run("less.zip", &repack(&less), &mark).unwrap().0, 3);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn steps_that_are_not_those_of_the_findings_are_found() {
    let mut m = made();
    m.findings.swap(0, 1);
    let by_finding = |f: &Finding| m.steps.iter().filter(|s| s.finding == f.id).cloned().collect::<Vec<_>>();
    m.steps = m.findings.iter().flat_map(by_finding).collect();
    let files = zip::read(&write(m).unwrap()).unwrap();
    assert!(bundle::verify(&repack(&files), &[]).is_ok());
    let (by_id, swapped) = (made(), files);
    // The lists of one bundle in the frame of another: the manifest already tells.
    let other = zip::read(&write(by_id).unwrap()).unwrap();
    let mixed: Vec<_> =
        swapped
            .into_iter()
            .map(|(n, b)| {
                if n == "findings/transitions.jsonl" {
                    other.iter().find(|f| f.0 == n).unwrap().clone()
                } else {
                    (n, b)
                }
            })
            .collect();
    assert_eq!(bundle::verify(&repack(&mixed), &[]).unwrap_err().kind, FaultKind::Content);
}

/// Against the official schemas, when they and Python's validator are here.
#[test]
fn oscal_documents_are_valid() {
    let schemas = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/schemas/oscal");
    if !std::path::Path::new(schemas).exists() {
        println!("skipped: the official schemas are not here");
        return;
    }
    let script = r#"
import json, sys, re
try:
    import jsonschema
except ImportError:
    sys.exit(77)
for name, doc in json.load(sys.stdin):
    text = open(f"{sys.argv[1]}/oscal_{name}_schema.json").read().replace(r"\\p{L}", "[A-Za-z]").replace(r"\\p{N}", "[0-9]")
    schema = json.loads(text)
    errors = [(list(e.absolute_path), e.message[:200]) for e in jsonschema.Draft7Validator(schema).iter_errors(doc)]
    assert not errors, (name, errors[:4])
"#;
    let archive = write(made()).unwrap();
    let files: BTreeMap<_, _> = zip::read(&archive).unwrap().into_iter().collect();
    let doc = |p: &str| serde_json::from_slice::<serde_json::Value>(&files[p]).unwrap();
    // Eight findings in parts of three: every document is valid by itself, and each finding is in one part.
    let parts: BTreeMap<_, _> = zip::read(&write_in_parts(made(), 3).unwrap()).unwrap().into_iter().collect();
    let part = |p: &str| serde_json::from_slice::<serde_json::Value>(&parts[p]).unwrap();
    let mut docs = vec![
        serde_json::json!(["assessment-results", doc("oscal/assessment-results.json")]),
        serde_json::json!(["poam", doc("oscal/poam.json")]),
        serde_json::json!(["assessment-results", part("oscal/assessment-results.json")]),
    ];
    let (mut risks, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for n in 1..=3 {
        let results = part(&format!("oscal/parts/{n:04}-assessment-results.json"));
        let one = &results["assessment-results"]["results"][0];
        risks.extend(one["risks"].as_array().unwrap().iter().map(|r| r["uuid"].to_string()));
        ids.insert(one["uuid"].to_string());
        docs.push(serde_json::json!(["assessment-results", results]));
        docs.push(serde_json::json!(["poam", part(&format!("oscal/parts/{n:04}-poam.json"))]));
    }
    assert_eq!((risks.len(), ids.len()), (8, 3));
    assert!(!parts.contains_key("oscal/parts/0004-assessment-results.json") && !parts.contains_key("oscal/poam.json"));
    assert!(String::from_utf8(parts["limits.json"].clone()).unwrap().contains("oscal-in-parts"));
    let docs = serde_json::Value::from(docs);
    match python(&["-c", script, schemas], docs.to_string().as_bytes()) {
        None => println!("skipped: there is no python3 here"),
        Some((77, _)) => println!("skipped: Python's jsonschema is not here"),
        Some((code, text)) => assert_eq!(code, 0, "{text}"),
    }
    let results = doc("oscal/assessment-results.json");
    let controls: Vec<_> = results["assessment-results"]["results"][0]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["target"]["target-id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(controls, ["A.8.20", "A.5.15"], "what nobody assessed is claimed for nothing");
    let _: Time = results["assessment-results"]["metadata"]["last-modified"].as_str().unwrap().parse().unwrap();
}
