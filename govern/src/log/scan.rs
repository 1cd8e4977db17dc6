//! Reads an entry in place and checks on the way that its bytes are the canonical ones. Verification spends its time here.

use super::canonical;
use crate::people::ActorKind;
use plumb_model::Time;
use serde_json::Value as Json;

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Steps over exactly this text.
    fn take(&mut self, exact: &str) -> Option<()> {
        self.rest().starts_with(exact).then(|| self.at += exact.len())
    }

    /// Steps over a canonical string and gives what is between its quotes, escapes as they stand.
    fn string(&mut self) -> Option<&'a str> {
        self.take("\"")?;
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let mut i = 0;
        loop {
            match bytes.get(i)? {
                b'"' => break,
                b'\\' => match bytes.get(i + 1)? {
                    b'"' | b'\\' | b'b' | b't' | b'n' | b'f' | b'r' => i += 2,
                    b'u' => {
                        // Only control characters without a short form are written as numbers, in lower case.
                        let code = rest.get(i + 2..i + 6).filter(|c| !c.contains(|c: char| c.is_ascii_uppercase()))?;
                        let code = u32::from_str_radix(code, 16).ok()?;
                        if code > 0x1f || matches!(code, 0x08 | 0x09 | 0x0a | 0x0c | 0x0d) {
                            return None;
                        }
                        i += 6;
                    }
                    _ => return None,
                },
                0..=0x1f => return None,
                _ => i += 1,
            }
        }
        self.at += i + 1;
        rest.get(..i)
    }

    /// Steps over `"key":` and a string, with a comma before it.
    fn member(&mut self, key: &str) -> Option<&'a str> {
        self.take(key)?;
        self.string()
    }

    /// Steps over a number without sign, fraction or leading zero.
    fn number(&mut self) -> Option<u64> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let digits = rest.get(..end)?;
        if digits.len() > 1 && digits.starts_with('0') {
            return None;
        }
        self.at += end;
        digits.parse().ok()
    }
}

/// The number of an entry and the hash it carries; none if the bytes are not those that
/// [`Entry::write_canonical`](super::Entry::write_canonical) writes. `buffer` is scratch space.
pub(super) fn scan<'a>(bytes: &'a [u8], buffer: &mut Vec<u8>) -> Option<(u64, &'a str)> {
    let mut c = Cursor { text: std::str::from_utf8(bytes).ok()?, at: 0 };
    c.member("{\"action\":")?;
    c.member(",\"actor\":")?;
    let kind = c.member(",\"actor_kind\":")?;
    kind.parse::<ActorKind>().ok()?;
    c.member(",\"after\":")?;
    c.member(",\"at\":")?.parse::<Time>().ok()?;
    c.member(",\"before\":")?;
    c.take(",\"change\":")?;
    let rest = c.rest();
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Json>();
    let change = values.next()?.ok()?;
    let end = values.byte_offset();
    buffer.clear();
    canonical::write(&change, buffer);
    if rest.as_bytes().get(..end)? != buffer.as_slice() {
        return None;
    }
    c.at += end;
    for key in [",\"client_ip\":", ",\"emergency\":", ",\"human\":", ",\"object_id\":", ",\"object_kind\":"] {
        c.member(key)?;
    }
    let outcome = c.member(",\"outcome\":")?;
    if !matches!(outcome, "done" | "denied") {
        return None;
    }
    c.member(",\"policy\":")?;
    let prev = c.member(",\"prev\":")?;
    c.member(",\"request\":")?;
    c.take(",\"seq\":")?;
    let seq = c.number()?;
    c.member(",\"session\":")?;
    c.take(",\"v\":1}")?;
    c.rest().is_empty().then_some((seq, prev))
}

#[cfg(test)]
mod tests {
    use super::super::{Event, Log};
    use super::*;
    use crate::people::Actor;

    #[track_caller]
    fn check(bytes: &[u8], want: bool) {
        assert_eq!(scan(bytes, &mut Vec::new()).is_some(), want, "{}", String::from_utf8_lossy(bytes));
    }

    #[test]
    fn only_canonical_bytes_pass() {
        let change = serde_json::json!({ "b": [1, -2.5, null], "a": "x" });
        let at = Time::from_seconds(0);
        let sealed = Log::default().append(Event::done(&Actor::system("x"), "a.b", ("k\u{1}\n\"", "ü"), change, at));
        check(&sealed.bytes, true);
        let text = String::from_utf8(sealed.bytes).unwrap();
        for (from, to) in [
            ("{\"a\":\"x\",\"b\"", "{\"b\":1,\"a\""),
            ("\"seq\":0", "\"seq\":00"),
            ("\"seq\":0", "\"seq\": 0"),
            ("-2.5", "-2.50"),
            ("\\u0001", "\\u0041"),
            ("\\n", "\\u000a"),
            ("done", "gone"),
            ("system\",", "robot\","),
            ("\"v\":1}", "\"v\":1} "),
            ("\"v\":1}", "\"v\":1,\"w\":2}"),
            ("1970-01-01T00:00:00Z", "yesterday"),
        ] {
            assert!(text.contains(from), "{from} in {text}");
            check(text.replacen(from, to, 1).as_bytes(), false);
        }
    }
}
