//! Accounts as text.

use relay_core::account::{AccountKind, ClientRule, OauthSettings, Sharing, Speaks};
use relay_core::credential::Identity;
use relay_core::model::{ModelMapping, ModelPattern};

use super::selection::Answers;
use crate::cli::context::Context;
use crate::cli::payload;
use crate::cli::terminal::{Column, facts, table};
use crate::text::{retold, spoken, tr};
use crate::verbs::account::{AccountState, AccountView, WindowView, ending};

/// A table of accounts, and below it why some of them do not serve.
pub(super) fn rows(accounts: &[AccountView], context: &Context) -> String {
    use Column::{Number, Words};
    let columns = [
        Words(tr!("id")),
        Words(tr!("name")),
        Words(tr!("kind")),
        Words(tr!("state")),
        Words(tr!("resumes at")),
        Number(tr!("priority")),
        Number(tr!("calls")),
        Words(tr!("groups")),
        Words(tr!("secret")),
    ];
    let row = |account: &AccountView| {
        vec![
            account.id.to_string(),
            account.name.clone(),
            account.kind.as_str().to_owned(),
            state(account.state),
            context.time(account.resumes_at),
            account.priority.to_string(),
            account.in_flight.to_string(),
            account.groups.join(", "),
            tail(account),
        ]
    };
    let nothing = tr!("no accounts yet: crs account add");
    let table = table(&columns, accounts.iter().map(row).collect(), &nothing);
    let reason = |account: &AccountView| {
        "\n".to_owned() + &tr!("{name}: {reason}", name = account.name, reason = reason(account))
    };
    let said = accounts.iter().filter(|account| !account.reason.is_empty());
    let reasons: String = said.map(reason).collect();
    if reasons.is_empty() { table } else { format!("{table}\n{reasons}") }
}

/// What a command that changed accounts shows of them.
pub(super) fn changed(accounts: &[AccountView], answers: Answers, context: &Context) -> String {
    match (answers, accounts) {
        (Answers::One, [one]) => text(one, context),
        (_, []) => tr!("no accounts"),
        (_, several) => rows(several, context),
    }
}

/// All of an account.
pub(super) fn text(account: &AccountView, context: &Context) -> String {
    let mut lines = standing(account, context);
    lines.extend(sign_in(account, context));
    lines.extend(settings(account, context));
    facts(&lines)
}

type Fact = (String, String);

/// Whether it serves, and what it has left.
fn standing(account: &AccountView, context: &Context) -> Vec<Fact> {
    let window = |window: &WindowView| {
        let (name, used) = (&window.window, window.used_percent);
        match context.time(window.resets_at) {
            at if at.is_empty() => tr!("{name}: {used} % used", name, used),
            at => tr!("{name}: {used} % used until {at}", name, used, at),
        }
    };
    let windows: Vec<_> = account.windows.iter().map(window).collect();
    let spent =
        account.spent_today_usd.filter(|usd| *usd > 0.0 || account.daily_cost_usd.is_some());
    vec![
        (tr!("id"), account.id.to_string()),
        (tr!("name"), account.name.clone()),
        (tr!("kind"), account.kind.as_str().to_owned()),
        (tr!("state"), state(account.state)),
        (tr!("reason"), reason(account)),
        (tr!("resumes at"), context.time(account.resumes_at)),
        (tr!("windows"), windows.join(", ")),
        (tr!("spent today"), spent.map(|usd| format!("${usd}")).unwrap_or_default()),
        (tr!("calls now"), account.in_flight.to_string()),
    ]
}

/// Whose it is and how it is signed in to.
fn sign_in(account: &AccountView, context: &Context) -> Vec<Fact> {
    let whose = account.identity.clone().unwrap_or_default();
    let Identity { email, organisation, plan, tier, account: named, project: _ } = whose;
    let ends = context.time(account.token_expires_at);
    let token = match account.can_refresh {
        None => String::new(),
        Some(true) if ends.is_empty() => tr!("is refreshed when it ends"),
        Some(true) => tr!("{ends}, refreshed before", ends),
        Some(false) if ends.is_empty() => tr!("unknown, cannot be refreshed"),
        Some(false) => tr!("{ends}, cannot be refreshed", ends),
    };
    let ends_on = |at| tr!("ends on {day}", day = ending(at, &context.settings.time_zone));
    let subscription = account.ends_at.map(ends_on);
    let OauthSettings { authorize_url, token_url, client_id, redirect_url, scope } =
        account.oauth.clone();
    vec![
        (tr!("signed in as"), email),
        (tr!("organisation"), organisation),
        (tr!("plan"), plan),
        (tr!("tier"), tier),
        (tr!("provider's id"), named),
        (tr!("project"), account.project.clone().unwrap_or_default()),
        (tr!("secret"), tail(account)),
        (tr!("token ends"), token),
        (tr!("signed out"), context.time(account.signed_out_at)),
        (tr!("subscription"), subscription.unwrap_or_default()),
        (tr!("token URL"), token_url.unwrap_or_default()),
        (tr!("authorize URL"), authorize_url.unwrap_or_default()),
        (tr!("client id"), client_id.unwrap_or_default()),
        (tr!("redirect URL"), redirect_url.unwrap_or_default()),
        (tr!("scope"), scope.unwrap_or_default()),
    ]
}

