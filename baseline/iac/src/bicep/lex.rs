//! Bicep text into tokens. Strings are cut at their `${…}`, so the parser sees expressions between text pieces.

use crate::document::{Fault, clamp};

/// A token and its bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub start: u32,
    pub end: u32,
    pub kind: Tok,
    /// Whether it is the first token of its line, at the first column.
    pub at_margin: bool,
}

/// The kinds of token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tok {
    Newline,
    Word(Box<str>),
    Int(i64),
    /// `'text'`, or a piece of an interpolated string; the flags tell what stands before and after it.
    Text {
        text: Box<str>,
        /// A `}` stands before it: this continues a string.
        continues: bool,
        /// A `${` stands after it: an expression follows.
        opens: bool,
    },
    Sign(&'static str),
    End,
}

/// Longest first, so that the first match is the right one.
const SIGNS: [&str; 41] = [
    "...", "=>", "==", "=~", "!=", "!~", "<=", ">=", "&&", "||", "??", "::", ".?", "(", ")", "[", "]", "{", "}", ",",
    ".", "?", ":", "=", "!", "<", ">", "+", "-", "*", "/", "%", "@", "|", "^", ";", "&", "~", "\\", "`", "\"",
];

enum Mode {
    /// Inside `{ … }`.
    Brace,
    /// Inside `${ … }` of a string.
    Single,
    /// Inside `${ … }` of a multi-line string that opened with this many `$`.
    Multi(usize),
}

struct Lexer<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    line_start: usize,
    modes: Vec<Mode>,
    tokens: Vec<Token>,
    faults: Vec<Fault>,
}

