//! From a call to the answer that its client gets.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use relay_core::usage::Outcome;
use relay_store::journal::Position;
use tokio::time::timeout;

use super::attempt::{Reply, WholeReply};
use super::ledger::{End, Ledger};
use super::run::{ClientLeft, run};
use super::stream::Passing;
use super::unary::Adopted;
use super::waiting::{Running, Waiting};
use super::{Call, CallBody};
use crate::app::App;
use crate::failure::{Failure, Recorded, Unserved};

/// An answer and how long it waited for its upstream.
pub struct Answer {
    /// What the client gets.
    pub response: Response<Body>,
    /// Time spent waiting for upstreams, up to the answer's beginning.
    pub upstream: Duration,
}

impl Answer {
    /// An answer that the relay gives by itself.
    pub fn own(response: Response<Body>) -> Self {
        Self { response, upstream: Duration::ZERO }
    }
}

/// Serves a call. Its errors are settled, and left to the caller to render.
pub async fn serve(app: Arc<App>, call: Box<Call>, body: Bytes) -> Result<Answer, Unserved> {
    if call.streamed { streamed(app, call, body).await } else { unary(app, call, body).await }
}

async fn streamed(app: Arc<App>, call: Box<Call>, body: Bytes) -> Result<Answer, Unserved> {
    let every = app.settings.calls.keepalive_after;
    let (spoken, id) = ((call.endpoint.protocol(), call.family), call.id.to_string());
    let ledger = Ledger::new(app, call);
    let broken_off = ledger.broken_off();
    let mut running: Running = Box::pin(async move {
        let left = ClientLeft::default();
        let call = pin!(run(ledger, CallBody::new(body), &left));
        unless(broken_off, call).await
    });
    let Ok(outcome) = timeout(every, running.as_mut()).await else {
        let waiting = Waiting::new(running, every, spoken, id);
        let response = stream_response(HeaderMap::new(), Body::new(waiting));
        return Ok(Answer { response, upstream: every });
    };
    match outcome? {
        (Reply::Stream(head), ledger) => {
            let upstream = ledger.upstream_time();
            let headers = head.headers.clone();
            let response = stream_response(headers, Body::new(Passing::new(head, ledger)));
            Ok(Answer { response, upstream })
        }
        (Reply::Whole(reply), ledger) => Ok(whole(ledger, reply).await),
    }
}

async fn unary(app: Arc<App>, call: Box<Call>, body: Bytes) -> Result<Answer, Unserved> {
    let orphanage = app.orphanage.clone();
    let left = Arc::new(ClientLeft::default());
    let seen = Arc::clone(&left);
    let ledger = Ledger::new(app, call);
    let broken_off = ledger.broken_off();
    let call = Box::pin(async move {
        let (reply, ledger) = run(ledger, CallBody::new(body), &seen).await?;
        match reply {
            Reply::Whole(reply) => Ok(whole(ledger, reply).await),
            // A stream that nobody asked for is passed on as what it is.
            Reply::Stream(head) => {
                let upstream = ledger.upstream_time();
                let headers = head.headers.clone();
                let response = stream_response(headers, Body::new(Passing::new(head, ledger)));
                Ok(Answer { response, upstream })
            }
        }
    });
    Adopted::new(orphanage, left, Box::pin(unless(broken_off, call))).answer().await
}

/// Runs a call unless it is broken off first; it is then settled by being dropped. The call
/// lies elsewhere: it is large, and would be moved with every step on its way here.
async fn unless<T>(
    broken_off: impl Future<Output = Failure>,
    call: impl Future<Output = Result<T, Unserved>> + Unpin,
) -> Result<T, Unserved> {
    tokio::select! {
        biased;
        served = call => served,
        failure = broken_off => Err(Unserved { recorded: Recorded::Yes, ..failure.into() }),
    }
}

/// Settles a whole answer, then hands it over.
async fn whole(mut ledger: Ledger, reply: WholeReply) -> Answer {
    let upstream = ledger.upstream_time();
    let written = settle_whole(&mut ledger, &reply);
    if let Some(position) = written {
        ledger.app().until_durable(position).await;
    }
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    Answer { response, upstream }
}

/// Settles a whole answer: exactly if it states its usage, at nothing if it is a refusal.
pub(super) fn settle_whole(ledger: &mut Ledger, reply: &WholeReply) -> Option<Position> {
    let status = reply.status.as_u16();
    if !reply.status.is_success() {
        return ledger.settle_free(End { outcome: Outcome::Rejected, status });
    }
    let end = End { outcome: Outcome::Completed, status };
    match &reply.metered {
        Some(metered) => ledger.settle_metered(end, metered.clone()),
        None => ledger.settle_reserved(end),
    }
}

fn stream_response(mut headers: HeaderMap, body: Body) -> Response<Body> {
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies in front must not collect a stream before passing it on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    *response.headers_mut() = headers;
    response
}
