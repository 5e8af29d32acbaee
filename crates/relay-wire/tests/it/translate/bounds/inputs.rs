//! Requests and answers that between them lose and are refused all that is declared.

use relay_core::endpoint::Endpoint;
use relay_core::protocol::Protocol;
use relay_wire::hub::{
    Block, Choice, Document, Image, Input, Json, Request, Role, Source, Tool, ToolCall, ToolResult,
    Turn,
};
use relay_wire::translate::{Back, Pair};

use super::super::translated;

macro_rules! goldens {
    ($folder:literal: $($name:literal)*) => {
        vec![$(include_bytes!(concat!("../../../golden/", $folder, "/", $name)).to_vec()),*]
    };
}

/// A client's requests: those of the golden files, and what they leave out.
pub(super) fn requests(client: Endpoint) -> Vec<Vec<u8>> {
    let (mut bodies, more) = match client {
        Endpoint::Messages | Endpoint::CountTokens => (
            goldens!("anthropic/request": "budget.json" "claude_code.json" "every_field.json" "forced.json" "server_tools.json"),
            messages(),
        ),
        Endpoint::Chat => (
            goldens!("chat/requests": "allowed_tools.json" "everything.json" "functions.json" "history.json" "parts.json" "structured.json" "tools.json"),
            chat(),
        ),
        Endpoint::Completions => (goldens!("chat/requests": "prompt.json"), completions()),
        _ => (
            goldens!("responses/requests": "codex.json" "codex_socket.json" "everything.json" "hosted.json" "parts.json" "thoughts.json"),
            responses(),
        ),
    };
    bodies.extend(more.into_iter().map(String::into_bytes));
    bodies
}

/// Requests with these members besides what every one has.
fn with(rest: &str, members: &[&str]) -> Vec<String> {
    members.iter().map(|members| format!("{{{rest},{members}}}")).collect()
}

fn messages() -> Vec<String> {
    let rest = r#""model":"m","max_tokens":5000,"messages":[{"role":"user","content":"x"}]"#;
    let mut bodies = with(
        rest,
        &[
            r#""speed":"fast","diagnostics":{}"#,
            r#""service_tier":"batch""#,
            r#""thinking":{"type":"enabled","budget_tokens":2000}"#,
            r#""thinking":{"type":"adaptive"},"temperature":0.5,"top_k":3"#,
            r#""temperature":0.5,"top_k":3,"top_p":0.5"#,
            r#""context_management":{"edits":[]}"#,
            r#""metadata":{"user_id":"a-very-long-name-of-a-user-that-no-other-provider-would-take-as-it-is"}"#,
            r#""tools":[{"name":"f","input_schema":{"type":"object"},"strict":true,"input_examples":[]}]"#,
            r#""tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true},"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}"#,
        ],
    );
    bodies.push(
        r#"{"model":"m","max_tokens":3,"messages":[{"role":"user","content":"x"},
            {"role":"system","content":"Be brief."},
            {"role":"assistant","content":[
                {"type":"thinking","thinking":"So.","signature":"c2VhbA=="},
                {"type":"tool_use","id":"a","name":"f","input":[1]}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"a","is_error":true,"content":[
                {"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}]}]}]}"#
            .to_owned(),
    );
    bodies.push(
        r#"{"model":"m","max_tokens":3,"messages":[{"role":"user","content":[
            {"type":"document","title":"T","source":{"type":"url","url":"https://example.com/a.pdf"},"citations":{"enabled":true}}]}]}"#
            .to_owned(),
    );
    bodies
}

