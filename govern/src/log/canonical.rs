//! RFC 8785 canonical JSON: one byte string for one value, so that a hash means something.

use serde_json::Value as Json;
use std::io::Write as _;

/// Appends the canonical form of `value`: members sorted by UTF-16 code units, no space, shortest escapes, numbers as
/// ECMAScript writes them.
pub fn write(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Number(n) => number(n, out),
        Json::String(s) => string(s, out),
        Json::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Json::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            // UTF-16 order differs from UTF-8 order only where surrogates meet the top of the basic plane.
            if members.keys().all(|k| k.is_ascii()) {
                sorted.sort_unstable_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
            } else {
                sorted.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            }
            out.push(b'{');
            for (i, (key, item)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                string(key, out);
                out.push(b':');
                write(item, out);
            }
            out.push(b'}');
        }
    }
}

/// The canonical form as bytes.
pub fn bytes(value: &Json) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write(value, &mut out);
    out
}

/// Appends a JSON string with the shortest escapes.
pub fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut from = 0;
    let raw = text.as_bytes();
    for (i, b) in raw.iter().enumerate() {
        let escape: &[u8] = match b {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            0x08 => b"\\b",
            0x09 => b"\\t",
            0x0a => b"\\n",
            0x0c => b"\\f",
            0x0d => b"\\r",
            0..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(raw.get(from..i).unwrap_or_default());
        if escape.is_empty() {
            // Writing to a vector cannot fail.
            let _ = write!(out, "\\u{b:04x}");
        } else {
            out.extend_from_slice(escape);
        }
        from = i + 1;
    }
    out.extend_from_slice(raw.get(from..).unwrap_or_default());
    out.push(b'"');
}

/// Integers are written exactly, even beyond 2^53 where RFC 8785 would round: this record never rounds a count.
/// Fractions follow ECMAScript's `Number::toString`.
fn number(n: &serde_json::Number, out: &mut Vec<u8>) {
    if let Some(i) = n.as_i64() {
        let _ = write!(out, "{i}");
    } else if let Some(u) = n.as_u64() {
        let _ = write!(out, "{u}");
    } else {
        out.extend_from_slice(ecma(n.as_f64().unwrap_or(0.0)).as_bytes());
    }
}

fn ecma(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".into();
    }
    // Rust prints the shortest digits that read back to the same number: `d.ddde±x`.
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    let split = |at: i32| digits.split_at(usize::try_from(at).unwrap_or(0).min(digits.len()));
    let body = if count <= point && point <= 21 {
        format!("{digits}{}", zeros(point - count))
    } else if 0 < point && point <= 21 {
        let (a, b) = split(point);
        format!("{a}.{b}")
    } else if -6 < point && point <= 0 {
        format!("0.{}{digits}", zeros(-point))
    } else {
        let (a, b) = split(1);
        let dot = if b.is_empty() { "" } else { "." };
        let e = point - 1;
        format!("{a}{dot}{b}e{}{}", if e < 0 { '-' } else { '+' }, e.abs())
    };
    if value < 0.0 { format!("-{body}") } else { body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, want: &str) {
        let value: Json = serde_json::from_str(input).unwrap();
        assert_eq!(String::from_utf8(bytes(&value)).unwrap(), want);
    }

    #[test]
    fn members_are_sorted_and_nothing_is_spare() {
        check(r#"{ "b": 1, "a": [ true, null, "x" ] }"#, r#"{"a":[true,null,"x"],"b":1}"#);
        // The sorting example of RFC 8785, section 3.2.3: UTF-16 order puts the emoji before U+FB33.
        check(
            "{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6,\"\\u00f6\":7}",
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}",
        );
    }

    #[test]
    fn strings_use_the_shortest_escapes() {
        check(r#""\u0001\u0008\t\n\f\r\"\\\/é\u007f""#, "\"\\u0001\\b\\t\\n\\f\\r\\\"\\\\/é\u{7f}\"");
    }

    #[test]
    fn numbers_are_written_as_ecmascript_writes_them() {
        for (input, want) in [
            ("0.0", "0"),
            ("-0.0", "0"),
            ("1.0", "1"),
            ("-1.5", "-1.5"),
            ("1e21", "1e+21"),
            ("1e20", "100000000000000000000"),
            ("0.000001", "0.000001"),
            ("1e-7", "1e-7"),
            ("333333333.33333329", "333333333.3333333"),
            ("1.5e300", "1.5e+300"),
            ("9007199254740993", "9007199254740993"),
            ("4.5", "4.5"),
            ("2e-3", "0.002"),
        ] {
            check(input, want);
        }
    }
}
