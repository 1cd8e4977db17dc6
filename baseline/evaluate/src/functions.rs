//! The functions rules have beside CEL's own.

use crate::{policies::Policies, secrets_in};
use plumb_catalog::{Kind, Scope};
use plumb_cel::{Context, Functions, List, MapVal, ObjectType, Str, Type, Unknowns, Val};
use plumb_model::{KindId, TextEnds, Time, Value};
use std::{
    collections::HashMap,
    net::{Ipv4Addr, Ipv6Addr},
    sync::{Arc, OnceLock},
};

/// Numbers of host functions: answered by the world around the resource.
pub(crate) mod host {
    /// All of a kind, as a rule about what the provider keeps once per account sees it.
    pub const ALL: u16 = 1;
    pub const LINK: u16 = 2;
    pub const ACCOUNT: u16 = 3;
    /// All of a kind, as a rule about what is in one region sees it.
    pub const ALL_REGIONAL: u16 = 4;
    pub const PUBLIC_STATEMENTS: u16 = 10;
    pub const EXTERNAL_ACCOUNTS: u16 = 11;
    pub const ADMIN_STATEMENTS: u16 = 12;
    pub const SERVICE_WILDCARDS: u16 = 13;
    pub const ALLOWS_ACTION: u16 = 14;
    pub const REQUIRES_TLS: u16 = 15;
    pub const UNBOUND_OIDC: u16 = 16;
    pub const UNBOUND_SERVICES: u16 = 17;
    pub const UNRESTRICTED: u16 = 18;
    pub const ESCALATIONS: u16 = 19;
    pub const RUNTIME_END: u16 = 20;
}

/// End-of-support dates of product cycles.
pub trait EndOfSupport: Sync {
    /// When standard support of a version of a product ends; none when the data do not know it. A rule that asks then is
    /// unknown.
    fn end(&self, product: &str, version: &str) -> Option<Time>;
}

/// What the world's host functions are answered by.
#[derive(Clone, Copy)]
pub struct Helpers<'a> {
    /// The policy engine.
    pub policies: &'a dyn Policies,
    /// End-of-support data.
    pub end_of_support: &'a dyn EndOfSupport,
}

/// Knows nothing: for worlds whose rules ask nothing of the kind.
pub struct NoHelpers;

impl EndOfSupport for NoHelpers {
    fn end(&self, _: &str, _: &str) -> Option<Time> {
        None
    }
}

/// The static type of a catalog type.
pub(crate) fn cel_type(ty: &plumb_catalog::Type, name: &str) -> Type {
    use plumb_catalog::Type as T;
    match ty {
        T::String => Type::String,
        T::Int => Type::Int,
        T::Double => Type::Double,
        T::Bool => Type::Bool,
        T::Time => Type::Timestamp,
        T::Policy | T::Any => Type::Dyn,
        T::List(item) => Type::list(cel_type(item, name)),
        T::Map(item) => Type::map(cel_type(item, name)),
        T::Object(members) => Type::object(name, members.iter().map(|(n, t)| (n.as_str(), cel_type(t, "")))),
    }
}

/// What every resource has beside its kind's fields; their positions come after those.
const COMMON: [&str; 5] = ["id", "name", "region", "account_id", "address"];

/// The type of a resource as another kind's rule sees it.
pub(crate) fn kind_type(kind: &Kind) -> Type {
    let slot = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let own = kind.fields.iter().enumerate().map(|(at, f)| (f.name.as_str(), cel_type(&f.ty, ""), slot(at)));
    let common = COMMON.iter().zip(kind.fields.len()..).map(|(name, at)| (*name, Type::String, slot(at)));
    Type::Object(Arc::new(ObjectType::with_slots(kind.id.as_str(), own.chain(common))))
}

/// The types of kinds' resources, each made when a rule first asks for it.
pub(crate) struct KindTypes(HashMap<KindId, (Arc<Kind>, OnceLock<Type>)>);

impl KindTypes {
    pub(crate) fn new(kinds: &HashMap<KindId, Arc<Kind>>) -> Self {
        Self(kinds.iter().map(|(id, kind)| (id.clone(), (Arc::clone(kind), OnceLock::new()))).collect())
    }

    fn get(&self, id: &str) -> Option<&Type> {
        self.0.get(id).map(|(kind, ty)| ty.get_or_init(|| kind_type(kind)))
    }
}

