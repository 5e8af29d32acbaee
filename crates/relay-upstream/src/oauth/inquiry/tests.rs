use http::StatusCode;
use relay_core::model::ModelFamily;
use serde_json::json;

use super::super::USER_AGENT;
use super::super::loopback::{client, serve};
use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn seen(body: &Value) -> Vec<(WindowKind, u16, Option<i64>)> {
    read_usage(body, NOW)
        .into_iter()
        .map(|(kind, window)| {
            assert_eq!(window.seen_at, NOW);
            (kind, window.used_permille, window.resets_at.map(Timestamp::as_millis))
        })
        .collect()
}

fn of(family: &str) -> WindowKind {
    WindowKind::SevenDayModels(ModelFamily::of(&format!("claude-{family}")))
}

#[test]
fn a_real_answer_tells_of_its_windows_in_both_forms() {
    let reset = "2027-01-15T09:00:00.570774+00:00";
    let body = json!({
        "five_hour": {"utilization": 15.5, "resets_at": reset, "limit_dollars": null},
        "seven_day": {"utilization": 48, "resets_at": reset},
        "seven_day_oauth_apps": {"utilization": 3.0, "resets_at": reset},
        "seven_day_opus": null,
        "seven_day_sonnet": {"utilization": 0.0, "resets_at": null},
        "seven_day_cowork": {"utilization": 9.0, "resets_at": null},
        "seven_day_omelette": {"utilization": 9.0, "resets_at": null},
        "iguana_necktie": {"utilization": 9.0, "resets_at": null},
        "extra_usage": {"is_enabled": true, "utilization": 97.0, "monthly_limit": null},
        "currency": "USD",
        "limits": [
            {"kind": "session", "percent": 15, "resets_at": reset, "scope": null},
            {"kind": "weekly_all", "percent": 48, "resets_at": reset, "scope": null},
            {"kind": "weekly_scoped", "percent": 81, "resets_at": reset,
             "scope": {"model": {"id": null, "display_name": "Fable"}, "surface": null}},
            {"kind": "weekly_scoped", "percent": 70, "resets_at": reset,
             "scope": {"model": {"display_name": "Opus"}, "surface": {"display_name": "Design"}}},
            {"kind": "weekly_scoped", "percent": null, "scope": {"model": {"display_name": "Haiku"}}},
            {"kind": "monthly_special", "percent": 5},
            "junk",
        ],
    });
    let resets_at = Some(1_800_003_600_570);
    assert_eq!(
        seen(&body),
        [
            (WindowKind::FiveHour, 155, resets_at),
            (WindowKind::SevenDay, 480, resets_at),
            (of("fable"), 810, resets_at),
            (of("sonnet"), 0, None),
        ]
    );
}

#[test]
fn limits_alone_are_enough_and_nonsense_is_left_out() {
    let body = json!({
        "five_hour": null,
        "seven_day": {"utilization": "48"},
        "seven_day_opus": {"utilization": -1},
        "seven_day_overage_included": {"utilization": 120.0, "resets_at": "soon"},
        "limits": [
            {"kind": "session", "percent": 1e300},
            {"kind": "weekly_scoped", "percent": 4, "scope": {"model": {"display_name": "Claude Opus 5"}}},
        ],
    });
    assert_eq!(
        seen(&body),
        [
            (WindowKind::FiveHour, crate::quota::USED_PERMILLE_MAX, None),
            (of("fable"), 1_200, None),
            (of("opus"), 40, None),
        ]
    );
    assert_eq!(seen(&json!({"limits": {}})), []);
}

#[test]
fn a_profile_tells_plan_and_tier() {
    let body = json!({
        "account": {"email": "a@example.com", "full_name": "A", "has_claude_max": true},
        "organization": {
            "name": "Example Team", "organization_type": "claude_team",
            "rate_limit_tier": "default_claude_max_5x",
        },
    });
    let expected = Identity {
        email: "a@example.com".into(),
        organisation: "Example Team".into(),
        plan: "claude_team".into(),
        tier: "default_claude_max_5x".into(),
        ..Identity::default()
    };
    assert_eq!(read_identity(&body), expected);
    let plan = |account: Value| read_identity(&json!({ "account": account })).plan;
    assert_eq!(plan(json!({"has_claude_max": false, "has_claude_pro": true})), "claude_pro");
    assert_eq!(plan(json!({"has_claude_max": true, "has_claude_pro": true})), "claude_max");
    assert_eq!(plan(json!({"has_claude_max": false, "has_claude_pro": false})), "");
    assert_eq!(read_identity(&json!({"account": "junk"})), Identity::default());
}

fn holder<'a>(base_url: &'a str, access: &'a Secret) -> Holder<'a> {
    Holder { kind: AccountKind::ClaudeOauth, base_url, access, account: "", project: "" }
}

#[tokio::test]
async fn the_relay_asks_under_its_own_name_with_the_beta() {
    let body = json!({"account": {"email": "a@example.com"}});
    let server = serve(StatusCode::OK, &[], body.to_string()).await;
    let found = identity(&client(), &holder(&server.address, &"access".into()), NOW).await;
    assert_eq!(found.map(|identity| identity.email), Ok("a@example.com".into()));
    let asked = server.asked().await;
    assert_eq!(asked.uri().path(), "/api/oauth/profile");
    assert_eq!(asked.headers()["authorization"], "Bearer access");
    assert_eq!(asked.headers()["anthropic-beta"], "oauth-2025-04-20");
    assert_eq!(asked.headers()["user-agent"], USER_AGENT);
}

#[tokio::test]
async fn a_refusal_is_told_apart_from_a_busy_provider() {
    let words = json!({"type": "error", "error": {
        "type": "authentication_error", "message": "Invalid bearer token: access-1",
    }});
    let server = serve(StatusCode::UNAUTHORIZED, &[], words.to_string()).await;
    let fault = usage(&client(), &holder(&server.address, &"access-1".into()), NOW).await;
    let said = "authentication_error: Invalid bearer token: …".to_owned();
    assert_eq!(fault, Err(InquiryFault::Refused { status: 401, said }));

    let server = serve(StatusCode::TOO_MANY_REQUESTS, &[("retry-after", "60")], "").await;
    let fault = usage(&client(), &holder(&server.address, &"access-1".into()), NOW).await;
    let retry_at = Some(NOW.plus(std::time::Duration::from_mins(1)));
    assert_eq!(
        fault,
        Err(InquiryFault::Unavailable { status: 429, retry_at, said: String::new() })
    );

    let unsendable = usage(&client(), &holder(&server.address, &"a\nb".into()), NOW).await;
    assert!(matches!(unsendable, Err(InquiryFault::NotSent(_))), "{unsendable:?}");
}
