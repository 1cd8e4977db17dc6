//! Load balancers and what stands behind them: whom listeners and their rules send on, and to which target group.

use super::{
    Class, Estate, Item, Judged, Need, Step, network,
    services::{anywhere, only_ports, or_open},
};
use plumb_model::Value;

pub(super) fn load_balancer(estate: &Estate, item: &Item<'_>) -> Judged {
    let judged = || -> Result<Judged, Need> {
        if item.flag("internal")? {
            return Ok(Judged::sure(
                Class::Internal,
                vec![Step::new(item.id(), "internal", "has private addresses only")],
            ));
        }
        let (subnets, groups) = (item.texts("subnet_ids")?, item.texts("security_group_ids")?);
        let listeners = item.list("listeners")?;
        if listeners.iter().all(|l| l.get("port").and_then(Value::as_int).is_none()) {
            return Ok(Judged::sure(Class::Internal, vec![Step::new(item.id(), "listeners", "listens on no port")]));
        }
        let mut out = Judged::internal();
        for (served, ports) in served(item, listeners, None) {
            out = out.or(narrowed(faces(estate, item, &subnets, &groups, &ports), served));
        }
        let mut seen = std::collections::BTreeSet::new();
        out.proof.retain(|step| seen.insert(step.clone()));
        if out.possible > Class::Internal {
            let guards = |acl: &Item<'_>| acl.texts("balancers").is_ok_and(|b| b.contains(&item.id()));
            for acl in estate.of("aws.wafv2.web-acl").filter(guards) {
                let rules = acl.list("rules").map_or(0, <[Value]>::len);
                let says = format!("a web ACL with {rules} rules looks at its requests first");
                out.proof.push(Step::new(acl.id(), "balancers", says));
            }
        }
        Ok(out)
    };
    or_open(judged())
}

/// How a load balancer faces the outside with these ports.
fn faces(estate: &Estate, item: &Item<'_>, subnets: &[&str], groups: &[&str], ports: &[i64]) -> Judged {
    if groups.is_empty() {
        // A network load balancer without security groups admits everyone to its listeners.
        let shown: Vec<String> = ports.iter().map(i64::to_string).collect();
        let says = format!("no security group stands before the ports {}", shown.join(", "));
        let steps = vec![
            Step::new(item.id(), "internal", "faces the internet"),
            Step::new(item.id(), "security_group_ids", says),
        ];
        return Judged::sure(Class::Internet, steps);
    }
    let mut out = Judged::internal();
    for subnet in subnets {
        // It has a node in each of its subnets: one that is open opens it.
        out = out.or(anywhere(estate, item, ("internal", "(assigned to its nodes)"), &[*subnet], groups));
    }
    only_ports(&mut out, item.id(), ports, "a port it listens on");
    out
}

/// What is left of one judgement by another that every request meets after it.
fn narrowed(mut reached: Judged, then: Judged) -> Judged {
    reached.certain = reached.certain.min(then.certain);
    reached.possible = reached.possible.min(then.possible);
    if reached.possible > Class::Internal {
        reached.proof.extend(then.proof);
        reached.needs.extend(then.needs);
    }
    reached
}

/// Whom the listeners of a load balancer serve once they are reached: ports by the widest class of what is sent on; with
/// `group`, of what is sent on to that target group.
fn served(item: &Item<'_>, listeners: &[Value], group: Option<&str>) -> Vec<(Judged, Vec<i64>)> {
    // Only application load balancers have rules beside the default actions.
    let rules = if item.text("type").is_ok_and(|t| t == "application") { item.list("rules") } else { Ok(&[][..]) };
    let mut out: Vec<(Judged, Vec<i64>)> = Vec::new();
    for (i, listener) in listeners.iter().enumerate() {
        let Some(port) = listener.get("port").and_then(Value::as_int) else { continue };
        let mut ways: Vec<(Class, Step)> = Vec::new();
        if let Some((class, what)) = sends_on(listener).filter(|_| sends_to(listener, group)) {
            let says = format!("port {port} {what}");
            ways.push((class, Step::new(item.id(), format!("listeners[{i}].actions"), says)));
        }
        let arn = listener.get("listener_arn").and_then(Value::as_str).unwrap_or_default();
        let own = |rule: &Value| {
            let rule = rule.get("rule_arn").and_then(Value::as_str).unwrap_or_default();
            let listener = rule.replacen(":listener-rule/", ":listener/", 1);
            !arn.is_empty() && listener.rsplit_once('/').is_some_and(|(listener, _)| listener == arn)
        };
        for (n, rule) in rules.as_ref().map_or(&[][..], |r| *r).iter().enumerate().filter(|(_, r)| own(r)) {
            let default = rule.get("is_default").and_then(Value::as_bool).unwrap_or(false);
            if let Some((class, what)) = sends_on(rule).filter(|_| !default && sends_to(rule, group)) {
                let says = format!("port {port} {what}{}", for_whom(rule));
                ways.push((class, Step::new(item.id(), format!("rules[{n}].actions"), says)));
            }
        }
        let told = listener.get("actions").and_then(Value::as_list).is_some_and(|a| !a.is_empty());
        let widest = ways.iter().map(|(class, _)| *class).max();
        let mut judged = match widest {
            Some(class) => {
                let proof = ways.into_iter().filter(|(c, _)| *c == class).map(|(_, step)| step).take(3).collect();
                Judged::sure(class, if told { proof } else { Vec::new() })
            }
            // Without a way to the group a rule nobody read may still be one.
            None if group.is_some() && rules.is_ok() => continue,
            None if group.is_some() => Judged::internal(),
            None => {
                let says = format!("port {port} answers by itself and sends nothing on");
                Judged::sure(Class::Internet, vec![Step::new(item.id(), format!("listeners[{i}].actions"), says)])
            }
        };
        if let (Err(need), true) = (&rules, judged.certain < Class::Internet) {
            // A rule nobody read may send everyone on.
            judged.possible = Class::Internet;
            judged.needs.push(need.clone());
        }
        match out.iter_mut().find(|(other, _)| other.certain == judged.certain && other.possible == judged.possible) {
            Some((other, ports)) => {
                other.proof.extend(judged.proof);
                ports.push(port);
            }
            None => out.push((judged, vec![port])),
        }
    }
    out
}