/// The functions a rule of `kind` may call.
pub(crate) fn functions(base: &Arc<Functions>, kinds: &Arc<KindTypes>, kind: &Arc<Kind>) -> Functions {
    let mut functions = Functions::over(Arc::clone(base));
    let (linked, known) = (Arc::clone(kind), Arc::clone(kinds));
    let link_type = move |name: &str| {
        let there = linked.links.get(name).and_then(|link| Some((link, known.get(link.kind.as_str())?)));
        let Some((link, ty)) = there else {
            let names = linked.links.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(match names.is_empty() {
                true => format!("{} has no links", linked.id),
                false => format!("{} has no link `{name}`; it has {names}", linked.id),
            });
        };
        let root = link.from.split('.').next().unwrap_or_default();
        let field = linked.slot(root).and_then(|slot| linked.fields.get(slot));
        let many = field.is_some_and(|f| matches!(f.ty, plumb_catalog::Type::List(_)));
        Ok(if many { Type::list(ty.clone()) } else { ty.clone() })
    };
    let added = functions.host("link(string) -> dyn", host::LINK, Some(Arc::new(link_type)));
    debug_assert!(added.is_ok());
    let all = if kind.scope == Scope::Region { host::ALL_REGIONAL } else { host::ALL };
    let known = Arc::clone(kinds);
    let all_type = move |name: &str| match known.get(name) {
        Some(ty) => Ok(Type::list(ty.clone())),
        None => Err(format!("there is no kind `{name}`")),
    };
    let added = functions.host("all(string) -> dyn", all, Some(Arc::new(all_type)));
    debug_assert!(added.is_ok());
    for id in [all, host::ACCOUNT, host::RUNTIME_END].into_iter().chain(host::PUBLIC_STATEMENTS..=host::ESCALATIONS) {
        functions.same_for_all(id);
    }
    functions
}

/// CEL's functions and ours, except `link` and `all`, which depend on the kind.
pub(crate) fn base_functions() -> Functions {
    let mut f = Functions::standard();
    let hosts: [(&str, u16); 13] = [
        ("public_statements(dyn) -> list(string)", host::PUBLIC_STATEMENTS),
        ("public_statements(dyn, list(string)) -> list(string)", host::PUBLIC_STATEMENTS),
        ("external_accounts(dyn) -> list(string)", host::EXTERNAL_ACCOUNTS),
        ("admin_statements(dyn) -> list(string)", host::ADMIN_STATEMENTS),
        ("service_wildcards(dyn) -> list(string)", host::SERVICE_WILDCARDS),
        ("allows_action(dyn, string) -> bool", host::ALLOWS_ACTION),
        ("requires_tls(dyn) -> bool", host::REQUIRES_TLS),
        ("unbound_oidc(dyn) -> list(string)", host::UNBOUND_OIDC),
        ("unbound_services(dyn) -> list(string)", host::UNBOUND_SERVICES),
        ("unrestricted(dyn, string) -> list(string)", host::UNRESTRICTED),
        ("escalations(dyn) -> list(string)", host::ESCALATIONS),
        ("runtime_end(string, string) -> timestamp", host::RUNTIME_END),
        ("account() -> dyn", host::ACCOUNT),
    ];
    let mut wrong = Vec::new();
    for (signature, id) in hosts {
        wrong.extend(f.host(signature, id, None).err());
    }
    let pure: [(&str, plumb_cel::Function); 7] = [
        ("age_days(timestamp) -> int", age_days),
        ("public_cidr(string) -> bool", |_, args| match args {
            [Val::Str(text)] => Val::Bool(public_cidr(text)),
            [Val::Null] => Val::Bool(false),
            _ => Val::no_overload("public_cidr", args),
        }),
        ("covers_port(dyn, dyn, int) -> bool", |_, args| match args {
            [from, to, Val::Int(port)] => Val::Bool(covers_port(from, to, *port)),
            _ => Val::no_overload("covers_port", args),
        }),
        ("opens(dyn, int, string) -> bool", |cx, args| match find_openings(cx, args, &mut |_| false) {
            Ok(Openings { some: true, .. }) => Val::Bool(true),
            Ok(Openings { rest, .. }) => rest.map_or(Val::Bool(false), Val::Unknown),
            Err(other) => other,
        }),
        ("openings(dyn, int, string) -> list(string)", openings),
        ("secrets_in(string) -> list(string)", |cx, args| match args {
            [Val::Str(text)] => {
                cx.charge_bytes(text.len());
                Val::list(secrets_in(text).into_iter().map(Val::str).collect())
            }
            [Val::Null] => Val::list(Vec::new()),
            _ => Val::no_overload("secrets_in", args),
        }),
        ("log_pattern_covers(string, list(string)) -> bool", |_, args| match args {
            [Val::Str(pattern), Val::List(words)] => {
                Val::Bool(words.iter().all(|w| w.as_str().is_some_and(|w| pattern.contains(w))))
            }
            [Val::Null, Val::List(_)] => Val::Bool(false),
            _ => Val::no_overload("log_pattern_covers", args),
        }),
    ];
    for (signature, code) in pure {
        wrong.extend(f.pure(signature, code).err());
    }
    debug_assert!(wrong.is_empty(), "{wrong:?}");
    f.of_ends("public_cidr", |ends, _| narrow(ends).then_some(false));
    f
}

