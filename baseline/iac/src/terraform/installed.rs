//! The modules that `terraform init` left on disk, and whether they are still what the calls ask for.

use super::path_in;
use crate::source::Files;
use std::collections::HashMap;

/// A module on disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Installed {
    /// Its folder, from the root module's.
    pub dir: String,
    source: String,
    version: String,
}

/// Module folders by call path, as `terraform init` left them.
pub(crate) fn installed(files: &dyn Files, root: &str) -> HashMap<String, Installed> {
    let Some(bytes) = files.read(&path_in(root, ".terraform/modules/modules.json")) else { return HashMap::new() };
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(&bytes) else { return HashMap::new() };
    let modules = json.get("Modules").and_then(|m| m.as_array());
    (modules.into_iter().flatten())
        .filter_map(|m| {
            let text = |name: &str| m.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
            let one =
                Installed { dir: m.get("Dir")?.as_str()?.to_owned(), source: text("Source"), version: text("Version") };
            Some((m.get("Key")?.as_str()?.to_owned(), one))
        })
        .collect()
}

impl Installed {
    /// What is on disk in place of what a call asks for; none where the two go together, as far as can be told.
    pub(crate) fn instead_of(&self, source: &str, version: Option<&str>) -> Option<String> {
        if self.source.is_empty() {
            return None;
        }
        let same = match (registry(source), registry(&self.source)) {
            (Some(asked), Some(there)) => asked == there && version.is_none_or(|v| allows(v, &self.version)),
            (None, None) => match (reference(source), reference(&self.source)) {
                (Some(asked), Some(there)) => asked == there,
                _ => true,
            },
            _ => false,
        };
        (!same).then(|| [&*self.source, &*self.version].join(" ").trim().to_owned())
    }
}

/// Namespace, name, provider and folder of a module of a registry, whatever its host.
fn registry(source: &str) -> Option<(Vec<&str>, &str)> {
    if source.contains("::") || source.contains("://") || source.contains('@') {
        return None;
    }
    let (module, folder) = source.split_once("//").unwrap_or((source, ""));
    let mut parts: Vec<&str> = module.split('/').collect();
    let hosted = parts.first().is_some_and(|host| host.contains('.'));
    if hosted && parts.len() == 4 {
        parts.remove(0);
    } else if hosted {
        return None;
    }
    (parts.len() == 3).then_some((parts, folder))
}

fn reference(source: &str) -> Option<&str> {
    let (_, query) = source.split_once('?')?;
    query.split('&').find_map(|part| part.strip_prefix("ref="))
}

/// Whether a version is one of those a constraint such as `~> 5.1, != 5.2.0` asks for. What cannot be read allows everything.
fn allows(constraint: &str, version: &str) -> bool {
    let Some((found, _)) = numbers(version) else { return true };
    constraint.split(',').map(str::trim).all(|one| {
        let at = one.find(|c: char| c.is_ascii_digit() || c == 'v').unwrap_or(one.len());
        let (sign, asked) = one.split_at(at);
        let Some((asked, said)) = numbers(asked) else { return true };
        match sign.trim() {
            "" | "=" => found == asked,
            "!=" => found != asked,
            ">" => found > asked,
            ">=" => found >= asked,
            "<" => found < asked,
            "<=" => found <= asked,
            // The last number that is said may grow.
            "~>" => {
                found >= asked
                    && found
                        .iter()
                        .zip(&asked)
                        .take(said.saturating_sub(1).max(usize::from(said > 1)))
                        .all(|(f, a)| f == a)
            }
            _ => true,
        }
    })
}

/// The three numbers of a version, and how many of them were said. None for versions before a release, too.
fn numbers(text: &str) -> Option<([u64; 3], usize)> {
    let text = text.trim().trim_start_matches('v');
    let mut out = [0; 3];
    let parts: Vec<&str> = text.split('.').collect();
    for (slot, part) in out.iter_mut().zip(&parts) {
        *slot = part.parse().ok()?;
    }
    (parts.len() <= 3).then_some((out, parts.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, version: Option<&str>, there: &str, of: &str, fits: bool) {
        let one = Installed { dir: "d".into(), source: there.into(), version: of.into() };
        assert_eq!(one.instead_of(source, version).is_none(), fits, "{source} {version:?}: {there} {of}");
    }

    #[test]
    fn what_is_installed_is_held_against_what_is_asked_for() {
        let vpc = "registry.terraform.io/acme/vpc/aws";
        check("acme/vpc/aws", None, vpc, "5.1.0", true);
        check("acme/vpc/aws", Some("5.1.0"), vpc, "5.1.0", true);
        check("acme/vpc/aws", Some("6.0.0"), vpc, "5.1.0", false);
        check("acme/other/aws", Some("5.1.0"), vpc, "5.1.0", false);
        check("acme/vpc/aws//modules/x", None, &format!("{vpc}//modules/x"), "5.1.0", true);
        check("acme/vpc/aws//modules/y", None, &format!("{vpc}//modules/x"), "5.1.0", false);
        check("app.terraform.io/acme/vpc/aws", None, "app.terraform.io/acme/vpc/aws", "1.0.0", true);
        check("git::https://x.example/a.git?ref=v2", None, "git::https://x.example/a.git?ref=v1", "", false);
        check("github.com/acme/a?ref=v1", None, "git::https://github.com/acme/a.git?ref=v1", "", true);
        check("git@github.com:acme/a.git", None, "git::ssh://git@github.com/acme/a.git", "", true);
        check("acme/vpc/aws", None, "git::https://github.com/acme/a.git", "", false);
        check("anything", None, "", "", true);
        for (constraint, version, fits) in [
            ("~> 5.0", "5.9.1", true),
            ("~> 5.0", "6.0.0", false),
            ("~> 5.1.2", "5.1.9", true),
            ("~> 5.1.2", "5.2.0", false),
            ("~> 5", "9.0.0", true),
            (">= 4, < 6, != 5.1.0", "5.1.0", false),
            (">= 4.0, < 6.0", "5.1.0", true),
            ("= 5.1", "5.1.0", true),
            ("> 5.1.0", "5.1.0", false),
            ("<= 5.1.0", "5.1.0", true),
            ("5.1.0-beta", "5.1.0", true),
            ("latest", "5.1.0", true),
        ] {
            check("acme/vpc/aws", Some(constraint), vpc, version, fits);
        }
    }
}
