//! Hashes.

use super::{Args, Out};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use std::fmt::Write as _;

pub(super) fn call(name: &str, args: &Args<'_>) -> Option<Out> {
    Some(match name {
        "uuidv5" => uuidv5(args),
        _ => {
            digest(name, b"")?;
            args.text(0).and_then(|text| args.str(digest(name, text.as_bytes()).unwrap_or_default()))
        }
    })
}

/// `md5`, `sha1`, `sha256`, `sha512` in hexadecimal, `base64sha256` and `base64sha512` in base 64.
pub(super) fn digest(name: &str, bytes: &[u8]) -> Option<String> {
    Some(match name {
        "md5" => hex(&Md5::digest(bytes)),
        "sha1" => hex(&Sha1::digest(bytes)),
        "sha256" => hex(&Sha256::digest(bytes)),
        "sha512" => hex(&Sha512::digest(bytes)),
        "base64sha256" => STANDARD.encode(Sha256::digest(bytes)),
        "base64sha512" => STANDARD.encode(Sha512::digest(bytes)),
        _ => return None,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

fn uuidv5(args: &Args<'_>) -> Out {
    let (space, name) = (args.text(0)?, args.text(1)?);
    let base = "-9dad-11d1-80b4-00c04fd430c8";
    let space = match &*space {
        "dns" => format!("6ba7b810{base}"),
        "url" => format!("6ba7b811{base}"),
        "oid" => format!("6ba7b812{base}"),
        "x500" => format!("6ba7b814{base}"),
        _ => space,
    };
    let digits: String = space.chars().filter(|c| *c != '-').collect();
    let number = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32);
    let Some(number) = number else {
        return Err(format!("{space:?} is not a namespace: dns, url, oid, x500 or a UUID"));
    };
    let mut hasher = Sha1::new();
    hasher.update(number.to_be_bytes());
    hasher.update(name.as_bytes());
    let mut id = 0u128;
    for b in hasher.finalize().iter().take(16) {
        id = id << 8 | u128::from(*b);
    }
    id = id & !(0xF << 76) | 5 << 76;
    id = id & !(0x3 << 62) | 2 << 62;
    let text = format!("{id:032x}");
    let part = |a: usize, b: usize| text.get(a..b).unwrap_or("");
    args.str([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}
