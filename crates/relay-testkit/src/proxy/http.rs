//! The HTTP proxy: `CONNECT`, and requests for absolute addresses.

use std::io;

use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::tunnel::pump;
use super::{Login, Manner, State, target};
use crate::base64::{Alphabet, encode};
use crate::http1::{Head, Inbound, write_header};

/// Ports of addresses that name none.
const HTTP_PORT: u16 = 80;

pub(super) async fn converse<R: AsyncRead + Unpin>(
    inbound: &mut Inbound<R>,
    writer: &mut (impl AsyncWrite + Unpin),
    state: &State,
    manner: Manner,
) -> io::Result<()> {
    let Some(head) = inbound.head().await? else { return Ok(()) };
    let login = state.login.lock().clone();
    if login.is_some_and(|login| !login.stands_in(&head.headers)) {
        state.log.login_refused();
        return refuse(inbound, writer, 407).await;
    }
    let Some(ask) = Ask::read(&head.start) else { return refuse(inbound, writer, 400).await };
    state.log.asked_for(target(ask.host, ask.port));
    if let Manner::Refuses(status) = manner {
        return refuse(inbound, writer, status).await;
    }
    let Some(Ok(mut upstream)) = state.reach(ask.host, ask.port).await else {
        return refuse(inbound, writer, 502).await;
    };
    let _open = state.log.opened();
    match ask.path {
        None => {
            writer.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            let (from, mut to) = upstream.split();
            let mut from = Inbound::new(from);
            tokio::try_join!(pump(inbound, &mut to), pump(&mut from, writer))?;
            Ok(())
        }
        Some(path) => {
            let request = rewritten(&format!("{} {path} HTTP/1.1", ask.method), &head.headers);
            forward(inbound, writer, &mut upstream, &request).await
        }
    }
}

/// What a request line asks for.
struct Ask<'a> {
    method: &'a str,
    host: &'a str,
    port: u16,
    /// What to ask there; nothing, for a tunnel.
    path: Option<String>,
}

impl<'a> Ask<'a> {
    fn read(start: &'a str) -> Option<Self> {
        let mut words = start.split(' ');
        let (method, address) = (words.next()?, words.next()?);
        if method == "CONNECT" {
            let (host, port) = host_and_port(address)?;
            return Some(Self { method, host, port: port?, path: None });
        }
        let rest = address.strip_prefix("http://")?;
        let (place, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let (host, port) = host_and_port(place)?;
        Some(Self { method, host, port: port.unwrap_or(HTTP_PORT), path: Some(path) })
    }
}

/// `None` if there is no such address; the port is `None` if it is not told.
fn host_and_port(place: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = port.map(str::parse).transpose().ok()?;
    (!host.is_empty()).then_some((host, port))
}

impl Login {
    fn stands_in(&self, headers: &HeaderMap) -> bool {
        let both = format!("{}:{}", self.user, self.password);
        let wanted = format!("Basic {}", encode(both.as_bytes(), Alphabet::Standard));
        headers.get("proxy-authorization").is_some_and(|given| given == wanted.as_str())
    }
}

/// Answers with a status, and waits for the client to go: what it still sends would otherwise
/// reset the connection under the answer.
async fn refuse<R: AsyncRead + Unpin>(
    inbound: &mut Inbound<R>,
    writer: &mut (impl AsyncWrite + Unpin),
    status: u16,
) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Refused\r\n");
    if status == 407 {
        write_header(&mut head, "proxy-authenticate", "Basic realm=\"fake\"");
    }
    head.push_str("content-length: 0\r\nconnection: close\r\n\r\n");
    writer.write_all(head.as_bytes()).await?;
    writer.shutdown().await?;
    inbound.peer_left().await;
    Ok(())
}

/// Passes on one request and its answer; the connection serves no other.
async fn forward<R: AsyncRead + Unpin>(
    inbound: &mut Inbound<R>,
    writer: &mut (impl AsyncWrite + Unpin),
    upstream: &mut TcpStream,
    request: &str,
) -> io::Result<()> {
    let (from, mut to) = upstream.split();
    let mut from = Inbound::new(from);
    to.write_all(request.as_bytes()).await?;
    let answer = async {
        while let Some(Head { start, headers }) = from.head().await? {
            writer.write_all(rewritten(&start, &headers).as_bytes()).await?;
            // After an interim answer comes another head.
            let interim = start.split(' ').nth(1).is_some_and(|status| status.starts_with('1'));
            if !interim {
                break;
            }
        }
        pump(&mut from, writer).await
    };
    // An answer may come though not all of the request is taken, and nobody waits for it once
    // the client has gone.
    let upload = async {
        loop {
            match inbound.some().await {
                Ok(bytes) if !bytes.is_empty() => {
                    if to.write_all(&bytes).await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
                _ => return Ok(()),
            }
        }
    };
    tokio::select! {
        answered = answer => answered,
        gone = upload => gone,
    }
}

/// A head that ends the connection after its message, and tells nothing of the proxy.
fn rewritten(start: &str, headers: &HeaderMap) -> String {
    let mut head = format!("{start}\r\n");
    for (name, value) in headers {
        let own = matches!(name.as_str(), "connection" | "proxy-connection" | "keep-alive");
        if !own && name != "proxy-authorization" {
            write_header(&mut head, name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
        }
    }
    head.push_str("connection: close\r\n\r\n");
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_lines_are_read() {
        let read = |start: &str| {
            Ask::read(start)
                .map(|ask| (ask.host.to_owned(), ask.port, ask.path.unwrap_or_default()))
        };
        let some = |host: &str, port, path: &str| Some((host.to_owned(), port, path.to_owned()));
        assert_eq!(read("CONNECT api.test:443 HTTP/1.1"), some("api.test", 443, ""));
        assert_eq!(read("CONNECT [::1]:80 HTTP/1.1"), some("::1", 80, ""));
        assert_eq!(read("CONNECT api.test HTTP/1.1"), None);
        assert_eq!(read("GET http://api.test/a?b=1 HTTP/1.1"), some("api.test", 80, "/a?b=1"));
        assert_eq!(read("GET http://api.test:81?b HTTP/1.1"), some("api.test", 81, "/?b"));
        assert_eq!(read("GET /a HTTP/1.1"), None);
    }
}
