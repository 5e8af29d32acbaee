//! Accepts connections and serves requests on them.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::app::App;
use crate::service;
use crate::shutdown::Stage;

/// How long a client may take to send the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4_096;
/// How long accepting rests after an error such as too many open files.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// How long the answers of calls that are ended may take to leave.
const LAST_BYTES_WITHIN: Duration = Duration::from_secs(2);
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

/// Serves until the shutdown begins, then waits for open connections. Once calls are being ended,
/// their answers get a moment to leave; then what is still open is dropped, and settles itself.
pub async fn run(app: Arc<App>, listener: TcpListener) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut draining = Box::pin(app.shutdown.reached(Stage::Draining));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut draining => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(serve(Arc::clone(&app), stream, peer.ip(), graceful.watcher()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
    drop(listener);
    let last_bytes = async {
        app.shutdown.reached(Stage::Ending).await;
        tokio::time::sleep(LAST_BYTES_WITHIN).await;
    };
    tokio::select! {
        () = graceful.shutdown() => {}
        () = last_bytes => {}
    }
    connections.shutdown().await;
}

/// Serves the requests of one connection.
async fn serve(app: Arc<App>, stream: TcpStream, peer: IpAddr, graceful: Watcher) {
    // Without it, small events wait for the acknowledgement of those before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it was served");
        return;
    }
    let handler = service_fn(move |request: Request<Incoming>| {
        let app = Arc::clone(&app);
        async move { Ok::<_, Infallible>(service::answer(app, request, peer).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    builder.http2().timer(TokioTimer::new());
    let connection = builder.serve_connection(TokioIo::new(stream), handler).into_owned();
    if let Err(error) = graceful.watch(connection).await {
        tracing::debug!(%error, "a connection ended");
    }
}
