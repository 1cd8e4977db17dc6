//! Resource ids: of resources in the deployment, else the text with what is not known left open.

use super::deploy::{Deployment, Reader};
use super::eval::{joined, unclear, wrong};
use crate::source::Span;
use crate::value::{Data, Val, WhyKind};
use std::rc::Rc;

/// A member of the deployment's surroundings, not known before it: `subscription().subscriptionId`.
pub(crate) fn around(expr: &str, span: Span) -> Val {
    Val::unknown(WhyKind::Lookup, expr, "decided by where the template is deployed", span)
}

/// `resourceId(…)` and its relatives, by function name in lower case.
pub(crate) fn resource_id(
    reader: &mut Reader<'_>,
    d: &Rc<Deployment>,
    function: &str,
    args: &[Val],
    span: Span,
) -> Val {
    // The type is the first argument with a slash; what stands before it names another scope.
    let Some(at) = args.iter().position(|a| a.as_str().is_some_and(|t| t.contains('/') && !t.starts_with('/'))) else {
        return match args.iter().find(|a| a.is_unknown()) {
            Some(unknown) => unclear(function, unknown, span),
            None => wrong(function, "a resource type such as Microsoft.Storage/storageAccounts is missing", span),
        };
    };
    let (before, rest) = args.split_at(at);
    let Some((type_, names)) = rest.split_first() else { return wrong(function, "a resource type is missing", span) };
    let type_text = type_.as_str().unwrap_or_default().to_owned();
    if before.is_empty() || function == "extensionresourceid" {
        let name = names.iter().map(Val::describe).collect::<Vec<_>>().join("/");
        if let Some(address) = reader.find_resource(d, &type_text, &name) {
            return Val::reference(address, "id", span);
        }
    }
    let text = |t: &str| Val::str(t, span);
    let mut parts: Vec<Val> = Vec::new();
    match (function, before) {
        ("tenantresourceid", _) => {}
        ("extensionresourceid", [scope, ..]) => parts.push(scope.clone()),
        ("managementgroupresourceid", [group, ..]) => {
            parts.extend([text("/providers/Microsoft.Management/managementGroups/"), group.clone()]);
        }
        ("managementgroupresourceid", []) => {
            parts.extend([
                text("/providers/Microsoft.Management/managementGroups/"),
                around("managementGroup().name", span),
            ]);
        }
        ("subscriptionresourceid", _) => {
            let subscription = before.first().cloned().unwrap_or_else(|| around("subscription().subscriptionId", span));
            parts.extend([text("/subscriptions/"), subscription]);
        }
        _ => {
            let (subscription, group) = match before {
                [subscription, group, ..] => (subscription.clone(), group.clone()),
                [group] => (around("subscription().subscriptionId", span), group.clone()),
                [] => (around("subscription().subscriptionId", span), around("resourceGroup().name", span)),
            };
            parts.extend([text("/subscriptions/"), subscription, text("/resourceGroups/"), group]);
        }
    }
    parts.push(text("/providers/"));
    let mut steps = type_text.split('/');
    parts.push(text(steps.next().unwrap_or_default()));
    for (i, step) in steps.enumerate() {
        parts.extend([text("/"), text(step)]);
        if let Some(name) = names.get(i) {
            parts.extend([text("/"), name.clone()]);
        }
    }
    joined(&parts, span)
}

/// `reference(…)`: the properties of a resource; of one in the deployment as a reference to it.
pub(crate) fn reference(reader: &mut Reader<'_>, d: &Rc<Deployment>, args: &[Val], span: Span) -> Val {
    let Some(what) = args.first() else { return wrong("reference", "a resource is missing", span) };
    let full = args.get(2).and_then(Val::as_str).is_some_and(|t| t.eq_ignore_ascii_case("full"));
    let path = |address: &str| if full || reader.is_module(d, address) { "" } else { "properties" };
    match &what.data {
        Data::Ref(r) => Val::reference(r.address.clone(), path(&r.address), span),
        Data::Str(name) => match reader.find_named(d, name) {
            Some(address) => {
                let path = if full || reader.is_module(d, &address) { "" } else { "properties" };
                Val::reference(address, path, span)
            }
            None => Val::unknown(
                WhyKind::Lookup,
                format!("reference({name})"),
                "read from the provider at deployment",
                span,
            ),
        },
        _ => {
            let described = what.describe();
            match reader.find_named(d, &described) {
                Some(address) => {
                    let path = if full || reader.is_module(d, &address) { "" } else { "properties" };
                    Val::reference(address, path, span)
                }
                None => unclear("reference", what, span),
            }
        }
    }
}
