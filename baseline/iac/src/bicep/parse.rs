//! Bicep tokens into a template. A statement that cannot be read is skipped and told; the rest is kept.

use super::lex::{Tok, Token, lex};
use crate::azure::expr::{Expr, Kind};
use crate::azure::template::{Decl, Func, Import, Over, Param, Template, Type, TypeDecl, Var, What};
use crate::document::Fault;
use crate::notes;
use crate::resource::Dialect;
use crate::source::FileId;
use std::rc::Rc;
use std::sync::Arc;

/// Expressions nested deeper than this are refused.
const MAX_DEPTH: usize = 96;

/// The keywords that stand before a new name.
const DECLARING: [&str; 7] = ["param", "var", "resource", "module", "output", "type", "func"];

pub(super) type Parse<T> = Result<T, Fault>;

/// The names a loop binds, and its list.
pub(super) type Head = (Option<Rc<str>>, Option<Rc<str>>, Expr);

pub(super) struct Parser {
    tokens: Vec<Token>,
    pub(super) at: usize,
    depth: usize,
    /// Where the keyword of the statement stands that is being read.
    keyword: usize,
}

/// A decorator: its name, arguments and whether it stands in the `sys` namespace or none.
pub(super) struct Decorator {
    name: Rc<str>,
    args: Vec<Expr>,
}

/// Parses a Bicep or Bicep parameter file.
pub(crate) fn parse(text: &str, path: &str, file: FileId) -> (Template, Vec<Fault>) {
    let (tokens, mut faults) = lex(text);
    let torn: Vec<u32> = faults.iter().map(|f| f.at).collect();
    let mut parser = Parser { tokens, at: 0, depth: 0, keyword: 0 };
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
    // Where a token has no end, what follows was swallowed: what such a declaration lacks is not known to be absent.
    template.decls.retain(|decl| !torn.iter().any(|at| (decl.start..=decl.end).contains(at)));
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

    pub(super) fn ahead(&self, n: usize) -> &Tok {
        self.tokens.get(self.at + n).map_or(&Tok::End, |t| &t.kind)
    }

    pub(super) fn start(&self) -> u32 {
        self.token().start
    }

    /// The end of the last token taken.
    pub(super) fn end(&self) -> u32 {
        self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(0, |t| t.end)
    }

    pub(super) fn is_end(&self) -> bool {
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
    pub(super) fn plain_string(&mut self) -> Parse<Rc<str>> {
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

    /// Skips to the next statement: a word or decorator at the margin. Where a bracket was left open, reading has
    /// run into it: then back to its `resource name`.
    fn recover(&mut self) {
        let declares = |at: usize| {
            let word = |at: usize| self.tokens.get(at).filter(|t| matches!(t.kind, Tok::Word(_)));
            let keyword = word(at).filter(|t| t.at_margin && word(at + 1).is_some());
            keyword.is_some_and(|t| matches!(&t.kind, Tok::Word(w) if DECLARING.contains(&&**w)))
        };
        if let Some(at) = (self.keyword + 1..=self.at).find(|&at| declares(at)) {
            self.at = at;
            return;
        }
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

    pub(super) fn decorators(&mut self) -> Parse<Vec<Decorator>> {
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
        self.keyword = self.at;
        let decorators = self.decorators()?;
        self.keyword = self.at;
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

    pub(super) fn declaration(&mut self, keyword: &str, start: u32) -> Parse<Decl> {
        let symbol = self.word()?;
        let from = self.start();
        let text = self.expr_no_binary()?;
        let what = match (&text.kind, keyword) {
            (Kind::Str(path), "module") => What::Module { path: path.clone() },
            (Kind::Str(type_), _) => {
                let type_ = type_.strip_prefix("az:").unwrap_or(type_);
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

    pub(super) fn conditional_body(&mut self, condition: &mut Option<Expr>, children: &mut Vec<Decl>) -> Parse<Expr> {
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
    pub(super) fn loop_head(&mut self) -> Parse<Head> {
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
}
