//! Quota windows of subscriptions: how much of each is used, and when it begins anew.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::model::ModelFamily;

/// How many windows are remembered of an account: more than any provider has, and an end to words
/// that it might make up.
pub const WINDOWS_MAX: usize = 16;

/// By how much a provider's clock may differ from ours.
const CLOCKS_DIFFER_MAX: Duration = Duration::from_mins(15);

/// A window in which a provider counts an account's use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// Five hours, for all models.
    FiveHour,
    /// Seven days, for all models.
    SevenDay,
    /// Seven days, for one family of models.
    SevenDayModels(ModelFamily),
}

impl WindowKind {
    /// Whether calls for `family` count in it.
    pub fn covers(&self, family: &ModelFamily) -> bool {
        match self {
            Self::FiveHour | Self::SevenDay => true,
            Self::SevenDayModels(models) => models == family,
        }
    }

    /// How long it lasts.
    pub const fn length(&self) -> Duration {
        match self {
            Self::FiveHour => Duration::from_hours(5),
            Self::SevenDay | Self::SevenDayModels(_) => Duration::from_hours(7 * 24),
        }
    }
}

impl fmt::Display for WindowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FiveHour => f.write_str("5h"),
            Self::SevenDay => f.write_str("7d"),
            Self::SevenDayModels(family) => write!(f, "7d {family}"),
        }
    }
}

/// What is known of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// How much is used, in thousandths; over 1,000 where a plan goes on for money.
    pub used_permille: u16,
    /// When it begins anew.
    pub resets_at: Option<Timestamp>,
    /// When the provider said so.
    pub seen_at: Timestamp,
}

impl Window {
    /// When it begins anew, as a window of this kind: when the provider says so, and no later than
    /// its length after it was seen, whatever was said.
    pub fn ends_at(&self, kind: &WindowKind) -> Timestamp {
        let latest = self.seen_at.plus(kind.length());
        self.resets_at.map_or(latest, |at| at.min(latest.plus(CLOCKS_DIFFER_MAX)))
    }
}

/// What is known of an account's windows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quota {
    windows: Vec<(WindowKind, Window)>,
}

/// At how much of a window an operator wants an account to rest, in percent; `None` is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StopAt {
    /// Of the 5-hour window.
    pub five_hour: Option<u8>,
    /// Of the 7-day windows.
    pub seven_day: Option<u8>,
}

/// A window that an operator's mark closes, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Which.
    pub window: WindowKind,
    /// When it begins anew.
    pub until: Timestamp,
}

impl Quota {
    /// Takes note of what the provider said of a window. What it said later counts; of more than
    /// [`WINDOWS_MAX`], the one that it has been silent on for longest is forgotten.
    pub fn note(&mut self, kind: WindowKind, window: Window) {
        match self.windows.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, known)) if known.seen_at > window.seen_at => {}
            Some((_, known)) => *known = window,
            None => {
                if self.windows.len() >= WINDOWS_MAX {
                    let seen_at = |at: &usize| self.windows[*at].1.seen_at;
                    (0..self.windows.len()).min_by_key(seen_at).map(|at| self.windows.remove(at));
                }
                self.windows.push((kind, window));
                self.windows.sort_by(|(one, _), (two, _)| one.cmp(two));
            }
        }
    }

    /// The windows that have not begun anew since they were seen.
    pub fn windows(&self, now: Timestamp) -> impl Iterator<Item = &(WindowKind, Window)> {
        self.windows.iter().filter(move |(kind, window)| window.ends_at(kind) > now)
    }

    /// When the provider last said something of them.
    pub fn seen_at(&self) -> Option<Timestamp> {
        self.windows.iter().map(|(_, window)| window.seen_at).max()
    }

    /// How much is left for calls for `family`, in thousandths: of the window that is used most.
    /// What nobody knows of is taken as whole.
    pub fn headroom(&self, family: &ModelFamily, now: Timestamp) -> u16 {
        let used = self
            .windows(now)
            .filter(|(kind, _)| kind.covers(family))
            .map(|(_, window)| window.used_permille)
            .max();
        1_000_u16.saturating_sub(used.unwrap_or(0))
    }

    /// The windows that are used as far as the operator lets them. One without a known reset stops
    /// nothing, as nobody could tell when to go on.
    pub fn marks(&self, stop: StopAt, now: Timestamp) -> impl Iterator<Item = Stopped> {
        self.windows(now).filter(move |(kind, window)| is_past(stop, kind, window)).filter_map(
            |(kind, window)| {
                window.resets_at?;
                Some(Stopped { window: kind.clone(), until: window.ends_at(kind) })
            },
        )
    }

    /// The window that is used as far as the operator lets it, for calls for `family`: of several,
    /// the one that begins anew last.
    pub fn stopped(&self, stop: StopAt, family: &ModelFamily, now: Timestamp) -> Option<Stopped> {
        self.marks(stop, now)
            .filter(|stopped| stopped.window.covers(family))
            .max_by_key(|stopped| stopped.until)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.windows.clear();
    }
}

