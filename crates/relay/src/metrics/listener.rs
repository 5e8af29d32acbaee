//! The listener that a system reads from which watches. It has no credential: who reaches the
//! address reads the metrics.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE as TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{CONTENT_TYPE, Exposition};
use crate::server;

/// Readers at one time; more wait until one of them is gone.
const READERS_MAX: usize = 16;
/// How long a reader may take to send the head of its request.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long a reader may take in all.
const READ_WITHIN: Duration = Duration::from_secs(20);
/// How long accepting rests after an error such as too many open files.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Listens at the address that was set, and says so.
pub fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = server::listen(address)
        .with_context(|| format!("cannot listen on {address} (METRICS_LISTEN)"))?;
    let address = listener.local_addr()?;
    if !is_near(address.ip()) {
        tracing::warn!(%address, "METRICS_LISTEN: whoever reaches this address reads the metrics");
    }
    tracing::info!("metrics on http://{address}/metrics");
    Ok(listener)
}

/// Whether an address is of this machine or of a network that is not public.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// Answers everyone who connects, for ever; who is being answered goes with it.
pub async fn serve(listener: TcpListener, exposition: Exposition) {
    let exposition = Arc::new(exposition);
    let mut readers = JoinSet::new();
    loop {
        while readers.len() >= READERS_MAX {
            readers.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    readers.spawn(timeout(READ_WITHIN, answer(stream, Arc::clone(&exposition))));
                }
                Err(error) => {
                    tracing::debug!(%error, "a reader of metrics was not accepted");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            },
            Some(_) = readers.join_next() => {}
        }
    }
}

/// One request a connection: a reader that comes once in many seconds loses nothing by it, and
/// none can hold a place.
async fn answer(stream: TcpStream, exposition: Arc<Exposition>) {
    let handler = service_fn(|request: Request<Incoming>| {
        let response = respond(&request, &exposition);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).keep_alive(false);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), handler).await {
        tracing::debug!(%error, "a reader of metrics left");
    }
}

fn respond(request: &Request<Incoming>, exposition: &Exposition) -> Response<Body> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || request.uri().path() != "/metrics" {
        return plain(StatusCode::NOT_FOUND, "not found: the metrics are at /metrics\n");
    }
    let Ok(text) = exposition.text() else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n");
    };
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(TYPE, plain);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_and_public_ones_are_not_near() {
        let near = |text: &str| is_near(text.parse().expect("an address"));
        assert!(["127.0.0.1", "10.1.2.3", "192.168.1.10", "::1", "fd00::1"].into_iter().all(near));
        assert!(!["0.0.0.0", "::", "203.0.113.7", "2001:db8::1"].into_iter().any(near));
    }
}
