//! A port where nobody listens.

use std::io;

use tokio::net::TcpSocket;

/// A loopback port that is taken and refuses every connection, as long as this lives.
#[derive(Debug)]
pub struct ClosedPort {
    /// Bound and never listening.
    _socket: TcpSocket,
    port: u16,
}

impl ClosedPort {
    /// Takes a free port.
    pub fn reserve() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        let port = socket.local_addr()?.port();
        Ok(Self { _socket: socket, port })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
