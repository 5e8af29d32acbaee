//! What is recorded is what the provider served, in every combination of client and account.

use relay_core::usage::{Exactness, Outcome};
use relay_testkit::{Ending, FakeProvider};

use super::{ASKED, Spoken, Upstream, relay};

/// Asks once and compares the answer, the record and what the provider says it served.
async fn is_recorded_as_served(spoken: Spoken, upstream: Upstream, streamed: bool) {
    let what = format!("{spoken:?} on {upstream:?}, streamed: {streamed}");
    let provider = FakeProvider::start().await;
    let relay = relay(&provider, upstream, &["a"], &[]).await;
    let answer = spoken.ask(&relay.client, "[[say 你好, relay]] [[cached 7]]", streamed).await;
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!((answer.status, answer.ending), (200, Ending::Whole), "{what}: {body}");
    assert!(answer.text().contains("你好, relay"), "{what}: {body}");
    provider.until_idle().await;
    let served = provider.served().remove(0);
    assert!(served.delivered_whole, "{what}");
    let record = relay.only_record().await;
    assert_eq!(record.usage, served.usage, "{what}: recorded as served");
    assert_eq!(
        (record.outcome, record.exactness),
        (Outcome::Completed, Exactness::Exact),
        "{what}"
    );
    assert_eq!(record.model_asked, ASKED, "{what}");
    assert_eq!(served.model, upstream.model(), "{what}");
    let told = answer.usage();
    assert_eq!(told.tokens(), served.usage.tokens(), "{what}: told as served: {body}");
    assert_eq!(told.output, served.usage.output, "{what}: {body}");
    assert_eq!(told.cache_read, served.usage.cache_read, "{what}: {body}");
    relay.until_all_is_given_back().await;
}

macro_rules! usage_of {
    ($($name:ident: $upstream:ident,)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                for spoken in Spoken::ALL {
                    if spoken.is_served_by(Upstream::$upstream) {
                        is_recorded_as_served(spoken, Upstream::$upstream, false).await;
                        is_recorded_as_served(spoken, Upstream::$upstream, true).await;
                    }
                }
            }
        )*

        #[test]
        fn every_kind_of_account_is_among_these() {
            assert_eq!([$(Upstream::$upstream),*], Upstream::ALL);
        }
    };
}

usage_of! {
    on_claude_api: ClaudeApi,
    on_a_claude_subscription: ClaudeOauth,
    on_openai: Openai,
    on_openai_with_responses_alone: OpenaiResponses,
    on_a_host_with_chat_alone: OpenaiChat,
    on_a_chatgpt_subscription: ChatGpt,
    on_gemini: Gemini,
    on_code_assist: CodeAssist,
}
