//! Proxies, spoken to byte by byte.

use relay_testkit::{
    Answer, Client, ClosedPort, Ending, FakeProvider, FakeProxy, Fault, Moment, RawSocket,
    messages_body,
};

use crate::KEY;

/// A connection to a proxy.
async fn connect(proxy: &FakeProxy) -> RawSocket {
    to(&format!("http://127.0.0.1:{}", proxy.port())).connect().await.expect("the proxy listens")
}

fn to(url: &str) -> Client {
    Client::new(url)
}

/// What an HTTP proxy answers to this request line and these headers.
async fn asked(proxy: &FakeProxy, line: &str, headers: &str) -> relay_testkit::Incoming {
    let mut socket = connect(proxy).await;
    let head = format!("{line} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
    socket.send(head.as_bytes()).await.expect("an open connection");
    socket.answer().await.expect("an answer")
}

/// A Messages call over a connection that leads to a provider.
async fn call_over(mut socket: RawSocket, provider: &FakeProvider) -> relay_testkit::Incoming {
    let body = crate::streamed("[[say through]]").bytes();
    let client = Client::new(&provider.base_url()).anthropic(KEY);
    let head = client.head_of("POST", "/v1/messages", &[]);
    socket
        .send(format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes())
        .await
        .expect("an open connection");
    socket.send(&body).await.expect("an open connection");
    socket.answer().await.expect("an answer")
}

/// So many bytes from a connection.
async fn read(socket: &mut RawSocket, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        let piece = socket.receive().await.expect("an open connection");
        assert!(!piece.is_empty(), "closed after {bytes:?}");
        bytes.extend_from_slice(&piece);
    }
    assert_eq!(bytes.len(), count);
    bytes
}

/// A SOCKS 5 request for this kind and form of address.
fn socks_request(kind: u8, address: &[u8], port: u16) -> Vec<u8> {
    [&[5, 1, 0, kind], address, &port.to_be_bytes()[..]].concat()
}

/// The code of the answer to a SOCKS 5 request, without a login.
async fn socks_asked(proxy: &FakeProxy, request: &[u8]) -> (RawSocket, u8) {
    let mut socket = connect(proxy).await;
    socket.send(&[5, 1, 0]).await.expect("an open connection");
    assert_eq!(read(&mut socket, 2).await, [5, 0]);
    socket.send(request).await.expect("an open connection");
    let answer = read(&mut socket, 10).await;
    (socket, answer[1])
}

#[tokio::test]
async fn an_http_tunnel_leads_where_names_stand_for() {
    let provider = FakeProvider::start().await;
    let proxy = FakeProxy::http().await.resolves("api.test", "127.0.0.1");
    let target = format!("api.test:{}", provider.port());
    let tunnel = asked(&proxy, &format!("CONNECT {target}"), "").await;
    assert_eq!((tunnel.status, proxy.open()), (200, 1));
    let received = call_over(tunnel.into_socket(), &provider).await.collect().await;
    assert_eq!(received.text(), "through");
    proxy.until_open(0).await;
    assert_eq!(proxy.targets(), [target]);
    assert_eq!((proxy.connections(), proxy.logins_refused()), (1, 0));
    assert_eq!(proxy.url(), format!("http://127.0.0.1:{}", proxy.port()));
}

#[tokio::test]
async fn absolute_addresses_are_asked_for_one_connection_each() {
    let provider = FakeProvider::start().await;
    let place = format!("127.0.0.1:{}", provider.port());
    let proxy = FakeProxy::http().await.resolves("api.test", &place);
    let body = messages_body("m", "[[say forwarded]]").bytes();
    let more = format!(
        "x-api-key: k\r\nanthropic-version: 1\r\nproxy-authorization: x\r\ncontent-length: {}\r\n",
        body.len()
    );
    let mut socket = connect(&proxy).await;
    let head =
        format!("POST http://api.test/v1/messages?x=1 HTTP/1.1\r\nhost: api.test\r\n{more}\r\n");
    socket.send(head.as_bytes()).await.unwrap();
    socket.send(&body).await.unwrap();
    let received = socket.answer().await.unwrap().collect().await;
    assert_eq!((received.text().as_str(), received.header("connection")), ("forwarded", "close"));
    let seen = provider.requests().remove(0);
    assert_eq!(seen.path_and_query, "/v1/messages?x=1");
    assert_eq!((seen.header("host"), seen.header("proxy-authorization")), ("api.test", ""));
    assert_eq!(proxy.targets(), ["api.test:80"]);
    proxy.until_open(0).await;
}

