//! Templates: quoted text, heredocs and template files, with interpolations and directives.

use super::ast::{Expr, Kind, Piece, TemplateFor};
use super::parse::{Parsed, Parser};
use crate::source::FileId;

/// Reads a whole text as a template, as `templatefile` does.
///
/// # Errors
/// Where an interpolation or a directive is not one.
pub fn parse_template(text: &str, file: FileId) -> Parsed<Expr> {
    let mut parser = Parser::new(text, file, 0, text.len());
    let tokens = parser.tokens(&End::Text)?;
    let kind = finish(tokens, &parser)?;
    Ok(Expr { kind, span: parser.span(0) })
}

enum End<'a> {
    Quote,
    Marker(&'a str),
    Text,
}

enum Token {
    /// Literal text: at most one line, where lines count (not in quotes).
    Text(String),
    Expr(Expr),
    If(Expr),
    Else,
    EndIf,
    For(Box<TemplateFor>),
    EndFor,
}

impl Parser<'_> {
    /// `"…"`
    pub(super) fn quoted(&mut self) -> Parsed<Expr> {
        let start = self.at;
        self.at += 1;
        // Most texts have neither escape nor interpolation: take them in one piece.
        let mut at = 0;
        while let Some(b) = self.byte(at) {
            match b {
                b'"' => {
                    let text = self.slice(self.at, self.at + at).into();
                    self.at += at + 1;
                    return Ok(Expr { kind: Kind::Str(text), span: self.span(start) });
                }
                b'\\' | b'$' | b'%' | b'\n' => break,
                _ => at += 1,
            }
        }
        let tokens = self.tokens(&End::Quote)?;
        self.at += 1;
        let kind = finish(tokens, self)?;
        Ok(Expr { kind, span: self.span(start) })
    }

    /// `<<EOT` and `<<-EOT`
    pub(super) fn heredoc(&mut self) -> Parsed<Expr> {
        let start = self.at;
        self.at += 2;
        let flush = self.peek() == Some(b'-');
        self.at += usize::from(flush);
        let Some(marker) = self.ident() else { return self.fail("a marker was expected after `<<`") };
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r')) {
            self.at += 1;
        }
        if self.peek() != Some(b'\n') {
            return self.fail("a new line was expected after the marker of the heredoc");
        }
        self.at += 1;
        let mut tokens = self.tokens(&End::Marker(marker))?;
        if flush {
            strip_indent(&mut tokens);
        }
        let kind = finish(tokens, self)?;
        Ok(Expr { kind, span: self.span(start) })
    }

    fn tokens(&mut self, end: &End<'_>) -> Parsed<Vec<Token>> {
        self.depth += 1;
        let lines = !matches!(end, End::Quote);
        let mut tokens: Vec<Token> = Vec::new();
        let mut text = String::new();
        let mut line_start = true;
        // `~}` trims the literal that follows it, up to the end of its line and no further.
        let mut trim = false;
        loop {
            if line_start && let End::Marker(marker) = end {
                let line = self.slice(self.at, self.end).split('\n').next().unwrap_or("");
                if line.trim() == *marker {
                    push_text(&mut tokens, &mut text, &mut trim);
                    // Stand right after the marker, so that what follows on its line belongs to the outside.
                    self.at += line.trim_end().len();
                    break;
                }
            }
            let Some(b) = self.peek() else {
                match end {
                    End::Text => {
                        push_text(&mut tokens, &mut text, &mut trim);
                        break;
                    }
                    End::Quote => return self.fail("text without a closing quote"),
                    End::Marker(marker) => return self.fail(format!("heredoc without its end `{marker}`")),
                }
            };
            line_start = false;
            match b {
                b'"' if !lines => {
                    push_text(&mut tokens, &mut text, &mut trim);
                    break;
                }
                b'\n' if !lines => return self.fail("text without a closing quote on its line"),
                b'\\' if !lines => self.escape(&mut text)?,
                b'$' | b'%' if self.byte(1) == Some(b) && self.byte(2) == Some(b'{') => {
                    text.push(b as char);
                    text.push('{');
                    self.at += 3;
                }
                b'$' | b'%' if self.byte(1) == Some(b'{') => {
                    self.at += 2;
                    push_text(&mut tokens, &mut text, &mut trim);
                    if self.peek() == Some(b'~') {
                        self.at += 1;
                        if let Some(Token::Text(before)) = tokens.last_mut() {
                            before.truncate(before.trim_end().len());
                        }
                    }
                    let token = self.sequence(b == b'%')?;
                    tokens.push(token);
                    trim = self.peek() == Some(b'~');
                    self.at += usize::from(trim) + 1;
                }
                b'\n' => {
                    self.at += 1;
                    text.push('\n');
                    push_text(&mut tokens, &mut text, &mut trim);
                    line_start = true;
                }
                _ => {
                    let from = self.at;
                    self.at += 1;
                    while self.peek().is_some_and(|b| !matches!(b, b'\n' | b'$' | b'%' | b'"' | b'\\')) {
                        self.at += 1;
                    }
                    text.push_str(self.slice(from, self.at));
                }
            }
        }
        self.depth -= 1;
        Ok(tokens)
    }

    /// What stands between `${` or `%{` and `}`.
    fn sequence(&mut self, directive: bool) -> Parsed<Token> {
        let outer = std::mem::replace(&mut self.skip_newlines, true);
        let token = if directive {
            self.space();
            match self.ident() {
                Some("if") => Token::If(self.expr()?),
                Some("else") => Token::Else,
                Some("endif") => Token::EndIf,
                Some("endfor") => Token::EndFor,
                Some("for") => {
                    let (key_name, value_name, over) = self.for_intro()?;
                    Token::For(Box::new(TemplateFor { key_name, value_name, over, body: Vec::new() }))
                }
                _ => return self.fail("`if`, `else`, `endif`, `for` or `endfor` was expected after `%{`"),
            }
        } else {
            Token::Expr(self.expr()?)
        };
        self.space();
        self.skip_newlines = outer;
        let closed = self.peek() == Some(b'}') || (self.peek() == Some(b'~') && self.byte(1) == Some(b'}'));
        if closed { Ok(token) } else { self.fail("`}` was expected at the end of the interpolation") }
    }

    fn escape(&mut self, text: &mut String) -> Parsed<()> {
        let letter = self.byte(1);
        self.at += 2;
        match letter {
            Some(b'n') => text.push('\n'),
            Some(b'r') => text.push('\r'),
            Some(b't') => text.push('\t'),
            Some(b'"') => text.push('"'),
            Some(b'\\') => text.push('\\'),
            Some(b @ (b'u' | b'U')) => {
                let len = if b == b'u' { 4 } else { 8 };
                let digits = self.slice(self.at, self.at + len);
                match u32::from_str_radix(digits, 16).ok().filter(|_| digits.len() == len) {
                    Some(code) => text.push(char::from_u32(code).unwrap_or('\u{FFFD}')),
                    None => {
                        return self.fail(format!("{len} hexadecimal digits were expected after `\\{}`", b as char));
                    }
                }
                self.at += len;
            }
            _ => {
                self.at -= 2;
                return self.fail("unknown escape; known are \\n \\r \\t \\\" \\\\ \\uNNNN \\UNNNNNNNN");
            }
        }
        Ok(())
    }
}

