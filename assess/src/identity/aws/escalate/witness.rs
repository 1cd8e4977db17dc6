//! Witnesses: resources on which an actor may be allowed an action, where a method leaves it the choice.

use super::{
    super::{
        context::Fact,
        data,
        document::Effect,
        workloads::{Workload, fill},
    },
    actor::{Actor, Organization},
};

/// Concrete resources for an action: what the actor's own Allow statements cover, then one of each resource type.
pub(crate) fn witnesses(actor: &Actor, action: &str, regions: &[String]) -> Vec<String> {
    let known = data::actions().find(action);
    if known.is_some_and(|a| a.types.is_empty()) {
        return vec!["*".into()];
    }
    let service = action.split(':').next().unwrap_or_default();
    let partition = actor.caller.partition();
    let account = &actor.caller.account;
    let mut out: Vec<String> = Vec::new();
    let formats: Vec<&str> = known
        .map(|a| {
            a.types
                .iter()
                .filter_map(|(t, _)| data::resource_types(service).iter().find(|(name, _)| name == t))
                .map(|(_, arn)| *arn)
                .collect()
        })
        .unwrap_or_default();
    let services: Vec<&str> = formats.iter().filter_map(|f| f.split(':').nth(2)).collect();
    for policy in &actor.identity {
        for statement in policy.document.statements.iter() {
            if statement.effect != Effect::Allow || !statement.actions.matches(action) {
                continue;
            }
            let Some(resources) = statement.resources.as_ref().filter(|r| !r.inverted) else { continue };
            for text in resources.texts.iter().filter(|t| t.starts_with("arn:")) {
                let text = expand(text, actor);
                let Some(arn) = concrete(&text, account, regions.first().map_or("us-east-1", String::as_str)) else {
                    continue;
                };
                let of = arn.split(':').nth(2).unwrap_or_default();
                if services.is_empty() || services.contains(&of) {
                    out.push(arn);
                }
            }
        }
    }
    for format in &formats {
        for region in regions {
            out.push(fill(format, partition, region, account, "any").replace('*', "any"));
        }
    }
    if known.is_none_or(|a| a.types.iter().all(|(_, required)| !required)) {
        out.push("*".into());
    }
    out.sort();
    out.dedup();
    out
}

/// Replaces the variables whose values are known.
fn expand(text: &str, actor: &Actor) -> String {
    if !text.contains("${") {
        return text.to_owned();
    }
    let mut out = String::new();
    for piece in super::super::glob::pieces(text) {
        use super::super::glob::Piece;
        match piece {
            Piece::Text(t) | Piece::Literal(t) => out.push_str(&t),
            Piece::Variable { key, .. } => match actor.context.single(&key) {
                Ok(Some(value)) => out.push_str(value),
                _ => out.push('x'),
            },
        }
    }
    out
}

/// An ARN a pattern covers.
fn concrete(pattern: &str, account: &str, region: &str) -> Option<String> {
    let mut parts: Vec<&str> = pattern.splitn(6, ':').collect();
    while parts.len() < 6 {
        parts.push("*");
    }
    let [arn, partition, service, at, owner, resource] = <[&str; 6]>::try_from(parts).ok()?;
    let plain = |part: &str, stand_in: &str| {
        if part.contains(['*', '?']) && part.bytes().all(|b| b == b'*') {
            stand_in.to_owned()
        } else {
            part.replace('*', "any").replace('?', "a")
        }
    };
    let owner = plain(owner, account);
    Some(format!(
        "{arn}:{}:{service}:{}:{owner}:{}",
        plain(partition, "aws"),
        plain(at, region),
        plain(resource, "any")
    ))
}

/// Calls that AWS checks on several kinds of resources at once, which all must be allowed.
const TOGETHER: &[(&str, &[&str])] = &[
    ("ec2:runinstances", &[":image/", ":instance/", ":network-interface/", ":security-group/", ":subnet/", ":volume/"]),
    ("ssm:sendcommand", &[":document/"]),
    ("batch:submitjob", &[":job-definition/", ":job-queue/"]),
];

