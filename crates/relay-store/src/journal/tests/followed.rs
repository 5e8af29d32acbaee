//! Tails that follow a journal while it is written: each gets every record once and in order,
//! whether it was at hand in memory or stood in the files alone.

use super::*;

/// What happens to a journal.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// An attempt goes out.
    Open,
    /// A call ends, its record is kept at hand.
    Settle,
    /// A call ends, its record stands in the files alone.
    Append,
    /// A tail reads up to so many records.
    Read { tail: usize, records_max: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let read =
        (0..2_usize, 1..4_usize).prop_map(|(tail, records_max)| Step::Read { tail, records_max });
    let step = prop_oneof![
        2 => Just(Step::Open),
        3 => Just(Step::Settle),
        1 => Just(Step::Append),
        3 => read,
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn each_tail_gets_every_record_once_and_in_order(steps in steps(), small in any::<bool>()) {
        let home = if small { Home::with_segments_of(1_000) } else { Home::new() };
        let (journal, _) = home.open();
        let mut tails = [journal.tail(Position::START), journal.tail(Position::START)];
        let (mut written, mut read) = (Vec::new(), [Vec::new(), Vec::new()]);
        for (number, step) in (0..).zip(steps) {
            match step {
                Step::Open => {
                    journal.append(&opened(number, 1)).unwrap();
                }
                Step::Settle => {
                    let position = journal.settle(record_of(number, "m")).unwrap();
                    prop_assert_eq!(position, journal.end());
                    written.push(call(number));
                }
                Step::Append => {
                    journal.append(&settled(number)).unwrap();
                    written.push(call(number));
                }
                Step::Read { tail, records_max } => {
                    let records = tails[tail].next_settled(records_max).unwrap();
                    prop_assert!(records.len() <= records_max);
                    read[tail].extend(records.into_iter().map(|record| record.call));
                    // Whoever goes on from there, as a start does, misses nothing.
                    let mut next = journal.tail(tails[tail].position());
                    let rest = next.read_all_settled();
                    prop_assert_eq!(rest.len() + read[tail].len(), written.len());
                }
            }
        }
        for (tail, read) in tails.iter_mut().zip(&mut read) {
            read.extend(tail.read_all_settled());
            prop_assert_eq!(&*read, &written);
        }
    }
}

impl Tail {
    fn read_all_settled(&mut self) -> Vec<CallId> {
        let mut calls = Vec::new();
        loop {
            let records = self.next_settled(5).unwrap();
            if records.is_empty() {
                return calls;
            }
            calls.extend(records.into_iter().map(|record| record.call));
        }
    }
}

#[test]
fn what_is_at_hand_is_not_read_back() {
    let home = Home::new();
    let (journal, _) = home.open();
    let mut tail = journal.tail(journal.end());
    for number in 0..3 {
        journal.settle(record_of(number, "m")).unwrap();
    }
    // Without the file there is nothing to read back.
    fs::remove_file(home.segment(journal.end().segment)).unwrap();
    let calls: Vec<_> = tail.next_settled(9).unwrap().iter().map(|record| record.call).collect();
    assert_eq!(calls, [call(0), call(1), call(2)]);
    assert_eq!(tail.position(), journal.end());
}
