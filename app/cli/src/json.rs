//! JSON text put together member by member, for the rows a command prints by the hundred thousand: names of members are written as they
//! are, and texts that need no escapes, which most are, are copied.

use serde::Serialize;

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

    /// A member's name, which holds nothing that would have to be escaped; its value comes next.
    fn name(&mut self, name: &'static str) -> &mut Vec<u8> {
        debug_assert!(is_plain(name));
        if self.any {
            self.text.push(b',');
        }
        self.any = true;
        self.text.push(b'"');
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(b"\":");
        self.text
    }

    /// A text.
    pub fn text(&mut self, name: &'static str, value: &str) -> serde_json::Result<&mut Self> {
        quoted(self.name(name), value)?;
        Ok(self)
    }

    /// What is JSON already.
    pub fn raw(&mut self, name: &'static str, json: &str) -> &mut Self {
        self.name(name).extend_from_slice(json.as_bytes());
        self
    }

    /// Anything else.
    pub fn value<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> serde_json::Result<&mut Self> {
        serde_json::to_writer(self.name(name), value)?;
        Ok(self)
    }

    /// A list, its elements written one by one.
    pub fn list<T>(
        &mut self,
        name: &'static str,
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
    !text.bytes().fold(false, |found, b| found | (b < b' ') | (b == b'"') | (b == b'\\'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    #[test]
    fn texts_are_what_the_library_makes_of_them() {
        for text in ["", "plain", "a \"b\"", "back\\slash", "tab\t", "line\n", "\u{1}", "é – 漢字", "\u{7f}\u{2028}"]
        {
            let mut out = Vec::new();
            quoted(&mut out, text).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(text).unwrap());
        }
    }

    #[test]
    fn objects_are_json() {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.text("a", "x\"y").unwrap().raw("b", "[1]").value("c", &Some(2)).unwrap();
        object.list("d", ["p", "q"], quoted).unwrap().list("e", Vec::<&str>::new(), quoted).unwrap().end();
        let read: Json = serde_json::from_slice(&out).unwrap();
        assert_eq!(read, json!({ "a": "x\"y", "b": [1], "c": 2, "d": ["p", "q"], "e": [] }));
    }
}
