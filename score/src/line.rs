//! One line of signal levels in, one line with the score out: the machine contract of `plumb score --batch`.

use crate::{
    points::{Contribution, Lane, Signals, score},
    policy::Policy,
    signal::{Criticality, DataClass, DriftLevel, Exploitation, Exposure, IdentityReach, SeverityLevel},
};

/// The levels of a line. Members that are not signals are not ours to judge; `id` is given back.
#[derive(serde::Deserialize)]
struct Line {
    sev: SeverityLevel,
    exp: Exposure,
    idr: IdentityReach,
    drf: DriftLevel,
    kex: Exploitation,
    dat: DataClass,
    acc: Criticality,
    #[serde(default)]
    hard: Option<bool>,
    #[serde(default)]
    id: Option<serde_json::Value>,
}

#[derive(serde::Serialize)]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<serde_json::Value>,
    points: u32,
    score: u32,
    lane: Lane,
    contributions: Vec<Contribution>,
}

/// Answers one JSON object `{"sev":…,"exp":…,"idr":…,"drf":…,"kex":…,"dat":…,"acc":…,"hard":…}` with
/// `{"points":…,"score":…,"lane":…,"contributions":[{"signal":…,"level":…,"points":…}…]}`, all in tenths of a point.
///
/// `hard` may be left out. An `id` is given back as it came. A line that is not such an object is answered with
/// `{"error":"…"}`; this never fails and the answer never spans lines.
pub fn score_line(line: &str, policy: &Policy) -> String {
    let answer = read(line).and_then(|line| {
        let signals = Signals {
            severity: line.sev,
            exposure: line.exp,
            identity: line.idr,
            drift: line.drf,
            exploitation: line.kex,
            data: line.dat,
            account: line.acc,
            hard: line.hard.unwrap_or(false),
        };
        let s = score(&signals, policy);
        let answer =
            Answer { id: line.id, points: s.points, score: s.score, lane: s.lane, contributions: s.contributions };
        serde_json::to_string(&answer).map_err(|e| e.to_string())
    });
    answer.unwrap_or_else(|error| {
        // Whoever asked finds the line again by its id, where it has one.
        let id = serde_json::from_str::<serde_json::Value>(line).ok().and_then(|l| l.get("id").cloned());
        match id {
            Some(id) => serde_json::json!({ "id": id, "error": error }).to_string(),
            None => serde_json::json!({ "error": error }).to_string(),
        }
    })
}

fn read(line: &str) -> Result<Line, String> {
    // A list would be read as a struct by position; only objects are lines.
    if !line.trim_start().starts_with('{') {
        return Err("expected a JSON object with sev, exp, idr, drf, kex, dat, acc and hard".into());
    }
    serde_json::from_str(line).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_refuses() {
        fn check(line: &str, want: &str) {
            let got = score_line(line, &Policy::default());
            assert!(got.contains(want), "{line}\n  got  {got}\n  want {want}");
            assert!(!got.contains('\n'));
        }
        let full = r#"{"sev":"high","exp":"internet-open","idr":"broad","drf":"none","kex":"none","dat":"regulated","acc":"production","hard":false,"id":7}"#;
        check(
            full,
            r#"{"id":7,"points":1055,"score":1000,"lane":0,"contributions":[{"signal":"sev","level":"high","points":280}"#,
        );
        check(&full.replace(",\"hard\":false", ""), r#""points":1055"#);
        check(&full.replace("internet-open", "everywhere"), "unknown exposure level `everywhere`; one of none, org");
        check(&full.replace("\"sev\":\"high\",", ""), "missing field `sev`");
        check(&full.replace("false", "\"yes\""), "error");
        check(&full.replace("\"sev\":\"high\"", "\"sev\":3"), "error");
        check(&full.replace("{\"sev\"", "{\"sev\":\"low\",\"sev\""), "duplicate field `sev`");
        check("", "expected a JSON object");
        check("[\"high\",\"none\",\"none\",\"none\",\"none\",\"internal\",\"staging\"]", "expected a JSON object");
        check("{", "error");
        check(&format!("{{\"id\":{}", "[".repeat(100_000)), "recursion limit");
    }
}
