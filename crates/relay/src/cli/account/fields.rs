//! The flags of an account that can be given when it is added, and changed later.

use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use relay_core::account::{ClientRule, ExtraHeader, KeyHeader, OauthSettings, Sharing, Speaks};
use relay_core::clock::Timestamp;
use relay_core::model::{ModelMapping, ModelPattern};
use relay_core::money::Money;
use relay_core::quota::StopAt;
use relay_store::keys::Expiry;

use super::proxy::ProxySource;
use crate::cli::payload::PayloadFlags;
use crate::cli::when::Ends;
use crate::cli::{Misuse, when};
use crate::verbs::account;

/// What can be said when an account is added, and changed later.
#[derive(Debug, Args)]
pub(super) struct Fields {
    /// Where it is: scheme, host and optional path prefix
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<String>,
    #[command(flatten)]
    pub(super) proxy: ProxySource,
    /// Lower goes first [default: 50]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) priority: Option<i32>,
    /// Share of calls among accounts of one priority [default: 1]
    #[arg(long, value_name = "N")]
    pub(super) weight: Option<u32>,
    /// Calls at one time; 0 is no limit
    #[arg(long, value_name = "N")]
    pub(super) max_concurrency: Option<u32>,
    /// Which clients it serves; claude_code is the usual and means something for claude-oauth alone
    #[arg(long, value_enum, value_name = "CLIENTS")]
    clients: Option<Clients>,
    /// Models it serves, with * for anything, separated by commas; empty is all
    #[arg(long, value_name = "MODELS", value_delimiter = ',')]
    models: Option<Vec<String>>,
    /// Send a model upstream under another name
    #[arg(long, value_name = "FROM=TO")]
    pub(super) map: Vec<ModelMapping>,
    /// Header in which the key is sent
    #[arg(long, value_enum, value_name = "HOW")]
    key_header: Option<KeyHeaderName>,
    /// What an openai-api account is spoken to in; both is the usual
    #[arg(long, value_enum, value_name = "WHAT")]
    speaks: Option<SpeaksName>,
    /// Google Cloud project that calls of a gemini-oauth account are for; empty is the one that
    /// Google names
    #[arg(long, value_name = "PROJECT")]
    pub(super) project: Option<String>,
    /// Header to add to each request, as 'Name: value'
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    #[command(flatten)]
    pub(super) payload: PayloadFlags,
    /// Serve any key that is not bound
    #[arg(long, conflicts_with = "reserved")]
    shared: bool,
    /// Serve only keys that are bound to it or to one of its groups
    #[arg(long)]
    reserved: bool,
    /// Rest at so many percent of the quota windows until their resets, such as 90 or 5h=90,7d=95;
    /// 0 and off lift
    #[arg(long, value_name = "PERCENT")]
    stop_at: Option<Marks>,
    /// What its calls may cost in a day, in dollars; 0 is no limit
    #[arg(long, value_name = "USD")]
    pub(super) daily_cost: Option<Money>,
    /// When the subscription ends: a day, a moment (RFC 3339), a span from now (30d), or never
    #[arg(long, value_name = "WHEN")]
    ends: Option<Ends>,
    #[command(flatten)]
    oauth: OauthFlags,
    /// To the first byte of a streamed answer, such as 30s; 0 is the relay's own
    #[arg(long, value_name = "SPAN", value_parser = when::deadline)]
    pub(super) first_byte_timeout: Option<Duration>,
    /// To the end of an answer that is not streamed
    #[arg(long, value_name = "SPAN", value_parser = when::deadline)]
    pub(super) unary_timeout: Option<Duration>,
    /// Between two bytes of a streamed answer
    #[arg(long, value_name = "SPAN", value_parser = when::deadline)]
    pub(super) idle_timeout: Option<Duration>,
    /// A note for people
    #[arg(long)]
    pub(super) note: Option<String>,
}

