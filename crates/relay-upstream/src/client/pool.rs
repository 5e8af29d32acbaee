//! Connections that are kept for the next request, and the bodies that give them back.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::uri::{Authority, Scheme, Uri};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::connector::{Connector, Reader};
use super::fault::ConnectionFault;
use super::link::Link;

/// How long an unused connection is kept: less than the load balancers of providers keep it.
pub const IDLE_CONNECTION_MAX: Duration = Duration::from_secs(50);
/// How many unused connections one client keeps; beyond, the oldest is closed.
pub(super) const IDLE_CONNECTIONS_MAX: usize = 1_024;
/// After how long without use a connection may go to a thread that did not open it.
const SPARE_AFTER: Duration = Duration::from_millis(100);
/// How often idle connections are looked through for those that are over.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Connections of one way out of the machine. Clones are the same pool.
#[derive(Clone)]
pub(super) struct Pool {
    connector: Connector,
    idle: Arc<Idle>,
}

/// Where a connection leads.
#[derive(Debug, Clone)]
struct Origin {
    scheme: Scheme,
    authority: Authority,
    /// The value of `host`, kept with the connection as it is the same for each request.
    host: HeaderValue,
}

/// The connections that nobody uses, the one unused for longest first.
struct Idle {
    most: usize,
    links: Mutex<Resting>,
}

#[derive(Default)]
struct Resting {
    links: VecDeque<IdleLink>,
    is_swept: bool,
}

struct IdleLink {
    leading: Box<Leading>,
    since: Instant,
}

/// A connection, and where it leads.
struct Leading {
    link: Link,
    origin: Origin,
    /// The thread that opened it, whose poller watches it: to others it is slower.
    home: ThreadId,
}

impl Leading {
    /// A connection that this thread has opened.
    fn here(link: Link, origin: Origin) -> Box<Self> {
        Box::new(Self { link, origin, home: thread::current().id() })
    }
}

/// The body of an answer. Dropping it before its end closes the connection.
pub struct AnswerBody {
    incoming: Incoming,
    /// The connection, until it has brought all of the answer.
    rest: Option<Rest>,
}

struct Rest {
    leading: Box<Leading>,
    idle: Weak<Idle>,
}

impl Pool {
    /// A pool that keeps so many unused connections.
    pub(super) fn new(connector: Connector, idle_connections_max: usize) -> Self {
        let idle = Idle { most: idle_connections_max, links: Mutex::default() };
        Self { connector, idle: Arc::new(idle) }
    }

