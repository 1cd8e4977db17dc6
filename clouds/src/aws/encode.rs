//! A JSON input document as an HTTP request, for the five protocols.

use super::{
    model::{Frame, Kind, Member, Operation, Protocol, Service, Shape},
    time::instant,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// A request before endpoint and signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST` …
    pub method: String,
    /// Percent-encoded, beginning with `/`.
    pub path: String,
    /// Percent-encoded, without `?`.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// May be empty.
    pub body: Vec<u8>,
    /// Labels to put before the host, unless the endpoint is overridden.
    pub host_prefix: String,
}

/// The input does not fit the operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {problem}")]
pub struct EncodeError {
    call: String,
    problem: String,
}

type Encoded<T = ()> = Result<T, String>;

/// The request for an operation with an input (null or an object, in the model's member names; blobs in base64,
/// instants as RFC 3339 or epoch seconds).
pub fn request(
    service: &Service,
    frame: &Frame,
    name: &str,
    operation: &Operation,
    input: &Value,
) -> Result<Request, EncodeError> {
    let encoder = Encoder { service, frame };
    encoder
        .request(name, operation, input)
        .map_err(|problem| EncodeError { call: format!("{}:{name}", service.name), problem })
}

struct Encoder<'a> {
    service: &'a Service,
    frame: &'a Frame,
}

