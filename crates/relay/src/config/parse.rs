//! Reads single settings, keeping every mistake until the end.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jiff::tz::TimeZone;
use tracing::level_filters::LevelFilter;

use super::{Clients, Durability, Layers, LogFormat, Origin, TrustedProxies, UnknownPrice};
use super::{clients, legacy};

/// Settings of the contract that have no effect yet; a value for one is remarked on.
const NOT_YET_USED: &[&str] = &[
    "ENCRYPTION_KEY_OLD",
    "WEBHOOK_ALLOW_PRIVATE",
    "WEBHOOK_ENABLED",
    "WEBHOOK_RETRIES",
    "WEBHOOK_TIMEOUT",
    "WEBHOOK_URLS",
];

/// Settings that stop the start until what they promise is built.
const REFUSED: &[&str] = &["DATABASE_URL", "REDIS_URL"];

/// Every setting that has an effect.
const USED: &[&str] = &[
    "ADMIN_PASSWORD",
    "ADMIN_USERNAME",
    "API_KEY_PREFIX",
    "ATTEMPTS_MAX",
    "ATTEMPTS_WITHIN",
    "BODY_MEMORY_MB",
    "DATA_DIR",
    "DURABILITY",
    "ENABLE_CORS",
    "ENCRYPTION_KEY",
    "FIRST_BYTE_TIMEOUT",
    "GEMINI_OAUTH_CLIENT_ID",
    "GEMINI_OAUTH_CLIENT_SECRET",
    "HOST",
    "KEEPALIVE_AFTER",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "LOG_MAX_FILES",
    "LOG_MAX_SIZE",
    "METRICS_LISTEN",
    "PORT",
    "REQUEST_MAX_SIZE_MB",
    "REQUEST_TIMEOUT",
    "SHUTDOWN_GRACE",
    "STREAM_IDLE_TIMEOUT",
    "TIMEZONE",
    "TRUST_PROXY",
    "UNKNOWN_PRICE",
];

/// Every setting, in use or not.
pub(super) fn settings() -> impl Iterator<Item = &'static str> {
    [USED, NOT_YET_USED, REFUSED].into_iter().flatten().copied()
}

/// Whether `name` is a setting, in use or not.
pub(super) fn is_setting(name: &str) -> bool {
    settings().any(|setting| setting == name)
}

/// Reads settings one by one from their layers.
pub(super) struct Reader {
    layers: Layers,
    warnings: Vec<String>,
    mistakes: Vec<String>,
}

type Parse<T> = fn(&str) -> Result<T, String>;

impl Reader {
    pub(super) fn new(mut layers: Layers) -> Self {
        let mistakes = layers.take_mistakes();
        Self { layers, warnings: Vec::new(), mistakes }
    }

    pub(super) fn value<T>(&mut self, name: &str, parse: Parse<T>, default: T) -> T {
        debug_assert!(is_setting(name), "{name} is missing in the list of settings");
        self.optional(name, parse).unwrap_or(default)
    }

    pub(super) fn optional<T>(&mut self, name: &str, parse: Parse<T>) -> Option<T> {
        let (text, _) = self.layers.get(name)?;
        match parse(text.trim()) {
            Ok(value) => Some(value),
            Err(why) => {
                self.mistakes.push(format!("{name}: {why}"));
                None
            }
        }
    }

    /// `TIMEZONE`, else what existing installations set, else `TZ` or the system's.
    pub(super) fn time_zone(&mut self) -> TimeZone {
        if let Some(zone) = self.optional("TIMEZONE", zone) {
            return zone;
        }
        if let Some(zone) = self.optional("SYSTEM_TIMEZONE", zone) {
            return zone;
        }
        let offset = |hours: &str| {
            legacy::zone_of_offset(hours).ok_or_else(|| "not a whole number of hours".to_owned())
        };
        if let Some(zone) = self.optional("TIMEZONE_OFFSET", offset) {
            return zone;
        }
        TimeZone::system()
    }

    /// `LOG_LEVEL`, for which existing installations also have the levels of their logger.
    pub(super) fn log_level(&mut self) -> LevelFilter {
        let text = self.layers.get("LOG_LEVEL").map(|(text, _)| text.trim());
        if let Some((text, level)) = text.and_then(|text| Some((text, legacy::level(text)?))) {
            self.warnings.push(format!("LOG_LEVEL={text} is taken as {level}"));
            return level;
        }
        self.value("LOG_LEVEL", level, LevelFilter::INFO)
    }

    /// `TRUST_PROXY`, which existing installations may also switch on or set to a number of hops:
    /// both mean loopback and private.
    pub(super) fn trusted_proxies(&mut self) -> TrustedProxies {
        let text = self.layers.get("TRUST_PROXY").map(|(text, _)| text.trim());
        match text.and_then(|text| Some((text, legacy::proxies(text)?))) {
            Some((_, legacy::Proxies::Nobody)) => TrustedProxies::default(),
            Some((text, legacy::Proxies::Near)) => {
                self.warnings.push(format!(
                    "TRUST_PROXY={text} is taken as loopback,private; name the proxies to be exact"
                ));
                TrustedProxies::loopback_and_private()
            }
            None => self.value("TRUST_PROXY", TrustedProxies::parse, TrustedProxies::default()),
        }
    }