/// Where an account is signed in to, if not at the provider's own place; empty is that again.
#[derive(Debug, Args)]
struct OauthFlags {
    /// Where codes and refresh tokens are exchanged; empty is the provider's own, as below
    #[arg(long, value_name = "URL")]
    token_url: Option<String>,
    /// The page on which a person agrees
    #[arg(long, value_name = "URL")]
    authorize_url: Option<String>,
    /// Who asks for the sign-in
    #[arg(long, visible_alias = "client-id", value_name = "ID")]
    oauth_client_id: Option<String>,
    /// Where the page sends its code
    #[arg(long, value_name = "URL")]
    redirect_url: Option<String>,
    /// What is asked for, separated by spaces
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Clients {
    /// Claude Code alone, as the provider wants it on a subscription
    #[value(name = "claude_code", alias = "claude-code")]
    ClaudeCode,
    /// Any; what the provider says of it is passed on
    Any,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KeyHeaderName {
    /// By the form of the key
    Auto,
    /// x-api-key
    XApiKey,
    /// authorization: Bearer
    Bearer,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SpeaksName {
    /// Chat and Responses
    Both,
    /// Chat alone
    Chat,
    /// Responses alone
    Responses,
}

/// Marks as they are written: one number for all windows, or each for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Marks(StopAt);

impl Fields {
    /// The headers. Their values may be secret, so they are not read by the parser of flags, which
    /// repeats what it does not understand.
    pub(super) fn headers(&self) -> anyhow::Result<Vec<ExtraHeader>> {
        let read = self.headers.iter().map(|text| account::header(text));
        let read: Result<Vec<_>, _> = read.collect();
        read.map_err(|error| Misuse(format!("--header: {error}")).into())
    }

    pub(super) fn models(&self) -> Option<Vec<ModelPattern>> {
        let models = self.models.as_ref()?.iter().map(|model| model.trim());
        Some(models.filter(|model| !model.is_empty()).map(ModelPattern::new).collect())
    }

    pub(super) const fn sharing(&self) -> Option<Sharing> {
        match (self.shared, self.reserved) {
            (true, _) => Some(Sharing::Shared),
            (_, true) => Some(Sharing::Reserved),
            (false, false) => None,
        }
    }

    pub(super) fn key_header(&self) -> Option<KeyHeader> {
        self.key_header.map(|name| match name {
            KeyHeaderName::Auto => KeyHeader::Auto,
            KeyHeaderName::XApiKey => KeyHeader::XApiKey,
            KeyHeaderName::Bearer => KeyHeader::Bearer,
        })
    }

    pub(super) fn speaks(&self) -> Option<Speaks> {
        self.speaks.map(|name| match name {
            SpeaksName::Both => Speaks::Both,
            SpeaksName::Chat => Speaks::Chat,
            SpeaksName::Responses => Speaks::Responses,
        })
    }

    pub(super) fn clients(&self) -> Option<ClientRule> {
        self.clients.map(|clients| match clients {
            Clients::ClaudeCode => ClientRule::ClaudeCode,
            Clients::Any => ClientRule::Any,
        })
    }

    /// The marks that are named; 0 lifts one.
    pub(super) fn stop_at(&self) -> StopAt {
        self.stop_at.map_or_else(StopAt::default, |marks| marks.0)
    }

    /// When the subscription ends, if that is said.
    pub(super) fn ends(&self, now: Timestamp, zone: &TimeZone) -> anyhow::Result<Option<Expiry>> {
        Ok(match self.ends {
            None => None,
            Some(Ends::Never) => Some(Expiry::Never),
            Some(Ends::When(when)) => Some(Expiry::At(when.ahead(now, zone)?)),
        })
    }

    /// The sign-in settings that are named; an empty one gives way to the provider's own.
    pub(super) fn oauth(&self) -> OauthSettings {
        let flags = &self.oauth;
        OauthSettings {
            authorize_url: flags.authorize_url.clone(),
            token_url: flags.token_url.clone(),
            client_id: flags.oauth_client_id.clone(),
            redirect_url: flags.redirect_url.clone(),
            scope: flags.scope.clone(),
        }
    }
}

impl FromStr for Marks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = |percent| StopAt { five_hour: Some(percent), seven_day: Some(percent) };
        if !text.contains('=') {
            return percent(text).map(|percent| Self(all(percent)));
        }
        let mut marks = StopAt::default();
        for part in text.split(',') {
            let (window, mark) = part.split_once('=').ok_or("not WINDOW=PERCENT, as in 5h=90")?;
            match window.trim() {
                "5h" => marks.five_hour = Some(percent(mark)?),
                "7d" => marks.seven_day = Some(percent(mark)?),
                _ => return Err("the windows are 5h and 7d".to_owned()),
            }
        }
        Ok(Self(marks))
    }
}

/// Percent, with or without its sign; `off` is 0.
fn percent(text: &str) -> Result<u8, String> {
    let text = text.trim();
    if text == "off" {
        return Ok(0);
    }
    let number = text.strip_suffix('%').unwrap_or(text).trim_end();
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let percent = number.parse().ok().filter(|percent| digits && *percent <= 100);
    percent.ok_or_else(|| "a mark is 1 to 100 percent, or off".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_for_all_windows_or_for_each() {
        let read = |text: &str| text.parse::<Marks>().map(|it| (it.0.five_hour, it.0.seven_day));
        assert_eq!(read("90"), Ok((Some(90), Some(90))));
        assert_eq!(read("90%"), Ok((Some(90), Some(90))));
        assert_eq!(read("off"), Ok((Some(0), Some(0))));
        assert_eq!(read("5h=90, 7d=95"), Ok((Some(90), Some(95))));
        assert_eq!(read("7d=off"), Ok((None, Some(0))));
        for wrong in ["", "101", "-1", "+5", "9.5", "5h=", "6h=9", "5h=9,", "5h"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
