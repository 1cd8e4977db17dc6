//! YAML into document trees: short-form tags become the long forms, aliases and merge keys are resolved within limits.

use super::{Data, Fault, KEPT_DEPTH, MAX_DEPTH, Member, Node, Parsed, clamp, keep_last};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use std::borrow::Cow;

/// Aliases may add this many nodes to one file; a bomb of nested aliases stops here.
const MAX_ALIAS_NODES: usize = 200_000;

/// Parses every document of a YAML text. Never fails: what was complete before a fault is kept (see [`Parsed`]).
///
/// `!Ref x` becomes `{Ref: x}`, `!Condition x` becomes `{Condition: x}`, any other local tag `!F x` becomes
/// `{Fn::F: x}`. Plain scalars resolve as the clouds do (YAML 1.1 truth words; digits with a leading zero stay text,
/// because account ids look like that).
pub fn parse(text: &str) -> Parsed {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mark = if text.is_ascii() { None } else { Some(char_starts(text)) };
    let mut builder = Builder {
        length: text.len(),
        starts: mark,
        stack: Vec::new(),
        anchors: Vec::new(),
        added: 0,
        out: Parsed::default(),
    };
    for step in Parser::new_from_str(text) {
        match step {
            Ok((event, span)) => {
                if let Err(fault) = builder.event(event, span) {
                    builder.abandon(fault);
                    return builder.out;
                }
            }
            Err(error) => {
                let at = builder.byte(error.marker().index());
                builder.abandon(Fault { at, message: format!("not well-formed YAML: {}", error.info()) });
                return builder.out;
            }
        }
    }
    builder.out
}

/// The byte at which each character starts: the parser counts characters.
fn char_starts(text: &str) -> Vec<u32> {
    text.char_indices().map(|(at, _)| clamp(at)).collect()
}

struct Open {
    start: u32,
    anchor: usize,
    tag: Option<String>,
    holds: Holds,
}

enum Holds {
    Seq(Vec<Node>),
    Map { members: Vec<Member>, key: Option<(Box<str>, u32, u32)>, merges: Vec<Node> },
}

struct Builder {
    length: usize,
    starts: Option<Vec<u32>>,
    stack: Vec<Open>,
    /// Finished anchored nodes with their size, by anchor id.
    anchors: Vec<Option<(Node, Size)>>,
    added: usize,
    out: Parsed,
}

impl Builder {
    fn byte(&self, index: usize) -> u32 {
        match &self.starts {
            None => clamp(index.min(self.length)),
            Some(starts) => starts.get(index).copied().unwrap_or_else(|| clamp(self.length)),
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        let (start, end) = (self.byte(span.start.index()), self.byte(span.end.index()));
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let key = matches!(self.stack.last(), Some(Open { holds: Holds::Map { key: None, .. }, .. }));
                let data = if key { Data::Str(text.into()) } else { scalar(text, style, tag.as_deref()) };
                self.finish(Node { start, end, data }, anchor, short(tag.as_deref()))
            }
            Event::SequenceStart(anchor, tag) => self.open(start, anchor, tag, Holds::Seq(Vec::new())),
            Event::MappingStart(anchor, tag) => {
                self.open(start, anchor, tag, Holds::Map { members: Vec::new(), key: None, merges: Vec::new() })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(end),
            Event::Alias(id) => {
                let Some((node, size)) = self.anchors.get(id).and_then(Option::as_ref) else {
                    return Err(Fault { at: start, message: "alias to an anchor that is not complete yet".into() });
                };
                self.added += size.nodes;
                if self.added > MAX_ALIAS_NODES {
                    return Err(Fault {
                        at: start,
                        message: format!("aliases expand to more than {MAX_ALIAS_NODES} nodes"),
                    });
                }
                if self.stack.len() + size.depth > MAX_DEPTH {
                    return Err(Fault { at: start, message: format!("containers nested deeper than {MAX_DEPTH}") });
                }
                let node = node.clone();
                self.finish(node, 0, None)
            }
            Event::DocumentEnd | Event::DocumentStart(_) | Event::StreamStart | Event::StreamEnd | Event::Nothing => {
                Ok(())
            }
        }
    }

