//! Questions rule pages ask of one policy document: is it public, does it make an administrator, whom does it trust.
//!
//! All functions read the document alone. What the rest of the account allows or forbids is the business of
//! [`crate::identity::aws::decide`].

pub use crate::identity::aws::document::{Document, DocumentError, Effect, Problem, Statement};
use crate::identity::aws::{
    arn::{Arn, is_account_id},
    condition::{Condition, Operator, Order, Quantifier, network},
    context::Context,
    data::{self, Action, Level, actions},
    document::Actions,
    glob::{ResourceText, glob},
    principal::PrincipalEntry,
    tri::Tri,
};
use std::{borrow::Cow, net::IpAddr, ops::Range};

/// The document behind a rule's question; none when it is no policy at all.
///
/// A principal ARN whose account is `*` (`arn:aws:iam::*:root`), as some services write `*` back, means everyone here.
pub fn document(mut policy: serde_json::Value) -> Option<Document> {
    fn everyone(name: &mut serde_json::Value) {
        match name {
            serde_json::Value::Array(names) => names.iter_mut().for_each(everyone),
            serde_json::Value::String(text) if text.starts_with("arn:") && text.split(':').nth(4) == Some("*") => {
                *text = "*".into();
            }
            _ => {}
        }
    }
    let statements = match policy.get_mut("Statement") {
        Some(serde_json::Value::Array(items)) => items.iter_mut().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    for statement in statements {
        if let Some(aws) = statement.get_mut("Principal").and_then(|p| p.get_mut("AWS")) {
            everyone(aws);
        }
    }
    Document::parse(policy).ok()
}

/// A statement in a line: `statement Sid: * may s3:GetObject`.
pub fn shown(statement: &Statement) -> String {
    let name = match &statement.sid {
        Some(sid) if !sid.is_empty() => format!("statement {sid}"),
        _ => format!("statement {}", statement.index),
    };
    let list = statement.actions.texts.join(", ");
    let actions = if statement.actions.inverted { format!("everything but {list}") } else { list };
    let who = match &statement.principals {
        // A NotPrincipal in an Allow lets in everybody it does not name.
        Some(principals) if principals.inverted => "* may ".to_owned(),
        Some(principals) => {
            let names: Vec<&str> = principals.entries.iter().map(PrincipalEntry::text).collect();
            format!("{} may ", names.join(", "))
        }
        None => String::new(),
    };
    format!("{name}: {who}{actions}")
}

/// The places of statements that were left out because they cannot be read, and that seem to let anyone in.
pub fn lost_open(document: &Document) -> Vec<usize> {
    document.problems.iter().filter(|p| p.may_be_open).filter_map(|p| p.statement).collect()
}

/// Whether a statement's action element and `pattern` (`s3:Get*`) have an action in common, as far as one covering the
/// other tells.
pub fn speaks_of(statement: &Statement, pattern: &str) -> bool {
    let wanted = pattern.to_ascii_lowercase();
    let covered = |text: &str| glob(&text.to_ascii_lowercase(), &wanted);
    let texts = &statement.actions.texts;
    if statement.actions.inverted {
        return !texts.iter().any(|t| covered(t));
    }
    texts.iter().any(|t| covered(t) || glob(&wanted, &t.to_ascii_lowercase()))
}

/// Whether a statement is about every resource, or every one but some.
fn on_everything(statement: &Statement) -> bool {
    statement.resources.as_ref().is_some_and(|r| r.inverted || r.is_everything())
}

/// The Allow statements that give every action on every resource, or on all but some, without a condition; none when a
/// Deny in the document takes it back.
pub fn admin_statements(document: &Document) -> Vec<&Statement> {
    let unconditional = |s: &&Statement| s.actions.is_everything() && s.conditions.is_empty();
    let denied = document.statements.iter().filter(|s| s.effect == Effect::Deny).filter(unconditional);
    if denied.into_iter().any(|s| s.resources.as_ref().is_some_and(|r| r.is_everything())) {
        return Vec::new();
    }
    allows_of(document).filter(unconditional).filter(|s| on_everything(s)).collect()
}

/// The `service:*` that Allow statements give on every resource, as written, sorted.
pub fn service_wildcards(document: &Document) -> Vec<String> {
    let mut found: Vec<String> = allows_of(document)
        .filter(|s| on_everything(s) && !s.actions.inverted)
        .flat_map(|s| s.actions.texts.iter())
        .filter(|a| a.ends_with(":*") && !a.starts_with('*'))
        .map(ToString::to_string)
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Which of the actions that a policy gives on everything are asked about; see [`unrestricted`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wide {
    /// Those that could be limited to resources.
    Any,
    /// Those that change something, and could be limited to resources.
    Write,
    /// Those that change who may do what, and could be limited to resources.
    Permissions,
    /// Those that read the content of objects, parameters and secrets.
    Data,
    /// Those that answer with a credential.
    Credentials,
}

impl Wide {
    /// By the name a rule page uses.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "any" => Self::Any,
            "write" => Self::Write,
            "permissions" => Self::Permissions,
            "data" => Self::Data,
            "credentials" => Self::Credentials,
            _ => return None,
        })
    }
}