fn push_text(tokens: &mut Vec<Token>, text: &mut String, trim: &mut bool) {
    if text.is_empty() {
        return;
    }
    let text = std::mem::take(text);
    tokens.push(Token::Text(if std::mem::take(trim) { text.trim_start().to_owned() } else { text }));
}

/// `<<-` removes the smallest indentation of all lines from every line. Blank lines do not count and stay.
fn strip_indent(tokens: &mut [Token]) {
    let mut least = usize::MAX;
    let mut starts = Vec::new();
    let mut line_start = true;
    for (i, token) in tokens.iter().enumerate() {
        match token {
            Token::Text(text) => {
                let blank = text.ends_with('\n') && text.trim().is_empty();
                if line_start && !blank {
                    least = least.min(text.len() - text.trim_start_matches([' ', '\t']).len());
                    starts.push(i);
                }
                line_start = text.ends_with('\n');
            }
            // A line that starts with an interpolation has no indentation at all.
            _ => {
                if line_start {
                    least = 0;
                }
                line_start = false;
            }
        }
    }
    for i in starts {
        if let Some(Token::Text(text)) = tokens.get_mut(i) {
            text.drain(..least.min(text.len()));
        }
    }
}

fn finish(tokens: Vec<Token>, parser: &Parser<'_>) -> Parsed<Kind> {
    let mut tokens = tokens.into_iter().peekable();
    let mut pieces = Vec::new();
    collect(&mut tokens, &mut pieces, parser, 0)?;
    if tokens.next().is_some() {
        return parser.fail("`else`, `endif` or `endfor` without its beginning");
    }
    match pieces.as_slice() {
        [] => return Ok(Kind::Str("".into())),
        [Piece::Text(text)] => return Ok(Kind::Str(text.clone())),
        _ => {}
    }
    Ok(Kind::Template(pieces))
}

type Tokens = std::iter::Peekable<std::vec::IntoIter<Token>>;

fn collect(tokens: &mut Tokens, pieces: &mut Vec<Piece>, parser: &Parser<'_>, depth: u32) -> Parsed<()> {
    if depth > 50 {
        return parser.fail("directives are nested too deep");
    }
    let mut text = String::new();
    loop {
        let stop = matches!(tokens.peek(), None | Some(Token::Else | Token::EndIf | Token::EndFor));
        if !text.is_empty() && !matches!(tokens.peek(), Some(Token::Text(_))) {
            pieces.push(Piece::Text(std::mem::take(&mut text).into()));
        }
        if stop {
            return Ok(());
        }
        match tokens.next() {
            Some(Token::Text(more)) => text.push_str(&more),
            Some(Token::Expr(expr)) => pieces.push(Piece::Expr(expr)),
            Some(Token::If(cond)) => {
                let (mut yes, mut no) = (Vec::new(), Vec::new());
                collect(tokens, &mut yes, parser, depth + 1)?;
                if matches!(tokens.peek(), Some(Token::Else)) {
                    tokens.next();
                    collect(tokens, &mut no, parser, depth + 1)?;
                }
                if !matches!(tokens.next(), Some(Token::EndIf)) {
                    return parser.fail("`%{ endif }` is missing");
                }
                pieces.push(Piece::If(Box::new((cond, yes, no))));
            }
            Some(Token::For(mut head)) => {
                collect(tokens, &mut head.body, parser, depth + 1)?;
                if !matches!(tokens.next(), Some(Token::EndFor)) {
                    return parser.fail("`%{ endfor }` is missing");
                }
                pieces.push(Piece::For(head));
            }
            _ => return Ok(()),
        }
    }
}
