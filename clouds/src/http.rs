//! One exchange over HTTP. The only file that knows the HTTP stack.
//!
//! The stack is the one the official AWS credential sources use (hyper, rustls with ring), so there is one TLS library
//! and one connection pool in the process. Proxies come from `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`; loopback
//! addresses are never proxied.

use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::HttpRequest,
        result::ConnectorError,
    },
    http::Request,
};
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{error::Error, fmt, io, sync::OnceLock, time::Duration};

/// How connections are made. The default suits public clouds.
#[derive(Debug, Clone)]
pub struct Options {
    /// PEM certificates trusted beside the system's; for inspecting proxies and private endpoints.
    pub ca_bundle: Option<Vec<u8>>,
    /// Time to connect, TLS included.
    pub connect_timeout: Duration,
    /// Time from the request to the head of the answer.
    pub read_timeout: Duration,
    /// The largest body that is read, in bytes; a larger one is [`Failure::Body`].
    pub max_body: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ca_bundle: None,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(60),
            max_body: 64 << 20,
        }
    }
}

impl Options {
    /// The defaults with the certificates of the file that `AWS_CA_BUNDLE` names, if it is set. `variable` is usually
    /// `|name| std::env::var(name).ok()`. Fails when the file cannot be read or holds no certificate.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, io::Error> {
        let Some(path) = variable("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) else { return Ok(Self::default()) };
        let pem = std::fs::read(&path)?;
        check_bundle(&pem).map_err(|problem| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{path} (AWS_CA_BUNDLE): {problem}"))
        })?;
        Ok(Self { ca_bundle: Some(pem), ..Self::default() })
    }
}

/// Why there is no complete answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nobody accepted the connection: no such host, refused, unreachable, TLS not agreed.
    #[error("cannot connect to {host}: {problem}")]
    Connect {
        /// The host and port.
        host: String,
        /// The chain of causes.
        problem: String,
    },
    /// No answer in time.
    #[error("no answer from {host} in time: {problem}")]
    Timeout {
        /// The host and port.
        host: String,
        /// Which timer ran out.
        problem: String,
    },
    /// The connection broke before the answer was complete.
    #[error("the connection to {host} broke: {problem}")]
    Body {
        /// The host and port.
        host: String,
        /// The chain of causes.
        problem: String,
    },
    /// The request cannot be expressed in HTTP.
    #[error("the request to {host} is not valid: {problem}")]
    Request {
        /// The host and port.
        host: String,
        /// What is wrong.
        problem: String,
    },
}

/// What is sent. Debug shows no headers or body: they may hold secrets.
#[derive(Clone)]
pub struct Send {
    /// `GET`, `POST` …
    pub method: String,
    /// Absolute, with scheme.
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// May be empty.
    pub body: Vec<u8>,
}

impl fmt::Debug for Send {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send").field("method", &self.method).field("url", &self.url).finish_non_exhaustive()
    }
}

/// What came back.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A pool of connections. Made cheaply; the TLS roots are read at the first https exchange.
pub struct Http {
    options: Options,
    plain: OnceLock<SharedHttpConnector>,
    secure: OnceLock<Result<SharedHttpConnector, String>>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Http {
    /// A pool with these options.
    pub fn new(options: Options) -> Self {
        Self { options, plain: OnceLock::new(), secure: OnceLock::new() }
    }

    /// One exchange: no retries, no redirects.
    pub async fn exchange(&self, send: &Send) -> Result<Reply, Failure> {
        let host = host_of(&send.url);
        let invalid = |problem: String| Failure::Request { host: host.clone(), problem };
        let mut request: HttpRequest = Request::new(SdkBody::from(send.body.clone()));
        request.set_method(&send.method).map_err(|e| invalid(e.to_string()))?;
        request.set_uri(send.url.as_str()).map_err(|e| invalid(e.to_string()))?;
        for (name, value) in &send.headers {
            let set = request.headers_mut().try_insert(name.clone(), value.clone());
            set.map_err(|e| invalid(format!("header {name}: {e}")))?;
        }
        if !send.body.is_empty() {
            let length = send.body.len().to_string();
            request.headers_mut().try_insert("content-length", length).map_err(|e| invalid(e.to_string()))?;
        }
        let connector = self.connector(&send.url).map_err(invalid)?;
        let response = connector.call(request).await.map_err(|e| failure(&host, &e))?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter_bytes()
            .map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8_lossy(value).into_owned()))
            .collect();
        let mut stream = response.into_body();
        let mut body = Vec::new();
        let broke = |problem: String| Failure::Body { host: host.clone(), problem };
        loop {
            let frame = tokio::time::timeout(self.options.read_timeout, stream.frame()).await;
            let frame =
                frame.map_err(|_| Failure::Timeout { host: host.clone(), problem: "the body stalled".into() })?;
            let Some(frame) = frame else { break };
            if let Ok(data) = frame.map_err(|e| broke(chain(e.as_ref())))?.into_data() {
                body.extend_from_slice(&data);
            }
            if body.len() > self.options.max_body {
                return Err(broke(format!("the answer is larger than {} bytes", self.options.max_body)));
            }
        }
        Ok(Reply { status, headers, body })
    }

    fn connector(&self, url: &str) -> Result<&SharedHttpConnector, String> {
        if url.starts_with("http://") {
            return Ok(self.plain.get_or_init(|| {
                let mut builder = self.builder();
                builder.set_proxy_config(Some(if is_loopback(url) {
                    ProxyConfig::disabled()
                } else {
                    ProxyConfig::from_env()
                }));
                SharedHttpConnector::new(builder.build_http())
            }));
        }
        let made = self.secure.get_or_init(|| {
            let mut builder = self.builder();
            builder.set_proxy_config(Some(ProxyConfig::from_env()));
            let secure = builder.tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).tls_context(self.tls()?);
            Ok(SharedHttpConnector::new(secure.build()))
        });
        made.as_ref().map_err(Clone::clone)
    }

    fn builder(&self) -> aws_smithy_http_client::ConnectorBuilder {
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(self.options.connect_timeout)
            .read_timeout(self.options.read_timeout)
            .build();
        Connector::builder().connector_settings(settings).sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
    }

    fn tls(&self) -> Result<TlsContext, String> {
        let mut roots = TrustStore::default();
        if let Some(pem) = &self.options.ca_bundle {
            check_bundle(pem)?;
            roots.add_pem_certificate(pem.clone());
        }
        TlsContext::builder().with_trust_store(roots).build().map_err(|e| format!("the CA bundle: {}", chain(&e)))
    }

    /// The same TLS and proxy settings for the official credential sources, which bring their own timeouts.
    #[cfg(feature = "aws-login")]
    pub(crate) fn for_credentials(&self) -> Result<aws_smithy_runtime_api::client::http::SharedHttpClient, String> {
        let tls = self.tls()?;
        let made = std::sync::Mutex::new(std::collections::HashMap::new());
        Ok(aws_smithy_runtime_api::client::http::http_client_fn(move |settings, _| {
            let key = (settings.connect_timeout(), settings.read_timeout());
            let mut made = made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let build = |proxy| {
                let mut builder = Connector::builder().connector_settings(settings.clone());
                builder.set_proxy_config(Some(proxy));
                let sleep = SharedAsyncSleep::new(TokioSleep::new());
                let builder = builder.sleep_impl(sleep).tls_provider(tls::Provider::Rustls(CryptoMode::Ring));
                builder.tls_context(tls.clone()).build()
            };
            let connector = made.entry(key).or_insert_with(|| {
                let (direct, proxied) = (build(ProxyConfig::disabled()), build(ProxyConfig::from_env()));
                SharedHttpConnector::new(ByHost { direct, proxied })
            });
            connector.clone()
        }))
    }
}

