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
/// Calls of a service that must time out, without an answer in between, before it is given up.
const TIMEOUTS_TO_CLOSE: u32 = 3;

#[derive(Debug, Default)]
pub(super) struct Health {
    started: Mutex<HashMap<Scope, Instant>>,
    regions: Mutex<HashMap<Region, Reach>>,
    buckets: Mutex<HashMap<String, String>>,
    proven: Mutex<HashSet<AccountId>>,
}

#[derive(Debug, Default)]
struct Reach {
    /// Calls that timed out since the last answer of the service.
    timeouts: HashMap<Arc<str>, u32>,
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

    /// Why not to try: the region or the service in it did not answer before.
    pub fn refuse(&self, scope: &Scope) -> Option<String> {
        let regions = lock(&self.regions);
        let reach = regions.get(&scope.region)?;
        reach.open.clone().or_else(|| reach.closed.get(&scope.service).cloned())
    }

    /// A call of a service was not answered in time, retries included. One slow call is not an outage.
    pub fn timed_out(&self, scope: &Scope, problem: &str) {
        let timeouts = {
            let mut regions = lock(&self.regions);
            let timeouts = &mut regions.entry(scope.region.clone()).or_default().timeouts;
            let timeouts = timeouts.entry(scope.service.clone()).or_default();
            *timeouts += 1;
            *timeouts
        };
        if timeouts >= TIMEOUTS_TO_CLOSE {
            self.unreachable(scope, problem);
        }
    }

    /// A service could not be connected to, retries included.
    pub fn unreachable(&self, scope: &Scope, problem: &str) {
        let mut regions = lock(&self.regions);
        let reach = regions.entry(scope.region.clone()).or_default();
        reach.closed.insert(scope.service.clone(), problem.to_owned());
        reach.failed.insert(scope.service.clone());
        if reach.failed.len() >= SERVICES_TO_OPEN {
            reach.open =
                Some(format!("{} services of the region did not answer; the last: {problem}", reach.failed.len()));
        }
    }

    /// Something answered in the region.
    pub fn answered(&self, scope: &Scope) {
        if let Some(reach) = lock(&self.regions).get_mut(&scope.region) {
            reach.failed.clear();
            reach.timeouts.remove(&scope.service);
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
