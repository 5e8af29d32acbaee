//! Every request comes through here: clients' addresses to `ingress`, the rest to the relay's own.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::admin;
use crate::app::App;
use crate::ingress;
use crate::route::{ClientRoute, Marks};
use crate::shutdown::Stage;
use crate::web;

/// Answers a request.
pub async fn answer(app: Arc<App>, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
    let marks = marks(request.headers());
    match ClientRoute::read(request.method(), request.uri().path(), marks) {
        Some(route) => ingress::serve(app, route, request, peer).await,
        None if admin::is_its(request.uri().path()) => admin::answer(app, request, peer).await,
        None if request.uri().path() == "/metrics" => {
            admin::metrics(app, &request.into_parts().0).await
        }
        None if admin::is_holders(request.uri().path()) => {
            admin::answer_holder(&app, &request.into_parts().0, peer).await
        }
        None => own(&app, &request),
    }
}

/// The addresses that both families have are Anthropic's when a request bears its marks.
fn marks(headers: &HeaderMap) -> Marks {
    let is_anthropic =
        headers.contains_key("anthropic-version") || headers.contains_key("x-api-key");
    Marks { is_anthropic, upgrades: ingress::is_upgrade(headers) }
}

/// The relay's own addresses.
fn own<B>(app: &App, request: &Request<B>) -> Response<Body> {
    let path = request.uri().path();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let under = |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}/"));
    match path {
        "/health" if reads => health(app),
        "/" => redirect(),
        _ if under("/admin-next") => redirect(),
        _ if under("/web") && reads => {
            let pictures = app.desk.pictures();
            web::answer(path, request.headers(), pictures.as_ref().map(|it| it.as_str()))
        }
        _ => json(StatusCode::NOT_FOUND, r#"{"error":"not found"}"#),
    }
}

/// Says whether calls are taken, and no more than that.
fn health(app: &App) -> Response<Body> {
    if app.shutdown.stage() > Stage::Serving {
        return json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"stopping"}"#);
    }
    if app.journal.is_full() {
        return json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"full"}"#);
    }
    if app.bookkeeping.is_behind() {
        return json(StatusCode::OK, r#"{"status":"degraded"}"#);
    }
    json(StatusCode::OK, r#"{"status":"ok"}"#)
}

fn json(status: StatusCode, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn redirect() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/web"));
    response
}
