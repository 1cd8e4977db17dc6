//! Exposure, identity and attack paths of the accounts on the record.

use crate::{judge::JudgeError, stored};
use plumb_assess::{
    exposure::{Estate, Exposure, Table, exposures},
    identity::aws::{
        Escalations, World, escalations,
        inventory::{Activity, Entry, inventory},
    },
    paths::{self, Beyond, Border, DataClasses, Facts, Outside, Report},
    principals::{self, ORGANIZATION_KIND, Principals},
};
use plumb_catalog::{Catalog, Kind};
use plumb_evaluate::RuleSet;
use plumb_model::{AccountId, KindId, Resource, ResourceId, Time, Unknown, Value};
use plumb_record::{Record, RecordError, ResourceRow, ScanId, Unit, UnitState};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// The AWS accounts that `scan` read, or the one named.
///
/// # Errors
/// When the record fails.
pub fn analysed_accounts(record: &Record, scan: ScanId, only: Option<&str>) -> Result<Vec<String>, JudgeError> {
    let read = record.accounts_of(scan)?;
    let aws = record.accounts()?.into_iter().filter(|a| a.provider == "aws" && read.contains(&a.id)).map(|a| a.id);
    let mut out: Vec<String> = aws.filter(|a| only.is_none_or(|o| o == a)).collect();
    out.sort();
    Ok(out)
}

/// Where kinds are looked up.
pub trait Kinds {
    /// The kind of this id.
    fn kind_of(&self, id: &KindId) -> Option<Arc<Kind>>;
}

impl Kinds for Catalog {
    fn kind_of(&self, id: &KindId) -> Option<Arc<Kind>> {
        self.kinds.get(id).cloned()
    }
}

impl Kinds for RuleSet {
    fn kind_of(&self, id: &KindId) -> Option<Arc<Kind>> {
        self.kind(id).cloned()
    }
}

/// An account's resources as `scan` read them, of the kinds the assessment looks into, with the organisation's policies.
/// With `as_of`, resources changed by later scans are as they were.
///
/// # Errors
/// When the record fails or a stored document is damaged.
pub fn estate(
    record: &Record,
    kinds: &dyn Kinds,
    scan: ScanId,
    account: &str,
    as_of: bool,
) -> Result<Estate, JudgeError> {
    estate_of(record, kinds, scan, account, as_of, crate::native::reads(), &|_, _| true)
}

/// The same, of some kinds, and of them the resources that `wanted` keeps.
pub(crate) fn estate_of(
    record: &Record,
    kinds: &dyn Kinds,
    scan: ScanId,
    account: &str,
    as_of: bool,
    names: impl Iterator<Item = &'static str>,
    wanted: &dyn Fn(&str, &ResourceRow) -> bool,
) -> Result<Estate, JudgeError> {
    let id = AccountId::from(account);
    let mut out = Estate { account: account.to_owned(), ..Estate::default() };
    out.organization =
        record.accounts()?.into_iter().filter(|a| a.provider == "aws" && a.id != account).map(|a| a.id).collect();
    let mut units = record.units_of(scan, account)?;
    units.extend(record.global_units(scan, ORGANIZATION_KIND)?.into_iter().filter(|u| u.account != id));
    // Security groups last: of them, those count that something else names.
    let (last, first): (Vec<&str>, Vec<&str>) = names.partition(|n| *n == GROUP_KIND);
    for name in first.into_iter().chain(last) {
        let kind_id = KindId::from(name);
        let Some(kind) = kinds.kind_of(&kind_id) else { continue };
        let shared = name == ORGANIZATION_KIND;
        let own: Vec<&Unit> =
            units.iter().filter(|u| u.kind == kind_id && (u.account == id || (shared && u.resources > 0))).collect();
        let Some(first) = own.first() else { continue };
        let owner = if shared { first.account.clone() } else { id.clone() };
        let mut resources = Vec::new();
        let mut named = (name == GROUP_KIND).then(|| Named::by(out.tables.values().flat_map(|t| &t.resources)));
        loop {
            stored::each(record, &owner, &kind_id, scan, as_of, |row| -> Result<(), JudgeError> {
                if wanted(name, &row) && named.as_mut().is_none_or(|n| n.takes(&row)) {
                    resources.push(stored::resource_of(&kind, &owner, row)?);
                }
                Ok(())
            })?;
            // Groups that groups name are read in turn.
            if !named.as_mut().is_some_and(|n| n.more(&resources)) {
                break;
            }
        }
        let gap = own.iter().find_map(|u| match &u.state {
            UnitState::Incomplete(unknown) => Some(Arc::new(Unknown::clone(unknown))),
            UnitState::Complete => None,
        });
        out.tables.insert(name.to_owned(), Table { kind, resources, gap });
    }
    Ok(out)
}

const GROUP_KIND: &str = "aws.ec2.security-group";