const DATA: &[&str] = &[
    "s3:GetObject",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter",
    "ssm:GetParameters",
    "ssm:GetParametersByPath",
];

/// Actions that answer with a credential, and can be limited to resources. Source: the documentation of each.
const CREDENTIALS: &[&str] = &[
    "airflow:CreateCliToken",
    "airflow:CreateWebLoginToken",
    "cloud9:CreateEnvironmentToken",
    "codeartifact:GetAuthorizationToken",
    "codepipeline:PollForJobs",
    "cognito-identity:GetOpenIdTokenForDeveloperIdentity",
    "cognito-idp:GetSigningCertificate",
    "connect:GetFederationToken",
    "ec2:GetPasswordData",
    "emr-containers:GetManagedEndpointSessionCredentials",
    "gamelift:GetInstanceAccess",
    "gamelift:RequestUploadCredentials",
    "grafana:CreateWorkspaceApiKey",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreateServiceSpecificCredential",
    "iam:ResetServiceSpecificCredential",
    "iam:UpdateAccessKey",
    "lightsail:CreateBucketAccessKey",
    "lightsail:GetInstanceAccessDetails",
    "lightsail:GetRelationalDatabaseMasterUserPassword",
    "mediapackage:RotateChannelCredentials",
    "mediapackage:RotateIngestEndpointCredentials",
    "rds-db:connect",
    "redshift-serverless:GetCredentials",
    "redshift:GetClusterCredentials",
    "redshift:GetClusterCredentialsWithIAM",
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:GetFederationToken",
];

/// Actions that answer with a credential, and take `*` only.
const CREDENTIALS_OF_ALL: &[&str] = &[
    "appsync:CreateApiKey",
    "chime:CreateApiKey",
    "cognito-identity:GetCredentialsForIdentity",
    "cognito-identity:GetOpenIdToken",
    "ecr-public:GetAuthorizationToken",
    "license-manager:GetAccessToken",
    "lightsail:DownloadDefaultKeyPair",
    "sts:GetSessionToken",
];

/// How many names [`unrestricted`] gives at most: enough to act on.
const SHOWN: usize = 10;

/// Actions that Allow statements give on every resource without a condition, of the kind asked about: at most
/// ten. Of `Credentials`, also actions that cannot be limited to resources at all. What an
/// unconditional Deny takes back on everything does not count.
pub fn unrestricted(document: &Document, what: Wide) -> Vec<String> {
    let denied = |lower: &str| {
        document.statements.iter().any(|s| {
            s.effect == Effect::Deny
                && s.conditions.is_empty()
                && s.resources.as_ref().is_none_or(|r| r.is_everything())
                && s.actions.matches(lower)
        })
    };
    let given = |lower: &str, limitable: bool| {
        allows_of(document)
            .filter(|s| s.conditions.is_empty() && (on_everything(s) || !limitable))
            .any(|s| s.actions.matches(lower))
            && !denied(lower)
    };
    // The table of all actions is large: it is opened only for a document that needs it.
    let of = |names: &'static [&'static str], limitable: bool| {
        names.iter().filter(move |name| given(&name.to_ascii_lowercase(), limitable)).map(ToString::to_string)
    };
    let level = |wanted: Option<Level>| {
        let wide: Vec<&Statement> =
            allows_of(document).filter(|s| s.conditions.is_empty() && on_everything(s)).collect();
        let named = if wide.is_empty() { Vec::new() } else { spans(wide.iter().map(|s| &s.actions), actions()) };
        let table = named.into_iter().flatten().filter_map(|at| actions().get(at));
        let asked = move |a: &&Action| !a.types.is_empty() && wanted.is_none_or(|level| a.level == level);
        table.filter(asked).filter(|a| given(a.lower, true)).take(SHOWN).map(|a| a.name.to_string()).collect()
    };
    match what {
        Wide::Any => level(None),
        Wide::Write => level(Some(Level::Write)),
        Wide::Permissions => level(Some(Level::Permissions)),
        Wide::Data => of(DATA, true).collect(),
        Wide::Credentials => of(CREDENTIALS, true).chain(of(CREDENTIALS_OF_ALL, false)).take(SHOWN).collect(),
    }
}

