//! Addresses and networks.

use super::{Args, Out};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) fn call(name: &str, args: &Args<'_>) -> Option<Out> {
    Some(match name {
        "cidrhost" => cidrhost(args),
        "cidrnetmask" => cidrnetmask(args),
        "cidrsubnet" => cidrsubnet(args),
        "cidrsubnets" => cidrsubnets(args),
        _ => return None,
    })
}

#[derive(Clone, Copy)]
struct Net {
    address: u128,
    length: u32,
    bits: u32,
}

impl Net {
    fn parse(text: &str) -> Result<Net, String> {
        let bad = || format!("{text:?} is not a network such as 10.0.0.0/16");
        let (address, length) = text.split_once('/').ok_or_else(bad)?;
        let length: u32 = length.parse().map_err(|_| bad())?;
        // Terraform reads leading zeros of an IPv4 address as nothing, where others read an octal number or refuse.
        let decimal: Vec<&str> = address
            .split('.')
            .map(|part| match part.trim_start_matches('0') {
                "" if !part.is_empty() => "0",
                digits => digits,
            })
            .collect();
        let address = if decimal.len() == 4 { decimal.join(".") } else { address.to_owned() };
        let (address, bits) = match address.parse().map_err(|_| bad())? {
            IpAddr::V4(a) => (u128::from(u32::from(a)), 32),
            IpAddr::V6(a) => (u128::from(a), 128),
        };
        if length > bits {
            return Err(bad());
        }
        Ok(Net { address: address & mask(length, bits), length, bits })
    }

    fn address(self) -> String {
        if self.bits == 32 {
            Ipv4Addr::from(self.address as u32).to_string()
        } else {
            Ipv6Addr::from(self.address).to_string()
        }
    }

    fn subnet(self, new_bits: i64, number: u128) -> Result<Net, String> {
        let length = u32::try_from(new_bits).ok().and_then(|n| self.length.checked_add(n)).filter(|l| *l <= self.bits);
        let Some(length) = length else {
            return Err(format!("{new_bits} more bits do not fit a prefix of {} bits", self.length));
        };
        let new = length - self.length;
        if new < 128 && number >> new != 0 {
            return Err(format!("{new} bits do not hold network number {number}"));
        }
        let shifted = number.checked_shl(self.bits - length).unwrap_or(0);
        Ok(Net { address: self.address | shifted, length, bits: self.bits })
    }

    fn text(self) -> String {
        format!("{}/{}", self.address(), self.length)
    }
}

fn mask(length: u32, bits: u32) -> u128 {
    let all = if bits == 128 { u128::MAX } else { (1 << bits) - 1 };
    all & !(all.checked_shr(length).unwrap_or(0))
}

fn cidrhost(args: &Args<'_>) -> Out {
    let net = Net::parse(&args.text(0)?)?;
    let number = args.int(1)?;
    let space = net.bits - net.length;
    let size: u128 = if space >= 127 { u128::MAX >> 1 } else { 1 << space };
    let offset = if number < 0 { size.checked_sub(u128::from(number.unsigned_abs())) } else { Some(number as u128) };
    match offset.filter(|o| *o < size) {
        Some(offset) => args.str(Net { address: net.address | offset, ..net }.address()),
        None => Err(format!("the network has no host number {number}")),
    }
}

fn cidrnetmask(args: &Args<'_>) -> Out {
    let net = Net::parse(&args.text(0)?)?;
    if net.bits != 32 {
        return Err("only IPv4 networks have a netmask".into());
    }
    args.str(Net { address: mask(net.length, 32), ..net }.address())
}

fn cidrsubnet(args: &Args<'_>) -> Out {
    let net = Net::parse(&args.text(0)?)?;
    let number = u128::try_from(args.int(2)?).map_err(|_| "the network number must not be negative")?;
    args.str(net.subnet(args.int(1)?, number)?.text())
}

fn cidrsubnets(args: &Args<'_>) -> Out {
    let net = Net::parse(&args.text(0)?)?;
    let mut next = net.address;
    let mut out = Vec::new();
    for i in 1..args.all.len() {
        let new_bits = args.int(i)?;
        let length = net.subnet(new_bits, 0)?.length;
        if new_bits < 1 {
            return Err("each network needs at least one more bit".into());
        }
        let size = 1u128.checked_shl(net.bits - length).unwrap_or(0);
        let start = if next % size.max(1) == 0 { next } else { (next / size.max(1) + 1) * size };
        if (start & mask(net.length, net.bits)) != net.address || (i > 1 && start < next) {
            return Err(format!("there is no room in {} for the network of argument {}", net.text(), i + 1));
        }
        out.push(Net { address: start, length, bits: net.bits }.text());
        next = start.wrapping_add(size);
    }
    args.texts(out)
}
