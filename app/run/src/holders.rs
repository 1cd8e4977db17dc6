//! Who among an account's principals reaches what holds data: how far identities reach, of stores themselves (S07).
//!
//! Administrators reach everything, and are findings of their own; what tells stores apart is everybody else.

use crate::exposure::Assessment;
use plumb_assess::{
    exposure::Class,
    identity::aws::{
        Policy, World,
        document::{Effect, Statement},
        escalate::{Admin, is_open},
        reach::{Access, Evaluator, Reach},
    },
};
use plumb_model::Time;
use plumb_record::{Record, RecordError};
use serde_json::{Map, Value as Json, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

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

/// A world in which every open condition turns out for the caller: who reaches something there and not in the real one
/// does so under a condition. None where no policy has such a condition.
fn loosened(world: &World, stores: &[&str]) -> Option<World> {
    let organization = &world.organization;
    let mut known: HashMap<*const Policy, Arc<Policy>> = HashMap::new();
    let mut changed = false;
    // A policy that many hold stays one, and what does not change stays the same.
    let mut loosen = |policy: &mut Arc<Policy>| {
        let open = |s: &Statement| s.conditions.iter().any(|c| is_open(c, organization));
        if !policy.document.statements.iter().any(open) {
            return false;
        }
        changed = true;
        let loose = known.entry(Arc::as_ptr(policy)).or_insert_with(|| {
            let mut loose = (**policy).clone();
            let kept = policy.document.statements.iter().filter(|s| s.effect == Effect::Allow || !open(s));
            loose.document.statements = kept.cloned().collect();
            for statement in &mut loose.document.statements {
                let decided = statement.conditions.iter().filter(|c| !is_open(c, organization));
                statement.conditions = decided.cloned().collect();
            }
            Arc::new(loose)
        });
        *policy = Arc::clone(loose);
        true
    };
    let mut out = world.clone();
    for principal in &mut out.details.principals {
        let own = principal.attachments.iter_mut().map(|a| &mut a.policy);
        for policy in own.chain(principal.boundary.iter_mut().filter_map(|b| b.policy.as_mut())) {
            loosen(policy);
        }
    }
    let chains = out.organization.accounts.values_mut().flat_map(|c| c.scps.iter_mut().chain(&mut c.rcps));
    let levels = out.organization.scps.iter_mut().chain(&mut out.organization.rcps).chain(chains);
    for policy in levels.flat_map(|level| &mut level.policies) {
        loosen(policy);
    }
    for store in stores {
        let Some(mut policy) = world.resource_policy(store).cloned() else { continue };
        if loosen(&mut policy) {
            out.add_resource_policy(store, Arc::unwrap_or_clone(policy));
        }
    }
    changed.then_some(out)
}

/// The last part of an ARN, by which people know a principal.
fn name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// Of each store: its level (`narrow`, `broad`, `unknown`) and why, by who of `others` holds a grant, who are the account's
/// principals besides administrators.
fn levels(world: &World, others: &[usize], stores: &[&str], stale: &BTreeMap<String, String>) -> Map<String, Json> {
    let asked = || {
        let objects = stores.iter().filter(|s| s.contains(":s3:::")).map(|s| object(s));
        stores.iter().map(ToString::to_string).chain(objects)
    };
    let certain = Evaluator::new(world, asked()).reach();
    let loose = loosened(world, stores).map(|loose| Evaluator::new(&loose, asked()).reach());
    let principals = &world.details.principals;
    let others: Vec<_> = others.iter().filter_map(|at| Some((*at, principals.get(*at)?))).collect();
    let unread = others.iter().filter(|(_, p)| !p.unread.is_empty()).count();
    let mut out = Map::new();
    for store in stores {
        let object = object(store);
        let held = |reach: &Reach| -> Vec<&str> {
            let holds = |at: usize| [*store, &object].iter().any(|r| reach.access(at, r) != Access::None);
            others.iter().filter(|(at, _)| holds(*at)).map(|(_, p)| p.arn.as_str()).collect()
        };
        let sure = held(&certain);
        let mut maybe = loose.as_ref().map(held).unwrap_or_default();
        maybe.retain(|arn| !sure.contains(arn));
        let old = |of: &[&str]| -> Vec<String> {
            of.iter().filter_map(|arn| Some(format!("{} {}", name(arn), stale.get(*arn)?))).take(SHOWN).collect()
        };
        let count = match sure.as_slice() {
            [] if maybe.is_empty() => "nobody besides administrators reaches it".to_owned(),
            [] => "nobody besides administrators reaches it for certain".to_owned(),
            [one] => format!("{} reaches it besides administrators", name(one)),
            many => format!("{} principals reach it besides administrators", many.len()),
        };
        let under = match maybe.as_slice() {
            [] => String::new(),
            [one] => format!("; {} does under a condition", name(one)),
            many => {
                let first: Vec<&str> = many.iter().take(SHOWN).map(|arn| name(arn)).collect();
                let more = if many.len() > SHOWN { ", …" } else { "" };
                format!("; {} do under a condition ({}{more})", many.len(), first.join(", "))
            }
        };
        let (stale, maybe_stale) = (old(&sure), old(&maybe));
        // Those under a condition may make the reach a broad one; where they are all there is, nobody knows how narrow it is.
        let open = sure.is_empty() && !maybe.is_empty() || sure.len() + maybe.len() >= MANY || !maybe_stale.is_empty();
        let under = [under].into_iter().chain(maybe_stale).collect::<Vec<_>>().join("; ");
        let said = if !stale.is_empty() {
            json!(["broad", format!("{count}; {}", stale.join(", "))])
        } else if sure.len() >= MANY {
            json!(["broad", count])
        } else if unread > 0 {
            json!(["unknown", format!("{count}{under}; policies of {unread} principals could not be read")])
        } else if open {
            json!(["unknown", format!("{count}{under}")])
        } else {
            json!(["narrow", format!("{count}{under}")])
        };
        out.insert((*store).to_owned(), said);
    }
    out
}

/// Of each store: its level and why.
fn holders(found: &Assessment, stale: &BTreeMap<String, String>) -> Map<String, Json> {
    let mut out = Map::new();
    // Whoever comes by a policy or a share needs no grant; who comes through the network has yet to sign in.
    for open in found.exposures.iter().filter(|e| e.openings.is_empty()) {
        if matches!(open.class, Class::Internet | Class::InternetAuthenticated) {
            out.insert(open.resource.clone(), json!(["broad", "anyone may use it"]));
        }
    }
    let mut asked = Vec::new();
    for store in found.exposures.iter().filter(|e| STORES.contains(&e.kind.as_str())) {
        if out.contains_key(&store.resource) {
            continue;
        }
        if found.needs.is_empty() && store.class != Class::Unknown {
            asked.push(store.resource.as_str());
            continue;
        }
        let mut missing: Vec<String> = found.needs.iter().map(|n| n.describe()).collect();
        missing.extend(store.needs.iter().cloned());
        missing.truncate(SHOWN);
        let why = format!("who reaches it is not known: {}", missing.join(", "));
        out.insert(store.resource.clone(), json!(["unknown", why]));
    }
    if asked.is_empty() {
        return out;
    }
    let principals = found.world.details.principals.iter().zip(&found.escalations.standings).enumerate();
    let others = principals.filter(|(_, (p, standing))| {
        p.account == found.estate.account && !p.is_service_linked() && standing.admin == Admin::No
    });
    let others: Vec<usize> = others.map(|(at, _)| at).collect();
    out.extend(levels(&found.world, &others, &asked, stale));
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

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKET: &str = "arn:aws:s3:::orders";

    fn world(users: &[(&str, Json)], bucket_policy: Option<&Json>, organization: Option<&Json>) -> World {
        let user = |(name, statement): &(&str, Json)| {
            json!({
                "UserName": name,
                "Arn": format!("arn:aws:iam::111122223333:user/{name}"),
                "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": statement}}],
                "GroupList": [], "AttachedManagedPolicies": [],
            })
        };
        let users: Vec<Json> = users.iter().map(user).collect();
        let details = json!({"UserDetailList": users, "GroupDetailList": [], "RoleDetailList": [], "Policies": []});
        let mut files = vec![("details.json", details.to_string())];
        files.extend(bucket_policy.map(|p| ("policies.json", json!({ BUCKET: p }).to_string())));
        files.extend(organization.map(|o| ("org.json", o.to_string())));
        World::from_files(files.iter().map(|(name, text)| (*name, text.as_str()))).unwrap()
    }

    fn allow(condition: Json) -> Json {
        json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": condition}])
    }

    fn check(world: &World, stale: &[&str], want: &str, says: &str) {
        let others: Vec<usize> = (0..world.details.principals.len()).collect();
        let stale =
            stale.iter().map(|n| (format!("arn:aws:iam::111122223333:user/{n}"), "is dormant".to_owned())).collect();
        let said = levels(world, &others, &[BUCKET], &stale);
        let (level, why) = (said[BUCKET][0].as_str().unwrap(), said[BUCKET][1].as_str().unwrap());
        assert_eq!((level, why), (want, says));
    }

    /// S07, S19: who reaches a store only under a condition leaves the reach unknown, with their names.
    #[test]
    fn holders_under_a_condition_leave_the_reach_unknown() {
        let free = || allow(json!({}));
        let office = || allow(json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}));
        let nobody = || json!([{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]);
        check(&world(&[("ann", nobody())], None, None), &[], "narrow", "nobody besides administrators reaches it");
        check(&world(&[("ann", free())], None, None), &[], "narrow", "user/ann reaches it besides administrators");
        check(
            &world(&[("ann", office())], None, None),
            &[],
            "unknown",
            "nobody besides administrators reaches it for certain; user/ann does under a condition",
        );
        // Somebody who surely does is few enough, until those under a condition make it many or stale.
        let two = world(&[("ann", free()), ("bob", office())], None, None);
        let says = "user/ann reaches it besides administrators; user/bob does under a condition";
        check(&two, &[], "narrow", says);
        check(&two, &["bob"], "unknown", &format!("{says}; user/bob is dormant"));
        check(&two, &["ann"], "broad", "user/ann reaches it besides administrators; user/ann is dormant");
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        let mut many: Vec<(&str, Json)> = names.iter().map(|n| (*n, office())).collect();
        many.push(("z", free()));
        let says = "user/z reaches it besides administrators; 9 do under a condition (user/a, user/b, user/c, …)";
        check(&world(&many, None, None), &[], "unknown", says);
    }

    /// S07: what is known of the principal and of its organisation decides a condition, and a Deny may fail to apply.
    #[test]
    fn conditions_that_are_decided_are_none() {
        let tagged = allow(json!({"StringEquals": {"aws:PrincipalTag/team": "red"}}));
        let nobody = "nobody besides administrators reaches it";
        check(&world(&[("ann", tagged)], None, None), &[], "narrow", nobody);
        let elsewhere = allow(json!({"StringEquals": {"aws:PrincipalAccount": "999988887777"}}));
        check(&world(&[("ann", elsewhere)], None, None), &[], "narrow", nobody);
        let surely = json!([
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Deny", "Action": "*", "Resource": "*"}
        ]);
        check(&world(&[("ann", surely)], None, None), &[], "narrow", nobody);
        let under = "nobody besides administrators reaches it for certain; user/ann does under a condition";
        let factor = json!([
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Deny", "Action": "*", "Resource": "*",
             "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}
        ]);
        check(&world(&[("ann", factor)], None, None), &[], "unknown", under);
        // The bucket's own policy, and the organisation's.
        let through = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject",
            "Principal": {"AWS": "arn:aws:iam::111122223333:user/ann"}, "Resource": format!("{BUCKET}/*"),
            "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}}]});
        let idle = json!([{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]);
        check(&world(&[("ann", idle)], Some(&through), None), &[], "unknown", under);
        let guard = json!({"rcps": [], "scps": [{"orgIdentifier": "r-1", "policies": [{"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "s3:*", "Resource": "*",
             "Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}]}]}]});
        let free = allow(json!({}));
        check(&world(&[("ann", free)], None, Some(&guard)), &[], "unknown", under);
    }
}
