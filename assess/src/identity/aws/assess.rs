//! `assess`: authorization details in, principals and escalation edges out.

use super::{
    batch::levels,
    details::{Details, DetailsError, Kind},
    escalate::{Admin, Chain, Edge, Escalations, Organization, Standing, Step, escalations},
    workloads::{Inventory, ResourcesError},
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// What was given cannot be assessed.
#[derive(Debug, thiserror::Error)]
pub enum AssessError {
    /// The authorization details.
    #[error(transparent)]
    Details(#[from] DetailsError),
    /// The resources.
    #[error(transparent)]
    Resources(#[from] ResourcesError),
    /// The organization's policies.
    #[error("organization document: {0}")]
    Organization(String),
}

impl Organization {
    /// Reads `{"scps": [{orgIdentifier, policies}], "rcps": […], "management_account": bool, "organization_id": …,
    /// "accounts": {ID: {"scps": […], "rcps": […], "management_account": bool, "path": "o-…/r-…/ou-…/"}}}`; every member
    /// may be missing.
    ///
    /// `management_account` may also name the management account. An account under `accounts` is bound by what stands
    /// there alone.
    pub fn parse(json: &str) -> Result<Self, AssessError> {
        let wrong = |what: String| AssessError::Organization(what);
        let json: Json = serde_json::from_str(json).map_err(|e| wrong(format!("it is not JSON: {e}")))?;
        let Json::Object(top) = &json else { return Err(wrong("it must be a JSON object".into())) };
        let members = [
            "scps",
            "serviceControlPolicies",
            "rcps",
            "resourceControlPolicies",
            "management_account",
            "managementAccount",
            "organization_id",
            "organizationId",
            "org_id",
            "accounts",
        ];
        if let (Some(other), false) = (top.keys().next(), top.keys().any(|key| members.contains(&key.as_str()))) {
            let what = "scps, rcps, management_account, organization_id or accounts";
            return Err(wrong(format!("it must hold {what}; found `{other}`")));
        }
        let find = |names: &[&str]| names.iter().find_map(|n| top.get(*n)).filter(|v| !v.is_null());
        let mut unread = false;
        let scps = levels(find(&["scps", "serviceControlPolicies"]), "scp", &mut unread).map_err(wrong)?;
        let rcps = levels(find(&["rcps", "resourceControlPolicies"]), "rcp", &mut unread).map_err(wrong)?;
        let told = find(&["management_account", "managementAccount"]);
        let management = told.and_then(Json::as_bool).unwrap_or(false);
        let mut accounts = BTreeMap::new();
        for (account, chain) in find(&["accounts"]).and_then(Json::as_object).into_iter().flatten() {
            let scps = levels(chain.get("scps"), "scp", &mut unread).map_err(wrong)?;
            let rcps = levels(chain.get("rcps"), "rcp", &mut unread).map_err(wrong)?;
            let management = chain.get("management_account").and_then(Json::as_bool).unwrap_or(false);
            let path = chain.get("path").and_then(Json::as_str).map(str::to_owned);
            accounts.insert(account.clone(), Chain { scps, rcps, management, path });
        }
        if let Some(account) = told.and_then(Json::as_str) {
            accounts.entry(account.to_owned()).or_insert_with(Chain::default).management = true;
        }
        if unread {
            return Err(AssessError::Organization(
                "a level is marked unknown; leave it out or give its policies".into(),
            ));
        }
        let id = find(&["organization_id", "organizationId", "org_id"]).and_then(Json::as_str).map(str::to_owned);
        Ok(Self { scps, rcps, management, id, accounts })
    }
}

/// Accounts that were assessed.
#[derive(Debug)]
pub struct Assessed {
    /// The accounts.
    pub details: Details,
    /// Who can become whom.
    pub found: Escalations,
}

/// One object of the answer: a principal, or an edge.
#[derive(Debug, serde::Serialize)]
#[serde(untagged)]
pub enum Row<'a> {
    /// A principal and where it stands.
    Principal(PrincipalRow<'a>),
    /// A step it can take.
    Edge(&'a Edge),
}

/// A principal and where it stands.
#[derive(Debug, serde::Serialize)]
pub struct PrincipalRow<'a> {
    /// Its ARN.
    pub arn: &'a str,
    /// `user` or `role`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whether it is an administrator.
    pub admin: bool,
    /// Whether it is one or can become one.
    pub can_become_admin: bool,
    /// The shortest way to administration.
    pub steps: &'a [Step],
    /// Every method that begins a way.
    pub methods: &'a [&'static str],
    /// What it could do if facts nobody knows beforehand were in its favour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditional: Option<ConditionalRow<'a>>,
    /// Managed policies of it that could not be read.
    pub unread: &'a [String],
}

/// Steps that hang on facts nobody knows beforehand.
#[derive(Debug, serde::Serialize)]
pub struct ConditionalRow<'a> {
    /// Whether it could become an administrator.
    pub can_become_admin: bool,
    /// The shortest way.
    pub steps: &'a [Step],
    /// What must be so for that way.
    pub depends_on: &'a [String],
    /// Its steps that hang on something, `assumes` saying on what.
    pub edges: Vec<&'a Edge>,
}

impl Assessed {
    /// Assesses accounts.
    ///
    /// * `details`: the answer of `iam:GetAccountAuthorizationDetails`, or a list of its pages;
    /// * `resources`: what exists, a list of `{type, name, attrs}` in Terraform's types and attribute names. Without it
    ///   a role that trusts a service is taken to be in use there, and the edge says so in `assumes`;
    /// * `org`: the organization's policies, see [`Organization::parse`].
    pub fn new(details: &str, resources: Option<&str>, org: Option<&str>) -> Result<Self, AssessError> {
        let details = Details::parse(details)?;
        let inventory = resources.map(Inventory::parse).transpose()?;
        let organization = org.map(Organization::parse).transpose()?.unwrap_or_default();
        let found = escalations(&details, &organization, inventory.as_ref());
        Ok(Self { details, found })
    }

    /// One row for each principal, then one for each escalation edge.
    ///
    /// A principal: `{arn, type, admin, can_become_admin, steps: [{method, target, kind}], methods, unread}`; `steps` is
    /// the shortest way to administration, `methods` every method that begins one. An edge: `{from, to, method, kind,
    /// because, assumes, leads_to_admin}`. What a principal could do under conditions nobody can judge beforehand stands in
    /// its own row, `conditional: {can_become_admin, steps, depends_on, edges}`. Method ids are those of `privesc_methods.jsonl`.
    pub fn rows(&self) -> Vec<Row<'_>> {
        let principals = self.details.principals.iter().zip(&self.found.standings).map(|(principal, standing)| {
            Row::Principal(PrincipalRow {
                arn: &principal.arn,
                kind: if principal.kind == Kind::User { "user" } else { "role" },
                admin: standing.admin != Admin::No,
                can_become_admin: standing.can_become_admin,
                steps: &standing.steps,
                methods: &standing.methods,
                conditional: conditional(&self.found, &principal.arn, standing),
                unread: &principal.unread,
            })
        });
        principals.chain(self.found.edges.iter().map(Row::Edge)).collect()
    }
}

fn conditional<'a>(found: &'a Escalations, arn: &str, standing: &'a Standing) -> Option<ConditionalRow<'a>> {
    // Edges are sorted by where they begin.
    let first = found.conditional.partition_point(|e| e.from.as_str() < arn);
    let edges: Vec<&Edge> = found.conditional.iter().skip(first).take_while(|e| e.from == arn).collect();
    let way = standing.conditional.as_deref();
    (way.is_some() || !edges.is_empty()).then(|| ConditionalRow {
        can_become_admin: way.is_some(),
        steps: way.map(|w| w.steps.as_slice()).unwrap_or_default(),
        depends_on: way.map(|w| w.depends_on.as_slice()).unwrap_or_default(),
        edges,
    })
}

/// The rows of [`Assessed`] as JSON.
pub fn assess(details: &str, resources: Option<&str>, org: Option<&str>) -> Result<Vec<Json>, AssessError> {
    let assessed = Assessed::new(details, resources, org)?;
    Ok(assessed.rows().iter().map(|row| json!(row)).collect())
}
