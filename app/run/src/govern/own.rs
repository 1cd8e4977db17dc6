//! Findings of the programme about itself: an exposure nobody approved, a removal nobody carried out. They live in the
//! record like any other and close by the same evidence: what they speak about is settled.

use super::GovernError;
use plumb_model::{AccountId, KindId, Leaf, Outcome, Region, RuleId, Severity, Source, Time, Value, Verdict};
use plumb_record::{Query, Record, RuleRow, ScanId};
use std::collections::{BTreeMap, BTreeSet};

/// A rule of the programme.
pub(super) struct Own {
    /// Its id.
    pub rule: &'static str,
    /// The kind of what it speaks about.
    pub kind: &'static str,
    /// The good state.
    pub title: &'static str,
    /// Its topic.
    pub topic: &'static str,
    /// What the good state looks like.
    pub expected: &'static str,
}

/// Something the rule is not content with.
pub(super) struct Fault {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// What it is about.
    pub resource: String,
    /// Its everyday name.
    pub name: String,
    /// The part of it.
    pub part: String,
    /// How bad.
    pub severity: Severity,
    /// What was found.
    pub found: String,
}

/// Opens a finding for each fault and closes those of `looked_at` accounts whose fault is not there any more.
pub(super) fn settle(
    record: &mut Record,
    scan: ScanId,
    own: &Own,
    faults: Vec<Fault>,
    looked_at: &BTreeSet<AccountId>,
    now: Time,
) -> Result<(), GovernError> {
    let rule = RuleRow {
        id: own.rule.into(),
        title: own.title.into(),
        severity: Severity::Medium,
        topic: own.topic.into(),
        kind: own.kind.into(),
    };
    record.put_rules(&[rule])?;
    let (rule, kind) = (RuleId::from(own.rule), KindId::from(own.kind));
    let mut by_account: BTreeMap<AccountId, Vec<Fault>> =
        looked_at.iter().map(|account| (account.clone(), Vec::new())).collect();
    for fault in faults {
        by_account.entry(fault.account.clone()).or_default().push(fault);
    }
    for (account, faults) in by_account {
        let open = record.findings(&Query {
            account: Some(account.to_string()),
            rules: BTreeSet::from([rule.clone()]),
            ..Query::default()
        })?;
        if open.is_empty() && faults.is_empty() {
            continue;
        }
        let verdict = |region: Region, resource: &str, name: &str, part: &str, outcome, found: &str| Verdict {
            rule: rule.clone(),
            kind: kind.clone(),
            account: account.clone(),
            region,
            resource: resource.into(),
            name: name.into(),
            sub_key: part.into(),
            outcome,
            needs: Vec::new(),
            because: if outcome == Outcome::Fail {
                vec![Leaf {
                    path: "state".into(),
                    observed: Value::from(found),
                    expected: own.expected.into(),
                    source: Source::Derived,
                }]
            } else {
                Vec::new()
            },
        };
        let there: BTreeSet<(&str, &str)> = faults.iter().map(|f| (f.resource.as_str(), f.part.as_str())).collect();
        let mut ingest = record.ingest(scan, now, &account, &kind)?;
        for f in &faults {
            let v = verdict(f.region.clone(), &f.resource, &f.name, &f.part, Outcome::Fail, &f.found);
            ingest.verdict(&v, f.severity)?;
        }
        for row in &open {
            if !there.contains(&(row.resource.as_str(), row.sub_key.as_str())) && looked_at.contains(&account) {
                let region = Region::from(row.region.as_str());
                let v = verdict(region, &row.resource, &row.name, &row.sub_key, Outcome::Pass, "");
                ingest.verdict(&v, Severity::Medium)?;
            }
        }
        // Nothing else of this kind is settled here: a fault that was not mentioned was not looked at.
        ingest.finish(&BTreeSet::new(), &BTreeSet::new())?;
    }
    Ok(())
}
