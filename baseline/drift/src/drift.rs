//! Drift between two scans, from code, and from approved values.

use crate::{
    compare::{Difference, compare},
    shape::{Field, Shapes},
};
use plumb_model::{AccountId, KindId, Region, Resource, ResourceId, Source, Time, Unknown, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What the present state is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Against {
    /// The scan before.
    Previous,
    /// The code that declares it.
    Iac,
    /// Values that were approved.
    Baseline,
}

/// What happened to a resource.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It is there and was not; against code: nothing declares it.
    Appeared,
    /// It was there and is not; against code: it is declared and not there.
    Gone,
    /// A field of it differs.
    Changed(Difference),
}

/// One drift.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Drift {
    /// Compared with what.
    pub against: Against,
    /// The kind of the resource.
    pub kind: KindId,
    /// Its account.
    pub account: AccountId,
    /// Its region.
    pub region: Region,
    /// The resource.
    pub resource: ResourceId,
    /// Its everyday name.
    pub name: Arc<str>,
    /// What happened.
    pub what: What,
    /// Where the value compared with comes from: file and line for code.
    pub source: Source,
    /// The change ticket or commit that announced it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<String>,
}

impl Drift {
    /// The level of the score's drift signal: `baseline` for an approved value lost, `iac` for a difference from
    /// code, `new` for a resource that appeared (which counts when it fails a rule), else `none`. An announced change
    /// between two scans is none.
    pub fn signal_level(&self) -> &'static str {
        match (self.against, &self.what) {
            (Against::Baseline, _) => "baseline",
            (Against::Iac, _) => "iac",
            (Against::Previous, What::Appeared) if self.announced.is_none() => "new",
            (Against::Previous, _) => "none",
        }
    }
}

/// A place where one side was not known: neither drift nor its absence.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Undecided {
    /// The resource.
    pub resource: ResourceId,
    /// Where in it; empty for the resource as a whole.
    pub path: String,
    /// Why.
    pub why: Arc<Unknown>,
}

/// What a comparison found, ordered by resource, then path.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    /// The drifts.
    pub drifts: Vec<Drift>,
    /// Where nobody can tell.
    pub undecided: Vec<Undecided>,
    /// Resources on both sides.
    pub compared: u64,
}

impl Report {
    /// The drifts of these accounts: the answer to "has tier one drifted since its last review".
    pub fn of_accounts<'a>(&'a self, accounts: &'a BTreeSet<AccountId>) -> impl Iterator<Item = &'a Drift> {
        self.drifts.iter().filter(move |d| accounts.contains(&d.account))
    }

    /// Only what nobody announced.
    pub fn unannounced(&self) -> impl Iterator<Item = &Drift> {
        self.drifts.iter().filter(|d| d.announced.is_none())
    }

    fn finish(mut self) -> Self {
        let path = |d: &Drift| match &d.what {
            What::Changed(c) => c.path.clone(),
            _ => String::new(),
        };
        self.drifts.sort_by(|a, b| {
            (&a.kind, &a.account, &a.resource, path(a)).cmp(&(&b.kind, &b.account, &b.resource, path(b)))
        });
        self.undecided.sort_by(|a, b| (&a.resource, &a.path).cmp(&(&b.resource, &b.path)));
        self
    }
}

/// A change somebody announced: a ticket, or a commit to the code.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Announcement {
    /// `CHG-42`, `commit 1a2b3c`.
    pub reference: String,
    /// When; it must not be later than the scan that shows the change.
    pub at: Time,
    /// The resources it speaks of; empty for none.
    pub resources: BTreeSet<ResourceId>,
}

/// One side of a comparison between two scans.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Its resources.
    pub resources: &'a [Resource],
    /// Whether resources of this kind in this account and region were listed completely: only then an absence counts.
    pub complete: &'a dyn Fn(&KindId, &AccountId, &Region) -> bool,
}

type Key<'a> = (&'a KindId, &'a AccountId, &'a ResourceId);

fn by_key(resources: &[Resource]) -> BTreeMap<Key<'_>, &Resource> {
    resources.iter().map(|r| ((&r.kind, &r.account, &r.id), r)).collect()
}

