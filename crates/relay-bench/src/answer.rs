//! Reads answers of HTTP/1.1 as they arrive: the head, and a body of a stated length or in chunks.
//!
//! Any split of the bytes gives the same body. What is malformed is an error, so that an answer
//! counts as one only if it came whole.

use std::io;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The most that a head may take.
const HEAD_BYTES_MAX: usize = 64 * 1_024;
/// Headers in a head.
const HEADERS_MAX: usize = 64;
/// How long an answer to [`ask`] may take.
const ASK_WITHIN: Duration = Duration::from_secs(5);

/// Why what came is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// The head is not one of HTTP/1.1, or too long.
    #[error("the head of the answer cannot be read")]
    Head,
    /// Neither a length nor chunks: its end could not be told from a broken connection.
    #[error("the answer does not say where it ends")]
    Endless,
    /// A chunk has no sound length, or does not end where it should.
    #[error("a chunk of the answer is malformed")]
    Chunk,
    /// More came than the answer has.
    #[error("bytes follow the answer")]
    Surplus,
}

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More is to come.
    Partial,
    /// It is whole.
    Whole,
}

/// One answer after the other on a connection.
#[derive(Debug, Default)]
pub(crate) struct AnswerReader {
    head: Vec<u8>,
    state: State,
    status: u16,
    closes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Head,
    /// So many bytes of the body are to come.
    Length(u64),
    /// Within the line that tells a chunk's size.
    Size(SizeLine),
    /// So many bytes of a chunk are to come.
    Chunk(u64),
    /// So many bytes of the line end after a chunk are to come.
    ChunkEnd(u8),
    /// Within the lines after the last chunk; so many bytes of the present one were there.
    Trailer(usize),
    Whole,
}

/// What has come of the line that tells a chunk's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct SizeLine {
    size: u64,
    digits: u8,
    /// Whether what follows is not part of the number: an extension, or the line end.
    behind: bool,
}

impl AnswerReader {
    /// The status of the answer; 0 before its head is whole.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// Whether the other side closes the connection after the answer.
    pub(crate) fn closes(&self) -> bool {
        self.closes
    }

    /// Makes ready for the next answer.
    pub(crate) fn begin(&mut self) {
        self.head.clear();
        (self.state, self.status, self.closes) = (State::Head, 0, false);
    }

    /// Takes the next bytes; those of the body go to `body`.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        body: &mut impl FnMut(&[u8]),
    ) -> Result<Progress, Malformed> {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Head => self.take_head(bytes)?,
                State::Length(left) => {
                    let (left, later) = pass_on(bytes, left, body);
                    self.state = if left == 0 { State::Whole } else { State::Length(left) };
                    later
                }
                State::Size(line) => self.take_size(bytes, line)?,
                State::Chunk(left) => {
                    let (left, later) = pass_on(bytes, left, body);
                    self.state = if left == 0 { State::ChunkEnd(2) } else { State::Chunk(left) };
                    later
                }
                State::ChunkEnd(left) => self.take_chunk_end(bytes, left)?,
                State::Trailer(length) => self.take_trailer(bytes, length),
                State::Whole => return Err(Malformed::Surplus),
            };
        }
        Ok(if self.state == State::Whole { Progress::Whole } else { Progress::Partial })
    }

    fn take_head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let from = before.saturating_sub(3);
        let Some(end) = memchr::memmem::find(&self.head[from..], b"\r\n\r\n") else {
            let fits = self.head.len() <= HEAD_BYTES_MAX;
            return if fits { Ok(&[]) } else { Err(Malformed::Head) };
        };
        let end = from + end + 4;
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let parsed = head.parse(&self.head[..end]).map_err(|_| Malformed::Head)?;
        if parsed.is_partial() {
            return Err(Malformed::Head);
        }
        self.status = head.code.ok_or(Malformed::Head)?;
        let value = |name: &str| {
            let named = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            named.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
        };
        self.closes = value("connection").is_some_and(|it| it.eq_ignore_ascii_case("close"));
        self.state = if value("transfer-encoding").is_some_and(|it| it.contains("chunked")) {
            State::Size(SizeLine::default())
        } else {
            match value("content-length").and_then(|length| length.parse().ok()) {
                Some(0) => State::Whole,
                Some(length) => State::Length(length),
                None => return Err(Malformed::Endless),
            }
        };
        Ok(&bytes[end - before..])
    }

    fn take_size<'a>(
        &mut self,
        bytes: &'a [u8],
        mut line: SizeLine,
    ) -> Result<&'a [u8], Malformed> {
        for (at, byte) in bytes.iter().enumerate() {
            match (*byte, char::from(*byte).to_digit(16)) {
                (b'\n', _) if line.digits == 0 => return Err(Malformed::Chunk),
                (b'\n', _) => {
                    self.state =
                        if line.size == 0 { State::Trailer(0) } else { State::Chunk(line.size) };
                    return Ok(&bytes[at + 1..]);
                }
                (_, Some(digit)) if !line.behind => {
                    line.digits += 1;
                    line.size = line.size << 4 | u64::from(digit);
                    if line.digits > 15 {
                        return Err(Malformed::Chunk);
                    }
                }
                (b';' | b' ' | b'\r', _) => line.behind = true,
                _ if line.behind => {}
                _ => return Err(Malformed::Chunk),
            }
        }
        self.state = State::Size(line);
        Ok(&[])
    }

    fn take_chunk_end<'a>(&mut self, bytes: &'a [u8], left: u8) -> Result<&'a [u8], Malformed> {
        if bytes[0] != b"\n\r"[usize::from(left) - 1] {
            return Err(Malformed::Chunk);
        }
        self.state =
            if left == 1 { State::Size(SizeLine::default()) } else { State::ChunkEnd(left - 1) };
        Ok(&bytes[1..])
    }

    fn take_trailer<'a>(&mut self, bytes: &'a [u8], length: usize) -> &'a [u8] {
        self.state = match bytes[0] {
            b'\n' if length == 0 => State::Whole,
            b'\n' => State::Trailer(0),
            b'\r' => State::Trailer(length),
            _ => State::Trailer(length + 1),
        };
        &bytes[1..]
    }
}

