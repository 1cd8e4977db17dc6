//! The intrinsic functions.

use super::stack::{Stack, Truth, scalar_text};
use super::text::{dynamic, join, known, parts};
use super::{Reader, parse_text};
use crate::blend::{base64, brief, either};
use crate::document::{Data as Tree, Member, Node};
use crate::source::{ProblemSeverity, Span};
use crate::value::{Data, Doc, Members, Part, Step, Val, WhyKind};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// As many blocks as the real function gives at most.
const MAX_CIDRS: i64 = 256;

impl<'d> Stack<'d> {
    /// The value of a node; none when it is `AWS::NoValue`, which removes the property.
    pub(super) fn eval(&mut self, reader: &mut Reader<'_>, node: &'d Node) -> Option<Val> {
        let span = self.span(node);
        Some(match &node.data {
            Tree::Null => Val::null(span),
            Tree::Bool(b) => Val::bool(*b, span),
            Tree::Int(i) => Val::int(*i, span),
            Tree::Double(d) => Val::num(*d, span),
            Tree::Str(text) => {
                if self.bindings.is_empty() {
                    dynamic(Val::str(&**text, span))
                } else {
                    dynamic(Val::str(self.substitute(text), span))
                }
            }
            Tree::Seq(items) => {
                let mut out = Vec::with_capacity(items.len());
                for item in items {
                    out.extend(self.eval(reader, item));
                }
                Val::list(out, span)
            }
            Tree::Map(members) => {
                if let [only] = members.as_slice()
                    && (only.key.starts_with("Fn::") || matches!(&*only.key, "Ref" | "Condition"))
                    && !only.key.starts_with("Fn::ForEach::")
                    && !(&*only.key == "Condition" && only.value.as_str().is_none())
                {
                    return self.call(reader, only, span);
                }
                self.members(reader, members, span)
            }
        })
    }

    fn members(&mut self, reader: &mut Reader<'_>, members: &'d [Member], span: Span) -> Val {
        let mut out = Members::new();
        self.fill(reader, members, &mut out);
        Val::map(out, span)
    }

    fn fill(&mut self, reader: &mut Reader<'_>, members: &'d [Member], out: &mut Members) {
        for member in members {
            if member.key.starts_with("Fn::ForEach::") {
                let mut inner = Members::new();
                self.each(reader, member, &mut |stack, reader, members| stack.fill(reader, members, &mut inner));
                out.extend(inner);
            } else if &*member.key == "Fn::Transform" {
                let span = self.span(&member.value);
                if let Some(Val { data: Data::Map(included), .. }) = self.transform(reader, &member.value, span) {
                    out.extend(included.iter().map(|(k, v)| (k.clone(), v.clone())));
                }
            } else if let Some(val) = self.eval(reader, &member.value) {
                let key =
                    if self.bindings.is_empty() { (*member.key).into() } else { self.substitute(&member.key).into() };
                out.insert(key, val);
            }
        }
    }

