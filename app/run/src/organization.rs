//! What an AWS organisation tells about its accounts before any of them is read: who is in it, where each hangs, how it
//! is tagged, and who signed in or crossed over lately. Each answer becomes a reading of the discover layer.

use crate::AccountTarget;
use futures_util::{StreamExt, stream};
use plumb_clouds::{Answer, Call, Target, Wire};
use plumb_discover::{Mapping, Reading, SourceKind, read};
use plumb_model::{AccountId, Region};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// Pages of 50 events asked for by account, place and name of event. CloudTrail answers two such calls a second; looking
/// further back costs time and rarely tells of somebody new, since every scan adds to what is known.
const EVENT_PAGES: u32 = 2;
/// Events that tell who comes into an account.
const EVENTS: [&str; 3] = ["ConsoleLogin", "AssumeRole", "AssumeRoleWithSAML"];
/// AWS allows 2,000 units; a tree that does not end is not walked for ever.
const MOST_UNITS: usize = 4_000;

/// What was learnt, and what could not be.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// One reading a source.
    pub readings: Vec<Reading>,
    /// What could not be read, in words.
    pub gaps: Vec<String>,
}

/// Reads the organisation's list with units and tags and, with `sign_ins`, the latest sign-ins of the accounts.
///
/// Nothing here stops a scan: what is refused is a gap, and the reading it belongs to says that it is not complete.
pub async fn survey(
    wire: &dyn Wire,
    own: &AccountId,
    home: &str,
    targets: &[AccountTarget],
    sign_ins: bool,
) -> Surroundings {
    let mut out = Surroundings::default();
    let global = Target { account: own.clone(), region: Region::global() };
    if let Some(list) = accounts(wire, &global, &mut out.gaps).await {
        out.readings.push(list);
    }
    if sign_ins {
        out.readings.push(events(wire, home, targets, &mut out.gaps).await);
    }
    out
}

fn text<'a>(value: &'a Json, name: &str) -> &'a str {
    value.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// The items of every page, and whether that is all of them.
async fn items(
    wire: &dyn Wire,
    target: &Target,
    operation: &str,
    params: Json,
    name: &str,
    gaps: &mut Vec<String>,
) -> (Vec<Json>, bool) {
    let call = Call::new("organizations", operation, params);
    let (pages, stop) = wire.all(target, &call).await;
    let list = pages.into_iter().flat_map(|mut page| match page.get_mut(name).map(Json::take) {
        Some(Json::Array(items)) => items,
        _ => Vec::new(),
    });
    let whole = stop.is_none();
    if let Some(stop) = stop {
        let why = stop.unknown(&call.name()).map_or_else(|| stop.name().to_owned(), |u| u.describe());
        if !gaps.contains(&why) {
            gaps.push(why);
        }
    }
    (list.collect(), whole)
}

async fn accounts(wire: &dyn Wire, global: &Target, gaps: &mut Vec<String>) -> Option<Reading> {
    let (mut list, whole) = items(wire, global, "ListAccounts", json!({}), "Accounts", gaps).await;
    if list.is_empty() {
        return None;
    }
    let units = units(wire, global, gaps).await;
    let tags = tags(wire, global, &list, gaps).await;
    for account in &mut list {
        let id = text(account, "Id").to_owned();
        let Some(object) = account.as_object_mut() else { continue };
        // A mail address is personal and tells nothing the id does not.
        object.remove("Email");
        if let Some(path) = units.get(&id) {
            object.insert("OuPath".into(), json!(path));
        }
        if let Some(tags) = tags.get(&id) {
            object.insert("Tags".into(), tags.clone());
        }
    }
    let bytes = json!({ "Accounts": list }).to_string();
    let mut reading = read(SourceKind::AwsOrganizations, &mut bytes.as_bytes(), &Mapping::named("scan"));
    reading.complete &= whole;
    Some(reading)
}

