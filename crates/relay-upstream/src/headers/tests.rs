use proptest::prelude::*;

use super::*;

fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

#[test]
fn a_clients_credentials_and_surroundings_stay_behind() {
    let client = map(&[
        ("authorization", "Bearer key"),
        ("x-api-key", "key"),
        ("x-goog-api-key", "key"),
        ("api-key", "key"),
        ("cookie", "a=b"),
        ("host", "relay"),
        ("x-forwarded-for", "10.0.0.1"),
        ("cf-ray", "1"),
        ("connection", "keep-alive"),
        ("accept-encoding", "gzip"),
        ("content-length", "9"),
        ("anthropic-beta", "a,b"),
        ("x-stainless-lang", "js"),
        ("x-claude-code-session-id", "s"),
    ]);
    let sent = request(Service::Claude, &client, &[]);
    let expected = map(&[
        ("anthropic-beta", "a,b"),
        ("x-stainless-lang", "js"),
        ("x-claude-code-session-id", "s"),
        ("anthropic-version", "2023-06-01"),
        ("accept-encoding", "identity"),
    ]);
    assert_eq!(sent, expected);
}

#[test]
fn the_clients_version_and_repeated_headers_survive() {
    let mut client = map(&[("anthropic-version", "2026-10-21"), ("anthropic-beta", "a")]);
    client.append("anthropic-beta", HeaderValue::from_static("b"));
    let extra = ExtraHeader { name: "x-team".into(), value: "blue".into() };
    let sent = request(Service::Claude, &client, &[extra]);
    assert_eq!(sent["anthropic-version"], "2026-10-21");
    assert_eq!(sent.get_all("anthropic-beta").iter().count(), 2);
    assert_eq!(sent["x-team"], "blue");
}

#[test]
fn limits_are_shown_only_to_a_bound_key() {
    let upstream = map(&[
        ("set-cookie", "a=b"),
        ("anthropic-organization-id", "org"),
        ("anthropic-ratelimit-unified-status", "allowed"),
        ("request-id", "req_1"),
        ("content-type", "application/json"),
    ]);
    let withheld = response(Service::Claude, &upstream, LimitHeaders::Withhold);
    assert_eq!(withheld, map(&[("request-id", "req_1"), ("content-type", "application/json")]));
    let passed = response(Service::Claude, &upstream, LimitHeaders::Pass);
    assert_eq!(passed["anthropic-ratelimit-unified-status"], "allowed");
}

const PROVIDERS: [Service; 3] = [Service::Claude, Service::Openai, Service::Gemini];

/// What clients of each family send of their own: SDKs of 2026, Codex and Gemini CLI.
fn of_every_family() -> HeaderMap {
    map(&[
        ("anthropic-beta", "a"),
        ("anthropic-version", "2023-06-01"),
        ("anthropic-dangerous-direct-browser-access", "true"),
        ("x-app", "cli"),
        ("x-claude-code-session-id", "s"),
        ("openai-beta", "responses_websockets=2026-02-06"),
        ("openai-organization", "org-1"),
        ("openai-project", "proj_1"),
        ("chatgpt-account-id", "account"),
        ("originator", "codex_exec"),
        ("session-id", "s"),
        ("thread-id", "t"),
        ("x-client-request-id", "r"),
        ("x-codex-turn-metadata", "{}"),
        ("x-codex-window-id", "w"),
        ("x-goog-api-client", "google-genai-sdk/2"),
        ("x-goog-user-project", "project"),
        ("x-server-timeout", "60"),
        ("user-agent", "a-client/1"),
    ])
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn codex_and_googles_clients_are_passed_on_as_they_are() {
    let client = of_every_family();
    let codex = [
        "accept-encoding",
        "openai-beta",
        "originator",
        "session-id",
        "thread-id",
        "user-agent",
        "x-client-request-id",
        "x-codex-turn-metadata",
        "x-codex-window-id",
    ];
    assert_eq!(names(&request(Service::Openai, &client, &[])), codex);
    let google = ["accept-encoding", "user-agent", "x-goog-api-client", "x-server-timeout"];
    assert_eq!(names(&request(Service::Gemini, &client, &[])), google);
}

#[test]
fn no_provider_sees_the_protocol_headers_of_another() {
    let own = [
        ["anthropic-", "x-app", "x-claude-code-"].as_slice(),
        &["openai-", "originator", "session-id", "thread-id", "x-codex-"],
        &["x-goog-", "x-server-timeout"],
    ];
    for (at, provider) in PROVIDERS.into_iter().enumerate() {
        let sent = request(provider, &of_every_family(), &[]);
        let others = own.iter().enumerate().filter(|(of, _)| *of != at);
        for start in others.flat_map(|(_, starts)| *starts) {
            assert!(!names(&sent).iter().any(|name| name.starts_with(start)), "{at} {start}");
        }
    }
}

#[test]
fn no_answer_names_the_account() {
    let upstream = map(&[
        ("openai-organization", "org-1"),
        ("openai-project", "proj_1"),
        ("anthropic-organization-id", "org"),
        ("x-codex-account-id", "account"),
        ("chatgpt-account-id", "account"),
        ("set-cookie", "a=b"),
        ("cf-ray", "1"),
        ("x-codex-primary-used-percent", "40"),
        ("x-ratelimit-remaining-tokens", "9"),
        ("x-request-id", "req_1"),
        ("retry-after", "1"),
        ("content-type", "text/event-stream"),
    ]);
    let common = ["content-type", "retry-after"];
    let shown = |provider, limits| response(provider, &upstream, limits);
    for provider in [Service::Claude, Service::Gemini] {
        assert_eq!(names(&shown(provider, LimitHeaders::Pass)), common);
    }
    let withheld = shown(Service::Openai, LimitHeaders::Withhold);
    assert_eq!(names(&withheld), ["content-type", "retry-after", "x-request-id"]);
    let passed = shown(Service::Openai, LimitHeaders::Pass);
    let limits = ["x-codex-primary-used-percent", "x-ratelimit-remaining-tokens", "x-request-id"];
    assert_eq!(names(&passed), [common.as_slice(), &limits].concat());
}

proptest! {
    #[test]
    fn no_credential_and_no_cookie_passes(which in 0_usize..3, value in "[ -~]{0,40}") {
        const SECRET: [&str; 9] = [
            "authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie", "set-cookie",
            "chatgpt-account-id", "proxy-authorization", "cf-access-token",
        ];
        let value = HeaderValue::from_str(&value).expect("plain letters");
        let all: HeaderMap = SECRET
            .into_iter()
            .map(|name| (HeaderName::from_static(name), value.clone()))
            .collect();
        let sent = request(PROVIDERS[which], &all, &[]);
        let shown = response(PROVIDERS[which], &all, LimitHeaders::Pass);
        prop_assert!(SECRET.iter().all(|name| !sent.contains_key(*name)));
        prop_assert!(shown.is_empty());
    }
}
