//! Looking at a journal that somebody else writes.

use super::*;
use crate::journal::look::look;

const PLENTY: u64 = 1 << 20;

fn journal(dir: &Path) -> Journal {
    let options = JournalOptions { reserve_bytes: 0, ..JournalOptions::default() };
    Journal::open(dir, options).unwrap().0
}

fn first_segment(dir: &Path) -> PathBuf {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|it| it.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == "log"));
    paths.sort();
    paths.remove(0)
}

#[test]
fn a_look_counts_what_is_left_and_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let journal = journal(home.path());
    let first = journal.append(&settled(1)).unwrap();
    let end = journal.append(&settled(2)).unwrap();
    let path = first_segment(home.path());
    let before = fs::read(&path).unwrap();
    let seen = look(home.path(), first, PLENTY, WriterIs::Running).unwrap();
    assert_eq!((seen.segments, seen.bytes), (1, end.offset));
    assert_eq!(seen.behind_bytes, end.offset - first.offset);
    let lines = seen.lines.unwrap();
    assert_eq!((lines.unsettled, lines.damaged, lines.cut), (0, 0, 0));
    assert!(lines.newest.is_some());
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(look(home.path(), first, 1, WriterIs::Gone).unwrap().lines, None);
}

#[test]
fn a_damaged_line_is_told_from_a_cut_end_and_from_one_that_is_being_written() {
    let home = tempfile::tempdir().unwrap();
    let journal = journal(home.path());
    for number in 1..=3 {
        journal.append(&settled(number)).unwrap();
    }
    drop(journal);
    let path = first_segment(home.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    bytes.truncate(bytes.len() - 5);
    fs::write(&path, &bytes).unwrap();
    let lines = |writer| look(home.path(), Position::START, PLENTY, writer).unwrap().lines;
    let lines = [WriterIs::Gone, WriterIs::Running].map(|writer| lines(writer).unwrap());
    assert_eq!(lines.map(|it| (it.damaged, it.cut)), [(1, 1), (1, 0)]);
}
