//! Exposure and attack paths of the accounts on the record.

use crate::judge::{JudgeError, resource_of};
use plumb_assess::{
    exposure::{Estate, Exposure, Table, exposures},
    identity::aws::{Details, details::DetailsError, escalations},
    paths::{self, DataClasses, Facts, Report},
};
use plumb_catalog::Catalog;
use plumb_model::{AccountId, KindId};
use plumb_record::{Record, RecordError, ResourceRow, ScanId, UnitState};
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Why an account could not be analysed.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// The record failed, or a stored document is damaged.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// The record failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// What IAM answered makes no sense.
    #[error("account {account}: {error}")]
    Details {
        /// The account.
        account: String,
        /// What is wrong.
        error: DetailsError,
    },
}

/// Kinds the analysis looks into beside those with a policy of their own.
const NETWORK: [&str; 4] = ["aws.ec2.security-group", "aws.ec2.network-acl", "aws.vpc.route-table", "aws.vpc.subnet"];

/// The AWS accounts that `scan` read, or the one named.
///
/// # Errors
/// When the record fails.
pub fn analysed_accounts(record: &Record, scan: ScanId, only: Option<&str>) -> Result<Vec<String>, AnalysisError> {
    let read: BTreeSet<String> = record.units(scan)?.into_iter().map(|u| u.account.to_string()).collect();
    let aws = record.accounts()?.into_iter().filter(|a| a.provider == "aws" && read.contains(&a.id)).map(|a| a.id);
    let mut out: Vec<String> = aws.filter(|a| only.is_none_or(|o| o == a)).collect();
    out.sort();
    Ok(out)
}

/// An account's resources as `scan` read them.
///
/// # Errors
/// When the record fails or a stored document is damaged.
pub fn estate(record: &Record, catalog: &Catalog, scan: ScanId, account: &str) -> Result<Estate, AnalysisError> {
    let id = AccountId::from(account);
    let mut out = Estate { account: account.to_owned(), ..Estate::default() };
    out.organization =
        record.accounts()?.into_iter().filter(|a| a.provider == "aws" && a.id != account).map(|a| a.id).collect();
    let units: Vec<_> = record.units(scan)?.into_iter().filter(|u| u.account == id).collect();
    let mut gaps: BTreeMap<&KindId, Option<Arc<plumb_model::Unknown>>> = BTreeMap::new();
    for unit in &units {
        let gap = gaps.entry(&unit.kind).or_default();
        if let (UnitState::Incomplete(unknown), None) = (&unit.state, &gap) {
            *gap = Some(Arc::new(unknown.clone()));
        }
    }
    for (kind_id, gap) in gaps {
        let Some(kind) = catalog.kinds.get(kind_id) else { continue };
        let wanted = ["policy", "network_origin", "public", "permissions", "trust", "instance_id", "block_public_acls"];
        let name = kind_id.as_str();
        let unneeded = name == "aws.iam.policy" || name.starts_with("aws.logs.");
        if unneeded || !(NETWORK.contains(&name) || wanted.iter().any(|f| kind.slot(f).is_some())) {
            continue;
        }
        let mut resources = Vec::new();
        record.each_resource(&id, kind_id, scan, |row: ResourceRow| -> Result<(), AnalysisError> {
            resources.push(resource_of(kind, &id, row)?);
            Ok(())
        })?;
        out.tables.insert(name.to_owned(), Table { kind: Arc::new(kind.clone()), resources, gap });
    }
    Ok(out)
}

/// How every resource of an account stands towards the outside.
///
/// # Errors
/// When the record fails or a stored document is damaged.
pub fn exposed(
    record: &Record,
    catalog: &Catalog,
    scan: ScanId,
    account: &str,
) -> Result<Vec<Exposure>, AnalysisError> {
    Ok(exposures(&estate(record, catalog, scan, account)?))
}

/// The attack paths of an account.
///
/// # Errors
/// When the record fails, a stored document is damaged, or IAM's answers make no sense.
pub fn attack_paths(record: &Record, catalog: &Catalog, scan: ScanId, account: &str) -> Result<Report, AnalysisError> {
    let estate = estate(record, catalog, scan, account)?;
    let mut notes = Vec::new();
    let details = details(record, scan, account, &mut notes)?;
    let organization = crate::organization::organization(record, &mut notes)?;
    let found = escalations(&details, &organization, None);
    let exposures = exposures(&estate);
    let world = paths::world(&estate, details, organization);
    let data = DataClasses::default();
    let facts = Facts { estate: &estate, exposures: &exposures, world: &world, escalations: &found, data: &data };
    let mut report = paths::paths(&facts);
    report.limits.extend(notes);
    Ok(report)
}

/// Users, groups, roles and the account's own policies, from the answers on the record.
fn details(record: &Record, scan: ScanId, account: &str, notes: &mut Vec<String>) -> Result<Details, AnalysisError> {
    let id = AccountId::from(account);
    let mut page = serde_json::Map::new();
    let lists = [
        ("aws.iam.user", "UserDetailList"),
        ("aws.iam.group", "GroupDetailList"),
        ("aws.iam.role", "RoleDetailList"),
        ("aws.iam.policy", "Policies"),
    ];
    for (kind, list) in lists {
        let kind = KindId::from(kind);
        let mut ids = Vec::new();
        record.each_resource(&id, &kind, scan, |row: ResourceRow| -> Result<(), RecordError> {
            // AWS's own policies are part of the program.
            if !row.id.contains(":iam::aws:") {
                ids.push(row.id);
            }
            Ok(())
        })?;
        let mut items = Vec::with_capacity(ids.len());
        for resource in ids {
            let raw = record.raw(account, kind.as_str(), &resource)?;
            let damaged = |_| JudgeError::Damaged { kind: kind.to_string(), id: resource.clone() };
            items.push(serde_json::from_str::<Json>(&raw).map_err(damaged)?);
        }
        page.insert(list.into(), Json::Array(items));
        let incomplete = record.units(scan)?.into_iter().find_map(|u| match u.state {
            UnitState::Incomplete(unknown) if u.account == id && u.kind == kind => Some(unknown),
            _ => None,
        });
        if let Some(unknown) = incomplete {
            notes.push(format!("{account}: {kind} was not read completely: {}", unknown.describe()));
        }
    }
    Details::from_json(&Json::Object(page)).map_err(|error| AnalysisError::Details { account: account.into(), error })
}
