//! Data sources that compute instead of asking: policy documents; and what providers add to every resource.

use super::config::Mode;
use super::eval::Res;
use super::functions::encoding::json_doc;
use crate::source::Span;
use crate::value::{Data, Members, Part, Val, WhyKind};
use std::sync::Arc;

/// The data source that computes a policy.
pub(super) const POLICY_DOCUMENT: &str = "aws_iam_policy_document";

/// Data sources that compute a policy: one that nothing of the code uses is judged by itself.
pub(crate) const POLICIES: [&str; 2] = [POLICY_DOCUMENT, "google_iam_policy"];

/// Data sources whose question is judged, whoever uses the answer; their type begins with `data.`, for a resource may
/// have the same.
pub(super) const JUDGED: [&str; 1] = ["aws_ami"];

/// Providers whose configuration is judged, as a resource of the type `provider.NAME`.
pub(super) const PROVIDERS: [&str; 1] = ["aws"];

/// Resources whose `lifecycle` is judged. Plans do not show it.
pub(super) const LIVES: [&str; 4] =
    ["google_kms_crypto_key", "aws_acm_certificate", "aws_api_gateway_deployment", "aws_api_gateway_rest_api"];

/// The attributes a data source of this type computes from its own configuration.
pub(super) fn computed(mode: Mode, type_: &str) -> &'static [&'static str] {
    match (mode, type_) {
        (Mode::Data, POLICY_DOCUMENT) => &["json", "minified_json"],
        (Mode::Data, "google_iam_policy") => &["policy_data"],
        (Mode::Data, "aws_iam_policy") => &["arn", "id"],
        (Mode::Data, "aws_region") => &["id", "name", "region"],
        (Mode::Data, "aws_partition") => &["dns_suffix", "id", "partition", "reverse_dns_prefix"],
        (Mode::Data, "aws_kms_alias") => &["arn", "id", "target_key_arn", "target_key_id"],
        (Mode::Data, "aws_kms_key") => &["arn", "id"],
        _ => &[],
    }
}

/// Whether `name` is one of them.
pub(super) fn computes(mode: Mode, type_: &str, name: &str) -> bool {
    computed(mode, type_).contains(&name)
}

/// Policies of AWS itself that rules ask about. Looked up by its name it can be no other: the data source refuses a name
/// that two policies have.
pub(crate) const AWS_POLICIES: [&str; 5] =
    ["AdministratorAccess", "IAMFullAccess", "ReadOnlyAccess", "AWSSupportAccess", "SecurityAudit"];

/// The policy that is looked up; null where it is surely none of [`AWS_POLICIES`].
fn looked_up_policy(written: &Members, span: Span) -> Val {
    if let Some(arn) = given(written, "arn") {
        return arn.clone();
    }
    match given(written, "name").map(|name| (name, name.as_str())) {
        Some((_, Some(name))) if AWS_POLICIES.contains(&name) => {
            Val::str(format!("arn:aws:iam::aws:policy/{name}"), span)
        }
        Some((name, None)) if name.edge().is_none() => which("the policy", name.describe(), span),
        None => which("the policy", "it is looked up by what it has".into(), span),
        Some(_) => Val::null(span),
    }
}

/// The key that is looked up by `named`, as the alias that AWS keeps its own keys under; null where it is another's.
fn looked_up_key(named: Option<&Val>, span: Span) -> Val {
    let Some(named) = named else { return Val::null(span) };
    match &named.data {
        Data::Partial(parts) => match parts.first() {
            Some(Part::Text(begin)) if !"alias/aws/".starts_with(&**begin) && !begin.starts_with("alias/aws/") => {
                Val::null(span)
            }
            _ => which("the key", named.describe(), span),
        },
        Data::Unknown(_) => which("the key", named.describe(), span),
        _ if named.as_str().is_some_and(|name| name.starts_with("alias/aws/")) => named.clone(),
        _ => Val::null(span),
    }
}

fn which(what: &str, by: String, span: Span) -> Val {
    Val::unknown(WhyKind::Lookup, by, format!("{what} that is looked up"), span)
}

