//! Answers rules' questions about policy documents: each is put to [`plumb_assess::policy`], the reading of statements
//! that decides requests too.

use plumb_assess::policy::{self, Definition, Document};
use plumb_evaluate::{Policies, Policy, PolicyContext};
use plumb_model::Value;

/// The policy engine behind rule pages.
#[derive(Debug, Clone, Copy, Default)]
pub struct Engine;

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}

impl Policies for Engine {
    fn read(&self, policy: &Value) -> Box<dyn Policy> {
        Box::new(Read(if policy.is_null() { None } else { policy::document(policy.to_plain_json()) }))
    }
}

/// The document as the assessing engine reads it; none when it is no policy at all.
struct Read(Option<Document>);

impl Read {
    /// What `question` says of the document; nothing of one that cannot be read.
    fn ask<T: Default>(&self, question: impl FnOnce(&Document) -> T) -> T {
        self.0.as_ref().map(question).unwrap_or_default()
    }
}

impl Policy for Read {
    fn public_statements(&self, actions: Option<&[String]>) -> Vec<String> {
        self.ask(|document| {
            let mut found: Vec<(usize, String)> = policy::open_statements(document, Definition::Reachable)
                .filter(|s| actions.is_none_or(|wanted| wanted.iter().any(|a| policy::speaks_of(s, a))))
                .map(|s| (s.index, policy::shown(s)))
                .collect();
            // A statement that cannot be read for certain is taken at its widest.
            let lost = policy::lost_open(document);
            found.extend(lost.into_iter().map(|at| (at, format!("statement {at}: * may what cannot be read"))));
            found.sort();
            found.into_iter().map(|(_, text)| text).collect()
        })
    }

    fn external_accounts(&self, context: PolicyContext<'_>) -> Vec<String> {
        let trusted: Vec<&str> = context.organization_accounts.iter().map(String::as_str).collect();
        self.ask(|document| {
            let grants = policy::external_accounts(document, context.account, &trusted);
            sorted(grants.into_iter().map(|g| g.account).collect())
        })
    }

    fn admin_statements(&self) -> Vec<String> {
        self.ask(|document| policy::admin_statements(document).into_iter().map(policy::shown).collect())
    }

    fn service_wildcards(&self) -> Vec<String> {
        self.ask(policy::service_wildcards)
    }

    fn allows_action(&self, action: &str) -> bool {
        self.ask(|document| policy::gives(document, action))
    }

    fn requires_tls(&self) -> bool {
        self.ask(policy::denies_insecure_transport)
    }

    fn unbound_oidc(&self) -> Vec<String> {
        self.ask(|document| {
            let loose: Vec<String> =
                policy::oidc_trusts(document).into_iter().filter(|t| !t.subject_bound).map(|t| t.statement).collect();
            let provider = |s: &policy::Statement| {
                let named = s.principals.as_ref();
                named.is_some_and(|p| p.entries.iter().any(|e| e.text().contains(":oidc-provider/")))
            };
            let statements = document.statements.iter().filter(|s| loose.contains(&s.label()) && provider(s));
            statements.map(policy::shown).collect()
        })
    }

    fn unbound_services(&self) -> Vec<String> {
        self.ask(|document| sorted(policy::confused_deputy(document).into_iter().map(|d| d.service).collect()))
    }

    fn unrestricted(&self, what: &str) -> Vec<String> {
        policy::Wide::named(what).map(|what| self.ask(|d| policy::unrestricted(d, what))).unwrap_or_default()
    }

