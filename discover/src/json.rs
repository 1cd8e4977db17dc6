//! Records out of JSON, one at a time: a list, an object with a list in it, or one record a line.

use crate::mapping::Limits;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::{
    cell::Cell,
    io::{BufRead, Read},
};

/// Members of an answer that hold its records: `Records` (CloudTrail), `value` (Microsoft Graph, Azure), `Accounts`
/// (AWS Organizations), `Events` (CloudTrail LookupEvents), `projects` (Google Cloud).
pub(crate) const LISTS: &[&str] =
    &["Records", "value", "Accounts", "Events", "projects", "data", "items", "accounts", "results", "findings"];

/// The same of IAM: `ListRoles` and `GetAccountAuthorizationDetails`. Members of these names mean other things elsewhere.
pub(crate) const ROLE_LISTS: &[&str] = &["Roles", "RoleDetailList", "Records", "value", "data", "items", "results"];

/// Calls `each` with every record and its number, counted from 1. What cannot be read is told to `problem`; after a
/// broken record of a list the rest of the file is lost.
pub(crate) fn records(
    input: Box<dyn BufRead + '_>,
    limits: &Limits,
    each: &mut dyn FnMut(u64, Value),
    problem: &mut dyn FnMut(u64, String),
) {
    records_of(LISTS, input, limits, each, problem);
}

/// As [`records`], out of lists under other names.
pub(crate) fn records_of(
    lists: &'static [&'static str],
    mut input: Box<dyn BufRead + '_>,
    limits: &Limits,
    each: &mut dyn FnMut(u64, Value),
    problem: &mut dyn FnMut(u64, String),
) {
    let mut number = 0;
    // Input that cannot be read, or begins with much white space, is told of by the readers below.
    if let Ok(head) = input.fill_buf() {
        if head.is_empty() {
            return problem(0, "the file is empty".into());
        }
        if head.iter().find(|b| !b.is_ascii_whitespace()).is_some_and(|b| !matches!(b, b'{' | b'[')) {
            let right = "a list, an object with a list in it, or one record a line is";
            return problem(1, format!("the file is not JSON; {right}"));
        }
    }
    if by_line(input.as_mut(), lists) {
        let mut line = Vec::new();
        loop {
            line.clear();
            number += 1;
            match input.by_ref().take(limits.record_bytes as u64 + 1).read_until(b'\n', &mut line) {
                Ok(0) => return,
                Ok(_) => {}
                Err(e) => return problem(number, format!("cannot be read: {e}")),
            }
            if line.len() > limits.record_bytes {
                problem(number, format!("line is longer than {} bytes", limits.record_bytes));
                if skip_line(input.as_mut()).is_err() {
                    return;
                }
                continue;
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match serde_json::from_slice(&line) {
                Ok(value) => each(number, value),
                Err(_) => problem(number, "line is not a JSON record".into()),
            }
        }
    }
    // A page of an answer is one record here, so a record may be larger than a line may be.
    let most = (limits.record_bytes as u64).saturating_mul(16);
    let left = Cell::new(most);
    let mut de = serde_json::Deserializer::from_reader(Metered { input, left: &left });
    // Pages saved one after another, and lines too long to be told from a page, are several documents in one file.
    loop {
        let top = Top { each: &mut *each, number: &mut number, most, left: &left, lists };
        if let Err(e) = top.deserialize(&mut de) {
            return problem(number + 1, format!("JSON breaks off: {e}").replace(" at line 1", ""));
        }
        match de.end() {
            Ok(()) => return,
            Err(e) if e.is_io() => return problem(number + 1, format!("cannot be read: {e}")),
            Err(_) => {}
        }
    }
}

/// Whether the first line is a whole record by itself, and not an object around a list.
fn by_line(input: &mut dyn BufRead, lists: &[&str]) -> bool {
    let Ok(head) = input.fill_buf() else { return false };
    let mut lines = head.trim_ascii_start().splitn(2, |b| *b == b'\n');
    let (Some(first), Some(rest)) = (lines.next(), lines.next()) else { return false };
    if rest.iter().all(u8::is_ascii_whitespace) {
        return false;
    }
    match serde_json::from_slice::<Value>(first) {
        Ok(Value::Object(map)) => !lists.iter().any(|l| map.get(*l).is_some_and(Value::is_array)),
        _ => false,
    }
}

fn skip_line(input: &mut dyn BufRead) -> std::io::Result<()> {
    loop {
        let buf = input.fill_buf()?;
        if buf.is_empty() {
            return Ok(());
        }
        let (n, found) = match buf.iter().position(|b| *b == b'\n') {
            Some(at) => (at + 1, true),
            None => (buf.len(), false),
        };
        input.consume(n);
        if found {
            return Ok(());
        }
    }
}

/// Stops a record that has no end.
struct Metered<'a, R> {
    input: R,
    left: &'a Cell<u64>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.input.read(buf)?;
        let left = self.left.get().checked_sub(n as u64);
        self.left.set(left.ok_or_else(|| std::io::Error::other("one record is larger than a record may be"))?);
        Ok(n)
    }
}

