//! What the admin API remembers while the program runs.

use hmac::{Hmac, Mac};
use parking_lot::Mutex;
use relay_store::sessions::SessionHash;
use sha2::Sha256;
use tokio::sync::Semaphore;

use super::logins::Logins;
use super::throttle::Throttle;
use crate::hex::hex;
use crate::randomness::random;

/// Passwords that are hashed at one time: each takes 19 MiB and a processor.
const HASHED_AT_ONCE_MAX: usize = 2;
/// Sign-ins that may wait for their turn; more are told to come again.
pub(super) const SIGN_INS_WAITING_MAX: usize = 16;

/// What the admin API remembers while the program runs.
#[derive(Debug)]
pub struct Desk {
    /// By what the tokens against forged requests are made: they end with the program.
    csrf_key: [u8; 32],
    /// Turns for hashing.
    pub(super) hashing: Semaphore,
    /// Places of those that wait for one.
    pub(super) waiting: Semaphore,
    /// Who failed to sign in.
    pub(super) throttle: Mutex<Throttle>,
    /// Sign-ins to accounts that have begun.
    pub(super) logins: Logins,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            csrf_key: random(),
            hashing: Semaphore::new(HASHED_AT_ONCE_MAX),
            waiting: Semaphore::new(SIGN_INS_WAITING_MAX),
            throttle: Mutex::default(),
            logins: Logins::default(),
        }
    }
}

impl Desk {
    /// What changes are to be sent with in that session: no other page can know it.
    pub(super) fn csrf_token(&self, session: &SessionHash) -> String {
        hex(&self.csrf(session).finalize().into_bytes())
    }

    /// Whether this is the token of that session, told in constant time.
    pub(super) fn is_csrf_token(&self, session: &SessionHash, told: &str) -> bool {
        let bytes: Option<Vec<u8>> = (0..told.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(told.get(at..at + 2)?, 16).ok())
            .collect();
        bytes.is_some_and(|bytes| self.csrf(session).verify_slice(&bytes).is_ok())
    }

    fn csrf(&self, session: &SessionHash) -> Hmac<Sha256> {
        let keyed = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&self.csrf_key);
        keyed.expect("any key is good").chain_update(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_session_and_program_alone() {
        let (desk, other) = (Desk::default(), Desk::default());
        let token = desk.csrf_token(&[1; 32]);
        assert!(desk.is_csrf_token(&[1; 32], &token));
        assert!(!desk.is_csrf_token(&[2; 32], &token));
        assert!(!other.is_csrf_token(&[1; 32], &token));
        for odd in ["", "0", "zz", "é", &token[..62], &format!("{token}00")] {
            assert!(!desk.is_csrf_token(&[1; 32], odd), "{odd}");
        }
    }
}
