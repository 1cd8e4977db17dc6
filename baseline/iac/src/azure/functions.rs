//! The function library: what both Bicep and ARM templates can call.

use super::deploy::{Deployment, Reader};
use super::eval::{MAX_ITEMS, Scope, bound, operate, text_of, unclear, wrong};
use super::expr::{Binary, Expr, Kind};
use super::ids::{around, reference, resource_id};
use super::{arrays, network, texts};
use crate::blend::{base64, brief};
use crate::resource::Dialect;
use crate::source::{ProblemSeverity, Span, join};
use crate::value::{Data, Members, Step, Val, WhyKind};
use std::rc::Rc;
use std::sync::Arc;

/// Calls a function by its bare name: one of the file's own first.
pub(crate) fn call(
    reader: &mut Reader<'_>,
    d: &Rc<Deployment>,
    env: Scope<'_>,
    name: &str,
    args: &[Expr],
    span: Span,
) -> Val {
    if d.has_function(name) || d.imported(name).is_some() {
        return reader.user_function(d, name, d, env, args, span);
    }
    if d.missing_import(name) {
        return Val::unknown(WhyKind::Module, name, "imported from a file that is not in the repository", span);
    }
    builtin(reader, d, env, name, args, span)
}

/// Calls a function of the library.
pub(crate) fn builtin(
    reader: &mut Reader<'_>,
    d: &Rc<Deployment>,
    env: Scope<'_>,
    name: &str,
    args: &[Expr],
    span: Span,
) -> Val {
    let lower = name.to_ascii_lowercase();
    if let Some(val) = lazy(reader, d, env, &lower, args, span) {
        return val;
    }
    let vals: Vec<Val> = args.iter().map(|a| reader.eval(d, env, a)).collect();
    if let Some(val) = surroundings(reader, d, &lower, &vals, span) {
        return val;
    }
    let mut val = texts::apply(&lower, &vals, span)
        .or_else(|| arrays::apply(&lower, &vals, span))
        .or_else(|| network::apply(&lower, &vals, span))
        .or_else(|| logic(&lower, &vals, span))
        .unwrap_or_else(|| {
            if lower.starts_with("list") {
                return asked(name, &vals, true, span);
            }
            Val::unknown(WhyKind::Function, format!("{name}()"), format!("`{name}` is no function known here"), span)
        });
    // What is put together is no secret for a secret in it: the part is. A member's name cannot be told apart.
    val.sensitive |= match lower.as_str() {
        "createarray" => false,
        "createobject" => vals.iter().step_by(2).any(|v| v.sensitive),
        _ => vals.iter().any(|v| v.sensitive),
    };
    val
}

fn asked(name: &str, args: &[Val], secret: bool, span: Span) -> Val {
    let described = args.first().map_or(String::new(), |a| brief(&a.describe()));
    let mut val =
        Val::unknown(WhyKind::Lookup, format!("{name}({described})"), "asked of the provider at deployment", span);
    val.sensitive = secret;
    match args.first().and_then(Val::edge) {
        Some(edge) => val.through(Step::Resource(edge.clone()), span),
        None => val,
    }
}

