//! What an answer is read as, and how it is told to a client.

use bytes::{Bytes, BytesMut};
use relay_core::protocol::Protocol;
use relay_wire::anthropic::error::ErrorBody;
use relay_wire::hub::{
    Answer, Block, BlockKind, Citation, Delta, Event, Folder, Input, Loss, Losses, Seal, Stop,
    ToolCall, Usage,
};
use relay_wire::responses::Wishes;
use relay_wire::responses::answer::{Reader, Writer, losses_of_whole, read_whole, write_whole};
use relay_wire::responses::request::read;
use relay_wire::sse::SseFramer;
use serde_json::{Value, json};

/// When the answers were made.
pub(super) const CREATED: i64 = 1_760_000_000;

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
pub(super) fn stream(events: Vec<Event>, wishes: &Wishes) -> String {
    let (mut writer, mut out) = (Writer::new(wishes.clone(), CREATED), BytesMut::new());
    for event in events {
        writer.push(event, &mut out);
    }
    String::from_utf8(out.to_vec()).expect("text")
}

/// The same events however a stream is cut, told in full by a snapshot, with what a client gets.
fn check(name: &str, upstream: &str) {
    let whole = events([upstream.as_bytes()]);
    assert_eq!(events(upstream.as_bytes().chunks(1)), whole);
    for cut in (0..upstream.len()).step_by(1 + upstream.len() / 1_000) {
        let (before, after) = upstream.as_bytes().split_at(cut);
        assert_eq!(events([before, after]), whole, "cut at {cut}");
    }
    let wishes = Wishes::default();
    let client = stream(whole.clone(), &wishes);
    let answer = fold(whole.clone());
    let told = String::from_utf8(write_whole(&answer, &wishes, CREATED)).expect("text");
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
                "../../golden/responses/answers/", stringify!($name), ".sse"
            ));
            check(stringify!($name), upstream);
        }
    )*};
}

golden! {
    text reasoning_calls custom_call refusal too_long filtered failed limit_at_once error_event cut
    not_json citations items_alone open_thoughts
}

#[test]
fn a_whole_answer_is_what_its_stream_comes_to() {
    let streamed = include_str!("../../golden/responses/answers/reasoning_calls.sse");
    let whole = include_str!("../../golden/responses/answers/reasoning_calls.json");
    let read = read_whole(whole.as_bytes()).expect("an answer");
    let folded = fold(events([streamed.as_bytes()]));
    assert_eq!(folded, read);
}

#[test]
fn what_is_no_whole_answer() {
    for body in ["", "[]", "{}", r#"{"output":null}"#, r#"{"output":[],"status":"in_progress"}"#] {
        read_whole(body.as_bytes()).expect_err(body);
    }
    let failed = r#"{"status":"failed","output":[],"error":{"code":"server_error","message":"x"},
        "usage":{"input_tokens":3,"output_tokens":1}}"#;
    let failed = read_whole(failed.as_bytes()).expect("an answer");
    assert_eq!(failed.usage.tokens.input, 3);
    assert_eq!(failed.end.expect_err("it failed").kind, "api_error");
    let nothing = r#"{"error":{"message":"no","type":"invalid_request_error","code":null}}"#;
    let error = read_whole(nothing.as_bytes()).expect("an error").end.expect_err("it failed");
    assert_eq!((&*error.kind, &*error.message), ("invalid_request_error", "no"));
    let odd = r#"{"output":[{"type":"function_call","call_id":7}]}"#;
    assert_eq!(
        read_whole(odd.as_bytes()).expect("an answer").end.expect_err("odd").kind,
        "api_error"
    );
}

