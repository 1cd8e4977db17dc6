//! Sign-in the way the AWS command line does it, by the official `aws-config`.
//!
//! Environment, profiles with their role chains, SSO, `credential_process`, web identity, container and instance
//! metadata: in the order the official tools try them.

use super::session::Session;
use crate::http::Http;
use aws_config::{BehaviorVersion, Region};

/// What was found.
#[derive(Debug, Clone)]
pub struct Login {
    /// The credentials; asked for at the first call.
    pub session: Session,
    /// The region of the profile or environment.
    pub region: Option<String>,
    /// The endpoint of the profile or environment.
    pub endpoint_url: Option<String>,
    /// Whether the profile or environment asks for FIPS endpoints.
    pub fips: bool,
}

/// Looks for credentials; `profile` and `region` come before what the environment says. Nothing is sent yet.
///
/// Fails only when the CA bundle cannot be read; that there are no credentials shows at the first call.
pub async fn login(http: &Http, profile: Option<&str>, region: Option<&str>) -> Result<Login, String> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http.for_credentials()?);
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    let config = loader.load().await;
    let provider = config.credentials_provider().ok_or("no source of credentials")?;
    Ok(Login {
        session: Session::provider(provider),
        region: config.region().map(|region| region.as_ref().to_owned()),
        endpoint_url: config.endpoint_url().map(str::to_owned),
        fips: config.use_fips().unwrap_or(false),
    })
}
