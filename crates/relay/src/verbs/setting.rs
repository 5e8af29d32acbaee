//! What an administrator sets for everybody who looks at the page.

use http::Uri;
use relay_core::clock::Timestamp;
use relay_store::{Store, StoreError};

use crate::verbs::VerbError;

const TITLE: &str = "site_title";
const LOGO: &str = "site_logo";
const NOTICE: &str = "site_notice";

/// The longest title and notice, in characters.
const TITLE_CHARS_MAX: usize = 80;
const NOTICE_CHARS_MAX: usize = 2_000;
/// The largest logo that is kept here, as it is written.
const LOGO_BYTES_MAX: usize = 64 << 10;
/// The longest address of one that is kept elsewhere.
const LOGO_URL_BYTES_MAX: usize = 2_000;
/// Pictures that every browser shows.
const PICTURES: [&str; 5] = ["png", "jpeg", "gif", "webp", "svg+xml"];

/// What everybody sees who looks at the page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Site {
    /// What the page is called; empty if it has no name of its own.
    pub title: String,
    /// Its picture: an address, or a picture written as one (`data:image/png;base64,…`).
    pub logo: String,
    /// What everybody is to be told.
    pub notice: String,
}

/// A part of the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What it is called.
    Title,
    /// Its picture.
    Logo,
    /// What everybody is to be told.
    Notice,
}

impl Part {
    /// What settings call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Logo => "logo",
            Self::Notice => "notice",
        }
    }

    const fn stored_as(self) -> &'static str {
        match self {
            Self::Title => TITLE,
            Self::Logo => LOGO,
            Self::Notice => NOTICE,
        }
    }
}

/// What is set.
pub async fn site(store: &Store) -> Result<Site, StoreError> {
    let value = async |name| store.setting(name).await.map(Option::unwrap_or_default);
    Ok(Site { title: value(TITLE).await?, logo: value(LOGO).await?, notice: value(NOTICE).await? })
}

/// Sets parts of it, all or none; an empty text takes a part away.
pub async fn set_site(
    store: &Store,
    parts: &[(Part, String)],
    now: Timestamp,
) -> Result<Site, VerbError> {
    let values: Vec<_> =
        parts.iter().map(|(part, value)| (part.stored_as(), value.as_str())).collect();
    if !values.is_empty() {
        store.set_settings(&values, now).await?;
    }
    Ok(site(store).await?)
}

/// A part as it is kept, if it can be.
pub fn checked(part: Part, text: &str) -> Result<String, VerbError> {
    let text = text.trim();
    let plain = |char: char| !char.is_control() || (part == Part::Notice && char == '\n');
    if !text.chars().all(plain) {
        return Err(VerbError::Invalid("a control character stands in the text".into()));
    }
    match part {
        Part::Title => at_most(text, TITLE_CHARS_MAX)?,
        Part::Notice => at_most(text, NOTICE_CHARS_MAX)?,
        Part::Logo => check_logo(text)?,
    }
    Ok(text.to_owned())
}

fn at_most(text: &str, max: usize) -> Result<(), VerbError> {
    if text.chars().count() <= max {
        return Ok(());
    }
    Err(VerbError::Invalid(format!("the text is longer than {max} characters")))
}

fn check_logo(text: &str) -> Result<(), VerbError> {
    if text.len() > LOGO_BYTES_MAX {
        return Err(VerbError::Invalid("the picture is larger than 64 KiB".into()));
    }
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    let is_picture = PICTURES.iter().any(|kind| {
        let data = text.strip_prefix("data:image/").and_then(|rest| rest.strip_prefix(kind));
        let data = data.and_then(|rest| rest.strip_prefix(";base64,"));
        data.is_some_and(|data| !data.is_empty() && data.bytes().all(base64))
    });
    let is_address = text.len() <= LOGO_URL_BYTES_MAX && origin_of(text).is_some();
    if text.is_empty() || is_picture || is_address {
        return Ok(());
    }
    let why = "a logo is an address that begins with https://, or a picture as \
        data:image/png;base64,…";
    Err(VerbError::Invalid(why.into()))
}

/// From where a logo is fetched that is kept elsewhere. What no policy for pages can name has none.
pub fn origin_of(logo: &str) -> Option<String> {
    let address: Uri = logo.parse().ok()?;
    let host = address.authority()?.as_str();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    let is_good = address.scheme_str() == Some("https") && host.bytes().all(plain);
    is_good.then(|| format!("https://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_an_address_or_a_picture() {
        for good in [
            "",
            "https://a.example/logo.svg",
            "data:image/png;base64,iVBORw0KGgo=",
            "https://[::1]/a",
        ] {
            assert!(checked(Part::Logo, good).is_ok(), "{good}");
        }
        let large = format!("data:image/png;base64,{}", "A".repeat(LOGO_BYTES_MAX));
        for bad in [
            "http://a.example/logo.svg",
            "javascript:alert(1)",
            "data:text/html;base64,AAAA",
            "data:image/png;base64,",
            "data:image/png;base64,<svg>",
            "https://a.example;script-src/x",
            "https://user@a.example/x",
            "logo.png",
            large.as_str(),
        ] {
            assert!(checked(Part::Logo, bad).is_err(), "{bad:.60}");
        }
    }

    #[test]
    fn only_a_notice_has_lines() {
        assert_eq!(checked(Part::Notice, " a\nb ").ok().as_deref(), Some("a\nb"));
        assert!(checked(Part::Title, "a\nb").is_err());
        assert!(checked(Part::Title, &"x".repeat(81)).is_err());
        assert!(checked(Part::Notice, "a\u{1b}").is_err());
    }
}
