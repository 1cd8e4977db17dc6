//! Owners: routing rules, and links that never run in circles.

use super::{Finding, Link};
use crate::decision::{Selector, Target};
use crate::ids::{FindingId, HumanId, TeamId};
use crate::people::Directory;
use std::collections::{BTreeMap, BTreeSet};

/// Sends what a selector matches to a team or person. The first rule that matches decides.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingRule {
    /// Its name, shown beside what it routed.
    pub name: String,
    /// What it matches.
    #[serde(default)]
    pub select: Selector,
    /// To this team.
    #[serde(default)]
    pub team: Option<TeamId>,
    /// To this person.
    #[serde(default)]
    pub person: Option<HumanId>,
    /// Or to the team named by the value of this tag.
    #[serde(default)]
    pub team_from_tag: Option<String>,
}

/// Why somebody owns a finding.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// A routing rule said so.
    Rule(String),
    /// The account's owner.
    AccountOwner,
    /// Nobody: the finding is unrouted, and the report says so.
    Nobody,
}

/// Where a finding goes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Routed {
    /// The team.
    pub team: Option<TeamId>,
    /// The person; leavers are passed over.
    pub person: Option<HumanId>,
    /// Why.
    pub by: Route,
}

/// The owner of a finding: the first routing rule that matches and names somebody who is there, else the account's owner.
pub fn route(
    rules: &[RoutingRule],
    target: &Target<'_>,
    account_owner: (Option<&TeamId>, Option<&HumanId>),
    directory: &Directory,
) -> Routed {
    let active = |h: &HumanId| directory.person(h).is_some_and(|p| p.active && !p.shared);
    for rule in rules.iter().filter(|r| r.select.matches(target)) {
        let tagged = rule.team_from_tag.as_ref().and_then(|tag| target.tags.iter().find(|(k, _)| k == tag));
        let team = rule.team.clone().or_else(|| tagged.map(|(_, v)| TeamId::from(v.as_str())));
        let person = rule.person.clone().filter(active);
        if team.is_some() || person.is_some() {
            return Routed { team, person, by: Route::Rule(rule.name.clone()) };
        }
    }
    let (team, person) = (account_owner.0.cloned(), account_owner.1.filter(|h| active(h)).cloned());
    let by = if team.is_some() || person.is_some() { Route::AccountOwner } else { Route::Nobody };
    Routed { team, person, by }
}

/// Links `from` to another finding.
///
/// # Errors
/// The link would close a circle, which is named.
pub fn link(from: &mut Finding, new: Link, all: &BTreeMap<FindingId, Finding>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    let mut next = vec![new.to.clone()];
    while let Some(id) = next.pop() {
        if id == from.id {
            return Err(format!("{} already leads to {}; links must not run in a circle", new.to, from.id));
        }
        if seen.insert(id.clone())
            && let Some(f) = all.get(&id)
        {
            next.extend(f.links.iter().filter(|l| l.kind == new.kind).map(|l| l.to.clone()));
        }
    }
    from.links.insert(new);
    Ok(())
}
