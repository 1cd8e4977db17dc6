//! Resources that carry a field of another one: who refers to whom.

use crate::resource::{Code, Key, Reading};
use crate::value::{Data, Part, Step, Val};
use plumb_catalog::Kind;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Which resources of a type refer to which through an attribute, for every pair of the two that kinds name.
pub(crate) struct Carriers<'a> {
    by_address: HashMap<Pair<'a>, Index<'a>>,
    by_text: HashMap<Pair<'a>, Index<'a>>,
}

/// A carrier's type and its attribute that refers.
pub(super) type Pair<'a> = (&'a str, &'a str);
/// By root and what is referred to: positions of carriers.
type Index<'a> = HashMap<&'a str, HashMap<Arc<str>, Vec<usize>>>;

impl<'a> Carriers<'a> {
    /// No carriers at all.
    pub(crate) fn none() -> Self {
        Self { by_address: HashMap::new(), by_text: HashMap::new() }
    }

    /// The index for these pairs.
    pub(crate) fn new(reading: &'a Reading, pairs: &HashSet<Pair<'a>>) -> Self {
        let mut wanted: HashMap<&str, Vec<&'a str>> = HashMap::new();
        for (type_, by) in pairs {
            wanted.entry(type_).or_default().push(by);
        }
        let mut this = Self::none();
        let types: HashMap<&str, &'a str> = pairs.iter().map(|(t, _)| (*t, *t)).collect();
        for (at, code) in reading.resources.iter().enumerate().filter(|(_, c)| !c.existing) {
            let Some(type_) = types.get(&*code.type_) else { continue };
            for by in wanted.get(type_).into_iter().flatten() {
                let Some(val) = code.attrs.at(by) else { continue };
                let (mut addresses, mut texts) = (Vec::new(), Vec::new());
                keys(val, &mut addresses, &mut texts);
                let edges = !addresses.is_empty();
                for address in addresses {
                    put(&mut this.by_address, (type_, by), &code.root, address, at);
                }
                // A reference says whom it means; only a bare text is compared with names.
                for text in texts.into_iter().filter(|_| !edges) {
                    put(&mut this.by_text, (type_, by), &code.root, text, at);
                }
            }
        }
        this
    }

    /// The carriers of `type_` that refer to `target` through `by`, in the order of the reading.
    pub(crate) fn of(&self, target: &Code, type_: &str, by: &str) -> Vec<usize> {
        let mut found = Vec::new();
        let mut take = |index: Option<&Index<'a>>, key: &str| {
            let hits = index.and_then(|i| i.get(&*target.root)?.get(key));
            found.extend(hits.into_iter().flatten().copied());
        };
        if let Some(index) = self.by_address.get(&(type_, by)) {
            take(Some(index), &target.address);
            // Instances of an unknown number refer to `x` or `x[*]`, which stands for each of them.
            if let Some(base) = base(target) {
                take(Some(index), base);
                if target.key != Key::Any {
                    take(Some(index), &format!("{base}[*]"));
                }
            }
        }
        if let Some(index) = self.by_text.get(&(type_, by)) {
            for text in names(target, by) {
                take(Some(index), text);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn put<'a>(map: &mut HashMap<Pair<'a>, Index<'a>>, pair: Pair<'a>, root: &'a str, key: Arc<str>, at: usize) {
    map.entry(pair).or_default().entry(root).or_default().entry(key).or_default().push(at);
}

/// The address without the instance.
fn base(code: &Code) -> Option<&str> {
    if code.key == Key::None {
        return None;
    }
    let key = code.key.to_string();
    if key.is_empty() { None } else { code.address.strip_suffix(key.as_str()) }
}

fn keys(val: &Val, addresses: &mut Vec<Arc<str>>, texts: &mut Vec<Arc<str>>) {
    for step in val.steps() {
        if let Step::Resource(r) = &step.step {
            addresses.push(r.address.clone());
        }
    }
    match &val.data {
        Data::Ref(r) => addresses.push(r.address.clone()),
        Data::List(items) | Data::Set(items) => items.iter().for_each(|i| keys(i, addresses, texts)),
        Data::Partial(parts) => {
            for part in parts.iter() {
                if let Part::Hole(hole) = part {
                    keys(hole, addresses, texts);
                }
            }
        }
        _ => {
            if let Some(text) = val.as_str().filter(|t| !t.is_empty()) {
                texts.push(text.into());
            }
        }
    }
}

/// Attributes that name a resource, most telling first.
const NAMES: [&str; 12] = [
    "bucket",
    "name",
    "function_name",
    "identifier",
    "cluster_identifier",
    "domain_name",
    "repository",
    "id",
    "arn",
    "Name",
    "Id",
    "key_id",
];

/// What CloudFormation calls the name of a resource of this type.
fn own_names(code: &Code) -> Vec<String> {
    let last = code.type_.rsplit_once("::").map(|(_, last)| last);
    last.map_or_else(Vec::new, |last| vec![format!("{last}Name"), format!("{last}Identifier")])
}

/// The known texts by which others may refer to a resource.
pub(crate) fn names<'a>(code: &'a Code, by: &str) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    let own = own_names(code);
    for attribute in std::iter::once(by).chain(own.iter().map(String::as_str)).chain(NAMES) {
        if let Some(text) = code.attrs.get(attribute).and_then(Val::as_str).filter(|t| !t.is_empty()) {
            found.push(text);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The everyday name, as an account calls it: the first naming attribute that is known, else the address. The kind's own
/// come first: a database has a `name` too, which is not what the instance is called.
pub(crate) fn name_of(kind: &Kind, code: &Code) -> Arc<str> {
    let own = own_names(code);
    let all = kind.code_names.iter().chain(&own).map(String::as_str).chain(NAMES);
    let known = all.into_iter().find_map(|n| code.attrs.at(n).and_then(Val::as_str).filter(|text| !text.is_empty()));
    known.map_or_else(|| code.address.clone(), Arc::from)
}
