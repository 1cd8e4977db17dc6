//! What the internet can open a connection to: address, route, network ACL and security groups together.

use super::{Class, Estate, Item, Judged, Need, Step};
use crate::identity::aws::condition::network;
use plumb_model::Value;
use std::{net::IpAddr, sync::Arc};

/// Ports someone outside can connect to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Opening {
    /// `tcp`, `udp`, a protocol number, or `all`.
    pub protocol: String,
    /// First port.
    pub from: u16,
    /// Last port.
    pub to: u16,
    /// The range that may connect.
    pub source: String,
    /// The security group that admits it.
    pub group: String,
}

impl std::fmt::Display for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.from, self.to) {
            (0, u16::MAX) => write!(f, "{} all ports", self.protocol)?,
            (from, to) if from == to => write!(f, "{}/{from}", self.protocol)?,
            (from, to) => write!(f, "{}/{from}-{to}", self.protocol)?,
        }
        write!(f, " from {}", self.source)
    }
}

/// How much of the internet a range holds; none when it is no range.
///
/// A `/8` (`/32` for IPv6) or wider counts as the internet; ranges nobody routes as internal.
pub(crate) fn breadth(cidr: &str) -> Option<Class> {
    let (address, bits) = network(cidr)?;
    Some(match address {
        IpAddr::V4(a) => {
            let shared = a.octets()[0] == 100 && a.octets()[1] & 0xc0 == 64 && bits >= 10;
            let private = a.is_private()
                && (bits >= 16 || a.octets()[0] == 10 && bits >= 8 || a.octets()[0] == 172 && bits >= 12);
            if private || shared || (a.is_loopback() && bits >= 8) || (a.is_link_local() && bits >= 16) {
                Class::Internal
            } else if bits <= 8 {
                Class::Internet
            } else {
                Class::Limited
            }
        }
        IpAddr::V6(a) => {
            let local =
                (a.is_unique_local() && bits >= 7) || (a.is_unicast_link_local() && bits >= 10) || a.is_loopback();
            if local {
                Class::Internal
            } else if bits <= 32 {
                Class::Internet
            } else {
                Class::Limited
            }
        }
    })
}

