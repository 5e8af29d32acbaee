//! Faults and events in words.

use jiff::tz::TimeZone;
use relay_core::clock::Timestamp;
use relay_core::event::{Ending, Event};

use crate::verbs::account::{ending, reason};

/// Why an attempt failed, for people; a word that is not known stays as it is.
pub fn fault_words(word: &str) -> String {
    let words = match word {
        "rate_limited" | "usage_limit_reached" => "the provider's limit was reached",
        "overloaded" => "the provider was overloaded",
        "upstream_error" => "the provider had an error of its own",
        "unauthorised" => "the provider did not accept the credential",
        "unpaid" => "the provider wants to be paid",
        "forbidden" => "the provider did not permit the account",
        "model_not_found" => "the account does not have the model",
        "redirected" => "the account's address redirects to another",
        "connect_failed" => "the host was not reached",
        "connect_timeout" => "the host was not reached in time",
        "connection_broken" => "the connection broke",
        "first_byte_timeout" => "the answer did not begin in time",
        "answer_timeout" => "the answer did not end in time",
        "stream_idle" => "the answer stopped coming",
        "cut" | "cut_before_content" => "the answer was cut off",
        "answer_too_large" | "event_too_large" => "the answer was too large",
        "unreadable_answer" | "unknown_packing" | "not_gzip" => "the answer could not be read",
        "proxy_unreachable" => "the proxy was not reached",
        "proxy_timeout" => "the proxy did not connect in time",
        "proxy_refused" => "the proxy did not connect to the host",
        "proxy_login_refused" => "the proxy refused the login, or wants one",
        "signed_out" => "the account is signed out",
        "token_not_refreshed" => "its token ended and was not refreshed",
        "token_refresh_slow" => "its token ended, and refreshing it took too long",
        "no_oauth_client" => "Google was not asked for a token, as no application is set",
        "no_project" => "Google named no project for the account",
        other => return other.to_owned(),
    };
    words.to_owned()
}

/// What an event says of an account. `at` is when it happened.
pub(super) fn of_event(event: &Event, at: Timestamp, zone: &TimeZone) -> String {
    match event {
        Event::AccountRested { until, cause, .. } => {
            let until = reason::time(*until, at, zone);
            format!("rests until {until}: {cause}")
        }
        Event::HostRested { until, cause, .. } => {
            let until = reason::time(*until, at, zone);
            format!("its host rests until {until}: {cause}")
        }
        Event::AccountSignedOut { cause, .. } => format!("signed out: {cause}"),
        Event::TokenNotRefreshed { why, .. } => format!("its token was not refreshed: {why}"),
        Event::AccountEnding { what, at, .. } => {
            let day = ending(*at, zone);
            match what {
                Ending::Subscription => format!("subscription ends on {day}"),
                Ending::SetupToken => format!("setup token ends on {day}"),
            }
        }
        Event::AccountRecovered { .. } => "answers again".to_owned(),
        Event::AccountPaused { .. } => "paused by an operator".to_owned(),
        Event::AccountResumed { .. } => "resumed by an operator".to_owned(),
        Event::KeyBudget { .. } | Event::KeyDisabled { .. } => String::new(),
    }
}
