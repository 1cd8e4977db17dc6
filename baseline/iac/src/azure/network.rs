//! Functions on address ranges.

use super::eval::{unclear, wrong};
use crate::source::Span;
use crate::value::{Members, Val};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address range.
struct Range {
    base: u128,
    length: u32,
    width: u32,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let (ip, length) = text.trim().split_once('/')?;
        let length: u32 = length.parse().ok()?;
        let (base, width) = match ip.parse().ok()? {
            IpAddr::V4(ip) => (u128::from(u32::from(ip)), 32),
            IpAddr::V6(ip) => (u128::from(ip), 128),
        };
        let mut range = Self { base, length, width };
        if length > width {
            return None;
        }
        range.base &= !range.host_mask();
        Some(range)
    }

    fn host_mask(&self) -> u128 {
        match self.width - self.length {
            128 => u128::MAX,
            bits => (1_u128 << bits) - 1,
        }
    }

    fn address(&self, address: u128) -> String {
        if self.width == 32 {
            Ipv4Addr::from(u32::try_from(address & 0xFFFF_FFFF).unwrap_or(0)).to_string()
        } else {
            Ipv6Addr::from(address).to_string()
        }
    }
}

/// An address function by its name in lower case, or none when it is not one.
pub(crate) fn apply(name: &str, args: &[Val], span: Span) -> Option<Val> {
    if !matches!(name, "parsecidr" | "cidrsubnet" | "cidrhost") {
        return None;
    }
    if let Some(unknown) = args.iter().find(|a| a.is_unknown()) {
        return Some(unclear(name, unknown, span));
    }
    let range = args.first().and_then(Val::as_str).and_then(Range::parse);
    let Some(range) = range else { return Some(wrong(name, "needs an address range such as 10.0.0.0/16", span)) };
    let number = |at: usize| args.get(at).and_then(Val::as_int).and_then(|i| u128::try_from(i).ok());
    Some(match name {
        "parsecidr" => {
            let last = range.base | range.host_mask();
            let text = |t: String| Val::str(t, span);
            let mut out = Members::new();
            out.insert("network".into(), text(range.address(range.base)));
            out.insert("cidr".into(), Val::int(i64::from(range.length), span));
            if range.width == 32 {
                out.insert("netmask".into(), text(range.address(!range.host_mask())));
                out.insert("broadcast".into(), text(range.address(last)));
            } else {
                out.insert("netmask".into(), text(range.address(!range.host_mask())));
            }
            let inner = range.width == 32 && range.length < 31;
            out.insert("firstUsable".into(), text(range.address(range.base + u128::from(inner))));
            out.insert("lastUsable".into(), text(range.address(last - u128::from(inner))));
            Val::map(out, span)
        }
        "cidrsubnet" => {
            let (Some(length), Some(at)) = (number(1).and_then(|l| u32::try_from(l).ok()), number(2)) else {
                return Some(wrong(name, "needs a prefix length and a position", span));
            };
            if length < range.length
                || length > range.width
                || length - range.length < 127 && at >> (length - range.length) > 0
            {
                return Some(wrong(name, "the range has no such subnet", span));
            }
            let base = match range.width - length {
                128 => range.base,
                bits => range.base | at.checked_shl(bits).unwrap_or(0),
            };
            Val::str(format!("{}/{length}", range.address(base)), span)
        }
        _ => match number(1) {
            // Position 0 is the first usable address of an IPv4 range.
            Some(at) if at < range.host_mask() => {
                let first = u128::from(range.width == 32 && range.length < 31);
                Val::str(range.address(range.base.saturating_add(at).saturating_add(first)), span)
            }
            _ => wrong(name, "the range has no such host", span),
        },
    })
}
