//! Recorded answers as a twin of the wire.
//!
//! A recording is zstd-compressed JSON lines, one per call:
//! `{"account","region","service","operation","params","pages":[…],"end":{"outcome":"denied",…}}`.
//! `end` is absent when the last page was the last. Parameters are compared as JSON values, whatever their order.
//!
//! A call nobody recorded is [`Answer::Broken`] `not recorded`: never an empty list.

use crate::{Answer, Call, PageSource, Pages, Target, Wire, budget::lock, wire::Boxed};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

/// One recorded call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The account asked.
    pub account: String,
    /// The region asked.
    pub region: String,
    /// The service asked.
    pub service: String,
    /// The operation asked.
    pub operation: String,
    /// The input, without page tokens and page size.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub params: Value,
    /// The pages, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<Value>,
    /// What stopped the pages, if not the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Answer>,
}

/// A recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are not zstd.
    #[error("the recording cannot be unpacked")]
    Packed(#[source] std::io::Error),
    /// A line is not an entry.
    #[error("line {line} of the recording is not a recorded call")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What JSON says.
        #[source]
        source: serde_json::Error,
    },
}

type Key = [String; 5];

/// The same key for the same question: an absent input is an empty one, and object members are sorted.
fn key(account: &str, region: &str, service: &str, operation: &str, params: &Value) -> Key {
    let mut canonical = String::new();
    match params {
        Value::Null => canonical.push_str("{}"),
        params => write_canonical(params, &mut canonical),
    }
    [account.into(), region.into(), service.into(), operation.into(), canonical]
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            out.push('{');
            for (at, (name, value)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(name.clone()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// Answers from a recording.
#[derive(Debug, Default)]
pub struct Replay {
    entries: BTreeMap<Key, Arc<Entry>>,
}

impl Replay {
    /// From entries; of two for the same question the later one counts.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let keyed = entries.into_iter().map(|entry| {
            let key = key(&entry.account, &entry.region, &entry.service, &entry.operation, &entry.params);
            (key, Arc::new(entry))
        });
        Self { entries: keyed.collect() }
    }

    /// From the bytes of a recording, compressed or plain.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        let packed = bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
        let plain = if packed { zstd::decode_all(bytes).map_err(ReadError::Packed)? } else { bytes.to_vec() };
        let lines = plain.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
        let entries = lines
            .map(|(at, line)| serde_json::from_slice(line).map_err(|source| ReadError::Line { line: at + 1, source }));
        Ok(Self::new(entries.collect::<Result<Vec<Entry>, _>>()?))
    }

    /// How many calls are recorded.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every recorded call, in a stable order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().map(|entry| &**entry)
    }
}

impl Wire for Replay {
    fn pages<'a>(&'a self, target: &Target, call: &Call) -> Pages<'a> {
        let key = key(target.account.as_str(), target.region.as_str(), &call.service, &call.operation, &call.params);
        let mut left = VecDeque::new();
        match self.entries.get(&key) {
            Some(entry) => {
                let most = call.max_pages.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
                left.extend(entry.pages.iter().take(most).map(|page| Answer::Page { page: page.clone() }));
                if entry.pages.len() > most {
                    let message = format!("the limit of {most} pages was reached and there is more");
                    left.push_back(Answer::Truncated { message });
                } else {
                    left.extend(entry.end.clone());
                }
                if left.is_empty() {
                    left.push_back(Answer::broken(
                        "not recorded",
                        format!("{} was recorded without an answer", call.name()),
                    ));
                }
            }
            None => {
                let [account, region, _, _, params] = key;
                let message = format!("{} {params} in {account}, {region}", call.name());
                left.push_back(Answer::broken("not recorded", message));
            }
        }
        Pages::new(Recorded { left })
    }
}

struct Recorded {
    left: VecDeque<Answer>,
}

impl PageSource for Recorded {
    fn next(&mut self) -> Boxed<'_, Option<Answer>> {
        let answer = self.left.pop_front();
        Box::pin(async move { answer })
    }
}

/// Records whatever another wire answers.
///
/// Only calls that were read to their end are kept: half a list must not look like a list later. What an answer of STS
/// holds beside the caller's identity is credentials, so nothing else of STS is kept.
#[derive(Debug)]
pub struct Recorder<W> {
    inner: W,
    entries: Mutex<Vec<Entry>>,
}

impl<W: Wire> Recorder<W> {
    /// A recorder around a wire.
    pub fn new(inner: W) -> Self {
        Self { inner, entries: Mutex::default() }
    }

    /// The wire inside.
    pub fn inner(&self) -> &W {
        &self.inner
    }

    /// What was recorded so far, as a compressed recording in a stable order.
    pub fn recording(&self) -> std::io::Result<Vec<u8>> {
        let replay = Replay::new(lock(&self.entries).iter().cloned());
        let mut lines = Vec::new();
        for entry in replay.entries() {
            serde_json::to_writer(&mut lines, entry)?;
            lines.push(b'\n');
        }
        zstd::encode_all(lines.as_slice(), 12)
    }
}

impl<W: Wire> Wire for Recorder<W> {
    fn pages<'a>(&'a self, target: &Target, call: &Call) -> Pages<'a> {
        let entry = Entry {
            account: target.account.to_string(),
            region: target.region.to_string(),
            service: call.service.to_string(),
            operation: call.operation.to_string(),
            params: call.params.clone(),
            pages: Vec::new(),
            end: None,
        };
        Pages::new(Recording { recorder: &self.entries, inner: self.inner.pages(target, call), entry })
    }

    /// Reads the call to its end, so that what is recorded is whole, and gives back its first answer.
    fn send<'a>(&'a self, target: &Target, call: &Call) -> Boxed<'a, Answer> {
        let mut pages = self.pages(target, call);
        Box::pin(async move {
            let first = pages.next().await;
            while pages.next().await.is_some() {}
            first.unwrap_or_else(|| Answer::broken("no answer", "the call ended before its first answer"))
        })
    }
}

struct Recording<'a> {
    recorder: &'a Mutex<Vec<Entry>>,
    inner: Pages<'a>,
    entry: Entry,
}

impl Recording<'_> {
    fn keep(&self) {
        if self.entry.service != "sts" || self.entry.operation == "GetCallerIdentity" {
            lock(self.recorder).push(self.entry.clone());
        }
    }
}

impl PageSource for Recording<'_> {
    fn next(&mut self) -> Boxed<'_, Option<Answer>> {
        Box::pin(async move {
            let answer = self.inner.next().await;
            match &answer {
                Some(Answer::Page { page }) => self.entry.pages.push(page.clone()),
                Some(other) => {
                    self.entry.end = Some(other.clone());
                    self.keep();
                }
                None => self.keep(),
            }
            answer
        })
    }
}
