//! Lists of models, in one object that the clients of Anthropic and of OpenAI both read.

pub mod google;

use jiff::Timestamp;
use serde_json::{Value, json};

/// A model as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelEntry {
    /// The name by which it is asked for.
    pub id: String,
    /// The name for people.
    pub display_name: String,
    /// When it was released, in seconds since the Unix epoch; 0 if not known.
    pub created: i64,
    /// Who made it; empty if not known.
    pub owned_by: String,
}

/// The body of a list. It is whole: `has_more` is always false.
pub fn render_list(models: &[ModelEntry]) -> Vec<u8> {
    let id = |model: Option<&ModelEntry>| model.map(|model| model.id.clone());
    let list = json!({
        "object": "list",
        "data": models.iter().map(describe).collect::<Vec<Value>>(),
        "has_more": false,
        "first_id": id(models.first()),
        "last_id": id(models.last()),
    });
    list.to_string().into_bytes()
}

/// The body that describes one model.
pub fn render_one(model: &ModelEntry) -> Vec<u8> {
    describe(model).to_string().into_bytes()
}

/// Reads a provider's list: Anthropic's (`created_at`, `display_name`), OpenAI's (`created`,
/// `owned_by`), a mixture of both, Google's (`models`), ChatGPT's (`slug`), or a bare array as some hosts send it.
///
/// What is missing in an entry stays unknown, its name is its id; an entry without an id is left
/// out. `None` if there is no list at all.
pub fn parse_list(body: &[u8]) -> Option<Vec<ModelEntry>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    if let Some(models) = body.get("models").and_then(Value::as_array) {
        return Some(models.iter().filter_map(google::parse_entry).collect());
    }
    let entries = body.get("data").unwrap_or(&body).as_array()?;
    Some(entries.iter().filter_map(parse_entry).collect())
}

fn parse_entry(entry: &Value) -> Option<ModelEntry> {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).filter(|it| !it.is_empty());
    let id = text("id")?;
    let maker = || if text("type") == Some("model") { "anthropic" } else { "" };
    Some(ModelEntry {
        id: id.to_owned(),
        display_name: text("display_name").unwrap_or(id).to_owned(),
        created: seconds(entry.get("created"))
            .or_else(|| seconds(entry.get("created_at")))
            .unwrap_or_default(),
        owned_by: text("owned_by").unwrap_or_else(maker).to_owned(),
    })
}

/// A moment as a number of seconds or in RFC 3339.
fn seconds(moment: Option<&Value>) -> Option<i64> {
    match moment? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok().map(Timestamp::as_second),
        _ => None,
    }
}

/// A model with the fields of both families.
fn describe(model: &ModelEntry) -> Value {
    json!({
        "id": model.id,
        "object": "model",
        "type": "model",
        "display_name": model.display_name,
        "created": model.created,
        "created_at": Timestamp::from_second(model.created).unwrap_or_default().to_string(),
        "owned_by": model.owned_by,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opus() -> ModelEntry {
        ModelEntry {
            id: "claude-opus-4-8".into(),
            display_name: "Claude Opus 4.8".into(),
            created: 1_779_926_400,
            owned_by: "anthropic".into(),
        }
    }

    #[test]
    fn one_object_serves_both_families() {
        insta::assert_snapshot!(
            String::from_utf8_lossy(&render_list(&[opus()])),
            @r#"{"object":"list","data":[{"id":"claude-opus-4-8","object":"model","type":"model","display_name":"Claude Opus 4.8","created":1779926400,"created_at":"2026-05-28T00:00:00Z","owned_by":"anthropic"}],"has_more":false,"first_id":"claude-opus-4-8","last_id":"claude-opus-4-8"}"#
        );
        insta::assert_snapshot!(
            String::from_utf8_lossy(&render_list(&[])),
            @r#"{"object":"list","data":[],"has_more":false,"first_id":null,"last_id":null}"#
        );
        assert_eq!(render_one(&opus()).first(), Some(&b'{'));
    }

    #[test]
    fn a_rendered_list_reads_back() {
        let models = [opus(), ModelEntry { id: "b".into(), created: i64::MAX, ..opus() }];
        assert_eq!(parse_list(&render_list(&models)).unwrap(), models);
    }

    #[test]
    fn lists_of_both_families_and_odd_hosts_are_read() {
        let read = |body: &str| {
            let models = parse_list(body.as_bytes())?.into_iter();
            Some(models.map(|it| (it.id, it.display_name, it.created, it.owned_by)).collect())
        };
        let model = |id: &str, name: &str, created: i64, owner: &str| {
            (id.to_owned(), name.to_owned(), created, owner.to_owned())
        };
        assert_eq!(
            read(
                r#"{"data":[{"type":"model","id":"a","display_name":"A",
                    "created_at":"2024-10-22T00:00:00+00:00"}],"has_more":false}"#
            ),
            Some(vec![model("a", "A", 1_729_555_200, "anthropic")])
        );
        assert_eq!(
            read(
                r#"{"object":"list","data":[{"id":"b","object":"model","created":17,
                    "owned_by":"openai"},{"object":"model"},7,{"id":""}]}"#
            ),
            Some(vec![model("b", "b", 17, "openai")])
        );
        assert_eq!(
            read(r#"[{"id":"c","created":"soon","created_at":null}]"#),
            Some(vec![model("c", "c", 0, "")])
        );
        assert_eq!(read(r#"{"error":"no"}"#), None);
        assert_eq!(read("<html>"), None);
    }
}
