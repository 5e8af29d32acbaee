//! Who has a port.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use crate::verbs::doctor::network::Port;

/// Where Linux tells of processes and sockets.
const PROC: &str = "/proc";
/// The state of a socket that listens, as `/proc/net/tcp` has it.
const LISTENS: &str = "0A";

/// Tries whether a relay could listen at an address, and lets go of it at once.
pub(super) fn look(address: SocketAddr) -> Port {
    match TcpListener::bind(address) {
        Ok(_) => Port::Free,
        Err(error) => match error.kind() {
            ErrorKind::AddrInUse => Port::Taken { by: holder(address.port()) },
            ErrorKind::PermissionDenied => Port::Forbidden,
            ErrorKind::AddrNotAvailable => Port::NoAddress,
            _ => Port::Fails(error.to_string()),
        },
    }
}

/// The process that listens on a port, where the system shows it to this user.
fn holder(port: u16) -> Option<(u32, String)> {
    let tables = ["net/tcp", "net/tcp6"].map(|name| Path::new(PROC).join(name));
    let tables = tables.iter().filter_map(|table| fs::read_to_string(table).ok());
    let sockets: Vec<String> = tables
        .flat_map(|table| listening(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = fs::read_dir(PROC).ok()?.filter_map(Result::ok);
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let process: u32 = numbers.find(|process| has_one(*process, &sockets))?;
    let name = fs::read_to_string(format!("{PROC}/{process}/comm")).unwrap_or_default();
    Some((process, name.trim().to_owned()))
}

/// The numbers of the sockets that listen on a port, out of the system's table.
fn listening(table: &str, port: u16) -> Vec<u64> {
    let ending = format!(":{port:04X}");
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listens = fields.get(1)?.ends_with(&ending) && *fields.get(3)? == LISTENS;
        listens.then(|| fields.get(9)?.parse().ok()).flatten()
    };
    table.lines().skip(1).filter_map(inode).collect()
}

/// Whether a process has one of these sockets open.
fn has_one(process: u32, sockets: &[String]) -> bool {
    let Ok(files) = fs::read_dir(format!("{PROC}/{process}/fd")) else { return false };
    let mut links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    links.any(|link| link.to_str().is_some_and(|link| sockets.iter().any(|it| it == link)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_told_with_who_has_it() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let Port::Taken { by: Some((process, name)) } = look(address) else {
            panic!("{:?}", look(address));
        };
        assert_eq!(process, std::process::id());
        assert!(!name.is_empty());
        drop(taken);
        assert_eq!(look(address), Port::Free);
    }

    #[test]
    fn an_address_of_another_machine_is_told() {
        // An address for documentation, which no machine has (RFC 5737).
        assert_eq!(look("192.0.2.1:0".parse().unwrap()), Port::NoAddress);
    }
}
