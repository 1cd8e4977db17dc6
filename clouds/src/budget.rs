//! How fast we may ask: a token bucket per account × region × service, shared by all tasks.
//!
//! The rate is the provider's published one times our share of it (a fifth unless told otherwise), because the account
//! belongs to its workloads and not to its scanner. When a provider throttles, the whole bucket pauses: every task of it
//! waits for the same instant, and the rate halves until answers come again.

use plumb_model::{AccountId, Region};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What a provider allows an account in a region for a service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quota {
    /// Requests a second, sustained.
    pub per_second: f64,
    /// Requests at once after a pause.
    pub burst: f64,
}

/// How much of a quota we take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Share {
    /// A part of it, above 0 and at most 1; 0.2 is the default.
    Of(f64),
    /// No limit of our own; for emulators. The provider's throttling is still honoured.
    Unlimited,
}

impl Default for Share {
    fn default() -> Self {
        Self::Of(0.2)
    }
}

/// What one bucket is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    /// The account asked.
    pub account: AccountId,
    /// The region asked.
    pub region: Region,
    /// The service asked.
    pub service: Arc<str>,
}

/// Waiting for a turn would have taken longer than there was time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time for this service ended while waiting for a turn")]
pub struct Spent;

/// What was done, per service; part of the record of a scan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Requests sent, retries included.
    pub calls: u64,
    /// Of these, how many repeated an earlier one.
    pub retries: u64,
    /// Answers that said "too fast".
    pub throttles: u64,
    /// Bytes of answer bodies.
    pub bytes: u64,
    /// Milliseconds that tasks waited for their turn, added up.
    pub waited_ms: u64,
}

impl Counters {
    /// What was done since an earlier reading of the same counters.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(earlier.calls),
            retries: self.retries.saturating_sub(earlier.retries),
            throttles: self.throttles.saturating_sub(earlier.throttles),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            waited_ms: self.waited_ms.saturating_sub(earlier.waited_ms),
        }
    }
}

struct Bucket {
    /// May be below zero: turns that are promised and not yet due.
    tokens: f64,
    filled: Instant,
    /// 1 normally; halved by each back-off, restored by answers.
    pace: f64,
    /// Nobody sends before this.
    resume: Option<Instant>,
    /// Back-offs without an answer between them.
    level: u32,
}

/// The buckets of a process, and what was counted.
pub struct Budgets {
    share: Share,
    seed: u64,
    buckets: Mutex<HashMap<Scope, Arc<Mutex<Bucket>>>>,
    counters: Mutex<BTreeMap<Arc<str>, Counters>>,
    draws: Mutex<u64>,
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets").field("share", &self.share).finish_non_exhaustive()
    }
}

