//! JSON with places: a small parser that keeps the span of every value and allows comments where asked.

use crate::source::{FileId, Span};
use crate::value::{Data, Members, Part, Val};

const MAX_DEPTH: u32 = 96;

/// Why a text is not JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at byte {offset}")]
pub struct JsonError {
    /// The byte in the text.
    pub offset: usize,
    /// What is wrong.
    pub message: &'static str,
}

/// How a JSON text is read.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// Whether `//`, `#` and `/* */` comments and commas before a closing bracket are allowed.
    pub comments: bool,
}

/// Reads `text` as JSON; spans are bytes of `file`.
///
/// # Errors
/// The first place where the text is not JSON.
pub fn parse(text: &str, file: FileId, dialect: Dialect) -> Result<Val, JsonError> {
    Parser { text: text.as_bytes(), str: text, at: 0, depth: 0, comments: dialect.comments, place: Place::File(file) }
        .document()
}

/// Reads text that is not a file of its own; every value gets `span`.
pub fn parse_text(text: &str, span: Span) -> Option<Val> {
    let parser =
        Parser { text: text.as_bytes(), str: text, at: 0, depth: 0, comments: false, place: Place::Fixed(span) };
    parser.document().ok()
}

const OPEN: char = '\u{F0000}';
const CLOSE: char = '\u{F0001}';

/// Reads a text with holes as JSON. A hole inside a string leaves a partial text; a hole in place of a value is that
/// value.
pub fn parse_parts(parts: &[Part], span: Span) -> Option<Val> {
    let mut text = String::new();
    let mut holes: Vec<&Val> = Vec::new();
    let mut quoted = false;
    for part in parts {
        match part {
            Part::Text(piece) => {
                let mut escaped = false;
                for c in piece.chars().filter(|c| *c != OPEN && *c != CLOSE) {
                    match c {
                        '\\' if quoted && !escaped => escaped = true,
                        '"' if !escaped => quoted = !quoted,
                        _ => escaped = false,
                    }
                    text.push(c);
                }
            }
            Part::Hole(hole) => {
                let quote = if quoted { "" } else { "\"" };
                text.push_str(&format!("{quote}{OPEN}{}{CLOSE}{quote}", holes.len()));
                holes.push(hole);
            }
        }
    }
    parse_text(&text, span).map(|val| fill(val, &holes))
}

fn fill(val: Val, holes: &[&Val]) -> Val {
    let span = val.span;
    match val.data {
        Data::Str(text) if text.contains(OPEN) => fill_text(&text, holes, span),
        Data::List(items) => Val::list(items.iter().map(|v| fill(v.clone(), holes)).collect(), span),
        Data::Map(members) => {
            let members =
                members.iter().map(|(k, v)| (fill_text(k, holes, span).describe().into(), fill(v.clone(), holes)));
            Val::map(members.collect(), span)
        }
        data => Val::new(data, span),
    }
}

fn fill_text(text: &str, holes: &[&Val], span: Span) -> Val {
    let mut parts = Vec::new();
    let mut pieces = text.split(OPEN);
    parts.extend(pieces.next().map(|t| Part::Text(t.into())));
    for piece in pieces {
        let (number, rest) = piece.split_once(CLOSE).unwrap_or(("", piece));
        if let Some(hole) = number.parse::<usize>().ok().and_then(|n| holes.get(n)) {
            parts.push(Part::Hole((*hole).clone()));
        }
        parts.push(Part::Text(rest.into()));
    }
    Val::from_parts(parts, span)
}

enum Place {
    File(FileId),
    Fixed(Span),
}

struct Parser<'a> {
    text: &'a [u8],
    str: &'a str,
    at: usize,
    depth: u32,
    comments: bool,
    place: Place,
}

