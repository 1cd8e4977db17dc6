//! Methods that act on what exists: read a secret, rewrite a policy, replace code; and on the accounts of the organization.

use super::{
    super::{
        super::{arn::is_account_id, context::Fact, workloads::Workload},
        edge::{Evidence, Node},
        witness::{complete, tags, witnesses, workload_arns},
    },
    Search, Step,
};
use serde_json::Value as Json;
use std::sync::Arc;

impl Search<'_> {
    /// Whether the actor may do all of a method's calls on a workload.
    pub(super) fn on_workload(&self, step: &Step<'_>, item: &Workload) -> Option<Vec<Arc<Evidence>>> {
        let mut because = Vec::new();
        let policy = self.own_policy(item);
        for action in step.actions {
            let service = action.split(':').next().unwrap_or_default();
            let context = tags(item, service);
            let extra: Vec<(&str, Fact)> = context.iter().map(|(k, f)| (k.as_str(), f.clone())).collect();
            let mut on = workload_arns(step.actor, action, item, &self.regions);
            let new = step.method.requires.iter().any(|(p, on)| p.eq_ignore_ascii_case(action) && on == "new");
            if new {
                on = witnesses(step.actor, action, &self.regions);
            }
            if !complete(step.actor, self.org, action, &self.regions) {
                return None;
            }
            // The item's own policy speaks of calls to its own service.
            let about = item.kind.contains(&format!("_{service}_")).then_some(policy).flatten();
            let found = on.into_iter().find(|r| step.actor.can_with(self.org, action, r, &extra, about))?;
            let why = step.actor.why(self.org, action, &found, &extra, about);
            because.push(Evidence::of(action, &found, why));
        }
        Some(because)
    }

    fn own_policy(&self, item: &Workload) -> Option<&super::Policy> {
        let at = self.inventory?.items.iter().position(|w| std::ptr::eq(w, item))?;
        self.own_policies.get(&at).map(AsRef::as_ref)
    }

    pub(super) fn resource(&mut self, step: &Step<'_>) {
        let Some(inventory) = self.inventory else { return };
        let how = &step.method.how;
        for kind in &how.types {
            for item in inventory.of(kind).filter(|w| fits(w, &how.needs)) {
                if let Some(because) = self.on_workload(step, item) {
                    let to = item.attrs.get("arn").and_then(Json::as_str).unwrap_or(&item.name).to_owned();
                    self.link(step, &to, Node::End, because, false);
                }
            }
        }
    }

    /// Replacing an object that something runs as code.
    pub(super) fn poison(&mut self, step: &Step<'_>) {
        let Some(inventory) = self.inventory else { return };
        let details = self.details;
        for kind in &step.method.how.types {
            for item in inventory.of(kind) {
                let mut objects = Vec::new();
                item.attrs.values().for_each(|v| objects_in(v, &mut objects));
                pairs(&item.attrs, &mut objects);
                let partition = step.actor.caller.partition();
                let written = objects.iter().find_map(|(bucket, key)| {
                    let bucket_item = inventory
                        .of("aws_s3_bucket")
                        .find(|b| b.attrs.get("bucket").and_then(Json::as_str) == Some(bucket));
                    let policy = bucket_item.and_then(|b| self.own_policy(b));
                    let arn = format!("arn:{partition}:s3:::{bucket}/{key}");
                    let can = step.actor.can_with(self.org, "s3:putobject", &arn, &[], policy);
                    can.then(|| {
                        Evidence::of("s3:putobject", &arn, step.actor.why(self.org, "s3:putobject", &arn, &[], policy))
                    })
                });
                let Some(written) = written else { continue };
                let mut unclear = false;
                let roles = inventory.roles(item, &step.method.how.ignore, &self.roles, &mut unclear);
                // A function holds a copy of its code until someone deploys it again.
                let copied = item.kind == "aws_lambda_function";
                for (at, role) in details.principals.iter().enumerate().filter(|(_, p)| roles.contains(&p.arn)) {
                    if at == step.actor.principal || role.account != step.principal.account {
                        continue;
                    }
                    let because =
                        vec![written.clone(), Evidence::fact("exists", &format!("{} {}", item.kind, item.name))];
                    self.link(step, &role.arn, if copied { Node::End } else { Node::Actor(at) }, because, false);
                }
            }
        }
    }

    /// Acting in the organization's member accounts from its management account.
    pub(super) fn member(&mut self, step: &Step<'_>) {
        let own = step.principal.account.as_str();
        if !self.org.is_management(own) {
            return;
        }
        let Some(action) = step.actions.first() else { return };
        let partition = step.actor.caller.partition();
        let mut members: Vec<String> = self.details.accounts().into_iter().map(str::to_owned).collect();
        members.extend(self.org.accounts.keys().cloned());
        for on in witnesses(step.actor, action, &self.regions) {
            members.extend(on.split(':').nth(4).filter(|a| is_account_id(a)).map(str::to_owned));
        }
        members.retain(|m| m != own);
        members.sort();
        members.dedup();
        if members.is_empty() {
            // Any account will do when the actor is not held to some.
            members.push("000000000000".into());
        }
        let suffix = if action == "sts:assumeroot" { "root" } else { "role/OrganizationAccountAccessRole" };
        for member in members {
            let arn = format!("arn:{partition}:iam::{member}:{suffix}");
            // A role that is known is assumed by what its trust policy says.
            if self.details.principal(&arn).is_some() {
                continue;
            }
            // The member's side trusts the management account: what the actor's own policies say decides.
            let trust = super::trust_everyone();
            let policy = if action == "sts:assumeroot" { root_access() } else { trust };
            if step.actor.can_with(self.org, action, &arn, &[], Some(&policy)) {
                let why = step.actor.why(self.org, action, &arn, &[], Some(&policy));
                let to = if member == "000000000000" { arn.replace("000000000000", "*") } else { arn.clone() };
                self.link(step, &to, Node::End, vec![Evidence::of(action, &to, why)], false);
            }
        }
    }
}

