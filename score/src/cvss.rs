//! CVSS 3.1 for findings that carry a CVE: base score of a vector and the severity it calibrates to.
//! Formulas and constants: FIRST, "Common Vulnerability Scoring System v3.1: Specification Document", sections 7.1
//! and 7.4; the rounding is that of its appendix A, in integers.

use crate::signal::SeverityLevel;

/// A vector that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{vector}` is not a CVSS 3.1 base vector: {problem}")]
pub struct CvssError {
    vector: String,
    problem: String,
}

/// The base score of a vector like `CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H`, in tenths (0 to 100). Temporal and
/// environmental metrics may follow and are passed over; 3.0 vectors are read too.
pub fn base_score_tenths(vector: &str) -> Result<u32, CvssError> {
    let wrong = |problem: &str| CvssError { vector: vector.chars().take(100).collect(), problem: problem.into() };
    let rest = vector.strip_prefix("CVSS:3.1/").or_else(|| vector.strip_prefix("CVSS:3.0/"));
    let rest = rest.ok_or_else(|| wrong("it does not begin with CVSS:3.1/"))?;
    let metric = |name: &str| {
        let mut found = rest.split('/').filter_map(|m| m.split_once(':')).filter(|(n, _)| *n == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Ok(value),
            (None, _) => Err(wrong(&format!("{name} is missing"))),
            _ => Err(wrong(&format!("{name} is given twice"))),
        }
    };
    let weigh = |name: &str, values: &[(&str, f64)]| {
        let given = metric(name)?;
        let known = values.iter().find(|(v, _)| *v == given).map(|(_, w)| *w);
        known.ok_or_else(|| wrong(&format!("{name}:{given} is not a value")))
    };
    let changed = weigh("S", &[("U", 0.0), ("C", 1.0)])? > 0.0;
    let av = weigh("AV", &[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)])?;
    let ac = weigh("AC", &[("L", 0.77), ("H", 0.44)])?;
    let pr = weigh(
        "PR",
        if changed { &[("N", 0.85), ("L", 0.68), ("H", 0.5)] } else { &[("N", 0.85), ("L", 0.62), ("H", 0.27)] },
    )?;
    let ui = weigh("UI", &[("N", 0.85), ("R", 0.62)])?;
    let cia = [("H", 0.56), ("L", 0.22), ("N", 0.0)];
    let iss = 1.0 - (1.0 - weigh("C", &cia)?) * (1.0 - weigh("I", &cia)?) * (1.0 - weigh("A", &cia)?);
    let impact = if changed { 7.52 * (iss - 0.029) - 3.25 * (iss - 0.02f64).powi(15) } else { 6.42 * iss };
    if impact <= 0.0 {
        return Ok(0);
    }
    let exploitability = 8.22 * av * ac * pr * ui;
    let sum = impact + exploitability;
    Ok(round_up(if changed { 1.08 * sum } else { sum }.min(10.0)))
}

/// The specification's round-up to one decimal, in tenths.
fn round_up(score: f64) -> u32 {
    let units = (score * 100_000.0).round() as u32;
    units.div_ceil(10_000)
}

/// The severity of a base score in tenths, by the qualitative scale of the specification; 0.0 is informational.
pub fn severity_of(tenths: u32) -> SeverityLevel {
    match tenths {
        0 => SeverityLevel::Informational,
        1..=39 => SeverityLevel::Low,
        40..=69 => SeverityLevel::Medium,
        70..=89 => SeverityLevel::High,
        _ => SeverityLevel::Critical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors with the scores FIRST publishes for them in its examples.
    #[test]
    fn published_scores() {
        fn check(vector: &str, want: u32, severity: SeverityLevel) {
            let got = base_score_tenths(&format!("CVSS:3.1/{vector}")).unwrap();
            assert_eq!((got, severity_of(got)), (want, severity), "{vector}");
        }
        use SeverityLevel as S;
        check("AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 98, S::Critical);
        check("AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 100, S::Critical);
        check("AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 61, S::Medium);
        check("AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 64, S::Medium);
        check("AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 31, S::Low);
        check("AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 75, S::High);
        check("AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 68, S::Medium);
        check("AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H/E:P/RL:O", 78, S::High);
        check("AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0, S::Informational);
    }

    #[test]
    fn broken_vectors_are_named() {
        for vector in [
            "",
            "AV:N",
            "CVSS:3.1/AV:N",
            "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            "CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        ] {
            assert!(base_score_tenths(vector).is_err(), "{vector}");
        }
    }
}
