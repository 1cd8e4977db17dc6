//! The parser of the HashiCorp configuration language. It reads bytes once, keeps the place of everything, and goes on
//! after an error with the next block of the file.

use super::ast::{Attr, Binary, Block, Body, CallExpr, Expr, ForExpr, Kind, Op};
use crate::skips::skips_in;
use crate::source::{FileId, Span};
use std::sync::Arc;

/// How deep expressions and blocks may nest.
const MAX_DEPTH: u32 = 100;
/// How many operators of one expression may stand in a row.
const MAX_CHAIN: usize = 200;

/// Where and why a text is not configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub span: Span,
    /// What is wrong and what would be right.
    pub message: String,
}

pub(super) type Parsed<T> = Result<T, SyntaxError>;

/// Reads a file: everything that can be read, and the errors of what cannot.
pub fn parse_file(text: &str, file: FileId) -> (Body, Vec<SyntaxError>) {
    parse_items(text, file, false)
}

/// Reads a file of variable values: `name = value` lines.
pub fn parse_values(text: &str, file: FileId) -> (Body, Vec<SyntaxError>) {
    parse_items(text, file, true)
}

fn parse_items(text: &str, file: FileId, values: bool) -> (Body, Vec<SyntaxError>) {
    let mut parser = Parser::new(text, file, 0, text.len());
    let mut body = Body::default();
    let mut errors = Vec::new();
    loop {
        match parser.body_items(&mut body, false) {
            Ok(()) => break,
            Err(error) => {
                let at = (error.span.start as usize).max(parser.item_start);
                errors.push(error);
                if errors.len() >= 100 || !parser.resynchronise(at, values) {
                    break;
                }
            }
        }
    }
    // Leads and comments stand in the order of the text.
    for block in &mut body.blocks {
        let start = block.span.start;
        let known = parser.leads.binary_search_by_key(&start, |l| l.0).ok().and_then(|i| parser.leads.get(i));
        let lead = known.map_or(start, |l| l.1);
        let end = block.span.end.saturating_add(line_rest(text, block.span.end));
        let first = parser.comments.partition_point(|c| c.start < lead);
        for comment in parser.comments.iter().skip(first).take_while(|c| c.end <= end) {
            block.skips.extend(skips_in(parser.slice(comment.start as usize, comment.end as usize), *comment));
        }
    }
    (body, errors)
}

fn line_rest(text: &str, from: u32) -> u32 {
    let rest = text.get(from as usize..).unwrap_or("");
    u32::try_from(rest.find('\n').unwrap_or(rest.len())).unwrap_or(0)
}

/// Reads one expression that fills the whole text.
///
/// # Errors
/// Where the text is not an expression.
pub fn parse_expr(text: &str, file: FileId) -> Parsed<Expr> {
    let mut parser = Parser::new(text, file, 0, text.len());
    parser.skip_newlines = true;
    let expr = parser.expr()?;
    parser.space();
    if parser.at < parser.end { parser.fail("one expression was expected; this follows it") } else { Ok(expr) }
}

