//! What the relay was started with, as texts.

use std::time::Duration;

use relay_core::price::UnknownPrice;
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::{Durability, LogFormat, Origin, Settings};
use crate::verbs::moment;

/// In the place of a secret.
const MASKED: &str = "…";

/// A setting that the relay was started with.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RunningSetting)]
pub(super) struct Running {
    /// Its name.
    name: &'static str,
    /// Its value; null is none. Secrets are not told.
    value: Option<String>,
    /// Where it came from.
    origin: SetBy,
}

/// Where a setting came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SettingOrigin)]
pub(super) enum SetBy {
    /// Nobody set it.
    Default,
    /// A flag of the command line.
    Flag,
    /// The environment.
    Environment,
    /// A `.env` file.
    DotEnv,
    /// The file of the installed service.
    Installed,
    /// The file `crs.toml`.
    Toml,
}

impl From<&Origin> for SetBy {
    fn from(origin: &Origin) -> Self {
        match origin {
            Origin::Flag => Self::Flag,
            Origin::Environment => Self::Environment,
            Origin::DotEnv => Self::DotEnv,
            Origin::Installed => Self::Installed,
            Origin::Toml => Self::Toml,
        }
    }
}

/// What the relay was started with, by name.
pub(super) fn running(settings: &Settings) -> Vec<Running> {
    let mut all = Vec::new();
    let mut add = |name: &'static str, value: Option<String>| {
        // Existing installations may have set the zone by older names.
        let older = match name {
            "TIMEZONE" => &["SYSTEM_TIMEZONE", "TIMEZONE_OFFSET"][..],
            _ => &[],
        };
        let mut names = [name].into_iter().chain(older.iter().copied());
        let origin = names.find_map(|name| settings.origins.get(name));
        all.push(Running { name, value, origin: origin.map_or(SetBy::Default, SetBy::from) });
    };
    let masked = |is_set: bool| is_set.then(|| MASKED.to_owned());
    let (calls, log, google) = (&settings.calls, &settings.log, &settings.gemini_oauth);
    add("ADMIN_PASSWORD", masked(settings.admin_password.is_some()));
    add("ADMIN_USERNAME", settings.admin_username.clone());
    add("API_KEY_PREFIX", Some(settings.api_key_prefix.clone()));
    add("ATTEMPTS_MAX", Some(calls.attempts_max.to_string()));
    add("ATTEMPTS_WITHIN", Some(seconds(calls.attempts_within)));
    add("BODY_MEMORY_MB", Some(mebibytes(calls.body_memory_bytes)));
    add("DATA_DIR", Some(settings.data_dir.display().to_string()));
    add(
        "DURABILITY",
        Some(word(match settings.durability {
            Durability::Process => "process",
            Durability::Fsync => "fsync",
        })),
    );
    add("ENABLE_CORS", Some(settings.cors.to_string()));
    add("ENCRYPTION_KEY", masked(settings.encryption_key.is_some()));
    add("FIRST_BYTE_TIMEOUT", Some(seconds(calls.first_byte_deadline)));
    add("GEMINI_OAUTH_CLIENT_ID", google.client_id.clone());
    add("GEMINI_OAUTH_CLIENT_SECRET", masked(google.client_secret.is_some()));
    add("HOST", Some(settings.host.to_string()));
    add("KEEPALIVE_AFTER", Some(seconds(calls.keepalive_after)));
    add(
        "LOG_FORMAT",
        Some(word(match log.format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        })),
    );
    add("LOG_LEVEL", Some(log.level.to_string()));
    add("LOG_MAX_FILES", Some(log.files_max.to_string()));
    add("LOG_MAX_SIZE", Some(log.file_bytes_max.to_string()));
    add("METRICS_LISTEN", settings.metrics_listen.map(|it| it.to_string()));
    add("PORT", Some(settings.port.to_string()));
    add("REQUEST_MAX_SIZE_MB", Some(mebibytes(calls.body_bytes_max)));
    add("REQUEST_TIMEOUT", Some(millis(calls.unary_deadline)));
    add("SHUTDOWN_GRACE", Some(seconds(settings.shutdown_grace)));
    add("STREAM_IDLE_TIMEOUT", Some(seconds(calls.idle_deadline)));
    add("TIMEZONE", Some(moment::zone_name(&settings.time_zone)));
    let trusted: Vec<_> =
        settings.trusted_proxies.ranges().iter().map(ToString::to_string).collect();
    add("TRUST_PROXY", Some(trusted.join(",")).filter(|text| !text.is_empty()));
    add(
        "UNKNOWN_PRICE",
        Some(word(match settings.unknown_price {
            UnknownPrice::FamilyMaximum => "family-maximum",
            UnknownPrice::Refuse => "refuse",
        })),
    );
    all
}

fn word(word: &str) -> String {
    word.to_owned()
}

fn seconds(span: Duration) -> String {
    span.as_secs_f64().to_string()
}

fn millis(span: Duration) -> String {
    span.as_millis().to_string()
}

fn mebibytes(bytes: usize) -> String {
    (bytes >> 20).to_string()
}