/// Whether what a data source of this type gives depends on its provider's configuration.
pub(super) fn asks_provider(type_: &str) -> bool {
    matches!(type_, "aws_region" | "aws_partition")
}

/// Where a provider works, when its configuration says so; null where it does not. An environment that says otherwise
/// does not count: the configuration comes first.
fn place(type_: &str, name: &str, provider: Option<&Val>, span: Span) -> Val {
    let Some(region) = provider.and_then(|p| p.get("region")).and_then(Val::as_str) else { return Val::null(span) };
    let (partition, suffix) = match region {
        r if r.starts_with("cn-") => ("aws-cn", "amazonaws.com.cn"),
        r if r.starts_with("us-gov-") => ("aws-us-gov", "amazonaws.com"),
        // Partitions whose suffixes are not public are left to the provider.
        r if r.contains("-iso") => return Val::null(span),
        _ => ("aws", "amazonaws.com"),
    };
    let text = match (type_, name) {
        ("aws_region", _) => region.to_owned(),
        (_, "dns_suffix") => suffix.to_owned(),
        (_, "reverse_dns_prefix") => suffix.split('.').rev().collect::<Vec<_>>().join("."),
        _ => partition.to_owned(),
    };
    Val::str(text, span)
}

/// The value of a computed attribute; null where the attribute alone names it.
pub(super) fn compute(type_: &str, name: &str, written: &Members, provider: Option<&Val>, span: Span) -> Res {
    Ok(match (type_, name) {
        ("aws_region", _) if written.contains_key("name") || written.contains_key("endpoint") => Val::null(span),
        ("aws_region" | "aws_partition", _) => place(type_, name, provider, span),
        (POLICY_DOCUMENT, _) => json_doc(policy_document(written, span), span),
        ("google_iam_policy", _) => json_doc(google_policy(written, span), span),
        ("aws_iam_policy", _) => looked_up_policy(written, span),
        ("aws_kms_alias", _) => looked_up_key(given(written, "name"), span),
        ("aws_kms_key", _) => looked_up_key(given(written, "key_id"), span),
        _ => Val::null(span),
    })
}

/// The blocks under `name`: none written is an empty list; unknown blocks are one unknown element.
fn blocks(written: &Members, name: &str) -> Vec<Val> {
    match written.get(name) {
        None => Vec::new(),
        Some(val) => match &val.data {
            Data::List(items) | Data::Set(items) => items.to_vec(),
            Data::Null => Vec::new(),
            Data::Map(_) | Data::Unknown(_) | Data::Ref(_) => vec![val.clone()],
            _ => Vec::new(),
        },
    }
}

fn given<'a>(members: &'a Members, name: &str) -> Option<&'a Val> {
    members.get(name).filter(|v| !v.is_null())
}

/// The IAM policy that `data.aws_iam_policy_document` gives.
fn policy_document(written: &Members, span: Span) -> Val {
    let mut statements: Vec<Val> = Vec::new();
    let mut own = Members::new();
    own.insert("Version".into(), Val::str("2012-10-17", span));
    for source in blocks(written, "source_policy_documents").iter().chain(given(written, "source_json")) {
        merge_document(source, &mut statements, &mut own);
    }
    for block in blocks(written, "statement") {
        let statement = match block.as_map() {
            Some(members) => Val { data: Data::Map(Arc::new(statement(members))), ..block.clone() },
            None => block,
        };
        merge_statement(statement, &mut statements);
    }
    for (from, to) in [("version", "Version"), ("policy_id", "Id")] {
        if let Some(given) = given(written, from) {
            own.insert(to.into(), given.clone());
        }
    }
    for source in blocks(written, "override_policy_documents").iter().chain(given(written, "override_json")) {
        merge_document(source, &mut statements, &mut own);
    }
    let mut policy = own;
    policy.insert("Statement".into(), Val::list(statements, span));
    Val::map(policy, span)
}

