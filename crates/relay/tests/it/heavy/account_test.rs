//! `crs account test`: whether accounts work, by their own ways out.

use std::time::Duration;

use relay_testkit::{
    Answer, ClosedPort, FakeProvider, FakeProxy, Fault, Moment, Output, RelayProcess,
};
use serde_json::Value;

use super::CRS;

const HOUR: Duration = Duration::from_hours(1);

struct Site {
    provider: FakeProvider,
    relay: RelayProcess,
}

impl Site {
    async fn new() -> Self {
        let provider = FakeProvider::start().await;
        Self { provider, relay: RelayProcess::builder(CRS).start().await }
    }

    async fn add(&self, name: &str, more: &[&str]) {
        self.relay.add_account(name, &self.provider.base_url(), more).await;
    }

    async fn add_oauth(&self, name: &str, lifetime: Duration) {
        let tokens = self.provider.issues(name, lifetime).to_json();
        let (base, token) = (self.provider.base_url(), self.provider.token_url());
        self.relay.add_oauth_account(name, &base, &token, &tokens, &[]).await;
    }

    async fn run(&self, more: &[&str]) -> Output {
        self.relay.crs(&[&["account", "test", "--json"], more].concat(), "").await
    }

    /// Tests an account as soon as the relay knows it.
    async fn test(&self, more: &[&str]) -> (Option<i32>, Value) {
        let known = async {
            loop {
                let output = self.run(more).await;
                if !output.stdout.contains("does not know this account yet") {
                    return (output.status.code(), output.json());
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), known).await.expect("it is known")
    }
}

fn words<'v>(test: &'v Value, fields: &[&str]) -> Vec<&'v str> {
    fields.iter().map(|field| test[field].as_str().unwrap_or("")).collect()
}

#[tokio::test]
async fn a_test_shows_exit_latency_a_short_answer_and_what_it_used() {
    let mut site = Site::new().await;
    site.add("main", &[]).await;
    for runs in [true, false] {
        if !runs {
            site.relay.kill_9().await;
        }
        let (code, test) = site.test(&["main"]).await;
        assert_eq!(
            (code, &test["verdict"], &test["status"]),
            (Some(0), &"works".into(), &200.into())
        );
        assert_eq!(words(&test, &["name", "exit"]), ["main", "direct"]);
        let address = format!("127.0.0.1:{}", site.provider.port());
        assert_eq!(test["exit_address"], address);
        assert!(!words(&test, &["answer"])[0].is_empty(), "{test}");
        assert!(test["usage"]["output_tokens"].as_u64().is_some_and(|it| it > 0), "{test}");
        assert!(test["millis"].is_u64() && test["fault"].is_null(), "{test}");
        let asked = site.provider.requests().pop().expect("a request");
        assert!(asked.header("user-agent").starts_with("crs/"), "{}", asked.header("user-agent"));
        assert!(asked.model().starts_with("claude-haiku-"), "{}", asked.model());
        assert_eq!(asked.api_key, "upstream-main");
    }
    let printed = site.relay.crs(&["account", "test", "main", "--model", "m-1"], "").await.stdout;
    assert!(printed.contains("main: works (status 200)"), "{printed}");
    assert!(printed.contains("tokens in"), "{printed}");
    assert_eq!(site.provider.requests().pop().expect("a request").model(), "m-1");
    let (code, test) = site.test(&["main", "--no-answer"]).await;
    assert_eq!((code, &test["verdict"], &test["answer"]), (Some(0), &"works".into(), &Value::Null));
    assert_eq!(site.provider.requests().pop().expect("a request").method, "GET");
}

#[tokio::test]
async fn every_fault_is_told_in_words() {
    let site = Site::new().await;
    site.add("main", &[]).await;
    let limited = Answer::anthropic_error(429, "rate_limit_error", "slow down");
    let cases = [
        (
            Answer::anthropic_error(401, "authentication_error", "invalid x-api-key"),
            "refused",
            "the provider does not accept the secret",
            "invalid x-api-key",
        ),
        (
            Answer::anthropic_error(403, "permission_error", "not you"),
            "refused",
            "the provider does not permit the account",
            "not you",
        ),
        (
            limited.header("retry-after", "60"),
            "limited",
            "the account is at its limit",
            "slow down",
        ),
        (
            Answer::anthropic_error(404, "not_found_error", "model: x"),
            "unclear",
            "the host knows no such address or model",
            "model: x",
        ),
        (
            Answer::anthropic_error(529, "overloaded_error", "Overloaded"),
            "failing",
            "the provider is overloaded",
            "Overloaded",
        ),
        (
            Answer::status(200).body("<html>"),
            "unclear",
            "the answer is no message: is this the address of an API?",
            "",
        ),
        (
            Answer::well().breaks(Fault::Hang, Moment::Head),
            "unreachable",
            "no answer within 1s",
            "",
        ),
    ];
    for (answer, verdict, fault, said) in cases {
        site.provider.recovers();
        site.provider.answers_always(answer);
        let (code, test) = site.test(&["main", "--timeout", "1s"]).await;
        assert_eq!(code, Some(1), "{test}");
        assert_eq!(words(&test, &["verdict", "fault", "said"]), [verdict, fault, said]);
        assert_eq!(test["resets_at"].is_string(), verdict == "limited", "{test}");
    }
}

