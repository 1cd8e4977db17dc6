//! The client: one exchange with everything that belongs to it.

use super::{
    decode, encode,
    endpoint::{Endpoints, Place},
    errors::{ApiError, Class},
    health::{Health, Refusal},
    model::{Frame, Operation, Service, Table, table},
    pages::ModelPages,
    quotas,
    session::{AssumeRole, NoCredentials, Session, Sts},
    sign,
    time::rfc2822_instant,
};
use crate::{
    Answer, Budgets, Call, Pages, Scope, Target, Wire,
    budget::lock,
    http::{Failure, Http, Options, Reply, Send},
    wire::Boxed,
};
use aws_credential_types::Credentials;
use plumb_model::AccountId;
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// How to reach AWS.
#[derive(Debug, Clone)]
pub struct Config {
    /// Connections.
    pub http: Options,
    /// Addresses.
    pub endpoints: Endpoints,
    /// The buckets, which may be shared with other clients of the process.
    pub budgets: Arc<Budgets>,
    /// Time for a service in a region of an account, from its first call.
    pub service_deadline: Duration,
    /// Requests for one call at most when the provider throttles or fails; twice as many where it throttles now and then,
    /// with answers to other calls of the same bucket in between.
    pub attempts: u32,
    /// Added to the user agent, so that CloudTrail tells who asked: `plumbline/0.1.0`.
    pub user_agent: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            http: Options::default(),
            endpoints: Endpoints::default(),
            budgets: Arc::new(Budgets::default()),
            service_deadline: Duration::from_secs(900),
            attempts: 6,
            user_agent: concat!("plumbline/", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}

/// The client cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot set up the AWS client: {0}")]
pub struct SetupError(String);

/// The wire to AWS. Accounts are entered with their credentials; then any number of tasks may ask at once.
#[derive(Debug)]
pub struct Client {
    table: &'static Table,
    config: Config,
    http: Arc<Http>,
    accounts: Arc<Mutex<HashMap<AccountId, Account>>>,
    health: Health,
    /// Milliseconds the provider's clock is ahead of ours.
    skew: Arc<AtomicI64>,
}

#[derive(Debug, Clone)]
struct Account {
    session: Session,
    home: Arc<str>,
}

/// What a call needs besides its parameters, looked up once.
struct Prepared<'a> {
    service: &'a Arc<Service>,
    frame: &'a Frame,
    operation: &'a Operation,
    place: Place,
    scope: Scope,
    request: encode::Request,
}

/// What to do with an answer that is not a success.
enum Next {
    /// Give it to the caller.
    Done(Answer),
    /// Try again at once: something was put right.
    Again,
    /// Try again after a pause.
    Later,
}

/// What may be put right once for a call.
#[derive(Default)]
struct Mended {
    credentials: bool,
    clock: bool,
    region: bool,
}

impl Client {
    /// A client with no accounts yet.
    pub fn new(config: Config) -> Result<Self, SetupError> {
        let table = table().map_err(|problem| SetupError(problem.to_owned()))?;
        let http = Arc::new(Http::new(config.http.clone()));
        Ok(Self { table, config, http, accounts: Arc::default(), health: Health::default(), skew: Arc::default() })
    }

    /// The same connections, credentials and budgets for the next scan, with nothing held against any region.
    pub fn next_scan(&self) -> Self {
        Self {
            table: self.table,
            config: self.config.clone(),
            http: self.http.clone(),
            accounts: self.accounts.clone(),
            health: Health::default(),
            skew: self.skew.clone(),
        }
    }

    /// Makes an account known, or changes how it is entered. `home` is its usual region: it tells the partition.
    pub fn enter(&self, account: AccountId, session: Session, home: &str) {
        lock(&self.accounts).insert(account, Account { session, home: home.into() });
    }

    /// The credentials of an account that was entered.
    pub fn session(&self, account: &AccountId) -> Option<Session> {
        lock(&self.accounts).get(account).map(|account| account.session.clone())
    }

    /// The connections, for other calls over the same TLS settings.
    pub fn http(&self) -> &Arc<Http> {
        &self.http
    }

    /// The buckets and counters.
    pub fn budgets(&self) -> &Arc<Budgets> {
        &self.config.budgets
    }

    /// One call: one page, with every retry the budget allows.
    pub(super) async fn exchange(&self, target: &Target, call: &Call) -> Answer {
        let account = lock(&self.accounts).get(&target.account).cloned();
        match account {
            Some(account) => self.exchange_as(&account, target, call).await,
            None => Answer::broken("credentials", format!("the account {} was not entered", target.account)),
        }
    }

