//! OCSF 1.6.0, class 2003 Compliance Finding; attack paths as class 2004. Source: schema.ocsf.io, release 1.6.0.

use crate::{Exported, Report};
use plumb_model::{Outcome, Severity};
use serde_json::{Value as Json, json};

/// One Compliance Finding a row. A passing verdict is informational: a SIEM that counts severities must not count it.
pub fn ocsf(rows: &[Exported], report: &Report) -> Vec<Json> {
    rows.iter().map(|row| ocsf_event(row, &report.version)).collect()
}

/// One row as an event; `version` is the product's.
pub fn ocsf_event(row: &Exported, version: &str) -> Json {
    let pass = row.outcome == Outcome::Pass;
    let (severity_id, severity) = match (pass, row.severity) {
        (true, _) | (_, Severity::Info) => (1, "Informational"),
        (_, Severity::Low) => (2, "Low"),
        (_, Severity::Medium) => (3, "Medium"),
        (_, Severity::High) => (4, "High"),
        (_, Severity::Critical) => (5, "Critical"),
    };
    let (status_id, status) = match row.state.as_str() {
        "open" => (1, "New"),
        "accepted" | "deferred" | "false-positive" => (3, "Suppressed"),
        "fixed" | "resource-gone" | "superseded" | "pass" => (4, "Resolved"),
        _ => (2, "In Progress"),
    };
    let (compliance_id, compliance) = if pass { (1, "Pass") } else { (3, "Fail") };
    let first = Exported::millis(&row.first_seen);
    let last = Exported::millis(&row.last_seen);
    let provider = match row.kind.split('.').next() {
        Some("azure") => "Azure",
        Some("gcp") => "GCP",
        _ => "AWS",
    };
    let account_type = match provider {
        "Azure" => (6, "Azure AD Account"),
        "GCP" => (5, "GCP Account"),
        _ => (10, "AWS Account"),
    };
    let partition = if provider == "AWS" {
        row.resource.split(':').nth(1).filter(|_| row.resource.starts_with("arn:"))
    } else {
        None
    };
    let mut resource = json!({
        "uid": row.resource,
        "name": row.name,
        "type": row.kind,
        "region": row.region,
    });
    if let (Some(partition), Some(object)) = (partition, resource.as_object_mut()) {
        object.insert("cloud_partition".into(), json!(partition));
    }
    let mut account = json!({ "uid": row.account, "type_id": account_type.0, "type": account_type.1 });
    if let (false, Some(object)) = (row.account_name.is_empty(), account.as_object_mut()) {
        object.insert("name".into(), json!(row.account_name));
    }
    let mut standards: Vec<&str> = row.controls.iter().map(|(f, _)| f.as_str()).collect();
    standards.dedup();
    let mut out = json!({
        "activity_id": if first == last { 1 } else { 2 },
        "activity_name": if first == last { "Create" } else { "Update" },
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2003,
        "class_name": "Compliance Finding",
        "type_uid": if first == last { 200_301 } else { 200_302 },
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "time": last,
        "message": row.observed(),
        "metadata": {
            "version": "1.6.0",
            "profiles": ["cloud"],
            "product": { "name": "Plumbline", "vendor_name": "Plumbline", "version": version, "uid": "plumbline" },
            "event_code": row.rule,
            "uid": row.key,
        },
        "finding_info": {
            "uid": row.key,
            "uid_alt": row.short,
            "title": row.title,
            "desc": row.summary,
            "types": [row.topic],
            "created_time": first,
            "first_seen_time": first,
            "last_seen_time": last,
            "modified_time": last,
        },
        "compliance": {
            "control": row.rule,
            "desc": row.why,
            "status_id": compliance_id,
            "status": compliance,
            "standards": standards,
            "requirements": row.controls.iter().map(|(f, c)| format!("{f}:{c}")).collect::<Vec<_>>(),
        },
        "cloud": { "provider": provider, "region": row.region, "account": account },
        "resources": [resource],
        "evidences": [{
            "data": {
                "because": row.because.iter().map(|l| json!({
                    "path": l.path, "observed": l.observed.to_plain_json(), "expected": l.expected, "source": l.source.to_string(),
                })).collect::<Vec<_>>(),
                "part": row.sub_key,
            },
        }],
    });
    if let (false, Some(object)) = (row.fix.is_empty(), out.as_object_mut()) {
        object.insert("remediation".into(), json!({ "desc": row.fix }));
    }
    crate::ocsf_paths::as_detection(row, out)
}
