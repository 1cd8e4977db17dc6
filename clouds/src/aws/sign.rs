//! Signature Version 4, by the official implementation.

use super::{endpoint::Place, model::Service};
use crate::http::Send;
use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign as sign_request,
    },
    sign::v4,
};
use std::time::SystemTime;

/// Adds the signature for the place's region and the service's signing name.
pub fn sign(
    send: &mut Send,
    service: &Service,
    place: &Place,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<(), String> {
    let mut settings = SigningSettings::default();
    if service.signing == "s3" {
        // Keys of objects may contain anything; S3 takes the path as it is written.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&place.signing_region)
        .name(&service.signing)
        .time(now)
        .settings(settings)
        .build()
        .map_err(|e| format!("cannot sign: {e}"))?
        .into();
    let headers = send.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let signable = SignableRequest::new(&send.method, &send.url, headers, SignableBody::Bytes(&send.body))
        .map_err(|e| format!("cannot sign: {e}"))?;
    let (instructions, _) = sign_request(signable, &parameters).map_err(|e| format!("cannot sign: {e}"))?.into_parts();
    let (headers, _) = instructions.into_parts();
    send.headers.extend(headers.iter().map(|header| (header.name().to_owned(), header.value().to_owned())));
    Ok(())
}
