//! What people and sources say about accounts: owner, tier, data, purpose; and who gets which findings.

use super::{Change, GovernError, Session, commit, directory, log_denied, picture::collection, places::Places};
use crate::accounts::ESTATE;
use plumb_catalog::Catalog;
use plumb_govern::{
    Refusal,
    decision::Target,
    finding::{Route, Routed, RoutingRule, route},
    ids::{HumanId, TeamId},
    log,
    people::{Act, Directory},
    policy::{DataClass, Policy, Tier},
};
use plumb_model::{RuleId, Time};
use plumb_record::{FindingRow, Record};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// The collection and id under which routing rules are kept.
const ROUTING: (&str, &str) = ("policy", "routing");

/// What is known about an account beside what it answers itself.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Profile {
    /// The person who answers for it, as it was written.
    pub owner: Option<String>,
    /// The team.
    pub team: Option<String>,
    /// How much it matters.
    pub tier: Tier,
    /// What data is in it.
    pub data: BTreeSet<DataClass>,
    /// What it is for.
    pub purpose: String,
    /// When its entry was last looked at.
    pub reviewed_at: Option<Time>,
    /// Which sources know it.
    pub sources: BTreeSet<String>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            owner: None,
            team: None,
            tier: Tier::Unknown,
            data: BTreeSet::new(),
            purpose: String::new(),
            reviewed_at: None,
            sources: BTreeSet::new(),
        }
    }
}

impl Profile {
    /// The most protected class of data in it.
    pub fn worst_data(&self) -> DataClass {
        self.data.iter().max().copied().unwrap_or(DataClass::Unknown)
    }

    /// Whether somebody answers for it and has said what it is for, how much it matters and what data is in it.
    pub fn is_governed(&self) -> bool {
        (self.owner.is_some() || self.team.is_some())
            && self.purpose.trim().chars().count() >= 10
            && self.tier != Tier::Unknown
            && !self.data.is_empty()
            && !self.data.contains(&DataClass::Unknown)
    }

    fn take(&mut self, facts: &Json) {
        let text = |key: &str| facts.get(key).and_then(Json::as_str).map(str::trim).filter(|t| !t.is_empty());
        if let Some(owner) = text("owner_person").or_else(|| text("owner")) {
            self.owner = Some(owner.to_lowercase());
        }
        if let Some(team) = text("owner_team") {
            self.team = Some(team.to_owned());
        }
        if let Some(tier) = text("tier").and_then(|t| t.parse().ok()) {
            self.tier = tier;
        }
        if let Some(purpose) = text("business_purpose").or_else(|| text("purpose")) {
            self.purpose = purpose.to_owned();
        }
        if let Some(at) = text("last_reviewed_at").and_then(|t| t.parse().ok()) {
            self.reviewed_at = Some(at);
        }
        let classes: Vec<&str> = match facts.get("data_classes") {
            Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).collect(),
            Some(Json::String(text)) => text.split([';', ',']).map(str::trim).filter(|c| !c.is_empty()).collect(),
            _ => Vec::new(),
        };
        if !classes.is_empty() {
            // A word nobody agreed on says that nothing is known, which is never the harmless answer.
            self.data = classes.iter().map(|c| c.parse().unwrap_or(DataClass::Unknown)).collect();
        }
    }
}

/// Of the estate, what profiles are made from.
#[derive(serde::Deserialize)]
struct Listed {
    #[serde(default)]
    accounts: BTreeMap<String, ListedAccount>,
}

#[derive(serde::Deserialize)]
struct ListedAccount {
    native_id: String,
    #[serde(default)]
    facts: Json,
    #[serde(default)]
    sources: BTreeMap<String, serde::de::IgnoredAny>,
}

/// What sources other than a scan's own list know.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere {
    /// Accounts of ours that no scan has on its list and nobody has closed.
    pub accounts: Vec<Unlisted>,
    /// Gaps that somebody gave a reason for: account (`aws:123456789012`) and the source that lacks it.
    pub explained: BTreeSet<(String, String)>,
}