    /// `[[clients]]`, for which the other layers have no form.
    pub(super) fn clients(&mut self) -> Clients {
        clients::read(self.layers.take_clients(), &mut self.mistakes)
    }

    pub(super) fn refuse_what_is_not_built(&mut self) {
        for name in REFUSED {
            if self.layers.get(name).is_some() {
                self.mistakes.push(format!("{name}: several nodes are not built yet; remove it"));
            }
        }
    }

    /// Remarks and mistakes, with what the names alone tell.
    pub(super) fn finish(mut self) -> (Vec<String>, Vec<String>) {
        for name in NOT_YET_USED.iter().filter(|name| self.layers.get(name).is_some()) {
            self.warnings.push(format!("{name} is set; what it governs is not built yet"));
        }
        let names: Vec<&str> = self.layers.names().map(|(name, _)| name).collect();
        let unused = legacy::unused(&names);
        if !unused.is_empty() {
            self.warnings.push(format!("accepted and unused: {}", unused.join(", ")));
        }
        for (name, origin) in self.layers.names() {
            let own = !matches!(origin, Origin::Flag | Origin::Toml);
            if own && name.starts_with("CRS_") && name != "CRS_LANG" {
                self.warnings.push(format!("unknown variable {name}"));
            }
        }
        (self.warnings, self.mistakes)
    }
}

pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
        _ => text.parse().map_err(|_| "not an IP address".into()),
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "not a port (0 to 65535)".into())
}

/// An address and a port; a port alone, `:9100`, is that of every address.
pub(super) fn socket(text: &str) -> Result<SocketAddr, String> {
    let every = text.strip_prefix(':').map(|port| format!("0.0.0.0:{port}"));
    let here = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let full = every.or(here).unwrap_or_else(|| text.to_owned());
    full.parse().map_err(|_| "not an address and a port, such as 127.0.0.1:9100".into())
}

/// Reads what every text on one line is a value of.
pub(super) fn line<T: for<'a> From<&'a str>>(text: &str) -> Result<T, String> {
    if text.contains(char::is_control) {
        return Err("has line breaks or control characters".into());
    }
    Ok(T::from(text))
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("neither true nor false".into()),
    }
}

pub(super) fn durability(text: &str) -> Result<Durability, String> {
    match text {
        "process" => Ok(Durability::Process),
        "fsync" => Ok(Durability::Fsync),
        _ => Err("neither process nor fsync".into()),
    }
}

pub(super) fn unknown_price(text: &str) -> Result<UnknownPrice, String> {
    match text {
        "family-maximum" => Ok(UnknownPrice::FamilyMaximum),
        "refuse" => Ok(UnknownPrice::Refuse),
        _ => Err("neither family-maximum nor refuse".into()),
    }
}

pub(super) fn zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| format!("{text} is no IANA time zone, such as Asia/Shanghai"))
}

pub(super) fn level(text: &str) -> Result<LevelFilter, String> {
    text.parse().map_err(|_| "none of error, warn, info, debug, trace, off".into())
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "auto" => Ok(LogFormat::automatic()),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("none of auto, text, json".into()),
    }
}

pub(super) fn log_files(text: &str) -> Result<usize, String> {
    whole(text, 1, 1_000)
}

pub(super) fn attempts(text: &str) -> Result<usize, String> {
    whole(text, 1, 10)
}

fn whole(text: &str, least: usize, most: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("not a whole number from {least} to {most}")),
    }
}

pub(super) fn millis(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
        _ => Err("not a number of milliseconds above 0".into()),
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    text.strip_suffix('s')
        .unwrap_or(text)
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "not a number of seconds".into())
}

/// A span that something waits for, so it cannot be none.
pub(super) fn patience(text: &str) -> Result<Duration, String> {
    let span = seconds(text)?;
    if span.is_zero() { Err("not a number of seconds above 0".into()) } else { Ok(span) }
}

pub(super) fn mebibytes(text: &str) -> Result<usize, String> {
    whole(text, 1, 1 << 20).map(|count| count << 20)
}

/// Bytes, or a number with `k`, `m` or `g`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let lower = lower.trim_end_matches('b');
    let (digits, shift) = match lower.as_bytes().last() {
        Some(b'k') => (&lower[..lower.len() - 1], 10),
        Some(b'm') => (&lower[..lower.len() - 1], 20),
        Some(b'g') => (&lower[..lower.len() - 1], 30),
        _ => (lower, 0),
    };
    match digits.trim().parse::<u64>().ok().and_then(|count| count.checked_shl(shift)) {
        Some(bytes) if bytes >= 4_096 => Ok(bytes),
        _ => Err("not a size of at least 4k, such as 10m".into()),
    }
}

pub(super) fn key_prefix(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if text.len() <= 16 && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("at most 16 letters, digits, _ and -".into())
    }
}
