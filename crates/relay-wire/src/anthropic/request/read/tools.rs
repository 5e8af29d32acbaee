//! Reads tools, and whether they are to be called.

use relay_core::protocol::Protocol;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::raw::Object;
use super::{all_taken, cache_mark};
use crate::hub::{Choice, DecodeError, Fields, Json, Loss, Losses, Malformed, Tool};

pub(super) fn tools(
    tools: Vec<Box<RawValue>>,
    losses: &mut Losses,
) -> Result<Vec<Tool>, DecodeError> {
    let numbered = tools.into_iter().enumerate();
    numbered.map(|(number, raw)| tool(raw, format!("tools[{number}]"), losses)).collect()
}

fn tool(raw: Box<RawValue>, path: String, losses: &mut Losses) -> Result<Tool, DecodeError> {
    let Ok(Object { kept, fields }) = serde_json::from_str(raw.get()) else {
        return Err(Malformed { path, what: "has to be an object".to_owned() }.into());
    };
    let mut fields = Fields::of(Value::Object(fields), path)?;
    let kind = fields.text("type")?.filter(|kind| kind != "custom");
    cache_mark(&mut fields, losses);
    if let Some(kind) = kind {
        return Ok(Tool::Hosted { by: Protocol::Messages, kind, raw: Json::new(raw) });
    }
    for hint in ["eager_input_streaming", "input_examples", "defer_loading", "allowed_callers"] {
        if fields.take(hint).is_some() {
            losses.insert(Loss::ToolHints);
        }
    }
    if kept.as_ref().is_some_and(|schema| !schema.get().starts_with('{')) {
        return Err(fields.wrong("input_schema", "has to be an object").into());
    }
    let tool = Tool::Function {
        name: fields.need_text("name")?,
        description: fields.text("description")?,
        parameters: kept.map(Json::new),
        strict: fields.flag("strict")?,
    };
    all_taken(&fields)?;
    Ok(tool)
}

/// Whether and which tools are to be called, and whether several at once.
pub(super) fn choice(fields: &mut Fields) -> Result<(Choice, Option<bool>), DecodeError> {
    let Some(mut wanted) = fields.object("tool_choice")? else { return Ok((Choice::Auto, None)) };
    let choice = match wanted.need_text("type")?.as_str() {
        "auto" => Choice::Auto,
        "any" => Choice::Required,
        "none" => Choice::None,
        "tool" => Choice::Named(wanted.need_text("name")?),
        _ => return Err(wanted.wrong("type", "has to be auto, any, tool or none").into()),
    };
    let one_at_a_time = wanted.flag("disable_parallel_tool_use")?;
    all_taken(&wanted)?;
    Ok((choice, one_at_a_time.map(|one| !one)))
}
