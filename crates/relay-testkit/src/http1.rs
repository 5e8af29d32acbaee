//! Just enough HTTP/1.1 for a server and a client that must control every byte on the wire.
//!
//! A library would mend what a test means to break: lengths, framing, the moment of each write.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The most that a message's head may take.
const HEAD_BYTES_MAX: usize = 1024 * 1024;
/// A body of a stated length up to this is read in one buffer.
const IN_PLACE_BYTES_MAX: u64 = 1024 * 1024;
/// Room that each read from the socket is given.
const READ_BYTES: usize = 16 * 1024;

/// The start line and headers of a message.
#[derive(Debug)]
pub(crate) struct Head {
    /// `POST /v1/messages HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub(crate) start: String,
    pub(crate) headers: HeaderMap,
}

/// How the end of a body is told, and how much of it is still to come.
#[derive(Debug)]
pub(crate) enum BodyEnd {
    /// After so many more bytes.
    Length(u64),
    /// At the chunk of no bytes; so many bytes of the present chunk are still to come.
    Chunked { left: u64 },
    /// When the peer closes.
    Close,
    /// It has been reached.
    Reached,
}

impl BodyEnd {
    /// What a request's headers say.
    pub(crate) fn of_request(headers: &HeaderMap) -> io::Result<Self> {
        Ok(Self::stated(headers)?.unwrap_or(Self::Reached))
    }

    /// What a response's headers say; without a word in them, the peer's closing is the end.
    pub(crate) fn of_response(headers: &HeaderMap) -> io::Result<Self> {
        Ok(Self::stated(headers)?.unwrap_or(Self::Close))
    }

    fn stated(headers: &HeaderMap) -> io::Result<Option<Self>> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if text(header::TRANSFER_ENCODING).is_some_and(|coding| coding.contains("chunked")) {
            return Ok(Some(Self::Chunked { left: 0 }));
        }
        text(header::CONTENT_LENGTH)
            .map(|length| length.parse().map(Self::Length).map_err(|_| bad("bad content-length")))
            .transpose()
    }
}

