//! `plumb plan`, `plumb permissions`.

use super::scan::{aws_options, runtime};
use crate::{
    args::{Format, Globals, PermissionArgs, PlanArgs, PolicyForm},
    context, out,
    out::Failure,
};
use std::collections::BTreeMap;

/// `plumb plan`
pub fn run(globals: &Globals, args: PlanArgs) -> Result<u8, Failure> {
    let catalog = context::catalog(globals)?;
    let rules = context::live_rules(globals, &catalog, &args.rules, "aws")?;
    let options = aws_options(&args.aws)?;
    let mut accounts = Vec::new();
    let regions: Vec<usize> = match args.offline_accounts {
        Some(n) => vec![args.offline_regions; n],
        None => runtime()?.block_on(async {
            let connected = plumb_run::connect(&options).await?;
            let targets = plumb_run::discover(
                &connected.client,
                Some(&connected),
                &connected.account,
                &connected.home,
                &options,
                |_| {},
            )
            .await?;
            let wanted = |r: &&String| args.aws.regions.is_empty() || args.aws.regions.contains(r);
            let counts = targets
                .iter()
                .filter(|t| t.state == "active")
                .map(|t| t.regions.iter().filter(wanted).count())
                .collect();
            accounts = targets;
            Ok::<_, Failure>(counts)
        })?,
    };
    let known = known_resources(globals);
    let pace = |service: &str| plumb_clouds::aws::quota(service).per_second;
    let plan = plumb_run::plan(&catalog, &rules, &regions, &known, args.aws.max_share.unwrap_or(0.2), &pace);
    if out::format(globals) != Format::Text {
        let mut value = serde_json::to_value(&plan)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("account_list".into(), serde_json::to_value(&accounts)?);
        }
        out::line(serde_json::to_string_pretty(&value)?);
        return Ok(0);
    }
    for account in &accounts {
        out::line(format!("account {} {} ({}) {}", account.id, account.name, account.state, account.reason));
    }
    let rows: Vec<Vec<String>> = plan
        .services
        .iter()
        .map(|s| {
            vec![
                s.service.clone(),
                s.fixed_calls.to_string(),
                s.expected_calls.to_string(),
                format!("{:.0} s", s.seconds),
                s.permissions.len().to_string(),
                s.per_resource.join(" "),
            ]
        })
        .collect();
    out::table(&["service", "lists", "expected", "at pace", "permissions", "calls per resource"], &rows);
    out::line(format!(
        "\n{} rules on {} kinds, {} accounts × regions: {}\nexpected calls   {}{}\nbudget           {:.0} % of the published quotas at most\nexpected time    {:.0} s (the slowest service; services run side by side)\npermissions      plumb permissions aws",
        plan.rules,
        plan.kinds,
        plan.accounts,
        plan.regions,
        plan.expected_calls,
        if known.is_empty() {
            " and one per resource where listed above; the record knows no resources yet"
        } else {
            ""
        },
        plan.max_share * 100.0,
        plan.seconds,
    ));
    Ok(0)
}

/// How many resources of each kind the record knows; empty when there is no record yet.
fn known_resources(globals: &Globals) -> BTreeMap<String, usize> {
    let Ok(record) = context::record_read_only(globals) else { return BTreeMap::new() };
    let Ok(table) = record.query("SELECT kind, count(*) FROM resources GROUP BY kind") else { return BTreeMap::new() };
    let row = |r: &Vec<serde_json::Value>| {
        Some((r.first()?.as_str()?.to_owned(), usize::try_from(r.get(1)?.as_i64()?).ok()?))
    };
    table.rows.iter().filter_map(row).collect()
}

/// `plumb permissions`
pub fn permissions(globals: &Globals, args: PermissionArgs) -> Result<u8, Failure> {
    let catalog = context::catalog(globals)?;
    let rules = context::live_rules(globals, &catalog, &args.rules, "aws")?;
    let policy = plumb_run::permissions(&catalog, &rules, args.org);
    match args.form {
        PolicyForm::Json => out::line(serde_json::to_string_pretty(&policy.document())?),
        PolicyForm::Terraform => out::line(policy.terraform(&args.role_name)),
        PolicyForm::Stackset => out::line(policy.stackset(&args.role_name)),
    }
    Ok(0)
}