    fn open(&mut self, start: u32, anchor: usize, tag: Option<Cow<'_, Tag>>, holds: Holds) -> Result<(), Fault> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(Fault { at: start, message: format!("containers nested deeper than {MAX_DEPTH}") });
        }
        self.stack.push(Open { start, anchor, tag: short(tag.as_deref()), holds });
        Ok(())
    }

    fn close(&mut self, end: u32) -> Result<(), Fault> {
        let Some(open) = self.stack.pop() else { return Ok(()) };
        let (node, anchor, tag) = self.seal(open, end);
        self.finish(node, anchor, tag)
    }

    fn seal(&mut self, open: Open, end: u32) -> (Node, usize, Option<String>) {
        let data = match open.holds {
            Holds::Seq(items) => Data::Seq(items),
            Holds::Map { mut members, merges, .. } => {
                for (key, at) in keep_last(&mut members) {
                    self.out
                        .faults
                        .push(Fault { at, message: format!("key `{key}` is repeated; the last one counts") });
                }
                for merge in merges {
                    let sources = if let Data::Seq(items) = merge.data { items } else { vec![merge] };
                    for source in sources {
                        if let Data::Map(inherited) = source.data {
                            for member in inherited {
                                if members.iter().all(|m| m.key != member.key) {
                                    members.push(member);
                                }
                            }
                        }
                    }
                }
                Data::Map(members)
            }
        };
        // A block collection ends where its last child does; the event's own mark is the next token.
        let last = match &data {
            Data::Seq(items) => items.last().map(|n| n.end),
            Data::Map(members) => members.iter().map(|m| m.value.end.max(m.end)).max(),
            _ => None,
        };
        let end = last.map_or(end, |last| if last > open.start && last < end { last } else { end });
        (Node { start: open.start, end: end.max(open.start), data }, open.anchor, open.tag)
    }

    fn finish(&mut self, node: Node, anchor: usize, tag: Option<String>) -> Result<(), Fault> {
        let node = match tag {
            None => node,
            Some(function) => {
                let (start, end) = (node.start, node.end);
                let member = Member { key: function.into(), start, end: start, value: node };
                Node { start, end, data: Data::Map(vec![member]) }
            }
        };
        if anchor > 0 {
            if self.anchors.len() <= anchor {
                self.anchors.resize(anchor + 1, None);
            }
            let size = size_of(&node);
            if let Some(slot) = self.anchors.get_mut(anchor) {
                *slot = Some((node.clone(), size));
            }
        }
        match self.stack.last_mut().map(|open| &mut open.holds) {
            None => self.out.documents.push(node),
            Some(Holds::Seq(items)) => items.push(node),
            Some(Holds::Map { members, key, merges }) => match key.take() {
                None => *key = Some((key_text(&node), node.start, node.end)),
                Some((name, _, _)) if &*name == "<<" => merges.push(node),
                Some((name, start, end)) => members.push(Member { key: name, start, end, value: node }),
            },
        }
        Ok(())
    }

    /// Keeps what was complete near the root and drops the rest.
    fn abandon(&mut self, fault: Fault) {
        let at = fault.at;
        self.out.faults.push(fault);
        self.stack.truncate(KEPT_DEPTH);
        while let Some(open) = self.stack.pop() {
            let (node, _, _) = self.seal(open, at);
            match self.stack.last_mut().map(|open| &mut open.holds) {
                None => self.out.documents.push(node),
                Some(Holds::Seq(items)) => items.push(node),
                Some(Holds::Map { members, key, .. }) => {
                    if let Some((key, start, end)) = key.take() {
                        members.push(Member { key, start, end, value: node });
                    }
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    depth: usize,
}

fn size_of(node: &Node) -> Size {
    let mut size = Size { nodes: 1, depth: 1 };
    let mut add = |child: &Node| {
        let inner = size_of(child);
        size.nodes += inner.nodes;
        size.depth = size.depth.max(inner.depth + 1);
    };
    node.items().iter().for_each(&mut add);
    node.members().iter().for_each(|m| add(&m.value));
    size
}

fn key_text(node: &Node) -> Box<str> {
    match &node.data {
        Data::Str(text) => text.clone(),
        Data::Null => "null".into(),
        Data::Bool(b) => b.to_string().into(),
        Data::Int(i) => i.to_string().into(),
        Data::Double(d) => d.to_string().into(),
        // `? [a, b]` or `? {k: v}`, and `!Sub x: y`: no template gives such keys a meaning.
        Data::Seq(_) | Data::Map(_) => "?".into(),
    }
}

/// The long name of a local tag, or none for no tag and the tags of YAML itself.
fn short(tag: Option<&Tag>) -> Option<String> {
    let tag = tag?;
    if tag.handle != "!" || tag.suffix.is_empty() {
        return None;
    }
    Some(match tag.suffix.as_str() {
        "Ref" | "Condition" => tag.suffix.clone(),
        function => format!("Fn::{}", function.strip_prefix("Fn::").unwrap_or(function)),
    })
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>) -> Data {
    if style != ScalarStyle::Plain || tag.is_some_and(|t| t.is_yaml_core_schema() && t.suffix == "str") {
        return Data::Str(text.into());
    }
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Data::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Data::Bool(false),
        _ => number(&text).unwrap_or_else(|| Data::Str(text.into())),
    }
}

fn number(text: &str) -> Option<Data> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let first = digits.bytes().next()?;
    if !first.is_ascii_digit() && first != b'.' {
        return None;
    }
    if digits.len() > 1 && first == b'0' && !digits.starts_with("0.") {
        return None;
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return text.trim_start_matches('+').parse().ok().map(Data::Int);
    }
    let numeric = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if numeric && digits.bytes().any(|b| b.is_ascii_digit()) { text.parse().ok().map(Data::Double) } else { None }
}
