//! XML answers, read by the shapes of the model.

use super::{
    decode::{DEEPEST, scalar},
    model::{Frame, Kind, Member, Shape},
};
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value};

/// A structure at the root, or inside the root's wrapper.
pub(super) fn body(
    frame: &Frame,
    shape: &Shape,
    wrapper: Option<&str>,
    text: &str,
) -> Result<Map<String, Value>, String> {
    let document = parse(text)?;
    let root = document.root_element();
    foreign(root)?;
    let node = match wrapper {
        // An operation may answer with its wrapper as the root, or, having nothing to say, without it.
        Some(wrapper) if root.tag_name().name() != wrapper => child(root, wrapper),
        _ => Some(root),
    };
    node.map_or_else(|| Ok(Map::new()), |node| structure(frame, shape, node, 0))
}

/// The root element as the value of a member.
pub(super) fn payload(frame: &Frame, member: &Member, text: &str) -> Result<Value, String> {
    let document = parse(text)?;
    foreign(document.root_element())?;
    value(frame, member, document.root_element(), 0)
}

/// What is well-formed and still no answer: the page of a proxy that wants people to sign in, or an error under a status
/// of success. Read as an answer it would be an empty one.
fn foreign(root: Node<'_, '_>) -> Result<(), String> {
    let name = root.tag_name().name();
    let error = matches!(name, "Error" | "ErrorResponse") || (name == "Response" && child(root, "Errors").is_some());
    if error || name.eq_ignore_ascii_case("html") {
        return Err(format!("the answer is a document of `{name}`"));
    }
    Ok(())
}

/// The text of the root element.
pub(super) fn root_text(text: &str) -> Result<Option<String>, String> {
    Ok(parse(text)?.root_element().text().map(|text| text.trim().to_owned()))
}

/// Parses without DTDs, so that no entity can grow.
pub(super) fn parse(text: &str) -> Result<Document<'_>, String> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: 10_000_000, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|e| format!("the answer is not XML: {e}"))
}

fn child<'a, 'd>(node: Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    elements(node).find(|child| child.tag_name().name() == name)
}

fn elements<'a, 'd>(node: Node<'a, 'd>) -> impl Iterator<Item = Node<'a, 'd>> {
    node.children().filter(Node::is_element)
}

fn structure(frame: &Frame, shape: &Shape, node: Node<'_, '_>, depth: usize) -> Result<Map<String, Value>, String> {
    let mut out = Map::new();
    for member in shape.members.iter().filter(|member| member.location.is_none()) {
        let inner = frame.shape(member.shape).ok_or("the model is incomplete")?;
        if member.attribute {
            // The model writes `xsi:type`, the document may use any prefix for the namespace.
            let local = member.wire().rsplit(':').next().unwrap_or_default();
            if let Some(attribute) = node.attributes().find(|attribute| attribute.name() == local) {
                out.insert(member.name.clone(), scalar(inner.kind, attribute.value()));
            }
            continue;
        }
        let flat = member.flattened;
        let element_name = inner.element.as_deref().and_then(|element| element.wire_name.as_deref());
        let name = match (flat, inner.kind) {
            (true, Kind::List) => element_name.unwrap_or(member.wire()),
            _ => member.wire(),
        };
        let mut found = elements(node).filter(|child| child.tag_name().name() == name).peekable();
        if found.peek().is_none() {
            continue;
        }
        let read = match (flat, inner.kind) {
            (true, Kind::List) => {
                let element = inner.element.as_deref().ok_or("the model is incomplete")?;
                Value::Array(found.map(|item| value(frame, element, item, depth + 1)).collect::<Result<_, _>>()?)
            }
            (true, Kind::Map) => {
                Value::Object(found.map(|item| entry(frame, inner, item, depth + 1)).collect::<Result<_, _>>()?)
            }
            _ => match found.next() {
                Some(first) => value(frame, member, first, depth + 1)?,
                None => continue,
            },
        };
        out.insert(member.name.clone(), read);
    }
    Ok(out)
}

fn value(frame: &Frame, member: &Member, node: Node<'_, '_>, depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err("the answer is nested too deeply".into());
    }
    let shape = frame.shape(member.shape).ok_or("the model is incomplete")?;
    Ok(match shape.kind {
        Kind::Structure => Value::Object(structure(frame, shape, node, depth)?),
        Kind::List => {
            let element = shape.element.as_deref().ok_or("the model is incomplete")?;
            let items = elements(node).map(|item| value(frame, element, item, depth + 1));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Kind::Map => {
            let entries = elements(node).map(|item| entry(frame, shape, item, depth + 1));
            Value::Object(entries.collect::<Result<_, _>>()?)
        }
        kind => {
            // Comments split a text into several nodes.
            let text: String = node.children().filter(Node::is_text).filter_map(|part| part.text()).collect();
            scalar(kind, &text)
        }
    })
}

fn entry(frame: &Frame, map: &Shape, node: Node<'_, '_>, depth: usize) -> Result<(String, Value), String> {
    let (key, element) = map.key.as_deref().zip(map.element.as_deref()).ok_or("the model is incomplete")?;
    let key = child(node, key.wire_name.as_deref().unwrap_or("key")).ok_or("a map entry has no key")?;
    let name = key.text().unwrap_or_default().to_owned();
    match child(node, element.wire_name.as_deref().unwrap_or("value")) {
        Some(found) => Ok((name, value(frame, element, found, depth)?)),
        None => Ok((name, Value::Null)),
    }
}
