//! Answers of Claude's accounts, and for Claude's clients.

use relay_core::protocol::Protocol;
use relay_core::usage::TokenUsage;
use relay_wire::anthropic::answer::{read_whole, write_whole};
use relay_wire::anthropic::error::ErrorBody;
use relay_wire::anthropic::request::{TextTools, Thoughts, Wishes};
use relay_wire::hub::{
    Answer, Block, BlockKind, Citation, Delta, Event, Input, Request, Seal, Stop, Tool, ToolCall,
    Usage,
};

use super::{SHOWN, fold, steps, stream};

pub(crate) fn text_tools() -> TextTools {
    let patch = Tool::Text { name: "apply_patch".to_owned(), description: None, format: None };
    TextTools::of(&Request { tools: vec![patch], ..Request::default() })
}

macro_rules! golden {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            let sse = include_bytes!(concat!("../../golden/anthropic/", stringify!($name), ".sse"));
            let whole = steps([sse.as_slice()], text_tools());
            for size in [1, 2, 3, 7, 64] {
                assert_eq!(steps(sse.chunks(size), text_tools()), whole, "in chunks of {size}");
            }
            insta::assert_debug_snapshot!(whole);
        }
    )*};
}

golden! {
    text_chinese thinking tool_use web_search citations refusal odd_host cumulative_cache
    overloaded error_midway
}