    async fn exchange_as(&self, account: &Account, target: &Target, call: &Call) -> Answer {
        let mut prepared = match self.prepare(account, target, call) {
            Ok(prepared) => prepared,
            Err(answer) => return answer,
        };
        match self.health.refuse(&prepared.scope, &call.operation) {
            Some(Refusal::Unreachable(problem)) => return self.nobody(&prepared, problem),
            Some(Refusal::Failing(problem)) => return Answer::broken("failing", problem),
            None => {}
        }
        let until = self.health.deadline(&prepared.scope, self.config.service_deadline);
        if Instant::now() >= until {
            return Answer::ThrottledOut { message: self.out_of_time(call) };
        }
        match tokio::time::timeout_at(until, self.attempts(account, target, call, &mut prepared, until)).await {
            Ok(answer) => answer,
            Err(_) => {
                let message = self.out_of_time(call);
                self.health.out_of_time(&prepared.scope, &message);
                Answer::ThrottledOut { message }
            }
        }
    }

    fn out_of_time(&self, call: &Call) -> String {
        format!("{} used up its {} s in this region", call.service, self.config.service_deadline.as_secs())
    }

    /// Everything that does not depend on answers.
    fn prepare<'a>(&'a self, account: &Account, target: &Target, call: &Call) -> Result<Prepared<'a>, Answer> {
        let invalid = |message: String| Answer::broken("request", message);
        let service = self.table.service(&call.service).ok_or_else(|| {
            invalid(format!("the table of operations has no service `{}`; name it as botocore does", call.service))
        })?;
        let frame = service.frame().map_err(|problem| invalid(problem.to_owned()))?;
        let operation = frame.operations.get(&*call.operation).ok_or_else(|| {
            invalid(format!("the table has no {}; name it in operations.txt and derive the table again", call.name()))
        })?;
        let request = encode::request(service, frame, &call.operation, operation, &call.params)
            .map_err(|problem| invalid(problem.to_string()))?;
        let bucket = bucket(service, call).and_then(|bucket| self.health.bucket_region(bucket));
        let region = bucket.as_deref().unwrap_or(target.region.as_str());
        let place = self
            .config
            .endpoints
            .place(self.table, service, region, &account.home)
            .map_err(|problem| invalid(problem.to_string()))?;
        let scope = Scope {
            account: target.account.clone(),
            region: place.signing_region.as_str().into(),
            service: call.service.clone(),
        };
        Ok(Prepared { service, frame, operation, place, scope, request })
    }

    async fn attempts(
        &self,
        account: &Account,
        target: &Target,
        call: &Call,
        prepared: &mut Prepared<'_>,
        until: Instant,
    ) -> Answer {
        let budgets = &self.config.budgets;
        let (quota, cost) = (quotas::of(&call.service), quotas::cost(&call.service, &call.operation));
        let mut mended = Mended::default();
        let most = self.config.attempts.max(1);
        let (mut attempt, mut spared) = (0, 0);
        loop {
            attempt += 1;
            let mut last = attempt - spared >= most;
            let credentials = match account.session.credentials(self).await {
                Ok(credentials) => credentials,
                Err(problem) => return Answer::broken("credentials", problem.to_string()),
            };
            if budgets.permit(&prepared.scope, quota, cost, until).await.is_err() {
                return Answer::ThrottledOut { message: self.out_of_time(call) };
            }
            let send = match self.signed(prepared, &credentials) {
                Ok(send) => send,
                Err(problem) => return Answer::broken("request", problem),
            };
            let repeated = u64::from(attempt > 1);
            budgets.count(&call.service, |counters| {
                counters.calls += 1;
                counters.retries += repeated;
            });
            let next = match self.http.exchange(&send).await {
                Ok(reply) => {
                    self.health.answered(&prepared.scope);
                    let bytes = u64::try_from(reply.body.len()).unwrap_or(u64::MAX);
                    budgets.count(&call.service, |counters| counters.bytes += bytes);
                    if (200..300).contains(&reply.status) {
                        budgets.answered(&prepared.scope, quota);
                        self.health.prove(&target.account);
                        self.read(prepared, call, &reply, attempt)
                    } else {
                        let error = ApiError::read(prepared.service, &reply);
                        match error.class() {
                            Class::Throttled => {
                                // Where others get through in between, this call has been unlucky and is not refused:
                                // such a throttle does not count, up to as many as do.
                                let others = budgets.throttled(&prepared.scope, quota, retry_after(&reply));
                                if others && attempt > 1 && spared < most {
                                    spared += 1;
                                    last = attempt - spared >= most;
                                }
                            }
                            Class::Transient => {}
                            // "There is none" and "you may not" are answers too.
                            _ => budgets.answered(&prepared.scope, quota),
                        }
                        self.judge(target, account, call, prepared, &credentials, &reply, error, &mut mended, last)
                            .await
                    }
                }
                Err(failure) => self.unanswered(prepared, failure, attempt, last),
            };
            match next {
                Next::Done(answer) => return answer,
                Next::Again => {}
                Next::Later => {
                    let full = Duration::from_millis(100).saturating_mul(1 << attempt.min(7));
                    tokio::time::sleep(full / 2 + budgets.jitter(full / 2)).await;
                }
            }
        }
    }

    /// The request as it goes out.
    fn signed(&self, prepared: &Prepared<'_>, credentials: &Credentials) -> Result<Send, String> {
        let (place, request) = (&prepared.place, &prepared.request);
        let host = match place.url.split_once("://") {
            Some((scheme, host)) if !place.overridden && !request.host_prefix.is_empty() => {
                format!("{scheme}://{}{host}", request.host_prefix)
            }
            _ => place.url.clone(),
        };
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let mut send = Send {
            method: request.method.clone(),
            url: format!("{host}{}{query}", request.path),
            headers: request.headers.clone(),
            body: request.body.clone(),
        };
        let skew = self.skew.load(Ordering::Relaxed);
        let ours = SystemTime::now();
        let ahead = Duration::from_millis(skew.unsigned_abs());
        let now = if skew < 0 { ours.checked_sub(ahead) } else { ours.checked_add(ahead) };
        sign::sign(&mut send, prepared.service, place, credentials, now.unwrap_or(ours))?;
        send.headers.push(("user-agent".into(), self.config.user_agent.clone()));
        Ok(send)
    }

    fn read(&self, prepared: &Prepared<'_>, call: &Call, reply: &Reply, attempt: u32) -> Next {
        let (service, frame) = (prepared.service, prepared.frame);
        match decode::answer(service, frame, &call.operation, prepared.operation, reply) {
            Ok(page) => {
                self.health.worked(&prepared.scope, &call.operation);
                Next::Done(Answer::Page { page })
            }
            // A body may be damaged under way, but not time and again.
            Err(_) if attempt < self.config.attempts.min(3) => Next::Later,
            Err(problem) => {
                self.health.failed(&prepared.scope, &call.operation, &problem);
                Next::Done(Answer::broken("malformed", format!("{}: {problem}", call.name())))
            }
        }
    }

    /// Nobody accepts a connection. In a region where others answer that is a fact about a service that the provider's
    /// endpoint data does not have there; its list may be old, so nothing is concluded from the list alone.
    fn nobody(&self, prepared: &Prepared<'_>, problem: String) -> Answer {
        let listed = !prepared.service.not_in.iter().any(|region| *region == prepared.scope.region.as_str());
        if listed || !self.health.alone(&prepared.scope) {
            Answer::Disabled { code: "unreachable".into(), message: problem }
        } else {
            Answer::NotOffered { message: problem }
        }
    }

    /// No answer at all.
    fn unanswered(&self, prepared: &Prepared<'_>, failure: Failure, attempt: u32, last: bool) -> Next {
        let problem = failure.to_string();
        match failure {
            // Once more, in case the name server or the network hiccuped; not longer, since most often it is a region
            // where the service is not.
            Failure::Connect { .. } if attempt < 2 && !last => Next::Later,
            Failure::Connect { .. } => {
                self.health.unreachable(&prepared.scope, &problem);
                Next::Done(self.nobody(prepared, problem))
            }
            Failure::Timeout { .. } if attempt < 2 && !last => Next::Later,
            Failure::Timeout { .. } => {
                self.health.silent(&prepared.scope, &problem);
                Next::Done(Answer::broken("timeout", problem))
            }
            Failure::Body { .. } if attempt < 4 && !last => Next::Later,
            Failure::Body { .. } => {
                self.health.silent(&prepared.scope, &problem);
                Next::Done(Answer::broken("connection", problem))
            }
            Failure::Request { .. } => Next::Done(Answer::broken("request", problem)),
        }
    }

    /// What an error answer means for this call. The caller's declarations come first.
    #[expect(clippy::too_many_arguments, reason = "one decision, and each argument is a part of what it rests on")]
    async fn judge(
        &self,
        target: &Target,
        account: &Account,
        call: &Call,
        prepared: &mut Prepared<'_>,
        credentials: &Credentials,
        reply: &Reply,
        error: ApiError,
        mended: &mut Mended,
        last: bool,
    ) -> Next {
        let ApiError { code, message, .. } = &error;
        let (code, message) = (code.clone(), message.clone());
        if call.absent.iter().any(|declared| **declared == *code) {
            self.health.prove(&target.account);
            return Next::Done(Answer::Absent { code });
        }
        if call.gone.iter().any(|declared| **declared == *code) {
            self.health.prove(&target.account);
            return Next::Done(Answer::Gone { code });
        }
        Next::Done(match error.class() {
            Class::Throttled if last => Answer::ThrottledOut { message: format!("{code}: {message}") },
            // The bucket pauses; the next turn comes after it.
            Class::Throttled => return Next::Again,
            Class::Transient if !last => return Next::Later,
            Class::Transient => {
                self.health.failed(&prepared.scope, &call.operation, &format!("{code}: {message}"));
                Answer::Broken { code, message }
            }
            Class::Denied => {
                self.health.prove(&target.account);
                let permission = prepared.service.operations.get(&*call.operation).cloned().unwrap_or_default();
                Answer::Denied { permission, code, message }
            }
            Class::Expired if account.session.renews() && !mended.credentials => {
                mended.credentials = true;
                account.session.forget(credentials).await;
                return Next::Again;
            }
            Class::Expired => Answer::broken("credentials", "the credentials have expired; sign in again"),
            Class::Skewed if !mended.clock && self.adopt_clock(reply) => {
                mended.clock = true;
                return Next::Again;
            }
            Class::Skewed => Answer::Broken { code, message },
            // Accepted elsewhere, so the region does not know this account: it is not enabled.
            Class::Unaccepted if self.health.proven(&target.account) => Answer::Disabled { code, message },
            Class::Unaccepted => Answer::broken("credentials", format!("{code}: {message}")),
            Class::Elsewhere => match (error.region, bucket(prepared.service, call)) {
                (Some(region), bucket) if !mended.region => {
                    mended.region = true;
                    if let Some(bucket) = bucket {
                        self.health.learn_bucket(bucket, &region);
                    }
                    match self.config.endpoints.place(self.table, prepared.service, &region, &account.home) {
                        Ok(place) => prepared.place = place,
                        Err(problem) => return Next::Done(Answer::broken("request", problem.to_string())),
                    }
                    return Next::Again;
                }
                _ => Answer::Broken { code, message },
            },
            Class::Disabled => Answer::Disabled { code, message },
            Class::Other => Answer::Broken { code, message },
        })
    }

    /// Takes the provider's clock from its answer.
    fn adopt_clock(&self, reply: &Reply) -> bool {
        let Some(theirs) = reply.header("date").and_then(rfc2822_instant) else { return false };
        let Ok(ours) = jiff::Timestamp::try_from(SystemTime::now()) else { return false };
        self.skew.store(theirs.as_millisecond() - ours.as_millisecond(), Ordering::Relaxed);
        true
    }
}

