//! What went wrong elsewhere ("Accounts", "Sticky sessions" and "Streams" of the field's lessons),
//! and the test that would fail if it went wrong here. What had none stands below.
//!
//! | what went wrong | what proves that it does not |
//! |---|---|
//! | a passing 429 or 503 parked an account for long | `cooldowns::rests_grow_with_faults_in_a_row_and_have_a_longest` |
//! | a fixed cool-down, whatever was said | `cooldowns::scopes::a_limit_without_a_claim_rests_the_family_that_was_asked_for` |
//! | seven days taken at face value | `cooldowns::scopes::a_week_of_retry_after_is_an_hour` |
//! | no trial after a rest | `cooldowns::after_a_rest_one_call_tries_the_account_out_and_others_go_elsewhere` |
//! | a "clear" that does not clear | `cooldowns::a_reset_clears_rests_families_host_and_windows`, `edits::a_reset_clears_rests_within_a_second` |
//! | the longer of two windows taken, neither used up | `cooldowns::scopes::a_window_that_did_not_reject_is_not_waited_for` |
//! | a single 500 took the only account out | `failover::the_only_accounts_error_is_told_in_its_own_words_and_is_no_outage` |
//! | 401 without a refresh | `a_refused_token_is_refreshed_once_before_the_account_is_judged` below |
//! | auto-pause and switch in one field | `cooldowns::pausing_and_resuming_neither_ends_a_rest_nor_is_done_by_one`, `relay_core::health::tests::sequences` |
//! | a single-use token refreshed twice | `oauth`, `heavy::oauth` |
//! | a record written whole reverted edits | `edits`, `relay_store::it::accounts` |
//! | the proxy left out of sign-ins, or fallen back from | `proxies`, `relay_upstream::it::proxies` |
//! | pins too loose | `pins::a_conversation_stays_with_its_account_and_others_are_spread`, `pins::a_pin_stays_when_its_account_was_only_busy` |
//! | pins too tight: dead or slow account | `a_conversation_leaves_an_account_that_is_dead_or_silent` below, `pins::a_pin_moves_when_its_account_rests_and_stays_moved` |
//! | pins too tight: disabled account | `pins::a_paused_account_is_passed_over_and_its_conversations_move` |
//! | pins by the system prompt | `conversations_with_the_same_system_prompt_are_not_one` below, `pins::two_keys_with_the_same_session_go_their_own_ways` |
//! | two answers spliced into one | `streams::a_stream_that_breaks_after_content_ends_with_an_error_and_is_not_spliced` |
//! | no terminal event when the upstream died | the same, `streams::a_stream_that_ends_well_framed_but_unfinished_ends_with_an_error` |
//! | an overload within a 200 relayed | `failover::an_error_event_before_the_first_content_moves_on` |
//! | minutes without a byte | `streams::a_waiting_client_gets_pings_and_then_the_answer_of_another_account`, `failover::silence_moves_on` |
//! | half-open pooled connections | `a_connection_that_died_in_the_pool_is_nobodys_fault` below |
//! | compressed bodies without their header | `bytes::stream::a_packed_stream_comes_down_unpacked`, `bytes::unary::a_packed_answer_comes_down_unpacked` |
//! | UTF-8 cut at chunk borders | `bytes::stream::chinese_is_never_cut_apart` |
//! | `[DONE]` sent to Gemini clients | nothing is streamed to these clients yet |

use std::sync::Arc;
use std::time::Duration;

use relay_core::account::ClientRule;
use relay_core::clock::ManualClock;
use relay_store::accounts::AccountChange;
use relay_testkit::{Answer, FakeProvider, Fault, MessagesBody, Moment, messages_body};
use serde_json::json;

use super::{SHORT, ask, asked, post, refusal, two};
use crate::clients::subscription;
use crate::kit::{START, TestRelay, account};

/// A subscription that serves any client, and an account with a key after it.
async fn subscribed() -> (FakeProvider, TestRelay) {
    let provider = FakeProvider::start().await;
    provider.tells_time_by(Arc::new(ManualClock::new(START)));
    let mut sub = subscription(&provider);
    sub.clients = ClientRule::Any;
    let relay = TestRelay::start([sub, account("b", &provider)], &[]).await;
    (provider, relay)
}

#[tokio::test]
async fn a_refused_token_is_refreshed_once_before_the_account_is_judged() {
    let (provider, relay) = subscribed().await;
    provider.revoke_access("sub");
    for streamed in [false, true] {
        assert_eq!(post(&relay, ask("[[say sub]]", streamed)).await.text(), "sub");
    }
    assert_eq!(provider.refreshes().len(), 1);
    assert!(!relay.rests("sub").await);
    assert!(provider.requests().iter().all(|seen| seen.api_key != "upstream-b"));

    // Refused with a fresh token as well: that is the account's fault, and no second refresh.
    provider.answers_owner("sub", refusal(401));
    assert_eq!(post(&relay, ask("[[say b]]", true)).await.text(), "b");
    assert!(relay.rests("sub").await);
    assert!(provider.refreshes().len() <= 2, "{:?}", provider.refreshes());
}

