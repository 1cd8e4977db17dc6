//! What this scan has learned about places: time used, hosts out of reach, buckets elsewhere.
//!
//! One bad region, account or service must not slow the rest: a service that used up its time, and a region nobody
//! answers in, are answered here without another request.

use crate::{Scope, budget::lock};
use plumb_model::{AccountId, Region};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

/// Services that must be given up, without an answer of any other in between, before a region counts as out of reach.
const SERVICES_TO_OPEN: usize = 3;
/// Calls of a service that must stay without an answer, in a row, before it is given up.
const SILENCES_TO_CLOSE: u32 = 3;
/// Calls of an operation that must fail on the provider's side or come back damaged, retries included and in a row,
/// before it is given up in an account and region.
const FAILURES_TO_CLOSE: u32 = 3;

/// How often an operation failed in a row, and how it failed last.
type InARow = (u32, String);

#[derive(Debug, Default)]
pub(super) struct Health {
    started: Mutex<HashMap<Scope, Instant>>,
    regions: Mutex<HashMap<Region, Reach>>,
    buckets: Mutex<HashMap<String, String>>,
    proven: Mutex<HashSet<AccountId>>,
    /// Where a service ever answered.
    heard: Mutex<HashSet<Scope>>,
    /// Failures in a row of an operation, with the last.
    failures: Mutex<HashMap<(Scope, Arc<str>), InARow>>,
}

/// Why a call is not even tried.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody answers there.
    Unreachable(String),
    /// The operation answers, and never well.
    Failing(String),
}

#[derive(Debug, Default)]
struct Reach {
    /// Calls without an answer since the last answer of the service.
    silences: HashMap<Arc<str>, u32>,
    /// Services given up since the last answer of the region.
    failed: BTreeSet<Arc<str>>,
    /// Services given up, with what went wrong.
    closed: HashMap<Arc<str>, String>,
    /// The region given up, with what went wrong.
    open: Option<String>,
}

impl Health {
    /// When the time of a scope ends; it starts with its first call.
    pub fn deadline(&self, scope: &Scope, limit: Duration) -> Instant {
        let now = Instant::now();
        let started = *lock(&self.started).entry(scope.clone()).or_insert(now);
        // A limit too long to add never ends within this process.
        started.checked_add(limit).unwrap_or_else(|| now + Duration::from_secs(86_400 * 365))
    }

    /// Why not to try: the region, the service in it or the operation did not answer before.
    pub fn refuse(&self, scope: &Scope, operation: &Arc<str>) -> Option<Refusal> {
        if let Some(reach) = lock(&self.regions).get(&scope.region)
            && let Some(problem) = reach.open.as_ref().or_else(|| reach.closed.get(&scope.service))
        {
            return Some(Refusal::Unreachable(problem.clone()));
        }
        let failures = lock(&self.failures);
        let (times, problem) = failures.get(&(scope.clone(), operation.clone()))?;
        (*times >= FAILURES_TO_CLOSE).then(|| Refusal::Failing(format!("given up after {times} such calls: {problem}")))
    }

    /// A call came back damaged or failed on the provider's side, retries included.
    pub fn failed(&self, scope: &Scope, operation: &Arc<str>, problem: &str) {
        let mut failures = lock(&self.failures);
        let (times, last) = failures.entry((scope.clone(), operation.clone())).or_default();
        *times += 1;
        problem.clone_into(last);
    }

    /// A call came back well.
    pub fn worked(&self, scope: &Scope, operation: &Arc<str>) {
        let mut failures = lock(&self.failures);
        if !failures.is_empty() {
            failures.remove(&(scope.clone(), operation.clone()));
        }
    }

    /// The time of a service ended while a call waited. One that never answered counts as out of reach.
    pub fn out_of_time(&self, scope: &Scope, problem: &str) {
        if !lock(&self.heard).contains(scope) {
            self.unreachable(scope, problem);
        }
    }

    /// A call of a service was not answered, retries included. One such call is not an outage.
    pub fn silent(&self, scope: &Scope, problem: &str) {
        let silences = {
            let mut regions = lock(&self.regions);
            let silences = &mut regions.entry(scope.region.clone()).or_default().silences;
            let silences = silences.entry(scope.service.clone()).or_default();
            *silences += 1;
            *silences
        };
        if silences >= SILENCES_TO_CLOSE {
            self.unreachable(scope, problem);
        }
    }

    /// A service could not be connected to, retries included. One that never answered in a region where others did is most
    /// likely not offered there, which says nothing about the region.
    pub fn unreachable(&self, scope: &Scope, problem: &str) {
        let alone = self.alone(scope);
        let mut regions = lock(&self.regions);
        let reach = regions.entry(scope.region.clone()).or_default();
        reach.closed.insert(scope.service.clone(), problem.to_owned());
        if alone {
            return;
        }
        reach.failed.insert(scope.service.clone());
        if reach.failed.len() >= SERVICES_TO_OPEN {
            reach.open =
                Some(format!("{} services of the region did not answer; the last: {problem}", reach.failed.len()));
        }
    }

    /// Whether others answered in the region and this service never did, in any account.
    pub fn alone(&self, scope: &Scope) -> bool {
        let heard = lock(&self.heard);
        let mut here = heard.iter().filter(|other| other.region == scope.region).peekable();
        here.peek().is_some() && !here.any(|other| other.service == scope.service)
    }

    /// Something answered in the region.
    pub fn answered(&self, scope: &Scope) {
        {
            let mut heard = lock(&self.heard);
            if !heard.contains(scope) {
                heard.insert(scope.clone());
            }
        }
        if let Some(reach) = lock(&self.regions).get_mut(&scope.region) {
            reach.failed.clear();
            reach.silences.remove(&scope.service);
        }
    }

    /// Credentials of the account were accepted somewhere.
    pub fn prove(&self, account: &AccountId) {
        lock(&self.proven).insert(account.clone());
    }

    /// Whether credentials of the account were ever accepted in this scan.
    pub fn proven(&self, account: &AccountId) -> bool {
        lock(&self.proven).contains(account)
    }

    /// Where a bucket is, if it redirected us before.
    pub fn bucket_region(&self, bucket: &str) -> Option<String> {
        lock(&self.buckets).get(bucket).cloned()
    }

    /// A bucket told where it is.
    pub fn learn_bucket(&self, bucket: &str, region: &str) {
        lock(&self.buckets).insert(bucket.to_owned(), region.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(service: &str) -> Scope {
        Scope { account: "111122223333".into(), region: "eu-south-2".into(), service: service.into() }
    }

    /// Which of `asked` are still tried after `gone` could not be connected to.
    fn tried<'a>(answered: &[&str], gone: &[&str], asked: &[&'a str]) -> Vec<&'a str> {
        let health = Health::default();
        answered.iter().for_each(|service| health.answered(&scope(service)));
        gone.iter().for_each(|service| health.unreachable(&scope(service), "no such host"));
        asked.iter().copied().filter(|service| health.refuse(&scope(service), &"ListThings".into()).is_none()).collect()
    }

    #[test]
    fn services_that_are_not_offered_do_not_close_a_region() {
        let missing = ["kendra", "cloudsearch", "codeartifact", "appflow"];
        assert_eq!(tried(&["ec2"], &missing, &["kendra", "ec2", "sqs"]), ["ec2", "sqs"]);
        // A region nobody ever answered in is another matter, and so is one that fell silent.
        assert!(tried(&[], &missing, &["kendra", "ec2", "sqs"]).is_empty());
        assert!(tried(&["ec2", "kms", "s3"], &["ec2", "kms", "s3"], &["sqs"]).is_empty());
    }
}
