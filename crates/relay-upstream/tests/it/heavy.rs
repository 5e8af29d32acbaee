//! Real proxies, one at a time.

mod http;
mod socks;

use http_body_util::BodyExt;
use relay_upstream::client::{Client, ConnectionFault};

use crate::kit::process::RealProxy;
use crate::kit::target::Target;
use crate::kit::{ask, get};

/// Kills the proxy in the middle of an answer: that is an error, and the next call does not find
/// another way.
async fn dies_in_the_middle(proxy: RealProxy, client: &Client, target: &Target) {
    let mut body = client.send(get(&target.url("/stream"))).await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "hello");
    let connections = target.connections.count();
    proxy.kill().await;
    assert!(body.frame().await.expect("no end as if all were said").is_err());
    let fault = ask(client, &target.url("/")).await.unwrap_err();
    assert!(matches!(fault, ConnectionFault::ProxyUnreachable(_)), "{fault}");
    assert_eq!(target.connections.count(), connections);
}