/// Whether one range holds all of another.
fn holds(outer: &str, inner: &str) -> bool {
    let (Some((a, m)), Some((b, n))) = (network(outer), network(inner)) else { return false };
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            m <= n && (u32::from(a) ^ u32::from(b)).checked_shr(32 - u32::from(m)).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            m <= n && (u128::from(a) ^ u128::from(b)).checked_shr(128 - u32::from(m)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// A network interface, or an instance seen as one.
pub(crate) struct Place<'a> {
    pub id: &'a str,
    pub address_field: &'a str,
    pub v4: Option<&'a str>,
    pub v6: Vec<&'a str>,
    pub subnet: &'a str,
    pub vpc: &'a str,
    pub groups: Vec<&'a str>,
}

/// Judges whether anyone can connect to a place.
pub(crate) fn judge(estate: &Estate, place: &Place<'_>) -> Judged {
    let mut out = Judged::internal();
    if let Some(v4) = place.v4 {
        let step = Step::new(place.id, place.address_field, format!("has the public address {v4}"));
        out = out.or(family(estate, place, step, "0.0.0.0/0"));
    }
    if let Some(v6) = place.v6.first() {
        let step = Step::new(place.id, "ipv6_addresses", format!("has the address {v6}"));
        out = out.or(family(estate, place, step, "::/0"));
    }
    out
}

/// One address family: `any` is its whole range.
fn family(estate: &Estate, place: &Place<'_>, address: Step, any: &str) -> Judged {
    let (route, mut needs) = match route(estate, place, any) {
        Ok(Some(step)) => (Some(step), Vec::new()),
        Ok(None) => return Judged::internal(),
        Err(need) => (None, vec![need]),
    };
    let acl = match acl_of(estate, place) {
        Ok(acl) => Some(acl),
        Err(need) => {
            needs.push(need);
            None
        }
    };
    let mut out = Judged::internal();
    for group in &place.groups {
        let item = match estate.find("aws.ec2.security-group", "group_id", group) {
            Ok(item) => item,
            Err(need) => {
                out = out.or(Judged::open(Class::Internet, need));
                continue;
            }
        };
        let rules = match item.list("ingress") {
            Ok(rules) => rules,
            Err(need) => {
                out = out.or(Judged::open(Class::Internet, need));
                continue;
            }
        };
        for (i, rule) in rules.iter().enumerate() {
            let texts = |field: &str| -> Vec<&str> {
                rule.get(field).and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_str).collect()
            };
            let (field, ranges) =
                if any == "::/0" { ("ipv6_cidrs", texts("ipv6_cidrs")) } else { ("cidrs", texts("cidrs")) };
            for range in ranges {
                let Some(class) = breadth(range).filter(|c| *c > Class::Internal) else { continue };
                let ports = Ports::of(rule);
                let through = match &acl {
                    None => vec![(class, ports.clone(), None)],
                    Some(acl) => acl.admits(range, class, &ports),
                };
                for (class, ports, entry) in through {
                    let says = format!("admits {ports} from {range}");
                    let mut proof = vec![address.clone()];
                    proof.extend(route.clone());
                    proof.extend(entry);
                    proof.push(Step::new(item.id(), format!("ingress[{i}].{field}"), says));
                    let mut one = Judged::sure(class, proof);
                    one.openings.push(Opening {
                        protocol: ports.protocol.clone(),
                        from: ports.from,
                        to: ports.to,
                        source: range.to_owned(),
                        group: (*group).to_owned(),
                    });
                    if !needs.is_empty() {
                        one.certain = Class::Internal;
                        one.needs.clone_from(&needs);
                    }
                    out = out.or(one);
                }
            }
            if !texts("prefix_lists").is_empty() {
                let mut unknown =
                    plumb_model::Unknown::new(plumb_model::Reason::NotAsked, "ec2:GetManagedPrefixListEntries");
                unknown.detail = format!("{} admits the prefix list {}", item.id(), texts("prefix_lists").join(", "));
                out = out.or(Judged::open(Class::Internet, Arc::new(unknown)));
            }
        }
    }
    out
}

/// The route from a place's subnet to an internet gateway.
fn route(estate: &Estate, place: &Place<'_>, any: &str) -> Result<Option<Step>, Need> {
    const KIND: &str = "aws.vpc.route-table";
    let mut table = None;
    for item in estate.of(KIND) {
        if item.texts("subnet_ids")?.contains(&place.subnet) {
            table = Some(item);
        }
    }
    if table.is_none() {
        if let Some(gap) = estate.tables.get(KIND).and_then(|t| t.gap.clone()) {
            return Err(gap);
        }
        for item in estate.of(KIND) {
            let main = item.list("main_flags")?.iter().any(|f| f.as_bool() == Some(true));
            if main && item.text("vpc_id")? == place.vpc {
                table = Some(item);
            }
        }
    }
    let Some(table) = table else { return Err(estate.missing(KIND, place.subnet)) };
    for (i, route) in table.list("routes")?.iter().enumerate() {
        let text = |field: &str| route.get(field).and_then(Value::as_str).unwrap_or_default();
        // A route for the whole family; narrower ones to the gateway serve a few peers only.
        if text("gateway_id").starts_with("igw-") && text("state") != "blackhole" && text("destination") == any {
            let says =
                format!("the subnet {} sends {any} to the internet gateway {}", place.subnet, text("gateway_id"));
            return Ok(Some(Step::new(table.id(), format!("routes[{i}]"), says)));
        }
    }
    Ok(None)
}

/// Ports of one protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ports {
    protocol: String,
    from: u16,
    to: u16,
}

impl std::fmt::Display for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.from, self.to) {
            (0, u16::MAX) => write!(f, "{}, all ports,", self.protocol),
            (from, to) if from == to => write!(f, "{} port {from}", self.protocol),
            (from, to) => write!(f, "{} ports {from}-{to}", self.protocol),
        }
    }
}