    fn call(&mut self, reader: &mut Reader<'_>, member: &'d Member, span: Span) -> Option<Val> {
        let arg = &member.value;
        let args = arg.items();
        Some(match &*member.key {
            "Ref" => return self.ref_(reader, &scalar_text(arg)?, span),
            "Condition" => self.truth_value(reader, arg, span),
            "Fn::If" => return self.if_(reader, args, span),
            "Fn::And" | "Fn::Or" | "Fn::Not" | "Fn::Equals" => {
                let truth = self.function(reader, &member.key, arg);
                answer(truth, span)
            }
            "Fn::GetAtt" => self.get_att(reader, arg, span),
            "Fn::Sub" => self.sub(reader, arg, span),
            "Fn::Join" => match args {
                [between, list] => {
                    let between = self.eval(reader, between)?;
                    let list = self.eval(reader, list)?;
                    match (between.as_str(), &list.data) {
                        (Some(between), Data::List(items)) => join(items.iter(), between, span),
                        (Some(_), Data::Str(_)) => list,
                        _ => unclear("Fn::Join", &list, span),
                    }
                }
                _ => wrong("Fn::Join", "a delimiter and a list", span),
            },
            "Fn::Select" => match args {
                [index, list] => {
                    let index = self.eval(reader, index)?;
                    let list = self.eval(reader, list)?;
                    select(&index, &list, span)
                }
                _ => wrong("Fn::Select", "an index and a list", span),
            },
            "Fn::Split" => match args {
                [by, text] => {
                    let by = self.eval(reader, by)?;
                    let text = self.eval(reader, text)?;
                    split(&by, &text, span)
                }
                _ => wrong("Fn::Split", "a delimiter and a text", span),
            },
            "Fn::FindInMap" => return self.find_in_map(reader, args, span),
            "Fn::Base64" => {
                let text = self.eval(reader, arg)?;
                match known(&text) {
                    Some(plain) if text.as_list().is_none() => {
                        let mut out = Val::str(base64(plain.as_bytes()), text.span);
                        out.sensitive = text.sensitive;
                        out
                    }
                    // The places it is deployed to and the names of its resources are no part of what could be hidden in it.
                    None if let Data::Partial(parts) = &text.data
                        && parts.iter().all(|part| match part {
                            Part::Text(_) => true,
                            Part::Hole(hole) => match &hole.data {
                                Data::Ref(_) => true,
                                Data::Unknown(why) => crate::map::of_deployment(&why.expr),
                                _ => false,
                            },
                        }) =>
                    {
                        Val::str(base64(text.describe().as_bytes()), text.span)
                    }
                    _ => unclear("Fn::Base64", &text, span),
                }
            }
            "Fn::Cidr" => {
                let mut vals = Vec::new();
                for item in args {
                    vals.push(self.eval(reader, item)?);
                }
                cidr(&vals, span)
            }
            "Fn::Length" => {
                let list = self.eval(reader, arg)?;
                match list.as_list() {
                    Some(items) => Val::int(i64::try_from(items.len()).unwrap_or(i64::MAX), span),
                    None => unclear("Fn::Length", &list, span),
                }
            }
            "Fn::ToJsonString" => {
                let value = self.eval(reader, arg)?;
                let text = value.to_json().map(|json| json.to_string().into());
                Val::new(Data::Doc(Arc::new(Doc { text, value })), span)
            }
            "Fn::GetAZs" => lookup("Fn::GetAZs", "availability zones are chosen by the provider", span),
            "Fn::ImportValue" => {
                let name = self.eval(reader, arg)?;
                let detail = "exported by another stack; its value is known after that stack is deployed";
                lookup(&format!("Fn::ImportValue {}", name.describe()), detail, span)
            }
            "Fn::Transform" => return self.transform(reader, arg, span),
            other => Val::unknown(WhyKind::Function, other, format!("{other} is resolved at deployment"), span),
        })
    }

    fn truth_value(&mut self, reader: &mut Reader<'_>, arg: &'d Node, span: Span) -> Val {
        let name = arg.as_str().unwrap_or_default();
        let truth = self.condition(reader, name);
        answer(truth, span)
    }

    /// What `Ref` (or `${Name}`) means: a loop variable, pseudo parameter, parameter or resource.
    fn ref_(&mut self, reader: &mut Reader<'_>, name: &str, span: Span) -> Option<Val> {
        let name = &*self.substitute(name);
        if let Some(binding) = self.bindings.iter().rev().find(|b| &*b.name == name) {
            return Some(binding.val.clone());
        }
        if name == "AWS::NoValue" {
            return None;
        }
        if name.starts_with("AWS::") {
            return Some(lookup(name, "decided by where the stack is deployed", span));
        }
        if let Some(val) = self.param(name) {
            return Some(val.clone().through(Step::Variable(name.into()), span));
        }
        Some(self.resource_ref(reader, name, "", span))
    }

    fn resource_ref(&mut self, reader: &mut Reader<'_>, name: &str, path: &str, span: Span) -> Val {
        let Some(address) = self.address(name) else {
            // The serverless transform makes resources with names of their own.
            if super::sam::asked(&self.doc.root) {
                return Val::reference(self.made_address(name), path, span);
            }
            let detail = format!("the template has no parameter or resource {name}");
            return Val::unknown(WhyKind::Error, name, detail, span);
        };
        if self.absent(reader, name) {
            let detail = format!("resource {name} is absent: its condition is false");
            return Val::unknown(WhyKind::Error, name, detail, span);
        }
        Val::reference(address, path, span)
    }

