//! Which loopback address stands for what a client asks for.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use parking_lot::Mutex;

/// A table of names and foreign addresses, all of which lead to loopback.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashMap<String, Place>>);

#[derive(Debug, Clone, Copy)]
struct Place {
    address: IpAddr,
    /// Reached whichever port was asked for.
    port: Option<u16>,
}

impl Names {
    pub(super) fn add(&self, host: &str, address: &str) {
        let place = match (address.parse::<SocketAddr>(), address.parse::<IpAddr>()) {
            (Ok(socket), _) => Place { address: socket.ip(), port: Some(socket.port()) },
            (_, Ok(address)) => Place { address, port: None },
            _ => panic!("{address:?} is no address"),
        };
        assert!(place.address.is_loopback(), "{address} is no loopback address");
        self.0.lock().insert(host.to_ascii_lowercase(), place);
    }

    /// Where a host is reached; `None` if that is nowhere on loopback.
    pub(super) fn find(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let host = host.to_ascii_lowercase();
        if let Some(place) = self.0.lock().get(&host) {
            return Some(SocketAddr::new(place.address, place.port.unwrap_or(port)));
        }
        let address = match host.as_str() {
            "localhost" => Some(IpAddr::from(Ipv4Addr::LOCALHOST)),
            other => other.parse().ok(),
        };
        address.filter(IpAddr::is_loopback).map(|address| SocketAddr::new(address, port))
    }
}
