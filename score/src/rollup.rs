//! From findings to resources, accounts, teams and the organisation, without dilution: many lows never pass a
//! critical, passes do not enter, and no number stands without its coverage.

use crate::points::{Lane, tenths};
use std::fmt;

/// The roll-up of scores (0 to 1000, tenths of a point): at least the largest, at most 150 above it.
///
/// Adding a score never lowers it; lowering or removing one never raises it. Summation is in descending order, so
/// the order of the input does not matter.
pub fn rollup(scores: &[u32]) -> f64 {
    let mut sorted: Vec<u32> = scores.iter().map(|s| (*s).min(1000)).collect();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let Some((largest, others)) = sorted.split_first() else { return 0.0 };
    let m = f64::from(*largest) / 1000.0;
    let tail: f64 = others.iter().map(|s| (f64::from(*s) / 1000.0).powi(3)).sum();
    1000.0 * (m + (1.0 - m).min(0.15) * (1.0 - (-tail / 8.0).exp()))
}

/// [`rollup`] in whole tenths of a point, rounded half up.
pub fn rollup_tenths(scores: &[u32]) -> u32 {
    // In 0..=1000 by construction.
    (rollup(scores) + 0.5).floor().clamp(0.0, 1000.0) as u32
}

/// How much of what should have been looked at was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Coverage {
    /// Accounts on the record in this scope.
    pub accounts_known: u64,
    /// Of them, scanned.
    pub accounts_scanned: u64,
    /// Calls the provider refused.
    pub calls_refused: u64,
    /// Judgements that could be made.
    pub evaluated: u64,
    /// Judgements that could not: the facts were out of reach.
    pub unknown: u64,
}

impl Coverage {
    /// Share of accounts scanned, per cent rounded down; 0 when no account is known.
    pub fn percent(&self) -> u64 {
        (self.accounts_scanned.min(self.accounts_known) * 100).checked_div(self.accounts_known).unwrap_or(0)
    }

    /// Whether anything was looked at.
    pub fn assessed(&self) -> bool {
        self.accounts_scanned > 0
    }

    /// The coverage of two scopes together.
    pub fn and(self, other: Self) -> Self {
        Self {
            accounts_known: self.accounts_known + other.accounts_known,
            accounts_scanned: self.accounts_scanned + other.accounts_scanned,
            calls_refused: self.calls_refused + other.calls_refused,
            evaluated: self.evaluated + other.evaluated,
            unknown: self.unknown + other.unknown,
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accounts = if self.accounts_known == 1 { "account" } else { "accounts" };
        write!(
            f,
            "coverage {} %: {} of {} {accounts} scanned",
            self.percent(),
            self.accounts_scanned,
            self.accounts_known
        )?;
        write!(f, ", {} unknown", self.unknown)?;
        if self.calls_refused > 0 {
            write!(f, ", {} calls refused", self.calls_refused)?;
        }
        Ok(())
    }
}

/// An open finding as the roll-up sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// 0 to 1000.
    pub score: u32,
    /// Where it waits.
    pub lane: Lane,
    /// Whether a decision (exception, deferral) is in force: it stays out of the first figure, and in the second.
    pub decided: bool,
}

/// Where an account, a team or the organisation stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Standing {
    /// Roll-up of the open, undecided findings, in tenths of a point; none when nothing was looked at.
    pub risk: Option<u32>,
    /// The same with those that were accepted or deferred.
    pub risk_with_accepted: Option<u32>,
    /// Open, undecided findings by lane 0 to 3.
    pub lanes: [u64; 4],
    /// Findings under a decision.
    pub decided: u64,
    /// What was looked at.
    pub coverage: Coverage,
}

impl Standing {
    /// Where one scope stands by its own findings.
    pub fn of(findings: impl IntoIterator<Item = Open>, coverage: Coverage) -> Self {
        let (mut undecided, mut all, mut lanes, mut decided) = (Vec::new(), Vec::new(), [0; 4], 0);
        for finding in findings {
            all.push(finding.score);
            if finding.decided {
                decided += 1;
            } else {
                undecided.push(finding.score);
                if let Some(n) = lanes.get_mut(usize::from(finding.lane.number())) {
                    *n += 1;
                }
            }
        }
        let figure = |scores: &[u32]| coverage.assessed().then(|| rollup_tenths(scores));
        Self { risk: figure(&undecided), risk_with_accepted: figure(&all), lanes, decided, coverage }
    }

