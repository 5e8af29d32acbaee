//! Reads a request to `/completions`: a prompt is one turn of the user.

use serde_json::Value;

use super::{Read, fields_of, no_more, one_answer, refuse, shared};
use crate::chat::Form;
use crate::hub::{Block, DecodeError, Role, Turn, Unsupported};

/// Reads the body of a request to `/completions`.
pub(in crate::chat::request) fn read_prompt(body: &[u8]) -> Result<Read, DecodeError> {
    let mut fields = fields_of(body)?;
    let mut read = shared(&mut fields)?;
    let prompt = match fields.take("prompt") {
        Some(Value::String(prompt)) => prompt,
        Some(Value::Array(mut prompts)) => match (prompts.pop(), prompts.is_empty()) {
            (Some(Value::String(prompt)), true) => prompt,
            (Some(Value::String(_)), false) => {
                let why = "one prompt is answered at a time";
                return Err(Unsupported::new("prompt", why).into());
            }
            _ => {
                let why = "prompts are text; numbers of tokens are of one model alone";
                return Err(Unsupported::new("prompt", why).into());
            }
        },
        Some(_) => return Err(fields.wrong("prompt", "has to be a string").into()),
        None => return Err(fields.wrong("prompt", "is missing").into()),
    };
    read.request.turns = vec![Turn { role: Role::User, blocks: vec![Block::text(prompt)] }];
    read.request.output_max = fields.count("max_tokens")?;
    one_answer(&mut fields, "best_of")?;
    refuse(&mut fields, "echo", "the prompt is not repeated")?;
    refuse(&mut fields, "suffix", "chat models do not write the middle of a text")?;
    no_more(&fields)?;
    read.wishes.form = Form::Text;
    Ok(read)
}
