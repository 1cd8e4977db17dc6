//! How the answers of an operation are paged.
//!
//! The models' own paginators come first. Where they have none, but input and output both carry a token, the pagination
//! is derived from the shapes, so that no list ends silently at its first page.

use serde_json::{Value, json};

/// Reviewed paginations that neither the models nor the token names tell:
/// service, operation, input token, output token, flag that more follows (empty where the token says so).
const BY_HAND: &[(&str, &str, &str, &str, &str)] = &[
    (
        "firehose",
        "ListDeliveryStreams",
        "ExclusiveStartDeliveryStreamName",
        "DeliveryStreamNames[-1]",
        "HasMoreDeliveryStreams",
    ),
    ("firehose", "ListTagsForDeliveryStream", "ExclusiveStartTagKey", "Tags[-1].Key", "HasMoreTags"),
    ("kinesis", "ListTagsForStream", "ExclusiveStartTagKey", "Tags[-1].Key", "HasMoreTags"),
    ("cloudfront", "ListResponseHeadersPolicies", "Marker", "ResponseHeadersPolicyList.NextMarker", ""),
];

/// Names a token has in the input and in the output, most telling first.
const TOKENS: &[(&str, &str)] = &[
    ("NextToken", "NextToken"),
    ("nextToken", "nextToken"),
    ("next_token", "next_token"),
    ("NextPageToken", "NextPageToken"),
    ("nextPageToken", "nextPageToken"),
    ("pageToken", "nextPageToken"),
    ("PageToken", "NextPageToken"),
    ("PaginationToken", "PaginationToken"),
    ("paginationToken", "paginationToken"),
    ("ContinuationToken", "NextContinuationToken"),
    ("NextMarker", "NextMarker"),
    ("Marker", "NextMarker"),
    ("marker", "nextMarker"),
    ("Marker", "Marker"),
    ("marker", "marker"),
    ("position", "position"),
];

/// Names of the page size in an input, lower case.
const LIMITS: &[&str] = &["maxresults", "maxitems", "maxrecords", "limit", "pagesize", "maxkeys"];

/// `{in, out, more, limit, items}`; none for an operation that answers all at once.
pub fn paginator(service: &str, operation: &str, model: &Value, official: &Value) -> Option<Value> {
    let list = |value: &Value| match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let (input, output) = (list(&official["input_token"]), list(&official["output_token"]));
    let mut page = if !input.is_empty() && input.len() == output.len() {
        json!({ "in": input, "out": output })
    } else if let Some((_, _, input, output, more)) = BY_HAND.iter().find(|(s, o, ..)| (*s, *o) == (service, operation))
    {
        let mut page = json!({ "in": [input], "out": [output] });
        if !more.is_empty() {
            page["more"] = json!(more);
        }
        page
    } else {
        let members = |side: &str| {
            let shape = model["operations"][operation][side]["shape"].as_str()?;
            model["shapes"][shape]["members"].as_object()
        };
        let (ins, outs) = (members("input")?, members("output")?);
        let is_text = |reference: &Value| {
            let shape = reference["shape"].as_str().unwrap_or_default();
            model["shapes"][shape]["type"] == "string"
        };
        let (from, to) = TOKENS
            .iter()
            .find(|(from, to)| ins.get(*from).is_some_and(is_text) && outs.get(*to).is_some_and(is_text))?;
        let limit = ins.keys().find(|name| LIMITS.contains(&name.to_ascii_lowercase().as_str()));
        let mut page = json!({ "in": [from], "out": [to] });
        if let Some(limit) = limit {
            page["limit"] = json!(limit);
        }
        page
    };
    for (key, name) in [("more_results", "more"), ("limit_key", "limit")] {
        if let Some(value) = official[key].as_str() {
            page[name] = json!(value);
        }
    }
    let items = list(&official["result_key"]);
    if !items.is_empty() {
        page["items"] = json!(items);
    }
    Some(page)
}
