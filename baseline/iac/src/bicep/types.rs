//! Type expressions: read for their grammar; kept as far as they decide a value.

use super::lex::Tok;
use super::parse::{Parse, Parser};
use crate::azure::expr::{Expr, Kind};
use crate::azure::template::Type;

impl Parser {
    /// A type: a union of its parts.
    pub(super) fn type_(&mut self) -> Parse<Type> {
        self.deeper()?;
        self.take("|");
        self.newlines();
        let mut type_ = self.member_type()?;
        while self.union_follows() {
            self.newlines();
            self.take("|");
            self.newlines();
            let other = self.member_type()?;
            let null = |t: &Type| matches!(t, Type::Literal(e) if e.kind == Kind::Null);
            type_ = match (null(&type_), null(&other)) {
                (true, _) => Type::Nullable(Box::new(other)),
                (_, true) => Type::Nullable(Box::new(type_)),
                _ => match type_ {
                    nullable @ Type::Nullable(_) => nullable,
                    _ => Type::Other,
                },
            };
        }
        self.shallower();
        Ok(type_)
    }

    fn union_follows(&mut self) -> bool {
        let from = self.save();
        self.newlines();
        let found = self.is("|");
        self.restore(from);
        found
    }

    fn member_type(&mut self) -> Parse<Type> {
        let start = self.start();
        if self.take("-") || self.take("!") {
            let inner = self.member_type()?;
            return Ok(match inner {
                Type::Literal(Expr { kind: Kind::Int(i), end, .. }) => {
                    Type::Literal(Expr::new(start, end, Kind::Int(i.checked_neg().unwrap_or(i64::MIN))))
                }
                _ => Type::Other,
            });
        }
        let mut type_ = match &self.token().kind {
            Tok::Text { .. } => {
                let text = self.text()?;
                if text.literal().is_some() { Type::Literal(text) } else { Type::Other }
            }
            Tok::Int(i) => {
                let i = *i;
                self.bump();
                Type::Literal(Expr::new(start, self.end(), Kind::Int(i)))
            }
            Tok::Word(word) => {
                let word = word.clone();
                self.bump();
                let end = self.end();
                match &*word {
                    "true" => Type::Literal(Expr::new(start, end, Kind::Bool(true))),
                    "false" => Type::Literal(Expr::new(start, end, Kind::Bool(false))),
                    "null" => Type::Literal(Expr::new(start, end, Kind::Null)),
                    // `resource 'Microsoft.Storage/storageAccounts@2022-09-01'`
                    "resource" if matches!(self.token().kind, Tok::Text { .. }) => {
                        self.text()?;
                        Type::Other
                    }
                    _ if self.take("<") => {
                        loop {
                            self.separators();
                            if self.take(">") {
                                break;
                            }
                            self.type_()?;
                            self.newlines();
                            if !self.is(",") && !self.is(">") {
                                return self.fault("expected `,` or `>` here");
                            }
                        }
                        Type::Other
                    }
                    _ => Type::Name((*word).into()),
                }
            }
            Tok::Sign("(") => {
                self.bump();
                self.newlines();
                let inner = self.type_()?;
                self.newlines();
                self.need(")")?;
                inner
            }
            Tok::Sign("{") => self.object_type()?,
            Tok::Sign("[") => {
                self.bump();
                loop {
                    self.separators();
                    if self.take("]") {
                        break;
                    }
                    self.type_decorators()?;
                    self.take("...");
                    self.type_()?;
                }
                Type::Other
            }
            _ => return self.fault("expected a type here"),
        };
        loop {
            type_ = match self.token().kind {
                Tok::Sign("?") => {
                    self.bump();
                    Type::Nullable(Box::new(type_))
                }
                Tok::Sign("!") => {
                    self.bump();
                    match type_ {
                        Type::Nullable(inner) => *inner,
                        other => other,
                    }
                }
                Tok::Sign("[") => {
                    self.bump();
                    if !self.take("]") {
                        if !self.take("*") {
                            self.expr()?;
                        }
                        self.need("]")?;
                    }
                    Type::Other
                }
                Tok::Sign("." | ".?" | "::") => {
                    self.bump();
                    if !self.take("*") {
                        self.word()?;
                    }
                    Type::Other
                }
                _ => return Ok(type_),
            };
        }
    }

    fn type_decorators(&mut self) -> Parse<()> {
        while self.take("@") {
            self.postfix()?;
            self.newlines();
        }
        Ok(())
    }

    fn object_type(&mut self) -> Parse<Type> {
        self.need("{")?;
        loop {
            self.separators();
            if self.take("}") {
                return Ok(Type::Other);
            }
            self.type_decorators()?;
            if self.take("...") {
                self.type_()?;
                continue;
            }
            if !self.take("*") {
                match self.token().kind {
                    Tok::Text { .. } => {
                        self.text()?;
                    }
                    _ => {
                        self.word()?;
                    }
                }
            }
            self.need(":")?;
            self.newlines();
            self.type_()?;
            if !matches!(self.token().kind, Tok::Newline | Tok::Sign("," | "}")) {
                return self.fault("expected a line break, `,` or `}` here");
            }
        }
    }
}
