//! The models that a key may use.

use std::sync::Arc;

use axum::body::Body;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use relay_core::protocol::Service;
use relay_wire::models::{ModelEntry, render_list, render_one};

use crate::app::App;
use crate::failure::CallerFault;
use crate::keyring::Holder;
use crate::models;

/// Lists the models of the key's accounts.
pub(super) async fn list(app: &Arc<App>, holder: &Holder) -> Response<Body> {
    json(render_list(&of_key(app, holder).await))
}

/// One of them.
pub(super) async fn one(
    app: &Arc<App>,
    holder: &Holder,
    wanted: &str,
) -> Result<Response<Body>, CallerFault> {
    let models = of_key(app, holder).await;
    match models.iter().find(|model| model.id == wanted) {
        Some(model) => Ok(json(render_one(model))),
        None => Err(CallerFault::NoSuchModel(wanted.to_owned())),
    }
}

async fn of_key(app: &Arc<App>, holder: &Holder) -> Vec<ModelEntry> {
    models::of_pool(app, Service::Claude, holder.key.pool(Service::Claude)).await
}

fn json(body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