#[test]
fn a_stream_that_breaks_off_has_failed() {
    let sse = include_str!("../../golden/anthropic/thinking.sse");
    let cut = sse.find("event: message_stop").expect("it has an end");
    let steps = steps([&sse.as_bytes()[..cut]], TextTools::default());
    let opened = steps.iter().filter(|step| matches!(step, Event::Open { .. })).count();
    let closed = steps.iter().filter(|step| matches!(step, Event::Close { .. })).count();
    assert_eq!(opened, closed);
    insta::assert_debug_snapshot!(steps.last(), @r#"
Some(
    Failed {
        error: ErrorBody {
            kind: "api_error",
            message: "the upstream broke off within its answer",
        },
        usage: Usage {
            tokens: TokenUsage {
                input: 40,
                output: 30,
                cache_read: 0,
                cache_write_5m: 0,
                cache_write_1h: 0,
                web_searches: 0,
            },
            thought: 0,
        },
    },
)
"#);
}

#[test]
fn what_is_no_event_of_claude_fails_clearly() {
    let failure = |data: &str| {
        let sse = format!(
            "event: message_start\ndata: {{}}\n\nevent: content_block_delta\ndata: {data}\n\n"
        );
        match steps([sse.as_bytes()], TextTools::default()).pop() {
            Some(Event::Failed { error, .. }) => error.message,
            other => panic!("{other:?}"),
        }
    };
    insta::assert_snapshot!(failure("{"), @"an event of the upstream cannot be read: EOF while parsing an object at line 1 column 1");
    insta::assert_snapshot!(failure(r#"{"delta":{"text":5}}"#), @"an event of the upstream cannot be read: invalid type: integer `5`, expected a string at line 1 column 18");
}

#[test]
fn a_block_gets_nothing_that_its_kind_has_no_place_for() {
    let sse: String = [
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","citations":[{}]}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"thinking":"a","citation":{}}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","data":"x"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"text":"b","signature":"x"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","text":"x"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"message_stop"}"#,
    ]
    .map(|data| format!("data: {data}\n\n"))
    .concat();
    let steps = steps([sse.as_bytes()], TextTools::default());
    let deltas: Vec<Event> =
        steps.into_iter().filter(|it| matches!(it, Event::Delta { .. })).collect();
    assert_eq!(deltas, [text(0, "a"), text(1, "b")]);
}

#[test]
fn a_whole_answer_is_the_same_steps_at_once() {
    let body = include_bytes!("../../golden/anthropic/whole/message.json");
    let answer = read_whole(body, text_tools()).expect("a message");
    insta::assert_debug_snapshot!(answer);
    let whole = write_whole(&answer, SHOWN, "req_1");
    insta::assert_snapshot!(String::from_utf8_lossy(&whole));
    // A quotation of several lines stands on one from then on.
    let answer = read_whole(&whole, text_tools()).expect("a message");
    let streamed = stream(answer.clone().into_events(), SHOWN);
    assert_eq!(fold(steps([streamed.as_bytes()], text_tools())), answer);
    let again = write_whole(&answer, SHOWN, "req_1");
    assert_eq!(read_whole(&again, text_tools()), Ok(answer));
}

#[test]
fn an_error_in_an_answers_place_is_its_end() {
    let body = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let answer = read_whole(body, TextTools::default()).expect("an error");
    let error = ErrorBody { kind: "overloaded_error".into(), message: "Overloaded".into() };
    assert_eq!(answer.end, Err(error));
    let written = write_whole(&answer, SHOWN, "req_1");
    insta::assert_snapshot!(String::from_utf8_lossy(&written), @r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#);
    let wrong = read_whole(b"Bad Gateway", TextTools::default()).expect_err("it is no JSON");
    insta::assert_snapshot!(wrong, @"the answer: expected value at line 1 column 1");
}

fn open(block: usize, kind: BlockKind) -> Event {
    Event::Open { block, kind }
}

fn add(block: usize, delta: Delta) -> Event {
    Event::Delta { block, delta }
}

fn text(block: usize, words: &str) -> Event {
    add(block, Delta::Text(words.to_owned()))
}

fn input(block: usize, part: &str) -> Event {
    add(block, Delta::Input(part.to_owned()))
}

fn seal(by: Protocol, data: &str, is_all: bool) -> Delta {
    Delta::Seal(Seal { by, id: None, data: data.to_owned(), is_all })
}

fn close(block: usize) -> Event {
    Event::Close { block }
}

fn call(id: &str) -> BlockKind {
    BlockKind::Call { id: id.to_owned(), name: "look".to_owned() }
}

fn start() -> Event {
    let (id, model) = ("resp_1".to_owned(), "gpt-5".to_owned());
    Event::Start { id, model, usage: Usage::default() }
}

fn end(stop: Stop) -> Event {
    let tokens = TokenUsage {
        input: 10,
        output: 20,
        cache_read: 30,
        cache_write_5m: 1,
        cache_write_1h: 2,
        web_searches: 0,
    };
    Event::End { stop, usage: Usage { tokens, thought: 7 } }
}

#[test]
fn blocks_come_one_after_the_other() {
    insta::assert_snapshot!(stream(
        [
            start(),
            open(0, BlockKind::Thinking),
            text(0, "So "),
            add(0, seal(Protocol::Responses, "YW", true)),
            add(0, seal(Protocol::Responses, "Jj", true)),
            text(0, "it is."),
            close(0),
            open(1, BlockKind::Text),
            close(1),
            open(2, BlockKind::Text),
            text(2, "你好"),
            open(3, call("call_1")),
            open(4, call("call|2")),
            input(4, "{\"a\""),
            input(3, "{\"b\":"),
            input(4, ":1}"),
            open(
                5,
                BlockKind::TextCall { id: "call_3".to_owned(), name: "apply_patch".to_owned() }
            ),
            close(4),
            input(5, "*** "),
            close(2),
            input(3, "2}"),
            input(5, "Begin"),
            close(3),
            open(6, BlockKind::Refusal),
            text(6, "No."),
            close(5),
            end(Stop::Tools),
            text(6, "after the end"),
        ],
        SHOWN,
    ));
}

#[test]
fn a_call_is_told_of_before_its_arguments_are() {
    let written = stream([start(), open(0, call("call_1"))], SHOWN);
    assert!(written.contains(r#"{"type":"tool_use","id":"call_1","name":"look","input":{}}"#));
}

#[test]
fn thoughts_are_shown_as_the_client_wishes() {
    let thinking = |thoughts, delta: Option<Delta>| {
        let steps = [
            Some(open(0, BlockKind::Thinking)),
            Some(text(0, "So."))
                .filter(|_| !matches!(delta, Some(Delta::Seal(Seal { is_all: true, .. })))),
            delta.map(|delta| add(0, delta)),
            Some(close(0)),
        ];
        let written = stream(steps.into_iter().flatten(), Wishes { thoughts });
        let lines = written.lines().filter_map(|line| line.strip_prefix("data: "));
        lines.skip(1).collect::<Vec<_>>().join("\n")
    };
    let own = || Some(seal(Protocol::Messages, "U2ln", false));
    insta::assert_snapshot!(thinking(Thoughts::Hidden, own()), @"");
    insta::assert_snapshot!(thinking(Thoughts::Sealed, own()), @r#"
{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"U2ln"}}
{"type":"content_block_stop","index":0}
"#);
    insta::assert_snapshot!(thinking(Thoughts::Shown, own()), @r#"
{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"So."}}
{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"U2ln"}}
{"type":"content_block_stop","index":0}
"#);
    insta::assert_snapshot!(thinking(Thoughts::Shown, None), @r#"
{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"So."}}
{"type":"content_block_stop","index":0}
"#);
    insta::assert_snapshot!(thinking(Thoughts::Sealed, None), @"");
    insta::assert_snapshot!(thinking(Thoughts::Shown, Some(seal(Protocol::Messages, "RW1s", true))), @r#"
{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"RW1s"}}
{"type":"content_block_stop","index":0}
"#);
    insta::assert_snapshot!(thinking(Thoughts::Shown, Some(seal(Protocol::Gemini, "RW1s", false))), @r#"
{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"So."}}
{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"crs1:gemini:part::RW1s"}}
{"type":"content_block_stop","index":0}
"#);
}

#[test]
fn a_failure_is_an_error_event_wherever_it_comes() {
    let failed = |kind: &str| Event::Failed {
        error: ErrorBody { kind: kind.to_owned(), message: "no".to_owned() },
        usage: Usage::default(),
    };
    insta::assert_snapshot!(stream([failed("RESOURCE_EXHAUSTED"), start()], SHOWN), @r#"
event: error
data: {"type":"error","error":{"type":"rate_limit_error","message":"no"},"request_id":"req_1"}
"#);
    let midway =
        [start(), open(0, BlockKind::Text), text(0, "I"), failed("server_error"), close(0)];
    insta::assert_snapshot!(stream(midway, SHOWN), @r#"
event: message_start
data: {"type":"message_start","message":{"id":"resp_1","type":"message","role":"assistant","model":"gpt-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I"}}

event: error
data: {"type":"error","error":{"type":"api_error","message":"no"},"request_id":"req_1"}
"#);
}

#[test]
fn too_much_that_waits_fails() {
    let mut steps = vec![start(), open(0, BlockKind::Text), open(1, call("call_1"))];
    steps.extend((0..17).map(|_| input(1, &"x".repeat(1 << 20))));
    steps.push(end(Stop::Tools));
    let written = stream(steps, SHOWN);
    insta::assert_snapshot!(&written[written.find("event: error").expect("an error")..], @r#"
event: error
data: {"type":"error","error":{"type":"api_error","message":"the answer's parallel parts are larger than the relay holds"},"request_id":"req_1"}
"#);
}

#[test]
fn blocks_that_never_close_fail() {
    let many = (0..200_000).map(|block| open(block, BlockKind::Text));
    let written = stream(many, SHOWN);
    assert!(written.contains("event: error"), "{}", written.len());
    let opening = |index| {
        let block = r#"{"type":"text","text":""}"#;
        let kind = "content_block_start";
        format!("data: {{\"type\":\"{kind}\",\"index\":{index},\"content_block\":{block}}}\n\n")
    };
    let sse = (0..2_000).map(opening).collect::<Vec<_>>().concat();
    let failed = steps([sse.as_bytes()], TextTools::default()).pop();
    assert!(matches!(failed, Some(Event::Failed { .. })), "{failed:?}");
}

#[test]
fn quotations_of_others_keep_their_address() {
    let quote = |url: Option<&str>| Citation {
        url: url.map(str::to_owned),
        title: Some("T".to_owned()),
        quoted: None,
        span: Some((0, 2)),
        raw: None,
    };
    let citations = vec![quote(Some("https://example.com/")), quote(None)];
    let call = |input| {
        let (id, name) = ("c".to_owned(), "n".to_owned());
        Block::ToolCall(ToolCall { id, name, input, seal: None })
    };
    let answer = Answer {
        id: String::new(),
        model: "gemini".to_owned(),
        blocks: vec![
            Block::Text { text: "So.".to_owned(), citations },
            call(Input::Arguments("no JSON".to_owned())),
            call(Input::Text("plain".to_owned())),
            Block::Refusal("No.".to_owned()),
        ],
        end: Ok(Stop::ContextFull),
        usage: Usage::default(),
    };
    insta::assert_snapshot!(String::from_utf8_lossy(&write_whole(&answer, SHOWN, "req_1")));
}
