//! Who asks, and how policies name them.

use super::arn::{Arn, is_account_id};
use serde_json::Value as Json;

/// The kinds of callers IAM tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallerKind {
    /// The root user of an account.
    Root,
    /// An IAM user.
    User,
    /// A role, whatever the session.
    Role,
    /// A named session of a role.
    Session,
    /// A session from `sts:GetFederationToken`.
    FederatedUser,
    /// An AWS service acting for itself.
    Service,
    /// An identity of an OIDC or SAML provider before it holds a role.
    Provider,
    /// An S3 canonical user.
    Canonical,
    /// Nobody: an unsigned request.
    Anonymous,
}

/// The principal of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its kind.
    pub kind: CallerKind,
    /// Its ARN; the service name for a service, the provider for a provider, empty for an anonymous caller.
    pub arn: String,
    /// Its account id; empty for services and anonymous callers.
    pub account: String,
    /// For sessions and roles: the ARN of the role, with its path when that is known.
    pub role: Option<String>,
}

impl Caller {
    /// Reads a principal: an ARN of a user, role, session, federated user or root; an account id (its root); a
    /// service name (`lambda.amazonaws.com`); `*` or `anonymous` for an unsigned request.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text == "*" || text.eq_ignore_ascii_case("anonymous") {
            return Some(Self::anonymous());
        }
        if is_account_id(text) {
            return Self::parse(&format!("arn:aws:iam::{text}:root"));
        }
        let Some(arn) = Arn::parse(text) else {
            let kind = if text.ends_with(".amazonaws.com") || text.ends_with(".amazonaws.com.cn") {
                CallerKind::Service
            } else if text.contains('.') {
                CallerKind::Provider
            } else if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
                CallerKind::Canonical
            } else {
                return None;
            };
            return Some(Self { kind, arn: text.into(), account: String::new(), role: None });
        };
        let resource = arn.resource();
        let (kind, role) = match (arn.service(), resource.split('/').next().unwrap_or_default()) {
            ("iam", "root") => (CallerKind::Root, None),
            ("iam", "user") => (CallerKind::User, None),
            ("iam", "role") => (CallerKind::Role, Some(text.to_owned())),
            ("sts", "assumed-role") => {
                let name = resource.split('/').nth(1).unwrap_or_default();
                let role = format!("arn:{}:iam::{}:role/{name}", arn.partition(), arn.account());
                (CallerKind::Session, Some(role))
            }
            // A session of `sts:AssumeRoot`.
            ("sts", "assumed-root") => (CallerKind::Root, None),
            ("sts", "federated-user") => (CallerKind::FederatedUser, None),
            ("iam", "oidc-provider" | "saml-provider") => (CallerKind::Provider, None),
            _ => return None,
        };
        Some(Self { kind, arn: text.into(), account: arn.account().into(), role })
    }

    /// An unsigned request.
    pub fn anonymous() -> Self {
        Self { kind: CallerKind::Anonymous, arn: String::new(), account: String::new(), role: None }
    }

    /// An AWS service by its name, `lambda.amazonaws.com`.
    pub fn service(name: &str) -> Self {
        Self { kind: CallerKind::Service, arn: name.into(), account: String::new(), role: None }
    }

    /// The partition of its ARN, `aws` when it has none.
    pub fn partition(&self) -> &str {
        Arn::parse(&self.arn).map_or("aws", |arn| arn.partition())
    }

    /// The user's or role's name; empty for other kinds.
    pub fn name(&self) -> &str {
        match self.kind {
            CallerKind::User | CallerKind::Role => Arn::parse(&self.arn).map_or("", |arn| arn.name()),
            CallerKind::Session => self.role.as_deref().and_then(Arn::parse).map_or("", |arn| arn.name()),
            _ => "",
        }
    }

    /// What `aws:PrincipalArn` says: the role's ARN for a session.
    pub fn principal_arn(&self) -> &str {
        self.role.as_deref().unwrap_or(&self.arn)
    }

    /// What `aws:PrincipalType` says.
    pub fn principal_type(&self) -> &'static str {
        match self.kind {
            CallerKind::Root => "Account",
            CallerKind::User => "User",
            CallerKind::Role | CallerKind::Session => "AssumedRole",
            CallerKind::FederatedUser => "FederatedUser",
            CallerKind::Service => "Service",
            CallerKind::Provider | CallerKind::Canonical | CallerKind::Anonymous => "Anonymous",
        }
    }

    /// Whether it is a service-linked role, which organization policies do not bind.
    pub fn is_service_linked(&self) -> bool {
        self.role.as_deref().and_then(Arn::parse).is_some_and(|arn| {
            arn.resource().starts_with("role/aws-service-role/")
                || (self.kind == CallerKind::Session && arn.name().starts_with("AWSServiceRoleFor"))
        })
    }

    /// Whether it acts with IAM credentials of an account, so that identity and organization policies bind it.
    pub fn is_identity(&self) -> bool {
        matches!(
            self.kind,
            CallerKind::Root | CallerKind::User | CallerKind::Role | CallerKind::Session | CallerKind::FederatedUser
        )
    }
}

