//! Decisions by the line: one JSON request in, one JSON answer out.

use super::{
    context::{Context, Fact},
    decide::{Grant, Level, Policies, Request, Unread, decide},
    document::{Document, Policy, strings},
    principal::{Caller, CallerKind},
};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// Answers one line of `can --batch`.
///
/// The line is an object with `id`, `request` (`principal`, `action`, `resource`, `resource_account`, `context`) and
/// the policies `identity`, `resource_policy`, `boundaries`, `session`, `scps`, `rcps`, `endpoint_policies`,
/// `grants`; `principal_tags`, `resource_tags` and `request_tags` stand for their condition keys. A policy is a document, its JSON text, or `{name, policy}`. A context value of `null` means the key's
/// value is not known; a policy layer given as `{"unknown": …}` could not be read.
///
/// The answer is `{id, decision, because, residual}`, with `notes` where something in the line was passed over, or `{id, error}` for a line that cannot be understood.
pub fn can_line(line: &str) -> String {
    let parsed: Json = match serde_json::from_str(line) {
        Ok(json) => json,
        Err(e) => return json!({"id": null, "error": format!("line is not JSON: {e}")}).to_string(),
    };
    let id = parsed.get("id").cloned().unwrap_or(Json::Null);
    match answer(&parsed) {
        Ok((decision, because, residual, notes)) => {
            let mut said = json!({"id": id, "decision": decision, "because": because, "residual": residual});
            if let (false, Some(members)) = (notes.is_empty(), said.as_object_mut()) {
                members.insert("notes".into(), json!(notes));
            }
            said.to_string()
        }
        Err(error) => json!({"id": id, "error": error}).to_string(),
    }
}

type Answer = (&'static str, Json, Json, Vec<String>);

/// Looks a member up under any of its spellings, case and underscores aside.
fn member<'a>(object: &'a Map<String, Json>, names: &[&str]) -> Option<&'a Json> {
    let plain = |s: &str| s.chars().filter(|c| *c != '_' && *c != '-').flat_map(char::to_lowercase).collect::<String>();
    names
        .iter()
        .find_map(|name| object.get(*name))
        .or_else(|| object.iter().find(|(key, _)| names.iter().any(|n| plain(n) == plain(key))).map(|(_, v)| v))
        .filter(|v| !v.is_null())
}

fn answer(line: &Json) -> Result<Answer, String> {
    let Json::Object(top) = line else { return Err("line is not a JSON object".into()) };
    let request = match member(top, &["request"]) {
        Some(Json::Object(request)) => request,
        Some(_) => return Err("`request` is not an object".into()),
        None => top,
    };
    let caller = caller(member(request, &["principal", "caller"]))?;
    let action = member(request, &["action"]).and_then(Json::as_str).ok_or("`request.action` is not a string")?;
    let (resource, nested_account) = match member(request, &["resource"]) {
        Some(Json::String(text)) => (text.as_str(), None),
        Some(Json::Object(inner)) => (
            member(inner, &["resource", "arn"]).and_then(Json::as_str).unwrap_or("*"),
            member(inner, &["account_id", "account"]).and_then(Json::as_str),
        ),
        None => ("*", None),
        Some(_) => return Err("`request.resource` is not a string".into()),
    };
    let account = member(request, &["resource_account", "resource_account_id"]).map(strings).unwrap_or_default();
    let account = account.first().map(AsRef::as_ref).or(nested_account);
    let mut context = context(member(request, &["context", "context_variables", "context_keys"]))?;
    for (names, prefix) in [
        (["principal_tags", "caller_tags"], "aws:PrincipalTag/"),
        (["resource_tags", "existing_tags"], "aws:ResourceTag/"),
        (["request_tags", "new_tags"], "aws:RequestTag/"),
    ] {
        if let Some(Json::Object(tags)) = member(request, &names).or_else(|| member(top, &names)) {
            tags.iter().for_each(|(key, value)| context.set(&format!("{prefix}{key}"), strings(value)));
        }
    }

    let mut unread = Unread::default();
    let identity = layer(member(top, &["identity", "identity_policies"]), "identity", &mut unread.identity)?;
    let boundary = layer(
        member(top, &["boundaries", "boundary", "permission_boundaries", "permission_boundary_policies"]),
        "boundary",
        &mut unread.boundary,
    )?;
    let session =
        layer(member(top, &["session", "session_policies", "session_policy"]), "session", &mut unread.session)?;
    let mut resource_policies =
        layer(member(top, &["resource_policy", "resource_policies"]), "resource", &mut unread.resource)?
            .unwrap_or_default();
    let resource_policy = match resource_policies.len() {
        0 | 1 => resource_policies.pop(),
        _ => Some(Arc::new(join(&resource_policies))),
    };
    let endpoint = layer(
        member(top, &["endpoint_policies", "vpc_endpoint_policies", "endpoint_policy"]),
        "endpoint",
        &mut unread.endpoint,
    )?;
    let mut scps = levels(member(top, &["scps", "service_control_policies"]), "scp", &mut unread.scps)?;
    let mut rcps = levels(member(top, &["rcps", "resource_control_policies"]), "rcp", &mut unread.rcps)?;
    let told =
        |names: &[&str]| member(top, names).or_else(|| member(request, names)).and_then(Json::as_bool).unwrap_or(false);
    if told(&["management_account", "principal_is_management", "is_management_account"])
        || told(&["service_linked_role", "principal_is_service_linked"])
    {
        scps.clear();
    }
    if told(&["resource_in_management_account", "resource_is_management"]) {
        rcps.clear();
    }
    let grants = grants(member(top, &["grants", "kms_grants"]));

    let mut notes = Vec::new();
    if member(request, &["principal", "caller"]).is_none() {
        notes.push("no principal is named: it is taken as anonymous".to_owned());
    }
    let sets = [&identity, &boundary, &session, &endpoint].into_iter().flatten().flatten();
    let of_levels = scps.iter().chain(&rcps).flat_map(|level| &level.policies);
    for policy in sets.chain(of_levels).chain(&resource_policy) {
        notes.extend(policy.document.problems.iter().map(|p| match p.statement {
            Some(at) => format!("{} statement {at}: {}", policy.name, p.what),
            None => format!("{}: {}", policy.name, p.what),
        }));
    }

    let request = Request::new(caller, action, resource, account, context);
    let decision = decide(
        &request,
        &Policies {
            identity: identity.as_deref().unwrap_or_default(),
            boundary: boundary.as_deref().filter(|b| !b.is_empty()),
            session: session.as_deref().filter(|s| !s.is_empty()),
            resource: resource_policy.as_deref(),
            scps: &scps,
            rcps: &rcps,
            endpoint: endpoint.as_deref().filter(|e| !e.is_empty()),
            grants: &grants,
            unread,
        },
    );
    let residual = if decision.residual.is_empty() { Json::Null } else { json!(decision.residual) };
    Ok((decision.outcome.name(), json!(decision.because), residual, notes))
}