#[test]
fn items_without_numbers_come_one_after_the_other() {
    let upstream = concat!(
        "data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n",
        "data: {\"type\":\"response.output_item.done\",\"item\":{\"type\":\"message\",",
        "\"content\":[{\"type\":\"output_text\",\"text\":\"a\"}]}}\n\n",
        "data: {\"type\":\"response.output_item.added\",\"item\":{\"type\":\"function_call\",",
        "\"call_id\":\"c\",\"name\":\"f\"}}\n\n",
        "data: {\"type\":\"response.function_call_arguments.delta\",\"delta\":\"{}\"}\n\n",
        "data: {\"type\":\"response.output_item.done\",\"item\":{\"type\":\"function_call\",",
        "\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"}}\n\n",
        "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n",
    );
    let answer = fold(events([upstream.as_bytes()]));
    let input = Input::Arguments("{}".to_owned());
    let call = ToolCall { id: "c".to_owned(), name: "f".to_owned(), input, seal: None };
    assert_eq!(answer.blocks, [Block::text("a"), Block::ToolCall(call)]);
    assert_eq!(answer.end, Ok(Stop::Tools));
}

#[test]
fn an_end_that_does_not_say_its_status_is_what_its_event_is() {
    let end = |kind: &str| {
        let upstream = format!("data: {{\"type\":\"response.{kind}\",\"response\":{{}}}}\n\n");
        fold(events([upstream.as_bytes()])).end.map_err(|error| error.kind)
    };
    assert_eq!(end("completed"), Ok(Stop::Done));
    assert_eq!(end("incomplete"), Ok(Stop::Length));
    assert_eq!(end("failed"), Err("api_error".to_owned()));
}

#[test]
fn an_answer_fails_once_though_several_of_its_items_cannot_be_read() {
    let item = r#"{"type":"message","content":5}"#;
    let data = format!(
        r#"{{"type":"response.completed","response":{{"output":[{item},{item}],"id":"r"}}}}"#
    );
    let steps = events([format!("data: {data}\n\n").as_bytes()]);
    assert!(matches!(&steps[..], [Event::Start { .. }, Event::Failed { .. }]), "{steps:?}");
}

#[test]
fn an_answer_that_grows_without_end_is_given_up() {
    let (by, data) = (Protocol::Messages, "x".repeat(1 << 20));
    let piece = Delta::Seal(Seal { by, id: None, data, is_all: false });
    let (mut writer, mut out) = (Writer::new(Wishes::default(), CREATED), BytesMut::new());
    writer.push(Event::Open { block: 0, kind: BlockKind::Thinking }, &mut out);
    for _ in 0..65 {
        out.clear();
        writer.push(Event::Delta { block: 0, delta: piece.clone() }, &mut out);
    }
    assert!(out.starts_with(b"event: response.failed\n"));
    let item = "data: {\"type\":\"response.output_item.added\",\"output_index\":";
    let items = (0..5_000).map(|index| {
        format!("{item}{index},\"item\":{{\"type\":\"function_call\",\"name\":\"f\"}}}}\n\n")
    });
    let upstream: String = items.collect();
    let steps = events([upstream.as_bytes()]);
    assert!(matches!(steps.last(), Some(Event::Failed { .. })));
    assert!(steps.len() < 9_000);
}

/// The data of the events of a stream.
fn data(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).expect("JSON")).collect()
}

#[test]
fn events_are_numbered_and_every_item_is_begun_and_done() {
    let upstream = include_str!("../../golden/responses/answers/reasoning_calls.sse");
    let told = data(&stream(events([upstream.as_bytes()]), &Wishes::default()));
    for (number, event) in told.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    let of = |kind: &str| {
        let events = told.iter().filter(move |event| event["type"] == kind);
        events.map(|event| event["item"]["id"].clone()).collect::<Vec<_>>()
    };
    let (added, mut done) = (of("response.output_item.added"), of("response.output_item.done"));
    done.sort_by_key(|id| added.iter().position(|it| it == id));
    assert_eq!(added, done);
    let last = &told.last().expect("an end")["response"];
    let output: Vec<Value> =
        last["output"].as_array().expect("items").iter().map(|item| item["id"].clone()).collect();
    assert_eq!(output, added);
}

