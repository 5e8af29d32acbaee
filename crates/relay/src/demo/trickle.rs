//! Sample people who call while the demo runs, one about every second, through the relay's own
//! address and with their own keys.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::people;
use super::random::Dice;
use super::sample::{Holder, Sample};
use crate::shutdown::{Shutdown, Stage};

/// Calls that are open at one time.
const OPEN_MAX: usize = 4;
/// Calls in all, some hours of them: a demo that was forgotten comes to rest.
const CALLS_MAX: u32 = 20_000;
/// The pause between two, in milliseconds.
const PAUSE_MILLIS: (u64, u64) = (500, 1_500);

type Caller = Client<HttpConnector, Full<Bytes>>;

/// Calls until the relay stops.
pub(super) async fn run(shutdown: Shutdown, address: SocketAddr, sample: Sample) {
    // The key that shows how calls fail over is left to the person who tries that out.
    let is_caller = |holder: &Holder| {
        ![people::MAIN, people::FAILING_OVER, people::DISABLED].contains(&holder.person.key)
    };
    let holders: Vec<Holder> = sample.holders.into_iter().filter(is_caller).collect();
    if holders.is_empty() {
        return;
    }
    let client: Caller = Client::builder(TokioExecutor::new()).build_http();
    let (mut dice, mut open) = (Dice::of_the_machine(), JoinSet::new());
    let mut stopping = Box::pin(shutdown.reached(Stage::Draining));
    for _ in 0..CALLS_MAX {
        let pause = Duration::from_millis(dice.between(PAUSE_MILLIS.0, PAUSE_MILLIS.1));
        tokio::select! {
            () = &mut stopping => return,
            () = tokio::time::sleep(pause) => {}
        }
        while open.try_join_next().is_some() {}
        if open.len() < OPEN_MAX {
            let call = request(address, dice.pick(&holders), dice.clone());
            open.spawn(ask(client.clone(), call));
        }
    }
}

/// Makes a call and reads its answer to the end.
async fn ask(client: Caller, call: Option<Request<Full<Bytes>>>) {
    let Some(call) = call else { return };
    match client.request(call).await {
        Ok(answer) => {
            let mut body = answer.into_body();
            while let Some(Ok(_)) = body.frame().await {}
        }
        Err(error) => tracing::debug!(%error, "a sample call was not answered"),
    }
}

fn request(address: SocketAddr, holder: &Holder, mut dice: Dice) -> Option<Request<Full<Bytes>>> {
    let person = holder.person;
    let model: &&str = dice.pick(person.models);
    let body = body(model, person.streams(), dice.next());
    Request::post(format!("http://{address}/api/v1/messages"))
        .header("x-api-key", holder.secret.expose())
        .header("anthropic-version", "2023-06-01")
        .header(USER_AGENT, person.agent)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(body.to_string()))
        .ok()
}

/// A turn of some conversation, with a prompt that is cached.
fn body(model: &str, stream: bool, number: u64) -> Value {
    let prompt = "You are a sample assistant in a demo. 你是演示里的示例助手。".repeat(60);
    let cached = json!({"type": "ephemeral"});
    let question =
        if number.is_multiple_of(2) { "How does this work?" } else { "这是怎么做到的？" };
    let mut messages = Vec::new();
    for _ in 0..number % 4 {
        messages.push(json!({"role": "user", "content": "And then?"}));
        messages.push(json!({"role": "assistant", "content": "Then the next thing. ".repeat(20)}));
    }
    messages.push(json!({"role": "user", "content": question}));
    json!({
        "model": model,
        "max_tokens": 1_024,
        "stream": stream,
        "system": [{"type": "text", "text": prompt, "cache_control": cached}],
        "messages": messages,
    })
}