fn age_days<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Time(at)] => Val::Int(cx.now.days_since(*at)),
        _ => Val::no_overload("age_days", args),
    }
}

/// Whether an address range reaches beyond private networks far enough to be "the internet": everything, or a public
/// range of /8 (IPv4) or /16 (IPv6) or wider. What cannot be read as a range is not public.
pub(crate) fn public_cidr(text: &str) -> bool {
    let text = text.trim_ascii();
    // Nearly all ranges are everything, or narrower than the widest of either family that is not public.
    match text.as_bytes() {
        b"0.0.0.0/0" | b"::/0" => return true,
        [.., b'/', b'2'..=b'9', b'0'..=b'9'] | [.., b'/', b'1', b'7'..=b'9'] => return false,
        _ => {}
    }
    let Some((address, bits)) = text.rsplit_once('/') else {
        return matches!(text, "*" | "Internet" | "internet" | "any" | "Any");
    };
    let v6 = address.contains(':');
    let bits = match bits.parse::<u8>() {
        Ok(bits) if bits <= if v6 { 16 } else { 8 } => bits,
        _ => return false,
    };
    if v6 {
        return address.parse().is_ok_and(|v6| bits < 7 || !private_v6(v6));
    }
    address.parse().is_ok_and(|v4| bits < 8 || !private_v4(v4))
}

/// Whether a range is for certain no wide one, by how its text ends: `${var.office}/32`.
pub(crate) fn narrow(ends: &TextEnds) -> bool {
    let Some((before, bits)) = ends.end.rsplit_once('/') else { return false };
    let v4 = before.contains('.') || ends.start.contains('.');
    bits.trim_ascii().parse::<u8>().is_ok_and(|bits| bits > if v4 { 8 } else { 16 })
}

/// RFC 1918, shared, loopback, link-local, documentation, multicast and reserved.
fn private_v4(a: Ipv4Addr) -> bool {
    let [x, y, ..] = a.octets();
    a.is_private()
        || a.is_loopback()
        || a.is_link_local()
        || a.is_documentation()
        || x >= 224
        || (x == 100 && (64..128).contains(&y))
        || x == 0
}

fn private_v6(a: Ipv6Addr) -> bool {
    let first = a.segments()[0];
    a.is_loopback()
        || a.is_unspecified()
        || (first & 0xfe00) == 0xfc00
        || (first & 0xffc0) == 0xfe80
        || (first & 0xff00) == 0xff00
}

fn covers_port(from: &Val<'_>, to: &Val<'_>, port: i64) -> bool {
    match (from, to) {
        (Val::Null | Val::Int(-1), _) => true,
        (Val::Int(from), Val::Int(to)) => *from <= port && port <= *to,
        (Val::Int(from), _) => *from == port,
        _ => false,
    }
}

/// The openings of `[{protocol, from_port, to_port, cidrs, ipv6_cidrs}]` to a port from public ranges, as texts like
/// `tcp 22-22 from 0.0.0.0/0`. Members that are unknown make the list incomplete, not empty.
fn openings<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    let mut found = Vec::new();
    let mut tell = |opening: Opening<'_, 'a>| {
        found.push(Val::string(opening.text()));
        true
    };
    match find_openings(cx, args, &mut tell) {
        Ok(Openings { rest: Some(rest), .. }) => Val::List(List::incomplete(List::of(found), rest)),
        Ok(_) => Val::list(found),
        Err(other) => other,
    }
}

