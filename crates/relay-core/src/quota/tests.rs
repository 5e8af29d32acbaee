use proptest::prelude::*;

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

#[test]
fn a_window_is_known_by_its_length() {
    assert_eq!(WindowKind::lasting(299), Some(WindowKind::FiveHour));
    assert_eq!(WindowKind::lasting(10_080), Some(WindowKind::SevenDay));
    assert_eq!(WindowKind::lasting(43_200), Some(WindowKind::Minutes(43_200)));
    assert_eq!(WindowKind::lasting(0), None);
    let gemini = family("gemini-2.5-pro");
    let day = WindowKind::of_models(gemini.clone(), 1_440);
    assert_eq!(day.length(), Duration::from_hours(24));
    assert!(day.covers(&gemini) && !day.covers(&family("gemini-3-pro")));
    let week = WindowKind::of_models(gemini.clone(), 10_080);
    assert_eq!(week, WindowKind::SevenDayModels(gemini));
}

#[test]
fn windows_of_other_lengths_go_by_the_mark_that_is_nearest() {
    let (model, stop) = (family("gpt-5"), StopAt { five_hour: Some(80), seven_day: Some(95) });
    let stops = |minutes, used| {
        let mut quota = Quota::default();
        quota.note(WindowKind::lasting(minutes).expect("a window"), window(used, 1_500));
        quota.stopped(stop, &model, NOW).is_some()
    };
    assert!(stops(60, 800) && stops(720, 800) && !stops(60, 799));
    assert!(!stops(721, 949) && stops(1_440, 950) && stops(43_200, 950));
}

#[test]
fn notes_of_before_and_of_windows_of_any_length_are_read() {
    let known = r#"{"windows":[["five_hour",{"used_permille":1,"resets_at":null,"seen_at":0}],
        [{"seven_day_models":"opus"},{"used_permille":2,"resets_at":null,"seen_at":0}]]}"#;
    let quota: Quota = serde_json::from_str(known).expect("notes");
    let kinds: Vec<_> = quota.windows.iter().map(|(kind, _)| kind.to_string()).collect();
    assert_eq!(kinds, ["5h", "7d opus"]);
    let mut quota = Quota::default();
    quota.note(WindowKind::Minutes(43_200), window(1, 2_000));
    quota.note(WindowKind::of_models(family("gemini-2.5-pro"), 1_440), window(2, 2_000));
    let json = serde_json::to_string(&quota).expect("JSON");
    assert_eq!(serde_json::from_str::<Quota>(&json).expect("a quota"), quota);
}

#[test]
fn what_is_no_window_is_not_read_as_one() {
    for text in ["", " ", "h", "5", "5x", "0h", "-5h", "5h5", "99999999999d", "4294967295d", "é"] {
        assert_eq!(text.parse::<WindowKind>(), Err(NotAWindow), "{text}");
    }
}

proptest! {
    #[test]
    fn a_window_is_read_as_it_is_written(minutes in 1_u32..5_000_000, of_family in any::<bool>()) {
        let kind = if of_family {
            Some(WindowKind::of_models(family("gemini-3.1-pro"), minutes))
        } else {
            WindowKind::lasting(minutes)
        };
        let kind = kind.expect("a window");
        prop_assert_eq!(kind.to_string().parse(), Ok(kind.clone()));
    }
}