/// Instance and container metadata live on link-local addresses, which no proxy reaches.
#[cfg(feature = "aws-login")]
#[derive(Debug)]
struct ByHost {
    direct: Connector,
    proxied: Connector,
}

#[cfg(feature = "aws-login")]
impl HttpConnector for ByHost {
    fn call(&self, request: HttpRequest) -> aws_smithy_runtime_api::client::http::HttpConnectorFuture {
        let url = request.uri();
        let near = is_loopback(url) || host_of(url).starts_with("169.254.") || host_of(url).starts_with("[fd00:ec2:");
        if near { self.direct.call(request) } else { self.proxied.call(request) }
    }
}

/// The HTTP stack takes every certificate of a bundle for granted, so they are read here first.
fn check_bundle(pem: &[u8]) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|e| format!("the CA bundle is not valid PEM: {e:?}"))?;
        roots.add(certificate).map_err(|e| format!("the CA bundle holds a certificate that is not valid: {e}"))?;
    }
    if roots.is_empty() { Err("the CA bundle holds no certificate".into()) } else { Ok(()) }
}

/// Whether an address stays on this machine.
pub fn is_loopback(url: &str) -> bool {
    let host = host_of(url);
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    name == "localhost" || name == "[::1]" || name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

/// `host:port` of an absolute address.
fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default().to_owned()
}

fn failure(host: &str, error: &ConnectorError) -> Failure {
    let (host, problem) = (host.to_owned(), chain(error));
    // An error names its phase only in words, once it has come through the layers of the pool.
    let connecting = problem.contains("(Connect)") || problem.contains("error trying to connect") || refused(error);
    if error.is_user() {
        Failure::Request { host, problem }
    } else if connecting {
        Failure::Connect { host, problem }
    } else if error.is_timeout() {
        Failure::Timeout { host, problem }
    } else {
        Failure::Body { host, problem }
    }
}

fn refused(error: &ConnectorError) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable};
            return matches!(io.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable | AddrNotAvailable);
        }
        next = error.source();
    }
    false
}

/// An error and its causes on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_damaged_ca_bundle_is_a_failure_and_no_panic() {
        for pem in [
            "",
            "nonsense",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n",
        ] {
            let http = Http::new(Options { ca_bundle: Some(pem.into()), ..Options::default() });
            let send = Send {
                method: "GET".into(),
                url: "https://127.0.0.1:1/".into(),
                headers: Vec::new(),
                body: Vec::new(),
            };
            let failure = http.exchange(&send).await.expect_err("no connection");
            assert!(failure.to_string().contains("CA bundle"), "{failure}");
        }
    }

    #[test]
    fn loopback_addresses() {
        for (url, loopback) in [
            ("http://127.0.0.1:5901", true),
            ("http://localhost/x", true),
            ("http://[::1]:80", true),
            ("https://s3.amazonaws.com", false),
            ("http://127.evil.example", false),
        ] {
            assert_eq!(is_loopback(url), loopback, "{url}");
        }
    }
}
