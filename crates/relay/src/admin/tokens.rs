//! Tokens: what scripts sign in by.

use axum::Json;
use axum::extract::Path;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Change, Done, Note, Problem, Read};
use super::audit::moment_of;
use super::given::Given;
use super::guard::Who;
use crate::verbs::admin::token::{self, NewToken, ScopeView, TokenView};
use crate::verbs::moment;

/// The addresses of tokens.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove))
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
struct TokenOrder {
    /// What it is called; unique.
    name: String,
    /// What it is good for.
    scopes: Vec<ScopeView>,
    /// From when it is refused; never unless given.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
struct TokenMade {
    #[serde(flatten)]
    view: TokenView,
    /// The token itself, this once.
    token: String,
}

/// Every token.
#[utoipa::path(get, path = "/admin/tokens", tag = "tokens", operation_id = "tokens_list",
    responses((status = 200, body = Vec<TokenView>)))]
async fn list(who: Who) -> Read<Vec<TokenView>> {
    Ok(Json(token::list(&who.app.store, who.now()).await?))
}

/// Makes a token; it is told this once.
#[utoipa::path(post, path = "/admin/tokens", tag = "tokens", operation_id = "tokens_add",
    request_body = TokenOrder,
    responses((status = 200, body = TokenMade), (status = 409, body = Problem)))]
async fn add(who: Who, Given(order): Given<TokenOrder>) -> Change<TokenMade> {
    let expires_at = order.expires_at.as_deref();
    let expires_at = expires_at.map(|text| moment_of(text, "expires_at")).transpose()?;
    let new = NewToken { name: order.name, scopes: order.scopes, expires_at };
    let (view, secret) = token::add(&who.app.store, new, who.name(), who.now()).await?;
    let ends = expires_at.map(|at| format!(", expires_at: {}", moment::rfc3339(at)));
    let detail = format!("scopes: {:?}{}", view.scopes, ends.unwrap_or_default()).to_lowercase();
    let note = Note::of(&view.id, &view.name).with(detail);
    Ok(Done { note, answer: TokenMade { view, token: secret.expose().to_owned() } })
}

/// Removes a token: it is refused from now on.
#[utoipa::path(delete, path = "/admin/tokens/{id}", tag = "tokens", operation_id = "tokens_remove",
    params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, body = TokenView), (status = 404, body = Problem)))]
async fn remove(who: Who, Path(id): Path<String>) -> Change<TokenView> {
    let gone = token::remove(&who.app.store, &id, who.now()).await?;
    Ok(Done { note: Note::of(&gone.id, &gone.name), answer: gone })
}
