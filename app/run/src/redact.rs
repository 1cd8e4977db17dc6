//! Credentials are taken out of what was read before anything keeps it.
//!
//! What stood there is replaced by `[redacted: password]`: rules can still tell that a credential was there (the
//! marker is recognised as one), and nobody can read it, neither in findings nor in the raw answers on the record.

use base64::Engine as _;
use plumb_evaluate::{redacted, secrets_in};
use plumb_model::Value;

/// Members that hold environment-like pairs, where the name of a pair tells what its value is.
const ENVIRONMENTS: [&str; 6] =
    ["variables", "environment", "environmentvariables", "parameters", "environment_variables", "secrets"];

/// A document without credentials.
pub fn redact(value: Value) -> Value {
    walk(value, "", false)
}

fn walk(value: Value, name: &str, environment: bool) -> Value {
    match value {
        Value::Str(text) => match text_without(&text, name, environment) {
            Some(clean) => Value::from(clean),
            None => Value::Str(text),
        },
        Value::List(items) => Value::list(items.into_vec().into_iter().map(|v| walk(v, name, environment))),
        Value::Map(map) => {
            let inside = environment || ENVIRONMENTS.contains(&name.to_ascii_lowercase().as_str());
            let pair =
                ["name", "Name", "ParameterKey", "OutputKey"].iter().find_map(|n| map.get(n)).and_then(Value::as_str);
            let pair = pair.map(str::to_owned);
            Value::map(map.into_iter().map(|(key, v)| {
                let is_value = matches!(&*key, "value" | "Value" | "ParameterValue" | "OutputValue");
                let v = match &pair {
                    Some(pair) if is_value => walk(v, pair, true),
                    _ => walk(v, &key, inside),
                };
                (key, v)
            }))
        }
        other => other,
    }
}

fn text_without(text: &str, name: &str, environment: bool) -> Option<String> {
    if text.len() < 6 {
        return None;
    }
    // The name of a secret is not the secret: `arn:aws:secretsmanager:…:secret:api/key`.
    if text.starts_with("arn:") && !text.contains(char::is_whitespace) {
        return None;
    }
    if name.to_ascii_lowercase().contains("userdata") || name == "Data" || name == "Value" {
        let decoded = base64::engine::general_purpose::STANDARD.decode(text.trim()).ok();
        if let Some(script) = decoded.and_then(|bytes| String::from_utf8(bytes).ok())
            && !secrets_in(&script).is_empty()
        {
            return Some(base64::engine::general_purpose::STANDARD.encode(&*redacted(&script)));
        }
    }
    if !secrets_in(text).is_empty() {
        return Some(redacted(text).into_owned());
    }
    if environment {
        let found = secrets_in(&format!("{name}={text}"));
        if let Some(kind) = found.first() {
            return Some(format!("[redacted: {kind}]"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(raw: serde_json::Value, want: serde_json::Value) {
        assert_eq!(redact(Value::from_json(&raw)).to_json(), want);
    }

    #[test]
    fn credentials_go_and_configuration_stays() {
        check(
            json!({"Environment": {"Variables": {"DB_PASSWORD": "Sup3rS3cret!Pa55", "STAGE": "production"}}}),
            json!({"Environment": {"Variables": {"DB_PASSWORD": "[redacted: password]", "STAGE": "production"}}}),
        );
        check(
            json!({"containerDefinitions": [{"environment": [{"name": "DB_PASSWORD", "value": "Sup3rS3cret!Pa55"}]}]}),
            json!({"containerDefinitions": [{"environment": [{"name": "DB_PASSWORD", "value": "[redacted: password]"}]}]}),
        );
        check(
            json!({"MinimumPasswordLength": 6, "PasswordLastUsed": "2026-01-01"}),
            json!({"MinimumPasswordLength": 6, "PasswordLastUsed": "2026-01-01"}),
        );
        check(
            json!({"SecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf"}),
            json!({"SecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf"}),
        );
        let named = json!({"ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:api/key-AbCdEf"});
        check(named.clone(), named);
        let script = "#!/bin/bash\nexport DB_PASSWORD=Sup3rS3cret!Pa55\n";
        let encoded = base64::engine::general_purpose::STANDARD.encode(script);
        let clean = redact(Value::from_json(&json!({"UserData": {"Value": encoded}}))).to_json().to_string();
        let inner = clean.split('"').nth(5).unwrap();
        let decoded = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(inner).unwrap()).unwrap();
        assert!(!decoded.contains("Sup3r") && !secrets_in(&decoded).is_empty(), "{decoded}");
    }
}
