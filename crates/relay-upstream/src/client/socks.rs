//! A connection through a SOCKS 5 proxy (RFC 1928, logins by RFC 1929).
//!
//! Written out because hyper-util's own `SocksV5` looks names up on the thread of the runtime, has
//! no room for logins of more than 255 bytes in all, offers nothing but the login to proxies that
//! want none, and takes 443 for the port of a plain target.

use std::io;
use std::net::IpAddr;

use relay_core::proxy::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fault::{ConnectionFault, ProxyReply};
use super::line::Duplex;

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
const LOGIN_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const KIND_IPV4: u8 = 1;
const KIND_NAME: u8 = 3;
const KIND_IPV6: u8 = 4;

const UNREADABLE: ConnectionFault = ConnectionFault::ProxyRefused(ProxyReply::Unreadable);

/// How the proxy is told where to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Destination {
    /// By its address.
    Address(IpAddr),
    /// By a name that the proxy looks up.
    Name(String),
}

/// Has the proxy at the other end of `line` connect; afterwards `line` leads to the target.
pub(super) async fn open(
    line: &mut dyn Duplex,
    destination: &Destination,
    port: u16,
    proxy: &Proxy,
) -> Result<(), ConnectionFault> {
    let request = request(destination, port).ok_or_else(|| {
        ConnectionFault::Connect("the target's name is longer than SOCKS can say".to_owned())
    })?;
    log_in(line, proxy).await?;
    send(line, &request).await?;
    read_reply(line).await
}

async fn log_in(line: &mut dyn Duplex, proxy: &Proxy) -> Result<(), ConnectionFault> {
    // Both are offered, as some proxies know their clients by address and take no login at all.
    let methods: &[u8] =
        if proxy.login.is_some() { &[USER_AND_PASSWORD, NO_LOGIN] } else { &[NO_LOGIN] };
    let count = u8::try_from(methods.len()).expect("there are at most two");
    send(line, &[&[VERSION, count], methods].concat()).await?;
    match (read::<2>(line).await?, &proxy.login) {
        ([VERSION, NO_LOGIN], _) => Ok(()),
        ([VERSION, USER_AND_PASSWORD], Some((user, password))) => {
            let mut login = vec![LOGIN_VERSION];
            for part in [user.as_str(), password.expose()] {
                let length =
                    u8::try_from(part.len()).map_err(|_| ConnectionFault::ProxyLoginRefused)?;
                login.push(length);
                login.extend_from_slice(part.as_bytes());
            }
            send(line, &login).await?;
            let [_, status] = read::<2>(line).await?;
            if status == 0 { Ok(()) } else { Err(ConnectionFault::ProxyLoginRefused) }
        }
        ([VERSION, NO_METHOD], _) => Err(ConnectionFault::ProxyLoginRefused),
        _ => Err(UNREADABLE),
    }
}

fn request(destination: &Destination, port: u16) -> Option<Vec<u8>> {
    let mut request = vec![VERSION, CONNECT, 0];
    match destination {
        Destination::Address(IpAddr::V4(address)) => {
            request.push(KIND_IPV4);
            request.extend_from_slice(&address.octets());
        }
        Destination::Address(IpAddr::V6(address)) => {
            request.push(KIND_IPV6);
            request.extend_from_slice(&address.octets());
        }
        Destination::Name(name) => {
            request.extend_from_slice(&[KIND_NAME, u8::try_from(name.len()).ok()?]);
            request.extend_from_slice(name.as_bytes());
        }
    }
    request.extend_from_slice(&port.to_be_bytes());
    Some(request)
}

async fn read_reply(line: &mut dyn Duplex) -> Result<(), ConnectionFault> {
    // Some proxies hang up right behind the reply of a refusal, so that no more can be counted on.
    match read::<2>(line).await? {
        [VERSION, 0] => {}
        [VERSION, reply] => return Err(ConnectionFault::ProxyRefused(ProxyReply::Socks(reply))),
        _ => return Err(UNREADABLE),
    }
    // The address that the proxy connects from is of no use here, but must be read away.
    let [_, kind] = read::<2>(line).await?;
    let length = match kind {
        KIND_IPV4 => 4,
        KIND_IPV6 => 16,
        KIND_NAME => usize::from(read::<1>(line).await?[0]),
        _ => return Err(UNREADABLE),
    };
    let mut address_and_port = [0; 255 + 2];
    line.read_exact(&mut address_and_port[..length + 2]).await.map(drop).map_err(|e| broken(&e))
}

