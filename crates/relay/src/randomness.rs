//! Random bytes from the operating system, asked for many at a time.

use std::fmt;

use parking_lot::Mutex;

/// Bytes that are asked for at a time: a question costs as much as a hundred ids.
const POOL_BYTES: usize = 1_024;

/// A source of random bytes, each given once.
pub struct Randomness {
    pool: Mutex<Pool>,
}

struct Pool {
    bytes: [u8; POOL_BYTES],
    given: usize,
}

impl Default for Randomness {
    fn default() -> Self {
        Self { pool: Mutex::new(Pool { bytes: [0; POOL_BYTES], given: POOL_BYTES }) }
    }
}

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Randomness").finish_non_exhaustive()
    }
}

impl Randomness {
    /// The next bytes.
    ///
    /// # Panics
    ///
    /// If the operating system gives none, which on Linux happens only before it has booted.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        const { assert!(N <= POOL_BYTES) };
        let mut pool = self.pool.lock();
        if pool.given + N > POOL_BYTES {
            pool.bytes = random();
            pool.given = 0;
        }
        let from = pool.given;
        pool.given += N;
        let mut bytes = [0; N];
        bytes.copy_from_slice(&pool.bytes[from..from + N]);
        bytes
    }
}

/// Random bytes, asked for at once.
///
/// # Panics
///
/// If the operating system gives none, which on Linux happens only before it has booted.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_bytes_are_given_twice() {
        let randomness = Randomness::default();
        let given: HashSet<[u8; 10]> = (0..1_000).map(|_| randomness.bytes()).collect();
        assert_eq!(given.len(), 1_000);
    }
}
