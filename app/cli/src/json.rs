//! JSON text put together member by member, for the rows a command prints by the hundred thousand: names of members are written as they
//! are, and texts that need no escapes, which most are, are copied.

use serde::Serialize;
use std::io::Write;

/// A member's name as it stands between two members: comma, quotes and colon.
#[derive(Debug, Clone, Copy)]
pub struct Key(&'static str);

impl Key {
    /// Made by `key!`, of a name that holds nothing that would have to be escaped.
    pub const fn new(written: &'static str) -> Self {
        Self(written)
    }
}

/// A member's name, put together by the compiler.
macro_rules! key {
    ($name:literal) => {
        const { $crate::json::Key::new(concat!(",\"", $name, "\":")) }
    };
}
pub(crate) use key;

/// An object that is being written.
pub struct Object<'t> {
    text: &'t mut Vec<u8>,
    any: bool,
}

impl<'t> Object<'t> {
    /// Begins one.
    pub fn new(text: &'t mut Vec<u8>) -> Self {
        text.push(b'{');
        Self { text, any: false }
    }

    /// A member's name; its value comes next.
    fn name(&mut self, Key(written): Key) -> &mut Vec<u8> {
        let written = if self.any { written } else { written.get(1..).unwrap_or_default() };
        self.any = true;
        self.text.extend_from_slice(written.as_bytes());
        self.text
    }

    /// A text.
    pub fn text(&mut self, name: Key, value: &str) -> serde_json::Result<&mut Self> {
        quoted(self.name(name), value)?;
        Ok(self)
    }

    /// What is JSON already.
    pub fn raw(&mut self, name: Key, json: &str) -> &mut Self {
        self.name(name).extend_from_slice(json.as_bytes());
        self
    }

    /// Anything else.
    pub fn value<T: Serialize + ?Sized>(&mut self, name: Key, value: &T) -> serde_json::Result<&mut Self> {
        serde_json::to_writer(self.name(name), value)?;
        Ok(self)
    }

    /// A list, its elements written one by one.
    pub fn list<T>(
        &mut self,
        name: Key,
        elements: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Vec<u8>, T) -> serde_json::Result<()>,
    ) -> serde_json::Result<&mut Self> {
        let text = self.name(name);
        text.push(b'[');
        for (at, element) in elements.into_iter().enumerate() {
            if at > 0 {
                text.push(b',');
            }
            write(text, element)?;
        }
        text.push(b']');
        Ok(self)
    }

    /// A text and a number behind a colon: `main.tf:7`.
    pub fn place(&mut self, name: Key, file: &str, line: u32) -> serde_json::Result<&mut Self> {
        let text = self.name(name);
        quoted(text, file)?;
        text.pop();
        write!(text, ":{line}\"").map_err(serde_json::Error::io)?;
        Ok(self)
    }

    /// Ends it.
    pub fn end(&mut self) {
        self.text.push(b'}');
    }
}

/// A text between quotes.
pub fn quoted(text: &mut Vec<u8>, value: &str) -> serde_json::Result<()> {
    if !is_plain(value) {
        return serde_json::to_writer(text, value);
    }
    text.push(b'"');
    text.extend_from_slice(value.as_bytes());
    text.push(b'"');
    Ok(())
}

/// Whether JSON has a text as it is: no quotes, no backslashes, no control characters.
fn is_plain(text: &str) -> bool {
    // Without a way out half-way, so that many bytes are looked at at once.
    fn looked_at(bytes: &[u8]) -> bool {
        !bytes.iter().fold(false, |found, &b| found | (b < b' ') | (b == b'"') | (b == b'\\'))
    }
    let bytes = text.as_bytes();
    match bytes.last_chunk::<16>() {
        Some(last) => bytes.as_chunks::<16>().0.iter().all(|chunk| looked_at(chunk)) && looked_at(last),
        None => looked_at(bytes),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    #[test]
    fn texts_are_what_the_library_makes_of_them() {
        for text in [
            "",
            "plain",
            "quite a long text with nothing in it",
            "quite a long text with one at the \"end",
            "\"or at the very beginning of it",
            "a \"b\"",
            "back\\slash",
            "tab\t",
            "line\n",
            "\u{1}",
            "é – 漢字",
            "\u{7f}\u{2028}",
        ] {
            let mut out = Vec::new();
            quoted(&mut out, text).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(text).unwrap());
        }
    }

    #[test]
    fn objects_are_json() {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.text(key!("a"), "x\"y").unwrap().raw(key!("b"), "[1]").value(key!("c"), &Some(2)).unwrap();
        object.list(key!("d"), ["p", "q"], quoted).unwrap().list(key!("e"), Vec::<&str>::new(), quoted).unwrap();
        object.place(key!("f"), "a\"b", 7).unwrap().end();
        let read: Json = serde_json::from_slice(&out).unwrap();
        assert_eq!(read, json!({ "a": "x\"y", "b": [1], "c": 2, "d": ["p", "q"], "e": [], "f": "a\"b:7" }));
    }
}
