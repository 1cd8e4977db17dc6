//! Bicep tokens into a template. A statement that cannot be read is skipped and told; the rest is kept.

use super::lex::{Tok, Token, lex};
use crate::azure::expr::{Binary, Expr, Item, Kind, Loop, Prop, Unary};
use crate::azure::template::{Decl, Func, Import, Over, Param, Template, Type, TypeDecl, Var, What};
use crate::document::Fault;
use crate::notes;
use crate::resource::Dialect;
use crate::source::FileId;
use std::rc::Rc;
use std::sync::Arc;

/// Expressions nested deeper than this are refused.
const MAX_DEPTH: usize = 96;

pub(super) type Parse<T> = Result<T, Fault>;

pub(super) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

/// A decorator: its name, arguments and whether it stands in the `sys` namespace or none.
struct Decorator {
    name: Rc<str>,
    args: Vec<Expr>,
}

/// Parses a Bicep or Bicep parameter file.
pub(crate) fn parse(text: &str, path: &str, file: FileId) -> (Template, Vec<Fault>) {
    let (tokens, mut faults) = lex(text);
    let mut parser = Parser { tokens, at: 0, depth: 0 };
    let mut template = Template {
        file,
        path: Arc::from(path),
        folder: path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned(),
        dialect: Dialect::Bicep,
        params: Vec::new(),
        vars: Vec::new(),
        decls: Vec::new(),
        outputs: Vec::new(),
        functions: Vec::new(),
        types: Vec::new(),
        imports: Vec::new(),
        using: None,
        notes: notes::find(text, file, &["//"]),
        scope: None,
    };
    loop {
        parser.newlines();
        if parser.is_end() {
            break;
        }
        if let Err(fault) = parser.statement(&mut template) {
            faults.push(fault);
            parser.depth = 0;
            parser.recover();
        }
    }
    let starts: Vec<u32> = template.decls.iter().map(|d| d.start).collect();
    for (i, decl) in template.decls.iter_mut().enumerate() {
        decl.following = starts.get(i + 1).copied();
    }
    faults.sort_by_key(|f| f.at);
    (template, faults)
}

impl Parser {
    pub(super) fn token(&self) -> &Token {
        static END: Token = Token { start: 0, end: 0, kind: Tok::End, at_margin: false };
        self.tokens.get(self.at).or_else(|| self.tokens.last()).unwrap_or(&END)
    }

    fn ahead(&self, n: usize) -> &Tok {
        self.tokens.get(self.at + n).map_or(&Tok::End, |t| &t.kind)
    }

    pub(super) fn start(&self) -> u32 {
        self.token().start
    }

    /// The end of the last token taken.
    pub(super) fn end(&self) -> u32 {
        self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(0, |t| t.end)
    }

    fn is_end(&self) -> bool {
        matches!(self.token().kind, Tok::End)
    }

    pub(super) fn save(&self) -> usize {
        self.at
    }

    pub(super) fn restore(&mut self, at: usize) {
        self.at = at;
    }

    pub(super) fn bump(&mut self) {
        self.at += 1;
    }

    pub(super) fn is(&self, sign: &str) -> bool {
        matches!(self.token().kind, Tok::Sign(s) if s == sign)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(&self.token().kind, Tok::Word(w) if **w == *word)
    }

    pub(super) fn take(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        self.at += usize::from(found);
        found
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn need(&mut self, sign: &str) -> Parse<()> {
        if self.take(sign) { Ok(()) } else { self.fault(format!("expected `{sign}` here")) }
    }

    pub(super) fn fault<T>(&self, message: impl Into<String>) -> Parse<T> {
        Err(Fault { at: self.start(), message: message.into() })
    }

    pub(super) fn newlines(&mut self) {
        while matches!(self.token().kind, Tok::Newline) {
            self.at += 1;
        }
    }

    /// Skips line breaks and commas between members and items.
    pub(super) fn separators(&mut self) {
        while matches!(self.token().kind, Tok::Newline | Tok::Sign("," | ";")) {
            self.at += 1;
        }
    }

    pub(super) fn word(&mut self) -> Parse<Rc<str>> {
        match &self.token().kind {
            Tok::Word(word) => {
                let word = Rc::from(&**word);
                self.at += 1;
                Ok(word)
            }
            _ => self.fault("expected a name here"),
        }
    }

    /// A string without interpolation.
    fn plain_string(&mut self) -> Parse<Rc<str>> {
        match &self.token().kind {
            Tok::Text { text, continues: false, opens: false } => {
                let text = Rc::from(&**text);
                self.at += 1;
                Ok(text)
            }
            _ => self.fault("expected a string in single quotes here"),
        }
    }

    pub(super) fn deeper(&mut self) -> Parse<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { self.fault(format!("nested deeper than {MAX_DEPTH}")) } else { Ok(()) }
    }

