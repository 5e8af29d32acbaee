//! What a browser is sent to, and what the person in front of it agrees to.

use super::form::Fields;

/// An address to agree at, as far as the exchange of the code depends on it.
#[derive(Debug)]
pub(in crate::provider) struct Authorization {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) scope: String,
    pub(super) state: String,
    /// The hash of the verifier that the exchange must bring.
    pub(super) challenge: String,
}

impl Authorization {
    /// Where the browser is sent when the person has agreed.
    pub(in crate::provider) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Reads an address; an error says what is wrong with it.
    pub(in crate::provider) fn read(url: &str) -> Result<Self, String> {
        let (_, query) = url.trim().split_once('?').ok_or("the address has no query")?;
        let fields = Fields::of_form(query.split('#').next().unwrap_or_default());
        let needed = |name: &str| match fields.get(name) {
            "" => Err(format!("{name} is missing")),
            value => Ok(value.to_owned()),
        };
        for (name, wanted) in [("response_type", "code"), ("code_challenge_method", "S256")] {
            let given = needed(name)?;
            if given != wanted {
                return Err(format!("{name} is {given} instead of {wanted}"));
            }
        }
        Ok(Self {
            client_id: needed("client_id")?,
            redirect_uri: needed("redirect_uri")?,
            scope: needed("scope")?,
            state: needed("state")?,
            challenge: needed("code_challenge")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "http://127.0.0.1:1/authorize?code=true&client_id=c&response_type=code\
        &redirect_uri=https%3A%2F%2Fapp.test%2Fback&scope=user%3Aprofile+user:inference\
        &code_challenge=h&code_challenge_method=S256&state=s#x";

    #[test]
    fn an_address_is_read_and_each_lack_named() {
        let read = Authorization::read(WHOLE).unwrap();
        assert_eq!(read.redirect_uri, "https://app.test/back");
        assert_eq!(read.scope, "user:profile user:inference");
        assert_eq!((read.client_id.as_str(), read.state.as_str()), ("c", "s"));
        for name in ["client_id", "redirect_uri", "scope", "state", "code_challenge"] {
            let without = WHOLE.replace(&format!("{name}="), "other=");
            let mistake = Authorization::read(&without).unwrap_err();
            assert_eq!(mistake, format!("{name} is missing"));
        }
        let plain = WHOLE.replace("S256", "plain");
        let mistake = Authorization::read(&plain).unwrap_err();
        assert_eq!(mistake, "code_challenge_method is plain instead of S256");
    }
}
