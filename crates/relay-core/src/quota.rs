//! Quota windows of subscriptions: how much of each is used, and when it begins anew.

use std::fmt;
use std::str::FromStr;
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
    /// So many minutes, for all models, where it is neither five hours nor seven days:
    /// [`WindowKind::lasting`] makes the right one.
    Minutes(u32),
    /// So many minutes, for one family of models or those whose names begin with it: a provider
    /// that counts each model apart. [`WindowKind::of_models`] makes the right one.
    ///
    /// Of several models of a family, the one that is used most is told.
    Models {
        /// Whose calls count.
        family: ModelFamily,
        /// How long it lasts.
        minutes: u32,
    },
}

/// Windows up to this long go by the operator's mark for 5-hour windows, longer ones by that for
/// 7-day windows.
const SHORT_MAX: Duration = Duration::from_hours(12);

const FIVE_HOURS: u32 = 5 * 60;
const SEVEN_DAYS: u32 = 7 * 24 * 60;

impl WindowKind {
    /// The window for all models that a provider says lasts so long; `None` if that is no time.
    /// Providers round: 299 minutes are five hours.
    pub const fn lasting(minutes: u32) -> Option<Self> {
        match minutes {
            0 => None,
            _ if is_about(minutes, FIVE_HOURS) => Some(Self::FiveHour),
            _ if is_about(minutes, SEVEN_DAYS) => Some(Self::SevenDay),
            _ => Some(Self::Minutes(minutes)),
        }
    }

    /// The window for a family of models that lasts so long.
    pub const fn of_models(family: ModelFamily, minutes: u32) -> Self {
        if is_about(minutes, SEVEN_DAYS) {
            Self::SevenDayModels(family)
        } else {
            Self::Models { family, minutes }
        }
    }

    /// The family of models that it is for, if it is not for all.
    pub const fn family(&self) -> Option<&ModelFamily> {
        match self {
            Self::SevenDayModels(family) | Self::Models { family, .. } => Some(family),
            Self::FiveHour | Self::SevenDay | Self::Minutes(_) => None,
        }
    }

    /// Whether calls for `family` count in it.
    pub fn covers(&self, family: &ModelFamily) -> bool {
        match self {
            Self::FiveHour | Self::SevenDay | Self::Minutes(_) => true,
            Self::SevenDayModels(models) => models == family,
            Self::Models { family: models, .. } => models.covers(family),
        }
    }

    /// How long it lasts.
    pub const fn length(&self) -> Duration {
        Duration::from_secs(self.minutes() as u64 * 60)
    }

    /// Whether the operator's mark for 5-hour windows is meant for it.
    pub fn is_short(&self) -> bool {
        self.length() <= SHORT_MAX
    }

    const fn minutes(&self) -> u32 {
        match self {
            Self::FiveHour => FIVE_HOURS,
            Self::SevenDay | Self::SevenDayModels(_) => SEVEN_DAYS,
            Self::Minutes(minutes) | Self::Models { minutes, .. } => *minutes,
        }
    }
}

/// Whether a stated length is this one, within a hundredth.
const fn is_about(minutes: u32, length: u32) -> bool {
    minutes.abs_diff(length) <= length / 100
}

/// As people read it: `5h`, `7d opus`, `30d`, `1d gemini-2.5`.
impl fmt::Display for WindowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minutes() {
            minutes if minutes % (24 * 60) == 0 => write!(f, "{}d", minutes / (24 * 60))?,
            minutes if minutes % 60 == 0 => write!(f, "{}h", minutes / 60)?,
            minutes => write!(f, "{minutes}m")?,
        }
        match self.family() {
            Some(family) => write!(f, " {family}"),
            None => Ok(()),
        }
    }
}

/// A text that is not a window's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a quota window")]
pub struct NotAWindow;

/// Reads what [`fmt::Display`] writes.
impl FromStr for WindowKind {
    type Err = NotAWindow;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (length, family) = match text.split_once(' ') {
            Some((length, family)) => (length, Some(ModelFamily::named(family))),
            None => (text, None),
        };
        let unit = length.char_indices().next_back().ok_or(NotAWindow)?;
        let number: u32 = length[..unit.0].parse().map_err(|_| NotAWindow)?;
        let minutes = match unit.1 {
            'd' => number.checked_mul(24 * 60),
            'h' => number.checked_mul(60),
            'm' => Some(number),
            _ => None,
        };
        let minutes = minutes.ok_or(NotAWindow)?;
        match family {
            Some(family) => Ok(Self::of_models(family, minutes)),
            None => Self::lasting(minutes).ok_or(NotAWindow),
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
    /// Of the 5-hour window, and of others of up to 12 hours.
    pub five_hour: Option<u8>,
    /// Of the 7-day windows, and of others that last longer.
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
    let percent = if kind.is_short() { stop.five_hour } else { stop.seven_day };
    percent.is_some_and(|percent| window.used_permille >= u16::from(percent) * 10)
}

#[cfg(test)]
mod tests;
