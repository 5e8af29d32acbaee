//! What holds of every proxy, shown with small ones on this machine.

use std::time::Duration;

use http::StatusCode;
use relay_core::proxy::Proxy;
use relay_upstream::client::{ConnectionFault, ProxyReply, tls_config};
use relay_upstream::fault::Fault;

use crate::kit::process::free_port;
use crate::kit::proxy::{FORBIDDEN, Manner, SmallProxy};
use crate::kit::target::Target;
use crate::kit::{LONG, ask, certificate, client, hello, through};

const SCHEMES: [&str; 4] = ["http", "https", "socks5", "socks5h"];
/// Every character that could be taken for a part of an address.
const ODD_LOGIN: (&str, &str) = ("u空/?#@%", "p@:/#%空 &=+");
const ODD_LOGIN_JOINED: &str = "u空/?#@%:p@:/#%空 &=+";

/// What a call through `scheme` on `port` comes to, in the word of records.
async fn word(scheme: &str, port: u16, within: Duration, target: &Target) -> (&'static str, Fault) {
    let client = client(Some(&format!("{scheme}://us:er@127.0.0.1:{port}")), within);
    let fault = ask(&client, &target.url("/")).await.unwrap_err();
    assert!(!fault.to_string().contains("us:er"), "{fault}");
    let fault = Fault::of_connection(&fault);
    (fault.word, fault)
}

fn refused(status: StatusCode) -> Result<(u16, String), ConnectionFault> {
    Err(ConnectionFault::ProxyRefused(ProxyReply::Status(status)))
}

/// The login as it stands, and as a careful person writes it.
fn both_spellings(scheme: &str, port: u16) -> [String; 2] {
    let (user, password) = ODD_LOGIN;
    let raw = format!("{scheme}://{user}:{password}@127.0.0.1:{port}");
    let encoded = raw.parse::<Proxy>().unwrap().to_url();
    [raw, encoded.expose().to_owned()]
}

#[tokio::test]
async fn without_its_proxy_nothing_reaches_the_target() {
    for target in [Target::plain().await, Target::secure().await] {
        for scheme in SCHEMES {
            let (word, fault) = word(scheme, free_port().await, LONG, &target).await;
            assert_eq!((word, fault.maybe_billed), ("proxy_unreachable", false), "{scheme}");
            assert!(!fault.is_timeout());
        }
        assert_eq!(target.connections.count(), 0);
    }
}

#[tokio::test]
async fn a_proxy_that_says_nothing_is_not_waited_for_longer_than_the_limit() {
    let (target, within) = (Target::secure().await, Duration::from_millis(150));
    for scheme in SCHEMES {
        let silent = SmallProxy::start(Manner::Silent).await;
        let (word, fault) = word(scheme, silent.port, within, &target).await;
        assert_eq!((word, fault.maybe_billed), ("proxy_timeout", false), "{scheme}");
        assert!(fault.is_timeout());
        assert_eq!(silent.connections.count(), 1);
    }
    assert_eq!(target.connections.count(), 0);
}

#[tokio::test]
async fn a_target_that_says_nothing_behind_a_proxy_is_the_targets_fault() {
    let (target, silent) = (Target::secure().await, SmallProxy::start(Manner::Silent).await);
    let manner = Manner::Connects { login: None, to: silent.port };
    let proxy = SmallProxy::start(manner).await;
    let (word, fault) = word("http", proxy.port, Duration::from_millis(150), &target).await;
    assert_eq!((word, fault.is_timeout()), ("connect_timeout", true));
}

#[tokio::test]
async fn without_a_proxy_no_proxy_is_at_fault() {
    let silent = SmallProxy::start(Manner::Silent).await;
    let client = client(None, Duration::from_millis(150));
    let fault = ask(&client, &format!("https://127.0.0.1:{}/", silent.port)).await.unwrap_err();
    assert_eq!(fault, ConnectionFault::ConnectTimeout);
    let fault = ask(&client, &format!("http://127.0.0.1:{}/", free_port().await)).await;
    assert!(matches!(fault, Err(ConnectionFault::Connect(_))), "{fault:?}");
}