/// An account that a bill, a sign-in, a role or a person knows, and no scan has on its list.
#[derive(Debug, Clone)]
pub struct Unlisted {
    /// Provider and number: `aws:123456789012`.
    pub key: String,
    /// The provider's number.
    pub id: String,
    /// Its name, where a source has one.
    pub name: String,
    /// `shadow`, `candidate`, …
    pub state: String,
}

/// Reads what sources other than a scan's own list know; `listed` are the accounts on that list.
///
/// # Errors
/// The record fails.
pub fn elsewhere(record: &Record, listed: &BTreeSet<&str>) -> Result<Elsewhere, GovernError> {
    #[derive(serde::Deserialize)]
    struct Account {
        native_id: String,
        state: String,
        #[serde(default)]
        third_party: Option<String>,
        #[serde(default)]
        facts: Json,
    }
    #[derive(serde::Deserialize)]
    struct Reason {
        account: String,
        missing_in: String,
    }
    #[derive(serde::Deserialize)]
    struct Estate {
        #[serde(default)]
        accounts: BTreeMap<String, Account>,
        #[serde(default)]
        gap_reasons: Vec<Reason>,
    }
    let Some((_, text)) = record.document_text(ESTATE.0, ESTATE.1)? else { return Ok(Elsewhere::default()) };
    let estate: Estate = serde_json::from_str(&text)?;
    let ours = |a: &Account| {
        a.third_party.is_none()
            && a.state != "closed"
            && a.state != "suspended"
            && !listed.contains(a.native_id.as_str())
    };
    let name = |a: &Account| a.facts.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
    let accounts = estate.accounts.into_iter().filter(|(_, a)| ours(a));
    Ok(Elsewhere {
        accounts: accounts.map(|(key, a)| Unlisted { key, name: name(&a), id: a.native_id, state: a.state }).collect(),
        explained: estate.gap_reasons.into_iter().map(|r| (r.account, r.missing_in)).collect(),
    })
}

/// What is known about every account, by the provider's own id: the reconciled estate, and over it what people said.
///
/// # Errors
/// The record fails.
pub fn profiles(record: &Record) -> Result<BTreeMap<String, Profile>, GovernError> {
    let mut out: BTreeMap<String, Profile> = BTreeMap::new();
    if let Some((_, text)) = record.document_text(ESTATE.0, ESTATE.1)? {
        for account in serde_json::from_str::<Listed>(&text)?.accounts.into_values() {
            let profile = out.entry(account.native_id).or_default();
            profile.take(&account.facts);
            profile.sources = account.sources.into_keys().collect();
        }
    }
    for (id, said) in record.documents("account-record")? {
        let native = said
            .get("native_id")
            .and_then(Json::as_str)
            .map_or_else(|| id.split_once(':').map_or(id.as_str(), |(_, native)| native).to_owned(), str::to_owned);
        let profile = out.entry(native).or_default();
        profile.take(&said);
        profile.sources.insert("manual".into());
    }
    Ok(out)
}

/// The routing rules on record, first match first.
///
/// # Errors
/// The record fails.
pub fn routing(record: &Record) -> Result<Vec<RoutingRule>, GovernError> {
    match record.document(ROUTING.0, ROUTING.1)? {
        Some((_, doc)) => Ok(serde_json::from_value(doc)?),
        None => Ok(Vec::new()),
    }
}

/// Replaces the routing rules.
///
/// # Errors
/// The person may not set policy, two rules have one name, a rule routes to nobody, or the record fails.
pub fn set_routing(record: &mut Record, session: &Session, rules: &[RoutingRule]) -> Result<(), GovernError> {
    let mut names = BTreeSet::new();
    for rule in rules {
        if !names.insert(&rule.name) {
            return Err(GovernError::Input(format!("two routing rules are called `{}`", rule.name)));
        }
        if rule.team.is_none() && rule.person.is_none() && rule.team_from_tag.is_none() {
            let what = format!("routing rule `{}` names no team, person or team_from_tag", rule.name);
            return Err(GovernError::Input(what));
        }
    }
    allowed(record, session, Act::ProposePolicy, "change the routing rules", ("policy", "routing"))?;
    let before = record.document(ROUTING.0, ROUTING.1)?;
    let after = serde_json::to_value(rules)?;
    let (version, old) = before.map_or((0, None), |(v, d)| (v, Some(d)));
    let event = log::Event::done(
        &session.actor,
        "policy.routing",
        ("policy", "routing"),
        serde_json::json!({ "rules": rules.len() }),
        session.now,
    );
    let mut change =
        Change { events: vec![session.mark(event.with_states(old.as_ref(), Some(&after)))], ..Change::default() };
    change.put(ROUTING.0, ROUTING.1, version, &after)?;
    commit(record, session.key.as_ref(), &change, session.now)
}

