//! References of a plan read without its configuration: the plan's own copy names what an expression refers to.

use super::plan::{modules, steps};
use crate::source::Span;
use crate::value::{Members, Val, WhyKind};
use std::collections::HashSet;

/// The plan's copy of the configuration, and the addresses that the plan holds.
pub(super) struct References<'a> {
    pub document: &'a Val,
    pub addresses: HashSet<String>,
}

/// A module instance in that copy: its prefix, its node, and the name it was called by.
struct Level<'a> {
    prefix: String,
    node: &'a Val,
    name: String,
}

impl References<'_> {
    /// For a resource, an object of references and unknowns where its expressions refer to something.
    pub(super) fn written(
        &self,
        address: &str,
        mode: &str,
        type_: &str,
        name: &str,
        key: &str,
        span: Span,
    ) -> Option<Val> {
        let levels = self.levels(address)?;
        let short = if mode == "data" { format!("data.{type_}.{name}") } else { format!("{type_}.{name}") };
        let resources = levels.last()?.node.get("resources")?.as_list()?;
        let found = resources.iter().find(|r| r.get("address").and_then(Val::as_str) == Some(&short))?;
        self.object(found.get("expressions")?, &levels, key, span, 0)
    }

    fn levels(&self, address: &str) -> Option<Vec<Level<'_>>> {
        let root = self.document.at("configuration.root_module")?;
        let mut levels = vec![Level { prefix: String::new(), node: root, name: String::new() }];
        for module in modules(address) {
            let mut name = String::new();
            steps(module, &mut |step, _| name = step.to_owned());
            let node = levels.last()?.node.get("module_calls")?.get(&name)?.get("module")?;
            levels.push(Level { prefix: format!("{module}."), node, name });
        }
        Some(levels)
    }

    fn object(&self, expressions: &Val, levels: &[Level<'_>], key: &str, span: Span, depth: u32) -> Option<Val> {
        let mut out = Members::new();
        for (name, expr) in expressions.as_map()? {
            if let Some(val) = self.expression(expr, levels, key, span, depth) {
                out.insert(name.clone(), val);
            }
        }
        Some(Val::map(out, span))
    }

    fn expression(&self, expr: &Val, levels: &[Level<'_>], key: &str, span: Span, depth: u32) -> Option<Val> {
        if depth > 32 {
            return None;
        }
        if let Some(blocks) = expr.as_list() {
            let blocks = blocks.iter().map(|b| {
                self.object(b, levels, key, span, depth + 1).unwrap_or_else(|| Val::map(Members::new(), span))
            });
            return Some(Val::list(blocks.collect(), span));
        }
        let Some(references) = expr.get("references").and_then(Val::as_list) else {
            return if expr.get("constant_value").is_some() {
                None
            } else {
                self.object(expr, levels, key, span, depth + 1)
            };
        };
        let names: Vec<&str> = references.iter().filter_map(Val::as_str).collect();
        let first = *names.first()?;
        // The list goes from the most specific to the whole resource; anything else means several things are combined.
        if names.iter().any(|n| !first.starts_with(n)) {
            return Some(Val::unknown(WhyKind::Apply, names.join(", "), "known after apply", span));
        }
        self.resolve(first, levels, key, span, depth + 1)
    }

    fn resolve(&self, reference: &str, levels: &[Level<'_>], key: &str, span: Span, depth: u32) -> Option<Val> {
        let (here, outer) = levels.split_last()?;
        let mut parts: Vec<(String, usize)> = Vec::new();
        steps(reference, &mut |step, end| parts.push((step.to_owned(), end)));
        let part = |i: usize| parts.get(i).map(|p| p.0.as_str());
        match part(0)? {
            "var" => {
                let call = outer.last()?.node.get("module_calls")?.get(&here.name)?;
                self.expression(call.get("expressions")?.get(part(1)?)?, outer, key, span, depth)
            }
            "module" => {
                let child = here.node.get("module_calls")?.get(part(1)?)?.get("module")?;
                let output = child.get("outputs")?.get(part(2)?)?.get("expression")?;
                let called = reference.get(..parts.get(1)?.1)?;
                let mut inside: Vec<Level<'_>> = levels
                    .iter()
                    .map(|l| Level { prefix: l.prefix.clone(), node: l.node, name: l.name.clone() })
                    .collect();
                let prefix = format!("{}{called}.", here.prefix);
                inside.push(Level { prefix, node: child, name: part(1)?.to_owned() });
                self.expression(output, &inside, key, span, depth)
            }
            "each" | "count" | "local" | "path" | "terraform" | "self" => None,
            first => {
                let end = parts.get(if first == "data" { 2 } else { 1 })?.1;
                let mut address = format!("{}{}", here.prefix, reference.get(..end)?);
                if !self.addresses.contains(&address) && self.addresses.contains(&format!("{address}{key}")) {
                    address.push_str(key);
                }
                let path = reference.get(end + 1..).unwrap_or("");
                Some(Val::reference(address, path, span))
            }
        }
    }
}
