//! Tokens to the syntax tree, by recursive descent with a bound on depth.

use crate::{
    CompileError, Limits,
    ast::{Ast, BinaryOp, Element, Entry, Expr, Kind, Literal, Span},
    lexer::{Token, tokens},
};

/// Parses CEL; checks nothing but the grammar and the limits on size and depth.
pub fn parse(source: &str, limits: &Limits) -> Result<Ast, CompileError> {
    if source.len() > limits.source_bytes.min(u32::MAX as usize) {
        let message =
            format!("the expression has {} bytes, more than the limit of {}", source.len(), limits.source_bytes);
        return Err(CompileError::new(source, Span::default(), message, None));
    }
    let mut parser = Parser { source, tokens: tokens(source)?, at: 0, depth: 0, nodes: 0, limits };
    let root = parser.expr()?;
    match parser.peek() {
        Token::End => Ok(Ast { root }),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

/// Words that may not name a variable.
const RESERVED: [&str; 18] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
    "in",
];

struct Parser<'s> {
    source: &'s str,
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: u32,
    nodes: u32,
    limits: &'s Limits,
}

type Parsed<T = Expr> = Result<T, CompileError>;

/// What stands between two operands.
#[derive(Clone, Copy, PartialEq)]
enum Infix {
    Or,
    And,
    Binary(BinaryOp),
}

/// The loosest level.
const OR: u8 = 1;