/// How a resource policy's principal element names a caller, from weakest to strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalMatch {
    /// It does not.
    None,
    /// By account: the account may delegate to its principals.
    Account,
    /// By user or role ARN, service or provider name.
    Principal,
    /// By the ARN of the session itself.
    Session,
    /// By `*`, or by not excluding it.
    Wildcard,
}

/// One entry of a principal element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrincipalEntry {
    /// `*`
    Everyone,
    /// An account id or the ARN of its root.
    Account(Box<str>),
    /// The ARN of a user, role, session or federated user.
    Arn(Box<str>),
    /// A service name.
    Service(Box<str>),
    /// An OIDC or SAML provider.
    Federated(Box<str>),
    /// An S3 canonical user id.
    Canonical(Box<str>),
    /// The unique id of a principal that no longer exists.
    Dangling(Box<str>),
}

/// `Principal` or `NotPrincipal`.
#[derive(Debug, Clone)]
pub struct Principals {
    /// Whether it is `NotPrincipal`.
    pub inverted: bool,
    /// The entries in order.
    pub entries: Box<[PrincipalEntry]>,
}

impl PrincipalEntry {
    fn aws(text: &str) -> Self {
        if text == "*" {
            return Self::Everyone;
        }
        if is_account_id(text) {
            return Self::Account(text.into());
        }
        match Arn::parse(text) {
            Some(arn) if arn.service() == "iam" && arn.resource() == "root" => Self::Account(arn.account().into()),
            Some(_) => Self::Arn(text.into()),
            None => Self::Dangling(text.into()),
        }
    }

    /// The account the entry names; none for `*`, services and providers of the web.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Account(id) => Some(id),
            Self::Arn(text) | Self::Federated(text) => {
                Arn::parse(text).map(|arn| arn.account()).filter(|a| !a.is_empty())
            }
            _ => None,
        }
    }

    /// The entry as a policy writes it.
    pub fn text(&self) -> &str {
        match self {
            Self::Everyone => "*",
            Self::Account(t)
            | Self::Arn(t)
            | Self::Service(t)
            | Self::Federated(t)
            | Self::Canonical(t)
            | Self::Dangling(t) => t,
        }
    }

    fn names(&self, caller: &Caller) -> PrincipalMatch {
        match (self, caller.kind) {
            (Self::Everyone, _) => PrincipalMatch::Wildcard,
            (Self::Account(id), _) if !caller.account.is_empty() && **id == *caller.account && caller.is_identity() => {
                if caller.kind == CallerKind::Root {
                    PrincipalMatch::Principal
                } else {
                    PrincipalMatch::Account
                }
            }
            (Self::Arn(arn), CallerKind::User) if **arn == *caller.arn => PrincipalMatch::Principal,
            (Self::Arn(arn), CallerKind::FederatedUser | CallerKind::Session) if **arn == *caller.arn => {
                PrincipalMatch::Session
            }
            (Self::Arn(arn), CallerKind::Role | CallerKind::Session) if same_role(arn, caller) => {
                PrincipalMatch::Principal
            }
            (Self::Service(name), CallerKind::Service) if **name == *caller.arn || &**name == "*" => {
                PrincipalMatch::Principal
            }
            // Some providers are named like services (`cognito-identity.amazonaws.com`).
            (Self::Federated(name), CallerKind::Provider | CallerKind::Service)
                if **name == *caller.arn || &**name == "*" =>
            {
                PrincipalMatch::Principal
            }
            (Self::Canonical(id), CallerKind::Canonical) if **id == *caller.arn => PrincipalMatch::Principal,
            _ => PrincipalMatch::None,
        }
    }
}

