//! The only HTTP client: pooled connections, no redirects, no cookies, no decompression, no proxy
//! from the environment.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as PooledClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// How long a connection may take to come about.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an unused connection is kept: less than the load balancers of providers keep it.
pub const IDLE_CONNECTION_MAX: Duration = Duration::from_secs(50);

/// A connection that could not be made or used. The text never holds a URL's credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionFault {
    /// No connection: refused, name not found, TLS refused.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// No connection in time.
    #[error("no connection within {} s", CONNECT_TIMEOUT.as_secs())]
    ConnectTimeout,
    /// The connection broke before the answer began.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// A client for one way out of the machine.
#[derive(Debug, Clone)]
pub struct Client {
    pool: PooledClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Client {
    /// A client that connects directly, trusting `roots`.
    pub fn direct(tls: &Arc<rustls::ClientConfig>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        // HTTP/1.1 only: hyper opens one HTTP/2 connection per host, on which calls would queue
        // behind long streams once the peer's limit of concurrent streams is reached.
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(rustls::ClientConfig::clone(tls))
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = PooledClient::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION_MAX)
            .build(connector);
        Self { pool }
    }

    /// Sends a request and waits for the head of the answer. The caller sets the deadline.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ConnectionFault> {
        self.pool.request(request).await.map_err(|error| {
            let text = innermost(&error);
            if !error.is_connect() {
                ConnectionFault::Broken(text)
            } else if text.contains("deadline has elapsed") || text.contains("timed out") {
                ConnectionFault::ConnectTimeout
            } else {
                ConnectionFault::Connect(text)
            }
        })
    }
}

/// The cause at the bottom of an error, which says most.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

/// The settings of TLS: the roots that browsers trust, compiled in, so that an empty container
/// can connect too.
pub fn tls_config() -> Arc<rustls::ClientConfig> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    Arc::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}
