//! Consumed segments go; attempts that are still open stay.

use super::*;

#[test]
fn only_segments_before_the_consumed_one_are_deleted() {
    let home = Home::with_segments_of(1_000);
    let (journal, _) = home.open();
    let positions: Vec<Position> =
        (0..12).map(|number| journal.append(&settled(number)).unwrap()).collect();
    let consumed = positions[6];
    let before = home.segments();
    let deleted = journal.release(consumed).unwrap();
    let left: Vec<u64> =
        before.iter().copied().filter(|number| *number >= consumed.segment).collect();
    assert!(deleted > 0 && left.len() > 1);
    assert_eq!(home.segments(), left);
    assert_eq!(drain(&mut journal.tail(consumed), 5), (7..12).map(settled).collect::<Vec<_>>());
    assert_eq!(journal.release(consumed).unwrap(), 0);
    let beyond = Position { segment: 99, offset: 0 };
    journal.release(beyond).unwrap();
    assert_eq!(home.segments().len(), 1, "the current segment stays");
}

#[test]
fn open_attempts_survive_the_deletion_of_their_segments_and_a_crash_after_it() {
    const OPEN: u64 = 150;
    let home = Home::with_segments_of(1_500);
    {
        let (journal, _) = home.open();
        for number in 0..OPEN {
            journal.append(&opened(number, 1)).unwrap();
        }
        journal.append(&opened(3, 2)).unwrap();
        for number in (0..OPEN).filter(|number| number % 3 == 1) {
            journal.append(&settled(number)).unwrap();
        }
        assert!(journal.release(journal.end()).unwrap() > 30);
        // What is carried over fills segments of its own, which are not carried over again.
        let held = journal.lag(Position::START);
        assert_eq!(journal.release(journal.end()).unwrap(), 0);
        assert_eq!(journal.lag(Position::START), held);
    }
    let (journal, recovery) = home.open();
    let numbers = (0..OPEN).filter(|number| number % 3 != 1);
    let due = numbers.map(|n| attempt_of(n, if n == 3 { 2 } else { 1 })).collect::<Vec<_>>();
    assert_eq!(recovery.unsettled, due);

    // What the start settles is open no more, and goes.
    for attempt in recovery.unsettled {
        let record = CallRecord { call: attempt.call, ..record_of(0, "m") };
        journal.append(&Entry::Settled(record)).unwrap();
    }
    assert_eq!(journal.open_calls(), 0);
    journal.release(journal.end()).unwrap();
    assert_eq!(home.segments().len(), 1);
    drop(journal);
    assert_eq!(home.open().1.unsettled, []);
}

#[test]
fn what_was_carried_over_stands_in_its_new_segment() {
    // A record fills a segment, so what is carried over begins one.
    let home = Home::with_segments_of(500);
    let (journal, _) = home.open();
    for entry in [opened(1, 1), settled(10), settled(11)] {
        journal.append(&entry).unwrap();
    }
    assert_eq!(journal.release(journal.end()).unwrap(), 1);
    assert_eq!(home.segments(), [2, 3]);
    assert_eq!(journal.release(journal.end()).unwrap(), 1);
    assert_eq!(read_all(&journal), [opened(1, 1)]);
}

#[test]
fn a_call_settled_after_it_was_carried_over_is_settled() {
    let home = Home::with_segments_of(600);
    let (journal, _) = home.open();
    journal.append(&opened(1, 1)).unwrap();
    for number in 10..20 {
        journal.append(&settled(number)).unwrap();
    }
    journal.release(journal.end()).unwrap();
    journal.append(&settled(1)).unwrap();
    drop(journal);
    assert_eq!(home.open().1.unsettled, []);
}

#[test]
fn a_tail_left_behind_goes_on_with_what_is_left() {
    let home = Home::with_segments_of(600);
    let (journal, _) = home.open();
    let mut tail = journal.tail(Position::START);
    for number in 0..10 {
        journal.append(&settled(number)).unwrap();
    }
    assert_eq!(tail.next_batch(1).unwrap().len(), 1);
    journal.release(journal.end()).unwrap();
    let rest = drain(&mut tail, 3);
    assert_eq!(rest.last(), Some(&settled(9)));
}

#[test]
fn calls_keep_being_recorded_while_segments_are_released() {
    const CALLS: u64 = 600;
    let home = Home::with_segments_of(3_000);
    let (journal, _) = home.open();
    let writer = {
        let journal = journal.clone();
        std::thread::spawn(move || {
            for number in 0..CALLS {
                journal.append(&opened(number, 1)).unwrap();
                if number % 5 != 0 {
                    journal.append(&settled(number)).unwrap();
                }
            }
        })
    };
    let mut tail = journal.tail(Position::START);
    let mut settled_calls = 0;
    while !writer.is_finished() || tail.position() < journal.end() {
        for (entry, _) in tail.next_batch(20).unwrap() {
            settled_calls += u64::from(matches!(entry, Entry::Settled(_)));
        }
        journal.release(tail.position()).unwrap();
    }
    writer.join().unwrap();
    assert_eq!(settled_calls, CALLS - CALLS.div_ceil(5));
    drop(journal);
    drop(tail);
    let unsettled = home.open().1.unsettled;
    let due: Vec<OpenAttempt> =
        (0..CALLS).filter(|n| n % 5 == 0).map(|n| attempt_of(n, 1)).collect();
    assert_eq!(unsettled, due);
}
