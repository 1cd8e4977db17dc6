//! Expressions, from the ternary down to literals.

use super::lex::Tok;
use super::parse::{Parse, Parser};
use crate::azure::expr::{Binary, Expr, Item, Kind, Loop, Prop, Unary};
use crate::azure::template::Decl;
use std::rc::Rc;

impl Parser {
    pub(super) fn expr(&mut self) -> Parse<Expr> {
        self.deeper()?;
        let condition = self.binary(0)?;
        let out = if self.crossing("?") {
            self.newlines();
            let yes = self.expr()?;
            self.newlines();
            self.need(":")?;
            self.newlines();
            let no = self.expr()?;
            let (start, end) = (condition.start, no.end);
            Expr::new(start, end, Kind::Ternary(Box::new(condition), Box::new(yes), Box::new(no)))
        } else {
            condition
        };
        self.shallower();
        Ok(out)
    }

    /// Takes the sign, also when line breaks stand before it.
    pub(super) fn crossing(&mut self, sign: &str) -> bool {
        let mut n = 0;
        while matches!(self.ahead(n), Tok::Newline) {
            n += 1;
        }
        let found = matches!(self.ahead(n), Tok::Sign(s) if *s == sign);
        if found {
            self.at += n + 1;
        }
        found
    }

    pub(super) fn binary(&mut self, least: u8) -> Parse<Expr> {
        let mut left = self.unary()?;
        loop {
            let mut n = 0;
            while matches!(self.ahead(n), Tok::Newline) {
                n += 1;
            }
            let Tok::Sign(sign) = self.ahead(n) else { return Ok(left) };
            let Some((operator, strength)) = operator(sign) else { return Ok(left) };
            // On a new line a minus starts a new item.
            if strength < least || (n > 0 && *sign == "-") {
                return Ok(left);
            }
            self.at += n + 1;
            self.newlines();
            self.deeper()?;
            let right = self.binary(strength + 1)?;
            self.shallower();
            let (start, end) = (left.start, right.end);
            left = Expr::new(start, end, Kind::Binary(operator, Box::new(left), Box::new(right)));
        }
    }

    pub(super) fn unary(&mut self) -> Parse<Expr> {
        let start = self.start();
        let operator = match self.token().kind {
            Tok::Sign("!") => Unary::Not,
            Tok::Sign("-") => Unary::Minus,
            Tok::Sign("+") => {
                self.at += 1;
                return self.unary();
            }
            _ => return self.postfix(),
        };
        self.at += 1;
        self.deeper()?;
        let operand = self.unary()?;
        self.shallower();
        let end = operand.end;
        if let (Unary::Minus, Kind::Int(i)) = (operator, &operand.kind) {
            return Ok(Expr::new(start, end, Kind::Int(i.checked_neg().unwrap_or(i64::MIN))));
        }
        Ok(Expr::new(start, end, Kind::Unary(operator, Box::new(operand))))
    }

    /// A literal or name, without operators: the type of a resource may be followed by `existing` or `=`.
    pub(super) fn expr_no_binary(&mut self) -> Parse<Expr> {
        self.primary()
    }

    pub(super) fn postfix(&mut self) -> Parse<Expr> {
        let mut of = self.primary()?;
        loop {
            let start = of.start;
            let sign = match &self.token().kind {
                Tok::Sign(sign) => *sign,
                // A chain continued on the next line.
                Tok::Newline => {
                    let mut n = 0;
                    while matches!(self.ahead(n), Tok::Newline) {
                        n += 1;
                    }
                    match self.ahead(n) {
                        Tok::Sign(sign @ ("." | ".?")) => {
                            let sign = *sign;
                            self.at += n;
                            sign
                        }
                        _ => return Ok(of),
                    }
                }
                _ => return Ok(of),
            };
            let kind = match sign {
                "." | ".?" => {
                    self.at += 1;
                    self.newlines();
                    let name = match &self.token().kind {
                        Tok::Text { .. } => self.plain_string()?,
                        _ => self.word()?,
                    };
                    if self.is("(") {
                        let args = self.arguments()?;
                        Kind::Method(Box::new(of), name, args)
                    } else {
                        Kind::Member { of: Box::new(of), name, safe: sign == ".?" }
                    }
                }
                "::" => {
                    self.at += 1;
                    let name = self.word()?;
                    Kind::Nested(Box::new(of), name)
                }
                "[" => {
                    self.at += 1;
                    self.newlines();
                    let safe = self.take("?");
                    let from_end = self.take("^");
                    let index = self.expr()?;
                    self.newlines();
                    self.need("]")?;
                    Kind::Index { of: Box::new(of), index: Box::new(index), safe, from_end }
                }
                "!" => {
                    self.at += 1;
                    of.end = self.end();
                    continue;
                }
                _ => return Ok(of),
            };
            of = Expr::new(start, self.end(), kind);
        }
    }

