//! The rules that change fields of a body, chosen by the first byte: what was JSON still is, and
//! says what the rule says.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use relay_core::payload::PayloadRule;
use relay_wire::edit::{Missing, apply, cap};
use relay_wire_fuzz::{choice, is_formed, mutate};
use serde_json::Value;

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::body(data, size, max_size, seed)
});

/// Fields of the bodies that the fuzzer begins with.
const PATHS: [&str; 8] = [
    "model",
    "stream",
    "temperature",
    "metadata.user_id",
    "generationConfig.thinkingConfig.thinkingBudget",
    "output_config.effort",
    "a",
    r"a\.b.c",
];

/// The limits of the output.
const LIMITS: [&str; 3] = ["max_tokens", "max_completion_tokens", "max_output_tokens"];

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = choice(input) else { return };
    let body = Bytes::copy_from_slice(body);
    let path = PATHS[usize::from(choice % 8)].parse().expect("a path");
    let missing = if choice & 8 == 0 { Missing::Add } else { Missing::Leave };
    let rule = match choice >> 4 & 3 {
        0 => PayloadRule::Drop { path },
        1 => PayloadRule::Set { path, json: "{\"x\":[1]}".to_owned() },
        2 => PayloadRule::Set { path, json: "0.5".to_owned() },
        _ => return limited(&body, u32::from(choice) << 4),
    };
    let Ok(changed) = apply(&body, std::slice::from_ref(&rule), missing) else { return };
    assert!(is_formed(&body), "what is taken is JSON");
    let after = changed.unwrap_or(body);
    assert!(is_formed(&after), "{}", after.escape_ascii());
    let again = apply(&after, std::slice::from_ref(&rule), missing);
    assert_eq!(again, Ok(None), "{rule:?} is done: {}", after.escape_ascii());
    // Bodies that the relay takes may hold what this parser refuses, half of a surrogate pair say.
    if let Ok(value) = serde_json::from_slice::<Value>(&after) {
        let inner = rule.path().names().iter().try_fold(&value, |value, name| value.get(name));
        match &rule {
            PayloadRule::Drop { .. } => assert_eq!(inner, None, "{value}"),
            PayloadRule::Set { json, .. } => {
                let is_set = inner == serde_json::from_str(json).ok().as_ref();
                assert!(is_set || missing == Missing::Leave && inner.is_none(), "{value}");
            }
        }
    }
});

/// No limit is above the most, and nothing else has changed.
fn limited(body: &Bytes, most: u32) {
    let Ok(changed) = cap(body, &LIMITS, most.into()) else { return };
    assert!(is_formed(body), "what is taken is JSON");
    let after = changed.as_ref().unwrap_or(body);
    assert!(is_formed(after), "{}", after.escape_ascii());
    assert_eq!(cap(after, &LIMITS, most.into()), Ok(None), "it is done");
    let values = (serde_json::from_slice::<Value>(body), serde_json::from_slice::<Value>(after));
    let (Ok(Value::Object(before)), Ok(Value::Object(after))) = values else { return };
    assert!(before.keys().eq(after.keys()), "no field comes or goes");
    for (name, value) in &after {
        if LIMITS.contains(&name.as_str()) {
            let is_within = value.as_f64().is_none_or(|count| count <= f64::from(most));
            assert!(is_within && (value.is_number() || value.is_null()), "{name}: {value}");
        } else if !LIMITS.iter().any(|limit| limit.eq_ignore_ascii_case(name)) {
            assert_eq!(before[name], *value, "{name}");
        }
    }
}