/// Which security groups anything names, besides the default ones: an account has thousands, and a group that nothing is in
/// guards nothing.
struct Named {
    groups: HashSet<Box<str>>,
    /// Taken already, by id.
    taken: HashSet<String>,
    /// How many of the groups taken were looked into.
    seen: usize,
}

impl Named {
    fn by<'a>(resources: impl Iterator<Item = &'a Resource>) -> Self {
        let mut groups = HashSet::new();
        resources.flat_map(|r| &r.fields).for_each(|value| groups_in(value, &mut groups));
        Self { groups, taken: HashSet::new(), seen: 0 }
    }

    /// Whether a group is to be read, and was not before.
    fn takes(&mut self, row: &ResourceRow) -> bool {
        let id = row.id.rsplit('/').next().unwrap_or_default();
        let wanted = !id.starts_with(GROUP_ID) || row.name == "default" || self.groups.contains(id);
        wanted && self.taken.insert(row.id.clone())
    }

    /// Whether the groups read last name others.
    fn more(&mut self, read: &[Resource]) -> bool {
        let before = self.groups.len();
        let fields = read.get(self.seen..).unwrap_or_default().iter().flat_map(|r| &r.fields);
        fields.for_each(|value| groups_in(value, &mut self.groups));
        self.seen = read.len();
        self.groups.len() > before
    }
}

const GROUP_ID: &str = "sg-";

/// The ids of security groups anywhere in a value.
fn groups_in(value: &Value, out: &mut HashSet<Box<str>>) {
    match value {
        Value::Str(text) => {
            let id = text.rsplit('/').next().unwrap_or_default();
            if id.starts_with(GROUP_ID) {
                out.insert(id.into());
            }
        }
        Value::List(all) => all.iter().for_each(|v| groups_in(v, out)),
        Value::Map(map) => map.iter().for_each(|(_, v)| groups_in(v, out)),
        _ => {}
    }
}

/// How every resource of an account stands towards the outside.
///
/// # Errors
/// When the record fails or a stored document is damaged.
pub fn exposed(record: &Record, catalog: &Catalog, scan: ScanId, account: &str) -> Result<Vec<Exposure>, JudgeError> {
    Ok(exposures(&estate(record, catalog, scan, account, false)?))
}

/// The attack paths of an account, with those over accounts that end in it as the last scan found them.
///
/// # Errors
/// When the record fails or a stored document is damaged.
pub fn attack_paths(record: &Record, catalog: &Catalog, scan: ScanId, account: &str) -> Result<Report, JudgeError> {
    let now = record.scan(Some(scan))?.judged_at.parse().unwrap_or_else(|_| Time::from_seconds(0));
    let mut report = Assessment::of(estate(record, catalog, scan, account, false)?, now).report;
    let Beyond { families, cuts, limits } = crate::overland::beyond(record, account)?;
    report.families.extend(families);
    report.cuts.extend(cuts);
    report.limits.extend(limits);
    Ok(report)
}

/// Everything the assessment says about one account.
pub struct Assessment {
    /// What it was made from.
    pub estate: Estate,
    /// How resources stand towards the outside.
    pub exposures: Vec<Exposure>,
    /// Principals and the policies of resources.
    pub world: World,
    /// Who can become whom.
    pub escalations: Escalations,
    /// Passwords and keys.
    pub activity: Activity,
    /// What is not known about identities and guardrails.
    pub needs: Vec<Arc<Unknown>>,
    /// Why resources may stand where nobody looked; none when every region was in scope.
    pub narrowed: Option<Arc<Unknown>>,
    /// Attack paths within the account.
    pub report: Report,
    /// What of them matters to other accounts; empty when it was looked at alone.
    pub border: Border,
    /// The instant it is about.
    pub now: Time,
    /// Where things are.
    pub(crate) places: Places,
}

/// Where things of an assessment are.
#[derive(Default)]
pub(crate) struct Places {
    /// The kind of each resource, by its id.
    pub kinds: HashMap<ResourceId, Arc<Kind>>,
    /// The position of each principal, by its ARN.
    pub principals: HashMap<String, usize>,
}

impl Assessment {
    /// Assesses an account.
    pub fn of(estate: Estate, now: Time) -> Self {
        Self::among(estate, now, None)
    }

    /// Assesses an account together with what stands around it.
    pub fn among(mut estate: Estate, now: Time, outside: Option<&Outside>) -> Self {
        let Principals { details, activity, organization, needs, guardrails } = principals::principals(&estate);
        principals::let_go(&mut estate);
        let escalations = escalations(&details, &organization, None);
        let exposures = exposures(&estate);
        let world = paths::world(&estate, details, organization);
        let data = DataClasses::default();
        let facts = Facts {
            estate: &estate,
            exposures: &exposures,
            world: &world,
            escalations: &escalations,
            data: &data,
            guardrails: &guardrails,
            outside,
        };
        let (mut report, border) = paths::survey(&facts);
        report.limits.extend(needs.iter().map(|n| format!("{}: {}", estate.account, n.describe())));
        let ids = estate.tables.values().flat_map(|t| t.resources.iter().map(|r| (r.id.clone(), Arc::clone(&t.kind))));
        let arns = world.details.principals.iter().enumerate().map(|(at, p)| (p.arn.clone(), at));
        let places = Places { kinds: ids.collect(), principals: arns.collect() };
        Self { estate, exposures, world, escalations, activity, needs, narrowed: None, report, border, now, places }
    }

