//! Faults of OpenAI, ChatGPT and Google, by answers as they were seen.

use proptest::prelude::*;

use super::super::*;

/// What a refusal comes to: the fault's word, cause, scope and how many seconds were stated.
type Met = (&'static str, RestCause, Scope, Option<u64>);

/// What a refusal of a provider means at second 1,800,000,000 (15 January 2027, 08:00 UTC).
fn met(provider: Service, status: u16, body: &str, sent: &[(&'static str, &str)]) -> Option<Met> {
    let headers: HeaderMap = sent
        .iter()
        .map(|(name, value)| {
            let value = http::HeaderValue::from_str(value).expect("a value");
            (http::HeaderName::from_static(name), value)
        })
        .collect();
    let body = on_one_line(body);
    let refused = refused(provider, status, body.as_bytes(), &headers);
    let now = Timestamp::from_seconds(1_800_000_000);
    match judge(&refused, now) {
        Blame::Caller => None,
        Blame::Account(fault) => {
            let Evidence { cause, stated_reset, scope } = fault.evidence;
            Some((fault.word, cause, scope, stated_reset.map(|at| at.since(now).as_secs())))
        }
    }
}

/// A body that is written over several lines here.
fn on_one_line(body: &str) -> String {
    body.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn refused<'a>(
    provider: Service,
    status: u16,
    body: &'a [u8],
    headers: &'a HeaderMap,
) -> Refused<'a> {
    let client = ClientStanding::Accepted;
    Refused { provider, status, message: "", body, headers, client }
}

fn openai(status: u16, body: &str) -> Option<Met> {
    met(Service::Openai, status, body, &[])
}

fn google(status: u16, body: &str) -> Option<Met> {
    met(Service::Gemini, status, body, &[])
}

const fn unsaid(word: &'static str, cause: RestCause, scope: Scope) -> Met {
    (word, cause, scope, None)
}

#[test]
fn openais_credentials_and_money_are_the_accounts() {
    let key = Some(unsaid("unauthorised", RestCause::Unauthorised, Scope::Account));
    let body = r#"{"error":{"message":"Incorrect API key provided.","type":
        "invalid_request_error","param":null,"code":"invalid_api_key"}}"#;
    assert_eq!(openai(401, body), key);
    assert_eq!(openai(403, body), key, "compatible hosts");
    assert_eq!(openai(401, r#"{"detail":"Unauthorized"}"#), key);
    assert_eq!(openai(401, "<html>no</html>"), key);
    let unpaid = Some(unsaid("unpaid", RestCause::Condemned, Scope::Account));
    let quota = r#"{"error":{"message":"You exceeded your current quota, please check your plan",
        "type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;
    assert_eq!(openai(429, quota), unpaid);
    let inactive = r#"{"error":{"message":"Your account is not active, please check your billing
        details on our website.","type":"billing_not_active","code":"billing_not_active"}}"#;
    assert_eq!(openai(429, inactive), unpaid);
    let hard = r#"{"error":{"code":"billing_hard_limit_reached","type":"invalid_request_error"}}"#;
    assert_eq!(openai(400, hard), unpaid);
    assert_eq!(openai(429, r#"{"error":{"type":"usage_not_included"}}"#), unpaid);
    assert_eq!(openai(402, r#"{"detail":{"code":"deactivated_workspace"}}"#), unpaid);
    let forbidden = Some(unsaid("forbidden", RestCause::Condemned, Scope::Account));
    let region = r#"{"error":{"code":"unsupported_country_region_territory",
        "message":"Country, region, or territory not supported","type":"request_forbidden"}}"#;
    assert_eq!(openai(403, region), forbidden);
    let restricted = r#"{"error":{"message":"You have insufficient permissions for this operation.
        Missing scopes: api.responses.write.","type":"invalid_request_error","code":null}}"#;
    let of_asked = Some(unsaid("forbidden", RestCause::Condemned, Scope::Asked));
    assert_eq!(openai(403, restricted), of_asked);
}

#[test]
fn what_openai_says_of_the_call_is_the_callers() {
    let said = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#);
    for code in ["context_length_exceeded", "previous_response_not_found", "invalid_prompt"] {
        assert_eq!(openai(400, &said(code)), None, "{code}");
    }
    assert_eq!(openai(403, &said("moderation_blocked")), None);
    assert_eq!(openai(404, &said("previous_response_not_found")), None);
    let encrypted = r#"{"error":{"message":"The encrypted content gAAA could not be verified.",
        "type":"invalid_request_error","param":null,"code":"invalid_encrypted_content"}}"#;
    assert_eq!(openai(400, encrypted), None);
    let echo = r#"{"error":{"message":"Unknown parameter: 'insufficient_quota'",
        "type":"invalid_request_error","param":"insufficient_quota","code":"unknown_parameter"}}"#;
    assert_eq!(openai(400, echo), None);
    assert_eq!(openai(413, ""), None);
}

