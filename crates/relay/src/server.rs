//! Accepts connections and serves requests on them.

mod lanes;

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::Watcher;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

pub use self::lanes::Lanes;
use crate::app::App;
use crate::service;
use crate::shutdown::Stage;

/// How long a client may take to send the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4_096;
/// How long accepting rests after an error such as too many open files.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// How long a silent client is kept before the system asks whether it is still there.
const CLIENT_KEEPALIVE: Duration = Duration::from_mins(1);

/// Listens at an address.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    let keepalive = socket2::TcpKeepalive::new().with_time(CLIENT_KEEPALIVE);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Serves until calls are being ended: who comes while open ones drain is told so, which a closed
/// port would not. Then answers get a moment to leave; what is still open after it is dropped, and
/// settles itself.
pub async fn run(app: Arc<App>, listener: TcpListener, lanes: &mut Lanes) {
    let mut ending = Box::pin(app.shutdown.reached(Stage::Ending));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut ending => break,
        };
        let taken = accepted.and_then(|(stream, peer)| lanes.take(stream.into_std()?, peer.ip()));
        if let Err(error) = taken {
            tracing::warn!(%error, "a connection was not accepted");
            tokio::time::sleep(ACCEPT_REST).await;
        }
    }
    drop(listener);
    lanes.end().await;
}

/// Serves the requests of one connection.
async fn serve(app: Arc<App>, stream: TcpStream, peer: IpAddr, graceful: Watcher) {
    // Without it, small events wait for the acknowledgement of those before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it was served");
        return;
    }
    let asked = AtomicBool::new(false);
    let handler = service_fn(|request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let app = Arc::clone(&app);
        // Boxed where it begins: the future of a call is large, and would be moved several times.
        let answer = Box::pin(service::answer(app, request, peer));
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    builder.http2().timer(TokioTimer::new());
    let connection =
        builder.serve_connection_with_upgrades(TokioIo::new(stream), handler).into_owned();
    let mut connection = pin!(graceful.watch(connection));
    // The reader of heads has its own limit, but begins only when it is known which HTTP is spoken.
    let first_request = poll_fn(|cx| match connection.as_mut().poll(cx) {
        Poll::Pending if asked.load(Ordering::Relaxed) => Poll::Ready(None),
        ended => ended.map(Some),
    });
    let ended = match timeout(HEAD_WITHIN, first_request).await {
        Ok(Some(ended)) => ended,
        Ok(None) => connection.await,
        Err(_) => return tracing::debug!("a connection asked for nothing"),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