#[tokio::test]
async fn logins_of_any_characters_reach_http_proxies() {
    for target in [Target::plain().await, Target::secure().await] {
        let manner = Manner::Connects { login: Some(ODD_LOGIN_JOINED), to: target.port };
        let plain = SmallProxy::start(manner.clone()).await;
        let secure = SmallProxy::within_tls(manner, certificate::acceptor()).await;
        for (scheme, port) in [("http", plain.port), ("https", secure.port)] {
            for proxy in both_spellings(scheme, port) {
                let client = through(&proxy);
                assert_eq!(ask(&client, &target.url("/a")).await, hello(), "{scheme}");
                assert_eq!(ask(&client, &target.url("/b")).await, hello(), "{scheme}");
            }
            let wrong = through(&format!("{scheme}://user:wrong@127.0.0.1:{port}"));
            let fault = ask(&wrong, &target.url("/")).await.unwrap_err();
            assert_eq!(fault, ConnectionFault::ProxyLoginRefused);
        }
        assert_eq!((target.connections.count(), target.heads.count()), (4, 8), "tunnels are kept");
        let leaked = |head: &String| head.to_lowercase().contains("proxy-");
        assert!(!target.heads.all().iter().any(leaked), "the login is the proxy's alone");
        let connects = |head: &String| head.starts_with("CONNECT 127.0.0.1:");
        assert!(plain.asked.all().iter().all(connects));
    }
}

#[tokio::test]
async fn logins_of_any_characters_reach_socks_proxies() {
    let target = Target::secure().await;
    let manner = Manner::Socks { login: Some(ODD_LOGIN), to: target.port };
    let proxy = SmallProxy::start(manner).await;
    for scheme in ["socks5", "socks5h"] {
        for proxy in both_spellings(scheme, proxy.port) {
            assert_eq!(ask(&through(&proxy), &target.url("/")).await, hello());
        }
        let (word, _) = word(scheme, proxy.port, LONG, &target).await;
        assert_eq!(word, "proxy_login_refused");
    }
    assert_eq!(target.connections.count(), 4);
}

#[tokio::test]
async fn an_https_proxy_is_held_to_its_certificate() {
    let target = Target::plain().await;
    let manner = Manner::Connects { login: None, to: target.port };
    let proxy = SmallProxy::within_tls(manner, certificate::acceptor()).await;
    let address = format!("https://127.0.0.1:{}", proxy.port).parse().unwrap();
    let distrusting = relay_upstream::client::Client::new(&tls_config(), Some(&address));
    let fault = ask(&distrusting, &target.url("/")).await.unwrap_err();
    assert!(matches!(fault, ConnectionFault::ProxyUnreachable(_)), "{fault}");
    assert!(fault.to_string().contains("certificate"), "{fault}");
    assert_eq!((proxy.asked.count(), target.connections.count()), (0, 0));
}

#[tokio::test]
async fn names_that_only_the_proxy_knows_are_looked_up_there() {
    // A label of more than 63 characters is asked of no name server.
    let name = format!("{}.invalid", "n".repeat(64));
    let target = Target::plain().await;
    let socks = SmallProxy::start(Manner::Socks { login: None, to: target.port }).await;
    let http = SmallProxy::start(Manner::Connects { login: None, to: target.port }).await;
    let url = format!("http://{name}/");
    for proxy in
        [format!("socks5h://127.0.0.1:{}", socks.port), format!("http://127.0.0.1:{}", http.port)]
    {
        assert_eq!(ask(&through(&proxy), &url).await, hello());
    }
    assert_eq!(socks.asked.all(), [format!("{name}:80")]);
    assert!(http.asked.all()[0].starts_with(&format!("CONNECT {name}:80 HTTP/1.1\r\n")));

    let local = through(&format!("socks5://127.0.0.1:{}", socks.port));
    let fault = ask(&local, &url).await.unwrap_err();
    assert!(matches!(fault, ConnectionFault::Connect(_)), "{fault}");
    assert_eq!(socks.connections.count(), 1, "the name came to nothing before the proxy was asked");
    assert_eq!(ask(&local, &target.named("localhost", "/")).await, hello());
    assert_eq!(socks.asked.all()[1], format!("127.0.0.1:{}", target.port));
}