fn caller(json: Option<&Json>) -> Result<Caller, String> {
    let json = json.unwrap_or(&Json::Null);
    let unknown = |text: &str| format!("principal `{text}` is not an ARN, an account, a service or anonymous");
    match json {
        Json::Null => Ok(Caller::anonymous()),
        Json::String(text) => Caller::parse(text).ok_or_else(|| unknown(text)),
        Json::Object(object) => {
            // `{type, arn}`, `{AWS: arn}`, `{type, value, accountId}`: the ARN says most, then what is named as the
            // identity, then whatever else is said.
            let said: Vec<(&str, Box<str>)> = object
                .iter()
                .filter(|(key, _)| !key.eq_ignore_ascii_case("type") && !key.eq_ignore_ascii_case("kind"))
                .filter_map(|(key, value)| Some((key.as_str(), strings(value).into_iter().next()?)))
                .collect();
            let about_account = |key: &str| key.to_ascii_lowercase().contains("account");
            let name = said
                .iter()
                .find(|(_, value)| value.starts_with("arn:"))
                .or_else(|| said.iter().find(|(key, _)| !about_account(key)))
                .or_else(|| said.first());
            let name = name.map(|(_, value)| value.as_ref()).unwrap_or_default();
            let kind = member(object, &["type", "kind"]).and_then(Json::as_str).map(str::to_ascii_lowercase);
            let kind = kind.or_else(|| {
                let key = object.keys().next()?;
                Some(key.to_ascii_lowercase())
            });
            let given = |kind| Caller { kind, arn: name.into(), account: String::new(), role: None };
            match kind.as_deref() {
                Some("anonymous" | "public" | "unauthenticated") => Ok(Caller::anonymous()),
                Some("service" | "awsservice") if !name.is_empty() => Ok(given(CallerKind::Service)),
                Some("federated" | "webidentity" | "saml" | "oidc") if !name.contains(":federated-user/") => {
                    let mut caller = given(CallerKind::Provider);
                    caller.account = super::arn::Arn::parse(name).map(|a| a.account().to_owned()).unwrap_or_default();
                    Ok(caller)
                }
                Some("canonicaluser" | "canonical") if !name.is_empty() => Ok(given(CallerKind::Canonical)),
                _ => Caller::parse(name).filter(|_| !name.is_empty()).ok_or_else(|| unknown(name)),
            }
        }
        other => Err(unknown(&other.to_string())),
    }
}

fn context(json: Option<&Json>) -> Result<Context, String> {
    let mut context = Context::default();
    let mut one = |key: &str, value: &Json| match value {
        Json::Null => context.put(key, Fact::Unknown),
        other => context.set(key, strings(other)),
    };
    match json {
        None => {}
        Some(Json::Object(map)) => map.iter().for_each(|(key, value)| one(key, value)),
        Some(Json::Array(list)) => {
            for entry in list {
                let Json::Object(entry) = entry else { return Err("`context` holds something unnamed".into()) };
                let key = member(entry, &["key", "name", "context_key_name"]).and_then(Json::as_str);
                let value = member(entry, &["value", "values", "context_key_values"]).unwrap_or(&Json::Null);
                one(key.ok_or("a `context` entry has no key")?, value);
            }
        }
        Some(_) => return Err("`context` is not an object".into()),
    }
    Ok(context)
}

