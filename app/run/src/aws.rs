//! Signing in to AWS and finding the accounts to read.

use futures_util::{StreamExt, stream};
use plumb_clouds::{
    Answer, Budgets, Call, Share, Target, Wire,
    aws::{AssumeRole, Client, Config, Endpoints, Session, login},
    http,
};
use plumb_model::{AccountId, Region, Unknown};
use serde_json::{Value as Json, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// What the command line says about reaching AWS.
#[derive(Debug, Clone)]
pub struct AwsOptions {
    /// The profile to sign in with.
    pub profile: Option<String>,
    /// The home region; default from the profile or environment, else `us-east-1`.
    pub region: Option<String>,
    /// Every account of the organisation.
    pub org: bool,
    /// The role to enter other accounts through.
    pub role: String,
    /// What its trust policy asks for.
    pub external_id: Option<String>,
    /// A role to take on first, in the own account.
    pub assume: Option<String>,
    /// Only these accounts; empty means all.
    pub accounts: BTreeSet<String>,
    /// One address for every service: an emulator, a proxy.
    pub endpoint_url: Option<String>,
    /// FIPS endpoints.
    pub fips: bool,
    /// Share of the published quotas, above 0 to 1; 0 means no limit of our own. None is a fifth, and no limit where
    /// the endpoint is on this machine: an emulator has no quotas, and no workloads to take them from.
    pub max_share: Option<f64>,
    /// Time for one service in one region of one account.
    pub service_deadline: Duration,
}

impl Default for AwsOptions {
    fn default() -> Self {
        Self {
            profile: None,
            region: None,
            org: false,
            role: "OrganizationAccountAccessRole".into(),
            external_id: None,
            assume: None,
            accounts: BTreeSet::new(),
            endpoint_url: None,
            fips: false,
            max_share: None,
            service_deadline: Duration::from_secs(900),
        }
    }
}

/// Signed in.
pub struct Connected {
    /// The wire.
    pub client: Client,
    /// The account signed in to.
    pub account: AccountId,
    /// Who we are there.
    pub arn: String,
    /// The home region.
    pub home: String,
    /// `aws`, `aws-us-gov`, `aws-cn`.
    pub partition: String,
}

/// An account that can or cannot be read.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct AccountTarget {
    /// Its number.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `active`, `suspended`, `closed`, `pending`, `unreachable`.
    pub state: String,
    /// Why it cannot be entered; empty when it can.
    pub reason: String,
    /// Whether it manages the organisation; none when there is none or it is not known.
    pub management: Option<bool>,
    /// The organisation's id.
    pub organization: String,
    /// The regions that are enabled.
    pub regions: Vec<String>,
    /// Whether there may be more regions, because they could not be listed.
    #[serde(default)]
    pub more_regions: bool,
    /// What Organizations says of it: mail address left out, joined method and time.
    pub joined: Json,
}

impl AccountTarget {
    fn alone(id: &str) -> Self {
        Self {
            id: id.into(),
            name: String::new(),
            state: "active".into(),
            reason: String::new(),
            management: None,
            organization: String::new(),
            regions: Vec::new(),
            more_regions: false,
            joined: Json::Null,
        }
    }
}

/// Why AWS could not be entered at all.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// The client could not be made, or nobody is signed in.
    #[error("cannot sign in to AWS: {0}; set AWS_PROFILE, run `aws sso login`, or give --profile")]
    SignIn(String),
    /// The organisation could not be listed.
    #[error(
        "cannot list the organisation's accounts: {0}; sign in to its management or a delegated administrator account, or leave out --org"
    )]
    Organization(String),
    /// An account that was asked for is not there.
    #[error("account {0} is not one of those that can be seen; leave out --account to read all")]
    NoAccount(String),
}

