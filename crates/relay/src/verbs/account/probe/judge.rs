//! What an answer says of the account.

use http::header::DATE;
use relay_core::account::AccountKind;
use relay_core::clock::Timestamp;
use relay_core::endpoint::Endpoint;
use relay_core::health::RestCause;
use relay_core::price::{Bill, PriceList};
use relay_core::protocol::{Protocol, Service};
use relay_core::secret::Secret;
use relay_upstream::fault::{
    Blame, ClientStanding, Refused, is_for_claude_code, judge as judge_refusal,
};
use relay_wire::anthropic::error;
use relay_wire::meter;
use serde_json::Value;

use super::ask::{Heard, Question};
use super::{AccountTest, TestUsage, Verdict, Way};

/// The most of what a provider says that is shown, in characters.
const SAID_CHARS_MAX: usize = 300;

/// Completes a test by the answer.
pub(super) fn judge(
    mut test: AccountTest,
    way: Way<'_>,
    heard: &Heard,
    question: &Question,
    secret: &Secret,
) -> AccountTest {
    test.status = Some(heard.status);
    test.clock_ahead_millis = clock_ahead_millis(heard, way.now);
    if (200..300).contains(&heard.status) {
        return accepted(test, heard, question, secret);
    }
    let said = error::parse(&heard.body).unwrap_or_default();
    let words = if said.message.is_empty() { &said.kind } else { &said.message };
    test.said = Some(shown(words, secret)).filter(|words| !words.is_empty());
    let is_oauth = way.account.kind == AccountKind::ClaudeOauth;
    // The relay asks under its own name: what a subscription refuses it for is not the account's.
    let client = if is_oauth { ClientStanding::Doubtful } else { ClientStanding::Accepted };
    let (status, message) = (heard.status, said.message.as_str());
    let refused = Refused {
        provider: way.account.kind.service(),
        status,
        message,
        body: &heard.body,
        headers: &heard.headers,
        client,
    };
    if is_oauth && is_for_claude_code(message) {
        return for_its_own_client(test);
    }
    match judge_refusal(&refused, way.now) {
        Blame::Account(fault) => {
            let (verdict, words) = by_cause(fault.evidence.cause, status);
            test.resets(fault.evidence.stated_reset.filter(|_| verdict == Verdict::Limited));
            AccountTest { verdict, fault: Some(words), ..test }
        }
        // The profile was told, so the sign-in is good; what is refused is the client.
        Blame::Caller if is_oauth && matches!(status, 403 | 429) && test.plan.is_some() => {
            for_its_own_client(test)
        }
        Blame::Caller => {
            let words = match status {
                404 => "the host knows no such address or model".to_owned(),
                _ => format!("the host answers {status}"),
            };
            AccountTest { verdict: Verdict::Unclear, fault: Some(words), ..test }
        }
    }
}