struct Top<'a> {
    each: &'a mut dyn FnMut(u64, Value),
    number: &'a mut u64,
    most: u64,
    left: &'a Cell<u64>,
    lists: &'static [&'static str],
}

impl Top<'_> {
    fn give(&mut self, value: Value) {
        *self.number += 1;
        self.left.set(self.most);
        (self.each)(*self.number, value);
    }
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON list of records or an object with one")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element::<Value>()? {
            // Pages of answers saved one after another: each holds its own list.
            match value {
                Value::Object(mut page)
                    if page.len() <= 6 && self.lists.iter().any(|l| page.get(*l).is_some_and(Value::is_array)) =>
                {
                    for list in self.lists {
                        if let Some(Value::Array(items)) = page.remove(*list) {
                            items.into_iter().for_each(|item| self.give(item));
                        }
                    }
                }
                value => self.give(value),
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut rest = Map::new();
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            if self.lists.contains(&key.as_str()) {
                found = true;
                map.next_value_seed(Items(&mut self))?;
            } else {
                rest.insert(key, map.next_value()?);
            }
        }
        if !found && !rest.is_empty() {
            self.give(Value::Object(rest));
        }
        Ok(())
    }
}

/// The list inside an object; anything else under its name is passed over.
struct Items<'a, 'b>(&'a mut Top<'b>);

impl<'de> DeserializeSeed<'de> for Items<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of records")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element()? {
            self.0.give(value);
        }
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The text at a path of member names: `userIdentity.sessionContext.sessionIssuer.arn`.
pub(crate) fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    at(value, path)?.as_str().filter(|t| !t.is_empty())
}

/// The value at a path of member names.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |v, name| v.get(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrapping_gives_its_records() {
        fn check(text: &str, want: &[i64], problems: usize) {
            let (mut got, mut broken) = (Vec::new(), 0);
            records(
                Box::new(text.as_bytes()),
                &Limits::default(),
                &mut |_, v| got.push(v["n"].as_i64().unwrap_or(-1)),
                &mut |_, _| broken += 1,
            );
            assert_eq!((got.as_slice(), broken), (want, problems), "{text}");
        }
        check(r#"[{"n":1},{"n":2}]"#, &[1, 2], 0);
        check(r#"{"Records":[{"n":1},{"n":2}],"x":1}"#, &[1, 2], 0);
        check(r#"[{"Accounts":[{"n":1}]},{"Accounts":[{"n":2}]}]"#, &[1, 2], 0);
        check("{\"n\":1}\n{\"n\":2}\n", &[1, 2], 0);
        check("{\"n\":1}\nnonsense\n{\"n\":2}\n", &[1, 2], 1);
        check(r#"{"n":1}"#, &[1], 0);
        check("{\"n\":1}\n", &[1], 0);
        check("\n \n{\"n\":1}\n{\"n\":2}\n", &[1, 2], 0);
        check("{\n\"n\":1\n}\n{\n\"n\":2\n}\n", &[1, 2], 0);
        check("{\"Records\":[{\"n\":1}]}\n{\"Records\":[{\"n\":2}]}\n", &[1, 2], 0);
        check("{\n\"n\":1}\nnonsense\n", &[1], 1);
        check("{\"n\":1} {\"n\":2} [{\"n\":3}]", &[1, 2, 3], 0);
        check(r#"[{"n":1},{"n":"#, &[1], 1);
        check("", &[], 1);
        check(r#""text""#, &[], 1);
        check(&"[".repeat(1_000_000), &[], 1);
    }
}
