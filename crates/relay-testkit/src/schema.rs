//! Structured output: the least JSON that fits a schema.

use serde_json::{Map, Value, json};

/// An instance of `schema` as text. Its free texts are `said`, if anything was to be said; what
/// is JSON already is left as it is.
pub(crate) fn instance(schema: &Value, said: Option<&str>) -> String {
    let json =
        said.filter(|said| serde_json::from_str::<Value>(said).is_ok_and(|it| it.is_object()));
    json.map_or_else(|| value(schema, said.unwrap_or("text 文本")).to_string(), str::to_owned)
}

fn value(schema: &Value, text: &str) -> Value {
    if let Some(choice) = schema["enum"].as_array().and_then(|choices| choices.first()) {
        return choice.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.first().and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kind.unwrap_or("object").to_ascii_lowercase().as_str() {
        "string" => text.into(),
        "integer" => 7.into(),
        "number" => json!(1.5),
        "boolean" => true.into(),
        "array" => json!([value(&schema["items"], text)]),
        "null" => Value::Null,
        _ => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            let fields = fields.map(|(name, schema)| (name.clone(), value(schema, text)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
    }
}