/// An operator with its level; higher binds tighter.
fn operator(token: &Token) -> Option<(u8, Infix)> {
    let (level, op) = match token {
        Token::Ident(word) if word == "in" => (3, BinaryOp::In),
        Token::Punct(p) => match *p {
            "||" => return Some((OR, Infix::Or)),
            "&&" => return Some((2, Infix::And)),
            "==" => (3, BinaryOp::Eq),
            "!=" => (3, BinaryOp::Ne),
            "<" => (3, BinaryOp::Lt),
            "<=" => (3, BinaryOp::Le),
            ">" => (3, BinaryOp::Gt),
            ">=" => (3, BinaryOp::Ge),
            "+" => (4, BinaryOp::Add),
            "-" => (4, BinaryOp::Sub),
            "*" => (5, BinaryOp::Mul),
            "/" => (5, BinaryOp::Div),
            "%" => (5, BinaryOp::Rem),
            _ => return None,
        },
        _ => return None,
    };
    Some((level, Infix::Binary(op)))
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn span(&self) -> Span {
        self.tokens.get(self.at).or(self.tokens.last()).map(|(_, span)| *span).unwrap_or_default()
    }

    fn previous(&self) -> Span {
        self.tokens.get(self.at.wrapping_sub(1)).map(|(_, span)| *span).unwrap_or_default()
    }

    fn eat(&mut self, punct: &str) -> bool {
        let found = matches!(self.peek(), Token::Punct(p) if *p == punct);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, punct: &str) -> Parsed<()> {
        if self.eat(punct) { Ok(()) } else { Err(self.unexpected(&format!("`{punct}`"))) }
    }

    fn error(&self, span: Span, message: impl Into<String>) -> CompileError {
        CompileError::new(self.source, span, message, None)
    }

    fn unexpected(&self, wanted: &str) -> CompileError {
        let span = self.span();
        let found = match self.peek() {
            Token::End => "the end of the expression".to_owned(),
            _ => format!("`{}`", self.source.get(span.start as usize..span.end as usize).unwrap_or_default()),
        };
        self.error(span, format!("expected {wanted}, found {found}"))
    }

    fn make(&mut self, kind: Kind, span: Span) -> Parsed {
        let height = 1 + match &kind {
            Kind::Literal(_) | Kind::Ident { .. } | Kind::Message(_) => 0,
            Kind::Select { base: e, .. } | Kind::Not(e) | Kind::Neg(e) => e.height,
            Kind::Index { base: a, index: b, .. } | Kind::Binary(_, a, b) => a.height.max(b.height),
            Kind::Call { target, args, .. } => {
                target.iter().map(|e| e.height).chain(args.iter().map(|e| e.height)).max().unwrap_or(0)
            }
            Kind::List(items) => items.iter().map(|e| e.value.height).max().unwrap_or(0),
            Kind::Map(entries) => entries.iter().map(|e| e.key.height.max(e.value.height)).max().unwrap_or(0),
            Kind::And(items) | Kind::Or(items) => items.iter().map(|e| e.height).max().unwrap_or(0),
            Kind::Cond(c) => c.0.height.max(c.1.height).max(c.2.height),
        };
        if height > self.limits.depth {
            return Err(self.too_deep(span));
        }
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(self.error(span, format!("the expression has more than {} parts", self.limits.nodes)));
        }
        Ok(Expr { kind, span, height })
    }

    fn too_deep(&self, span: Span) -> CompileError {
        self.error(span, format!("the expression nests deeper than {} levels", self.limits.depth))
    }

    fn enter(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > self.limits.depth { Err(self.too_deep(self.span())) } else { Ok(()) }
    }

    fn expr(&mut self) -> Parsed {
        self.enter()?;
        let condition = self.binary(OR)?;
        if !self.eat("?") {
            self.depth -= 1;
            return Ok(condition);
        }
        let yes = self.binary(OR)?;
        self.need(":")?;
        let no = self.expr()?;
        let span = condition.span.to(no.span);
        self.depth -= 1;
        self.make(Kind::Cond(Box::new((condition, yes, no))), span)
    }

    /// Operators of at least this level, by precedence climbing: one stack frame for all levels.
    fn binary(&mut self, level: u8) -> Parsed {
        let mut left = self.unary()?;
        while let Some((found, op)) = operator(self.peek()).filter(|(l, _)| *l >= level) {
            if let Infix::Binary(op) = op {
                self.at += 1;
                let right = self.binary(found + 1)?;
                let span = left.span.to(right.span);
                left = self.make(Kind::Binary(op, Box::new(left), Box::new(right)), span)?;
                continue;
            }
            // A chain of one logical operator is one node, so that long chains are not deep.
            let start = left.span;
            let (symbol, kind): (_, fn(Vec<Expr>) -> Kind) =
                if op == Infix::And { ("&&", Kind::And) } else { ("||", Kind::Or) };
            let mut all = vec![left];
            while self.eat(symbol) {
                all.push(self.binary(found + 1)?);
            }
            left = self.make(kind(all), start.to(self.previous()))?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let start = self.span();
        if self.eat("!") {
            self.enter()?;
            let inner = self.unary()?;
            self.depth -= 1;
            let span = start.to(inner.span);
            return self.make(Kind::Not(Box::new(inner)), span);
        }
        if matches!(self.peek(), Token::Punct("-")) {
            if let Some((Token::Int(_) | Token::Double(_), _)) = self.tokens.get(self.at + 1) {
                return self.postfix();
            }
            self.at += 1;
            self.enter()?;
            let inner = self.unary()?;
            self.depth -= 1;
            let span = start.to(inner.span);
            return self.make(Kind::Neg(Box::new(inner)), span);
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Parsed {
        let mut left = self.primary()?;
        loop {
            let start = left.span;
            if self.eat(".") {
                let optional = self.eat("?");
                let name = match self.peek() {
                    Token::Ident(name) | Token::Quoted(name) => name.clone(),
                    _ => return Err(self.unexpected("a field name")),
                };
                let quoted = matches!(self.peek(), Token::Quoted(_));
                self.at += 1;
                if !optional && !quoted && self.eat("(") {
                    let args = self.list(")", Self::expr)?;
                    let kind = Kind::Call { target: Some(Box::new(left)), name, args };
                    left = self.make(kind, start.to(self.previous()))?;
                } else {
                    let kind = Kind::Select { base: Box::new(left), field: name, optional };
                    left = self.make(kind, start.to(self.previous()))?;
                }
            } else if self.eat("[") {
                let optional = self.eat("?");
                let index = Box::new(self.expr()?);
                self.need("]")?;
                left = self.make(Kind::Index { base: Box::new(left), index, optional }, start.to(self.previous()))?;
            } else if matches!(self.peek(), Token::Punct("{")) && is_type_name(&left) {
                self.at += 1;
                self.list("}", |p| {
                    p.eat("?");
                    match p.peek() {
                        Token::Ident(_) | Token::Quoted(_) => p.at += 1,
                        _ => return Err(p.unexpected("a field name")),
                    }
                    p.need(":")?;
                    p.expr()
                })?;
                let span = start.to(self.previous());
                let name = self.source.get(start.start as usize..start.end as usize).unwrap_or_default().to_owned();
                left = self.make(Kind::Message(name), span)?;
            } else {
                return Ok(left);
            }
        }
    }

    /// Items up to `close`, separated by commas; a trailing comma is allowed.
    fn list<T>(&mut self, close: &str, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        loop {
            if self.eat(close) {
                return Ok(items);
            }
            items.push(item(self)?);
            if !self.eat(",") {
                self.need(close)?;
                return Ok(items);
            }
        }
    }

    fn primary(&mut self) -> Parsed {
        let start = self.span();
        let literal = match self.peek().clone() {
            Token::Punct("(") => {
                self.at += 1;
                let inner = self.expr()?;
                self.need(")")?;
                return Ok(inner);
            }
            Token::Punct("[") => {
                self.at += 1;
                let items = self.list("]", |p| Ok(Element { optional: p.eat("?"), value: p.expr()? }))?;
                return self.make(Kind::List(items), start.to(self.previous()));
            }
            Token::Punct("{") => {
                self.at += 1;
                let entries = self.list("}", |p| {
                    let optional = p.eat("?");
                    let key = p.expr()?;
                    p.need(":")?;
                    Ok(Entry { optional, key, value: p.expr()? })
                })?;
                return self.make(Kind::Map(entries), start.to(self.previous()));
            }
            Token::Punct(".") => {
                self.at += 1;
                return self.name(start, true);
            }
            Token::Ident(word) => match word.as_str() {
                "true" => Literal::Bool(true),
                "false" => Literal::Bool(false),
                "null" => Literal::Null,
                _ => return self.name(start, false),
            },
            Token::Punct("-") => {
                self.at += 1;
                match self.peek() {
                    Token::Int(magnitude) => match 0i64.checked_sub_unsigned(*magnitude) {
                        Some(value) => Literal::Int(value),
                        None => {
                            return Err(
                                self.error(start.to(self.span()), "this whole number does not fit into 64 bits")
                            );
                        }
                    },
                    Token::Double(value) => Literal::Double(-*value),
                    _ => return Err(self.unexpected("a number")),
                }
            }
            Token::Int(magnitude) => match i64::try_from(magnitude) {
                Ok(value) => Literal::Int(value),
                Err(_) => return Err(self.error(start, "this whole number does not fit into 64 bits")),
            },
            Token::Uint(value) => Literal::Uint(value),
            Token::Double(value) => Literal::Double(value),
            Token::Str(text) => Literal::Str(text),
            Token::Bytes(bytes) => Literal::Bytes(bytes),
            _ => return Err(self.unexpected("a value")),
        };
        self.at += 1;
        self.make(Kind::Literal(literal), start.to(self.previous()))
    }

    fn name(&mut self, start: Span, absolute: bool) -> Parsed {
        let Token::Ident(name) = self.peek().clone() else { return Err(self.unexpected("a name")) };
        if RESERVED.contains(&name.as_str()) {
            return Err(self.error(self.span(), format!("`{name}` is a reserved word")));
        }
        self.at += 1;
        if self.eat("(") {
            let args = self.list(")", Self::expr)?;
            return self.make(Kind::Call { target: None, name, args }, start.to(self.previous()));
        }
        self.make(Kind::Ident { name, absolute }, start.to(self.previous()))
    }
}

fn is_type_name(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Ident { .. } => true,
        Kind::Select { base, optional: false, .. } => is_type_name(base),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_place() {
        let check = |source: &str, column: usize, message: &str| {
            let error = parse(source, &Limits::default()).unwrap_err();
            assert_eq!((error.column, error.message.as_str()), (column, message), "{source}");
        };
        check("a = 1", 3, "unexpected character `=`; comparison is `==`");
        check("a & b", 3, "unexpected `&`; `&&` is the logical operator");
        check("(a", 3, "expected `)`, found the end of the expression");
        check("a b", 3, "expected an operator or the end, found `b`");
        check("'x", 1, "unterminated text");
        check("for", 1, "`for` is a reserved word");
        check("9223372036854775808", 1, "this whole number does not fit into 64 bits");
        check("[1, ,]", 5, "expected a value, found `,`");
    }

    #[test]
    fn depth_is_bounded_for_every_way_to_nest() {
        let deep = 2_000;
        let limits = Limits { source_bytes: 10 << 20, nodes: u32::MAX, ..Limits::default() };
        let nests = [
            ("(", "1", ")"),
            ("[", "1", "]"),
            ("!", "true", ""),
            ("-", "a", ""),
            ("{1:", "1", "}"),
            ("f(", "1", ")"),
            ("true ? true : ", "1", ""),
            ("true ? (", "1", ") : 2"),
            ("a[", "0", "]"),
            ("", "a", ".b"),
            ("", "a", "[0]"),
            ("", "1", " + 1"),
            ("", "1", " * 1"),
            ("", "1", " < 1"),
            ("", "a", ".f()"),
            ("a.f(", "1", ")"),
            ("M{a:", "1", "}"),
        ];
        for (open, inner, close) in nests {
            let source = format!("{}{inner}{}", open.repeat(deep), close.repeat(deep));
            let error = parse(&source, &limits).expect_err(open);
            assert!(error.message.contains("nests deeper"), "{open}: {error}");
        }
        let chain = vec!["true"; 5_000].join(" && ");
        assert!(parse(&chain, &Limits { source_bytes: 1 << 20, ..Limits::default() }).is_ok());
    }
}