fn drift(against: Against, r: &Resource, what: What, source: Source) -> Drift {
    Drift {
        against,
        kind: r.kind.clone(),
        account: r.account.clone(),
        region: r.region.clone(),
        resource: r.id.clone(),
        name: r.name.clone(),
        what,
        source,
        announced: None,
    }
}

/// What changed between two scans. `taken_at` is the instant of the later one.
pub fn against_previous(
    before: Side<'_>,
    after: Side<'_>,
    shapes: &Shapes,
    announced: &[Announcement],
    taken_at: Time,
) -> Report {
    let (old, new) = (by_key(before.resources), by_key(after.resources));
    let mut report = Report::default();
    for (key, was) in &old {
        match new.get(key) {
            Some(is) => {
                report.compared += 1;
                fields(Against::Previous, was, is, shapes, &mut report, |_, _| Some(Source::Derived));
            }
            None if (after.complete)(&was.kind, &was.account, &was.region) => {
                report.drifts.push(drift(Against::Previous, was, What::Gone, Source::Derived));
            }
            None => report.undecided.push(not_listed(was)),
        }
    }
    for (key, is) in &new {
        // What the earlier scan did not look at did not appear since.
        if !old.contains_key(key) && (before.complete)(&is.kind, &is.account, &is.region) {
            report.drifts.push(drift(Against::Previous, is, What::Appeared, Source::Derived));
        }
    }
    for d in &mut report.drifts {
        let told = announced.iter().filter(|a| a.at <= taken_at && a.resources.contains(&d.resource));
        d.announced = told.max_by_key(|a| a.at).map(|a| a.reference.clone());
    }
    report.finish()
}

fn not_listed(r: &Resource) -> Undecided {
    let why = Unknown::new(plumb_model::Reason::Truncated, format!("list of {}", r.kind));
    Undecided { resource: r.id.clone(), path: String::new(), why: Arc::new(why) }
}

/// How the live state differs from what code declares (state, plan or source).
///
/// A declared resource is matched by its id, else by kind and name when that names exactly one live resource. Only
/// fields the code itself states are compared: what it leaves to the provider's default is the provider's to choose.
/// Live resources of kinds the code declares, in accounts it declares them in, that nothing declares, appeared.
pub fn against_code(live: Side<'_>, declared: &[Resource], shapes: &Shapes) -> Report {
    let mut by_id: BTreeMap<(&KindId, &ResourceId), &Resource> = BTreeMap::new();
    let mut by_name: BTreeMap<(&KindId, &str), Vec<&Resource>> = BTreeMap::new();
    for r in live.resources {
        by_id.insert((&r.kind, &r.id), r);
        by_name.entry((&r.kind, &r.name)).or_default().push(r);
    }
    let mut report = Report::default();
    let mut matched: BTreeSet<Key<'_>> = BTreeSet::new();
    let mut grounds: BTreeSet<(&KindId, &AccountId)> = BTreeSet::new();
    for code in declared {
        let same_place = |r: &&&Resource| code.account.as_str() == "code" || r.account == code.account;
        let named = by_name.get(&(&code.kind, &*code.name)).map(Vec::as_slice).unwrap_or_default();
        let mut candidates = named.iter().filter(same_place);
        let found =
            by_id.get(&(&code.kind, &code.id)).copied().or_else(|| match (candidates.next(), candidates.next()) {
                (Some(one), None) if !code.name.is_empty() => Some(*one),
                _ => None,
            });
        match found {
            Some(is) => {
                report.compared += 1;
                matched.insert((&is.kind, &is.account, &is.id));
                grounds.insert((&is.kind, &is.account));
                fields(Against::Iac, code, is, shapes, &mut report, |code, i| match code.sources.get(i) {
                    Some(Source::Default | Source::Derived) => None,
                    Some(source) => Some(source.clone()),
                    // A state file states every field; what is null in it was never set.
                    None => (!code.fields.get(i).is_none_or(Value::is_null)).then_some(Source::Derived),
                });
            }
            None if (live.complete)(&code.kind, &code.account, &code.region) => {
                let source = code.sources.get(0).cloned().unwrap_or(Source::Derived);
                report.drifts.push(drift(Against::Iac, code, What::Gone, source));
            }
            None => report.undecided.push(not_listed(code)),
        }
    }
    for r in live.resources {
        if grounds.contains(&(&r.kind, &r.account)) && !matched.contains(&(&r.kind, &r.account, &r.id)) {
            report.drifts.push(drift(Against::Iac, r, What::Appeared, Source::Derived));
        }
    }
    report.finish()
}

