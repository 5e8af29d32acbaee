//! What an answer tells of the limits of a subscription.

use relay_core::clock::Timestamp;

use super::Answer;

/// What every header of these limits begins with.
const PREFIX: &str = "anthropic-ratelimit-unified";
/// From this share of a window on, in percent, its status is a warning.
const WARNING_PERCENT: u32 = 80;

impl Answer {
    /// Adds the `anthropic-ratelimit-unified-*` headers of a subscription that has used so much
    /// of its windows, both of which open again at `resets_at`, in seconds since the Unix epoch.
    #[must_use]
    pub fn unified(self, five_hour_percent: u32, seven_day_percent: u32, resets_at: i64) -> Self {
        let (claim, percent) = if five_hour_percent >= seven_day_percent {
            ("five_hour", five_hour_percent)
        } else {
            ("seven_day", seven_day_percent)
        };
        let answer = [("5h", five_hour_percent), ("7d", seven_day_percent)].into_iter().fold(
            self,
            |answer, (window, percent)| {
                answer
                    .limit(&format!("{window}-status"), status_at(percent))
                    .limit(&format!("{window}-utilization"), &fraction(percent))
                    .limit(&format!("{window}-reset"), &resets_at.to_string())
            },
        );
        answer.overall(status_at(percent), claim, resets_at)
    }

    /// 429 of a subscription that has used up the window `claim` (`five_hour`, `seven_day`, or a
    /// family's, such as `seven_day_opus`) until `reset`, in seconds since the Unix epoch.
    /// `retry-after` is reckoned from the provider's clock when it answers.
    pub fn limited(claim: &str, reset: i64) -> Self {
        let spent = window_of(claim);
        let mut answer = Self::anthropic_error(
            429,
            "rate_limit_error",
            "This request would exceed your account's rate limit. Please try again later.",
        );
        for window in ["5h", "7d"] {
            let status = if window == spent { "rejected" } else { "allowed" };
            answer = answer.limit(&format!("{window}-status"), status);
        }
        if spent != "5h" && spent != "7d" {
            answer = answer.limit(&format!("{spent}-status"), "rejected");
        }
        answer.retry_at = Some(reset);
        answer
            .limit(&format!("{spent}-reset"), &reset.to_string())
            .limit(&format!("{spent}-utilization"), "1.00")
            .overall("rejected", claim, reset)
    }

    /// The answer as it is given at `now`.
    pub(crate) fn given_at(self, now: Timestamp) -> Self {
        let Some(reset) = self.retry_at else { return self };
        let left = Timestamp::from_seconds(reset).since(now);
        // Rounded up, or the client would come a moment too early.
        let seconds = left.as_millis().div_ceil(1_000).to_string();
        self.header("retry-after", &seconds)
    }

    fn overall(self, status: &str, claim: &str, reset: i64) -> Self {
        self.limit("status", status)
            .limit("representative-claim", claim)
            .limit("reset", &reset.to_string())
    }

    fn limit(self, name: &str, value: &str) -> Self {
        self.header(&format!("{PREFIX}-{name}"), value)
    }
}

fn status_at(percent: u32) -> &'static str {
    match percent {
        ..WARNING_PERCENT => "allowed",
        WARNING_PERCENT..100 => "allowed_warning",
        _ => "rejected",
    }
}

fn fraction(percent: u32) -> String {
    format!("{}.{:02}", percent / 100, percent % 100)
}

/// How headers write the window of a claim: `5h`, `7d`, `7d_opus`.
fn window_of(claim: &str) -> String {
    claim.replacen("five_hour", "5h", 1).replacen("seven_day", "7d", 1)
}
