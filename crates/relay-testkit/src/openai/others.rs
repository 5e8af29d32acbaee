//! OpenAI's answers that are no conversation.

use relay_core::usage::TokenUsage;
use serde_json::{Value, json};

use super::CREATED;
use super::responses::usage_json;
use crate::anthropic::ask::Ask;
use crate::anthropic::reply::Reply;
use crate::base64::{Alphabet, encode};
use crate::format::Format;

/// Numbers that stand for a text.
pub(crate) const VECTOR: [f32; 4] = [0.5, -0.25, 0.125, 1.0];
/// What a picture is billed for.
const PICTURE_TOKENS: u64 = 272;
/// A picture of one pixel.
const PIXEL: &str = "R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";

/// What these answers state, where that is not what a conversation would.
pub(crate) fn usage(ask: &Ask, of_conversation: TokenUsage) -> TokenUsage {
    match ask.format {
        format if format.only_counts() => TokenUsage::default(),
        Format::Embeddings | Format::Embed => TokenUsage { output: 0, ..ask.input },
        Format::Images => TokenUsage { output: ask.wanted * PICTURE_TOKENS, ..ask.input },
        _ => of_conversation,
    }
}

/// The answer of `/v1/embeddings`.
pub(crate) fn embeddings(ask: &Ask) -> Value {
    let vector = if ask.base64 {
        let bytes: Vec<u8> = VECTOR.iter().flat_map(|number| number.to_le_bytes()).collect();
        Value::from(encode(&bytes, Alphabet::Standard))
    } else {
        json!(VECTOR)
    };
    let one = |index| json!({"object": "embedding", "index": index, "embedding": vector});
    let input = ask.input.context();
    json!({
        "object": "list", "model": ask.model, "data": (0..ask.wanted).map(one).collect::<Vec<_>>(),
        "usage": {"prompt_tokens": input, "total_tokens": input},
    })
}

/// The answer of `/v1/images/generations`.
pub(crate) fn images(reply: &Reply, ask: &Ask) -> Value {
    let picture = json!({"b64_json": PIXEL});
    let (input, output) = (reply.usage.context(), reply.usage.output);
    json!({
        "created": CREATED, "data": vec![picture; usize::try_from(ask.wanted).unwrap_or(1)],
        "usage": {
            "input_tokens": input, "output_tokens": output, "total_tokens": input + output,
            "input_tokens_details": {"text_tokens": input, "image_tokens": 0},
        },
    })
}

/// The answer of `/v1/responses/compact`.
pub(crate) fn compacted(reply: &Reply, ask: &Ask) -> Value {
    let serial = reply.serial;
    let summary = format!("Z0FBQUFB{serial:08}");
    json!({
        "id": format!("resp_fake_{serial:08}"), "object": "response.compaction",
        "created_at": CREATED, "model": ask.model,
        "output": [{
            "id": format!("cmp_fake_{serial:08}"), "type": "compaction",
            "encrypted_content": summary,
        }],
        "usage": usage_json(reply),
    })
}

/// The answer of `/v1/responses/input_tokens`.
pub(crate) fn counted(ask: &Ask) -> Value {
    json!({"object": "response.input_tokens", "input_tokens": ask.input.context()})
}