/// Where in the table actions can stand that any of these elements name: in order, none twice.
fn spans<'a>(elements: impl Iterator<Item = &'a Actions>, table: &data::Actions) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = Vec::new();
    for element in elements {
        match element.inverted {
            true => all.push(0..table.len()),
            false => all.extend(element.patterns().iter().map(|pattern| pattern.within(table))),
        }
    }
    all.sort_by_key(|span| span.start);
    let mut end = 0;
    for span in &mut all {
        *span = span.start.max(end)..span.end.max(end);
        end = end.max(span.end);
    }
    all
}

/// Whether the document allows an action on some resource, and no unconditional Deny takes it back on all of them.
pub fn gives(document: &Document, action: &str) -> bool {
    gives_where(document, action, |_| true)
}

fn gives_where(document: &Document, action: &str, counts: impl Fn(&Statement) -> bool) -> bool {
    let lower = action.to_ascii_lowercase();
    let denied = document.statements.iter().any(|s| {
        s.effect == Effect::Deny
            && s.conditions.is_empty()
            && s.resources.as_ref().is_none_or(|r| r.is_everything())
            && s.actions.matches(&lower)
    });
    !denied && allows_of(document).any(|s| speaks_of(s, action) && counts(s))
}

/// Whether a statement's resources can be of the action's service: every action on one bucket gives nothing in IAM.
fn within_reach(statement: &Statement, action: &str) -> bool {
    let service = action.split(':').next().unwrap_or_default();
    let of_service = |text: &str| match text.split(':').nth(2) {
        Some(named) => named.contains(['*', '?', '$']) || named.eq_ignore_ascii_case(service),
        None => true,
    };
    statement.resources.as_ref().is_none_or(|r| r.inverted || r.texts.iter().any(|t| of_service(t)))
}

/// Actions that together give more privilege than they seem to, wherever they stand. Sources: Rhino Security Labs' list
/// and pathfinding.cloud.
const ESCALATIONS: [&[&str]; 22] = [
    &["iam:CreatePolicyVersion"],
    &["iam:SetDefaultPolicyVersion"],
    &["iam:CreateAccessKey"],
    &["iam:CreateLoginProfile"],
    &["iam:UpdateLoginProfile"],
    &["iam:AttachUserPolicy"],
    &["iam:AttachGroupPolicy"],
    &["iam:AttachRolePolicy"],
    &["iam:PutUserPolicy"],
    &["iam:PutGroupPolicy"],
    &["iam:PutRolePolicy"],
    &["iam:AddUserToGroup"],
    &["iam:UpdateAssumeRolePolicy"],
    &["iam:PassRole", "ec2:RunInstances"],
    &["iam:PassRole", "lambda:CreateFunction"],
    &["iam:PassRole", "glue:CreateDevEndpoint"],
    &["iam:PassRole", "cloudformation:CreateStack"],
    &["iam:PassRole", "datapipeline:CreatePipeline", "datapipeline:PutPipelineDefinition"],
    &["iam:PassRole", "codebuild:CreateProject"],
    &["iam:PassRole", "sagemaker:CreateNotebookInstance"],
    &["iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:RunTask"],
    &["lambda:UpdateFunctionCode"],
];

/// The ways to more privilege a document gives by itself, as `action + action`; whether the account lets one walk them
/// is the business of [`crate::identity::aws::escalations`].
pub fn escalations(document: &Document) -> Vec<String> {
    let held =
        |needed: &&&[&str]| needed.iter().all(|action| gives_where(document, action, |s| within_reach(s, action)));
    ESCALATIONS.iter().filter(held).map(|needed| needed.join(" + ")).collect()
}

/// Which definition of "public" applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Definition {
    /// Anyone outside the account's zone of trust could use it.
    #[default]
    Reachable,
    /// What S3 Block Public Access calls public: wildcards in a limiting value make it worthless.
    S3,
}

/// A statement that admits anyone.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PublicStatement {
    /// Its Sid or place in the document, `#0`.
    pub statement: String,
    /// The actions as written, `NotAction` entries prefixed with `!`.
    pub actions: Vec<String>,
    /// The conditions that do not limit it, as `operator key`.
    pub conditions: Vec<String>,
}

