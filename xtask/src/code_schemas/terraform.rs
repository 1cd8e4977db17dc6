//! Attributes of Terraform types out of the bindings that are generated from the providers' schemas.
//!
//! Each type is a class; its getters name the attributes as the schema does, with a class of its own for each block.
//! What has a setter (or `put…`) may be written, what has none is the provider's.

use super::node::{DEPTH, Node};
use crate::Done;
use regex::Regex;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

#[derive(Default)]
struct Class {
    base: String,
    /// The type it makes.
    type_: Option<String>,
    /// What its items are, of lists and maps.
    item: Option<String>,
    /// Attribute → what it is, and the getter's name.
    attributes: BTreeMap<String, (What, String)>,
    /// Names that can be set.
    set: HashSet<String>,
}

enum What {
    /// A getter's word: `String`, `Number`, `StringMap`; empty when it says nothing.
    Plain(String),
    Class(String),
}

/// The wanted types of one provider's bindings (`lib/`), data sources with `data.` before them.
pub fn types(lib: &Path, wanted: &BTreeSet<String>) -> Done<BTreeMap<String, Node>> {
    let mut groups: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    let mut folders = vec![lib.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "js") {
                let below = path.strip_prefix(lib).unwrap_or(&path);
                let group = if below.components().count() > 1 { below.components().next() } else { None };
                let group = group.map(|c| c.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
                groups.entry(group).or_default().push(path);
            }
        }
    }
    let reader = Reader::new()?;
    let mut types = BTreeMap::new();
    for files in groups.values_mut() {
        files.sort();
        let mut text = String::new();
        for file in files {
            text.push_str(&fs::read_to_string(&file).map_err(|e| format!("cannot read {}: {e}", file.display()))?);
            text.push('\n');
        }
        let made = reader.made.captures_iter(&text).filter_map(|c| c.get(1));
        if !made.into_iter().any(|m| wanted.contains(m.as_str()) || wanted.contains(&format!("data.{}", m.as_str()))) {
            continue;
        }
        let classes = reader.classes(&text);
        for class in classes.values() {
            let name = match (class.type_.as_deref(), class.base.as_str()) {
                (Some(name), "TerraformResource") => name.to_owned(),
                (Some(name), "TerraformDataSource") => format!("data.{name}"),
                _ => continue,
            };
            if wanted.contains(&name) {
                types.insert(name, node(class, &classes, &mut Vec::new()));
            }
        }
    }
    Ok(types)
}

struct Reader {
    class: Regex,
    made: Regex,
    member: Regex,
    block: Regex,
    returned: Regex,
    plain: Regex,
    item: Regex,
}

impl Reader {
    fn new() -> Done<Self> {
        let regex = |text: &str| Regex::new(text).map_err(|e| e.to_string());
        Ok(Self {
            class: regex(r"^class (\w+) extends (?:\w+\.)?(\w+)")?,
            made: regex(r#"terraformResourceType: ['"](\w+)['"]"#)?,
            member: regex(r"^    (get |set |put)(\w+)\(")?,
            block: regex(r#"_(\w+) = new (?:\w+\.)?(\w+)\(this, ['"](\w+)['"]"#)?,
            returned: regex(r#"return new (?:\w+\.)?(\w+)\(this, ['"](\w+)['"]"#)?,
            plain: regex(r#"this\.(?:get(\w+)Attribute|interpolationForAttribute)\(['"](\w+)['"]"#)?,
            item: regex(r"return new (?:\w+\.)?(\w+OutputReference)\(")?,
        })
    }

    fn classes(&self, text: &str) -> HashMap<String, Class> {
        let mut classes = HashMap::new();
        let mut current: Option<(String, Class)> = None;
        let mut getter = String::new();
        for line in text.lines() {
            if let Some(c) = self.class.captures(line) {
                classes.extend(current.replace((c[1].into(), Class { base: c[2].into(), ..Class::default() })));
                continue;
            }
            let Some((_, class)) = &mut current else { continue };
            if let Some(c) = self.made.captures(line) {
                class.type_ = Some(c[1].into());
            } else if let Some(c) = self.member.captures(line) {
                match &c[1] {
                    "get " => getter = c[2].into(),
                    "set " => _ = class.set.insert(c[2].into()),
                    _ => {
                        let (first, rest) = c[2].split_at(c[2].chars().next().map_or(0, char::len_utf8));
                        class.set.insert(first.to_lowercase() + rest);
                    }
                }
            } else if let Some(c) = self.block.captures(line) {
                class.attributes.insert(c[3].into(), (What::Class(c[2].into()), c[1].into()));
            } else if let Some(c) = self.returned.captures(line) {
                class.attributes.insert(c[2].into(), (What::Class(c[1].into()), getter.clone()));
            } else if let Some(c) = self.plain.captures(line) {
                let word = c.get(1).map_or("", |m| m.as_str());
                class.attributes.entry(c[2].into()).or_insert((What::Plain(word.into()), getter.clone()));
            } else if let Some(c) = self.item.captures(line) {
                class.item = Some(c[1].into());
            }
        }
        classes.extend(current);
        classes
    }
}

fn node<'a>(class: &'a Class, classes: &'a HashMap<String, Class>, above: &mut Vec<&'a str>) -> Node {
    let mut members = BTreeMap::new();
    for (name, (what, getter)) in &class.attributes {
        let mut inner = match what {
            What::Plain(word) => Node::leaf(match word.as_str() {
                "String" => 's',
                "Number" => 'n',
                "Boolean" => 'b',
                "List" | "NumberList" | "BooleanList" => 'l',
                _ if word.ends_with("Map") => 'm',
                _ => '?',
            }),
            What::Class(of) => match classes.get(of) {
                // The library's own: maps of plain values, and lists of such.
                None if of.ends_with("Map") => Node::leaf('m'),
                None => Node::leaf('?'),
                Some(list) if list.base == "ComplexList" || list.base == "ComplexMap" => {
                    let inner = list.item.as_ref().map(|item| below(item, classes, above));
                    let inner = inner.unwrap_or(Node { form: '{', cut: true, ..Node::default() });
                    if list.base == "ComplexList" { inner.list() } else { inner.map() }
                }
                Some(_) => below(of, classes, above),
            },
        };
        inner.read_only = !class.set.contains(getter);
        members.insert(name.clone(), inner);
    }
    Node::object(members)
}

fn below<'a>(name: &'a str, classes: &'a HashMap<String, Class>, above: &mut Vec<&'a str>) -> Node {
    let Some(class) = classes.get(name).filter(|_| above.len() + 1 < DEPTH && !above.contains(&name)) else {
        return Node { form: '{', cut: true, ..Node::default() };
    };
    above.push(name);
    let node = node(class, classes, above);
    above.pop();
    node
}
