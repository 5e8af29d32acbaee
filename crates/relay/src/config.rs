//! Settings: flags over environment over `.env` over the installed service's over `crs.toml` over
//! defaults.
//!
//! A load gives checked values, or every mistake at once.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use relay_core::secret::Secret;

use crate::client_id::Clients;

mod clients;
mod layers;
mod legacy;
pub mod memory;
mod parse;
mod trust;

pub use layers::{INSTALLED, Installed, Layers, Origin, Unnamed};
pub(crate) use parse::size;
pub use trust::TrustedProxies;

/// How sure a usage record is before the end of an answer is sent.
pub use relay_store::journal::Durability;

/// What a model without a price does.
pub use relay_core::price::UnknownPrice;

use relay_upstream::oauth::Registration;

/// Everything that can be set, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address to listen on.
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Where the database, the journal, the master key and the logs are.
    pub data_dir: PathBuf,
    /// How sure a usage record is before the end of an answer is sent.
    pub durability: Durability,
    /// The master key's text, when the environment gives it.
    pub encryption_key: Option<Secret>,
    /// The first administrator, when the environment names one.
    pub admin_username: Option<String>,
    /// The first administrator's password.
    pub admin_password: Option<Secret>,
    /// The application as which Google is asked for sign-ins.
    pub gemini_oauth: Registration,
    /// What new keys begin with.
    pub api_key_prefix: String,
    /// Days, weeks and resets are those of this zone.
    pub time_zone: jiff::tz::TimeZone,
    /// Whose word about the client's address is taken.
    pub trusted_proxies: TrustedProxies,
    /// Where metrics are read from; `None` is nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Logging.
    pub log: LogSettings,
    /// Bounds of calls.
    pub calls: CallSettings,
    /// What a model without a price does.
    pub unknown_price: UnknownPrice,
    /// The clients that are told apart.
    pub clients: Clients,
    /// Whether client paths answer other origins.
    pub cors: bool,
    /// How long a shutdown lets streams run.
    pub shutdown_grace: Duration,
    /// Where what was set came from, by name; what is not here is the default.
    pub origins: BTreeMap<String, Origin>,
}

/// Logging.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// The least level that is written.
    pub level: tracing::level_filters::LevelFilter,
    /// The console's form.
    pub format: LogFormat,
    /// A file is rotated at this size.
    pub file_bytes_max: u64,
    /// How many files are kept.
    pub files_max: usize,
}

/// The console's form of log lines; the files are always JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Bounds of calls.
#[derive(Debug, Clone)]
pub struct CallSettings {
    /// To the end of a unary answer, and its first byte.
    pub unary_deadline: Duration,
    /// To the first byte of a streamed answer.
    pub first_byte_deadline: Duration,
    /// Between two bytes of a streamed answer.
    pub idle_deadline: Duration,
    /// When a waiting stream's client gets a sign of life.
    pub keepalive_after: Duration,
    /// The largest request body.
    pub body_bytes_max: usize,
    /// All request bodies in memory together.
    pub body_memory_bytes: usize,
    /// Attempts of one call.
    pub attempts_max: usize,
    /// No attempt begins later than this after the call came.
    pub attempts_within: Duration,
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the settings have mistakes:\n{}", .0.iter().map(|it| format!("  - {it}")).collect::<Vec<_>>().join("\n"))]
pub struct Mistakes(pub Vec<String>);

/// Settings and what is worth saying about them at start.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Remarks to be logged once logging stands.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Reads the settings from their layers.
    pub fn load(layers: Layers) -> Result<Loaded, Mistakes> {
        let origins =
            layers.names().map(|(name, origin)| (name.to_owned(), origin.clone())).collect();
        let mut read = parse::Reader::new(layers);
        let time_zone = read.time_zone();
        let log = LogSettings {
            level: read.log_level(),
            format: read.value("LOG_FORMAT", parse::log_format, LogFormat::automatic()),
            file_bytes_max: read.value("LOG_MAX_SIZE", parse::size, 10 << 20),
            files_max: read.value("LOG_MAX_FILES", parse::log_files, 5),
        };
        let calls = CallSettings {
            unary_deadline: read.value("REQUEST_TIMEOUT", parse::millis, Duration::from_mins(10)),
            first_byte_deadline: read.value(
                "FIRST_BYTE_TIMEOUT",
                parse::patience,
                Duration::from_mins(2),
            ),
            idle_deadline: read.value(
                "STREAM_IDLE_TIMEOUT",
                parse::patience,
                Duration::from_mins(5),
            ),
            keepalive_after: read.value(
                "KEEPALIVE_AFTER",
                parse::patience,
                Duration::from_secs(15),
            ),
            body_bytes_max: read.value("REQUEST_MAX_SIZE_MB", parse::mebibytes, 60 << 20),
            body_memory_bytes: read.value("BODY_MEMORY_MB", parse::mebibytes, quarter_of_memory()),
            attempts_max: read.value("ATTEMPTS_MAX", parse::attempts, 3),
            attempts_within: read.value("ATTEMPTS_WITHIN", parse::seconds, Duration::from_mins(3)),
        };
        let settings = Self {
            host: read.value("HOST", parse::address, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            port: read.value("PORT", parse::port, 3000),
            data_dir: read.value("DATA_DIR", parse::line, PathBuf::from("./data")),
            durability: read.value("DURABILITY", parse::durability, Durability::Process),
            encryption_key: read.optional("ENCRYPTION_KEY", parse::line),
            admin_username: read.optional("ADMIN_USERNAME", parse::line),
            admin_password: read.optional("ADMIN_PASSWORD", parse::line),
            gemini_oauth: Registration {
                client_id: read.optional("GEMINI_OAUTH_CLIENT_ID", parse::line),
                client_secret: read.optional("GEMINI_OAUTH_CLIENT_SECRET", parse::line),
            },
            api_key_prefix: read.value("API_KEY_PREFIX", parse::key_prefix, "cr_".into()),
            time_zone,
            trusted_proxies: read.trusted_proxies(),
            metrics_listen: read.optional("METRICS_LISTEN", parse::socket),
            log,
            calls,
            unknown_price: read.value(
                "UNKNOWN_PRICE",
                parse::unknown_price,
                UnknownPrice::FamilyMaximum,
            ),
            clients: read.clients(),
            cors: read.value("ENABLE_CORS", parse::boolean, true),
            shutdown_grace: read.value("SHUTDOWN_GRACE", parse::seconds, Duration::from_secs(30)),
            origins,
        };
        read.refuse_what_is_not_built();
        let (warnings, mistakes) = read.finish();
        if mistakes.is_empty() {
            Ok(Loaded { settings, warnings })
        } else {
            Err(Mistakes(mistakes))
        }
    }
}

impl LogFormat {
    /// Text on a console and in containers alike; JSON is in the files.
    const fn automatic() -> Self {
        Self::Text
    }
}

/// A quarter of the machine's memory, or of the container's limit where that is less.
fn quarter_of_memory() -> usize {
    const LEAST: usize = 64 << 20;
    usize::try_from(memory::usable(None) / 4).unwrap_or(LEAST).max(LEAST)
}

#[cfg(test)]
mod tests;