    fn escalations(&self) -> Vec<String> {
        self.ask(policy::escalations)
    }
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
        let found = Engine.read(&policy(statement.clone())).public_statements(None);
        assert_eq!(!found.is_empty(), want, "{statement}: {found:?}");
    }

    #[track_caller]
    fn unrestricted(what: &str, statements: serde_json::Value, want: &[&str]) {
        assert_eq!(Engine.read(&policy(statements.clone())).unrestricted(what), want, "{what}: {statements}");
    }

    #[test]
    fn unrestricted_is_what_could_be_limited_and_is_not() {
        let allow = |action: &str, resource: &str| json!([{"Effect": "Allow", "Action": action, "Resource": resource}]);
        unrestricted("data", allow("s3:Get*", "*"), &["s3:GetObject"]);
        unrestricted("data", allow("s3:Get*", "arn:aws:s3:::nw-static/*"), &[]);
        unrestricted("write", allow("sqs:SendMessage", "*"), &["sqs:SendMessage"]);
        unrestricted("write", allow("sqs:SendMessage", "arn:*"), &["sqs:SendMessage"]);
        unrestricted("write", allow("logs:PutLogEvents", "${aws_cloudwatch_log_group.a.arn}:*"), &[]);
        unrestricted("write", allow("sqs:ReceiveMessage", "*"), &[]);
        unrestricted("any", allow("sqs:ReceiveMessage", "*"), &["sqs:ReceiveMessage"]);
        unrestricted("permissions", allow("sqs:SendMessage", "*"), &[]);
        unrestricted("permissions", allow("s3:PutBucketPolicy", "*"), &["s3:PutBucketPolicy"]);
        // What takes `*` only cannot be limited, but a credential is one all the same.
        unrestricted("any", allow("ecr:GetAuthorizationToken", "*"), &[]);
        unrestricted(
            "credentials",
            allow("sts:GetSessionToken", "arn:aws:iam::111122223333:user/a"),
            &["sts:GetSessionToken"],
        );
        unrestricted("credentials", allow("sts:AssumeRole", "arn:aws:iam::111122223333:role/a"), &[]);
        assert_eq!(Engine.read(&policy(allow("*", "*"))).unrestricted("any").len(), 10);
        let tagged = json!([{"Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/a": "b"}}}]);
        unrestricted("any", tagged, &[]);
        let taken = json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}, {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]);
        unrestricted("data", taken, &[]);
        unrestricted("no such kind", allow("*", "*"), &[]);
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
        assert_eq!(Engine.read(&trust).external_accounts(context), ["555566667777"]);
        assert_eq!(
            Engine.read(&policy(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}))).admin_statements().len(),
            1
        );
        assert!(
            Engine
                .read(&policy(json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})))
                .admin_statements()
                .is_empty()
        );
        assert_eq!(
            Engine
                .read(&policy(json!({"Effect": "Allow", "Action": ["kms:*", "s3:Get*"], "Resource": "*"})))
                .service_wildcards(),
            ["kms:*"]
        );
        let tls = policy(
            json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}),
        );
        let tls_if = |condition: serde_json::Value| {
            policy(json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": condition}))
        };
        assert!(Engine.read(&tls_if(json!({"NumericLessThanIfExists": {"s3:TlsVersion": "1.2"}}))).requires_tls());
        // Without TLS the request has no version, so this spares it.
        assert!(!Engine.read(&tls_if(json!({"NumericLessThan": {"s3:TlsVersion": "1.2"}}))).requires_tls());
        // Two conditions must both hold: most requests pass.
        let both = json!({"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:PrincipalOrgID": "o-1"}});
        assert!(!Engine.read(&tls_if(both)).requires_tls());
        let lost = policy(
            json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*", "Conditions": {}}),
        );
        assert_eq!(
            Engine.read(&lost).public_statements(None).len(),
            1,
            "an element nobody knows does not make it private"
        );
        assert!(
            Engine.read(&tls).requires_tls()
                && !Engine.read(&trust).requires_tls()
                && !Engine.read(&Value::Null).requires_tls()
        );
        let oidc = |condition: serde_json::Value| {
            let federated = "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com";
            policy(
                json!({"Effect": "Allow", "Principal": {"Federated": federated}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition}),
            )
        };
        let sub = "token.actions.githubusercontent.com:sub";
        assert_eq!(Engine.read(&oidc(json!({"StringLike": {sub: "repo:*"}}))).unbound_oidc().len(), 1);
        assert_eq!(Engine.read(&oidc(json!({}))).unbound_oidc().len(), 1);
        assert!(Engine.read(&oidc(json!({"StringLike": {sub: "repo:northwind/*"}}))).unbound_oidc().is_empty());
        assert_eq!(
            Engine
                .read(&policy(
                    json!({"Effect": "Allow", "Action": ["iam:PassRole", "lambda:CreateFunction"], "Resource": "*"})
                ))
                .escalations(),
            ["iam:PassRole + lambda:CreateFunction"]
        );
    }
}
