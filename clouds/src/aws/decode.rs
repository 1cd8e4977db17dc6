//! An HTTP answer as a JSON document in the model's member names.
//!
//! Instants become RFC 3339 text, blobs stay (or become) base64 text. A member that is not in the answer is not in the
//! document; a list that is there and empty is `[]`. What the model does not know is left out.

use super::{
    decode_xml,
    model::{Frame, Kind, Member, Operation, Protocol, Service, Shape},
    time::{epoch_to_rfc3339, to_rfc3339},
};
use crate::http::Reply;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Number, Value};

/// Deeper nesting than any model has; hostile answers end here instead of in a stack overflow.
pub(super) const DEEPEST: usize = 100;

/// The document of a successful answer, or what is malformed about it.
pub fn answer(
    service: &Service,
    frame: &Frame,
    name: &str,
    operation: &Operation,
    reply: &Reply,
) -> Result<Value, String> {
    let Some(shape) = operation.output.and_then(|number| frame.shape(number)) else {
        return Ok(Value::Object(Map::new()));
    };
    let mut out = match service.protocol {
        Protocol::Json => json_body(frame, shape, &reply.body)?,
        Protocol::Query => decode_xml::body(frame, shape, operation.wrapper.as_deref(), text_of(reply)?)?,
        Protocol::Ec2 => decode_xml::body(frame, shape, None, text_of(reply)?)?,
        Protocol::RestJson | Protocol::RestXml => rest_body(service, frame, name, shape, reply)?,
    };
    bind_headers(frame, shape, reply, &mut out);
    let mut out = Value::Object(out);
    if service.name == "iam" {
        unescape_policies(&mut out);
    }
    Ok(out)
}

/// IAM percent-encodes its policy documents inside the XML; every official client undoes it.
fn unescape_policies(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(unescape_policies),
        Value::Array(items) => items.iter_mut().for_each(unescape_policies),
        Value::String(text) if text.starts_with("%7B") || text.starts_with("%7b") => {
            if let Some(plain) = percent_decoded(text) {
                *text = plain;
            }
        }
        _ => {}
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

fn text_of(reply: &Reply) -> Result<&str, String> {
    std::str::from_utf8(&reply.body).map_err(|e| format!("the answer is not UTF-8: {e}"))
}

fn rest_body(
    service: &Service,
    frame: &Frame,
    name: &str,
    shape: &Shape,
    reply: &Reply,
) -> Result<Map<String, Value>, String> {
    let xml = service.protocol == Protocol::RestXml;
    if let Some(payload) = shape.payload.as_deref() {
        let member = shape.members.iter().find(|member| member.name == payload);
        let (Some(member), Some(inner)) = (member, member.and_then(|member| frame.shape(member.shape))) else {
            return Err(format!("the model has no payload `{payload}`"));
        };
        let value = match inner.kind {
            Kind::Blob => Value::String(STANDARD.encode(&reply.body)),
            Kind::String => Value::String(text_of(reply)?.to_owned()),
            _ if reply.body.is_empty() => return Ok(Map::new()),
            _ if xml => decode_xml::payload(frame, member, text_of(reply)?)?,
            _ => json_value(frame, member, parse_json(&reply.body)?, 0)?,
        };
        return Ok(Map::from_iter([(member.name.clone(), value)]));
    }
    let in_body = shape.members.iter().any(|member| member.location.is_none());
    if !in_body {
        return Ok(Map::new());
    }
    if reply.body.iter().all(u8::is_ascii_whitespace) {
        // To a list there is always something to say, if only that it is empty.
        let lists = shape.members.iter().filter_map(|member| frame.shape(member.shape)).any(|s| s.kind == Kind::List);
        return if lists && reply.status == 200 { Err("the answer is empty".into()) } else { Ok(Map::new()) };
    }
    if !xml {
        return json_body(frame, shape, &reply.body);
    }
    // S3 answers this one operation with the bare member instead of a structure.
    if service.name == "s3" && name == "GetBucketLocation" {
        let region = decode_xml::root_text(text_of(reply)?)?;
        let region = region.filter(|region| !region.is_empty()).map(Value::String);
        return Ok(region.map(|region| ("LocationConstraint".to_owned(), region)).into_iter().collect());
    }
    decode_xml::body(frame, shape, None, text_of(reply)?)
}

fn bind_headers(frame: &Frame, shape: &Shape, reply: &Reply, out: &mut Map<String, Value>) {
    for member in &shape.members {
        let value = match member.location.as_deref() {
            Some("statusCode") => Some(Value::from(reply.status)),
            Some("header") => {
                let text = reply.header(&member.wire().to_ascii_lowercase());
                let shape = frame.shape(member.shape);
                text.zip(shape).map(|(text, shape)| match shape.kind {
                    Kind::List => text.split(',').map(|item| Value::String(item.trim().to_owned())).collect(),
                    kind if member.json => json_header(text).unwrap_or_else(|| scalar(kind, text)),
                    kind => scalar(kind, text),
                })
            }
            Some("headers") => {
                let prefix = member.wire().to_ascii_lowercase();
                let found = reply.headers.iter().filter_map(|(name, value)| {
                    let name = name.strip_prefix(&prefix)?;
                    Some((name.to_owned(), Value::String(value.clone())))
                });
                Some(Value::Object(found.collect()))
            }
            _ => None,
        };
        if let Some(value) = value {
            out.insert(member.name.clone(), value);
        }
    }
}

fn json_header(text: &str) -> Option<Value> {
    serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()
}

fn parse_json(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|e| format!("the answer is not JSON: {e}"))
}

