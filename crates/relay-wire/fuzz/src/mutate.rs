//! Changes inputs as JSON: bytes that are changed at random are seldom a body that a decoder reads
//! far into.

use libfuzzer_sys::fuzzer_mutate;
use serde_json::{Map, Value, json};

/// What stands between the events of a stream.
const BETWEEN: &str = "\n\n";

/// What comes before the data of an event.
const DATA: &str = "data: ";

/// Changes the body behind the first byte, mostly as JSON and otherwise as bytes.
pub fn body(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    change(data, (size, max_size), seed, |body, dice| {
        let value = serde_json::from_str(body).ok()?;
        Some(changed(value, dice).to_string())
    })
}

/// Changes the stream behind the first byte, mostly its events and otherwise its bytes.
pub fn stream(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    change(data, (size, max_size), seed, |stream, dice| {
        let mut events: Vec<String> = stream.split(BETWEEN).map(str::to_owned).collect();
        let (at, other) = (dice.below(events.len()), dice.below(events.len()));
        match dice.below(8) {
            0 => drop(events.remove(at)),
            1 => events.insert(other, events[at].clone()),
            2 => events.swap(at, other),
            _ => {
                let start = events[at].find(DATA)? + DATA.len();
                let value = serde_json::from_str(&events[at][start..]).ok()?;
                events[at].replace_range(start.., &changed(value, dice).to_string());
            }
        }
        Some(events.join(BETWEEN))
    })
}

/// Changes the text behind the first byte where `by` finds what to change, and bytes otherwise.
fn change(
    data: &mut [u8],
    (size, max_size): (usize, usize),
    seed: u32,
    by: impl FnOnce(&str, &mut Dice) -> Option<String>,
) -> usize {
    let mut dice = Dice(u64::from(seed));
    let text = data[..size].split_first().and_then(|(_, text)| str::from_utf8(text).ok());
    let changed = match text {
        Some(text) if dice.below(4) > 0 => by(text, &mut dice),
        _ => None,
    };
    match changed {
        Some(text) if text.len() < max_size => {
            data[1..=text.len()].copy_from_slice(text.as_bytes());
            text.len() + 1
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
}

/// A value with one to four of those within it changed.
fn changed(mut value: Value, dice: &mut Dice) -> Value {
    for _ in 0..=dice.below(4) {
        let mut places = Vec::new();
        find(&value, &mut String::new(), &mut places);
        let (place, other) = (dice.pick(&places), dice.pick(&places));
        let other = value.pointer(other).cloned().unwrap_or_default();
        if let Some(place) = value.pointer_mut(place) {
            *place = instead(place.take(), other, dice);
        }
    }
    value
}

/// The places of all values within one, as JSON pointers.
fn find(value: &Value, at: &mut String, places: &mut Vec<String>) {
    places.push(at.clone());
    let inner: Vec<(String, &Value)> = match value {
        Value::Array(list) => {
            list.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect()
        }
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        _ => return,
    };
    let length = at.len();
    for (name, value) in inner {
        at.push('/');
        at.push_str(&name);
        find(value, at, places);
        at.truncate(length);
    }
}

/// What stands in a value's place then; `other` is one from elsewhere.
fn instead(value: Value, other: Value, dice: &mut Dice) -> Value {
    match (dice.below(6), value) {
        (0, _) => other,
        (1, _) => odd(dice),
        (_, Value::Array(mut list)) => {
            let at = dice.below(list.len() + 1);
            match dice.below(3) {
                0 if at < list.len() => drop(list.remove(at)),
                1 if at < list.len() => list.insert(at, list[at].clone()),
                _ => list.insert(at, other),
            }
            list.into()
        }
        (_, Value::Object(fields)) => object(fields, other, dice).into(),
        (_, Value::String(text)) => words(text, other, dice).into(),
        (_, _) => odd(dice),
    }
}

fn object(mut fields: Map<String, Value>, other: Value, dice: &mut Dice) -> Map<String, Value> {
    let names: Vec<String> = fields.keys().cloned().collect();
    if names.is_empty() {
        fields.insert("type".to_owned(), other);
        return fields;
    }
    let name = dice.pick(&names);
    match (dice.below(3), other) {
        (0, _) => drop(fields.shift_remove(name)),
        (1, Value::String(new)) => {
            let value = fields.shift_remove(name).unwrap_or_default();
            fields.insert(new, value);
        }
        (1, Value::Object(more)) => fields.extend(more),
        (_, other) => drop(fields.insert(name.clone(), other)),
    }
    fields
}

fn words(mut text: String, other: Value, dice: &mut Dice) -> String {
    match (dice.below(4), other) {
        (0, Value::String(other)) => text.push_str(&other),
        (0 | 1, _) => text.truncate(text.floor_char_boundary(dice.below(text.len() + 1))),
        (2, other) => text = other.to_string(),
        (_, _) => {
            let at = text.floor_char_boundary(dice.below(text.len() + 1));
            text.insert(at, *dice.pick(&['\0', ' ', '"', '\\', '{', '_', ':', '@', '名', '🦀']));
        }
    }
    text
}

/// Values that a program may not think of.
fn odd(dice: &mut Dice) -> Value {
    match dice.below(16) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(false),
        3 => json!(0),
        4 => json!(1),
        5 => json!(-1),
        6 => json!(u64::MAX),
        7 => json!(i64::MIN),
        8 => json!(1.5e300),
        9 => json!(0.5),
        10 => json!([]),
        11 => json!({}),
        12 => json!(""),
        13 => json!("x".repeat(dice.below(700))),
        14 => json!("{\"input\":\"x\"}"),
        _ => json!("data:image/png;base64,AA=="),
    }
}

/// Numbers that look random and follow from the fuzzer's seed.
struct Dice(u64);

impl Dice {
    /// A number less than `most`, which is not 0.
    fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % most
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}