    /// Where the whole stands by the standings of its accounts (the tier is already inside their scores).
    pub fn whole<'a>(parts: impl IntoIterator<Item = &'a Standing>) -> Self {
        let (mut risk, mut with_accepted) = (Vec::new(), Vec::new());
        let mut out =
            Self { risk: None, risk_with_accepted: None, lanes: [0; 4], decided: 0, coverage: Coverage::default() };
        for part in parts {
            risk.extend(part.risk);
            with_accepted.extend(part.risk_with_accepted);
            out.lanes.iter_mut().zip(part.lanes).for_each(|(sum, n)| *sum += n);
            out.decided += part.decided;
            out.coverage = out.coverage.and(part.coverage);
        }
        if out.coverage.assessed() {
            out.risk = Some(rollup_tenths(&risk));
            out.risk_with_accepted = Some(rollup_tenths(&with_accepted));
        }
        out
    }
}

impl fmt::Display for Standing {
    /// `95.1 (lane 0: 1, 1: 0, 2: 3, 3: 40; coverage 96 %: 24 of 25 accounts scanned, 3 unknown)`, or `not assessed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.risk {
            None => write!(f, "not assessed ({})", self.coverage),
            Some(risk) => {
                let [a, b, c, d] = self.lanes;
                write!(f, "{} (lane 0: {a}, 1: {b}, 2: {c}, 3: {d}; {})", tenths(i64::from(risk)), self.coverage)
            }
        }
    }
}

/// The share of judgements that passed, per mille rounded down; none when nothing was judged. Hygiene, never risk.
pub fn hygiene_per_mille(passed: u64, failed: u64) -> Option<u64> {
    (passed * 1000).checked_div(passed + failed)
}

/// The findings that moved a roll-up most between two runs: key and change of score, largest first. A finding that
/// is only in one of the two counts with 0 in the other.
pub fn movers<K: Ord + Clone>(before: &[(K, u32)], after: &[(K, u32)], most: usize) -> Vec<(K, i64)> {
    let mut change: std::collections::BTreeMap<&K, i64> = std::collections::BTreeMap::new();
    for (key, score) in before {
        *change.entry(key).or_default() -= i64::from(*score);
    }
    for (key, score) in after {
        *change.entry(key).or_default() += i64::from(*score);
    }
    let mut out: Vec<(K, i64)> = change.into_iter().filter(|(_, c)| *c != 0).map(|(k, c)| (k.clone(), c)).collect();
    // Stable: equal changes stay in key order.
    out.sort_by_key(|(_, c)| std::cmp::Reverse(c.abs()));
    out.truncate(most);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_the_design() {
        fn check(scores: &[u32], want: u32) {
            assert_eq!(rollup_tenths(scores), want);
        }
        check(&[], 0);
        check(&[950], 950);
        check(&[&[950][..], &[60; 500]].concat(), 951);
        check(&[60; 1000], 64);
        check(&[700; 10], 748);
        check(&[350; 1000], 499);
    }

    #[test]
    fn no_number_without_its_coverage() {
        let open = Open { score: 950, lane: Lane::ActNow, decided: false };
        let accepted = Open { score: 970, decided: true, ..open };
        let seen = Coverage { accounts_known: 1, accounts_scanned: 1, unknown: 3, evaluated: 40, calls_refused: 2 };
        let one = Standing::of([open, accepted], seen);
        assert_eq!((one.risk, one.decided), (Some(950), 1));
        assert!(one.risk_with_accepted > one.risk);
        let dark = Standing::of([], Coverage { accounts_known: 1, ..Coverage::default() });
        assert_eq!(dark.risk, None);
        assert_eq!(dark.to_string(), "not assessed (coverage 0 %: 0 of 1 account scanned, 0 unknown)");
        let whole = Standing::whole([&one, &dark]);
        assert_eq!(
            whole.to_string(),
            "95.0 (lane 0: 1, 1: 0, 2: 0, 3: 0; coverage 50 %: 1 of 2 accounts scanned, 3 unknown, 2 calls refused)"
        );
    }

    #[test]
    fn movers_are_the_largest_changes() {
        let (before, after) = ([("a", 500), ("b", 900), ("c", 10)], [("a", 510), ("c", 10), ("d", 300)]);
        assert_eq!(movers(&before, &after, 2), [("b", -900), ("d", 300)]);
        assert_eq!(hygiene_per_mille(999, 1), Some(999));
        assert_eq!(hygiene_per_mille(0, 0), None);
    }
}
