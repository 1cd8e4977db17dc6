//! The network extension: addresses and ranges.

use super::{Table, wrong};
use crate::{Cidr, Context, Val};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) const TABLE: Table = &[
    ("ip(string) -> net.IP", ip),
    ("ip(net.IP) -> net.IP", ip),
    ("isIP(string) -> bool", is_ip),
    ("ip.isCanonical(string) -> bool", is_canonical),
    ("net.IP.family() -> int", family),
    ("net.IP.isUnspecified() -> bool", is_unspecified),
    ("net.IP.isLoopback() -> bool", is_loopback),
    ("net.IP.isGlobalUnicast() -> bool", is_global_unicast),
    ("net.IP.isLinkLocalMulticast() -> bool", is_link_local_multicast),
    ("net.IP.isLinkLocalUnicast() -> bool", is_link_local_unicast),
    ("cidr(string) -> net.CIDR", cidr),
    ("cidr(net.CIDR) -> net.CIDR", cidr),
    ("isCIDR(string) -> bool", is_cidr),
    ("net.CIDR.containsIP(net.IP) -> bool", contains_ip),
    ("net.CIDR.containsIP(string) -> bool", contains_ip),
    ("net.CIDR.containsCIDR(net.CIDR) -> bool", contains_cidr),
    ("net.CIDR.containsCIDR(string) -> bool", contains_cidr),
    ("net.CIDR.ip() -> net.IP", cidr_ip),
    ("net.CIDR.masked() -> net.CIDR", masked),
    ("net.CIDR.prefixLength() -> int", prefix_length),
];

/// An address; IPv4 inside IPv6 is refused in dotted form and read as IPv4 in hexadecimal form, as CEL does.
fn read_ip(text: &str) -> Result<IpAddr, String> {
    if text.contains('%') {
        return Err(format!("IP Address with zone value is not allowed: `{text}`"));
    }
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) if text.contains('.') => Err(format!("IPv4-mapped IPv6 address is not allowed: `{text}`")),
        Ok(IpAddr::V6(v6)) => Ok(v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)),
        Ok(v4) => Ok(v4),
        Err(_) => Err(format!("IP Address '{text}' parse error during conversion from string")),
    }
}

fn read_cidr(text: &str) -> Result<Cidr, String> {
    if text.contains('%') {
        return Err(format!("CIDR with zone value is not allowed: `{text}`"));
    }
    let wrong = || format!("network address parse error during conversion from string: `{text}`");
    let (addr, prefix) = text.split_once('/').ok_or_else(wrong)?;
    if addr.contains(':') && addr.contains('.') {
        return Err(format!("IPv4-mapped IPv6 address is not allowed: `{text}`"));
    }
    let addr: IpAddr = addr.parse().map_err(|_| wrong())?;
    let digits = !prefix.is_empty() && prefix.len() <= 3 && prefix.bytes().all(|b| b.is_ascii_digit());
    let prefix: u8 = if digits { prefix.parse().map_err(|_| wrong())? } else { return Err(wrong()) };
    if prefix > if addr.is_ipv4() { 32 } else { 128 } {
        return Err(wrong());
    }
    Ok(Cidr { addr, prefix })
}

fn mask(cidr: Cidr) -> IpAddr {
    match cidr.addr {
        IpAddr::V4(v4) => {
            let keep = u32::MAX.checked_shl(32 - u32::from(cidr.prefix)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & keep).into()
        }
        IpAddr::V6(v6) => {
            let keep = u128::MAX.checked_shl(128 - u32::from(cidr.prefix)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & keep).into()
        }
    }
}

impl Cidr {
    /// Reads `10.0.0.0/8`, `2001:db8::/32`; none for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        read_cidr(text).ok()
    }

    /// The range with the bits beyond its prefix cleared.
    pub fn masked(self) -> Self {
        Self { addr: mask(self), prefix: self.prefix }
    }

    /// Whether an address of the same family is in the range.
    pub fn contains(self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.addr.is_ipv4() && mask(Cidr { addr: ip, prefix: self.prefix }) == mask(self)
    }

    /// Whether every address of `other` is in the range.
    pub fn covers(self, other: Cidr) -> bool {
        self.prefix <= other.prefix && self.contains(other.addr)
    }
}

fn ip<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Ip(ip)] => Val::Ip(*ip),
        [Val::Str(text)] => read_ip(text).map_or_else(Val::invalid, Val::Ip),
        _ => wrong(args),
    }
}

fn is_ip<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Str(text)] => Val::Bool(read_ip(text).is_ok()),
        _ => wrong(args),
    }
}

fn is_canonical<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Str(text)] => read_ip(text).map_or_else(Val::invalid, |ip| Val::Bool(ip.to_string() == **text)),
        _ => wrong(args),
    }
}

fn family<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Ip(ip)] => Val::Int(if ip.is_ipv4() { 4 } else { 6 }),
        _ => wrong(args),
    }
}

fn property<'a>(args: &[Val<'a>], holds: fn(IpAddr) -> bool) -> Val<'a> {
    match args {
        [Val::Ip(ip)] => Val::Bool(holds(*ip)),
        _ => wrong(args),
    }
}

fn is_unspecified<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    property(args, |ip| ip.is_unspecified())
}

fn is_loopback<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    property(args, |ip| ip.is_loopback())
}

fn link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Any unicast address with more than local reach; private ranges count, as in the extension.
fn is_global_unicast<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    property(args, |ip| {
        let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
        !(ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || link_local(ip) || broadcast)
    })
}

fn is_link_local_multicast<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    property(args, |ip| match ip {
        IpAddr::V4(v4) => matches!(v4.octets(), [224, 0, 0, _]),
        IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
    })
}

fn is_link_local_unicast<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    property(args, link_local)
}

fn cidr<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Cidr(cidr)] => Val::Cidr(*cidr),
        [Val::Str(text)] => read_cidr(text).map_or_else(Val::invalid, Val::Cidr),
        _ => wrong(args),
    }
}

fn is_cidr<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Str(text)] => Val::Bool(read_cidr(text).is_ok()),
        _ => wrong(args),
    }
}

fn contains_ip<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Cidr(cidr), Val::Ip(ip)] => Val::Bool(cidr.contains(*ip)),
        [Val::Cidr(cidr), Val::Str(text)] => read_ip(text).map_or_else(Val::invalid, |ip| Val::Bool(cidr.contains(ip))),
        _ => wrong(args),
    }
}

fn contains_cidr<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Cidr(cidr), Val::Cidr(other)] => Val::Bool(cidr.covers(*other)),
        [Val::Cidr(cidr), Val::Str(text)] => {
            read_cidr(text).map_or_else(Val::invalid, |other| Val::Bool(cidr.covers(other)))
        }
        _ => wrong(args),
    }
}

fn cidr_ip<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Cidr(cidr)] => Val::Ip(cidr.addr),
        _ => wrong(args),
    }
}

fn masked<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Cidr(cidr)] => Val::Cidr(cidr.masked()),
        _ => wrong(args),
    }
}

fn prefix_length<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Cidr(cidr)] => Val::Int(cidr.prefix.into()),
        _ => wrong(args),
    }
}
