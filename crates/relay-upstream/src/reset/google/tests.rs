use http::{HeaderName, HeaderValue};
use serde_json::json;

use super::*;

/// 15 January 2027, 08:00 UTC: midnight in Mountain View, where a day begins.
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn at(details: &Value, message: &str, retry_after: Option<&'static str>) -> StatedReset {
    let mut headers = HeaderMap::new();
    if let Some(value) = retry_after {
        headers.insert(HeaderName::from_static("retry-after"), HeaderValue::from_static(value));
    }
    let error = json!({"code": 429, "status": "RESOURCE_EXHAUSTED", "details": details});
    let body = json!({"error": error}).to_string();
    stated(&headers, (&Said::of(body.as_bytes()), message), NOW)
}

fn seconds(stated: &StatedReset) -> Option<u64> {
    stated.at.map(|at| at.since(NOW).as_secs())
}

fn violation(id: &str) -> Value {
    json!({
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
            "quotaId": id,
            "quotaDimensions": {"location": "global", "model": "gemini-2.0-flash"},
        }],
    })
}

fn retry(delay: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
}

#[test]
fn a_limit_of_a_minute_ends_as_its_delay_says() {
    let minute = violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier");
    let told = at(&json!([minute, retry("34.074824224s")]), "", None);
    assert_eq!(seconds(&told), Some(34));
    assert_eq!(told.scope, Scope::Models(ModelFamily::of("gemini-2.0-flash")));
    assert_eq!(seconds(&at(&json!([minute, retry("604800s")]), "", None)), Some(3_600));
    assert_eq!(seconds(&at(&json!([minute]), "", None)), None);
    assert_eq!(seconds(&at(&json!([minute]), "", Some("9"))), Some(9));
    assert_eq!(at(&json!([]), "", None), StatedReset { at: None, scope: Scope::Asked });
}

#[test]
fn a_quota_of_a_day_ends_at_midnight_in_mountain_view_if_nothing_is_stated() {
    let day = violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier");
    assert_eq!(seconds(&at(&json!([day]), "", None)), Some(24 * 3_600));
    assert_eq!(seconds(&at(&json!([day, retry("47s")]), "", None)), Some(47));
    assert_eq!(seconds(&at(&json!([day, retry("14h")]), "", None)), Some(14 * 3_600));
    assert_eq!(seconds(&at(&json!([day, retry("900h")]), "", None)), Some(26 * 3_600));
}

#[test]
fn days_in_which_clocks_change_are_as_long_as_they_are() {
    let noon = |text: &str| {
        Timestamp::from_millis(text.parse::<jiff::Timestamp>().expect("a moment").as_millisecond())
    };
    let until = |text| midnight(noon(text)).expect("a midnight").since(noon(text)).as_secs() / 60;
    assert_eq!(until("2027-03-14T08:30:00Z"), 22 * 60 + 30, "an hour less");
    assert_eq!(until("2027-11-07T07:30:00Z"), 24 * 60 + 30, "an hour more");
}

#[test]
fn code_assist_states_when_its_quotas_begin_anew() {
    let info = |reason: &str, metadata: &Value| {
        let domain = "cloudcode-pa.googleapis.com";
        json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
            "domain": domain, "metadata": metadata})
    };
    let metadata = json!({"model": "gemini-3.5-flash", "quotaResetDelay": "161h39m41.300432511s",
        "quotaResetTimeStamp": "2027-01-21T20:18:34Z", "uiMessage": "true"});
    let told = at(&json!([info("QUOTA_EXHAUSTED", &metadata), retry("5s")]), "", None);
    assert_eq!(seconds(&told), Some(581_981));
    assert_eq!(told.scope, Scope::Models(ModelFamily::of("gemini-3.5-flash")));
    let stamp = json!({"quotaResetTimeStamp": "2027-01-15T09:00:00Z"});
    assert_eq!(seconds(&at(&json!([info("QUOTA_EXHAUSTED", &stamp)]), "", None)), Some(3_600));
    let year = json!({"quotaResetDelay": "8760h"});
    let capped = at(&json!([info("QUOTA_EXHAUSTED", &year)]), "", None);
    assert_eq!(seconds(&capped), Some(8 * 86_400));
    let brief = at(&json!([info("RATE_LIMIT_EXCEEDED", &metadata)]), "", None);
    assert_eq!(seconds(&brief), Some(3_600), "a limit by the minute lasts no week");
    let past = json!({"quotaResetTimeStamp": "2026-01-15T09:00:00Z"});
    assert_eq!(
        seconds(&at(&json!([info("QUOTA_EXHAUSTED", &past), retry("7s")]), "", None)),
        Some(7)
    );
}

#[test]
fn a_text_counts_where_there_are_no_details() {
    let text =
        "You have exhausted your capacity on this model. Your quota will reset after 8h44m7s.";
    assert_eq!(seconds(&at(&json!([]), text, None)), Some(31_447));
    assert_eq!(seconds(&at(&json!([]), &format!("no: {text}"), None)), None);
}
