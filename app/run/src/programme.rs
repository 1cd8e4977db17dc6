//! Pages of the rules the programme has about itself. They have prose and a place in the topics, and no condition: what they
//! judge is not a resource's configuration, but whether people did what they said. So they are explained like rules, and are
//! not counted among them.

use crate::accounts::good_state;
use plumb_catalog::{Catalog, ControlRef};
use plumb_discover::Conflict;
use plumb_model::Severity;

/// A page about a rule of the programme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgrammePage {
    /// The rule: `governance.exposure.approved`, `aws.inventory.account.ghost`.
    pub id: String,
    /// How bad it is; where it depends on the case, the worse.
    pub severity: Severity,
    /// Its topic.
    pub topic: &'static str,
    /// The good state.
    pub title: &'static str,
    /// The whole page, in Markdown.
    pub body: &'static str,
}

impl ProgrammePage {
    /// The text below a `##` heading; empty when there is none.
    pub fn section(&self, heading: &str) -> String {
        plumb_catalog::section(self.body, heading)
    }

    /// The controls its topic answers.
    pub fn controls<'c>(&self, catalog: &'c Catalog) -> Vec<&'c ControlRef> {
        catalog.controls_of_topic(&self.topic.into())
    }
}

/// What opens findings about the programme's own work: id, severity, topic, page.
const WORK: [(&str, Severity, &str, &str); 3] = [
    (
        "governance.exposure.approved",
        Severity::Critical,
        "exposure.public-endpoint",
        include_str!("programme/exposure-approved.md"),
    ),
    (
        "governance.access.removal-verified",
        Severity::High,
        "identity.access-review",
        include_str!("programme/access-removal-verified.md"),
    ),
    (
        "governance.access.leaver-removed",
        Severity::High,
        "identity.access-review",
        include_str!("programme/access-leaver-removed.md"),
    ),
];

/// What contradicts itself about an account, by the last word of the rule's id.
const ACCOUNTS: [(&str, &str); 16] = [
    ("billed-not-in-organisation", include_str!("programme/billed-not-in-organisation.md")),
    ("billed-not-in-landing-zone", include_str!("programme/billed-not-in-landing-zone.md")),
    ("used-not-in-organisation", include_str!("programme/used-not-in-organisation.md")),
    ("not-in-landing-zone", include_str!("programme/not-in-landing-zone.md")),
    ("ghost", include_str!("programme/ghost.md")),
    ("closed-but-billed", include_str!("programme/closed-but-billed.md")),
    ("status-disagreement", include_str!("programme/status-disagreement.md")),
    ("tier-disagreement", include_str!("programme/tier-disagreement.md")),
    ("mis-tiered", include_str!("programme/mis-tiered.md")),
    ("tier-expired", include_str!("programme/tier-expired.md")),
    ("owner-disagreement", include_str!("programme/owner-disagreement.md")),
    ("ownership-lapsed", include_str!("programme/ownership-lapsed.md")),
    ("region-out-of-scope", include_str!("programme/region-out-of-scope.md")),
    ("federation-disagreement", include_str!("programme/federation-disagreement.md")),
    ("root-sign-in", include_str!("programme/root-sign-in.md")),
    ("review-overdue", include_str!("programme/review-overdue.md")),
];

/// The topic of every rule about accounts.
pub(crate) const ACCOUNT_TOPIC: &str = "governance.organization";

fn title(body: &'static str) -> &'static str {
    body.lines().next().and_then(|l| l.strip_prefix("# ")).unwrap_or_default()
}

/// Every page; those about accounts once a provider.
pub fn programme_pages() -> Vec<ProgrammePage> {
    let work = WORK.iter().map(|(id, severity, topic, body)| ProgrammePage {
        id: (*id).into(),
        severity: *severity,
        topic,
        title: title(body),
        body,
    });
    let accounts = ["aws", "azure", "gcp"].into_iter().flat_map(|provider| {
        ACCOUNTS.iter().map(move |(name, body)| ProgrammePage {
            id: format!("{provider}.inventory.account.{name}"),
            severity: Conflict::ALL.iter().find(|c| c.name() == *name).map_or(Severity::Low, |c| good_state(*c).1),
            topic: ACCOUNT_TOPIC,
            title: title(body),
            body,
        })
    });
    work.chain(accounts).collect()
}

/// The pages a word names: an id, or the beginning of one with `*`; `governance` is those of the programme's own work.
pub fn programme_pages_of(word: &str) -> Vec<ProgrammePage> {
    let word = word.to_ascii_lowercase();
    let whole = word.strip_suffix('*');
    let named = |id: &str| {
        whole.map_or_else(|| id == word || id.starts_with(&format!("{word}.")), |prefix| id.starts_with(prefix))
    };
    programme_pages().into_iter().filter(|p| named(&p.id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_the_programme_has_a_whole_page_and_a_known_topic() {
        let (catalog, _) = Catalog::load(std::iter::empty());
        let judged: Vec<String> = Conflict::ALL
            .iter()
            .filter(|c| !matches!(c, Conflict::UnattributedUse | Conflict::StaleSource))
            .map(|c| format!("aws.inventory.account.{c}"))
            .collect();
        for id in judged.iter().map(String::as_str).chain(WORK.map(|w| w.0)) {
            let pages = programme_pages_of(id);
            assert_eq!(pages.len(), 1, "{id}");
            let page = &pages[0];
            for heading in ["Why it matters", "When this is fine", "How to fix"] {
                assert!(!page.section(heading).is_empty(), "{id}: {heading}");
            }
            assert!(catalog.topics.contains_key(page.topic), "{id}: {}", page.topic);
            assert!(!catalog.rules.contains_key(id), "{id} is a rule with a condition");
        }
        for c in Conflict::ALL.iter().filter(|c| judged.contains(&format!("aws.inventory.account.{c}"))) {
            assert_eq!(programme_pages_of(&format!("gcp.inventory.account.{c}"))[0].title, good_state(*c).0);
        }
        assert_eq!(programme_pages_of("governance").len(), WORK.len());
        assert!(programme_pages_of("aws.s3.bucket").is_empty());
    }
}