/// Signs in and asks who we are.
///
/// # Errors
/// When there are no credentials or they are refused.
pub async fn connect(options: &AwsOptions) -> Result<Connected, EnterError> {
    let mut variables: Vec<(String, String)> = std::env::vars().collect();
    if let Some(url) = &options.endpoint_url {
        variables.retain(|(name, _)| !name.starts_with("AWS_ENDPOINT_URL"));
        variables.push(("AWS_ENDPOINT_URL".into(), url.clone()));
    }
    if options.fips {
        variables.push(("AWS_USE_FIPS_ENDPOINT".into(), "true".into()));
    }
    let endpoints = Endpoints::from_variables(variables.iter().cloned());
    let share = match options.max_share {
        Some(share) if share > 0.0 => Share::Of(share),
        Some(_) => Share::Unlimited,
        None if endpoints.is_loopback() => Share::Unlimited,
        None => Share::default(),
    };
    let config = Config {
        http: http::Options { ca_bundle: ca_bundle(&variables)?, ..http::Options::default() },
        endpoints,
        budgets: Arc::new(Budgets::new(share, seed())),
        service_deadline: options.service_deadline,
        ..Config::default()
    };
    let client = Client::new(config).map_err(|e| EnterError::SignIn(e.to_string()))?;
    let variable = |name: &str| std::env::var(name).ok();
    // Static keys in the environment need none of the official chain, which costs start-up time.
    let (mut session, region) = match Session::from_variables(variable).filter(|_| options.profile.is_none()) {
        Some(session) => (session, variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"))),
        None => {
            let found = login(client.http(), options.profile.as_deref(), options.region.as_deref())
                .await
                .map_err(EnterError::SignIn)?;
            (found.session, found.region)
        }
    };
    let home = options.region.clone().or(region).unwrap_or_else(|| "us-east-1".into());
    if let Some(role) = &options.assume {
        let mut assume = AssumeRole::new(role, &home);
        assume.external_id.clone_from(&options.external_id);
        session = session.assume(assume);
    }
    let nobody = AccountId::from("unknown");
    client.enter(nobody.clone(), session.clone(), &home);
    let call = Call::new("sts", "GetCallerIdentity", json!({}));
    let answer = client.send(&Target { account: nobody, region: Region::from(home.as_str()) }, &call).await;
    let Answer::Page { page } = answer else {
        let why = answer.unknown(&call.name()).map_or_else(|| answer.name().to_owned(), |u| u.describe());
        return Err(EnterError::SignIn(why));
    };
    let text = |name: &str| page.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let (account, arn) = (text("Account"), text("Arn"));
    if account.is_empty() {
        return Err(EnterError::SignIn("the provider did not say which account this is".into()));
    }
    let account = AccountId::from(account);
    client.enter(account.clone(), session, &home);
    let partition = arn.split(':').nth(1).filter(|p| !p.is_empty()).unwrap_or("aws").to_owned();
    Ok(Connected { client, account, arn, home, partition })
}

/// The certificates `AWS_CA_BUNDLE` (or `SSL_CERT_FILE`) names, for inspecting proxies.
fn ca_bundle(variables: &[(String, String)]) -> Result<Option<Vec<u8>>, EnterError> {
    let named = ["AWS_CA_BUNDLE", "SSL_CERT_FILE"].iter().find_map(|n| variables.iter().find(|(name, _)| name == n));
    let Some((name, path)) = named else { return Ok(None) };
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) => Err(EnterError::SignIn(format!("{name} names `{path}`, which cannot be read ({error})"))),
    }
}

/// Jitter differs between processes; nothing else depends on it.
fn seed() -> u64 {
    u64::from(std::process::id())
}