/// Whom a listener's or rule's actions send on to what stands behind: everyone, or whoever signs in; nobody when they
/// answer or redirect by themselves. What is not told counts as sending everyone on.
fn sends_on(actions: &Value) -> Option<(Class, String)> {
    let texts = |name: &str| -> Vec<&str> {
        actions.get(name).and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_str).collect()
    };
    let types = texts("actions");
    if !types.is_empty() && !types.contains(&"forward") {
        return None;
    }
    let unsigned = texts("oidc_unsigned").into_iter().chain(texts("cognito_unsigned")).any(|what| what == "allow");
    let first = types.iter().find(|t| t.starts_with("authenticate-") || **t == "jwt-validation");
    let (class, what) = match first {
        Some(first) if !unsigned => (Class::InternetAuthenticated, format!("sends requests on after {first}")),
        Some(first) => {
            (Class::Internet, format!("sends requests on, {first} lets those through that are not signed in"))
        }
        None => (Class::Internet, "sends requests on".to_owned()),
    };
    let ranges = texts("source_ips");
    let widest = ranges.iter().map(|r| network::breadth(r).unwrap_or(Class::Internet)).max();
    Some((class.min(widest.unwrap_or(Class::Internet)), what))
}

/// Whether a listener's or rule's actions send to a target group; where they send is not told counts as everywhere.
fn sends_to(actions: &Value, group: Option<&str>) -> bool {
    let Some(group) = group else { return true };
    let texts = |name: &str| actions.get(name).and_then(Value::as_list).unwrap_or_default().iter();
    let mut all = texts("groups").chain(texts("weighted_groups")).peekable();
    all.peek().is_none() || all.any(|arn| arn.as_str().is_none_or(|arn| arn == group))
}

/// Whom a balancer sends on to a target group: how the balancer faces the outside on the ports of the listeners that do,
/// and what these listeners and their rules ask for. Of an internal balancer only the latter.
pub(crate) fn sent_on(estate: &Estate, balancer: &Item<'_>, group: &str) -> Judged {
    let judged = || -> Result<Judged, Need> {
        let internal = balancer.flag("internal")?;
        let (subnets, groups) = (balancer.texts("subnet_ids")?, balancer.texts("security_group_ids")?);
        let mut out = Judged::internal();
        for (served, ports) in served(balancer, balancer.list("listeners")?, Some(group)) {
            out = out.or(match internal {
                true => served,
                false => narrowed(faces(estate, balancer, &subnets, &groups, &ports), served),
            });
        }
        Ok(out)
    };
    or_open(judged())
}

/// Balancers that stand behind one another.
const MAX_BALANCERS: usize = 4;

/// How what is registered in a target group can be reached through its balancers.
pub(super) fn target_group(estate: &Estate, item: &Item<'_>) -> Judged {
    through_balancers(estate, item, MAX_BALANCERS)
}

fn through_balancers(estate: &Estate, group: &Item<'_>, depth: usize) -> Judged {
    let judged = || -> Result<Judged, Need> {
        let balancers = group.texts("load_balancer_arns")?;
        let targets = group.list("targets")?;
        if balancers.is_empty() || targets.is_empty() {
            let (field, says) = match balancers.is_empty() {
                true => ("load_balancer_arns", "no balancer sends to it"),
                false => ("targets", "nothing is registered in it"),
            };
            return Ok(Judged::sure(Class::Internal, vec![Step::new(group.id(), field, says)]));
        }
        let mut out = Judged::internal();
        for arn in balancers {
            let Some(balancer) = estate.of("aws.elbv2.load-balancer").find(|b| b.id() == arn) else {
                if let Some(gap) = estate.tables.get("aws.elbv2.load-balancer").and_then(|t| t.gap.clone()) {
                    out = out.or(Judged::open(Class::Internet, gap));
                }
                continue;
            };
            let mut one = sent_on(estate, &balancer, group.id());
            if balancer.flag("internal")? {
                one = narrowed(behind_others(estate, &balancer, depth), one);
            }
            if one.possible > Class::Internal {
                let says = format!("takes requests from {}", balancer.resource.name);
                one.proof.push(Step::new(group.id(), "load_balancer_arns", says));
            }
            out = out.or(one);
        }
        Ok(out)
    };
    or_open(judged())
}

/// How a balancer without public addresses can be reached through those it is registered behind.
fn behind_others(estate: &Estate, balancer: &Item<'_>, depth: usize) -> Judged {
    let mut out = Judged::internal();
    for outer in estate.of("aws.elbv2.target-group").filter(|_| depth > 0) {
        let registered = |t: &Value| t.get("target").and_then(Value::as_str) == Some(balancer.id());
        if outer.list("targets").is_ok_and(|targets| targets.iter().any(registered)) {
            out = out.or(through_balancers(estate, &outer, depth - 1));
        }
    }
    out
}

/// Which requests a rule is for, in words.
fn for_whom(rule: &Value) -> String {
    let mut out = String::new();
    for (name, word) in [("hosts", "for"), ("paths", "at"), ("source_ips", "from")] {
        let list = rule.get(name).and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_str);
        let list: Vec<&str> = list.collect();
        if !list.is_empty() {
            out.push_str(&format!(" {word} {}", list.join(", ")));
        }
    }
    out
}
