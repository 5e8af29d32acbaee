//! What an account's fields may be.

use http::uri::Authority;
use http::{HeaderName, HeaderValue, Uri};
use relay_core::account::{AccountKind, ExtraHeader, OauthSettings, Speaks};
use relay_core::clock::Timestamp;
use relay_core::credential::Credential;
use relay_core::model::ModelPattern;
use relay_core::money::Money;
use relay_core::quota::StopAt;
use relay_core::secret::Secret;
use relay_store::accounts::{AccountChange, NewAccount};
use relay_upstream::headers::may_be_extra;
use relay_upstream::target::normalise_base_url;

use super::edit::{AccountEdit, merged_marks, merged_oauth};
use crate::verbs::VerbError;
use crate::verbs::name::{checked_name, checked_note};
use crate::verbs::payload;

/// Headers that an account may add to each request.
const EXTRA_HEADERS_MAX: usize = 32;

/// Checks an account to be added, and brings its fields into the form that is stored.
pub(super) fn new_account(new: &mut NewAccount) -> Result<(), VerbError> {
    new.name = checked_name(&new.name)?;
    new.note = checked_note(&new.note)?;
    new.base_url = base_url(&new.base_url)?;
    new.credential = credential(&new.credential)?;
    new.concurrency_max = new.concurrency_max.filter(|max| *max > 0);
    new.daily_cost_max = new.daily_cost_max.filter(|max| *max != Money::ZERO);
    oauth(&new.oauth)?;
    new.oauth = merged_oauth(&OauthSettings::default(), &new.oauth);
    stop_at(new.stop_at)?;
    new.stop_at = merged_marks(StopAt::default(), new.stop_at);
    cost(new.daily_cost_max)?;
    weight(new.weight)?;
    models(&new.models)?;
    payload::check(&new.payload)?;
    new.project = new.project.as_deref().map(project).transpose()?.filter(|it| !it.is_empty());
    for_kind(new.kind, (new.speaks, new.project.as_deref().unwrap_or_default()))?;
    headers(&new.extra_headers)
}

/// The first field of an account to be added that cannot be, by its name in the admin API, and why.
pub fn wrong_field(new: &NewAccount) -> Option<(&'static str, String)> {
    let own = new.project.as_deref().unwrap_or_default();
    first_wrong([
        ("name", checked_name(&new.name).map(drop)),
        ("note", checked_note(&new.note).map(drop)),
        ("base_url", base_url(&new.base_url).map(drop)),
        ("secret", credential(&new.credential).map(drop)),
        ("oauth", oauth(&new.oauth)),
        ("stop_at", stop_at(new.stop_at)),
        ("daily_cost_usd", cost(new.daily_cost_max)),
        ("weight", weight(new.weight)),
        ("models", models(&new.models)),
        ("payload", payload::check(&new.payload)),
        ("project", project(own).and_then(|own| for_kind(new.kind, (Speaks::Both, &own)))),
        ("speaks", for_kind(new.kind, (new.speaks, ""))),
        ("headers", headers(&new.extra_headers)),
    ])
}

/// The first field of a change to an account of that kind that cannot be, and why.
pub fn wrong_field_of_edit(
    edit: &AccountEdit,
    kind: AccountKind,
    now: Timestamp,
) -> Option<(&'static str, String)> {
    let change = &edit.fields;
    let own = change.project.as_deref().unwrap_or_default();
    let secret = edit.secret.as_ref().map_or(Ok(()), |secret| {
        let (read, _) = super::credential(kind, secret, now)?;
        credential(&read).map(drop)
    });
    first_wrong([
        ("name", change.name.as_deref().map_or(Ok(()), |name| checked_name(name).map(drop))),
        ("note", change.note.as_deref().map_or(Ok(()), |note| checked_note(note).map(drop))),
        ("base_url", change.base_url.as_deref().map_or(Ok(()), |url| base_url(url).map(drop))),
        ("secret", secret),
        ("oauth", oauth(&edit.oauth)),
        ("stop_at", stop_at(edit.stop_at)),
        ("daily_cost_usd", cost(change.daily_cost_max)),
        ("weight", weight(change.weight.unwrap_or(1))),
        ("models", models(change.models.as_deref().unwrap_or_default())),
        ("payload", payload::check(change.payload.as_deref().unwrap_or_default())),
        ("project", project(own).and_then(|own| for_kind(kind, (Speaks::Both, &own)))),
        ("speaks", for_kind(kind, (change.speaks.unwrap_or_default(), ""))),
        ("headers", headers(change.extra_headers.as_deref().unwrap_or_default())),
    ])
}

