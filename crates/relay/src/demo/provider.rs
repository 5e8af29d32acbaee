//! The simulated provider: Anthropic Messages on a loopback port, answered by a few sentences.
//!
//! It is made for looking at, and forgiving. What tests need to be unforgiving with stands in the
//! test kit, which is no part of the program.

mod answer;
mod limits;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::stream;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use relay_core::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::answer::{Answer, Piece};

/// What the credentials of all accounts begin with.
pub(super) const SIMULATED: &str = "simulated-";
/// The credential of the account that is always limited.
pub(super) const LIMITED: &str = "simulated-limited";
/// What refresh tokens begin with.
pub(super) const REFRESH: &str = "simulated-refresh-";
/// Where tokens are refreshed.
pub(super) const TOKEN_PATH: &str = "/v1/oauth/token";

/// How long a refreshed access token lives: short, so that a refresh can be watched.
const TOKEN_LIFE: Duration = Duration::from_mins(10);
/// How long a model seems to think before it says something.
const THINKS: Duration = Duration::from_millis(350);

/// The models that it has: id, name, and when it came.
const MODELS: [(&str, &str, &str); 3] = [
    ("claude-opus-4-8", "Claude Opus 4.8", "2026-05-14T00:00:00Z"),
    ("claude-sonnet-4-6", "Claude Sonnet 4.6", "2026-02-17T00:00:00Z"),
    ("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "2025-10-15T00:00:00Z"),
];

/// A running provider; dropping it closes its port.
#[derive(Debug)]
pub(super) struct Provider {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

/// What its answers share.
#[derive(Debug, Default)]
struct Shared {
    serial: AtomicU64,
}

type Known = State<Arc<Shared>>;

impl Provider {
    /// Starts at the address that it had before, if there is one and it is free; else anywhere.
    pub(super) async fn start(before: Option<&str>) -> io::Result<Self> {
        let loopback = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let listener = match before.and_then(port_of) {
            Some(port) => match loopback(port).await {
                Ok(listener) => listener,
                Err(_) => loopback(0).await?,
            },
            None => loopback(0).await?,
        };
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/v1/messages", post(messages))
            .route("/v1/messages/count_tokens", post(count_tokens))
            .route("/v1/models", get(models))
            .route("/v1/models/{id}", get(model))
            .route(TOKEN_PATH, post(token))
            .route("/api/oauth/profile", get(profile))
            .route("/api/oauth/usage", get(usage))
            .fallback(async || error(StatusCode::NOT_FOUND, "not_found_error", "Not found"))
            // How large a request may be is the relay's to say.
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::new(Shared::default()));
        let serving = tokio::spawn(async move {
            // It never ends by itself.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, serving })
    }

    /// `http://127.0.0.1:PORT`.
    pub(super) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn port_of(base_url: &str) -> Option<u16> {
    base_url.rsplit(':').next()?.parse().ok()
}

async fn messages(State(shared): Known, headers: HeaderMap, body: Bytes) -> Response {
    let credential = credential(&headers);
    let now = SystemClock.now();
    if !credential.starts_with(SIMULATED) {
        return error(StatusCode::UNAUTHORIZED, "authentication_error", "invalid x-api-key");
    }
    if credential == LIMITED {
        let said = "This request would exceed your account's rate limit. (It is simulated.)";
        let limited = error(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", said);
        return (limits::used_up(now), limited).into_response();
    }
    let serial = shared.next();
    let answer = match Answer::to(&body, serial) {
        Ok(answer) => answer,
        Err(why) => return error(StatusCode::BAD_REQUEST, "invalid_request_error", why),
    };
    // Only subscriptions have windows.
    let windows =
        if headers.contains_key(AUTHORIZATION) { limits::used(now) } else { limits::none() };
    let request_id = [("request-id", format!("req_simulated_{serial:08}"))];
    tokio::time::sleep(THINKS).await;
    if answer.is_streamed() {
        let head = [(CONTENT_TYPE, "text/event-stream; charset=utf-8")];
        (windows, request_id, head, streamed(&answer)).into_response()
    } else {
        (windows, request_id, axum::Json(answer.whole())).into_response()
    }
}

/// The events of an answer, at the pace of a model that writes.
fn streamed(answer: &Answer) -> Body {
    let pieces = answer.pieces().into_iter();
    Body::from_stream(stream::unfold(pieces, |mut pieces| async {
        let Piece { after, bytes } = pieces.next()?;
        tokio::time::sleep(after).await;
        Some((Ok::<_, Infallible>(bytes), pieces))
    }))
}

async fn count_tokens(body: Bytes) -> Response {
    match answer::count(&body) {
        Ok(tokens) => axum::Json(json!({"input_tokens": tokens})).into_response(),
        Err(why) => error(StatusCode::BAD_REQUEST, "invalid_request_error", why),
    }
}

async fn models() -> axum::Json<Value> {
    let data: Vec<Value> = MODELS.iter().map(described).collect();
    let (first, last) = (MODELS[0].0, MODELS[MODELS.len() - 1].0);
    axum::Json(json!({"data": data, "has_more": false, "first_id": first, "last_id": last}))
}

async fn model(Path(id): Path<String>) -> Response {
    match MODELS.iter().find(|(known, ..)| *known == id) {
        Some(model) => axum::Json(described(model)).into_response(),
        None => error(StatusCode::NOT_FOUND, "not_found_error", "no such model"),
    }
}

fn described((id, name, created): &(&str, &str, &str)) -> Value {
    json!({"type": "model", "id": id, "display_name": name, "created_at": created})
}

async fn token(State(shared): Known, body: Bytes) -> Response {
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let is_ours = asked["refresh_token"].as_str().is_some_and(|it| it.starts_with(REFRESH));
    if !is_ours {
        let refused = json!({"error": "invalid_grant", "error_description": "unknown token"});
        return (StatusCode::BAD_REQUEST, axum::Json(refused)).into_response();
    }
    let serial = shared.next();
    let granted = json!({
        "token_type": "Bearer",
        "access_token": format!("{SIMULATED}access-{serial:08}"),
        "refresh_token": format!("{REFRESH}{serial:08}"),
        "expires_in": TOKEN_LIFE.as_secs(),
    });
    axum::Json(granted).into_response()
}

async fn profile() -> axum::Json<Value> {
    axum::Json(json!({
        "account": {"email": "team@simulated.example", "full_name": "Team"},
        "organization": {
            "name": "Simulated",
            "organization_type": "claude_max",
            "rate_limit_tier": "default_claude_max_20x",
        },
    }))
}

async fn usage() -> axum::Json<Value> {
    axum::Json(limits::told(SystemClock.now()))
}

impl Shared {
    fn next(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// What an account signs in by.
fn credential(headers: &HeaderMap) -> &str {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(AUTHORIZATION.as_str()).and_then(|text| text.strip_prefix("Bearer "));
    text("x-api-key").or(bearer).unwrap_or("")
}

/// An error in the provider's shape.
fn error(status: StatusCode, kind: &str, message: &str) -> Response {
    let body = json!({
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": "req_simulated",
    });
    (status, axum::Json(body)).into_response()
}

#[cfg(test)]
mod tests;
