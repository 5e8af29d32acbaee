//! What an account's fields may be.

use http::{HeaderName, HeaderValue};
use relay_core::account::ExtraHeader;
use relay_core::credential::Credential;
use relay_core::model::ModelPattern;
use relay_core::secret::Secret;
use relay_store::accounts::{AccountChange, NewAccount};
use relay_upstream::headers::may_be_extra;
use relay_upstream::target::normalise_base_url;

use crate::verbs::VerbError;
use crate::verbs::name::{checked_name, checked_note};

/// Headers that an account may add to each request.
const EXTRA_HEADERS_MAX: usize = 32;

/// Checks an account to be added, and brings its fields into the form that is stored.
pub(super) fn new_account(new: &mut NewAccount) -> Result<(), VerbError> {
    new.name = checked_name(&new.name)?;
    new.note = checked_note(&new.note)?;
    new.base_url = base_url(&new.base_url)?;
    new.credential = credential(&new.credential)?;
    new.concurrency_max = new.concurrency_max.filter(|max| *max > 0);
    weight(new.weight)?;
    models(&new.models)?;
    headers(&new.extra_headers)
}

/// Checks the fields that are to be changed, and brings them into the form that is stored.
pub(super) fn change(change: &mut AccountChange) -> Result<(), VerbError> {
    change.name = change.name.as_deref().map(checked_name).transpose()?;
    change.note = change.note.as_deref().map(checked_note).transpose()?;
    change.base_url = change.base_url.as_deref().map(base_url).transpose()?;
    change.credential = change.credential.as_ref().map(credential).transpose()?;
    weight(change.weight.unwrap_or(1))?;
    models(change.models.as_deref().unwrap_or_default())?;
    headers(change.extra_headers.as_deref().unwrap_or_default())
}

/// Reads a header as people write it: `Name: value`.
pub fn header(text: &str) -> Result<ExtraHeader, VerbError> {
    let refuse = |why: &str| VerbError::Invalid(why.to_owned());
    let (name, value) =
        text.split_once(':').ok_or_else(|| refuse("a header is written 'Name: value'"))?;
    let name = HeaderName::try_from(name.trim()).map_err(|_| refuse("not a header's name"))?;
    // The value may be a secret, so no message repeats it.
    let header = ExtraHeader { name: name.as_str().to_owned(), value: value.trim().to_owned() };
    headers(std::slice::from_ref(&header)).map(|()| header)
}

fn base_url(text: &str) -> Result<String, VerbError> {
    normalise_base_url(text).map_err(|error| VerbError::Invalid(error.to_string()))
}

fn weight(weight: u32) -> Result<(), VerbError> {
    if weight == 0 {
        return Err(VerbError::Invalid("a weight is at least 1".into()));
    }
    Ok(())
}

/// What an account signs in by: all of it travels in headers.
fn credential(credential: &Credential) -> Result<Credential, VerbError> {
    match credential {
        Credential::ApiKey(key) => secret(key).map(Credential::ApiKey),
        Credential::Tokens(tokens) => {
            secret(&tokens.access)?;
            Ok(credential.clone())
        }
        Credential::Missing => Ok(Credential::Missing),
    }
}

/// The secret without white space around it. It travels in a header, so it is printable ASCII.
fn secret(secret: &Secret) -> Result<Secret, VerbError> {
    let text = secret.expose().trim();
    if text.is_empty() {
        return Err(VerbError::Invalid("the secret is empty".into()));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let why = "the secret has spaces, control characters or letters outside ASCII";
        return Err(VerbError::Invalid(why.into()));
    }
    Ok(Secret::new(text))
}

fn models(models: &[ModelPattern]) -> Result<(), VerbError> {
    if models.iter().any(|model| model.as_str().trim().is_empty()) {
        return Err(VerbError::Invalid("the name of a model cannot be empty".into()));
    }
    Ok(())
}

fn headers(headers: &[ExtraHeader]) -> Result<(), VerbError> {
    if headers.len() > EXTRA_HEADERS_MAX {
        return Err(VerbError::Invalid(format!("at most {EXTRA_HEADERS_MAX} headers are added")));
    }
    for (index, header) in headers.iter().enumerate() {
        let refuse = |why: &str| Err(VerbError::Invalid(format!("header {:?} {why}", header.name)));
        match HeaderName::try_from(&header.name) {
            Ok(name) if !may_be_extra(&name) => return refuse("is set by the relay itself"),
            Ok(name) if name.as_str() != header.name => return refuse("is not in lower case"),
            Ok(_) => {}
            Err(_) => return refuse("is not a header's name"),
        }
        if HeaderValue::try_from(&header.value).is_err() {
            return refuse("has a value that no header can carry");
        }
        if headers[..index].iter().any(|earlier| earlier.name == header.name) {
            return refuse("is given twice");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_name_a_colon_and_a_value() {
        let read = header("X-Team:  blue: sky ").expect("a header");
        assert_eq!((read.name.as_str(), read.value.as_str()), ("x-team", "blue: sky"));
        for wrong in ["X-Team blue", "a b: c", ": c", "Authorization: x", "Host: x", "x: a\nb"] {
            assert!(matches!(header(wrong), Err(VerbError::Invalid(_))), "{wrong:?}");
        }
    }

    #[test]
    fn a_secret_is_what_a_header_can_carry() {
        let plain = secret(&Secret::new(" abc-DEF_123\n")).expect("a plain secret");
        assert_eq!(plain.expose(), "abc-DEF_123");
        for wrong in ["", " \n", "two words", "a\u{7}b", "密密"] {
            assert!(secret(&Secret::new(wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_header_cannot_be_given_twice() {
        let twice = [header("X-A: 1"), header("x-a: 2")].map(|it| it.expect("a header"));
        assert!(headers(&twice).is_err());
    }
}
