//! Lists of models in Google's form.

use serde_json::{Value, json};

use super::ModelEntry;

/// The body of a list. It is whole: there is no next page.
pub fn render_list(models: &[ModelEntry]) -> Vec<u8> {
    let models: Vec<Value> = models.iter().map(describe).collect();
    json!({ "models": models }).to_string().into_bytes()
}

/// The body that describes one model.
pub fn render_one(model: &ModelEntry) -> Vec<u8> {
    describe(model).to_string().into_bytes()
}

fn describe(model: &ModelEntry) -> Value {
    json!({
        "name": format!("models/{}", model.id),
        "displayName": model.display_name,
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
    })
}

/// Reads an entry of Google's list, or of ChatGPT's, which names its models by `slug`.
pub(super) fn parse_entry(entry: &Value) -> Option<ModelEntry> {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).filter(|it| !it.is_empty());
    let (name, owner) = match (text("name"), text("slug")) {
        (Some(name), _) if name.starts_with("models/") => (name.strip_prefix("models/")?, "google"),
        (_, Some(slug)) => (slug, "openai"),
        (Some(name), None) => (name, ""),
        (None, None) => return None,
    };
    let display_name = text("displayName").or_else(|| text("display_name")).unwrap_or(name);
    Some(ModelEntry {
        id: name.to_owned(),
        display_name: display_name.to_owned(),
        created: 0,
        owned_by: owner.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse_list;
    use super::*;

    #[test]
    fn googles_list_is_read_and_written() {
        let body = br#"{"models":[{"name":"models/gemini-x","displayName":"Gemini X"},{}]}"#;
        let models = parse_list(body).expect("a list");
        assert_eq!(
            (models[0].id.as_str(), models[0].display_name.as_str()),
            ("gemini-x", "Gemini X")
        );
        assert_eq!(models.len(), 1);
        assert_eq!(parse_list(&render_list(&models)).expect("a list"), models);
        let one: Value = serde_json::from_slice(&render_one(&models[0])).expect("JSON");
        assert_eq!(one["name"], "models/gemini-x");
    }

    #[test]
    fn chatgpts_list_is_read() {
        let body = br#"{"models":[{"slug":"gpt-x","display_name":"GPT X"}]}"#;
        let models = parse_list(body).expect("a list");
        assert_eq!((models[0].id.as_str(), models[0].owned_by.as_str()), ("gpt-x", "openai"));
    }
}
