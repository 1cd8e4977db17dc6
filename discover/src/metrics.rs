//! Numbers about the estate: states, breadth of sources, time to appear.

use crate::estate::{Appearing, Estate, Metrics};
use std::collections::BTreeSet;

pub(crate) fn of(estate: &Estate) -> Metrics {
    let mut m = Metrics::default();
    let ours = || estate.accounts.values().filter(|a| a.third_party.is_none());
    for a in ours() {
        m.accounts += 1;
        *m.by_state.entry(a.state).or_default() += 1;
        *m.by_provider.entry(a.provider).or_default() += 1;
        let mut breadth = 0;
        for class in a.sources.keys().filter(|c| a.known_to(**c)) {
            *m.known_by.entry(*class).or_default() += 1;
            breadth += 1;
        }
        *m.breadth.entry(breadth).or_default() += 1;
    }
    m.sources_read = estate.freshness.iter().map(|f| f.class).collect::<BTreeSet<_>>().len() as u64;
    m.time_to_appear = appearing(ours().filter_map(|a| Some(a.time_to_appear?.seconds)).collect());
    let new = ours().filter(|a| a.first_recorded > estate.first_run).filter_map(|a| Some((a, a.time_to_appear?)));
    let new = new.filter(|(a, t)| a.first_recorded.seconds() - t.seconds >= estate.first_run.seconds());
    m.time_to_appear_new = appearing(new.map(|(_, t)| t.seconds).collect());
    let explained: BTreeSet<_> = estate.gap_reasons.iter().map(|r| (&r.account, r.missing_in)).collect();
    let open = ours().flat_map(|a| a.gaps.iter().map(|g| (a.key(), *g)));
    m.open_gaps = open.filter(|(key, gap)| !explained.contains(&(key, *gap))).count() as u64;
    m
}

fn appearing(mut seconds: Vec<i64>) -> Appearing {
    seconds.sort_unstable();
    // Nearest rank: the smallest value that at least p per cent do not exceed.
    let rank = |p: usize| seconds.get((seconds.len() * p).div_ceil(100).saturating_sub(1)).copied();
    Appearing { accounts: seconds.len() as u64, p50_seconds: rank(50), p95_seconds: rank(95) }
}

#[cfg(test)]
mod tests {
    use super::appearing;

    #[test]
    fn percentiles_by_nearest_rank() {
        let a = appearing((1..=100).rev().collect());
        assert_eq!((a.p50_seconds, a.p95_seconds), (Some(50), Some(95)));
        let one = appearing(vec![7]);
        assert_eq!((one.p50_seconds, one.p95_seconds), (Some(7), Some(7)));
        assert_eq!(appearing(vec![]).p50_seconds, None);
    }
}
