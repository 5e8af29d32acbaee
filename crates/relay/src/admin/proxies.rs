//! Trying a proxy before an account goes through it.

use relay_core::account::AccountKind;
use relay_core::proxy::Proxy;
use relay_upstream::profile::profile;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accounts::proxy;
use super::answer::{Change, Code, Done, Note, Problem};
use super::given::{Given, Hidden};
use super::guard::Who;
use crate::verbs::account::{WayTest, try_way};

/// The addresses of proxies.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(test))
}

/// Which proxy is tried, and what is to be reached through it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TestedProxy {
    /// The proxy, login included; empty is the direct way. Without it, that of `account`.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    proxy: Option<Hidden>,
    /// An account, whose proxy and host are tried unless others are named here.
    #[serde(default)]
    account: Option<String>,
    /// Where the account will be.
    #[serde(default)]
    base_url: Option<String>,
    /// The kind of account, whose usual host is reached if no other is named.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    kind: Option<AccountKind>,
}

/// Reaches a host through a proxy, without any secret; takes at most ten seconds.
#[utoipa::path(post, path = "/admin/proxies/test", tag = "accounts",
    operation_id = "accounts_test_proxy", request_body = TestedProxy,
    responses((status = 200, body = WayTest), (status = 400, body = Problem)))]
async fn test(who: Who, Given(asked): Given<TestedProxy>) -> Change<WayTest> {
    let of = match &asked.account {
        None => None,
        Some(name) => {
            let found = who.app.store.find_account(name.trim()).await?;
            let why = || Problem::new(Code::NotFound, format!("there is no account {name:?}"));
            Some(found.ok_or_else(|| why().at("account"))?.account)
        }
    };
    let proxy = match (&asked.proxy, &of) {
        (Some(Hidden(text)), _) => proxy(text.expose().trim())
            .map_err(|error| Problem::invalid(error.to_string()).at("proxy"))?,
        (None, Some(account)) => account.proxy.clone(),
        (None, None) => None,
    };
    let usual = asked.kind.map(|kind| profile(kind).default_base_url.to_owned());
    let base_url = asked.base_url.filter(|url| !url.trim().is_empty()).or(usual);
    let base_url = base_url.or_else(|| of.map(|account| account.base_url)).ok_or_else(|| {
        Problem::invalid("name what is to be reached: a base URL, a kind or an account")
            .at("base_url")
    })?;
    let tried = try_way(proxy.as_ref(), &base_url).await;
    let tried = tried.map_err(|error| Problem::from(error).at("base_url"))?;
    let by = proxy.as_ref().map_or_else(|| "direct".to_owned(), Proxy::masked);
    Ok(Done { note: Note::of("", by).with(base_url), answer: tried.retold(who.language) })
}
