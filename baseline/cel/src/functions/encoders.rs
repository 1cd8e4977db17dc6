//! The encoders extension: base64.

use super::{Table, wrong};
use crate::{Context, Val};

pub(crate) const TABLE: Table =
    &[("base64.encode(bytes) -> string", encode), ("base64.decode(string) -> bytes", decode)];

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let group = at(0) << 16 | at(1) << 8 | at(2);
        for position in 0..4 {
            let six = (group >> (18 - 6 * position) & 63) as usize;
            let c = ALPHABET.get(six).copied().unwrap_or(b'=');
            out.push(if position <= chunk.len() { char::from(c) } else { '=' });
        }
    }
    out
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if padding > 2 || (padding > 0 && !text.len().is_multiple_of(4)) || digits.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut group, mut bits) = (0u32, 0);
    for c in digits.bytes() {
        let six = ALPHABET.iter().position(|a| *a == c)? as u32;
        group = group << 6 | six;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((group >> bits & 255) as u8);
        }
    }
    Some(out)
}

fn encode<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Bytes(bytes)] => match cx.allow_text(bytes.len() * 2) {
            Ok(()) => Val::string(base64(bytes)),
            Err(error) => error.into(),
        },
        _ => wrong(args),
    }
}

fn decode<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Str(text)] => {
            cx.charge_bytes(text.len() * 8);
            unbase64(text).map_or_else(|| Val::invalid("this text is not base64"), |bytes| Val::Bytes(bytes.into()))
        }
        _ => wrong(args),
    }
}
