//! Equality with the reference on the whole state space: 155,520 combinations, hard and not.
//!
//! Checked in are a digest for every (severity, exposure, hard) sub-grid over everything the function says, and every
//! 101st row in clear so that a difference can be seen. Both come from the reference implementation of the design.

use plumb_score::{Policy, Score, Signals, score, signal::*};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Every combination in the order of the reference: hard outermost, then sev exp idr drf dat acc kex.
pub fn grid() -> impl Iterator<Item = Signals> {
    let scales = || {
        SeverityLevel::ALL.iter().flat_map(|severity| {
            Exposure::ALL.iter().flat_map(move |exposure| {
                IdentityReach::ALL.iter().flat_map(move |identity| {
                    DriftLevel::ALL.iter().flat_map(move |drift| {
                        DataClass::ALL.iter().flat_map(move |data| {
                            Criticality::ALL.iter().flat_map(move |account| {
                                Exploitation::ALL.iter().map(move |exploitation| Signals {
                                    severity: *severity,
                                    exposure: *exposure,
                                    identity: *identity,
                                    drift: *drift,
                                    exploitation: *exploitation,
                                    data: *data,
                                    account: *account,
                                    hard: false,
                                })
                            })
                        })
                    })
                })
            })
        })
    };
    [false, true].into_iter().flat_map(move |hard| scales().map(move |s| Signals { hard, ..s }))
}

fn row(s: &Score) -> String {
    let mut text = format!("{} {} {}", s.points, s.score, s.lane.number());
    for c in &s.contributions {
        let _ = write!(text, " {}:{}:{}", c.signal, c.level, c.points);
    }
    text.push('\n');
    text
}

fn sub_grid(s: &Signals) -> String {
    format!("{} {} {}", s.severity, s.exposure, if s.hard { "hard" } else { "soft" })
}

#[test]
fn the_whole_grid_equals_the_reference_digests() {
    let policy = Policy::default();
    let mut digests: Vec<(String, Sha256)> = Vec::new();
    let mut count = 0;
    for signals in grid() {
        let name = sub_grid(&signals);
        if digests.last().is_none_or(|(last, _)| *last != name) {
            digests.push((name, Sha256::new()));
        }
        digests.last_mut().unwrap().1.update(row(&score(&signals, &policy)));
        count += 1;
    }
    assert_eq!(count, 311_040);
    let got: Vec<String> = digests
        .into_iter()
        .map(|(name, d)| {
            let hex: String = d.finalize().iter().map(|b| format!("{b:02x}")).collect();
            format!("{name} {hex}")
        })
        .collect();
    let want: Vec<&str> = include_str!("../data/grid-digests.txt").lines().filter(|l| !l.starts_with('#')).collect();
    assert_eq!(got, want);
}

#[test]
fn every_101st_row_equals_the_reference() {
    let policy = Policy::default();
    let want = include_str!("../data/grid-sample.txt").lines().filter(|l| !l.starts_with('#'));
    let mut rows = 0;
    for (signals, want) in grid().step_by(101).zip(want) {
        let s = score(&signals, &policy);
        assert_eq!(format!("{} {} {}", s.points, s.score, s.lane.number()), want, "{signals:?}");
        rows += 1;
    }
    assert_eq!(rows, 3_080);
}

/// Runs the reference itself when the design is at hand, and compares all that `score_line` says with it.
#[test]
fn the_reference_itself_agrees_when_at_hand() {
    let reference = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/design/score_reference.py");
    if !std::path::Path::new(reference).exists() {
        eprintln!("skipped: no reference implementation at hand; the digests cover the same grid");
        return;
    }
    let script = r#"
import importlib.util, itertools, json, sys
spec = importlib.util.spec_from_file_location("reference", sys.argv[1]); r = importlib.util.module_from_spec(spec); spec.loader.exec_module(r)
out = sys.stdout
for hard in (False, True):
    for combo in itertools.product(*r.ORD.values()):
        f = dict(zip(r.ORD, combo)); f["hard"] = hard
        points, score, ex = r.score(f)
        out.write(json.dumps(f) + "\t" + " ".join([str(points), str(score), str(r.lane(points))] + ["%s:%s:%d" % c for c in ex]) + "\n")
"#;
    let run = std::process::Command::new("python3").args(["-B", "-c", script, reference]).output();
    let Ok(run) = run else {
        eprintln!("skipped: python3 is not installed");
        return;
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let policy = Policy::default();
    let mut count = 0;
    for pair in String::from_utf8(run.stdout).unwrap().lines() {
        let (input, want) = pair.split_once('\t').unwrap();
        let answer = plumb_score::score_line(input, &policy);
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        let mut got = format!("{} {} {}", answer["points"], answer["score"], answer["lane"]);
        for c in answer["contributions"].as_array().unwrap() {
            let text = |k: &str| c[k].as_str().unwrap().to_owned();
            let _ = write!(got, " {}:{}:{}", text("signal"), text("level"), c["points"]);
        }
        assert_eq!(got, want, "{input}");
        count += 1;
    }
    assert_eq!(count, 311_040);
}