fn is_past(stop: StopAt, kind: &WindowKind, window: &Window) -> bool {
    let percent = match kind {
        WindowKind::FiveHour => stop.five_hour,
        WindowKind::SevenDay | WindowKind::SevenDayModels(_) => stop.seven_day,
    };
    percent.is_some_and(|percent| window.used_permille >= u16::from(percent) * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn window(used_permille: u16, resets_at: i64) -> Window {
        let resets_at = Some(Timestamp::from_seconds(resets_at));
        Window { used_permille, resets_at, seen_at: NOW }
    }

    fn family(model: &str) -> ModelFamily {
        ModelFamily::of(model)
    }

    #[test]
    fn headroom_is_of_the_fullest_window_that_counts_the_model() {
        let (opus, sonnet) = (family("claude-opus-4-8"), family("claude-sonnet-4-6"));
        let mut quota = Quota::default();
        assert_eq!(quota.headroom(&opus, NOW), 1_000);
        quota.note(WindowKind::FiveHour, window(400, 2_000));
        quota.note(WindowKind::SevenDayModels(opus.clone()), window(990, 9_000));
        assert_eq!(quota.headroom(&opus, NOW), 10);
        assert_eq!(quota.headroom(&sonnet, NOW), 600);
        assert_eq!(quota.headroom(&sonnet, Timestamp::from_seconds(2_000)), 1_000);
    }

    #[test]
    fn a_mark_stops_its_window_until_the_reset_and_no_longer() {
        let opus = family("claude-opus-4-8");
        let mut quota = Quota::default();
        quota.note(WindowKind::FiveHour, window(900, 2_000));
        quota.note(WindowKind::SevenDay, window(500, 9_000));
        let stop = StopAt { five_hour: Some(90), seven_day: Some(90) };
        let stopped = quota.stopped(stop, &opus, NOW).expect("a stop");
        assert_eq!(stopped.window, WindowKind::FiveHour);
        assert_eq!(stopped.until, Timestamp::from_seconds(2_000));
        assert_eq!(quota.stopped(stop, &opus, Timestamp::from_seconds(2_000)), None);
        assert_eq!(quota.stopped(StopAt { five_hour: Some(91), ..stop }, &opus, NOW), None);
        assert_eq!(quota.stopped(StopAt::default(), &opus, NOW), None);
    }

    #[test]
    fn a_window_lasts_no_longer_than_its_kind_whatever_was_said() {
        let opus = family("claude-opus-4-8");
        let stop = StopAt { five_hour: Some(90), seven_day: None };
        let mut quota = Quota::default();
        quota.note(WindowKind::FiveHour, window(1_000, 999_999_999));
        let latest = NOW.plus(Duration::from_mins(5 * 60 + 15));
        let stopped = quota.stopped(stop, &opus, NOW).map(|stopped| stopped.until);
        assert_eq!(stopped, Some(latest));
        assert_eq!(quota.headroom(&opus, latest), 1_000);
        quota.note(WindowKind::FiveHour, Window { resets_at: None, ..window(1_000, 0) });
        assert_eq!(quota.stopped(stop, &opus, NOW), None);
        assert_eq!(quota.headroom(&opus, NOW), 0);
        assert_eq!(quota.headroom(&opus, NOW.plus(Duration::from_hours(5))), 1_000);
    }

    #[test]
    fn it_is_written_and_read_with_the_windows_of_families() {
        let mut quota = Quota::default();
        quota.note(WindowKind::FiveHour, window(1, 2_000));
        quota.note(WindowKind::SevenDayModels(family("claude-opus-5")), window(2, 3_000));
        let json = serde_json::to_string(&quota).expect("JSON");
        assert_eq!(serde_json::from_str::<Quota>(&json).expect("a quota"), quota);
        assert_eq!(serde_json::from_str::<Quota>("{}").expect("a quota"), Quota::default());
    }

    #[test]
    fn made_up_windows_do_not_pile_up() {
        let mut quota = Quota::default();
        for seen in 0..40_u8 {
            let kind = WindowKind::SevenDayModels(family(&"x".repeat(usize::from(seen) + 3)));
            let seen_at = NOW.plus(Duration::from_secs(u64::from(seen)));
            quota.note(kind, Window { seen_at, ..window(1, 9_000) });
        }
        quota.note(
            WindowKind::FiveHour,
            Window { seen_at: NOW.plus(Duration::from_hours(1)), ..window(1, 9_000) },
        );
        assert_eq!(quota.windows(NOW).count(), WINDOWS_MAX);
        assert!(quota.windows(NOW).any(|(kind, _)| *kind == WindowKind::FiveHour));
    }

    #[test]
    fn an_older_word_does_not_replace_a_newer_one() {
        let opus = family("claude-opus-4-8");
        let mut quota = Quota::default();
        quota.note(WindowKind::FiveHour, window(700, 2_000));
        let older = Window { seen_at: Timestamp::from_seconds(900), ..window(100, 2_000) };
        quota.note(WindowKind::FiveHour, older);
        assert_eq!(quota.headroom(&opus, NOW), 300);
    }
}
