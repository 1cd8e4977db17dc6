//! Just enough of protobuf's text format to read the conformance cases.

/// A message: fields in order, names may repeat.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Message(pub Vec<(String, Field)>);

#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// A quoted text, by its bytes.
    Text(Vec<u8>),
    /// A number or a name.
    Word(String),
    Message(Message),
}

impl Message {
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, f)| f)
    }

    pub fn all<'m>(&'m self, name: &'m str) -> impl Iterator<Item = &'m Field> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, f)| f)
    }

    pub fn message(&self, name: &str) -> Option<&Message> {
        self.get(name).and_then(Field::message)
    }

    pub fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Field::Text(bytes) => Some(String::from_utf8(bytes.clone()).expect("utf-8")),
            _ => None,
        }
    }

    pub fn word(&self, name: &str) -> Option<&str> {
        if let Field::Word(word) = self.get(name)? { Some(word) } else { None }
    }
}

impl Field {
    pub fn message(&self) -> Option<&Message> {
        if let Field::Message(message) = self { Some(message) } else { None }
    }
}

pub fn parse(text: &str) -> Message {
    let mut parser = Parser { bytes: text.as_bytes(), at: 0 };
    let message = parser.fields(None);
    assert_eq!(parser.at, parser.bytes.len(), "the whole file is read");
    message
}

struct Parser<'s> {
    bytes: &'s [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while let Some(c) = self.peek() {
            if c == b'#' {
                while self.peek().is_some_and(|c| c != b'\n') {
                    self.at += 1;
                }
            } else if c.is_ascii_whitespace() || c == b',' || c == b';' {
                self.at += 1;
            } else {
                break;
            }
        }
    }

    fn fields(&mut self, close: Option<u8>) -> Message {
        let mut message = Message::default();
        loop {
            self.blanks();
            if self.peek() == close {
                self.at += usize::from(close.is_some());
                return message;
            }
            let name = if self.peek() == Some(b'[') {
                let start = self.at;
                while self.peek().is_some_and(|c| c != b']') {
                    self.at += 1;
                }
                self.at += 1;
                String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned()
            } else {
                self.word()
            };
            self.blanks();
            if self.peek() == Some(b':') {
                self.at += 1;
                self.blanks();
            }
            if self.peek() == Some(b'[') {
                self.at += 1;
                loop {
                    self.blanks();
                    if self.peek() == Some(b']') {
                        self.at += 1;
                        break;
                    }
                    let value = self.value();
                    message.0.push((name.clone(), value));
                }
            } else {
                let value = self.value();
                message.0.push((name, value));
            }
        }
    }

    fn word(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || b"_.-+/".contains(&c)) {
            self.at += 1;
        }
        assert!(self.at > start, "a word at byte {start}");
        String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned()
    }

    fn value(&mut self) -> Field {
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                Field::Message(self.fields(Some(b'}')))
            }
            Some(b'"' | b'\'') => {
                let mut bytes = Vec::new();
                while let Some(quote @ (b'"' | b'\'')) = self.peek() {
                    self.at += 1;
                    self.quoted(quote, &mut bytes);
                    self.blanks();
                }
                Field::Text(bytes)
            }
            _ => Field::Word(self.word()),
        }
    }

    fn quoted(&mut self, quote: u8, out: &mut Vec<u8>) {
        loop {
            let c = self.peek().expect("a closed text");
            self.at += 1;
            if c == quote {
                return;
            }
            if c != b'\\' {
                out.push(c);
                continue;
            }
            let code = self.peek().expect("an escape");
            self.at += 1;
            let digits = |p: &mut Self, most: usize, radix: u32| {
                let start = p.at;
                while p.at - start < most && p.peek().is_some_and(|c| char::from(c).is_digit(radix)) {
                    p.at += 1;
                }
                u32::from_str_radix(std::str::from_utf8(&p.bytes[start..p.at]).unwrap(), radix).unwrap()
            };
            match code {
                b'a' => out.push(7),
                b'b' => out.push(8),
                b'f' => out.push(12),
                b'n' => out.push(b'\n'),
                b'r' => out.push(b'\r'),
                b't' => out.push(b'\t'),
                b'v' => out.push(11),
                b'x' | b'X' => out.push(digits(self, 2, 16) as u8),
                b'u' | b'U' => {
                    let value = digits(self, if code == b'u' { 4 } else { 8 }, 16);
                    let c = char::from_u32(value).expect("a character");
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                b'0'..=b'7' => {
                    self.at -= 1;
                    out.push(digits(self, 3, 8) as u8);
                }
                other => out.push(other),
            }
        }
    }
}

#[test]
fn reads_what_the_cases_use() {
    let message = parse("# c\nname: \"a\\n\\377\" 'b' list { v: 1 v: -2.5 } [x.y/Z] { } many: [1, 2]");
    assert_eq!(message.get("name"), Some(&Field::Text(b"a\n\xffb".to_vec())));
    assert_eq!(message.message("list").unwrap().all("v").count(), 2);
    assert!(message.message("[x.y/Z]").is_some());
    assert_eq!(message.all("many").count(), 2);
}
