//! Accounts as text.

use relay_core::account::{ClientRule, OauthSettings, Sharing};
use relay_core::credential::Identity;
use relay_core::model::{ModelMapping, ModelPattern};

use super::selection::Answers;
use crate::cli::context::Context;
use crate::cli::terminal::{Column, facts, table};
use crate::verbs::account::{AccountView, WindowView, ending};

/// A table of accounts, and below it why some of them do not serve.
pub(super) fn rows(accounts: &[AccountView], context: &Context) -> String {
    use Column::{Number, Words};
    let columns = [
        Words("id"),
        Words("name"),
        Words("kind"),
        Words("state"),
        Words("resumes at"),
        Number("priority"),
        Number("calls"),
        Words("groups"),
        Words("secret"),
    ];
    let row = |account: &AccountView| {
        vec![
            account.id.to_string(),
            account.name.clone(),
            account.kind.as_str().to_owned(),
            account.state.as_str().to_owned(),
            context.time(account.resumes_at),
            account.priority.to_string(),
            account.in_flight.to_string(),
            account.groups.join(", "),
            tail(account),
        ]
    };
    let nothing = "no accounts yet: crs account add";
    let table = table(&columns, accounts.iter().map(row).collect(), nothing);
    let reason = |account: &AccountView| format!("\n{}: {}", account.name, account.reason);
    let said = accounts.iter().filter(|account| !account.reason.is_empty());
    let reasons: String = said.map(reason).collect();
    if reasons.is_empty() { table } else { format!("{table}\n{reasons}") }
}

/// What a command that changed accounts shows of them.
pub(super) fn changed(accounts: &[AccountView], answers: Answers, context: &Context) -> String {
    match (answers, accounts) {
        (Answers::One, [one]) => text(one, context),
        (_, []) => "no accounts".to_owned(),
        (_, several) => rows(several, context),
    }
}

/// All of an account.
pub(super) fn text(account: &AccountView, context: &Context) -> String {
    let mut lines = standing(account, context);
    lines.extend(sign_in(account, context));
    lines.extend(settings(account, context));
    let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.clone())).collect();
    facts(&lines)
}

type Fact = (&'static str, String);

/// Whether it serves, and what it has left.
fn standing(account: &AccountView, context: &Context) -> Vec<Fact> {
    let window = |window: &WindowView| {
        let resets = match context.time(window.resets_at) {
            at if at.is_empty() => at,
            at => format!(" until {at}"),
        };
        format!("{}: {} % used{resets}", window.window, window.used_percent)
    };
    let windows: Vec<_> = account.windows.iter().map(window).collect();
    let spent =
        account.spent_today_usd.filter(|usd| *usd > 0.0 || account.daily_cost_usd.is_some());
    vec![
        ("id", account.id.to_string()),
        ("name", account.name.clone()),
        ("kind", account.kind.as_str().to_owned()),
        ("state", account.state.as_str().to_owned()),
        ("reason", account.reason.clone()),
        ("resumes at", context.time(account.resumes_at)),
        ("windows", windows.join(", ")),
        ("spent today", spent.map(|usd| format!("${usd}")).unwrap_or_default()),
        ("calls now", account.in_flight.to_string()),
    ]
}

/// Whose it is and how it is signed in to.
fn sign_in(account: &AccountView, context: &Context) -> Vec<Fact> {
    let whose = account.identity.clone().unwrap_or_default();
    let Identity { email, organisation, plan, tier } = whose;
    let ends = context.time(account.token_expires_at);
    let token = match account.can_refresh {
        None => String::new(),
        Some(true) if ends.is_empty() => "is refreshed when it ends".to_owned(),
        Some(true) => format!("{ends}, refreshed before"),
        Some(false) if ends.is_empty() => "unknown, cannot be refreshed".to_owned(),
        Some(false) => format!("{ends}, cannot be refreshed"),
    };
    let ends_on = |at| format!("ends on {}", ending(at, &context.settings.time_zone));
    let subscription = account.ends_at.map(ends_on);
    let OauthSettings { authorize_url, token_url, client_id, redirect_url, scope } =
        account.oauth.clone();
    vec![
        ("signed in as", email),
        ("organisation", organisation),
        ("plan", plan),
        ("tier", tier),
        ("secret", tail(account)),
        ("token ends", token),
        ("signed out", context.time(account.signed_out_at)),
        ("subscription", subscription.unwrap_or_default()),
        ("token URL", token_url.unwrap_or_default()),
        ("authorize URL", authorize_url.unwrap_or_default()),
        ("client id", client_id.unwrap_or_default()),
        ("redirect URL", redirect_url.unwrap_or_default()),
        ("scope", scope.unwrap_or_default()),
    ]
}

/// What an operator set.
fn settings(account: &AccountView, context: &Context) -> Vec<Fact> {
    let limit = |max: Option<u32>| max.map_or("no limit".to_owned(), |max| max.to_string());
    let span = |millis: Option<u64>| millis.map(|ms| format!("{ms} ms")).unwrap_or_default();
    let models: Vec<_> = account.models.iter().map(ModelPattern::as_str).collect();
    let map = |rule: &ModelMapping| format!("{}={}", rule.from.as_str(), rule.to);
    let map: Vec<_> = account.map.iter().map(map).collect();
    let keys = if account.sharing == Sharing::Shared { "any key" } else { "bound keys" };
    let clients = match account.clients {
        ClientRule::ClaudeCode if account.kind.is_oauth() => "Claude Code",
        ClientRule::ClaudeCode | ClientRule::Any => "any",
    };
    vec![
        ("base URL", account.base_url.clone()),
        ("proxy", account.proxy.clone().unwrap_or_default()),
        ("priority", account.priority.to_string()),
        ("weight", account.weight.to_string()),
        ("concurrency", limit(account.max_concurrency)),
        ("stops at", marks(account)),
        ("daily cost", account.daily_cost_usd.map(|usd| format!("${usd}")).unwrap_or_default()),
        ("groups", account.groups.join(", ")),
        ("serves", keys.into()),
        ("clients", clients.into()),
        ("models", if models.is_empty() { "all".into() } else { models.join(", ") }),
        ("map", map.join(", ")),
        ("headers", account.headers.join(", ")),
        ("first byte", span(account.first_byte_timeout_ms)),
        ("unary", span(account.unary_timeout_ms)),
        ("idle", span(account.idle_timeout_ms)),
        ("note", account.note.clone()),
        ("added", context.time(Some(account.created_at))),
        ("changed", context.time(Some(account.updated_at))),
    ]
}

fn marks(account: &AccountView) -> String {
    let mark = |window: &str, mark: Option<u8>| mark.map(|mark| format!("{mark} % of {window}"));
    let marks = [mark("5h", account.stop_at.five_hour), mark("7d", account.stop_at.seven_day)];
    marks.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn tail(account: &AccountView) -> String {
    if account.secret_tail.is_empty() {
        String::new()
    } else {
        format!("…{}", account.secret_tail)
    }
}