#[test]
fn a_model_that_an_account_lacks_rests_nobody_and_may_be_had_elsewhere() {
    let none = r#"{"error":{"message":"The model `gpt-x` does not exist or you do not have access
        to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#;
    let of_plan = r#"{"detail":"The 'gpt-5.3-codex' model is not supported when using Codex with a ChatGPT account."}"#;
    let size = r#"{"error":{"message":"Request too large for gpt-4o in organization org-1 on tokens
        per min (TPM): Limit 30000, Requested 45000.","type":"tokens","code":"rate_limit_exceeded"}}"#;
    let verify = r#"{"error":{"message":"Your organization must be verified to use the model"}}"#;
    let google_none = r#"{"error":{"code":404,"message":"models/gemini-x is not found for API
        version v1beta","status":"NOT_FOUND"}}"#;
    let headers = HeaderMap::new();
    for (provider, status, body) in [
        (Service::Openai, 404, none),
        (Service::Openai, 403, none),
        (Service::Openai, 400, of_plan),
        (Service::Openai, 429, size),
        (Service::Openai, 403, verify),
        (Service::Gemini, 404, google_none),
    ] {
        assert_eq!(met(provider, status, body, &[]), None, "{body}");
        let body = on_one_line(body);
        let refused = refused(provider, status, body.as_bytes(), &headers);
        assert!(another_may_serve(&refused), "{body}");
    }
    for (provider, status) in
        [(Service::Openai, 404), (Service::Gemini, 404), (Service::Claude, 404)]
    {
        assert!(!another_may_serve(&refused(provider, status, b"", &headers)), "{provider:?}");
    }
}

#[test]
fn openais_limits_end_as_it_says() {
    let limit = |rest: &str, headers: &[(&'static str, &str)]| {
        let message = format!(
            "Rate limit reached for gpt-5 in organization org-a1 on requests per min (RPM): Limit 3, Used 3, Requested 1.{rest}"
        );
        let body = format!(
            r#"{{"error":{{"message":"{message}","type":"requests","code":"rate_limit_exceeded"}}}}"#
        );
        met(Service::Openai, 429, &body, headers)
    };
    let met = |secs| Some(("rate_limited", RestCause::RateLimited, Scope::Asked, secs));
    assert_eq!(limit("", &[]), met(None));
    assert_eq!(
        limit(" Please try again in 20s. Visit https://x to learn more.", &[]),
        met(Some(20))
    );
    let exhausted = [
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "6m0s"),
        ("x-ratelimit-remaining-tokens", "9"),
        ("x-ratelimit-reset-tokens", "30m"),
    ];
    assert_eq!(limit(" Please try again in 20s.", &exhausted), met(Some(360)));
    let both = [exhausted.as_slice(), &[("retry-after", "7")]].concat();
    assert_eq!(limit("", &both), met(Some(7)));
    let millis = [both.as_slice(), &[("retry-after-ms", "3000")]].concat();
    assert_eq!(limit("", &millis), met(Some(3)));
    let week = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "168h")];
    assert_eq!(limit("", &week), met(Some(3_600)), "no more than an hour");
}