    fn get_att(&mut self, reader: &mut Reader<'_>, arg: &'d Node, span: Span) -> Val {
        let (name, path) = match arg.items() {
            [name, rest @ ..] => {
                let mut path = Vec::new();
                for part in rest {
                    match self.eval(reader, part).as_ref().and_then(known) {
                        Some(text) => path.push(text),
                        None => return lookup("Fn::GetAtt", "the attribute's name is not known", span),
                    }
                }
                (scalar_text(name).unwrap_or_default(), path.join("."))
            }
            [] => {
                let text = scalar_text(arg).unwrap_or_default();
                match text.split_once('.') {
                    Some((name, path)) => (name.to_owned(), path.to_owned()),
                    None => return wrong("Fn::GetAtt", "Resource.Attribute", span),
                }
            }
        };
        self.attribute(reader, &name, &path, span)
    }

    fn attribute(&mut self, reader: &mut Reader<'_>, name: &str, path: &str, span: Span) -> Val {
        let (name, path) = (&*self.substitute(name), &*self.substitute(path));
        if let Some(output) = path.strip_prefix("Outputs.")
            && let Some(val) = self.nested_output(reader, name, output, span)
        {
            return val;
        }
        self.resource_ref(reader, name, path, span)
    }

    fn sub(&mut self, reader: &mut Reader<'_>, arg: &'d Node, span: Span) -> Val {
        let (text, names) = match arg.items() {
            [text, names] => (text, names.members()),
            _ => (arg, Default::default()),
        };
        let Some(text) = scalar_text(text) else { return wrong("Fn::Sub", "a text, or a list of text and map", span) };
        let text = self.substitute(&text);
        let mut vars: HashMap<&str, Option<Val>> = HashMap::new();
        for member in names {
            vars.insert(&member.key, self.eval(reader, &member.value));
        }
        let mut out: Vec<Val> = Vec::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            let Some(end) = from.find('}') else { break };
            let name = from.get(2..end).unwrap_or_default();
            if !before.is_empty() {
                out.push(Val::str(before, span));
            }
            rest = from.get(end + 1..).unwrap_or_default();
            if let Some(literal) = name.strip_prefix('!') {
                out.push(Val::str(format!("${{{literal}}}"), span));
                continue;
            }
            let name = name.trim();
            let val = match vars.get(name) {
                Some(val) => val.clone(),
                None => match name.split_once('.') {
                    Some((resource, path)) => Some(self.attribute(reader, resource, path, span)),
                    None => self.ref_(reader, name, span),
                },
            };
            out.push(val.unwrap_or_else(|| Val::str("", span)));
        }
        if !rest.is_empty() {
            out.push(Val::str(rest, span));
        }
        match out.as_slice() {
            [only] if only.prov.is_some() => only.clone(),
            _ => join(out.iter(), "", span),
        }
    }

    fn if_(&mut self, reader: &mut Reader<'_>, args: &'d [Node], span: Span) -> Option<Val> {
        let [condition, yes, no] = args else {
            return Some(wrong("Fn::If", "a condition and two values", span));
        };
        let truth = match condition.as_str() {
            Some(name) => {
                let name = self.substitute(name);
                self.condition(reader, &name)
            }
            None => self.truth(reader, condition),
        };
        match truth {
            Truth::True => self.eval(reader, yes),
            Truth::False => self.eval(reader, no),
            Truth::Unknown(on) => {
                let yes = self.eval(reader, yes);
                let no = self.eval(reader, no);
                either(yes, no, &on, span)
            }
        }
    }

    fn find_in_map(&mut self, reader: &mut Reader<'_>, args: &'d [Node], span: Span) -> Option<Val> {
        let [map, first, second, rest @ ..] = args else {
            return Some(wrong("Fn::FindInMap", "a map and two keys", span));
        };
        let map = self.eval(reader, map)?;
        let first = self.eval(reader, first)?;
        let second = self.eval(reader, second)?;
        let default = rest.first().and_then(|n| n.get("DefaultValue"));
        let doc = self.doc;
        let Some(table) = known(&map).and_then(|name| doc.root.get("Mappings")?.get(&name)) else {
            return match default {
                Some(node) => self.eval(reader, node),
                None => Some(unclear("Fn::FindInMap", &map, span)),
            };
        };
        let rows: Vec<&'d Node> = match known(&first) {
            Some(key) => table.get(&key).into_iter().collect(),
            None => table.members().iter().map(|m| &m.value).collect(),
        };
        let mut cells: Vec<&'d Node> = Vec::new();
        for row in rows {
            match known(&second) {
                Some(key) => cells.extend(row.get(&key)),
                None => cells.extend(row.members().iter().map(|m| &m.value)),
            }
        }
        let mut vals = Vec::new();
        for cell in cells {
            vals.extend(self.eval(reader, cell));
        }
        let certain = known(&first).is_some() && known(&second).is_some();
        if let Some(node) = default
            && (vals.is_empty() || !certain)
        {
            vals.extend(self.eval(reader, node));
        }
        // With a key unknown the answer is still known when every row agrees.
        let Some(answer) = vals.first().cloned() else {
            let expr = format!("{}.{}.{}", map.describe(), first.describe(), second.describe());
            return Some(Val::unknown(WhyKind::Error, expr, "the mapping has no such key", span));
        };
        if vals.iter().all(|v| *v == answer) {
            return Some(answer.through(Step::Local(map.describe().into()), span));
        }
        let key = if known(&first).is_none() { &first } else { &second };
        Some(unclear("Fn::FindInMap", key, span))
    }

    /// `AWS::Include` of a file in the repository; every other macro runs in the account.
    fn transform(&mut self, reader: &mut Reader<'_>, arg: &'d Node, span: Span) -> Option<Val> {
        let name = arg.get("Name").and_then(Node::as_str).unwrap_or("a macro");
        let location = arg.get("Parameters").and_then(|p| p.get("Location"));
        if name == "AWS::Include"
            && let Some(location) = location
        {
            let written = self.eval(reader, location)?;
            let path = written.as_str().and_then(|path| crate::source::join(&self.doc.folder, path));
            if let Some(path) = path
                && let Some(bytes) = reader.files.read(&path)
            {
                let (file, text) = reader.sources.add(&path, &bytes);
                let parsed = parse_text(&text);
                for fault in parsed.faults {
                    let at = Span::new(file, fault.at as usize, fault.at as usize + 1);
                    reader.problem(ProblemSeverity::Error, fault.message, at);
                }
                // Includes may hold no short-form intrinsics that refer to this template's own loop variables, so
                // their plain values suffice.
                return parsed.documents.first().map(|node| literal(node, file));
            }
            return Some(Val::unknown(
                WhyKind::File,
                format!("AWS::Include {}", written.describe()),
                "the included file is not in the repository",
                span,
            ));
        }
        Some(Val::unknown(WhyKind::Function, name, format!("made by {name}, which runs in the account"), span))
    }

    /// The truth of a condition expression.
    pub(super) fn truth(&mut self, reader: &mut Reader<'_>, node: &'d Node) -> Truth {
        if let Some(member) = node.sole()
            && (member.key.starts_with("Fn::") || &*member.key == "Condition")
            && !matches!(&*member.key, "Fn::If" | "Fn::FindInMap" | "Fn::Select" | "Fn::Sub" | "Fn::Join")
        {
            return self.function(reader, &member.key, &member.value);
        }
        let Some(val) = self.eval(reader, node) else { return Truth::False };
        match known(&val).as_deref() {
            Some("true") => Truth::True,
            Some("false") => Truth::False,
            _ => Truth::Unknown(val.describe().into()),
        }
    }

    fn function(&mut self, reader: &mut Reader<'_>, name: &str, arg: &'d Node) -> Truth {
        match name {
            "Condition" => match arg.as_str() {
                Some(name) => {
                    let name = self.substitute(name);
                    self.condition(reader, &name)
                }
                None => Truth::Unknown("a condition without a name".into()),
            },
            "Fn::And" | "Fn::Or" => {
                let decides = name == "Fn::Or";
                let mut unknown = None;
                for item in arg.items() {
                    match (self.truth(reader, item), decides) {
                        (Truth::True, true) => return Truth::True,
                        (Truth::False, false) => return Truth::False,
                        (Truth::Unknown(on), _) => unknown = unknown.or(Some(on)),
                        _ => {}
                    }
                }
                unknown.map_or(Truth::from(!decides), Truth::Unknown)
            }
            "Fn::Not" => match arg.items().first().or((!matches!(arg.data, Tree::Seq(_))).then_some(arg)) {
                Some(item) => match self.truth(reader, item) {
                    Truth::True => Truth::False,
                    Truth::False => Truth::True,
                    unknown => unknown,
                },
                None => Truth::Unknown("Fn::Not without a condition".into()),
            },
            "Fn::Equals" => match arg.items() {
                [a, b] => {
                    let a = self.eval(reader, a);
                    let b = self.eval(reader, b);
                    self.equals(a.as_ref(), b.as_ref())
                }
                _ => Truth::Unknown("Fn::Equals without two values".into()),
            },
            other => Truth::Unknown(other.into()),
        }
    }

    fn equals(&self, a: Option<&Val>, b: Option<&Val>) -> Truth {
        let (Some(a), Some(b)) = (a, b) else { return (a.is_none() && b.is_none()).into() };
        match (known(a), known(b)) {
            (Some(a), Some(b)) => (a == b).into(),
            (Some(text), None) => self.possible(b, &text),
            (None, Some(text)) => self.possible(a, &text),
            (None, None) if a == b => Truth::True,
            (None, None) => Truth::Unknown(format!("{} and {}", a.describe(), b.describe()).into()),
        }
    }

    /// Whether an unknown can equal a text: not when a parameter does not allow it, or a partial text contradicts it.
    fn possible(&self, unknown: &Val, text: &str) -> Truth {
        if let Data::Unknown(why) = &unknown.data
            && let Some(allowed) = self.allowed.get(&*why.expr)
            && allowed.iter().all(|a| a != text)
        {
            return Truth::False;
        }
        if let Data::Partial(parts) = &unknown.data {
            let contradicts = match (parts.first(), parts.last()) {
                (Some(Part::Text(head)), _) if !text.starts_with(&**head) => true,
                (_, Some(Part::Text(tail))) if !text.ends_with(&**tail) => true,
                _ => false,
            };
            if contradicts {
                return Truth::False;
            }
        }
        Truth::Unknown(unknown.describe().into())
    }
}