/// The Allow statements that admit anyone: a wildcard principal (or `NotPrincipal`) and no condition that ties the
/// caller to fixed accounts, organizations, networks or resources.
///
/// Deny statements are not looked at; one such statement makes a resource policy public.
pub fn public_statements(document: &Document, definition: Definition) -> Vec<PublicStatement> {
    allows_of(document)
        .filter(|s| s.principals.as_ref().is_some_and(|p| p.is_open()))
        .filter(|s| !s.conditions.iter().any(|c| limits(c, definition)))
        .map(|s| PublicStatement {
            statement: s.label(),
            actions: s
                .actions
                .texts
                .iter()
                .map(|t| format!("{}{t}", if s.actions.inverted { "!" } else { "" }))
                .collect(),
            conditions: s.conditions.iter().map(|c| format!("{} {}", c.text, c.key_text)).collect(),
        })
        .collect()
}

/// The statements of [`public_statements`] that no Deny for everyone takes back, or narrows to callers it names
/// (`StringNotEquals aws:PrincipalOrgID`).
pub fn open_statements(document: &Document, definition: Definition) -> impl Iterator<Item = &Statement> {
    document.statements.iter().filter(move |s| crate::exposure::policies::admits_anyone(document, s, definition))
}

/// Whether any statement admits anyone; see [`public_statements`].
pub fn is_public(document: &Document, definition: Definition) -> bool {
    !public_statements(document, definition).is_empty()
}

fn allows_of(document: &Document) -> impl Iterator<Item = &Statement> {
    document.statements.iter().filter(|s| s.effect == Effect::Allow)
}

/// Keys whose values name accounts, organizations, networks or resources that AWS vouches for.
const PLAIN_LIMITS: &[&str] = &[
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalservicename",
    "aws:principalservicenameslist",
    "aws:sourceaccount",
    "aws:sourceorgid",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:userid",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "kms:calleraccount",
    "s3:dataaccesspointaccount",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
];

/// Whether a condition limits who can use a statement, whatever else the caller sends.
///
/// A positive operator with fixed values on a key AWS sets. `…IfExists` and `ForAllValues` do not limit: they hold
/// when the key is absent.
pub fn limits(condition: &Condition, definition: Definition) -> bool {
    if condition.negated
        || condition.if_exists
        || condition.quantifier == Quantifier::All
        || condition.values.is_empty()
    {
        return false;
    }
    let textual = matches!(condition.operator, Operator::StringEquals { .. } | Operator::StringLike | Operator::Arn);
    let key = condition.key.as_ref();
    let every = |fixed: &dyn Fn(&str) -> bool| condition.values.iter().all(|v| fixed(&without_holes(v)));
    let plain = |v: &str| !v.is_empty() && !v.contains(['*', '?']) && !v.contains("${");
    match key {
        "aws:sourceip" | "aws:vpcsourceip" => condition.operator == Operator::IpAddress && every(&narrow),
        "aws:principalisawsservice" => {
            condition.operator == Operator::Bool && every(&|v| v.eq_ignore_ascii_case("true"))
        }
        "aws:principalorgpaths" | "aws:sourceorgpaths" | "aws:vpceorgpaths" => {
            textual && every(&|v| v.split('/').next().is_some_and(plain))
        }
        "aws:principalarn" | "s3:dataaccesspointarn" => textual && every(&account_fixed),
        "aws:sourcearn" => {
            textual && every(&|v| if definition == Definition::S3 { plain(v) } else { account_fixed(v) || plain(v) })
        }
        _ if PLAIN_LIMITS.contains(&key) => textual && every(&plain),
        _ => false,
    }
}

/// A text of code with an account number in place of each `${aws_sns_topic.t.arn}` or `${AWS::AccountId}`: what stands there
/// when it is deployed is one name, be it not known yet. Policy variables, `${aws:PrincipalAccount}`, stay: they are anything.
fn without_holes(text: &str) -> Cow<'_, str> {
    let variable = |inside: &str| match inside.split_once(':') {
        Some((prefix, rest)) => !rest.starts_with(':') && !prefix.contains(['.', '[', '"']),
        None => matches!(inside, "*" | "?" | "$"),
    };
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, (inside, after))) =
        rest.split_once("${").and_then(|(before, hole)| Some((before, hole.split_once('}')?)))
    {
        out.push_str(before);
        match variable(inside) {
            true => out.push_str(&format!("${{{inside}}}")),
            false => out.push_str("000000000000"),
        }
        rest = after;
    }
    if out.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(out + rest) }
}

/// Whether an ARN pattern names its account.
fn account_fixed(text: &str) -> bool {
    Arn::parse(text).is_some_and(|arn| is_account_id(arn.account()))
}

