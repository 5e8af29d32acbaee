//! Where the calls are meant to go: an HTTP server that counts who comes.

use rustls::HandshakeKind;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{Seen, certificate, read_head};

const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const LAST: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
const BEGUN: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";

/// Answers `/last` and closes, begins to answer `/stream` and never ends, says hello to the rest.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) port: u16,
    scheme: &'static str,
    tls: Option<TlsAcceptor>,
    /// The heads of the requests.
    pub(crate) heads: Seen<String>,
    /// The connections that came, by the address they came from.
    pub(crate) connections: Seen<u16>,
    /// Whether TLS began anew on each of them.
    pub(crate) handshakes: Seen<HandshakeKind>,
}

impl Target {
    pub(crate) async fn plain() -> Self {
        Self::start("http", None).await
    }

    pub(crate) async fn secure() -> Self {
        Self::start("https", Some(certificate::acceptor())).await
    }

    /// An address on it, by number.
    pub(crate) fn url(&self, path: &str) -> String {
        self.named("127.0.0.1", path)
    }

    /// An address on it, by name.
    pub(crate) fn named(&self, host: &str, path: &str) -> String {
        format!("{}://{host}:{}{path}", self.scheme, self.port)
    }

    async fn start(scheme: &'static str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = Self {
            port,
            scheme,
            tls,
            heads: Seen::default(),
            connections: Seen::default(),
            handshakes: Seen::default(),
        };
        tokio::spawn(target.clone().accept(listener));
        // `localhost` may mean either family to a proxy.
        if let Ok(listener) = TcpListener::bind(("::1", port)).await {
            tokio::spawn(target.clone().accept(listener));
        }
        target
    }

    async fn accept(self, listener: TcpListener) {
        while let Ok((stream, from)) = listener.accept().await {
            self.connections.note(from.port());
            tokio::spawn(self.clone().secure_and_serve(stream));
        }
    }

    async fn secure_and_serve(self, stream: TcpStream) {
        let Some(tls) = &self.tls else { return self.serve(stream).await };
        if let Ok(stream) = tls.accept(stream).await {
            self.handshakes.note(stream.get_ref().1.handshake_kind().unwrap());
            self.serve(stream).await;
        }
    }

    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        while let Some(head) = read_head(&mut stream).await {
            let first = head.lines().next().unwrap_or_default().to_owned();
            self.heads.note(head);
            let (answer, goes_on) = if first.contains("/stream") {
                (BEGUN, true)
            } else if first.contains("/last") {
                (LAST, false)
            } else {
                (WHOLE, true)
            };
            if stream.write_all(answer).await.is_err() || stream.flush().await.is_err() {
                return;
            }
            if !goes_on {
                let _ = stream.shutdown().await;
                return;
            }
        }
    }
}