fn answer(truth: Truth, span: Span) -> Val {
    match truth {
        Truth::True => Val::bool(true, span),
        Truth::False => Val::bool(false, span),
        Truth::Unknown(on) => Val::unknown(WhyKind::Repeat, &*on, "the condition is not known", span),
    }
}

fn lookup(expr: &str, detail: &str, span: Span) -> Val {
    Val::unknown(WhyKind::Lookup, expr, detail, span)
}

fn wrong(function: &str, needs: &str, span: Span) -> Val {
    Val::unknown(WhyKind::Error, function, format!("{function} needs {needs}"), span)
}

/// An unknown result of a function because of an argument: the argument's reason is kept.
fn unclear(function: &str, argument: &Val, span: Span) -> Val {
    let mut val = match argument.why() {
        Some(why) => Val::unknown(why.kind, format!("{function}({})", why.expr), &*why.detail, span),
        None => {
            let detail = format!("{function} cannot be computed before deployment");
            Val::unknown(WhyKind::Apply, format!("{function}({})", brief(&argument.describe())), detail, span)
        }
    };
    val.sensitive = argument.sensitive;
    match argument.edge() {
        Some(edge) => val.through(Step::Resource(edge.clone()), span),
        None => val,
    }
}

fn select(index: &Val, list: &Val, span: Span) -> Val {
    let at = known(index).and_then(|t| t.parse::<usize>().ok());
    let split;
    let items = match &list.data {
        Data::List(items) => items.as_slice(),
        Data::Str(text) => {
            split = text.split(',').map(|t| Val::str(t.trim(), list.span)).collect::<Vec<_>>();
            &split
        }
        _ => return unclear("Fn::Select", list, span),
    };
    match at {
        Some(at) => items
            .get(at)
            .cloned()
            .unwrap_or_else(|| Val::unknown(WhyKind::Error, "Fn::Select", format!("the list has no item {at}"), span)),
        None => unclear("Fn::Select", index, span),
    }
}

