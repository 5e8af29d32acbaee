//! Proxies of a few lines, for what real ones cannot be made to do.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{Seen, read_head};

/// What a small proxy does with those who come.
#[derive(Clone)]
pub(crate) enum Manner {
    /// Lets clients with this `user:password` through to this port, whatever name they ask for.
    Connects { login: Option<&'static str>, to: u16 },
    /// The same, in SOCKS 5.
    Socks { login: Option<(&'static str, &'static str)>, to: u16 },
    /// Answers every request with these bytes and hangs up.
    Says(&'static str),
    /// Opens no tunnel; answers other requests with these bytes, as often as they come.
    Forwards(&'static str),
    /// Says nothing.
    Silent,
}

/// What a proxy says that will not.
pub(crate) const FORBIDDEN: &str = "HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n";

/// A small proxy on a port of its own.
#[derive(Clone)]
pub(crate) struct SmallProxy {
    pub(crate) port: u16,
    manner: Manner,
    tls: Option<TlsAcceptor>,
    /// What it was asked for: heads of HTTP, destinations of SOCKS.
    pub(crate) asked: Seen<String>,
    /// The connections that came.
    pub(crate) connections: Seen<()>,
}

impl SmallProxy {
    pub(crate) async fn start(manner: Manner) -> Self {
        Self::begin(manner, None).await
    }

    pub(crate) async fn within_tls(manner: Manner, tls: TlsAcceptor) -> Self {
        Self::begin(manner, Some(tls)).await
    }

    async fn begin(manner: Manner, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, connections) = (Seen::default(), Seen::default());
        let proxy = Self { port, manner, tls, asked, connections };
        let accepting = proxy.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepting.connections.note(());
                tokio::spawn(accepting.clone().secure_and_serve(stream));
            }
        });
        proxy
    }

    async fn secure_and_serve(self, stream: TcpStream) {
        match &self.tls {
            None => drop(self.serve(stream).await),
            Some(tls) => {
                if let Ok(stream) = tls.accept(stream).await {
                    self.serve(stream).await;
                }
            }
        }
    }

    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Option<()> {
        match self.manner {
            Manner::Connects { login, to } => {
                let head = self.read_request(&mut stream).await?;
                let answer = match login {
                    Some(login) if told_login(&head).as_deref() != Some(login) => {
                        "HTTP/1.1 407 Who Are You\r\n\r\n"
                    }
                    _ => "HTTP/1.1 200 Connection established\r\n\r\n",
                };
                stream.write_all(answer.as_bytes()).await.ok()?;
                if answer.contains(" 200 ") {
                    pass(&mut stream, to).await?;
                }
            }
            Manner::Socks { login, to } => {
                let destination = socks(&mut stream, login).await?;
                self.asked.note(destination);
                pass(&mut stream, to).await?;
            }
            Manner::Says(answer) => {
                self.read_request(&mut stream).await?;
                stream.write_all(answer.as_bytes()).await.ok()?;
            }
            Manner::Forwards(answer) => loop {
                let tunnel = self.read_request(&mut stream).await?.starts_with("CONNECT ");
                let answer = if tunnel { FORBIDDEN } else { answer };
                stream.write_all(answer.as_bytes()).await.ok()?;
            },
            Manner::Silent => std::future::pending().await,
        }
        stream.shutdown().await.ok()
    }

    async fn read_request(&self, stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
        let head = read_head(stream).await?;
        self.asked.note(head.clone());
        Some(head)
    }
}

async fn pass(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), to: u16) -> Option<()> {
    let mut target = TcpStream::connect(("127.0.0.1", to)).await.ok()?;
    copy_bidirectional(stream, &mut target).await.ok().map(drop)
}

fn told_login(head: &str) -> Option<String> {
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization").then_some(value)
    })?;
    let login = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
    String::from_utf8(login).ok()
}

/// The other side of RFC 1928 and 1929: the destination asked for, as text.
async fn socks(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    login: Option<(&str, &str)>,
) -> Option<String> {
    assert_eq!(stream.read_u8().await.ok()?, 5);
    let methods = read_short(stream).await?;
    let method = if login.is_some() { 2 } else { 0 };
    assert!(methods.contains(&method));
    stream.write_all(&[5, method]).await.ok()?;
    if let Some((user, password)) = login {
        assert_eq!(stream.read_u8().await.ok()?, 1);
        let told = (read_short(stream).await?, read_short(stream).await?);
        let fits = told == (user.as_bytes().to_vec(), password.as_bytes().to_vec());
        stream.write_all(&[1, u8::from(!fits)]).await.ok()?;
        if !fits {
            return None;
        }
    }
    let mut request = [0; 4];
    stream.read_exact(&mut request).await.ok()?;
    let host = match request {
        [5, 1, 0, 3] => String::from_utf8(read_short(stream).await?).unwrap(),
        [5, 1, 0, 1] => std::net::Ipv4Addr::from(stream.read_u32().await.ok()?).to_string(),
        _ => panic!("a request that no test makes: {request:?}"),
    };
    let port = stream.read_u16().await.ok()?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok()?;
    Some(format!("{host}:{port}"))
}

async fn read_short(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::from(stream.read_u8().await.ok()?)];
    stream.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}