impl Encoder<'_> {
    fn request(&self, name: &str, operation: &Operation, input: &Value) -> Encoded<Request> {
        let none = Map::new();
        let input = match input {
            Value::Null => &none,
            Value::Object(members) => members,
            other => return Err(format!("the input is {}, not an object", kind_name(other))),
        };
        let shape = operation.input.and_then(|number| self.frame.shape(number));
        if let Some(missing) = shape.and_then(|s| s.required.iter().find(|name| !input.contains_key(*name))) {
            return Err(format!("the input `{missing}` is required"));
        }
        let members = members(shape, input)?;
        let mut request = Request { method: operation.method.clone(), path: "/".into(), ..Request::default() };
        if let Some(template) = &operation.host {
            request.host_prefix = fill(template, &members, |text| text.to_owned())?;
        }
        match self.service.protocol {
            Protocol::Query | Protocol::Ec2 => self.query_request(name, &members, &mut request)?,
            Protocol::Json => {
                let version = if self.service.json.is_empty() { "1.0" } else { &self.service.json };
                request.header("content-type", format!("application/x-amz-json-{version}"));
                request.header("x-amz-target", format!("{}.{name}", self.service.target));
                if self.service.query_errors {
                    request.header("x-amzn-query-mode", "true".into());
                }
                request.body = self.json_members(&members)?.to_string().into_bytes();
            }
            Protocol::RestJson | Protocol::RestXml => self.rest_request(operation, shape, &members, &mut request)?,
        }
        if operation.checksum {
            request.header("x-amz-checksum-sha256", STANDARD.encode(Sha256::digest(&request.body)));
        }
        Ok(request)
    }

    fn query_request(&self, name: &str, members: &[(&Member, &Value)], request: &mut Request) -> Encoded {
        let mut form = Vec::new();
        form.push(("Action".to_owned(), name.to_owned()));
        form.push(("Version".to_owned(), self.service.version.clone()));
        self.form_members(members, "", &mut form)?;
        let body: Vec<String> = form.iter().map(|(key, value)| format!("{}={}", escape(key), escape(value))).collect();
        request.body = body.join("&").into_bytes();
        request.header("content-type", "application/x-www-form-urlencoded; charset=utf-8".into());
        Ok(())
    }

    fn form_members(&self, members: &[(&Member, &Value)], prefix: &str, form: &mut Vec<(String, String)>) -> Encoded {
        for (member, value) in members {
            let name = match (&member.query_name, self.service.protocol) {
                (Some(name), Protocol::Ec2) => name.clone(),
                (None, Protocol::Ec2) => capitalised(member.wire()),
                _ => member.wire().to_owned(),
            };
            let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            self.form_value(member, value, &name, form)?;
        }
        Ok(())
    }

    fn form_value(&self, member: &Member, value: &Value, name: &str, form: &mut Vec<(String, String)>) -> Encoded {
        let shape = self.shape(member)?;
        match (shape.kind, value) {
            (Kind::Structure, Value::Object(input)) => {
                self.form_members(&self::members(Some(shape), input)?, name, form)
            }
            (Kind::List, Value::Array(items)) => {
                let element = shape.element.as_deref().ok_or("a list without an element")?;
                let flat = member.flattened || self.service.protocol == Protocol::Ec2;
                let base = match (flat, &element.wire_name) {
                    (true, Some(own)) if self.service.protocol == Protocol::Query => {
                        name.rsplit_once('.').map_or(own.clone(), |(head, _)| format!("{head}.{own}"))
                    }
                    (true, _) => name.to_owned(),
                    (false, own) => format!("{name}.{}", own.as_deref().unwrap_or("member")),
                };
                if items.is_empty() && self.service.protocol == Protocol::Query {
                    form.push((name.to_owned(), String::new()));
                }
                items
                    .iter()
                    .enumerate()
                    .try_for_each(|(at, item)| self.form_value(element, item, &format!("{base}.{}", at + 1), form))
            }
            (Kind::Map, Value::Object(entries)) => {
                let (key, element) = shape.key.as_deref().zip(shape.element.as_deref()).ok_or("a map without types")?;
                let base = if member.flattened { name.to_owned() } else { format!("{name}.entry") };
                let key_name = key.wire_name.as_deref().unwrap_or("key");
                let value_name = element.wire_name.as_deref().unwrap_or("value");
                entries.iter().enumerate().try_for_each(|(at, (entry, value))| {
                    form.push((format!("{base}.{}.{key_name}", at + 1), entry.clone()));
                    self.form_value(element, value, &format!("{base}.{}.{value_name}", at + 1), form)
                })
            }
            (Kind::Timestamp, value) => {
                form.push((name.to_owned(), time_text(value, member.timestamp.as_deref().unwrap_or("iso8601"))?));
                Ok(())
            }
            (_, value) => {
                form.push((name.to_owned(), text(value)?));
                Ok(())
            }
        }
    }

    fn rest_request(
        &self,
        operation: &Operation,
        shape: Option<&Shape>,
        members: &[(&Member, &Value)],
        request: &mut Request,
    ) -> Encoded {
        let (path, fixed) = operation.uri.split_once('?').unwrap_or((&operation.uri, ""));
        let mut query: Vec<String> = fixed.split('&').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let mut body = Vec::new();
        let mut labels = Vec::new();
        let payload = shape.and_then(|shape| shape.payload.as_deref());
        for (member, value) in members {
            let kind = self.shape(member)?.kind;
            let scalar = |value: &Value, format: &str| match kind {
                Kind::Timestamp => time_text(value, member.timestamp.as_deref().unwrap_or(format)),
                _ => text(value),
            };
            match member.location.as_deref() {
                Some("uri") => labels.push((*member, *value)),
                Some("querystring") => match value {
                    Value::Array(items) => {
                        for item in items {
                            query.push(format!("{}={}", escape(member.wire()), escape(&text(item)?)));
                        }
                    }
                    Value::Object(entries) => {
                        for (key, value) in entries {
                            for value in value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice) {
                                query.push(format!("{}={}", escape(key), escape(&text(value)?)));
                            }
                        }
                    }
                    value => query.push(format!("{}={}", escape(member.wire()), escape(&scalar(value, "iso8601")?))),
                },
                Some("header") => {
                    let value = match value {
                        Value::Array(items) => items.iter().map(text).collect::<Encoded<Vec<_>>>()?.join(","),
                        value if member.json => STANDARD.encode(value.to_string()),
                        value => scalar(value, "rfc822")?,
                    };
                    request.header(&member.wire().to_ascii_lowercase(), value);
                }
                Some("headers") => {
                    for (key, value) in value.as_object().into_iter().flatten() {
                        request.header(&format!("{}{key}", member.wire()).to_ascii_lowercase(), text(value)?);
                    }
                }
                Some(other) => return Err(format!("`{}` is bound to `{other}`, which no input is", member.name)),
                None => body.push((*member, *value)),
            }
        }
        // Route 53 answers with ids like `/hostedzone/Z1` and takes them back without the path.
        let route53 = self.service.name == "route53";
        let label = |text: &str| escape(if route53 { text.rsplit('/').next().unwrap_or(text) } else { text });
        request.path = fill(path, &labels, label)?;
        request.query = query.join("&");
        let json = self.service.protocol == Protocol::RestJson;
        if let Some(payload) = payload {
            let Some((member, value)) = body.into_iter().find(|(member, _)| member.name == payload) else {
                return Ok(());
            };
            match (self.shape(member)?.kind, value) {
                (Kind::Blob, Value::String(encoded)) => {
                    let bytes = STANDARD.decode(encoded).map_err(|e| format!("`{payload}` is not base64: {e}"))?;
                    request.body = bytes;
                    request.header("content-type", "application/octet-stream".into());
                }
                (Kind::String, value) => request.body = text(value)?.into_bytes(),
                (_, value) if json => {
                    request.body = self.json_value(member, value)?.to_string().into_bytes();
                    request.header("content-type", "application/json".into());
                }
                (_, value) => {
                    let mut xml = String::new();
                    self.xml_value(member, value, &mut xml)?;
                    request.body = xml.into_bytes();
                    request.header("content-type", "application/xml".into());
                }
            }
        } else if !body.is_empty() {
            if json {
                request.body = self.json_members(&body)?.to_string().into_bytes();
                request.header("content-type", "application/json".into());
            } else {
                let root = operation.root.as_deref().ok_or("the input has no root element")?;
                let mut xml = open(root, operation.namespace.as_deref());
                for (member, value) in body {
                    self.xml_value(member, value, &mut xml)?;
                }
                let _ = write!(xml, "</{root}>");
                request.body = xml.into_bytes();
                request.header("content-type", "application/xml".into());
            }
        }
        Ok(())
    }

    fn json_members(&self, members: &[(&Member, &Value)]) -> Encoded<Value> {
        let mut out = Map::new();
        for (member, value) in members {
            out.insert(member.wire().to_owned(), self.json_value(member, value)?);
        }
        Ok(Value::Object(out))
    }

    fn json_value(&self, member: &Member, value: &Value) -> Encoded<Value> {
        let shape = self.shape(member)?;
        Ok(match (shape.kind, value) {
            (Kind::Structure, Value::Object(input)) => self.json_members(&members(Some(shape), input)?)?,
            (Kind::List, Value::Array(items)) => {
                let element = shape.element.as_deref().ok_or("a list without an element")?;
                Value::Array(items.iter().map(|item| self.json_value(element, item)).collect::<Encoded<_>>()?)
            }
            (Kind::Map, Value::Object(entries)) => {
                let element = shape.element.as_deref().ok_or("a map without a value")?;
                let pairs = entries.iter().map(|(key, value)| Ok((key.clone(), self.json_value(element, value)?)));
                Value::Object(pairs.collect::<Encoded<_>>()?)
            }
            (Kind::Timestamp, value) => match member.timestamp.as_deref() {
                Some(format @ ("iso8601" | "rfc822")) => Value::String(time_text(value, format)?),
                _ => {
                    let at = instant(value).ok_or_else(|| format!("`{value}` is not an instant"))?;
                    let millis = at.as_millisecond();
                    if millis % 1000 == 0 { json!(millis / 1000) } else { json!(at.as_duration().as_secs_f64()) }
                }
            },
            (_, value) => value.clone(),
        })
    }

    fn xml_value(&self, member: &Member, value: &Value, xml: &mut String) -> Encoded {
        let shape = self.shape(member)?;
        let name = member.wire();
        match (shape.kind, value) {
            (Kind::Structure, Value::Object(input)) => {
                let inner = members(Some(shape), input)?;
                xml.push_str(open(name, member.namespace.as_deref()).trim_end_matches('>'));
                for (attribute, value) in inner.iter().filter(|(member, _)| member.attribute) {
                    if attribute.wire().starts_with("xsi:") {
                        xml.push_str(" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"");
                    }
                    let _ = write!(xml, " {}=\"{}\"", attribute.wire(), escape_xml(&text(value)?));
                }
                xml.push('>');
                for (member, value) in inner.iter().filter(|(member, _)| !member.attribute) {
                    self.xml_value(member, value, xml)?;
                }
                let _ = write!(xml, "</{name}>");
            }
            (Kind::List, Value::Array(items)) => {
                let element = shape.element.as_deref().ok_or("a list without an element")?;
                let own = element.wire_name.as_deref();
                let item_name = if member.flattened { own.unwrap_or(name) } else { own.unwrap_or("member") };
                if !member.flattened {
                    xml.push_str(&open(name, member.namespace.as_deref()));
                }
                let named = Member {
                    name: item_name.to_owned(),
                    shape: element.shape,
                    wire_name: None,
                    location: None,
                    query_name: None,
                    flattened: false,
                    attribute: false,
                    timestamp: element.timestamp.clone(),
                    json: false,
                    namespace: None,
                };
                for item in items {
                    self.xml_value(&named, item, xml)?;
                }
                if !member.flattened {
                    let _ = write!(xml, "</{name}>");
                }
            }
            (Kind::Map | Kind::Document, _) => return Err(format!("`{name}` cannot be written as XML")),
            (kind, value) => {
                let value = match kind {
                    Kind::Timestamp => time_text(value, member.timestamp.as_deref().unwrap_or("iso8601"))?,
                    _ => text(value)?,
                };
                let _ = write!(xml, "{}{}</{name}>", open(name, member.namespace.as_deref()), escape_xml(&value));
            }
        }
        Ok(())
    }

    fn shape(&self, member: &Member) -> Encoded<&Shape> {
        self.frame.shape(member.shape).ok_or_else(|| format!("`{}` has no shape", member.name))
    }
}

