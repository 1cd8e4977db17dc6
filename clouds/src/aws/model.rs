//! The table of operations: `clouds/aws/models.bin`, derived from the official service models by `cargo xtask aws-models`.
//!
//! The index (services, endpoints, actions) is read once, on first use, in about a millisecond; the shapes of a service
//! are read when it is first called.

use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

static PACKED: &[u8] = include_bytes!("../../aws/models.bin");
/// Must be what `xtask/src/aws_model.rs` writes.
const MAGIC: &[u8] = b"PLUMBAWS1";

/// The table, or why the one that was built in cannot be read.
pub fn table() -> Result<&'static Table, &'static str> {
    static TABLE: OnceLock<Result<Table, String>> = OnceLock::new();
    TABLE.get_or_init(|| Table::read(PACKED)).as_ref().map_err(String::as_str)
}

/// All services, partitions and endpoints.
#[derive(Debug)]
pub struct Table {
    /// The botocore version the table comes from.
    pub version: String,
    /// The partitions; the commercial one is first.
    pub partitions: Vec<Partition>,
    services: BTreeMap<String, Arc<Service>>,
}

#[derive(Deserialize)]
struct Index {
    botocore: String,
    partitions: Vec<Partition>,
    services: Vec<Service>,
}

/// A part of AWS with its own accounts, credentials and names.
#[derive(Debug, Clone, Deserialize)]
pub struct Partition {
    /// `aws`, `aws-cn`, `aws-us-gov` …; the second part of its ARNs.
    pub name: String,
    /// `amazonaws.com`.
    pub suffix: String,
    /// The region of its global services.
    pub home: String,
    /// How its regions begin: `us-gov-`.
    pub begins: Vec<String>,
    /// The regions known when the table was made; an account's own list comes from `account:ListRegions`.
    pub regions: Vec<String>,
}

/// The five wire formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Form in, XML out, results wrapped.
    Query,
    /// The same with EC2's own naming.
    Ec2,
    /// JSON in and out, operation in a header.
    Json,
    /// HTTP bindings with JSON bodies.
    RestJson,
    /// HTTP bindings with XML bodies.
    RestXml,
}

/// One service: what is needed before its shapes.
#[derive(Debug, Deserialize)]
pub struct Service {
    /// botocore's folder name: `elbv2`.
    pub name: String,
    /// `Elastic Load Balancing v2`; in environment variables `ELASTIC_LOAD_BALANCING_V2`.
    #[serde(default)]
    pub id: String,
    /// How it speaks.
    pub protocol: Protocol,
    /// The API version.
    #[serde(default)]
    pub version: String,
    /// The first label of its default host.
    pub prefix: String,
    /// The service in the credential scope.
    pub signing: String,
    /// Before the operation in `X-Amz-Target`.
    #[serde(default)]
    pub target: String,
    /// The version in the content type of the JSON protocol.
    #[serde(default)]
    pub json: String,
    /// Whether it answers errors with the codes of its query past, in a header.
    #[serde(default)]
    pub query_errors: bool,
    /// Partition → endpoint, where the default template does not hold.
    #[serde(default)]
    pub endpoints: BTreeMap<String, Endpoint>,
    /// The one region it lives in, for services that are not everywhere and not global.
    pub only_region: Option<String>,
    /// Regions where the provider's endpoint data does not have it.
    #[serde(default)]
    pub not_in: Vec<String>,
    /// Operation → IAM action.
    pub operations: BTreeMap<String, String>,
    offset: usize,
    length: usize,
    #[serde(skip)]
    frame: OnceLock<Result<Frame, String>>,
}

/// How a service is reached in a partition; what is absent is the default.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Endpoint {
    /// Host, with `{region}` in it.
    pub h: Option<String>,
    /// Region to sign for, if not the one called.
    pub r: Option<String>,
    /// FIPS host; empty if there is none.
    pub f: Option<String>,
    /// Regions that deviate.
    #[serde(default)]
    pub x: BTreeMap<String, Endpoint>,
}

/// The operations and shapes of a service.
#[derive(Debug, Deserialize)]
pub struct Frame {
    /// By name.
    pub operations: BTreeMap<String, Operation>,
    /// By number.
    pub shapes: Vec<Shape>,
}

