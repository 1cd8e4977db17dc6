//! Access reviews on the record: opened from the inventory, decided by reviewers, verified by the next scan.

use super::{
    Change, GovernError, Session, commit, directory, guarded,
    inventory::{allowed, profiles},
    own::{Fault, Own, settle},
    people::Identity,
    picture::{CADENCE, CAMPAIGNS},
};
use plumb_govern::{
    cadence::Done,
    ids::HumanId,
    log::{self, text::hex},
    people::{Act, Directory},
    retention::Class,
    review::{Access, Campaign, Judgement, Opening, Outcome, PersonRow, ReviewerRule, Standing, mark_leavers},
};
use plumb_model::{AccountId, Severity, Time};
use plumb_record::{Record, ScanId};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// What the identity provider or the personnel list said, a document per person.
pub(super) const STANDING: &str = "standing";

const REMOVAL: Own = Own {
    rule: "governance.access.removal-verified",
    kind: "governance.access-review",
    title: "What a review decided to remove or reduce is gone by its date",
    topic: "identity.access-review",
    expected: "gone",
};

const LEAVER: Own = Own {
    rule: "governance.access.leaver-removed",
    kind: "governance.leaver",
    title: "Who has left holds no access",
    topic: "identity.access-review",
    expected: "no access",
};

/// A short name of an item, for people and lists: `A-3F9A2B7C10`.
pub fn item_code(id: &str) -> String {
    let digest = hex(&log::merkle::sha256(id.as_bytes()));
    format!("A-{}", digest.get(..10).unwrap_or_default().to_uppercase())
}

/// What a campaign is opened with.
#[derive(Debug, Clone)]
pub struct NewReview {
    /// Its name.
    pub name: String,
    /// Which accesses are in it, in words.
    pub scope: String,
    /// The promise it keeps; empty for none.
    pub cadence: String,
    /// The accesses.
    pub population: Vec<Access>,
    /// Who reviews.
    pub rule: ReviewerRule,
    /// Who reviews what nobody else can.
    pub fallback: Option<String>,
    /// When it is due.
    pub due_at: Time,
}

fn human(directory: &Directory, login: &str) -> Result<HumanId, GovernError> {
    directory
        .human(login)
        .cloned()
        .ok_or_else(|| GovernError::Input(format!("`{login}` is nobody on record; `plumb people` lists everybody")))
}

fn put(
    record: &mut Record,
    session: &Session,
    verb: &str,
    version: i64,
    before: Option<&Campaign>,
    after: &Campaign,
    what: serde_json::Value,
) -> Result<(), GovernError> {
    let old = before.map(serde_json::to_value).transpose()?;
    let new = serde_json::to_value(after)?;
    let event = log::Event::done(&session.actor, verb, ("campaign", &after.id), what, session.now);
    let mut change =
        Change { events: vec![session.mark(event.with_states(old.as_ref(), Some(&new)))], ..Change::default() };
    change.put(CAMPAIGNS, &after.id, version, after)?;
    if verb == "review.close" && !after.cadence.is_empty() {
        let p = after.progress();
        let done = Done {
            promise: after.cadence.clone(),
            subject: String::new(),
            at: session.now,
            result: format!(
                "{}: {} accesses, {} kept, {} changed, {} removed, {} verified so far",
                after.id, p.items, p.kept, p.changed, p.removed, p.verified
            ),
            complete: true,
        };
        change.put(CADENCE, &format!("{}//{}", after.cadence, after.id), 0, &done)?;
    }
    commit(record, session.key.as_ref(), &change, session.now)
}

/// A campaign and its document's version.
///
/// # Errors
/// There is none with this id.
pub fn campaign(record: &Record, id: &str) -> Result<(i64, Campaign), GovernError> {
    match record.document(CAMPAIGNS, id)? {
        Some((version, doc)) => Ok((version, serde_json::from_value(doc)?)),
        None => Err(GovernError::Input(format!("there is no review `{id}`; see `plumb reviews list`"))),
    }
}

/// Every campaign.
///
/// # Errors
/// The record fails.
pub fn campaigns(record: &Record) -> Result<Vec<Campaign>, GovernError> {
    super::inventory::all(record, CAMPAIGNS)
}

/// Freezes a population and opens a campaign over it.
///
/// # Errors
/// The rules refuse, a person is not on record, or the record fails.
pub fn open_review(record: &mut Record, session: &Session, new: NewReview) -> Result<Campaign, GovernError> {
    guarded(record, session, "review.open", ("campaign", "new"), |record| {
        let everybody = directory(record)?;
        let rule = match new.rule {
            ReviewerRule::Named(h) => ReviewerRule::Named(human(&everybody, h.as_str())?),
            other => other,
        };
        let fallback = new.fallback.as_deref().map(|f| human(&everybody, f)).transpose()?;
        let profiles = profiles(record)?;
        let owner = |account: &AccountId| {
            profiles.get(account.as_str()).and_then(|p| everybody.human(p.owner.as_deref()?).cloned())
        };
        let year: String = session.now.to_string().chars().take(4).collect();
        let prefix = format!("AR-{year}-");
        let id = format!("{prefix}{:04}", super::keep::next_number(record, CAMPAIGNS, Class::Campaigns, &prefix)?);
        let opening = Opening {
            id: &id,
            name: &new.name,
            scope: &new.scope,
            cadence: &new.cadence,
            population: new.population,
            rule: &rule,
            account_owner: &owner,
            fallback: fallback.as_ref(),
            due_at: new.due_at,
        };
        let made = Campaign::open(opening, &everybody, &session.actor, session.now)?;
        let what = json!({ "items": made.items.len(), "population": made.population_digest, "due": made.due_at });
        put(record, session, "review.open", 0, None, &made, what)?;
        Ok(made)
    })
}