fn split(by: &Val, text: &Val, span: Span) -> Val {
    let Some(by) = by.as_str().filter(|b| !b.is_empty()) else { return unclear("Fn::Split", by, span) };
    if text.is_unknown() && !matches!(text.data, Data::Partial(_)) {
        return unclear("Fn::Split", text, span);
    }
    // Holes count as text without the delimiter only when they are a resource's own name or a pseudo parameter; an
    // ARN or a list may hold any.
    let mut items: Vec<Vec<Part>> = vec![Vec::new()];
    for part in parts(text) {
        match part {
            Part::Text(piece) => {
                for (i, item) in piece.split(by).enumerate() {
                    if i > 0 {
                        items.push(Vec::new());
                    }
                    if let Some(last) = items.last_mut()
                        && !item.is_empty()
                    {
                        last.push(Part::Text(item.into()));
                    }
                }
            }
            Part::Hole(hole) => {
                let simple = matches!(&hole.data, Data::Unknown(w) if matches!(&*w.expr, "AWS::Region" | "AWS::AccountId" | "AWS::Partition"));
                if !simple {
                    return unclear("Fn::Split", text, span);
                }
                if let Some(last) = items.last_mut() {
                    last.push(Part::Hole(hole));
                }
            }
        }
    }
    Val::list(items.into_iter().map(|parts| Val::from_parts(parts, span)).collect(), span)
}

