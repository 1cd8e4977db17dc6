//! Credentials: where they come from, kept until they end, never shown.

use crate::wire::Boxed;
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::Mutex;

/// Credentials are renewed this long before they end.
const AHEAD: Duration = Duration::from_secs(300);

/// A source of credentials with what it gave last. Cheap to clone; clones share the credentials.
#[derive(Clone)]
pub struct Session {
    source: Arc<Source>,
    kept: Arc<Mutex<Option<Credentials>>>,
}

enum Source {
    Fixed,
    Provider(SharedCredentialsProvider),
    Role { base: Session, role: AssumeRole },
}

/// How to enter an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumeRole {
    /// `arn:aws:iam::123456789012:role/PlumblineReadOnly`.
    pub role_arn: String,
    /// What the trust policy asks for, if it does.
    pub external_id: Option<String>,
    /// Shown in the account's CloudTrail.
    pub session_name: String,
    /// How long the credentials last; AWS allows 900 seconds to the role's maximum.
    pub duration: Duration,
    /// The region whose STS is asked.
    pub region: String,
}

impl AssumeRole {
    /// A role with the product's session name, for an hour.
    pub fn new(role_arn: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            role_arn: role_arn.into(),
            external_id: None,
            session_name: "plumbline".into(),
            duration: Duration::from_secs(3600),
            region: region.into(),
        }
    }
}

/// There are no credentials to sign with. The message names the source, never what it holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no credentials: {0}")]
pub struct NoCredentials(pub(crate) String);

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &*self.source {
            Source::Fixed => "fixed".to_owned(),
            Source::Provider(_) => "provider".to_owned(),
            Source::Role { role, .. } => role.role_arn.clone(),
        };
        f.debug_struct("Session").field("source", &source).finish_non_exhaustive()
    }
}

/// Who can ask STS for a role's credentials: the client, so that this call is budgeted and counted too.
pub(super) trait Sts: Sync {
    /// The credentials of a role, asked for with those of the base session.
    fn assume<'a>(&'a self, base: &'a Session, role: &'a AssumeRole) -> Boxed<'a, Result<Credentials, NoCredentials>>;
}

impl Session {
    /// Keys as they are.
    pub fn fixed(access_key_id: &str, secret_access_key: &str, session_token: Option<&str>) -> Self {
        let token = session_token.map(str::to_owned);
        let credentials = Credentials::new(access_key_id, secret_access_key, token, None, "fixed");
        Self { source: Arc::new(Source::Fixed), kept: Arc::new(Mutex::new(Some(credentials))) }
    }

    /// Keys from `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`; none if the first two are not set.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let (id, secret) = (set("AWS_ACCESS_KEY_ID")?, set("AWS_SECRET_ACCESS_KEY")?);
        Some(Self::fixed(&id, &secret, set("AWS_SESSION_TOKEN").as_deref()))
    }

    /// Any official source: what `aws-config` finds, or one of the caller's.
    pub fn provider(provider: impl ProvideCredentials + 'static) -> Self {
        let source = Source::Provider(SharedCredentialsProvider::new(provider));
        Self { source: Arc::new(source), kept: Arc::default() }
    }

    /// A role entered from this session; chains are made by entering one from another.
    pub fn assume(&self, role: AssumeRole) -> Self {
        Self { source: Arc::new(Source::Role { base: self.clone(), role }), kept: Arc::default() }
    }

    /// Whether new credentials can be had when these end.
    pub fn renews(&self) -> bool {
        !matches!(*self.source, Source::Fixed)
    }

    /// The credentials, renewed when they are about to end. One task renews, the others wait for it.
    pub(super) async fn credentials(&self, sts: &dyn Sts) -> Result<Credentials, NoCredentials> {
        let mut kept = self.kept.lock().await;
        if let Some(credentials) = kept.as_ref() {
            let soon = SystemTime::now() + AHEAD;
            if !self.renews() || credentials.expiry().is_none_or(|end| end > soon) {
                return Ok(credentials.clone());
            }
        }
        let fresh = match &*self.source {
            Source::Fixed => return Err(NoCredentials("the keys were dropped".into())),
            Source::Provider(provider) => provider.provide_credentials().await.map_err(|e| NoCredentials(chain(&e)))?,
            Source::Role { base, role } => sts.assume(base, role).await?,
        };
        *kept = Some(fresh.clone());
        Ok(fresh)
    }

    /// Forgets credentials the provider called expired, unless another task has renewed them already.
    pub(super) async fn forget(&self, refused: &Credentials) {
        let mut kept = self.kept.lock().await;
        if self.renews() && kept.as_ref().is_some_and(|kept| kept.access_key_id() == refused.access_key_id()) {
            *kept = None;
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
