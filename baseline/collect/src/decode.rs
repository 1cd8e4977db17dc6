//! The closed list of decoders: from a provider's spelling to a value.

use base64::Engine;
use plumb_catalog::Decode;
use plumb_model::{Map, Reason, Time, Unknown, Value};
use std::borrow::Cow;

/// What stood there could not be decoded. The text itself is left out: it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(pub String);

/// Applies a decoder. Null stays null (but `exists`, `count`, `not` and `s3-location` speak about it), unknown stays
/// unknown, and what cannot be decoded becomes unknown with the reason `broken`: never empty.
pub fn decode(how: Decode, value: Value, call: &str) -> Value {
    if let Value::Unknown(_) = value {
        return value;
    }
    match how {
        Decode::Exists => return Value::Bool(exists(&value)),
        Decode::Count => return Value::Int(count(&value)),
        Decode::Not => {
            return match value {
                Value::Bool(b) => Value::Bool(!b),
                Value::Str(s) if s.eq_ignore_ascii_case("true") => Value::Bool(false),
                Value::Str(s) if s.eq_ignore_ascii_case("false") => Value::Bool(true),
                other => other,
            };
        }
        Decode::S3Location => {
            return match value.as_str() {
                None | Some("") => Value::str("us-east-1"),
                Some("EU") => Value::str("eu-west-1"),
                Some(region) => Value::str(region),
            };
        }
        _ => {}
    }
    if value.is_null() {
        return value;
    }
    match convert(how, &value) {
        Ok(value) => value,
        Err(DecodeError(why)) => {
            let mut unknown = Unknown::new(Reason::Broken, call);
            unknown.detail = why;
            Value::unknown(unknown)
        }
    }
}

fn convert(how: Decode, value: &Value) -> Result<Value, DecodeError> {
    let wrong = |what: &str| DecodeError(what.into());
    let text = value.as_str();
    Ok(match how {
        Decode::Json | Decode::UrlJson => match text {
            None => value.clone(),
            Some("") => Value::Null,
            Some(text) => {
                let decoded: Cow<'_, str> = if how == Decode::UrlJson && text.trim_start().starts_with('%') {
                    percent_encoding::percent_decode_str(text.trim_start()).decode_utf8_lossy()
                } else {
                    Cow::Borrowed(text)
                };
                let json = serde_json::from_str(&decoded)
                    .map_err(|e| DecodeError(format!("not JSON at line {}", e.line())))?;
                Value::from_json(&json)
            }
        },
        Decode::Tags => match value {
            Value::Map(_) => value.clone(),
            Value::List(items) => {
                pairs(items, &[("Key", "Value"), ("TagKey", "TagValue"), ("key", "value"), ("Name", "Value")])
            }
            _ => return Err(wrong("tags are neither a list nor a map")),
        },
        Decode::Entries => match value {
            Value::Map(members) => Value::list(
                members.iter().map(|(key, val)| Value::map([("key", Value::from(key)), ("value", val.clone())])),
            ),
            Value::List(_) => value.clone(),
            _ => return Err(wrong("entries are neither a map nor a list")),
        },
        Decode::Pairs => match value {
            Value::Map(_) => value.clone(),
            Value::List(items) => pairs(
                items,
                &[
                    ("name", "value"),
                    ("Name", "Value"),
                    ("ParameterName", "ParameterValue"),
                    ("Key", "Value"),
                    ("key", "value"),
                ],
            ),
            _ => return Err(wrong("pairs are neither a list nor a map")),
        },
        Decode::Base64 => Value::from(String::from_utf8_lossy(&base64(text.unwrap_or_default())?).into_owned()),
        Decode::Csv => match text {
            Some(text) => Value::list(text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(Value::from)),
            None => value.clone(),
        },
        Decode::CredentialReport => report(text.unwrap_or_default())?,
        Decode::Lower => match text {
            Some(text) => Value::from(text.to_lowercase()),
            None => value.clone(),
        },
        Decode::Host => each_text(value, |t| t.strip_suffix('.').unwrap_or(t).to_owned()),
        Decode::LastPart => each_text(value, |t| t.rsplit(['/', ':']).next().unwrap_or(t).to_owned()),
        Decode::ArnAccount => each_text(value, |t| t.split(':').nth(4).unwrap_or_default().to_owned()),
        Decode::Epoch => match value {
            Value::Int(n) if *n > 100_000_000_000 => Value::Time(Time::from_seconds(n / 1000)),
            Value::Int(n) => Value::Time(Time::from_seconds(*n)),
            Value::Double(n) => Value::Time(Time::from_seconds(*n as i64)),
            _ => value.clone(),
        },
        Decode::Exists | Decode::Count | Decode::Not | Decode::S3Location => value.clone(),
    })
}