    pub(super) fn arguments(&mut self) -> Parse<Vec<Expr>> {
        self.need("(")?;
        let mut args = Vec::new();
        loop {
            self.newlines();
            if self.take(")") {
                return Ok(args);
            }
            args.push(self.expr()?);
            self.newlines();
            if !self.take(",") && !self.is(")") {
                return self.fault("expected `,` or `)` here");
            }
        }
    }

    pub(super) fn primary(&mut self) -> Parse<Expr> {
        let start = self.start();
        let kind = match &self.token().kind {
            Tok::Int(i) => {
                let i = *i;
                self.at += 1;
                Kind::Int(i)
            }
            Tok::Text { .. } => return self.text(),
            Tok::Word(word) => {
                let word: Rc<str> = Rc::from(&**word);
                self.at += 1;
                match &*word {
                    _ if self.is("=>") => return self.lambda(start, vec![word]),
                    "true" => Kind::Bool(true),
                    "false" => Kind::Bool(false),
                    "null" => Kind::Null,
                    "if" if self.is("(") => {
                        self.at += 1;
                        self.newlines();
                        let condition = self.expr()?;
                        self.newlines();
                        self.need(")")?;
                        self.newlines();
                        let body = self.expr()?;
                        Kind::If(Box::new(condition), Box::new(body))
                    }
                    _ if self.is("(") => Kind::Call(word, self.arguments()?),
                    _ => Kind::Name(word),
                }
            }
            Tok::Sign("(") => {
                if let Some(names) = self.lambda_names() {
                    return self.lambda(start, names);
                }
                self.at += 1;
                self.newlines();
                let mut inner = self.expr()?;
                self.newlines();
                self.need(")")?;
                (inner.start, inner.end) = (start, self.end());
                return Ok(inner);
            }
            Tok::Sign("[") => return self.array(),
            Tok::Sign("{") => return self.object(None),
            _ => return self.fault("expected a value here"),
        };
        Ok(Expr::new(start, self.end(), kind))
    }

    /// `(a, b) =>` or `() =>`: takes it and gives the names, or leaves everything as it is.
    pub(super) fn lambda_names(&mut self) -> Option<Vec<Rc<str>>> {
        let from = self.at;
        let mut names = Vec::new();
        self.at += 1;
        loop {
            self.newlines();
            if self.take(")") {
                break;
            }
            match self.word() {
                Ok(name) => names.push(name),
                Err(_) => {
                    self.at = from;
                    return None;
                }
            }
            self.newlines();
            if !self.take(",") && !self.is(")") {
                self.at = from;
                return None;
            }
        }
        if !self.is("=>") {
            self.at = from;
            return None;
        }
        Some(names)
    }

    pub(super) fn lambda(&mut self, start: u32, names: Vec<Rc<str>>) -> Parse<Expr> {
        self.need("=>")?;
        self.newlines();
        let body = self.expr()?;
        Ok(Expr::new(start, body.end, Kind::Lambda(names, Rc::new(body))))
    }

