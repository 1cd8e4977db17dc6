//! Text to tokens.

use crate::{CompileError, ast::Span};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Ident(String),
    /// A field name in backquotes, only legal after a dot.
    Quoted(String),
    /// The magnitude; the parser applies the sign.
    Int(u64),
    Uint(u64),
    Double(f64),
    Str(String),
    Bytes(Vec<u8>),
    Punct(&'static str),
    End,
}

const PUNCTUATION: [&str; 26] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", "{", "}", ".", ",", ":", "?", "+", "-", "*", "/",
    "%", "!", "&", "|",
];

pub(crate) fn tokens(source: &str) -> Result<Vec<(Token, Span)>, CompileError> {
    let mut lexer = Lexer { source, bytes: source.as_bytes(), at: 0 };
    let mut out = Vec::new();
    loop {
        lexer.blanks();
        let start = lexer.at;
        let token = lexer.token()?;
        let done = token == Token::End;
        out.push((token, Span { start: start as u32, end: lexer.at as u32 }));
        if done {
            return Ok(out);
        }
    }
}

struct Lexer<'s> {
    source: &'s str,
    bytes: &'s [u8],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn error(&self, start: usize, message: impl Into<String>) -> CompileError {
        let span = Span { start: start as u32, end: self.at.max(start + 1) as u32 };
        CompileError::new(self.source, span, message, None)
    }

    fn text(&self, start: usize) -> &str {
        self.source.get(start..self.at).unwrap_or_default()
    }

    fn blanks(&mut self) {
        while let Some(c) = self.peek(0) {
            if matches!(c, b' ' | b'\t' | b'\n' | b'\r' | 0x0c) {
                self.at += 1;
            } else if self.rest().starts_with(b"//") {
                while self.peek(0).is_some_and(|c| c != b'\n') {
                    self.at += 1;
                }
            } else {
                break;
            }
        }
    }

    fn token(&mut self) -> Result<Token, CompileError> {
        let Some(c) = self.peek(0) else { return Ok(Token::End) };
        if let Some(prefix) = self.string_prefix() {
            return self.string(prefix);
        }
        if c.is_ascii_alphabetic() || c == b'_' {
            let start = self.at;
            while self.peek(0).is_some_and(|c| c.is_ascii_alphanumeric() || c == b'_') {
                self.at += 1;
            }
            return Ok(Token::Ident(self.text(start).to_owned()));
        }
        if c.is_ascii_digit() || (c == b'.' && self.peek(1).is_some_and(|c| c.is_ascii_digit())) {
            return self.number();
        }
        if c == b'`' {
            let start = self.at;
            self.at += 1;
            while self.peek(0).is_some_and(|c| c != b'`' && c != b'\n') {
                self.at += 1;
            }
            if self.peek(0) != Some(b'`') {
                return Err(self.error(start, "unterminated quoted field name"));
            }
            let name = self.text(start + 1).to_owned();
            self.at += 1;
            let fits = |c: char| c.is_ascii_alphanumeric() || "_.-/ ".contains(c);
            if name.is_empty() || !name.chars().all(fits) {
                return Err(
                    self.error(start, "a quoted field name may hold letters, digits, `_`, `.`, `-`, `/` and spaces")
                );
            }
            return Ok(Token::Quoted(name));
        }
        for punct in PUNCTUATION {
            if self.rest().starts_with(punct.as_bytes()) {
                let start = self.at;
                self.at += punct.len();
                if matches!(punct, "&" | "|") {
                    return Err(
                        self.error(start, format!("unexpected `{punct}`; `{punct}{punct}` is the logical operator"))
                    );
                }
                return Ok(Token::Punct(punct));
            }
        }
        let start = self.at;
        let bad = self.source.get(start..).and_then(|s| s.chars().next()).unwrap_or(' ');
        let hint = if bad == '=' { "; comparison is `==`" } else { "" };
        Err(self.error(start, format!("unexpected character `{}`{hint}", bad.escape_debug())))
    }

    fn number(&mut self) -> Result<Token, CompileError> {
        let start = self.at;
        if self.peek(0) == Some(b'0') && matches!(self.peek(1), Some(b'x' | b'X')) {
            self.at += 2;
            while self.peek(0).is_some_and(|c| c.is_ascii_hexdigit()) {
                self.at += 1;
            }
            let value = u64::from_str_radix(self.text(start + 2), 16);
            let unsigned = matches!(self.peek(0), Some(b'u' | b'U'));
            if unsigned {
                self.at += 1;
            }
            let value = value.map_err(|_| self.error(start, "this hexadecimal number is not one of 64 bits"))?;
            return self.end_number(start, if unsigned { Token::Uint(value) } else { Token::Int(value) });
        }
        let mut float = false;
        let digits = |l: &mut Self| {
            while l.peek(0).is_some_and(|c| c.is_ascii_digit()) {
                l.at += 1;
            }
        };
        digits(self);
        if self.peek(0) == Some(b'.') && self.peek(1).is_some_and(|c| c.is_ascii_digit()) {
            float = true;
            self.at += 1;
            digits(self);
        }
        if matches!(self.peek(0), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.peek(1), Some(b'+' | b'-')));
            if self.peek(1 + sign).is_some_and(|c| c.is_ascii_digit()) {
                float = true;
                self.at += 1 + sign;
                digits(self);
            }
        }
        let text = self.text(start).to_owned();
        if float {
            let value = text.parse().map_err(|_| self.error(start, "this is not a number"))?;
            return self.end_number(start, Token::Double(value));
        }
        let value: u64 = text.parse().map_err(|_| self.error(start, "this whole number does not fit into 64 bits"))?;
        if matches!(self.peek(0), Some(b'u' | b'U')) {
            self.at += 1;
            return self.end_number(start, Token::Uint(value));
        }
        self.end_number(start, Token::Int(value))
    }

    fn end_number(&self, start: usize, token: Token) -> Result<Token, CompileError> {
        if self.peek(0).is_some_and(|c| c.is_ascii_alphanumeric() || c == b'_') {
            return Err(self.error(start, "a number cannot be followed by a letter"));
        }
        Ok(token)
    }

    /// `(length, raw, bytes)` of the letters before a quote, if a text literal starts here.
    fn string_prefix(&self) -> Option<(usize, bool, bool)> {
        let (mut raw, mut bytes) = (false, false);
        for length in 0..3 {
            match self.peek(length)? {
                b'\'' | b'"' => return Some((length, raw, bytes)),
                b'r' | b'R' if !raw => raw = true,
                b'b' | b'B' if !bytes => bytes = true,
                _ => return None,
            }
        }
        None
    }

    fn string(&mut self, (prefix, raw, bytes): (usize, bool, bool)) -> Result<Token, CompileError> {
        let start = self.at;
        self.at += prefix;
        let quote = self.peek(0).unwrap_or(b'"');
        let triple = self.peek(1) == Some(quote) && self.peek(2) == Some(quote);
        let width = if triple { 3 } else { 1 };
        self.at += width;
        let mut out = Vec::new();
        loop {
            let Some(c) = self.peek(0) else { return Err(self.error(start, "unterminated text")) };
            if c == quote && (!triple || (self.peek(1) == Some(quote) && self.peek(2) == Some(quote))) {
                self.at += width;
                break;
            }
            if !triple && matches!(c, b'\n' | b'\r') {
                return Err(self.error(start, "unterminated text: the line ends inside it"));
            }
            if c == b'\\' && !raw {
                self.escape(bytes, &mut out)?;
            } else if c == b'\\' {
                // In raw text a backslash stands for itself, and still keeps a quote from ending the text.
                out.push(c);
                self.at += 1;
                if let Some(next) = self.peek(0).filter(|n| *n == quote || *n == b'\\') {
                    out.push(next);
                    self.at += 1;
                }
            } else {
                out.push(c);
                self.at += 1;
            }
        }
        if bytes {
            return Ok(Token::Bytes(out));
        }
        String::from_utf8(out).map(Token::Str).map_err(|_| self.error(start, "this text is not valid Unicode"))
    }

    fn escape(&mut self, bytes: bool, out: &mut Vec<u8>) -> Result<(), CompileError> {
        let start = self.at;
        let code = self.peek(1);
        self.at += 2;
        let plain = match code {
            Some(b'a') => Some(7),
            Some(b'b') => Some(8),
            Some(b'f') => Some(12),
            Some(b'n') => Some(b'\n'),
            Some(b'r') => Some(b'\r'),
            Some(b't') => Some(b'\t'),
            Some(b'v') => Some(11),
            Some(c @ (b'\\' | b'?' | b'"' | b'\'' | b'`')) => Some(c),
            _ => None,
        };
        if let Some(byte) = plain {
            out.push(byte);
            return Ok(());
        }
        let (digits, radix) = match code {
            Some(b'x' | b'X') => (2, 16),
            Some(b'u') if !bytes => (4, 16),
            Some(b'U') if !bytes => (8, 16),
            Some(b'0'..=b'3') => {
                self.at -= 1;
                (3, 8)
            }
            _ => return Err(self.error(start, "unknown escape; a backslash itself is written `\\\\`")),
        };
        let from = self.at;
        self.at = (self.at + digits).min(self.bytes.len());
        let value = self
            .bytes
            .get(from..from + digits)
            .filter(|d| d.iter().all(u8::is_ascii_hexdigit))
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| u32::from_str_radix(d, radix).ok())
            .ok_or_else(|| self.error(start, format!("this escape needs {digits} digits")))?;
        if bytes {
            out.push(value as u8);
        } else {
            let c = char::from_u32(value).ok_or_else(|| self.error(start, "this escape is not a Unicode character"))?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }
}