/// By how much the clock here is ahead of the provider's, at the head of its answer.
fn clock_ahead_millis(heard: &Heard, begun: Timestamp) -> Option<i64> {
    let date = heard.headers.get(DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp().as_millisecond();
    Some(begun.plus(heard.head_after).as_millis().saturating_sub(theirs))
}

/// What the answer used.
pub(super) fn usage(
    heard: &Heard,
    (service, endpoint, model): (Service, Endpoint, &str),
    prices: &PriceList,
    now: Timestamp,
) -> Option<TestUsage> {
    let metered = match &heard.streamed {
        Some(told) => told.metered.clone(),
        None => meter::unary(endpoint, &heard.body)?,
    };
    let bill = prices.price(&Bill {
        service,
        asked: model,
        served: &metered.model_served,
        usage: &metered.usage,
        service_tier: &metered.service_tier,
        speed: &metered.speed,
        at: now,
    });
    Some(TestUsage {
        input_tokens: metered.usage.context(),
        output_tokens: metered.usage.output,
        cost_usd: bill.cost.to_usd_f64(),
    })
}

fn accepted(
    mut test: AccountTest,
    heard: &Heard,
    question: &Question,
    secret: &Secret,
) -> AccountTest {
    test.verdict = Verdict::Works;
    let Some(endpoint) = question.endpoint() else { return test };
    test.answer = match &heard.streamed {
        Some(told) => told.text.clone(),
        None => answer_text(endpoint, &heard.body),
    };
    test.answer = test.answer.map(|text| shown(&text, secret));
    if let Some(error) = heard.streamed.as_ref().and_then(|told| told.error.as_ref()) {
        test.said = Some(shown(error, secret)).filter(|words| !words.is_empty());
        let words = "the provider has an error of its own".to_owned();
        return AccountTest { verdict: Verdict::Failing, fault: Some(words), ..test };
    }
    if test.answer.is_none() {
        test.verdict = Verdict::Unclear;
        test.fault = Some("the answer is no message: is this the address of an API?".to_owned());
    }
    test
}

/// The text of an answer in the protocol of `endpoint`; `None` if it is none.
fn answer_text(endpoint: Endpoint, body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let texts = |blocks: &Value| -> Option<String> {
        let blocks = blocks.as_array()?;
        Some(blocks.iter().filter_map(|block| block.get("text")?.as_str()).collect())
    };
    match endpoint.protocol() {
        Protocol::Messages => texts(answer.get("content")?),
        Protocol::Chat => {
            let message = answer.get("choices")?.get(0)?.get("message")?;
            Some(message.get("content").and_then(Value::as_str).unwrap_or_default().to_owned())
        }
        Protocol::Responses => {
            let items = answer.get("output")?.as_array()?.iter();
            Some(items.filter_map(|item| texts(item.get("content")?)).collect())
        }
        Protocol::Gemini => {
            let first = answer.get("candidates")?.get(0)?;
            Some(first.get("content").and_then(|it| texts(it.get("parts")?)).unwrap_or_default())
        }
    }
}

fn for_its_own_client(test: AccountTest) -> AccountTest {
    let words = "the sign-in is accepted; the provider serves its own client alone on it";
    AccountTest { verdict: Verdict::Works, fault: Some(words.to_owned()), ..test }
}

fn by_cause(cause: RestCause, status: u16) -> (Verdict, String) {
    let (verdict, words) = match (cause, status) {
        (RestCause::RateLimited | RestCause::WindowMark | RestCause::DailyCost, _) => {
            (Verdict::Limited, "the account is at its limit")
        }
        (RestCause::Unauthorised, _) => {
            (Verdict::Refused, "the provider does not accept the secret")
        }
        (RestCause::Condemned, 402) => (Verdict::Refused, "the provider wants to be paid"),
        (RestCause::Condemned, _) => (Verdict::Refused, "the provider does not permit the account"),
        (RestCause::Overloaded, _) => (Verdict::Failing, "the provider is overloaded"),
        (RestCause::Failing, 300..400) => {
            (Verdict::Failing, "the account's address redirects to another")
        }
        (RestCause::Failing | RestCause::Unreachable | RestCause::TokenNotRefreshed, _) => {
            (Verdict::Failing, "the provider has an error of its own")
        }
    };
    (verdict, words.to_owned())
}

/// A stranger's text, fit to be shown: without the secret, on one line, bounded.
fn shown(text: &str, secret: &Secret) -> String {
    let text = text.replace(secret.expose(), "…");
    let line: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(SAID_CHARS_MAX)
        .collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_one_line_without_the_secret() {
        let secret = Secret::new("hidden");
        assert_eq!(shown(" a\nb\u{1b}[2J hidden ", &secret), "a b [2J …");
        assert_eq!(shown(&"x".repeat(999), &secret).len(), SAID_CHARS_MAX);
    }

    #[test]
    fn an_answer_is_the_text_of_its_blocks() {
        let body = br#"{"content":[{"type":"thinking"},{"type":"text","text":"ok"}]}"#;
        assert_eq!(answer_text(Endpoint::Messages, body).as_deref(), Some("ok"));
        let chat = br#"{"choices":[{"message":{"role":"assistant","content":"ok"}}]}"#;
        assert_eq!(answer_text(Endpoint::Chat, chat).as_deref(), Some("ok"));
        let responses = br#"{"output":[{"type":"reasoning"},{"content":[{"text":"ok"}]}]}"#;
        assert_eq!(answer_text(Endpoint::Responses, responses).as_deref(), Some("ok"));
        let gemini = br#"{"candidates":[{"content":{"parts":[{"text":"o"},{"text":"k"}]}}]}"#;
        assert_eq!(answer_text(Endpoint::Generate, gemini).as_deref(), Some("ok"));
        assert_eq!(answer_text(Endpoint::Messages, b"<html>"), None);
        assert_eq!(answer_text(Endpoint::Messages, br#"{"data":[]}"#), None);
    }
}
