//! A proxy on a loopback port, HTTP or SOCKS 5, that tells what was asked of it. It reaches
//! nothing but loopback addresses, whatever names it is given.

mod http;
mod log;
mod names;
mod socks;
mod tunnel;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use log::{Counts, Log};
use names::Names;

/// How long a wait for an event goes on before it fails the test.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A running proxy; dropping it closes its port and every connection.
#[derive(Debug)]
pub struct FakeProxy {
    port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

/// What all connections of a proxy share.
#[derive(Debug)]
struct State {
    kind: Kind,
    login: Mutex<Option<Login>>,
    names: Names,
    manner: Mutex<Manner>,
    log: Log,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Http,
    Socks5,
}

/// How it treats who comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Serves,
    /// With this status, where there are statuses.
    Refuses(u16),
    Stalls,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Login {
    user: String,
    password: String,
}

impl FakeProxy {
    /// An HTTP proxy on a free port: `CONNECT`, and requests for absolute addresses.
    pub async fn http() -> Self {
        Self::http_on(0).await.expect("a free loopback port")
    }

    /// A SOCKS 5 proxy on a free port: IPv4, IPv6 and names.
    pub async fn socks5() -> Self {
        Self::socks5_on(0).await.expect("a free loopback port")
    }

    /// An HTTP proxy on this port, such as the one that another left.
    pub async fn http_on(port: u16) -> io::Result<Self> {
        Self::start(Kind::Http, port).await
    }

    /// A SOCKS 5 proxy on this port, such as the one that another left.
    pub async fn socks5_on(port: u16) -> io::Result<Self> {
        Self::start(Kind::Socks5, port).await
    }

    /// Serves only who comes with this user and password.
    #[must_use]
    pub fn with_login(self, user: &str, password: &str) -> Self {
        let (user, password) = (user.to_owned(), password.to_owned());
        *self.state.login.lock() = Some(Login { user, password });
        self
    }

    /// Knows `host`, a name or an address of somewhere else, as this loopback address. With a
    /// port, as in `127.0.0.1:4321`, that one is reached whichever was asked for. Nothing else
    /// is known but `localhost` and loopback addresses themselves.
    ///
    /// # Panics
    /// If `address` is no loopback address.
    #[must_use]
    pub fn resolves(self, host: &str, address: &str) -> Self {
        self.state.names.add(host, address);
        self
    }

    /// `http://127.0.0.1:PORT` or `socks5://127.0.0.1:PORT`, with the login that it wants. Who
    /// is to leave names to a SOCKS proxy says `socks5h` instead.
    pub fn url(&self) -> String {
        let scheme = match self.state.kind {
            Kind::Http => "http",
            Kind::Socks5 => "socks5",
        };
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let login = self.state.login.lock().clone().map_or_else(String::new, |login| {
            format!("{}:{}@", encoded(&login.user), encoded(&login.password))
        });
        format!("{scheme}://{login}127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.state.log.counts().connections
    }

    /// What it was asked to reach, as `HOST:PORT`, in order; also what it refused to.
    pub fn targets(&self) -> Vec<String> {
        self.state.log.targets()
    }

    /// How many came without the login that it wants, or with another.
    pub fn logins_refused(&self) -> usize {
        self.state.log.counts().logins_refused
    }

    /// How many tunnels are open now; a request for an absolute address counts as one.
    pub fn open(&self) -> usize {
        self.state.log.counts().open
    }

    /// From now on answers every request with this status; SOCKS 5 says "general failure".
    pub fn refuses(&self, status: u16) {
        *self.state.manner.lock() = Manner::Refuses(status);
    }

    /// From now on takes connections and answers nothing on them.
    pub fn stalls(&self) {
        *self.state.manner.lock() = Manner::Stalls;
    }

    /// Serves new connections again.
    pub fn serves(&self) {
        *self.state.manner.lock() = Manner::Serves;
    }

    /// Closes its port and resets every connection; returns when that is done.
    pub async fn dies(&self) {
        self.state.log.die();
        self.until("its own end", |counts| counts.gone).await;
    }

    /// Waits until `count` connections were made to it.
    pub async fn until_connections(&self, count: usize) {
        self.until(&format!("{count} connections"), |counts| counts.connections >= count).await;
    }

    /// Waits until so many tunnels are open.
    pub async fn until_open(&self, count: usize) {
        self.until(&format!("{count} open tunnels"), |counts| counts.open == count).await;
    }

    async fn start(kind: Kind, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State {
            kind,
            login: Mutex::default(),
            names: Names::default(),
            manner: Mutex::new(Manner::Serves),
            log: Log::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { port, state, accepting })
    }

    async fn until(&self, what: &str, fits: impl FnMut(&Counts) -> bool) {
        let waited = tokio::time::timeout(WAIT_MAX, self.state.log.wait_for(fits)).await;
        let now = self.state.log.counts();
        assert!(waited.is_ok(), "waited {WAIT_MAX:?} for {what}; there is {now:?}");
    }
}

impl Drop for FakeProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    /// Connects to what a client asked for; `None` if that is nothing it may reach.
    async fn reach(&self, host: &str, port: u16) -> Option<io::Result<TcpStream>> {
        let address = self.names.find(host, port)?;
        Some(TcpStream::connect(address).await.and_then(|socket| {
            socket.set_nodelay(true)?;
            Ok(socket)
        }))
    }
}

/// Owns the connections, so that they end with it.
async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = state.log.until_dying() => break,
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    state.log.connected();
                    connections.spawn(serve(socket, Arc::clone(&state)));
                }
                // Out of descriptors, mostly; the next connection may fare better.
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    state.log.died();
}

/// Serves a connection to its end; what breaks it is one of its peers' doing.
async fn serve(mut socket: TcpStream, state: Arc<State>) {
    // Failing means that the peer has gone already.
    let _ = socket.set_nodelay(true);
    let breaks = tokio::select! {
        biased;
        () = state.log.until_dying() => true,
        // A reset at one end of a tunnel is one at the other.
        ended = converse(&mut socket, &state) => ended.is_err(),
    };
    if breaks {
        let _ = socket.set_zero_linger();
    }
}

async fn converse(socket: &mut TcpStream, state: &State) -> io::Result<()> {
    // Borrowed halves: the owned ones send a FIN when they go, which a reset must not.
    let (reader, mut writer) = socket.split();
    let mut inbound = crate::http1::Inbound::new(reader);
    let manner = *state.manner.lock();
    if manner == Manner::Stalls {
        inbound.peer_left().await;
        return Ok(());
    }
    match state.kind {
        Kind::Http => http::converse(&mut inbound, &mut writer, state, manner).await,
        Kind::Socks5 => socks::converse(&mut inbound, &mut writer, state, manner).await,
    }
}

/// A host and port as targets are told.
fn target(host: &str, port: u16) -> String {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        _ => format!("{host}:{port}"),
    }
}
