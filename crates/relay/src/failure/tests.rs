//! How failures show themselves, and what the document says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use relay_core::key::Budget;
use relay_core::money::Money;
use relay_core::period::Period;
use relay_core::protocol::Service;
use relay_core::tally::{LimitName, Quantity, Standing};

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_000);

fn all_rest(kind: RestKind) -> Failure {
    let reopens_at = Timestamp::from_millis(1_041_500);
    Failure::Capacity { reason: NoCapacity::AllRest { reopens_at, kind }, at: NOW }
}

fn status(failure: &Failure) -> u16 {
    failure.face(Family::Anthropic).status.as_u16()
}

#[test]
fn resting_accounts_answer_with_their_common_cause_and_the_true_wait() {
    assert_eq!(status(&all_rest(RestKind::Limit)), 429);
    assert_eq!(status(&all_rest(RestKind::Overload)), 529);
    assert_eq!(status(&all_rest(RestKind::Fault)), 503);
    let overloaded = all_rest(RestKind::Overload);
    assert_eq!(overloaded.face(Family::Openai).status.as_u16(), 503);

    let response = overloaded.render(Family::Anthropic, "id");
    assert_eq!(response.headers()[RETRY_AFTER], "42");
    assert!(!response.headers().contains_key("x-should-retry"));
}

#[test]
fn what_waiting_cannot_change_says_so() {
    for failure in [
        Failure::Caller(CallerFault::UnknownKey),
        Failure::Key { refusal: Refusal::Disabled, at: NOW },
        Failure::Caller(CallerFault::TooLarge { limit: 1 }),
    ] {
        let response = failure.render(Family::Anthropic, "id");
        assert_eq!(response.headers()["x-should-retry"], "false", "{failure}");
        assert!(!response.headers().contains_key(RETRY_AFTER), "{failure}");
    }
}

#[test]
fn our_own_faults_keep_their_text_inside() {
    let failure = Failure::Ours(anyhow::anyhow!("the disk at {}", "/some/path"));
    assert_eq!(failure.face(Family::Anthropic).message, "internal error");
}

/// What operators read of the reasons.
const DOCUMENT: &str = include_str!("../../../../docs/errors.md");

/// A list of every variant: `next` gives the one behind each, so that the compiler asks for the
/// place of a new one.
fn all<T: Clone>(first: T, next: impl Fn(&T) -> Option<T>) -> Vec<T> {
    std::iter::successors(Some(first), next).collect()
}

fn not_stored() -> NotStored {
    NotStored { message: String::new(), param: String::new(), code: None }
}

fn caller_faults() -> Vec<CallerFault> {
    use CallerFault as F;
    let text = String::new;
    all(F::NoKey, |fault| match fault {
        F::NoKey => Some(F::UnknownKey),
        F::UnknownKey => Some(F::Malformed(text())),
        F::Malformed(_) => Some(F::TooLarge { limit: 1 }),
        F::TooLarge { .. } => Some(F::TooLargeForKey { limit: 1 }),
        F::TooLargeForKey { .. } => Some(F::Encoding(text())),
        F::Encoding(_) => Some(F::SlowBody),
        F::SlowBody => Some(F::CutBody),
        F::CutBody => Some(F::Unpriced(text())),
        F::Unpriced(_) => Some(F::NoSuchPath),
        F::NoSuchPath => Some(F::NotStored(not_stored())),
        F::NotStored(_) => Some(F::WrongMethod),
        F::WrongMethod => Some(F::NoSuchModel(text())),
        F::NoSuchModel(_) => Some(F::NoWebSocket),
        F::NoWebSocket => Some(F::TooManySockets { limit: 1 }),
        F::TooManySockets { .. } => Some(F::CountingTooOften { limit: 1, retry_after: A_MOMENT }),
        F::CountingTooOften { .. } => Some(F::Guessing { limit: 1, retry_after: A_MOMENT }),
        F::Guessing { .. } => None,
    })
}

fn no_capacities() -> Vec<NoCapacity> {
    use NoCapacity as N;
    let all_rest = |kind| Some(N::AllRest { reopens_at: NOW, kind });
    all(N::NoAccount, |reason| match reason {
        N::NoAccount => Some(N::WrongClient),
        N::WrongClient => Some(N::NoModel),
        N::NoModel => Some(N::NoneAble),
        N::NoneAble => Some(N::AllBusy),
        N::AllBusy => all_rest(RestKind::Limit),
        N::AllRest { kind: RestKind::Limit, .. } => all_rest(RestKind::Overload),
        N::AllRest { kind: RestKind::Overload, .. } => all_rest(RestKind::Fault),
        N::AllRest { kind: RestKind::Fault, .. } => None,
    })
}

