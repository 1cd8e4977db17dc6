//! Where a request goes and what it is signed for.

use super::model::{Endpoint, Partition, Service, Table};
use std::collections::BTreeMap;

/// Overrides and variants, usually from the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// One address for every service: emulators, gateways.
    pub everywhere: Option<String>,
    /// Addresses by service id as the environment spells it: `S3`, `ELASTIC_LOAD_BALANCING_V2`.
    pub by_service: BTreeMap<String, String>,
    /// Whether to use FIPS endpoints where there are any; a service without one is an error, not a silent downgrade.
    pub fips: bool,
}

/// An address with its credential scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Scheme and host, without a slash at the end.
    pub url: String,
    /// Region to sign for.
    pub signing_region: String,
    /// Whether the address was given by the user: no labels before the host, then.
    pub overridden: bool,
}

/// There is no such place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// FIPS was asked for and is not offered.
    #[error("{service} has no FIPS endpoint in {region}")]
    NoFips {
        /// The service.
        service: String,
        /// The region.
        region: String,
    },
    /// The table of operations cannot be read.
    #[error("the table of operations knows no partition")]
    NoPartition,
}

impl Endpoints {
    /// From variables: `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`,
    /// `AWS_USE_FIPS_ENDPOINT`. `variables` is usually [`std::env::vars`].
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let (mut found, mut ignore) = (Self::default(), false);
        for (name, value) in variables {
            let url = || Some(value.trim_end_matches('/').to_owned()).filter(|url| !url.is_empty());
            match name.strip_prefix("AWS_ENDPOINT_URL") {
                Some("") => found.everywhere = url(),
                Some(service) => {
                    if let (Some(service), Some(url)) = (service.strip_prefix('_'), url()) {
                        found.by_service.insert(service.to_owned(), url);
                    }
                }
                None if name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" => ignore = value.eq_ignore_ascii_case("true"),
                None if name == "AWS_USE_FIPS_ENDPOINT" => found.fips = value.eq_ignore_ascii_case("true"),
                None => {}
            }
        }
        if ignore { Self { fips: found.fips, ..Self::default() } } else { found }
    }

    /// Whether every call stays on this machine.
    pub fn is_loopback(&self) -> bool {
        self.everywhere.as_deref().is_some_and(crate::http::is_loopback)
    }

    /// The place of a service for a region (`global` for what the provider keeps once per account, in the partition of
    /// `home`, the account's usual region).
    pub fn place(&self, table: &Table, service: &Service, region: &str, home: &str) -> Result<Place, NoPlace> {
        let named = if region == "global" { home } else { region };
        let partition = table.partition_of(named).ok_or(NoPlace::NoPartition)?;
        let region = match (region, global_region(partition, service)) {
            ("global", Some(at)) => at,
            // What a regional service keeps once per account (the list of buckets) is asked for at home.
            ("global", None) => home.to_owned(),
            (region, _) => region.to_owned(),
        };
        let (host, fips, signing_region) = hosts(partition, service, &region);
        let variable = service.id.replace([' ', '-'], "_").to_ascii_uppercase();
        if let Some(url) = self.by_service.get(&variable).or(self.everywhere.as_ref()) {
            return Ok(Place { url: url.clone(), signing_region, overridden: true });
        }
        let host = if self.fips { fips } else { host };
        if host.is_empty() {
            return Err(NoPlace::NoFips { service: service.name.clone(), region });
        }
        Ok(Place { url: format!("https://{host}"), signing_region, overridden: false })
    }
}

/// The one region a global service is signed for in a partition; none for a regional service.
pub fn global_region(partition: &Partition, service: &Service) -> Option<String> {
    if partition.name == "aws"
        && let Some(only) = &service.only_region
    {
        return Some(only.clone());
    }
    let endpoint = service.endpoints.get(&partition.name)?;
    let host = endpoint.h.as_deref()?;
    let single =
        !host.contains("{region}") && endpoint.x.values().all(|odd| odd.h.is_none() || odd.h.as_deref() == Some(host));
    // A host that names a region was made a template by the region that is named like it.
    single.then(|| endpoint.r.clone().unwrap_or_else(|| partition.home.clone()))
}