impl Request {
    /// Adds a header.
    fn header(&mut self, name: &str, value: String) {
        self.headers.push((name.to_owned(), value));
    }
}

/// The given members with their models, in the order of the model; nulls are as if they were not there.
fn members<'m, 'v>(shape: Option<&'m Shape>, input: &'v Map<String, Value>) -> Encoded<Vec<(&'m Member, &'v Value)>> {
    let known: &[Member] = shape.map_or(&[], |shape| &shape.members);
    if let Some(unknown) = input.keys().find(|key| !known.iter().any(|member| member.name == **key)) {
        let names: Vec<&str> = known.iter().map(|member| member.name.as_str()).collect();
        let known =
            if names.is_empty() { "it takes no input".into() } else { format!("it takes {}", names.join(", ")) };
        return Err(format!("there is no input `{unknown}`; {known}"));
    }
    let given =
        |member: &'m Member| input.get(&member.name).filter(|value| !value.is_null()).map(|value| (member, value));
    Ok(known.iter().filter_map(given).collect())
}

/// Puts values into the labels of a path or host: `{Bucket}`, `{Key+}`.
fn fill(template: &str, values: &[(&Member, &Value)], escape: impl Fn(&str) -> String) -> Encoded<String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (label, tail) = after.split_once('}').ok_or("a label is not closed")?;
        let name = label.trim_end_matches('+');
        let (_, value) = values
            .iter()
            .find(|(member, _)| member.wire() == name || member.name == name)
            .ok_or_else(|| format!("the input `{name}` is part of the path and required"))?;
        let value = text(value)?;
        if value.is_empty() {
            return Err(format!("the input `{name}` is part of the path and must not be empty"));
        }
        out.push_str(before);
        if label.ends_with('+') {
            out.push_str(&value.split('/').map(&escape).collect::<Vec<_>>().join("/"));
        } else {
            out.push_str(&escape(&value));
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

fn text(value: &Value) -> Encoded<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(format!("expected a text, number or truth value, found {}", kind_name(other))),
    }
}

fn time_text(value: &Value, format: &str) -> Encoded<String> {
    let at = instant(value).ok_or_else(|| format!("`{value}` is not an instant like 2026-11-21T10:00:00Z"))?;
    Ok(match format {
        "rfc822" => jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&at)
            .map_err(|e| format!("`{value}` cannot be written as an HTTP date: {e}"))?,
        "unixTimestamp" => at.as_second().to_string(),
        _ => at.to_string(),
    })
}

fn kind_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn capitalised(name: &str) -> String {
    let mut rest = name.chars();
    rest.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + rest.as_str())
}

/// Percent-encodes all but RFC 3986's unreserved characters, as signatures require.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn escape_xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn open(name: &str, namespace: Option<&str>) -> String {
    match namespace {
        Some(uri) => format!("<{name} xmlns=\"{}\">", escape_xml(uri)),
        None => format!("<{name}>"),
    }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