#[test]
fn a_chatgpt_plan_rests_until_the_window_that_is_used_up_begins_anew() {
    let plan =
        |body: &str, headers: &[(&'static str, &str)]| met(Service::Openai, 429, body, headers);
    let limited = |scope, secs| Some(("rate_limited", RestCause::RateLimited, scope, Some(secs)));
    let body = r#"{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached",
        "plan_type":"plus","resets_at":1800013872,"resets_in_seconds":13872}}"#;
    assert_eq!(plan(body, &[]), limited(Scope::Account, 13_872));
    let at = r#"{"error":{"type":"usage_limit_reached","resets_at":1800000600}}"#;
    assert_eq!(plan(at, &[]), limited(Scope::Account, 600));
    let window = |primary: &'static str, secondary: &'static str| {
        [
            ("x-codex-primary-used-percent", primary),
            ("x-codex-primary-window-minutes", "300"),
            ("x-codex-primary-reset-at", "1800009000"),
            ("x-codex-secondary-used-percent", secondary),
            ("x-codex-secondary-window-minutes", "10080"),
            ("x-codex-secondary-reset-at", "1800500000"),
        ]
    };
    let week = r#"{"error":{"type":"usage_limit_reached","resets_in_seconds":604800}}"#;
    assert_eq!(plan(week, &window("100", "80")), limited(Scope::Account, 21_600), "5 h and 1 h");
    assert_eq!(plan(week, &window("40", "100")), limited(Scope::Account, 604_800));
    let bare = r#"{"error":{"type":"usage_limit_reached"}}"#;
    assert_eq!(plan(bare, &window("100", "80")), limited(Scope::Account, 9_000));
    assert_eq!(plan(bare, &window("40", "100")), limited(Scope::Account, 500_000));
    assert_eq!(plan(body, &window("40", "80")), limited(Scope::Asked, 13_872), "of its models");
    let in_a_year = r#"{"error":{"type":"usage_limit_reached","resets_in_seconds":31536000}}"#;
    assert_eq!(plan(in_a_year, &[]), limited(Scope::Account, 8 * 86_400));
    let past = r#"{"error":{"type":"usage_limit_reached","resets_at":1,"resets_in_seconds":-5}}"#;
    assert_eq!(plan(past, &[]).map(|met| met.3), Some(None));
}

/// What an error event within an answer comes to.
fn judged(provider: Service, kind: &str, data: &str) -> Option<Met> {
    met(provider, status_of_kind(provider, kind), data, &[])
}

fn of_openai(kind: &str, data: &str) -> Option<&'static str> {
    judged(Service::Openai, kind, data).map(|(word, ..)| word)
}

#[test]
fn an_error_in_a_stream_is_judged_as_one_before_it() {
    let failed = |code: &str| {
        format!(
            r#"{{"type":"response.failed","response":{{"error":{{"code":"{code}","message":"m"}}}}}}"#
        )
    };
    for (code, word) in [
        ("rate_limit_exceeded", Some("rate_limited")),
        ("insufficient_quota", Some("unpaid")),
        ("server_is_overloaded", Some("overloaded")),
        ("slow_down", Some("overloaded")),
        ("server_error", Some("upstream_error")),
        ("context_length_exceeded", None),
        ("invalid_prompt", None),
        ("image_too_large", None),
        ("cyber_policy_violation", None),
    ] {
        assert_eq!(of_openai(code, &failed(code)), word, "{code}");
        assert_eq!(of_openai(code, ""), word, "{code} without its data");
    }
    let used_up = r#"{"type":"error","error":{"type":"usage_limit_reached","message":"The usage limit
        has been reached","resets_in_seconds":600},"status_code":429}"#;
    let met = judged(Service::Openai, "usage_limit_reached", used_up);
    assert_eq!(met, Some(("rate_limited", RestCause::RateLimited, Scope::Account, Some(600))));
    let busy = r#"{"error":{"type":"server_error","code":"server_is_overloaded","message":"m"}}"#;
    assert_eq!(of_openai("server_error", busy), Some("overloaded"));
    for (kind, word) in [
        ("RESOURCE_EXHAUSTED", Some("rate_limited")),
        ("rate_limit_error", Some("rate_limited")),
        ("UNAVAILABLE", Some("overloaded")),
        ("overloaded_error", Some("overloaded")),
        ("DEADLINE_EXCEEDED", Some("upstream_error")),
        ("UNAUTHENTICATED", Some("unauthorised")),
        ("INVALID_ARGUMENT", None),
    ] {
        let word_of = judged(Service::Gemini, kind, "").map(|(word, ..)| word);
        assert_eq!(word_of, word, "{kind}");
    }
}

