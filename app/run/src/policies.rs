//! Answers rules' questions about policy documents.

use plumb_assess::policy::{self, Definition, Document};
use plumb_evaluate::{Policies, PolicyContext};
use plumb_model::Value;

/// The policy engine behind rule pages.
#[derive(Debug, Clone, Copy, Default)]
pub struct Engine;

struct Statement<'a> {
    value: &'a Value,
    position: usize,
}

fn list(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::List(items)) => items.iter().collect(),
        Some(one) => vec![one],
    }
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    list(value).into_iter().filter_map(Value::as_str).collect()
}

fn statements(policy: &Value) -> Vec<Statement<'_>> {
    list(policy.get("Statement"))
        .into_iter()
        .enumerate()
        .map(|(position, value)| Statement { value, position })
        .collect()
}

/// `*` and `?` as in policies; case matters to nobody here.
fn glob(pattern: &str, text: &str) -> bool {
    let (p, t) = (pattern.as_bytes(), text.as_bytes());
    let (mut i, mut j, mut star, mut mark) = (0, 0, None, 0);
    while let Some(wanted) = t.get(j) {
        match p.get(i) {
            Some(b'*') => {
                star = Some(i);
                mark = j;
                i += 1;
            }
            Some(b) if *b == b'?' || b.eq_ignore_ascii_case(wanted) => {
                i += 1;
                j += 1;
            }
            _ => {
                let Some(s) = star else { return false };
                i = s + 1;
                mark += 1;
                j = mark;
            }
        }
    }
    p.iter().skip(i).all(|b| *b == b'*')
}

/// Whether two patterns can match a common text, as far as one covering the other tells.
fn overlap(a: &str, b: &str) -> bool {
    glob(a, b) || glob(b, a)
}

impl Statement<'_> {
    fn effect(&self, want: &str) -> bool {
        self.value.get("Effect").and_then(Value::as_str).is_some_and(|e| e.eq_ignore_ascii_case(want))
    }

    /// Whom the statement names, as (type, name); `("*", "*")` for anybody.
    fn principals(&self) -> Vec<(String, String)> {
        match self.value.get("Principal") {
            Some(Value::Str(text)) => vec![("*".into(), text.to_string())],
            Some(Value::Map(map)) => map
                .iter()
                .flat_map(|(kind, names)| texts(Some(names)).into_iter().map(move |n| (kind.to_owned(), n.to_owned())))
                .collect(),
            // A NotPrincipal in an Allow lets in everybody it does not name.
            _ if self.value.get("NotPrincipal").is_some() => vec![("*".into(), "*".into())],
            _ => Vec::new(),
        }
    }

    fn anyone(&self) -> bool {
        self.principals().iter().any(|(kind, name)| name == "*" && matches!(kind.as_str(), "*" | "AWS"))
    }

    fn grants(&self, action: &str) -> bool {
        let named = texts(self.value.get("Action"));
        if !named.is_empty() {
            return named.iter().any(|a| overlap(a, action));
        }
        let excluded = texts(self.value.get("NotAction"));
        !excluded.is_empty() && !excluded.iter().any(|a| glob(a, action))
    }

    fn on_everything(&self) -> bool {
        texts(self.value.get("Resource")).contains(&"*") || self.value.get("NotResource").is_some()
    }

    fn name(&self) -> String {
        match self.value.get("Sid").and_then(Value::as_str).filter(|s| !s.is_empty()) {
            Some(sid) => format!("statement {sid}"),
            None => format!("statement {}", self.position),
        }
    }

    fn shown(&self) -> String {
        let who: Vec<String> = self.principals().into_iter().map(|(_, name)| name).collect();
        let actions = texts(self.value.get("Action")).join(", ");
        let actions = if actions.is_empty() {
            format!("everything but {}", texts(self.value.get("NotAction")).join(", "))
        } else {
            actions
        };
        let who = if who.is_empty() { String::new() } else { format!("{} may ", who.join(", ")) };
        format!("{}: {who}{actions}", self.name())
    }

    /// Each condition as (operator, key, values), the first two in lower case.
    fn conditions(&self) -> Vec<(String, String, Vec<String>)> {
        let Some(Value::Map(operators)) = self.value.get("Condition") else { return Vec::new() };
        let mut out = Vec::new();
        for (operator, keys) in operators.iter() {
            if let Value::Map(keys) = keys {
                for (key, values) in keys.iter() {
                    let values = list(Some(values))
                        .into_iter()
                        .map(|v| match v {
                            Value::Str(s) => s.to_string(),
                            other => other.to_plain_json().to_string(),
                        })
                        .collect();
                    out.push((operator.to_ascii_lowercase(), key.to_ascii_lowercase(), values));
                }
            }
        }
        out
    }
}

