//! Hashes of passwords: Argon2id as OWASP advises, with 19 MiB, two passes and one lane.
//!
//! The work is done on a thread of its own, in memory on its stack: that goes back to the system
//! as a whole when the thread ends. Memory from the allocator would be kept by it, written all
//! over, and be handed to whatever asks for much next.

use std::thread;

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use relay_core::secret::Secret;

const BLOCKS: usize = Params::DEFAULT_M_COST as usize;
/// The blocks, and as much again for the frames of the work itself.
const STACK_BYTES: usize = 2 * BLOCKS * Block::SIZE;

/// A hash of nobody's password: for names that nobody has, so that they take as long as others.
pub const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5cyBzYWx0IA$\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The password's hash as a PHC string with a salt of its own; `None` if the system gives no
/// thread or memory for it.
pub async fn hash(password: Secret) -> Option<String> {
    apart(move || {
        let (salt, params) = (Salt::generate(), Params::default());
        let hash = PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: (&params).try_into().ok()?,
            salt: Some(salt),
            hash: Some(output(&password, &salt, params)?),
        };
        Some(hash.to_string())
    })
    .await
}

/// Whether this is the password of a hash. One that asks for more memory than [`hash`] is nobody's.
pub async fn matches(password: Secret, hash: String) -> bool {
    let matched = apart(move || {
        let known = PasswordHash::new(&hash).ok()?;
        let version = Version::try_from(known.version?).ok()?;
        let is_ours = known.algorithm == ARGON2ID_IDENT && version == Version::V0x13;
        let params = is_ours.then(|| Params::try_from(&known).ok())??;
        // Outputs compare in constant time.
        Some(output(&password, &known.salt?, params)? == known.hash?)
    });
    matched.await == Some(true)
}

/// What comes of work on a thread that it has to itself.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Option<T> + Send + 'static) -> Option<T> {
    let wait = || thread::Builder::new().stack_size(STACK_BYTES).spawn(work).ok()?.join().ok()?;
    tokio::task::spawn_blocking(wait).await.ok()?
}

#[expect(clippy::large_stack_arrays, reason = "the stack is made for it")]
fn output(password: &Secret, salt: &Salt, params: Params) -> Option<Output> {
    let mut blocks = [Block::new(); BLOCKS];
    let mut bytes = [0; Params::DEFAULT_OUTPUT_LEN];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let password = password.expose().as_bytes();
    argon2.hash_password_into_with_memory(password, salt, &mut bytes, &mut blocks[..]).ok()?;
    Output::new(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher, PasswordVerifier};

    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_hash_alone() {
        let (right, wrong) = (Secret::new("right"), Secret::new("wrong"));
        let hashed = hash(right.clone()).await.expect("a hash");
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert_ne!(hash(right.clone()).await, Some(hashed.clone()), "each has its own salt");
        assert!(matches(right.clone(), hashed.clone()).await);
        assert!(!matches(wrong, hashed.clone()).await);
        for odd in ["", "$argon2id$", "$argon2d$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"] {
            assert!(!matches(right.clone(), odd.to_owned()).await, "{odd}");
        }
        let greedy = hashed.replace("m=19456", "m=4194304");
        assert!(!matches(right, greedy).await);
    }

    #[tokio::test]
    async fn nobodys_hash_costs_as_much_as_any_other() {
        let known = PasswordHash::new(NOBODYS).expect("a PHC string");
        let params = Params::try_from(&known).expect("parameters");
        let ours = Params::default();
        assert_eq!((params.m_cost(), params.t_cost()), (ours.m_cost(), ours.t_cost()));
        assert!(known.hash.is_some());
        let salt = known.salt.expect("a salt");
        // The work needs a stack that was made for it.
        assert!(apart(move || output(&Secret::new("any"), &salt, params)).await.is_some());
    }

    #[tokio::test]
    async fn hashes_are_those_of_any_other_program() {
        let password = Secret::new("right");
        let ours = hash(password.clone()).await.expect("a hash");
        let parsed = PasswordHash::new(&ours).expect("a PHC string");
        assert!(Argon2::default().verify_password(b"right", &parsed).is_ok());
        let theirs: PasswordHash = Argon2::default().hash_password(b"right").expect("a hash");
        assert!(matches(password, theirs.to_string()).await);
    }
}
