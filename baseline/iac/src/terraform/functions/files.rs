//! Functions that read files, inside the repository only.

use super::hash::digest;
use crate::source::{Span, join};
use crate::terraform::eval::{Env, Fault, MAX_TEXT, Res};
use crate::terraform::template::parse_template;
use crate::terraform::types::{set_of, to_string, type_name};
use crate::terraform::world::World;
use crate::value::{Data, Part, Val, WhyKind};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::sync::Arc;

fn wrong(message: impl Into<String>) -> Fault {
    Fault::new(Span::default(), message)
}

impl World<'_> {
    /// File and template functions; none for others. A fault without a place gets the call's.
    pub(super) fn file_function(&mut self, name: &str, args: &[Val], span: Span) -> Option<Res> {
        Some(match name {
            "file" | "filebase64" | "fileexists" | "filemd5" | "filesha1" | "filesha256" | "filesha512"
            | "filebase64sha256" | "filebase64sha512" => self.read_function(name, args, span),
            "fileset" => self.fileset(args, span),
            "templatefile" => self.templatefile(args, span),
            "templatestring" => self.templatestring(args, span),
            "basename" | "dirname" | "pathexpand" | "abspath" => path_function(name, args, span),
            _ => return None,
        })
    }

    /// The path in the repository that a path of the configuration means; none when it is not known or outside.
    fn locate(&self, val: &Val) -> Result<Option<String>, Fault> {
        let text = match &val.data {
            Data::Partial(parts) => match parts.as_slice() {
                [Part::Hole(hole), Part::Text(rest)] if hole.why().is_some_and(|w| &*w.expr == "path.cwd") => {
                    format!(".{rest}")
                }
                _ => return Ok(None),
            },
            Data::Unknown(_) | Data::Ref(_) => return Ok(None),
            _ => match to_string(val).as_ref().and_then(Val::as_str) {
                Some(text) => text.to_owned(),
                None => return Err(wrong(format!("a path was expected, found {}", type_name(val)))),
            },
        };
        Ok(join(&self.root, &text))
    }

    fn read_function(&mut self, name: &str, args: &[Val], span: Span) -> Res {
        let Some(first) = args.first() else { return Err(wrong("a path was expected")) };
        let path = self.locate(first)?;
        if first.is_unknown() && path.is_none() {
            return Ok(self.unknown_of(args, span));
        }
        let bytes = path.as_deref().and_then(|p| self.files.read(p));
        if name == "fileexists" {
            return Ok(match (&path, bytes) {
                (_, Some(_)) => Val::bool(true, span),
                (Some(_), None) => Val::bool(false, span),
                (None, None) => self.outside(span),
            });
        }
        let Some(bytes) = bytes else {
            return match path {
                // Archives and keys are often made by a build step, so a missing file is a gap, not an error.
                Some(path) => {
                    let detail = format!("the file {path} is not in the repository");
                    Ok(Val::unknown(WhyKind::File, self.source_text(span), detail, span))
                }
                None => Ok(self.outside(span)),
            };
        };
        Ok(match name {
            "file" => {
                if bytes.len() > MAX_TEXT {
                    return Ok(Val::unknown(WhyKind::Limit, self.source_text(span), "the file is too large", span));
                }
                Val::str(String::from_utf8_lossy(&bytes).into_owned(), span)
            }
            "filebase64" if bytes.len() > MAX_TEXT / 2 => {
                Val::unknown(WhyKind::Limit, self.source_text(span), "the file is too large", span)
            }
            "filebase64" => Val::str(STANDARD.encode(&bytes), span),
            _ => {
                let hash = name.replacen("file", "", 1);
                Val::str(digest(&hash, &bytes).unwrap_or_default(), span)
            }
        })
    }

    fn outside(&self, span: Span) -> Val {
        Val::unknown(WhyKind::File, self.source_text(span), "the path is outside of the repository", span)
    }

    fn fileset(&mut self, args: &[Val], span: Span) -> Res {
        let (Some(base), Some(pattern)) = (args.first(), args.get(1)) else {
            return Err(wrong("a path and a pattern were expected"));
        };
        let (Some(base), Some(pattern)) = (self.locate(base)?, pattern.as_str()) else {
            return Ok(self.unknown_of(args, span));
        };
        let glob = glob(pattern).map_err(wrong)?;
        let mut found = Vec::new();
        let mut open = vec![(String::new(), 0)];
        let mut seen = 0;
        while let Some((dir, depth)) = open.pop() {
            let folder = if dir.is_empty() { base.clone() } else { join(&base, &dir).unwrap_or_default() };
            for entry in self.files.list(&folder) {
                seen += 1;
                if seen > 100_000 {
                    return Err(wrong("the folder holds too many files"));
                }
                let path = if dir.is_empty() { entry.name } else { format!("{dir}/{}", entry.name) };
                if !entry.folder {
                    if glob.is_match(&path) {
                        found.push(Val::str(path, span));
                    }
                } else if depth < 32 {
                    open.push((path, depth + 1));
                }
            }
        }
        Ok(set_of(found, &Val::null(span)))
    }

    fn templatefile(&mut self, args: &[Val], span: Span) -> Res {
        let (Some(path), Some(vars)) = (args.first(), args.get(1)) else {
            return Err(wrong("a path and an object of variables were expected"));
        };
        let Some(located) = self.locate(path)? else {
            return Ok(if path.is_unknown() { self.unknown_of(args, span) } else { self.outside(span) });
        };
        let key: Arc<str> = located.as_str().into();
        let parsed = match self.templates.get(&key) {
            Some(parsed) => parsed.clone(),
            None => {
                let Some(bytes) = self.files.read(&located) else {
                    let detail = format!("the file {located} is not in the repository");
                    return Ok(Val::unknown(WhyKind::File, self.source_text(span), detail, span));
                };
                let (file, text) = self.sources.add(&located, &bytes);
                let parsed = parse_template(&text, file).map(Arc::new).map_err(|e| {
                    let place = self.sources.place(e.span);
                    format!("{}:{}: {}", place.file, place.line, e.message)
                });
                self.templates.insert(key, parsed.clone());
                parsed
            }
        };
        let template = parsed.map_err(wrong)?;
        self.render(&template, vars, span)
    }

    fn templatestring(&mut self, args: &[Val], span: Span) -> Res {
        let (Some(text), Some(vars)) = (args.first(), args.get(1)) else {
            return Err(wrong("a template and an object of variables were expected"));
        };
        let Some(source) = text.as_str() else { return Ok(self.unknown_of(args, span)) };
        // Keyed by its text: no path starts with a zero byte.
        let key: Arc<str> = format!("\0{source}").into();
        let parsed = match self.templates.get(&key) {
            Some(parsed) => parsed.clone(),
            None => {
                let (file, source) = self.sources.add("templatestring", source.as_bytes());
                let parsed = parse_template(&source, file).map(Arc::new).map_err(|e| e.message);
                self.templates.insert(key, parsed.clone());
                parsed
            }
        };
        let template = parsed.map_err(wrong)?;
        self.render(&template, vars, span)
    }

    fn render(&mut self, template: &crate::terraform::ast::Expr, vars: &Val, span: Span) -> Res {
        let names = match &vars.data {
            Data::Map(members) => members.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            Data::Unknown(_) | Data::Ref(_) => return Ok(self.unknown_of(std::slice::from_ref(vars), span)),
            _ => return Err(wrong(format!("the variables must be an object, found {}", type_name(vars)))),
        };
        let mut env = Env { names, closed: true, ..Env::default() };
        let val = self.eval(&mut env, template)?;
        let text = to_string(&val).unwrap_or(val);
        Ok(Val { span, ..text })
    }
}

