//! Whether a relay runs, where it listens or would, and whom it believes.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::{Check, Finding};
use crate::text::{retold, spoken, tr};

/// A shorter prefix of an IPv4 range is more than anybody's proxies have.
const PREFIX_LEAST_V4: u8 = 8;
/// The same for IPv6, whose private addresses are a range of 7.
const PREFIX_LEAST_V6: u8 = 7;

/// Whether a relay runs on the data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// None does.
    None,
    /// One does, and answers commands.
    Running {
        /// Its process.
        process: Option<u32>,
        /// Where it listens.
        address: Option<SocketAddr>,
        /// What it says of itself.
        health: Health,
    },
    /// One holds the directory and does not answer.
    Mute {
        /// Its process.
        process: Option<u32>,
    },
}

/// What a relay says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// That it is well.
    Well,
    /// Another word: `degraded`, `full`, `stopping`.
    Says(String),
    /// Nothing, for this reason.
    Silent(String),
}

/// What there is at the address where a relay would listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// Nothing: it could listen.
    Free,
    /// Another program.
    Taken {
        /// Its process and its name, where that can be seen.
        by: Option<(u32, String)>,
    },
    /// The system permits this port to root alone.
    Forbidden,
    /// The machine has no such address.
    NoAddress,
    /// It cannot listen there for another reason.
    Fails(String),
}

/// Judges the server.
pub fn judge_server(server: &Server) -> Finding {
    let check = Check::Server;
    let named = |process: &Option<u32>| process.map_or_else(String::new, |it| it.to_string());
    match server {
        Server::None => {
            let what = tr!("no relay runs on this directory");
            Finding::note(check, what).to_do(tr!("start it with `crs serve`"))
        }
        Server::Mute { process } => {
            let what = tr!(
                "a relay holds the directory and answers no commands (process {process}): it is \
                 starting, stopping or stuck",
                process = named(process)
            );
            let to_do = tr!("try again in a minute; if it stays, see its log and restart it");
            Finding::wrong(check, what, to_do)
        }
        Server::Running { process, address, health } => {
            let process = named(process);
            let address = address.map_or_else(String::new, |it| it.to_string());
            match health {
                Health::Well => {
                    let what = tr!(
                        "runs as process {process} on {address}, and is well",
                        process,
                        address
                    );
                    Finding::well(check, what)
                }
                Health::Says(word) => said(word),
                Health::Silent(why) => {
                    let what =
                        tr!("it runs, but nothing answers at {address}: {why}", address, why);
                    let to_do = tr!("see whether a firewall is in the way, and what its log says");
                    Finding::wrong(check, what, to_do)
                }
            }
        }
    }
}

fn said(word: &str) -> Finding {
    let check = Check::Server;
    match word {
        "stopping" => Finding::note(check, tr!("it is stopping")),
        "full" => {
            let what = tr!("its disk is full, and it takes no calls");
            Finding::wrong(check, what, tr!("make room on the disk of the data directory"))
        }
        "degraded" => {
            let what =
                tr!("it serves, but its database takes no records; they wait in the journal");
            Finding::wrong(check, what, tr!("see what the relay's log says of the database"))
        }
        other => {
            let what = tr!("what answers there is not well: {word}", word = other);
            Finding::wrong(check, what, tr!("see the relay's log"))
        }
    }
}

/// Judges the address where a relay would listen, as no relay of this directory does.
pub fn judge_port(address: SocketAddr, port: &Port) -> Finding {
    let check = Check::Port;
    match port {
        Port::Free if address.port() == 0 => {
            Finding::well(check, tr!("PORT=0: a free one is taken"))
        }
        Port::Free if address.ip().is_loopback() => {
            let what =
                tr!("{address} is free; only programs of this machine will reach it", address);
            Finding::note(check, what)
        }
        Port::Free => Finding::well(check, tr!("{address} is free", address)),
        Port::Taken { by } => {
            let what = match by {
                Some((process, name)) => {
                    tr!("{address} is taken by {name} (process {process})", address, name, process)
                }
                None => tr!("{address} is taken by another program", address),
            };
            Finding::wrong(check, what, tr!("stop that program, or set PORT to another port"))
        }
        Port::Forbidden => {
            let what = tr!("the system permits port {port} to root alone", port = address.port());
            Finding::wrong(check, what, tr!("set PORT to one above 1023, with a proxy in front"))
        }
        Port::NoAddress => {
            let what = tr!("this machine has no address {host}", host = address.ip());
            Finding::wrong(
                check,
                what,
                tr!("set HOST to 0.0.0.0, to 127.0.0.1 or to one of its own"),
            )
        }
        Port::Fails(why) => {
            let what = tr!(
                "the relay cannot listen on {address}: {why}",
                address,
                why = retold(why, spoken())
            );
            Finding::wrong(check, what, tr!("set HOST and PORT to where it can"))
        }
    }
}

/// Judges where a running relay listens.
pub fn judge_listening(address: SocketAddr) -> Finding {
    let check = Check::Port;
    if address.ip().is_loopback() {
        let what = tr!("{address} is reached by programs of this machine alone", address);
        let to_do = tr!("for others, set HOST=0.0.0.0 or put a proxy in front");
        return Finding::note(check, what).to_do(to_do);
    }
    Finding::well(check, tr!("the relay has it: {address}", address))
}

/// Whether a running relay was told of clients' addresses by somebody who is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strangers {
    /// It was.
    Seen,
    /// Not since its start, or no relay runs.
    Unseen,
}

/// Judges whose word about clients' addresses is taken by a relay that listens on `host`.
pub fn judge_trusted(ranges: &[IpNet], host: IpAddr, strangers: Strangers) -> Finding {
    let check = Check::TrustedProxies;
    let is_wide = |range: &&IpNet| match range {
        IpNet::V4(range) => range.prefix_len() < PREFIX_LEAST_V4,
        IpNet::V6(range) => range.prefix_len() < PREFIX_LEAST_V6,
    };
    if let Some(wide) = ranges.iter().find(is_wide) {
        let what = tr!(
            "TRUST_PROXY has {range}, which is nearly everybody: any client can claim any address",
            range = wide
        );
        let to_do =
            tr!("name only your own proxies, such as TRUST_PROXY=loopback or 172.18.0.0/16");
        return Finding::wrong(check, what, to_do);
    }
    if strangers == Strangers::Seen {
        let what =
            tr!("somebody who is not trusted named clients' addresses; they were not believed");
        let to_do = tr!("if that is your own proxy, add its address to TRUST_PROXY");
        return Finding::note(check, what).to_do(to_do);
    }
    if ranges.is_empty() {
        let what = tr!("none: a client's address is that of its connection");
        return Finding::well(check, what);
    }
    let trusts_loopback = ranges.iter().any(|range| range.addr().is_loopback());
    if host.is_loopback() && !trusts_loopback {
        let what =
            tr!("TRUST_PROXY has no loopback address, yet only this machine reaches the relay");
        let to_do = tr!("add the word loopback to TRUST_PROXY");
        return Finding::note(check, what).to_do(to_do);
    }
    let ranges: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    Finding::well(check, ranges.join(", "))
}
