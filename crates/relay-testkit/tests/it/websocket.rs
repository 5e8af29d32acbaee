//! The client of WebSockets, against a server of the same library.

use futures_util::{SinkExt, StreamExt};
use relay_testkit::{Client, FakeProvider, Heard};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn turns_pings_and_the_end_are_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut stream = tokio_tungstenite::accept_async(socket).await.unwrap();
        let asked = stream.next().await.unwrap().unwrap();
        stream.send(Message::Ping(bytes::Bytes::from_static(b"p"))).await.unwrap();
        for kind in ["response.created", "response.completed"] {
            let event = json!({"type": kind, "asked": asked.to_text().unwrap()});
            stream.send(Message::text(event.to_string())).await.unwrap();
        }
        let answered = stream.next().await.unwrap().unwrap();
        assert!(answered.is_pong());
        let closed = stream.next().await.unwrap().unwrap();
        assert!(closed.is_close());
        while stream.next().await.is_some() {}
    });
    let mut socket = Client::new(&url).openai("k").websocket("/responses", &[]).await.unwrap();
    let events = socket.turn(&json!({"type": "response.create", "say": "你好"})).await;
    assert_eq!(events.len(), 2);
    assert!(events[1]["asked"].as_str().unwrap().contains("你好"));
    assert_eq!(socket.pings(), 1);
    assert_eq!(socket.close().await, Heard::Close(1005, String::new()));
    server.await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_open_it_is_heard() {
    let provider = FakeProvider::start().await;
    let client = Client::new(&provider.base_url()).openai("k");
    let refused = client.websocket("/v1/responses", &[]).await.unwrap_err();
    assert_eq!(refused.status, 404);
}