    /// The kind of a resource.
    pub(crate) fn kind_of(&self, resource: &str) -> Option<&Arc<Kind>> {
        self.places.kinds.get(resource)
    }

    /// The inventory of principals; `window_days` without a sign of life make one dormant.
    pub fn inventory(&self, window_days: i64) -> BTreeMap<String, Entry> {
        let entries = inventory(&self.world.details, &self.escalations, &self.activity, self.now, window_days);
        entries.into_iter().map(|e| (e.arn.clone(), e)).collect()
    }
}

/// Days without a sign of life that make a principal on the record dormant; `plumb principals` takes others.
const DORMANT_DAYS: i64 = 90;

fn same<T: serde::Serialize, U: serde::de::DeserializeOwned>(from: &T) -> Result<U, RecordError> {
    let damaged = |_| RecordError::Damaged { what: "assessment".into() };
    serde_json::from_value(serde_json::to_value(from).map_err(damaged)?).map_err(damaged)
}

/// Puts an account's attack paths on the record, those over accounts included, as `scan` tells them of what `read` read.
///
/// # Errors
/// When the record fails.
pub(crate) fn keep_paths(
    record: &mut Record,
    scan: ScanId,
    read: ScanId,
    account: &str,
    ways: &crate::overland::Ways,
) -> Result<(), RecordError> {
    let families = ways.families().map(same).collect::<Result<Vec<_>, _>>()?;
    let cuts = ways.report.cuts.iter().take(50).chain(&ways.beyond.cuts).map(same).collect::<Result<Vec<_>, _>>()?;
    let limits: Vec<String> = ways.report.limits.iter().chain(&ways.beyond.limits).cloned().collect();
    record.put_paths(scan, read, account, &families, &cuts, ways.needs.is_empty(), &limits)
}

/// Puts an assessment on the record, but for the paths.
///
/// # Errors
/// When the record fails.
pub(crate) fn keep(record: &mut Record, scan: ScanId, found: &Assessment) -> Result<(), RecordError> {
    let account = found.estate.account.as_str();
    let whole = |t: &&Table| t.gap.is_none();
    let complete: BTreeSet<String> =
        found.estate.tables.iter().filter(|(_, t)| whole(t)).map(|(kind, _)| kind.clone()).collect();
    record.put_exposures(scan, account, found.exposures.iter().map(same), &complete)?;
    let ways: BTreeMap<&str, _> =
        found.world.details.principals.iter().map(|p| p.arn.as_str()).zip(&found.escalations.standings).collect();
    let row = |(arn, entry): (String, Entry)| {
        let mut doc: serde_json::Value = same(&entry)?;
        if let (Some(doc), Some(way)) = (doc.as_object_mut(), ways.get(arn.as_str())) {
            doc.insert("steps".into(), same(&way.steps)?);
        }
        Ok((arn, doc))
    };
    record.put_principals(scan, account, found.inventory(DORMANT_DAYS).into_iter().map(row))?;
    crate::holders::keep(record, found, DORMANT_DAYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_security_groups_those_are_read_that_something_names() {
        let (catalog, _) = Catalog::load([]);
        let kind = &catalog.kinds[GROUP_KIND];
        let account = AccountId::from("111122223333");
        let row = |id: &str, name: &str, names: &str| ResourceRow {
            id: format!("arn:aws:ec2:eu-west-1:111122223333:security-group/{id}"),
            region: "eu-west-1".into(),
            name: name.into(),
            doc: format!(r#"{{"group_id":"{id}","ingress":[{{"groups":["{names}"]}}]}}"#),
        };
        let rows = [
            row("sg-1", "web", "sg-2"),
            row("sg-2", "pool", "sg-3"),
            row("sg-3", "data", ""),
            row("sg-4", "left behind", "sg-5"),
            row("sg-5", "left behind too", ""),
            row("sg-6", "default", "sg-6"),
        ];
        let machine = stored::resource_of(kind, &account, row("sg-0", "machine", "sg-1")).unwrap();
        let mut named = Named::by([&machine].into_iter());
        let mut read = Vec::new();
        loop {
            for row in &rows {
                if named.takes(row) {
                    read.push(stored::resource_of(kind, &account, row.clone()).unwrap());
                }
            }
            if !named.more(&read) {
                break;
            }
        }
        let mut names: Vec<&str> = read.iter().map(|r| &*r.name).collect();
        names.sort_unstable();
        assert_eq!(names, ["data", "default", "pool", "web"]);
    }
}
