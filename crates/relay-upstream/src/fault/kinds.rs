//! The statuses that error events inside a 200 stand for.

use relay_core::protocol::Service;

/// The status that an error event of a provider inside a 200 stands for, by its type, code or
/// status. Readers may hand on Anthropic's words for those of others.
pub fn status_of_kind(provider: Service, kind: &str) -> u16 {
    let own = match provider {
        Service::Claude => None,
        Service::Openai => openai(kind),
        Service::Gemini => google(kind),
    };
    own.unwrap_or_else(|| anthropic(kind))
}

fn anthropic(kind: &str) -> u16 {
    match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => 500,
    }
}

fn openai(kind: &str) -> Option<u16> {
    Some(match kind {
        "account_deactivated"
        | "invalid_api_key"
        | "token_expired"
        | "token_invalidated"
        | "token_revoked" => 401,
        "billing_hard_limit_reached"
        | "billing_not_active"
        | "exceeded_current_quota_error"
        | "insufficient_quota"
        | "usage_not_included" => 402,
        "unsupported_country_region_territory" => 403,
        "model_not_found" => 404,
        "rate_limit_exceeded" | "requests" | "tokens" | "usage_limit_reached" => 429,
        "engine_overloaded"
        | "engine_overloaded_error"
        | "overloaded_error"
        | "server_is_overloaded"
        | "service_unavailable"
        | "service_unavailable_error"
        | "slow_down" => 503,
        "vector_store_timeout" => 504,
        "content_filter"
        | "content_policy_violation"
        | "context_length_exceeded"
        | "cyber_policy"
        | "cyber_policy_violation"
        | "empty_image_file"
        | "failed_to_download_image"
        | "moderation_blocked"
        | "previous_response_not_found"
        | "string_above_max_length"
        | "unsupported_image_media_type"
        | "unsupported_parameter"
        | "unsupported_value" => 400,
        // The rest of the documented codes are of the prompt and of its images.
        kind if kind.starts_with("invalid_") || kind.starts_with("image_") => 400,
        _ => return None,
    })
}

fn google(kind: &str) -> Option<u16> {
    Some(match kind {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => 400,
        "UNAUTHENTICATED" => 401,
        "PERMISSION_DENIED" => 403,
        "NOT_FOUND" => 404,
        "ABORTED" | "ALREADY_EXISTS" => 409,
        "RESOURCE_EXHAUSTED" => 429,
        "CANCELLED" => 499,
        "UNIMPLEMENTED" => 501,
        "UNAVAILABLE" | "overloaded_error" => 503,
        "DEADLINE_EXCEEDED" => 504,
        _ => return None,
    })
}
