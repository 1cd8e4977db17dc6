//! The border to the policy engine: what rules may ask of a policy document.

use plumb_model::Value;

/// Who is asking: needed to tell outsiders from one's own.
#[derive(Debug, Clone, Copy)]
pub struct PolicyContext<'a> {
    /// The account the policy's resource is in.
    pub account: &'a str,
    /// The accounts of the same organisation, sorted; empty when not known.
    pub organization_accounts: &'a [String],
    /// The organisation's id; empty when not known.
    pub organization_id: &'a str,
}

/// A policy engine: reads documents.
pub trait Policies: Sync {
    /// Reads a policy document (a map with a `Statement`). A null document answers as if it held no statement.
    fn read(&self, policy: &Value) -> Box<dyn Policy>;
}

/// Questions about one policy document.
///
/// Texts name a statement by its Sid or position and what it grants, for people to read; they are stable for the same
/// document.
pub trait Policy {
    /// Statements that let anyone in without a condition that restricts who; only those granting one of `actions`
    /// (wildcards allowed) when it is given.
    fn public_statements(&self, actions: Option<&[String]>) -> Vec<String>;
    /// Accounts let in that are neither this one nor in its organisation.
    fn external_accounts(&self, context: PolicyContext<'_>) -> Vec<String>;
    /// Statements that allow every action on every resource.
    fn admin_statements(&self) -> Vec<String>;
    /// `service:*` allowed on every resource.
    fn service_wildcards(&self) -> Vec<String>;
    /// Whether some resource is allowed the action and no statement denies it everywhere.
    fn allows_action(&self, action: &str) -> bool;
    /// Whether requests without TLS are denied for everyone.
    fn requires_tls(&self) -> bool;
    /// Statements that trust an OIDC provider without binding whose tokens.
    fn unbound_oidc(&self) -> Vec<String>;
    /// Service principals let in with nothing that binds on whose behalf.
    fn unbound_services(&self) -> Vec<String>;
    /// Actions of a kind (`any`, `write`, `permissions`, `data`, `credentials`) that are allowed on every resource without a
    /// condition: some of them when there are many.
    fn unrestricted(&self, what: &str) -> Vec<String>;
    /// Ways to more privilege that the policy gives by itself.
    fn escalations(&self) -> Vec<String>;
}
