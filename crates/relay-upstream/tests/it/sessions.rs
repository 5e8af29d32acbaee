//! Two clients are two strangers to a target.

use rustls::HandshakeKind;

use crate::kit::proxy::{Manner, SmallProxy};
use crate::kit::target::Target;
use crate::kit::{LONG, ask, client, hello};

#[tokio::test]
async fn a_client_resumes_its_own_sessions_and_no_others() {
    let target = Target::secure().await;
    let proxy = SmallProxy::start(Manner::Connects { login: None, to: target.port }).await;
    let proxy = format!("http://127.0.0.1:{}", proxy.port);
    for way in [None, Some(proxy.as_str())] {
        let before = target.handshakes.count();
        let (one, other) = (client(way, LONG), client(way, LONG));
        for client in [&one, &one, &other, &other] {
            assert_eq!(ask(client, &target.url("/last")).await, hello());
        }
        let (anew, resumed) = (HandshakeKind::Full, HandshakeKind::Resumed);
        assert_eq!(target.handshakes.all()[before..], [anew, resumed, anew, resumed]);
    }
}

#[tokio::test]
async fn two_clients_share_no_connection() {
    let target = Target::plain().await;
    let (one, other) = (client(None, LONG), client(None, LONG));
    for client in [&one, &one, &other, &other.clone()] {
        assert_eq!(ask(client, &target.url("/")).await, hello());
    }
    assert_eq!((target.connections.count(), target.heads.count()), (2, 4));
}