/// What an operator set.
fn settings(account: &AccountView, context: &Context) -> Vec<Fact> {
    let limit = |max: Option<u32>| max.map_or_else(|| tr!("no limit"), |max| max.to_string());
    let span = |millis: Option<u64>| millis.map(|ms| tr!("{ms} ms", ms)).unwrap_or_default();
    let models: Vec<_> = account.models.iter().map(ModelPattern::as_str).collect();
    let map = |rule: &ModelMapping| format!("{}={}", rule.from.as_str(), rule.to);
    let map: Vec<_> = account.map.iter().map(map).collect();
    let fields: Vec<_> = account.payload.iter().map(payload::shown).collect();
    let keys = if account.sharing == Sharing::Shared { tr!("any key") } else { tr!("bound keys") };
    let clients = match account.clients {
        ClientRule::ClaudeCode if account.kind == AccountKind::ClaudeOauth => {
            "Claude Code".to_owned()
        }
        ClientRule::ClaudeCode | ClientRule::Any => tr!("any"),
    };
    vec![
        (tr!("base URL"), account.base_url.clone()),
        (tr!("speaks"), speaks(account)),
        (tr!("proxy"), account.proxy.clone().unwrap_or_default()),
        (tr!("priority"), account.priority.to_string()),
        (tr!("weight"), account.weight.to_string()),
        (tr!("concurrency"), limit(account.max_concurrency)),
        (tr!("stops at"), marks(account)),
        (
            tr!("daily cost"),
            account.daily_cost_usd.map(|usd| format!("${usd}")).unwrap_or_default(),
        ),
        (tr!("groups"), account.groups.join(", ")),
        (tr!("serves"), keys),
        (tr!("clients"), clients),
        (tr!("models"), if models.is_empty() { tr!("all") } else { models.join(", ") }),
        (tr!("map"), map.join(", ")),
        (tr!("headers"), account.headers.join(", ")),
        (tr!("fields"), fields.join(", ")),
        (tr!("first byte"), span(account.first_byte_timeout_ms)),
        (tr!("unary"), span(account.unary_timeout_ms)),
        (tr!("idle"), span(account.idle_timeout_ms)),
        (tr!("note"), account.note.clone()),
        (tr!("added"), context.time(Some(account.created_at))),
        (tr!("changed"), context.time(Some(account.updated_at))),
    ]
}

/// What it is spoken to in, where there is a choice.
fn speaks(account: &AccountView) -> String {
    match (account.kind, account.speaks) {
        (AccountKind::OpenaiApi, Speaks::Both) => ["Chat", "Responses"].join(", "),
        (AccountKind::OpenaiApi, Speaks::Chat) => "Chat".to_owned(),
        (AccountKind::OpenaiApi, Speaks::Responses) => "Responses".to_owned(),
        _ => String::new(),
    }
}

fn marks(account: &AccountView) -> String {
    let mark =
        |window: &str, mark: Option<u8>| mark.map(|mark| tr!("{mark} % of {window}", mark, window));
    let marks = [mark("5h", account.stop_at.five_hour), mark("7d", account.stop_at.seven_day)];
    marks.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn state(state: AccountState) -> String {
    match state {
        AccountState::Paused => tr!("paused"),
        AccountState::Ended => tr!("ended"),
        AccountState::SignedOut => tr!("signed_out"),
        AccountState::Resting => tr!("resting"),
        AccountState::Able => tr!("able"),
    }
}

/// Why it does not serve, or soon will not.
fn reason(account: &AccountView) -> String {
    retold(&account.reason, spoken())
}

fn tail(account: &AccountView) -> String {
    if account.secret_tail.is_empty() {
        String::new()
    } else {
        format!("…{}", account.secret_tail)
    }
}
