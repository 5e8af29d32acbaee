mod sequences;

use proptest::prelude::*;

use super::*;

fn opus() -> ModelFamily {
    ModelFamily::of("claude-opus-4-8")
}

fn evidence(cause: RestCause, stated_reset: Option<Timestamp>) -> Evidence {
    Evidence { cause, stated_reset, scope: Scope::Account }
}

#[test]
fn what_the_provider_states_is_taken() {
    let mut health = Health::default();
    let now = Timestamp::from_seconds(1_000);
    let reset = Timestamp::from_seconds(1_017);
    health.fault(&evidence(RestCause::RateLimited, Some(reset)), &opus(), now, 0);
    assert_eq!(health.account_rest(now).map(|rest| rest.until), Some(reset));
    assert_eq!(health.account_rest(reset), None);
}

#[test]
fn an_unstated_rest_grows_with_faults_in_a_row_and_ends_with_an_answer() {
    let mut health = Health::default();
    let mut now = Timestamp::from_seconds(1_000);
    let mut lengths = Vec::new();
    for _ in 0..3 {
        let rest = health.fault(&evidence(RestCause::Failing, None), &opus(), now, 0).rest;
        lengths.push(rest.until.since(now).as_secs());
        now = rest.until;
    }
    assert_eq!(lengths, [1, 2, 4]);
    assert!(health.answered(&opus(), now));
    let rest = health.fault(&evidence(RestCause::Failing, None), &opus(), now, 0).rest;
    assert_eq!(rest.until.since(now).as_secs(), 1);
}

#[test]
fn faults_of_calls_under_way_together_count_once() {
    let mut health = Health::default();
    let now = Timestamp::from_seconds(1_000);
    for _ in 0..20 {
        health.fault(&evidence(RestCause::Failing, None), &opus(), now, 0);
    }
    let rest = health.account_rest(now).expect("a rest");
    assert!(rest.until.since(now) <= Duration::from_secs(2));
}

#[test]
fn an_answer_to_a_call_that_was_sent_before_the_fault_ends_no_rest() {
    let mut health = Health::default();
    let sent = Timestamp::from_seconds(1_000);
    let now = Timestamp::from_seconds(1_010);
    health.fault(&evidence(RestCause::RateLimited, None), &opus(), now, 0);
    assert!(!health.answered(&opus(), sent));
    assert!(health.account_rest(now).is_some());
    assert!(health.answered(&opus(), now));
    assert_eq!(health.account_rest(now), None);
}

#[test]
fn a_passing_fault_does_not_shorten_a_longer_rest() {
    let mut health = Health::default();
    let now = Timestamp::from_seconds(1_000);
    let longer = health.fault(&evidence(RestCause::Condemned, None), &opus(), now, 0).rest;
    health.fault(&evidence(RestCause::Failing, None), &opus(), now, 0);
    assert_eq!(health.account_rest(now), Some(longer));
    let stated = Timestamp::from_seconds(1_005);
    health.fault(&evidence(RestCause::RateLimited, Some(stated)), &opus(), now, 0);
    assert_eq!(health.account_rest(now).map(|rest| rest.until), Some(stated));
}

#[test]
fn a_family_rests_alone() {
    let mut health = Health::default();
    let now = Timestamp::from_seconds(1_000);
    let fault = Evidence {
        scope: Scope::Models(opus()),
        ..evidence(RestCause::RateLimited, Some(Timestamp::from_seconds(1_060)))
    };
    health.fault(&fault, &opus(), now, 0);
    assert!(health.standing(&opus(), now).rest().is_some());
    assert_eq!(health.standing(&ModelFamily::of("claude-sonnet-4-6"), now), Standing::Open);
    health.reset();
    assert_eq!(health.standing(&opus(), now), Standing::Open);
}

#[test]
fn unstated_rests_have_a_longest_and_no_jitter_makes_them_longer() {
    for (cause, first, longest) in [
        (RestCause::RateLimited, 5, 300),
        (RestCause::Failing, 1, 60),
        (RestCause::Overloaded, 1, 60),
        (RestCause::Unreachable, 1, 60),
        (RestCause::Unauthorised, 60, 1_800),
        (RestCause::Condemned, 60, 1_800),
    ] {
        for jitter in [0, 1, 128, 255] {
            let mut health = Health::default();
            let mut now = Timestamp::from_seconds(1_000);
            for strike in 0..40_u32 {
                let rest = health.fault(&evidence(cause, None), &opus(), now, jitter).rest;
                let most = (first * 2_u64.saturating_pow(strike)).min(longest) * 1_000;
                let millis = u64::try_from(rest.until.since(now).as_millis()).expect("short");
                assert!((most * 3 / 4..=most).contains(&millis), "{cause:?} {strike} {millis}");
                now = rest.until;
            }
        }
    }
}

