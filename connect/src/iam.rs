//! OCSF 1.6.0, class 2008 IAM Analysis Finding. Source: schema.ocsf.io, release 1.6.0.

use plumb_model::Time;
use serde_json::{Value as Json, json};

/// What the analysis says of one principal.
#[derive(Debug, Clone, Default)]
pub struct Analysed {
    /// Its ARN.
    pub arn: String,
    /// Its account.
    pub account: String,
    /// What it is for: `human`, `service-role`, …
    pub class: String,
    /// Whether it is an administrator.
    pub admin: bool,
    /// Whether it is one or can become one.
    pub can_become_admin: bool,
    /// The way to administration, a step an entry.
    pub steps: Vec<String>,
    /// Whether it showed no life within the window.
    pub dormant: bool,
    /// Its last sign of life.
    pub last_active: Option<Time>,
    /// Whether a second factor is on.
    pub mfa: Option<bool>,
    /// Its active keys: slot, when rotated, when used.
    pub keys: Vec<(u8, Option<Time>, Option<Time>)>,
    /// How many actions it may do on something.
    pub granted: usize,
    /// How many of those it used, when that is known.
    pub used: Option<usize>,
    /// Services it may use and did not.
    pub unused_services: Vec<String>,
}

fn millis(time: Time) -> i64 {
    time.seconds().saturating_mul(1000)
}

/// One IAM Analysis Finding; none for a principal about which nothing is to be said.
pub fn finding(one: &Analysed, now: Time, version: &str) -> Option<Json> {
    let unused = one.used.map(|used| one.granted.saturating_sub(used)).filter(|n| *n > 0);
    let (severity_id, severity, title) = if one.admin && one.dormant {
        (4, "High", "A dormant principal is an administrator")
    } else if one.can_become_admin && !one.admin {
        (4, "High", "A principal can become administrator")
    } else if one.admin {
        (3, "Medium", "A principal is an administrator")
    } else if one.dormant {
        (2, "Low", "A principal is dormant")
    } else if unused.is_some() || !one.unused_services.is_empty() {
        (2, "Low", "A principal holds more than it uses")
    } else {
        return None;
    };
    let user = one.arn.contains(":user/");
    let name = one.arn.rsplit('/').next().unwrap_or(&one.arn);
    let credentials: Vec<Json> = one
        .keys
        .iter()
        .map(|(slot, _, used)| {
            let mut key = json!({ "uid": format!("{} key {slot}", one.arn), "type": "Access Key" });
            if let Some(object) = key.as_object_mut() {
                object.extend(used.map(|t| ("last_used_time".to_owned(), json!(millis(t)))));
            }
            key
        })
        .collect();
    let mut activity = serde_json::Map::new();
    activity.extend(one.last_active.map(|t| ("last_seen_time".to_owned(), json!(millis(t)))));
    if !credentials.is_empty() {
        activity.insert("programmatic_credentials".into(), json!(credentials));
    }
    let mut privileges = serde_json::Map::new();
    privileges.extend(unused.map(|n| ("unused_privileges_count".to_owned(), json!(n))));
    if one.used.is_some() {
        privileges.insert("unused_services_count".into(), json!(one.unused_services.len()));
    }
    let way = one.steps.join("; ");
    let mut out = json!({
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2008,
        "class_name": "IAM Analysis Finding",
        "type_uid": 200_801,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "time": millis(now),
        "message": if way.is_empty() { format!("{title}: {}", one.arn) } else { format!("{title}: {} by {way}", one.arn) },
        "metadata": {
            "version": "1.6.0",
            "profiles": ["cloud"],
            "product": { "name": "Plumbline", "vendor_name": "Plumbline", "version": version, "uid": "plumbline" },
            "uid": format!("iam:{}", one.arn),
        },
        "finding_info": { "uid": format!("iam:{}", one.arn), "title": title, "types": [one.class], "last_seen_time": millis(now) },
        "cloud": { "provider": "AWS", "account": { "uid": one.account, "type_id": 10, "type": "AWS Account" } },
        "resources": [{ "uid": one.arn, "name": name, "type": if user { "aws.iam.user" } else { "aws.iam.role" } }],
    });
    if let Some(object) = out.as_object_mut() {
        // The class wants at least one of the two; what is not known is left out.
        if privileges.is_empty() || !activity.is_empty() {
            object.insert("identity_activity_metrics".into(), Json::Object(activity));
        }
        if !privileges.is_empty() {
            object.insert("permission_analysis_results".into(), json!([privileges]));
        }
        if user {
            let (id, kind) = if one.admin { (2, "Admin") } else { (1, "User") };
            let mut who = json!({ "uid": one.arn, "name": name, "type_id": id, "type": kind });
            if let (Some(mfa), Some(who)) = (one.mfa, who.as_object_mut()) {
                who.insert("has_mfa".into(), json!(mfa));
            }
            object.insert("user".into(), who);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_whom() {
        let now: Time = "2026-01-01T00:00:00Z".parse().expect("an instant");
        let base = Analysed { arn: "arn:aws:iam::1:user/ann".into(), granted: 9, ..Analysed::default() };
        let title = |one: &Analysed| finding(one, now, "1").map(|f| f["finding_info"]["title"].clone());
        assert_eq!(title(&base), None);
        for (one, want) in [
            (Analysed { admin: true, can_become_admin: true, ..base.clone() }, "A principal is an administrator"),
            (
                Analysed { admin: true, can_become_admin: true, dormant: true, ..base.clone() },
                "A dormant principal is an administrator",
            ),
            (Analysed { can_become_admin: true, ..base.clone() }, "A principal can become administrator"),
            (Analysed { dormant: true, ..base.clone() }, "A principal is dormant"),
            (Analysed { used: Some(2), ..base.clone() }, "A principal holds more than it uses"),
        ] {
            assert_eq!(title(&one), Some(json!(want)), "{one:?}");
        }
        assert_eq!(title(&Analysed { used: Some(9), ..base }), None, "what uses all it holds");
    }
}