/// A layer's policies: none when the member is absent.
fn layer(json: Option<&Json>, label: &str, unread: &mut bool) -> Result<Option<Vec<Arc<Policy>>>, String> {
    let list: &[Json] = match json {
        None => return Ok(None),
        Some(Json::Array(list)) => list,
        Some(one) => std::slice::from_ref(one),
    };
    let mut out = Vec::with_capacity(list.len());
    for (at, json) in list.iter().enumerate() {
        if json.is_null() {
            continue;
        }
        if let Json::Object(o) = json {
            if o.contains_key("unknown") {
                *unread = true;
                continue;
            }
            if o.is_empty() {
                continue;
            }
        }
        out.push(Arc::new(policy(json, || format!("{label}[{at}]"))?));
    }
    Ok(Some(out))
}

fn policy(json: &Json, place: impl Fn() -> String) -> Result<Policy, String> {
    let named = match json {
        Json::Object(object) if !object.keys().any(|k| k.eq_ignore_ascii_case("statement")) => {
            member(object, &["policy", "document", "policy_document"]).map(|inner| {
                let name = member(object, &["name", "policy_name", "arn", "id"]).and_then(Json::as_str);
                (name.map_or_else(&place, str::to_owned), inner)
            })
        }
        _ => None,
    };
    let (name, document) = named.unwrap_or_else(|| (place(), json));
    let document = Document::parse(document).map_err(|e| format!("{}: {e}", place()))?;
    Ok(Policy::new(name, document))
}

/// Several resource policies as one.
fn join(policies: &[Arc<Policy>]) -> Policy {
    let mut statements = Vec::new();
    let mut problems = Vec::new();
    for policy in policies {
        statements.extend(policy.document.statements.iter().cloned());
        problems.extend(policy.document.problems.iter().cloned());
    }
    let version = policies.first().map(|p| p.document.version.clone()).unwrap_or_default();
    Policy::new("resource", Document { version, statements: statements.into(), problems })
}

/// Organization policies by level: `[{orgIdentifier, policies}]`, or plain policies as one level.
pub(crate) fn levels(json: Option<&Json>, label: &str, unread: &mut bool) -> Result<Vec<Level>, String> {
    let list: &[Json] = match json {
        None => return Ok(Vec::new()),
        Some(Json::Array(list)) => list,
        Some(one) => std::slice::from_ref(one),
    };
    let mut out: Vec<Level> = Vec::new();
    let mut loose: Vec<Arc<Policy>> = Vec::new();
    for (at, json) in list.iter().enumerate() {
        if let Json::Object(object) = json {
            if object.contains_key("unknown") {
                *unread = true;
                continue;
            }
            if let Some(policies) = object.get("policies") {
                let id = member(object, &["org_identifier", "id", "name", "target", "target_id"]);
                let id = id.and_then(Json::as_str).map_or_else(|| format!("{label}[{at}]"), str::to_owned);
                let mut unknown = false;
                let policies = layer(Some(policies).filter(|p| !p.is_null()), &id, &mut unknown)?.unwrap_or_default();
                *unread |= unknown;
                out.push(Level { id: id.into(), policies });
                continue;
            }
        }
        if let Json::Array(_) = json {
            let mut unknown = false;
            let policies = layer(Some(json), label, &mut unknown)?.unwrap_or_default();
            *unread |= unknown;
            out.push(Level { id: format!("{label}[{at}]").into(), policies });
            continue;
        }
        loose.push(Arc::new(policy(json, || format!("{label}[{at}]"))?));
    }
    if !loose.is_empty() {
        out.push(Level { id: label.into(), policies: loose });
    }
    Ok(out)
}

/// Grants as a list of them, or as `kms:ListGrants` answers; what is none is passed over.
pub(super) fn grants(json: Option<&Json>) -> Vec<Grant> {
    let Some(Json::Array(list)) = json else { return Vec::new() };
    let grant = |json: &Json| {
        let Json::Object(object) = json else { return None };
        let grantee = member(object, &["grantee", "grantee_principal"])?.as_str()?;
        let operations = member(object, &["operations"]).map(strings).unwrap_or_default();
        let constraints = member(object, &["constraints"]).and_then(Json::as_object);
        let held = |name| {
            let one = member(constraints.unwrap_or(object), &[name]).and_then(Json::as_object);
            one.filter(|pairs| !pairs.is_empty())
        };
        let equals = held("encryption_context_equals");
        let subset = equals.or_else(|| held("encryption_context_subset"));
        let context_subset = subset
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into())))
            .collect();
        let name = [&["name", "grant_name"][..], &["grant_id", "id"]]
            .into_iter()
            .find_map(|names| member(object, names).and_then(Json::as_str).filter(|name| !name.is_empty()));
        let name = name.unwrap_or_default().into();
        Some(Grant { name, grantee: grantee.into(), operations, context_subset, context_exact: equals.is_some() })
    };
    list.iter().filter_map(grant).collect()
}
