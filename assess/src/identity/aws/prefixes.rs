//! Object prefixes that policies tell apart: data is often granted below `bucket/prefix/` and nowhere else.

use super::{
    document::{Policy, Statement},
    glob::glob,
    world::World,
};
use std::{collections::BTreeSet, sync::Arc};

/// A part of a bucket in which every object is reached alike, as far as prefixes go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    /// `arn:aws:s3:::bucket/prefix/*`, or an object some policy names.
    pub shown: String,
    /// An object of it, to be asked about.
    pub witness: String,
}

/// Prefixes of one bucket beyond which the rest counts as one.
const MOST: usize = 200;

/// The prefixes of a bucket (its ARN) that any policy of the world names, sorted, and the rest of the bucket first.
pub fn prefixes(world: &World, bucket: &str) -> Vec<Prefix> {
    let mut policies: Vec<&Arc<Policy>> = Vec::new();
    for principal in &world.details.principals {
        policies.extend(principal.attachments.iter().map(|a| &a.policy));
        policies.extend(principal.boundary.iter().filter_map(|b| b.policy.as_ref()));
    }
    let organization = &world.organization;
    let chains = organization.accounts.values().flat_map(|c| c.scps.iter().chain(&c.rcps));
    for level in organization.scps.iter().chain(&organization.rcps).chain(chains) {
        policies.extend(level.policies.iter());
    }
    policies.extend(world.resource_policy(bucket));
    let mut seen: BTreeSet<usize> = BTreeSet::new();
    let mut found: BTreeSet<Prefix> = BTreeSet::new();
    for policy in policies.into_iter().filter(|p| seen.insert(Arc::as_ptr(p) as usize)) {
        for statement in &policy.document.statements {
            named(statement, bucket, &mut found);
        }
    }
    let rest = Prefix { shown: format!("{bucket}/*"), witness: format!("{bucket}/-any-") };
    std::iter::once(rest).chain(found.into_iter().take(MOST)).collect()
}

fn named(statement: &Statement, bucket: &str, found: &mut BTreeSet<Prefix>) {
    for text in statement.resources.iter().flat_map(|r| r.texts.iter()) {
        let Some((of, key)) = text.split_once('/') else { continue };
        if !of.contains(":s3:") || !glob(of, bucket) {
            continue;
        }
        let fixed = key.split(['*', '?', '$']).next().unwrap_or_default();
        if fixed.is_empty() {
            continue;
        }
        if fixed.len() == key.len() {
            let object = format!("{bucket}/{key}");
            found.insert(Prefix { shown: object.clone(), witness: object });
        } else {
            found.insert(Prefix { shown: format!("{bucket}/{fixed}*"), witness: format!("{bucket}/{fixed}-any-") });
        }
    }
}