fn spent(limit: LimitName) -> Standing {
    let zero = Quantity::Cost(Money::ZERO);
    let resets_at = Some(NOW);
    Standing { limit, max: zero, used: zero, reserved: zero, resets_at }
}

fn refusals() -> Vec<Refusal> {
    use Refusal as R;
    let budget = |period| LimitName::Budget(Budget::of(period));
    let family = || LimitName::Budget("opus/week".parse().expect("a budget"));
    let limits = all(LimitName::WindowRequests, |limit| match limit {
        LimitName::WindowRequests => Some(LimitName::WindowTokens),
        LimitName::WindowTokens => Some(LimitName::WindowCost),
        LimitName::WindowCost => Some(family()),
        LimitName::Budget(Budget { family: Some(_), .. }) => Some(budget(Period::Day)),
        LimitName::Budget(Budget { period: Period::Day, .. }) => Some(budget(Period::Week)),
        LimitName::Budget(Budget { period: Period::Week, .. }) => Some(budget(Period::Month)),
        LimitName::Budget(Budget { period: Period::Month, .. }) => Some(budget(Period::Total)),
        LimitName::Budget(Budget { period: Period::Total, .. }) => None,
    });
    let others = all(R::Disabled, |refusal| match refusal {
        R::Disabled => Some(R::Expired { at: NOW }),
        R::Expired { .. } => Some(R::Address(IpAddr::from([127, 0, 0, 1]))),
        R::Address(_) => Some(R::Client { allowed: Vec::new() }),
        R::Client { .. } => Some(R::Service(Service::Claude)),
        R::Service(_) => Some(R::Model(String::new())),
        R::Model(_) => Some(R::Concurrency { max: 1 }),
        R::Concurrency { .. } => Some(R::Queue { waiting: 1 }),
        R::Queue { .. } => Some(R::Reserved(spent(family()).into())),
        R::Reserved(_) | R::Spent(_) => None,
    });
    others
        .into_iter()
        .chain(limits.into_iter().map(|limit| R::Spent(spent(limit).into())))
        .collect()
}

fn every_failure() -> Vec<Failure> {
    let refusals = refusals();
    let busy = all(Busy::BodyMemory, |busy| match busy {
        Busy::BodyMemory => Some(Busy::Stopping),
        Busy::Stopping => Some(Busy::JournalFull),
        Busy::JournalFull => None,
    });
    let upstream = Failure::Upstream {
        status: StatusCode::BAD_GATEWAY,
        message: String::new(),
        retry_after: None,
    };
    let mut every: Vec<Failure> = vec![upstream, Failure::Ours(anyhow::anyhow!("a fault"))];
    every.extend(caller_faults().into_iter().map(Failure::Caller));
    every.extend(refusals.into_iter().map(|refusal| Failure::Key { refusal, at: NOW }));
    every.extend(busy.into_iter().map(Failure::Busy));
    let of = |reason| Failure::Capacity { reason, at: NOW };
    every.extend(no_capacities().into_iter().map(of));
    every
}

/// Which statuses each reason has, over all families of clients.
fn statuses() -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut statuses = BTreeMap::<_, BTreeSet<String>>::new();
    for failure in every_failure() {
        for family in [Family::Anthropic, Family::Openai, Family::Gemini] {
            let face = failure.face(family);
            let told = match failure {
                // It is the upstream's own, or what comes nearest to what happened.
                Failure::Upstream { .. } => "any".to_owned(),
                _ => face.status.as_u16().to_string(),
            };
            statuses.entry(face.reason).or_default().insert(told);
        }
    }
    statuses
}

#[test]
fn every_reason_is_in_the_document_with_its_status_and_the_other_way_round() {
    let (_, reasons) = DOCUMENT.split_once("\n## Reasons\n").expect("the chapter");
    let reasons = reasons.split("\n## ").next().unwrap_or_default();
    let rows = reasons.lines().filter_map(|line| line.strip_prefix("| `"));
    let told: Vec<(&str, BTreeSet<String>)> = rows
        .map(|row| {
            let mut cells = row.split(" | ");
            let reason = cells.next().unwrap_or_default().trim_end_matches('`');
            let statuses = cells.next().unwrap_or_default().split(", ").map(str::to_owned);
            (reason, statuses.collect())
        })
        .collect();
    let unique: BTreeMap<_, _> = told.iter().cloned().collect();
    assert_eq!(unique.len(), told.len(), "a reason comes twice");
    assert_eq!(unique, statuses());
}
