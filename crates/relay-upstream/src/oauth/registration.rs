//! As whom the relay asks for sign-ins, where a provider has no client that anybody may be; and
//! what is known of a sign-in from more than one source.

use relay_core::credential::Identity;
use relay_core::protocol::Service;
use relay_core::secret::Secret;

use super::Endpoints;

/// The application that an operator lets the relay be: Google wants one with a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registration {
    /// Its id.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<Secret>,
}

impl Endpoints {
    /// The same, asked as this application where the provider wants one: an account's own id and
    /// secret go before those of the settings, and no secret goes with an id that it is not of.
    #[must_use]
    pub fn registered(mut self, settings: &Registration, own_secret: Option<&Secret>) -> Self {
        if self.provider != Service::Gemini {
            return self;
        }
        let of_settings = settings.client_id.as_deref().unwrap_or_default();
        if self.client_id.is_empty() {
            of_settings.clone_into(&mut self.client_id);
        }
        let shared = settings.client_secret.as_ref().filter(|_| self.client_id == of_settings);
        self.client_secret = own_secret.or(shared).cloned();
        self
    }

    /// Whether nobody can be asked, as the provider wants an application and none is set.
    pub const fn lacks_registration(&self) -> bool {
        matches!(self.provider, Service::Gemini)
            && (self.client_id.is_empty() || self.client_secret.is_none())
    }
}

/// What is told, and where that is silent what was known.
pub fn completed(told: Identity, known: &Identity) -> Identity {
    let or = |told: String, known: &str| if told.is_empty() { known.to_owned() } else { told };
    Identity {
        email: or(told.email, &known.email),
        organisation: or(told.organisation, &known.organisation),
        plan: or(told.plan, &known.plan),
        tier: or(told.tier, &known.tier),
        account: or(told.account, &known.account),
        project: or(told.project, &known.project),
    }
}

#[cfg(test)]
mod tests {
    use relay_core::account::{AccountKind, OauthSettings};

    use super::super::{Flow, endpoints};
    use super::*;

    fn registered(kind: AccountKind, own: (Option<&str>, Option<&str>)) -> Endpoints {
        let settings =
            OauthSettings { client_id: own.0.map(str::to_owned), ..OauthSettings::default() };
        let registration = Registration {
            client_id: Some("shared".into()),
            client_secret: Some("shared secret".into()),
        };
        let own_secret = own.1.map(Secret::new);
        endpoints(kind, &settings, Flow::Subscription)
            .registered(&registration, own_secret.as_ref())
    }

    #[test]
    fn an_accounts_own_application_goes_before_that_of_the_settings() {
        let google = |own| {
            let it = registered(AccountKind::GeminiOauth, own);
            let lacks = it.lacks_registration();
            (it.client_id, it.client_secret.map(|it| it.expose().to_owned()), lacks)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(google((None, None)), ("shared".into(), some("shared secret"), false));
        assert_eq!(google((Some("own"), Some("s"))), ("own".into(), some("s"), false));
        assert_eq!(google((Some("own"), None)), ("own".into(), None, true), "no other's secret");
        assert_eq!(google((Some("shared"), None)), ("shared".into(), some("shared secret"), false));
        let openai = registered(AccountKind::OpenaiOauth, (None, None));
        assert!(openai.client_secret.is_none() && !openai.lacks_registration());
        assert_ne!(openai.client_id, "shared");
        let unset =
            endpoints(AccountKind::GeminiOauth, &OauthSettings::default(), Flow::Subscription);
        assert!(unset.registered(&Registration::default(), None).lacks_registration());
    }
}