#[test]
fn googles_refusals_of_the_account_are_told_from_those_of_the_call() {
    let key = Some(unsaid("unauthorised", RestCause::Unauthorised, Scope::Account));
    let invalid = r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.",
        "status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo",
        "reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}"#;
    assert_eq!(google(400, invalid), key);
    let expired =
        r#"[{"error":{"code":400,"message":"API key expired. Please renew the API key."}}]"#;
    assert_eq!(google(400, expired), key);
    assert_eq!(google(401, r#"{"error":{"code":401,"status":"UNAUTHENTICATED"}}"#), key);
    let bad = r#"{"error":{"code":400,"message":"* GenerateContentRequest.contents: contents is not
        specified","status":"INVALID_ARGUMENT"}}"#;
    assert_eq!(google(400, bad), None);
    let echo = r#"{"error":{"code":400,"message":"Invalid value: API key not valid"}}"#;
    assert_eq!(google(400, echo), None);
    let forbidden = Some(unsaid("forbidden", RestCause::Condemned, Scope::Account));
    for message in [
        "Your project has been denied access. Please contact support.",
        "Permission denied: Consumer 'api_key:1' has been suspended.",
        "Gemini API has not been used in project 1 before or it is disabled.",
    ] {
        let body = format!(r#"{{"error":{{"code":403,"message":"{message}"}}}}"#);
        assert_eq!(google(403, &body), forbidden, "{message}");
    }
    let place = r#"{"error":{"code":400,"message":"User location is not supported for the API use.",
        "status":"FAILED_PRECONDITION"}}"#;
    assert_eq!(google(400, place), forbidden);
    let file = r#"{"error":{"code":403,"message":"You do not have permission to access the File x or
        it may not exist.","status":"PERMISSION_DENIED"}}"#;
    assert_eq!(google(403, file), None, "a file of another account condemns nobody");
    let busy = Some(unsaid("overloaded", RestCause::Overloaded, Scope::Asked));
    let overloaded = r#"{"error":{"code":503,"message":"The model is overloaded. Please try again
        later.","status":"UNAVAILABLE"}}"#;
    assert_eq!(google(503, overloaded), busy);
    let failing = Some(unsaid("upstream_error", RestCause::Failing, Scope::Asked));
    assert_eq!(google(504, r#"{"error":{"status":"DEADLINE_EXCEEDED"}}"#), failing);
    assert_eq!(google(500, "<html></html>"), failing);
}

#[test]
fn an_overload_is_never_taken_for_the_calls_own_fault() {
    let headers = HeaderMap::new();
    let trouble = |provider, status| match judge(
        &refused(provider, status, b"", &headers),
        Timestamp::from_seconds(0),
    ) {
        Blame::Account(fault) => fault.trouble(),
        Blame::Caller => None,
    };
    for provider in [Service::Openai, Service::Gemini] {
        assert_eq!(trouble(provider, 503), None);
        assert_eq!(trouble(provider, 500), Some(Trouble::Status(500)));
    }
    assert_eq!(trouble(Service::Claude, 503), Some(Trouble::Status(503)));
}

#[test]
fn what_is_told_to_clients_does_not_name_the_account() {
    let body =
        r#"{"error":{"message":"Rate limit reached for gpt-5 in organization org-a1b2 on x"}}"#;
    let headers = HeaderMap::new();
    let refused = refused(Service::Openai, 429, body.as_bytes(), &headers);
    let Blame::Account(fault) = judge(&refused, Timestamp::from_seconds(0)) else {
        panic!("an account's fault");
    };
    assert_eq!(
        fault.said.as_deref(),
        Some("Rate limit reached for gpt-5 in organization org-… on x")
    );
}

proptest! {
    #[test]
    fn no_answer_makes_the_judging_fail(
        which in 0_usize..3,
        status in 300_u16..600,
        body in prop_oneof![
            any::<Vec<u8>>(),
            "\\{\"error\":\\{\"(type|code|message|status|resets_at|resets_in_seconds)\":(\"[ -!#-\\[\\]-~]{0,30}\"|-?[0-9]{1,25}(\\.[0-9]{1,3})?)\\}\\}".prop_map(String::into_bytes),
            "\\{\"error\":\\{\"details\":\\[\\{\"@type\":\"x.(RetryInfo|ErrorInfo|QuotaFailure)\",\"(retryDelay|metadata|violations)\":(\"[0-9hms.]{0,30}\"|\\{\"quotaResetDelay\":\"[0-9hms.-]{0,25}\"\\}|\\[\\{\"quotaId\":\"PerDay\"\\}\\])\\}\\]\\}\\}".prop_map(String::into_bytes),
        ],
        values in proptest::collection::vec(("(retry-after(-ms)?|x-ratelimit-(remaining|reset)-(requests|tokens)|x-codex-(primary|secondary)-(used-percent|window-minutes|reset-at))", "[0-9hms.e+-]{0,22}"), 0..6),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in &values {
            let name = http::HeaderName::try_from(name).expect("a name");
            headers.insert(name, http::HeaderValue::from_str(value).expect("a value"));
        }
        let provider = [Service::Claude, Service::Openai, Service::Gemini][which];
        let now = Timestamp::from_seconds(1_800_000_000);
        let latest = now.plus(relay_core::health::STATED_REST_MAX);
        let refused = refused(provider, status, &body, &headers);
        if let Blame::Account(fault) = judge(&refused, now) {
            prop_assert!(fault.evidence.stated_reset.is_none_or(|at| at <= latest));
        }
        let _ = another_may_serve(&refused);
    }
}