/// Host, FIPS host and signing region.
fn hosts(partition: &Partition, service: &Service, region: &str) -> (String, String, String) {
    let usual = service.endpoints.get(&partition.name);
    let odd = usual.and_then(|endpoint| endpoint.x.get(region));
    let pick = |field: fn(&Endpoint) -> &Option<String>| {
        odd.and_then(|endpoint| field(endpoint).clone()).or_else(|| usual.and_then(|endpoint| field(endpoint).clone()))
    };
    let (prefix, suffix) = (&service.prefix, &partition.suffix);
    let host = pick(|e| &e.h).unwrap_or_else(|| format!("{prefix}.{{region}}.{suffix}"));
    let fips = pick(|e| &e.f).unwrap_or_else(|| format!("{prefix}-fips.{{region}}.{suffix}"));
    let signing = pick(|e| &e.r).filter(|region| !region.is_empty()).unwrap_or_else(|| region.to_owned());
    (host.replace("{region}", region), fips.replace("{region}", region), signing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::model::table;

    #[track_caller]
    fn check(endpoints: &Endpoints, service: &str, region: &str, url: &str, signing_region: &str) {
        let table = table().expect("table");
        let service = table.service(service).expect("service");
        let place = endpoints.place(table, service, region, "eu-west-1").expect("a place");
        assert_eq!((place.url.as_str(), place.signing_region.as_str()), (url, signing_region));
    }

    #[test]
    fn regional_global_and_sovereign() {
        let plain = Endpoints::default();
        check(&plain, "sqs", "eu-west-1", "https://sqs.eu-west-1.amazonaws.com", "eu-west-1");
        check(&plain, "sqs", "cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn", "cn-north-1");
        check(&plain, "s3", "eu-west-1", "https://s3.eu-west-1.amazonaws.com", "eu-west-1");
        check(&plain, "iam", "global", "https://iam.amazonaws.com", "us-east-1");
        check(&plain, "iam", "us-gov-west-1", "https://iam.us-gov.amazonaws.com", "us-gov-west-1");
        check(&plain, "organizations", "global", "https://organizations.us-east-1.amazonaws.com", "us-east-1");
        check(&plain, "organizations", "us-east-1", "https://organizations.us-east-1.amazonaws.com", "us-east-1");
        check(&plain, "organizations", "us-west-2", "https://organizations.us-east-1.amazonaws.com", "us-east-1");
        check(&plain, "route53", "global", "https://route53.amazonaws.com", "us-east-1");
        check(&plain, "globalaccelerator", "global", "https://globalaccelerator.us-west-2.amazonaws.com", "us-west-2");
        check(&plain, "route53domains", "global", "https://route53domains.us-east-1.amazonaws.com", "us-east-1");
        check(&plain, "opensearch", "me-south-9", "https://es.me-south-9.amazonaws.com", "me-south-9");
    }

    #[test]
    fn fips_and_overrides() {
        let fips = Endpoints { fips: true, ..Endpoints::default() };
        check(&fips, "sqs", "us-east-1", "https://sqs-fips.us-east-1.amazonaws.com", "us-east-1");
        let variables =
            [("AWS_ENDPOINT_URL", "http://127.0.0.1:1/"), ("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "http://elb")];
        let own = Endpoints::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(own.is_loopback());
        check(&own, "elbv2", "us-east-1", "http://elb", "us-east-1");
        check(&own, "iam", "eu-west-1", "http://127.0.0.1:1", "us-east-1");
    }

    #[test]
    fn a_regional_service_is_asked_at_home() {
        check(&Endpoints::default(), "s3", "global", "https://s3.eu-west-1.amazonaws.com", "eu-west-1");
    }
}