fn in_session(session: &str) -> MessagesBody {
    ask("hello", true).session(session)
}

#[tokio::test]
async fn a_conversation_leaves_an_account_that_is_dead_or_silent() {
    for fault in [Fault::Hang, Fault::Reset] {
        let (provider, relay) = two(SHORT).await;
        assert_eq!(post(&relay, in_session("s")).await.status, 200);
        provider.answers_key("upstream-a", Answer::well().breaks(fault, Moment::Head));
        assert_eq!(post(&relay, in_session("s")).await.status, 200);
        assert_eq!(asked(&provider), ["a", "a", "b"]);
        // It stays where it went, where its cache is by now.
        provider.recovers();
        relay.clock.advance(Duration::from_secs(2));
        assert_eq!(post(&relay, in_session("s")).await.status, 200);
        assert_eq!(asked(&provider), ["a", "a", "b", "b"], "{fault:?}");
    }
}

#[tokio::test]
async fn conversations_with_the_same_system_prompt_are_not_one() {
    let (provider, relay) = two(&[]).await;
    let same = AccountChange { priority: Some(1), ..AccountChange::default() };
    for name in ["a", "b"] {
        relay.edit_account(name, &same).await;
    }
    let turn = |text: &str| {
        messages_body(super::MODEL, text).set("system", json!("You are a helpful tool."))
    };
    for _ in 0..2 {
        for question in ["one", "two"] {
            relay.clock.advance(Duration::from_millis(10));
            assert_eq!(post(&relay, turn(question)).await.status, 200);
            relay.app.shutdown.until_no_call_is_open().await;
        }
    }
    assert_eq!(asked(&provider), ["a", "b", "a", "b"]);
}

#[tokio::test]
async fn a_connection_that_died_in_the_pool_is_nobodys_fault() {
    let provider = FakeProvider::start().await;
    let (port, base) = (provider.port(), account("a", &provider));
    let relay = TestRelay::start([base], &[]).await;
    let mut provider = provider;
    for round in 0..5 {
        let answer = post(&relay, ask("[[say well]]", round % 2 == 0)).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "well"), "{round}");
        provider.until_idle().await;
        // Every connection in the pool is closed by this, and nobody tells the relay's calls.
        drop(provider);
        provider = loop {
            match FakeProvider::start_on(port).await {
                Ok(again) => break again,
                Err(_) => tokio::task::yield_now().await,
            }
        };
    }
    assert!(!relay.rests("a").await);
    let attempts: usize = relay.records().iter().map(|record| record.attempts.len()).sum();
    assert_eq!(attempts, 5);
}

/// A caller cannot condemn an account with words that the provider repeats.
#[tokio::test]
async fn condemning_words_that_are_echoed_condemn_nobody() {
    let condemning = [
        "This organization has been disabled",
        "OAuth authentication is currently not allowed",
        "Your credit balance is too low",
    ];
    for text in condemning {
        for echo in [
            format!("messages.0.content: \"{text}\" is not allowed"),
            format!(" {text}"),
            format!("\"{text}\""),
        ] {
            let (provider, relay) = two(&[]).await;
            let answer = Answer::anthropic_error(400, "invalid_request_error", &echo);
            provider.answers_key("upstream-a", answer);
            for streamed in [false, true] {
                let told = post(&relay, ask(text, streamed)).await;
                assert_eq!((told.status, &told.body), (400, &provider.served()[0].body));
            }
            let event =
                Answer::well().error_event(Moment::Events(1), "invalid_request_error", &echo);
            provider.answers_key("upstream-a", event);
            assert_eq!(post(&relay, ask(text, true)).await.status, 200);
            assert_eq!(asked(&provider), ["a", "a", "a"], "{echo}");
            assert!(!relay.rests("a").await);
        }
        // Said by the provider itself, however it writes them, they do.
        for said in [text.to_uppercase(), text.to_lowercase(), format!("{text}. Please go away.")] {
            let (provider, relay) = two(&[]).await;
            let answer = Answer::anthropic_error(400, "invalid_request_error", &said);
            provider.answers_key("upstream-a", answer);
            assert_eq!(post(&relay, ask("[[say b]]", false)).await.text(), "b", "{said}");
            assert!(relay.rests("a").await);
        }
    }
}
