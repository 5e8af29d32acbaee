//! Gives memory that nobody uses any more back to the system.
//!
//! The allocator keeps what is freed for a second, in case it is asked for again, and gives it
//! back when something is allocated after that. While nobody calls nothing is: what the last
//! burst of large bodies took, or the hashing of the first password, would count for ever.

use std::hint::black_box;
use std::time::Duration;

use tokio::time::interval;

/// How often the allocator gets to look at what it keeps.
const LOOK: Duration = Duration::from_millis(500);

/// What is asked for: so much comes from the allocator's store of large pieces itself, which is
/// where it looks. Nothing is written to it, so it takes no memory.
const PIECE_BYTES: usize = 1 << 20;

/// Makes the allocator look, for ever.
pub async fn give_back() {
    let mut every = interval(LOOK);
    loop {
        every.tick().await;
        drop(black_box(Vec::<u8>::with_capacity(PIECE_BYTES)));
    }
}