/// Functions that decide themselves which arguments they evaluate.
fn lazy(
    reader: &mut Reader<'_>,
    d: &Rc<Deployment>,
    env: Scope<'_>,
    name: &str,
    args: &[Expr],
    span: Span,
) -> Option<Val> {
    let arm = d.template.dialect == Dialect::Arm;
    Some(match (name, args) {
        ("if", [condition, yes, no]) => reader.choose(d, env, condition, yes, no, span),
        ("and" | "or", args) if !args.is_empty() => {
            let decides = name == "or";
            let mut unknown = None;
            for arg in args {
                let val = reader.eval(d, env, arg);
                match val.as_bool() {
                    Some(b) if b == decides => return Some(Val::bool(decides, span)),
                    Some(_) => {}
                    None => unknown = unknown.or(Some(val)),
                }
            }
            match unknown {
                Some(val) => unclear(name, &val, span),
                None => Val::bool(!decides, span),
            }
        }
        ("coalesce", args) => {
            for arg in args {
                let val = reader.eval(d, env, arg);
                if !val.is_null() {
                    return Some(val);
                }
            }
            Val::null(span)
        }
        ("parameters", [arg]) if arm => {
            let name = reader.eval(d, env, arg);
            match name.as_str() {
                // The parameters of a user-defined function hide those of the template.
                Some(name) => bound(env, &format!("param:{}", name.to_ascii_lowercase()))
                    .cloned()
                    .unwrap_or_else(|| reader.parameter(d, name, span)),
                None => unclear("parameters", &name, span),
            }
        }
        ("variables", [arg]) if arm => {
            let name = reader.eval(d, env, arg);
            match name.as_str() {
                Some(name) => reader.variable(d, name, span),
                None => unclear("variables", &name, span),
            }
        }
        ("copyindex", args) if arm => copy_index(reader, d, env, args, span),
        ("lambdavariables", [arg]) => {
            let name = reader.eval(d, env, arg);
            let name = name.as_str().unwrap_or_default();
            bound(env, name).cloned().unwrap_or_else(|| wrong(name, "no lambda has this variable", span))
        }
        ("trytget" | "tryget", [of, path @ ..]) => {
            let mut here = reader.eval(d, env, of);
            for step in path {
                let index = reader.eval(d, env, step);
                here = reader.index(d, &here, &index, true, false, span);
                if here.is_null() {
                    break;
                }
            }
            here
        }
        ("tryindexfromend", [of, at]) | ("indexfromend", [of, at]) => {
            let of = reader.eval(d, env, of);
            let at = reader.eval(d, env, at);
            reader.index(d, &of, &at, name.starts_with("try"), true, span)
        }
        ("map" | "filter" | "sort" | "reduce" | "toobject" | "groupby" | "mapvalues", [list, rest @ ..]) => {
            arrays::with_lambda(reader, d, env, name, list, rest, span)
        }
        ("any" | "nonnull" | "sensitive", [arg]) => reader.eval(d, env, arg),
        ("nameof", [arg]) => match &arg.kind {
            Kind::Name(name) | Kind::Member { name, .. } | Kind::Nested(_, name) => Val::str(&**name, span),
            Kind::Index { index, .. } if index.literal().is_some() => {
                Val::str(index.literal().map_or("", |name| &**name), span)
            }
            _ => wrong("nameof", "needs a name", span),
        },
        (
            "loadtextcontent" | "loadjsoncontent" | "loadyamlcontent" | "loadfileasbase64" | "loaddirectoryfileinfo",
            [path, ..],
        ) => {
            let path = reader.eval(d, env, path);
            load(reader, d, name, &path, args.get(1), span)
        }
        _ => return None,
    })
}

fn copy_index(reader: &mut Reader<'_>, d: &Rc<Deployment>, env: Scope<'_>, args: &[Expr], span: Span) -> Val {
    let mut name = String::from("copy:");
    let mut offset = 0;
    for arg in args {
        let val = reader.eval(d, env, arg);
        match &val.data {
            Data::Str(text) => name = format!("copy:{}", text.to_ascii_lowercase()),
            Data::Int(i) => offset = *i,
            _ => return unclear("copyIndex", &val, span),
        }
    }
    match bound(env, &name).cloned().or_else(|| d.captured(&name)) {
        Some(Val { data: Data::Int(i), .. }) => Val::int(i.saturating_add(offset), span),
        Some(val) => val,
        None => wrong("copyIndex", "there is no such loop around this", span),
    }
}

/// The content of a file of the repository.
fn load(reader: &mut Reader<'_>, d: &Rc<Deployment>, name: &str, path: &Val, query: Option<&Expr>, span: Span) -> Val {
    let Some(written) = path.as_str() else { return unclear(name, path, span) };
    let found = join(&d.template.folder, written).and_then(|p| Some((reader.files.read(&p)?, p)));
    let Some((bytes, path)) = found else {
        reader.problem(ProblemSeverity::Note, format!("file `{written}` is not in the repository"), span);
        return Val::unknown(WhyKind::File, format!("{name}({written})"), "the file is not in the repository", span);
    };
    if name == "loadfileasbase64" {
        return Val::str(base64(&bytes), span);
    }
    let (file, text) = reader.sources.add(&path, &bytes);
    if name == "loadtextcontent" {
        return Val::str(text, span);
    }
    let parsed = if name == "loadjsoncontent" {
        crate::document::json::parse(&text)
    } else {
        crate::document::yaml::parse(&text)
    };
    if let Some(fault) = parsed.faults.first() {
        let at = Span::new(file, fault.at as usize, fault.at as usize + 1);
        reader.problem(ProblemSeverity::Error, fault.message.clone(), at);
    }
    let Some(mut val) = parsed.documents.first().map(|node| crate::cloudformation::plain_value(node, file)) else {
        return wrong(name, "the file holds no value", span);
    };
    if let Some(Expr { kind: Kind::Str(query), .. }) = query {
        for step in query.trim_start_matches('$').split('.').filter(|s| !s.is_empty()) {
            val = match val.get(step) {
                Some(inner) => inner.clone(),
                None => return wrong(name, format!("the file has no `{query}`"), span),
            };
        }
    }
    val
}