impl Parser<'_> {
    fn document(mut self) -> Result<Val, JsonError> {
        let val = self.value()?;
        self.space()?;
        if self.at < self.text.len() { self.fail("text after the end of the document") } else { Ok(val) }
    }

    fn fail<T>(&self, message: &'static str) -> Result<T, JsonError> {
        Err(JsonError { offset: self.at.min(self.text.len()), message })
    }

    fn span(&self, start: usize) -> Span {
        match self.place {
            Place::File(file) => Span::new(file, start, self.at),
            Place::Fixed(span) => span,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) -> Result<(), JsonError> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(b'#') if self.comments => self.line(),
                Some(b'/') if self.comments => match self.text.get(self.at + 1) {
                    Some(b'/') => self.line(),
                    Some(b'*') => {
                        let rest = self.str.get(self.at + 2..).unwrap_or("");
                        let Some(end) = rest.find("*/") else { return self.fail("comment without an end") };
                        self.at += end + 4;
                    }
                    _ => return Ok(()),
                },
                _ => return Ok(()),
            }
        }
    }

    fn line(&mut self) {
        while self.peek().is_some_and(|b| b != b'\n') {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Val, JsonError> {
        self.space()?;
        let start = self.at;
        match self.peek() {
            None => self.fail("the document ends where a value was expected"),
            Some(b'{') => self.object(start),
            Some(b'[') => self.array(start),
            Some(b'"') => {
                let text = self.string()?;
                Ok(Val::str(text, self.span(start)))
            }
            Some(b'-' | b'0'..=b'9') => self.number(start),
            Some(_) => {
                for (word, data) in [("true", Data::Bool(true)), ("false", Data::Bool(false)), ("null", Data::Null)] {
                    if self.text.get(self.at..).is_some_and(|t| t.starts_with(word.as_bytes())) {
                        self.at += word.len();
                        return Ok(Val::new(data, self.span(start)));
                    }
                }
                self.fail(
                    "a value was expected: an object, an array, text in double quotes, a number, true, false or null",
                )
            }
        }
    }

    fn enter(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH { self.fail("nested too deep") } else { Ok(()) }
    }

    fn object(&mut self, start: usize) -> Result<Val, JsonError> {
        self.enter()?;
        let mut members = Members::new();
        loop {
            self.space()?;
            match self.peek() {
                Some(b'}') if members.is_empty() || self.comments => break,
                Some(b'"') => {}
                _ => return self.fail("a member name in double quotes was expected"),
            }
            let key = self.string()?;
            self.space()?;
            if self.peek() != Some(b':') {
                return self.fail("`:` was expected after the member name");
            }
            self.at += 1;
            let value = self.value()?;
            members.insert(key.into(), value);
            self.space()?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return self.fail("`,` or `}` was expected"),
            }
        }
        self.at += 1;
        self.depth -= 1;
        Ok(Val::map(members, self.span(start)))
    }

    fn array(&mut self, start: usize) -> Result<Val, JsonError> {
        self.enter()?;
        let mut items = Vec::new();
        loop {
            self.space()?;
            if self.peek() == Some(b']') && (items.is_empty() || self.comments) {
                break;
            }
            items.push(self.value()?);
            self.space()?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return self.fail("`,` or `]` was expected"),
            }
        }
        self.at += 1;
        self.depth -= 1;
        Ok(Val::list(items, self.span(start)))
    }

    fn number(&mut self, start: usize) -> Result<Val, JsonError> {
        while self.peek().is_some_and(|b| matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        let text = self.str.get(start..self.at).unwrap_or("");
        if let Ok(i) = text.parse::<i64>() {
            return Ok(Val::int(i, self.span(start)));
        }
        match text.parse::<f64>() {
            Ok(f) if f.is_finite() => Ok(Val::num(f, self.span(start))),
            _ => self.fail("not a number"),
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while self.peek().is_some_and(|b| b != b'"' && b != b'\\') {
                self.at += 1;
            }
            out.push_str(self.str.get(start..self.at).unwrap_or(""));
            match self.peek() {
                None => return self.fail("text without a closing quote"),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(_) => self.escape(&mut out)?,
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), JsonError> {
        let letter = self.text.get(self.at + 1).copied();
        self.at += 2;
        out.push(match letter {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(c @ (b'"' | b'\\' | b'/')) => c as char,
            Some(b'u') => {
                let first = self.hex()?;
                let code = if (0xD800..0xDC00).contains(&first) && self.text.get(self.at..self.at + 2) == Some(b"\\u") {
                    self.at += 2;
                    let second = self.hex()?;
                    0x10000 + ((first - 0xD800) << 10) + (second.wrapping_sub(0xDC00) & 0x3FF)
                } else {
                    first
                };
                char::from_u32(code).unwrap_or('\u{FFFD}')
            }
            _ => return self.fail("unknown escape in text"),
        });
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let digits = self.str.get(self.at..self.at + 4).and_then(|d| u32::from_str_radix(d, 16).ok());
        let Some(code) = digits else { return self.fail("four hexadecimal digits were expected after `\\u`") };
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_point_at_the_bytes() {
        let text = r#"{"a": [1, "x\u00e9\n"], "b": null}"#;
        let val = parse(text, FileId(3), Dialect { comments: false }).unwrap();
        let x = val.at("a.1").unwrap();
        assert_eq!(x.as_str(), Some("xé\n"));
        assert_eq!(&text[x.span.start as usize..x.span.end as usize], "\"x\\u00e9\\n\"");
        assert!(val.get("b").unwrap().is_null());
    }

    #[test]
    fn comments_only_where_asked() {
        let text = "{ // c\n \"a\": 1, /* x */ }";
        assert!(parse(text, FileId(0), Dialect { comments: false }).is_err());
        assert_eq!(parse(text, FileId(0), Dialect { comments: true }).unwrap().at("a").unwrap().as_int(), Some(1));
    }

    #[test]
    fn holes_stay_where_they_are() {
        let hole = Val::reference("aws_s3_bucket.b", "arn", Span::default());
        let parts = vec![
            Part::Text("{\"Resource\": \"".into()),
            Part::Hole(hole.clone()),
            Part::Text("/*\", \"Principal\": ".into()),
            Part::Hole(hole.clone()),
            Part::Text(", \"Action\": \"*\"}".into()),
        ];
        let val = parse_parts(&parts, Span::default()).unwrap();
        assert_eq!(val.at("Action").unwrap().as_str(), Some("*"));
        assert_eq!(val.at("Principal").unwrap(), &hole);
        assert_eq!(val.at("Resource").unwrap().describe(), "${aws_s3_bucket.b.arn}/*");
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(parse(&"[".repeat(100_000), FileId(0), Dialect { comments: false }).is_err());
    }
}
