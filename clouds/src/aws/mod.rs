//! AWS, driven by its own service models.
//!
//! [`Client`] is the [`Wire`](crate::Wire) to AWS: it looks a call up in the table of operations, writes the request in
//! the service's protocol, waits for its turn, signs, sends, and reads the answer back as a JSON document.
//!
//! ```no_run
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! use plumb_clouds::{Call, Target, Wire, aws};
//!
//! let client = aws::Client::new(aws::Config::default())?;
//! client.enter("123456789012".into(), aws::Session::fixed("AKIA…", "…", None), "eu-west-1");
//! let call = Call::new("sqs", "ListQueues", serde_json::json!({}));
//! let (pages, stopped) = client.all(&Target::new("123456789012", "eu-west-1"), &call).await;
//! # let _ = (pages, stopped); Ok(()) }
//! ```

mod client;
mod decode;
mod decode_xml;
mod encode;
mod endpoint;
mod errors;
mod health;
#[cfg(feature = "aws-login")]
mod login;
mod model;
mod pages;
mod quotas;
mod session;
mod sign;
mod time;
mod typed;

pub use client::{Client, Config, SetupError};
pub use endpoint::{Endpoints, NoPlace, Place};
#[cfg(feature = "aws-login")]
pub use login::{Login, login};
pub use model::{Paginator, Partition, Protocol};
pub use session::{AssumeRole, NoCredentials, Session};
pub use typed::{Typed, answer_of, arguments_of};

/// The IAM action that allows an operation: `permission_for("s3", "ListBuckets")` is `s3:ListAllMyBuckets`.
/// None for an operation the table does not hold.
pub fn permission_for(service: &str, operation: &str) -> Option<&'static str> {
    model::table().ok()?.service(service)?.operations.get(operation).map(String::as_str)
}

/// Whether the provider keeps a service once per account, so that calls name [`plumb_model::Region::global`].
pub fn is_global(service: &str) -> bool {
    let Ok(table) = model::table() else { return false };
    let (Some(service), Some(aws)) = (table.service(service), table.partitions.iter().find(|p| p.name == "aws")) else {
        return false;
    };
    endpoint::global_region(aws, service).is_some()
}

/// How an operation is paged; none for one that answers at once or is unknown.
pub fn paginator(service: &str, operation: &str) -> Option<&'static Paginator> {
    model::table().ok()?.service(service)?.frame().ok()?.operations.get(operation)?.page.as_ref()
}

/// The partitions of AWS; empty only if the built-in table is damaged.
pub fn partitions() -> &'static [Partition] {
    model::table().map_or(&[], |table| &table.partitions)
}

/// All operations of the table: service, operation, IAM action.
pub fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let services = model::table().into_iter().flat_map(|table| table.services());
    services.flat_map(|service| {
        let name = service.name.as_str();
        service.operations.iter().map(move |(operation, action)| (name, operation.as_str(), action.as_str()))
    })
}

/// The botocore version the table is derived from.
pub fn models_version() -> &'static str {
    model::table().map_or("", |table| &table.version)
}

/// What AWS allows for a service, per account and region: requests a second and at once.
pub fn quota(service: &str) -> crate::Quota {
    quotas::of(service)
}

/// The name a service signs with, which is also how activity logs begin its name: `monitoring` for `cloudwatch`.
pub fn signing_name(service: &str) -> Option<&'static str> {
    model::table().ok()?.service(service).map(|s| s.signing.as_str())
}