/// What depends on where and when the template is deployed.
fn surroundings(reader: &mut Reader<'_>, d: &Rc<Deployment>, name: &str, args: &[Val], span: Span) -> Option<Val> {
    let members = |expr: &str, keys: &[&str]| {
        let members: Members = keys.iter().map(|k| (Arc::from(*k), around(&format!("{expr}.{k}"), span))).collect();
        Val::map(members, span)
    };
    let tags = |mut val: Val, expr: &str| {
        if let Data::Map(members) = &mut val.data {
            Arc::make_mut(members).insert("tags".into(), around(&format!("{expr}.tags"), span));
        }
        val
    };
    Some(match name {
        "resourceid"
        | "subscriptionresourceid"
        | "tenantresourceid"
        | "extensionresourceid"
        | "managementgroupresourceid" => resource_id(reader, d, name, args, span),
        "reference" => reference(reader, d, args, span),
        "references" => around("references()", span),
        "resourcegroup" => match args.last() {
            None => tags(
                members("resourceGroup()", &["id", "name", "type", "location", "managedBy", "properties"]),
                "resourceGroup()",
            ),
            Some(group) => {
                let mut val = members("resourceGroup(…)", &["id", "location"]);
                if let Data::Map(members) = &mut val.data {
                    Arc::make_mut(members).insert("name".into(), group.clone());
                }
                val
            }
        },
        "subscription" => {
            members("subscription()", &["id", "subscriptionId", "tenantId", "displayName", "authorizationSource"])
        }
        "managementgroup" => members("managementGroup()", &["id", "name", "type", "properties"]),
        "tenant" => members("tenant()", &["tenantId", "countryCode", "displayName", "id"]),
        "deployment" => members("deployment()", &["name", "location", "properties"]),
        "deployer" => members("deployer()", &["objectId", "tenantId", "userPrincipalName"]),
        "environment" => environment(span),
        "utcnow" => Val::unknown(WhyKind::Function, "utcNow()", "the time of deployment", span),
        "newguid" => Val::unknown(WhyKind::Function, "newGuid()", "different at each deployment", span),
        "guid" | "uniquestring" => {
            let described = args.iter().map(|a| brief(&a.describe())).collect::<Vec<_>>().join(", ");
            let shown = if name == "guid" { "guid" } else { "uniqueString" };
            let detail = "the same for the same arguments, computed by the provider";
            Val::unknown(WhyKind::Function, format!("{shown}({described})"), detail, span)
        }
        "providers" | "pickzones" | "toLogicalZone" | "tologicalzones" | "tophysicalzone" | "tophysicalzones"
        | "tologicalzone" => asked(name, args, false, span),
        "getsecret" | "az.getsecret" => asked("getSecret", args, true, span),
        "readenvironmentvariable" => match args.get(1) {
            Some(default) => default.clone(),
            None => Val::unknown(
                WhyKind::Input,
                format!("readEnvironmentVariable({})", args.first().map_or(String::new(), Val::describe)),
                "an environment variable of whoever deploys",
                span,
            ),
        },
        "externalinput" => Val::unknown(WhyKind::Input, "externalInput()", "given by whoever deploys", span),
        "datetimeadd" | "datetimefromepoch" | "datetimetoepoch" => match args.iter().find(|a| a.is_unknown()) {
            Some(unknown) => unclear(name, unknown, span),
            None => texts::time(name, args, span),
        },
        _ => return None,
    })
}