fn fields(
    against: Against,
    before: &Resource,
    after: &Resource,
    shapes: &Shapes,
    report: &mut Report,
    source: impl Fn(&Resource, usize) -> Option<Source>,
) {
    for (i, field) in shapes.of(&after.kind).iter().enumerate() {
        let Some(source) = source(before, i) else { continue };
        let value = |r: &Resource| r.fields.get(i).cloned().unwrap_or_default();
        let found = compare(&value(before), &value(after), field);
        for difference in found.differences {
            report.drifts.push(drift(against, after, What::Changed(difference), source.clone()));
        }
        for (path, why) in found.undecided {
            report.undecided.push(Undecided { resource: after.id.clone(), path, why });
        }
    }
}

/// A value somebody approved: of one resource, or of every resource of a kind.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Approved {
    /// The kind.
    pub kind: KindId,
    /// The resource; none for every resource of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceId>,
    /// The field.
    pub field: Arc<str>,
    /// Its approved value.
    pub value: Value,
    /// Who approved.
    pub approved_by: String,
    /// When.
    pub approved_at: Time,
}

/// The known, steady values of these resources as approved values: "as it is now is right".
pub fn approve_as_is(resources: &[Resource], shapes: &Shapes, approved_by: &str, approved_at: Time) -> Vec<Approved> {
    let mut out = Vec::new();
    for r in resources {
        for (field, value) in shapes.of(&r.kind).iter().zip(&r.fields) {
            if !field.volatile && value.first_unknown().is_none() {
                out.push(Approved {
                    kind: r.kind.clone(),
                    resource: Some(r.id.clone()),
                    field: field.name.clone(),
                    value: value.clone(),
                    approved_by: approved_by.into(),
                    approved_at,
                });
            }
        }
    }
    out
}

/// Which approved values were lost. A value of one resource outranks the kind's; a deviation in force allows its own
/// value and no other.
pub fn against_baseline(
    live: &[Resource],
    approved: &[Approved],
    deviations: &[crate::Deviation],
    shapes: &Shapes,
    now: Time,
) -> Report {
    let mut single: BTreeMap<(&KindId, &ResourceId, &str), &Approved> = BTreeMap::new();
    let mut general: BTreeMap<(&KindId, &str), &Approved> = BTreeMap::new();
    for a in approved {
        // Of two approvals the later one counts.
        let newer = |known: Option<&&Approved>| known.is_none_or(|k| k.approved_at <= a.approved_at);
        match &a.resource {
            Some(r) if newer(single.get(&(&a.kind, r, &*a.field))) => drop(single.insert((&a.kind, r, &a.field), a)),
            None if newer(general.get(&(&a.kind, &*a.field))) => drop(general.insert((&a.kind, &a.field), a)),
            _ => {}
        }
    }
    let mut report = Report::default();
    for r in live {
        let mut any = false;
        for (i, field) in shapes.of(&r.kind).iter().enumerate() {
            let wanted = single.get(&(&r.kind, &r.id, &*field.name)).or_else(|| general.get(&(&r.kind, &*field.name)));
            let Some(wanted) = wanted else { continue };
            any = true;
            let value = r.fields.get(i).cloned().unwrap_or_default();
            let found = compare(&wanted.value, &value, field);
            for (path, why) in found.undecided {
                report.undecided.push(Undecided { resource: r.id.clone(), path, why });
            }
            if found.differences.is_empty() || deviations.iter().any(|d| d.allows(r, field, &value, now)) {
                continue;
            }
            for difference in found.differences {
                report.drifts.push(drift(Against::Baseline, r, What::Changed(difference), Source::Derived));
            }
        }
        report.compared += u64::from(any);
    }
    report.finish()
}

/// Whether two values of a field are the same for drift.
pub(crate) fn equal(a: &Value, b: &Value, field: &Field) -> bool {
    let steady = Field { volatile: false, ..field.clone() };
    let found = compare(a, b, &steady);
    found.differences.is_empty() && found.undecided.is_empty()
}
