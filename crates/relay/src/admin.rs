//! The admin API: what the page and scripts ask, a door to the verbs beside the command line.
//!
//! Each file below is of one kind of thing: its handlers read what was asked, call a verb, and
//! answer with what the verb gave. Who may ask stands in `guard` alone, in front of all of them;
//! a handler that changes something says what in its answer, and the guard writes it down.

mod accounts;
mod admins;
mod answer;
mod audit;
mod calls;
mod csv;
mod dashboard;
mod desk;
mod given;
mod groups;
mod guard;
mod holder;
mod keys;
mod kinds;
mod listed;
mod live;
mod logins;
mod models;
mod origin;
mod prices;
mod proxies;
mod session;
mod settings;
mod span;
mod throttle;
mod tokens;
mod usage;

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::response::IntoResponse;
use axum::{Json, Router, middleware};
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use tower::ServiceExt;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::answer::Problem;
pub use self::desk::Desk;
pub(crate) use self::holder::{answer as answer_holder, is_its as is_holders};
pub use self::live::gather;
use crate::app::App;
use crate::metrics::{self, Exposition};

/// What stands in front of every path.
const ROOT: &str = "/admin";

/// The document's head.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "crs admin API",
        description = "Everything that the admin page and scripts can do. Sign in with POST \
        /admin/session, or send an admin token as a bearer token. Beside it stand, for everybody, \
        GET /web/api/site (Site) and GET /web/api/holder (Holder, for the key that is sent)."
    ),
    components(schemas(holder::HolderView, holder::SiteView))
)]
struct Head;

/// Every route, and what the document says of it.
static ROUTES: LazyLock<(Router, utoipa::openapi::OpenApi)> = LazyLock::new(|| {
    let (router, document) = OpenApiRouter::with_openapi(Head::openapi())
        .routes(routes!(openapi))
        .merge(session::routes())
        .merge(accounts::routes())
        .merge(groups::routes())
        .merge(keys::routes())
        .merge(calls::routes())
        .merge(usage::routes())
        .merge(dashboard::routes())
        .merge(kinds::routes())
        .merge(logins::routes())
        .merge(proxies::routes())
        .merge(admins::routes())
        .merge(tokens::routes())
        .merge(audit::routes())
        .merge(live::routes())
        .merge(prices::routes())
        .merge(models::routes())
        .merge(settings::routes())
        .split_for_parts();
    let router = router
        .fallback(|| async { Problem::no_such_address() })
        .method_not_allowed_fallback(|| async { Problem::no_such_address() })
        .layer(middleware::from_fn(guard::admit));
    (router, document)
});

/// What every handler may ask for, put into a request before it is routed.
#[derive(Clone)]
struct Asked {
    app: Arc<App>,
    peer: IpAddr,
}

/// Whether an address is of the admin API.
pub(crate) fn is_its(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request for the admin API.
pub(crate) async fn answer(
    app: Arc<App>,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Response<Body> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(Asked { app, peer });
    match ROUTES.0.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Answers `/metrics`: for admin tokens that are made for it.
pub(crate) async fn metrics(app: Arc<App>, head: &http::request::Parts) -> Response<Body> {
    if let Err(problem) = guard::may_read_figures(&app, &head.headers).await {
        return guard::secured(problem.into_response());
    }
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return guard::secured(Problem::no_such_address().into_response());
    }
    let lines = app.desk.dropped_lines();
    let response = match Exposition::new(app, lines).text() {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => Problem::ours(&error).into_response(),
    };
    guard::secured(response)
}

/// The OpenAPI document, as it is checked in at `docs/openapi.json`.
pub fn document() -> String {
    let mut text = ROUTES.1.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// This document.
#[utoipa::path(get, path = "/admin/openapi.json", tag = "session", operation_id = "openapi",
    responses((status = 200, description = "The OpenAPI document", body = Object)))]
async fn openapi() -> Json<&'static utoipa::openapi::OpenApi> {
    Json(&ROUTES.1)
}

#[cfg(test)]
mod tests {
    /// `UPDATE_OPENAPI=1 cargo test -p relay openapi` writes it anew.
    #[test]
    fn the_document_that_is_checked_in_is_of_this_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let now = super::document();
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(path, &now).expect("the document can be written");
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == now,
            "docs/openapi.json is old: UPDATE_OPENAPI=1 make test-rust ARGS=openapi"
        );
    }
}