fn path_function(name: &str, args: &[Val], span: Span) -> Res {
    let Some(path) = args.first() else { return Err(wrong("a path was expected")) };
    if name == "abspath" {
        let root = Val::unknown(WhyKind::Apply, "path.cwd", "the folder Terraform runs in", span);
        let Some(text) = path.as_str() else { return Ok(path.clone()) };
        if text.starts_with('/') {
            return Ok(path.clone());
        }
        let tail = text.trim_start_matches("./");
        let tail = if tail == "." { String::new() } else { format!("/{tail}") };
        return Ok(Val::from_parts(vec![Part::Hole(root), Part::Text(tail.into())], span));
    }
    let Some(text) = path.as_str() else {
        return if path.is_unknown() {
            Ok(Val { span, ..path.clone() })
        } else {
            Err(wrong(format!("a path was expected, found {}", type_name(path))))
        };
    };
    let trimmed = text.trim_end_matches('/');
    let cut = trimmed.rfind('/');
    Ok(Val::str(
        match name {
            "basename" if text.is_empty() => ".",
            "basename" if trimmed.is_empty() => "/",
            "basename" => cut.map_or(trimmed, |i| trimmed.get(i + 1..).unwrap_or("")),
            "dirname" => match text.rfind('/') {
                Some(0) => "/",
                Some(i) => text.get(..i).unwrap_or("."),
                None => ".",
            },
            _ => text,
        },
        span,
    ))
}

/// A pattern of `fileset`: `*`, `**`, `?`, `[a-z]`, `{a,b}`.
fn glob(pattern: &str) -> Result<regex::Regex, String> {
    let mut out = String::from("^");
    let mut chars = pattern.chars().peekable();
    let mut braces = 0;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                if chars.peek() == Some(&'/') {
                    chars.next();
                    out.push_str("(?:.*/)?");
                } else {
                    out.push_str(".*");
                }
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => {
                out.push('[');
                if matches!(chars.peek(), Some('!' | '^')) {
                    chars.next();
                    out.push('^');
                }
                for c in chars.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '{' => {
                braces += 1;
                out.push_str("(?:");
            }
            '}' if braces > 0 => {
                braces -= 1;
                out.push(')');
            }
            ',' if braces > 0 => out.push('|'),
            _ => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    out.push('$');
    regex::Regex::new(&out).map_err(|_| format!("{pattern:?} is not a file pattern"))
}
