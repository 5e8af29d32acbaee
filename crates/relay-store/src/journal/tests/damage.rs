//! What a crash or a bad disk does to segments costs the entries that it hits, and no other.

use std::io::Write;

use super::*;

/// Lines of a few entries, and the bytes of each one.
fn lines() -> Vec<Vec<u8>> {
    (0..6)
        .map(|n| if n % 3 == 0 { opened(n, 1) } else { settled(n) })
        .map(|entry| line::encode(&entry).unwrap())
        .collect()
}

/// Reads a journal whose only old segment has these bytes.
fn read(bytes: &[u8]) -> (Vec<Entry>, u64) {
    let home = Home::new();
    fs::create_dir(home.path()).unwrap();
    fs::write(home.segment(1), bytes).unwrap();
    let (journal, recovery) = home.open();
    journal.append(&settled(99)).unwrap();
    let mut tail = journal.tail(Position::START);
    let mut entries = drain(&mut tail, 2);
    assert_eq!(tail.damaged_lines(), recovery.damaged_lines);
    assert_eq!(entries.pop(), Some(settled(99)), "what comes after the damage is read");
    (entries, recovery.damaged_lines)
}

fn decoded(lines: &[Vec<u8>]) -> Vec<Entry> {
    lines.iter().map(|line| line::decode(line.trim_ascii_end()).unwrap()).collect()
}

#[test]
fn damage_in_the_middle_is_skipped_and_counted() {
    let mut lines = lines();
    lines[2] = b"00000000 {\"settled\":{}}\n".to_vec();
    lines[4] = b"\n".to_vec();
    let (entries, damaged) = read(&lines.concat());
    let intact = [&lines[..2], &lines[3..4], &lines[5..]].concat();
    assert_eq!((entries, damaged), (decoded(&intact), 2));
}

#[test]
fn a_line_without_end_is_one_damaged_line_and_little_memory() {
    let home = Home::new();
    fs::create_dir(home.path()).unwrap();
    let mut file = fs::File::create(home.segment(1)).unwrap();
    let lines = lines();
    // What looks like a line begins right where the reader throws away what it has.
    let thrown_away = (LINE_BYTES_MAX + reader::CHUNK_BYTES) as u64;
    io::copy(&mut io::Read::take(io::repeat(b'x'), 4 * thrown_away), &mut file).unwrap();
    file.write_all(&lines[0]).unwrap();
    file.write_all(&lines[1]).unwrap();

    let extent = reader::Extent { bytes: file.metadata().unwrap().len(), closed: true };
    let mut reader = reader::SegmentReader::open(&home.segment(1), 0).unwrap();
    let mut read = || reader.next(extent, line::decode).unwrap();
    assert_eq!(read(), Some(Err(line::Damaged)));
    assert_eq!(read(), Some(Ok(settled(1))));
    assert_eq!(read(), None);
    assert!(reader.memory_bytes() <= 2 * LINE_BYTES_MAX);
    assert_eq!(reader.offset(), extent.bytes);
}

proptest! {
    #[test]
    fn a_segment_cut_anywhere_gives_every_line_before_the_cut(
        cut in any::<proptest::sample::Index>(),
    ) {
        let lines = lines();
        let bytes = lines.concat();
        let cut = cut.index(bytes.len() + 1);
        let (mut whole, mut end) = (0, 0);
        // A line that lacks nothing but its newline is whole.
        while whole < lines.len() && end + lines[whole].len() - 1 <= cut {
            end += lines[whole].len();
            whole += 1;
        }
        let (entries, damaged) = read(&bytes[..cut]);
        prop_assert_eq!(entries, decoded(&lines[..whole]));
        prop_assert_eq!(damaged, u64::from(cut > end));
    }

    #[test]
    fn changed_bytes_cost_only_their_lines_and_invent_nothing(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), 1_u8..=255), 1..6),
    ) {
        let lines = lines();
        let mut bytes = lines.concat();
        for (index, flip) in &changes {
            let index = index.index(bytes.len());
            bytes[index] ^= flip;
        }
        // The newline before a line is what its reading starts from.
        let mut start = 0;
        let mut intact = Vec::new();
        for line in &lines {
            let end = start + line.len();
            let follows_newline = start == 0 || bytes[start - 1] == b'\n';
            if follows_newline && bytes[start..end] == line[..] {
                intact.push(line.clone());
            }
            start = end;
        }
        let (entries, _) = read(&bytes);
        let (intact, all) = (decoded(&intact), decoded(&lines));
        prop_assert!(is_subsequence(&intact, &entries), "lost an intact entry");
        prop_assert!(is_subsequence(&entries, &all), "invented an entry");
    }
}

fn is_subsequence(part: &[Entry], whole: &[Entry]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|entry| whole.any(|other| other == entry))
}