/// Whether an action that is checked on several kinds of resources is allowed on some resource of each.
pub(crate) fn complete(actor: &Actor, org: &Organization, action: &str, regions: &[String]) -> bool {
    let Some((_, kinds)) = TOGETHER.iter().find(|(a, _)| *a == action) else { return true };
    let candidates = witnesses(actor, action, regions);
    kinds.iter().all(|kind| {
        let mut of_kind = candidates.iter().filter(|c| c.contains(kind) || c.as_str() == "*");
        of_kind.any(|c| actor.can(org, action, c, &[]))
    })
}

/// Whether the actor may do all `actions` (lower case); those on the same kind of resource must share one.
///
/// Answers with one resource for each action.
pub(crate) fn joint<'m>(
    actor: &Actor,
    org: &Organization,
    actions: &[(&'m str, Vec<(&'static str, Fact)>)],
    regions: &[String],
) -> Option<Vec<(&'m str, String)>> {
    let mut chosen: Vec<(&'m str, String)> = Vec::new();
    let kind = |action: &str| {
        let service = action.split(':').next().unwrap_or_default().to_owned();
        data::actions().find(action).and_then(|a| a.types.first()).map(|(t, _)| (service, *t))
    };
    if !actions.iter().all(|(action, _)| complete(actor, org, action, regions)) {
        return None;
    }
    let mut done: Vec<usize> = Vec::new();
    for (at, (action, _)) in actions.iter().enumerate() {
        if done.contains(&at) {
            continue;
        }
        let own = kind(action);
        let together: Vec<usize> = (at..actions.len())
            .filter(|i| *i == at || (own.is_some() && actions.get(*i).and_then(|(a, _)| kind(a)) == own))
            .collect();
        let mut candidates: Vec<String> = Vec::new();
        for i in &together {
            if let Some((action, _)) = actions.get(*i) {
                candidates.extend(witnesses(actor, action, regions));
            }
        }
        candidates.sort();
        candidates.dedup();
        let found = candidates.into_iter().find(|resource| {
            together
                .iter()
                .filter_map(|i| actions.get(*i))
                .all(|(action, extra)| actor.can(org, action, resource, extra))
        })?;
        for i in together {
            if let Some((action, _)) = actions.get(i) {
                chosen.push((action, found.clone()));
            }
            done.push(i);
        }
    }
    Some(chosen)
}

/// The ARNs a workload can have as the resource of an action; without a name in its attributes, any witness.
pub(crate) fn workload_arns(actor: &Actor, action: &str, item: &Workload, regions: &[String]) -> Vec<String> {
    let text = |name: &str| item.attrs.get(name).and_then(serde_json::Value::as_str).filter(|t| !t.contains("${"));
    let service = action.split(':').next().unwrap_or_default();
    let Some(known) = data::actions().find(action) else { return witnesses(actor, action, regions) };
    if known.types.is_empty() {
        return vec!["*".into()];
    }
    let mut formats: Vec<&str> = known
        .types
        .iter()
        .filter_map(|(t, _)| data::resource_types(service).iter().find(|(name, _)| name == t))
        .map(|(_, arn)| *arn)
        .collect();
    if MACHINES.contains(&item.kind.as_str()) {
        let machines: Vec<&str> =
            formats.iter().copied().filter(|f| f.contains(":ec2:") && f.contains(":instance/")).collect();
        if machines.is_empty() {
            return witnesses(actor, action, regions);
        }
        formats = machines;
    }
    if let Some(arn) = text("arn").filter(|a| a.starts_with("arn:"))
        && formats.iter().any(|f| f.split(':').nth(2) == arn.split(':').nth(2))
    {
        return vec![arn.to_owned()];
    }
    let all = regions.to_vec();
    let regions: Vec<&str> = match text("region") {
        Some(region) => vec![region],
        None => regions.iter().map(String::as_str).collect(),
    };
    let (partition, account) = (actor.caller.partition(), actor.caller.account.as_str());
    let mut out: Vec<String> = Vec::new();
    for format in &formats {
        let Some(named) = named(format, item) else { continue };
        for region in &regions {
            out.push(fill(&named, partition, region, account, "any").replace('*', "any"));
        }
    }
    if out.is_empty() {
        return witnesses(actor, action, &all);
    }
    out
}

/// Types that stand for instances, which have an id only once they run.
const MACHINES: &[&str] = &["aws_instance", "aws_spot_instance_request", "aws_autoscaling_group"];

/// The format with the variables filled that the item's attributes know; none when they know none of them.
fn named(format: &str, item: &Workload) -> Option<String> {
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    let mut known = false;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let (variable, tail) = after.split_once('}')?;
        match variable_of(variable, item) {
            Some(text) => {
                known = true;
                out.push_str(&text);
            }
            None => {
                out.push_str("${");
                out.push_str(variable);
                out.push('}');
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    known.then_some(out)
}

/// What an item's attributes say for a variable of an ARN format: `FunctionName`, `KeyId`, `ApplicationName`.
fn variable_of(variable: &str, item: &Workload) -> Option<String> {
    if matches!(variable, "Partition" | "Region" | "Account") {
        return None;
    }
    let text = |name: &str| {
        let held = item.attrs.get(name).and_then(serde_json::Value::as_str);
        held.filter(|t| !t.is_empty() && !t.contains("${") && !t.starts_with("aws_"))
    };
    if variable == "SecretId" {
        // Six characters AWS adds to the name.
        return text("name").map(|name| format!("{name}-AbCdEf"));
    }
    if variable == "ParameterNameWithoutLeadingSlash" {
        return text("name").map(|name| name.trim_start_matches('/').to_owned());
    }
    let snake: String = variable
        .char_indices()
        .flat_map(|(i, c)| {
            let gap = (c.is_ascii_uppercase() && i > 0).then_some('_');
            gap.into_iter().chain(c.to_lowercase())
        })
        .collect();
    let subject = snake.strip_suffix("_name").or_else(|| snake.strip_suffix("_id")).unwrap_or(&snake);
    let about_it = item.kind.ends_with(subject) || item.kind.ends_with(&format!("{subject}s"));
    // An ARN or an address ends in the name; a name may hold slashes itself.
    let plain = |text: &str| {
        let long = text.starts_with("arn:") || text.contains("://");
        if long { text.rsplit([':', '/']).next().unwrap_or(text) } else { text }.to_owned()
    };
    if MACHINES.contains(&item.kind.as_str()) {
        return text(&snake).or_else(|| text("id")).filter(|t| t.starts_with("i-")).map(str::to_owned);
    }
    if let Some(found) = text(&snake).or_else(|| text(subject)) {
        return Some(plain(found));
    }
    if !about_it {
        return None;
    }
    let by_name = ["name", "identifier"].map(|n| format!("{subject}_{n}"));
    if let Some((_, id)) = item.attrs.iter().find(|(k, _)| k.ends_with(&format!("{subject}_identifier"))) {
        return id.as_str().map(str::to_owned);
    }
    let others: &[&str] = if snake.ends_with("_id") { &["id"] } else { &["name", "id"] };
    by_name.iter().map(String::as_str).chain(others.iter().copied()).find_map(text).map(plain)
}

/// A workload's tags as context.
pub(crate) fn tags(item: &Workload, service: &str) -> Vec<(String, Fact)> {
    let tags = ["tags_all", "tags"].iter().find_map(|n| item.attrs.get(*n)).and_then(serde_json::Value::as_object);
    let mut out = Vec::new();
    for (key, value) in tags.into_iter().flatten() {
        let Some(value) = value.as_str() else { continue };
        for prefix in ["aws", service, "ec2", "ssm"] {
            out.push((format!("{prefix}:ResourceTag/{key}"), Fact::Values(vec![value.into()])));
        }
    }
    out
}
