//! What an answer is read as, and how it is told to a client.

use bytes::{Bytes, BytesMut};
use relay_core::protocol::Protocol;
use relay_wire::chat::answer::{Reader, Writer, losses_of_whole, read_whole, write_whole};
use relay_wire::chat::{Form, Wishes};
use relay_wire::hub::{
    Answer, Block, BlockKind, Citation, Event, Folder, Input, Loss, Losses, Seal, Stop, Usage,
};
use relay_wire::sse::SseFramer;

/// When the answers were made.
const CREATED: i64 = 1_760_000_000;

/// The steps of a stream that comes in these chunks.
pub(super) fn events<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let (mut framer, mut reader, mut events) =
        (SseFramer::new(1 << 20), Reader::default(), Vec::new());
    for chunk in chunks {
        let batch = framer.push(Bytes::copy_from_slice(chunk)).expect("a small event");
        for event in batch.events() {
            reader.push(&event, &mut events);
        }
    }
    reader.finish(&mut events);
    events
}

pub(super) fn fold(events: Vec<Event>) -> Answer {
    let mut folder = Folder::default();
    for event in events {
        folder.push(event);
    }
    folder.finish().expect("an answer that has ended")
}

/// The stream that a client gets of these steps.
pub(super) fn stream(events: Vec<Event>, wishes: Wishes) -> String {
    let (mut writer, mut out) = (Writer::new(wishes, CREATED), BytesMut::new());
    for event in events {
        writer.push(event, &mut out);
    }
    String::from_utf8(out.to_vec()).expect("text")
}

/// The same events however a stream is cut, told in full by a snapshot, with what a client gets.
fn check(name: &str, upstream: &str) {
    let whole = events([upstream.as_bytes()]);
    assert_eq!(events(upstream.as_bytes().chunks(1)), whole);
    for cut in 0..upstream.len() {
        let (before, after) = upstream.as_bytes().split_at(cut);
        assert_eq!(events([before, after]), whole, "cut at {cut}");
    }
    let wishes = Wishes { include_usage: true, form: Form::Chat };
    let client = stream(whole.clone(), wishes);
    let answer = fold(whole.clone());
    let told = String::from_utf8(write_whole(&answer, wishes, CREATED)).expect("text");
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!(
            format!("answer_{name}"),
            format!("{whole:#?}\n\n{client}\n{told}")
        );
    });
}

macro_rules! golden {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            let upstream = include_str!(concat!(
                "../../golden/chat/answers/", stringify!($name), ".sse"
            ));
            check(stringify!($name), upstream);
        }
    )*};
}

golden! {
    text parallel_calls no_index same_index thinking refusal content_filter length_without_done cut
    error_midway error_at_once not_json custom_call citations
}

#[test]
fn a_whole_answer_is_what_its_stream_comes_to() {
    let streamed = include_str!("../../golden/chat/answers/parallel_calls.sse");
    let whole = include_str!("../../golden/chat/answers/parallel_calls.json");
    let read = read_whole(whole.as_bytes()).expect("an answer");
    assert_eq!(fold(events([streamed.as_bytes()])), read);
}