fn json_body(frame: &Frame, shape: &Shape, bytes: &[u8]) -> Result<Map<String, Value>, String> {
    if bytes.is_empty() {
        return if shape.members.is_empty() { Ok(Map::new()) } else { Err("the answer is empty".into()) };
    }
    match parse_json(bytes)? {
        Value::Object(body) => json_structure(frame, shape, body, 0),
        _ => Err("the answer is JSON but not an object".into()),
    }
}

fn json_structure(
    frame: &Frame,
    shape: &Shape,
    mut body: Map<String, Value>,
    depth: usize,
) -> Result<Map<String, Value>, String> {
    let mut out = Map::new();
    for member in shape.members.iter().filter(|member| member.location.is_none()) {
        if let Some(value) = body.remove(member.wire()).filter(|value| !value.is_null()) {
            out.insert(member.name.clone(), json_value(frame, member, value, depth + 1)?);
        }
    }
    Ok(out)
}

fn json_value(frame: &Frame, member: &Member, value: Value, depth: usize) -> Result<Value, String> {
    let shape = frame.shape(member.shape).ok_or("the model is incomplete")?;
    if depth > DEEPEST {
        return Err("the answer is nested too deeply".into());
    }
    Ok(match (shape.kind, value) {
        (Kind::Structure, Value::Object(body)) => Value::Object(json_structure(frame, shape, body, depth)?),
        (Kind::List, Value::Array(items)) => {
            let element = shape.element.as_deref().ok_or("the model is incomplete")?;
            let items = items.into_iter().map(|item| json_value(frame, element, item, depth + 1));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        (Kind::Map, Value::Object(entries)) => {
            let element = shape.element.as_deref().ok_or("the model is incomplete")?;
            let entries =
                entries.into_iter().map(|(key, value)| Ok((key, json_value(frame, element, value, depth + 1)?)));
            Value::Object(entries.collect::<Result<_, String>>()?)
        }
        (Kind::Structure | Kind::List | Kind::Map, Value::Null) => Value::Null,
        (kind @ (Kind::Structure | Kind::List | Kind::Map), other) => {
            return Err(format!("`{}` should be a {kind:?}, found `{}`", member.name, brief(&other)).to_lowercase());
        }
        (Kind::Timestamp, Value::Number(seconds)) => {
            seconds.as_f64().and_then(epoch_to_rfc3339).map_or(Value::Number(seconds), Value::String)
        }
        (kind, Value::String(text)) if kind != Kind::Document => scalar(kind, &text),
        (_, value) => value,
    })
}

fn brief(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}

/// A text typed by the model; kept as text where it does not parse.
pub(super) fn scalar(kind: Kind, text: &str) -> Value {
    let typed = match kind {
        Kind::Boolean => match text.trim() {
            "true" | "True" | "1" => Some(Value::Bool(true)),
            "false" | "False" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        Kind::Integer => text.trim().parse::<i64>().ok().map(Value::from),
        Kind::Float => text.trim().parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number),
        Kind::Timestamp => to_rfc3339(text).map(Value::String),
        _ => None,
    };
    typed.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
