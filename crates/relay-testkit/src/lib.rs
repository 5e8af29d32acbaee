//! The test kit: a fake provider with scripted faults and a sign-in, fake proxies, the real binary
//! in a process of its own, and a client that controls every byte.
//!
//! Everything here fails its test by panicking when the machinery does not work, and waits for
//! signals, with a bound, instead of sleeping. Nothing of it is written with the relay's own
//! readers and writers, so that it can judge them.
//!
//! ```no_run
//! # async fn example() {
//! use relay_testkit::{Answer, Client, FakeProvider, RelayProcess, messages_body};
//!
//! let provider = FakeProvider::start().await;
//! let relay = RelayProcess::builder("/path/to/crs").start().await;
//! relay.add_account("a", &provider.base_url(), &[]).await;
//! relay.add_account("b", &provider.base_url(), &[]).await;
//! let client = Client::new(relay.base_url()).anthropic(&relay.add_key("tests").await);
//!
//! provider.answers_key("upstream-a", Answer::status(529));
//! let body = messages_body("claude-sonnet-4-6", "[[say hello]]").stream(true);
//! let received = client.post("/api/v1/messages", &[], body).await;
//! provider.until_idle().await;
//! assert_eq!(received.text(), "hello");
//! assert_eq!(received.usage(), provider.served().last().unwrap().usage);
//! # }
//! ```

#![expect(clippy::missing_panics_doc, reason = "a test kit fails its test by panicking")]

mod answer;
mod anthropic;
mod base64;
mod bodies;
mod client;
mod closed_port;
mod directive;
mod fast;
mod format;
mod google;
mod http1;
mod message;
mod oauth_others;
mod openai;
mod plan;
mod process;
mod provider;
mod proxy;
mod schema;
mod sse;

pub use answer::{Answer, Chunking, Fault, Framing, Garble, LineEnd, Moment};
pub use bodies::{CallBody, chat_body, code_assist_body, gemini_body, responses_body};
pub use client::{Client, Ending, Headers, Heard, Incoming, RawSocket, Received, WebSocket};
pub use closed_port::ClosedPort;
pub use fast::FastProvider;
pub use message::{MessagesBody, messages_body};
pub use oauth_others::unsigned_jwt;
pub use process::{Builder, Interactive, Output, RelayProcess, StartFailure};
pub use provider::{
    FakeProvider, IssuedTokens, Realm, RefreshGate, RefreshOutcome, RefreshSeen, SeenRequest,
    Served,
};
pub use proxy::FakeProxy;
pub use sse::{SseEvent, answer_text, parse_sse, stated_reasoning, stated_usage};