async fn send(line: &mut dyn Duplex, bytes: &[u8]) -> Result<(), ConnectionFault> {
    line.write_all(bytes).await.map_err(|error| broken(&error))?;
    line.flush().await.map_err(|error| broken(&error))
}

async fn read<const N: usize>(line: &mut dyn Duplex) -> Result<[u8; N], ConnectionFault> {
    let mut bytes = [0; N];
    line.read_exact(&mut bytes).await.map_err(|error| broken(&error))?;
    Ok(bytes)
}

fn broken(error: &io::Error) -> ConnectionFault {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        ConnectionFault::ProxyUnreachable("it closed the connection without an answer".to_owned())
    } else {
        ConnectionFault::of_proxy(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a proxy that says all of `said` and hangs up, and what it was told.
    async fn opened(
        said: &[u8],
        proxy: &str,
        name: &str,
    ) -> (Result<(), ConnectionFault>, Vec<u8>) {
        let (mut ours, mut theirs) = tokio::io::duplex(4096);
        theirs.write_all(said).await.unwrap();
        theirs.shutdown().await.unwrap();
        let destination = Destination::Name(name.to_owned());
        let result = open(&mut ours, &destination, 443, &proxy.parse().unwrap()).await;
        drop(ours);
        let mut told = Vec::new();
        theirs.read_to_end(&mut told).await.unwrap();
        (result, told)
    }

    const NAMED: &[u8] = &[5, 0, 0, 3, 2, b'h', b'i', 0, 80];

    #[tokio::test]
    async fn the_longest_logins_and_names_fit() {
        let (long, name) = ("x".repeat(255), "n".repeat(255));
        let said = [&[5, 2, 1, 0], NAMED].concat();
        let (result, told) = opened(&said, &format!("socks5h://{long}:{long}@p"), &name).await;
        assert_eq!(result, Ok(()));
        let login = [&[1, 255], long.as_bytes(), &[255], long.as_bytes()].concat();
        let ask = [&[5, 1, 0, 3, 255], name.as_bytes(), &[1, 187]].concat();
        assert_eq!(told, [&[5, 2, 2, 0], &*login, &*ask].concat());
        let too_long = opened(&said, "socks5h://p", &"n".repeat(256)).await;
        assert!(matches!(too_long.0, Err(ConnectionFault::Connect(_))));
        assert!(too_long.1.is_empty());
    }

    #[tokio::test]
    async fn a_proxy_that_wants_no_login_gets_none() {
        let (result, told) = opened(&[&[5, 0], NAMED].concat(), "socks5h://u:p@p", "t").await;
        assert_eq!(result, Ok(()));
        assert_eq!(told, [5, 2, 2, 0, 5, 1, 0, 3, 1, b't', 1, 187]);
    }

    #[tokio::test]
    async fn refusals_say_what_the_proxy_said() {
        let with_login = async |said: &[u8]| opened(said, "socks5h://u:p@p", "t").await.0;
        assert_eq!(with_login(&[5, 2, 1, 1]).await, Err(ConnectionFault::ProxyLoginRefused));
        assert_eq!(with_login(&[5, 0xff]).await, Err(ConnectionFault::ProxyLoginRefused));
        assert_eq!(with_login(b"HTTP/1.1 400").await, Err(UNREADABLE));
        let refused = with_login(&[5, 0, 5, 4]).await.unwrap_err();
        assert_eq!(refused, ConnectionFault::ProxyRefused(ProxyReply::Socks(4)));
        assert!(refused.to_string().ends_with("host unreachable"));
        assert!(matches!(with_login(&[5, 2, 1]).await, Err(ConnectionFault::ProxyUnreachable(_))));
        let without = opened(&[5, 2], "socks5h://p", "t").await.0;
        assert_eq!(without, Err(UNREADABLE), "a login was chosen that was not offered");
    }

    #[test]
    fn addresses_go_as_addresses() {
        let four = request(&Destination::Address([127, 0, 0, 1].into()), 80).unwrap();
        assert_eq!(four, [5, 1, 0, 1, 127, 0, 0, 1, 0, 80]);
        let six = request(&Destination::Address(IpAddr::V6(1.into())), 80).unwrap();
        assert_eq!((six.len(), six[3], six[19]), (22, KIND_IPV6, 1));
    }
}
