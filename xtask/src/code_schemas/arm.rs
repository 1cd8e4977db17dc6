//! Properties of Azure types out of the models of Azure's management libraries for Python.
//!
//! Their operations say which model a `PUT` to a type takes (`build_…_request`, then the method that calls it), their
//! models what each attribute is called on the wire: as `_attribute_map` in older libraries, as `rest_field` in newer.

use super::node::{DEPTH, Node};
use crate::Done;
use regex::Regex;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// One class of a library.
#[derive(Default)]
struct Model {
    bases: Vec<String>,
    attributes: Vec<Attribute>,
    /// Others extend it, told apart by one of its attributes: a document may be any of them.
    open: bool,
}

struct Attribute {
    /// Its name on the wire, with `.` between levels.
    wire: String,
    /// Its type as the library writes it.
    type_: String,
    read_only: bool,
    /// The values its description counts.
    values: BTreeSet<String>,
}

/// Adds what one library says of the wanted types (in lower case → as the catalog writes them).
pub fn types(package: &Path, wanted: &BTreeMap<String, String>, into: &mut BTreeMap<String, Node>) -> Done {
    let reader = Reader::new()?;
    let mut folders = vec![package.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))?.flatten() {
            let path = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "aio") {
                folders.push(path);
            }
        }
        if !folder.join("operations").is_dir() {
            continue;
        }
        let mut made = BTreeSet::new();
        for text in texts(&folder.join("operations"), "_")? {
            made.extend(reader.puts(&text, wanted));
        }
        if made.is_empty() {
            continue;
        }
        let mut models = BTreeMap::new();
        for text in texts(&folder.join("models"), "_models")? {
            reader.models(&text, &mut models);
        }
        let library = Library::new(models);
        for (type_, model) in made.iter().filter(|(_, model)| library.models.contains_key(model)) {
            let node = library.model(model, &mut Vec::new());
            match into.get_mut(type_) {
                Some(known) => known.absorb(node),
                None => _ = into.insert(type_.clone(), node),
            }
        }
    }
    Ok(())
}

/// The Python files of a folder whose names start so.
fn texts(folder: &Path, start: &str) -> Done<Vec<String>> {
    let mut files: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|f| f.file_name().is_some_and(|n| n.to_string_lossy().starts_with(start)));
    files.retain(|f| f.extension().is_some_and(|e| e == "py"));
    files.sort();
    files.iter().map(|f| fs::read_to_string(f).map_err(|e| format!("cannot read {}: {e}", f.display()))).collect()
}

struct Reader {
    url: Regex,
    piece: Regex,
    either: Regex,
    body: Regex,
    mapped: Regex,
    fixed: Regex,
    field: Regex,
    wire: Regex,
    known: Regex,
}

