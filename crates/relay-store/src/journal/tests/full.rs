//! A full disk refuses new calls, and lets those under way settle.

use std::sync::atomic::AtomicU64;

use super::*;

const RESERVE: u64 = 4_000;

/// A disk whose free space is its capacity less what the journal's files take up.
#[derive(Debug, Clone)]
struct SmallDisk {
    dir: PathBuf,
    capacity: Arc<AtomicU64>,
    /// Whether files can be cut.
    cuts: bool,
}

impl SmallDisk {
    fn free(&self) -> u64 {
        let files = fs::read_dir(&self.dir).unwrap();
        let used: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        self.capacity.load(Ordering::SeqCst).saturating_sub(used)
    }

    fn set_capacity(&self, bytes: u64) {
        self.capacity.store(bytes, Ordering::SeqCst);
    }
}

impl Disk for SmallDisk {
    fn write(&self, file: &fs::File, bytes: &[u8]) -> io::Result<usize> {
        let room = usize::try_from(self.free()).unwrap().min(bytes.len());
        match room {
            0 => Err(ErrorKind::StorageFull.into()),
            _ => RealDisk.write(file, &bytes[..room]),
        }
    }

    fn allocate(&self, file: &fs::File, bytes: u64) -> io::Result<()> {
        if self.free() < bytes {
            return Err(ErrorKind::StorageFull.into());
        }
        file.set_len(bytes)
    }

    fn cut(&self, file: &fs::File, bytes: u64) -> io::Result<()> {
        if self.cuts { RealDisk.cut(file, bytes) } else { Err(ErrorKind::Other.into()) }
    }
}

fn small_home() -> (Home, SmallDisk) {
    let mut home = Home::new();
    home.options.reserve_bytes = RESERVE;
    let capacity = Arc::new(AtomicU64::new(RESERVE + 10_100));
    let disk = SmallDisk { dir: home.path(), capacity, cuts: true };
    (home, disk)
}

fn open_on(home: &Home, disk: &SmallDisk) -> Journal {
    Journal::open_on(Box::new(disk.clone()), &home.path(), home.options).unwrap().0
}

/// Appends until the disk is full; what was recorded.
fn fill(journal: &Journal) -> Vec<Entry> {
    let mut recorded = Vec::new();
    while !journal.is_full() {
        let entry = settled(recorded.len() as u64);
        journal.append(&entry).unwrap();
        recorded.push(entry);
    }
    recorded
}

#[test]
fn the_space_held_back_lets_calls_under_way_settle() {
    let (home, disk) = small_home();
    let journal = open_on(&home, &disk);
    let mut recorded = fill(&journal);
    let until_full = recorded.len();
    let refusal = loop {
        let entry = settled(recorded.len() as u64);
        match journal.append(&entry) {
            Ok(_) => recorded.push(entry),
            Err(refusal) => break refusal,
        }
    };
    assert!(matches!(refusal, JournalError::Full(_)));
    assert!(recorded.len() >= until_full + 5, "{until_full} and then {}", recorded.len());
    assert_eq!(read_all(&journal), recorded, "torn writes left nothing behind");
    drop(journal);
    let (_, recovery) = home.open();
    assert_eq!(recovery.damaged_lines, 0);
}

#[test]
fn new_calls_are_refused_until_there_is_space_for_more_than_the_reserve() {
    let (home, disk) = small_home();
    let journal = open_on(&home, &disk);
    assert!(journal.try_recover() && !journal.is_full());
    let mut recorded = fill(&journal);
    assert!(!journal.try_recover() && journal.is_full());
    disk.set_capacity(disk.capacity.load(Ordering::SeqCst) + RESERVE);
    assert!(!journal.try_recover() && journal.is_full());

    disk.set_capacity(1_000_000);
    assert!(journal.is_full(), "it stays full until it was looked at");
    assert!(journal.try_recover() && !journal.is_full());
    assert_eq!(fs::metadata(home.path().join("reserve")).unwrap().len(), RESERVE);
    journal.append(&settled(999)).unwrap();
    recorded.push(settled(999));
    assert_eq!(read_all(&journal), recorded);
}

#[test]
fn a_start_on_a_full_disk_is_full() {
    let (home, disk) = small_home();
    disk.set_capacity(RESERVE - 1);
    let journal = open_on(&home, &disk);
    assert!(journal.is_full());
    journal.append(&settled(1)).unwrap();
    assert!(!home.path().join("reserve").exists());
}

#[test]
fn a_torn_line_that_cannot_be_cut_off_stays_behind_in_its_segment() {
    let (home, mut disk) = small_home();
    disk.cuts = false;
    let journal = open_on(&home, &disk);
    let mut recorded = fill(&journal);
    disk.set_capacity(1_000_000);
    journal.append(&settled(999)).unwrap();
    recorded.push(settled(999));
    assert_eq!(home.segments(), [1, 2]);
    assert_eq!(read_all(&journal), recorded);
    drop(journal);
    let (journal, recovery) = home.open();
    assert_eq!(recovery.damaged_lines, 1);
    assert_eq!(read_all(&journal), recorded);
}