impl Wire for Client {
    fn pages<'a>(&'a self, target: &Target, call: &Call) -> Pages<'a> {
        Pages::new(ModelPages::new(self, target, call))
    }
}

impl Sts for Client {
    fn assume<'a>(&'a self, base: &'a Session, role: &'a AssumeRole) -> Boxed<'a, Result<Credentials, NoCredentials>> {
        Box::pin(async move {
            let refused = |problem: String| NoCredentials(format!("cannot enter {}: {problem}", role.role_arn));
            let mut params = json!({
                "RoleArn": role.role_arn,
                "RoleSessionName": role.session_name,
                "DurationSeconds": role.duration.as_secs(),
            });
            if let Some(external_id) = &role.external_id {
                params["ExternalId"] = json!(external_id);
            }
            // The fifth part of the role's name is the account it leads to; the calls are counted there.
            let account = role.role_arn.split(':').nth(4).unwrap_or_default();
            let target = Target::new(account, &role.region);
            let base = Account { session: base.clone(), home: role.region.as_str().into() };
            let answer = self.exchange_as(&base, &target, &Call::new("sts", "AssumeRole", params)).await;
            let page = match answer {
                Answer::Page { page } => page,
                other => {
                    let gap = other.unknown("sts:AssumeRole");
                    return Err(refused(gap.map_or_else(|| other.name().to_owned(), |gap| gap.describe())));
                }
            };
            let member = |name: &str| page["Credentials"][name].as_str().map(str::to_owned);
            let (Some(id), Some(secret)) = (member("AccessKeyId"), member("SecretAccessKey")) else {
                return Err(refused("the answer holds no credentials".into()));
            };
            let expiry =
                member("Expiration").and_then(|text| text.parse::<jiff::Timestamp>().ok()).map(SystemTime::from);
            Ok(Credentials::new(id, secret, member("SessionToken"), expiry, "AssumeRole"))
        })
    }
}

/// The bucket a call is about.
fn bucket<'a>(service: &Service, call: &'a Call) -> Option<&'a str> {
    call.params.get("Bucket")?.as_str().filter(|_| service.name == "s3")
}

/// What the provider asks for: seconds, or a date.
fn retry_after(reply: &Reply) -> Option<Duration> {
    let text = reply.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = SystemTime::from(rfc2822_instant(text)?);
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}