/// Whether a CIDR is private or narrower than a whole region of the internet (`/8`, `/32` for IPv6).
fn narrow(text: &str) -> bool {
    let Some((address, bits)) = network(text) else { return false };
    match address {
        IpAddr::V4(_) => bits >= 8,
        IpAddr::V6(a) => bits >= 32 || (a.is_unique_local() && bits >= 7),
    }
}

/// Whether the document, as an identity policy, allows everything on everything without a condition.
///
/// A Deny in the same document that takes everything back is honoured.
pub fn allows_admin(document: &Document) -> bool {
    let everything = |s: &Statement| {
        s.actions.is_everything() && s.resources.as_ref().is_some_and(|r| r.is_everything()) && s.conditions.is_empty()
    };
    let denied = document.statements.iter().any(|s| s.effect == Effect::Deny && everything(s));
    !denied && allows_of(document).any(everything)
}

/// Whether the document allows `action` on `resource`, conditions of unknown keys aside.
///
/// `Maybe` when it depends on a condition; principals are not looked at. An action and resource may be `*` to ask
/// about everything.
pub fn allows(document: &Document, action: &str, resource: &str) -> Tri {
    let context = Context::with_rest(|_| crate::identity::aws::context::Fact::Unknown);
    let action = action.to_ascii_lowercase();
    let resource = ResourceText::from(resource);
    let result = |effect| {
        document
            .statements
            .iter()
            .filter(|s| s.effect == effect)
            .fold(Tri::No, |any, s| any.or(s.applies(&action, &resource, &context)))
    };
    result(Effect::Allow).and(result(Effect::Deny).negate())
}

/// Whether the document denies every caller without TLS: a Deny for everyone, of `service:*` or more, on nothing but
/// `aws:SecureTransport` being false, or `s3:TlsVersion` being too old or absent (`NumericLessThanIfExists`).
pub fn denies_insecure_transport(document: &Document) -> bool {
    let plain = |c: &Condition| {
        c.operator == Operator::Bool
            && !c.values.is_empty()
            && c.key.as_ref() == "aws:securetransport"
            && c.values.iter().all(|v| v.eq_ignore_ascii_case("false"))
    };
    let old = |c: &Condition| {
        matches!(c.operator, Operator::Numeric(Order::Less | Order::LessOrEqual))
            && c.if_exists
            && c.key.as_ref() == "s3:tlsversion"
    };
    document.statements.iter().any(|s| {
        s.effect == Effect::Deny
            && s.principals.as_ref().is_some_and(|p| p.is_open() && !p.inverted)
            && !s.actions.inverted
            && s.actions.texts.iter().any(|t| &**t == "*" || t.ends_with(":*"))
            && matches!(s.conditions.as_ref(), [c] if plain(c) || old(c))
    })
}

/// An account outside that a document admits.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ExternalGrant {
    /// The account id.
    pub account: String,
    /// The principal as written.
    pub principal: String,
    /// The statement's Sid or place.
    pub statement: String,
    /// Whether an external id is asked for.
    pub external_id: bool,
    /// Whether any condition applies.
    pub conditioned: bool,
}

/// The accounts other than `own` and `trusted` that Allow statements name.
pub fn external_accounts(document: &Document, own: &str, trusted: &[&str]) -> Vec<ExternalGrant> {
    let mut out = Vec::new();
    for statement in allows_of(document) {
        let Some(principals) = statement.principals.as_ref().filter(|p| !p.inverted) else { continue };
        for entry in &principals.entries {
            let Some(account) = entry.account() else { continue };
            if account != own && !trusted.contains(&account) {
                out.push(ExternalGrant {
                    account: account.into(),
                    principal: entry.text().into(),
                    statement: statement.label(),
                    external_id: statement.conditions.iter().any(|c| c.key.as_ref() == "sts:externalid" && !c.negated),
                    conditioned: !statement.conditions.is_empty(),
                });
            }
        }
    }
    out
}

/// Whether an Allow statement names a service, `lambda.amazonaws.com`.
pub fn trusts_service(document: &Document, service: &str) -> bool {
    allows_of(document)
        .filter_map(|s| s.principals.as_ref())
        .any(|p| p.entries.iter().any(|e| matches!(e, PrincipalEntry::Service(name) if &**name == service)))
}

/// A statement that admits an OIDC provider's identities.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OidcTrust {
    /// The issuer without scheme: `token.actions.githubusercontent.com`.
    pub issuer: String,
    /// The statement's Sid or place.
    pub statement: String,
    /// Whether a condition ties the token's subject to someone in particular.
    pub subject_bound: bool,
    /// Whether a condition ties the token's audience.
    pub audience_bound: bool,
}

