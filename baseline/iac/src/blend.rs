//! What the template languages share: a value that is one of two, the file a location means, base64.

use crate::source::{Files, Span, join};
use crate::value::{Data, Members, Val, WhyKind};
use ::base64::Engine as _;

/// One of two values, by a condition that is not known: what they share stays known.
pub(crate) fn either(yes: Option<Val>, no: Option<Val>, on: &str, span: Span) -> Option<Val> {
    match (yes, no) {
        (None, None) => None,
        (Some(yes), Some(no)) if yes == no => Some(yes),
        (Some(Val { data: Data::Map(yes), span: at, .. }), Some(Val { data: Data::Map(no), .. })) => {
            let mut out = Members::new();
            for key in yes.keys().chain(no.keys()) {
                if !out.contains_key(key)
                    && let Some(val) = either(yes.get(key).cloned(), no.get(key).cloned(), on, span)
                {
                    out.insert(key.clone(), val);
                }
            }
            Some(Val::map(out, at))
        }
        (yes, no) => {
            let text = |v: &Option<Val>| v.as_ref().map_or("nothing".to_owned(), |v| brief(&v.describe()));
            let sensitive = yes.as_ref().is_some_and(|v| v.sensitive) || no.as_ref().is_some_and(|v| v.sensitive);
            let detail = if sensitive { String::new() } else { format!(": {} or {}", text(&yes), text(&no)) };
            let mut val = Val::unknown(WhyKind::Repeat, on, format!("depends on {on}{detail}"), span);
            val.sensitive = sensitive;
            Some(val)
        }
    }
}

/// The text, cut to what fits a message.
pub(crate) fn brief(text: &str) -> String {
    if text.chars().count() > 60 {
        format!("{}…", text.chars().take(60).collect::<String>())
    } else {
        text.to_owned()
    }
}

/// The file a nested template's location means: a path beside the template, or the tail of a URL that is in the
/// repository (templates are uploaded with their folder layout).
pub(crate) fn local(files: &dyn Files, folder: &str, written: &str) -> Option<String> {
    let there = |path: Option<String>| path.filter(|p| files.read(p).is_some());
    let path = written.split(['?', '#']).next().unwrap_or_default();
    if !path.contains("://") && !path.contains("${") {
        return there(join(folder, path.trim_start_matches("./"))).or_else(|| there(join("", path)));
    }
    // What follows the last hole is literal.
    let tail = path.rsplit('}').next().unwrap_or(path);
    let tail = tail.split_once("://").map_or(tail, |(_, rest)| rest.split_once('/').map_or("", |(_, p)| p));
    let mut steps: &str = tail.trim_start_matches('/');
    while !steps.is_empty() {
        let mut up = folder;
        loop {
            if let Some(found) = there(join(up, steps)) {
                return Some(found);
            }
            match up.rsplit_once('/') {
                Some((parent, _)) => up = parent,
                None if !up.is_empty() => up = "",
                None => break,
            }
        }
        steps = steps.split_once('/').map_or("", |(_, rest)| rest);
    }
    None
}

/// Standard base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}
