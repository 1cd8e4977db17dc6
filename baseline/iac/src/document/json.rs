//! JSON as templates are really written: comments, trailing commas, line breaks in strings, a byte order mark.

use super::{Data, Fault, KEPT_DEPTH, MAX_DEPTH, Member, Node, Parsed, clamp, keep_last};

/// Parses one JSON document. Never fails: what was complete before a fault is kept (see [`Parsed`]).
pub fn parse(text: &str) -> Parsed {
    let mut reader = Reader { bytes: text.as_bytes(), text, at: 0, faults: Vec::new() };
    if text.starts_with('\u{feff}') {
        reader.at = 3;
    }
    let document = match reader.value(0) {
        Ok(node) => {
            if reader.faults.is_empty() {
                let _ = reader.blank();
                if reader.at < reader.bytes.len() {
                    reader.faults.push(Fault {
                        at: clamp(reader.at),
                        message: "text after the end of the document; remove it".into(),
                    });
                }
            }
            vec![node]
        }
        Err(fault) => {
            reader.faults.push(fault);
            Vec::new()
        }
    };
    Parsed { documents: document, faults: reader.faults }
}

struct Reader<'t> {
    bytes: &'t [u8],
    text: &'t str,
    at: usize,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn fault<T>(&self, message: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { at: clamp(self.at), message: message.into() })
    }

    /// Skips white space and comments.
    fn blank(&mut self) -> Result<(), Fault> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(b'/') if self.bytes.get(self.at + 1) == Some(&b'/') => {
                    while self.peek().is_some_and(|b| b != b'\n') {
                        self.at += 1;
                    }
                }
                Some(b'/') if self.bytes.get(self.at + 1) == Some(&b'*') => {
                    let rest = self.bytes.get(self.at + 2..).unwrap_or_default();
                    match rest.windows(2).position(|w| w == b"*/") {
                        Some(length) => self.at += length + 4,
                        None => return self.fault("comment without an end; add `*/`"),
                    }
                }
                // A no-break space or another mark pasted from a web page.
                Some(0xC2) if self.bytes.get(self.at + 1) == Some(&0xA0) => self.at += 2,
                Some(0xEF) if self.bytes.get(self.at..self.at + 3) == Some(b"\xEF\xBB\xBF") => self.at += 3,
                _ => return Ok(()),
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Fault> {
        self.blank()?;
        let start = self.at;
        let data = match self.peek() {
            Some(b'{') => return self.object(depth),
            Some(b'[') => return self.array(depth),
            Some(b'"') => Data::Str(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'a'..=b'z' | b'A'..=b'Z') => {
                while self.peek().is_some_and(|b| b.is_ascii_alphanumeric()) {
                    self.at += 1;
                }
                match self.text.get(start..self.at).unwrap_or_default() {
                    "true" | "True" => Data::Bool(true),
                    "false" | "False" => Data::Bool(false),
                    "null" | "None" => Data::Null,
                    other => {
                        let message = format!("`{other}` is no JSON value; put text in double quotes");
                        self.at = start;
                        return self.fault(message);
                    }
                }
            }
            Some(_) => return self.fault("expected a value here"),
            None => return self.fault("the document ends where a value was expected"),
        };
        Ok(Node::new(start, self.at, data))
    }

    fn object(&mut self, depth: usize) -> Result<Node, Fault> {
        let start = self.at;
        if depth >= MAX_DEPTH {
            return self.fault(format!("containers nested deeper than {MAX_DEPTH}"));
        }
        self.at += 1;
        let mut members = Vec::new();
        if let Err(fault) = self.members(depth, &mut members) {
            if depth >= KEPT_DEPTH {
                return Err(fault);
            }
            self.faults.push(fault);
            self.at = self.bytes.len();
        }
        // Of a repeated key the last counts, as in every JSON reader the clouds use.
        keep_last(&mut members);
        Ok(Node::new(start, self.at, Data::Map(members)))
    }

    fn members(&mut self, depth: usize, members: &mut Vec<Member>) -> Result<(), Fault> {
        loop {
            self.blank()?;
            let start = self.at;
            let key = match self.peek() {
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'"') => self.string()?,
                Some(b',') if !members.is_empty() => {
                    self.at += 1;
                    continue;
                }
                None => return self.fault("object without an end; add `}`"),
                Some(_) => return self.fault("expected a member name in double quotes, or `}`"),
            };
            let end = self.at;
            self.blank()?;
            if self.peek() != Some(b':') {
                return self.fault(format!("expected `:` after the member name \"{key}\""));
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            members.push(Member { key, start: clamp(start), end: clamp(end), value });
            if !self.faults.is_empty() {
                return Ok(());
            }
            self.blank()?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {}
                _ => return self.fault("expected `,` or `}` after a member"),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Node, Fault> {
        let start = self.at;
        if depth >= MAX_DEPTH {
            return self.fault(format!("containers nested deeper than {MAX_DEPTH}"));
        }
        self.at += 1;
        let mut items = Vec::new();
        if let Err(fault) = self.elements(depth, &mut items) {
            if depth >= KEPT_DEPTH {
                return Err(fault);
            }
            self.faults.push(fault);
            self.at = self.bytes.len();
        }
        Ok(Node::new(start, self.at, Data::Seq(items)))
    }

    fn elements(&mut self, depth: usize, items: &mut Vec<Node>) -> Result<(), Fault> {
        loop {
            self.blank()?;
            match self.peek() {
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                None => return self.fault("array without an end; add `]`"),
                _ => {}
            }
            items.push(self.value(depth + 1)?);
            if !self.faults.is_empty() {
                return Ok(());
            }
            self.blank()?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {}
                _ => return self.fault("expected `,` or `]` after an item"),
            }
        }
    }

    fn number(&mut self) -> Result<Data, Fault> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E')) {
            self.at += 1;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if let Ok(int) = text.parse::<i64>() {
            return Ok(Data::Int(int));
        }
        match text.parse::<f64>() {
            Ok(double) => Ok(Data::Double(double)),
            Err(_) => {
                let message = format!("`{text}` is no number");
                self.at = start;
                self.fault(message)
            }
        }
    }

    fn string(&mut self) -> Result<Box<str>, Fault> {
        let open = self.at;
        self.at += 1;
        let mut from = self.at;
        let mut text = String::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    text.push_str(self.text.get(from..self.at).unwrap_or_default());
                    self.at += 1;
                    return Ok(text.into());
                }
                Some(b'\\') => {
                    text.push_str(self.text.get(from..self.at).unwrap_or_default());
                    self.at += 1;
                    text.push(self.escape()?);
                    from = self.at;
                }
                Some(_) => self.at += 1,
                None => {
                    self.at = open;
                    return self.fault("string without an end; add `\"`");
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let Some(byte) = self.peek() else { return self.fault("the document ends inside a string") };
        if !byte.is_ascii() {
            return self.fault("unknown escape; write `\\\\` for a backslash");
        }
        self.at += 1;
        Ok(match byte {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let high = self.hex4()?;
                let code = if (0xD800..0xDC00).contains(&high) && self.bytes.get(self.at..self.at + 2) == Some(b"\\u") {
                    self.at += 2;
                    let low = self.hex4()?;
                    0x10000 + ((high - 0xD800) << 10) + (low.wrapping_sub(0xDC00) & 0x3FF)
                } else {
                    high
                };
                char::from_u32(code).unwrap_or('\u{fffd}')
            }
            other => char::from(other),
        })
    }

    fn hex4(&mut self) -> Result<u32, Fault> {
        let digits = self.text.get(self.at..self.at + 4).and_then(|d| u32::from_str_radix(d, 16).ok());
        match digits {
            Some(code) => {
                self.at += 4;
                Ok(code)
            }
            None => self.fault("`\\u` needs four hexadecimal digits"),
        }
    }
}
