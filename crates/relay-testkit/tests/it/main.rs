//! The test kit against itself, over real sockets and processes.

mod answers;
mod fast;
mod faults;
mod google;
mod log;
mod oauth;
mod openai;
mod process;
mod proxies;
mod shapes;
mod websocket;

use relay_testkit::{Client, FakeProvider, MessagesBody, Received, messages_body};

/// A credential that nobody would mistake for a real one.
const KEY: &str = "upstream-key";

/// A client of this provider.
fn client(provider: &FakeProvider) -> Client {
    Client::new(&provider.base_url()).anthropic(KEY)
}

/// A streamed request with this text.
fn streamed(text: &str) -> MessagesBody {
    messages_body("claude-sonnet-4-6", text).stream(true)
}

/// A whole call of the provider.
async fn call(provider: &FakeProvider, body: MessagesBody) -> Received {
    let received = client(provider).post("/v1/messages", &[], body).await;
    provider.until_idle().await;
    received
}