fn chat() -> Vec<String> {
    let rest = r#""model":"m","messages":[{"role":"user","content":"x"}]"#;
    let long = "u".repeat(300);
    let mut bodies = with(
        rest,
        &[
            r#""store":true,"metadata":{"a":"b"},"web_search_options":{}"#,
            r#""temperature":2.5,"top_p":0.5"#,
            r#""top_k":3,"seed":1,"presence_penalty":1"#,
            r#""seed":99999999999"#,
            r#""service_tier":"batch","verbosity":"low""#,
            r#""max_tokens":3"#,
            r#""reasoning_effort":"minimal""#,
            r#""thinking":{"type":"enabled","budget_tokens":2000}"#,
            &format!(r#""user":"{long}""#),
            r#""response_format":{"type":"json_object"},"tools":[{"type":"function","function":{"name":"f"}}],"parallel_tool_calls":false"#,
            r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","minProperties":1},"strict":true}}],"tool_choice":"required""#,
        ],
    );
    bodies.push(
        r#"{"model":"m","messages":[{"role":"user","content":"x"},
            {"role":"developer","content":"Be brief."},
            {"role":"assistant","reasoning_content":"So.","tool_calls":[
                {"id":"a","type":"function","function":{"name":"f","arguments":"[1]"},
                 "extra_content":{"google":{"thought_signature":"c2VhbA=="}}}]},
            {"role":"tool","tool_call_id":"a","content":[
                {"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]},
            {"role":"assistant","content":"So it is.","reasoning_details":[{"a":1}],
                "annotations":[{"type":"url_citation","url_citation":{"url":"https://example.com/","title":"T","content":"So."}}]},
            {"role":"assistant","annotations":[{"type":"url_citation","url_citation":{"url":"https://example.com/"}}]},
            {"role":"user","content":[{"type":"refusal","refusal":"No."},{"type":"file","file":{"filename":"a.pdf","file_data":"JVBERi0="}}]}]}"#
            .to_owned(),
    );
    bodies.push(
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_id":"file_1"}}]}]}"#
            .to_owned(),
    );
    bodies
}

fn completions() -> Vec<String> {
    let long = "u".repeat(300);
    with(
        r#""model":"m","prompt":"x""#,
        &[
            r#""temperature":2.5,"top_p":0.5"#,
            r#""presence_penalty":1,"seed":1"#,
            r#""seed":99999999999,"max_tokens":3"#,
            r#""user":"a","safety_identifier":"b""#,
            &format!(r#""user":"{long}""#),
        ],
    )
}

fn responses() -> Vec<String> {
    let long = "u".repeat(300);
    let mut bodies = with(
        r#""model":"m","input":"x""#,
        &[
            r#""temperature":2.5"#,
            r#""temperature":0.5,"top_p":0.5"#,
            r#""service_tier":"batch""#,
            r#""user":"a","safety_identifier":"b""#,
            r#""reasoning":{"effort":"minimal","summary":"auto"}"#,
            &format!(r#""user":"{long}""#),
            r#""text":{"format":{"type":"json_object"}},"tools":[{"type":"function","name":"f"}],"parallel_tool_calls":false"#,
            r#""tools":[{"type":"function","name":"f","strict":true,"defer_loading":true,"parameters":{"type":"object","minProperties":1}}],"tool_choice":"required""#,
        ],
    );
    bodies.push(
        r#"{"model":"m","input":[{"role":"user","content":"x"},
            {"role":"developer","content":"Be brief."},
            {"type":"reasoning","id":"rs_1","summary":[]},
            {"type":"reasoning","id":"rs_2","encrypted_content":"c2VhbA==","summary":[{"type":"summary_text","text":"So."}],"content":[{"type":"reasoning_text","text":"So it is."}]},
            {"type":"function_call","call_id":"a","name":"f","arguments":"[1]"},
            {"type":"function_call_output","call_id":"a","output":[{"type":"input_image","image_url":"https://example.com/a.png","detail":"low"}]},
            {"role":"assistant","content":[{"type":"refusal","refusal":"No."},{"type":"output_text","text":"So.","annotations":[{"type":"file_citation","file_id":"f","index":1}]}]},
            {"role":"user","content":[{"type":"refusal","refusal":"No."}]}]}"#
            .to_owned(),
    );
    bodies.push(
        r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_file","filename":"a.pdf","file_url":"https://example.com/a.pdf"}]}]}"#
            .to_owned(),
    );
    bodies.push(
        r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_file","filename":"a.pdf","file_id":"file_1"}]}]}"#
            .to_owned(),
    );
    bodies
}

/// Requests that readers refuse.
pub(super) fn refused(client: Endpoint) -> Vec<String> {
    let said = |message: &str| match client {
        Endpoint::Responses => format!(r#"{{"model":"m","input":[{message}]}}"#),
        _ => format!(r#"{{"model":"m","max_tokens":9,"messages":[{message}]}}"#),
    };
    match client {
        Endpoint::Messages => {
            let mut bodies = with(
                r#""model":"m","messages":[{"role":"user","content":"x"}]"#,
                &[
                    r#""container":"c""#,
                    r#""inference_geo":"eu""#,
                    r#""mcp_servers":[{}]"#,
                    r#""mood":"good""#,
                ],
            );
            let block = |block| said(&format!(r#"{{"role":"user","content":[{block}]}}"#));
            bodies.extend(
                [
                    r#"{"type":"video"}"#,
                    r#"{"type":"image","source":{"type":"video"}}"#,
                    r#"{"type":"image","transformations":{},"source":{"type":"url","url":"u"}}"#,
                    r#"{"type":"document","source":{"type":"content","content":[{"type":"image"}]}}"#,
                ]
                .map(block),
            );
            bodies
        }
        Endpoint::Chat => {
            let mut bodies = with(
                r#""model":"m","messages":[{"role":"user","content":"x"}]"#,
                &[
                    r#""n":2"#,
                    r#""logprobs":true"#,
                    r#""audio":{"voice":"a"}"#,
                    r#""prediction":{"type":"content"}"#,
                    r#""moderation":{"a":1}"#,
                    r#""response_format":{"type":"yaml"}"#,
                    r#""tools":[{"type":"web_search"}]"#,
                    r#""mood":"good""#,
                ],
            );
            bodies.extend(
                [
                    r#"{"role":"user","content":[{"type":"input_audio"}]}"#,
                    r#"{"role":"user","content":[{"type":"video"}]}"#,
                    r#"{"role":"assistant","content":"x","audio":{"id":"a"}}"#,
                    r#"{"role":"assistant","content":"x","annotations":[{"type":"file_citation"}]}"#,
                ]
                .map(said),
            );
            bodies
        }
        Endpoint::Completions => {
            let mut bodies = with(
                r#""model":"m","prompt":"x""#,
                &[
                    r#""best_of":2"#,
                    r#""logprobs":1"#,
                    r#""echo":true"#,
                    r#""suffix":"y""#,
                    r#""mood":"good""#,
                ],
            );
            let prompt = |prompt: &str| format!(r#"{{"model":"m","prompt":{prompt}}}"#);
            bodies.extend([r#"["a","b"]"#, "[1,2]"].map(prompt));
            bodies
        }
        _ => {
            let mut bodies = with(
                r#""model":"m","input":"x""#,
                &[
                    r#""prompt":{"id":"p"}"#,
                    r#""background":true"#,
                    r#""generate":false"#,
                    r#""top_logprobs":1"#,
                    r#""include":["message.output_text.logprobs"]"#,
                    r#""text":{"format":{"type":"yaml"}}"#,
                    r#""tool_choice":{"type":"web_search"}"#,
                    r#""mood":"good""#,
                ],
            );
            bodies.extend(
                [
                    r#"{"role":"user","content":[{"type":"input_audio"}]}"#,
                    r#"{"role":"user","content":[{"type":"video"}]}"#,
                    r#"{"role":"assistant","content":[{"type":"output_text","text":"x","logprobs":[{"a":1}]}]}"#,
                    r#"{"type":"reasoning","summary":[{"type":"picture"}]}"#,
                    r#"{"type":"compaction","encrypted_content":"x"}"#,
                    r#"{"type":"telepathy"}"#,
                ]
                .map(said),
            );
            bodies
        }
    }
}

/// Requests that writers refuse; some of them no client can send today.
pub(super) fn unwritable() -> Vec<Request> {
    let turn = |role, block| Request {
        turns: vec![Turn { role, blocks: vec![block] }],
        ..Request::default()
    };
    let image = |source| Block::Image(Image { source, detail: None });
    let file = |source| Block::Document(Document { source, name: None, cited: false });
    let data = |media_type: &str, base64: &str| Source::Data {
        media_type: media_type.to_owned(),
        base64: base64.to_owned(),
    };
    // No provider of this list reads from it.
    let stored = |by| Source::Stored { by, id: "file_1".to_owned() };
    let call = |name: &str| {
        Block::ToolCall(ToolCall {
            id: "a".to_owned(),
            name: name.to_owned(),
            input: Input::Arguments("{}".to_owned()),
            seal: None,
        })
    };
    let result = |content| {
        Block::ToolResult(ToolResult { id: "a".to_owned(), name: None, content, is_error: false })
    };
    let said = || turn(Role::User, Block::text("x"));
    let function = |name: &str, parameters: &str| Tool::Function {
        name: name.to_owned(),
        description: None,
        parameters: Json::parse(parameters),
        strict: None,
    };
    let stops = |texts: &[&str]| Request {
        stop: texts.iter().map(|text| (*text).to_owned()).collect(),
        ..said()
    };
    let tools = |tool, choice| Request { tools: vec![tool], choice, ..said() };
    vec![
        turn(Role::User, image(Source::Text("x".to_owned()))),
        turn(Role::User, image(stored(Protocol::Messages))),
        turn(Role::User, image(stored(Protocol::Gemini))),
        turn(Role::User, file(stored(Protocol::Messages))),
        turn(Role::User, file(stored(Protocol::Gemini))),
        turn(Role::User, file(Source::Url("https://example.com/a.pdf".to_owned()))),
        turn(Role::User, file(data("application/zip", "UEs="))),
        turn(Role::User, file(data("text/plain", "/w=="))),
        turn(Role::User, call("f")),
        turn(Role::User, result(vec![result(Vec::new())])),
        turn(Role::System, image(Source::Url("https://example.com/a.png".to_owned()))),
        turn(Role::Developer, image(Source::Url("https://example.com/a.png".to_owned()))),
        turn(Role::Assistant, image(Source::Url("https://example.com/a.png".to_owned()))),
        turn(Role::Assistant, Block::text("So")),
        turn(Role::User, result(Vec::new())),
        Request::default(),
        stops(&[" "]),
        stops(&[""]),
        stops(&["a", "b", "c", "d", "e", "f"]),
        tools(function("a b", "{}"), Choice::Auto),
        tools(function("f", r#"{"type":"array"}"#), Choice::Auto),
        tools(function("f", "{}"), Choice::Named("g".to_owned())),
        Request { choice: Choice::Required, ..said() },
        Request { choice: Choice::Named("g".to_owned()), ..said() },
    ]
}

/// An account's streams: those of the golden files, and what they leave out.
pub(super) fn answers(account: Endpoint) -> Vec<Vec<u8>> {
    let chunk = |delta: &str| {
        let done = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\ndata: {done}\n\n")
    };
    match account.protocol() {
        Protocol::Messages => {
            let mut streams = goldens!("anthropic": "citations.sse" "refusal.sse" "thinking.sse" "tool_use.sse" "web_search.sse");
            let stopped = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n\
                event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"END\"}}\n\n\
                event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
            streams.push(stopped.as_bytes().to_vec());
            streams
        }
        Protocol::Chat => {
            let mut streams = goldens!("chat/answers": "citations.sse" "custom_call.sse" "refusal.sse" "text.sse" "thinking.sse");
            let sealed = r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"c2VhbA=="}}}]}"#;
            let quoted = r#"{"content":"So.","annotations":[{"type":"url_citation","url_citation":{"url":"https://example.com/","content":"So it is."}}]}"#;
            streams.extend([sealed, quoted].map(|delta| chunk(delta).into_bytes()));
            streams
        }
        Protocol::Responses => {
            goldens!("responses/answers": "citations.sse" "custom_call.sse" "items_alone.sse" "reasoning_calls.sse" "refusal.sse" "text.sse")
        }
        Protocol::Gemini => {
            goldens!("gemini/answers": "calls.sse" "citations.sse" "safety.sse" "text.sse" "thinking.sse")
        }
    }
}

/// How answers get back to a client of the older form of Chat.
pub(super) fn other_back(pair: Pair) -> Option<Back> {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"x"}],
        "functions":[{"name":"get_weather"}]}"#;
    let is_chat = pair.client == Endpoint::Chat;
    is_chat.then(|| translated(pair, body).expect("a request").back)
}