/// Whether `arn` names the caller's role. A session's ARN carries no path, so without the role's own ARN account and
/// name decide; role names are unique within an account.
pub(super) fn same_role(arn: &str, caller: &Caller) -> bool {
    let Some(role) = &caller.role else { return false };
    if arn == role {
        return true;
    }
    let (Some(named), Some(held)) = (Arn::parse(arn), Arn::parse(role)) else { return false };
    caller.kind == CallerKind::Session
        && held.resource() == format!("role/{}", held.name())
        && named.service() == "iam"
        && named.resource().starts_with("role/")
        && named.account() == held.account()
        && named.partition() == held.partition()
        && named.name() == held.name()
}

impl Principals {
    /// Reads the element's value.
    pub fn parse(inverted: bool, json: &Json) -> Result<Self, String> {
        let mut entries = Vec::new();
        match json {
            Json::String(text) if text == "*" => entries.push(PrincipalEntry::Everyone),
            Json::String(text) => {
                return Err(format!("principal `{text}` is not `*` or an object like {{\"AWS\": …}}"));
            }
            Json::Array(list) => entries.extend(list.iter().filter_map(Json::as_str).map(PrincipalEntry::aws)),
            Json::Object(kinds) => {
                for (kind, values) in kinds {
                    let make: fn(&str) -> PrincipalEntry = match kind.as_str() {
                        "AWS" => PrincipalEntry::aws,
                        "Service" => |t| PrincipalEntry::Service(t.into()),
                        "Federated" => |t| PrincipalEntry::Federated(t.into()),
                        "CanonicalUser" => |t| PrincipalEntry::Canonical(t.into()),
                        "*" => |_| PrincipalEntry::Everyone,
                        other => return Err(format!("`{other}` is not a kind of principal")),
                    };
                    entries.extend(super::document::strings(values).iter().map(|t| make(t)));
                }
            }
            _ => return Err("the principal is neither `*` nor an object".into()),
        }
        Ok(Self { inverted, entries: entries.into() })
    }

    /// How the element names `caller`.
    ///
    /// A `Deny` with `NotPrincipal` spares a user that is listed, a role's session only when account, role and session
    /// all are, and never a caller with a permissions boundary (`bounded`).
    pub fn names(&self, caller: &Caller, deny: bool, bounded: bool) -> PrincipalMatch {
        if !self.inverted {
            return self.entries.iter().map(|e| e.names(caller)).max().unwrap_or(PrincipalMatch::None);
        }
        let listed = |wanted: PrincipalMatch| self.entries.iter().any(|e| e.names(caller) == wanted);
        let spared = if listed(PrincipalMatch::Wildcard) {
            true
        } else if deny && bounded && caller.is_identity() {
            false
        } else if deny {
            match caller.kind {
                CallerKind::Role => listed(PrincipalMatch::Account) && listed(PrincipalMatch::Principal),
                CallerKind::Session => {
                    listed(PrincipalMatch::Account)
                        && listed(PrincipalMatch::Principal)
                        && listed(PrincipalMatch::Session)
                }
                CallerKind::FederatedUser => listed(PrincipalMatch::Account) && listed(PrincipalMatch::Session),
                _ => listed(PrincipalMatch::Principal),
            }
        } else {
            self.entries.iter().any(|e| e.names(caller) != PrincipalMatch::None)
        };
        if spared { PrincipalMatch::None } else { PrincipalMatch::Wildcard }
    }

    /// Whether the element admits anyone: `*`, or everyone not listed.
    pub fn is_open(&self) -> bool {
        self.inverted || self.entries.contains(&PrincipalEntry::Everyone)
    }
}