/// The statements that admit identities of OIDC providers.
pub fn oidc_trusts(document: &Document) -> Vec<OidcTrust> {
    let mut out = Vec::new();
    for statement in allows_of(document) {
        for entry in statement.principals.iter().flat_map(|p| p.entries.iter()) {
            let PrincipalEntry::Federated(provider) = entry else { continue };
            if provider.contains(":saml-provider/") {
                continue;
            }
            let issuer = provider.split_once(":oidc-provider/").map_or(&**provider, |(_, issuer)| issuer);
            out.push(OidcTrust {
                issuer: issuer.into(),
                statement: statement.label(),
                subject_bound: bound(
                    statement,
                    issuer,
                    &[
                        "sub",
                        "repository",
                        "repository_owner",
                        "repository_id",
                        "repository_owner_id",
                        "project_id",
                        "namespace_id",
                    ],
                ),
                audience_bound: bound(statement, issuer, &["aud", "app_id"]),
            });
        }
    }
    out
}

/// Whether every OIDC provider the document admits is bound by the token's subject; true when it admits none.
pub fn oidc_trust_bound(document: &Document) -> bool {
    oidc_trusts(document).iter().all(|t| t.subject_bound)
}

/// Whether a positive condition fixes one of an issuer's claims.
fn bound(statement: &Statement, issuer: &str, claims: &[&str]) -> bool {
    let issuer = issuer.to_lowercase();
    statement.conditions.iter().any(|c| {
        let claim = c.key.strip_prefix(issuer.as_str()).and_then(|rest| rest.strip_prefix(':'));
        claim.is_some_and(|claim| claims.contains(&claim))
            && !c.negated
            && !c.if_exists
            && c.quantifier != Quantifier::All
            && matches!(c.operator, Operator::StringEquals { .. } | Operator::StringLike)
            && !c.values.is_empty()
            && c.values.iter().all(|v| names_someone(v, c.operator))
    })
}

/// Whether a subject pattern says who, before its first wildcard: `repo:org/…` does, `repo:*` does not.
fn names_someone(value: &str, operator: Operator) -> bool {
    if operator != Operator::StringLike {
        return !value.is_empty();
    }
    let fixed = value.split(['*', '?']).next().unwrap_or_default();
    if fixed.len() == value.len() {
        return !value.is_empty();
    }
    // All segments but the last are complete; the last was cut by the wildcard.
    let segments: Vec<&str> = fixed.split(':').collect();
    match segments.as_slice() {
        [alone] => alone.contains('/') || alone.len() >= 8,
        // A service account of a cluster: the namespace must be whole.
        ["system", "serviceaccount", namespace, _, ..] => !namespace.is_empty(),
        ["system", ..] => false,
        // An owner with a slash behind it is whole, wherever it stands.
        segments if segments.iter().any(|s| s.split_once('/').is_some_and(|(owner, _)| !owner.is_empty())) => true,
        [first, last] => last.is_empty() && first.len() >= 8,
        // `organization:acme:project:*`: a word, then a whole name.
        [_, name, ..] => !name.is_empty(),
        [] => false,
    }
}

/// Issuers where anyone can get a token.
const PUBLIC_ISSUERS: &[&str] = &[
    "token.actions.githubusercontent.com",
    "gitlab.com",
    "app.terraform.io",
    "agent.buildkite.com",
    "oidc.circleci.com",
    "api.bitbucket.org",
    "accounts.google.com",
    "www.amazon.com",
    "graph.facebook.com",
    "appleid.apple.com",
    "login.microsoftonline.com",
    "cognito-identity.amazonaws.com",
    "vercel.com",
    "oidc.vercel.com",
    "spacelift.io",
    "oidc.fly.io",
    "token.dev.azure.com",
];

/// The providers whose identities the document admits without saying whose: `(issuer, statement, unauthenticated)`.
///
/// Only issuers where anyone can get a token count; `unauthenticated` marks Cognito identities that need no sign-in.
pub fn open_providers(document: &Document) -> Vec<(String, String, bool)> {
    let mut out = Vec::new();
    for trust in oidc_trusts(document) {
        let host = trust.issuer.split('/').next().unwrap_or_default();
        if !PUBLIC_ISSUERS.contains(&host) {
            continue;
        }
        let Some(statement) = document.statements.iter().find(|s| s.label() == trust.statement) else { continue };
        if host == "cognito-identity.amazonaws.com" {
            let amr = statement.conditions.iter().find(|c| c.key.ends_with(":amr") && !c.negated);
            let unauthenticated = amr.is_some_and(|c| c.values.iter().any(|v| &**v == "unauthenticated"));
            if unauthenticated || !trust.audience_bound {
                out.push((trust.issuer, trust.statement, unauthenticated));
            }
            continue;
        }
        let google =
            matches!(host, "accounts.google.com" | "www.amazon.com" | "graph.facebook.com" | "appleid.apple.com");
        if !(trust.subject_bound || google && trust.audience_bound) {
            out.push((trust.issuer, trust.statement, false));
        }
    }
    out
}