#[test]
fn calls_of_a_whole_answer_are_several_though_they_bear_one_id() {
    let call = |city| {
        let arguments = format!(r#"{{\"city\":\"{city}\"}}"#);
        format!(r#"{{"id":"f","function":{{"name":"f","arguments":"{arguments}"}}}}"#)
    };
    let (ulm, bonn) = (call("Ulm"), call("Bonn"));
    let body = format!(r#"{{"choices":[{{"message":{{"tool_calls":[{ulm},{bonn}]}}}}]}}"#);
    let answer = read_whole(body.as_bytes()).expect("an answer");
    let inputs = answer.blocks.iter().map(|block| match block {
        Block::ToolCall(call) => call.input.clone(),
        other => panic!("{other:?}"),
    });
    let expected = [r#"{"city":"Ulm"}"#, r#"{"city":"Bonn"}"#];
    let expected = expected.map(|it| Input::Arguments(it.to_owned()));
    assert_eq!(inputs.collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_no_whole_answer() {
    for body in ["", "[]", "{}", r#"{"choices":[]}"#, r#"{"choices":null}"#] {
        read_whole(body.as_bytes()).expect_err(body);
    }
    let failed = read_whole(br#"{"error":{"message":"no","code":429}}"#).expect("an error");
    assert_eq!(failed.end.expect_err("it failed").kind, "rate_limit_error");
    let bare = br#"{"object":"error","message":"too long","type":"BadRequestError","code":400}"#;
    let failed = read_whole(bare).expect("an error").end.expect_err("it failed");
    assert_eq!((&*failed.kind, &*failed.message), ("invalid_request_error", "too long"));
}

#[test]
fn a_client_that_did_not_ask_gets_no_usage() {
    let upstream = include_str!("../../golden/chat/answers/text.sse");
    let client = stream(events([upstream.as_bytes()]), Wishes::default());
    assert!(!client.contains("usage"), "{client}");
    assert!(client.ends_with("\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"), "{client}");
}

#[test]
fn a_client_of_prompts_gets_texts() {
    let upstream = include_str!("../../golden/chat/answers/text.sse");
    let wishes = Wishes { include_usage: true, form: Form::Text };
    let events = events([upstream.as_bytes()]);
    let whole = String::from_utf8(write_whole(&fold(events.clone()), wishes, CREATED));
    let told = stream(events, wishes);
    insta::assert_snapshot!(format!("{told}\n{}", whole.expect("text")));
}

#[test]
fn a_client_of_functions_gets_one_call() {
    let upstream = include_str!("../../golden/chat/answers/parallel_calls.sse");
    let wishes = Wishes { include_usage: false, form: Form::Functions };
    let events = events([upstream.as_bytes()]);
    let whole = String::from_utf8(write_whole(&fold(events.clone()), wishes, CREATED));
    let told = stream(events, wishes);
    insta::assert_snapshot!(format!("{told}\n{}", whole.expect("text")));
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let call = |id: &str, block| {
        let kind = BlockKind::Call { id: id.to_owned(), name: "now".to_owned() };
        [Event::Open { block, kind }, Event::Close { block }]
    };
    let start = Event::Start { id: String::new(), model: "m".to_owned(), usage: Usage::default() };
    let end = Event::End { stop: Stop::Tools, usage: Usage::default() };
    let steps = [vec![start], call("a", 0).to_vec(), call("b", 1).to_vec(), vec![end]].concat();
    let arguments = |answer: &Answer| -> Vec<Input> {
        let input = |block: &Block| match block {
            Block::ToolCall(call) => Some(call.input.clone()),
            _ => None,
        };
        answer.blocks.iter().filter_map(input).collect()
    };
    let none = vec![Input::Arguments("{}".to_owned()); 2];
    let streamed = stream(steps.clone(), Wishes::default());
    assert_eq!(arguments(&fold(events([streamed.as_bytes()]))), none);
    let whole = write_whole(&fold(steps), Wishes::default(), CREATED);
    assert_eq!(arguments(&read_whole(&whole).expect("an answer")), none);
}

#[test]
fn every_end_has_its_reason() {
    let reason = |stop: Stop, form| {
        let start = Event::Start { id: String::new(), model: String::new(), usage: <_>::default() };
        let end = Event::End { stop, usage: Usage::default() };
        let wishes = Wishes { include_usage: false, form };
        let told = stream(vec![start, end], wishes);
        let (_, reason) = told.rsplit_once("\"finish_reason\":").expect("a reason");
        reason.split('"').nth(1).expect("a text").to_owned()
    };
    let stops = [
        Stop::Done,
        Stop::Sequence(Some("END".to_owned())),
        Stop::Tools,
        Stop::Refused,
        Stop::Length,
        Stop::ContextFull,
        Stop::Paused,
    ];
    let reasons = ["stop", "stop", "stop", "content_filter", "length", "length", "length"];
    for form in [Form::Chat, Form::Functions, Form::Text] {
        assert_eq!(stops.clone().map(|stop| reason(stop, form)), reasons);
    }
}

#[test]
fn what_a_client_is_not_told_is_listed() {
    let answer = Answer {
        id: "msg_1".to_owned(),
        model: "m".to_owned(),
        blocks: vec![
            Block::Thinking { text: "hm".to_owned(), seal: Some(seal(Protocol::Messages)) },
            Block::Text {
                text: "so".to_owned(),
                citations: vec![Citation {
                    url: None,
                    title: Some("A file".to_owned()),
                    quoted: Some("so".to_owned()),
                    span: None,
                    raw: None,
                }],
            },
        ],
        end: Ok(Stop::Sequence(Some("END".to_owned()))),
        usage: Usage::default(),
    };
    let lost = Losses::from([Loss::Seals, Loss::Citations, Loss::StopSequenceName]);
    assert_eq!(losses_of_whole(&answer, Wishes::default()), lost);
    let (mut writer, mut out) = (Writer::new(Wishes::default(), CREATED), BytesMut::new());
    for event in answer.into_events() {
        writer.push(event, &mut out);
    }
    assert_eq!(writer.losses(), &lost);
}

fn seal(by: Protocol) -> Seal {
    Seal { by, id: None, data: "c2VhbA==".to_owned(), is_all: false }
}

#[test]
fn a_quotation_without_a_place_is_of_its_own_block() {
    let quoting = |text: &str| Block::Text {
        text: text.to_owned(),
        citations: vec![Citation {
            url: Some("https://example.com".to_owned()),
            title: None,
            quoted: None,
            span: None,
            raw: None,
        }],
    };
    let answer = Answer {
        id: String::new(),
        model: String::new(),
        blocks: vec![quoting("Grüße"), quoting("😀!")],
        end: Ok(Stop::Done),
        usage: Usage::default(),
    };
    let spans = |answer: &Answer| match &answer.blocks[..] {
        [Block::Text { citations, .. }] => {
            citations.iter().map(|citation| citation.span).collect::<Vec<_>>()
        }
        other => panic!("not one text: {other:?}"),
    };
    let whole = write_whole(&answer, Wishes::default(), CREATED);
    let streamed = stream(answer.into_events(), Wishes::default());
    for read in [read_whole(&whole).expect("an answer"), fold(events([streamed.as_bytes()]))] {
        assert_eq!(spans(&read), [Some((0, 5)), Some((5, 7))]);
    }
}
