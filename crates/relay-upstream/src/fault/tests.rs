use super::*;

mod others;

fn blame(status: u16, message: &str) -> Option<RestCause> {
    let headers = HeaderMap::new();
    let refused = Refused {
        provider: Service::Claude,
        status,
        message,
        body: b"",
        headers: &headers,
        client: ClientStanding::Accepted,
    };
    match judge(&refused, Timestamp::from_seconds(0)) {
        Blame::Caller => None,
        Blame::Account(fault) => Some(fault.evidence.cause),
    }
}

#[test]
fn the_callers_faults_are_passed_on() {
    assert_eq!(blame(400, "prompt is too long: 250000 tokens > 200000 maximum"), None);
    assert_eq!(blame(404, "model: claude-none"), None);
    assert_eq!(blame(413, "Request exceeds the maximum size"), None);
}

#[test]
fn a_condemning_text_condemns_at_the_beginning_only() {
    let condemned = Some(RestCause::Condemned);
    assert_eq!(blame(400, "Your credit balance is too low to access the API."), condemned);
    assert_eq!(blame(400, "YOUR CREDIT BALANCE IS TOO LOW"), condemned);
    assert_eq!(blame(400, "messages.0: \"Your credit balance is too low\""), None);
    assert_eq!(blame(400, "Your credit"), None);
    assert_eq!(blame(400, "Your credit balance is too lo\u{e9}"), None);
}

#[test]
fn what_every_answer_tells_of_limits_says_nothing_of_an_overload() {
    let headers: HeaderMap = [
        ("anthropic-ratelimit-unified-status", "rejected"),
        ("anthropic-ratelimit-unified-representative-claim", "five_hour"),
        ("anthropic-ratelimit-unified-5h-reset", "9000"),
    ]
    .into_iter()
    .map(|(name, value)| {
        (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
    })
    .collect();
    let stated = |status| {
        let refused = Refused {
            provider: Service::Claude,
            status,
            message: "",
            body: b"",
            headers: &headers,
            client: ClientStanding::Accepted,
        };
        match judge(&refused, Timestamp::from_seconds(0)) {
            Blame::Account(fault) => fault.evidence.stated_reset,
            Blame::Caller => None,
        }
    };
    for status in [401, 403, 500, 529] {
        assert_eq!(stated(status), None, "{status}");
    }
    assert_eq!(stated(429), Some(Timestamp::from_seconds(9_000)));
}

#[test]
fn what_is_refused_to_a_client_is_the_clients_unless_it_condemns_the_account() {
    let headers = HeaderMap::new();
    let is_the_clients = |status, message| {
        let refused = Refused {
            provider: Service::Claude,
            status,
            message,
            body: b"",
            headers: &headers,
            client: ClientStanding::Doubtful,
        };
        judge(&refused, Timestamp::from_seconds(0)) == Blame::Caller
    };
    assert!(is_the_clients(403, "not for this client"));
    assert!(is_the_clients(429, "Error"));
    assert!(!is_the_clients(403, "This organization has been disabled."));
    assert!(!is_the_clients(401, "") && !is_the_clients(500, "") && !is_the_clients(402, ""));
}

#[test]
fn what_is_for_claude_code_alone_is_the_callers_whatever_its_status() {
    let text = "This credential is only authorized for use with Claude Code and cannot be";
    for status in [400, 401, 402, 403, 429] {
        assert_eq!(blame(status, text), None, "{status}");
    }
    assert_eq!(blame(403, &format!("no: {text}")), Some(RestCause::Condemned));
    assert_eq!(blame(500, text), Some(RestCause::Failing));
}

#[test]
fn the_accounts_faults_move_on() {
    assert_eq!(blame(401, ""), Some(RestCause::Unauthorised));
    assert_eq!(blame(403, ""), Some(RestCause::Condemned));
    assert_eq!(blame(429, ""), Some(RestCause::RateLimited));
    assert_eq!(blame(500, ""), Some(RestCause::Failing));
    assert_eq!(blame(529, ""), Some(RestCause::Overloaded));
    assert_eq!(blame(302, ""), Some(RestCause::Failing));
    assert_eq!(
        blame(status_of_kind(Service::Claude, "overloaded_error"), ""),
        Some(RestCause::Overloaded)
    );
}