/// Refuses, and logs it, when none of the person's roles holds `act`.
pub(super) fn allowed(
    record: &mut Record,
    session: &Session,
    act: Act,
    doing: &str,
    object: (&str, &str),
) -> Result<(), GovernError> {
    use plumb_govern::people::{Role, may};
    if session.actor.may(act) {
        return Ok(());
    }
    let holders: Vec<&str> = Role::ALL.iter().filter(|r| may(**r, act)).map(|r| r.name()).collect();
    let has = session.actor.roles.iter().map(|r| r.name()).collect::<Vec<_>>().join(", ");
    let refusal = Refusal::NotAllowed {
        act: doing.into(),
        needs: holders.join(" or "),
        actor: session.actor.id.clone(),
        has: if has.is_empty() { "no role".into() } else { has },
    };
    log_denied(record, session, &format!("{}.{}", object.0, act.name()), object, &refusal)?;
    Err(refusal.into())
}

/// A rule's controls and its aliases.
type Named = (Vec<String>, Vec<String>);

/// What every finding's facts are read with: read once, used for all.
pub struct Surroundings<'a> {
    /// The record, for tags.
    pub record: &'a Record,
    /// The catalog.
    pub catalog: &'a Catalog,
    /// The policy.
    pub policy: Policy,
    /// Accounts.
    pub profiles: BTreeMap<String, Profile>,
    /// Who gets what.
    pub routing: Vec<RoutingRule>,
    /// Everybody.
    pub directory: Directory,
    /// Where code declares what is deployed, as checks that went on the record found it.
    pub(super) places: Places,
    controls: std::cell::RefCell<BTreeMap<RuleId, Named>>,
    asked: std::cell::RefCell<Asked>,
}

/// The resource asked about last, with its tags and its reach: findings come resource by resource.
#[derive(Default)]
struct Asked {
    resource: [String; 3],
    tags: std::rc::Rc<[(String, String)]>,
    class: Option<String>,
}

impl<'a> Surroundings<'a> {
    /// Reads them.
    ///
    /// # Errors
    /// The record fails.
    pub fn read(record: &'a Record, catalog: &'a Catalog, policy: &Policy) -> Result<Self, GovernError> {
        Ok(Self {
            record,
            catalog,
            policy: policy.clone(),
            profiles: profiles(record)?,
            routing: routing(record)?,
            directory: directory(record)?,
            places: Places::read(record)?,
            controls: std::cell::RefCell::default(),
            asked: std::cell::RefCell::default(),
        })
    }

    /// The tags of a finding's resource.
    pub(super) fn tags(&self, row: &FindingRow) -> Result<std::rc::Rc<[(String, String)]>, GovernError> {
        self.ask(row, |known| known.tags.clone())
    }

    /// How a finding's resource stands towards the outside, where that was looked at.
    pub(super) fn class(&self, row: &FindingRow) -> Result<Option<String>, GovernError> {
        self.ask(row, |known| known.class.clone())
    }

    fn ask<T>(&self, row: &FindingRow, take: impl FnOnce(&Asked) -> T) -> Result<T, GovernError> {
        let mut known = self.asked.borrow_mut();
        let [account, kind, resource] = &known.resource;
        if *account != row.account || *kind != row.kind || *resource != row.resource {
            *known = Asked {
                resource: [row.account.clone(), row.kind.clone(), row.resource.clone()],
                tags: self.record.tags(&row.account, &row.kind, &row.resource)?.into(),
                class: self.record.exposure_class(&row.account, &row.kind, &row.resource)?,
            };
        }
        Ok(take(&known))
    }

    /// What is known about an account.
    pub fn profile(&self, account: &str) -> Profile {
        self.profiles.get(account).cloned().unwrap_or_default()
    }