#[tokio::test]
async fn an_http_proxy_refuses_in_words() {
    let provider = FakeProvider::start().await;
    let proxy = FakeProxy::http().await;
    let target = format!("CONNECT 127.0.0.1:{}", provider.port());
    let closed = ClosedPort::reserve().unwrap();
    assert!(to(&closed.url()).connect().await.is_err());
    assert_eq!(asked(&proxy, "CONNECT 192.0.2.1:80", "").await.status, 502, "not on loopback");
    assert_eq!(asked(&proxy, "CONNECT unknown.test:80", "").await.status, 502);
    let nobody = format!("CONNECT 127.0.0.1:{}", closed.port());
    assert_eq!(asked(&proxy, &nobody, "").await.status, 502);
    assert_eq!(asked(&proxy, "GET /", "").await.status, 400);
    proxy.refuses(403);
    assert_eq!(asked(&proxy, &target, "").await.status, 403);
    proxy.serves();
    assert_eq!(asked(&proxy, &target, "").await.status, 200);
    assert_eq!((proxy.targets().len(), proxy.connections()), (5, 6));

    let proxy = FakeProxy::http().await.with_login("me", "a:b @/?");
    let refused = asked(&proxy, &target, "").await;
    assert_eq!(
        (refused.status, &refused.headers["proxy-authenticate"]),
        (407, &"Basic realm=\"fake\"".parse().unwrap())
    );
    let wrong = "proxy-authorization: Basic eA==\r\n";
    assert_eq!(asked(&proxy, &target, wrong).await.status, 407);
    let right = "proxy-authorization: Basic bWU6YTpiIEAvPw==\r\n";
    assert_eq!(asked(&proxy, &target, right).await.status, 200);
    assert_eq!((proxy.logins_refused(), proxy.targets().len()), (2, 1));
    assert_eq!(proxy.url(), format!("http://me:a%3Ab%20%40%2F%3F@127.0.0.1:{}", proxy.port()));
}

#[tokio::test]
async fn socks_takes_names_and_addresses_of_both_kinds() {
    let provider = FakeProvider::start().await;
    let port = provider.port();
    let proxy = FakeProxy::socks5().await.resolves("api.test", "127.0.0.1");
    let place = format!("127.0.0.1:{port}");
    let proxy = proxy.resolves("2001:db8::1", &place);
    let v6 = "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let requests = [
        socks_request(1, &[127, 0, 0, 1], port),
        socks_request(3, b"\x08api.test", port),
        socks_request(4, &v6, 7),
    ];
    for request in requests {
        let (socket, code) = socks_asked(&proxy, &request).await;
        assert_eq!(code, 0);
        assert_eq!(call_over(socket, &provider).await.collect().await.text(), "through");
    }
    let targets = [place, format!("api.test:{port}"), "[2001:db8::1]:7".to_owned()];
    assert_eq!(proxy.targets(), targets);
    proxy.until_open(0).await;
    assert_eq!(proxy.url(), format!("socks5://127.0.0.1:{}", proxy.port()));
}

#[tokio::test]
async fn socks_refuses_in_numbers() {
    let proxy = FakeProxy::socks5().await;
    let closed = ClosedPort::reserve().unwrap();
    let local = socks_request(1, &[127, 0, 0, 1], closed.port());
    assert_eq!(socks_asked(&proxy, &local).await.1, 5);
    assert_eq!(socks_asked(&proxy, &socks_request(1, &[192, 0, 2, 1], 80)).await.1, 4);
    let mut bind = local.clone();
    bind[1] = 2;
    assert_eq!(socks_asked(&proxy, &bind).await.1, 7);
    proxy.refuses(403);
    assert_eq!(socks_asked(&proxy, &local).await.1, 1);
    assert_eq!((proxy.connections(), proxy.open()), (4, 0));
}

