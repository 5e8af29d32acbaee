//! Counting tokens costs nothing, so it has a throttle of its own: it must not become free,
//! unlimited use of an account.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use relay_core::clock::Timestamp;
use relay_core::id::KeyId;

use crate::failure::CallerFault;

/// How many counts a key may ask for in a minute: agents ask for several before each turn.
const COUNTS_PER_MINUTE: u32 = 300;
const MINUTE_MILLIS: i64 = 60_000;

/// Counts of tokens by key in the present minute.
#[derive(Debug, Default)]
pub struct Counting {
    minute: Mutex<Minute>,
}

#[derive(Debug, Default)]
struct Minute {
    number: i64,
    counts: HashMap<KeyId, u32>,
}

impl Counting {
    /// Lets a key count once more, or says when it may.
    pub fn admit(&self, key: KeyId, now: Timestamp) -> Result<(), CallerFault> {
        let number = now.as_millis().div_euclid(MINUTE_MILLIS);
        let mut minute = self.minute.lock();
        if minute.number != number {
            minute.number = number;
            minute.counts.clear();
        }
        let count = minute.counts.entry(key).or_default();
        if *count >= COUNTS_PER_MINUTE {
            let into = now.as_millis().rem_euclid(MINUTE_MILLIS);
            let left = u64::try_from(MINUTE_MILLIS - into).unwrap_or(0);
            return Err(CallerFault::CountingTooOften {
                limit: COUNTS_PER_MINUTE,
                retry_after: Duration::from_millis(left),
            });
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_counts_for_each_key() {
        let counting = Counting::default();
        let now = Timestamp::from_seconds(90);
        for _ in 0..COUNTS_PER_MINUTE {
            assert_eq!(counting.admit(KeyId(1), now), Ok(()));
        }
        let refused = counting.admit(KeyId(1), now);
        let retry_after = Duration::from_secs(30);
        assert_eq!(
            refused,
            Err(CallerFault::CountingTooOften { limit: COUNTS_PER_MINUTE, retry_after })
        );
        assert_eq!(counting.admit(KeyId(2), now), Ok(()));
        assert_eq!(counting.admit(KeyId(1), now.plus(retry_after)), Ok(()));
    }
}