/// Takes in another document: its statements, and its id where it has one.
fn merge_document(source: &Val, statements: &mut Vec<Val>, own: &mut Members) {
    if source.is_null() || source.as_str().is_some_and(str::is_empty) {
        return;
    }
    let decoded = source.decode_json();
    let id = decoded.as_ref().and_then(|d| d.get("Id")).filter(|id| id.as_str().is_none_or(|id| !id.is_empty()));
    if let Some(id) = id {
        own.insert("Id".into(), id.clone());
    }
    match decoded.as_ref().and_then(|d| d.get("Statement")) {
        Some(list) => match list.as_list() {
            Some(items) => items.iter().for_each(|s| merge_statement(s.clone(), statements)),
            None => merge_statement(list.clone(), statements),
        },
        None => {
            // A document that is not known may hold any statement.
            let unknown = if source.is_unknown() {
                source.clone()
            } else {
                Val::unknown(WhyKind::Error, source.describe(), "this is not a policy document", source.span)
            };
            statements.push(unknown);
        }
    }
}

/// A statement replaces an earlier one of the same, not empty, Sid.
fn merge_statement(statement: Val, statements: &mut Vec<Val>) {
    let sid = statement.get("Sid").and_then(Val::as_str).filter(|s| !s.is_empty());
    let earlier = sid.and_then(|sid| statements.iter().position(|s| s.get("Sid").and_then(Val::as_str) == Some(sid)));
    match earlier.and_then(|at| statements.get_mut(at)) {
        Some(earlier) => *earlier = statement,
        None => statements.push(statement),
    }
}

fn statement(block: &Members) -> Members {
    let mut out = Members::new();
    if let Some(sid) = given(block, "sid") {
        out.insert("Sid".into(), sid.clone());
    }
    let effect = given(block, "effect").cloned();
    let span = block.values().next().map(|v| v.span).unwrap_or_default();
    out.insert("Effect".into(), effect.unwrap_or_else(|| Val::str("Allow", span)));
    for (from, to) in [
        ("actions", "Action"),
        ("not_actions", "NotAction"),
        ("resources", "Resource"),
        ("not_resources", "NotResource"),
    ] {
        if let Some(val) = given(block, from)
            && val.as_list().is_none_or(|l| !l.is_empty())
        {
            let val = single(val);
            out.insert(to.into(), if from.ends_with("resources") { policy_variables(&val) } else { val });
        }
    }
    for (from, to) in [("principals", "Principal"), ("not_principals", "NotPrincipal")] {
        let found = blocks(block, from);
        if !found.is_empty() {
            out.insert(to.into(), principals(&found));
        }
    }
    let conditions = blocks(block, "condition");
    if let Some(first) = conditions.first() {
        out.insert("Condition".into(), condition(&conditions, first.span));
    }
    out
}

/// `&{aws:username}` is how configuration writes the policy variable `${aws:username}`.
fn policy_variables(val: &Val) -> Val {
    let text = |t: &Arc<str>| if t.contains("&{") { t.replace("&{", "${").into() } else { t.clone() };
    let data = match &val.data {
        Data::Str(t) => Data::Str(text(t)),
        Data::Partial(parts) => {
            let part = |p: &Part| if let Part::Text(t) = p { Part::Text(text(t)) } else { p.clone() };
            Data::Partial(Arc::new(parts.iter().map(part).collect()))
        }
        Data::List(items) => Data::List(Arc::new(items.iter().map(policy_variables).collect())),
        Data::Set(items) => Data::Set(Arc::new(items.iter().map(policy_variables).collect())),
        _ => return val.clone(),
    };
    Val { data, ..val.clone() }
}

/// A list of one is written as its element, as the provider does.
fn single(val: &Val) -> Val {
    match val.as_list() {
        Some([one]) => one.clone(),
        _ => val.clone(),
    }
}

