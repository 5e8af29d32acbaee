//! What the tests are made of: a target, proxies, and a client that asks.

pub(crate) mod certificate;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod target;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use relay_upstream::client::{Client, ConnectionFault};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longer than anything here takes, short enough to be waited for when something is wrong.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A client that trusts the tests' certificate and goes through `proxy`.
pub(crate) fn through(proxy: &str) -> Client {
    client(Some(proxy), LONG)
}

/// A client that trusts the tests' certificate.
pub(crate) fn client(proxy: Option<&str>, within: Duration) -> Client {
    let proxy = proxy.map(|proxy| proxy.parse().unwrap());
    Client::connecting_within(&certificate::TRUSTING, proxy.as_ref(), within)
}

pub(crate) fn get(url: &str) -> Request<Full<Bytes>> {
    Request::get(url).body(Full::default()).unwrap()
}

/// Asks and reads the whole answer: status and body.
pub(crate) async fn ask(client: &Client, url: &str) -> Result<(u16, String), ConnectionFault> {
    let response = client.send(get(url)).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Ok((status, String::from_utf8(body.to_vec()).unwrap()))
}

/// The answer of a target to everything that it knows nothing special about.
#[expect(clippy::unnecessary_wraps, reason = "it is compared with what `ask` returns")]
pub(crate) fn hello() -> Result<(u16, String), ConnectionFault> {
    Ok((200, "hello".to_owned()))
}

/// Reads the head of a request or an answer; nothing if the peer hung up before.
pub(crate) async fn read_head(from: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

/// What was seen, in order, to be looked at by the test.
#[derive(Debug, Clone)]
pub(crate) struct Seen<T>(Arc<std::sync::Mutex<Vec<T>>>);

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> Seen<T> {
    pub(crate) fn note(&self, what: T) {
        self.0.lock().unwrap().push(what);
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}
