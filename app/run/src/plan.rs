//! What a scan would call, before it calls anything; and what it must be allowed to do.

use crate::scan::kinds_for;
use plumb_catalog::{CallSpec, Catalog, Kind, Scope};
use plumb_clouds::aws::permission_for;
use plumb_evaluate::RuleSet;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// One service of the plan.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PlanRow {
    /// The service.
    pub service: String,
    /// Listing calls that are made in any case, over all accounts and regions.
    pub fixed_calls: usize,
    /// Calls made for each resource found, by operation.
    pub per_resource: Vec<String>,
    /// Calls expected, from what the record knows of the estate or else from listing calls alone.
    pub expected_calls: usize,
    /// The permissions needed.
    pub permissions: BTreeSet<String>,
    /// Seconds at the budget's pace for the busiest account and region.
    pub seconds: f64,
}

/// A plan.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Plan {
    /// Accounts.
    pub accounts: usize,
    /// Regions, over all accounts.
    pub regions: usize,
    /// Rules.
    pub rules: usize,
    /// Kinds that would be read.
    pub kinds: usize,
    /// The share of the published quotas that is used at most.
    pub max_share: f64,
    /// By service.
    pub services: Vec<PlanRow>,
    /// Sum of expected calls.
    pub expected_calls: usize,
    /// Seconds expected: the slowest service's, since services run side by side.
    pub seconds: f64,
}

/// The plan of reading what `rules` need. `regions` holds the number of regions of each account; `known` how many
/// resources of a kind the record knows.
pub fn plan(
    catalog: &Catalog,
    rules: &RuleSet,
    regions: &[usize],
    known: &BTreeMap<String, usize>,
    max_share: f64,
    pace: &dyn Fn(&str) -> f64,
) -> Plan {
    let kinds = kinds_for(catalog, rules);
    let places = |kind: &Kind| match kind.scope {
        Scope::Region => regions.iter().sum(),
        Scope::Global => regions.len(),
        Scope::Organization => 1,
    };
    let mut rows: BTreeMap<String, PlanRow> = BTreeMap::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut add = |call: &CallSpec, count: usize, each: bool| {
        let row = rows.entry(call.service.clone()).or_insert_with(|| PlanRow {
            service: call.service.clone(),
            fixed_calls: 0,
            per_resource: Vec::new(),
            expected_calls: 0,
            permissions: BTreeSet::new(),
            seconds: 0.0,
        });
        row.permissions.extend(permission_for(&call.service, &call.operation).map(str::to_owned));
        if each {
            if !row.per_resource.contains(&call.operation) {
                row.per_resource.push(call.operation.clone());
            }
        } else {
            row.fixed_calls += count;
        }
        row.expected_calls += count;
    };
    for kind in &kinds {
        let count = known.get(kind.id.as_str()).copied().unwrap_or_default();
        let parents = kind.parent.as_ref().and_then(|p| known.get(p.as_str())).copied();
        for list in kind.lists().chain(kind.joins.iter().map(|j| &j.list)) {
            for call in list.before.iter().chain([&list.call]) {
                // One identical call in one place is made once, however many kinds want it.
                let key = format!("{:?} {:?} {} {}", kind.scope, list.region, call.name(), call.args);
                if kind.parent.is_some() {
                    add(call, parents.unwrap_or_default(), true);
                } else if seen.insert(key) {
                    // A list of one region is asked once in each account.
                    add(call, if list.region.is_some() { regions.len() } else { places(kind) }, false);
                }
            }
        }
        if let Some(batch) = &kind.batch {
            add(&batch.call, count.div_ceil(batch.size), true);
        }
        for each in &kind.each {
            let singleton = kind.list.is_none();
            add(&each.call, if singleton { places(kind) } else { count }, !singleton);
        }
    }
    let busiest = regions.iter().sum::<usize>().max(1);
    for row in rows.values_mut() {
        let per_second = pace(&row.service) * if max_share <= 0.0 { 1.0 } else { max_share };
        row.seconds = row.expected_calls as f64 / busiest as f64 / per_second.max(0.01);
    }
    let services: Vec<PlanRow> = rows.into_values().collect();
    Plan {
        accounts: regions.len(),
        regions: regions.iter().sum(),
        rules: rules.len(),
        kinds: kinds.len(),
        max_share,
        expected_calls: services.iter().map(|r| r.expected_calls).sum(),
        seconds: services.iter().map(|r| r.seconds).fold(0.0, f64::max),
        services,
    }
}