fn cidr(args: &[Val], span: Span) -> Val {
    let [block, count, rest @ ..] = args else { return wrong("Fn::Cidr", "a block, a count and host bits", span) };
    let bits = rest.first();
    let (Some(text), Some(count)) = (block.as_str(), number(count)) else { return unclear("Fn::Cidr", block, span) };
    let parsed =
        text.split_once('/').and_then(|(ip, length)| Some((ip.parse::<IpAddr>().ok()?, length.parse::<u32>().ok()?)));
    let Some((ip, length)) = parsed else { return wrong("Fn::Cidr", "an address block such as 10.0.0.0/16", span) };
    let (base, width) = match ip {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    };
    let host = match bits.map(number) {
        None => width - length.min(width),
        Some(Some(host)) => u32::try_from(host).unwrap_or(u32::MAX),
        Some(None) => return unclear("Fn::Cidr", block, span),
    };
    let room = (width - length.min(width)).saturating_sub(host);
    let fits = room >= 8 || count <= 1 << room;
    if host > width - length.min(width) || host >= 128 || !(1..=MAX_CIDRS).contains(&count) || !fits {
        return wrong("Fn::Cidr", "blocks that fit: 1 to 256 of at most the size of the whole", span);
    }
    let mask = if length == 0 { 0 } else { (u128::MAX << (width - length)) & (u128::MAX >> (128 - width)) };
    let blocks = (0..count).map(|i| {
        let address = (base & mask) + (u128::try_from(i).unwrap_or(0) << host);
        let ip = match ip {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(address).unwrap_or(u32::MAX).into()),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(address)),
        };
        Val::str(format!("{ip}/{}", width - host), span)
    });
    Val::list(blocks.collect(), span)
}

fn number(val: &Val) -> Option<i64> {
    known(val)?.trim().parse().ok()
}

/// A document's plain values.
pub(super) fn literal(node: &Node, file: crate::source::FileId) -> Val {
    let span = Span { file, start: node.start, end: node.end };
    match &node.data {
        Tree::Null => Val::null(span),
        Tree::Bool(b) => Val::bool(*b, span),
        Tree::Int(i) => Val::int(*i, span),
        Tree::Double(d) => Val::num(*d, span),
        Tree::Str(text) => dynamic(Val::str(&**text, span)),
        Tree::Seq(items) => Val::list(items.iter().map(|n| literal(n, file)).collect(), span),
        Tree::Map(members) => match node.sole() {
            Some(only) if only.key.starts_with("Fn::") || &*only.key == "Ref" => {
                Val::unknown(WhyKind::Function, &*only.key, "a function inside an included file", span)
            }
            _ => Val::map(members.iter().map(|m| ((*m.key).into(), literal(&m.value, file))).collect(), span),
        },
    }
}

/// A document's values as they stand, no function among them.
pub(crate) fn plain_value(node: &Node, file: crate::source::FileId) -> Val {
    let span = Span { file, start: node.start, end: node.end };
    match &node.data {
        Tree::Null => Val::null(span),
        Tree::Bool(b) => Val::bool(*b, span),
        Tree::Int(i) => Val::int(*i, span),
        Tree::Double(d) => Val::num(*d, span),
        Tree::Str(text) => Val::str(&**text, span),
        Tree::Seq(items) => Val::list(items.iter().map(|n| plain_value(n, file)).collect(), span),
        Tree::Map(members) => {
            Val::map(members.iter().map(|m| ((*m.key).into(), plain_value(&m.value, file))).collect(), span)
        }
    }
}