/// The accounts to read, entered one by one. What cannot be entered is listed with the reason, never left out.
///
/// # Errors
/// When the organisation was asked for and cannot be listed, or a named account is not there.
pub async fn discover(
    wire: &dyn Wire,
    connected: Option<&Connected>,
    own: &AccountId,
    home: &str,
    options: &AwsOptions,
    mut found: impl FnMut(&AccountTarget),
) -> Result<Vec<AccountTarget>, EnterError> {
    let global = Target { account: own.clone(), region: Region::global() };
    let organization = wire.send(&global, &Call::new("organizations", "DescribeOrganization", json!({}))).await;
    let about = match &organization {
        Answer::Page { page } => page.get("Organization").cloned().unwrap_or_default(),
        _ => Json::Null,
    };
    let text = |value: &Json, name: &str| value.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let (org_id, master) = (text(&about, "Id"), text(&about, "MasterAccountId"));
    let mut targets = Vec::new();
    if options.org {
        let (pages, stop) = wire.all(&global, &Call::new("organizations", "ListAccounts", json!({}))).await;
        if let Some(stop) = stop {
            let why =
                stop.unknown("organizations:ListAccounts").map_or_else(|| stop.name().to_owned(), |u| u.describe());
            return Err(EnterError::Organization(why));
        }
        for account in pages.iter().flat_map(|p| p.get("Accounts").and_then(Json::as_array)).flatten() {
            let mut target = AccountTarget::alone(&text(account, "Id"));
            target.name = text(account, "Name");
            // `State` replaced `Status` in 2025; both may be there.
            let state =
                Some(text(account, "State")).filter(|s| !s.is_empty()).unwrap_or_else(|| text(account, "Status"));
            target.state = match state.as_str() {
                "ACTIVE" | "" => "active",
                "SUSPENDED" => "suspended",
                "CLOSED" | "PENDING_CLOSURE" => "closed",
                _ => "pending",
            }
            .into();
            target.joined = json!({ "method": text(account, "JoinedMethod"), "at": text(account, "JoinedTimestamp"), "arn": text(account, "Arn") });
            targets.push(target);
        }
    } else {
        targets.push(AccountTarget::alone(own.as_str()));
    }
    for wanted in &options.accounts {
        if !targets.iter().any(|t| t.id == *wanted) {
            return Err(EnterError::NoAccount(wanted.clone()));
        }
    }
    targets.retain(|t| options.accounts.is_empty() || options.accounts.contains(&t.id));
    targets.sort_by(|a, b| a.id.cmp(&b.id));
    let entered = targets.into_iter().map(|mut target| async {
        target.organization.clone_from(&org_id);
        target.management = (!master.is_empty()).then(|| master == target.id);
        enter(wire, connected, own, home, options, &mut target).await;
        target
    });
    // Accounts do not wait for each other; they are told in order.
    let mut entered = stream::iter(entered).buffered(ENTERED_AT_ONCE);
    let mut targets = Vec::new();
    while let Some(target) = entered.next().await {
        found(&target);
        targets.push(target);
    }
    Ok(targets)
}

/// Accounts entered at once.
const ENTERED_AT_ONCE: usize = 16;

/// Signs in to one account and asks for its regions; what stands in the way becomes its reason.
async fn enter(
    wire: &dyn Wire,
    connected: Option<&Connected>,
    own: &AccountId,
    home: &str,
    options: &AwsOptions,
    target: &mut AccountTarget,
) {
    if target.state != "active" {
        target.reason = format!("the account is {}", target.state);
        return;
    }
    if let (Some(connected), true) = (connected, target.id != own.as_str()) {
        let arn = format!("arn:{}:iam::{}:role/{}", connected.partition, target.id, options.role);
        let mut assume = AssumeRole::new(arn, home);
        assume.external_id.clone_from(&options.external_id);
        if let Some(session) = connected.client.session(own) {
            connected.client.enter(target.id.as_str().into(), session.assume(assume), home);
        }
    }
    match regions(wire, &target.id, home).await {
        Ok(regions) => target.regions = regions,
        Err(unknown)
            if unknown.reason == plumb_model::Reason::Denied && unknown.permission == "ec2:DescribeRegions" =>
        {
            target.regions = vec![home.to_owned()];
            target.more_regions = true;
            target.reason = format!("its regions could not be listed ({}); only {home} is read", unknown.describe());
        }
        Err(unknown) => {
            target.state = "unreachable".into();
            target.reason = unknown.describe();
        }
    }
}

/// The enabled regions of an account, asked from the provider.
async fn regions(wire: &dyn Wire, account: &str, home: &str) -> Result<Vec<String>, Unknown> {
    let target = Target { account: account.into(), region: home.into() };
    let call = Call::new("ec2", "DescribeRegions", json!({}));
    let answer = wire.send(&target, &call).await;
    let Answer::Page { page } = &answer else {
        return Err(answer
            .unknown(&call.name())
            .unwrap_or_else(|| Unknown::new(plumb_model::Reason::Broken, call.name())));
    };
    let rows = page.get("Regions").and_then(Json::as_array).cloned().unwrap_or_default();
    let enabled = |row: &Json| row.get("OptInStatus").and_then(Json::as_str) != Some("not-opted-in");
    let mut names: Vec<String> =
        rows.iter().filter(|r| enabled(r)).filter_map(|r| r.get("RegionName")?.as_str().map(str::to_owned)).collect();
    names.sort();
    Ok(names)
}
