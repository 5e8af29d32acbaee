//! A client of WebSockets, for Responses as Codex speaks it over them.

use std::io;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::{Client, Ending, Headers, Received, within};

/// The events after which a turn has no more.
const TURN_ENDS: [&str; 4] =
    ["response.completed", "response.incomplete", "response.failed", "error"];

/// An open WebSocket; dropping it closes the connection without a word.
#[derive(Debug)]
pub struct WebSocket {
    stream: WebSocketStream<TcpStream>,
    pings: usize,
    pongs: usize,
}

/// What came over a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A message of text.
    Text(String),
    /// A message of bytes.
    Binary(Bytes),
    /// A close frame, with its code and reason; 1005 stands for none.
    Close(u16, String),
    /// The end of the connection without a close frame.
    Gone,
}

impl Client {
    /// Opens a WebSocket, of frames and messages of any size.
    ///
    /// # Errors
    /// The answer of a server that does not open it, with as much of its body as came with the
    /// head: ask with [`Client::request`] to read a whole one.
    pub async fn websocket(
        &self,
        path: &str,
        headers: Headers<'_>,
    ) -> Result<WebSocket, Box<Received>> {
        let url = format!("ws://{}{}{path}", self.address, self.prefix);
        let mut request = url.into_client_request().expect("the address is one");
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            let name: HeaderName = name.parse().expect("the test's header has a name");
            let value: HeaderValue = value.parse().expect("the test's header has a value");
            request.headers_mut().insert(name, value);
        }
        let socket = TcpStream::connect(&self.address).await.expect("the server listens");
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let opening = client_async_with_config(request, socket, Some(config));
        match within(async { Ok(opening.await) }).await.expect("an answer in time") {
            Ok((stream, _)) => Ok(WebSocket { stream, pings: 0, pongs: 0 }),
            Err(Error::Http(response)) => {
                let (head, body) = response.into_parts();
                Err(Box::new(Received {
                    status: head.status.as_u16(),
                    headers: head.headers,
                    body: body.unwrap_or_default().into(),
                    ending: Ending::Cut,
                }))
            }
            Err(error) => panic!("no answer to the opening of {path}: {error}"),
        }
    }
}

impl WebSocket {
    /// Sends a message of text.
    pub async fn send(&mut self, text: impl Into<String>) -> io::Result<()> {
        self.send_message(Message::text(text.into())).await
    }

    /// Sends a message of bytes.
    pub async fn send_binary(&mut self, bytes: impl Into<Bytes>) -> io::Result<()> {
        self.send_message(Message::binary(bytes.into())).await
    }

    /// The next message or the end. Pings are answered meanwhile.
    ///
    /// # Panics
    /// If nothing comes for a minute, or what is no WebSocket's.
    pub async fn next(&mut self) -> Heard {
        loop {
            let next = within(async { Ok(self.stream.next().await) }).await;
            match next.expect("a message in time") {
                Some(Ok(Message::Text(text))) => return Heard::Text(text.as_str().to_owned()),
                Some(Ok(Message::Binary(bytes))) => return Heard::Binary(bytes),
                Some(Ok(Message::Close(frame))) => return closed(frame),
                Some(Ok(Message::Ping(_))) => {
                    self.pings += 1;
                    // Failing means that the end is what comes next.
                    let _ = self.stream.flush().await;
                }
                Some(Ok(Message::Pong(_))) => self.pongs += 1,
                Some(Ok(Message::Frame(_))) => {}
                Some(Err(Error::Capacity(error))) => panic!("too large: {error}"),
                Some(Err(_)) | None => return Heard::Gone,
            }
        }
    }

    /// The next message, which is to be JSON.
    ///
    /// # Panics
    /// If something else comes.
    pub async fn next_json(&mut self) -> Value {
        match self.next().await {
            Heard::Text(text) => serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("no JSON ({error}): {text}")),
            other => panic!("no message, but {other:?}"),
        }
    }

    /// Sends a `response.create` or the like, and reads its events up to the one that ends it.
    pub async fn turn(&mut self, create: &Value) -> Vec<Value> {
        self.send(create.to_string()).await.expect("the socket is open");
        self.rest_of_turn().await
    }

    /// Reads events up to the one that ends a turn.
    pub async fn rest_of_turn(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.next_json().await;
            let ends = event["type"].as_str().is_some_and(|kind| TURN_ENDS.contains(&kind));
            events.push(event);
            if ends {
                return events;
            }
        }
    }

    /// Sends a ping. Its pong is counted while messages are read.
    pub async fn ping(&mut self) -> io::Result<()> {
        self.send_message(Message::Ping(Bytes::from_static(b"ping"))).await
    }

    /// Pings that came, as far as messages were read.
    pub fn pings(&self) -> usize {
        self.pings
    }

    /// Pongs that came, as far as messages were read.
    pub fn pongs(&self) -> usize {
        self.pongs
    }

    /// Closes in good order, and returns what the server said last.
    pub async fn close(mut self) -> Heard {
        if self.stream.close(None).await.is_err() {
            return Heard::Gone;
        }
        loop {
            match self.next().await {
                Heard::Text(_) | Heard::Binary(_) => {}
                ended => return ended,
            }
        }
    }

    /// Closes the connection without a word.
    pub fn leave(self) {}

    /// Resets the connection.
    pub fn reset(self) -> io::Result<()> {
        self.stream.get_ref().set_zero_linger()
    }

    async fn send_message(&mut self, message: Message) -> io::Result<()> {
        let sending = self.stream.send(message);
        within(async { sending.await.map_err(io::Error::other) }).await
    }
}

fn closed(frame: Option<CloseFrame>) -> Heard {
    match frame {
        Some(frame) => Heard::Close(frame.code.into(), frame.reason.as_str().to_owned()),
        None => Heard::Close(1005, String::new()),
    }
}