#[test]
fn an_item_that_is_not_known_leaves_an_open_one_of_its_number_open() {
    // Hosts that do not number their items say 0, or nothing, for each.
    let upstream: String = [
        r#"{"type":"response.output_item.added","item":{"type":"message"}}"#,
        r#"{"type":"response.output_text.delta","delta":"Snow "}"#,
        r#"{"type":"response.output_item.added","item":{"type":"web_search_call"}}"#,
        r#"{"type":"response.output_item.done","item":{"type":"web_search_call"}}"#,
        r#"{"type":"response.output_text.delta","delta":"is white."}"#,
        r#"{"type":"response.completed","response":{}}"#,
    ]
    .map(|data| format!("data: {data}\n\n"))
    .concat();
    let steps = events([upstream.as_bytes()]);
    let closed = steps.iter().filter(|step| matches!(step, Event::Close { .. })).count();
    let answer = fold(steps);
    assert_eq!((answer.blocks, closed), (vec![Block::text("Snow is white.")], 1));
}

#[test]
fn an_answer_repeats_its_request_and_names_tools_as_the_client_does() {
    let body = include_str!("../../golden/responses/requests/codex_socket.json");
    let wishes = read(body.as_bytes()).expect("a request").wishes;
    let call = |id: &str, name: &str| {
        let input = Input::Arguments("{}".to_owned());
        Block::ToolCall(ToolCall { id: id.to_owned(), name: name.to_owned(), input, seal: None })
    };
    let answer = Answer {
        id: "msg_01".to_owned(),
        model: "claude".to_owned(),
        blocks: vec![call("a", "clock__sleep"), call("b", "wait"), call("c", "other__one")],
        end: Ok(Stop::Tools),
        usage: Usage::default(),
    };
    let whole: Value = serde_json::from_slice(&write_whole(&answer, &wishes, 7)).expect("JSON");
    let names: Vec<_> = whole["output"]
        .as_array()
        .expect("items")
        .iter()
        .map(|it| (&it["namespace"], &it["name"]))
        .collect();
    let none = Value::Null;
    assert_eq!(
        names,
        [
            (&json!("clock"), &json!("sleep")),
            (&none, &json!("wait")),
            (&none, &json!("other__one"))
        ]
    );
    assert_eq!(whole["id"], "resp_msg_01");
    assert_eq!(whole["text"], json!({"format": {"type": "text"}, "verbosity": "low"}));
    assert_eq!(whole["reasoning"]["effort"], "low");
    assert_eq!((&whole["store"], &whole["parallel_tool_calls"]), (&json!(false), &json!(false)));
}

#[test]
fn every_end_has_its_event() {
    let end = |blocks: Vec<Block>, end| {
        let answer = Answer {
            id: String::new(),
            model: String::new(),
            blocks,
            end,
            usage: Usage::default(),
        };
        let told = data(&stream(answer.into_events(), &Wishes::default()));
        let last = told.last().expect("an end");
        let reason = last["response"]["incomplete_details"]["reason"].as_str().unwrap_or_default();
        let code = last["response"]["error"]["code"].as_str().unwrap_or_default();
        format!("{} {reason}{code}", last["type"].as_str().expect("a type"))
    };
    let error = |kind: &str| Err(ErrorBody { kind: kind.to_owned(), message: "no".to_owned() });
    let stops = [
        Stop::Done,
        Stop::Tools,
        Stop::Sequence(Some("END".to_owned())),
        Stop::Length,
        Stop::ContextFull,
        Stop::Paused,
        Stop::Refused,
    ];
    let mut told: Vec<String> = stops.into_iter().map(|stop| end(Vec::new(), Ok(stop))).collect();
    told.push(end(vec![Block::Refusal("No.".to_owned())], Ok(Stop::Refused)));
    for kind in ["rate_limit_error", "overloaded_error", "invalid_request_error", "odd_error"] {
        told.push(end(Vec::new(), error(kind)));
    }
    insta::assert_debug_snapshot!(told);
}