    /// Sends a request, on a connection that is there already if one is, and waits for the head of
    /// the answer.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<AnswerBody>, ConnectionFault> {
        let target = request.uri().clone();
        let mut request = request;
        loop {
            let kept = self.idle.take(&target);
            let was_kept = kept.is_some();
            let mut leading = match kept {
                Some(kept) => kept,
                None => self.open_or_freed(&target).await?,
            };
            self.address(&mut request, &target, &leading.origin);
            match leading.link.ask(request).await {
                Ok(answer) => return Ok(answer.map(|body| self.body(body, leading))),
                Err(mut error) => match error.take_message() {
                    // It was closed while nobody used it, and nothing of the request was sent.
                    Some(unsent) if was_kept => request = unsent,
                    // A new one that was closed at once never knew the request.
                    Some(_) => return Err(ConnectionFault::of_opening(&error.into_error())),
                    None => return Err(ConnectionFault::of_exchange(&error.into_error())),
                },
            }
        }
    }

    /// A new connection; if none comes about, one that another call has given back meanwhile.
    async fn open_or_freed(&self, target: &Uri) -> Result<Box<Leading>, ConnectionFault> {
        match self.open(target).await {
            Ok(opened) => Ok(opened),
            Err(fault) => self.idle.take_last(target, |_| true).ok_or(fault),
        }
    }

    async fn open(&self, target: &Uri) -> Result<Box<Leading>, ConnectionFault> {
        let origin = Origin::of(target)?;
        let opened = Link::over(self.connector.clone().connect(target).await?).await;
        let link = opened.map_err(|error| ConnectionFault::of_exchange(&error))?;
        Ok(Leading::here(link, origin))
    }

    /// Addresses a request as HTTP/1.1 does: the host in a header, the rest as its reader wants it.
    fn address(&self, request: &mut Request<Full<Bytes>>, target: &Uri, origin: &Origin) {
        request.headers_mut().entry(HOST).or_insert_with(|| origin.host.clone());
        if self.connector.reader() == Reader::Target {
            let path = target.path_and_query().cloned();
            *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
        }
    }

    fn body(&self, incoming: Incoming, leading: Box<Leading>) -> AnswerBody {
        let mut rest = Some(Rest { leading, idle: Arc::downgrade(&self.idle) });
        Rest::give_back(&mut rest);
        AnswerBody { incoming, rest }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl Origin {
    fn of(target: &Uri) -> Result<Self, ConnectionFault> {
        match (target.scheme(), target.authority()) {
            (Some(scheme), Some(authority)) => Ok(Self {
                scheme: scheme.clone(),
                authority: authority.clone(),
                host: host(target)?,
            }),
            _ => Err(ConnectionFault::Connect("the address is not one".to_owned())),
        }
    }

    fn is_of(&self, target: &Uri) -> bool {
        target.scheme() == Some(&self.scheme) && target.authority() == Some(&self.authority)
    }
}

/// The value of `host`: the port only where it is another than the scheme's.
fn host(target: &Uri) -> Result<HeaderValue, ConnectionFault> {
    let name = target.host().unwrap_or_default();
    let usual = if target.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let value = match target.port_u16().filter(|port| *port != usual) {
        Some(port) => HeaderValue::try_from(format!("{name}:{port}")),
        None => HeaderValue::from_str(name),
    };
    value.map_err(|error| ConnectionFault::Connect(error.to_string()))
}

impl Idle {
    /// The connection to the target's origin that this thread used last, else one that another
    /// seems not to need any more.
    fn take(&self, target: &Uri) -> Option<Box<Leading>> {
        let (here, now) = (thread::current().id(), Instant::now());
        self.take_last(target, |idle| idle.leading.home == here)
            .or_else(|| self.take_last(target, |idle| now - idle.since >= SPARE_AFTER))
    }

    /// The connection to the target's origin that was used last, of those that will do.
    fn take_last(&self, target: &Uri, will_do: impl Fn(&IdleLink) -> bool) -> Option<Box<Leading>> {
        let mut resting = self.links.lock();
        let fits = |idle: &IdleLink| will_do(idle) && idle.leading.origin.is_of(target);
        let at = resting.links.iter().rposition(fits)?;
        let idle = resting.links.remove(at)?;
        drop(resting);
        // Those before it are unused for longer still.
        (idle.since.elapsed() < IDLE_CONNECTION_MAX).then_some(idle.leading)
    }

    fn put(self: &Arc<Self>, leading: Box<Leading>) {
        if self.most == 0 {
            return;
        }
        leading.link.rest();
        let mut resting = self.links.lock();
        let oldest = if resting.links.len() < self.most { None } else { resting.links.pop_front() };
        resting.links.push_back(IdleLink { leading, since: Instant::now() });
        if !std::mem::replace(&mut resting.is_swept, true) {
            // Each look takes of what a task may do in one go: then the last would find nothing.
            tokio::spawn(tokio::task::unconstrained(sweep(Arc::downgrade(self))));
        }
        drop(resting);
        drop(oldest);
    }
}

/// Closes what is over, until nothing is left.
async fn sweep(idle: Weak<Idle>) {
    loop {
        sleep(SWEEP_EVERY).await;
        let Some(idle) = idle.upgrade() else { return };
        let mut resting = idle.links.lock();
        resting.links.retain_mut(|idle| {
            idle.since.elapsed() < IDLE_CONNECTION_MAX && !idle.leading.link.has_ended()
        });
        if resting.links.is_empty() {
            *resting = Resting::default();
            return;
        }
    }
}

impl Rest {
    /// Gives a connection back as soon as it has brought all of the answer: what is left of that is
    /// in memory.
    fn give_back(rest: &mut Option<Self>) {
        if let Some(Self { leading, idle }) = rest.take_if(|rest| rest.leading.link.is_ready())
            && let Some(idle) = idle.upgrade()
        {
            idle.put(leading);
        }
    }
}

impl fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerBody").finish_non_exhaustive()
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { incoming, rest } = self.get_mut();
        let Some(Rest { leading, .. }) = rest else { return Pin::new(incoming).poll_frame(cx) };
        let frame = leading.link.poll(cx, |cx| Pin::new(&mut *incoming).poll_frame(cx));
        Rest::give_back(rest);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::net::{TcpListener, TcpStream};

    use super::super::connector::Way;
    use super::super::tls_config;
    use super::*;

    fn pool(most: usize) -> Pool {
        Pool::new(Connector::new(&tls_config(), Way::Direct, Duration::from_secs(20)), most)
    }

    fn idle(pool: &Pool) -> usize {
        pool.idle.links.lock().links.len()
    }

    async fn listener() -> (TcpListener, Uri) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/path", listener.local_addr().unwrap());
        (listener, address.parse().unwrap())
    }

    async fn leading(target: &Uri, bytes: DuplexStream) -> Box<Leading> {
        let link = Link::over(Box::new(bytes)).await.unwrap();
        Leading::here(link, Origin::of(target).unwrap())
    }

    fn get(target: &Uri) -> Request<Full<Bytes>> {
        Request::get(target).body(Full::default()).unwrap()
    }

    /// Accepts a connection, reads a request on it, and begins an answer of ten bytes.
    async fn begin(listener: &TcpListener) -> TcpStream {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_buf(&mut head).await.unwrap();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello").await.unwrap();
        stream
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_meanwhile_costs_nothing() {
        let (pool, (listener, target)) = (pool(9), listener().await);
        for _ in 0..2 {
            let (ours, _) = tokio::io::duplex(64);
            pool.idle.put(leading(&target, ours).await);
        }
        let (answer, mut stream) = tokio::join!(pool.send(get(&target)), begin(&listener));
        assert_eq!(idle(&pool), 0);
        let (body, _) =
            tokio::join!(answer.unwrap().into_body().collect(), stream.write_all(b"again"));
        assert_eq!(body.unwrap().to_bytes(), "helloagain");
        assert_eq!(idle(&pool), 1);
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_on_closes_its_connection() {
        let (pool, (listener, target)) = (pool(9), listener().await);
        let (answer, mut stream) = tokio::join!(pool.send(get(&target)), begin(&listener));
        drop(answer.unwrap());
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!(idle(&pool), 0);
    }

    #[tokio::test]
    async fn no_more_are_kept_than_may_be_and_the_oldest_go_first() {
        let (pool, target) = (pool(2), Uri::from_static("http://h/"));
        let mut others = Vec::new();
        for _ in 0..3 {
            let (ours, theirs) = tokio::io::duplex(64);
            others.push(theirs);
            pool.idle.put(leading(&target, ours).await);
        }
        assert_eq!(idle(&pool), 2);
        assert_eq!(others[0].read(&mut [0; 1]).await.unwrap(), 0, "it was closed");
        for elsewhere in ["https://h/", "http://h:81/", "http://g/", "/"] {
            assert!(pool.idle.take(&Uri::from_static(elsewhere)).is_none());
        }
        assert!(pool.idle.take(&Uri::from_static("http://H/other")).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_is_swept_away() {
        let (pool, target) = (pool(9), Uri::from_static("http://h/"));
        let (ours, theirs) = tokio::io::duplex(64);
        let (ours_too, mut theirs_too) = tokio::io::duplex(64);
        for line in [ours, ours_too] {
            pool.idle.put(leading(&target, line).await);
        }
        drop(theirs);
        sleep(SWEEP_EVERY * 2).await;
        assert_eq!(idle(&pool), 1, "one was closed by the other side");
        assert_eq!(theirs_too.read(&mut [0; 1]).await.unwrap(), 0, "the other after a while");
        assert_eq!(idle(&pool), 0);
        assert!(!pool.idle.links.lock().is_swept);
    }

    #[test]
    fn the_host_has_a_port_where_it_is_not_the_usual_one() {
        for (address, expected) in [
            ("http://h:80/", "h"),
            ("https://h:443/", "h"),
            ("https://h:80/x", "h:80"),
            ("http://[::1]:8080/", "[::1]:8080"),
        ] {
            assert_eq!(host(&Uri::from_static(address)).unwrap(), expected);
        }
    }
}
