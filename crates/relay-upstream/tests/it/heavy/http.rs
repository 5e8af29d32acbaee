//! tinyproxy.

use http::StatusCode;
use relay_upstream::client::{ConnectionFault, ProxyReply};

use super::dies_in_the_middle;
use crate::kit::process::{RealProxy, free_port};
use crate::kit::target::Target;
use crate::kit::{ask, hello, through};

const LOGIN: &str = "BasicAuth some.user a-Pass_word.1";

fn with_login(proxy: &RealProxy, login: &str) -> String {
    format!("http://{login}@127.0.0.1:{}", proxy.port)
}

fn without_login(proxy: &RealProxy) -> String {
    format!("http://127.0.0.1:{}", proxy.port)
}

#[tokio::test]
async fn a_tunnel_is_used_again() {
    let proxy = RealProxy::tinyproxy(&[]).await;
    for target in [Target::plain().await, Target::secure().await] {
        let client = through(&without_login(&proxy));
        for path in ["/a", "/b", "/c"] {
            assert_eq!(ask(&client, &target.url(path)).await, hello());
        }
        assert_eq!((target.connections.count(), target.heads.count()), (1, 3));
        assert!(
            target.heads.all()[0].starts_with("GET /a HTTP/1.1\r\n"),
            "no absolute form inside"
        );
    }
}

#[tokio::test]
async fn the_right_login_is_let_in_and_no_other() {
    let proxy = RealProxy::tinyproxy(&[LOGIN]).await;
    for target in [Target::plain().await, Target::secure().await] {
        let client = through(&with_login(&proxy, "some.user:a-Pass_word.1"));
        assert_eq!(ask(&client, &target.url("/")).await, hello());
        let strangers = [with_login(&proxy, "some.user:wrong"), without_login(&proxy)];
        for stranger in strangers {
            let fault = ask(&through(&stranger), &target.url("/")).await.unwrap_err();
            assert_eq!(fault, ConnectionFault::ProxyLoginRefused);
        }
        assert_eq!(target.connections.count(), 1);
    }
}

#[tokio::test]
async fn plain_targets_are_reached_without_a_tunnel_where_none_is_opened() {
    let proxy = RealProxy::tinyproxy(&[LOGIN, "ConnectPort 443"]).await;
    let (plain, secure) = (Target::plain().await, Target::secure().await);
    let client = through(&with_login(&proxy, "some.user:a-Pass_word.1"));
    for _ in 0..2 {
        assert_eq!(ask(&client, &plain.url("/path?query")).await, hello());
    }
    for head in plain.heads.all() {
        let head = head.to_lowercase();
        assert!(head.starts_with("get /path?query http/1.1\r\n"), "{head}");
        assert!(!head.contains("proxy-authorization"), "{head}");
    }
    // There is no such way to a target within TLS.
    let forbidden = ConnectionFault::ProxyRefused(ProxyReply::Status(StatusCode::FORBIDDEN));
    assert_eq!(ask(&client, &secure.url("/")).await, Err(forbidden));
    assert_eq!(secure.connections.count(), 0);

    let stranger = through(&with_login(&proxy, "some.user:wrong"));
    let fault = ask(&stranger, &plain.url("/")).await.unwrap_err();
    assert_eq!(fault, ConnectionFault::ProxyLoginRefused);
    assert_eq!(plain.heads.count(), 2);
}

#[tokio::test]
async fn a_proxy_that_dies_in_the_middle_is_noticed() {
    for lines in [[].as_slice(), &["ConnectPort 443"]] {
        let proxy = RealProxy::tinyproxy(lines).await;
        let client = through(&without_login(&proxy));
        dies_in_the_middle(proxy, &client, &Target::plain().await).await;
    }
    let proxy = RealProxy::tinyproxy(&[]).await;
    let client = through(&without_login(&proxy));
    dies_in_the_middle(proxy, &client, &Target::secure().await).await;
}

#[tokio::test]
async fn a_target_that_is_not_there_is_what_the_proxy_says() {
    let proxy = RealProxy::tinyproxy(&[]).await;
    let client = through(&without_login(&proxy));
    let fault = ask(&client, &format!("https://127.0.0.1:{}/", free_port().await)).await;
    let down = ProxyReply::Status(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(fault, Err(ConnectionFault::ProxyRefused(down)));
}
