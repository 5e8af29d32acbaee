//! Reads what OpenAI's own tools left in a conversation: as words, for a provider that does not
//! have them.

use serde_json::{Map, Value};

use crate::chat::request::source;
use crate::hub::{Block, Fields, Image};

/// The items of such tools. Of a name that ends in `_call` the model speaks, of others the user.
const KINDS: [&str; 15] = [
    "web_search_call",
    "file_search_call",
    "computer_call",
    "computer_call_output",
    "code_interpreter_call",
    "image_generation_call",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "mcp_call",
    "mcp_approval_response",
    "tool_search_call",
];

/// The words for an item of this type; `None` if the type is not known.
pub(super) fn words(kind: &str, item: &mut Fields) -> Option<Vec<Block>> {
    // Which tools a server has is told anew with each request; what it asked for goes with its
    // answer.
    if matches!(kind, "mcp_list_tools" | "mcp_approval_request") {
        members(item);
        return Some(Vec::new());
    }
    if !KINDS.contains(&kind) {
        return None;
    }
    let (mut blocks, mut said) = (Vec::new(), Map::new());
    for (name, value) in members(item) {
        // What is no picture's address is told with the rest.
        let address = value.get("image_url").and_then(Value::as_str);
        let picture = address.and_then(|it| source(it.to_owned(), "image_url").ok());
        if let Some(source) = picture.filter(|_| kind.ends_with("_output")) {
            blocks.push(Block::Image(Image { source, detail: None }));
        } else if !is_bytes(&name) {
            said.insert(name, without_bytes(value));
        }
    }
    blocks.insert(0, Block::text(format!("[{kind}: {}]", Value::Object(said))));
    Some(blocks)
}

/// Takes all that is left of an item.
fn members(item: &mut Fields) -> Vec<(String, Value)> {
    let names: Vec<String> = item.left().map(str::to_owned).collect();
    let member = |name: String| item.take(&name).map(|value| (name, value));
    names.into_iter().filter_map(member).collect()
}

/// Whether a member holds bytes: sealed ones, or a picture's.
fn is_bytes(name: &str) -> bool {
    matches!(name, "result" | "image_url" | "encrypted_content" | "fingerprint")
}

fn without_bytes(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.retain(|name, _| !is_bytes(name));
            fields.values_mut().for_each(|inner| *inner = without_bytes(inner.take()));
        }
        Value::Array(list) => list.iter_mut().for_each(|it| *it = without_bytes(it.take())),
        _ => {}
    }
    value
}