/// One operation.
#[derive(Debug, Deserialize)]
pub struct Operation {
    /// HTTP method.
    #[serde(rename = "m")]
    pub method: String,
    /// Path with labels, and a fixed query.
    #[serde(rename = "u")]
    pub uri: String,
    /// Input shape.
    #[serde(rename = "i")]
    pub input: Option<usize>,
    /// Output shape.
    #[serde(rename = "o")]
    pub output: Option<usize>,
    /// The element around the result of the query protocol.
    #[serde(rename = "w")]
    pub wrapper: Option<String>,
    /// The root element of an XML input.
    #[serde(rename = "n")]
    pub root: Option<String>,
    /// The namespace of an XML input.
    #[serde(rename = "x")]
    pub namespace: Option<String>,
    /// Labels before the host: `{AccountId}.`
    #[serde(rename = "h")]
    pub host: Option<String>,
    /// Whether the body must be accompanied by a checksum.
    #[serde(rename = "c", default)]
    pub checksum: bool,
    /// How it is paged.
    #[serde(rename = "p")]
    pub page: Option<Paginator>,
}

/// How the answers of an operation are paged.
#[derive(Debug, Clone, Deserialize)]
pub struct Paginator {
    /// Members of the next input …
    #[serde(rename = "in")]
    pub input: Vec<String>,
    /// … and where their values are in the output.
    #[serde(rename = "out")]
    pub output: Vec<String>,
    /// Where the output says that more follows; else a token says so.
    pub more: Option<String>,
    /// The member that sets the size of a page.
    pub limit: Option<String>,
    /// Where the items are.
    #[serde(default)]
    pub items: Vec<String>,
}

/// What a value looks like.
#[derive(Debug, Deserialize)]
pub struct Shape {
    /// Its kind.
    #[serde(rename = "k")]
    pub kind: Kind,
    /// Members of a structure.
    #[serde(rename = "m", default)]
    pub members: Vec<Member>,
    /// Element of a list, value of a map.
    #[serde(rename = "e")]
    pub element: Option<Box<Member>>,
    /// Key of a map.
    #[serde(rename = "y")]
    pub key: Option<Box<Member>>,
    /// The member that is the whole body.
    #[serde(rename = "p")]
    pub payload: Option<String>,
    /// Members an input must have.
    #[serde(rename = "r", default)]
    pub required: Vec<String>,
}

/// The kinds of shapes, as far as the wire tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Named members.
    Structure,
    /// Elements.
    List,
    /// Text keys.
    Map,
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// A truth value.
    Boolean,
    /// An instant.
    Timestamp,
    /// Bytes; base64 in documents.
    Blob,
    /// JSON without a model.
    Document,
}

/// A reference to a shape, with how it is written.
#[derive(Debug, Deserialize)]
pub struct Member {
    /// Its name in documents.
    #[serde(rename = "n", default)]
    pub name: String,
    /// The number of its shape.
    #[serde(rename = "s")]
    pub shape: usize,
    /// Its name on the wire.
    #[serde(rename = "l")]
    pub wire_name: Option<String>,
    /// `uri`, `querystring`, `header`, `headers`, `statusCode`; else the body.
    #[serde(rename = "w")]
    pub location: Option<String>,
    /// Its name in EC2 queries.
    #[serde(rename = "q")]
    pub query_name: Option<String>,
    /// Whether a list or map has no element around its entries.
    #[serde(rename = "f", default)]
    pub flattened: bool,
    /// Whether it is an XML attribute.
    #[serde(rename = "a", default)]
    pub attribute: bool,
    /// `iso8601`, `rfc822`, `unixTimestamp`; else the protocol's.
    #[serde(rename = "t")]
    pub timestamp: Option<String>,
    /// Whether its text is JSON.
    #[serde(rename = "j", default)]
    pub json: bool,
    /// The namespace of its XML element.
    #[serde(rename = "x")]
    pub namespace: Option<String>,
}

impl Member {
    /// The name on the wire.
    pub fn wire(&self) -> &str {
        self.wire_name.as_deref().unwrap_or(&self.name)
    }
}

impl Frame {
    /// The shape a member has.
    pub fn shape(&self, number: usize) -> Option<&Shape> {
        self.shapes.get(number)
    }
}

impl Service {
    /// The operations and shapes, unpacked on first use.
    pub fn frame(&self) -> Result<&Frame, &str> {
        let made = self.frame.get_or_init(|| {
            let start = frames_start(PACKED).ok_or("the table has no frames")?;
            let packed = PACKED.get(start + self.offset..start + self.offset + self.length);
            unpack(packed.ok_or("the frame lies outside the table")?)
        });
        made.as_ref().map_err(String::as_str)
    }
}