#[tokio::test]
async fn socks_wants_its_login() {
    let provider = FakeProvider::start().await;
    let proxy = FakeProxy::socks5().await.with_login("me", "pw");
    assert_eq!(proxy.url(), format!("socks5://me:pw@127.0.0.1:{}", proxy.port()));
    let mut without = connect(&proxy).await;
    without.send(&[5, 1, 0]).await.unwrap();
    assert_eq!(without.receive_rest().await.unwrap(), &[5, 0xFF][..]);
    for (login, good) in [(&b"\x01\x02me\x02px"[..], 1), (b"\x01\x02me\x02pw", 0)] {
        let mut socket = connect(&proxy).await;
        socket.send(&[5, 2, 0, 2]).await.unwrap();
        assert_eq!(read(&mut socket, 2).await, [5, 2]);
        socket.send(login).await.unwrap();
        assert_eq!(read(&mut socket, 2).await, [1, good]);
        if good == 0 {
            let request = socks_request(1, &[127, 0, 0, 1], provider.port());
            socket.send(&request).await.unwrap();
            assert_eq!(read(&mut socket, 10).await[1], 0);
        }
    }
    assert_eq!((proxy.logins_refused(), proxy.targets().len()), (2, 1));
}

#[tokio::test]
async fn a_proxy_that_dies_resets_its_tunnels_and_frees_its_port() {
    let provider = FakeProvider::start().await;
    provider.answers_always(Answer::well().breaks(Fault::Hang, Moment::Events(1)));
    let proxy = FakeProxy::http().await;
    let target = format!("CONNECT 127.0.0.1:{}", provider.port());
    let tunnel = asked(&proxy, &target, "").await.into_socket();
    let mut incoming = call_over(tunnel, &provider).await;
    incoming.until("message_start").await.unwrap();
    proxy.dies().await;
    assert_eq!(incoming.collect().await.ending, Ending::Reset);
    provider.until_cancelled(1).await;
    assert_eq!(proxy.open(), 0);
    assert!(to(&format!("http://127.0.0.1:{}", proxy.port())).connect().await.is_err());
    let again = FakeProxy::http_on(proxy.port()).await.unwrap();
    assert_eq!(asked(&again, &target, "").await.status, 200);
}

#[tokio::test]
async fn a_reset_passes_through_a_tunnel() {
    let provider = FakeProvider::start().await;
    provider.answers_always(Answer::well().breaks(Fault::Reset, Moment::Head));
    let proxy = FakeProxy::http().await;
    let target = format!("CONNECT 127.0.0.1:{}", provider.port());
    let mut socket = asked(&proxy, &target, "").await.into_socket();
    let client = Client::new(&provider.base_url()).anthropic(KEY);
    let head = client.head_of("POST", "/v1/messages", &[]);
    socket.send(format!("{head}content-length: 2\r\n\r\n{{}}").as_bytes()).await.unwrap();
    let broken = socket.receive().await.unwrap_err();
    assert_eq!(broken.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_proxy_that_stalls_takes_connections_and_is_silent() {
    for proxy in [FakeProxy::http().await, FakeProxy::socks5().await] {
        proxy.stalls();
        let mut socket = connect(&proxy).await;
        socket.send(b"CONNECT a:1 HTTP/1.1\r\n\r\n").await.unwrap();
        proxy.until_connections(1).await;
        assert_eq!((proxy.open(), proxy.targets().len()), (0, 0));
        drop(proxy);
        // Reset, if it left before it had read what came.
        let rest = socket.receive_rest().await;
        assert!(rest.is_err() || rest.is_ok_and(|rest| rest.is_empty()));
    }
}