#[tokio::test]
async fn the_way_goes_through_the_accounts_own_proxy_and_its_faults_are_told() {
    let site = Site::new().await;
    let proxy = FakeProxy::socks5().await.with_login("us er", "pa@ss:word");
    let wrong = proxy.url().replace("us%20er", "other");
    let nowhere = ClosedPort::reserve().expect("a port");
    let nowhere = format!("http://127.0.0.1:{}", nowhere.port());
    site.add("through", &["--proxy", &proxy.url()]).await;
    site.add("wrong", &["--proxy", &wrong]).await;
    site.add("nowhere", &["--proxy", &nowhere]).await;
    let (code, test) = site.test(&["through"]).await;
    assert_eq!((code, proxy.connections()), (Some(0), 1), "{test}");
    assert_eq!(test["exit"], format!("socks5://…@127.0.0.1:{}", proxy.port()));
    let (code, tests) = site.test(&["wrong", "nowhere", "through"]).await;
    assert_eq!(code, Some(1), "one that works does not make up for others");
    let faults: Vec<_> = (0..2).map(|at| words(&tests[at], &["verdict", "fault"])).collect();
    assert_eq!(faults[0], ["unreachable", "the proxy refused the login, or wants one"]);
    assert!(faults[1][1].starts_with("cannot connect to the proxy: "), "{tests}");
    assert_eq!(tests[2]["verdict"], "works");
    assert!(!tests.to_string().contains("pa@ss") && !tests.to_string().contains("pa%40ss"));
}

#[tokio::test]
async fn several_at_once_are_an_array_and_a_group_is_several() {
    let site = Site::new().await;
    for name in ["a", "b", "c"] {
        site.add(name, if name == "c" { &[] } else { &["--group", "team"] }).await;
    }
    site.provider.answers_key("upstream-c", Answer::status(401));
    site.test(&["c"]).await;
    let (code, tests) = site.test(&["--group", "team"]).await;
    assert_eq!((code, tests.as_array().map(Vec::len)), (Some(0), Some(2)), "{tests}");
    let (code, tests) = site.test(&["--all"]).await;
    assert_eq!((code, tests.as_array().map(Vec::len)), (Some(1), Some(3)), "{tests}");
    assert_eq!(site.run(&["a", "nobody"]).await.status.code(), Some(1));
    assert_eq!(site.run(&[]).await.status.code(), Some(2));
}

#[tokio::test]
async fn a_subscription_is_tested_with_the_token_that_the_relay_keeps_fresh() {
    let mut site = Site::new().await;
    site.add_oauth("main", Duration::from_secs(1)).await;
    // The first token has ended by the time that the relay knows the account, or soon after.
    let (code, test) = site.test(&["main"]).await;
    assert_eq!((code, &test["verdict"]), (Some(0), &"works".into()), "{test}");
    assert_eq!(test["plan"]["plan"], "claude_max");
    assert_eq!(test["plan"]["email"], "main@example.com");
    site.provider.sets_lifetime("main", HOUR);
    site.provider.revoke_access("main");
    let (code, test) = site.test(&["main"]).await;
    assert_eq!(code, Some(0), "a token that was refused is refreshed: {test}");
    assert_eq!(site.provider.reused(), 0);

    site.provider.accepts_only_claude_code();
    let (code, test) = site.test(&["main"]).await;
    assert_eq!((code, &test["verdict"]), (Some(0), &"works".into()), "{test}");
    let [fault, said] = words(&test, &["fault", "said"])[..] else { unreachable!("two") };
    assert!(fault.contains("the sign-in is accepted"), "{fault}");
    assert!(said.contains("only authorized for use with Claude Code"), "{said}");
    site.relay.kill_9().await;
    let (code, _) = site.test(&["main"]).await;
    assert_eq!(code, Some(0), "the token that is stored still serves");
}

#[tokio::test]
async fn the_token_of_a_paused_account_is_not_refreshed_for_a_test() {
    let site = Site::new().await;
    let tokens = site.provider.issues("main", Duration::from_millis(1)).to_json();
    let (base, token) = (site.provider.base_url(), site.provider.token_url());
    site.relay.add_oauth_account("main", &base, &token, &tokens, &["--disabled"]).await;
    let (code, test) = site.test(&["main"]).await;
    assert_eq!((code, &test["verdict"]), (Some(1), &"no_token".into()), "{test}");
    let fault = test["fault"].as_str().unwrap_or_default();
    assert!(fault.contains("a paused account is not refreshed"), "{fault}");
    assert!(site.provider.refreshes().is_empty());
}

#[tokio::test]
async fn without_a_relay_a_token_that_has_ended_is_not_refreshed() {
    let mut site = Site::new().await;
    site.relay.kill_9().await;
    site.add_oauth("main", Duration::from_millis(1)).await;
    let (code, test) = site.test(&["main"]).await;
    assert_eq!((code, &test["verdict"]), (Some(1), &"no_token".into()), "{test}");
    assert_eq!(test["fault"], "its token has ended; start the relay, which refreshes it");
    assert!(site.provider.refreshes().is_empty());
}
