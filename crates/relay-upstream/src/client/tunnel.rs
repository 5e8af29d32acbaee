//! A tunnel through an HTTP proxy (RFC 9110, section 9.3.6).
//!
//! Written out because hyper-util's own `Tunnel` keeps the status of a refusal to itself, on which
//! the words for the operator and the other way to plain targets depend.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode};
use relay_core::proxy::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fault::{ConnectionFault, ProxyReply};
use super::line::Duplex;

/// How long a proxy's answer to `CONNECT` may be.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Where a tunnel or a SOCKS connection leads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// A name or an address, an IPv6 address without brackets.
    pub(super) host: &'a str,
    pub(super) port: u16,
}

/// The value of `proxy-authorization`, if the proxy wants one.
pub(super) fn authorization(proxy: &Proxy) -> Option<HeaderValue> {
    let (user, password) = proxy.login.as_ref()?;
    let login = STANDARD.encode(format!("{user}:{}", password.expose()));
    let mut value = HeaderValue::try_from(format!("Basic {login}")).expect("base64 is ASCII");
    value.set_sensitive(true);
    Some(value)
}

/// Asks the proxy at the other end of `line` for a tunnel; afterwards `line` is that tunnel.
pub(super) async fn open(
    line: &mut dyn Duplex,
    place: Place<'_>,
    login: Option<&HeaderValue>,
) -> Result<(), ConnectionFault> {
    let head = connect_head(place, login);
    line.write_all(&head).await.map_err(|error| ConnectionFault::of_proxy(&error))?;
    line.flush().await.map_err(|error| ConnectionFault::of_proxy(&error))?;
    match read_status(line).await? {
        status if status.is_success() => Ok(()),
        // tinyproxy says 401 to a wrong login, and 407 to none. To `CONNECT` no target answers.
        StatusCode::PROXY_AUTHENTICATION_REQUIRED | StatusCode::UNAUTHORIZED => {
            Err(ConnectionFault::ProxyLoginRefused)
        }
        status => Err(ConnectionFault::ProxyRefused(ProxyReply::Status(status))),
    }
}

fn connect_head(place: Place<'_>, login: Option<&HeaderValue>) -> Vec<u8> {
    let Place { host, port } = place;
    let authority =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mut head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    if let Some(login) = login {
        head.extend_from_slice(b"Proxy-Authorization: ");
        head.extend_from_slice(login.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Reads the head of the proxy's answer. In the tunnel the client speaks first, so that bytes
/// behind the head of a success can only come from a proxy that is none.
async fn read_status(line: &mut dyn Duplex) -> Result<StatusCode, ConnectionFault> {
    const UNREADABLE: ConnectionFault = ConnectionFault::ProxyRefused(ProxyReply::Unreadable);
    let mut head = Vec::with_capacity(1024);
    loop {
        if let Some(end) = end_of_head(&head) {
            let status = status_of(&head).ok_or(UNREADABLE)?;
            let beyond = head.len() > end;
            return if status.is_success() && beyond { Err(UNREADABLE) } else { Ok(status) };
        }
        if head.len() > HEAD_BYTES_MAX {
            return Err(UNREADABLE);
        }
        match line.read_buf(&mut head).await {
            Ok(0) if head.is_empty() => {
                let text = "it closed the connection without an answer".to_owned();
                return Err(ConnectionFault::ProxyUnreachable(text));
            }
            // Some refuse with a status line and hang up.
            Ok(0) => return status_of(&head).filter(|s| !s.is_success()).ok_or(UNREADABLE),
            Ok(_) => {}
            Err(error) => return Err(ConnectionFault::of_proxy(&error)),
        }
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|start| start + 4)
}

/// The status of `HTTP/1.1 200 Connection established`.
fn status_of(head: &[u8]) -> Option<StatusCode> {
    let rest = head.strip_prefix(b"HTTP/1.0 ").or_else(|| head.strip_prefix(b"HTTP/1.1 "))?;
    let ends = rest.get(3).is_some_and(|byte| matches!(byte, b' ' | b'\r'));
    StatusCode::from_bytes(rest.get(..3)?).ok().filter(|_| ends)
}

#[cfg(test)]
mod tests {
    use relay_core::secret::Secret;

    use super::*;

    /// What comes of a proxy that answers `answer`, `step` bytes at a time, and hangs up.
    async fn opened(answer: &[u8], step: usize) -> Result<(), ConnectionFault> {
        let (mut ours, mut theirs) = tokio::io::duplex(step);
        let answer = answer.to_vec();
        let proxy = async move {
            let mut request = Vec::new();
            while end_of_head(&request).is_none() {
                theirs.read_buf(&mut request).await.unwrap();
            }
            let _ = theirs.write_all(&answer).await;
        };
        let place = Place { host: "target.example", port: 443 };
        tokio::join!(proxy, open(&mut ours, place, None)).1
    }

    fn refused(status: u16) -> Result<(), ConnectionFault> {
        let status = StatusCode::from_u16(status).unwrap();
        Err(ConnectionFault::ProxyRefused(ProxyReply::Status(status)))
    }

    #[tokio::test]
    async fn any_success_opens_the_tunnel_however_it_is_cut() {
        for step in [1, 7, 4096] {
            let answer = b"HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n";
            assert_eq!(opened(answer, step).await, Ok(()));
        }
        assert_eq!(opened(b"HTTP/1.1 204\r\n\r\n", 64).await, Ok(()));
    }

    #[tokio::test]
    async fn refusals_say_what_the_proxy_said() {
        assert_eq!(opened(b"HTTP/1.1 403 No\r\n\r\n<html>", 64).await, refused(403));
        assert_eq!(opened(b"HTTP/1.1 502 Bad\r\n", 64).await, refused(502));
        let login = opened(b"HTTP/1.1 407 Who\r\n\r\n", 64).await;
        assert_eq!(login, Err(ConnectionFault::ProxyLoginRefused));
        assert!(matches!(opened(b"", 64).await, Err(ConnectionFault::ProxyUnreachable(_))));
    }

    #[tokio::test]
    async fn what_is_no_http_is_no_tunnel() {
        let unreadable = Err(ConnectionFault::ProxyRefused(ProxyReply::Unreadable));
        let endless = [b"HTTP/1.1 200 OK\r\n".as_slice(), &[b'x'; HEAD_BYTES_MAX]].concat();
        for answer in [
            b"SSH-2.0-x\r\n\r\n".as_slice(),
            b"HTTP/1.1 2000 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nearly",
            &endless,
        ] {
            assert_eq!(opened(answer, 4096).await, unreadable);
        }
    }

    #[test]
    fn the_login_goes_as_utf_8_in_base64() {
        let proxy = |password: &str| Proxy {
            scheme: relay_core::proxy::ProxyScheme::Http,
            host: "proxy".to_owned(),
            port: 80,
            login: Some(("us".to_owned(), Secret::new(password))),
        };
        let value = authorization(&proxy("空:@")).unwrap();
        assert!(value.is_sensitive());
        assert_eq!(value, format!("Basic {}", STANDARD.encode("us:空:@")).as_str());
        let head = connect_head(Place { host: "::1", port: 1 }, Some(&value));
        let head = String::from_utf8(head).unwrap();
        assert!(
            head.starts_with("CONNECT [::1]:1 HTTP/1.1\r\nHost: [::1]:1\r\nProxy-Auth"),
            "{head}"
        );
        assert!(head.ends_with("\r\n\r\n"));
    }
}
