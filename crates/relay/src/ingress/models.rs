//! The models that a key may use.

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::Body;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use relay_core::clock::Timestamp;
use relay_core::limit::allow_model;
use relay_core::protocol::{Family, Service};
use relay_wire::models::{google, render_list, render_one};
use relay_wire::peek::MODEL_BYTES_MAX;

use crate::app::App;
use crate::failure::{CallerFault, Failure};
use crate::keyring::Holder;
use crate::models;
use crate::route::Home;

/// How much is shown of a name that is longer than any.
const MODEL_SHOWN_CHARS: usize = 64;

/// Lists the models of the key's accounts, by its rules.
pub(super) async fn list(
    app: &Arc<App>,
    holder: &Holder,
    (home, family): (Home, Family),
) -> Response<Body> {
    let mut models = Vec::new();
    for service in services(holder, home, family) {
        models.extend(models::of_key(app, service, &holder.key).await);
    }
    // An alias may stand in the lists of several services.
    let mut seen = HashSet::new();
    models.retain(|model| seen.insert(model.id.clone()));
    json(if family == Family::Gemini { google::render_list(&models) } else { render_list(&models) })
}

/// Whose models are listed: those of the address, or of every service that the key may use.
fn services(holder: &Holder, home: Home, family: Family) -> Vec<Service> {
    match (home, family) {
        (Home::Of(service), _) => vec![service],
        (Home::ByModel, Family::Anthropic) => vec![Service::Claude],
        (Home::ByModel, _) => {
            let all = [Service::Claude, Service::Openai, Service::Gemini];
            all.into_iter().filter(|it| holder.key.rules.allows_service(*it)).collect()
        }
    }
}

/// One of them.
pub(super) async fn one(
    app: &Arc<App>,
    holder: &Holder,
    (home, family): (Home, Family),
    wanted: &str,
    at: Timestamp,
) -> Result<Response<Body>, Failure> {
    let rules = &holder.key.rules;
    let wanted = wanted.strip_prefix("models/").unwrap_or(wanted);
    if wanted.len() > MODEL_BYTES_MAX {
        let beginning = wanted.chars().take(MODEL_SHOWN_CHARS).collect();
        return Err(CallerFault::NoSuchModel(beginning).into());
    }
    allow_model(rules, rules.resolve(wanted)).map_err(|refusal| Failure::Key { refusal, at })?;
    for service in services(holder, home, family) {
        if let Some(model) = models::one_of_key(app, service, &holder.key, wanted).await {
            let is_google = family == Family::Gemini;
            return Ok(json(if is_google {
                google::render_one(&model)
            } else {
                render_one(&model)
            }));
        }
    }
    Err(CallerFault::NoSuchModel(wanted.to_owned()).into())
}

fn json(body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