impl Table {
    fn read(packed: &[u8]) -> Result<Self, String> {
        let end = frames_start(packed).ok_or("not a table of operations")?;
        let index = packed.get(MAGIC.len() + 4..end).ok_or("the table is cut short")?;
        let index: Index = unpack(index)?;
        let services = index.services.into_iter().map(|service| (service.name.clone(), Arc::new(service))).collect();
        Ok(Self { version: index.botocore, partitions: index.partitions, services })
    }

    /// A service by its botocore name.
    pub fn service(&self, name: &str) -> Option<&Arc<Service>> {
        self.services.get(name)
    }

    /// All services by name.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values().map(|service| &**service)
    }

    /// The partition a region belongs to; the commercial one for regions nobody knows yet.
    pub fn partition_of(&self, region: &str) -> Option<&Partition> {
        let known = |p: &&Partition| p.regions.iter().any(|known| known == region);
        let begins = |p: &&Partition| p.begins.iter().any(|begin| region.starts_with(begin.as_str()));
        let all = &self.partitions;
        // `us-gov-` also begins with the `us-` of the commercial partition, so the longest beginning is tried first.
        let longest = || {
            let matching = all.iter().filter(begins);
            matching.max_by_key(|p| p.begins.iter().filter(|b| region.starts_with(b.as_str())).map(String::len).max())
        };
        all.iter().find(known).or_else(longest).or_else(|| all.iter().find(|p| p.name == "aws"))
    }
}

fn frames_start(packed: &[u8]) -> Option<usize> {
    let rest = packed.strip_prefix(MAGIC)?;
    let length = u32::from_le_bytes(rest.get(..4)?.try_into().ok()?);
    Some(MAGIC.len() + 4 + usize::try_from(length).ok()?)
}

fn unpack<T: for<'de> Deserialize<'de>>(packed: &[u8]) -> Result<T, String> {
    let json = zstd::decode_all(packed).map_err(|e| format!("the table cannot be unpacked: {e}"))?;
    serde_json::from_slice(&json).map_err(|e| format!("the table cannot be read: {e}"))
}

/// The value at a path such as `A.B`, `A[-1].B` or `A || B`: the part of JMESPath that paginators use.
pub fn at<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    path.split("||").find_map(|alternative| {
        let found = alternative.trim().split('.').try_fold(document, |value, step| match step.strip_suffix("[-1]") {
            Some(name) => value.get(name)?.as_array()?.last(),
            None => value.get(step),
        });
        found.filter(|value| !value.is_null())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_service_of_the_table_can_be_read() {
        let table = table().expect("the committed table");
        assert!(table.services().count() > 100);
        for service in table.services() {
            let frame = service.frame().unwrap_or_else(|e| panic!("{}: {e}", service.name));
            assert_eq!(
                service.operations.keys().collect::<Vec<_>>(),
                frame.operations.keys().collect::<Vec<_>>(),
                "{}",
                service.name
            );
            for shape in &frame.shapes {
                for member in shape.members.iter().chain(shape.element.as_deref()).chain(shape.key.as_deref()) {
                    assert!(frame.shape(member.shape).is_some(), "{}: {}", service.name, member.name);
                }
            }
        }
    }

    #[test]
    fn partitions_of_regions() {
        let table = table().expect("the committed table");
        for (region, partition) in [
            ("eu-west-1", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-gov-north-9", "aws-us-gov"),
            ("cn-north-1", "aws-cn"),
            ("us-iso-east-1", "aws-iso"),
            ("xx-nowhere-1", "aws"),
        ] {
            assert_eq!(table.partition_of(region).map(|p| p.name.as_str()), Some(partition), "{region}");
        }
    }

    #[test]
    fn paths_of_paginators() {
        let page = json!({ "List": { "NextMarker": "m" }, "Jobs": [{ "Id": 1 }, { "Id": 2 }], "Empty": [] });
        assert_eq!(at(&page, "List.NextMarker"), Some(&json!("m")));
        assert_eq!(at(&page, "NextMarker || Jobs[-1].Id"), Some(&json!(2)));
        assert_eq!(at(&page, "Empty[-1].Id"), None);
    }
}
