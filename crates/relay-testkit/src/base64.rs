//! Base64, only ever written: what others send is compared with what it should be.

/// Which of its alphabets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// With `+` and `/`, padded.
    Standard,
    /// With `-` and `_`, not padded.
    Url,
}

/// `bytes` in Base64.
pub(crate) fn encode(bytes: &[u8], alphabet: Alphabet) -> String {
    let digits: &[u8; 64] = match alphabet {
        Alphabet::Standard => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        Alphabet::Url => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    };
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digit = |shift: u32| char::from(digits[(bits >> shift & 63) as usize]);
        let written = [18, 12, 6, 0].into_iter().take(group.len() + 1);
        text.extend(written.map(digit));
        if alphabet == Alphabet::Standard {
            text.extend(std::iter::repeat_n('=', 3 - group.len()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_and_both_alphabets_are_written() {
        let standard = |bytes: &[u8]| encode(bytes, Alphabet::Standard);
        assert_eq!(standard(b""), "");
        assert_eq!(standard(b"M"), "TQ==");
        assert_eq!(standard(b"Ma"), "TWE=");
        assert_eq!(standard(b"Man"), "TWFu");
        assert_eq!(standard(&[0xFB, 0xFF, 0xFE, 1]), "+//+AQ==");
        assert_eq!(encode(&[0xFB, 0xFF, 0xFE, 1], Alphabet::Url), "-__-AQ");
    }
}