impl Ports {
    /// The ports of a rule of a security group or network ACL.
    fn of(rule: &Value) -> Self {
        let protocol = match rule.get("protocol").and_then(Value::as_str).unwrap_or("-1") {
            "-1" | "all" => "all",
            "6" => "tcp",
            "17" => "udp",
            "1" => "icmp",
            "58" => "icmpv6",
            other => other,
        };
        let port = |field: &str| rule.get(field).and_then(Value::as_int).and_then(|p| u16::try_from(p).ok());
        let ported = matches!(protocol, "tcp" | "udp");
        let (from, to) = match (port("from_port"), port("to_port")) {
            (Some(from), Some(to)) if ported => (from, to),
            _ => (0, u16::MAX),
        };
        Self { protocol: protocol.to_owned(), from, to }
    }

    fn speaks_of(&self, other: &Self) -> bool {
        self.protocol == "all" || self.protocol == other.protocol
    }
}

/// The network ACL of a subnet.
struct Acl<'a> {
    item: Item<'a>,
    inbound: Vec<(usize, &'a Value)>,
    outbound: Vec<(usize, &'a Value)>,
}

fn acl_of<'a>(estate: &'a Estate, place: &Place<'_>) -> Result<Acl<'a>, Need> {
    const KIND: &str = "aws.ec2.network-acl";
    for item in estate.of(KIND) {
        if !item.texts("subnet_ids")?.contains(&place.subnet) {
            continue;
        }
        let mut entries: Vec<(usize, &Value)> = item.list("entries")?.iter().enumerate().collect();
        entries.sort_by_key(|(_, e)| e.get("rule_number").and_then(Value::as_int).unwrap_or(i64::MAX));
        let (outbound, inbound) =
            entries.into_iter().partition(|(_, e)| e.get("egress").and_then(Value::as_bool).unwrap_or(false));
        return Ok(Acl { item, inbound, outbound });
    }
    Err(estate.missing(KIND, place.subnet))
}

impl Acl<'_> {
    /// What of `ports` a range may reach, with the entry that lets it in.
    ///
    /// Answers must be able to leave too, on some ephemeral port. A Deny for a part of the range leaves the rest open;
    /// an Allow for a part opens it for that part.
    fn admits(&self, range: &str, class: Class, ports: &Ports) -> Vec<(Class, Ports, Option<Step>)> {
        let back = Ports { protocol: ports.protocol.clone(), from: 1024, to: u16::MAX };
        if walk(&self.outbound, range, class, &back).is_empty() {
            return Vec::new();
        }
        walk(&self.inbound, range, class, ports)
            .into_iter()
            .map(|(class, ports, at, cidr)| {
                let step = Step::new(self.item.id(), format!("entries[{at}]"), format!("admits {ports} from {cidr}"));
                (class, ports, Some(step))
            })
            .collect()
    }
}

/// Walks ACL entries in order; what no entry decides is denied.
fn walk<'a>(
    entries: &[(usize, &'a Value)],
    range: &str,
    class: Class,
    ports: &Ports,
) -> Vec<(Class, Ports, usize, &'a str)> {
    let mut open = vec![(ports.from, ports.to)];
    let mut out = Vec::new();
    for (at, entry) in entries {
        let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
        let cidr = if text("cidr").is_empty() { text("ipv6_cidr") } else { text("cidr") };
        let rule = Ports::of(entry);
        // A security group rule for all protocols passes in part through an entry for one.
        let part = ports.protocol == "all" && rule.protocol != "all";
        if !rule.speaks_of(ports) && !part {
            continue;
        }
        let whole = holds(cidr, range);
        let allow = text("action").eq_ignore_ascii_case("allow");
        if !(whole || allow && holds(range, cidr)) {
            continue;
        }
        let protocol = if part { &rule.protocol } else { &ports.protocol };
        let mut left = Vec::new();
        for (from, to) in open {
            let (low, high) = (from.max(rule.from), to.min(rule.to));
            if low > high {
                left.push((from, to));
                continue;
            }
            if allow {
                let class = if whole { class } else { class.min(breadth(cidr).unwrap_or(class)) };
                if class > Class::Internal {
                    out.push((class, Ports { protocol: protocol.clone(), from: low, to: high }, *at, cidr));
                }
            }
            if !whole || part {
                left.push((from, to));
                continue;
            }
            if from < low {
                left.push((from, low - 1));
            }
            if to > high {
                left.push((high + 1, to));
            }
        }
        open = left;
    }
    out
}