/// The document as the assessing engine reads it; none when it is no policy at all.
fn document(policy: &Value) -> Option<Document> {
    (!policy.is_null()).then(|| Document::parse(with_everyone(policy.to_plain_json())).ok()).flatten()
}

/// Whether some statement allows the action and none denies it everywhere.
fn allows(all: &[Statement<'_>], action: &str) -> bool {
    let denied = all.iter().any(|s| {
        s.effect("Deny")
            && texts(s.value.get("Action")).iter().any(|a| glob(a, action))
            && s.on_everything()
            && s.conditions().is_empty()
    });
    !denied && all.iter().any(|s| s.effect("Allow") && s.grants(action))
}

impl Policies for Engine {
    fn public_statements(&self, policy: &Value, actions: Option<&[String]>) -> Vec<String> {
        let all = statements(policy);
        let wanted = |s: &Statement<'_>| actions.is_none_or(|wanted| wanted.iter().any(|a| s.grants(a)));
        let document = document(policy);
        let read = |at: usize| document.iter().flat_map(|d| &d.statements).any(|s| s.index == at);
        let open: Vec<usize> =
            document.iter().flat_map(|d| policy::open_statements(d, Definition::Reachable)).map(|s| s.index).collect();
        // A statement that cannot be read for certain is taken at its widest.
        let lost = |s: &Statement<'_>| !read(s.position) && s.effect("Allow") && s.anyone();
        all.iter().filter(|s| (open.contains(&s.position) || lost(s)) && wanted(s)).map(Statement::shown).collect()
    }

    fn external_accounts(&self, policy: &Value, context: PolicyContext<'_>) -> Vec<String> {
        let Some(document) = document(policy) else { return Vec::new() };
        let trusted: Vec<&str> = context.organization_accounts.iter().map(String::as_str).collect();
        let mut found: Vec<String> =
            policy::external_accounts(&document, context.account, &trusted).into_iter().map(|g| g.account).collect();
        found.sort();
        found.dedup();
        found
    }

    fn admin_statements(&self, policy: &Value) -> Vec<String> {
        statements(policy)
            .iter()
            .filter(|s| s.effect("Allow") && s.on_everything() && s.conditions().is_empty())
            .filter(|s| texts(s.value.get("Action")).iter().any(|a| matches!(*a, "*" | "*:*")))
            .map(Statement::shown)
            .collect()
    }

    fn service_wildcards(&self, policy: &Value) -> Vec<String> {
        let mut found: Vec<String> = statements(policy)
            .iter()
            .filter(|s| s.effect("Allow") && s.on_everything())
            .flat_map(|s| texts(s.value.get("Action")))
            .filter(|a| a.ends_with(":*") && !a.starts_with('*'))
            .map(str::to_owned)
            .collect();
        found.sort();
        found.dedup();
        found
    }

    fn allows_action(&self, policy: &Value, action: &str) -> bool {
        allows(&statements(policy), action)
    }

    fn requires_tls(&self, policy: &Value) -> bool {
        statements(policy).iter().any(|s| {
            let everything = texts(s.value.get("Action")).iter().any(|a| *a == "*" || a.ends_with(":*"));
            s.effect("Deny")
                && s.anyone()
                && everything
                && s.conditions().iter().any(|(operator, key, values)| {
                    let tls = key == "aws:securetransport"
                        && operator.starts_with("bool")
                        && values.iter().any(|v| v.eq_ignore_ascii_case("false"));
                    let version = key == "s3:tlsversion" && operator.starts_with("numericless");
                    tls || version
                })
        })
    }

    fn unbound_oidc(&self, policy: &Value) -> Vec<String> {
        statements(policy)
            .iter()
            .filter(|s| {
                s.effect("Allow")
                    && s.principals().iter().any(|(kind, name)| kind == "Federated" && name.contains("oidc-provider/"))
            })
            .filter(|s| {
                !s.conditions().iter().any(|(operator, key, values)| {
                    let operator = operator.trim_start_matches("foranyvalue:").trim_start_matches("forallvalues:");
                    let subject =
                        key.ends_with(":sub") || key.ends_with(":repository") || key.ends_with(":repository_owner");
                    let bound = |v: &String| {
                        let scope = v.strip_prefix("repo:").unwrap_or(v);
                        // The owner must be fixed: `repo:northwind/*` names somebody, `repo:*` does not.
                        !scope.is_empty()
                            && !scope.starts_with('*')
                            && !scope.starts_with('?')
                            && !scope.split('/').next().unwrap_or_default().contains('*')
                    };
                    subject
                        && matches!(operator, "stringequals" | "stringlike" | "stringequalsignorecase")
                        && values.iter().all(bound)
                })
            })
            .map(Statement::shown)
            .collect()
    }

    fn unbound_services(&self, policy: &Value) -> Vec<String> {
        let mut found: Vec<String> = statements(policy)
            .iter()
            .filter(|s| s.effect("Allow"))
            .filter(|s| {
                !s.conditions().iter().any(|(operator, key, values)| {
                    matches!(
                        key.as_str(),
                        "aws:sourcearn"
                            | "aws:sourceaccount"
                            | "aws:sourceorgid"
                            | "aws:sourceorgpaths"
                            | "aws:principalorgid"
                    ) && !operator.contains("not")
                        && values.iter().all(|v| v != "*")
                })
            })
            .flat_map(Statement::principals)
            .filter(|(kind, _)| kind == "Service")
            .map(|(_, name)| name)
            .collect();
        found.sort();
        found.dedup();
        found
    }

    fn escalations(&self, policy: &Value) -> Vec<String> {
        let all = statements(policy);
        ESCALATIONS
            .iter()
            .filter(|needed| needed.iter().all(|action| allows(&all, action)))
            .map(|needed| needed.join(" + "))
            .collect()
    }
}

/// Actions that together give more privilege than they seem to. Sources: Rhino Security Labs' list and pathfinding.cloud.
const ESCALATIONS: [&[&str]; 22] = [
    &["iam:CreatePolicyVersion"],
    &["iam:SetDefaultPolicyVersion"],
    &["iam:CreateAccessKey"],
    &["iam:CreateLoginProfile"],
    &["iam:UpdateLoginProfile"],
    &["iam:AttachUserPolicy"],
    &["iam:AttachGroupPolicy"],
    &["iam:AttachRolePolicy"],
    &["iam:PutUserPolicy"],
    &["iam:PutGroupPolicy"],
    &["iam:PutRolePolicy"],
    &["iam:AddUserToGroup"],
    &["iam:UpdateAssumeRolePolicy"],
    &["iam:PassRole", "ec2:RunInstances"],
    &["iam:PassRole", "lambda:CreateFunction"],
    &["iam:PassRole", "glue:CreateDevEndpoint"],
    &["iam:PassRole", "cloudformation:CreateStack"],
    &["iam:PassRole", "datapipeline:CreatePipeline", "datapipeline:PutPipelineDefinition"],
    &["iam:PassRole", "codebuild:CreateProject"],
    &["iam:PassRole", "sagemaker:CreateNotebookInstance"],
    &["iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:RunTask"],
    &["lambda:UpdateFunctionCode"],
];

/// A principal ARN whose account is `*` (`arn:aws:iam::*:root`) means everyone, as some services write it back.
fn with_everyone(mut policy: serde_json::Value) -> serde_json::Value {
    fn everyone(name: &mut serde_json::Value) {
        match name {
            serde_json::Value::Array(names) => names.iter_mut().for_each(everyone),
            serde_json::Value::String(text) if text.starts_with("arn:") && text.split(':').nth(4) == Some("*") => {
                *text = "*".into();
            }
            _ => {}
        }
    }
    let statements = match policy.get_mut("Statement") {
        Some(serde_json::Value::Array(items)) => items.iter_mut().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    for statement in statements {
        if let Some(aws) = statement.get_mut("Principal").and_then(|p| p.get_mut("AWS")) {
            everyone(aws);
        }
    }
    policy
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(statement: serde_json::Value) -> Value {
        Value::from_json(&json!({"Version": "2012-10-17", "Statement": statement}))
    }

    #[track_caller]
    fn public(statement: serde_json::Value, want: bool) {
        let found = Engine.public_statements(&policy(statement.clone()), None);
        assert_eq!(!found.is_empty(), want, "{statement}: {found:?}");
    }

    #[test]
    fn public_means_anyone_without_a_fixed_condition() {
        let base = |principal: serde_json::Value, condition: serde_json::Value| json!([{"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "*", "Condition": condition}]);
        public(base(json!("*"), json!({})), true);
        public(base(json!({"AWS": "*"}), json!({})), true);
        public(base(json!({"AWS": ["arn:aws:iam::111122223333:root", "*"]}), json!({})), true);
        public(base(json!({"AWS": "arn:aws:iam::111122223333:root"}), json!({})), false);
        public(base(json!({"AWS": "arn:aws:iam::*:root"}), json!({})), true);
        public(base(json!({"Service": "sns.amazonaws.com"}), json!({})), false);
        public(base(json!("*"), json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}})), false);
        public(base(json!("*"), json!({"StringLike": {"aws:PrincipalOrgID": "*"}})), true);
        public(base(json!("*"), json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}})), true);
        public(base(json!("*"), json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})), false);
        public(base(json!("*"), json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})), true);
        public(base(json!("*"), json!({"Bool": {"aws:SecureTransport": "true"}})), true);
        public(base(json!("*"), json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:111122223333:*"}})), false);
        public(base(json!("*"), json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}})), true);
        public(
            json!([{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"},
                   {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}}]),
            false,
        );
    }

    #[test]
    fn other_questions() {
        let trust = policy(
            json!([{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::555566667777:root", "100000000001"]}, "Action": "sts:AssumeRole"}]),
        );
        let context = PolicyContext { account: "100000000001", organization_accounts: &[], organization_id: "" };
        assert_eq!(Engine.external_accounts(&trust, context), ["555566667777"]);
        assert_eq!(
            Engine.admin_statements(&policy(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}))).len(),
            1
        );
        assert!(
            Engine.admin_statements(&policy(json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}))).is_empty()
        );
        assert_eq!(
            Engine.service_wildcards(&policy(
                json!({"Effect": "Allow", "Action": ["kms:*", "s3:Get*"], "Resource": "*"})
            )),
            ["kms:*"]
        );
        let tls = policy(
            json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}),
        );
        assert!(Engine.requires_tls(&tls) && !Engine.requires_tls(&trust) && !Engine.requires_tls(&Value::Null));
        let oidc = |condition: serde_json::Value| {
            let federated = "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com";
            policy(
                json!({"Effect": "Allow", "Principal": {"Federated": federated}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition}),
            )
        };
        let sub = "token.actions.githubusercontent.com:sub";
        assert_eq!(Engine.unbound_oidc(&oidc(json!({"StringLike": {sub: "repo:*"}}))).len(), 1);
        assert_eq!(Engine.unbound_oidc(&oidc(json!({}))).len(), 1);
        assert!(Engine.unbound_oidc(&oidc(json!({"StringLike": {sub: "repo:northwind/*"}}))).is_empty());
        assert_eq!(
            Engine.escalations(&policy(
                json!({"Effect": "Allow", "Action": ["iam:PassRole", "lambda:CreateFunction"], "Resource": "*"})
            )),
            ["iam:PassRole + lambda:CreateFunction"]
        );
    }
}