fn exists(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Str(s) => !s.is_empty(),
        Value::List(l) => !l.is_empty(),
        Value::Map(m) => !m.is_empty(),
        Value::Bool(b) => *b,
        _ => true,
    }
}

fn count(value: &Value) -> i64 {
    let n = match value {
        Value::Null => 0,
        Value::List(l) => l.len(),
        Value::Map(m) => m.len(),
        _ => 1,
    };
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn pairs(items: &[Value], spellings: &[(&str, &str)]) -> Value {
    let mut out = Vec::new();
    for item in items {
        if let Value::Unknown(_) = item {
            return item.clone();
        }
        for (key, value) in spellings {
            if let Some(name) = item.get(key).and_then(Value::as_str) {
                out.push((name, item.get(value).cloned().unwrap_or_default()));
                break;
            }
        }
    }
    Value::Map(out.into_iter().collect::<Map>())
}

fn each_text(value: &Value, f: impl Fn(&str) -> String + Copy) -> Value {
    match value {
        Value::Str(s) => Value::from(f(s)),
        Value::List(items) => Value::list(items.iter().map(|v| each_text(v, f))),
        other => other.clone(),
    }
}

fn base64(text: &str) -> Result<Vec<u8>, DecodeError> {
    base64::engine::general_purpose::STANDARD.decode(text.trim()).map_err(|_| DecodeError("not base64".into()))
}

/// The credential report: base64 CSV with a header; `N/A`, `no_information` and `not_supported` become null, `true`
/// and `false` truth values.
/// Source: IAM User Guide, "Getting credential reports for your AWS account".
fn report(text: &str) -> Result<Value, DecodeError> {
    let bytes = base64(text)?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes.as_slice());
    let header = reader.headers().map_err(|_| DecodeError("the report has no header".into()))?.clone();
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|_| DecodeError("a row of the report is not CSV".into()))?;
        if row.len() != header.len() {
            return Err(DecodeError("a row of the report is cut short".into()));
        }
        rows.push(Value::map(header.iter().zip(row.iter()).map(|(name, cell)| {
            let value = match cell {
                "N/A" | "no_information" | "not_supported" | "" => Value::Null,
                "true" | "TRUE" => Value::Bool(true),
                "false" | "FALSE" => Value::Bool(false),
                text => Value::str(text),
            };
            (name, value)
        })));
    }
    Ok(Value::list(rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(how: &str, value: serde_json::Value, want: serde_json::Value) {
        let got = decode(how.parse().unwrap(), Value::from_json(&value), "c");
        assert_eq!(got.to_json(), want, "{how} of {value}");
    }

    #[test]
    fn decoders() {
        check("json", json!("{\"a\":1}"), json!({"a": 1}));
        check("url-json", json!("%7B%22a%22%3A1%7D"), json!({"a": 1}));
        check("url-json", json!("{\"a\":\"100%25\"}"), json!({"a": "100%25"}));
        check("json", json!(null), json!(null));
        check(
            "json",
            json!("{"),
            json!({"$unknown": {"reason": "broken", "call": "c", "detail": "not JSON at line 1"}}),
        );
        check(
            "tags",
            json!([{"Key": "a", "Value": "1"}, {"TagKey": "b", "TagValue": "2"}]),
            json!({"a": "1", "b": "2"}),
        );
        check("s3-location", json!(null), json!("us-east-1"));
        check("s3-location", json!("EU"), json!("eu-west-1"));
        check("exists", json!(null), json!(false));
        check("exists", json!({}), json!(false));
        check("exists", json!({"a": 1}), json!(true));
        check("count", json!([1, 2]), json!(2));
        check("not", json!("true"), json!(false));
        check("last-part", json!("arn:aws:iam::1:role/x/app"), json!("app"));
        check("host", json!("example.com."), json!("example.com"));
        check("host", json!("example.com"), json!("example.com"));
        check("arn-account", json!(["arn:aws:iam::123456789012:root"]), json!(["123456789012"]));
        check("csv", json!("a, b,"), json!(["a", "b"]));
        check("epoch", json!(0), json!({"$time": "1970-01-01T00:00:00Z"}));
    }

    #[test]
    fn credential_report_rows() {
        let text = "user,mfa_active,password_last_used\n<root_account>,false,N/A\nbob,true,2026-01-01T00:00:00+00:00\n";
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        check(
            "credential-report",
            json!(encoded),
            json!([
                {"user": "<root_account>", "mfa_active": false, "password_last_used": null},
                {"user": "bob", "mfa_active": true, "password_last_used": "2026-01-01T00:00:00+00:00"}
            ]),
        );
        let cut = base64::engine::general_purpose::STANDARD.encode("user,mfa_active\nbob");
        assert!(matches!(decode(Decode::CredentialReport, Value::from(cut), "c"), Value::Unknown(_)));
    }
}