/// Hands what there is of `left` bytes on; how many are left, and what comes behind them.
fn pass_on<'a>(bytes: &'a [u8], left: u64, body: &mut impl FnMut(&[u8])) -> (u64, &'a [u8]) {
    let upto = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    let (now, later) = bytes.split_at(upto);
    body(now);
    (left - now.len() as u64, later)
}

/// Sends one request on a connection of its own; the status and body of its answer.
pub(crate) fn ask(address: SocketAddr, request: &[u8]) -> io::Result<(u16, Vec<u8>)> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(ASK_WITHIN))?;
    socket.write_all(request)?;
    let (mut reader, mut piece, mut body) = (AnswerReader::default(), [0; 4_096], Vec::new());
    loop {
        let read = socket.read(&mut piece)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let progress = reader.feed(&piece[..read], &mut |bytes| body.extend_from_slice(bytes));
        if progress.map_err(io::Error::other)? == Progress::Whole {
            return Ok((reader.status(), body));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\nhello\r\n0B;name=value\r\n, the world\r\n0\r\nx-trailer: 1\r\n\r\n";
    const STATED: &[u8] =
        b"HTTP/1.1 529 Overloaded\r\ncontent-length: 16\r\nconnection: close\r\n\r\nhello, the world";

    /// The status, the body and whether the answer is whole, fed in pieces that end at `cuts`.
    fn read(wire: &[u8], cuts: &[usize]) -> Result<(u16, String, Progress), Malformed> {
        let (mut reader, mut body, mut from) = (AnswerReader::default(), Vec::new(), 0);
        let mut progress = Progress::Partial;
        for to in cuts.iter().copied().chain([wire.len()]) {
            if from < to {
                progress = reader.feed(&wire[from..to], &mut |it| body.extend_from_slice(it))?;
                from = to;
            }
        }
        Ok((reader.status(), String::from_utf8(body).unwrap(), progress))
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_answer(
            mut cuts in prop::collection::vec(0..CHUNKED.len(), 0..12),
        ) {
            cuts.sort_unstable();
            for (wire, status) in [(CHUNKED, 200), (STATED, 529)] {
                let cuts: Vec<_> = cuts.iter().map(|at| (*at).min(wire.len())).collect();
                let whole = (status, "hello, the world".to_owned(), Progress::Whole);
                prop_assert_eq!(read(wire, &cuts), Ok(whole));
            }
        }
    }

    #[test]
    fn an_answer_that_is_cut_is_never_whole() {
        for wire in [CHUNKED, STATED] {
            for length in 1..wire.len() {
                let (.., progress) = read(&wire[..length], &[]).unwrap();
                assert_eq!(progress, Progress::Partial, "at {length}");
            }
        }
    }

    #[test]
    fn what_is_malformed_is_told() {
        let chunked = |body: &str| {
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}").into_bytes()
        };
        assert_eq!(read(b"HTTP/1.1 200 OK\r\n\r\n", &[]), Err(Malformed::Endless));
        assert_eq!(read(b"SMTP ready\r\n\r\n", &[]), Err(Malformed::Head));
        for body in ["x\r\n", "\r\n", "1\r\nab", "1\r\na\nb", "FFFFFFFFFFFFFFFFF\r\n"] {
            assert_eq!(read(&chunked(body), &[]), Err(Malformed::Chunk), "{body:?}");
        }
        assert_eq!(read(&[STATED, b"!"].concat(), &[]), Err(Malformed::Surplus));
    }

    #[test]
    fn a_reader_is_ready_for_the_next_answer() {
        let mut reader = AnswerReader::default();
        assert_eq!(reader.feed(STATED, &mut |_| {}), Ok(Progress::Whole));
        assert!(reader.closes());
        reader.begin();
        assert_eq!(reader.feed(CHUNKED, &mut |_| {}), Ok(Progress::Whole));
        assert!(!reader.closes());
    }
}
