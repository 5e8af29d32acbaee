//! The kinds of accounts, for who adds one.

use axum::Json;
use relay_core::account::AccountKind;
use relay_core::protocol::Service;
use relay_upstream::profile::profile;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Read;
use super::guard::Who;
use crate::text::retold;

/// The addresses of kinds.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list))
}

/// A kind of account.
#[derive(Debug, Serialize, ToSchema)]
struct KindView {
    /// The word for it.
    #[schema(value_type = String)]
    kind: AccountKind,
    /// Its name, for people.
    name: String,
    /// Whose accounts these are: `claude`, `openai` or `gemini`.
    service: &'static str,
    /// Whether it is signed in to, rather than given a key.
    oauth: bool,
    /// Whether a setup token, which serves for a year, can be asked for.
    setup_token: bool,
    /// Where it is unless the account says otherwise.
    default_base_url: &'static str,
    /// What a person does to sign in, or where they get the key.
    flow_help: String,
    /// Whether it can be signed in to now: Google wants to know as which application.
    ready: bool,
}

/// Every kind of account.
#[utoipa::path(get, path = "/admin/kinds", tag = "accounts", operation_id = "accounts_kinds",
    responses((status = 200, body = Vec<KindView>)))]
async fn list(who: Who) -> Read<Vec<KindView>> {
    let client = &who.app.settings.gemini_oauth;
    let has_client = client.client_id.is_some() && client.client_secret.is_some();
    let view = |kind: AccountKind| KindView {
        kind,
        name: retold(name(kind), who.language),
        service: kind.service().as_str(),
        oauth: kind.is_oauth(),
        setup_token: kind == AccountKind::ClaudeOauth,
        default_base_url: profile(kind).default_base_url,
        flow_help: retold(help(kind), who.language),
        ready: kind != AccountKind::GeminiOauth || has_client,
    };
    Ok(Json(AccountKind::ALL.map(view).into()))
}

const fn name(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::ClaudeOauth => "Claude subscription",
        AccountKind::ClaudeApi => "Anthropic API key",
        AccountKind::OpenaiOauth => "ChatGPT subscription",
        AccountKind::OpenaiApi => "OpenAI API key",
        AccountKind::GeminiOauth => "Google account (Gemini CLI)",
        AccountKind::GeminiApi => "Gemini API key",
    }
}

const fn help(kind: AccountKind) -> &'static str {
    match (kind.is_oauth(), kind.service()) {
        (true, Service::Openai) => {
            "Open the link, sign in and agree. The browser is then sent to an address that begins \
             with http://localhost and opens nothing: paste that whole address."
        }
        (true, Service::Claude | Service::Gemini) => {
            "Open the link, sign in and agree. Then paste the code that the page shows."
        }
        (false, Service::Claude) => {
            "A key of Anthropic's console, or of any host that speaks Anthropic Messages."
        }
        (false, Service::Openai) => {
            "A key of OpenAI's platform, or of any host that speaks OpenAI Chat or Responses."
        }
        (false, Service::Gemini) => "A key of Google AI Studio.",
    }
}
