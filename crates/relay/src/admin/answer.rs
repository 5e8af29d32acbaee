//! How the admin API answers: what went wrong, in words; and what was done, for the log.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use relay_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::text::{Language, retold};
use crate::verbs::VerbError;

/// What kind of problem it is, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Code {
    /// Nothing goes by that id, name or address.
    NotFound,
    /// What was given cannot be accepted.
    Invalid,
    /// The name is in use.
    Taken,
    /// Nobody is signed in, or the name or password is wrong.
    Unauthorized,
    /// A code of the second factor is asked for.
    NeedsSecondFactor,
    /// Who is signed in may not do that.
    Forbidden,
    /// Too many attempts.
    Throttled,
    /// It cannot be done at present.
    Unavailable,
    /// A fault of the relay.
    Internal,
}

/// Why something was not done. Nothing has changed then.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Problem {
    error: Told,
}

/// A problem in words.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Told {
    /// What kind of problem it is.
    code: Code,
    /// What is wrong and what to do, in the language that was asked for.
    message: String,
    /// Which field of the request is wrong, where one is.
    field: Option<String>,
    /// Seconds after which asking again makes sense.
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem in English; [`guard`](super::guard) says it in the language of who asked.
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        let told = Told { code, message: message.into(), field: None, retry_after: None };
        Self { error: told }
    }

    /// What was given cannot be accepted.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }

    /// Nothing is at this address.
    pub(super) fn no_such_address() -> Self {
        Self::new(Code::NotFound, "there is nothing at this address")
    }

    /// Whether it is a problem of that kind.
    pub(super) fn is(&self, code: Code) -> bool {
        self.error.code == code
    }

    /// With the field that is wrong.
    pub(super) fn at(mut self, field: &str) -> Self {
        self.error.field = Some(field.to_owned());
        self
    }

    /// With the time to wait.
    pub(super) fn after_seconds(mut self, seconds: u64) -> Self {
        self.error.retry_after = Some(seconds);
        self
    }

    /// In other words.
    pub(super) fn retold(mut self, say: impl Fn(&str) -> String) -> Self {
        self.error.message = say(&self.error.message);
        self
    }

    /// What it says, in a language.
    pub(super) fn told(&self, language: Language) -> String {
        retold(&self.error.message, language)
    }

    fn status(&self) -> StatusCode {
        match self.error.code {
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::Invalid => StatusCode::BAD_REQUEST,
            Code::Taken => StatusCode::CONFLICT,
            Code::Unauthorized | Code::NeedsSecondFactor => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::Throttled => StatusCode::TOO_MANY_REQUESTS,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<VerbError> for Problem {
    fn from(error: VerbError) -> Self {
        let code = match &error {
            VerbError::NotFound { .. } => Code::NotFound,
            VerbError::Invalid(_) | VerbError::Limits(_) | VerbError::Rules(_) => Code::Invalid,
            VerbError::Taken(_) => Code::Taken,
            VerbError::Store(error) => return Self::from_store(error),
            VerbError::File(error) => return Self::ours(error),
        };
        Self::new(code, error.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        VerbError::from(error).into()
    }
}

impl Problem {
    fn from_store(error: &StoreError) -> Self {
        match error {
            StoreError::SecretTaken | StoreError::Dangling | StoreError::Malformed(_) => {
                Self::invalid(error.to_string())
            }
            _ if error.is_transient() => Self::new(Code::Unavailable, error.to_string()),
            _ => Self::ours(error),
        }
    }

    /// A fault of the relay: what it is stays in the log.
    pub(super) fn ours(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "the admin API failed");
        Self::new(Code::Internal, "the relay failed to do it; its log says why")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, wait) = (self.status(), self.error.retry_after);
        let mut response = (status, Json(self.clone())).into_response();
        // For who says it in another language.
        response.extensions_mut().insert(self);
        if let Some(seconds) = wait {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What was done, for the log of changes: to what, and how. Never a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Note {
    /// To which: an id, or nothing.
    pub subject: String,
    /// Its name.
    pub name: String,
    /// Which fields were set to what.
    pub detail: String,
}

impl Note {
    /// Of a thing with an id and a name.
    pub(super) fn of(subject: impl std::fmt::Display, name: impl Into<String>) -> Self {
        Self { subject: format!("{subject}"), name: name.into(), detail: String::new() }
    }

    /// With what was set.
    pub(super) fn with(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

/// The answer of a handler that changed something.
#[derive(Debug)]
pub(super) struct Done<T> {
    /// What the log is to say.
    pub note: Note,
    /// What is answered.
    pub answer: T,
}

impl<T: Serialize> IntoResponse for Done<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.answer).into_response();
        response.extensions_mut().insert(self.note);
        response
    }
}

/// The answer of a handler that reads.
pub(super) type Read<T> = Result<Json<T>, Problem>;
/// The answer of a handler that changes something.
pub(super) type Change<T> = Result<Done<T>, Problem>;
