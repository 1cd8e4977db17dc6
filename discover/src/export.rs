//! The estate for people and other programs: JSON Lines and CSV, one account a line.

use crate::estate::{Account, Estate};
use plumb_model::csv_cell;
use std::collections::BTreeMap;

/// One account as a JSON object on one line: id, state, owner, tier, data classes, the sources with first and last
/// seen, the gaps and the time to appear. Attributes nobody stated are left out.
pub fn account_line(account: &Account, estate: &Estate) -> String {
    let sources: BTreeMap<&str, serde_json::Value> = account
        .sources
        .iter()
        .map(|(class, k)| {
            let seen = serde_json::json!({
                "first_seen": k.first_seen.unwrap_or(k.first_read),
                "last_seen": k.last_seen.unwrap_or(k.last_read),
                "dated_by_source": k.first_seen.is_some(),
                "present": k.gone_since.is_none(),
                "kinds": k.kinds,
                "evidence": k.evidence,
            });
            (class.name(), seen)
        })
        .collect();
    let key = account.key();
    let mut line = serde_json::json!({
        "account": key,
        "provider": account.provider,
        "native_id": account.native_id,
        "state": account.state,
        "name": account.facts.name,
        "owner": account.facts.owner_person.as_ref().or(account.facts.owner_team.as_ref()),
        "tier": account.tier(),
        "data_classes": account.data_classes(),
        "sources": sources,
        "known_by": account.sources.keys().filter(|c| account.known_to(**c)).count(),
        "of_sources": estate.metrics.sources_read,
        "gaps": account.gaps,
        "first_recorded": account.first_recorded,
        "time_to_appear": account.time_to_appear,
        "contradictions": estate.about(&key).iter().map(|c| c.kind.name()).collect::<Vec<_>>(),
        "lacks": account.lacks,
        "triage": account.triage,
        "triage_because": account.triage_because,
        "facts": account.facts,
    });
    if let (Some(party), Some(object)) = (&account.third_party, line.as_object_mut()) {
        object.insert("third_party".into(), party.as_str().into());
    }
    line.to_string()
}

/// Every account as [`account_line`], in key order.
pub fn accounts_jsonl(estate: &Estate) -> impl Iterator<Item = String> + '_ {
    estate.accounts.values().map(|a| account_line(a, estate))
}

/// The accounts as CSV (RFC 4180) with the column names that [`crate::read`] recognises as a manual record.
/// Cells that a spreadsheet would run as a formula are made text.
pub fn accounts_csv(estate: &Estate) -> String {
    let mut out = String::from(
        "provider,native_id,name,state,owner_person,owner_team,business_purpose,tier,data_classes,region_scope,\
         federation_state,landing_zone,contract_ref,last_reviewed_at,sources,gaps,first_recorded,time_to_appear_seconds\r\n",
    );
    for a in estate.accounts.values() {
        let f = &a.facts;
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        let join = |items: Vec<&str>| items.join(";");
        let cells = [
            a.provider.to_string(),
            a.native_id.clone(),
            text(&f.name),
            a.state.to_string(),
            text(&f.owner_person),
            text(&f.owner_team),
            text(&f.business_purpose),
            a.tier().to_string(),
            join(a.data_classes().iter().map(|c| c.name()).collect()),
            join(f.region_scope.iter().map(String::as_str).collect()),
            f.federation_state.map(|s| s.to_string()).unwrap_or_default(),
            f.landing_zone.map(|s| s.to_string()).unwrap_or_default(),
            text(&f.contract_ref),
            f.last_reviewed_at.map(|t| t.date()).unwrap_or_default(),
            join(a.sources.keys().filter(|c| a.known_to(**c)).map(|c| c.name()).collect()),
            join(a.gaps.iter().map(|c| c.name()).collect()),
            a.first_recorded.to_string(),
            a.time_to_appear.map(|t| t.seconds.to_string()).unwrap_or_default(),
        ];
        let cells: Vec<String> = cells.iter().map(|c| csv_cell(c)).collect();
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}
