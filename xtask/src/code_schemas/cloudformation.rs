//! Properties of CloudFormation types out of the resource provider schemas that cfn-lint carries.

use super::node::{DEPTH, Node};
use crate::Done;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The wanted types, as one region has them (the one where everything comes first), and those of SAM.
pub fn types(schemas: &Path, wanted: &BTreeSet<String>) -> Done<BTreeMap<String, Node>> {
    let read = |path: &str| -> Done<Value> {
        let path = schemas.join(path);
        let text = fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
    };
    let (index, serverless) = (read("providers/us-east-1.json")?, read("providers/sam.json")?);
    let both = [&index, &serverless].into_iter().filter_map(Value::as_object).flatten();
    let mut types = BTreeMap::new();
    for (name, file) in both.filter(|(name, _)| wanted.contains(*name)) {
        let schema = read(&format!("resources/{}.json", file.as_str().unwrap_or_default()))?;
        let given = schema["readOnlyProperties"].as_array();
        let read_only = given.into_iter().flatten().filter_map(Value::as_str).collect();
        let reader = Reader { schema: &schema, read_only };
        types.insert(name.clone(), reader.node(&schema, "", &mut Vec::new()));
    }
    Ok(types)
}

struct Reader<'a> {
    schema: &'a Value,
    read_only: BTreeSet<&'a str>,
}

impl<'a> Reader<'a> {
    fn node(&self, of: &'a Value, path: &str, above: &mut Vec<&'a str>) -> Node {
        let height = above.len();
        let mut at = of;
        for _ in 0..9 {
            let Some(pointer) = at["$ref"].as_str() else { break };
            if above.contains(&pointer) || above.len() >= 4 * DEPTH {
                above.truncate(height);
                return Node { form: '{', cut: true, ..Node::default() };
            }
            above.push(pointer);
            at = self.schema.pointer(pointer.trim_start_matches('#')).unwrap_or(&Value::Null);
        }
        let mut node = self.inside(of, at, path, above);
        above.truncate(height);
        node.read_only = self.read_only.contains(path);
        node
    }

    fn inside(&self, of: &'a Value, at: &'a Value, path: &str, above: &mut Vec<&'a str>) -> Node {
        let is = |name: &str| match &at["type"] {
            Value::String(one) => one == name,
            Value::Array(several) => several.iter().any(|t| t == name),
            _ => false,
        };
        if is("array") || !at["items"].is_null() {
            return self.node(&at["items"], &format!("{path}/*"), above).list();
        }
        let mut members = BTreeMap::new();
        let depth = path.split('/').filter(|part| !part.is_empty() && *part != "*").count();
        self.members(of, path, depth, above, &mut members);
        self.members(at, path, depth, above, &mut members);
        if members.is_empty() {
            if let Some(values) = at["patternProperties"].as_object().and_then(|p| p.values().next()) {
                return self.node(values, &format!("{path}/*"), above).map();
            }
        } else if depth > DEPTH {
            return Node { form: '{', cut: true, ..Node::default() };
        }
        match () {
            () if !members.is_empty() => Node::object(members),
            () if is("object") || at["type"].is_null() => Node::leaf('?'),
            () if is("string") => Node { values: values(of).chain(values(at)).collect(), ..Node::leaf('s') },
            () if is("boolean") => Node::leaf('b'),
            () => Node::leaf('n'),
        }
    }

    /// The properties of a schema, with those of its variants.
    fn members(
        &self,
        at: &'a Value,
        path: &str,
        depth: usize,
        above: &mut Vec<&'a str>,
        members: &mut BTreeMap<String, Node>,
    ) {
        let below = if path.is_empty() { "/properties".to_owned() } else { path.to_owned() };
        for (name, inner) in at["properties"].as_object().into_iter().flatten() {
            if !members.contains_key(name) {
                let inner = match depth > DEPTH {
                    true => Node::leaf('?'),
                    false => self.node(inner, &format!("{below}/{name}"), above),
                };
                members.insert(name.clone(), inner);
            }
        }
        for variants in ["allOf", "anyOf", "oneOf"] {
            for variant in at[variants].as_array().into_iter().flatten() {
                let pointer = variant["$ref"].as_str().unwrap_or_default().trim_start_matches('#');
                let variant = self.schema.pointer(pointer).filter(|_| !pointer.is_empty()).unwrap_or(variant);
                self.members(variant, path, depth, above, members);
            }
        }
    }
}

/// The values of a text, be they of one of its variants.
fn values(of: &Value) -> impl Iterator<Item = String> {
    let variants = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|variants| of[variants].as_array()).flatten();
    let counted = std::iter::once(of).chain(variants).filter_map(|variant| variant["enum"].as_array()).flatten();
    counted.filter_map(Value::as_str).map(str::to_owned)
}
