//! The second factor: codes of six digits that an app makes from the time, as RFC 6238 says.

use relay_core::clock::Timestamp;
use relay_core::secret::Secret;
use totp_rs::{Builder, Secret as Seed, Totp};

use crate::randomness::random;

/// How many steps of half a minute a clock may be wrong.
const SKEW: u16 = 1;
/// The longest code that is looked at: six digits, and spaces between them.
const CODE_BYTES_MAX: usize = 16;

/// What a second factor begins with.
#[derive(Debug)]
pub struct Begun {
    /// What codes are made from, in Base32.
    pub secret: Secret,
    /// The same as a link for apps, often shown as a picture.
    pub url: Secret,
}

/// A new second factor; `issuer` is what apps show beside the name.
pub fn begin(username: &str, issuer: &str) -> Option<Begun> {
    let seed = Seed::from(Vec::from(random::<20>()).into_boxed_slice());
    let secret = Secret::new(seed.to_base32());
    // A colon parts the two in the link.
    let plain = |text: &str| text.replace(':', " ");
    let named = builder(seed).with_account_name(plain(username)).with_issuer(Some(plain(issuer)));
    let url = Secret::new(named.build().ok()?.to_url().ok()?);
    Some(Begun { secret, url })
}

/// The step whose code this is, if it is of now or of a step beside it.
pub fn step(secret: &Secret, code: &str, now: Timestamp) -> Option<i64> {
    if code.len() > CODE_BYTES_MAX {
        return None;
    }
    let code: String = code.chars().filter(|char| !char.is_whitespace()).collect();
    let digits = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = u64::try_from(now.as_millis() / 1_000).ok()?;
    let step = totp(secret).filter(|_| digits)?.check(&code, seconds)?;
    i64::try_from(step).ok()
}

fn totp(secret: &Secret) -> Option<Totp> {
    builder(Seed::try_from_base32(secret.expose()).ok()?).build().ok()
}

fn builder(seed: Seed) -> Builder {
    Builder::new().with_secret(seed).with_skew(SKEW)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The secret of RFC 6238, and its code at 1,111,111,109 seconds, of which apps show six digits.
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    const AT: Timestamp = Timestamp::from_seconds(1_111_111_109);

    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = Secret::new(SECRET);
        assert_eq!(step(&secret, "081804", AT), Some(37_037_036));
        assert_eq!(step(&secret, "081 804", AT), Some(37_037_036));
        for wrong in ["", "081805", "07081804", "+81804", "08180", "０８１８０４", "081804 081804"]
        {
            assert_eq!(step(&secret, wrong, AT), None, "{wrong}");
        }
    }

    #[test]
    fn a_clock_may_be_one_step_wrong() {
        let secret = Secret::new(SECRET);
        let at = |seconds: i64| step(&secret, "081804", Timestamp::from_seconds(seconds));
        let begins = 37_037_036 * 30;
        assert_eq!(at(begins - 30), Some(37_037_036));
        assert_eq!(at(begins + 59), Some(37_037_036));
        assert_eq!((at(begins - 31), at(begins + 60)), (None, None));
    }

    #[test]
    fn a_new_one_has_a_link_and_a_secret_of_its_own() {
        let begun = begin("a:b c", "The: relay").expect("a second factor");
        let url = begun.url.expose();
        assert!(url.starts_with("otpauth://totp/"), "{url}");
        assert!(url.contains(&format!("secret={}", begun.secret.expose())), "{url}");
        assert_eq!(begun.secret.expose().len(), 32);
        let other = begin("a", "b").expect("a second factor");
        assert!(other.secret != begun.secret);
        let now = AT.plus(Duration::from_secs(1));
        let code = totp(&begun.secret).expect("a secret").generate(1_111_111_110).to_string();
        assert_eq!(step(&begun.secret, &code, now), Some(37_037_037));
    }
}