/// All tokens of the text, `End` last, and what could not be read.
pub(super) fn lex(text: &str) -> (Vec<Token>, Vec<Fault>) {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        at: if text.starts_with('\u{feff}') { 3 } else { 0 },
        line_start: 0,
        modes: Vec::new(),
        tokens: Vec::with_capacity(text.len() / 5),
        faults: Vec::new(),
    };
    lexer.line_start = lexer.at;
    while lexer.at < lexer.bytes.len() {
        lexer.step();
    }
    let end = lexer.at;
    lexer.push(end, Tok::End);
    (lexer.tokens, lexer.faults)
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn looking_at(&self, what: &str) -> bool {
        self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(what.as_bytes()))
    }

    fn push(&mut self, start: usize, kind: Tok) {
        let at_margin = start == self.line_start;
        self.tokens.push(Token { start: clamp(start), end: clamp(self.at), kind, at_margin });
    }

    fn fault(&mut self, at: usize, message: &str) {
        self.faults.push(Fault { at: clamp(at), message: message.into() });
    }

    fn skip_line(&mut self) {
        while self.at < self.bytes.len() && !matches!(self.peek(0), b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn step(&mut self) {
        let start = self.at;
        match self.peek(0) {
            b' ' | b'\t' => self.at += 1,
            b'\r' | b'\n' => {
                self.at += if self.looking_at("\r\n") { 2 } else { 1 };
                self.line_start = self.at;
                self.push(start, Tok::Newline);
            }
            b'/' if self.peek(1) == b'/' => self.skip_line(),
            b'/' if self.peek(1) == b'*' => {
                let rest = self.bytes.get(self.at + 2..).unwrap_or_default();
                match rest.windows(2).position(|w| w == b"*/") {
                    Some(length) => self.at += length + 4,
                    None => {
                        self.fault(start, "comment without an end; add `*/`");
                        self.at = self.bytes.len();
                    }
                }
            }
            b'#' => self.skip_line(),
            b'\'' if self.looking_at("'''") => {
                self.at += 3;
                self.multi(start, 0, false);
            }
            b'\'' => {
                self.at += 1;
                self.single(start, false);
            }
            b'$' => {
                let dollars = self.bytes.get(self.at..).unwrap_or_default().iter().take_while(|&&b| b == b'$').count();
                self.at += dollars;
                if self.looking_at("'''") {
                    self.at += 3;
                    self.multi(start, dollars, false);
                } else {
                    self.fault(start, "`$` outside a string");
                }
            }
            b'0'..=b'9' => {
                while self.peek(0).is_ascii_digit() {
                    self.at += 1;
                }
                let digits = self.text.get(start..self.at).unwrap_or_default();
                let number = digits.parse().unwrap_or_else(|_| {
                    self.faults.push(Fault { at: clamp(start), message: "number too large for 64 bits".into() });
                    i64::MAX
                });
                self.push(start, Tok::Int(number));
            }
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                while matches!(self.peek(0), b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9') {
                    self.at += 1;
                }
                let word = self.text.get(start..self.at).unwrap_or_default().into();
                self.push(start, Tok::Word(word));
            }
            b'}' => match self.modes.pop() {
                Some(Mode::Single) => {
                    self.at += 1;
                    self.single(start, true);
                }
                Some(Mode::Multi(dollars)) => {
                    self.at += 1;
                    self.multi(start, dollars, true);
                }
                _ => {
                    self.at += 1;
                    self.push(start, Tok::Sign("}"));
                }
            },
            _ => match SIGNS.iter().find(|sign| self.looking_at(sign)) {
                Some(sign) => {
                    self.at += sign.len();
                    if *sign == "{" {
                        self.modes.push(Mode::Brace);
                    }
                    self.push(start, Tok::Sign(sign));
                }
                None => {
                    let width = self.text.get(start..).and_then(|t| t.chars().next()).map_or(1, char::len_utf8);
                    self.at += width;
                    // A no-break space or byte order mark pasted into the text means nothing.
                    if !matches!(self.text.get(start..self.at), Some("\u{a0}" | "\u{feff}" | "\u{200b}")) {
                        self.fault(start, "this character has no meaning here");
                    }
                }
            },
        }
    }

    /// The rest of a `'…'` string up to its end or the next `${`.
    fn single(&mut self, start: usize, continues: bool) {
        let mut text = String::new();
        let mut from = self.at;
        let take = |lexer: &Self, from: usize, text: &mut String| {
            text.push_str(lexer.text.get(from..lexer.at).unwrap_or_default());
        };
        loop {
            match self.peek(0) {
                b'\'' => {
                    take(self, from, &mut text);
                    self.at += 1;
                    return self.push(start, Tok::Text { text: text.into(), continues, opens: false });
                }
                b'$' if self.peek(1) == b'{' => {
                    take(self, from, &mut text);
                    self.at += 2;
                    self.modes.push(Mode::Single);
                    return self.push(start, Tok::Text { text: text.into(), continues, opens: true });
                }
                b'\\' => {
                    take(self, from, &mut text);
                    self.at += 1;
                    self.escape(&mut text);
                    from = self.at;
                }
                b'\n' | b'\r' | 0 if self.at >= self.bytes.len() || self.peek(0) != 0 => {
                    take(self, from, &mut text);
                    self.fault(start, "string without an end; add `'`");
                    return self.push(start, Tok::Text { text: text.into(), continues, opens: false });
                }
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self, text: &mut String) {
        let at = self.at;
        match self.peek(0) {
            b'n' => text.push('\n'),
            b'r' => text.push('\r'),
            b't' => text.push('\t'),
            b'\\' => text.push('\\'),
            b'\'' => text.push('\''),
            b'$' => text.push('$'),
            b'u' if self.peek(1) == b'{' => {
                let rest = self.text.get(self.at + 2..).unwrap_or_default();
                let digits = rest.find('}').and_then(|end| rest.get(..end)).filter(|d| d.len() <= 8);
                let char = digits.and_then(|d| u32::from_str_radix(d, 16).ok()).and_then(char::from_u32);
                if let (Some(digits), Some(char)) = (digits, char) {
                    text.push(char);
                    self.at += digits.len() + 2;
                } else {
                    self.fault(at, "`\\u{…}` needs the hexadecimal number of a character");
                }
            }
            _ => {
                // Kept as written; the character itself is read by the caller.
                text.push('\\');
                self.fault(at, "unknown escape; write `\\\\` for a backslash");
                return;
            }
        }
        self.at += 1;
    }

    /// The rest of a `'''…'''` string up to its end or the next interpolation.
    fn multi(&mut self, start: usize, dollars: usize, continues: bool) {
        if !continues {
            // The line break right after the opening quotes is not part of the text.
            if self.looking_at("\r\n") {
                self.at += 2;
            } else if self.looking_at("\n") {
                self.at += 1;
            }
        }
        let from = self.at;
        let open = format!("{}{{", "$".repeat(dollars));
        loop {
            if self.at >= self.bytes.len() {
                self.fault(start, "multi-line string without an end; add `'''`");
                let text = self.text.get(from..self.at).unwrap_or_default().into();
                return self.push(start, Tok::Text { text, continues, opens: false });
            }
            if self.looking_at("'''") {
                // Quotes before the closing three belong to the text.
                while self.peek(3) == b'\'' {
                    self.at += 1;
                }
                let text = self.text.get(from..self.at).unwrap_or_default().into();
                self.at += 3;
                return self.push(start, Tok::Text { text, continues, opens: false });
            }
            if dollars > 0 && self.looking_at(&open) {
                let text = self.text.get(from..self.at).unwrap_or_default().into();
                self.at += open.len();
                self.modes.push(Mode::Multi(dollars));
                return self.push(start, Tok::Text { text, continues, opens: true });
            }
            if self.peek(0) == b'\n' {
                self.line_start = self.at + 1;
            }
            self.at += 1;
        }
    }
}