/// The Allow statements that hand out a whole service (`s3:*`) or everything (`*`), by their Sid or place.
///
/// With `service` empty, statements with any `service:*` count.
pub fn wildcard_actions(document: &Document, service: &str) -> Vec<String> {
    let whole = |text: &str| {
        text == "*"
            || text
                .strip_suffix(":*")
                .is_some_and(|s| service.is_empty() || s.eq_ignore_ascii_case(service) || s == "*")
    };
    allows_of(document)
        .filter(|s| s.actions.inverted || s.actions.texts.iter().any(|t| whole(t)))
        .map(Statement::label)
        .collect()
}

/// A service a document admits without saying for whom it acts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Deputy {
    /// The service.
    pub service: String,
    /// The statement's Sid or place.
    pub statement: String,
}

/// The service principals a resource policy admits without `aws:SourceArn`, `aws:SourceAccount`, `aws:SourceOrgID`
/// or `aws:SourceOrgPaths`: anyone could make the service call.
pub fn confused_deputy(document: &Document) -> Vec<Deputy> {
    const SOURCES: &[&str] = &[
        "aws:sourcearn",
        "aws:sourceaccount",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourceowner",
        "aws:principalorgid",
    ];
    let mut out = Vec::new();
    for statement in allows_of(document) {
        let tied = statement.conditions.iter().any(|c| {
            SOURCES.contains(&c.key.as_ref()) && !c.negated && c.values.iter().all(|v| !v.bytes().all(|b| b == b'*'))
        });
        if tied {
            continue;
        }
        for entry in statement.principals.iter().flat_map(|p| p.entries.iter()) {
            if let PrincipalEntry::Service(name) = entry {
                out.push(Deputy { service: name.to_string(), statement: statement.label() });
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doc(statement: &str) -> Document {
        Document::parse(format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)).expect("the test's policy")
    }

    #[test]
    fn spans_hold_all_that_is_named_once_and_in_order() {
        for actions in [
            r#""s3:*""#,
            r#"["s3:GetObject","s3:Get*","ec2:*","S3:*Object","nosuch:Thing","*:bad"]"#,
            r#"["iam:*","iam:Put?serPolicy","sts:AssumeRole","a4b:*"]"#,
            r#"["sqs:SendMessage","*"]"#,
            r#""""#,
        ] {
            for key in ["Action", "NotAction"] {
                let document = doc(&format!(r#"{{"Effect":"Allow","{key}":{actions},"Resource":"*"}}"#));
                let element = &document.statements[0].actions;
                let spans: Vec<usize> = spans([element].into_iter(), actions_table()).into_iter().flatten().collect();
                assert!(spans.is_sorted_by(|a, b| a < b), "{key} {actions}: in order, none twice");
                let named = (0..actions_table().len())
                    .filter(|at| actions_table().get(*at).is_some_and(|a| element.matches(a.lower)));
                let missed: Vec<usize> = named.filter(|at| spans.binary_search(at).is_err()).collect();
                assert!(missed.is_empty(), "{key} {actions}: {missed:?}");
            }
        }
    }

    fn actions_table() -> &'static data::Actions {
        actions()
    }

    #[test]
    fn public() {
        let with = |condition: &str| {
            doc(&format!(
                r#"{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*","Condition":{condition}}}"#
            ))
        };
        for (condition, reachable, s3) in [
            ("{}", true, true),
            (r#"{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#, false, false),
            (r#"{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-1"}}"#, true, true),
            (r#"{"StringNotEquals":{"aws:PrincipalOrgID":"o-1"}}"#, true, true),
            (r#"{"StringLike":{"aws:PrincipalOrgID":"o-*"}}"#, true, true),
            (r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#, false, false),
            (r#"{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#, true, true),
            (r#"{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","0.0.0.0/1"]}}"#, true, true),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:111111111111:*"}}"#, false, true),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:*:*"}}"#, true, true),
            (r#"{"Bool":{"aws:SecureTransport":"true"}}"#, true, true),
            (r#"{"StringLike":{"aws:Referer":"https://x/*"}}"#, true, true),
            (r#"{"StringEquals":{"aws:SourceVpce":"vpce-1"}}"#, false, false),
            (r#"{"StringEquals":{"aws:SourceAccount":"${aws:PrincipalAccount}"}}"#, true, true),
            (r#"{"ArnEquals":{"aws:SourceArn":"${aws_sns_topic.t[\"a:b\"].arn}"}}"#, false, false),
            (r#"{"StringEquals":{"aws:SourceAccount":"${data.aws_caller_identity.here.account_id}"}}"#, false, false),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:${AWS::AccountId}:*"}}"#, false, true),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:${aws:PrincipalAccount}:*"}}"#, true, true),
            (r#"{"ForAllValues:StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#, true, true),
        ] {
            assert_eq!(is_public(&with(condition), Definition::Reachable), reachable, "{condition}");
            assert_eq!(is_public(&with(condition), Definition::S3), s3, "{condition}");
        }
        let named = r#"{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"*","Resource":"*"}"#;
        assert!(!is_public(&doc(named), Definition::S3));
        let but = r#"{"Effect":"Allow","NotPrincipal":{"AWS":"111111111111"},"Action":"*","Resource":"*"}"#;
        assert!(is_public(&doc(but), Definition::S3));
    }

    #[test]
    fn administrators() {
        for (statement, want) in [
            (r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#, true),
            (r#"{"Effect":"Allow","Action":["s3:*","*:*"],"Resource":["*"]}"#, true),
            (r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b"}"#, false),
            (r#"{"Effect":"Allow","Action":"iam:*","Resource":"*"}"#, false),
            (
                r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}"#,
                false,
            ),
            (
                r#"[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*"}]"#,
                false,
            ),
        ] {
            assert_eq!(allows_admin(&doc(statement)), want, "{statement}");
        }
    }

    #[test]
    fn trusts() {
        let github = |condition: &str| {
            doc(&format!(
                r#"{{"Effect":"Allow","Principal":{{"Federated":"arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"}},
                "Action":"sts:AssumeRoleWithWebIdentity","Condition":{condition}}}"#
            ))
        };
        let sub = |operator: &str, value: &str| {
            format!(r#"{{"{operator}":{{"token.actions.githubusercontent.com:sub":"{value}"}}}}"#)
        };
        for (condition, want) in [
            ("{}".to_owned(), false),
            (r#"{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"}}"#.into(), false),
            (sub("StringEquals", "repo:acme/app:ref:refs/heads/main"), true),
            (sub("StringLike", "repo:acme/*"), true),
            (sub("StringLike", "repo:acme/app:*"), true),
            (sub("StringLike", "repo:acme/app:ref:refs/heads/*"), true),
            (sub("StringLike", "organization:acme:project:*"), true),
            (sub("StringLike", "system:serviceaccount:shop:*"), true),
            (sub("StringLike", "system:serviceaccount:*"), false),
            (sub("StringLike", "system:*"), false),
            (sub("StringLike", "repo:acme*"), false),
            (sub("StringLike", "repo:*/app:*"), false),
            (sub("StringLike", "repo:*"), false),
            (sub("StringLike", "*"), false),
            (sub("StringLikeIfExists", "repo:acme/*"), false),
        ] {
            assert_eq!(oidc_trust_bound(&github(&condition)), want, "{condition}");
            assert_eq!(open_providers(&github(&condition)).is_empty(), want, "{condition}");
        }
        let lambda =
            doc(r#"{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}"#);
        assert!(trusts_service(&lambda, "lambda.amazonaws.com"));
        assert!(!trusts_service(&lambda, "ec2.amazonaws.com"));
        assert_eq!(confused_deputy(&lambda).len(), 1);
        let vendor = doc(
            r#"{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::222222222222:root","333333333333","111111111111"]},
            "Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x"}}}"#,
        );
        let found = external_accounts(&vendor, "111111111111", &["333333333333"]);
        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|g| g.account == "222222222222" && g.external_id));
    }

    #[test]
    fn transport() {
        for (statement, want) in [
            (
                r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}"#,
                true,
            ),
            (
                r#"{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}"#,
                false,
            ),
            (
                r#"{"Effect":"Deny","Principal":{"AWS":"111111111111"},"Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}"#,
                false,
            ),
            (
                r#"{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}"#,
                false,
            ),
        ] {
            assert_eq!(denies_insecure_transport(&doc(statement)), want, "{statement}");
        }
    }
}