/// The reading side of a connection.
#[derive(Debug)]
pub(crate) struct Inbound<R> {
    source: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Inbound<R> {
    /// Reads from `source`.
    pub(crate) fn new(source: R) -> Self {
        Self { source, buffer: BytesMut::new() }
    }

    /// Reads the next head, or `None` if the peer closed before its first byte.
    pub(crate) async fn head(&mut self) -> io::Result<Option<Head>> {
        let end = loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if self.buffer.len() > HEAD_BYTES_MAX {
                return Err(bad("head too large"));
            }
            if self.fill().await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(cut()) };
            }
        };
        let head = self.buffer.split_to(end + 4);
        parse_head(&head[..end]).map(Some)
    }

    /// The next part of a body as it arrived, or `None` at its end.
    pub(crate) async fn piece(&mut self, end: &mut BodyEnd) -> io::Result<Option<Bytes>> {
        loop {
            match end {
                BodyEnd::Reached => return Ok(None),
                BodyEnd::Length(0) => *end = BodyEnd::Reached,
                BodyEnd::Length(left) => {
                    let piece = self.at_most(*left).await?;
                    *left -= piece.len() as u64;
                    return Ok(Some(piece));
                }
                BodyEnd::Chunked { left: 0 } => match self.chunk_size().await? {
                    0 => *end = BodyEnd::Reached,
                    size => *end = BodyEnd::Chunked { left: size },
                },
                BodyEnd::Chunked { left } => {
                    let piece = self.at_most(*left).await?;
                    *left -= piece.len() as u64;
                    if *left == 0 {
                        self.expect_line_end().await?;
                    }
                    return Ok(Some(piece));
                }
                BodyEnd::Close => {
                    if self.buffer.is_empty() && self.fill().await? == 0 {
                        *end = BodyEnd::Reached;
                        return Ok(None);
                    }
                    return Ok(Some(self.buffer.split().freeze()));
                }
            }
        }
    }

    /// Reads a body to its end.
    pub(crate) async fn body(&mut self, mut end: BodyEnd) -> io::Result<Bytes> {
        if let BodyEnd::Length(length @ ..=IN_PLACE_BYTES_MAX) = end {
            return self.exactly(length).await;
        }
        let mut whole = BytesMut::new();
        while let Some(piece) = self.piece(&mut end).await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// Returns when the peer has closed or reset; what it sends until then is kept for later.
    pub(crate) async fn peer_left(&mut self) {
        // An answer may last long, and thousands at a time: hold no room for what rarely comes.
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        while self.source.read_buf(&mut self.buffer).await.is_ok_and(|read| read > 0) {}
    }

    /// Everything until the peer closes, as it comes.
    pub(crate) async fn rest(&mut self) -> io::Result<Bytes> {
        while self.fill().await? > 0 {}
        Ok(self.buffer.split().freeze())
    }

    /// Some bytes as soon as there are any; empty when the peer has closed.
    pub(crate) async fn some(&mut self) -> io::Result<Bytes> {
        if self.buffer.is_empty() {
            self.fill().await?;
        }
        Ok(self.buffer.split().freeze())
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.reserve(READ_BYTES);
        self.source.read_buf(&mut self.buffer).await
    }

    async fn at_most(&mut self, most: u64) -> io::Result<Bytes> {
        if self.buffer.is_empty() && self.fill().await? == 0 {
            return Err(cut());
        }
        let take = usize::try_from(most).unwrap_or(usize::MAX).min(self.buffer.len());
        Ok(self.buffer.split_to(take).freeze())
    }

    /// So many bytes, without copying them.
    async fn exactly(&mut self, length: u64) -> io::Result<Bytes> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.buffer.reserve(length.saturating_sub(self.buffer.len()));
        while self.buffer.len() < length {
            if self.fill().await? == 0 {
                return Err(cut());
            }
        }
        Ok(self.buffer.split_to(length).freeze())
    }

    /// Reads a chunk's size line; after the last chunk, the trailers too.
    async fn chunk_size(&mut self) -> io::Result<u64> {
        let line = self.line().await?;
        let digits = line.split(';').next().unwrap_or("").trim();
        let size = u64::from_str_radix(digits, 16).map_err(|_| bad("bad chunk size"))?;
        if size == 0 {
            while !self.line().await?.is_empty() {}
        }
        Ok(size)
    }

    async fn expect_line_end(&mut self) -> io::Result<()> {
        if self.line().await?.is_empty() { Ok(()) } else { Err(bad("chunk longer than stated")) }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.advance(end + 2);
                return Ok(line);
            }
            if self.buffer.len() > HEAD_BYTES_MAX {
                return Err(bad("line too long"));
            }
            if self.fill().await? == 0 {
                return Err(cut());
            }
        }
    }
}

/// Adds a header line to a head.
pub(crate) fn write_header(head: &mut String, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        head.push_str(part);
    }
}

/// Adds `data` to `out` as one chunk.
pub(crate) fn write_chunk(data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// The chunk that ends a body.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

fn parse_head(head: &[u8]) -> io::Result<Head> {
    let text = std::str::from_utf8(head).map_err(|_| bad("head is not UTF-8"))?;
    let mut lines = text.split("\r\n");
    let start = lines.next().unwrap_or("").to_owned();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| bad("header without a colon"))?;
        let name: HeaderName = name.parse().map_err(|_| bad("bad header name"))?;
        let value: HeaderValue = value.trim().parse().map_err(|_| bad("bad header value"))?;
        headers.append(name, value);
    }
    Ok(Head { start, headers })
}

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "closed before the end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn chunks_and_trailers_are_read_and_what_follows_is_kept() {
        let wire =
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nt: 1\r\n\r\nGET";
        let mut inbound = Inbound::new(&wire[..]);
        let head = inbound.head().await.unwrap().unwrap();
        assert_eq!(head.start, "POST / HTTP/1.1");
        let end = BodyEnd::of_request(&head.headers).unwrap();
        assert_eq!(inbound.body(end).await.unwrap(), "abcde");
        assert_eq!(inbound.rest().await.unwrap(), "GET");
    }

    #[tokio::test]
    async fn a_body_that_ends_early_is_an_error() {
        let mut inbound = Inbound::new(&b"abc"[..]);
        let error = inbound.body(BodyEnd::Length(4)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