pub(super) struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) end: usize,
    file: FileId,
    pub(super) skip_newlines: bool,
    pub(super) depth: u32,
    /// Comments that may hold skips.
    comments: Vec<Span>,
    /// (start of a block, start of the comments right above it)
    leads: Vec<(u32, u32)>,
    item_start: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, file: FileId, at: usize, end: usize) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at,
            end,
            file,
            skip_newlines: false,
            depth: 0,
            comments: Vec::new(),
            leads: Vec::new(),
            item_start: 0,
        }
    }

    pub(super) fn span(&self, start: usize) -> Span {
        Span::new(self.file, start, self.at)
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or("")
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        let mut end = (self.at + 1).min(self.end);
        while end < self.end && !self.text.is_char_boundary(end) {
            end += 1;
        }
        Err(SyntaxError { span: Span::new(self.file, self.at.min(self.end), end), message: message.into() })
    }

    pub(super) fn peek(&self) -> Option<u8> {
        if self.at < self.end { self.bytes.get(self.at).copied() } else { None }
    }

    pub(super) fn byte(&self, ahead: usize) -> Option<u8> {
        if self.at + ahead < self.end { self.bytes.get(self.at + ahead).copied() } else { None }
    }

    pub(super) fn looking_at(&self, text: &str) -> bool {
        self.bytes.get(self.at..self.end).is_some_and(|rest| rest.starts_with(text.as_bytes()))
    }

    fn enter(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { self.fail("this is nested too deep") } else { Ok(()) }
    }

    /// Skips blanks and comments, and newlines where they mean nothing.
    pub(super) fn space(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\n') if self.skip_newlines => self.at += 1,
                Some(b'#') => self.comment(),
                Some(b'/') if self.byte(1) == Some(b'/') => self.comment(),
                Some(b'/') if self.byte(1) == Some(b'*') => {
                    let start = self.at;
                    let rest = self.slice(self.at + 2, self.end);
                    self.at = rest.find("*/").map_or(self.end, |i| self.at + i + 4);
                    self.keep_comment(start);
                }
                _ => return,
            }
        }
    }

    fn comment(&mut self) {
        let start = self.at;
        let rest = self.bytes.get(self.at..self.end).unwrap_or(&[]);
        self.at += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        self.keep_comment(start);
    }

    fn keep_comment(&mut self, start: usize) {
        let text = self.slice(start, self.at);
        if text.contains("skip=") || text.contains("ignore") || text.contains("kics-scan") {
            let span = self.span(start);
            // Looking ahead passes a comment more than once.
            if self.comments.last().is_none_or(|last| last.start < span.start) {
                self.comments.push(span);
            }
        }
    }

    /// Skips blanks, comments and newlines between items; gives the start of the comments right above the next item.
    fn between_items(&mut self) -> usize {
        let mut lead = None;
        let mut blank = false;
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\n') => {
                    if blank {
                        lead = None;
                    }
                    blank = true;
                    self.at += 1;
                }
                Some(b'#' | b'/') => {
                    let start = self.at;
                    self.space();
                    if self.at == start {
                        return lead.unwrap_or(self.at);
                    }
                    lead = lead.or(Some(start));
                    blank = false;
                }
                _ => return lead.unwrap_or(self.at),
            }
        }
    }

    fn body_items(&mut self, body: &mut Body, nested: bool) -> Parsed<()> {
        loop {
            let lead = self.between_items();
            if !nested {
                self.item_start = self.at;
            }
            match self.peek() {
                None if nested => return self.fail("the file ends inside a block; `}` is missing"),
                None => return Ok(()),
                Some(b'}') if nested => return Ok(()),
                // A stray separator between items of a one-line block.
                Some(b',' | b';') if nested => return self.fail("items of a block stand on lines of their own"),
                _ => {}
            }
            let start = self.at;
            let name = if self.peek() == Some(b'"') {
                let Kind::Str(name) = self.quoted()?.kind else {
                    return self.fail("a name was expected, not a template");
                };
                name
            } else {
                let Some(name) = self.ident() else {
                    return self.fail("an attribute (`name = value`) or a block (`type \"label\" {`) was expected");
                };
                Arc::from(name)
            };
            self.space();
            if self.peek() == Some(b'=') && self.byte(1) != Some(b'=') {
                self.at += 1;
                self.space();
                let expr = self.expr()?;
                self.space();
                match self.peek() {
                    None | Some(b'\n') => {}
                    Some(b'}') if nested => {}
                    _ => return self.fail("a new line was expected after the value"),
                }
                body.attrs.push(Attr { name, expr });
            } else {
                let block = self.block(name, start)?;
                if !nested {
                    let lead = u32::try_from(lead).unwrap_or(u32::MAX);
                    if lead != block.span.start {
                        self.leads.push((block.span.start, lead));
                    }
                }
                body.blocks.push(block);
            }
        }
    }

    fn block(&mut self, type_: Arc<str>, start: usize) -> Parsed<Block> {
        let mut labels = Vec::new();
        let mut header = self.span(start);
        loop {
            self.space();
            match self.peek() {
                Some(b'{') => break,
                Some(b'"') => match self.quoted()?.kind {
                    Kind::Str(label) => labels.push(label),
                    _ => return self.fail("a block label cannot hold an interpolation"),
                },
                _ => match self.ident() {
                    Some(label) => labels.push(label.into()),
                    None => return self.fail("`=` for an attribute, or a label or `{` for a block was expected"),
                },
            }
            header = self.span(start);
        }
        self.at += 1;
        self.enter()?;
        let mut body = Body::default();
        let outer = std::mem::replace(&mut self.skip_newlines, false);
        self.body_items(&mut body, true)?;
        self.skip_newlines = outer;
        self.depth -= 1;
        self.at += 1;
        Ok(Block { type_, labels, header, span: self.span(start), body, skips: Vec::new() })
    }

    /// After an error at `from`: goes to the next line that starts a block (in a file of values: a value).
    fn resynchronise(&mut self, from: usize, values: bool) -> bool {
        const STARTS: [&str; 15] = [
            "resource",
            "data",
            "variable",
            "locals",
            "module",
            "output",
            "provider",
            "terraform",
            "moved",
            "import",
            "removed",
            "check",
            "ephemeral",
            "action",
            "terragrunt",
        ];
        self.depth = 0;
        self.skip_newlines = false;
        let mut at = from;
        while let Some(i) = self.bytes.get(at..self.end).and_then(|rest| rest.iter().position(|b| *b == b'\n')) {
            at += i + 1;
            let line = self.slice(at, self.end.min(at + 200)).split('\n').next().unwrap_or("");
            let word = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next().unwrap_or("");
            let rest = line.get(word.len()..).unwrap_or("").trim_start();
            let block = STARTS.contains(&word) && rest.starts_with(['"', '{']);
            let value = values && rest.starts_with('=') && !rest.starts_with("==");
            if !word.is_empty() && (block || value) {
                self.at = at;
                return true;
            }
        }
        false
    }

    pub(super) fn ident(&mut self) -> Option<&'a str> {
        let start = self.at;
        while let Some(b) = self.peek() {
            match b {
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.at += 1,
                b'0'..=b'9' | b'-' if self.at > start => self.at += 1,
                0x80.. => {
                    let c = self.slice(self.at, self.end).chars().next()?;
                    if !c.is_alphanumeric() {
                        break;
                    }
                    self.at += c.len_utf8();
                }
                _ => break,
            }
        }
        if self.at > start { Some(self.slice(start, self.at)) } else { None }
    }

    /// An expression.
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        self.enter()?;
        self.space();
        let start = self.at;
        let cond = self.binary(0)?;
        self.space();
        let expr = if self.peek() == Some(b'?') { self.conditional(cond, start)? } else { cond };
        self.depth -= 1;
        Ok(expr)
    }

    fn conditional(&mut self, cond: Expr, start: usize) -> Parsed<Expr> {
        self.at += 1;
        self.lines();
        let yes = self.expr()?;
        self.lines();
        if self.peek() != Some(b':') {
            return self.fail("`:` and the other value of the condition was expected");
        }
        self.at += 1;
        self.lines();
        let no = self.expr()?;
        Ok(Expr { span: self.span_to(start, no.span), kind: Kind::Cond(Box::new((cond, yes, no))) })
    }

    fn span_to(&self, start: usize, last: Span) -> Span {
        Span::new(self.file, start, last.end as usize)
    }

    /// Skips newlines too: after an operator the expression must go on.
    fn lines(&mut self) {
        let outer = std::mem::replace(&mut self.skip_newlines, true);
        self.space();
        self.skip_newlines = outer;
    }

    fn operator(&self) -> Option<(Binary, usize, u8)> {
        let next = self.byte(1);
        Some(match (self.peek()?, next) {
            (b'|', Some(b'|')) => (Binary::Or, 2, 1),
            (b'&', Some(b'&')) => (Binary::And, 2, 2),
            (b'=', Some(b'=')) => (Binary::Eq, 2, 3),
            (b'!', Some(b'=')) => (Binary::Ne, 2, 3),
            (b'<', Some(b'=')) => (Binary::Le, 2, 4),
            (b'>', Some(b'=')) => (Binary::Ge, 2, 4),
            (b'<', _) => (Binary::Lt, 1, 4),
            (b'>', _) => (Binary::Gt, 1, 4),
            (b'+', _) => (Binary::Add, 1, 5),
            (b'-', _) => (Binary::Sub, 1, 5),
            (b'*', _) => (Binary::Mul, 1, 6),
            (b'/', _) => (Binary::Div, 1, 6),
            (b'%', next) if next != Some(b'{') => (Binary::Rem, 1, 6),
            _ => return None,
        })
    }

    fn binary(&mut self, min: u8) -> Parsed<Expr> {
        let start = self.at;
        let mut left = self.unary()?;
        let mut chain = 0;
        loop {
            self.space();
            let Some((op, len, level)) = self.operator() else { return Ok(left) };
            if level <= min {
                return Ok(left);
            }
            chain += 1;
            if chain > MAX_CHAIN {
                return self.fail("too many operators in a row");
            }
            self.at += len;
            self.lines();
            let right = self.binary(level)?;
            let span = self.span_to(start, right.span);
            left = Expr { kind: Kind::Binary(Box::new((op, left, right))), span };
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        self.space();
        let start = self.at;
        let op = self.peek();
        if !matches!(op, Some(b'!' | b'-')) {
            return self.postfix();
        }
        self.at += 1;
        self.enter()?;
        let inner = self.unary()?;
        self.depth -= 1;
        let span = self.span_to(start, inner.span);
        let kind = match (op, inner.kind) {
            (Some(b'-'), Kind::Int(i)) => Kind::Int(i.wrapping_neg()),
            (Some(b'-'), Kind::Num(f)) => Kind::Num(-f),
            (Some(b'-'), kind) => Kind::Neg(Box::new(Expr { kind, span: inner.span })),
            (_, kind) => Kind::Not(Box::new(Expr { kind, span: inner.span })),
        };
        Ok(Expr { kind, span })
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        let start = self.at;
        let base = self.primary()?;
        let mut ops = Vec::new();
        let mut end = self.at;
        // The splat `.*` that the next step belongs to, while steps begin with a dot.
        let mut splat = None;
        loop {
            // Blanks may stand before `.` and `[`, but only a `[` on the same line continues the expression.
            self.space();
            match self.peek() {
                Some(b'.') if self.byte(1) != Some(b'.') => {
                    self.at += 1;
                    self.space();
                    match self.peek() {
                        Some(b'*') => {
                            self.at += 1;
                            ops.push(Op::AttrSplat(0));
                            splat = Some(ops.len() - 1);
                            end = self.at;
                            continue;
                        }
                        Some(b'0'..=b'9') => {
                            let from = self.at;
                            while self.peek().is_some_and(|b| b.is_ascii_digit()) {
                                self.at += 1;
                            }
                            let number = self.slice(from, self.at).parse().unwrap_or(i64::MAX);
                            ops.push(Op::Index(Expr { kind: Kind::Int(number), span: self.span(from) }));
                        }
                        _ => match self.ident() {
                            Some(name) => ops.push(Op::Attr(name.into())),
                            None => return self.fail("an attribute name was expected after `.`"),
                        },
                    }
                    if let Some(Op::AttrSplat(steps)) = splat.and_then(|at: usize| ops.get_mut(at)) {
                        *steps += 1;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    splat = None;
                    let outer = std::mem::replace(&mut self.skip_newlines, true);
                    self.space();
                    if self.peek() == Some(b'*') {
                        self.at += 1;
                        ops.push(Op::FullSplat);
                    } else {
                        ops.push(Op::Index(self.expr()?));
                    }
                    self.space();
                    if self.peek() != Some(b']') {
                        return self.fail("`]` was expected after the index");
                    }
                    self.skip_newlines = outer;
                    self.at += 1;
                }
                _ => break,
            }
            end = self.at;
        }
        if ops.is_empty() {
            return Ok(base);
        }
        Ok(Expr { kind: Kind::Traverse(Box::new(base), ops), span: Span::new(self.file, start, end) })
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'<') if self.byte(1) == Some(b'<') => self.heredoc(),
            Some(b'0'..=b'9') => self.number(),
            Some(b'.') if self.byte(1).is_some_and(|b| b.is_ascii_digit()) => self.number(),
            Some(b'(') => {
                self.at += 1;
                let outer = std::mem::replace(&mut self.skip_newlines, true);
                let mut expr = self.expr()?;
                self.space();
                if self.peek() != Some(b')') {
                    return self.fail("`)` was expected");
                }
                self.skip_newlines = outer;
                self.at += 1;
                expr.span = self.span(start);
                Ok(expr)
            }
            Some(b'[') => self.tuple(),
            Some(b'{') => self.object(),
            Some(_) => match self.ident() {
                Some(name) => self.named(name, start),
                None => self.fail("a value was expected"),
            },
            None => self.fail("a value was expected, but the text ends"),
        }
    }

    fn named(&mut self, name: &str, start: usize) -> Parsed<Expr> {
        let mut full = name.to_owned();
        while self.looking_at("::") {
            self.at += 2;
            let Some(part) = self.ident() else { return self.fail("a function name was expected after `::`") };
            full.push_str("::");
            full.push_str(part);
        }
        let after = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        if self.peek() == Some(b'(') {
            return self.call(full, start);
        }
        self.at = after;
        let kind = match name {
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "null" => Kind::Null,
            _ => Kind::Name(full.into()),
        };
        Ok(Expr { kind, span: self.span(start) })
    }

    fn call(&mut self, name: String, start: usize) -> Parsed<Expr> {
        self.at += 1;
        let outer = std::mem::replace(&mut self.skip_newlines, true);
        let mut args = Vec::new();
        let mut spread = false;
        loop {
            self.space();
            if self.peek() == Some(b')') {
                break;
            }
            if spread {
                return self.fail("`...` must be the last thing in the call");
            }
            args.push(self.expr()?);
            self.space();
            if self.looking_at("...") {
                self.at += 3;
                spread = true;
                self.space();
            }
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b')') => break,
                _ => return self.fail("`,` or `)` was expected in the call"),
            }
        }
        self.at += 1;
        self.skip_newlines = outer;
        let name = name.strip_prefix("core::").unwrap_or(&name).into();
        Ok(Expr { kind: Kind::Call(Box::new(CallExpr { name, args, spread })), span: self.span(start) })
    }

    fn number(&mut self) -> Parsed<Expr> {
        let start = self.at;
        let digits = |p: &mut Self| {
            while p.peek().is_some_and(|b| b.is_ascii_digit()) {
                p.at += 1;
            }
        };
        digits(self);
        if self.peek() == Some(b'.') && self.byte(1).is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
            digits(self);
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.byte(1), Some(b'+' | b'-')));
            if self.byte(1 + sign).is_some_and(|b| b.is_ascii_digit()) {
                self.at += 1 + sign;
                digits(self);
            }
        }
        let text = self.slice(start, self.at);
        let kind = match text.parse::<i64>() {
            Ok(i) => Kind::Int(i),
            Err(_) => match text.parse::<f64>() {
                Ok(f) if f.is_finite() => Kind::Num(f),
                _ => return self.fail("not a number"),
            },
        };
        Ok(Expr { kind, span: self.span(start) })
    }

    fn starts_for(&mut self) -> bool {
        let from = self.at;
        let outer = std::mem::replace(&mut self.skip_newlines, true);
        self.space();
        let found = self.looking_at("for") && self.byte(3).is_some_and(|b| b.is_ascii_whitespace()) && {
            self.at += 3;
            self.space();
            self.ident().is_some()
        };
        self.at = from;
        self.skip_newlines = outer;
        found
    }

    fn tuple(&mut self) -> Parsed<Expr> {
        let start = self.at;
        self.at += 1;
        if self.starts_for() {
            return self.for_expr(start, b']');
        }
        let outer = std::mem::replace(&mut self.skip_newlines, true);
        let mut items = Vec::new();
        loop {
            self.space();
            if self.peek() == Some(b']') {
                break;
            }
            items.push(self.expr()?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return self.fail("`,` or `]` was expected in the list"),
            }
        }
        self.at += 1;
        self.skip_newlines = outer;
        Ok(Expr { kind: Kind::Tuple(items), span: self.span(start) })
    }

    fn object(&mut self) -> Parsed<Expr> {
        let start = self.at;
        self.at += 1;
        if self.starts_for() {
            return self.for_expr(start, b'}');
        }
        let outer = self.skip_newlines;
        let mut items = Vec::new();
        loop {
            self.skip_newlines = true;
            self.space();
            if self.peek() == Some(b'}') {
                break;
            }
            let key = self.object_key()?;
            self.space();
            match self.peek() {
                Some(b'=' | b':') => self.at += 1,
                _ => return self.fail("`=` or `:` was expected after the key"),
            }
            self.space();
            self.skip_newlines = false;
            let value = self.expr()?;
            items.push((key, value));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'\n' | b'}') => {}
                // A continuation on the next line that Terraform also accepts inside brackets.
                _ => return self.fail("`,`, a new line or `}` was expected after the value"),
            }
        }
        self.at += 1;
        self.skip_newlines = outer;
        Ok(Expr { kind: Kind::Object(items), span: self.span(start) })
    }

    fn object_key(&mut self) -> Parsed<Expr> {
        let start = self.at;
        if let Some(name) = self.ident() {
            let span = self.span(start);
            self.space();
            if matches!(self.peek(), Some(b'=' | b':')) && !(self.peek() == Some(b'=') && self.byte(1) == Some(b'=')) {
                return Ok(Expr { kind: Kind::Str(name.into()), span });
            }
            self.at = start;
        }
        self.expr()
    }

    fn for_expr(&mut self, start: usize, close: u8) -> Parsed<Expr> {
        let outer = std::mem::replace(&mut self.skip_newlines, true);
        self.space();
        self.at += 3;
        let (key_name, value_name, over) = self.for_intro()?;
        self.space();
        if self.peek() != Some(b':') {
            return self.fail("`:` was expected after what the loop goes over");
        }
        self.at += 1;
        let mut value = self.expr()?;
        self.space();
        let mut key = None;
        let mut group = false;
        if close == b'}' {
            if !self.looking_at("=>") {
                return self.fail("`=>` and a value was expected after the key");
            }
            self.at += 2;
            key = Some(std::mem::replace(&mut value, self.expr()?));
            self.space();
            if self.looking_at("...") {
                self.at += 3;
                group = true;
                self.space();
            }
        }
        let mut filter = None;
        if self.looking_at("if") {
            self.at += 2;
            filter = Some(self.expr()?);
            self.space();
        }
        if self.peek() != Some(close) {
            return self.fail("the end of the for-expression was expected");
        }
        self.at += 1;
        self.skip_newlines = outer;
        let kind = Kind::For(Box::new(ForExpr { key_name, value_name, over, key, value, filter, group }));
        Ok(Expr { kind, span: self.span(start) })
    }

    /// `a, b in expr`, after the word `for`.
    pub(super) fn for_intro(&mut self) -> Parsed<(Option<Arc<str>>, Arc<str>, Expr)> {
        self.space();
        let Some(mut name) = self.ident() else { return self.fail("a name was expected after `for`") };
        let mut key = None;
        self.space();
        if self.peek() == Some(b',') {
            self.at += 1;
            self.space();
            key = Some(Arc::from(name));
            match self.ident() {
                Some(second) => name = second,
                None => return self.fail("a second name was expected after `,`"),
            }
            self.space();
        }
        if !self.looking_at("in") {
            return self.fail("`in` was expected");
        }
        self.at += 2;
        Ok((key, name.into(), self.expr()?))
    }
}