impl Reader {
    fn new() -> Done<Self> {
        let regex = |text: &str| Regex::new(text).map_err(|e| e.to_string());
        Ok(Self {
            url: regex(r#"_url = (?:kwargs\.pop\(\s*"template_url",\s*)?\(?\s*((?:"[^"]*"\s*)+)"#)?,
            piece: regex(r#""([^"]*)""#)?,
            either: regex(r": Union\[\s*_models\.(\w+)")?,
            body: regex(r#"\w+: "?_models\.(\w+)"#)?,
            mapped: regex(r#""(\w+)": \{\s*"key": "([^"]+)",\s*"type": "([^"]+)""#)?,
            fixed: regex(r#""(\w+)": \{[^}]*"readonly": True"#)?,
            field: regex(r"(?m)^    (\w+): ([^=]+?) = \(?\s*rest_(?:field|discriminator)\(([^)]*)\)")?,
            wire: regex(r#"name="([^"]+)""#)?,
            known: regex(r#"(?:Known values are|values are):? ((?:"[^"]*"(?:, and |, or | and | or |, |))+)"#)?,
        })
    }

    /// Which model is put to which wanted type.
    fn puts(&self, text: &str, wanted: &BTreeMap<String, String>) -> Vec<(String, String)> {
        let mut builders: Vec<(&str, &str)> = Vec::new();
        for chunk in text.split("\ndef ").skip(1) {
            let chunk = chunk.split("\nclass ").next().unwrap_or_default();
            let name = chunk.split('(').next().unwrap_or_default();
            if !name.starts_with("build_") || !chunk.contains("method=\"PUT\"") {
                continue;
            }
            let Some(url) = self.url.captures(chunk) else { continue };
            let url: String = self.piece.captures_iter(&url[1]).map(|c| c[1].to_owned()).collect();
            let Some((_, below)) = url.rsplit_once("/providers/") else { continue };
            let mut parts = below.trim_matches('/').split('/');
            let mut type_ = parts.next().unwrap_or_default().to_ascii_lowercase();
            for part in parts.step_by(2) {
                type_ = type_ + "/" + &part.to_ascii_lowercase();
            }
            if let Some(type_) = wanted.get(&type_) {
                builders.push((name, type_));
            }
        }
        let mut found = Vec::new();
        for chunk in text.split("\n    def ").skip(1) {
            for (_, type_) in builders.iter().filter(|(name, _)| chunk.contains(&format!("{name}("))) {
                let model = self.either.captures(chunk).or_else(|| self.body.captures(chunk));
                found.extend(model.map(|model| ((*type_).to_owned(), model[1].to_owned())));
            }
        }
        found
    }

    fn models(&self, text: &str, models: &mut BTreeMap<String, Model>) {
        for chunk in text.split("\nclass ").skip(1) {
            let Some((name, rest)) = chunk.split_once('(') else { continue };
            let bases = rest.split(')').next().unwrap_or_default().split(',').map(str::trim);
            let bases = bases.filter(|b| !b.is_empty() && !b.starts_with("_serialization") && !b.contains('='));
            let model = models.entry(name.to_owned()).or_default();
            model.bases.extend(bases.filter_map(|b| b.rsplit('.').next()).map(str::to_owned));
            model.open |= chunk.contains("_subtype_map = {") || chunk.contains("__mapping__");
            let block = |start: &str| {
                let (_, inside) = chunk.split_once(start)?;
                inside.split("\n    }").next()
            };
            let values = self.values(chunk);
            let values = |name: &str| values.get(name).cloned().unwrap_or_default();
            let fixed: BTreeSet<_> = block("\n    _validation = {")
                .map(|inside| self.fixed.captures_iter(inside).map(|c| c[1].to_owned()).collect())
                .unwrap_or_default();
            for c in self.mapped.captures_iter(block("\n    _attribute_map = {").unwrap_or_default()) {
                let read_only = fixed.contains(&c[1]);
                model.attributes.push(Attribute {
                    wire: c[2].replace("\\\\.", "\u{0}"),
                    type_: c[3].into(),
                    read_only,
                    values: values(&c[1]),
                });
            }
            let code: String = chunk.split("\"\"\"").step_by(2).collect();
            for c in self.field.captures_iter(&code) {
                let wire = self.wire.captures(&c[3]).map_or_else(|| c[1].to_owned(), |name| name[1].to_owned());
                let read_only = c[3].contains("visibility=[\"read\"]");
                model.attributes.push(Attribute {
                    wire: wire.replace('.', "\u{0}"),
                    type_: format!(":{}", &c[2]),
                    read_only,
                    values: values(&c[1]),
                });
            }
        }
    }
}

impl Reader {
    /// Attribute → the values that the description of a class counts.
    fn values(&self, class: &str) -> BTreeMap<String, BTreeSet<String>> {
        let words: Vec<&str> = class.split("\"\"\"").nth(1).unwrap_or_default().split_whitespace().collect();
        let described = words.join(" ");
        let mut values = BTreeMap::new();
        for part in described.split(":ivar ").skip(1) {
            let Some((name, text)) = part.split_once(": ") else { continue };
            let text = text.split(" :vartype").next().unwrap_or_default();
            let known = self.known.captures(text).and_then(|c| c.get(1));
            let known = known.map_or("", |known| known.as_str()).split('"').skip(1).step_by(2);
            let known: BTreeSet<String> = known.filter(|v| !v.is_empty()).map(str::to_owned).collect();
            if !known.is_empty() {
                values.insert(name.to_owned(), known);
            }
        }
        values
    }
}

struct Library {
    models: BTreeMap<String, Model>,
    extended: BTreeMap<String, Vec<String>>,
}

impl Library {
    fn new(models: BTreeMap<String, Model>) -> Self {
        let mut extended: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, model) in &models {
            for base in &model.bases {
                extended.entry(base.clone()).or_default().push(name.clone());
            }
        }
        Self { models, extended }
    }

    fn model<'a>(&'a self, name: &'a str, above: &mut Vec<&'a str>) -> Node {
        if above.contains(&name) || above.len() >= DEPTH {
            return Node { form: '{', cut: true, ..Node::default() };
        }
        above.push(name);
        let mut names = vec![name];
        let (mut at, open) = (0, self.models.get(name).is_some_and(|m| m.open));
        while let Some(next) = names.get(at).copied() {
            let bases = self.models.get(next).map_or(&[][..], |m| &m.bases);
            let more = self.extended.get(next).filter(|_| open).map_or(&[][..], Vec::as_slice);
            for other in bases.iter().chain(more).map(String::as_str) {
                if !names.contains(&other) && self.models.contains_key(other) {
                    names.push(other);
                }
            }
            at += 1;
        }
        let mut node = Node::object(BTreeMap::new());
        for attribute in names.iter().filter_map(|n| self.models.get(*n)).flat_map(|m| &m.attributes) {
            let mut inner = self.typed(&attribute.type_, above);
            inner.read_only = attribute.read_only;
            inner.values.clone_from(&attribute.values);
            let mut place = &mut node;
            let mut parts = attribute.wire.split('.').peekable();
            while let Some(part) = parts.next() {
                let part = part.replace('\u{0}', ".");
                if parts.peek().is_some() {
                    place = place.members.entry(part).or_insert_with(|| Node::object(BTreeMap::new()));
                } else {
                    match place.members.get_mut(&part) {
                        Some(known) => known.absorb(std::mem::take(&mut inner)),
                        None => _ = place.members.insert(part, std::mem::take(&mut inner)),
                    }
                }
            }
        }
        above.pop();
        node
    }

    fn typed<'a>(&'a self, type_: &'a str, above: &mut Vec<&'a str>) -> Node {
        let Some(written) = type_.strip_prefix(':') else {
            if let Some(item) = type_.strip_prefix('[') {
                return self.typed(item.trim_end_matches(']'), above).list();
            }
            if let Some(item) = type_.strip_prefix('{') {
                return self.typed(item.trim_end_matches('}'), above).map();
            }
            return match type_ {
                "object" | "JSON" => Node::leaf('?'),
                "bool" => Node::leaf('b'),
                "int" | "float" | "long" => Node::leaf('n'),
                name if self.models.contains_key(name) => self.model(name, above),
                _ => Node::leaf('s'),
            };
        };
        let model = written.split("_models.").skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next());
        let model = model.flatten().find(|name| self.models.contains_key(*name));
        let item = match model {
            Some(name) => self.model(name, above),
            None if written.contains("Any") => Node::leaf('?'),
            None if written.contains("bool") => Node::leaf('b'),
            None if written.contains("int") || written.contains("float") => Node::leaf('n'),
            None => Node::leaf('s'),
        };
        match written.to_ascii_lowercase() {
            words if words.contains("list[") => item.list(),
            words if words.contains("dict[") => item.map(),
            _ => item,
        }
    }
}