/// One reviewer's decision, as it comes from a flag or a row of a list.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct ReviewRow {
    /// The item: its short name or its whole id.
    pub item: String,
    /// keep, change, remove, not-mine, unknown.
    pub decision: String,
    /// Why.
    pub reason: String,
    /// The ticket or the request to the identity provider that does it.
    pub action: String,
}

/// What became of one row.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ReviewSaid {
    /// The item.
    pub item: String,
    /// Whether it was taken.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Takes a reviewer's decisions; each is checked by itself, the good ones are kept together, the refused ones logged.
///
/// # Errors
/// There is no such campaign, or the record fails.
pub fn decide_review(
    record: &mut Record,
    session: &Session,
    id: &str,
    rows: &[ReviewRow],
) -> Result<(Campaign, Vec<ReviewSaid>), GovernError> {
    let (version, before) = campaign(record, id)?;
    let codes: BTreeMap<String, String> = before.items.keys().map(|k| (item_code(k), k.clone())).collect();
    let mut after = before.clone();
    let mut said = Vec::new();
    let mut taken = Vec::new();
    for row in rows {
        let item = codes.get(&row.item.trim().to_uppercase()).unwrap_or(&row.item).clone();
        let action = Some(row.action.trim()).filter(|a| !a.is_empty());
        let done: Result<Campaign, String> = match row.decision.trim().parse::<Judgement>() {
            Err(e) => Err(e),
            Ok(j) => match after.decide(&item, j, &row.reason, action, &session.actor, session.now) {
                Ok(next) => Ok(next),
                Err(refusal) => {
                    super::log_denied(record, session, "review.decide", ("campaign", id), &refusal)?;
                    Err(refusal.to_string())
                }
            },
        };
        let refused = match done {
            Ok(next) => {
                after = next;
                taken.push(json!({ "item": item, "decision": row.decision, "action": row.action }));
                None
            }
            Err(why) => Some(why),
        };
        said.push(ReviewSaid { item: row.item.clone(), ok: refused.is_none(), refused });
    }
    if !taken.is_empty() {
        put(record, session, "review.decide", version, Some(&before), &after, json!({ "decisions": taken }))?;
    }
    Ok((after, said))
}

/// Gives items to another reviewer.
///
/// # Errors
/// The rules refuse, or the record fails.
pub fn assign_review(
    record: &mut Record,
    session: &Session,
    id: &str,
    item: &str,
    to: &str,
) -> Result<Campaign, GovernError> {
    guarded(record, session, "review.assign", ("campaign", id), |record| {
        let (version, before) = campaign(record, id)?;
        let everybody = directory(record)?;
        let to = human(&everybody, to)?;
        let item = before.items.keys().find(|k| item_code(k).eq_ignore_ascii_case(item)).map_or(item, String::as_str);
        let after = before.assign(item, &to, &everybody, &session.actor)?;
        put(record, session, "review.assign", version, Some(&before), &after, json!({ "item": item, "to": to }))?;
        Ok(after)
    })
}

/// Closes a campaign; another person than who opened it. That keeps the promise it was opened for.
///
/// # Errors
/// The rules refuse, or the record fails.
pub fn close_review(record: &mut Record, session: &Session, id: &str) -> Result<Campaign, GovernError> {
    guarded(record, session, "review.close", ("campaign", id), |record| {
        let (version, before) = campaign(record, id)?;
        let after = before.close(&session.actor, &session.policy, session.now)?;
        put(record, session, "review.close", version, Some(&before), &after, json!({ "progress": after.progress() }))?;
        Ok(after)
    })
}

/// What an import of people came to.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct PeopleImported {
    /// People on the list.
    pub people: usize,
    /// Of these, gone.
    pub leavers: usize,
    /// People on record who are now known to have left.
    pub left: Vec<String>,
}

