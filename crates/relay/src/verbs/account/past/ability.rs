//! When an account was able, from what happened to it.

use relay_core::clock::Timestamp;
use relay_store::accounts::StoredAccount;
use serde::Serialize;
use utoipa::ToSchema;

use crate::verbs::moment;

/// Whether an account served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AbilityView {
    /// It served.
    Able,
    /// It rested: all of it, a family of models, or its host.
    Resting,
    /// It was signed out, or its subscription had ended.
    Failing,
    /// An operator had switched it off.
    Paused,
    /// The events of that time are forgotten.
    Unknown,
}

/// A stretch of time in which that did not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct StretchView {
    /// Its first moment.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The first moment after it.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Whether it served.
    pub state: AbilityView,
}

/// A turn of an account's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// A rest began, and ends then unless something ends it before.
    Rested(Timestamp),
    /// It answered again.
    Recovered,
    /// It has to be signed in again.
    SignedOut,
    /// An operator switched it off.
    Paused,
    /// An operator switched it on.
    Resumed,
    /// An operator cleared its rests.
    Reset,
    /// An operator changed it, perhaps by a sign-in.
    Edited,
}

/// When a turn came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Happened {
    pub(super) at: Timestamp,
    pub(super) turn: Turn,
}

/// What holds at a moment.
#[derive(Debug, Clone, Copy)]
struct Standing {
    paused: bool,
    signed_out: bool,
    rests_until: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    known_from: Timestamp,
}

impl Standing {
    fn at(&self, moment: Timestamp) -> AbilityView {
        if moment < self.known_from {
            AbilityView::Unknown
        } else if self.paused {
            AbilityView::Paused
        } else if self.signed_out || self.ends_at.is_some_and(|end| end <= moment) {
            AbilityView::Failing
        } else if self.rests_until.is_some_and(|until| moment < until) {
            AbilityView::Resting
        } else {
            AbilityView::Able
        }
    }

    /// The next moment after `from` at which this changes by itself.
    fn turns_at(&self, from: Timestamp) -> Option<Timestamp> {
        let all = [self.rests_until, self.ends_at, Some(self.known_from)];
        all.into_iter().flatten().filter(|at| *at > from).min()
    }

    fn take(&mut self, happened: Happened, stored: &StoredAccount) {
        match happened.turn {
            // Of two rests at a time, the account serves after the later one.
            Turn::Rested(until) => self.rests_until = self.rests_until.max(Some(until)),
            Turn::Recovered => {
                self.rests_until = None;
                self.signed_out = false;
            }
            Turn::Reset => self.rests_until = None,
            Turn::SignedOut => self.signed_out = true,
            Turn::Paused => self.paused = true,
            Turn::Resumed => self.paused = false,
            Turn::Edited => {
                let lasts = stored.signed_out.is_some_and(|out| out.at <= happened.at);
                self.signed_out &= lasts;
            }
        }
    }
}

/// Cuts the time into stretches. `happened` is in order of time.
pub(super) fn stretches(
    happened: &[Happened],
    stored: &StoredAccount,
    known_from: Timestamp,
    (from, to): (Timestamp, Timestamp),
) -> Vec<StretchView> {
    let switched = |it: &&Happened| matches!(it.turn, Turn::Paused | Turn::Resumed);
    let first_switch = happened.iter().find(switched).map(|it| it.turn);
    let mut standing = Standing {
        // One that was never switched is as it was added; one that was resumed was off before.
        paused: match first_switch {
            None => !stored.account.enabled,
            Some(turn) => turn == Turn::Resumed,
        },
        signed_out: false,
        rests_until: None,
        ends_at: stored.account.ends_at,
        known_from,
    };
    let mut cut: Vec<StretchView> = Vec::new();
    let mut at = from;
    for happened in happened {
        if happened.at >= to {
            break;
        }
        lay(&mut cut, &standing, (at, happened.at));
        standing.take(*happened, stored);
        at = at.max(happened.at);
    }
    lay(&mut cut, &standing, (at, to));
    cut
}

