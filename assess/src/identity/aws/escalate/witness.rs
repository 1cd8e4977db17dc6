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
                .filter_map(|(t, _)| data::resource_types(service).iter().find(|(name, _)| name == &**t))
                .map(|(_, arn)| arn.as_str())
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
        data::actions().find(action).and_then(|a| a.types.first()).map(|(t, _)| (service, t.clone()))
    };
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
    let formats: Vec<&str> = known
        .types
        .iter()
        .filter_map(|(t, _)| data::resource_types(service).iter().find(|(name, _)| name == &**t))
        .map(|(_, arn)| arn.as_str())
        .collect();
    if let Some(arn) = text("arn").filter(|a| a.starts_with("arn:"))
        && formats.iter().any(|f| f.split(':').nth(2) == arn.split(':').nth(2))
    {
        return vec![arn.to_owned()];
    }
    let names =
        ["function_name", "project_name", "name", "family", "cluster_identifier", "bucket", "instance_id", "id"];
    let Some(name) = names.iter().find_map(|n| text(n)) else { return witnesses(actor, action, regions) };
    if item.kind == "aws_instance" && !name.starts_with("i-") {
        return witnesses(actor, action, regions);
    }
    let all = regions.to_vec();
    let regions: Vec<&str> = match text("region") {
        Some(region) => vec![region],
        None => regions.iter().map(String::as_str).collect(),
    };
    let (partition, account) = (actor.caller.partition(), actor.caller.account.as_str());
    let mut out: Vec<String> = Vec::new();
    for format in &formats {
        // Only a variable that takes a name can be filled; ids are not known before the thing exists.
        let Some(named) = named(format, name) else { continue };
        for region in &regions {
            out.push(fill(&named, partition, region, account, "any").replace('*', "any"));
        }
    }
    if out.is_empty() {
        return witnesses(actor, action, &all);
    }
    out
}

/// The format with `name` in its first variable that takes a name.
fn named(format: &str, name: &str) -> Option<String> {
    let start = format.match_indices("${").map(|(i, _)| i).find(|i| {
        let variable = format.get(i + 2..).and_then(|r| r.split('}').next()).unwrap_or_default();
        variable.ends_with("Name")
    })?;
    let end = start + format.get(start..)?.find('}')?;
    Some(format!("{}{name}{}", format.get(..start)?, format.get(end + 1..)?))
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
