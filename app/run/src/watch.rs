//! Watching: the provider's own activity log says what changed, so that only the rules it may have touched are judged
//! again, minutes after the change and without reading everything once more (D29, B52).
//!
//! CloudTrail's event history is there in every account without a trail, holds 90 days of management events, and is
//! usually complete a few minutes after the event (the provider says "within 15 minutes"). Whoever watches therefore
//! looks back over [`DELIVERY`] again and drops what was seen; what the history cannot show (reads refused, data
//! events) is left to the full scans between.

use crate::AccountTarget;
use futures_util::{StreamExt, stream};
use plumb_catalog::Catalog;
use plumb_clouds::{Call, Target, Wire, aws};
use plumb_evaluate::RuleSet;
use plumb_model::{RuleId, Time, Unknown};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Seconds within which an event reaches the history, by the provider's documentation.
pub const DELIVERY: i64 = 15 * 60;

/// Places whose history is asked for at once.
const PLACES_AT_ONCE: usize = 64;

/// A change the activity log told of.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// The event's own id.
    pub id: String,
    /// The account.
    pub account: String,
    /// The region whose history told it.
    pub region: String,
    /// The service as the log names it: `s3.amazonaws.com`.
    pub source: String,
    /// The operation: `PutBucketPolicy`.
    pub operation: String,
    /// When, as the log writes it: an RFC 3339 instant, or seconds since 1970.
    pub at: String,
    /// Who did it, as the log names them.
    pub by: String,
}

/// What looking found.
#[derive(Debug, Default)]
pub struct Looked {
    /// Changes not seen before.
    pub changes: Vec<Change>,
    /// Places whose history could not be read: account, region, why.
    pub gaps: Vec<(String, String, Unknown)>,
}

/// Events that were seen, so that looking back over the delivery time tells each once.
#[derive(Debug, Default)]
pub struct SeenEvents(HashMap<String, Time>);

impl SeenEvents {
    /// Forgets what a question about `then` and later is not answered with any more.
    pub fn forget_before(&mut self, then: Time) {
        self.0.retain(|_, at| *at >= then);
    }
}

/// Changes in all accounts since an instant. `regions` limits where is looked; the partition's home of global services
/// is looked at in any case, since identity and organisation events are told there.
pub async fn changes(
    wire: &dyn Wire,
    targets: &[AccountTarget],
    regions: &BTreeSet<String>,
    partition: &str,
    since: Time,
    until: Time,
    seen: &mut SeenEvents,
) -> Looked {
    let global = aws::partitions().iter().find(|p| p.name == partition).map(|p| p.home.clone());
    let wanted = |r: &&String| regions.is_empty() || regions.contains(*r) || global.as_ref() == Some(*r);
    let active = targets.iter().filter(|t| t.state == "active");
    let places: Vec<Target> =
        active.flat_map(|t| t.regions.iter().filter(wanted).map(|r| Target::new(&t.id, r))).collect();
    let call = Call::new(
        "cloudtrail",
        "LookupEvents",
        json!({
            "StartTime": since.to_string(),
            "EndTime": until.to_string(),
            "LookupAttributes": [{ "AttributeKey": "ReadOnly", "AttributeValue": "false" }],
        }),
    );
    let call = &call;
    let asked = places.into_iter().map(|place| async move {
        let (pages, stop) = wire.all(&place, call).await;
        (place, pages, stop)
    });
    // Each place has a budget of its own; they are told in order.
    let mut answers = stream::iter(asked).buffered(PLACES_AT_ONCE);
    let mut looked = Looked::default();
    while let Some((place, pages, stop)) = answers.next().await {
        for event in pages.iter().flat_map(|p| p.get("Events").and_then(Json::as_array)).flatten() {
            let text = |name: &str| event.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
            let id = text("EventId");
            if id.is_empty() || seen.0.insert(id.clone(), until).is_some() {
                continue;
            }
            looked.changes.push(Change {
                id,
                account: place.account.to_string(),
                region: place.region.to_string(),
                source: text("EventSource"),
                operation: text("EventName"),
                at: event.get("EventTime").map(|v| v.as_str().map_or(v.to_string(), str::to_owned)).unwrap_or_default(),
                by: text("Username"),
            });
        }
        if let Some(unknown) = stop.and_then(|s| s.unknown(&call.name())) {
            looked.gaps.push((place.account.to_string(), place.region.to_string(), unknown));
        }
    }
    looked
}

/// Which rules a service's changes may touch: those that read it, through their own kind or one they ask about.
#[derive(Debug)]
pub struct Touch {
    by_service: BTreeMap<String, BTreeSet<RuleId>>,
}

impl Touch {
    /// For the selected rules. Services go by the name they sign with, which is what the log's sources begin with.
    pub fn new(catalog: &Catalog, rules: &RuleSet) -> Self {
        let mut by_service: BTreeMap<String, BTreeSet<RuleId>> = BTreeMap::new();
        for rule in rules.iter() {
            for kind in crate::scan::kinds_of(catalog, rules, &rules.needs_of(rule)) {
                for call in kind.calls() {
                    let name = aws::signing_name(&call.service).unwrap_or(&call.service);
                    by_service.entry(name.to_owned()).or_default().insert(rule.id.clone());
                }
            }
        }
        Self { by_service }
    }

    /// The rules to judge again, by account.
    pub fn rules(&self, changes: &[Change]) -> BTreeMap<String, BTreeSet<RuleId>> {
        let mut out: BTreeMap<String, BTreeSet<RuleId>> = BTreeMap::new();
        for change in changes {
            let service = change.source.strip_suffix(".amazonaws.com").unwrap_or(&change.source);
            if let Some(rules) = self.by_service.get(service) {
                out.entry(change.account.clone()).or_default().extend(rules.iter().cloned());
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_evaluate::Selection;

    fn change(source: &str) -> Change {
        Change {
            id: "e".into(),
            account: "111122223333".into(),
            region: "eu-west-1".into(),
            source: source.into(),
            operation: "Any".into(),
            at: String::new(),
            by: String::new(),
        }
    }

    #[test]
    fn a_change_touches_the_rules_that_read_its_service() {
        let (catalog, problems) = Catalog::load([]);
        assert!(problems.is_empty());
        let (rules, _) = RuleSet::compile(&catalog, &Selection::default());
        let touch = Touch::new(&catalog, &rules);
        let of = |source: &str| touch.rules(&[change(source)]).remove("111122223333").unwrap_or_default();
        assert!(of("sqs.amazonaws.com").iter().any(|r| r.as_str() == "aws.sqs.queue.not-public"));
        // CloudWatch signs, and is logged, as `monitoring`; load balancers as `elasticloadbalancing`.
        assert!(of("monitoring.amazonaws.com").iter().any(|r| r.as_str().starts_with("aws.cloudwatch.")));
        assert!(of("elasticloadbalancing.amazonaws.com").iter().any(|r| r.as_str().starts_with("aws.elb")));
        // A rule about trails asks about their buckets.
        let trail = |r: &RuleId| r.as_str().starts_with("aws.cloudtrail.trail.");
        assert!(of("s3.amazonaws.com").iter().any(trail));
        assert!(!of("sqs.amazonaws.com").iter().any(trail));
        assert!(of("no-such-service.amazonaws.com").is_empty());
    }
}
