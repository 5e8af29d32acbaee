use proptest::prelude::*;

use super::*;

const MAX: usize = 16 << 20;

/// What a reader sees of an event.
type Seen = (Option<Vec<u8>>, Vec<u8>);

/// Reads a whole stream the slow and obvious way.
fn reference(stream: &[u8]) -> Vec<Seen> {
    let stream = stream.strip_prefix(BYTE_ORDER_MARK).unwrap_or(stream);
    let mut lines = vec![Vec::new()];
    let mut bytes = stream.iter().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\n' => lines.push(Vec::new()),
            b'\r' => {
                bytes.next_if_eq(&&b'\n');
                lines.push(Vec::new());
            }
            _ => lines.last_mut().unwrap().push(*byte),
        }
    }
    lines.pop();

    let (mut events, mut name, mut data) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        if line.is_empty() {
            if !data.is_empty() {
                data.pop();
                let name = Some(mem::take(&mut name)).filter(|name| !name.is_empty());
                events.push((name, mem::take(&mut data)));
            }
            name.clear();
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => name = value.to_vec(),
            b"data" => {
                data.extend_from_slice(value);
                data.push(b'\n');
            }
            _ => {}
        }
    }
    events
}

/// Feeds the chunks and returns the events, after checking that no byte changed or is cut off
/// from its event.
fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut framer = SseFramer::new(MAX);
    let (mut input, mut output, mut events) = (Vec::new(), Vec::new(), Vec::new());
    for chunk in chunks {
        input.extend_from_slice(chunk);
        let batch = framer.push(Bytes::copy_from_slice(chunk)).unwrap();
        let mut previous_end = 0;
        for event in batch.events() {
            assert!(event.end > previous_end && event.end <= batch.raw().len());
            assert!(matches!(batch.raw()[event.end - 1], b'\n' | b'\r'));
            previous_end = event.end;
            events.push((event.name.map(<[u8]>::to_vec), event.data.into_owned()));
        }
        output.extend_from_slice(&batch.raw());
        assert_eq!(framer.held(), input.len() - output.len());
    }
    output.extend_from_slice(&framer.finish());
    assert_eq!(output, input);
    events
}

fn check(stream: &str, expected: &[(Option<&str>, &str)]) {
    let stream = stream.as_bytes();
    let expected: Vec<Seen> = expected
        .iter()
        .map(|(name, data)| (name.map(|name| name.as_bytes().to_vec()), data.as_bytes().to_vec()))
        .collect();
    assert_eq!(reference(stream), expected);
    assert_eq!(read([stream]), expected);
    assert_eq!(read(stream.chunks(1)), expected);
    for cut in 0..stream.len() {
        assert_eq!(read([&stream[..cut], &stream[cut..]]), expected, "cut at {cut}");
    }
}

#[test]
fn every_line_end_and_field_is_understood() {
    check("data: a\n\ndata: b\n\n", &[(None, "a"), (None, "b")]);
    check("event: x\r\ndata: a\r\n\r\ndata: b\r\n\r\n", &[(Some("x"), "a"), (None, "b")]);
    check("event: x\rdata: a\r\rdata: b\r\r", &[(Some("x"), "a"), (None, "b")]);
    check(
        "data: a\r\n\ndata: b\n\r\n\n\r\r\ndata: c\r\n\r",
        &[(None, "a"), (None, "b"), (None, "c")],
    );
    check("\u{feff}data: a\n\n", &[(None, "a")]);
    check("\n\u{feff}data: a\n\n", &[]);
    check("data: a\n\n\u{feff}data: b\n\n", &[(None, "a")]);
    check(": hello\n\n:\n\ndata: a\n: within\ndata: b\n\n", &[(None, "a\nb")]);
    check("data\n\ndata:\ndata:  two\n\n", &[(None, ""), (None, "\n two")]);
    check("event: a\nevent: b\ndata: 1\n\nevent:\ndata: 2\n\n", &[(Some("b"), "1"), (None, "2")]);
    check("event: lost\n\ndata: kept\n\n", &[(None, "kept")]);
    check("database: no\nid: 1\nretry: 5\n data: no\ndata:你好\n\n", &[(None, "你好")]);
    check("data: never ended\n", &[]);
}

#[test]
fn a_whole_event_is_passed_on_without_a_copy() {
    let mut framer = SseFramer::new(MAX);
    let chunk = Bytes::from_static(b"data: a\n\ndata: b\n\ndata: c");
    let batch = framer.push(chunk.clone()).unwrap();
    assert_eq!(batch.raw().as_ptr(), chunk.as_ptr());
    assert_eq!(batch.raw().len(), 18);
    assert!(batch.events().all(|event| matches!(event.data, Cow::Borrowed(_))));
    assert_eq!(framer.held(), 7);
}

#[test]
fn an_event_ends_at_its_cr_and_the_lf_follows() {
    let mut framer = SseFramer::new(MAX);
    let first = framer.push(Bytes::from_static(b"data: a\r\n\r")).unwrap();
    assert_eq!(first.events().count(), 1);
    let second = framer.push(Bytes::from_static(b"\ndata: b")).unwrap();
    assert_eq!((&second.raw()[..], second.events().count()), (&b"\n"[..], 0));
    assert_eq!(framer.held(), 7);
}

#[test]
fn an_event_without_end_is_refused() {
    let mut framer = SseFramer::new(8);
    assert!(framer.push(Bytes::from_static(b"data: 12")).is_ok());
    let refused = framer.push(Bytes::from_static(b"3")).unwrap_err();
    assert_eq!(refused, EventTooLarge { bytes_max: 8 });
    assert_eq!(framer.push(Bytes::from_static(b"3\n\n")).unwrap().raw().len(), 11);
}

#[test]
fn a_large_event_in_small_chunks_is_held_once() {
    let mut framer = SseFramer::new(MAX);
    let piece = Bytes::from(vec![b'x'; 1_000]);
    framer.push(Bytes::from_static(b"data: ")).unwrap();
    for _ in 0..16_000 {
        assert!(framer.push(piece.clone()).unwrap().raw().is_empty());
    }
    let batch = framer.push(Bytes::from_static(b"\n\n")).unwrap();
    let event = batch.events().next().unwrap();
    assert_eq!(event.data.len(), 16_000_000);
    assert!(matches!(event.data, Cow::Borrowed(_)));
    assert_eq!(framer.held(), 0);
}

/// Pieces that make every corner of the grammar likely.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just("\n"), 4 => Just("\r"), 3 => Just("\r\n"), 3 => Just("data: "), 2 => Just("data"),
        2 => Just("event: "), 1 => Just(":"), 1 => Just(" "), 2 => Just("x"), 1 => Just("你好"),
        1 => Just("\u{feff}"), 1 => Just("id: 1"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_events(
        stream in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
        prop_assert_eq!(read(chunks), reference(&stream));
    }
}