/// The consent of a member account to its management account's root sessions.
fn root_access() -> Arc<super::Policy> {
    use super::super::super::document::Document;
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRoot"}}"#;
    let empty = Document { version: "".into(), statements: Box::default(), problems: Vec::new() };
    Arc::new(super::Policy::new("centralized root access", Document::parse(text).unwrap_or(empty)))
}

/// Whether an item is of the sort a method needs; no need is met by all.
pub(super) fn fits(item: &Workload, needs: &str) -> bool {
    let text = |name: &str| item.attrs.get(name).and_then(Json::as_str).unwrap_or_default().to_ascii_lowercase();
    let truth =
        |name: &str| item.attrs.get(name).is_some_and(|v| v.as_bool() == Some(true) || v.as_str() == Some("true"));
    match needs {
        "windows" => {
            truth("get_password_data") || text("platform").starts_with("windows") || text("ami").contains("windows")
        }
        "iam-auth" => truth("iam_database_authentication_enabled"),
        "state" => {
            const ENDINGS: &[&str] =
                &[".tfstate", ".tfstate.backup", ".bak", ".sql", ".dump", ".env", ".pem", "credentials"];
            ENDINGS.iter().any(|e| text("key").ends_with(e))
        }
        _ => true,
    }
}

/// The objects a value's text names: `s3://bucket/key`, in scripts too.
fn objects_in(value: &Json, out: &mut Vec<(String, String)>) {
    match value {
        Json::String(text) => {
            for (at, _) in text.match_indices("s3://") {
                let rest = text.get(at + 5..).unwrap_or_default();
                let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | ')' | '`'));
                let address = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
                if let Some((bucket, key)) = address.split_once('/') {
                    out.push((bucket.to_owned(), key.to_owned()));
                }
            }
        }
        Json::Array(list) => list.iter().for_each(|v| objects_in(v, out)),
        Json::Object(map) => {
            pairs(map, out);
            map.values().for_each(|v| objects_in(v, out));
        }
        _ => {}
    }
}

/// Bucket and key given as two attributes.
fn pairs(map: &serde_json::Map<String, Json>, out: &mut Vec<(String, String)>) {
    let text = |name: &str| map.get(name).and_then(Json::as_str);
    for (bucket, key) in [("s3_bucket", "s3_key"), ("source_bucket_arn", "dag_s3_path"), ("bucket", "key")] {
        if let (Some(bucket), Some(key)) = (text(bucket), text(key)) {
            let name = bucket.rsplit(':').next().unwrap_or(bucket);
            out.push((name.to_owned(), key.trim_start_matches('/').to_owned()));
        }
    }
}
