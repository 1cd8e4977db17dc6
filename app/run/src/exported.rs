//! Findings and principals on their way out: what formats, bundles and exports are made from.

use plumb_catalog::{Catalog, Confidence};
use plumb_connect::{Exported, iam::Analysed};
use plumb_model::{Outcome, Severity, Time};
use plumb_record::{AccountRow, FindingRow};
use serde_json::Value as Json;
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

/// What of a rule's page goes out with each of its findings.
#[derive(Default)]
struct Told {
    summary: String,
    why: String,
    fix: String,
    controls: Vec<(String, String)>,
}

/// Makes rows for export; what findings share is looked up once.
pub struct Exporter<'c> {
    catalog: &'c Catalog,
    names: BTreeMap<String, String>,
    told: RefCell<HashMap<String, Rc<Told>>>,
}

impl<'c> Exporter<'c> {
    /// For findings of these accounts.
    pub fn new(catalog: &'c Catalog, accounts: &[AccountRow]) -> Self {
        let names = accounts.iter().map(|a| (a.id.clone(), a.name.clone())).collect();
        Self { catalog, names, told: RefCell::default() }
    }

    fn told(&self, rule: &str) -> Rc<Told> {
        if let Some(known) = self.told.borrow().get(rule) {
            return Rc::clone(known);
        }
        let told = match self.catalog.rules.get(rule) {
            None => Told::default(),
            Some(r) => {
                let named = self.catalog.controls_of(r).into_iter().filter(|c| c.confidence > Confidence::Low);
                Told {
                    summary: r.summary(),
                    why: r.section("Why it matters"),
                    fix: r.section("How to fix"),
                    controls: named.map(|c| (c.framework.clone(), c.control.clone())).collect(),
                }
            }
        };
        let told = Rc::new(told);
        self.told.borrow_mut().insert(rule.to_owned(), Rc::clone(&told));
        told
    }

    /// A finding, or a passing verdict in the shape of one.
    pub fn row(&self, f: &FindingRow, outcome: Outcome) -> Exported {
        let told = self.told(&f.rule);
        Exported {
            key: f.key.clone(),
            short: f.id.clone(),
            rule: f.rule.clone(),
            title: f.title.clone(),
            summary: told.summary.clone(),
            why: told.why.clone(),
            fix: told.fix.clone(),
            severity: f.severity.parse().unwrap_or(Severity::Medium),
            outcome,
            state: f.state.clone(),
            account: f.account.clone(),
            account_name: self.names.get(&f.account).cloned().unwrap_or_default(),
            region: f.region.clone(),
            kind: f.kind.clone(),
            resource: f.resource.clone(),
            name: f.name.clone(),
            sub_key: f.sub_key.clone(),
            first_seen: f.first_seen.clone(),
            last_seen: f.last_seen.clone(),
            topic: f.topic.clone(),
            because: f.because.clone(),
            controls: told.controls.clone(),
        }
    }
}

/// What the record keeps of a principal, as formats for identities want it.
pub fn analysed(arn: &str, account: &str, doc: &Json) -> Analysed {
    let text = |v: &Json, name: &str| v.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let time = |v: &Json, name: &str| v.get(name).and_then(Json::as_str).and_then(|t| t.parse::<Time>().ok());
    let truth = |name: &str| doc.get(name).and_then(Json::as_bool);
    let number = |name: &str| doc.get(name).and_then(Json::as_u64).and_then(|n| usize::try_from(n).ok());
    let list = |name: &str| doc.get(name).and_then(Json::as_array).into_iter().flatten();
    let active = |key: &&Json| key.get("active").and_then(Json::as_bool) == Some(true);
    Analysed {
        arn: arn.to_owned(),
        account: account.to_owned(),
        class: text(doc, "class"),
        admin: truth("admin") == Some(true),
        can_become_admin: truth("can_become_admin") == Some(true),
        steps: list("steps").map(|s| format!("{} on {}", text(s, "method"), text(s, "target"))).collect(),
        dormant: truth("dormant") == Some(true),
        last_active: time(doc, "last_active"),
        mfa: truth("mfa"),
        keys: list("keys")
            .filter(active)
            .filter_map(|key| {
                let slot = u8::try_from(key.get("slot").and_then(Json::as_u64)?).ok()?;
                Some((slot, time(key, "rotated"), time(key, "used")))
            })
            .collect(),
        granted: number("granted_actions").unwrap_or_default(),
        used: number("used_actions"),
        unused_services: list("unused_services").filter_map(Json::as_str).map(str::to_owned).collect(),
    }
}