#[test]
fn a_failure_before_the_beginning_is_told_like_any_other() {
    let error = ErrorBody { kind: "api_error".to_owned(), message: "gone".to_owned() };
    let failed = Event::Failed { error, usage: Usage::default() };
    let told = data(&stream(vec![failed], &Wishes::default()));
    let kinds: Vec<_> = told.iter().map(|event| event["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["response.created", "response.in_progress", "response.failed"]);
    assert_eq!(told[2]["response"]["error"], json!({"code": "server_error", "message": "gone"}));
    assert_eq!(told[2]["response"]["usage"], Value::Null);
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let kind = BlockKind::Call { id: "a".to_owned(), name: "now".to_owned() };
    let steps = vec![
        Event::Open { block: 0, kind },
        Event::Close { block: 0 },
        Event::End { stop: Stop::Tools, usage: Usage::default() },
    ];
    let answer = fold(events([stream(steps, &Wishes::default()).as_bytes()]));
    let [Block::ToolCall(call)] = &answer.blocks[..] else { panic!("{answer:?}") };
    assert_eq!(call.input, Input::Arguments("{}".to_owned()));
}

#[test]
fn words_that_a_call_interrupts_are_two_messages() {
    let text = |block, text: &str| {
        let delta = Delta::Text(text.to_owned());
        [
            Event::Open { block, kind: BlockKind::Text },
            Event::Delta { block, delta },
            Event::Close { block },
        ]
    };
    let kind = BlockKind::TextCall { id: "a".to_owned(), name: "run".to_owned() };
    let call = [Event::Open { block: 2, kind }, Event::Close { block: 2 }];
    let end = Event::End { stop: Stop::Tools, usage: Usage::default() };
    let steps =
        [&text(0, "a")[..], &text(1, "b"), &call, &text(3, "c"), std::slice::from_ref(&end)]
            .concat();
    let told = data(&stream(steps, &Wishes::default()));
    let output = &told.last().expect("an end")["response"]["output"];
    let said: Vec<_> = output
        .as_array()
        .expect("items")
        .iter()
        .map(|item| item["content"].as_array().map(Vec::len).unwrap_or_default())
        .collect();
    assert_eq!(said, [2, 0, 1]);
}

#[test]
fn words_beside_a_call_end_when_all_of_them_have() {
    let text = |block| Event::Delta { block, delta: Delta::Text("x".to_owned()) };
    let kind = BlockKind::TextCall { id: "a".to_owned(), name: "run".to_owned() };
    let steps = vec![
        Event::Open { block: 0, kind: BlockKind::Text },
        Event::Open { block: 1, kind: BlockKind::Text },
        Event::Open { block: 2, kind },
        text(0),
        Event::Close { block: 2 },
        Event::Close { block: 0 },
        text(1),
        Event::Close { block: 1 },
        Event::End { stop: Stop::Tools, usage: Usage::default() },
    ];
    let told = data(&stream(steps, &Wishes::default()));
    let done = told.iter().filter(|event| event["type"] == "response.output_item.done");
    let items: Vec<_> = done.map(|event| event["output_index"].clone()).collect();
    assert_eq!(items, [1, 0]);
    let output = &told.last().expect("an end")["response"]["output"];
    assert_eq!(output[0]["content"][1]["text"], "x");
    assert_eq!(output[0]["status"], "completed");
}

#[test]
fn what_a_client_is_not_told_is_listed() {
    let seal = Seal { by: Protocol::Gemini, id: None, data: "s".to_owned(), is_all: true };
    let answer = Answer {
        id: "msg_1".to_owned(),
        model: "m".to_owned(),
        blocks: vec![
            Block::Thinking { text: "hm".to_owned(), seal: Some(seal.clone()) },
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
            Block::ToolCall(ToolCall {
                id: "a".to_owned(),
                name: "f".to_owned(),
                input: Input::Arguments("{}".to_owned()),
                seal: Some(seal),
            }),
        ],
        end: Ok(Stop::Sequence(Some("END".to_owned()))),
        usage: Usage::default(),
    };
    let lost = Losses::from([Loss::CallSeals, Loss::Citations, Loss::StopSequenceName]);
    assert_eq!(losses_of_whole(&answer, &Wishes::default()), lost);
}
