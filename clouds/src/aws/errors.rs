//! What an error answer means: one table for all services.

use super::{decode_xml, model::Service};
use crate::http::Reply;
use serde_json::Value;

/// An error as the provider said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The code on the wire: `NoSuchBucket`, `AWS.SimpleQueueService.NonExistentQueue`; the status where there is none.
    pub code: String,
    /// What it said, on one line, without anything secret.
    pub message: String,
    /// Where S3 says the bucket is.
    pub region: Option<String>,
}

/// The classes the client acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A permission is missing.
    Denied,
    /// Too fast.
    Throttled,
    /// May pass when repeated.
    Transient,
    /// The credentials are too old.
    Expired,
    /// The provider does not accept the credentials: invalid, or not valid in this region.
    Unaccepted,
    /// Our clock differs from theirs.
    Skewed,
    /// Not enabled, subscribed or offered.
    Disabled,
    /// The bucket is in another region.
    Elsewhere,
    /// Anything else.
    Other,
}

/// Codes by class. The lists hold what is common to many services; what one operation means by a code is declared by
/// its kind (absent, gone).
const CODES: &[(Class, &[&str])] = &[
    (
        Class::Throttled,
        &[
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "BandwidthLimitExceeded",
            "SlowDown",
            "PriorRequestNotComplete",
            "EC2ThrottledException",
            "ProvisionedThroughputExceededException",
        ],
    ),
    (
        Class::Transient,
        &[
            "RequestTimeout",
            "RequestTimeoutException",
            "InternalError",
            "InternalFailure",
            "InternalServerError",
            "InternalServiceError",
            "InternalServerException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "IDPCommunicationError",
            "TransactionInProgressException",
        ],
    ),
    (Class::Expired, &["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"]),
    (Class::Skewed, &["RequestTimeTooSkewed", "RequestInTheFuture"]),
    (
        Class::Unaccepted,
        &[
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "InvalidAccessKeyId",
            "AuthFailure",
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "IncompleteSignature",
            "InvalidToken",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "NotAuthorizedForRegion",
        ],
    ),
    (
        Class::Denied,
        &[
            "AccessDenied",
            "AccessDeniedException",
            "AccessDeniedFault",
            "UnauthorizedOperation",
            "AuthorizationError",
            "AuthorizationErrorException",
            "NotAuthorized",
            "NotAuthorizedException",
            "UnauthorizedException",
            "Unauthorized",
            "Forbidden",
            "ForbiddenException",
            "AllAccessDisabled",
            "InsufficientPrivilegesException",
            "KMSAccessDeniedException",
            "AccessForbidden",
            "401",
            "403",
        ],
    ),
    (
        Class::Disabled,
        &[
            "OptInRequired",
            "SubscriptionRequired",
            "SubscriptionRequiredException",
            "NotSignedUp",
            "UnknownOperationException",
            "InvalidAction",
            "RegionDisabledException",
            "UnsupportedRegion",
            "ServiceNotEnabledException",
            "AccountNotSubscribed",
        ],
    ),
    (Class::Elsewhere, &["PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "301", "307"]),
];

/// Words by which services refuse with an access code although nothing is wrong with permissions: Macie, Security Hub
/// and others answer `AccessDeniedException: Macie is not enabled`.
const NOT_ENABLED: &[&str] =
    &["is not enabled", "not subscribed", "has not been enabled", "is not activated", "not opted in"];

impl ApiError {
    /// Reads an answer that is not a success.
    pub fn read(service: &Service, reply: &Reply) -> Self {
        let text = String::from_utf8_lossy(&reply.body);
        let (mut code, mut message, mut region) = (String::new(), String::new(), None);
        let trimmed = text.trim_start_matches('\u{feff}').trim_start();
        if trimmed.starts_with('<') {
            if let Ok(document) = decode_xml::parse(trimmed) {
                let named = |name: &str| {
                    let mut nodes = document.descendants();
                    nodes.find(|node| node.tag_name().name() == name).and_then(|node| node.text()).map(str::trim)
                };
                code = named("Code").unwrap_or_default().to_owned();
                message = named("Message").or_else(|| named("message")).unwrap_or_default().to_owned();
                region = named("Region").map(str::to_owned);
            }
        } else if let Ok(body) = serde_json::from_str::<Value>(trimmed) {
            let named = |names: &[&str]| names.iter().find_map(|name| body.get(*name)?.as_str()).unwrap_or_default();
            code = bare(named(&["__type", "code", "Code", "errorCode"])).to_owned();
            message = named(&["message", "Message", "errorMessage"]).to_owned();
        }
        if let Some(header) = reply.header("x-amzn-errortype") {
            code = bare(header).to_owned();
        }
        if service.query_errors
            && let Some((past, _)) = reply.header("x-amzn-query-error").and_then(|header| header.split_once(';'))
        {
            code = past.to_owned();
        }
        if code.is_empty() {
            code = reply.status.to_string();
        }
        let region = reply.header("x-amz-bucket-region").map(str::to_owned).or(region);
        let message = presentable(&code, &message);
        Self { status: reply.status, code, message, region }
    }

    /// What it means.
    pub fn class(&self) -> Class {
        let code = self.code.strip_prefix("Client.").unwrap_or(&self.code);
        let listed = CODES.iter().find(|(_, codes)| codes.contains(&code)).map(|(class, _)| *class);
        match listed {
            Some(Class::Denied) if self.says_not_enabled() => Class::Disabled,
            Some(Class::Unaccepted) if self.message.contains("expired") => Class::Skewed,
            Some(class) => class,
            None if self.status == 429 => Class::Throttled,
            None if matches!(self.status, 500 | 502 | 503 | 504) => Class::Transient,
            None if matches!(self.status, 301 | 307) => Class::Elsewhere,
            None if self.region.is_some() && self.status == 400 => Class::Elsewhere,
            // A HEAD request answers without a body, and some services invent codes.
            None if matches!(self.status, 401 | 403) => Class::Denied,
            None => Class::Other,
        }
    }

    fn says_not_enabled(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        NOT_ENABLED.iter().any(|words| message.contains(words))
    }
}

/// `com.amazonaws.sqs#QueueDoesNotExist:http://…` → `QueueDoesNotExist`.
fn bare(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default().trim()
}

/// One line of at most 400 characters. Signature errors quote the signed headers, session token included, and
/// authorization errors carry an encoded blob: neither is shown.
fn presentable(code: &str, message: &str) -> String {
    if message.contains("Canonical String") || code == "SignatureDoesNotMatch" || code == "InvalidSignatureException" {
        let expired = if message.contains("Signature expired") { " (expired)" } else { "" };
        return format!("the signature was not accepted{expired}");
    }
    let message = message.split("Encoded authorization failure message").next().unwrap_or_default();
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::model::table;

    fn read(service: &str, status: u16, headers: &[(&str, &str)], body: &str) -> ApiError {
        let service = table().expect("table").service(service).expect("service");
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ApiError::read(service, &Reply { status, headers, body: body.as_bytes().to_vec() })
    }

    #[track_caller]
    fn check(error: &ApiError, code: &str, class: Class) {
        assert_eq!((error.code.as_str(), error.class()), (code, class), "{error:?}");
    }

    #[test]
    fn codes_of_all_protocols() {
        let query = "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>gone</Message></Error></ErrorResponse>";
        check(&read("iam", 404, &[], query), "NoSuchEntity", Class::Other);
        let ec2 = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized. Encoded authorization failure message: abc</Message></Error></Errors></Response>";
        let error = read("ec2", 403, &[], ec2);
        check(&error, "UnauthorizedOperation", Class::Denied);
        assert_eq!(error.message, "You are not authorized.");
        let s3 =
            "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message><Region>eu-west-1</Region></Error>";
        let error = read("s3", 400, &[], s3);
        check(&error, "AuthorizationHeaderMalformed", Class::Elsewhere);
        assert_eq!(error.region.as_deref(), Some("eu-west-1"));
        let json = r#"{"__type":"com.amazonaws.kms#NotFoundException","message":"m"}"#;
        check(&read("kms", 400, &[], json), "NotFoundException", Class::Other);
        let rest = [("x-amzn-errortype", "ResourceNotFoundException:http://internal.amazon.com/")];
        check(&read("lambda", 404, &rest, r#"{"Message":"m"}"#), "ResourceNotFoundException", Class::Other);
        let past = [("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender")];
        let json = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"}"#;
        check(&read("sqs", 400, &past, json), "AWS.SimpleQueueService.NonExistentQueue", Class::Other);
    }

    #[test]
    fn classes_without_a_code() {
        check(&read("s3", 403, &[], ""), "403", Class::Denied);
        check(&read("s3", 404, &[], ""), "404", Class::Other);
        check(&read("lambda", 429, &[], "{}"), "429", Class::Throttled);
        check(&read("lambda", 503, &[], "not json"), "503", Class::Transient);
        let macie = r#"{"message":"Macie is not enabled"}"#;
        let header = [("x-amzn-errortype", "AccessDeniedException")];
        check(&read("macie2", 403, &header, macie), "AccessDeniedException", Class::Disabled);
    }

    #[test]
    fn signature_errors_do_not_quote_the_token() {
        let body = r#"{"__type":"InvalidSignatureException","message":"The Canonical String for this request should have been 'POST\nx-amz-security-token:SECRET'"}"#;
        let error = read("kms", 400, &[], body);
        check(&error, "InvalidSignatureException", Class::Unaccepted);
        assert!(!error.message.contains("SECRET"));
    }
}