/// Keeps what the identity provider, the personnel list or a SCIM server says about people. Who has left can sign in and
/// decide no more, and their decisions lose their owner.
///
/// # Errors
/// The person may not, or the record fails.
pub fn import_people(
    record: &mut Record,
    session: &Session,
    rows: &[PersonRow],
    source: &str,
) -> Result<PeopleImported, GovernError> {
    allowed(record, session, Act::RunCampaign, "import people", ("people", source))?;
    let everybody = directory(record)?;
    let known: BTreeMap<String, i64> = record.versioned(STANDING)?.into_iter().map(|(id, v, _)| (id, v)).collect();
    let mut out = PeopleImported { people: rows.len(), ..PeopleImported::default() };
    let mut change = Change::default();
    let mut put = BTreeSet::new();
    for row in rows {
        let Some(first) = row.logins.iter().next() else { continue };
        out.leavers += usize::from(!row.active);
        if put.insert(first.clone()) {
            let doc = json!({ "logins": row.logins, "active": row.active, "source": source, "at": session.now });
            change.documents.push((STANDING.into(), first.clone(), known.get(first).copied().unwrap_or(0), doc));
        }
        let person = row.logins.iter().find_map(|l| everybody.human(l)).and_then(|h| everybody.person(h));
        if let Some(person) = person.filter(|p| p.active && !row.active) {
            let id = person.id.to_string();
            if let Some((version, doc)) = record.document("people", &id)?
                && put.insert(format!("people/{id}"))
            {
                let mut one: Identity = serde_json::from_value(doc.clone())?;
                one.person.active = false;
                let after = serde_json::to_value(&one)?;
                let event = log::Event::done(
                    &session.actor,
                    "person.leave",
                    ("person", &id),
                    json!({ "source": source }),
                    session.now,
                );
                change.events.push(session.mark(event.with_states(Some(&doc), Some(&after))));
                change.put("people", &id, version, &one)?;
                out.left.push(id);
            }
        }
    }
    let summary = json!({ "source": source, "people": out.people, "leavers": out.leavers, "left": out.left });
    change.events.push(session.mark(log::Event::done(
        &session.actor,
        "people.import",
        ("people", source),
        summary,
        session.now,
    )));
    commit(record, session.key.as_ref(), &change, session.now)?;
    Ok(out)
}

/// Marks accesses by what was imported about people; returns the leavers' accesses.
///
/// # Errors
/// The record fails.
pub fn mark(record: &Record, accesses: &mut [Access]) -> Result<Vec<String>, GovernError> {
    let rows: Vec<PersonRow> = super::inventory::all(record, STANDING)?;
    let everybody = directory(record)?;
    let mut out = mark_leavers(accesses, &rows, &everybody);
    for a in accesses.iter_mut().filter(|a| a.standing != Standing::Leaver) {
        let left = a.human.as_ref().and_then(|h| everybody.person(h)).is_some_and(|p| !p.active);
        if left {
            a.standing = Standing::Leaver;
            out.push(a.id());
        }
    }
    Ok(out)
}

/// Holds every campaign against the accesses a scan found: what was to go and is gone is verified, what is still there
/// after its date is a finding, and so is every access of somebody who has left.
///
/// # Errors
/// The record fails.
pub fn verify_reviews(
    record: &mut Record,
    session: &Session,
    scan: ScanId,
    mut present: Vec<Access>,
    complete: &BTreeSet<AccountId>,
) -> Result<usize, GovernError> {
    let leavers: BTreeSet<String> = mark(record, &mut present)?.into_iter().collect();
    let mut verified = 0;
    let mut late = Vec::new();
    for (id, version, doc) in record.versioned(CAMPAIGNS)? {
        let before: Campaign = serde_json::from_value(doc)?;
        let mut after = before.clone();
        after.verify(&present, complete, session.now);
        let (was, is) = (before.progress(), after.progress());
        verified += is.verified.saturating_sub(was.verified);
        if before != after {
            let newly: Vec<&String> = after
                .items
                .iter()
                .filter(|(k, i)| before.items.get(*k).is_some_and(|b| b.outcome != i.outcome))
                .map(|(k, _)| k)
                .collect();
            let what = json!({
                "scan": scan.0, "verified": is.verified, "not_verified": is.not_verified, "items": newly,
                "additions": after.additions.len(),
            });
            put(record, session, "review.verify", version, Some(&before), &after, what)?;
        }
        for item in after.items.values().filter(|i| i.outcome == Outcome::NotVerified) {
            let a = &item.access;
            let by = item.verify_by.map(Time::date).unwrap_or_default();
            late.push(Fault {
                account: a.account.clone(),
                region: "global".into(),
                resource: a.principal.clone(),
                name: a.name.clone(),
                part: a.entitlement.clone(),
                severity: if a.admin || a.standing == Standing::Leaver { Severity::High } else { Severity::Medium },
                found: format!("decided in {id} to go by {by} and still there"),
            });
        }
    }
    let gone = present
        .iter()
        .filter(|a| leavers.contains(&a.id()))
        .map(|a| Fault {
            account: a.account.clone(),
            region: "global".into(),
            resource: a.principal.clone(),
            name: a.name.clone(),
            part: a.entitlement.clone(),
            severity: if a.admin { Severity::Critical } else { Severity::High },
            found: "held by somebody who has left".into(),
        })
        .collect();
    settle(record, scan, &REMOVAL, late, complete, session.now)?;
    settle(record, scan, &LEAVER, gone, complete, session.now)?;
    Ok(verified)
}