fn first_wrong<const N: usize>(
    checks: [(&'static str, Result<(), VerbError>); N],
) -> Option<(&'static str, String)> {
    checks.into_iter().find_map(|(field, check)| Some((field, check.err()?.to_string())))
}

/// Checks the fields that are to be changed, and brings them into the form that is stored.
pub(super) fn change(change: &mut AccountChange) -> Result<(), VerbError> {
    change.name = change.name.as_deref().map(checked_name).transpose()?;
    change.note = change.note.as_deref().map(checked_note).transpose()?;
    change.base_url = change.base_url.as_deref().map(base_url).transpose()?;
    change.credential = change.credential.as_ref().map(credential).transpose()?;
    cost(change.daily_cost_max)?;
    weight(change.weight.unwrap_or(1))?;
    models(change.models.as_deref().unwrap_or_default())?;
    change.project = change.project.as_deref().map(project).transpose()?;
    payload::check(change.payload.as_deref().unwrap_or_default())?;
    headers(change.extra_headers.as_deref().unwrap_or_default())
}

/// Checks what accounts of some kinds alone have.
pub(super) fn for_kind(
    kind: AccountKind,
    (speaks, project): (Speaks, &str),
) -> Result<(), VerbError> {
    let refuse = |why: &str| Err(VerbError::Invalid(why.to_owned()));
    if speaks != Speaks::Both && kind != AccountKind::OpenaiApi {
        return refuse("accounts of the kind openai-api alone have a choice of what they speak");
    }
    if !project.is_empty() && kind != AccountKind::GeminiOauth {
        return refuse("accounts of the kind gemini-oauth alone have a project");
    }
    Ok(())
}

/// The id of a Google Cloud project without white space around it; it may be empty.
fn project(text: &str) -> Result<String, VerbError> {
    const CHARACTERS_MAX: usize = 100;
    let text = text.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if text.len() > CHARACTERS_MAX || !text.bytes().all(plain) {
        return Err(VerbError::Invalid("a project is named by its id, as in my-project-1".into()));
    }
    Ok(text.to_owned())
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

/// Checks sign-in settings. An empty one is none.
pub(super) fn oauth(settings: &OauthSettings) -> Result<(), VerbError> {
    let urls = [
        ("authorize", &settings.authorize_url),
        ("token", &settings.token_url),
        ("redirect", &settings.redirect_url),
    ];
    for (name, url) in urls {
        let url = url.as_deref().unwrap_or_default().trim();
        if !url.is_empty() && !is_web_address(url) {
            let why = "begins with http:// or https:// and names a host, without credentials";
            return Err(VerbError::Invalid(format!("the {name} URL {why}")));
        }
    }
    for (name, word) in [("client id", &settings.client_id), ("scope", &settings.scope)] {
        let word = word.as_deref().unwrap_or_default().trim();
        if !word.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err(VerbError::Invalid(format!("the {name} is printable ASCII")));
        }
    }
    Ok(())
}

/// Checks marks: percents, of which 0 is none.
pub(super) fn stop_at(marks: StopAt) -> Result<(), VerbError> {
    if [marks.five_hour, marks.seven_day].into_iter().flatten().any(|percent| percent > 100) {
        return Err(VerbError::Invalid("an account stops at 1 to 100 percent".into()));
    }
    Ok(())
}

/// An absolute `http` or `https` address. The text may be secret, so nobody repeats it.
fn is_web_address(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority().map_or("", Authority::as_str);
    is_web && uri.host().is_some_and(|host| !host.is_empty()) && !authority.contains('@')
}

fn cost(max: Option<Money>) -> Result<(), VerbError> {
    if max.is_some_and(|max| max < Money::ZERO) {
        return Err(VerbError::Invalid("a daily cost is not negative".into()));
    }
    Ok(())
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
pub(super) fn credential(credential: &Credential) -> Result<Credential, VerbError> {
    match credential {
        Credential::ApiKey(key) => secret(key).map(Credential::ApiKey),
        // A refresh token alone buys its access token with its first use.
        Credential::Tokens(tokens) => {
            if !(tokens.access.expose().is_empty() && tokens.refresh.is_some()) {
                secret(&tokens.access)?;
            }
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
    fn sign_in_addresses_are_of_the_web_and_hold_no_credentials() {
        let with = |url: &str| OauthSettings {
            token_url: Some(url.to_owned()),
            ..OauthSettings::default()
        };
        for good in ["", "https://host.example/token?x=1", "http://127.0.0.1:9/v1/oauth/token"] {
            assert!(oauth(&with(good)).is_ok(), "{good:?}");
        }
        for wrong in ["host/token", "ftp://host", "https://", "/token", "https://u:p@host/", "a b"]
        {
            let refused = oauth(&with(wrong)).expect_err("refused").to_string();
            assert!(!refused.contains("u:p"), "{refused}");
        }
        let scope = OauthSettings { scope: Some("a\nb".into()), ..OauthSettings::default() };
        assert!(oauth(&scope).is_err());
    }

    #[test]
    fn marks_are_percents() {
        let mark = |percent| StopAt { five_hour: None, seven_day: Some(percent) };
        assert!(stop_at(mark(0)).is_ok() && stop_at(mark(100)).is_ok());
        assert!(stop_at(mark(101)).is_err());
    }

    #[test]
    fn a_header_cannot_be_given_twice() {
        let twice = [header("X-A: 1"), header("x-a: 2")].map(|it| it.expect("a header"));
        assert!(headers(&twice).is_err());
    }
}
