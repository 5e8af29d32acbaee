//! Rules as people write them.

use std::net::IpAddr;

use ipnet::IpNet;
use relay_core::model::ModelPattern;

use super::{RulesError, client_named};

/// A text that is no address and no range of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address or a range of them, such as 192.0.2.7 or 10.0.0.0/8")]
pub struct ParseAddressesError;

/// Reads one address, or a range of them.
pub fn addresses(text: &str) -> Result<IpNet, ParseAddressesError> {
    let text = text.trim();
    let range = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    range.map(|range: IpNet| canonical(range.trunc())).map_err(|_| ParseAddressesError)
}

/// Reads names and patterns of models; empty ones are none.
pub fn model_patterns(list: &[String]) -> Vec<ModelPattern> {
    let names = list.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    names.map(ModelPattern::new).collect()
}

/// The ids of the clients that are meant, each once; `own` are those that settings add.
pub fn client_ids(list: &[String], own: &[&str]) -> Result<Vec<String>, RulesError> {
    let mut ids = Vec::new();
    for name in list.iter().filter(|name| !name.trim().is_empty()) {
        let id = client_named(name, own)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// A range of IPv4 addresses that is written as one of IPv6, as what it stands for: so are the
/// addresses that it is compared with.
fn canonical(range: IpNet) -> IpNet {
    const MAPPED_BITS: u8 = 96;
    let mapped = match range {
        IpNet::V6(range) => {
            range.addr().to_ipv4_mapped().zip(range.prefix_len().checked_sub(MAPPED_BITS))
        }
        IpNet::V4(_) => None,
    };
    mapped.and_then(|(address, bits)| IpNet::new(address.into(), bits).ok()).unwrap_or(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_what_it_stands_for() {
        let read = |text: &str| addresses(text).map(|range| range.to_string());
        assert_eq!(read("10.1.2.3/8").as_deref(), Ok("10.0.0.0/8"));
        assert_eq!(read("::ffff:10.0.0.0/104").as_deref(), Ok("10.0.0.0/8"));
        assert_eq!(read("::ffff:192.0.2.7").as_deref(), Ok("192.0.2.7/32"));
        assert_eq!(read("2001:db8::/32").as_deref(), Ok("2001:db8::/32"));
        assert!(read("10.0.0.0/33").is_err());
    }
}