/// Adds the time in which nothing happened, joined to what was the same before it.
fn lay(cut: &mut Vec<StretchView>, standing: &Standing, (from, to): (Timestamp, Timestamp)) {
    let mut at = from;
    while at < to {
        let next = standing.turns_at(at).map_or(to, |turn| turn.min(to));
        let state = standing.at(at);
        match cut.last_mut() {
            Some(last) if last.state == state && last.to == at => last.to = next,
            _ => cut.push(StretchView { from: at, to: next, state }),
        }
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use AbilityView::{Able, Failing, Paused, Resting, Unknown};
    use relay_core::credential::{SignOutCause, SignedOut};

    use super::*;
    use crate::verbs::account::{Selection, add, to_test};
    use crate::verbs::scratch::{NOW, Scratch, new_account};

    fn second(number: i64) -> Timestamp {
        Timestamp::from_seconds(number)
    }

    async fn stored() -> StoredAccount {
        let scratch = Scratch::new().await;
        add(&scratch.store, new_account("main"), &[], NOW).await.expect("an account");
        to_test(&scratch.store, &Selection::All).await.expect("accounts").remove(0)
    }

    fn cut(
        stored: &StoredAccount,
        known_from: i64,
        turns: &[(i64, Turn)],
    ) -> Vec<(i64, i64, AbilityView)> {
        let happened: Vec<_> =
            turns.iter().map(|(at, turn)| Happened { at: second(*at), turn: *turn }).collect();
        let span = (second(100), second(200));
        let stretches = stretches(&happened, stored, second(known_from), span);
        let seconds = |at: Timestamp| at.as_millis() / 1_000;
        stretches.iter().map(|it| (seconds(it.from), seconds(it.to), it.state)).collect()
    }

    #[tokio::test]
    async fn rests_end_by_themselves_or_by_an_answer_or_by_a_reset() {
        let account = stored().await;
        assert_eq!(cut(&account, 0, &[]), [(100, 200, Able)]);
        let rest = |until: i64| Turn::Rested(second(until));
        assert_eq!(
            cut(&account, 0, &[(90, rest(110)), (120, rest(150)), (130, Turn::Recovered)]),
            [(100, 110, Resting), (110, 120, Able), (120, 130, Resting), (130, 200, Able)]
        );
        assert_eq!(
            cut(&account, 0, &[(110, rest(300)), (140, Turn::Reset)]),
            [(100, 110, Able), (110, 140, Resting), (140, 200, Able)]
        );
        assert_eq!(
            cut(&account, 120, &[(150, rest(160)), (155, rest(170))]),
            [(100, 120, Unknown), (120, 150, Able), (150, 170, Resting), (170, 200, Able)]
        );
    }

    #[tokio::test]
    async fn a_pause_goes_before_a_sign_out_and_a_sign_in_is_an_edit() {
        let mut account = stored().await;
        let turns = [
            (110, Turn::SignedOut),
            (120, Turn::Paused),
            (130, Turn::Resumed),
            (140, Turn::Edited),
            (200, Turn::Paused),
        ];
        let before = [(100, 110, Able), (110, 120, Failing), (120, 130, Paused)];
        let with = |rest: &[_]| [&before[..], rest].concat();
        assert_eq!(cut(&account, 0, &turns), with(&[(130, 140, Failing), (140, 200, Able)]));
        account.signed_out =
            Some(SignedOut { at: second(110), cause: SignOutCause::RefreshRefused });
        assert_eq!(cut(&account, 0, &turns), with(&[(130, 200, Failing)]));
        account.signed_out = None;
        account.account.ends_at = Some(second(150));
        assert_eq!(
            cut(&account, 0, &[(110, Turn::Resumed)]),
            [(100, 110, Paused), (110, 150, Able), (150, 200, Failing)]
        );
    }
}