fn principals(found: &[Val]) -> Val {
    let mut out = Members::new();
    for block in found {
        let (Some(kind), Some(ids)) = (block.get("type"), block.get("identifiers")) else { return block.clone() };
        let Some(kind) = kind.as_str() else { return kind.clone() };
        if kind == "*" {
            return Val::str("*", block.span);
        }
        let ids = &policy_variables(ids);
        match (out.get(kind).and_then(as_items), as_items(ids)) {
            (Some(mut earlier), Some(more)) => {
                earlier.extend(more);
                out.insert(kind.into(), Val::list(earlier, block.span));
            }
            _ => {
                out.insert(kind.into(), single(ids));
            }
        }
    }
    Val::map(out, found.first().map(|b| b.span).unwrap_or_default())
}

fn as_items(val: &Val) -> Option<Vec<Val>> {
    match &val.data {
        Data::List(items) | Data::Set(items) => Some(items.to_vec()),
        Data::Str(_) | Data::Partial(_) | Data::Ref(_) => Some(vec![val.clone()]),
        _ => None,
    }
}

fn condition(found: &[Val], span: Span) -> Val {
    let mut tests: std::collections::BTreeMap<Arc<str>, Members> = Default::default();
    for block in found {
        let (Some(test), Some(variable)) = (block.get("test"), block.get("variable")) else { return block.clone() };
        let (Some(test), Some(variable)) = (test.as_str(), variable.as_str()) else { return block.clone() };
        let values = block.get("values").map(policy_variables);
        let values = values.unwrap_or_else(|| Val::list(Vec::new(), block.span));
        let variables = tests.entry(test.into()).or_default();
        let merged = match (variables.get(variable).and_then(as_items), as_items(&values)) {
            (Some(mut earlier), Some(more)) => {
                earlier.extend(more);
                Val::list(earlier, block.span)
            }
            _ => single(&values),
        };
        variables.insert(variable.into(), merged);
    }
    Val::map(tests.into_iter().map(|(test, variables)| (test, Val::map(variables, span))).collect(), span)
}

/// The IAM policy that `data.google_iam_policy` gives.
fn google_policy(written: &Members, span: Span) -> Val {
    let bindings = blocks(written, "binding").into_iter().map(|block| match block.as_map() {
        Some(members) => {
            let mut out = Members::new();
            for name in ["role", "members"] {
                if let Some(val) = given(members, name) {
                    out.insert(name.into(), val.clone());
                }
            }
            if let Some(condition) = blocks(members, "condition").first() {
                out.insert("condition".into(), condition.clone());
            }
            Val::map(out, block.span)
        }
        None => block,
    });
    let mut policy = Members::new();
    policy.insert("bindings".into(), Val::list(bindings.collect(), span));
    let audit = blocks(written, "audit_config");
    if !audit.is_empty() {
        policy.insert("auditConfigs".into(), Val::list(audit, span));
    }
    Val::map(policy, span)
}

/// Adds the tags (or labels) a resource ends up with: its own over the provider's defaults.
pub(super) fn default_tags(type_: &str, provider: &Val, members: &mut Members, span: Span) {
    let (own, all, defaults) = if type_.starts_with("aws_") {
        ("tags", "tags_all", provider.at("default_tags.tags"))
    } else if type_.starts_with("google_") {
        ("labels", "effective_labels", provider.at("default_labels"))
    } else {
        return;
    };
    if members.contains_key(all) {
        return;
    }
    let defaults = defaults.filter(|d| !d.is_null());
    let tags = given(members, own);
    let merged = match (defaults, tags) {
        (None, None) => return,
        (None, Some(tags)) => tags.clone(),
        (Some(defaults), None) => defaults.clone(),
        (Some(defaults), Some(tags)) => match (defaults.as_map(), tags.as_map()) {
            (Some(d), Some(t)) => {
                let mut merged = d.clone();
                merged.extend(t.iter().map(|(k, v)| (k.clone(), v.clone())));
                Val { data: Data::Map(Arc::new(merged)), ..tags.clone() }
            }
            (None, _) => defaults.clone(),
            _ => tags.clone(),
        },
    };
    members.insert(all.into(), Val { span: if merged.span == Span::default() { span } else { merged.span }, ..merged });
}
