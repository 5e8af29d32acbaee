//! Puts a stream of Responses together to the answer that it comes to, for a client that asked for it
//! whole of an account that only streams.

use serde_json::{Map, Value};

use crate::sse::Batch;

/// An answer that is put together: the object that the stream's last event repeats, with the items that
/// came before where that one leaves them out, as ChatGPT's upstream does.
#[derive(Debug, Default)]
pub struct Whole {
    items: Vec<Value>,
    answer: Option<Map<String, Value>>,
}

impl Whole {
    /// Takes the next events.
    pub fn push(&mut self, batch: &Batch) {
        for event in batch.events() {
            let Ok(Value::Object(mut data)) = serde_json::from_slice(&event.data) else { continue };
            match data.get("type").and_then(Value::as_str) {
                Some("response.output_item.done") => self.items.extend(data.remove("item")),
                Some("response.completed" | "response.incomplete" | "response.done") => {
                    if let Some(Value::Object(answer)) = data.remove("response") {
                        self.answer = Some(answer);
                    }
                }
                _ => {}
            }
        }
    }

    /// The answer; `None` if the stream did not come to one.
    pub fn finish(self) -> Option<Vec<u8>> {
        let mut answer = self.answer?;
        let has_output =
            answer.get("output").and_then(Value::as_array).is_some_and(|it| !it.is_empty());
        if !has_output {
            answer.insert("output".to_owned(), Value::Array(self.items));
        }
        Some(Value::Object(answer).to_string().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sse::SseFramer;

    fn whole(stream: &'static str) -> Option<Value> {
        let batch =
            SseFramer::new(1 << 20).push(Bytes::from_static(stream.as_bytes())).expect("small");
        let mut whole = Whole::default();
        whole.push(&batch);
        whole.finish().and_then(|body| serde_json::from_slice(&body).ok())
    }

    const ITEM: &str = "data: {\"type\":\"response.output_item.done\",\"item\":{\"id\":\"a\"}}\n\n";

    #[test]
    fn the_end_repeats_the_answer_or_the_items_make_it() {
        let end = "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"output\":[{\"id\":\"b\"}]}}\n\n";
        let answer = whole(Box::leak(format!("{ITEM}{end}").into())).expect("an answer");
        assert_eq!((&answer["id"], &answer["output"][0]["id"]), (&"r".into(), &"b".into()));
        let end = "data: {\"type\":\"response.incomplete\",\"response\":{\"id\":\"r\",\"output\":[]}}\n\n";
        let answer = whole(Box::leak(format!("{ITEM}{end}").into())).expect("an answer");
        assert_eq!(answer["output"][0]["id"], "a");
        assert_eq!(whole(ITEM), None);
    }
}