/// The public cloud; the sovereign ones differ in these names only.
fn environment(span: Span) -> Val {
    let text = |t: &str| Val::str(t, span);
    let object = |pairs: &[(&str, &str)]| Val::map(pairs.iter().map(|(k, v)| (Arc::from(*k), text(v))).collect(), span);
    let mut members = Members::new();
    for (key, val) in [
        ("name", "AzureCloud"),
        ("gallery", "https://gallery.azure.com/"),
        ("graph", "https://graph.windows.net/"),
        ("portal", "https://portal.azure.com"),
        ("graphAudience", "https://graph.windows.net/"),
        ("batch", "https://batch.core.windows.net/"),
        ("media", "https://rest.media.azure.net"),
        ("sqlManagement", "https://management.core.windows.net:8443/"),
        ("resourceManager", "https://management.azure.com/"),
        ("activeDirectoryDataLake", "https://datalake.azure.net/"),
        (
            "vmImageAliasDoc",
            "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/master/arm-compute/quickstart-templates/aliases.json",
        ),
    ] {
        members.insert(key.into(), text(val));
    }
    let mut authentication = Members::new();
    for (key, val) in
        [("loginEndpoint", "https://login.microsoftonline.com/"), ("tenant", "common"), ("identityProvider", "AAD")]
    {
        authentication.insert(key.into(), text(val));
    }
    let audiences = ["https://management.core.windows.net/", "https://management.azure.com/"];
    authentication.insert("audiences".into(), Val::list(audiences.iter().map(|a| text(a)).collect(), span));
    members.insert("authentication".into(), Val::map(authentication, span));
    members.insert(
        "suffixes".into(),
        object(&[
            ("acrLoginServer", ".azurecr.io"),
            ("azureDatalakeAnalyticsCatalogAndJob", "azuredatalakeanalytics.net"),
            ("azureDatalakeStoreFileSystem", "azuredatalakestore.net"),
            ("azureFrontDoorEndpointSuffix", "azurefd.net"),
            ("keyvaultDns", ".vault.azure.net"),
            ("sqlServerHostname", ".database.windows.net"),
            ("storage", "core.windows.net"),
        ]),
    );
    Val::map(members, span)
}

/// Logic, comparison and arithmetic as functions.
fn logic(name: &str, args: &[Val], span: Span) -> Option<Val> {
    let operator = match name {
        "equals" => Binary::Equal,
        "less" => Binary::Less,
        "lessorequals" => Binary::LessEqual,
        "greater" => Binary::Greater,
        "greaterorequals" => Binary::GreaterEqual,
        "add" => Binary::Add,
        "sub" => Binary::Sub,
        "mul" => Binary::Mul,
        "div" => Binary::Div,
        "mod" => Binary::Rem,
        _ => {
            return Some(match (name, args) {
                ("not", [only]) => match only.as_bool() {
                    Some(b) => Val::bool(!b, span),
                    None => unclear("not", only, span),
                },
                ("true", []) => Val::bool(true, span),
                ("false", []) => Val::bool(false, span),
                ("null", []) => Val::null(span),
                ("bool", [only]) => match &only.data {
                    Data::Bool(b) => Val::bool(*b, span),
                    Data::Int(i) => Val::bool(*i != 0, span),
                    Data::Str(t) => match t.to_ascii_lowercase().as_str() {
                        "true" | "1" => Val::bool(true, span),
                        "false" | "0" => Val::bool(false, span),
                        _ => wrong("bool", "only true and false are truth values", span),
                    },
                    _ => unclear("bool", only, span),
                },
                ("int", [only]) => match &only.data {
                    Data::Int(i) => Val::int(*i, span),
                    Data::Num(f) => Val::num(f.trunc(), span),
                    Data::Str(t) => t
                        .trim()
                        .parse()
                        .map_or_else(|_| wrong("int", "the text is no whole number", span), |i| Val::int(i, span)),
                    _ => unclear("int", only, span),
                },
                ("float", [only]) => match (only.as_f64(), only.as_str().map(str::parse)) {
                    (Some(f), _) | (None, Some(Ok(f))) => Val::num(f, span),
                    _ => unclear("float", only, span),
                },
                ("range", [start, count]) => match (start.as_int(), count.as_int()) {
                    (Some(start), Some(count)) => {
                        if !(0..=MAX_ITEMS as i64).contains(&count) {
                            return Some(super::eval::limit("range", span));
                        }
                        Val::list((0..count).map(|i| Val::int(start.saturating_add(i), span)).collect(), span)
                    }
                    (None, _) => unclear("range", start, span),
                    _ => unclear("range", count, span),
                },
                ("min" | "max", _) => extreme(name, args, span),
                ("fail", _) => wrong("fail", args.first().and_then(text_of).unwrap_or_default(), span),
                _ => return None,
            });
        }
    };
    match args {
        [a, b] => Some(operate(operator, a, b, span)),
        _ => Some(wrong(name, "needs two arguments", span)),
    }
}

fn extreme(name: &str, args: &[Val], span: Span) -> Val {
    let items: &[Val] = match args {
        [one] => one.as_list().unwrap_or(args),
        _ => args,
    };
    let mut best: Option<i64> = None;
    for item in items {
        let Some(i) = item.as_int() else { return unclear(name, item, span) };
        best = Some(best.map_or(i, |b| if name == "min" { b.min(i) } else { b.max(i) }));
    }
    best.map_or_else(|| wrong(name, "needs at least one number", span), |b| Val::int(b, span))
}
