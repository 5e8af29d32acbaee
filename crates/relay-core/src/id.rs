//! Identifiers. Each kind of thing has a type of its own, so that they cannot be mixed up.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::clock::Timestamp;

/// A text that is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_N")]
pub struct ParseIdError {
    prefix: &'static str,
}

/// Reads a text into what it stands for, without a copy of it: the journal is full of ids.
struct TextVisitor<T>(PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! serde_as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(TextVisitor(PhantomData))
            }
        }
    };
}

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(|number| number.parse().ok())
                    .map(Self)
                    .ok_or(ParseIdError { prefix: $prefix })
            }
        }

        serde_as_text!($name);
    };
}

row_id!(
    /// An upstream login; written `acct_7`.
    AccountId, "acct"
);
row_id!(
    /// A client's key; written `key_7`.
    KeyId, "key"
);
row_id!(
    /// A group of accounts; written `grp_7`.
    GroupId, "grp"
);

/// One call: a version 7 UUID, so ids sort by the time at which their calls came.
///
/// It is the `x-crs-request-id` of the answer and the primary key of the usage record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(Uuid);

impl CallId {
    /// Makes an id from the time of the call and ten random bytes.
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The least id of a call that came at `time`: ids of earlier calls are below it.
    ///
    /// This is where a range of time begins among ids, by the clock that made them.
    pub fn first_at(time: Timestamp) -> Self {
        Self::new(time, [0; 10])
    }

    /// When the call came, by the clock that made the id.
    pub fn time(&self) -> Timestamp {
        let bytes = self.as_bytes();
        let millis = bytes[..6].iter().fold(0, |millis, byte| millis << 8 | i64::from(*byte));
        Timestamp::from_millis(millis)
    }

    /// The id as the database keeps it, in the same order as ids and their texts.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id that [`CallId::as_bytes`] gave.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for CallId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::parse_str(text).map(Self)
    }
}

/// A conversation: a hash of what tells it apart, scoped to the key that it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 16]);

serde_as_text!(SessionId);

/// A text that is not 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a session id is 32 hexadecimal digits")]
pub struct ParseSessionIdError;

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SessionId {
    type Err = ParseSessionIdError;

    fn from_str(text: &str) -> Result<Self, ParseSessionIdError> {
        match u128::from_str_radix(text, 16) {
            Ok(number) if text.len() == 32 => Ok(Self(number.to_be_bytes())),
            _ => Err(ParseSessionIdError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_writes_and_nothing_else() {
        assert_eq!("acct_12".parse::<AccountId>(), Ok(AccountId(12)));
        assert_eq!(AccountId(12).to_string(), "acct_12");
        assert!("key_12".parse::<AccountId>().is_err());
        assert!("12".parse::<AccountId>().is_err());
    }

    #[test]
    fn call_ids_sort_by_time() {
        let early = CallId::new(Timestamp::from_millis(1_000), [255; 10]);
        let late = CallId::new(Timestamp::from_millis(2_000), [0; 10]);
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse::<CallId>().ok(), Some(early));
    }

    #[test]
    fn call_ids_are_kept_in_bytes_of_the_same_order() {
        let at = Timestamp::from_millis(2_000);
        let before = CallId::new(Timestamp::from_millis(1_999), [255; 10]);
        let ids = [before, CallId::first_at(at), CallId::new(at, [1; 10])];
        assert_eq!((before.time(), ids[2].time()), (Timestamp::from_millis(1_999), at));
        assert!(ids.is_sorted() && ids.is_sorted_by_key(CallId::as_bytes));
        assert!(ids.iter().all(|id| CallId::from_bytes(*id.as_bytes()) == *id));
    }

    #[test]
    fn ids_are_texts_in_json() {
        let text = r#"["acct_12","000000000000000000000000000000ff"]"#;
        let ids: (AccountId, SessionId) = serde_json::from_str(text).expect("ids");
        assert_eq!(ids.0, AccountId(12));
        assert_eq!(serde_json::to_string(&ids).expect("texts"), text);
        for wrong in ["12", r#""key_12""#, "null"] {
            assert!(serde_json::from_str::<AccountId>(wrong).is_err(), "{wrong}");
        }
        // Escapes that mean the same.
        assert_eq!(serde_json::from_str(r#""\u0061cct_12""#).ok(), Some(AccountId(12)));
    }
}
