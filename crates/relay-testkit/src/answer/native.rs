//! Answers in the shapes of the other families, and in the shape of whichever was asked.

use bytes::Bytes;
use serde_json::json;

use super::{Answer, Content, Moment};
use crate::format::{Family, StreamError};
use crate::{google, openai};

impl Answer {
    /// An error of this status as the family that is asked writes it.
    pub fn refused(status: u16) -> Self {
        Self::of(status, Content::Native { message: String::new(), evidence: None })
    }

    /// The same with a message of its own.
    pub fn refused_with(status: u16, message: &str) -> Self {
        Self::of(status, Content::Native { message: message.to_owned(), evidence: None })
    }

    /// 429 for so many seconds, with the evidence that the family that is asked gives of it:
    /// `retry-after`, `x-ratelimit-reset-requests`, `resets_in_seconds` or `RetryInfo`.
    pub fn limited_for(seconds: u64) -> Self {
        Self::of(429, Content::Native { message: String::new(), evidence: Some(seconds) })
    }

    /// An overload as the family that is asked tells of it: 529 or 503.
    pub fn overloaded() -> Self {
        Self::refused(529)
    }

    /// An error in OpenAI's shape, such as `(429, "requests", "rate_limit_exceeded", "Slow down")`.
    pub fn openai_error(status: u16, kind: &str, code: &str, message: &str) -> Self {
        Self::status(status).json(&openai::error_body(kind, code, message))
    }

    /// An error in Google's shape, such as `(400, "INVALID_ARGUMENT", "No such field")`.
    pub fn google_error(code: u16, status: &str, message: &str) -> Self {
        Self::status(code).json(&google::error_body(code, status, message))
    }

    /// 429 of a ChatGPT subscription whose window opens again in so many seconds.
    pub fn usage_limit_reached(resets_in_seconds: u64) -> Self {
        Self::status(429).json(&json!({"error": {
            "type": "usage_limit_reached", "message": "The usage limit has been reached",
            "plan_type": "plus", "resets_in_seconds": resets_in_seconds,
        }}))
    }

    /// 429 of Google, whose `RetryInfo` tells to come again in so many seconds.
    pub fn retry_info(seconds: u64) -> Self {
        let mut error = google::usual_error(429, "");
        error["error"]["details"] = json!([
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}],
            },
            {
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": format!("{seconds}.07s"),
            },
        ]);
        Self::status(429).json(&error)
    }

    /// Adds the `x-codex-*` headers: percent used and seconds until it opens again, for the
    /// window of five hours and for that of a week.
    #[must_use]
    pub fn codex_windows(self, primary: (u32, u64), secondary: (u32, u64)) -> Self {
        openai::codex::with_windows(self, (primary, secondary))
    }

    /// Ends the stream with `response.failed` where the protocol is Responses, elsewhere as
    /// [`Self::error_event`] does.
    #[must_use]
    pub fn failed_event(mut self, after: Moment, kind: &str, message: &str) -> Self {
        let (kind, message) = (kind.to_owned(), message.to_owned());
        self.quirks.error_event = Some((after, StreamError::Failed { kind, message }));
        self
    }

    /// Ends the stream with the error of this status that the protocol that is asked has.
    #[must_use]
    pub fn usual_error_event(mut self, after: Moment, status: u16) -> Self {
        self.quirks.error_event = Some((after, StreamError::Usual(status)));
        self
    }

    /// Ends the stream with exactly these bytes, in place of what would come after that moment.
    #[must_use]
    pub fn raw_error_event(mut self, after: Moment, frame: impl Into<Bytes>) -> Self {
        self.quirks.error_event = Some((after, StreamError::Raw(frame.into())));
        self
    }

    /// The answer in the shape of the family that is asked, if it has none yet.
    pub(crate) fn in_shape_of(self, family: Family) -> Self {
        let Content::Native { message, evidence } = &self.content else { return self };
        let limit = evidence.map(|seconds| match family {
            Family::Codex => Self::usage_limit_reached(seconds),
            Family::Google => Self::retry_info(seconds),
            Family::Anthropic | Family::OpenAi => {
                let answer = Self::status(429).json(&family.error_body(429, message));
                let answer = answer.header("retry-after", &seconds.to_string());
                match family {
                    Family::OpenAi => {
                        answer.header("x-ratelimit-reset-requests", &format!("{seconds}s"))
                    }
                    _ => answer,
                }
            }
        });
        let status = if self.status == 529 { family.overload() } else { self.status };
        let shaped =
            limit.unwrap_or_else(|| Self::status(status).json(&family.error_body(status, message)));
        let headers = shaped.headers.into_iter().chain(self.headers).collect();
        Self { status: shaped.status, headers, content: shaped.content, ..self }
    }
}
