//! A made organisation, hostile files, and the life of an estate over runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod hostile;
mod organisation;
mod runs;
mod shapes;

use plumb_discover::{Mapping, Reading, SourceKind, read};
use plumb_model::Time;

/// The instant the made organisation is looked at.
pub fn now() -> Time {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// Reads text as a source.
pub fn text(kind: SourceKind, text: &str) -> Reading {
    read(kind, &mut text.as_bytes(), &Mapping::named("made"))
}

/// Every sample file with its reader.
pub const FILES: &[(SourceKind, &str, &[u8])] = &[
    (SourceKind::AwsOrganizations, "organizations.json", include_bytes!("../data/organizations.json")),
    (SourceKind::AzureTenant, "azure-subscriptions.json", include_bytes!("../data/azure-subscriptions.json")),
    (SourceKind::GcpOrganization, "gcp-projects.json", include_bytes!("../data/gcp-projects.json")),
    (SourceKind::LandingZone, "landing-zone.csv", include_bytes!("../data/landing-zone.csv")),
    (SourceKind::LandingZone, "landing-zone.xlsx", include_bytes!("../data/landing-zone.xlsx")),
    (SourceKind::AwsCur, "cur-legacy.csv", include_bytes!("../data/cur-legacy.csv")),
    (SourceKind::AwsCur, "cur-2.0.csv", include_bytes!("../data/cur-2.0.csv")),
    (SourceKind::Focus, "focus-1.0.csv", include_bytes!("../data/focus-1.0.csv")),
    (SourceKind::Focus, "focus-1.1.csv", include_bytes!("../data/focus-1.1.csv")),
    (SourceKind::Focus, "focus-1.2.csv", include_bytes!("../data/focus-1.2.csv")),
    (SourceKind::AzureCost, "azure-cost.csv", include_bytes!("../data/azure-cost.csv")),
    (SourceKind::GcpBilling, "gcp-billing.csv", include_bytes!("../data/gcp-billing.csv")),
    (SourceKind::GcpBilling, "gcp-billing.jsonl", include_bytes!("../data/gcp-billing.jsonl")),
    (SourceKind::Expense, "expense.csv", include_bytes!("../data/expense.csv")),
    (SourceKind::OktaLog, "okta.jsonl", include_bytes!("../data/okta.jsonl")),
    (SourceKind::EntraSignIns, "entra-signins.json", include_bytes!("../data/entra-signins.json")),
    (SourceKind::EntraAudit, "entra-audit.json", include_bytes!("../data/entra-audit.json")),
    (SourceKind::CloudTrail, "cloudtrail.json", include_bytes!("../data/cloudtrail.json")),
    (SourceKind::CrossAccountRoles, "roles.jsonl", include_bytes!("../data/roles.jsonl")),
    (SourceKind::IacState, "terraform.tfstate", include_bytes!("../data/terraform.tfstate")),
];

/// All sample files read; of the two forms of the landing zone, the sheet named here.
pub fn readings(landing_zone: &str) -> Vec<Reading> {
    FILES
        .iter()
        .filter(|(kind, name, _)| *kind != SourceKind::LandingZone || *name == landing_zone)
        .map(|(kind, name, bytes)| read(*kind, &mut &**bytes, &Mapping::named(*name)))
        .collect()
}