    pub(super) fn text(&mut self) -> Parse<Expr> {
        let start = self.start();
        let mut pieces = Vec::new();
        loop {
            let Tok::Text { text, opens, .. } = &self.token().kind else {
                return self.fault("expected `}` and the rest of the string here");
            };
            let (piece, opens): (Rc<str>, bool) = (Rc::from(&**text), *opens);
            let (from, to) = (self.start(), self.token().end);
            self.at += 1;
            if !opens && pieces.is_empty() {
                return Ok(Expr::new(start, to, Kind::Str(piece)));
            }
            if !piece.is_empty() {
                pieces.push(Expr::new(from, to, Kind::Str(piece)));
            }
            if !opens {
                return Ok(Expr::new(start, to, Kind::Interp(pieces)));
            }
            self.newlines();
            pieces.push(self.expr()?);
            self.newlines();
            if !matches!(self.token().kind, Tok::Text { continues: true, .. }) {
                return self.fault("expected `}` here");
            }
        }
    }

    pub(super) fn array(&mut self) -> Parse<Expr> {
        let start = self.start();
        self.need("[")?;
        self.newlines();
        self.deeper()?;
        if self.is_word("for") && !matches!(self.ahead(1), Tok::Sign("," | "]" | ".") | Tok::Newline) {
            self.at += 1;
            let (item, index, over) = self.loop_head()?;
            self.newlines();
            let body = self.expr()?;
            self.separators();
            self.need("]")?;
            self.shallower();
            let made = Loop { item, index, copy: None, over, body };
            return Ok(Expr::new(start, self.end(), Kind::For(Box::new(made))));
        }
        let mut items = Vec::new();
        loop {
            self.separators();
            if self.take("]") {
                break;
            }
            let spread = self.take("...");
            items.push(Item { spread, value: self.expr()? });
            if !matches!(self.token().kind, Tok::Newline | Tok::Sign("," | "]")) {
                return self.fault("expected a line break, `,` or `]` here");
            }
        }
        self.shallower();
        Ok(Expr::new(start, self.end(), Kind::Array(items)))
    }

    /// An object; the body of a resource may hold nested resources, which go to `children`.
    pub(super) fn object(&mut self, mut children: Option<&mut Vec<Decl>>) -> Parse<Expr> {
        let start = self.start();
        self.need("{")?;
        self.deeper()?;
        let mut props = Vec::new();
        loop {
            self.separators();
            if self.take("}") {
                break;
            }
            if let Some(children) = children.as_deref_mut() {
                let from = self.start();
                if self.is("@") {
                    self.decorators()?;
                }
                if self.is_word("resource") && matches!(self.ahead(1), Tok::Word(_)) {
                    self.at += 1;
                    let child = self.declaration("resource", from)?;
                    children.push(child);
                    continue;
                }
            }
            if self.take("...") {
                props.push(Prop::Spread(self.expr()?));
            } else {
                let from = self.start();
                let key = match &self.token().kind {
                    Tok::Text { .. } => self.text()?,
                    Tok::Int(i) => {
                        let key = Kind::Str(i.to_string().into());
                        self.at += 1;
                        Expr::new(from, self.end(), key)
                    }
                    _ => {
                        let word = self.word()?;
                        Expr::new(from, self.end(), Kind::Str(word))
                    }
                };
                self.need(":")?;
                self.newlines();
                props.push(Prop::Pair(key, self.expr()?));
            }
            if !matches!(self.token().kind, Tok::Newline | Tok::Sign("," | "}")) {
                return self.fault("expected a line break, `,` or `}` here");
            }
        }
        self.shallower();
        Ok(Expr::new(start, self.end(), Kind::Object(props)))
    }
}

fn operator(sign: &str) -> Option<(Binary, u8)> {
    Some(match sign {
        "??" => (Binary::Coalesce, 1),
        "||" => (Binary::Or, 2),
        "&&" => (Binary::And, 3),
        "==" => (Binary::Equal, 4),
        "!=" => (Binary::NotEqual, 4),
        "=~" => (Binary::EqualNoCase, 4),
        "!~" => (Binary::NotEqualNoCase, 4),
        "<" => (Binary::Less, 5),
        "<=" => (Binary::LessEqual, 5),
        ">" => (Binary::Greater, 5),
        ">=" => (Binary::GreaterEqual, 5),
        "+" => (Binary::Add, 6),
        "-" => (Binary::Sub, 6),
        "*" => (Binary::Mul, 7),
        "/" => (Binary::Div, 7),
        "%" => (Binary::Rem, 7),
        _ => return None,
    })
}
