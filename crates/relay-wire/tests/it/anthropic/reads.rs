//! Requests of Claude's clients.

use relay_core::protocol::Protocol;
use relay_wire::anthropic::request::{read, write};
use relay_wire::hub::{Block, Input, Seal};

macro_rules! golden {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            let body = include_bytes!(concat!("../../golden/anthropic/request/", stringify!($name), ".json"));
            insta::assert_debug_snapshot!(read(body).expect("a good request"));
        }
    )*};
}

golden! { claude_code every_field budget forced server_tools count_tokens }

#[test]
fn what_claude_can_do_itself_is_written_as_it_was_read() {
    for body in [
        include_bytes!("../../golden/anthropic/request/every_field.json").as_slice(),
        include_bytes!("../../golden/anthropic/request/budget.json"),
        include_bytes!("../../golden/anthropic/request/forced.json"),
    ] {
        let first = read(body).expect("a good request").request;
        let written = write(&first).expect("Claude's own");
        let again = read(&written.body).expect("what we write is good").request;
        assert_eq!(first, again);
        assert!(written.losses.is_empty(), "{:?}", written.losses);
    }
}

#[test]
fn what_has_no_place_is_refused_by_name() {
    let user = r#""model":"m","messages":[{"role":"user","content":"x"}]"#;
    let refused = [
        "[]".to_owned(),
        r#"{"messages":[{"role":"user","content":"x"}]}"#.to_owned(),
        r#"{"model":"m"}"#.to_owned(),
        r#"{"model":"m","messages":[]}"#.to_owned(),
        r#"{"model":"m","messages":{}}"#.to_owned(),
        r#"{"model":"m","messages":[{"role":"tool","content":"x"}]}"#.to_owned(),
        r#"{"model":"m","messages":[{"role":"user"}]}"#.to_owned(),
        r#"{"model":"m","messages":[{"role":"user","content":[]}]}"#.to_owned(),
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}"#.to_owned(),
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"video","url":"x"}]}]}"#.to_owned(),
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"container_upload","file_id":"f"}]}]}"#.to_owned(),
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x","tone":"glad"}]}]}"#.to_owned(),
        r#"{"model":"m","messages":[{"role":"system","content":[{"type":"image"}]}]}"#.to_owned(),
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"","data":"x"}}]}]}"#.to_owned(),
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"a,b","data":"x"}}]}]}"#.to_owned(),
        format!(r#"{{{user},"mood":"good"}}"#),
        format!(r#"{{{user},"container":"c_1"}}"#),
        format!(r#"{{{user},"inference_geo":"eu"}}"#),
        format!(r#"{{{user},"mcp_servers":[{{"type":"url","url":"https://example.com/"}}]}}"#),
        format!(r#"{{{user},"thinking":{{"type":"enabled"}}}}"#),
        format!(r#"{{{user},"thinking":{{"type":"deep"}}}}"#),
        format!(r#"{{{user},"output_config":{{"effort":"huge"}}}}"#),
        format!(r#"{{{user},"output_config":{{"format":{{"type":"xml"}}}}}}"#),
        format!(r#"{{{user},"tool_choice":{{"type":"some"}}}}"#),
        format!(r#"{{{user},"tools":[1]}}"#),
        format!(r#"{{{user},"tools":[{{"name":"x","colour":"red"}}]}}"#),
        format!(r#"{{{user},"tools":[{{"name":"x","input_schema":7}}]}}"#),
        format!(r#"{{{user},"metadata":{{"user_id":"u","mail":"x"}}}}"#),
        format!(r#"{{{user},"max_tokens":-1}}"#),
        format!(r#"{{{user},"stop_sequences":[1]}}"#),
    ];
    let told = refused.map(|body| match read(body.as_bytes()) {
        Ok(read) => panic!("{body} was read as {read:?}"),
        Err(error) => format!("{body}\n  {error}"),
    });
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn arguments_stay_as_they_were_written() {
    let body = br#"{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":{ "a" : 1.50,"b":1E2,"a":12345678901234567890123 }}]}]}"#;
    let request = read(body).expect("a good request").request;
    let Block::ToolCall(call) = &request.turns[0].blocks[0] else { panic!("{request:?}") };
    let written = r#"{ "a" : 1.50,"b":1E2,"a":12345678901234567890123 }"#;
    assert_eq!(call.input, Input::Arguments(written.to_owned()));
    let again = write(&request).expect("a good request").body;
    assert!(String::from_utf8(again).expect("JSON").contains(written));
}

#[test]
fn what_another_provider_named_and_sealed_comes_back_as_it_was() {
    let body = br#"{"model":"m","messages":[
        {"role":"assistant","content":[
            {"type":"thinking","thinking":"So.","signature":"crs1:responses:all:4:rs_1YWJj"},
            {"type":"tool_use","id":"crs-call_7c1","name":"n","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"crs-call_7c1"}]}]}"#;
    let request = read(body).expect("a good request").request;
    let seal = Seal {
        by: Protocol::Responses,
        id: Some("rs_1".to_owned()),
        data: "YWJj".to_owned(),
        is_all: true,
    };
    let Block::Thinking { seal: Some(found), .. } = &request.turns[0].blocks[0] else {
        panic!("{request:?}")
    };
    assert_eq!(found, &seal);
    let Block::ToolCall(call) = &request.turns[0].blocks[1] else { panic!("{request:?}") };
    let Block::ToolResult(result) = &request.turns[1].blocks[0] else { panic!("{request:?}") };
    assert_eq!((call.id.as_str(), result.id.as_str()), ("call|1", "call|1"));
}