    /// A rule's controls (of more than low confidence) and aliases; a rule has thousands of findings, so they are kept.
    pub(super) fn of_rule(&self, rule: &RuleId) -> (Vec<String>, Vec<String>) {
        let mut kept = self.controls.borrow_mut();
        kept.entry(rule.clone())
            .or_insert_with(|| {
                let found = self.catalog.rules.get(rule);
                let named = match found {
                    Some(r) => self.catalog.controls_of(r),
                    // The programme's rules about itself answer what their topic answers.
                    None => crate::programme_pages_of(rule.as_str())
                        .first()
                        .map_or_else(Vec::new, |page| page.controls(self.catalog)),
                };
                let sure = named.into_iter().filter(|c| c.confidence > plumb_catalog::Confidence::Low);
                let controls = sure.map(|c| format!("{}/{}", c.framework, c.control)).collect();
                (controls, found.map(|r| r.aliases.ids().map(str::to_owned).collect()).unwrap_or_default())
            })
            .clone()
    }

    /// Whose account a finding is in: the team, and the person.
    fn owners(&self, account: &str) -> (Option<TeamId>, Option<HumanId>) {
        let profile = self.profiles.get(account);
        let team = profile.and_then(|p| p.team.as_deref()).map(TeamId::from);
        let person = profile
            .and_then(|p| p.owner.as_deref())
            .map(|o| self.directory.human(o).cloned().unwrap_or_else(|| HumanId::from(o)));
        (team, person)
    }

    /// A finding as selectors and routes see it; `tags` are its resource's.
    pub(super) fn with_target<T>(
        &self,
        row: &FindingRow,
        tags: &[(String, String)],
        look: impl FnOnce(&Target<'_>) -> T,
    ) -> T {
        let rule: RuleId = row.rule.as_str().into();
        let (_, aliases) = self.of_rule(&rule);
        let (team, _) = self.owners(&row.account);
        look(&Target {
            rule: &rule,
            aliases: &aliases,
            account: &row.account.as_str().into(),
            region: &row.region.as_str().into(),
            resource: &row.resource.as_str().into(),
            name: &row.name,
            team: team.as_ref(),
            tags,
            file: None,
            code: &self.places.declared(row),
        })
    }

    /// Who gets a finding, and why.
    pub fn route(&self, row: &FindingRow, tags: &[(String, String)]) -> Routed {
        let (team, person) = self.owners(&row.account);
        let mut routed = self.with_target(row, tags, |target| {
            route(&self.routing, target, (team.as_ref(), person.as_ref()), &self.directory)
        });
        // A person's team is theirs, where nobody said otherwise.
        if routed.team.is_none()
            && let Some(p) = routed.person.as_ref().and_then(|h| self.directory.person(h))
        {
            routed.team = p.teams.iter().next().cloned();
        }
        routed
    }
}

/// What made a resource, as its tags say: a stack or a module. Findings with one cause are one piece of work.
pub(super) fn cause(tags: &[(String, String)]) -> String {
    const MAKERS: [(&str, &str); 6] = [
        ("aws:cloudformation:stack-name", "stack"),
        ("aws:servicecatalog:productArn", "product"),
        ("terraform-module", "module"),
        ("terraform_module", "module"),
        ("module", "module"),
        ("stack", "stack"),
    ];
    let made =
        MAKERS.iter().find_map(|(key, word)| Some((word, tags.iter().find(|(k, _)| k.eq_ignore_ascii_case(key))?)));
    made.map_or_else(String::new, |(word, (_, value))| format!("{word} {value}"))
}

/// Why a finding has the owner it has, in words.
pub fn route_words(by: &Route) -> String {
    match by {
        Route::Rule(name) => format!("routing rule {name}"),
        Route::AccountOwner => "owner of the account".into(),
        Route::Nobody => "nobody".into(),
    }
}

/// Every campaign, decision, … of one collection; for callers outside that only show them.
///
/// # Errors
/// The record fails, or a document is not what this version writes.
pub fn all<T: serde::de::DeserializeOwned>(record: &Record, name: &str) -> Result<Vec<T>, GovernError> {
    collection(record, name)
}