impl Default for Budgets {
    fn default() -> Self {
        Self::new(Share::default(), 0)
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
const SLOWEST_PACE: f64 = 0.1;

impl Budgets {
    /// Buckets with a share of the quotas. The seed fixes the jitter; any value will do outside tests.
    pub fn new(share: Share, seed: u64) -> Self {
        let share = match share {
            Share::Of(part) if part.is_finite() && part > 0.0 => Share::Of(part.min(1.0)),
            Share::Of(_) => Share::default(),
            Share::Unlimited => Share::Unlimited,
        };
        Self { share, seed, buckets: Mutex::default(), counters: Mutex::default(), draws: Mutex::default() }
    }

    /// Waits for a turn of `cost` tokens; gives up at once when it would come after `until`.
    pub async fn permit(&self, scope: &Scope, quota: Quota, cost: f64, until: Instant) -> Result<(), Spent> {
        let asked = Instant::now();
        let bucket = self.bucket(scope, quota);
        if let Share::Of(share) = self.share {
            let due = {
                let mut bucket = lock(&bucket);
                let (rate, most) = (quota.per_second * share * bucket.pace, (quota.burst * share).max(1.0));
                let gained = asked.duration_since(bucket.filled).as_secs_f64() * rate;
                bucket.tokens = (bucket.tokens + gained).min(most) - cost;
                bucket.filled = asked;
                let wait = Duration::try_from_secs_f64((-bucket.tokens).max(0.0) / rate).unwrap_or(Duration::MAX);
                match asked.checked_add(wait).filter(|due| *due <= until) {
                    Some(due) => due,
                    None => {
                        bucket.tokens += cost;
                        return Err(Spent);
                    }
                }
            };
            if due > asked {
                tokio::time::sleep_until(due).await;
            }
        }
        // A pause may begin while we wait, and be prolonged while we wait for its end.
        loop {
            let resume = lock(&bucket).resume;
            let now = Instant::now();
            let Some(resume) = resume.filter(|resume| *resume > now) else { break };
            let resume = resume + self.jitter(Duration::from_millis(50));
            if resume > until {
                return Err(Spent);
            }
            tokio::time::sleep_until(resume).await;
        }
        let waited = Instant::now().duration_since(asked).as_millis();
        self.count(&scope.service, |counters| counters.waited_ms += u64::try_from(waited).unwrap_or(u64::MAX));
        Ok(())
    }

    /// The provider said "too fast": the bucket pauses, for as long as it asked or with exponential back-off. Tells whether
    /// anything of the bucket was answered between the last pause and this one (as is taken of its first).
    pub fn throttled(&self, scope: &Scope, quota: Quota, retry_after: Option<Duration>) -> bool {
        self.count(&scope.service, |counters| counters.throttles += 1);
        let bucket = self.bucket(scope, quota);
        let mut bucket = lock(&bucket);
        let now = Instant::now();
        // Requests already under way when the pause began say nothing new.
        let fresh = bucket.resume.is_none_or(|resume| resume <= now);
        if fresh {
            bucket.level = (bucket.level + 1).min(16);
            bucket.pace = (bucket.pace / 2.0).max(SLOWEST_PACE);
        }
        let pause = retry_after.unwrap_or_else(|| {
            let full = FIRST_PAUSE.saturating_mul(1 << (bucket.level.saturating_sub(1)).min(10)).min(LONGEST_PAUSE);
            full / 2 + self.jitter(full / 2)
        });
        if (fresh || retry_after.is_some())
            && let Some(resume) = now.checked_add(pause.min(Duration::from_secs(300)))
        {
            bucket.resume = bucket.resume.max(Some(resume));
        }
        bucket.level <= 1
    }

    /// The provider answered: the pace recovers.
    pub fn answered(&self, scope: &Scope, quota: Quota) {
        let bucket = self.bucket(scope, quota);
        let mut bucket = lock(&bucket);
        bucket.level = 0;
        bucket.pace = (bucket.pace + 0.05).min(1.0);
    }

    /// Adds to the counters of a service.
    pub fn count(&self, service: &Arc<str>, add: impl FnOnce(&mut Counters)) {
        add(lock(&self.counters).entry(service.clone()).or_default());
    }

    /// What was done so far, by service.
    pub fn counters(&self) -> BTreeMap<Arc<str>, Counters> {
        lock(&self.counters).clone()
    }

    /// A duration between zero and `most`; the same sequence for the same seed.
    pub fn jitter(&self, most: Duration) -> Duration {
        let mut draws = lock(&self.draws);
        *draws += 1;
        // splitmix64
        let mut bits = self.seed.wrapping_add(draws.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        let part = u32::try_from(bits >> 40).unwrap_or_default();
        most.mul_f64(f64::from(part) / f64::from(1_u32 << 24))
    }

    fn bucket(&self, scope: &Scope, quota: Quota) -> Arc<Mutex<Bucket>> {
        let mut buckets = lock(&self.buckets);
        if let Some(bucket) = buckets.get(scope) {
            return bucket.clone();
        }
        let tokens = match self.share {
            Share::Of(share) => (quota.burst * share).max(1.0),
            Share::Unlimited => 0.0,
        };
        let bucket = Bucket { tokens, filled: Instant::now(), pace: 1.0, resume: None, level: 0 };
        let bucket = Arc::new(Mutex::new(bucket));
        buckets.insert(scope.clone(), bucket.clone());
        bucket
    }
}

/// A poisoned lock guards plain numbers that are valid at every step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { per_second: 50.0, burst: 50.0 };

    fn scope(service: &str) -> Scope {
        Scope { account: "1".into(), region: "eu-west-1".into(), service: service.into() }
    }

    fn in_secs(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_of_the_quota_is_all_we_take() {
        let budgets = Budgets::new(Share::Of(0.2), 7);
        let start = Instant::now();
        for _ in 0..110 {
            budgets.permit(&scope("iam"), QUOTA, 1.0, in_secs(600)).await.expect("in time");
        }
        // Ten at once, then ten a second.
        let took = start.elapsed().as_secs_f64();
        assert!((9.9..10.2).contains(&took), "110 calls took {took} s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_pauses_every_task_of_the_bucket_and_no_other() {
        let budgets = Budgets::new(Share::Unlimited, 7);
        budgets.throttled(&scope("iam"), QUOTA, Some(Duration::from_secs(3)));
        let start = Instant::now();
        let (iam_1, iam_2) = (scope("iam"), scope("iam"));
        let until = in_secs(60);
        let (a, b) = tokio::join!(budgets.permit(&iam_1, QUOTA, 1.0, until), budgets.permit(&iam_2, QUOTA, 1.0, until));
        assert_eq!((a, b), (Ok(()), Ok(())));
        assert!(start.elapsed() >= Duration::from_secs(3));
        let start = Instant::now();
        budgets.permit(&scope("s3"), QUOTA, 1.0, in_secs(60)).await.expect("not paused");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_cannot_get_a_turn_in_time_is_told_at_once() {
        let budgets = Budgets::new(Share::Of(0.2), 7);
        budgets.throttled(&scope("iam"), QUOTA, Some(Duration::from_secs(30)));
        let start = Instant::now();
        assert_eq!(budgets.permit(&scope("iam"), QUOTA, 1.0, in_secs(5)).await, Err(Spent));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn back_off_grows_and_the_pace_recovers() {
        let budgets = Budgets::new(Share::Unlimited, 7);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            budgets.throttled(&scope("iam"), QUOTA, None);
            let start = Instant::now();
            budgets.permit(&scope("iam"), QUOTA, 1.0, in_secs(600)).await.expect("in time");
            pauses.push(start.elapsed());
        }
        assert!(pauses.windows(2).take(4).all(|two| two[0] < two[1]), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause < Duration::from_secs(21)), "{pauses:?}");
        budgets.answered(&scope("iam"), QUOTA);
        budgets.throttled(&scope("iam"), QUOTA, None);
        let start = Instant::now();
        budgets.permit(&scope("iam"), QUOTA, 1.0, in_secs(600)).await.expect("in time");
        assert!(start.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn jitter_is_the_same_for_the_same_seed() {
        let draw = |seed| {
            let budgets = Budgets::new(Share::Unlimited, seed);
            (0..5).map(|_| budgets.jitter(Duration::from_secs(1))).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(3).iter().all(|pause| *pause <= Duration::from_secs(1)));
    }
}
