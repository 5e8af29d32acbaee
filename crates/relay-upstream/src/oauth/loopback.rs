//! A server for one request, on a free port of the loopback interface.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::client::{Client, tls_config};

pub(super) struct Server {
    pub(super) address: String,
    asked: mpsc::Receiver<Request<Bytes>>,
}

impl Server {
    /// The request that came.
    pub(super) async fn asked(mut self) -> Request<Bytes> {
        self.asked.recv().await.expect("a request")
    }
}

pub(super) fn client() -> Client {
    Client::direct(&tls_config())
}

/// Answers the first request so.
pub(super) async fn serve(
    status: StatusCode,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Server {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    let answer = answer.body(Full::new(body.into())).expect("an answer");
    let (note, asked) = mpsc::channel(1);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let (note, answer) = (note.clone(), answer.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let _ = note.send(Request::from_parts(head, body)).await;
                Ok::<_, hyper::Error>(answer)
            }
        });
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    });
    Server { address, asked }
}

/// Takes a connection and drops it as soon as something came.
pub(super) async fn hang_up() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.readable().await.expect("a request");
    });
    address
}
