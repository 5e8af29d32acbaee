//! Whatever befalls an account before the first content is not its client's: another one answers,
//! whichever protocols the two speak.

use std::time::Duration;

use relay_core::usage::{Exactness, Outcome};
use relay_testkit::{Answer, Ending, FakeProvider, Fault, Framing, Moment};

use super::{PAIRS, Spoken, Upstream, asked, is_of, relay};
use crate::kit::TestRelay;

/// Deadlines that pass while one waits, and what Google's tokens are refreshed with.
const SHORT: &[(&str, &str)] = &[
    ("FIRST_BYTE_TIMEOUT", "0.3"),
    ("STREAM_IDLE_TIMEOUT", "0.3"),
    ("REQUEST_TIMEOUT", "300"),
    ("GEMINI_OAUTH_CLIENT_ID", "app"),
    ("GEMINI_OAUTH_CLIENT_SECRET", "app-words"),
];

/// A fault and the word that it is recorded as.
type Named = (Answer, &'static str);

/// Faults of streams and of whole answers.
fn faults_of_any() -> Vec<Named> {
    let broken = |fault, at| Answer::well().breaks(fault, at);
    vec![
        (Answer::limited_for(600), "rate_limited"),
        (Answer::refused(429), "rate_limited"),
        (Answer::refused(401), "unauthorised"),
        (Answer::refused(403), "forbidden"),
        (Answer::refused(500), "upstream_error"),
        (Answer::status(502).body("<html>Bad Gateway"), "upstream_error"),
        (Answer::overloaded(), "overloaded"),
        (broken(Fault::Hang, Moment::Head), "first_byte_timeout"),
        (broken(Fault::Reset, Moment::Head), "connection_broken"),
        (broken(Fault::Cut, Moment::Head), "connection_broken"),
        (broken(Fault::Cut, Moment::Bytes(20)), "connection_broken"),
    ]
}

/// Faults of streams alone.
fn faults_of_streams((spoken, upstream): (Spoken, Upstream)) -> Vec<Named> {
    let is_openai = upstream == Upstream::Openai;
    let asks_responses = matches!(upstream, Upstream::ChatGpt | Upstream::OpenaiResponses)
        || (is_openai && spoken == Spoken::Responses);
    // What Google sends first is content.
    let preamble = match upstream {
        Upstream::Gemini | Upstream::CodeAssist => 0,
        _ => 1,
    };
    let broken = |fault| Answer::well().breaks(fault, Moment::Events(preamble));
    let mut faults = vec![
        (broken(Fault::Cut), "connection_broken"),
        (broken(Fault::Reset), "connection_broken"),
        (broken(Fault::Cut).framing(Framing::UntilClose), "cut_before_content"),
        (broken(Fault::Hang), "stream_idle"),
    ];
    let error_events = [
        (429, "rate_limited"),
        (401, "unauthorised"),
        (500, "upstream_error"),
        (529, "overloaded"),
    ];
    for after in 0..=preamble {
        for (status, word) in error_events {
            faults.push((Answer::well().usual_error_event(Moment::Events(after), status), word));
            if asks_responses {
                faults.push((failed_with(after, status), word));
            }
        }
    }
    faults
}

/// An error event as Responses tells of a whole answer that failed.
fn failed_with(after: usize, status: u16) -> Answer {
    let kind = match status {
        429 => "rate_limit_exceeded",
        401 => "invalid_api_key",
        529 => "server_is_overloaded",
        _ => "server_error",
    };
    Answer::well().failed_event(Moment::Events(after), kind, "the words of a")
}

async fn two(upstream: Upstream) -> (FakeProvider, TestRelay) {
    let provider = FakeProvider::start().await;
    let relay = relay(&provider, upstream, &["a", "b"], SHORT).await;
    (provider, relay)
}

/// A fault of `a` moves the call to `b`, leaves no trace in the answer, and is nobody else's.
async fn moves_on((spoken, upstream): (Spoken, Upstream), (fault, word): Named, streamed: bool) {
    let what = format!("{spoken:?} on {upstream:?}, streamed: {streamed}, {fault:?}");
    let (provider, relay) = two(upstream).await;
    provider.answers_when(|seen| is_of(seen, "a"), fault);
    let answer = spoken.ask(&relay.client, "[[say 换一个 b]]", streamed).await;
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!((answer.status, answer.ending), (200, Ending::Whole), "{what}: {body}");
    assert_eq!(answer.text(), "换一个 b", "{what}: {body}");
    if streamed {
        assert_eq!(spoken.endings(&answer), (1, true), "{what}: {body}");
    }

    let record = relay.only_record().await;
    let faults: Vec<_> = record.attempts.iter().map(|it| it.fault.as_deref()).collect();
    assert_eq!(faults, [Some(word), None], "{what}");
    assert_eq!(
        (record.outcome, record.exactness),
        (Outcome::Completed, Exactness::Exact),
        "{what}"
    );
    assert_eq!(record.account, relay.account_id("b").await, "{what}");
    provider.until_idle().await;
    let served = provider.served().pop().expect("b answered");
    assert_eq!(record.usage, served.usage, "{what}");
    assert!(relay.rests("a").await && !relay.rests("b").await, "{what}");
    // A refused token is refreshed once before somebody else is asked.
    let again = upstream.kind().is_oauth() && word == "unauthorised";
    let names: &[&str] = if again { &["a", "a", "b"] } else { &["a", "b"] };
    assert_eq!(asked(&provider), names, "{what}");
    assert_eq!(provider.refreshes().len(), usize::from(again), "{what}");
    relay.until_all_is_given_back().await;
}

/// A limit rests its account until it is said to end, and no longer.
async fn rests_as_told((spoken, upstream): (Spoken, Upstream)) {
    let what = format!("{spoken:?} on {upstream:?}");
    let (provider, relay) = two(upstream).await;
    provider.answers_when(|seen| is_of(seen, "a"), Answer::limited_for(600));
    spoken.ask(&relay.client, "one", true).await;
    provider.recovers();
    relay.clock.advance(Duration::from_secs(599));
    assert_eq!(spoken.ask(&relay.client, "another", true).await.status, 200, "{what}");
    assert_eq!(asked(&provider), ["a", "b", "b"], "{what}: not before");
    // Google counts in fractions of a second.
    relay.clock.advance(Duration::from_millis(1_071));
    assert_eq!(spoken.ask(&relay.client, "and one more", true).await.status, 200, "{what}");
    assert_eq!(asked(&provider), ["a", "b", "b", "a"], "{what}: not after");
    assert!(!relay.rests("a").await, "{what}");
    relay.until_all_is_given_back().await;
}

/// A token that is refused is refreshed, and its account serves the call.
async fn is_refreshed((spoken, upstream): (Spoken, Upstream), streamed: bool) {
    let what = format!("{spoken:?} on {upstream:?}, streamed: {streamed}");
    let (provider, relay) = two(upstream).await;
    provider.answers_once_when(|seen| is_of(seen, "a"), Answer::refused(401));
    let answer = spoken.ask(&relay.client, "[[say a]]", streamed).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "a"), "{what}");
    assert_eq!((asked(&provider).concat(), provider.refreshes().len()), ("aa".into(), 1), "{what}");
    assert!(!relay.rests("a").await, "{what}");
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_refused_token_is_refreshed_and_its_account_serves_the_call() {
    let mut signed_in: Vec<_> = PAIRS.into_iter().filter(|(_, it)| it.kind().is_oauth()).collect();
    signed_in.push((Spoken::Messages, Upstream::ClaudeOauth));
    signed_in.push((Spoken::Chat, Upstream::ChatGpt));
    for pair in signed_in {
        is_refreshed(pair, false).await;
        is_refreshed(pair, true).await;
    }
}

