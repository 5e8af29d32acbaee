//! Whose word about the client's address is taken.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::HOST;
use ipnet::IpNet;

/// The addresses of proxies in front of the relay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];
const PRIVATE: [&str; 5] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"];

const LINK_LOCAL: [&str; 2] = ["169.254.0.0/16", "fe80::/10"];

impl TrustedProxies {
    /// Reads CIDRs, addresses and the words `loopback` and `private`, separated by commas. Express,
    /// whose settings existing installations have, knows `uniquelocal` and `linklocal` too.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut nets = Vec::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "none" | "false" => {}
                "loopback" => nets.extend(named(&LOOPBACK)),
                "private" | "uniquelocal" => nets.extend(named(&PRIVATE)),
                "linklocal" => nets.extend(named(&LINK_LOCAL)),
                _ => {
                    let net =
                        word.parse::<IpNet>().or_else(|_| word.parse::<IpAddr>().map(IpNet::from));
                    nets.push(net.map_err(|_| format!("{word} is no address range"))?);
                }
            }
        }
        Ok(Self(nets))
    }

    /// Loopback and private addresses: what `TRUST_PROXY=true` of existing installations meant.
    pub fn loopback_and_private() -> Self {
        Self(named(&LOOPBACK).chain(named(&PRIVATE)).collect())
    }

    /// The ranges that are trusted.
    pub fn ranges(&self) -> &[IpNet] {
        &self.0
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.contains(&address))
    }

    /// The client's address: the peer's, or, told by a trusted peer, the right-most of
    /// `x-forwarded-for` that is not trusted itself. `x-real-ip` counts only without the former.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        let mut forwarded = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .peekable();
        if forwarded.peek().is_none() {
            let real = headers.get("x-real-ip").and_then(|value| value.to_str().ok());
            return real.and_then(parse_address).unwrap_or(peer);
        }
        let hops: Vec<&str> = forwarded.collect();
        let mut last = peer;
        for hop in hops.iter().rev() {
            match parse_address(hop) {
                Some(address) => last = address,
                None => break,
            }
            if !self.trusts(last) {
                break;
            }
        }
        last
    }

    /// Whether the client speaks HTTPS, as a trusted peer tells: the relay itself does not.
    pub fn is_https(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        self.told(peer, headers, "x-forwarded-proto")
            .is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
    }

    /// The host that the client asked for: what a trusted peer tells, else what the request says.
    pub fn asked_host<'h>(&self, peer: IpAddr, headers: &'h HeaderMap) -> Option<&'h str> {
        self.told(peer, headers, "x-forwarded-host").or_else(|| headers.get(HOST)?.to_str().ok())
    }

    /// What the outermost proxy says, if the nearest is trusted.
    fn told<'h>(&self, peer: IpAddr, headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
        let told = headers.get(name).filter(|_| self.trusts(peer))?.to_str().ok()?;
        told.split(',').next().map(str::trim).filter(|it| !it.is_empty())
    }

    /// Whether a request from `peer` claims an address that is not believed.
    pub fn is_strange(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        !self.trusts(peer)
            && (headers.contains_key("x-forwarded-for") || headers.contains_key("x-real-ip"))
    }
}

fn named(ranges: &'static [&'static str]) -> impl Iterator<Item = IpNet> {
    ranges.iter().filter_map(|range| range.parse().ok())
}

/// An address as proxies write it: bare, with a port, or in brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse::<IpAddr>()
        .or_else(|_| text.parse::<std::net::SocketAddr>().map(|socket| socket.ip()))
        .or_else(|_| text.trim_matches(['[', ']']).parse::<IpAddr>())
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trust: &str, peer: &str, headers: &[(&'static str, &str)]) -> String {
        let map = headers
            .iter()
            .map(|(name, value)| {
                (http::HeaderName::from_static(name), value.parse().expect("a header value"))
            })
            .collect();
        let trust = TrustedProxies::parse(trust).expect("ranges");
        trust.client_address(peer.parse().expect("an address"), &map).to_string()
    }

    #[test]
    fn a_strangers_claim_is_not_believed() {
        let claim = [("x-forwarded-for", "1.1.1.1")];
        assert_eq!(client("", "127.0.0.1", &claim), "127.0.0.1");
        assert_eq!(client("loopback", "9.9.9.9", &claim), "9.9.9.9");
        assert_eq!(client("loopback", "127.0.0.1", &claim), "1.1.1.1");
        assert_eq!(client("loopback", "::ffff:127.0.0.1", &claim), "1.1.1.1");
    }

    #[test]
    fn the_right_most_stranger_is_the_client() {
        let spoofed = [("x-forwarded-for", "6.6.6.6, 1.1.1.1, 10.0.0.5")];
        assert_eq!(client("loopback,private", "127.0.0.1", &spoofed), "1.1.1.1");
        let ports = [("x-forwarded-for", "[2001:db8::1]:4711")];
        assert_eq!(client("127.0.0.1", "127.0.0.1", &ports), "2001:db8::1");
        let garbage = [("x-forwarded-for", "1.1.1.1, unknown")];
        assert_eq!(client("loopback", "127.0.0.1", &garbage), "127.0.0.1");
    }

    #[test]
    fn the_real_ip_counts_only_alone() {
        let real = ("x-real-ip", "2.2.2.2");
        assert_eq!(client("loopback", "127.0.0.1", &[real]), "2.2.2.2");
        let both = [real, ("x-forwarded-for", "1.1.1.1")];
        assert_eq!(client("loopback", "127.0.0.1", &both), "1.1.1.1");
    }

    #[test]
    fn ranges_are_checked() {
        assert!(TrustedProxies::parse("10.0.0.0/8, loopback, ::1").is_ok());
        assert_eq!(
            TrustedProxies::parse("10.0.0.0/33"),
            Err("10.0.0.0/33 is no address range".into())
        );
    }
}