/// The path of unit names above each account: `Root/Workloads/Production`.
async fn units(wire: &dyn Wire, global: &Target, gaps: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let (roots, _) = items(wire, global, "ListRoots", json!({}), "Roots", gaps).await;
    let named = |unit: &Json, above: &str| {
        let name = Some(text(unit, "Name")).filter(|n| !n.is_empty()).unwrap_or_else(|| text(unit, "Id"));
        (text(unit, "Id").to_owned(), if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") })
    };
    let mut waiting: Vec<(String, String)> = roots.iter().map(|r| named(r, "")).collect();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    while let Some((id, path)) = waiting.pop() {
        if id.is_empty() || !seen.insert(id.clone()) || seen.len() > MOST_UNITS {
            continue;
        }
        let parent = || json!({ "ParentId": id });
        let (members, whole) = items(wire, global, "ListAccountsForParent", parent(), "Accounts", gaps).await;
        out.extend(members.iter().map(|a| (text(a, "Id").to_owned(), path.clone())));
        if !whole {
            // What is refused here is refused everywhere below.
            return out;
        }
        let (below, _) =
            items(wire, global, "ListOrganizationalUnitsForParent", parent(), "OrganizationalUnits", gaps).await;
        waiting.extend(below.iter().map(|u| named(u, &path)));
    }
    out
}

async fn tags(wire: &dyn Wire, global: &Target, accounts: &[Json], gaps: &mut Vec<String>) -> BTreeMap<String, Json> {
    let ask = |id: String| async move {
        let mut own = Vec::new();
        let params = json!({ "ResourceId": id });
        let (tags, whole) = items(wire, global, "ListTagsForResource", params, "Tags", &mut own).await;
        (id, tags, whole, own)
    };
    let mut out = BTreeMap::new();
    let ids = accounts.iter().map(|a| text(a, "Id").to_owned()).filter(|id| !id.is_empty());
    let mut answers = stream::iter(ids).map(ask).buffer_unordered(4);
    while let Some((id, tags, whole, own)) = answers.next().await {
        if !whole {
            gaps.extend(own.into_iter().filter(|g| !gaps.contains(g)).collect::<Vec<_>>());
            break;
        }
        if !tags.is_empty() {
            out.insert(id, json!(tags));
        }
    }
    out
}

/// Who signed in to, and which roles were assumed in, the accounts that can be read.
async fn events(wire: &dyn Wire, home: &str, targets: &[AccountTarget], gaps: &mut Vec<String>) -> Reading {
    // Sign-ins through the global endpoints are told in us-east-1.
    let places: BTreeSet<&str> =
        if home.starts_with("us-gov") || home.starts_with("cn-") { [home].into() } else { [home, "us-east-1"].into() };
    let asks: Vec<(Target, &str)> = targets
        .iter()
        .filter(|t| t.state == "active")
        .flat_map(|t| places.iter().filter(|p| t.regions.iter().any(|r| r == *p)).map(move |p| (t, *p)))
        .flat_map(|(t, place)| EVENTS.map(|event| (Target::new(&t.id, place), event)))
        .collect();
    let ask = |(target, event): (Target, &'static str)| async move {
        let params = json!({ "LookupAttributes": [{ "AttributeKey": "EventName", "AttributeValue": event }] });
        let mut call = Call::new("cloudtrail", "LookupEvents", params);
        call.max_pages = Some(EVENT_PAGES);
        let (pages, stop) = wire.all(&target, &call).await;
        let why = stop.filter(|s| !matches!(s, Answer::Truncated { .. })).map(|stop| {
            let said = stop.unknown(&call.name()).map_or_else(|| stop.name().to_owned(), |u| u.describe());
            format!("{}: {said}", target.account)
        });
        (pages, why)
    };
    let mut found: Vec<Json> = Vec::new();
    let mut refused: BTreeSet<String> = BTreeSet::new();
    // The budget is the account's own, so that hundreds of them can be asked side by side.
    let mut answers = stream::iter(asks).map(ask).buffer_unordered(64);
    while let Some((pages, why)) = answers.next().await {
        found.extend(pages.into_iter().flat_map(|mut p| match p.get_mut("Events").map(Json::take) {
            Some(Json::Array(events)) => events,
            _ => Vec::new(),
        }));
        refused.extend(why);
    }
    let bytes = json!({ "Events": found }).to_string();
    let mut reading = read(SourceKind::CloudTrail, &mut bytes.as_bytes(), &Mapping::named("scan"));
    reading.complete &= refused.is_empty();
    gaps.extend(refused);
    reading
}