/// The least-privilege policy for reading what rules need.
#[derive(Debug, Clone, PartialEq)]
pub struct PermissionPolicy {
    /// The actions, sorted.
    pub actions: BTreeSet<String>,
}

/// What reading for `rules` must be allowed to do, with entering an account and, with `org`, listing the organisation.
pub fn permissions(catalog: &Catalog, rules: &RuleSet, org: bool) -> PermissionPolicy {
    let mut actions = BTreeSet::from([
        "sts:GetCallerIdentity".to_owned(),
        "ec2:DescribeRegions".to_owned(),
        "organizations:DescribeOrganization".to_owned(),
    ]);
    if org {
        let around = [
            "organizations:ListAccounts",
            "organizations:ListRoots",
            "organizations:ListOrganizationalUnitsForParent",
            "organizations:ListAccountsForParent",
            "organizations:ListTagsForResource",
            "cloudtrail:LookupEvents",
            "sts:AssumeRole",
        ];
        actions.extend(around.map(str::to_owned));
    }
    for kind in kinds_for(catalog, rules) {
        for call in kind.calls() {
            actions.extend(permission_for(&call.service, &call.operation).map(str::to_owned));
        }
    }
    PermissionPolicy { actions }
}

impl PermissionPolicy {
    /// The policy document.
    pub fn document(&self) -> serde_json::Value {
        json!({
            "Version": "2012-10-17",
            "Statement": [{ "Sid": "PlumblineRead", "Effect": "Allow", "Action": self.actions, "Resource": "*" }],
        })
    }

    /// A Terraform module that makes the role, trusted by `account` under `external_id`.
    pub fn terraform(&self, role: &str) -> String {
        let actions: Vec<String> = self.actions.iter().map(|a| format!("      \"{a}\",\n")).collect();
        format!(
            r#"variable "plumbline_principal" {{
  description = "ARN of the principal that runs plumb"
  type        = string
}}

variable "external_id" {{
  description = "shared with whoever runs plumb; any hard-to-guess text"
  type        = string
}}

data "aws_iam_policy_document" "plumbline_trust" {{
  statement {{
    actions = ["sts:AssumeRole"]
    principals {{
      type        = "AWS"
      identifiers = [var.plumbline_principal]
    }}
    condition {{
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.external_id]
    }}
  }}
}}

data "aws_iam_policy_document" "plumbline_read" {{
  statement {{
    sid       = "PlumblineRead"
    resources = ["*"]
    actions = [
{}    ]
  }}
}}

resource "aws_iam_role" "plumbline" {{
  name                 = "{role}"
  assume_role_policy   = data.aws_iam_policy_document.plumbline_trust.json
  max_session_duration = 3600
}}

resource "aws_iam_role_policy" "plumbline_read" {{
  name   = "plumbline-read"
  role   = aws_iam_role.plumbline.id
  policy = data.aws_iam_policy_document.plumbline_read.json
}}
"#,
            actions.concat()
        )
    }

    /// A CloudFormation template for a StackSet that makes the role in every account.
    pub fn stackset(&self, role: &str) -> String {
        let template = json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": "Read-only role for Plumbline; deploy as a service-managed StackSet to every account.",
            "Parameters": {
                "PrincipalArn": { "Type": "String", "Description": "ARN of the principal that runs plumb" },
                "ExternalId": { "Type": "String", "MinLength": 8, "Description": "shared with whoever runs plumb" },
            },
            "Resources": {
                "PlumblineRole": {
                    "Type": "AWS::IAM::Role",
                    "Properties": {
                        "RoleName": role,
                        "MaxSessionDuration": 3600,
                        "AssumeRolePolicyDocument": {
                            "Version": "2012-10-17",
                            "Statement": [{
                                "Effect": "Allow",
                                "Principal": { "AWS": { "Ref": "PrincipalArn" } },
                                "Action": "sts:AssumeRole",
                                "Condition": { "StringEquals": { "sts:ExternalId": { "Ref": "ExternalId" } } },
                            }],
                        },
                        "Policies": [{ "PolicyName": "plumbline-read", "PolicyDocument": self.document() }],
                    },
                },
            },
            "Outputs": { "RoleArn": { "Value": { "Fn::GetAtt": ["PlumblineRole", "Arn"] } } },
        });
        serde_json::to_string_pretty(&template).unwrap_or_default()
    }
}
