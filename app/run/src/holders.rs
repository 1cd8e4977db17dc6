//! Who among an account's principals reaches what holds data: how far identities reach, of stores themselves (S07).
//!
//! Administrators reach everything, and are findings of their own; what tells stores apart is everybody else.

use crate::exposure::Assessment;
use plumb_assess::{
    exposure::Class,
    identity::aws::{
        escalate::Admin,
        reach::{Access, Evaluator},
    },
};
use plumb_model::Time;
use plumb_record::{Record, RecordError};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Where it is kept, by account.
pub(crate) const HOLDERS: &str = "holders";

/// Kinds whose content IAM gives out. Databases and volumes answer to networks and passwords.
const STORES: [&str; 8] = [
    "aws.s3.bucket",
    "aws.dynamodb.table",
    "aws.secretsmanager.secret",
    "aws.kms.key",
    "aws.sqs.queue",
    "aws.sns.topic",
    "aws.ecr.repository",
    "aws.ssm.parameter",
];
/// Principals from which a store is reached broadly.
const MANY: usize = 10;
/// Days after which a key among the holders makes the reach a stale one.
const OLD_KEY_DAYS: i64 = 90;
/// Names told of.
const SHOWN: usize = 3;

/// An object of a bucket that no policy names apart: what is given for all of them is given for it.
fn object(bucket: &str) -> String {
    format!("{bucket}/any")
}

/// Of each store: its level (`narrow`, `broad`) and why. A store of which principals or policies are missing has none.
fn holders(found: &Assessment, stale: &BTreeMap<String, String>) -> Map<String, Json> {
    let mut out = Map::new();
    let stores: Vec<_> = found.exposures.iter().filter(|e| STORES.contains(&e.kind.as_str())).collect();
    let known = found.needs.is_empty();
    let mut asked: Vec<String> = Vec::with_capacity(stores.len());
    for store in stores.iter().filter(|_| known) {
        asked.push(store.resource.clone());
        if store.kind == "aws.s3.bucket" {
            asked.push(object(&store.resource));
        }
    }
    let reach = (!asked.is_empty()).then(|| Evaluator::new(&found.world, asked).reach());
    let principals = found.world.details.principals.iter().zip(&found.escalations.standings).enumerate();
    let principals: Vec<_> = principals
        .filter(|(_, (p, standing))| {
            p.account == found.estate.account && !p.is_service_linked() && standing.admin == Admin::No
        })
        .map(|(at, (p, _))| (at, p))
        .collect();
    let whole = principals.iter().all(|(_, p)| p.unread.is_empty());
    // Whoever comes by a policy or a share needs no grant; who comes through the network has yet to sign in.
    for open in found.exposures.iter().filter(|e| e.openings.is_empty()) {
        if matches!(open.class, Class::Internet | Class::InternetAuthenticated) {
            out.insert(open.resource.clone(), json!(["broad", "anyone may use it"]));
        }
    }
    for store in stores {
        if out.contains_key(&store.resource) {
            continue;
        }
        let Some(reach) = reach.as_ref().filter(|_| store.class != Class::Unknown) else { continue };
        let object = object(&store.resource);
        let names = |arn: &str| arn.rsplit(':').next().unwrap_or(arn).to_owned();
        let held: Vec<_> = principals
            .iter()
            .filter(|(at, _)| [&store.resource, &object].iter().any(|r| reach.access(*at, r) != Access::None))
            .map(|(_, p)| *p)
            .collect();
        let old: Vec<String> =
            held.iter().filter_map(|p| Some(format!("{} {}", names(&p.arn), stale.get(&p.arn)?))).take(SHOWN).collect();
        let count = match held.len() {
            0 => "nobody besides administrators reaches it for certain".to_owned(),
            1 => {
                format!("{} reaches it besides administrators", held.first().map(|p| names(&p.arn)).unwrap_or_default())
            }
            n => format!("{n} principals reach it besides administrators"),
        };
        let said = if !old.is_empty() {
            json!(["broad", format!("{count}; {}", old.join(", "))])
        } else if held.len() >= MANY {
            json!(["broad", count])
        } else if whole {
            json!(["narrow", count])
        } else {
            continue;
        };
        out.insert(store.resource.clone(), said);
    }
    out
}

/// Puts on the record who reaches the stores of an account.
///
/// # Errors
/// When the record fails.
pub(crate) fn keep(record: &mut Record, found: &Assessment, dormant_days: i64) -> Result<(), RecordError> {
    let stale = found.inventory(dormant_days).into_iter().filter_map(|(arn, entry)| {
        let age = |rotated: Option<Time>| rotated.map(|at| found.now.days_since(at));
        let old = entry.keys.iter().filter(|k| k.active).filter_map(|k| age(k.rotated)).max();
        let why = match old.filter(|days| *days > OLD_KEY_DAYS) {
            _ if entry.dormant == Some(true) => "is dormant".to_owned(),
            Some(days) => format!("holds an access key of {days} days"),
            None => return None,
        };
        Some((arn, why))
    });
    let doc = Json::Object(holders(found, &stale.collect()));
    let account = found.estate.account.as_str();
    let kept = record.document(HOLDERS, account)?;
    match kept {
        Some((_, kept)) if kept == doc => Ok(()),
        kept => record.put_document(HOLDERS, account, kept.map_or(0, |(version, _)| version), &doc).map(|_| ()),
    }
}
