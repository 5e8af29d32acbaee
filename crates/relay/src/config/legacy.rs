//! Variables of an existing claude-relay-service environment: what still counts, and what is
//! accepted without effect so that its files start this relay unchanged.

use tracing::level_filters::LevelFilter;

/// Variables that are known and have no use here.
const UNUSED: &[&str] = &[
    "API_KEY_SALT",
    "CLAUDE_API_URL",
    "CLAUDE_API_VERSION",
    "CLAUDE_BETA_HEADER",
    "CLEANUP_INTERVAL",
    "DEBUG",
    "DEFAULT_PROXY_TIMEOUT",
    "DEFAULT_TOKEN_LIMIT",
    "ADMIN_SESSION_TIMEOUT",
    "HEALTH_CHECK_INTERVAL",
    "JWT_SECRET",
    "LDAP_ENABLED",
    "MAX_PROXY_RETRIES",
    "METRICS_WINDOW",
    "NODE_ENV",
    "PROXY_USE_IPV4",
    "REDIS_DB",
    "REDIS_ENABLE_TLS",
    "REDIS_HOST",
    "REDIS_PASSWORD",
    "REDIS_PORT",
    "STICKY_SESSION_RENEWAL_THRESHOLD_MINUTES",
    "STICKY_SESSION_TTL_HOURS",
    "TOKEN_USAGE_RETENTION",
    "USER_MANAGEMENT_ENABLED",
    "WEB_DESCRIPTION",
    "WEB_LOGO_URL",
    "WEB_SESSION_SECRET",
    "WEB_TITLE",
];

/// Variables that only such an environment has, so that generic names such as `DEBUG` are spoken
/// of only beside one of them.
const TELLING: &[&str] = &["JWT_SECRET", "REDIS_HOST", "API_KEY_SALT", "CLAUDE_API_URL"];

/// The most hops that `TRUST_PROXY` may count; a larger number is a mistake rather than a chain.
const HOPS_MAX: u8 = 16;

/// Whom a `TRUST_PROXY` that names nobody means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proxies {
    /// Nobody is trusted.
    Nobody,
    /// Whoever is near: on this machine and in private networks.
    Near,
}

/// Reads a `TRUST_PROXY` that is a switch or a number of hops, as Express takes it.
pub(super) fn proxies(text: &str) -> Option<Proxies> {
    if let Ok(hops) = text.parse::<u8>() {
        return match hops {
            0 => Some(Proxies::Nobody),
            1..=HOPS_MAX => Some(Proxies::Near),
            _ => None,
        };
    }
    let is_on = super::parse::boolean(text).ok()?;
    Some(if is_on { Proxies::Near } else { Proxies::Nobody })
}

/// The level that a level of winston, which is not one here, comes nearest to.
pub(super) fn level(text: &str) -> Option<LevelFilter> {
    match text.to_ascii_lowercase().as_str() {
        "http" => Some(LevelFilter::INFO),
        "verbose" => Some(LevelFilter::DEBUG),
        "silly" => Some(LevelFilter::TRACE),
        _ => None,
    }
}

/// The names among `present` that are accepted and unused.
pub(super) fn unused<'a>(present: &[&'a str]) -> Vec<&'a str> {
    if !present.iter().any(|name| TELLING.contains(name)) {
        return Vec::new();
    }
    present.iter().copied().filter(|name| UNUSED.contains(name)).collect()
}

/// The time zone that a whole number of hours east of Greenwich stands for: a fixed offset, as
/// `TIMEZONE_OFFSET` has no rules for daylight saving.
pub(super) fn zone_of_offset(hours: &str) -> Option<jiff::tz::TimeZone> {
    let hours: i8 = hours.trim().parse().ok()?;
    let offset = jiff::tz::Offset::from_hours(hours).ok()?;
    (-12..=14).contains(&hours).then(|| jiff::tz::TimeZone::fixed(offset))
}
