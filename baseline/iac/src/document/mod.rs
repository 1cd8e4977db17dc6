//! What YAML and JSON both parse to: a document tree in which every node and key knows its bytes.

pub mod json;
pub mod yaml;

/// A node of a document: its bytes in the file and what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// First byte of the node in its file.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
    /// What stands there.
    pub data: Data,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// `null`, `~`, or nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number that fits 64 bits.
    Int(i64),
    /// Any other number.
    Double(f64),
    /// Text.
    Str(Box<str>),
    /// An ordered list.
    Seq(Vec<Node>),
    /// Members in the order of the file; a repeated key keeps its last value.
    Map(Vec<Member>),
}

/// A member of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The key as text.
    pub key: Box<str>,
    /// First byte of the key.
    pub start: u32,
    /// The byte after the key.
    pub end: u32,
    /// What stands under it.
    pub value: Node,
}

/// Why a text is not a well-formed document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The byte where the parser gave up.
    pub at: u32,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// A parsed text: the documents read, whole or up to the fault, and the faults.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parsed {
    /// The documents in order. After a fault the last one holds only what was complete before it.
    pub documents: Vec<Node>,
    /// What was wrong; empty for a well-formed text.
    pub faults: Vec<Fault>,
}

/// Containers nested deeper than this are refused by both parsers: no real template comes near it.
pub const MAX_DEPTH: usize = 128;

/// How deep entries of a broken document are kept when they were complete: the root's members, and theirs. A
/// resource cut in half by a fault would look like one that lacks settings, so it is dropped instead.
pub(crate) const KEPT_DEPTH: usize = 2;

impl Node {
    /// A node over these bytes.
    pub fn new(start: usize, end: usize, data: Data) -> Self {
        Self { start: clamp(start), end: clamp(end), data }
    }

    /// The member under `key`, or none; none also for anything that is not a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.member(key).map(|m| &m.value)
    }

    /// The member under `key` with the place of its key.
    pub fn member(&self, key: &str) -> Option<&Member> {
        self.members().iter().find(|m| &*m.key == key)
    }

    /// The member whose key equals `key` without regard to case, as Azure reads its templates.
    pub fn get_nocase(&self, key: &str) -> Option<&Node> {
        self.members().iter().find(|m| m.key.eq_ignore_ascii_case(key)).map(|m| &m.value)
    }

    /// The members, or none of them for anything that is not a map.
    pub fn members(&self) -> &[Member] {
        if let Data::Map(members) = &self.data { members } else { &[] }
    }

    /// The items, or none of them for anything that is not a list.
    pub fn items(&self) -> &[Node] {
        if let Data::Seq(items) = &self.data { items } else { &[] }
    }

    /// The text, if this is text.
    pub fn as_str(&self) -> Option<&str> {
        if let Data::Str(text) = &self.data { Some(text) } else { None }
    }

    /// Whether this is a map.
    pub fn is_map(&self) -> bool {
        matches!(self.data, Data::Map(_))
    }

    /// The only member of a map with exactly one: how intrinsic functions are written.
    pub fn sole(&self) -> Option<&Member> {
        if let [only] = self.members() { Some(only) } else { None }
    }
}

/// A byte offset as the trees keep it; files beyond 4 GiB are refused before they get here.
pub(crate) fn clamp(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Drops all but the last member of each key and tells which keys were repeated.
pub(crate) fn keep_last(members: &mut Vec<Member>) -> Vec<(Box<str>, u32)> {
    let mut repeated = Vec::new();
    let distinct = if members.len() < 8 {
        members.iter().enumerate().all(|(i, m)| members.iter().skip(i + 1).all(|n| n.key != m.key))
    } else {
        let mut seen = std::collections::HashSet::with_capacity(members.len());
        members.iter().all(|m| seen.insert(&m.key))
    };
    if distinct {
        return repeated;
    }
    let mut seen = std::collections::HashSet::with_capacity(members.len());
    let mut kept: Vec<Member> = Vec::with_capacity(members.len());
    for member in members.drain(..).rev() {
        if seen.insert(member.key.clone()) {
            kept.push(member);
        } else {
            repeated.push((member.key, member.start));
        }
    }
    kept.reverse();
    *members = kept;
    repeated.reverse();
    repeated
}