/// What there is of openings.
struct Openings<'a> {
    /// Whether there is one for certain.
    some: bool,
    /// What keeps the rest from being decided.
    rest: Option<Unknowns<'a>>,
}

/// One rule that opens the port.
struct Opening<'r, 'a> {
    all_protocols: bool,
    protocol: &'r Val<'a>,
    from: &'r Val<'a>,
    to: &'r Val<'a>,
    sources: &'r [Val<'a>; 2],
}

impl Opening<'_, '_> {
    fn text(&self) -> String {
        let mut public: Vec<String> = Vec::new();
        each_source(self.sources, &mut |source| {
            if let Val::Str(text) = source
                && public_cidr(text)
            {
                public.push(text.to_string());
            }
        });
        let ports = match (self.from, self.to) {
            _ if self.all_protocols => "all ports".to_owned(),
            (Val::Int(a), Val::Int(b)) if *a >= 0 => format!("{a}-{b}"),
            _ => "all ports".to_owned(),
        };
        let protocol = self.protocol.as_str().filter(|_| !self.all_protocols).unwrap_or("all protocols");
        format!("{protocol} {ports} from {}", public.join(", "))
    }
}

/// Goes over the sources of a rule; what is not known of a list comes as an unknown.
fn each_source<'a>(sources: &[Val<'a>; 2], take: &mut dyn FnMut(&Val<'a>)) {
    for source in sources {
        match source {
            Val::List(list) => {
                if let Some(rest) = list.rest() {
                    take(&Val::Unknown(rest.clone()));
                }
                list.iter().for_each(|item| take(&item));
            }
            other => take(other),
        }
    }
}

/// Finds openings and hands each to `take` until it has enough (false).
fn find_openings<'a>(
    cx: &mut Context,
    args: &[Val<'a>],
    take: &mut dyn FnMut(Opening<'_, 'a>) -> bool,
) -> Result<Openings<'a>, Val<'a>> {
    let [rules, Val::Int(port), Val::Str(wanted)] = args else { return Err(Val::no_overload("openings", args)) };
    let rules = match rules {
        Val::List(rules) => rules,
        Val::Null => return Ok(Openings { some: false, rest: None }),
        _ => return Err(Val::no_overload("openings", args)),
    };
    let mut some = false;
    let mut rest = rules.rest().cloned();
    for rule in rules.iter() {
        if !cx.charge(8) {
            break;
        }
        // Most rules of a group are about other ports, or for other groups and private networks.
        let told = match &rule {
            Val::Map(MapVal::Doc(map)) if elsewhere(map, *port) => continue,
            Val::Map(MapVal::Doc(map)) => lets_public_in(map),
            _ => None,
        };
        if told == Some(false) {
            continue;
        }
        let member = |name: &str| match &rule {
            Val::Map(map) => map.member(name).unwrap_or(Val::Null),
            Val::Unknown(u) => Val::Unknown(u.clone()),
            _ => Val::Null,
        };
        let (protocol, from, to) = (member("protocol"), member("from_port"), member("to_port"));
        let all_protocols = protocol.as_str().is_some_and(all_protocols);
        // Each part is decided (yes or no) or not; one decided "no" settles the rule whatever else is unknown.
        let protocol_fits = match &protocol {
            Val::Unknown(u) => Err(u.clone()),
            Val::Str(p) => {
                Ok(all_protocols || p.eq_ignore_ascii_case(wanted) || &**wanted == "*" || same_protocol(p, wanted))
            }
            _ => Ok(true),
        };
        let port_fits = match (&from, &to) {
            (Val::Unknown(u), _) | (_, Val::Unknown(u)) if !all_protocols => Err(u.clone()),
            (from, to) => Ok(all_protocols || covers_port(from, to, *port)),
        };
        if matches!(protocol_fits, Ok(false)) || matches!(port_fits, Ok(false)) {
            continue;
        }
        let sources = [member("cidrs"), member("ipv6_cidrs")];
        let (mut public, mut unsure) = (told == Some(true), None);
        if told.is_none() {
            each_source(&sources, &mut |source| match source {
                Val::Unknown(u) if u.ends().is_some_and(narrow) => {}
                Val::Unknown(u) => unsure = Some(u.clone().whole()),
                Val::Str(text) => public |= public_cidr(text),
                _ => {}
            });
        }
        match (protocol_fits, port_fits, public, unsure) {
            (Ok(_), Ok(_), true, _) => {
                some = true;
                let (protocol, from, to) = (&protocol, &from, &to);
                if !take(Opening { all_protocols, protocol, from, to, sources: &sources }) {
                    break;
                }
            }
            (_, _, false, None) => {}
            (Err(u), ..) | (_, Err(u), ..) | (_, _, _, Some(u)) => {
                rest = Some(match rest {
                    Some(r) => r.merge(u),
                    None => u,
                });
            }
        }
    }
    Ok(Openings { some, rest })
}

