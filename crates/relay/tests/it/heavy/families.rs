//! One account of a family always fails and one is good: no client of sixteen notices, whichever
//! protocol it speaks, and the failing one is soon left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use relay_core::clock::{Clock, SystemClock, Timestamp};
use relay_testkit::{Answer, Client, Ending, FakeProvider, Fault, Moment, Received};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::families::{ASKED, Spoken, Upstream, asked, is_of, relay};

/// Clients that call at the same time.
const CLIENTS: usize = 16;
const CALLS: usize = 100;
/// How often the failing account may be asked after the first second.
const LATE_MAX: usize = 10;
/// How much faster than the machine's the relay's clock runs here.
const SPEED: u32 = 8;

/// What calls ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mix {
    /// Streams and whole answers by turns.
    Both,
    /// Streams alone.
    Streams,
    /// Turns of a socket that each client keeps open.
    Turns,
}

/// What an account always answers, by name, and the calls that meet it.
fn faults(upstream: Upstream) -> Vec<(&'static str, Answer, Mix)> {
    let broken = |fault, at| Answer::well().breaks(fault, at);
    // What Google sends first is content.
    let preamble = usize::from(!matches!(upstream, Upstream::Gemini | Upstream::CodeAssist));
    let after = Moment::Events(preamble);
    vec![
        ("limit", Answer::refused(429), Mix::Both),
        ("limit for a minute", Answer::limited_for(60), Mix::Both),
        ("401", Answer::refused(401), Mix::Both),
        ("403", Answer::refused(403), Mix::Both),
        ("500", Answer::refused(500), Mix::Both),
        ("overload", Answer::overloaded(), Mix::Both),
        ("reset", broken(Fault::Reset, Moment::Head), Mix::Both),
        ("cut", broken(Fault::Cut, Moment::Head), Mix::Both),
        ("hang", broken(Fault::Hang, Moment::Head), Mix::Streams),
        ("cut after its start", broken(Fault::Cut, after), Mix::Streams),
        ("error event", Answer::well().usual_error_event(after, 529), Mix::Streams),
    ]
}

/// Makes `CALLS` calls, sixteen at a time, and tells what was wrong with their answers.
async fn complaints(client: &Client, spoken: Spoken, mix: Mix) -> Vec<String> {
    let begun = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, begun) = (client.clone(), Arc::clone(&begun));
        clients.spawn(async move {
            let mut wrong = Vec::new();
            let mut socket = match mix {
                Mix::Turns => client.websocket("/openai/responses", &[]).await.ok(),
                Mix::Both | Mix::Streams => None,
            };
            loop {
                let number = begun.fetch_add(1, Ordering::Relaxed);
                if number >= CALLS {
                    return wrong;
                }
                let text = format!("第 {number} 号");
                if let Some(socket) = &mut socket {
                    let events = socket.turn(&create(&format!("[[say {text}]]"))).await;
                    wrong.extend(complaint_of_turn(&events, &text));
                    continue;
                }
                let streamed = mix != Mix::Both || number % 2 == 0;
                let answer = spoken.ask(&client, &format!("[[say {text}]]"), streamed).await;
                wrong.extend(complaint(spoken, &answer, &text, streamed));
            }
        });
    }
    clients.join_all().await.concat()
}

fn complaint(spoken: Spoken, answer: &Received, text: &str, streamed: bool) -> Option<String> {
    let ends_well = !streamed || spoken.endings(answer) == (1, true);
    let whole = answer.status == 200 && answer.ending == Ending::Whole && ends_well;
    let good = whole && answer.text() == text;
    (!good).then(|| format!("{text}: {} {:?}", answer.status, answer.body))
}

fn create(text: &str) -> Value {
    let content = json!([{"type": "input_text", "text": text}]);
    let input = json!([{"type": "message", "role": "user", "content": content}]);
    json!({"type": "response.create", "model": ASKED, "input": input})
}

fn complaint_of_turn(events: &[Value], text: &str) -> Option<String> {
    let deltas = events.iter().filter(|it| it["type"] == "response.output_text.delta");
    let said: String = deltas.filter_map(|it| it["delta"].as_str()).collect();
    let ended = events.last().is_some_and(|it| it["type"] == "response.completed");
    (said != text || !ended).then(|| format!("{text}: {events:?}"))
}

/// How often `a` was asked after the first second of the relay's clock.
fn asked_late(provider: &FakeProvider, begun: Timestamp) -> usize {
    let late = |at: Timestamp| at.since(begun) * SPEED > Duration::from_secs(1);
    provider.requests().iter().filter(|it| is_of(it, "a") && late(it.at)).count()
}

/// `a` fails so always and `b` is good: nobody notices.
async fn nobody_notices(
    (spoken, upstream): (Spoken, Upstream),
    (fault, answer, mix): (&str, Answer, Mix),
) {
    let what = format!("{spoken:?} on {upstream:?}, {mix:?}: {fault}");
    let provider = FakeProvider::start().await;
    // A busy machine must not make the good account late.
    let first_byte = if fault == "hang" { "1" } else { "60" };
    let relay =
        relay(&provider, upstream, &["a", "b"], &[("FIRST_BYTE_TIMEOUT", first_byte)]).await;
    let well = Answer::well().delay(Duration::from_millis(40));
    provider.answers_when(|seen| is_of(seen, "b"), well);
    provider.answers_when(|seen| is_of(seen, "a"), answer);

    // The first second is as long as it takes until every client has met `a`.
    let first_second = async {
        provider.until_requests(2 * CLIENTS).await;
        (SystemClock.now(), relay.clock_runs(SPEED))
    };
    let running = complaints(&relay.client, spoken, mix);
    let (wrong, (begun, clock)) = tokio::join!(running, first_second);
    drop(clock);
    assert_eq!(wrong, Vec::<String>::new(), "{what}");
    let of_a = asked(&provider).iter().filter(|name| *name == "a").count();
    let late = asked_late(&provider, begun);
    assert!(of_a > 0 && late <= LATE_MAX, "{what}: {of_a} asked, {late} late");
    let enabled = |name| {
        relay.app.roster.snapshot().iter().any(|it| it.account.name == name && it.account.enabled)
    };
    assert!(enabled("a") && enabled("b"), "{what}");
    assert!(!relay.rests("b").await, "{what}");
    assert_eq!(relay.records().len(), CALLS, "{what}");
    relay.until_all_is_given_back().await;
}

macro_rules! nobody_notices {
    ($($name:ident: $spoken:ident on $upstream:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                for fault in faults(Upstream::$upstream) {
                    nobody_notices((Spoken::$spoken, Upstream::$upstream), fault).await;
                }
            }
        )*
    };
}

nobody_notices! {
    chat_on_openai: Chat on Openai,
    responses_on_openai: Responses on Openai,
    responses_on_chatgpt: Responses on ChatGpt,
    gemini_on_gemini: Gemini on Gemini,
    code_assist_on_code_assist: CodeAssist on CodeAssist,
    messages_on_responses: Messages on OpenaiResponses,
    chat_on_claude: Chat on ClaudeApi,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_of_sockets() {
    for upstream in [Upstream::Openai, Upstream::ClaudeApi] {
        for (fault, answer, _) in faults(upstream) {
            if ["limit for a minute", "overload", "cut after its start"].contains(&fault) {
                nobody_notices((Spoken::Responses, upstream), (fault, answer, Mix::Turns)).await;
            }
        }
    }
}
