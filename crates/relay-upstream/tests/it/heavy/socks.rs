//! microsocks.

use relay_upstream::client::{ConnectionFault, ProxyReply};

use super::dies_in_the_middle;
use crate::kit::process::{RealProxy, free_port};
use crate::kit::target::Target;
use crate::kit::{ask, hello, through};

const SCHEMES: [&str; 2] = ["socks5", "socks5h"];

#[tokio::test]
async fn a_connection_is_used_again() {
    let proxy = RealProxy::microsocks(None).await;
    for target in [Target::plain().await, Target::secure().await] {
        for scheme in SCHEMES {
            let before = target.connections.count();
            let client = through(&format!("{scheme}://127.0.0.1:{}", proxy.port));
            for path in ["/a", "/b", "/c"] {
                assert_eq!(ask(&client, &target.named("localhost", path)).await, hello());
            }
            assert_eq!(target.connections.count(), before + 1);
        }
    }
}

#[tokio::test]
async fn a_login_of_any_characters_is_let_in_and_no_other() {
    let proxy = RealProxy::microsocks(Some(("u@/空", "p@:/#%空?"))).await;
    let target = Target::secure().await;
    for scheme in SCHEMES {
        for login in ["u@/空:p@:/#%空?", "u%40%2F空:p%40%3A%2F%23%25%E7%A9%BA%3F"] {
            let client = through(&format!("{scheme}://{login}@127.0.0.1:{}", proxy.port));
            assert_eq!(ask(&client, &target.url("/")).await, hello());
        }
        for login in ["u@/空:p@:/#%空@", ""] {
            let stranger = through(&format!("{scheme}://{login}@127.0.0.1:{}", proxy.port));
            let fault = ask(&stranger, &target.url("/")).await.unwrap_err();
            assert_eq!(fault, ConnectionFault::ProxyLoginRefused);
        }
    }
    assert_eq!(target.connections.count(), 4);
}

#[tokio::test]
async fn a_login_that_the_proxy_does_not_want_does_no_harm() {
    let (proxy, target) = (RealProxy::microsocks(None).await, Target::plain().await);
    let client = through(&format!("socks5h://some:login@127.0.0.1:{}", proxy.port));
    assert_eq!(ask(&client, &target.url("/")).await, hello());
}

#[tokio::test]
async fn a_proxy_that_dies_in_the_middle_is_noticed() {
    for target in [Target::plain().await, Target::secure().await] {
        let proxy = RealProxy::microsocks(None).await;
        let client = through(&format!("socks5h://127.0.0.1:{}", proxy.port));
        dies_in_the_middle(proxy, &client, &target).await;
    }
}

#[tokio::test]
async fn a_target_that_is_not_there_is_what_the_proxy_says() {
    let proxy = RealProxy::microsocks(None).await;
    let client = through(&format!("socks5://127.0.0.1:{}", proxy.port));
    let fault = ask(&client, &format!("https://127.0.0.1:{}/", free_port().await)).await;
    assert_eq!(fault, Err(ConnectionFault::ProxyRefused(ProxyReply::Socks(5))));
}