macro_rules! moves_on {
    ($($name:ident: $spoken:ident on $upstream:ident,)*) => {
        $(
            mod $name {
                use super::*;

                const PAIR: (Spoken, Upstream) = (Spoken::$spoken, Upstream::$upstream);

                #[tokio::test]
                async fn a_stream_moves_on() {
                    for fault in faults_of_any() {
                        moves_on(PAIR, fault, true).await;
                    }
                }

                #[tokio::test]
                async fn a_stream_that_has_begun_moves_on() {
                    for fault in faults_of_streams(PAIR) {
                        moves_on(PAIR, fault, true).await;
                    }
                }

                #[tokio::test]
                async fn a_whole_answer_moves_on() {
                    for fault in faults_of_any() {
                        moves_on(PAIR, fault, false).await;
                    }
                }

                #[tokio::test]
                async fn a_limited_account_rests_as_told() {
                    rests_as_told(PAIR).await;
                }
            }
        )*

        #[test]
        fn every_pair_is_among_these() {
            assert_eq!([$((Spoken::$spoken, Upstream::$upstream)),*], PAIRS);
        }
    };
}

moves_on! {
    messages_on_claude: Messages on ClaudeApi,
    chat_on_openai: Chat on Openai,
    responses_on_openai: Responses on Openai,
    responses_on_chatgpt: Responses on ChatGpt,
    gemini_on_gemini: Gemini on Gemini,
    code_assist_on_code_assist: CodeAssist on CodeAssist,
    gemini_on_code_assist: Gemini on CodeAssist,
    code_assist_on_gemini: CodeAssist on Gemini,
    messages_on_responses: Messages on OpenaiResponses,
    chat_on_claude: Chat on ClaudeApi,
    responses_on_claude: Responses on ClaudeApi,
    chat_on_gemini: Chat on Gemini,
}
