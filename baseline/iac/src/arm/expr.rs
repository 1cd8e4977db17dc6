//! `"[…]"`: the expressions inside ARM's strings.

use crate::azure::expr::{Expr, Kind};
use crate::document::{Fault, clamp};
use std::rc::Rc;

/// Expressions nested deeper than this are refused.
const MAX_DEPTH: usize = 96;

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// Where the text stands in the file.
    base: u32,
    depth: usize,
}

/// Parses the text between the brackets; `base` is the byte of its first character in the file.
pub(super) fn parse(text: &str, base: u32) -> Result<Expr, Fault> {
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, base, depth: 0 };
    let expr = reader.expr()?;
    reader.blank();
    if reader.at < reader.bytes.len() {
        return reader.fault("unexpected text after the expression");
    }
    Ok(expr)
}

impl Reader<'_> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn blank(&mut self) {
        while self.peek().is_ascii_whitespace() {
            self.at += 1;
        }
    }

    fn place(&self, at: usize) -> u32 {
        self.base.saturating_add(clamp(at))
    }

    fn fault<T>(&self, message: &str) -> Result<T, Fault> {
        Err(Fault { at: self.place(self.at), message: format!("template expression: {message}") })
    }

    fn over(&self, start: usize, kind: Kind) -> Expr {
        Expr::new(self.place(start), self.place(self.at), kind)
    }

    fn expr(&mut self) -> Result<Expr, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fault("nested too deep");
        }
        self.blank();
        let start = self.at;
        let mut of = self.primary()?;
        loop {
            self.blank();
            match self.peek() {
                b'.' => {
                    self.at += 1;
                    self.blank();
                    let name = self.word()?;
                    self.blank();
                    let kind = if self.peek() == b'(' {
                        Kind::Method(Box::new(of), name, self.arguments()?)
                    } else {
                        Kind::Member { of: Box::new(of), name, safe: false }
                    };
                    of = self.over(start, kind);
                }
                b'[' => {
                    self.at += 1;
                    let index = self.expr()?;
                    self.blank();
                    if self.peek() != b']' {
                        return self.fault("expected `]`");
                    }
                    self.at += 1;
                    let kind = Kind::Index { of: Box::new(of), index: Box::new(index), safe: false, from_end: false };
                    of = self.over(start, kind);
                }
                _ => break,
            }
        }
        self.depth -= 1;
        Ok(of)
    }

    fn word(&mut self) -> Result<Rc<str>, Fault> {
        let start = self.at;
        while matches!(self.peek(), b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$' | b'-') {
            self.at += 1;
        }
        match self.text.get(start..self.at) {
            Some(word) if !word.is_empty() => Ok(word.into()),
            _ => self.fault("expected a name"),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Expr>, Fault> {
        self.at += 1;
        let mut args = Vec::new();
        loop {
            self.blank();
            if self.peek() == b')' {
                self.at += 1;
                return Ok(args);
            }
            args.push(self.expr()?);
            self.blank();
            match self.peek() {
                b',' => self.at += 1,
                b')' => {}
                _ => return self.fault("expected `,` or `)`"),
            }
        }
    }

    fn primary(&mut self) -> Result<Expr, Fault> {
        let start = self.at;
        match self.peek() {
            b'\'' => {
                let text = self.string()?;
                Ok(self.over(start, Kind::Str(text.into())))
            }
            b'-' | b'+' | b'0'..=b'9' => {
                self.at += 1;
                while matches!(self.peek(), b'0'..=b'9' | b'.') {
                    self.at += 1;
                }
                let number = self.text.get(start..self.at).unwrap_or_default().trim_start_matches('+');
                let kind = match (number.parse(), number.parse()) {
                    (Ok(int), _) => Kind::Int(int),
                    (_, Ok(double)) => Kind::Double(double),
                    _ => return self.fault("this is no number"),
                };
                Ok(self.over(start, kind))
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' => {
                let word = self.word()?;
                self.blank();
                if self.peek() != b'(' {
                    let kind = match &*word {
                        "true" => Kind::Bool(true),
                        "false" => Kind::Bool(false),
                        "null" => Kind::Null,
                        _ => Kind::Name(word),
                    };
                    return Ok(self.over(start, kind));
                }
                let mut args = self.arguments()?;
                if word.eq_ignore_ascii_case("lambda")
                    && let Some(body) = args.pop()
                {
                    let names = args.iter().filter_map(|a| a.literal().cloned()).collect();
                    return Ok(self.over(start, Kind::Lambda(names, Rc::new(body))));
                }
                Ok(self.over(start, Kind::Call(word, args)))
            }
            b'(' => {
                self.at += 1;
                let inner = self.expr()?;
                self.blank();
                if self.peek() != b')' {
                    return self.fault("expected `)`");
                }
                self.at += 1;
                Ok(inner)
            }
            _ => self.fault("expected a value"),
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        self.at += 1;
        let mut out = String::new();
        let mut from = self.at;
        loop {
            match self.bytes.get(self.at) {
                Some(b'\'') => {
                    out.push_str(self.text.get(from..self.at).unwrap_or_default());
                    self.at += 1;
                    // A doubled quote is a quote.
                    if self.peek() != b'\'' {
                        return Ok(out);
                    }
                    from = self.at;
                    self.at += 1;
                }
                Some(_) => self.at += 1,
                None => return self.fault("text without an end; add `'`"),
            }
        }
    }
}