proptest! {
    #[test]
    fn a_stated_rest_never_outlives_its_evidence(reset in 0_i64..2_000_000, jitter: u8) {
        let mut health = Health::default();
        let now = Timestamp::from_seconds(1_000_000);
        let reset = Timestamp::from_seconds(reset);
        let rest = health.fault(&evidence(RestCause::RateLimited, Some(reset)), &opus(), now, jitter).rest;
        prop_assert!(rest.until > now);
        if rest.stated {
            prop_assert!(rest.until <= reset && rest.until <= now.plus(STATED_REST_MAX));
        }
    }
}

#[test]
fn room_in_the_windows_ends_the_rests_for_them_and_no_others() {
    let now = Timestamp::from_seconds(1_000);
    let later = Timestamp::from_seconds(1_005);
    let limited = |until| evidence(RestCause::RateLimited, Some(Timestamp::from_seconds(until)));
    let mut health = Health::default();
    health.fault(&limited(1_030), &opus(), now, 0);
    assert!(!health.windows_have_room(later, later));
    assert!(health.account_rest(later).is_some(), "a limit by the minute");
    health.fault(&limited(9_000), &opus(), now, 0);
    assert!(health.windows_have_room(later, later));
    assert_eq!(health.standing(&opus(), later), Standing::Trial, "a call tries it out");
    assert!(health.answered(&opus(), later));
    assert_eq!(health.standing(&opus(), later), Standing::Open);
    health.fault(&evidence(RestCause::Condemned, None), &opus(), now, 0);
    assert!(!health.windows_have_room(later, later));
    assert!(health.account_rest(later).is_some());
}

#[test]
fn a_limit_that_was_stated_after_the_windows_were_asked_for_stays() {
    let [asked_at, now] = [1_000, 1_002].map(Timestamp::from_seconds);
    let met_at = Timestamp::from_seconds(1_001);
    let until = Timestamp::from_seconds(9_000);
    let mut health = Health::default();
    health.fault(&evidence(RestCause::RateLimited, Some(until)), &opus(), met_at, 0);
    assert!(!health.windows_have_room(now, asked_at));
    assert_eq!(health.account_rest(now).map(|rest| rest.until), Some(until));
}

#[test]
fn a_fault_rests_what_was_asked_for_whatever_family_the_provider_names() {
    let now = Timestamp::from_seconds(1_000);
    let until = Some(Timestamp::from_seconds(9_000));
    let named = |family| Evidence {
        scope: Scope::Models(ModelFamily::of(family)),
        ..evidence(RestCause::RateLimited, until)
    };
    for (asked, family) in [("gpt-4o", "claude-opus-4-8"), ("claude-opus-4-8", "xyz")] {
        let mut health = Health::default();
        let noted = health.fault(&named(family), &ModelFamily::of(asked), now, 0);
        assert!(noted.is_new);
        for model in [asked, family] {
            let rest = health.standing(&ModelFamily::of(model), now).rest();
            assert_eq!(rest.map(|rest| rest.until), until, "{model}");
        }
        assert_eq!(health.account_rest(now), None);
    }
}

#[test]
fn made_up_families_do_not_pile_up() {
    let start = Timestamp::from_seconds(1_000_000);
    let mut health = Health::default();
    let fault = |health: &mut Health, model: &str, seconds: i64, now| {
        let until = Some(Timestamp::from_seconds(1_000_000 + seconds));
        let limited = Evidence { scope: Scope::Asked, ..evidence(RestCause::RateLimited, until) };
        health.fault(&limited, &ModelFamily::of(model), now, 0);
    };
    fault(&mut health, "long", 500_000, start);
    for number in 0..200_i64 {
        fault(&mut health, &format!("made{number}"), 100 + number, start);
    }
    assert_eq!(health.models.len(), FAMILIES_MAX);
    let rests = |health: &Health, model| health.standing(&ModelFamily::of(model), start).rest();
    assert!(rests(&health, "long").is_some() && rests(&health, "made199").is_some());
    assert!(rests(&health, "made0").is_none(), "it would have ended first");
    fault(&mut health, "short", 1, start);
    assert!(rests(&health, "short").is_some(), "what is new is kept");
    let later = start.plus(Duration::from_hours(2));
    fault(&mut health, "last", 500_000, later);
    assert_eq!(health.models.len(), 2, "those that ended long ago go first");
}

#[test]
fn rests_for_certain_causes_are_forgotten_alone() {
    let now = Timestamp::from_seconds(1_000);
    let mut health = Health::default();
    health.fault(&evidence(RestCause::Unreachable, None), &opus(), now, 0);
    let failing = Evidence { scope: Scope::Asked, ..evidence(RestCause::Failing, None) };
    health.fault(&failing, &opus(), now, 0);
    health.forget(|cause| cause == RestCause::Unreachable);
    assert_eq!(health.account_standing(now), Standing::Open);
    assert!(health.standing(&opus(), now).rest().is_some());
}