/// Whether a rule is for certain about other ports, of one protocol.
fn elsewhere(rule: &plumb_model::Map, port: i64) -> bool {
    let (Some(Value::Int(from)), Some(Value::Int(to))) = (rule.get("from_port"), rule.get("to_port")) else {
        return false;
    };
    let one = || matches!(rule.get("protocol"), Some(Value::Str(protocol)) if !all_protocols(protocol));
    *from != -1 && !(*from <= port && port <= *to) && one()
}

/// Whether a rule has a public source; none when what is unknown of its sources may matter.
fn lets_public_in(rule: &plumb_model::Map) -> Option<bool> {
    fn one(source: &Value) -> Option<bool> {
        match source {
            Value::Str(text) => Some(public_cidr(text)),
            Value::Unknown(u) if u.text.as_deref().is_some_and(narrow) => Some(false),
            Value::Unknown(_) => None,
            _ => Some(false),
        }
    }
    let of = |name| match rule.get(name) {
        Some(Value::List(items)) => items.iter().try_fold(false, |found, item| Some(found | one(item)?)),
        Some(source) => one(source),
        None => Some(false),
    };
    Some(of("cidrs")? | of("ipv6_cidrs")?)
}

fn all_protocols(protocol: &str) -> bool {
    matches!(protocol, "-1" | "all" | "ALL" | "*" | "Any")
}

/// Protocol numbers and names (IANA): 6 tcp, 17 udp, 1 icmp.
fn same_protocol(a: &str, b: &str) -> bool {
    fn name(p: &str) -> &str {
        match p {
            "6" => "tcp",
            "17" => "udp",
            "1" => "icmp",
            other => other,
        }
    }
    name(a).eq_ignore_ascii_case(name(b))
}

/// A policy argument as a document value.
pub(crate) fn document(val: &Val<'_>) -> Option<Value> {
    match val {
        Val::Null => Some(Value::Null),
        Val::Map(MapVal::Doc(map)) => Some(Value::Map((*map).clone())),
        Val::Map(_) => Some(val.to_value()),
        Val::Str(Str::Borrowed(text)) => serde_json::from_str(text).ok().map(|json| Value::from_json(&json)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_ranges() {
        for text in
            ["0.0.0.0/0", "::/0", "8.0.0.0/8", "0.0.0.0/1", "128.0.0.0/1", "2000::/3", "2001::/16", " ::/0 ", "*"]
        {
            assert!(public_cidr(text), "{text}");
        }
        for text in [
            "10.0.0.0/8",
            "203.0.113.0/24",
            "192.168.0.0/16",
            "8.8.8.8/32",
            "fd00::/8",
            "",
            "sg-1",
            "pl-1",
            "0.0.0.0/8",
            "8.0.0.0/9",
            "::/16",
            "x/0",
            "/0",
            "0.0.0.0/",
            "0.0.0.0/x",
        ] {
            assert!(!public_cidr(text), "{text}");
        }
    }

    /// What is told of a range by its ends holds of every range with these ends.
    #[test]
    fn ranges_by_their_ends() {
        let ends = |start: &str, end: &str| TextEnds { start: start.into(), end: end.into() };
        for (start, end) in [("", "/32"), ("", "/17"), ("10.", ".0.0/16"), ("", ".0/9"), ("2001:db8:", "::/56")] {
            assert!(narrow(&ends(start, end)), "{start}…{end}");
            for middle in ["", "0", "8.0.0.0", "128.0.0", "::", "2000::", "2001:0:"] {
                assert!(!public_cidr(&format!("{start}{middle}{end}")), "{start}{middle}{end}");
            }
        }
        for (start, end) in [("", ""), ("", "/0"), ("0.0.0.0/", ""), ("", "/16"), ("8.", "/8"), ("", "/x"), ("", "32")]
        {
            assert!(!narrow(&ends(start, end)), "{start}…{end}");
        }
    }
}