    pub(super) fn shallower(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Skips to the next statement: a word or decorator at the margin.
    fn recover(&mut self) {
        let mut moved = false;
        while !self.is_end() {
            let token = self.token();
            if moved && token.at_margin && matches!(token.kind, Tok::Word(_) | Tok::Sign("@")) {
                return;
            }
            moved = true;
            self.at += 1;
        }
    }

    fn line_end(&mut self) -> Parse<()> {
        match self.token().kind {
            Tok::Newline | Tok::End => Ok(()),
            Tok::Sign(";") => {
                self.at += 1;
                Ok(())
            }
            _ => self.fault("expected the end of the line here"),
        }
    }

    fn decorators(&mut self) -> Parse<Vec<Decorator>> {
        let mut out = Vec::new();
        while self.take("@") {
            let call = self.postfix()?;
            match call.kind {
                Kind::Call(name, args) | Kind::Method(_, name, args) => out.push(Decorator { name, args }),
                Kind::Name(name) | Kind::Member { name, .. } => out.push(Decorator { name, args: Vec::new() }),
                _ => return Err(Fault { at: call.start, message: "a decorator is a call such as `@secure()`".into() }),
            }
            self.newlines();
        }
        Ok(out)
    }

    fn statement(&mut self, t: &mut Template) -> Parse<()> {
        let start = self.start();
        let decorators = self.decorators()?;
        let has = |name: &str| decorators.iter().any(|d| &*d.name == name);
        let Tok::Word(keyword) = &self.token().kind else { return self.fault("expected a declaration here") };
        let keyword = keyword.clone();
        self.at += 1;
        match &*keyword {
            "targetScope" => {
                self.need("=")?;
                t.scope = self.expr()?.literal().cloned();
            }
            "metadata" | "assert" => {
                self.word()?;
                self.need("=")?;
                self.expr()?;
            }
            "param" => {
                let name = self.word()?;
                let mut param = Param {
                    name,
                    start,
                    end: 0,
                    type_: Type::Other,
                    default: None,
                    allowed: decorators.iter().find(|d| &*d.name == "allowed").and_then(|d| d.args.first().cloned()),
                    secure: has("secure"),
                };
                if !self.is("=") && !matches!(self.token().kind, Tok::Newline | Tok::End) {
                    param.type_ = self.type_()?;
                }
                if self.is("{") {
                    // The modifier object of the first Bicep versions.
                    let modifier = self.expr()?;
                    param.default = modifier.prop("default").or_else(|| modifier.prop("defaultValue")).cloned();
                    param.allowed = modifier.prop("allowed").cloned();
                    param.secure |= modifier.prop("secure").is_some_and(|s| s.kind == Kind::Bool(true));
                } else if self.take("=") {
                    self.newlines();
                    param.default = Some(self.expr()?);
                }
                param.end = self.end();
                t.params.push(param);
            }
            "var" => {
                let name = self.word()?;
                if !self.is("=") {
                    self.type_()?;
                }
                self.need("=")?;
                self.newlines();
                let value = self.expr()?;
                t.vars.push(Var { name, value, secure: has("secure"), condition: None });
            }
            "resource" | "module" => {
                let decl = self.declaration(&keyword, start)?;
                t.decls.push(decl);
            }
            "test" => {
                self.word()?;
                self.plain_string()?;
                self.need("=")?;
                self.expr()?;
            }
            "output" => {
                let name = self.word()?;
                if !self.is("=") {
                    self.type_()?;
                }
                self.need("=")?;
                self.newlines();
                let value = self.expr()?;
                t.outputs.push(Var { name, value, secure: has("secure"), condition: None });
            }
            "type" => {
                let name = self.word()?;
                self.need("=")?;
                self.newlines();
                let type_ = self.type_()?;
                t.types.push(TypeDecl { name, type_, secure: has("secure") });
            }
            "func" => {
                let name = self.word()?;
                let params = self.typed_names()?;
                self.type_()?;
                self.need("=>")?;
                self.newlines();
                let body = self.expr()?;
                t.functions.push(Func { name, params, body });
            }
            "import" | "provider" | "extension" => self.import(t, start)?,
            "using" => {
                if self.take_word("none") {
                } else {
                    let path = self.plain_string()?;
                    t.using = Some((path, start, self.end()));
                }
                if self.take_word("with") {
                    self.expr()?;
                }
            }
            "extends" => {
                let path = self.plain_string()?;
                t.imports.push(Import { path, start, end: self.end(), all: None, names: Vec::new() });
            }
            "extensionConfig" => {
                self.word()?;
                if self.take_word("with") {
                    self.expr()?;
                }
            }
            other => {
                self.at -= 1;
                return self.fault(format!("`{other}` starts no declaration; expected param, var, resource, module …"));
            }
        }
        self.line_end()
    }

    /// `(a string, b int?)`
    fn typed_names(&mut self) -> Parse<Vec<Rc<str>>> {
        self.need("(")?;
        let mut names = Vec::new();
        loop {
            self.separators();
            if self.take(")") {
                return Ok(names);
            }
            self.decorators()?;
            names.push(self.word()?);
            if !self.is(",") && !self.is(")") && !matches!(self.token().kind, Tok::Newline) {
                self.type_()?;
            }
            self.newlines();
            if !self.is(",") && !self.is(")") {
                return self.fault("expected `,` or `)` here");
            }
        }
    }

    fn import(&mut self, t: &mut Template, start: u32) -> Parse<()> {
        let mut import = Import { path: "".into(), start, end: 0, all: None, names: Vec::new() };
        if self.take("{") {
            loop {
                self.separators();
                if self.take("}") {
                    break;
                }
                let name = match self.token().kind {
                    Tok::Text { .. } => self.plain_string()?,
                    _ => self.word()?,
                };
                let alias = if self.take_word("as") { self.word()? } else { name.clone() };
                import.names.push((name, alias));
            }
            if !self.take_word("from") {
                return self.fault("expected `from` and the file here");
            }
            import.path = self.plain_string()?;
        } else if self.take("*") {
            if !self.take_word("as") {
                return self.fault("expected `as` and a name here");
            }
            import.all = Some(self.word()?);
            if !self.take_word("from") {
                return self.fault("expected `from` and the file here");
            }
            import.path = self.plain_string()?;
        } else {
            // An extension: `extension microsoftGraph`, `extension kubernetes with {…} as k8s`, `import 'az@1.0.0'`.
            if matches!(self.token().kind, Tok::Text { .. }) {
                self.expr()?;
            } else {
                self.word()?;
            }
            if self.take_word("with") {
                self.expr()?;
            }
            if self.take_word("as") {
                self.word()?;
            }
            return Ok(());
        }
        import.end = self.end();
        t.imports.push(import);
        Ok(())
    }

    fn declaration(&mut self, keyword: &str, start: u32) -> Parse<Decl> {
        let symbol = self.word()?;
        let from = self.start();
        let text = self.expr_no_binary()?;
        let what = match (&text.kind, keyword) {
            (Kind::Str(path), "module") => What::Module { path: path.clone() },
            (Kind::Str(type_), _) => {
                let (type_, api) = type_.split_once('@').unwrap_or((type_, ""));
                What::Resource { type_: type_.into(), api: api.into() }
            }
            _ => return Err(Fault { at: from, message: "expected the type or path in single quotes here".into() }),
        };
        let existing = self.take_word("existing");
        let header_end = self.end();
        self.need("=")?;
        self.newlines();
        let mut children = Vec::new();
        let (mut over, mut condition) = (None, None);
        let body = if self.is("[") {
            self.at += 1;
            self.newlines();
            if !self.take_word("for") {
                return self.fault("expected `for` here");
            }
            let head = self.loop_head()?;
            over = Some(Over { item: head.0, index: head.1, copy: None, list: head.2 });
            self.newlines();
            let body = self.conditional_body(&mut condition, &mut children)?;
            self.newlines();
            self.need("]")?;
            body
        } else {
            self.conditional_body(&mut condition, &mut children)?
        };
        let end = self.end();
        Ok(Decl {
            symbol: Some(symbol),
            what,
            existing,
            over,
            condition,
            body,
            children,
            start,
            end,
            header_end,
            following: None,
            skips: Vec::new(),
        })
    }

    fn conditional_body(&mut self, condition: &mut Option<Expr>, children: &mut Vec<Decl>) -> Parse<Expr> {
        if self.take_word("if") {
            self.need("(")?;
            self.newlines();
            *condition = Some(self.expr()?);
            self.newlines();
            self.need(")")?;
            self.newlines();
        }
        if self.take("(") {
            self.newlines();
            let body = self.conditional_body(condition, children)?;
            self.newlines();
            self.need(")")?;
            return Ok(body);
        }
        if !self.is("{") {
            return self.fault("expected `{` here");
        }
        self.object(Some(children))
    }

    /// `x in list:` or `(x, i) in list:` after `for`.
    fn loop_head(&mut self) -> Parse<(Option<Rc<str>>, Option<Rc<str>>, Expr)> {
        let (item, index) = if self.take("(") {
            let item = self.word()?;
            self.need(",")?;
            let index = self.word()?;
            self.need(")")?;
            (Some(item), Some(index))
        } else {
            (Some(self.word()?), None)
        };
        if !self.take_word("in") {
            return self.fault("expected `in` here");
        }
        let list = self.expr()?;
        self.need(":")?;
        Ok((item, index, list))
    }

    // ---- expressions ----

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
    fn crossing(&mut self, sign: &str) -> bool {
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

    fn binary(&mut self, least: u8) -> Parse<Expr> {
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

    fn unary(&mut self) -> Parse<Expr> {
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
    fn expr_no_binary(&mut self) -> Parse<Expr> {
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

    fn arguments(&mut self) -> Parse<Vec<Expr>> {
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

    fn primary(&mut self) -> Parse<Expr> {
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
    fn lambda_names(&mut self) -> Option<Vec<Rc<str>>> {
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

    fn lambda(&mut self, start: u32, names: Vec<Rc<str>>) -> Parse<Expr> {
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

    fn array(&mut self) -> Parse<Expr> {
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
    fn object(&mut self, mut children: Option<&mut Vec<Decl>>) -> Parse<Expr> {
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