#[tokio::test]
async fn tls_through_a_proxy_is_with_the_target_by_name() {
    let target = Target::secure().await;
    let socks = SmallProxy::start(Manner::Socks { login: None, to: target.port }).await;
    let client = through(&format!("socks5h://127.0.0.1:{}", socks.port));
    assert_eq!(ask(&client, "https://known-to-the-proxy.invalid/").await, hello());
    assert_eq!(socks.asked.all(), ["known-to-the-proxy.invalid:443"]);
    let fault = ask(&client, "https://another-name.invalid/").await.unwrap_err();
    assert!(matches!(fault, ConnectionFault::Connect(_)), "{fault}");
}

#[tokio::test]
async fn a_proxy_that_refuses_plain_requests_too_is_not_taken_for_the_target() {
    let target = Target::plain().await;
    let proxy = SmallProxy::start(Manner::Says(FORBIDDEN)).await;
    let client = through(&format!("http://127.0.0.1:{}", proxy.port));
    for times in 1..=2 {
        assert_eq!(ask(&client, &target.url("/")).await, refused(StatusCode::FORBIDDEN));
        assert_eq!(proxy.asked.count(), 2 * times);
    }
    assert!(proxy.asked.all()[1].starts_with(&format!("GET {} HTTP/1.1\r\n", target.url("/"))));
    assert_eq!(target.connections.count(), 0);
}

#[tokio::test]
async fn a_tunnel_that_is_never_opened_is_asked_for_once() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    let proxy = SmallProxy::start(Manner::Forwards(answer)).await;
    let client = through(&format!("http://some:login@127.0.0.1:{}", proxy.port));
    for _ in 0..3 {
        assert_eq!(ask(&client, "http://target.invalid/path").await, hello());
    }
    let asked = proxy.asked.all();
    let (tunnel, forwarded) = asked.split_first().unwrap();
    assert!(tunnel.starts_with("CONNECT target.invalid:80 "), "{tunnel}");
    assert_eq!(forwarded.len(), 3);
    for head in forwarded {
        assert!(head.starts_with("GET http://target.invalid/path HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nhost: target.invalid\r\n"), "{head}");
        assert!(head.contains("\r\nproxy-authorization: Basic "), "{head}");
    }
    assert_eq!(proxy.connections.count(), 4, "the proxy may hang up behind each answer");
}

#[tokio::test]
async fn a_login_refused_without_a_tunnel_is_refused_by_the_proxy() {
    let answer = "HTTP/1.1 407 Who\r\ncontent-length: 0\r\n\r\n";
    let proxy = SmallProxy::start(Manner::Forwards(answer)).await;
    let client = through(&format!("http://127.0.0.1:{}", proxy.port));
    let fault = ask(&client, "http://target.invalid/").await.unwrap_err();
    assert_eq!(fault, ConnectionFault::ProxyLoginRefused);
}

#[tokio::test]
async fn other_refusals_of_a_tunnel_are_final() {
    let target = Target::plain().await;
    let says = [
        ("HTTP/1.1 502 Down\r\ncontent-length: 0\r\n\r\n", "proxy_refused"),
        ("HTTP/1.1 407 Who\r\ncontent-length: 0\r\n\r\n", "proxy_login_refused"),
        ("220 mail.example ESMTP\r\n\r\n", "proxy_refused"),
        ("", "proxy_unreachable"),
    ];
    for (answer, expected) in says {
        let proxy = SmallProxy::start(Manner::Says(answer)).await;
        assert_eq!(word("http", proxy.port, LONG, &target).await.0, expected);
        assert_eq!(proxy.asked.count(), 1, "asked once: {answer}");
    }
    let fault = refused(StatusCode::BAD_GATEWAY).unwrap_err();
    assert_eq!(fault.to_string(), "the proxy did not connect to the target: 502 Bad Gateway");
    assert_eq!(target.connections.count(), 0);
}
