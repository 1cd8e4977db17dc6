//! What was judged, folded from one pass over the coverage rows: there is one for each account, region and rule, so an
//! organisation has too many to hold, and its reports need only their sums.

use super::GovernError;
use plumb_govern::framework::Tally;
use plumb_model::RuleId;
use plumb_record::Record;
use std::collections::{BTreeMap, BTreeSet};

/// Sums over coverage.
#[derive(Debug, Default)]
pub struct Judged {
    /// What each rule says, in checks.
    pub rules: BTreeMap<RuleId, Tally>,
    /// What each account holds, in checks.
    pub accounts: BTreeMap<String, Sum>,
    /// Why checks could not look, with how many each cost.
    pub gaps: BTreeMap<String, u64>,
    // In which accounts a rule that judged nothing at all was read: only for those is it asked.
    silent: BTreeMap<RuleId, BTreeSet<String>>,
}

/// Checks of one account.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// Positive evidence.
    pub pass: u64,
    /// Failing, under a decision or not.
    pub fail: u64,
    /// Nobody could look.
    pub unknown: u64,
}

impl Judged {
    /// Reads the record's coverage once.
    ///
    /// # Errors
    /// The record fails.
    pub fn read(record: &Record) -> Result<Self, GovernError> {
        let mut out = Self::default();
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        record.each_coverage(None, |row| -> Result<(), GovernError> {
            let rule = RuleId::from(row.rule.as_str());
            let (pass, fail, unknown) = (count(row.pass), count(row.fail), count(row.unknown));
            let tally = out.rules.entry(rule.clone()).or_default();
            tally.pass += pass;
            tally.fail += fail;
            tally.unknown += unknown;
            if *tally == Tally::default() {
                out.silent.entry(rule).or_default().insert(row.account.clone());
            } else {
                out.silent.remove(&rule);
            }
            if unknown > 0 {
                let why = row.reasons.first().map_or_else(|| "not said".to_owned(), |r| r.describe());
                *out.gaps.entry(why).or_default() += unknown;
            }
            let sum = out.accounts.entry(row.account).or_default();
            sum.pass += pass;
            sum.fail += fail;
            sum.unknown += unknown;
            Ok(())
        })?;
        Ok(out)
    }

    /// Whether a rule that judged nothing was read in an account.
    pub fn silent_in(&self, rule: &RuleId, account: &str) -> bool {
        self.silent.get(rule).is_some_and(|accounts| accounts.contains(account))
    }

    /// Checks of all accounts.
    pub fn sum(&self) -> Sum {
        self.accounts.values().fold(Sum::default(), |a, b| Sum {
            pass: a.pass + b.pass,
            fail: a.fail + b.fail,
            unknown: a.unknown + b.unknown,
        })
    }
}
