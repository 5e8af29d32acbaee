//! Responses over a WebSocket, as Codex asks first: each message is a call like any other, with the
//! key's rules and limits as they are then; what refuses it is told on the open socket.
//!
//! Upstreams are asked by SSE, whatever their clients speak.

mod turns;

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use http::header::{
    CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, UPGRADE,
};
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use relay_core::id::KeyId;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use self::turns::Conversation;
use super::Arrival;
use crate::app::App;
use crate::failure::CallerFault;
use crate::keyring::Holder;
use crate::route::Asked;

/// How many sockets a key may have open. Codex opens one for each of its sessions and agents.
const SOCKETS_PER_KEY_MAX: u32 = 64;

/// By this header Codex says that it speaks over a socket: upstream it does not.
const OPENAI_BETA: HeaderName = HeaderName::from_static("openai-beta");

/// How many sockets each key has open.
#[derive(Debug, Clone, Default)]
pub struct Sockets(Arc<Mutex<HashMap<KeyId, u32>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
struct Mark {
    sockets: Sockets,
    key: KeyId,
}

impl Sockets {
    fn open(&self, key: KeyId) -> Result<Mark, CallerFault> {
        let mut open = self.0.lock();
        let count = open.entry(key).or_default();
        if *count >= SOCKETS_PER_KEY_MAX {
            return Err(CallerFault::TooManySockets { limit: SOCKETS_PER_KEY_MAX });
        }
        *count += 1;
        Ok(Mark { sockets: self.clone(), key })
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let mut open = self.sockets.0.lock();
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

/// Answers a request that wants to become a socket, and serves it from then on.
pub(super) fn open(
    app: &Arc<App>,
    asked: &Asked,
    (head, upgrade): (&Parts, OnUpgrade),
    arrival: &Arrival,
    holder: &Holder,
) -> Result<Response<Body>, CallerFault> {
    let malformed = || CallerFault::Malformed("the request for a WebSocket has no key".to_owned());
    let key = head.headers.get(SEC_WEBSOCKET_KEY).ok_or_else(malformed)?;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()));
    let accept = accept.map_err(|_| malformed())?;
    let mark = app.sockets.open(holder.key.id)?;
    let conversation = Conversation {
        app: Arc::clone(app),
        asked: asked.clone(),
        head: head_of_turns(head),
        key: holder.key.id,
        address: arrival.address,
        client: arrival.client.clone(),
    };
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let config = config(conversation.app.settings.calls.body_bytes_max);
                let io = TokioIo::new(upgraded);
                let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config));
                conversation.run(socket.await).await;
            }
            Err(error) => tracing::debug!(%error, "a connection did not become a socket"),
        }
        drop(mark);
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// A message is at most as large as a body.
fn config(body_bytes_max: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(body_bytes_max))
        .max_frame_size(Some(body_bytes_max))
}

/// The head that the turns of a socket have in common, as if each came by POST.
fn head_of_turns(head: &Parts) -> Parts {
    let mut parts = http::Request::new(()).into_parts().0;
    parts.uri = head.uri.clone();
    parts.method = http::Method::POST;
    let is_the_sockets = |name: &HeaderName| {
        *name == CONNECTION
            || *name == UPGRADE
            || *name == OPENAI_BETA
            || name.as_str().starts_with("sec-websocket-")
    };
    let passing = head.headers.iter().filter(|(name, _)| !is_the_sockets(name));
    parts.headers =
        passing.map(|(name, value)| (name.clone(), value.clone())).collect::<HeaderMap>();
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_so_many_sockets_and_gets_them_back() {
        let sockets = Sockets::default();
        let open: Vec<Mark> =
            (0..SOCKETS_PER_KEY_MAX).map(|_| sockets.open(KeyId(1)).expect("room")).collect();
        let refused = sockets.open(KeyId(1)).expect_err("no room");
        assert_eq!(refused, CallerFault::TooManySockets { limit: SOCKETS_PER_KEY_MAX });
        assert!(sockets.open(KeyId(2)).is_ok(), "another key has its own");
        drop(open);
        assert!(sockets.0.lock().is_empty());
        assert!(sockets.open(KeyId(1)).is_ok());
    }
}
